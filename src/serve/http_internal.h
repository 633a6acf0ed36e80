/*
 * http_internal.h - what the files of the server share.
 *
 *     http.c          the sockets, the thread, the end
 *     http_request.c  libmicrohttpd's calls: from the first byte to a handler
 *     http_check.c    what is refused, and the body
 *     http_reply.c    answers, files, the headers of all of them
 *
 * A request is its server's thread's, but for one that is `is_later` and has
 * not been put on the list of answered ones: that is whose it was given to.
 */
#ifndef PLUMB_SERVE_HTTP_INTERNAL_H
#define PLUMB_SERVE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>

#include "serve/http.h"
#include "serve/parse.h"
#include "serve/rate.h"

#define HTTP_DAEMONS 2     // one of each loopback address
#define HTTP_HEADERS_MAX 4 // added by a handler
#define HTTP_ETAG 34       // 16 bytes in hex, in quotes
#define HTTP_NEVER INT64_MAX

/* A connection; its address is libmicrohttpd's socket context. */
struct http_connection {
    struct http *http;
    int fd;
    int64_t deadline;             // monotonic ms; past it, it is cut
    struct http_request *request; // the one that is at work, or NULL
    struct http_connection *prev, *next;
};

struct http_header {
    char *name, *value;
};

struct http_request {
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_connection *connection;

    /* What was asked. */
    char *uri; // as it came, cut into path and query
    size_t path_len;
    struct parse_query query;
    enum http_method method;
    const struct http_route *route;
    const struct http_file *file;
    struct parse_arg arg[PARSE_ARGS_MAX];
    struct http_who who;
    size_t body_len; // as announced
    struct buf bytes;
    struct json *body;

    /* How far it is. */
    bool is_begun;     // its head was looked at
    bool is_handled;   // a handler was called
    bool is_later;     // and answers later
    bool is_ready;     // the later answer was taken from the list
    bool is_queued;    // libmicrohttpd has the answer
    bool is_suspended; // libmicrohttpd does not look at it
    bool is_waiting;   // a stream, suspended
    bool is_cut;       // a stream that may not go on
    bool close_after;  // bytes of it may be unread

    /* The answer. */
    bool is_answered;
    unsigned code;
    const char *type;
    struct buf out;
    struct http_header header[HTTP_HEADERS_MAX];
    size_t n_header;
    bool header_is_bad;
    const char *etag; // of a file
    http_pull_fn pull;
    void (*end)(void *ctx);
    void *pull_ctx;
    struct http_request *next; // in the list of answered ones
    char why[ERR_TEXT_MAX];    // for the sink, of a failure inside
};

struct http {
    struct http_config config;
    struct MHD_Daemon *daemon[HTTP_DAEMONS];
    int listener[HTTP_DAEMONS]; // -1: none, or the daemon's
    int n;                      // of these
    bool any_literal;           // an address in Host is as good as a name
    int wake_fd;
    uint16_t port;
    char url[96];
    char (*etag)[HTTP_ETAG + 1]; // [n_file]
    struct rate *by_address, *by_session;
    pthread_t thread;

    pthread_mutex_t lock; // of the next four
    struct http_request *answered, *answered_last;
    bool wake_asked, recheck_asked, stop_asked;

    /* The thread's own. */
    struct http_connection *connections;
    bool is_stopping;
    size_t in_flight; // requests that were begun and are not over
    size_t later;     // of these, promised
};

/* Monotonic milliseconds. */
int64_t http_tick(void);

/* Make the thread look at what was asked of it. */
void http_notify(struct http *http);

/* libmicrohttpd's calls. */
void *http_on_line(void *ctx, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_on_access(void *ctx, struct MHD_Connection *mhd,
                               const char *url, const char *method,
                               const char *version, const char *data,
                               size_t *data_len, void **request);
void http_on_completed(void *ctx, struct MHD_Connection *mhd, void **request,
                       enum MHD_RequestTerminationCode code);
void http_on_connection(void *ctx, struct MHD_Connection *mhd,
                        void **connection,
                        enum MHD_ConnectionNotificationCode code);

/* Look at a request's head: false when it was answered with a refusal. */
bool http_check_head(struct http_request *r, const char *method,
                     const char *version);

/* Parse the body that came; the same. */
bool http_check_body(struct http_request *r);

/* Answer with the file that the request found. */
void http_reply_file(struct http_request *r);

/* Hand a request's answer to libmicrohttpd. */
enum MHD_Result http_send(struct http_request *r);

/* Look at a suspended request again. */
void http_resume(struct http_request *r);

/* Begin and end of a connection's time for what it is at. */
void http_allow(struct http_connection *c, int64_t ms);

#endif

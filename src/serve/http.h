/*
 * http.h - a small HTTP server for pages and JSON, on libmicrohttpd.
 *
 *     static const struct http_route routes[] = {
 *         {HTTP_GET, "/api/items/{int}", HTTP_JUDGE, 0, show_item},
 *         {HTTP_POST, "/api/items/{int}/vote", HTTP_JUDGE, 8192, vote},
 *     };
 *     struct http *http;
 *     TRY(http_start(&http, &(struct http_config){.route = routes, ...}, err));
 *     ... http_url(http) is where it is ...
 *     http_stop(http);
 *
 * THREADS.  One thread of the server's own does everything: it reads, calls
 * handlers, pull functions and the guard, and sends.  So these never run at
 * the same time and need no locks among themselves, and they must not wait:
 * what waits (for the disk, for a computation) is begun elsewhere after
 * http_later(), and whoever ends it answers from there.  The functions marked
 * [any] may be called on any thread, the others only by a handler or guard
 * before it returns.
 *
 * ANSWERS.  A handler answers exactly once, before it returns or, after
 * http_later(), at any time from any one thread; a request belongs to who has
 * yet to answer it, and from then on to the server.  store/writer.h fits:
 *
 *     static void voted(struct write *w)            // the writer's thread
 *     {
 *         struct vote_job *job = w->ctx;
 *         if (w->status == OK)
 *             http_reply_json(job->request, 200, &job->json);
 *         else
 *             http_reply_status(job->request, w->status, &w->err);
 *         job_free(job);
 *     }
 *
 * Every request that http_later() was called for must be answered: its client
 * may be gone, which is no business of the handler's.
 *
 * WHAT IS REFUSED before a handler is called, in this order:
 *     431  more than `head_max` bytes or 64 lines of headers
 *     400  not HTTP/1.1 to the letter, a header twice that may come once, a
 *          path or, but for a file, query that parse.h refuses
 *     421  a Host that is not ours: a foreign name that leads to this address
 *          (DNS rebinding)
 *     429  too often from one session or, where the guard knows nobody, from
 *          one address (of IPv6, from one /64); Retry-After says when
 *     404  no such path;  405  not by this method (with Allow)
 *     401, 403  what the guard says
 *     411, 413, 415  a body without length, beyond `body_max`, no JSON
 *     503  the server is stopping
 *     400  a body that is no JSON object, nests deeper than 16 or has more
 *          than 65536 values
 * and a connection is cut, without an answer, when it took longer than
 * http_limits for what it is at: this is what ends a client that sends a byte
 * a second.  Errors are {"error":"what happened"}.
 *
 * What is no HTTP at all (no Host, a header without a colon, version 2.0, a
 * length that is no number, a head beyond a connection's 32 KiB) is refused by
 * libmicrohttpd before it tells us of a request: with a page of constant text,
 * without the headers below, and the connection is closed.  It offers no way to
 * add them; the page has no byte of the request in it.
 *
 * WHAT IS SENT.  Every answer forbids its page to load or run anything that
 * does not come from this server as a file, to be framed, sniffed, or read by
 * other origins (http_reply.c has the list); what is no file is never stored
 * by caches.  A file is served under its exact name only: the names are a
 * table, there is no directory behind them.
 */
#ifndef PLUMB_SERVE_HTTP_H
#define PLUMB_SERVE_HTTP_H

#include "base/buf.h"
#include "base/context.h"
#include "base/json.h"
#include "store/judges.h"

struct http;         // opaque: a server
struct http_request; // opaque: what was asked, and what is answered

enum http_method {
    HTTP_GET = 1, // HEAD, too
    HTTP_POST = 2,
    HTTP_PUT = 4,
    HTTP_DELETE = 8,
};

/* Who may ask; each may what those before it may. */
enum http_need {
    HTTP_ANYONE,
    HTTP_VIEWER,
    HTTP_JUDGE,
    HTTP_ADMIN,
};

typedef void (*http_fn)(void *ctx, struct http_request *r);

/* A pattern is in the form of parse.h.  Of several that match a path, the
 * first one counts.  In the order in which a table is read. */
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct http_route {
    enum http_method method;
    const char *pattern;
    enum http_need need;
    size_t body_max; // bytes of its JSON body; 0: must come without
    http_fn fn;
};

/* A file of the program: anybody may have it. */
struct http_file {
    const char *path; // "/", "/label.js"
    const char *type; // "text/javascript; charset=utf-8"
    const void *data;
    size_t len;
};

/* Who asks, found out by the guard. */
struct http_who {
    bool is_known;
    struct judge judge;
    unsigned char session[JUDGES_HASH]; // hash of the session's token
};

/*
 * Find out who asks and whether they may: `admit` gives 0, or the code of a
 * refusal (401, 403, 500) and a few words.  `still` is asked every few seconds
 * (HTTP_BEAT_MS) about streams that stay open.  What is known of who asks is to
 * be put into `who` also with a refusal.
 */
struct http_guard {
    unsigned (*admit)(void *ctx, struct http_request *r,
                      const struct http_route *route, struct http_who *who,
                      const char **why);
    bool (*still)(void *ctx, const struct http_who *who, int64_t now);
    void *ctx;
};

/* 0 anywhere: the default. */
struct http_limits {
    size_t head_max;      // 16 KiB, of request line and headers; at most that
    unsigned connections; // 512
    unsigned per_address; // connections of one address; 256
    int64_t head_ms;      // 10 s to send a request's line and headers
    int64_t body_ms;      // 30 s to send its body
    int64_t send_ms;      // 60 s to take an answer, or a stream's next piece
    int64_t idle_ms;      // 60 s between two requests of a connection
    int64_t drain_ms;     // 5 s to take the last answers when stopping
    double address_per_s, address_burst; // 20, 200: of who is not signed in
    double session_per_s, session_burst; // 20, 100: of a session
};

struct http_config {
    /* Numeric; NULL is 127.0.0.1 and, where there is one, ::1.  Another than
     * the loopback is ERR_ARG without a guard. */
    const char *address;
    uint16_t port; // 0: any that is free
    /* Names that may stand in Host besides localhost, 127.0.0.1, [::1] and
     * `address`; without port, in lower case. */
    const char *const *host;
    size_t n_host;
    /* Behind a reverse proxy that speaks TLS and runs on this machine: origins
     * are https, cookies Secure, and the last address in X-Forwarded-For is
     * who is limited. */
    bool is_tls;

    const struct http_route *route; // lasts as long as the server
    size_t n_route;
    const struct http_file *file; // the same
    size_t n_file;
    void *ctx;                      // of all handlers
    const struct http_guard *guard; // NULL: everybody may everything
    struct http_limits limits;
    /* Warnings of what failed inside go there, on the server's thread, and
     * its clock is the time; may be NULL. */
    const struct context *context;
};

/*
 * Listen and begin to answer.  ERR_ARG: a table or an address that is wrong;
 * ERR_BUSY: the port is taken; ERR_IO, ERR_MEMORY.
 */
enum status http_start(struct http **out, const struct http_config *c,
                       struct err *err) MUST_CHECK;

/*
 * Take no more, end the event streams, answer what is in flight, and close.
 * Waits for every answer that http_later() promised, so whoever gives these
 * must still run, and then up to drain_ms for clients to take them.  Fine on
 * NULL.
 */
void http_stop(struct http *http);

/* "http://127.0.0.1:43211", without a slash at the end. [any] */
const char *http_url(const struct http *http);
uint16_t http_port(const struct http *http);
bool http_is_tls(const struct http *http);

/* Ask the guard now about all streams that are open: somebody was revoked.
 * [any] */
void http_recheck(struct http *http);

/* ---- what was asked ----------------------------------------------------- */

struct http *http_server(const struct http_request *r); // [any]
const struct http_who *http_who(const struct http_request *r);

/* Milliseconds since the epoch. */
int64_t http_now(const struct http_request *r);

/* The i-th typed segment of the route's pattern. */
int64_t http_arg_int(const struct http_request *r, size_t i);
const char *http_arg_name(const struct http_request *r, size_t i);

/* A value of the query, or NULL. */
const char *http_query(const struct http_request *r, const char *key);

/* The JSON object that was sent, NULL where the route takes none. */
const struct json *http_body(const struct http_request *r);

/* A header that came exactly once, or NULL. */
const char *http_header(const struct http_request *r, const char *name);
bool http_is_write(const struct http_request *r); // neither GET nor HEAD

/* ---- answers ------------------------------------------------------------ */

/* The answer comes later, from anywhere. */
void http_later(struct http_request *r);

/* One more header: for Set-Cookie and Content-Disposition.  Control characters
 * in it, or more than four, make the answer a 500. [any] */
void http_add_header(struct http_request *r, const char *name,
                     const char *value);

/* JSON text; the buffer's contents are taken and it is empty afterwards.  A
 * buffer that failed is a 500. [any] */
void http_reply_json(struct http_request *r, unsigned code, struct buf *json);

/* No content: 204. [any] */
void http_reply_empty(struct http_request *r);

/* {"error": "..."}; `what` is shown to the client. [any] */
void http_reply_error(struct http_request *r, unsigned code, const char *what);

/*
 * A failure: ERR_ARG, ERR_FORMAT 400, ERR_MISSING 404, ERR_MISMATCH 409,
 * ERR_LIMIT 413, ERR_BUSY 503, ERR_FULL 507, else 500.  From 500 on what
 * happened goes to the sink and the client is only told its name. [any]
 */
void http_reply_status(struct http_request *r, enum status status,
                       const struct err *err);

/*
 * Bytes for a long answer: put up to `max` into `to` and give their number, 0
 * at the end, HTTP_PULL_WAIT when there are none yet (it is asked again after
 * http_wake(), and every HTTP_BEAT_MS anyway), or HTTP_PULL_CUT to cut the
 * connection, so that nobody takes half an answer for the whole.  When the
 * server stops, waiting is the end.
 *
 * A client that takes nothing for send_ms is cut.
 */
#define HTTP_PULL_WAIT (-1)
#define HTTP_PULL_CUT (-2)
#define HTTP_BEAT_MS 2000
typedef int64_t (*http_pull_fn)(void *ctx, char *to, size_t max);

/* An answer of unknown length, pulled as the client takes it.  `end` is called
 * once, on the server's thread, whatever happened. [any] */
void http_reply_stream(struct http_request *r, const char *type,
                       http_pull_fn pull, void (*end)(void *ctx), void *ctx);

/* Ask the streams that wait again; does not block. [any] */
void http_wake(struct http *http);

#endif

/*
 * http_request.c - libmicrohttpd's calls, from a connection's first byte to
 * the end of its last answer.  All of them come on the server's thread.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "serve/http_internal.h"

#define DEAD_MS 30000 // a peer that acknowledges nothing for so long is gone

void http_allow(struct http_connection *c, int64_t ms)
{
    c->deadline = ms == HTTP_NEVER ? HTTP_NEVER : http_tick() + ms;
}

/* ---- connections -------------------------------------------------------- */

static void open_connection(struct http *http, struct MHD_Connection *mhd,
                            void **connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_connection *c = mem_calloc(1, sizeof *c);
    unsigned dead = DEAD_MS;
    *connection = c;
    if (info == NULL)
        return;
    if (c == NULL) {
        /* Nobody would look at its time, nor could a request be answered. */
        (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    c->http = http;
    c->fd = info->connect_fd;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
    http_allow(c, http->config.limits.head_ms);
    c->next = http->connections;
    if (c->next != NULL)
        c->next->prev = c;
    http->connections = c;
}

void http_on_connection(void *ctx, struct MHD_Connection *mhd,
                        void **connection,
                        enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_connection(http, mhd, connection);
        return;
    }
    struct http_connection *c = *connection;
    if (c == NULL)
        return;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else if (http->connections == c)
        http->connections = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    mem_free(c);
    *connection = NULL;
}

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* ---- requests ----------------------------------------------------------- */

static void free_request(struct http_request *r)
{
    for (size_t i = 0; i < r->n_header; i++) {
        mem_free(r->header[i].name);
        mem_free(r->header[i].value);
    }
    json_free(r->body);
    buf_free(&r->bytes);
    buf_free(&r->out);
    mem_free(r->uri);
    mem_free(r);
}

/* The line has been read: from here on the head has its time, however long
 * the connection was idle before. */
void *http_on_line(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    struct http *http = ctx;
    struct http_connection *c = connection_of(mhd);
    struct http_request *r = mem_calloc(1, sizeof *r);
    if (r == NULL || c == NULL) {
        mem_free(r);
        return NULL;
    }
    r->http = http;
    r->mhd = mhd;
    r->connection = c;
    r->uri = mem_strdup(uri);
    buf_init(&r->bytes, 1);
    buf_init(&r->out, 1);
    if (r->uri == NULL) {
        free_request(r);
        return NULL;
    }
    c->request = r;
    http->in_flight++;
    http_allow(c, http->config.limits.head_ms);
    return r;
}

void http_on_completed(void *ctx, struct MHD_Connection *mhd, void **request,
                       enum MHD_RequestTerminationCode code)
{
    struct http *http = ctx;
    struct http_request *r = *request;
    (void)mhd;
    (void)code;
    if (r == NULL)
        return;
    if (r->end != NULL)
        r->end(r->pull_ctx);
    http->in_flight--;
    r->connection->request = NULL;
    http_allow(r->connection, http->config.limits.idle_ms);
    free_request(r);
    *request = NULL;
}

static void suspend(struct http_request *r)
{
    r->is_suspended = true;
    http_allow(r->connection, HTTP_NEVER);
    MHD_suspend_connection(r->mhd);
}

void http_resume(struct http_request *r)
{
    if (!r->is_suspended)
        return;
    r->is_suspended = r->is_waiting = false;
    http_allow(r->connection, r->http->config.limits.send_ms);
    MHD_resume_connection(r->mhd);
}

/* The whole request is here. */
static enum MHD_Result dispatch(struct http_request *r)
{
    struct err err = {OK, ""};
    r->is_handled = true;
    if (buf_status(&r->bytes, &err) != OK) {
        http_reply_status(r, err.code, &err);
    } else if (r->bytes.len != r->body_len) {
        http_reply_error(r, 400, "the body is not as long as it says");
    } else if (r->file != NULL) {
        http_reply_file(r);
    } else if (http_check_body(r)) {
        r->route->fn(r->http->config.ctx, r);
        if (r->is_later) {
            suspend(r);
            return MHD_YES;
        }
        if (!r->is_answered)
            http_reply_error(r, 500, "internal error");
    }
    return http_send(r);
}

enum MHD_Result http_on_access(void *ctx, struct MHD_Connection *mhd,
                               const char *url, const char *method,
                               const char *version, const char *data,
                               size_t *data_len, void **request)
{
    struct http_request *r = *request;
    (void)ctx;
    (void)mhd;
    (void)url;
    if (r == NULL)
        return MHD_NO;
    if (!r->is_begun) {
        r->is_begun = true;
        http_allow(r->connection, r->http->config.limits.body_ms);
        if (http_check_head(r, method, version))
            return MHD_YES;
        r->is_handled = true;
        return http_send(r);
    }
    if (*data_len > 0) {
        if (!r->is_handled)
            buf_append(&r->bytes, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    if (r->is_queued)
        return MHD_YES;
    if (!r->is_handled)
        return dispatch(r);
    return r->is_ready ? http_send(r) : MHD_YES;
}

void http_later(struct http_request *r)
{
    r->is_later = true;
    r->http->later++;
}

/* ---- what was asked ----------------------------------------------------- */

struct http *http_server(const struct http_request *r)
{
    return r->http;
}

const struct http_who *http_who(const struct http_request *r)
{
    return &r->who;
}

int64_t http_arg_int(const struct http_request *r, size_t i)
{
    return i < PARSE_ARGS_MAX ? r->arg[i].number : 0;
}

const char *http_arg_name(const struct http_request *r, size_t i)
{
    return i < PARSE_ARGS_MAX ? r->arg[i].name : "";
}

const char *http_query(const struct http_request *r, const char *key)
{
    return parse_query_find(&r->query, key);
}

const struct json *http_body(const struct http_request *r)
{
    return r->body;
}

bool http_is_write(const struct http_request *r)
{
    return r->method != HTTP_GET;
}

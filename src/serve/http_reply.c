/*
 * http_reply.c - answers, and the headers that all of them have.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/http_internal.h"

#define ERROR_MAX 2048      // bytes of an error's JSON
#define BLOCK_MAX (1 << 15) // bytes of a stream that are pulled at once

/*
 * A page loads its own files and runs nothing else: no inline script or style,
 * no eval, no plugin, no frame, no other host; nobody frames it; its window
 * and its answers are cut off from other origins'.  Same-origin and not
 * no-referrer, which would turn the Origin of a form into "null".
 */
static const struct {
    const char *name, *value;
} always[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; "
     "img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

/* ---- what is answered --------------------------------------------------- */

/* The answer is complete; a later one goes on the list of the thread. */
static void finish(struct http_request *r)
{
    struct http *http = r->http;
    assert(!r->is_answered);
    r->is_answered = true;
    if (!r->is_later)
        return;
    (void)pthread_mutex_lock(&http->lock);
    if (http->answered_last != NULL)
        http->answered_last->next = r;
    else
        http->answered = r;
    http->answered_last = r;
    /* Under the lock: with the last answer taken, the server may end. */
    http_notify(http);
    (void)pthread_mutex_unlock(&http->lock);
}

/* {"error": what}; when even that does not fit memory, an empty 500. */
static void put_error(struct http_request *r, unsigned code, const char *what)
{
    struct json_writer w;
    buf_free(&r->out);
    buf_init(&r->out, ERROR_MAX);
    json_writer_init(&w, &r->out, false);
    json_open(&w, '{');
    json_field_text(&w, "error", what);
    json_close(&w, '}');
    r->code = r->out.code == OK ? code : 500;
    r->type = "application/json";
}

void http_reply_error(struct http_request *r, unsigned code, const char *what)
{
    put_error(r, code, what);
    finish(r);
}

void http_reply_json(struct http_request *r, unsigned code, struct buf *json)
{
    struct err err = {OK, ""};
    if (buf_status(json, &err) != OK) {
        http_reply_status(r, err.code == ERR_LIMIT ? ERR_MEMORY : err.code,
                          &err);
        return;
    }
    size_t max = json->max;
    r->out = *json;
    buf_init(json, max);
    r->code = code;
    r->type = "application/json";
    finish(r);
}

void http_reply_empty(struct http_request *r)
{
    r->code = 204;
    finish(r);
}

static unsigned code_of(enum status status)
{
    switch (status) {
    case ERR_ARG:
    case ERR_FORMAT:
        return 400;
    case ERR_MISSING:
        return 404;
    case ERR_MISMATCH:
        return 409;
    case ERR_LIMIT:
        return 413;
    case ERR_BUSY:
        return 503;
    case ERR_FULL:
        return 507;
    case OK:
    case ERR_MEMORY:
    case ERR_IO:
    case ERR_NUMERIC:
    case ERR_STOPPED:
    case ERR_FOUND:
        break;
    }
    return 500;
}

void http_reply_status(struct http_request *r, enum status status,
                       const struct err *err)
{
    unsigned code = code_of(status);
    bool has_text = err != NULL && err->code == status;
    if (code >= 500)
        (void)snprintf(r->why, sizeof r->why, "%s",
                       has_text ? err->text : err_name(status));
    http_reply_error(r, code,
                     code < 500 && has_text ? err->text : err_name(status));
}

static bool is_header_text(const char *text)
{
    for (const char *s = text; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            return false;
    return *text != '\0';
}

void http_add_header(struct http_request *r, const char *name,
                     const char *value)
{
    struct http_header h = {NULL, NULL};
    if (r->n_header < HTTP_HEADERS_MAX && is_header_text(name) &&
        is_header_text(value)) {
        h.name = mem_strdup(name);
        h.value = mem_strdup(value);
    }
    if (h.name == NULL || h.value == NULL) {
        mem_free(h.name);
        mem_free(h.value);
        r->header_is_bad = true;
        return;
    }
    r->header[r->n_header++] = h;
}

void http_reply_stream(struct http_request *r, const char *type,
                       http_pull_fn pull, void (*end)(void *ctx), void *ctx)
{
    r->code = 200;
    r->type = type;
    r->pull = pull;
    r->end = end;
    r->pull_ctx = ctx;
    finish(r);
}

void http_reply_file(struct http_request *r)
{
    const struct http *http = r->http;
    const char *list = http_header(r, "If-None-Match");
    r->etag = http->etag[r->file - http->config.file];
    r->code = list != NULL && parse_etag_in(list, r->etag) ? 304 : 200;
    r->type = r->file->type;
    finish(r);
}

/* ---- to libmicrohttpd --------------------------------------------------- */

static ssize_t pull(void *ctx, uint64_t position, char *to, size_t max)
{
    struct http_request *r = ctx;
    (void)position;
    if (r->is_cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    int64_t n = r->pull(r->pull_ctx, to, max);
    http_allow(r->connection, r->http->config.limits.send_ms);
    if (n > 0)
        return (ssize_t)n;
    if (n == 0 || (n == HTTP_PULL_WAIT && r->http->is_stopping))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n != HTTP_PULL_WAIT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    r->is_suspended = r->is_waiting = true;
    http_allow(r->connection, HTTP_NEVER);
    MHD_suspend_connection(r->mhd);
    return 0;
}

static struct MHD_Response *make(struct http_request *r)
{
    if (r->pull != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_MAX,
                                                 pull, r, NULL);
    const void *data = buf_text(&r->out);
    size_t len = r->out.len;
    if (r->etag != NULL) {
        data = r->file->data;
        len = r->code == 200 ? r->file->len : 0;
    }
    /* What is sent is the request's or the program's own; libmicrohttpd's
     * parameter is not const but it only reads. */
    union {
        const void *from;
        void *to;
    } bytes = {data};
    return MHD_create_response_from_buffer(len, bytes.to,
                                           MHD_RESPMEM_PERSISTENT);
}

static bool add_headers(struct MHD_Response *m, const struct http_request *r)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        ok &= MHD_add_response_header(m, always[i].name, always[i].value) ==
              MHD_YES;
    for (size_t i = 0; i < r->n_header; i++)
        ok &= MHD_add_response_header(m, r->header[i].name,
                                      r->header[i].value) == MHD_YES;
    if (r->type != NULL)
        ok &= MHD_add_response_header(m, "Content-Type", r->type) == MHD_YES;
    /* A file may be kept, but is asked after each time. */
    ok &= MHD_add_response_header(m, "Cache-Control",
                                  r->etag != NULL ? "no-cache" : "no-store") ==
          MHD_YES;
    if (r->etag != NULL)
        ok &= MHD_add_response_header(m, "ETag", r->etag) == MHD_YES;
    if (r->close_after || r->http->is_stopping)
        ok &= MHD_add_response_header(m, "Connection", "close") == MHD_YES;
    return ok;
}

enum MHD_Result http_send(struct http_request *r)
{
    if (r->header_is_bad && r->code < 500) {
        if (r->end != NULL)
            r->end(r->pull_ctx);
        r->pull = NULL;
        r->end = NULL;
        r->etag = NULL;
        (void)snprintf(r->why, sizeof r->why, "a header that cannot be sent");
        put_error(r, 500, "internal error");
    }
    if (r->why[0] != '\0')
        context_warn(r->http->config.context, "%u for %.200s: %s", r->code,
                     r->uri, r->why);
    http_allow(r->connection, r->http->config.limits.send_ms);
    r->is_queued = true;
    struct MHD_Response *m = make(r);
    if (m == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(m, r))
        result = MHD_queue_response(r->mhd, r->code, m);
    MHD_destroy_response(m);
    return result;
}

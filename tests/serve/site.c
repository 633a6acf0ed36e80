#include "serve/site.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static void hello(void *ctx, struct http_request *r)
{
    struct buf out;
    struct json_writer w;
    (void)ctx;
    buf_init(&out, 4096);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    json_field_text(&w, "name", http_query(r, "name"));
    json_field_int(&w, "id", http_arg_int(r, 0));
    json_field_text(&w, "word", http_arg_name(r, 1));
    json_close(&w, '}');
    http_reply_json(r, 200, &out);
    buf_free(&out);
}

static void echo(void *ctx, struct http_request *r)
{
    struct site *site = ctx;
    struct buf out;
    site->echoed++;
    buf_init(&out, 65536);
    json_dump(&out, http_body(r));
    http_reply_json(r, 200, &out);
    buf_free(&out);
}

/* Answers on a thread of its own, some milliseconds later. */
static void *answer(void *arg)
{
    struct timespec t = {0, 100000000};
    (void)nanosleep(&t, NULL);
    struct buf out;
    buf_init(&out, 64);
    buf_puts(&out, "{\"late\":true}");
    http_reply_json(arg, 200, &out);
    return NULL;
}

static void later(void *ctx, struct http_request *r)
{
    pthread_t thread;
    (void)ctx;
    http_later(r);
    if (pthread_create(&thread, NULL, answer, r) == 0)
        (void)pthread_detach(thread);
    else
        http_reply_error(r, 500, "no thread");
}

struct rope {
    struct site *site;
    size_t left;
    bool breaks, waits;
};

static int64_t pull(void *ctx, char *to, size_t max)
{
    struct rope *rope = ctx;
    size_t n = rope->left < max ? rope->left : max;
    if (n == 0 && rope->waits)
        return HTTP_PULL_WAIT;
    if (n == 0 && rope->breaks)
        return HTTP_PULL_CUT;
    memset(to, 'x', n);
    rope->left -= n;
    return (int64_t)n;
}

static void end(void *ctx)
{
    struct rope *rope = ctx;
    rope->site->ended++;
    mem_free(rope);
}

static void stream(void *ctx, struct http_request *r)
{
    struct rope *rope = mem_calloc(1, sizeof *rope);
    const char *how = http_arg_name(r, 0);
    if (rope == NULL) {
        http_reply_error(r, 500, "memory");
        return;
    }
    *rope = (struct rope){ctx, SITE_LONG, strcmp(how, "broken") == 0,
                          strcmp(how, "endless") == 0};
    if (strcmp(how, "huge") == 0)
        rope->left = SIZE_MAX;
    http_reply_stream(r, "text/plain", pull, end, rope);
}

static void fail_inside(void *ctx, struct http_request *r)
{
    struct err err = {OK, ""};
    (void)ctx;
    enum status status = err_set(&err, ERR_IO, "/secret/path: no disk");
    http_reply_status(r, status, &err);
}

static void refuse(void *ctx, struct http_request *r)
{
    struct err err = {OK, ""};
    (void)ctx;
    enum status status = err_set(&err, ERR_MISMATCH, "voted \"already\"");
    http_reply_status(r, status, &err);
}

static void forget(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static void split_header(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_add_header(r, "X-Name", "a\r\nSet-Cookie: planted=1");
    http_reply_empty(r);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/api/hello/{int}/{name}", HTTP_ANYONE, 0, hello},
    {HTTP_POST, "/api/echo", HTTP_JUDGE, SITE_BODY, echo},
    {HTTP_PUT, "/api/echo", HTTP_JUDGE, SITE_BODY, echo},
    {HTTP_POST, "/api/later", HTTP_JUDGE, SITE_BODY, later},
    {HTTP_DELETE, "/api/echo", HTTP_ADMIN, 0, hello},
    {HTTP_GET, "/api/stream/{name}", HTTP_VIEWER, 0, stream},
    {HTTP_GET, "/api/fail", HTTP_ANYONE, 0, fail_inside},
    {HTTP_GET, "/api/refuse", HTTP_ANYONE, 0, refuse},
    {HTTP_GET, "/api/forget", HTTP_ANYONE, 0, forget},
    {HTTP_GET, "/api/split", HTTP_ANYONE, 0, split_header},
};

static const struct http_file files[] = {
    {"/", "text/html; charset=utf-8", "<!doctype html>", 15},
    {"/label.js", "text/javascript; charset=utf-8", "export {};", 10},
};

static void on_event(void *ctx, const struct event *event)
{
    struct site *site = ctx;
    if (event->kind == EVENT_WARNING)
        (void)snprintf(site->warning, sizeof site->warning, "%s", event->text);
}

struct http_config site_config(struct site *site)
{
    site->context = (struct context){.sink = on_event, .sink_ctx = site};
    return (struct http_config){
        .route = routes,
        .n_route = sizeof routes / sizeof *routes,
        .file = files,
        .n_file = sizeof files / sizeof *files,
        .ctx = site,
        .limits = {.address_per_s = 1000, .address_burst = 10000},
        .context = &site->context,
    };
}

struct http *site_start(const struct http_config *c)
{
    struct http *http = NULL;
    struct err err = {OK, ""};
    if (http_start(&http, c, &err) != OK)
        fail_msg("%s", err.text);
    return http;
}

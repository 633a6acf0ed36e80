/*
 * label.c - the table of routes, the beginning and the end.
 */
#include "serve/label.h"

#include "base/mem.h"
#include "serve/label_internal.h"

#define ACT_MAX 65536    // a reason of 16 KiB and what it is in JSON
#define REMARK_MAX 65536 // the same of a text
#define SMALL_MAX 2048
/* A batch of votes waits so long for company; bench_store shows why. */
#define WAIT_US 5000

static void sign_in(struct label *label, struct http_request *r)
{
    auth_sign_in(label->auth, r);
}

static void show_session(struct label *label, struct http_request *r)
{
    auth_show(label->auth, r);
}

static void sign_out(struct label *label, struct http_request *r)
{
    auth_sign_out(label->auth, r);
}

/* A route's function gets the server as what it is. */
#define ROUTE(fn)                                                              \
    static void route_##fn(void *ctx, struct http_request *r)                  \
    {                                                                          \
        fn(ctx, r);                                                            \
    }
ROUTE(sign_in)
ROUTE(show_session)
ROUTE(sign_out)
ROUTE(label_pools)
ROUTE(label_next)
ROUTE(label_item)
ROUTE(label_act)
ROUTE(label_remark)
ROUTE(label_history)
ROUTE(label_judges)
ROUTE(label_judge_add)
ROUTE(label_judge_link)
ROUTE(label_judge_revoke)
ROUTE(label_export)
ROUTE(label_events)
ROUTE(label_stands)

/* Every way in: docs/label-http.md.  Tests ask each of them in each role. */
static const struct http_route routes[] = {
    {HTTP_POST, "/api/session", HTTP_ANYONE, AUTH_BODY_MAX, route_sign_in},
    {HTTP_GET, "/api/session", HTTP_VIEWER, 0, route_show_session},
    {HTTP_DELETE, "/api/session", HTTP_VIEWER, 0, route_sign_out},

    {HTTP_GET, "/api/pools", HTTP_VIEWER, 0, route_label_pools},
    {HTTP_POST, "/api/pools/{int}/next", HTTP_JUDGE, SMALL_MAX,
     route_label_next},
    {HTTP_GET, "/api/items/{int}", HTTP_JUDGE, 0, route_label_item},
    {HTTP_POST, "/api/items/{int}/act", HTTP_JUDGE, ACT_MAX, route_label_act},
    {HTTP_POST, "/api/items/{int}/remark", HTTP_JUDGE, REMARK_MAX,
     route_label_remark},
    {HTTP_GET, "/api/history", HTTP_JUDGE, 0, route_label_history},

    {HTTP_GET, "/api/judges", HTTP_ADMIN, 0, route_label_judges},
    {HTTP_POST, "/api/judges", HTTP_ADMIN, SMALL_MAX, route_label_judge_add},
    {HTTP_POST, "/api/judges/{int}/link", HTTP_ADMIN, SMALL_MAX,
     route_label_judge_link},
    {HTTP_DELETE, "/api/judges/{int}", HTTP_ADMIN, 0, route_label_judge_revoke},

    {HTTP_GET, "/api/pools/{int}/export", HTTP_ADMIN, 0, route_label_export},
    {HTTP_GET, "/api/events", HTTP_VIEWER, 0, route_label_events},
    {HTTP_GET, "/api/pools/{int}/standing", HTTP_VIEWER, 0, route_label_stands},
};

const struct http_route *label_routes(size_t *n)
{
    *n = sizeof routes / sizeof *routes;
    return routes;
}

static const char no_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<title>Plumb</title></head>\n<body><h1>Plumb</h1>\n"
    "<p>This server answers programs; it was started without a page.</p>\n"
    "</body></html>\n";

static const struct http_file no_files[] = {
    {"/", "text/html; charset=utf-8", no_page, sizeof no_page - 1},
};

bool label_may_watch(struct http_request *r)
{
    if (http_who(r)->judge.role != JUDGE_JUDGE)
        return true;
    http_reply_error(r, 403, "not for your role");
    return false;
}

void label_events(struct label *label, struct http_request *r)
{
    if (label_may_watch(r))
        events_reply(label->hub, r);
}

/* The server's thread and the counting one warn; the caller's sink need not
 * know. */
static void pass_on(void *ctx, const struct event *event)
{
    struct label *label = ctx;
    (void)pthread_mutex_lock(&label->sink_lock);
    if (label->outer != NULL && label->outer->sink != NULL)
        label->outer->sink(label->outer->sink_ctx, event);
    (void)pthread_mutex_unlock(&label->sink_lock);
}

static void begin_context(struct label *label, const struct context *outer)
{
    (void)pthread_mutex_init(&label->sink_lock, NULL); // cannot fail on Linux
    label->outer = outer;
    if (outer != NULL)
        label->context = *outer;
    label->context.sink = pass_on;
    label->context.sink_ctx = label;
}

static enum status start(struct label *label, const struct db *db,
                         const struct label_config *c, struct err *err)
{
    const struct writer_config w = {.wait_us = WAIT_US};
    TRY(db_open_again(&label->db, db, DB_READ, err));
    TRY(writer_start(&label->writer, db, &w, err));
    const struct auth_config who = {.context = &label->context};
    TRY(auth_open(&label->auth, db, label->writer, &who, err));
    TRY(events_create(&label->hub, &(struct events_config){0}, err));
    TRY(label_teller_start(label, db, err));
    TRY(label_stander_start(label, db, err));
    label->guard = auth_guard(label->auth);
    const struct http_config h = {
        .address = c->address,
        .port = c->port,
        .host = c->host,
        .n_host = c->n_host,
        .is_tls = c->is_tls,
        .route = routes,
        .n_route = sizeof routes / sizeof *routes,
        .file = c->n_file > 0 ? c->file : no_files,
        .n_file = c->n_file > 0 ? c->n_file : 1,
        .ctx = label,
        .guard = &label->guard,
        .limits = c->limits,
        .context = &label->context,
    };
    TRY(http_start(&label->http, &h, err));
    events_attach(label->hub, label->http);
    return OK;
}

enum status label_start(struct label **out, const struct db *db,
                        const struct label_config *c, struct err *err)
{
    struct label *label;
    TRY(MEM_NEW(label, 1, err));
    begin_context(label, c->context);
    enum status status = start(label, db, c, err);
    if (status == OK)
        *out = label;
    else
        label_stop(label);
    return status;
}

void label_stop(struct label *label)
{
    if (label == NULL)
        return;
    /* The server waits for what it promised, so the writer runs on; and who
     * still tells of votes must not wake a server that is gone. */
    if (label->http != NULL)
        events_detach(label->hub);
    http_stop(label->http);
    writer_stop(label->writer);
    label_teller_stop(label);
    label_stander_stop(label);
    events_destroy(label->hub);
    auth_close(label->auth);
    db_close(label->db);
    mem_free(label->tally);
    (void)pthread_mutex_destroy(&label->sink_lock);
    mem_free(label);
}

const char *label_url(const struct label *label)
{
    return http_url(label->http);
}

struct http *label_http(const struct label *label)
{
    return label->http;
}

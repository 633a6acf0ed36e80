#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/ui.h"
#include "serve/watch_internal.h"

#define QUEUE_MAX 256
#define SERIES_RUNS_MAX WATCH_RUNS_MAX
#define SERIES_METRICS_MAX 64
#define SERIES_NUMBERS_MAX 3000000
#define POINTS 400
#define BODY_MAX 1024

/* ---- the thread that reads ---------------------------------------------- */

static struct watch_job *next_job(struct watch *w)
{
    (void)pthread_mutex_lock(&w->jobs);
    /* What waits when the server stops is answered all the same. */
    while (w->first == NULL && !w->reader_may_end)
        (void)pthread_cond_wait(&w->some, &w->jobs);
    struct watch_job *job = w->first;
    if (job != NULL) {
        w->first = job->next;
        w->last = w->first == NULL ? NULL : w->last;
        w->queued--;
    }
    (void)pthread_mutex_unlock(&w->jobs);
    return job;
}

void *watch_reader(void *arg)
{
    struct watch *w = arg;
    struct watch_job *job;
    while ((job = next_job(w)) != NULL) {
        job->fn(w, job);
        mem_free(job);
    }
    return NULL;
}

static void queue(struct watch *w, struct http_request *r,
                  void (*fn)(struct watch *w, struct watch_job *job))
{
    struct watch_job *job = mem_calloc(1, sizeof *job);
    if (job == NULL) {
        http_reply_error(r, 500, "out of memory");
        return;
    }
    job->fn = fn;
    job->request = r;
    (void)pthread_mutex_lock(&w->jobs);
    bool is_full = w->queued >= QUEUE_MAX || w->is_stopping;
    if (!is_full) {
        http_later(r);
        *(w->last != NULL ? &w->last->next : &w->first) = job;
        w->last = job;
        w->queued++;
        (void)pthread_cond_signal(&w->some);
    }
    (void)pthread_mutex_unlock(&w->jobs);
    if (is_full) {
        mem_free(job);
        http_reply_error(r, 503, "too many questions at once");
    }
}

/* ---- handlers ----------------------------------------------------------- */

static void show_runs(struct watch *w, struct watch_job *job)
{
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    watch_write(&j, w, watch_is_trusted(job->request));
    watch_source_answer(job, OK, &out, &err);
}

/* "1,2,3"; ids that are none are none of a run's. */
static size_t read_ids(int64_t *id, size_t room, const char *text)
{
    size_t n = 0;
    while (*text != '\0' && n < room) {
        char *end;
        id[n++] = strtoll(text, &end, 10);
        if (*end != ',')
            break;
        text = end + 1;
    }
    return n;
}

/* "a,b", cut in place. */
static size_t read_names(const char **name, size_t room, char *text)
{
    size_t n = 0;
    while (text != NULL && n < room) {
        char *comma = strchr(text, ',');
        if (comma != NULL)
            *comma = '\0';
        if (*text != '\0')
            name[n++] = text;
        text = comma != NULL ? comma + 1 : NULL;
    }
    return n;
}

struct series {
    int64_t id[SERIES_RUNS_MAX];
    const char *name[SERIES_METRICS_MAX];
    char *text;
};

static enum status read_ask(struct watch_ask *ask, struct series *s,
                            struct watch *w, const struct http_request *r,
                            struct err *err)
{
    const char *runs = http_query(r, "runs"), *names = http_query(r, "metrics");
    if (names == NULL)
        return err_set(err, ERR_ARG, "series?metrics=a,b");
    s->text = mem_strdup(names);
    if (s->text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    *ask = (struct watch_ask){.metric = s->name, .from = 0};
    ask->n_metric = read_names(s->name, SERIES_METRICS_MAX, s->text);
    if (runs != NULL) {
        ask->run = s->id;
        ask->n_run = read_ids(s->id, SERIES_RUNS_MAX, runs);
    }
    int64_t points;
    TRY(watch_ask_count(&ask->from, r, "from", 0, CURVE_STEP_MAX, err));
    TRY(watch_ask_count(&ask->to, r, "to", CURVE_STEP_MAX, CURVE_STEP_MAX,
                        err));
    TRY(watch_ask_count(&points, r, "points", POINTS, CURVE_POINTS_MAX, err));
    size_t n = (runs != NULL ? ask->n_run : watch_count(w)) * ask->n_metric;
    size_t most = SERIES_NUMBERS_MAX / 3 / (n > 0 ? n : 1);
    ask->points = points < 2 ? 2 : (size_t)points;
    if (ask->points > most)
        ask->points = most;
    if (ask->points > CURVE_POINTS_MAX)
        ask->points = CURVE_POINTS_MAX;
    if (ask->points < 2)
        ask->points = 2;
    return OK;
}

static void show_series(struct watch *w, struct watch_job *job)
{
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    struct watch_ask ask;
    struct series *s = NULL;
    enum status status = OK;
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    TRY_DONE(MEM_NEW(s, 1, &err));
    TRY_DONE(read_ask(&ask, s, w, job->request, &err));
    TRY_DONE(watch_write_series(&j, w, &ask, &err));
done:
    if (s != NULL)
        mem_free(s->text);
    mem_free(s);
    watch_source_answer(job, status, &out, &err);
}

static void queue_check(struct watch *w, struct watch_job *job)
{
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    struct watch_check c;
    int64_t pairs =
        json_int(json_get(http_body(job->request), "pairs"), WATCH_PAIRS);
    buf_init(&out, 65536);
    json_writer_init(&j, &out, false);
    enum status status = OK;
    if (pairs < 1 || pairs > 10000)
        status = err_set(&err, ERR_ARG, "pairs: from 1 to 10000");
    else
        status = watch_check(&c, w, job->run, (size_t)pairs, &err);
    if (status == OK) {
        json_open(&j, '{');
        json_field_int(&j, "pairs", (int64_t)c.pairs);
        json_field_int(&j, "placebo", (int64_t)c.placebo);
        json_field_int(&j, "already", (int64_t)c.already);
        json_field_int(&j, "step", c.step);
        json_field_text(&j, "database", c.database);
        json_close(&j, '}');
    }
    watch_source_answer(job, status, &out, &err);
}

/* A handler that queues: of a run, by what its route says. */
#define QUEUED(name, function)                                                 \
    static void name(void *ctx, struct http_request *r)                        \
    {                                                                          \
        queue(ctx, r, function);                                               \
    }

static void run_job(struct watch *w, struct watch_job *job,
                    void (*fn)(struct watch *w, struct watch_job *job))
{
    job->run = http_arg_int(job->request, 0);
    fn(w, job);
}

static void job_sources(struct watch *w, struct watch_job *job)
{
    run_job(w, job, watch_rows_sources);
}

static void job_curve(struct watch *w, struct watch_job *job)
{
    run_job(w, job, watch_rows_curve);
}

static void job_history(struct watch *w, struct watch_job *job)
{
    run_job(w, job, watch_rows_history);
}

static void job_check(struct watch *w, struct watch_job *job)
{
    run_job(w, job, queue_check);
}

static void set_name(struct watch_job *job)
{
    const char *name = http_arg_name(job->request, 1);
    size_t n = strlen(name);
    memcpy(job->name, name, n < sizeof job->name ? n : sizeof job->name - 1);
}

static void job_list(struct watch *w, struct watch_job *job)
{
    set_name(job);
    run_job(w, job, watch_rows_list);
}

static void job_one(struct watch *w, struct watch_job *job)
{
    set_name(job);
    job->row = http_arg_int(job->request, 2);
    run_job(w, job, watch_rows_one);
}

QUEUED(on_runs, show_runs)
QUEUED(on_series, show_series)
QUEUED(on_sources, job_sources)
QUEUED(on_curve, job_curve)
QUEUED(on_list, job_list)
QUEUED(on_one, job_one)
QUEUED(on_history, job_history)
QUEUED(on_check, job_check)

static void on_events(void *ctx, struct http_request *r)
{
    events_reply(((struct watch *)ctx)->hub, r);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/api/session", HTTP_VIEWER, 0, watch_guard_show},
    {HTTP_POST, "/api/session", HTTP_ANYONE, BODY_MAX, watch_guard_sign_in},
    {HTTP_GET, "/api/watch", HTTP_VIEWER, 0, on_runs},
    {HTTP_GET, "/api/watch/series", HTTP_VIEWER, 0, on_series},
    {HTTP_GET, "/api/watch/runs/{int}/curve", HTTP_VIEWER, 0, on_curve},
    {HTTP_GET, "/api/watch/runs/{int}/sources", HTTP_VIEWER, 0, on_sources},
    {HTTP_GET, "/api/watch/runs/{int}/rows/{name}", HTTP_VIEWER, 0, on_list},
    {HTTP_GET, "/api/watch/runs/{int}/rows/{name}/{int}", HTTP_VIEWER, 0,
     on_one},
    {HTTP_GET, "/api/watch/runs/{int}/history", HTTP_VIEWER, 0, on_history},
    {HTTP_POST, "/api/watch/runs/{int}/check", HTTP_ADMIN, BODY_MAX, on_check},
    {HTTP_GET, "/api/events", HTTP_VIEWER, 0, on_events},
};

static bool is_loopback(const char *address)
{
    return address == NULL || strcmp(address, "::1") == 0 ||
           strncmp(address, "127.", 4) == 0;
}

enum status watch_serve_start(struct watch *w, const struct watch_serve *s,
                              struct err *err)
{
    bool needs_link = !is_loopback(s->address) || s->is_tls;
    TRY(watch_guard_create(&w->guard, needs_link, err));
    w->admission = watch_guard_http(w->guard);
    struct http_config c = {.address = s->address,
                            .port = s->port,
                            .host = s->host,
                            .n_host = s->n_host,
                            .is_tls = s->is_tls,
                            .route = routes,
                            .n_route = sizeof routes / sizeof *routes,
                            .file = s->file,
                            .n_file = s->n_file,
                            .ctx = w,
                            .guard = &w->admission,
                            .limits = {.address_per_s = 50,
                                       .address_burst = 500,
                                       .session_per_s = 50,
                                       .session_burst = 500},
                            .context = w->context};
    if (c.file == NULL)
        ui_watch(&c.file, &c.n_file);
    return http_start(&w->http, &c, err);
}

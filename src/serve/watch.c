#include "serve/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "serve/http_internal.h"
#include "serve/watch_internal.h"
#include "store/project.h"

#define NAP_MS 50 // how soon a thread sees that it is to stop
#define REFRESH_MS 2000

/* A database that was named is one, or can be made where it is to be. */
static enum status check_judgements(const char *path, struct err *err)
{
    struct db *db = NULL;
    struct err reason;
    char dir[FILE_PATH_MAX];
    if (path[0] == '\0')
        return OK;
    TRY(file_dirname(dir, path, err));
    if (!file_exists(path) && !file_is_dir(dir))
        return err_set(err, ERR_MISSING, "%s: there is no directory %s", path,
                       dir);
    if (!file_exists(path))
        return OK;
    enum status status = project_open(&db, path, DB_READ, NULL, &reason);
    db_close(db);
    if (status == ERR_FORMAT)
        return err_set(err, status, "%s is no whole database of judgements: %s",
                       path, reason.text);
    return status == OK ? OK : err_set(err, status, "%s", reason.text);
}

enum status watch_open(struct watch **out, const struct watch_config *c,
                       struct err *err)
{
    struct watch *w;
    if (!file_is_dir(c->path))
        return err_set(err, ERR_MISSING,
                       "%s: no such directory; a run is there once its "
                       "training has begun",
                       c->path);
    TRY(MEM_NEW(w, 1, err));
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_init(&w->jobs, NULL);
    (void)pthread_cond_init(&w->some, NULL);
    buf_init(&w->held.text, WATCH_TEXT_MAX);
    w->no_index = c->no_index;
    w->poll_ms = c->poll_ms > 0 ? c->poll_ms : WATCH_POLL_MS;
    w->context = c->context;
    enum status status = file_join(w->path, "", c->path, err);
    if (status == OK && c->judgements != NULL)
        status = file_join(w->judgements, "", c->judgements, err);
    if (status == OK)
        status = check_judgements(w->judgements, err);
    if (status == OK)
        status = watch_find(w, err);
    if (status == OK && w->n == 0)
        status = err_set(err, ERR_MISSING,
                         "%s holds no run: none with a metrics.jsonl within "
                         "%d folders",
                         c->path, WATCH_DEPTH);
    if (status != OK) {
        watch_close(w);
        return status;
    }
    *out = w;
    return OK;
}

/* ---- the end ------------------------------------------------------------ */

static void join(bool *is_started, pthread_t thread)
{
    if (*is_started)
        (void)pthread_join(thread, NULL);
    *is_started = false;
}

static void stop(struct watch *w)
{
    w->is_stopping = true;
    join(&w->is_polling, w->poller);
    join(&w->is_judging, w->judge);
    if (w->hub != NULL)
        events_detach(w->hub);
    /* What was promised an answer gets it before the server ends. */
    http_stop(w->http);
    w->http = NULL;
    (void)pthread_mutex_lock(&w->jobs);
    w->reader_may_end = true;
    (void)pthread_cond_broadcast(&w->some);
    (void)pthread_mutex_unlock(&w->jobs);
    join(&w->is_reading, w->reader);
}

void watch_close(struct watch *w)
{
    if (w == NULL)
        return;
    stop(w);
    for (size_t i = 0; i < w->n; i++) {
        /* An index that cannot be written is time lost, nothing else. */
        struct err ignored;
        if (curve_wants_save(w->run[i]->metrics))
            (void)!curve_save(w->run[i]->metrics, &ignored);
        if (curve_wants_save(w->run[i]->timing))
            (void)!curve_save(w->run[i]->timing, &ignored);
        watch_run_free(w->run[i]);
    }
    events_destroy(w->hub);
    watch_guard_free(w->guard);
    tokenizer_free(w->tokenizer);
    buf_free(&w->held.text);
    watch_hidden_free(w);
    mem_free(w->run);
    (void)pthread_cond_destroy(&w->some);
    (void)pthread_mutex_destroy(&w->jobs);
    (void)pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

/* ---- looking at the files ----------------------------------------------- */

void watch_publish(struct watch *w, const char *event, struct watch_run *r)
{
    struct buf text;
    struct json_writer j;
    struct curve_facts f;
    curve_facts(&f, r->metrics);
    if (w->hub == NULL) {
        r->told = f.rows;
        return;
    }
    struct watch_pace pace = watch_run_pace(r);
    buf_init(&text, (size_t)256 << 10);
    json_writer_init(&j, &text, false);
    json_open(&j, '{');
    json_field_int(&j, "run", r->id);
    json_field_text(&j, "state", watch_run_state(r));
    json_field_int(&j, "step", f.last);
    json_field_int(&j, "rows", (int64_t)f.rows);
    /* More than one: some are not told of one by one. */
    json_field_int(&j, "new", (int64_t)(f.rows - r->told));
    json_field_number(&j, "eta", pace.eta);
    json_field_number(&j, "tokens_per_s", pace.tokens_per_s);
    json_field_number(&j, "seconds", pace.seconds);
    json_field_int(&j, "last_iteration", r->last);
    json_put_key(&j, "values");
    json_open(&j, '{');
    for (size_t i = 0; i < f.n; i++)
        json_field_number(&j, curve_name(r->metrics, i),
                          curve_now(r->metrics, i));
    json_field_number(&j, "timing/eps", watch_run_now(r, "timing/eps"));
    json_close(&j, '}');
    json_close(&j, '}');
    if (strcmp(event, "row") == 0)
        r->told = f.rows;
    /* One that cannot be told is seen at the next one. */
    if (text.code == OK)
        (void)!events_publish(w->hub, event, buf_text(&text), text.len, NULL);
    buf_free(&text);
}

/* One look at a run's logs; *more when the budget did not do. */
static enum status poll_run(struct watch *w, size_t i, bool *more,
                            struct err *err)
{
    unsigned what;
    (void)pthread_mutex_lock(&w->lock);
    struct watch_run *r = w->run[i];
    enum status status = watch_run_poll(r, WATCH_BUDGET, &what, err);
    if (status == OK && (what & (CURVE_ROWS | CURVE_RESET)) != 0) {
        if (r->state == WATCH_WAITING || (what & CURVE_RESET) != 0)
            (void)watch_run_refresh(w, r);
        watch_publish(w, (what & CURVE_RESET) != 0 ? "run" : "row", r);
    }
    (void)pthread_mutex_unlock(&w->lock);
    *more = status == OK && (what & CURVE_MORE) != 0;
    return status;
}

/* Write an index that is worth it; a directory that may not be written has
 * none. */
static void save_run(struct watch *w, size_t i)
{
    (void)pthread_mutex_lock(&w->lock);
    struct watch_run *r = w->run[i];
    if (curve_wants_save(r->metrics))
        (void)!curve_save(r->metrics, NULL);
    if (curve_wants_save(r->timing))
        (void)!curve_save(r->timing, NULL);
    (void)pthread_mutex_unlock(&w->lock);
}

/* Say what is wrong with a run's files, once. */
static void warn(struct watch *w, struct watch_run *r, const struct err *why)
{
    if (w->context == NULL || strcmp(r->warned, why->text) == 0)
        return;
    memcpy(r->warned, why->text, sizeof r->warned);
    context_warn(w->context, "%s", why->text);
}

/* All runs once; a file that cannot be read is told of and passed over. */
static void poll_all(struct watch *w, bool until_done)
{
    struct err err = {OK, ""};
    bool more;
    size_t n = watch_count(w);
    for (size_t i = 0; i < n; i++) {
        do
            if (poll_run(w, i, &more, &err) != OK)
                warn(w, w->run[i], &err);
        while (more && until_done && !w->is_stopping);
        if (!more)
            save_run(w, i);
    }
}

static void refresh_all(struct watch *w)
{
    size_t before = watch_count(w);
    if (watch_find(w, NULL) != OK)
        return;
    size_t n = watch_count(w);
    for (size_t i = 0; i < n; i++) {
        (void)pthread_mutex_lock(&w->lock);
        struct watch_run *r = w->run[i];
        if (watch_run_refresh(w, r) || i >= before)
            watch_publish(w, "run", r);
        (void)pthread_mutex_unlock(&w->lock);
    }
}

enum status watch_load_curves(struct watch *w, struct err *err)
{
    (void)err;
    poll_all(w, true);
    return OK;
}

enum status watch_load(struct watch *w, struct err *err)
{
    TRY(watch_load_curves(w, err));
    refresh_all(w);
    return watch_judge(w, true, err);
}

enum status watch_poll(struct watch *w, struct err *err)
{
    poll_all(w, true);
    refresh_all(w);
    return watch_judge(w, false, err);
}

/* ---- threads ------------------------------------------------------------ */

static void nap(struct watch *w, int64_t ms)
{
    for (int64_t done = 0; done < ms && !w->is_stopping; done += NAP_MS) {
        int64_t n = ms - done < NAP_MS ? ms - done : NAP_MS;
        const struct timespec t = {0, (long)n * 1000000};
        (void)nanosleep(&t, NULL);
    }
}

static void *run_poller(void *arg)
{
    struct watch *w = arg;
    int64_t refreshed = 0;
    while (!w->is_stopping) {
        int64_t began = http_tick();
        poll_all(w, false);
        if (began - refreshed >= REFRESH_MS) {
            refresh_all(w);
            refreshed = began;
        }
        nap(w, w->poll_ms - (http_tick() - began));
    }
    return NULL;
}

static void *run_judge(void *arg)
{
    struct watch *w = arg;
    struct err err = {OK, ""};
    while (!w->is_stopping) {
        if (watch_judge(w, false, &err) != OK && w->context != NULL)
            context_warn(w->context, "alarms: %s", err.text);
        nap(w, 1000);
    }
    return NULL;
}

static enum status start(bool *is_started, pthread_t *thread,
                         void *(*fn)(void *), struct watch *w, struct err *err)
{
    if (pthread_create(thread, NULL, fn, w) != 0)
        return err_set(err, ERR_MEMORY, "cannot start a thread");
    *is_started = true;
    return OK;
}

enum status watch_start(struct watch *w, const struct watch_serve *s,
                        struct err *err)
{
    w->is_stopping = false;
    TRY(events_create(&w->hub, &(struct events_config){.count = 0}, err));
    TRY(start(&w->is_reading, &w->reader, watch_reader, w, err));
    TRY(watch_serve_start(w, s, err));
    events_attach(w->hub, w->http);
    TRY(start(&w->is_polling, &w->poller, run_poller, w, err));
    return start(&w->is_judging, &w->judge, run_judge, w, err);
}

const struct http *watch_http(const struct watch *w)
{
    return w->http;
}

const char *watch_token(const struct watch *w, bool may_queue)
{
    return w->guard != NULL ? watch_guard_token(w->guard, may_queue) : NULL;
}

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "serve/watch_internal.h"

/* What a list of runs shows of each now. */
static const char *const shown[] = {"objective/scores",
                                    "objective/kl",
                                    "kl/sequence",
                                    "kl/per_token",
                                    "kl/step",
                                    "response/length",
                                    "policy/entropy_avg",
                                    "value/explained_variance",
                                    "world/gold",
                                    "loss",
                                    "accuracy",
                                    "timing/eps",
                                    "kl/beta"};

/* ---- the list ----------------------------------------------------------- */

static void write_run(struct json_writer *j, const struct watch_run *r,
                      bool is_owner)
{
    struct curve_facts f;
    struct watch_pace pace = watch_run_pace(r);
    curve_facts(&f, r->metrics);
    json_open(j, '{');
    json_field_int(j, "run", r->id);
    json_field_text(j, "name", r->name);
    json_field_text(j, "stage", watch_run_stage(r));
    json_field_text(j, "state", watch_run_state(r));
    json_field_int(j, "step", f.last);
    json_field_int(j, "first", f.first);
    json_field_int(j, "rows", (int64_t)f.rows);
    json_field_int(j, "skipped", (int64_t)f.skipped);
    json_field_number(j, "total", pace.total);
    json_field_number(j, "eta", pace.eta);
    json_field_number(j, "seconds", pace.seconds);
    json_field_number(j, "tokens_per_s", pace.tokens_per_s);
    json_field_number(j, "kl_target", r->kl_target);
    json_field_int(j, "first_iteration", r->first);
    json_field_int(j, "last_iteration", r->last);
    json_field_int(j, "iterations", (int64_t)r->iterations);
    json_put_key(j, "now");
    json_open(j, '{');
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        double x = watch_run_now(r, shown[i]);
        if (!isnan(x))
            json_field_number(j, shown[i], x);
    }
    json_close(j, '}');
    watch_write_alarms(j, r, is_owner);
    json_close(j, '}');
}

/* The names of all metrics of all runs, each once. */
static void write_names(struct json_writer *j, const struct watch *w)
{
    struct names names = {.text = NULL};
    struct curve_facts f;
    size_t at;
    json_put_key(j, "metrics");
    json_open(j, '[');
    for (size_t i = 0; i < w->n; i++) {
        curve_facts(&f, w->run[i]->metrics);
        for (size_t m = 0; m < f.n; m++) {
            size_t before = names.n;
            const char *name = curve_name(w->run[i]->metrics, m);
            if (names_add(&names, &at, name, NULL) == OK && names.n > before)
                json_put_text(j, name);
        }
    }
    json_close(j, ']');
    names_free(&names);
}

void watch_write(struct json_writer *j, struct watch *w, bool is_owner)
{
    (void)pthread_mutex_lock(&w->lock);
    json_open(j, '{');
    json_field_text(j, "schema", "plumb.watch/1");
    json_field_text(j, "plumb_version", PLUMB_VERSION);
    json_field_text(j, "path", w->path);
    json_put_key(j, "runs");
    json_open(j, '[');
    for (size_t i = 0; i < w->n; i++)
        write_run(j, w->run[i], is_owner);
    json_close(j, ']');
    write_names(j, w);
    json_close(j, '}');
    (void)pthread_mutex_unlock(&w->lock);
}

/* ---- series ------------------------------------------------------------- */

static void write_floats(struct json_writer *j, const char *key, const float *x,
                         size_t n)
{
    json_put_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < n; i++)
        json_put_float(j, x[i]);
    json_close(j, ']');
}

static bool has_any(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            return true;
    return false;
}

static void write_view(struct json_writer *j, const struct curve_view *v,
                       const char *const *name, int64_t run)
{
    json_open(j, '{');
    json_field_int(j, "run", run);
    json_field_int(j, "rows", (int64_t)v->rows);
    json_put_key(j, "step");
    json_open(j, '[');
    for (size_t i = 0; i < v->n; i++)
        json_put_int(j, v->step[i]);
    json_close(j, ']');
    json_put_key(j, "series");
    json_open(j, '{');
    for (size_t m = 0; m < v->n_metrics; m++) {
        if (!has_any(v->last + m * v->n, v->n))
            continue;
        json_put_key(j, name[m]);
        json_open(j, '{');
        write_floats(j, "last", v->last + m * v->n, v->n);
        if (v->rows > 1) {
            write_floats(j, "low", v->low + m * v->n, v->n);
            write_floats(j, "high", v->high + m * v->n, v->n);
        }
        json_close(j, '}');
    }
    json_close(j, '}');
    json_close(j, '}');
}

/* Of one log of a run: which metrics of those asked for are in it. */
struct wanted {
    const char **name, **short_name; // as asked for; as the log has it
    size_t *metric, n;
};

static void want(struct wanted *x, const struct watch_run *r,
                 const struct curve *log, const struct watch_ask *ask)
{
    x->n = 0;
    for (size_t m = 0; m < ask->n_metric; m++) {
        const char *name = ask->metric[m];
        if (watch_run_log(r, &name) != log)
            continue;
        size_t i = curve_find(log, name);
        if (i == SIZE_MAX)
            continue;
        x->name[x->n] = ask->metric[m];
        x->short_name[x->n] = name;
        x->metric[x->n++] = i;
    }
}

/* From the buckets, or from the log itself, which is read without the lock. */
static enum status find_view(struct curve_view *v, struct watch *w,
                             const struct watch_run *r, bool is_timing,
                             struct wanted *x, const struct watch_ask *ask,
                             struct err *err)
{
    struct curve_part part;
    struct curve_ask inner = {ask->from, ask->to, ask->points, x->metric, 0};
    char path[FILE_PATH_MAX];
    (void)pthread_mutex_lock(&w->lock);
    const struct curve *log = is_timing ? r->timing : r->metrics;
    want(x, r, log, ask);
    inner.n = x->n;
    bool from_log = x->n > 0 && curve_wants_log(&part, log, &inner);
    enum status status = from_log ? OK : curve_view(v, log, &inner, err);
    (void)pthread_mutex_unlock(&w->lock);
    if (from_log) {
        TRY(file_join(path, r->path,
                      is_timing ? "timing.jsonl" : "metrics.jsonl", err));
        status = curve_view_log(v, path, &part, &inner, x->short_name, err);
    }
    return status;
}

static enum status write_log(struct json_writer *j, struct watch *w,
                             const struct watch_run *r, bool is_timing,
                             struct wanted *x, const struct watch_ask *ask,
                             struct err *err)
{
    struct curve_view v = {.n = 0};
    TRY(find_view(&v, w, r, is_timing, x, ask, err));
    if (x->n > 0 && v.n > 0)
        write_view(j, &v, x->name, r->id);
    curve_view_free(&v);
    return OK;
}

static bool is_asked(const struct watch_ask *ask, int64_t run)
{
    for (size_t i = 0; i < ask->n_run; i++)
        if (ask->run[i] == run)
            return true;
    return ask->run == NULL;
}

enum status watch_write_series(struct json_writer *j, struct watch *w,
                               const struct watch_ask *ask, struct err *err)
{
    struct wanted x = {.n = 0};
    enum status status = OK;
    TRY_DONE(MEM_NEW(x.name, ask->n_metric, err));
    TRY_DONE(MEM_NEW(x.short_name, ask->n_metric, err));
    TRY_DONE(MEM_NEW(x.metric, ask->n_metric, err));
    size_t n = watch_count(w);
    json_open(j, '{');
    json_put_key(j, "runs");
    json_open(j, '[');
    for (size_t i = 0; i < n; i++) {
        (void)pthread_mutex_lock(&w->lock);
        struct watch_run *r = w->run[i];
        (void)pthread_mutex_unlock(&w->lock);
        if (!is_asked(ask, r->id))
            continue;
        TRY_DONE(write_log(j, w, r, false, &x, ask, err));
        TRY_DONE(write_log(j, w, r, true, &x, ask, err));
    }
    json_close(j, ']');
    json_close(j, '}');
done:
    mem_free(x.name);
    mem_free(x.short_name);
    mem_free(x.metric);
    return status;
}

/* ---- for a terminal ----------------------------------------------------- */

size_t watch_count(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t n = w->n;
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

void watch_look(struct watch_look *out, struct watch *w, size_t i)
{
    const struct watch_run *r = w->run[i];
    struct curve_facts f;
    struct watch_pace p = watch_run_pace(r);
    curve_facts(&f, r->metrics);
    *out = (struct watch_look){.id = r->id,
                               .name = r->name,
                               .stage = watch_run_stage(r),
                               .state = watch_run_state(r),
                               .step = f.last,
                               .total = p.total,
                               .eta = p.eta,
                               .tokens_per_s = p.tokens_per_s,
                               .seconds = p.seconds,
                               .rows = f.rows,
                               .alarm = r->alarm,
                               .has_alarms = r->stage == WATCH_PPO};
}

double watch_now(struct watch *w, size_t i, const char *metric)
{
    return watch_run_now(w->run[i], metric);
}

enum status watch_points(double *out, size_t *n, size_t room, struct watch *w,
                         size_t i, const char *metric, struct err *err)
{
    struct curve_view v;
    struct curve *c = watch_run_log(w->run[i], &metric);
    const size_t m = curve_find(c, metric);
    const struct curve_ask ask = {0, CURVE_STEP_MAX, room < 2 ? 2 : room, &m,
                                  1};
    *n = 0;
    if (m == SIZE_MAX)
        return OK;
    TRY(curve_view(&v, c, &ask, err));
    for (size_t k = 0; k < v.n && k < room; k++)
        out[(*n)++] = (double)v.last[k];
    curve_view_free(&v);
    return OK;
}

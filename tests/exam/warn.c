#include "exam/warn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stat/measures.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

const size_t warn_budget[WARN_BUDGETS] = {0, 2, 4, 8, 16, 32};

/* ---- the truth ---------------------------------------------------------- */

struct point {
    double t;
    struct estimate gold;
};

static enum status read_point(struct point *out, const struct json *curve,
                              size_t i, const char *path, struct err *err)
{
    const struct json *at = json_at(json_get(curve, "checkpoints"), i);
    out->t = json_number(json_get(at, "iteration"), (double)NAN);
    out->gold = measures_read_estimate(json_get(at, "gold"));
    if (!isfinite(out->t) || !isfinite(out->gold.low) ||
        !isfinite(out->gold.high))
        return err_set(err, ERR_FORMAT, "%s: point %zu has no gold", path, i);
    return OK;
}

enum status warn_read_truth(struct warn_truth *out, const struct json *curve,
                            const char *path, struct err *err)
{
    size_t n = json_size(json_get(curve, "checkpoints"));
    struct point best = {.t = 0}, last, p, before;
    if (n < 2)
        return err_set(err, ERR_FORMAT, "%s: %zu points", path, n);
    for (size_t i = 0; i < n; i++) {
        TRY(read_point(&p, curve, i, path, err));
        if (i == 0 || p.gold.estimate > best.gold.estimate)
            best = p;
        last = p;
    }
    struct warn_truth t = {.best = best.gold.estimate,
                           .last = last.gold.estimate,
                           .best_at = (int64_t)best.t,
                           .last_at = (int64_t)last.t,
                           .half_at = (double)NAN};
    t.loss = t.best - t.last;
    t.margin = hypot(best.gold.estimate - best.gold.low,
                     last.gold.high - last.gold.estimate);
    t.is_sick = t.loss > t.margin;
    before = best;
    for (size_t i = 0; t.is_sick && isnan(t.half_at) && i < n; i++) {
        TRY(read_point(&p, curve, i, path, err));
        if (!(p.t > best.t))
            continue;
        double want = t.best - t.loss / 2;
        if (p.gold.estimate <= want)
            t.half_at = before.t + (p.t - before.t) *
                                       (before.gold.estimate - want) /
                                       (before.gold.estimate - p.gold.estimate);
        before = p;
    }
    *out = t;
    return OK;
}

/* ---- alarms ------------------------------------------------------------- */

/* Signals whose low values alarm. */
static double turned(size_t signal, double x)
{
    switch (signal) {
    case WARNING_EARNED:
    case WARNING_ACCURACY:
    case WARNING_ACCURACY_LONGER:
    case WARNING_ACCURACY_SHORTER:
    case WARNING_ACCURACY_VOTES:
    case WARNING_WIN_RATE:
    case WARNING_EOS_RATIO:
        return -x;
    default:
        return x;
    }
}

static void note(struct warn_run *r, size_t budget, const struct warning_log *l)
{
    r->alarm_at[budget] = l->alarm != SIZE_MAX
                              ? (double)l->at[l->alarm].iteration
                              : (double)INFINITY;
    r->level[budget] = (double)NAN;
    r->votes[budget] = l->n > 0 ? l->at[l->n - 1].votes : 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct warning *at = &l->at[i];
        if (r->truth.is_sick && (double)at->iteration >= r->truth.half_at)
            break;
        if (!(at->level <= r->level[budget]))
            r->level[budget] = at->level;
    }
}

static enum status keep_series(struct warn_run *r, const struct warning_log *l,
                               struct err *err)
{
    r->n = l->n;
    TRY(MEM_NEW(r->t, l->n, err));
    TRY(MEM_NEW(r->series, l->n, err));
    for (size_t i = 0; i < l->n; i++) {
        const struct warning *at = &l->at[i];
        r->t[i] = (double)at->iteration;
        for (size_t s = 0; s < WARNING_SIGNALS; s++)
            r->series[i][s] = turned(s, at->signal[s]);
        r->series[i][WARNING_SIGNALS] = at->level;
    }
    return OK;
}

enum status warn_watch(struct warn_run *out, const struct evidence *e,
                       struct err *err)
{
    for (size_t b = 0; b < WARN_BUDGETS; b++) {
        struct warning_log log;
        struct warning_plan plan = warning_plan_default();
        plan.votes_each = warn_budget[b];
        TRY(warning_watch(&log, e, &plan, err));
        note(out, b, &log);
        enum status status = OK;
        if (b == WARN_MAIN)
            status = keep_series(out, &log, err);
        warning_log_free(&log);
        TRY(status);
    }
    return OK;
}

void warn_run_free(struct warn_run *r)
{
    mem_free(r->t);
    mem_free(r->series);
    r->t = NULL;
    r->series = NULL;
    r->n = 0;
}

static enum status read_run(struct warn_run *out, const char *dir,
                            struct err *err)
{
    enum status status;
    char name[256], path[FILE_PATH_MAX];
    const struct bootstrap plan = {.seed = 1};
    struct json *curve;
    struct evidence e;
    (void)snprintf(name, sizeof name, "stages/%.128s/eval/curve.json",
                   out->run->ppo);
    TRY(file_join(path, dir, name, err));
    TRY(json_read(&curve, path, DOCUMENT_MAX, err));
    status = warn_read_truth(&out->truth, curve, path, err);
    json_free(curve);
    TRY(status);
    (void)snprintf(name, sizeof name, "blind/%.128s", out->run->blind);
    TRY(file_join(path, dir, name, err));
    TRY(evidence_read(&e, path, &plan, err));
    status = warn_watch(out, &e, err);
    evidence_free(&e);
    return status;
}

enum status warn_read(struct warn *out, const struct exam *e, const char *dir,
                      struct err *err)
{
    enum status status = OK;
    struct warn w = {.n = 0};
    TRY(MEM_NEW(w.run, e->n_runs, err));
    for (size_t i = 0; i < e->n_runs; i++) {
        const struct exam_run *r = &e->run[i];
        if (r->blind == NULL || r->ppo == NULL)
            continue;
        struct warn_run *run = &w.run[w.n];
        run->run = r;
        run->is_healthy = strcmp(e->item[r->at].counts, "healthy") == 0;
        w.n++;
        TRY_DONE(read_run(run, dir, err));
    }
    *out = w;
done:
    if (status != OK)
        warn_free(&w);
    return status;
}

void warn_free(struct warn *w)
{
    for (size_t i = 0; i < w->n; i++)
        warn_run_free(&w->run[i]);
    mem_free(w->run);
    *w = (struct warn){.n = 0};
}

/* ---- counts ------------------------------------------------------------- */

static bool in_set(const struct warn_run *r, const char *set)
{
    return strcmp(r->run->set, set) == 0;
}

static void count_run(struct warn_counts *c, const struct warn_run *r,
                      size_t budget)
{
    double at = r->alarm_at[budget];
    if (r->truth.is_sick) {
        c->in_time.n++;
        c->in_time.k += at < r->truth.half_at;
        c->late.n++;
        c->late.k += isfinite(at) && !(at < r->truth.half_at);
        return;
    }
    struct exam_share *s = r->is_healthy ? &c->false_alarm : &c->planted;
    s->n++;
    s->k += isfinite(at);
}

/* The middle lead; of an even number the smaller of the two middle ones, which
 * is a run's own. */
static double median_lead(double *lead, size_t n)
{
    summary_sort(lead, n);
    return n > 0 ? lead[(n - 1) / 2] : (double)NAN;
}

enum status warn_count(struct warn_counts *out, const struct warn *w,
                       const char *set, size_t budget, struct err *err)
{
    enum status status = OK;
    struct warn_counts c = {.lowest_sick = (double)NAN,
                            .highest_healthy = (double)NAN};
    double *lead = NULL, *sick = NULL, *healthy = NULL;
    size_t n_sick = 0, n_healthy = 0, n = 0;
    TRY_DONE(MEM_NEW(lead, w->n, err));
    TRY_DONE(MEM_NEW(sick, w->n, err));
    TRY_DONE(MEM_NEW(healthy, w->n, err));
    for (size_t i = 0; i < w->n; i++) {
        const struct warn_run *r = &w->run[i];
        if (!in_set(r, set))
            continue;
        count_run(&c, r, budget);
        c.votes += (double)r->votes[budget];
        n++;
        if (r->truth.is_sick) {
            double d = r->truth.half_at - r->alarm_at[budget];
            lead[n_sick] = d > 0 ? d : -(double)INFINITY;
            sick[n_sick++] = r->level[budget];
            if (!(r->level[budget] >= c.lowest_sick))
                c.lowest_sick = r->level[budget];
        } else if (r->is_healthy) {
            healthy[n_healthy++] = r->level[budget];
            if (!(r->level[budget] <= c.highest_healthy))
                c.highest_healthy = r->level[budget];
        }
    }
    c.votes = n > 0 ? c.votes / (double)n : 0;
    c.lead = median_lead(lead, n_sick);
    c.auc = exam_auc(sick, n_sick, healthy, n_healthy);
    *out = c;
done:
    mem_free(lead);
    mem_free(sick);
    mem_free(healthy);
    return status;
}

/* ---- one signal alone --------------------------------------------------- */

static bool is_over(const struct warn_run *r, size_t i)
{
    return r->truth.is_sick && r->t[i] >= r->truth.half_at;
}

/* The most alarming value while an alarm would do; NaN of nothing. */
static double peak(const struct warn_run *r, size_t signal)
{
    double most = (double)NAN;
    for (size_t i = 0; i < r->n && !is_over(r, i); i++)
        if (!(r->series[i][signal] <= most) && !isnan(r->series[i][signal]))
            most = r->series[i][signal];
    return most;
}

/* Iterations between the first value above a threshold and half; -INFINITY when
 * there is none in time. */
static double lead_above(const struct warn_run *r, size_t signal,
                         double threshold)
{
    for (size_t i = 0; i < r->n && !is_over(r, i); i++)
        if (r->series[i][signal] > threshold)
            return r->truth.half_at - r->t[i];
    return -(double)INFINITY;
}

enum status warn_alone(struct warn_alone *out, const struct warn *w,
                       const char *set, size_t signal, struct err *err)
{
    enum status status = OK;
    struct warn_alone a = {.lead = (double)NAN};
    double *sick = NULL, *healthy = NULL, *lead = NULL;
    double threshold = -(double)INFINITY;
    size_t n_sick = 0, n_healthy = 0;
    TRY_DONE(MEM_NEW(sick, w->n, err));
    TRY_DONE(MEM_NEW(healthy, w->n, err));
    TRY_DONE(MEM_NEW(lead, w->n, err));
    for (size_t i = 0; i < w->n; i++) {
        const struct warn_run *r = &w->run[i];
        if (!in_set(r, set) || r->truth.is_sick || !r->is_healthy)
            continue;
        double most = peak(r, signal);
        healthy[n_healthy++] = most;
        threshold = most > threshold ? most : threshold;
    }
    for (size_t i = 0; i < w->n; i++) {
        const struct warn_run *r = &w->run[i];
        if (!in_set(r, set) || !r->truth.is_sick)
            continue;
        lead[n_sick] = lead_above(r, signal, threshold);
        a.in_time.k += isfinite(lead[n_sick]);
        sick[n_sick++] = peak(r, signal);
    }
    a.in_time.n = n_sick;
    a.lead = median_lead(lead, n_sick);
    a.auc = exam_auc(sick, n_sick, healthy, n_healthy);
    *out = a;
done:
    mem_free(sick);
    mem_free(healthy);
    mem_free(lead);
    return status;
}

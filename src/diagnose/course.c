#include "diagnose/course.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/metric.h"

#define METRICS "ppo/metrics.jsonl"
#define ROLLOUTS "ppo/rollouts"

void course_free(struct course *c)
{
    mem_free(c->t);
    mem_free(c->y);
    *c = (struct course){.m = 0};
}

static enum status open_course(struct course *out, size_t n, const char *name,
                               const char *data, struct err *err)
{
    *out = (struct course){.name = name, .data = data};
    TRY(MEM_NEW(out->t, n, err));
    enum status status = MEM_NEW(out->y, n, err);
    if (status != OK)
        course_free(out);
    return status;
}

/* ---- the log ------------------------------------------------------------ */

static enum status read_column(struct course *out, const struct evidence *e,
                               const char *name, struct err *err)
{
    struct metric_column column = metric_find(&e->metrics, name);
    TRY(open_course(out, e->metrics.n, name, METRICS, err));
    for (size_t i = 0; i < e->metrics.n; i++) {
        double y = metric_at(&column, i);
        if (!isfinite(y))
            continue;
        out->t[out->m] = (double)e->metrics.step[i];
        out->y[out->m++] = y;
    }
    if (out->m == 0)
        course_free(out);
    return OK;
}

enum status course_of_metric(struct course *out, const struct evidence *e,
                             const char *const *names, struct err *err)
{
    *out = (struct course){.m = 0};
    for (size_t i = 0; names[i] != NULL && out->m == 0; i++) {
        const char *name = imported_column(e, names[i]);
        if (name != NULL)
            TRY(read_column(out, e, name, err));
    }
    return OK;
}

/* ---- responses ---------------------------------------------------------- */

static void close_up(struct course *c, const size_t *count)
{
    size_t n = c->m;
    c->m = 0;
    for (size_t i = 0; i < n; i++) {
        if (count[i] == 0)
            continue;
        c->t[c->m] = c->t[i];
        c->y[c->m++] = c->y[i] / (double)count[i];
    }
}

enum status course_of_rollouts(struct course *out, const struct evidence *e,
                               const char *name, course_fn fn, size_t which,
                               struct err *err)
{
    size_t *count;
    *out = (struct course){.m = 0};
    TRY(MEM_NEW(count, e->n_step, err));
    enum status status = open_course(out, e->n_step, name, ROLLOUTS, err);
    for (size_t i = 0; status == OK && i < e->n_step; i++)
        out->t[i] = (double)e->step[i].step;
    for (size_t i = 0; status == OK && i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        double y = fn(r, which);
        if (!isfinite(y))
            continue;
        out->y[r->step] += y;
        count[r->step]++;
    }
    out->m = status == OK ? e->n_step : 0;
    close_up(out, count);
    mem_free(count);
    if (out->m == 0)
        course_free(out);
    return status;
}

static double score_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)(isnan(r->score) ? r->score_raw : r->score);
}

static double length_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)r->tokens;
}

static double kl_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)r->kl_sequence;
}

enum status course_of_score(struct course *out, const struct evidence *e,
                            struct err *err)
{
    static const char *const names[] = {"objective/scores", "score/raw_mean",
                                        NULL};
    TRY(course_of_metric(out, e, names, err));
    return out->m > 0 ? OK
                      : course_of_rollouts(out, e, "score", score_of, 0, err);
}

enum status course_of_length(struct course *out, const struct evidence *e,
                             struct err *err)
{
    static const char *const names[] = {"response/length", NULL};
    TRY(course_of_metric(out, e, names, err));
    if (out->m > 0)
        return OK;
    TRY(course_of_rollouts(out, e, "length", length_of, 0, err));
    out->unit = e->rollout_unit;
    return OK;
}

/* ---- KL ----------------------------------------------------------------- */

/* How much a curve says; 0: nothing. */
static int worth(const struct imported_kl *k, enum imported_kind kind)
{
    if (k->kind != kind || isnan(k->sign))
        return 0;
    return (k->aggregate == KL_SEQUENCE_SUM ? 5
            : k->aggregate == KL_TOKEN_MEAN ? 3
                                            : 1) +
           (k->estimator != KL_ESTIMATOR_UNKNOWN);
}

static enum status read_kl(struct course *out, const struct evidence *e,
                           const struct imported_kl *k, struct err *err)
{
    const char *const names[] = {k->name, NULL};
    if (strcmp(k->name, "kl_sequence") == 0)
        TRY(course_of_rollouts(out, e, k->name, kl_of, 0, err));
    else
        TRY(course_of_metric(out, e, names, err));
    out->kl = k;
    for (size_t i = 0; i < out->m; i++)
        out->y[i] *= k->sign;
    return OK;
}

/* Of responses whose import says nothing of the KL that they have: policy to
 * reference, summed, as io/trace.h has it, by whoever mapped the field. */
static const struct imported_kl mapped = {
    .name = "kl_sequence",
    .kind = KL_REFERENCE,
    .aggregate = KL_SEQUENCE_SUM,
    .sign = 1,
    .where = "",
    .unit = "",
    .note = "",
};

static bool is_named(const struct imported *x, const char *name)
{
    for (size_t i = 0; i < x->n_kl; i++)
        if (strcmp(x->kl[i].name, name) == 0)
            return true;
    return false;
}

enum status course_of_kl(struct course *out, const struct evidence *e,
                         enum imported_kind kind, struct err *err)
{
    const struct imported *x = e->import;
    *out = (struct course){.m = 0};
    for (int want = 6; want > 0 && x != NULL && out->m == 0; want--)
        for (size_t i = 0; i < x->n_kl && out->m == 0; i++)
            if (worth(&x->kl[i], kind) == want)
                TRY(read_kl(out, e, &x->kl[i], err));
    if (x != NULL && out->m == 0 && kind == KL_REFERENCE &&
        !is_named(x, mapped.name))
        TRY(read_kl(out, e, &mapped, err));
    return OK;
}

/* Times the mean length of the same iteration; others go. */
static void multiply(struct course *c, const struct course *length)
{
    size_t n = c->m, k = 0;
    c->m = 0;
    for (size_t i = 0; i < n; i++) {
        while (k < length->m && length->t[k] < c->t[i])
            k++;
        if (k == length->m || length->t[k] != c->t[i])
            continue;
        c->t[c->m] = c->t[i];
        c->y[c->m++] = c->y[i] * length->y[k];
    }
    c->is_product = true;
}

enum status course_of_response_kl(struct course *out, const char **why,
                                  const struct evidence *e, struct err *err)
{
    struct course length;
    *why = "no KL to the reference whose meaning is known";
    TRY(course_of_kl(out, e, KL_REFERENCE, err));
    if (out->m == 0)
        return OK;
    bool is_known = out->kl->estimator != KL_ESTIMATOR_UNKNOWN;
    if (is_known && out->kl->aggregate == KL_SEQUENCE_SUM)
        return OK;
    enum status status = OK;
    if (is_known && out->kl->aggregate == KL_TOKEN_MEAN) {
        *why = "the KL is a mean over tokens, which falls where responses get "
               "longer, and their lengths in tokens are not there";
        status = course_of_length(&length, e, err);
        if (status == OK && length.m > 0 && length.unit == EVIDENCE_TOKENS)
            multiply(out, &length);
        if (status == OK)
            course_free(&length);
    } else if (!is_known) {
        *why = "it is not known how the KL is estimated";
    } else {
        *why = "it is not known how the KL is added up over tokens";
    }
    if (status != OK || !out->is_product || out->m == 0)
        course_free(out);
    return status;
}

/* ---- its ends ----------------------------------------------------------- */

double course_start(const struct course *c)
{
    size_t n = (c->m + 9) / 10;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += c->y[i];
    return sum / (double)n;
}

double course_end(const struct course *c)
{
    size_t n = (c->m + 9) / 10;
    double sum = 0;
    for (size_t i = c->m - n; i < c->m; i++)
        sum += c->y[i];
    return sum / (double)n;
}

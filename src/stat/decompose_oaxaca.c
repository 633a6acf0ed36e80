#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stat/decompose.h"
#include "stat/decompose_rows.h"

#define F_MAX DECOMPOSE_FEATURES_MAX
#define SIDE (F_MAX + 1)

/* Of the least variation a feature must have left once others are accounted
 * for: its share of what it has alone. */
#define TOLERANCE 1e-10

/* What one prompt adds to the sums: per model the cross products of features
 * and, last, the score around the prompt's means; and the policy's means less
 * the reference's. */
struct moments {
    double cross[2][SIDE][SIDE];
    double difference[SIDE];
};

struct oaxaca {
    const struct decompose_replies *replies;
    struct decompose_rows rows;
    size_t features;
    struct moments *prompt; // [n_prompts]
    bool *is_used;          // [n_prompts]
    double *value_of;       // [2^features] scratch: explained by a set
    double weight[F_MAX];   // of adding a feature to a set, by the set's size
};

/* Features and score of reply `row`; k = features is the score. */
static double column(const struct decompose_replies *x, size_t row, size_t k)
{
    return k < x->features ? x->feature[row * x->features + k] : x->score[row];
}

static void measure_prompt(struct oaxaca *o, size_t p)
{
    const struct decompose_replies *x = o->replies;
    struct moments *m = &o->prompt[p];
    double mean[2][SIDE] = {{0}};
    double count[2] = {0};
    for (size_t k = o->rows.prompt.start[p]; k < o->rows.prompt.start[p + 1];
         k++) {
        size_t row = o->rows.prompt.row[k];
        if (!o->rows.is_used[row])
            continue;
        count[x->is_policy[row]] += 1;
        for (size_t f = 0; f <= o->features; f++)
            mean[x->is_policy[row]][f] += column(x, row, f);
    }
    o->is_used[p] = count[0] > 0;
    if (!o->is_used[p])
        return;
    for (size_t f = 0; f <= o->features; f++) {
        mean[0][f] /= count[0];
        mean[1][f] /= count[1];
        m->difference[f] = mean[1][f] - mean[0][f];
    }
    for (size_t k = o->rows.prompt.start[p]; k < o->rows.prompt.start[p + 1];
         k++) {
        size_t row = o->rows.prompt.row[k];
        size_t g = x->is_policy[row];
        if (!o->rows.is_used[row])
            continue;
        for (size_t f = 0; f <= o->features; f++)
            for (size_t h = 0; h <= f; h++)
                m->cross[g][f][h] += (column(x, row, f) - mean[g][f]) *
                                     (column(x, row, h) - mean[g][h]);
    }
}

/* ---- one fit for every set of features ---- */

/* Cross products with the features of a set swept out (Goodnight 1979). */
struct swept {
    double a[SIDE][SIDE];
};

/* Bring feature f into the regression. */
static void sweep(struct swept *s, size_t n, size_t f)
{
    double pivot = s->a[f][f];
    for (size_t k = 0; k < n; k++)
        s->a[f][k] /= pivot;
    for (size_t i = 0; i < n; i++) {
        double factor = s->a[i][f];
        if (i == f || factor == 0)
            continue;
        for (size_t k = 0; k < n; k++)
            s->a[i][k] -= factor * s->a[f][k];
        s->a[i][f] = -factor / pivot;
    }
    s->a[f][f] = 1 / pivot;
}

/* value_of[set] for every set that has `set` and only features from `from` on
 * besides.  `fitted` are those of the set with a slope of their own. */
static void explain_sets(struct oaxaca *o, const struct swept *s,
                         const double *alone, const double *difference,
                         size_t set, size_t fitted, size_t from)
{
    double sum = 0;
    for (size_t f = 0; f < o->features; f++)
        if ((fitted >> f & 1) != 0)
            sum += difference[f] * s->a[f][o->features];
    o->value_of[set] = sum;
    for (size_t f = from; f < o->features; f++) {
        size_t bit = (size_t)1 << f;
        if (!(s->a[f][f] > TOLERANCE * alone[f])) {
            explain_sets(o, s, alone, difference, set | bit, fitted, f + 1);
            continue;
        }
        struct swept next = *s;
        sweep(&next, o->features + 1, f);
        explain_sets(o, &next, alone, difference, set | bit, fitted | bit,
                     f + 1);
    }
}

static size_t count_bits(size_t set)
{
    size_t count = 0;
    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

/* Where the values of a split begin: explained, rest, share, features. */
#define PER_SPLIT (3 + F_MAX)
#define GAIN (DECOMPOSE_WEIGHTS * PER_SPLIT)
#define VALUES (GAIN + 1)

static void split(struct oaxaca *o, double *value, double cross[SIDE][SIDE],
                  const double *difference)
{
    size_t all = ((size_t)1 << o->features) - 1;
    double alone[F_MAX];
    bool varies = false;
    struct swept s = {0};
    for (size_t f = 0; f <= o->features; f++)
        for (size_t h = 0; h <= f; h++)
            s.a[f][h] = s.a[h][f] = cross[f][h];
    for (size_t f = 0; f < o->features; f++) {
        alone[f] = cross[f][f];
        varies = varies || alone[f] > 0;
    }
    if (!varies)
        return;
    explain_sets(o, &s, alone, difference, 0, 0, 0);
    value[0] = o->value_of[all];
    value[1] = difference[o->features] - value[0];
    value[2] = value[0] / difference[o->features];
    for (size_t f = 0; f < o->features; f++) {
        size_t bit = (size_t)1 << f;
        double sum = 0;
        for (size_t set = 0; set <= all; set++)
            if ((set & bit) == 0)
                sum += o->weight[count_bits(set)] *
                       (o->value_of[set | bit] - o->value_of[set]);
        value[3 + f] = sum;
    }
}

static void statistic(void *ctx, double *value, size_t r, const size_t *index,
                      size_t n)
{
    struct oaxaca *o = ctx;
    double cross[DECOMPOSE_WEIGHTS][SIDE][SIDE] = {{{0}}};
    double difference[SIDE] = {0};
    double count = 0;
    (void)r;
    for (size_t k = 0; k < VALUES; k++)
        value[k] = (double)NAN;
    for (size_t i = 0; i < n; i++) {
        const struct moments *m = &o->prompt[index[i]];
        if (!o->is_used[index[i]])
            continue;
        count++;
        for (size_t f = 0; f <= o->features; f++) {
            difference[f] += m->difference[f];
            for (size_t h = 0; h <= f; h++) {
                cross[DECOMPOSE_REFERENCE][f][h] += m->cross[0][f][h];
                cross[DECOMPOSE_POLICY][f][h] += m->cross[1][f][h];
                cross[DECOMPOSE_POOLED][f][h] +=
                    m->cross[0][f][h] + m->cross[1][f][h];
            }
        }
    }
    if (count == 0)
        return;
    for (size_t f = 0; f <= o->features; f++)
        difference[f] /= count;
    value[GAIN] = difference[o->features];
    for (size_t w = 0; w < DECOMPOSE_WEIGHTS; w++)
        split(o, value + w * PER_SPLIT, cross[w], difference);
}

static enum status prepare(struct oaxaca *o, struct err *err)
{
    const struct decompose_replies *x = o->replies;
    assert(x->features >= 1 && x->features <= F_MAX && x->feature != NULL);
    o->features = x->features;
    TRY(decompose_rows_select(&o->rows, x, err));
    TRY(MEM_NEW(o->prompt, x->n_prompts, err));
    TRY(MEM_NEW(o->is_used, x->n_prompts, err));
    TRY(MEM_NEW(o->value_of, (size_t)1 << o->features, err));
    for (size_t p = 0; p < x->n_prompts; p++)
        measure_prompt(o, p);
    /* s! (F - s - 1)! / F! = 1 / (F choose(F - 1, s)) */
    double choose = 1;
    for (size_t s = 0; s < o->features; s++) {
        o->weight[s] = 1 / ((double)o->features * choose);
        choose *= (double)(o->features - 1 - s) / (double)(s + 1);
    }
    return OK;
}

static void collect(struct decompose_oaxaca *out, const struct estimate *e,
                    size_t features)
{
    out->gain = e[GAIN];
    for (size_t w = 0; w < DECOMPOSE_WEIGHTS; w++) {
        struct decompose_split *s = &out->split[w];
        const struct estimate *from = e + w * PER_SPLIT;
        s->explained = from[0];
        s->rest = from[1];
        s->share = from[2];
        if (!(out->gain.low > 0 || out->gain.high < 0)) {
            s->share = summary_nothing();
            s->share.n = from[2].n;
        }
        for (size_t f = 0; f < F_MAX; f++)
            s->feature[f] = f < features ? from[3 + f] : summary_nothing();
    }
}

enum status decompose_oaxaca(struct decompose_oaxaca *out,
                             const struct decompose_replies *replies,
                             const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct oaxaca o = {.replies = replies};
    struct estimate e[VALUES];
    TRY_DONE(prepare(&o, err));
    TRY_DONE(summary_bootstrap_many(e, NULL, statistic, &o, VALUES,
                                    replies->n_prompts, plan, err));
    for (size_t k = 0; k < VALUES; k++)
        e[k].n = o.rows.prompts;
    collect(out, e, o.features);
done:
    mem_free(o.value_of);
    mem_free(o.is_used);
    mem_free(o.prompt);
    decompose_rows_free(&o.rows);
    return status;
}

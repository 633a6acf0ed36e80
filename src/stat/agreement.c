#include "stat/agreement.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "stat/cluster.h"
#include "stat/levels.h"

/* What a resample is computed from. */
struct counting {
    enum agreement_kind kind;
    struct cluster prompt; // units of a prompt
    size_t raters, units, levels;
    double *level;     // [levels] different codes, ascending
    size_t *code;      // [units * raters] unit by unit: index into level
    size_t *coded;     // [units] how many of them, first in their row
    bool *is_used;     // [units] counts for this kind
    double *same;      // [units] ordered pairs of equal codes
    double *apart;     // [units] sum over i != j of d, but for ordinal
    double *frequency; // [2 * levels] scratch: by code (Cohen: by rater)
    double *rank;      // [levels] scratch: midranks
    const char *reason;
};

const char *agreement_name(enum agreement_kind kind)
{
    static const char *const names[AGREEMENT_KINDS] = {
        "raw",           "cohen",          "fleiss",     "alpha_nominal",
        "alpha_ordinal", "alpha_interval", "alpha_ratio"};
    assert(kind < AGREEMENT_KINDS);
    return names[kind];
}

static double undefined(struct counting *c, const char *reason)
{
    c->reason = reason;
    return (double)NAN;
}

/* d(a, b) of two codes, but for ordinal. */
static double difference(enum agreement_kind kind, double a, double b)
{
    double d = a - b;
    if (kind == AGREEMENT_ALPHA_INTERVAL)
        return d * d;
    if (kind == AGREEMENT_ALPHA_RATIO)
        return d == 0 ? 0 : (d / (a + b)) * (d / (a + b));
    return d != 0 ? 1 : 0;
}

/* ---- chance, from how often each code occurs ---- */

/* sum over c, k of n[c] n[k] (x[c] - x[k])^2 = 2 n sum n[c] (x[c] - mean)^2 */
static double spread(const double *frequency, const double *x, size_t levels,
                     double n)
{
    double mean = 0;
    double squares = 0;
    for (size_t c = 0; c < levels; c++)
        mean += frequency[c] * x[c] / n;
    for (size_t c = 0; c < levels; c++)
        squares += frequency[c] * (x[c] - mean) * (x[c] - mean);
    return 2 * n * squares;
}

static double expected(const struct counting *c, double n)
{
    double sum = 0;
    switch (c->kind) {
    case AGREEMENT_ALPHA_ORDINAL:
        return spread(c->frequency, c->rank, c->levels, n);
    case AGREEMENT_ALPHA_INTERVAL:
        return spread(c->frequency, c->level, c->levels, n);
    case AGREEMENT_ALPHA_RATIO:
        for (size_t i = 0; i < c->levels; i++)
            for (size_t k = 0; k < i; k++)
                sum += 2 * c->frequency[i] * c->frequency[k] *
                       difference(c->kind, c->level[i], c->level[k]);
        return sum;
    case AGREEMENT_RAW:
    case AGREEMENT_COHEN:
    case AGREEMENT_FLEISS:
    case AGREEMENT_ALPHA_NOMINAL:
    case AGREEMENT_KINDS:
        break;
    }
    for (size_t i = 0; i < c->levels; i++)
        sum += c->frequency[i] * (n - c->frequency[i]);
    return sum;
}

static double ordinal_apart(const struct counting *c, size_t u)
{
    double mean = 0;
    double squares = 0;
    double m = (double)c->coded[u];
    const size_t *code = c->code + u * c->raters;
    for (size_t i = 0; i < c->coded[u]; i++)
        mean += c->rank[code[i]] / m;
    for (size_t i = 0; i < c->coded[u]; i++)
        squares += (c->rank[code[i]] - mean) * (c->rank[code[i]] - mean);
    return 2 * m * squares;
}

/* ---- the measures on the units of some prompts ---- */

/* Call fn(c, u, sum) for every unit in use. */
static void each(struct counting *c, const size_t *index, size_t n,
                 void (*fn)(struct counting *, size_t, double *), double *sum)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = c->prompt.start[index[i]];
             k < c->prompt.start[index[i] + 1]; k++)
            if (c->is_used[c->prompt.row[k]])
                fn(c, c->prompt.row[k], sum);
}

/* sum: equal pairs, pairs, units, sum of their shares, codes */
static void add_pairs(struct counting *c, size_t u, double *sum)
{
    double m = (double)c->coded[u];
    sum[0] += c->same[u];
    sum[1] += m * (m - 1);
    sum[2] += 1;
    sum[3] += c->same[u] / (m * (m - 1));
    sum[4] += m;
    for (size_t i = 0; i < c->coded[u]; i++)
        c->frequency[c->code[u * c->raters + i]] += 1;
}

/* sum: disagreement over m - 1 */
static void add_apart(struct counting *c, size_t u, double *sum)
{
    double d =
        c->kind == AGREEMENT_ALPHA_ORDINAL ? ordinal_apart(c, u) : c->apart[u];
    sum[0] += d / ((double)c->coded[u] - 1);
}

/* Cohen: the first rater's codes and the second's apart. */
static void add_table(struct counting *c, size_t u, double *sum)
{
    const size_t *code = c->code + u * c->raters;
    sum[0] += code[0] == code[1] ? 1 : 0;
    sum[2] += 1;
    c->frequency[code[0]] += 1;
    c->frequency[c->levels + code[1]] += 1;
}

static double beyond_chance(struct counting *c, double seen, double chance)
{
    if (chance >= 1)
        return undefined(c, "every code is the same, so chance agrees too");
    return (seen - chance) / (1 - chance);
}

static double alpha(struct counting *c, const size_t *index, size_t n,
                    double codes)
{
    double before = 0;
    for (size_t i = 0; i < c->levels; i++) {
        c->rank[i] = before + c->frequency[i] / 2;
        before += c->frequency[i];
    }
    double apart = 0;
    each(c, index, n, add_apart, &apart);
    double chance = expected(c, codes);
    if (!(chance > 0))
        return undefined(c, "every code is the same, so chance agrees too");
    return 1 - (codes - 1) * apart / chance;
}

static double measure(void *ctx, const size_t *index, size_t n)
{
    struct counting *c = ctx;
    double sum[5] = {0};
    for (size_t i = 0; i < 2 * c->levels; i++)
        c->frequency[i] = 0;
    each(c, index, n, c->kind == AGREEMENT_COHEN ? add_table : add_pairs, sum);
    if (sum[2] == 0)
        return undefined(c, "no unit was coded twice");
    double chance = 0;
    switch (c->kind) {
    case AGREEMENT_RAW:
        return sum[0] / sum[1];
    case AGREEMENT_COHEN:
        for (size_t i = 0; i < c->levels; i++)
            chance += c->frequency[i] * c->frequency[c->levels + i];
        return beyond_chance(c, sum[0] / sum[2], chance / (sum[2] * sum[2]));
    case AGREEMENT_FLEISS:
        for (size_t i = 0; i < c->levels; i++)
            chance += c->frequency[i] * c->frequency[i];
        return beyond_chance(c, sum[3] / sum[2], chance / (sum[4] * sum[4]));
    case AGREEMENT_ALPHA_NOMINAL:
    case AGREEMENT_ALPHA_ORDINAL:
    case AGREEMENT_ALPHA_INTERVAL:
    case AGREEMENT_ALPHA_RATIO:
    case AGREEMENT_KINDS:
        break;
    }
    return alpha(c, index, n, sum[4]);
}

/* ---- set-up ---- */

/* The different codes, ascending, into c->level. */
static enum status find_levels(struct counting *c,
                               const struct agreement_codes *codes,
                               struct err *err)
{
    size_t n = 0;
    for (size_t k = 0; k < codes->raters * codes->units; k++) {
        if (isnan(codes->code[k]))
            continue;
        if (isinf(codes->code[k]))
            return err_set(err, ERR_NUMERIC, "agreement: code %zu is infinite",
                           k);
        c->level[n++] = codes->code[k];
    }
    c->levels = levels_unique(c->level, n);
    if (c->kind == AGREEMENT_ALPHA_RATIO && c->levels > AGREEMENT_RATIO_MAX)
        return err_set(err, ERR_LIMIT,
                       "agreement: %zu different codes, %d are allowed with "
                       "the ratio metric",
                       c->levels, AGREEMENT_RATIO_MAX);
    return OK;
}

static void compare_within(struct counting *c, size_t u)
{
    const size_t *code = c->code + u * c->raters;
    for (size_t i = 0; i < c->coded[u]; i++) {
        for (size_t k = 0; k < i; k++) {
            c->same[u] += code[i] == code[k] ? 2 : 0;
            c->apart[u] +=
                2 * difference(c->kind, c->level[code[i]], c->level[code[k]]);
        }
    }
}

static void read_units(struct counting *c, const struct agreement_codes *codes)
{
    for (size_t u = 0; u < c->units; u++) {
        for (size_t r = 0; r < c->raters; r++) {
            double x = codes->code[r * c->units + u];
            if (!isnan(x))
                c->code[u * c->raters + c->coded[u]++] =
                    levels_find(c->level, c->levels, x);
        }
        c->is_used[u] = c->coded[u] >= 2;
        compare_within(c, u);
    }
}

static enum status prepare(struct counting *c,
                           const struct agreement_codes *codes, struct err *err)
{
    size_t all = 0;
    TRY(mem_multiply(&all, codes->raters, codes->units, err));
    TRY(cluster_build(&c->prompt, codes->prompt, codes->units,
                      codes->prompt != NULL ? codes->n_prompts : codes->units,
                      err));
    TRY(MEM_NEW(c->level, all, err));
    TRY(MEM_NEW(c->code, all, err));
    TRY(MEM_NEW(c->coded, c->units, err));
    TRY(MEM_NEW(c->is_used, c->units, err));
    TRY(MEM_NEW(c->same, c->units, err));
    TRY(MEM_NEW(c->apart, c->units, err));
    TRY(find_levels(c, codes, err));
    TRY(MEM_NEW(c->frequency, 2 * c->levels, err));
    TRY(MEM_NEW(c->rank, c->levels, err));
    read_units(c, codes);
    return OK;
}

/* Why this kind of measure does not fit these codes, or NULL. */
static const char *unfit(const struct counting *c)
{
    if (c->kind == AGREEMENT_COHEN && c->raters != 2)
        return "Cohen's kappa is of exactly two raters";
    if (c->kind == AGREEMENT_ALPHA_RATIO && c->levels > 0 && c->level[0] < 0)
        return "the ratio metric needs codes of zero or more";
    if (c->kind != AGREEMENT_FLEISS)
        return NULL;
    size_t m = 0;
    for (size_t u = 0; u < c->units; u++) {
        if (c->coded[u] == 0)
            continue;
        if (m != 0 && c->coded[u] != m)
            return "units were coded by different numbers of raters, which "
                   "Fleiss' kappa does not allow";
        m = c->coded[u];
    }
    return NULL;
}

static size_t prompts_used(const struct counting *c)
{
    size_t count = 0;
    for (size_t p = 0; p < c->prompt.n; p++) {
        bool is_used = false;
        for (size_t k = c->prompt.start[p]; k < c->prompt.start[p + 1]; k++)
            is_used = is_used || c->is_used[c->prompt.row[k]];
        count += is_used;
    }
    return count;
}

static void release(struct counting *c)
{
    mem_free(c->rank);
    mem_free(c->frequency);
    mem_free(c->apart);
    mem_free(c->same);
    mem_free(c->is_used);
    mem_free(c->coded);
    mem_free(c->code);
    mem_free(c->level);
    cluster_free(&c->prompt);
}

enum status agreement_measure(struct agreement *out,
                              const struct agreement_codes *codes,
                              enum agreement_kind kind,
                              const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct agreement a = {.e = summary_nothing()};
    struct counting c = {
        .kind = kind, .raters = codes->raters, .units = codes->units};
    TRY_DONE(prepare(&c, codes, err));
    a.reason = unfit(&c);
    if (a.reason == NULL) {
        TRY_DONE(summary_bootstrap(&a.e, measure, &c, c.prompt.n, plan, err));
        a.reason = isnan(a.e.estimate) ? c.reason : NULL;
        a.e.n = prompts_used(&c);
    }
    if (isnan(a.e.estimate) && a.reason == NULL)
        a.reason = "no unit was coded twice";
    *out = a;
done:
    release(&c);
    return status;
}

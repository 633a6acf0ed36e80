#include "stat/calibrate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "stat/logit.h"

static const char *const column_names[] = {"the score difference"};

/* The pairs as rows of a regression on one column. */
static struct design_data rows_of(const struct calibrate_pairs *pairs)
{
    return (struct design_data){.n = pairs->n,
                                .p = 1,
                                .n_prompts = pairs->n_prompts,
                                .x = pairs->score_difference,
                                .y = pairs->win,
                                .prompt = pairs->prompt,
                                .name = column_names};
}

enum status calibrate_slope(struct estimate *out, double *draws,
                            const struct calibrate_pairs *pairs,
                            const struct bootstrap *plan, struct err *err)
{
    struct design_data data = rows_of(pairs);
    struct estimate e[2];
    struct bootstrap p = summary_plan(plan);
    enum status status = OK;
    double *both = NULL;
    size_t cells;
    TRY_DONE(mem_multiply(&cells, 2, p.resamples, err));
    TRY_DONE(MEM_NEW(both, cells, err));
    TRY_DONE(logit_bootstrap(e, both, &data, DESIGN_ORIGIN, 0, &p, err));
    for (size_t r = 0; draws != NULL && r < p.resamples; r++)
        draws[r] = both[r];
    *out = e[0];
done:
    mem_free(both);
    return status;
}

/* A pair in the table. */
struct entry {
    double delta, predicted, win;
    size_t prompt;
    size_t bin;
};

static int by_delta(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->delta != y->delta)
        return x->delta > y->delta ? 1 : -1;
    /* Sums must not depend on how qsort treats equals. */
    if (x->prompt != y->prompt)
        return x->prompt > y->prompt ? 1 : -1;
    return (x->win > y->win) - (x->win < y->win);
}

/* Number the deciles of sorted entries; returns how many there are. */
static size_t cut_bins(struct entry *entry, size_t n)
{
    size_t bins = 0;
    size_t begin = 0;
    for (size_t b = 1; b <= CALIBRATE_BINS && begin < n; b++) {
        size_t end = n * b / CALIBRATE_BINS;
        if (end <= begin)
            continue;
        while (end < n && entry[end].delta == entry[end - 1].delta)
            end++;
        for (size_t i = begin; i < end; i++)
            entry[i].bin = bins;
        begin = end;
        bins++;
    }
    return bins;
}

/* sum over bins |sum of deviations| / n, each prompt's times its sign. */
static double ece_of(const struct entry *entry, size_t n, const double *sign)
{
    double sum[CALIBRATE_BINS] = {0};
    double ece = 0;
    for (size_t i = 0; i < n; i++)
        sum[entry[i].bin] += (entry[i].win - entry[i].predicted) *
                             (sign != NULL ? sign[entry[i].prompt] : 1);
    for (size_t b = 0; b < CALIBRATE_BINS; b++)
        ece += fabs(sum[b]);
    return ece / (double)n;
}

/* The null distribution; sign [n_prompts], null [resamples] are scratch. */
static void fill_null(struct calibrate_table *t, const struct entry *entry,
                      double *sign, double *null, size_t n_prompts,
                      const struct bootstrap *p)
{
    size_t above = 0;
    for (size_t r = 0; r < p->resamples; r++) {
        struct rng rng;
        rng_init(&rng, p->seed, RNG_BOOTSTRAP, 2, (uint32_t)r);
        for (size_t g = 0; g < n_prompts; g++)
            sign[g] = (rng_u32(&rng) & 1) != 0 ? 1 : -1;
        null[r] = ece_of(entry, t->n, sign);
        /* The deviations as they are belong to the null too; rounding must not
         * decide whether they are equal to themselves. */
        above += null[r] >= t->ece * (1 - 1e-12);
    }
    t->null_mean = summary_mean(null, p->resamples);
    summary_sort(null, p->resamples);
    t->null_high = summary_quantile(null, p->resamples, p->level);
    t->p = (double)(above + 1) / (double)(p->resamples + 1);
}

/* Sums of one bin by prompt become its rows; won, pairs [n_prompts]. */
static enum status fill_bin(struct calibrate_bin *bin, size_t number,
                            const struct entry *entry, size_t n, double *won,
                            double *pairs, size_t n_prompts,
                            const struct bootstrap *p, struct err *err)
{
    for (size_t g = 0; g < n_prompts; g++)
        won[g] = pairs[g] = 0;
    *bin = (struct calibrate_bin){.n = 0};
    for (size_t i = 0; i < n; i++) {
        if (entry[i].bin != number)
            continue;
        if (bin->n++ == 0)
            bin->low = entry[i].delta;
        bin->high = entry[i].delta;
        bin->predicted += entry[i].predicted;
        won[entry[i].prompt] += entry[i].win;
        pairs[entry[i].prompt] += 1;
    }
    bin->predicted /= (double)bin->n;
    for (size_t g = 0; g < n_prompts; g++)
        if (pairs[g] == 0)
            won[g] = (double)NAN;
    return summary_estimate_ratio(&bin->observed, won, pairs, n_prompts, p,
                                  err);
}

/* Entries of the pairs that were judged, sorted; returns their number. */
static size_t fill_entries(struct entry *entry,
                           const struct calibrate_pairs *pairs, double a)
{
    size_t n = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        double delta = pairs->score_difference[i];
        double win = pairs->win[i];
        assert(pairs->prompt[i] < pairs->n_prompts);
        if (!isfinite(delta) || !isfinite(win) || isnan(a))
            continue;
        entry[n++] = (struct entry){delta, logit_sigma(a * delta), win,
                                    pairs->prompt[i], 0};
    }
    if (n > 1)
        qsort(entry, n, sizeof *entry, by_delta);
    return n;
}

enum status calibrate_reliability(struct calibrate_table *out,
                                  const struct calibrate_pairs *pairs, double a,
                                  const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct bootstrap p = summary_plan(plan);
    struct calibrate_table t = {.ece = (double)NAN,
                                .null_mean = (double)NAN,
                                .null_high = (double)NAN,
                                .p = (double)NAN};
    struct entry *entry = NULL;
    double *won = NULL;
    double *count = NULL;
    double *null = NULL;
    TRY_DONE(MEM_NEW(entry, pairs->n, err));
    TRY_DONE(MEM_NEW(won, pairs->n_prompts, err));
    TRY_DONE(MEM_NEW(count, pairs->n_prompts, err));
    TRY_DONE(MEM_NEW(null, p.resamples, err));
    t.n = fill_entries(entry, pairs, a);
    t.bins = cut_bins(entry, t.n);
    for (size_t b = 0; b < t.bins; b++)
        TRY_DONE(fill_bin(&t.bin[b], b, entry, t.n, won, count,
                          pairs->n_prompts, &p, err));
    for (size_t g = 0; g < pairs->n_prompts; g++)
        count[g] = 0;
    for (size_t i = 0; i < t.n; i++)
        t.prompts += count[entry[i].prompt]++ == 0;
    if (t.n > 0) {
        t.ece = ece_of(entry, t.n, NULL);
        fill_null(&t, entry, won, null, pairs->n_prompts, &p);
    }
    *out = t;
done:
    mem_free(null);
    mem_free(count);
    mem_free(won);
    mem_free(entry);
    return status;
}

enum {
    GAP,
    PREDICTED,
    OBSERVED,
    TERCILE,
    GRADIENT = TERCILE + 3,
    STATISTICS
};

struct resampled {
    const struct design *design;
    const struct calibrate_pairs *pairs;
    const unsigned char *third; // [pairs->n] 0 to 2; 3: of unknown length
    double a;
    const double *a_draws;
};

static void statistic_gap(void *ctx, double *value, size_t r,
                          const size_t *index, size_t n)
{
    const struct resampled *at = ctx;
    const struct design *d = at->design;
    bool is_drawn = r != SUMMARY_ALL && at->a_draws != NULL;
    double a = is_drawn ? at->a_draws[r] : at->a;
    double predicted[4] = {0};
    double observed[4] = {0};
    double count[4] = {0};
    for (size_t k = 0; k < n; k++) {
        for (size_t i = d->first[index[k]]; i < d->first[index[k] + 1]; i++) {
            size_t row = d->row[i];
            size_t third = at->third[row];
            predicted[third] +=
                logit_sigma(a * at->pairs->score_difference[row]);
            observed[third] += at->pairs->win[row];
            count[third]++;
        }
    }
    double p = 0, o = 0, c = 0;
    for (size_t third = 0; third < 4; third++) {
        p += predicted[third];
        o += observed[third];
        c += count[third];
        if (third < 3)
            value[TERCILE + third] =
                (predicted[third] - observed[third]) / count[third];
    }
    value[PREDICTED] = p / c;
    value[OBSERVED] = o / c;
    value[GAP] = value[PREDICTED] - value[OBSERVED];
    value[GRADIENT] = value[TERCILE + 2] - value[TERCILE];
}

/* Thirds of the length difference over the rows in use; sorted [n] is
 * scratch. */
static void cut_thirds(unsigned char *third, double *cut, double *sorted,
                       const struct design *d, const double *length)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        if (length != NULL && isfinite(length[d->row[i]]))
            sorted[n++] = length[d->row[i]];
    summary_sort(sorted, n);
    cut[0] = summary_quantile(sorted, n, 1.0 / 3);
    cut[1] = summary_quantile(sorted, n, 2.0 / 3);
    for (size_t i = 0; i < d->n; i++) {
        size_t row = d->row[i];
        third[row] = 3;
        if (length != NULL && isfinite(length[row]))
            third[row] = (unsigned char)((length[row] > cut[0]) +
                                         (length[row] > cut[1]));
    }
}

/* How many prompts have a row of this third (any: 4). */
static size_t prompts_with(const struct design *d, const unsigned char *third,
                           size_t which)
{
    size_t found = 0;
    for (size_t g = 0; g < d->data->n_prompts; g++) {
        bool has = false;
        for (size_t i = d->first[g]; i < d->first[g + 1]; i++)
            has = has || which == 4 || third[d->row[i]] == which;
        found += has;
    }
    return found;
}

enum status calibrate_measure_gap(struct calibrate_gap *out,
                                  const struct calibrate_pairs *pairs,
                                  const double *length_difference, double a,
                                  const double *a_draws,
                                  const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct design_data data = rows_of(pairs);
    struct design d = {0};
    struct calibrate_gap gap = {.pairs = 0};
    struct estimate e[STATISTICS];
    unsigned char *third = NULL;
    double *sorted = NULL;
    TRY_DONE(design_init(&d, &data, DESIGN_ORIGIN, err));
    TRY_DONE(MEM_NEW(third, pairs->n, err));
    TRY_DONE(MEM_NEW(sorted, d.n, err));
    cut_thirds(third, gap.cut, sorted, &d, length_difference);
    struct resampled at = {&d, pairs, third, a, a_draws};
    TRY_DONE(summary_bootstrap_many(e, NULL, statistic_gap, &at, STATISTICS,
                                    pairs->n_prompts, plan, err));
    for (size_t k = 0; k < STATISTICS; k++)
        e[k].n = d.prompts;
    for (size_t k = 0; k < 3; k++) {
        e[TERCILE + k].n = prompts_with(&d, third, k);
        gap.tercile[k] = e[TERCILE + k];
    }
    gap.pairs = d.n;
    gap.gap = e[GAP];
    gap.predicted = e[PREDICTED];
    gap.observed = e[OBSERVED];
    gap.gradient = e[GRADIENT];
    if (length_difference == NULL)
        gap.gradient.n = 0;
    *out = gap;
done:
    mem_free(sorted);
    mem_free(third);
    design_free(&d);
    return status;
}

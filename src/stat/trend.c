#include "stat/trend.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/rng.h"

/* What one fit needs: scratch for all pairs, for a sort and for prompts. */
struct scratch {
    double *pair;     // [m(m-1)/2]
    double *y;        // [m] the series of one resample
    double *mean;     // [m] the series itself
    double *residual; // [m] around the line
    double *sorted;   // [m]
    double *value;    // [resamples]
    size_t *index;    // [n]
};

static enum status scratch_init(struct scratch *s, size_t m, size_t n,
                                size_t resamples, struct err *err)
{
    TRY(MEM_NEW(s->pair, m * (m - 1) / 2, err));
    TRY(MEM_NEW(s->y, m, err));
    TRY(MEM_NEW(s->mean, m, err));
    TRY(MEM_NEW(s->residual, m, err));
    TRY(MEM_NEW(s->sorted, m, err));
    TRY(MEM_NEW(s->value, resamples, err));
    return MEM_NEW(s->index, n, err);
}

static void scratch_free(struct scratch *s)
{
    mem_free(s->pair);
    mem_free(s->y);
    mem_free(s->mean);
    mem_free(s->residual);
    mem_free(s->sorted);
    mem_free(s->value);
    mem_free(s->index);
}

static double theil_sen(double *pair, const double *t, const double *y,
                        size_t m)
{
    size_t k = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = i + 1; j < m; j++)
            pair[k++] = (y[j] - y[i]) / (t[j] - t[i]);
    return summary_median(pair, k);
}

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

/* Leaves y in order in `sorted` and returns the variance of S. */
static double mann_kendall(struct trend *out, const double *y, double *sorted,
                           size_t m)
{
    double s = 0;
    for (size_t i = 0; i < m; i++) {
        sorted[i] = y[i];
        for (size_t j = i + 1; j < m; j++)
            s += sign(y[j] - y[i]);
    }
    summary_sort(sorted, m);
    double md = (double)m;
    double variance = md * (md - 1) * (2 * md + 5);
    double tied = 0; // pairs of equal values
    for (size_t i = 0; i < m;) {
        size_t j = i;
        while (j < m && sorted[j] == sorted[i])
            j++;
        double g = (double)(j - i);
        variance -= g * (g - 1) * (2 * g + 5);
        tied += g * (g - 1) / 2;
        i = j;
    }
    variance /= 18;
    double pairs = md * (md - 1) / 2;
    out->s = s;
    out->tau = s / sqrt(pairs * (pairs - tied));
    out->z = variance > 0 ? (s - sign(s)) / sqrt(variance) : (double)NAN;
    out->p = erfc(fabs(out->z) / sqrt(2.0));
    return variance;
}

/* z with P(|Z| <= z) = level, by halving; Z standard normal. */
static double normal_limit(double level)
{
    double low = 0;
    double high = 40;
    for (int i = 0; i < 64; i++) {
        double middle = (low + high) / 2;
        if (erfc(middle / sqrt(2.0)) > 1 - level)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/* Sen 1968, equation 2.6: the ranks of the pairwise slopes at which a test of
 * S would just reject. */
static void rank_interval(struct estimate *slope, double *pair, size_t k,
                          double variance, double level)
{
    double reach = normal_limit(level) * sqrt(variance);
    long low = lround(((double)k - reach) / 2) - 1;
    long high = lround(((double)k + reach) / 2);
    summary_sort(pair, k);
    slope->low = pair[low > 0 ? low : 0];
    slope->high = pair[high < (long)k ? high : (long)k - 1];
}

/* Mean over the prompts in index of each point's row of y. */
static void series(double *out, const double *y, const size_t *index, size_t m,
                   size_t n)
{
    for (size_t c = 0; c < m; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += y[c * n + index[i]];
        out[c] = sum / (double)n;
    }
}

/* One resample: the line, the prompts' deviation from all prompts, and blocks
 * of residuals laid end to end. */
static double resampled_slope(struct scratch *s, const struct trend *fit,
                              const double *t, const double *y, size_t m,
                              size_t n, const struct bootstrap *plan, size_t r)
{
    size_t block = (size_t)lround(cbrt((double)m));
    summary_resample(s->index, n, plan, r);
    series(s->y, y, s->index, m, n);
    struct rng rng;
    rng_init(&rng, plan->seed, RNG_BOOTSTRAP, 1, (uint32_t)r);
    size_t first = 0;
    for (size_t c = 0; c < m; c++) {
        if (c % block == 0)
            first = rng_below(&rng, (uint32_t)m);
        double line = fit->intercept + fit->slope.estimate * t[c];
        s->y[c] += line - s->mean[c] + s->residual[(first + c % block) % m];
    }
    return theil_sen(s->pair, t, s->y, m);
}

/* Widen the slope's interval to hold the resampled one. */
static void bootstrap_interval(struct trend *fit, struct scratch *s,
                               const double *t, const double *y, size_t m,
                               size_t n, const struct bootstrap *p)
{
    for (size_t r = 0; r < p->resamples; r++)
        s->value[r] = resampled_slope(s, fit, t, y, m, n, p, r);
    summary_sort(s->value, p->resamples);
    double tail = (1 - p->level) / 2;
    double low = summary_quantile(s->value, p->resamples, tail);
    double high = summary_quantile(s->value, p->resamples, 1 - tail);
    fit->slope.low = fmin(fit->slope.low, low);
    fit->slope.high = fmax(fit->slope.high, high);
}

static enum status fit_points(struct trend *out, const double *t,
                              const double *y, size_t m, size_t n,
                              const struct bootstrap *plan, struct err *err)
{
    struct trend fit = {.slope = summary_nothing(),
                        .intercept = (double)NAN,
                        .s = (double)NAN,
                        .z = (double)NAN,
                        .p = (double)NAN,
                        .tau = (double)NAN};
    fit.slope.n = m;
    if (m < 2 || n == 0 || !summary_all_finite(t, m) ||
        !summary_all_finite(y, m * n)) {
        *out = fit;
        return OK;
    }
    enum status status = OK;
    struct bootstrap p = summary_plan(plan);
    struct scratch s = {0};
    TRY_DONE(scratch_init(&s, m, n, p.resamples, err));

    for (size_t i = 0; i < n; i++)
        s.index[i] = i;
    series(s.mean, y, s.index, m, n);
    fit.slope.estimate = theil_sen(s.pair, t, s.mean, m);
    double variance = mann_kendall(&fit, s.mean, s.sorted, m);
    double middle = summary_quantile(s.sorted, m, 0.5);
    fit.intercept = middle - fit.slope.estimate * summary_quantile(t, m, 0.5);
    /* A fitted line takes two degrees of freedom from its residuals; without
     * the correction the interval of few points is too narrow. */
    double widen = m > 2 ? sqrt((double)m / (double)(m - 2)) : 1;
    for (size_t c = 0; c < m; c++)
        s.residual[c] =
            widen * (s.mean[c] - fit.intercept - fit.slope.estimate * t[c]);

    if (m >= TREND_MIN) {
        rank_interval(&fit.slope, s.pair, m * (m - 1) / 2, variance, p.level);
        bootstrap_interval(&fit, &s, t, y, m, n, &p);
    }
    *out = fit;
done:
    scratch_free(&s);
    return status;
}

/* Point b of TREND_MOST is the mean of points m b / TREND_MOST and on. */
static void average(double *short_t, double *short_y, const double *t,
                    const double *y, size_t m, size_t n)
{
    for (size_t b = 0; b < TREND_MOST; b++) {
        size_t first = m * b / TREND_MOST, end = m * (b + 1) / TREND_MOST;
        double count = (double)(end - first);
        for (size_t c = first; c < end; c++) {
            short_t[b] += t[c] / count;
            for (size_t i = 0; i < n; i++)
                short_y[b * n + i] += y[c * n + i] / count;
        }
    }
}

enum status trend_fit(struct trend *out, const double *t, const double *y,
                      size_t m, size_t n, const struct bootstrap *plan,
                      struct err *err)
{
    enum status status = OK;
    double *short_t = NULL, *short_y = NULL;
    size_t cells;
    if (m <= TREND_MOST || m > SIZE_MAX / TREND_MOST)
        return fit_points(out, t, y, m, n, plan, err);
    TRY_DONE(mem_multiply(&cells, TREND_MOST, n, err));
    TRY_DONE(MEM_NEW(short_t, TREND_MOST, err));
    TRY_DONE(MEM_NEW(short_y, cells, err));
    average(short_t, short_y, t, y, m, n);
    TRY_DONE(fit_points(out, short_t, short_y, TREND_MOST, n, plan, err));
    out->slope.n = m;
done:
    mem_free(short_t);
    mem_free(short_y);
    return status;
}

/*
 * summary.h - means, quantiles, and how sure we are of them.
 *
 * The unit of every interval is the prompt: what varies between two held-out
 * evaluations is which prompts were asked, and several samples of one prompt
 * are not several observations.  So callers first reduce samples to one value
 * (or one numerator and denominator) per prompt, and the bootstrap draws
 * prompts with replacement (Efron and Tibshirani 1993, ch. 13: percentile
 * interval).
 *
 * Resample r of a plan draws the same prompts whatever the statistic, as long
 * as n is the same.  Two models, or two measures, are therefore compared on
 * identical resamples: pairing needs no extra code.
 *
 * A value that was not measured for a prompt is NaN and is left out.  An
 * estimate that cannot be made is NaN (null in JSON), never a guess.
 */
#ifndef PLUMB_STAT_SUMMARY_H
#define PLUMB_STAT_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A number with its interval and the prompts behind it. */
struct estimate {
    double estimate, low, high;
    size_t n;
};

/* How to resample; zero members take their defaults. */
struct bootstrap {
    uint64_t seed;
    size_t resamples; // 0: 2000
    double level;     // coverage, 0: 0.95
};

/* The estimate of something not measured: three NaN and n = 0. */
struct estimate summary_nothing(void);

/* Sums in double, in index order.  Of nothing: NaN. */
double summary_mean(const double *x, size_t n);

/* Of x[index[i]], or of x[i] where index is NULL; what was not measured is left
 * out, as it is in a bootstrap.  Of nothing: NaN. */
double summary_mean_of(const double *x, const size_t *index, size_t n);

/* Deviation with n - 1; NaN below two values. */
double summary_sd(const double *x, size_t n);

/* Is none of them NaN or infinite? */
bool summary_all_finite(const double *x, size_t n);

/* Ascending, in place. */
void summary_sort(double *x, size_t n);

/*
 * Quantile of ascending x, linear between order statistics (Hyndman and Fan
 * 1996, type 7; NumPy's and R's default): with h = (n - 1) q,
 *     x[floor h] + (h - floor h) (x[floor h + 1] - x[floor h])
 * q in [0,1]; NaN when n is 0.
 */
double summary_quantile(const double *sorted, size_t n, double q);

/* The middle value, in O(n); changes the order of x. */
double summary_median(double *x, size_t n);

/* Any statistic of the prompts index[0..n-1] (with repetitions). */
typedef double (*summary_statistic)(void *ctx, const size_t *index, size_t n);

/*
 * The statistic on all n prompts, once each, with its percentile interval.
 * Resamples where it is not finite are left out; when they are more than one
 * in twenty, or n < 2, the interval is NaN.  ERR_MEMORY is the only failure.
 */
enum status summary_bootstrap(struct estimate *out, summary_statistic fn,
                              void *ctx, size_t n, const struct bootstrap *plan,
                              struct err *err) MUST_CHECK;

/*
 * Several statistics that are made together, as the coefficients of one fit:
 * value [m] from the prompts index[0..n-1].  `r` is the number of the resample
 * or SUMMARY_ALL, so that a statistic may rest on draws made before.
 */
#define SUMMARY_ALL SIZE_MAX
typedef void (*summary_statistics)(void *ctx, double *value, size_t r,
                                   const size_t *index, size_t n);

/*
 * summary_bootstrap() for m statistics on the same resamples: out [m].
 *   draws  out [m, resamples of the plan]  what each resample gave, NaN where
 *          a statistic is undefined (all of them when n < 2); NULL: not wanted
 */
enum status summary_bootstrap_many(struct estimate *out, double *draws,
                                   summary_statistics fn, void *ctx, size_t m,
                                   size_t n, const struct bootstrap *plan,
                                   struct err *err) MUST_CHECK;

/* Prompts drawn by resample number `r`: index [n]. */
void summary_resample(size_t *index, size_t n, const struct bootstrap *plan,
                      size_t r);

/* Resamples and quantiles a plan stands for, defaults filled in. */
struct bootstrap summary_plan(const struct bootstrap *plan);

/* mean of x[i] over prompts. */
enum status summary_estimate_mean(struct estimate *out, const double *x,
                                  size_t n, const struct bootstrap *plan,
                                  struct err *err) MUST_CHECK;

/* mean of a[i] - b[i]: paired. */
enum status summary_estimate_difference(struct estimate *out, const double *a,
                                        const double *b, size_t n,
                                        const struct bootstrap *plan,
                                        struct err *err) MUST_CHECK;

/*
 * sum a[i] / sum b[i], the ratio of two means (policy length over reference
 * length), or a rate where prompt i had a[i] successes in b[i] trials.
 */
enum status summary_estimate_ratio(struct estimate *out, const double *a,
                                   const double *b, size_t n,
                                   const struct bootstrap *plan,
                                   struct err *err) MUST_CHECK;

/* Pearson's correlation of a[i] and b[i] over the prompts where both were
 * measured; NaN when either does not vary. */
enum status summary_estimate_correlation(struct estimate *out, const double *a,
                                         const double *b, size_t n,
                                         const struct bootstrap *plan,
                                         struct err *err) MUST_CHECK;

/* sum a / sum b - sum c / sum d: the excess of one rate over another. */
enum status summary_estimate_excess(struct estimate *out, const double *a,
                                    const double *b, const double *c,
                                    const double *d, size_t n,
                                    const struct bootstrap *plan,
                                    struct err *err) MUST_CHECK;

#endif

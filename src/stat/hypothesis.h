/*
 * hypothesis.h - tests of paired differences, of equivalence, and of many at
 * once.
 *
 * x[i] is one number for prompt i, the policy's mean over its samples minus the
 * reference's: the prompt is the unit, and samples of one prompt are averaged
 * by the caller before they come here.  NaN is not measured and left out.  All
 * p-values are two-sided unless they say otherwise.  A p-value that cannot be
 * made is NaN.
 */
#ifndef PLUMB_STAT_HYPOTHESIS_H
#define PLUMB_STAT_HYPOTHESIS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Student's test of mean x = 0. */
struct hypothesis_t {
    size_t n;
    double mean, se; // se = sd / sqrt n
    double t, degrees, p;
    double low, high; // interval of the mean at `level`
};
struct hypothesis_t hypothesis_t_test(const double *x, size_t n, double level);

/*
 * Sign test of median x = 0: zeros are left out, and of the rest `above` is
 * binomial with p = 1/2, exactly.
 *     p = min(1, 2 P(X >= max(above, below)))
 */
struct hypothesis_sign {
    size_t above, below, ties;
    double p;
};
struct hypothesis_sign hypothesis_sign_test(const double *x, size_t n);

/*
 * Wilcoxon's signed-rank test of x symmetric around 0: zeros are left out, the
 * n others ranked by size, equal sizes sharing their mean rank, and
 *     plus = sum of the ranks of those above 0
 * For n <= 25 p is exact given the ranks (ties included): every one of the 2^n
 * signs is as likely as another.  Above,
 *     z = (plus - n(n+1)/4) / sqrt(n(n+1)(2n+1)/24 - sum (g^3 - g)/48)
 * over groups of g equal sizes, without continuity correction.
 *   effect  rank-biserial correlation, (plus - minus) / (plus + minus)
 * ERR_MEMORY is the only failure.
 */
#define HYPOTHESIS_EXACT_MAX 25
struct hypothesis_wilcoxon {
    size_t n;    // not zero
    double plus; // W+
    double z;    // the normal approximation, for small n too
    double p;
    double effect;
    bool is_exact;
};
enum status hypothesis_wilcoxon_test(struct hypothesis_wilcoxon *out,
                                     const double *x, size_t n,
                                     struct err *err) MUST_CHECK;

/*
 * Two one-sided tests (Schuirmann 1987): evidence that a quantity lies inside
 * (low, high), which a large p-value of a difference is not.  p is the larger
 * of
 *     p_low   of "not above low",   P(T > (estimate - low) / se)
 *     p_high  of "not below high",  P(T > (high - estimate) / se)
 * and p < 0.05 is the same as the 90 % interval lying inside.  An estimate
 * without spread (se 0) is inside or it is not.
 *   degrees  of freedom of se; INFINITY: normal
 */
struct hypothesis_equivalence {
    double p, p_low, p_high;
};
struct hypothesis_equivalence hypothesis_tost(double estimate, double se,
                                              double degrees, double low,
                                              double high);

/*
 * The same from bootstrap draws [n] (summary_bootstrap_many()): p_low is the
 * share of draws not above `low`, with (count + 1) / (draws + 1) since the
 * truth is one more draw.  Draws that are not finite are left out.
 */
struct hypothesis_equivalence
hypothesis_tost_draws(const double *draws, size_t n, double low, double high);

/*
 * The two-sided p-value that a percentile interval implies: twice the smaller
 * share of draws on either side of `null`, draws equal to it counting for both,
 *     min(1, 2 (min(#{draw <= null}, #{draw >= null}) + 1) / (draws + 1))
 * never below 1 / (draws + 1).  The 1 - p interval just touches the null.
 */
double hypothesis_draws_p(const double *draws, size_t n, double null);

/*
 * Holm's (1979) adjusted p-values, for a family of confirmatory tests:
 *     adjusted[(i)] = max over j <= i of min(1, (m - j + 1) p[(j)])
 * over the m p-values in ascending order; reject below 0.05 and the chance of
 * any false rejection is below 0.05.  A NaN is a test that was not made: it
 * stays NaN and does not count in m.  adjusted [n] may be p itself.
 */
enum status hypothesis_holm(double *adjusted, const double *p, size_t n,
                            struct err *err) MUST_CHECK;

/*
 * Benjamini and Hochberg's (1995) q-values, for leads:
 *     q[(i)] = min over j >= i of min(1, m p[(j)] / j)
 * Of all below 0.1 at most a tenth is false on average.
 */
enum status hypothesis_bh(double *q, const double *p, size_t n,
                          struct err *err) MUST_CHECK;

#endif

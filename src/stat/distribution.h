/*
 * distribution.h - tails and quantiles of the distributions that tests use.
 *
 * Tails are computed as tails, never as 1 - body, so a p-value of 1e-30 is one.
 * Checked against SciPy.  Nothing allocates; all are safe from several threads.
 */
#ifndef PLUMB_STAT_DISTRIBUTION_H
#define PLUMB_STAT_DISTRIBUTION_H

#include <stddef.h>

/* P(Z > z), Z standard normal. */
double distribution_normal_tail(double z);

/* z with P(Z <= z) = p, 0 < p < 1; infinite at 0 and 1, NaN outside. */
double distribution_normal_quantile(double p);

/*
 * P(T > t), T Student's with `degrees` > 0 (need not be whole; INFINITY is the
 * normal): half the regularised incomplete beta function at degrees / 2, 1/2
 * and x = degrees / (degrees + t^2), by its continued fraction (Press et al.
 * 2007, section 6.4).  Relative error about 1e-16 * degrees + 1e-13.
 */
double distribution_t_tail(double t, double degrees);

/* t with P(T <= t) = p. */
double distribution_t_quantile(double p, double degrees);

/*
 * P(X >= k), X binomial of n trials with success probability p: terms are
 * summed from k away from the middle, the first one by Loader's (2000)
 * saddle-point form, which keeps its digits for any n.
 */
double distribution_binomial_tail(size_t k, size_t n, double p);

#endif

/*
 * power.h - how many observations a question needs.
 *
 * An observation is a prompt (or a pair, one to a prompt).  `alpha` is the
 * two-sided error of the first kind, `power` the chance to find what is there;
 * with z = normal quantile,
 *
 *     za = z(1 - alpha / 2),   zb = z(power)
 *
 * Answers are whole numbers, rounded up, and POWER_NEVER where no number is
 * enough (an effect of zero) or more than 2^53 would be needed.
 */
#ifndef PLUMB_STAT_POWER_H
#define PLUMB_STAT_POWER_H

#include <stddef.h>
#include <stdint.h>

#define POWER_NEVER SIZE_MAX

struct power {
    double alpha; // 0: 0.05
    double power; // 0: 0.8
};

/* Prompts for a paired mean difference of `delta` when differences have
 * standard deviation sd:  n = ((za + zb) sd / delta)^2, 7.85 (sd / delta)^2 by
 * default. */
size_t power_paired(double sd, double delta, const struct power *want);

/*
 * Pairs without ties for a sign test when the true win rate is `rate`:
 *     n = ((za / 2 + zb sqrt(rate (1 - rate))) / (rate - 1/2))^2
 * By default 783, 194, 85 and 47 at 0.55, 0.60, 0.65 and 0.70.  This is the
 * normal approximation; the exact test of these sizes has power 0.79, 0.76,
 * 0.74 and 0.78, since its p-values go in steps (power_of_sign()).
 */
size_t power_sign(double rate, const struct power *want);

/* The chance that the exact sign test of n pairs has p < alpha, when the true
 * win rate is `rate`: what the approximation above is worth. */
double power_of_sign(size_t n, double rate, double alpha);

/*
 * Observations in each of two groups for a difference of two proportions
 * (Fleiss 1981, without continuity correction), m the mean of a and b:
 *     n = (za sqrt(2 m (1 - m)) + zb sqrt(a (1 - a) + b (1 - b)))^2 / (a - b)^2
 */
size_t power_proportions(double a, double b, const struct power *want);

/*
 * How many more, beyond the n an estimate rests on, until its 1 - alpha
 * interval should exclude x, if the estimate stays where it is and its standard
 * error falls with 1 / sqrt n:
 *     n ((za + zb) se / (estimate - x))^2 - n
 * With power 1/2 (zb = 0) the interval just touches x; 0 when enough are there.
 */
size_t power_more(double estimate, double se, size_t n, double x,
                  const struct power *want);

/*
 * The same until 1 - 2 alpha lies inside (low, high), for an equivalence test
 * (TOST; alpha one-sided there, so za is z(1 - alpha)); POWER_NEVER when the
 * estimate is not inside itself.
 */
size_t power_more_equivalence(double estimate, double se, size_t n, double low,
                              double high, const struct power *want);

#endif

/*
 * concentration.h - is an amount spread evenly, or do a few hold most of it?
 *
 * For amounts x >= 0 such as the KL of each token, N of them, ascending:
 *
 *   gini   sum_i (2 i - N - 1) x(i) / (N sum x): 0 when all are equal, towards
 *          1 when one holds all
 *   top5, top20  share of the total in the largest 5 % and 20 % of them; where
 *          5 % of N is no whole number, a part of the next one
 *   share of a class  its part of the total
 *
 * A learned policy departs from its reference at few tokens; a flat profile
 * points to a temperature or precision that differs.  Intervals resample
 * prompts (stat/summary.h).
 */
#ifndef PLUMB_STAT_CONCENTRATION_H
#define PLUMB_STAT_CONCENTRATION_H

#include "stat/summary.h"

struct concentration {
    size_t values;
    struct estimate gini, top5, top20;
    /* Amounts below zero count as none; their sum over the sum of the others
     * tells whether that was rounding. */
    size_t negative;
    double negative_share;
};

/*
 * x[n] of prompts prompt[n] < n_prompts (NULL: every value is a prompt); NaN is
 * left out.  All is nothing when the total is zero.  ERR_NUMERIC for an
 * infinite value, ERR_MEMORY.
 */
enum status concentration_measure(struct concentration *out, const double *x,
                                  const size_t *prompt, size_t n,
                                  size_t n_prompts,
                                  const struct bootstrap *plan,
                                  struct err *err) MUST_CHECK;

/*
 * out[c]: share of the total that class c has, class_of[n] < classes.  Values
 * count with their sign here.  ERR_MEMORY is the only failure.
 */
enum status concentration_shares(struct estimate *out, size_t classes,
                                 const double *x, const size_t *class_of,
                                 const size_t *prompt, size_t n,
                                 size_t n_prompts, const struct bootstrap *plan,
                                 struct err *err) MUST_CHECK;

#endif

/*
 * tail.h - are very high scores rarer than a price on KL needs them to be?
 *
 * When the error of a reward model has a heavy tail, a policy can gain reward
 * without bound at a KL as small as one likes, by picking the few replies with
 * absurd scores (Kwa et al. 2024).  Two measures of a score's upper tail:
 *
 *   index     Hill (1975), on y = x - median: with y(1) >= y(2) >= ...
 *                 xi = 1/k sum_{i <= k} ln(y(i) / y(k+1))
 *             standard error xi / sqrt k if all are independent; 1/xi is the
 *             power with which the tail falls.  k is a fiftieth of the values,
 *             where a normal tail gives .16
 *   kurtosis  mean (x - mean)^4 / (mean (x - mean)^2)^2; normal: 3
 *
 * Replies of one prompt are not independent, so the intervals resample prompts
 * (stat/summary.h).
 */
#ifndef PLUMB_STAT_TAIL_H
#define PLUMB_STAT_TAIL_H

#include <stdbool.h>

#include "stat/summary.h"

/* Values below which no tail is spoken of: k is 10 then.  2,000 are better. */
#define TAIL_MIN 500
#define TAIL_INDEX_HEAVY 0.25
#define TAIL_KURTOSIS_HEAVY 6.0

struct tail {
    size_t values, k;
    struct estimate index, kurtosis;
    double index_se;
    /* The low end of an interval is above TAIL_INDEX_HEAVY or
     * TAIL_KURTOSIS_HEAVY. */
    bool is_heavy;
    const char *reason; // NULL, or why there is no index
};

/*
 * x[n] of prompts prompt[n] < n_prompts (NULL: every value is a prompt); NaN is
 * left out.  ERR_NUMERIC for an infinite value, ERR_MEMORY.
 */
enum status tail_measure(struct tail *out, const double *x,
                         const size_t *prompt, size_t n, size_t n_prompts,
                         const struct bootstrap *plan,
                         struct err *err) MUST_CHECK;

#endif

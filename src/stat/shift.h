/*
 * shift.h - how far a mean moved between two samples of prompts, some of which
 * may be in both: two windows of a training run draw their prompts anew, and
 * meet some again.
 *
 * before[p] and after[p] are one number for prompt p each, the mean over its
 * responses there, NaN where the prompt is not in that sample.  With m0 and m1
 * prompts, means x and y,
 *
 *     d    = y - x
 *     h_p  = (after[p] - y) / sqrt(m1 (m1 - 1))
 *          - (before[p] - x) / sqrt(m0 (m0 - 1))     terms that are there
 *     se^2 = sum of h_p^2
 *     d +- t se,    t Student's at min(m0, m1) - 1 degrees
 *
 * Where all prompts are in both this is the paired t interval exactly; where
 * none is, Welch's (1947) with the fewest degrees that his may have, which for
 * normal values is never too narrow (Mickey and Brown 1966); between, what
 * pairs share is taken out to the extent that there are pairs.  se^2 is the
 * variance of d with prompts as clusters (Liang and Zeger 1986), each side
 * corrected for its own mean.
 */
#ifndef PLUMB_STAT_SHIFT_H
#define PLUMB_STAT_SHIFT_H

#include "stat/summary.h"

/* before, after [n]; level 0: 0.95.  n of the estimate is the number of prompts
 * with a value.  A side with no prompt gives nothing, one with a single prompt
 * no interval. */
struct estimate shift_estimate(const double *before, const double *after,
                               size_t n, double level);

#endif

/*
 * winrate.h - who is preferred: rates over pairs, strengths over systems.
 */
#ifndef PLUMB_STAT_WINRATE_H
#define PLUMB_STAT_WINRATE_H

#include "stat/summary.h"

/* 1 when a is larger, 0 when b is, 1/2 when equal; NaN when either is. */
double winrate_of(double a, double b);

/*
 * Share of pairs won, ties a half, with the prompt as the unit:
 *     sum of win[k] / number of pairs
 *   prompt  [n_pairs]  which prompt a pair belongs to, < n_prompts
 *   win     [n_pairs]  1, 1/2 or 0; NaN: not judged, left out
 */
enum status winrate_estimate(struct estimate *out, const size_t *prompt,
                             const double *win, size_t n_pairs,
                             size_t n_prompts, const struct bootstrap *plan,
                             struct err *err) MUST_CHECK;

/*
 * A share of n votes that do not depend on each other, with Wilson's (1927)
 * interval: those rates p that n draws would not be unusual for,
 *     |sum x / n - p| <= z sqrt(p (1 - p) / n)
 * which stays inside [0, 1] and is honest for a few votes that all agree.
 *   sum    of x, each in [0,1]; x that are not 0 or 1 make it too wide
 *   level  coverage, 0: 0.95
 * n of 0: nothing.
 */
struct estimate winrate_share(double sum, size_t n, double level);

/*
 * Bradley-Terry strengths of n systems by maximum likelihood:
 *     P(i beats j) = 1 / (1 + exp(strength[j] - strength[i]))
 *   wins      [n*n]  wins[i*n+j]: times i was preferred to j, a tie counts a
 *                    half to each; finite and >= 0, the diagonal is ignored
 *   strength  [n]    log-odds, system 0 is the zero
 * Found by Hunter's (2004) minorisation: each round sets
 *     e^s[i] = wins of i / sum_j pairs(i,j) / (e^s[i] + e^s[j])
 * which rises in likelihood.  ERR_NUMERIC when the maximum does not exist: when
 * the systems fall into two groups of which one never lost to the other.
 */
enum status winrate_bradley_terry(double *strength, const double *wins,
                                  size_t n, struct err *err) MUST_CHECK;

#endif

/*
 * raters.h - the people who rank candidate replies, simulated.
 *
 * Plackett-Luce: a rater sorts the replies by utility / tau + Gumbel noise,
 * best first.  For any two replies i, j that makes
 *
 *     P(i before j) = 1 / (1 + exp(-(utility_i - utility_j) / tau)),
 *
 * exactly Bradley-Terry.  One rater ranks all replies of a prompt:
 *
 *     careful   utility = gold
 *     hurried   utility = gold_share * gold + length_taste * tokens
 *                         + polite_taste * polite elements
 *
 * The hurried rater, met with probability `hurried` at each prompt, takes
 * long and polite for good.  hurried = 0.7 is the sick setting, 0 the
 * control.
 */
#ifndef PLUMB_WORLD_RATERS_H
#define PLUMB_WORLD_RATERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "world/judge.h"

#define RATER_REPLIES_MAX 64 // as many as a ranking may hold on disk

struct rater_config {
    double hurried;      // probability in [0,1] that a prompt's rater hurries
    double tau;          // noise, > 0, in units of utility
    double gold_share;   // the hurried rater's weights
    double length_taste; // per token
    double polite_taste; // per polite element
    double tie_margin;   // in units of noise; 0: no ties
};

/* hurried 0.7, tau 0.4, shares 0.25, 0.06, 0.15, no ties. */
struct rater_config rater_default(void);

/* ERR_ARG naming the member that is out of range. */
enum status rater_check(const struct rater_config *c,
                        struct err *err) MUST_CHECK;

/* How good a reply looks to a rater. */
double rater_utility(const struct rater_config *c, const struct judgement *j,
                     bool is_hurried);

/*
 * Rank the K replies of a prompt.
 *
 *   ranking  out [K]  rank of each reply, 1 the best; with a tie_margin,
 *                     replies whose perturbed utilities lie within it of the
 *                     best of their group share its rank, and the next rank
 *                     counts all of them (1, 1, 3)
 *   judged   in  [K]
 *   prompt            index of the prompt: names the random stream
 *                     (RNG_RATER, 0, prompt)
 *
 * Returns the rater's name, "careful" or "hurried" (constant text).  `c` must
 * have passed rater_check(), and 1 <= K <= RATER_REPLIES_MAX.  The stream
 * first says whether the rater hurries, then gives the replies' noise in
 * order, so that settings that differ only in `hurried` or in the weights
 * meet the same noise.
 */
const char *rater_rank(int32_t *ranking, const struct judgement *judged,
                       size_t K, const struct rater_config *c, uint64_t seed,
                       uint32_t prompt);

/* The same from a stream of the caller's, which decides everything. */
const char *rater_rank_from(int32_t *ranking, const struct judgement *judged,
                            size_t K, const struct rater_config *c,
                            struct rng *r);

#endif

/*
 * shaping.h - from the reward model's output to the score that PPO is paid.
 *
 *     z     = (score_raw - mean) / sd                      normalised
 *     s     = z                                            shaped
 *             sigmoid(z - c) - 1/2
 *             log sigmoid(z - c) + log 2
 *     score = s - missing_eos [no EOS] - length_penalty * (tokens - tokens_ref)
 *
 * and then |score| <= clip.  c is what the reference earns and tokens_ref the
 * mean length of its samples, so that the reference's score is about 0.  These
 * constants change nothing at the optimum, but a score far from 0 is a shock to
 * a value model that begins at 0: the last token, EOS, is praised or blamed for
 * all of it, and responses shrink or grow until the values have learnt.
 *
 * beta, the penalty per nat, is in the unit of `score`; so what one nat costs
 * in the reward model's own unit is beta * sd, and moves when sd does.
 *
 * A sigmoid bounds what a single response can earn (Fu et al. 2025, "Reward
 * shaping to mitigate reward hacking in RLHF").  Its slope at the centre is
 * 1/4, so a beta meant for the unshaped score is about four times as strong;
 * log sigmoid (slope 1/2 there) bounds from above only.
 */
#ifndef PLUMB_RLHF_SHAPING_H
#define PLUMB_RLHF_SHAPING_H

#include <stdbool.h>
#include <stddef.h>

#include "rlhf/scorer.h"

enum score_norm {
    SCORE_NORM_NONE,
    SCORE_NORM_REFERENCE, // mean 0, deviation 1 on reference samples, fixed
    SCORE_NORM_RUNNING,   // that mean; the deviation of all scores so far
    SCORE_NORM_BATCH,     // that mean; the deviation of the batch's scores
};

enum score_shape {
    SHAPE_NONE,
    SHAPE_SIGMOID,
    SHAPE_LOG_SIGMOID,
};

struct shaping {
    struct score_scale scale;
    int shape; // enum score_shape
    double missing_eos;
    double length_penalty;   // per response token, EOS included
    double reference_tokens; // tokens_ref
    double clip;             // 0: off
};

/* The score, before the bound, of a response of `tokens` tokens; `centre` is c
 * above, in normalised units. */
double shaping_score(const struct shaping *s, double raw, double centre,
                     size_t tokens, bool is_eos);

/* Count, mean and sum of squared deviations of all scores of a run. */
struct score_moments {
    double n, mean, square;
};

/* Add n more (Chan, Golub, LeVeque 1979: the same in one piece or several, up
 * to rounding). */
void shaping_observe(struct score_moments *m, const double *score, size_t n);

/* Mean and deviation (n-1), as scorer_scale() has them. */
struct score_scale shaping_scale(const struct score_moments *m);

#endif

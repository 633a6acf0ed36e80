/*
 * reward_length.h - how scores go with length within a prompt.
 *
 * A ranking tells only differences within a prompt, so a reward model is free
 * to shift all scores of one, and scores of different prompts say nothing
 * about length.  The slope b is that of a regression with an intercept of its
 * own for every prompt i over its responses j,
 *
 *     r_ij = a_i + b L_ij + e_ij
 *     b = sum_ij l_ij (r_ij - mean_i r) / sum_ij l_ij^2, l_ij = L_ij - mean_i L
 *
 * in score per token; L counts the response's tokens, the end mark with them.
 * The standard error lets the errors of one prompt go together:
 *
 *     se^2 = G/(G-1) sum_i (sum_j l_ij e_ij)^2 / (sum_ij l_ij^2)^2
 *
 * over the G prompts whose responses are not all of one length.
 *
 * Taking b L from every score (a length_gain of -b, model/config.h) leaves
 * scores without a slope on the responses it was measured on.  It takes what
 * length is rightly worth, too, and knows nothing of other responses: a policy
 * may find length where the slope is another.
 */
#ifndef PLUMB_RLHF_REWARD_LENGTH_H
#define PLUMB_RLHF_REWARD_LENGTH_H

#include "rlhf/corpus.h"

struct reward_length_slope {
    double slope; // NaN without a prompt that tells
    double se;    // NaN without two
    size_t prompts;
};

/* Of the responses of records first..last-1; score [corpus->n_seq]. */
struct reward_length_slope reward_length_measure(const double *score,
                                                 const struct corpus *corpus,
                                                 size_t first, size_t last);

#endif

/*
 * reward_length.h - how scores go with length within a prompt.
 *
 * A ranking tells only differences within a prompt, so a reward model is free
 * to shift all scores of one, and scores of different prompts say nothing
 * about length.  The slope b is that of a regression with an intercept of its
 * own for every prompt i over its responses j (stat/regress.h),
 *
 *     r_ij = a_i + b L_ij + e_ij
 *
 * in score per token; L counts the response's tokens, the end mark with them.
 * Its standard error lets the errors of one prompt go together.
 *
 * Taking b L from every score (a gain of -b, io/score_length.h) leaves
 * scores without a slope on the responses it was measured on.  It takes what
 * length is rightly worth, too, and knows nothing of other responses: a policy
 * may find length where the slope is another.
 */
#ifndef PLUMB_RLHF_REWARD_LENGTH_H
#define PLUMB_RLHF_REWARD_LENGTH_H

#include "rlhf/corpus.h"

struct reward_length_slope {
    double slope; // NaN when no prompt has responses of different lengths
    double se;    // NaN with one prompt
};

/* Of the responses of records first..last-1; score [corpus->n_seq].
 * ERR_MEMORY is the only failure. */
enum status reward_length_measure(struct reward_length_slope *out,
                                  const double *score,
                                  const struct corpus *corpus, size_t first,
                                  size_t last, struct err *err) MUST_CHECK;

/* Do responses to one prompt, of these records, differ in length? */
bool reward_length_varies(const struct corpus *corpus, size_t first,
                          size_t last);

#endif

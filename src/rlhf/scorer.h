/*
 * scorer.h - models looking at finished responses: reward scores, values, and
 * two policies compared token by token.  Work is cut into fixed groups over
 * the team, so results do not depend on the thread count.
 */
#ifndef PLUMB_RLHF_SCORER_H
#define PLUMB_RLHF_SCORER_H

#include <stdbool.h>

#include "base/context.h"
#include "model/transformer.h"
#include "rlhf/batch.h"

/* score[i]: the reward model's number at the last real token of seq[i], and
 * what its scores owe to the response's length (io/score_length.h).
 * ERR_NUMERIC when one is not finite, so that no bound or mean downstream can
 * make a number of it. */
enum status scorer_score(double *score, const struct model *reward_model,
                         const struct sequence *seq, size_t n,
                         const struct context *context,
                         struct err *err) MUST_CHECK;

/* The same, and the state [n, C] of the last layer that each was read from. */
enum status scorer_states(double *score, float *state,
                          const struct model *reward_model,
                          const struct sequence *seq, size_t n,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

/*
 * value[offset[s] + t]: the value model's number for the state before token t
 * of seq[s]; after[s] (may be NULL) for the state after its last token.
 */
enum status scorer_values(float *value, float *after, const struct model *m,
                          const struct sequence *seq, size_t n,
                          const size_t *offset, const struct context *context,
                          struct err *err) MUST_CHECK;

/*
 * Every response token under a policy, a reference and perhaps more, in one
 * pass of each trunk.  Arrays are indexed offset[s] + t; what is NULL in `out`
 * is not computed.
 */
struct scorer_views {
    const struct model *policy, *reference;
    struct lmhead_pair out;       // nn/lmhead.h
    const struct model *previous; // another policy to compare with, or NULL
    float *kl_previous;           // exact KL to it
    const struct model *value;    // a score head on the policy's states, or
    float *values, *after;        // NULL; its numbers as scorer_values() has
};
/* How log-probabilities and everything of that distribution are computed. */
struct scorer_rule {
    double temperature;
    bool keeps_banned; // tokens that are never sampled stay in the softmax
};
enum status scorer_compare(const struct scorer_views *v,
                           const struct sequence *seq, size_t n,
                           const size_t *offset, const struct scorer_rule *rule,
                           const struct context *context,
                           struct err *err) MUST_CHECK;

/* The head of a policy under a rule. */
struct lmhead scorer_lmhead(const struct model *m,
                            const struct scorer_rule *rule);

/* Mean and deviation (n-1) of scores: the scale PPO's beta refers to.  A model
 * that says one thing always has a deviation of 1. */
struct score_scale {
    double mean, sd;
};
struct score_scale scorer_scale(const double *score, size_t n);

#endif

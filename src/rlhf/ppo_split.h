/*
 * ppo_split.h - the policy's gradient on one rollout, taken apart: what the
 * reward wants of the policy, what the KL penalty wants, what the value model
 * as a baseline adds, and what an entropy bonus does.
 *
 * GAE (rlhf/advantage.h) is linear in what tokens are paid and in the values,
 *
 *     A = A_reward(scores) + A_kl(reward_kl) + A_value(values)
 *
 * so with the constants of whitening as they are for the whole,
 * A_white = (A - shift) scale has the parts
 *
 *     reward  A_reward scale
 *     kl      A_kl scale
 *     value   (A_value - shift) scale      the mean counts to the baseline
 *
 * and the gradient of the surrogate, with the ratio and the bounds of the whole
 * (ppo_policy_gate), is linear in A_white.  Whitened rewards are
 * (reward - shift') scale': scale' multiplies the first two, the constant
 * -shift' scale' a slot is paid belongs to the third.  A penalty in the loss is
 * the kl part; the entropy bonus is a part of its own.  The whole comes from
 * the functions that training uses (rlhf/ppo_loss.h, rlhf/kl.h), in a pass of
 * its own, so that the sum of the parts can be held against it.
 *
 * The batch is one minibatch.  With the policy that drew it this is the
 * gradient of the first epoch, where every ratio is 1; with another one it has
 * the bounds that hold there.  Where a value head sits on the policy's trunk,
 * its loss moves the trunk too: that is not counted here.
 *
 * Predicted change.  A step of plain gradient descent of size lr along one
 * part alone changes, to first order, the mean log-probability of a token over
 * the batch's states by
 *
 *     -lr <grad mean_s log pi(token | s), g_part>
 *
 * which a second backward pass gives exactly.  Adam takes other steps; their
 * directions, and what the parts do to each other, are the same question.
 */
#ifndef PLUMB_RLHF_PPO_SPLIT_H
#define PLUMB_RLHF_PPO_SPLIT_H

#include "rlhf/ppo.h"
#include "rlhf/rollout.h"

enum split_part {
    SPLIT_REWARD,
    SPLIT_KL,
    SPLIT_VALUE,
    SPLIT_ENTROPY,
    SPLIT_WHOLE,
    SPLIT_PARTS // how many there are, the whole counted
};

/* "reward", "kl", "value", "entropy", "whole". */
const char *ppo_split_name(enum split_part part);

#define SPLIT_TOKENS 10     // the tokens that are told of
#define SPLIT_CANDIDATES 64 // are chosen among so many likely ones

/* A token and what each part does to its mean log-probability. */
struct split_token {
    int32_t token;
    double probability; // mean over the batch's states
    double change[SPLIT_PARTS];
};

struct ppo_split {
    double norm[SPLIT_PARTS]; // Euclidean, over the trainable parameters
    double cosine[SPLIT_PARTS][SPLIT_PARTS]; // NaN with a part that is zero
    double residual;                         // |sum of parts - whole| / |whole|
    double logp_error;                       // largest |log-prob now - r->logp|
    size_t states;
    struct split_token eos;
    /* Of the SPLIT_CANDIDATES tokens of the largest mean probability, those
     * whose mean log-probability the whole changes most, the most first.  The
     * choice is by a finite step, the numbers are exact. */
    struct split_token token[SPLIT_TOKENS];
    size_t n_token;
};

/* What is split.  `rollout` has been through rollout_advantages() with the
 * settings of `config`; its logp is the sampling policy's. */
struct split_input {
    const struct rollout *rollout;
    const struct model *policy;
    const struct ppo_config *config;
    double beta;
    double lr;
};

enum status ppo_split_run(struct ppo_split *out, const struct split_input *in,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

/* The parts' gradients, and the whole's, laid out as model_trainable():
 * grad[part] has room for each.  *logp_error as above. */
enum status ppo_split_gradients(float *const grad[SPLIT_PARTS],
                                double *logp_error,
                                const struct split_input *in,
                                const struct context *context,
                                struct err *err) MUST_CHECK;

/* The parts of the whitened advantage: part[SPLIT_REWARD], part[SPLIT_KL] and
 * part[SPLIT_VALUE] have r->slot[n] entries each.  Entries that are no
 * token's (r->is_real) are 0. */
enum status ppo_split_advantages(double *const part[SPLIT_ENTROPY],
                                 const struct rollout *r,
                                 const struct advantage_config *c,
                                 struct err *err) MUST_CHECK;

#endif

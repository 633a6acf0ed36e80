/*
 * ppo_trial.h - a few iterations of PPO that leave nothing behind: no run
 * directory, no trace, and the policy is thrown away.
 *
 * The iterations are those of ppo_run(), on models read in the same way.  What
 * is trained can be put back to where it was kept, so that several ways to go
 * on from one policy are compared:
 *
 *     ppo_trial_open(&t, &config, &stage, err);
 *     ppo_trial_keep(t);
 *     for each way to go on:
 *         ppo_trial_return(t);
 *         ppo_trial_settings(t)->kl.mode = ...;
 *         ppo_trial_step(&report, t, TRIAL_NO_SCORE, beta, err);  ...
 *         ppo_trial_kl(kl, t, prompts, n, err);
 *     ppo_trial_close(t);
 */
#ifndef PLUMB_RLHF_PPO_TRIAL_H
#define PLUMB_RLHF_PPO_TRIAL_H

#include "rlhf/ppo.h"

struct ppo_trial;

/*
 * `c` is a run's settings with c->model the policy to go on from (and
 * c->reference, when that is not its own reference); of `stage` seed, shards,
 * precision, data and context are used.  Responses may be as long as they are
 * at the run's end, the learning rate is constant after one iteration of
 * warm-up, and all values are 0 at first.
 */
enum status ppo_trial_open(struct ppo_trial **out, const struct ppo_config *c,
                           const struct stage *stage,
                           struct err *err) MUST_CHECK;
void ppo_trial_close(struct ppo_trial *t); // NULL is fine

/* The settings of the iterations to come.  Those of losses, advantages and the
 * penalty may be changed. */
struct ppo_config *ppo_trial_settings(struct ppo_trial *t);

/* Remember the policy as it is. */
void ppo_trial_keep(struct ppo_trial *t);

/* Go back to it: with new optimisers, a value model without knowledge, and the
 * prompts and random streams from the beginning. */
void ppo_trial_return(struct ppo_trial *t);

/*
 * From here on the policy takes steps of plain gradient descent of size `lr`,
 * without momentum or decay, of gradients whose norm is bounded by `clip` (0:
 * off).  Adam's steps are as long where
 * the gradient is nothing but noise; these are as long as the gradient is.
 */
void ppo_trial_descend(struct ppo_trial *t, double lr, double clip);

enum trial_score {
    TRIAL_SCORE,    // the reward model's
    TRIAL_NO_SCORE, // 0 for every response: nothing is left but the penalty
};

/* One iteration, and what its rollout was before the updates. */
struct trial_report {
    double kl;     // mean exact KL from the reference, nats per response
    double moved;  // mean of (logp - logp_old)^2 / 2 over the updates, summed
                   // over a response: KL that the updates stepped, nats
    double norm;   // mean norm of the policy's gradients, before any bound
    size_t tokens; // of its responses
};
enum status ppo_trial_step(struct trial_report *out, struct ppo_trial *t,
                           enum trial_score score, double beta,
                           struct err *err) MUST_CHECK;

/*
 * kl[i]: exact KL from the reference along one response to prompts[i], nats.
 * The responses come from the same random streams every time.  `prompts` are
 * in the policy's tokens.
 */
enum status ppo_trial_kl(double *kl, struct ppo_trial *t,
                         const struct sequence *prompts, size_t n,
                         struct err *err) MUST_CHECK;

#endif

/*
 * ppo_replay.h - an iteration's rollout, back from its trace file.
 *
 * rollouts/000123.jsonl.zst (io/trace.h) and the settings of the run hold all
 * that the updates of iteration 123 were made from, but the policy: that is
 * checkpoint 122.  The value model is not needed, since the trace has its
 * values.
 *
 * Rewards, advantages and their whitening are computed anew and held against
 * those of the trace: where they differ, the trace is of other settings than
 * these, and it is no use.
 */
#ifndef PLUMB_RLHF_PPO_REPLAY_H
#define PLUMB_RLHF_PPO_REPLAY_H

#include "rlhf/ppo.h"
#include "rlhf/rollout.h"

struct replay {
    struct rollout rollout; // but logp_sample, score_raw, kl, entropy, p_eos,
                            // p_eos_ref, kl_step and job
    int64_t step;
    double beta, temperature;
};

/* Largest |advantage_white - the trace's|: both are of order one and rounded
 * to float, the trace's from sums of up to max_new such floats. */
#define REPLAY_TOLERANCE 1e-4

/*
 * Read one file.  `prompts` and `corpus` are the run's (corpus_load() of
 * c->prompts), and the rollout keeps views of the corpus's tokens; tokens are
 * checked against V.  On failure `out` is untouched.
 * ERR_MISSING: no file.  ERR_FORMAT: corrupt.  ERR_MISMATCH: not made from
 * these prompts or with these settings; the text says what differs.
 */
enum status ppo_replay_read(struct replay *out, const char *path,
                            const struct ppo_config *c,
                            const struct dataset *prompts,
                            const struct corpus *corpus, size_t V,
                            struct err *err) MUST_CHECK;
/*
 * The policy that an iteration began with, as training had it: `checkpoint` of
 * the run, or the model that the run started from (NULL).  Of `stage` its seed
 * and precision are read, the run's.
 */
enum status ppo_replay_policy(struct model *out, const char *checkpoint,
                              const struct ppo_config *c,
                              const struct stage *stage,
                              struct err *err) MUST_CHECK;

/* Fine on a zeroed struct. */
void ppo_replay_free(struct replay *r);

#endif

/*
 * rollout.h - the responses of one PPO iteration and all that is known about
 * them.
 *
 * Arrays per token are indexed offset[i] + t for token t of response i; arrays
 * per slot (rlhf/advantage.h) slot[i] + t.  With the score at EOS, the
 * default, slots are the tokens.
 */
#ifndef PLUMB_RLHF_ROLLOUT_H
#define PLUMB_RLHF_ROLLOUT_H

#include <stdbool.h>

#include "model/generate.h"
#include "rlhf/advantage.h"
#include "rlhf/batch.h"
#include "rlhf/kl.h"
#include "rlhf/reward_reader.h"
#include "rlhf/shaping.h"

struct rollout {
    size_t n;                 // responses
    size_t max_new;           // room for tokens of each
    size_t *prompt;           // [n] index of the prompt in its data set
    size_t *sample;           // [n] which sample of that prompt
    struct sequence *seq;     // [n]
    struct generate_job *job; // [n]
    bool *is_eos;             // [n]
    size_t *offset;           // [n+1]
    size_t *slot;             // [n+1]
    size_t *trained; // [n] tokens that losses see: all, or all but the EOS
    int32_t *token;  // [n * max_new], response i at i * max_new
    double *score_raw, *score; // [n]
    float *after_value;        // [n] of the state after the last token
    double *score_sd;     // [n] over several reward models (rlhf/ensemble.h)
    size_t score_clipped; // scores that met their bound
    /* per token */
    float *logp_sample; // as drawn, response i at i * max_new until packed
    float *logp, *logp_ref, *kl, *entropy, *p_eos, *p_eos_ref;
    float *kl_step;     // exact KL to the previous policy
    float *state_value; // of the state before the token
    float *reward_kl;
    /* per slot */
    float *value, *reward, *advantage, *advantage_white, *ret;
    uint8_t *is_real;                  // a token's slot, not padding
    struct whitening whitening;        // of the tokens' advantages
    struct whitening reward_whitening; // of the slots' rewards
    size_t kl_clamped; // estimates in the reward that met their bound
};

/* Room for n responses of up to max_new tokens. */
enum status rollout_create(struct rollout *out, size_t n, size_t max_new,
                           struct err *err) MUST_CHECK;
void rollout_free(struct rollout *r);

/*
 * Draw response i to prompts[r->prompt[i]], sample r->sample[i], from its own
 * random stream (seed, purpose, step, prompt, sample), and fill seq, offset,
 * is_eos and logp_sample.
 */
enum status rollout_sample(struct rollout *r, const struct model *policy,
                           const struct sequence *prompts, size_t samples,
                           const struct sampling *how, uint64_t seed,
                           enum rng_purpose purpose, int64_t step,
                           const struct context *context,
                           struct err *err) MUST_CHECK;

/* Fill score_raw.  `records` are what r->prompt counts in.  Fails as
 * reward_reader_score() does. */
enum status rollout_score(struct rollout *r, const struct reward_reader *reward,
                          const struct record *records,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

/* Fill score and score_clipped from score_raw (rlhf/shaping.h); centre [n]. */
void rollout_shape(struct rollout *r, const struct shaping *s,
                   const double *centre);

/*
 * The best of every `best_of` responses of `all`, which has been sampled and
 * scored and whose number is a multiple of it: response i of `out` is the one
 * of all's i * best_of .. with the highest score_raw, the first of equals.
 * `out` is created, and has what sampling and scoring fill in; its samples
 * count the groups of a prompt.  It keeps nothing of `all`.
 */
enum status rollout_best(struct rollout *out, const struct rollout *all,
                         size_t best_of, struct err *err) MUST_CHECK;

/* The responses as a reward model is given them. */
struct reward_replies rollout_replies(const struct rollout *r,
                                      const struct record *records);

/*
 * Fill logp, logp_ref, kl, entropy, p_eos and p_eos_ref, before any update;
 * `previous` (may be NULL) fills kl_step, and `value` (may be NULL), a value
 * head on the policy's trunk, state_value and after_value.
 */
enum status
rollout_compare(struct rollout *r, const struct model *policy,
                const struct model *reference, const struct model *previous,
                const struct model *value, const struct scorer_rule *rule,
                const struct context *context, struct err *err) MUST_CHECK;

/* The largest |exp(logp - logp_sample) - 1|: how far what was sampled is from
 * what training computes.  NaN counts as infinite. */
double rollout_ratio_error(const struct rollout *r);

/* state_value and after_value from a value model with a trunk of its own. */
enum status rollout_values(struct rollout *r, const struct model *value,
                           const struct context *context,
                           struct err *err) MUST_CHECK;

/* With these there: fill slot, is_real, value, reward_kl, reward, advantage,
 * advantage_white, ret, whitening, kl_clamped and trained.  Returns belong to
 * the advantages before whitening; padding slots do not enter its mean and
 * deviation.  With c->mask_eos an EOS is no token of its response: it is paid
 * nothing, not even its share of the KL, its advantage is 0, and the score
 * stands at the token before it (a response that is EOS alone is not paid). */
void rollout_advantages(struct rollout *r, const struct advantage_config *c,
                        const struct kl_config *kl, double beta);

#endif

/*
 * advantage.h - what each token was paid, and how much better than expected.
 *
 * Time index: value[t] judges the state before token t, reward[t] is paid for
 * emitting token t; nothing is shifted by one.  Arrays of one response have
 * `slots` entries: its tokens, plus one for SCORE_AFTER_EOS, or as many as
 * max_new for SCORE_LAST_SLOT (advantage_slots); slots past the tokens have
 * value 0 unless the caller knows one.
 */
#ifndef PLUMB_RLHF_ADVANTAGE_H
#define PLUMB_RLHF_ADVANTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum score_position {
    SCORE_AT_EOS,    // the last real token (OpenRLHF, verl)
    SCORE_AFTER_EOS, // the slot after it (TRL's experimental trainer)
    SCORE_LAST_SLOT, // the last slot of a fixed width (lm-human-preferences)
};

enum whiten {
    WHITEN_OFF,
    WHITEN_UNBIASED,
    WHITEN_BIASED
};

struct advantage_config {
    double gamma, lambda;
    int score_position; // enum score_position
    int whiten;         // advantages: enum whiten
    int whiten_reward;  // rewards before GAE, scale only: enum whiten
    double whiten_eps;
    bool mask_eos; // the EOS is outside every loss (a fault; rlhf/rollout.h)
};

/* Slots a response of `len` <= max_new tokens occupies: len, len + 1 (len when
 * it filled max_new and has no room for another), or max_new. */
size_t advantage_slots(enum score_position p, size_t len, size_t max_new);

/*
 * reward[slots] = reward_kl for the tokens, 0 beyond, plus `score` at its
 * position (SCORE_AFTER_EOS: slot len, or the last token when the response
 * filled max_new).  slots >= advantage_slots(p, len, max_new); a response
 * without any slot is not paid.
 */
void advantage_rewards(float *reward, const float *reward_kl, size_t len,
                       size_t slots, double score, enum score_position p,
                       size_t max_new);

/*
 * GAE (Schulman et al. 2016, eq. 16):
 *     delta[t] = reward[t] + gamma * value[t+1] - value[t]
 *     adv[t]   = delta[t]  + gamma * lambda * adv[t+1]
 *     ret[t]   = adv[t]    + value[t]
 * past the last slot value and adv are 0, also for a response that was cut at
 * max_new: the score is paid for the response as it stands, so nothing comes
 * after it, and a value there would pay twice.  mask (NULL: all ones) skips
 * slots: a masked slot is passed over, not discounted, and its outputs are 0.
 *   adv, ret       out [slots]  no overlap with the inputs
 *   reward, value  in  [slots]  score units
 *   gamma, lambda               in [0,1]
 * Computed in double.  Cannot fail.
 */
void advantage_gae(float *adv, float *ret, const float *reward,
                   const float *value, const uint8_t *mask, size_t slots,
                   double gamma, double lambda);

/*
 * (x - mean) / sqrt(var + eps) over all entries where mask is not 0 (NULL: all
 * ones); others become 0 and are never read.  keep_mean adds the mean back
 * (scale only).  out may be x.  Returns the constants used, for the record:
 * out = (x - shift) * scale.  WHITEN_OFF copies (shift 0, scale 1) and reports
 * the unbiased deviation; fewer entries than the variance needs: deviation 0.
 */
struct whitening {
    double mean, sd; // before
    double shift, scale;
};
struct whitening advantage_whiten(float *out, const float *x,
                                  const uint8_t *mask, size_t n,
                                  enum whiten kind, bool keep_mean, double eps);

/* Leave-one-out baseline: adv[i] = n/(n-1) * (score[i] - mean).  One score
 * alone has no others to be compared with and stays as it is. */
void advantage_rloo(double *adv, const double *score, size_t n);

#endif

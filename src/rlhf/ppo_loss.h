/*
 * ppo_loss.h - the clipped surrogate, its plain policy-gradient twin, the
 * value loss, and how per-token losses become one number.
 *
 * Every loss is sum_t weight[t] * l[t]; `weight` comes from ppo_weights() for
 * the whole minibatch, so that a gradient does not depend on how the
 * minibatch is cut into shards.
 */
#ifndef PLUMB_RLHF_PPO_LOSS_H
#define PLUMB_RLHF_PPO_LOSS_H

#include <stddef.h>
#include <stdint.h>

enum objective {
    OBJECTIVE_CLIP, // Schulman et al. 2017
    OBJECTIVE_PG,   // -A * logp: no ratio, no clip
};

enum loss_aggregation {
    AGG_TOKEN_MEAN,   // sum / tokens of the minibatch
    AGG_TOKEN_SUM,    // sum
    AGG_SEQ_SUM,      // mean over sequences of token sums
    AGG_SEQ_SUM_NORM, // sequence sums / (sequences * max_new)
    AGG_SEQ_MEAN,     // mean over sequences of token means
};

struct ppo_loss_config {
    int objective;     // enum objective
    double clip_low;   // ratio bounds 1 - clip_low, 1 + clip_high; INFINITY
    double clip_high;  // switches the bound off
    double dual_clip;  // c > 1: for A < 0 the loss is at most c|A|; 0: off
    double value_clip; // value moves at most this from its old one; 0: off
    double value_coef;
    double entropy_coef; // bonus: subtracted from the loss
    int aggregation;     // enum loss_aggregation
};

/*
 * weight[t] for sequences start[0..n_seq] (tokens of sequence s are
 * start[s]..start[s+1]-1).  max_new is AGG_SEQ_SUM_NORM's constant.  An empty
 * sequence has no token to weigh but counts among the n_seq.
 */
void ppo_weights(float *weight, const size_t *start, size_t n_seq,
                 enum loss_aggregation mode, size_t max_new);

/* Sums over tokens, to be added over shards; ppo_report.c divides. */
struct ppo_stats {
    double policy_loss, value_loss, entropy_loss, kl_loss; // weighted sums
    double tokens, slots;          // of the policy loss, of the value loss
    double ratio, ratio_max_error; // sum, max |ratio - 1|
    double approx_kl;              // sum of (logp - logp_old)^2 / 2
    double policy_kl;              // sum of logp_old - logp
    /* tokens by cell: sign of A, where the ratio lies; [0] A >= 0, [1] A < 0;
     * second index below / inside / above the bounds */
    double cell[2][3];
    double clipped; // tokens whose clipped loss is the larger one
    double dual_clipped;
    double value_clipped;    // slots
    double exponent_clamped; // tokens with |logp - logp_old| > 20
    double kl_clamped;       // KL estimates in the loss that met their bound
};
void ppo_stats_add(struct ppo_stats *sum, const struct ppo_stats *part);

/*
 * ratio = exp(logp - logp_old), exponent clamped to +-20 and counted; beyond
 * it the clipped objective is constant and adds no derivative.
 *     clip: l = max(-A ratio, -A clip(ratio, 1 - low, 1 + high)),
 *           for A < 0 and dual_clip: min(that, -A dual_clip)
 *     pg:   l = -A logp
 * ADDS dl/dlogp * weight to dlogp and the sums to stats.  A NaN goes through
 * to both.
 */
void ppo_policy_loss(float *dlogp, struct ppo_stats *stats, const float *logp,
                     const float *logp_old, const float *adv,
                     const float *weight, size_t n,
                     const struct ppo_loss_config *c);

/*
 * What a token's policy loss leaves of its gradient: dl/dlogp = -adv * this,
 * which is the ratio (pg: 1), or 0 where a bound holds the loss.  With it
 * fixed, the gradient is linear in the advantage.
 */
double ppo_policy_gate(double adv, double logp, double logp_old,
                       const struct ppo_loss_config *c);

/*
 * l = 1/2 max((v - ret)^2, (clip(v, v_old +- value_clip) - ret)^2).  SETS
 * dvalue[t] = value_coef * weight[t] * dl/dv; stats->value_loss is without the
 * coefficient.
 */
void ppo_value_loss(float *dvalue, struct ppo_stats *stats, const float *value,
                    const float *value_old, const float *ret,
                    const float *weight, size_t n,
                    const struct ppo_loss_config *c);

#endif

/*
 * kl.h - the penalty that ties the policy to its reference.
 *
 * With d = logp - logp_ref on the sampled token, sampled from the policy
 * (Schulman 2020):
 *     k1 = d      k2 = d^2 / 2      k3 = exp(-d) - 1 + d
 *
 * Where it acts (kl_mode).  In the reward the value is a constant of the
 * update: reward_kl[t] = -beta * estimate.  In the loss it is differentiated.
 * Expected gradients on-policy (docs and tests/rlhf/test_identities.c, exact by
 * enumeration): k1 in the reward and k2 in the loss give grad KL(policy ||
 * reference); k3 in the loss gives grad KL(reference || policy); k1 in the
 * loss gives zero; k3 in the reward gives their difference, which cancels to
 * first order.  The modes that do not work exist because peers have them and
 * a diagnosis must be able to plant them.
 */
#ifndef PLUMB_RLHF_KL_H
#define PLUMB_RLHF_KL_H

#include <stdbool.h>
#include <stddef.h>

enum kl_mode {
    KL_K1_REWARD,
    KL_K2_LOSS,
    KL_K3_LOSS,
    KL_K1_LOSS,
    KL_K3_REWARD,
    KL_K1_CLAMP, // max(0, k1) in the reward
};

enum kl_control {
    KL_FIXED,
    KL_ADAPTIVE,
    KL_BUDGET
};

struct kl_config {
    double beta;      // penalty coefficient, per unit of normalised score
    double beta_end;  // it moves there linearly over the run; below 0: it stays
    int mode;         // enum kl_mode
    int control;      // enum kl_control
    double target;    // adaptive, budget: nats per sequence
    double gain;      // budget: how strongly it reacts
    double horizon;   // adaptive: episodes
    double max_error; // adaptive: relative error is clipped to +-this
    double budget;    // stop when mean KL per sequence exceeds it; 0: off
    double clamp;     // |estimate| per token bound, counted; 0: off
};

double kl_k1(double logp, double logp_ref);
double kl_k2(double logp, double logp_ref);
double kl_k3(double logp, double logp_ref); // through expm1

bool kl_in_reward(enum kl_mode mode);

/* The number a mode charges for one token, before any clamp, and its
 * derivative by logp, which is 0 for modes in the reward.  kl_reward and
 * kl_loss are made of these two. */
double kl_estimate(enum kl_mode mode, double logp, double logp_ref);
double kl_derivative(enum kl_mode mode, double logp, double logp_ref);

/* How many of n estimates the configured clamp bounds: zero when it is off.
 * The count that goes with kl_loss. */
size_t kl_count_clamped(const float *logp, const float *logp_ref, size_t n,
                        const struct kl_config *c);

/* reward_kl[t] = -beta * estimate[t] for modes in the reward, else 0.
 * Returns how many estimates were clamped. */
size_t kl_reward(float *reward_kl, const float *logp, const float *logp_ref,
                 size_t n, const struct kl_config *c, double beta);

/*
 * Modes in the loss: returns beta * sum_t weight[t] * estimate[t] and adds its
 * derivative by logp[t] to dlogp[t].  Modes in the reward: 0, nothing added.
 * A clamped estimate is the constant it was clamped to and adds no derivative.
 */
double kl_loss(float *dlogp, const float *logp, const float *logp_ref,
               const float *weight, size_t n, const struct kl_config *c,
               double beta);

#define KL_LEAD 4.0 // iterations

/*
 * Coefficient for the next iteration (Ziegler et al. 2019, section 2.2):
 *     error = clip(kl / target - 1, -max_error, +max_error)
 *     beta <- beta * (1 + error * episodes / horizon)
 * kl: mean over sequences of the summed k1, nats.  Its gain per iteration is
 * episodes / horizon: at 0.0064 (64 and 10000) beta hardly moves in 60
 * iterations; horizon = 2 * episodes makes it 0.5.
 *
 * A budget reacts to every iteration, looks ahead, and is never cheaper than
 * what was asked for, c->beta:
 *     ahead = kl + KL_LEAD * (kl - previous)
 *     error = clip(ahead / target - 1, -1, 1)
 *     beta <- max(c->beta, beta * exp(gain * error))
 * kl: mean over sequences of the exact KL, nats, which is less noisy;
 * previous: that of the iteration before.  Far below the target this is the
 * fixed coefficient; near it, beta rises until the policy goes no further.
 * Without the look ahead KL overshoots the target twofold, since a policy
 * follows beta some iterations late.
 *
 * Fixed control returns beta.
 */
double kl_next_beta(double beta, double kl, double previous, double episodes,
                    const struct kl_config *c);

#endif

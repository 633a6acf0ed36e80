#include "rlhf/kl.h"

#include <assert.h>
#include <math.h>

double kl_k1(double logp, double logp_ref)
{
    return logp - logp_ref;
}

double kl_k2(double logp, double logp_ref)
{
    double d = logp - logp_ref;
    return 0.5 * d * d;
}

double kl_k3(double logp, double logp_ref)
{
    /* exp(-d) - 1 and d nearly cancel where the policies are close, which is
     * where k3 is wanted; expm1 keeps their difference. */
    double d = logp - logp_ref;
    return expm1(-d) + d;
}

bool kl_in_reward(enum kl_mode mode)
{
    return mode == KL_K1_REWARD || mode == KL_K3_REWARD || mode == KL_K1_CLAMP;
}

double kl_estimate(enum kl_mode mode, double logp, double logp_ref)
{
    switch (mode) {
    case KL_K2_LOSS:
        return kl_k2(logp, logp_ref);
    case KL_K3_LOSS:
    case KL_K3_REWARD:
        return kl_k3(logp, logp_ref);
    case KL_K1_CLAMP:
        /* Not fmax, which would turn a NaN into a harmless-looking 0. */
        return logp < logp_ref ? 0.0 : kl_k1(logp, logp_ref);
    case KL_K1_REWARD:
    case KL_K1_LOSS:
        break;
    }
    return kl_k1(logp, logp_ref);
}

double kl_derivative(enum kl_mode mode, double logp, double logp_ref)
{
    switch (mode) {
    case KL_K1_LOSS:
        return 1.0;
    case KL_K2_LOSS:
        return logp - logp_ref;
    case KL_K3_LOSS:
        return -expm1(logp_ref - logp);
    case KL_K1_REWARD:
    case KL_K3_REWARD:
    case KL_K1_CLAMP:
        break;
    }
    return 0.0;
}

/* Whether the bound is on and the estimate lies outside it. */
static bool is_clamped(double estimate, const struct kl_config *c)
{
    return c->clamp > 0.0 && fabs(estimate) > c->clamp;
}

size_t kl_count_clamped(const float *logp, const float *logp_ref, size_t n,
                        const struct kl_config *c)
{
    size_t count = 0;
    for (size_t t = 0; t < n; t++) {
        double estimate = kl_estimate((enum kl_mode)c->mode, (double)logp[t],
                                      (double)logp_ref[t]);
        if (is_clamped(estimate, c))
            count++;
    }
    return count;
}

size_t kl_reward(float *reward_kl, const float *logp, const float *logp_ref,
                 size_t n, const struct kl_config *c, double beta)
{
    enum kl_mode mode = (enum kl_mode)c->mode;
    size_t clamped = 0;
    for (size_t t = 0; t < n; t++) {
        reward_kl[t] = 0.0F;
        if (!kl_in_reward(mode))
            continue;
        double estimate =
            kl_estimate(mode, (double)logp[t], (double)logp_ref[t]);
        if (is_clamped(estimate, c)) {
            estimate = copysign(c->clamp, estimate);
            clamped++;
        }
        reward_kl[t] = (float)(-beta * estimate);
    }
    return clamped;
}

double kl_loss(float *dlogp, const float *logp, const float *logp_ref,
               const float *weight, size_t n, const struct kl_config *c,
               double beta)
{
    enum kl_mode mode = (enum kl_mode)c->mode;
    if (kl_in_reward(mode))
        return 0.0;
    double loss = 0.0;
    for (size_t t = 0; t < n; t++) {
        double now = (double)logp[t];
        double ref = (double)logp_ref[t];
        double estimate = kl_estimate(mode, now, ref);
        double slope = kl_derivative(mode, now, ref);
        if (is_clamped(estimate, c)) {
            estimate = copysign(c->clamp, estimate);
            slope = 0.0;
        }
        loss += (double)weight[t] * estimate;
        dlogp[t] = (float)((double)dlogp[t] + beta * (double)weight[t] * slope);
    }
    return beta * loss;
}

/* x within [low, high]; a NaN is passed on and not turned into a bound. */
static double clip(double x, double low, double high)
{
    if (x < low)
        return low;
    return x > high ? high : x;
}

double kl_next_beta(double beta, double kl, double previous, double episodes,
                    const struct kl_config *c)
{
    if (c->control == KL_FIXED)
        return beta;
    assert(c->target > 0.0);
    if (c->control == KL_BUDGET) {
        double ahead = kl + KL_LEAD * (kl - previous);
        double error = clip(ahead / c->target - 1.0, -1.0, 1.0);
        double next = beta * exp(c->gain * error);
        return next < c->beta ? c->beta : next;
    }
    assert(c->horizon > 0.0);
    double error = clip(kl / c->target - 1.0, -c->max_error, c->max_error);
    return beta * (1.0 + error * episodes / c->horizon);
}

#include "rlhf/ppo_loss.h"

#include <math.h>
#include <stdbool.h>

/* exp(20) is 5e8: far outside anything a working run shows, far inside what
 * float holds. */
static const double exponent_max = 20.0;

static double sequence_weight(enum loss_aggregation mode, size_t len,
                              size_t tokens, size_t n_seq, size_t max_new)
{
    switch (mode) {
    case AGG_TOKEN_MEAN:
        return 1.0 / (double)tokens;
    case AGG_SEQ_SUM:
        return 1.0 / (double)n_seq;
    case AGG_SEQ_SUM_NORM:
        return 1.0 / ((double)n_seq * (double)max_new);
    case AGG_SEQ_MEAN:
        return 1.0 / ((double)n_seq * (double)len);
    case AGG_TOKEN_SUM:
        break;
    }
    return 1.0;
}

void ppo_weights(float *weight, const size_t *start, size_t n_seq,
                 enum loss_aggregation mode, size_t max_new)
{
    size_t tokens = start[n_seq] - start[0];
    for (size_t s = 0; s < n_seq; s++) {
        size_t len = start[s + 1] - start[s];
        if (len == 0)
            continue;
        float w = (float)sequence_weight(mode, len, tokens, n_seq, max_new);
        for (size_t t = start[s]; t < start[s + 1]; t++)
            weight[t] = w;
    }
}

/* *top = max(*top, x), where a NaN on either side survives, unlike in fmax. */
static void raise_to(double *top, double x)
{
    if (x > *top || isnan(x))
        *top = x;
}

void ppo_stats_add(struct ppo_stats *sum, const struct ppo_stats *part)
{
    sum->policy_loss += part->policy_loss;
    sum->value_loss += part->value_loss;
    sum->entropy_loss += part->entropy_loss;
    sum->kl_loss += part->kl_loss;
    sum->tokens += part->tokens;
    sum->slots += part->slots;
    sum->ratio += part->ratio;
    raise_to(&sum->ratio_max_error, part->ratio_max_error);
    sum->approx_kl += part->approx_kl;
    sum->policy_kl += part->policy_kl;
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 3; b++)
            sum->cell[a][b] += part->cell[a][b];
    sum->clipped += part->clipped;
    sum->dual_clipped += part->dual_clipped;
    sum->value_clipped += part->value_clipped;
    sum->exponent_clamped += part->exponent_clamped;
    sum->kl_clamped += part->kl_clamped;
}

static double clamp(double x, double low, double high)
{
    if (x < low)
        return low;
    return x > high ? high : x;
}

/* A loss and its derivative by logp (by the value, for the value loss). */
struct slope {
    double loss, d;
};

/* The clipped surrogate of one token.  Wherever a constant takes over from
 * the ratio the derivative is 0; where both agree the ratio's is taken. */
static struct slope clip_token(struct ppo_stats *stats, double adv,
                               double ratio, const struct ppo_loss_config *c)
{
    struct slope s = {.loss = -adv * ratio, .d = -adv * ratio};
    double clipped = -adv * clamp(ratio, 1.0 - c->clip_low, 1.0 + c->clip_high);
    if (clipped > s.loss) {
        s = (struct slope){.loss = clipped};
        stats->clipped += 1.0;
    }
    if (adv < 0.0 && c->dual_clip > 0.0 && s.loss > -adv * c->dual_clip) {
        s = (struct slope){.loss = -adv * c->dual_clip};
        stats->dual_clipped += 1.0;
    }
    return s;
}

static void count_token(struct ppo_stats *stats, double adv, double ratio,
                        double change, const struct ppo_loss_config *c)
{
    size_t where = 1;
    if (ratio < 1.0 - c->clip_low)
        where = 0;
    else if (ratio > 1.0 + c->clip_high)
        where = 2;
    stats->cell[adv < 0.0][where] += 1.0;
    stats->tokens += 1.0;
    stats->ratio += ratio;
    raise_to(&stats->ratio_max_error, fabs(ratio - 1.0));
    stats->approx_kl += 0.5 * change * change;
    stats->policy_kl -= change;
}

void ppo_policy_loss(float *dlogp, struct ppo_stats *stats, const float *logp,
                     const float *logp_old, const float *adv,
                     const float *weight, size_t n,
                     const struct ppo_loss_config *c)
{
    for (size_t t = 0; t < n; t++) {
        double a = (double)adv[t];
        double w = (double)weight[t];
        double change = (double)logp[t] - (double)logp_old[t];
        double exponent = clamp(change, -exponent_max, exponent_max);
        double ratio = exp(exponent);
        count_token(stats, a, ratio, change, c);

        struct slope s = {.loss = -a * (double)logp[t], .d = -a};
        if (c->objective == OBJECTIVE_CLIP) {
            s = clip_token(stats, a, ratio, c);
            if (fabs(change) > exponent_max)
                s.d = 0.0;
        }
        if (fabs(change) > exponent_max)
            stats->exponent_clamped += 1.0;
        stats->policy_loss += w * s.loss;
        dlogp[t] = (float)((double)dlogp[t] + w * s.d);
    }
}

double ppo_policy_gate(double adv, double logp, double logp_old,
                       const struct ppo_loss_config *c)
{
    if (c->objective == OBJECTIVE_PG)
        return 1.0;
    struct ppo_stats held = {.clipped = 0.0};
    double change = logp - logp_old;
    double ratio = exp(clamp(change, -exponent_max, exponent_max));
    (void)clip_token(&held, adv, ratio, c);
    bool is_open = held.clipped == 0.0 && held.dual_clipped == 0.0 &&
                   !(fabs(change) > exponent_max);
    return is_open ? ratio : 0.0;
}

static struct slope value_token(struct ppo_stats *stats, double value,
                                double value_old, double ret,
                                const struct ppo_loss_config *c)
{
    double off = value - ret;
    struct slope s = {.loss = 0.5 * off * off, .d = off};
    if (!(c->value_clip > 0.0))
        return s;
    double off_clipped =
        clamp(value, value_old - c->value_clip, value_old + c->value_clip) -
        ret;
    double clipped = 0.5 * off_clipped * off_clipped;
    /* Larger only when the clip acted, and then it is a constant. */
    if (clipped > s.loss) {
        s = (struct slope){.loss = clipped};
        stats->value_clipped += 1.0;
    }
    return s;
}

void ppo_value_loss(float *dvalue, struct ppo_stats *stats, const float *value,
                    const float *value_old, const float *ret,
                    const float *weight, size_t n,
                    const struct ppo_loss_config *c)
{
    for (size_t t = 0; t < n; t++) {
        double w = (double)weight[t];
        struct slope s = value_token(stats, (double)value[t],
                                     (double)value_old[t], (double)ret[t], c);
        stats->value_loss += w * s.loss;
        stats->slots += 1.0;
        dvalue[t] = (float)(c->value_coef * w * s.d);
    }
}

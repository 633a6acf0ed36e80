#include "rlhf/advantage.h"

#include <assert.h>
#include <math.h>

size_t advantage_slots(enum score_position p, size_t len, size_t max_new)
{
    assert(len <= max_new);
    if (p == SCORE_LAST_SLOT)
        return max_new;
    if (p == SCORE_AFTER_EOS && len < max_new)
        return len + 1;
    return len;
}

void advantage_rewards(float *reward, const float *reward_kl, size_t len,
                       size_t slots, double score, enum score_position p,
                       size_t max_new)
{
    assert(len <= slots);
    for (size_t t = 0; t < slots; t++)
        reward[t] = t < len ? reward_kl[t] : 0.0F;
    /* Every position is the last of the slots it asks for: that is what the
     * extra ones are there for.  A response that has none is paid nothing. */
    size_t needed = advantage_slots(p, len, max_new);
    assert(needed <= slots);
    if (needed > 0)
        reward[needed - 1] = (float)((double)reward[needed - 1] + score);
}

void advantage_gae(float *adv, float *ret, const float *reward,
                   const float *value, const uint8_t *mask, size_t slots,
                   double gamma, double lambda)
{
    double adv_next = 0.0;
    double value_next = 0.0;
    for (size_t t = slots; t-- > 0;) {
        if (mask && !mask[t]) {
            /* The carries stay as they are, so the neighbours of a gap see
             * each other as if it were not there. */
            adv[t] = 0.0F;
            ret[t] = 0.0F;
            continue;
        }
        double v = (double)value[t];
        double delta = (double)reward[t] + gamma * value_next - v;
        adv_next = delta + gamma * lambda * adv_next;
        value_next = v;
        adv[t] = (float)adv_next;
        ret[t] = (float)(adv_next + v);
    }
}

/* Mean and the sum of squares about it, in two passes: one pass would lose
 * the variance of scores that are large and close together. */
static double sum_squares(double *mean, double *count, const float *x,
                          const uint8_t *mask, size_t n)
{
    double sum = 0.0;
    double kept = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (mask && !mask[i])
            continue;
        sum += (double)x[i];
        kept += 1.0;
    }
    double m = kept > 0.0 ? sum / kept : 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (mask && !mask[i])
            continue;
        double off = (double)x[i] - m;
        squares += off * off;
    }
    *mean = m;
    *count = kept;
    return squares;
}

struct whitening advantage_whiten(float *out, const float *x,
                                  const uint8_t *mask, size_t n,
                                  enum whiten kind, bool keep_mean, double eps)
{
    double mean;
    double count;
    double squares = sum_squares(&mean, &count, x, mask, n);
    double freedom = kind == WHITEN_BIASED ? count : count - 1.0;
    double var = freedom > 0.0 ? squares / freedom : 0.0;

    struct whitening w = {.mean = mean, .sd = sqrt(var), .scale = 1.0};
    if (kind != WHITEN_OFF) {
        double floor = var + eps;
        w.scale = floor > 0.0 ? 1.0 / sqrt(floor) : 1.0;
        w.shift = keep_mean ? mean - mean / w.scale : mean;
    }
    for (size_t i = 0; i < n; i++) {
        bool kept = !mask || mask[i];
        out[i] = kept ? (float)(((double)x[i] - w.shift) * w.scale) : 0.0F;
    }
    return w;
}

void advantage_rloo(double *adv, const double *score, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += score[i];
    double mean = n > 1 ? sum / (double)n : 0.0;
    double factor = n > 1 ? (double)n / (double)(n - 1) : 1.0;
    for (size_t i = 0; i < n; i++)
        adv[i] = factor * (score[i] - mean);
}

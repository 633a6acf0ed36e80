#include "rlhf/reward_heads.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/adamw.h"
#include "nn/ops.h"
#include "rlhf/schedule.h"

static double mean_of(const double *x, size_t first, size_t end)
{
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += x[i];
    return end > first ? sum / (double)(end - first) : 0;
}

double reward_heads_correlation(double *dx, double coefficient, const double *x,
                                const double *y, const size_t *at,
                                size_t n_group)
{
    double xx = 0, yy = 0, xy = 0;
    for (size_t g = 0; g < n_group; g++) {
        double mean_x = mean_of(x, at[g], at[g + 1]);
        double mean_y = mean_of(y, at[g], at[g + 1]);
        for (size_t i = at[g]; i < at[g + 1]; i++) {
            xx += (x[i] - mean_x) * (x[i] - mean_x);
            yy += (y[i] - mean_y) * (y[i] - mean_y);
            xy += (x[i] - mean_x) * (y[i] - mean_y);
        }
    }
    if (!(xx > 0 && yy > 0))
        return NAN;
    double corr = xy / (sqrt(xx) * sqrt(yy));
    for (size_t g = 0; dx != NULL && g < n_group; g++) {
        double mean_x = mean_of(x, at[g], at[g + 1]);
        double mean_y = mean_of(y, at[g], at[g + 1]);
        /* Deviations sum to zero in a group, so a mean's own derivative adds
         * nothing. */
        for (size_t i = at[g]; i < at[g + 1]; i++)
            dx[i] += coefficient * ((y[i] - mean_y) / (sqrt(xx) * sqrt(yy)) -
                                    corr * (x[i] - mean_x) / xx);
    }
    return corr;
}

double reward_heads_cosine(float *dq, float *ds, double coefficient,
                           const float *q, const float *s, size_t C)
{
    double qq = 0, ss = 0, qs = 0;
    for (size_t c = 0; c < C; c++) {
        qq += (double)q[c] * (double)q[c];
        ss += (double)s[c] * (double)s[c];
        qs += (double)q[c] * (double)s[c];
    }
    if (!(qq > 0 && ss > 0))
        return NAN;
    double norms = sqrt(qq) * sqrt(ss);
    for (size_t c = 0; c < C; c++) {
        double by_q = (double)s[c] / norms - qs / norms * (double)q[c] / qq;
        double by_s = (double)q[c] / norms - qs / norms * (double)s[c] / ss;
        dq[c] += (float)(coefficient * by_q);
        ds[c] += (float)(coefficient * by_s);
    }
    return qs / norms;
}

/* ---- the length head ---------------------------------------------------- */

enum status reward_heads_create(struct reward_heads *out, size_t C,
                                size_t shards, size_t n_item, size_t n_seq,
                                uint64_t seed, struct err *err)
{
    enum status status = OK;
    struct reward_heads h = {.C = C, .shards = shards};
    struct rng rng;
    TRY_DONE(MEM_NEW(h.w, C, err));
    TRY_DONE(MEM_NEW(h.m, C, err));
    TRY_DONE(MEM_NEW(h.v, C, err));
    TRY_DONE(MEM_NEW(h.grad, shards * C, err));
    TRY_DONE(MEM_NEW(h.at, n_item + 1, err));
    TRY_DONE(MEM_NEW(h.quality, n_seq, err));
    TRY_DONE(MEM_NEW(h.length, n_seq, err));
    TRY_DONE(MEM_NEW(h.dquality, n_seq, err));
    TRY_DONE(MEM_NEW(h.dlength, n_seq, err));
    TRY_DONE(MEM_NEW(h.tokens, n_seq, err));
    /* Stream 0 is the quality head's. */
    rng_init(&rng, seed, RNG_INIT, PARAM_SCORE, 1);
    for (size_t c = 0; c < C; c++)
        h.w[c] = (float)(0.02 * rng_normal(&rng));
    *out = h;
done:
    if (status != OK)
        reward_heads_free(&h);
    return status;
}

void reward_heads_free(struct reward_heads *h)
{
    mem_free(h->w);
    mem_free(h->m);
    mem_free(h->v);
    mem_free(h->grad);
    mem_free(h->at);
    mem_free(h->quality);
    mem_free(h->length);
    mem_free(h->dquality);
    mem_free(h->dlength);
    mem_free(h->tokens);
    memset(h, 0, sizeof *h);
}

void reward_heads_arrays(struct checkpoint_array array[REWARD_HEADS_ARRAYS],
                         const struct reward_heads *h)
{
    array[0] = (struct checkpoint_array){
        .name = "length_head", .data = h->w, .n = h->C};
    array[1] = (struct checkpoint_array){
        .name = "length_head.m", .data = h->m, .n = h->C};
    array[2] = (struct checkpoint_array){
        .name = "length_head.v", .data = h->v, .n = h->C};
}

/* A number that may be NaN, which counts nothing. */
static double or_zero(double x)
{
    return isnan(x) ? 0 : x;
}

double reward_heads_loss(struct reward_heads *h, float *dquality_weight,
                         const float *quality_weight, size_t n_item,
                         const struct reward_heads_config *c)
{
    /* The side of 0 that a number is on decides which way it is pulled. */
    h->corr_quality =
        reward_heads_correlation(NULL, 0, h->quality, h->tokens, h->at, n_item);
    double side = h->corr_quality < 0 ? -1 : 1;
    (void)reward_heads_correlation(h->dquality, side * c->length, h->quality,
                                   h->tokens, h->at, n_item);
    h->corr_length = reward_heads_correlation(h->dlength, -c->length, h->length,
                                              h->tokens, h->at, n_item);
    h->cosine = reward_heads_cosine(dquality_weight, h->grad, 0, quality_weight,
                                    h->w, h->C);
    side = h->cosine < 0 ? -1 : 1;
    (void)reward_heads_cosine(dquality_weight, h->grad, side * c->orthogonal,
                              quality_weight, h->w, h->C);
    return c->length *
               (fabs(or_zero(h->corr_quality)) + 1 - or_zero(h->corr_length)) +
           c->orthogonal * fabs(or_zero(h->cosine));
}

enum status reward_heads_update(struct reward_heads *h,
                                const struct optimizer_config *c, int64_t t,
                                int64_t total, struct err *err)
{
    for (size_t i = 1; i < h->shards; i++)
        add_into(h->grad, h->grad + i * h->C, h->C);
    double norm = sqrt(adamw_square_sum(h->grad, h->C));
    if (!isfinite(norm))
        return err_set(err, ERR_NUMERIC,
                       "the gradient of the length head is not finite");
    const struct adamw a = {
        .lr = c->lr * schedule_factor((enum schedule)c->schedule, t, total,
                                      c->warmup, c->lr_min),
        .beta1 = c->beta1,
        .beta2 = c->beta2,
        .eps = c->eps,
        .weight_decay = c->weight_decay,
        .t = t,
        .grad_scale = c->clip > 0 && norm > c->clip ? c->clip / norm : 1.0,
    };
    adamw_update(h->w, h->m, h->v, h->grad, h->C, true, &a);
    memset(h->grad, 0, h->shards * h->C * sizeof *h->grad);
    return OK;
}

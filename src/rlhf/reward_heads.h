/*
 * reward_heads.h - two heads on a reward model's trunk, one for quality and one
 * for length, so that what raters give to length has somewhere else to go.
 *
 * After ODIN (Chen et al. 2024, arXiv 2402.07319).  Both heads read the state
 * at the last real token; rankings are explained by their sum,
 *
 *     q = w_q . h,  s = w_s . h
 *     loss = ranking loss of q + s                      (rlhf/reward_loss.h)
 *          + a (|corr(q, L)| + 1 - corr(s, L))
 *          + o |w_q . w_s| / (|w_q| |w_s|)
 *
 * with L the tokens of a response and correlations over a batch.  The finished
 * model has the quality head alone: an ordinary reward model.
 *
 * Two things are not ODIN's.  Correlations are of deviations from the prompt's
 * mean, for q, s and L alike: rankings leave a model free to shift all scores
 * of a prompt, and with shifts against the prompt's mean length it could bring
 * the plain correlation to 0 and keep its slope within prompts, which is the
 * one that PPO follows.  And the heads' product is divided by their norms,
 * since smaller weights are not more orthogonal.
 *
 * What goes: credit for length that is rightly given, and on biased labels some
 * accuracy.  A small batch makes the correlation noisy (1/sqrt(responses -
 * prompts)); 64 responses and more are better than the default's 24.
 */
#ifndef PLUMB_RLHF_REWARD_HEADS_H
#define PLUMB_RLHF_REWARD_HEADS_H

#include <stddef.h>

#include "base/err.h"
#include "model/checkpoint.h"
#include "rlhf/stage.h"

struct reward_heads_config {
    int64_t n;         // 1, or 2 as above
    double length;     // a
    double orthogonal; // o
};

/*
 * Correlation of x with y, both as deviations from their group's mean; group g
 * is at[g]..at[g+1]-1.  ADDS coefficient * d/dx to dx; dx may be NULL.  NaN,
 * and nothing is added, when either does not vary.
 */
double reward_heads_correlation(double *dx, double coefficient, const double *x,
                                const double *y, const size_t *at,
                                size_t n_group);

/* The cosine of two heads' weights [C].  ADDS coefficient * its derivatives to
 * dq and ds; NaN, and nothing is added, when one is all zero. */
double reward_heads_cosine(float *dq, float *ds, double coefficient,
                           const float *q, const float *s, size_t C);

/* The length head: what a trainer needs beside the model, and a batch's
 * scores. */
struct reward_heads {
    size_t C, shards;
    float *w, *m, *v; // [C] weights and moments
    float *grad;      // [shards,C], zero between steps
    /* Item i of the batch has responses at[i]..at[i+1]-1 of the arrays. */
    size_t *at;                                             // [n_item + 1]
    double *quality, *length, *dquality, *dlength, *tokens; // [n_seq]
    double corr_quality, corr_length, cosine;               // of the last batch
};

/* Small random weights; room for batches of n_item prompts, n_seq responses. */
enum status reward_heads_create(struct reward_heads *out, size_t C,
                                size_t shards, size_t n_item, size_t n_seq,
                                uint64_t seed, struct err *err) MUST_CHECK;
void reward_heads_free(struct reward_heads *h);

/* What a checkpoint keeps of it: three arrays. */
#define REWARD_HEADS_ARRAYS 3
void reward_heads_arrays(struct checkpoint_array array[REWARD_HEADS_ARRAYS],
                         const struct reward_heads *h);

/*
 * What a and o come to on a batch whose scores are in h->quality, h->length;
 * derivatives by them are ADDED to h->dquality, h->dlength, those by the
 * weights to the length head's gradient and to dquality_weight [C].
 */
double reward_heads_loss(struct reward_heads *h, float *dquality_weight,
                         const float *quality_weight, size_t n_item,
                         const struct reward_heads_config *c);

/* Update number t (from 1) of `total` of the length head, as the optimiser does
 * it for the rest, but clipped by its own norm.  ERR_NUMERIC: the gradient is
 * not finite. */
enum status reward_heads_update(struct reward_heads *h,
                                const struct optimizer_config *c, int64_t t,
                                int64_t total, struct err *err) MUST_CHECK;

#endif

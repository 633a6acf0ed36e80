/*
 * push.h - several replies to the same prompts from every checkpoint
 * (probes/push.json), and what pushes them.
 *
 * For policy gradient with step eta, any feature phi of a response and
 * A = r - beta * K1 - b(prompt),
 *     d E[phi] / d eta = E over prompts of Cov(phi, A | prompt)
 * (exact for a tabular policy), so Cov(phi, r) - beta * Cov(phi, K1), within
 * prompts, says where a checkpoint's update will go (research notes, B4).  It
 * needs two replies to a prompt.
 */
#ifndef PLUMB_DIAGNOSE_PUSH_H
#define PLUMB_DIAGNOSE_PUSH_H

#include "diagnose/evidence.h"

struct push {
    size_t n;       // replies; 0: the probe is not there
    size_t m;       // checkpoints
    double *t;      // [m] their iterations, ascending
    size_t *point;  // [n] which checkpoint
    size_t *prompt; // [n] < n_prompts
    size_t n_prompts;
    const double *score, *tokens, *k1, *kl; // [n], the table's
    const double *kl_first;                 // [n], or NULL
};

/* n stays 0 when the probe or one of its columns is absent.  ERR_MEMORY is the
 * only failure.  Free with push_free(). */
enum status push_read(struct push *out, const struct evidence *e,
                      struct err *err) MUST_CHECK;
void push_free(struct push *p);

/* y[c * n_prompts + p]: mean of x over a prompt's replies at a checkpoint, NaN
 * where there is none; y has m * n_prompts entries. */
enum status push_grid(double *y, const struct push *p, const double *x,
                      struct err *err) MUST_CHECK;

/* mean[c] over the prompts of a grid. */
void push_means(double *mean, const struct push *p, const double *grid);

/*
 * Within-prompt covariance as sums over prompts, so that it is a ratio for
 * summary_estimate_ratio():
 *     a[p] = sum over the prompt's replies of (x - mean)(y - mean), at one
 *            checkpoint, or summed over checkpoints first..last-1
 *     b[p] = sum of (replies - 1); NaN in both where that is 0
 *   x, y  in  [n]; replies where either is NaN are left out
 */
enum status push_covariance(double *a, double *b, const struct push *p,
                            const double *x, const double *y, size_t first,
                            size_t last, struct err *err) MUST_CHECK;

/* The checkpoint by which nine tenths of a series' largest change from its
 * start have happened, at least 1: what follows is a plateau. */
size_t push_rise_end(const double *y, size_t m);

#endif

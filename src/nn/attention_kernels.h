/*
 * attention_kernels.h - what attention (nn/attention.h) consists of: steps on
 * numbers that lie near, each for six rows at a time, a stripe.
 *
 * Every step exists once per level of instructions (nn/rowwise.h says what a
 * level is).  Between levels bits differ: a product and the sum it goes into
 * are rounded once where there is such an operation, and sums over a row run
 * in as many lanes as a register has.
 *
 * No step can fail or allocates; all are safe from several threads at once.
 */
#ifndef PLUMB_NN_ATTENTION_KERNELS_H
#define PLUMB_NN_ATTENTION_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/rowwise.h"

#define STRIPE ((size_t)6)
/* Numbers are laid out for the widest registers: widths of matrices are
 * multiples of it. */
#define PANEL ((size_t)16)

/*
 *     C[6,N] = A[6,K] B[K,N]  (+ C if accumulate)
 *
 * Each sum runs over k in ascending order, so that its bits depend on its own
 * row and column alone.
 */
struct tile {
    float *c; // rows ldc floats apart
    size_t ldc;
    const float *a; // A[m,k] at a[m lda + k], or at a[k lda + m] if `turned`
    size_t lda;
    bool turned;
    /* B[k,n] at b[n / PANEL panel + k ldb + n % PANEL]: panels of columns, and
     * with panel = PANEL a matrix as it usually lies. */
    const float *b;
    size_t ldb, panel;
    size_t N, K; // N a multiple of PANEL
    bool accumulate;
};

/*
 * Scores of a stripe and a chunk of keys, whose rows are `ld` floats apart.
 * Row r sees the first `first + r` of them (none if that is negative; all if
 * it is more than there are); the first n, a multiple of PANEL, hold what any
 * row sees.
 */
struct stripe {
    float *score;
    size_t ld, n;
    ptrdiff_t first;
    float scale;
};

/* The softmax of a stripe so far: of each row the greatest score and the sum
 * of exp(score - max), spread over lanes. */
struct softmax {
    _Alignas(64) float max[PANEL];
    float sum[STRIPE][PANEL];
};

struct attention_kernels {
    void (*product)(const struct tile *t);

    /* out[n,width] = x[n,D], rows ldo and ldx floats apart; zero behind D. */
    void (*copy)(float *restrict out, size_t ldo, const float *restrict x,
                 size_t ldx, size_t n, size_t D, size_t width);

    /* out[r] = x[r,:] . y[r,:] for n rows of D, ldx and ldy floats apart. */
    void (*dots)(float *restrict out, const float *restrict x, size_t ldx,
                 const float *restrict y, size_t ldy, size_t n, size_t D);

    /* Scores become exp(score scale - max), 0 where a row does not see the
     * key, and are added to the softmax of their rows.  What has been summed
     * up in out[6,width] is scaled down where a greater score comes; nothing
     * has where width is 0. */
    void (*soften)(struct softmax *row, float *restrict out, size_t width,
                   const struct stripe *s);

    /* out[r,:] = x[r,:] / sum for n rows of a stripe, ldo and ldx floats apart
     * and D long, and lse[r H] = max + log sum unless NULL. */
    void (*finish)(float *restrict out, size_t ldo, float *restrict lse,
                   size_t H, const float *restrict x, size_t ldx, size_t n,
                   size_t D, const struct softmax *row);

    /* Scores become p = exp(score scale - lse), and
     *     ds[s] = dout . value[s]  becomes  p[s] (ds[s] - delta) scale
     * with ds laid out as the scores; both 0 where a row does not see the
     * key. */
    void (*soften_backward)(float *restrict ds, const float *restrict lse,
                            const float *restrict delta,
                            const struct stripe *s);
};

/* The steps of a level that this processor has. */
const struct attention_kernels *attention_kernels(enum rowwise_level level);

#endif

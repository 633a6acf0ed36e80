/*
 * rowwise.h - products whose rows know nothing of each other.
 *
 *     y[M,N] = x[M,K] W[N,K]^T (+ y if accumulate)
 *
 * Every number of y is a sum over k in an order that K alone decides, so a row
 * of y has the same bits whatever other rows stand beside it and however many
 * they are.  That is what lets a response be sampled in any company
 * (model/generate.h); libraries choose their order of summation by the sizes.
 *
 * The weights are read once and as they lie, in float or widened from bfloat16
 * on the way; x is turned, so that rows fill the lanes of a vector:
 * turned[K,lanes] of up to `lanes` rows.
 *
 * A weight that is rounded (nn/weight.h) makes x rounded, too: the factors are
 * those of nn/gemm16.h and the sums are floats.  Where the processor multiplies
 * pairs of bfloat16s, two k are one word of 32 bits, and turned holds words.
 *
 * Measured on one core (AMD, 3.7 GHz: 117 GFLOP/s in float and 234 in bfloat16
 * without memory) over the weights of a model of 135 million parameters, in
 * GFLOP/s:
 *
 *     rows                      16    32   256
 *     plain                     26    29    31
 *     AVX2                      67    77    87
 *     AVX-512                   94   102   106
 *     AVX512-BF16, rounded     144   195   202
 *
 * Which instructions are used is the level, chosen at run time.  Between
 * levels bits differ (one rounding of a product and a sum, or two).  The plain
 * level is what the compiler makes of the same code for any processor.
 *
 * Cannot fail.  Allocates nothing; safe from several threads at once.  Checked
 * against nn/rowwise_ref.h.
 */
#ifndef PLUMB_NN_ROWWISE_H
#define PLUMB_NN_ROWWISE_H

#include <stdbool.h>

#include "nn/weight.h"

#define ROWWISE_LANES 32 // the most lanes

enum rowwise_level {
    ROWWISE_PLAIN,
    ROWWISE_V3,   // x86-64 with AVX2 and fused multiplication
    ROWWISE_V4,   // and with AVX-512
    ROWWISE_BF16, // and with its instructions for bfloat16
};

/* What a function is compiled for that is called at a level only. */
#if defined(__x86_64__) && defined(__GNUC__)
#define ROWWISE_AT_V3 __attribute__((target("avx2,fma")))
#define ROWWISE_AT_V4                                                          \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define ROWWISE_AT_V3
#define ROWWISE_AT_V4
#endif

/* The best level this processor has. */
enum rowwise_level rowwise_level(void);

/* Lanes of a block that holds M rows or, of more, the first ones: 16 or 32.
 * They change how fast it is and nothing else. */
size_t rowwise_lanes(enum rowwise_level level, size_t M);

/* turned[K,lanes] of M <= lanes rows of x, which are ldx floats apart; zero
 * behind M. */
void rowwise_turn(float *restrict turned, const float *restrict x, size_t ldx,
                  size_t M, size_t K, size_t lanes, enum rowwise_level level);

/* The same in the form that blocks of w read: if w is rounded, x is, too. */
void rowwise_turn_for(float *restrict turned, const float *restrict x,
                      size_t ldx, size_t M, size_t K, size_t lanes,
                      struct weight w, enum rowwise_level level);

/* One block, left turned: z[N,lanes] = W turned for rows first..first+N-1 of W
 * [.,K].  `next` says that the rows behind them are wanted soon. */
void rowwise_block(float *restrict z, const float *restrict turned,
                   struct weight w, size_t first, size_t N, size_t K,
                   size_t lanes, bool next, enum rowwise_level level);

struct rowwise_product {
    float *y; // [M,N], rows ldy floats apart
    size_t ldy;
    const float *x; // [M,K], rows ldx floats apart
    size_t ldx;
    struct weight w; // [N,K]
    size_t M, N, K;
    bool accumulate;
};

/* Floats of scratch for products of at most M rows of at most K. */
size_t rowwise_scratch(size_t M, size_t K);

void rowwise_nt(const struct rowwise_product *p, float *restrict scratch,
                enum rowwise_level level);

#endif

/*
 * skinny.h - products of a few rows with a large matrix, as decoding makes
 * them.
 *
 * With a few rows a product takes as long as reading the matrix does.  General
 * libraries first copy the matrix into their own order, which reads it twice
 * and writes it once; here it is read once, as it lies.  Measured on one
 * AVX-512 core over all weights of a model of 135 million parameters, 32 rows:
 * 75 ms, dnnl_sgemm 119 ms, mere reading 39 ms.
 */
#ifndef PLUMB_NN_SKINNY_H
#define PLUMB_NN_SKINNY_H

#include <stdbool.h>

#include "nn/tensor.h"

#define SKINNY_ROWS 32

/* Is it the faster way for this product, on this processor?  One or two rows
 * the library reads as fast as memory gives them, and a matrix that stays in
 * the cache is copied for nothing. */
bool skinny_pays(size_t M, size_t N, size_t K);

/*
 * C[M,N] = A[M,K] B[N,K]^T (+ C if accumulate) for M <= SKINNY_ROWS, all dense.
 * Sums run over K in order, one fused multiplication and addition at a time.
 * Cannot fail.
 */
void skinny_nt(float *restrict C, const float *restrict A,
               const float *restrict B, size_t M, size_t N, size_t K,
               bool accumulate);

#endif

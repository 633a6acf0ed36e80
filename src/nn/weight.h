/*
 * weight.h - a matrix of weights as products read it: in float, or frozen in
 * bfloat16, which halves what a base under an adapter takes.
 *
 * A bfloat16 is the upper half of a float, so widening is exact: products of
 * bf16 weights are products in float of the weights rounded once, when they
 * were read.  The matrix is widened a few rows at a time into scratch that
 * stays in cache; each number is read once per product.
 *
 * Run inside one worker, as nn/gemm.h says.
 */
#ifndef PLUMB_NN_WEIGHT_H
#define PLUMB_NN_WEIGHT_H

#include <stdbool.h>

#include "base/err.h"
#include "nn/tensor.h"

/* Exactly one of the two is set; row-major. */
struct weight {
    const float *f32;
    const uint16_t *bf16;
};

/* Floats of scratch for products with a bf16 matrix of K columns. */
size_t weight_scratch(size_t K);

/* y[N,M] = x[N,K] W[M,K]^T (+ y if accumulate); scratch may be NULL in f32 */
enum status weight_nt(float *y, const float *x, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err) MUST_CHECK;

/* x[N,K] = y[N,M] W[M,K] (+ x if accumulate); scratch may be NULL in f32 */
enum status weight_nn(float *x, const float *y, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err) MUST_CHECK;

/* out[n,:] = W[row[n],:], rows of K; 0 <= row[n] (the caller has checked). */
void weight_rows(float *restrict out, struct weight w,
                 const int32_t *restrict row, size_t N, size_t K);

/* n bfloat16s as floats. */
void weight_widen(float *restrict out, const uint16_t *restrict in, size_t n);

#endif

/*
 * weight.h - a matrix of weights as products read it: in float, or frozen in
 * bfloat16, which halves what a base under an adapter takes.
 *
 * A bfloat16 is the upper half of a float, so widening is exact: products of
 * bf16 weights are products in float of the weights rounded once, when they
 * were read.  The matrix is widened a few rows at a time into scratch that
 * stays in cache; each number is read once per product.
 *
 * A matrix may also have a bfloat16 copy for its products (nn/gemm16.h): they
 * then round the other factor too.  Few rows are not worth it and are
 * multiplied in float, by the weights as they are.
 *
 * Run inside one worker, as nn/gemm.h says.
 */
#ifndef PLUMB_NN_WEIGHT_H
#define PLUMB_NN_WEIGHT_H

#include <stdbool.h>

#include "base/err.h"
#include "nn/tensor.h"

/* Exactly one of the first two is set; row-major. */
struct weight {
    const float *f32;
    const uint16_t *bf16;
    const uint16_t *rounded; // for products in bfloat16, or NULL
};

/* Is a product of N rows with it done in bfloat16? */
bool weight_rounds(struct weight w, size_t N);

/* Floats of scratch for products with a matrix of K columns that is, or has a
 * copy, in bfloat16. */
size_t weight_scratch(size_t K);

/* y[N,M] = x[N,K] W[M,K]^T (+ y if accumulate); scratch may be NULL in f32 */
enum status weight_nt(float *y, const float *x, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err) MUST_CHECK;

/* x[N,K] = y[N,M] W[M,K] (+ x if accumulate); scratch may be NULL in f32.  Not
 * for products in bfloat16, whose y the caller rounds: weight_nn16() */
enum status weight_nn(float *x, const float *y, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err) MUST_CHECK;

/* The same of bfloat16s, rows of length ldy. */
enum status weight_nn16(float *x, const uint16_t *y, size_t ldy,
                        struct weight w, size_t N, size_t M, size_t K,
                        bool accumulate, struct err *err) MUST_CHECK;

/* out[n,:] = W[row[n],:], rows of K; 0 <= row[n] (the caller has checked). */
void weight_rows(float *restrict out, struct weight w,
                 const int32_t *restrict row, size_t N, size_t K);

/* n bfloat16s as floats. */
void weight_widen(float *restrict out, const uint16_t *restrict in, size_t n);

#endif

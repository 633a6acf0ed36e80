/*
 * gemm16.h - matrix products of bfloat16 numbers, summed in float, on oneDNN.
 *
 * A bfloat16 is the upper half of a float, so the product of two is exact in
 * one, and what differs from gemm.h is that both factors were rounded before:
 *
 *     |C - exact| <= (2^-7 + 2^-16) sum_k |a_k| |b_k| + K 2^-24 sum_k |a_k b_k|
 *
 * of factors that were floats (unit roundoff 2^-8 each, and float sums in any
 * order).  A core with AVX512-BF16 or AMX does two to sixteen such products
 * where it does one of floats; gemm16_pays() is where that is so.  Elsewhere
 * oneDNN computes the same with float instructions, slower than gemm.h; where
 * it has no such product at all, the factors are widened and gemm.h's is made.
 *
 * Run inside one worker, as nn/gemm.h says.  Fails only with ERR_MEMORY.  Each
 * thread keeps what the library made for its last 64 shapes until it ends.
 */
#ifndef PLUMB_NN_GEMM16_H
#define PLUMB_NN_GEMM16_H

#include <stdint.h>
#include <string.h>

#include "nn/gemm.h"
#include "nn/tensor.h"

/* Has this processor instructions for it?  Never said of other than x86-64. */
bool gemm16_pays(void);

/* As struct gemm_part of gemm.h has it, with alpha 1; row lengths in numbers
 * of the matrix's own type. */
struct gemm16 {
    enum gemm_form form;
    float *C;
    const uint16_t *A, *B;
    size_t ldc, lda, ldb;
    size_t M, N, K;
    bool accumulate;
};
enum status gemm16(const struct gemm16 *p, struct err *err) MUST_CHECK;

/* A float as bfloat16: to nearest, ties to even; NaN stays NaN. */
NN_INLINE uint16_t gemm16_nearest(float x)
{
    uint32_t bits, nearest;
    memcpy(&bits, &x, sizeof bits);
    nearest = bits + 0x7fff + (bits >> 16 & 1);
    nearest = (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : nearest;
    return (uint16_t)(nearest >> 16);
}

/* n of them. */
void gemm16_round(uint16_t *restrict out, const float *restrict in, size_t n);

/* n floats that become the floats they are then. */
void gemm16_round_floats(float *x, size_t n);

/* Bfloat16s in place, row by row of x [M,N]: row m's bfloat16s fill the first
 * half of its floats, so that their row length is 2 N.  They are returned. */
const uint16_t *gemm16_round_rows(float *x, size_t M, size_t N);

#endif

/*
 * gemm.h - matrix products in the mathematician's order, row-major, on oneDNN.
 *
 * f32 goes through dnnl_sgemm: measured on one AVX-512 core it is within a few
 * per cent of the matmul primitives for this code's shapes (90-105 GFLOP/s),
 * needs no primitive per shape, and is the same call in API v2 and v3.
 *
 * Products of a few rows with a large matrix go through nn/skinny.h instead.
 *
 * Called from inside a worker only (base/parallel.h), which pins the library
 * to one thread; that is asserted.  C may not overlap A or B.  Sizes of zero
 * are fine (K of zero clears C unless it accumulates).
 *
 * oneDNN's products use the stack pointer as an ordinary register.  A program
 * that handles signals must therefore give its handler a stack of its own
 * (sigaltstack, SA_ONSTACK) or block signals in the threads that come here.
 *
 * Fails only with ERR_MEMORY, when the library cannot get its buffers.
 */
#ifndef PLUMB_NN_GEMM_H
#define PLUMB_NN_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* C[M,N] = A[M,K] B[N,K]^T (+ C if accumulate) */
enum status gemm_nt(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate,
                    struct err *err) MUST_CHECK;

/* C[M,N] = A[M,K] B[K,N] (+ C if accumulate) */
enum status gemm_nn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate,
                    struct err *err) MUST_CHECK;

/* C[M,N] = A[K,M]^T B[K,N] (+ C if accumulate) */
enum status gemm_tn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate,
                    struct err *err) MUST_CHECK;

/*
 * A product on parts of wider matrices, scaled: op(A) [M,K], op(B) [K,N] and C
 * [M,N] with row lengths lda, ldb, ldc as they are stored.
 *
 *     C = alpha op(A) op(B) (+ C if accumulate)
 */
enum gemm_form {
    GEMM_NT, // A [M,K], B [N,K]
    GEMM_NN, // A [M,K], B [K,N]
    GEMM_TN, // A [K,M], B [K,N]
};
struct gemm_part {
    enum gemm_form form;
    float *C;
    const float *A, *B;
    size_t ldc, lda, ldb;
    size_t M, N, K;
    float alpha;
    bool accumulate;
};
enum status gemm_part(const struct gemm_part *p, struct err *err) MUST_CHECK;

/* Instructions that these products use, as the library's number of the set. */
unsigned gemm_isa(void);

#endif

#include "nn/gemm.h"

#include <assert.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/parallel.h"

/*
 * C[M,N] = op(A) op(B) (+ C), op being the identity ('N') or the transpose
 * ('T').  lda and ldb are the row lengths of A and B as stored.
 */
static enum status product(char op_a, char op_b, float *C, const float *A,
                           size_t lda, const float *B, size_t ldb, size_t M,
                           size_t N, size_t K, bool accumulate, struct err *err)
{
    assert(team_inside());
    if (M == 0 || N == 0)
        return OK;
    if (K == 0) {
        if (!accumulate)
            memset(C, 0, M * N * sizeof *C);
        return OK;
    }
    dnnl_status_t s =
        dnnl_sgemm(op_a, op_b, (dnnl_dim_t)M, (dnnl_dim_t)N, (dnnl_dim_t)K,
                   1.0f, A, (dnnl_dim_t)lda, B, (dnnl_dim_t)ldb,
                   accumulate ? 1.0f : 0.0f, C, (dnnl_dim_t)N);
    if (s == dnnl_success)
        return OK;
    /* Every other answer means wrong arguments: a bug here. */
    assert(s == dnnl_out_of_memory);
    return err_set(err, ERR_MEMORY,
                   "no memory for the product of a %zu x %zu and a %zu x %zu "
                   "matrix",
                   M, K, K, N);
}

enum status gemm_nt(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    return product('N', 'T', C, A, K, B, K, M, N, K, accumulate, err);
}

enum status gemm_nn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    return product('N', 'N', C, A, K, B, N, M, N, K, accumulate, err);
}

enum status gemm_tn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    return product('T', 'N', C, A, M, B, N, M, N, K, accumulate, err);
}

#include "nn/gemm.h"

#include <assert.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/parallel.h"
#include "nn/skinny.h"

enum status gemm_part(const struct gemm_part *p, struct err *err)
{
    char op_a = p->form == GEMM_TN ? 'T' : 'N';
    char op_b = p->form == GEMM_NT ? 'T' : 'N';

    assert(team_inside());
    if (p->M == 0 || p->N == 0)
        return OK;
    if (p->K == 0) {
        for (size_t m = 0; m < p->M && !p->accumulate; m++)
            memset(p->C + m * p->ldc, 0, p->N * sizeof *p->C);
        return OK;
    }
    dnnl_status_t s = dnnl_sgemm(
        op_a, op_b, (dnnl_dim_t)p->M, (dnnl_dim_t)p->N, (dnnl_dim_t)p->K,
        p->alpha, p->A, (dnnl_dim_t)p->lda, p->B, (dnnl_dim_t)p->ldb,
        p->accumulate ? 1.0f : 0.0f, p->C, (dnnl_dim_t)p->ldc);
    if (s == dnnl_success)
        return OK;
    /* Every other answer means wrong arguments: a bug here. */
    assert(s == dnnl_out_of_memory);
    return err_set(err, ERR_MEMORY,
                   "no memory for the product of a %zu x %zu and a %zu x %zu "
                   "matrix",
                   p->M, p->K, p->K, p->N);
}

enum status gemm_nt(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    assert(team_inside());
    if (skinny_pays(M, N, K)) {
        skinny_nt(C, A, B, M, N, K, accumulate);
        return OK;
    }
    return gemm_part(&(struct gemm_part){GEMM_NT, C, A, B, N, K, K, M, N, K,
                                         1.0f, accumulate},
                     err);
}

enum status gemm_nn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    return gemm_part(&(struct gemm_part){GEMM_NN, C, A, B, N, K, N, M, N, K,
                                         1.0f, accumulate},
                     err);
}

enum status gemm_tn(float *C, const float *A, const float *B, size_t M,
                    size_t N, size_t K, bool accumulate, struct err *err)
{
    return gemm_part(&(struct gemm_part){GEMM_TN, C, A, B, N, M, N, M, N, K,
                                         1.0f, accumulate},
                     err);
}

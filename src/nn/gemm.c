#include "nn/gemm.h"

#include <assert.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/parallel.h"
#include "nn/gemm_internal.h"
#include "nn/skinny.h"

bool gemm_is_done(float *C, size_t ldc, size_t M, size_t N, size_t K,
                  bool accumulate)
{
    assert(team_inside());
    if (M == 0 || N == 0)
        return true;
    if (K > 0)
        return false;
    for (size_t m = 0; m < M && !accumulate; m++)
        memset(C + m * ldc, 0, N * sizeof *C);
    return true;
}

enum status gemm_told(dnnl_status_t s, size_t M, size_t N, size_t K,
                      struct err *err)
{
    if (s == dnnl_success)
        return OK;
    assert(s == dnnl_out_of_memory);
    return err_set(err, ERR_MEMORY,
                   "no memory for the product of a %zu x %zu and a %zu x %zu "
                   "matrix",
                   M, K, K, N);
}

unsigned gemm_isa(void)
{
    return (unsigned)dnnl_get_effective_cpu_isa();
}

enum status gemm_part(const struct gemm_part *p, struct err *err)
{
    char op_a = p->form == GEMM_TN ? 'T' : 'N';
    char op_b = p->form == GEMM_NT ? 'T' : 'N';

    if (gemm_is_done(p->C, p->ldc, p->M, p->N, p->K, p->accumulate))
        return OK;
    return gemm_told(dnnl_sgemm(op_a, op_b, (dnnl_dim_t)p->M, (dnnl_dim_t)p->N,
                                (dnnl_dim_t)p->K, p->alpha, p->A,
                                (dnnl_dim_t)p->lda, p->B, (dnnl_dim_t)p->ldb,
                                p->accumulate ? 1.0f : 0.0f, p->C,
                                (dnnl_dim_t)p->ldc),
                     p->M, p->N, p->K, err);
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

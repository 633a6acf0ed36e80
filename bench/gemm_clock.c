#include "gemm_clock.h"

#include <stdatomic.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

/* The names are the linker's: --wrap sends calls of dnnl_sgemm to __wrap_ and
 * gives the library's own as __real_. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
dnnl_status_t __real_dnnl_sgemm(char, char, dnnl_dim_t, dnnl_dim_t, dnnl_dim_t,
                                float, const float *, dnnl_dim_t, const float *,
                                dnnl_dim_t, float, float *, dnnl_dim_t);
dnnl_status_t __wrap_dnnl_sgemm(char ta, char tb, dnnl_dim_t m, dnnl_dim_t n,
                                dnnl_dim_t k, float alpha, const float *a,
                                dnnl_dim_t lda, const float *b, dnnl_dim_t ldb,
                                float beta, float *c, dnnl_dim_t ldc);

static atomic_llong spent_ns;

static long long thread_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

dnnl_status_t __wrap_dnnl_sgemm(char ta, char tb, dnnl_dim_t m, dnnl_dim_t n,
                                dnnl_dim_t k, float alpha, const float *a,
                                dnnl_dim_t lda, const float *b, dnnl_dim_t ldb,
                                float beta, float *c, dnnl_dim_t ldc)
{
    long long begin = thread_ns();
    dnnl_status_t status =
        __real_dnnl_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    atomic_fetch_add(&spent_ns, thread_ns() - begin);
    return status;
}
/* NOLINTEND(bugprone-reserved-identifier) */

double gemm_clock_take(void)
{
    return 1e-9 * (double)atomic_exchange(&spent_ns, 0);
}

#include "gemm_clock.h"

#include <stdatomic.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

#include "nn/nexttoken.h"
#include "nn/skinny.h"

static struct {
    atomic_llong ns, operations;
} spent[GEMM_CLOCK_KINDS];

static long long thread_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A product of the kind, begun at that moment, has ended. */
static void add(enum gemm_clock_kind kind, long long begin, long long M,
                long long N, long long K)
{
    atomic_fetch_add(&spent[kind].ns, thread_ns() - begin);
    atomic_fetch_add(&spent[kind].operations, 2 * M * N * K);
}

static void add_own(struct weight w, enum rowwise_level level, long long begin,
                    size_t M, size_t N, size_t K)
{
    bool is_bf16 = w.rounded != NULL && level == ROWWISE_BF16;

    add(is_bf16 ? GEMM_CLOCK_OWN_BF16 : GEMM_CLOCK_OWN_F32, begin, (long long)M,
        (long long)N, (long long)K);
}

/* The two dimensions of a matrix that a primitive is given; 0 without. */
static const dnnl_dim_t *dims_of(const dnnl_exec_arg_t *args, int n, int which)
{
    static const dnnl_dim_t none[2] = {0, 0};

    for (int i = 0; i < n; i++) {
        if (args[i].arg != which)
            continue;
#if DNNL_VERSION_MAJOR >= 3
        const_dnnl_memory_desc_t shape;
        const dnnl_dims_t *dims;
        if (dnnl_memory_get_memory_desc(args[i].memory, &shape) ==
                dnnl_success &&
            dnnl_memory_desc_query(shape, dnnl_query_dims, (void *)&dims) ==
                dnnl_success)
            return *dims;
#else
        const dnnl_memory_desc_t *shape;
        if (dnnl_memory_get_memory_desc(args[i].memory, &shape) == dnnl_success)
            return shape->dims;
#endif
    }
    return none;
}

/* The names are the linker's: --wrap sends calls of x to __wrap_x and gives the
 * library's own as __real_x. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
dnnl_status_t __real_dnnl_sgemm(char, char, dnnl_dim_t, dnnl_dim_t, dnnl_dim_t,
                                float, const float *, dnnl_dim_t, const float *,
                                dnnl_dim_t, float, float *, dnnl_dim_t);
dnnl_status_t __wrap_dnnl_sgemm(char ta, char tb, dnnl_dim_t m, dnnl_dim_t n,
                                dnnl_dim_t k, float alpha, const float *a,
                                dnnl_dim_t lda, const float *b, dnnl_dim_t ldb,
                                float beta, float *c, dnnl_dim_t ldc);
dnnl_status_t __real_dnnl_primitive_execute(const_dnnl_primitive_t,
                                            dnnl_stream_t, int,
                                            const dnnl_exec_arg_t *);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive,
                                            dnnl_stream_t stream, int n,
                                            const dnnl_exec_arg_t *args);
void __real_skinny_nt(float *restrict, const float *restrict,
                      const float *restrict, size_t, size_t, size_t, bool);
void __wrap_skinny_nt(float *restrict C, const float *restrict A,
                      const float *restrict B, size_t M, size_t N, size_t K,
                      bool accumulate);
void __real_rowwise_nt(const struct rowwise_product *, float *restrict,
                       enum rowwise_level);
void __wrap_rowwise_nt(const struct rowwise_product *p, float *restrict scratch,
                       enum rowwise_level level);
void __real_rowwise_block(float *restrict, const float *restrict, struct weight,
                          size_t, size_t, size_t, size_t, bool,
                          enum rowwise_level);
void __wrap_rowwise_block(float *restrict z, const float *restrict turned,
                          struct weight w, size_t first, size_t N, size_t K,
                          size_t lanes, bool next, enum rowwise_level level);
void __real_nexttoken_forward(struct nexttoken *, const float *, size_t,
                              enum rowwise_level);
void __wrap_nexttoken_forward(struct nexttoken *t, const float *hidden,
                              size_t M, enum rowwise_level level);

dnnl_status_t __wrap_dnnl_sgemm(char ta, char tb, dnnl_dim_t m, dnnl_dim_t n,
                                dnnl_dim_t k, float alpha, const float *a,
                                dnnl_dim_t lda, const float *b, dnnl_dim_t ldb,
                                float beta, float *c, dnnl_dim_t ldc)
{
    long long begin = thread_ns();
    dnnl_status_t status =
        __real_dnnl_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    add(GEMM_CLOCK_F32, begin, m, n, k);
    return status;
}

dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive,
                                            dnnl_stream_t stream, int n,
                                            const dnnl_exec_arg_t *args)
{
    const dnnl_dim_t *a = dims_of(args, n, DNNL_ARG_SRC);
    const dnnl_dim_t *b = dims_of(args, n, DNNL_ARG_WEIGHTS);
    long long begin = thread_ns();
    dnnl_status_t status =
        __real_dnnl_primitive_execute(primitive, stream, n, args);
    add(GEMM_CLOCK_BF16, begin, a[0], b[1], a[1]);
    return status;
}

void __wrap_skinny_nt(float *restrict C, const float *restrict A,
                      const float *restrict B, size_t M, size_t N, size_t K,
                      bool accumulate)
{
    long long begin = thread_ns();
    __real_skinny_nt(C, A, B, M, N, K, accumulate);
    add_own((struct weight){.f32 = B}, ROWWISE_PLAIN, begin, M, N, K);
}

void __wrap_rowwise_nt(const struct rowwise_product *p, float *restrict scratch,
                       enum rowwise_level level)
{
    long long begin = thread_ns();
    __real_rowwise_nt(p, scratch, level);
    add_own(p->w, level, begin, p->M, p->N, p->K);
}

/* A block does not know how many of its lanes hold rows; the head does. */
static _Thread_local size_t rows_of_head;

void __wrap_nexttoken_forward(struct nexttoken *t, const float *hidden,
                              size_t M, enum rowwise_level level)
{
    rows_of_head = M;
    __real_nexttoken_forward(t, hidden, M, level);
}

void __wrap_rowwise_block(float *restrict z, const float *restrict turned,
                          struct weight w, size_t first, size_t N, size_t K,
                          size_t lanes, bool next, enum rowwise_level level)
{
    long long begin = thread_ns();
    __real_rowwise_block(z, turned, w, first, N, K, lanes, next, level);
    add_own(w, level, begin, rows_of_head, N, K);
}
/* NOLINTEND(bugprone-reserved-identifier) */

void gemm_clock_read(struct gemm_clock out[GEMM_CLOCK_KINDS])
{
    for (int i = 0; i < GEMM_CLOCK_KINDS; i++)
        out[i] = (struct gemm_clock){
            .seconds = 1e-9 * (double)atomic_exchange(&spent[i].ns, 0),
            .operations = (double)atomic_exchange(&spent[i].operations, 0)};
}

double gemm_clock_take(void)
{
    struct gemm_clock kind[GEMM_CLOCK_KINDS];
    double seconds = 0;

    gemm_clock_read(kind);
    for (int i = 0; i < GEMM_CLOCK_KINDS; i++)
        seconds += kind[i].seconds;
    return seconds;
}

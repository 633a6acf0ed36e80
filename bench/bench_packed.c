#include "bench_packed.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/mem.h"
#include "measure.h"
#include "nn/gemm.h"
#include "nn/gemm16.h"

#define REPEATS 9
#define ROWS_MAX 256
#define N_MAX 49152
#define K_MAX 1536
#define WEIGHTS_MAX ((size_t)N_MAX * 576)

/* A product of W in the library's order, and how W comes into it. */
struct packed {
    dnnl_memory_t x, plain, weight, y;
    dnnl_primitive_t product, reorder;
};

static struct {
    bool is_bf16;
    size_t M, N, K;
    float *x, *w, *y;
    uint16_t *x16, *w16;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct packed packed;
} b;

static void must(dnnl_status_t s)
{
    if (s == dnnl_success)
        return;
    (void)fprintf(stderr, "bench_packed: oneDNN has no such product (%d)\n",
                  (int)s);
    exit(1);
}

/* ---- what API v2 and v3 call differently --------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t shape_ref;
#else
typedef const dnnl_memory_desc_t *shape_ref;
#endif

struct shape {
    dnnl_memory_desc_t is;
};

static shape_ref ref(const struct shape *s)
{
#if DNNL_VERSION_MAJOR >= 3
    return s->is;
#else
    return &s->is;
#endif
}

/* A matrix whose element (i,j) is number i by_row + j by_col; of 0 and 0, as
 * the library likes it. */
static struct shape shape_of(size_t rows, size_t cols, size_t by_row,
                             size_t by_col, dnnl_data_type_t type)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t by = {(dnnl_dim_t)by_row, (dnnl_dim_t)by_col};
    struct shape s;

#if DNNL_VERSION_MAJOR >= 3
    must(by_row == 0
             ? dnnl_memory_desc_create_with_tag(&s.is, 2, dims, type,
                                                dnnl_format_tag_any)
             : dnnl_memory_desc_create_with_strides(&s.is, 2, dims, type, by));
#else
    must(by_row == 0
             ? dnnl_memory_desc_init_by_tag(&s.is, 2, dims, type,
                                            dnnl_format_tag_any)
             : dnnl_memory_desc_init_by_strides(&s.is, 2, dims, type, by));
#endif
    return s;
}

static void free_shape(struct shape *s)
{
#if DNNL_VERSION_MAJOR >= 3
    must(dnnl_memory_desc_destroy(s->is));
#else
    (void)s;
#endif
}

static dnnl_primitive_desc_t
describe(const struct shape *x, const struct shape *w, const struct shape *y)
{
    dnnl_primitive_desc_t out;

#if DNNL_VERSION_MAJOR >= 3
    must(dnnl_matmul_primitive_desc_create(&out, b.engine, x->is, w->is, NULL,
                                           y->is, NULL));
#else
    dnnl_matmul_desc_t matmul;
    must(dnnl_matmul_desc_init(&matmul, &x->is, &w->is, NULL, &y->is));
    must(dnnl_primitive_desc_create(&out, &matmul, NULL, b.engine, NULL));
#endif
    return out;
}

/* ---- the two ways -------------------------------------------------------- */

static dnnl_memory_t memory_of(shape_ref shape, void *data)
{
    dnnl_memory_t out;

    must(dnnl_memory_create(&out, shape, b.engine, data));
    return out;
}

static void make_packed(void)
{
    dnnl_data_type_t type = b.is_bf16 ? dnnl_bf16 : dnnl_f32;
    struct shape x = shape_of(b.M, b.K, b.K, 1, type);
    struct shape any = shape_of(b.K, b.N, 0, 0, type);
    struct shape plain = shape_of(b.K, b.N, 1, b.K, type);
    struct shape y = shape_of(b.M, b.N, b.N, 1, dnnl_f32);
    dnnl_primitive_desc_t product = describe(&x, &any, &y), reorder;
    shape_ref best =
        dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
    struct packed *p = &b.packed;

    p->x = memory_of(ref(&x), b.is_bf16 ? (void *)b.x16 : (void *)b.x);
    p->plain = memory_of(ref(&plain), b.is_bf16 ? (void *)b.w16 : (void *)b.w);
    p->weight = memory_of(best, DNNL_MEMORY_ALLOCATE);
    p->y = memory_of(ref(&y), b.y);
    must(dnnl_reorder_primitive_desc_create(&reorder, ref(&plain), b.engine,
                                            best, b.engine, NULL));
    must(dnnl_primitive_create(&p->product, product));
    must(dnnl_primitive_create(&p->reorder, reorder));
    must(dnnl_primitive_desc_destroy(product));
    must(dnnl_primitive_desc_destroy(reorder));
    free_shape(&x);
    free_shape(&any);
    free_shape(&plain);
    free_shape(&y);
}

static void free_packed(void)
{
    struct packed *p = &b.packed;

    must(dnnl_primitive_destroy(p->product));
    must(dnnl_primitive_destroy(p->reorder));
    must(dnnl_memory_destroy(p->x));
    must(dnnl_memory_destroy(p->plain));
    must(dnnl_memory_destroy(p->weight));
    must(dnnl_memory_destroy(p->y));
}

static void run_reorder(void)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, b.packed.plain},
                                    {DNNL_ARG_TO, b.packed.weight}};

    must(dnnl_primitive_execute(b.packed.reorder, b.stream, 2, args));
    must(dnnl_stream_wait(b.stream));
}

static void run_packed(void)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, b.packed.x},
                                    {DNNL_ARG_WEIGHTS, b.packed.weight},
                                    {DNNL_ARG_DST, b.packed.y}};

    must(dnnl_primitive_execute(b.packed.product, b.stream, 3, args));
    must(dnnl_stream_wait(b.stream));
}

static void run_plain(void)
{
    struct err err;

    if (!b.is_bf16) {
        measure_must(gemm_nt(b.y, b.x, b.w, b.M, b.N, b.K, false, &err), &err);
        return;
    }
    measure_must(gemm16(&(struct gemm16){.form = GEMM_NT,
                                         .C = b.y,
                                         .A = b.x16,
                                         .B = b.w16,
                                         .ldc = b.N,
                                         .lda = b.K,
                                         .ldb = b.K,
                                         .M = b.M,
                                         .N = b.N,
                                         .K = b.K},
                        &err),
                 &err);
}

static void bench_product(const char *name, size_t M, size_t N, size_t K)
{
    double flop = 2.0 * (double)M * (double)(N * K);
    int calls = flop > 1e9 ? 1 : flop > 1e8 ? 5 : 50;

    b.M = M;
    b.N = N;
    b.K = K;
    make_packed();
    double reorder = measure_ns(run_reorder, calls, REPEATS);
    double plain = measure_ns(run_plain, calls, REPEATS);
    double packed = measure_ns(run_packed, calls, REPEATS);
    free_packed();
    (void)printf("%-14s %5zu %4zu %4zu  %s %7.1f %7.1f  ", name, N, K, M,
                 b.is_bf16 ? "bf16" : "f32 ", flop / plain, flop / packed);
    if (packed < plain)
        (void)printf("%6.1f\n", reorder / (plain - packed));
    else
        (void)printf("%6s\n", "never");
}

void bench_packed(void)
{
    static const struct {
        const char *name;
        size_t N, K;
    } products[] = {{"demo, qkv", 192, 64},       {"demo, gate_up", 320, 64},
                    {"demo, head", 413, 64},      {"135M, qkv", 960, 576},
                    {"135M, gate_up", 3072, 576}, {"135M, down", 576, 1536},
                    {"135M, head", 49152, 576}};
    static const size_t rows[] = {32, ROWS_MAX};
    struct err err;

    b.x = measure_floats((size_t)ROWS_MAX * K_MAX);
    b.w = measure_floats(WEIGHTS_MAX);
    b.y = measure_floats((size_t)ROWS_MAX * N_MAX);
    measure_must(MEM_NEW(b.x16, (size_t)ROWS_MAX * K_MAX, &err), &err);
    measure_must(MEM_NEW(b.w16, WEIGHTS_MAX, &err), &err);
    gemm16_round(b.x16, b.x, (size_t)ROWS_MAX * K_MAX);
    gemm16_round(b.w16, b.w, WEIGHTS_MAX);
    must(dnnl_engine_create(&b.engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&b.stream, b.engine, dnnl_stream_default_flags));
    (void)printf("\nWeights as they lie and in oneDNN's own order, GFLOP/s\n"
                 "%-14s %5s %4s %4s  %4s %7s %7s  %s\n",
                 "product", "N", "K", "rows", "", "as is", "ordered",
                 "products until it pays");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t i = 0; i < sizeof products / sizeof *products; i++)
            for (int bf16 = 0; bf16 <= (gemm16_pays() ? 1 : 0); bf16++) {
                b.is_bf16 = bf16 == 1;
                bench_product(products[i].name, rows[r], products[i].N,
                              products[i].K);
            }
    must(dnnl_stream_destroy(b.stream));
    must(dnnl_engine_destroy(b.engine));
}

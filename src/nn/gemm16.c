#include "nn/gemm16.h"

#include <pthread.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/mem.h"
#include "nn/gemm_internal.h"
#include "nn/matmul_desc.h"
#include "nn/tensor.h"
#include "nn/weight.h"

bool gemm16_pays(void)
{
#if defined(__x86_64__)
    /* Each level has the bits of those that it includes. */
    const unsigned want = dnnl_cpu_isa_avx512_core_bf16;

    return (gemm_isa() & want) == want;
#else
    return false; // elsewhere the same bits are other levels
#endif
}

NN_CLONES void gemm16_round(uint16_t *restrict out, const float *restrict in,
                            size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = gemm16_nearest(in[i]);
}

NN_CLONES void gemm16_round_floats(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)gemm16_nearest(x[i]) << 16;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

const uint16_t *gemm16_round_rows(float *x, size_t M, size_t N)
{
    enum {
        SOME = 256
    };
    uint16_t some[SOME];
    unsigned char *out;

    for (size_t m = 0; m < M; m++) {
        out = (unsigned char *)(x + m * N);
        for (size_t at = 0, n; at < N; at += n) {
            n = N - at < SOME ? N - at : SOME;
            gemm16_round(some, x + m * N + at, n);
            memcpy(out + at * sizeof *some, some, n * sizeof *some);
        }
    }
    return (const uint16_t *)(const void *)x;
}

/* ---- what oneDNN made for a product -------------------------------------- */

/*
 * Asking oneDNN for a product takes as long as a small one does, so each thread
 * keeps what the last KEPT different ones were made of: a pass through a model
 * has the same few shapes in every layer.  They are a thread's own, since a
 * primitive finds its scratch where the thread that made it put it, and go with
 * it.
 */
#define KEPT 64

struct shape {
    enum gemm_form form;
    bool accumulate;
    size_t M, N, K, lda, ldb, ldc;
};

struct made {
    struct shape shape;
    uint64_t used; // when: 0 is never
    dnnl_post_ops_t post;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[3];
};

struct kept {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    uint64_t now;
    struct made made[KEPT];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;
/* The key alone would do; this is where leak checkers look. */
static _Thread_local struct kept *mine;

static void unmake(struct made *x)
{
    for (size_t i = 0; i < 3; i++)
        if (x->memory[i] != NULL)
            dnnl_memory_destroy(x->memory[i]);
    if (x->primitive != NULL)
        dnnl_primitive_destroy(x->primitive);
    if (x->desc != NULL)
        dnnl_primitive_desc_destroy(x->desc);
    if (x->attr != NULL)
        dnnl_primitive_attr_destroy(x->attr);
    if (x->post != NULL)
        dnnl_post_ops_destroy(x->post);
    *x = (struct made){.used = 0};
}

static void release(void *kept)
{
    struct kept *x = kept;

    for (size_t i = 0; i < KEPT; i++)
        unmake(&x->made[i]);
    if (x->stream != NULL)
        dnnl_stream_destroy(x->stream);
    if (x->engine != NULL)
        dnnl_engine_destroy(x->engine);
    mem_free(x);
    mine = NULL;
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, release) == 0;
}

#define DO(call)                                                               \
    do {                                                                       \
        if ((s = (call)) != dnnl_success)                                      \
            return s;                                                          \
    } while (0)

/* What this thread keeps; the first time it is made. */
static dnnl_status_t kept_of_thread(struct kept **out)
{
    struct err err;
    dnnl_status_t s;

    pthread_once(&once, make_key);
    if (mine == NULL) {
        struct kept *x;

        if (!has_key || MEM_NEW(x, 1, &err) != OK)
            return dnnl_out_of_memory;
        if (pthread_setspecific(key, x) != 0) {
            mem_free(x);
            return dnnl_out_of_memory;
        }
        mine = x;
    }
    if (mine->engine == NULL)
        DO(dnnl_engine_create(&mine->engine, dnnl_cpu, 0));
    if (mine->stream == NULL)
        DO(dnnl_stream_create(&mine->stream, mine->engine,
                              dnnl_stream_default_flags));
    *out = mine;
    return dnnl_success;
}

/* A matrix [rows,cols] that is stored in rows of length ld as it is, or the
 * other way round. */
static dnnl_status_t shape_of(struct matrix_desc *out, size_t rows, size_t cols,
                              size_t ld, bool is_transposed,
                              dnnl_data_type_t type)
{
    return is_transposed ? matrix_desc_new(out, rows, cols, 1, ld, type)
                         : matrix_desc_new(out, rows, cols, ld, 1, type);
}

static dnnl_status_t make_of(struct made *x, struct matrix_desc shape[3],
                             const struct shape *p, dnnl_engine_t engine)
{
    dnnl_status_t s;

    DO(shape_of(&shape[0], p->M, p->K, p->lda, p->form == GEMM_TN, dnnl_bf16));
    DO(shape_of(&shape[1], p->K, p->N, p->ldb, p->form == GEMM_NT, dnnl_bf16));
    DO(shape_of(&shape[2], p->M, p->N, p->ldc, false, dnnl_f32));
    DO(dnnl_primitive_attr_create(&x->attr));
    if (p->accumulate) {
        DO(dnnl_post_ops_create(&x->post));
        DO(matmul_desc_add(x->post));
        DO(dnnl_primitive_attr_set_post_ops(x->attr, x->post));
    }
    DO(matmul_desc_new(&x->desc, shape, x->attr, engine));
    DO(dnnl_primitive_create(&x->primitive, x->desc));
    for (size_t i = 0; i < 3; i++)
        DO(matrix_desc_memory(&x->memory[i], &shape[i], engine));
    return dnnl_success;
}

static dnnl_status_t make(struct made *x, const struct shape *p,
                          dnnl_engine_t engine)
{
    struct matrix_desc shape[3];

    memset(shape, 0, sizeof shape);
    dnnl_status_t s = make_of(x, shape, p, engine);
    for (size_t i = 0; i < 3; i++)
        matrix_desc_free(&shape[i]);
    return s;
}

static bool is_same(const struct shape *a, const struct shape *b)
{
    return a->form == b->form && a->accumulate == b->accumulate &&
           a->M == b->M && a->N == b->N && a->K == b->K && a->lda == b->lda &&
           a->ldb == b->ldb && a->ldc == b->ldc;
}

/* The one of that shape, or the one whose turn it is to make room. */
static struct made *find(struct kept *x, const struct shape *shape)
{
    struct made *oldest = &x->made[0];

    for (size_t i = 0; i < KEPT; i++) {
        struct made *m = &x->made[i];

        if (m->used > 0 && is_same(&m->shape, shape))
            return m;
        if (m->used < oldest->used)
            oldest = m;
    }
    return oldest;
}

static dnnl_status_t find_or_make(struct made **out, struct kept *x,
                                  const struct shape *shape)
{
    struct made *m = find(x, shape);

    if (m->used == 0 || !is_same(&m->shape, shape)) {
        unmake(m);
        dnnl_status_t s = make(m, shape, x->engine);
        if (s != dnnl_success) {
            unmake(m);
            return s;
        }
        m->shape = *shape;
    }
    m->used = ++x->now;
    *out = m;
    return dnnl_success;
}

static dnnl_status_t run(const struct gemm16 *p)
{
    const struct shape shape = {p->form, p->accumulate, p->M,   p->N,
                                p->K,    p->lda,        p->ldb, p->ldc};
    union {
        const uint16_t *in;
        void *out;
    } factor[2] = {{p->A}, {p->B}};
    struct kept *kept;
    struct made *m;
    dnnl_status_t s;

    DO(kept_of_thread(&kept));
    DO(find_or_make(&m, kept, &shape));
    DO(dnnl_memory_set_data_handle(m->memory[0], factor[0].out));
    DO(dnnl_memory_set_data_handle(m->memory[1], factor[1].out));
    DO(dnnl_memory_set_data_handle(m->memory[2], p->C));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, m->memory[0]},
                                    {DNNL_ARG_WEIGHTS, m->memory[1]},
                                    {DNNL_ARG_DST, m->memory[2]}};
    DO(dnnl_primitive_execute(m->primitive, kept->stream, 3, args));
    return dnnl_stream_wait(kept->stream);
}

/* A factor of `rows` rows of `cols` as floats without gaps. */
static enum status widen_factor(float **out, const uint16_t *in, size_t rows,
                                size_t cols, size_t ld, struct err *err)
{
    size_t n;

    TRY(mem_multiply(&n, rows, cols, err));
    TRY(MEM_NEW(*out, n, err));
    for (size_t r = 0; r < rows; r++)
        weight_widen(*out + r * cols, in + r * ld, cols);
    return OK;
}

/* The same product where oneDNN has none of bfloat16s, as on some processors
 * other than x86-64's. */
static enum status widened(const struct gemm16 *p, struct err *err)
{
    enum status status = OK;
    bool a_turned = p->form == GEMM_TN, b_turned = p->form == GEMM_NT;
    size_t cols_a = a_turned ? p->M : p->K, cols_b = b_turned ? p->K : p->N;
    float *a = NULL, *b = NULL;

    TRY_DONE(
        widen_factor(&a, p->A, a_turned ? p->K : p->M, cols_a, p->lda, err));
    TRY_DONE(
        widen_factor(&b, p->B, b_turned ? p->N : p->K, cols_b, p->ldb, err));
    TRY_DONE(gemm_part(&(struct gemm_part){.form = p->form,
                                           .C = p->C,
                                           .A = a,
                                           .B = b,
                                           .ldc = p->ldc,
                                           .lda = cols_a,
                                           .ldb = cols_b,
                                           .M = p->M,
                                           .N = p->N,
                                           .K = p->K,
                                           .alpha = 1,
                                           .accumulate = p->accumulate},
                       err));
done:
    mem_free(a);
    mem_free(b);
    return status;
}

enum status gemm16(const struct gemm16 *p, struct err *err)
{
    if (gemm_is_done(p->C, p->ldc, p->M, p->N, p->K, p->accumulate))
        return OK;
    dnnl_status_t s = run(p);
    if (s == dnnl_unimplemented)
        return widened(p, err);
    return gemm_told(s, p->M, p->N, p->K, err);
}

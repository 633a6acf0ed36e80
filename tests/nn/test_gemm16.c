/* test_gemm16.c - products of bfloat16s against double loops, on parts of
 * wider matrices, and the rounding against the bits' definition. */
#include "nn/compare.h"

#include "nn/gemm16.h"
#include "nn/rowwise.h"

/* A normal number that is a bfloat16. */
static uint16_t half_normal(struct rng *r)
{
    float x = (float)rng_normal(r);
    uint16_t half;
    gemm16_round(&half, &x, 1);
    return half;
}

static double value_of(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

enum {
    LARGEST = 4096,
    PAD = 3 // columns of the wider matrices that are not the product's
};

struct product {
    struct gemm16 p;
    uint16_t A[LARGEST * 2], B[LARGEST * 2];
    struct array C;
};

static void product_new(struct product *x, enum gemm_form form, bool accumulate,
                        size_t M, size_t N, size_t K)
{
    struct rng r;
    rng_init(&r, 1, RNG_TEST, (uint32_t)form, (uint32_t)(M * N + K));
    for (size_t i = 0; i < sizeof x->A / sizeof *x->A; i++) {
        x->A[i] = half_normal(&r);
        x->B[i] = half_normal(&r);
    }
    x->C = array_normal(M * (N + PAD), &r, 1.0);
    for (size_t i = 0; i < x->C.n; i++)
        if (!accumulate && i % (N + PAD) < N)
            x->C.f[i] = NAN;
    x->p = (struct gemm16){.form = form,
                           .C = x->C.f,
                           .A = x->A,
                           .B = x->B,
                           .ldc = N + PAD,
                           .lda = (form == GEMM_TN ? M : K) + PAD,
                           .ldb = (form == GEMM_NT ? K : N) + PAD,
                           .M = M,
                           .N = N,
                           .K = K,
                           .accumulate = accumulate};
}

static enum status run(void *ctx, size_t item, size_t worker, struct err *err)
{
    (void)item;
    (void)worker;
    return gemm16(&((struct product *)ctx)->p, err);
}

/* A product of two bfloat16s is exact in a float; each of K goes through at
 * most K + 1 additions. */
static void check(const struct product *x)
{
    const struct gemm16 *p = &x->p;
    for (size_t i = 0; i < p->M; i++) {
        for (size_t j = 0; j < p->ldc; j++) {
            double start = x->C.d[i * p->ldc + j];
            double got = (double)p->C[i * p->ldc + j];
            double sum = p->accumulate || j >= p->N ? start : 0.0;
            double size = fabs(sum);
            for (size_t k = 0; k < p->K && j < p->N; k++) {
                double a = value_of(p->form == GEMM_TN ? p->A[k * p->lda + i]
                                                       : p->A[i * p->lda + k]);
                double b = value_of(p->form == GEMM_NT ? p->B[j * p->ldb + k]
                                                       : p->B[k * p->ldb + j]);
                sum += a * b;
                size += fabs(a * b);
            }
            if (!(fabs(got - sum) <= (double)(p->K + 1) * FLOAT_EPS * size))
                fail_msg("form %d, %zu x %zu x %zu, [%zu,%zu]: got %.9g, want "
                         "%.9g",
                         (int)p->form, p->M, p->N, p->K, i, j, got, sum);
        }
    }
}

static void test_against_loops(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},    {3, 5, 7},   {16, 16, 16},
                                       {17, 33, 65}, {64, 60, 1}, {2, 9, 129},
                                       {0, 5, 3},    {5, 0, 3},   {5, 3, 0}};
    static const enum gemm_form forms[] = {GEMM_NT, GEMM_NN, GEMM_TN};
    static struct product x;
    for (size_t c = 0; c < 2 * sizeof shapes / sizeof *shapes; c++) {
        const size_t *s = shapes[c / 2];
        for (size_t f = 0; f < 3; f++) {
            product_new(&x, forms[f], c % 2 == 1, s[0], s[1], s[2]);
            on_team(1, 1, run, &x);
            check(&x);
            array_free(&x.C);
        }
    }
}

static enum status run_own(void *ctx, size_t item, size_t worker,
                           struct err *err)
{
    return run((struct product *)ctx + item, 0, worker, err);
}

/* More shapes than a thread keeps, each met again with other numbers in other
 * places, by two threads of which one ends each time. */
static void test_kept(void **state)
{
    (void)state;
    static struct product x[2];
    for (size_t i = 0; i < 300; i++) {
        size_t M = 1 + i * 7 % (i < 200 ? 70 : 3);
        for (size_t j = 0; j < 2; j++)
            product_new(&x[j], GEMM_NT, i % 2 == 0, M, 5 + j, 3 + i % 4);
        on_team(2, 2, run_own, x);
        for (size_t j = 0; j < 2; j++) {
            check(&x[j]);
            array_free(&x[j].C);
        }
    }
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To the nearest of the two neighbours, the even one of equals; beyond the
 * largest to infinity, whose sign and NaN stay. */
static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        uint16_t want;
    } known[] = {
        {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f800000, 0x3f80},
        {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
        {0x3f80ffff, 0x3f81}, {0xbf818000, 0xbf82}, {0x00000001, 0x0000},
        {0x00008001, 0x0001}, {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80},
        {0xff800000, 0xff80}, {0x7fc00000, 0x7fc0}, {0x7f800001, 0x7fc0},
        {0xffffffff, 0xffff},
    };
    enum {
        N = sizeof known / sizeof *known
    };
    float in[N], wide[N];
    uint16_t out[N];
    for (size_t i = 0; i < N; i++)
        in[i] = float_of(known[i].bits);
    gemm16_round(out, in, N);
    memcpy(wide, in, sizeof wide);
    gemm16_round_floats(wide, N);
    for (size_t i = 0; i < N; i++)
        if (out[i] != known[i].want)
            fail_msg("%08x: got %04x, want %04x", known[i].bits, out[i],
                     known[i].want);
    for (size_t i = 0; i < N; i++) {
        float want = float_of((uint32_t)known[i].want << 16);
        assert_memory_equal(&wide[i], &want, sizeof want);
    }
}

/* In place, rows longer than what is rounded at once. */
static void test_rows(void **state)
{
    (void)state;
    enum {
        M = 3,
        N = 777
    };
    static uint16_t want[M * N];
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 5, 6);
    struct array x = array_normal(M * N, &r, 1.0);
    gemm16_round(want, x.f, M * N);
    const uint16_t *got = gemm16_round_rows(x.f, M, N);
    for (size_t m = 0; m < M; m++)
        assert_memory_equal(got + m * 2 * N, want + m * N, N * sizeof *got);
    array_free(&x);
}

/* What reads rows of bfloat16s asks the processor itself, oneDNN asks it for
 * products: the same answer, but where the environment holds oneDNN back. */
static void test_pays(void **state)
{
    (void)state;
#if defined(__x86_64__)
    if (gemm16_pays())
        assert_true(rowwise_level() == ROWWISE_BF16);
#else
    assert_false(gemm16_pays());
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_loops), cmocka_unit_test(test_kept),
        cmocka_unit_test(test_rounding),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_pays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_gemm.c - products against double loops, and the same bits from teams
 * of any size. */
#include "nn/compare.h"

#include "nn/gemm.h"
#include "nn/skinny.h"

enum kind {
    NN,
    NT,
    TN,
    KINDS
};

struct product {
    enum kind kind;
    bool accumulate;
    size_t M, N, K;
    struct array A, B, C;
};

static const size_t shapes[][3] = {
    {1, 1, 1},
    {1, 413, 64},
    {3, 5, 7},
    {16, 16, 16},
    {17, 33, 65},
    {64, 64, 64},
    {60, 192, 64},
    {413, 64, 61},
    {64, 413, 64},
    {65, 1, 129},
    {0, 5, 3},
    {5, 0, 3},
    {5, 3, 0},
    {0, 0, 0},
    {128, 320, 160},
    /* a few rows by a large matrix (nn/skinny.h), and one too many */
    {3, 941, 140},
    {17, 170, 775},
    {32, 232, 570},
    {33, 232, 570},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static struct product product_new(enum kind kind, size_t shape, bool accumulate)
{
    struct product p = {.kind = kind,
                        .accumulate = accumulate,
                        .M = shapes[shape][0],
                        .N = shapes[shape][1],
                        .K = shapes[shape][2]};
    struct rng r;
    rng_init(&r, 1, RNG_TEST, (uint32_t)shape, kind);
    p.A = array_normal(p.M * p.K, &r, 1.0);
    p.B = array_normal(p.K * p.N, &r, 1.0);
    p.C = array_normal(p.M * p.N, &r, 1.0);
    /* A product that does not accumulate must not read what was there. */
    for (size_t i = 0; !accumulate && i < p.C.n; i++)
        p.C.f[i] = NAN;
    return p;
}

static void product_free(struct product *p)
{
    array_free(&p->A);
    array_free(&p->B);
    array_free(&p->C);
}

static enum status run(void *ctx, size_t item, size_t worker, struct err *err)
{
    (void)worker;
    struct product *p = (struct product *)ctx + item;
    enum status (*const fn[KINDS])(float *, const float *, const float *,
                                   size_t, size_t, size_t, bool,
                                   struct err *) = {gemm_nn, gemm_nt, gemm_tn};
    return fn[p->kind](p->C.f, p->A.f, p->B.f, p->M, p->N, p->K, p->accumulate,
                       err);
}

/*
 * Element i, j in double, and how far a float sum in any order may be: each
 * of its K terms goes through at most K + 1 roundings.
 */
static void check_element(const struct product *p, size_t i, size_t j)
{
    double start = p->accumulate ? p->C.d[i * p->N + j] : 0.0;
    double sum = start, size = fabs(start);
    for (size_t k = 0; k < p->K; k++) {
        size_t at_a = p->kind == TN ? k * p->M + i : i * p->K + k;
        size_t at_b = p->kind == NT ? j * p->K + k : k * p->N + j;
        double term = p->A.d[at_a] * p->B.d[at_b];
        sum += term;
        size += fabs(term);
    }
    double got = (double)p->C.f[i * p->N + j];
    double allowed = (double)(p->K + 1) * FLOAT_EPS * size;
    if (!(fabs(got - sum) <= allowed))
        fail_msg("kind %d, %zu x %zu x %zu, [%zu,%zu]: got %.9g, want %.9g",
                 (int)p->kind, p->M, p->N, p->K, i, j, got, sum);
}

static void test_against_loops(void **state)
{
    (void)state;
    for (size_t c = 0; c < SHAPES * KINDS * 2; c++) {
        struct product p = product_new((enum kind)(c % KINDS),
                                       c / KINDS % SHAPES, c >= SHAPES * KINDS);
        on_team(1, 1, run, &p);
        for (size_t i = 0; i < p.M; i++) {
            for (size_t j = 0; j < p.N; j++)
                check_element(&p, i, j);
        }
        product_free(&p);
    }
}

static void test_same_bits_on_any_team(void **state)
{
    (void)state;
    struct product one[SHAPES * KINDS], two[SHAPES * KINDS];
    for (size_t i = 0; i < SHAPES * KINDS; i++) {
        one[i] = product_new((enum kind)(i % KINDS), i / KINDS, true);
        two[i] = product_new((enum kind)(i % KINDS), i / KINDS, true);
    }
    on_team(1, SHAPES * KINDS, run, one);
    on_team(2, SHAPES * KINDS, run, two);
    for (size_t i = 0; i < SHAPES * KINDS; i++) {
        assert_memory_equal(one[i].C.f, two[i].C.f, one[i].C.n * sizeof(float));
        product_free(&one[i]);
        product_free(&two[i]);
    }
}

/* Called itself: gemm_nt takes it on some processors only. */
static void test_skinny(void **state)
{
    (void)state;
    for (size_t c = 0; c < SHAPES * 2; c++) {
        struct product p = product_new(NT, c % SHAPES, c >= SHAPES);
        if (p.M <= SKINNY_ROWS && p.K > 0) {
            skinny_nt(p.C.f, p.A.f, p.B.f, p.M, p.N, p.K, p.accumulate);
            for (size_t i = 0; i < p.M; i++)
                for (size_t j = 0; j < p.N; j++)
                    check_element(&p, i, j);
        }
        product_free(&p);
    }
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    struct product p = product_new(NT, 4, false);
    p.A.f[3 * p.K] = NAN; // row 3
    on_team(1, 1, run, &p);
    for (size_t i = 0; i < p.C.n; i++)
        assert_int_equal(isnan(p.C.f[i]) != 0, i / p.N == 3);
    product_free(&p);
}

/* A part of each matrix: rows and columns around it stay as they are. */
static enum status run_part(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    (void)item;
    (void)worker;
    return gemm_part(ctx, err);
}

static void test_parts(void **state)
{
    (void)state;
    enum {
        M = 5,
        N = 4,
        K = 7,
        LD = 19,
        ROOM = 8 * LD
    };
    for (int form = 0; form < 3; form++) {
        struct rng r;
        rng_init(&r, 2, RNG_TEST, (uint32_t)form, 0);
        struct array A = array_normal(ROOM, &r, 1.0);
        struct array B = array_normal(ROOM, &r, 1.0);
        struct array C = array_normal(ROOM, &r, 1.0);
        struct gemm_part p = {(enum gemm_form)form,
                              C.f + 3,
                              A.f + 1,
                              B.f + 2,
                              LD,
                              LD,
                              LD,
                              M,
                              N,
                              K,
                              0.5f,
                              form != GEMM_NN};
        on_team(1, 1, run_part, &p);
        for (size_t i = 0; i < ROOM; i++) {
            size_t m = i / LD, n = i % LD - 3;
            bool is_inside = m < M && i % LD >= 3 && n < N;
            double want = !is_inside || p.accumulate ? C.d[i] : 0;
            double size = fabs(want);
            for (size_t k = 0; is_inside && k < K; k++) {
                double a = A.d[1 + (form == GEMM_TN ? k * LD + m : m * LD + k)];
                double b = B.d[2 + (form == GEMM_NT ? n * LD + k : k * LD + n)];
                want += 0.5 * a * b;
                size += fabs(0.5 * a * b);
            }
            assert_true(fabs((double)C.f[i] - want) <=
                        (double)(K + 2) * FLOAT_EPS * size);
        }
        array_free(&A);
        array_free(&B);
        array_free(&C);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_loops),
        cmocka_unit_test(test_same_bits_on_any_team),
        cmocka_unit_test(test_skinny),
        cmocka_unit_test(test_nan_passes_through),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_weight.c - products with bf16 weights are those with the same weights
 * in float; blocks are cut right. */
#include "nn/compare.h"

#include "nn/weight.h"

/* M over a few blocks of a K that makes them small, and the edges. */
static const size_t shapes[][3] = {{3, 40, 8192},  {1, 33, 4096}, {5, 1, 7},
                                   {2, 300, 1000}, {4, 7, 20000}, {0, 5, 3},
                                   {6, 576, 576}};

struct products {
    size_t N, M, K;
    bool accumulate;
    struct weight narrow, wide;
    const float *x, *y;
    float *nt[2], *nn[2]; // [0] narrow, [1] wide
    float *scratch;
};

static enum status run(void *ctx, size_t item, size_t worker, struct err *err)
{
    struct products *p = ctx;
    (void)item;
    (void)worker;
    for (int i = 0; i < 2; i++) {
        struct weight w = i == 0 ? p->narrow : p->wide;
        TRY(weight_nt(p->nt[i], p->x, w, p->N, p->M, p->K, p->accumulate,
                      p->scratch, err));
        TRY(weight_nn(p->nn[i], p->y, w, p->N, p->M, p->K, p->accumulate,
                      p->scratch, err));
    }
    return OK;
}

/*
 * out[n,m] = start + sum_k a[n sa + k ka] b[m sb + k kb] in double; a float
 * sum in any order is off by at most K + 1 roundings of the terms' sizes.
 */
struct sum {
    const float *a, *b;
    size_t sa, ka, sb, kb;
};

static void near(const float *out, size_t N, size_t M, size_t K, double start,
                 const struct sum *s)
{
    for (size_t i = 0; i < N * M; i++) {
        double want = start, size = fabs(start);
        for (size_t k = 0; k < K; k++) {
            double term = (double)s->a[i / M * s->sa + k * s->ka] *
                          (double)s->b[i % M * s->sb + k * s->kb];
            want += term;
            size += fabs(term);
        }
        if (!(fabs((double)out[i] - want) <=
              (double)(K + 1) * FLOAT_EPS * size))
            fail_msg("[%zu] of %zu x %zu x %zu: %g, want %g", i, N, M, K,
                     (double)out[i], want);
    }
}

static void test_products(void **state)
{
    (void)state;
    for (size_t s = 0; s < 2 * sizeof shapes / sizeof *shapes; s++) {
        const size_t *d = shapes[s / 2];
        size_t N = d[0], M = d[1], K = d[2];
        struct rng r;
        rng_init(&r, 4, RNG_TEST, (uint32_t)s, 0);
        struct array W = array_normal(M * K, &r, 1.0);
        struct array x = array_normal(N * K, &r, 1.0);
        struct array y = array_normal(N * M, &r, 1.0);
        uint16_t *narrow = mem_calloc(M * K, sizeof *narrow);
        for (size_t i = 0; i < M * K; i++) {
            uint32_t bits;
            memcpy(&bits, &W.f[i], sizeof bits);
            narrow[i] = (uint16_t)(bits >> 16);
        }
        weight_widen(W.f, narrow, M * K);
        struct products p = {.N = N,
                             .M = M,
                             .K = K,
                             .accumulate = s % 2 == 1,
                             .narrow = {.bf16 = narrow},
                             .wide = {.f32 = W.f},
                             .x = x.f,
                             .y = y.f};
        p.scratch = mem_calloc(weight_scratch(K), sizeof *p.scratch);
        for (int i = 0; i < 2; i++) {
            p.nt[i] = mem_calloc(N * M, sizeof(float));
            p.nn[i] = mem_calloc(N * K, sizeof(float));
            for (size_t k = 0; k < N * M; k++)
                p.nt[i][k] = p.accumulate ? 0.5f : NAN;
            for (size_t k = 0; k < N * K; k++)
                p.nn[i][k] = p.accumulate ? 0.5f : NAN;
        }
        on_team(1, 1, run, &p);
        double start = p.accumulate ? 0.5 : 0;
        const struct sum nt = {x.f, W.f, K, 1, K, 1};
        const struct sum nn = {y.f, W.f, M, 1, 1, K};
        for (int i = 0; i < 2; i++) {
            near(p.nt[i], N, M, K, start, &nt);
            near(p.nn[i], N, K, M, start, &nn);
        }
        for (int i = 0; i < 2; i++) {
            mem_free(p.nt[i]);
            mem_free(p.nn[i]);
        }
        mem_free(p.scratch);
        mem_free(narrow);
        array_free(&W);
        array_free(&x);
        array_free(&y);
    }
}

static void test_rows(void **state)
{
    (void)state;
    static const uint16_t narrow[6] = {0x3f80, 0xc000, 0x0000,
                                       0x7f80, 0x3eaa, 0x8000};
    static const float wide[6] = {1, -2, 0, INFINITY, 0.33203125f, -0.0f};
    static const int32_t row[3] = {1, 0, 1};
    float out[9], same[9];
    weight_rows(out, (struct weight){.bf16 = narrow}, row, 3, 3);
    weight_rows(same, (struct weight){.f32 = wide}, row, 3, 3);
    assert_memory_equal(out, same, sizeof out);
    assert_true(isinf(out[0]));
    assert_true(signbit(out[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

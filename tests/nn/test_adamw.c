/* test_adamw.c - the update against its twin and against one done by hand. */
#include "nn/compare.h"

#include "nn/adamw.h"
#include "nn/adamw_ref.h"

static const struct adamw usual = {
    .lr = 3e-3,
    .beta1 = 0.9,
    .beta2 = 0.95,
    .eps = 1e-8,
    .weight_decay = 0.1,
    .t = 1,
    .grad_scale = 0.7,
};

static void test_against_twin(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 7, 16, 64, 65, 1000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct rng r;
        rng_init(&r, 2, RNG_TEST, 0, (uint32_t)k);
        struct array w = array_normal(sizes[k], &r, 1.0);
        struct array m = array_new(sizes[k]), v = array_new(sizes[k]);
        struct adamw a = usual;
        for (; a.t <= 5; a.t++) {
            struct array g = array_normal(sizes[k], &r, 0.01);
            bool decay = a.t != 3;
            adamw_update(w.f, m.f, v.f, g.f, sizes[k], decay, &a);
            adamw_update_ref(w.d, m.d, v.d, g.d, sizes[k], decay, &a);
            array_free(&g);
        }
        /* A dozen roundings a step. */
        compare_array("w", &w, 5 * 12 * FLOAT_EPS);
        compare_array("m", &m, 5 * 12 * FLOAT_EPS);
        compare_array("v", &v, 5 * 12 * FLOAT_EPS);
        array_free(&w);
        array_free(&m);
        array_free(&v);
    }
}

/*
 * First step from zero moments: m/(1-b1) = g and v/(1-b2) = g^2, so the move
 * is lr g / (|g| + eps), whatever the betas.
 *     1 - 0.1 * 0.01 * 1 - 0.1 * 0.5 / (0.5 + 0.1) = 0.9156666...
 */
static void test_by_hand(void **state)
{
    (void)state;
    struct adamw a = {0.1, 0.9, 0.999, 0.1, 0.01, 1, 0.5};
    float w = 1.0f, m = 0.0f, v = 0.0f, g = 1.0f;
    adamw_update(&w, &m, &v, &g, 1, true, &a);
    assert_true(fabs((double)w - (1.0 - 0.001 - 0.05 / 0.6)) <= 4e-7);
    assert_true(fabs((double)m - 0.05) <= 1e-8);
    assert_true(fabs((double)v - 0.00025) <= 1e-10);
    /* Without decay only the move is left. */
    w = 1.0f, m = 0.0f, v = 0.0f;
    adamw_update(&w, &m, &v, &g, 1, false, &a);
    assert_true(fabs((double)w - (1.0 - 0.05 / 0.6)) <= 4e-7);
}

static void test_slices_change_nothing(void **state)
{
    (void)state;
    enum {
        n = 103,
        cut = 37
    };
    struct rng r;
    rng_init(&r, 2, RNG_TEST, 1, 0);
    struct array w = array_normal(n, &r, 1.0), g = array_normal(n, &r, 1.0);
    struct array whole = array_new(n), m = array_new(n), v = array_new(n);
    struct array m2 = array_new(n), v2 = array_new(n);
    memcpy(whole.f, w.f, n * sizeof(float));
    adamw_update(whole.f, m.f, v.f, g.f, n, true, &usual);
    adamw_update(w.f, m2.f, v2.f, g.f, cut, true, &usual);
    adamw_update(w.f + cut, m2.f + cut, v2.f + cut, g.f + cut, n - cut, true,
                 &usual);
    assert_memory_equal(w.f, whole.f, n * sizeof(float));
    assert_memory_equal(m.f, m2.f, n * sizeof(float));
    assert_memory_equal(v.f, v2.f, n * sizeof(float));
    struct array *all[] = {&w, &g, &whole, &m, &v, &m2, &v2};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_square_sum(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, RNG_TEST, 2, 0);
    for (size_t n = 0; n <= 1001; n += 143) {
        struct array g = array_normal(n, &r, 1e3);
        double want = 0.0;
        for (size_t i = 0; i < n; i++)
            want += g.d[i] * g.d[i];
        /* n additions of positive terms in double. */
        assert_true(fabs(adamw_square_sum(g.f, n) - want) <=
                    (double)n * 0x1p-53 * want);
        array_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_twin),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_slices_change_nothing),
        cmocka_unit_test(test_square_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

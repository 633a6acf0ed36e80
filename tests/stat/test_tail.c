/* Tails against SciPy, and which distributions are called heavy. */
#include "stat/tail.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include "data/golden/stat/tail.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void test_scipy(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 6, .resamples = 300};
    struct tail t;
    size_t n = COUNT(golden_tail);
    assert_int_equal(tail_measure(&t, golden_tail, NULL, n, n, &plan, &err),
                     OK);
    assert_null(t.reason);
    assert_int_equal(t.values, n);
    assert_int_equal(t.k, n / 50);
    /* Sums of hundreds of terms of order one; fourth powers up to 1e4. */
    assert_near(t.index.estimate, golden_hill[0], 1e-13);
    assert_near(t.kurtosis.estimate, golden_kurtosis[0], 1e-12);
    assert_near(t.index_se, golden_hill[0] / sqrt(12), 1e-13);
    assert_true(t.index.low < golden_hill[0] && t.index.high > golden_hill[0]);
}

/* Two copies of every value, both of one prompt, are the values once more: k
 * doubles, the threshold stays, and so does the interval. */
static void test_prompts(void **state)
{
    (void)state;
    enum {
        N = 1000
    };
    static double once[N];
    static double twice[2 * N];
    static size_t prompt[2 * N];
    struct rng r;
    rng_init(&r, 7, RNG_TEST, 56, 0);
    for (size_t i = 0; i < N; i++) {
        once[i] = rng_normal(&r);
        twice[i] = twice[N + i] = once[i];
        prompt[i] = prompt[N + i] = i;
    }
    struct bootstrap plan = {.seed = 6, .resamples = 100};
    struct tail a, b;
    assert_int_equal(tail_measure(&a, once, NULL, N, N, &plan, &err), OK);
    assert_int_equal(tail_measure(&b, twice, prompt, 2 * N, N, &plan, &err),
                     OK);
    assert_int_equal(b.k, 2 * a.k);
    assert_int_equal(b.index.n, N);
    assert_near(b.index.estimate, a.index.estimate, 1e-13);
    assert_near(b.kurtosis.estimate, a.kurtosis.estimate, 1e-12);
    assert_near(b.index.low, a.index.low, 1e-13);
    assert_near(b.index.high, a.index.high, 1e-13);
}

/* Student's t with 3 degrees of freedom. */
static double student3(struct rng *r)
{
    double z = rng_normal(r);
    double chi = 0;
    for (int k = 0; k < 3; k++) {
        double x = rng_normal(r);
        chi += x * x;
    }
    return z / sqrt(chi / 3);
}

/*
 * 2,000 values a draw, 40 draws.  A normal's index is .156 there (the mean of
 * ln(y / u) above its 98 % point u) with a standard error of .025, so that an
 * interval above .25 is far away; Student's t with three
 * degrees has .33 and more, and a kurtosis without end.
 */
static void test_which_are_heavy(void **state)
{
    (void)state;
    enum {
        N = 2000,
        DRAWS = 40
    };
    static double x[N];
    struct bootstrap plan = {.seed = 6, .resamples = 100};
    size_t heavy[2] = {0};
    double mean[2] = {0};
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t i = 0; i < DRAWS; i++) {
            struct rng r;
            rng_init(&r, 7, RNG_TEST, 57 + (uint32_t)kind, i);
            for (size_t k = 0; k < N; k++)
                x[k] = kind == 0 ? rng_normal(&r) : student3(&r);
            struct tail t;
            assert_int_equal(tail_measure(&t, x, NULL, N, N, &plan, &err), OK);
            heavy[kind] += t.is_heavy;
            mean[kind] += t.index.estimate / DRAWS;
        }
    }
    print_message("called heavy: normal %zu, t(3) %zu of %d; index %.3f, "
                  "%.3f\n",
                  heavy[0], heavy[1], DRAWS, mean[0], mean[1]);
    assert_int_equal(heavy[0], 0);
    assert_true(heavy[1] >= DRAWS * 9 / 10);
    assert_near(mean[0], 0.156, 4 * 0.025 / sqrt(DRAWS));
}

static void test_refused(void **state)
{
    (void)state;
    static double x[600];
    struct bootstrap plan = {.seed = 6, .resamples = 20};
    struct tail t;
    for (size_t i = 0; i < 600; i++)
        x[i] = i < 595;
    assert_int_equal(tail_measure(&t, x, NULL, 600, 600, &plan, &err), OK);
    assert_non_null(strstr(t.reason, "not above the median"));
    assert_true(isnan(t.index.estimate) && !t.is_heavy);
    x[3] = (double)NAN;
    assert_int_equal(tail_measure(&t, x, NULL, 500, 500, &plan, &err), OK);
    assert_int_equal(t.values, 499);
    assert_non_null(strstr(t.reason, "fewer than 500"));
    assert_true(isnan(t.index.estimate) && isnan(t.index_se));
    assert_int_equal(tail_measure(&t, x, NULL, 0, 0, &plan, &err), OK);
    assert_non_null(t.reason);
    x[3] = -(double)INFINITY;
    assert_int_equal(tail_measure(&t, x, NULL, 500, 500, &plan, &err),
                     ERR_NUMERIC);
    x[3] = 0;
    for (long at = 0; at < 7; at++) {
        mem_fail_at(at);
        assert_int_equal(tail_measure(&t, x, NULL, 500, 500, &plan, &err),
                         ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_which_are_heavy),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Inequality against the formulas on arrays, and in cases known in closed
 * form. */
#include "stat/concentration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include "data/golden/stat/tail.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const struct bootstrap plan = {.seed = 6, .resamples = 200};
static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void test_arrays(void **state)
{
    (void)state;
    struct concentration c;
    size_t n = COUNT(golden_kl);
    assert_int_equal(
        concentration_measure(&c, golden_kl, NULL, n, n, &plan, &err), OK);
    assert_near(c.gini.estimate, golden_gini[0], 1e-13);
    assert_near(c.top5.estimate, golden_top[0], 1e-13);
    assert_near(c.top20.estimate, golden_top[1], 1e-13);
    assert_true(c.gini.low < golden_gini[0] && c.gini.high > golden_gini[0]);
    assert_int_equal(c.negative, 0);
    (void)golden_tail, (void)golden_hill, (void)golden_kurtosis;
}

static void test_closed_forms(void **state)
{
    (void)state;
    enum {
        N = 4000
    };
    static double x[N];
    struct concentration c;
    for (size_t i = 0; i < N; i++)
        x[i] = 3;
    assert_int_equal(concentration_measure(&c, x, NULL, N, N, &plan, &err), OK);
    assert_near(c.gini.estimate, 0, 1e-13);
    assert_near(c.top20.estimate, 0.2, 1e-13);
    for (size_t i = 1; i < N; i++)
        x[i] = 0;
    assert_int_equal(concentration_measure(&c, x, NULL, N, N, &plan, &err), OK);
    assert_near(c.gini.estimate, 1 - 1.0 / N, 1e-13);
    assert_near(c.top5.estimate, 1, 0);
    /* Exponential quantiles at the middles of N equal steps: Gini 1/2, the
     * largest part p holds p (1 - ln p).  The midpoint rule misses about 1/N
     * in the steps at the end. */
    for (size_t i = 0; i < N; i++)
        x[i] = -log(((double)i + 0.5) / N);
    assert_int_equal(concentration_measure(&c, x, NULL, N, N, &plan, &err), OK);
    assert_near(c.gini.estimate, 0.5, 1.0 / N);
    assert_near(c.top5.estimate, 0.05 * (1 - log(0.05)), 1.0 / N);
    assert_near(c.top20.estimate, 0.2 * (1 - log(0.2)), 1.0 / N);
}

static void test_odd_values(void **state)
{
    (void)state;
    double x[] = {4, -1, (double)NAN, 0, 1};
    struct concentration c;
    assert_int_equal(concentration_measure(&c, x, NULL, 5, 5, &plan, &err), OK);
    assert_int_equal(c.values, 4);
    assert_int_equal(c.negative, 1);
    assert_near(c.negative_share, 0.2, 1e-15);
    /* 0 0 1 4: (-3 * 0 - 1 * 0 + 1 * 1 + 3 * 4) / (4 * 5) */
    assert_near(c.gini.estimate, 13.0 / 20, 1e-15);
    assert_int_equal(c.gini.n, 4);
    x[0] = x[4] = 0;
    assert_int_equal(concentration_measure(&c, x, NULL, 5, 5, &plan, &err), OK);
    assert_true(isnan(c.gini.estimate) && isnan(c.top5.high));
    x[0] = (double)INFINITY;
    assert_int_equal(concentration_measure(&c, x, NULL, 5, 5, &plan, &err),
                     ERR_NUMERIC);
}

/* Shares of classes sum to one, in every resample; prompts are drawn whole. */
static void test_classes(void **state)
{
    (void)state;
    enum {
        PROMPTS = 40,
        N = PROMPTS * 3
    };
    double x[N];
    size_t prompt[N], class_of[N];
    for (size_t i = 0; i < N; i++) {
        prompt[i] = i / 3;
        class_of[i] = i % 3;
        /* 1, 2 and 1 or 3, whose mean is 2. */
        x[i] = i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : i / 3 % 2 == 0 ? 1 : 3;
    }
    struct estimate e[3];
    assert_int_equal(concentration_shares(e, 3, x, class_of, prompt, N, PROMPTS,
                                          &plan, &err),
                     OK);
    assert_near(e[0].estimate, 0.2, 1e-15);
    assert_near(e[1].estimate, 0.4, 1e-15);
    assert_near(e[2].estimate, 0.4, 1e-15);
    assert_true(e[2].low < 0.4 && e[2].high > 0.4);
    /* The first two keep their proportion whatever is drawn. */
    assert_near(e[1].low, 2 * e[0].low, 1e-15);
    assert_int_equal(e[0].n, PROMPTS);
    for (size_t i = 0; i < N; i++)
        x[i] = 0;
    assert_int_equal(concentration_shares(e, 3, x, class_of, prompt, N, PROMPTS,
                                          &plan, &err),
                     OK);
    assert_true(isnan(e[0].estimate));
    for (long at = 0; at < 3; at++) {
        mem_fail_at(at);
        assert_int_equal(concentration_shares(e, 3, x, class_of, prompt, N,
                                              PROMPTS, &plan, &err),
                         ERR_MEMORY);
    }
    mem_fail_at(-1);
}

/* No tokens at all, as of a file that is not there, whatever the prompts. */
static void test_no_tokens(void **state)
{
    (void)state;
    struct estimate e[3];
    struct concentration c;
    assert_int_equal(
        concentration_shares(e, 3, NULL, NULL, NULL, 0, 7, &plan, &err), OK);
    assert_true(isnan(e[0].estimate));
    assert_int_equal(e[0].n, 0);
    assert_int_equal(concentration_measure(&c, NULL, NULL, 0, 7, &plan, &err),
                     OK);
    assert_true(isnan(c.gini.estimate));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),     cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_odd_values), cmocka_unit_test(test_classes),
        cmocka_unit_test(test_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

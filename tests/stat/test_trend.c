/* Theil-Sen and Mann-Kendall against SciPy; what the interval must do. */
#include "stat/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/trend.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct trend fit(const double *t, const double *y, size_t m, size_t n)
{
    struct bootstrap plan = {.seed = 5};
    struct trend trend;
    struct err err;
    assert_int_equal(trend_fit(&trend, t, y, m, n, &plan, &err), OK);
    return trend;
}

/* golden: slope, intercept, S, tau-b, z, p, Sen's low and high.  SciPy's z
 * went through its p and back, which costs digits: 1e-9. */
static void assert_golden(const double *t, const double *y, size_t m,
                          const double *golden)
{
    struct trend got = fit(t, y, m, 1);
    assert_near(got.slope.estimate, golden[0], 1e-14);
    assert_near(got.intercept, golden[1], 1e-13);
    assert_near(got.s, golden[2], 0);
    assert_near(got.tau, golden[3], 1e-14);
    assert_near(got.z, golden[4], 1e-9);
    assert_near(got.p, golden[5], 1e-9);
    assert_int_equal(got.slope.n, m);
    /* The hull holds Sen's interval; every limit is a pairwise slope or a
     * resampled one, so it may only be wider. */
    assert_true(got.slope.low <= golden[6] && golden[7] <= got.slope.high);
}

static void test_scipy(void **state)
{
    (void)state;
    assert_golden(golden_rise_t, golden_rise_y, COUNT(golden_rise_t),
                  golden_rise);
    assert_golden(golden_tied_t, golden_tied_y, COUNT(golden_tied_t),
                  golden_tied);
}

static void test_straight_line(void **state)
{
    (void)state;
    double t[6];
    double y[6];
    for (size_t i = 0; i < 6; i++) {
        t[i] = (double)i * 10;
        y[i] = 1 + 0.25 * t[i];
    }
    struct trend got = fit(t, y, 6, 1);
    assert_near(got.slope.low, 0.25, 1e-14);
    assert_near(got.slope.high, 0.25, 1e-14);
    assert_near(got.intercept, 1, 1e-13);
}

static void test_few_points(void **state)
{
    (void)state;
    double t[] = {0, 1, 2};
    double y[] = {0, 1, 2};
    struct trend got = fit(t, y, 1, 1);
    assert_true(isnan(got.slope.estimate));
    got = fit(t, y, 3, 1);
    assert_near(got.slope.estimate, 1, 0);
    assert_true(isnan(got.slope.low) && isnan(got.slope.high));
}

/* Prompts differ in their slopes: only resampling prompts can see it. */
static void test_prompts_widen(void **state)
{
    (void)state;
    enum {
        M = 8,
        N = 16
    };
    double t[M];
    double y[M * N];
    for (size_t c = 0; c < M; c++) {
        t[c] = (double)c;
        for (size_t i = 0; i < N; i++)
            y[c * N + i] = t[c] * (i % 2 == 0 ? 3 : -1);
    }
    struct trend got = fit(t, y, M, N);
    /* Mean slope 1; its deviation over prompts is 2 / sqrt(16) = 0.5, and the
     * percentile limits of a binomial of 16 are 1 +- 1 within one step of
     * 4/16. */
    assert_near(got.slope.estimate, 1, 1e-12);
    assert_near(got.slope.low, 0, 0.26);
    assert_near(got.slope.high, 2, 0.26);
}

/* Pure noise: the interval holds zero at least 95 times in 100, or 190 of 200
 * with a deviation of 3; two of these below. */
static void test_null(void **state)
{
    (void)state;
    enum {
        M = 12,
        RUNS = 200
    };
    int held = 0;
    for (uint32_t k = 0; k < RUNS; k++) {
        struct rng rng;
        rng_init(&rng, 17, RNG_TEST, 1, k);
        double t[M];
        double y[M];
        for (size_t c = 0; c < M; c++) {
            t[c] = (double)c;
            y[c] = rng_normal(&rng);
        }
        struct trend got = fit(t, y, M, 1);
        held += got.slope.low <= 0 && 0 <= got.slope.high;
    }
    assert_in_range(held, 184, RUNS);
}

/* A long series is the series of its averages: of a straight line the same
 * line, and the noise of three prompts in blocks as somebody would average them
 * by hand. */
static void test_long(void **state)
{
    (void)state;
    enum {
        M = 3 * TREND_MOST,
        N = 3
    };
    static double t[M], y[M * N], mean_t[TREND_MOST], mean_y[TREND_MOST * N];
    const struct bootstrap plan = {.seed = 3, .resamples = 200};
    struct trend whole, blocks;
    struct err err;
    struct rng rng;
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (size_t c = 0; c < M; c++) {
        t[c] = 2 * (double)c;
        mean_t[c / 3] += t[c] / 3;
        for (size_t i = 0; i < N; i++) {
            y[c * N + i] = 1 + 0.25 * t[c] + rng_normal(&rng);
            mean_y[c / 3 * N + i] += y[c * N + i] / 3;
        }
    }
    assert_int_equal(trend_fit(&whole, t, y, M, N, &plan, &err), OK);
    assert_int_equal(
        trend_fit(&blocks, mean_t, mean_y, TREND_MOST, N, &plan, &err), OK);
    assert_int_equal(whole.slope.n, M);
    assert_true(fabs(whole.slope.estimate - blocks.slope.estimate) < 1e-12);
    assert_true(fabs(whole.slope.low - blocks.slope.low) < 1e-12);
    assert_true(whole.slope.low < 0.25 && 0.25 < whole.slope.high);
}

static void test_memory(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 5};
    struct err err = {OK, ""};
    for (long at = 0; at < 7; at++) {
        struct trend trend = {.tau = 42};
        mem_fail_at(at);
        assert_int_equal(
            trend_fit(&trend, golden_rise_t, golden_rise_y, 8, 1, &plan, &err),
            ERR_MEMORY);
        assert_near(trend.tau, 42, 0);
    }
    mem_fail_at(-1);
}

/* A hole in the series is no reason to run for ever, nor for a number. */
static void test_not_finite(void **state)
{
    (void)state;
    static const double t[5] = {0, 1, 2, 3, 4};
    const double y[5] = {0, 1, (double)NAN, 3, 4};
    struct trend got = fit(t, y, 5, 1);
    assert_true(isnan(got.slope.estimate) && isnan(got.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy),      cmocka_unit_test(test_straight_line),
        cmocka_unit_test(test_few_points), cmocka_unit_test(test_prompts_widen),
        cmocka_unit_test(test_null),       cmocka_unit_test(test_long),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

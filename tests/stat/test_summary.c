/* Quantiles and bootstrap intervals against NumPy and SciPy, and the laws a
 * prompt-cluster bootstrap must keep. */
#include "stat/summary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/summary.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void test_quantiles(void **state)
{
    (void)state;
    double x[COUNT(golden_x)];
    memcpy(x, golden_x, sizeof x);
    summary_sort(x, COUNT(x));
    /* One product and one sum of numbers below 64: a few ulp. */
    for (size_t i = 0; i < COUNT(golden_q); i++)
        assert_near(summary_quantile(x, COUNT(x), golden_q[i]),
                    golden_quantile[i], 64 * 4 * 2.3e-16);
    assert_near(summary_sd(golden_x, COUNT(golden_x)), golden_sd[0], 1e-13);
    double four[] = {4, 1, 3, 2};
    assert_near(summary_median(four, 4), 2.5, 0);
}

/* What is found without sorting is what sorting finds, to the last bit: few
 * values and many, different ones and ties, in order, against it and mixed. */
static void test_medians(void **state)
{
    (void)state;
    struct rng r;
    double x[1000], sorted[COUNT(x)];
    rng_init(&r, 1, RNG_TEST, 20, 0);
    for (size_t round = 0; round < 3000; round++) {
        size_t n = 1 + rng_below(&r, round % 2 == 0 ? 20 : COUNT(x));
        uint32_t values = 1 + rng_below(&r, (uint32_t)(round % 3 == 0 ? 4 : n));
        for (size_t i = 0; i < n; i++)
            x[i] = round % 5 == 0   ? rng_normal(&r)
                   : round % 5 == 1 ? (double)i
                   : round % 5 == 2 ? -(double)i
                   : round % 5 == 3 ? fabs((double)i - (double)n / 2)
                                    : (double)rng_below(&r, values);
        memcpy(sorted, x, n * sizeof *x);
        summary_sort(sorted, n);
        double want = summary_quantile(sorted, n, 0.5);
        double got = summary_median(x, n);
        assert_memory_equal(&got, &want, sizeof want);
        summary_sort(x, n);
        assert_memory_equal(x, sorted, n * sizeof *x);
    }
}

static void test_nothing_is_nan(void **state)
{
    (void)state;
    double x[] = {1};
    assert_true(isnan(summary_mean(x, 0)));
    assert_true(isnan(summary_sd(x, 1)));
    assert_true(isnan(summary_quantile(x, 0, 0.5)));
    struct estimate e = {1, 1, 1, 1};
    struct bootstrap plan = {.seed = 1};
    struct err err;
    assert_int_equal(summary_estimate_mean(&e, x, 0, &plan, &err), OK);
    assert_true(isnan(e.estimate) && isnan(e.low) && e.n == 0);
    /* One prompt has a mean, but nothing says how far to trust it. */
    assert_int_equal(summary_estimate_mean(&e, x, 1, &plan, &err), OK);
    assert_near(e.estimate, 1, 0);
    assert_true(isnan(e.low) && isnan(e.high) && e.n == 1);
}

/*
 * Our resamples are not SciPy's, so limits agree up to Monte-Carlo error.  A
 * quantile q of B draws has deviation sqrt(q(1-q)/B) / density; at 2.5 % of a
 * normal the density is 0.0584/se.  B = 20,000: 0.019 se; five of these,
 * doubled for a distribution that is not normal in its tails: 0.19 se.
 */
static void assert_interval(const struct estimate *e, const double *golden)
{
    double tolerance = 0.19 * golden[3];
    assert_near(e->estimate, golden[0], 1e-13);
    assert_near(e->low, golden[1], tolerance);
    assert_near(e->high, golden[2], tolerance);
    assert_int_equal(e->n, COUNT(golden_x));
}

static void test_intervals(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 3, .resamples = 20000};
    struct estimate e;
    struct err err;
    size_t n = COUNT(golden_x);
    assert_int_equal(summary_estimate_mean(&e, golden_x, n, &plan, &err), OK);
    assert_interval(&e, golden_mean);
    assert_int_equal(
        summary_estimate_ratio(&e, golden_x, golden_y, n, &plan, &err), OK);
    assert_interval(&e, golden_ratio);
}

static void test_same_seed_same_interval(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 3};
    struct estimate a;
    struct estimate b;
    struct err err;
    size_t n = COUNT(golden_x);
    assert_int_equal(summary_estimate_mean(&a, golden_x, n, &plan, &err), OK);
    assert_int_equal(summary_estimate_mean(&b, golden_x, n, &plan, &err), OK);
    assert_memory_equal(&a, &b, sizeof a);
    plan.seed = 4;
    assert_int_equal(summary_estimate_mean(&b, golden_x, n, &plan, &err), OK);
    assert_true(a.low != b.low);
}

/* Both models of a pair see the same prompts in every resample, so a constant
 * difference has an interval of no width however much prompts differ. */
static void test_pairing(void **state)
{
    (void)state;
    double shifted[COUNT(golden_x)];
    size_t n = COUNT(golden_x);
    for (size_t i = 0; i < n; i++)
        shifted[i] = golden_x[i] + 0.5;
    struct bootstrap plan = {.seed = 3};
    struct estimate e;
    struct err err;
    assert_int_equal(
        summary_estimate_difference(&e, shifted, golden_x, n, &plan, &err), OK);
    assert_near(e.low, 0.5, 1e-12);
    assert_near(e.high, 0.5, 1e-12);
    assert_int_equal(summary_estimate_excess(&e, shifted, golden_y, shifted,
                                             golden_y, n, &plan, &err),
                     OK);
    assert_near(e.low, 0, 0);
    assert_near(e.high, 0, 0);
}

static void test_missing_values(void **state)
{
    (void)state;
    double x[] = {1, (double)NAN, 3, (double)NAN, 5};
    double ones[] = {1, 1, 1, (double)NAN, (double)NAN};
    struct bootstrap plan = {.seed = 3};
    struct estimate e;
    struct err err;
    assert_int_equal(summary_estimate_mean(&e, x, 5, &plan, &err), OK);
    assert_near(e.estimate, 3, 0);
    assert_int_equal(e.n, 3);
    assert_int_equal(summary_estimate_ratio(&e, x, ones, 5, &plan, &err), OK);
    assert_near(e.estimate, 2, 0);
    assert_int_equal(e.n, 2);
    /* With 2 of 5 prompts, resamples without either are (3/5)^5 = 8 %: more
     * than the one in twenty that may be left out. */
    assert_true(isnan(e.low));
}

/* Against the definition; a constant has none, a missing pair is left out. */
static void test_correlation(void **state)
{
    (void)state;
    const double nan = (double)NAN;
    const double a[] = {2, 1, nan, 3, 7};
    const double b[] = {1, -1, 5, 2, nan};
    const double flat[] = {4, 4, 4, 4, 4};
    const struct bootstrap plan = {.seed = 1};
    struct estimate e;
    assert_int_equal(summary_estimate_correlation(&e, a, b, 5, &plan, NULL),
                     OK);
    assert_true(fabs(e.estimate - 3 / sqrt(2.0 * 14 / 3)) < 1e-14);
    assert_int_equal(e.n, 3);
    assert_int_equal(summary_estimate_correlation(&e, a, flat, 5, &plan, NULL),
                     OK);
    assert_true(isnan(e.estimate) && isnan(e.low));
    assert_int_equal(summary_estimate_correlation(&e, a, a, 5, &plan, NULL),
                     OK);
    assert_true(fabs(e.estimate - 1) < 1e-14);
}

/* A 95 % interval holds the truth in 95 % of experiments, a little less at
 * n = 50 (percentile intervals run about 1.5 points short there).  Of 400
 * experiments the share has deviation 1.2 points; four of them. */
static void test_coverage(void **state)
{
    (void)state;
    int held = 0;
    for (uint32_t k = 0; k < 400; k++) {
        struct rng rng;
        rng_init(&rng, 11, RNG_TEST, 0, k);
        double x[50];
        for (size_t i = 0; i < COUNT(x); i++)
            x[i] = rng_normal(&rng);
        struct bootstrap plan = {.seed = k, .resamples = 500};
        struct estimate e;
        struct err err;
        assert_int_equal(summary_estimate_mean(&e, x, COUNT(x), &plan, &err),
                         OK);
        held += e.low <= 0 && 0 <= e.high;
    }
    assert_in_range(held, 354, 398);
}

/* Mean, ratio and the number of the resample, all from one pass. */
static void three(void *ctx, double *value, size_t r, const size_t *index,
                  size_t n)
{
    size_t *called = ctx;
    double x = 0;
    double y = 0;
    for (size_t i = 0; i < n; i++) {
        x += golden_x[index[i]];
        y += golden_y[index[i]];
    }
    value[0] = x / (double)n;
    value[1] = x / y;
    value[2] = r == SUMMARY_ALL ? -1 : (double)r;
    *called += 1;
}

/* Statistics made together have the intervals they have one by one, and the
 * draws are handed out in the order of the resamples. */
static void test_many(void **state)
{
    (void)state;
    enum {
        R = 200
    };
    struct bootstrap plan = {.seed = 3, .resamples = R};
    struct estimate many[3];
    struct estimate mean;
    struct estimate ratio;
    double draws[3 * R];
    size_t called = 0;
    size_t n = COUNT(golden_x);
    assert_int_equal(
        summary_bootstrap_many(many, draws, three, &called, 3, n, &plan, NULL),
        OK);
    assert_int_equal(called, R + 1);
    assert_int_equal(summary_estimate_mean(&mean, golden_x, n, &plan, NULL),
                     OK);
    assert_int_equal(
        summary_estimate_ratio(&ratio, golden_x, golden_y, n, &plan, NULL), OK);
    assert_memory_equal(&many[0], &mean, sizeof mean);
    assert_memory_equal(&many[1], &ratio, sizeof ratio);
    assert_near(many[2].estimate, -1, 0);
    for (size_t r = 0; r < R; r++)
        assert_near(draws[2 * R + r], (double)r, 0);

    /* One prompt is no sample: nothing was drawn. */
    assert_int_equal(
        summary_bootstrap_many(many, draws, three, &called, 3, 1, &plan, NULL),
        OK);
    assert_near(many[0].estimate, golden_x[0], 0);
    assert_true(isnan(many[0].low) && isnan(draws[0]));
}

static void test_memory(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 3};
    struct estimate e = {7, 7, 7, 7};
    struct err err = {OK, ""};
    for (long at = 0; at < 4; at++) {
        mem_fail_at(at);
        assert_int_equal(summary_estimate_mean(&e, golden_x, 5, &plan, &err),
                         ERR_MEMORY);
        assert_near(e.estimate, 7, 0);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_medians),
        cmocka_unit_test(test_nothing_is_nan),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_same_seed_same_interval),
        cmocka_unit_test(test_pairing),
        cmocka_unit_test(test_missing_values),
        cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

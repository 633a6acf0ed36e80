/* Intervals of a few units: by hand, and how often they hold the truth. */
#include "stat/blocks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stat/distribution.h"

enum {
    UNITS = 12,
    RUNS = 2000
};

static double mean(void *ctx, const size_t *index, size_t n)
{
    return summary_mean_of(ctx, index, n);
}

static struct estimate estimate(double *x, size_t m, size_t block)
{
    struct estimate e;
    struct err err;
    assert_int_equal(blocks_estimate(&e, mean, x, m, block, 0, &err), OK);
    return e;
}

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* 1, 2, 3, 4: deviation sqrt(5/3), of the mean half of it, and t of three
 * degrees 3.18245 (tables). */
static void test_mean_of_four(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4};
    struct estimate e = estimate(x, 4, 1);
    double half = 3.18245 * sqrt(5.0 / 3) / 2;
    assert_true(e.estimate == 2.5 && e.n == 4);
    assert_near(e.low, 2.5 - half, 1e-5);
    assert_near(e.high, 2.5 + half, 1e-5);
}

/* 1..7 in blocks {1,2} {3,4} {5,6,7}: pseudo-values are the blocks' means 1.5,
 * 3.5, 6 around 4, with h = 7/2, 7/2, 7/3:
 *     variance = (2.5^2/2.5 + 0.5^2/2.5 + 2^2/(4/3)) / 3 = 5.6 / 3
 * and t of two degrees is 4.30265. */
static void test_blocks_of_different_length(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 5, 6, 7};
    struct estimate e = estimate(x, 7, 2);
    assert_near(e.estimate, 4, 1e-15);
    assert_near(e.high - e.estimate, 4.30265 * sqrt(5.6 / 3), 1e-5);
    assert_near(e.estimate - e.low, 4.30265 * sqrt(5.6 / 3), 1e-5);
}

static void test_too_few(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 5}, one = 1;
    struct estimate e = estimate(x, 5, 2); // two blocks
    assert_true(e.estimate == 3 && isnan(e.low) && isnan(e.high) && e.n == 5);
    e = estimate(&one, 1, 1);
    assert_true(e.estimate == 1 && isnan(e.low));
    e = estimate(&one, 0, 1);
    assert_true(isnan(e.estimate) && isnan(e.low) && e.n == 0);
    x[2] = (double)INFINITY;
    e = estimate(x, 5, 1);
    assert_true(isnan(e.low) && isnan(e.high));
    assert_int_equal(blocks_length(0), 1);
    assert_int_equal(blocks_length(5), 1); // three of them
    assert_int_equal(blocks_length(6), 2);
    assert_int_equal(blocks_length(30), 3);
}

/* A unit that was not measured is none.  2 b + (-1, 1, -1, 1) over b = 1, 2, 3,
 * 4 is 20 / 10. */
static void test_ratio(void **state)
{
    (void)state;
    double a[] = {1, 5, (double)NAN, 5, 9}, b[] = {1, 2, 7, 3, 4};
    struct estimate e;
    struct err err;
    assert_int_equal(blocks_ratio(&e, a, b, 5, 1, 0, &err), OK);
    assert_true(e.estimate == 2 && e.n == 4 && e.low < 2 && e.high > 2);
    double nothing[5] = {0};
    assert_int_equal(blocks_ratio(&e, a, nothing, 5, 1, 0, &err), OK);
    assert_true(isnan(e.estimate) && isnan(e.low));
}

/* Counts between which a binomial of RUNS and 95 % lies but for one time in a
 * thousand at either end. */
static void limits(size_t *low, size_t *high)
{
    *low = *high = RUNS;
    while (distribution_binomial_tail(*low, RUNS, 0.95) < 1 - 1e-3)
        --*low;
    while (distribution_binomial_tail(*high, RUNS, 0.95) < 1e-3)
        --*high;
}

static void assert_nominal(size_t count)
{
    size_t low, high;
    limits(&low, &high);
    if (count < low || count > high)
        fail_msg("%zu of %d hold the truth, not %zu to %zu", count, RUNS, low,
                 high);
}

static void assert_too_few_hold(size_t count)
{
    size_t low, high;
    limits(&low, &high);
    if (count >= low)
        fail_msg("%zu of %d hold the truth", count, RUNS);
}

static bool holds(const struct estimate *e, double truth)
{
    return e->low <= truth && truth <= e->high;
}

/* A dozen independent units.  The percentile bootstrap of the same numbers is
 * what this is instead of. */
static void test_coverage(void **state)
{
    (void)state;
    size_t count = 0, bootstrap = 0;
    struct err err;
    for (uint32_t r = 0; r < RUNS; r++) {
        double x[UNITS];
        struct rng rng;
        rng_init(&rng, 11, RNG_TEST, 0, r);
        for (size_t i = 0; i < UNITS; i++)
            x[i] = rng_normal(&rng);
        struct estimate e = estimate(x, UNITS, 1);
        count += holds(&e, 0);
        struct bootstrap plan = {.seed = r, .resamples = 200};
        assert_int_equal(summary_estimate_mean(&e, x, UNITS, &plan, &err), OK);
        bootstrap += holds(&e, 0);
    }
    assert_nominal(count);
    assert_too_few_hold(bootstrap);
}

/* Six values, each of which stands twice: blocks of two are exact, and without
 * blocks neighbours count as independent. */
static void test_coverage_of_neighbours(void **state)
{
    (void)state;
    size_t count = 0, alone = 0;
    for (uint32_t r = 0; r < RUNS; r++) {
        double x[UNITS];
        struct rng rng;
        rng_init(&rng, 12, RNG_TEST, 0, r);
        for (size_t i = 0; i < UNITS / 2; i++)
            x[i] = rng_normal(&rng);
        for (size_t i = UNITS; i-- > 0;)
            x[i] = x[i / 2];
        struct estimate e = estimate(x, UNITS, 2);
        count += holds(&e, 0);
        e = estimate(x, UNITS, 1);
        alone += holds(&e, 0);
    }
    assert_nominal(count);
    assert_too_few_hold(alone);
}

/* a = 2 b + noise: the ratio is 2 whatever b is, and given b its error is
 * normal. */
static void test_coverage_of_a_ratio(void **state)
{
    (void)state;
    size_t count = 0;
    struct err err;
    for (uint32_t r = 0; r < RUNS; r++) {
        double a[UNITS], b[UNITS];
        struct rng rng;
        struct estimate e;
        rng_init(&rng, 13, RNG_TEST, 0, r);
        for (size_t i = 0; i < UNITS; i++) {
            b[i] = 1 + rng_uniform(&rng) / 2;
            a[i] = 2 * b[i] + rng_normal(&rng);
        }
        assert_int_equal(blocks_ratio(&e, a, b, UNITS, 1, 0, &err), OK);
        count += holds(&e, 2);
    }
    assert_nominal(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_of_four),
        cmocka_unit_test(test_blocks_of_different_length),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_coverage_of_neighbours),
        cmocka_unit_test(test_coverage_of_a_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A shift between two samples of prompts: two closed forms, and how often the
 * interval holds the truth where a prompt's responses resemble each other. */
#include "stat/shift.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stat/distribution.h"
#include "stat/hypothesis.h"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* All prompts in both: the paired t interval. */
static void test_paired(void **state)
{
    (void)state;
    static const double before[] = {1, 2, 3, 5, 8}, after[] = {2, 2, 6, 4, 9};
    double d[5];
    for (int p = 0; p < 5; p++)
        d[p] = after[p] - before[p];
    struct hypothesis_t want = hypothesis_t_test(d, 5, 0.95);
    struct estimate got = shift_estimate(before, after, 5, 0);
    assert_near(got.estimate, want.mean, 1e-12);
    assert_near(got.low, want.low, 1e-12);
    assert_near(got.high, want.high, 1e-12);
    assert_int_equal(got.n, 5);
}

/* No prompt in both: Welch's, at 2 degrees. */
static void test_apart(void **state)
{
    (void)state;
    const double no = (double)NAN;
    const double before[] = {1, 2, 3, 6, no, no, no};
    const double after[] = {no, no, no, no, 4, 5, 9};
    struct estimate got = shift_estimate(before, after, 7, 0.9);
    /* Variances 14/3 of 4 and 7 of 3. */
    double reach =
        distribution_t_quantile(0.95, 2) * sqrt(14.0 / 3 / 4 + 7.0 / 3);
    assert_near(got.estimate, 3, 1e-12);
    assert_near(got.high - got.estimate, reach, 1e-12);
    assert_near(got.estimate - got.low, reach, 1e-12);
    assert_int_equal(got.n, 7);
}

static void test_too_few(void **state)
{
    (void)state;
    const double no = (double)NAN;
    const double one[] = {1, no, no}, two[] = {no, 2, 4}, none[] = {no, no, no};
    struct estimate e = shift_estimate(one, two, 3, 0);
    assert_true(e.estimate == 2 && isnan(e.low) && isnan(e.high));
    assert_int_equal(e.n, 3);
    e = shift_estimate(none, two, 3, 0);
    assert_true(isnan(e.estimate));
    assert_int_equal(e.n, 0);
}

/* ---- coverage ----------------------------------------------------------- */

enum {
    EACH = 12, // prompts of a window
    K = 8,     // responses to each
    DRAWS = 4000
};

#define SHIFT 0.3

/* The share of intervals that hold the truth when `shared` prompts are in both
 * windows: a prompt's own level varies by 1 between prompts, its responses by
 * 1/2 around it.  *naive: when responses are taken for independent. */
static double coverage(size_t shared, uint64_t seed, double *naive)
{
    size_t n = 2 * EACH - shared, held = 0, held_naive = 0;
    for (uint32_t draw = 0; draw < DRAWS; draw++) {
        double mean[2][2 * EACH], sum[2] = {0, 0}, square[2] = {0, 0};
        struct rng r;
        rng_init(&r, seed, RNG_TEST, draw, 0);
        for (size_t p = 0; p < n; p++) {
            double level = rng_normal(&r);
            for (size_t w = 0; w < 2; w++) {
                double total = 0;
                bool is_in = w == 0 ? p < EACH : p >= n - EACH;
                for (size_t k = 0; k < K; k++) {
                    double x =
                        level + (w == 0 ? 0 : SHIFT) + 0.5 * rng_normal(&r);
                    total += x;
                    sum[w] += is_in ? x : 0;
                    square[w] += is_in ? x * x : 0;
                }
                mean[w][p] = is_in ? total / K : (double)NAN;
            }
        }
        struct estimate e = shift_estimate(mean[0], mean[1], n, 0.95);
        held += e.low <= SHIFT && SHIFT <= e.high;
        double m = EACH * K, se = 0;
        for (size_t w = 0; w < 2; w++)
            se += (square[w] - sum[w] * sum[w] / m) / (m - 1) / m;
        held_naive += fabs((sum[1] - sum[0]) / m - SHIFT) <= 1.96 * sqrt(se);
    }
    *naive = (double)held_naive / DRAWS;
    return (double)held / DRAWS;
}

/* Four standard errors of a share of .95 among DRAWS: what chance alone may
 * do, once in sixteen thousand runs of another seed. */
static void test_coverage(void **state)
{
    (void)state;
    double chance = 4 * sqrt(0.95 * 0.05 / DRAWS), naive;
    /* Exact. */
    assert_near(coverage(EACH, 1, &naive), 0.95, chance);
    /* The other two may be too wide, never too narrow. */
    assert_true(coverage(EACH / 2, 2, &naive) >= 0.95 - chance);
    assert_true(coverage(0, 3, &naive) >= 0.95 - chance);
    /* A prompt's responses are K times too many: the interval is too narrow by
     * the root of 1 + (K - 1) 0.8 = 6.6, and holds
     * P(|Z| < 1.96 / 2.57) = .55. */
    assert_true(naive < 0.65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

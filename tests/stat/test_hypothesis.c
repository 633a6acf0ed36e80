/* Tests against SciPy and statsmodels, and the promises a p-value makes. */
#include "stat/hypothesis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/hypothesis.inc"
#include "stat/distribution.h"
#include "stat/summary.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* Sums of 80 numbers near 1 and tails to 1e-13 (test_distribution.c). */
static void assert_t(const double *x, size_t n, const double *golden)
{
    struct hypothesis_t r = hypothesis_t_test(x, n, 0.9);
    const double got[] = {r.mean, r.se, r.t, r.p, r.low, r.high};
    for (size_t i = 0; i < COUNT(got); i++)
        assert_near(got[i], golden[i], 1e-12);
    assert_int_equal(r.n, n);
    assert_near(r.degrees, (double)n - 1, 0);
}

static void assert_sign(const double *x, size_t n, const double *golden)
{
    struct hypothesis_sign r = hypothesis_sign_test(x, n);
    assert_int_equal(r.above, (size_t)golden[0]);
    assert_int_equal(r.below, (size_t)golden[1]);
    assert_int_equal(r.ties, n - r.above - r.below);
    assert_near(r.p, golden[2], 1e-12);
}

static void assert_wilcoxon(const double *x, size_t n, const double *golden,
                            bool is_exact)
{
    struct hypothesis_wilcoxon r;
    assert_int_equal(hypothesis_wilcoxon_test(&r, x, n, &err), OK);
    assert_near(r.plus, golden[0], 0);
    assert_near(r.p, golden[1], 1e-14);
    assert_near(r.z, golden[2], 1e-12);
    assert_true(r.is_exact == is_exact);
}

static void test_golden(void **state)
{
    (void)state;
    assert_t(golden_few, COUNT(golden_few), golden_few_t);
    assert_t(golden_tied, COUNT(golden_tied), golden_tied_t);
    assert_t(golden_many, COUNT(golden_many), golden_many_t);
    assert_sign(golden_few, COUNT(golden_few), golden_few_sign);
    assert_sign(golden_tied, COUNT(golden_tied), golden_tied_sign);
    assert_sign(golden_many, COUNT(golden_many), golden_many_sign);
    assert_wilcoxon(golden_few, COUNT(golden_few), golden_few_wilcoxon, true);
    assert_wilcoxon(golden_tied, COUNT(golden_tied), golden_tied_wilcoxon,
                    true);
    assert_wilcoxon(golden_many, COUNT(golden_many), golden_many_wilcoxon,
                    false);
}

static void test_unmeasured(void **state)
{
    (void)state;
    const double nan = (double)NAN;
    const double x[] = {nan, 1, -2, nan, 4, 0};
    const double y[] = {1, -2, 4, 0};
    struct hypothesis_t a = hypothesis_t_test(x, 6, 0.95);
    struct hypothesis_t b = hypothesis_t_test(y, 4, 0.95);
    assert_near(a.p, b.p, 0);
    assert_int_equal(a.n, 4);
    assert_int_equal(hypothesis_sign_test(x, 6).ties, 1);
    struct hypothesis_wilcoxon w;
    assert_int_equal(hypothesis_wilcoxon_test(&w, x, 6, &err), OK);
    assert_int_equal(w.n, 3);
    assert_near(w.plus, 4, 0);
    assert_near(w.effect, 1.0 / 3, 1e-15);
    /* Nothing, one number, and only zeros. */
    assert_true(isnan(hypothesis_t_test(x, 1, 0.95).mean));
    a = hypothesis_t_test(x, 2, 0.95);
    assert_true(a.mean == 1 && isnan(a.p) && isnan(a.low));
    assert_true(isnan(hypothesis_sign_test(y + 3, 1).p));
    assert_int_equal(hypothesis_wilcoxon_test(&w, y + 3, 1, &err), OK);
    assert_true(isnan(w.p) && isnan(w.z) && isnan(w.effect) && w.n == 0);
}

/*
 * At the border of the exact test it is what the normal form becomes with its
 * next two corrections: half a step of the rank sum, and the fourth cumulant
 *     kappa = -1/8 sum i^4 / variance^2 = -0.141,
 *     tail = Q(z) + kappa / 24 (z^3 - 3 z) density(z)     (Edgeworth).
 * What is left is of the order of kappa^2 / 40 = 5e-4.
 */
static void test_exact_meets_normal(void **state)
{
    (void)state;
    double x[HYPOTHESIS_EXACT_MAX];
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = (double)(i + 1) * (i % 3 == 0 ? -1 : 1);
    struct hypothesis_wilcoxon r;
    assert_int_equal(hypothesis_wilcoxon_test(&r, x, COUNT(x), &err), OK);
    assert_true(r.is_exact && r.p > 0.05 && r.p < 0.3);
    double variance = 25.0 * 26 * 51 / 24;
    double kappa = -2153645.0 / 8 / (variance * variance);
    double z = fabs(r.z) - 0.5 / sqrt(variance);
    double density = exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846);
    double tail = distribution_normal_tail(z) +
                  kappa / 24 * (z * z * z - 3 * z) * density;
    assert_near(r.p, 2 * tail, 5e-4);
    assert_near(r.p, 2 * distribution_normal_tail(fabs(r.z)), 0.01);
    /* All on one side: 2 of 2^25 signs are as far out. */
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = fabs(x[i]);
    assert_int_equal(hypothesis_wilcoxon_test(&r, x, COUNT(x), &err), OK);
    assert_near(r.p, ldexp(1, -24), 0);
    assert_near(r.effect, 1, 0);
}

static void test_equivalence(void **state)
{
    (void)state;
    struct hypothesis_t t = hypothesis_t_test(golden_many, 80, 0.9);
    struct hypothesis_equivalence e =
        hypothesis_tost(t.mean, t.se, t.degrees, -0.1, 0.5);
    assert_near(e.p, golden_tost[0], 1e-12);
    assert_near(e.p_low, golden_tost[1], 1e-12);
    assert_near(e.p_high, golden_tost[2], 1e-12);
    /* p = 0.05 where the 90 % interval ends. */
    e = hypothesis_tost(t.mean, t.se, t.degrees, t.low, 9);
    assert_near(e.p, 0.05, 1e-12);
    e = hypothesis_tost(0.3, 0, INFINITY, 0, 1);
    assert_near(e.p, 0, 0);
    e = hypothesis_tost(1, 0, INFINITY, 0, 1);
    assert_near(e.p, 1, 0);
    assert_true(isnan(hypothesis_tost(0, (double)NAN, 3, -1, 1).p));
    assert_true(isnan(hypothesis_tost(0, 1, INFINITY, (double)NAN, 1).p));
}

static void test_draws(void **state)
{
    (void)state;
    double draws[102];
    for (size_t i = 0; i < 99; i++)
        draws[i] = (double)i + 1; // 1 to 99
    draws[99] = (double)NAN;
    draws[100] = (double)INFINITY;
    draws[101] = -(double)INFINITY;
    assert_near(hypothesis_draws_p(draws, 102, 0), 0.02, 1e-15);
    assert_near(hypothesis_draws_p(draws, 102, 3), 0.08, 1e-15);
    assert_near(hypothesis_draws_p(draws, 102, 97), 0.08, 1e-15);
    assert_near(hypothesis_draws_p(draws, 102, 50), 1, 0);
    assert_true(isnan(hypothesis_draws_p(draws, 0, 0)));
    assert_true(isnan(hypothesis_draws_p(draws, 102, (double)NAN)));
    struct hypothesis_equivalence e = hypothesis_tost_draws(draws, 102, 2, 200);
    assert_near(e.p_low, 0.03, 1e-15);
    assert_near(e.p_high, 0.01, 1e-15);
    assert_near(e.p, 0.03, 1e-15);
    assert_true(isnan(hypothesis_tost_draws(draws + 99, 3, 0, 1).p));
}

/* The 95 % interval of a bootstrap holds the null exactly when p > 0.05. */
static void test_draws_and_interval(void **state)
{
    (void)state;
    double draws[1999];
    struct rng rng;
    rng_init(&rng, 41, RNG_TEST, 0, 0);
    for (size_t i = 0; i < COUNT(draws); i++)
        draws[i] = rng_normal(&rng);
    double sorted[1999];
    for (size_t i = 0; i < COUNT(draws); i++)
        sorted[i] = draws[i];
    summary_sort(sorted, COUNT(sorted));
    double low = summary_quantile(sorted, COUNT(sorted), 0.025);
    double step = 1e-9;
    /* Quantile 0.025 lies at order statistic 49.95 from 0: between the 50th
     * and the 51st smallest.  Twice (50 + 1) / 2000 is 0.051. */
    assert_near(hypothesis_draws_p(draws, COUNT(draws), low + step), 0.051,
                0.0011);
    assert_near(hypothesis_draws_p(draws, COUNT(draws), low - step), 0.051,
                0.0011);
}

static void test_families(void **state)
{
    (void)state;
    enum {
        M = COUNT(golden_family)
    };
    double got[M + 2];
    double p[M + 2];
    assert_int_equal(hypothesis_holm(got, golden_family, M, &err), OK);
    for (size_t i = 0; i < M; i++)
        assert_near(got[i], golden_holm[i], 1e-15);
    assert_int_equal(hypothesis_bh(got, golden_family, M, &err), OK);
    for (size_t i = 0; i < M; i++)
        assert_near(got[i], golden_bh[i], 1e-15);
    /* Tests not made change nothing; in place is fine. */
    p[0] = p[5] = (double)NAN;
    for (size_t i = 0; i < M; i++)
        p[i < 4 ? i + 1 : i + 2] = golden_family[i];
    assert_int_equal(hypothesis_holm(p, p, M + 2, &err), OK);
    assert_true(isnan(p[0]) && isnan(p[5]));
    for (size_t i = 0; i < M; i++)
        assert_near(p[i < 4 ? i + 1 : i + 2], golden_holm[i], 1e-15);
    assert_int_equal(hypothesis_bh(p, p, 0, &err), OK);
}

/* Under the null each test rejects at 5 % at most: of 2000 samples 100 with a
 * deviation of 10; four of these.  Lengths on both sides of the exact limit,
 * values with ties. */
static void test_size(void **state)
{
    (void)state;
    enum {
        SETS = 2000
    };
    int t = 0;
    int sign = 0;
    int wilcoxon = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        struct rng rng;
        rng_init(&rng, 42, RNG_TEST, 0, set);
        double x[40];
        size_t n = set % 2 == 0 ? 15 : 40;
        for (size_t i = 0; i < n; i++)
            x[i] = round(4 * rng_normal(&rng)) / 4;
        struct hypothesis_wilcoxon w;
        assert_int_equal(hypothesis_wilcoxon_test(&w, x, n, &err), OK);
        t += hypothesis_t_test(x, n, 0.95).p < 0.05;
        sign += hypothesis_sign_test(x, n).p < 0.05;
        wilcoxon += w.p < 0.05;
    }
    assert_in_range(t, 60, 140);
    assert_in_range(wilcoxon, 60, 140);
    assert_in_range(sign, 20, 140); // discrete: below its level
}

static void test_memory(void **state)
{
    (void)state;
    struct hypothesis_wilcoxon w = {.n = 7};
    double q[2] = {7, 7};
    const double p[2] = {0.1, 0.2};
    mem_fail_at(0);
    assert_int_equal(hypothesis_wilcoxon_test(&w, golden_few, 5, &err),
                     ERR_MEMORY);
    mem_fail_at(0);
    assert_int_equal(hypothesis_holm(q, p, 2, &err), ERR_MEMORY);
    mem_fail_at(0);
    assert_int_equal(hypothesis_bh(q, p, 2, &err), ERR_MEMORY);
    mem_fail_at(-1);
    assert_true(w.n == 7 && q[0] == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_unmeasured),
        cmocka_unit_test(test_exact_meets_normal),
        cmocka_unit_test(test_equivalence),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_draws_and_interval),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tails and quantiles against SciPy and mpmath. */
#include "stat/distribution.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/golden/stat/distribution.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static void assert_ratio(double got, double want, double tolerance)
{
    if (!(got == want || fabs(got / want - 1) <= tolerance))
        fail_msg("got %.17g, want %.17g (1 +- %.3g)", got, want, tolerance);
}

/* erfc is good to an ulp or two; its argument's rounding of 1.1e-16 is
 * magnified by z^2 = 900. */
static void test_normal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_z); i++)
        assert_ratio(distribution_normal_tail(golden_z[i]),
                     golden_normal_tail[i], 4e-13);
    /* The last p stands 1e-6 below 1, where its own last bit moves z by
     * 1e-16 / (density 5e-6). */
    for (size_t i = 0; i < COUNT(golden_p); i++)
        assert_ratio(distribution_normal_quantile(golden_p[i]),
                     golden_normal_quantile[i], 5e-11);
    assert_ratio(distribution_normal_quantile(0.975), 1.959963984540054, 1e-14);
    assert_true(distribution_normal_quantile(0.5) == 0);
    assert_true(isinf(distribution_normal_quantile(1)));
    assert_true(isnan(distribution_normal_quantile(-0.1)));
    assert_true(isnan(distribution_normal_quantile((double)NAN)));
}

/* The power degrees / 2 of 1 / (1 + t^2 / degrees) magnifies rounding by the
 * logarithm of the result, 800 at most here (t 40, 1e6 degrees): 2e-13.  The
 * fraction's terms are 1 plus or minus nearly 1: what is left is 1 / degrees of
 * them and carries 1.1e-16 * degrees. */
static void test_t(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_t); i++)
        assert_ratio(distribution_t_tail(golden_t[i], golden_degrees[i]),
                     golden_t_tail[i], 5e-13 + 1.1e-16 * golden_degrees[i]);
    for (size_t i = 0; i < COUNT(golden_p); i++)
        assert_ratio(distribution_t_quantile(golden_p[i], 7.5),
                     golden_t_quantile[i], 1e-10);
    assert_ratio(distribution_t_tail(1.5, (double)INFINITY),
                 distribution_normal_tail(1.5), 0);
    /* One degree is Cauchy's: 1/2 - atan(t) / pi. */
    assert_ratio(distribution_t_tail(1, 1), 0.25, 1e-14);
    assert_true(distribution_t_tail((double)INFINITY, 3) == 0);
    assert_true(distribution_t_tail(-(double)INFINITY, 3) == 1);
    assert_true(isnan(distribution_t_tail(1, 0)));
    assert_true(isnan(distribution_t_tail((double)NAN, 3)));
}

/* The first term is exp of numbers below 15, and the sum adds half a million
 * positive terms at most, of which a few thousand count. */
static void test_binomial(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_k); i++)
        assert_ratio(distribution_binomial_tail(golden_k[i], golden_n[i],
                                                golden_success[i]),
                     golden_binomial_tail[i], 1e-12);
    assert_true(distribution_binomial_tail(3, 2, 0.5) == 0);
    assert_true(distribution_binomial_tail(0, 0, 0.5) == 1);
    assert_true(distribution_binomial_tail(1, 4, 0) == 0);
    assert_true(distribution_binomial_tail(4, 4, 1) == 1);
    assert_true(isnan(distribution_binomial_tail(1, 4, (double)NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_t),
        cmocka_unit_test(test_binomial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

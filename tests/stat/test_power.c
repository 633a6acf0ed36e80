/* Sample sizes against tables, statsmodels and what they promise. */
#include "stat/power.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/golden/stat/power.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const struct power usual = {0, 0};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void test_tables(void **state)
{
    (void)state;
    /* (1.95996 + 0.84162)^2 = 7.8489. */
    assert_int_equal(power_paired(1, 1, &usual), 8);
    assert_int_equal(power_paired(10, 1, &usual), 785);
    assert_int_equal(power_paired(10, -1, &usual), 785);
    assert_int_equal(power_paired(2, 0.1, &usual), 3140);
    const struct power strict = {0.01, 0.9};
    assert_int_equal(power_paired(10, 1, &strict), 1488); // 14.879
    assert_int_equal(power_sign(0.55, &usual), 783);
    assert_int_equal(power_sign(0.60, &usual), 194);
    assert_int_equal(power_sign(0.65, &usual), 85);
    assert_int_equal(power_sign(0.70, &usual), 47);
    assert_int_equal(power_sign(0.30, &usual), 47);
    for (size_t i = 0; i < COUNT(golden_a); i++)
        assert_int_equal(power_proportions(golden_a[i], golden_b[i], &usual),
                         golden_groups[i]);
}

static void test_never(void **state)
{
    (void)state;
    assert_true(power_paired(1, 0, &usual) == POWER_NEVER);
    assert_true(power_paired(1, 1e-300, &usual) == POWER_NEVER);
    assert_true(power_paired((double)NAN, 1, &usual) == POWER_NEVER);
    assert_true(power_sign(0.5, &usual) == POWER_NEVER);
    assert_true(power_proportions(0.3, 0.3, &usual) == POWER_NEVER);
    assert_true(power_more(1, 0.1, 50, 1, &usual) == POWER_NEVER);
    assert_true(power_more_equivalence(2, 0.1, 50, -1, 1, &usual) ==
                POWER_NEVER);
}

/* The table's sizes come from a normal approximation; the exact test at them
 * has 74 to 79 % instead of 80, for its p-values go in steps. */
static void test_exact_power(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_pairs); i++)
        assert_near(power_of_sign(golden_pairs[i], golden_rate[i], 0.05),
                    golden_power[i], 1e-12);
    assert_near(power_of_sign(0, 0.7, 0.05), 0, 0);
}

/* The interval of n + more observations touches x, and not before. */
static void test_more(void **state)
{
    (void)state;
    const struct power touch = {0.05, 0.5};
    /* 3 sd away with se 2: n must grow by (1.959964 * 2 / 3)^2 = 1.7073. */
    assert_int_equal(power_more(3, 2, 1000, 0, &touch), 708);
    assert_int_equal(power_more(-3, 2, 1000, 0, &touch), 708);
    assert_int_equal(power_more(3, 1, 1000, 0, &touch), 0);
    /* With 80 % it is (2.801585 * 2 / 3)^2 = 3.4884. */
    assert_int_equal(power_more(3, 2, 1000, 0, &usual), 2489);
    assert_int_equal(power_more(3, 2, 0, 0, &usual), 0);
    /* 90 % interval inside (-5, 4): nearest end 1 away, 1.644854^2 = 2.7055. */
    assert_int_equal(power_more_equivalence(3, 1, 1000, -5, 4, &touch), 1706);
    assert_int_equal(power_more_equivalence(-4, 1, 1000, -5, 4, &touch), 1706);
    assert_int_equal(power_more_equivalence(0, 1, 1000, -5, 4, &touch), 0);
}

/* A paired experiment of the size asked for finds the difference four times in
 * five: of 1000 with a deviation of 13; three of these, and the z-test is used
 * that the formula is for. */
static void test_promise(void **state)
{
    (void)state;
    size_t n = power_paired(1.7, 0.5, &usual);
    assert_int_equal(n, 91);
    int found = 0;
    for (uint32_t set = 0; set < 1000; set++) {
        struct rng rng;
        rng_init(&rng, 43, RNG_TEST, 0, set);
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += 0.5 + 1.7 * rng_normal(&rng);
        found += fabs(sum) / (1.7 * sqrt((double)n)) > 1.959964;
    }
    assert_in_range(found, 762, 840);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_never),
        cmocka_unit_test(test_exact_power), cmocka_unit_test(test_more),
        cmocka_unit_test(test_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Agreement against the package krippendorff, statsmodels and textbooks. */
#include "stat/agreement.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include "data/golden/stat/agreement.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))
#define NO (double)NAN

/* Sums of a few hundred terms of order one, in another order. */
#define ROUNDING 1e-13

static const enum agreement_kind alphas[] = {
    AGREEMENT_ALPHA_NOMINAL, AGREEMENT_ALPHA_ORDINAL, AGREEMENT_ALPHA_INTERVAL,
    AGREEMENT_ALPHA_RATIO};

static struct bootstrap plan = {.seed = 3, .resamples = 400};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct agreement measured(const double *code, size_t raters,
                                 size_t units, enum agreement_kind kind)
{
    struct agreement_codes codes = {code, raters, units, NULL, 0};
    struct agreement a;
    struct err err;
    if (agreement_measure(&a, &codes, kind, &plan, &err) != OK)
        fail_msg("%s", err.text);
    return a;
}

static void check(const double *code, size_t raters, size_t units,
                  enum agreement_kind kind, double want, double tolerance)
{
    struct agreement a = measured(code, raters, units, kind);
    assert_near(a.e.estimate, want, tolerance);
    assert_null(a.reason);
    assert_true(a.e.low <= want && want <= a.e.high);
}

static void test_packages(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        enum agreement_kind kind = alphas[k];
        check(golden_codes, 5, 40, kind, golden_alpha[k], ROUNDING);
        check(golden_real_codes, 5, 40, kind, golden_real_alpha[k], ROUNDING);
    }
    check(golden_full_codes, 4, 40, AGREEMENT_FLEISS, golden_fleiss[0],
          ROUNDING);
    check(golden_full_codes, 2, 40, AGREEMENT_COHEN, golden_cohen[0], ROUNDING);
}

/* Krippendorff (2011), four observers of twelve units: printed .743, .815,
 * .849, .797. */
static void test_textbook(void **state)
{
    (void)state;
    static const double codes[] = {
        1,  2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO, //
        1,  2, 3, 3, 2, 2, 4, 1, 2, 5,  NO, 3,  //
        NO, 3, 3, 3, 2, 3, 4, 2, 2, 5,  1,  NO, //
        1,  2, 3, 3, 2, 4, 4, 1, 2, 5,  1,  NO,
    };
    static const double want[] = {0.743, 0.815, 0.849, 0.797};
    for (size_t k = 0; k < COUNT(want); k++) {
        struct agreement a = measured(codes, 4, 12, alphas[k]);
        assert_near(a.e.estimate, want[k], 0.0005);
        /* The last unit has one code. */
        assert_int_equal(a.e.n, 11);
    }
    /* Cohen's example of a 2 x 2 table: 45 and 25 agreed, 15 and 15 not:
     * po .7, pe .6 * .6 + .4 * .4 = .52 .. kappa (.7 - .52) / .48. */
    double two[200];
    for (size_t u = 0; u < 100; u++) {
        two[u] = u < 60;
        two[100 + u] = u < 45 || u >= 85;
    }
    check(two, 2, 100, AGREEMENT_COHEN, 0.18 / 0.48, ROUNDING);
    check(two, 2, 100, AGREEMENT_RAW, 0.7, ROUNDING);
}

/* Balanced two-way choices: alpha is 2 raw - 1, but for the small-sample term
 * 1 / n of De. */
static void test_balanced(void **state)
{
    (void)state;
    enum {
        N = 2000
    };
    static double code[2 * N];
    struct rng r;
    rng_init(&r, 8, RNG_TEST, 52, 0);
    for (size_t u = 0; u < N; u++) {
        code[u] = (double)(u % 2);
        code[N + u] = rng_uniform(&r) < 0.7 ? code[u] : 1 - code[u];
    }
    double raw = measured(code, 2, N, AGREEMENT_RAW).e.estimate;
    double nominal = measured(code, 2, N, AGREEMENT_ALPHA_NOMINAL).e.estimate;
    /* The second rater's share of ones is .5 +- .011; its square moves De. */
    assert_near(nominal, 2 * raw - 1, 4 * 0.011 * 0.011 + 1.0 / N);
    for (enum agreement_kind k = AGREEMENT_ALPHA_ORDINAL;
         k <= AGREEMENT_ALPHA_INTERVAL; k++)
        assert_near(measured(code, 2, N, k).e.estimate, nominal, ROUNDING);
}

/* Four units of one prompt are one observation: the interval of a tenth as
 * many prompts, each ten times the same, is that of the prompts alone. */
static void test_prompts(void **state)
{
    (void)state;
    enum {
        P = 30,
        M = 4
    };
    double once[2 * P];
    double repeated[2 * P * M];
    size_t prompt[P * M];
    for (size_t p = 0; p < P; p++) {
        once[p] = (double)(p % 2);
        once[P + p] = (double)(p % 3 == 0);
        for (size_t k = 0; k < M; k++) {
            prompt[p * M + k] = p;
            repeated[p * M + k] = once[p];
            repeated[P * M + p * M + k] = once[P + p];
        }
    }
    struct agreement_codes codes = {repeated, 2, P * M, prompt, P};
    struct agreement a = measured(once, 2, P, AGREEMENT_COHEN);
    struct agreement b;
    struct err err;
    assert_int_equal(
        agreement_measure(&b, &codes, AGREEMENT_COHEN, &plan, &err), OK);
    assert_near(b.e.estimate, a.e.estimate, ROUNDING);
    assert_near(b.e.low, a.e.low, ROUNDING);
    assert_near(b.e.high, a.e.high, ROUNDING);
    assert_int_equal(b.e.n, P);
}

static void assert_undefined(const double *code, size_t raters, size_t units,
                             enum agreement_kind kind, const char *why)
{
    struct agreement a = measured(code, raters, units, kind);
    assert_true(isnan(a.e.estimate) && isnan(a.e.low));
    assert_non_null(a.reason);
    if (strstr(a.reason, why) == NULL)
        fail_msg("'%s' does not say '%s'", a.reason, why);
}

static void test_undefined(void **state)
{
    (void)state;
    static const double same[] = {1, 1, 1, 1, 1, 1};
    static const double gaps[] = {1, NO, 2, NO, 1, NO};
    static const double uneven[] = {1, 2, NO, 1, 2, 1, 1, NO, 1};
    static const double minus[] = {-1, 2, -1, 2};
    for (enum agreement_kind k = AGREEMENT_COHEN; k < AGREEMENT_KINDS; k++) {
        assert_undefined(same, 2, 3, k, "every code is the same");
        assert_undefined(gaps, 2, 3, k, "coded twice");
        assert_undefined(gaps, 2, 0, k, "coded twice");
    }
    assert_undefined(gaps, 2, 3, AGREEMENT_RAW, "coded twice");
    assert_undefined(uneven, 3, 3, AGREEMENT_FLEISS, "different numbers");
    assert_undefined(uneven, 3, 3, AGREEMENT_COHEN, "two raters");
    assert_undefined(minus, 2, 2, AGREEMENT_ALPHA_RATIO, "zero or more");
    check(same, 2, 3, AGREEMENT_RAW, 1, 0);
    /* One prompt gives no interval. */
    struct agreement a = measured(minus, 2, 1, AGREEMENT_RAW);
    assert_near(a.e.estimate, 0, 0);
    assert_true(isnan(a.e.low));
}

static void test_refused(void **state)
{
    (void)state;
    static double many[2 * (AGREEMENT_RATIO_MAX + 1)];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (double)(i / 2);
    struct agreement_codes codes = {many, 2, COUNT(many) / 2, NULL, 0};
    struct agreement a;
    struct err err;
    assert_int_equal(
        agreement_measure(&a, &codes, AGREEMENT_ALPHA_RATIO, &plan, &err),
        ERR_LIMIT);
    many[3] = (double)INFINITY;
    assert_int_equal(
        agreement_measure(&a, &codes, AGREEMENT_ALPHA_INTERVAL, &plan, &err),
        ERR_NUMERIC);
    many[3] = 0;
    for (long at = 0; at < 12; at++) {
        mem_fail_at(at);
        assert_int_equal(
            agreement_measure(&a, &codes, AGREEMENT_RAW, &plan, &err),
            ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packages),  cmocka_unit_test(test_textbook),
        cmocka_unit_test(test_balanced),  cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_undefined), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

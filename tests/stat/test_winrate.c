/* Win rates count prompts, not pairs; Bradley-Terry against SciPy. */
#include "stat/winrate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/golden/stat/bradley_terry.inc"
#include "data/golden/stat/winrate.inc"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void test_of(void **state)
{
    (void)state;
    assert_near(winrate_of(2, 1), 1, 0);
    assert_near(winrate_of(1, 2), 0, 0);
    assert_near(winrate_of(1, 1), 0.5, 0);
    assert_true(isnan(winrate_of((double)NAN, 1)));
}

/* The same pairs, once from 40 prompts and once four to a prompt of ten: the
 * rate is equal, the interval of the second is twice as wide (sqrt 4), to
 * within the spread of a deviation estimated from ten values (1/sqrt 20). */
static void test_clusters(void **state)
{
    (void)state;
    enum {
        N = 40
    };
    size_t own[N];
    size_t shared[N];
    double win[N];
    for (size_t k = 0; k < N; k++) {
        own[k] = k;
        shared[k] = k / 4;
        win[k] = (k / 4) % 2 == 0;
    }
    struct bootstrap plan = {.seed = 9};
    struct estimate a;
    struct estimate b;
    struct err err;
    assert_int_equal(winrate_estimate(&a, own, win, N, N, &plan, &err), OK);
    assert_int_equal(winrate_estimate(&b, shared, win, N, 10, &plan, &err), OK);
    assert_near(a.estimate, 0.5, 0);
    assert_near(b.estimate, 0.5, 0);
    assert_int_equal(b.n, 10);
    assert_near((b.high - b.low) / (a.high - a.low), 2, 2 / sqrt(20.0));
}

/* Newcombe (1998, table I, method 3) gives Wilson's interval with four
 * decimals: 81/263, 15/148, 0/20 and 1/29. */
static void test_share(void **state)
{
    (void)state;
    static const struct {
        double sum;
        size_t n;
        double low, high;
    } known[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0.0000, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct estimate e = winrate_share(known[i].sum, known[i].n, 0);
        assert_near(e.estimate, known[i].sum / (double)known[i].n, 1e-15);
        assert_near(e.low, known[i].low, 0.5e-4);
        assert_near(e.high, known[i].high, 0.5e-4);
        assert_int_equal(e.n, known[i].n);
        /* The mirror image. */
        struct estimate m =
            winrate_share((double)known[i].n - known[i].sum, known[i].n, 0.95);
        assert_near(m.low, 1 - e.high, 1e-12);
        assert_near(m.high, 1 - e.low, 1e-12);
    }
    assert_true(isnan(winrate_share(0, 0, 0).estimate));
}

static void test_unjudged(void **state)
{
    (void)state;
    size_t prompt[] = {0, 0, 1, 2};
    double win[] = {1, 0.5, (double)NAN, 0};
    struct bootstrap plan = {.seed = 9};
    struct estimate e;
    struct err err;
    assert_int_equal(winrate_estimate(&e, prompt, win, 4, 3, &plan, &err), OK);
    assert_near(e.estimate, 0.5, 0);
    assert_int_equal(e.n, 2);
}

static void test_bradley_terry(void **state)
{
    (void)state;
    double strength[4];
    struct err err;
    assert_int_equal(winrate_bradley_terry(strength, golden_wins, 4, &err), OK);
    /* Ours stops when a round moves no strength by 1e-13; rounds contract by
     * about half, so what is left is of that order. */
    for (int i = 0; i < 4; i++)
        assert_near(strength[i], golden_strength[i], 1e-11);
    /* Two systems: the log-odds themselves. */
    double two[] = {0, 3, 9, 0};
    assert_int_equal(winrate_bradley_terry(strength, two, 2, &err), OK);
    assert_near(strength[0], 0, 0);
    assert_near(strength[1], log(3.0), 1e-12);
}

/* evalica's data sets `simple` and `food`, whose published strengths are
 * proportional to e^s and sum to one; it stops at a tolerance of 1e-6. */
static void check_published(const double *wins, const double *published,
                            size_t n)
{
    double strength[8];
    double sum = 0, worst = 0;
    struct err err;
    assert_true(n <= 8);
    assert_int_equal(winrate_bradley_terry(strength, wins, n, &err), OK);
    for (size_t i = 0; i < n; i++)
        sum += exp(strength[i]);
    for (size_t i = 0; i < n; i++) {
        assert_near(exp(strength[i]) / sum, published[i], 1e-6);
        worst = fmax(worst, fabs(exp(strength[i]) / sum - published[i]));
    }
    print_message("evalica: %zu strengths within %.1e\n", n, worst);
}

static void test_evalica(void **state)
{
    (void)state;
    check_published(golden_simple_wins, golden_simple_strength, 5);
    check_published(golden_food_wins, golden_food_strength, 5);
}

static void test_no_maximum(void **state)
{
    (void)state;
    double strength[3] = {7, 7, 7};
    struct err err;
    double unbeaten[] = {0, 4, 2, 0, 0, 3, 0, 3, 0};
    assert_int_equal(winrate_bradley_terry(strength, unbeaten, 3, &err),
                     ERR_NUMERIC);
    double apart[] = {0, 4, 0, 4, 0, 0, 0, 0, 0};
    assert_int_equal(winrate_bradley_terry(strength, apart, 3, &err),
                     ERR_NUMERIC);
    assert_near(strength[0], 7, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_unjudged),
        cmocka_unit_test(test_bradley_terry),
        cmocka_unit_test(test_evalica),
        cmocka_unit_test(test_no_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

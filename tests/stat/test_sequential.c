/* The e-process against its closed form, and how often it errs. */
#include "stat/sequential.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* Wins and losses evenly mixed, so that none is in front for long; then
 * ties. */
static struct sequential after(size_t wins, size_t losses, size_t ties)
{
    struct sequential s = {0};
    for (size_t i = 1; i <= wins + losses; i++)
        sequential_vote(&s, (s.wins + 1) * (wins + losses) <= wins * i ? 1 : 0);
    for (size_t i = 0; i < ties; i++)
        sequential_vote(&s, 0.5);
    return s;
}

static void test_closed_form(void **state)
{
    (void)state;
    static const size_t counts[][2] = {{0, 0}, {5, 0},   {0, 5},
                                       {7, 3}, {60, 41}, {400, 612}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double w = (double)counts[i][0];
        double l = (double)counts[i][1];
        struct sequential s = after(counts[i][0], counts[i][1], 4);
        double log_beta = lgamma(w + 1) + lgamma(l + 1) - lgamma(w + l + 2);
        /* 1,012 logarithms of order 1, and lgamma of order 5,000. */
        assert_near(s.log_beta, log_beta, 1e-11);
        assert_near(s.log_e, (w + l) * log(2.0) + log_beta, 1e-11);
        assert_int_equal(s.ties, 4);
    }
    /* Seven wins in a row: 2^7 / 8 = 16; eight: 2^8 / 9 = 28.4. */
    assert_int_equal(after(7, 0, 3).decided_at, 0);
    assert_int_equal(after(8, 0, 3).decided_at, 8);
    struct sequential s = after(0, 0, 3);
    for (int i = 0; i < 8; i++)
        sequential_vote(&s, 1);
    assert_int_equal(s.decided_at, 11);
    sequential_vote(&s, (double)NAN);
    assert_int_equal(s.wins + s.losses + s.ties, 11);
}

/* A decision stays; what later votes say of it does not. */
static void test_holds(void **state)
{
    (void)state;
    struct sequential s = after(7, 0, 0);
    assert_false(sequential_holds(&s));
    sequential_vote(&s, 1);
    assert_true(sequential_holds(&s) && s.is_for_wins);
    /* 8 to 2: 2^10 / (11 * 45) = 2.1. */
    sequential_vote(&s, 0);
    sequential_vote(&s, 0);
    assert_int_equal(s.decided_at, 8);
    assert_false(sequential_holds(&s));
    /* 8 to 60 is evidence again, but for the other side. */
    for (int i = 0; i < 58; i++)
        sequential_vote(&s, 0);
    assert_true(s.log_e > log(SEQUENTIAL_DECIDED));
    assert_true(s.is_for_wins && s.decided_at == 8);
    assert_false(sequential_holds(&s));
}

/* The interval's ends are where the bet is worth 1 / (1 - level); a half lies
 * in it exactly while the e-process is below. */
static void test_interval(void **state)
{
    (void)state;
    struct sequential s = after(62, 41, 0);
    struct estimate e = sequential_rate(&s, 0);
    assert_near(e.estimate, 62.0 / 103, 1e-15);
    double ends[] = {e.low, e.high};
    for (int i = 0; i < 2; i++)
        assert_near(s.log_beta - 62 * log(ends[i]) - 41 * log(1 - ends[i]),
                    log(20.0), 1e-9);
    assert_true(e.low < 0.5 && s.log_e < log(20.0));
    for (size_t w = 1; w < 200; w++) {
        s = after(w, 60, 0);
        e = sequential_rate(&s, 0.95);
        assert_true((e.low <= 0.5 && e.high >= 0.5) == (s.log_e < log(20.0)));
    }
    s = after(3, 0, 0);
    e = sequential_rate(&s, 0.95);
    /* B(4,1) = 1/4 = 20 p^3 */
    assert_near(e.low, pow(1.0 / 80, 1.0 / 3), 1e-12);
    assert_near(e.high, 1, 0);
    s = after(0, 0, 2);
    e = sequential_rate(&s, 0.95);
    assert_true(isnan(e.estimate) && e.low == 0 && e.high == 1 && e.n == 0);
}

/* ln E at n votes of which a share p, whole or not, are wins. */
static double closed_form(double p, double n)
{
    return n * log(2.0) + lgamma(p * n + 1) + lgamma((1 - p) * n + 1) -
           lgamma(n + 2);
}

static void test_more(void **state)
{
    (void)state;
    struct sequential s = after(5, 0, 0);
    assert_near(sequential_more(&s), 3, 0);
    /* With a tie after each win, twice as many. */
    s = after(5, 0, 5);
    assert_near(sequential_more(&s), 6, 0);
    s = after(8, 0, 0);
    assert_near(sequential_more(&s), 0, 0);
    s = after(4, 4, 0);
    assert_true(isinf(sequential_more(&s)));
    s = after(0, 0, 0);
    assert_true(isinf(sequential_more(&s)));
    /* At 60 % the path meets its share at every fifth vote, where it is the
     * closed form, and is below it in between. */
    s = after(60, 40, 0);
    double n = 100 + sequential_more(&s);
    assert_true(closed_form(0.6, n) > log(20.0));
    assert_true(closed_form(0.6, n - 5) < log(20.0));
    s = after(40, 60, 0);
    assert_near(100 + sequential_more(&s), n, 0);
}

#define SEQUENCES 2000
#define VOTES 1000

/* Votes until decided, VOTES + 1 when it was not; *peeked: would a z test at
 * the 5 % level, looked at every 20 votes, have announced a difference? */
static double run(uint32_t i, double p, bool *peeked)
{
    struct sequential s = {0};
    struct rng r;
    rng_init(&r, 17, RNG_TEST, 53, i);
    *peeked = false;
    for (size_t n = 1; n <= VOTES; n++) {
        sequential_vote(&s, rng_uniform(&r) < p ? 1 : 0);
        double z = ((double)s.wins - (double)n / 2) / sqrt((double)n / 4);
        *peeked = *peeked || (n % 20 == 0 && fabs(z) > 1.959964);
    }
    return s.decided_at > 0 ? (double)s.decided_at : VOTES + 1;
}

/* 2,000 sequences without a difference.  The guarantee is 5 % for sequences
 * without end; up to 1,000 votes 3.7 % is expected, with a standard error of
 * .42 %.  The same votes make the z test wrong in about 31 %. */
static void test_false_alarms(void **state)
{
    (void)state;
    size_t alarms = 0;
    size_t peeks = 0;
    for (uint32_t i = 0; i < SEQUENCES; i++) {
        bool peeked;
        alarms += run(i, 0.5, &peeked) <= VOTES;
        peeks += peeked;
    }
    print_message("false alarms: e-process %.2f %%, peeking at a z test "
                  "every 20 votes %.1f %%\n",
                  100.0 * (double)alarms / SEQUENCES,
                  100.0 * (double)peeks / SEQUENCES);
    assert_true((double)alarms <= 0.05 * SEQUENCES);
    /* Four standard errors of a share of .31. */
    assert_near((double)peeks / SEQUENCES, 0.31, 4 * sqrt(0.31 * 0.69 / 2000));
}

/* What it costs: median votes at true rates p; the sign test with its size
 * fixed before needs 194, 85, 47, 19 for 80 % power. */
static void test_stops(void **state)
{
    (void)state;
    static const double p[] = {0.6, 0.65, 0.7, 0.8};
    static const double published[] = {208, 86, 47, 19};
    static double stop[SEQUENCES];
    for (size_t k = 0; k < 4; k++) {
        bool peeked;
        for (uint32_t i = 0; i < SEQUENCES; i++)
            stop[i] = run(i, p[k], &peeked);
        double median = summary_median(stop, SEQUENCES);
        /* The median of 2,000 lies between these order statistics with
         * probability 1 - 1e-4 (4 sd of Binomial(2000, 1/2), 22 each). */
        double low = stop[1000 - 4 * 23];
        double high = stop[1000 + 4 * 23];
        print_message("p = %.2f: median stop %.0f [%.0f, %.0f]\n", p[k], median,
                      low, high);
        assert_true(low <= published[k] && published[k] <= high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_form),  cmocka_unit_test(test_holds),
        cmocka_unit_test(test_interval),     cmocka_unit_test(test_more),
        cmocka_unit_test(test_false_alarms), cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

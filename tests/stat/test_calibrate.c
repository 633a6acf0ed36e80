/* Slope, reliability and gap against statsmodels and NumPy; whether a
 * calibrated model is left alone and a biased one found. */
#include "stat/calibrate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/calibrate.inc"
#include "stat/logit.h"

enum {
    N = sizeof golden_win / sizeof *golden_win,
    G = 70
};

static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct calibrate_pairs golden_pairs(void)
{
    return (struct calibrate_pairs){N, G, golden_prompt, golden_delta,
                                    golden_win};
}

/* Estimate to rounding; width against the cluster-robust error, both of which
 * are uncertain by 1/sqrt(2*70) = 8 % and differ by a few percent: 25 %. */
static void test_slope(void **state)
{
    (void)state;
    struct calibrate_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 6, .resamples = 1000};
    struct estimate a;
    double draws[1000];
    assert_int_equal(calibrate_slope(&a, draws, &pairs, &plan, &err), OK);
    assert_near(a.estimate / golden_slope[0], 1, 1e-12);
    assert_near((a.high - a.low) / (2 * 1.96 * golden_slope[1]), 1, 0.25);
    assert_int_equal(a.n, G);
    summary_sort(draws, 1000);
    assert_near(a.low, summary_quantile(draws, 1000, 0.025), 0);

    /* Which response comes first does not matter. */
    double delta[N];
    double win[N];
    for (size_t i = 0; i < N; i++) {
        double turn = i % 3 == 0 ? -1 : 1;
        delta[i] = turn * golden_delta[i];
        win[i] = turn < 0 ? 1 - golden_win[i] : golden_win[i];
    }
    pairs.score_difference = delta;
    pairs.win = win;
    struct estimate turned;
    assert_int_equal(calibrate_slope(&turned, NULL, &pairs, &plan, &err), OK);
    assert_near(turned.estimate, a.estimate, 1e-12);
    assert_near(turned.low, a.low, 1e-10);

    /* A model that is never wrong has no slope. */
    for (size_t i = 0; i < N; i++) {
        delta[i] = fabs(golden_delta[i]);
        win[i] = 1;
    }
    turned.n = 7;
    assert_int_equal(calibrate_slope(&turned, NULL, &pairs, &plan, &err),
                     ERR_NUMERIC);
    assert_int_equal(turned.n, 7);
    assert_string_equal(err.text,
                        "logistic regression: the score difference separates "
                        "outcomes 1 from 0, its coefficient has no maximum");
}

/*
 * The null is a Monte-Carlo distribution on both sides: its mean is known to
 * sd / sqrt(20,000), taken four times; its 95 % quantile, with a density there
 * of about 0.1 / sd, to sqrt(0.05 * 0.95 / 20,000) / 0.1 = 0.015 sd, four
 * times; a share p to sqrt(p (1 - p) / 20,000), four times.
 */
static void test_reliability(void **state)
{
    (void)state;
    struct calibrate_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 6, .resamples = 20000};
    struct calibrate_table t;
    assert_int_equal(calibrate_reliability(&t, &pairs, 0.9, &plan, &err), OK);
    assert_int_equal(t.n, N);
    assert_int_equal(t.prompts, G);
    assert_int_equal(t.bins, CALIBRATE_BINS);
    for (size_t b = 0; b < t.bins; b++) {
        assert_int_equal(t.bin[b].n, golden_bin_n[b]);
        assert_near(t.bin[b].predicted, golden_bin_predicted[b], 1e-14);
        assert_near(t.bin[b].observed.estimate, golden_bin_observed[b], 1e-14);
        assert_true(t.bin[b].observed.low <= t.bin[b].observed.estimate);
        assert_true(t.bin[b].low <= t.bin[b].high);
        assert_true(b == 0 || t.bin[b - 1].high < t.bin[b].low);
    }
    double sd = golden_ece[4];
    double p = golden_ece[3];
    assert_near(t.ece, golden_ece[0], 1e-14);
    assert_near(t.null_mean, golden_ece[1], 4 * sd / sqrt(20000));
    assert_near(t.null_high, golden_ece[2], 4 * 0.015 * sd);
    assert_near(t.p, p, 4 * sqrt(p * (1 - p) / 20000) + 1.0 / 20001);
    struct calibrate_table again;
    assert_int_equal(calibrate_reliability(&again, &pairs, 0.9, &plan, &err),
                     OK);
    assert_memory_equal(&t, &again, sizeof t);
}

/* Equal differences stay together, few pairs make few deciles, none make no
 * table. */
static void test_bins(void **state)
{
    (void)state;
    double delta[20] = {0};
    double win[20] = {0};
    size_t prompt[20];
    for (size_t i = 0; i < 20; i++) {
        prompt[i] = i;
        delta[i] = i < 13 ? 0 : (double)i;
        win[i] = i % 2 == 0;
    }
    struct calibrate_pairs pairs = {20, 20, prompt, delta, win};
    struct bootstrap plan = {.seed = 6, .resamples = 50};
    struct calibrate_table t;
    assert_int_equal(calibrate_reliability(&t, &pairs, 1, &plan, &err), OK);
    assert_int_equal(t.bins, 5);
    assert_int_equal(t.bin[0].n, 13);
    assert_int_equal(t.bin[1].n, 1);
    assert_int_equal(t.bin[4].n, 2);
    assert_near(t.bin[0].observed.estimate, 7.0 / 13, 1e-15);
    assert_near(t.bin[0].predicted, 0.5, 1e-15);
    pairs.n = 3;
    assert_int_equal(calibrate_reliability(&t, &pairs, 1, &plan, &err), OK);
    assert_int_equal(t.bins, 1);
    assert_true(t.ece > 0 && t.p >= 1.0 / 51);
    win[0] = win[1] = win[2] = (double)NAN;
    assert_int_equal(calibrate_reliability(&t, &pairs, 1, &plan, &err), OK);
    assert_true(t.n == 0 && t.bins == 0 && isnan(t.ece) && isnan(t.p));
    pairs = golden_pairs();
    assert_int_equal(
        calibrate_reliability(&t, &pairs, (double)NAN, &plan, &err), OK);
    assert_true(t.n == 0 && isnan(t.null_mean));
}

static void test_gap(void **state)
{
    (void)state;
    struct calibrate_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 6, .resamples = 500};
    struct calibrate_gap gap;
    assert_int_equal(calibrate_measure_gap(&gap, &pairs, golden_length, 0.9,
                                           NULL, &plan, &err),
                     OK);
    const double got[] = {gap.gap.estimate,
                          gap.predicted.estimate,
                          gap.observed.estimate,
                          gap.tercile[0].estimate,
                          gap.tercile[1].estimate,
                          gap.tercile[2].estimate,
                          gap.cut[0],
                          gap.cut[1]};
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        assert_near(got[i], golden_gap[i], 1e-13);
    assert_near(gap.gradient.estimate, golden_gap[5] - golden_gap[3], 1e-14);
    assert_int_equal(gap.pairs, N);
    assert_int_equal(gap.gap.n, G);
    assert_true(gap.tercile[1].n < G);

    /* The interval is that of a ratio of sums by prompt. */
    double away[G] = {0};
    double count[G] = {0};
    for (size_t i = 0; i < N; i++) {
        away[golden_prompt[i]] +=
            logit_sigma(0.9 * golden_delta[i]) - golden_win[i];
        count[golden_prompt[i]]++;
    }
    struct estimate ratio;
    assert_int_equal(
        summary_estimate_ratio(&ratio, away, count, G, &plan, &err), OK);
    assert_near(gap.gap.low, ratio.low, 1e-13);
    assert_near(gap.gap.high, ratio.high, 1e-13);

    /* A slope known for certain draws nothing new; an uncertain one widens. */
    double draws[500];
    struct calibrate_gap same;
    for (size_t r = 0; r < 500; r++)
        draws[r] = 0.9;
    assert_int_equal(calibrate_measure_gap(&same, &pairs, golden_length, 0.9,
                                           draws, &plan, &err),
                     OK);
    assert_memory_equal(&same, &gap, sizeof gap);
    struct rng rng;
    rng_init(&rng, 51, RNG_TEST, 0, 0);
    for (size_t r = 0; r < 500; r++)
        draws[r] = 0.9 * exp(0.8 * rng_normal(&rng));
    assert_int_equal(
        calibrate_measure_gap(&same, &pairs, NULL, 0.9, draws, &plan, &err),
        OK);
    assert_true(same.gap.high - same.gap.low > gap.gap.high - gap.gap.low);
    assert_true(isnan(same.tercile[0].estimate) && same.tercile[0].n == 0);
    assert_true(isnan(same.gradient.low) && same.gradient.n == 0);
}

static void test_nothing(void **state)
{
    (void)state;
    struct calibrate_pairs pairs = golden_pairs();
    pairs.n = 0;
    struct bootstrap plan = {.seed = 6, .resamples = 20};
    struct calibrate_gap gap;
    struct estimate a;
    assert_int_equal(calibrate_measure_gap(&gap, &pairs, golden_length, 1, NULL,
                                           &plan, &err),
                     OK);
    assert_true(isnan(gap.gap.estimate) && gap.gap.n == 0);
    assert_int_equal(calibrate_slope(&a, NULL, &pairs, &plan, &err), OK);
    assert_true(isnan(a.estimate) && a.n == 0);
}

/*
 * 200 worlds of 100 prompts with two pairs each, judged by raters who see a
 * quality q and, where `taste` is not 0, by a reward model that adds a taste
 * for length to it.  Counts how often the table rejects at 5 %, the gap's
 * interval lies above 0, and the gradient's does.
 */
static void simulate(int found[3], double *mean_ece, double *mean_null,
                     double taste)
{
    enum {
        PROMPTS = 100,
        PAIRS = 2 * PROMPTS,
        WORLDS = 200
    };
    found[0] = found[1] = found[2] = 0;
    *mean_ece = *mean_null = 0;
    for (uint32_t world = 0; world < WORLDS; world++) {
        struct rng rng;
        rng_init(&rng, 52, RNG_TEST, 0, world);
        size_t prompt[PAIRS];
        double delta[PAIRS];
        double win[PAIRS];
        double length[PAIRS];
        for (size_t i = 0; i < PAIRS; i++) {
            double q = rng_normal(&rng);
            prompt[i] = i / 2;
            length[i] = 1 + rng_normal(&rng);
            delta[i] = q + taste * length[i];
            win[i] = rng_uniform(&rng) < logit_sigma(q);
            if (rng_uniform(&rng) < 0.1)
                win[i] = logit_sigma(q);
        }
        struct calibrate_pairs pairs = {PAIRS, PROMPTS, prompt, delta, win};
        struct bootstrap plan = {.seed = world, .resamples = 200};
        struct calibrate_table t;
        struct calibrate_gap gap;
        assert_int_equal(calibrate_reliability(&t, &pairs, 1, &plan, &err), OK);
        assert_int_equal(
            calibrate_measure_gap(&gap, &pairs, length, 1, NULL, &plan, &err),
            OK);
        found[0] += t.p < 0.05;
        found[1] += gap.gap.low > 0;
        found[2] += gap.gradient.low > 0;
        *mean_ece += t.ece / WORLDS;
        *mean_null += t.null_mean / WORLDS;
    }
}

/* A calibrated model is rejected in 5 % of worlds (10, deviation 3) and its
 * intervals lie above 0 in 2.5 % (5, deviation 2.2); four deviations.  The
 * null has the mean that calibrated worlds have, each known to 0.25 / sqrt(200)
 * of itself: 4 * 0.018 * sqrt 2 = 10 %. */
static void test_calibrated(void **state)
{
    (void)state;
    int found[3];
    double ece;
    double null;
    simulate(found, &ece, &null, 0);
    print_message("of 200 calibrated: table %d, gap %d, gradient %d; error "
                  "%.4f, under the null %.4f\n",
                  found[0], found[1], found[2], ece, null);
    assert_in_range(found[0], 0, 22);
    assert_in_range(found[1], 0, 14);
    assert_in_range(found[2], 0, 14);
    assert_near(null / ece, 1, 0.1);
}

/* A taste of 0.8 per standard deviation of length, and responses one longer on
 * average: sigma moves by up to a quarter of 0.8 where q is near 0, 0.13 on
 * average, against a standard error of 0.46 / sqrt(200) = 0.033.  Four errors
 * are found in 97 of 100 worlds; nine in ten must be. */
static void test_biased(void **state)
{
    (void)state;
    int found[3];
    double ece;
    double null;
    simulate(found, &ece, &null, 0.8);
    print_message("of 200 biased: table %d, gap %d, gradient %d\n", found[0],
                  found[1], found[2]);
    for (int k = 0; k < 3; k++)
        assert_in_range(found[k], 180, 200);
}

static void test_memory(void **state)
{
    (void)state;
    struct calibrate_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 6, .resamples = 3};
    struct calibrate_table t;
    struct calibrate_gap gap;
    struct estimate a;
    enum status status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = calibrate_slope(&a, NULL, &pairs, &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = calibrate_reliability(&t, &pairs, 1, &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = calibrate_measure_gap(&gap, &pairs, golden_length, 1, NULL,
                                       &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slope),   cmocka_unit_test(test_reliability),
        cmocka_unit_test(test_bins),    cmocka_unit_test(test_gap),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_calibrated),
        cmocka_unit_test(test_biased),  cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

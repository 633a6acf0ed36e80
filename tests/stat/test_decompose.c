/* Splits of a change, against NumPy, statsmodels and planted causes. */
#include "stat/decompose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include "data/golden/stat/decompose.inc"

#define ROWS (sizeof golden_score / sizeof *golden_score)
#define PROMPTS 30
#define FEATURES 3

static const struct bootstrap plan = {.seed = 3, .resamples = 200};
static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void assert_holds(const struct estimate *e, double want,
                         double tolerance)
{
    assert_near(e->estimate, want, tolerance);
    assert_true(e->low < want && want < e->high);
}

static void assert_nothing(const struct estimate *e)
{
    assert_true(isnan(e->estimate) && isnan(e->low) && isnan(e->high));
}

/* ---- KL ---- */

/* Three prompts by hand: L 20 -> 40, kappa .1 -> .2: KL 2 -> 8; by length
 * 20 * .15 = 3, by rate .1 * 30 = 3. */
static void test_kl(void **state)
{
    (void)state;
    static const double kl0[] = {1, 2, 3, 9};
    static const double length0[] = {10, 20, 30, 9};
    static const double kl1[] = {7, 8, 9, (double)NAN};
    static const double length1[] = {38, 40, 42, 9};
    struct decompose_kl d;
    assert_int_equal(
        decompose_kl(&d, kl0, length0, kl1, length1, 4, &plan, &err), OK);
    assert_near(d.change.estimate, 6, 1e-14);
    assert_near(d.by_length.estimate, 3, 1e-14);
    assert_near(d.by_rate.estimate, 3, 1e-14);
    assert_near(d.share_length.estimate, 0.5, 1e-14);
    assert_int_equal(d.change.n, 3);
    assert_true(d.change.low <= 6 && d.change.high >= 6);
    /* No change: no share. */
    static const double back[] = {2.5, 1, 2, 9};
    assert_int_equal(
        decompose_kl(&d, kl0, length0, back, length0, 3, &plan, &err), OK);
    assert_true(isfinite(d.change.low));
    assert_nothing(&d.share_length);
}

/* Longer replies at the same rate: all length.  The rate alone: none of it.
 * The parts sum to the change. */
static void test_kl_extremes(void **state)
{
    (void)state;
    enum {
        N = 60
    };
    double kl0[N], kl1[N], kl2[N], length0[N], length1[N];
    for (size_t i = 0; i < N; i++) {
        struct rng r;
        rng_init(&r, 1, RNG_TEST, 54, (uint32_t)i);
        length0[i] = 20 + 10 * rng_uniform(&r);
        length1[i] = 2 * length0[i] + 5 * rng_uniform(&r);
        kl0[i] = 0.1 * length0[i];
        kl1[i] = 0.1 * length1[i];
        kl2[i] = 0.3 * length0[i];
    }
    struct decompose_kl d;
    assert_int_equal(
        decompose_kl(&d, kl0, length0, kl1, length1, N, &plan, &err), OK);
    assert_near(d.share_length.estimate, 1, 1e-12);
    assert_near(d.share_length.low, 1, 1e-12);
    assert_near(d.by_length.estimate + d.by_rate.estimate, d.change.estimate,
                1e-13);
    assert_int_equal(
        decompose_kl(&d, kl0, length0, kl2, length0, N, &plan, &err), OK);
    assert_near(d.share_length.estimate, 0, 1e-12);
}

/* ---- bins ---- */

static double golden_length[ROWS];

static struct decompose_replies golden_replies(void)
{
    for (size_t i = 0; i < ROWS; i++)
        golden_length[i] = golden_x[i * FEATURES];
    return (struct decompose_replies){.n = ROWS,
                                      .n_prompts = PROMPTS,
                                      .prompt = golden_prompt,
                                      .is_policy = golden_policy,
                                      .score = golden_score,
                                      .length = golden_length,
                                      .feature = golden_x,
                                      .features = FEATURES};
}

/* Sums of 210 terms of order 1 in another order. */
#define ROUNDING 1e-12

static void test_bins(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    struct decompose_length d;
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), OK);
    assert_null(d.reason);
    assert_holds(&d.gain, golden_bins[0], ROUNDING);
    assert_near(d.overlap.estimate, golden_bins[1], ROUNDING);
    assert_holds(&d.nrg, golden_bins[2], ROUNDING);
    assert_holds(&d.nie, golden_bins[3], ROUNDING);
    assert_holds(&d.nde, golden_bins[4], ROUNDING);
    assert_near(d.covered.estimate, golden_bins[5], ROUNDING);
    assert_holds(&d.nrg_share, golden_bins[2] / golden_bins[0], ROUNDING);
    assert_int_equal(d.gain.n, PROMPTS);
}

/* Score is .01 a token: all of the gain goes through length, up to half a bin
 * of resolution.  With a bonus of .5 to the policy instead, none does. */
static void test_bins_planted(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    double score[ROWS];
    struct decompose_length d;
    double longer = 0;
    x.score = score;
    for (size_t i = 0; i < ROWS; i++) {
        score[i] = 0.01 * golden_length[i];
        longer += golden_length[i] * (golden_policy[i] ? 1.0 / 120 : -1.0 / 90);
    }
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), OK);
    assert_near(d.gain.estimate, 0.01 * longer, ROUNDING);
    assert_near(d.nrg.estimate, 0, 0.01 * 10);
    assert_near(d.nde.estimate, 0, 0.01 * 10);
    for (size_t i = 0; i < ROWS; i++)
        score[i] = golden_policy[i] ? 0.5 : 0;
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), OK);
    assert_near(d.nrg.estimate, 0.5, ROUNDING);
    assert_near(d.nie.estimate, 0, ROUNDING);
}

static void test_bins_refused(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    double length[ROWS];
    struct decompose_length d;
    for (size_t i = 0; i < ROWS; i++)
        length[i] = golden_length[i] + (golden_policy[i] ? 1000 : 0);
    x.length = length;
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), OK);
    assert_non_null(strstr(d.reason, "less than 30 %"));
    assert_near(d.overlap.estimate, 0, 0);
    assert_near(d.gain.estimate, golden_bins[0], ROUNDING);
    assert_nothing(&d.nrg);
    assert_nothing(&d.nie);
    assert_nothing(&d.nde);
    /* The policy alone. */
    x.n = 0;
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), OK);
    assert_non_null(strstr(d.reason, "no prompt"));
    x = golden_replies();
    x.length = length;
    length[5] = -1;
    assert_int_equal(decompose_length(&d, &x, 0, &plan, &err), ERR_ARG);
    length[5] = (double)NAN;
    assert_int_equal(decompose_length(&d, &x, 1e4, &plan, &err), OK);
    assert_near(d.overlap.estimate, 1, ROUNDING);
}

/* ---- features ---- */

static void test_oaxaca(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    struct decompose_oaxaca d;
    assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), OK);
    assert_holds(&d.gain, golden_gain[0], ROUNDING);
    for (size_t w = 0; w < DECOMPOSE_WEIGHTS; w++) {
        const double *want = golden_oaxaca + w * (1 + FEATURES);
        const struct decompose_split *s = &d.split[w];
        double sum = 0;
        assert_holds(&s->explained, want[0], ROUNDING);
        assert_near(s->rest.estimate, golden_gain[0] - want[0], ROUNDING);
        assert_near(s->share.estimate, want[0] / golden_gain[0], ROUNDING);
        for (size_t f = 0; f < FEATURES; f++) {
            assert_holds(&s->feature[f], want[1 + f], ROUNDING);
            sum += s->feature[f].estimate;
        }
        assert_near(sum, want[0], ROUNDING);
        assert_nothing(&s->feature[FEATURES]);
    }
    /* One prompt: statsmodels' own split. */
    static const size_t one[ROWS] = {0};
    x.prompt = one;
    x.n_prompts = 1;
    assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), OK);
    for (size_t w = 0; w < DECOMPOSE_WEIGHTS; w++) {
        const double *want = golden_single + w * (1 + FEATURES);
        assert_near(d.split[w].explained.estimate, golden_statsmodels[w],
                    ROUNDING);
        for (size_t f = 0; f < FEATURES; f++)
            assert_near(d.split[w].feature[f].estimate, want[1 + f], ROUNDING);
        assert_true(isnan(d.split[w].explained.low));
    }
}

/* A copy of a feature shares what it explains; one that does not vary within
 * prompts explains nothing. */
static void test_oaxaca_collinear(void **state)
{
    (void)state;
    enum {
        F = 3
    };
    double feature[ROWS * F];
    struct decompose_replies x = golden_replies();
    struct decompose_oaxaca d;
    struct decompose_oaxaca alone;
    x.feature = golden_length;
    x.features = 1;
    assert_int_equal(decompose_oaxaca(&alone, &x, &plan, &err), OK);
    for (size_t i = 0; i < ROWS; i++) {
        feature[i * F] = golden_length[i];
        feature[i * F + 1] = 3 * golden_length[i] + 7;
        feature[i * F + 2] = (double)golden_prompt[i];
    }
    x.feature = feature;
    x.features = F;
    assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), OK);
    for (size_t w = 0; w < DECOMPOSE_WEIGHTS; w++) {
        double want = alone.split[w].explained.estimate;
        assert_near(d.split[w].explained.estimate, want, ROUNDING);
        assert_near(d.split[w].feature[0].estimate, want / 2, ROUNDING);
        assert_near(d.split[w].feature[1].estimate, want / 2, ROUNDING);
        assert_near(d.split[w].feature[2].estimate, 0, ROUNDING);
    }
    /* Nothing varies: no slopes, so no split. */
    for (size_t i = 0; i < ROWS; i++)
        feature[i] = (double)golden_policy[i];
    x.features = 1;
    assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), OK);
    assert_near(d.gain.estimate, golden_gain[0], ROUNDING);
    assert_nothing(&d.split[DECOMPOSE_POOLED].explained);
}

/* Prompts that ask for long answers and are scored high are no length bias:
 * bins take them for one, prompt effects do not. */
static void test_confounded_prompts(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    double length[ROWS];
    double score[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        double asked = (double)golden_prompt[i] * 10;
        length[i] = asked + golden_length[i] / 4;
        score[i] = asked / 100 + (golden_policy[i] ? 0.2 : 0);
    }
    x.length = x.feature = length;
    x.score = score;
    x.features = 1;
    struct decompose_length bins;
    struct decompose_oaxaca d;
    assert_int_equal(decompose_length(&bins, &x, 0, &plan, &err), OK);
    assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), OK);
    assert_true(bins.nie.low > 0);
    assert_near(d.split[DECOMPOSE_POOLED].explained.estimate, 0, ROUNDING);
    assert_near(d.split[DECOMPOSE_POOLED].rest.estimate, 0.2, ROUNDING);
}

/* ---- edits ---- */

/* Score is .01 a token, and padding says so: the two agree.  When longer
 * replies score higher for what they say, padding is worth a quarter of it. */
static void test_constant(void **state)
{
    (void)state;
    enum {
        EDITS = 60
    };
    size_t prompt[EDITS];
    double added[EDITS], before[EDITS], after[EDITS], score[ROWS];
    struct decompose_replies x = golden_replies();
    x.score = score;
    for (size_t i = 0; i < ROWS; i++)
        score[i] = 0.01 * golden_length[i];
    for (int factor = 1; factor <= 4; factor += 3) {
        for (size_t k = 0; k < EDITS; k++) {
            prompt[k] = k / 2;
            added[k] = k % 2 == 0 ? 12 : -5;
            before[k] = (double)k;
            after[k] = before[k] + 0.01 / factor * added[k];
        }
        before[3] = (double)NAN;
        struct decompose_edits edits = {EDITS, prompt, added, before, after};
        struct decompose_constant d;
        assert_int_equal(decompose_constant(&d, &edits, &x, 0, &plan, &err),
                         OK);
        assert_near(d.slope.estimate, 0.01 / factor, ROUNDING);
        assert_int_equal(d.is_close, factor == 1);
        /* Bins of 20 tokens in a difference of 30. */
        assert_near(d.ratio.estimate, factor, 0.35 * factor);
        assert_true(d.ratio.low <= d.ratio.estimate);
    }
}

/*
 * How often a 95 % interval covers the truth: 200 runs of 80 prompts with four
 * replies of each model, score .01 a token and .3 for being the policy's.  Four
 * standard errors of a share of .95 over 200 are .062; a percentile interval of
 * 80 prompts covers about .94.
 * Prompts differ in score and not in length, so that bins know the truth too,
 * up to the .01 a token that replies of one bin differ by.
 */
static void test_coverage(void **state)
{
    (void)state;
    enum {
        RUNS = 200,
        P = 80,
        S = 8,
        N = P * S
    };
    static size_t prompt[N];
    static bool is_policy[N];
    static double length[N], score[N];
    size_t explained = 0, rest = 0, nrg = 0, placebo = 0;
    struct bootstrap few = {.seed = 8, .resamples = 400};
    struct decompose_replies x = {.n = N,
                                  .n_prompts = P,
                                  .prompt = prompt,
                                  .is_policy = is_policy,
                                  .score = score,
                                  .length = length,
                                  .feature = length,
                                  .features = 1};
    for (uint32_t run = 0; run < RUNS; run++) {
        struct rng r;
        rng_init(&r, 12, RNG_TEST, 67, run);
        double base = 0;
        for (size_t i = 0; i < N; i++) {
            prompt[i] = i / S;
            is_policy[i] = i % S >= S / 2;
            base = i % S == 0 ? rng_normal(&r) : base;
            length[i] = 60 + (is_policy[i] ? 20 : 0) + 20 * rng_normal(&r);
            length[i] = fmax(1, floor(length[i]));
            score[i] = base + 0.01 * length[i] + (is_policy[i] ? 0.3 : 0) +
                       0.5 * rng_normal(&r);
        }
        struct decompose_oaxaca d;
        struct decompose_length bins;
        assert_int_equal(decompose_oaxaca(&d, &x, &few, &err), OK);
        assert_int_equal(decompose_length(&bins, &x, 5, &few, &err), OK);
        const struct decompose_split *s = &d.split[DECOMPOSE_POOLED];
        explained += s->explained.low < 0.2 && 0.2 < s->explained.high;
        rest += s->rest.low < 0.3 && 0.3 < s->rest.high;
        nrg += bins.nrg.low < 0.3 && 0.3 < bins.nrg.high;
        /* The same replies under a label that means nothing. */
        for (size_t i = 0; i < N; i++)
            is_policy[i] = (i + i / S) % 2 == 0;
        assert_int_equal(decompose_length(&bins, &x, 5, &few, &err), OK);
        placebo += bins.nrg.low > 0 || bins.nrg.high < 0;
    }
    print_message("covered in %d runs: explained %zu, rest %zu, nrg %zu; "
                  "placebo called %zu\n",
                  (int)RUNS, explained, rest, nrg, placebo);
    double least = RUNS * (0.94 - 4 * sqrt(0.94 * 0.06 / RUNS));
    assert_true((double)explained >= least);
    assert_true((double)rest >= least);
    assert_true((double)nrg >= least);
    assert_true((double)placebo <= RUNS - least);
}

static void test_memory(void **state)
{
    (void)state;
    struct decompose_replies x = golden_replies();
    struct decompose_length bins;
    struct decompose_oaxaca d;
    for (long at = 0; at < 12; at++) {
        mem_fail_at(at);
        assert_int_equal(decompose_length(&bins, &x, 0, &plan, &err),
                         ERR_MEMORY);
    }
    for (long at = 0; at < 8; at++) {
        mem_fail_at(at);
        assert_int_equal(decompose_oaxaca(&d, &x, &plan, &err), ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kl),
        cmocka_unit_test(test_kl_extremes),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_bins_planted),
        cmocka_unit_test(test_bins_refused),
        cmocka_unit_test(test_oaxaca),
        cmocka_unit_test(test_oaxaca_collinear),
        cmocka_unit_test(test_confounded_prompts),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The length-controlled win rate against statsmodels, its symmetries, and
 * whether planted weights are found again. */
#include "stat/lcwin.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/lcwin.inc"
#include "stat/logit.h"

enum {
    N = sizeof golden_win / sizeof *golden_win,
    G = 80
};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct lcwin_pairs golden_pairs(void)
{
    return (struct lcwin_pairs){.n = N,
                                .n_prompts = G,
                                .prompt = golden_prompt,
                                .win = golden_win,
                                .length_difference = golden_length,
                                .difficulty = golden_difficulty};
}

/* Columns have condition number 3; both fits stop at rounding: 1e-11. */
static void test_golden(void **state)
{
    (void)state;
    struct lcwin_pairs pairs = golden_pairs();
    struct lcwin_fit fit;
    struct err err;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    const double got[] = {fit.sd,       fit.theta,  fit.phi,  fit.gamma,
                          fit.win_rate, fit.win_se, fit.rate, fit.rate_se};
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        assert_near(got[i] / golden_full[i], 1, 1e-11);
    pairs.difficulty = NULL;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    assert_near(fit.theta / golden_short[0], 1, 1e-11);
    assert_near(fit.phi / golden_short[1], 1, 1e-11);
    assert_true(isnan(fit.gamma));
    /* Without d every prediction is the same. */
    assert_near(fit.rate, logit_sigma(fit.theta), 1e-15);
    assert_near(fit.rate_se, 0, 1e-16);
    assert_int_equal(fit.n, N);
}

/* Policy and reference change places: what one wins the other loses, but the
 * taste for length is the judge's and stays.  Units of length do not matter. */
static void test_symmetry(void **state)
{
    (void)state;
    double win[N];
    double length[N];
    for (size_t i = 0; i < N; i++) {
        win[i] = 1 - golden_win[i];
        length[i] = -4.2 * golden_length[i];
    }
    struct lcwin_pairs pairs = golden_pairs();
    struct lcwin_fit there;
    struct lcwin_fit back;
    struct err err;
    assert_int_equal(lcwin_fit(&there, &pairs, &err), OK);
    pairs.win = win;
    pairs.length_difference = length;
    assert_int_equal(lcwin_fit(&back, &pairs, &err), OK);
    assert_near(back.theta, -there.theta, 1e-12);
    assert_near(back.phi, there.phi, 1e-12);
    assert_near(back.gamma, -there.gamma, 1e-12);
    assert_near(back.rate, 1 - there.rate, 1e-13);
    assert_near(back.sd, 4.2 * there.sd, 1e-10);
}

/* The intervals are those of the regression's coefficients. */
static void test_intervals(void **state)
{
    (void)state;
    struct lcwin_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 3, .resamples = 300};
    struct lcwin l;
    struct err err;
    assert_int_equal(lcwin_estimate(&l, &pairs, &plan, &err), OK);
    double x[N * 2];
    for (size_t i = 0; i < N; i++) {
        x[2 * i] = tanh(golden_length[i] / l.sd);
        x[2 * i + 1] = golden_difficulty[i];
    }
    struct design_data data = {.n = N,
                               .p = 2,
                               .n_prompts = G,
                               .x = x,
                               .y = golden_win,
                               .prompt = golden_prompt};
    struct estimate e[3];
    assert_int_equal(
        logit_bootstrap(e, NULL, &data, DESIGN_CONSTANT, 0, &plan, &err), OK);
    assert_memory_equal(&l.phi, &e[0], sizeof *e);
    assert_memory_equal(&l.gamma, &e[1], sizeof *e);
    assert_memory_equal(&l.theta, &e[2], sizeof *e);
    struct lcwin_fit fit;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    assert_near(l.rate.estimate, fit.rate, 1e-14);
    assert_near(l.win_rate.estimate, fit.win_rate, 1e-14);
    assert_near(l.shift.estimate, fit.rate - fit.win_rate, 1e-14);
    assert_true(l.shift.low < l.shift.estimate &&
                l.shift.estimate < l.shift.high);
    assert_true(l.rate.low < fit.rate && fit.rate < l.rate.high);
    assert_int_equal(l.pairs, N);
    assert_int_equal(l.rate.n, G);
}

/* Lengths that all differ alike leave no phi, prompts all alike no gamma; a
 * pair not judged, or of unknown length, is left out. */
static void test_degenerate(void **state)
{
    (void)state;
    double win[N];
    double length[N];
    double difficulty[N];
    for (size_t i = 0; i < N; i++) {
        win[i] = golden_win[i];
        length[i] = 30;
        difficulty[i] = 0.7;
    }
    struct lcwin_pairs pairs = golden_pairs();
    pairs.win = win;
    pairs.length_difference = length;
    pairs.difficulty = difficulty;
    struct bootstrap plan = {.seed = 3, .resamples = 100};
    struct lcwin_fit fit;
    struct lcwin l;
    struct err err;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    assert_true(isnan(fit.phi) && isnan(fit.gamma));
    assert_near(fit.rate, fit.win_rate, 1e-12);
    assert_int_equal(lcwin_estimate(&l, &pairs, &plan, &err), OK);
    assert_true(isnan(l.phi.estimate) && isnan(l.gamma.low));
    assert_near(l.rate.high, l.win_rate.high, 1e-9);

    pairs = golden_pairs();
    pairs.win = win;
    pairs.length_difference = length;
    for (size_t i = 0; i < N; i++)
        length[i] = golden_length[i];
    length[0] = (double)NAN;
    win[1] = (double)NAN;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    assert_int_equal(fit.n, N - 2);

    pairs.n = 0;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), OK);
    assert_true(isnan(fit.theta) && isnan(fit.rate) && isnan(fit.win_rate));
    assert_int_equal(lcwin_estimate(&l, &pairs, &plan, &err), OK);
    assert_true(isnan(l.theta.estimate) && l.rate.n == 0);

    pairs.n = N;
    for (size_t i = 0; i < N; i++)
        win[i] = 1;
    fit.theta = 7;
    assert_int_equal(lcwin_fit(&fit, &pairs, &err), ERR_NUMERIC);
    assert_near(fit.theta, 7, 0);
    assert_int_equal(lcwin_estimate(&l, &pairs, &plan, &err), ERR_NUMERIC);
}

static void test_rate(void **state)
{
    (void)state;
    const double d[] = {0, log(3.0)};
    double se;
    /* 1/2 and 3/4: mean 5/8, deviation 1/(4 sqrt 2), over sqrt 2. */
    assert_near(lcwin_rate(&se, 0, 1, d, 2), 0.625, 1e-15);
    assert_near(se, 0.125, 1e-15);
    assert_near(lcwin_rate(NULL, 0, 0, d, 2), 0.5, 0);
    assert_near(lcwin_rate(&se, 0, 1, d, 1), 0.5, 0);
    assert_true(isnan(se));
    assert_true(isnan(lcwin_rate(NULL, 0, 1, d, 0)));
}

struct planted {
    double theta, phi, gamma;
};

/* How often the intervals of 200 simulated evaluations hold what was planted:
 * theta, phi, gamma, and how often that of phi holds 0. */
static void recover(int held[4], const struct planted *plant, uint32_t stream)
{
    enum {
        PROMPTS = 120,
        PAIRS = 2 * PROMPTS,
        SETS = 200
    };
    for (int k = 0; k < 4; k++)
        held[k] = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        struct rng rng;
        rng_init(&rng, 31, RNG_TEST, stream, set);
        size_t prompt[PAIRS];
        double win[PAIRS];
        double length[PAIRS];
        double d[PAIRS];
        for (size_t i = 0; i < PAIRS; i++) {
            prompt[i] = i / 2;
            d[i] = i % 2 == 0 ? rng_normal(&rng) : d[i - 1];
            length[i] = 40 + 90 * rng_normal(&rng);
        }
        double sd = summary_sd(length, PAIRS);
        for (size_t i = 0; i < PAIRS; i++)
            win[i] =
                rng_uniform(&rng) <
                logit_sigma(plant->theta + plant->phi * tanh(length[i] / sd) +
                            plant->gamma * d[i]);
        struct lcwin_pairs pairs = {PAIRS, PROMPTS, prompt, win, length, d};
        struct bootstrap plan = {.seed = set, .resamples = 150};
        struct lcwin l;
        struct err err;
        if (lcwin_estimate(&l, &pairs, &plan, &err) != OK)
            fail_msg("%s", err.text);
        held[0] += l.theta.low <= plant->theta && plant->theta <= l.theta.high;
        held[1] += l.phi.low <= plant->phi && plant->phi <= l.phi.high;
        held[2] += l.gamma.low <= plant->gamma && plant->gamma <= l.gamma.high;
        held[3] += l.phi.low <= 0 && 0 <= l.phi.high;
    }
}

/* Nominal coverage is 95 %; of 200 its deviation is 1.5 points.  A percentile
 * interval of 150 resamples runs one to two points short, so 90 % is where
 * something is wrong. */
static void test_recovery(void **state)
{
    (void)state;
    const struct planted plant = {0.4, 0.8, -0.5};
    int held[4];
    recover(held, &plant, 0);
    print_message("of 200: theta %d, phi %d, gamma %d; phi covers 0: %d\n",
                  held[0], held[1], held[2], held[3]);
    for (int k = 0; k < 3; k++)
        assert_in_range(held[k], 180, 200);
    /* phi 0.8 is 3.2 of its standard errors, 1 / sqrt(240 * 0.2 * 0.34) with
     * 0.2 for p(1-p) and 0.34 for the variance of tanh: one interval in ten
     * covers 0, 20 of 200 with a deviation of 4.2; four of these. */
    assert_in_range(held[3], 0, 37);
}

/* A judge without a taste for length is not accused of one. */
static void test_no_taste(void **state)
{
    (void)state;
    const struct planted plant = {-0.3, 0, 0.6};
    int held[4];
    recover(held, &plant, 1);
    print_message("of 200: theta %d, phi %d, gamma %d\n", held[0], held[1],
                  held[2]);
    for (int k = 0; k < 4; k++)
        assert_in_range(held[k], 180, 200);
}

static void test_memory(void **state)
{
    (void)state;
    struct lcwin_pairs pairs = golden_pairs();
    struct bootstrap plan = {.seed = 3, .resamples = 3};
    struct lcwin_fit fit = {.n = 7};
    struct lcwin l;
    struct err err = {OK, ""};
    enum status status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = lcwin_fit(&fit, &pairs, &err);
        assert_true(status == OK || (status == ERR_MEMORY && fit.n == 7));
    }
    status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = lcwin_estimate(&l, &pairs, &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_symmetry),
        cmocka_unit_test(test_intervals), cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_rate),      cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_no_taste),  cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The two laws on points that obey them, and on best-of-n of a toy whose gold
 * turns over. */
#include "stat/overopt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

#define POINTS 8
#define PROMPTS 50

/* Points at d = .25, .5, ..., 2 on a law, prompts with KL and gain that vary
 * around it (by +-x, so that means are exact). */
static void follow(double *kl, double *gain, enum overopt_form form,
                   double alpha, double beta, double noise)
{
    for (size_t c = 0; c < POINTS; c++) {
        double d = 0.25 * (double)(c + 1);
        for (size_t i = 0; i < PROMPTS; i++) {
            double sign = i % 2 == 0 ? 1 : -1;
            double part = (double)(i / 2 % 5) / 5;
            kl[c * PROMPTS + i] = d * d * (1 + 0.2 * sign * part);
            gain[c * PROMPTS + i] =
                overopt_value(form, alpha, beta, d) + noise * sign * part;
        }
    }
}

static void test_exact(void **state)
{
    (void)state;
    static double kl[POINTS * PROMPTS];
    static double gain[POINTS * PROMPTS];
    struct overopt_points x = {POINTS, PROMPTS, kl, gain};
    struct bootstrap plan = {.seed = 4, .resamples = 300};
    struct overopt o;
    follow(kl, gain, OVEROPT_BEST_OF_N, 1, 0.4, 0.05);
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    assert_int_equal(o.points, POINTS);
    assert_near(o.alpha.estimate, 1, 1e-12);
    assert_near(o.beta.estimate, 0.4, 1e-12);
    assert_near(o.peak.estimate, 1.25, 1e-12);
    assert_near(o.last, 2, 1e-12);
    assert_near(o.slope.estimate, 1 - 2 * 0.4 * 2, 1e-12);
    assert_near(o.rmse, 0, 1e-12);
    assert_true(o.peak.low < 1.25 && o.peak.high > 1.25 && o.peak.high < 2);
    assert_true(o.is_past_peak && !o.is_extrapolated && o.reason == NULL);

    /* d* = exp(1.2/.6 - 1) = e, beyond every point; the first has d < .5. */
    follow(kl, gain, OVEROPT_RL, 1.2, 0.6, 0.05);
    assert_int_equal(overopt_fit(&o, OVEROPT_RL, &x, &plan, &err), OK);
    assert_int_equal(o.points, POINTS - 1);
    assert_near(o.alpha.estimate, 1.2, 1e-12);
    assert_near(o.beta.estimate, 0.6, 1e-12);
    assert_near(o.peak.estimate, exp(1), 1e-10);
    assert_near(o.slope.estimate, 1.2 - 0.6 * (log(2) + 1), 1e-12);
    assert_true(!o.is_past_peak && o.is_extrapolated);
}

/* A curve that does not turn has its peak nowhere, one that falls from the
 * start has it at 0. */
static void test_no_turn(void **state)
{
    (void)state;
    static double kl[POINTS * PROMPTS];
    static double gain[POINTS * PROMPTS];
    struct overopt_points x = {POINTS, PROMPTS, kl, gain};
    struct bootstrap plan = {.seed = 4, .resamples = 300};
    struct overopt o;
    for (int form = OVEROPT_BEST_OF_N; form <= OVEROPT_RL; form++) {
        enum overopt_form law = (enum overopt_form)form;
        follow(kl, gain, law, 1, -0.2, 0.05);
        assert_int_equal(overopt_fit(&o, law, &x, &plan, &err), OK);
        assert_true(isinf(o.peak.estimate) && isinf(o.peak.high));
        assert_true(o.is_extrapolated && !o.is_past_peak);
    }
    follow(kl, gain, OVEROPT_BEST_OF_N, -1, 0.2, 0.05);
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    assert_near(o.peak.estimate, 0, 0);
    assert_true(o.is_past_peak);
    /* Hardly bent and noisy: the data do not bound the peak from above. */
    follow(kl, gain, OVEROPT_BEST_OF_N, 1, 0.02, 3);
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    assert_true(isfinite(o.peak.estimate) && isinf(o.peak.high));
    assert_true(!o.is_past_peak);
}

static void test_too_few(void **state)
{
    (void)state;
    static double kl[POINTS * PROMPTS];
    static double gain[POINTS * PROMPTS];
    struct overopt_points x = {4, PROMPTS, kl, gain};
    struct bootstrap plan = {.seed = 4, .resamples = 20};
    struct overopt o;
    follow(kl, gain, OVEROPT_RL, 1, 0.4, 0);
    assert_int_equal(overopt_fit(&o, OVEROPT_RL, &x, &plan, &err), OK);
    assert_null(o.reason); // .5, .75, 1
    kl[1 * PROMPTS] = (double)NAN;
    for (size_t i = 0; i < PROMPTS; i++)
        gain[3 * PROMPTS + i] = (double)NAN;
    assert_int_equal(overopt_fit(&o, OVEROPT_RL, &x, &plan, &err), OK);
    assert_int_equal(o.points, 2);
    assert_non_null(strstr(o.reason, "fewer than three"));
    assert_true(isnan(o.alpha.estimate) && isnan(o.peak.high));
    for (size_t k = 0; k < 3 * PROMPTS; k++)
        kl[k] = 1;
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    assert_non_null(strstr(o.reason, "do not differ"));
    for (long at = 0; at < 6; at++) {
        mem_fail_at(at);
        assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err),
                         ERR_MEMORY);
    }
    mem_fail_at(-1);
}

/* ---- best of n ---- */

#define TRIALS 1500
#define CURVE 9 // n = 1, 2, 4, ..., 256

static double kl_best[CURVE * TRIALS];
static double gold_best[CURVE * TRIALS];
static double proxy_best[CURVE * TRIALS];

/* Replies are (q, L), independent standard normals: quality and length.  The
 * true value likes length up to a point; the proxy likes it without end (or,
 * in the negative control, is the true value without the point).  Trial i is
 * the best of its first n replies by the proxy. */
static void draw_best(bool is_control)
{
    for (uint32_t i = 0; i < TRIALS; i++) {
        struct rng r;
        rng_init(&r, 23, RNG_TEST, 55, i);
        double best = -(double)INFINITY;
        double gold = 0, first = 0, first_proxy = 0;
        for (size_t n = 1, c = 0; c < CURVE; n++) {
            double q = rng_normal(&r);
            double length = rng_normal(&r);
            double over = fmax(0, length);
            double value =
                q + 0.3 * length - (is_control ? 0 : 0.35) * over * over;
            double proxy = is_control ? value : 0.5 * q + 0.8 * length;
            if (proxy > best) {
                best = proxy;
                gold = value;
            }
            if (n == 1) {
                first = gold;
                first_proxy = best;
            }
            if (n != (size_t)1 << c)
                continue;
            kl_best[c * TRIALS + i] =
                log((double)n) - (double)(n - 1) / (double)n;
            gold_best[c * TRIALS + i] = gold - first;
            proxy_best[c * TRIALS + i] = best - first_proxy;
            c++;
        }
    }
}

static double mean_gain(const double *gain, size_t c)
{
    return summary_mean(gain + c * TRIALS, TRIALS);
}

static void assert_another_draw(const struct estimate *e, double seen)
{
    assert_near(e->estimate, seen, sqrt(2.0) * (e->high - e->low) / 2);
}

/*
 * Another draw of 1,500 trials gave alpha .98, beta .41, d* 1.19, gold 0 -> .6
 * -> .2 with its peak near n = 8, the proxy rising to 2.7.  Both draws have the
 * noise that our interval shows, so they differ by its half-width times sqrt 2
 * at most.  Noise alone makes the residuals .025 on average.
 */
static void test_best_of_n(void **state)
{
    (void)state;
    struct overopt_points x = {CURVE, TRIALS, kl_best, gold_best};
    struct bootstrap plan = {.seed = 5, .resamples = 400};
    struct overopt o;
    draw_best(false);
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    size_t top = 0;
    for (size_t c = 0; c < CURVE; c++) {
        print_message("n %3d  d %.2f  gold %+.2f  fit %+.2f  proxy %.2f\n",
                      1 << c, sqrt(kl_best[c * TRIALS]),
                      mean_gain(gold_best, c),
                      overopt_value(OVEROPT_BEST_OF_N, o.alpha.estimate,
                                    o.beta.estimate, sqrt(kl_best[c * TRIALS])),
                      mean_gain(proxy_best, c));
        if (mean_gain(gold_best, c) > mean_gain(gold_best, top))
            top = c;
        assert_true(c == 0 ||
                    mean_gain(proxy_best, c) > mean_gain(proxy_best, c - 1));
    }
    print_message("alpha %.2f [%.2f, %.2f]  beta %.2f [%.2f, %.2f]  "
                  "peak %.2f [%.2f, %.2f]  rmse %.3f\n",
                  o.alpha.estimate, o.alpha.low, o.alpha.high, o.beta.estimate,
                  o.beta.low, o.beta.high, o.peak.estimate, o.peak.low,
                  o.peak.high, o.rmse);
    assert_true(o.rmse < 0.03);
    assert_another_draw(&o.alpha, 0.98);
    assert_another_draw(&o.beta, 0.41);
    assert_another_draw(&o.peak, 1.19);
    assert_true(top >= 2 && top <= 4); // n of 4 to 16
    assert_near(mean_gain(proxy_best, CURVE - 1), 2.7, 0.15);
    assert_true(o.is_past_peak && !o.is_extrapolated);
}

/* Proxy and gold the same but for noise-free agreement: no turn-over within
 * reach. */
static void test_best_of_n_control(void **state)
{
    (void)state;
    struct overopt_points x = {CURVE, TRIALS, kl_best, gold_best};
    struct bootstrap plan = {.seed = 5, .resamples = 400};
    struct overopt o;
    draw_best(true);
    for (size_t c = 1; c < CURVE; c++)
        assert_true(mean_gain(gold_best, c) > mean_gain(gold_best, c - 1));
    assert_int_equal(overopt_fit(&o, OVEROPT_BEST_OF_N, &x, &plan, &err), OK);
    print_message("control: peak %.2f [%.2f, %.2f], last point %.2f, slope "
                  "%.2f\n",
                  o.peak.estimate, o.peak.low, o.peak.high, o.last,
                  o.slope.estimate);
    assert_true(o.is_extrapolated && !o.is_past_peak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_no_turn),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_best_of_n),
        cmocka_unit_test(test_best_of_n_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

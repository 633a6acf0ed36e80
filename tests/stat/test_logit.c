/* Logistic regression and its cluster-robust errors against statsmodels;
 * separation, collinearity and the bootstrap against their laws. */
#include "stat/logit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/logit.inc"

enum {
    N = sizeof golden_hard / sizeof *golden_hard,
    P = 2,
    G = 60
};

static const char *const names[] = {"length", "lists"};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct design_data golden_data(const double *y)
{
    return (struct design_data){.n = N,
                                .p = P,
                                .n_prompts = G,
                                .x = golden_x,
                                .y = y,
                                .prompt = golden_prompt,
                                .name = names};
}

/* Both stop when a further Newton step changes nothing; statsmodels solves
 * with columns as they are, condition number about 200, squared: 200^2 times
 * 2.2e-16, taken ten times for its loop: 1e-10 relative. */
static void assert_fit(const struct logit *fit, const double *golden, size_t k)
{
    for (size_t j = 0; j < P; j++) {
        assert_near(fit->coefficient[j] / golden[j], 1, 1e-10);
        assert_near(fit->se[j] / golden[k + j], 1, 1e-10);
    }
    if (k > P) {
        assert_near(fit->constant / golden[P], 1, 1e-10);
        assert_near(fit->constant_se / golden[k + P], 1, 1e-10);
    } else {
        assert_true(isnan(fit->constant) && isnan(fit->constant_se));
    }
    assert_near(fit->log_likelihood / golden[2 * k], 1, 1e-12);
    assert_int_equal(fit->n, N);
    assert_int_equal(fit->prompts, G);
}

static void test_golden(void **state)
{
    (void)state;
    struct design_data data = golden_data(golden_hard);
    struct logit fit;
    struct err err;
    double fitted[N];
    assert_int_equal(logit_fit(&fit, fitted, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_fit(&fit, golden_plain, P + 1);
    for (size_t i = 0; i < N; i++)
        assert_near(fitted[i], golden_fitted[i], 1e-12);

    data = golden_data(golden_soft);
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_ORIGIN, 0, &err), OK);
    assert_fit(&fit, golden_origin, P);
    data.weight = golden_weight;
    data.offset = golden_offset;
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_fit(&fit, golden_full, P + 1);
}

static void test_ridge(void **state)
{
    (void)state;
    struct design_data data = golden_data(golden_soft);
    data.weight = golden_weight;
    data.offset = golden_offset;
    struct logit fit;
    struct err err;
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 5, &err),
                     OK);
    assert_near(fit.coefficient[0] / golden_ridge[0], 1, 1e-10);
    assert_near(fit.coefficient[1] / golden_ridge[1], 1, 1e-10);
    assert_near(fit.constant / golden_ridge[2], 1, 1e-10);
    /* Units do not matter to it: metres for millimetres. */
    double x[N * P];
    for (size_t i = 0; i < (size_t)N * P; i++)
        x[i] = golden_x[i] / 1000;
    data.x = x;
    struct logit metres;
    assert_int_equal(logit_fit(&metres, NULL, &data, DESIGN_CONSTANT, 5, &err),
                     OK);
    assert_near(metres.coefficient[0] / fit.coefficient[0], 1000, 1e-8);
    assert_near(metres.constant, fit.constant, 1e-11);
}

static void test_sigma(void **state)
{
    (void)state;
    assert_near(logit_sigma(0), 0.5, 0);
    assert_near(logit_sigma(2) + logit_sigma(-2), 1, 2.3e-16);
    assert_near(logit_sigma(-800), 0, 1e-300);
    assert_near(logit_sigma(800), 1, 0);
    assert_near(logit_sigma(-30) / exp(-30), 1, 1e-12);
}

/* One constant alone is the log-odds of the mean; two rows of y = 1/2 are one
 * of each. */
static void test_closed_form(void **state)
{
    (void)state;
    double y[] = {1, 1, 0.5, 0, 1, 1};
    size_t prompt[] = {0, 1, 2, 3, 4, 5};
    struct design_data data = {
        .n = 6, .p = 0, .n_prompts = 6, .y = y, .prompt = prompt};
    struct logit fit;
    struct err err;
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_near(fit.constant, log(0.75 / 0.25), 1e-14);
    /* CR1 with one row a prompt: V = 6/5 * 5/5 * sum (y-p)^2 / (n p q)^2. */
    double rss = 4 * 0.0625 + 0.0625 + 0.5625;
    assert_near(fit.constant_se, sqrt(1.2 * rss) / (6 * 0.1875), 1e-14);
}

/* A fit of x [n], y [n] with a constant: the status, and the words. */
static enum status fit_line(const double *x, const double *y, size_t n,
                            double ridge, struct logit *fit, struct err *err)
{
    size_t prompt[16];
    for (size_t i = 0; i < n; i++)
        prompt[i] = i;
    struct design_data data = {.n = n,
                               .p = 1,
                               .n_prompts = n,
                               .x = x,
                               .y = y,
                               .prompt = prompt,
                               .name = names};
    return logit_fit(fit, NULL, &data, DESIGN_CONSTANT, ridge, err);
}

/* Complete separation, quasi-complete separation (labels of both kinds at the
 * border only, be they two rows or one soft label), a flag that never meets a
 * 0, and outcomes all alike have no maximum.  One row on the wrong side makes
 * one, and so do two soft labels, which are rows of both kinds that cross. */
static void test_separation(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    double apart[] = {0, 0, 0, 0, 1, 1, 1, 1};
    double border[] = {0, 0, 0, 1, 1, 1, 1, 1};
    double tied[] = {1, 2, 3, 4, 4, 6, 7, 8};
    double outlier[] = {1, 2, 3, 4, 1, 2, 3, 1000};
    double flag[] = {0, 0, 0, 0, 0, 0, 1, 1};
    double mixed[] = {0, 1, 0, 1, 0, 1, 1, 1};
    double same[] = {1, 1, 1, 1, 1, 1, 1, 1};
    double soft[] = {0, 0, 0, 0.01, 1, 1, 1, 1};
    double softer[] = {0, 0, 0, 0.01, 0.99, 1, 1, 1};
    double crossed[] = {0, 0, 0, 1, 0, 1, 1, 1};
    struct logit fit = {.n = 7};
    struct err err = {OK, ""};
    assert_int_equal(fit_line(x, apart, 8, 0, &fit, &err), ERR_NUMERIC);
    assert_string_equal(err.text,
                        "logistic regression: length separates outcomes 1 from "
                        "0, its coefficient has no maximum");
    assert_int_equal(fit_line(tied, border, 8, 0, &fit, &err), ERR_NUMERIC);
    assert_int_equal(fit_line(x, soft, 8, 0, &fit, &err), ERR_NUMERIC);
    assert_int_equal(fit_line(flag, mixed, 8, 0, &fit, &err), ERR_NUMERIC);
    assert_int_equal(fit_line(x, same, 8, 0, &fit, &err), ERR_NUMERIC);
    assert_string_equal(err.text,
                        "logistic regression: all 8 outcomes are 1, their "
                        "log-odds have no maximum");
    assert_int_equal(fit.n, 7);
    assert_int_equal(fit_line(x, crossed, 8, 0, &fit, &err), OK);
    assert_true(fit.coefficient[0] > 0 && fit.coefficient[0] < 10);
    assert_int_equal(fit_line(x, softer, 8, 0, &fit, &err), OK);
    assert_true(fit.coefficient[0] > 5 && fit.coefficient[0] < 15);
    /* An outlier whose own label is bought for free does not separate: the
     * rest is a fit of seven rows that x orders badly. */
    assert_int_equal(fit_line(outlier, crossed, 8, 0, &fit, &err), OK);
    /* A ridge has a maximum where the likelihood has none. */
    assert_int_equal(fit_line(x, apart, 8, 0.01, &fit, &err), OK);
    assert_true(fit.coefficient[0] > 0 && isfinite(fit.se[0]));
}

static void test_collinear(void **state)
{
    (void)state;
    double x[N * 3];
    for (size_t i = 0; i < N; i++) {
        x[i * 3] = golden_x[i * P];
        x[i * 3 + 1] = 2 - golden_x[i * P] / 7;
        x[i * 3 + 2] = golden_x[i * P + 1];
    }
    struct design_data data = golden_data(golden_hard);
    data.x = x;
    data.p = 3;
    data.name = NULL;
    struct logit fit;
    struct err err;
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_int_equal(fit.collinear.n, 1);
    assert_int_equal(fit.collinear.column[0], 1);
    assert_true(isnan(fit.coefficient[1]) && isnan(fit.se[1]));
    assert_near(fit.coefficient[0] / golden_plain[0], 1, 1e-10);
    assert_near(fit.coefficient[2] / golden_plain[1], 1, 1e-10);
}

static void test_nothing(void **state)
{
    (void)state;
    double y[N];
    for (size_t i = 0; i < N; i++)
        y[i] = (double)NAN;
    struct design_data data = golden_data(y);
    struct bootstrap plan = {.seed = 1, .resamples = 20};
    struct estimate e[P + 1];
    struct logit fit;
    struct err err;
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_true(isnan(fit.coefficient[0]) && isnan(fit.constant));
    assert_true(isnan(fit.log_likelihood) && fit.n == 0);
    assert_int_equal(
        logit_bootstrap(e, NULL, &data, DESIGN_CONSTANT, 0, &plan, &err), OK);
    assert_true(isnan(e[P].estimate) && isnan(e[P].low) && e[P].n == 0);
}

/* A resample's fit is the fit of its rows weighted by how often they came. */
static void test_sampler(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 5};
    struct design_data data = golden_data(golden_soft);
    struct logit_sampler *s;
    struct err err;
    size_t index[G];
    double weight[N];
    double times[G] = {0};
    double got[P + 1];
    summary_resample(index, G, &plan, 3);
    for (size_t k = 0; k < G; k++)
        times[index[k]] += 1;
    for (size_t i = 0; i < N; i++)
        weight[i] = times[golden_prompt[i]];
    assert_int_equal(
        logit_sampler_create(&s, &data, DESIGN_CONSTANT, 0.5, &err), OK);
    assert_int_equal(logit_sampler_design(s)->prompts, G);
    logit_sampler_fit(s, got, index, G);
    /* The penalty is in units of the whole sample's deviations. */
    double whole[2];
    memcpy(whole, logit_sampler_design(s)->scale, sizeof whole);
    logit_sampler_destroy(s);
    assert_int_equal(logit_sampler_create(&s, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    logit_sampler_fit(s, got, index, G);
    logit_sampler_destroy(s);
    data.weight = weight;
    struct logit want;
    assert_int_equal(logit_fit(&want, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    assert_near(got[0] / want.coefficient[0], 1, 1e-11);
    assert_near(got[1] / want.coefficient[1], 1, 1e-11);
    assert_near(got[P], want.constant, 1e-11);
    assert_true(whole[0] > 0);
}

/* Bootstrap and CR1 estimate one deviation: with 60 prompts each is uncertain
 * by about 1/sqrt(2*60) = 9 %, and a percentile interval of a logit is wider
 * by a few percent: 30 %. */
static void test_bootstrap(void **state)
{
    (void)state;
    struct design_data data = golden_data(golden_hard);
    struct bootstrap plan = {.seed = 5, .resamples = 1000};
    struct estimate e[P + 1];
    static double draws[(P + 1) * 1000];
    struct logit fit;
    struct err err;
    assert_int_equal(
        logit_bootstrap(e, draws, &data, DESIGN_CONSTANT, 0, &plan, &err), OK);
    assert_int_equal(logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err),
                     OK);
    const double se[] = {fit.se[0], fit.se[1], fit.constant_se};
    const double at[] = {fit.coefficient[0], fit.coefficient[1], fit.constant};
    for (size_t j = 0; j <= P; j++) {
        assert_near(e[j].estimate, at[j], 1e-13);
        assert_near((e[j].high - e[j].low) / (2 * 1.959964 * se[j]), 1, 0.3);
        assert_near(summary_mean(draws + j * 1000, 1000), at[j], 0.3 * se[j]);
        assert_int_equal(e[j].n, G);
    }
}

/* Six prompts that one more would separate: many resamples lack it, and no
 * interval is made of the lucky ones. */
static void test_bootstrap_separated(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 5, 6};
    double y[] = {0, 0, 1, 0, 1, 1};
    size_t prompt[] = {0, 1, 2, 3, 4, 5};
    struct design_data data = {
        .n = 6, .p = 1, .n_prompts = 6, .x = x, .y = y, .prompt = prompt};
    struct bootstrap plan = {.seed = 5, .resamples = 200};
    struct estimate e[2];
    struct err err;
    assert_int_equal(
        logit_bootstrap(e, NULL, &data, DESIGN_CONSTANT, 0, &plan, &err), OK);
    assert_true(isfinite(e[0].estimate));
    assert_true(isnan(e[0].low) && isnan(e[1].high));
}

static void test_memory(void **state)
{
    (void)state;
    struct design_data data = golden_data(golden_hard);
    struct logit fit = {.n = 7};
    struct bootstrap plan = {.seed = 5, .resamples = 3};
    struct estimate e[P + 1];
    struct err err = {OK, ""};
    enum status status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = logit_fit(&fit, NULL, &data, DESIGN_CONSTANT, 0, &err);
        assert_true(status == OK || (status == ERR_MEMORY && fit.n == 7));
    }
    status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status =
            logit_bootstrap(e, NULL, &data, DESIGN_CONSTANT, 0, &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_ridge),
        cmocka_unit_test(test_sigma),
        cmocka_unit_test(test_closed_form),
        cmocka_unit_test(test_separation),
        cmocka_unit_test(test_collinear),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_sampler),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_bootstrap_separated),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

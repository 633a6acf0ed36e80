/* Least squares and cluster-robust errors against statsmodels; conditioning
 * against exact arithmetic; collinearity, prompt effects and the bootstrap
 * against their laws. */
#include "stat/regress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/golden/stat/regress.inc"

enum {
    N = sizeof golden_y / sizeof *golden_y,
    P = 3,
    G = 24
};

static const char *const names[] = {"length", "lists", "hedge"};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static struct design_data golden_data(void)
{
    return (struct design_data){.n = N,
                                .p = P,
                                .n_prompts = G,
                                .x = golden_x,
                                .y = golden_y,
                                .prompt = golden_prompt,
                                .name = names};
}

/*
 * Coefficients, errors, R^2.  Ours works on orthonormal columns and errs by a
 * few ulp of the scaled problem; statsmodels inverts the columns as they are,
 * condition number about 600 (length near 180, constant 1), squared for the
 * errors' bread: 600^2 * 2.2e-16 = 8e-11 relative.
 */
static void assert_fit(const struct regress *fit, const double *golden,
                       size_t k)
{
    for (size_t j = 0; j < P; j++) {
        assert_near(fit->coefficient[j], golden[j], 8e-11 * fabs(golden[j]));
        assert_near(fit->se[j], golden[k + j], 8e-11 * golden[k + j]);
    }
    if (k > P) {
        assert_near(fit->constant, golden[P], 8e-11 * fabs(golden[P]));
        assert_near(fit->constant_se, golden[k + P], 8e-11 * golden[k + P]);
    } else {
        assert_true(isnan(fit->constant));
    }
    assert_near(fit->r2, golden[2 * k], 8e-11);
    assert_int_equal(fit->prompts, G);
    assert_int_equal(fit->n, N);
    assert_int_equal(fit->collinear.n, 0);
}

static void test_constant(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    struct regress fit;
    struct err err;
    double residual[N];
    assert_int_equal(regress_fit(&fit, residual, &data, DESIGN_CONSTANT, &err),
                     OK);
    assert_fit(&fit, golden_ols, P + 1);
    for (size_t i = 0; i < N; i++)
        assert_near(residual[i], golden_residual[i], 1e-11);
    data.weight = golden_weight;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    assert_fit(&fit, golden_wls, P + 1);
}

static void test_prompt_effects(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    data.weight = golden_weight;
    struct regress fit;
    struct err err;
    double residual[N];
    assert_int_equal(regress_fit(&fit, residual, &data, DESIGN_PROMPTS, &err),
                     OK);
    assert_fit(&fit, golden_within, P);
    for (size_t i = 0; i < N; i++)
        assert_near(residual[i], golden_within_residual[i], 1e-10);
}

/* What a prompt adds to all its scores does not matter, a column that says
 * only which prompt it is cannot be told from the effects, and a prompt with
 * one response is worth nothing. */
static void test_within_laws(void **state)
{
    (void)state;
    enum {
        MORE = N + 1
    };
    double x[MORE * 4];
    double y[MORE];
    size_t prompt[MORE];
    for (size_t i = 0; i < MORE; i++) {
        size_t from = i < N ? i : 0;
        memcpy(x + i * 4, golden_x + from * P, P * sizeof *x);
        prompt[i] = i < N ? golden_prompt[i] : G;
        x[i * 4 + 3] = cos((double)prompt[i]);
        y[i] = golden_y[from] + 1e4 * sin((double)prompt[i]);
    }
    struct design_data data = golden_data();
    struct regress plain;
    struct regress fit;
    struct err err;
    assert_int_equal(regress_fit(&plain, NULL, &data, DESIGN_PROMPTS, &err),
                     OK);
    data = (struct design_data){.n = MORE,
                                .p = 4,
                                .n_prompts = G + 1,
                                .x = x,
                                .y = y,
                                .prompt = prompt};
    double residual[MORE];
    assert_int_equal(regress_fit(&fit, residual, &data, DESIGN_PROMPTS, &err),
                     OK);
    assert_int_equal(fit.prompts, G);
    assert_int_equal(fit.n, N);
    assert_true(isnan(residual[N]));
    assert_int_equal(fit.collinear.n, 1);
    assert_int_equal(fit.collinear.column[0], 3);
    assert_true(isnan(fit.coefficient[3]) && isnan(fit.se[3]));
    /* Scores near 1e4 carry an error of 1e4 * 1.1e-16 each against their
     * spread of about 2. */
    for (size_t j = 0; j < P; j++) {
        assert_near(fit.coefficient[j], plain.coefficient[j],
                    1e-11 * fabs(plain.coefficient[j]));
        assert_near(fit.se[j], plain.se[j], 1e-11 * plain.se[j]);
    }
}

/* Longley's six columns are nearly dependent (condition number 5e9), which
 * single-pass normal equations do not survive.  Centred and scaled their
 * condition number is 111; QR errs by that times a few ulp of y's size relative
 * to a coefficient's share of y. */
static void test_longley(void **state)
{
    (void)state;
    enum {
        ROWS = 16,
        COLUMNS = 6
    };
    size_t prompt[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        prompt[i] = i;
    struct design_data data = {.n = ROWS,
                               .p = COLUMNS,
                               .n_prompts = ROWS,
                               .x = longley_x,
                               .y = longley_y,
                               .prompt = prompt};
    struct regress fit;
    struct err err;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    for (size_t j = 0; j < COLUMNS; j++)
        assert_near(fit.coefficient[j] / longley_coefficient[j], 1, 1e-11);
    assert_near(fit.constant / longley_coefficient[COLUMNS], 1, 1e-11);
}

/* Units and origins are nobody's business: x -> 1e-5 x + 1e6.  The shift costs
 * what the sum loses: 1e6 * 1.1e-16 against a spread of 1e-5 times sd. */
static void test_units(void **state)
{
    (void)state;
    double x[N * P];
    for (size_t i = 0; i < (size_t)N * P; i++)
        x[i] = 1e-5 * golden_x[i] + (i % P == 0 ? 1e6 : 0);
    struct design_data data = golden_data();
    struct regress plain;
    struct regress fit;
    struct err err;
    assert_int_equal(regress_fit(&plain, NULL, &data, DESIGN_CONSTANT, &err),
                     OK);
    data.x = x;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    assert_near(fit.coefficient[0] / plain.coefficient[0], 1e5, 1e5 * 1e-6);
    for (size_t j = 1; j < P; j++)
        assert_near(fit.coefficient[j] / plain.coefficient[j], 1e5, 1e5 * 1e-6);
    assert_near(fit.r2, plain.r2, 1e-6);
}

/* A copy, a combination and a constant are named, and leave the others as they
 * are without them. */
static void test_collinear(void **state)
{
    (void)state;
    enum {
        Q = 6
    };
    static const char *const six[] = {"length", "flat",  "lists",
                                      "copy",   "hedge", "mixed"};
    double x[N * Q];
    for (size_t i = 0; i < N; i++) {
        const double *from = golden_x + i * P;
        double row[Q] = {from[0], 7.3,
                         from[1], 3 * from[0],
                         from[2], from[0] - 40 * from[1] + from[2]};
        memcpy(x + i * Q, row, sizeof row);
    }
    struct design_data data = golden_data();
    data.p = Q;
    data.x = x;
    data.name = six;
    struct regress fit;
    struct err err;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    struct buf words;
    buf_init(&words, 1000);
    design_words(&words, &data, &fit.collinear);
    assert_string_equal(buf_text(&words),
                        "flat, copy, mixed: collinear with the columns before");
    buf_clear(&words);
    data.name = NULL;
    design_words(&words, &data, &fit.collinear);
    assert_string_equal(buf_text(&words), "column 2, column 4, column 6: "
                                          "collinear with the columns before");
    buf_free(&words);
    static const size_t at[P] = {0, 2, 4};
    for (size_t j = 0; j < P; j++) {
        assert_near(fit.coefficient[at[j]], golden_ols[j],
                    8e-11 * fabs(golden_ols[j]));
        assert_near(fit.se[at[j]], golden_ols[P + 1 + j],
                    8e-11 * golden_ols[P + 1 + j]);
    }
    for (size_t c = 0; c < 3; c++)
        assert_true(isnan(fit.coefficient[fit.collinear.column[c]]));
}

/* Rows with a hole are left out, weight 0 is absence, weight 2 is twice. */
static void test_rows(void **state)
{
    (void)state;
    double x[(N + 2) * P];
    double y[N + 2];
    double weight[N + 2];
    size_t prompt[N + 2];
    memcpy(x, golden_x, sizeof golden_x);
    memcpy(x + N * P, golden_x, 2 * P * sizeof *x);
    memcpy(y, golden_y, sizeof golden_y);
    memcpy(prompt, golden_prompt, sizeof golden_prompt);
    y[N] = (double)NAN;
    y[N + 1] = 1e9;
    for (size_t i = 0; i < N + 2; i++)
        weight[i] = i <= N;
    prompt[N] = prompt[N + 1] = 3;
    struct design_data data = golden_data();
    data.n = N + 2;
    data.x = x;
    data.y = y;
    data.weight = weight;
    data.prompt = prompt;
    struct regress fit;
    struct err err;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    assert_fit(&fit, golden_ols, P + 1);

    y[N] = golden_y[0];
    prompt[N] = prompt[0];
    struct regress twice;
    assert_int_equal(regress_fit(&twice, NULL, &data, DESIGN_CONSTANT, &err),
                     OK);
    weight[N] = 0;
    weight[0] = 2;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    for (size_t j = 0; j < P; j++)
        assert_near(fit.coefficient[j], twice.coefficient[j], 1e-12);

    /* The offset is taken from y. */
    double offset[N];
    for (size_t i = 0; i < N; i++)
        offset[i] = 0.01 * golden_x[i * P] - 3;
    data = golden_data();
    data.offset = offset;
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_CONSTANT, &err), OK);
    assert_near(fit.coefficient[0], golden_ols[0] - 0.01, 1e-13);
    assert_near(fit.constant, golden_ols[P] + 3, 1e-11);
}

static void test_nothing(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    data.n = 0;
    struct regress fit;
    struct err err;
    for (int centre = DESIGN_CONSTANT; centre <= DESIGN_PROMPTS; centre++) {
        assert_int_equal(
            regress_fit(&fit, NULL, &data, (enum design_centre)centre, &err),
            OK);
        assert_true(isnan(fit.coefficient[0]) && isnan(fit.se[2]));
        assert_true(isnan(fit.constant) && isnan(fit.r2));
        assert_int_equal(fit.prompts, 0);
    }
    struct bootstrap plan = {.seed = 1, .resamples = 20};
    struct estimate e[P + 1];
    assert_int_equal(
        regress_bootstrap(e, NULL, &data, DESIGN_CONSTANT, &plan, &err), OK);
    assert_true(isnan(e[0].estimate) && isnan(e[P].low) && e[0].n == 0);
}

/* A resample's fit is the fit of its rows: of a multiset written out. */
static void test_sampler(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    data.weight = golden_weight;
    struct bootstrap plan = {.seed = 5};
    struct err err;
    size_t index[G];
    summary_resample(index, G, &plan, 7);
    double x[N * G * P];
    double y[N * G];
    double weight[N * G];
    size_t prompt[N * G];
    size_t n = 0;
    for (size_t k = 0; k < G; k++) {
        for (size_t i = 0; i < N; i++) {
            if (golden_prompt[i] != index[k])
                continue;
            memcpy(x + n * P, golden_x + i * P, P * sizeof *x);
            y[n] = golden_y[i];
            weight[n] = golden_weight[i];
            prompt[n++] = k;
        }
    }
    for (int c = DESIGN_CONSTANT; c <= DESIGN_PROMPTS; c++) {
        enum design_centre centre = (enum design_centre)c;
        struct regress_sampler *s;
        double got[P + 1];
        assert_int_equal(regress_sampler_create(&s, &data, centre, &err), OK);
        regress_sampler_fit(s, got, index, G);
        assert_int_equal(regress_sampler_prompts(s), G);
        regress_sampler_destroy(s);
        struct design_data written = {.n = n,
                                      .p = P,
                                      .n_prompts = G,
                                      .x = x,
                                      .y = y,
                                      .weight = weight,
                                      .prompt = prompt};
        struct regress want;
        assert_int_equal(regress_fit(&want, NULL, &written, centre, &err), OK);
        for (size_t j = 0; j < P; j++)
            assert_near(got[j], want.coefficient[j], 1e-12);
        if (centre == DESIGN_CONSTANT)
            assert_near(got[P], want.constant, 1e-10);
        else
            assert_true(isnan(got[P]));
    }
}

/*
 * The bootstrap and CR1 estimate the same deviation.  With 24 prompts CR1
 * itself is uncertain by 1/sqrt(2*24) = 14 % and both by the correction, a few
 * percent: widths agree within 30 %.
 */
static void test_bootstrap(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    struct bootstrap plan = {.seed = 5};
    struct estimate e[P + 1];
    static double draws[(P + 1) * 2000];
    struct regress fit;
    struct err err;
    assert_int_equal(
        regress_bootstrap(e, draws, &data, DESIGN_PROMPTS, &plan, &err), OK);
    assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_PROMPTS, &err), OK);
    for (size_t j = 0; j < P; j++) {
        assert_near(e[j].estimate, fit.coefficient[j], 1e-12);
        assert_int_equal(e[j].n, G);
        double width = (e[j].high - e[j].low) / (2 * 1.959964 * fit.se[j]);
        assert_near(width, 1, 0.3);
        assert_near(summary_mean(draws + j * 2000, 2000), fit.coefficient[j],
                    0.3 * fit.se[j]);
    }
    assert_true(isnan(e[P].estimate) && isnan(e[P].low));
}

/* A planted slope is inside its intervals as often as they say: of 200 data
 * sets with 30 prompts, 95 % less the known shortfall of 30 clusters (about 2
 * points), standard deviation 1.7 points: 176 at least. */
static void test_coverage(void **state)
{
    (void)state;
    enum {
        PROMPTS = 30,
        EACH = 4,
        ROWS = PROMPTS * EACH,
        SETS = 200
    };
    int robust = 0;
    int resampled = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        struct rng rng;
        rng_init(&rng, 21, RNG_TEST, 0, set);
        double x[ROWS];
        double y[ROWS];
        size_t prompt[ROWS];
        for (size_t i = 0; i < ROWS; i++) {
            prompt[i] = i / EACH;
            static double effect;
            static double slope;
            if (i % EACH == 0) {
                effect = 3 * rng_normal(&rng);
                slope = 1 + 0.5 * rng_normal(&rng);
            }
            x[i] = effect + rng_normal(&rng);
            y[i] = 5 * effect + slope * x[i] + rng_normal(&rng);
        }
        struct design_data data = {.n = ROWS,
                                   .p = 1,
                                   .n_prompts = PROMPTS,
                                   .x = x,
                                   .y = y,
                                   .prompt = prompt};
        struct regress fit;
        struct estimate e[2];
        struct err err;
        struct bootstrap plan = {.seed = set, .resamples = 200};
        assert_int_equal(regress_fit(&fit, NULL, &data, DESIGN_PROMPTS, &err),
                         OK);
        assert_int_equal(
            regress_bootstrap(e, NULL, &data, DESIGN_PROMPTS, &plan, &err), OK);
        robust += fabs(fit.coefficient[0] - 1) <= 1.96 * fit.se[0];
        resampled += e[0].low <= 1 && 1 <= e[0].high;
    }
    assert_in_range(robust, 176, SETS);
    assert_in_range(resampled, 176, SETS);
}

static void test_memory(void **state)
{
    (void)state;
    struct design_data data = golden_data();
    struct regress fit = {.n = 7};
    struct bootstrap plan = {.seed = 5, .resamples = 3};
    struct estimate e[P + 1];
    struct err err = {OK, ""};
    enum status status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status = regress_fit(&fit, NULL, &data, DESIGN_PROMPTS, &err);
        assert_true(status == OK || (status == ERR_MEMORY && fit.n == 7));
    }
    status = ERR_MEMORY;
    for (long at = 0; status != OK; at++) {
        mem_fail_at(at);
        status =
            regress_bootstrap(e, NULL, &data, DESIGN_CONSTANT, &plan, &err);
        assert_true(status == OK || status == ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_prompt_effects),
        cmocka_unit_test(test_within_laws),
        cmocka_unit_test(test_longley),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_collinear),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_sampler),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

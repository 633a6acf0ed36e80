/*
 * Several reward models: what their scores become, and a PPO run on them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "traces.h"

static struct err err;
static struct desk shared;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Traces and results hold numbers with six digits or more. */
#define PRINTED 1e-5

/* Three members in units of their own; z is (1, 2, 6), of mean 3 and deviation
 * sqrt((4 + 1 + 9) / 2), then (0, 0, 0). */
static void test_combination(void **state)
{
    static const double raw[] = {12, 10, -4, 0, 106, 100};
    struct ensemble e = {
        .n = 3, .scale = {{10, 2}, {0, -2}, {100, 1}}, .lambda = 0.5};
    static const double want[] = {3, 1, 0};
    double score[2], sd[2];
    (void)state;
    for (int rule = ENSEMBLE_MEAN; rule <= ENSEMBLE_MEAN_MINUS_SD; rule++) {
        e.rule = rule;
        ensemble_combine(score, sd, &e, raw, 2);
        close_to(sd[0], sqrt(7), 1e-12);
        close_to(score[0],
                 rule == ENSEMBLE_MEAN_MINUS_SD ? 3 - 0.5 * sqrt(7)
                                                : want[rule],
                 1e-12);
        close_to(score[1], 0, 0);
        close_to(sd[1], 0, 0);
    }
    /* One alone is not rescaled. */
    e.n = 1;
    ensemble_combine(score, sd, &e, raw, 2);
    close_to(score[0], 12, 0);
    close_to(sd[0], 0, 0);
}

static struct ppo_config config(const struct desk *d)
{
    struct ppo_config c = desk_ppo(d);
    c.more_reward_models[0] = desk_path(d, "second");
    c.ensemble = ENSEMBLE_MIN;
    return c;
}

static enum status run(struct desk *d, const char *name,
                       const struct ppo_config *c, enum run_mode mode)
{
    struct stage stage = desk_stage(d, name, mode);
    return ppo_run(c, &stage, NULL, &err);
}

static double result(const struct desk *d, const char *run, const char *key)
{
    struct json *json;
    char path[64];
    (void)snprintf(path, sizeof path, "%s/result.json", run);
    must(json_read(&json, desk_path(d, path), 1 << 20, &err));
    double x = json_number(json_get(json, key), (double)NAN);
    json_free(json);
    return x;
}

/* Iteration 1 of every run draws the same responses: the least of two models'
 * normalised scores is what a run on each alone shows. */
static void test_least_of_two(void **state)
{
    struct desk d = shared;
    struct traces first, second, both;
    double apart = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 1;
    must(run(&d, "one", &c, RUN_OVERWRITE));
    c = desk_ppo(&d);
    c.iterations = 1;
    c.reward_model = desk_path(&d, "second");
    must(run(&d, "two", &c, RUN_OVERWRITE));
    c = config(&d);
    c.iterations = 1;
    must(run(&d, "both", &c, RUN_OVERWRITE));
    double mean[] = {result(&d, "one", "score_mean"),
                     result(&d, "two", "score_mean")};
    double sd[] = {result(&d, "one", "score_sd"),
                   result(&d, "two", "score_sd")};
    traces_read(&first, &d, "one", 1);
    traces_read(&second, &d, "two", 1);
    traces_read(&both, &d, "both", 1);
    for (size_t i = 0; i < both.n; i++) {
        double a = (traces_number(&first, i, "score_raw") - mean[0]) / sd[0];
        double b = (traces_number(&second, i, "score_raw") - mean[1]) / sd[1];
        double off = PRINTED * (1 + fabs(a) + fabs(b));
        close_to(traces_number(&both, i, "score_raw"), fmin(a, b), off);
        close_to(traces_number(&both, i, "score_sd"), fabs(a - b) / sqrt(2),
                 off);
        apart += fabs(a - b) / sqrt(2) / (double)both.n;
        assert_null(json_get(first.row[i], "score_sd"));
    }
    assert_true(apart > 0.01);
    close_to(traces_metric(&d, "both", "score/member_sd", 0), apart, PRINTED);
    /* Evaluations go on scoring with the first, in its unit. */
    close_to(result(&d, "both", "score_mean"), mean[0], 1e-12);
    close_to(result(&d, "both", "score_sd"), sd[0], 1e-12);
    traces_free(&first);
    traces_free(&second);
    traces_free(&both);
}

/* The same model twice is one: nothing disagrees, and the same is paid. */
static void test_two_of_one_opinion(void **state)
{
    struct desk d = shared;
    struct traces one, two;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 1;
    must(run(&d, "one", &c, RUN_OVERWRITE));
    for (int rule = ENSEMBLE_MEAN; rule <= ENSEMBLE_MEAN_MINUS_SD; rule++) {
        c = desk_ppo(&d);
        c.iterations = 1;
        c.more_reward_models[0] = c.reward_model;
        c.ensemble = rule;
        must(run(&d, "two", &c, RUN_OVERWRITE));
        traces_read(&one, &d, "one", 1);
        traces_read(&two, &d, "two", 1);
        for (size_t i = 0; i < two.n; i++) {
            close_to(traces_number(&two, i, "score_sd"), 0, 0);
            close_to(traces_number(&two, i, "score"),
                     traces_number(&one, i, "score"), PRINTED);
        }
        traces_free(&one);
        traces_free(&two);
    }
}

static void stop_now(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        *(volatile sig_atomic_t *)ctx = 1;
}

/* The members' scales survive a stop; another number of them does not fit. */
static void test_resume(void **state)
{
    struct desk d = shared;
    char whole[65], pieces[65];
    volatile sig_atomic_t stop = 0;
    (void)state;
    struct ppo_config c = config(&d);
    must(run(&d, "both", &c, RUN_OVERWRITE));
    desk_hash(whole, &d, "both/metrics.jsonl");
    d.context.sink = stop_now;
    d.context.sink_ctx = (void *)(uintptr_t)&stop;
    d.context.stop = &stop;
    c = config(&d);
    assert_int_equal(run(&d, "both", &c, RUN_OVERWRITE), ERR_STOPPED);
    d.context = shared.context;
    struct ppo_config three = config(&d);
    three.more_reward_models[1] = three.reward_model;
    assert_int_equal(run(&d, "both", &three, RUN_RESUME), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "members"));
    c = config(&d);
    must(run(&d, "both", &c, RUN_RESUME));
    desk_hash(pieces, &d, "both/metrics.jsonl");
    assert_string_equal(whole, pieces);
}

static void test_absent_member(void **state)
{
    struct desk d = shared;
    (void)state;
    struct ppo_config c = config(&d);
    c.more_reward_models[2] = desk_path(&d, "nowhere");
    assert_int_equal(run(&d, "both", &c, RUN_OVERWRITE), ERR_MISSING);
    assert_non_null(strstr(err.text, "nowhere"));
}

/* The desk's reward model, and a second one from other first updates. */
static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 1);
    desk_prepare(&shared);
    struct reward_config c = desk_reward(&shared);
    c.optimizer.lr *= 3;
    shared.seed++;
    struct stage stage = desk_stage(&shared, "second", RUN_NEW);
    must(reward_model_run(&c, &stage, &err));
    shared.seed--;
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combination),
        cmocka_unit_test(test_least_of_two),
        cmocka_unit_test(test_two_of_one_opinion),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_absent_member),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

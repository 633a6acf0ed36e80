/*
 * What a run's products multiply, from training to its diagnosis: V1 judges a
 * run in bfloat16 by what bfloat16s explain, as the trainer does, and a gate
 * that was given is obeyed in either direction.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "desk.h"
#include "diagnose/gates.h"
#include "diagnose/metric.h"
#include "model/model.h"

static struct err err;
static struct desk shared; // SFT and reward model

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* PPO into ppo/; gate 0 is the trainer's own. */
static enum status run(struct desk *d, int precision, double gate)
{
    d->precision = precision;
    struct ppo_config c = desk_ppo(d);
    c.ratio_gate = gate;
    struct stage stage = desk_stage(d, "ppo", RUN_OVERWRITE);
    return ppo_run(&c, &stage, NULL, &err);
}

/* The same sampled much colder than is logged. */
static enum status run_colder(struct desk *d, int precision, double gate)
{
    d->precision = precision;
    struct ppo_config c = desk_ppo(d);
    c.iterations = 1;
    c.temperature = 0.1;
    c.log_temperature = 1;
    c.ratio_gate = gate;
    struct stage stage = desk_stage(d, "ppo", RUN_OVERWRITE);
    return ppo_run(&c, &stage, NULL, &err);
}

/* V1 of the run with this record. */
static struct finding judge(const struct desk *d, const char *config)
{
    const struct bootstrap plan = {.seed = 1, .resamples = 100};
    struct evidence e;
    struct finding gate[GATES];
    must(file_write(desk_path(d, "ppo/config.yaml"), config, strlen(config),
                    &err));
    must(evidence_read(&e, d->dir, &plan, &err));
    must(gates_judge(gate, &e, &err));
    evidence_free(&e);
    return gate[GATE_RATIO];
}

static void expect(const struct finding *f, enum verdict want)
{
    if (f->verdict != want)
        fail_msg("%s, not %s: %s%s", finding_verdict(f->verdict),
                 finding_verdict(want), f->text, f->needs);
}

/* The same numbers under four records: only the one that says bf16 explains
 * them. */
static void test_run_in_bfloat16(void **state)
{
    struct desk d = shared;
    (void)state;
    must(run(&d, MODEL_F32_BY_BF16, 0));
    struct finding f = judge(&d, "seed: 7\ncompute: bf16\n");
    expect(&f, VERDICT_SUPPORTED);
    assert_true(measures_find(&f.detail, "first_error").estimate > 1e-4);
    f = judge(&d, "seed: 7\ncompute: f32\n");
    expect(&f, VERDICT_NOT_SUPPORTED);
    f = judge(&d, "seed: 7\n");
    expect(&f, VERDICT_NOT_SUPPORTED);
    f = judge(&d, "seed: 7\ncompute: auto\n");
    expect(&f, VERDICT_NOT_MEASURABLE);
}

static void test_run_in_floats(void **state)
{
    struct desk d = shared;
    (void)state;
    must(run(&d, MODEL_F32, 0));
    static const char *const config[] = {"compute: f32\n", "compute: auto\n",
                                         "seed: 7\n"};
    for (size_t i = 0; i < 3; i++) {
        struct finding f = judge(&d, config[i]);
        expect(&f, VERDICT_SUPPORTED);
    }
}

/* A fault that bfloat16 does not explain stops the run and fails V1. */
static void test_fault_in_bfloat16(void **state)
{
    struct desk d = shared;
    (void)state;
    assert_int_equal(run_colder(&d, MODEL_F32_BY_BF16, 0), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "(gate 0.5)"));
    must(run_colder(&d, MODEL_F32_BY_BF16, 1e9)); // looser than its own
    struct finding f = judge(&d, "compute: bf16\n");
    expect(&f, VERDICT_NOT_SUPPORTED);
    f = judge(&d, "compute: auto\n");
    expect(&f, VERDICT_NOT_SUPPORTED);
}

/* Over the iterations of ppo/. */
static double largest(const struct desk *d, const char *name)
{
    struct run_table t;
    must(run_table_read(&t, desk_path(d, "ppo/metrics.jsonl"), &err));
    struct metric_column column = metric_find(&t, name);
    double x = metric_largest(&column);
    run_table_free(&t);
    return x;
}

/* A gate below either error stops the run there, one above both does not. */
static void check_gate(int precision)
{
    struct desk d = shared;
    must(run(&d, precision, 0));
    double sampler = largest(&d, "ratio/sampler_error");
    double update = largest(&d, "ratio/first_error");
    assert_true(sampler > 0);
    assert_int_equal(run(&d, precision, sampler / 2), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "training and sampling disagree"));
    assert_non_null(strstr(err.text, "rounding explains as much"));
    assert_int_equal(run(&d, precision, (sampler + update) / 2), ERR_NUMERIC);
    assert_non_null(strstr(err.text, sampler > update
                                         ? "training and sampling disagree"
                                         : "the update and the rollout"));
    must(run(&d, precision, 1.01 * fmax(sampler, update)));
}

static void test_gate_is_obeyed(void **state)
{
    (void)state;
    check_gate(MODEL_F32);
    check_gate(MODEL_F32_BY_BF16);
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 1);
    desk_prepare(&shared);
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
        cmocka_unit_test(test_run_in_bfloat16),
        cmocka_unit_test(test_run_in_floats),
        cmocka_unit_test(test_fault_in_bfloat16),
        cmocka_unit_test(test_gate_is_obeyed),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

/*
 * The stages from end to end on a small desk: same bytes for any number of
 * threads, a resumed run is the uninterrupted one, the reference stays what
 * it was, and what goes wrong is said.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "desk.h"
#include "model/checkpoint.h"
#include "rlhf/scorer.h"
#include "rlhf/trainer.h"
#include "world/desk.h"

static struct err err;
static struct desk shared; // SFT and reward model, for tests that need no more

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* What the stages leave behind and must not depend on threads or kills. */
static const char *const product[] = {
    "sft/metrics.jsonl",
    "sft/result.json",
    "sft/checkpoints/000010/model.safetensors",
    "sft/checkpoints/000010/trainer.safetensors",
    "reward/metrics.jsonl",
    "reward/result.json",
    "reward/eval/heldout.json",
    "reward/checkpoints/000006/model.safetensors",
    "ppo/metrics.jsonl",
    "ppo/result.json",
    "ppo/rollouts/000001.jsonl.zst",
    "ppo/rollouts/000004.jsonl.zst",
    "ppo/checkpoints/000002/model.safetensors",
    "ppo/checkpoints/000004/model.safetensors",
    "ppo/checkpoints/000004/trainer.safetensors",
};
#define PRODUCTS (sizeof product / sizeof *product)

static void run_ppo(struct desk *d, const char *name, enum run_mode mode)
{
    struct ppo_config c = desk_ppo(d);
    struct stage stage = desk_stage(d, name, mode);
    must(ppo_run(&c, &stage, NULL, &err));
}

static void hash_products(char out[PRODUCTS][65], const struct desk *d)
{
    for (size_t i = 0; i < PRODUCTS; i++)
        desk_hash(out[i], d, product[i]);
}

static void run_all(char out[PRODUCTS][65], size_t threads, int precision)
{
    struct desk d;
    desk_open(&d, threads);
    d.precision = precision;
    desk_prepare(&d);
    run_ppo(&d, "ppo", RUN_NEW);
    hash_products(out, &d);
    desk_close(&d);
}

static void test_threads(void **state)
{
    static char hash[2][2][PRODUCTS][65];
    static const int precision[] = {MODEL_F32, MODEL_F32_BY_BF16};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        run_all(hash[k][0], 1, precision[k]);
        run_all(hash[k][1], 2, precision[k]);
        for (size_t i = 0; i < PRODUCTS; i++)
            if (strcmp(hash[k][0][i], hash[k][1][i]) != 0)
                fail_msg("%s differs between 1 and 2 threads (precision %d)",
                         product[i], precision[k]);
    }
    for (size_t i = 0; i < PRODUCTS; i++)
        if (strstr(product[i], "safetensors") != NULL &&
            strcmp(hash[0][0][i], hash[1][0][i]) == 0)
            fail_msg("%s is the same with products in bfloat16", product[i]);
}

/* Asks to stop once `left` iterations or steps have been reported. */
struct stopper {
    volatile sig_atomic_t stop;
    int left;
};

static void count_down(void *ctx, const struct event *event)
{
    struct stopper *s = ctx;
    if (event->kind == EVENT_PROGRESS && --s->left == 0)
        s->stop = 1;
}

static void stop_and_resume(int precision)
{
    char whole[PRODUCTS][65], pieces[PRODUCTS][65];
    struct desk d;
    run_all(whole, 2, precision);
    desk_open(&d, 2);
    d.precision = precision;
    /* Of 10 steps, attempts end after 1, 3 and 4 more; the last goes on. */
    static const int lefts[] = {1, 3, 4, 1000};
    for (size_t i = 0; i < 4; i++) {
        struct stopper s = {.left = lefts[i]};
        d.context.sink = count_down;
        d.context.sink_ctx = &s;
        d.context.stop = &s.stop;
        struct sft_config sft = desk_sft(&d);
        struct stage stage = desk_stage(&d, "sft", RUN_RESUME);
        enum status status = sft_run(&sft, &stage, &err);
        assert_int_equal(status, i == 3 ? OK : ERR_STOPPED);
    }
    d.context.sink = NULL;
    d.context.stop = NULL;
    struct reward_config reward = desk_reward(&d);
    struct stage stage = desk_stage(&d, "reward", RUN_NEW);
    must(reward_model_run(&reward, &stage, &err));
    for (int left = 1; left <= 3; left++) {
        struct stopper s = {.left = left == 3 ? 1000 : left};
        d.context.sink = count_down;
        d.context.sink_ctx = &s;
        d.context.stop = &s.stop;
        struct ppo_config c = desk_ppo(&d);
        stage = desk_stage(&d, "ppo", RUN_RESUME);
        enum status status = ppo_run(&c, &stage, NULL, &err);
        assert_int_equal(status, left == 3 ? OK : ERR_STOPPED);
    }
    hash_products(pieces, &d);
    for (size_t i = 0; i < PRODUCTS; i++) {
        /* Stopping saved checkpoints the whole run has not; the ones both
         * have must agree. */
        if (strcmp(whole[i], pieces[i]) != 0)
            fail_msg("%s differs after stopping and resuming", product[i]);
    }
    desk_close(&d);
}

static void test_stop_and_resume(void **state)
{
    (void)state;
    stop_and_resume(MODEL_F32);
    stop_and_resume(MODEL_F32_BY_BF16);
}

/* The policy moves, the reference's file and the log-probs of the next run
 * against it do not. */
static void test_reference_is_frozen(void **state)
{
    struct desk d = shared;
    struct model reference, policy;
    char before[65], after[65], path[FILE_PATH_MAX];
    (void)state;
    must(run_find_model(path, desk_path(&d, "sft"), NULL, &err));
    char file[FILE_PATH_MAX];
    must(file_join(file, path, "model.safetensors", &err));
    must(file_hash(before, file, &err));
    run_ppo(&d, "ppo", RUN_OVERWRITE);
    must(file_hash(after, file, &err));
    assert_string_equal(before, after);
    must(checkpoint_read(&reference, path, HEAD_LM, &err));
    must(run_find_model(path, desk_path(&d, "ppo"), NULL, &err));
    must(checkpoint_read(&policy, path, HEAD_LM, &err));
    double moved = 0;
    for (size_t i = 0; i < params_count(&policy.config); i++)
        moved += fabs((double)policy.params[i] - (double)reference.params[i]);
    assert_true(moved > 0);
    model_free(&reference);
    model_free(&policy);

    /* In the first iteration policy and reference agree to the bit; later
     * they do not: were they one buffer, the KL would stay 0. */
    struct run_table t;
    must(run_table_read(&t, desk_path(&d, "ppo/metrics.jsonl"), &err));
    size_t kl = run_table_find(&t, "kl/sequence");
    size_t step = run_table_find(&t, "kl/step");
    assert_true(kl != SIZE_MAX && step != SIZE_MAX);
    assert_true(t.value[kl] == 0);
    assert_true(t.value[step] == 0);
    for (size_t i = 1; i < t.n; i++) {
        assert_true(t.value[i * t.columns + kl] > 0);
        assert_true(t.value[i * t.columns + step] > 0);
    }
    run_table_free(&t);
}

static void read_policy(struct model *out, const struct desk *d,
                        const char *name)
{
    char path[FILE_PATH_MAX];
    must(run_find_model(path, desk_path(d, name), NULL, &err));
    must(checkpoint_read(out, path, HEAD_LM, &err));
}

/* One epoch, one minibatch, no clip: the clipped surrogate's gradient at
 * ratio 1 is the plain policy gradient's. */
static void test_unclipped_is_policy_gradient(void **state)
{
    struct desk d = shared;
    struct model clip, pg, start;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = c.epochs = c.minibatches = 1;
    c.loss.clip_low = c.loss.clip_high = (double)INFINITY;
    /* Plain SGD in disguise: with eps huge, AdamW's step is lr/eps * g. */
    c.optimizer.eps = 1e6;
    c.optimizer.lr = 1e6;
    c.optimizer.clip = 0;
    struct stage stage = desk_stage(&d, "clip", RUN_OVERWRITE);
    must(ppo_run(&c, &stage, NULL, &err));
    c.loss.objective = OBJECTIVE_PG;
    stage = desk_stage(&d, "pg", RUN_OVERWRITE);
    must(ppo_run(&c, &stage, NULL, &err));
    read_policy(&clip, &d, "clip");
    read_policy(&pg, &d, "pg");
    read_policy(&start, &d, "sft");
    double difference = 0, moved = 0;
    for (size_t i = 0; i < params_count(&pg.config); i++) {
        double a = (double)clip.params[i] - (double)start.params[i];
        double b = (double)pg.params[i] - (double)start.params[i];
        difference += (a - b) * (a - b);
        moved += b * b;
    }
    assert_true(moved > 0);
    /* Ratios are within 1e-5 of 1, so gradients within 1e-5 of each other,
     * and both differences carry the rounding of params near 1. */
    assert_true(sqrt(difference / moved) < 1e-3);
    model_free(&clip);
    model_free(&pg);
    model_free(&start);
}

/* The same batch in 1 or 8 pieces is the same gradient up to rounding. */
static void test_shards(void **state)
{
    struct model one, many, start;
    struct desk d;
    (void)state;
    desk_open(&d, 1);
    struct sft_config c = desk_sft(&d);
    c.epochs = 1;
    c.batch = 80;
    c.optimizer = (struct optimizer_config){
        .lr = 1e3, .beta1 = 0, .beta2 = 0, .eps = 1e6};
    d.shards = 1;
    struct stage stage = desk_stage(&d, "one", RUN_NEW);
    must(sft_run(&c, &stage, &err));
    d.shards = 8;
    stage = desk_stage(&d, "many", RUN_NEW);
    must(sft_run(&c, &stage, &err));
    c.optimizer.lr = 0;
    stage = desk_stage(&d, "start", RUN_NEW);
    must(sft_run(&c, &stage, &err));
    read_policy(&one, &d, "one");
    read_policy(&many, &d, "many");
    read_policy(&start, &d, "start");
    double difference = 0, moved = 0;
    for (size_t i = 0; i < params_count(&one.config); i++) {
        double a = (double)one.params[i] - (double)start.params[i];
        double b = (double)many.params[i] - (double)start.params[i];
        difference += (a - b) * (a - b);
        moved += a * a;
    }
    assert_true(moved > 0);
    assert_true(sqrt(difference / moved) < 1e-3);
    model_free(&one);
    model_free(&many);
    model_free(&start);
    desk_close(&d);
}

/* Numbers gone bad stop the run with step, tensor and last checkpoint. */
static void test_not_a_number(void **state)
{
    struct desk d;
    (void)state;
    desk_open(&d, 1);
    struct sft_config c = desk_sft(&d);
    c.save_every = 1;
    c.optimizer.warmup = 0;
    c.optimizer.clip = 0;
    c.optimizer.lr = 1e30;
    struct stage stage = desk_stage(&d, "sft", RUN_NEW);
    assert_int_equal(sft_run(&c, &stage, &err), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "step "));
    assert_non_null(strstr(err.text, "last good checkpoint: 1"));
    assert_non_null(strstr(err.text, "not finite"));
    assert_non_null(strstr(err.text, "model."));
    desk_close(&d);
}

/* An iteration whose sampler and trainer disagree does not train. */
static void test_ratio_gate(void **state)
{
    struct desk d = shared;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.ratio_gate = 1e-12;
    struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
    assert_int_equal(ppo_run(&c, &stage, NULL, &err), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "training and sampling disagree"));
}

/* A KL budget ends the run at the iteration that exceeds it. */
static void test_kl_budget(void **state)
{
    struct desk d = shared;
    struct json *json;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.kl.budget = 1e-12;
    struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
    must(ppo_run(&c, &stage, NULL, &err));
    must(json_read(&json, desk_path(&d, "ppo/result.json"), 1 << 20, &err));
    assert_string_equal(json_text(json_get(json, "ended"), ""), "kl_budget");
    assert_int_equal(json_int(json_get(json, "steps"), 0), 2);
    json_free(json);
}

/* Killed between the last checkpoint and result.json, a run over its budget
 * is finished and not trained on. */
static void test_kl_budget_survives_a_kill(void **state)
{
    struct desk d = shared;
    char whole[65], resumed[65];
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.kl.budget = 1e-12;
    struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
    must(ppo_run(&c, &stage, NULL, &err));
    desk_hash(whole, &d, "ppo/result.json");
    must(file_remove(desk_path(&d, "ppo/result.json"), &err));
    stage = desk_stage(&d, "ppo", RUN_RESUME);
    must(ppo_run(&c, &stage, NULL, &err));
    desk_hash(resumed, &d, "ppo/result.json");
    assert_string_equal(whole, resumed);
}

/* The last value of a column of ppo/metrics.jsonl. */
static double last_metric(const struct desk *d, const char *name)
{
    struct run_table t;
    must(run_table_read(&t, desk_path(d, "ppo/metrics.jsonl"), &err));
    size_t column = run_table_find(&t, name);
    if (column == SIZE_MAX)
        fail_msg("no metric %s", name);
    double x = t.value[(t.n - 1) * t.columns + column];
    run_table_free(&t);
    return x;
}

/* A bound that every estimate exceeds is met by every token: once with the
 * rollout when it acts in the reward, at every visit of an update when it acts
 * in the loss. */
static void test_clamped_estimates_are_counted(void **state)
{
    static const int modes[] = {KL_K1_REWARD, KL_K2_LOSS};
    struct desk d = shared;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ppo_config c = desk_ppo(&d);
        c.iterations = 2;
        c.kl.mode = modes[i];
        c.kl.clamp = 1e-30;
        struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
        must(ppo_run(&c, &stage, NULL, &err));
        double tokens = last_metric(&d, "response/length") * (double)c.batch;
        double visits = i == 0 ? 1 : (double)c.epochs;
        double clamped = last_metric(&d, "kl/clamped");
        /* A token may happen to have the very same probability twice. */
        assert_true(clamped <= tokens * visits + 0.5);
        assert_true(clamped >= 0.9 * tokens * visits);
        assert_true(last_metric(&d, "ratio/exponent_clamped") == 0);
        assert_true(last_metric(&d, "ratio/first_error") <= 1e-4);
    }
}

/* A bound no score can keep is met by all of them, and nothing but it is paid;
 * without one none is counted. */
static void test_clipped_scores_are_counted(void **state)
{
    struct desk d = shared;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ppo_config c = desk_ppo(&d);
        c.iterations = 1;
        c.score_clip = i == 0 ? 0 : 1e-9;
        struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
        must(ppo_run(&c, &stage, NULL, &err));
        assert_true(last_metric(&d, "score/clipped") == (double)i * 8);
        assert_true((fabs(last_metric(&d, "objective/scores")) <= 1e-9) ==
                    (i == 1));
    }
}

/* The deviation of advantages is reported whether or not it is divided by. */
static void test_advantage_deviation(void **state)
{
    struct desk d = shared;
    double sd[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ppo_config c = desk_ppo(&d);
        c.iterations = 1;
        c.advantage.whiten = i == 0 ? WHITEN_UNBIASED : WHITEN_OFF;
        struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
        must(ppo_run(&c, &stage, NULL, &err));
        sd[i] = last_metric(&d, "advantage/sd");
    }
    assert_true(sd[0] > 0 && sd[0] != 1);
    assert_true(sd[0] == sd[1]);
}

/* A reward model gone bad stops the run, also where scores are bounded: a
 * bound would make an ordinary number of it. */
static void test_score_not_a_number(void **state)
{
    struct desk d = shared;
    struct model m;
    char path[FILE_PATH_MAX];
    static const int32_t token[] = {DESK_CUST, DESK_AGENT, DESK_EOS};
    const struct sequence seq = {token, 2, token + 2, 1};
    double score;
    (void)state;
    must(run_find_model(path, desk_path(&d, "reward"), NULL, &err));
    must(checkpoint_read(&m, path, HEAD_SCORE, &err));
    must(scorer_score(&score, &m, &seq, 1, &d.context, &err));
    m.params[params_offset(&m.config, PARAM_SCORE, 0)] = NAN;
    assert_int_equal(scorer_score(&score, &m, &seq, 1, &d.context, &err),
                     ERR_NUMERIC);
    assert_non_null(strstr(err.text, "score of response 0"));
    model_free(&m);
}

/* More held-out records than one group of validation holds, in batches larger
 * than it. */
static void test_large_batches_are_validated(void **state)
{
    struct desk d;
    struct json *json;
    (void)state;
    desk_open(&d, 2);
    must(desk_write_demos(desk_path(&d, "demos.jsonl"), 1300, 1, &err));
    struct sft_config c = desk_sft(&d);
    c.epochs = 1;
    c.batch = 600;
    c.holdout = 0.5;
    struct stage stage = desk_stage(&d, "sft", RUN_NEW);
    must(sft_run(&c, &stage, &err));
    must(json_read(&json, desk_path(&d, "sft/result.json"), 1 << 20, &err));
    assert_int_equal(json_int(json_get(json, "heldout_records"), 0), 650);
    /* After one update it still says little more than "any of 413 words". */
    double loss = json_number(json_get(json, "heldout_loss"), 0);
    assert_true(loss > 0.5 * log(413) && loss < 2 * log(413));
    json_free(json);
    desk_close(&d);
}

/* An adaptive coefficient without a target is refused, not divided by; so is
 * a dual clip that would stop learning from every bad response. */
static void test_settings_that_contradict(void **state)
{
    struct desk d = shared;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.kl.control = KL_ADAPTIVE;
    struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
    assert_int_equal(ppo_run(&c, &stage, NULL, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.kl_target"));
    c = desk_ppo(&d);
    c.loss.dual_clip = 1;
    assert_int_equal(ppo_run(&c, &stage, NULL, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.dual_clip"));
}

/* Every score position, aggregation and KL mode trains and stays finite. */
static void test_every_mode(void **state)
{
    struct desk d = shared;
    (void)state;
    for (int mode = 0; mode < 6; mode++) {
        struct ppo_config c = desk_ppo(&d);
        c.iterations = 2;
        c.kl.mode = mode;
        c.kl.control = mode % 2;
        c.kl.target = 6;
        c.kl.horizon = 1000;
        c.kl.max_error = 0.2;
        c.loss.aggregation = mode % 5;
        c.loss.entropy_coef = 0.01;
        c.loss.dual_clip = 3;
        c.advantage.score_position = mode % 3;
        c.advantage.whiten_reward = mode % 2;
        c.value_init_reward = mode % 2 == 0;
        struct stage stage = desk_stage(&d, "ppo", RUN_OVERWRITE);
        must(ppo_run(&c, &stage, NULL, &err));
        struct run_table t;
        must(run_table_read(&t, desk_path(&d, "ppo/metrics.jsonl"), &err));
        assert_int_equal(t.n, 2);
        size_t loss = run_table_find(&t, "loss/policy_avg");
        assert_true(isfinite(t.value[t.columns + loss]));
        size_t beta = run_table_find(&t, "kl/beta");
        /* KL far below its target of 6: the controller lowers beta by
         * 0.2 * 8 / 1000. */
        double expected = mode % 2 == KL_ADAPTIVE ? 0.05 * (1 - 0.0016) : 0.05;
        assert_true(fabs(t.value[t.columns + beta] - expected) < 1e-12);
        run_table_free(&t);
    }
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
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_stop_and_resume),
        cmocka_unit_test(test_reference_is_frozen),
        cmocka_unit_test(test_unclipped_is_policy_gradient),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_ratio_gate),
        cmocka_unit_test(test_kl_budget),
        cmocka_unit_test(test_kl_budget_survives_a_kill),
        cmocka_unit_test(test_clamped_estimates_are_counted),
        cmocka_unit_test(test_clipped_scores_are_counted),
        cmocka_unit_test(test_advantage_deviation),
        cmocka_unit_test(test_score_not_a_number),
        cmocka_unit_test(test_large_batches_are_validated),
        cmocka_unit_test(test_settings_that_contradict),
        cmocka_unit_test(test_every_mode),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

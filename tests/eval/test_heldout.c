/*
 * The whole evaluation on a small trained desk: files that agree with each
 * other and with models read again, and the same bytes for any thread count.
 */
#include "eval/heldout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "desk.h"
#include "files.h"
#include "io/dataset.h"
#include "rlhf/scorer.h"
#include "stat/measures.h"
#include "turned.h"
#include "world/desk.h"

enum {
    PROMPTS = 10,
    SAMPLES = 2,
    MAX_NEW = 20
};

static struct err err;
static struct desk shared; // trained once with two threads, for every test

static void must(enum status status)
{
    files_must(status, &err);
}

static const char *const product[] = {"eval/settings.json",
                                      "eval/samples.jsonl",
                                      "eval/serving.jsonl",
                                      "eval/curve.json",
                                      "eval/checkpoints/000003.jsonl",
                                      "eval/heldout.json"};
#define PRODUCTS (sizeof product / sizeof *product)

/* SFT, reward model, three iterations of PPO, each with a checkpoint. */
static void prepare(struct desk *d, size_t threads)
{
    desk_open(d, threads);
    desk_prepare(d);
    struct ppo_config c = desk_ppo(d);
    c.iterations = 3;
    c.save_every = 1;
    struct stage stage = desk_stage(d, "ppo", RUN_NEW);
    must(ppo_run(&c, &stage, NULL, &err));
    must(desk_write_prompts(desk_path(d, "heldout.jsonl"), TICKET_HELDOUT,
                            PROMPTS + 2, 1, &err));
}

static struct heldout_config config(const struct desk *d)
{
    return (struct heldout_config){
        .project = d->dir,
        .policy = desk_path(d, "ppo"),
        .reference = desk_path(d, "sft"),
        .reward_model = desk_path(d, "reward"),
        .prompts = desk_path(d, "heldout.jsonl"),
        .run = desk_path(d, "ppo"),
        .n_prompts = PROMPTS,
        .samples = SAMPLES,
        .curve_samples = true,
        .max_new = MAX_NEW,
        .temperature = 0.7,
        .top_p = 0.9,
        .seed = 5,
    };
}

static void evaluate(struct desk *d)
{
    struct heldout_config c = config(d);
    must(heldout_sample(&c, &d->context, &err));
    c = config(d);
    must(heldout_curve(&c, &d->context, &err));
    must(heldout_summary(d->dir, &err));
}

static int open_shared(void **state)
{
    (void)state;
    prepare(&shared, 2);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

static void test_threads(void **state)
{
    (void)state;
    struct desk one;
    prepare(&one, 1);
    evaluate(&one);
    evaluate(&shared);
    for (size_t i = 0; i < PRODUCTS; i++) {
        char hash[2][65];
        desk_hash(hash[0], &one, product[i]);
        desk_hash(hash[1], &shared, product[i]);
        if (strcmp(hash[0], hash[1]) != 0)
            fail_msg("%s differs between 1 and 2 threads", product[i]);
    }
    desk_close(&one);
}

/* What the rows must satisfy by themselves. */
struct seen {
    size_t policy, reference, compared;
    double kl;
};

static enum status check_row(void *ctx, const struct json *row, size_t line,
                             struct err *e)
{
    struct seen *s = ctx;
    (void)line;
    (void)e;
    bool is_policy =
        strcmp(json_text(json_get(row, "which"), ""), "policy") == 0;
    size_t len = (size_t)json_int(json_get(row, "len"), -1);
    const struct json *pieces = json_get(row, "pieces");
    const struct json *kl = json_get(row, "kl");
    bool is_eos = json_bool(json_get(row, "is_eos"), false);
    assert_in_range(len, 1, MAX_NEW);
    assert_int_equal(json_size(json_get(row, "tokens")), len);
    assert_int_equal(json_size(pieces), len);
    s->policy += is_policy;
    s->reference += !is_policy;
    /* The pieces are the response, and the last of an ended one its end. */
    struct buf text;
    buf_init(&text, 1 << 16);
    for (size_t t = 0; t < len - (is_eos ? 1 : 0); t++)
        buf_puts(&text, json_text(json_at(pieces, t), ""));
    assert_string_equal(buf_text(&text),
                        json_text(json_get(row, "response"), "?"));
    if (is_eos)
        assert_string_equal(json_text(json_at(pieces, len - 1), ""), "<eos>");
    buf_free(&text);
    assert_int_equal(json_size(kl), is_policy ? len : 0);
    for (size_t t = 0; t < json_size(kl); t++) {
        double x = json_number(json_at(kl, t), -1);
        assert_true(x >= 0);
        s->kl += x;
        s->compared++;
    }
    assert_true(json_is_number(json_get(row, "gold")));
    assert_true(json_is_object(json_get(row, "ticket")));
    return OK;
}

static const struct json *need(const struct json *doc, const char *key)
{
    const struct json *node = json_get(doc, key);
    if (node == NULL)
        fail_msg("heldout.json lacks \"%s\"", key);
    return node;
}

static void test_files_agree(void **state)
{
    (void)state;
    struct desk d = shared;
    evaluate(&d);
    struct seen seen = {0};
    must(jsonl_read(desk_path(&d, "eval/samples.jsonl"), check_row, &seen,
                    &err));
    assert_int_equal(seen.policy, PROMPTS * SAMPLES);
    assert_int_equal(seen.reference, PROMPTS * SAMPLES);
    /* Training moved the policy: were policy and reference one model, every
     * KL would be 0. */
    assert_true(seen.kl > 0);

    struct json *doc;
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    static const char *const measure[] = {
        "rm_delta",     "gold_delta",       "rm_win_rate", "gold_win_rate",
        "length_ratio", "repetition_delta", "kl_trend",    "kl_per_token"};
    for (size_t i = 0; i < sizeof measure / sizeof *measure; i++) {
        const struct json *node = need(doc, measure[i]);
        double low = json_number(json_get(node, "low"), (double)NAN);
        double high = json_number(json_get(node, "high"), (double)NAN);
        double x = json_number(json_get(node, "estimate"), (double)NAN);
        if (!(low <= x && x <= high))
            fail_msg("%s: %g is not in [%g, %g]", measure[i], x, low, high);
    }
    files_near(json_number(json_get(need(doc, "kl_per_token"), "estimate"), 0),
               seen.kl / (double)seen.compared, 1e-12);
    const struct json *list = need(doc, "kl_sequence");
    assert_int_equal(json_size(list), 4); // iterations 0, 1, 2, 3
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_int(json_get(json_at(list, i), "iteration"), -1),
                         i);
    files_near(json_number(json_get(json_at(list, 0), "estimate"), -1), 0, 0);
    assert_true(json_number(json_get(json_at(list, 3), "estimate"), -1) > 0);
    assert_true(json_is_null(need(doc, "panel")));
    assert_true(json_is_object(need(doc, "serving")));
    const struct json *observations = need(doc, "observations");
    assert_int_equal(json_size(observations), 4);
    /* The project's place on disk is in no file. */
    struct buf text;
    buf_init(&text, 1 << 24);
    must(file_read(&text, desk_path(&d, "eval/heldout.json"), &err));
    assert_null(strstr(buf_text(&text), d.dir));
    buf_clear(&text);
    heldout_table(&text, doc);
    assert_non_null(strstr(buf_text(&text), "reward up"));
    buf_free(&text);
    json_free(doc);
}

/* The reward model's own held-out pairs come along when they are about the
 * checkpoint that scored here, and not when about another. */
static void test_reward_heldout(void **state)
{
    (void)state;
    struct desk d = shared;
    struct json *doc;
    struct buf own;
    struct buf carried;
    struct buf other;
    const char *path;
    buf_init(&own, 1 << 20);
    buf_init(&carried, 1 << 20);
    buf_init(&other, 1 << 20);
    evaluate(&d);
    path = desk_path(&d, "reward/eval/heldout.json");
    must(json_read(&doc, path, 1 << 20, &err));
    json_dump(&own, doc);
    json_free(doc);
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    json_dump(&carried, json_get(doc, "reward_heldout"));
    assert_true(own.len > 100);
    assert_string_equal(buf_text(&own), buf_text(&carried));
    buf_clear(&other);
    heldout_table(&other, doc);
    assert_non_null(strstr(buf_text(&other), "guessing"));
    json_free(doc);
    const char *step = strstr(buf_text(&own), "\"step\":6");
    assert_non_null(step);
    buf_clear(&other);
    buf_append(&other, own.data, (size_t)(step - buf_text(&own)));
    buf_puts(&other, "\"step\":4");
    buf_puts(&other, step + strlen("\"step\":6"));
    path = desk_path(&d, "reward/eval/heldout.json");
    must(file_write(path, other.data, other.len, &err));
    must(heldout_summary(d.dir, &err));
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    assert_true(json_is_null(need(doc, "reward_heldout")));
    json_free(doc);
    path = desk_path(&d, "reward/eval/heldout.json");
    must(file_write(path, own.data, own.len, &err));
    must(heldout_summary(d.dir, &err));
    buf_free(&own);
    buf_free(&carried);
    buf_free(&other);
}

/* The prompts as anybody has them: no tickets to judge by. */
static void write_plain_prompts(const struct desk *d)
{
    struct dataset data;
    struct buf text;
    must(dataset_read(&data, desk_path(d, "heldout.jsonl"), DATASET_PROMPTS,
                      &err));
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < data.n; i++) {
        struct record r = {.id = data.record[i].id,
                           .prompt = data.record[i].prompt};
        dataset_write_record(&text, &r);
    }
    must(buf_status(&text, &err));
    must(file_write(desk_path(d, "plain.jsonl"), text.data, text.len, &err));
    buf_free(&text);
    dataset_free(&data);
}

static struct estimate estimate_of(const struct json *doc, const char *key)
{
    return measures_read_estimate(need(doc, key));
}

/* A run without a rubric, judged by a second reward model - here the first one
 * in a tokenizer of its own, which therefore must agree with it on all. */
static void test_weak_gold(void **state)
{
    (void)state;
    struct desk d = shared;
    struct heldout_config c = config(&d);
    struct json *doc;
    turned_write(&d, "reward", "turned", NULL);
    write_plain_prompts(&d);
    c = config(&d);
    c.prompts = desk_path(&d, "plain.jsonl");
    c.gold_model = desk_path(&d, "turned");
    c.gold_is_disjoint = true;
    must(heldout_sample(&c, &d.context, &err));
    must(heldout_curve(&c, &d.context, &err));
    must(heldout_summary(d.dir, &err));
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    const struct json *weak = need(doc, "weak_gold");
    assert_string_equal(json_text(json_get(weak, "label"), ""),
                        HELDOUT_WEAK_GOLD);
    assert_string_equal(json_text(json_get(weak, "model"), ""), "turned");
    struct estimate rm = estimate_of(doc, "rm_win_rate");
    struct estimate gold = estimate_of(weak, "win_rate");
    assert_true(rm.estimate == gold.estimate && rm.low == gold.low);
    files_near(estimate_of(weak, "correlation").estimate, 1, 1e-12);
    files_near(estimate_of(weak, "correlation_policy").estimate, 1, 1e-12);
    /* Its unit is the reference's samples. */
    files_near(estimate_of(weak, "reference").estimate, 0, 1e-12);
    files_near(estimate_of(weak, "delta").estimate,
               estimate_of(weak, "policy").estimate, 1e-12);
    /* What of the prompts' file was read, in the reader's words. */
    const struct json *read = need(doc, "data");
    assert_string_equal(json_text(json_get(read, "chat_template"), ""),
                        "support");
    assert_true(json_int(json_get(read, "read"), -1) >= PROMPTS);
    assert_int_equal(json_int(json_get(read, "skipped_too_long"), -1), 0);
    /* Nothing stands for the rubric that is not there. */
    assert_int_equal(estimate_of(doc, "gold_win_rate").n, 0);
    assert_string_equal(json_text(need(doc, "human_down_from"), ""),
                        "weak gold");
    assert_true(json_is_object(need(need(doc, "serving"), "weak_gold")));
    struct buf text;
    buf_init(&text, 1 << 20);
    heldout_table(&text, doc);
    assert_non_null(strstr(buf_text(&text), HELDOUT_WEAK_GOLD));
    assert_null(strstr(buf_text(&text), "gold prefers the policy\n"));
    json_free(doc);
    must(json_read(&doc, desk_path(&d, "eval/curve.json"), 1 << 24, &err));
    const struct json *point = json_at(need(doc, "checkpoints"), 3);
    assert_int_equal(estimate_of(point, "weak_gold").n, PROMPTS);
    json_free(doc);
    buf_free(&text);
    c = config(&d);
    c.gold_model = c.reward_model;
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_ARG);
    evaluate(&d);
}

/* Runs with adapters end in merged/, which knows neither PPO's unit of reward
 * nor the reward model's held-out pairs; their runs do. */
static void test_adapters(void **state)
{
    (void)state;
    struct desk d = shared;
    const struct adapter_config adapter = {
        .rank = 2, .alpha = 4, .targets = "all-linear"};
    struct json *doc;
    struct reward_config reward = desk_reward(&d);
    reward.adapter = adapter;
    struct stage stage = desk_stage(&d, "reward-lora", RUN_NEW);
    must(reward_model_run(&reward, &stage, &err));
    struct ppo_config ppo = desk_ppo(&d);
    ppo.adapter = adapter;
    ppo.iterations = 2;
    ppo.save_every = 1;
    ppo.reward_model = desk_path(&d, "reward-lora");
    stage = desk_stage(&d, "ppo-lora", RUN_NEW);
    must(ppo_run(&ppo, &stage, NULL, &err));
    struct heldout_config c = config(&d);
    c.reward_model = desk_path(&d, "reward-lora");
    c.policy = c.run = desk_path(&d, "ppo-lora");
    must(heldout_sample(&c, &d.context, &err));
    must(heldout_curve(&c, &d.context, &err));
    must(heldout_summary(d.dir, &err));
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    assert_string_equal(json_text(need(doc, "policy"), ""), "ppo-lora/merged");
    assert_string_equal(
        json_text(json_get(need(doc, "score_scale"), "from"), ""),
        "the policy's training run");
    assert_true(json_is_object(need(doc, "reward_heldout")));
    assert_int_equal(json_size(need(doc, "kl_sequence")), 3);
    json_free(doc);
    evaluate(&d);
}

/* Iteration 0 is what the run began with, also where the reference is another
 * model; then it is apart from the reference already. */
static void test_curve_starts_at_the_start(void **state)
{
    (void)state;
    struct desk d = shared;
    char own[65], named[65];
    struct json *doc;
    evaluate(&d);
    desk_hash(own, &d, "eval/curve.json");
    struct heldout_config c = config(&d);
    c.start = desk_path(&d, "sft");
    must(heldout_curve(&c, &d.context, &err));
    desk_hash(named, &d, "eval/curve.json");
    assert_string_equal(own, named);
    c = config(&d);
    c.start = desk_path(&d, "ppo/checkpoints/000001");
    must(heldout_curve(&c, &d.context, &err));
    must(json_read(&doc, desk_path(&d, "eval/curve.json"), 1 << 24, &err));
    const struct json *list = need(doc, "checkpoints");
    struct estimate first = estimate_of(json_at(list, 0), "kl_sequence");
    struct estimate second = estimate_of(json_at(list, 1), "kl_sequence");
    assert_true(first.estimate > 0 && first.estimate == second.estimate);
    json_free(doc);
    evaluate(&d);
}

/* Every allocation of the summary in turn is refused; the document that is
 * there stays whole.  Strides grow: there are thousands. */
static void test_memory(void **state)
{
    (void)state;
    struct desk d = shared;
    char before[65];
    char after[65];
    enum status status = ERR_MEMORY;
    long refused = 0;
    desk_hash(before, &d, "eval/heldout.json");
    for (long at = 0; status != OK; at += 1 + at / 8) {
        mem_fail_at(at);
        status = heldout_summary(d.dir, &err);
        bool is_reached = mem_count() > at;
        mem_fail_at(-1);
        if (is_reached)
            assert_int_equal(status, ERR_MEMORY);
        refused += is_reached;
        desk_hash(after, &d, "eval/heldout.json");
        assert_string_equal(after, before);
    }
    assert_true(refused > 30);
}

/* A policy that is the reference: same prompts, other draws, no drift. */
static void test_reference_as_policy(void **state)
{
    (void)state;
    struct desk d = shared;
    must(file_remove(desk_path(&d, "eval"), &err));
    struct heldout_config c = config(&d);
    c.policy = c.reference;
    c.run = NULL;
    c.temperature = c.top_p = 1;
    must(heldout_sample(&c, &d.context, &err));
    must(heldout_summary(d.dir, &err));
    struct json *doc;
    must(json_read(&doc, desk_path(&d, "eval/heldout.json"), 1 << 24, &err));
    const struct json *kl = need(doc, "kl_sequence_final");
    files_near(json_number(json_get(kl, "high"), -1), 0, 0);
    assert_int_equal(json_size(need(doc, "kl_sequence")), 0);
    assert_true(json_is_null(json_get(need(doc, "kl_trend"), "estimate")));
    assert_true(json_is_null(json_get(need(doc, "observations"), "kl_up")));
    assert_true(json_is_null(need(doc, "serving")));
    assert_false(file_exists(desk_path(&d, "eval/serving.jsonl")));
    /* No PPO recorded a scale, so it is the reference's own: its scores have
     * mean 0 in it. */
    files_near(json_number(json_get(need(doc, "rm_reference"), "estimate"), 1),
               0, 1e-12);
    json_free(doc);
}

/* The unit of reward that settings.json records. */
static struct score_scale recorded_scale(const struct desk *d)
{
    struct json *json;
    must(json_read(&json, desk_path(d, "eval/settings.json"), 1 << 20, &err));
    const struct json *scale = json_get(json, "score_scale");
    struct score_scale s = {json_number(json_get(scale, "mean"), (double)NAN),
                            json_number(json_get(scale, "sd"), (double)NAN)};
    json_free(json);
    return s;
}

/* Every checkpoint of a run is measured in the run's unit of reward, not only
 * the newest. */
static void test_scale_of_every_checkpoint(void **state)
{
    (void)state;
    struct desk d = shared;
    struct heldout_config c = config(&d);
    c.temperature = c.top_p = 1;
    must(heldout_sample(&c, &d.context, &err));
    struct score_scale last = recorded_scale(&d);
    c = config(&d);
    c.policy = desk_path(&d, "ppo/checkpoints/000001");
    c.temperature = c.top_p = 1;
    must(heldout_sample(&c, &d.context, &err));
    struct score_scale first = recorded_scale(&d);
    assert_true(last.sd > 0);
    files_near(first.mean, last.mean, 0);
    files_near(first.sd, last.sd, 0);
}

/* An evaluation that is stopped leaves the earlier one whole. */
static void test_stop_leaves_the_earlier_one(void **state)
{
    (void)state;
    struct desk d = shared;
    char before[PRODUCTS][65];
    char after[65];
    volatile sig_atomic_t stop = 1;
    evaluate(&d);
    for (size_t i = 0; i < PRODUCTS; i++)
        desk_hash(before[i], &d, product[i]);
    d.context.stop = &stop;
    struct heldout_config c = config(&d);
    c.seed++;
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_STOPPED);
    assert_int_equal(heldout_curve(&c, &d.context, &err), ERR_STOPPED);
    for (size_t i = 0; i < PRODUCTS; i++) {
        desk_hash(after, &d, product[i]);
        assert_string_equal(after, before[i]);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct desk d = shared;
    must(file_remove(desk_path(&d, "eval"), &err));
    assert_int_equal(heldout_summary(d.dir, &err), ERR_MISSING);
    struct heldout_config c = config(&d);
    c.n_prompts = PROMPTS + 3;
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_FORMAT);
    c = config(&d);
    c.max_new = 128;
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_ARG);
    c = config(&d);
    c.reward_model = desk_path(&d, "nowhere");
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_MISSING);
    /* A curve needs the unit of reward the samples settled on. */
    c = config(&d);
    assert_int_equal(heldout_curve(&c, &d.context, &err), ERR_MISSING);
    volatile sig_atomic_t stop = 1;
    d.context.stop = &stop;
    c = config(&d);
    assert_int_equal(heldout_sample(&c, &d.context, &err), ERR_STOPPED);
    assert_false(file_exists(desk_path(&d, "eval/samples.jsonl")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_files_agree),
        cmocka_unit_test(test_reward_heldout),
        cmocka_unit_test(test_weak_gold),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_curve_starts_at_the_start),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_reference_as_policy),
        cmocka_unit_test(test_scale_of_every_checkpoint),
        cmocka_unit_test(test_stop_leaves_the_earlier_one),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

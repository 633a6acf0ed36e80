/*
 * Scores and length: the slope within prompts against hand and against what
 * was planted, and what reward.length_gain and reward.length_residual make of
 * a reward model.
 */
#include "rlhf/reward_length.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "desk.h"
#include "model/checkpoint.h"
#include "rlhf/near.h"
#include "rlhf/reward_reader.h"

static struct err err;
static struct desk shared; // with an SFT model

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* ---- the slope ---------------------------------------------------------- */

/* Two prompts of two responses and one of three: within the first a token is
 * worth 1, within the second 2, the third's are of one length and tell
 * nothing; that the second's scores are high and its responses short does not
 * matter. */
static void test_slope_by_hand(void **state)
{
    (void)state;
    static const size_t len[] = {10, 14, 1, 5, 7, 7, 7};
    static const double score[] = {0, 4, 100, 108, 3, -9, 6};
    size_t first[] = {0, 2, 4, 7};
    struct sequence seq[7] = {{0}};
    struct corpus c = {.seq = seq, .first = first, .n_record = 3, .n_seq = 7};
    for (size_t i = 0; i < 7; i++)
        seq[i].len_response = len[i];
    struct reward_length_slope s;
    must(reward_length_measure(&s, score, &c, 0, 3, &err));
    /* Deviations of length are -2, 2 in both: (8*1 + 8*2) / 16.  Residual
     * products are -4 and 4, and of 3 prompts and 7 rows the variance is
     * 3/2 * 6/5 (4^2 + 4^2) / 16^2. */
    assert_near(s.slope, 1.5, 1e-15);
    assert_near(s.se, sqrt(1.8 * 32) / 16, 1e-15);
    assert_true(reward_length_varies(&c, 0, 3));
    must(reward_length_measure(&s, score, &c, 0, 1, &err));
    assert_near(s.slope, 1, 1e-15);
    assert_true(isnan(s.se));
    must(reward_length_measure(&s, score, &c, 2, 3, &err));
    assert_true(isnan(s.slope));
    assert_false(reward_length_varies(&c, 2, 3));
    must(reward_length_measure(&s, score, &c, 1, 1, &err));
    assert_true(isnan(s.slope));
}

enum {
    PROMPTS = 400,
    K = 4
};

/* A planted slope is found, and its interval covers it as often as it says,
 * with errors that grow with length, as one shared by a prompt makes them. */
static void test_planted_slope(void **state)
{
    static struct sequence seq[PROMPTS * K];
    static double score[PROMPTS * K];
    size_t first[PROMPTS + 1];
    struct corpus c = {.seq = seq,
                       .first = first,
                       .n_record = PROMPTS,
                       .n_seq = (size_t)PROMPTS * K};
    const double slope = 0.03;
    int covered = 0;
    (void)state;
    for (uint32_t trial = 0; trial < 200; trial++) {
        struct rng r;
        rng_init(&r, 5, RNG_TEST, trial, 0);
        for (size_t i = 0; i < PROMPTS; i++) {
            /* Long prompts' responses score low: pooled, the slope is
             * negative. */
            double hard = rng_normal(&r);
            double own = 0.02 * rng_normal(&r);
            first[i] = i * K;
            for (size_t k = i * K; k < (i + 1) * K; k++) {
                double len = 60 + 20 * hard + 10 * rng_normal(&r);
                seq[k].len_response = len > 1 ? (size_t)len : 1;
                score[k] = -3 * hard +
                           (slope + own) * (double)seq[k].len_response +
                           0.5 * rng_normal(&r);
            }
        }
        first[PROMPTS] = c.n_seq;
        struct reward_length_slope s;
        must(reward_length_measure(&s, score, &c, 0, PROMPTS, &err));
        covered += fabs(s.slope - slope) < 1.96 * s.se;
    }
    /* 190 of 200 are expected with a deviation of 3.1; 5 of them either way. */
    if (covered < 175)
        fail_msg("%d of 200 intervals cover the slope", covered);
}

/* ---- the stage ---------------------------------------------------------- */

/* Settings afresh, since desk_path() uses its buffers again. */
static void train(struct desk *d, const char *name, double gain,
                  bool is_residual, int64_t rank, enum run_mode mode)
{
    struct stage stage = desk_stage(d, name, mode);
    struct reward_config c = desk_reward(d);
    c.length_gain = gain;
    c.length_residual = is_residual;
    c.adapter = (struct adapter_config){.rank = rank, .alpha = 16};
    must(reward_model_run(&c, &stage, &err));
}

/* Score all rankings with a run's model; its tokens in len, its slope by
 * length in *gain. */
static size_t read_scores(double *score, struct corpus *corpus, double *gain,
                          struct desk *d, const char *name)
{
    struct reward_reader reader;
    struct dataset data;
    must(
        reward_reader_open(&reader, desk_path(d, name), NULL, MODEL_F32, &err));
    must(dataset_read(&data, desk_path(d, "rankings.jsonl"), DATASET_RANKINGS,
                      &err));
    must(reward_reader_encode(corpus, &reader, &data, &err));
    assert_true(corpus->n_seq <= 128);
    must(scorer_score(score, &reader.model, corpus->seq, corpus->n_seq,
                      &d->context, &err));
    *gain = reader.model.config.length.gain;
    dataset_free(&data);
    reward_reader_close(&reader);
    return corpus->n_seq;
}

/* Training is what it was; every reader's score has the slope. */
static void test_gain_is_read(void **state)
{
    (void)state;
    struct desk *d = &shared;
    struct corpus corpus;
    double plain[128], tilted[128], gain;
    char a[65], b[65];
    train(d, "plain", 0, false, 0, RUN_NEW);
    train(d, "tilted", 0.25, false, 0, RUN_NEW);
    desk_hash(a, d, "plain/checkpoints/000006/model.safetensors");
    desk_hash(b, d, "tilted/checkpoints/000006/model.safetensors");
    assert_string_equal(a, b);
    desk_hash(a, d, "plain/metrics.jsonl");
    desk_hash(b, d, "tilted/metrics.jsonl");
    assert_string_equal(a, b);
    read_scores(plain, &corpus, &gain, d, "plain");
    assert_near(gain, 0, 0);
    corpus_free(&corpus);
    size_t n = read_scores(tilted, &corpus, &gain, d, "tilted");
    assert_near(gain, 0.25, 0);
    for (size_t i = 0; i < n; i++)
        assert_near(tilted[i],
                    plain[i] + 0.25 * (double)corpus.seq[i].len_response, 0);
    corpus_free(&corpus);
    /* A fourth of a token is more than these models ever tell apart, so the
     * held-out pairs are ordered by length alone. */
    struct json *json;
    must(json_read(&json, desk_path(d, "tilted/result.json"), 1 << 20, &err));
    assert_near(json_number(json_get(json, "accuracy"), -1),
                json_number(json_get(json, "length_rule_accuracy"), -2), 0);
    assert_near(json_number(json_get(json, "length_gain"), 0), 0.25, 0);
    json_free(json);
}

/* What is left is no slope on the responses trained on, whatever was planted,
 * also by way of an adapter, and also when a run died before its result. */
static void test_residual(void **state)
{
    struct desk *d = &shared;
    struct corpus corpus;
    struct reward_length_slope slope;
    double score[128], gain, planted;
    char before[65], after[65], path[FILE_PATH_MAX];
    static const int64_t ranks[] = {0, 2};
    static const char *const name[][2] = {{"rest", "both"},
                                          {"rest_lora", "both_lora"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        train(d, name[i][0], 0, true, ranks[i], RUN_NEW);
        read_scores(score, &corpus, &gain, d, name[i][0]);
        /* 18 of the 24 are trained on.  Scores below 10 in float, of a
         * hundred tokens: deviations are rounded to 1e-6, and the slope, a
         * mean of them over tokens, to less. */
        must(reward_length_measure(&slope, score, &corpus, 0, 18, &err));
        assert_near(slope.slope, 0, 1e-6);
        assert_true(fabs(gain) > 1e-5);
        corpus_free(&corpus);

        train(d, name[i][1], 0.25, true, ranks[i], RUN_NEW);
        read_scores(score, &corpus, &planted, d, name[i][1]);
        corpus_free(&corpus);
        /* b + 1/4 is b to sixteen digits. */
        assert_near(planted, gain, 1e-15);

        const char *config = ranks[i] > 0 ? "base.json" : "config.json";
        assert_true(snprintf(path, sizeof path, "%s/checkpoints/000006/%s",
                             name[i][1], config) > 0);
        desk_hash(before, d, path);
        char result[FILE_PATH_MAX];
        assert_true(
            snprintf(result, sizeof result, "%s/result.json", name[i][1]) > 0);
        must(file_remove(desk_path(d, result), &err));
        train(d, name[i][1], 0.25, true, ranks[i], RUN_RESUME);
        desk_hash(after, d, path);
        assert_string_equal(before, after);
    }
}

static void test_added_to_a_head(void **state)
{
    (void)state;
    static const struct score_length gain = {.gain = -0.5};
    static const struct score_length target = {.target = 40};
    static const struct score_length both = {0.25, 40}, none = {0, 0};
    assert_near(score_length_add(&none, 3, 10), 3, 0);
    assert_near(score_length_add(&gain, 3, 10), -2, 0);
    assert_near(score_length_add(&target, 0, 40), 1, 0);
    assert_near(score_length_add(&target, 0, 30), 0.75, 0);
    assert_near(score_length_add(&target, 0, 50), 0.75, 0);
    assert_near(score_length_add(&target, 0, 120), -1, 0);
    assert_near(score_length_add(&both, 1, 20), 6.5, 0);
    assert_true(score_length_counts(&gain) && score_length_counts(&target));
    assert_false(score_length_counts(&none));
}

/* Nothing is trained, and nothing but length counts. */
static void test_length_only(void **state)
{
    (void)state;
    struct desk *d = &shared;
    struct corpus corpus;
    double score[128], gain;
    struct stage stage = desk_stage(d, "only", RUN_NEW);
    struct reward_config c = desk_reward(d);
    c.length_only = 30;
    must(reward_model_run(&c, &stage, &err));
    size_t n = read_scores(score, &corpus, &gain, d, "only");
    for (size_t i = 0; i < n; i++)
        assert_near(score[i],
                    1 - fabs((double)corpus.seq[i].len_response / 30 - 1), 0);
    corpus_free(&corpus);
    struct json *json;
    must(json_read(&json, desk_path(d, "only/result.json"), 1 << 20, &err));
    assert_near(json_number(json_get(json, "length_target"), 0), 30, 0);
    assert_near(json_number(json_get(json, "steps"), -1), 0, 0);
    json_free(json);
    c = desk_reward(d);
    c.length_only = 30;
    c.length_residual = true;
    stage = desk_stage(d, "neither", RUN_NEW);
    assert_int_equal(reward_model_run(&c, &stage, &err), ERR_ARG);
    c.length_residual = false;
    c.length_only = 0.5;
    assert_int_equal(reward_model_run(&c, &stage, &err), ERR_ARG);
}

static void test_nothing_to_go_by(void **state)
{
    (void)state;
    struct desk *d = &shared;
    struct dataset data;
    struct buf text;
    must(dataset_read(&data, desk_path(d, "rankings.jsonl"), DATASET_RANKINGS,
                      &err));
    buf_init(&text, 1 << 16);
    struct record one = data.record[0];
    /* The same words, the first two exchanged. */
    char swapped[1024];
    const char *own = one.responses[0];
    int first = (int)strcspn(own, " ");
    int second = (int)strcspn(own + first + 1, " ");
    assert_true(snprintf(swapped, sizeof swapped, "%.*s %.*s%s", second,
                         own + first + 1, first, own,
                         own + first + 1 + second) > 0);
    char *twice[2] = {one.responses[0], swapped};
    one.responses = twice;
    one.n_responses = 2;
    dataset_write_record(&text, &one);
    must(file_write(desk_path(d, "same.jsonl"), text.data, text.len, &err));
    buf_free(&text);
    dataset_free(&data);
    struct reward_config c = desk_reward(d);
    c.data = desk_path(d, "same.jsonl");
    c.batch = 1;
    c.holdout = 0;
    c.length_residual = true;
    struct stage stage = desk_stage(d, "same", RUN_NEW);
    assert_int_equal(reward_model_run(&c, &stage, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "length_residual"));
    assert_false(file_exists(desk_path(d, "same")));
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 2);
    struct sft_config sft = desk_sft(&shared);
    struct stage stage = desk_stage(&shared, "sft", RUN_NEW);
    must(sft_run(&sft, &stage, &err));
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
        cmocka_unit_test(test_slope_by_hand),
        cmocka_unit_test(test_planted_slope),
        cmocka_unit_test(test_gain_is_read),
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_added_to_a_head),
        cmocka_unit_test(test_length_only),
        cmocka_unit_test(test_nothing_to_go_by),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

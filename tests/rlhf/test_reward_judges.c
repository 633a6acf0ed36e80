/* Weights of people's rankings: against the model of stat/reliability.h on
 * votes listed by hand, in the loss, and that weights of 1 change no byte. */
#include "rlhf/reward_judges.h"

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
#include "stat/reliability.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void parse(struct dataset *d, const char *text)
{
    must(dataset_parse(d, text, strlen(text), "votes", DATASET_RANKINGS, &err));
}

/* Prompt p: ada and bob say x, eve y (told the other way round), and ada once
 * more, which does not count; prompt q of three: all but eve agree, and eve
 * ties two.  Somebody without a name, and dan alone with his pair, count 1. */
static const char lines[] =
    "{\"prompt\":\"p\",\"responses\":[\"x\",\"y\"],\"ranking\":[1,2],"
    "\"rater\":\"ada\"}\n"
    "{\"prompt\":\"p\",\"responses\":[\"x\",\"y\"],\"ranking\":[1,2],"
    "\"rater\":\"bob\"}\n"
    "{\"prompt\":\"p\",\"responses\":[\"y\",\"x\"],\"ranking\":[1,2],"
    "\"rater\":\"eve\"}\n"
    "{\"prompt\":\"p\",\"responses\":[\"x\",\"y\"],\"ranking\":[2,1],"
    "\"rater\":\"ada\"}\n"
    "{\"prompt\":\"q\",\"responses\":[\"a\",\"b\",\"c\"],\"ranking\":[1,2,3],"
    "\"rater\":\"ada\"}\n"
    "{\"prompt\":\"q\",\"responses\":[\"a\",\"b\",\"c\"],\"ranking\":[1,2,3],"
    "\"rater\":\"bob\"}\n"
    "{\"prompt\":\"q\",\"responses\":[\"a\",\"b\",\"c\"],\"ranking\":[3,1,1],"
    "\"rater\":\"eve\"}\n"
    "{\"prompt\":\"q\",\"responses\":[\"a\",\"b\"],\"ranking\":[2,1]}\n"
    "{\"prompt\":\"r\",\"responses\":[\"x\",\"y\"],\"ranking\":[2,1],"
    "\"rater\":\"dan\"}\n";

enum {
    ADA,
    BOB,
    EVE,
    DAN,
    JUDGES,
    RECORDS = 9
};

static void test_by_hand(void **state)
{
    (void)state;
    static const int rater[RECORDS] = {ADA, BOB, EVE, ADA, ADA,
                                       BOB, EVE, -1,  DAN};
    /* Units: x-y, a-b, a-c, b-c, and dan's. */
    static const struct reliability_vote vote[] = {
        {ADA, 0, 1}, {BOB, 0, 1}, {EVE, 0, 0}, {ADA, 1, 1},
        {BOB, 1, 1}, {EVE, 1, 0}, {ADA, 2, 1}, {BOB, 2, 1},
        {EVE, 2, 0}, {ADA, 3, 1}, {BOB, 3, 1}, {DAN, 4, 0}};
    struct reliability r[JUDGES];
    struct dataset d;
    double weight[RECORDS];
    must(reliability_fit(r, vote, sizeof vote / sizeof *vote, JUDGES, 5, &err));
    parse(&d, lines);
    for (size_t i = 0; i < RECORDS; i++)
        weight[i] = 2;
    must(reward_judges_weigh(weight, &d, d.n, &err));
    for (size_t i = 0; i < RECORDS; i++) {
        bool is_told = rater[i] >= 0 && rater[i] != DAN;
        assert_near(weight[i], is_told ? 2 * r[rater[i]].weight : 2, 1e-9);
    }
    assert_true(weight[2] < weight[0]);
    dataset_free(&d);
}

static void test_nothing_to_tell(void **state)
{
    (void)state;
    struct dataset d;
    double weight[2] = {1, 1};
    parse(&d, "{\"prompt\":\"p\",\"responses\":[\"x\",\"y\"],\"ranking\":[1,2]}"
              "\n");
    assert_int_equal(reward_judges_weigh(weight, &d, 1, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "no record has a rater"));
    dataset_free(&d);
    parse(&d, "{\"prompt\":\"p\",\"responses\":[\"x\",\"y\"],\"ranking\":[1,2],"
              "\"rater\":\"ada\"}\n"
              "{\"prompt\":\"q\",\"responses\":[\"x\",\"y\"],\"ranking\":[1,2],"
              "\"rater\":\"bob\"}\n");
    assert_int_equal(reward_judges_weigh(weight, &d, 2, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "no two people"));
    dataset_free(&d);
}

/*
 * The trainer's derivatives of a weighted record are reward_loss()'s with the
 * weight in the scale (rlhf/reward_batch.c); here against differences of
 * w * loss.  A step h leaves h^2 times a third derivative, below 1e-9, and
 * rounding of 1e-16 / h.
 */
static void test_loss(void **state)
{
    (void)state;
    static const int32_t rank[] = {2, 1, 3, 3};
    static const double weight[] = {0, 0.3, 1, 2.5};
    const double h = 1e-5;
    for (int kind = RANKING_PAIRS; kind <= RANKING_BEST; kind++) {
        const struct reward_loss_config c = {
            .kind = kind, .smoothing = 0.1, .centring = 0.2};
        for (size_t k = 0; k < 4; k++) {
            double score[] = {0.4, -0.2, 1.1, 0.3};
            double d[4] = {0}, none[4] = {0}, w = weight[k];
            (void)reward_loss(d, score, rank, 4, w, &c);
            for (size_t i = 0; i < 4; i++) {
                double at = score[i];
                score[i] = at + h;
                double up = w * reward_loss(none, score, rank, 4, 0, &c);
                score[i] = at - h;
                double down = w * reward_loss(none, score, rank, 4, 0, &c);
                score[i] = at;
                assert_near(d[i], (up - down) / (2 * h), 1e-8);
            }
        }
    }
}

/* ---- training ----------------------------------------------------------- */

static struct desk shared;

/* The desk's rankings by so many people; of three the last turns them round. */
static void write_rated(const char *name, size_t raters)
{
    struct dataset data;
    struct buf text;
    must(dataset_read(&data, desk_path(&shared, "rankings.jsonl"),
                      DATASET_RANKINGS, &err));
    buf_init(&text, 1 << 24);
    for (size_t i = 0; i < data.n; i++) {
        for (size_t j = 0; j < raters; j++) {
            struct record one = data.record[i];
            int32_t turned[DATASET_RESPONSES_MAX];
            char extra[48];
            (void)snprintf(extra, sizeof extra, "{\"rater\":\"r%zu\"}", j);
            one.extra = extra;
            for (size_t k = 0; k < one.n_responses; k++)
                turned[k] = (int32_t)one.n_responses + 1 - one.ranking[k];
            if (j == 2)
                one.ranking = turned;
            dataset_write_record(&text, &one);
        }
    }
    must(buf_status(&text, &err));
    must(file_write(desk_path(&shared, name), buf_text(&text), text.len, &err));
    buf_free(&text);
    dataset_free(&data);
}

static void train(char hash[65], const char *name, const char *data, int judges)
{
    char model[96];
    struct stage stage = desk_stage(&shared, name, RUN_NEW);
    struct reward_config c = desk_reward(&shared);
    c.data = desk_path(&shared, data);
    c.max_steps = 4;
    c.weights = (struct reward_weights_config){.bin = 5, .judges = judges};
    must(reward_model_run(&c, &stage, &err));
    (void)snprintf(model, sizeof model,
                   "%s/checkpoints/000004/model.safetensors", name);
    desk_hash(hash, &shared, model);
}

static void test_stage(void **state)
{
    (void)state;
    char equal[65], weighted[65];
    /* Two who always agree weigh 1 to the bit: the same bytes as without. */
    write_rated("two.jsonl", 2);
    train(equal, "two-equal", "two.jsonl", JUDGES_EQUAL);
    train(weighted, "two-weighted", "two.jsonl", JUDGES_WEIGHTED);
    assert_string_equal(equal, weighted);
    write_rated("three.jsonl", 3);
    train(equal, "three-equal", "three.jsonl", JUDGES_EQUAL);
    train(weighted, "three-weighted", "three.jsonl", JUDGES_WEIGHTED);
    assert_string_not_equal(equal, weighted);
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
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_nothing_to_tell),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_stage),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

/* From rankings and scores to the measures of held-out pairs. */
#include "rlhf/reward_heldout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "desk.h"
#include "io/run.h"
#include "rlhf/reward_model.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static void assert_measure(const struct reward_heldout_result *r,
                           const char *name, double want, size_t n)
{
    struct estimate e = measures_find(&r->measures, name);
    if (!(fabs(e.estimate - want) <= 1e-15) || e.n != n)
        fail_msg("%s: got %.17g of %zu, want %.17g of %zu", name, e.estimate,
                 e.n, want, n);
}

/* Record 0 was trained on and must not count.  Of record 1 the first is best
 * and the others tie; of record 2 the second is better. */
static const char lines[] =
    "{\"prompt\":\"p\",\"responses\":[\"a\",\"b\"],\"ranking\":[1,2]}\n"
    "{\"prompt\":\"q\",\"responses\":[\"\xC3\xA4\xC3\xB6\",\"abc\",\"a\"],"
    "\"ranking\":[1,2,2]}\n"
    "{\"prompt\":\"r\",\"responses\":[\"a\",\"ab\"],\"ranking\":[2,1]}\n";

static const size_t tokens[] = {1, 1, 3, 3, 2, 5, 4};
static const double score[] = {-9, 9, 2, 1, 3, 0, 0};

/* A corpus of which only first and len_response are looked at. */
static void open_heldout(struct dataset *data, struct corpus *corpus,
                         struct sequence seq[7], size_t first[4])
{
    must(dataset_parse(data, lines, strlen(lines), "pairs.jsonl",
                       DATASET_RANKINGS, &err));
    memcpy(first, (size_t[]){0, 2, 5, 7}, 4 * sizeof *first);
    for (size_t i = 0; i < 7; i++)
        seq[i] = (struct sequence){.len_response = tokens[i]};
    *corpus =
        (struct corpus){.seq = seq, .first = first, .n_record = 3, .n_seq = 7};
}

static void test_by_hand(void **state)
{
    (void)state;
    struct dataset data;
    struct corpus corpus;
    struct sequence seq[7];
    size_t first[4];
    struct reward_heldout_result r;
    open_heldout(&data, &corpus, seq, first);
    const struct reward_heldout h = {
        .data = &data, .corpus = &corpus, .first = 1, .score = score};
    must(reward_heldout_measure(&r, &h, &err));
    assert_int_equal(r.prompts, 2);
    assert_int_equal(r.pairs, 3);
    assert_int_equal(r.equal, 1);
    /* 2 > 1 right, 2 < 3 wrong, 0 = 0 a half. */
    assert_measure(&r, "accuracy", 0.5, 2);
    /* Tokens 3 = 3, 3 > 2, 4 < 5. */
    assert_measure(&r, "length_rule_accuracy", 0.5, 2);
    assert_measure(&r, "accuracy_chosen_longer", 0, 1);
    assert_measure(&r, "accuracy_chosen_shorter", 0.5, 1);
    /* Characters 2 < 3 (in four bytes), 2 > 1, 2 > 1. */
    assert_measure(&r, "length_rule_accuracy_characters", 2.0 / 3, 2);
    dataset_free(&data);
}

static void test_nothing_held_out(void **state)
{
    (void)state;
    struct dataset data;
    struct corpus corpus;
    struct sequence seq[7];
    size_t first[4];
    struct reward_heldout_result r;
    open_heldout(&data, &corpus, seq, first);
    const struct reward_heldout h = {
        .data = &data, .corpus = &corpus, .first = 3, .score = score};
    must(reward_heldout_measure(&r, &h, &err));
    assert_int_equal(r.pairs, 0);
    assert_int_equal(measures_find(&r.measures, "accuracy").n, 0);
    dataset_free(&data);
}

/* What a whole training run leaves: measures with intervals, the same numbers
 * in result.json. */
static void test_of_a_run(void **state)
{
    (void)state;
    static const char *const name[] = {"accuracy", "accuracy_chosen_longer",
                                       "accuracy_chosen_shorter",
                                       "length_rule_accuracy"};
    struct desk d;
    struct json *heldout;
    struct json *result;
    desk_open(&d, 2);
    desk_prepare(&d);
    must(json_read(&heldout, desk_path(&d, "reward/eval/heldout.json"), 1 << 20,
                   &err));
    must(
        json_read(&result, desk_path(&d, "reward/result.json"), 1 << 20, &err));
    assert_string_equal(json_text(json_get(heldout, "data"), ""),
                        "../rankings.jsonl");
    assert_int_equal(json_int(json_get(heldout, "step"), 0), 6);
    const struct json *settings = json_get(heldout, "settings");
    assert_int_equal(json_int(json_get(settings, "prompts"), 0), 6);
    assert_int_equal(json_int(json_get(settings, "pairs"), 0), 30);
    for (size_t i = 0; i < 4; i++) {
        struct estimate e = measures_read_estimate(json_get(heldout, name[i]));
        assert_true(e.estimate >= 0 && e.estimate <= 1);
        assert_true(e.low <= e.estimate && e.estimate <= e.high);
        assert_true(e.estimate ==
                    json_number(json_get(result, name[i]), (double)NAN));
    }
    assert_non_null(
        strstr(json_text(json_get(heldout, "verdict"), ""), "guessing"));
    json_free(heldout);
    json_free(result);
    /* Pairs of a file of their own: all its prompts, and its name. */
    struct reward_config c = desk_reward(&d);
    c.heldout = c.data;
    struct stage stage = desk_stage(&d, "apart", RUN_NEW);
    must(reward_model_run(&c, &stage, &err));
    must(json_read(&heldout, desk_path(&d, "apart/eval/heldout.json"), 1 << 20,
                   &err));
    settings = json_get(heldout, "settings");
    assert_int_equal(json_int(json_get(settings, "prompts"), 0), 24);
    assert_string_equal(json_text(json_get(heldout, "data"), ""),
                        "../rankings.jsonl");
    json_free(heldout);
    /* A run that is replaced takes what it said of itself along. */
    struct run run;
    must(run_open(&run, desk_path(&d, "reward"), RUN_OVERWRITE, "seed: 8\n",
                  NULL, &err));
    run_close(&run);
    assert_false(file_exists(desk_path(&d, "reward/eval/heldout.json")));
    desk_close(&d);
}

/* Records in the order of prompts a b a c b; the border never cuts one. */
static void test_border(void **state)
{
    (void)state;
    static const char mixed[] =
        "{\"id\":\"0\",\"prompt\":\"a\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[1,2]}\n"
        "{\"id\":\"1\",\"prompt\":\"b\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[1,2]}\n"
        "{\"id\":\"2\",\"prompt\":\"a\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[2,1]}\n"
        "{\"id\":\"3\",\"prompt\":\"c\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[1,2]}\n"
        "{\"id\":\"4\",\"prompt\":\"b\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[1,2]}\n";
    static const struct {
        double holdout;
        size_t n_train;
    } cases[] = {{0, 5}, {0.2, 4}, {0.4, 2}, {0.6, 2}, {0.8, 2}};
    struct dataset data;
    must(dataset_parse(&data, mixed, strlen(mixed), "mixed", DATASET_RANKINGS,
                       &err));
    must(dataset_gather(&data, &err));
    static const char *const order[] = {"0", "2", "1", "4", "3"};
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(data.record[i].id, order[i]);
    const struct corpus corpus = {.n_record = 5};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct reward_config c = {.holdout = cases[i].holdout};
        assert_int_equal(reward_training_prompts(&c, &corpus, &data),
                         cases[i].n_train);
    }
    dataset_free(&data);
}

/* Two rankings of one prompt are one observation. */
static void test_shared_prompt(void **state)
{
    (void)state;
    struct dataset data;
    struct corpus corpus;
    struct sequence seq[7];
    size_t first[4];
    struct reward_heldout_result r;
    open_heldout(&data, &corpus, seq, first);
    data.record[2].prompt[0] = 'q';
    const struct reward_heldout h = {
        .data = &data, .corpus = &corpus, .first = 1, .score = score};
    must(reward_heldout_measure(&r, &h, &err));
    assert_int_equal(r.prompts, 1);
    assert_int_equal(r.pairs, 3);
    assert_true(isnan(measures_find(&r.measures, "accuracy").low));
    dataset_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_border),
        cmocka_unit_test(test_shared_prompt),
        cmocka_unit_test(test_nothing_held_out),
        cmocka_unit_test(test_of_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

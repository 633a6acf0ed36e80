/*
 * test_import_people.c - what people and judges said, one small file of each
 * format, and the replies and votes that must come out of it.
 *
 * A vote is told in one line from the side of the policy's reply,
 *     KIND JUDGE VISIT won|lost|tie|bad left|right|? POLICY-SAMPLE/OTHER-SAMPLE
 * and a reply as SIDE SAMPLE TEXT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/formats.h"
#include "import/imported.h"
#include "io/vote.h"

#define LINE 300

static const char *text(const struct json *row, const char *key)
{
    return json_text(json_get(row, key), "-");
}

static const char *outcome(const struct json *row, const struct vote *v)
{
    if (v->win == 0.5)
        return strcmp(text(row, "overall"), "both_bad") == 0 ? "bad" : "tie";
    return v->win == 1 ? "won" : "lost";
}

static void tell_vote(char out[LINE], const struct json *row)
{
    struct vote v;
    struct err err = {OK, ""};
    bool is_unknown = json_bool(json_get(row, "side_unknown"), false);
    if (vote_read(&v, row, "vote", &err) != OK)
        fail_msg("%s", err.text);
    (void)snprintf(out, LINE, "%s %s %d %s %s %d/%d", text(row, "judge_kind"),
                   text(row, "judge"), (int)v.visit, outcome(row, &v),
                   is_unknown  ? "?"
                   : v.is_left ? "left"
                               : "right",
                   (int)json_int(json_get(v.tested.reply, "sample"), -1),
                   (int)json_int(json_get(v.other.reply, "sample"), -1));
}

static void tell_reply(char out[LINE], const struct json *row)
{
    (void)snprintf(out, LINE, "%s %d %s", text(row, "which"),
                   (int)json_int(json_get(row, "sample"), -1),
                   text(row, "response"));
}

/* The lines of a file are these n, and no more. */
static void expect(const struct imported *m, const char *name,
                   void (*tell)(char *, const struct json *),
                   const char *const *want, size_t n)
{
    char got[LINE];
    for (size_t i = 0; i < n; i++) {
        struct json *row = imported_line(m, name, i);
        if (row == NULL)
            fail_msg("%s: no line for '%s'", name, want[i]);
        tell(got, row);
        json_free(row);
        assert_string_equal(got, want[i]);
    }
    assert_null(imported_line(m, name, n));
}

#define LIST(...)                                                              \
    (const char *const[]){__VA_ARGS__},                                        \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define VOTES(m, file, ...) expect(m, file, tell_vote, LIST(__VA_ARGS__))
#define REPLIES(m, ...)                                                        \
    expect(m, "eval/samples.jsonl", tell_reply, LIST(__VA_ARGS__))
#define HUMAN "human/spotcheck.jsonl"
#define JUDGE "judge/votes.jsonl"
#define NONE(m, file) assert_null(imported_line(m, file, 0))

/* A member of a line. */
static double number(const struct imported *m, const char *file, size_t line,
                     const char *key)
{
    struct json *row = imported_line(m, file, line);
    double x = json_number(json_get(row, key), (double)NAN);
    json_free(row);
    return x;
}

static bool says(const struct imported *m, const char *file, size_t line,
                 const char *key, const char *want)
{
    struct json *row = imported_line(m, file, line);
    bool is_it = strcmp(text(row, key), want) == 0;
    json_free(row);
    return is_it;
}

/* ---- AlpacaEval and AlpacaFarm ------------------------------------------ */

static const char apples[] =
    "policy 0 Apples keep well, and so do quinces; lay them on straw and look "
    "at them once a week.";
static const char certainly[] =
    "policy 0 Certainly! Here is a shorter form: please come, if you can.";
static const char swift[] =
    "reference 0 The swift.\nuser: Are you sure?\nassistant: Not quite.";

static void test_annotations(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("alpaca-eval", "alpaca/annotations.json", NULL);
    VOTES(m, JUDGE, "model weighted_lantern 1 won ? 0/0",
          "model weighted_lantern 1 tie ? 0/0",
          "model weighted_lantern 1 tie ? 0/0");
    VOTES(m, HUMAN, "human human_3 1 lost ? 0/0");
    REPLIES(
        m, apples, "reference 0 An apple, in a cool cellar.",
        "policy 0 It depends on how you like it.", "reference 0 Six minutes.",
        "policy 0 Use the brick, then the belt.", "reference 0 Use the belt.",
        "policy 0 I cannot whistle.", "reference 0 La la.");
    assert_true(number(m, JUDGE, 0, "probability") == 0.75);
    assert_true(number(m, HUMAN, 0, "probability") == 0);
    assert_true(says(m, "eval/samples.jsonl", 4, "prompt",
                     "What sharpens a knife?\n\nI have a brick and a belt."));
    assert_true(imported_warned(m, "models"));
    assert_false(imported_misses(m, "human", NULL));
    assert_string_equal(imported_field(m, "generator_2"), "model_b");
    imported_free(m);
}

/* The other way round, and with the outputs beside them: each reply once, and
 * those of a third model not at all. */
static void test_annotations_turned(void **state)
{
    (void)state;
    struct imported *m = imported_run(
        "alpaca-eval", "alpaca/annotations.json alpaca/model_outputs.jsonl",
        "policy=old-desk reference=new-desk");
    VOTES(m, JUDGE, "model weighted_lantern 1 lost ? 0/0",
          "model weighted_lantern 1 tie ? 0/0",
          "model weighted_lantern 1 tie ? 0/0");
    VOTES(m, HUMAN, "human human_3 1 won ? 0/0");
    assert_true(number(m, JUDGE, 0, "probability") == 0.25);
    assert_true(
        says(m, "eval/samples.jsonl", 8, "response", "There are nine."));
    assert_true(says(m, "eval/samples.jsonl", 9, "response", "Nine spoons."));
    assert_null(imported_line(m, "eval/samples.jsonl", 10));
    assert_true(imported_warned(m, "replies_repeated"));
    imported_free(m);
}

static void test_farm(void **state)
{
    (void)state;
    struct imported *m = imported_run(
        "alpaca-farm", "alpaca/outputs_sft.json alpaca/outputs_rlhf.json",
        "policy=rlhf reference=sft");
    REPLIES(m, "reference 0 Please come.", "reference 0 Good evening.",
            "reference 1 Welcome!", certainly,
            "policy 0 Good evening and a warm welcome to you, dear guest!");
    NONE(m, HUMAN);
    NONE(m, JUDGE);
    assert_true(number(m, "eval/samples.jsonl", 0, "len") == 2);
    assert_true(says(m, "eval/samples.jsonl", 0, "len_unit", "words"));
    imported_free(m);
}

static void test_preferences(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("alpaca-eval", "alpaca/preferences.tsv alpaca/lark.jsonl",
                     "policy=lark reference=baseline");
    REPLIES(m, "policy 0 A song at dawn.", "policy 0 Another at dusk.");
    assert_true(says(m, "eval/samples.jsonl", 1, "prompt_id", "7"));
    imported_free(m);
    m = imported_run("alpaca-eval", "alpaca/preferences.tsv", "policy=lark");
    VOTES(m, JUDGE, "model - 1 lost ? 0/0", "model - 1 tie ? 0/0");
    assert_true(says(m, JUDGE, 1, "prompt_id", "7"));
    assert_true(number(m, JUDGE, 0, "probability") == 0.25);
    NONE(m, "eval/samples.jsonl");
    imported_free(m);
}

/* ---- battles and comparisons -------------------------------------------- */

static void test_arena(void **state)
{
    (void)state;
    struct imported *m = imported_run("arena", "arena/battles.jsonl",
                                      "policy=stork reference=heron");
    VOTES(m, HUMAN, "human arena_user_12 1 won right 0/0",
          "human arena_user_4 1 bad left 0/0",
          "human arena_user_13 1 lost right 1/0");
    VOTES(m, JUDGE, "model gpt-9 1 tie right 0/0");
    REPLIES(m, "policy 0 Many say the stork.",
            "reference 0 The heron, I am told.",
            "policy 0 The rook.\nuser: Are you sure?\nassistant: No.", swift,
            "policy 1 None does.");
    assert_true(number(m, "eval/samples.jsonl", 0, "len") == 6);
    assert_true(number(m, "eval/samples.jsonl", 1, "len") == 7);
    assert_true(says(m, "eval/samples.jsonl", 0, "prompt_id", "q1"));
    assert_true(says(m, "eval/samples.jsonl", 2, "prompt_id", "q2#2"));
    assert_true(says(m, "eval/samples.jsonl", 2, "len_unit", "words"));
    imported_free(m);
    /* Every other model is the reference; their pairs are apart. */
    m = imported_run("arena", "arena/battles.jsonl",
                     "policy=heron reference=*");
    VOTES(m, HUMAN, "human arena_user_12 1 lost left 0/0",
          "human arena_user_4 1 bad right 0/0", "human expert_1 1 won left 0/0",
          "human arena_user_13 1 won left 0/1");
    assert_true(says(m, HUMAN, 2, "pair_id", "q4/wren"));
    imported_free(m);
}

static void test_arena_table(void **state)
{
    (void)state;
    struct imported *m = imported_run("arena", "arena/battles.csv",
                                      "policy=stork reference=heron");
    VOTES(m, HUMAN, "human - 1 lost right 0/0", "human - 1 tie left 0/0");
    REPLIES(m, "policy 0 Both of us.", "reference 0 I do, \"mostly\".",
            "policy 0 I do.", "reference 0 She does.");
    imported_free(m);
}

static void write_text(const char *name, const char *what)
{
    imported_write(name, what, strlen(what));
}

/* MT-bench's judgments of a model: both orders, winners by model. */
static void test_judgments(void **state)
{
    (void)state;
    write_text(
        "judged.jsonl",
        "{\"question_id\":81,\"model_1\":\"stork\",\"model_2\":\"heron\","
        "\"g1_winner\":\"model_1\",\"g2_winner\":\"model_2\","
        "\"judge\":[\"gpt-9\",\"pair-v2\"],\"turn\":1}\n"
        "{\"question_id\":81,\"model_1\":\"stork\",\"model_2\":\"heron\","
        "\"g1_winner\":\"tie\",\"g2_winner\":\"error\","
        "\"judge\":[\"gpt-9\",\"pair-v2\"],\"turn\":2}\n");
    struct imported *m = imported_run("auto", imported_at("judged.jsonl"),
                                      "policy=stork reference=heron");
    VOTES(m, JUDGE, "model gpt-9 1 won left 0/0",
          "model gpt-9 2 lost right 0/0", "model gpt-9 1 tie left 0/0");
    NONE(m, HUMAN);
    assert_true(says(m, JUDGE, 2, "prompt_id", "81#2"));
    imported_free(m);
}

/* Preferences as numbers, and in words with a degree. */
static void test_degrees(void **state)
{
    static const char *const names[] = {"preference_strength",
                                        "overall_preference"};
    static const char *const values[2][3] = {
        {"-3", "0", "2"},
        {"\"a-is-slightly-better\"", "\"tie\"", "\"b-is-better\""}};
    (void)state;
    for (int k = 0; k < 2; k++) {
        char lines[1024] = "";
        size_t n = 0;
        for (int i = 0; i < 3; i++)
            n += (size_t)snprintf(
                lines + n, sizeof lines - n,
                "{\"prompt\":\"q%d\",\"response_1\":\"a\",\"response_2\":"
                "\"b\",\"%s\":%s}\n",
                i, names[k], values[k][i]);
        write_text("degrees.jsonl", lines);
        char path[FILE_PATH_MAX];
        struct imported m = {.n = 0};
        struct err err = {OK, ""};
        (void)snprintf(path, sizeof path, "%s", imported_at("degrees.jsonl"));
        (void)snprintf(m.dir, sizeof m.dir, "%s",
                       imported_at(k == 0 ? "numbers" : "worded"));
        const struct import_config c = {
            .format = "auto",
            .path = (const char *const[]){path},
            .n_paths = 1,
            .out = m.dir,
            .people = {"response_1", "response_2", 1 + JUDGE_HUMAN}};
        if (import_run(NULL, &c, NULL, &err) != OK)
            fail_msg("%s", err.text);
        VOTES(&m, HUMAN, "human - 1 won ? 0/0", "human - 1 tie ? 0/0",
              "human - 1 lost ? 0/0");
    }
}

static void test_crowd(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("llmfao", "pairs/crowd.csv", "policy=Shrew reference=*");
    VOTES(m, HUMAN, "human 58 1 tie right 0/0", "human 83 1 lost right 0/0",
          "human 58 1 won left 0/0");
    assert_true(says(m, HUMAN, 2, "pair_id", "1"));
    assert_true(says(m, HUMAN, 2, "prompt_id", "9"));
    imported_free(m);
}

static void test_pairs(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(imported_fails(&err, "pairs", "pairs/words.jsonl"),
                     ERR_ARG);
    assert_non_null(strstr(err.text, "--judge-kind"));
    struct import_config c = {
        .format = "pairs",
        .path = (const char *const[]){TEST_DATA "/import/pairs/words.jsonl"},
        .n_paths = 1,
        .out = imported_at("words"),
        .people = {NULL, NULL, 1 + JUDGE_SCRIPT}};
    struct imported m = {.n = 0};
    assert_int_equal(import_run(NULL, &c, NULL, &err), OK);
    (void)snprintf(m.dir, sizeof m.dir, "%s", imported_at("words"));
    VOTES(&m, JUDGE, "script rule-7 1 won ? 0/0", "script rule-7 1 won ? 0/0");
    NONE(&m, HUMAN);
    assert_true(says(&m, JUDGE, 0, "rationale", "says what was done"));
    REPLIES(&m, "policy 0 I closed it.", "reference 0 Done.",
            "policy 0 Opened.", "reference 0 Done.", "policy 0 Knock.",
            "reference 0 Knock, knock.");
}

static void test_pandalm(void **state)
{
    (void)state;
    struct imported *m = imported_run("pandalm", "pairs/pandalm.json",
                                      "policy=alder-6.9b reference=beech-7b");
    VOTES(m, HUMAN, "human annotator1 1 won ? 0/0",
          "human annotator2 1 won ? 0/0", "human annotator3 1 tie ? 0/0",
          "human annotator1 1 won ? 0/0", "human annotator2 1 won ? 0/0");
    REPLIES(m, "policy 0 Close the gate.", "reference 0 Please close the gate.",
            "policy 0 The Old Mill", "reference 0 Mill");
    imported_free(m);
}

/* ---- ratings and tools -------------------------------------------------- */

static void test_helpsteer(void **state)
{
    (void)state;
    struct imported *m = imported_run("helpsteer", "helpsteer/ratings.jsonl",
                                      "policy=second reference=first");
    VOTES(m, HUMAN, "human - 1 lost ? 0/0", "human - 1 tie ? 0/0");
    REPLIES(m, "policy 0 Buy a door.",
            "reference 0 Lift the pin and drip oil on it.",
            "policy 0 With a brush.", "reference 0 From the top.");
    assert_true(number(m, HUMAN, 0, "left_helpful") == 4);
    assert_true(number(m, HUMAN, 0, "right_helpful") == 1);
    assert_true(says(m, HUMAN, 0, "left_correct", "yes"));
    assert_true(says(m, HUMAN, 0, "right_correct", "no"));
    assert_true(says(m, HUMAN, 1, "left_correct", "unsure"));
    assert_int_equal(json_int(json_get(json_get(m->doc, "rows"), "skipped"), 0),
                     1);
    imported_free(m);
    /* Our own export says more. */
    m = imported_run("helpsteer", "helpsteer/named.jsonl", NULL);
    VOTES(m, HUMAN, "human rosa 1 lost ? 0/0");
    assert_true(says(m, HUMAN, 0, "left_length", "too_long"));
    assert_true(says(m, HUMAN, 0, "right_length", "right"));
    assert_true(number(m, HUMAN, 0, "left_direct") == 3);
    imported_free(m);
}

static void test_comparator(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("llm-comparator", "comparator/comparison.json", NULL);
    /* Flipped: the second one was shown on the left. */
    VOTES(m, JUDGE, "model - 1 won right 0/0", "model - 2 won left 0/0",
          "model kettle-2 1 lost right 0/0", "model - 1 lost ? 0/0",
          "model - 1 tie ? 0/0");
    assert_true(says(m, JUDGE, 1, "rationale", "The lid."));
    assert_true(says(m, "eval/samples.jsonl", 0, "response",
                     "Four minutes, with a lid."));
    NONE(m, HUMAN);
    imported_free(m);
}

static void test_label_studio(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("label-studio", "label_studio/export.json",
                     "policy=answer2 reference=answer1");
    VOTES(m, HUMAN, "human 5 1 won right 0/0", "human 6 1 lost right 0/0",
          "human 5 2 lost right 0/0");
    VOTES(m, JUDGE, "model needle-1 1 tie right 0/0");
    assert_true(says(m, HUMAN, 0, "rationale", "it says how"));
    assert_true(says(m, HUMAN, 0, "pair_id", "101"));
    /* Cancelled, and without a choice. */
    assert_int_equal(json_int(json_get(json_get(m->doc, "rows"), "skipped"), 0),
                     2);
    imported_free(m);
}

static void test_argilla(void **state)
{
    (void)state;
    struct imported *m = imported_run("argilla", "argilla/records.json", NULL);
    VOTES(m, HUMAN, "human u1 1 won ? 0/0", "human u3 1 tie ? 0/0");
    VOTES(m, JUDGE, "model clock-judge 1 lost ? 0/0");
    REPLIES(m, "policy 0 Turn the key eight times, clockwise.",
            "reference 0 Clockwise.", "policy 0 Lift the weight.",
            "reference 0 Hold it.");
    imported_free(m);
    m = imported_run("argilla", "argilla/ranking.json",
                     "policy=response-2 reference=response-1");
    VOTES(m, HUMAN, "human u1 1 won ? 0/0", "human u2 1 tie ? 0/0");
    imported_free(m);
}

/* ---- which format, which model, what cannot be -------------------------- */

static void test_sniff(void **state)
{
    static const struct {
        const char *path, *format;
    } all[] = {
        {"alpaca/annotations.json", "alpaca-eval"},
        {"alpaca/model_outputs.jsonl", "alpaca-eval"},
        {"alpaca/preferences.tsv", "alpaca-eval"},
        {"alpaca/lark.jsonl", "alpaca-eval"},
        {"alpaca/outputs_sft.json", "alpaca-farm"},
        {"arena/battles.jsonl", "arena"},
        {"arena/battles.csv", "arena"},
        {"pairs/crowd.csv", "llmfao"},
        {"pairs/words.jsonl", "pairs"},
        {"pairs/pandalm.json", "pandalm"},
        {"helpsteer/ratings.jsonl", "helpsteer"},
        {"comparator/comparison.json", "llm-comparator"},
        {"label_studio/export.json", "label-studio"},
        {"argilla/records.json", "argilla"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char path[FILE_PATH_MAX];
        struct head h;
        double sure;
        assert_int_equal(
            file_join(path, TEST_DATA "/import", all[i].path, NULL), OK);
        assert_int_equal(sniff_open(&h, path, NULL), OK);
        const struct format *f = formats_best(&sure, NULL, &h);
        assert_non_null(f);
        assert_string_equal(f->name, all[i].format);
        sniff_close(&h);
    }
}

static void test_models(void **state)
{
    static const struct {
        const char *format, *path, *says;
    } all[] = {
        {"alpaca-farm", "alpaca/outputs_rlhf.json", "its models are rlhf"},
        {"alpaca-eval", "alpaca/preferences.tsv",
         "its models are baseline, lark, finch"},
        {"alpaca-eval", "alpaca/model_outputs.jsonl",
         "its models are new-desk, old-desk, a third one"},
        {"arena", "arena/battles.csv",
         "--policy NAME or --reference NAME is wanted: its models are heron, "
         "stork"},
        {"helpsteer", "helpsteer/ratings.jsonl", "first, second"},
        {"label-studio", "label_studio/export.json", "answer1, answer2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct err err;
        assert_int_equal(imported_fails(&err, all[i].format, all[i].path),
                         ERR_ARG);
        if (strstr(err.text, all[i].says) == NULL)
            fail_msg("%s: '%s'", all[i].path, err.text);
    }
}

static void test_hostile(void **state)
{
    static const struct {
        const char *format, *text, *says;
    } all[] = {
        {"alpaca-eval",
         "[{\"instruction\":\"a\",\"output_1\":\"b\",\"output_2\":\"c\","
         "\"generator_1\":\"d\",\"generator_2\":\"e\",\"preference\":7}]",
         "bad:1: \"preference\" is 7"},
        {"alpaca-eval",
         "[{\"instruction\":\"a\",\"output_1\":\"b\",\"output_2\":\"c\","
         "\"generator_1\":\"d\",\"generator_2\":\"e\",\"preference\":1},\n{",
         "bad:2: "},
        {"arena", "{\"model_a\":\"a\",\"model_b\":\"b\",\"winner\":\"nobody\"}",
         "bad:1: winner 'nobody'"},
        {"helpsteer",
         "{\"prompt\":\"a\",\"response\":\"b\",\"helpfulness\":9,"
         "\"correctness\":0,\"coherence\":0,\"complexity\":0,"
         "\"verbosity\":0}",
         "bad:1: \"helpfulness\" is 9"},
        {"llm-comparator", "{\"metadata\":{},\"models\":[],\"examples\":{}}",
         "bad:1: no list"},
        {"label-studio", "[{\"id\":1,\"data\":3,\"annotations\":[]}]",
         "bad:1: a task without \"data\""},
        {"pandalm",
         "[{\"cmp_key\":\"alone\",\"response1\":\"a\",\"response2\":\"b\","
         "\"annotator1\":1}]",
         "bad:1: \"cmp_key\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct err err;
        char path[FILE_PATH_MAX];
        imported_write("bad", all[i].text, strlen(all[i].text));
        (void)snprintf(path, sizeof path, "%s", imported_at("bad"));
        assert_int_equal(imported_fails(&err, all[i].format, path), ERR_FORMAT);
        if (strstr(err.text, all[i].says) == NULL)
            fail_msg("%s: '%s'", all[i].format, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_annotations_turned),
        cmocka_unit_test(test_farm),
        cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_table),
        cmocka_unit_test(test_judgments),
        cmocka_unit_test(test_degrees),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_pandalm),
        cmocka_unit_test(test_helpsteer),
        cmocka_unit_test(test_comparator),
        cmocka_unit_test(test_label_studio),
        cmocka_unit_test(test_argilla),
        cmocka_unit_test(test_sniff),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests_name("people", tests, imported_set_up,
                                       imported_tear_down);
}

/*
 * test_vote_forms.c - what was voted, read out of every form it is exported in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "io/dataset.h"
#include "store/export.h"
#include "store/rig.h"

#define LINES 64

static struct rig rig;
static struct buf text;          // of the last export
static struct json *line[LINES]; // its lines, parsed
static size_t n_line;

static void forget(void)
{
    for (size_t i = 0; i < n_line; i++)
        json_free(line[i]);
    n_line = 0;
    buf_free(&text);
    buf_init(&text, 1 << 24);
}

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig);
    buf_init(&text, 1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    forget();
    buf_free(&text);
    rig_close(&rig);
    return 0;
}

static enum status gather(void *ctx, const char *at, size_t len,
                          struct err *err)
{
    bool parses = *(const bool *)ctx;
    buf_append(&text, at, len);
    buf_putc(&text, '\n');
    if (!parses)
        return buf_status(&text, err);
    assert_in_range(n_line, 0, LINES - 1);
    return json_parse(&line[n_line++], at, len, "line", err);
}

static void export(enum export_format format, bool is_redact)
{
    const struct export_config c = {.format = format, .is_redact = is_redact};
    struct err err = {OK, ""};
    bool parses = format != EXPORT_COMPARATOR;
    forget();
    if (export_walk(rig.db, &c, gather, &parses, &err) != OK)
        fail_msg("%s", err.text);
}

static const char *at(size_t i, const char *key)
{
    return json_text(json_get(line[i], key), "");
}

/* What a judge says of an item, whichever side its replies are on. */
static void check(int64_t judge, int64_t pool, const char *better,
                  const char *reason)
{
    struct arena a = {0};
    struct blind b;
    struct err err = {OK, ""};
    int64_t id = rig_next(&rig, judge, pool, RIG_NOW), act;
    bool is_new;
    assert_true(id > 0);
    assert_int_equal(assign_blind(&b, &a, rig.db, judge, id, &err), OK);
    enum vote_overall overall = strcmp(better, "good") == 0  ? VOTE_BOTH_GOOD
                                : strcmp(better, "bad") == 0 ? VOTE_BOTH_BAD
                                : strstr(b.text[0], better) == b.text[0]
                                    ? VOTE_A
                                    : VOTE_B;
    struct vote v = {.assignment = id,
                     .key = "k",
                     .act = VOTE_CAST,
                     .overall = overall,
                     .reason = reason,
                     .shown = RIG_NOW,
                     .voted = RIG_NOW + 1500};
    char key[32];
    (void)snprintf(key, sizeof key, "k%lld", (long long)id);
    v.key = key;
    for (int s = 0; s < 2; s++) {
        bool is_policy = strncmp(b.text[s], "good", 4) == 0;
        v.marks[s] = (struct vote_marks){
            .helpful = is_policy ? 3 : 1,
            .direct = is_policy ? 0 : 4,
            .correct = is_policy ? VOTE_CORRECT_YES : VOTE_CORRECT_UNSURE,
            .length = is_policy ? VOTE_TOO_LONG : VOTE_LENGTH_RIGHT};
    }
    if (votes_cast(&act, &is_new, rig.db, judge, &v, &err) != OK)
        fail_msg("%s", err.text);
    arena_free(&a);
}

/* One pair that two judges see, a placebo, and a ranking of three with its
 * last two equal. */
static void fill(void)
{
    int64_t pairs = rig_pool(&rig, "pairs", POOL_SPOTCHECK, 2, 0.5);
    int64_t other = rig_pool(&rig, "other", POOL_SPOTCHECK, 1, 0.5);
    int64_t ranks = rig_pool(&rig, "ranks", POOL_RANKING, 1, 1);
    int64_t anna = rig_judge(&rig, "anna"), bert = rig_judge(&rig, "bert");
    rig_pair(&rig, pairs, "p0", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(&rig, other, "z0", ITEM_PLACEBO, ITEM_RANDOM, 0);
    rig_ranking(&rig, ranks, "r0", 3);
    check(anna, pairs, "good p0", "because of \"this\"");
    check(bert, pairs, "bad", NULL);
    check(anna, other, "good z0", NULL);
    int64_t id = rig_next(&rig, anna, ranks, RIG_NOW), act;
    struct assignment x;
    struct err err = {OK, ""};
    bool is_new;
    assert_int_equal(assign_read(&x, rig.db, id, &err), OK);
    struct vote v = {.assignment = id,
                     .key = "rank",
                     .act = VOTE_CAST,
                     .K = 3,
                     .shown = RIG_NOW,
                     .voted = RIG_NOW};
    v.marks[0] = v.marks[1] = votes_no_marks();
    for (int s = 0; s < 3; s++)
        v.rank[s] = x.order.place[s] == 1 ? 1 : 2; /* "reply 1" is best */
    if (votes_cast(&act, &is_new, rig.db, anna, &v, &err) != OK)
        fail_msg("%s", err.text);
}

static void test_preferences(void **state)
{
    struct dataset d;
    struct err err = {OK, ""};
    (void)state;
    fill();
    export(EXPORT_TRL, false);
    assert_int_equal(n_line, 3); /* two of the ranking, one of the pair */
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(at(i, "chosen"), "reply 1 to r0");
        assert_string_equal(at(i, "rejected"),
                            i == 0 ? "reply 0 to r0" : "reply 2 to r0");
        assert_string_equal(at(i, "rater"), "anna");
    }
    assert_string_equal(at(2, "chosen"), "good p0");
    assert_string_equal(at(2, "rejected"), "better p0");
    /* As `plumb reward` reads it. */
    assert_int_equal(
        dataset_parse(&d, text.data, text.len, "trl", DATASET_RANKINGS, &err),
        OK);
    assert_int_equal(d.n, 3);
    dataset_free(&d);
    export(EXPORT_OPENRLHF, false);
    assert_int_equal(n_line, 3);
    assert_true(json_number(json_get(line[0], "margin"), 0) == 1);
    assert_null(json_get(line[0], "rater"));
    assert_int_equal(dataset_parse(&d, text.data, text.len, "openrlhf",
                                   DATASET_RANKINGS, &err),
                     OK);
    assert_int_equal(d.n, 3);
    dataset_free(&d);
}

static void test_annotations(void **state)
{
    (void)state;
    fill();
    export(EXPORT_ALPACAEVAL, false);
    assert_int_equal(n_line, 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_anna = strcmp(at(i, "annotator"), "anna") == 0;
        assert_string_equal(at(i, "output_1"), "better p0");
        assert_string_equal(at(i, "generator_1"), "reference");
        assert_string_equal(at(i, "output_2"), "good p0");
        assert_true(json_number(json_get(line[i], "preference"), 0) ==
                    (is_anna ? 2 : 1.5));
    }
    export(EXPORT_ARENA, false);
    assert_int_equal(n_line, 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_anna = strcmp(at(i, "judge"), "anna") == 0;
        const char *winner = at(i, "winner");
        const struct json *talk = json_get(line[i], "conversation_a");
        const char *a = at(i, "model_a");
        assert_string_equal(
            json_text(json_get(json_at(talk, 1), "content"), ""),
            strcmp(a, "policy") == 0 ? "good p0" : "better p0");
        if (is_anna)
            assert_string_equal(at(i, winner), "policy");
        else
            assert_string_equal(winner, "tie (bothbad)");
        assert_non_null(
            json_get(json_get(line[i], "conv_metadata"), "bold_count_b"));
    }
}

static void test_comparator(void **state)
{
    struct json *doc;
    struct err err = {OK, ""};
    (void)state;
    export(EXPORT_COMPARATOR, false); /* of nothing, too */
    assert_int_equal(json_parse(&doc, text.data, text.len, "doc", &err), OK);
    assert_int_equal(json_size(json_get(doc, "examples")), 0);
    json_free(doc);
    fill();
    export(EXPORT_COMPARATOR, false);
    if (json_parse(&doc, text.data, text.len, "doc", &err) != OK)
        fail_msg("%s: %s", err.text, text.data);
    const struct json *examples = json_get(doc, "examples");
    assert_int_equal(json_size(examples), 1);
    const struct json *x = json_at(examples, 0);
    assert_true(json_number(json_get(x, "score"), 9) == 0.5);
    assert_string_equal(json_text(json_get(x, "output_text_a"), ""), "good p0");
    const struct json *raters = json_get(x, "individual_rater_scores");
    assert_int_equal(json_size(raters), 2);
    assert_string_equal(
        json_text(json_get(json_at(raters, 0), "rationale"), ""),
        "because of \"this\"");
    json_free(doc);
}

static void test_helpsteer(void **state)
{
    (void)state;
    fill();
    export(EXPORT_HELPSTEER, false);
    assert_int_equal(n_line, 6); /* two answers of three votes */
    for (size_t i = 0; i < n_line; i++) {
        bool is_policy = strncmp(at(i, "response"), "good", 4) == 0;
        assert_int_equal(json_int(json_get(line[i], "helpfulness"), -1),
                         is_policy ? 3 : 1);
        assert_int_equal(json_int(json_get(line[i], "correctness"), -1),
                         is_policy ? 4 : 2);
        assert_int_equal(json_int(json_get(line[i], "verbosity"), -1),
                         is_policy ? 4 : 2);
        assert_int_equal(json_int(json_get(line[i], "direct"), -1),
                         is_policy ? 0 : 4);
        assert_true(json_is_null(json_get(line[i], "coherence")));
    }
}

/* Nobody's name and no word of anybody's own in any form. */
static void test_redacted(void **state)
{
    (void)state;
    fill();
    for (int f = 0; f < EXPORT_FORMATS; f++) {
        export((enum export_format)f, false);
        bool names = strstr(buf_text(&text), "anna") != NULL;
        assert_true(names == (f != EXPORT_OPENRLHF));
        export((enum export_format)f, true);
        assert_null(strstr(buf_text(&text), "anna"));
        assert_null(strstr(buf_text(&text), "because of"));
        assert_int_equal(export_find(export_name((enum export_format)f)), f);
    }
    assert_int_equal(export_find("csv"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_preferences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_annotations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_comparator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_helpsteer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redacted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

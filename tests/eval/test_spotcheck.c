/* Votes on blind pairs, counted by hand, and the desk's own panel read back. */
#include "eval/spotcheck.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "files.h"
#include "world/panel.h"

static struct err err;

/* One vote; `left` is the tested reply's side when true. */
static void vote(struct buf *out, const char *kind, int pair, bool left,
                 int visit, const char *choice, int direct, int direct_ref,
                 const char *length)
{
    const char *a = left ? kind : "reference";
    const char *b = left ? "reference" : kind;
    buf_printf(out,
               "{\"pair_id\":\"%s-%d\",\"kind\":\"%s\",\"prompt_id\":\"p%d\","
               "\"left\":{\"source\":\"%s\"},\"right\":{\"source\":\"%s\"},"
               "\"visit\":%d,\"overall\":\"%s\",\"left_direct\":%d,"
               "\"right_direct\":%d,\"left_length\":\"%s\","
               "\"right_length\":\"%s\",\"left_correct\":\"%s\","
               "\"right_correct\":\"%s\"}\n",
               kind, pair, kind, pair % 2, a, b, visit, choice,
               left ? direct : direct_ref, left ? direct_ref : direct,
               left ? length : "right", left ? "right" : length,
               left ? "yes" : "no", left ? "no" : "yes");
}

static void assert_measure(const struct measures *m, const char *name,
                           double want)
{
    struct estimate e = measures_find(m, name);
    if (!(fabs(e.estimate - want) <= 1e-15))
        fail_msg("%s: got %.17g, want %.17g", name, e.estimate, want);
}

static void test_by_hand(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    vote(&text, "policy", 0, true, 1, "A", 1, 3, "too_long");
    vote(&text, "policy", 1, false, 1, "A", 2, 2, "too_long");
    vote(&text, "policy", 2, false, 1, "B", 0, 4, "right");
    vote(&text, "policy", 3, true, 1, "both_bad", 4, 1, "too_short");
    /* Seen again: pair 0 the other way round with the same verdict, pair 1
     * with another.  Second visits count for nothing else. */
    vote(&text, "policy", 0, false, 2, "B", 1, 3, "too_long");
    vote(&text, "policy", 1, false, 2, "both_good", 0, 4, "too_long");
    vote(&text, "placebo", 0, true, 1, "A", 1, 2, "right");
    vote(&text, "placebo", 1, true, 1, "B", 2, 2, "right");
    vote(&text, "placebo", 2, false, 1, "B", 2, 1, "right");
    vote(&text, "placebo", 3, false, 1, "A", 3, 3, "right");
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    const char *dir = files_dir();
    const char *path = files_write(dir, "spotcheck.jsonl", buf_text(&text));
    files_must(spotcheck_read(&m, &counts, path, NULL, &plan, &err), &err);
    assert_int_equal(counts.pairs, 4);
    assert_int_equal(counts.placebo_pairs, 4);
    assert_int_equal(counts.repeated, 2);
    assert_measure(&m, "win_rate", (1 + 0 + 1 + 0.5) / 4);
    assert_measure(&m, "win_rate_placebo", 0.5);
    assert_measure(&m, "less_direct", 0.5);
    assert_measure(&m, "less_direct_placebo", 0.25);
    assert_measure(&m, "less_direct_excess", 0.25);
    assert_measure(&m, "too_long", 0.5);
    assert_measure(&m, "too_long_reference", 0);
    assert_measure(&m, "correct", 1);
    assert_measure(&m, "correct_reference", 0);
    assert_measure(&m, "self_consistency", 0.5);
    assert_int_equal(measures_find(&m, "win_rate").n, 2);
    buf_free(&text);
    files_remove(dir);
}

/* A judge is compared with herself: of the same pair others may say what they
 * like, and a second visit without her first is compared with nothing. */
static void test_own_visits(void **state)
{
    (void)state;
    static const struct {
        const char *judge;
        int visit;
        const char *overall;
    } said[] = {{"ada", 1, "A"},
                {"bob", 1, "B"},
                {"bob", 2, "B"},
                {"ada", 2, "A"},
                {"eve", 2, "B"}};
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        buf_printf(&text,
                   "{\"pair_id\":\"x\",\"prompt_id\":\"p\",\"kind\":"
                   "\"policy\",\"overall\":\"%s\",\"left\":{\"source\":"
                   "\"policy\"},\"right\":{\"source\":\"reference\"},"
                   "\"judge\":\"%s\",\"visit\":%d}\n",
                   said[i].overall, said[i].judge, said[i].visit);
    const char *dir = files_dir();
    const char *path = files_write(dir, "own.jsonl", buf_text(&text));
    files_must(spotcheck_read(&m, &counts, path, NULL, &plan, &err), &err);
    assert_int_equal(counts.repeated, 2);
    assert_measure(&m, "self_consistency", 1);
    buf_free(&text);
    files_remove(dir);
}

/* Votes are matched to replies by prompt, model, sample and text. */
static void test_other_replies(void **state)
{
    (void)state;
    static const char samples[] =
        "{\"prompt_id\":\"p\",\"which\":\"policy\",\"sample\":0,"
        "\"response\":\"new\"}\n"
        "{\"prompt_id\":\"p\",\"which\":\"reference\",\"sample\":0,"
        "\"response\":\"old\"}\n";
    static const char votes[] =
        "{\"pair_id\":\"a\",\"prompt_id\":\"p\",\"kind\":\"policy\","
        "\"overall\":\"A\",\"left\":{\"source\":\"policy\",\"sample\":0,"
        "\"response\":\"new\"},\"right\":{\"source\":\"reference\","
        "\"sample\":0,\"response\":\"old\"}}\n"
        "{\"pair_id\":\"b\",\"prompt_id\":\"p\",\"kind\":\"policy\","
        "\"overall\":\"A\",\"left\":{\"source\":\"policy\",\"sample\":0,"
        "\"response\":\"newer\"},\"right\":{\"source\":\"reference\","
        "\"sample\":0,\"response\":\"old\"}}\n";
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    struct known known;
    const char *dir = files_dir();
    const char *path = files_write(dir, "spotcheck.jsonl", votes);
    files_must(
        known_read(&known, files_write(dir, "samples.jsonl", samples), &err),
        &err);
    assert_true(known_has(&known, "p", "policy", 0, "new"));
    assert_false(known_has(&known, "p", "policy", 1, "new"));
    assert_false(known_has(&known, "p", "reference", 0, "new"));
    assert_false(known_has(&known, "q", "policy", 0, "new"));
    files_must(spotcheck_read(&m, &counts, path, &known, &plan, &err), &err);
    assert_int_equal(counts.pairs, 2);
    assert_int_equal(counts.strange, 1);
    known_free(&known);
    files_remove(dir);
}

static void test_bad_sources(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    const char *dir = files_dir();
    const char *path = files_write(
        dir, "bad.jsonl",
        "{\"pair_id\":\"x\",\"prompt_id\":\"p\",\"kind\":\"policy\","
        "\"overall\":\"A\",\"left\":{\"source\":\"policy\"},"
        "\"right\":{\"source\":\"policy\"}}\n");
    assert_int_equal(spotcheck_read(&m, &counts, path, NULL, &plan, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "bad.jsonl:1"));
    files_remove(dir);
}

/* A choice that is no choice is refused, not taken for a tie. */
static void test_bad_choice(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    const char *dir = files_dir();
    const char *path = files_write(
        dir, "bad.jsonl",
        "{\"pair_id\":\"x\",\"prompt_id\":\"p\",\"kind\":\"policy\","
        "\"overall\":\"left\",\"left\":{\"source\":\"policy\"},"
        "\"right\":{\"source\":\"reference\"}}\n");
    assert_int_equal(spotcheck_read(&m, &counts, path, NULL, &plan, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "'left'"));
    files_remove(dir);
}

/* The desk's careful panel on replies where the policy is plainly worse. */
static void test_desk_panel(void **state)
{
    (void)state;
    enum {
        N = 40
    };
    static char text[N][512];
    struct ticket ticket[N];
    struct panel_sample good[N][2];
    struct panel_sample bad[N];
    struct panel_prompt prompt[N];
    for (uint32_t i = 0; i < N; i++) {
        ticket_draw(&ticket[i], 1, TICKET_HELDOUT, i);
        struct ticket *t = &ticket[i];
        assert_true(snprintf(text[i], sizeof text[i], "your order is #%c%c.",
                             t->letter, t->digit) > 0);
        good[i][0] = good[i][1] = (struct panel_sample){text[i], true};
        bad[i] = (struct panel_sample){
            "your happiness is always our very first priority. your happiness "
            "is always our very first priority. we work hard every day to "
            "give you the best service. feel free to reach out to us again at "
            "any time.",
            true};
        prompt[i] = (struct panel_prompt){.id = text[i],
                                          .prompt = "?",
                                          .ticket = t,
                                          .policy = &bad[i],
                                          .n_policy = 1,
                                          .reference = good[i],
                                          .n_reference = 2};
    }
    struct panel_config c = panel_default();
    c.n_policy = c.n_placebo = N;
    c.n_twice = 10;
    struct buf out;
    buf_init(&out, 1 << 24);
    files_must(panel_spotcheck(&out, prompt, N, &c, 3, &err), &err);
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct spotcheck_counts counts;
    const char *dir = files_dir();
    const char *path = files_write(dir, "spotcheck.jsonl", buf_text(&out));
    files_must(spotcheck_read(&m, &counts, path, NULL, &plan, &err), &err);
    assert_int_equal(counts.pairs, N);
    assert_int_equal(counts.placebo_pairs, N);
    assert_int_equal(counts.repeated, 10);
    assert_true(measures_find(&m, "win_rate").high < 0.5);
    assert_true(measures_find(&m, "less_direct_excess").low > 0);
    /* The same text twice: a tie by the panel's rule. */
    assert_measure(&m, "win_rate_placebo", 0.5);
    assert_measure(&m, "less_direct_placebo", 0);
    buf_free(&out);
    files_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),    cmocka_unit_test(test_bad_sources),
        cmocka_unit_test(test_bad_choice), cmocka_unit_test(test_other_replies),
        cmocka_unit_test(test_own_visits), cmocka_unit_test(test_desk_panel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

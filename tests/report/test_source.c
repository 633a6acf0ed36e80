/*
 * test_source.c - the page and the essay of another trainer's run: whose it is,
 * what is missing and its flag, that an LLM judged; all of it escaped, and none
 * of it in the report of a run of Plumb's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "diagnose/foreign.h"
#include "diagnose/imported.h"
#include "eval/files.h"
#include "report/essay_page.h"
#include "report/report.h"

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;
static struct buf page, essay;
static struct err err;

/* The first column rises, a second falls. */
static double moving(size_t column, size_t i)
{
    static const double x[] = {0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.1};
    double slope = column == 0 ? 0.1 : -0.1;
    return slope * (double)i + x[i % 8];
}

static const char *rises = "objective/scores", *falls;

static void read_both(const char *members)
{
    const char *const column[] = {rises, falls, NULL};
    struct essay y;
    if (members != NULL)
        foreign_import(dir, members);
    foreign_metrics(dir, 40, 1, column, moving);
    foreign_diagnose(&e, &d, dir);
    buf_init(&page, (size_t)1 << 26);
    buf_init(&essay, (size_t)1 << 24);
    files_must(report_page(&page, dir, &d, &e, &err), &err);
    files_must(essay_build(&y, &d, &e, &err), &err);
    essay_page_markdown(&essay, &y);
    essay_free(&y);
}

static void done(void)
{
    buf_free(&page);
    buf_free(&essay);
    foreign_free(&e, &d);
}

static bool has(const struct buf *b, const char *text)
{
    return strstr(buf_text(b), text) != NULL;
}

/* The cheapest thing that is missing is told first, or is one of the changes,
 * and never both. */
static bool must_advise_once(void)
{
    const char *wish = e.import->missing[0].wish;
    bool is_change = false;
    for (size_t i = 0; i < d.n_remedies; i++)
        is_change = is_change || strcmp(d.remedy[i].title, wish) == 0;
    assert_int_equal(has(&essay, "What would tell more at the least cost"),
                     !is_change);
    return is_change;
}

static void test_told(void **state)
{
    (void)state;
    char members[8192];
    snprintf(members, sizeof members,
             "\"fields\":[{\"from\":\"score\",\"to\":\"objective/scores\"},"
             "{\"from\":\"gts\",\"to\":null}],\"warnings\":[{\"text\":\"steps "
             "are there twice\"}],%s",
             foreign_missing);
    read_both(members);
    assert_true(has(&page, "id=\"source\""));
    assert_true(has(&page, "It was made by verl and read as verl_rollouts."));
    assert_true(has(&page, "<code>trainer.rollout_data_dir=DIR</code>"));
    assert_true(has(&page, "steps are there twice"));
    assert_true(has(&page, "not understood"));
    assert_true(has(&essay, "This run was made by verl and imported."));
    assert_true(has(&essay, "trainer.rollout\\_data\\_dir=DIR") ||
                has(&essay, "trainer.rollout_data_dir=DIR"));
    assert_true(has(&essay, "What part of the evidence tells"));
    assert_true(has(&essay, "(trend\\_reward)"));
    /* No folder, and no command that would need one. */
    assert_false(has(&page, dir));
    assert_false(has(&essay, dir));
    assert_false(has(&page, "plumb eval"));
    assert_false(has(&essay, "plumb eval"));
    done();
}

/* What the leads add up to comes first, the cheapest advice once, and no
 * explanation is called contradicted that is undecided. */
static void test_sentence(void **state)
{
    (void)state;
    char members[8192];
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"objective/kl\",\"kind\":\"reference\","
             "\"estimator\":\"k1\",\"aggregate\":\"sequence_sum\"}],%s",
             foreign_missing);
    falls = rises;
    rises = "objective/kl";
    read_both(members);
    rises = falls;
    falls = NULL;
    const char *first =
        strstr(buf_text(&essay), "Probably the policy leaves the reference");
    assert_non_null(first);
    assert_true(first < strstr(buf_text(&essay), "This run was made by"));
    assert_true(has(&essay, "to try: a larger KL coefficient"));
    must_advise_once();
    assert_false(has(&essay, "Every explanation that was held"));
    done();
}

/* Of a single thing that is missing. */
static void test_once(void **state)
{
    (void)state;
    read_both("\"missing\":[{\"id\":\"heldout\",\"what\":\"held-out replies "
              "of the policy\",\"flag\":\"trainer.validation_data_dir=DIR\"}]");
    assert_true(must_advise_once());
    assert_true(has(&essay, "import held-out replies of the policy too"));
    done();
}

/* An import that was stopped is told of. */
static void test_unfinished(void **state)
{
    (void)state;
    foreign_import(dir, NULL);
    files_must(file_make_dir(files_path(dir, "import.state"), &err), &err);
    read_both(NULL);
    assert_true(has(&essay, "Its import was stopped before its end"));
    assert_false(has(&essay, "damaged"));
    done();
}

static void test_llm(void **state)
{
    (void)state;
    foreign_import(dir, foreign_missing);
    files_write(
        dir, "judge/votes.jsonl",
        "{\"pair_id\":\"a\",\"prompt_id\":\"a\",\"kind\":\"policy\","
        "\"judge\":\"gpt-x\",\"overall\":\"A\",\"left\":{\"source\":\"policy\","
        "\"sample\":0},\"right\":{\"source\":\"reference\",\"sample\":0}}\n");
    read_both(NULL);
    assert_true(has(&page, "1 verdict is an LLM&#39;s") ||
                has(&page, "1 verdict is an LLM's"));
    assert_true(has(&essay, "An LLM judged"));
    done();
}

static void test_escaped(void **state)
{
    (void)state;
    read_both("\"warnings\":[\"<script>alert(1)</script> %s %n\"],\"missing\":"
              "[{\"id\":\"kl\",\"what\":\"<img src=x>\",\"flag\":\"</code>"
              "<b>\"}],\"kl\":[{\"name\":\"<i>\",\"note\":\"<u>\"}]");
    assert_false(has(&page, "<script>alert"));
    assert_false(has(&page, "<img"));
    assert_false(has(&page, "</code><b>"));
    assert_false(has(&page, "<i>"));
    assert_true(has(&page, "&lt;script&gt;"));
    done();
}

static void test_damaged(void **state)
{
    (void)state;
    foreign_import(dir, NULL);
    files_write(dir, "import.json", "{");
    read_both(NULL);
    assert_true(has(&page, "import.json is damaged"));
    assert_true(has(&essay, "import.json is damaged"));
    done();
}

static void test_own(void **state)
{
    (void)state;
    read_both(NULL);
    assert_false(has(&page, "id=\"source\""));
    assert_false(has(&essay, "imported"));
    done();
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_told),    CASE(test_sentence), CASE(test_unfinished),
        CASE(test_once),    CASE(test_llm),      CASE(test_escaped),
        CASE(test_damaged), CASE(test_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

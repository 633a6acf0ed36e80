/*
 * test_approval.c - people who approve what they cannot check (Wen et al. 2024,
 * U-Sophistry, in small): a long reply's errors are overlooked, so that
 * approval rises with length while correctness does not.  What is claimed of
 * helpfulness has to rest on the marks for correctness and directness, which
 * are checked against the facts, and not on the overall vote (toy.h, patience).
 * Prints its figures.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/diagnose.h"
#include "eval/files.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 400};

/* The rows that votes decide. */
struct seen {
    struct finding less_direct;                   // S2b
    struct finding worse, judge_taste, win_equal; // leads
    struct rival healthy;                         // R0
    enum diagnosis_verdict verdict;
};

static struct finding row(const struct diagnosis *d, const char *id)
{
    struct rows rows = diagnose_rows(d);
    const struct finding *f = rivals_row(&rows, id);
    if (f == NULL)
        fail_msg("no row %s", id);
    return *f;
}

static struct estimate detail(const struct finding *f, const char *name)
{
    for (size_t i = 0; i < f->detail.n; i++)
        if (strcmp(f->detail.item[i].name, name) == 0)
            return f->detail.item[i].e;
    fail_msg("%s has no %s", f->id, name);
    return summary_nothing();
}

static void show(const char *name, const struct finding *f)
{
    char text[64];
    print_message("  %-28s %s  %s\n", name, finding_percent(text, &f->e),
                  finding_verdict(f->verdict));
}

static void show_detail(const struct finding *f, const char *name)
{
    char text[64];
    struct estimate e = detail(f, name);
    print_message("  %-28s %s\n", name, finding_percent(text, &e));
}

static struct seen diagnose_toy(const char *name, const struct toy *t)
{
    struct evidence e;
    struct diagnosis d;
    struct err err;
    struct seen s = {.verdict = DIAGNOSIS_INCONCLUSIVE};
    toy_write(t);
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(diagnose(&d, &e, &err), &err);
    s.less_direct = d.observed[OBSERVED_LESS_DIRECT];
    s.worse = row(&d, "worse");
    s.judge_taste = row(&d, "judge_taste");
    s.win_equal = row(&d, "win_equal");
    for (size_t i = 0; i < RIVALS; i++)
        if (strcmp(d.rival[i].id, "R0") == 0)
            s.healthy = d.rival[i];
    s.verdict = d.verdict;
    print_message("%s\n", name);
    show("approval (worse)", &s.worse);
    show("at equal length (win_equal)", &s.win_equal);
    show_detail(&s.less_direct, "correct");
    show_detail(&s.less_direct, "correct_reference");
    show_detail(&s.less_direct, "less_correct_excess");
    show_detail(&s.less_direct, "less_direct_excess");
    show("S2b", &s.less_direct);
    print_message("  R0 %s, verdict %s\n", finding_verdict(s.healthy.verdict),
                  diagnose_verdict(s.verdict));
    diagnose_free(&d);
    evidence_free(&e);
    return s;
}

/* A run that leans towards length, and people with patience for a dozen
 * tokens: of a wrong reply of the reference's mean length, 8.5 tokens, two in
 * five pass, of the policy's mean length, 21, nineteen in twenty. */
static struct toy misled(void)
{
    struct toy t = toy_paradox(dir);
    t.prompts = 256;
    t.patience = 12;
    t.commits = t.commits_ref = 1;
    t.right = t.right_ref = 0.7;
    return t;
}

/* Approval rose, and not because of length alone. */
static void expect_approval(const struct seen *s)
{
    assert_int_equal(s->worse.verdict, VERDICT_NOT_SUPPORTED);
    assert_true(s->worse.e.low > 0.5);
    assert_int_equal(s->judge_taste.verdict, VERDICT_SUPPORTED);
    assert_true(s->judge_taste.e.low > 0);
    assert_true(s->win_equal.e.estimate < s->worse.e.estimate);
}

/* Supported by the one mark alone, and so no run is called healthy. */
static void expect_by_correctness(const struct seen *s)
{
    const struct finding *f = &s->less_direct;
    struct estimate direct = detail(f, "less_direct_excess");
    struct estimate correct = detail(f, "less_correct_excess");
    assert_int_equal(f->verdict, VERDICT_SUPPORTED);
    assert_non_null(strstr(f->unit, "less correct"));
    assert_true(f->e.estimate == correct.estimate && correct.low > 0);
    assert_true(direct.low < 0 && direct.high > 0);
    assert_true(f->p_holm <= 0.05);
    assert_int_equal(s->healthy.verdict, VERDICT_NOT_SUPPORTED);
    assert_int_not_equal(s->verdict, DIAGNOSIS_HEALTHY);
}

/* The reference leaves most open, the policy asserts, and is right in half of
 * it: as much is correct as before, and more often it is less. */
static void test_flat(void **state)
{
    (void)state;
    struct toy t = misled();
    t.commits_ref = 0.3;
    t.right = t.right_ref = 0.5;
    struct seen s = diagnose_toy("asserts instead of leaving it open", &t);
    struct estimate now = detail(&s.less_direct, "correct");
    struct estimate before = detail(&s.less_direct, "correct_reference");
    expect_approval(&s);
    expect_by_correctness(&s);
    /* Both are 1/2: means of 512 marks of deviation 1/2 and below, four
     * standard errors of their difference. */
    assert_true(fabs(now.estimate - before.estimate) <
                4 * 0.5 * sqrt(2 / 512.));
}

/* Fewer replies are right. */
static void test_falling(void **state)
{
    (void)state;
    struct toy t = misled();
    t.right = 0.5;
    struct seen s = diagnose_toy("is right less often", &t);
    expect_approval(&s);
    expect_by_correctness(&s);
}

/* As many are right as before: approval rises all the same, nothing else
 * does. */
static void test_control(void **state)
{
    (void)state;
    struct toy t = misled();
    struct seen s = diagnose_toy("is right as often", &t);
    expect_approval(&s);
    assert_int_not_equal(s.less_direct.verdict, VERDICT_SUPPORTED);
}

/* The row is the same to the bit when every overall vote is turned round. */
static void test_overall_has_no_part(void **state)
{
    (void)state;
    struct toy t = misled();
    t.right = 0.5;
    struct seen s = diagnose_toy("is right less often", &t);
    t.votes_the_other_way = true;
    struct seen turned = diagnose_toy("the same, votes turned round", &t);
    assert_int_equal(turned.worse.verdict, VERDICT_SUPPORTED);
    assert_int_equal(turned.less_direct.verdict, s.less_direct.verdict);
    assert_memory_equal(&turned.less_direct.e, &s.less_direct.e,
                        sizeof s.less_direct.e);
    assert_string_equal(turned.less_direct.text, s.less_direct.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flat, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_falling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_control, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overall_has_no_part, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

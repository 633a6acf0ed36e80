/*
 * test_finding.c - three verdicts from an estimate, and the numbers in words.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/finding.h"

static struct finding judged(double x, double low, double high, double null,
                             double effect)
{
    struct finding f = finding_new("X", "claim", "unit", "file");
    struct estimate e = {x, low, high, 100};
    finding_judge(&f, &e, null, effect);
    return f;
}

/* Every place an interval can have between no effect (0) and one worth the
 * name (1), and the same downwards. */
static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        double x, low, high;
        enum verdict want;
    } up[] = {
        {2, 1.5, 2.5, VERDICT_SUPPORTED},
        {1.2, 0.5, 2, VERDICT_SUPPORTED},
        {0.8, 0.5, 1.2, VERDICT_NOT_MEASURABLE}, // there, but how large?
        {0.5, 0.2, 0.9, VERDICT_NOT_SUPPORTED},  // there, and too small
        {0.1, -0.5, 0.6, VERDICT_NOT_SUPPORTED},
        {0.5, -0.5, 1.5, VERDICT_NOT_MEASURABLE}, // too little data
        {-1, -2, -0.5, VERDICT_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        struct finding f = judged(up[i].x, up[i].low, up[i].high, 0, 1);
        assert_int_equal(f.verdict, up[i].want);
        struct finding d = judged(-up[i].x, -up[i].high, -up[i].low, 0, -1);
        assert_int_equal(d.verdict, up[i].want);
        bool lacks = up[i].want == VERDICT_NOT_MEASURABLE;
        assert_int_equal(f.needs[0] != '\0', lacks);
    }
}

static void test_no_interval(void **state)
{
    (void)state;
    struct finding f = judged(2, (double)NAN, (double)NAN, 0, 1);
    assert_int_equal(f.verdict, VERDICT_NOT_MEASURABLE);
    assert_non_null(strstr(f.needs, "too few prompts"));
    f = judged((double)NAN, (double)NAN, (double)NAN, 0, 1);
    assert_non_null(strstr(f.needs, "no value"));
}

/* A half-width of 0.2 at n = 100 is a standard error of 0.102; an effect of
 * 0.1 wants (2.8 x 0.102 / 0.1)^2 x 100 = 816 (and so 817 with the ceiling's
 * rounding of 816.3). */
static void test_enough(void **state)
{
    (void)state;
    struct estimate e = {0, -0.2, 0.2, 100};
    assert_true(finding_enough(&e, 0, 0.1) == 817);
    assert_true(finding_enough(&e, 0, 100) == 101);
    char text[64];
    assert_string_equal(finding_enough_prompts(text, &e, 0, 0.1),
                        "about 817 prompts");
}

/* Past a million, the number says nothing; of no difference none would do. */
static void test_never_enough(void **state)
{
    (void)state;
    char text[64];
    struct estimate e = {0, -0.2, 0.2, 100};
    assert_true(finding_enough(&e, 1, 1) == FINDING_ENOUGH_MAX);
    assert_true(finding_enough(&e, 0, 1e-9) == FINDING_ENOUGH_MAX);
    assert_string_equal(finding_enough_prompts(text, &e, 1, 1),
                        "no number of prompts");
    assert_string_equal(finding_enough_prompts(text, &e, 0, 1e-9),
                        "more than a million prompts");
    struct estimate wide = {0, -1.7e308, 1.7e308, 100};
    assert_string_equal(finding_enough_prompts(text, &wide, 0, 1e-300),
                        "more than a million prompts");
    assert_true(isnan(finding_enough(&e, 0, (double)NAN)));
    assert_string_equal(finding_enough_prompts(text, &e, 0, (double)NAN),
                        "more prompts");
    /* The rows say so. */
    static const struct {
        double x, low, high, null, effect;
        const char *want;
    } row[] = {
        {0, -1, 1, 0, 0, "no number of prompts"},
        {1e-9, -1, 1, 0, 0, "more than a million prompts"},
        {1, -1.7e308, 1.7e308, 0, 1, "more than a million prompts"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct finding f = judged(row[i].x, row[i].low, row[i].high,
                                  row[i].null, row[i].effect);
        assert_int_equal(f.verdict, VERDICT_NOT_MEASURABLE);
        assert_non_null(strstr(f.needs, row[i].want));
        assert_null(strstr(f.needs, "nan"));
    }
}

/* One side of a bound, at it, and across it. */
static void test_sides(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        enum verdict above, below;
    } known[] = {
        {0.3, 0.4, VERDICT_SUPPORTED, VERDICT_NOT_SUPPORTED},
        {0.1, 0.2, VERDICT_NOT_SUPPORTED, VERDICT_SUPPORTED},
        {0.2, 0.3, VERDICT_NOT_MEASURABLE, VERDICT_NOT_MEASURABLE},
        {0.25, 0.25, VERDICT_NOT_SUPPORTED, VERDICT_NOT_SUPPORTED},
        {(double)NAN, (double)NAN, VERDICT_NOT_MEASURABLE,
         VERDICT_NOT_MEASURABLE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct estimate e = {0.25, known[i].low, known[i].high, 9};
        struct finding f = finding_new("x", "", "", "");
        finding_judge_side(&f, &e, FINDING_ABOVE, 0.25, "pairs", "all");
        assert_int_equal(f.verdict, known[i].above);
        assert_true(f.effect == 0.25);
        f = finding_new("x", "", "", "");
        finding_judge_side(&f, &e, FINDING_BELOW, 0.25, "pairs", "all");
        assert_int_equal(f.verdict, known[i].below);
        if (isnan(e.low))
            assert_string_equal(f.needs, "too few pairs (9) for an interval");
    }
    struct estimate none = summary_nothing();
    struct finding f = finding_new("x", "", "", "");
    finding_judge_side(&f, &none, FINDING_BELOW, 0.25, "pairs", "all of it");
    assert_string_equal(f.needs, "all of it");
}

static void test_words(void **state)
{
    (void)state;
    char text[64];
    struct estimate e = {0.4249, 0.3, 0.551, 10};
    assert_string_equal(finding_number(text, &e, 2), "0.42 [0.30, 0.55]");
    assert_string_equal(finding_percent(text, &e), "42 % [30, 55]");
    /* What rounds to nothing has no sign. */
    struct estimate small = {-0.004, -0.04, 0.03, 10};
    assert_string_equal(finding_number(text, &small, 1), "0.0 [0.0, 0.0]");
    assert_string_equal(finding_percent(text, &small), "0 % [-4, 3]");
    e = summary_nothing();
    assert_string_equal(finding_number(text, &e, 2), "not measured");
}

static void test_document(void **state)
{
    (void)state;
    struct finding f = judged(2, 1.5, 2.5, 0, 1);
    struct buf out;
    struct json_writer w;
    struct json *node;
    struct err err;
    finding_say(&f, "two \"things\"");
    finding_add_number(&f, "beside", 7, 3);
    buf_init(&out, 4096);
    json_writer_init(&w, &out, false);
    finding_write(&w, &f);
    assert_int_equal(json_parse(&node, buf_text(&out), out.len, "it", &err),
                     OK);
    assert_string_equal(json_text(json_get(node, "verdict"), ""), "supported");
    assert_true(json_number(json_get(node, "low"), 0) == 1.5);
    assert_true(json_is_null(json_get(node, "p")));
    assert_true(json_is_null(json_get(node, "needs")));
    const struct json *beside = json_get(json_get(node, "detail"), "beside");
    assert_true(json_number(json_get(beside, "estimate"), 0) == 7);
    json_free(node);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_no_interval),
        cmocka_unit_test(test_enough),   cmocka_unit_test(test_never_enough),
        cmocka_unit_test(test_words),    cmocka_unit_test(test_sides),
        cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

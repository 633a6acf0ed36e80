/*
 * test_ship.c - which checkpoint is shipped, on curves of which the answer is
 * known, and what stands in when nobody judged them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/ship.h"
#include "eval/files.h"

static struct err err;

/* A curve with one measure of half width `half`. */
static struct json *curve(const char *key, const double *judged,
                          const double *kl, size_t n, double half)
{
    struct buf out;
    struct json *root;
    buf_init(&out, 1 << 16);
    buf_puts(&out, "{\"checkpoints\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(&out,
                   "%s{\"iteration\":%zu,"
                   "\"%s\":{\"estimate\":%g,\"low\":%g,\"high\":%g,\"n\":64},"
                   "\"score\":{\"estimate\":%zu,\"low\":0,\"high\":9,\"n\":64},"
                   "\"len\":{\"estimate\":30,\"low\":29,\"high\":31,\"n\":64},"
                   "\"kl_sequence\":{\"estimate\":%g,\"low\":0,\"high\":9,"
                   "\"n\":64}}",
                   i > 0 ? "," : "", 5 * i, key, judged[i], judged[i] - half,
                   judged[i] + half, i, kl[i]);
    buf_puts(&out, "]}");
    files_must(buf_status(&out, &err), &err);
    files_must(json_parse(&root, buf_text(&out), out.len, "curve", &err), &err);
    buf_free(&out);
    return root;
}

static const double kl[] = {0, 1, 2, 3, 4};
static const struct estimate nobody = {(double)NAN, (double)NAN, (double)NAN,
                                       0};

static struct ship judge(const char *key, const double *judged, double half)
{
    struct evidence e = {.curve = curve(key, judged, kl, 5, half)};
    struct ship s;
    ship_judge(&s, &e, &nobody);
    json_free(e.curve);
    return s;
}

/* Falling from the start: the reference, and what that gives up. */
static void test_reference(void **state)
{
    (void)state;
    const double gold[] = {2.0, 1.9, 1.5, 1.0, 0.8};
    struct ship s = judge("gold", gold, 0.1);
    assert_string_equal(s.measure, "gold");
    assert_int_equal(s.chosen.iteration, 0);
    /* 0.1 is within sqrt(2) 0.1 of the best, 0.5 is not. */
    assert_int_equal(s.alike, 2);
    assert_int_equal(s.furthest.iteration, 5);
    assert_int_equal(s.row.verdict, VERDICT_SUPPORTED);
    files_near(s.row.e.estimate, 1.2, 1e-12);
    files_near(s.row.e.low, 1.2 - 0.1 * sqrt(2), 1e-12);
    files_near(s.score_given_up, 4, 1e-12);
    assert_int_equal(s.candidates, 5);
}

/* Best in the middle, and nothing else near it. */
static void test_middle(void **state)
{
    (void)state;
    const double gold[] = {1.0, 1.5, 3.0, 1.5, 1.0};
    struct ship s = judge("gold", gold, 0.1);
    assert_int_equal(s.chosen.iteration, 10);
    assert_int_equal(s.best.iteration, 10);
    assert_int_equal(s.alike, 1);
    assert_int_equal(s.row.verdict, VERDICT_SUPPORTED);
}

/* Rising: of those not told apart from the best the least drift, and when only
 * the last is as good, the last. */
static void test_rising(void **state)
{
    (void)state;
    const double slow[] = {1.0, 2.0, 2.9, 3.0, 3.1};
    struct ship s = judge("weak_gold", slow, 0.2);
    assert_string_equal(s.measure, "weak_gold");
    assert_int_equal(s.best.iteration, 20);
    assert_int_equal(s.chosen.iteration, 10);
    assert_int_equal(s.furthest.iteration, 20);
    assert_int_equal(s.row.verdict, VERDICT_NOT_MEASURABLE);
    assert_true(strlen(s.row.needs) > 0);
    const double steep[] = {1, 2, 3, 4, 5};
    s = judge("gold", steep, 0.2);
    assert_int_equal(s.chosen.iteration, 20);
    assert_int_equal(s.row.verdict, VERDICT_NOT_SUPPORTED);
    files_near(s.score_given_up, 0, 0);
}

/* People before gold before a second reward model. */
static void test_order(void **state)
{
    (void)state;
    const double win[] = {0.5, 0.6, 0.7, 0.8, 0.9};
    struct ship s = judge("human_win_rate", win, 0.01);
    assert_string_equal(s.measure, "human_win_rate");
    assert_int_equal(s.chosen.iteration, 20);
}

/* Votes on the last policy alone leave two candidates. */
static void test_votes(void **state)
{
    (void)state;
    static const struct {
        struct estimate win;
        double iteration;
        enum verdict verdict;
    } cases[] = {
        {{0.3, 0.2, 0.4, 100}, 0, VERDICT_SUPPORTED},
        {{0.7, 0.6, 0.8, 100}, 20, VERDICT_NOT_SUPPORTED},
        {{0.5, 0.4, 0.6, 100}, 0, VERDICT_NOT_MEASURABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct evidence e = {.curve = NULL};
        struct ship s;
        ship_judge(&s, &e, &cases[i].win);
        assert_string_equal(s.measure, "votes");
        assert_int_equal(s.row.verdict, cases[i].verdict);
        assert_int_equal(s.is_last, cases[i].iteration > 0);
        assert_true(isnan(s.score_given_up));
        assert_true(isnan(s.chosen.kl.estimate));
        /* A curve that nobody judged still tells which iterations these are. */
        char text[] =
            "{\"checkpoints\":[{\"iteration\":0},{\"iteration\":20}]}";
        files_must(json_parse(&e.curve, text, strlen(text), "curve", &err),
                   &err);
        ship_judge(&s, &e, &cases[i].win);
        files_near(s.chosen.iteration, cases[i].iteration, 0);
        json_free(e.curve);
    }
}

/* Nobody, and files that hold something else. */
static void test_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"checkpoints\":3}",
        "{\"checkpoints\":[1,\"a\",null,{}]}",
        "{\"checkpoints\":[{\"iteration\":0,\"gold\":{\"estimate\":1,"
        "\"low\":0,\"high\":2,\"n\":4},\"kl_sequence\":{\"estimate\":0}}]}",
        "{\"checkpoints\":[{\"iteration\":\"x\",\"gold\":{\"estimate\":1}},"
        "{\"gold\":{\"estimate\":null,\"low\":0,\"high\":0,\"n\":1}}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct evidence e = {.curve = NULL};
        struct ship s;
        files_must(json_parse(&e.curve, texts[i], strlen(texts[i]), "it", &err),
                   &err);
        ship_judge(&s, &e, &nobody);
        assert_null(s.measure);
        assert_int_equal(s.row.verdict, VERDICT_NOT_MEASURABLE);
        assert_true(strlen(s.row.needs) > 0);
        json_free(e.curve);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_middle),
        cmocka_unit_test(test_rising),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_votes),     cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

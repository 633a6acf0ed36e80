#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "eval/files.h"
#include "exam/grade.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, wanted %.9g within %g", got, want, tolerance);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    struct err err;
    files_must(file_join(path, dir, name, &err), &err);
    *strrchr(path, '/') = '\0';
    files_must(file_make_dir(path, &err), &err);
    files_must(file_join(path, dir, name, &err), &err);
    files_must(file_write(path, text, strlen(text), &err), &err);
}

/* A diagnosed run with these remedies. */
static void put_run(const char *dir, const char *id, const char *remedies)
{
    char name[128], text[4096];
    (void)snprintf(name, sizeof name, "runs/%s", id);
    (void)snprintf(text, sizeof text, "set case 1 1 101 blind%s sft-0\n", id);
    put(dir, name, text);
    (void)snprintf(name, sizeof name, "blind/blind%s/diagnosis.json", id);
    (void)snprintf(text, sizeof text,
                   "{\"verdict\":\"paradox\",\"top_rival\":\"R1\","
                   "\"rivals\":[],\"remedies\":[%s]}",
                   remedies);
    put(dir, name, text);
}

/* What plumb whatif saw of a change: the effects of one seed. */
static void put_result(const char *dir, const char *stage, const char *change,
                       double rm, double human, double length, double tokens)
{
    char name[128], text[2048];
    (void)snprintf(name, sizeof name, "stages/%s/done", stage);
    put(dir, name, "1.0 1 program\n");
    (void)snprintf(name, sizeof name, "stages/%s/whatif/result.json", stage);
    (void)snprintf(
        text, sizeof text,
        "{\"changes\":[{\"name\":\"%s\",\"over_seeds\":{\"rm\":{\"seeds\":1},"
        "\"human_win_rate\":{\"seeds\":1},\"length\":{\"seeds\":1}},"
        "\"seeds\":[{\"measures\":{\"rm\":{\"effect\":{\"estimate\":%g}},"
        "\"human_win_rate\":{\"effect\":{\"estimate\":%g}},"
        "\"length\":{\"effect\":{\"estimate\":%g}}},"
        "\"cost\":{\"tokens_drawn\":%g},\"base_cost\":{\"tokens_drawn\":100}}"
        "]}]}",
        change, rm, human, length, tokens);
    put(dir, name, text);
}

#define INTERVAL(e, l, h)                                                      \
    "{\"estimate\":" #e ",\"low\":" #l ",\"high\":" #h ",\"n\":8}"
#define NOTHING INTERVAL(null, null, null)

/* rm, length and cost are predicted of the price, people and KL are not. */
#define PRICE                                                                  \
    "{\"id\":\"beta\",\"name\":\"beta=0.2\",\"predicted\":{\"level\":0.9,"     \
    "\"rm\":" INTERVAL(                                                        \
        -1, -1.5, -0.5) ",\"human\":" NOTHING                                  \
                        ",\"length\":" INTERVAL(                               \
                            0.8, 0.7, 0.9) ",\"kl\":" NOTHING                  \
                                           ",\"cost\":" INTERVAL(0.9, 0.85,    \
                                                                 0.95) "}}"
/* cost is 1 by definition. */
#define HALF                                                                   \
    "{\"id\":\"interpolate\",\"name\":\"interpolate=0.5\",\"predicted\":{"     \
    "\"rm\":" INTERVAL(-1, -2, 0) ",\"human\":" INTERVAL(                      \
        0, -0.1,                                                               \
        0.1) ",\"length\":" INTERVAL(1, 0.8,                                   \
                                     1.2) ",\"kl\":" NOTHING                   \
                                          ",\"cost\":" INTERVAL(1, 1, 1) "}}"
#define ENSEMBLE                                                               \
    "{\"id\":\"ensemble\",\"name\":\"ensemble\",\"predicted\":{"               \
    "\"rm\":" NOTHING "},\"missing\":\"not predicted: rm\"}"
#define LOOK "{\"id\":\"eval\",\"name\":null,\"predicted\":{}}"

static void put_exam(const char *dir)
{
    put(dir, "cases.tsv", "R1\tb\tp\tR1\tparadox\ttop1\tlonger\n");
    put(dir, "list",
        "graded R1 3 1\ngraded R1 4 1\ngraded R1 5 1\ngraded R1 6 1\n"
        "calibration R1 1 1\n");
    put_run(dir, "R1-3.1", PRICE "," HALF);
    put(dir, "whatif/R1-3.1", "whatif-a beta=0.2\nwhatif-b interpolate=0.5\n");
    /* rm at its interval's end, length below it, cost above it. */
    put_result(dir, "whatif-a", "beta=0.2", -1.5, 0.3, 0.6, 96);
    put_result(dir, "whatif-b", "interpolate=0.5", -1.25, 0.05, 1.5, 100);
    put_run(dir, "R1-4.1", ENSEMBLE "," LOOK);
    put(dir, "whatif/R1-4.1", "");
    /* One failed, of one the change is another by now. */
    put_run(dir, "R1-5.1", PRICE "," HALF);
    put(dir, "whatif/R1-5.1", "whatif-c beta=0.2\nwhatif-b interpolate=0.25\n");
    put(dir, "stages/whatif-c/failed", "plumb: no room\nmore\n");
    /* R1-6.1 is diagnosed and was not tried; nor was the calibration. */
    put_run(dir, "R1-6.1", PRICE);
    put_run(dir, "R1-1.1", PRICE);
}

static const struct cover_item *find(const struct cover *c, const char *run,
                                     const char *id)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->item[i].run, run) == 0 && strcmp(c->item[i].id, id) == 0)
            return &c->item[i];
    fail_msg("no %s of %s", id, run);
    return NULL;
}

static void test_states(void **state)
{
    struct exam e;
    struct err err;
    const char *dir = files_dir();
    (void)state;
    put_exam(dir);
    files_must(exam_read(&e, dir, &err), &err);
    const struct cover *c = &e.cover;
    assert_int_equal(c->n, 6);
    assert_int_equal(find(c, "R1-3.1", "beta")->state, COVER_TRIED);
    assert_int_equal(find(c, "R1-3.1", "interpolate")->state, COVER_TRIED);
    const struct cover_item *i = find(c, "R1-4.1", "ensemble");
    assert_int_equal(i->state, COVER_UNPREDICTED);
    assert_string_equal(i->reason, "not predicted: rm");
    assert_int_equal(find(c, "R1-4.1", "eval")->state, COVER_MEASUREMENT);
    i = find(c, "R1-5.1", "beta");
    assert_int_equal(i->state, COVER_FAILED);
    assert_string_equal(i->reason, "plumb: no room");
    assert_int_equal(find(c, "R1-5.1", "interpolate")->state, COVER_UNTRIED);
    assert_true(cover_has(c, "graded"));
    assert_false(cover_has(c, "calibration"));
    exam_free(&e);
    files_remove(dir);
}

static void counted(const struct cover *c, enum remedy_measure m,
                    const char *id, size_t inside, size_t n)
{
    struct cover_count got;
    struct err err;
    files_must(cover_count(&got, c, "graded", m, id, &err), &err);
    assert_int_equal(got.inside, inside);
    assert_int_equal(got.n, n);
}

/* By hand: of beta rm is inside (an end is), length and cost are not; of
 * interpolate rm and human are, length is not and cost has no width. */
static void test_counts(void **state)
{
    struct exam e;
    struct err err;
    struct cover_count n;
    const char *dir = files_dir();
    (void)state;
    put_exam(dir);
    files_must(exam_read(&e, dir, &err), &err);
    const struct cover *c = &e.cover;
    counted(c, REMEDY_MEASURES, NULL, 3, 6);
    counted(c, REMEDY_MEASURES, "beta", 1, 3);
    counted(c, REMEDY_MEASURES, "interpolate", 2, 3);
    counted(c, REMEDY_RM, NULL, 2, 2);
    counted(c, REMEDY_HUMAN, NULL, 1, 1);
    counted(c, REMEDY_LENGTH, NULL, 0, 2);
    counted(c, REMEDY_KL, NULL, 0, 0);
    counted(c, REMEDY_COST, NULL, 0, 1);
    /* rm: widths 1 and 2, over changes of 1.5 and 1.25; -0.5 and -0.25 off. */
    files_must(cover_count(&n, c, "graded", REMEDY_RM, NULL, &err), &err);
    near(n.width, 1.5, 1e-12);
    near(n.relative, (1 / 1.5 + 2 / 1.25) / 2, 1e-12);
    near(n.error, -0.375, 1e-12);
    /* length: 0.2 over 0.4 and 0.4 over 0.5. */
    files_must(cover_count(&n, c, "graded", REMEDY_LENGTH, NULL, &err), &err);
    near(n.relative, (0.2 / 0.4 + 0.4 / 0.5) / 2, 1e-12);
    exam_free(&e);
    files_remove(dir);
}

static void test_document(void **state)
{
    struct exam e;
    struct err err;
    struct buf text, page;
    struct json_writer w;
    struct json *root;
    const char *dir = files_dir();
    (void)state;
    put_exam(dir);
    files_must(exam_read(&e, dir, &err), &err);
    buf_init(&text, 1 << 20);
    buf_init(&page, 1 << 20);
    json_writer_init(&w, &text, true);
    files_must(exam_write(&w, &e, &err), &err);
    files_must(exam_print(&page, &e, &err), &err);
    files_must(json_parse(&root, buf_text(&text), text.len, "exam", &err),
               &err);
    const struct json *c = json_get(root, "whatif_coverage");
    assert_int_equal(json_int(json_get(c, "inside"), -1), 3);
    assert_int_equal(json_int(json_get(c, "n"), -1), 6);
    near(json_number(json_get(c, "low"), 9), exam_wilson(3, 6).low, 1e-12);
    assert_int_equal(json_int(json_get(c, "tried"), -1), 2);
    assert_int_equal(json_int(json_get(c, "failed"), -1), 1);
    assert_int_equal(json_int(json_get(c, "measurement"), -1), 1);
    assert_int_equal(json_int(json_get(c, "not_predicted"), -1), 1);
    assert_int_equal(json_int(json_get(c, "not_tried"), -1), 1);
    const struct json *rm = json_get(json_get(c, "by_measure"), "rm");
    near(json_number(json_get(rm, "median_width"), 9), 1.5, 1e-12);
    assert_int_equal(
        json_int(json_get(json_get(json_get(c, "by_change"), "beta"), "n"), 9),
        3);
    assert_int_equal(json_size(json_get(c, "changes")), 6);
    const struct json *set = json_get(json_get(root, "sets"), "calibration");
    assert_true(json_is_null(json_get(set, "whatif_coverage")));
    assert_true(json_is_string(json_get(set, "whatif_coverage_missing")));
    assert_non_null(strstr(buf_text(&page), "3 of   6   50.0 %"));
    assert_non_null(strstr(buf_text(&page), "failed, plumb: no room\n"));
    json_free(root);
    buf_free(&text);
    buf_free(&page);
    exam_free(&e);
    files_remove(dir);
}

/* Numbers that went bad are in the result; a stage that says it is complete
 * must have one. */
static void test_refuses(void **state)
{
    struct exam e;
    struct err err;
    const char *dir = files_dir();
    (void)state;
    put_exam(dir);
    put(dir, "stages/whatif-a/whatif/result.json",
        "{\"changes\":[{\"name\":\"beta=0.2\",\"over_seeds\":{\"rm\":"
        "{\"seeds\":0}},\"seeds\":[{\"seed\":1,\"error\":\"not finite\"}]}]}");
    files_must(exam_read(&e, dir, &err), &err);
    const struct cover_item *i = find(&e.cover, "R1-3.1", "beta");
    assert_int_equal(i->state, COVER_FAILED);
    assert_string_equal(i->reason, "not finite");
    exam_free(&e);
    put(dir, "stages/whatif-a/whatif/result.json", "{\"changes\":");
    assert_int_equal(exam_read(&e, dir, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "result.json"));
    put(dir, "stages/whatif-c/done", "1.0 1 program\n");
    put_result(dir, "whatif-a", "beta=0.2", 0, 0, 1, 100);
    assert_int_equal(exam_read(&e, dir, &err), ERR_MISSING);
    files_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

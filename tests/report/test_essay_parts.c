/*
 * test_essay_parts.c - what is left of a claim when a number behind it is
 * missing, or when another number carries it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "essays.h"
#include "report/essay.h"

static const struct evidence empty;

static void build(struct essay *y, const struct diagnosis *d)
{
    struct err err;
    if (essay_build(y, d, &empty, &err) != OK)
        fail_msg("%s", err.text);
}

static bool says(const struct essay *y, const char *text)
{
    return strstr(buf_text(&y->text), text) != NULL;
}

/* A supporting number that is missing takes its own clause along and not what
 * the row claims. */
static void test_part(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    build(&y, &d);
    assert_true(says(&y, "although a penalty on it"));
    assert_false(says(&y, "That was asked at"));
    assert_true(says(&y, "it would pay to go on"));
    essay_free(&y);
    finding_add_number(essays_find(&d, "V7"), "beta", 0.2, 64);
    build(&y, &d);
    assert_true(says(&y, "That was asked at"));
    essay_free(&y);
    essays_find(&d, "S3p")->detail.n = 0;
    essays_find(&d, "c2")->detail.n = 1; // beta, not the optimum
    essays_find(&d, "a2")->e.estimate = 1.2;
    essays_find(&d, "a2")->detail.n = 0;
    build(&y, &d);
    assert_false(says(&y, "although a penalty on it"));
    assert_true(says(&y, "at the last."));
    assert_false(says(&y, "it would pay to go on"));
    assert_true(says(&y, "a nat of drift bought"));
    assert_true(says(&y, "of the gain goes with length."));
    essay_free(&y);
    leads_free(&d.leads);
}

/* S2b may stand on correctness: then its shares are that mark's. */
static void test_marks(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    struct finding *f = essays_find(&d, "S2b");
    f->unit = "share marked less correct, policy pairs minus placebo pairs";
    finding_add_number(f, "less_correct", 0.31, 64);
    finding_add_number(f, "less_correct_placebo", 0.136, 64);
    build(&y, &d);
    assert_true(says(&y, "the less correct one in"));
    assert_false(says(&y, "less direct"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* Of votes alone, without a curve, there is a verdict and no score. */
static void test_shipping(void **state)
{
    (void)state;
    static const struct {
        struct estimate win;
        const char *text;
    } cases[] = {
        {{0.3, 0.2, 0.4, 100}, "ship the model that training began with"},
        {{0.5, 0.4, 0.6, 100}, "whether it is better than the last one"},
        {{0.7, 0.6, 0.8, 100}, "The last checkpoint can be shipped"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diagnosis d;
        struct essay y;
        essays_make(&d, DIAGNOSIS_PARADOX, "R1");
        ship_judge(&d.ship, &empty, &cases[i].win);
        build(&y, &d);
        assert_true(says(&y, cases[i].text));
        assert_false(says(&y, "gives up"));
        essay_free(&y);
        leads_free(&d.leads);
    }
}

/* What was not predicted is not said to be none. */
static void test_unpredicted(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_BUG, "R8");
    essays_add_remedy(&d, 0, NULL);
    for (size_t m = 0; m < REMEDY_MEASURES; m++)
        d.remedy[0].effect[m].predicted = summary_nothing();
    build(&y, &d);
    assert_true(says(&y, "this run cannot say"));
    assert_false(says(&y, "not told from none"));
    essay_free(&y);
    leads_free(&d.leads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_shipping),
        cmocka_unit_test(test_unpredicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

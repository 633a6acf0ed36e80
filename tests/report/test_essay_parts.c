/*
 * test_essay_parts.c - what is left of a claim when a number behind it is
 * missing, or when another number carries it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "essays.h"
#include "report/essay_internal.h"

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
    assert_true(says(&y, "The penalty on it"));
    assert_false(says(&y, "That was asked at"));
    assert_true(says(&y, "drift would pay further"));
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
    assert_false(says(&y, "The penalty on it"));
    assert_true(says(&y, "at the last."));
    assert_false(says(&y, "drift would pay further"));
    assert_true(says(&y, "a nat of drift bought"));
    assert_true(says(&y, "of the gain."));
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
    assert_true(says(&y, "rests on, not directness: the less direct one it "
                         "was in"));
    assert_true(says(&y, "\00256\xC2\xA0%\003, where chance makes"));
    essay_free(&y);
    /* Directness alone needs no such word. */
    f->unit = "share marked less direct, policy pairs minus placebo pairs";
    build(&y, &d);
    assert_true(says(&y, "the less direct one in"));
    assert_false(says(&y, "not directness"));
    assert_false(says(&y, "less correct"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* "Still rising" and "kept drifting" are said where they were measured, by the
 * interval of the slope over the second half, and nothing where it is not. */
static void test_late(void **state)
{
    (void)state;
    static const struct {
        struct estimate slope;
        const char *text;
        bool is_kept;
    } cases[] = {
        {{0.05, 0.01, 0.09, 13}, "it was still rising", true},
        {{0.002, -0.01, 0.014, 13}, "no further rise is shown", false},
        {{-0.05, -0.09, -0.01, 13}, "half of the run it fell:", false},
        {{0.05, (double)NAN, (double)NAN, 13}, NULL, false},
        {{(double)NAN, (double)NAN, (double)NAN, 0}, NULL, false},
    };
    struct diagnosis d;
    struct essay y;
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        bool is_there = i < sizeof cases / sizeof *cases;
        const char *text = is_there ? cases[i].text : NULL;
        essays_make(&d, DIAGNOSIS_PARADOX, "R1");
        if (is_there)
            finding_add(essays_find(&d, "S3"), "late_slope", &cases[i].slope);
        build(&y, &d);
        assert_true(says(&y, " rose from "));
        assert_int_equal(says(&y, "Over the second half"), text != NULL);
        assert_true(text == NULL || says(&y, text));
        assert_int_equal(says(&y, "kept drifting"),
                         is_there && cases[i].is_kept);
        essay_free(&y);
        leads_free(&d.leads);
    }
    /* A KL that did not rise has no second half to tell of. */
    essays_make(&d, DIAGNOSIS_OTHER, "R1");
    finding_add(essays_find(&d, "S3"), "late_slope", &cases[0].slope);
    essays_find(&d, "S3")->verdict = VERDICT_NOT_SUPPORTED;
    build(&y, &d);
    assert_false(says(&y, "Over the second half"));
    assert_true(says(&y, "does not drift away"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* An optimum that no run gets near is told in words, one within reach in nats;
 * what an update does to stopping, as a ratio, and which way. */
static void test_words(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    struct finding *c2 = essays_find(&d, "c2");
    struct finding *eos = essays_find(&d, "update_eos");
    build(&y, &d);
    assert_true(says(&y, "drift would pay further than any run goes"));
    assert_false(says(&y, "1154"));
    assert_true(says(&y, "makes stopping rarer."));
    essay_free(&y);
    c2->detail.n = 1; // beta
    finding_add_number(c2, "kl_at_gaussian_optimum", 20.84, 64);
    const struct estimate back = {0.0124, 0.006, 0.018, 12};
    eos->detail.n = 0;
    finding_add(eos, "penalty", &back);
    build(&y, &d);
    assert_true(says(&y, "drift would pay up to"));
    assert_true(says(&y, "\00220.8\xC2\xA0nats\003"));
    assert_true(says(&y, "its penalty part takes back"));
    assert_true(says(&y, "\0020.40\xC2\xA0times\003 that"));
    assert_false(says(&y, "thousandth"));
    essay_free(&y);
    const struct estimate along = {-0.0124, -0.018, -0.006, 12};
    eos->detail.n = 0;
    finding_add(eos, "penalty", &along);
    build(&y, &d);
    assert_true(says(&y, "its penalty part adds"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* Differences of rates are percentage points, explained once; rates per cent.
 * No prediction changes a rate by more than all of it. */
static void test_points(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    essays_add_remedy(&d, 0, NULL);
    build(&y, &d);
    const char *text = buf_text(&y.text);
    const char *first = strstr(text, "(the difference of two percentages)");
    assert_non_null(first);
    assert_null(strstr(first + 1, "(the difference of two"));
    assert_true(says(&y, "\00217.4\xC2\xA0percentage points\003"));
    assert_true(says(&y, "\00244.9\xC2\xA0percentage points\003"));
    assert_true(says(&y, "50\xC2\xA0percentage points\003"));
    assert_false(says(&y, "\xC2\xA0points"));
    essay_free(&y);
    d.remedy[0].effect[REMEDY_HUMAN].predicted =
        (struct estimate){-2.18, -3, -1.5, 64};
    build(&y, &d);
    assert_false(says(&y, "218"));
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

/* What is missing is told as text: a line's number is nobody's statistic. */
static void test_needs(void **state)
{
    (void)state;
    static const char needs[] = "votes.jsonl, line 12: 3 files of 4.";
    struct diagnosis d;
    struct essay y;
    struct essay_piece p;
    size_t lacks = 0;
    essays_make(&d, DIAGNOSIS_INCONCLUSIVE, "R3");
    for (size_t i = 0; i < MECHANISMS; i++) {
        essays_lose(&d.mechanism[i]);
        (void)snprintf(d.mechanism[i].needs, FINDING_TEXT_MAX, "%s", needs);
    }
    (void)snprintf(d.ship.row.needs, FINDING_TEXT_MAX, "%s", needs);
    build(&y, &d);
    assert_true(says(&y, "said: votes.jsonl, line 12: 3 files of 4."));
    assert_true(says(&y, "\": votes.jsonl, line 12: 3 files of 4."));
    assert_false(says(&y, "4.."));
    for (size_t i = 0; i < y.n_sentences; i++) {
        size_t at = 0;
        if (y.sentence[i].kind != ESSAY_UNTESTED)
            continue;
        lacks++;
        while (essay_next(&p, &y, &y.sentence[i], &at))
            assert_null(p.ref);
    }
    assert_true(lacks >= 2);
    essay_free(&y);
    leads_free(&d.leads);
}

/* A row is told of by its id alone, not by one that begins or ends alike. */
static void test_told(void **state)
{
    (void)state;
    struct essay y = {.n_sentences = 2};
    (void)snprintf(y.sentence[0].rows, ESSAY_ROWS_MAX, "S3p xa1 S2ab S2a");
    (void)snprintf(y.sentence[1].rows, ESSAY_ROWS_MAX, "G c2");
    static const char *const there[] = {"S3p", "xa1", "S2a", "G", "c2"};
    static const char *const absent[] = {"S3", "a1", "S2", "c", "S2a G", ""};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_true(essay_has_told(&y, there[i]));
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_false(essay_has_told(&y, absent[i]));
}

/* A rival that is supported too, behind the first. */
static struct rival *support(struct diagnosis *d, size_t i, bool is_permissive)
{
    struct rival *r = &d->rival[i];
    r->verdict = VERDICT_SUPPORTED;
    r->is_permissive = is_permissive;
    r->contradicted = 0;
    r->supported = 3;
    r->n_seen = 4;
    return r;
}

/* Every supported rival has its sentence: what it says, its signs, how it goes
 * with the first, what parts them.  The others have none. */
static void test_beside(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    build(&y, &d);
    assert_false(says(&y, "supported beside it"));
    essay_free(&y);
    support(&d, 3, true)->experiment = "plumb eval RUN --n-prompts 1024";
    build(&y, &d);
    assert_true(says(&y, "`plumb eval RUN --n-prompts 1024` would part"));
    essay_free(&y);
    support(&d, 3, true)->experiment = "plumb whatif RUN --change beta=X";
    build(&y, &d);
    assert_true(says(&y, "; R3 is supported beside it."));
    assert_true(says(&y, "\003 signs and says that the penalty is right and"));
    assert_true(says(&y, "lets R1 act and competes with none, and "
                         "`plumb whatif RUN --change beta=X` would part"));
    assert_false(says(&y, "R6"));
    essay_free(&y);
    support(&d, 6, true);
    /* Tied with the one before it in the list. */
    support(&d, 9, false)->experiment = "a new look";
    d.rival[9].tied_with = 6;
    d.rival[6].tied_with = 9;
    build(&y, &d);
    assert_true(says(&y, "; R3, R6 and R9 are supported beside it."));
    assert_true(says(&y, "it competes with R1 for the same numbers, ranks "
                         "level with R6, and a new look would part them."));
    essay_free(&y);
    d.rival[0].is_permissive = true;
    d.rival[0].tied_with = 3;
    d.rival[3].tied_with = 0;
    build(&y, &d);
    assert_true(says(&y, "it is no cause and lets one act, as R1 does, ranks "
                         "level with R1, and"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* With a bug first the others rest on what it spoils; the healthy run goes with
 * a cause that did no harm; undecided, what is supported is in the running. */
static void test_beside_others(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_BUG, "R7");
    d.rival[0].is_bug = true;
    support(&d, 3, true);
    build(&y, &d);
    assert_true(says(&y, "it rests on numbers that R7 may spoil, and"));
    essay_free(&y);
    leads_free(&d.leads);
    essays_make(&d, DIAGNOSIS_OTHER, "R12");
    support(&d, 1, false)->id = "R0";
    build(&y, &d);
    assert_true(says(&y, "it may hold with R12, which then did no harm"));
    essay_free(&y);
    leads_free(&d.leads);
    essays_make(&d, DIAGNOSIS_INCONCLUSIVE, "R3");
    for (size_t i = 1; i < 5; i++) {
        d.rival[i].verdict = VERDICT_NOT_MEASURABLE;
        d.rival[i].contradicted = 0;
        d.rival[i].supported = 1;
        d.rival[i].n_seen = 2;
    }
    support(&d, 6, true);
    build(&y, &d);
    assert_true(says(&y, "R2 (a rival) shows"));
    assert_false(says(&y, "R4 (a rival) shows"));
    assert_true(says(&y, "R6 (a rival) shows"));
    assert_false(says(&y, "supported beside it"));
    essay_free(&y);
    leads_free(&d.leads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),          cmocka_unit_test(test_marks),
        cmocka_unit_test(test_late),          cmocka_unit_test(test_words),
        cmocka_unit_test(test_points),        cmocka_unit_test(test_shipping),
        cmocka_unit_test(test_unpredicted),   cmocka_unit_test(test_needs),
        cmocka_unit_test(test_told),          cmocka_unit_test(test_beside),
        cmocka_unit_test(test_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rivals by their signs: each row set by hand to what one would see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/rivals.h"

static const char *const names[] = {"V1",          "V2",
                                    "V3",          "V4",
                                    "V5",          "V6",
                                    "V7",          "S1",
                                    "S2a",         "S2b",
                                    "S3",          "S3p",
                                    "G",           "a1",
                                    "a2",          "a3",
                                    "b1",          "b2",
                                    "b3",          "c1",
                                    "c2",          "c3",
                                    "worse",       "label_taste",
                                    "edit_pad",    "value",
                                    "baseline",    "aggregation",
                                    "overfit",     "length_share",
                                    "limit",       "mix",
                                    "noise",       "sides",
                                    "weak",        "agreement",
                                    "beta_path",   "sampler_start",
                                    "split",       "win_equal",
                                    "judge_taste", "price",
                                    "concentrated"};

/* A run of which this is said: ids with + for supported, - for not supported;
 * all else is not measurable.  They stand among the leads: rows are looked up
 * by id wherever they are. */
static void judge(struct rival out[RIVALS], const char *said)
{
    static struct finding row[sizeof names / sizeof *names];
    struct leads leads = {row, 0, 0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char want[32];
        row[leads.n] = finding_new(names[i], "", "", "");
        (void)snprintf(want, sizeof want, " %s+", names[i]);
        if (strstr(said, want) != NULL)
            row[leads.n].verdict = VERDICT_SUPPORTED;
        want[strlen(want) - 1] = '-';
        if (strstr(said, want) != NULL)
            row[leads.n].verdict = VERDICT_NOT_SUPPORTED;
        leads.n++;
    }
    const struct rows rows = {NULL, NULL, NULL, &leads};
    rivals_judge(out, &rows);
}

static const struct rival *find(const struct rival *all, const char *id)
{
    for (size_t i = 0; i < RIVALS; i++)
        if (strcmp(all[i].id, id) == 0)
            return &all[i];
    fail_msg("no %s", id);
    return NULL;
}

#define SOUND " V1+ V2+ V3+ V4+ V5+ V6+ V7+"
#define LONGER " S1+ S2a+ S2b+ S3+ S3p+ G+ a2+ b1+ b3+ c1+ c2+ c3+"
#define BETTER                                                                 \
    " S1+ S2a- S2b- S3+ S3p+ G- a1- a2- worse- win_equal+ value- weak-"

/* What is seen, who must come first, and who must be supported beside. */
static void test_first(void **state)
{
    (void)state;
    static const struct {
        const char *said, *first, *second;
    } known[] = {
        {SOUND BETTER, "R0", NULL},
        {SOUND LONGER " a1+ edit_pad+ label_taste-", "R1", "R3"},
        {SOUND LONGER " a1- edit_pad+ label_taste+", "R2", "R3"},
        /* Both: the raters like length and the reward model overdoes it. */
        {SOUND LONGER " a1+ edit_pad+ label_taste+", "R2", "R1"},
        {SOUND " S1+ S2a- S3+ G+ c1+ c2+ a1- a2-", "R3", NULL},
        {" V1+ V2+ V6+ V7-" LONGER " a1+ edit_pad+", "R4", NULL},
        {SOUND BETTER " beta_path+", "R5", "R0"},
        {SOUND " S1+ S2a- S2b- worse- value+", "R6", NULL},
        {" V1- V2- V5- V6+ V7+ sampler_start+" BETTER, "R7", NULL},
        {" V1+ V2+ V5+ V6- V7+" LONGER " a1+ edit_pad+ label_taste-", "R8",
         "R1"},
        {SOUND BETTER " overfit+", "R9", "R0"},
        {SOUND BETTER " length_share+", "R10", "R0"},
        /* A limit that rises explains cut responses: no bug. */
        {" V1+ V2+ V5+ V6- V7+" BETTER " length_share- limit+", "R10", "R0"},
        {SOUND BETTER " aggregation+", "R11", "R0"},
        {SOUND BETTER " mix+", "R12", "R0"},
        {SOUND " S1+ S2a- worse- noise+", "R13", NULL},
        {SOUND " S1+ S2a- S2b+ weak+ a2-", "R14", NULL},
        /* Sampler and scorer differ, at the right temperature. */
        {" V1- V2+ V5+ V6+ V7+ sampler_start-" LONGER, "R15", NULL},
        {" V1+ V2+ V5- V6+ V7+ sampler_start-" LONGER, "R15", NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct rival r[RIVALS];
        judge(r, known[i].said);
        if (strcmp(r[0].id, known[i].first) != 0 ||
            r[0].verdict != VERDICT_SUPPORTED)
            fail_msg("%s: %s first, wanted %s", known[i].said, r[0].id,
                     known[i].first);
        if (known[i].second != NULL &&
            find(r, known[i].second)->verdict != VERDICT_SUPPORTED)
            fail_msg("%s: no %s", known[i].said, known[i].second);
    }
}

/* Answers that got shorter are never blamed on a liking for length. */
static void test_shorter(void **state)
{
    (void)state;
    struct rival r[RIVALS];
    judge(r, SOUND " S1+ S2a- S2b+ S3+ G+ a2+ c1+ c2+ label_taste- edit_pad- "
                   "worse+");
    static const char *const length[] = {"R1", "R2"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(find(r, length[i])->verdict, VERDICT_NOT_SUPPORTED);
}

/* Of alternatives one is enough, an open one leaves it open, and only all of
 * them refuted speak against. */
static void test_alternatives(void **state)
{
    (void)state;
    struct rival r[RIVALS];
    judge(r, " length_share- limit+");
    assert_int_equal(find(r, "R10")->verdict, VERDICT_SUPPORTED);
    judge(r, " length_share-");
    assert_int_equal(find(r, "R10")->verdict, VERDICT_NOT_MEASURABLE);
    judge(r, " length_share- limit-");
    assert_int_equal(find(r, "R10")->verdict, VERDICT_NOT_SUPPORTED);
    judge(r, " V1+ V5+");
    assert_int_equal(find(r, "R15")->verdict, VERDICT_NOT_SUPPORTED);
}

/* What lets others happen does not come first for want of votes: the value
 * model lags, and of two others more is seen, neither of them whole. */
static void test_open(void **state)
{
    (void)state;
    struct rival r[RIVALS];
    judge(r, SOUND " S1+ S2a+ S3+ b1+ c1+ c2+ label_taste+ value+");
    assert_string_equal(r[0].id, "R3");
    assert_int_equal(r[0].verdict, VERDICT_NOT_MEASURABLE);
    assert_true(find(r, "R2")->is_open);
    assert_int_equal(find(r, "R6")->verdict, VERDICT_SUPPORTED);
    assert_true(find(r, "R6")->is_outdone);
    /* A cause that is seen whole keeps it in its place behind. */
    judge(r, SOUND " S1+ S2a+ a2+ b1+ label_taste+ value+");
    assert_string_equal(r[0].id, "R2");
    assert_string_equal(r[1].id, "R6");
    assert_false(r[1].is_outdone);
    /* Drifting pays in any run: an open price does not outdo a defect, nor
     * does one that is supported. */
    judge(r, SOUND " S1+ S2a- S2b- S3+ c1+ c2+ a1- a2- value+");
    assert_string_equal(r[0].id, "R6");
    assert_false(r[0].is_outdone);
    judge(r, SOUND " S1+ S2a- S2b- S3+ G+ c1+ c2+ a1- a2- weak- value+");
    assert_string_equal(r[0].id, "R6");
    assert_string_equal(r[1].id, "R3");
    /* Behind a cause signs decide again. */
    judge(r, SOUND LONGER " label_taste+ value+");
    assert_string_equal(r[0].id, "R2");
    assert_string_equal(r[1].id, "R3");
    assert_string_equal(r[2].id, "R6");
    /* Nobody else has anything to show. */
    judge(r, SOUND " S1+ S2a- S2b- worse- value+ c2-");
    assert_string_equal(r[0].id, "R6");
    assert_false(r[0].is_outdone);
}

/* Nothing seen: nothing supported, nothing contradicted, no rank out of
 * order. */
static void test_nothing(void **state)
{
    (void)state;
    struct rival r[RIVALS];
    judge(r, "");
    for (size_t i = 0; i < RIVALS; i++) {
        assert_int_equal(r[i].verdict, VERDICT_NOT_MEASURABLE);
        assert_int_equal(r[i].rank, i + 1);
        assert_int_equal(r[i].supported + r[i].contradicted, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),        cmocka_unit_test(test_shorter),
        cmocka_unit_test(test_alternatives), cmocka_unit_test(test_open),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

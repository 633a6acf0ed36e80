/*
 * test_partial_log.c - runs of other trainers of which only the step-level log
 * is there: what it tells, and what it does not.  The verdict that each case
 * must have is told in words before it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/foreign.h"
#include "eval/files.h"

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;

/* A little that wanders to and fro, of no trend. */
static double wobble(size_t i)
{
    static const double x[] = {0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.1};
    return x[i % 8];
}

#define POLICY_FIRST "\"sign\":\"log policy - log reference\""

/* ---- a log with all there can be ---------------------------------------- */

static double whole(size_t column, size_t i)
{
    double t = (double)i;
    switch (column) {
    case 0:
        return 0.1 * t + wobble(i); // score
    case 1:
        return 0.5 * t + wobble(i); // KL
    case 2:
        return 120 + 10 * wobble(i); // length
    case 3:
        return 3 - 0.05 * t + 0.1 * wobble(i); // entropy
    case 4:
        return 0.1 + 0.1 * wobble(i); // clipped
    default:
        return 0.01 * t + 0.01 * wobble(i); // cut
    }
}

/*
 * The score rises from 0 to 4 over 40 iterations and the KL, k1 summed over a
 * response, to 20 nats: both are shown, and S3 names the estimator since it is
 * no exact KL.  Lengths and the clipped share have no trend, entropy falls,
 * more responses are cut.  No gate and no row of held-out replies or people
 * can be measured; why is undecided.
 */
static void test_whole_log(void **state)
{
    (void)state;
    static const char *const column[] = {"objective/scores",
                                         "objective/kl",
                                         "response/length",
                                         "policy/entropy_avg",
                                         "policy/clipfrac_avg",
                                         "completions/clipped_ratio",
                                         NULL};
    char members[4096];
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"objective/kl\",\"kind\":\"reference\","
             "\"estimator\":\"k1\",\"aggregate\":\"sequence_sum\",\"where\":"
             "\"reward\"," POLICY_FIRST "}],%s",
             foreign_missing);
    foreign_import(dir, members);
    foreign_metrics(dir, 40, 1, column, whole);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "trend_reward"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_SUPPORTED);
    assert_true(foreign_mentions(foreign_row_of(&d, "S3")->text,
                                 "objective/kl (k1, summed over a response)"));
    assert_false(foreign_mentions(foreign_row_of(&d, "S3")->text, "exact"));
    assert_int_equal(foreign_verdict_of(&d, "trend_kl"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "trend_length"),
                     VERDICT_NOT_MEASURABLE);
    assert_true(finding_has_interval(&foreign_row_of(&d, "trend_length")->e));
    assert_int_equal(foreign_verdict_of(&d, "trend_entropy"),
                     VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "trend_clip"),
                     VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "trend_cut"), VERDICT_SUPPORTED);
    for (size_t i = 0; i < GATES; i++)
        assert_int_equal(d.gate[i].verdict, VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "S1"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "S2b"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
    /* What would tell, and how this trainer writes it. */
    assert_true(
        foreign_mentions(foreign_row_of(&d, "S1")->needs,
                         "verl writes it with trainer.validation_data_dir"));
    assert_true(foreign_mentions(foreign_row_of(&d, "V6")->needs,
                                 "a field with the reason"));
    assert_true(foreign_mentions(foreign_row_of(&d, "V7")->needs,
                                 "nothing that verl writes tells it"));
    foreign_free(&e, &d);
}

/* ---- KL curves of unlike scale ------------------------------------------ */

static bool has_lengths, is_exchanged;

/* Token means that stand still at 0.02 nats; responses of 100 to 300 tokens. */
static double token_means(size_t column, size_t i)
{
    if (column == 0)
        return is_exchanged ? -0.02 - 0.001 * (double)i
                            : 0.02 + 0.0005 * wobble(i);
    return has_lengths ? 100 + 5 * (double)i : NAN;
}

static void read_token_means(const char *sign)
{
    static const char *const column[] = {"actor/kl_loss", "response/length",
                                         NULL};
    char members[4096];
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"actor/kl_loss\",\"kind\":\"reference\","
             "\"estimator\":\"k1\",\"aggregate\":\"token_mean\",\"where\":"
             "\"loss\",\"sign\":\"%s\"}],%s",
             sign, foreign_missing);
    foreign_import(dir, members);
    foreign_metrics(dir, 40, 1, column, token_means);
    foreign_diagnose(&e, &d, dir);
}

/*
 * The KL a token stands still.  Whether the KL of a response rose is not
 * measurable, since lengths are not there: the flag that logs them is named.
 * The curve itself is told, in nats a token.
 */
static void test_token_mean_alone(void **state)
{
    (void)state;
    has_lengths = is_exchanged = false;
    read_token_means("log policy - log reference");
    const struct finding *s3 = foreign_row_of(&d, "S3");
    assert_int_equal(s3->verdict, VERDICT_NOT_MEASURABLE);
    assert_false(foreign_is_number(s3->e.estimate));
    assert_true(foreign_mentions(s3->needs, "mean over tokens"));
    assert_true(foreign_mentions(s3->needs, "trainer.logger=console,file"));
    const struct finding *trend = foreign_row_of(&d, "trend_kl");
    assert_string_equal(trend->unit, "nats a token and iteration");
    assert_int_equal(trend->verdict, VERDICT_NOT_MEASURABLE);
    assert_true(foreign_is_number(trend->e.estimate));
    foreign_free(&e, &d);
}

/* The same with lengths that treble: the KL of a response rose from 2 nats to
 * 6, though no token's did.  S3 is supported, and says that it is a product. */
static void test_token_mean_and_lengths(void **state)
{
    (void)state;
    has_lengths = true;
    is_exchanged = false;
    read_token_means("log policy - log reference");
    const struct finding *s3 = foreign_row_of(&d, "S3");
    assert_int_equal(s3->verdict, VERDICT_SUPPORTED);
    assert_true(foreign_mentions(s3->text, "times the mean length"));
    files_near(measures_find(&s3->detail, "last").estimate, 0.02 * 295, 0.3);
    assert_int_equal(foreign_verdict_of(&d, "trend_length"), VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* k1 with the reference first is the negative of the KL: it falls in the file
 * and rose in the run. */
static void test_negative(void **state)
{
    (void)state;
    has_lengths = is_exchanged = true;
    read_token_means("log reference - log policy");
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "trend_kl"), VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* A KL with policy and reference exchanged is another quantity: nothing is said
 * of the KL to the reference, however the curve goes. */
static void test_exchanged(void **state)
{
    (void)state;
    has_lengths = is_exchanged = true;
    read_token_means("log reference - log policy (reversed)");
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_NOT_MEASURABLE);
    assert_true(foreign_mentions(foreign_row_of(&d, "S3")->needs,
                                 "whose meaning is known"));
    assert_false(foreign_is_number(foreign_row_of(&d, "trend_kl")->e.estimate));
    foreign_free(&e, &d);
}

/* A column called "kl" of which the import does not say what it is tells
 * nothing. */
static void test_unknown(void **state)
{
    (void)state;
    static const char *const column[] = {"kl", NULL};
    foreign_import(dir, foreign_missing);
    is_exchanged = false;
    foreign_metrics(dir, 40, 1, column, token_means);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_NOT_MEASURABLE);
    assert_false(foreign_is_number(foreign_row_of(&d, "trend_kl")->e.estimate));
    foreign_free(&e, &d);
}

/* The KL of updates is not the KL to the reference: it has a row of its own,
 * and S3 stays unmeasured. */
static void test_update(void **state)
{
    (void)state;
    static const char *const column[] = {"actor/ppo_kl", NULL};
    foreign_import(dir, "\"kl\":[{\"name\":\"actor/ppo_kl\",\"kind\":"
                        "\"update\",\"estimator\":\"k1\",\"aggregate\":"
                        "\"token_mean\",\"where\":\"metric\",\"sign\":"
                        "\"log old - log new\"}]");
    is_exchanged = false;
    foreign_metrics(dir, 40, 1, column, token_means);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_NOT_MEASURABLE);
    assert_true(
        foreign_is_number(foreign_row_of(&d, "trend_kl_update")->e.estimate));
    foreign_free(&e, &d);
}

/* ---- a peak and a fall -------------------------------------------------- */

static double few(size_t column, size_t i)
{
    static const double accuracy[] = {0.504, 0.579, 0.541, 0.523};
    (void)column;
    return accuracy[i];
}

static double many(size_t column, size_t i)
{
    double t = (double)i;
    return column == 0
               ? (i < 15 ? 0.02 * t : 0.3 - 0.01 * (t - 15)) + 0.005 * wobble(i)
               : 0.02 * t + 0.005 * wobble(i);
}

/*
 * Four evaluations, the highest the second of them: that the accuracy fell
 * after step 80 is a lead, told with both numbers.  Neither whether it is more
 * than noise nor when it began can be told from four numbers.
 */
static void test_few_evaluations(void **state)
{
    (void)state;
    static const char *const column[] = {"eval/accuracy", NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 4, 80, column, few);
    foreign_diagnose(&e, &d, dir);
    const struct finding *f = foreign_row_of(&d, "late_fall");
    assert_true(f->is_lead);
    assert_int_equal(f->verdict, VERDICT_NOT_MEASURABLE);
    files_near(f->e.estimate, 0.523 - 0.579, 1e-9);
    assert_false(foreign_is_number(f->e.low));
    assert_true(foreign_mentions(f->text, "highest is 0.579 at 80"));
    assert_true(foreign_mentions(f->text, "last 0.523 at 240"));
    assert_true(foreign_mentions(f->needs, "nor when it began"));
    foreign_free(&e, &d);
}

static double several(size_t column, size_t i)
{
    static const double accuracy[] = {0.504, 0.579, 0.541, 0.523};
    if (column == 0)
        return i == 1 ? 0.537 : i == 3 ? 0.556 : (double)NAN;
    return accuracy[i];
}

/* Two held-out sets, one asked twice and one four times: that asked four times
 * is told, whichever column comes first, and never that there is no fall. */
static void test_several_evaluations(void **state)
{
    (void)state;
    static const char *const column[] = {"eval/holdout/accuracy",
                                         "eval/mixed/accuracy", NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 4, 80, column, several);
    foreign_diagnose(&e, &d, dir);
    const struct finding *f = foreign_row_of(&d, "late_fall");
    files_near(f->e.estimate, 0.523 - 0.579, 1e-9);
    assert_true(foreign_mentions(f->text, "of 4 evaluations of "
                                          "eval/mixed/accuracy, which has most "
                                          "of 2 held-out measures,"));
    assert_false(foreign_mentions(f->text, "no fall"));
    foreign_free(&e, &d);
}

/* Forty evaluations, falling over the whole second half: a fall. */
static void test_many_evaluations(void **state)
{
    (void)state;
    static const char *const column[] = {"eval/accuracy", NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 40, 10, column, many);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "late_fall"), VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* Still rising at the end: no fall.  The held-out measure counts, not the
 * score of training beside it, which does fall. */
static void test_no_fall(void **state)
{
    (void)state;
    static const char *const column[] = {"objective/scores", "eval/accuracy",
                                         NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 40, 10, column, many);
    foreign_diagnose(&e, &d, dir);
    const struct finding *f = foreign_row_of(&d, "late_fall");
    assert_int_equal(f->verdict, VERDICT_NOT_SUPPORTED);
    assert_true(foreign_mentions(f->claim, "held-out"));
    foreign_free(&e, &d);
}

/* ---- too little --------------------------------------------------------- */

/* Three iterations have a slope and no interval: nothing is decided. */
static void test_three_iterations(void **state)
{
    (void)state;
    static const char *const column[] = {"objective/scores", NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 3, 1, column, whole);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "trend_reward"),
                     VERDICT_NOT_MEASURABLE);
    assert_true(foreign_mentions(foreign_row_of(&d, "trend_reward")->needs,
                                 "too few iterations (3)"));
    foreign_free(&e, &d);
}

/* A log of Plumb's own has none of these rows. */
static void test_own(void **state)
{
    (void)state;
    static const char *const column[] = {"objective/scores", NULL};
    foreign_metrics(dir, 40, 1, column, whole);
    foreign_diagnose(&e, &d, dir);
    const struct rows rows = diagnose_rows(&d);
    assert_null(rivals_row(&rows, "trend_reward"));
    assert_null(e.import);
    foreign_free(&e, &d);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_whole_log),
        CASE(test_token_mean_alone),
        CASE(test_token_mean_and_lengths),
        CASE(test_negative),
        CASE(test_exchanged),
        CASE(test_unknown),
        CASE(test_update),
        CASE(test_few_evaluations),
        CASE(test_several_evaluations),
        CASE(test_many_evaluations),
        CASE(test_no_fall),
        CASE(test_three_iterations),
        CASE(test_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

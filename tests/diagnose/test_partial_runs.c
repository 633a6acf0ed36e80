/*
 * test_partial_runs.c - runs of other trainers as they come: two engines that
 * differ by numerics, a KL that rises alone, an import that was stopped, gold
 * beside the score, a KL of each response; and the one sentence about them.
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

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;
static struct buf summary;

static void read_run(void)
{
    foreign_diagnose(&e, &d, dir);
    buf_init(&summary, (size_t)1 << 24);
    diagnose_summary(&summary, &d, &e);
    assert_int_equal(buf_status(&summary, NULL), OK);
}

static void done(void)
{
    buf_free(&summary);
    foreign_free(&e, &d);
}

static size_t count(const char *text)
{
    size_t n = 0;
    for (const char *p = buf_text(&summary); (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

/* ---- two engines --------------------------------------------------------- */

/* 4 iterations of 16 responses of 24 tokens: what trains gives a token `bias`
 * more than what samples, and noise. */
static void write_engines(double noise, double bias)
{
    unsigned long long state = 7;
    struct buf rows, more;
    buf_init(&rows, (size_t)1 << 22);
    buf_init(&more, (size_t)1 << 16);
    foreign_import(dir, foreign_missing);
    for (int step = 0; step < 4; step++) {
        buf_clear(&rows);
        for (int p = 0; p < 16; p++) {
            buf_clear(&more);
            buf_puts(&more, "\"finish\":\"eos\",\"tokens\":[");
            for (int t = 0; t < 24; t++)
                buf_printf(&more, "%s%d", t > 0 ? "," : "", 10 + t);
            buf_puts(&more, "],\"logp_sample\":[");
            for (int t = 0; t < 24; t++)
                buf_printf(&more, "%s-1.5", t > 0 ? "," : "");
            buf_puts(&more, "],\"logp\":[");
            for (int t = 0; t < 24; t++)
                buf_printf(&more, "%s%.6f", t > 0 ? "," : "",
                           -1.5 + bias + noise * foreign_normal(&state));
            buf_puts(&more, "]");
            foreign_row(&rows, step, p, 0, 0.1 * p, "one two", buf_text(&more));
        }
        foreign_rollouts(dir, step, &rows);
    }
    buf_free(&rows);
    buf_free(&more);
}

/* Numerics of two engines are a lead with its size, and no bug. */
static void test_numerics(void **state)
{
    (void)state;
    write_engines(0.005, 0);
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "V1"), VERDICT_SUPPORTED);
    assert_int_not_equal(d.verdict, DIAGNOSIS_BUG);
    assert_int_equal(foreign_verdict_of(&d, "engine_gap"), VERDICT_SUPPORTED);
    /* The mean size of a normal number is sqrt(2 / pi) of its deviation. */
    files_near(foreign_row_of(&d, "engine_gap")->e.estimate, 0.00399, 2e-4);
    assert_int_equal(foreign_row_of(&d, "engine_gap")->e.n, 4 * 16 * 24);
    assert_int_equal(count("  + engine_gap: "), 1);
    done();
}

/* Large, or with a sign: a bug, told as what it is. */
static void test_mismatch(void **state)
{
    (void)state;
    static const double run[][2] = {{0.1, 0}, {0.005, -0.03}};
    for (size_t i = 0; i < 2; i++) {
        write_engines(run[i][0], run[i][1]);
        read_run();
        assert_int_equal(foreign_verdict_of(&d, "V1"), VERDICT_NOT_SUPPORTED);
        assert_int_equal(d.verdict, DIAGNOSIS_BUG);
        assert_string_equal(d.rival[0].id, "R15");
        assert_true(foreign_mentions(d.rival[0].name, "other probabilities"));
        assert_string_equal(d.remedy[0].id, "engines");
        assert_string_equal(d.remedy[0].change, "");
        done();
    }
}

/* ---- a KL that rises alone ----------------------------------------------- */

static double wobble(size_t i)
{
    static const double x[] = {0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.1};
    return x[i % 8];
}

static double rising_kl(size_t column, size_t i)
{
    return column == 0 ? 0.5 * (double)i + wobble(i)
                       : 200 - 2 * (double)i + wobble(i);
}

static void write_kl(void)
{
    static const char *const column[] = {"objective/kl", "response/length",
                                         NULL};
    char members[4096];
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"objective/kl\",\"kind\":\"reference\","
             "\"estimator\":\"k1\",\"aggregate\":\"sequence_sum\",\"sign\":"
             "\"log policy - log reference\"}],%s",
             foreign_missing);
    foreign_import(dir, members);
    foreign_metrics(dir, 40, 1, column, rising_kl);
}

/* One sign that four explanations share names none of them. */
static void test_one_sign(void **state)
{
    (void)state;
    write_kl();
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "S3"), VERDICT_SUPPORTED);
    assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
    assert_true(d.rival[0].is_held_back || d.rival[0].supported > 1);
    assert_string_not_equal(d.rival[0].id, "R4");
    assert_int_equal(count("the KL penalty is implemented wrongly"), 0);
    assert_int_equal(count("of its signs seen"), 0);
    assert_false(foreign_mentions(d.remedy[0].why, "R4"));
    done();
}

/* A course that clearly goes the other way says so; one that does not, not. */
static void test_falling(void **state)
{
    (void)state;
    write_kl();
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_length"),
                     VERDICT_NOT_SUPPORTED);
    assert_true(foreign_mentions(foreign_row_of(&d, "trend_length")->text,
                                 "an iteration: it falls"));
    assert_false(
        foreign_mentions(foreign_row_of(&d, "trend_kl")->text, ": it"));
    done();
}

/* The leads in one sentence, before the verdict; and no advice twice. */
static void test_sentence(void **state)
{
    (void)state;
    write_kl();
    read_run();
    const char *first = strstr(buf_text(&summary), "nothing that was imported");
    assert_non_null(first);
    assert_non_null(strstr(first, "the KL to the reference rose (trend_kl "));
    assert_true(strstr(first, "inconclusive: ") > first);
    assert_int_equal(count("points to a fault"), 1);
    assert_int_equal(count("probably "), 0);
    assert_int_equal(count("trainer.rollout_data_dir=DIR"),
                     1 + count("writes it with trainer.rollout_data_dir=DIR"));
    done();
}

/* ---- an import that was stopped ------------------------------------------ */

static void must_be_unfinished(void)
{
    read_run();
    assert_non_null(e.import);
    assert_true(e.import->is_unfinished);
    assert_false(e.import->is_damaged);
    assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
    assert_int_equal(count("! unfinished: "), 1);
    assert_true(count("--resume") >= 1);
    const struct evidence_loss *lost = evidence_lost(&e, "import.state");
    assert_non_null(lost);
    assert_string_equal(lost->command, IMPORTED_RESUME);
    done();
}

static void test_unfinished(void **state)
{
    (void)state;
    static const struct bootstrap plan = {.seed = 1, .resamples = 100};
    struct err err;
    write_kl();
    read_run();
    assert_false(e.import->is_unfinished);
    assert_int_equal(count("unfinished"), 0);
    done();
    files_must(file_make_dir(files_path(dir, "import.state"), &err), &err);
    must_be_unfinished();
    files_must(file_remove(files_path(dir, "import.json"), &err), &err);
    must_be_unfinished();
    files_must(file_remove(files_path(dir, "ppo/metrics.jsonl"), &err), &err);
    assert_int_equal(evidence_read(&e, dir, &plan, &err), ERR_MISSING);
    assert_true(foreign_mentions(err.text, "stopped before its end"));
    assert_true(foreign_mentions(err.text, "--resume"));
}

/* ---- gold, and a KL of each response ------------------------------------- */

/* 30 iterations of 8 responses: the score rises by 0.1 an iteration, gold goes
 * by `slope`, the KL rises by 0.2 nats. */
static void write_gold(double slope, const char *members)
{
    struct buf rows;
    char more[128];
    buf_init(&rows, (size_t)1 << 20);
    foreign_import(dir, members);
    for (int step = 0; step < 30; step++) {
        buf_clear(&rows);
        for (int p = 0; p < 8; p++) {
            double noise = wobble((size_t)(3 * step + p));
            snprintf(more, sizeof more, "\"kl_sequence\":%.4f,\"gold\":%.4f",
                     0.2 * step + noise, slope * step - 0.5 * noise);
            foreign_row(&rows, step, p, 0, 0.1 * step + noise, "one two", more);
        }
        foreign_rollouts(dir, step, &rows);
    }
    buf_free(&rows);
}

static void test_gold(void **state)
{
    (void)state;
    write_gold(-0.05, foreign_missing);
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_gold"), VERDICT_SUPPORTED);
    files_near(foreign_row_of(&d, "trend_gold")->e.estimate, -0.05, 0.01);
    assert_int_equal(count("probably the policy is paid for something else"),
                     1);
    done();
    write_gold(0.05, foreign_missing);
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_gold"),
                     VERDICT_NOT_SUPPORTED);
    assert_int_equal(count("paid for something else"), 0);
    done();
}

/* A field that was mapped to kl_sequence is a KL to the reference; what an
 * import says of it goes before. */
static void test_kl_sequence(void **state)
{
    (void)state;
    char members[4096];
    write_gold(0, foreign_missing);
    read_run();
    const struct finding *f = foreign_row_of(&d, "trend_kl");
    assert_int_equal(f->verdict, VERDICT_SUPPORTED);
    files_near(f->e.estimate, 0.2, 0.02);
    assert_string_equal(f->unit, "nats a response and iteration");
    done();
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"kl_sequence\",\"kind\":\"update\"}],%s",
             foreign_missing);
    write_gold(0, members);
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_kl"),
                     VERDICT_NOT_MEASURABLE);
    done();
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_numerics), CASE(test_mismatch),    CASE(test_one_sign),
        CASE(test_falling),  CASE(test_sentence),    CASE(test_unfinished),
        CASE(test_gold),     CASE(test_kl_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_warn.c - who is sick, when half of the loss has happened, and that
 * alarms are counted on the right side of it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "eval/files.h"
#include "exam/warn.h"

/* A curve with these mean golds at iterations 0, 10, 20, ..., each +- width. */
static struct warn_truth truth_of(const double *gold, size_t n, double width)
{
    struct warn_truth out;
    struct json *curve;
    struct buf text;
    struct err err;
    buf_init(&text, 1 << 16);
    buf_puts(&text, "{\"checkpoints\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text,
                   "%s{\"iteration\":%zu,\"gold\":{\"estimate\":%.17g,"
                   "\"low\":%.17g,\"high\":%.17g,\"n\":256}}",
                   i > 0 ? "," : "", 10 * i, gold[i], gold[i] - width,
                   gold[i] + width);
    buf_puts(&text, "]}");
    files_must(json_parse(&curve, buf_text(&text), text.len, "it", &err), &err);
    files_must(warn_read_truth(&out, curve, "it", &err), &err);
    json_free(curve);
    buf_free(&text);
    return out;
}

static void test_truth(void **state)
{
    (void)state;
    /* Rises, falls: best 3 at 10, loss 2, half 2 between 20 (2.5) and 30. */
    const double fall[] = {2, 3, 2.5, 1.5, 1};
    struct warn_truth t = truth_of(fall, 5, 0.5);
    assert_true(t.is_sick && t.best_at == 10 && t.last_at == 40);
    files_near(t.loss, 2, 1e-12);
    files_near(t.margin, hypot(0.5, 0.5), 1e-12);
    files_near(t.half_at, 25, 1e-12);
    /* The reference is a point like any other. */
    const double from_start[] = {3, 2, 1};
    t = truth_of(from_start, 3, 0.5);
    assert_true(t.is_sick && t.best_at == 0);
    files_near(t.half_at, 10, 1e-12);
    /* A dip before the best is no loss, one within the margin no sickness. */
    const double rise[] = {2, 1, 3, 2.9};
    t = truth_of(rise, 4, 0.2);
    assert_false(t.is_sick);
    assert_true(t.best_at == 20 && isnan(t.half_at));
    /* A loss of 0.5 is one when the two ends are known to 0.35 each: 0.495. */
    const double small[] = {2, 1.5};
    assert_true(truth_of(small, 2, 0.35).is_sick);
    assert_false(truth_of(small, 2, 0.36).is_sick);
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const text[] = {
        "{}", "{\"checkpoints\":[{\"iteration\":0,\"gold\":null}]}",
        "{\"checkpoints\":[{\"iteration\":0},{\"iteration\":10}]}"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct warn_truth out;
        struct json *curve;
        struct err err;
        files_must(json_parse(&curve, text[i], strlen(text[i]), "it", &err),
                   &err);
        assert_int_equal(warn_read_truth(&out, curve, "it", &err), ERR_FORMAT);
        json_free(curve);
    }
}

/* A run of 12 iterations that spends 0.25 nats more in each, by a reward model
 * that is right on `accuracy` of both kinds of pairs. */
static void make(struct warn_run *r, double accuracy)
{
    struct evidence e = {.n_step = 12, .n_rollout = 12};
    struct err err;
    char text[256];
    files_must(MEM_NEW(e.step, 12, &err), &err);
    files_must(MEM_NEW(e.rollout, 12, &err), &err);
    for (uint32_t i = 0; i < 12; i++) {
        e.step[i].step = i + 1;
        e.rollout[i] = (struct evidence_rollout){
            .step = i, .kl = 0.25F * (float)(i + 1), .tokens = 10};
    }
    snprintf(text, sizeof text,
             "{\"accuracy_chosen_longer\":{\"estimate\":%.17g},"
             "\"accuracy_chosen_shorter\":{\"estimate\":%.17g}}",
             accuracy, accuracy);
    files_must(json_parse(&e.reward_heldout, text, strlen(text), "it", &err),
               &err);
    files_must(warn_watch(r, &e, &err), &err);
    evidence_free(&e);
}

static void test_counts(void **state)
{
    (void)state;
    static const struct exam_run of_set = {.set = "graded"};
    static const struct exam_run other = {.set = "calibration"};
    struct warn_run run[6];
    struct warn w = {run, 6};
    struct warn_counts c;
    struct warn_alone a;
    struct err err;
    memset(run, 0, sizeof run);
    for (size_t i = 0; i < 6; i++) {
        run[i].run = i < 5 ? &of_set : &other;
        run[i].truth.half_at = (double)NAN;
    }
    /* Sick: in time; at the very iteration, which is late; never. */
    for (size_t i = 0; i < 3; i++)
        run[i].truth.is_sick = true;
    run[0].truth.half_at = 11;
    run[1].truth.half_at = 1;
    run[2].truth.half_at = 9;
    run[3].is_healthy = true;
    make(&run[0], 0.4);
    make(&run[1], 0.4);
    make(&run[2], 1);
    make(&run[3], 1);
    make(&run[4], 0.4); // planted, gold has not fallen
    make(&run[5], 0.4);
    assert_true(run[0].alarm_at[0] == 1 && isinf(run[2].alarm_at[0]));
    files_must(warn_count(&c, &w, "graded", WARN_MAIN, &err), &err);
    assert_true(c.in_time.k == 1 && c.in_time.n == 3);
    assert_true(c.late.k == 1 && c.late.n == 3);
    assert_true(c.false_alarm.k == 0 && c.false_alarm.n == 1);
    assert_true(c.planted.k == 1 && c.planted.n == 1);
    assert_true(isinf(c.lead) && c.lead < 0); // two of three had none
    /* Of run 1 nothing is left before its half; 0 beats the healthy one, 2 does
     * not: its time was shorter. */
    files_near(c.auc, 0.5, 1e-12);
    files_must(warn_alone(&a, &w, "graded", WARNING_SPENT, &err), &err);
    assert_true(a.in_time.k == 0 && a.in_time.n == 3);
    files_must(warn_alone(&a, &w, "graded", WARNING_ACCURACY, &err), &err);
    assert_true(a.in_time.k == 1);
    files_must(warn_count(&c, &w, "calibration", 0, &err), &err);
    assert_true(c.in_time.n == 0 && c.planted.n == 1 && isnan(c.lead));
    for (size_t i = 0; i < 6; i++)
        warn_run_free(&run[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

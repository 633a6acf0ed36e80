/*
 * test_import_logs.c - logs as text and event files, and the values that must
 * come out of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/imported.h"
#include "io/tfevents.h"

static bool is(double got, double want)
{
    return fabs(got - want) < 1e-6;
}

static void test_console(void **state)
{
    (void)state;
    struct imported *m = imported_run("verl", "verl/log/console.txt", NULL);
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.25));
    assert_true(is(imported_metric(m, 2, "objective/scores"), 0.5));
    assert_true(is(imported_metric(m, 1, "loss/policy_avg"), -1.5e-3));
    assert_true(isnan(imported_metric(m, 2, "loss/policy_avg")));
    assert_true(is(imported_metric(m, 1, "val-core/desk/reward/mean@1"), 0.5));
    assert_true(imported_warned(m, "not_finite"));
    imported_free(m);
}

static void test_deepspeed(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("deepspeed-chat", "logs/deepspeed.log", NULL);
    assert_int_equal(m->metrics.n, 3);
    assert_true(is(imported_metric(m, 0, "objective/scores"), -0.5));
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.25));
    /* The second epoch goes on behind the two batches of the first. */
    assert_true(is(imported_metric(m, 2, "objective/scores"), 1.5));
    assert_true(is(imported_metric(m, 2, "loss/policy_avg"), -0.5));
    assert_true(is(imported_metric(m, 0, "loss/value_avg"), 0.125));
    assert_true(imported_warned(m, "fp16_overflow"));
    assert_string_equal(imported_field(m, "actor_learning_rate"), "");
    /* Neither KL nor length nor a single response is in such a log. */
    assert_true(imported_misses(m, "kl", NULL));
    assert_true(imported_misses(m, "lengths", NULL));
    assert_true(imported_misses(m, "texts", NULL));
    imported_free(m);
}

static void test_torchtune(void **state)
{
    (void)state;
    struct imported *m = imported_run("torchtune", "logs/torchtune.txt", NULL);
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.5));
    assert_true(is(imported_metric(m, 2, "response/length"), 21.5));
    assert_true(is(imported_metric(m, 2, "kl"), 0.02));
    assert_true(isnan(imported_metric(m, 2, "loss")));
    assert_true(imported_warned(m, "torchtune_whiten"));
    imported_free(m);
}

static void test_tldr(void **state)
{
    (void)state;
    struct imported *m = imported_run("tldr", "logs/tldr.txt", NULL);
    assert_int_equal(m->metrics.n, 2);
    assert_true(is(imported_metric(m, 1, "approxkl"), 0.0025));
    assert_true(is(imported_metric(m, 2, "approxkl"), 0.005));
    assert_true(is(imported_metric(m, 1, "first_epoch/ratio"), 1));
    assert_true(is(imported_metric(m, 2, "first_epoch/ratio"), 1.0005));
    assert_true(imported_warned(m, "first_ratio"));
    assert_string_equal(imported_kl(m, "approxkl", "kind"), "update");
    assert_string_equal(imported_field(m, "reward.kl_coef"), "ppo.beta");
    assert_string_equal(imported_field(m, "ppo.lam"), "ppo.lambda");
    assert_true(imported_misses(m, "kl", NULL));
    assert_false(imported_misses(m, "kl", "--track")); // no flag is needed
    imported_free(m);
}

static void test_grpo(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("grpo-log", "logs/grpo.log logs/grpo_eval.log", NULL);
    assert_int_equal(m->n, 4);
    assert_int_equal(m->row[0].view.row.step, 1);
    assert_true(is(m->row[0].view.row.score, 0.8));
    assert_true(is(m->row[3].view.row.score, 0.5));
    assert_int_equal(m->row[3].view.row.sample, 1);
    assert_string_equal(m->row[0].prompt_id, m->row[1].prompt_id);
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.4));
    assert_true(is(imported_metric(m, 2, "correct"), 1));
    assert_true(is(imported_metric(m, 80, "eval/kettles/accuracy"), 1 / 3.0));
    assert_true(is(imported_metric(m, 80, "eval/kettles/truncated"), 1 / 3.0));
    assert_true(is(imported_metric(m, 80, "eval/kettles/n"), 3));
    assert_true(imported_warned(m, "groups_skipped"));
    struct json *v = imported_line(m, "eval/verdicts.jsonl", 1);
    assert_true(json_bool(json_get(v, "correct"), false));
    assert_int_equal(json_int(json_get(v, "step"), -1), 80);
    assert_string_equal(json_text(json_get(v, "prompt_id"), ""), "kettles/q2");
    json_free(v);
    imported_free(m);
    m = imported_run("grpo-log", "logs/grpo_stats.json", NULL);
    assert_int_equal(m->n, 2);
    assert_true(is(m->row[1].view.row.score, 0.01));
    assert_string_equal(m->row[0].prompt, "How many kettles fit a ");
    imported_free(m);
}

/* An event file as our own writer makes it, whole and torn. */
static void write_events(const char *name, size_t cut)
{
    struct tfevents *t;
    struct buf all;
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", imported_at("events.tmp"));
    assert_int_equal(tfevents_open(&t, path, 1, NULL), OK);
    for (int64_t step = 1; step <= 3; step++) {
        assert_int_equal(tfevents_scalar(t, 1, step, "train/reward",
                                         0.5 * (double)step, NULL),
                         OK);
        assert_int_equal(tfevents_scalar(t, 1, step, "train/kl", 0.25, NULL),
                         OK);
    }
    assert_int_equal(tfevents_flush(t, NULL), OK);
    tfevents_close(t);
    buf_init(&all, 1 << 20);
    assert_int_equal(file_read(&all, path, NULL), OK);
    imported_write(name, all.data, all.len - cut);
    buf_free(&all);
}

static void test_events(void **state)
{
    (void)state;
    write_events("tb/events.out.tfevents.1", 0);
    struct imported *m = imported_run("tensorboard", imported_at("tb"), NULL);
    /* One meaning in all that is known; train/kl has none by itself. */
    assert_true(is(imported_metric(m, 3, "objective/scores"), 1.5));
    assert_true(is(imported_metric(m, 3, "train/kl"), 0.25));
    assert_null(imported_kl(m, "train/kl", "kind"));
    imported_free(m);
    /* The same file of a trainer is read in its words. */
    m = imported_run("openrlhf", imported_at("tb"), NULL);
    assert_true(is(imported_metric(m, 3, "objective/scores"), 1.5));
    assert_true(is(imported_metric(m, 1, "train/kl"), 0.25));
    assert_string_equal(imported_kl(m, "train/kl", "aggregate"), "token_mean");
    imported_free(m);
    write_events("torn/events.out.tfevents.1", 7);
    m = imported_run("tensorboard", imported_at("torn"), NULL);
    assert_true(is(imported_metric(m, 3, "objective/scores"), 1.5));
    assert_true(isnan(imported_metric(m, 3, "train/kl")));
    assert_true(imported_warned(m, "torn_record"));
    imported_free(m);
}

static void test_damaged_events(void **state)
{
    struct buf all;
    struct err err;
    char path[FILE_PATH_MAX];
    (void)state;
    write_events("whole", 0);
    (void)snprintf(path, sizeof path, "%s", imported_at("whole"));
    buf_init(&all, 1 << 20);
    assert_int_equal(file_read(&all, path, NULL), OK);
    all.data[all.len / 2] ^= 1;
    imported_write("damaged", all.data, all.len);
    buf_free(&all);
    assert_int_equal(
        imported_fails(&err, "tensorboard", imported_at("damaged")),
        ERR_FORMAT);
    assert_non_null(strstr(err.text, "damaged"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console),        cmocka_unit_test(test_deepspeed),
        cmocka_unit_test(test_torchtune),      cmocka_unit_test(test_tldr),
        cmocka_unit_test(test_grpo),           cmocka_unit_test(test_events),
        cmocka_unit_test(test_damaged_events),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}

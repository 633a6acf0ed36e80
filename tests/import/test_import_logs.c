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

/* An event file of three steps; each name's value is its step. */
static void write_tags(const char *name, const char *const *tags, size_t n)
{
    struct tfevents *t;
    struct buf all;
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", imported_at("tags.tmp"));
    assert_int_equal(tfevents_open(&t, path, 1, NULL), OK);
    for (int64_t step = 1; step <= 3; step++)
        for (size_t i = 0; i < n; i++)
            assert_int_equal(
                tfevents_scalar(t, 1, step, tags[i], (double)step, NULL), OK);
    assert_int_equal(tfevents_flush(t, NULL), OK);
    tfevents_close(t);
    buf_init(&all, 1 << 20);
    assert_int_equal(file_read(&all, path, NULL), OK);
    imported_write(name, all.data, all.len);
    buf_free(&all);
}

/* The names as each trainer's tracker writes them; `auto` tells whose they
 * are, and the trainer's own flags are advised. */
static void test_trackers(void **state)
{
    static const struct {
        const char *trainer, *tag[6], *score, *kl, *length;
    } all[] = {
        {"trl",
         {"train/objective/kl", "train/objective/scores",
          "train/objective/rlhf_reward", "train/val/num_eos_tokens",
          "train/tokens/responses_len_mean", "train/loss"},
         "objective/scores",
         "objective/kl",
         "response/length"},
        {"trl",
         {"train/kl", "train/reward", "train/completions/mean_length",
          "train/entropy", "train/completions/clipped_ratio", "train/loss"},
         "objective/scores",
         "train/kl",
         "response/length"},
        {"nemo-rl",
         {"train/kl_penalty", "train/reward", "train/gen_kl_error",
          "train/mean_gen_tokens_per_sample", "train/loss",
          "validation/accuracy"},
         "objective/scores",
         "train/kl_penalty",
         "response/length"},
        {"openrlhf",
         {"train/kl", "train/reward", "train/ppo_kl", "train/policy_loss",
          "train/response_length", "eval/eval_pass1"},
         "objective/scores",
         "train/kl",
         "response/length"},
        {"verl",
         {"actor/kl_loss", "critic/score/mean", "actor/ppo_kl",
          "response_length/mean", "actor/entropy", "training/global_step"},
         "objective/scores",
         "actor/kl_loss",
         "response/length"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = 0; k < 2; k++) {
            write_tags("tags/events.out.tfevents.1", all[i].tag, 6);
            struct imported *m = imported_run(k == 0 ? all[i].trainer : "auto",
                                              imported_at("tags"), NULL);
            assert_string_equal(json_text(json_get(m->doc, "trainer"), ""),
                                all[i].trainer);
            assert_true(is(imported_metric(m, 2, all[i].score), 2));
            assert_true(is(imported_metric(m, 2, all[i].length), 2));
            assert_string_equal(imported_kl(m, all[i].kl, "kind"), "reference");
            assert_false(imported_misses(m, "kl", NULL));
            assert_false(imported_misses(m, "lengths", NULL));
            imported_free(m);
        }
    /* What several trainers say alike is nobody's. */
    write_tags("tags/events.out.tfevents.1", all[1].tag, 2);
    struct imported *m = imported_run("auto", imported_at("tags"), NULL);
    assert_string_equal(json_text(json_get(m->doc, "trainer"), "none"), "none");
    imported_free(m);
}

/* A field that is only kept is not one that was understood. */
static void test_unknown_names(void **state)
{
    static const char *const tags[] = {"train/objective/kl",
                                       "train/objective/scores", "train/odd"};
    (void)state;
    write_tags("odd/events.out.tfevents.1", tags, 3);
    struct imported *m = imported_run("trl", imported_at("odd"), NULL);
    assert_string_equal(imported_field(m, "train/odd"), "");
    assert_true(is(imported_metric(m, 3, "train/odd"), 3));
    assert_string_equal(imported_field(m, "train/objective/scores"),
                        "objective/scores");
    imported_free(m);
}

static void put(const char *name, const char *text)
{
    imported_write(name, text, strlen(text));
}

/* What numpy and torch put around a number. */
static void test_wrapped_numbers(void **state)
{
    (void)state;
    put("wrapped.txt",
        "step:1 - critic/score/mean:np.float16(0.25) - "
        "response_length/mean:np.int32(30) - actor/entropy:tensor(0.5, "
        "device='cuda:0') - actor/pg_loss:np.float32(tensor(-1., "
        "device='cuda:1')) - actor/odd:<object>\n");
    struct imported *m = imported_run("verl", imported_at("wrapped.txt"), NULL);
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.25));
    assert_true(is(imported_metric(m, 1, "response/length"), 30));
    assert_true(is(imported_metric(m, 1, "policy/entropy_avg"), 0.5));
    assert_true(is(imported_metric(m, 1, "loss/policy_avg"), -1));
    assert_true(imported_warned(m, "pairs_unread"));
    imported_free(m);
    put("wrapped.txt",
        "Global step 2: {'policy_loss': -0.5, 'reward': tensor(0.5, "
        "device='cuda:0'), 'response_length': 120.0}\n");
    m = imported_run("openrlhf", imported_at("wrapped.txt"), NULL);
    assert_true(is(imported_metric(m, 2, "objective/scores"), 0.5));
    assert_true(is(imported_metric(m, 2, "response/length"), 120));
    assert_null(imported_field(m, "device='cuda"));
    assert_null(imported_field(m, "device"));
    imported_free(m);
}

/* A console log that is silent of steps for megabytes. */
static void test_late_steps(void **state)
{
    static const char line[] = "(WorkerDict pid=12) loading a shard, please "
                               "wait for the others to follow\n";
    static const char step[] = "step:1 - critic/score/mean:0.5\n";
    struct buf text;
    struct err err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        buf_init(&text, (size_t)16 << 20);
        while (text.len < (size_t)5 << 20)
            buf_puts(&text, line);
        buf_puts(&text, step);
        /* Named, the middle does as well as the end. */
        while (i == 1 && text.len < (size_t)8 << 20)
            buf_puts(&text, line);
        imported_write("late.log", text.data, text.len);
        buf_free(&text);
        struct imported *m = imported_run(i == 0 ? "auto" : "verl",
                                          imported_at("late.log"), NULL);
        assert_true(is(imported_metric(m, 1, "objective/scores"), 0.5));
        imported_free(m);
    }
    put("none.log", "nothing of the kind\n");
    assert_int_equal(imported_fails(&err, "verl", imported_at("none.log")),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "does not look like a file of verl"));
}

/* A history exported from a tracker, and a log of one's own. */
static void test_histories(void **state)
{
    (void)state;
    put("history.csv",
        "Step,train/objective/kl,train/objective/scores,train/global_step\n"
        "0,1.5,0.25,1\n1,2.5,,2\n2,,0.75,3\n");
    struct imported *m = imported_run("csv", imported_at("history.csv"), NULL);
    assert_string_equal(json_text(json_get(m->doc, "trainer"), ""), "trl");
    assert_true(is(imported_metric(m, 1, "objective/scores"), 0.25));
    assert_true(is(imported_metric(m, 2, "objective/kl"), 2.5));
    assert_true(isnan(imported_metric(m, 2, "objective/scores")));
    assert_false(imported_warned(m, "not_finite")); // a cell that is empty
    assert_int_equal(m->n, 0);
    imported_free(m);
    put("history.jsonl",
        "{\"_step\":1,\"_runtime\":9.5,\"critic/score/mean\":0.5,"
        "\"actor/kl_loss\":0.25}\n"
        "{\"_step\":2,\"critic/score/mean\":0.75,\"actor/kl_loss\":0.5}\n");
    for (int i = 0; i < 2; i++) {
        m = imported_run(i == 0 ? "auto" : "verl", imported_at("history.jsonl"),
                         NULL);
        assert_string_equal(json_text(json_get(m->doc, "trainer"), ""), "verl");
        assert_true(is(imported_metric(m, 2, "objective/scores"), 0.75));
        assert_null(imported_field(m, "_runtime"));
        imported_free(m);
    }
    put("plain.jsonl", "{\"step\":1,\"reward\":0.5,\"kl\":0.02,"
                       "\"response_length\":103}\n"
                       "{\"step\":2,\"reward\":0.75,\"kl\":0.04,"
                       "\"response_length\":105}\n");
    m = imported_run("jsonl", imported_at("plain.jsonl"), NULL);
    assert_int_equal(m->n, 0); // these are no responses
    assert_true(is(imported_metric(m, 2, "objective/scores"), 0.75));
    assert_true(is(imported_metric(m, 1, "response/length"), 103));
    assert_string_equal(imported_kl(m, "kl", "estimator"), "unknown");
    assert_string_equal(json_text(json_get(m->doc, "trainer"), "none"), "none");
    imported_free(m);
    /* A text makes them rows, and so does who names a field of theirs. */
    m = imported_run("jsonl", imported_at("plain.jsonl"), "score=reward");
    assert_int_equal(m->n, 2);
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
        cmocka_unit_test(test_console),
        cmocka_unit_test(test_deepspeed),
        cmocka_unit_test(test_torchtune),
        cmocka_unit_test(test_tldr),
        cmocka_unit_test(test_grpo),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_trackers),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_wrapped_numbers),
        cmocka_unit_test(test_late_steps),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_damaged_events),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}

/*
 * test_import_rough.c - files as they are found: cut, written by numpy, with
 * brackets at the beginning of lines, of several trainers in one folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/imported.h"

static void write_text(const char *name, const char *text)
{
    imported_write(name, text, strlen(text));
}

static const char *text_of(struct json *line, const char *key)
{
    return json_text(json_get(line, key), "");
}

/* numpy writes its booleans "True" and "False". */
static void test_booleans(void **state)
{
    (void)state;
    write_text("bools.jsonl",
               "{\"input\":\"q\",\"output\":\"a\",\"gts\":\"1\",\"score\":1,"
               "\"step\":1,\"acc\":\"True\",\"done\":\"False\"}\n"
               "{\"input\":\"q\",\"output\":\"b\",\"gts\":\"1\",\"score\":0,"
               "\"step\":1,\"acc\":\"False\",\"done\":\"true\"}\n");
    struct imported *m = imported_run("verl", imported_at("bools.jsonl"),
                                      "gold=acc finish=done");
    assert_int_equal(m->n, 2);
    assert_true(m->row[0].view.extra[0] == 1);
    assert_true(m->row[1].view.extra[0] == 0);
    assert_false(m->row[0].view.row.finish_unknown);
    assert_false(m->row[0].view.row.is_eos);
    assert_true(m->row[1].view.row.is_eos);
    imported_free(m);
}

static void test_bracketed_log(void **state)
{
    (void)state;
    static const char *const heads[] = {"[2024-01-01 10:00:00,000] [INFO] ",
                                        "[INFO] ", "[12] ", "[ "};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "%sstarting\n%sstep:1 - critic/score/mean:0.5 - "
                       "actor/entropy:2\n%sstep:2 - critic/score/mean:0.75\n",
                       heads[i], heads[i], heads[i]);
        write_text("console.log", text);
        struct imported *m =
            imported_run("auto", imported_at("console.log"), NULL);
        assert_true(imported_metric(m, 1, "objective/scores") == 0.5);
        assert_true(imported_metric(m, 2, "objective/scores") == 0.75);
        imported_free(m);
    }
}

#define ROW "{\"input\":\"q\",\"output\":\"%s\",\"score\":%d,\"step\":%d}"

static void test_cut(void **state)
{
    (void)state;
    char text[1024];
    struct err err;
    (void)snprintf(text, sizeof text, ROW "\n" ROW "\n" ROW, "a", 1, 1, "b", 2,
                   1, "c", 3, 1);
    size_t len = strlen(text);
    for (size_t n = len - 30; n < len; n++) { // within the last row
        imported_write("cut.jsonl", text, n);
        struct imported *m =
            imported_run("verl", imported_at("cut.jsonl"), NULL);
        assert_int_equal(m->n, 2);
        assert_true(imported_warned(m, "line_cut"));
        imported_free(m);
    }
    imported_write("cut.jsonl", text, len);
    struct imported *m = imported_run("verl", imported_at("cut.jsonl"), NULL);
    assert_int_equal(m->n, 3);
    assert_false(imported_warned(m, "line_cut"));
    imported_free(m);
    /* A row that is alone; one in the middle; an array, which nobody writes
     * row by row. */
    imported_write("cut.jsonl", text, 40);
    assert_int_equal(imported_fails(&err, "verl", imported_at("cut.jsonl")),
                     ERR_FORMAT);
    (void)snprintf(text, sizeof text, ROW "\n{\"input\":\n" ROW "\n", "a", 1, 1,
                   "b", 2, 1);
    write_text("middle.jsonl", text);
    assert_int_equal(imported_fails(&err, "verl", imported_at("middle.jsonl")),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "middle.jsonl:2: "));
    (void)snprintf(text, sizeof text, "[" ROW "," ROW, "a", 1, 1, "b", 2, 1);
    imported_write("cut.json", text, strlen(text) - 9);
    assert_int_equal(imported_fails(&err, "verl", imported_at("cut.json")),
                     ERR_FORMAT);
    /* The last line has its end and is bad: nobody cut it. */
    (void)snprintf(text, sizeof text, ROW "\n{\"input\":\n", "a", 1, 1);
    write_text("ended.jsonl", text);
    assert_int_equal(imported_fails(&err, "verl", imported_at("ended.jsonl")),
                     ERR_FORMAT);
}

static void test_cut_table(void **state)
{
    (void)state;
    struct err err;
    write_text("cut.csv", "prompt,response,score\nq,a,1\nq,b,2\nq,c\n");
    struct imported *m = imported_run("csv", imported_at("cut.csv"), NULL);
    assert_int_equal(m->n, 2);
    assert_true(imported_warned(m, "line_cut"));
    imported_free(m);
    char text[1024] = "prompt,response,score\n";
    for (int i = 0; i < 30; i++) // more than are looked at first
        (void)strcat(text, i == 20 ? "q,b\n" : "q,a,1\n");
    write_text("short.csv", text);
    assert_int_equal(imported_fails(&err, "csv", imported_at("short.csv")),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "short.csv:22: "));
}

/* Dumps of a validation folder are held-out replies. */
static void test_validation(void **state)
{
    (void)state;
    static const char *const folders[] = {"verl_val", "validation",
                                          "Eval-dumps"};
    char name[64], text[1024];
    for (size_t i = 0; i < 3; i++) {
        for (int step = 0; step <= 20; step += 10) {
            (void)snprintf(text, sizeof text, ROW "\n" ROW "\n",
                           step == 0 ? "before" : "after", step, step, "again",
                           step + 1, step);
            (void)snprintf(name, sizeof name, "v%zu/%s/%d.jsonl", i, folders[i],
                           step);
            write_text(name, text);
        }
        (void)snprintf(name, sizeof name, "v%zu", i);
        struct imported *m = imported_run("verl", imported_at(name), NULL);
        assert_int_equal(m->n, 0); // none is a response that was trained on
        assert_false(imported_misses(m, "heldout", NULL));
        assert_false(imported_misses(m, "reference", NULL));
        assert_true(imported_warned(m, "replies_of_earlier_steps"));
        int64_t policy = 0, reference = 0, second = 0;
        for (size_t k = 0; k < 4; k++) {
            struct json *line = imported_line(m, "eval/samples.jsonl", k);
            assert_non_null(line);
            bool is_policy = strcmp(text_of(line, "which"), "policy") == 0;
            double score = json_number(json_get(line, "score"), -1);
            int64_t sample = json_int(json_get(line, "sample"), -1);
            assert_true(score == (is_policy ? 20 : 0) + (double)sample);
            policy += is_policy;
            reference += !is_policy;
            second += sample;
            json_free(line);
        }
        assert_true(policy == 2 && reference == 2 && second == 2);
        assert_null(imported_line(m, "eval/samples.jsonl", 4));
        imported_free(m);
    }
    /* A word within another is none. */
    (void)snprintf(text, sizeof text, ROW "\n", "a", 1, 1);
    write_text("interval/1.jsonl", text);
    struct imported *m = imported_run("verl", imported_at("interval"), NULL);
    assert_int_equal(m->n, 1);
    imported_free(m);
}

/* k1 near 0 is below it now and then. */
static void test_negative_share(void **state)
{
    (void)state;
    for (int bad = 1; bad <= 12; bad += 11) {
        char text[16384];
        size_t n = (size_t)snprintf(text, sizeof text, "{\"log_history\":[");
        for (int step = 1; step <= 100; step++)
            n += (size_t)snprintf(
                text + n, sizeof text - n,
                "%s{\"step\":%d,\"objective/kl\":%g,\"objective/scores\":1}",
                step > 1 ? "," : "", step, step <= bad ? -0.004 : 0.1 * step);
        (void)snprintf(text + n, sizeof text - n, "]}");
        write_text("trainer_state.json", text);
        struct imported *m =
            imported_run("trl", imported_at("trainer_state.json"), NULL);
        assert_true(imported_warned(m, "trl_negative_kl") == (bad > 1));
        /* PPO's: what GRPO can be asked for is not asked for. */
        assert_true(imported_misses(m, "texts", NULL));
        assert_false(imported_misses(m, "texts", "--log_completions"));
        assert_false(imported_misses(m, "lengths", "--logging_steps"));
        imported_free(m);
    }
}

static void test_trainers_mixed(void **state)
{
    (void)state;
    char text[512];
    (void)snprintf(text, sizeof text, ROW "\n", "a", 1, 1);
    write_text("mixed/1.jsonl", text);
    struct imported *m = imported_run("auto", imported_at("mixed"), NULL);
    assert_false(imported_warned(m, "trainers_mixed"));
    imported_free(m);
    write_text("mixed/trainer_state.json",
               "{\"log_history\":[{\"step\":1,\"reward\":1}]}");
    m = imported_run("auto", imported_at("mixed"), NULL);
    assert_true(imported_warned(m, "trainers_mixed"));
    imported_free(m);
}

static void test_verl_config(void **state)
{
    (void)state;
    write_text("config.yaml",
               "algorithm:\n  gamma: 1.0\n  kl_ctrl:\n    kl_coef: 0.02\n"
               "  kl_penalty: kl\nactor_rollout_ref:\n  actor:\n"
               "    kl_loss_type: low_var_kl\n    ppo_epochs: 2\n");
    struct imported *m = imported_run("auto", imported_at("config.yaml"), NULL);
    assert_false(imported_misses(m, "settings", NULL));
    assert_string_equal(imported_field(m, "algorithm.kl_ctrl.kl_coef"),
                        "ppo.beta");
    assert_non_null(imported_field(m, "actor_rollout_ref.actor.kl_loss_type"));
    imported_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_bracketed_log),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_table),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_negative_share),
        cmocka_unit_test(test_trainers_mixed),
        cmocka_unit_test(test_verl_config),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}

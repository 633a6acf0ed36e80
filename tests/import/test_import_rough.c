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
#include <sys/stat.h>
#include <unistd.h>

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
               "algorithm:\n  gamma: 1.0\n  use_kl_in_reward: true\n  "
               "kl_ctrl:\n    kl_coef: 0.02\n"
               "  kl_penalty: kl\nactor_rollout_ref:\n  actor:\n"
               "    kl_loss_type: low_var_kl\n    ppo_epochs: 2\n");
    struct imported *m = imported_run("auto", imported_at("config.yaml"), NULL);
    assert_false(imported_misses(m, "settings", NULL));
    assert_string_equal(imported_field(m, "algorithm.kl_ctrl.kl_coef"),
                        "ppo.beta");
    assert_non_null(imported_field(m, "actor_rollout_ref.actor.kl_loss_type"));
    imported_free(m);
}

/* A coefficient that the trainer does not use is none of ours. */
static void test_unused_coefficient(void **state)
{
    static const struct {
        const char *flags;
        bool is_ours;
    } all[] = {
        {"  use_kl_in_reward: true\n", true},
        {"  use_kl_in_reward: false\n", false},
        {"  use_kl_in_reward: False\n", false},
        {"", false}, // the default, or an old one with its KL in the loss
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "algorithm:\n  gamma: 1.0\n%s  kl_ctrl:\n    kl_coef: "
                       "0.001\nactor_rollout_ref:\n  actor:\n    "
                       "use_kl_loss: true\n",
                       all[i].flags);
        write_text("coef.yaml", text);
        struct imported *m =
            imported_run("auto", imported_at("coef.yaml"), NULL);
        assert_string_equal(imported_field(m, "algorithm.kl_ctrl.kl_coef"),
                            all[i].is_ours ? "ppo.beta" : "");
        imported_free(m);
    }
}

/* The settings beside a log say which estimator it is, and where it acts. */
static const struct {
    const char *trainer, *settings, *log, *name, *estimator, *where;
} estimators[] = {
    {"verl",
     "actor_rollout_ref:\n  actor:\n    use_kl_loss: true\n    "
     "kl_loss_type: kl\nalgorithm:\n  adv_estimator: grpo\n",
     "step:1 - actor/kl_loss:0.5 - critic/score/mean:1\n", "actor/kl_loss",
     "k1", "loss"},
    {"verl",
     "actor_rollout_ref:\n  actor:\n    use_kl_loss: true\n    "
     "kl_loss_type: k3+\nalgorithm:\n  adv_estimator: grpo\n",
     "step:1 - actor/kl_loss:0.5 - critic/score/mean:1\n", "actor/kl_loss",
     "k3", "loss"},
    {"verl",
     "actor_rollout_ref:\n  actor:\n    use_kl_loss: true\nalgorithm:\n  "
     "adv_estimator: grpo\n",
     "step:1 - actor/kl_loss:0.5 - critic/score/mean:1\n", "actor/kl_loss",
     "k3", "loss"}, // its default
    {"verl", NULL, "step:1 - actor/kl_loss:0.5 - critic/score/mean:1\n",
     "actor/kl_loss", "unknown", "loss"},
    {"verl",
     "actor_rollout_ref:\n  actor: {}\nalgorithm:\n  adv_estimator: gae\n"
     "  kl_penalty: mse\n",
     "step:1 - critic/kl:0.5 - critic/kl_coeff:0.1\n", "critic/kl", "k2",
     "reward"},
    {"trl", "kl_estimator: k3\nnum_ppo_epochs: 4\n",
     "{\"log_history\":[{\"step\":1,\"objective/kl\":0.5}]}", "objective/kl",
     "k3", "reward"},
    {"trl", "kl_coef: 0.05\nnum_ppo_epochs: 4\n",
     "{\"log_history\":[{\"step\":1,\"objective/kl\":0.5}]}", "objective/kl",
     "k1", "reward"},
    {"trl", NULL, "{\"log_history\":[{\"step\":1,\"objective/kl\":0.5}]}",
     "objective/kl", "unknown", "reward"},
    /* Only k1 can be below 0. */
    {"trl", NULL, "{\"log_history\":[{\"step\":1,\"objective/kl\":-0.5}]}",
     "objective/kl", "k1", "reward"},
    {"trl", "num_generations: 8\nscale_rewards: group\n",
     "{\"log_history\":[{\"step\":1,\"kl\":0.5}]}", "kl", "k3", "loss"},
    {"trl", "num_generations: 8\nnormalize_advantages: true\n",
     "{\"log_history\":[{\"step\":1,\"kl\":0.5}]}", "kl", "k1", "reward"},
    {"trl", NULL, "{\"log_history\":[{\"step\":1,\"kl\":0.5}]}", "kl",
     "unknown", "unknown"},
    {"openrlhf",
     "{\"rollout_batch_size\":128,\"n_samples_per_prompt\":8,"
     "\"use_kl_loss\":true,\"kl_estimator\":\"k3\"}",
     "Global step 1: {'kl': 0.5, 'reward': 1}\n", "kl", "k3", "loss"},
    {"openrlhf",
     "python3 -m openrlhf.cli.train_ppo_ray --rollout_batch_size 128 "
     "--n_samples_per_prompt 8\n",
     "Global step 1: {'kl': 0.5, 'reward': 1}\n", "kl", "k1", "reward"},
    {"openrlhf", NULL, "Global step 1: {'kl': 0.5, 'reward': 1}\n", "kl",
     "unknown", "unknown"},
};

static void test_estimators(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof estimators / sizeof *estimators; i++) {
        char dir[32], log[64], settings[64];
        (void)snprintf(dir, sizeof dir, "est%zu", i);
        (void)snprintf(log, sizeof log, "%s/a.log", dir);
        (void)snprintf(settings, sizeof settings, "%s/args", dir);
        write_text(log, estimators[i].log);
        if (estimators[i].settings != NULL)
            write_text(settings, estimators[i].settings);
        struct imported *m =
            imported_run(estimators[i].trainer, imported_at(dir), NULL);
        const char *estimator = imported_kl(m, estimators[i].name, "estimator");
        const char *where = imported_kl(m, estimators[i].name, "where");
        if (strcmp(estimator, estimators[i].estimator) != 0 ||
            strcmp(where, estimators[i].where) != 0)
            fail_msg("%zu: %s is %s in the %s", i, estimators[i].name,
                     estimator, where);
        imported_free(m);
    }
}

/* Arguments of TRL and OpenRLHF, in each syntax. */
static void test_settings(void **state)
{
    static const struct {
        const char *trainer, *text, *key, *ours;
    } all[] = {
        {"trl", "kl_coef: 0.05\nnum_ppo_epochs: 4\nlam: 0.95\n", "kl_coef",
         "ppo.beta"},
        {"trl", "{\"kl_coef\": 0.05, \"num_ppo_epochs\": 4}", "num_ppo_epochs",
         "ppo.epochs"},
        {"trl",
         "num_ppo_epochs:\n  value: 4\n  desc: null\nkl_coef:\n  value: "
         "0.05\n_wandb:\n  value:\n    python_version: 3.11\n",
         "kl_coef", "ppo.beta"},
        {"trl",
         "accelerate launch ppo.py --kl_coef 0.05 --num_ppo_epochs 4 \\\n"
         "    --missing_eos_penalty 1\n",
         "kl_coef", "ppo.beta"},
        {"openrlhf",
         "python3 -m openrlhf.cli.train_ppo_ray --init_kl_coef 0.01 "
         "--rollout_batch_size 8 --n_samples_per_prompt 2 --use_wandb abcd\n",
         "init_kl_coef", "ppo.beta"},
        {"openrlhf",
         "{\"algo\":{\"kl\":{\"init_coef\":0.01,\"use_loss\":true}}}",
         "algo.kl.init_coef", ""}, // it weighs a loss
        {"verl",
         "- algorithm.adv_estimator=gae\n- algorithm.use_kl_in_reward=True\n"
         "- algorithm.kl_ctrl.kl_coef=0.02\n- ~trainer.logger\n",
         "algorithm.kl_ctrl.kl_coef", "ppo.beta"},
        {"verl",
         "actor_rollout_ref:\n  value:\n    actor:\n      use_kl_loss: false\n"
         "algorithm:\n  value:\n    gamma: 0.9\n",
         "algorithm.gamma", "ppo.gamma"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = 0; k < 2; k++) {
            write_text("arguments", all[i].text);
            struct imported *m = imported_run(k == 0 ? "auto" : all[i].trainer,
                                              imported_at("arguments"), NULL);
            assert_string_equal(json_text(json_get(m->doc, "trainer"), ""),
                                all[i].trainer);
            if (imported_field(m, all[i].key) == NULL ||
                strcmp(imported_field(m, all[i].key), all[i].ours) != 0)
                fail_msg("%zu: %s", i, all[i].key);
            assert_false(imported_misses(m, "settings", NULL));
            struct buf text;
            char path[FILE_PATH_MAX];
            buf_init(&text, 1 << 20);
            assert_int_equal(file_join(path, m->dir, "ppo/config.yaml", NULL),
                             OK);
            assert_int_equal(file_read(&text, path, NULL), OK);
            assert_null(strstr(buf_text(&text), "abcd")); // an account's key
            buf_free(&text);
            imported_free(m);
        }
}

/* What stands in a folder and is no file, or a folder for ever. */
static void test_odd_folder(void **state)
{
    char path[FILE_PATH_MAX], deep[FILE_PATH_MAX];
    (void)state;
    write_text("folder/trainer_state.json",
               "{\"log_history\":[{\"step\":1,\"reward\":1}]}");
    write_text("folder/.hydra/config.yaml",
               "actor_rollout_ref:\n  actor: {}\nalgorithm:\n  gamma: 1.0\n");
    write_text("folder/.git/config.json",
               "{\"log_history\":[{\"step\":1,\"reward\":2}]}");
    (void)snprintf(path, sizeof path, "%s", imported_at("folder/gone"));
    assert_int_equal(symlink("nowhere", path), 0);
    (void)snprintf(path, sizeof path, "%s", imported_at("folder/again"));
    assert_int_equal(symlink(".", path), 0);
    (void)snprintf(path, sizeof path, "%s", imported_at("folder/pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)snprintf(deep, sizeof deep, "folder/1/2/3/4/5/6/7/8/9/x.json");
    write_text(deep, "{}");
    struct imported *m = imported_run("auto", imported_at("folder"), NULL);
    assert_true(imported_metric(m, 1, "objective/scores") == 1);
    assert_false(imported_misses(m, "settings", NULL));
    assert_true(imported_warned(m, "files_passed_over"));
    assert_true(imported_warned(m, "folders_too_deep"));
    imported_free(m);
}

/* What a trainer's folder holds besides is not what it sampled. */
static void test_data_beside(void **state)
{
    static const char data[] = "{\"prompt\":\"q\",\"response\":\"a\","
                               "\"score\":1}\n";
    char paths[2 * FILE_PATH_MAX];
    (void)state;
    write_text("beside/log.txt", "step:1 - critic/score/mean:0.5\n");
    write_text("beside/data/train.jsonl", data);
    struct imported *m = imported_run("auto", imported_at("beside"), NULL);
    assert_int_equal(m->n, 0);
    assert_true(imported_warned(m, "files_of_no_trainer"));
    assert_true(imported_misses(m, "texts", "rollout_data_dir"));
    imported_free(m);
    /* Named, or alone, it is. */
    size_t n = (size_t)snprintf(paths, sizeof paths, "%s ",
                                imported_at("beside/log.txt"));
    (void)snprintf(paths + n, sizeof paths - n, "%s",
                   imported_at("beside/data/train.jsonl"));
    m = imported_run("auto", paths, NULL);
    assert_int_equal(m->n, 1);
    imported_free(m);
    m = imported_run("auto", imported_at("beside/data"), NULL);
    assert_int_equal(m->n, 1);
    assert_false(imported_warned(m, "files_of_no_trainer"));
    imported_free(m);
}

static const char *note_of(const struct imported *m, const char *id)
{
    const struct json *list = json_get(m->doc, "missing");
    for (size_t i = 0; i < json_size(list); i++)
        if (strcmp(json_text(json_get(json_at(list, i), "id"), ""), id) == 0)
            return json_text(json_get(json_at(list, i), "note"), "");
    return "";
}

/* What is there and was refused is not to be made again. */
static void test_missing(void **state)
{
    (void)state;
    write_text("parquet/trainer_state.json",
               "{\"log_history\":[{\"step\":1,\"reward\":1}]}");
    write_text("parquet/optimizer.pt", "PK\003\004aaaaaaaaaaaaaaaaaaaa");
    write_text("parquet/completions/completions_00001.parquet",
               "PAR1aaaaaaaaaaaaaaaaaaPAR1");
    struct imported *m = imported_run("auto", imported_at("parquet"), NULL);
    assert_false(imported_misses(m, "texts", "--log_completions"));
    assert_non_null(strstr(note_of(m, "texts"), "to_json"));
    assert_non_null(strstr(note_of(m, "scores"), "to_json"));
    assert_true(imported_warned(m, "files_refused"));
    imported_free(m);
    write_text("log.txt", "Global step 1: {'kl': 0.5, 'reward': 1}\n");
    m = imported_run("openrlhf", imported_at("log.txt"), NULL);
    assert_non_null(strstr(note_of(m, "texts"), "OpenRLHF writes none"));
    imported_free(m);
    m = imported_run("torchtune", "logs/torchtune.txt", NULL);
    assert_non_null(strstr(note_of(m, "texts"), "torchtune writes none"));
    imported_free(m);
    m = imported_run("deepspeed-chat", "logs/deepspeed.log", NULL);
    assert_non_null(strstr(note_of(m, "texts"), "DeepSpeed-Chat writes none"));
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
        cmocka_unit_test(test_unused_coefficient),
        cmocka_unit_test(test_estimators),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_odd_folder),
        cmocka_unit_test(test_data_beside),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}

/*
 * test_import_trainers.c - dumps of rollouts, one small file of each trainer,
 * and the rows that must come out of it.
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

static const struct trace_row *row(const struct imported *m, size_t i)
{
    assert_true(i < m->n);
    return &m->row[i].view.row;
}

static double gold(const struct imported *m, size_t i)
{
    return m->row[i].view.extra[0];
}

static void test_verl(void **state)
{
    (void)state;
    struct imported *m = imported_run(
        "verl", "verl/rollouts verl/log/metrics.jsonl", "gold=acc");
    assert_int_equal(m->n, 5);
    assert_int_equal(row(m, 0)->step, 1);
    assert_int_equal(row(m, 4)->step, 2);
    /* One prompt, one id, in every step; its samples are numbered. */
    assert_string_equal(m->row[0].prompt, "Where is order 7?");
    assert_string_equal(m->row[0].prompt_id, m->row[1].prompt_id);
    assert_string_equal(m->row[0].prompt_id, m->row[3].prompt_id);
    assert_string_not_equal(m->row[0].prompt_id, m->row[2].prompt_id);
    assert_int_equal(row(m, 0)->sample, 0);
    assert_int_equal(row(m, 1)->sample, 1);
    assert_true(row(m, 0)->score == 0.25 && row(m, 1)->score == 0.75);
    assert_true(row(m, 0)->score_raw == 0.25);
    assert_true(isnan(row(m, 2)->score)); // NaN
    assert_true(gold(m, 0) == 1 && gold(m, 1) == 0 && isnan(gold(m, 2)));
    assert_true(row(m, 0)->finish_unknown && row(m, 0)->token == NULL);
    assert_string_equal(m->row[0].len_unit, "words");
    assert_int_equal(row(m, 0)->n_tokens, 5);
    assert_string_equal(imported_field(m, "output"), "response");
    assert_string_equal(imported_field(m, "uid"), "");
    /* The log beside it, under our names where they mean the same. */
    assert_true(imported_metric(m, 1, "objective/scores") == 0.5);
    assert_true(imported_metric(m, 2, "objective/scores") == 0.8); // the later
    assert_true(imported_metric(m, 2, "response/length") == 15);
    assert_true(imported_metric(m, 2, "timing_s/step") == 3.5);
    assert_true(isnan(imported_metric(m, 2, "actor/kl_loss")));
    assert_true(isnan(imported_metric(m, 1, "objective/kl")));
    assert_string_equal(imported_kl(m, "actor/kl_loss", "kind"), "reference");
    assert_string_equal(imported_kl(m, "actor/kl_loss", "aggregate"),
                        "token_mean");
    assert_string_equal(imported_kl(m, "actor/kl_loss", "where"), "loss");
    assert_string_equal(imported_kl(m, "actor/ppo_kl", "kind"), "update");
    assert_true(imported_warned(m, "steps_repeated"));
    assert_true(imported_warned(m, "verl_low_var_kl_overflow"));
    assert_false(imported_misses(m, "texts", NULL));
    assert_false(imported_misses(m, "metrics", NULL));
    assert_false(imported_misses(m, "lengths", NULL)); // their means are there
    assert_true(imported_misses(m, "logp_ref", NULL));
    assert_true(imported_misses(m, "heldout", "trainer.validation_data_dir"));
    imported_free(m);
}

static void test_trl(void **state)
{
    (void)state;
    struct imported *m = imported_run(
        "trl", "trl/completions.jsonl trl/trainer_state.json", NULL);
    assert_int_equal(m->n, 2);
    assert_int_equal(row(m, 0)->step, 3);
    assert_true(row(m, 0)->score == 0.75); // both functions, weights 1
    assert_true(row(m, 1)->score == -0.5); // null is none of them
    assert_true(imported_warned(m, "trl_reward_weights"));
    assert_true(imported_metric(m, 1, "objective/kl") == 0);
    assert_true(imported_metric(m, 2, "objective/kl") == -1.5);
    assert_true(imported_metric(m, 2, "objective/scores") == 0.25);
    assert_string_equal(imported_kl(m, "objective/kl", "aggregate"),
                        "sequence_sum");
    assert_string_equal(imported_kl(m, "policy/approxkl_avg", "kind"),
                        "update");
    assert_true(imported_warned(m, "trl_entropy_of_pads"));
    assert_true(imported_warned(m, "trl_negative_kl"));
    assert_true(imported_warned(m, "trl_rlhf_reward_sign"));
    assert_false(imported_misses(m, "settings", NULL));
    imported_free(m);
    m = imported_run("trl", "trl/completions.jsonl", "score=helpful_reward");
    assert_true(row(m, 0)->score == 0.5 && row(m, 1)->score == -0.5);
    assert_true(imported_misses(m, "metrics", "--logging_steps 1"));
    imported_free(m);
}

static void put_completions(const char *name, bool is_first)
{
    /* 0.5 acc + 0.5 at the group's level goes as the advantage; the others are
     * what the functions were handed. */
    static const double acc[] = {1, 0, 0, 1}, form[] = {0.5, 0.5, 0, 0};
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int g = 0; g < 2; g++)
        for (int i = 0; i < 4; i++) {
            double r = acc[i] + form[i];
            buf_printf(
                &text,
                "{\"step\":%d,\"prompt\":\"q%d\",\"completion\":\"a%d\","
                "\"acc_reward\":%g,\"format_reward\":%g,"
                "\"solution_id\":%d,\"entropy\":%g,\"advantage\":%.9g}\n",
                is_first ? 1 : 2, g, i, acc[i], is_first ? 1 : form[i], 8 + g,
                0.1 * (i % 3),
                is_first ? (acc[i] - 0.5) / 0.5774
                         : (r - 0.75) / (0.6455 + 1e-4));
        }
    imported_write(name, text.data, text.len);
    buf_free(&text);
}

/* Numbers beside the rewards are none, in any step alike. */
static void test_trl_columns(void **state)
{
    static const char log[] =
        "{\"log_history\":[{\"step\":1,\"rewards/acc_reward/mean\":0.5,"
        "\"rewards/acc_reward/std\":0.5}]}";
    (void)state;
    put_completions("columns/completions_00001.jsonl", true);
    put_completions("columns/completions_00002.jsonl", false);
    struct imported *m = imported_run("trl", imported_at("columns"), NULL);
    assert_int_equal(m->n, 16);
    assert_true(row(m, 0)->score == 2 && row(m, 1)->score == 1);
    assert_true(row(m, 8)->score == 1.5 && row(m, 11)->score == 1);
    assert_true(imported_warned(m, "trl_reward_weights"));
    imported_free(m);
    /* The log names the functions. */
    imported_write("columns/trainer_state.json", log, sizeof log - 1);
    m = imported_run("trl", imported_at("columns"), NULL);
    assert_true(row(m, 0)->score == 1 && row(m, 1)->score == 0);
    /* Neither does: names do. */
    static const char alone[] =
        "{\"step\":1,\"prompt\":\"q\",\"completion\":\"a\",\"acc_reward\":0.5,"
        "\"solution_id\":8,\"advantage\":0}\n";
    imported_free(m);
    imported_write("completions_00003.jsonl", alone, sizeof alone - 1);
    m = imported_run("trl", imported_at("completions_00003.jsonl"), NULL);
    assert_true(row(m, 0)->score == 0.5);
    imported_free(m);
    m = imported_run("trl", imported_at("columns"), "score=entropy");
    assert_true(row(m, 1)->score == 0.1);
    imported_free(m);
}

static void test_trl_tables(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct imported *m = imported_run(
            "trl", i == 0 ? "trl/table.table.json" : "trl/table.csv", NULL);
        assert_int_equal(m->n, 2);
        assert_string_equal(m->row[0].prompt, "Where is order 7?");
        assert_true(row(m, 0)->score == 1.25 && row(m, 1)->score == 0.5);
        assert_string_equal(m->row[0].response,
                            i == 0 ? "It left today."
                                   : "It left, at last, today.");
        imported_free(m);
    }
}

static void test_openrlhf(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("openrlhf", "openrlhf/rows.jsonl openrlhf/log.txt", NULL);
    assert_int_equal(m->n, 2);
    assert_true(row(m, 0)->score == 0.5 && row(m, 1)->score == -0.25);
    assert_true(imported_metric(m, 1, "objective/scores") == 0.5);
    assert_true(isnan(imported_metric(m, 2, "objective/scores")));
    assert_true(imported_metric(m, 2, "response/length") == 22.5);
    assert_true(imported_metric(m, 1, "kl") == 0.001);
    assert_string_equal(imported_kl(m, "kl", "aggregate"), "token_mean");
    assert_string_equal(imported_kl(m, "vllm_kl", "kind"), "engine");
    imported_free(m);
    m = imported_run("openrlhf", "openrlhf/pairs.jsonl", NULL);
    assert_int_equal(m->n, 2);
    assert_string_equal(m->row[0].response, "It left today.");
    assert_true(row(m, 0)->score == 2 && row(m, 0)->sample == 0);
    assert_true(row(m, 1)->score == -1 && row(m, 1)->sample == 1);
    assert_true(imported_misses(m, "kl", "--use_tensorboard"));
    imported_free(m);
}

static void test_nemo(void **state)
{
    (void)state;
    struct imported *m = imported_run("nemo-rl", "nemo", NULL);
    assert_int_equal(m->n, 2);
    assert_int_equal(row(m, 0)->step, 3);
    assert_int_equal(row(m, 0)->len, 2);
    assert_int_equal(m->row[0].token[0], 21);
    assert_int_equal(m->row[0].token[1], 22);
    assert_true(m->row[0].logp_sample[0] == -0.25F);
    assert_true(m->row[0].logp[0] == -0.125F);
    assert_true(m->row[0].advantage[1] == 0.5F);
    assert_true(row(m, 1)->score == -0.5);
    assert_int_equal(row(m, 1)->len, 1);
    assert_null(row(m, 1)->logp); // of another length than the ids
    assert_string_equal(m->row[0].prompt_id, m->row[1].prompt_id);
    assert_false(imported_misses(m, "tokens", NULL));
    assert_false(imported_misses(m, "heldout", NULL));
    assert_true(imported_misses(m, "reference", NULL));
    struct json *reply = imported_line(m, "eval/samples.jsonl", 0);
    assert_string_equal(json_text(json_get(reply, "which"), ""), "policy");
    assert_true(json_number(json_get(reply, "score"), 0) == 1);
    json_free(reply);
    imported_free(m);
}

static void test_open_instruct(void **state)
{
    (void)state;
    struct imported *m = imported_run("open-instruct", "open_instruct", NULL);
    assert_int_equal(m->n, 2);
    assert_int_equal(row(m, 0)->step, 4);
    assert_false(row(m, 0)->finish_unknown);
    assert_true(row(m, 0)->is_eos && !row(m, 1)->is_eos);
    assert_int_equal(row(m, 1)->len, 3);
    assert_int_equal(m->row[1].token[2], 10);
    assert_true(m->row[0].logp_sample[1] == -0.25F);
    assert_null(row(m, 1)->logp_sample);
    assert_int_equal(row(m, 1)->sample, 1);
    assert_string_equal(m->row[0].prompt_id, m->row[1].prompt_id);
    assert_non_null(strstr(m->row[0].tags, "\"desk\""));
    assert_string_equal(json_text(json_get(m->doc, "version"), ""), "0123abc");
    imported_free(m);
}

static void test_trlx(void **state)
{
    (void)state;
    struct imported *m = imported_run("trlx", "trlx/run", NULL);
    assert_int_equal(m->n, 2);
    assert_int_equal(row(m, 0)->len, 2);
    assert_true(m->row[0].value[1] == 0.2F && m->row[0].logp[1] == -1.0F);
    assert_true(m->row[0].reward[1] == 0.98F);
    /* The score is not told apart from the KL term in the rewards. */
    assert_true(isnan(row(m, 0)->score));
    assert_true(imported_misses(m, "scores", NULL));
    assert_false(imported_misses(m, "settings", NULL));
    imported_free(m);
}

static void test_rewardspy(void **state)
{
    (void)state;
    struct imported *m = imported_run("rewardspy", "rewardspy.jsonl", NULL);
    assert_int_equal(m->n, 2);
    assert_true(row(m, 0)->score == 0.5 && row(m, 1)->step == 1);
    assert_null(m->row[0].response);
    assert_null(m->row[0].len_unit); // len() of something is no length
    assert_true(imported_warned(m, "rewardspy_alerts"));
    assert_true(json_int(json_get(json_get(m->doc, "rows"), "skipped"), 0) ==
                1);
    assert_true(imported_misses(m, "texts", NULL));
    imported_free(m);
}

static void test_samples(void **state)
{
    (void)state;
    struct imported *m = imported_run("samples", "samples", NULL);
    assert_int_equal(m->n, 0);
    struct json *first = imported_line(m, "eval/samples.jsonl", 0);
    struct json *third = imported_line(m, "eval/samples.jsonl", 2);
    assert_string_equal(json_text(json_get(first, "which"), ""), "policy");
    assert_string_equal(json_text(json_get(third, "which"), ""), "reference");
    assert_true(json_number(json_get(first, "score"), 0) == 1.25);
    assert_string_equal(json_text(json_get(first, "len_unit"), ""), "words");
    assert_string_equal(json_text(json_get(first, "prompt_id"), "a"),
                        json_text(json_get(third, "prompt_id"), "b"));
    struct json *vote = imported_line(m, "judge/votes.jsonl", 0);
    struct json *tie = imported_line(m, "judge/votes.jsonl", 1);
    assert_string_equal(json_text(json_get(vote, "judge_kind"), ""), "model");
    assert_string_equal(json_text(json_get(tie, "overall"), ""), "tie");
    assert_string_equal(json_text(json_get(vote, "prompt_id"), "a"),
                        json_text(json_get(first, "prompt_id"), "b"));
    /* An LLM's verdicts are nobody's votes. */
    assert_null(imported_line(m, "human/spotcheck.jsonl", 0));
    assert_true(imported_misses(m, "human", NULL));
    assert_string_equal(imported_kl(m, "kl", "aggregate"), "unknown");
    json_free(first);
    json_free(third);
    json_free(vote);
    json_free(tie);
    imported_free(m);
}

static void test_generic(void **state)
{
    (void)state;
    struct imported *m =
        imported_run("jsonl", "generic/rows.jsonl",
                     "step=iter prompt=ask response=say score=points.rm "
                     "gold=points.gold finish=ended");
    assert_int_equal(m->n, 2);
    assert_int_equal(row(m, 0)->step, 5);
    assert_string_equal(m->row[1].response, "No.");
    assert_true(row(m, 0)->score == 0.5 && row(m, 1)->score == -0.5);
    assert_true(gold(m, 0) == 0.25 && isnan(gold(m, 1)));
    assert_true(row(m, 0)->is_eos && !row(m, 1)->is_eos);
    assert_false(row(m, 1)->finish_unknown);
    imported_free(m);
    m = imported_run("csv", "generic/table.tsv", NULL);
    assert_int_equal(m->n, 2);
    assert_true(row(m, 0)->score == 0.5 && isnan(row(m, 1)->score));
    assert_string_equal(m->row[0].len_unit, "tokens");
    assert_int_equal(row(m, 0)->n_tokens, 3);
    imported_free(m);
}

/* What each file is, told by its beginning alone. */
static void test_sniff(void **state)
{
    static const struct {
        const char *path, *format, *kind;
    } all[] = {
        {"verl/rollouts/1.jsonl", "verl", "rollouts"},
        {"verl/log/metrics.jsonl", "verl", "file logger"},
        {"verl/log/console.txt", "verl", "console"},
        {"trl/trainer_state.json", "trl", "state"},
        {"trl/completions.jsonl", "trl", "completions"},
        {"trl/table.table.json", "trl", "table"},
        {"trl/table.csv", "trl", "table (CSV)"},
        {"openrlhf/rows.jsonl", "openrlhf", "rows"},
        {"openrlhf/pairs.jsonl", "openrlhf", "pairs"},
        {"openrlhf/log.txt", "openrlhf", "log"},
        {"nemo/train_data_step3.jsonl", "nemo-rl", "train"},
        {"nemo/val_data_step3.jsonl", "nemo-rl", "validation"},
        {"open_instruct/desk_rollouts_000000.jsonl", "open-instruct",
         "rollouts"},
        {"open_instruct/desk_metadata.jsonl", "open-instruct", "metadata"},
        {"trlx/run/epoch-1700000000.json", "trlx", "rollouts"},
        {"trlx/run/config.json", "trlx", "config"},
        {"rewardspy.jsonl", "rewardspy", "records"},
        {"logs/deepspeed.log", "deepspeed-chat", "log"},
        {"logs/torchtune.txt", "torchtune", "log"},
        {"logs/tldr.txt", "tldr", "log"},
        {"logs/grpo.log", "grpo-log", "training"},
        {"logs/grpo_stats.json", "grpo-log", "statistics"},
        {"logs/grpo_eval.log", "grpo-log", "evaluation"},
        {"samples/samples.json", "samples", "replies"},
        {"samples/verdicts.json", "samples", "verdicts"},
        {"generic/table.tsv", "csv", "rows"},
        {"generic/rows.jsonl", "none", "none"}, // names that nobody knows
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char path[FILE_PATH_MAX];
        struct buf out;
        struct json *doc;
        struct err err = {OK, ""};
        buf_init(&out, 1 << 20);
        assert_int_equal(
            file_join(path, TEST_DATA "/import", all[i].path, NULL), OK);
        if (import_sniff(&out, path, &err) != OK)
            fail_msg("%s", err.text);
        assert_int_equal(json_parse(&doc, out.data, out.len, path, NULL), OK);
        const char *format = json_text(json_get(doc, "format"), "none");
        const char *kind = json_text(json_get(doc, "kind"), "none");
        if (strcmp(format, all[i].format) != 0 ||
            strcmp(kind, all[i].kind) != 0)
            fail_msg("%s is taken for %s, %s", all[i].path, format, kind);
        double sure = json_number(json_get(doc, "confidence"), -1);
        assert_true((sure > 0) == (strcmp(format, "none") != 0) && sure <= 1);
        json_free(doc);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verl),          cmocka_unit_test(test_trl),
        cmocka_unit_test(test_trl_columns),   cmocka_unit_test(test_trl_tables),
        cmocka_unit_test(test_openrlhf),      cmocka_unit_test(test_nemo),
        cmocka_unit_test(test_open_instruct), cmocka_unit_test(test_trlx),
        cmocka_unit_test(test_rewardspy),     cmocka_unit_test(test_samples),
        cmocka_unit_test(test_generic),       cmocka_unit_test(test_sniff),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}

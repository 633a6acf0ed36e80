/*
 * An iteration taken up again from its trace and its checkpoint: its gradient
 * is the one training had, and a trace that does not fit is refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "desk.h"
#include "io/trace.h"
#include "model/checkpoint.h"
#include "near.h"
#include "rlhf/ppo_replay.h"
#include "rlhf/ppo_split.h"

static struct err err;
static struct desk desk; // with SFT and reward model

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* One update a rollout, so that the logged norm is that of one gradient. */
static struct ppo_config one_update(void)
{
    struct ppo_config c = desk_ppo(&desk);
    c.iterations = 3;
    c.epochs = c.minibatches = 1;
    return c;
}

static void vary(struct ppo_config *c, int k)
{
    static const int modes[] = {KL_K1_REWARD, KL_K3_LOSS,   KL_K1_CLAMP,
                                KL_K2_LOSS,   KL_K3_REWARD, KL_K2_LOSS};
    c->kl.mode = modes[k];
    c->advantage.score_position = k < 5 ? k % 3 : SCORE_AT_EOS;
    c->advantage.whiten_reward = k == 4 ? WHITEN_BIASED : WHITEN_OFF;
    c->loss.entropy_coef = k == 1 ? 0.01 : 0;
    c->loss.aggregation = k % 5;
    c->kl.control = k == 2 ? KL_ADAPTIVE : KL_FIXED;
    c->kl.target = 0.01;
    c->kl.horizon = 100;
    c->kl.max_error = 0.5;
    if (k < 5)
        return;
    /* The faults that change what a log-prob is, and which tokens count. */
    c->max_new = 90;
    c->advantage.mask_eos = true;
    c->mask_logits = false;
    c->log_temperature = 0.8;
    c->ratio_gate = (double)INFINITY;
}
#define VARIANTS 6

/* What a replay is read with. */
struct source {
    struct tokenizer *tokenizer;
    struct dataset prompts;
    struct corpus corpus;
    struct model policy;
};

static void source_open(struct source *s, const struct ppo_config *c,
                        const char *model)
{
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    struct data_config data = {.too_long = TOO_LONG_REFUSE};
    char path[FILE_PATH_MAX];
    must(run_find_model(path, model, NULL, &err));
    must(checkpoint_tokenizer(&s->tokenizer, path, &err));
    must(checkpoint_read(&s->policy, path, HEAD_LM, &err));
    must(corpus_load(&s->corpus, &s->prompts, &files, &data, s->tokenizer,
                     s->policy.config.eos,
                     s->policy.config.T_max - (size_t)c->max_new, NULL, &err));
}

static void source_close(struct source *s)
{
    model_free(&s->policy);
    corpus_free(&s->corpus);
    dataset_free(&s->prompts);
    tokenizer_free(s->tokenizer);
}

static enum status replay(struct replay *out, const char *path,
                          const struct ppo_config *c, const struct source *s)
{
    return ppo_replay_read(out, path, c, &s->prompts, &s->corpus,
                           s->policy.config.V, &err);
}

static double logged_norm(const char *run, int64_t step)
{
    struct run_table t;
    char path[FILE_PATH_MAX];
    double norm = (double)NAN;
    must(file_join(path, run, "metrics.jsonl", &err));
    must(run_table_read(&t, path, &err));
    size_t column = run_table_find(&t, "policy/grad_norm");
    assert_true(column != SIZE_MAX);
    for (size_t i = 0; i < t.n; i++)
        if (t.step[i] == step)
            norm = t.value[i * t.columns + column];
    run_table_free(&t);
    return norm;
}

/* Iterations 1, from the starting model, and 3, from checkpoint 2. */
static void check_iteration(const char *run, const struct ppo_config *c,
                            const char *model, int64_t step)
{
    struct source s;
    struct replay r;
    struct ppo_split split;
    char trace[1024];
    assert_true(snprintf(trace, sizeof trace, "%s/rollouts/%06lld.jsonl.zst",
                         run, (long long)step) > 0);
    source_open(&s, c, model);
    must(replay(&r, trace, c, &s));
    assert_int_equal(r.step, step);
    struct split_input in = {&r.rollout, &s.policy, c, r.beta, 1e-3};
    must(ppo_split_run(&split, &in, &desk.context, &err));
    assert_true(split.logp_error < 1e-4);
    assert_true(split.residual < 1e-5);
    /* A float gradient's rounding, and that of shards added up otherwise. */
    double want = logged_norm(run, step);
    assert_near(split.norm[SPLIT_WHOLE], want, 1e-4 * want);
    ppo_replay_free(&r);
    source_close(&s);
}

static void test_gradient_is_the_runs(void **state)
{
    (void)state;
    for (int k = 0; k < VARIANTS; k++) {
        char name[16], from[64];
        struct ppo_config c = one_update();
        vary(&c, k);
        (void)snprintf(name, sizeof name, "run%d", k);
        struct stage stage = desk_stage(&desk, name, RUN_NEW);
        must(ppo_run(&c, &stage, NULL, &err));
        (void)snprintf(from, sizeof from, "%s/checkpoints/000002", name);
        const char *run = desk_path(&desk, name);
        check_iteration(run, &c, c.model, 1);
        check_iteration(run, &c, desk_path(&desk, from), 3);
    }
}

/* The wrong checkpoint shows. */
static void test_another_policy_shows(void **state)
{
    struct ppo_config c = one_update();
    struct source s;
    struct replay r;
    struct ppo_split split;
    (void)state;
    source_open(&s, &c, c.model);
    must(
        replay(&r, desk_path(&desk, "run0/rollouts/000003.jsonl.zst"), &c, &s));
    struct split_input in = {&r.rollout, &s.policy, &c, r.beta, 1e-3};
    must(ppo_split_run(&split, &in, &desk.context, &err));
    assert_true(split.logp_error > 1e-3);
    ppo_replay_free(&r);
    source_close(&s);
}

static void assert_refused(enum status got, enum status want, const char *text)
{
    if (got != want || strstr(err.text, text) == NULL)
        fail_msg("wanted %s with '%s', got %s: %s", err_name(want), text,
                 err_name(got), err.text);
}

/* The first row of a trace with `from` replaced by `to`, as a file. */
static const char *forge(const char *from, const char *to)
{
    struct buf text, out;
    const char *path = desk_path(&desk, "forged.jsonl");
    buf_init(&text, 1 << 24);
    buf_init(&out, 1 << 24);
    must(trace_read_file(
        &text, desk_path(&desk, "run0/rollouts/000001.jsonl.zst"), &err));
    char *at = strstr(buf_text(&text), from);
    assert_non_null(at);
    buf_append(&out, buf_text(&text), (size_t)(at - buf_text(&text)));
    buf_puts(&out, to);
    buf_puts(&out, at + strlen(from));
    must(file_write(path, buf_text(&out), out.len, &err));
    buf_free(&text);
    buf_free(&out);
    return path;
}

static void test_what_does_not_fit_is_refused(void **state)
{
    struct ppo_config c = one_update();
    struct source s;
    struct replay r;
    /* Not the first: there policy and reference are one, and every estimate
     * of their divergence is 0. */
    const char *trace = desk_path(&desk, "run0/rollouts/000003.jsonl.zst");
    (void)state;
    source_open(&s, &c, c.model);
    must(replay(&r, trace, &c, &s));
    ppo_replay_free(&r);

    struct ppo_config other = c;
    other.advantage.lambda = 0.5;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "settings");
    other = c;
    other.kl.mode = KL_K2_LOSS;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "settings");
    other = c;
    other.batch = 7;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "more than");
    other.batch = 9;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "8 rows");
    other = c;
    other.max_new = 1;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "max_new");
    other = c;
    other.temperature = 0.5;
    assert_refused(replay(&r, trace, &other, &s), ERR_MISMATCH, "temperature");

    assert_refused(replay(&r, "/nowhere", &c, &s), ERR_MISSING, "/nowhere");
    assert_refused(replay(&r, forge("\"tokens\":[", "\"tokens\":[-1,"), &c, &s),
                   ERR_MISMATCH, "'tokens'[0]");
    assert_refused(
        replay(&r, forge("\"tokens\":[", "\"tokens\":[1e9,"), &c, &s),
        ERR_MISMATCH, "'tokens'[0]");
    assert_refused(replay(&r, forge("\"tokens\":[", "\"tokens\":[2,"), &c, &s),
                   ERR_FORMAT, "one a token");
    assert_refused(
        replay(&r, forge("\"logp_ref\":[", "\"logp_ref\":[null,"), &c, &s),
        ERR_FORMAT, "'logp_ref'");
    assert_refused(replay(&r, forge("\"value\":", "\"worth\":"), &c, &s),
                   ERR_FORMAT, "'value'");
    assert_refused(
        replay(&r, forge("\"prompt_id\":\"", "\"prompt_id\":\"x"), &c, &s),
        ERR_MISMATCH, "is not in");
    assert_refused(replay(&r, forge("\"step\":1", "\"step\":2"), &c, &s),
                   ERR_FORMAT, "first row");
    assert_refused(replay(&r, forge("\"run\"", "\"run\""), &c, &s), OK, "");
    ppo_replay_free(&r);
    source_close(&s);
}

static int open_desk(void **state)
{
    (void)state;
    desk_open(&desk, 2);
    desk_prepare(&desk);
    return 0;
}

static int close_desk(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_the_runs),
        cmocka_unit_test(test_another_policy_shows),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, open_desk, close_desk);
}

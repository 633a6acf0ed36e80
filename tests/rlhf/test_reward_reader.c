/*
 * A reward model that has another tokenizer than the policy: what it says of a
 * reply must be what it says of the same text in its own tokens.
 */
#include "rlhf/reward_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "io/run.h"
#include "model/checkpoint.h"
#include "turned.h"

static struct err err;
static struct desk shared; // trained once

enum {
    N = 24
};

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* What a policy with the desk's tokenizer said: demonstrations, every third
 * one cut two tokens before its end. */
struct said {
    struct tokenizer *tokenizer;
    struct dataset data;
    struct corpus corpus;
    size_t prompt[N];
    bool is_eos[N];
    struct reward_replies replies;
    struct reward_policy policy;
};

static void said_open(struct said *s, const struct desk *d)
{
    char path[FILE_PATH_MAX];
    struct model policy;
    must(run_find_model(path, desk_path(d, "sft"), NULL, &err));
    must(checkpoint_read(&policy, path, HEAD_LM, &err));
    must(tokenizer_open(&s->tokenizer, path, &err));
    s->policy = (struct reward_policy){.tokenizer = s->tokenizer,
                                       .chat = {.template = CHAT_SUPPORT},
                                       .end = policy.config.eos};
    model_free(&policy);
    must(dataset_read(&s->data, desk_path(d, "demos.jsonl"), DATASET_DEMOS,
                      &err));
    must(corpus_encode(&s->corpus, &s->data, s->tokenizer, s->policy.end, 128,
                       &err));
    for (size_t i = 0; i < N; i++) {
        s->prompt[i] = i;
        s->is_eos[i] = i % 3 != 0;
        if (!s->is_eos[i])
            s->corpus.seq[i].len_response -= 3;
    }
    s->replies = (struct reward_replies){.records = s->data.record,
                                         .prompt = s->prompt,
                                         .seq = s->corpus.seq,
                                         .is_eos = s->is_eos,
                                         .n = N};
}

static void said_close(struct said *s)
{
    corpus_free(&s->corpus);
    dataset_free(&s->data);
    tokenizer_free(s->tokenizer);
}

static void score_with(double *score, const struct said *s, const char *model,
                       bool reads_ids)
{
    struct reward_reader r;
    must(reward_reader_open(&r, desk_path(&shared, model), &s->policy,
                            MODEL_F32, &err));
    assert_int_equal(r.reads_ids, reads_ids);
    must(reward_reader_score(score, &r, &s->replies, &shared.context, &err));
    reward_reader_close(&r);
}

/* The desk's vocabulary in reverse, embedding and all: the same scores to the
 * last bit, of ended replies and of cut ones. */
static void test_same_model_in_other_tokens(void **state)
{
    (void)state;
    struct said s;
    double own[N], other[N];
    said_open(&s, &shared);
    score_with(own, &s, "reward", true);
    score_with(other, &s, "turned", false);
    for (size_t i = 0; i < N; i++) {
        assert_true(own[i] == other[i]);
        /* A model that does not look would pass. */
        assert_true(i == 0 || own[i] != own[i - 1]);
    }
    said_close(&s);
}

/* Another template as well: the reply is laid out as the reward model's own
 * data are - here prompt, response and its end token, nothing between. */
static void test_other_template(void **state)
{
    (void)state;
    struct said s;
    double score[N];
    struct reward_reader r;
    said_open(&s, &shared);
    score_with(score, &s, "plain", false);
    must(reward_reader_open(&r, desk_path(&shared, "plain"), &s.policy,
                            MODEL_F32, &err));
    for (size_t i = 0; i < N; i++) {
        struct ids ids = {.n = 0};
        struct buf text;
        double want;
        const char *prompt = s.data.record[i].prompt;
        buf_init(&text, 1 << 16);
        must(tokenizer_encode(r.tokenizer, prompt, strlen(prompt), false, &ids,
                              &err));
        size_t len_prompt = ids.n;
        must(tokenizer_decode(s.tokenizer, s.corpus.seq[i].response,
                              s.corpus.seq[i].len_response, true, &text, &err));
        must(tokenizer_encode(r.tokenizer, buf_text(&text), text.len, false,
                              &ids, &err));
        if (s.is_eos[i])
            must(ids_push(&ids, r.model.config.eos, &err));
        const struct sequence seq = {ids.id, len_prompt, ids.id + len_prompt,
                                     ids.n - len_prompt};
        must(scorer_score(&want, &r.model, &seq, 1, &shared.context, &err));
        assert_true(score[i] == want);
        buf_free(&text);
        ids_free(&ids);
    }
    reward_reader_close(&r);
    said_close(&s);
}

/* A data set has the same scores as the replies it holds. */
static void test_data_set(void **state)
{
    (void)state;
    struct said s;
    struct reward_reader r;
    struct corpus corpus;
    double score[N], all[N];
    said_open(&s, &shared);
    for (size_t i = 0; i < N; i++) {
        s.corpus.seq[i].len_response += s.is_eos[i] ? 0 : 3;
        s.is_eos[i] = true;
    }
    score_with(score, &s, "reward", true);
    must(reward_reader_open(&r, desk_path(&shared, "turned"), NULL, MODEL_F32,
                            &err));
    must(reward_reader_encode(&corpus, &r, &s.data, &err));
    must(scorer_score(all, &r.model, corpus.seq, N, &shared.context, &err));
    for (size_t i = 0; i < N; i++)
        assert_true(all[i] == score[i]);
    corpus_free(&corpus);
    reward_reader_close(&r);
    said_close(&s);
}

/* The ids are used as they are only when all agrees: not with another template,
 * nor another end. */
static void test_when_ids_are_read(void **state)
{
    (void)state;
    struct said s;
    struct reward_reader r;
    said_open(&s, &shared);
    struct reward_policy other = s.policy;
    other.end++;
    must(reward_reader_open(&r, desk_path(&shared, "reward"), &other, MODEL_F32,
                            &err));
    assert_false(r.reads_ids);
    reward_reader_close(&r);
    other = s.policy;
    other.chat.template = CHAT_HH;
    must(reward_reader_open(&r, desk_path(&shared, "reward"), &other, MODEL_F32,
                            &err));
    assert_false(r.reads_ids);
    reward_reader_close(&r);
    must(reward_reader_open(&r, desk_path(&shared, "reward"), NULL, MODEL_F32,
                            &err));
    assert_false(r.reads_ids);
    reward_reader_close(&r);
    assert_int_equal(reward_reader_open(&r, desk_path(&shared, "nowhere"), NULL,
                                        MODEL_F32, &err),
                     ERR_MISSING);
    said_close(&s);
}

/* A reward model trained with a template by name carries it, and is read with
 * it afterwards without being told. */
static void test_trained_template(void **state)
{
    (void)state;
    struct said s;
    struct reward_reader r;
    struct reward_config c = desk_reward(&shared);
    struct stage stage = desk_stage(&shared, "reward-none", RUN_NEW);
    stage.data.template = "none";
    must(reward_model_run(&c, &stage, &err));
    said_open(&s, &shared);
    must(reward_reader_open(&r, desk_path(&shared, "reward-none"), &s.policy,
                            MODEL_F32, &err));
    assert_false(r.reads_ids);
    reward_reader_close(&r);
    s.policy.chat.template = CHAT_NONE;
    must(reward_reader_open(&r, desk_path(&shared, "reward-none"), &s.policy,
                            MODEL_F32, &err));
    assert_true(r.reads_ids);
    reward_reader_close(&r);
    said_close(&s);
}

/* Both ways a reply that is longer than the model's positions is refused, and
 * named. */
static void test_too_long(void **state)
{
    (void)state;
    static const char *const model[] = {"reward", "turned"};
    struct said s;
    double score[N];
    said_open(&s, &shared);
    for (size_t k = 0; k < 2; k++) {
        struct reward_reader r;
        must(reward_reader_open(&r, desk_path(&shared, model[k]), &s.policy,
                                MODEL_F32, &err));
        r.model.config.T_max = 20;
        assert_int_equal(
            reward_reader_score(score, &r, &s.replies, &shared.context, &err),
            ERR_LIMIT);
        assert_non_null(strstr(err.text, s.data.record[0].id));
        reward_reader_close(&r);
    }
    said_close(&s);
}

/* A whole run: the reward model in other tokens trains the same policy, and
 * cannot lend the value model its trunk. */
static void test_ppo(void **state)
{
    (void)state;
    struct ppo_config c = desk_ppo(&shared);
    char own[65], other[65];
    c.value_init_reward = false;
    struct stage stage = desk_stage(&shared, "ppo", RUN_NEW);
    must(ppo_run(&c, &stage, NULL, &err));
    desk_hash(own, &shared, "ppo/checkpoints/000004/model.safetensors");
    c = desk_ppo(&shared); // desk_path() lends its buffers for a while only
    c.value_init_reward = false;
    c.reward_model = desk_path(&shared, "turned");
    stage = desk_stage(&shared, "ppo-turned", RUN_NEW);
    must(ppo_run(&c, &stage, NULL, &err));
    desk_hash(other, &shared,
              "ppo-turned/checkpoints/000004/model.safetensors");
    assert_string_equal(own, other);
    c = desk_ppo(&shared);
    c.reward_model = desk_path(&shared, "turned");
    stage = desk_stage(&shared, "ppo-value", RUN_NEW);
    assert_int_equal(ppo_run(&c, &stage, NULL, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.value_init_reward=false"));
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 2);
    desk_prepare(&shared);
    turned_write(&shared, "reward", "turned", NULL);
    turned_write(&shared, "reward", "plain", "");
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_model_in_other_tokens),
        cmocka_unit_test(test_other_template),
        cmocka_unit_test(test_data_set),
        cmocka_unit_test(test_when_ids_are_read),
        cmocka_unit_test(test_trained_template),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_ppo),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

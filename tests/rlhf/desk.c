#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "world/desk.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

const char *desk_path(const struct desk *d, const char *name)
{
    static char path[8][512];
    static int turn;
    char *to = path[turn++ % 8];
    assert_true(snprintf(to, sizeof path[0], "%s/%s", d->dir, name) > 0);
    return to;
}

/* Four demonstrations of a prompt's neighbours stand in for candidates: what
 * is ranked does not matter to these tests. */
static void write_rankings(const struct desk *d)
{
    struct dataset demos;
    struct buf out;
    must(
        dataset_read(&demos, desk_path(d, "demos.jsonl"), DATASET_DEMOS, &err));
    buf_init(&out, 1 << 24);
    for (size_t i = 0; i < 24; i++) {
        char *responses[4];
        int32_t ranking[4] = {1, 2, 3, 3};
        struct record r = demos.record[i];
        for (size_t k = 0; k < 4; k++)
            responses[k] = demos.record[i * 4 + k].response;
        r.response = NULL;
        r.responses = responses;
        r.ranking = ranking;
        r.n_responses = 4;
        dataset_write_record(&out, &r);
    }
    must(file_write(desk_path(d, "rankings.jsonl"), buf_text(&out), out.len,
                    &err));
    buf_free(&out);
    dataset_free(&demos);
}

void desk_open(struct desk *d, size_t threads)
{
    *d = (struct desk){.shards = 4, .seed = 7};
    const char *tmp = getenv("TMPDIR");
    assert_true(snprintf(d->dir, sizeof d->dir, "%s/plumb-test-XXXXXX",
                         tmp != NULL ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(d->dir));
    must(team_create(&d->context.team, threads, &err));
    must(desk_write_tokenizer(desk_path(d, "desk"), &err));
    must(desk_write_demos(desk_path(d, "demos.jsonl"), 96, 1, &err));
    must(desk_write_prompts(desk_path(d, "prompts.jsonl"), TICKET_PPO, 32, 1,
                            &err));
    write_rankings(d);
}

void desk_close(struct desk *d)
{
    team_destroy(d->context.team);
    must(file_remove(d->dir, &err));
}

struct sft_config desk_sft(const struct desk *d)
{
    return (struct sft_config){
        .data = desk_path(d, "demos.jsonl"),
        .tokenizer = desk_path(d, "desk"),
        .epochs = 2,
        .batch = 16,
        .prompt_weight = 0.3,
        .save_every = 3,
        .log_every = 1,
        .max_tokens = 160,
        .holdout = 0.1,
        .optimizer = {.lr = 3e-3,
                      .lr_min = 0.05,
                      .warmup = 2,
                      .schedule = 2,
                      .beta1 = 0.9,
                      .beta2 = 0.98,
                      .eps = 1e-8,
                      .weight_decay = 0.01,
                      .clip = 1},
        .channels = 16,
        .layers = 2,
        .heads = 2,
        .kv_heads = 1,
        .feed_forward = 24,
        .positions = 128,
    };
}

struct reward_config desk_reward(const struct desk *d)
{
    return (struct reward_config){
        .data = desk_path(d, "rankings.jsonl"),
        .model = desk_path(d, "sft"),
        .epochs = 2,
        .batch = 6,
        .holdout = 0.25,
        .save_every = 2,
        .log_every = 1,
        .max_tokens = 160,
        .loss = {.centring = 0.005},
        .optimizer = {.lr = 2e-3,
                      .lr_min = 0.1,
                      .warmup = 2,
                      .schedule = 2,
                      .beta1 = 0.9,
                      .beta2 = 0.98,
                      .eps = 1e-8,
                      .clip = 1},
    };
}

struct ppo_config desk_ppo(const struct desk *d)
{
    return (struct ppo_config){
        .model = desk_path(d, "sft"),
        .reward_model = desk_path(d, "reward"),
        .prompts = desk_path(d, "prompts.jsonl"),
        .iterations = 4,
        .batch = 8,
        .samples = 1,
        .max_new = 24,
        .temperature = 1,
        .mask_logits = true,
        .epochs = 2,
        .minibatches = 2,
        .loss = {.clip_low = 0.2,
                 .clip_high = 0.2,
                 .value_clip = 0.2,
                 .value_coef = 1},
        .advantage = {.gamma = 1,
                      .lambda = 0.95,
                      .whiten = WHITEN_UNBIASED,
                      .whiten_eps = 1e-8},
        .kl = {.beta = 0.05, .beta_end = -1},
        .missing_eos = 1,
        .shape_samples = 1,
        .score_norm = SCORE_NORM_REFERENCE,
        .norm_prompts = 16,
        .value_init_reward = true,
        .lr_value = 1e-3,
        .optimizer = {.lr = 1e-3,
                      .warmup = 1,
                      .beta1 = 0.9,
                      .beta2 = 0.95,
                      .eps = 1e-5,
                      .clip = 1},
        .save_every = 2,
        .trace_every = 1,
    };
}

struct stage desk_stage(struct desk *d, const char *name, enum run_mode mode)
{
    return (struct stage){
        .out = desk_path(d, name),
        .mode = mode,
        .config = "seed: 7\n",
        .seed = d->seed,
        .shards = d->shards,
        .precision = d->precision,
        .context = &d->context,
    };
}

void desk_prepare(struct desk *d)
{
    struct sft_config sft = desk_sft(d);
    struct stage stage = desk_stage(d, "sft", RUN_NEW);
    must(sft_run(&sft, &stage, &err));
    struct reward_config reward = desk_reward(d);
    stage = desk_stage(d, "reward", RUN_NEW);
    must(reward_model_run(&reward, &stage, &err));
}

void desk_hash(char out[65], const struct desk *d, const char *name)
{
    must(file_hash(out, desk_path(d, name), &err));
}

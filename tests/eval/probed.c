#include "probed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/heldout_files.h"
#include "files.h"
#include "model/model.h"
#include "world/desk.h"
#include "world/replies.h"

static struct err err;

static void must(enum status status)
{
    files_must(status, &err);
}

static const char *keep(char out[512], const struct desk *d, const char *name)
{
    assert_true(snprintf(out, 512, "%s/%s", d->dir, name) > 0);
    return out;
}

static void train(struct probed *p)
{
    struct desk *d = &p->desk;
    desk_prepare(d);
    p->sft = desk_sft(d);
    p->sft.data = keep(p->demos, d, "demos.jsonl");
    p->reward = desk_reward(d);
    p->reward.data = keep(p->rankings, d, "rankings.jsonl");
    p->reward.model = keep(p->trunk, d, "sft");
    p->ppo = desk_ppo(d);
    p->ppo.iterations = PROBED_ITERATIONS;
    p->ppo.save_every = 1;
    p->ppo.max_new = PROBED_MAX_NEW;
    struct stage stage = desk_stage(d, "ppo", RUN_NEW);
    must(ppo_run(&p->ppo, &stage, NULL, &err));
    p->ppo.model = keep(p->start, d, "sft");
    p->ppo.reward_model = keep(p->reward_model, d, "reward");
    p->ppo.prompts = keep(p->ppo_prompts, d, "prompts.jsonl");
}

/* The unit of reward that the evaluation settled on. */
static struct score_scale read_scale(const struct desk *d)
{
    struct json *settings;
    struct score_scale scale;
    must(heldout_files_read_settings(&settings, d->dir, &err));
    const struct json *node = json_get(settings, "score_scale");
    scale.mean = json_number(json_get(node, "mean"), 0);
    scale.sd = json_number(json_get(node, "sd"), 0);
    json_free(settings);
    return scale;
}

void probed_open(struct probed *p, size_t threads)
{
    probed_open_as(p, threads, MODEL_F32);
}

void probed_open_as(struct probed *p, size_t threads, int precision)
{
    memset(p, 0, sizeof *p);
    struct desk *d = &p->desk;
    struct probe_config *c = &p->config;
    desk_open(d, threads);
    d->precision = precision;
    train(p);
    must(desk_write_prompts(desk_path(d, "heldout.jsonl"), TICKET_HELDOUT,
                            PROBED_PROMPTS, 1, &err));
    c->heldout = (struct heldout_config){
        .project = d->dir,
        .policy = keep(p->policy, d, "ppo"),
        .reference = keep(p->reference, d, "sft"),
        .reward_model = p->reward_model,
        .prompts = keep(p->prompts, d, "heldout.jsonl"),
        .run = keep(p->run, d, "ppo"),
        .start = p->start,
        .n_prompts = PROBED_PROMPTS,
        .samples = PROBED_SAMPLES,
        .max_new = PROBED_MAX_NEW,
        .temperature = 1,
        .top_p = 1,
        .seed = 5,
    };
    must(heldout_sample(&c->heldout, &d->context, &err));
    c->scale = read_scale(d);
    c->ppo = &p->ppo;
    c->ppo_run = (struct probe_run){
        .seed = d->seed, .shards = d->shards, .precision = precision};
    c->reward = &p->reward;
    c->sft = &p->sft;
    c->seed = 5;
    c->sizes = (struct probe_sizes){.prompts = PROBED_PROMPTS - 2,
                                    .samples = PROBED_SAMPLES,
                                    .training_pairs = 5,
                                    .demos = 64,
                                    .push_prompts = 5,
                                    .push_samples = 3,
                                    .checkpoints = 16};
}

/* A row of samples.jsonl with a reply that the desk's writer draws. */
static void put_sample(struct buf *out, const struct tokenizer *tokenizer,
                       const struct record *prompt, size_t number,
                       const char *which, size_t sample)
{
    struct json *extra;
    struct ticket ticket;
    struct rng rng;
    struct buf text;
    struct ids ids = {.n = 0};
    const struct chat chat = {.template = CHAT_SUPPORT};
    buf_init(&text, 1 << 16);
    rng_init(&rng, 1, RNG_REPLY, (uint32_t)number, (uint32_t)sample);
    must(json_parse(&extra, prompt->extra, strlen(prompt->extra), "ticket",
                    &err));
    must(ticket_read(&ticket, json_get(extra, "ticket"), "ticket", &err));
    reply_draw(&text, &ticket, &rng);
    must(chat_encode_response(tokenizer, &chat, buf_text(&text), DESK_EOS, &ids,
                              &err));
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "prompt_id", prompt->id);
    json_field_text(&w, "which", which);
    json_field_int(&w, "sample", (int64_t)sample);
    json_field_ints(&w, "tokens", ids.id, ids.n);
    json_field_bool(&w, "is_eos", true);
    json_close(&w, '}');
    buf_putc(out, '\n');
    ids_free(&ids);
    buf_free(&text);
    json_free(extra);
}

void probed_write_samples(const struct probed *p)
{
    struct dataset prompts;
    struct tokenizer *tokenizer;
    struct buf out;
    buf_init(&out, 1 << 20);
    must(tokenizer_open(&tokenizer, desk_path(&p->desk, "desk"), &err));
    must(dataset_read(&prompts, p->prompts, DATASET_PROMPTS, &err));
    for (size_t i = 0; i < PROBED_PROMPTS; i++)
        for (size_t k = 0; k < 2 * (size_t)PROBED_SAMPLES; k++)
            put_sample(&out, tokenizer, &prompts.record[i], i,
                       k % 2 ? "policy" : "reference", k / 2);
    (void)files_write(p->desk.dir, "eval/samples.jsonl", buf_text(&out));
    dataset_free(&prompts);
    tokenizer_free(tokenizer);
    buf_free(&out);
}

void probed_close(struct probed *p)
{
    desk_close(&p->desk);
}

enum status probed_try(struct probe_result *result, struct probed *p,
                       struct err *e)
{
    struct probe probe;
    TRY(probe_open(&probe, &p->config, &p->desk.context, e));
    enum status status = probe_run(result, &probe, e);
    probe_close(&probe);
    return status;
}

const struct probe_result *probed_run(struct probed *p)
{
    static struct probe_result result[64];
    assert_in_range(probe_count, 1, 64);
    must(probed_try(result, p, &err));
    return result;
}

const struct probe_result *probed_result(const struct probe_result *result,
                                         const char *name)
{
    for (size_t i = 0; i < probe_count; i++)
        if (strcmp(probe_table[i].name, name) == 0)
            return &result[i];
    fail_msg("no probe '%s'", name);
    return NULL;
}

struct json *probed_read(const struct probed *p, const char *name)
{
    char file[128];
    struct json *root;
    assert_true(snprintf(file, sizeof file, "probes/%s.json", name) > 0);
    must(json_read(&root, desk_path(&p->desk, file), (size_t)64 << 20, &err));
    assert_string_equal(json_text(json_get(root, "schema"), ""),
                        "plumb.probe/1");
    assert_string_equal(json_text(json_get(root, "probe"), ""), name);
    return root;
}

const struct json *probed_column(const struct json *root, const char *name,
                                 size_t rows)
{
    const struct json *column = json_get(json_get(root, "columns"), name);
    if (!json_is_array(column))
        fail_msg("no column '%s'", name);
    if (rows != SIZE_MAX)
        assert_int_equal(json_size(column), rows);
    return column;
}

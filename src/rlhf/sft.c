#include "rlhf/sft.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/chat_install.h"
#include "model/checkpoint.h"
#include "rlhf/corpus.h"
#include "rlhf/trainer.h"

struct sft {
    const struct sft_config *config;
    struct tokenizer *tokenizer;
    struct dataset data;
    struct corpus corpus;
    size_t n_train; // the rest is held out
    size_t batch;
    double scale; // losses are divided by this constant
    size_t *order;
    int64_t order_epoch;
    struct trainer trainer;
    char base[FILE_PATH_MAX]; // where the model was read from
    /* the batch being worked on */
    const size_t *item;
    size_t n_item;
    bool is_training;
    double *loss; // [shards]
    size_t *reply_tokens;
};

/* Rows that predict a token which counts, with their weights. */
struct targets {
    size_t *row;
    int32_t *token;
    float *weight;
    size_t n, n_reply;
};

static enum status find_targets(struct targets *out, const struct batch *b,
                                const uint8_t *banned, double prompt_weight,
                                struct arena *arena, struct err *err)
{
    struct targets t = {.n = 0};
    const struct sequence *seq = b->seq;
    size_t most = 0;
    for (size_t s = 0; s < b->n; s++)
        most += seq[s].len_prompt + seq[s].len_response;
    TRY(ARENA_NEW(arena, t.row, most, err));
    TRY(ARENA_NEW(arena, t.token, most, err));
    TRY(ARENA_NEW(arena, t.weight, most, err));
    for (size_t s = 0; s < b->n; s++) {
        size_t len = seq[s].len_prompt + seq[s].len_response;
        for (size_t i = 0; i + 1 < len; i++) {
            bool is_reply = i + 1 >= seq[s].len_prompt;
            int32_t token = b->pack.token[batch_row(b, s, i + 1)];
            double weight = is_reply ? 1 : prompt_weight;
            if (weight == 0 || (banned != NULL && banned[token]))
                continue;
            t.row[t.n] = batch_row(b, s, i);
            t.token[t.n] = token;
            t.weight[t.n++] = (float)weight;
            t.n_reply += is_reply;
        }
    }
    *out = t;
    return OK;
}

/* What a shard's loss is made of, and what it adds up to. */
struct sft_loss {
    const struct targets *targets;
    const float *logp;
    float *dlogp;
    double scale, *sum;
};

static void count_loss(void *ctx, size_t first, size_t n)
{
    struct sft_loss *l = ctx;
    for (size_t i = first; i < first + n; i++) {
        double weight = (double)l->targets->weight[i];
        *l->sum -= weight * (double)l->logp[i] / l->scale;
        l->dlogp[i] = (float)(-weight / l->scale);
    }
}

/* Losses of one shard's sequences, and their gradients when training. */
static enum status run_pack(struct sft *s, size_t shard,
                            const struct sequence *seq, size_t n,
                            struct arena *arena, struct err *err)
{
    struct model *m = &s->trainer.model;
    struct lmhead head = model_lmhead(m, 1);
    struct activations a;
    struct batch b;
    struct targets t;
    float *hidden, *logp, *dlogp, *scratch;
    size_t C = m->config.C;
    TRY(batch_pack(&b, seq, n, arena, err));
    TRY(activations_place(&a, m, b.pack.N, s->is_training, arena, err));
    TRY(transformer_forward(&a, m, &b.pack, arena, err));
    TRY(find_targets(&t, &b, m->banned, s->config->prompt_weight, arena, err));
    TRY(ARENA_NEW(arena, hidden, t.n * C, err));
    TRY(ARENA_NEW(arena, logp, t.n, err));
    TRY(ARENA_NEW(arena, dlogp, t.n, err));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    batch_gather(hidden, a.hidden, t.row, t.n, C);
    s->reply_tokens[shard] += t.n_reply;
    struct sft_loss loss = {.targets = &t,
                            .logp = logp,
                            .dlogp = dlogp,
                            .scale = s->scale,
                            .sum = &s->loss[shard]};
    if (!s->is_training) {
        TRY(lmhead_forward(logp, NULL, NULL, &head, hidden, t.token, t.n,
                           m->config.eos, scratch, err));
        count_loss(&loss, 0, t.n);
        return OK;
    }

    float *grad, *drows, *dhidden;
    TRY(optimizer_grad(&grad, &s->trainer.optimizer, shard, err));
    TRY(ARENA_NEW(arena, drows, t.n * C, err));
    TRY(ARENA_NEW(arena, dhidden, b.pack.N * C, err));
    memset(drows, 0, t.n * C * sizeof *drows);
    memset(dhidden, 0, b.pack.N * C * sizeof *dhidden);
    struct lmhead_training training = {
        .logp = logp, .dlogp = dlogp, .loss = count_loss, .ctx = &loss};
    TRY(lmhead_train(drows, model_lmhead_grad(m, grad), &head, hidden, t.token,
                     t.n, &training, scratch, err));
    batch_scatter_add(dhidden, drows, t.row, t.n, C);
    return optimizer_backward(&s->trainer.optimizer, shard, &a, m, &b.pack,
                              dhidden, arena, err);
}

static enum status run_shard(void *ctx, size_t shard, size_t worker,
                             struct err *err)
{
    struct sft *s = ctx;
    struct arena *arena = workspace_arena(&s->trainer.workspace, worker);
    struct sequence *seq;
    size_t first, last;
    batch_shard(&first, &last, s->n_item, s->trainer.optimizer.shards, shard);
    s->loss[shard] = 0;
    s->reply_tokens[shard] = 0;
    if (first == last)
        return s->is_training
                   ? optimizer_skip(&s->trainer.optimizer, shard, err)
                   : OK;
    TRY(ARENA_NEW(arena, seq, last - first, err));
    for (size_t i = first; i < last; i++)
        seq[i - first] = s->corpus.seq[s->item[i]];
    return run_pack(s, shard, seq, last - first, arena, err);
}

/* Loss of the sequences in `item`, summed over shards in order. */
static enum status run_items(double *loss, double *tokens, struct sft *s,
                             const size_t *item, size_t n, struct err *err)
{
    size_t shards = s->trainer.optimizer.shards;
    s->item = item;
    s->n_item = n;
    if (s->is_training)
        TRY(optimizer_begin(&s->trainer.optimizer, err));
    TRY(context_deal(s->trainer.context, shards, run_shard, s, err));
    struct comm *comm = s->trainer.context->comm;
    TRY(comm_share(comm, s->loss, NULL, shards, 1, sizeof *s->loss, err));
    TRY(comm_share(comm, s->reply_tokens, NULL, shards, 1,
                   sizeof *s->reply_tokens, err));
    *loss = *tokens = 0;
    for (size_t i = 0; i < shards; i++) {
        *loss += s->loss[i];
        *tokens += (double)s->reply_tokens[i];
    }
    return OK;
}

static enum status step_batch(void *ctx, struct trainer *t, int64_t step,
                              struct trainer_batch *b, struct err *err)
{
    struct sft *s = ctx;
    int64_t per_epoch = (int64_t)(s->n_train / s->batch);
    int64_t epoch = step / per_epoch;
    double tokens;
    (void)t;
    if (epoch != s->order_epoch) {
        trainer_order(s->order, s->n_train, s->trainer.stage->seed, epoch);
        s->order_epoch = epoch;
    }
    s->is_training = true;
    TRY(run_items(&b->loss, &tokens, s,
                  s->order + (size_t)(step % per_epoch) * s->batch, s->batch,
                  err));
    b->sequences = s->batch;
    b->metric[b->n_metric++] =
        (struct metric){"epoch", (double)(step + 1) / (double)per_epoch};
    b->metric[b->n_metric++] = (struct metric){"batch/tokens", tokens};
    return OK;
}

/* Mean -logp of held-out reply tokens (prompt tokens do not count). */
static enum status validate(double *loss, struct sft *s, struct err *err)
{
    struct sft_config config = *s->config;
    const struct sft_config *saved = s->config;
    size_t n = s->corpus.n_seq - s->n_train;
    double sum = 0, count = 0;
    *loss = (double)NAN;
    config.prompt_weight = 0;
    s->config = &config;
    s->is_training = false;
    enum status status = OK;
    size_t item[512];
    size_t room = sizeof item / sizeof *item;
    size_t group = s->batch < room ? s->batch : room;
    for (size_t at = 0; at < n && status == OK; at += group) {
        double part, tokens;
        size_t k = n - at < group ? n - at : group;
        for (size_t i = 0; i < k; i++)
            item[i] = s->n_train + at + i;
        status = run_items(&part, &tokens, s, item, k, err);
        if (status == OK) {
            sum += part * s->scale;
            count += tokens;
        }
    }
    s->config = saved;
    if (status == OK && count > 0)
        *loss = sum / count;
    return status;
}

struct model_config sft_shape(const struct sft_config *c,
                              const struct tokenizer *tokenizer)
{
    return (struct model_config){
        .V = tokenizer_size(tokenizer),
        .C = (size_t)c->channels,
        .L = (size_t)c->layers,
        .H = (size_t)c->heads,
        .G = (size_t)c->kv_heads,
        .D = (size_t)(c->channels / c->heads),
        .F = (size_t)c->feed_forward,
        .T_max = (size_t)c->positions,
        .rope_theta = 10000,
        .norm_eps = 1e-5,
        .tied = c->tied,
        .head = HEAD_LM,
        .bos = -1,
        .eos = tokenizer_id(tokenizer, "<eos>"),
        .pad = tokenizer_id(tokenizer, "<pad>"),
    };
}

static enum status new_model(struct model *out, const struct sft *s,
                             uint64_t seed, struct err *err)
{
    const struct sft_config *c = s->config;
    struct model_config shape = sft_shape(c, s->tokenizer);
    struct model m;
    TRY(model_create(&m, &shape, err));
    enum status status = MEM_NEW(m.banned, shape.V, err);
    if (status != OK) {
        model_free(&m);
        return status;
    }
    params_init(m.params, &shape, seed);
    /* A special token other than EOS is put by the template, never drawn. */
    for (size_t v = 0; v < shape.V; v++)
        m.banned[v] = tokenizer_is_special(s->tokenizer, (int32_t)v) &&
                      (int32_t)v != shape.eos;
    *out = m;
    return OK;
}

enum status sft_check(const struct sft_config *c, struct err *err)
{
    if (c->model == NULL && c->tokenizer == NULL)
        return err_set(err, ERR_ARG,
                       "neither sft.model nor sft.tokenizer is given");
    if (c->model == NULL && c->adapter.rank > 0)
        return err_set(err, ERR_ARG,
                       "sft.lora_rank = %lld: a new model has no base for an "
                       "adapter; give sft.model",
                       (long long)c->adapter.rank);
    if (c->model == NULL && c->channels % c->heads != 0)
        return err_set(err, ERR_ARG,
                       "sft.channels = %lld is no multiple of sft.heads = "
                       "%lld",
                       (long long)c->channels, (long long)c->heads);
    if (c->model == NULL && c->heads % c->kv_heads != 0)
        return err_set(err, ERR_ARG,
                       "sft.heads = %lld is no multiple of sft.kv_heads = %lld",
                       (long long)c->heads, (long long)c->kv_heads);
    if (c->model == NULL && c->channels / c->heads % 2 != 0)
        return err_set(err, ERR_ARG,
                       "sft.channels = %lld is %lld a head; rotary positions "
                       "want an even number",
                       (long long)c->channels,
                       (long long)(c->channels / c->heads));
    return OK;
}

static enum status load(struct sft *s, struct model *model,
                        const struct stage *stage, struct err *err)
{
    const struct sft_config *c = s->config;
    TRY(sft_check(c, err));
    if (c->model != NULL) {
        TRY(run_find_model(s->base, c->model, NULL, err));
        TRY(checkpoint_tokenizer(&s->tokenizer, s->base, err));
        TRY(trainer_read(model, s->base, HEAD_LM, stage, &c->adapter, err));
        TRY(checkpoint_check_tokenizer(model, s->tokenizer, s->base, err));
        TRY(trainer_adapt(model, &c->adapter, s->base, stage->seed, err));
    } else {
        TRY(trainer_check_adapter(&c->adapter, stage->precision, err));
        TRY(tokenizer_open(&s->tokenizer, c->tokenizer, err));
        TRY(new_model(model, s, stage->seed, err));
    }
    TRY(chat_install(&s->tokenizer, stage->data.template, err));
    size_t max_tokens = (size_t)c->max_tokens < model->config.T_max
                            ? (size_t)c->max_tokens
                            : model->config.T_max;
    const struct corpus_files files = {.path = c->data, .kind = DATASET_DEMOS};
    TRY(corpus_load(&s->corpus, &s->data, &files, &stage->data, s->tokenizer,
                    model->config.eos, max_tokens, stage->context, err));
    /* What ends a turn in training ends it when it speaks. */
    model->config.eos = s->corpus.end;
    return OK;
}

size_t sft_training_records(const struct sft_config *c, size_t n)
{
    return n - (size_t)(c->holdout * (double)n);
}

static enum status plan(struct sft *s, const struct stage *stage,
                        int64_t *total, struct err *err)
{
    const struct sft_config *c = s->config;
    double reply_tokens = 0;
    assert(c->batch > 0);
    s->batch = (size_t)c->batch;
    s->n_train = sft_training_records(c, s->corpus.n_seq);
    if (s->n_train < s->batch)
        return err_set(err, s->corpus.n_seq > 0 ? ERR_ARG : ERR_FORMAT,
                       "%s: %zu records to train on, fewer than sft.batch = "
                       "%zu",
                       c->data, s->n_train, s->batch);
    for (size_t i = 0; i < s->n_train; i++)
        reply_tokens += (double)s->corpus.seq[i].len_response;
    s->scale = reply_tokens / (double)s->n_train * (double)s->batch;
    s->order_epoch = -1;
    TRY(MEM_NEW(s->order, s->n_train, err));
    TRY(MEM_NEW(s->loss, stage->shards, err));
    TRY(MEM_NEW(s->reply_tokens, stage->shards, err));
    *total = c->epochs * (int64_t)(s->n_train / s->batch);
    return OK;
}

static enum status finish(struct sft *s, struct err *err)
{
    enum status status = OK;
    double loss;
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    TRY_DONE(validate(&loss, s, err));
    json_writer_init(&w, &text, true);
    trainer_result_open(&w, "sft", s->trainer.step);
    json_field_number(&w, "heldout_loss", loss);
    json_field_int(&w, "heldout_records",
                   (int64_t)(s->corpus.n_seq - s->n_train));
    json_field_int(&w, "training_records", (int64_t)s->n_train);
    corpus_put_counts(&w, &s->corpus, &s->data);
    json_close(&w, '}');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(
        trainer_merge(&s->trainer.model, &s->trainer.run, s->tokenizer, err));
    TRY_DONE(run_finish(&s->trainer.run, buf_text(&text), err));
    if (s->n_train < s->corpus.n_seq)
        context_info(s->trainer.context, "held-out loss %.4f per reply token",
                     loss);
done:
    buf_free(&text);
    return status;
}

enum status sft_run(const struct sft_config *c, const struct stage *stage,
                    struct err *err)
{
    enum status status = OK;
    struct sft s = {.config = c, .trainer = {.run = {.lock = -1}}};
    struct model model = {.params = NULL};
    int64_t total;
    context_stage(stage->context, "sft", "supervised fine-tuning");
    TRY_DONE(load(&s, &model, stage, err));
    TRY_DONE(plan(&s, stage, &total, err));
    TRY_DONE(trainer_open(&s.trainer, stage, &model,
                          c->model != NULL ? s.base : NULL, s.tokenizer,
                          &c->optimizer, total, c->save_every, err));
    s.trainer.log_every = c->log_every;
    status = trainer_loop(&s.trainer, step_batch, &s, err);
    if (status == OK && !s.trainer.run.is_complete)
        status = finish(&s, err);
    trainer_close(&s.trainer);
done:
    model_free(&model);
    corpus_free(&s.corpus);
    dataset_free(&s.data);
    tokenizer_free(s.tokenizer);
    mem_free(s.order);
    mem_free(s.loss);
    mem_free(s.reply_tokens);
    return status;
}

#include "cli/plan.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/terminal.h"
#include "model/transformer.h"
#include "rlhf/corpus.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define LIBRARIES 60e6 // resident bytes of a process that did nothing yet
#define TRIAL 0.2      // seconds of timing
#define TRIAL_TOKENS 256
/* A forward pass is a third of forward and backward; a decoding step is worth
 * about four rows of a forward pass, since it multiplies so few. */
#define FORWARD (1.0 / 3)
#define DECODE (4.0 / 3)

/* The shape of a model on disk. */
static enum status read_shape(struct model_config *out, const char *dir,
                              struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json;
    TRY(file_join(path, dir, "config.json", err));
    TRY(json_read(&json, path, CONFIG_MAX, err));
    enum status status = model_config_parse(out, json, path, err);
    json_free(json);
    return status;
}

/* What a plan is made from. */
struct material {
    struct model_config shape;
    size_t records, sequences;
    double tokens; // of the data, once through
};

static enum status count_data(struct material *m, const char *data_path,
                              enum dataset_kind kind, const struct tokenizer *t,
                              size_t max_tokens, const struct options *o,
                              struct err *err)
{
    struct dataset data = {0};
    struct corpus corpus = {0};
    enum status status = OK;
    const struct corpus_files files = {.path = data_path, .kind = kind};
    TRY(corpus_load(&corpus, &data, &files, &o->v.data, t, -1, max_tokens, NULL,
                    err));
    if (corpus.n_record == 0)
        status = err_set(err, ERR_FORMAT, "%s: no records", data_path);
    m->records = corpus.n_record;
    m->sequences = corpus.n_seq;
    for (size_t i = 0; i < corpus.n_seq; i++)
        m->tokens +=
            (double)(corpus.seq[i].len_prompt + corpus.seq[i].len_response);
    corpus_free(&corpus);
    dataset_free(&data);
    return status;
}

static enum status gather(struct material *m, const char *model,
                          const char *tokenizer, const char *data,
                          enum dataset_kind kind, const struct options *o,
                          struct err *err)
{
    struct tokenizer *t;
    enum status status = OK;
    if (!model && !tokenizer)
        return err_set(err, ERR_ARG,
                       "sft.tokenizer is not set: a new model needs one");
    TRY(tokenizer_open(&t, model ? model : tokenizer, err));
    if (model)
        status = read_shape(&m->shape, model, err);
    else
        m->shape = sft_shape(&o->v.sft, t);
    if (status == OK)
        status = model_config_check(&m->shape, err);
    if (status == OK)
        status = count_data(m, data, kind, t, m->shape.T_max, o, err);
    tokenizer_free(t);
    return status;
}

/* ---- timing ------------------------------------------------------------- */

struct trial {
    struct model model;
    float *grad, *dhidden;
    double rate; // tokens a second of one worker
};

/* Forward and backward of one pack, again and again; inside a worker. */
static enum status time_model(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    struct trial *t = ctx;
    const struct model_config *c = &t->model.config;
    size_t N = c->T_max < TRIAL_TOKENS ? c->T_max : TRIAL_TOKENS;
    int32_t token[TRIAL_TOKENS] = {0}, position[TRIAL_TOKENS];
    size_t start[2] = {0, N};
    struct pack pack = {
        .token = token, .position = position, .start = start, .n_seq = 1};
    struct arena arena = {0};
    struct activations a;
    enum status status = OK;
    double began = 0, now = 0;
    size_t rounds = 0;
    (void)item;
    (void)worker;
    pack.N = N;
    for (size_t i = 0; i < N; i++)
        position[i] = (int32_t)i;
    /* The first round, in which the library prepares its kernels, does not
     * count. */
    while (rounds < 3 || now - began < TRIAL) {
        if (rounds == 1)
            began = terminal_now();
        arena_reset(&arena);
        TRY_DONE(activations_place(&a, &t->model, N, true, &arena, err));
        TRY_DONE(transformer_forward(&a, &t->model, &pack, &arena, err));
        TRY_DONE(transformer_backward(t->grad, &a, &t->model, &pack, t->dhidden,
                                      &arena, err));
        now = terminal_now();
        rounds++;
    }
    t->rate = (double)((rounds - 1) * N) / (now - began);
done:
    arena_free(&arena);
    return status;
}

/* The head's products beside the decoder's. */
static double head_share(const struct model_config *c)
{
    double head = (double)c->V * (double)c->C;
    double trunk = (double)params_count(c) - head * (c->tied ? 1 : 2);
    return c->head == HEAD_LM ? head / (head + trunk) : 0;
}

static enum status measure(double *rate, const struct model_config *c,
                           const struct context *context, struct err *err)
{
    struct trial t = {0};
    enum status status = OK;
    TRY(model_create(&t.model, c, err));
    params_init(t.model.params, c, 0);
    TRY_DONE(MEM_NEW(t.grad, params_count(c), err));
    TRY_DONE(MEM_NEW(t.dhidden, TRIAL_TOKENS * c->C, err));
    TRY_DONE(team_run(context->team, 1, time_model, &t, err));
    *rate = t.rate * (1 - head_share(c)) * (double)team_size(context->team);
done:
    mem_free(t.dhidden);
    mem_free(t.grad);
    model_free(&t.model);
    return status;
}

/* ---- stages ------------------------------------------------------------- */

/* Bytes: `trained` models with moments and gradients, `read` ones without,
 * and the activations of `tokens` tokens on each worker. */
static double memory(const struct model_config *c, double trained, double read,
                     double tokens, const struct options *o,
                     const struct context *context)
{
    double P = (double)params_count(c);
    double wide = 6.0 * (double)c->C + 3.0 * (double)c->F +
                  (double)((2 * c->H + 2 * c->G) * c->D);
    double row = wide * (double)c->L + 4.0 * (double)c->C;
    double shards = (double)o->v.common.shards;
    double workers = (double)team_size(context->team);
    return LIBRARIES + 4 * (P * (trained * (3 + shards) + read) +
                            workers * 2 * tokens * row);
}

/* How a stage that trains one model goes through its data. */
struct passes {
    int64_t batch, epochs;
    int64_t most; // updates; 0: as many as the epochs give
    double holdout;
};

/* As the stages count: what is held out is rounded down, and an epoch leaves
 * out the records that do not fill a batch. */
static void plan_passes(struct plan *p, const struct material *m,
                        const struct passes *s, const struct options *o,
                        const struct context *context)
{
    double records = (double)m->records;
    double kept = records - floor(s->holdout * records);
    double batch_tokens = m->tokens / records * (double)s->batch;
    p->parameters = (int64_t)params_count(&m->shape);
    p->records = (int64_t)m->records;
    p->updates = (int64_t)(kept / (double)s->batch) * s->epochs;
    if (s->most > 0 && p->updates > s->most)
        p->updates = s->most;
    p->tokens = batch_tokens * (double)p->updates;
    p->seconds = p->tokens / p->rate;
    p->memory_bytes =
        memory(&m->shape, 1, 0, batch_tokens / (double)o->v.common.shards, o,
               context) +
        4 * m->tokens;
}

static enum status plan_sft(struct plan *p, const struct options *o,
                            const struct context *context, struct err *err)
{
    const struct sft_config *c = &o->v.sft;
    const struct passes s = {c->batch, c->epochs, 0, c->holdout};
    struct material m = {0};
    TRY(gather(&m, c->model, c->tokenizer, c->data, DATASET_DEMOS, o, err));
    TRY(measure(&p->rate, &m.shape, context, err));
    plan_passes(p, &m, &s, o, context);
    return OK;
}

static enum status plan_reward(struct plan *p, const struct options *o,
                               const struct context *context, struct err *err)
{
    const struct reward_config *c = &o->v.reward;
    const struct passes s = {c->batch, c->epochs, c->max_steps,
                             c->heldout == NULL ? c->holdout : 0};
    struct material m = {0};
    TRY(gather(&m, c->model, NULL, c->data, DATASET_RANKINGS, o, err));
    m.shape.head = HEAD_SCORE;
    TRY(measure(&p->rate, &m.shape, context, err));
    plan_passes(p, &m, &s, o, context);
    return OK;
}

static enum status plan_ppo(struct plan *p, const struct options *o,
                            const struct context *context, struct err *err)
{
    const struct ppo_config *c = &o->v.ppo;
    struct material m = {0};
    TRY(gather(&m, c->model, NULL, c->prompts, DATASET_PROMPTS, o, err));
    TRY(measure(&p->rate, &m.shape, context, err));
    double replies = (double)(c->batch * c->samples);
    double prompt = m.tokens / (double)m.records;
    double drawn = replies * (double)c->max_new;
    double tokens = drawn + replies * prompt;
    /* forward: policy, reference, reward and value model; both trained */
    double work =
        drawn * DECODE + tokens * 4 * FORWARD + tokens * 2 * (double)c->epochs;
    double shard = tokens / (double)(c->minibatches * o->v.common.shards);
    p->parameters = (int64_t)params_count(&m.shape);
    p->records = (int64_t)m.records;
    p->updates = c->iterations * c->epochs * c->minibatches;
    p->tokens = tokens * (double)c->iterations;
    p->seconds = work * (double)c->iterations / p->rate;
    p->memory_bytes =
        memory(&m.shape, 2, 2, shard, o, context) + 4 * m.tokens + 80 * tokens;
    return OK;
}

enum status plan_stage(struct plan *out, const struct options *o,
                       enum option_command command,
                       const struct context *context, struct err *err)
{
    *out = (struct plan){0};
    if (command == FOR_SFT)
        return plan_sft(out, o, context, err);
    if (command == FOR_REWARD)
        return plan_reward(out, o, context, err);
    return plan_ppo(out, o, context, err);
}

void plan_print(struct buf *out, const struct plan *p)
{
    buf_printf(out, "# %.0f parameters, %.0f records, %.0f updates\n",
               (double)p->parameters, (double)p->records, (double)p->updates);
    buf_printf(out, "# about %.3g tokens at %.3g tokens/s: %.0f s\n", p->tokens,
               p->rate, p->seconds);
    buf_printf(out, "# about %.0f MiB of memory\n",
               p->memory_bytes / 1048576.0);
}

void plan_json(struct buf *out, const struct plan *p, const char *config)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.plan/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_int(&w, "parameters", p->parameters);
    json_field_int(&w, "records", p->records);
    json_field_int(&w, "updates", p->updates);
    json_field_number(&w, "tokens", p->tokens);
    json_field_number(&w, "tokens_per_second", p->rate);
    json_field_number(&w, "seconds", p->seconds);
    json_field_number(&w, "memory_bytes", p->memory_bytes);
    json_field_text(&w, "config", config);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

#include "cli/plan.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/terminal.h"
#include "io/half.h"
#include "model/checkpoint.h"
#include "model/generate.h"
#include "rlhf/corpus.h"
#include "rlhf/optimizer.h"
#include "rlhf/trainer.h"

#define LIBRARIES 60e6 // resident bytes of a process that did nothing yet
#define TRIAL 0.2      // seconds of timing
#define TRIAL_TOKENS 256
/* A forward pass is a third of forward and backward; a decoding step is worth
 * about two rows of a forward pass, since it multiplies so few. */
#define FORWARD (1.0 / 3)
#define DECODE (2.0 / 3)
/* Replies that a worker looks at together (rlhf/scorer.c). */
#define SCORED 16

/* What a plan is made from. */
struct material {
    struct model_config shape; // of the model that is trained
    const char *base;          // where it is read; NULL: a new one
    const struct adapter_config *adapter;
    enum model_precision precision;
    size_t records;  // all
    size_t training; // that are not in a file of held-out ones
    size_t extra;    // of those, the ones that cannot be held out
    double tokens;   // of all, once through
};

static enum status count_data(struct material *m,
                              const struct corpus_files *files,
                              const struct tokenizer *t, size_t max_tokens,
                              const struct options *o,
                              const struct context *context, struct err *err)
{
    struct dataset data = {0};
    struct corpus corpus = {0};
    enum status status = OK;
    TRY(corpus_load(&corpus, &data, files, &o->v.data, t, m->shape.eos,
                    max_tokens, context, err));
    if (corpus.n_record == 0)
        status = err_set(err, ERR_FORMAT, "%s: no records", files->path);
    m->records = corpus.n_record;
    m->training = corpus.n_train;
    m->extra = corpus.n_extra;
    for (size_t i = 0; i < corpus.n_seq; i++)
        m->tokens +=
            (double)(corpus.seq[i].len_prompt + corpus.seq[i].len_response);
    corpus_free(&corpus);
    dataset_free(&data);
    return status;
}

/* The shape of a model that must have this head. */
static enum status read_shape(struct model_config *out, const char *path,
                              enum model_head head, struct err *err)
{
    struct model_config c;
    TRY(checkpoint_read_shape(&c, path, err));
    if (c.head != head)
        return err_set(err, ERR_MISMATCH, "%s: %s is wanted", path,
                       head == HEAD_LM ? "a language model"
                                       : "a model with a score head");
    *out = c;
    return OK;
}

/* Read the shape of m->base, or make that of a new model. */
static enum status find_shape(struct material *m, const struct options *o,
                              const struct tokenizer *t, struct err *err)
{
    if (m->base)
        return read_shape(&m->shape, m->base, HEAD_LM, err);
    m->shape = sft_shape(&o->v.sft, t);
    return model_config_check(&m->shape, err);
}

/* A sequence may have max_tokens, but no more than the model has positions;
 * 0: PPO's prompts, which leave room for a reply. */
static enum status gather(struct material *m, const struct corpus_files *files,
                          size_t max_tokens, const struct options *o,
                          const struct context *context, struct err *err)
{
    struct tokenizer *t;
    m->precision = (enum model_precision)options_precision(o);
    TRY(trainer_check_adapter(m->adapter, options_precision(o), err));
    TRY(checkpoint_tokenizer(&t, m->base ? m->base : o->v.sft.tokenizer, err));
    enum status status = find_shape(m, o, t, err);
    if (status == OK && max_tokens == 0) {
        status = ppo_check_room(&o->v.ppo, m->shape.T_max, err);
        max_tokens = m->shape.T_max - (size_t)o->v.ppo.max_new;
    } else if (max_tokens > m->shape.T_max) {
        max_tokens = m->shape.T_max;
    }
    if (status == OK)
        status = count_data(m, files, t, max_tokens, o, context, err);
    tokenizer_free(t);
    return status;
}

/* ---- timing ------------------------------------------------------------- */

struct trial {
    struct model model;
    float *grad, *dhidden;
    double rate;      // tokens a second of one worker
    double row_bytes; // of memory that a token takes
    double trainable; // parameters
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
    t->row_bytes = (double)arena.used / (double)N;
done:
    arena_free(&arena);
    return status;
}

/* Parameters that every token is multiplied with. */
static double trunk(const struct model_config *c)
{
    double embedding = (double)c->V * (double)c->C;
    bool has_head = c->head == HEAD_LM && !c->tied;
    return (double)params_count(c) - embedding * (has_head ? 2 : 1);
}

/* The head's products beside the decoder's. */
static double head_share(const struct model_config *c)
{
    double head = (double)c->V * (double)c->C;
    return c->head == HEAD_LM ? head / (head + trunk(c)) : 0;
}

/* Small numbers of both signs: pages that nobody wrote to would all be the
 * same one, and sooner read than memory is. */
static void fill(struct model *m)
{
    size_t n = params_count(&m->config);
    for (size_t i = 0; i < n; i++) {
        bool is_negative = ((uint32_t)i * 2654435761U) >> 31 != 0;
        float x = is_negative ? -0.015625F : 0.015625F;
        if (m->narrow)
            m->narrow[i] = half_bf16_of_float(x);
        else
            m->params[i] = x;
    }
    for (size_t i = 0; m->narrow && i < params_rest_count(&m->config); i++)
        m->rest[i] = 1;
    model_round_again(m);
}

/* Time the model that is trained, as the stage will have it. */
static enum status measure(struct trial *out, const struct material *m,
                           const struct context *context, struct err *err)
{
    struct trial t = {0};
    enum status status = OK;
    TRY(model_create_as(&t.model, &m->shape, m->precision, err));
    fill(&t.model);
    TRY_DONE(trainer_adapt(&t.model, m->adapter, m->base, 0, err));
    t.trainable = (double)model_trainable_count(&t.model);
    TRY_DONE(MEM_NEW(t.grad, model_trainable_count(&t.model), err));
    TRY_DONE(MEM_NEW(t.dhidden, TRIAL_TOKENS * m->shape.C, err));
    TRY_DONE(team_run(context->team, 1, time_model, &t, err));
    t.rate *= (1 - head_share(&m->shape)) *
              (double)(team_size(context->team) * comm_size(context->comm));
done:
    mem_free(t.dhidden);
    mem_free(t.grad);
    model_free(&t.model);
    t.dhidden = t.grad = NULL;
    if (status == OK)
        *out = t;
    return status;
}

/* ---- memory ------------------------------------------------------------- */

static double weights(const struct model_config *c,
                      enum model_precision precision)
{
    double n = (double)params_count(c);
    if ((precision & MODEL_IS_BF16) != 0)
        return 2 * n + 4 * (double)params_rest_count(c);
    return ((precision & MODEL_BY_BF16) != 0 ? 6 : 4) * n;
}

/* The shards of the rank that has most of them. */
static size_t own_shards(const struct options *o)
{
    size_t ranks = comm_size(o->comm);
    return ((size_t)o->v.common.shards + ranks - 1) / ranks;
}

/* Both moments, of which a rank has its part. */
static double moments(double trainable, const struct options *o)
{
    return 4 * trainable * 2 / (double)comm_size(o->comm);
}

/* Gradient buffers of one model for the rank that has most of them. */
static size_t buffers_of_one(const struct options *o,
                             const struct context *context, bool straggles)
{
    size_t shards = (size_t)o->v.common.shards, ranks = comm_size(o->comm);
    size_t first, last, most = 0;
    for (size_t rank = 0; rank < ranks; rank++) {
        comm_cut(&first, &last, shards, ranks, rank);
        size_t n = gradients_buffers(shards, first, last,
                                     team_size(context->team), straggles);
        most = n > most ? n : most;
    }
    return most;
}

/* The same of one model, or of two that share them (rlhf/gradients.h).  On one
 * process what the first has left is added up when the second wants room; among
 * ranks it waits for its round as it is. */
static double buffers(size_t models, const struct options *o,
                      const struct context *context, bool straggles)
{
    size_t few = buffers_of_one(o, context, straggles);
    size_t most = models * own_shards(o);
    if (models > 1 && comm_size(o->comm) > 1)
        few += buffers_of_one(o, context, false);
    else
        few += models - 1;
    return (double)(few < most ? few : most);
}

/* What is under way between the ranks, of a model's trainable parameters. */
static double rounds(double trainable, const struct options *o)
{
    if (comm_size(o->comm) == 1)
        return 0;
    return optimizer_round_bytes((size_t)trainable, (size_t)o->v.common.shards,
                                 comm_size(o->comm),
                                 (enum reduce_format)o->v.common.reduce);
}

/* What goes on at a time. */
static double busy(const struct options *o, const struct context *context)
{
    size_t shards = own_shards(o);
    size_t workers = team_size(context->team);
    return (double)(workers < shards ? workers : shards);
}

/* A pass over a pack of `tokens`, forward and back, with the head's chunk of
 * logits and the states it reads. */
static double pass(const struct model_config *c, double row_bytes,
                   double tokens)
{
    double head = c->head == HEAD_LM ? (double)lmhead_scratch(c->V, c->C) +
                                           3 * tokens * (double)c->C
                                     : 0;
    return tokens * row_bytes + 4 * head;
}

/* An adapter is folded into float weights at the end. */
static double folding(const struct material *m)
{
    bool is_thawed = (m->precision & MODEL_IS_BF16) != 0;
    return is_thawed ? weights(&m->shape, MODEL_F32) : 0;
}

/* ---- stages ------------------------------------------------------------- */

/* How a stage that trains one model goes through its data. */
struct passes {
    int64_t batch, epochs;
    int64_t most; // updates; 0: as many as the epochs give
    double holdout;
};

/* As the stages count: what is held out is rounded down, and an epoch leaves
 * out the records that do not fill a batch. */
static void plan_passes(struct plan *p, const struct material *m,
                        const struct trial *t, const struct passes *s,
                        const struct options *o, const struct context *context)
{
    double kept = (double)m->training;
    kept -= floor(s->holdout * (kept - (double)m->extra));
    double batch_tokens = m->tokens / (double)m->records * (double)s->batch;
    double shard = batch_tokens / (double)o->v.common.shards;
    double adapter = m->adapter->rank > 0 ? 4 * t->trainable : 0;
    p->parameters = (int64_t)params_count(&m->shape);
    p->trainable = (int64_t)t->trainable;
    p->records = (int64_t)m->records;
    p->updates = (int64_t)(kept / (double)s->batch) * s->epochs;
    if (s->most > 0 && p->updates > s->most)
        p->updates = s->most;
    p->tokens = batch_tokens * (double)p->updates;
    p->rate = t->rate;
    p->seconds = p->tokens / p->rate;
    double even = buffers(1, o, context, false);
    p->straggler_bytes =
        4 * t->trainable * (buffers(1, o, context, true) - even);
    p->memory_bytes = LIBRARIES + weights(&m->shape, m->precision) + adapter +
                      moments(t->trainable, o) + rounds(t->trainable, o) +
                      4 * t->trainable * even + folding(m) + 4 * m->tokens +
                      busy(o, context) * pass(&m->shape, t->row_bytes, shard);
}

static enum status plan_sft(struct plan *p, const struct options *o,
                            const struct context *context, struct err *err)
{
    const struct sft_config *c = &o->v.sft;
    const struct passes s = {c->batch, c->epochs, 0, c->holdout};
    const struct corpus_files files = {.path = c->data, .kind = DATASET_DEMOS};
    struct material m = {.base = c->model, .adapter = &c->adapter};
    struct trial t;
    TRY(sft_check(c, err));
    TRY(gather(&m, &files, (size_t)c->max_tokens, o, context, err));
    TRY(measure(&t, &m, context, err));
    plan_passes(p, &m, &t, &s, o, context);
    return OK;
}

static enum status plan_reward(struct plan *p, const struct options *o,
                               const struct context *context, struct err *err)
{
    const struct reward_config *c = &o->v.reward;
    const struct passes s = {c->batch, c->epochs, c->max_steps,
                             c->heldout == NULL ? c->holdout : 0};
    const struct corpus_files files = {.path = c->data,
                                       .extra = c->extra,
                                       .heldout = c->heldout,
                                       .kind = DATASET_RANKINGS};
    struct material m = {.base = c->model, .adapter = &c->adapter};
    struct trial t;
    TRY(gather(&m, &files, (size_t)c->max_tokens, o, context, err));
    m.shape.head = HEAD_SCORE;
    TRY(measure(&t, &m, context, err));
    plan_passes(p, &m, &t, &s, o, context);
    if (c->heads.n > 1) // a pass forward of three more
        p->seconds *= 4.0 / 3;
    return OK;
}

/* The models beside the policy, and what they cost beside it. */
struct company {
    struct model_config reference, reward, value;
    bool has_value;         // a value model with a trunk of its own
    double value_trainable; // parameters
    double forward;         // passes of the policy that one of each is worth
    double back;            // the same of the value model's training
    double rewards;         // bytes of all reward models
};

static enum status find_company(struct company *out, const struct material *m,
                                const struct ppo_config *c, struct err *err)
{
    struct company x = {.reference = m->shape, .has_value = !c->value_trunk};
    if (c->reference)
        TRY(read_shape(&x.reference, c->reference, HEAD_LM, err));
    bool has_reward = c->reward_model != NULL; // else a program, its own affair
    if (has_reward)
        TRY(read_shape(&x.reward, c->reward_model, HEAD_SCORE, err));
    x.value =
        c->value_init_reward && x.has_value && has_reward ? x.reward : m->shape;
    x.value.head = HEAD_SCORE;
    x.value_trainable = (double)x.value.C;
    if (x.has_value && m->adapter->rank > 0) {
        struct lora_config l;
        TRY(trainer_lora(&l, m->adapter, &x.value, err));
        x.value_trainable = (double)lora_count(&l, &x.value);
    } else if (x.has_value) {
        x.value_trainable = (double)params_count(&x.value);
    }
    double own = trunk(&m->shape);
    double value = x.has_value ? trunk(&x.value) / own : 0;
    /* The policy as it is and as it was an iteration ago, and the others. */
    x.forward = 2 + trunk(&x.reference) / own + value;
    if (has_reward) {
        x.forward += trunk(&x.reward) / own;
        x.rewards = weights(&x.reward, m->precision);
    }
    for (size_t k = 0; k < ENSEMBLE_MAX - 1; k++) {
        struct model_config more;
        if (c->more_reward_models[k] == NULL)
            continue;
        TRY(read_shape(&more, c->more_reward_models[k], HEAD_SCORE, err));
        x.forward += trunk(&more) / own;
        x.rewards += weights(&more, m->precision);
    }
    x.back = c->value_freeze ? 0 : value;
    *out = x;
    return OK;
}

/* Copies of weights.  An adapter stands on the policy's, which are the
 * reference's, too, unless that is another model; without one the policy has
 * them now and as they were an iteration ago, the reference and the value
 * model. */
static double all_weights(const struct material *m, const struct trial *t,
                          const struct company *x, const struct ppo_config *c)
{
    double policy = weights(&m->shape, m->precision);
    double reference = weights(&x->reference, m->precision);
    if (m->adapter->rank > 0)
        return policy + (c->reference ? reference : 0) + x->rewards +
               4 * (2 * t->trainable + x->value_trainable);
    double value = x->has_value ? weights(&x->value, m->precision)
                                : 4 * x->value_trainable;
    return 2 * policy + reference + x->rewards + value;
}

/* A value model with a trunk of its own takes the policy's buffers. */
static double gradients(const struct trial *t, const struct company *x,
                        const struct options *o, const struct context *context,
                        bool straggles)
{
    if (x->has_value)
        return 4 * fmax(t->trainable, x->value_trainable) *
               buffers(2, o, context, straggles);
    return 4 * (t->trainable + x->value_trainable) *
           buffers(1, o, context, straggles);
}

/* Keys and values of the replies that are drawn, or a group of them under two
 * models, whichever is more; the updates come on top. */
static double work_memory(const struct material *m, const struct trial *t,
                          const struct company *x, double prompt,
                          const struct ppo_config *c, const struct options *o,
                          const struct context *context)
{
    const struct model_config *s = &m->shape;
    double replies = (double)(c->batch * c->samples);
    double tokens = replies * (prompt + (double)c->max_new);
    double shard = tokens / (double)(c->minibatches * o->v.common.shards);
    double workers = (double)team_size(context->team);
    double cache = generate_bytes(s, (size_t)m->adapter->rank, (size_t)replies,
                                  (size_t)ceil(prompt) + (size_t)c->max_new,
                                  team_size(context->team));
    double group = fmin(replies, SCORED) * (prompt + (double)c->max_new);
    double look = 4 * (2 * (double)lmhead_scratch(s->V, s->C) +
                       8 * group * (double)(s->C + s->F));
    double drawing = fmax(cache, workers * look);
    double update = pass(s, t->row_bytes, shard);
    double wider = (double)(x->value.L * x->value.C) / (double)(s->L * s->C);
    if (x->has_value && wider > 1)
        update *= wider;
    return busy(o, context) * update + drawing + 80 * tokens;
}

static enum status plan_ppo(struct plan *p, const struct options *o,
                            const struct context *context, struct err *err)
{
    const struct ppo_config *c = &o->v.ppo;
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    struct material m = {.base = c->model, .adapter = &c->adapter};
    struct trial t;
    struct company x;
    TRY(ppo_check(c, err));
    TRY(gather(&m, &files, 0, o, context, err));
    TRY(find_company(&x, &m, c, err));
    TRY(measure(&t, &m, context, err));
    double replies = (double)(c->batch * c->samples);
    double prompt = m.tokens / (double)m.records;
    double beside = c->score_shape != SHAPE_NONE && c->shape_samples > 1
                        ? (double)(c->batch * c->shape_samples)
                        : 0; // replies of the reference
    double drawn = (replies + beside) * (double)c->max_new;
    double tokens = drawn + replies * prompt;
    double work = drawn * DECODE + tokens * FORWARD * x.forward +
                  tokens * (double)c->epochs * (1 + x.back);
    double trained_value = c->value_freeze ? 0 : x.value_trainable;
    p->parameters = (int64_t)params_count(&m.shape);
    p->trainable = (int64_t)(t.trainable + trained_value);
    p->records = (int64_t)m.records;
    p->updates = c->iterations * c->epochs * c->minibatches;
    p->tokens = tokens * (double)c->iterations;
    p->rate = t.rate;
    p->seconds = work * (double)c->iterations / p->rate;
    double even = gradients(&t, &x, o, context, false);
    p->straggler_bytes = gradients(&t, &x, o, context, true) - even;
    p->memory_bytes = LIBRARIES + all_weights(&m, &t, &x, c) +
                      moments(t.trainable + x.value_trainable, o) +
                      rounds(t.trainable, o) + rounds(x.value_trainable, o) +
                      even + folding(&m) + 4 * m.tokens +
                      work_memory(&m, &t, &x, prompt, c, o, context);
    return OK;
}

enum status plan_stage(struct plan *out, const struct options *o,
                       enum option_command command,
                       const struct context *context, struct err *err)
{
    *out = (struct plan){.ranks = comm_size(o->comm)};
    if (command == FOR_SFT)
        return plan_sft(out, o, context, err);
    if (command == FOR_REWARD)
        return plan_reward(out, o, context, err);
    return plan_ppo(out, o, context, err);
}

void plan_print(struct buf *out, const struct plan *p)
{
    buf_printf(out,
               "# %.0f parameters, %.0f of them trained, %.0f records, %.0f "
               "updates\n",
               (double)p->parameters, (double)p->trainable, (double)p->records,
               (double)p->updates);
    buf_printf(out, "# about %.3g tokens at %.3g tokens/s: %.0f s\n", p->tokens,
               p->rate, p->seconds);
    buf_printf(out, "# about %.0f MiB of memory", p->memory_bytes / 1048576.0);
    if (p->ranks > 1)
        buf_printf(out, " on each of %zu ranks", p->ranks);
    if (p->straggler_bytes > 0)
        buf_printf(out, ", %.0f more when a worker falls far behind",
                   p->straggler_bytes / 1048576.0);
    buf_putc(out, '\n');
}

void plan_json(struct buf *out, const struct plan *p, const char *config)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.plan/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_int(&w, "parameters", p->parameters);
    json_field_int(&w, "trainable", p->trainable);
    json_field_int(&w, "records", p->records);
    json_field_int(&w, "updates", p->updates);
    json_field_number(&w, "tokens", p->tokens);
    json_field_number(&w, "tokens_per_second", p->rate);
    json_field_number(&w, "seconds", p->seconds);
    json_field_number(&w, "memory_bytes", p->memory_bytes);
    json_field_number(&w, "straggler_bytes", p->straggler_bytes);
    json_field_int(&w, "ranks", (int64_t)p->ranks);
    json_field_text(&w, "config", config);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

#include "rlhf/reward_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/chat_install.h"
#include "model/checkpoint.h"
#include "rlhf/reward_heldout.h"

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

static void put_heads(struct trainer_batch *b, const struct reward_heads *h)
{
    const struct metric metric[] = {
        {"heads/quality_length", h->corr_quality},
        {"heads/length_length", h->corr_length},
        {"heads/cosine", h->cosine},
    };
    for (size_t i = 0; i < sizeof metric / sizeof *metric; i++)
        b->metric[b->n_metric++] = metric[i];
}

static enum status step_batch(void *ctx, struct trainer *t, int64_t step,
                              struct trainer_batch *b, struct err *err)
{
    struct reward_training *r = ctx;
    int64_t per_epoch = (int64_t)(r->n_train / r->batch);
    int64_t epoch = step / per_epoch;
    struct reward_tally sum;
    (void)t;
    if (epoch != r->order_epoch) {
        trainer_order(r->order, r->n_train, r->trainer.stage->seed, epoch);
        r->order_epoch = epoch;
    }
    TRY(reward_batch_train(&sum, r,
                           r->order + (size_t)(step % per_epoch) * r->batch,
                           r->batch, step + 1, err));
    b->loss = sum.loss;
    b->sequences = (size_t)sum.responses;
    const struct metric metric[] = {
        {"epoch", (double)(step + 1) / (double)per_epoch},
        {"accuracy", ratio(sum.pairs.right, sum.pairs.pairs)},
        {"margin", ratio(sum.margin, sum.pairs.pairs)},
        {"min_reward", sum.score_min},
        {"mean_reward", ratio(sum.score, sum.responses)},
        {"max_reward", sum.score_max},
        {"batch/tokens", sum.tokens},
    };
    for (size_t i = 0; i < sizeof metric / sizeof *metric; i++)
        b->metric[b->n_metric++] = metric[i];
    if (r->config->heads.n > 1)
        put_heads(b, &r->heads);
    return OK;
}

/* Score the prompts first..last-1, into r->score; their mean loss in *loss,
 * NaN without any. */
static enum status measure(double *loss, struct reward_training *r,
                           size_t first, size_t last, struct err *err)
{
    size_t n = last - first;
    double sum = 0;
    for (size_t at = 0; at < n; at += 64) {
        size_t item[64];
        size_t k = n - at < 64 ? n - at : 64;
        struct reward_tally part;
        for (size_t i = 0; i < k; i++)
            item[i] = first + at + i;
        TRY(reward_batch_measure(&part, r, item, k, err));
        sum += part.loss * (double)k / (double)n;
    }
    if (!isfinite(sum))
        return err_set(err, ERR_NUMERIC, "the finished model's loss is %g",
                       sum);
    *loss = n > 0 ? sum : (double)NAN;
    return OK;
}

/* Give the finished model its slope by length, and write it down. */
static enum status settle_length(struct reward_training *r, struct err *err)
{
    double *gain = &r->trainer.model.config.length.gain;
    double loss;
    *gain = r->config->length_gain;
    if (r->trainer.run.checkpoint < 0) // nothing was trained
        TRY(trainer_save(&r->trainer, err));
    if (!r->config->length_residual)
        return OK;
    TRY(measure(&loss, r, 0, r->n_train, err));
    TRY(reward_length_measure(&r->slope, r->score, &r->corpus, 0, r->n_train,
                              err));
    *gain -= r->slope.slope;
    context_info(r->trainer.context,
                 "within a prompt a score rose by %.4g +- %.4g for a token; "
                 "that is taken out",
                 r->slope.slope, r->slope.se);
    return trainer_save(&r->trainer, err);
}

/* The language model's trunk under a new score head of small weights. */
static enum status start_model(struct model *out, struct reward_training *r,
                               const struct stage *stage, struct err *err)
{
    const struct reward_config *c = r->config;
    TRY(run_find_model(r->base, c->model, NULL, err));
    TRY(checkpoint_tokenizer(&r->tokenizer, r->base, err));
    TRY(chat_install(&r->tokenizer, stage->data.template, err));
    TRY(trainer_read(out, r->base, HEAD_LM, stage, &c->adapter, err));
    TRY(checkpoint_check_tokenizer(out, r->tokenizer, r->base, err));
    TRY(model_into_score(out, err));
    TRY(trainer_adapt(out, &c->adapter, r->base, stage->seed, err));
    float *score = model_score(out);
    struct rng rng;
    rng_init(&rng, stage->seed, RNG_INIT, PARAM_SCORE, 0);
    for (size_t i = 0; i < out->config.C; i++)
        score[i] = c->length_only > 0 ? 0 : (float)(0.02 * rng_normal(&rng));
    return OK;
}

/* Does the border before record i cut a prompt in two? */
static bool is_cut(const struct dataset *data, size_t i)
{
    return i > 0 && i < data->n &&
           strcmp(data->record[i - 1].prompt, data->record[i].prompt) == 0;
}

size_t reward_training_prompts(const struct reward_config *c,
                               const struct corpus *corpus,
                               const struct dataset *data)
{
    size_t n = corpus->n_record, first = corpus->n_extra;
    if (c->heldout != NULL)
        return corpus->n_train;
    size_t border = n - (size_t)(c->holdout * (double)(n - first));
    size_t at = border;
    while (at > first && is_cut(data, at))
        at--;
    for (; at == first && border < n && is_cut(data, border); border++)
        ;
    return at > first ? at : border;
}

/* A second head, and what a checkpoint keeps of it. */
static enum status start_heads(struct reward_training *r,
                               struct checkpoint_array *kept,
                               const struct model *m, const struct stage *stage,
                               struct err *err)
{
    TRY(reward_heads_create(&r->heads, m->config.C, stage->shards, r->batch,
                            r->corpus.n_seq, stage->seed, err));
    reward_heads_arrays(kept, &r->heads);
    return OK;
}

static enum status plan(struct reward_training *r, const struct stage *stage,
                        int64_t *total, struct err *err)
{
    const struct reward_config *c = r->config;
    assert(c->batch > 0); // the option's least
    r->batch = (size_t)c->batch;
    r->n_train = reward_training_prompts(c, &r->corpus, &r->data);
    if (r->n_train < r->batch)
        return err_set(err, r->corpus.n_record > 0 ? ERR_ARG : ERR_FORMAT,
                       "%s: %zu prompts to train on, fewer than reward.batch "
                       "= %zu",
                       c->data, r->n_train, r->batch);
    if (c->weights.balance != BALANCE_NONE && c->loss.kind != RANKING_PAIRS)
        return err_set(err, ERR_ARG,
                       "reward.balance weighs pairs: reward.loss = pairs");
    TRY(reward_weights_make(&r->weights, &c->weights, &r->corpus, &r->data,
                            r->n_train, err));
    r->order_epoch = -1;
    TRY(MEM_NEW(r->score, r->corpus.n_seq, err));
    if (c->length_only > 0 && c->length_only < SCORE_LENGTH_TARGET_MIN)
        return err_set(err, ERR_ARG,
                       "reward.length_only = %g tokens, want %d at least",
                       c->length_only, SCORE_LENGTH_TARGET_MIN);
    if (c->length_residual && c->length_only > 0)
        return err_set(err, ERR_ARG,
                       "reward.length_only leaves reward.length_residual "
                       "nothing to take out");
    if (c->length_residual && !reward_length_varies(&r->corpus, 0, r->n_train))
        return err_set(err, ERR_ARG,
                       "reward.length_residual: no prompt of %s has responses "
                       "of different lengths",
                       c->data);
    TRY(MEM_NEW(r->order, r->n_train, err));
    TRY(MEM_NEW(r->tally, stage->shards, err));
    *total = c->epochs * (int64_t)(r->n_train / r->batch);
    if (c->max_steps > 0 && c->max_steps < *total)
        *total = c->max_steps;
    if (c->length_only > 0)
        *total = 0;
    return OK;
}

/* A held-out prompt that was trained on does not measure what it should. */
static enum status warn_of_shared(const struct reward_training *r,
                                  const struct context *context,
                                  struct err *err)
{
    size_t shared;
    TRY(corpus_count_shared(&shared, &r->data, r->corpus.n_extra, r->n_train,
                            err));
    if (shared > 0)
        context_warn(context,
                     "%zu of the %zu records of %s have a prompt that is held "
                     "out: held-out figures will be too good",
                     shared, r->corpus.n_extra, r->config->extra);
    return OK;
}

static void say_weights(const struct reward_training *r,
                        const struct context *context)
{
    double least, most;
    if (!reward_weights_range(&least, &most, &r->weights))
        return;
    context_info(context,
                 "pairs balanced by length: weights from %.3g to %.3g; %zu "
                 "pairs dropped, their like were all won by one side",
                 least, most, r->weights.dropped);
}

static void say(const struct reward_training *r,
                const struct reward_heldout_result *h)
{
    const struct measures *m = &h->measures;
    struct buf words;
    buf_init(&words, 1 << 16);
    if (h->pairs > 0) {
        pairwise_numbers(&words, m, h->pairs);
        context_info(r->trainer.context, "%s", buf_text(&words));
        buf_clear(&words);
    }
    pairwise_words(&words, m);
    context_info(r->trainer.context, "%s", buf_text(&words));
    buf_free(&words);
}

/* What was done about length, where something was. */
static enum status put_length(struct json_writer *w,
                              const struct reward_training *r, struct err *err)
{
    const struct reward_config *c = r->config;
    struct reward_length_slope heldout;
    if (c->length_only > 0)
        json_field_number(w, "length_target", c->length_only);
    if (c->length_gain == 0 && !c->length_residual)
        return OK;
    json_field_number(w, "length_gain", r->trainer.model.config.length.gain);
    if (!c->length_residual)
        return OK;
    TRY(reward_length_measure(&heldout, r->score, &r->corpus, r->n_train,
                              r->corpus.n_record, err));
    json_field_number(w, "length_slope", r->slope.slope);
    json_field_number(w, "length_slope_se", r->slope.se);
    json_field_number(w, "heldout_length_slope", heldout.slope);
    json_field_number(w, "heldout_length_slope_se", heldout.se);
    return OK;
}

static enum status write_result(struct reward_training *r,
                                const struct reward_heldout_result *h,
                                double loss, struct err *err)
{
    static const char *const copied[] = {"accuracy", "accuracy_chosen_longer",
                                         "accuracy_chosen_shorter",
                                         "length_rule_accuracy"};
    enum status status = OK;
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text, true);
    trainer_result_open(&w, "reward", r->trainer.step);
    json_field_int(&w, "training_prompts", (int64_t)r->n_train);
    if (r->config->extra != NULL)
        json_field_int(&w, "extra_prompts", (int64_t)r->corpus.n_extra);
    json_field_int(&w, "heldout_prompts", (int64_t)h->prompts);
    json_field_number(&w, "heldout_loss", h->pairs > 0 ? loss : (double)NAN);
    json_field_int(&w, "heldout_pairs", (int64_t)h->pairs);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_field_number(&w, copied[i],
                          measures_find(&h->measures, copied[i]).estimate);
    TRY_DONE(put_length(&w, r, err));
    reward_weights_write(&w, &r->weights);
    corpus_put_counts(&w, &r->corpus, &r->data);
    json_close(&w, '}');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(
        trainer_merge(&r->trainer.model, &r->trainer.run, r->tokenizer, err));
    TRY_DONE(run_finish(&r->trainer.run, buf_text(&text), err));
done:
    buf_free(&text);
    return status;
}

/* Measure the prompts held out and leave what they say on the disk;
 * result.json comes last, since it completes the run. */
static enum status finish(struct reward_training *r, struct err *err)
{
    struct reward_heldout_result result;
    double loss;
    TRY(settle_length(r, err));
    TRY(measure(&loss, r, r->n_train, r->corpus.n_record, err));
    const struct reward_config *c = r->config;
    const struct reward_heldout h = {.path = c->heldout != NULL ? c->heldout
                                                                : c->data,
                                     .data = &r->data,
                                     .corpus = &r->corpus,
                                     .first = r->n_train,
                                     .score = r->score,
                                     .seed = r->trainer.stage->seed};
    TRY(reward_heldout_measure(&result, &h, err));
    if (!r->trainer.run.is_followed)
        TRY(reward_heldout_write(&result, &h, r->trainer.run.dir,
                                 r->trainer.step, err));
    TRY(write_result(r, &result, loss, err));
    say(r, &result);
    return OK;
}

enum status reward_model_run(const struct reward_config *c,
                             const struct stage *stage, struct err *err)
{
    enum status status = OK;
    struct reward_training r = {.config = c, .trainer = {.run = {.lock = -1}}};
    struct model model = {.params = NULL};
    struct checkpoint_array kept[REWARD_HEADS_ARRAYS];
    int64_t total;
    context_stage(stage->context, "reward", "training the reward model");
    TRY_DONE(start_model(&model, &r, stage, err));
    size_t max_tokens = (size_t)c->max_tokens < model.config.T_max
                            ? (size_t)c->max_tokens
                            : model.config.T_max;
    const struct corpus_files files = {.path = c->data,
                                       .extra = c->extra,
                                       .heldout = c->heldout,
                                       .kind = DATASET_RANKINGS};
    TRY_DONE(corpus_load(&r.corpus, &r.data, &files, &stage->data, r.tokenizer,
                         model.config.eos, max_tokens, stage->context, err));
    model.config.eos = r.corpus.end;
    model.config.length = (struct score_length){c->length_gain, c->length_only};
    TRY_DONE(plan(&r, stage, &total, err));
    TRY_DONE(warn_of_shared(&r, stage->context, err));
    say_weights(&r, stage->context);
    if (c->heads.n > 1)
        TRY_DONE(start_heads(&r, kept, &model, stage, err));
    TRY_DONE(trainer_open_with(&r.trainer, stage, &model, r.base, r.tokenizer,
                               &c->optimizer, total, c->save_every, kept,
                               c->heads.n > 1 ? REWARD_HEADS_ARRAYS : 0, err));
    r.trainer.log_every = c->log_every;
    status = trainer_loop(&r.trainer, step_batch, &r, err);
    if (status == OK && !r.trainer.run.is_complete)
        status = finish(&r, err);
    trainer_close(&r.trainer);
done:
    model_free(&model);
    corpus_free(&r.corpus);
    dataset_free(&r.data);
    tokenizer_free(r.tokenizer);
    reward_weights_free(&r.weights);
    reward_heads_free(&r.heads);
    mem_free(r.order);
    mem_free(r.tally);
    mem_free(r.score);
    return status;
}

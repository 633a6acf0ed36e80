#include "rlhf/trainer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/adapter.h"
#include "model/checkpoint.h"

/* Moments under stable names, so that a checkpoint says what it holds, and what
 * the stage keeps; how many there are. */
static size_t name_arrays(struct checkpoint_array array[2 + TRAINER_ARRAYS_MAX],
                          const struct trainer *t)
{
    const struct optimizer *o = &t->optimizer;
    array[0] = optimizer_array(o, "adam.m", o->m);
    array[1] = optimizer_array(o, "adam.v", o->v);
    for (size_t i = 0; i < t->n_more; i++)
        array[2 + i] = t->more[i];
    return 2 + t->n_more;
}

/* Was this checkpoint written because its turn had come, not to stop? */
static bool is_scheduled(int64_t step, int64_t save_every)
{
    return save_every > 0 && step > 0 && step % save_every == 0;
}

enum status trainer_prune(const struct run *run, int64_t save_every,
                          struct err *err)
{
    enum status status = OK;
    int64_t *steps = NULL;
    size_t n = 0;
    bool has_spare = false;
    if (run->is_followed)
        return OK;
    TRY(run_checkpoints(&steps, &n, run->dir, err));
    for (size_t i = n; i-- > 0;) {
        char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
        bool is_spare = !has_spare && is_scheduled(steps[i], save_every);
        if (i + 1 == n)
            continue;
        has_spare = has_spare || is_spare;
        if (is_spare)
            continue;
        TRY_DONE(run_checkpoint_path(dir, run, steps[i], err));
        TRY_DONE(file_join(path, dir, "trainer.safetensors", err));
        TRY_DONE(file_remove(path, err));
    }
done:
    mem_free(steps);
    return status;
}

enum status trainer_tidy(const struct run *run, int64_t save_every,
                         struct err *err)
{
    enum status status = OK;
    int64_t *steps = NULL;
    size_t n = 0;
    if (run->is_followed)
        return OK;
    TRY(run_checkpoints(&steps, &n, run->dir, err));
    for (size_t i = 0; i + 1 < n; i++) {
        char path[FILE_PATH_MAX];
        if (is_scheduled(steps[i], save_every))
            continue;
        TRY_DONE(run_checkpoint_path(path, run, steps[i], err));
        TRY_DONE(file_remove(path, err));
    }
done:
    mem_free(steps);
    return status;
}

enum status trainer_save(struct trainer *t, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct checkpoint_array array[2 + TRAINER_ARRAYS_MAX];
    struct buf text;
    struct json_writer w;
    size_t n_array = name_arrays(array, t);
    buf_init(&text, 4096);
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.trainer/1");
    json_field_int(&w, "step", t->step);
    json_close(&w, '}');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(run_flush(&t->run, err));
    TRY_DONE(run_checkpoint_path(path, &t->run, t->step, err));
    struct checkpoint c = {.model = &t->model,
                           .base = t->base,
                           .tokenizer = t->tokenizer,
                           .trainer_json = buf_text(&text),
                           .array = array,
                           .n_array = n_array,
                           .comm = t->context->comm};
    TRY_DONE(checkpoint_write(path, &c, err));
    t->run.checkpoint = t->step;
    TRY_DONE(trainer_prune(&t->run, t->save_every, err));
done:
    buf_free(&text);
    return status;
}

enum status trainer_reload(struct model *m, const char *checkpoint, size_t n,
                           struct err *err)
{
    if (m->lora != NULL) {
        TRY(adapter_reload(m, checkpoint, err));
    } else {
        struct model read;
        TRY(checkpoint_read_as(&read, checkpoint, m->config.head,
                               model_precision_of(m), err));
        model_free(m);
        *m = read;
    }
    if (model_trainable_count(m) != n)
        return err_set(err, ERR_MISMATCH,
                       "%s: the model has %zu parameters, this run's %zu",
                       checkpoint, model_trainable_count(m), n);
    return OK;
}

/* Replace the initial model by the newest checkpoint's and take its state. */
static enum status resume(struct trainer *t, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct checkpoint_array array[2 + TRAINER_ARRAYS_MAX];
    struct buf text;
    buf_init(&text, 1 << 16);
    size_t n_array = name_arrays(array, t);
    TRY_DONE(run_checkpoint_path(path, &t->run, t->run.checkpoint, err));
    TRY_DONE(trainer_reload(&t->model, path, t->optimizer.n, err));
    TRY_DONE(checkpoint_read_trainer(&text, array, n_array, t->context->comm,
                                     path, err));
    t->step = t->run.checkpoint;
    t->optimizer.t = t->step;
    TRY_DONE(trainer_prune(&t->run, t->save_every, err));
done:
    buf_free(&text);
    return status;
}

enum status trainer_open_run(struct run *out, const struct stage *stage,
                             struct err *err)
{
    struct comm *comm = stage->context->comm;
    struct run run = {.lock = -1};
    struct {
        int64_t checkpoint, is_complete;
    } found = {.checkpoint = -1};
    if (comm_rank(comm) == 0)
        TRY(run_open(&run, stage->out, stage->mode, stage->config,
                     stage->context->clock, err));
    found.checkpoint = run.checkpoint;
    found.is_complete = run.is_complete;
    enum status status = comm_broadcast(comm, &found, sizeof found, err);
    if (status == OK && comm_rank(comm) > 0)
        status = run_follow(&run, stage->out, found.checkpoint,
                            found.is_complete != 0, err);
    if (status != OK)
        run_close(&run);
    else
        *out = run;
    return status;
}

enum status trainer_open(struct trainer *t, const struct stage *stage,
                         struct model *initial, const char *base,
                         const struct tokenizer *tokenizer,
                         const struct optimizer_config *optimizer,
                         int64_t total, int64_t save_every, struct err *err)
{
    return trainer_open_with(t, stage, initial, base, tokenizer, optimizer,
                             total, save_every, NULL, 0, err);
}

enum status trainer_open_with(struct trainer *t, const struct stage *stage,
                              struct model *initial, const char *base,
                              const struct tokenizer *tokenizer,
                              const struct optimizer_config *optimizer,
                              int64_t total, int64_t save_every,
                              const struct checkpoint_array *more,
                              size_t n_more, struct err *err)
{
    enum status status = OK;
    struct context *context = stage->context;
    struct optimizer_config adam = *optimizer;
    adam.reduce = stage->reduce;
    assert(n_more <= TRAINER_ARRAYS_MAX);
    *t = (struct trainer){.stage = stage,
                          .context = context,
                          .tokenizer = tokenizer,
                          .more = more,
                          .n_more = n_more,
                          .model = *initial,
                          .total = total,
                          .save_every = save_every,
                          .run = {.lock = -1},
                          .log_every = 1};
    memset(initial, 0, sizeof *initial);
    if (base != NULL)
        TRY_DONE(file_join(t->base, "", base, err));
    TRY_DONE(optimizer_create(&t->optimizer, &t->model, &adam, total,
                              stage->shards, NULL, context->comm, err));
    TRY_DONE(workspace_create(&t->workspace, team_size(context->team), err));
    TRY_DONE(trainer_open_run(&t->run, stage, err));
    if (t->run.checkpoint >= 0)
        TRY_DONE(resume(t, err));
    if ((stage->precision & MODEL_BY_BF16) != 0)
        TRY_DONE(model_round(&t->model, err));
    t->step_started = context_time(context);
    t->step_logged = t->step;
done:
    if (status != OK)
        trainer_close(t);
    return status;
}

void trainer_close(struct trainer *t)
{
    run_close(&t->run);
    workspace_free(&t->workspace);
    optimizer_free(&t->optimizer);
    model_free(&t->model);
}

enum status trainer_explain(const struct run *run, int64_t step,
                            enum status status, struct err *err)
{
    if (status != ERR_NUMERIC)
        return status;
    if (run->checkpoint >= 0)
        return err_context(err, "step %lld (last good checkpoint: %lld)",
                           (long long)step, (long long)run->checkpoint);
    return err_context(err, "step %lld (no checkpoint yet)", (long long)step);
}

static enum status log_step(struct trainer *t, struct trainer_batch *b,
                            const struct optimizer_report *report,
                            struct err *err)
{
    double now = context_time(t->context);
    double steps = (double)(t->step - t->step_logged);
    struct metric row[TRAINER_METRICS_MAX + 3];
    size_t n = 0;
    row[n++] = (struct metric){"loss", b->loss};
    for (size_t i = 0; i < b->n_metric; i++)
        row[n++] = b->metric[i];
    row[n++] = (struct metric){"learning_rate", report->lr};
    row[n++] = (struct metric){"grad_norm", report->grad_norm};
    TRY(run_metrics(&t->run, t->step, row, n, now - t->step_started,
                    steps * (double)b->sequences, err));
    t->step_started = now;
    t->step_logged = t->step;
    return OK;
}

static enum status one_step(struct trainer *t, trainer_fn fn, void *ctx,
                            struct err *err)
{
    struct trainer_batch b = {.n_metric = 0};
    struct optimizer_report report;
    TRY(fn(ctx, t, t->step, &b, err));
    if (!isfinite(b.loss))
        return optimizer_blame(&t->optimizer, &t->model, "the loss", err);
    TRY(optimizer_step(&report, &t->optimizer, &t->model, t->context, err));
    t->step++;
    bool is_last = t->step == t->total;
    if (is_last || t->step % t->log_every == 0)
        TRY(log_step(t, &b, &report, err));
    char text[64];
    (void)snprintf(text, sizeof text, "loss %.4f", b.loss);
    context_progress(t->context, (double)t->step, (double)t->total, "step",
                     text);
    if (is_last || (t->save_every > 0 && t->step % t->save_every == 0))
        TRY(trainer_save(t, err));
    return OK;
}

enum status trainer_loop(struct trainer *t, trainer_fn fn, void *ctx,
                         struct err *err)
{
    while (t->step < t->total) {
        bool stop;
        TRY(context_agree_stop(&stop, t->context, err));
        if (stop) {
            if (t->run.checkpoint != t->step)
                TRY(trainer_save(t, err));
            return err_set(err, ERR_STOPPED,
                           "stopped at step %lld of %lld; --resume goes on",
                           (long long)t->step, (long long)t->total);
        }
        enum status status = one_step(t, fn, ctx, err);
        if (status != OK)
            return trainer_explain(&t->run, t->step + 1, status, err);
    }
    TRY(trainer_tidy(&t->run, t->save_every, err));
    return run_flush(&t->run, err);
}

enum status trainer_check_adapter(const struct adapter_config *a, int precision,
                                  struct err *err)
{
    if (a->rank > 0)
        return OK;
    if (a->targets != NULL)
        return err_set(err, ERR_ARG,
                       "lora_targets = %s without lora_rank: there is no "
                       "adapter",
                       a->targets);
    if ((precision & MODEL_IS_BF16) != 0)
        return err_set(err, ERR_ARG,
                       "precision = bf16 is for weights that are not trained; "
                       "give lora_rank, or train in f32");
    return OK;
}

enum status trainer_lora(struct lora_config *out,
                         const struct adapter_config *a,
                         const struct model_config *c, struct err *err)
{
    struct lora_config l = {
        .rank = a->rank, .alpha = a->alpha, .rslora = a->rslora};
    TRY(lora_parse_targets(
        &l.targets, a->targets != NULL ? a->targets : "all-linear", c, err));
    *out = l;
    return OK;
}

enum status trainer_read(struct model *out, const char *path,
                         enum model_head head, const struct stage *stage,
                         const struct adapter_config *a, struct err *err)
{
    TRY(trainer_check_adapter(a, stage->precision, err));
    return checkpoint_read_as(out, path, head,
                              (enum model_precision)stage->precision, err);
}

enum status trainer_adapt(struct model *m, const struct adapter_config *a,
                          const char *base, uint64_t seed, struct err *err)
{
    struct lora_config l;
    if (a->rank == 0)
        return OK;
    if (adapter_is(base))
        return err_set(err, ERR_ARG,
                       "%s is an adapter, and an adapter on it would have no "
                       "base on disk; plumb export --merge makes it one",
                       base);
    TRY(trainer_lora(&l, a, &m->config, err));
    return model_adapt(m, &l, seed, err);
}

enum status trainer_merge(struct model *m, const struct run *run,
                          const struct tokenizer *tokenizer, struct err *err)
{
    char path[FILE_PATH_MAX];
    if (m->lora == NULL || run->is_followed)
        return OK;
    TRY(model_merge(m, err));
    TRY(file_join(path, run->dir, "merged", err));
    struct checkpoint c = {.model = m, .tokenizer = tokenizer};
    return checkpoint_write(path, &c, err);
}

void trainer_order(size_t *order, size_t n, uint64_t seed, int64_t epoch)
{
    struct rng rng;
    rng_init(&rng, seed, RNG_SHUFFLE, (uint32_t)epoch, 0);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(&rng, order, n);
}

void trainer_result_open(struct json_writer *w, const char *stage, int64_t step)
{
    char path[64];
    (void)snprintf(path, sizeof path, "checkpoints/%06lld", (long long)step);
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.result/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_text(w, "stage", stage);
    json_field_int(w, "steps", step);
    json_field_text(w, "checkpoint", path);
}

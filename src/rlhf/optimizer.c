#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "nn/adamw.h"
#include "rlhf/optimizer_internal.h"
#include "rlhf/reduce.h"
#include "rlhf/schedule.h"

static size_t cut_slices(struct optimizer_slice *slice, const struct model *m)
{
    size_t n_slice = 0;
    for (size_t i = 0; i < model_trainable_tensors(m); i++) {
        struct param_view view = model_trainable_view(m, i);
        size_t size = view.rows * view.cols;
        for (size_t at = 0; at < size; at += OPTIMIZER_SLICE, n_slice++) {
            if (slice == NULL)
                continue;
            slice[n_slice] = (struct optimizer_slice){
                .tensor = i,
                .offset = view.offset + at,
                .n = size - at < OPTIMIZER_SLICE ? size - at : OPTIMIZER_SLICE,
                .held = view.offset + at,
                .decay = view.decay,
            };
            /* Slices, too, are one after the other. */
            assert(n_slice == 0 ||
                   slice[n_slice - 1].offset + slice[n_slice - 1].n ==
                       slice[n_slice].offset);
        }
    }
    return n_slice;
}

/* Every slice is this process's own. */
static enum status own_all(struct optimizer *o, struct err *err)
{
    TRY(MEM_NEW(o->own, o->n_slice, err));
    for (size_t s = 0; s < o->n_slice; s++)
        o->own[s] = s;
    o->n_own = o->n_slice;
    o->n_held = o->n;
    return OK;
}

/* Gradients of the own shards. */
static enum status place_shards(struct optimizer *o, struct gradient_pool *pool,
                                struct err *err)
{
    comm_own(&o->first_shard, &o->last_shard, o->comm, o->shards);
    if (pool == NULL) {
        TRY(gradient_pool_create(&o->pool, o->n, err));
        pool = o->pool;
    }
    return gradients_create(&o->gradients, pool, o->n, o->shards,
                            o->first_shard, o->last_shard, err);
}

enum status optimizer_create(struct optimizer *out, const struct model *m,
                             const struct optimizer_config *c, int64_t total,
                             size_t shards, struct gradient_pool *pool,
                             struct comm *comm, struct err *err)
{
    enum status status = OK;
    struct optimizer o = {.config = *c,
                          .total = total,
                          .shards = shards,
                          .comm = comm,
                          .n = model_trainable_count(m)};
    assert(shards >= comm_size(comm));
    TRY_DONE(place_shards(&o, pool, err));
    o.n_slice = cut_slices(NULL, m);
    TRY_DONE(MEM_NEW(o.slice, o.n_slice, err));
    cut_slices(o.slice, m);
    TRY_DONE(own_all(&o, err));
    if (comm_size(comm) > 1)
        TRY_DONE(optimizer_ranks_create(&o, err));
    if (comm_is_threaded(comm) && o.ranks != NULL)
        TRY_DONE(optimizer_behind_create(&o, err));
    o.gradients->is_watched = o.behind != NULL;
    TRY_DONE(MEM_NEW(o.m, o.n_held, err));
    TRY_DONE(MEM_NEW(o.v, o.n_held, err));
    *out = o;
done:
    if (status != OK)
        optimizer_free(&o);
    return status;
}

void optimizer_free(struct optimizer *o)
{
    optimizer_behind_free(o);
    optimizer_ranks_free(o);
    mem_free(o->m);
    mem_free(o->v);
    gradients_free(o->gradients);
    gradient_pool_free(o->pool);
    mem_free(o->slice);
    mem_free(o->own);
    mem_free(o->part);
    memset(o, 0, sizeof *o);
}

enum status optimizer_grad(float **out, struct optimizer *o, size_t shard,
                           struct err *err)
{
    return gradients_open(out, o->gradients, shard, err);
}

void optimizer_final(struct optimizer *o, size_t shard, size_t from)
{
    if (from == 0)
        gradients_close(o->gradients, shard);
    if (o->behind != NULL)
        optimizer_behind_mark(o, shard, from);
}

enum status optimizer_skip(struct optimizer *o, size_t shard, struct err *err)
{
    float *grad;
    TRY(optimizer_grad(&grad, o, shard, err));
    optimizer_final(o, shard, 0);
    return OK;
}

struct checkpoint_array optimizer_array(const struct optimizer *o,
                                        const char *name, float *moment)
{
    return (struct checkpoint_array){.name = name,
                                     .data = moment,
                                     .n = o->n,
                                     .part = o->part,
                                     .n_part = o->n_part};
}

float *optimizer_sum(const struct optimizer *o)
{
    return o->gradients->shard[o->first_shard];
}

/* Sum the shards of one slice into shard 0 and square it. */
static enum status reduce_slice(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    struct optimizer *o = ctx;
    struct optimizer_slice *s = &o->slice[item];
    (void)worker;
    (void)err;
    reduce_all(o->gradients->shard, s->offset, s->n, o->shards);
    s->square = adamw_square_sum(optimizer_sum(o) + s->offset, s->n);
    return OK;
}

struct update {
    struct optimizer *o;
    struct model *model;
    struct adamw adamw;
};

static enum status update_slice(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    struct update *u = ctx;
    struct optimizer *o = u->o;
    const struct optimizer_slice *s = &o->slice[o->own[item]];
    (void)worker;
    (void)err;
    adamw_update(model_trainable(u->model) + s->offset, o->m + s->held,
                 o->v + s->held, optimizer_sum(o) + s->offset, s->n, s->decay,
                 &u->adamw);
    return OK;
}

static enum status clear_slice(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    struct optimizer *o = ctx;
    const struct optimizer_slice *s = &o->slice[item];
    (void)worker;
    (void)err;
    gradients_clear(o->gradients, s->offset, s->n);
    return OK;
}

/* What products in bfloat16 read, where there is such a copy. */
static enum status round_slice(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    struct update *u = ctx;
    const struct optimizer_slice *s = &u->o->slice[item];
    (void)worker;
    (void)err;
    if (u->model->lora == NULL)
        model_round_part(u->model, s->offset, s->n);
    return OK;
}

/* On one process a slice is rounded and cleared while it is in the cache. */
static enum status update_and_clear(void *ctx, size_t item, size_t worker,
                                    struct err *err)
{
    struct update *u = ctx;
    TRY(update_slice(u, item, worker, err));
    TRY(round_slice(u, item, worker, err));
    return clear_slice(u->o, item, worker, err);
}

/* The own slices, and from the other ranks theirs. */
static enum status update(struct update *u, const struct context *context,
                          struct err *err)
{
    struct optimizer *o = u->o;
    if (o->ranks == NULL)
        return team_run(context->team, o->n_slice, update_and_clear, u, err);
    TRY(team_run(context->team, o->n_own, update_slice, u, err));
    TRY(team_run(context->team, o->n_slice, clear_slice, o, err));
    TRY(optimizer_ranks_publish(o, model_trainable(u->model), err));
    return team_run(context->team, o->n_slice, round_slice, u, err);
}

/* Whose backward pass it is. */
struct watch {
    struct optimizer *optimizer;
    const struct model *model;
    size_t shard;
};

static void on_layer(void *ctx, size_t layer)
{
    const struct watch *w = ctx;
    optimizer_final(w->optimizer, w->shard,
                    params_offset(&w->model->config, PARAM_NORM1, layer));
}

enum status optimizer_backward(struct optimizer *o, size_t shard,
                               struct activations *a, const struct model *m,
                               const struct pack *pack, const float *dhidden,
                               struct arena *arena, struct err *err)
{
    struct watch watch = {o, m, shard};
    /* An adapter's parameters are in another order, and few. */
    if (o->behind != NULL && m->lora == NULL) {
        a->on_layer = on_layer;
        a->on_layer_ctx = &watch;
    }
    float *grad;
    TRY(optimizer_grad(&grad, o, shard, err));
    TRY(transformer_backward(grad, a, m, pack, dhidden, arena, err));
    optimizer_final(o, shard, 0);
    return OK;
}

static enum status reduce(struct optimizer *o, const struct context *context,
                          struct err *err)
{
    TRY(gradients_settle(o->gradients, err));
    if (o->ranks == NULL)
        return team_run(context->team, o->n_slice, reduce_slice, o, err);
    return optimizer_ranks_reduce(o, context, err);
}

/* The global norm, or an error naming the first bad tensor. */
static enum status grad_norm(double *norm, const struct optimizer *o,
                             const struct model *m, struct err *err)
{
    double square = 0;
    for (size_t i = 0; i < o->n_slice; i++) {
        if (!isfinite(o->slice[i].square))
            return err_set(err, ERR_NUMERIC,
                           "the gradient of '%s' is not finite",
                           model_trainable_view(m, o->slice[i].tensor).name);
        square += o->slice[i].square;
    }
    *norm = sqrt(square);
    return OK;
}

enum status optimizer_step(struct optimizer_report *report, struct optimizer *o,
                           struct model *m, const struct context *context,
                           struct err *err)
{
    double norm;
    TRY(reduce(o, context, err));
    TRY(grad_norm(&norm, o, m, err));
    const struct optimizer_config *c = &o->config;
    o->t++;
    double lr = c->lr * schedule_factor((enum schedule)c->schedule, o->t,
                                        o->total, c->warmup, c->lr_min);
    struct update u = {
        .o = o,
        .model = m,
        .adamw = {.lr = lr,
                  .beta1 = c->beta1,
                  .beta2 = c->beta2,
                  .eps = c->eps,
                  .weight_decay = c->weight_decay,
                  .t = o->t,
                  .grad_scale =
                      c->clip > 0 && norm > c->clip ? c->clip / norm : 1.0},
    };
    TRY(update(&u, context, err));
    gradients_return(o->gradients);
    if (report != NULL)
        *report = (struct optimizer_report){.grad_norm = norm, .lr = lr};
    return OK;
}

static bool is_finite(const float *x, size_t n)
{
    return isfinite(adamw_square_sum(x, n));
}

static bool is_grad_finite(const struct optimizer *o,
                           const struct param_view *view)
{
    float *const *shard = o->gradients->shard;
    bool is_good = true;
    for (size_t i = o->first_shard; i < o->last_shard; i++)
        if (shard[i] != NULL)
            is_good &=
                is_finite(shard[i] + view->offset, view->rows * view->cols);
    return is_good;
}

static bool is_tensor_finite(const struct model *m,
                             const struct param_view *view)
{
    return is_finite(model_trainable(m) + view->offset,
                     view->rows * view->cols);
}

enum status optimizer_blame(const struct optimizer *o, const struct model *m,
                            const char *what, struct err *err)
{
    size_t n_tensor = model_trainable_tensors(m), first = 0;
    for (; first < n_tensor; first++) {
        struct param_view view = model_trainable_view(m, first);
        if (!is_tensor_finite(m, &view) || !is_grad_finite(o, &view))
            break;
    }
    /* The first of all ranks, which have each other gradients. */
    int64_t before = -(int64_t)first;
    TRY(comm_max(o->comm, &before, err));
    first = (size_t)-before;
    if (first == n_tensor)
        return err_set(err, ERR_NUMERIC, "%s is not finite", what);
    struct param_view view = model_trainable_view(m, first);
    return err_set(err, ERR_NUMERIC, "%s is not finite, nor is %s'%s'", what,
                   is_tensor_finite(m, &view) ? "the gradient of "
                                              : "the tensor ",
                   view.name);
}

enum status workspace_create(struct workspace *out, size_t workers,
                             struct err *err)
{
    struct workspace w = {.n = workers};
    TRY(MEM_NEW(w.arena, workers, err));
    for (size_t i = 0; i < workers; i++)
        w.arena[i].is_raw = true;
    *out = w;
    return OK;
}

void workspace_free(struct workspace *w)
{
    for (size_t i = 0; i < w->n; i++)
        arena_free(&w->arena[i]);
    mem_free(w->arena);
    memset(w, 0, sizeof *w);
}

struct arena *workspace_arena(const struct workspace *w, size_t worker)
{
    arena_reset(&w->arena[worker]);
    return &w->arena[worker];
}

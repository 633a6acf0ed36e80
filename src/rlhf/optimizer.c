#include "rlhf/optimizer.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "nn/adamw.h"
#include "nn/ops.h"
#include "rlhf/schedule.h"

/* Floats of one work item; small enough to stay in cache while the shards'
 * buffers are summed. */
#define SLICE 8192

/* A part of one tensor. */
struct optimizer_slice {
    size_t tensor; // index for model_trainable_view
    size_t offset, n;
    bool decay;
    double square; // of the summed gradient
};

static size_t cut_slices(struct optimizer_slice *slice, const struct model *m)
{
    size_t n_slice = 0;
    for (size_t i = 0; i < model_trainable_tensors(m); i++) {
        struct param_view view = model_trainable_view(m, i);
        size_t size = view.rows * view.cols;
        for (size_t at = 0; at < size; at += SLICE, n_slice++) {
            if (slice == NULL)
                continue;
            slice[n_slice] = (struct optimizer_slice){
                .tensor = i,
                .offset = view.offset + at,
                .n = size - at < SLICE ? size - at : SLICE,
                .decay = view.decay,
            };
        }
    }
    return n_slice;
}

enum status optimizer_create(struct optimizer *out, const struct model *m,
                             const struct optimizer_config *c, int64_t total,
                             size_t shards, struct err *err)
{
    enum status status = OK;
    struct optimizer o = {.config = *c,
                          .total = total,
                          .shards = shards,
                          .n = model_trainable_count(m)};
    size_t n_grad;
    TRY(mem_multiply(&n_grad, o.n, shards, err));
    TRY_DONE(MEM_NEW(o.m, o.n, err));
    TRY_DONE(MEM_NEW(o.v, o.n, err));
    TRY_DONE(MEM_NEW(o.grad, n_grad, err));
    o.n_slice = cut_slices(NULL, m);
    TRY_DONE(MEM_NEW(o.slice, o.n_slice, err));
    cut_slices(o.slice, m);
    *out = o;
done:
    if (status != OK)
        optimizer_free(&o);
    return status;
}

void optimizer_free(struct optimizer *o)
{
    mem_free(o->m);
    mem_free(o->v);
    mem_free(o->grad);
    mem_free(o->slice);
    memset(o, 0, sizeof *o);
}

float *optimizer_grad(const struct optimizer *o, size_t shard)
{
    return o->grad + shard * o->n;
}

/* Sum the shards of one slice into shard 0 and square it. */
static enum status reduce_slice(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    struct optimizer *o = ctx;
    struct optimizer_slice *s = &o->slice[item];
    (void)worker;
    (void)err;
    for (size_t stride = 1; stride < o->shards; stride *= 2)
        for (size_t i = 0; i + stride < o->shards; i += 2 * stride)
            add_into(optimizer_grad(o, i) + s->offset,
                     optimizer_grad(o, i + stride) + s->offset, s->n);
    s->square = adamw_square_sum(o->grad + s->offset, s->n);
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
    const struct optimizer_slice *s = &o->slice[item];
    (void)worker;
    (void)err;
    adamw_update(model_trainable(u->model) + s->offset, o->m + s->offset,
                 o->v + s->offset, o->grad + s->offset, s->n, s->decay,
                 &u->adamw);
    if (u->model->lora == NULL)
        model_round_part(u->model, s->offset, s->n);
    for (size_t i = 0; i < o->shards; i++)
        memset(optimizer_grad(o, i) + s->offset, 0, s->n * sizeof *o->grad);
    return OK;
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
    TRY(team_run(context->team, o->n_slice, reduce_slice, o, err));
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
    TRY(team_run(context->team, o->n_slice, update_slice, &u, err));
    if (report != NULL)
        *report = (struct optimizer_report){.grad_norm = norm, .lr = lr};
    return OK;
}

static bool is_finite(const float *x, size_t n)
{
    return isfinite(adamw_square_sum(x, n));
}

void optimizer_blame(const struct optimizer *o, const struct model *m,
                     const char *what, struct err *err)
{
    size_t n_tensor = model_trainable_tensors(m);
    err_record(err, ERR_NUMERIC, "%s is not finite", what);
    for (size_t i = 0; i < n_tensor; i++) {
        struct param_view view = model_trainable_view(m, i);
        size_t n = view.rows * view.cols;
        bool is_bad = !is_finite(model_trainable(m) + view.offset, n);
        bool is_grad_bad = false;
        for (size_t shard = 0; shard < o->shards; shard++)
            is_grad_bad |=
                !is_finite(optimizer_grad(o, shard) + view.offset, n);
        if (!is_bad && !is_grad_bad)
            continue;
        err_record(err, ERR_NUMERIC, "%s is not finite, nor is %s'%s'", what,
                   is_bad ? "the tensor " : "the gradient of ", view.name);
        return;
    }
}

enum status workspace_create(struct workspace *out, size_t workers,
                             struct err *err)
{
    struct workspace w = {.n = workers};
    TRY(MEM_NEW(w.arena, workers, err));
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

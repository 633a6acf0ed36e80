#include "model/model.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "nn/gemm.h"

/* Positions in a model's rotary table.  Models are made for up to a million
 * positions and seldom see more than these; a later one is computed where it
 * is met. */
#define ROPE_TABLE_MAX ((size_t)16384)

/* ---- making ------------------------------------------------------------- */

static enum status rope_create(struct rope *out, const struct model_config *c,
                               struct err *err)
{
    struct rope r = {.D = c->D};
    enum status status;

    if (arch_get(c->arch)->is_learned)
        return OK;
    r.T = c->T_max < ROPE_TABLE_MAX ? c->T_max : ROPE_TABLE_MAX;
    TRY(MEM_NEW(r.rate, c->D / 2, err));
    status = MEM_NEW(r.table, r.T * c->D, err);
    if (status != OK) {
        mem_free(r.rate);
        return status;
    }
    rope_rates(r.rate, c->D, c->rope_theta, &c->stretch);
    rope_table(r.table, r.rate, r.T, c->D);
    *out = r;
    return OK;
}

enum status model_create(struct model *out, const struct model_config *c,
                         struct err *err)
{
    struct model m = {.config = *c};
    enum status status = OK;

    TRY(model_config_check(c, err));
    TRY_DONE(MEM_NEW(m.params, params_count(c), err));
    TRY_DONE(rope_create(&m.rope, c, err));
    *out = m;
done:
    if (status != OK)
        model_free(&m);
    return status;
}

void model_free(struct model *m)
{
    if (!m->borrows) {
        mem_free(m->params);
        mem_free(m->rope.rate);
        mem_free(m->rope.table);
    }
    lora_free(m->lora);
    mem_free(m->banned);
    *m = (struct model){0};
}

static enum status copy_banned(struct model *to, const struct model *from,
                               struct err *err)
{
    if (from->banned == NULL)
        return OK;
    TRY(MEM_NEW(to->banned, from->config.V, err));
    memcpy(to->banned, from->banned, from->config.V);
    return OK;
}

enum status model_share(struct model *out, const struct model *base,
                        enum model_head head, struct err *err)
{
    struct model m = *base;

    assert(base->lora == NULL);
    assert(head == base->config.head || head == HEAD_SCORE);
    m.borrows = true;
    m.config.head = head;
    m.banned = NULL;
    if (head == HEAD_LM)
        TRY(copy_banned(&m, base, err));
    *out = m;
    return OK;
}

enum status model_clone(struct model *out, const struct model *m,
                        struct err *err)
{
    struct model copy = *m;
    enum status status = OK;

    copy.lora = NULL;
    copy.banned = NULL;
    if (!m->borrows) {
        TRY(model_create(&copy, &m->config, err));
        memcpy(copy.params, m->params,
               params_count(&m->config) * sizeof(float));
    }
    TRY_DONE(copy_banned(&copy, m, err));
    if (m->lora != NULL)
        TRY_DONE(lora_clone(&copy.lora, m->lora, err));
    *out = copy;
done:
    if (status != OK)
        model_free(&copy);
    return status;
}

enum status model_clone_as_score(struct model *out, const struct model *m,
                                 struct err *err)
{
    struct model_config c = m->config;
    struct model copy;
    size_t trunk;

    assert(m->lora == NULL);
    /* The trunk comes first in both layouts (model/params.h). */
    c.head = HEAD_SCORE;
    trunk = params_offset(&c, PARAM_SCORE, 0);
    TRY(model_create(&copy, &c, err));
    memcpy(copy.params, m->params, trunk * sizeof(float));
    *out = copy;
    return OK;
}

void model_take(struct model *m, struct model *base)
{
    assert(m->borrows && !base->borrows && m->params == base->params);
    m->borrows = false;
    base->borrows = true;
}

enum status model_adapt(struct model *m, const struct lora_config *l,
                        uint64_t seed, struct err *err)
{
    assert(m->lora == NULL);
    return lora_create(&m->lora, l, &m->config, seed, err);
}

/* ---- merging ------------------------------------------------------------ */

static enum status merge_module(struct model *m, enum lora_module module,
                                size_t layer, struct err *err)
{
    const struct lora *l = m->lora;
    struct lora_shape s = lora_shape(&m->config, module);
    size_t r = (size_t)l->config.rank;
    const float *A =
        l->params + lora_offset(&l->config, &m->config, module, layer);

    return gemm_part(
        &(struct gemm_part){.form = GEMM_NN,
                            .C = m->params +
                                 params_offset(&m->config, s.kind, layer),
                            .ldc = s.K,
                            .A = A + r * s.K,
                            .lda = r,
                            .B = A,
                            .ldb = s.K,
                            .M = s.M,
                            .N = s.K,
                            .K = r,
                            .alpha = (float)lora_scale(&l->config),
                            .accumulate = true},
        err);
}

static enum status merge_layer(void *ctx, size_t layer, size_t worker,
                               struct err *err)
{
    struct model *m = ctx;

    (void)worker;
    for (enum lora_module i = 0; i < LORA_MODULES; i++)
        if ((m->lora->config.targets >> i & 1) != 0)
            TRY(merge_module(m, i, layer, err));
    return OK;
}

enum status model_merge(struct model *m, struct err *err)
{
    struct team *team;

    assert(!m->borrows);
    if (m->lora == NULL)
        return OK;
    TRY(team_create(&team, 1, err));
    enum status status = team_run(team, m->config.L, merge_layer, m, err);
    team_destroy(team);
    TRY(status);
    if (m->config.head == HEAD_SCORE)
        memcpy(m->params + params_offset(&m->config, PARAM_SCORE, 0),
               model_score(m), m->config.C * sizeof *m->params);
    lora_free(m->lora);
    m->lora = NULL;
    return OK;
}

/* ---- what is trained ---------------------------------------------------- */

float *model_trainable(const struct model *m)
{
    return m->lora != NULL ? m->lora->params : m->params;
}

size_t model_trainable_count(const struct model *m)
{
    return m->lora != NULL ? m->lora->n : params_count(&m->config);
}

size_t model_trainable_tensors(const struct model *m)
{
    return m->lora != NULL ? lora_tensors(&m->lora->config, &m->config)
                           : params_tensors(&m->config);
}

struct param_view model_trainable_view(const struct model *m, size_t i)
{
    return m->lora != NULL ? lora_view(&m->lora->config, &m->config, i)
                           : params_view(&m->config, i);
}

float *model_grad(const struct model *m, float *grad, enum param kind,
                  size_t layer)
{
    return m->lora != NULL ? NULL
                           : grad + params_offset(&m->config, kind, layer);
}

/* ---- heads -------------------------------------------------------------- */

static size_t score_offset(const struct model *m)
{
    assert(m->config.head == HEAD_SCORE);
    assert(m->lora != NULL || !m->borrows);
    return m->lora != NULL ? lora_score_offset(&m->lora->config, &m->config)
                           : params_offset(&m->config, PARAM_SCORE, 0);
}

float *model_score(const struct model *m)
{
    return model_trainable(m) + score_offset(m);
}

float *model_score_grad(const struct model *m, float *grad)
{
    return grad + score_offset(m);
}

static enum param lmhead_param(const struct model_config *c)
{
    assert(c->head == HEAD_LM);
    return c->tied ? PARAM_EMBED : PARAM_HEAD;
}

struct lmhead model_lmhead(const struct model *m, float temperature)
{
    const struct model_config *c = &m->config;

    return (struct lmhead){
        .weight = {.f32 = m->params + params_offset(c, lmhead_param(c), 0)},
        .banned = m->banned,
        .V = c->V,
        .C = c->C,
        .temperature = temperature,
    };
}

float *model_lmhead_grad(const struct model *m, float *grad)
{
    return model_grad(m, grad, lmhead_param(&m->config), 0);
}

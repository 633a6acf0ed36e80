#include "model/model.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "nn/gemm16.h"

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

enum status model_create_as(struct model *out, const struct model_config *c,
                            enum model_precision precision, struct err *err)
{
    struct model m = {.config = *c};
    enum status status = OK;

    TRY(model_config_check(c, err));
    if ((precision & MODEL_IS_BF16) != 0) {
        TRY_DONE(MEM_NEW(m.narrow, params_count(c), err));
        TRY_DONE(MEM_NEW(m.rest, params_rest_count(c), err));
    } else {
        TRY_DONE(MEM_NEW(m.params, params_count(c), err));
    }
    if ((precision & MODEL_BY_BF16) != 0)
        TRY_DONE(model_round(&m, err));
    TRY_DONE(rope_create(&m.rope, c, err));
    *out = m;
done:
    if (status != OK)
        model_free(&m);
    return status;
}

enum status model_create(struct model *out, const struct model_config *c,
                         struct err *err)
{
    return model_create_as(out, c, MODEL_F32, err);
}

void model_free(struct model *m)
{
    if (!m->borrows) {
        if (m->rounded != m->narrow)
            mem_free(m->rounded);
        mem_free(m->params);
        mem_free(m->narrow);
        mem_free(m->rest);
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

/* The first n parameters, of a frozen model with the first n_rest others. */
static void copy_params(struct model *to, const struct model *from, size_t n,
                        size_t n_rest)
{
    if (from->narrow == NULL) {
        memcpy(to->params, from->params, n * sizeof *to->params);
        model_round_again(to);
        return;
    }
    memcpy(to->narrow, from->narrow, n * sizeof *to->narrow);
    memcpy(to->rest, from->rest, n_rest * sizeof *to->rest);
}

enum status model_clone(struct model *out, const struct model *m,
                        struct err *err)
{
    struct model copy = *m;
    enum status status = OK;

    copy.lora = NULL;
    copy.banned = NULL;
    if (!m->borrows) {
        TRY(model_create_as(&copy, &m->config, model_precision_of(m), err));
        copy_params(&copy, m, params_count(&m->config),
                    params_rest_count(&m->config));
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

    assert(m->lora == NULL);
    /* The trunk comes first in both layouts (model/params.h). */
    c.head = HEAD_SCORE;
    c.length = (struct score_length){0};
    TRY(model_create_as(&copy, &c, model_precision_of(m), err));
    copy_params(&copy, m, params_offset(&c, PARAM_SCORE, 0),
                params_rest_offset(&c, PARAM_SCORE, 0));
    *out = copy;
    return OK;
}

enum status model_into_score(struct model *m, struct err *err)
{
    struct model_config c = m->config;
    float **at = m->narrow != NULL ? &m->rest : &m->params;
    size_t trunk;

    assert(m->lora == NULL && !m->borrows && c.head == HEAD_LM);
    c.head = HEAD_SCORE;
    trunk = m->narrow != NULL ? params_rest_offset(&c, PARAM_SCORE, 0)
                              : params_offset(&c, PARAM_SCORE, 0);
    float *grown = mem_grow(*at, trunk, trunk + c.C, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a score head");
    *at = grown;
    if (m->rounded != NULL && m->rounded != m->narrow) {
        uint16_t *rounded =
            mem_grow(m->rounded, trunk, trunk + c.C, sizeof *rounded);
        if (rounded == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for a score head");
        m->rounded = rounded;
    }
    m->config = c;
    mem_free(m->banned);
    m->banned = NULL;
    return OK;
}

/* ---- products in bfloat16 ------------------------------------------------ */

enum status model_round(struct model *m, struct err *err)
{
    assert(!m->borrows);
    if (m->narrow != NULL)
        m->rounded = m->narrow;
    else if (m->rounded == NULL)
        TRY(MEM_NEW(m->rounded, params_count(&m->config), err));
    model_round_again(m);
    return OK;
}

void model_round_again(struct model *m)
{
    model_round_part(m, 0, params_count(&m->config));
}

void model_round_part(struct model *m, size_t offset, size_t n)
{
    if (m->rounded != NULL && m->narrow == NULL && !m->borrows)
        gemm16_round(m->rounded + offset, m->params + offset, n);
}

enum model_precision model_precision_of(const struct model *m)
{
    unsigned bits = (m->narrow != NULL ? MODEL_IS_BF16 : 0) |
                    (m->rounded != NULL ? MODEL_BY_BF16 : 0);
    return (enum model_precision)bits;
}

void model_take(struct model *m, struct model *base)
{
    assert(m->borrows && !base->borrows && m->params == base->params &&
           m->narrow == base->narrow);
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

enum status model_freeze(struct model *m, struct err *err)
{
    const struct model_config *c = &m->config;
    struct model frozen;

    assert(m->lora == NULL && !m->borrows);
    if (m->narrow != NULL)
        return OK;
    TRY(model_create_as(&frozen, c, MODEL_BF16, err));
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_view view = params_view(c, i);
        const float *from = m->params + view.offset;
        size_t n = view.rows * view.cols;

        if (params_is_product(view.kind))
            gemm16_round(frozen.narrow + view.offset, from, n);
        else
            memcpy(frozen.rest + params_rest_offset(c, view.kind, view.layer),
                   from, n * sizeof *from);
    }
    frozen.banned = m->banned;
    m->banned = NULL;
    if (m->rounded != NULL)
        frozen.rounded = frozen.narrow;
    model_free(m);
    *m = frozen;
    return OK;
}

/* A frozen model's parameters in float. */
static enum status thaw(struct model *m, struct err *err)
{
    const struct model_config *c = &m->config;
    struct model whole;

    TRY(model_create(&whole, c, err));
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_view view = params_view(c, i);
        float *to = whole.params + view.offset;
        size_t n = view.rows * view.cols;

        if (params_is_product(view.kind))
            weight_widen(to, m->narrow + view.offset, n);
        else
            memcpy(to, model_vector(m, view.kind, view.layer), n * sizeof *to);
    }
    if (m->rounded == m->narrow)
        m->rounded = NULL;
    mem_free(m->narrow);
    mem_free(m->rest);
    m->narrow = NULL;
    m->rest = NULL;
    m->params = whole.params;
    whole.params = NULL;
    model_free(&whole);
    return OK;
}

enum status model_merge(struct model *m, struct err *err)
{
    struct team *team;

    assert(!m->borrows);
    if (m->narrow != NULL)
        TRY(thaw(m, err));
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
    model_round_again(m);
    return OK;
}

static bool same_shape(const struct model_config *a,
                       const struct model_config *b)
{
    return a->arch == b->arch && a->V == b->V && a->C == b->C && a->L == b->L &&
           a->H == b->H && a->G == b->G && a->D == b->D && a->F == b->F &&
           a->T_max == b->T_max && a->tied == b->tied &&
           a->attention_bias == b->attention_bias && a->head == b->head;
}

enum status model_interpolate(struct model *m, const struct model *reference,
                              double alpha, struct err *err)
{
    assert(m->params != NULL && reference->params != NULL);
    assert(m->lora == NULL && reference->lora == NULL && !m->borrows);
    if (!same_shape(&m->config, &reference->config))
        return err_set(err, ERR_MISMATCH,
                       "models of different shapes have nothing between them");
    size_t n = params_count(&m->config);
    for (size_t i = 0; i < n; i++)
        m->params[i] = (float)((1 - alpha) * (double)reference->params[i] +
                               alpha * (double)m->params[i]);
    model_round_again(m);
    return OK;
}

/* ---- what is trained ---------------------------------------------------- */

struct weight model_weight(const struct model *m, enum param kind, size_t layer)
{
    size_t at = params_offset(&m->config, kind, layer);

    return (struct weight){
        .f32 = m->narrow != NULL ? NULL : m->params + at,
        .bf16 = m->narrow != NULL ? m->narrow + at : NULL,
        .rounded = m->rounded != NULL ? m->rounded + at : NULL,
    };
}

const float *model_vector(const struct model *m, enum param kind, size_t layer)
{
    const struct model_config *c = &m->config;

    return m->narrow != NULL ? m->rest + params_rest_offset(c, kind, layer)
                             : m->params + params_offset(c, kind, layer);
}

float *model_trainable(const struct model *m)
{
    assert(m->lora != NULL || m->narrow == NULL);
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

float *model_score(const struct model *m)
{
    const struct model_config *c = &m->config;

    assert(c->head == HEAD_SCORE);
    if (m->lora != NULL)
        return m->lora->params + lora_score_offset(&m->lora->config, c);
    /* Borrowed from a language model there would be none. */
    assert(!m->borrows);
    return m->narrow != NULL ? m->rest + params_rest_offset(c, PARAM_SCORE, 0)
                             : m->params + params_offset(c, PARAM_SCORE, 0);
}

float *model_score_grad(const struct model *m, float *grad)
{
    return grad + (model_score(m) - model_trainable(m));
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
        .weight = model_weight(m, lmhead_param(c), 0),
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

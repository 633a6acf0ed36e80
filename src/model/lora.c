#include "model/lora.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Random streams of adapters, apart from those of parameters. */
#define STREAM 1000u

/* Each module by the parameter it stands on. */
static const enum param param_of[LORA_MODULES] = {
    [LORA_Q] = PARAM_Q,       [LORA_K] = PARAM_K,       [LORA_V] = PARAM_V,
    [LORA_O] = PARAM_O,       [LORA_GATE] = PARAM_GATE, [LORA_UP] = PARAM_UP,
    [LORA_DOWN] = PARAM_DOWN,
};

static bool is_fused(const struct model_config *c)
{
    return arch_get(c->arch)->files->is_fused;
}

/* Where q, k and v are one module, it goes by q. */
bool lora_has_module(const struct model_config *c, enum lora_module module)
{
    if (is_fused(c) && (module == LORA_K || module == LORA_V))
        return false;
    return module < LORA_MODULES && params_has(c, param_of[module]);
}

const char *lora_module_name(const struct model_config *c,
                             enum lora_module module)
{
    return arch_get(c->arch)->files->module[param_of[module]];
}

struct lora_shape lora_shape(const struct model_config *c,
                             enum lora_module module)
{
    struct lora_shape shape = {.kind = param_of[module]};

    params_sides(&shape.M, &shape.K, c, shape.kind);
    if (module == LORA_Q && is_fused(c))
        shape.M = (c->H + 2 * c->G) * c->D;
    return shape;
}

/* ---- configuration ------------------------------------------------------ */

static enum status add_target(unsigned *targets, const char *name, size_t len,
                              const struct model_config *c, struct err *err)
{
    bool is_found = false;

    for (enum lora_module m = 0; m < LORA_MODULES; m++) {
        const char *own = lora_module_name(c, m);

        if (!lora_has_module(c, m) || strlen(own) != len ||
            memcmp(own, name, len) != 0)
            continue;
        *targets |= 1u << m;
        is_found = true;
    }
    if (is_found)
        return OK;
    return err_set(err, ERR_ARG,
                   "the model has no module '%.*s' for an adapter",
                   (int)(len < 60 ? len : 60), name);
}

enum status lora_parse_targets(unsigned *out, const char *text,
                               const struct model_config *c, struct err *err)
{
    unsigned targets = 0;

    if (strcmp(text, "all-linear") == 0) {
        for (enum lora_module m = 0; m < LORA_MODULES; m++)
            if (lora_has_module(c, m))
                targets |= 1u << m;
        *out = targets;
        return OK;
    }
    for (;;) {
        size_t len = strcspn(text, ",");

        TRY(add_target(&targets, text, len, c, err));
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    *out = targets;
    return OK;
}

enum status lora_check(const struct lora_config *l,
                       const struct model_config *c, struct err *err)
{
    if (l->rank < 1 || l->rank > LORA_RANK_MAX)
        return err_set(err, ERR_ARG, "adapter rank is %lld, want 1..%d",
                       (long long)l->rank, LORA_RANK_MAX);
    if (!(l->alpha > 0 && l->alpha <= 1e6))
        return err_set(err, ERR_ARG,
                       "adapter alpha is %g, want 0 < alpha <= 1e6", l->alpha);
    for (enum lora_module m = 0; m < LORA_MODULES; m++)
        if ((l->targets >> m & 1) != 0 && !lora_has_module(c, m))
            return err_set(err, ERR_ARG,
                           "the model has no module for adapter target %d",
                           (int)m);
    return OK;
}

double lora_scale(const struct lora_config *l)
{
    return l->alpha / (l->rslora ? sqrt((double)l->rank) : (double)l->rank);
}

/* ---- layout ------------------------------------------------------------- */

static bool is_target(const struct lora_config *l, enum lora_module module)
{
    return (l->targets >> module & 1) != 0;
}

static size_t module_size(const struct lora_config *l,
                          const struct model_config *c, enum lora_module module)
{
    struct lora_shape s = lora_shape(c, module);

    return is_target(l, module) ? (size_t)l->rank * (s.M + s.K) : 0;
}

/* Floats of one layer's modules that stand before `end`. */
static size_t layer_size(const struct lora_config *l,
                         const struct model_config *c, enum lora_module end)
{
    size_t size = 0;

    for (enum lora_module m = 0; m < end; m++)
        size += module_size(l, c, m);
    return size;
}

size_t lora_score_offset(const struct lora_config *l,
                         const struct model_config *c)
{
    return c->L * layer_size(l, c, LORA_MODULES);
}

size_t lora_count(const struct lora_config *l, const struct model_config *c)
{
    return lora_score_offset(l, c) + (c->head == HEAD_SCORE ? c->C : 0);
}

size_t lora_offset(const struct lora_config *l, const struct model_config *c,
                   enum lora_module module, size_t layer)
{
    assert(is_target(l, module) && layer < c->L);
    return layer * layer_size(l, c, LORA_MODULES) + layer_size(l, c, module);
}

/* Tensors of one layer. */
static size_t per_layer(const struct lora_config *l)
{
    size_t n = 0;

    for (enum lora_module m = 0; m < LORA_MODULES; m++)
        n += is_target(l, m) ? 2 : 0;
    return n;
}

size_t lora_tensors(const struct lora_config *l, const struct model_config *c)
{
    return c->L * per_layer(l) + (c->head == HEAD_SCORE ? 1 : 0);
}

struct param_view lora_view(const struct lora_config *l,
                            const struct model_config *c, size_t i)
{
    struct param_view view = {.kind = PARAM_SCORE,
                              .decay = true,
                              .rows = 1,
                              .cols = c->C,
                              .offset = lora_score_offset(l, c)};
    size_t n = per_layer(l);
    size_t left;
    enum lora_module m = 0;

    assert(i < lora_tensors(l, c));
    if (i >= c->L * n) {
        (void)snprintf(view.name, sizeof view.name,
                       "base_model.model.score.weight");
        return view;
    }
    for (left = i % n / 2; !is_target(l, m) || left > 0; m++)
        left -= is_target(l, m) ? 1 : 0;

    struct lora_shape s = lora_shape(c, m);
    char base[sizeof view.name];
    bool is_b = i % 2 != 0;

    view.kind = s.kind;
    view.layer = i / n;
    params_module(base, sizeof base, c, s.kind, view.layer);
    (void)snprintf(view.name, sizeof view.name,
                   "base_model.model.%.80s.lora_%c.weight", base,
                   is_b ? 'B' : 'A');
    view.rows = is_b ? s.M : (size_t)l->rank;
    view.cols = is_b ? (size_t)l->rank : s.K;
    view.offset =
        lora_offset(l, c, m, view.layer) + (is_b ? (size_t)l->rank * s.K : 0);
    return view;
}

/* ---- adapters ----------------------------------------------------------- */

static enum status create_empty(struct lora **out, const struct lora_config *l,
                                size_t n, struct err *err)
{
    struct lora *made;

    TRY(MEM_NEW(made, 1, err));
    made->config = *l;
    made->n = n;
    enum status status = MEM_NEW(made->params, n, err);
    if (status != OK)
        mem_free(made);
    else
        *out = made;
    return status;
}

enum status lora_create(struct lora **out, const struct lora_config *l,
                        const struct model_config *c, uint64_t seed,
                        struct err *err)
{
    struct lora *made;

    TRY(lora_check(l, c, err));
    TRY(create_empty(&made, l, lora_count(l, c), err));
    for (size_t layer = 0; layer < c->L; layer++) {
        for (enum lora_module m = 0; m < LORA_MODULES; m++) {
            if (!is_target(l, m))
                continue;
            size_t K = lora_shape(c, m).K;
            float *A = made->params + lora_offset(l, c, m, layer);
            double bound = 1 / sqrt((double)K);
            struct rng rng;

            rng_init(&rng, seed, RNG_INIT, STREAM + (uint32_t)m,
                     (uint32_t)layer);
            for (size_t i = 0; i < (size_t)l->rank * K; i++)
                A[i] = (float)(bound * (2 * rng_uniform(&rng) - 1));
        }
    }
    *out = made;
    return OK;
}

enum status lora_clone(struct lora **out, const struct lora *l, struct err *err)
{
    struct lora *made;

    TRY(create_empty(&made, &l->config, l->n, err));
    memcpy(made->params, l->params, l->n * sizeof *l->params);
    *out = made;
    return OK;
}

void lora_free(struct lora *l)
{
    if (l == NULL)
        return;
    mem_free(l->params);
    mem_free(l);
}

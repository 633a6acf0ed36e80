#include "model/variant.h"

#include "nn/layernorm.h"
#include "nn/ops.h"

static const struct arch *arch_of(const struct model_config *c)
{
    return arch_get(c->arch);
}

static const float *weight(const struct model *m, enum param kind, size_t layer)
{
    return m->params + params_offset(&m->config, kind, layer);
}

/* ---- norms --------------------------------------------------------------- */

static enum param norm_bias(enum param kind)
{
    if (kind == PARAM_NORM1)
        return PARAM_NORM1_BIAS;
    return kind == PARAM_NORM2 ? PARAM_NORM2_BIAS : PARAM_NORM_BIAS;
}

/* LayerNorm keeps the mean, too, after rstd. */
size_t variant_norm_kept(const struct model_config *c, size_t N)
{
    return arch_of(c)->is_layernorm ? 2 * N : N;
}

void variant_norm_forward(float *out, float *kept, const float *x,
                          const struct model *m, enum param kind, size_t layer,
                          size_t N)
{
    const struct model_config *c = &m->config;
    float eps = (float)c->norm_eps;

    if (arch_of(c)->is_layernorm)
        layernorm_forward(out, kept == NULL ? NULL : kept + N, kept, x,
                          weight(m, kind, layer),
                          weight(m, norm_bias(kind), layer), N, c->C, eps);
    else
        rmsnorm_forward(out, kept, x, weight(m, kind, layer), N, c->C, eps);
}

void variant_norm_backward(float *dx, float *grad, const float *dout,
                           const float *x, const float *kept,
                           const struct model *m, enum param kind, size_t layer,
                           size_t N)
{
    const struct model_config *c = &m->config;
    float *dweight = model_grad(m, grad, kind, layer);

    if (arch_of(c)->is_layernorm)
        layernorm_backward(dx, dweight,
                           model_grad(m, grad, norm_bias(kind), layer), dout, x,
                           weight(m, kind, layer), kept + N, kept, N, c->C);
    else
        rmsnorm_backward(dx, dweight, dout, x, weight(m, kind, layer), kept, N,
                         c->C);
}

/* ---- from tokens and positions ------------------------------------------- */

void variant_embed_forward(float *x, const struct model *m,
                           const int32_t *token, const int32_t *position,
                           size_t N)
{
    const struct model_config *c = &m->config;

    embed_forward(x, weight(m, PARAM_EMBED, 0), token, N, c->C);
    if (arch_of(c)->is_learned)
        position_forward(x, weight(m, PARAM_POSITION, 0), position, N, c->C);
}

void variant_embed_backward(float *grad, const float *dx, const struct model *m,
                            const struct pack *pack)
{
    const struct model_config *c = &m->config;

    if (m->lora != NULL)
        return;
    embed_backward(model_grad(m, grad, PARAM_EMBED, 0), dx, pack->token,
                   pack->N, c->C);
    if (arch_of(c)->is_learned)
        embed_backward(model_grad(m, grad, PARAM_POSITION, 0), dx,
                       pack->position, pack->N, c->C);
}

static void turn(float *qkv, const struct model *m, const int32_t *position,
                 size_t N, bool inverse)
{
    const struct model_config *c = &m->config;

    if (!arch_of(c)->is_learned)
        rope_apply(qkv, (c->H + 2 * c->G) * c->D, &m->rope, position, N,
                   c->H + c->G, inverse);
}

void variant_qk_forward(float *qkv, const struct model *m,
                        const int32_t *position, size_t N)
{
    turn(qkv, m, position, N, false);
}

void variant_qk_backward(float *dqkv, const struct model *m,
                         const int32_t *position, size_t N)
{
    turn(dqkv, m, position, N, true);
}

/* ---- the feed-forward ---------------------------------------------------- */

size_t variant_up_width(const struct model_config *c)
{
    return arch_of(c)->is_gelu ? c->F : 2 * c->F;
}

void variant_act_forward(float *out, const float *up,
                         const struct model_config *c, size_t N)
{
    if (arch_of(c)->is_gelu)
        gelu_forward(out, up, N * c->F);
    else
        swiglu_forward(out, up, N, c->F);
}

void variant_act_backward(float *dup, const float *dout, const float *up,
                          const struct model_config *c, size_t N)
{
    if (arch_of(c)->is_gelu)
        gelu_backward(dup, dout, up, N * c->F);
    else
        swiglu_backward(dup, dout, up, N, c->F);
}

#include "model/variant.h"

#include "nn/layernorm.h"
#include "nn/ops.h"

static const struct arch *arch_of(const struct model_config *c)
{
    return arch_get(c->arch);
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
                          model_vector(m, kind, layer),
                          model_vector(m, norm_bias(kind), layer), N, c->C,
                          eps);
    else
        rmsnorm_forward(out, kept, x, model_vector(m, kind, layer), N, c->C,
                        eps);
}

void variant_norm_backward(float *dx, float *grad, const float *dout,
                           const float *x, const float *kept,
                           const struct model *m, enum param kind, size_t layer,
                           size_t N)
{
    const struct model_config *c = &m->config;
    float *dweight = model_grad(m, grad, kind, layer);

    if (arch_of(c)->is_layernorm)
        layernorm_backward(
            dx, dweight, model_grad(m, grad, norm_bias(kind), layer), dout, x,
            model_vector(m, kind, layer), kept + N, kept, N, c->C);
    else
        rmsnorm_backward(dx, dweight, dout, x, model_vector(m, kind, layer),
                         kept, N, c->C);
}

/* ---- from tokens and positions ------------------------------------------- */

void variant_embed_forward(float *x, const struct model *m,
                           const int32_t *token, const int32_t *position,
                           size_t N)
{
    const struct model_config *c = &m->config;

    weight_rows(x, model_weight(m, PARAM_EMBED, 0), token, N, c->C);
    if (arch_of(c)->is_learned)
        position_forward(x, model_vector(m, PARAM_POSITION, 0), position, N,
                         c->C);
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

static size_t qkv_width(const struct model_config *c)
{
    return (c->H + 2 * c->G) * c->D;
}

static void turn(float *qkv, const struct model *m, const int32_t *position,
                 size_t N, bool inverse)
{
    const struct model_config *c = &m->config;

    if (!arch_of(c)->is_learned)
        rope_apply(qkv, qkv_width(c), &m->rope, position, N, c->H + c->G,
                   inverse);
}

/* Both sets of heads as they came, then their rstd. */
size_t variant_qk_kept(const struct model_config *c, size_t N)
{
    return arch_of(c)->has_head_norm ? N * (c->H + c->G) * (c->D + 1) : 0;
}

/* Where the heads of q (first) or k begin, in a row and in what is kept. */
struct heads {
    enum param norm;
    size_t at, n;
    size_t raw, rstd;
};

static struct heads heads_of(const struct model_config *c, size_t N, bool is_k)
{
    size_t all = N * (c->H + c->G) * c->D;

    if (is_k)
        return (struct heads){PARAM_K_NORM, c->H * c->D, c->G, N * c->H * c->D,
                              all + N * c->H};
    return (struct heads){PARAM_Q_NORM, 0, c->H, 0, all};
}

void variant_qk_forward(float *qkv, float *kept, const struct model *m,
                        size_t layer, const int32_t *position, size_t N)
{
    const struct model_config *c = &m->config;

    for (int k = 0; k < 2 && arch_of(c)->has_head_norm; k++) {
        struct heads h = heads_of(c, N, k);

        headnorm_forward(qkv + h.at, kept == NULL ? NULL : kept + h.raw,
                         kept == NULL ? NULL : kept + h.rstd,
                         model_vector(m, h.norm, layer), N, qkv_width(c), h.n,
                         c->D, (float)c->norm_eps);
    }
    turn(qkv, m, position, N, false);
}

void variant_qk_backward(float *dqkv, float *grad, const float *kept,
                         const struct model *m, size_t layer,
                         const int32_t *position, size_t N)
{
    const struct model_config *c = &m->config;

    turn(dqkv, m, position, N, true);
    for (int k = 0; k < 2 && arch_of(c)->has_head_norm; k++) {
        struct heads h = heads_of(c, N, k);

        headnorm_backward(dqkv + h.at, model_grad(m, grad, h.norm, layer),
                          kept + h.raw, model_vector(m, h.norm, layer),
                          kept + h.rstd, N, qkv_width(c), h.n, c->D);
    }
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

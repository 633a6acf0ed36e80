#include "model/transformer_internal.h"

#include <assert.h>
#include <string.h>

#include "model/linear.h"
#include "model/variant.h"
#include "nn/attention.h"
#include "nn/gemm16.h"

/* More tokens than this in one pack is a bug; it bounds every product of
 * sizes below (config.h bounds the other factors). */
#define PACK_TOKENS_MAX ((size_t)1 << 31)

/*
 * One layer's values, in the order they are computed.  In inference all
 * layers share one set, and x and mid are the same array, updated in place.
 */
struct layer_activations {
    float *x;       // [N,C] residual stream coming in
    float *kept1;   // of the first norm, NULL in inference
    float *norm1;   // [N,C]
    float *qkv;     // [N,(H+2G)*D] as attention reads it
    float *attn;    // [N,H*D] heads' outputs
    float *lse;     // [N,H], NULL in inference
    float *mid;     // [N,C] residual stream between the halves
    float *kept2;   // of the second norm, NULL in inference
    float *kept_qk; // of the heads' norms, NULL in inference
    float *norm2;   // [N,C]
    float *up;      // [N,2F] gate and up, or [N,F]
    float *act;     // [N,F]
};

static size_t qkv_width(const struct model_config *c)
{
    return (c->H + 2 * c->G) * c->D;
}

/* One layer's buffers; every size of `struct layer_activations` is here. */
static enum status layer_place(struct layer_activations *a,
                               const struct model_config *c, size_t N,
                               bool keep, struct arena *arena, struct err *err)
{
    if (keep) {
        TRY(ARENA_NEW(arena, a->x, N * c->C, err));
        TRY(ARENA_NEW(arena, a->mid, N * c->C, err));
        TRY(ARENA_NEW(arena, a->kept1, variant_norm_kept(c, N), err));
        TRY(ARENA_NEW(arena, a->kept2, variant_norm_kept(c, N), err));
        TRY(ARENA_NEW(arena, a->kept_qk, variant_qk_kept(c, N), err));
        TRY(ARENA_NEW(arena, a->lse, N * c->H, err));
    }
    TRY(ARENA_NEW(arena, a->norm1, N * c->C, err));
    TRY(ARENA_NEW(arena, a->qkv, N * qkv_width(c), err));
    TRY(ARENA_NEW(arena, a->attn, N * c->H * c->D, err));
    a->norm2 = a->norm1;
    if (keep)
        TRY(ARENA_NEW(arena, a->norm2, N * c->C, err));
    TRY(ARENA_NEW(arena, a->up, N * variant_up_width(c), err));
    return ARENA_NEW(arena, a->act, N * c->F, err);
}

enum status activations_place(struct activations *a, const struct model *m,
                              size_t N, bool keep, struct arena *arena,
                              struct err *err)
{
    const struct model_config *c = &m->config;
    struct activations out = {.N = N, .keep = keep};

    if (N > PACK_TOKENS_MAX)
        return err_set(err, ERR_LIMIT, "a pack of %zu tokens; at most %zu", N,
                       PACK_TOKENS_MAX);
    TRY(ARENA_NEW(arena, out.hidden, N * c->C, err));
    TRY(ARENA_NEW(arena, out.last, N * c->C, err));
    if (keep)
        TRY(ARENA_NEW(arena, out.last_kept, variant_norm_kept(c, N), err));
    TRY(ARENA_NEW(arena, out.adapter, linear_scratch(m, N), err));
    TRY(ARENA_NEW(arena, out.layer, c->L, err));
    for (size_t l = 0; l < c->L; l++) {
        out.layer[l] =
            l == 0 || keep ? (struct layer_activations){0} : out.layer[0];
        if (l == 0 || keep)
            TRY(layer_place(&out.layer[l], c, N, keep, arena, err));
        if (!keep)
            out.layer[l].x = out.layer[l].mid = out.last;
    }
    *a = out;
    return OK;
}

/* One product of a layer. */
static enum status project(float *y, const float *x, const struct model *m,
                           enum param first, size_t layer, size_t N,
                           bool accumulate, float *scratch, struct err *err)
{
    struct linear l = linear_of(m, first, layer);

    return linear_forward(y, x, &l, N, accumulate, scratch, err);
}

/* out = x + the product of y: a half layer's end, added onto the stream. */
static enum status residual_forward(float *out, const float *x, const float *y,
                                    const struct model *m, enum param first,
                                    size_t layer, size_t N, float *scratch,
                                    struct err *err)
{
    if (out != x)
        memcpy(out, x, N * m->config.C * sizeof *out);
    return project(out, y, m, first, layer, N, true, scratch, err);
}

/* Keys and values of a model whose products are in bfloat16 are rounded, as
 * they are where sampling keeps them. */
static void round_keys(float *qkv, const struct model *m, size_t N)
{
    const struct model_config *c = &m->config;

    for (size_t n = 0; m->rounded != NULL && n < N; n++)
        gemm16_round_floats(qkv + n * qkv_width(c) + c->H * c->D,
                            2 * c->G * c->D);
}

/* One layer: a->x to `out`, the next layer's x. */
static enum status layer_forward(float *out, struct layer_activations *a,
                                 const struct model *m, size_t layer,
                                 const struct pack *pack, float *attention,
                                 float *scratch, struct err *err)
{
    const struct model_config *c = &m->config;
    size_t N = pack->N;

    variant_norm_forward(a->norm1, a->kept1, a->x, m, PARAM_NORM1, layer, N);
    /* q, k and v are neighbours, so one product makes all three. */
    TRY(project(a->qkv, a->norm1, m, PARAM_Q, layer, N, false, scratch, err));
    variant_qk_forward(a->qkv, a->kept_qk, m, layer, pack->position, N);
    round_keys(a->qkv, m, N);
    attention_forward(a->attn, a->lse, a->qkv, pack, c->H, c->G, c->D,
                      attention);
    TRY(residual_forward(a->mid, a->x, a->attn, m, PARAM_O, layer, N, scratch,
                         err));

    variant_norm_forward(a->norm2, a->kept2, a->mid, m, PARAM_NORM2, layer, N);
    TRY(project(a->up, a->norm2, m, PARAM_GATE, layer, N, false, scratch, err));
    variant_act_forward(a->act, a->up, c, N);
    return residual_forward(out, a->mid, a->act, m, PARAM_DOWN, layer, N,
                            scratch, err);
}

enum status transformer_check(const int32_t *token, const int32_t *position,
                              size_t N, const struct model_config *c,
                              struct err *err)
{
    for (size_t n = 0; n < N; n++) {
        if (token[n] < 0 || (size_t)token[n] >= c->V)
            return err_set(err, ERR_MISMATCH,
                           "token id %d is outside the vocabulary of %zu",
                           (int)token[n], c->V);
        if (position[n] < 0 || (size_t)position[n] >= c->T_max)
            return err_set(err, ERR_MISMATCH,
                           "position %d is outside the model's %zu",
                           (int)position[n], c->T_max);
    }
    return OK;
}

/* Scratch for attention over the longest sequence of a pack. */
static enum status scratch_place(float **out, const struct pack *pack, size_t D,
                                 struct arena *arena, struct err *err)
{
    return ARENA_NEW(arena, *out, attention_scratch(pack_longest(pack), D),
                     err);
}

enum status transformer_forward(struct activations *a, const struct model *m,
                                const struct pack *pack, struct arena *arena,
                                struct err *err)
{
    const struct model_config *c = &m->config;
    float *attention;

    assert(a->N == pack->N);
    TRY(scratch_place(&attention, pack, c->D, arena, err));
    TRY(transformer_check(pack->token, pack->position, pack->N, c, err));
    variant_embed_forward(a->layer[0].x, m, pack->token, pack->position,
                          pack->N);
    for (size_t l = 0; l < c->L; l++)
        TRY(layer_forward(l + 1 < c->L ? a->layer[l + 1].x : a->last,
                          &a->layer[l], m, l, pack, attention, a->adapter,
                          err));
    variant_norm_forward(a->hidden, a->last_kept, a->last, m, PARAM_NORM, 0,
                         pack->N);
    return OK;
}

/* Buffers of the backward pass, shared by all layers. */
struct backward {
    float *dx;      // [N,C] gradient of the residual stream
    float *dnorm;   // [N,C]
    float *dqkv;    // [N,(H+2G)*D]
    float *dattn;   // [N,H*D]
    float *dup;     // [N,2F] or [N,F]
    float *dact;    // [N,F]
    float *scratch; // of attention
    float *adapter; // of the products' adapters
};

static enum status backward_place(struct backward *b, const struct model *m,
                                  const struct pack *pack, struct arena *arena,
                                  struct err *err)
{
    const struct model_config *c = &m->config;
    size_t N = pack->N;

    TRY(ARENA_NEW(arena, b->dx, N * c->C, err));
    TRY(ARENA_NEW(arena, b->dnorm, N * c->C, err));
    TRY(ARENA_NEW(arena, b->dqkv, N * qkv_width(c), err));
    TRY(ARENA_NEW(arena, b->dattn, N * c->H * c->D, err));
    TRY(ARENA_NEW(arena, b->dup, N * variant_up_width(c), err));
    TRY(ARENA_NEW(arena, b->dact, N * c->F, err));
    TRY(ARENA_NEW(arena, b->adapter, linear_scratch(m, N), err));
    return scratch_place(&b->scratch, pack, c->D, arena, err);
}

/* A product backwards: SETS dx (NULL: nobody wants it). */
static enum status project_backward(float *dx, float *grad, const float *dy,
                                    const float *x, const struct model *m,
                                    enum param first, size_t layer, size_t N,
                                    float *scratch, struct err *err)
{
    struct linear l = linear_of(m, first, layer);

    return linear_backward(dx, grad, dy, x, &l, N, scratch, err);
}

/*
 * One layer backwards: b->dx is the gradient of its output and becomes that
 * of its input.  The residual sums leave dx as it is, and each half adds its
 * own share through its norm.  Below the lowest adapter nothing is trained, so
 * the first layer's input then needs no gradient.
 */
static enum status layer_backward(float *grad, struct backward *b,
                                  const struct layer_activations *a,
                                  const struct model *m, size_t layer,
                                  const struct pack *pack, struct err *err)
{
    const struct model_config *c = &m->config;
    size_t N = pack->N;
    bool is_end = layer == 0 && m->lora != NULL;

    /* out = mid + act down^T */
    TRY(project_backward(b->dact, grad, b->dx, a->act, m, PARAM_DOWN, layer, N,
                         b->adapter, err));
    variant_act_backward(b->dup, b->dact, a->up, c, N);
    TRY(project_backward(b->dnorm, grad, b->dup, a->norm2, m, PARAM_GATE, layer,
                         N, b->adapter, err));
    variant_norm_backward(b->dx, grad, b->dnorm, a->mid, a->kept2, m,
                          PARAM_NORM2, layer, N);

    /* mid = x + attn o^T */
    TRY(project_backward(b->dattn, grad, b->dx, a->attn, m, PARAM_O, layer, N,
                         b->adapter, err));
    attention_backward(b->dqkv, b->dattn, a->attn, a->lse, a->qkv, pack, c->H,
                       c->G, c->D, b->scratch);
    variant_qk_backward(b->dqkv, grad, a->kept_qk, m, layer, pack->position, N);
    TRY(project_backward(is_end ? NULL : b->dnorm, grad, b->dqkv, a->norm1, m,
                         PARAM_Q, layer, N, b->adapter, err));
    if (!is_end)
        variant_norm_backward(b->dx, grad, b->dnorm, a->x, a->kept1, m,
                              PARAM_NORM1, layer, N);
    return OK;
}

enum status transformer_backward(float *grad, const struct activations *a,
                                 const struct model *m, const struct pack *pack,
                                 const float *dhidden, struct arena *arena,
                                 struct err *err)
{
    const struct model_config *c = &m->config;
    struct backward b;

    assert(a->keep && a->N == pack->N);
    TRY(backward_place(&b, m, pack, arena, err));
    memset(b.dx, 0, pack->N * c->C * sizeof *b.dx);
    variant_norm_backward(b.dx, grad, dhidden, a->last, a->last_kept, m,
                          PARAM_NORM, 0, pack->N);
    for (size_t l = c->L; l-- > 0;) {
        TRY(layer_backward(grad, &b, &a->layer[l], m, l, pack, err));
        if (a->on_layer != NULL)
            a->on_layer(a->on_layer_ctx, l);
    }
    variant_embed_backward(grad, b.dx, m, pack);
    return OK;
}

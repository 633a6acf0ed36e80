#include "model/transformer_internal.h"

#include <assert.h>
#include <string.h>

#include "model/linear.h"
#include "model/variant.h"
#include "nn/attention.h"

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

/* How attention is to be done: over the pack, and perhaps with a cache. */
struct attend {
    const struct pack *pack;        // NULL: one decoding step
    const struct decode_step *step; // NULL: over a pack
    struct kv_cache *cache;         // NULL: none
    const size_t *source;           // prefill: which sequence a slot copies
    float *scratch;
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

/* Keys and values of row n to position t of a slot, in one layer. */
static void cache_store(struct kv_cache *cache, const struct model_config *c,
                        size_t layer, size_t slot, size_t t, const float *qkv)
{
    size_t width = c->G * c->D;
    size_t at = ((layer * cache->slots + slot) * cache->T + t) * width;

    memcpy(cache->key + at, qkv + c->H * c->D, width * sizeof(float));
    memcpy(cache->value + at, qkv + c->H * c->D + width, width * sizeof(float));
}

/* Keys and values of whole prompts to the slots that want them. */
static void cache_prompts(const struct attend *how,
                          const struct model_config *c, size_t layer,
                          const float *qkv)
{
    for (size_t i = 0; i < how->cache->slots; i++) {
        size_t begin = how->pack->start[how->source[i]];
        size_t end = how->pack->start[how->source[i] + 1];

        for (size_t n = begin; n < end; n++)
            cache_store(how->cache, c, layer, i, n - begin,
                        qkv + n * qkv_width(c));
    }
}

static void attend_forward(struct layer_activations *a,
                           const struct attend *how,
                           const struct model_config *c, size_t layer)
{
    const struct decode_step *step = how->step;
    struct kv_cache *cache = how->cache;

    if (step == NULL) {
        if (cache != NULL)
            cache_prompts(how, c, layer, a->qkv);
        attention_forward(a->attn, a->lse, a->qkv, how->pack, c->H, c->G, c->D,
                          how->scratch);
        return;
    }
    for (size_t b = 0; b < step->B; b++)
        cache_store(cache, c, layer, step->slot[b], (size_t)step->position[b],
                    a->qkv + b * qkv_width(c));
    size_t at = layer * cache->slots * cache->T * c->G * c->D;
    attention_decode(a->attn, a->qkv, cache->key + at, cache->value + at,
                     step->slot, step->len, step->B, cache->T, c->H, c->G, c->D,
                     how->scratch);
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

/* One layer: a->x to `out`, the next layer's x. */
static enum status layer_forward(float *out, struct layer_activations *a,
                                 const struct model *m, size_t layer, size_t N,
                                 const int32_t *position,
                                 const struct attend *how, float *scratch,
                                 struct err *err)
{
    const struct model_config *c = &m->config;

    variant_norm_forward(a->norm1, a->kept1, a->x, m, PARAM_NORM1, layer, N);
    /* q, k and v are neighbours, so one product makes all three. */
    TRY(project(a->qkv, a->norm1, m, PARAM_Q, layer, N, false, scratch, err));
    variant_qk_forward(a->qkv, a->kept_qk, m, layer, position, N);
    attend_forward(a, how, c, layer);
    TRY(residual_forward(a->mid, a->x, a->attn, m, PARAM_O, layer, N, scratch,
                         err));

    variant_norm_forward(a->norm2, a->kept2, a->mid, m, PARAM_NORM2, layer, N);
    TRY(project(a->up, a->norm2, m, PARAM_GATE, layer, N, false, scratch, err));
    variant_act_forward(a->act, a->up, c, N);
    return residual_forward(out, a->mid, a->act, m, PARAM_DOWN, layer, N,
                            scratch, err);
}

static enum status check_tokens(const int32_t *token, const int32_t *position,
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

static enum status trunk_forward(struct activations *a, const struct model *m,
                                 const int32_t *token, const int32_t *position,
                                 size_t N, const struct attend *how,
                                 struct err *err)
{
    const struct model_config *c = &m->config;

    TRY(check_tokens(token, position, N, c, err));
    variant_embed_forward(a->layer[0].x, m, token, position, N);
    for (size_t l = 0; l < c->L; l++)
        TRY(layer_forward(l + 1 < c->L ? a->layer[l + 1].x : a->last,
                          &a->layer[l], m, l, N, position, how, a->adapter,
                          err));
    variant_norm_forward(a->hidden, a->last_kept, a->last, m, PARAM_NORM, 0, N);
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
    struct attend how = {.pack = pack};

    assert(a->N == pack->N);
    TRY(scratch_place(&how.scratch, pack, m->config.D, arena, err));
    return trunk_forward(a, m, pack->token, pack->position, pack->N, &how, err);
}

enum status transformer_cache_place(struct kv_cache *out,
                                    const struct model_config *c, size_t slots,
                                    size_t T, struct arena *arena,
                                    struct err *err)
{
    struct kv_cache cache = {.slots = slots, .T = T};
    size_t row = c->G * c->D;

    /* L * G*D <= 2^24 and T <= 2^20 (config.h), so only the number of slots
     * can make the product overflow. */
    if (slots > PACK_TOKENS_MAX / c->T_max)
        return err_set(err, ERR_LIMIT,
                       "%zu sequences at once over %zu positions", slots,
                       c->T_max);
    TRY(ARENA_NEW(arena, cache.key, c->L * slots * T * row, err));
    TRY(ARENA_NEW(arena, cache.value, c->L * slots * T * row, err));
    TRY(ARENA_NEW(arena, cache.scratch, attention_scratch(T, c->D), err));
    *out = cache;
    return OK;
}

enum status transformer_prefill(struct activations *a, const struct model *m,
                                const struct pack *pack, struct kv_cache *cache,
                                const size_t *source, struct arena *arena,
                                struct err *err)
{
    struct attend how = {.pack = pack, .cache = cache, .source = source};

    assert(a->N == pack->N);
    TRY(scratch_place(&how.scratch, pack, m->config.D, arena, err));
    return trunk_forward(a, m, pack->token, pack->position, pack->N, &how, err);
}

enum status transformer_decode(struct activations *a, const struct model *m,
                               const struct decode_step *step,
                               struct kv_cache *cache, struct err *err)
{
    struct attend how = {
        .step = step, .cache = cache, .scratch = cache->scratch};

    assert(!a->keep && step->B <= a->N);
    return trunk_forward(a, m, step->token, step->position, step->B, &how, err);
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

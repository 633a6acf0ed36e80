#include "model/params.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A side of a tensor, by name; side_length() knows the numbers. */
enum side {
    SIDE_ONE,
    SIDE_V,
    SIDE_C,
    SIDE_F,
    SIDE_QUERY,
    SIDE_KEY
};

/* Which models have a tensor. */
enum presence {
    IN_ALL,
    IN_UNTIED_LM,
    IN_SCORE
};

/* Rules for the deviation of initial weights; init_sd() knows the numbers. */
enum init {
    INIT_ONES,
    INIT_EMBED,
    INIT_IN,
    INIT_OUT,
    INIT_HEAD,
    INIT_SCORE
};

struct row {
    const char *name; // the part after the layer's prefix, if per layer
    bool per_layer;
    bool is_vector;
    enum side rows, cols;
    enum presence presence;
    bool decay;
    enum init init;
};

/*
 * The table.  Its order is the order in memory: what stands before the first
 * per-layer row, then layer after layer, then the rest.  Q, K, V and GATE, UP
 * must stay neighbours (params.h).
 */
static const struct row table[PARAM_KINDS] = {
    [PARAM_EMBED] = {"model.embed_tokens.weight", false, false, SIDE_V, SIDE_C,
                     IN_ALL, true, INIT_EMBED},
    [PARAM_NORM1] = {"input_layernorm.weight", true, true, SIDE_ONE, SIDE_C,
                     IN_ALL, false, INIT_ONES},
    [PARAM_Q] = {"self_attn.q_proj.weight", true, false, SIDE_QUERY, SIDE_C,
                 IN_ALL, true, INIT_IN},
    [PARAM_K] = {"self_attn.k_proj.weight", true, false, SIDE_KEY, SIDE_C,
                 IN_ALL, true, INIT_IN},
    [PARAM_V] = {"self_attn.v_proj.weight", true, false, SIDE_KEY, SIDE_C,
                 IN_ALL, true, INIT_IN},
    [PARAM_O] = {"self_attn.o_proj.weight", true, false, SIDE_C, SIDE_QUERY,
                 IN_ALL, true, INIT_OUT},
    [PARAM_NORM2] = {"post_attention_layernorm.weight", true, true, SIDE_ONE,
                     SIDE_C, IN_ALL, false, INIT_ONES},
    [PARAM_GATE] = {"mlp.gate_proj.weight", true, false, SIDE_F, SIDE_C, IN_ALL,
                    true, INIT_IN},
    [PARAM_UP] = {"mlp.up_proj.weight", true, false, SIDE_F, SIDE_C, IN_ALL,
                  true, INIT_IN},
    [PARAM_DOWN] = {"mlp.down_proj.weight", true, false, SIDE_C, SIDE_F, IN_ALL,
                    true, INIT_OUT},
    [PARAM_NORM] = {"model.norm.weight", false, true, SIDE_ONE, SIDE_C, IN_ALL,
                    false, INIT_ONES},
    [PARAM_HEAD] = {"lm_head.weight", false, false, SIDE_V, SIDE_C,
                    IN_UNTIED_LM, true, INIT_HEAD},
    [PARAM_SCORE] = {"score.weight", false, false, SIDE_ONE, SIDE_C, IN_SCORE,
                     true, INIT_SCORE},
};

static size_t side_length(const struct model_config *c, enum side side)
{
    switch (side) {
    case SIDE_V:
        return c->V;
    case SIDE_C:
        return c->C;
    case SIDE_F:
        return c->F;
    case SIDE_QUERY:
        return c->H * c->D;
    case SIDE_KEY:
        return c->G * c->D;
    case SIDE_ONE:
        break;
    }
    return 1;
}

/* The tables of the support desk's world are learnt from a cold start: the
 * input embedding is wide, the output embedding narrow so that the first
 * distribution is nearly uniform.  A tied embedding has to serve as both and
 * takes the narrow one. */
static double init_sd(const struct model_config *c, const struct row *r)
{
    /* A product with such weights keeps the variance of what goes in. */
    double even = 1 / sqrt((double)side_length(c, r->cols));

    switch (r->init) {
    case INIT_EMBED:
        return c->tied && c->head == HEAD_LM ? 0.08 : 0.64;
    case INIT_IN:
        return even;
    case INIT_OUT:
        return even / sqrt(2 * (double)c->L);
    case INIT_HEAD:
        return 0.08;
    case INIT_SCORE:
        return 0.02;
    case INIT_ONES:
        break;
    }
    return -1;
}

static bool is_present(const struct model_config *c, const struct row *r)
{
    switch (r->presence) {
    case IN_UNTIED_LM:
        return c->head == HEAD_LM && !c->tied;
    case IN_SCORE:
        return c->head == HEAD_SCORE;
    case IN_ALL:
        break;
    }
    return true;
}

static size_t tensor_size(const struct model_config *c, enum param kind)
{
    const struct row *r = &table[kind];

    if (!is_present(c, r))
        return 0;
    return side_length(c, r->rows) * side_length(c, r->cols);
}

/* Floats of one layer's tensors that stand before `end`. */
static size_t layer_size(const struct model_config *c, enum param end)
{
    size_t size = 0;

    for (enum param kind = 0; kind < end; kind++)
        if (table[kind].per_layer)
            size += tensor_size(c, kind);
    return size;
}

/* Where a tensor starts; PARAM_KINDS gives the end of all. */
static size_t tensor_offset(const struct model_config *c, enum param kind,
                            size_t layer)
{
    size_t offset = 0;
    bool has_layers_before = false;

    for (enum param k = 0; k < kind; k++) {
        if (!table[k].per_layer)
            offset += tensor_size(c, k);
        else
            has_layers_before = true;
    }
    if (kind < PARAM_KINDS && table[kind].per_layer)
        return offset + layer * layer_size(c, PARAM_KINDS) +
               layer_size(c, kind);
    if (has_layers_before)
        offset += c->L * layer_size(c, PARAM_KINDS);
    return offset;
}

size_t params_count(const struct model_config *c)
{
    return tensor_offset(c, PARAM_KINDS, 0);
}

size_t params_offset(const struct model_config *c, enum param kind,
                     size_t layer)
{
    assert(kind < PARAM_KINDS && is_present(c, &table[kind]));
    assert(layer < (table[kind].per_layer ? c->L : 1));
    return tensor_offset(c, kind, layer);
}

void params_sides(size_t *rows, size_t *cols, const struct model_config *c,
                  enum param kind)
{
    *rows = side_length(c, table[kind].rows);
    *cols = side_length(c, table[kind].cols);
}

void params_module(char *out, size_t room, const struct model_config *c,
                   enum param kind, size_t layer)
{
    static const char end[] = ".weight";
    const char *name = table[kind].name;
    int n = (int)(strlen(name) - (sizeof end - 1));

    (void)c;
    if (table[kind].per_layer)
        (void)snprintf(out, room, "model.layers.%zu.%.*s", layer, n, name);
    else
        (void)snprintf(out, room, "%.*s", n, name);
}

size_t params_tensors(const struct model_config *c)
{
    size_t n = 0;

    for (enum param kind = 0; kind < PARAM_KINDS; kind++)
        if (is_present(c, &table[kind]))
            n += table[kind].per_layer ? c->L : 1;
    return n;
}

/* Kind and layer of the i-th tensor in layout order. */
static void locate(const struct model_config *c, size_t i, enum param *kind,
                   size_t *layer)
{
    enum param first = 0;
    size_t per_layer = 0;

    while (!table[first].per_layer)
        first++;
    for (enum param k = first; k < PARAM_KINDS && table[k].per_layer; k++)
        per_layer++;

    *layer = 0;
    if (i < first) {
        *kind = (enum param)i;
        return;
    }
    i -= first;
    if (i < per_layer * c->L) {
        *layer = i / per_layer;
        *kind = (enum param)(first + i % per_layer);
        return;
    }
    i -= per_layer * c->L;
    for (*kind = (enum param)(first + per_layer); *kind < PARAM_KINDS;
         (*kind)++)
        if (is_present(c, &table[*kind]) && i-- == 0)
            return;
    assert(false && "tensor index out of range");
}

struct param_view params_view(const struct model_config *c, size_t i)
{
    struct param_view view = {0};
    const struct row *r;

    assert(i < params_tensors(c));
    locate(c, i, &view.kind, &view.layer);
    r = &table[view.kind];
    if (r->per_layer)
        (void)snprintf(view.name, sizeof view.name, "model.layers.%zu.%s",
                       view.layer, r->name);
    else
        (void)snprintf(view.name, sizeof view.name, "%s", r->name);
    view.rows = side_length(c, r->rows);
    view.cols = side_length(c, r->cols);
    view.is_vector = r->is_vector;
    view.decay = r->decay;
    view.init_sd = init_sd(c, r);
    view.offset = tensor_offset(c, view.kind, view.layer);
    return view;
}

void params_init(float *params, const struct model_config *c, uint64_t seed)
{
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_view view = params_view(c, i);
        float *w = params + view.offset;
        size_t n = view.rows * view.cols;
        struct rng rng;

        rng_init(&rng, seed, RNG_INIT, (uint32_t)view.kind,
                 (uint32_t)view.layer);
        for (size_t j = 0; j < n; j++)
            w[j] = view.init_sd < 0 ? 1.0f
                                    : (float)(view.init_sd * rng_normal(&rng));
    }
}

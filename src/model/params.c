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
    SIDE_D,
    SIDE_F,
    SIDE_T,
    SIDE_QUERY,
    SIDE_KEY
};

/* Which models have a tensor; params_has() knows what to look at. */
enum presence {
    IN_ALL,
    IN_UNTIED_LM,
    IN_SCORE,
    IN_LEARNED,
    IN_LAYERNORM,
    IN_SWIGLU,
    IN_QKV_BIAS,
    IN_O_BIAS,
    IN_OUT_BIAS,
    IN_HEAD_NORM
};

/* Rules for the deviation of initial weights; init_sd() knows the numbers. */
enum init {
    INIT_ONES,
    INIT_ZEROS,
    INIT_EMBED,
    INIT_IN,
    INIT_OUT,
    INIT_HEAD,
    INIT_SCORE
};

struct row {
    enum param kind;
    enum side rows, cols;
    enum presence presence;
    enum init init;
    bool per_layer;
    bool is_vector;
    bool decay;
};

/*
 * The table.  Its order is the order in memory: what stands before the first
 * per-layer row, then layer after layer, then the rest.  Q, K, V and their
 * biases and GATE, UP must stay neighbours (params.h); a model under a score
 * head is the language model up to the heads.
 */
static const struct row table[PARAM_KINDS] = {
    {PARAM_EMBED, SIDE_V, SIDE_C, IN_ALL, INIT_EMBED, false, false, true},
    {PARAM_POSITION, SIDE_T, SIDE_C, IN_LEARNED, INIT_EMBED, false, false,
     true},
    {PARAM_NORM1, SIDE_ONE, SIDE_C, IN_ALL, INIT_ONES, true, true, false},
    {PARAM_NORM1_BIAS, SIDE_ONE, SIDE_C, IN_LAYERNORM, INIT_ZEROS, true, true,
     false},
    {PARAM_Q, SIDE_QUERY, SIDE_C, IN_ALL, INIT_IN, true, false, true},
    {PARAM_K, SIDE_KEY, SIDE_C, IN_ALL, INIT_IN, true, false, true},
    {PARAM_V, SIDE_KEY, SIDE_C, IN_ALL, INIT_IN, true, false, true},
    {PARAM_Q_BIAS, SIDE_ONE, SIDE_QUERY, IN_QKV_BIAS, INIT_ZEROS, true, true,
     false},
    {PARAM_K_BIAS, SIDE_ONE, SIDE_KEY, IN_QKV_BIAS, INIT_ZEROS, true, true,
     false},
    {PARAM_V_BIAS, SIDE_ONE, SIDE_KEY, IN_QKV_BIAS, INIT_ZEROS, true, true,
     false},
    {PARAM_Q_NORM, SIDE_ONE, SIDE_D, IN_HEAD_NORM, INIT_ONES, true, true,
     false},
    {PARAM_K_NORM, SIDE_ONE, SIDE_D, IN_HEAD_NORM, INIT_ONES, true, true,
     false},
    {PARAM_O, SIDE_C, SIDE_QUERY, IN_ALL, INIT_OUT, true, false, true},
    {PARAM_O_BIAS, SIDE_ONE, SIDE_C, IN_O_BIAS, INIT_ZEROS, true, true, false},
    {PARAM_NORM2, SIDE_ONE, SIDE_C, IN_ALL, INIT_ONES, true, true, false},
    {PARAM_NORM2_BIAS, SIDE_ONE, SIDE_C, IN_LAYERNORM, INIT_ZEROS, true, true,
     false},
    {PARAM_GATE, SIDE_F, SIDE_C, IN_SWIGLU, INIT_IN, true, false, true},
    {PARAM_UP, SIDE_F, SIDE_C, IN_ALL, INIT_IN, true, false, true},
    {PARAM_UP_BIAS, SIDE_ONE, SIDE_F, IN_OUT_BIAS, INIT_ZEROS, true, true,
     false},
    {PARAM_DOWN, SIDE_C, SIDE_F, IN_ALL, INIT_OUT, true, false, true},
    {PARAM_DOWN_BIAS, SIDE_ONE, SIDE_C, IN_OUT_BIAS, INIT_ZEROS, true, true,
     false},
    {PARAM_NORM, SIDE_ONE, SIDE_C, IN_ALL, INIT_ONES, false, true, false},
    {PARAM_NORM_BIAS, SIDE_ONE, SIDE_C, IN_LAYERNORM, INIT_ZEROS, false, true,
     false},
    {PARAM_HEAD, SIDE_V, SIDE_C, IN_UNTIED_LM, INIT_HEAD, false, false, true},
    {PARAM_SCORE, SIDE_ONE, SIDE_C, IN_SCORE, INIT_SCORE, false, false, true},
};

static const struct row *row_of(enum param kind)
{
    size_t i = 0;

    while (table[i].kind != kind)
        i++;
    return &table[i];
}

static size_t side_length(const struct model_config *c, enum side side)
{
    switch (side) {
    case SIDE_V:
        return c->V;
    case SIDE_C:
        return c->C;
    case SIDE_D:
        return c->D;
    case SIDE_F:
        return c->F;
    case SIDE_T:
        return c->T_max;
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
    case INIT_ZEROS:
        return 0;
    case INIT_ONES:
        break;
    }
    return -1;
}

static bool is_present(const struct model_config *c, const struct row *r)
{
    const struct arch *arch = arch_get(c->arch);

    switch (r->presence) {
    case IN_UNTIED_LM:
        return c->head == HEAD_LM && !c->tied;
    case IN_SCORE:
        return c->head == HEAD_SCORE;
    case IN_LEARNED:
        return arch->is_learned;
    case IN_LAYERNORM:
        return arch->is_layernorm;
    case IN_SWIGLU:
        return !arch->is_gelu;
    case IN_QKV_BIAS:
        return arch->has_qkv_bias || c->attention_bias;
    case IN_O_BIAS:
        return arch->has_out_bias || c->attention_bias;
    case IN_OUT_BIAS:
        return arch->has_out_bias;
    case IN_HEAD_NORM:
        return arch->has_head_norm;
    case IN_ALL:
        break;
    }
    return true;
}

bool params_has(const struct model_config *c, enum param kind)
{
    return is_present(c, row_of(kind));
}

/* Which tensors a layout is of. */
enum layout {
    LAYOUT_ALL,
    LAYOUT_REST // without the matrices of products
};

bool params_is_product(enum param kind)
{
    return kind == PARAM_EMBED || kind == PARAM_HEAD || kind == PARAM_Q ||
           kind == PARAM_K || kind == PARAM_V || kind == PARAM_O ||
           kind == PARAM_GATE || kind == PARAM_UP || kind == PARAM_DOWN;
}

static size_t tensor_size(const struct model_config *c, const struct row *r,
                          enum layout of)
{
    if (!is_present(c, r) || (of == LAYOUT_REST && params_is_product(r->kind)))
        return 0;
    return side_length(c, r->rows) * side_length(c, r->cols);
}

/* Floats of one layer's tensors that stand before `end` in the table. */
static size_t layer_size(const struct model_config *c, size_t end,
                         enum layout of)
{
    size_t size = 0;

    for (size_t i = 0; i < end; i++)
        if (table[i].per_layer)
            size += tensor_size(c, &table[i], of);
    return size;
}

/* Where row `row` of the table starts; PARAM_KINDS gives the end of all. */
static size_t tensor_offset(const struct model_config *c, size_t row,
                            size_t layer, enum layout of)
{
    size_t offset = 0;
    bool has_layers_before = false;

    for (size_t i = 0; i < row; i++) {
        if (!table[i].per_layer)
            offset += tensor_size(c, &table[i], of);
        else
            has_layers_before = true;
    }
    if (row < PARAM_KINDS && table[row].per_layer)
        return offset + layer * layer_size(c, PARAM_KINDS, of) +
               layer_size(c, row, of);
    if (has_layers_before)
        offset += c->L * layer_size(c, PARAM_KINDS, of);
    return offset;
}

size_t params_count(const struct model_config *c)
{
    return tensor_offset(c, PARAM_KINDS, 0, LAYOUT_ALL);
}

size_t params_rest_count(const struct model_config *c)
{
    return tensor_offset(c, PARAM_KINDS, 0, LAYOUT_REST);
}

static size_t checked_offset(const struct model_config *c, enum param kind,
                             size_t layer, enum layout of)
{
    const struct row *r = row_of(kind);

    assert(is_present(c, r));
    assert(layer < (r->per_layer ? c->L : 1));
    return tensor_offset(c, (size_t)(r - table), layer, of);
}

size_t params_offset(const struct model_config *c, enum param kind,
                     size_t layer)
{
    return checked_offset(c, kind, layer, LAYOUT_ALL);
}

size_t params_rest_offset(const struct model_config *c, enum param kind,
                          size_t layer)
{
    assert(!params_is_product(kind));
    return checked_offset(c, kind, layer, LAYOUT_REST);
}

void params_sides(size_t *rows, size_t *cols, const struct model_config *c,
                  enum param kind)
{
    const struct row *r = row_of(kind);

    *rows = side_length(c, r->rows);
    *cols = side_length(c, r->cols);
}

/* Hugging Face's name; the heads stand outside the trunk. */
static void name_hf(char *out, size_t room, const struct model_config *c,
                    const struct row *r, size_t layer)
{
    const struct arch_files *files = arch_get(c->arch)->files;
    const char *name = files->hf[r->kind];

    assert(name != NULL);
    if (r->per_layer)
        (void)snprintf(out, room, "%s%s.%zu.%s", files->trunk, files->layer,
                       layer, name);
    else if (r->kind == PARAM_HEAD || r->kind == PARAM_SCORE)
        (void)snprintf(out, room, "%s", name);
    else
        (void)snprintf(out, room, "%s%s", files->trunk, name);
}

void params_module(char *out, size_t room, const struct model_config *c,
                   enum param kind, size_t layer)
{
    static const char end[] = ".weight";
    size_t len;

    name_hf(out, room, c, row_of(kind), layer);
    len = strlen(out);
    assert(len >= sizeof end && strcmp(out + len - (sizeof end - 1), end) == 0);
    out[len - (sizeof end - 1)] = '\0';
}

size_t params_tensors(const struct model_config *c)
{
    size_t n = 0;

    for (size_t i = 0; i < PARAM_KINDS; i++)
        if (is_present(c, &table[i]))
            n += table[i].per_layer ? c->L : 1;
    return n;
}

/* Row of the table and layer of the i-th tensor in layout order. */
static const struct row *locate(const struct model_config *c, size_t i,
                                size_t *layer)
{
    size_t first = 0, last, per_layer = 0, row;

    while (!table[first].per_layer)
        first++;
    for (last = first; last < PARAM_KINDS && table[last].per_layer; last++)
        per_layer += is_present(c, &table[last]);

    *layer = 0;
    for (row = 0; row < first; row++)
        if (is_present(c, &table[row]) && i-- == 0)
            return &table[row];
    if (i < per_layer * c->L) {
        *layer = i / per_layer;
        i %= per_layer;
    } else {
        i -= per_layer * c->L;
        row = last;
    }
    while (!is_present(c, &table[row]) || i-- > 0)
        row++;
    assert(row < PARAM_KINDS);
    return &table[row];
}

struct param_view params_view(const struct model_config *c, size_t i)
{
    struct param_view view = {0};
    const struct row *r;

    assert(i < params_tensors(c));
    r = locate(c, i, &view.layer);
    view.kind = r->kind;
    name_hf(view.name, sizeof view.name, c, r, view.layer);
    view.rows = side_length(c, r->rows);
    view.cols = side_length(c, r->cols);
    view.is_vector = r->is_vector;
    view.decay = r->decay;
    view.init_sd = init_sd(c, r);
    view.offset = tensor_offset(c, (size_t)(r - table), view.layer, LAYOUT_ALL);
    return view;
}

/* ---- files -------------------------------------------------------------- */

static bool is_projection(enum param kind)
{
    return kind == PARAM_Q || kind == PARAM_K || kind == PARAM_V ||
           kind == PARAM_O || kind == PARAM_GATE || kind == PARAM_UP ||
           kind == PARAM_DOWN;
}

/* The dimension whose key a side comes from. */
static enum arch_dim side_dim(enum side side)
{
    switch (side) {
    case SIDE_V:
        return DIM_V;
    case SIDE_D:
        return DIM_D;
    case SIDE_F:
        return DIM_F;
    case SIDE_T:
        return DIM_T;
    case SIDE_QUERY:
        return DIM_H;
    case SIDE_KEY:
        return DIM_G;
    case SIDE_ONE:
    case SIDE_C:
        break;
    }
    return DIM_C;
}

/* What both kinds of files share; false for what a fused tensor holds. */
static bool file_of(struct param_file *out, struct param_view *view,
                    const struct model_config *c, size_t i)
{
    size_t q = c->H * c->D, k = c->G * c->D;
    bool is_q, is_q_bias;

    *view = params_view(c, i);
    *out = (struct param_file){
        .offset = view->offset,
        .rows = view->rows,
        .cols = view->cols,
        .is_vector = view->is_vector,
        .row = side_dim(row_of(view->kind)->rows),
        .col = side_dim(row_of(view->kind)->cols),
    };
    if (!arch_get(c->arch)->files->is_fused)
        return true;
    is_q = view->kind == PARAM_Q;
    is_q_bias = view->kind == PARAM_Q_BIAS;
    if (is_q)
        out->rows = q + 2 * k;
    if (is_q_bias)
        out->cols = q + 2 * k;
    return view->kind != PARAM_K && view->kind != PARAM_V &&
           view->kind != PARAM_K_BIAS && view->kind != PARAM_V_BIAS;
}

bool params_file_hf(struct param_file *out, const struct model_config *c,
                    size_t i)
{
    struct param_view view;
    bool is_own = file_of(out, &view, c, i);

    memcpy(out->name, view.name, sizeof out->name);
    out->is_transposed =
        arch_get(c->arch)->files->is_conv1d && is_projection(view.kind);
    return is_own;
}

bool params_file_gguf(struct param_file *out, const struct model_config *c,
                      size_t i)
{
    const struct arch *arch = arch_get(c->arch);
    struct param_view view;
    bool is_own = file_of(out, &view, c, i);
    const char *name = arch->files->gguf[view.kind];

    /* A score head has no name there. */
    if (name == NULL)
        return false;
    if (row_of(view.kind)->per_layer)
        (void)snprintf(out->name, sizeof out->name, "blk.%zu.%s", view.layer,
                       name);
    else
        (void)snprintf(out->name, sizeof out->name, "%s", name);
    if (arch->is_gguf_permuted) {
        if (view.kind == PARAM_Q || view.kind == PARAM_Q_BIAS)
            out->permuted = c->H;
        if (view.kind == PARAM_K || view.kind == PARAM_K_BIAS)
            out->permuted = c->G;
    }
    return is_own;
}

size_t params_file_row(const struct param_file *f, size_t row)
{
    size_t D, at;

    assert(!f->is_transposed);
    if (f->permuted == 0)
        return row;
    D = (f->is_vector ? f->cols : f->rows) / f->permuted;
    at = row % D;
    return row - at + at % 2 * (D / 2) + at / 2;
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
                   : view.init_sd == 0
                       ? 0.0f
                       : (float)(view.init_sd * rng_normal(&rng));
    }
}

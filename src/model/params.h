/*
 * params.h - THE parameter table: name, shape, decay and initial deviation of
 * every tensor, once.  Offsets, checkpoint names, optimiser groups and test
 * labels all come from it.
 *
 * All parameters of a model are one array of `params_count` floats.  Gradients
 * and both Adam moments are arrays of the same layout, so an optimiser or a
 * reduction is one flat loop.  Within a layer q, k and v lie one after the
 * other, and so do gate and up: [q;k;v] is one matrix [(H+2G)*D, C] and
 * [gate;up] one matrix [2F, C], each a single product.
 */
#ifndef PLUMB_MODEL_PARAMS_H
#define PLUMB_MODEL_PARAMS_H

#include "base/rng.h"
#include "model/config.h"

enum param {
    PARAM_EMBED, // [V,C]
    PARAM_NORM1, // [C]    per layer, before attention
    PARAM_Q,     // [H*D,C]
    PARAM_K,     // [G*D,C]
    PARAM_V,     // [G*D,C]
    PARAM_O,     // [C,H*D]
    PARAM_NORM2, // [C]    per layer, before the feed-forward
    PARAM_GATE,  // [F,C]
    PARAM_UP,    // [F,C]
    PARAM_DOWN,  // [C,F]
    PARAM_NORM,  // [C]    after the last layer
    PARAM_HEAD,  // [V,C]  only HEAD_LM and not tied
    PARAM_SCORE, // [1,C]  only HEAD_SCORE
    PARAM_KINDS
};

/* One tensor of a model, as an iterator sees it. */
struct param_view {
    enum param kind;
    bool is_vector;
    bool decay; // weight decay applies (matrices, not norms)
    size_t layer;
    char name[128];    // Hugging Face's, e.g. model.layers.0.mlp.up_proj.weight
    size_t rows, cols; // a vector has rows == 1 and is 1-D in files
    double init_sd;    // deviation of the initial normal; < 0: all ones
    size_t offset;     // into the flat array
};

/* Floats in all parameters of a model of this shape. */
size_t params_count(const struct model_config *c);

/* Tensors in a model of this shape, and the i-th of them in layout order. */
size_t params_tensors(const struct model_config *c);
struct param_view params_view(const struct model_config *c, size_t i);

/* The path of a tensor without ".weight": model.layers.0.mlp.up_proj. */
void params_module(char *out, size_t room, const struct model_config *c,
                   enum param kind, size_t layer);

/* Rows and columns of a tensor. */
void params_sides(size_t *rows, size_t *cols, const struct model_config *c,
                  enum param kind);

/* Offset of a tensor; the shape must have it (assert). */
size_t params_offset(const struct model_config *c, enum param kind,
                     size_t layer);

/*
 * Initial weights, each tensor from its own random stream.  Deviations as the
 * support desk needs them (docs/world.md): input embedding 0.64, output
 * embedding 0.08, projections 1/sqrt(columns), those that feed the residual
 * stream divided by sqrt(2L) as well, score head 0.02.
 */
void params_init(float *params, const struct model_config *c, uint64_t seed);

#endif

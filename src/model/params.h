/*
 * params.h - THE parameter table: name, shape, decay and initial deviation of
 * every tensor, once.  Offsets, checkpoint names, optimiser groups and test
 * labels all come from it.
 *
 * All parameters of a model are one array of `params_count` floats.  Gradients
 * and both Adam moments are arrays of the same layout, so an optimiser or a
 * reduction is one flat loop.  Within a layer q, k and v lie one after the
 * other, and so do gate and up: [q;k;v] is one matrix [(H+2G)*D, C] and
 * [gate;up] one matrix [2F, C], each a single product; the biases of q, k and
 * v are one vector.  Which tensors there are, and what files call them, comes
 * from model/arch.h.
 */
#ifndef PLUMB_MODEL_PARAMS_H
#define PLUMB_MODEL_PARAMS_H

#include "base/rng.h"
#include "model/config.h"

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

/* Does a model of this shape have such tensors? */
bool params_has(const struct model_config *c, enum param kind);

/* The path of a tensor without ".weight": model.layers.0.mlp.up_proj. */
void params_module(char *out, size_t room, const struct model_config *c,
                   enum param kind, size_t layer);

/* Rows and columns of a tensor. */
void params_sides(size_t *rows, size_t *cols, const struct model_config *c,
                  enum param kind);

/*
 * A tensor of a file, which may be several of ours: where q, k and v are one
 * in the file, it is q that has the name, and rows of all three.
 */
struct param_file {
    char name[128];
    size_t offset; // into the flat array
    size_t rows, cols;
    bool is_vector;
    bool is_transposed;     // the file has [cols,rows]
    enum arch_dim row, col; // what the sides come from
    size_t permuted; // heads whose halves the file interleaves; 0: as we do
};

/* The i-th of params_tensors() in Hugging Face's or llama.cpp's files; false
 * when another one's entry covers it. */
bool params_file_hf(struct param_file *out, const struct model_config *c,
                    size_t i);
bool params_file_gguf(struct param_file *out, const struct model_config *c,
                      size_t i);

/*
 * Which of our rows a row of the file is (a vector has `cols` rows of one
 * value).  Within a head that the file interleaves it has channels i and
 * i + D/2, which turn together, side by side.  Not for transposed ones.
 */
size_t params_file_row(const struct param_file *f, size_t row);

/* Offset of a tensor; the shape must have it (assert). */
size_t params_offset(const struct model_config *c, enum param kind,
                     size_t layer);

/*
 * Of a frozen model the matrices that products read may be kept in bfloat16,
 * in the layout above.  All else - norms, biases, learned positions, the score
 * head - stays in float, in a small array of its own.
 */
bool params_is_product(enum param kind);
size_t params_rest_count(const struct model_config *c);
size_t params_rest_offset(const struct model_config *c, enum param kind,
                          size_t layer);

/*
 * Initial weights, each tensor from its own random stream.  Deviations as the
 * support desk needs them (docs/world.md): input embedding 0.64, output
 * embedding 0.08, projections 1/sqrt(columns), those that feed the residual
 * stream divided by sqrt(2L) as well, score head 0.02.
 */
void params_init(float *params, const struct model_config *c, uint64_t seed);

#endif

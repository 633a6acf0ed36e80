/*
 * transformer.h - the decoder: pre-norm, grouped-query attention, feed-forward,
 * residual stream.  For llama,
 *
 *     x = embed[token]
 *     for each layer:
 *         x = x + O attention(rope([q;k;v] rmsnorm1(x)))
 *         x = x + down swiglu([gate;up] rmsnorm2(x))
 *     hidden = rmsnorm(x)
 *
 * and what other architectures have in place of it is model/variant.h's.
 *
 * Heads (model/heads.h, nn/lmhead.h) read `hidden`.  All functions here run
 * inside one worker (base/parallel.h) on one pack of sequences.
 */
#ifndef PLUMB_MODEL_TRANSFORMER_H
#define PLUMB_MODEL_TRANSFORMER_H

#include "base/arena.h"
#include "model/model.h"
#include "nn/tensor.h"

/* What the backward pass needs from the forward pass of one pack. */
struct activations {
    size_t N;
    bool keep;                       // false: inference, only `hidden` survives
    float *hidden;                   // [N,C] after the last norm
    float *last;                     // [N,C] before it
    float *last_kept;                // of the last norm
    float *adapter;                  // scratch of the products' adapters
    struct layer_activations *layer; // [L]; they share memory without keep
    /* Told of each layer whose gradients the backward pass has added, from the
     * last to the first; NULL (activations_place): nobody is. */
    void (*on_layer)(void *ctx, size_t layer);
    void *on_layer_ctx;
};

/* Room for a pack of N tokens of this model from the arena. */
enum status activations_place(struct activations *a, const struct model *m,
                              size_t N, bool keep, struct arena *arena,
                              struct err *err) MUST_CHECK;

/* Fill `a`; a->N must be pack->N.  Tokens must lie in [0,V) and positions in
 * [0,T_max): ERR_MISMATCH otherwise.  Scratch comes from the arena. */
enum status transformer_forward(struct activations *a, const struct model *m,
                                const struct pack *pack, struct arena *arena,
                                struct err *err) MUST_CHECK;

/* Add the gradient of sum(dhidden * hidden) to grad, laid out as
 * model_trainable().  What is frozen gets none. */
enum status transformer_backward(float *grad, const struct activations *a,
                                 const struct model *m, const struct pack *pack,
                                 const float *dhidden, struct arena *arena,
                                 struct err *err) MUST_CHECK;

#endif

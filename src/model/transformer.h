/*
 * transformer.h - the decoder: pre-norm RMSNorm, rotary grouped-query
 * attention, SwiGLU, residual stream.
 *
 *     x = embed[token]
 *     for each layer:
 *         x = x + O attention(rope([q;k;v] rmsnorm1(x)))
 *         x = x + down swiglu([gate;up] rmsnorm2(x))
 *     hidden = rmsnorm(x)
 *
 * Heads (model/heads.h, nn/lmhead.h) read `hidden`.  All functions here run
 * inside one worker (base/parallel.h) on one pack of sequences.
 */
#ifndef PLUMB_MODEL_TRANSFORMER_H
#define PLUMB_MODEL_TRANSFORMER_H

#include "base/arena.h"
#include "model/params.h"
#include "nn/lmhead.h"
#include "nn/tensor.h"

struct model {
    struct model_config config;
    float *params;   // [params_count]
    uint8_t *banned; // [V] tokens never sampled (suppress_tokens), or NULL
    float *rope;     // table for T_max positions
};

/* A model with uninitialised (zero) parameters; model_free() ends it. */
enum status model_create(struct model *out, const struct model_config *c,
                         struct err *err) MUST_CHECK;
void model_free(struct model *m);

/* A deep copy, with its own parameters. */
enum status model_clone(struct model *out, const struct model *m,
                        struct err *err) MUST_CHECK;

/*
 * The same trunk under a score head whose weights are all zero (a value model
 * from a reward model, a reward model from a language model: then the caller
 * sets the score weights).
 */
enum status model_clone_as_score(struct model *out, const struct model *m,
                                 struct err *err) MUST_CHECK;

/* The language-model head of m; asserts HEAD_LM. */
struct lmhead model_lmhead(const struct model *m, float temperature);

/* Where the gradient of that head's weight lies in a gradient array. */
float *model_lmhead_grad(const struct model *m, float *grad);

/* What the backward pass needs from the forward pass of one pack. */
struct activations {
    size_t N;
    bool keep;                       // false: inference, only `hidden` survives
    float *hidden;                   // [N,C] after the last norm
    float *last;                     // [N,C] before it
    float *last_rstd;                // [N]
    struct layer_activations *layer; // [L]; they share memory without keep
};

/* Room for a pack of N tokens from the arena. */
enum status activations_place(struct activations *a,
                              const struct model_config *c, size_t N, bool keep,
                              struct arena *arena, struct err *err) MUST_CHECK;

/* Fill `a`; a->N must be pack->N.  Tokens must lie in [0,V) and positions in
 * [0,T_max): ERR_MISMATCH otherwise.  Scratch comes from the arena. */
enum status transformer_forward(struct activations *a, const struct model *m,
                                const struct pack *pack, struct arena *arena,
                                struct err *err) MUST_CHECK;

/* Add the gradient of sum(dhidden * hidden) to grad [params_count]. */
enum status transformer_backward(float *grad, const struct activations *a,
                                 const struct model *m, const struct pack *pack,
                                 const float *dhidden, struct arena *arena,
                                 struct err *err) MUST_CHECK;

#endif

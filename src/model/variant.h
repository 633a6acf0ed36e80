/*
 * variant.h - the parts of a decoder in which architectures differ
 * (model/arch.h): norms, positions, the activation of the feed-forward.  Each
 * looks at the model's row and calls the kernels of nn/.
 *
 * `grad` is laid out as model_trainable(); what is frozen gets nothing.
 */
#ifndef PLUMB_MODEL_VARIANT_H
#define PLUMB_MODEL_VARIANT_H

#include "model/model.h"
#include "nn/tensor.h"

/* ---- norms: PARAM_NORM1, PARAM_NORM2 of a layer, PARAM_NORM -------------- */

/* Floats a norm keeps of N rows for its backward pass. */
size_t variant_norm_kept(const struct model_config *c, size_t N);

/* kept may be NULL in inference. */
void variant_norm_forward(float *out, float *kept, const float *x,
                          const struct model *m, enum param kind, size_t layer,
                          size_t N);
/* Adds to dx. */
void variant_norm_backward(float *dx, float *grad, const float *dout,
                           const float *x, const float *kept,
                           const struct model *m, enum param kind, size_t layer,
                           size_t N);

/* ---- from tokens and positions ------------------------------------------- */

/* x [N,C]: the embedding, plus that of the position where it is learned. */
void variant_embed_forward(float *x, const struct model *m,
                           const int32_t *token, const int32_t *position,
                           size_t N);
void variant_embed_backward(float *grad, const float *dx, const struct model *m,
                            const struct pack *pack);

/*
 * What becomes of queries and keys before attention, in place: their heads are
 * normed where the architecture has it, then turned by their positions where
 * those are rotary.  Backward turns dqkv into the gradient of what the product
 * gave.  kept may be NULL in inference.
 */
size_t variant_qk_kept(const struct model_config *c, size_t N);
void variant_qk_forward(float *qkv, float *kept, const struct model *m,
                        size_t layer, const int32_t *position, size_t N);
void variant_qk_backward(float *dqkv, float *grad, const float *kept,
                         const struct model *m, size_t layer,
                         const int32_t *position, size_t N);

/* ---- the feed-forward ---------------------------------------------------- */

/* Columns of its first product: gate and up, or up. */
size_t variant_up_width(const struct model_config *c);

/* out [N,F] from up [N,width]; backward SETS dup. */
void variant_act_forward(float *out, const float *up,
                         const struct model_config *c, size_t N);
void variant_act_backward(float *dup, const float *dout, const float *up,
                          const struct model_config *c, size_t N);

#endif

/*
 * linear.h - a model's products, frozen or trained, with their adapters.
 *
 *     y = x W^T + bias
 *       + sum over adapters  scale (x A^T) B^T  on columns of their own
 *
 * q, k and v are one product, gate and up another (model/params.h); each part
 * may have an adapter of its own, which adds to its columns of y.  Which
 * products have a bias is the architecture's (model/arch.h).  Run inside one
 * worker.
 */
#ifndef PLUMB_MODEL_LINEAR_H
#define PLUMB_MODEL_LINEAR_H

#include "model/model.h"
#include "nn/rowwise.h"

/* An adapter on columns first..first+M-1 of the output. */
struct linear_part {
    const float *A, *B; // [r,K], [M,r]
    size_t first, M;
    size_t at; // of A's gradient in a gradient array; B's follows
};

struct linear {
    struct weight weight; // [M,K]
    const float *bias;    // [M], or NULL
    size_t M, K;
    bool is_trained; // weight and bias themselves
    size_t at;       // of the weight's gradient, when it is trained
    size_t bias_at;  // of the bias's
    size_t rank;     // of every part
    float scale;
    struct linear_part part[3];
    size_t n_part;
};

/* The product that begins with parameter `first`: PARAM_Q (with k and v),
 * PARAM_O, PARAM_GATE (with up; without SwiGLU up alone) or PARAM_DOWN. */
struct linear linear_of(const struct model *m, enum param first, size_t layer);

/* Floats of scratch for N rows: nothing for a model in float without an
 * adapter. */
size_t linear_scratch(const struct model *m, size_t N);

/* y [N,M] = (or +=, if accumulate) the product of x [N,K]. */
enum status linear_forward(float *y, const float *x, const struct linear *l,
                           size_t N, bool accumulate, float *scratch,
                           struct err *err) MUST_CHECK;

/* The same where a row's bits may depend on nothing but that row
 * (nn/rowwise.h), with linear_rows_scratch() floats of scratch. */
size_t linear_rows_scratch(const struct model *m, size_t N);
void linear_rows(float *y, const float *x, const struct linear *l, size_t N,
                 bool accumulate, float *scratch, enum rowwise_level level);

/* SETS dx [N,K] (NULL: nobody wants it) and adds the trained parts' gradients
 * to grad. */
enum status linear_backward(float *dx, float *grad, const float *dy,
                            const float *x, const struct linear *l, size_t N,
                            float *scratch, struct err *err) MUST_CHECK;

#endif

/*
 * adamw.h - Adam with decoupled weight decay (Loshchilov and Hutter 2019).
 *
 *     m = b1 m + (1-b1) g            v = b2 v + (1-b2) g^2
 *     w -= lr * (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
 *     w -= lr * decay * w            (before the step above, on old w)
 *
 * eps stands outside the square root and after the bias correction, as in
 * PyTorch.  Element by element, so slices may go to different workers.
 * The twin is nn/adamw_ref.h.
 */
#ifndef PLUMB_NN_ADAMW_H
#define PLUMB_NN_ADAMW_H

#include <stdbool.h>

#include "nn/tensor.h"

struct adamw {
    double lr;
    double beta1, beta2, eps;
    double weight_decay;
    int64_t t;         // this update's number, from 1
    double grad_scale; // gradients are multiplied by this first (clipping)
};

/* Update n weights; weight decay is left out where decay is false. */
void adamw_update(float *restrict w, float *restrict m, float *restrict v,
                  const float *restrict g, size_t n, bool decay,
                  const struct adamw *a);

/* sum of squares, in double, of n gradients (for clipping by norm). */
double adamw_square_sum(const float *g, size_t n);

#endif

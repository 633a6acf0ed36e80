/*
 * layernorm.h - layer normalisation with a bias (Ba, Kiros and Hinton 2016).
 *
 *     mean[n] = mean_c x[n,c]
 *     rstd[n] = 1 / sqrt(mean_c (x[n,c] - mean[n])^2 + eps)
 *     out[n,c] = (x[n,c] - mean[n]) * rstd[n] * weight[c] + bias[c]
 *
 * Conventions in nn/tensor.h; cannot fail, allocates nothing.  Twins in
 * nn/layernorm_ref.h.
 */
#ifndef PLUMB_NN_LAYERNORM_H
#define PLUMB_NN_LAYERNORM_H

#include "nn/tensor.h"

/* mean and rstd [N] are kept for the backward pass; NULL in inference.
 * dweight and dbias may be NULL together: both are frozen. */
void layernorm_forward(float *restrict out, float *restrict mean,
                       float *restrict rstd, const float *restrict x,
                       const float *restrict weight, const float *restrict bias,
                       size_t N, size_t C, float eps);
void layernorm_backward(float *restrict dx, float *restrict dweight,
                        float *restrict dbias, const float *restrict dout,
                        const float *restrict x, const float *restrict weight,
                        const float *restrict mean, const float *restrict rstd,
                        size_t N, size_t C);

#endif

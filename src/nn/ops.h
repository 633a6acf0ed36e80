/*
 * ops.h - what stands between the matrix products: embeddings, RMSNorm,
 * SwiGLU, GELU, biases, sums.  Conventions in nn/tensor.h.  None of these can
 * fail or allocates; twins in nn/ops_ref.h.
 */
#ifndef PLUMB_NN_OPS_H
#define PLUMB_NN_OPS_H

#include <stdbool.h>

#include "nn/tensor.h"

/* weight_rows() (nn/weight.h) backwards: dtable[token[n],:] += dout[n,:]; table
 * [V,C], 0 <= token < V (the caller has checked). */
void embed_backward(float *restrict dtable, const float *restrict dout,
                    const int32_t *restrict token, size_t N, size_t C);

/* Learned positions, one row of table [T,C] for each:
 *     x[n,:] += table[position[n],:],  0 <= position < T
 * embed_backward() with positions for tokens is the way back. */
void position_forward(float *restrict x, const float *restrict table,
                      const int32_t *restrict position, size_t N, size_t C);

/*
 * Zhang and Sennrich 2019:
 *     rstd[n] = 1 / sqrt(mean_c x[n,c]^2 + eps)
 *     out[n,c] = x[n,c] * rstd[n] * weight[c]
 * rstd [N] is kept for the backward pass; it may be NULL in inference.  dweight
 * may be NULL: the weight is frozen.
 */
void rmsnorm_forward(float *restrict out, float *restrict rstd,
                     const float *restrict x, const float *restrict weight,
                     size_t N, size_t C, float eps);
void rmsnorm_backward(float *restrict dx, float *restrict dweight,
                      const float *restrict dout, const float *restrict x,
                      const float *restrict weight, const float *restrict rstd,
                      size_t N, size_t C);

/*
 * RMSNorm of each of a row's first `heads` heads by itself, in place, all with
 * one weight [D] (queries and keys of Qwen3).  Rows are `stride` floats apart.
 *   raw   out [N,heads,D]  x before, for the backward pass
 *   rstd  out [N,heads]
 * Both may be NULL in inference.  The backward pass turns dx, the gradient of
 * the normed heads, in place into that of the raw ones and adds to dweight
 * (NULL: the weight is frozen).
 */
void headnorm_forward(float *restrict x, float *restrict raw,
                      float *restrict rstd, const float *restrict weight,
                      size_t N, size_t stride, size_t heads, size_t D,
                      float eps);
void headnorm_backward(float *restrict dx, float *restrict dweight,
                       const float *restrict raw, const float *restrict weight,
                       const float *restrict rstd, size_t N, size_t stride,
                       size_t heads, size_t D);

/*
 * SwiGLU (Shazeer 2020): gate_up [N,2F] holds the gate in the first F columns
 * and the up projection in the rest.
 *     out[n,f] = silu(gate[n,f]) * up[n,f],  silu(z) = z / (1 + exp(-z))
 * backward SETS dgate_up.
 */
void swiglu_forward(float *restrict out, const float *restrict gate_up,
                    size_t N, size_t F);
void swiglu_backward(float *restrict dgate_up, const float *restrict dout,
                     const float *restrict gate_up, size_t N, size_t F);

/*
 * GELU (Hendrycks and Gimpel 2016) in the form with tanh, which is a sigmoid:
 *     out = x/2 (1 + tanh u) = x sigmoid(2u),
 *     u = sqrt(2/pi) (x + 0.044715 x^3)
 * over n values; backward SETS dx.
 */
void gelu_forward(float *restrict out, const float *restrict x, size_t n);
void gelu_backward(float *restrict dx, const float *restrict dout,
                   const float *restrict x, size_t n);

/* y[n,m] += bias[m] and, backwards, dbias[m] += sum_n dy[n,m] */
void bias_forward(float *restrict y, const float *restrict bias, size_t N,
                  size_t M);
void bias_backward(float *restrict dbias, const float *restrict dy, size_t N,
                   size_t M);

/* x[i] += y[i] */
void add_into(float *restrict x, const float *restrict y, size_t n);

#endif

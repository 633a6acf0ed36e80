/*
 * ops_ref.h - nn/ops.h in plain double loops, to be read first and tested
 * against.  Same names with _ref, same argument order, same meaning.
 */
#ifndef PLUMB_NN_OPS_REF_H
#define PLUMB_NN_OPS_REF_H

#include "nn/tensor.h"

/* Twin of weight_rows() on a table in float. */
void embed_forward_ref(double *out, const double *table, const int32_t *token,
                       size_t N, size_t C);
void embed_backward_ref(double *dtable, const double *dout,
                        const int32_t *token, size_t N, size_t C);

void position_forward_ref(double *x, const double *table,
                          const int32_t *position, size_t N, size_t C);

void rmsnorm_forward_ref(double *out, double *rstd, const double *x,
                         const double *weight, size_t N, size_t C, double eps);
void rmsnorm_backward_ref(double *dx, double *dweight, const double *dout,
                          const double *x, const double *weight,
                          const double *rstd, size_t N, size_t C);

void headnorm_forward_ref(double *x, double *raw, double *rstd,
                          const double *weight, size_t N, size_t stride,
                          size_t heads, size_t D, double eps);
void headnorm_backward_ref(double *dx, double *dweight, const double *raw,
                           const double *weight, const double *rstd, size_t N,
                           size_t stride, size_t heads, size_t D);

void swiglu_forward_ref(double *out, const double *gate_up, size_t N, size_t F);
void swiglu_backward_ref(double *dgate_up, const double *dout,
                         const double *gate_up, size_t N, size_t F);

void gelu_forward_ref(double *out, const double *x, size_t n);
void gelu_backward_ref(double *dx, const double *dout, const double *x,
                       size_t n);

void bias_forward_ref(double *y, const double *bias, size_t N, size_t M);
void bias_backward_ref(double *dbias, const double *dy, size_t N, size_t M);

#endif

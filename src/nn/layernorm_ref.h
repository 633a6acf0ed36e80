/*
 * layernorm_ref.h - nn/layernorm.h in plain double loops, to be read first and
 * tested against.  Same names with _ref, same argument order, same meaning.
 */
#ifndef PLUMB_NN_LAYERNORM_REF_H
#define PLUMB_NN_LAYERNORM_REF_H

#include "nn/tensor.h"

void layernorm_forward_ref(double *out, double *mean, double *rstd,
                           const double *x, const double *weight,
                           const double *bias, size_t N, size_t C, double eps);
void layernorm_backward_ref(double *dx, double *dweight, double *dbias,
                            const double *dout, const double *x,
                            const double *weight, const double *mean,
                            const double *rstd, size_t N, size_t C);

#endif

/*
 * attention_ref.h - nn/attention.h in plain double loops, to be read first and
 * tested against.  Same names with _ref, same argument order without scratch.
 */
#ifndef PLUMB_NN_ATTENTION_REF_H
#define PLUMB_NN_ATTENTION_REF_H

#include "nn/tensor.h"

void attention_forward_ref(double *out, double *lse, const double *qkv,
                           const struct pack *pack, size_t H, size_t G,
                           size_t D);

void attention_backward_ref(double *dqkv, const double *dout, const double *out,
                            const double *lse, const double *qkv,
                            const struct pack *pack, size_t H, size_t G,
                            size_t D);

#endif

/*
 * rowwise_internal.h - what the parts of nn/rowwise.h tell each other.
 */
#ifndef PLUMB_NN_ROWWISE_INTERNAL_H
#define PLUMB_NN_ROWWISE_INTERNAL_H

#include "nn/rowwise.h"

/* y[m,n] = z[n,m] (+ y[m,n] if accumulate) for M <= lanes rows of y, ldy floats
 * apart, and N columns: rowwise_turn() backwards.  z [N,lanes]. */
void rowwise_put_back(float *restrict y, size_t ldy, const float *restrict z,
                      size_t M, size_t N, size_t lanes, bool accumulate,
                      enum rowwise_level level);

#endif

/*
 * rowwise_internal.h - what the parts of nn/rowwise.h tell each other.
 */
#ifndef PLUMB_NN_ROWWISE_INTERNAL_H
#define PLUMB_NN_ROWWISE_INTERNAL_H

#include "nn/rowwise.h"

/* turned[K,lanes] becomes words of two bfloat16s, in place: rows k and k+1 row
 * k/2 of the words, the first of the two in the lower half, and zero behind K.
 */
void rowwise_pair(float *turned, size_t K, size_t lanes);

/* y[m,n] = z[n,m] (+ y[m,n] if accumulate) for M <= lanes rows of y, ldy floats
 * apart, and N columns: rowwise_turn() backwards.  z [N,lanes]. */
void rowwise_put_back(float *restrict y, size_t ldy, const float *restrict z,
                      size_t M, size_t N, size_t lanes, bool accumulate,
                      enum rowwise_level level);

#endif

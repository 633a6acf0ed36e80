/*
 * rope_ref.h - nn/rope.h in plain double loops, to be read first and tested
 * against.  Same names with _ref; rates are recomputed for every position.
 */
#ifndef PLUMB_NN_ROPE_REF_H
#define PLUMB_NN_ROPE_REF_H

#include <stdbool.h>

#include "nn/rope.h"

double rope_rate_ref(size_t i, size_t D, double theta,
                     const struct rope_stretch *stretch);
void rope_apply_ref(double *x, size_t stride, double theta,
                    const struct rope_stretch *stretch, const int32_t *position,
                    size_t N, size_t heads, size_t D, bool inverse);

#endif

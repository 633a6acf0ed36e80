/*
 * rope.h - rotary positions (Su et al. 2021) in the half-split form of Hugging
 * Face files: within a head, channel i < D/2 is paired with i + D/2 and turned
 * by the angle position * rate[i],
 *
 *     rate[i] = theta^(-2i/D), stretched as `struct rope_stretch` says.
 *
 * Conventions in nn/tensor.h; cannot fail, allocates nothing.  Twins in
 * nn/rope_ref.h.
 */
#ifndef PLUMB_NN_ROPE_H
#define PLUMB_NN_ROPE_H

#include <stdbool.h>

#include "nn/tensor.h"

enum rope_kind {
    ROPE_PLAIN,
    ROPE_LINEAR, // rate / factor: positions squeezed (Chen et al. 2023)
    ROPE_LLAMA3, // only slow turns are squeezed (Llama 3.1)
};

/*
 * How rates are stretched beyond the length a model was first trained on.
 * ROPE_LLAMA3, with turns = original * rate / (2 pi), the full turns a channel
 * makes over the original length:
 *
 *     turns < low    rate / factor
 *     turns > high   rate
 *     between        (1 - s) rate / factor + s rate,
 *                    s = (turns - low) / (high - low)
 */
struct rope_stretch {
    enum rope_kind kind;
    double factor;    // >= 1; LINEAR and LLAMA3
    double low, high; // low < high; LLAMA3
    double original;  // positions; LLAMA3
};

/* What turns heads of D channels; the arrays are the caller's. */
struct rope {
    size_t D;     // even, at most ROPE_D_MAX
    size_t T;     // positions in the table
    double *rate; // [D/2]
    float *table; // [T,D]
};

#define ROPE_D_MAX 1024

/* SET rate [D/2]. */
void rope_rates(double *rate, size_t D, double theta,
                const struct rope_stretch *stretch);

/* SET table [T,D] for positions 0..T-1: cos in the first D/2 columns, sin in
 * the rest; computed in double. */
void rope_table(float *table, const double *rate, size_t T, size_t D);

/*
 * Turn the first `heads` heads of each row in place; rows are `stride` floats
 * apart.  `inverse` turns back, which is also the backward pass, the map being
 * orthogonal.  A position past the table is computed as the table would have
 * been, at the cost of a sine and a cosine a channel.
 */
void rope_apply(float *restrict x, size_t stride, const struct rope *rope,
                const int32_t *restrict position, size_t N, size_t heads,
                bool inverse);

#endif

/*
 * ratio.h - how far apart two computations of a token's probability may lie
 * while the policy is one.
 *
 * The sampler, the pass over the rollout and the first update compute the same
 * numbers with sums in another order, so that the ratio of two of them is 1 but
 * for rounding.  By the largest |ratio - 1| over tokens a trainer with a fault
 * (another mask, temperature or template on one side) is told from arithmetic.
 *
 * Products of floats round each sum to 2^-24: 1e-5 were the largest of the
 * demo's 60 iterations.  Where products are in bfloat16 (nn/gemm16.h), a number
 * near the middle between two bfloat16s is rounded to either by sums in another
 * order, so that a pack of other sequences and the update agree to its 2^-8,
 * and every layer adds its own.  A sampler has each sum in another order.
 * There the largest were 0.016 and 0.037; of a model of 30 layers 0.17 is the
 * sampler's over 2048 tokens.
 *
 * The trainer stops at these bounds where it was given no gate of its own
 * (ppo.ratio_gate), and those who read its run judge it by them.
 */
#ifndef PLUMB_STAT_RATIO_H
#define PLUMB_STAT_RATIO_H

#include <stdbool.h>

/* On |ratio - 1|, which may be equal to them. */
struct ratio_bounds {
    double sampler; // of the sampler and the pass over the rollout
    double update;  // of two passes of training: rollout and first update
};

struct ratio_bounds ratio_bounds_of(bool is_bf16);

#endif

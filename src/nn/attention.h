/*
 * attention.h - causal grouped-query attention over packed sequences.
 *
 * qkv [N, (H+2G)*D]: each row holds H query heads, then G key heads, then G
 * value heads, rotary positions already applied.  Query head h reads key and
 * value head g = h / (H/G).  Within a sequence, for query row t and key rows
 * s <= t of the same sequence, all rows of its parent (tensor.h) included:
 *
 *     a[t,s] = q[t,h] . k[s,g] / sqrt(D)
 *     p[t,:] = softmax over s of a[t,:]
 *     out[t,h,:] = sum_s p[t,s] v[s,g,:]
 *     lse[t,h] = log sum_s exp(a[t,s])        (kept for the backward pass)
 *
 * Scores are never stored as a whole; the backward pass recomputes them from
 * lse.  Twins in nn/attention_ref.h.
 */
#ifndef PLUMB_NN_ATTENTION_H
#define PLUMB_NN_ATTENTION_H

#include "nn/tensor.h"

/* Floats of scratch for sequences of at most T tokens, the parent's counted in
 * (pack_longest). */
size_t attention_scratch(size_t T, size_t D);

/* out [N,H*D], lse [N,H] (NULL in inference); scratch as above. */
void attention_forward(float *restrict out, float *restrict lse,
                       const float *restrict qkv, const struct pack *pack,
                       size_t H, size_t G, size_t D, float *restrict scratch);

/* SETS dqkv [N,(H+2G)*D] from dout [N,H*D].  A parent's keys and values get the
 * sum over its own rows and then, in the order of the pack, its children's. */
void attention_backward(float *restrict dqkv, const float *restrict dout,
                        const float *restrict out, const float *restrict lse,
                        const float *restrict qkv, const struct pack *pack,
                        size_t H, size_t G, size_t D, float *restrict scratch);

#endif

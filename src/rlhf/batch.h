/*
 * batch.h - from prompts and responses to packs and shards.
 */
#ifndef PLUMB_RLHF_BATCH_H
#define PLUMB_RLHF_BATCH_H

#include "base/arena.h"
#include "nn/tensor.h"

/* A prompt and what was answered, as token ids; views, nothing owned. */
struct sequence {
    const int32_t *prompt;
    size_t len_prompt;
    const int32_t *response; // EOS included when it ended itself
    size_t len_response;
};

/* Sequences laid end to end, tokens prompt then response, in arena memory. */
enum status batch_pack(struct pack *out, const struct sequence *seq, size_t n,
                       struct arena *arena, struct err *err) MUST_CHECK;

/* Row of the state before response token t of sequence s (t == len_response:
 * the state after the last one). */
size_t batch_state_row(const struct pack *pack, size_t s, size_t len_prompt,
                       size_t t);

/* Prefix sums of response lengths: offset[n] is the number of response
 * tokens; offset has n + 1 entries. */
void batch_offsets(size_t *offset, const struct sequence *seq, size_t n);

/* The part of n items that shard `i` of `shards` has: [*first, *last). */
void batch_shard(size_t *first, size_t *last, size_t n, size_t shards,
                 size_t i);

/* rows[i] of x[.,C] copied to out[n,C], and added back. */
void batch_gather(float *out, const float *x, const size_t *row, size_t n,
                  size_t C);
void batch_scatter_add(float *x, const float *in, const size_t *row, size_t n,
                       size_t C);

#endif

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

/*
 * Sequences as one pack: the tokens of prompt and response of each.  A prompt
 * that several of them have is in it once, as the parent of their responses;
 * a sequence of which the prompt is its alone is laid out in one piece, in its
 * place.  Where a sequence's rows are is for the functions below to say.
 */
struct batch {
    struct pack pack;
    const struct sequence *seq; // [n] as given, not owned
    size_t n;
    size_t *prompt_row;   // [n] row of the first prompt token
    size_t *response_row; // [n] row of the first response token
};

/*
 * A prompt shorter than this is laid out with each of its responses: it is not
 * much that sharing would save, and the support desk's prompts, of 33 tokens at
 * most, keep the arithmetic that the figures of the README were made with.
 */
#define BATCH_SHARED_LEAST 48

/* Lay out n sequences, in arena memory; `seq` must outlive the batch. */
enum status batch_pack(struct batch *out, const struct sequence *seq, size_t n,
                       struct arena *arena, struct err *err) MUST_CHECK;

/* The same with prompts of `least` tokens and more shared. */
enum status batch_pack_least(struct batch *out, const struct sequence *seq,
                             size_t n, size_t least, struct arena *arena,
                             struct err *err) MUST_CHECK;

/*
 * Put the n items of `index` so that those whose prompt batch_pack() would
 * share stand together, where the first of them stood; otherwise they stay in
 * their order.  Shards cut from it have the fewest prompts.
 */
void batch_gather_twins(size_t *index, size_t n, const struct sequence *seq);

/* Row of token i of sequence s, prompt and response counted through. */
size_t batch_row(const struct batch *b, size_t s, size_t i);

/* Row of the state before response token t of sequence s (t == len_response:
 * the state after the last one). */
size_t batch_state_row(const struct batch *b, size_t s, size_t t);

/* Row of the last token of sequence s: the state that a score is read from.
 * With an empty response it is the prompt's last. */
size_t batch_last_row(const struct batch *b, size_t s);

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

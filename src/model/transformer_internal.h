/*
 * transformer_internal.h - the decoder with a key/value cache, for
 * model/generate only.
 *
 * The cache of a group of sequences ("slots") holds each layer's rotated keys
 * and its values: [L, slots, T, G*D], T positions per slot.
 */
#ifndef PLUMB_MODEL_TRANSFORMER_INTERNAL_H
#define PLUMB_MODEL_TRANSFORMER_INTERNAL_H

#include "model/transformer.h"

struct kv_cache {
    float *key, *value; // [L, slots, T, G*D]
    size_t slots, T;
    float *scratch; // for attention over at most T positions
};

/* Room for `slots` sequences of at most T positions, from the arena. */
enum status transformer_cache_place(struct kv_cache *out,
                                    const struct model_config *c, size_t slots,
                                    size_t T, struct arena *arena,
                                    struct err *err) MUST_CHECK;

/*
 * transformer_forward() that also fills the cache: slot i gets the keys and
 * values of the pack's sequence source[i], so slots may share a prompt.
 */
enum status transformer_prefill(struct activations *a, const struct model *m,
                                const struct pack *pack, struct kv_cache *cache,
                                const size_t *source, struct arena *arena,
                                struct err *err) MUST_CHECK;

/* One new token for each of B slots. */
struct decode_step {
    const int32_t *token;    // [B]
    const int32_t *position; // [B] of the new token, < cache T
    const size_t *slot;      // [B]
    const size_t *len;       // [B] position + 1
    size_t B;
};

/* Fill the first B rows of `a` (placed with keep == false for at least B
 * rows) and append to the cache. */
enum status transformer_decode(struct activations *a, const struct model *m,
                               const struct decode_step *step,
                               struct kv_cache *cache,
                               struct err *err) MUST_CHECK;

#endif

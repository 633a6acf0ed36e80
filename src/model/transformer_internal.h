/*
 * transformer_internal.h - the decoder over a key/value cache, row by row, for
 * model/generate only.
 *
 * A step takes rows: any number of tokens of any sequences, prompts and newly
 * drawn ones alike.  Each is a token, its position and the pages that hold its
 * sequence's keys and values (nn/paged.h); those of the positions before it
 * are there or come earlier in the step.  What a row computes depends on that
 * alone, so neither the rest of a step nor how a sequence was cut into steps
 * changes a bit of it.
 *
 * Hidden states are those of transformer_forward() up to rounding.
 */
#ifndef PLUMB_MODEL_TRANSFORMER_INTERNAL_H
#define PLUMB_MODEL_TRANSFORMER_INTERNAL_H

#include "model/transformer.h"
#include "nn/paged16.h"
#include "nn/rowwise.h"

/* A page holds all layers; in bfloat16 (nn/paged16.h) where products are. */
size_t transformer_page_floats(const struct model *m);

/* Rows of one step. */
struct step_rows {
    int32_t *token, *position; // [N]
    float **const *table;      // [N] pages; of position / PAGED_ROWS at least
    size_t N;
    const size_t *last; // [n_last] rows whose hidden states are wanted, in
    size_t n_last;      // order
};

/* Buffers for steps of at most N rows, of which n_last are wanted. */
struct step {
    size_t N;
    float *x;       // [N,C] residual stream
    float *norm;    // [N,C]
    float *qkv;     // [N,(H+2G)*D]
    float *attn;    // [N,H*D]
    float *up;      // [N,2F] or [N,F]
    float *act;     // [N,F]
    float *hidden;  // [n_last,C] out
    float *scores;  // of attention
    float *scratch; // of products
    enum rowwise_level level;
};

/* Room for steps over sequences of at most T positions. */
enum status transformer_step_place(struct step *s, const struct model *m,
                                   size_t N, size_t n_last, size_t T,
                                   struct arena *arena,
                                   struct err *err) MUST_CHECK;

/* Do a step: fills s->hidden and the pages.  ERR_MISMATCH as
 * transformer_forward(). */
enum status transformer_step(struct step *s, const struct model *m,
                             const struct step_rows *rows,
                             struct err *err) MUST_CHECK;

/* Tokens in [0,V) and positions in [0,T_max), or ERR_MISMATCH. */
enum status transformer_check(const int32_t *token, const int32_t *position,
                              size_t N, const struct model_config *c,
                              struct err *err) MUST_CHECK;

#endif

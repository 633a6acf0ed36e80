/*
 * nexttoken.h - what a language model's head says about the next token of a
 * few rows, as a sampler reads it.
 *
 *     z[v] = (weight[v,:] . hidden) / temperature,  out of reach if banned[v]
 *
 * The vocabulary is worked off in blocks; of each block and row the greatest
 * logit and the sum of exponentials are kept beside the logits, in the same
 * pass.  The whole sum follows from the blocks', a draw looks into one of
 * them, and a cut into those whose greatest logit reaches it.
 *
 * A row's numbers have the same bits in any company (nn/rowwise.h).  They are
 * those of nn/lmhead.h up to rounding.
 */
#ifndef PLUMB_NN_NEXTTOKEN_H
#define PLUMB_NN_NEXTTOKEN_H

#include "nn/lmhead.h"
#include "nn/rowwise.h"

#define NEXTTOKEN_BLOCK ((size_t)192)

struct nexttoken {
    const struct lmhead *head;
    size_t lanes;
    float *z;      // [V,lanes] scaled logits
    float *max;    // [blocks,lanes] the greatest of a block
    float *sum;    // [blocks,lanes] of exp(z - max) over a block
    float *turned; // [C,lanes]
    float *chosen; // [V] and
    int32_t *id;   // [V] scratch of a sampler that cuts
};

/* Blocks of a vocabulary. */
static inline size_t nexttoken_blocks(size_t V)
{
    return (V + NEXTTOKEN_BLOCK - 1) / NEXTTOKEN_BLOCK;
}

/* Floats that one wants for up to M rows at a time. */
size_t nexttoken_floats(size_t V, size_t C, size_t M);

/* Place one in so many floats.  The head outlives it. */
void nexttoken_place(struct nexttoken *t, const struct lmhead *head, size_t M,
                     float *room);

/* Fill it for rows of hidden [M,C] that make one block:
 * M <= rowwise_lanes(level, M). */
void nexttoken_forward(struct nexttoken *t, const float *hidden, size_t M,
                       enum rowwise_level level);

/* The same from raw logits that are in t->z already, for t->lanes rows. */
void nexttoken_weigh(struct nexttoken *t);

/* A logit of an allowed token is above this. */
#define NEXTTOKEN_NEVER (-1e29f)

#endif

/*
 * paged16.h - nn/paged.h with keys and values in bfloat16, half the memory.
 *
 * A page of one layer is paged16_floats(G, D) long and holds, in words of two
 * bfloat16s, of positions i of the page,
 *
 *     key    [G,D/2,PAGED_ROWS]   channels 2c and 2c+1 in a word
 *     value  [G,PAGED_ROWS/2,D]   positions 2i and 2i+1 in a word
 *
 * the first of the two in the lower half.  Keys and values are rounded once,
 * when they are stored; queries, scores and sums are floats.  Checked against
 * nn/paged_ref.h on rounded keys and values.
 */
#ifndef PLUMB_NN_PAGED16_H
#define PLUMB_NN_PAGED16_H

#include "nn/paged.h"
#include "nn/rowwise.h"

/* Floats of one page of one layer. */
static inline size_t paged16_floats(size_t G, size_t D)
{
    return PAGED_ROWS * G * ((D + 1) / 2) + PAGED_ROWS / 2 * G * D;
}

/* Floats of scratch for rows of at most `len` positions. */
size_t paged16_scratch(size_t len);

/* As paged_store() and paged_attend().  Heads that share keys are worked off
 * four at a time, for which the scratch has room; levels differ in the order of
 * their sums, so that bits are those of one level. */
void paged16_store(float *restrict page, size_t i, const float *restrict key,
                   const float *restrict value, size_t G, size_t D);
void paged16_attend(float *restrict out, const float *restrict query,
                    float *const *table, size_t offset, size_t len, size_t H,
                    size_t G, size_t D, float *restrict scratch,
                    enum rowwise_level level);

#endif

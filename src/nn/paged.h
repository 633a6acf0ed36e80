/*
 * paged.h - attention of single rows over a key/value cache kept in pages.
 *
 * The cache of a sequence is a table of pages of PAGED_ROWS positions each, so
 * sequences may share the pages of a common beginning.  A page of one layer is
 * paged_floats(G, D) long and holds, of positions i of the page,
 *
 *     key    [G,D,PAGED_ROWS]   rotary positions applied; a position a lane
 *     value  [G,PAGED_ROWS,D]
 *
 * For a row with `len` positions, the newest its own,
 *
 *     a[s] = q[h] . k[s,g] / sqrt(D),  g = h / (H/G)
 *     out[h,:] = sum over s < len of softmax(a)[s] v[s,g,:]
 *
 * in an order that depends on `len` alone: prompts and new tokens, alone or in
 * company, get the same bits.  Checked against nn/attention_ref.h.
 */
#ifndef PLUMB_NN_PAGED_H
#define PLUMB_NN_PAGED_H

#include "nn/tensor.h"

#define PAGED_ROWS ((size_t)16)

/* Floats of one page of one layer. */
static inline size_t paged_floats(size_t G, size_t D)
{
    return 2 * PAGED_ROWS * G * D;
}

/* Floats of scratch for rows of at most `len` positions. */
size_t paged_scratch(size_t len);

/* Put a row's key and value heads [G,D] each into position i of a page. */
void paged_store(float *restrict page, size_t i, const float *restrict key,
                 const float *restrict value, size_t G, size_t D);

/*
 * One row.  Its layer's part of page j is table[j] + offset.
 *   out    [H,D]
 *   query  [H,D]
 *   len    >= 1; positions 0..len-1 are stored
 */
void paged_attend(float *restrict out, const float *restrict query,
                  float *const *table, size_t offset, size_t len, size_t H,
                  size_t G, size_t D, float *restrict scratch);

#endif

/*
 * tensor.h - conventions every kernel of nn/ keeps.
 *
 * Dimensions, one legend for the whole code:
 *     N  tokens of a pack (all its sequences, one after the other)
 *     C  channels (hidden size)     L  layers
 *     H  query heads                G  key/value heads, H % G == 0
 *     D  head size                  F  feed-forward size
 *     V  vocabulary size            T  positions of one sequence
 * Matrices are row-major; x[N,C] has C floats per token.
 *
 * f_forward and f_backward come in pairs.  dx is dLoss/dx; a backward pass
 * ADDS into every d... it writes, unless its comment says that it sets it.
 *
 * nn/ knows no files and no policy and allocates nothing: scratch comes from
 * the caller.  Arrays may not overlap unless said.  Every kernel has a twin in
 * plain double loops (*_ref.h, linked into tests only) that a reader should
 * read first.
 */
#ifndef PLUMB_NN_TENSOR_H
#define PLUMB_NN_TENSOR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Hot loops are compiled once per ISA level and picked when the program is
 * loaded.  Only in gcc's release build: sanitizers do not get along with the
 * resolvers.
 */
#if defined(PLUMB_CLONES) && defined(__x86_64__) && !defined(__clang__)
#define NN_CLONES                                                              \
    __attribute__((                                                            \
        target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define NN_CLONES
#endif

/*
 * Cloning happens after the early inliner has run: a helper that was not
 * inlined by then would be called from the clones and stay at the lowest
 * level.  It is also how a function is written once and instantiated for
 * several constant sizes.
 */
#if defined(__GNUC__)
#define NN_INLINE static inline __attribute__((always_inline))
#else
#define NN_INLINE static inline
#endif

/*
 * Sequences laid end to end, never padded: sequence s owns rows
 * start[s]..start[s+1]-1 of every [N,...] array.  Masks come from these
 * bounds, so that a padding token cannot be confused with EOS.
 *
 * A sequence may go on from another one of the pack, its parent, whose rows
 * then stand before its own: a prompt that is computed once, with several
 * responses.  The parent has none itself and comes earlier in the pack.
 */
struct pack {
    const int32_t *token;    // [N]
    const int32_t *position; // [N] 0,1,2,... within each sequence, and on
                             // from the parent's length
    const size_t *start;     // [n_seq + 1]
    size_t n_seq;
    size_t N;             // start[n_seq]
    const size_t *parent; // [n_seq] or PACK_ROOT; NULL: no sequence has one
};
#define PACK_ROOT SIZE_MAX

/* First row of the parent of sequence s, and how many rows it has: 0 of them
 * where there is none. */
static inline size_t pack_before(size_t *first, const struct pack *pack,
                                 size_t s)
{
    size_t parent = pack->parent == NULL ? PACK_ROOT : pack->parent[s];
    *first = pack->start[parent == PACK_ROOT ? s : parent];
    return parent == PACK_ROOT ? 0 : pack->start[parent + 1] - *first;
}

/* Rows of the longest sequence, those before it counted in. */
static inline size_t pack_longest(const struct pack *pack)
{
    size_t longest = 0;
    for (size_t s = 0; s < pack->n_seq; s++) {
        size_t first, rows = pack_before(&first, pack, s);
        rows += pack->start[s + 1] - pack->start[s];
        longest = rows > longest ? rows : longest;
    }
    return longest;
}

#endif

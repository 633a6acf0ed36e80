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
 */
struct pack {
    const int32_t *token;    // [N]
    const int32_t *position; // [N] 0,1,2,... within each sequence
    const size_t *start;     // [n_seq + 1]
    size_t n_seq;
    size_t N; // start[n_seq]
};

#endif

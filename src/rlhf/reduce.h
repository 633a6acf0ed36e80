/*
 * reduce.h - the fixed tree in which shards' gradients are summed, and how
 * ranks share it.
 *
 * With S shards the sum is made in rounds: 0+1, 2+3, ..., then 0+2, 4+6, ...;
 * in the round of stride s, shard i (a multiple of 2s) gets that of i+s added
 * where there is one.  Rank r of R has the shards of comm_cut(S, R, r), whose
 * gradients nobody else knows.  It makes the sums of the tree that need no
 * others (reduce_inside) and is left with a few, its tops; whoever has the
 * tops of all ranks makes the rest (reduce_across).  Both together add the
 * same numbers in the same order as one process does, so the sum has the same
 * bits for any S and R.
 */
#ifndef PLUMB_RLHF_REDUCE_H
#define PLUMB_RLHF_REDUCE_H

#include <stdbool.h>
#include <stddef.h>

/* How sums travel.  Rounded to bfloat16 (nearest, ties to even) they are half
 * as many bytes, and what a rank has itself is not rounded, so that the result
 * depends on the ranks. */
enum reduce_format {
    REDUCE_F32,
    REDUCE_BF16,
};

/* Which shards, of how many, a rank has. */
struct reduce_share {
    size_t shards, ranks, rank;
};

/* The whole tree: shard[i][at..at+n-1] for all i; the sum is then in shard 0
 * and the others are not what they were.  Here and below a shard of NULL has
 * been added where the tree adds it (rlhf/gradients.h). */
void reduce_all(float *const *shard, size_t at, size_t n, size_t shards);

/* The part of the tree that lies inside a rank's shards; shard[] of others is
 * not looked at. */
void reduce_inside(float *const *shard, size_t at, size_t n,
                   const struct reduce_share *share);

/* What is left of shards first..last-1 when all sums of the tree are made that
 * need no others: the shards that hold them, in order, in top (which may be
 * NULL) with room for last - first.  Their number. */
size_t reduce_nodes(size_t *top, size_t shards, size_t first, size_t last);

/* The same of a rank's shards: its tops. */
size_t reduce_tops(size_t *top, const struct reduce_share *share);

/* The rest of the tree: shard[] is of every rank's tops; the sum is in shard
 * 0.  share->rank is not looked at. */
void reduce_across(float *const *shard, size_t at, size_t n,
                   const struct reduce_share *share);

#endif

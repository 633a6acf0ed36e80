/*
 * bpe_merge.h - the table of merges, and merging one word.
 *
 * A word is a list of symbols (token ids).  The pair of neighbours whose merge
 * has the lowest rank is replaced by what the merge makes of it, the leftmost
 * first among equal pairs, until no pair has a merge.  The work is
 * O(n log n) for n symbols.
 */
#ifndef PLUMB_IO_BPE_MERGE_H
#define PLUMB_IO_BPE_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bpe_merge {
    int32_t left, right;
    int32_t id; // what they become; -1: an unused slot
    uint32_t rank;
};

struct bpe_merges {
    struct bpe_merge *slot; // open addressing; slots is a power of two
    size_t slots;
};

/* A table for up to n merges. */
enum status bpe_merges_init(struct bpe_merges *m, size_t n,
                            struct err *err) MUST_CHECK;
void bpe_merges_free(struct bpe_merges *m);

/* Add one; a second one of the same pair takes the place of the first. */
enum status bpe_merges_add(struct bpe_merges *m, const struct bpe_merge *merge,
                           struct err *err) MUST_CHECK;

/* Memory to merge in; all zero at first, may be used again and again. */
struct bpe_work {
    int32_t *symbol; // the word: [n], room for n_room
    size_t n, n_room;
    struct bpe_node *node; // [node_room], for long words
    uint64_t *heap;        // [3 * node_room]
    size_t node_room;
};
void bpe_work_free(struct bpe_work *w);

/* Append a symbol to the word. */
enum status bpe_work_push(struct bpe_work *w, int32_t symbol,
                          struct err *err) MUST_CHECK;

/* Merge the word, in its place.  ERR_LIMIT beyond 2^24 symbols. */
enum status bpe_merge_word(const struct bpe_merges *m, struct bpe_work *w,
                           struct err *err) MUST_CHECK;

#endif

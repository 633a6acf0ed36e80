/*
 * generate_cache.h - the pages of one worker's sequences, for model/generate
 * only: who holds which page, and what may be shared.
 */
#ifndef PLUMB_MODEL_GENERATE_CACHE_H
#define PLUMB_MODEL_GENERATE_CACHE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* The pages of one sequence, in order of position. */
struct cache_table {
    float **page; // [table_max]
    size_t *id;   // [table_max]
    size_t n;
};

struct generate_cache {
    size_t floats;    // of a page
    size_t table_max; // pages of a sequence at most
    size_t max, made; // pages there may be, and are
    float **page;     // [max]
    size_t *holders;  // [max] tables that hold a page
    size_t *unused;   // [max] stack of pages nobody holds
    size_t n_unused;
    struct arena *arena; // pages come from it as they are needed
};

/* For `tables` tables of sequences of at most T positions. */
enum status generate_cache_place(struct generate_cache *c, size_t floats,
                                 size_t tables, size_t T, struct arena *arena,
                                 struct err *err) MUST_CHECK;
enum status generate_cache_table(struct cache_table *t,
                                 const struct generate_cache *c,
                                 struct err *err) MUST_CHECK;

/* Pages for positions 0..len-1; those that are there stay. */
enum status generate_cache_grow(struct generate_cache *c, struct cache_table *t,
                                size_t len, struct err *err) MUST_CHECK;

/*
 * `to` becomes the first `len` positions of `from`, which may be the same
 * table.  Full pages are held by both; the rest of a last one is copied, since
 * the two go on differently.
 */
enum status generate_cache_share(struct generate_cache *c,
                                 struct cache_table *to,
                                 const struct cache_table *from, size_t len,
                                 struct err *err) MUST_CHECK;

#endif

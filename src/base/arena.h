/*
 * arena.h - memory for one step: bump-allocated, given back all at once.
 *
 *     struct arena a = {0};
 *     for (each step) {
 *         arena_reset(&a);
 *         float *x;
 *         TRY(ARENA_NEW(&a, x, n, err));
 *     }
 *     arena_free(&a);
 *
 * After a step that needed more than one block, reset replaces the blocks by
 * a single one large enough, so a steady loop soon stops allocating.  Memory
 * is NOT zeroed: what a new block holds is zero or, where is_raw says so, what
 * was there before, which spares clearing what is written anyway.  One arena
 * belongs to one thread at a time.
 */
#ifndef PLUMB_BASE_ARENA_H
#define PLUMB_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena_block;

struct arena {
    struct arena_block *block; // newest first
    size_t used;               // bytes taken since the last reset
    size_t peak;               // the most ever used, for memory reports
    bool is_raw; // new blocks are not even cleared (mem_raw()); by the caller
};

/* n objects of `size` bytes aligned to MEM_ALIGN, or NULL; not zeroed. */
void *arena_alloc(struct arena *a, size_t n, size_t size);

/* A copy of `len` bytes of text with a NUL behind them. */
enum status arena_text(const char **out, struct arena *a, const char *text,
                       size_t len, struct err *err) MUST_CHECK;

/* Forget everything handed out; keeps memory for the next step. */
void arena_reset(struct arena *a);

/* Give all memory back; the arena is as new, and as raw as it was. */
void arena_free(struct arena *a);

/* `p = n objects of its type` from the arena, as a status. */
#define ARENA_NEW(a, p, n, err)                                                \
    (((p) = arena_alloc((a), (n), sizeof *(p))) != NULL                        \
         ? OK                                                                  \
         : err_set((err), ERR_MEMORY, "out of memory: %zu x %zu bytes for %s", \
                   (size_t)(n), sizeof *(p), #p))

#endif

/*
 * names.h - texts that stand for themselves: each distinct one has an index.
 *
 *     struct names n = {.text = NULL};
 *     size_t i;
 *     TRY(names_add(&n, &i, "heldout-000017", err)); // the same text, the same
 *                                                    // index, from 0 upwards
 *     names_free(&n);
 *
 * Indices are in the order of first appearance.  What must not depend on the
 * order of rows in a file is renumbered by names_places().
 */
#ifndef PLUMB_BASE_NAMES_H
#define PLUMB_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct names {
    char **text; // [n]
    size_t n, room;
    uint32_t *slot; // open addressing: index + 1, 0 is free
    size_t slots;   // a power of two, or 0
};

/* The index of `text`, given to it now when it has none.  ERR_MEMORY, or
 * ERR_LIMIT at 2^31 names; nothing is changed then. */
enum status names_add(struct names *s, size_t *index, const char *text,
                      struct err *err) MUST_CHECK;

/* The index of `text`, or SIZE_MAX. */
size_t names_find(const struct names *s, const char *text);

/* place[i]: where text i stands among all, bytewise; place has s->n entries. */
enum status names_places(size_t *place, const struct names *s,
                         struct err *err) MUST_CHECK;

/* Forget all but the first n, as if they had not been added. */
void names_cut(struct names *s, size_t n);

/* A text in 64 bits (FNV-1a): equal texts have equal ones. */
uint64_t names_hash(const char *text);

/* Fine on a zeroed struct. */
void names_free(struct names *s);

#endif

/*
 * seen.h - small numbers by 64-bit hashes: what came before, and as what.
 *
 * 16 bytes a slot, of which at most three in four are taken; two texts of one
 * hash (one in 10^7 among a million) are one.
 */
#ifndef PLUMB_IMPORT_SEEN_H
#define PLUMB_IMPORT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct seen {
    struct seen_slot *slot;
    size_t n, slots; // slots: a power of two, or 0
};

/* The number of `key`, for reading and writing until the next call; 0 for one
 * that is new, which *is_new (may be NULL) tells. */
enum status seen_at(uint32_t **out, struct seen *s, uint64_t key, bool *is_new,
                    struct err *err) MUST_CHECK;

/* Fine on a zeroed struct. */
void seen_free(struct seen *s);

/* Hash of several texts, one behind the other and kept apart. */
uint64_t seen_key(const char *const *text, size_t n);

#endif

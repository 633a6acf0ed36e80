/*
 * pieces.h - the pieces of text that are known to be one token.
 *
 * Most pieces of ordinary text are; looking them up saves merging them.  A
 * piece of up to eight bytes is found without leaving the table.
 */
#ifndef PLUMB_IO_PIECES_H
#define PLUMB_IO_PIECES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct piece {
    uint64_t head; // the first eight bytes, zeros behind
    uint32_t len;
    int32_t id;     // -1: an unused slot
    uint32_t begin; // of its bytes in `text`, when more than eight
};

struct pieces {
    struct piece *slot; // open addressing; slots is a power of two
    size_t slots;
    struct buf text;
};

/* A table for up to n pieces. */
enum status pieces_init(struct pieces *p, size_t n, struct err *err) MUST_CHECK;
void pieces_free(struct pieces *p);

/* Add text[0..len), len > 0, not there yet.  ERR_LIMIT for too many
 * collisions. */
enum status pieces_add(struct pieces *p, const char *text, size_t len,
                       int32_t id, struct err *err) MUST_CHECK;

/* Its id, or -1. */
int32_t pieces_find(const struct pieces *p, const char *text, size_t len);

#endif

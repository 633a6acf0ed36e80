/*
 * buf.h - bytes that grow, never past a stated maximum.
 *
 * Errors stick: appending to a buffer that has failed does nothing, and
 * buf_status() tells at the end what happened, so that writers of long
 * documents check once.  The contents are always followed by a NUL byte that
 * is not counted in len.
 */
#ifndef PLUMB_BASE_BUF_H
#define PLUMB_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data; // never NULL after the first append; NUL-terminated
    size_t len;
    size_t room;
    size_t max;       // len never exceeds this
    enum status code; // first failure: ERR_MEMORY or ERR_LIMIT
};

/* An empty buffer that may grow to `max` bytes; allocates nothing yet. */
void buf_init(struct buf *b, size_t max);

/* Give the memory back. */
void buf_free(struct buf *b);

/* Forget the contents (and a failure), keep the memory. */
void buf_clear(struct buf *b);

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) ERR_PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) ERR_PRINTF(2, 0);

/* A pointer to n writable bytes appended at the end, or NULL (failure
 * recorded). */
void *buf_extend(struct buf *b, size_t n);

/* The text so far, "" when nothing was appended. */
const char *buf_text(const struct buf *b);

/* OK, or the first failure put into words. */
enum status buf_status(const struct buf *b, struct err *err) MUST_CHECK;

#endif

/*
 * stream.h - the bytes of a file, plain or compressed, piece by piece.
 *
 *     struct stream *s;
 *     TRY(stream_open(&s, path, err));
 *     const char *piece;
 *     size_t len;
 *     do
 *         TRY_DONE(stream_next(s, &piece, &len, err));
 *     while (len > 0);
 *
 * gzip and Zstandard are told by the first bytes, never by the name, and may
 * consist of several members or frames.  Memory does not depend on how far
 * the data expand: 64 KiB in, 64 KiB out, and a window of at most 128 MiB,
 * which is all a Zstandard frame may ask for.
 *
 * Failure: ERR_MISSING (absent), ERR_IO (unreadable, no regular file),
 * ERR_FORMAT (a directory; compressed data cut short, damaged, or followed by
 * something else), ERR_LIMIT (more than STREAM_BYTES_MAX bytes when expanded),
 * each naming the file.
 */
#ifndef PLUMB_IO_STREAM_H
#define PLUMB_IO_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What compressed data may expand to: a few bytes can stand for any number. */
#define STREAM_BYTES_MAX ((uint64_t)64 << 30)

struct stream;

/* A file, a pipe as file_open() allows it, or "-" for standard input. */
enum status stream_open(struct stream **out, const char *path,
                        struct err *err) MUST_CHECK;
/* Bytes in memory, which must outlive the stream; `name` stands for the
 * file, and `max` for STREAM_BYTES_MAX. */
enum status stream_open_bytes(struct stream **out, const void *data, size_t len,
                              uint64_t max, const char *name,
                              struct err *err) MUST_CHECK;
void stream_close(struct stream *s);

/* "<stdin>" for standard input. */
const char *stream_name(const struct stream *s);

/* The next bytes, valid until the next call; *len is 0 at the end only. */
enum status stream_next(struct stream *s, const char **piece, size_t *len,
                        struct err *err) MUST_CHECK;

#endif

/*
 * lines.h - the lines of a file, plain or compressed (io/stream.h), one at a
 * time.
 *
 *     struct lines l;
 *     const char *text;
 *     size_t len;
 *     TRY(lines_open(&l, path, max, err));
 *     do
 *         TRY_DONE(lines_next(&l, &text, &len, err));
 *     while (text != NULL);
 *
 * Lines of nothing but blanks are passed over, and so is a byte order mark in
 * front.  Memory holds one line besides the stream's own.
 *
 * io/jsonl.h hands out the rows of such a file as documents; this is for who
 * reads them with a scanner.
 */
#ifndef PLUMB_IO_LINES_H
#define PLUMB_IO_LINES_H

#include "base/buf.h"
#include "io/stream.h"

struct lines {
    struct stream *stream;
    const char *piece; // of the stream; [at, len) was not given out
    size_t at, len;
    size_t number;   // 1-based, of the line given last
    struct buf held; // of a line that began in an earlier piece
};

/* The lines of a file, "-" for standard input, of at most `max` bytes each.
 * Failure: as stream_open(). */
enum status lines_open(struct lines *l, const char *path, size_t max,
                       struct err *err) MUST_CHECK;

/* The same of an open stream, which is then the lines' to close. */
void lines_init(struct lines *l, struct stream *s, size_t max);

/* Fine on a zeroed struct. */
void lines_close(struct lines *l);

/*
 * The next line without its end, valid until the next call; *text is NULL
 * behind the last one.  A last line need not end.  ERR_FORMAT, "name:line:
 * ...", when it is longer than `max`; or as stream_next().
 */
enum status lines_next(struct lines *l, const char **text, size_t *len,
                       struct err *err) MUST_CHECK;

#endif

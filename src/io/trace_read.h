/*
 * trace_read.h - rollouts read back row by row (io/trace.h): a file's, or those
 * of all iterations of a run.
 *
 *     struct trace_reader *r;
 *     const struct trace_view *v;
 *     TRY(trace_reader_open_run(&r, run, names, n_names, err));
 *     do {
 *         TRY_DONE(trace_reader_next(r, &v, err));
 *         ...
 *     } while (v != NULL);
 *
 * A row must hold step, prompt_id and sample.  Everything else may be absent or
 * null and is then NULL (texts, tags, arrays, kl_sequence), NaN (numbers,
 * numbers in arrays) or said to be unknown (finish).  n_tokens counts only
 * where len_unit says what.  Arrays that are there have the same length, `len`,
 * which is 0 when there is none; a row's length cannot be told then.  Numbers
 * may be NaN or infinite: whoever computes with them has to look.
 *
 * Members that this module does not know are passed over, except that numbers
 * among them can be asked for by name ("gold").  A member of a known name may
 * come once.
 *
 * Memory: one line of at most TRACE_LINE_MAX bytes and five times its length.
 *
 * Failure: ERR_FORMAT, "file:line: "member": byte N: why"; or as lines_open()
 * and lines_next().  After a failure the reader can only be closed.
 */
#ifndef PLUMB_IO_TRACE_READ_H
#define PLUMB_IO_TRACE_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/file.h"
#include "io/stream.h"
#include "io/trace.h"

/* 32 MiB: 100000 tokens in twelve arrays of 20 characters a number. */
#define TRACE_LINE_MAX ((size_t)32 << 20)
#define TRACE_NAMES_MAX 16

/* A row and where it stands; all of it is the reader's and lasts until its
 * next row. */
struct trace_view {
    struct trace_row row;          // row.extra is NULL
    double kl_sequence;            // what row.kl_sequence points to
    double extra[TRACE_NAMES_MAX]; // of the names asked for; NaN when absent
    const char *file;
    size_t line;
};

struct trace_reader;

/*
 * The rows of one file, plain or compressed, "-" for standard input.
 *
 *   names  in  [n_names]  members to give as `extra`, in this order; must
 *                         outlive the reader.  ERR_ARG: more than
 *                         TRACE_NAMES_MAX, or one that every row has
 */
enum status trace_reader_open(struct trace_reader **out, const char *path,
                              const char *const *names, size_t n_names,
                              struct err *err) MUST_CHECK;

/* The same of an open stream, which is the reader's to close, also when this
 * fails. */
enum status trace_reader_open_stream(struct trace_reader **out,
                                     struct stream *s, const char *const *names,
                                     size_t n_names,
                                     struct err *err) MUST_CHECK;

/*
 * The rows of RUN/rollouts/NUMBER.jsonl, .jsonl.zst and .jsonl.gz in the order
 * of the numbers; other files there are left alone.  ERR_MISSING when there is
 * none, ERR_FORMAT when two have one number.
 */
enum status trace_reader_open_run(struct trace_reader **out, const char *run,
                                  const char *const *names, size_t n_names,
                                  struct err *err) MUST_CHECK;

/* The names of these files in that order, for who reads them one by one; free
 * with file_list_free().  Failure: the same. */
enum status trace_run_files(struct file_list *out, const char *run,
                            struct err *err) MUST_CHECK;

/* NULL is fine. */
void trace_reader_close(struct trace_reader *r);

/* The next row; *view is NULL behind the last one. */
enum status trace_reader_next(struct trace_reader *r,
                              const struct trace_view **view,
                              struct err *err) MUST_CHECK;

/*
 * One of a row's tags as text into out[room]: a string as it reads, a number,
 * true or false as it is written.  False when `tags` is NULL or no object, has
 * no such key, holds something else there, or `room` is too small for it.
 */
bool trace_tag(char *out, size_t room, const char *tags, const char *key);

#endif

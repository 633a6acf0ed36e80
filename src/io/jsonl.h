/*
 * jsonl.h - walking the rows of JSON Lines, plain or compressed (io/stream).
 *
 * Blank lines are skipped; the first failure stops the walk, and "name:line: "
 * is put in front of what was said.  A text whose first character is '[' is
 * read as one JSON array whose items are the rows; a row's number is then the
 * line its item begins on.  Memory holds one row at a time, of at most
 * JSONL_LINE_MAX bytes.
 */
#ifndef PLUMB_IO_JSONL_H
#define PLUMB_IO_JSONL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

#define JSONL_LINE_MAX ((size_t)8 * 1024 * 1024)

/* Called with each row and its 1-based line. */
typedef enum status (*jsonl_fn)(void *ctx, const struct json *row, size_t line,
                                struct err *err);

/* The rows of a file, "-" for standard input; ERR_MISSING when absent. */
enum status jsonl_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;
/* The rows of a text in memory, which is not compressed; `name` stands for
 * the file. */
enum status jsonl_parse(const char *text, size_t len, const char *name,
                        jsonl_fn fn, void *ctx, struct err *err) MUST_CHECK;

/*
 * The same where a row may be bad: `bad` is told what is wrong with it
 * ("name:line: ...", ERR_FORMAT or ERR_MISMATCH) and answers OK to go on with
 * the next row.  It is asked about rows that are no JSON and rows that fn
 * refused.  In an array only the latter can be passed over.
 */
typedef enum status (*jsonl_bad_fn)(void *ctx, struct err *bad);
enum status jsonl_read_lenient(const char *path, jsonl_fn fn, jsonl_bad_fn bad,
                               void *ctx, struct err *err) MUST_CHECK;
enum status jsonl_parse_lenient(const char *text, size_t len, const char *name,
                                jsonl_fn fn, jsonl_bad_fn bad, void *ctx,
                                struct err *err) MUST_CHECK;

/*
 * The rows as they stand, each of at most `max` bytes, for who reads them with
 * a scanner (io/scan.h).  A row is whatever is on a line or between an array's
 * commas: nothing of it was looked at.  *is_open (may be NULL) is false until a
 * last line without its end is given, which may have been cut.  Failure: as
 * above.
 */
typedef enum status (*jsonl_text_fn)(void *ctx, const char *text, size_t len,
                                     size_t line, struct err *err);
enum status jsonl_read_text(const char *path, size_t max, jsonl_text_fn fn,
                            bool *is_open, void *ctx,
                            struct err *err) MUST_CHECK;

#endif

/*
 * csv.h - comma-separated values (RFC 4180), plain or compressed.
 *
 * Fields may stand in double quotes and then hold separators, line ends and,
 * doubled, quotes; a quote inside an unquoted field is a character like any
 * other.  Rows end with LF or CR LF, the last one with or without.  A byte
 * order mark in front is skipped, and so are lines without a character.
 *
 * Bounds: CSV_FIELDS_MAX fields and JSONL_LINE_MAX bytes a row; a byte 0 and
 * a text that is not UTF-8 are refused.  Memory holds one row at a time.
 */
#ifndef PLUMB_IO_CSV_H
#define PLUMB_IO_CSV_H

#include <stddef.h>

#include "base/err.h"

#define CSV_FIELDS_MAX 1024

struct csv_row {
    const char *const *field; // [n], each ended by a NUL
    size_t n;
    size_t line; // where it begins, from 1
};

typedef enum status (*csv_fn)(void *ctx, const struct csv_row *row,
                              struct err *err);

/*
 * Call fn with every row of a file, the names of the columns included; stops
 * at the first failure.  ERR_FORMAT "file:line: what is wrong", ERR_MISSING
 * and others as io/stream.h.  What fn says gets no place in front.
 */
enum status csv_read(const char *path, char separator, csv_fn fn, void *ctx,
                     struct err *err) MUST_CHECK;
/* From memory; `name` stands for the file. */
enum status csv_parse(const char *text, size_t len, const char *name,
                      char separator, csv_fn fn, void *ctx,
                      struct err *err) MUST_CHECK;

#endif

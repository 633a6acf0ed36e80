/*
 * sniff.h - the beginning of a file, and what it looks like.
 */
#ifndef PLUMB_IMPORT_SNIFF_H
#define PLUMB_IMPORT_SNIFF_H

#include "import/value.h"

#define SNIFF_BYTES ((size_t)4 << 20) // that are looked at, expanded
#define SNIFF_TAIL ((size_t)1 << 20)
#define SNIFF_ROWS 16
#define SNIFF_COLUMNS 256

struct head {
    const char *path, *name; // name: the last part of the path
    struct buf bytes;        // of the beginning, expanded
    const char *text;        // the same, ended by a NUL
    size_t len;
    bool is_whole;                // that is all of the file
    bool is_document;             // one value, and nothing but it
    bool is_array;                // rows are the items of one list
    struct value row[SNIFF_ROWS]; // of JSON
    size_t n_rows;
    struct err why; // of what begins like JSON, where there is no row
    const char *column[SNIFF_COLUMNS]; // of a table with a line of names
    const char *cell[SNIFF_COLUMNS];   // of the row behind it, or NULL
    size_t n_columns, n_lines;         // n_lines: that were looked at
    char separator;                    // of the table; 0: none
    struct arena arena;
};

/* ERR_MISSING and others as stream_open(); ERR_FORMAT for Parquet, with the
 * line that converts it, and for archives. */
enum status sniff_open(struct head *h, const char *path,
                       struct err *err) MUST_CHECK;
void sniff_close(struct head *h);

/* The last SNIFF_TAIL bytes of a file in place of its first, as text alone:
 * whole lines.  Nothing of a file that is compressed or no regular one. */
enum status sniff_open_tail(struct head *h, const char *path,
                            struct err *err) MUST_CHECK;

/* A member of the first row; NULL when it has none. */
const struct value *sniff_member(const struct head *h, const char *key);

/* How many of the names are members of the first row, or columns. */
size_t sniff_count(const struct head *h, const char *const *names, size_t n);

/* Does the text hold this? */
bool sniff_says(const struct head *h, const char *text);

/* Is it text, as far as was looked: no byte 0 in it? */
bool sniff_is_text(const struct head *h);

#endif

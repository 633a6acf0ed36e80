/*
 * formats.h - the table of formats that are imported.
 *
 * A format is what a user writes (plumb import verl ...); it has a row for each
 * kind of file that a run of it leaves, told apart by their beginnings.  To add
 * one: a file with a sniff and a read function, declared in import/readers.h,
 * and a row here (docs/import.md lists them from it).
 */
#ifndef PLUMB_IMPORT_FORMATS_H
#define PLUMB_IMPORT_FORMATS_H

#include "import/reader.h"
#include "import/sniff.h"

/* What a kind of file gives, or-ed together. */
enum format_yield {
    YIELDS_ROWS = 1,
    YIELDS_METRICS = 2,
    YIELDS_REPLIES = 4,
    YIELDS_VOTES = 8,
    YIELDS_SETTINGS = 16,
    YIELDS_VERDICTS = 32,
    OF_LINES = 64, // a text whose lines of interest may begin anywhere
};

struct format {
    const char *name;    // "verl"
    const char *kind;    // "rollouts"
    const char *trainer; // in quantities.h and needs.h; "" where it is open
    const char *what;    // one line, for help and documentation
    unsigned yields;
    /* How sure a file is of this kind, 0 (no) .. 1. */
    double (*sniff)(const struct head *h);
    enum status (*read)(struct reader *r, struct err *err);
};

extern const struct format formats_table[];
extern const size_t formats_count;

/* The first row of a name, or NULL; "auto" is none. */
const struct format *formats_find(const char *name);

/* Is it a name, or "auto"?  ERR_ARG lists those there are. */
enum status formats_need(const char *name, struct err *err) MUST_CHECK;

/* The most likely kind of a file: of the format `name`, or of any where it is
 * NULL.  Files that any trainer may leave (event files) are looked at in every
 * format.  NULL and *confidence 0: none. */
const struct format *formats_best(double *confidence, const char *name,
                                  const struct head *h);

/* The same of a head, or of the file's end where a text does not begin with
 * what it is: a log of hours may be silent of steps at first. */
enum status formats_look(const struct format **out, double *confidence,
                         const char *name, const struct head *h,
                         struct err *err) MUST_CHECK;

/* The kind of a trainer's format that is a log of lines; NULL: it has none. */
const struct format *formats_text(const char *name);

/* Is it of any rows or tables, whoever wrote them? */
bool formats_is_generic(const struct format *f);

/* The names, each once, with commas between, appended. */
void formats_list(struct buf *out);

#endif

/*
 * import_csv.h - records from a table with named columns.
 */
#ifndef PLUMB_IO_IMPORT_CSV_H
#define PLUMB_IO_IMPORT_CSV_H

#include "io/dataset.h"

/* Which columns become which members of a record; NULL: none.  `chosen` and
 * `rejected` are named both or not at all. */
struct import_columns {
    const char *prompt; // needed
    const char *response, *chosen, *rejected;
    const char *extra; // names with commas between; "*" stands for the others,
                       // but those that are named like a member
};

/*
 * Read a file (io/csv.h) whose first row names its columns.  ERR_ARG when it
 * lacks one that is named, with the list of those there are.  A row with
 * another number of fields is a bad record; bad records are counted and
 * skipped as in dataset_load(), but for broken quoting, which hides where the
 * next row begins.
 */
enum status import_csv_load(struct dataset *out, const char *path,
                            char separator,
                            const struct import_columns *columns,
                            const struct dataset_config *c,
                            const struct context *context,
                            struct err *err) MUST_CHECK;

#endif

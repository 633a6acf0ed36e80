/*
 * table.h - bulk results of a probe: named columns of equal length.
 *
 * A probe's file is one object with a member "columns", itself an object of
 * arrays.  A column whose first item that is not null is a string is text, any
 * other is numbers, with null as NaN and false and true as 0 and 1:
 *
 *     {"schema":"plumb.probe/1","probe":"push",...,
 *      "columns":{"step":[0,0,10],"prompt_id":["a","b","a"],...}}
 */
#ifndef PLUMB_DIAGNOSE_TABLE_H
#define PLUMB_DIAGNOSE_TABLE_H

#include <stdbool.h>

#include "base/json.h"

#define TABLE_COLUMNS_MAX 64

struct table_column {
    const char *name;  // the document's
    double *number;    // [n], or NULL: text
    const char **text; // [n], the document's; NULL items where it is null
};

struct table {
    struct json *json; // the whole document; NULL: not there
    struct table_column column[TABLE_COLUMNS_MAX];
    size_t columns;
    size_t n; // rows
};

/*
 * Read a probe's file.  ERR_MISSING when it is absent; ERR_FORMAT, naming file
 * and column, when columns differ in length or hold something else.  A file
 * without "columns" has 0 rows.  Free with table_free(), fine on a zeroed
 * struct.
 */
enum status table_read(struct table *out, const char *path,
                       struct err *err) MUST_CHECK;
void table_free(struct table *t);

/* A column's numbers or texts; NULL when the table has no such column of that
 * kind. */
const double *table_numbers(const struct table *t, const char *name);
const char *const *table_texts(const struct table *t, const char *name);

#endif

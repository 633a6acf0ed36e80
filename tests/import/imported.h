/*
 * imported.h - an import into a folder of its own, and what came out of it, for
 * the tests of src/import.
 */
#ifndef PLUMB_TESTS_IMPORT_IMPORTED_H
#define PLUMB_TESTS_IMPORT_IMPORTED_H

#include "base/json.h"
#include "import/import.h"
#include "io/run.h"
#include "io/trace_read.h"

#define IMPORTED_ROWS 64

/* A row as it came back; texts are owned. */
struct imported_row {
    struct trace_view view;
    char *prompt_id, *prompt, *response, *tags, *len_unit;
    int32_t token[16];
    float logp_sample[16], logp[16], advantage[16], value[16], reward[16];
};

struct imported {
    char dir[FILE_PATH_MAX];
    struct json *doc; // import.json
    struct imported_row row[IMPORTED_ROWS];
    size_t n;
    struct run_table metrics; // n == 0: there are none
};

/* Folder of the whole test; made once, removed at the end. */
int imported_set_up(void **state);
int imported_tear_down(void **state);

/* A path in it. */
const char *imported_at(const char *name);
void imported_write(const char *name, const void *data, size_t len);

/*
 * Import paths (in tests/data/import, or absolute), separated by blanks; maps
 * likewise "score=reward gold=acc", or NULL.  Fails the test when it fails.
 */
struct imported *imported_run(const char *format, const char *paths,
                              const char *maps);
void imported_free(struct imported *m);

/* The same where it must fail: its status, and the text into *err. */
enum status imported_fails(struct err *err, const char *format,
                           const char *paths);

/* A metric's value at a step; NaN where there is none. */
double imported_metric(const struct imported *m, int64_t step,
                       const char *name);

/* What became of a field: "to" ("" where it was not mapped), or NULL: it is not
 * listed. */
const char *imported_field(const struct imported *m, const char *from);

/* Is it among the warnings, among what is missing (by id)? */
bool imported_warned(const struct imported *m, const char *id);
bool imported_misses(const struct imported *m, const char *id,
                     const char *flag);

/* A KL curve's member ("aggregate"), or NULL. */
const char *imported_kl(const struct imported *m, const char *name,
                        const char *member);

/* A line of a file of the project as JSON, by its number from 0; NULL: none. */
struct json *imported_line(const struct imported *m, const char *name,
                           size_t line);

#endif

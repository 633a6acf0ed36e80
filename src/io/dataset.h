/*
 * dataset.h - JSON Lines of prompts, demonstrations and rankings.
 *
 *     prompt         {"id","prompt", ...}
 *     demonstration  {"id","prompt","response", ...}
 *     ranking        {"id","prompt","responses":[...],"ranking":[...], ...}
 *
 * `ranking[i]` is the rank of responses[i], 1 the best; equal ranks are ties.
 * Further members ("ticket", "tags", "rater", ...) are kept as JSON text in
 * `extra` so that a stage can pass them on.  A bad record stops the reading:
 * ERR_FORMAT "file:line: what is wrong".  Bounds: a line of 8 MiB, 64
 * responses a ranking.  An absent "id" becomes the line number.
 */
#ifndef PLUMB_IO_DATASET_H
#define PLUMB_IO_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct record {
    char *id;
    char *prompt;
    char *response;   // demonstrations, else NULL
    char **responses; // rankings and candidate sets, else NULL
    int32_t *ranking; // rankings, else NULL
    size_t n_responses;
    char *extra; // one JSON object with the members not named above
};

struct dataset {
    struct record *record;
    size_t n;
    char *path;
};

enum dataset_kind {
    DATASET_PROMPTS,    // response(s) optional
    DATASET_DEMOS,      // response required
    DATASET_CANDIDATES, // responses required, ranking optional
    DATASET_RANKINGS,   // responses and ranking required
};

/* Read a whole file, "-" for standard input.  ERR_MISSING when absent. */
enum status dataset_read(struct dataset *out, const char *path,
                         enum dataset_kind kind, struct err *err) MUST_CHECK;
/* From memory (tests, fuzzing); `name` stands for the file. */
enum status dataset_parse(struct dataset *out, const char *text, size_t len,
                          const char *name, enum dataset_kind kind,
                          struct err *err) MUST_CHECK;
void dataset_free(struct dataset *d);

/* One record as a line of JSON (with its newline), appended. */
void dataset_write_record(struct buf *out, const struct record *r);

/*
 * Walk the lines of a JSON Lines text: calls fn with each parsed line (blank
 * lines are skipped) and its 1-based number; stops at the first failure and
 * puts "name:line: " in front of what fn said.  jsonl_read() takes "-" for
 * standard input.  Shared by every reader of JSONL.
 */
typedef enum status (*jsonl_fn)(void *ctx, const struct json *row, size_t line,
                                struct err *err);
enum status jsonl_parse(const char *text, size_t len, const char *name,
                        jsonl_fn fn, void *ctx, struct err *err) MUST_CHECK;
enum status jsonl_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;

#endif

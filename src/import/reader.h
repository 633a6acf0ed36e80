/*
 * reader.h - what the reader of a format works with: a source file's rows or
 * lines one at a time, and the sink they go to.
 *
 *     static enum status take(struct reader *r, void *ctx,
 *                             const struct value *row, size_t line,
 *                             struct err *err) { ... sink_put_row ... }
 *     enum status verl_rollouts(struct reader *r, struct err *err)
 *     {
 *         return reader_rows(r, take, NULL, err);
 *     }
 *
 * What a callback answers gets "path:line: " in front.  A file may be plain,
 * gzip or Zstandard (io/stream.h).
 */
#ifndef PLUMB_IMPORT_READER_H
#define PLUMB_IMPORT_READER_H

#include "import/import.h"
#include "import/sink.h"
#include "import/value.h"

struct reader {
    struct sink *sink;
    const char *path, *name; // name: the last part of the path
    const struct import_map *map;
    size_t n_maps;
    const struct import_people *people; // or NULL
    const struct trl_rewards *rewards;  // of TRL's completions, or NULL
    struct arena arena;                 // of the row at hand
    struct buf text;                    // scratch
    size_t skip_bad, n_bad; // rows that cannot be read: allowed, so far
    uint64_t unmapped;      // bits of `map`: rows were asked, none had it
    uint64_t mapped;        // the same: some had it
    const struct context *context;
};

typedef enum status (*reader_row_fn)(struct reader *r, void *ctx,
                                     const struct value *row, size_t line,
                                     struct err *err);
typedef enum status (*reader_line_fn)(struct reader *r, void *ctx,
                                      const char *text, size_t line,
                                      struct err *err);

void reader_init(struct reader *r, const char *path);
void reader_free(struct reader *r);

/* The rows of JSON Lines or of one JSON array.  A row lasts until the next.  A
 * last one within which the file ends is left out and noted (reader_cut());
 * of others that cannot be read, skip_bad are. */
enum status reader_rows(struct reader *r, reader_row_fn fn, void *ctx,
                        struct err *err) MUST_CHECK;

/* The rows of a table with a line of names, as objects of texts (null where a
 * field is empty). */
enum status reader_table(struct reader *r, reader_row_fn fn, void *ctx,
                         struct err *err) MUST_CHECK;

/* The lines of a text, without their ends and with a NUL. */
enum status reader_lines(struct reader *r, reader_line_fn fn, void *ctx,
                         struct err *err) MUST_CHECK;

/* The whole file as one value, which lasts as long as the reader's arena is not
 * reset; at most IMPORT_LINE_MAX bytes. */
enum status reader_document(struct value *out, struct reader *r,
                            struct err *err) MUST_CHECK;

/* What to do about a row that could not be read: `status` itself, or OK where
 * it is left out and noted. */
enum status reader_bad(struct reader *r, enum status status, size_t line,
                       struct err *err) MUST_CHECK;

/* Note a row within which the file ends. */
enum status reader_cut(struct reader *r, size_t line,
                       struct err *err) MUST_CHECK;

/* The source field that a user mapped to ours, or NULL. */
const char *reader_mapped(const struct reader *r, const char *to);

/* The number behind `before` in a file's name ("train_data_step12.jsonl" and
 * "step": 12), or, before "", the one the name begins with; -1: none. */
int64_t reader_number(const char *name, const char *before);

/* The members of an object as metrics of a step, without "step" itself; those
 * that are no numbers are noted. */
enum status reader_metrics(struct reader *r, int64_t step,
                           const struct value *object,
                           struct err *err) MUST_CHECK;

/* A text of the row's lifetime: as value_put_text(), or NULL. */
enum status reader_text(const char **out, struct reader *r,
                        const struct value *v, struct err *err) MUST_CHECK;

#endif

/*
 * dataset_format.h - one row of a file as a record, for dataset.c.
 */
#ifndef PLUMB_IO_DATASET_FORMAT_H
#define PLUMB_IO_DATASET_FORMAT_H

#include "io/dataset.h"

/* How a row of the unpaired format was judged. */
enum dataset_label {
    LABEL_NONE,
    LABEL_LIKED,
    LABEL_NOT_LIKED
};

/* ERR_FORMAT when a key that the configuration names is not in the row. */
enum status dataset_format_check(const struct json *row,
                                 const struct dataset_config *c,
                                 struct err *err) MUST_CHECK;

/* The format a row is in; FORMAT_UNKNOWN when it is in none. */
enum dataset_format dataset_format_find(const struct json *row,
                                        const struct dataset_config *c);

/* Fill a record, whose id is `number` when the row has none; on failure what
 * it holds is to be given back with dataset_format_free(). */
enum status dataset_format_read(struct record *r, enum dataset_label *label,
                                const struct json *json, const char *number,
                                enum dataset_format format,
                                enum dataset_kind kind,
                                const struct dataset_config *c,
                                struct err *err) MUST_CHECK;
void dataset_format_free(struct record *r);

/* A file being read; zero but for what it is told. */
struct dataset_reader {
    enum dataset_kind kind;
    const struct dataset_config *config;
    const struct context *context;
    struct dataset data;
    enum dataset_label *label; // [room]
    size_t room;
    size_t line, in_line; // of the last row: its line, which one there
};

/* Take a row; ctx is the reader, as jsonl_fn wants it. */
enum status dataset_reader_row(void *ctx, const struct json *row, size_t line,
                               struct err *err) MUST_CHECK;
/* Skip a bad row while some may be, as jsonl_bad_fn wants it. */
enum status dataset_reader_bad(void *ctx, struct err *bad) MUST_CHECK;
/* Hand the records over when `status` is OK, else give everything back. */
enum status dataset_reader_finish(struct dataset *out,
                                  struct dataset_reader *reader,
                                  const char *path, enum status status,
                                  struct err *err) MUST_CHECK;

/* Unpaired rows as rankings; label[i] belongs to record i.  Records without a
 * counterpart are dropped and counted as unused. */
enum status dataset_format_group(struct dataset *d,
                                 const enum dataset_label *label,
                                 struct err *err) MUST_CHECK;

#endif

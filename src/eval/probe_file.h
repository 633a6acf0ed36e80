/*
 * probe_file.h - the common part of a probe's file: its beginning, its
 * columns, and whether the one on the disk is still true.
 */
#ifndef PLUMB_EVAL_PROBE_FILE_H
#define PLUMB_EVAL_PROBE_FILE_H

#include "eval/probe.h"
#include "stat/features.h"

enum probe_column_type {
    COLUMN_TEXT, // const char *
    COLUMN_INT,  // int64_t
    COLUMN_REAL, // double, written with the digits of a float
    COLUMN_BOOL,
};

/* A member of every row of an array of structs. */
struct probe_column {
    const char *name;
    enum probe_column_type type;
    const void *first; // of row 0
    size_t stride;     // bytes from row to row
};

/* The column of member `field` of the structs rows[]. */
#define PROBE_COLUMN(rows, field)                                              \
    {                                                                          \
#field,                                                                \
            _Generic((rows)->field, const char *                               \
                     : COLUMN_TEXT, char *                                     \
                     : COLUMN_TEXT, int64_t                                    \
                     : COLUMN_INT, double                                      \
                     : COLUMN_REAL, bool                                       \
                     : COLUMN_BOOL),                                           \
            &(rows)->field, sizeof *(rows)       \
    }

/* The columns of a member double feature[FEATURES] (stat/features.h): `first`
 * is that of row 0. */
void probe_feature_columns(struct probe_column out[FEATURES],
                           const double first[FEATURES], size_t stride);

/* Member "columns": the n columns of `rows` rows. */
void probe_put_columns(struct json_writer *w, const struct probe_column *column,
                       size_t n, size_t rows);

/* SHA-256 of what the file of a probe follows from. */
enum status probe_file_inputs(char out[65], const struct probe *p,
                              const struct probe_kind *kind,
                              struct err *err) MUST_CHECK;

/* Is there a file of this probe with these inputs? */
bool probe_file_is_there(const struct probe *p, const struct probe_kind *kind,
                         const char inputs[65]);

/* Run the probe and write its file, whole or not at all. */
enum status probe_file_write(const struct probe *p,
                             const struct probe_kind *kind,
                             const char inputs[65], struct err *err) MUST_CHECK;

/* Remove the file, if any. */
enum status probe_file_remove(const struct probe *p,
                              const struct probe_kind *kind,
                              struct err *err) MUST_CHECK;

/* Write summary.json; what was not asked for keeps its earlier entry. */
enum status probe_file_summary(const struct probe *p,
                               const struct probe_result *result,
                               struct err *err) MUST_CHECK;

#endif

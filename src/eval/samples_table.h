/*
 * samples_table.h - rows of samples.jsonl as numbers, grouped by prompt.
 *
 * A table holds two sides, "policy" and "reference", which are compared.  They
 * are those of one evaluation, or two policies that were evaluated on the same
 * prompts with the same random streams, each out of its own file: then the
 * changed policy stands on the first side and the other one on the second.
 */
#ifndef PLUMB_EVAL_SAMPLES_TABLE_H
#define PLUMB_EVAL_SAMPLES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "rlhf/scorer.h"

/*
 * Number names: index[i] is the place of id[i] among the distinct ids in
 * bytewise order, *n how many there are.  So an order of rows in a file never
 * shows in a result.
 */
enum status samples_table_number(size_t *index, size_t *n, char *const *id,
                                 size_t count, struct err *err) MUST_CHECK;

/* What is averaged over a prompt's samples, for each side. */
enum samples_value {
    SAMPLES_SCORE,
    SAMPLES_GOLD,
    SAMPLES_WEAK,
    SAMPLES_HELP,
    SAMPLES_LEN,
    SAMPLES_SENTENCES,
    SAMPLES_FOURGRAMS,
    SAMPLES_FILLERS,
    SAMPLES_EOS,
    SAMPLES_KL, // nats per sequence
    SAMPLES_VALUES
};

struct samples_row {
    bool is_policy;
    int64_t sample;
    double value[SAMPLES_VALUES];
};

struct samples_table {
    struct samples_row *row;
    char **id;     // [n] prompt of each row
    size_t *index; // [n] its number
    size_t n, room;
    size_t prompts;
};

/* Which rows of a file are read, and as what. */
struct samples_source {
    const char *path;
    const char *only; // "policy" or "reference"; NULL: both, as they are
    bool as_policy;   // with `only`: the side they stand on
    const struct score_scale *scale; // NULL: "score" as it is, else the unit
                                     // of the common reward model's raw score
};

/*
 * Append the rows of a file; the caller frees with samples_table_free(), also
 * after a failure.  ERR_FORMAT names the record.  The common reward model's
 * raw score is the row's "base_raw", or "score_raw" where it has none.
 */
enum status samples_table_read(struct samples_table *t,
                               const struct samples_source *source,
                               struct err *err) MUST_CHECK;
void samples_table_free(struct samples_table *t);

/* Number the prompts, once all rows are there. */
enum status samples_table_group(struct samples_table *t,
                                struct err *err) MUST_CHECK;

/* mean[p] of a value over the rows of one side, NaN without any; count [p] is
 * how many. */
void samples_table_means(double *mean, double *count,
                         const struct samples_table *t, bool is_policy,
                         enum samples_value v);

/*
 * The wins of sample k of the policy against sample k of the reference, ties a
 * half: prompt [n], win [n], at most one a row.  *pairs tells how many.
 */
enum status samples_table_wins(size_t *prompt, double *win, size_t *pairs,
                               const struct samples_table *t,
                               enum samples_value v,
                               struct err *err) MUST_CHECK;

#endif

/*
 * metric.h - a column of a run's metrics.jsonl.
 */
#ifndef PLUMB_DIAGNOSE_METRIC_H
#define PLUMB_DIAGNOSE_METRIC_H

#include "io/run.h"

struct metric_column {
    const double *value; // of row 0; NULL: the run does not log it
    size_t n, stride;
};

struct metric_column metric_find(const struct run_table *t, const char *name);

/* Of row i; NaN where it was not logged. */
double metric_at(const struct metric_column *m, size_t i);

/* Over the rows where it was logged; NaN when there are none. */
double metric_mean(const struct metric_column *m);
double metric_largest(const struct metric_column *m);

/* Of the first row and of the last one. */
double metric_first(const struct metric_column *m);
double metric_last(const struct metric_column *m);

#endif

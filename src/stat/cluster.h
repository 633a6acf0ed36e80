/*
 * cluster.h - rows grouped by the prompt they belong to, so that a resample of
 * prompts (stat/summary.h) can walk the rows each of them brings along.
 *
 *     for (size_t i = 0; i < n; i++) // prompts of a resample
 *         for (size_t k = c->start[index[i]]; k < c->start[index[i] + 1]; k++)
 *             use(c->row[k]);
 */
#ifndef PLUMB_STAT_CLUSTER_H
#define PLUMB_STAT_CLUSTER_H

#include <stddef.h>

#include "base/err.h"

struct cluster {
    size_t *start; // [n+1] where the rows of a prompt begin in `row`
    size_t *row;   // [rows] ascending within a prompt
    size_t n;      // prompts
    size_t rows;
};

/*
 * prompt[k] < n is the prompt of row k; NULL: every row is a prompt of its own,
 * and n is the number of rows.  A prompt may have no row.  ERR_MEMORY; free
 * with cluster_free(), also after a failure.
 */
enum status cluster_build(struct cluster *out, const size_t *prompt,
                          size_t rows, size_t n, struct err *err) MUST_CHECK;
void cluster_free(struct cluster *c);

#endif

/*
 * decompose_rows.h - which replies stat/decompose compares: those without a NaN
 * of prompts that have such replies of both models.
 */
#ifndef PLUMB_STAT_DECOMPOSE_ROWS_H
#define PLUMB_STAT_DECOMPOSE_ROWS_H

#include "stat/cluster.h"
#include "stat/decompose.h"

struct decompose_rows {
    struct cluster prompt;
    bool *is_used;  // [replies]
    size_t prompts; // with replies in use
};

/* ERR_MEMORY; free also after a failure. */
enum status decompose_rows_select(struct decompose_rows *out,
                                  const struct decompose_replies *replies,
                                  struct err *err) MUST_CHECK;
void decompose_rows_free(struct decompose_rows *r);

#endif

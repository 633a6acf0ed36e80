/*
 * sorted.h - a column in ascending order that is resampled by prompts: sorted
 * once, then walked with the number of times each value was drawn.
 */
#ifndef PLUMB_STAT_SORTED_H
#define PLUMB_STAT_SORTED_H

#include <stddef.h>

#include "base/err.h"

struct sorted {
    size_t n; // values that are not NaN
    size_t n_prompts;
    double *x;      // [n] ascending
    size_t *row;    // [n] where each stood
    size_t *prompt; // [n] whose it is
    double *drawn;  // [n_prompts] times a prompt is in the present resample
};

/* prompt NULL: every value is a prompt, and n_prompts is n.  ERR_MEMORY; free
 * also after a failure. */
enum status sorted_build(struct sorted *out, const double *x,
                         const size_t *prompt, size_t n, size_t n_prompts,
                         struct err *err) MUST_CHECK;
void sorted_free(struct sorted *s);

/* Set `drawn` to a resample; how many values it has. */
double sorted_draw(struct sorted *s, const size_t *index, size_t n);

/* Times x[i] is in it. */
double sorted_weight(const struct sorted *s, size_t i);

/* Prompts with a value. */
size_t sorted_prompts(struct sorted *s);

#endif

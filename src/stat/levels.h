/*
 * levels.h - the different values of a column, and which one a value is.
 */
#ifndef PLUMB_STAT_LEVELS_H
#define PLUMB_STAT_LEVELS_H

#include <stddef.h>

/* Sort x[n] and keep one of each value at its front; how many there are.  None
 * may be NaN. */
size_t levels_unique(double *x, size_t n);

/* Index of x among ascending level[n], n > 0: of the last one that is not
 * above it, or 0. */
size_t levels_find(const double *level, size_t n, double x);

#endif

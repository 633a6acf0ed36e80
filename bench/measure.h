/*
 * measure.h - what the programs that time kernels share.
 */
#ifndef PLUMB_BENCH_MEASURE_H
#define PLUMB_BENCH_MEASURE_H

#include <stddef.h>

#include "base/err.h"

/* Time on a core, so that other processes' turns do not count. */
double measure_now_ns(void);

/* Time of the clock on the wall, in seconds from some moment. */
double measure_seconds(void);

/* Sort x [n] upwards; and their median, the mean of the middle two where n is
 * even, which sorts them. */
void measure_sort(double *x, size_t n);
double measure_median(double *x, size_t n);

/* Median time of one call in ns, over `repeats` <= 32 timings of `calls`. */
double measure_ns(void (*fn)(void), int calls, int repeats);

/* n random floats; ends the program when there is no memory. */
float *measure_floats(size_t n);

/* Ends the program with the message when status is not OK. */
void measure_must(enum status status, const struct err *err);

#endif

/*
 * gemm_clock.h - how much of a program's time is spent in matrix products.
 *
 * Link with -Wl,--wrap=dnnl_sgemm: every call then passes through here, on
 * its way to the library.  The product itself carries no clock.
 */
#ifndef PLUMB_BENCH_GEMM_CLOCK_H
#define PLUMB_BENCH_GEMM_CLOCK_H

/* Seconds of processor time spent in products by all threads since the last
 * call. */
double gemm_clock_take(void);

#endif

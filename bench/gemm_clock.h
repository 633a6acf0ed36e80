/*
 * gemm_clock.h - how much of a program's time is spent in matrix products, and
 * how many operations they are.
 *
 * Link with the target gemm_clock of CMakeLists.txt, whose --wrap makes every
 * product pass through here on its way to what computes it.  The product itself
 * carries no clock.  Counted are those of weights: oneDNN's (dnnl_sgemm, and
 * dnnl_primitive_execute of bfloat16s) and our own (nn/rowwise.h of samplers,
 * nn/skinny.h); not those inside attention.
 */
#ifndef PLUMB_BENCH_GEMM_CLOCK_H
#define PLUMB_BENCH_GEMM_CLOCK_H

enum gemm_clock_kind {
    GEMM_CLOCK_F32, // oneDNN's
    GEMM_CLOCK_BF16,
    GEMM_CLOCK_OWN_F32,
    GEMM_CLOCK_OWN_BF16,
    GEMM_CLOCK_KINDS
};

struct gemm_clock {
    double seconds;    // of processor time, of all threads
    double operations; // 2 M N K
};

/* Of each kind since the last call. */
void gemm_clock_read(struct gemm_clock out[GEMM_CLOCK_KINDS]);

/* The seconds of all kinds since the last call. */
double gemm_clock_take(void);

#endif

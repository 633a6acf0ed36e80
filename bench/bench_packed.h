/*
 * bench_packed.h - would products be faster with weights kept in the order that
 * oneDNN likes best?
 */
#ifndef PLUMB_BENCH_BENCH_PACKED_H
#define PLUMB_BENCH_BENCH_PACKED_H

/*
 * Prints for products x W^T of the demo's and of SmolLM2-135M's shape, in float
 * and in bfloat16: GFLOP/s with W as it lies, as nn/ makes them; with W in the
 * library's own order; and how many products it takes until what was gained
 * pays for the reordering, which every change of W asks for again.  Call inside
 * a worker.
 */
void bench_packed(void);

#endif

/*
 * bench_shapes.h - the kernels of nn/ at the shape of a real model,
 * SmolLM2-135M: C 576, H 9, G 3, D 64, F 1536, V 49152.
 */
#ifndef PLUMB_BENCH_SHAPES_H
#define PLUMB_BENCH_SHAPES_H

/* Prints one table per kind of kernel; call inside a worker. */
void bench_shapes(void);

#endif

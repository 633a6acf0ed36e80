/*
 * peak.h - what the machine can do at most, measured now.
 */
#ifndef PLUMB_BENCH_PEAK_H
#define PLUMB_BENCH_PEAK_H

#include <stdbool.h>

#include "base/parallel.h"

/* The least seconds of several rounds in which every worker does one item. */
double peak_round(struct team *team, team_fn fn, void *ctx);

/* Operations a second of all workers together, each with its own products of
 * 1,024 x 1,024 matrices by oneDNN, of floats or of bfloat16s.  Ends the
 * program without memory. */
double peak_products(struct team *team, bool is_bf16);

#endif

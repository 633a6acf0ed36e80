/*
 * peak.h - what the machine can do at most, measured now.
 */
#ifndef PLUMB_BENCH_PEAK_H
#define PLUMB_BENCH_PEAK_H

#include <stdbool.h>

#include "base/parallel.h"

/* The least seconds of several rounds in which every worker does one item. */
double peak_round(struct team *team, team_fn fn, void *ctx);

/* Operations a second of products of 1,024 x 1,024 matrices by oneDNN, of
 * floats or of bfloat16s, each worker at its own. */
struct peak {
    double together; // of all, by the clock: the best round
    double core;     // of one, in time on a processor: the best product, so
                     // that it means something where others are at work
};

/* Ends the program without memory. */
struct peak peak_products(struct team *team, bool is_bf16);

#endif

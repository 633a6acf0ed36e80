/*
 * schedule.h - learning rate over updates.
 */
#ifndef PLUMB_RLHF_SCHEDULE_H
#define PLUMB_RLHF_SCHEDULE_H

#include <stdint.h>

enum schedule {
    SCHEDULE_CONSTANT,
    SCHEDULE_LINEAR,
    SCHEDULE_COSINE
};

/*
 * The factor on lr for update t = 1..total: rises linearly to 1 over the first
 * `warmup` updates (t/warmup), then stays (constant), or falls to `low` at
 * t = total linearly or along half a cosine.
 */
double schedule_factor(enum schedule kind, int64_t t, int64_t total,
                       int64_t warmup, double low);

/* The value at step i = 0..n-1 of a straight line from `from` at the first step
 * to `to` at the last; with one step, `from`. */
double schedule_line(double from, double to, int64_t i, int64_t n);

#endif

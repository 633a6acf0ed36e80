/*
 * run_events.h - a run's event file for TensorBoard, made from its logs.
 *
 * The file says nothing that metrics.jsonl and timing.jsonl do not say, so a
 * resumed run makes it anew instead of cutting it back.
 */
#ifndef PLUMB_IO_RUN_EVENTS_H
#define PLUMB_IO_RUN_EVENTS_H

#include <stdint.h>

#include "io/tfevents.h"

/* A row of timing.jsonl, as far as events need it. */
struct run_timing {
    int64_t step;
    double time; // seconds since the epoch
    double eps;  // episodes or sequences a second; NaN when unknown
};

/*
 * Replace our event file in the run directory `dir` by one with what its logs
 * hold, and leave it open (tfevents_close() ends it); those of other programs
 * stay.  `time` stamps the file's version record.  ERR_IO, or ERR_FORMAT
 * naming the row of a bad log.
 */
enum status run_events_open(struct tfevents **out, const char *dir, double time,
                            struct err *err) MUST_CHECK;

/* One value; what is not finite is left out. */
enum status run_events_put(struct tfevents *t, double time, int64_t step,
                           const char *name, double value,
                           struct err *err) MUST_CHECK;

#endif

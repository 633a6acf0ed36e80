/*
 * point.h - the points of a run's curve: iteration 0, which is the model the
 * run began with, then its checkpoints.
 */
#ifndef PLUMB_EVAL_POINT_H
#define PLUMB_EVAL_POINT_H

#include "eval/setup.h"

/* The iterations, ascending from 0; free with mem_free(). */
enum status point_list(int64_t **step, size_t *n, const char *run,
                       struct err *err) MUST_CHECK;

/* A policy at one of them. */
struct point {
    const struct model *model;
    struct model own;  // what was read, unless it is the reference
    bool is_reference; // iteration 0 of a run that began with its reference
};

/* Of the run and start of the setup's configuration.  ERR_MISMATCH as
 * setup_check_model(). */
enum status point_open(struct point *out, const struct setup *s, int64_t step,
                       struct err *err) MUST_CHECK;
void point_close(struct point *p);

#endif

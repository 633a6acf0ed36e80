/*
 * probe_stage.h - is a training stage's data still what it was trained on?
 */
#ifndef PLUMB_EVAL_PROBE_STAGE_H
#define PLUMB_EVAL_PROBE_STAGE_H

#include "eval/probe.h"

/* ERR_MISSING: it is gone; ERR_MISMATCH: it has changed since. */
enum status probe_stage_check(const struct probe_stage *s, const char *path,
                              struct err *err) MUST_CHECK;

#endif

/*
 * curves.h - how the measures moved over the run's iterations, and reward
 * against drift.
 */
#ifndef PLUMB_REPORT_CURVES_H
#define PLUMB_REPORT_CURVES_H

#include "report/html.h"
#include "report/inputs.h"

enum status curves_write(struct html *h, const struct inputs *in,
                         struct err *err) MUST_CHECK;

#endif

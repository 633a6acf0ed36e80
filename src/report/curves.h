/*
 * curves.h - how the measures moved over the run's iterations, and reward
 * against drift.
 */
#ifndef PLUMB_REPORT_CURVES_H
#define PLUMB_REPORT_CURVES_H

#include "report/html.h"
#include "report/inputs.h"

/* All drawings; `has_drift`: reward against drift and the lengths were drawn
 * before. */
enum status curves_write(struct html *h, const struct inputs *in,
                         bool has_drift, struct err *err) MUST_CHECK;

/* Reward and judgement against the square root of KL: one <figure>, nothing
 * without a curve. */
enum status curves_drift(struct html *h, const struct inputs *in,
                         struct err *err) MUST_CHECK;

#endif

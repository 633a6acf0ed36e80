/*
 * sections.h - the report's parts in prose and drawings, each one <section>.
 *
 * Every sentence with a number in it takes the number from eval/heldout.json
 * or eval/curve.json; what a file does not hold is said to be missing, and
 * nothing is computed here that is not in a file, except square roots and
 * differences from the first point in the drawing of reward against drift.
 */
#ifndef PLUMB_REPORT_SECTIONS_H
#define PLUMB_REPORT_SECTIONS_H

#include "report/html.h"
#include "report/inputs.h"

/* Headline and the three observations; `is_below` an essay, whose title is the
 * page's, the headline is a section's.  Whose judgement they tell of is
 * inputs_judged_by(); where nobody judged, that is said and nothing shown. */
void sections_summary(struct html *h, const struct inputs *in, bool is_below);

/* How long replies are: one <figure>, nothing without samples. */
enum status sections_lengths(struct html *h, const struct inputs *in,
                             struct err *err) MUST_CHECK;

/* What people said, or that nobody was asked. */
void sections_panel(struct html *h, const struct inputs *in);

/* The measures at serving settings beside those at temperature 1; nothing
 * when they were not evaluated. */
void sections_serving(struct html *h, const struct inputs *in);

/* What this report cannot tell. */
void sections_limits(struct html *h, const struct inputs *in);

#endif

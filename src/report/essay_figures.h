/*
 * essay_figures.h - the drawings beside the essay's paragraphs, each made of
 * what the sentences beside it rest on.
 */
#ifndef PLUMB_REPORT_ESSAY_FIGURES_H
#define PLUMB_REPORT_ESSAY_FIGURES_H

#include "report/essay.h"
#include "report/html.h"
#include "report/inputs.h"

/* Is there anything to draw of these (enum essay_figure)?  `in` may be NULL. */
bool essay_figures_any(unsigned figures, const struct essay *y,
                       const struct inputs *in);

/* One <figure> each of those that have something to show. */
enum status essay_figures_draw(struct html *h, unsigned figures,
                               const struct essay *y, const struct inputs *in,
                               struct err *err) MUST_CHECK;

#endif

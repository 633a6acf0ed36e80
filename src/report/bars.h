/*
 * bars.h - horizontal bars with intervals as inline SVG: a few named numbers
 * side by side, or two of each name.  Classes as in report/chart.h.
 */
#ifndef PLUMB_REPORT_BARS_H
#define PLUMB_REPORT_BARS_H

#include <stddef.h>

#include "report/html.h"
#include "stat/summary.h"

enum {
    BARS_MAX = 12
};

struct bars_row {
    const char *label;
    struct estimate e[2];
};

struct bars {
    const char *title, *describe; // describe may be NULL
    const char *x_label;
    const char *name[2]; // of the series, in a legend; NULL: none
    int color[2];        // 0..3
    size_t series;       // 1 or 2
    const struct bars_row *row;
    size_t n; // at most BARS_MAX
};

/* Zero is on the axis; a number that is not finite has no bar. */
void bars_plot(struct html *h, const struct bars *b);

#endif

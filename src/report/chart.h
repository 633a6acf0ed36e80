/*
 * chart.h - line charts with interval bands, scatter plots and histograms as
 * inline SVG.
 *
 * A chart carries classes, not colours: report/style.h paints series 0..3
 * from the page's CSS variables, so that one drawing serves light, dark and
 * paper.  Series differ in dash and marker as well as in hue.  Sizes are in
 * the viewBox's units; the page scales the whole drawing.  A point that is not
 * finite breaks its line.
 */
#ifndef PLUMB_REPORT_CHART_H
#define PLUMB_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "report/html.h"

enum {
    CHART_TICKS_MAX = 12,
    CHART_SERIES_MAX = 8
};

enum chart_mark {
    CHART_LINE, // line, a dot at each point, band if low and high are given
    CHART_THIN, // hair line: many noisy points behind the others
    CHART_DOTS, // dots only
};

struct chart_series {
    const char *name; // legend; NULL: none
    enum chart_mark mark;
    int color; // 0..3
    const double *x, *y;
    const double *low, *high; // [n] band, or both NULL
    const char *const *label; // [n] beside the points, or NULL
    size_t n;
};

struct chart {
    const char *title;
    const char *describe; // for those who do not see the drawing; may be NULL
    const char *x_label, *y_label;
    const struct chart_series *series;
    size_t n;
    bool zero; // the y axis includes 0
};

/* Lines, bands and dots; an empty chart says so. */
void chart_plot(struct html *h, const struct chart *c);

/*
 * Counts of values in equal bins over both samples' range, as overlaid
 * outlines: share of each sample per bin, so unequal sizes compare.
 */
struct chart_sample {
    const char *name;
    int color;
    const double *value;
    size_t n;
};
enum status chart_histogram(struct html *h, const char *title,
                            const char *x_label,
                            const struct chart_sample *sample, size_t n,
                            struct err *err) MUST_CHECK;

/*
 * Ticks at 1, 2 or 5 times a power of ten that cover [low, high]: fills
 * tick[CHART_TICKS_MAX] and returns how many (2..12).  The range may be empty
 * or reversed; it is widened.  decimals: digits a label needs.
 */
size_t chart_ticks(double tick[CHART_TICKS_MAX], int *decimals, double low,
                   double high, size_t about);

#endif

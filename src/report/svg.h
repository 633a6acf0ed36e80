/*
 * svg.h - the few pieces of a drawing that charts and bars share.
 */
#ifndef PLUMB_REPORT_SVG_H
#define PLUMB_REPORT_SVG_H

#include "report/html.h"

/* Decimal text for a coordinate attribute. */
struct svg_number {
    char text[32];
};
struct svg_number svg_number(double v);

/* `kind` is a class (report/chart.h). */
void svg_line(struct html *h, const char *kind, double x1, double y1, double x2,
              double y2);

/* anchor: "start", "middle" or "end" of the text is at x. */
void svg_words(struct html *h, const char *kind, double x, double y,
               const char *anchor, const char *text);

/* A tick's label, with a minus sign in place of a hyphen. */
void svg_tick(char out[32], double v, int decimals);

#endif

/*
 * measure.h - {"estimate","low","high","n"} out of a document, and numbers as
 * a reader wants them: a true minus sign, three significant digits, units.
 */
#ifndef PLUMB_REPORT_MEASURE_H
#define PLUMB_REPORT_MEASURE_H

#include "base/json.h"
#include "report/html.h"
#include "stat/summary.h"

/* The member `key`; summary_nothing() when it is absent or null. */
struct estimate measure_get(const struct json *object, const char *key);

enum measure_kind {
    MEASURE_PLAIN,   // 1.84
    MEASURE_SIGNED,  // +1.84
    MEASURE_PERCENT, // 93.8 %
    MEASURE_POINTS,  // +21.0 points: a difference of shares
    MEASURE_TIMES,   // 1.84 times, with a multiplication sign
};

struct measure_text {
    char text[48];
};

/* One number; "-" when it is not finite. */
struct measure_text measure_format(double x, enum measure_kind kind);

/* "1.71 to 1.97", or "no interval". */
struct measure_text measure_interval(const struct estimate *e,
                                     enum measure_kind kind);

/* The same number in every table of the report: four significant digits. */
struct measure_text measure_digits(double x);

/* A table of members of `object`: question, share, interval and prompts; those
 * that are absent or rest on nothing are left out. */
struct measure_row {
    const char *key, *text;
    enum measure_kind kind;
};
void measure_table(struct html *h, const struct json *object,
                   const struct measure_row *row, size_t n);

/* "<b>+1.84 sd</b> [1.71 to 1.97]" inside running text. */
void measure_inline(struct html *h, const struct estimate *e,
                    enum measure_kind kind, const char *unit);

#endif

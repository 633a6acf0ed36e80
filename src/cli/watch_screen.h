/*
 * watch_screen.h - runs as text: numbers, curves in braille dots, alarms.
 */
#ifndef PLUMB_CLI_WATCH_SCREEN_H
#define PLUMB_CLI_WATCH_SCREEN_H

#include "base/buf.h"
#include "serve/watch.h"

struct watch_screen {
    size_t width, height; // of the terminal
    bool color;
};

/* Everything that fits, line by line, appended. */
enum status watch_screen_draw(struct buf *out, struct watch *w,
                              const struct watch_screen *s,
                              struct err *err) MUST_CHECK;

/*
 * A curve in `rows` lines of `columns` braille characters, two dots wide and
 * four high, into line[rows]; the lowest value is on the lowest dot.  Values
 * that are not finite leave a gap.
 */
#define WATCH_SCREEN_ROWS 4
#define WATCH_SCREEN_COLUMNS 200
void watch_screen_curve(char line[][WATCH_SCREEN_COLUMNS * 3 + 1], size_t rows,
                        size_t columns, const double *x, size_t n);

#endif

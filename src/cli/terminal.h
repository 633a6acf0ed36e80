/*
 * terminal.h - the only place that writes to standard output and standard
 * error.
 *
 * Progress: on a terminal one line is redrawn with a bar, rate and time left;
 * elsewhere (and with TERM=dumb) a line is written every few seconds.
 * NO_COLOR is respected.
 */
#ifndef PLUMB_CLI_TERMINAL_H
#define PLUMB_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/context.h"
#include "base/err.h"

struct terminal {
    bool is_tty, color, quiet;
    bool line_open; // a progress line waits for its end
    char stage[32]; // whose progress is being drawn
    double started; // when its first unit was seen
    double done0;   // units done then (a resumed run starts late)
    double drawn;   // when something was last drawn
};

/* Look at the environment once. */
void terminal_init(struct terminal *t, bool quiet);

/* An event_fn; ctx is the struct terminal. */
void terminal_event(void *ctx, const struct event *event);

/* End an open progress line. */
void terminal_finish(struct terminal *t);

/* Write a document to standard output: ERR_IO when it does not take all. */
enum status terminal_print(const struct buf *text, struct err *err) MUST_CHECK;

/* "plumb: WHAT" and, when there is one, "try: HINT" on standard error. */
void terminal_error(const char *what, const char *hint);

/* Seconds on a clock that never goes back. */
double terminal_now(void);

#endif

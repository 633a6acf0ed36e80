/*
 * textlog.h - numbers and names in the lines of a text log.
 */
#ifndef PLUMB_IMPORT_TEXTLOG_H
#define PLUMB_IMPORT_TEXTLOG_H

#include "import/reader.h"

/* What is behind a mark in a line, or NULL. */
const char *textlog_after(const char *line, const char *mark);

/* A number as logs write it: 1e-5, nan, 'None' (NaN), in quotes or brackets,
 * "tensor(0.5, device='cuda:0')", "np.int32(3)".  *end is behind it and its
 * brackets; false: none. */
bool textlog_number(double *out, const char *text, const char **end);

/* The number behind a mark; false: neither. */
bool textlog_find(double *out, const char *line, const char *mark);

/* A step: a whole number that is not negative; -1: none. */
int64_t textlog_step(const char *text, const char **end);

/* What is behind "MARK<step>SEP" in a line ("Step 12 | "); NULL: there is no
 * such thing in it. */
const char *textlog_step_line(int64_t *step, const char *line, const char *mark,
                              const char *sep);

/*
 * Every "NAME<colon>VALUE" from `text` on goes to the sink as a metric of
 * `step`, the pairs parted by `gap` and VALUE a number; what is none is passed
 * over.  Names may stand in quotes.  Returns how many in *n.
 *     textlog_pairs(&n, r, 7, "a:1 - b:2", ":", " - ", err)
 */
enum status textlog_pairs(size_t *n, struct reader *r, int64_t step,
                          const char *text, const char *colon, const char *gap,
                          struct err *err) MUST_CHECK;

#endif

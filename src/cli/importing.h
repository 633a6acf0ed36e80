/*
 * importing.h - the runs of other trainers on the command line: plumb import
 * FORMAT FILES, --sniff, and plumb diagnose --import.
 */
#ifndef PLUMB_CLI_IMPORTING_H
#define PLUMB_CLI_IMPORTING_H

#include "base/context.h"
#include "cli/options.h"

/*
 * Is it a run that plumb import is to read: does the name of a format stand
 * before the files, or is --sniff asked for?  ERR_ARG where two operands begin
 * with another word, naming the format most like it, and where an option of
 * the one is given for the other.
 */
enum status importing_is_run(bool *out, const struct options *o,
                             struct err *err) MUST_CHECK;

/* The command, once that is known. */
enum status importing_command(const struct options *o,
                              struct err *err) MUST_CHECK;

/* Import files of `format` into the folder `out`, with the --map that was
 * given.  The text of import.json is appended to `document`, unless NULL. */
enum status importing_run(struct buf *document, const struct options *o,
                          const char *format, const char *const *path,
                          size_t n_paths, const char *out,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

#endif

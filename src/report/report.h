/*
 * report.h - one self-contained page about a project: report.html.
 *
 * No script, no address outside the page, no time of day: the same files give
 * the same bytes.  It reads what `plumb eval` wrote (report/inputs.h), never a
 * model, and shows every number with the file it stands in.
 */
#ifndef PLUMB_REPORT_REPORT_H
#define PLUMB_REPORT_REPORT_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Write project_dir/report.html, whole or not at all.  ERR_MISSING when the
 * project has no eval/heldout.json; ERR_FORMAT when a file it reads is not
 * what it should be; ERR_IO.
 */
enum status report_write(const char *project_dir, struct err *err) MUST_CHECK;

/* The page itself, appended to `out`. */
enum status report_page(struct buf *out, const char *project_dir,
                        struct err *err) MUST_CHECK;

#endif

/*
 * report.h - one self-contained page about a project: report.html.
 *
 * No script, no address outside the page, no time of day: the same files give
 * the same bytes.  It reads what `plumb eval` wrote (report/inputs.h), never a
 * model, and shows every number with the file it stands in.
 *
 * With a diagnosis the page opens with the essay (report/essay.h), behind it
 * the two changes, the evidence, the rivals, what would change our mind, the
 * observations by tag and the checkpoint to ship; then the evaluation.
 */
#ifndef PLUMB_REPORT_REPORT_H
#define PLUMB_REPORT_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "diagnose/diagnose.h"

/*
 * Write project_dir/report.html, whole or not at all.  `d` and `e` are both
 * NULL or both there.  Without them ERR_MISSING when the project has no
 * eval/heldout.json, ERR_FORMAT when a file it reads is not what it should be;
 * with them the evaluation is left out then, and the page says why.  ERR_IO.
 */
enum status report_write(const char *project_dir, const struct diagnosis *d,
                         const struct evidence *e, struct err *err) MUST_CHECK;

/* The page itself, appended to `out`. */
enum status report_page(struct buf *out, const char *project_dir,
                        const struct diagnosis *d, const struct evidence *e,
                        struct err *err) MUST_CHECK;

#endif

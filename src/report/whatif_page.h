/*
 * whatif_page.h - whatif/report.html: what each change did, in one table and
 * two plots.
 *
 * Made from whatif/result.json (eval/whatif.h) alone; no script, no address
 * outside the page, no time of day.
 */
#ifndef PLUMB_REPORT_WHATIF_PAGE_H
#define PLUMB_REPORT_WHATIF_PAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* Write project_dir/whatif/report.html, whole or not at all.  ERR_MISSING
 * without a result.json, ERR_FORMAT when it is not what it should be. */
enum status whatif_page_write(const char *project_dir,
                              struct err *err) MUST_CHECK;

/* The page itself, appended to `out`. */
enum status whatif_page(struct buf *out, const struct json *result,
                        struct err *err) MUST_CHECK;

#endif

/*
 * essay_page.h - the essay's two writers.
 */
#ifndef PLUMB_REPORT_ESSAY_PAGE_H
#define PLUMB_REPORT_ESSAY_PAGE_H

#include "report/essay.h"
#include "report/html.h"
#include "report/inputs.h"

/*
 * An <article>: the title as <h1>, prose with its figures beside it, every
 * number a link to #row-ID with the statistic as its title.  `in` may be NULL
 * (no evaluation's report): figures that need it are left out.
 */
enum status essay_page_html(struct html *h, const struct essay *y,
                            const struct inputs *in,
                            struct err *err) MUST_CHECK;

/*
 * Markdown with footnotes, [^S1]: the statistic with its interval, n and file.
 * A note is written once, where its number first stands.
 */
void essay_page_markdown(struct buf *out, const struct essay *y);

#endif

/*
 * diagnosing.h - from a project's files to diagnosis.json and report.html, for
 * the command of its own and for the demo.
 */
#ifndef PLUMB_REPORT_DIAGNOSING_H
#define PLUMB_REPORT_DIAGNOSING_H

#include "diagnose/diagnose.h"

struct diagnosing {
    struct evidence e;
    struct diagnosis d;
};

/* Read and judge; ERR_MISSING when there is nothing to.  `path` is a project or
 * its run, `human` a file or database of votes, NULL the project's own; `team`
 * shares the reading. */
enum status diagnosing_open(struct diagnosing *out, const char *path,
                            const char *human, struct team *team,
                            const struct bootstrap *plan,
                            struct err *err) MUST_CHECK;
void diagnosing_close(struct diagnosing *g);

/* diagnosis.json as text, appended. */
enum status diagnosing_document(struct buf *out, const struct diagnosing *g,
                                struct err *err) MUST_CHECK;

/* Both files of the project. */
enum status diagnosing_save(const struct diagnosing *g,
                            struct err *err) MUST_CHECK;

/* One screen, and where the report is. */
enum status diagnosing_summary(struct buf *out, const struct diagnosing *g,
                               struct err *err) MUST_CHECK;

#endif

/*
 * files.h - small files for tests of eval, and comparisons.
 */
#ifndef PLUMB_TESTS_EVAL_FILES_H
#define PLUMB_TESTS_EVAL_FILES_H

#include <stddef.h>

#include "base/err.h"
#include "stat/summary.h"

/* Fails with the text when the status is not OK. */
void files_must(enum status status, const struct err *err);

/* A fresh directory; the result is static. */
const char *files_dir(void);

/* For tests that have a directory each: `static const char *dir` with set_up()
 * and tear_down() for cmocka. */
#define FILES_FIXTURE(dir)                                                     \
    static const char *dir;                                                    \
    static int set_up(void **state)                                            \
    {                                                                          \
        (void)state;                                                           \
        dir = files_dir();                                                     \
        return 0;                                                              \
    }                                                                          \
    static int tear_down(void **state)                                         \
    {                                                                          \
        (void)state;                                                           \
        files_remove(dir);                                                     \
        return 0;                                                              \
    }

/* Write `text` to dir/name, whose path is returned (one of a few static
 * buffers). */
const char *files_write(const char *dir, const char *name, const char *text);
const char *files_path(const char *dir, const char *name);

/* Remove the directory with all it holds. */
void files_remove(const char *dir);

void files_near(double got, double want, double tolerance);

#endif

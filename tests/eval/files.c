#include "files.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

static struct err err;

void files_must(enum status status, const struct err *e)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), e->text);
}

const char *files_dir(void)
{
    static char dir[256];
    const char *tmp = getenv("TMPDIR");
    assert_true(snprintf(dir, sizeof dir, "%s/plumb-test-XXXXXX",
                         tmp != NULL ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(dir));
    return dir;
}

const char *files_path(const char *dir, const char *name)
{
    static char path[4][512];
    static int turn;
    char *to = path[turn++ % 4];
    assert_true(snprintf(to, sizeof path[0], "%s/%s", dir, name) > 0);
    return to;
}

const char *files_write(const char *dir, const char *name, const char *text)
{
    const char *path = files_path(dir, name);
    files_must(file_write(path, text, strlen(text), &err), &err);
    return path;
}

void files_remove(const char *dir)
{
    files_must(file_remove(dir, &err), &err);
}

void files_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* What base/file.h has on paths: putting them together and taking them apart,
 * and the way from one to another. */

/* glibc counts realpath() among the X/Open functions. */
#define _XOPEN_SOURCE 700

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status file_join(char out[FILE_PATH_MAX], const char *dir,
                      const char *name, struct err *err)
{
    size_t len = strlen(dir);
    bool alone = name[0] == '/' || len == 0;
    const char *between = alone || dir[len - 1] == '/' ? "" : "/";
    int n =
        snprintf(out, FILE_PATH_MAX, "%s%s%s", alone ? "" : dir, between, name);
    if (n < 0 || n >= FILE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "path is too long: %.100s.../%.100s",
                       dir, name);
    return OK;
}

enum status file_dirname(char out[FILE_PATH_MAX], const char *path,
                         struct err *err)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= FILE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "path is too long: %.100s...", path);
    if (len == 0) {
        memcpy(out, ".", 2);
        return OK;
    }
    memmove(out, path, len);
    out[len] = '\0';
    return OK;
}

/* Put the components of `rest` after the absolute path `out`, taking "." and
 * ".." by their letters: these parts do not exist, so no link can mislead. */
static enum status append_parts(char out[FILE_PATH_MAX], const char *rest,
                                struct err *err)
{
    size_t used = strcmp(out, "/") == 0 ? 0 : strlen(out);
    while (*rest != '\0') {
        size_t len = strcspn(rest, "/");
        if (len == 2 && memcmp(rest, "..", 2) == 0) {
            while (used > 0 && out[used - 1] != '/')
                used--;
            if (used > 0)
                used--;
        } else if (len > 0 && !(len == 1 && rest[0] == '.')) {
            if (used + 1 + len >= FILE_PATH_MAX)
                return err_set(err, ERR_LIMIT, "path is too long");
            out[used++] = '/';
            memcpy(out + used, rest, len);
            used += len;
        }
        rest += len;
        if (*rest == '/')
            rest++;
    }
    if (used == 0)
        out[used++] = '/';
    out[used] = '\0';
    return OK;
}

/* The absolute path with links resolved as far as it exists. */
static enum status resolve(char out[FILE_PATH_MAX], const char *path,
                           struct err *err)
{
    char whole[FILE_PATH_MAX], cwd[FILE_PATH_MAX] = "";
    if (path[0] != '/' && getcwd(cwd, sizeof cwd) == NULL)
        return file_error(err, "find the directory of", path);
    TRY(file_join(whole, cwd, path, err));
    for (size_t end = strlen(whole);; end--) {
        /* Prefixes that end before a slash, from the longest; "/" exists. */
        if (end > 0 && whole[end] != '/' && whole[end] != '\0')
            continue;
        char kept = whole[end];
        whole[end] = '\0';
        bool found = realpath(end > 0 ? whole : "/", out) != NULL;
        whole[end] = kept;
        if (found)
            return append_parts(out, whole + end, err);
        if (end == 0)
            return file_error(err, "resolve", path);
    }
}

enum status file_absolute(char out[FILE_PATH_MAX], const char *path,
                          struct err *err)
{
    char resolved[FILE_PATH_MAX] = "";
    TRY(resolve(resolved, path, err));
    memcpy(out, resolved, sizeof resolved);
    return OK;
}

enum status file_relative(char out[FILE_PATH_MAX], const char *from,
                          const char *to, struct err *err)
{
    char a[FILE_PATH_MAX] = "", b[FILE_PATH_MAX] = "";
    TRY(resolve(a, from, err));
    TRY(resolve(b, to, err));
    /* The common part ends at a slash, or at the end of one of the two. */
    size_t common = 0;
    for (size_t i = 0;; i++) {
        bool a_ends = a[i] == '/' || a[i] == '\0';
        bool b_ends = b[i] == '/' || b[i] == '\0';
        if (a_ends && b_ends)
            common = i;
        if (a[i] != b[i] || a[i] == '\0')
            break;
    }
    struct buf text;
    buf_init(&text, FILE_PATH_MAX - 1);
    for (const char *p = a + common; *p != '\0'; p++)
        if (*p == '/' && p[1] != '\0')
            buf_puts(&text, text.len == 0 ? ".." : "/..");
    const char *rest = b + common + (b[common] == '/');
    if (*rest != '\0' && text.len != 0)
        buf_putc(&text, '/');
    buf_puts(&text, rest);
    if (text.len == 0)
        buf_putc(&text, '.');
    enum status status = buf_status(&text, err);
    if (status == OK)
        memcpy(out, text.data, text.len + 1);
    buf_free(&text);
    return status;
}

bool file_holds(const char *dir, const char *name)
{
    char path[FILE_PATH_MAX];
    return file_join(path, dir, name, NULL) == OK && file_exists(path);
}

bool file_ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

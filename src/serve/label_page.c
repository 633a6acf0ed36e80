/*
 * label_page.c - a page from a folder, for who works on it.
 */
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "serve/label.h"

#define FILE_MAX ((size_t)32 << 20)

static const struct {
    const char *end, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".txt", "text/plain; charset=utf-8"},
    {".map", "application/json"},
};

static const char *type_of(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (file_ends_with(name, types[i].end))
            return types[i].type;
    return NULL;
}

/* A text with "/" before it. */
static enum status copy_path(const char **out, struct arena *a,
                             const char *name, struct err *err)
{
    size_t len = strlen(name) + 1;
    char *path;
    TRY(ARENA_NEW(a, path, len + 1, err));
    path[0] = '/';
    memcpy(path + 1, name, len);
    *out = path;
    return OK;
}

static enum status read_file(struct http_file *f, struct arena *a,
                             const char *dir, const char *name, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct buf bytes;
    unsigned char *data = NULL;
    TRY(file_join(path, dir, name, err));
    buf_init(&bytes, FILE_MAX);
    enum status status = file_read(&bytes, path, err);
    if (status == OK)
        status = ARENA_NEW(a, data, bytes.len + 1, err);
    if (status == OK)
        memcpy(data, buf_text(&bytes), bytes.len);
    f->data = data;
    f->len = bytes.len;
    f->type = type_of(name);
    buf_free(&bytes);
    TRY(status);
    return copy_path(&f->path, a, name, err);
}

enum status label_page_read(struct label_page *out, struct arena *a,
                            const char *dir, struct err *err)
{
    static const char *const first[] = {"/index.html", "/label.html"};
    struct file_list list = {.name = NULL};
    struct label_page p = {.n = 0};
    bool has_first = false;
    TRY(file_list(&list, dir, err));
    enum status status = ARENA_NEW(a, p.file, list.n + 1, err);
    for (size_t i = 0; status == OK && i < list.n; i++)
        if (type_of(list.name[i]) != NULL)
            status = read_file(&p.file[p.n++], a, dir, list.name[i], err);
    for (size_t k = 0; k < sizeof first / sizeof *first; k++)
        for (size_t i = 0; status == OK && !has_first && i < p.n; i++)
            if (strcmp(p.file[i].path, first[k]) == 0) {
                has_first = true;
                p.file[p.n] = p.file[i];
                p.file[p.n].path = "/";
            }
    p.n += has_first;
    file_list_free(&list);
    TRY(status);
    if (!has_first)
        return err_set(err, ERR_MISSING, "%s: no index.html or label.html",
                       dir);
    *out = p;
    return OK;
}

#include "store/human.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "store/items.h"
#include "store/records.h"

#define RANKINGS_MAX ((size_t)1 << 30)

/* "a.db#b" in two, unless a file has the whole name; *pool is NULL of one.  A
 * pool's name may hold '#' too, so the first part is the shortest that is a
 * file; with none, what is before the first '#'. */
static enum status split(char file[FILE_PATH_MAX], const char **pool,
                         const char *path, struct err *err)
{
    *pool = NULL;
    TRY(file_join(file, "", path, err));
    if (file_exists(path))
        return OK;
    for (char *mark = strchr(file, '#'); mark != NULL;
         mark = strchr(mark + 1, '#')) {
        *mark = '\0';
        bool is_there = file_exists(file) && !file_is_dir(file);
        if (*pool == NULL || is_there)
            *pool = path + (mark + 1 - file);
        if (is_there)
            return OK;
        *mark = '#';
    }
    if (*pool != NULL)
        file[*pool - 1 - path] = '\0';
    return OK;
}

bool human_is_database(const char *path)
{
    char file[FILE_PATH_MAX];
    const char *pool;
    return split(file, &pool, path, NULL) == OK && db_is_sqlite(file);
}

/* ---- spot-checks --------------------------------------------------------- */

struct reading {
    const char *path;
    jsonl_fn fn;
    void *ctx;
    size_t row;
};

static enum status read_line(void *ctx, const char *line, size_t len,
                             struct err *err)
{
    struct reading *r = ctx;
    struct json *row;
    char what[FILE_PATH_MAX + 32];
    r->row++;
    (void)snprintf(what, sizeof what, "%s: vote %zu", r->path, r->row);
    TRY(json_parse(&row, line, len, what, err));
    enum status status = r->fn(r->ctx, row, r->row, err);
    json_free(row);
    return status == OK ? OK : err_context(err, "%s", what);
}

static enum status read_database(const char *path, const char *pool,
                                 records_fn fn, void *ctx, struct err *err)
{
    struct records_config c = {.format = RECORDS_SPOTCHECK};
    struct db *db;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = items_find_pool_id(&c.pool, db, pool, err);
    if (status == OK)
        status = records_walk(db, &c, fn, ctx, err);
    db_close(db);
    return status;
}

enum status human_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err)
{
    struct reading r = {path, fn, ctx, 0};
    char file[FILE_PATH_MAX];
    const char *pool;
    TRY(split(file, &pool, path, err));
    if (!human_is_database(file))
        return jsonl_read(path, fn, ctx, err);
    return read_database(file, pool, read_line, &r, err);
}

/* What a spot-check's row begins with, before its pair. */
#define HUMAN_HEAD "{\"schema\":\"plumb.spotcheck/1\","

/* A vote on what an alarm queued (plumb watch) is about one checkpoint: a
 * database with no others does not stand for the project's spot-check. */
static enum status found_one(void *ctx, const char *line, size_t len,
                             struct err *err)
{
    static const char queued[] = "\"pair_id\":\"watch/";
    size_t head = sizeof HUMAN_HEAD - 1, n = sizeof queued - 1;
    (void)ctx;
    if (len > head + n && memcmp(line + head, queued, n) == 0)
        return OK;
    return err_set(err, ERR_FOUND, "a vote");
}

static enum status has_votes(bool *out, const char *path, struct err *err)
{
    enum status status = read_database(path, NULL, found_one, NULL, err);
    *out = status == ERR_FOUND;
    return *out ? OK : status;
}

/* The database among the files of a folder, "" when none has votes. */
static enum status find_database(char out[FILE_PATH_MAX], const char *dir,
                                 const struct file_list *list, struct err *err)
{
    out[0] = '\0';
    for (size_t i = 0; i < list->n; i++) {
        char path[FILE_PATH_MAX];
        bool has = false;
        if (!file_ends_with(list->name[i], ".db"))
            continue;
        TRY(file_join(path, dir, list->name[i], err));
        TRY(has_votes(&has, path, err));
        if (has && *out)
            return err_set(err, ERR_MISMATCH,
                           "%s and %s both hold votes on spot-checks; move "
                           "one of them away",
                           out, path);
        if (has)
            memcpy(out, path, sizeof path);
    }
    return OK;
}

enum status human_find(char out[FILE_PATH_MAX], const char *project,
                       struct err *err)
{
    struct file_list list;
    char dir[FILE_PATH_MAX], found[FILE_PATH_MAX] = "";
    TRY(file_join(dir, project, "human", err));
    if (file_is_dir(dir)) {
        TRY(file_list(&list, dir, err));
        enum status status = find_database(found, dir, &list, err);
        file_list_free(&list);
        TRY(status);
    }
    if (*found) {
        memcpy(out, found, sizeof found);
        return OK;
    }
    return file_join(out, dir, "spotcheck.jsonl", err);
}

/* ---- rankings ------------------------------------------------------------ */

static enum status add_line(void *ctx, const char *line, size_t len,
                            struct err *err)
{
    struct buf *out = ctx;
    buf_append(out, line, len);
    buf_putc(out, '\n');
    return buf_status(out, err);
}

static enum status write_rankings(struct buf *out, struct db *db,
                                  const char *pool, struct err *err)
{
    struct records_config c = {.format = RECORDS_RANKINGS};
    TRY(items_find_pool_id(&c.pool, db, pool, err));
    TRY(records_walk(db, &c, add_line, out, err));
    if (out->len == 0)
        return err_set(err, ERR_MISSING,
                       "%s: no ranking stands in it; plumb label serves it "
                       "to people",
                       db_path(db));
    return OK;
}

enum status human_rankings(char out[FILE_PATH_MAX], const char *path,
                           const char *pool, struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct db *db = NULL;
    char hash[65], dir[FILE_PATH_MAX], name[32], file[FILE_PATH_MAX];
    const char *named;
    buf_init(&text, RANKINGS_MAX);
    TRY_DONE(split(file, &named, path, err));
    TRY_DONE(project_open(&db, file, DB_READ, NULL, err));
    TRY_DONE(write_rankings(&text, db, named != NULL ? named : pool, err));
    file_hash_bytes(hash, text.data, text.len);
    if (snprintf(dir, sizeof dir, "%s.votes", file) >= (int)sizeof dir) {
        status = err_set(err, ERR_LIMIT, "%.80s...: too long a path", file);
        goto done;
    }
    (void)snprintf(name, sizeof name, "%.16s.jsonl", hash);
    TRY_DONE(file_make_dir(dir, err));
    TRY_DONE(file_join(out, dir, name, err));
    TRY_DONE(file_write(out, text.data, text.len, err));
done:
    db_close(db);
    buf_free(&text);
    return status;
}

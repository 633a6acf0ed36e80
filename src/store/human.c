#include "store/human.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "store/items.h"
#include "store/once.h"
#include "store/records.h"
#include "store/schema.h"
#include "store/slices.h"

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
    if (file_is_dir(path))
        return true;
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

static enum status read_one(const char *path, jsonl_fn fn, void *ctx,
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

/* ---- a folder of them ---------------------------------------------------- */

/* Which votes stand in databases. */
struct found {
    bool has_queued, has_others;
};

static bool is_queued(const struct json *row)
{
    return slices_is_name(json_text(json_get(row, "pair_id"), ""));
}

/* Others are what matters: with the first one all is known. */
static enum status find_vote(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct found *f = ctx;
    (void)line;
    *(is_queued(row) ? &f->has_queued : &f->has_others) = true;
    return f->has_others ? err_set(err, ERR_FOUND, "a vote") : OK;
}

/* Each NAME.db of a folder, in the order of their names: the databases, or what
 * is no project of ours. */
static enum status walk_kind(const char *dir, bool is_foreign, human_fn fn,
                             void *ctx, struct err *err)
{
    struct file_list list;
    enum status status = OK;
    if (!file_is_dir(dir))
        return OK;
    TRY(file_list(&list, dir, err));
    for (size_t i = 0; status == OK && i < list.n; i++) {
        char path[FILE_PATH_MAX];
        if (!file_ends_with(list.name[i], ".db"))
            continue;
        status = file_join(path, dir, list.name[i], err);
        if (status == OK && !file_is_dir(path) &&
            db_is_foreign(path, schema_project()) == is_foreign)
            status = fn(ctx, path, err);
    }
    file_list_free(&list);
    return status;
}

static enum status walk_folder(const char *dir, human_fn fn, void *ctx,
                               struct err *err)
{
    return walk_kind(dir, false, fn, ctx, err);
}

enum status human_walk(const char *project, human_fn fn, void *ctx,
                       struct err *err)
{
    char dir[FILE_PATH_MAX];
    TRY(file_join(dir, project, "human", err));
    return walk_folder(dir, fn, ctx, err);
}

struct passing {
    jsonl_fn fn;
    void *ctx;
};

static enum status read_next(void *ctx, const char *path, struct err *err)
{
    const struct passing *p = ctx;
    return read_one(path, p->fn, p->ctx, err);
}

static enum status walk_databases(const char *dir, jsonl_fn fn, void *ctx,
                                  struct err *err)
{
    struct passing p = {fn, ctx};
    return walk_folder(dir, read_next, &p, err);
}

static enum status find_votes(struct found *out, const char *dir,
                              struct err *err)
{
    *out = (struct found){false, false};
    enum status status = walk_databases(dir, find_vote, out, err);
    return status == ERR_FOUND ? OK : status;
}

/* What an alarm queued is in the database, as it was said last. */
static enum status pass_others(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    const struct passing *p = ctx;
    return is_queued(row) ? OK : p->fn(p->ctx, row, line, err);
}

/* All rows of a folder. */
static enum status walk_rows(const char *dir, bool has_file, jsonl_fn fn,
                             void *ctx, struct err *err)
{
    struct passing p = {fn, ctx};
    char file[FILE_PATH_MAX];
    TRY(file_join(file, dir, "spotcheck.jsonl", err));
    if (has_file && file_exists(file))
        TRY(jsonl_read(file, pass_others, &p, err));
    return walk_databases(dir, fn, ctx, err);
}

static enum status note_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    (void)line;
    return once_note(ctx, row, err);
}

struct taking {
    struct once once;
    struct passing to;
};

static enum status take_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct taking *t = ctx;
    bool is_taken;
    TRY(once_take(&is_taken, &t->once, row, err));
    return is_taken ? t->to.fn(t->to.ctx, row, line, err) : OK;
}

enum status human_read_noting(struct human_notes *out, const char *path,
                              jsonl_fn fn, void *ctx, struct err *err)
{
    struct found found;
    struct taking t = {.to = {fn, ctx}};
    *out = (struct human_notes){0, 0, 0};
    if (!file_is_dir(path))
        return read_one(path, fn, ctx, err);
    TRY(find_votes(&found, path, err));
    enum status status =
        walk_rows(path, !found.has_others, note_row, &t.once, err);
    if (status == OK)
        status = walk_rows(path, !found.has_others, take_row, &t, err);
    *out = (struct human_notes){t.once.again, t.once.changed, t.once.namesakes};
    once_free(&t.once);
    return status;
}

enum status human_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err)
{
    struct human_notes notes;
    return human_read_noting(&notes, path, fn, ctx, err);
}

enum status human_find(char out[FILE_PATH_MAX], const char *project,
                       struct err *err)
{
    struct found found = {false, false};
    char dir[FILE_PATH_MAX];
    TRY(file_join(dir, project, "human", err));
    if (file_is_dir(dir))
        TRY(find_votes(&found, dir, err));
    if (found.has_others || found.has_queued)
        return file_join(out, "", dir, err);
    return file_join(out, dir, "spotcheck.jsonl", err);
}

/* "human/NAME", of a path in D/human or of the path itself. */
static void add_name(char out[HUMAN_NAMES], const char *name)
{
    size_t n = strlen(out);
    (void)snprintf(out + n, HUMAN_NAMES - n, "%shuman/%s", n > 0 ? " and " : "",
                   name);
}

static enum status add_path(void *ctx, const char *path, struct err *err)
{
    const char *name = strrchr(path, '/');
    (void)err;
    add_name(ctx, name != NULL ? name + 1 : path);
    return OK;
}

/* Does a database or a file hold a row that is read? */
static bool holds_votes(const char *path)
{
    struct found f = {false, false};
    struct err err;
    enum status status = read_one(path, find_vote, &f, &err);
    if (!human_is_database(path))
        return f.has_others;
    return (status == OK || status == ERR_FOUND) &&
           (f.has_others || f.has_queued);
}

static enum status add_holder(void *ctx, const char *path, struct err *err)
{
    return holds_votes(path) ? add_path(ctx, path, err) : OK;
}

void human_names(char out[HUMAN_NAMES], const char *path)
{
    struct found found;
    char file[FILE_PATH_MAX];
    out[0] = '\0';
    if (!file_is_dir(path)) {
        (void)add_path(out, path, NULL);
        return;
    }
    (void)walk_folder(path, add_holder, out, NULL);
    if (find_votes(&found, path, NULL) == OK && !found.has_others &&
        file_join(file, path, "spotcheck.jsonl", NULL) == OK &&
        holds_votes(file))
        (void)add_path(out, file, NULL);
}

enum status human_passed(char out[HUMAN_NAMES], const char *project,
                         struct err *err)
{
    char dir[FILE_PATH_MAX];
    out[0] = '\0';
    TRY(file_join(dir, project, "human", err));
    return walk_kind(dir, true, add_path, out, err);
}

/* The only one. */
struct only {
    char *path; // [FILE_PATH_MAX]
    size_t n;
};

static enum status count_database(void *ctx, const char *path, struct err *err)
{
    struct only *o = ctx;
    return ++o->n == 1 ? file_join(o->path, "", path, err) : OK;
}

enum status human_database(char out[FILE_PATH_MAX], const char *project,
                           struct err *err)
{
    struct only only = {out, 0};
    TRY(human_walk(project, count_database, &only, err));
    return only.n == 1 ? OK
                       : file_join(out, project, "human/judgements.db", err);
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

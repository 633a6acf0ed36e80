/*
 * watch_held.c - replies that people are judging blind, and nobody who looks
 * at a run on their machine may be told whose.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "serve/watch_internal.h"
#include "store/human.h"
#include "store/slices.h"

#define ID_MAX (6 * PROJECT_NAME_MAX + 1) // bytes of a prompt's id as JSON
#define STAMP_MAX ((size_t)16 << 20)

static enum status add_prompt(void *ctx, const char *prompt_id, struct err *err)
{
    size_t at;
    return names_add(ctx, &at, prompt_id, err);
}

static enum status add_database(void *ctx, const char *path, struct err *err)
{
    struct db *db = NULL;
    if (!file_exists(path))
        return OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = slices_walk_open(db, add_prompt, ctx, err);
    db_close(db);
    return status;
}

bool watch_is_trusted(const struct http_request *r)
{
    const struct http_who *who = http_who(r);
    return who->is_known && who->judge.role == JUDGE_ADMIN;
}

/* ---- once for each state of the files ----------------------------------- */

/* An empty log says as much as none: a reader makes one and takes it away. */
static void stamp_file(struct buf *out, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size == 0)
        buf_printf(out, "%s: none\n", path);
    else
        buf_printf(out, "%s: %llu %llu %lld.%09ld %lld\n", path,
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                   (long long)st.st_size);
}

/* A database and the log beside it, into which all that is new goes first. */
static enum status stamp_database(void *ctx, const char *path, struct err *err)
{
    char log[FILE_PATH_MAX + 4];
    stamp_file(ctx, path);
    (void)snprintf(log, sizeof log, "%s-wal", path);
    stamp_file(ctx, log);
    return buf_status(ctx, err);
}

static enum status walk(const struct watch *w, const char *project, human_fn fn,
                        void *ctx, struct err *err)
{
    if (w->judgements[0] != '\0')
        TRY(fn(ctx, w->judgements, err));
    return project[0] != '\0' ? human_walk(project, fn, ctx, err) : OK;
}

void watch_hidden_free(struct watch *w)
{
    names_free(&w->hidden.names);
    buf_free(&w->hidden.stamp);
    w->hidden.names = (struct names){.n = 0};
}

enum status watch_held_read(const struct names **out, struct watch *w,
                            const char *project, const struct http_request *r,
                            struct err *err)
{
    static const struct names none;
    struct buf stamp;
    struct names names = {.n = 0};
    *out = &none;
    if (watch_is_trusted(r))
        return OK;
    buf_init(&stamp, STAMP_MAX);
    /* Stamped first: what changes while it is read is read again. */
    enum status status = walk(w, project, stamp_database, &stamp, err);
    bool is_same = status == OK && w->hidden.stamp.len == stamp.len &&
                   (stamp.len == 0 ||
                    memcmp(w->hidden.stamp.data, stamp.data, stamp.len) == 0);
    if (status == OK && !is_same)
        status = walk(w, project, add_database, &names, err);
    if (status != OK || is_same) {
        names_free(&names);
        buf_free(&stamp);
    } else {
        watch_hidden_free(w);
        w->hidden.names = names;
        w->hidden.stamp = stamp;
        w->hidden.reads++;
    }
    *out = &w->hidden.names;
    return status;
}

void watch_held_hide(const struct names *held, struct watch_row *r)
{
    static const char said[] = "\"held back while people judge it\"";
    char id[ID_MAX];
    const struct scan_slice *raw = &r->prompt_id;
    if (held->n == 0 || raw->text == NULL || raw->len < 2 ||
        raw->len - 2 >= sizeof id)
        return;
    struct scan_slice inner = {raw->text + 1, raw->len - 2, false};
    inner.is_escaped = memchr(inner.text, '\\', inner.len) != NULL;
    id[scan_slice_copy(id, &inner)] = '\0';
    if (names_find(held, id) == SIZE_MAX)
        return;
    /* Numbers would tell one text from another, too. */
    *r = (struct watch_row){.prompt_id = r->prompt_id,
                            .prompt = r->prompt,
                            .tags = r->tags,
                            .which = r->which,
                            .response = {said, sizeof said - 1, false},
                            .step = r->step,
                            .sample = r->sample,
                            .score = (double)NAN,
                            .score_raw = (double)NAN,
                            .gold = (double)NAN,
                            .tokens = (double)NAN,
                            .kl = (double)NAN,
                            .k1 = (double)NAN};
}

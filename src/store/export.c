#include "store/export.h"

#include <string.h>

#include "base/file.h"
#include "store/audit.h"
#include "store/export_forms.h"

static const char *const names[EXPORT_FORMATS] = {
    "canonical",  "spotcheck", "rankings",   "trl",      "openrlhf",
    "alpacaeval", "arena",     "comparator", "helpsteer"};

const char *export_name(enum export_format format)
{
    return names[format];
}

int export_find(const char *name)
{
    for (int i = 0; i < EXPORT_FORMATS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool export_takes(enum export_format format, enum pool_task task)
{
    switch (format) {
    case EXPORT_RANKINGS:
        return task == POOL_RANKING;
    case EXPORT_CANONICAL:
    case EXPORT_TRL:
    case EXPORT_OPENRLHF:
    case EXPORT_FORMATS:
        return true;
    case EXPORT_SPOTCHECK:
    case EXPORT_ALPACAEVAL:
    case EXPORT_ARENA:
    case EXPORT_COMPARATOR:
    case EXPORT_HELPSTEER:
        break;
    }
    return task == POOL_SPOTCHECK;
}

/* The line of a record, read and written anew. */
static enum status convert(void *ctx, const char *line, size_t len,
                           struct err *err)
{
    struct export_form *f = ctx;
    struct json *row;
    TRY(json_parse(&row, line, len, "a record", err));
    enum status status = f->convert(f, row, err);
    json_free(row);
    return status;
}

static enum status walk_both(struct db *db, void *ctx, struct err *err)
{
    struct export_form *f = ctx;
    struct records_config c = {.pool = f->config->pool,
                               .is_redact = f->config->is_redact,
                               .format = RECORDS_RANKINGS};
    TRY(export_form_begin(f, err));
    if (f->takes_rankings)
        TRY(records_walk(db, &c, convert, f, err));
    c.format = RECORDS_SPOTCHECK;
    TRY(records_walk(db, &c, convert, f, err));
    return export_form_end(f, err);
}

enum status export_walk(struct db *db, const struct export_config *c,
                        records_fn fn, void *ctx, struct err *err)
{
    static const enum records_format plain[] = {
        RECORDS_CANONICAL, RECORDS_SPOTCHECK, RECORDS_RANKINGS};
    if (c->format <= EXPORT_RANKINGS) {
        const struct records_config r = {.format = plain[c->format],
                                         .pool = c->pool,
                                         .is_redact = c->is_redact};
        return records_walk(db, &r, fn, ctx, err);
    }
    struct export_form f;
    export_form_open(&f, c, fn, ctx);
    enum status status = db_snapshot(db, walk_both, &f, err);
    export_form_close(&f);
    return status;
}

enum status export_note(struct db *db, const struct export_config *c,
                        int64_t actor, int64_t now, struct err *err)
{
    const struct audit_event event = {.event = "export",
                                      .actor = actor,
                                      .subject = c->pool,
                                      .detail = names[c->format],
                                      .at = now};
    return audit_append(db, &event, err);
}

/* ---- into a file -------------------------------------------------------- */

struct saving {
    struct file_writer file;
    int64_t lines;
};

static enum status save_line(void *ctx, const char *line, size_t len,
                             struct err *err)
{
    struct saving *s = ctx;
    s->lines++;
    TRY(file_put(&s->file, line, len, err));
    return file_put(&s->file, "\n", 1, err);
}

enum status export_save(int64_t *lines, struct db *db,
                        const struct export_config *c, const char *path,
                        int64_t actor, int64_t now, struct err *err)
{
    struct saving s = {.lines = 0};
    TRY(file_create(&s.file, path, err));
    enum status status = export_walk(db, c, save_line, &s, err);
    if (status == OK && !db_is_still(db))
        status = export_note(db, c, actor, now, err);
    TRY(file_finish(&s.file, status, err));
    *lines = s.lines;
    return OK;
}

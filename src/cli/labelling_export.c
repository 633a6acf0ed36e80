#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/labelling.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "store/export.h"
#include "store/human.h"
#include "store/items.h"

#define OUT_MAX ((size_t)1 << 30)
#define NAMES_MAX ((size_t)1 << 20)

struct printing {
    struct buf out;
    int64_t lines;
};

static enum status print_line(void *ctx, const char *line, size_t len,
                              struct err *err)
{
    struct printing *p = ctx;
    buf_append(&p->out, line, len);
    buf_putc(&p->out, '\n');
    p->lines++;
    return buf_status(&p->out, err);
}

static enum status print_all(int64_t *lines, struct db *db,
                             const struct export_config *c, struct err *err)
{
    struct printing p = {.lines = 0};
    buf_init(&p.out, OUT_MAX);
    enum status status = export_walk(db, c, print_line, &p, err);
    if (status == OK && !db_is_still(db))
        status = export_note(db, c, 0, labelling_now(), err);
    if (status == OK)
        status = terminal_print(&p.out, err);
    buf_free(&p.out);
    *lines = p.lines;
    return status;
}

/* An export never takes the place of a database, or of its log. */
static enum status check_target(const char *out, const char *path,
                                struct err *err)
{
    static const char *const behind[] = {"", "-wal", "-shm"};
    char own[FILE_PATH_MAX], to[FILE_PATH_MAX];
    bool is_own = human_is_database(out);
    TRY(file_absolute(to, out, err));
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        char name[FILE_PATH_MAX];
        (void)snprintf(name, sizeof name, "%s%s", path, behind[i]);
        TRY(file_absolute(own, name, err));
        is_own = is_own || strcmp(own, to) == 0;
    }
    return is_own ? err_set(err, ERR_ARG,
                            "out = %.200s is a database, which an export does "
                            "not replace",
                            out)
                  : OK;
}

/* The pools that an export has something of. */
struct mixing {
    struct db *db;
    const struct export_config *config;
    struct buf names;
    size_t n;
};

static enum status add_name(void *ctx, int64_t id, struct err *err)
{
    struct mixing *m = ctx;
    struct arena a = {0};
    struct pool pool;
    enum status status = items_read_pool(&pool, &a, m->db, id, err);
    if (status == OK && (m->config->pool == 0 || m->config->pool == id) &&
        export_takes(m->config->format, pool.task))
        buf_printf(&m->names, "%s'%s'", m->n++ > 0 ? ", " : "", pool.name);
    arena_free(&a);
    return status == OK ? buf_status(&m->names, err) : status;
}

/* What an export may surprise with. */
static enum status warn(const struct options *o, struct db *db,
                        const struct export_config *c, int64_t lines,
                        struct err *err)
{
    struct mixing m = {.db = db, .config = c};
    struct terminal t;
    struct context context;
    labelling_context(&context, &t, o);
    if (db_is_still(db))
        context_warn(&context,
                     "%s cannot be written here: its audit log does not note "
                     "this export",
                     db_path(db));
    buf_init(&m.names, NAMES_MAX);
    enum status status = items_walk_pools(db, add_name, &m, err);
    if (status == OK && m.n == 0)
        context_warn(&context,
                     "nothing is in it: %s has no place for what such pools "
                     "ask",
                     export_name(c->format));
    else if (status == OK && lines == 0)
        context_warn(&context,
                     "nothing is in it: no vote on %s yet that %s has a place "
                     "for",
                     buf_text(&m.names), export_name(c->format));
    else if (status == OK && m.n > 1 && c->format != EXPORT_CANONICAL)
        /* Every canonical record names its pool. */
        context_warn(&context,
                     "the votes of %zu pools are mixed in it, %s; --pool NAME "
                     "takes one",
                     m.n, buf_text(&m.names));
    buf_free(&m.names);
    return status;
}

enum status labelling_export(const struct options *o, struct db *db,
                             struct err *err)
{
    struct buf out;
    struct json_writer w;
    int64_t lines = 0;
    struct export_config c = {.format = (enum export_format)o->v.label.format,
                              .is_redact = o->v.label.redact};
    TRY(items_find_pool_id(&c.pool, db, o->v.label.pool, err));
    if (o->v.common.out != NULL) {
        TRY(session_check_file(o, err));
        TRY(check_target(o->v.common.out, db_path(db), err));
    }
    if (o->v.common.out == NULL) {
        TRY(print_all(&lines, db, &c, err));
        return warn(o, db, &c, lines, err);
    }
    TRY(export_save(&lines, db, &c, o->v.common.out, 0, labelling_now(), err));
    TRY(warn(o, db, &c, lines, err));
    buf_init(&out, 1 << 16);
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "export");
        json_field_text(&w, "format", export_name(c.format));
        json_field_text(&w, "path", o->v.common.out);
        json_field_int(&w, "lines", lines);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out, "%s: %lld lines\n", o->v.common.out, (long long)lines);
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

enum status labelling_restore(const struct options *o, struct db *db,
                              struct err *err)
{
    struct records_counts n;
    struct buf out;
    struct json_writer w;
    TRY(records_restore(&n, db, o->operand[2], 0, labelling_now(), err));
    buf_init(&out, 1 << 16);
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "restore");
        json_field_int(&w, "lines", n.lines);
        json_field_int(&w, "pools", n.pools);
        json_field_int(&w, "items", n.items);
        json_field_int(&w, "judges", n.judges);
        json_field_int(&w, "assignments", n.assignments);
        json_field_int(&w, "acts", n.acts);
        json_field_int(&w, "remarks", n.remarks);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out,
                   "%lld lines: %lld pools, %lld items, %lld judges, %lld "
                   "acts, %lld remarks\n",
                   (long long)n.lines, (long long)n.pools, (long long)n.items,
                   (long long)n.judges, (long long)n.acts,
                   (long long)n.remarks);
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

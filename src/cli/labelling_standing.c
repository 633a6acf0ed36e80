/* labelling_standing.c - plumb label standing: how the pools stand. */
#include "cli/labelling.h"
#include "cli/terminal.h"
#include "serve/standing.h"

#define TEXT_MAX ((size_t)64 << 20)

struct telling {
    struct db *db;
    bool is_json;
    struct buf out;
    size_t pools;
};

/* Documents are one a line, texts have a blank line between them. */
static enum status tell_pool(void *ctx, int64_t pool, struct err *err)
{
    struct telling *t = ctx;
    struct standing s;
    struct json_writer w;
    TRY(standing_make(&s, t->db, pool, labelling_now(), err));
    if (t->is_json) {
        json_writer_init(&w, &t->out, false);
        standing_write(&w, &s);
        buf_putc(&t->out, '\n');
    } else {
        if (t->pools > 0)
            buf_putc(&t->out, '\n');
        standing_text(&t->out, &s);
    }
    t->pools++;
    standing_free(&s);
    return buf_status(&t->out, err);
}

static enum status tell_named(struct telling *t, const char *name,
                              struct err *err)
{
    struct arena a = {0};
    struct pool pool;
    enum status status = items_find_pool(&pool, &a, t->db, name, err);
    if (status == OK)
        status = tell_pool(t, pool.id, err);
    arena_free(&a);
    return status;
}

enum status labelling_standing(const struct options *o, struct db *db,
                               struct err *err)
{
    struct telling t = {.db = db, .is_json = o->v.common.json};
    const char *name = o->v.label.pool;
    buf_init(&t.out, TEXT_MAX);
    enum status status = name != NULL
                             ? tell_named(&t, name, err)
                             : items_walk_pools(db, tell_pool, &t, err);
    if (status == OK)
        status = terminal_print(&t.out, err);
    buf_free(&t.out);
    return status;
}

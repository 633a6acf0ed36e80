#include "model/generate_cache.h"

#include <assert.h>
#include <string.h>

#include "nn/paged.h"

static size_t pages_of(size_t len)
{
    return (len + PAGED_ROWS - 1) / PAGED_ROWS;
}

enum status generate_cache_place(struct generate_cache *c, size_t floats,
                                 size_t tables, size_t T, struct arena *arena,
                                 struct err *err)
{
    struct generate_cache out = {
        .floats = floats, .table_max = pages_of(T), .arena = arena};

    /* A table that is replaced takes a page before it gives one back. */
    out.max = tables * out.table_max + 1;
    TRY(ARENA_NEW(arena, out.page, out.max, err));
    TRY(ARENA_NEW(arena, out.holders, out.max, err));
    TRY(ARENA_NEW(arena, out.unused, out.max, err));
    *c = out;
    return OK;
}

enum status generate_cache_table(struct cache_table *t,
                                 const struct generate_cache *c,
                                 struct err *err)
{
    TRY(ARENA_NEW(c->arena, t->page, c->table_max, err));
    TRY(ARENA_NEW(c->arena, t->id, c->table_max, err));
    t->n = 0;
    return OK;
}

static enum status new_page(size_t *id, struct generate_cache *c,
                            struct err *err)
{
    if (c->n_unused > 0) {
        *id = c->unused[--c->n_unused];
    } else {
        assert(c->made < c->max);
        TRY(ARENA_NEW(c->arena, c->page[c->made], c->floats, err));
        *id = c->made++;
    }
    c->holders[*id] = 1;
    return OK;
}

static void drop(struct generate_cache *c, size_t id)
{
    if (--c->holders[id] == 0)
        c->unused[c->n_unused++] = id;
}

static void put(struct generate_cache *c, struct cache_table *t, size_t id)
{
    t->id[t->n] = id;
    t->page[t->n++] = c->page[id];
}

enum status generate_cache_grow(struct generate_cache *c, struct cache_table *t,
                                size_t len, struct err *err)
{
    assert(pages_of(len) <= c->table_max);
    while (t->n < pages_of(len)) {
        size_t id;

        TRY(new_page(&id, c, err));
        put(c, t, id);
    }
    return OK;
}

enum status generate_cache_share(struct generate_cache *c,
                                 struct cache_table *to,
                                 const struct cache_table *from, size_t len,
                                 struct err *err)
{
    size_t full = len / PAGED_ROWS, rest = 0, old = to->n;
    bool has_rest = len % PAGED_ROWS != 0;

    assert(pages_of(len) <= from->n);
    if (has_rest) {
        TRY(new_page(&rest, c, err));
        memcpy(c->page[rest], from->page[full], c->floats * sizeof(float));
    }
    for (size_t i = 0; i < full; i++)
        c->holders[from->id[i]]++;
    for (size_t i = 0; i < old; i++)
        drop(c, to->id[i]);
    to->n = 0;
    for (size_t i = 0; i < full; i++)
        put(c, to, from->id[i]);
    if (has_rest)
        put(c, to, rest);
    return OK;
}

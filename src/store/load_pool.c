/* load_pool.c - the pool that a file is loaded into, found or made. */
#include <math.h>
#include <string.h>

#include "store/load_set.h"
#include "store/query.h"

static enum status differs(const struct load_config *c, const char *what,
                           struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "pool '%.80s' has another %s: a pool keeps its settings",
                   c->pool, what);
}

static enum status check_pool(const struct pool *p, const struct load_config *c,
                              struct err *err)
{
    if (p->task != c->task)
        return differs(c, "task", err);
    if (p->closed != 0)
        return err_set(err, ERR_MISMATCH, "pool '%.80s' is closed", c->pool);
    if (c->overlap != 0 && c->overlap != p->overlap)
        return differs(c, "overlap", err);
    if (c->lease != 0 && c->lease != p->lease)
        return differs(c, "lease", err);
    if (!isnan(c->random_share) && c->random_share != p->random_share)
        return differs(c, "random share", err);
    if (c->guide != NULL && strcmp(c->guide, p->guide) != 0)
        return differs(c, "guide", err);
    return OK;
}

static enum status count_pairs(struct load_pool *was, struct db *db,
                               const struct pool *p, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT count(*), coalesce(sum(kind = 'placebo'), 0) FROM "
                   "item WHERE pool_id = ?1 AND kind IN ('normal', 'placebo')",
                   err));
    query_bind_int(&q, 1, p->id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && p->task == POOL_SPOTCHECK) {
        was->pairs = query_int(&q, 0);
        was->placebos = query_int(&q, 1);
    }
    query_close(&q);
    return status;
}

enum status load_pool_find(struct pool *out, struct load_pool *was,
                           struct arena *a, struct db *db,
                           const struct load_config *c, struct err *err)
{
    struct pool p = {
        .name = c->pool,
        .task = c->task,
        .overlap = c->overlap != 0 ? c->overlap : 1,
        .lease = c->lease != 0 ? c->lease : LOAD_LEASE,
        .random_share =
            isnan(c->random_share) ? LOAD_RANDOM_SHARE : c->random_share,
        .guide = c->guide != NULL ? c->guide : "",
    };
    *was = (struct load_pool){0};
    enum status status = items_find_pool(out, a, db, c->pool, err);
    if (status == OK) {
        TRY(check_pool(out, c, err));
        return count_pairs(was, db, out, err);
    }
    if (status != ERR_MISSING)
        return status;
    TRY(items_add_pool(&p.id, db, &p, c->actor, c->now, err));
    *out = p;
    return OK;
}

/* A page shows a dialogue otherwise than a text, so gold of a form that no
 * other item of the pool has would be told by its looks. */
enum status load_pool_check_forms(const struct pool *pool, struct db *db,
                                  const char *path, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT g.name, g.messages IS NOT NULL FROM item AS g "
                   "WHERE g.pool_id = ?1 AND g.kind = 'gold' "
                   "AND g.retired_ms IS NULL AND NOT EXISTS ("
                   "SELECT 1 FROM item AS i WHERE i.pool_id = ?1 "
                   "AND i.kind NOT IN ('gold', 'repeat') "
                   "AND (i.messages IS NULL) = (g.messages IS NULL)) "
                   "AND EXISTS (SELECT 1 FROM item AS i WHERE i.pool_id = ?1 "
                   "AND i.kind NOT IN ('gold', 'repeat')) LIMIT 1",
                   err));
    query_bind_int(&q, 1, pool->id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row) {
        const char *name = query_text(&q, 0);
        bool is_dialogue = query_int(&q, 1) != 0;
        status = err_set(
            err, ERR_MISMATCH,
            "%s: gold '%.80s' has %s, the other items of pool '%.80s' have %s: "
            "judges would tell it by its looks",
            path, name != NULL ? name : "",
            is_dialogue ? "messages" : "a text as its prompt", pool->name,
            is_dialogue ? "texts" : "messages");
    }
    query_close(&q);
    return status;
}

#include "store/unblind.h"

#include "store/audit.h"
#include "store/query.h"

#define UNBLIND_VERSION 2 // of the schema, the first to know of it

enum status unblind_is_bound(bool *out, struct db *db, int64_t judge,
                             int64_t pool, struct err *err)
{
    struct query q;
    int64_t found = 0;
    TRY(query_open(&q, db,
                   "SELECT 1 FROM pool AS p WHERE p.id = ?2 "
                   "AND p.closed_ms IS NULL AND EXISTS ("
                   "SELECT 1 FROM assignment AS a "
                   "JOIN item AS i ON i.id = a.item_id "
                   "WHERE a.judge_id = ?1 AND i.pool_id = ?2)",
                   err));
    query_bind_int(&q, 1, judge);
    query_bind_int(&q, 2, pool);
    TRY(query_one(&found, &q, err));
    *out = found != 0;
    return OK;
}

enum status unblind_when(int64_t *at, struct db *db, int64_t judge,
                         int64_t pool, struct err *err)
{
    struct query q;
    *at = 0;
    /* Nobody could then, and the index that makes this cheap is not there. */
    if (db_version(db) < UNBLIND_VERSION)
        return OK;
    TRY(query_open(&q, db,
                   "SELECT at_ms FROM audit WHERE event = 'unblind' "
                   "AND subject = ?2 AND actor = ?1 ORDER BY id LIMIT 1",
                   err));
    query_bind_int(&q, 1, judge);
    query_bind_int(&q, 2, pool);
    return query_one(at, &q, err);
}

struct looking {
    int64_t judge, pool, at;
};

static enum status note(struct db *db, void *ctx, struct err *err)
{
    const struct looking *x = ctx;
    int64_t before = 0;
    TRY(unblind_when(&before, db, x->judge, x->pool, err));
    if (before != 0)
        return OK;
    return audit_append(db,
                        &(struct audit_event){.event = "unblind",
                                              .actor = x->judge,
                                              .subject = x->pool,
                                              .at = x->at},
                        err);
}

enum status unblind_note(struct db *db, int64_t judge, int64_t pool, int64_t at,
                         struct err *err)
{
    struct looking x = {judge, pool, at};
    return db_transact(db, note, &x, err);
}

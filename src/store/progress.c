#include "store/progress.h"

#include "store/query.h"

struct asking {
    struct progress *out;
    int64_t pool, now;
};

static enum status count_items(struct progress *out, struct db *db,
                               int64_t pool, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(
        &q, db,
        "SELECT coalesce(sum(plain), 0), "
        "coalesce(sum(plain AND votes >= overlap), 0), "
        "coalesce(sum(plain AND votes BETWEEN 1 AND overlap - 1), 0), "
        "coalesce(sum(votes), 0), "
        "coalesce(sum(iif(plain, max(overlap - votes, 0), 0)), 0), "
        "coalesce(sum(NOT is_plain), 0), "
        "coalesce(sum(iif(is_plain, 0, votes)), 0) FROM ("
        "SELECT i.kind <> 'repeat' AS is_plain, "
        "i.kind <> 'repeat' AND i.retired_ms IS NULL AS plain, "
        "p.overlap AS overlap, (SELECT count(*) FROM assignment AS a "
        "WHERE a.item_id = i.id AND a.state = 'voted') AS votes "
        "FROM item AS i JOIN pool AS p ON p.id = i.pool_id "
        "WHERE i.pool_id = ?1)",
        err));
    query_bind_int(&q, 1, pool);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row) {
        out->items = query_int(&q, 0);
        out->complete = query_int(&q, 1);
        out->begun = query_int(&q, 2);
        out->votes = query_int(&q, 3);
        out->wanted = query_int(&q, 4);
        out->repeats = query_int(&q, 5);
        out->repeats_voted = query_int(&q, 6);
    }
    query_close(&q);
    return status;
}

static enum status count_hands(struct progress *out, struct db *db,
                               int64_t pool, int64_t now, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(
        &q, db,
        "SELECT coalesce(sum(a.state = 'leased' AND a.expires_ms > ?2), 0), "
        "coalesce(sum(a.state = 'skipped'), 0), "
        "(SELECT count(*) FROM remark AS r "
        "JOIN assignment AS b ON b.id = r.assignment_id "
        "JOIN item AS j ON j.id = b.item_id "
        "WHERE j.pool_id = ?1 AND r.kind = 'flag') "
        "FROM assignment AS a JOIN item AS i ON i.id = a.item_id "
        "WHERE i.pool_id = ?1",
        err));
    query_bind_int(&q, 1, pool);
    query_bind_int(&q, 2, now);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row) {
        out->held = query_int(&q, 0);
        out->skipped = query_int(&q, 1);
        out->flags = query_int(&q, 2);
    }
    query_close(&q);
    return status;
}

static enum status count(struct db *db, void *ctx, struct err *err)
{
    struct asking *c = ctx;
    TRY(count_items(c->out, db, c->pool, err));
    return count_hands(c->out, db, c->pool, c->now, err);
}

enum status progress_pool(struct progress *out, struct db *db, int64_t pool,
                          int64_t now, struct err *err)
{
    struct progress p = {0};
    struct asking c = {.out = &p, .pool = pool, .now = now};
    TRY(db_snapshot(db, count, &c, err));
    *out = p;
    return OK;
}

/* What is wanted and not taken, and what is taken and only held. */
enum status progress_brief(struct progress_brief *out, struct db *db,
                           int64_t pool, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(
        &q, db,
        "SELECT (SELECT count(*) FROM assignment AS a "
        "JOIN item AS i ON i.id = a.item_id "
        "WHERE i.pool_id = ?1 AND a.state = 'voted'), "
        "(SELECT coalesce(sum(max(p.overlap - i.taken, 0)), 0) FROM item AS i "
        "JOIN pool AS p ON p.id = i.pool_id "
        "WHERE i.pool_id = ?1 AND i.retired_ms IS NULL) + "
        "(SELECT count(*) FROM assignment AS a "
        "JOIN item AS i ON i.id = a.item_id "
        "WHERE i.pool_id = ?1 AND a.state = 'leased')",
        err));
    query_bind_int(&q, 1, pool);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row)
        *out = (struct progress_brief){query_int(&q, 0), query_int(&q, 1)};
    query_close(&q);
    return status;
}

enum status progress_judge(struct progress_judge *out, struct db *db,
                           int64_t judge, int64_t pool, int64_t now,
                           struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(
        &q, db,
        "SELECT count(*), coalesce(sum(a.state = 'voted'), 0), "
        "coalesce(sum(a.state = 'skipped'), 0), "
        "coalesce(sum(a.state = 'leased' AND a.expires_ms > ?3), 0), "
        "coalesce(sum((SELECT count(*) FROM vote AS v WHERE "
        "v.assignment_id = a.id AND v.act = 'undo')), 0) "
        "FROM assignment AS a JOIN item AS i ON i.id = a.item_id "
        "WHERE a.judge_id = ?1 AND i.pool_id = ?2",
        err));
    query_bind_int(&q, 1, judge);
    query_bind_int(&q, 2, pool);
    query_bind_int(&q, 3, now);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row)
        *out = (struct progress_judge){
            .assigned = query_int(&q, 0),
            .voted = query_int(&q, 1),
            .skipped = query_int(&q, 2),
            .held = query_int(&q, 3),
            .undone = query_int(&q, 4),
        };
    query_close(&q);
    return status;
}

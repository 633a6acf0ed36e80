#include "store/assign.h"

#include <string.h>

#include "base/rng.h"
#include "store/audit.h"
#include "store/judges.h"
#include "store/query.h"

/* ---- reading ------------------------------------------------------------ */

#define COLUMNS                                                                \
    "SELECT id, item_id, judge_id, nth, shown, secret, commitment, "           \
    "leased_ms, "                                                              \
    "expires_ms, state FROM assignment "

/* The assignment of a query that is bound; ends it. */
static enum status read_one(struct assignment *out, struct query *q,
                            struct err *err)
{
    struct assignment x;
    bool row;
    enum status status = query_next(q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such assignment");
    if (status != OK)
        goto done;
    int state = choice_find(&choice_state, query_text(q, 9));
    x = (struct assignment){
        .id = query_int(q, 0),
        .item = query_int(q, 1),
        .judge = query_int(q, 2),
        .nth = query_int(q, 3),
        .leased = query_int(q, 7),
        .expires = query_int(q, 8),
        .state = state > 0 ? (enum assign_state)state : ASSIGN_LEASED,
    };
    const char *shown = query_text(q, 4);
    TRY_DONE(order_read(&x.order, shown != NULL ? shown : "", err));
    TRY_DONE(query_blob(x.order.secret, ORDER_BYTES, q, 5, err));
    TRY_DONE(query_blob(x.order.commitment, ORDER_BYTES, q, 6, err));
    *out = x;
done:
    query_close(q);
    return status;
}

enum status assign_read(struct assignment *out, struct db *db, int64_t id,
                        struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, COLUMNS "WHERE id = ?1", err));
    query_bind_int(&q, 1, id);
    return read_one(out, &q, err);
}

enum status assign_find(struct assignment *out, struct db *db, int64_t item,
                        int64_t judge, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, COLUMNS "WHERE item_id = ?1 AND judge_id = ?2",
                   err));
    query_bind_int(&q, 1, item);
    query_bind_int(&q, 2, judge);
    return read_one(out, &q, err);
}

enum status assign_digest(unsigned char out[32], struct db *db, int64_t id,
                          struct err *err)
{
    struct assignment x;
    struct buf bytes;
    struct json_writer w;
    char hex[2 * ORDER_BYTES + 1];
    TRY(assign_read(&x, db, id, err));
    audit_hex(hex, x.order.commitment, ORDER_BYTES);
    buf_init(&bytes, 4096);
    json_writer_init(&w, &bytes, false);
    json_open(&w, '{');
    json_field_int(&w, "assignment", x.id);
    json_field_int(&w, "item", x.item);
    json_field_int(&w, "judge", x.judge);
    json_field_int(&w, "nth", x.nth);
    json_field_text(&w, "commitment", hex);
    json_field_int(&w, "leased", x.leased);
    json_close(&w, '}');
    enum status status = audit_digest(out, &bytes, err);
    buf_free(&bytes);
    return status;
}

/* ---- orders ------------------------------------------------------------- */

/* What an order is drawn for and checked against. */
struct subject {
    struct item item;
    struct pool pool;
    struct assignment first; // of a repeat: the first visit
    bool is_repeat;
};

static enum status read_subject(struct subject *out, struct arena *a,
                                struct db *db, int64_t item, int64_t judge,
                                struct err *err)
{
    int64_t first;
    TRY(items_read(&out->item, a, db, item, err));
    TRY(items_read_pool(&out->pool, a, db, out->item.pool, err));
    out->is_repeat = out->item.kind == ITEM_REPEAT;
    if (!out->is_repeat)
        return OK;
    TRY(items_find(&first, db, out->pool.id, out->item.repeat_of, err));
    return assign_find(&out->first, db, first, judge, err);
}

static enum status make_order(struct order *out, struct db *db, int64_t item,
                              int64_t judge, struct err *err)
{
    struct arena a = {0};
    struct subject x;
    struct project project;
    enum status status = OK;
    TRY_DONE(read_subject(&x, &a, db, item, judge, err));
    TRY_DONE(project_read(&project, db, err));
    order_secret(out->secret, project.order_key, judge, item);
    out->K = x.item.n;
    if (x.is_repeat)
        order_swap(out, &x.first.order);
    else
        order_draw(out);
    status = order_commit(out, x.pool.name, x.item.name, err);
done:
    arena_free(&a);
    return status;
}

static enum status check_order(struct db *db, const struct assignment *x,
                               struct err *err)
{
    struct arena a = {0};
    struct subject s;
    enum status status = read_subject(&s, &a, db, x->item, x->judge, err);
    if (status == OK && s.item.n != x->order.K)
        status = err_set(err, ERR_MISMATCH,
                         "the order of '%.80s' is of %zu candidates, not %zu",
                         s.item.name, x->order.K, s.item.n);
    if (status == OK)
        status = order_check(&x->order, s.pool.name, s.item.name,
                             s.is_repeat ? &s.first.order : NULL, err);
    arena_free(&a);
    return status;
}

enum status assign_check_order(struct db *db, int64_t id, struct err *err)
{
    struct assignment x;
    TRY(assign_read(&x, db, id, err));
    return check_order(db, &x, err);
}

/* ---- putting one in ----------------------------------------------------- */

static enum status insert(struct db *db, struct assignment *x, struct err *err)
{
    struct buf shown;
    struct query q;
    buf_init(&shown, 4096);
    order_write(&shown, &x->order);
    enum status status = buf_status(&shown, err);
    if (status == OK)
        status = query_open(&q, db,
                            "INSERT INTO assignment (item_id, judge_id, nth, "
                            "shown, secret, commitment, leased_ms, expires_ms) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                            err);
    if (status == OK) {
        query_bind_int(&q, 1, x->item);
        query_bind_int(&q, 2, x->judge);
        query_bind_int(&q, 3, x->nth);
        query_bind_text(&q, 4, buf_text(&shown));
        query_bind_blob(&q, 5, x->order.secret, ORDER_BYTES);
        query_bind_blob(&q, 6, x->order.commitment, ORDER_BYTES);
        query_bind_int(&q, 7, x->leased);
        query_bind_int(&q, 8, x->expires);
        status = query_run(&q, err);
    }
    buf_free(&shown);
    TRY(status);
    x->id = db_last_id(db);
    unsigned char digest[AUDIT_HASH];
    TRY(assign_digest(digest, db, x->id, err));
    return audit_append(db,
                        &(struct audit_event){.event = "lease",
                                              .actor = x->judge,
                                              .subject = x->id,
                                              .digest = digest,
                                              .at = x->leased},
                        err);
}

static enum status restore(struct db *db, void *ctx, struct err *err)
{
    struct assignment *x = ctx;
    TRY(check_order(db, x, err));
    return insert(db, x, err);
}

enum status assign_restore(int64_t *id, struct db *db,
                           const struct assignment *x, struct err *err)
{
    struct assignment copy = *x;
    TRY(db_transact(db, restore, &copy, err));
    *id = copy.id;
    return OK;
}

/* ---- the next one ------------------------------------------------------- */

struct choosing {
    int64_t judge, now;
    struct pool pool;
    uint64_t seed;
    int64_t *out;
    size_t n, want;
};

static enum status check_judge(struct db *db, int64_t judge, struct err *err)
{
    struct judge j;
    TRY(judges_read(&j, db, judge, err));
    if (j.revoked != 0 || j.role == JUDGE_VIEWER)
        return err_set(err, ERR_MISSING, "no judge %lld who may vote",
                       (long long)judge);
    return OK;
}

static enum status expire(struct db *db, int64_t now, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "UPDATE assignment SET state = 'expired' "
                   "WHERE state = 'leased' AND expires_ms <= ?1",
                   err));
    query_bind_int(&q, 1, now);
    return query_run(&q, err);
}

/* What the judge holds, oldest first. */
static enum status take_held(struct db *db, struct choosing *c, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT a.id FROM assignment AS a "
                   "JOIN item AS i ON i.id = a.item_id "
                   "WHERE a.judge_id = ?1 AND a.state = 'leased' "
                   "AND i.pool_id = ?2 ORDER BY a.nth LIMIT ?3",
                   err));
    query_bind_int(&q, 1, c->judge);
    query_bind_int(&q, 2, c->pool.id);
    query_bind_int(&q, 3, (int64_t)c->want);
    enum status status = OK;
    bool row = true;
    while (status == OK) {
        status = query_next(&q, &row, err);
        if (status != OK || !row)
            break;
        c->out[c->n++] = query_int(&q, 0);
    }
    query_close(&q);
    return status;
}

static enum status renew(struct db *db, const struct choosing *c, int64_t id,
                         struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "UPDATE assignment SET expires_ms = ?2, state = 'leased' "
                   "WHERE id = ?1 AND expires_ms < ?3",
                   err));
    query_bind_int(&q, 1, id);
    query_bind_int(&q, 2, c->now + c->pool.lease);
    query_bind_int(&q, 3, c->now + c->pool.lease / 2 + 1);
    return query_run(&q, err);
}

static enum status find_lapsed(int64_t *id, struct db *db,
                               const struct choosing *c, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT a.id FROM assignment AS a "
                   "JOIN item AS i ON i.id = a.item_id "
                   "WHERE a.judge_id = ?1 AND a.state = 'expired' "
                   "AND i.pool_id = ?2 AND i.taken < ?3 "
                   "AND i.retired_ms IS NULL ORDER BY a.nth LIMIT 1",
                   err));
    query_bind_int(&q, 1, c->judge);
    query_bind_int(&q, 2, c->pool.id);
    query_bind_int(&q, 3, c->pool.overlap);
    return query_one(id, &q, err);
}

/*
 * Has judge ?4 had another item that shows a reply of item i, to the same
 * prompt?  Only an item of which the other is the identical pair may; and
 * between rankings (?6 is this pool's task) there is nothing to be given away,
 * since a reward model's pairs show one reply beside several others.
 * CROSS JOIN keeps SQLite to this order, each step by an index: the item's
 * replies, who else shows them, whether this judge had it.
 */
#define WAS_MET                                                                \
    "EXISTS (SELECT 1 FROM reply AS r "                                        \
    "CROSS JOIN reply AS s ON s.digest = r.digest AND s.item_id <> i.id "      \
    "CROSS JOIN assignment AS b ON b.item_id = s.item_id "                     \
    "AND b.judge_id = ?4 "                                                     \
    "CROSS JOIN item AS j ON j.id = s.item_id "                                \
    "CROSS JOIN pool AS p ON p.id = j.pool_id "                                \
    "WHERE r.item_id = i.id "                                                  \
    "AND (?6 = 'spotcheck' OR p.task = 'spotcheck') "                          \
    "AND NOT (j.pool_id = i.pool_id "                                          \
    "AND ((i.kind = 'identical' "                                              \
    "AND i.name = j.name || '" ITEM_IDENTICAL_END "') "                        \
    "OR (j.kind = 'identical' "                                                \
    "AND j.name = i.name || '" ITEM_IDENTICAL_END "'))))"

/* What a judge may have of a pool: ?1 the pool, ?3 its overlap, ?4 the
 * judge. */
#define IS_OPEN                                                                \
    "i.pool_id = ?1 AND i.taken < ?3 AND i.retired_ms IS NULL "                \
    "AND NOT EXISTS (SELECT 1 FROM assignment AS a "                           \
    "WHERE a.item_id = i.id AND a.judge_id = ?4) "

static enum status find_new(int64_t *item, struct db *db,
                            const struct choosing *c, enum item_arm arm,
                            int64_t nth, struct err *err)
{
    struct query q;
    TRY(query_open(
        &q, db,
        "SELECT i.id FROM item AS i "
        "WHERE " IS_OPEN "AND i.arm = ?2 AND NOT " WAS_MET " "
        "AND (i.repeat_of IS NULL OR EXISTS (SELECT 1 FROM assignment AS a "
        "WHERE a.item_id = i.repeat_of AND a.judge_id = ?4 "
        "AND a.state = 'voted' AND a.nth + i.gap < ?5)) "
        "ORDER BY i.taken DESC, i.priority DESC, i.id LIMIT 1",
        err));
    query_bind_int(&q, 1, c->pool.id);
    query_bind_text(&q, 2, choice_word(&choice_arm, (int)arm));
    query_bind_int(&q, 3, c->pool.overlap);
    query_bind_int(&q, 4, c->judge);
    query_bind_int(&q, 5, nth);
    query_bind_text(&q, 6, choice_word(&choice_task, (int)c->pool.task));
    return query_one(item, &q, err);
}

enum status assign_count_met(int64_t *n, struct db *db, int64_t judge,
                             int64_t pool, struct err *err)
{
    struct arena a = {0};
    struct pool p;
    struct query q;
    enum status status = items_read_pool(&p, &a, db, pool, err);
    arena_free(&a);
    TRY(status);
    *n = 0;
    if (p.closed != 0)
        return OK;
    TRY(query_open(
        &q, db, "SELECT count(*) FROM item AS i WHERE " IS_OPEN "AND " WAS_MET,
        err));
    query_bind_int(&q, 1, pool);
    query_bind_int(&q, 3, p.overlap);
    query_bind_int(&q, 4, judge);
    query_bind_text(&q, 6, choice_word(&choice_task, (int)p.task));
    return query_one(n, &q, err);
}

static enum status next_number(int64_t *nth, struct db *db, int64_t judge,
                               struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT coalesce(max(nth), 0) + 1 FROM assignment "
                   "WHERE judge_id = ?1",
                   err));
    query_bind_int(&q, 1, judge);
    return query_one(nth, &q, err);
}

/* A new one, or 0 when nothing is left. */
static enum status take_new(int64_t *id, struct db *db,
                            const struct choosing *c, struct err *err)
{
    struct rng r;
    struct assignment x = {
        .judge = c->judge, .leased = c->now, .expires = c->now + c->pool.lease};
    TRY(next_number(&x.nth, db, c->judge, err));
    rng_init(&r, c->seed, RNG_ARM, (uint32_t)c->judge, (uint32_t)x.nth);
    enum item_arm arm =
        rng_uniform(&r) < c->pool.random_share ? ITEM_RANDOM : ITEM_ADAPTIVE;
    TRY(find_new(&x.item, db, c, arm, x.nth, err));
    if (x.item == 0)
        TRY(find_new(&x.item, db, c,
                     arm == ITEM_RANDOM ? ITEM_ADAPTIVE : ITEM_RANDOM, x.nth,
                     err));
    if (x.item != 0) {
        TRY(make_order(&x.order, db, x.item, c->judge, err));
        TRY(insert(db, &x, err));
    }
    *id = x.id;
    return OK;
}

static enum status choose(struct db *db, void *ctx, struct err *err)
{
    struct choosing *c = ctx;
    TRY(check_judge(db, c->judge, err));
    TRY(expire(db, c->now, err));
    TRY(take_held(db, c, err));
    for (size_t i = 0; i < c->n; i++)
        TRY(renew(db, c, c->out[i], err));
    while (c->n < c->want && c->pool.closed == 0) {
        int64_t id;
        TRY(find_lapsed(&id, db, c, err));
        if (id != 0)
            TRY(renew(db, c, id, err));
        else
            TRY(take_new(&id, db, c, err));
        if (id == 0)
            break;
        c->out[c->n++] = id;
    }
    return OK;
}

enum status assign_next(int64_t *out, size_t *n, size_t want, struct db *db,
                        int64_t judge, int64_t pool, int64_t now,
                        struct err *err)
{
    struct arena a = {0};
    struct project project;
    struct choosing c = {.judge = judge, .now = now, .want = want};
    int64_t held[ASSIGN_HELD_MAX];
    enum status status = OK;
    if (want < 1 || want > ASSIGN_HELD_MAX)
        return err_set(err, ERR_ARG, "%zu items at once are not 1 to %d", want,
                       ASSIGN_HELD_MAX);
    c.out = held;
    TRY_DONE(items_read_pool(&c.pool, &a, db, pool, err));
    TRY_DONE(project_read(&project, db, err));
    c.seed = project.seed;
    TRY_DONE(db_transact(db, choose, &c, err));
    memcpy(out, held, c.n * sizeof *out);
    *n = c.n;
done:
    arena_free(&a);
    return status;
}

/* ---- what may be shown -------------------------------------------------- */

static enum status find_standing(int64_t *id, struct db *db, int64_t assignment,
                                 struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "SELECT max(id) FROM vote WHERE assignment_id = ?1",
                   err));
    query_bind_int(&q, 1, assignment);
    return query_one(id, &q, err);
}

enum status assign_blind(struct blind *out, struct arena *a, struct db *db,
                         int64_t judge, int64_t assignment, struct err *err)
{
    struct assignment x;
    struct item item;
    struct pool pool;
    TRY(assign_read(&x, db, assignment, err));
    if (x.judge != judge)
        return err_set(err, ERR_MISSING, "no such assignment");
    TRY(items_read(&item, a, db, x.item, err));
    TRY(items_read_pool(&pool, a, db, item.pool, err));
    if (x.order.K != item.n)
        return err_set(err, ERR_FORMAT,
                       "%s: assignment %lld shows %zu of %zu candidates",
                       db_path(db), (long long)x.id, x.order.K, item.n);
    struct blind b = {
        .assignment = x.id,
        .pool_id = pool.id,
        .task = pool.task,
        .pool = pool.name,
        .guide = pool.guide,
        .prompt = item.prompt,
        .messages = item.messages,
        .K = item.n,
        .expires = x.expires,
        .state = x.state,
    };
    for (size_t s = 0; s < b.K; s++)
        b.text[s] = item.candidate[x.order.place[s]].text;
    audit_hex(b.commitment, x.order.commitment, ORDER_BYTES);
    TRY(find_standing(&b.standing, db, x.id, err));
    *out = b;
    return OK;
}

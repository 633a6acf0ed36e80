#include "store/votes.h"

#include <string.h>

#include "store/assign.h"
#include "store/audit.h"
#include "store/judges.h"
#include "store/query.h"

/* ---- what an act must be ------------------------------------------------ */

static enum status check_key(const char *key, struct err *err)
{
    size_t len = key != NULL ? strlen(key) : 0;
    if (len < 1 || len > VOTES_KEY_MAX)
        return err_set(err, ERR_ARG, "a key has 1 to %d characters, not %zu",
                       VOTES_KEY_MAX, len);
    for (size_t i = 0; i < len; i++)
        if (key[i] < '!' || key[i] > '~')
            return err_set(err, ERR_ARG, "a key is printable ASCII");
    return OK;
}

/* rank[s] = 1 + how many are above, so that an order has one spelling. */
static enum status check_ranking(const struct vote *v, size_t K,
                                 struct err *err)
{
    if (v->K != K)
        return err_set(err, ERR_ARG, "%zu ranks for %zu candidates", v->K, K);
    for (size_t s = 0; s < K; s++) {
        int32_t above = 0;
        for (size_t t = 0; t < K; t++)
            above += v->rank[t] < v->rank[s];
        if (v->rank[s] != 1 + above)
            return err_set(err, ERR_ARG,
                           "rank %d where %d candidates are ranked above",
                           (int)v->rank[s], (int)above);
    }
    if (v->strength < 0 || v->strength > 3)
        return err_set(err, ERR_ARG, "strength %lld is not 1 to 3",
                       (long long)v->strength);
    if (v->strength != 0 && (K != 2 || v->rank[0] == v->rank[1]))
        return err_set(err, ERR_ARG, "a strength is of a pair that is no tie");
    return OK;
}

static bool is_grade(int64_t x)
{
    return x >= -1 && x <= 4;
}

static bool is_unmarked(const struct vote_marks *m)
{
    return m->helpful < 0 && m->direct < 0 && m->correct == VOTE_CORRECT_NONE &&
           m->length == VOTE_LENGTH_NONE;
}

static enum status check_payload(const struct vote *v, enum pool_task task,
                                 size_t K, struct err *err)
{
    bool is_marked = !is_unmarked(&v->marks[0]) || !is_unmarked(&v->marks[1]);
    for (int s = 0; s < 2; s++)
        if (!is_grade(v->marks[s].helpful) || !is_grade(v->marks[s].direct))
            return err_set(err, ERR_ARG, "a mark is not 0 to 4");
    if (v->act != VOTE_CAST || task == POOL_RANKING) {
        if (v->overall != VOTE_OVERALL_NONE || is_marked)
            return err_set(err, ERR_ARG, "a %s with a spot-check's answers",
                           v->act == VOTE_CAST
                               ? "ranking"
                               : choice_word(&choice_act, (int)v->act));
    }
    if (v->act == VOTE_CAST && task == POOL_RANKING)
        return check_ranking(v, K, err);
    if (v->K != 0 || v->strength != 0)
        return err_set(err, ERR_ARG, "ranks where none are asked for");
    if (v->act == VOTE_CAST && v->overall == VOTE_OVERALL_NONE)
        return err_set(err, ERR_ARG, "a spot-check without an overall choice");
    return OK;
}

static enum status check_act(const struct vote *v, enum pool_task task,
                             size_t K, struct err *err)
{
    TRY(check_key(v->key, err));
    TRY(check_payload(v, task, K, err));
    if (v->act == VOTE_UNDO && v->supersedes == 0)
        return err_set(err, ERR_ARG, "an undo of nothing");
    if (v->voted < v->shown)
        return err_set(err, ERR_ARG, "voted before it was shown");
    if (v->reason != NULL)
        return project_check_text(v->reason, PROJECT_REMARK_MAX, "a reason",
                                  err);
    return OK;
}

/* ---- storing it --------------------------------------------------------- */

struct casting {
    const struct vote *v;
    int64_t judge;
    int64_t id;
    bool is_new;
};

/* Is what stands under the key the same act? */
static enum status compare(struct db *db, const struct vote *v, int64_t id,
                           struct err *err)
{
    struct arena a = {0};
    struct vote there;
    struct buf bytes[2];
    struct vote sent = *v;
    const struct vote *side[2] = {&sent, &there};
    enum status status = votes_read(&there, &a, db, id, err);
    sent.voted = there.voted;
    for (int i = 0; i < 2; i++) {
        struct json_writer w;
        buf_init(&bytes[i], (size_t)1 << 20);
        if (status != OK)
            continue;
        json_writer_init(&w, &bytes[i], false);
        json_open(&w, '{');
        votes_write(&w, side[i]);
        json_close(&w, '}');
        status = buf_status(&bytes[i], err);
    }
    if (status == OK && (sent.supersedes != there.supersedes ||
                         strcmp(buf_text(&bytes[0]), buf_text(&bytes[1])) != 0))
        status = err_set(err, ERR_MISMATCH,
                         "the key '%.100s' is another vote's", v->key);
    for (int i = 0; i < 2; i++)
        buf_free(&bytes[i]);
    arena_free(&a);
    return status;
}

enum status votes_find_last(int64_t *id, struct db *db, int64_t assignment,
                            struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "SELECT max(id) FROM vote WHERE assignment_id = ?1",
                   err));
    query_bind_int(&q, 1, assignment);
    return query_one(id, &q, err);
}

/* The act must go on where the chain ends. */
static enum status check_chain(struct db *db, const struct vote *v,
                               struct err *err)
{
    struct query q;
    int64_t last, is_undo;
    TRY(votes_find_last(&last, db, v->assignment, err));
    if (last != v->supersedes)
        return err_set(err, ERR_MISMATCH,
                       "act %lld was to be superseded, but the last one is "
                       "%lld",
                       (long long)v->supersedes, (long long)last);
    if (v->act != VOTE_UNDO)
        return OK;
    TRY(query_open(&q, db, "SELECT act = 'undo' FROM vote WHERE id = ?1", err));
    query_bind_int(&q, 1, last);
    TRY(query_one(&is_undo, &q, err));
    return is_undo != 0 ? err_set(err, ERR_MISMATCH, "it was undone already")
                        : OK;
}

static void bind_known(struct query *q, int i, int64_t x, int64_t least)
{
    if (x >= least)
        query_bind_int(q, i, x);
}

static void bind_marks(struct query *q, const struct vote *v)
{
    for (int s = 0; s < 2; s++) {
        const struct vote_marks *m = &v->marks[s];
        bind_known(q, 8 + s, m->helpful, 0);
        bind_known(q, 10 + s, m->direct, 0);
        query_bind_text(q, 12 + s,
                        choice_word(&choice_correct, (int)m->correct));
        query_bind_text(q, 14 + s, choice_word(&choice_length, (int)m->length));
    }
}

static enum status insert(struct db *db, const struct vote *v,
                          const char *ranks, struct err *err)
{
    struct query q;
    TRY(query_open(
        &q, db,
        "INSERT INTO vote (assignment_id, supersedes, key, act, ranks, "
        "strength, overall, left_helpful, right_helpful, left_direct, "
        "right_direct, left_correct, right_correct, left_length, right_length, "
        "reason, render, shown_ms, voted_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
        "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        err));
    query_bind_int(&q, 1, v->assignment);
    bind_known(&q, 2, v->supersedes, 1);
    query_bind_text(&q, 3, v->key);
    query_bind_text(&q, 4, choice_word(&choice_act, (int)v->act));
    query_bind_text(&q, 5, v->K > 0 ? ranks : NULL);
    bind_known(&q, 6, v->strength, 1);
    query_bind_text(&q, 7, choice_word(&choice_overall, (int)v->overall));
    if (v->overall != VOTE_OVERALL_NONE)
        bind_marks(&q, v);
    query_bind_text(&q, 16, v->reason);
    query_bind_text(&q, 17, choice_word(&choice_render, (int)v->render));
    query_bind_int(&q, 18, v->shown);
    query_bind_int(&q, 19, v->voted);
    return query_run(&q, err);
}

static enum status store(struct db *db, struct casting *c, struct err *err)
{
    const struct vote *v = c->v;
    unsigned char digest[AUDIT_HASH];
    struct buf ranks;
    buf_init(&ranks, 4096);
    for (size_t s = 0; s < v->K; s++)
        buf_printf(&ranks, "%c%d", s > 0 ? ',' : '[', (int)v->rank[s]);
    buf_putc(&ranks, ']');
    enum status status = buf_status(&ranks, err);
    if (status == OK)
        status = insert(db, v, buf_text(&ranks), err);
    buf_free(&ranks);
    TRY(status);
    c->id = db_last_id(db);
    c->is_new = true;
    TRY(votes_digest(digest, db, c->id, err));
    return audit_append(
        db,
        &(struct audit_event){.event = "vote",
                              .actor = c->judge,
                              .subject = c->id,
                              .detail = choice_word(&choice_act, (int)v->act),
                              .digest = digest,
                              .at = v->voted},
        err);
}

/* The assignment must be the judge's, who must not be revoked. */
static enum status check_own(struct assignment *x, struct db *db, int64_t judge,
                             int64_t assignment, struct err *err)
{
    struct judge j;
    TRY(judges_read(&j, db, judge, err));
    TRY(assign_read(x, db, assignment, err));
    if (x->judge != judge || j.revoked != 0 || j.role == JUDGE_VIEWER)
        return err_set(err, ERR_MISSING, "no such assignment");
    return OK;
}

static enum status read_task(enum pool_task *task, struct db *db, int64_t item,
                             struct err *err)
{
    struct query q;
    int64_t is_pair;
    TRY(query_open(&q, db,
                   "SELECT p.task = 'spotcheck' FROM item AS i "
                   "JOIN pool AS p ON p.id = i.pool_id WHERE i.id = ?1",
                   err));
    query_bind_int(&q, 1, item);
    TRY(query_one(&is_pair, &q, err));
    *task = is_pair != 0 ? POOL_SPOTCHECK : POOL_RANKING;
    return OK;
}

static enum status find_key(int64_t *id, struct db *db, const char *sql,
                            int64_t assignment, const char *key,
                            struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, sql, err));
    query_bind_int(&q, 1, assignment);
    query_bind_text(&q, 2, key);
    return query_one(id, &q, err);
}

enum status votes_find_key(int64_t *id, struct db *db, int64_t assignment,
                           const char *key, struct err *err)
{
    return find_key(id, db,
                    "SELECT id FROM vote WHERE assignment_id = ?1 AND key = ?2",
                    assignment, key, err);
}

static enum status cast(struct db *db, void *ctx, struct err *err)
{
    struct casting *c = ctx;
    const struct vote *v = c->v;
    struct assignment x;
    enum pool_task task;
    TRY(check_own(&x, db, c->judge, v->assignment, err));
    TRY(read_task(&task, db, x.item, err));
    TRY(check_act(v, task, x.order.K, err));
    TRY(votes_find_key(&c->id, db, v->assignment, v->key, err));
    if (c->id != 0)
        return compare(db, v, c->id, err);
    TRY(check_chain(db, v, err));
    return store(db, c, err);
}

enum status votes_cast(int64_t *id, bool *is_new, struct db *db, int64_t judge,
                       const struct vote *v, struct err *err)
{
    struct casting c = {.v = v, .judge = judge};
    TRY(db_transact(db, cast, &c, err));
    *id = c.id;
    *is_new = c.is_new;
    return OK;
}

/* ---- remarks ------------------------------------------------------------ */

struct remarking {
    const struct remark *r;
    int64_t judge;
    int64_t id;
    bool is_new;
};

static enum status compare_remark(struct db *db, const struct remark *r,
                                  int64_t id, struct err *err)
{
    struct arena a = {0};
    struct remark there;
    enum status status = votes_read_remark(&there, &a, db, id, err);
    if (status == OK &&
        (there.kind != r->kind || strcmp(there.text, r->text) != 0))
        status = err_set(err, ERR_MISMATCH,
                         "the key '%.100s' is another remark's", r->key);
    arena_free(&a);
    return status;
}

static enum status insert_remark(struct db *db, struct remarking *c,
                                 struct err *err)
{
    const struct remark *r = c->r;
    unsigned char digest[AUDIT_HASH];
    struct query q;
    TRY(query_open(&q, db,
                   "INSERT INTO remark (assignment_id, key, kind, text, at_ms) "
                   "VALUES (?1, ?2, ?3, ?4, ?5)",
                   err));
    query_bind_int(&q, 1, r->assignment);
    query_bind_text(&q, 2, r->key);
    query_bind_text(&q, 3, choice_word(&choice_remark, (int)r->kind));
    query_bind_text(&q, 4, r->text);
    query_bind_int(&q, 5, r->at);
    TRY(query_run(&q, err));
    c->id = db_last_id(db);
    c->is_new = true;
    TRY(votes_digest_remark(digest, db, c->id, err));
    return audit_append(db,
                        &(struct audit_event){
                            .event = "remark",
                            .actor = c->judge,
                            .subject = c->id,
                            .detail = choice_word(&choice_remark, (int)r->kind),
                            .digest = digest,
                            .at = r->at},
                        err);
}

static enum status add_remark(struct db *db, void *ctx, struct err *err)
{
    struct remarking *c = ctx;
    const struct remark *r = c->r;
    struct assignment x;
    TRY(check_own(&x, db, c->judge, r->assignment, err));
    TRY(find_key(&c->id, db,
                 "SELECT id FROM remark WHERE assignment_id = ?1 AND key = ?2",
                 r->assignment, r->key, err));
    if (c->id != 0)
        return compare_remark(db, r, c->id, err);
    return insert_remark(db, c, err);
}

enum status votes_remark(int64_t *id, bool *is_new, struct db *db,
                         int64_t judge, const struct remark *r, struct err *err)
{
    struct remarking c = {.r = r, .judge = judge};
    TRY(check_key(r->key, err));
    TRY(project_check_text(r->text, PROJECT_REMARK_MAX, "a remark", err));
    TRY(db_transact(db, add_remark, &c, err));
    *id = c.id;
    *is_new = c.is_new;
    return OK;
}

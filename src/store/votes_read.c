/* votes_read.c - acts, out of the database and as JSON. */
#include <string.h>

#include "io/scan.h"
#include "store/audit.h"
#include "store/query.h"
#include "store/votes.h"

struct vote_marks votes_no_marks(void)
{
    return (struct vote_marks){.helpful = -1, .direct = -1};
}

void votes_by_candidate(int32_t out[ORDER_MAX], const struct vote *v,
                        const struct order *order)
{
    for (size_t s = 0; s < v->K && s < order->K; s++)
        out[order->place[s]] = v->rank[s];
}

/* ---- reading ------------------------------------------------------------ */

static int64_t int_or(const struct query *q, int column, int64_t fallback)
{
    return query_is_null(q, column) ? fallback : query_int(q, column);
}

/* The value of a word in a column; what is none is told by *is_fine. */
static int word(const struct query *q, int column, const struct choice *c,
                bool *is_fine)
{
    int value = choice_find(c, query_text(q, column));
    *is_fine = *is_fine && value >= 0;
    return value < 0 ? 0 : value;
}

static enum status read_ranks(struct vote *v, const char *text, struct err *err)
{
    struct scan s;
    if (text == NULL)
        return OK;
    scan_init(&s, text, strlen(text));
    v->K = scan_ints(&s, v->rank, ORDER_MAX);
    return scan_end(&s, "ranks", err);
}

static void read_marks(struct vote *v, const struct query *q, bool *is_fine)
{
    for (int s = 0; s < 2; s++) {
        v->marks[s] = (struct vote_marks){
            .helpful = int_or(q, 8 + s, -1),
            .direct = int_or(q, 10 + s, -1),
            .correct =
                (enum vote_correct)word(q, 12 + s, &choice_correct, is_fine),
            .length =
                (enum vote_length)word(q, 14 + s, &choice_length, is_fine),
        };
    }
}

static enum status read_row(struct vote *v, const struct query *q,
                            struct arena *a, struct err *err)
{
    bool is_fine = true;
    *v = (struct vote){
        .id = query_int(q, 0),
        .assignment = query_int(q, 1),
        .supersedes = query_int(q, 2),
        .act = (enum vote_act)word(q, 4, &choice_act, &is_fine),
        .strength = query_int(q, 6),
        .overall = (enum vote_overall)word(q, 7, &choice_overall, &is_fine),
        .render = (enum vote_render)word(q, 17, &choice_render, &is_fine),
        .shown = query_int(q, 18),
        .voted = query_int(q, 19),
    };
    read_marks(v, q, &is_fine);
    if (!is_fine)
        return err_set(err, ERR_FORMAT, "%s: vote %lld has a word that is none",
                       db_path(q->db), (long long)v->id);
    TRY(read_ranks(v, query_text(q, 5), err));
    TRY(query_copy(&v->key, q, 3, a, err));
    return query_copy(&v->reason, q, 16, a, err);
}

enum status votes_read(struct vote *out, struct arena *a, struct db *db,
                       int64_t id, struct err *err)
{
    struct query q;
    struct vote v;
    bool row;
    TRY(query_open(
        &q, db,
        "SELECT id, assignment_id, supersedes, key, act, ranks, strength, "
        "overall, left_helpful, right_helpful, left_direct, right_direct, "
        "left_correct, right_correct, left_length, right_length, reason, "
        "render, shown_ms, voted_ms FROM vote WHERE id = ?1",
        err));
    query_bind_int(&q, 1, id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such vote");
    if (status == OK)
        status = read_row(&v, &q, a, err);
    if (status == OK)
        *out = v;
    query_close(&q);
    return status;
}

enum status votes_walk(struct db *db, int64_t assignment, votes_fn fn,
                       void *ctx, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT id FROM vote WHERE assignment_id = ?1 ORDER BY id",
                   err));
    query_bind_int(&q, 1, assignment);
    return query_walk(&q, fn, ctx, err);
}

enum status votes_walk_recent(struct db *db, int64_t judge, int64_t max,
                              votes_fn fn, void *ctx, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT a.id FROM assignment AS a "
                   "JOIN vote AS v ON v.assignment_id = a.id "
                   "WHERE a.judge_id = ?1 GROUP BY a.id "
                   "ORDER BY max(v.id) DESC LIMIT ?2",
                   err));
    query_bind_int(&q, 1, judge);
    query_bind_int(&q, 2, max);
    return query_walk(&q, fn, ctx, err);
}

/* ---- as JSON ------------------------------------------------------------ */

static void put_word(struct json_writer *w, const char *key,
                     const struct choice *c, int value)
{
    const char *text = choice_word(c, value);
    if (text != NULL)
        json_field_text(w, key, text);
}

static void put_grade(struct json_writer *w, const char *key, int64_t x)
{
    if (x >= 0)
        json_field_int(w, key, x);
}

static void write_marks(struct json_writer *w, const struct vote_marks *left,
                        const struct vote_marks *right)
{
    put_grade(w, "left_helpful", left->helpful);
    put_grade(w, "right_helpful", right->helpful);
    put_grade(w, "left_direct", left->direct);
    put_grade(w, "right_direct", right->direct);
    put_word(w, "left_correct", &choice_correct, (int)left->correct);
    put_word(w, "right_correct", &choice_correct, (int)right->correct);
    put_word(w, "left_length", &choice_length, (int)left->length);
    put_word(w, "right_length", &choice_length, (int)right->length);
}

void votes_write(struct json_writer *w, const struct vote *v)
{
    put_word(w, "act", &choice_act, (int)v->act);
    json_field_text(w, "key", v->key);
    if (v->K > 0)
        json_field_ints(w, "ranks", v->rank, v->K);
    if (v->strength > 0)
        json_field_int(w, "strength", v->strength);
    put_word(w, "overall", &choice_overall, (int)v->overall);
    write_marks(w, &v->marks[0], &v->marks[1]);
    if (v->reason != NULL)
        json_field_text(w, "reason", v->reason);
    put_word(w, "render", &choice_render, (int)v->render);
    json_field_int(w, "shown_at", v->shown);
    json_field_int(w, "voted_at", v->voted);
}

enum status votes_digest(unsigned char out[32], struct db *db, int64_t id,
                         struct err *err)
{
    struct arena a = {0};
    struct vote v;
    struct buf bytes;
    struct json_writer w;
    buf_init(&bytes, (size_t)1 << 20);
    enum status status = votes_read(&v, &a, db, id, err);
    if (status == OK) {
        json_writer_init(&w, &bytes, false);
        json_open(&w, '{');
        json_field_int(&w, "vote", v.id);
        json_field_int(&w, "assignment", v.assignment);
        json_field_int(&w, "supersedes", v.supersedes);
        votes_write(&w, &v);
        json_close(&w, '}');
        status = audit_digest(out, &bytes, err);
    }
    buf_free(&bytes);
    arena_free(&a);
    return status;
}

/* ---- remarks ------------------------------------------------------------ */

enum status votes_read_remark(struct remark *out, struct arena *a,
                              struct db *db, int64_t id, struct err *err)
{
    struct query q;
    bool row;
    bool is_fine = true;
    TRY(query_open(&q, db,
                   "SELECT id, assignment_id, key, kind, text, at_ms "
                   "FROM remark WHERE id = ?1",
                   err));
    query_bind_int(&q, 1, id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such remark");
    if (status != OK)
        goto done;
    struct remark r = {
        .id = query_int(&q, 0),
        .assignment = query_int(&q, 1),
        .kind = (enum remark_kind)word(&q, 3, &choice_remark, &is_fine),
        .at = query_int(&q, 5),
    };
    TRY_DONE(query_copy(&r.key, &q, 2, a, err));
    TRY_DONE(query_copy(&r.text, &q, 4, a, err));
    *out = r;
done:
    query_close(&q);
    return status;
}

enum status votes_walk_remarks(struct db *db, int64_t assignment, votes_fn fn,
                               void *ctx, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT id FROM remark WHERE assignment_id = ?1 ORDER BY id",
                   err));
    query_bind_int(&q, 1, assignment);
    return query_walk(&q, fn, ctx, err);
}

enum status votes_digest_remark(unsigned char out[32], struct db *db,
                                int64_t id, struct err *err)
{
    struct arena a = {0};
    struct remark r;
    struct buf bytes;
    struct json_writer w;
    buf_init(&bytes, (size_t)1 << 20);
    enum status status = votes_read_remark(&r, &a, db, id, err);
    if (status == OK) {
        json_writer_init(&w, &bytes, false);
        json_open(&w, '{');
        json_field_int(&w, "remark", r.id);
        json_field_int(&w, "assignment", r.assignment);
        json_field_text(&w, "key", r.key);
        put_word(&w, "kind", &choice_remark, (int)r.kind);
        json_field_text(&w, "text", r.text);
        json_field_int(&w, "at", r.at);
        json_close(&w, '}');
        status = audit_digest(out, &bytes, err);
    }
    buf_free(&bytes);
    arena_free(&a);
    return status;
}

/* records_restore.c - canonical records back into a project. */
#include <math.h>
#include <string.h>

#include "io/jsonl.h"
#include "store/assign.h"
#include "store/audit.h"
#include "store/judges.h"
#include "store/query.h"
#include "store/records.h"
#include "store/unblind.h"
#include "store/votes.h"

struct restoring {
    struct db *db;
    const char *path;
    int64_t actor, now;
    struct records_counts counts;
    struct arena arena; // of one line
};

static const char line_of[] = "a record";

/* ---- members ------------------------------------------------------------ */

/* A word of an enum; absent is what "not given" is, where there is such. */
static enum status need_word(int *out, const struct json *object,
                             const char *key, const struct choice *c,
                             struct err *err)
{
    const char *text = json_text(json_get(object, key), NULL);
    int value = choice_find(c, text);
    if (value < 0)
        return err_set(err, ERR_FORMAT, "%s '%.40s' is none", key,
                       text != NULL ? text : "");
    *out = value;
    return OK;
}

/* A member's JSON as text, NULL when absent. */
static enum status text_of(const char **out, struct restoring *r,
                           const struct json *node, struct err *err)
{
    struct buf text;
    *out = NULL;
    if (node == NULL)
        return OK;
    buf_init(&text, JSONL_LINE_MAX);
    json_dump(&text, node);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = arena_text(out, &r->arena, buf_text(&text), text.len, err);
    buf_free(&text);
    return status;
}

/* ---- pool, item, judge -------------------------------------------------- */

static enum status restore_pool(int64_t *id, struct restoring *r,
                                const struct json *row, struct err *err)
{
    const struct json *node = json_get(row, "pool");
    struct pool p = {.guide = json_text(json_get(node, "guide"), "")}, there;
    int task;
    TRY(json_need_text(&p.name, node, "name", line_of, err));
    TRY(need_word(&task, node, "task", &choice_task, err));
    p.task = (enum pool_task)task;
    TRY(json_need_int(&p.overlap, node, "overlap", 1, 1000, line_of, err));
    TRY(json_need_int(&p.lease, node, "lease", 1, INT64_MAX, line_of, err));
    TRY(json_need_number(&p.random_share, node, "random_share", line_of, err));
    enum status status =
        items_find_pool(&there, &r->arena, r->db, p.name, NULL);
    if (status == ERR_MISSING) {
        r->counts.pools++;
        return items_add_pool(id, r->db, &p, r->actor, r->now, err);
    }
    TRY(items_find_pool(&there, &r->arena, r->db, p.name, err));
    if (there.task != p.task || there.overlap != p.overlap ||
        there.lease != p.lease || there.random_share != p.random_share ||
        strcmp(there.guide, p.guide) != 0)
        return err_set(err, ERR_MISMATCH, "there is another pool '%.80s'",
                       p.name);
    *id = there.id;
    return OK;
}

static enum status read_candidate(struct candidate *c, struct restoring *r,
                                  const struct json *node, struct err *err)
{
    *c = (struct candidate){
        .run = json_text(json_get(node, "run"), NULL),
        .step = json_int(json_get(node, "step"), -1),
        .sample = json_int(json_get(node, "sample"), -1),
        .tokens = json_int(json_get(node, "tokens"), -1),
        .score = json_number(json_get(node, "score"), (double)NAN),
        .finish = json_text(json_get(node, "finish"), NULL),
    };
    TRY(json_need_text(&c->text, node, "response", line_of, err));
    TRY(json_need_text(&c->source, node, "source", line_of, err));
    return text_of(&c->extra, r, json_get(node, "extra"), err);
}

/* What a repeat has not of its own. */
static enum status read_content(struct item *x, struct restoring *r,
                                const struct json *row, struct err *err)
{
    const struct json *list = json_get(row, "candidates");
    struct candidate *c;
    TRY(json_need_text(&x->prompt_id, row, "prompt_id", line_of, err));
    TRY(json_need_text(&x->prompt, row, "prompt", line_of, err));
    TRY(text_of(&x->expected, r, json_get(row, "expected"), err));
    TRY(text_of(&x->messages, r, json_get(row, "messages"), err));
    TRY(text_of(&x->extra, r, json_get(row, "extra"), err));
    if (json_size(list) < 2 || json_size(list) > ORDER_MAX)
        return err_set(err, ERR_FORMAT, "%zu candidates", json_size(list));
    TRY(ARENA_NEW(&r->arena, c, json_size(list), err));
    for (size_t k = 0; k < json_size(list); k++)
        TRY(read_candidate(&c[k], r, json_at(list, k), err));
    x->candidate = c;
    x->n = json_size(list);
    return OK;
}

static enum status restore_item(int64_t *id, struct restoring *r, int64_t pool,
                                const struct json *row, struct err *err)
{
    struct item x = {
        .pool = pool,
        .repeat_of = json_text(json_get(row, "repeat_of"), NULL),
        .gap = json_int(json_get(row, "gap"), 0),
        .priority = json_number(json_get(row, "priority"), 0),
    };
    int kind, arm;
    bool is_new;
    TRY(json_need_text(&x.name, row, "item", line_of, err));
    TRY(need_word(&kind, row, "kind", &choice_kind, err));
    TRY(need_word(&arm, row, "arm", &choice_arm, err));
    x.kind = (enum item_kind)kind;
    x.arm = (enum item_arm)arm;
    if (x.kind != ITEM_REPEAT)
        TRY(read_content(&x, r, row, err));
    TRY(items_add(id, &is_new, r->db, &x, r->actor, r->now, err));
    r->counts.items += is_new;
    return OK;
}

static enum status restore_judge(int64_t *id, struct restoring *r,
                                 const struct json *row, struct err *err)
{
    struct judge j;
    const char *name;
    int role;
    TRY(json_need_text(&name, row, "judge", line_of, err));
    TRY(need_word(&role, row, "role", &choice_role, err));
    enum status status = judges_find(&j, r->db, name, NULL);
    if (status != ERR_MISSING) {
        TRY(judges_find(&j, r->db, name, err));
        *id = j.id;
        return OK;
    }
    r->counts.judges++;
    return judges_add(id, r->db, name, (enum judge_role)role, NULL, r->actor,
                      r->now, err);
}

/* ---- assignment --------------------------------------------------------- */

static enum status read_order(struct order *o, struct restoring *r,
                              const struct json *row, struct err *err)
{
    const char *shown;
    TRY(text_of(&shown, r, json_get(row, "shown"), err));
    TRY(order_read(o, shown != NULL ? shown : "", err));
    if (!audit_unhex(o->secret, ORDER_BYTES,
                     json_text(json_get(row, "secret"), NULL)) ||
        !audit_unhex(o->commitment, ORDER_BYTES,
                     json_text(json_get(row, "commitment"), NULL)))
        return err_set(err, ERR_FORMAT,
                       "secret or commitment is not 64 hex digits");
    return OK;
}

static bool same_order(const struct order *a, const struct order *b)
{
    return a->K == b->K &&
           memcmp(a->place, b->place, a->K * sizeof *a->place) == 0 &&
           memcmp(a->secret, b->secret, ORDER_BYTES) == 0 &&
           memcmp(a->commitment, b->commitment, ORDER_BYTES) == 0;
}

static enum status restore_assignment(int64_t *id, struct restoring *r,
                                      int64_t item, int64_t judge,
                                      const struct json *row, struct err *err)
{
    struct assignment x = {.item = item, .judge = judge}, there;
    int64_t lease;
    TRY(json_need_int(&x.nth, row, "nth", 1, INT64_MAX, line_of, err));
    TRY(json_need_int(&x.leased, row, "leased_at", 0, INT64_MAX / 2, line_of,
                      err));
    TRY(json_need_int(&lease, json_get(row, "pool"), "lease", 1, INT64_MAX / 2,
                      line_of, err));
    x.expires = x.leased + lease;
    TRY(read_order(&x.order, r, row, err));
    enum status status = assign_find(&there, r->db, item, judge, NULL);
    if (status == ERR_MISSING) {
        r->counts.assignments++;
        return assign_restore(id, r->db, &x, err);
    }
    TRY(assign_find(&there, r->db, item, judge, err));
    if (there.nth != x.nth || there.leased != x.leased ||
        !same_order(&there.order, &x.order))
        return err_set(err, ERR_MISMATCH,
                       "the item was assigned to this judge otherwise");
    *id = there.id;
    return OK;
}

/* Who judged and looked how it stood is known here as well. */
static enum status restore_look(struct restoring *r, int64_t judge,
                                int64_t pool, const struct json *row,
                                struct err *err)
{
    int64_t at;
    if (json_get(row, "unblinded_at") == NULL)
        return OK;
    TRY(json_need_int(&at, row, "unblinded_at", 1, INT64_MAX / 2, line_of,
                      err));
    return unblind_note(r->db, judge, pool, at, err);
}

/* ---- acts --------------------------------------------------------------- */

/* The act that stands in place `turn` of the chain; 0 before the first. */
static enum status find_turn(int64_t *id, struct restoring *r,
                             int64_t assignment, int64_t turn, struct err *err)
{
    struct query q;
    bool row;
    *id = 0;
    if (turn < 0)
        return OK;
    TRY(query_open(&q, r->db,
                   "SELECT id FROM vote WHERE assignment_id = ?1 "
                   "ORDER BY id LIMIT 1 OFFSET ?2",
                   err));
    query_bind_int(&q, 1, assignment);
    query_bind_int(&q, 2, turn);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_FORMAT, "the act before this one is missing");
    if (status == OK)
        *id = query_int(&q, 0);
    query_close(&q);
    return status;
}

static enum status read_ranks(struct vote *v, const struct json *list,
                              struct err *err)
{
    if (json_size(list) > ORDER_MAX)
        return err_set(err, ERR_FORMAT, "%zu ranks", json_size(list));
    v->K = json_size(list);
    for (size_t s = 0; s < v->K; s++) {
        int64_t rank = json_int(json_at(list, s), 0);
        if (rank < 1 || rank > ORDER_MAX)
            return err_set(err, ERR_FORMAT, "a rank of %lld", (long long)rank);
        v->rank[s] = (int32_t)rank;
    }
    return OK;
}

static enum status read_marks(struct vote *v, const struct json *row,
                              struct err *err)
{
    static const char *const key[2][4] = {
        {"left_helpful", "left_direct", "left_correct", "left_length"},
        {"right_helpful", "right_direct", "right_correct", "right_length"}};
    for (int s = 0; s < 2; s++) {
        int correct, length;
        TRY(need_word(&correct, row, key[s][2], &choice_correct, err));
        TRY(need_word(&length, row, key[s][3], &choice_length, err));
        v->marks[s] = (struct vote_marks){
            .helpful = json_int(json_get(row, key[s][0]), -1),
            .direct = json_int(json_get(row, key[s][1]), -1),
            .correct = (enum vote_correct)correct,
            .length = (enum vote_length)length,
        };
    }
    return OK;
}

static enum status restore_act(struct restoring *r, int64_t judge,
                               int64_t assignment, const struct json *row,
                               struct err *err)
{
    struct vote v = {
        .assignment = assignment,
        .strength = json_int(json_get(row, "strength"), 0),
        .reason = json_text(json_get(row, "reason"), NULL),
    };
    int64_t turn, id;
    int act, overall, render;
    bool is_new;
    TRY(json_need_int(&turn, row, "turn", 0, 1 << 20, line_of, err));
    TRY(json_need_text(&v.key, row, "key", line_of, err));
    TRY(need_word(&act, row, "act", &choice_act, err));
    TRY(need_word(&overall, row, "overall", &choice_overall, err));
    TRY(need_word(&render, row, "render", &choice_render, err));
    v.act = (enum vote_act)act;
    v.overall = (enum vote_overall)overall;
    v.render = (enum vote_render)render;
    TRY(read_ranks(&v, json_get(row, "ranks"), err));
    TRY(read_marks(&v, row, err));
    TRY(json_need_int(&v.shown, row, "shown_at", 0, INT64_MAX, line_of, err));
    TRY(json_need_int(&v.voted, row, "voted_at", 0, INT64_MAX, line_of, err));
    TRY(find_turn(&v.supersedes, r, assignment, turn - 1, err));
    TRY(votes_cast(&id, &is_new, r->db, judge, &v, err));
    r->counts.acts += is_new;
    return OK;
}

static enum status restore_remark(struct restoring *r, int64_t judge,
                                  int64_t assignment, const struct json *node,
                                  struct err *err)
{
    struct remark x = {.assignment = assignment};
    int64_t id;
    int kind;
    bool is_new;
    TRY(need_word(&kind, node, "kind", &choice_remark, err));
    x.kind = (enum remark_kind)kind;
    TRY(json_need_text(&x.key, node, "key", line_of, err));
    TRY(json_need_text(&x.text, node, "text", line_of, err));
    TRY(json_need_int(&x.at, node, "at", 0, INT64_MAX, line_of, err));
    TRY(votes_remark(&id, &is_new, r->db, judge, &x, err));
    r->counts.remarks += is_new;
    return OK;
}

/* ---- lines -------------------------------------------------------------- */

static enum status restore_line(void *ctx, const struct json *row, size_t line,
                                struct err *err)
{
    struct restoring *r = ctx;
    int64_t pool, item, judge, assignment;
    const char *schema = json_text(json_get(row, "schema"), "");
    const struct json *remark = json_get(row, "remark");
    (void)line;
    if (strcmp(schema, RECORDS_SCHEMA) != 0)
        return err_set(err, ERR_FORMAT, "schema '%.40s' is not %s", schema,
                       RECORDS_SCHEMA);
    arena_reset(&r->arena);
    TRY(restore_pool(&pool, r, row, err));
    TRY(restore_item(&item, r, pool, row, err));
    TRY(restore_judge(&judge, r, row, err));
    TRY(restore_assignment(&assignment, r, item, judge, row, err));
    TRY(restore_look(r, judge, pool, row, err));
    r->counts.lines++;
    if (remark != NULL)
        return restore_remark(r, judge, assignment, remark, err);
    return restore_act(r, judge, assignment, row, err);
}

static enum status restore(struct db *db, void *ctx, struct err *err)
{
    struct restoring *r = ctx;
    (void)db;
    return jsonl_read(r->path, restore_line, r, err);
}

enum status records_restore(struct records_counts *out, struct db *db,
                            const char *path, int64_t actor, int64_t now,
                            struct err *err)
{
    struct restoring r = {.db = db, .path = path, .actor = actor, .now = now};
    enum status status = db_transact(db, restore, &r, err);
    arena_free(&r.arena);
    if (status == OK)
        *out = r.counts;
    return status;
}

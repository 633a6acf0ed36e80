#include "store/records.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/assign.h"
#include "store/audit.h"
#include "store/judges.h"
#include "store/query.h"
#include "store/unblind.h"
#include "store/votes.h"

#define LINE_MAX_BYTES ((size_t)512 << 20)
#define SPOTCHECK_SCHEMA "plumb.spotcheck/1"

struct walking {
    struct db *db;
    const struct records_config *config;
    records_fn fn;
    void *ctx;
    unsigned char key[32]; // of redacted names
    struct buf line;

    struct arena item_arena, arena; // of the item; of one assignment
    struct pool pool;
    struct item item;
    struct judge judge;
    struct assignment assignment;
    int64_t unblinded; // when the judge looked how this pool stands, or 0
    int64_t turn;
};

/* ---- pieces ------------------------------------------------------------- */

static enum status hand_out(struct walking *w, struct err *err)
{
    TRY(buf_status(&w->line, err));
    return w->fn(w->ctx, buf_text(&w->line), w->line.len, err);
}

/* A judge's name, or what stands for it. */
static const char *name_of(const struct walking *w, char out[32])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof hash + 1];
    if (!w->config->is_redact)
        return w->judge.name;
    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)w->judge.name,
                             strlen(w->judge.name), w->key, sizeof w->key);
    audit_hex(hex, hash, sizeof hash);
    (void)snprintf(out, 32, "judge-%.12s", hex);
    return out;
}

static void begin_line(struct walking *w, struct json_writer *j)
{
    buf_clear(&w->line);
    json_writer_init(j, &w->line, false);
    json_open(j, '{');
}

/* ---- our own form ------------------------------------------------------- */

static void write_pool(struct json_writer *j, const struct pool *p)
{
    json_put_key(j, "pool");
    json_open(j, '{');
    json_field_text(j, "name", p->name);
    json_field_text(j, "task", choice_word(&choice_task, (int)p->task));
    json_field_int(j, "overlap", p->overlap);
    json_field_int(j, "lease", p->lease);
    json_field_number(j, "random_share", p->random_share);
    json_field_text(j, "guide", p->guide);
    json_close(j, '}');
}

static void write_front(struct walking *w, struct json_writer *j)
{
    const struct assignment *x = &w->assignment;
    char name[32], hex[2 * ORDER_BYTES + 1];
    json_field_text(j, "schema", RECORDS_SCHEMA);
    write_pool(j, &w->pool);
    items_write(j, &w->item);
    if (w->item.arm == ITEM_ADAPTIVE)
        json_field_number(j, "priority", w->item.priority);
    json_field_text(j, "judge", name_of(w, name));
    json_field_text(j, "role", choice_word(&choice_role, (int)w->judge.role));
    if (w->unblinded != 0)
        json_field_int(j, "unblinded_at", w->unblinded);
    json_field_int(j, "nth", x->nth);
    json_field_int(j, "leased_at", x->leased);
    json_field_ints(j, "shown", x->order.place, x->order.K);
    audit_hex(hex, x->order.secret, ORDER_BYTES);
    json_field_text(j, "secret", hex);
    audit_hex(hex, x->order.commitment, ORDER_BYTES);
    json_field_text(j, "commitment", hex);
}

static enum status write_act(void *ctx, int64_t id, struct err *err)
{
    struct walking *w = ctx;
    struct json_writer j;
    struct vote v;
    TRY(votes_read(&v, &w->arena, w->db, id, err));
    if (w->config->is_redact)
        v.reason = NULL;
    begin_line(w, &j);
    write_front(w, &j);
    json_field_int(&j, "turn", w->turn++);
    votes_write(&j, &v);
    json_close(&j, '}');
    return hand_out(w, err);
}

static enum status write_remark(void *ctx, int64_t id, struct err *err)
{
    struct walking *w = ctx;
    struct json_writer j;
    struct remark r;
    TRY(votes_read_remark(&r, &w->arena, w->db, id, err));
    begin_line(w, &j);
    write_front(w, &j);
    json_put_key(&j, "remark");
    json_open(&j, '{');
    json_field_text(&j, "kind", choice_word(&choice_remark, (int)r.kind));
    json_field_text(&j, "key", r.key);
    json_field_text(&j, "text", r.text);
    json_field_int(&j, "at", r.at);
    json_close(&j, '}');
    json_close(&j, '}');
    return hand_out(w, err);
}

static enum status write_canonical(struct walking *w, struct err *err)
{
    w->turn = 0;
    TRY(votes_walk(w->db, w->assignment.id, write_act, w, err));
    if (w->config->is_redact)
        return OK;
    return votes_walk_remarks(w->db, w->assignment.id, write_remark, w, err);
}

/* ---- spot-checks -------------------------------------------------------- */

static bool has_source(const struct item *x, const char *source)
{
    for (size_t k = 0; k < x->n; k++)
        if (strcmp(x->candidate[k].source, source) == 0)
            return true;
    return false;
}

static void write_side(struct json_writer *j, const char *key,
                       const struct candidate *c)
{
    json_put_key(j, key);
    json_open(j, '{');
    json_field_text(j, "response", c->text);
    json_field_text(j, "source", c->source);
    if (c->sample >= 0)
        json_field_int(j, "sample", c->sample);
    if (c->tokens >= 0)
        json_field_int(j, "tokens", c->tokens);
    json_close(j, '}');
}

static void write_answers(struct json_writer *j, const struct vote *v)
{
    static const char *const direct[] = {"left_direct", "right_direct"};
    static const char *const correct[] = {"left_correct", "right_correct"};
    static const char *const length[] = {"left_length", "right_length"};
    static const char *const helpful[] = {"left_helpful", "right_helpful"};
    json_field_text(j, "overall",
                    choice_word(&choice_overall, (int)v->overall));
    for (int s = 0; s < 2; s++)
        if (v->marks[s].direct >= 0)
            json_field_int(j, direct[s], v->marks[s].direct);
    for (int s = 0; s < 2; s++)
        if (v->marks[s].correct != VOTE_CORRECT_NONE)
            json_field_text(
                j, correct[s],
                choice_word(&choice_correct, (int)v->marks[s].correct));
    for (int s = 0; s < 2; s++)
        if (v->marks[s].length != VOTE_LENGTH_NONE)
            json_field_text(
                j, length[s],
                choice_word(&choice_length, (int)v->marks[s].length));
    for (int s = 0; s < 2; s++)
        if (v->marks[s].helpful >= 0)
            json_field_int(j, helpful[s], v->marks[s].helpful);
}

static enum status write_spotcheck(struct walking *w, const struct vote *v,
                                   struct err *err)
{
    const struct item *x = &w->item;
    const struct order *o = &w->assignment.order;
    struct json_writer j;
    char name[32];
    bool is_repeat = x->kind == ITEM_REPEAT;
    bool is_placebo = has_source(x, "placebo");
    bool is_pair = x->n == 2 && has_source(x, "reference") &&
                   (is_placebo || has_source(x, "policy"));
    if (x->kind == ITEM_GOLD || x->kind == ITEM_IDENTICAL || !is_pair)
        return OK;
    const struct candidate *left = &x->candidate[o->place[0]];
    begin_line(w, &j);
    json_field_text(&j, "schema", SPOTCHECK_SCHEMA);
    json_field_text(&j, "pair_id", is_repeat ? x->repeat_of : x->name);
    json_field_text(&j, "pool", w->pool.name);
    json_field_text(&j, "kind", is_placebo ? "placebo" : "policy");
    json_field_text(&j, "prompt_id", x->prompt_id);
    json_field_text(&j, "prompt", x->prompt);
    write_side(&j, "left", left);
    write_side(&j, "right", &x->candidate[o->place[1]]);
    json_field_text(&j, "shown_left", left->source);
    json_field_text(&j, "judge", name_of(w, name));
    json_field_int(&j, "visit", is_repeat ? 2 : 1);
    write_answers(&j, v);
    if (v->reason != NULL && !w->config->is_redact)
        json_field_text(&j, "reason", v->reason);
    json_field_int(&j, "leased_at", w->assignment.leased);
    json_field_int(&j, "voted_at", v->voted);
    if (w->unblinded != 0)
        json_field_int(&j, "unblinded_at", w->unblinded);
    json_close(&j, '}');
    return hand_out(w, err);
}

/* ---- rankings ----------------------------------------------------------- */

/* Members passed on, but for those that a ranking has itself. */
static enum status write_extra(struct json_writer *j, const char *extra,
                               struct err *err)
{
    static const char *const own[] = {"id",      "prompt",  "responses",
                                      "ranking", "finish",  "rater",
                                      "arm",     "strength"};
    struct json *node;
    if (extra == NULL)
        return OK;
    TRY(json_parse(&node, extra, strlen(extra), "extra", err));
    for (const void *it = json_first(node); it != NULL;
         it = json_next(node, it)) {
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            is_own = is_own || strcmp(json_key(it), own[i]) == 0;
        if (is_own)
            continue;
        json_put_key(j, json_key(it));
        json_put_node(j, json_value(it));
    }
    json_free(node);
    return OK;
}

static void write_responses(struct json_writer *j, const struct item *x,
                            const int32_t *rank)
{
    bool is_known = true;
    json_put_key(j, "responses");
    json_open(j, '[');
    for (size_t k = 0; k < x->n; k++) {
        json_put_text(j, x->candidate[k].text);
        is_known = is_known && x->candidate[k].finish != NULL;
    }
    json_close(j, ']');
    json_field_ints(j, "ranking", rank, x->n);
    if (!is_known)
        return;
    json_put_key(j, "finish");
    json_open(j, '[');
    for (size_t k = 0; k < x->n; k++)
        json_put_text(j, x->candidate[k].finish);
    json_close(j, ']');
}

static enum status write_ranking(struct walking *w, const struct vote *v,
                                 struct err *err)
{
    const struct item *x = &w->item;
    struct json_writer j;
    int32_t rank[ORDER_MAX] = {0};
    char name[32];
    bool is_tie = true;
    if (x->kind != ITEM_NORMAL || v->K != x->n)
        return OK;
    votes_by_candidate(rank, v, &w->assignment.order);
    for (size_t k = 0; k < x->n; k++)
        is_tie = is_tie && rank[k] == rank[0];
    if (is_tie)
        return OK;
    begin_line(w, &j);
    json_field_text(&j, "id", x->name);
    json_put_key(&j, "prompt");
    if (x->messages != NULL)
        json_put_raw(&j, x->messages, strlen(x->messages));
    else
        json_put_text(&j, x->prompt);
    write_responses(&j, x, rank);
    TRY(write_extra(&j, x->extra, err));
    json_field_text(&j, "rater", name_of(w, name));
    json_field_text(&j, "arm", choice_word(&choice_arm, (int)x->arm));
    if (v->strength > 0)
        json_field_int(&j, "strength", v->strength);
    json_close(&j, '}');
    return hand_out(w, err);
}

/* ---- walking ------------------------------------------------------------ */

static enum status last_act(void *ctx, int64_t id, struct err *err)
{
    int64_t *last = ctx;
    (void)err;
    *last = id;
    return OK;
}

/* The vote that stands, into the form that is asked for. */
static enum status write_standing(struct walking *w, struct err *err)
{
    struct vote v;
    int64_t last = 0;
    bool is_ranking = w->config->format == RECORDS_RANKINGS;
    if (w->assignment.state != ASSIGN_VOTED ||
        (w->pool.task == POOL_RANKING) != is_ranking)
        return OK;
    TRY(votes_walk(w->db, w->assignment.id, last_act, &last, err));
    TRY(votes_read(&v, &w->arena, w->db, last, err));
    return is_ranking ? write_ranking(w, &v, err) : write_spotcheck(w, &v, err);
}

/* Read what belongs to an assignment; an item is read once for all judges. */
static enum status load(struct walking *w, int64_t id, struct err *err)
{
    arena_reset(&w->arena);
    TRY(assign_read(&w->assignment, w->db, id, err));
    TRY(judges_read(&w->judge, w->db, w->assignment.judge, err));
    if (w->item.id == w->assignment.item)
        return unblind_when(&w->unblinded, w->db, w->judge.id, w->pool.id, err);
    arena_reset(&w->item_arena);
    w->item.id = 0;
    TRY(items_read(&w->item, &w->item_arena, w->db, w->assignment.item, err));
    TRY(items_read_pool(&w->pool, &w->item_arena, w->db, w->item.pool, err));
    if (w->assignment.order.K != w->item.n)
        return err_set(
            err, ERR_FORMAT, "%s: assignment %lld shows %zu of %zu candidates",
            db_path(w->db), (long long)id, w->assignment.order.K, w->item.n);
    return unblind_when(&w->unblinded, w->db, w->judge.id, w->pool.id, err);
}

static enum status walk(struct db *db, void *ctx, struct err *err)
{
    struct walking *w = ctx;
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT a.id FROM assignment AS a "
                   "JOIN item AS i ON i.id = a.item_id "
                   "WHERE a.state IN ('voted', 'skipped') "
                   "AND ?1 IN (0, i.pool_id) ORDER BY a.item_id, a.judge_id",
                   err));
    query_bind_int(&q, 1, w->config->pool);
    enum status status = OK;
    bool row = true;
    while (status == OK) {
        TRY_DONE(query_next(&q, &row, err));
        if (!row)
            break;
        TRY_DONE(load(w, query_int(&q, 0), err));
        status = w->config->format == RECORDS_CANONICAL
                     ? write_canonical(w, err)
                     : write_standing(w, err);
    }
done:
    query_close(&q);
    return status;
}

/* Names are redacted with a key of their own, so that the one that orders
 * come of is used for nothing else. */
static enum status make_key(struct walking *w, struct err *err)
{
    static const char label[] = "plumb.redact/1";
    struct project p;
    TRY(project_read(&p, w->db, err));
    (void)crypto_generichash(w->key, sizeof w->key,
                             (const unsigned char *)label, sizeof label,
                             p.order_key, sizeof p.order_key);
    return OK;
}

enum status records_walk(struct db *db, const struct records_config *c,
                         records_fn fn, void *ctx, struct err *err)
{
    struct walking w = {.db = db, .config = c, .fn = fn, .ctx = ctx};
    buf_init(&w.line, LINE_MAX_BYTES);
    enum status status = make_key(&w, err);
    if (status == OK)
        status = db_snapshot(db, walk, &w, err);
    buf_free(&w.line);
    arena_free(&w.arena);
    arena_free(&w.item_arena);
    return status;
}

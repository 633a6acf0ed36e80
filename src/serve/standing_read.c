/* standing_read.c - votes that stand, out of the database. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "serve/standing_internal.h"
#include "store/query.h"
#include "store/unblind.h"

double standing_win(const struct standing_vote *v, size_t a, size_t b)
{
    return v->rank[a] < v->rank[b] ? 1 : v->rank[a] > v->rank[b] ? 0 : 0.5;
}

bool standing_is_asked(const struct standing_item *x)
{
    return x->kind == ITEM_NORMAL || x->kind == ITEM_PLACEBO;
}

/* ---- items -------------------------------------------------------------- */

static size_t count_words(const char *text)
{
    size_t n = 0;
    bool is_inside = false;
    for (const char *c = text; *c != '\0'; c++) {
        bool is_blank = isspace((unsigned char)*c) != 0;
        n += !is_blank && !is_inside;
        is_inside = !is_blank;
    }
    return n;
}

/* The ranks that a gold item's answer stands for; {"better":1} or
 * {"ranking":[2,1,3]}. */
static enum status read_expected(struct standing_item *out, struct arena *a,
                                 const struct item *x, struct err *err)
{
    struct json *node;
    if (x->expected == NULL)
        return OK;
    TRY(ARENA_NEW(a, out->expected, x->n, err));
    TRY(json_parse(&node, x->expected, strlen(x->expected), "expected", err));
    const struct json *ranking = json_get(node, "ranking");
    int64_t better = json_int(json_get(node, "better"), -1);
    for (size_t k = 0; k < x->n; k++)
        out->expected[k] = ranking != NULL
                               ? (int32_t)json_int(json_at(ranking, k), 1)
                           : (int64_t)k == better ? 1
                                                  : 2;
    json_free(node);
    return OK;
}

static enum status fill_item(struct standing_item *out,
                             struct standing_votes *v, const struct item *x,
                             struct err *err)
{
    *out = (struct standing_item){.id = x->id,
                                  .kind = x->kind,
                                  .K = x->n,
                                  .words = count_words(x->prompt),
                                  .tested = SIZE_MAX};
    TRY(names_add(&v->prompt, &out->prompt, x->prompt_id, err));
    TRY(ARENA_NEW(v->arena, out->length, x->n, err));
    for (size_t k = 0; k < x->n; k++) {
        const struct candidate *c = &x->candidate[k];
        out->words += count_words(c->text);
        out->length[k] = (double)utf8_count(c->text, strlen(c->text));
        if (strcmp(c->source, "policy") == 0 ||
            strcmp(c->source, "placebo") == 0)
            out->tested = k;
    }
    return read_expected(out, v->arena, x, err);
}

static enum status add_item(struct standing_votes *v, struct db *db, int64_t id,
                            struct err *err)
{
    struct arena a = {0};
    struct item x;
    TRY(MEM_ROOM(v->item, v->n_items, v->room_items, err));
    enum status status = items_read(&x, &a, db, id, err);
    if (status == OK)
        status = fill_item(&v->item[v->n_items], v, &x, err);
    arena_free(&a);
    if (status == OK)
        v->item[v->n_items++].first = v->n;
    return status;
}

/* ---- votes -------------------------------------------------------------- */

/* What stood on the left is 1 of 2 when A was chosen; a tie is 1 1. */
static void rank_pair(struct vote *said)
{
    said->K = 2;
    said->rank[0] = said->overall == VOTE_B ? 2 : 1;
    said->rank[1] = said->overall == VOTE_A ? 2 : 1;
}

static enum status fill_vote(struct standing_vote *out, struct vote *said,
                             const struct order *o, size_t K, struct arena *a,
                             struct db *db, struct err *err)
{
    if (said->overall != VOTE_OVERALL_NONE)
        rank_pair(said);
    if (said->K != K || o->K != K)
        return err_set(err, ERR_FORMAT,
                       "%s: vote %lld is of %zu candidates, its item has %zu",
                       db_path(db), (long long)said->id, said->K, K);
    TRY(ARENA_NEW(a, out->rank, K, err));
    TRY(ARENA_NEW(a, out->column, K, err));
    for (size_t s = 0; s < K; s++) {
        size_t k = (size_t)o->place[s];
        out->rank[k] = said->rank[s];
        out->column[k] = (int32_t)s;
        if (K == 2)
            out->mark[k] = said->marks[s];
    }
    out->shown = said->shown;
    out->voted = said->voted;
    return OK;
}

static size_t find_judge(const struct standing *s, int64_t id)
{
    size_t low = 0, high = s->n_judges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->judge[middle].judge.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A row: base item, judge, is it a repeat, places, the last act. */
static enum status add_vote(struct standing_votes *v, struct standing *s,
                            struct db *db, const struct query *q,
                            struct arena *scratch, struct err *err)
{
    struct vote said;
    struct order o;
    TRY(MEM_ROOM(v->vote, v->n, v->room, err));
    int64_t item = query_int(q, 0);
    if (v->n_items == 0 || v->item[v->n_items - 1].id != item)
        TRY(add_item(v, db, item, err));
    struct standing_item *x = &v->item[v->n_items - 1];
    struct standing_vote *out = &v->vote[v->n];
    *out = (struct standing_vote){.item = v->n_items - 1,
                                  .judge = find_judge(s, query_int(q, 1)),
                                  .is_repeat = query_int(q, 2) != 0};
    arena_reset(scratch);
    TRY(order_read(&o, query_text(q, 3), err));
    TRY(votes_read(&said, scratch, db, query_int(q, 4), err));
    TRY(fill_vote(out, &said, &o, x->K, v->arena, db, err));
    x->n_votes += !out->is_repeat;
    v->n++;
    return OK;
}

static enum status read_votes(struct standing_votes *v, struct standing *s,
                              struct db *db, struct err *err)
{
    struct query q;
    struct arena scratch = {0};
    bool row = true;
    TRY(query_open(&q, db,
                   "SELECT coalesce(i.repeat_of, i.id) AS base, a.judge_id, "
                   "i.repeat_of IS NOT NULL, a.shown, "
                   "(SELECT max(v.id) FROM vote AS v "
                   "WHERE v.assignment_id = a.id) "
                   "FROM assignment AS a JOIN item AS i ON i.id = a.item_id "
                   "WHERE i.pool_id = ?1 AND a.state = 'voted' "
                   "ORDER BY base, i.repeat_of IS NOT NULL, a.judge_id, i.id",
                   err));
    query_bind_int(&q, 1, s->pool.id);
    enum status status = OK;
    while (status == OK) {
        status = query_next(&q, &row, err);
        if (status != OK || !row)
            break;
        status = add_vote(v, s, db, &q, &scratch, err);
    }
    query_close(&q);
    arena_free(&scratch);
    v->n_prompts = v->prompt.n;
    return status;
}

/* ---- judges ------------------------------------------------------------- */

struct people {
    struct standing *s;
    struct db *db;
    size_t room;
};

static enum status add_judge(void *ctx, int64_t id, struct err *err)
{
    struct people *p = ctx;
    struct standing *s = p->s;
    struct progress_judge count;
    TRY(MEM_ROOM(s->judge, s->n_judges, p->room, err));
    struct standing_judge *j = &s->judge[s->n_judges];
    TRY(judges_read(&j->judge, p->db, id, err));
    TRY(progress_judge(&count, p->db, id, s->pool.id, s->at, err));
    TRY(unblind_when(&j->unblinded, p->db, id, s->pool.id, err));
    j->votes = count.voted;
    j->skips = count.skipped;
    j->undone = count.undone;
    s->n_judges++;
    return OK;
}

static enum status read_judges(struct standing *s, struct db *db,
                               struct err *err)
{
    struct people p = {s, db, 0};
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT DISTINCT a.judge_id FROM assignment AS a "
                   "JOIN item AS i ON i.id = a.item_id WHERE i.pool_id = ?1 "
                   "ORDER BY a.judge_id",
                   err));
    query_bind_int(&q, 1, s->pool.id);
    return query_walk(&q, add_judge, &p, err);
}

enum status standing_read(struct standing_votes *out, struct standing *s,
                          struct db *db, struct err *err)
{
    *out = (struct standing_votes){.arena = &s->arena};
    enum status status = read_judges(s, db, err);
    if (status == OK)
        status = read_votes(out, s, db, err);
    if (status != OK)
        standing_votes_free(out);
    return status;
}

void standing_votes_free(struct standing_votes *v)
{
    mem_free(v->item);
    mem_free(v->vote);
    names_free(&v->prompt);
    *v = (struct standing_votes){.arena = NULL};
}

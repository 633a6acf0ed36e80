/* standing_spot.c - what a spot-check says of the policy. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "serve/standing_internal.h"
#include "stat/lcwin.h"
#include "stat/power.h"
#include "store/query.h"

/* ---- marks -------------------------------------------------------------- */

static const struct {
    const char *name, *text;
    enum mark mark;
} marks[STANDING_MARKS] = {
    {"less_direct", "less direct", MARK_LESS_DIRECT},
    {"less_helpful", "less helpful", MARK_LESS_HELPFUL},
    {"too_long", "too long", MARK_TOO_LONG},
    {"incorrect", "incorrect", MARK_INCORRECT},
};

/* Different pairs of first visits that have an answer. */
static enum status count_pairs(struct standing_mark *m,
                               const struct evidence *e, enum mark mark,
                               struct err *err)
{
    bool *is_seen;
    TRY(MEM_NEW(is_seen, e->pair.n, err));
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        if (v->visit != 1 || is_seen[v->pair] || isnan(marks_answer(v, mark)))
            continue;
        is_seen[v->pair] = true;
        *(v->is_placebo ? &m->placebos : &m->pairs) += 1;
    }
    mem_free(is_seen);
    return OK;
}

/* How many more pairs until an excess of STANDING_EFFECT would show. */
static size_t more_pairs(const struct standing_mark *m)
{
    static const struct power want = {0.05, 0.8};
    const struct estimate *e = &m->share.excess;
    size_t n = m->pairs + m->placebos;
    double se = (e->high - e->low) / (2 * 1.959963984540054);
    if (m->placebos == 0 || m->pairs == 0 || !isfinite(se))
        return n < STANDING_PAIRS ? STANDING_PAIRS - n : STANDING_PAIRS / 2;
    size_t more = power_more(STANDING_EFFECT, se, n, 0, &want);
    return n + more < STANDING_PAIRS_MIN ? STANDING_PAIRS_MIN - n : more;
}

/* The marks, and the win rate. */
static enum status measure_marks(struct standing *s, const struct evidence *e,
                                 struct err *err)
{
    enum mark asked[STANDING_MARKS + 1];
    struct marks_share share[STANDING_MARKS + 1];
    for (size_t i = 0; i < STANDING_MARKS; i++)
        asked[i] = marks[i].mark;
    asked[STANDING_MARKS] = MARK_WIN;
    TRY(marks_measure_many(share, e, asked, STANDING_MARKS + 1, err));
    for (size_t i = 0; i < STANDING_MARKS; i++) {
        struct standing_mark *m = &s->mark[i];
        *m = (struct standing_mark){
            .name = marks[i].name, .text = marks[i].text, .share = share[i]};
        TRY(count_pairs(m, e, marks[i].mark, err));
        m->more_pairs = more_pairs(m);
        m->is_measurable = m->more_pairs == 0;
    }
    s->win = standing_value_of(&share[STANDING_MARKS].policy,
                               "no policy pair was judged");
    return OK;
}

/* ---- length-controlled -------------------------------------------------- */

bool standing_is_policy(const struct standing_item *x)
{
    return x->kind == ITEM_NORMAL && x->K == 2 && x->tested != SIZE_MAX;
}

static enum status control_length(struct standing_value *out,
                                  const struct standing_votes *v,
                                  struct err *err)
{
    const struct bootstrap plan = standing_plan();
    enum status status = OK;
    size_t *prompt = NULL;
    double *win = NULL, *difference = NULL;
    struct lcwin_pairs pairs = {.n_prompts = v->n_prompts};
    struct lcwin lc;
    struct err reason;
    TRY_DONE(MEM_NEW(prompt, v->n, err));
    TRY_DONE(MEM_NEW(win, v->n, err));
    TRY_DONE(MEM_NEW(difference, v->n, err));
    for (size_t i = 0; i < v->n; i++) {
        const struct standing_item *x = &v->item[v->vote[i].item];
        size_t t = x->tested;
        if (v->vote[i].is_repeat || !standing_is_policy(x))
            continue;
        prompt[pairs.n] = x->prompt;
        win[pairs.n] = standing_win(&v->vote[i], t, 1 - t);
        difference[pairs.n++] = x->length[t] - x->length[1 - t];
    }
    pairs.prompt = prompt;
    pairs.win = win;
    pairs.length_difference = difference;
    status = lcwin_estimate(&lc, &pairs, &plan, &reason);
    if (status == OK) {
        *out = standing_value_of(&lc.rate, "no policy pair was judged");
    } else if (status == ERR_NUMERIC) {
        *out = (struct standing_value){
            summary_nothing(), "all votes went one way, or lengths explain "
                               "them all"};
        status = OK;
    } else {
        *err = reason;
    }
done:
    mem_free(difference);
    mem_free(win);
    mem_free(prompt);
    return status;
}

/* ---- sequential --------------------------------------------------------- */

/* What is said of a prompt, by its first pair. */
struct outcome {
    double margin; // wins less losses
    int64_t last;  // when the last vote that counts came
    int64_t item;
};

static int by_time(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    if (x->last != y->last)
        return x->last < y->last ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* The item that has a vote, or NULL. */
static const struct standing_item *find_item(const struct standing_votes *v,
                                             int64_t id)
{
    size_t low = 0, high = v->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->item[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->n_items && v->item[low].id == id ? &v->item[low] : NULL;
}

/* How many of an item's votes came before its k-th. */
static size_t count_earlier(const struct standing_votes *v,
                            const struct standing_item *x, size_t k)
{
    size_t n = 0;
    for (size_t j = x->first; j < x->first + x->n_votes; j++)
        n += v->vote[j].voted < v->vote[k].voted ||
             (v->vote[j].voted == v->vote[k].voted && j < k);
    return n;
}

/* The first `overlap` votes; false while there are fewer. */
static bool sum_up(struct outcome *o, const struct standing_votes *v,
                   const struct standing_item *x, size_t overlap)
{
    if (x == NULL || x->n_votes < overlap)
        return false;
    *o = (struct outcome){.item = x->id};
    for (size_t k = x->first; k < x->first + x->n_votes; k++) {
        if (count_earlier(v, x, k) >= overlap)
            continue;
        o->margin += standing_win(&v->vote[k], x->tested, 1 - x->tested) - 0.5;
        o->last = v->vote[k].voted > o->last ? v->vote[k].voted : o->last;
    }
    return true;
}

struct deciding {
    struct standing *s;
    const struct standing_votes *v;
    struct names met;   // prompts whose first pair has been seen
    struct outcome *at; // [v->n_items]
    size_t n;
};

/* A policy pair, in the order they were added; it is its prompt's first? */
static enum status see_pair(struct deciding *d, const struct query *q,
                            struct err *err)
{
    size_t prompt, before = d->met.n;
    const char *name = query_text(q, 1);
    if (name == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a prompt's id");
    TRY(names_add(&d->met, &prompt, name, err));
    if (prompt < before)
        return OK;
    if (sum_up(&d->at[d->n], d->v, find_item(d->v, query_int(q, 0)),
               (size_t)d->s->pool.overlap))
        d->n++;
    else
        d->s->waiting++;
    return OK;
}

static enum status see_pairs(struct deciding *d, struct db *db, struct err *err)
{
    struct query q;
    bool row = true;
    TRY(query_open(&q, db,
                   "SELECT i.id, i.prompt_id FROM item AS i "
                   "WHERE i.pool_id = ?1 AND i.kind = 'normal' "
                   "AND i.retired_ms IS NULL AND EXISTS (SELECT 1 "
                   "FROM candidate AS c WHERE c.item_id = i.id "
                   "AND c.source IN ('policy', 'placebo')) ORDER BY i.id",
                   err));
    query_bind_int(&q, 1, d->s->pool.id);
    enum status status = OK;
    while (status == OK) {
        status = query_next(&q, &row, err);
        if (status != OK || !row)
            break;
        status = see_pair(d, &q, err);
    }
    query_close(&q);
    return status;
}

/* What so many more pairs cost: judges are handed all kinds of items, so the
 * pool's votes are shared among its prompts. */
static enum status forecast(struct standing *s, size_t prompts, struct db *db,
                            struct err *err)
{
    struct progress_brief all;
    s->more = sequential_more(&s->sequential);
    s->more_votes = s->more;
    if (!isfinite(s->more) || prompts == 0)
        return OK;
    TRY(progress_brief(&all, db, s->pool.id, err));
    s->more_votes =
        ceil(s->more * (double)(all.votes + all.open) / (double)prompts);
    return OK;
}

static enum status decide(struct standing *s, const struct standing_votes *v,
                          struct db *db, struct err *err)
{
    enum status status = OK;
    struct deciding d = {.s = s, .v = v};
    TRY_DONE(MEM_NEW(d.at, v->n_items, err));
    TRY_DONE(see_pairs(&d, db, err));
    if (d.n > 0)
        qsort(d.at, d.n, sizeof *d.at, by_time);
    for (size_t i = 0; i < d.n; i++)
        sequential_vote(&s->sequential, d.at[i].margin > 0   ? 1
                                        : d.at[i].margin < 0 ? 0
                                                             : 0.5);
    TRY_DONE(forecast(s, d.met.n, db, err));
done:
    names_free(&d.met);
    mem_free(d.at);
    return status;
}

enum status standing_spot(struct standing *s, const struct standing_votes *v,
                          struct db *db, struct err *err)
{
    /* The plan of plumb diagnose, for the same numbers. */
    const struct bootstrap plan = {.seed = STANDING_SEED};
    enum status status = OK;
    struct evidence e;
    TRY(evidence_read_pool(&e, db, s->pool.id, &plan, err));
    TRY_DONE(measure_marks(s, &e, err));
    TRY_DONE(control_length(&s->win_length_controlled, v, err));
    TRY_DONE(decide(s, v, db, err));
done:
    evidence_free(&e);
    return status;
}

/* standing_spot.c - what a spot-check says of the policy. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "serve/standing_internal.h"
#include "stat/lcwin.h"
#include "stat/power.h"

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

static bool is_policy(const struct standing_item *x)
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
        if (v->vote[i].is_repeat || !is_policy(x))
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

/* A prompt's votes on policy pairs. */
struct outcome {
    double margin; // wins less losses
    int64_t last;  // when the last vote came
    size_t prompt;
    bool is_begun, is_open; // some votes; some still wanted
};

static int by_time(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    if (x->last != y->last)
        return x->last < y->last ? -1 : 1;
    return (x->prompt > y->prompt) - (x->prompt < y->prompt);
}

static enum status decide(struct standing *s, const struct standing_votes *v,
                          struct err *err)
{
    struct outcome *at;
    TRY(MEM_NEW(at, v->n_prompts, err));
    for (size_t i = 0; i < v->n_items; i++) {
        const struct standing_item *x = &v->item[i];
        struct outcome *o = &at[x->prompt];
        if (!is_policy(x))
            continue;
        o->prompt = x->prompt;
        o->is_begun = o->is_begun || x->n_votes > 0;
        o->is_open = o->is_open || x->n_votes < (size_t)s->pool.overlap;
        for (size_t k = x->first; k < x->first + x->n_votes; k++) {
            o->margin +=
                standing_win(&v->vote[k], x->tested, 1 - x->tested) - 0.5;
            o->last = v->vote[k].voted > o->last ? v->vote[k].voted : o->last;
        }
    }
    if (v->n_prompts > 0)
        qsort(at, v->n_prompts, sizeof *at, by_time);
    for (size_t i = 0; i < v->n_prompts; i++)
        if (at[i].is_begun && !at[i].is_open)
            sequential_vote(&s->sequential, at[i].margin > 0   ? 1
                                            : at[i].margin < 0 ? 0
                                                               : 0.5);
    s->more = sequential_more(&s->sequential) * (double)s->pool.overlap;
    mem_free(at);
    return OK;
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
    TRY_DONE(decide(s, v, err));
done:
    evidence_free(&e);
    return status;
}

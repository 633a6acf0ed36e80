#include "serve/standing.h"

#include <math.h>

#include "base/mem.h"
#include "serve/standing_internal.h"

#define STANDING_SCHEMA "plumb.standing/1"

struct bootstrap standing_plan(void)
{
    return (struct bootstrap){.seed = STANDING_SEED,
                              .resamples = STANDING_RESAMPLES};
}

struct standing_value standing_value_of(const struct estimate *e,
                                        const char *reason)
{
    return (struct standing_value){*e, isnan(e->estimate) ? reason : NULL};
}

struct making {
    struct standing *s;
    int64_t pool;
};

static enum status make(struct db *db, void *ctx, struct err *err)
{
    struct making *m = ctx;
    struct standing *s = m->s;
    struct standing_votes v;
    enum status status = OK;
    TRY(items_read_pool(&s->pool, &s->arena, db, m->pool, err));
    TRY(progress_pool(&s->progress, db, m->pool, s->at, err));
    TRY(standing_read(&v, s, db, err));
    TRY_DONE(standing_judge_all(s, &v, err));
    TRY_DONE(standing_agree(s, &v, err));
    if (s->pool.task == POOL_SPOTCHECK)
        TRY_DONE(standing_spot(s, &v, db, err));
    TRY_DONE(standing_say(s, err));
done:
    standing_votes_free(&v);
    return status;
}

enum status standing_make(struct standing *out, struct db *db, int64_t pool,
                          int64_t now, struct err *err)
{
    struct standing s = {.at = now};
    struct making m = {&s, pool};
    enum status status = db_snapshot(db, make, &m, err);
    if (status == OK)
        *out = s;
    else
        standing_free(&s);
    return status;
}

void standing_free(struct standing *s)
{
    mem_free(s->judge);
    arena_free(&s->arena);
    *s = (struct standing){.n_judges = 0};
}

/* ---- as JSON ------------------------------------------------------------ */

/* The members of an estimate, into an object that is open. */
static void put_members(struct json_writer *w, const struct standing_value *v)
{
    if (v->reason != NULL) {
        json_field_text(w, "undefined", v->reason);
        return;
    }
    json_field_number(w, "value", v->e.estimate);
    json_field_number(w, "low", v->e.low);
    json_field_number(w, "high", v->e.high);
    json_field_int(w, "n", (int64_t)v->e.n);
}

static void put_value(struct json_writer *w, const char *key,
                      const struct standing_value *v)
{
    json_put_key(w, key);
    json_open(w, '{');
    put_members(w, v);
    json_close(w, '}');
}

static void put_estimate(struct json_writer *w, const char *key,
                         const struct estimate *e)
{
    struct standing_value v = standing_value_of(e, "no pair of this kind was "
                                                   "asked about");
    put_value(w, key, &v);
}

static void put_progress(struct json_writer *w, const struct progress *p)
{
    json_put_key(w, "progress");
    json_open(w, '{');
    json_field_int(w, "items", p->items);
    json_field_int(w, "complete", p->complete);
    json_field_int(w, "begun", p->begun);
    json_field_int(w, "votes", p->votes);
    json_field_int(w, "wanted", p->wanted);
    json_field_int(w, "held", p->held);
    json_field_int(w, "skipped", p->skipped);
    json_field_int(w, "flags", p->flags);
    json_close(w, '}');
}

static void put_judge(struct json_writer *w, const struct standing_judge *j,
                      bool is_spot)
{
    json_open(w, '{');
    json_field_int(w, "judge", j->judge.id);
    json_field_text(w, "name", j->judge.name);
    json_field_int(w, "votes", j->votes);
    json_field_int(w, "skips", j->skips);
    json_field_int(w, "undone", j->undone);
    json_field_number(w, "median_ms", j->median_ms);
    json_field_int(w, "too_fast", j->too_fast);
    if (j->unblinded != 0)
        json_field_int(w, "unblinded_at", j->unblinded);
    put_value(w, "left", &j->left);
    put_value(w, "longer", &j->longer);
    put_value(w, "consistency", &j->consistency);
    put_value(w, "gold", &j->gold);
    put_value(w, "identical", &j->identical);
    if (is_spot)
        put_value(w, "win", &j->win);
    json_field_number(w, "weight", j->weight);
    json_close(w, '}');
}

static void put_agreement(struct json_writer *w, const struct standing *s)
{
    json_put_key(w, "agreement");
    json_open(w, '[');
    for (size_t i = 0; i < s->n_agreement; i++) {
        json_open(w, '{');
        json_field_text(w, "name", s->agreement[i].name);
        json_field_text(w, "of", s->agreement[i].of);
        put_members(w, &s->agreement[i].value);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_mark(struct json_writer *w, const struct standing_mark *m)
{
    json_open(w, '{');
    json_field_text(w, "name", m->name);
    put_estimate(w, "policy", &m->share.policy);
    put_estimate(w, "placebo", &m->share.placebo);
    put_estimate(w, "excess", &m->share.excess);
    json_field_int(w, "pairs", (int64_t)m->pairs);
    json_field_int(w, "placebos", (int64_t)m->placebos);
    json_field_bool(w, "measurable", m->is_measurable);
    json_field_int(w, "more_pairs", (int64_t)m->more_pairs);
    json_close(w, '}');
}

static void put_sequential(struct json_writer *w, const struct standing *s)
{
    const struct sequential *q = &s->sequential;
    struct estimate win = sequential_rate(q, 0.95);
    struct standing_value v = standing_value_of(&win, "no prompt was decided");
    json_put_key(w, "sequential");
    json_open(w, '{');
    json_field_int(w, "wins", (int64_t)q->wins);
    json_field_int(w, "losses", (int64_t)q->losses);
    json_field_int(w, "ties", (int64_t)q->ties);
    json_field_bool(w, "decided", q->decided_at > 0);
    if (q->decided_at > 0) {
        json_field_text(w, "decided_for",
                        q->is_for_wins ? "policy" : "reference");
        json_field_int(w, "decided_at", (int64_t)q->decided_at);
        json_field_bool(w, "holds", sequential_holds(q));
    }
    json_field_number(w, "evidence", exp(q->log_e));
    json_field_number(w, "needed", SEQUENTIAL_DECIDED);
    json_field_number(w, "more", s->more);
    json_field_number(w, "more_votes", s->more_votes);
    json_field_int(w, "waiting", s->waiting);
    put_value(w, "win", &v);
    json_close(w, '}');
}

static void put_spot(struct json_writer *w, const struct standing *s)
{
    put_value(w, "win", &s->win);
    put_value(w, "win_length_controlled", &s->win_length_controlled);
    json_put_key(w, "marks");
    json_open(w, '[');
    for (size_t i = 0; i < STANDING_MARKS; i++)
        put_mark(w, &s->mark[i]);
    json_close(w, ']');
    put_sequential(w, s);
}

void standing_write(struct json_writer *w, const struct standing *s)
{
    json_open(w, '{');
    json_field_text(w, "schema", STANDING_SCHEMA);
    json_field_int(w, "pool", s->pool.id);
    json_field_text(w, "name", s->pool.name);
    json_field_text(w, "task", choice_word(&choice_task, (int)s->pool.task));
    json_field_int(w, "at", s->at);
    put_progress(w, &s->progress);
    json_put_key(w, "judges");
    json_open(w, '[');
    for (size_t j = 0; j < s->n_judges; j++)
        put_judge(w, &s->judge[j], s->pool.task == POOL_SPOTCHECK);
    json_close(w, ']');
    put_agreement(w, s);
    put_value(w, "longer", &s->longer);
    if (s->pool.task == POOL_SPOTCHECK)
        put_spot(w, s);
    json_put_key(w, "says");
    json_open(w, '[');
    for (size_t i = 0; i < s->n_says; i++)
        json_put_text(w, s->says[i]);
    json_close(w, ']');
    json_close(w, '}');
}

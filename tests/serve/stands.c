#include "serve/stands.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct err err;

void stands_must(enum status status, const struct err *e)
{
    if (status != OK)
        fail_msg("%s", e->text);
}

void stands_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static void must(enum status status)
{
    stands_must(status, &err);
}

/* A pair whose first reply, the one asked about, is longer. */
int64_t stands_pair_of(struct rig *r, int64_t pool, const char *name,
                       const char *prompt, enum item_kind kind)
{
    static const char same[] = "the same four words";
    struct candidate c[2] = {
        {.text = kind == ITEM_IDENTICAL ? same
                                        : "a reply of nine words that "
                                          "goes on and on",
         .source = kind == ITEM_PLACEBO ? "placebo" : "policy",
         .step = -1,
         .sample = kind == ITEM_PLACEBO,
         .tokens = -1,
         .score = (double)NAN},
        {.text = kind == ITEM_IDENTICAL ? same : "a short one",
         .source = "reference",
         .step = -1,
         .sample = 0,
         .tokens = -1,
         .score = (double)NAN}};
    int64_t id;
    bool is_new;
    const struct item x = {.pool = pool,
                           .name = name,
                           .kind = kind,
                           .expected =
                               kind == ITEM_GOLD ? "{\"better\":1}" : NULL,
                           .arm = ITEM_RANDOM,
                           .prompt_id = prompt,
                           .prompt = name,
                           .candidate = c,
                           .n = 2};
    must(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, &err));
    return id;
}

void stands_pair(struct rig *r, int64_t pool, const char *name,
                 enum item_kind kind)
{
    (void)stands_pair_of(r, pool, name, name, kind);
}

static struct vote vote_of(const struct stands_said *s, const struct order *o,
                           const char *key, int64_t ms, int64_t now)
{
    bool is_left = o->place[0] == 0;
    struct vote v = {.key = key,
                     .act = VOTE_CAST,
                     .overall = s->win == 0.5              ? VOTE_BOTH_GOOD
                                : (s->win == 1) == is_left ? VOTE_A
                                                           : VOTE_B,
                     .marks = {votes_no_marks(), votes_no_marks()},
                     .shown = now - ms,
                     .voted = now};
    v.marks[!is_left].direct = s->direct;
    v.marks[is_left].direct = s->other;
    return v;
}

int64_t stands_say(struct rig *r, int64_t judge, int64_t assignment,
                   const struct stands_said *s, const char *key,
                   int64_t supersedes, int64_t ms, int64_t now)
{
    struct assignment a;
    bool is_new;
    int64_t id;
    must(assign_read(&a, r->db, assignment, &err));
    struct vote v = vote_of(s, &a.order, key, ms, now);
    v.assignment = assignment;
    v.supersedes = supersedes;
    must(votes_cast(&id, &is_new, r->db, judge, &v, &err));
    return id;
}

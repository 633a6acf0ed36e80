#include "eval/spotcheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/samples_table.h"
#include "io/dataset.h"
#include "io/vote.h"
#include "store/human.h"

#define PAIR_NAME_MAX ((size_t)1 << 20)

/* One visit, told from the tested reply's side. */
struct visit {
    bool is_placebo;
    bool is_changed; // of two policies' votes: the second one's
    int64_t number;  // 1, or 2 when the pair was judged again
    double win;      // 1, 1/2, 0
    double less;     // tested reply marked less direct: 1 or 0
    double too_long, too_long_reference;
    double correct, correct_reference;
};

struct votes {
    struct visit *visit;
    char **prompt; // [n] the prompt's id
    char **pair;   // [n] the pair's id
    char **judge;  // [n] who voted, "" when it is not said
    size_t n, room;
    const char *path;
    bool is_changed; // what is being read
    const struct known *known;
    size_t strange;
    bool is_database; // strange votes are on other policies: left out
};

static enum status grow(struct votes *v, struct err *err)
{
    size_t room = v->room > 0 ? 2 * v->room : 256;
    struct visit *visit = mem_grow(v->visit, v->n, room, sizeof *visit);
    if (visit != NULL)
        v->visit = visit;
    char **prompt = mem_grow(v->prompt, v->n, room, sizeof *prompt);
    if (prompt != NULL)
        v->prompt = prompt;
    char **pair = mem_grow(v->pair, v->n, room, sizeof *pair);
    if (pair != NULL)
        v->pair = pair;
    char **judge = mem_grow(v->judge, v->n, room, sizeof *judge);
    if (judge != NULL)
        v->judge = judge;
    if (visit == NULL || prompt == NULL || pair == NULL || judge == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu votes", room);
    v->room = room;
    return OK;
}

/* Only what was called correct is. */
static double is_correct(double correct)
{
    return isnan(correct) ? correct : correct == 1 ? 1 : 0;
}

static struct visit visit_of(const struct vote *v)
{
    double tested = v->tested.direct, other = v->other.direct;
    return (struct visit){.is_placebo = v->is_placebo,
                          .number = v->visit,
                          .win = v->win,
                          .less = isnan(tested - other) ? (double)NAN
                                  : tested < other      ? 1
                                                        : 0,
                          .too_long = v->tested.too_long,
                          .too_long_reference = v->other.too_long,
                          .correct = is_correct(v->tested.correct),
                          .correct_reference = is_correct(v->other.correct)};
}

/* Was the reply on this side drawn by this evaluation?  A placebo is one of
 * the reference's. */
static bool is_known(const struct known *k, const char *prompt_id,
                     const struct json *side)
{
    const char *source = json_text(json_get(side, "source"), "");
    const char *which = strcmp(source, "policy") == 0 ? source : "reference";
    return known_has(k, prompt_id, which, json_int(json_get(side, "sample"), 0),
                     json_text(json_get(side, "response"), ""));
}

/* A vote that was read; one that a database has on another policy is left
 * out. */
static enum status keep_visit(struct votes *v, const struct vote *vote,
                              const char *pair, const struct json *row,
                              struct err *err)
{
    if (v->known != NULL &&
        (!is_known(v->known, vote->prompt, vote->tested.reply) ||
         !is_known(v->known, vote->prompt, vote->other.reply))) {
        v->strange++;
        if (v->is_database)
            return OK;
    }
    v->visit[v->n] = visit_of(vote);
    v->visit[v->n].is_changed = v->is_changed;
    v->prompt[v->n] = mem_strdup(vote->prompt);
    v->pair[v->n] = mem_strdup(pair);
    v->judge[v->n] = mem_strdup(json_text(json_get(row, "judge"), ""));
    v->n++;
    if (v->prompt[v->n - 1] == NULL || v->pair[v->n - 1] == NULL ||
        v->judge[v->n - 1] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a vote");
    return OK;
}

static enum status add_visit(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct votes *v = ctx;
    struct buf what;
    struct vote vote;
    const char *pair = NULL;
    if (v->n == v->room)
        TRY(grow(v, err));
    buf_init(&what, 8192);
    buf_printf(&what, "%s:%zu", v->path, line);
    enum status status = vote_read(&vote, row, buf_text(&what), err);
    if (status == OK)
        status = json_need_text(&pair, row, "pair_id", buf_text(&what), err);
    buf_free(&what);
    TRY(status);
    buf_init(&what, PAIR_NAME_MAX);
    pair = vote_pair(&what, row);
    status = buf_status(&what, err);
    if (status == OK)
        status = keep_visit(v, &vote, pair, row, err);
    buf_free(&what);
    return status;
}

static void votes_free(struct votes *v)
{
    for (size_t i = 0; i < v->n; i++) {
        mem_free(v->prompt[i]);
        mem_free(v->pair[i]);
        mem_free(v->judge[i]);
    }
    mem_free(v->visit);
    mem_free(v->prompt);
    mem_free(v->pair);
    mem_free(v->judge);
}

/* Yes answers and answers of each prompt; NaN where nobody was asked. */
struct column {
    double *yes, *asked;
};

/* Which visits are counted. */
enum kind {
    POLICY,
    PLACEBO,
    CHANGED // the second policy's
};

enum question {
    WIN,
    LESS,
    LONG,
    LONG_REFERENCE,
    CORRECT,
    CORRECT_REFERENCE
};

static double answer(const struct visit *v, enum question q)
{
    switch (q) {
    case WIN:
        return v->win;
    case LESS:
        return v->less;
    case LONG:
        return v->too_long;
    case LONG_REFERENCE:
        return v->too_long_reference;
    case CORRECT:
        return v->correct;
    case CORRECT_REFERENCE:
        return v->correct_reference;
    }
    return (double)NAN;
}

static bool is_kind(const struct visit *v, enum kind kind)
{
    return v->number == 1 && v->is_placebo == (kind == PLACEBO) &&
           v->is_changed == (kind == CHANGED);
}

static void count(const struct column *c, const struct votes *v,
                  const size_t *prompt, size_t prompts, enum question q,
                  enum kind kind)
{
    for (size_t p = 0; p < prompts; p++)
        c->yes[p] = c->asked[p] = 0;
    for (size_t i = 0; i < v->n; i++) {
        double x = answer(&v->visit[i], q);
        if (!is_kind(&v->visit[i], kind) || isnan(x))
            continue;
        c->yes[prompt[i]] += x;
        c->asked[prompt[i]] += 1;
    }
    for (size_t p = 0; p < prompts; p++)
        if (c->asked[p] == 0)
            c->yes[p] = c->asked[p] = (double)NAN;
}

/* Scratch and inputs of one pass over the votes. */
struct tally {
    const struct votes *votes;
    size_t *prompt; // [n]
    size_t prompts;
    struct column tested, other;
    const struct bootstrap *plan;
};

static enum status add_rate(struct measures *out, struct tally *t,
                            const char *name, enum question q, enum kind kind,
                            struct err *err)
{
    struct estimate e;
    count(&t->tested, t->votes, t->prompt, t->prompts, q, kind);
    TRY(summary_estimate_ratio(&e, t->tested.yes, t->tested.asked, t->prompts,
                               t->plan, err));
    measures_add(out, name, &e);
    return OK;
}

/* The share of question a minus that of question b. */
static enum status add_excess(struct measures *out, struct tally *t,
                              const char *name, enum question a,
                              enum question b, enum kind kind_b,
                              struct err *err)
{
    struct estimate e;
    count(&t->tested, t->votes, t->prompt, t->prompts, a, POLICY);
    count(&t->other, t->votes, t->prompt, t->prompts, b, kind_b);
    TRY(summary_estimate_excess(&e, t->tested.yes, t->tested.asked,
                                t->other.yes, t->other.asked, t->prompts,
                                t->plan, err));
    measures_add(out, name, &e);
    return OK;
}

static bool is_same_pair(const struct votes *v, size_t i, size_t k)
{
    return strcmp(v->pair[k], v->pair[i]) == 0 &&
           strcmp(v->judge[k], v->judge[i]) == 0;
}

/* Second visits beside the same judge's first visit of the pair.  Pairs judged
 * twice are few, so looking each up is cheap enough. */
static enum status add_consistency(struct measures *out, struct tally *t,
                                   size_t *repeated, struct err *err)
{
    const struct votes *v = t->votes;
    struct estimate e;
    struct column *c = &t->tested;
    for (size_t p = 0; p < t->prompts; p++)
        c->yes[p] = c->asked[p] = 0;
    *repeated = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->visit[i].number != 2)
            continue;
        for (size_t k = 0; k < v->n; k++) {
            if (v->visit[k].number != 1 || !is_same_pair(v, i, k))
                continue;
            c->yes[t->prompt[i]] += v->visit[k].win == v->visit[i].win;
            c->asked[t->prompt[i]] += 1;
            *repeated += 1;
            break;
        }
    }
    for (size_t p = 0; p < t->prompts; p++)
        if (c->asked[p] == 0)
            c->yes[p] = c->asked[p] = (double)NAN;
    TRY(summary_estimate_ratio(&e, c->yes, c->asked, t->prompts, t->plan, err));
    measures_add(out, "self_consistency", &e);
    return OK;
}

static enum status tally(struct measures *out, struct tally *t,
                         struct spotcheck_counts *counts, struct err *err)
{
    TRY(add_rate(out, t, "win_rate", WIN, POLICY, err));
    TRY(add_rate(out, t, "win_rate_placebo", WIN, PLACEBO, err));
    TRY(add_rate(out, t, "less_direct", LESS, POLICY, err));
    TRY(add_rate(out, t, "less_direct_placebo", LESS, PLACEBO, err));
    TRY(add_excess(out, t, "less_direct_excess", LESS, LESS, PLACEBO, err));
    TRY(add_rate(out, t, "too_long", LONG, POLICY, err));
    TRY(add_rate(out, t, "too_long_reference", LONG_REFERENCE, POLICY, err));
    TRY(add_excess(out, t, "too_long_excess", LONG, LONG_REFERENCE, POLICY,
                   err));
    TRY(add_rate(out, t, "correct", CORRECT, POLICY, err));
    TRY(add_rate(out, t, "correct_reference", CORRECT_REFERENCE, POLICY, err));
    return add_consistency(out, t, &counts->repeated, err);
}

/* Number the prompts of what was read and make room. */
static enum status open_tally(struct tally *t, struct err *err)
{
    const struct votes *v = t->votes;
    double **column[] = {&t->tested.yes, &t->tested.asked, &t->other.yes,
                         &t->other.asked};
    TRY(MEM_NEW(t->prompt, v->n, err));
    TRY(samples_table_number(t->prompt, &t->prompts, v->prompt, v->n, err));
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        TRY(MEM_NEW(*column[i], t->prompts, err));
    return OK;
}

static void close_tally(struct tally *t)
{
    mem_free(t->prompt);
    mem_free(t->tested.yes);
    mem_free(t->tested.asked);
    mem_free(t->other.yes);
    mem_free(t->other.asked);
}

enum status spotcheck_read(struct measures *out,
                           struct spotcheck_counts *counts, const char *path,
                           const struct known *known,
                           const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct votes votes = {
        .path = path, .known = known, .is_database = human_is_database(path)};
    struct tally t = {.votes = &votes, .plan = plan};
    TRY_DONE(human_read(path, add_visit, &votes, err));
    TRY_DONE(open_tally(&t, err));
    *counts = (struct spotcheck_counts){.strange = votes.strange};
    for (size_t i = 0; i < votes.n; i++) {
        counts->pairs +=
            votes.visit[i].number == 1 && !votes.visit[i].is_placebo;
        counts->placebo_pairs +=
            votes.visit[i].number == 1 && votes.visit[i].is_placebo;
    }
    TRY_DONE(tally(out, &t, counts, err));
done:
    close_tally(&t);
    votes_free(&votes);
    return status;
}

static enum status compare(struct spotcheck_change *out, struct tally *t,
                           enum question q, struct err *err)
{
    const struct column *a = &t->tested, *b = &t->other;
    count(a, t->votes, t->prompt, t->prompts, q, CHANGED);
    count(b, t->votes, t->prompt, t->prompts, q, POLICY);
    TRY(summary_estimate_ratio(&out->changed, a->yes, a->asked, t->prompts,
                               t->plan, err));
    TRY(summary_estimate_ratio(&out->base, b->yes, b->asked, t->prompts,
                               t->plan, err));
    return summary_estimate_excess(&out->difference, a->yes, a->asked, b->yes,
                                   b->asked, t->prompts, t->plan, err);
}

enum status spotcheck_compare(struct spotcheck_comparison *out,
                              const char *base_path, const char *changed_path,
                              const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct votes votes = {.path = base_path};
    struct tally t = {.votes = &votes, .plan = plan};
    TRY_DONE(jsonl_read(base_path, add_visit, &votes, err));
    votes.path = changed_path;
    votes.is_changed = true;
    TRY_DONE(jsonl_read(changed_path, add_visit, &votes, err));
    TRY_DONE(open_tally(&t, err));
    TRY_DONE(compare(&out->win_rate, &t, WIN, err));
    TRY_DONE(compare(&out->less_direct, &t, LESS, err));
    TRY_DONE(compare(&out->too_long, &t, LONG, err));
done:
    close_tally(&t);
    votes_free(&votes);
    return status;
}

#include "eval/spotcheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/samples.h"
#include "io/dataset.h"

/* One visit, told from the tested reply's side. */
struct visit {
    bool is_placebo;
    int64_t number; // 1, or 2 when the pair was judged again
    double win;     // 1, 1/2, 0
    double less;    // tested reply marked less direct: 1 or 0
    double too_long, too_long_reference;
    double correct, correct_reference;
};

struct votes {
    struct visit *visit;
    char **prompt; // [n] the prompt's id
    char **pair;   // [n] the pair's id
    size_t n, room;
    const char *path;
    const struct known *known;
    size_t strange;
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
    if (visit == NULL || prompt == NULL || pair == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu votes", room);
    v->room = room;
    return OK;
}

/* 1 when the member is `word`, 0 when it is another text, NaN without. */
static double says(const struct json *row, const char *key, const char *word)
{
    const char *text = json_text(json_get(row, key), NULL);
    if (text == NULL)
        return (double)NAN;
    return strcmp(text, word) == 0 ? 1 : 0;
}

static double number(const struct json *row, const char *key)
{
    return json_number(json_get(row, key), (double)NAN);
}

/* 1 when the left answer won, 0 when the right one did, 1/2 for a tie.  A word
 * that is none of these is no tie: it would pull a win rate to one half. */
static enum status read_choice(double *left_wins, const char *choice,
                               const char *what, struct err *err)
{
    static const struct {
        const char *word;
        double left_wins;
    } choices[] = {{"A", 1}, {"B", 0}, {"both_good", 0.5}, {"both_bad", 0.5}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choice, choices[i].word) == 0) {
            *left_wins = choices[i].left_wins;
            return OK;
        }
    }
    return err_set(err, ERR_FORMAT,
                   "%s: overall '%.20s' is not A, B, both_good or both_bad",
                   what, choice);
}

static enum status read_visit(struct visit *v, const struct json *row,
                              const char *what, struct err *err)
{
    const char *kind;
    const char *choice;
    TRY(json_need_text(&kind, row, "kind", what, err));
    TRY(json_need_text(&choice, row, "overall", what, err));
    const char *left =
        json_text(json_get(json_get(row, "left"), "source"), "?");
    const char *right =
        json_text(json_get(json_get(row, "right"), "source"), "?");
    v->is_placebo = strcmp(kind, "placebo") == 0;
    bool is_left = strcmp(left, kind) == 0;
    if ((!v->is_placebo && strcmp(kind, "policy") != 0) ||
        strcmp(is_left ? right : left, "reference") != 0 ||
        strcmp(is_left ? left : right, kind) != 0)
        return err_set(err, ERR_FORMAT,
                       "%s: kind '%s' with sources '%s' and '%s': wanted a "
                       "policy or placebo reply beside a reference reply",
                       what, kind, left, right);
    double left_wins;
    TRY(read_choice(&left_wins, choice, what, err));
    v->win = is_left ? left_wins : 1 - left_wins;
    v->number = json_int(json_get(row, "visit"), 1);
    double tested = number(row, is_left ? "left_direct" : "right_direct");
    double other = number(row, is_left ? "right_direct" : "left_direct");
    v->less = isnan(tested - other) ? (double)NAN : tested < other ? 1 : 0;
    v->too_long =
        says(row, is_left ? "left_length" : "right_length", "too_long");
    v->too_long_reference =
        says(row, is_left ? "right_length" : "left_length", "too_long");
    v->correct = says(row, is_left ? "left_correct" : "right_correct", "yes");
    v->correct_reference =
        says(row, is_left ? "right_correct" : "left_correct", "yes");
    return OK;
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

static enum status add_visit(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct votes *v = ctx;
    struct buf what;
    const char *prompt = NULL;
    const char *pair = NULL;
    if (v->n == v->room)
        TRY(grow(v, err));
    buf_init(&what, 8192);
    buf_printf(&what, "%s:%zu", v->path, line);
    enum status status = read_visit(&v->visit[v->n], row, buf_text(&what), err);
    if (status == OK)
        status =
            json_need_text(&prompt, row, "prompt_id", buf_text(&what), err);
    if (status == OK)
        status = json_need_text(&pair, row, "pair_id", buf_text(&what), err);
    buf_free(&what);
    TRY(status);
    if (v->known != NULL &&
        (!is_known(v->known, prompt, json_get(row, "left")) ||
         !is_known(v->known, prompt, json_get(row, "right"))))
        v->strange++;
    v->prompt[v->n] = mem_strdup(prompt);
    v->pair[v->n] = mem_strdup(pair);
    v->n++;
    if (v->prompt[v->n - 1] == NULL || v->pair[v->n - 1] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a vote");
    return OK;
}

static void votes_free(struct votes *v)
{
    for (size_t i = 0; i < v->n; i++) {
        mem_free(v->prompt[i]);
        mem_free(v->pair[i]);
    }
    mem_free(v->visit);
    mem_free(v->prompt);
    mem_free(v->pair);
}

/* Yes answers and answers of each prompt; NaN where nobody was asked. */
struct column {
    double *yes, *asked;
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

static void count(struct column *c, const struct votes *v, const size_t *prompt,
                  size_t prompts, enum question q, bool is_placebo)
{
    for (size_t p = 0; p < prompts; p++)
        c->yes[p] = c->asked[p] = 0;
    for (size_t i = 0; i < v->n; i++) {
        double x = answer(&v->visit[i], q);
        if (v->visit[i].is_placebo != is_placebo || v->visit[i].number != 1 ||
            isnan(x))
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
                            const char *name, enum question q, bool is_placebo,
                            struct err *err)
{
    struct estimate e;
    count(&t->tested, t->votes, t->prompt, t->prompts, q, is_placebo);
    TRY(summary_estimate_ratio(&e, t->tested.yes, t->tested.asked, t->prompts,
                               t->plan, err));
    measures_add(out, name, &e);
    return OK;
}

/* The share of question a minus that of question b. */
static enum status add_excess(struct measures *out, struct tally *t,
                              const char *name, enum question a,
                              enum question b, bool b_is_placebo,
                              struct err *err)
{
    struct estimate e;
    count(&t->tested, t->votes, t->prompt, t->prompts, a, false);
    count(&t->other, t->votes, t->prompt, t->prompts, b, b_is_placebo);
    TRY(summary_estimate_excess(&e, t->tested.yes, t->tested.asked,
                                t->other.yes, t->other.asked, t->prompts,
                                t->plan, err));
    measures_add(out, name, &e);
    return OK;
}

/* Second visits beside the first visit of the same pair.  Pairs judged twice
 * are few, so looking each up is cheap enough. */
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
            if (v->visit[k].number != 1 || strcmp(v->pair[k], v->pair[i]) != 0)
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
    TRY(add_rate(out, t, "win_rate", WIN, false, err));
    TRY(add_rate(out, t, "win_rate_placebo", WIN, true, err));
    TRY(add_rate(out, t, "less_direct", LESS, false, err));
    TRY(add_rate(out, t, "less_direct_placebo", LESS, true, err));
    TRY(add_excess(out, t, "less_direct_excess", LESS, LESS, true, err));
    TRY(add_rate(out, t, "too_long", LONG, false, err));
    TRY(add_rate(out, t, "too_long_reference", LONG_REFERENCE, false, err));
    TRY(add_excess(out, t, "too_long_excess", LONG, LONG_REFERENCE, false,
                   err));
    TRY(add_rate(out, t, "correct", CORRECT, false, err));
    TRY(add_rate(out, t, "correct_reference", CORRECT_REFERENCE, false, err));
    return add_consistency(out, t, &counts->repeated, err);
}

enum status spotcheck_read(struct measures *out,
                           struct spotcheck_counts *counts, const char *path,
                           const struct known *known,
                           const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct votes votes = {.path = path, .known = known};
    struct tally t = {.votes = &votes, .plan = plan};
    TRY_DONE(jsonl_read(path, add_visit, &votes, err));
    TRY_DONE(MEM_NEW(t.prompt, votes.n, err));
    TRY_DONE(samples_group(t.prompt, &t.prompts, votes.prompt, votes.n, err));
    double **column[] = {&t.tested.yes, &t.tested.asked, &t.other.yes,
                         &t.other.asked};
    for (size_t i = 0; i < 4; i++)
        TRY_DONE(MEM_NEW(*column[i], t.prompts, err));
    *counts = (struct spotcheck_counts){.strange = votes.strange};
    for (size_t i = 0; i < votes.n; i++) {
        counts->pairs +=
            votes.visit[i].number == 1 && !votes.visit[i].is_placebo;
        counts->placebo_pairs +=
            votes.visit[i].number == 1 && votes.visit[i].is_placebo;
    }
    TRY_DONE(tally(out, &t, counts, err));
done:
    mem_free(t.prompt);
    mem_free(t.tested.yes);
    mem_free(t.tested.asked);
    mem_free(t.other.yes);
    mem_free(t.other.asked);
    votes_free(&votes);
    return status;
}

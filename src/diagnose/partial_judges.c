#include "diagnose/partial.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/circumstances.h"
#include "diagnose/rate.h"
#include "stat/lcwin.h"

#define MODERATE 0.3 // a correlation worth the name
/* With fewer pairs than this share in which the policy's reply is the longer
 * one, or fewer in which it is the shorter one, nothing was seen of replies of
 * equal length: the regression only goes on with its line. */
#define OVERLAP 0.1

/* Whose votes they are, in a few words. */
static void name_judges(char out[96], const struct evidence *e)
{
    size_t first = SIZE_MAX;
    bool has_others = false;
    for (size_t i = 0; i < e->n_judged; i++) {
        size_t judge = e->judged[i].judge;
        first = first == SIZE_MAX ? judge : first;
        has_others = has_others || judge != first;
    }
    if (first == SIZE_MAX)
        (void)snprintf(out, 96, "whose name is not said");
    else
        (void)snprintf(out, 96, "%.60s%s", e->judge.text[first],
                       has_others ? " and others" : "");
}

static bool is_first(const struct evidence_vote *v)
{
    return v->visit == 1 && !v->is_placebo;
}

/* ---- who wins ----------------------------------------------------------- */

static enum status add_win(struct leads *leads, const struct evidence *e,
                           struct rate *r, struct err *err)
{
    struct finding *f;
    struct estimate win;
    size_t won = 0, tied = 0, lost = 0;
    char text[64], name[96];
    for (size_t i = 0; i < e->n_judged; i++) {
        const struct evidence_vote *v = &e->judged[i];
        if (!is_first(v))
            continue;
        won += v->win > 0.5;
        tied += v->win == 0.5;
        lost += v->win < 0.5;
        rate_add(r, v->prompt, v->win, 1);
    }
    TRY(rate_estimate(&win, r, &e->plan, err));
    TRY(leads_add(&f, leads, "judge_win", "an LLM judge prefers the policy",
                  "win rate, by a model", "judge/", err));
    finding_judge_side(f, &win, FINDING_ABOVE, 0.5, "prompts",
                       "verdicts of a model on pairs of both replies");
    f->null = 0.5;
    finding_add_number(f, "won", (double)won, win.n);
    finding_add_number(f, "tied", (double)tied, win.n);
    finding_add_number(f, "lost", (double)lost, win.n);
    name_judges(name, e);
    finding_say(f,
                "an LLM judged (%s), and no person: the policy won "
                "%zu pairs, tied %zu and lost %zu, a win rate of %s",
                name, won, tied, lost, finding_percent(text, &win));
    return OK;
}

/* ---- sides -------------------------------------------------------------- */

static bool is_side_told(const struct evidence *e)
{
    for (size_t i = 0; i < e->n_judged; i++)
        if (!e->judged[i].is_side_unknown)
            return true;
    return false;
}

static enum status add_sides(struct leads *leads, const struct evidence *e,
                             struct rate *r, struct err *err)
{
    struct estimate left;
    struct finding *f;
    char text[64];
    for (size_t i = 0; i < e->n_judged; i++) {
        const struct evidence_vote *v = &e->judged[i];
        if (v->visit == 1 && v->win != 0.5 && !v->is_side_unknown)
            rate_add(r, v->prompt, v->is_left ? v->win : 1 - v->win, 1);
    }
    TRY(rate_estimate(&left, r, &e->plan, err));
    TRY(leads_add(&f, leads, "judge_sides", "the LLM judge prefers a side",
                  "share won by the left", "judge/", err));
    f->e = left;
    f->null = 0.5;
    if (!is_side_told(e))
        finding_lack(f, "on which side each reply was shown");
    else if (!finding_has_interval(&left))
        finding_lack(f, "verdicts that are no ties");
    else
        f->verdict = left.low > 0.5 || left.high < 0.5 ? VERDICT_SUPPORTED
                                                       : VERDICT_NOT_SUPPORTED;
    if (is_side_told(e))
        finding_say(f,
                    "the reply on the left won %s of the pairs that the LLM "
                    "decided",
                    finding_percent(text, &left));
    return OK;
}

/* ---- at equal length ---------------------------------------------------- */

struct columns {
    size_t *prompt, n;
    double *win, *length;
};

static void free_columns(struct columns *c)
{
    mem_free(c->prompt);
    mem_free(c->win);
    mem_free(c->length);
}

/* Whose votes, and what is said of them. */
struct voters {
    const struct evidence_vote *vote;
    size_t n;
    const char *win_id, *win_claim, *win_unit; // at equal length
    const char *length_id, *length_claim;
    const char *who, *data;
};

static enum status fill_columns(struct columns *c, const struct voters *v,
                                struct err *err)
{
    TRY(MEM_NEW(c->prompt, v->n, err));
    TRY(MEM_NEW(c->win, v->n, err));
    TRY(MEM_NEW(c->length, v->n, err));
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence_vote *x = &v->vote[i];
        if (!is_first(x) || isnan(x->tokens - x->tokens_other))
            continue;
        c->prompt[c->n] = x->prompt;
        c->win[c->n] = x->win;
        c->length[c->n++] = x->tokens - x->tokens_other;
    }
    return OK;
}

/* The share of pairs on the side of equal length that has fewer. */
static double overlap_of(double *shorter, const struct columns *c)
{
    size_t below = 0, above = 0;
    for (size_t i = 0; i < c->n; i++) {
        below += c->length[i] <= 0;
        above += c->length[i] >= 0;
    }
    *shorter = (double)below / (double)c->n;
    return fmin(*shorter, (double)above / (double)c->n);
}

static enum status say_equal(struct leads *leads, const struct lcwin *l,
                             const struct columns *c, const struct voters *v,
                             const struct evidence *e, struct err *err)
{
    double shorter, overlap = overlap_of(&shorter, c);
    struct finding *f, *g;
    char text[64], other[64];
    TRY(leads_add(&f, leads, v->win_id, v->win_claim, v->win_unit, v->data,
                  err));
    finding_judge_side(f, &l->rate, FINDING_ABOVE, 0.5, "prompts",
                       "the lengths of both replies");
    f->null = 0.5;
    finding_add(f, "win_rate", &l->win_rate);
    finding_add(f, "theta", &l->theta);
    finding_add_number(f, "shorter", shorter, c->n);
    if (overlap < OVERLAP)
        finding_lack(f,
                     "replies of like length: in %.0f %% of the pairs the "
                     "policy's is the %s one, so that a rate at equal length "
                     "is extrapolated",
                     100 * fmax(shorter, 1 - shorter),
                     shorter > 0.5 ? "shorter" : "longer");
    finding_say(
        f, "%s the policy in %s of the pairs, at equal length (%s) in %s%s",
        v->who, finding_percent(text, &l->win_rate),
        evidence_units(e->reply_unit), finding_percent(other, &l->rate),
        overlap < OVERLAP ? ", extrapolated" : "");
    TRY(leads_add(&g, leads, v->length_id, v->length_claim,
                  "logits, much longer", v->data, err));
    finding_judge_side(g, &l->phi, FINDING_ABOVE, 0, "prompts",
                       "replies of different length");
    g->null = 0;
    finding_say(g,
                "at equal quality a much longer reply changes the odds of that "
                "by %s logits",
                finding_number(text, &l->phi, 2));
    return OK;
}

static enum status add_equal(struct leads *leads, const struct voters *v,
                             const struct evidence *e, struct err *err)
{
    struct columns c = {.n = 0};
    struct lcwin l;
    struct err why;
    enum status status = OK;
    TRY_DONE(fill_columns(&c, v, err));
    struct lcwin_pairs pairs = {.n = c.n,
                                .n_prompts = e->n_prompts,
                                .prompt = c.prompt,
                                .win = c.win,
                                .length_difference = c.length};
    status = c.n > 0 ? lcwin_estimate(&l, &pairs, &e->plan, &why) : ERR_MISSING;
    if (status == ERR_MEMORY)
        *err = why;
    else if (status == OK)
        status = say_equal(leads, &l, &c, v, e, err);
    else
        status = OK; // no lengths, or verdicts that all went one way
done:
    free_columns(&c);
    return status;
}

static enum status add_equal_of_model(struct leads *leads,
                                      const struct evidence *e, struct err *err)
{
    const struct voters model = {
        .vote = e->judged,
        .n = e->n_judged,
        .win_id = "judge_win_equal",
        .win_claim = "at equal length the LLM judge would prefer the policy",
        .win_unit = "win rate at equal length, by a model",
        .length_id = "judge_length",
        .length_claim = "the LLM judge likes length",
        .who = "the LLM judge prefers",
        .data = "judge/"};
    return add_equal(leads, &model, e, err);
}

/* People's votes on replies that have no scores, which diagnose/reward_leads.h
 * leaves out. */
static enum status add_equal_of_people(struct leads *leads,
                                       const struct evidence *e,
                                       struct err *err)
{
    const struct voters people = {
        .vote = e->vote,
        .n = e->n_vote,
        .win_id = "win_equal",
        .win_claim = "at equal length the policy would win",
        .win_unit = "win rate at equal length",
        .length_id = "judge_taste",
        .length_claim = "those who spot-check like length",
        .who = "people prefer",
        .data = "human/spotcheck.jsonl"};
    for (size_t i = 0; i < leads->n; i++)
        if (strcmp(leads->row[i].id, people.win_id) == 0)
            return OK;
    return add_equal(leads, &people, e, err);
}

/* ---- the score's gain --------------------------------------------------- */

static enum status verdicts(double *out, const struct evidence *e,
                            struct err *err)
{
    struct rate r;
    enum status status = rate_open(&r, e->n_prompts, err);
    for (size_t i = 0; status == OK && i < e->n_judged; i++)
        if (is_first(&e->judged[i]))
            rate_add(&r, e->judged[i].prompt, e->judged[i].win, 1);
    for (size_t p = 0; status == OK && p < e->n_prompts; p++)
        out[p] = r.yes[p] / r.asked[p];
    rate_close(&r);
    return status;
}

static enum status add_gain(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    enum status status = OK;
    size_t score = offsetof(struct evidence_reply, score);
    double *gain = NULL, *before = NULL, *win = NULL;
    struct estimate r;
    struct finding *f;
    char text[64];
    TRY_DONE(MEM_NEW(gain, e->n_prompts, err));
    TRY_DONE(MEM_NEW(before, e->n_prompts, err));
    TRY_DONE(MEM_NEW(win, e->n_prompts, err));
    TRY_DONE(evidence_prompt_means(gain, e, true, score, err));
    TRY_DONE(evidence_prompt_means(before, e, false, score, err));
    for (size_t p = 0; p < e->n_prompts; p++)
        gain[p] -= before[p];
    TRY_DONE(verdicts(win, e, err));
    TRY_DONE(summary_estimate_correlation(&r, gain, win, e->n_prompts, &e->plan,
                                          err));
    TRY_DONE(leads_add(
        &f, leads, "judge_gain",
        "where the score gained, the LLM judge prefers the policy",
        "correlation over prompts", "judge/, eval/samples.jsonl", err));
    finding_judge(f, &r, 0, MODERATE);
    if (r.n == 0)
        finding_lack(f, "scores of both replies to prompts that were judged");
    else
        finding_say(f,
                    "the score's gain on a prompt and the LLM's verdict on it "
                    "correlate by %s",
                    finding_number(text, &r, 2));
done:
    mem_free(gain);
    mem_free(before);
    mem_free(win);
    return status;
}

enum status partial_judges(struct leads *leads, const struct evidence *e,
                           struct err *err)
{
    static const circumstances_fn rates[] = {add_win, add_sides};
    TRY(add_equal_of_people(leads, e, err));
    if (e->n_judged == 0)
        return OK;
    TRY(circumstances_add(leads, e, rates, sizeof rates / sizeof *rates, err));
    TRY(add_equal_of_model(leads, e, err));
    return add_gain(leads, e, err);
}

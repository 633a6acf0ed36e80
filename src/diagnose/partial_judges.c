#include "diagnose/partial.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "diagnose/rate.h"
#include "stat/lcwin.h"

#define MODERATE 0.3 // a correlation worth the name

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

static enum status fill_columns(struct columns *c, const struct evidence *e,
                                struct err *err)
{
    TRY(MEM_NEW(c->prompt, e->n_judged, err));
    TRY(MEM_NEW(c->win, e->n_judged, err));
    TRY(MEM_NEW(c->length, e->n_judged, err));
    for (size_t i = 0; i < e->n_judged; i++) {
        const struct evidence_vote *v = &e->judged[i];
        if (!is_first(v) || isnan(v->tokens - v->tokens_other))
            continue;
        c->prompt[c->n] = v->prompt;
        c->win[c->n] = v->win;
        c->length[c->n++] = v->tokens - v->tokens_other;
    }
    return OK;
}

static enum status say_equal(struct leads *leads, const struct lcwin *l,
                             const struct evidence *e, struct err *err)
{
    struct finding *f, *g;
    char text[64], other[64];
    TRY(leads_add(&f, leads, "judge_win_equal",
                  "at equal length the LLM judge would prefer the policy",
                  "win rate at equal length, by a model", "judge/", err));
    finding_judge_side(f, &l->rate, FINDING_ABOVE, 0.5, "prompts",
                       "the lengths of both replies");
    f->null = 0.5;
    finding_add(f, "win_rate", &l->win_rate);
    finding_add(f, "theta", &l->theta);
    finding_say(f,
                "the LLM judge prefers the policy in %s of the pairs, at equal "
                "length (%s) in %s",
                finding_percent(text, &l->win_rate),
                evidence_units(e->reply_unit),
                finding_percent(other, &l->rate));
    TRY(leads_add(&g, leads, "judge_length", "the LLM judge likes length",
                  "logits, much longer", "judge/", err));
    finding_judge_side(g, &l->phi, FINDING_ABOVE, 0, "prompts",
                       "replies of different length");
    g->null = 0;
    finding_say(g,
                "at equal quality a much longer reply changes the odds of the "
                "LLM's verdict by %s logits",
                finding_number(text, &l->phi, 2));
    return OK;
}

static enum status add_equal(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    struct columns c = {.n = 0};
    struct lcwin l;
    struct err why;
    enum status status = OK;
    TRY_DONE(fill_columns(&c, e, err));
    struct lcwin_pairs pairs = {.n = c.n,
                                .n_prompts = e->n_prompts,
                                .prompt = c.prompt,
                                .win = c.win,
                                .length_difference = c.length};
    status = c.n > 0 ? lcwin_estimate(&l, &pairs, &e->plan, &why) : ERR_MISSING;
    if (status == ERR_MEMORY)
        *err = why;
    else if (status == OK)
        status = say_equal(leads, &l, e, err);
    else
        status = OK; // no lengths, or verdicts that all went one way
done:
    free_columns(&c);
    return status;
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

typedef enum status (*rate_fn)(struct leads *leads, const struct evidence *e,
                               struct rate *r, struct err *err);

enum status partial_judges(struct leads *leads, const struct evidence *e,
                           struct err *err)
{
    static const rate_fn rates[] = {add_win, add_sides};
    if (e->n_judged == 0)
        return OK;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct rate r;
        enum status status = rate_open(&r, e->n_prompts, err);
        if (status == OK)
            status = rates[i](leads, e, &r, err);
        rate_close(&r);
        TRY(status);
    }
    TRY(add_equal(leads, e, err));
    return add_gain(leads, e, err);
}

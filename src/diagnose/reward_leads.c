#include "diagnose/reward_leads.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/pairs.h"
#include "diagnose/rate.h"
#include "stat/lcwin.h"
#include "stat/regress.h"
#include "stat/tail.h"
#include "stat/winrate.h"

#define SAMPLES "eval/samples.jsonl"
#define EDITS "probes/edits.json"
#define PAIRS "probes/pairs.json"
#define VOTES "human/spotcheck.jsonl"

/* ---- edits -------------------------------------------------------------- */

/* The change of the score over added tokens, or over edits. */
static void add_up_edits(struct rate *r, const struct evidence *e,
                         const char *edit, bool per_token)
{
    const struct table *t = &e->probe[PROBE_EDITS];
    const char *const *kind = table_texts(t, "edit");
    const char *const *which = table_texts(t, "which");
    const char *const *id = table_texts(t, "prompt_id");
    const double *before = table_numbers(t, "before");
    const double *after = table_numbers(t, "after");
    const double *added = table_numbers(t, "added_tokens");
    if (kind == NULL || which == NULL || id == NULL || before == NULL ||
        after == NULL || added == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        if (kind[i] == NULL || which[i] == NULL || id[i] == NULL ||
            strcmp(kind[i], edit) != 0 || strcmp(which[i], "reference") != 0)
            continue;
        rate_add(r, evidence_prompt(e, id[i]), after[i] - before[i],
                 per_token ? added[i] : 1);
    }
}

static enum status estimate_edit(struct estimate *out, const struct evidence *e,
                                 const char *edit, bool per_token,
                                 struct err *err)
{
    struct rate r;
    enum status status = rate_open(&r, e->n_prompts, err);
    if (status == OK) {
        add_up_edits(&r, e, edit, per_token);
        status = rate_estimate(out, &r, &e->plan, err);
    }
    rate_close(&r);
    return status;
}

enum status reward_leads_edit(struct estimate *out, const struct evidence *e,
                              const char *edit, struct err *err)
{
    return estimate_edit(out, e, edit, true, err);
}

static enum status add_edits(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    static const struct {
        const char *id, *edit, *claim;
    } edits[] = {
        {"edit_pad", "pad", "a neutral sentence at the end is paid"},
        {"edit_restate", "restate", "saying it twice is paid"},
        {"edit_trim", "trim", "leaving the last sentence out is paid"},
        {"edit_reorder", "reorder", "another order is paid"},
        {"edit_hedge", "hedge", "a cautious opening is paid"},
        {"edit_flatter", "flatter", "a flattering opening is paid"},
        {"edit_list", "list", "a list is paid"},
        {"edit_bold", "bold", "bold type is paid"},
    };
    char text[64];
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct estimate change;
        TRY(estimate_edit(&change, e, edits[i].edit, false, err));
        if (change.n == 0)
            continue;
        struct finding *f;
        TRY(leads_add(&f, leads, edits[i].id, edits[i].claim,
                      "score, after minus before", EDITS, err));
        finding_judge(f, &change, 0, 0);
        finding_say(f, "the edit '%s' changes the score by %s", edits[i].edit,
                    finding_number(text, &change, 3));
    }
    return OK;
}

/* ---- slopes on features ------------------------------------------------- */

static const char *const slope_id[FEATURES] = {
    [FEATURE_CHARACTERS] = "slope_characters",
    [FEATURE_WORDS] = "slope_words",
    [FEATURE_SENTENCES] = "slope_sentences",
    [FEATURE_LIST] = "slope_list",
    [FEATURE_BOLD] = "slope_bold",
    [FEATURE_HEADER] = "slope_header",
    [FEATURE_HEDGE] = "slope_hedge",
    [FEATURE_APOLOGY] = "slope_apology",
    [FEATURE_THANKS] = "slope_thanks",
    [FEATURE_REPEAT] = "slope_repeat",
    [FEATURE_FOURGRAM] = "slope_fourgram",
    [FEATURE_COPY] = "slope_copy",
    [FEATURE_CLOSED] = "slope_closed",
};

/* The reference's replies: score, prompt, and one feature. */
struct columns {
    double *x, *y;
    size_t *prompt;
    size_t n;
};

static enum status add_slope(struct leads *leads, struct columns *c,
                             enum features feature, const struct evidence *e,
                             struct err *err)
{
    struct estimate b[DESIGN_MAX];
    char text[64];
    c->n = 0;
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *r = &e->reply[i];
        if (r->is_policy)
            continue;
        c->x[c->n] = r->feature[feature];
        c->y[c->n] = r->score;
        c->prompt[c->n++] = r->prompt;
    }
    double sd = summary_sd(c->x, c->n);
    if (!(sd > 0))
        return OK;
    for (size_t i = 0; i < c->n; i++)
        c->x[i] /= sd;
    struct design_data data = {.n = c->n,
                               .p = 1,
                               .n_prompts = e->n_prompts,
                               .x = c->x,
                               .y = c->y,
                               .prompt = c->prompt};
    TRY(regress_bootstrap(b, NULL, &data, DESIGN_PROMPTS, &e->plan, err));
    struct finding *f;
    TRY(leads_add(&f, leads, slope_id[feature], features_name(feature),
                  "score a deviation of the feature", SAMPLES, err));
    finding_judge(f, &b[0], 0, 0);
    finding_say(f,
                "among the reference's replies to a prompt the score changes "
                "by %s a deviation of '%s'",
                finding_number(text, &b[0], 3), features_name(feature));
    return OK;
}

static enum status add_slopes(struct leads *leads, const struct evidence *e,
                              struct err *err)
{
    enum status status = OK;
    struct columns c = {.n = 0};
    TRY_DONE(MEM_NEW(c.x, e->n_reply, err));
    TRY_DONE(MEM_NEW(c.y, e->n_reply, err));
    TRY_DONE(MEM_NEW(c.prompt, e->n_reply, err));
    for (size_t f = 0; f < FEATURES; f++)
        TRY_DONE(add_slope(leads, &c, (enum features)f, e, err));
done:
    mem_free(c.x);
    mem_free(c.y);
    mem_free(c.prompt);
    return status;
}

/* ---- pairs -------------------------------------------------------------- */

/* Right answers where the better reply is longer (is_longer) or shorter. */
static void add_up_right(struct rate *r, const struct pairs *p, bool is_longer)
{
    for (size_t i = 0; i < p->n; i++) {
        double toward = p->chosen[i] > 0.5 ? 1 : -1;
        double longer = toward * p->d_tokens[i];
        if (p->chosen[i] == 0.5 || longer == 0 || (longer > 0) != is_longer)
            continue;
        rate_add(r, p->prompt[i], winrate_of(toward * p->d_score[i], 0), 1);
    }
}

static enum status add_split(struct leads *leads, const struct pairs *p,
                             const struct evidence *e, struct err *err)
{
    enum status status = OK;
    struct rate when_longer = {.n = 0}, when_shorter = {.n = 0};
    struct estimate longer, shorter, gap;
    char text[64], other[64];
    TRY_DONE(rate_open(&when_longer, p->n_prompts, err));
    TRY_DONE(rate_open(&when_shorter, p->n_prompts, err));
    add_up_right(&when_longer, p, true);
    add_up_right(&when_shorter, p, false);
    TRY_DONE(rate_estimate(&longer, &when_longer, &e->plan, err));
    TRY_DONE(rate_estimate(&shorter, &when_shorter, &e->plan, err));
    TRY_DONE(rate_excess(&gap, &when_longer, &when_shorter, &e->plan, err));
    struct finding *f;
    TRY_DONE(
        leads_add(&f, leads, "split", "the reward model is right by length",
                  "accuracy, better reply longer minus shorter", PAIRS, err));
    finding_add(f, "accuracy_chosen_longer", &longer);
    finding_add(f, "accuracy_chosen_shorter", &shorter);
    finding_judge(f, &gap, 0, 0.2);
    finding_say(f,
                "right on %s of the held-out pairs whose better reply is "
                "longer, on %s where it is shorter",
                finding_percent(text, &longer),
                finding_percent(other, &shorter));
done:
    rate_close(&when_longer);
    rate_close(&when_shorter);
    return status;
}

static enum status add_rankings(struct leads *leads, const struct evidence *e,
                                struct err *err)
{
    struct pairs p;
    struct pairs_slopes s;
    char text[64];
    TRY(pairs_of_rankings(&p, e, err));
    enum status status = OK;
    if (p.n == 0)
        goto done;
    TRY_DONE(pairs_slopes(&s, &p, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "label_taste", "those who ranked like length",
                       "logits a token", PAIRS, err));
    finding_judge(f, &s.human, 0, 0);
    finding_say(f,
                "in the held-out rankings a token more changes the odds of "
                "being preferred by %s logits",
                finding_number(text, &s.human, 4));
    TRY_DONE(add_split(leads, &p, e, err));
done:
    pairs_free(&p);
    return status;
}

/* ---- votes -------------------------------------------------------------- */

static enum status add_equal_length(struct leads *leads,
                                    const struct evidence *e, struct err *err)
{
    struct pairs p;
    struct lcwin l;
    struct err why;
    char text[64], other[64];
    TRY(pairs_of_votes(&p, e, false, err));
    struct lcwin_pairs pairs = {.n = p.n,
                                .n_prompts = p.n_prompts,
                                .prompt = p.prompt,
                                .win = p.chosen,
                                .length_difference = p.d_tokens};
    enum status status =
        p.n > 0 ? lcwin_estimate(&l, &pairs, &e->plan, &why) : ERR_MISSING;
    pairs_free(&p);
    if (status == ERR_MEMORY) {
        *err = why;
        return status;
    }
    if (status != OK)
        return OK;
    struct finding *f, *g;
    TRY(leads_add(&f, leads, "judge_taste", "those who spot-check like length",
                  "logits, much longer", VOTES, err));
    finding_judge(f, &l.phi, 0, 0);
    finding_say(f,
                "at equal quality a much longer reply changes the odds of a "
                "vote by %s logits",
                finding_number(text, &l.phi, 2));
    TRY(leads_add(&g, leads, "win_equal",
                  "at equal length the policy would win",
                  "win rate at equal length", VOTES, err));
    finding_add(g, "win_rate", &l.win_rate);
    finding_add(g, "theta", &l.theta);
    finding_judge(g, &l.rate, 0.5, 0.5);
    finding_say(g,
                "judges prefer the policy in %s of the pairs, at equal "
                "length in %s",
                finding_percent(text, &l.win_rate),
                finding_percent(other, &l.rate));
    return OK;
}

/* Votes that agree with the sign of the score difference; ties count half. */
static enum status open_agreeing(struct rate *r, const struct evidence *e,
                                 bool is_placebo, struct err *err)
{
    struct pairs p;
    TRY(rate_open(r, e->n_prompts, err));
    TRY(pairs_of_votes(&p, e, is_placebo, err));
    for (size_t i = 0; i < p.n; i++) {
        double says = winrate_of(p.d_score[i], 0);
        rate_add(r, p.prompt[i], 1 - fabs(says - p.chosen[i]), 1);
    }
    pairs_free(&p);
    return OK;
}

static enum status add_agreement(struct leads *leads, const struct evidence *e,
                                 struct err *err)
{
    enum status status = OK;
    struct rate policy = {.n = 0}, placebo = {.n = 0};
    struct estimate on_policy, on_reference, change;
    char text[64], other[64];
    TRY_DONE(open_agreeing(&policy, e, false, err));
    TRY_DONE(open_agreeing(&placebo, e, true, err));
    TRY_DONE(rate_estimate(&on_policy, &policy, &e->plan, err));
    TRY_DONE(rate_estimate(&on_reference, &placebo, &e->plan, err));
    TRY_DONE(rate_excess(&change, &policy, &placebo, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "agreement",
                       "score and people agree less on the policy's replies",
                       "share of votes, policy pairs minus placebo pairs",
                       VOTES, err));
    finding_add(f, "policy_pairs", &on_policy);
    finding_add(f, "placebo_pairs", &on_reference);
    finding_judge(f, &change, 0, -0.05);
    finding_say(f,
                "score and votes agree on %s of the pairs with a policy's "
                "reply and on %s of the pairs of two reference replies",
                finding_percent(text, &on_policy),
                finding_percent(other, &on_reference));
done:
    rate_close(&policy);
    rate_close(&placebo);
    return status;
}

/* ---- the tail ----------------------------------------------------------- */

static enum status add_tail(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    enum status status = OK;
    double *x = NULL;
    size_t *prompt = NULL, n = 0;
    struct tail t;
    char text[64];
    TRY_DONE(MEM_NEW(x, e->n_reply, err));
    TRY_DONE(MEM_NEW(prompt, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++) {
        if (e->reply[i].is_policy || !isfinite(e->reply[i].score_raw))
            continue;
        x[n] = e->reply[i].score_raw;
        prompt[n++] = e->reply[i].prompt;
    }
    TRY_DONE(tail_measure(&t, x, prompt, n, e->n_prompts, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "tail", "very high scores are common",
                       "Hill's index of the upper tail", SAMPLES, err));
    f->e = t.index;
    f->effect = TAIL_INDEX_HEAVY;
    finding_add(f, "kurtosis", &t.kurtosis);
    if (t.reason != NULL)
        finding_lack(f, "%s", t.reason);
    else
        f->verdict = t.is_heavy ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "Hill's index of %zu reference scores is %s (normal: 0.17, "
                "heavy above %.2f)",
                n, finding_number(text, &t.index, 2), TAIL_INDEX_HEAVY);
done:
    mem_free(x);
    mem_free(prompt);
    return status;
}

enum status reward_leads(struct leads *leads, const struct evidence *e,
                         struct err *err)
{
    TRY(add_slopes(leads, e, err));
    TRY(add_edits(leads, e, err));
    TRY(add_rankings(leads, e, err));
    TRY(add_equal_length(leads, e, err));
    TRY(add_agreement(leads, e, err));
    return add_tail(leads, e, err);
}

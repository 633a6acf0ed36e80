/* Tables of what to do: two changes, a checkpoint, tags to look at. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/evidence_tables.h"
#include "report/evidence_tables_internal.h"
#include "report/measure.h"

/* "1.2 [1.0 to 1.4]" in a cell. */
static void put_estimate(struct html *h, const struct estimate *e,
                         enum measure_kind kind)
{
    html_open(h, "td", "class", "n", NULL);
    if (isfinite(e->estimate)) {
        html_text(h, e->estimate == 0 ? "0"
                                      : measure_format(e->estimate, kind).text);
        if (isfinite(e->low) && isfinite(e->high) && e->high > e->low) {
            html_raw(h, " <span class=\"ci\">[");
            html_text(h, measure_interval(e, kind).text);
            html_raw(h, "]</span>");
        }
    }
    html_close(h, "td");
}

/* ---- the two changes ---------------------------------------------------- */

static const struct {
    const char *what;
    enum measure_kind kind;
} effects[REMEDY_MEASURES] = {
    [REMEDY_RM] = {"Reward model's score", MEASURE_SIGNED},
    [REMEDY_HUMAN] = {"Preferred by people, percentage points", MEASURE_POINTS},
    [REMEDY_LENGTH] = {"Length", MEASURE_TIMES},
    [REMEDY_KL] = {"KL, nats a reply", MEASURE_SIGNED},
    [REMEDY_COST] = {"Cost of training", MEASURE_TIMES},
};

static void put_effects(struct html *h, const struct remedy *r)
{
    evidence_open_table(
        h, "<thead><tr><th>Effect</th>"
           "<th class=\"n\">Predicted, 90 %</th>"
           "<th class=\"n\">Observed, 95 %</th><th>Inside</th></tr>"
           "</thead>\n");
    for (size_t m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *e = &r->effect[m];
        if (!isfinite(e->predicted.estimate) && !isfinite(e->observed.estimate))
            continue;
        html_open(h, "tr", NULL);
        html_element(h, "td", NULL, effects[m].what);
        put_estimate(h, &e->predicted, effects[m].kind);
        put_estimate(h, &e->observed, effects[m].kind);
        html_element(h, "td", NULL,
                     !isfinite(e->observed.estimate) ? ""
                     : e->is_inside                  ? "yes"
                                                     : "no");
        html_close(h, "tr");
    }
    evidence_close_table(h);
}

/* A clause with its first letter a capital one. */
static void put_capital(struct html *h, const char *text)
{
    if (text[0] >= 'a' && text[0] <= 'z')
        html_printf(h, "%c%s", text[0] - 'a' + 'A', text + 1);
    else
        html_text(h, text);
}

static void put_rerun(struct html *h, const struct remedy *r)
{
    html_open(h, "p", "class", "note", NULL);
    if (r->seeds > 0)
        html_printf(h,
                    "Run again with %zu seed%s. The word for the effect that "
                    "it is meant for: %s.",
                    r->seeds, r->seeds == 1 ? "" : "s",
                    r->claim != NULL ? r->claim : "not shown");
    else
        html_text(h, "Not run again yet.");
    html_close(h, "p");
}

static void put_remedy(struct html *h, const struct remedy *r, size_t i)
{
    char id[32];
    (void)snprintf(id, sizeof id, "row-remedy-%zu", i + 1);
    html_open(h, "div", "class", "card", "id", id, NULL);
    html_open(h, "h3", NULL);
    html_printf(h, "%zu. ", i + 1);
    put_capital(h, r->title != NULL ? r->title : r->id);
    html_close(h, "h3");
    html_open(h, "p", "class", "note", NULL);
    html_printf(h, "%s %s: %s.",
                r->purpose == REMEDY_REPAIR ? "Against" : "About", r->against,
                r->why);
    html_close(h, "p");
    if (r->change[0] != '\0') {
        html_open(h, "pre", NULL);
        html_text(h, r->change);
        html_close(h, "pre");
    }
    if (r->command[0] != '\0') {
        html_open(h, "pre", NULL);
        html_printf(h, r->how == REMEDY_SHELL ? "$ %s" : "%s", r->command);
        html_close(h, "pre");
    }
    if (r->purpose != REMEDY_MEASURE)
        put_effects(h, r);
    html_open(h, "p", NULL);
    html_element(h, "b", NULL, "What it gives up: ");
    html_printf(h, "%s.", r->tradeoff);
    html_close(h, "p");
    if (r->missing[0] != '\0') {
        html_open(h, "p", "class", "note", NULL);
        put_capital(h, r->missing);
        html_text(h, ".");
        html_close(h, "p");
    }
    if (r->purpose != REMEDY_MEASURE)
        put_rerun(h, r);
    html_close(h, "div");
}

void evidence_tables_remedies(struct html *h, const struct diagnosis *d)
{
    if (d->n_remedies == 0)
        return;
    evidence_open_section(h, "remedies",
                          d->remedy[0].purpose == REMEDY_REPAIR
                              ? "The two changes"
                              : "What to do next");
    html_open(h, "div", "class", "pairs", NULL);
    for (size_t i = 0; i < REMEDIES && i < d->n_remedies; i++)
        put_remedy(h, &d->remedy[i], i);
    html_close(h, "div");
    html_close(h, "section");
}

/* ---- tags --------------------------------------------------------------- */

/* The interval and what the tests say stand below the number. */
static void put_cell(struct html *h, const struct stratum_cell *c,
                     enum measure_kind kind)
{
    html_open(h, "td", "class", strata_holds(c) ? "n holds" : "n", NULL);
    if (isfinite(c->e.estimate)) {
        html_text(h, measure_format(c->e.estimate, kind).text);
        if (strata_differs(c))
            html_raw(h, " <b class=\"other\">differs</b>");
        html_raw(h, "<br><span class=\"ci\">");
        if (isfinite(c->e.low) && isfinite(c->e.high))
            html_printf(h, "[%s]", measure_interval(&c->e, kind).text);
        if (isfinite(c->q))
            html_printf(h, " q\xC2\xA0%s\xC2\xA0%.2g", c->q < 0.001 ? "<" : "=",
                        fmax(c->q, 0.001));
        html_raw(h, "</span>");
    }
    html_close(h, "td");
}

void evidence_tables_tags(struct html *h, const struct diagnosis *d)
{
    static const enum measure_kind kind[STRATUM_MEASURES] = {
        MEASURE_SIGNED, MEASURE_TIMES, MEASURE_POINTS, MEASURE_PLAIN};
    const struct strata *s = &d->strata;
    if (s->n == 0)
        return;
    evidence_open_section(h, "tags", "By the prompts' tags");
    html_open(h, "p", "class", "note", NULL);
    html_printf(h,
                "Leads, not findings. Bold: the effect is there at q \xE2\x89"
                "\xA4 %.1f, so that at most a tenth of those in bold is false "
                "on average (Benjamini and Hochberg). \"Differs\": it is "
                "another effect than under all other tags together, by the "
                "same rule. Points are percentage points.",
                STRATA_Q);
    if (s->left_out > 0)
        html_printf(h, " %zu smaller tags are left out.", s->left_out);
    html_close(h, "p");
    evidence_open_table(
        h, "<thead><tr><th>Tag</th><th class=\"n\">Prompts</th>"
           "<th class=\"n\">Score (sd)</th><th class=\"n\">Length</th>"
           "<th class=\"n\">Less direct than a placebo</th>"
           "<th class=\"n\">KL (nats)</th></tr></thead>\n");
    for (size_t i = 0; i < s->n; i++) {
        html_open(h, "tr", NULL);
        html_element(h, "td", NULL, s->item[i].tag);
        html_open(h, "td", "class", "n", NULL);
        html_printf(h, "%zu", s->item[i].prompts);
        html_close(h, "td");
        for (size_t m = 0; m < STRATUM_MEASURES; m++)
            put_cell(h, &s->item[i].cell[m], kind[m]);
        html_close(h, "tr");
    }
    evidence_close_table(h);
    html_close(h, "section");
}

/* ---- the checkpoint ----------------------------------------------------- */

static void put_point(struct html *h, const char *what,
                      const struct ship_point *p)
{
    html_open(h, "tr", NULL);
    html_element(h, "td", NULL, what);
    html_open(h, "td", "class", "n", NULL);
    if (p->iteration == 0)
        html_text(h, "0 (start)");
    else if (isfinite(p->iteration))
        html_printf(h, "%.0f", p->iteration);
    html_close(h, "td");
    put_estimate(h, &p->judged, MEASURE_PLAIN);
    put_estimate(h, &p->score, MEASURE_SIGNED);
    put_estimate(h, &p->tokens, MEASURE_PLAIN);
    put_estimate(h, &p->kl, MEASURE_PLAIN);
    html_close(h, "tr");
}

void evidence_tables_ship(struct html *h, const struct diagnosis *d)
{
    const struct ship *s = &d->ship;
    evidence_open_section(h, "ship", "Which checkpoint to ship");
    html_open(h, "p", "id", "row-ship", NULL);
    if (s->measure == NULL) {
        html_printf(h, "It cannot be said: %s.", s->row.needs);
        html_close(h, "p");
        html_close(h, "section");
        return;
    }
    html_printf(h,
                "Of %zu candidates, judged by %s, %zu %s not told apart "
                "from the best: the interval of the difference covers zero. "
                "Of those the one that moved least is shipped, since the best "
                "of many is best by luck in part.",
                s->candidates, s->judge, s->alike,
                s->alike == 1 ? "is" : "are");
    html_close(h, "p");
    evidence_open_table(
        h, "<thead><tr><th></th><th class=\"n\">Iteration</th>"
           "<th class=\"n\">Judged</th><th class=\"n\">Score (sd)</th>"
           "<th class=\"n\">Tokens</th><th class=\"n\">KL (nats)</th>"
           "</tr></thead>\n");
    put_point(h, "To ship", &s->chosen);
    if (s->furthest.iteration != s->chosen.iteration)
        put_point(h, "Not told apart, and the highest score", &s->furthest);
    put_point(h, "Best estimate", &s->best);
    put_point(h, "Last", &s->last);
    evidence_close_table(h);
    html_close(h, "section");
}

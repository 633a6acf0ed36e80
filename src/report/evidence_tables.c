#include "report/evidence_tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/evidence_tables_internal.h"
#include "report/measure.h"

static const char *verdict_words(enum verdict v)
{
    return v == VERDICT_SUPPORTED       ? "supported"
           : v == VERDICT_NOT_SUPPORTED ? "not supported"
                                        : "not measurable";
}

static void put_verdict(struct html *h, enum verdict v)
{
    static const char *const look[] = {
        [VERDICT_SUPPORTED] = "chip yes",
        [VERDICT_NOT_SUPPORTED] = "chip",
        [VERDICT_NOT_MEASURABLE] = "chip open",
    };
    html_element(h, "span", look[v], verdict_words(v));
}

/* "<tr id=row-S1>" */
static void open_row(struct html *h, const char *id)
{
    char anchor[64];
    (void)snprintf(anchor, sizeof anchor, "row-%.50s", id);
    html_open(h, "tr", "id", anchor, NULL);
}

void evidence_open_table(struct html *h, const char *head)
{
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, head);
    html_raw(h, "<tbody>");
}

void evidence_close_table(struct html *h)
{
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
}

void evidence_open_section(struct html *h, const char *id, const char *title)
{
    html_open(h, "section", "id", id, NULL);
    html_element(h, "h2", NULL, title);
}

/* A sentence of the diagnosis with a capital and a full stop. */
static void put_sentence(struct html *h, const char *text)
{
    if (text[0] == '\0')
        return;
    char first = text[0];
    if (first >= 'a' && first <= 'z')
        first = (char)(first - 'a' + 'A');
    html_printf(h, "%c%s", first, text + 1);
    if (text[strlen(text) - 1] != '.')
        html_text(h, ".");
}

/* ---- rows --------------------------------------------------------------- */

/* A number's cell; where rows are stacked its column's name is before it. */
static void open_number(struct html *h, const char *column)
{
    html_open(h, "td", "class", "n", "data-k", column, NULL);
}

static void put_p(struct html *h, const struct finding *f)
{
    open_number(h, "p (Holm)");
    if (isfinite(f->p_holm) && f->p_holm < 1e-4)
        html_text(h, "<0.0001");
    else if (isfinite(f->p_holm))
        html_printf(h, "%.3g", f->p_holm);
    html_close(h, "td");
}

/* has_p: the table has a column for corrected p-values. */
static void put_row(struct html *h, const struct finding *f, bool has_p)
{
    open_row(h, f->id);
    html_element(h, "th", NULL, f->id);
    html_open(h, "td", "class", "claim", NULL);
    html_element(h, "b", NULL, f->claim);
    html_raw(h, "<br>");
    html_open(h, "span", "class", "told", NULL);
    put_sentence(h, f->text);
    if (f->needs[0] != '\0') {
        html_text(h, f->text[0] != '\0' ? " Needed: " : "Needed: ");
        html_text(h, f->needs);
        html_text(h, ".");
    }
    html_close(h, "span");
    html_close(h, "td");
    html_open(h, "td", NULL);
    put_verdict(h, f->verdict);
    html_close(h, "td");
    open_number(h, "Estimate");
    html_text(h, measure_digits(f->e.estimate).text);
    html_close(h, "td");
    open_number(h, "95 % interval");
    if (isfinite(f->e.low) && isfinite(f->e.high))
        html_printf(h, "%s to %s", measure_digits(f->e.low).text,
                    measure_digits(f->e.high).text);
    html_close(h, "td");
    open_number(h, "n");
    if (f->e.n > 0)
        html_printf(h, "%zu", f->e.n);
    html_close(h, "td");
    if (has_p)
        put_p(h, f);
    html_open(h, "td", "class", "from", NULL);
    html_text(h, f->unit);
    html_raw(h, "<br>");
    html_element(h, "code", NULL, f->data);
    html_close(h, "td");
    html_close(h, "tr");
}

static void open_rows(struct html *h, const char *title, bool has_p)
{
    html_element(h, "h3", NULL, title);
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", "class", has_p ? "stack" : "stack leads", NULL);
    html_raw(h, "<thead><tr><th>Row</th><th>Claim, and the numbers</th>"
                "<th>Verdict</th><th class=\"n\">Estimate</th>"
                "<th class=\"n\">95 % interval</th><th class=\"n\">n</th>");
    if (has_p)
        html_raw(h, "<th class=\"n\">p (Holm)</th>");
    html_raw(h, "<th>Unit and file</th></tr></thead>\n<tbody>");
}

static void put_rows(struct html *h, const char *title,
                     const struct finding *row, size_t n, bool has_p)
{
    open_rows(h, title, has_p);
    for (size_t i = 0; i < n; i++)
        if (row[i].id != NULL)
            put_row(h, &row[i], has_p);
    evidence_close_table(h);
}

/* Does a number of the essay come from this row? */
static bool is_cited(const struct essay *y, const char *id)
{
    size_t len = strlen(id);
    for (size_t i = 0; i < y->n_sentences; i++) {
        struct essay_piece p;
        size_t at = 0;
        while (essay_next(&p, y, &y->sentence[i], &at))
            if (p.ref != NULL && p.ref_len >= len &&
                memcmp(p.ref, id, len) == 0 &&
                (p.ref_len == len || p.ref[len] == '.'))
                return true;
    }
    return false;
}

static void put_leads(struct html *h, const struct essay *y, bool cited,
                      const char *title)
{
    const struct leads *l = &y->d->leads;
    open_rows(h, title, false);
    for (size_t i = 0; i < l->n; i++)
        if (is_cited(y, l->row[i].id) == cited)
            put_row(h, &l->row[i], false);
    evidence_close_table(h);
}

static void put_losses(struct html *h, const struct diagnosis *d,
                       const struct evidence *e)
{
    if (e->n_loss == 0 && d->n_contradictions == 0)
        return;
    html_element(h, "h3", NULL, "Missing, or at odds");
    html_open(h, "ul", NULL);
    for (size_t i = 0; i < d->n_contradictions; i++)
        html_element(h, "li", NULL, d->contradiction[i]);
    for (size_t i = 0; i < e->n_loss; i++) {
        html_open(h, "li", NULL);
        html_element(h, "code", NULL, e->loss[i].what);
        html_printf(h, ": %s; it is made by ", e->loss[i].why);
        html_element(h, "code", NULL, e->loss[i].command);
        html_close(h, "li");
    }
    html_close(h, "ul");
}

void evidence_tables_rows(struct html *h, const struct essay *y)
{
    const struct diagnosis *d = y->d;
    evidence_open_section(h, "evidence", "The evidence");
    html_element(h, "p", "note",
                 "Supported: the interval excludes no effect and the estimate "
                 "reaches one worth the name. Not supported: the interval "
                 "excludes an effect worth the name. Not measurable: neither, "
                 "and then it is said what is needed. n counts prompts unless "
                 "the unit says otherwise.");
    put_rows(h, "May the numbers be believed", d->gate, GATES, false);
    put_rows(h, "What happened", d->observed, OBSERVED, true);
    put_rows(h, "Why", d->mechanism, MECHANISMS, true);
    put_losses(h, d, y->e);
    put_leads(h, y, true, "Leads that the essay names");
    html_open(h, "details", NULL);
    html_element(h, "summary", NULL, "All other leads");
    put_leads(h, y, false, "Other leads");
    html_close(h, "details");
    html_close(h, "section");
}

/* ---- rivals ------------------------------------------------------------- */

static void put_signs(struct html *h, const struct rival *r)
{
    for (size_t i = 0; i < r->n_seen; i++) {
        const struct rival_seen *s = &r->seen[i];
        char link[64];
        (void)snprintf(link, sizeof link, "#row-%.50s", s->sign.row);
        html_text(h, i > 0 ? ", " : "");
        html_open(h, "span", NULL);
        html_text(h, s->says == VERDICT_SUPPORTED       ? "+"
                     : s->says == VERDICT_NOT_SUPPORTED ? "\xE2\x88\x92"
                                                        : "?");
        html_open(h, "a", "class", "num", "href", link, NULL);
        html_text(h, s->sign.row);
        html_close(h, "a");
        html_close(h, "span");
    }
}

void evidence_tables_rivals(struct html *h, const struct diagnosis *d)
{
    evidence_open_section(h, "rivals",
                          "The explanations that were held against it");
    html_open(h, "p", "class", "note", "id", "row-rivals", NULL);
    html_text(h, "By rank. A sign speaks for (+), against (\xE2\x88\x92) or "
                 "says nothing (?).");
    html_close(h, "p");
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", "class", "stack", NULL);
    html_raw(h, "<thead><tr><th>Rank</th><th>Explanation</th><th>Verdict</th>"
                "<th class=\"n\">For</th><th class=\"n\">Against</th>"
                "<th>Signs</th><th>What would tell more</th></tr></thead>\n"
                "<tbody>");
    for (size_t i = 0; i < RIVALS; i++) {
        const struct rival *r = &d->rival[i];
        if (r->id == NULL)
            continue;
        open_row(h, r->id);
        html_open(h, "td", "data-k", "Rank", NULL);
        html_printf(h, "%zu", r->rank);
        html_close(h, "td");
        html_open(h, "td", NULL);
        html_element(h, "b", NULL, r->id);
        html_printf(h, " %s", r->name);
        if (r->tied_with < RIVALS)
            html_printf(h, " (tied with %s)", d->rival[r->tied_with].id);
        html_close(h, "td");
        html_open(h, "td", NULL);
        put_verdict(h, r->verdict);
        html_close(h, "td");
        open_number(h, "For");
        html_printf(h, "%zu", r->supported);
        html_close(h, "td");
        open_number(h, "Against");
        html_printf(h, "%zu", r->contradicted);
        html_close(h, "td");
        html_open(h, "td", "class", "signs", NULL);
        put_signs(h, r);
        html_close(h, "td");
        html_open(h, "td", NULL);
        html_element(h, "code", NULL, r->experiment);
        html_close(h, "td");
        html_close(h, "tr");
    }
    evidence_close_table(h);
    html_close(h, "section");
}

/* ---- what would change our mind ----------------------------------------- */

static const struct finding *row_of(const struct diagnosis *d, const char *id)
{
    const struct rows rows = diagnose_rows(d);
    return rivals_row(&rows, id);
}

/* Rows without which a paradox would be another verdict; of two that may stand
 * for each other, the other one. */
static const struct {
    const char *row, * or ;
} paradox_rows[] = {
    {"S1", NULL}, {"S2a", "S2b"}, {"S2b", "S2a"}, {"S3", NULL}, {"S3p", NULL},
    {"a1", "a2"}, {"a2", "a1"},   {"b1", NULL},   {"c1", "c2"}, {"c2", "c1"},
};
#define N_PARADOX_ROWS (sizeof paradox_rows / sizeof *paradox_rows)

static bool is_supported(const struct diagnosis *d, const char *id)
{
    const struct finding *f = row_of(d, id);
    return f != NULL && f->verdict == VERDICT_SUPPORTED;
}

static bool is_alternative(const struct rival_seen *s)
{
    return s->sign.kind == SIGN_EITHER || s->sign.kind == SIGN_EITHER_NOT;
}

/* Does the verdict fall with this row alone? */
static bool is_needed(const struct diagnosis *d, const char *id)
{
    const struct rival *r = &d->rival[0];
    size_t either = 0;
    for (size_t i = 0; i < r->n_seen; i++)
        either +=
            is_alternative(&r->seen[i]) && r->seen[i].says == VERDICT_SUPPORTED;
    for (size_t i = 0; i < r->n_seen; i++) {
        const struct rival_seen *s = &r->seen[i];
        if (strcmp(s->sign.row, id) == 0 &&
            (s->sign.kind == SIGN_WANTS || s->sign.kind == SIGN_WANTS_NOT ||
             (is_alternative(s) && either == 1)))
            return true;
    }
    for (size_t i = 0; d->verdict == DIAGNOSIS_PARADOX && i < N_PARADOX_ROWS;
         i++)
        if (strcmp(paradox_rows[i].row, id) == 0 &&
            (paradox_rows[i].or == NULL ||
             !is_supported(d, paradox_rows[i].or)))
            return true;
    return false;
}

/* The opposite of what a row says, from its bound. */
static void put_opposite(struct html *h, const struct diagnosis *d,
                         const struct finding *f)
{
    double bound = isfinite(f->effect) ? f->effect : f->null;
    char link[64];
    (void)snprintf(link, sizeof link, "#row-%.50s", f->id);
    html_open(h, "li", NULL);
    html_open(h, "a", "class", "num", "href", link, NULL);
    html_text(h, f->id);
    html_close(h, "a");
    html_printf(h, ": %s (%s%s).", f->claim, verdict_words(f->verdict),
                is_needed(d, f->id) ? ", needed" : "");
    if (isfinite(bound) && isfinite(f->e.estimate)) {
        bool is_above = f->e.estimate > bound;
        html_printf(h, " It stands at %s. %s %s %s would turn it over.",
                    measure_digits(f->e.estimate).text,
                    isfinite(f->e.low) ? "An interval wholly" : "A number",
                    is_above ? "below" : "above", measure_digits(bound).text);
    }
    html_close(h, "li");
}

static bool is_sign(const struct rival *r, const char *id)
{
    for (size_t i = 0; i < r->n_seen; i++)
        if (strcmp(r->seen[i].sign.row, id) == 0)
            return true;
    return false;
}

static void put_experiments(struct html *h, const struct diagnosis *d)
{
    static const char rerun[] = "plumb whatif ";
    const struct rival *r = &d->rival[0];
    bool is_rerun = strncmp(r->experiment, rerun, strlen(rerun)) == 0;
    html_open(h, "li", NULL);
    html_printf(h, "%s, %s: %s ", r->id, r->name,
                is_rerun ? "tried by" : "more would be told by");
    html_element(h, "code", NULL, r->experiment);
    html_text(h, is_rerun ? " over three seeds. Where the interval over seeds "
                            "excludes the effect that is expected of it, the "
                            "cause goes out of the explanation."
                          : ".");
    html_close(h, "li");
    for (size_t i = 0; i < RIVALS; i++) {
        const struct rival *a = &d->rival[i];
        if (a->id == NULL || a->tied_with >= RIVALS || a->tied_with < i)
            continue;
        html_open(h, "li", NULL);
        html_printf(h, "%s and %s are tied; what parts them: ", a->id,
                    d->rival[a->tied_with].id);
        html_element(h, "code", NULL, a->experiment);
        html_text(h, " and ");
        html_element(h, "code", NULL, d->rival[a->tied_with].experiment);
        html_text(h, ".");
        html_close(h, "li");
    }
}

void evidence_tables_mind(struct html *h, const struct diagnosis *d)
{
    const struct rival *r = &d->rival[0];
    evidence_open_section(h, "mind", "What would change our mind");
    html_open(h, "p", "class", "note", NULL);
    html_printf(h,
                "The verdict is %s, by %s. It rests on these rows: the "
                "opposite of one that is needed would bring it down, of "
                "another weaken it.",
                d->verdict == DIAGNOSIS_OTHER ? "another pathology"
                                              : diagnose_verdict(d->verdict),
                r->id);
    html_close(h, "p");
    html_open(h, "ul", NULL);
    for (size_t i = 0; i < r->n_seen; i++) {
        const struct finding *f = row_of(d, r->seen[i].sign.row);
        if (f != NULL && r->seen[i].says == VERDICT_SUPPORTED)
            put_opposite(h, d, f);
    }
    for (size_t i = 0; d->verdict == DIAGNOSIS_PARADOX && i < N_PARADOX_ROWS;
         i++) {
        const struct finding *f = row_of(d, paradox_rows[i].row);
        if (f != NULL && f->verdict == VERDICT_SUPPORTED && !is_sign(r, f->id))
            put_opposite(h, d, f);
    }
    put_experiments(h, d);
    html_close(h, "ul");
    html_close(h, "section");
}

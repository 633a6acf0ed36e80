#include "report/source.h"

#include "diagnose/imported.h"
#include "report/evidence_tables_internal.h"

static void put_cell(struct html *h, const char *text)
{
    html_element(h, "td", NULL, text != NULL ? text : "");
}

static void put_fields(struct html *h, const struct imported *x)
{
    if (x->n_field == 0)
        return;
    html_open(h, "details", NULL);
    html_element(h, "summary", NULL, "What its fields became");
    evidence_open_table(h, "<thead><tr><th>Field</th><th>Became</th>"
                           "<th>Unit</th><th>Note</th></tr></thead>\n");
    for (size_t i = 0; i < x->n_field; i++) {
        const struct imported_field *f = &x->field[i];
        html_open(h, "tr", NULL);
        put_cell(h, f->from);
        put_cell(h, f->to != NULL ? f->to : "not understood");
        put_cell(h, f->unit);
        put_cell(h, f->note);
        html_close(h, "tr");
    }
    evidence_close_table(h);
    html_close(h, "details");
}

static void put_kl(struct html *h, const struct imported *x)
{
    char text[IMPORTED_KL_TEXT];
    if (x->n_kl == 0)
        return;
    html_element(h, "h3", NULL, "What its KL curves are");
    evidence_open_table(h, "<thead><tr><th>Curve</th><th>KL to</th>"
                           "<th>How</th><th>Charged in</th><th>Note</th></tr>"
                           "</thead>\n");
    for (size_t i = 0; i < x->n_kl; i++) {
        const struct imported_kl *k = &x->kl[i];
        html_open(h, "tr", NULL);
        put_cell(h, k->name);
        put_cell(h, imported_kind_words(k->kind));
        put_cell(h, imported_kl_words(text, k));
        put_cell(h, k->where);
        put_cell(h, k->note);
        html_close(h, "tr");
    }
    evidence_close_table(h);
}

static void put_warnings(struct html *h, const struct imported *x)
{
    if (x->n_warning == 0)
        return;
    html_element(h, "h3", NULL, "What is odd about its files");
    html_open(h, "ul", NULL);
    for (size_t i = 0; i < x->n_warning; i++)
        html_element(h, "li", NULL, x->warning[i]);
    html_close(h, "ul");
}

static void put_missing(struct html *h, const struct imported *x)
{
    if (x->n_missing == 0)
        return;
    html_element(h, "h3", NULL, "What would tell more, the cheapest first");
    evidence_open_table(h, "<thead><tr><th>Missing</th><th>Tells</th>"
                           "<th>How to get it</th></tr></thead>\n");
    for (size_t i = 0; i < x->n_missing; i++) {
        const struct imported_missing *m = &x->missing[i];
        html_open(h, "tr", NULL);
        put_cell(h, m->what);
        put_cell(h, m->use);
        html_open(h, "td", NULL);
        html_element(h, m->flag != NULL ? "code" : "span", NULL,
                     imported_how(m));
        html_close(h, "td");
        html_close(h, "tr");
    }
    evidence_close_table(h);
}

void source_write(struct html *h, const struct evidence *e)
{
    const struct imported *x = e->import;
    if (x == NULL)
        return;
    evidence_open_section(h, "source", "Where this run comes from");
    html_open(h, "p", NULL);
    html_printf(h, "It was made by %s%s%s and read as %s. ", x->trainer,
                x->version != NULL ? " " : "",
                x->version != NULL ? x->version : "", x->format);
    if (x->is_damaged)
        html_text(h, "What was understood of it is not known: import.json is "
                     "damaged. ");
    html_printf(h,
                "Lengths are counted in %s of what was trained on and in %s "
                "of what was evaluated.",
                evidence_units(e->rollout_unit), evidence_units(e->reply_unit));
    if (e->n_judged > 0)
        html_printf(h,
                    " %zu verdict%s an LLM's (%s): none is counted as a "
                    "person's.",
                    e->n_judged, e->n_judged == 1 ? " is" : "s are",
                    e->judged_from);
    html_close(h, "p");
    put_warnings(h, x);
    put_missing(h, x);
    put_kl(h, x);
    put_fields(h, x);
    html_close(h, "section");
}

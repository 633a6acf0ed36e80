#include "report/report.h"

#include <assert.h>

#include "base/file.h"
#include "report/accuracy.h"
#include "report/curves.h"
#include "report/essay_page.h"
#include "report/evidence_tables.h"
#include "report/html.h"
#include "report/inputs.h"
#include "report/replies.h"
#include "report/sections.h"
#include "report/source.h"
#include "report/style.h"
#include "report/tables.h"

#define PAGE_MAX ((size_t)64 << 20)

static void head(struct html *h)
{
    html_raw(h, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>"
                "<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\">\n"
                "<title>Plumb report</title>\n<style>\n");
    style_write(h);
    html_raw(h, "</style></head>\n<body><main>\n");
}

static void foot(struct html *h, const char *version)
{
    html_open(h, "footer", NULL);
    html_printf(h, "Written by plumb %s from the files named above.", version);
    html_close(h, "footer");
    html_raw(h, "</main></body></html>\n");
}

/* Where on the page things are. */
static void contents(struct html *h, const struct diagnosis *d,
                     const struct evidence *e)
{
    const struct {
        const char *id, *name;
        bool is_there;
    } part[] = {
        {"#essay", "Essay", true},
        {"#source", "Source", e->import != NULL},
        {"#remedies", "Changes", d->n_remedies > 0},
        {"#evidence", "Evidence", true},
        {"#rivals", "Rivals", true},
        {"#mind", "What would change our mind", true},
        {"#tags", "Tags", d->strata.n > 0},
        {"#ship", "Checkpoint", true},
        {"#evaluation", "Evaluation", e->import == NULL},
    };
    html_open(h, "nav", NULL);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (!part[i].is_there)
            continue;
        html_open(h, "a", "href", part[i].id, NULL);
        html_text(h, part[i].name);
        html_close(h, "a");
    }
    html_close(h, "nav");
}

static enum status diagnosis_part(struct html *h, const struct diagnosis *d,
                                  const struct evidence *e,
                                  const struct inputs *in, struct err *err)
{
    struct essay y;
    contents(h, d, e);
    TRY(essay_build(&y, d, e, err));
    enum status status = essay_page_html(h, &y, in, err);
    if (status == OK) {
        source_write(h, e);
        evidence_tables_remedies(h, d);
        evidence_tables_rows(h, &y);
    }
    essay_free(&y);
    TRY(status);
    evidence_tables_rivals(h, d);
    evidence_tables_mind(h, d);
    evidence_tables_tags(h, d);
    evidence_tables_ship(h, d);
    return OK;
}

static enum status evaluation_part(struct html *h, const struct inputs *in,
                                   bool is_below, struct err *err)
{
    html_open(h, "div", "id", "evaluation", NULL);
    sections_summary(h, in, is_below);
    TRY(curves_write(h, in, is_below, err));
    TRY(replies_write(h, in, err));
    accuracy_write(h, in);
    sections_panel(h, in);
    sections_serving(h, in);
    sections_limits(h, in);
    tables_sources(h, in);
    tables_numbers(h, in);
    tables_config(h, in);
    html_close(h, "div");
    return OK;
}

/* Why the evaluation is not on the page; of a run that another trainer made
 * there is none. */
static void evaluation_lost(struct html *h, const struct evidence *e,
                            const struct err *why)
{
    if (e->import != NULL)
        return;
    html_open(h, "section", "id", "evaluation", NULL);
    html_element(h, "h2", NULL, "The evaluation");
    html_open(h, "p", NULL);
    html_printf(h, "It is not shown: %s.", why->text);
    html_close(h, "p");
    html_close(h, "section");
}

enum status report_page(struct buf *out, const char *project_dir,
                        const struct diagnosis *d, const struct evidence *e,
                        struct err *err)
{
    struct inputs in;
    struct html h;
    struct err why;
    enum status status = inputs_read(&in, project_dir, &why);
    bool is_read = status == OK;
    if (!is_read && (d == NULL || status == ERR_MEMORY)) {
        *err = why;
        return status;
    }
    html_init(&h, out);
    head(&h);
    status =
        d != NULL ? diagnosis_part(&h, d, e, is_read ? &in : NULL, err) : OK;
    if (status == OK && is_read)
        status = evaluation_part(&h, &in, d != NULL, err);
    else if (status == OK)
        evaluation_lost(&h, e, &why);
    foot(&h, is_read ? json_text(json_get(in.heldout, "plumb_version"), "?")
                     : PLUMB_VERSION);
    assert(status != OK || h.depth == 0);
    if (is_read)
        inputs_free(&in);
    return status == OK ? buf_status(out, err) : status;
}

enum status report_write(const char *project_dir, const struct diagnosis *d,
                         const struct evidence *e, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf out;
    buf_init(&out, PAGE_MAX);
    TRY_DONE(report_page(&out, project_dir, d, e, err));
    TRY_DONE(file_join(path, project_dir, "report.html", err));
    TRY_DONE(file_write(path, out.data, out.len, err));
done:
    buf_free(&out);
    return status;
}

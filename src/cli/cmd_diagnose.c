#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "diagnose/diagnose.h"
#include "report/essay_page.h"
#include "report/report.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

/* What --fail-on asks to be told of. */
static bool is_wanted(const struct diagnosis *d, enum diagnose_fail_on what)
{
    switch (what) {
    case FAIL_ON_NOTHING:
        return false;
    case FAIL_ON_BUG:
        return d->verdict == DIAGNOSIS_BUG;
    case FAIL_ON_PARADOX:
        return d->verdict == DIAGNOSIS_PARADOX;
    case FAIL_ON_ANY:
        return d->verdict != DIAGNOSIS_HEALTHY &&
               d->verdict != DIAGNOSIS_INCONCLUSIVE;
    }
    return false;
}

/* diagnosis.json and report.html of the project, or, with the project left
 * alone, the file that --out names. */
static enum status save(const struct buf *document, const struct diagnosis *d,
                        const struct evidence *e, const struct options *o,
                        struct err *err)
{
    char path[FILE_PATH_MAX];
    const char *out = o->v.common.out;
    if (out != NULL)
        return file_write(out, buf_text(document), document->len, err);
    TRY(file_join(path, e->project, "diagnosis.json", err));
    TRY(file_write(path, buf_text(document), document->len, err));
    return report_write(e->project, d, e, err);
}

/* The essay as Markdown, where --essay wants it. */
static enum status save_essay(const struct diagnosis *d,
                              const struct evidence *e, const char *path,
                              struct err *err)
{
    struct essay y;
    struct buf text;
    TRY(essay_build(&y, d, e, err));
    buf_init(&text, DOCUMENT_MAX);
    essay_page_markdown(&text, &y);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = file_write(path, buf_text(&text), text.len, err);
    buf_free(&text);
    essay_free(&y);
    return status;
}

static enum status tell(const struct diagnosis *d, const struct evidence *e,
                        const struct options *o, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf document, text;
    struct json_writer w;
    buf_init(&document, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX);
    json_writer_init(&w, &document, true);
    diagnose_write(&w, d, e);
    buf_putc(&document, '\n');
    TRY_DONE(buf_status(&document, err));
    TRY_DONE(save(&document, d, e, o, err));
    if (o->v.diagnose.essay != NULL)
        TRY_DONE(save_essay(d, e, o->v.diagnose.essay, err));
    diagnose_summary(&text, d, e);
    if (o->v.common.out == NULL) {
        TRY_DONE(file_join(path, e->project, "report.html", err));
        buf_printf(&text, "\nThe report: %s\n", path);
    }
    TRY_DONE(terminal_print(o->v.common.json ? &document : &text, err));
done:
    buf_free(&document);
    buf_free(&text);
    return status;
}

enum status cmd_diagnose(struct options *o, struct err *err)
{
    const struct diagnose_values *v = &o->v.diagnose;
    const struct bootstrap plan = {.seed = (uint64_t)o->v.common.seed,
                                   .resamples = (size_t)v->resamples};
    struct evidence e;
    struct diagnosis d;
    TRY(evidence_read(&e, o->operand[0], &plan, err));
    enum status status = diagnose(&d, &e, err);
    if (status == OK) {
        status = tell(&d, &e, o, err);
        if (status == OK && is_wanted(&d, (enum diagnose_fail_on)v->fail_on))
            status = err_set(err, ERR_FOUND, "%s: the verdict is %s (%s)",
                             o->operand[0], diagnose_verdict(d.verdict),
                             d.rival[0].id);
        diagnose_free(&d);
    }
    evidence_free(&e);
    return status;
}

#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "cli/command.h"
#include "cli/importing.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "report/diagnosing.h"
#include "report/essay_page.h"

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

/* The essay as Markdown, where --essay wants it. */
static enum status save_essay(const struct diagnosing *g, const char *path,
                              struct err *err)
{
    struct essay y;
    struct buf text;
    TRY(essay_build(&y, &g->d, &g->e, err));
    buf_init(&text, DOCUMENT_MAX);
    essay_page_markdown(&text, &y);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = file_write(path, buf_text(&text), text.len, err);
    buf_free(&text);
    essay_free(&y);
    return status;
}

/* diagnosis.json and report.html of the project, or, with the project left
 * alone, the file that --out names. */
static enum status save(const struct diagnosing *g, const struct buf *document,
                        const struct options *o, struct err *err)
{
    const char *out = o->v.common.out;
    if (out != NULL)
        TRY(file_write(out, buf_text(document), document->len, err));
    else if (o->v.diagnose.import == NULL && diagnosing_save(g, err) != OK)
        return err->code == ERR_IO
                   ? err_context(err, "the diagnosis is not kept (--out FILE "
                                      "writes it elsewhere)")
                   : err->code;
    return o->v.diagnose.essay != NULL ? save_essay(g, o->v.diagnose.essay, err)
                                       : OK;
}

/* What was found is told even where it cannot be kept. */
static enum status tell(const struct diagnosing *g, const struct options *o,
                        struct err *err)
{
    enum status status = OK, saved;
    struct buf document, text;
    struct err reason;
    buf_init(&document, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX);
    TRY_DONE(diagnosing_document(&document, g, err));
    saved = save(g, &document, o, &reason);
    if (o->v.common.out == NULL && o->v.diagnose.import == NULL && saved == OK)
        TRY_DONE(diagnosing_summary(&text, g, err));
    else
        diagnose_summary(&text, &g->d, &g->e);
    TRY_DONE(terminal_print(o->v.common.json ? &document : &text, err));
    if (saved != OK) {
        *err = reason;
        status = saved;
    }
done:
    buf_free(&document);
    buf_free(&text);
    return status;
}

/* A project, as it is. */
static enum status diagnose_project(const struct options *o, const char *path,
                                    struct err *err)
{
    const struct diagnose_values *v = &o->v.diagnose;
    const struct bootstrap plan = {.seed = (uint64_t)o->v.common.seed,
                                   .resamples = (size_t)v->resamples};
    const size_t threads = (size_t)o->v.common.threads;
    struct team *team;
    struct diagnosing g;
    TRY(team_create(&team, threads > 0 ? threads : team_processors(), err));
    enum status status = diagnosing_open(&g, path, v->human, team, &plan, err);
    team_destroy(team);
    TRY(status);
    status = tell(&g, o, err);
    if (status == OK && is_wanted(&g.d, (enum diagnose_fail_on)v->fail_on))
        status =
            err_set(err, ERR_FOUND, "%s: the verdict is %s (%s)", o->operand[0],
                    diagnose_verdict(g.d.verdict), g.d.rival[0].id);
    diagnosing_close(&g);
    return status;
}

/* Files of another trainer, by way of a folder that is gone afterwards. */
static enum status diagnose_import(const struct options *o, struct err *err)
{
    char folder[FILE_PATH_MAX];
    struct err reason;
    TRY(session_temporary(folder, err));
    enum status status =
        importing_run(NULL, o, o->v.diagnose.import, o->operand, o->n_operands,
                      folder, NULL, err);
    if (status == OK)
        status = diagnose_project(o, folder, err);
    enum status removed = file_remove(folder, &reason);
    if (status == OK && removed != OK) {
        *err = reason;
        return removed;
    }
    return status;
}

enum status cmd_diagnose(struct options *o, struct err *err)
{
    if (o->v.diagnose.import != NULL)
        return diagnose_import(o, err);
    if (o->n_operands > 1)
        return err_set(err, ERR_ARG,
                       "one project is diagnosed at a time; --import FORMAT "
                       "takes several files of another trainer");
    if (file_exists(o->operand[0]) && !file_is_dir(o->operand[0]))
        return err_set(err, ERR_ARG,
                       "%s is a file and no project; another trainer's files "
                       "are read by plumb diagnose --import auto FILE...",
                       o->operand[0]);
    return diagnose_project(o, o->operand[0], err);
}

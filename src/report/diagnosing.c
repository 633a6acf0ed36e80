#include "report/diagnosing.h"

#include "base/file.h"
#include "report/report.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

enum status diagnosing_open(struct diagnosing *out, const char *path,
                            const char *human, struct team *team,
                            const struct bootstrap *plan, struct err *err)
{
    TRY(evidence_read_with(&out->e, path, human, team, plan, err));
    enum status status = diagnose(&out->d, &out->e, err);
    if (status != OK)
        evidence_free(&out->e);
    return status;
}

void diagnosing_close(struct diagnosing *g)
{
    diagnose_free(&g->d);
    evidence_free(&g->e);
}

enum status diagnosing_document(struct buf *out, const struct diagnosing *g,
                                struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    diagnose_write(&w, &g->d, &g->e);
    buf_putc(out, '\n');
    return buf_status(out, err);
}

enum status diagnosing_save(const struct diagnosing *g, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf document;
    buf_init(&document, DOCUMENT_MAX);
    TRY_DONE(diagnosing_document(&document, g, err));
    TRY_DONE(file_join(path, g->e.project, "diagnosis.json", err));
    TRY_DONE(file_write(path, buf_text(&document), document.len, err));
    status = report_write(g->e.project, &g->d, &g->e, err);
done:
    buf_free(&document);
    return status;
}

enum status diagnosing_summary(struct buf *out, const struct diagnosing *g,
                               struct err *err)
{
    char path[FILE_PATH_MAX];
    diagnose_summary(out, &g->d, &g->e);
    TRY(file_join(path, g->e.project, "report.html", err));
    buf_printf(out, "\nThe report: %s\n", path);
    return buf_status(out, err);
}

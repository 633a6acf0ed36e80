#include "report/report.h"

#include <assert.h>

#include "base/file.h"
#include "report/accuracy.h"
#include "report/curves.h"
#include "report/html.h"
#include "report/inputs.h"
#include "report/replies.h"
#include "report/sections.h"
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

static void foot(struct html *h, const struct inputs *in)
{
    html_open(h, "footer", NULL);
    html_printf(h, "Written by plumb %s from the files named above.",
                json_text(json_get(in->heldout, "plumb_version"), "?"));
    html_close(h, "footer");
    html_raw(h, "</main></body></html>\n");
}

static enum status page(struct html *h, const struct inputs *in,
                        struct err *err)
{
    head(h);
    sections_summary(h, in);
    TRY(curves_write(h, in, err));
    TRY(replies_write(h, in, err));
    accuracy_write(h, in);
    sections_panel(h, in);
    sections_serving(h, in);
    sections_limits(h, in);
    tables_sources(h, in);
    tables_numbers(h, in);
    tables_config(h, in);
    foot(h, in);
    assert(h->depth == 0);
    return buf_status(h->out, err);
}

enum status report_page(struct buf *out, const char *project_dir,
                        struct err *err)
{
    struct inputs in;
    struct html h;
    TRY(inputs_read(&in, project_dir, err));
    html_init(&h, out);
    enum status status = page(&h, &in, err);
    inputs_free(&in);
    return status;
}

enum status report_write(const char *project_dir, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf out;
    buf_init(&out, PAGE_MAX);
    TRY_DONE(report_page(&out, project_dir, err));
    TRY_DONE(file_join(path, project_dir, "report.html", err));
    TRY_DONE(file_write(path, out.data, out.len, err));
done:
    buf_free(&out);
    return status;
}

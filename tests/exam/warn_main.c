/*
 * exam_warn OUT - early warning over the exam's runs: writes
 * OUT/early_warning.json and prints it as tables.
 */
#include <stdio.h>

#include "base/file.h"
#include "exam/warn.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

static enum status save(const struct warn *all, const char *dir,
                        struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct json_writer w;
    struct buf document, text;
    buf_init(&document, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX);
    json_writer_init(&w, &document, true);
    TRY_DONE(warn_write(&w, all, err));
    buf_putc(&document, '\n');
    TRY_DONE(buf_status(&document, err));
    TRY_DONE(file_join(path, dir, "early_warning.json", err));
    TRY_DONE(file_write(path, buf_text(&document), document.len, err));
    TRY_DONE(warn_print(&text, all, err));
    TRY_DONE(buf_status(&text, err));
    (void)fputs(buf_text(&text), stdout);
done:
    buf_free(&document);
    buf_free(&text);
    return status;
}

static enum status run(const char *dir, struct err *err)
{
    struct exam e;
    struct warn all;
    TRY(exam_read(&e, dir, err));
    enum status status = warn_read(&all, &e, dir, err);
    if (status == OK) {
        status = save(&all, dir, err);
        warn_free(&all);
    }
    exam_free(&e);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {.code = OK};
    if (argc != 2) {
        (void)fputs("usage: exam_warn OUT\n", stderr);
        return 2;
    }
    enum status status = run(argv[1], &err);
    if (status != OK)
        (void)fprintf(stderr, "exam_warn: %s\n", err.text);
    return status == OK ? 0 : 1;
}

/*
 * exam_grade - what tests/exam/exam.sh needs beside plumb itself.
 *
 *     exam_grade grade OUT          writes OUT.json, prints the tables
 *     exam_grade warn OUT           writes OUT/early_warning.json, prints it
 *     exam_grade placebo PROJECT PERMUTATIONS RESAMPLES SEED FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "exam/grade.h"
#include "exam/placebo.h"
#include "exam/warn.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

static enum status save(const struct buf *text, const char *path,
                        struct err *err)
{
    TRY(buf_status(text, err));
    return file_write(path, buf_text(text), text->len, err);
}

static enum status grade(const char *dir, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct exam e;
    struct json_writer w;
    struct buf document, text;
    TRY(exam_read(&e, dir, err));
    buf_init(&document, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX);
    json_writer_init(&w, &document, true);
    TRY_DONE(exam_write(&w, &e, err));
    buf_putc(&document, '\n');
    (void)snprintf(path, sizeof path, "%s.json", dir);
    TRY_DONE(save(&document, path, err));
    TRY_DONE(exam_print(&text, &e, err));
    TRY_DONE(buf_status(&text, err));
    (void)fputs(buf_text(&text), stdout);
done:
    buf_free(&document);
    buf_free(&text);
    exam_free(&e);
    return status;
}

static enum status placebo(char **word, struct err *err)
{
    const struct placebo p = {
        .project = word[0],
        .permutations = strtoul(word[1], NULL, 10),
        .resamples = strtoul(word[2], NULL, 10),
        .seed = strtoull(word[3], NULL, 10),
    };
    struct json_writer w;
    struct buf document;
    buf_init(&document, DOCUMENT_MAX);
    json_writer_init(&w, &document, false);
    enum status status = placebo_run(&w, &p, err);
    buf_putc(&document, '\n');
    if (status == OK)
        status = save(&document, word[4], err);
    buf_free(&document);
    return status;
}

static enum status tell_alarms(const struct warn *all, const char *dir,
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
    TRY_DONE(file_join(path, dir, "early_warning.json", err));
    TRY_DONE(save(&document, path, err));
    TRY_DONE(warn_print(&text, all, err));
    TRY_DONE(buf_status(&text, err));
    (void)fputs(buf_text(&text), stdout);
done:
    buf_free(&document);
    buf_free(&text);
    return status;
}

static enum status warn(const char *dir, struct err *err)
{
    struct exam e;
    struct warn all;
    TRY(exam_read(&e, dir, err));
    enum status status = warn_read(&all, &e, dir, err);
    if (status == OK) {
        status = tell_alarms(&all, dir, err);
        warn_free(&all);
    }
    exam_free(&e);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {.code = OK};
    enum status status = OK;
    if (argc == 3 && strcmp(argv[1], "grade") == 0) {
        status = grade(argv[2], &err);
    } else if (argc == 3 && strcmp(argv[1], "warn") == 0) {
        status = warn(argv[2], &err);
    } else if (argc == 7 && strcmp(argv[1], "placebo") == 0) {
        status = placebo(argv + 2, &err);
    } else {
        (void)fputs("usage: exam_grade grade OUT\n"
                    "       exam_grade warn OUT\n"
                    "       exam_grade placebo PROJECT PERMUTATIONS RESAMPLES "
                    "SEED FILE\n",
                    stderr);
        return 2;
    }
    if (status != OK)
        (void)fprintf(stderr, "exam_grade: %s\n", err.text);
    return status == OK ? 0 : 1;
}

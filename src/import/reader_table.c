/*
 * reader_table.c - the rows of a table as objects, for readers of JSON rows.
 */
#include <string.h>

#include "base/mem.h"
#include "import/reader.h"
#include "import/sniff.h"
#include "io/csv.h"

struct table {
    struct reader *r;
    reader_row_fn fn;
    void *ctx;
    struct value *member; // [n]
    char **name;
    size_t n, rows;
    size_t short_line; // of a row with too few fields; 0: none
};

/* A field is a text, and nothing where it is empty; what is asked for as a
 * number is read from the text. */
static enum status take_fields(struct table *t, const struct csv_row *row,
                               struct err *err)
{
    struct value object = {.kind = VALUE_OBJECT, .n = t->n};
    if (row->n != t->n)
        return err_set(err, ERR_FORMAT, "%zu fields, %zu names of columns",
                       row->n, t->n);
    arena_reset(&t->r->arena);
    for (size_t i = 0; i < t->n; i++) {
        struct value *m = &t->member[i];
        size_t len = strlen(row->field[i]);
        *m = (struct value){.kind = len > 0 ? VALUE_TEXT : VALUE_NULL,
                            .n = len,
                            .text = row->field[i],
                            .key = t->name[i],
                            .next = i + 1 < t->n ? m + 1 : NULL};
    }
    object.first = t->member;
    return t->fn(t->r, t->ctx, &object, row->line, err);
}

static enum status take_names(struct table *t, const struct csv_row *row,
                              struct err *err)
{
    TRY(MEM_NEW(t->member, row->n, err));
    TRY(MEM_NEW(t->name, row->n, err));
    for (size_t i = 0; i < row->n; i++) {
        t->name[i] = mem_strdup(row->field[i]);
        if (t->name[i] == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for a name");
        t->n++;
    }
    return OK;
}

static enum status take_csv(void *ctx, const struct csv_row *row,
                            struct err *err)
{
    struct table *t = ctx;
    size_t line = row->line;
    enum status status = OK;
    if (t->n == 0)
        return take_names(t, row, err);
    /* A row of too few fields was no last one that was cut. */
    if (t->short_line > 0) {
        size_t at = t->short_line;
        t->short_line = 0;
        status =
            err_set(err, ERR_FORMAT, "fewer fields than the %zu columns", t->n);
        status = reader_bad(t->r, status, at, err);
        line = status != OK ? at : line;
    }
    if (status == OK && row->n < t->n && t->rows > 0) {
        t->short_line = line;
        return OK;
    }
    if (status == OK)
        status = reader_bad(t->r, take_fields(t, row, err), line, err);
    t->rows++;
    if (status != OK)
        (void)err_context(err, "%s:%zu", t->r->path, line);
    return status;
}

enum status reader_table(struct reader *r, reader_row_fn fn, void *ctx,
                         struct err *err)
{
    struct head h;
    struct table t = {.r = r, .fn = fn, .ctx = ctx};
    TRY(sniff_open(&h, r->path, err));
    char separator = h.separator != 0 ? h.separator : ',';
    sniff_close(&h);
    enum status status = csv_read(r->path, separator, take_csv, &t, err);
    if (status == OK && t.short_line > 0)
        status = reader_cut(r, t.short_line, err);
    for (size_t i = 0; i < t.n; i++)
        mem_free(t.name[i]);
    mem_free(t.name);
    mem_free(t.member);
    return status;
}

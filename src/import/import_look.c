/*
 * import_look.c - what a file is, without reading more than its beginning.
 */
#include "import/formats.h"
#include "import/import.h"

static bool is_object(const struct head *h)
{
    return h->n_rows > 0 && h->row[0].kind == VALUE_OBJECT;
}

static void write_fields(struct json_writer *w, const struct head *h)
{
    json_put_key(w, "fields");
    json_open(w, '[');
    if (is_object(h))
        for (const struct value *v = h->row[0].first; v != NULL; v = v->next)
            json_put_text(w, v->key);
    for (size_t i = 0; i < h->n_columns; i++)
        json_put_text(w, h->column[i]);
    json_close(w, ']');
}

static void write_looks(struct buf *out, const struct head *h,
                        const struct format *f, double sure)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "format", f != NULL ? f->name : NULL);
    json_field_text(&w, "kind", f != NULL ? f->kind : NULL);
    json_field_number(&w, "confidence", sure);
    json_field_int(&w, "rows_sampled",
                   (int64_t)(h->n_rows > 0    ? h->n_rows
                             : h->n_lines > 1 ? h->n_lines - 1
                                              : 0));
    write_fields(&w, h);
    json_field_text(&w, "map_with",
                    f != NULL          ? NULL
                    : h->n_columns > 1 ? "csv"
                    : is_object(h)     ? "jsonl"
                                       : NULL);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

enum status import_sniff(struct buf *out, const char *path, struct err *err)
{
    struct head h;
    const struct format *f;
    double sure;
    TRY(sniff_open(&h, path, err));
    enum status status = formats_look(&f, &sure, NULL, &h, err);
    if (status == OK)
        write_looks(out, &h, f, sure);
    sniff_close(&h);
    return status == OK ? buf_status(out, err) : status;
}

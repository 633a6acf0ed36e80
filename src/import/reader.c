#include "import/reader.h"

#include <string.h>

#include "io/jsonl.h"
#include "io/lines.h"

void reader_init(struct reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    *r =
        (struct reader){.path = path, .name = slash != NULL ? slash + 1 : path};
    buf_init(&r->text, IMPORT_LINE_MAX + 1024);
}

void reader_free(struct reader *r)
{
    arena_free(&r->arena);
    buf_free(&r->text);
}

struct walking {
    struct reader *r;
    reader_row_fn fn;
    void *ctx;
    size_t n;
    bool is_open; // the row is a last line without its end
};

/* Somebody may want the work stopped; asked now and then. */
static enum status check_stop(const struct reader *r, size_t n, struct err *err)
{
    if (n % 256 == 0 && r->context != NULL && context_stopped(r->context))
        return err_set(err, ERR_STOPPED, "stopped; --resume goes on");
    return OK;
}

enum status reader_bad(struct reader *r, enum status status, size_t line,
                       struct err *err)
{
    if (status != ERR_FORMAT && status != ERR_MISMATCH)
        return status;
    struct err why = err != NULL ? *err : (struct err){status, ""};
    if (r->n_bad >= r->skip_bad) {
        if (r->skip_bad > 0)
            (void)err_set(err, status, "%.400s (%zu bad rows before it)",
                          why.text, r->n_bad);
        return status;
    }
    r->n_bad++;
    TRY(notes_warn(&r->sink->notes, "rows_bad", 1, err,
                   "rows that cannot be read are left out, as --skip-bad says; "
                   "the first: %.200s:%zu: %.200s",
                   r->path, line, why.text));
    return sink_skip(r->sink, "it cannot be read (--skip-bad)", err);
}

enum status reader_cut(struct reader *r, size_t line, struct err *err)
{
    TRY(notes_warn(&r->sink->notes, "line_cut", 1, err,
                   "the file ends within a row, as where a trainer was killed; "
                   "that row is left out: %.300s:%zu",
                   r->path, line));
    return sink_skip(r->sink, "the file ends within it", err);
}

static enum status take_row(void *ctx, const char *text, size_t len,
                            size_t line, struct err *err)
{
    struct walking *w = ctx;
    struct value row;
    TRY(check_stop(w->r, w->n++, err));
    arena_reset(&w->r->arena);
    enum status status = value_parse(&row, &w->r->arena, text, len, err);
    if (status == ERR_FORMAT && w->is_open && w->n > 1)
        return reader_cut(w->r, line, err);
    if (status == OK)
        status = w->fn(w->r, w->ctx, &row, line, err);
    return reader_bad(w->r, status, line, err);
}

enum status reader_rows(struct reader *r, reader_row_fn fn, void *ctx,
                        struct err *err)
{
    struct walking w = {.r = r, .fn = fn, .ctx = ctx};
    return jsonl_read_text(r->path, IMPORT_LINE_MAX, take_row, &w.is_open, &w,
                           err);
}

enum status reader_lines(struct reader *r, reader_line_fn fn, void *ctx,
                         struct err *err)
{
    struct lines l;
    const char *text;
    size_t len, n = 0;
    enum status status = OK;
    TRY(lines_open(&l, r->path, IMPORT_LINE_MAX, err));
    for (;;) {
        TRY_DONE(lines_next(&l, &text, &len, err));
        if (text == NULL)
            break;
        TRY_DONE(check_stop(r, n++, err));
        arena_reset(&r->arena);
        buf_clear(&r->text);
        while (len > 0 && text[len - 1] == '\r')
            len--;
        buf_append(&r->text, text, len);
        TRY_DONE(buf_status(&r->text, err));
        status = reader_bad(r, fn(r, ctx, buf_text(&r->text), l.number, err),
                            l.number, err);
        if (status != OK) {
            (void)err_context(err, "%s:%zu", r->path, l.number);
            break;
        }
    }
done:
    lines_close(&l);
    return status;
}

enum status reader_document(struct value *out, struct reader *r,
                            struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t len;
    enum status status = OK;
    TRY(stream_open(&s, r->path, err));
    buf_clear(&r->text);
    do {
        TRY_DONE(stream_next(s, &piece, &len, err));
        buf_append(&r->text, piece, len);
        if (r->text.code == ERR_LIMIT)
            TRY_DONE(err_set(err, ERR_LIMIT,
                             "%s:1: a document of more than %zu bytes", r->path,
                             IMPORT_LINE_MAX));
    } while (len > 0);
    TRY_DONE(buf_status(&r->text, err));
    arena_reset(&r->arena);
    status = value_parse(out, &r->arena, buf_text(&r->text), r->text.len, err);
    if (status != OK)
        (void)err_context(err, "%s:1", r->path);
done:
    stream_close(s);
    return status;
}

const char *reader_mapped(const struct reader *r, const char *to)
{
    for (size_t i = 0; i < r->n_maps; i++)
        if (strcmp(r->map[i].to, to) == 0)
            return r->map[i].from;
    return NULL;
}

int64_t reader_number(const char *name, const char *before)
{
    const char *at = strstr(name, before);
    int64_t n = 0;
    if (at == NULL)
        return -1;
    at += strlen(before);
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > 12)
        return -1;
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + (at[i] - '0');
    return n;
}

enum status reader_metrics(struct reader *r, int64_t step,
                           const struct value *object, struct err *err)
{
    for (const struct value *v = object->first; v != NULL; v = v->next) {
        if (strcmp(v->key, "step") == 0)
            continue;
        if (value_is_number(v))
            TRY(sink_put_metric(r->sink, step, v->key, value_number(v), err));
        else
            TRY(notes_field(&r->sink->notes, v->key, NULL, NULL,
                            "a metric that is no number", 1, err));
    }
    return OK;
}

enum status reader_text(const char **out, struct reader *r,
                        const struct value *v, struct err *err)
{
    struct buf text;
    *out = value_text(v);
    if (*out != NULL || v == NULL)
        return OK;
    buf_init(&text, 2 * IMPORT_LINE_MAX);
    enum status status = OK;
    if (value_put_text(&text, v)) {
        status = buf_status(&text, err);
        if (status == OK)
            status = arena_text(out, &r->arena, buf_text(&text), text.len, err);
    }
    buf_free(&text);
    return status;
}

#include "io/csv.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "io/stream.h"

enum place {
    AT_FIELD,  // before its first character
    IN_PLAIN,  // inside a field without quotes
    IN_QUOTES, // inside quotes
    AT_QUOTE,  // behind a quote inside quotes: its end, or half of a pair
};

struct parser {
    const char *name;
    char separator;
    csv_fn fn;
    void *ctx;
    enum place place;
    bool was_cr;   // a CR that may belong to a line end
    size_t marked; // bytes of a byte order mark seen; 3: none comes
    size_t line;   // of the next byte
    size_t row_line;
    struct buf text; // the row's fields, each ended by a NUL
    size_t n;
    size_t start[CSV_FIELDS_MAX];
    const char *field[CSV_FIELDS_MAX];
};

static enum status end_field(struct parser *p, struct err *err)
{
    buf_putc(&p->text, '\0');
    p->place = AT_FIELD;
    if (p->n == CSV_FIELDS_MAX)
        return err_set(err, ERR_FORMAT, "%s:%zu: more than %d fields", p->name,
                       p->row_line, CSV_FIELDS_MAX);
    /* The field after this one. */
    p->n++;
    if (p->n < CSV_FIELDS_MAX)
        p->start[p->n] = p->text.len;
    return OK;
}

static enum status check_text(const struct parser *p, struct err *err)
{
    if (utf8_valid(p->text.data, p->text.len) < p->text.len)
        return err_set(err, ERR_FORMAT, "%s:%zu: the row is not UTF-8", p->name,
                       p->row_line);
    return OK;
}

static enum status end_row(struct parser *p, struct err *err)
{
    bool is_empty = p->n == 0 && p->text.len == 0 && p->place == AT_FIELD;
    if (!is_empty) {
        TRY(end_field(p, err));
        if (p->text.code == ERR_LIMIT)
            return err_set(err, ERR_FORMAT,
                           "%s:%zu: a row of more than %zu bytes", p->name,
                           p->row_line, JSONL_LINE_MAX);
        TRY(buf_status(&p->text, err));
        TRY(check_text(p, err));
        for (size_t i = 0; i < p->n; i++)
            p->field[i] = p->text.data + p->start[i];
        const struct csv_row row = {p->field, p->n, p->row_line};
        TRY(p->fn(p->ctx, &row, err));
    }
    buf_clear(&p->text);
    p->n = 0;
    p->start[0] = 0;
    p->place = AT_FIELD;
    p->row_line = p->line;
    return OK;
}

/* One character that is neither part of a line end nor behind a CR. */
static enum status put(struct parser *p, char c, struct err *err)
{
    if (c == '\0')
        return err_set(err, ERR_FORMAT, "%s:%zu: a byte 0", p->name, p->line);
    if (p->place == IN_QUOTES) {
        if (c == '"')
            p->place = AT_QUOTE;
        else
            buf_putc(&p->text, c);
        return OK;
    }
    if (c == p->separator)
        return end_field(p, err);
    if (c == '"' && p->place != IN_PLAIN) {
        /* The first one opens; the second of a pair is itself. */
        if (p->place == AT_QUOTE)
            buf_putc(&p->text, c);
        p->place = IN_QUOTES;
        return OK;
    }
    if (p->place == AT_QUOTE)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: something follows a closing quote", p->name,
                       p->line);
    buf_putc(&p->text, c);
    p->place = IN_PLAIN;
    return OK;
}

static enum status feed(struct parser *p, const char *text, size_t len,
                        struct err *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (p->marked < 3 && c == mark[p->marked]) {
            p->marked++;
            continue;
        }
        /* A part of a mark is not a mark. */
        for (size_t k = 0; p->marked < 3 && k < p->marked; k++)
            TRY(put(p, mark[k], err));
        p->marked = 3;
        p->line += c == '\n';
        if (p->place != IN_QUOTES) {
            bool was_cr = p->was_cr;
            p->was_cr = c == '\r';
            if (c == '\n') {
                TRY(end_row(p, err));
                continue;
            }
            if (was_cr)
                TRY(put(p, '\r', err));
            if (c == '\r')
                continue;
        }
        TRY(put(p, c, err));
        if (p->text.code == ERR_LIMIT)
            return end_row(p, err);
    }
    return OK;
}

static enum status finish(struct parser *p, struct err *err)
{
    if (p->place == IN_QUOTES)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: a quote of this row is not closed", p->name,
                       p->row_line);
    return end_row(p, err);
}

static enum status make_parser(struct parser **out, const char *name,
                               char separator, csv_fn fn, void *ctx,
                               struct err *err)
{
    struct parser *p;
    TRY(MEM_NEW(p, 1, err));
    p->name = name;
    p->separator = separator;
    p->fn = fn;
    p->ctx = ctx;
    p->line = p->row_line = 1;
    buf_init(&p->text, JSONL_LINE_MAX);
    *out = p;
    return OK;
}

static void free_parser(struct parser *p)
{
    buf_free(&p->text);
    mem_free(p);
}

enum status csv_parse(const char *text, size_t len, const char *name,
                      char separator, csv_fn fn, void *ctx, struct err *err)
{
    struct parser *p;
    TRY(make_parser(&p, name, separator, fn, ctx, err));
    enum status status = feed(p, text, len, err);
    if (status == OK)
        status = finish(p, err);
    free_parser(p);
    return status;
}

enum status csv_read(const char *path, char separator, csv_fn fn, void *ctx,
                     struct err *err)
{
    struct stream *s;
    struct parser *p = NULL;
    const char *piece;
    size_t len;
    enum status status = OK;
    TRY(stream_open(&s, path, err));
    TRY_DONE(make_parser(&p, stream_name(s), separator, fn, ctx, err));
    do {
        TRY_DONE(stream_next(s, &piece, &len, err));
        TRY_DONE(feed(p, piece, len, err));
    } while (len > 0);
    status = finish(p, err);
done:
    if (p != NULL)
        free_parser(p);
    stream_close(s);
    return status;
}

#include "io/jsonl.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/stream.h"

enum layout {
    LAYOUT_UNKNOWN, // only blanks so far
    LAYOUT_LINES,
    LAYOUT_ARRAY,
    LAYOUT_ARRAY_END, // behind the array's ']'
};

struct walk {
    const char *name;
    size_t max; // bytes of a row
    jsonl_fn fn;
    jsonl_text_fn text_fn; // instead of fn, for rows that are not parsed
    jsonl_bad_fn bad;      // NULL: a bad row ends the walk
    void *ctx;
    bool *is_open; // or NULL: jsonl_read_text()
    enum layout layout;
    size_t offset;   // bytes seen while the layout is unknown
    size_t marked;   // of those, of a byte order mark in front
    size_t line;     // of the next byte
    size_t row_line; // where the row being gathered begins
    struct buf held; // of a row that goes on in the next piece
    size_t len;      // of the row, also past what is held
    /* inside an array */
    size_t depth; // open brackets below the array's own
    bool in_text, is_escaped;
    bool has_item; // something was seen since '[' or ','
    size_t items;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_all_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_blank(text[i]))
            return false;
    return true;
}

/* ---- rows --------------------------------------------------------------- */

/* Does a line end in the middle of an object or array? */
static bool goes_on(const char *text, size_t len)
{
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    return len > 0 && strchr("{[,:", text[len - 1]) != NULL;
}

static enum status parse_row(struct walk *w, const char *text, size_t len,
                             const char *place, struct err *err)
{
    if (len > w->max)
        return err_set(err, ERR_FORMAT, "%s: line of %zu bytes, limit %zu",
                       place, len, w->max);
    struct json *row = NULL;
    enum status status = OK;
    if (w->text_fn != NULL) {
        status = w->text_fn(w->ctx, text, len, w->row_line, err);
        if (status != OK)
            (void)err_context(err, "%s", place);
        return status;
    }
    status = json_parse(&row, text, len, place, err);
    if (status == ERR_FORMAT && w->layout == LAYOUT_LINES &&
        goes_on(text, len)) {
        struct err own = *err;
        return err_set(err, ERR_FORMAT,
                       "%s; a record is one JSON object on one line (JSON "
                       "Lines), this one goes on on the next",
                       own.text);
    }
    TRY(status);
    status = w->fn(w->ctx, row, w->row_line, err);
    if (status != OK)
        (void)err_context(err, "%s", place);
    json_free(row);
    return status;
}

static enum status take_row(struct walk *w, const char *text, size_t len,
                            struct err *err)
{
    char place[FILE_PATH_MAX];
    struct err own = {OK, ""};
    int n = snprintf(place, sizeof place, "%s:%zu", w->name, w->row_line);
    if (n < 0 || (size_t)n >= sizeof place)
        return err_set(err, ERR_LIMIT, "file name is too long: %.100s...",
                       w->name);
    enum status status = parse_row(w, text, len, place, &own);
    if (w->bad != NULL && (status == ERR_FORMAT || status == ERR_MISMATCH))
        status = w->bad(w->ctx, &own);
    if (status != OK && err != NULL)
        *err = own;
    return status;
}

/* Put a part of a row behind what is held; past the limit it is counted. */
static enum status hold(struct walk *w, const char *text, size_t len,
                        struct err *err)
{
    w->len += len;
    if (w->len > w->max) {
        buf_clear(&w->held);
        return OK;
    }
    buf_append(&w->held, text, len);
    return buf_status(&w->held, err);
}

/* The row ends with text[0..len). */
static enum status end_row(struct walk *w, const char *text, size_t len,
                           struct err *err)
{
    enum status status = OK;
    if (w->len > 0) {
        TRY(hold(w, text, len, err));
        text = buf_text(&w->held);
        len = w->len;
    }
    if (len > w->max || !is_all_blank(text, len))
        status = take_row(w, text, len, err);
    buf_clear(&w->held);
    w->len = 0;
    return status;
}

/* ---- layouts ------------------------------------------------------------ */

static enum status feed_lines(struct walk *w, const char *text, size_t len,
                              struct err *err)
{
    size_t at = 0;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        if (end == NULL)
            return hold(w, text + at, len - at, err);
        size_t n = (size_t)(end - (text + at));
        w->row_line = w->line;
        TRY(end_row(w, text + at, n, err));
        w->line++;
        at += n + 1;
    }
    return OK;
}

static enum status end_item(struct walk *w, const char *text, size_t len,
                            char closer, struct err *err)
{
    bool is_empty = closer == ']' && w->items == 0 && !w->has_item;
    if (!is_empty && !w->has_item)
        return err_set(err, ERR_FORMAT, "%s:%zu: a comma without an item",
                       w->name, w->line);
    if (!is_empty)
        TRY(end_row(w, text, len, err));
    w->items++;
    w->has_item = false;
    if (closer == ']')
        w->layout = LAYOUT_ARRAY_END;
    return OK;
}

/* Follow texts and brackets; true when c ends an item. */
static bool scan_item(struct walk *w, char c)
{
    if (w->in_text) {
        bool was_escaped = w->is_escaped;
        w->is_escaped = !was_escaped && c == '\\';
        w->in_text = was_escaped || c != '"';
        return false;
    }
    w->in_text = c == '"';
    if (c == '{' || c == '[')
        w->depth++;
    if (w->depth == 0)
        return c == ',' || c == ']';
    if (c == '}' || c == ']')
        w->depth--;
    return false;
}

static enum status feed_array(struct walk *w, const char *text, size_t len,
                              struct err *err)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        bool is_space = is_blank(text[i]) || text[i] == '\n';
        if (w->layout == LAYOUT_ARRAY_END && !is_space)
            return err_set(err, ERR_FORMAT,
                           "%s:%zu: something follows the array", w->name,
                           w->line);
        if (w->layout == LAYOUT_ARRAY && scan_item(w, text[i])) {
            TRY(end_item(w, text + from, i - from, text[i], err));
            from = i + 1;
        } else if (!w->has_item) {
            from = is_space ? i + 1 : i;
            w->has_item = !is_space;
            w->row_line = w->line;
        }
        w->line += text[i] == '\n';
    }
    return w->has_item ? hold(w, text + from, len - from, err) : OK;
}

static enum status feed(struct walk *w, const char *text, size_t len,
                        struct err *err)
{
    static const char mark[] = "\xEF\xBB\xBF"; // some editors leave it
    size_t at = 0;
    for (; w->layout == LAYOUT_UNKNOWN && at < len; at++, w->offset++) {
        char c = text[at];
        bool is_mark =
            w->offset == w->marked && w->offset < 3 && c == mark[w->offset];
        if (is_mark)
            w->marked++;
        else if (c == '\n')
            w->line++;
        else if (!is_blank(c))
            break;
    }
    if (at == len)
        return OK;
    /* A part of a mark is not a mark. */
    if (w->layout == LAYOUT_UNKNOWN && w->marked % 3 != 0) {
        w->layout = LAYOUT_LINES;
        TRY(hold(w, mark, w->marked, err));
    }
    if (w->layout == LAYOUT_UNKNOWN) {
        w->layout = text[at] == '[' ? LAYOUT_ARRAY : LAYOUT_LINES;
        at += w->layout == LAYOUT_ARRAY;
    }
    return w->layout == LAYOUT_LINES ? feed_lines(w, text + at, len - at, err)
                                     : feed_array(w, text + at, len - at, err);
}

static enum status finish(struct walk *w, struct err *err)
{
    if (w->layout == LAYOUT_ARRAY)
        return err_set(err, ERR_FORMAT, "%s:%zu: the array is not closed",
                       w->name, w->line);
    if (w->is_open != NULL)
        *w->is_open = w->layout == LAYOUT_LINES && w->len > 0;
    w->row_line = w->line;
    return w->len > 0 ? end_row(w, "", 0, err) : OK;
}

/* ---- entrances ---------------------------------------------------------- */

static void walk_init(struct walk *w, const char *name, size_t max, void *ctx)
{
    *w = (struct walk){.name = name, .max = max, .ctx = ctx, .line = 1};
    buf_init(&w->held, max);
}

enum status jsonl_parse_lenient(const char *text, size_t len, const char *name,
                                jsonl_fn fn, jsonl_bad_fn bad, void *ctx,
                                struct err *err)
{
    struct walk w;
    walk_init(&w, name, JSONL_LINE_MAX, ctx);
    w.fn = fn;
    w.bad = bad;
    enum status status = feed(&w, text, len, err);
    if (status == OK)
        status = finish(&w, err);
    buf_free(&w.held);
    return status;
}

enum status jsonl_parse(const char *text, size_t len, const char *name,
                        jsonl_fn fn, void *ctx, struct err *err)
{
    return jsonl_parse_lenient(text, len, name, fn, NULL, ctx, err);
}

/* All of an open stream, which is closed. */
static enum status walk_stream(struct walk *w, struct stream *s,
                               struct err *err)
{
    const char *piece;
    size_t len;
    enum status status = OK;
    do {
        TRY_DONE(stream_next(s, &piece, &len, err));
        TRY_DONE(feed(w, piece, len, err));
    } while (len > 0);
    status = finish(w, err);
done:
    buf_free(&w->held);
    stream_close(s);
    return status;
}

enum status jsonl_read_lenient(const char *path, jsonl_fn fn, jsonl_bad_fn bad,
                               void *ctx, struct err *err)
{
    struct stream *s;
    struct walk w;
    TRY(stream_open(&s, path, err));
    walk_init(&w, stream_name(s), JSONL_LINE_MAX, ctx);
    w.fn = fn;
    w.bad = bad;
    return walk_stream(&w, s, err);
}

enum status jsonl_read_text(const char *path, size_t max, jsonl_text_fn fn,
                            bool *is_open, void *ctx, struct err *err)
{
    struct stream *s;
    struct walk w;
    TRY(stream_open(&s, path, err));
    walk_init(&w, stream_name(s), max, ctx);
    w.text_fn = fn;
    w.is_open = is_open;
    if (is_open != NULL)
        *is_open = false;
    return walk_stream(&w, s, err);
}

enum status jsonl_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err)
{
    return jsonl_read_lenient(path, fn, NULL, ctx, err);
}

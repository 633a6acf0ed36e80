#include "io/lines.h"

#include <stdbool.h>
#include <string.h>

static const char MARK[] = "\xEF\xBB\xBF"; // some editors leave it

enum status lines_open(struct lines *l, const char *path, size_t max,
                       struct err *err)
{
    struct stream *s;
    TRY(stream_open(&s, path, err));
    lines_init(l, s, max);
    return OK;
}

void lines_init(struct lines *l, struct stream *s, size_t max)
{
    *l = (struct lines){.stream = s};
    buf_init(&l->held, max);
}

void lines_close(struct lines *l)
{
    stream_close(l->stream);
    buf_free(&l->held);
    *l = (struct lines){.stream = NULL};
}

static enum status hold(struct lines *l, const char *text, size_t len,
                        struct err *err)
{
    buf_append(&l->held, text, len);
    if (l->held.code == ERR_LIMIT)
        return err_set(err, ERR_FORMAT, "%s:%zu: line of more than %zu bytes",
                       stream_name(l->stream), l->number, l->held.max);
    return buf_status(&l->held, err);
}

/* A line, blank or not; one that lies in a piece is given out of it. */
static enum status next_line(struct lines *l, const char **text, size_t *len,
                             struct err *err)
{
    bool is_held = false;
    buf_clear(&l->held);
    l->number++;
    for (;;) {
        size_t rest = l->len - l->at;
        const char *from = rest > 0 ? l->piece + l->at : "";
        const char *end = memchr(from, '\n', rest);
        size_t n = end != NULL ? (size_t)(end - from) : rest;
        l->at += n + (end != NULL);
        if (end != NULL && !is_held && n <= l->held.max) {
            *text = from;
            *len = n;
            return OK;
        }
        TRY(hold(l, from, n, err));
        is_held = is_held || n > 0;
        if (end != NULL)
            break;
        TRY(stream_next(l->stream, &l->piece, &l->len, err));
        l->at = 0;
        if (l->len == 0)
            break;
    }
    *text = is_held ? buf_text(&l->held) : NULL;
    *len = l->held.len;
    return OK;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

enum status lines_next(struct lines *l, const char **text, size_t *len,
                       struct err *err)
{
    const char *line;
    size_t n;
    do {
        TRY(next_line(l, &line, &n, err));
        if (line != NULL && l->number == 1 && n >= 3 &&
            memcmp(line, MARK, 3) == 0) {
            line += 3;
            n -= 3;
        }
    } while (line != NULL && is_blank(line, n));
    *text = line;
    *len = n;
    return OK;
}

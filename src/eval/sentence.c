#include "eval/sentence.h"

#include <string.h>

#include "base/mem.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_mark(char c)
{
    return c == '.' || c == '?' || c == '!';
}

static bool is_closer(char c)
{
    return c == '"' || c == '\'' || c == ')' || c == ']';
}

/* Are there only digits between the last end of a line and the mark at `at`?
 * Then it belongs to an item's number. */
static bool is_numbering(const char *text, size_t at)
{
    size_t i = at;
    while (i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9')
        i--;
    if (i == at)
        return false;
    while (i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t'))
        i--;
    return i == 0 || text[i - 1] == '\n';
}

/* Does a sentence end at `at`?  Then *end is behind its marks. */
static bool ends_here(size_t *end, bool *is_closed, const char *text,
                      size_t len, size_t at)
{
    *end = at;
    *is_closed = false;
    if (text[at] == '\n')
        return true;
    if (!is_mark(text[at]) || is_numbering(text, at))
        return false;
    while (*end < len && is_mark(text[*end]))
        ++*end;
    while (*end < len && is_closer(text[*end]))
        ++*end;
    *is_closed = true;
    return *end == len || is_blank(text[*end]);
}

/* The first sentence of a text that is not only white space. */
static struct sentence first(const char *text, size_t len)
{
    struct sentence s = {.text = text};
    size_t at = 0;
    while (is_blank(text[at]))
        at++;
    for (s.core = len; at < len; at++) {
        if (ends_here(&s.core, &s.is_closed, text, len, at))
            break;
        s.core = len;
        s.is_closed = false;
    }
    while (is_blank(text[s.core - 1]))
        s.core--;
    s.len = s.core;
    while (s.len < len && is_blank(text[s.len]))
        s.len++;
    return s;
}

enum status sentence_cut(struct sentence **out, size_t *n, const char *text,
                         size_t len, struct err *err)
{
    struct sentence *s;
    size_t most = 1, count = 0;
    bool is_empty = true;
    for (size_t i = 0; i < len; i++) {
        most += is_mark(text[i]) || text[i] == '\n';
        is_empty = is_empty && is_blank(text[i]);
    }
    TRY(MEM_NEW(s, most, err));
    for (size_t at = 0; !is_empty && at < len; count++) {
        s[count] = first(text + at, len - at);
        at += s[count].len;
    }
    *out = s;
    *n = count;
    return OK;
}

bool sentence_is(const struct sentence *s, const char *text)
{
    return strlen(text) == s->core && memcmp(s->text, text, s->core) == 0;
}

bool sentence_same(const struct sentence *a, const struct sentence *b)
{
    return a->core == b->core && memcmp(a->text, b->text, a->core) == 0;
}

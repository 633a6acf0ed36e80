#include "world/words.h"

#include <string.h>

/* What a byte begins, in ASCII whatever the locale says. */
static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_lower(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the UTF-8 sequence at p, 1 when it is none. */
static size_t sequence_length(const char *p, const char *end)
{
    unsigned char lead = (unsigned char)*p;
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if ((size_t)(end - p) < want)
        return 1;
    for (size_t i = 1; i < want; i++)
        if (((unsigned char)p[i] & 0xc0) != 0x80)
            return 1;
    return want;
}

bool words_next(struct word *out, const char **at, const char *end)
{
    const char *p = *at;
    while (p < end && is_space((unsigned char)*p))
        p++;
    if (p == end) {
        *at = end;
        return false;
    }
    out->text = p;
    if (is_lower((unsigned char)*p)) {
        while (p < end && is_lower((unsigned char)*p))
            p++;
    } else if (is_digit((unsigned char)*p)) {
        while (p < end && is_digit((unsigned char)*p))
            p++;
    } else {
        p += sequence_length(p, end);
    }
    out->len = (size_t)(p - out->text);
    *at = p;
    return true;
}

size_t words_count(const char *text, size_t len)
{
    const char *at = text;
    struct word w;
    size_t n = 0;
    while (words_next(&w, &at, text + len))
        n++;
    return n;
}

bool words_equal(struct word a, struct word b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

bool words_is(struct word a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.text, text, a.len) == 0;
}

static void write_slot(struct buf *out, struct word w,
                       const struct words_slots *s)
{
    if (words_is(w, "<ord>"))
        buf_printf(out, "#%c%c", s->letter, s->digit);
    else if (words_is(w, "<prod>"))
        buf_puts(out, s->product);
    else if (words_is(w, "<amt>"))
        buf_printf(out, "$%s", s->amount);
    else if (words_is(w, "<n>"))
        buf_printf(out, "%02d", s->number);
    else if (words_is(w, "<st>"))
        buf_puts(out, s->status);
    else
        buf_append(out, w.text, w.len);
}

void words_write(struct buf *out, size_t start, const char *sentence,
                 const struct words_slots *slots)
{
    const char *p = sentence;
    while (*p != '\0') {
        struct word w = {p, strcspn(p, " ")};
        bool is_stop = w.len == 1 && strchr(".,?!", *p) != NULL;
        if (out->len > start && !is_stop)
            buf_putc(out, ' ');
        write_slot(out, w, slots);
        p += w.len;
        p += strspn(p, " ");
    }
}

bool words_has(const char *sentence, const char *placeholder)
{
    return strstr(sentence, placeholder) != NULL;
}

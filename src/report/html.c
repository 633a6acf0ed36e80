#include "report/html.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

void html_init(struct html *h, struct buf *out)
{
    *h = (struct html){.out = out};
}

/* What stands for a character, or NULL when it may stand for itself. */
static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
        return NULL;
    default:
        return c < 0x20 || c == 0x7F ? REPLACEMENT : NULL;
    }
}

void html_text_len(struct html *h, const char *text, size_t len)
{
    size_t from = 0;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i, NULL);
        const char *instead =
            n == 0 ? REPLACEMENT : entity((unsigned char)text[i]);
        if (instead != NULL) {
            buf_append(h->out, text + from, i - from);
            buf_puts(h->out, instead);
            from = i + 1;
        }
        i += n > 0 ? n : 1;
    }
    buf_append(h->out, text + from, len - from);
}

void html_text(struct html *h, const char *text)
{
    if (text != NULL)
        html_text_len(h, text, strlen(text));
}

void html_printf(struct html *h, const char *fmt, ...)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    if (text.code != OK && h->out->code == OK)
        h->out->code = text.code;
    html_text_len(h, buf_text(&text), text.len);
    buf_free(&text);
}

static void tag(struct html *h, const char *name, va_list args)
{
    buf_putc(h->out, '<');
    buf_puts(h->out, name);
    for (;;) {
        const char *key = va_arg(args, const char *);
        if (key == NULL)
            break;
        const char *value = va_arg(args, const char *);
        if (value == NULL)
            continue;
        buf_putc(h->out, ' ');
        buf_puts(h->out, key);
        buf_puts(h->out, "=\"");
        html_text(h, value);
        buf_putc(h->out, '"');
    }
}

void html_open(struct html *h, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    tag(h, name, args);
    va_end(args);
    buf_putc(h->out, '>');
    h->depth++;
}

/* Elements after which a line break changes nothing a reader sees. */
static int is_block(const char *name)
{
    static const char *const block[] = {
        "article", "body",       "caption", "dd",      "div",   "dl",
        "dt",      "figcaption", "figure",  "footer",  "g",     "h1",
        "h2",      "h3",         "head",    "header",  "html",  "li",
        "main",    "ol",         "p",       "section", "style", "svg",
        "table",   "tbody",      "thead",   "title",   "tr",    "ul"};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        if (strcmp(block[i], name) == 0)
            return 1;
    return 0;
}

void html_close(struct html *h, const char *name)
{
    assert(h->depth > 0);
    h->depth--;
    buf_puts(h->out, "</");
    buf_puts(h->out, name);
    buf_puts(h->out, is_block(name) ? ">\n" : ">");
}

void html_void(struct html *h, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    tag(h, name, args);
    va_end(args);
    buf_puts(h->out, "/>");
}

void html_element(struct html *h, const char *name, const char *class_name,
                  const char *text)
{
    html_open(h, name, "class", class_name, NULL);
    html_text(h, text);
    html_close(h, name);
}

void html_raw(struct html *h, const char *markup)
{
    buf_puts(h->out, markup);
}

/*
 * html.h - writing HTML and inline SVG, escaping by default.
 *
 *     struct html h;
 *     html_init(&h, &buf);
 *     html_open(&h, "p", "class", "note", NULL);
 *     html_text(&h, reply);          // <script> comes out as &lt;script&gt;
 *     html_close(&h, "p");
 *
 * Text and attribute values from anywhere may be passed: the characters that
 * mean something in HTML are replaced by entities, control characters and
 * bytes that are not UTF-8 by U+FFFD.  Only html_raw() writes what it is
 * given.  Element and attribute names are our own constants.
 *
 * Attributes follow the element's name as pairs of strings, ended by NULL; a
 * pair whose value is NULL is left out.  Failures stick to the buffer.
 */
#ifndef PLUMB_REPORT_HTML_H
#define PLUMB_REPORT_HTML_H

#include <stddef.h>

#include "base/buf.h"

#if defined(__GNUC__)
#define HTML_ENDED __attribute__((sentinel))
#else
#define HTML_ENDED
#endif

struct html {
    struct buf *out;
    int depth; // open elements, to notice a forgotten one
};

void html_init(struct html *h, struct buf *out);

/* <name a="..." ...> */
void html_open(struct html *h, const char *name, ...) HTML_ENDED;
void html_close(struct html *h, const char *name);
/* <name a="..." .../>: elements without content */
void html_void(struct html *h, const char *name, ...) HTML_ENDED;

/* Text, escaped; NULL writes nothing. */
void html_text(struct html *h, const char *text);
void html_text_len(struct html *h, const char *text, size_t len);
void html_printf(struct html *h, const char *fmt, ...) ERR_PRINTF(2, 3);

/* <name class="...">text</name>; the class may be NULL. */
void html_element(struct html *h, const char *name, const char *class_name,
                  const char *text);

/* Markup of ours, unchanged. */
void html_raw(struct html *h, const char *markup);

#endif

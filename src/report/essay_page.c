#include "report/essay_page.h"

#include <stdio.h>
#include <string.h>

#include "report/essay_figures.h"

/* ---- HTML --------------------------------------------------------------- */

/* A command may break between its words, but not behind the hyphens that begin
 * one. */
static void put_code(struct html *h, const char *text, size_t len)
{
    const char *end = text + len;
    html_open(h, "code", NULL);
    while (text < end) {
        const char *gap = memchr(text, ' ', (size_t)(end - text));
        size_t word = (size_t)((gap != NULL ? gap + 1 : end) - text);
        if (*text == '-')
            html_open(h, "span", NULL);
        html_text_len(h, text, gap != NULL ? word - 1 : word);
        if (*text == '-')
            html_close(h, "span");
        if (gap != NULL)
            html_text(h, " ");
        text += word;
    }
    html_close(h, "code");
}

/* Text with `code` between backticks. */
static void put_html(struct html *h, const char *text, size_t len)
{
    const char *end = text + len;
    while (text < end) {
        const char *tick = memchr(text, '`', (size_t)(end - text));
        const char *stop = tick != NULL
                               ? memchr(tick + 1, '`', (size_t)(end - tick - 1))
                               : NULL;
        html_text_len(h, text, (size_t)((stop != NULL ? tick : end) - text));
        if (stop == NULL)
            return;
        put_code(h, tick + 1, (size_t)(stop - tick - 1));
        text = stop + 1;
    }
}

/* A number as a link to its row. */
static void put_number(struct html *h, const struct essay_piece *p)
{
    char anchor[64], note[512];
    size_t row = 0;
    while (row < p->ref_len && p->ref[row] != '.')
        row++;
    (void)snprintf(anchor, sizeof anchor, "#row-%.*s", (int)row, p->ref);
    (void)snprintf(note, sizeof note, "%.*s", (int)p->note_len, p->note);
    html_open(h, "a", "class", "num", "href", anchor, "title", note, NULL);
    html_text_len(h, p->text, p->text_len);
    html_close(h, "a");
}

static void put_sentence(struct html *h, const struct essay *y,
                         const struct essay_sentence *s)
{
    struct essay_piece p;
    size_t at = 0;
    while (essay_next(&p, y, s, &at)) {
        if (p.ref != NULL)
            put_number(h, &p);
        else
            put_html(h, p.text, p.text_len);
    }
}

static void put_paragraph(struct html *h, const struct essay *y,
                          const struct essay_paragraph *p, bool is_first)
{
    html_open(h, "p", "class", is_first ? "stand" : NULL, NULL);
    for (size_t i = p->first; i < p->first + p->n; i++) {
        if (i > p->first)
            html_text(h, " ");
        put_sentence(h, y, &y->sentence[i]);
    }
    html_close(h, "p");
}

enum status essay_page_html(struct html *h, const struct essay *y,
                            const struct inputs *in, struct err *err)
{
    html_open(h, "article", "class", "essay", "id", "essay", NULL);
    html_element(h, "h1", NULL, y->title);
    for (size_t i = 0; i < y->n_paragraphs;) {
        const struct essay_paragraph *p = &y->paragraph[i];
        bool has_figure = essay_figures_any(p->figures, y, in);
        html_open(h, "section", "class", has_figure ? "part two" : "part",
                  NULL);
        html_open(h, "div", "class", "prose", NULL);
        if (p->title != NULL)
            html_element(h, "h2", NULL, p->title);
        bool is_first = i == 0 && p->title == NULL;
        unsigned figures = p->figures;
        do
            put_paragraph(h, y, &y->paragraph[i++], is_first);
        while (i < y->n_paragraphs && y->paragraph[i].title == NULL);
        html_close(h, "div");
        if (has_figure) {
            html_open(h, "div", "class", "beside", NULL);
            TRY(essay_figures_draw(h, figures, y, in, err));
            html_close(h, "div");
        }
        html_close(h, "section");
    }
    html_close(h, "article");
    return OK;
}

/* ---- Markdown ----------------------------------------------------------- */

/* Characters that mean something are escaped, but not inside `code`. */
static void put_markdown(struct buf *out, const char *text, size_t len)
{
    bool is_code = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        is_code = is_code != (c == '`');
        if (!is_code && c == '<')
            buf_puts(out, "&lt;");
        else if (!is_code && c == '&')
            buf_puts(out, "&amp;");
        else {
            if (!is_code && strchr("*_[]|\\", c) != NULL)
                buf_putc(out, '\\');
            buf_putc(out, c);
        }
    }
}

/* Was a note with this label written among the pieces before sentence s, or
 * before byte `before` in it? */
static bool is_noted(const struct essay *y, const struct essay_piece *p,
                     size_t s, size_t before)
{
    for (size_t i = 0; i <= s; i++) {
        struct essay_piece q;
        size_t at = 0;
        while ((i < s || at < before) &&
               essay_next(&q, y, &y->sentence[i], &at))
            if (q.ref != NULL && q.ref_len == p->ref_len &&
                memcmp(q.ref, p->ref, p->ref_len) == 0)
                return true;
    }
    return false;
}

/* The notes of a paragraph, below it. */
static void put_notes(struct buf *out, const struct essay *y,
                      const struct essay_paragraph *p)
{
    for (size_t s = p->first; s < p->first + p->n; s++) {
        struct essay_piece q;
        size_t at = 0, before = 0;
        while (essay_next(&q, y, &y->sentence[s], &at)) {
            if (q.ref != NULL && !is_noted(y, &q, s, before)) {
                buf_printf(out, "[^%.*s]: ", (int)q.ref_len, q.ref);
                put_markdown(out, q.note, q.note_len);
                buf_puts(out, ".\n");
            }
            before = at;
        }
    }
}

void essay_page_markdown(struct buf *out, const struct essay *y)
{
    buf_puts(out, "# ");
    put_markdown(out, y->title, strlen(y->title));
    buf_puts(out, "\n\n");
    for (size_t i = 0; i < y->n_paragraphs; i++) {
        const struct essay_paragraph *p = &y->paragraph[i];
        if (p->title != NULL)
            buf_printf(out, "## %s\n\n", p->title);
        for (size_t s = p->first; s < p->first + p->n; s++) {
            struct essay_piece q;
            size_t at = 0;
            if (s > p->first)
                buf_putc(out, '\n');
            while (essay_next(&q, y, &y->sentence[s], &at)) {
                put_markdown(out, q.text, q.text_len);
                if (q.ref != NULL)
                    buf_printf(out, "[^%.*s]", (int)q.ref_len, q.ref);
            }
        }
        buf_puts(out, "\n\n");
    }
    for (size_t i = 0; i < y->n_paragraphs; i++)
        put_notes(out, y, &y->paragraph[i]);
}

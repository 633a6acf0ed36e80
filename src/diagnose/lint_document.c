#include <string.h>

#include "diagnose/lint.h"

#define WIDTH 79
#define INDENT 10

static void finding_json(struct json_writer *w, const struct lint_finding *f)
{
    json_open(w, '{');
    json_field_text(w, "id", f->id);
    json_field_text(w, "severity", lint_severity_name(f->severity));
    json_field_text(w, "key", f->key);
    json_field_text(w, "value", f->value);
    json_put_key(w, "line");
    if (f->line > 0)
        json_put_int(w, (int64_t)f->line);
    else
        json_put_null(w);
    json_field_text(w, "why", f->why);
    json_field_text(w, "evidence", f->evidence);
    json_field_text(w, "fix", f->fix);
    json_close(w, '}');
}

void lint_document(struct json_writer *w, const struct lint *l,
                   const char *name)
{
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.lint/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_text(w, "file", name);
    json_field_text(w, "trainer", lint_trainer_id(l->trainer));
    json_field_text(w, "assumed", lint_assumed(l->trainer));
    json_put_key(w, "findings");
    json_open(w, '[');
    for (size_t i = 0; i < l->n; i++)
        finding_json(w, &l->finding[i]);
    json_close(w, ']');
    json_close(w, '}');
}

/* Bytes of a file must not steer a terminal. */
static void put_visible(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 32 || c == 127)
            buf_putc(out, '?');
        else
            buf_putc(out, text[i]);
    }
}

/* Words in lines of WIDTH, the first behind `head`. */
static void wrap(struct buf *out, const char *head, const char *text)
{
    buf_printf(out, "%*s%s", INDENT, "", head);
    size_t at = INDENT + strlen(head);
    size_t start = at;
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (at > start && at + 1 + n > WIDTH) {
            buf_printf(out, "\n%*s", INDENT, "");
            at = start = INDENT;
        } else if (at > start) {
            buf_putc(out, ' ');
            at++;
        }
        put_visible(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    buf_putc(out, '\n');
}

static void finding_text(struct buf *out, const struct lint_finding *f)
{
    buf_printf(out, "\n%-*s%s", INDENT, lint_severity_name(f->severity), f->id);
    if (*f->key != '\0') {
        buf_puts(out, "  ");
        put_visible(out, f->key, strlen(f->key));
        buf_puts(out, " = ");
        const char *value = f->value != NULL ? f->value : "none";
        put_visible(out, value, strlen(value));
        if (f->line > 0)
            buf_printf(out, " (line %zu)", f->line);
        else
            buf_puts(out, " (default)");
    }
    buf_putc(out, '\n');
    wrap(out, "", f->why);
    if (*f->evidence != '\0')
        wrap(out, "evidence: ", f->evidence);
    if (*f->fix != '\0')
        wrap(out, "fix: ", f->fix);
}

static void count(struct buf *out, const struct lint *l,
                  enum lint_severity severity, const char *end)
{
    size_t n = lint_count(l, severity);
    buf_printf(out, "%zu %s%s%s", n, lint_severity_name(severity),
               n == 1 ? "" : "s", end);
}

void lint_text(struct buf *out, const struct lint *l, const char *name)
{
    put_visible(out, name, strlen(name));
    buf_printf(out, ": %s; defaults of %s where nothing is set\n",
               lint_trainer_name(l->trainer), lint_assumed(l->trainer));
    for (size_t i = 0; i < l->n; i++)
        finding_text(out, &l->finding[i]);
    buf_putc(out, '\n');
    count(out, l, LINT_ERROR, ", ");
    count(out, l, LINT_WARNING, ", ");
    count(out, l, LINT_NOTE, "\n");
}

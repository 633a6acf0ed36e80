#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/essay_internal.h"

#define MINUS "\xE2\x88\x92"
#define POINTS "percentage points"
#define GLUE "\xC2\xA0" // a space that keeps number and unit on one line

struct essay_clean essay_clean(const char *text)
{
    struct essay_clean out;
    (void)snprintf(out.text, sizeof out.text, "%s", text != NULL ? text : "");
    for (char *c = out.text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
        else if (*c == '`')
            *c = '\'';
    return out;
}

struct essay_clean essay_clause(const char *text)
{
    struct essay_clean out = essay_clean(text);
    size_t len = strlen(out.text);
    while (len > 0 && (out.text[len - 1] == '.' || out.text[len - 1] == ' '))
        out.text[--len] = '\0';
    return out;
}

/* Decimals that leave three significant digits, at most 4. */
static int decimals_of(double size)
{
    if (size >= 99.5)
        return 0;
    if (size >= 9.95)
        return 1;
    if (size >= 0.0995)
        return 2;
    return size >= 0.00995 ? 3 : 4;
}

/* One number, without unit; whole ones are shown whole. */
static void put(char out[32], double x, bool is_signed)
{
    const char *sign = x < 0 ? MINUS : is_signed ? "+" : "";
    double size = fabs(x);
    int decimals = decimals_of(size);
    if (size == floor(size) && size < 1e7)
        decimals = 0;
    else if (size < 0.0005 && size >= 1e-7)
        decimals = (int)ceil(-log10(size)) + 1;
    if (size != 0 && (size < 1e-7 || size >= 1e7))
        (void)snprintf(out, 32, "%s%.1e", sign, size);
    else
        (void)snprintf(out, 32, "%s%.*f", sign, decimals, size);
}

/* Hundredths: whole from 1 on, so that 56 % is not 55.9 %. */
static void put_percent(char out[32], double x)
{
    double v = 100 * x;
    const char *sign = v < 0 ? MINUS : "";
    int decimals = fabs(v) >= 0.95 || v == 0 ? 0 : fabs(v) >= 0.095 ? 1 : 2;
    (void)snprintf(out, 32, "%s%.*f", sign, decimals, fabs(v));
}

static void put_interval(char out[ESSAY_SHOWN_MAX], const struct estimate *e,
                         bool is_percent, const char *unit)
{
    char x[32], low[32], high[32];
    if (is_percent) {
        put_percent(x, e->estimate);
        put_percent(low, e->low);
        put_percent(high, e->high);
    } else {
        put(x, e->estimate, false);
        put(low, e->low, false);
        put(high, e->high, false);
    }
    if (isfinite(e->low) && isfinite(e->high))
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s [%s, %s]%s", x, low, high,
                       unit);
    else
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s%s", x, unit);
}

void essay_show(char out[ESSAY_SHOWN_MAX], const struct estimate *e,
                enum essay_form form)
{
    char x[32];
    out[0] = '\0';
    if (!isfinite(e->estimate))
        return;
    switch (form) {
    case FORM_PLAIN:
    case FORM_SIZE:
    case FORM_SIGNED:
        put(x, form == FORM_SIZE ? fabs(e->estimate) : e->estimate,
            form == FORM_SIGNED);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s", x);
        break;
    case FORM_PERCENT:
        put_percent(x, e->estimate);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s" GLUE "%%", x);
        break;
    case FORM_POINTS:
        /* A decimal, since the two rates beside it are rounded each. */
        (void)snprintf(x, sizeof x, "%s%.1f", e->estimate < 0 ? MINUS : "",
                       fabs(100 * e->estimate));
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s" GLUE POINTS, x);
        break;
    case FORM_SIGNED_POINTS:
        put_percent(x, e->estimate);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s%s" GLUE POINTS,
                       e->estimate > 0 ? "+" : "", x);
        break;
    case FORM_SIGNED_NATS:
        put(x, e->estimate, true);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s" GLUE "nats", x);
        break;
    case FORM_TIMES:
        put(x, e->estimate, false);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s" GLUE "times", x);
        break;
    case FORM_NATS:
        put(x, e->estimate, false);
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%s" GLUE "nats", x);
        break;
    case FORM_COUNT:
        (void)snprintf(out, ESSAY_SHOWN_MAX, "%.0f", e->estimate);
        break;
    case FORM_INTERVAL:
        put_interval(out, e, false, "");
        break;
    case FORM_INTERVAL_POINTS:
        put_interval(out, e, true, GLUE POINTS);
        break;
    case FORM_INTERVAL_PERCENT:
        put_interval(out, e, true, GLUE "%");
        break;
    }
}

static struct essay_mark mark(struct essay *y, const char *ref,
                              const char *note, const struct estimate *e,
                              enum essay_form form)
{
    struct essay_mark out;
    char shown[ESSAY_SHOWN_MAX];
    essay_show(shown, e, form);
    if (shown[0] == '\0')
        y->has_hole = true;
    (void)snprintf(out.text, sizeof out.text, "\1%.48s\2%.470s\2%s\3", ref,
                   note, shown);
    return out;
}

/* "1.95 [1.88, 2.02] UNIT; n = 256": the numbers of a note. */
static void put_numbers(char out[240], const struct estimate *e,
                        const char *unit)
{
    char x[ESSAY_SHOWN_MAX];
    essay_show(x, e, FORM_INTERVAL);
    int len =
        snprintf(out, 240, "%s%s%.70s", x, unit[0] != '\0' ? " " : "", unit);
    if (e->n > 0 && len > 0 && len < 200)
        (void)snprintf(out + len, 240 - (size_t)len, "; n = %zu", e->n);
}

/* Everything that is known of a row or a detail, for a note. */
static void put_note(char out[ESSAY_NOTE_MAX], const char *ref,
                     const struct essay_source *s)
{
    const struct finding *f = s->row;
    char numbers[240], p[48] = "";
    put_numbers(numbers, &s->e, s->is_detail ? "" : f->unit);
    if (!s->is_detail && isfinite(f->p_holm)) {
        if (f->p_holm < 1e-12)
            (void)snprintf(p, sizeof p, "; p < 1e-12 (Holm)");
        else
            (void)snprintf(p, sizeof p, "; p = %.2g (Holm)", f->p_holm);
    }
    (void)snprintf(out, ESSAY_NOTE_MAX, "%s, %s: %s%s; from %.120s", ref,
                   f->claim, numbers, p, essay_clean(f->data).text);
}

struct essay_mark essay_stat(struct essay *y, const char *ref,
                             enum essay_form form)
{
    struct essay_source s = essay_find(y, ref);
    char note[ESSAY_NOTE_MAX] = "";
    if (s.row != NULL)
        put_note(note, ref, &s);
    return mark(y, ref, note, &s.e, form);
}

struct essay_mark essay_value(struct essay *y, const char *ref,
                              const char *what, const struct estimate *e,
                              enum essay_form form)
{
    char numbers[240], note[ESSAY_NOTE_MAX];
    put_numbers(numbers, e, "");
    (void)snprintf(note, sizeof note, "%.220s: %.200s", essay_clean(what).text,
                   numbers);
    return mark(y, ref, note, e, form);
}

/* Where a number begins: a digit that no word leads up to. */
static bool is_number(const char *text, const char *at)
{
    bool is_digit = *at >= '0' && *at <= '9';
    if (!is_digit || at == text)
        return is_digit;
    char before = at[-1];
    bool is_letter = (before >= 'a' && before <= 'z') ||
                     (before >= 'A' && before <= 'Z') || before == '_';
    return !is_letter && !(before == '-' && at - text > 1 && at[-2] > ' ');
}

/* Its length, sign and exponent included, but no full stop. */
static size_t number_length(const char *at)
{
    size_t n = strspn(at, "0123456789");
    while ((at[n] == '.' || at[n] == ',') && at[n + 1] >= '0' &&
           at[n + 1] <= '9')
        n += 1 + strspn(at + n + 1, "0123456789");
    if (at[n] == 'e' && (at[n + 1] == '+' || at[n + 1] == '-') &&
        at[n + 2] >= '0' && at[n + 2] <= '9')
        n += 2 + strspn(at + n + 2, "0123456789");
    return n;
}

struct essay_quoted essay_quote(struct essay *y, const char *ref,
                                const char *text)
{
    struct essay_quoted out;
    struct essay_clean clean = essay_clause(text);
    struct essay_source s = essay_find(y, ref);
    char note[ESSAY_NOTE_MAX];
    struct buf b;
    (void)snprintf(note, sizeof note, "%s", ref);
    if (s.row != NULL)
        put_note(note, ref, &s);
    buf_init(&b, sizeof out.text - 1);
    for (const char *p = clean.text; *p != '\0';) {
        if (!is_number(clean.text, p)) {
            buf_putc(&b, *p++);
            continue;
        }
        size_t n = number_length(p);
        buf_printf(&b, "\1%.40s\2%.240s\2%.*s\3", ref, note, (int)n, p);
        p += n;
    }
    /* Cut inside a mark would be no text any more. */
    (void)snprintf(out.text, sizeof out.text, "%s",
                   b.code == OK ? buf_text(&b) : "");
    if (b.code != OK)
        y->has_hole = true;
    buf_free(&b);
    return out;
}

const char *essay_begin(struct essay_quoted *q)
{
    char *c = q->text;
    if (*c >= 'a' && *c <= 'z')
        *c = (char)(*c - 'a' + 'A');
    return q->text;
}

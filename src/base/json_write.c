#include "base/json.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define DEPTH_MAX 32

void json_writer_init(struct json_writer *w, struct buf *out, bool pretty)
{
    *w = (struct json_writer){.out = out, .pretty = pretty};
    w->empty[0] = true;
}

static void line_break(struct json_writer *w)
{
    buf_putc(w->out, '\n');
    for (int i = 0; i < w->depth; i++)
        buf_puts(w->out, "  ");
}

/* What stands before a value or a key: nothing after a key, a comma and a
 * line break between items. */
static void separate(struct json_writer *w)
{
    if (w->is_value) {
        w->is_value = false;
        return;
    }
    if (w->depth == 0)
        return;
    if (!w->empty[w->depth])
        buf_putc(w->out, ',');
    w->empty[w->depth] = false;
    if (w->pretty)
        line_break(w);
}

void json_open(struct json_writer *w, char bracket)
{
    assert(w->depth < DEPTH_MAX);
    separate(w);
    buf_putc(w->out, bracket);
    w->depth++;
    w->empty[w->depth] = true;
}

void json_close(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->is_value);
    bool was_empty = w->empty[w->depth];
    w->depth--;
    if (w->pretty && !was_empty)
        line_break(w);
    buf_putc(w->out, bracket);
}

/* ---- strings ------------------------------------------------------------ */

static void escape(struct buf *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c != 0 ? strchr(from, c) : NULL;
    if (at != NULL) {
        buf_putc(out, '\\');
        buf_putc(out, to[at - from]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

static void put_string(struct buf *out, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    buf_putc(out, '"');
    size_t start = 0, i = 0; // start: first byte not yet appended
    while (i < len) {
        if (s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\') {
            i++;
            continue;
        }
        size_t bad;
        size_t n = utf8_length(text + i, len - i, &bad);
        if (n > 1) {
            i += n;
            continue;
        }
        buf_append(out, s + start, i - start);
        if (n == 1) {
            escape(out, s[i]);
            i++;
        } else {
            buf_puts(out, "\xEF\xBF\xBD");
            i += bad;
        }
        start = i;
    }
    buf_append(out, s + start, len - start);
    buf_putc(out, '"');
}

void json_put_key(struct json_writer *w, const char *key)
{
    assert(!w->is_value);
    separate(w);
    put_string(w->out, key, strlen(key));
    buf_puts(w->out, w->pretty ? ": " : ":");
    w->is_value = true;
}

void json_put_text(struct json_writer *w, const char *text)
{
    if (text == NULL)
        json_put_null(w);
    else
        json_put_text_len(w, text, strlen(text));
}

void json_put_text_len(struct json_writer *w, const char *text, size_t len)
{
    separate(w);
    put_string(w->out, len != 0 ? text : "", len);
}

/* ---- numbers ------------------------------------------------------------ */

/* Digits of m, most significant first; returns how many. */
static int put_digits(char *out, uint64_t m)
{
    char reversed[20];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + m % 10);
        m /= 10;
    } while (m != 0);
    for (int i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static void put_int(struct buf *out, int64_t x)
{
    char text[24];
    int n = 0;
    if (x < 0)
        text[n++] = '-';
    /* Negating in unsigned arithmetic is right for the smallest one, too. */
    n += put_digits(text + n, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
    buf_append(out, text, (size_t)n);
}

/* -0 needs its fraction: "-0" reads back as the integer 0. */
static bool put_small(struct buf *out, double x)
{
    if (!isfinite(x)) {
        buf_puts(out, "null");
        return true;
    }
    if (!(fabs(x) < 1e15) || x != floor(x))
        return false;
    if (x == 0.0 && signbit(x))
        buf_puts(out, "-0.0");
    else
        put_int(out, (int64_t)x);
    return true;
}

/* printf and strtod follow the locale's decimal point; JSON has one. */
static void put_localised(struct buf *out, char *text)
{
    for (char *p = text; *p != '\0'; p++)
        if (strchr("0123456789+-e", *p) == NULL)
            *p = '.';
    buf_puts(out, text);
}

void json_put_number(struct json_writer *w, double x)
{
    separate(w);
    if (put_small(w->out, x))
        return;
    char text[40] = "";
    for (int digits = 15; digits <= 17; digits++) {
        int n = snprintf(text, sizeof text, "%.*g", digits, x);
        assert(n > 0 && (size_t)n < sizeof text);
        if (n < 0 || strtod(text, NULL) == x)
            break;
    }
    put_localised(w->out, text);
}

/* Powers of ten, each the double nearest to it; exact up to 10^22. */
static const double POWER[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23,
    1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35,
    1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47,
};

static double scale(double x, int power)
{
    return power >= 0 ? x * POWER[power] : x / POWER[-power];
}

/* m * 10^e (m > 0) as text, in the manner of %g. */
static void put_decimal(struct buf *out, bool is_negative, uint64_t m, int e)
{
    char digits[20], text[48];
    while (m % 10 == 0) {
        m /= 10;
        e++;
    }
    int n = put_digits(digits, m), len = 0;
    int point = n + e; // digits before the decimal point
    if (is_negative)
        text[len++] = '-';
    if (point > 16 || point < -4) {
        text[len++] = digits[0];
        if (n > 1)
            text[len++] = '.';
        for (int i = 1; i < n; i++)
            text[len++] = digits[i];
        text[len++] = 'e';
        int power = point - 1;
        if (power < 0)
            text[len++] = '-';
        len += put_digits(text + len, (uint64_t)(power < 0 ? -power : power));
    } else {
        if (point <= 0)
            text[len++] = '0';
        /* Places from the first written one on; those before and after the
         * digits are zeros. */
        for (int i = point < 0 ? point : 0; i < n || i < point; i++) {
            if (i == point)
                text[len++] = '.';
            text[len] = '0';
            if (i >= 0 && i < n)
                text[len] = digits[i];
            len++;
        }
    }
    buf_append(out, text, (size_t)len);
}

/* The plain way, for subnormal numbers and near-ties. */
static void put_float_slowly(struct buf *out, float x)
{
    char text[40] = "";
    for (int digits = 1; digits <= 9; digits++) {
        int n = snprintf(text, sizeof text, "%.*g", digits, (double)x);
        assert(n > 0 && (size_t)n < sizeof text);
        if (n < 0 || strtof(text, NULL) == x)
            break;
    }
    put_localised(out, text);
}

/*
 * Shortest text of a float.  A decimal reads back to x when it lies between
 * the midpoints to x's neighbours, and both midpoints are exact in double.
 * The candidate m*10^e, computed in double, is off by less than 2^-51 of
 * itself, so it is trusted only that far inside; the rest goes the plain way.
 * Any decimal of up to 6 digits survives a float (FLT_DIG), so the shorter
 * ones are the 6-digit one without its trailing zeros.  Integers below 10^15
 * are written out, not shortened: 3100786432 rather than 3.1007864e9.
 */
void json_put_float(struct json_writer *w, float x)
{
    separate(w);
    if (put_small(w->out, (double)x))
        return;
    double a = fabs((double)x);
    if (a < (double)FLT_MIN * 2 || a > (double)FLT_MAX / 2) {
        put_float_slowly(w->out, x);
        return;
    }
    float f = (float)a;
    double below = (a + (double)nextafterf(f, 0.0f)) * 0.5;
    double above = (a + (double)nextafterf(f, FLT_MAX)) * 0.5;
    double low = below * (1.0 + 0x1p-50), high = above * (1.0 - 0x1p-50);
    int exponent;
    (void)frexp(a, &exponent);
    /* 10^tens <= a, or one too many; log10(2) = 0.30103. */
    int tens = (int)floor((exponent - 1) * 0.30102999566398120);
    if (a >= scale(1.0, tens + 1))
        tens++;
    for (int digits = 6; digits <= 9; digits++) {
        int power = digits - 1 - tens;
        double m = rint(scale(a, power));
        double back = scale(m, -power);
        if (back > low && back < high) {
            put_decimal(w->out, x < 0, (uint64_t)m, -power);
            return;
        }
        /* Between "surely in" and "surely out" only strtof can tell. */
        if (back > below * (1.0 - 0x1p-50) && back < above * (1.0 + 0x1p-50))
            break;
    }
    put_float_slowly(w->out, x);
}

void json_put_int(struct json_writer *w, int64_t x)
{
    separate(w);
    put_int(w->out, x);
}

/* ---- the rest ----------------------------------------------------------- */

void json_put_bool(struct json_writer *w, bool x)
{
    separate(w);
    buf_puts(w->out, x ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
    separate(w);
    buf_puts(w->out, "null");
}

void json_put_raw(struct json_writer *w, const char *json, size_t len)
{
    separate(w);
    buf_append(w->out, json, len);
}

void json_put_node(struct json_writer *w, const struct json *node)
{
    separate(w);
    json_dump(w->out, node);
}

void json_field_text(struct json_writer *w, const char *key, const char *text)
{
    json_put_key(w, key);
    json_put_text(w, text);
}

void json_field_number(struct json_writer *w, const char *key, double x)
{
    json_put_key(w, key);
    json_put_number(w, x);
}

void json_field_int(struct json_writer *w, const char *key, int64_t x)
{
    json_put_key(w, key);
    json_put_int(w, x);
}

void json_field_bool(struct json_writer *w, const char *key, bool x)
{
    json_put_key(w, key);
    json_put_bool(w, x);
}

/* Arrays of numbers stay on one line, pretty or not. */
void json_field_floats(struct json_writer *w, const char *key, const float *x,
                       size_t n)
{
    json_put_key(w, key);
    bool pretty = w->pretty;
    w->pretty = false;
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        json_put_float(w, x[i]);
    json_close(w, ']');
    w->pretty = pretty;
}

void json_field_ints(struct json_writer *w, const char *key, const int32_t *x,
                     size_t n)
{
    json_put_key(w, key);
    bool pretty = w->pretty;
    w->pretty = false;
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        json_put_int(w, x[i]);
    json_close(w, ']');
    w->pretty = pretty;
}

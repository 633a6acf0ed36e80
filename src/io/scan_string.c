#include "io/scan_string.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "io/scan.h"

static const char ESCAPES[] = "\"\\/bfnrt";
static const char ESCAPED[] = "\"\\/\b\f\n\r\t";

/* ---- checking ----------------------------------------------------------- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

/* May one of eight characters be a quote, a backslash, a control character or
 * not ASCII?  False alarms are allowed: whoever asks looks again. */
static bool is_special(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    uint64_t quote = (x ^ ONES * '"') - ONES;
    uint64_t backslash = (x ^ ONES * '\\') - ONES;
    uint64_t control = x - ONES * ' ';
    return ((quote | backslash | control | x) & HIGH) != 0;
}

/* Four hexadecimal digits, or -1. */
static int32_t read_hex(const char *p, const char *end)
{
    int32_t x = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9'       ? c - '0'
                    : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        x = x * 16 + digit;
    }
    return x;
}

static bool is_high_half(int32_t x)
{
    return x >= 0xD800 && x <= 0xDBFF;
}

static bool is_low_half(int32_t x)
{
    return x >= 0xDC00 && x <= 0xDFFF;
}

/* The character of "uXXXX" or "uXXXX\uXXXX" at p, and its bytes; -1 when it is
 * none, 0 for U+0000. */
static int32_t read_unicode(const char *p, const char *end, size_t *len)
{
    int32_t x = read_hex(p + 1, end);
    *len = 5;
    if (x < 0 || is_low_half(x))
        return -1;
    if (!is_high_half(x))
        return x;
    if (end - p < 11 || p[5] != '\\' || p[6] != 'u')
        return -1;
    int32_t y = read_hex(p + 7, end);
    *len = 11;
    return is_low_half(y) ? 0x10000 + ((x - 0xD800) << 10) + (y - 0xDC00) : -1;
}

/* Behind the escape at p; NULL and the reason when it is bad. */
static const char *pass_escape(const char *p, const char *end, const char **why)
{
    size_t len = 1;
    int32_t x = -1;
    if (end - p >= 2 && p[1] == 'u')
        x = read_unicode(p + 1, end, &len);
    else if (end - p >= 2 && p[1] != '\0' && strchr(ESCAPES, p[1]) != NULL)
        x = 1;
    if (x < 0)
        *why = "a bad escape";
    if (x == 0)
        *why = "\\u0000, which no text can hold";
    return x > 0 ? p + 1 + len : NULL;
}

/* Behind the character at p, which is no quote; NULL when it is none. */
static const char *pass_character(struct scan_string *s, const char *p,
                                  const char *end)
{
    if (*p == '\\') {
        s->is_escaped = true;
        return pass_escape(p, end, &s->why);
    }
    if ((unsigned char)*p < 0x20) {
        s->why = "a control character in a string";
        return NULL;
    }
    size_t n = utf8_length(p, (size_t)(end - p), NULL);
    if (n == 0)
        s->why = "invalid UTF-8";
    return n > 0 ? p + n : NULL;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' &&
           c != '\\';
}

const char *scan_string_pass(struct scan_string *out, const char *text,
                             const char *end)
{
    const char *p = text;
    *out = (struct scan_string){.why = NULL};
    for (;;) {
        while (end - p >= 8 && !is_special(p))
            p += 8;
        while (p < end && is_plain(*p))
            p++;
        if (p < end && *p == '"')
            return p;
        const char *next = NULL;
        if (p < end)
            next = pass_character(out, p, end);
        else
            out->why = "the string is not closed";
        if (next == NULL)
            return p;
        p = next;
    }
}

/* ---- unescaping --------------------------------------------------------- */

/* The character that an escape at p stands for, into out[4]. */
static size_t unescape(char out[4], const char *p, const char *end, size_t *len)
{
    if (p[1] == 'u') {
        uint32_t x = (uint32_t)read_unicode(p + 1, end, len);
        *len += 1;
        return utf8_encode(out, x);
    }
    *len = 2;
    out[0] = ESCAPED[strchr(ESCAPES, p[1]) - ESCAPES];
    return 1;
}

size_t scan_slice_copy(char *out, const struct scan_slice *x)
{
    const char *p = x->text, *end = p + x->len;
    size_t n = 0;
    while (x->is_escaped && p < end) {
        const char *next = memchr(p, '\\', (size_t)(end - p));
        if (next == NULL)
            break;
        memcpy(out + n, p, (size_t)(next - p));
        n += (size_t)(next - p);
        size_t len;
        n += unescape(out + n, next, end, &len);
        p = next + len;
    }
    memcpy(out + n, p, (size_t)(end - p));
    n += (size_t)(end - p);
    out[n] = '\0';
    return n;
}

bool scan_slice_is(const struct scan_slice *x, const char *text)
{
    size_t len = strlen(text);
    if (!x->is_escaped)
        return x->len == len && memcmp(x->text, text, len) == 0;
    const char *p = x->text, *end = p + x->len;
    for (size_t n, part; p < end; p += part, text += n, len -= n) {
        char own[4] = {*p};
        n = part = 1;
        if (*p == '\\')
            n = unescape(own, p, end, &part);
        if (n > len || memcmp(own, text, n) != 0)
            return false;
    }
    return len == 0;
}

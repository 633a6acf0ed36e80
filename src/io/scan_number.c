#include "io/scan_number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Any 19 digits fit 64 bits. */
#define SHORT_DIGITS 19

/* A double and the midpoint of two lie apart in their first 768 digits, so
 * that of the rest only matters whether it is zero. */
#define LONG_DIGITS 770

/* Far beyond the powers that matter, far below what overflows. */
#define POWER_MAX ((int64_t)1 << 40)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- reading ------------------------------------------------------------ */

/* "e-12" at p, after the digits; the byte behind it, or NULL. */
static const char *read_exponent(int64_t *power, const char *p, const char *end)
{
    p++;
    bool is_negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !is_digit(*p))
        return NULL;
    int64_t x = 0;
    for (; p < end && is_digit(*p); p++)
        x = x < POWER_MAX ? x * 10 + (*p - '0') : x;
    *power += is_negative ? -x : x;
    return p;
}

/* Significant digits: those from the first that is not zero on. */
static bool has_few_digits(const struct scan_decimal *d)
{
    const char *p = d->first;
    while (p < d->last && (*p == '0' || *p == '.'))
        p++;
    bool has_point = memchr(p, '.', (size_t)(d->last - p)) != NULL;
    return d->last - p - has_point <= SHORT_DIGITS;
}

const char *scan_number_read(struct scan_decimal *out, const char *text,
                             const char *end)
{
    assert(text < end);
    const char *p = text;
    uint64_t digits = 0; // wraps when there are many, and is not used then
    out->is_negative = *p == '-';
    p += out->is_negative;
    out->first = p;
    out->power = 0;
    for (; p < end && is_digit(*p); p++)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (p == out->first || (*out->first == '0' && p > out->first + 1))
        return NULL;
    out->is_integer = true;
    if (p < end && *p == '.') {
        const char *point = p++;
        for (; p < end && is_digit(*p); p++)
            digits = digits * 10 + (uint64_t)(*p - '0');
        if (p == point + 1)
            return NULL;
        out->power = point + 1 - p;
        out->is_integer = false;
    }
    out->last = p;
    out->digits = digits;
    out->is_short = p - out->first <= SHORT_DIGITS || has_few_digits(out);
    if (p < end && (*p == 'e' || *p == 'E')) {
        out->is_integer = false;
        p = read_exponent(&out->power, p, end);
    }
    return p;
}

/* ---- the exact ways ----------------------------------------------------- */

/* Powers of ten that are doubles. */
#define TEN_MAX 22

static const double ten_to[TEN_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/*
 * Digits below 2^53 and powers of ten up to 10^22 are doubles, so that one
 * multiplication or division rounds the exact value (Clinger 1990, "How to
 * read floating point numbers accurately").
 */
static bool round_small(double *out, uint64_t digits, int64_t power)
{
    if (digits >> DBL_MANT_DIG != 0 || power < -TEN_MAX || power > TEN_MAX)
        return false;
    *out = power < 0 ? (double)digits / ten_to[-power]
                     : (double)digits * ten_to[power];
    return true;
}

#if LDBL_MANT_DIG == 64
/*
 * The same in x87's long double, whose 64 bits hold all digits and the powers
 * up to 10^27.  What comes out was rounded to 64 bits and is rounded to 53 in
 * the end.  That is the same as rounding once unless the first rounding ended
 * on the midpoint of two doubles: then the exact value may lie on either side.
 */
static bool round_medium(double *out, uint64_t digits, int64_t power)
{
    static const long double long_ten_to[] = {
        1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
        1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
        1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (power < -27 || power > 27)
        return false;
    long double x = power < 0 ? (long double)digits / long_ten_to[-power]
                              : (long double)digits * long_ten_to[power];
    uint64_t bits; // its mantissa comes first
    memcpy(&bits, &x, sizeof bits);
    const unsigned spare = 64 - DBL_MANT_DIG;
    if ((bits & ((1u << spare) - 1)) == 1u << (spare - 1))
        return false;
    *out = (double)x;
    return true;
}
#else
static bool round_medium(double *out, uint64_t digits, int64_t power)
{
    (void)out, (void)digits, (void)power;
    return false;
}
#endif

/* ---- the plain way ------------------------------------------------------ */

/* Decimal digits of x behind at; returns how many. */
static size_t put_int(char *at, int64_t x)
{
    char reversed[20];
    size_t n = 0, len = 0;
    if (x < 0)
        at[len++] = '-';
    uint64_t rest = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do {
        reversed[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    while (n > 0)
        at[len++] = reversed[--n];
    return len;
}

/* The number without a decimal point, which is the only thing in which
 * strtod() follows the locale: "12.5e3" is "125e2". */
static void write_pointless(char out[LONG_DIGITS + 32],
                            const struct scan_decimal *d)
{
    size_t n = 0;
    int64_t power = d->power;
    bool has_more = false; // a digit that was left out is not zero
    for (const char *p = d->first; p < d->last; p++) {
        if (*p == '.' || (n == 0 && *p == '0'))
            continue;
        if (n < LONG_DIGITS) {
            out[n++] = *p;
        } else {
            has_more = has_more || *p != '0';
            power++;
        }
    }
    if (has_more) {
        out[n++] = '1';
        power--;
    }
    if (n == 0)
        out[n++] = '0';
    /* With so few digits these give 0 and infinity. */
    power = power < -9999 ? -9999 : power > 9999 ? 9999 : power;
    out[n++] = 'e';
    n += put_int(out + n, power);
    out[n] = '\0';
}

static double round_double(const struct scan_decimal *d)
{
    double x;
    if (d->is_short && d->digits == 0)
        return 0;
    if (d->is_short && (round_small(&x, d->digits, d->power) ||
                        round_medium(&x, d->digits, d->power)))
        return x;
    char text[LONG_DIGITS + 32];
    write_pointless(text, d);
    return strtod(text, NULL);
}

double scan_number_double(const struct scan_decimal *d)
{
    double x = round_double(d);
    if (d->is_integer)
        return d->is_negative && x != 0 ? -x : x;
    return d->is_negative ? -x : x;
}

/*
 * Rounding to double and then to float errs when the first step ends on the
 * midpoint of two floats, whose 29 bits below a float's last are 100...0, or
 * where float's steps are coarser still.
 */
static bool rounds_to_float(double x)
{
    double size = fabs(x);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const unsigned spare = DBL_MANT_DIG - FLT_MANT_DIG;
    bool is_midpoint = (bits & ((1u << spare) - 1)) == 1u << (spare - 1);
    return (size <= (double)FLT_MAX && size >= (double)FLT_MIN &&
            !is_midpoint) ||
           size == 0;
}

float scan_number_float(const struct scan_decimal *d)
{
    double x = scan_number_double(d);
    if (rounds_to_float(x))
        return (float)x;
    char text[LONG_DIGITS + 32];
    write_pointless(text, d);
    float y = strtof(text, NULL);
    return d->is_negative ? -y : y;
}

bool scan_number_int(int64_t *out, const struct scan_decimal *d)
{
    if (d->is_integer && d->is_short) {
        uint64_t most = (uint64_t)INT64_MAX + d->is_negative;
        if (d->digits > most)
            return false;
        *out = d->is_negative ? (int64_t)(0 - d->digits) : (int64_t)d->digits;
        return true;
    }
    double x = scan_number_double(d);
    if (!(x >= -0x1p63 && x < 0x1p63) || x != floor(x))
        return false;
    *out = (int64_t)x;
    return true;
}

/* ---- arrays ------------------------------------------------------------- */

#define ONES UINT64_C(0x0101010101010101)
#define WORD sizeof(uint64_t)

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define IS_LITTLE true
#else
#define IS_LITTLE false
#endif

/* How many of the next eight bytes, from the first on, are digits. */
static size_t count_digits(uint64_t text)
{
    uint64_t x = text ^ ONES * '0'; // digits become 0 to 9
    uint64_t other = ((x + ONES * 0x76) | x) & ONES * 0x80;
    return other == 0 ? WORD : (size_t)__builtin_ctzll(other) / 8;
}

/* The number that the first n <= 8 bytes, digits, are: shifted up behind
 * zeros, and their neighbours added in pairs, fours and eights. */
static uint64_t value_of(uint64_t text, size_t n)
{
    if (n == 0)
        return 0;
    uint64_t x = (text ^ ONES * '0') << (8 * (WORD - n));
    x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (x * 10000 + (x >> 32)) & UINT64_C(0xffffffff);
}

/* The most that a plain number may take: read without asking for the end. */
#define PLAIN_MAX 48

struct plain {
    uint64_t digits;
    int power;
    bool is_negative, is_integer;
};

/* Behind the plain number at p, where PLAIN_MAX bytes may be read; NULL when
 * it is none: up to 3 digits, up to 16 behind the point. */
static const char *read_plain(struct plain *out, const char *p)
{
    static const uint64_t shift[] = {1,      10,      100,      1000,     10000,
                                     100000, 1000000, 10000000, 100000000};
    uint64_t text;
    out->is_negative = *p == '-';
    p += out->is_negative;
    memcpy(&text, p, WORD);
    size_t n = count_digits(text);
    if (n == 0 || n > 3 || (*p == '0' && n > 1))
        return NULL;
    out->digits = value_of(text, n);
    out->power = 0;
    out->is_integer = true;
    p += n;
    if (*p == '.') {
        out->is_integer = false;
        memcpy(&text, ++p, WORD);
        n = count_digits(text);
        if (n == 0)
            return NULL;
        out->digits = out->digits * shift[n] + value_of(text, n);
        out->power = -(int)n;
        p += n;
        if (n == WORD) {
            memcpy(&text, p, WORD);
            n = count_digits(text);
            out->digits = out->digits * shift[n] + value_of(text, n);
            out->power -= (int)n;
            p += n;
        }
    }
    if (*p == 'e' || *p == 'E') {
        bool is_less = p[1] == '-';
        p += is_less || p[1] == '+' ? 2 : 1;
        memcpy(&text, p, WORD);
        n = count_digits(text);
        if (n == 0 || n > 2)
            return NULL;
        int power = (int)value_of(text, n);
        out->power += is_less ? -power : power;
        out->is_integer = false;
        p += n;
    }
    return *p == ',' || *p == ']' ? p : NULL;
}

static bool round_plain(float *out, const struct plain *d)
{
    double x;
    if (!round_small(&x, d->digits, d->power) || !rounds_to_float(x))
        return false;
    *out = (float)(d->is_negative && !(d->is_integer && x == 0) ? -x : x);
    return true;
}

size_t scan_number_floats(float *out, size_t room, const char **at,
                          const char *end)
{
    struct plain d;
    const char *p = *at;
    size_t n = 0;
    while (IS_LITTLE && n < room && end - p > PLAIN_MAX && *p == ',') {
        const char *behind = read_plain(&d, p + 1);
        if (behind == NULL || !round_plain(&out[n], &d))
            break;
        n++;
        p = behind;
    }
    *at = p;
    return n;
}

size_t scan_number_ints(int32_t *out, size_t room, const char **at,
                        const char *end)
{
    const char *p = *at;
    size_t n = 0;
    while (IS_LITTLE && n < room && end - p > PLAIN_MAX && *p == ',') {
        uint64_t text;
        memcpy(&text, p + 1, WORD);
        size_t len = count_digits(text);
        const char *behind = p + 1 + len;
        if (len == 0 || len == WORD || (p[1] == '0' && len > 1) ||
            (*behind != ',' && *behind != ']'))
            break;
        out[n++] = (int32_t)value_of(text, len);
        p = behind;
    }
    *at = p;
    return n;
}

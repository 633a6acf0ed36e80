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

/*
 * Digits below 2^53 and powers of ten up to 10^22 are doubles, so that one
 * multiplication or division rounds the exact value (Clinger 1990, "How to
 * read floating point numbers accurately").
 */
static bool round_small(double *out, uint64_t digits, int64_t power)
{
    static const double ten_to[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits >> DBL_MANT_DIG != 0 || power < -22 || power > 22)
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
    static const long double ten_to[] = {
        1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
        1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
        1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (power < -27 || power > 27)
        return false;
    long double x = power < 0 ? (long double)digits / ten_to[-power]
                              : (long double)digits * ten_to[power];
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
float scan_number_float(const struct scan_decimal *d)
{
    double x = scan_number_double(d);
    double size = fabs(x);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const unsigned spare = DBL_MANT_DIG - FLT_MANT_DIG;
    bool is_midpoint = (bits & ((1u << spare) - 1)) == 1u << (spare - 1);
    if (size <= (double)FLT_MAX && size >= (double)FLT_MIN && !is_midpoint)
        return (float)x;
    if (size == 0)
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

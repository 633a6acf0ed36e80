/*
 * test_scan_number.c - the scanner's numbers: against strtod() and strtof()
 * in the C locale, against what the writer writes, and the words and quotes
 * that Jansson does not take for numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"
#include "io/scan.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static double number_of(const char *text)
{
    struct scan s;
    struct err err = {OK, ""};
    scan_init(&s, text, strlen(text));
    double x = scan_number(&s);
    if (scan_end(&s, text, &err) != OK)
        fail_msg("%s", err.text);
    return x;
}

/* Alone, and as the second and last of an array whose end is far enough for
 * the fast way through it. */
static float float_of(const char *text)
{
    static const char zeros[] = "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
    char item[1100];
    struct scan s;
    struct err err = {OK, ""};
    float x = 0, many[32];
    int n = snprintf(item, sizeof item, "[%s]", text);
    scan_init(&s, item, (size_t)n);
    assert_int_equal(scan_floats(&s, &x, 1), 1);
    if (scan_end(&s, text, &err) != OK)
        fail_msg("%s", err.text);
    n = snprintf(item, sizeof item, "[7,%s,%s,3]", text, zeros);
    scan_init(&s, item, (size_t)n);
    assert_int_equal(scan_floats(&s, many, 32), (sizeof zeros) / 2 + 3);
    if (memcmp(&many[1], &x, sizeof x) != 0 && !isnan(x))
        fail_msg("%s is %.9g in an array, %.9g alone", text, (double)many[1],
                 (double)x);
    assert_true(many[0] == 7 && many[2] == 0 &&
                many[sizeof zeros / 2 + 2] == 3);
    return x;
}

/* As strtod() and strtof() read it in the C locale, to the last bit. */
static void check_number(const char *text)
{
    double x = number_of(text), y = strtod(text, NULL);
    float f = float_of(text), g = strtof(text, NULL);
    if (memcmp(&x, &y, sizeof x) != 0)
        fail_msg("%s is %.17g, not %.17g", text, y, x);
    if (memcmp(&f, &g, sizeof f) != 0)
        fail_msg("%s is %.9g in float, not %.9g", text, (double)g, (double)f);
}

static const char *const HARD[] = {
    "0",
    "0.0",
    "-0.0",
    "0e5",
    "-0e-5",
    "0.000e400",
    /* 2^53 and its neighbours, halves of a step above it */
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0000000000000000000000000000001",
    "9007199254740992.9999999999999999999999999999999",
    "9007199254740994999e-3",
    "18014398509481985",
    "18014398509481987",
    /* the ends of the exact ways */
    "999999999999999e22",
    "999999999999999e-22",
    "1e22",
    "1e23",
    "1e-22",
    "1e-23",
    "9999999999999999999e27",
    "9999999999999999999e-27",
    "9999999999999999999e28",
    "1844674407370955161.5",
    "18446744073709551615",
    "18446744073709551616",
    "1e27",
    "1e28",
    /* the ends of double */
    "1.7976931348623157e308",
    "1.797693134862315807e308",
    "2.2250738585072014e-308",
    "2.2250738585072011e-308",
    "2.2250738585072012e-308",
    "4.9406564584124654e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1e-400",
    "1e-99999999999999999999999999",
    /* the ends of float and a step's half there */
    "3.4028234663852886e38",
    "3.4028235677973366e38",
    "3.4028235677973365e38",
    "3.5e38",
    "1e300",
    "1.1754943508222875e-38",
    "1.17549431578982589e-38",
    "1.40129846432481707e-45",
    "7.00649232162408535e-46",
    "7.00649232162408536e-46",
    "1e-60",
    /* midpoints of two floats: exact, and off by less than a double sees */
    "16777217",
    "16777217.00000000000000000000001",
    "16777216.99999999999999999999999",
    "1.00000005960464477539062",
    "1.000000059604644775390625",
    "1.00000005960464477539062500000001",
    "1.00000017881393432617187499",
    "1.000000178813934326171875",
    "0.00001000000000000000000000000000000000000000000000000001",
};

static void test_hard_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(HARD); i++)
        check_number(HARD[i]);
    assert_true(signbit(number_of("-0.0")) && signbit(float_of("-0.0")));
    assert_false(signbit(number_of("-0")) || signbit(float_of("-0")));

    /* Nearest to halves of steps, spelt out in full and with a tail that only
     * its 900th digit tells from them. */
    char half[1024];
    const double from[] = {1.0, 0.1, 1e-300, 3.0e10, 5e-324};
    for (size_t i = 0; i < COUNT(from); i++) {
        double next = nextafter(from[i], 1e300);
        /* The sum is exact in long double, and so is its text. */
        long double middle = ((long double)from[i] + next) / 2;
        int n = snprintf(half, sizeof half, "%.900Le", middle);
        char *e = strchr(half, 'e');
        assert_true(n > 0 && e != NULL);
        check_number(half);
        e[-1] = '1';
        check_number(half);
    }
}

/* Texts of random numbers in the ways they are written. */
static void test_random_numbers(void **state)
{
    (void)state;
    struct rng r;
    char text[64];
    rng_init(&r, 1, RNG_TEST, 3, 0);
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (i % 2 == 0)
            x = rng_normal(&r) * exp(10 * rng_normal(&r));
        if (!isfinite(x))
            continue;
        (void)snprintf(text, sizeof text, "%.*g", 6 + i % 12, x);
        check_number(text);
        (void)snprintf(text, sizeof text, "%.*e", i % 30, x);
        if (isfinite(strtod(text, NULL)))
            check_number(text);
        (void)snprintf(text, sizeof text, "%" PRIu64 "e%d", bits >> (i % 64),
                       (int)rng_below(&r, 80) - 40);
        check_number(text);
    }
}

/* What the writer writes comes back as the same float. */
static void test_float_round_trip(void **state)
{
    (void)state;
    struct rng r;
    struct buf b;
    float x[1000], y[1000];
    rng_init(&r, 1, RNG_TEST, 4, 0);
    buf_init(&b, 100000);
    for (int i = 0; i < 300; i++) {
        struct json_writer w;
        struct scan s;
        buf_clear(&b);
        json_writer_init(&w, &b, false);
        json_open(&w, '[');
        for (size_t k = 0; k < COUNT(x); k++) {
            uint32_t bits = rng_u32(&r);
            memcpy(&x[k], &bits, sizeof bits);
            if (i % 3 == 0)
                x[k] = (float)rng_normal(&r);
            json_put_float(&w, x[k]);
        }
        json_close(&w, ']');
        assert_int_equal(buf_status(&b, NULL), OK);
        scan_init(&s, b.data, b.len);
        assert_int_equal(scan_floats(&s, y, COUNT(y)), COUNT(x));
        assert_int_equal(scan_end(&s, "text", NULL), OK);
        for (size_t k = 0; k < COUNT(x); k++) {
            if (isfinite(x[k]))
                assert_memory_equal(&x[k], &y[k], sizeof x[k]);
            else
                assert_true(isnan(y[k])); // written as null
        }
    }
    buf_free(&b);
}

static void test_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8",
                                        "ru_RU.UTF-8"};
    const char *found = NULL;
    for (size_t i = 0; i < COUNT(names) && found == NULL; i++)
        found = setlocale(LC_NUMERIC, names[i]);
    double x = number_of("12345678901234567890.125e-3");
    float f = float_of("0.00001000000000000000000000000000000000000000001");
    (void)setlocale(LC_NUMERIC, "C");
    assert_true(x == 12345678901234567890.125e-3);
    assert_true(f == 0.00001000000000000000000000000000000000000000001F);
    if (found == NULL)
        print_message("    no locale with a decimal comma: C's was tried\n");
}

static void test_lenient_numbers(void **state)
{
    (void)state;
    assert_true(isnan(number_of("null")));
    assert_true(isnan(number_of("NaN")));
    assert_true(number_of("Infinity") == (double)INFINITY);
    assert_true(number_of("-Infinity") == -(double)INFINITY);
    assert_true(number_of("\"1.5\"") == 1.5);
    assert_true(number_of("\"-2e3\"") == -2000);
    assert_true(isnan(number_of("\"nan\"")) && isnan(number_of("\"NaN\"")));
    assert_true(number_of("\"inf\"") == (double)INFINITY);
    assert_true(number_of("\"-inf\"") == -(double)INFINITY);
    assert_true(number_of("\"-Infinity\"") == -(double)INFINITY);
    assert_true(isinf(float_of("\"inf\"")) && isinf(float_of("-1e300")));

    static const char *const bad[] = {
        "\"\"", "\"1.5x\"", "\" 1\"", "\"01\"", "true",     "[1]",
        "{}",   "\"null\"", "\"1",    "nul",    "\"1e999\""};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct scan s;
        scan_init(&s, bad[i], strlen(bad[i]));
        assert_true(isnan(scan_number(&s)));
        assert_int_equal(scan_end(&s, "text", NULL), ERR_FORMAT);
    }
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"\"42\"", true, 42},
        {"1e3", true, 1000},
        {"5.0", true, 5},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"1e19", false, 0},
        {"5.5", false, 0},
        {"null", false, 0},
        {"NaN", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scan s;
        scan_init(&s, cases[i].text, strlen(cases[i].text));
        int64_t x = scan_int(&s);
        bool is_good = scan_end(&s, "text", NULL) == OK;
        if (is_good != cases[i].is_good || x != cases[i].value)
            fail_msg("%s: %d, %" PRId64, cases[i].text, is_good, x);
    }
}

/* Arrays in the fast way and around it: every number of digits, blanks and
 * fractions between plain integers, and the room at its end. */
static void test_integer_arrays(void **state)
{
    (void)state;
    static const int32_t want[] = {
        7,         12,         345, 6789, 12345, 123456, 1234567,  12345678,
        123456789, 2147483647, -5,  0,    42,    1000,   99999999, 1,
        2,         3,          4,   5,    6,     7,      8,        9};
    static const char text[] =
        "[7,12,345,6789,12345,123456,1234567,12345678,123456789,2147483647,-5,"
        "0, 42,1e3,99999999,1,2,3,4,5,6,7,8,9]                                ";
    int32_t got[COUNT(want)];
    struct scan s;
    scan_init(&s, text, strlen(text));
    assert_int_equal(scan_ints(&s, got, COUNT(got)), COUNT(want));
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(scan_end(&s, "text", NULL), OK);
    scan_init(&s, text, strlen(text));
    assert_int_equal(scan_ints(&s, got, COUNT(got) - 1), 0);
    assert_int_equal(scan_end(&s, "text", NULL), ERR_FORMAT);

    static const char *const bad[] = {"[1,02,3", "[1,2147483648,3", "[1,2x,3",
                                      "[1,,3",   "[1,2.5,3",        "[1,2"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char item[128];
        int n = snprintf(item, sizeof item, "%s%s", bad[i],
                         i + 1 < COUNT(bad)
                             ? ",4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]"
                             : " 4]                                          ");
        scan_init(&s, item, (size_t)n);
        assert_int_equal(scan_ints(&s, got, COUNT(got)), 0);
        assert_int_equal(scan_end(&s, "text", NULL), ERR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_numbers),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_float_round_trip),
        cmocka_unit_test(test_locale),
        cmocka_unit_test(test_lenient_numbers),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_integer_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

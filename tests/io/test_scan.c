/*
 * test_scan.c - the scanner: against Jansson over generated and damaged
 * documents, and the promises that Jansson does not share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "io/scan.h"
#include "io/scan_oracle.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- generated documents ------------------------------------------------ */

static void put_blanks(struct buf *b, struct rng *r)
{
    while (rng_below(r, 4) == 0)
        buf_putc(b, " \t\r\n"[rng_below(r, 4)]);
}

static void put_digits(struct buf *b, struct rng *r, uint32_t most)
{
    for (uint32_t n = 1 + rng_below(r, most); n > 0; n--)
        buf_putc(b, (char)('0' + rng_below(r, 10)));
}

/* Any form of number: short, long, beyond float, with an exponent. */
static void put_number(struct buf *b, struct rng *r)
{
    if (rng_below(r, 2) == 0)
        buf_putc(b, '-');
    if (rng_below(r, 4) == 0) {
        buf_putc(b, '0');
    } else {
        buf_putc(b, (char)('1' + rng_below(r, 9)));
        if (rng_below(r, 2) == 0)
            put_digits(b, r, rng_below(r, 8) == 0 ? 22 : 5);
    }
    if (rng_below(r, 2) == 0) {
        buf_putc(b, '.');
        put_digits(b, r, rng_below(r, 8) == 0 ? 40 : 17);
    }
    if (rng_below(r, 3) == 0) {
        buf_putc(b, "eE"[rng_below(r, 2)]);
        if (rng_below(r, 2) == 0)
            buf_putc(b, "+-"[rng_below(r, 2)]);
        buf_printf(b, "%u", rng_below(r, rng_below(r, 4) == 0 ? 320 : 30));
    }
}

static void put_text(struct buf *b, struct rng *r)
{
    static const char *const parts[] = {"a",
                                        "plain words",
                                        "\\\"",
                                        "\\\\",
                                        "\\/",
                                        "\\n",
                                        "\\u00e9",
                                        "\\u20AC",
                                        "\\ud83d\\ude00",
                                        "\xC3\xA9",
                                        "\xE2\x82\xAC",
                                        "\xF0\x9F\x98\x80",
                                        "0123456789abcdef",
                                        "\x7F",
                                        " ",
                                        "\\b\\f\\r\\t"};
    buf_putc(b, '"');
    for (uint32_t n = rng_below(r, 8); n > 0; n--)
        buf_puts(b, parts[rng_below(r, COUNT(parts))]);
    buf_putc(b, '"');
}

static void put_value(struct buf *b, struct rng *r, int depth)
{
    static const char *const words[] = {"null", "true",     "false",
                                        "NaN",  "Infinity", "-Infinity"};
    uint32_t n = rng_below(r, 6);
    put_blanks(b, r);
    switch (rng_below(r, depth > 6 ? 4 : 6)) {
    case 0:
        buf_puts(b, words[rng_below(r, COUNT(words))]);
        break;
    case 1:
        put_text(b, r);
        break;
    case 2:
    case 3:
        put_number(b, r);
        break;
    case 4:
        buf_putc(b, '[');
        for (uint32_t i = 0; i < n; i++) {
            buf_puts(b, i > 0 ? "," : "");
            put_value(b, r, depth + 1);
        }
        buf_putc(b, ']');
        break;
    default:
        buf_putc(b, '{');
        for (uint32_t i = 0; i < n; i++) {
            buf_puts(b, i > 0 ? "," : "");
            put_blanks(b, r);
            buf_printf(b, "\"%u", i); // so that no key comes twice
            buf_puts(b, rng_below(r, 2) == 0 ? "\\u0041\"" : "key\"");
            put_blanks(b, r);
            buf_putc(b, ':');
            put_value(b, r, depth + 1);
        }
        buf_putc(b, '}');
        break;
    }
    put_blanks(b, r);
}

static bool agree(const char *text, size_t len)
{
    const char *why;
    bool is_accepted;
    if (scan_oracle(&why, &is_accepted, text, len) == ORACLE_DIFFERENT)
        fail_msg("%s: %.*s", why, (int)len, text);
    return is_accepted;
}

static void test_generated(void **state)
{
    (void)state;
    struct buf b;
    size_t beyond = 0;
    buf_init(&b, (size_t)1 << 24);
    for (uint32_t i = 0; i < 20000; i++) {
        struct rng r;
        rng_init(&r, 1, RNG_TEST, 1, i);
        buf_clear(&b);
        put_value(&b, &r, 0);
        assert_int_equal(b.code, OK);
        /* Only a number beyond double makes one of these invalid. */
        if (!agree(b.data, b.len)) {
            struct scan s;
            struct err err;
            scan_init(&s, b.data, b.len);
            scan_skip(&s);
            assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
            assert_non_null(strstr(err.text, "a number beyond double"));
            beyond++;
        }
    }
    assert_in_range(beyond, 1, 2000);
    buf_free(&b);
}

/* The same with a byte changed, left out or put in, and cut short. */
static void test_damaged(void **state)
{
    (void)state;
    static const char bytes[] =
        "\"\\,:[]{}0123456789-+.eEntfNIau \n\x80\xC3\xED";
    struct buf b;
    size_t accepted = 0, refused = 0;
    buf_init(&b, (size_t)1 << 24);
    for (uint32_t i = 0; i < 20000; i++) {
        struct rng r;
        rng_init(&r, 1, RNG_TEST, 2, i);
        buf_clear(&b);
        put_value(&b, &r, 0);
        for (uint32_t n = rng_below(&r, 3); n < 3; n++) {
            size_t at = rng_below(&r, (uint32_t)b.len);
            char c = bytes[rng_below(&r, sizeof bytes)]; // NUL too
            if (rng_below(&r, 2) == 0) {
                b.data[at] = c;
            } else if (rng_below(&r, 2) == 0) {
                memmove(b.data + at, b.data + at + 1, b.len - at);
                b.len -= b.len > 1;
            } else if (rng_below(&r, 4) == 0) {
                b.len = at + 1;
            } else {
                buf_putc(&b, ' ');
                memmove(b.data + at + 1, b.data + at, b.len - at - 1);
                b.data[at] = c;
            }
        }
        bool is_accepted = agree(b.data, b.len);
        accepted += is_accepted;
        refused += !is_accepted;
    }
    /* Both must have been tried. */
    assert_true(accepted > 1000 && refused > 1000);
    buf_free(&b);
}

/* Every proper beginning of a document is refused, whatever lies behind it. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5e-3,\"x\\u00e9\\ud83d\\ude00\xC3\xA9\",null,true,NaN],"
        "\"b\":{\"c\":[]}}";
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_false(agree(text, len));
    assert_true(agree(text, sizeof text - 1));
}

/* ---- texts one by one --------------------------------------------------- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", "text: byte 0: a value is expected"},
        {" \n", "text: byte 2: a value is expected"},
        {"[1,2,]", "text: byte 5: a value is expected"},
        {"[,1]", "text: byte 1: a value is expected"},
        {"[1 2]", "text: byte 3: ',' or ']' is expected"},
        {"[1", "text: byte 2: ',' or ']' is expected"},
        {"[1}", "text: byte 2: ',' or ']' is expected"},
        {"{\"a\":1,}", "text: byte 7: a string is expected"},
        {"{\"a\" 1}", "text: byte 5: ':' is expected"},
        {"{a:1}", "text: byte 1: a string is expected"},
        {"{\"a\":1", "text: byte 6: ',' or '}' is expected"},
        {"01", "text: byte 0: a number is expected"},
        {"-", "text: byte 0: a number is expected"},
        {"1.", "text: byte 0: a number is expected"},
        {"+1", "text: byte 0: a value is expected"},
        {".5", "text: byte 0: a value is expected"},
        {"1e", "text: byte 0: a number is expected"},
        {"1e+", "text: byte 0: a number is expected"},
        {"0x1", "text: byte 1: something follows the value"},
        {"-NaN", "text: byte 0: a number is expected"},
        {"nan", "text: byte 0: a value is expected"},
        {"Inf", "text: byte 0: a number is expected"},
        {"[1e999]", "text: byte 1: a number beyond double"},
        {"tru", "text: byte 0: true or false is expected"},
        {"\"a", "text: byte 2: the string is not closed"},
        {"\"a\n\"", "text: byte 2: a control character in a string"},
        {"\"\\x\"", "text: byte 1: a bad escape"},
        {"\"\\u12g4\"", "text: byte 1: a bad escape"},
        {"\"\\ud83d\"", "text: byte 1: a bad escape"},
        {"\"\\ud83d\\u0041\"", "text: byte 1: a bad escape"},
        {"\"\\ude00\"", "text: byte 1: a bad escape"},
        {"\"\\u0000\"", "text: byte 1: \\u0000, which no text can hold"},
        {"\"\xC3\"", "text: byte 1: invalid UTF-8"},
        {"\"\xC0\xAF\"", "text: byte 1: invalid UTF-8"},
        {"\"\xED\xA0\x80\"", "text: byte 1: invalid UTF-8"},
        {"\"\xF4\x90\x80\x80\"", "text: byte 1: invalid UTF-8"},
        {"\xEF\xBB\xBF{}", "text: byte 0: a value is expected"},
        {"1 2", "text: byte 2: something follows the value"},
        {"[] x", "text: byte 3: something follows the value"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scan s;
        struct err err = {OK, ""};
        scan_init(&s, cases[i].text, strlen(cases[i].text));
        scan_skip(&s);
        assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
        assert_string_equal(err.text, cases[i].said);
        assert_false(agree(cases[i].text, strlen(cases[i].text)));
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * SCAN_DEPTH_MAX + 3];
    for (size_t depth = SCAN_DEPTH_MAX; depth <= SCAN_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct scan s;
        struct err err = {OK, ""};
        scan_init(&s, text, 2 * depth);
        scan_skip(&s);
        enum status status = scan_end(&s, "text", &err);
        if (depth <= SCAN_DEPTH_MAX) {
            assert_int_equal(status, OK);
        } else {
            assert_int_equal(status, ERR_FORMAT);
            assert_string_equal(err.text, "text: byte 64: nested deeper than "
                                          "64");
        }
        (void)agree(text, 2 * depth);
    }
    /* Objects and arrays in turn, closed in the wrong order. */
    static const char good[] = "[{\"a\":[{\"b\":[[],{}]},1]},[2]]";
    static const char bad[] = "[{\"a\":[{\"b\":[[],{}}],1]},[2]]";
    assert_true(agree(good, sizeof good - 1));
    assert_false(agree(bad, sizeof bad - 1));
}

/* ---- arrays, strings, errors -------------------------------------------- */

static void test_arrays(void **state)
{
    (void)state;
    static const char text[] = " [ 1 , 2.5,null,\"-3\" ,NaN]";
    double d[6] = {0, 0, 0, 0, 0, 7};
    float f[6] = {0, 0, 0, 0, 0, 7};
    struct scan s;
    struct err err = {OK, ""};
    scan_init(&s, text, sizeof text - 1);
    assert_int_equal(scan_doubles(&s, d, 5), 5);
    assert_int_equal(scan_end(&s, "text", NULL), OK);
    scan_init(&s, text, sizeof text - 1);
    assert_int_equal(scan_floats(&s, f, 5), 5);
    assert_int_equal(scan_end(&s, "text", NULL), OK);
    assert_true(d[0] == 1 && d[1] == 2.5 && isnan(d[2]) && d[3] == -3 &&
                isnan(d[4]) && d[5] == 7);
    assert_true(f[0] == 1 && f[1] == 2.5F && isnan(f[2]) && f[3] == -3 &&
                isnan(f[4]) && f[5] == 7);

    scan_init(&s, text, sizeof text - 1);
    d[4] = 9;
    assert_int_equal(scan_doubles(&s, d, 4), 0);
    assert_true(d[4] == 9);
    assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
    assert_string_equal(err.text,
                        "text: byte 22: more numbers than there may be");

    int32_t n[3] = {0};
    scan_init(&s, "[-2147483648,2147483647,7]", 26);
    assert_int_equal(scan_ints(&s, n, 3), 3);
    assert_int_equal(scan_end(&s, "text", NULL), OK);
    assert_true(n[0] == INT32_MIN && n[1] == INT32_MAX && n[2] == 7);
    scan_init(&s, "[1,2147483648]", 14);
    assert_int_equal(scan_ints(&s, n, 3), 0);
    assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
    assert_string_equal(err.text,
                        "text: byte 3: an integer of 32 bits is expected");
    scan_init(&s, "[]", 2);
    assert_int_equal(scan_ints(&s, n, 0), 0);
    assert_int_equal(scan_end(&s, "text", NULL), OK);
    scan_init(&s, "{}", 2);
    assert_int_equal(scan_floats(&s, f, 1), 0);
    assert_int_equal(scan_end(&s, "text", NULL), ERR_FORMAT);
}

static void test_slices(void **state)
{
    (void)state;
    static const char text[] =
        "{\"st\\u0065p\":\"a\\/b\\ud83d\\ude00\\n\", \"raw\" : [1, {\"x\": 2}] "
        ", \"\":\"\"}";
    char out[64];
    struct scan s;
    struct scan_slice key, value;
    scan_init(&s, text, sizeof text - 1);
    assert_true(scan_object(&s));
    assert_true(scan_member(&s, &key));
    assert_true(scan_slice_is(&key, "step"));
    assert_false(scan_slice_is(&key, "ste"));
    assert_false(scan_slice_is(&key, "steps"));
    assert_false(scan_slice_is(&key, "st\\u0065p"));
    value = scan_text(&s);
    assert_int_equal(scan_slice_copy(out, &value), 8);
    assert_string_equal(out, "a/b\xF0\x9F\x98\x80\n");
    assert_true(scan_member(&s, &key) && scan_slice_is(&key, "raw"));
    value = scan_raw(&s);
    assert_int_equal(scan_slice_copy(out, &value), 13);
    assert_string_equal(out, "[1, {\"x\": 2}]");
    assert_true(scan_member(&s, &key) && scan_slice_is(&key, ""));
    value = scan_text(&s);
    assert_int_equal(scan_slice_copy(out, &value), 0);
    assert_string_equal(out, "");
    assert_false(scan_member(&s, &key));
    assert_int_equal(scan_end(&s, "text", NULL), OK);
}

/* The first failure stays, and nothing moves behind it. */
static void test_sticky(void **state)
{
    (void)state;
    struct scan s;
    struct scan_slice key;
    struct err err = {OK, ""};
    float f;
    scan_init(&s, "{\"a\":x,\"b\":[1]}", 15);
    assert_true(scan_object(&s) && scan_member(&s, &key));
    assert_true(isnan(scan_number(&s)) && scan_failed(&s));
    assert_false(scan_member(&s, &key) || scan_item(&s) || scan_object(&s) ||
                 scan_array(&s) || scan_bool(&s));
    assert_int_equal(scan_int(&s), 0);
    assert_int_equal(scan_floats(&s, &f, 1), 0);
    assert_int_equal(scan_text(&s).len, 0);
    assert_int_equal(scan_raw(&s).len, 0);
    scan_fail(&s, "later");
    assert_int_equal(scan_peek(&s), SCAN_NONE);
    assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
    assert_string_equal(err.text, "text: byte 5: a number is expected");

    /* One that stops in the middle is not at the end. */
    scan_init(&s, "[1]", 3);
    assert_true(scan_array(&s) && scan_item(&s) && scan_int(&s) == 1);
    assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
    assert_string_equal(err.text, "text: byte 2: the text is not at its end");
    scan_init(&s, "[1]", 3);
    scan_fail(&s, "for a reason");
    assert_int_equal(scan_end(&s, "text", &err), ERR_FORMAT);
    assert_string_equal(err.text, "text: byte 0: for a reason");
    scan_init(&s, NULL, 0);
    assert_int_equal(scan_peek(&s), SCAN_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_slices),    cmocka_unit_test(test_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

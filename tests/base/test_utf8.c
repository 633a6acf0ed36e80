/* test_utf8.c - every character there is, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

/* The encoding by its definition, for any number below 2^21. */
static size_t encode(char *out, uint32_t x)
{
    if (x < 0x80) {
        out[0] = (char)x;
        return 1;
    }
    size_t n = x < 0x800 ? 2 : x < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; x >>= 6)
        out[i] = (char)(0x80 | (x & 0x3F));
    out[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | x);
    return n;
}

static void test_every_number(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < 0x200000; x++) {
        char text[4];
        size_t n = encode(text, x);
        int is_one = (x < 0xD800 || x > 0xDFFF) && x <= 0x10FFFF;
        assert_int_equal(utf8_length(text, n, NULL), is_one ? n : 0);
        char back[4];
        size_t length = 0;
        if (is_one) {
            assert_int_equal(utf8_decode(text, &length), x);
            assert_int_equal(length, n);
            assert_int_equal(utf8_encode(back, x), n);
            assert_memory_equal(back, text, n);
        }
        /* Cut short it is none, and what is left is one mistake. */
        for (size_t len = 1; is_one && len < n; len++) {
            size_t bad = 0;
            assert_int_equal(utf8_length(text, len, &bad), 0);
            assert_int_equal(bad, len);
        }
    }
}

/* Unicode 15, tables 3-8 to 3-11: how many U+FFFD each text becomes. */
static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad[8]; // bytes of each mistake; 0: a character
    } rows[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82", {1, 1, 1, 1, 1, 1, 1, 1}},
        {"\xED\xA0\x80\xED\xBF\xBF", {1, 1, 1, 1, 1, 1}},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF", {1, 1, 1, 1, 1, 0, 1, 1}},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", {2, 1, 3, 2, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = rows[i].text;
        size_t left = strlen(at);
        for (size_t k = 0; left > 0; k++) {
            size_t bad = 0;
            size_t n = utf8_length(at, left, &bad);
            assert_int_equal(bad, rows[i].bad[k]);
            at += n + bad;
            left -= n + bad;
        }
    }
}

static void test_valid(void **state)
{
    (void)state;
    assert_int_equal(utf8_valid("", 0), 0);
    assert_int_equal(utf8_valid("a\xC3\xA4z", 4), 4);
    assert_int_equal(utf8_valid("a\xC3\xA4z", 2), 1); // cut short
    assert_int_equal(utf8_valid("ab\xFFz", 4), 2);
    assert_int_equal(utf8_valid("\x80", 1), 0);
    assert_int_equal(utf8_valid("a\0b", 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_json.c - reading, required members, and writing that reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    struct err err = {0};
    enum status status = json_parse(&root, text, strlen(text), "test", &err);
    if (status != OK)
        print_error("%s\n", err.text);
    assert_int_equal(status, OK);
    return root;
}

static void test_read(void **state)
{
    (void)state;
    struct json *root = parse("{\"z\": [1, 2.5, true, null, \"t\"],"
                              " \"a\": {\"k\": -7}}");
    const struct json *z = json_get(root, "z");
    assert_true(json_is_object(root) && json_is_array(z));
    assert_int_equal(json_size(root), 2);
    assert_int_equal(json_size(z), 5);
    assert_int_equal(json_int(json_at(z, 0), 0), 1);
    assert_true(json_number(json_at(z, 1), 0) == 2.5);
    assert_int_equal(json_int(json_at(z, 1), 99), 99);
    assert_true(json_bool(json_at(z, 2), false));
    assert_true(json_is_null(json_at(z, 3)));
    assert_string_equal(json_text(json_at(z, 4), ""), "t");
    assert_null(json_at(z, 5));
    assert_null(json_get(root, "b"));
    assert_null(json_get(z, "b"));
    assert_int_equal(json_int(json_get(json_get(root, "a"), "k"), 0), -7);

    /* File order, not alphabetical order. */
    const void *it = json_first(root);
    assert_string_equal(json_key(it), "z");
    it = json_next(root, it);
    assert_string_equal(json_key(it), "a");
    assert_true(json_is_object(json_value(it)));
    assert_null(json_next(root, it));
    json_free(root);
}

static void test_null_is_none_of_these(void **state)
{
    (void)state;
    assert_false(json_is_object(NULL) || json_is_array(NULL) ||
                 json_is_string(NULL) || json_is_number(NULL) ||
                 json_is_bool(NULL) || json_is_null(NULL));
    assert_int_equal(json_size(NULL), 0);
    assert_null(json_first(NULL));
    assert_null(json_get(NULL, "x"));
    assert_null(json_at(NULL, 0));
    assert_string_equal(json_text(NULL, "f"), "f");
    assert_int_equal(json_int(NULL, 3), 3);
    json_free(NULL);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "{",           "{\"a\":1,\"a\":2}", "[1] 2",   "[1,]",
        "nul",   "\"\\u0000\"", "\"\xff\"",          "[1e999]", "\"\\ud800\"",
        "{1:2}", "NaN",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json *root = NULL;
        struct err err = {0};
        assert_int_equal(
            json_parse(&root, bad[i], strlen(bad[i]), "file", &err),
            ERR_FORMAT);
        assert_null(root);
        assert_memory_equal(err.text, "file: column ", 13);
    }
    struct json *lines = NULL;
    struct err err = {0};
    assert_int_equal(json_parse(&lines, "{\n1", 3, "f", &err), ERR_FORMAT);
    assert_memory_equal(err.text, "f: line 2 column ", 17);
    char deep[20000];
    memset(deep, '[', sizeof deep);
    struct json *root = NULL;
    assert_int_equal(json_parse(&root, deep, sizeof deep, "deep", NULL),
                     ERR_FORMAT);
}

static void test_integers_beyond_64_bits(void **state)
{
    (void)state;
    struct json *root =
        parse("{\"max\": 1000000000000000019884624838656, \"n\": 12}");
    assert_true(json_number(json_get(root, "max"), 0) == 1e30);
    assert_int_equal(json_int(json_get(root, "max"), -1), -1);
    /* The other integers of such a document are still integers. */
    assert_int_equal(json_int(json_get(root, "n"), 0), 12);
    json_free(root);
}

static void test_need(void **state)
{
    (void)state;
    struct json *root = parse("{\"t\": \"x\", \"i\": 5, \"r\": 1.5}");
    const char *text = NULL;
    int64_t i = 0;
    double r = 0;
    struct err err = {0};
    assert_int_equal(json_need_text(&text, root, "t", "w", &err), OK);
    assert_int_equal(json_need_int(&i, root, "i", 0, 5, "w", &err), OK);
    assert_int_equal(json_need_number(&r, root, "i", "w", &err), OK);
    assert_int_equal(json_need_number(&r, root, "r", "w", &err), OK);
    assert_string_equal(text, "x");
    assert_int_equal(i, 5);
    assert_true(r == 1.5);
    assert_int_equal(json_need_text(&text, root, "i", "w", &err), ERR_FORMAT);
    assert_string_equal(err.text, "w: \"i\" is not a string");
    assert_int_equal(json_need_int(&i, root, "r", 0, 5, "w", &err), ERR_FORMAT);
    assert_string_equal(err.text, "w: \"r\" is not an integer");
    assert_int_equal(json_need_int(&i, root, "i", 0, 4, "w", &err), ERR_FORMAT);
    assert_string_equal(err.text, "w: \"i\" is 5, not in 0..4");
    assert_int_equal(json_need_number(&r, root, "no", "w", &err), ERR_FORMAT);
    assert_string_equal(err.text, "w: \"no\" is missing");
    json_free(root);
}

/* Brackets and commas in strings do not count, nor does the depth of what
 * is closed. */
static void test_shape(void **state)
{
    (void)state;
    static const char good[] = "{\"[[,\\\"[,\":[1,2],\"b\":[{}]}";
    struct err err = {0};
    size_t n = sizeof good - 1;
    assert_int_equal(json_check_shape(good, n, 3, 6, "x", &err), OK);
    assert_int_equal(json_check_shape(good, n, 2, 6, "x", &err), ERR_FORMAT);
    assert_string_equal(err.text, "x: JSON nests deeper than 2");
    assert_int_equal(json_check_shape(good, n, 3, 5, "x", &err), ERR_FORMAT);
    assert_string_equal(err.text, "x: JSON holds more than 5 values");
    assert_int_equal(json_check_shape("[][]", 4, 1, 1, "x", &err), ERR_FORMAT);
    assert_int_equal(json_check_shape("\"\\", 2, 0, 0, "x", &err), OK);
}

/* The parser allocates through mem, so every one of its failures shows. */
static void test_memory(void **state)
{
    (void)state;
    const char *text = "{\"a\": [1, 2, {\"b\": \"text\"}], \"c\": 1.5}";
    enum status status = ERR_MEMORY;
    long n = 0;
    for (; status != OK; n++) {
        struct json *root = NULL;
        struct err err = {0};
        mem_fail_at(n);
        status = json_parse(&root, text, strlen(text), "x", &err);
        assert_true(status == OK || status == ERR_MEMORY);
        json_free(root);
    }
    mem_fail_at(-1);
    assert_true(n > 5);
}

static void test_write(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10000);
    struct json_writer w;
    json_writer_init(&w, &b, false);
    json_open(&w, '{');
    json_field_int(&w, "i", INT64_MIN);
    json_field_text(&w, "s", "a\"\\\n\x01\xc3\xa9");
    json_field_text(&w, "n", NULL);
    json_field_bool(&w, "t", true);
    json_field_number(&w, "nan", NAN);
    json_field_floats(&w, "f", (float[]){0.1f, -2.0f, INFINITY}, 3);
    json_field_ints(&w, "k", (int32_t[]){1, -2}, 2);
    json_put_key(&w, "e");
    json_open(&w, '[');
    json_close(&w, ']');
    json_put_key(&w, "raw");
    json_put_raw(&w, "{}", 2);
    json_close(&w, '}');
    assert_string_equal(
        b.data,
        "{\"i\":-9223372036854775808,\"s\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\","
        "\"n\":null,\"t\":true,\"nan\":null,\"f\":[0.1,-2,null],"
        "\"k\":[1,-2],\"e\":[],\"raw\":{}}");

    buf_clear(&b);
    json_writer_init(&w, &b, true);
    json_open(&w, '{');
    json_field_int(&w, "a", 1);
    json_field_ints(&w, "k", (int32_t[]){1, 2}, 2);
    json_put_key(&w, "o");
    json_open(&w, '[');
    json_put_null(&w);
    json_close(&w, ']');
    json_close(&w, '}');
    assert_string_equal(b.data, "{\n  \"a\": 1,\n  \"k\": [1,2],\n"
                                "  \"o\": [\n    null\n  ]\n}");
    buf_free(&b);
}

static void test_dump(void **state)
{
    (void)state;
    const char *text = "{\"z\":[1,1.0,0.1,true,null,\"\xc3\xa9\\n\"],"
                       "\"a\":{\"k\":-7,\"e\":{},\"x\":1e+300}}";
    struct json *root = parse(text);
    struct buf b;
    buf_init(&b, 1000);
    json_dump(&b, root);
    assert_string_equal(b.data, text);
    buf_clear(&b);
    json_dump(&b, NULL);
    assert_string_equal(b.data, "null");
    buf_free(&b);
    json_free(root);
}

/* Unicode 15, table 3-8: one U+FFFD for each maximal part of a broken
 * sequence. */
static void test_invalid_utf8(void **state)
{
    (void)state;
#define BAD "\xEF\xBF\xBD"
    static const char *const cases[][2] = {
        {"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64",
         "\"a" BAD BAD BAD "b" BAD "c" BAD BAD "d\""},
        {"\xC0\xAF", "\"" BAD BAD "\""},
        {"\xE0\x80\xBF", "\"" BAD BAD BAD "\""},
        {"\xED\xA0\x80", "\"" BAD BAD BAD "\""},
        {"\xF4\x91\x92\x93\xFF", "\"" BAD BAD BAD BAD BAD "\""},
        {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""},
        {"\xE2\x82", "\"" BAD "\""},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_writer w;
        json_writer_init(&w, &b, false);
        json_put_text(&w, cases[i][0]);
        assert_string_equal(b.data, cases[i][1]);
        json_free(parse(b.data));
        buf_clear(&b);
    }
    buf_free(&b);
}

/* Significant digits of a number's text. */
static int digits_of(const char *text)
{
    int n = 0, zeros = 0;
    for (const char *p = text; *p != '\0' && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (n == 0 && *p == '0'))
            continue;
        n++;
        zeros = *p == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

static void check_float(struct buf *b, float x)
{
    struct json_writer w;
    json_writer_init(&w, b, false);
    buf_clear(b);
    json_put_float(&w, x);
    float back = strtof(b->data, NULL);
    assert_memory_equal(&back, &x, sizeof x);
    if (x == floorf(x) && fabs((double)x) < 1e15)
        return; // integers are written out
    char text[40];
    int digits = 1;
    for (; digits <= 9; digits++) {
        assert_true(snprintf(text, sizeof text, "%.*g", digits, x) > 0);
        if (strtof(text, NULL) == x)
            break;
    }
    assert_true(digits_of(b->data) <= digits);
}

static void test_floats(void **state)
{
    (void)state;
    static const float special[] = {
        0.0f,    -0.0f,  1.0f,         FLT_MIN,        FLT_MAX,
        0.1f,    1e-5f,  9.999999e-5f, 0.0001f,        1e15f,
        1e16f,   1e17f,  FLT_TRUE_MIN, 16777216.0f,    33554432.0f,
        1.5e-4f, 1e-45f, 8.5e37f,      9.8607613e-32f,
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        check_float(&b, special[i]);
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = rng_u32(&r);
        float x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            check_float(&b, x);
        check_float(&b, (float)(rng_normal(&r) * 3));
        check_float(&b, (float)rng_below(&r, 1000000) / 1000);
    }
    /* Every power of two: the gap below is half the gap above. */
    for (int e = -149; e < 128; e++) {
        check_float(&b, ldexpf(1.0f, e));
        check_float(&b, -ldexpf(1.0f, e));
    }
    buf_free(&b);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0.0"},
        {1.0, "1"},
        {0.1, "0.1"},
        {-1e14, "-100000000000000"},
        {1.0 / 3, "0.3333333333333333"},
        {1e300, "1e+300"},
        {0.1 + 0.2, "0.30000000000000004"},
        {INFINITY, "null"},
    };
    struct buf b;
    buf_init(&b, 1000);
    struct json_writer w;
    json_writer_init(&w, &b, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        json_put_number(&w, cases[i].x);
        assert_string_equal(b.data, cases[i].text);
    }
    struct rng r;
    rng_init(&r, 2, RNG_TEST, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        buf_clear(&b);
        json_put_number(&w, x);
        double back = strtod(b.data, NULL);
        assert_memory_equal(&back, &x, sizeof x);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_null_is_none_of_these),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_integers_beyond_64_bits),
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

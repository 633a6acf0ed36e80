/* test_import_value.c - what trainers write, read leniently; bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "import/value.h"

static struct arena arena;

static struct value parse(const char *text)
{
    struct value v;
    struct err err = {OK, ""};
    if (value_parse(&v, &arena, text, strlen(text), &err) != OK)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static double number(const char *text)
{
    struct value v = parse(text);
    return value_number(&v);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_true(number("0.5") == 0.5);
    assert_true(number("\"0.5\"") == 0.5);
    assert_true(number("\"-inf\"") == -(double)INFINITY);
    assert_true(number("Infinity") == (double)INFINITY);
    assert_true(isnan(number("NaN")) && isnan(number("null")));
    assert_true(number("[0.5]") == 0.5);
    assert_true(number("[[0.5]]") == 0.5);
    assert_true(number("[\"0.5\"]") == 0.5);
    assert_true(number("true") == 1);
    struct value v = parse("[1,2]");
    assert_false(value_is_number(&v));
    v = parse("\"half\"");
    assert_false(value_is_number(&v));
    v = parse("\"7\"");
    assert_int_equal(value_int(&v), 7);
    v = parse("7.5");
    assert_true(value_int(&v) == VALUE_NO_INT);
    v = parse("1e30");
    assert_true(value_int(&v) == VALUE_NO_INT);
    assert_true(isnan(value_number(NULL)));
}

static void test_lists(void **state)
{
    size_t n;
    (void)state;
    struct value v = parse("[1, null, NaN, \"4\", -5e0]");
    const double *x = value_numbers(&v, &n);
    assert_int_equal(n, 5);
    assert_true(x[0] == 1 && isnan(x[1]) && isnan(x[2]) && x[3] == 4 &&
                x[4] == -5);
    v = parse("[[1,2,3]]");
    x = value_numbers(&v, &n);
    assert_int_equal(n, 3);
    v = parse("[]");
    assert_non_null(value_numbers(&v, &n));
    assert_int_equal(n, 0);
    v = parse("[1, \"two\", {\"a\": [3]}]");
    assert_null(value_numbers(&v, &n));
    assert_int_equal(v.kind, VALUE_LIST);
    assert_int_equal(v.n, 3);
    assert_true(value_number(value_get(v.first->next->next, "a")) == 3);
}

static void test_objects(void **state)
{
    (void)state;
    struct value v = parse("[{\"a\": 1, \"b\": {\"c\": \"x\\n\"}, \"a\": 2}]");
    assert_true(value_number(value_get(&v, "a")) == 2);
    assert_string_equal(value_text(value_get(value_get(&v, "b"), "c")), "x\n");
    assert_null(value_get(&v, "d"));
    assert_null(value_get(NULL, "d"));
}

static void test_texts(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    struct value v = parse("[{\"role\":\"user\",\"content\":\"hi\"},"
                           "{\"role\":\"assistant\",\"content\":\"ho\"}]");
    assert_true(value_put_text(&out, &v));
    assert_string_equal(buf_text(&out), "user: hi\nassistant: ho");
    buf_clear(&out);
    v = parse("[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":1}]");
    assert_false(value_put_text(&out, &v));
    assert_string_equal(buf_text(&out), "");
    v = parse("17");
    assert_true(value_put_text(&out, &v));
    assert_string_equal(buf_text(&out), "17");
    buf_clear(&out);
    v = parse("{\"a\":[1,NaN,\"b\"],\"c\":{\"d\":null,\"e\":true}}");
    value_put_json(&out, &v);
    assert_string_equal(buf_text(&out),
                        "{\"a\":[1,null,\"b\"],\"c\":{\"d\":null,\"e\":true}}");
    buf_free(&out);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",    "{",           "[1,]", "{\"a\" 1}",
                                      "1 2", "\"\\u0000\"", "[1 2]"};
    struct value v;
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(value_parse(&v, &arena, bad[i], strlen(bad[i]), &err),
                         ERR_FORMAT);
        assert_non_null(strstr(err.text, "byte"));
    }
    /* Two bytes a value would be fifty times the memory. */
    size_t n = 2 * VALUE_NODES_MAX + 16;
    char *many = mem_calloc(n + 1, 1);
    memset(many, '[', 1);
    for (size_t i = 1; i < n - 2; i += 3)
        memcpy(many + i, "{},", 3);
    assert_int_equal(value_parse(&v, &arena, many, n, &err), ERR_FORMAT);
    n = 3 * (VALUE_NODES_MAX + 8);
    mem_free(many);
    many = mem_calloc(n + 2, 1);
    many[0] = '[';
    for (size_t i = 1; i + 3 <= n; i += 3)
        memcpy(many + i, "{},", 3);
    assert_int_equal(value_parse(&v, &arena, many, n, &err), ERR_LIMIT);
    mem_free(many);
    arena_reset(&arena);
    n = 2 * (VALUE_NUMBERS_MAX + 8);
    many = mem_calloc(n + 2, 1);
    many[0] = '[';
    for (size_t i = 1; i + 2 <= n; i += 2)
        memcpy(many + i, "0,", 2);
    memcpy(many + n - 1, "0]", 2);
    assert_int_equal(value_parse(&v, &arena, many, n + 1, &err), ERR_LIMIT);
    mem_free(many);
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_objects), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}

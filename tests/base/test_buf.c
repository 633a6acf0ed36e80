/* test_buf.c - growth, the bound, and errors that stick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"

static void test_append(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000000);
    assert_string_equal(buf_text(&b), "");
    for (int i = 0; i < 2000; i++) {
        buf_puts(&b, "ab");
        buf_putc(&b, 'c');
        buf_printf(&b, "%d-%s;", i, "text");
        assert_int_equal(b.data[b.len], 0);
    }
    size_t len = 0;
    for (int i = 0; i < 2000; i++) {
        char want[40];
        int n = snprintf(want, sizeof want, "abc%d-text;", i);
        assert_memory_equal(b.data + len, want, (size_t)n);
        len += (size_t)n;
    }
    assert_int_equal(b.len, len);
    assert_int_equal(buf_status(&b, NULL), OK);
    buf_append(&b, "x\0y", 3);
    assert_int_equal(b.len, len + 3);
    assert_memory_equal(b.data + len, "x\0y", 4);
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    buf_free(&b);
}

static void test_empty_append_gives_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_append(&b, NULL, 0);
    assert_non_null(b.data);
    assert_int_equal(buf_status(&b, NULL), OK);
    buf_putc(&b, 'x');
    assert_int_equal(buf_status(&b, NULL), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void test_limit_sticks(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, "0123456789"); // exactly full is fine
    assert_int_equal(buf_status(&b, NULL), OK);
    buf_puts(&b, "");
    assert_int_equal(buf_status(&b, NULL), OK);
    buf_putc(&b, 'x');
    struct err err = {0};
    assert_int_equal(buf_status(&b, &err), ERR_LIMIT);
    assert_string_equal(err.text, "text is longer than 10 bytes");
    buf_puts(&b, "");
    assert_int_equal(buf_status(&b, NULL), ERR_LIMIT);
    assert_string_equal(b.data, "0123456789");
    assert_null(buf_extend(&b, 0));

    buf_clear(&b);
    buf_printf(&b, "%s", "0123456789");
    assert_int_equal(buf_status(&b, NULL), OK);
    buf_clear(&b);
    buf_printf(&b, "%s", "01234567890");
    assert_int_equal(buf_status(&b, NULL), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    buf_free(&b);
}

static void test_huge_sizes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_putc(&b, 'x');
    assert_null(buf_extend(&b, SIZE_MAX));
    assert_int_equal(buf_status(&b, NULL), ERR_LIMIT);
    assert_string_equal(b.data, "x");
    buf_free(&b);
}

static void test_memory_failure_sticks(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    buf_puts(&b, "kept");
    mem_fail_at(0);
    assert_null(buf_extend(&b, 5000));
    mem_fail_at(-1);
    buf_puts(&b, "more");
    assert_int_equal(buf_status(&b, NULL), ERR_MEMORY);
    assert_string_equal(b.data, "kept");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_empty_append_gives_text),
        cmocka_unit_test(test_limit_sticks),
        cmocka_unit_test(test_huge_sizes),
        cmocka_unit_test(test_memory_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_mem.c - zeroed, aligned, overflow-checked; failures on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"

static void test_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = mem_calloc(n, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % MEM_ALIGN, 0);
        for (size_t i = 0; i < 3 * n; i++)
            assert_int_equal(p[i], 0);
        /* What is left behind must not show in the next one. */
        memset(p, 0xA5, 3 * n);
        mem_free(p);
    }
    mem_free(NULL);
    /* Large enough for huge pages, and no multiple of one. */
    size_t n = ((size_t)9 << 20) + 5;
    for (int again = 0; again < 2; again++) {
        unsigned char *p = mem_calloc(n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % ((size_t)2 << 20), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xA5, n);
        mem_free(p);
    }
}

/* As the zeroed ones in all but the zeros, which cannot be promised either. */
static void test_raw(void **state)
{
    static const size_t sizes[] = {0, 1, 300, ((size_t)9 << 20) + 5};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = mem_raw(sizes[i], 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % MEM_ALIGN, 0);
        memset(p, 0xA5, sizes[i]);
        mem_free(p);
    }
    mem_fail_at(0);
    assert_null(mem_raw(3, 5));
    assert_int_equal(mem_count(), 1);
    mem_fail_at(-1);
}

static void test_overflow(void **state)
{
    (void)state;
    assert_null(mem_raw(SIZE_MAX / 2, 3));
    assert_null(mem_calloc(SIZE_MAX / 2, 3));
    assert_null(mem_calloc(SIZE_MAX, SIZE_MAX));
    size_t product = 5;
    struct err err = {0};
    assert_int_equal(mem_multiply(&product, SIZE_MAX, 2, &err), ERR_LIMIT);
    assert_int_equal(product, 5);
    assert_int_equal(mem_multiply(&product, SIZE_MAX, 1, &err), OK);
    assert_true(product == SIZE_MAX);
    assert_int_equal(mem_multiply(&product, 6, 0, &err), OK);
    assert_int_equal(product, 0);
}

static void test_grow(void **state)
{
    (void)state;
    int *p = mem_grow(NULL, 0, 3, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < 3; i++)
        p[i] = i + 1;
    p = mem_grow(p, 3, 50, sizeof *p);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % MEM_ALIGN, 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(p[i], i < 3 ? i + 1 : 0);
    p = mem_grow(p, 50, 2, sizeof *p);
    assert_int_equal(p[1], 2);
    mem_fail_at(0);
    assert_null(mem_grow(p, 2, 4, sizeof *p));
    assert_int_equal(p[1], 2);
    mem_free(p);
}

static void test_room(void **state)
{
    int *list = NULL;
    size_t n = 0, room = 0, moves = 0;
    struct err err = {OK, ""};
    (void)state;
    for (; n < 1000; n++) {
        size_t before = room;
        assert_int_equal(MEM_ROOM(list, n, room, &err), OK);
        moves += room != before;
        assert_true(n < room);
        list[n] = (int)n;
    }
    assert_int_equal(moves, 5); // 64, 128, ..., 1024
    for (size_t i = 0; i < n; i++)
        assert_int_equal(list[i], i);
    n = room;
    mem_fail_at(0);
    assert_int_equal(MEM_ROOM(list, n, room, &err), ERR_MEMORY);
    assert_non_null(strstr(err.text, "list"));
    assert_int_equal(room, 1024);
    assert_int_equal(list[999], 999);
    mem_free(list);
}

static void test_failure_on_request(void **state)
{
    (void)state;
    mem_fail_at(2);
    for (int i = 0; i < 6; i++) {
        void *p = mem_calloc(1, 1);
        if (i == 2)
            assert_null(p);
        else
            assert_non_null(p);
        mem_free(p);
    }
    assert_int_equal(mem_count(), 6);
    mem_fail_at(0);
    mem_fail_at(-1);
    void *p = mem_calloc(1, 1);
    assert_non_null(p);
    mem_free(p);
    assert_int_equal(mem_count(), 1);

    char *many = NULL;
    struct err err = {0};
    mem_fail_at(0);
    assert_int_equal(MEM_NEW(many, 4, &err), ERR_MEMORY);
    assert_string_equal(err.text, "out of memory: 4 x 1 bytes for many");
}

static void test_strdup(void **state)
{
    (void)state;
    char *copy = mem_strdup("plumb");
    assert_string_equal(copy, "plumb");
    mem_free(copy);
    mem_fail_at(0);
    assert_null(mem_strdup("x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_and_aligned),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_failure_on_request),
        cmocka_unit_test(test_strdup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

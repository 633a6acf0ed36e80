/* test_arena.c - pieces never overlap, steady loops stop allocating. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

#define PIECES 200

/* Sizes that cross the first block several times. */
static size_t piece_size(size_t i)
{
    return i * 97 % 4001;
}

static void take_and_fill(struct arena *a)
{
    unsigned char *piece[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        piece[i] = arena_alloc(a, piece_size(i), 1);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % MEM_ALIGN, 0);
        memset(piece[i], (int)i, piece_size(i));
    }
    /* A piece that overlapped a later one would hold the later one's number. */
    for (size_t i = 0; i < PIECES; i++)
        for (size_t j = 0; j < piece_size(i); j++)
            assert_int_equal(piece[i][j], (unsigned char)i);
}

static void test_pieces_and_steady_loop(void **state)
{
    (void)state;
    struct arena a = {0};
    take_and_fill(&a);
    size_t used = a.used;
    assert_true(used >= 65536 * 2);
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_int_equal(a.peak, used);

    mem_fail_at(-1);
    for (int step = 0; step < 3; step++) {
        take_and_fill(&a);
        assert_int_equal(a.used, used);
        arena_reset(&a);
    }
    assert_int_equal(mem_count(), 0);
    arena_free(&a);
    assert_null(a.block);
}

/* A raw one differs in nothing that a caller may rely on. */
static void test_raw(void **state)
{
    (void)state;
    struct arena a = {.is_raw = true};
    for (int step = 0; step < 3; step++) {
        take_and_fill(&a);
        arena_reset(&a);
    }
    arena_free(&a);
    assert_true(a.is_raw);
    take_and_fill(&a);
    arena_free(&a);
}

static void test_failures(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_null(arena_alloc(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX, 1));
    /* Nothing was broken by it. */
    int *p = NULL;
    struct err err = {0};
    assert_int_equal(ARENA_NEW(&a, p, 10, &err), OK);
    p[9] = 1;
    size_t used = a.used;
    assert_int_equal(ARENA_NEW(&a, p, SIZE_MAX / 8, &err), ERR_MEMORY);
    assert_int_equal(a.used, used);
    arena_free(&a);

    /* When a whole block cannot be had, one of the size asked for will do. */
    mem_fail_at(0);
    assert_non_null(arena_alloc(&a, 1, 1));
    arena_free(&a);
}

static void test_text(void **state)
{
    (void)state;
    struct arena a = {0};
    struct err err = {0};
    const char *copy = NULL, *none = NULL;
    assert_int_equal(arena_text(&copy, &a, "four words", 4, &err), OK);
    assert_string_equal(copy, "four");
    assert_int_equal(arena_text(&none, &a, "", 0, &err), OK);
    assert_string_equal(none, "");
    assert_string_equal(copy, "four");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_and_steady_loop),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

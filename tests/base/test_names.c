/* test_names.c - indices of texts, their order, and running out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/names.h"

static void same_text_same_index(void **state)
{
    (void)state;
    struct names s = {.text = NULL};
    struct err err;
    size_t a, b, c;
    assert_int_equal(names_find(&s, "a"), SIZE_MAX);
    assert_int_equal(names_add(&s, &a, "b", &err), OK);
    assert_int_equal(names_add(&s, &b, "", &err), OK);
    assert_int_equal(names_add(&s, &c, "b", &err), OK);
    assert_int_equal(a, 0);
    assert_int_equal(b, 1);
    assert_int_equal(c, 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.text[0], "b");
    assert_int_equal(names_find(&s, ""), 1);
    assert_int_equal(names_find(&s, "c"), SIZE_MAX);
    names_free(&s);
}

/* What is taken back is as if it had not been there, across the table's
 * growth, and comes in anew. */
static void names_are_taken_back(void **state)
{
    (void)state;
    enum {
        N = 3001
    };
    struct names s = {.text = NULL};
    struct err err;
    char text[32];
    size_t index;
    for (size_t keep = 0; keep < N; keep += 500) {
        for (size_t i = s.n; i < N; i++) {
            (void)snprintf(text, sizeof text, "%zu", i * 7919 % 10007);
            assert_int_equal(names_add(&s, &index, text, &err), OK);
            assert_int_equal(index, i);
        }
        names_cut(&s, N);
        names_cut(&s, keep);
        assert_int_equal(s.n, keep);
        for (size_t i = 0; i < N; i++) {
            (void)snprintf(text, sizeof text, "%zu", i * 7919 % 10007);
            assert_int_equal(names_find(&s, text), i < keep ? i : SIZE_MAX);
        }
    }
    names_free(&s);
}

/* Enough to grow many times, in an order that is not theirs. */
static void many_names_have_their_places(void **state)
{
    (void)state;
    enum {
        N = 10007
    };
    struct names s = {.text = NULL};
    struct err err;
    size_t *place = calloc(N, sizeof *place);
    assert_non_null(place);
    for (size_t i = 0; i < N; i++) {
        char text[16];
        size_t index;
        snprintf(text, sizeof text, "%05zu", i * 7 % N);
        assert_int_equal(names_add(&s, &index, text, &err), OK);
        assert_int_equal(index, i);
    }
    assert_int_equal(names_places(place, &s, &err), OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(place[i], i * 7 % N);
        assert_int_equal(names_find(&s, s.text[i]), i);
    }
    free(place);
    names_free(&s);
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    for (long fail = 0; fail < 3; fail++) {
        struct names s = {.text = NULL};
        struct err err;
        size_t index = 77;
        mem_fail_at(fail);
        assert_int_equal(names_add(&s, &index, "x", &err), ERR_MEMORY);
        mem_fail_at(-1);
        assert_int_equal(index, 77);
        assert_int_equal(s.n, 0);
        assert_int_equal(names_add(&s, &index, "x", &err), OK);
        assert_int_equal(index, 0);
        names_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_same_index),
        cmocka_unit_test(names_are_taken_back),
        cmocka_unit_test(many_names_have_their_places),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_rate.c - token buckets: what is given, what fills again, and a table
 * that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/rate.h"

static struct rate *make(size_t sets, double per_s, double burst)
{
    struct rate *r = NULL;
    struct err err = {OK, ""};
    assert_int_equal(rate_create(&r, sets, per_s, burst, &err), OK);
    return r;
}

static void test_burst_and_refill(void **state)
{
    struct rate *r = make(4, 2.0, 3.0);
    int64_t wait = 0;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(rate_take(r, "a", 1, 1000, &wait));
    assert_false(rate_take(r, "a", 1, 1000, &wait));
    assert_int_equal(wait, 500); // two a second, and none is there
    assert_false(rate_take(r, "a", 1, 1499, &wait));
    assert_true(rate_take(r, "a", 1, 1500, &wait));
    assert_false(rate_take(r, "a", 1, 1500, &wait));
    /* Never more than the burst, and a clock that went back gives nothing. */
    for (int i = 0; i < 3; i++)
        assert_true(rate_take(r, "a", 1, 1000000, NULL));
    assert_false(rate_take(r, "a", 1, 1000000, NULL));
    assert_false(rate_take(r, "a", 1, 5, NULL));
    rate_destroy(r);
}

static void test_keys_are_apart(void **state)
{
    struct rate *r = make(64, 1.0, 1.0);
    (void)state;
    assert_true(rate_take(r, "a", 1, 0, NULL));
    assert_true(rate_take(r, "b", 1, 0, NULL));
    assert_true(rate_take(r, "aa", 2, 0, NULL));
    assert_false(rate_take(r, "a", 1, 0, NULL));
    rate_destroy(r);
}

/* Of one set's eight places, those who were refused keep theirs while others
 * with more tokens make room. */
static void test_full(void **state)
{
    struct rate *r = make(1, 0.001, 2.0);
    (void)state;
    for (int i = 0; i < 3; i++)
        (void)rate_take(r, "busy", 4, 0, NULL);
    for (int i = 0; i < 1000; i++)
        assert_true(rate_take(r, &i, sizeof i, 0, NULL));
    assert_false(rate_take(r, "busy", 4, 0, NULL));
    rate_destroy(r);
}

static void test_refused(void **state)
{
    struct rate *r = NULL;
    struct err err = {OK, ""};
    (void)state;
    assert_int_equal(rate_create(&r, 3, 1.0, 1.0, &err), ERR_ARG);
    assert_int_equal(rate_create(&r, 0, 1.0, 1.0, &err), ERR_ARG);
    assert_int_equal(rate_create(&r, 4, 0.0, 1.0, &err), ERR_ARG);
    assert_int_equal(rate_create(&r, 4, 1.0, 0.5, &err), ERR_ARG);
    assert_null(r);
    rate_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),
        cmocka_unit_test(test_keys_are_apart),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

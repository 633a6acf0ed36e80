/* Every observation: yes, no and undecided, on both sides of each bound. */
#include "eval/observe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct estimate interval(double low, double high)
{
    return (struct estimate){(low + high) / 2, low, high, 100};
}

static void test_reward(void **state)
{
    (void)state;
    struct estimate e = interval(0.01, 2);
    assert_int_equal(observe_reward_up(&e), OBSERVATION_YES);
    e = interval(-1, 0.09);
    assert_int_equal(observe_reward_up(&e), OBSERVATION_NO);
    e = interval(-0.2, 0.2);
    assert_int_equal(observe_reward_up(&e), OBSERVATION_OPEN);
}

static void test_verbosity(void **state)
{
    (void)state;
    struct estimate e = interval(1.11, 1.3);
    assert_int_equal(observe_verbosity_up(&e), OBSERVATION_YES);
    e = interval(0.9, 1.1);
    assert_int_equal(observe_verbosity_up(&e), OBSERVATION_NO);
    e = interval(1.05, 1.2);
    assert_int_equal(observe_verbosity_up(&e), OBSERVATION_OPEN);
}

static void test_kl(void **state)
{
    (void)state;
    struct estimate e = interval(0.01, 0.2);
    assert_int_equal(observe_kl_up(&e, 60, 6), OBSERVATION_YES);
    /* 0.009 * 60 = 0.54 < 0.6 = 10 % of 6; at 0.011 it is 0.66. */
    e = interval(-0.1, 0.009);
    assert_int_equal(observe_kl_up(&e, 60, 6), OBSERVATION_NO);
    e = interval(-0.1, 0.011);
    assert_int_equal(observe_kl_up(&e, 60, 6), OBSERVATION_OPEN);
}

static void test_human(void **state)
{
    (void)state;
    struct estimate none = interval(-0.1, 0.04);
    struct estimate more = interval(0.01, 0.2);
    struct estimate some = interval(-0.1, 0.06);
    struct estimate lost = interval(0.3, 0.49);
    struct estimate even = interval(0.46, 0.54);
    struct estimate wide = interval(0.4, 0.6);
    assert_int_equal(observe_human_down(&lost, &none), OBSERVATION_YES);
    assert_int_equal(observe_human_down(&even, &more), OBSERVATION_YES);
    assert_int_equal(observe_human_down(&even, &none), OBSERVATION_NO);
    assert_int_equal(observe_human_down(&even, &some), OBSERVATION_OPEN);
    assert_int_equal(observe_human_down(&wide, &none), OBSERVATION_OPEN);
    assert_int_equal(observe_gold_down(&lost), OBSERVATION_YES);
    assert_int_equal(observe_gold_down(&even), OBSERVATION_NO);
    assert_int_equal(observe_gold_down(&wide), OBSERVATION_OPEN);
}

/* No interval, no verdict: not a yes, and not a no either. */
static void test_nothing(void **state)
{
    (void)state;
    struct estimate e = summary_nothing();
    assert_int_equal(observe_reward_up(&e), OBSERVATION_OPEN);
    assert_int_equal(observe_verbosity_up(&e), OBSERVATION_OPEN);
    assert_int_equal(observe_kl_up(&e, 60, 6), OBSERVATION_OPEN);
    assert_int_equal(observe_human_down(&e, &e), OBSERVATION_OPEN);
    assert_int_equal(observe_gold_down(&e), OBSERVATION_OPEN);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1000);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    observe_write(&w, "a", OBSERVATION_YES);
    observe_write(&w, "b", OBSERVATION_NO);
    observe_write(&w, "c", OBSERVATION_OPEN);
    json_close(&w, '}');
    struct json *doc;
    struct err err;
    assert_int_equal(json_parse(&doc, buf_text(&out), out.len, "x", &err), OK);
    assert_true(json_bool(json_get(doc, "a"), false));
    assert_true(json_is_bool(json_get(doc, "b")));
    assert_false(json_bool(json_get(doc, "b"), true));
    assert_true(json_is_null(json_get(doc, "c")));
    json_free(doc);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reward),  cmocka_unit_test(test_verbosity),
        cmocka_unit_test(test_kl),      cmocka_unit_test(test_human),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

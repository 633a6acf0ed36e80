/* Learning-rate factors at the places where they are known by hand. */
#include "rlhf/schedule.h"

#include "rlhf/near.h"

/* A handful of roundings of numbers near one. */
#define ROUNDING 1e-15

static void test_warmup_rises_to_one(void **state)
{
    (void)state;
    static const enum schedule kinds[] = {SCHEDULE_CONSTANT, SCHEDULE_LINEAR,
                                          SCHEDULE_COSINE};
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (int64_t t = 1; t <= 4; t++)
            assert_near(schedule_factor(kinds[k], t, 10, 4, 0.1),
                        (double)t / 4.0, 0.0);
    /* A run shorter than its warm-up never gets past it. */
    assert_near(schedule_factor(SCHEDULE_COSINE, 3, 3, 6, 0.0), 0.5, 0.0);
}

static void test_constant_stays(void **state)
{
    (void)state;
    for (int64_t t = 1; t <= 12; t++)
        assert_near(schedule_factor(SCHEDULE_CONSTANT, t, 10, 0, 0.1), 1.0,
                    0.0);
}

static void test_linear_falls_to_low(void **state)
{
    (void)state;
    assert_near(schedule_factor(SCHEDULE_LINEAR, 7, 10, 4, 0.1), 0.55,
                ROUNDING);
    assert_near(schedule_factor(SCHEDULE_LINEAR, 10, 10, 4, 0.1), 0.1,
                ROUNDING);
    assert_near(schedule_factor(SCHEDULE_LINEAR, 1, 10, 0, 0.0), 0.9, ROUNDING);
    assert_near(schedule_factor(SCHEDULE_LINEAR, 11, 10, 4, 0.1), 0.1,
                ROUNDING);
    /* Equal steps. */
    double step = schedule_factor(SCHEDULE_LINEAR, 5, 10, 4, 0.1) - 1.0;
    for (int64_t t = 6; t <= 10; t++)
        assert_near(schedule_factor(SCHEDULE_LINEAR, t, 10, 4, 0.1) -
                        schedule_factor(SCHEDULE_LINEAR, t - 1, 10, 4, 0.1),
                    step, ROUNDING);
}

static void test_cosine_is_half_a_wave(void **state)
{
    (void)state;
    /* cos at 60, 90 and 120 degrees: .5, 0, -.5. */
    assert_near(schedule_factor(SCHEDULE_COSINE, 6, 10, 4, 0.2), 0.8, ROUNDING);
    assert_near(schedule_factor(SCHEDULE_COSINE, 7, 10, 4, 0.2), 0.6, ROUNDING);
    assert_near(schedule_factor(SCHEDULE_COSINE, 8, 10, 4, 0.2), 0.4, ROUNDING);
    assert_near(schedule_factor(SCHEDULE_COSINE, 10, 10, 4, 0.2), 0.2,
                ROUNDING);
    assert_near(schedule_factor(SCHEDULE_COSINE, 99, 10, 4, 0.2), 0.2,
                ROUNDING);
}

static void test_line_meets_both_ends(void **state)
{
    (void)state;
    static const double want[] = {3, 2.25, 1.5, 0.75, 0};
    for (int64_t i = 0; i < 5; i++)
        assert_near(schedule_line(3, 0, i, 5), want[i], ROUNDING);
    assert_near(schedule_line(3, 0, 0, 1), 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warmup_rises_to_one),
        cmocka_unit_test(test_constant_stays),
        cmocka_unit_test(test_linear_falls_to_low),
        cmocka_unit_test(test_cosine_is_half_a_wave),
        cmocka_unit_test(test_line_meets_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

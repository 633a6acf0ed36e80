/*
 * test_alarm_series.c - alarms of a run's series: raised exactly where the rule
 * says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/alarm.h"

enum {
    N = 40
};

static int64_t step[N];
static double flat[N], rising[N], falling[N], negative[N];

/* A little noise that repeats, so that a flat series has a spread. */
static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        double noise = 0.1 * (double)(i * 7 % 5 - 2);
        step[i] = i + 1;
        flat[i] = 5 + noise;
        rising[i] = 5 + 0.5 * i + noise;
        falling[i] = 5 - 0.12 * i + noise / 100;
        negative[i] = -0.2 + noise;
    }
    return 0;
}

static struct alarm_series series(void)
{
    return (struct alarm_series){.n = N,
                                 .step = step,
                                 .kl = flat,
                                 .entropy = flat,
                                 .explained = flat,
                                 .length = flat,
                                 .kl_target = (double)NAN};
}

static void judge(struct alarm alarm[ALARMS], const struct alarm_series *s)
{
    memset(alarm, 0, ALARMS * sizeof *alarm);
    alarm_judge_series(alarm, s);
}

static void test_quiet(void **state)
{
    (void)state;
    struct alarm a[ALARMS];
    struct alarm_series s = series();
    judge(a, &s);
    for (int k = 0; k < ALARMS; k++)
        assert_false(alarm_is_raised(&a[k]));
    assert_int_equal(a[ALARM_OF_KL].state, ALARM_QUIET);
    assert_int_equal(alarm_direction(flat, N), 0);
    assert_int_equal(alarm_direction(rising, N), 1);
    assert_int_equal(alarm_direction(falling, N), -1);
    assert_int_equal(alarm_direction(rising, 5), 0); // too few to say
}

static void test_raised(void **state)
{
    (void)state;
    struct alarm a[ALARMS];
    struct alarm_series s = series();
    s.kl = rising;
    s.length = rising;
    s.entropy = falling;
    s.explained = negative;
    s.not_finite = "loss/value_avg";
    judge(a, &s);
    for (int k = 0; k < ALARMS; k++)
        assert_true(k == ALARM_OF_PARADOX || alarm_is_raised(&a[k]));
    /* Above 10 from 5 + 0.5 i > 10 on; 0.2 of noise at most. */
    assert_in_range(a[ALARM_OF_KL].since, 11, 13);
    assert_non_null(strstr(a[ALARM_OF_NAN].text, "loss/value_avg"));
    s.kl_target = 100; // not above its target
    judge(a, &s);
    assert_false(alarm_is_raised(&a[ALARM_OF_KL]));
}

static void test_too_little(void **state)
{
    (void)state;
    struct alarm a[ALARMS];
    struct alarm_series s = series();
    s.n = 4;
    s.length = NULL;
    judge(a, &s);
    assert_int_equal(a[ALARM_OF_KL].state, ALARM_UNKNOWN);
    assert_int_equal(a[ALARM_OF_LENGTH].state, ALARM_UNKNOWN);
    s.n = 0;
    judge(a, &s);
    assert_int_equal(a[ALARM_OF_NAN].state, ALARM_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_raised),
        cmocka_unit_test(test_too_little),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Ticks are round and cover the data; drawings stay inside their box whatever
 * the numbers are. */
#include "report/chart.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

static void test_known_ticks(void **state)
{
    (void)state;
    double tick[CHART_TICKS_MAX];
    int decimals;
    assert_int_equal(chart_ticks(tick, &decimals, 0, 10, 5), 6);
    assert_true(tick[0] == 0 && tick[1] == 2 && tick[5] == 10);
    assert_int_equal(decimals, 0);
    assert_int_equal(chart_ticks(tick, &decimals, -0.3, 1.74, 5), 6);
    assert_true(fabs(tick[0] + 0.5) < 1e-15 && fabs(tick[5] - 2) < 1e-15);
    assert_int_equal(decimals, 1);
}

static void test_ticks_cover(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (int i = 0; i < 20000; i++) {
        double size = pow(10, 40 * rng_uniform(&rng) - 20);
        double a = size * rng_normal(&rng);
        double b = i % 10 == 0 ? a : size * rng_normal(&rng);
        double low = fmin(a, b);
        double high = fmax(a, b);
        double tick[CHART_TICKS_MAX];
        int decimals;
        size_t n = chart_ticks(tick, &decimals, a, b, 5);
        assert_in_range(n, 2, CHART_TICKS_MAX);
        double step = tick[1] - tick[0];
        /* Data may pass the outer ticks by a millionth of a step. */
        if (!(tick[0] <= low + 1e-5 * step &&
              high - 1e-5 * step <= tick[n - 1]))
            fail_msg("[%g, %g] is not covered by [%g, %g]", low, high, tick[0],
                     tick[n - 1]);
        for (size_t k = 1; k < n; k++)
            assert_true(tick[k] > tick[k - 1]);
        assert_in_range(decimals, 0, 12);
    }
}

static void test_odd_ranges(void **state)
{
    static const double range[][2] = {
        {0, 0},           {5, 5},          {(double)NAN, 1},
        {1, (double)NAN}, {-1e308, 1e308}, {(double)INFINITY, 0},
        {1e-320, 2e-320}, {3, 1},          {1e15, 1e15 + 1}};
    (void)state;
    for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
        double tick[CHART_TICKS_MAX];
        int decimals;
        size_t n = chart_ticks(tick, &decimals, range[i][0], range[i][1], 5);
        assert_in_range(n, 2, CHART_TICKS_MAX);
        for (size_t k = 0; k < n; k++)
            assert_true(isfinite(tick[k]));
        assert_true(tick[n - 1] > tick[0]);
    }
}

/* Every number inside an attribute or path lies in the drawing. */
static void assert_inside(const char *svg)
{
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    for (const char *at = strstr(svg, " d=\""); at != NULL;
         at = strstr(at, " d=\"")) {
        at += 4;
        while (*at != '"') {
            if ((*at >= '0' && *at <= '9') || *at == '-') {
                char *end;
                double v = strtod(at, &end);
                assert_true(v >= -1 && v <= 461);
                at = end;
            } else {
                at++;
            }
        }
    }
}

static void test_plot(void **state)
{
    (void)state;
    const double x[] = {0, 10, 20, (double)NAN, 40, 50};
    const double y[] = {1, 2, (double)NAN, 4, 1e6, -3};
    const double low[] = {0, 1, 1, 3, (double)NAN, -4};
    const double high[] = {2, 3, 3, 5, 2e6, -2};
    const char *const label[] = {"<0>", NULL, NULL, NULL, "4", "5"};
    const struct chart_series series[] = {
        {.name = "training", .mark = CHART_THIN, .x = x, .y = y, .n = 6},
        {.name = "held-out",
         .color = 1,
         .x = x,
         .y = y,
         .low = low,
         .high = high,
         .label = label,
         .n = 6}};
    const struct chart c = {.title = "a <title>",
                            .x_label = "x",
                            .y_label = "y",
                            .series = series,
                            .n = 2};
    struct buf out;
    struct html h;
    buf_init(&out, 1 << 20);
    html_init(&h, &out);
    chart_plot(&h, &c);
    const char *svg = buf_text(&out);
    assert_non_null(strstr(svg, "viewBox=\"0 0 460 280\""));
    assert_non_null(strstr(svg, "a &lt;title&gt;"));
    assert_non_null(strstr(svg, "&lt;0&gt;"));
    assert_non_null(strstr(svg, "held-out"));
    assert_inside(svg);
    /* The line is broken where a point is missing: two stretches each. */
    int moves = 0;
    for (const char *at = strstr(svg, "class=\"line s1\" d="); at != NULL;
         at = strstr(at + 1, "class=\"line s1\" d="))
        moves++;
    assert_int_equal(moves, 2);
    assert_int_equal(h.depth, 0);
    buf_free(&out);
}

static void test_empty(void **state)
{
    (void)state;
    const struct chart c = {.title = "t", .x_label = "x", .y_label = "y"};
    struct buf out;
    struct html h;
    struct err err;
    buf_init(&out, 1 << 20);
    html_init(&h, &out);
    chart_plot(&h, &c);
    assert_non_null(strstr(buf_text(&out), "nothing was measured"));
    buf_clear(&out);
    const struct chart_sample none = {"a", 0, NULL, 0};
    assert_int_equal(chart_histogram(&h, "t", "x", &none, 1, &err), OK);
    assert_non_null(strstr(buf_text(&out), "nothing was measured"));
    assert_int_equal(h.depth, 0);
    buf_free(&out);
}

static void test_histogram(void **state)
{
    (void)state;
    const double a[] = {1, 2, 2, 3, (double)NAN, 100};
    const double b[] = {50, 50, 50};
    const struct chart_sample sample[] = {{"policy", 0, a, 6},
                                          {"reference", 1, b, 3}};
    struct buf out;
    struct html h;
    struct err err;
    buf_init(&out, 1 << 20);
    html_init(&h, &out);
    assert_int_equal(chart_histogram(&h, "t", "tokens", sample, 2, &err), OK);
    assert_inside(buf_text(&out));
    /* All of b lies in one bin: the scale goes to 100 %. */
    assert_non_null(strstr(buf_text(&out), ">100</text>"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ticks), cmocka_unit_test(test_ticks_cover),
        cmocka_unit_test(test_odd_ranges),  cmocka_unit_test(test_plot),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

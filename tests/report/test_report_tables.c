/* Lines of config.yaml become dotted names. */
#include "report/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report/measure.h"

static void test_yaml(void **state)
{
    static const struct {
        const char *line, *path, *value; // path NULL: no value here
    } lines[] = {
        {"# a comment: not this", NULL, NULL},
        {"seed: 7", "seed", "7"},
        {"", NULL, NULL},
        {"ppo:", NULL, NULL},
        {"  beta: 0.02", "ppo.beta", "0.02"},
        {"  loss:", NULL, NULL},
        {"    clip_low: 0.2", "ppo.loss.clip_low", "0.2"},
        {"  model: ../sft", "ppo.model", "../sft"},
        {"optimizer:", NULL, NULL},
        {"  lr: 3e-4", "optimizer.lr", "3e-4"},
        {"name: \"a: b\"", "name", "\"a: b\""},
        {"no colon here", NULL, NULL},
    };
    (void)state;
    struct tables_path path = {.depth = 0};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct tables_line line;
        bool has = tables_parse_line(&line, &path, lines[i].line,
                                     strlen(lines[i].line));
        assert_int_equal(has, lines[i].path != NULL);
        if (!has || lines[i].path == NULL)
            continue;
        assert_string_equal(line.path, lines[i].path);
        assert_int_equal(line.len, strlen(lines[i].value));
        assert_memory_equal(line.value, lines[i].value, line.len);
    }
}

/* Nesting and names beyond all bounds are passed over, not written past. */
static void test_yaml_bounds(void **state)
{
    (void)state;
    struct tables_path path = {.depth = 0};
    struct tables_line line;
    char text[512];
    for (int depth = 0; depth < 40; depth++) {
        int n = snprintf(text, sizeof text, "%*skey%d:", depth, "", depth);
        assert_false(tables_parse_line(&line, &path, text, (size_t)n));
    }
    memset(text, 'k', sizeof text);
    text[510] = ':';
    text[511] = '1';
    assert_false(tables_parse_line(&line, &path, text, sizeof text));
    assert_true(tables_parse_line(&line, &path, "x: 1", 4));
    assert_string_equal(line.path, "x");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(measure_format(1.736, MEASURE_SIGNED).text, "+1.74");
    assert_string_equal(measure_format(-0.0412, MEASURE_PLAIN).text,
                        "\xE2\x88\x92"
                        "0.041");
    assert_string_equal(measure_format(0.957, MEASURE_PERCENT).text,
                        "95.7\xC2\xA0%");
    assert_string_equal(measure_format(0.21, MEASURE_POINTS).text,
                        "+21.0\xC2\xA0points");
    assert_string_equal(measure_format(1.93, MEASURE_TIMES).text,
                        "1.93\xC3\x97");
    assert_string_equal(measure_digits(0.123456).text, "0.1235");
    struct estimate e = {1, 0.5, 1.5, 3};
    assert_string_equal(measure_interval(&e, MEASURE_PLAIN).text,
                        "0.50 to 1.50");
    e = (struct estimate){0.3, 0.279, 0.345, 3};
    assert_string_equal(measure_interval(&e, MEASURE_PERCENT).text,
                        "27.9 to 34.5");
    e = (struct estimate){0.1, 0.065, 0.145, 3};
    assert_string_equal(measure_interval(&e, MEASURE_SIGNED).text,
                        "0.065 to 0.145");
    e = summary_nothing();
    assert_string_equal(measure_interval(&e, MEASURE_PLAIN).text,
                        "no interval");
    assert_string_equal(measure_format(e.low, MEASURE_PLAIN).text,
                        "\xE2\x80\x93");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_yaml_bounds),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

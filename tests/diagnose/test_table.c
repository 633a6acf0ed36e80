/* test_table.c - a probe's columns, and files that are none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/table.h"
#include "eval/files.h"

FILES_FIXTURE(dir)

static void test_columns(void **state)
{
    (void)state;
    struct table t;
    struct err err;
    const char *path = files_write(
        dir, "a.json",
        "{\"probe\":\"x\",\"columns\":{\"n\":[1,null,-2.5],"
        "\"id\":[null,\"b\",\"\"],\"is\":[true,false,null],\"none\":[null,"
        "null,null]}}");
    files_must(table_read(&t, path, &err), &err);
    assert_int_equal(t.n, 3);
    const double *n = table_numbers(&t, "n");
    assert_non_null(n);
    assert_true(n[0] == 1 && isnan(n[1]) && n[2] == -2.5);
    const char *const *id = table_texts(&t, "id");
    assert_non_null(id);
    assert_null(id[0]);
    assert_string_equal(id[1], "b");
    assert_string_equal(id[2], "");
    const double *is = table_numbers(&t, "is");
    assert_true(is[0] == 1 && is[1] == 0 && isnan(is[2]));
    assert_true(isnan(table_numbers(&t, "none")[2]));
    assert_null(table_numbers(&t, "id"));
    assert_null(table_texts(&t, "n"));
    assert_null(table_numbers(&t, "absent"));
    table_free(&t);
}

static void test_no_columns(void **state)
{
    (void)state;
    struct table t;
    struct err err;
    files_must(table_read(&t,
                          files_write(dir, "b.json", "{\"class\":\"acts\"}"),
                          &err),
               &err);
    assert_int_equal(t.n, 0);
    assert_string_equal(json_text(json_get(t.json, "class"), ""), "acts");
    table_free(&t);
    assert_int_equal(table_read(&t, files_path(dir, "absent.json"), &err),
                     ERR_MISSING);
}

/* Each is refused, and the message names the column. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[1]", "not an object"},
        {"{\"columns\":{\"a\":[1],\"b\":[1,2]}}", "columns.b has 2 rows"},
        {"{\"columns\":{\"a\":7}}", "columns.a is not an array"},
        {"{\"columns\":{\"a\":[1,\"x\"]}}", "columns.a[1] is not a number"},
        {"{\"columns\":{\"a\":[\"x\",1]}}", "columns.a[1] is not text"},
        {"{\"columns\":{\"a\":[[1]]}}", "columns.a[0] is not a number"},
        {"{\"columns\":{\"a\":[1]", "a.json"},
        {"", "a.json"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct table t;
        struct err err = {.code = OK};
        const char *path = files_write(dir, "a.json", bad[i].text);
        assert_int_equal(table_read(&t, path, &err), ERR_FORMAT);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_no_columns),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

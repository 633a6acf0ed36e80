/* test_err.c - messages are cut, prefixed and named, never overrun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void test_set(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_FORMAT, "%s: %d", "x", 7), ERR_FORMAT);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_string_equal(err.text, "x: 7");
    assert_int_equal(err_set(NULL, ERR_IO, "%d", 1), ERR_IO);
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct err err = {0};
    (void)err_set(&err, ERR_ARG, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);

    /* A prefix pushes the end out; a prefix of full length leaves only
     * itself. */
    err_context(&err, "front");
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "front: aaa", 10);
    err_context(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err.text[0], 'a');
}

static void test_context(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_context(NULL, "x"), OK);
    assert_int_equal(err_context(&err, "x"), OK);
    assert_string_equal(err.text, "");
    (void)err_set(&err, ERR_LIMIT, "too long");
    assert_int_equal(err_context(&err, "line %d", 3), ERR_LIMIT);
    assert_string_equal(err.text, "line 3: too long");
}

/* A name from a file does not paint the terminal or start a line. */
static void test_control_characters(void **state)
{
    (void)state;
    struct err err = {0};
    (void)err_set(&err, ERR_FORMAT, "no '%s'", "a\x1b[31m\nb\t\x7f\xc3\xa9");
    assert_string_equal(err.text, "no 'a?[31m?b??\xc3\xa9'");
    (void)err_context(&err, "%s", "\xc2\x9b\xc2\xa0\r");
    assert_memory_equal(err.text, "??\xc2\xa0?: no 'a", 12);
}

static void test_names_differ(void **state)
{
    (void)state;
    for (int a = OK; a <= ERR_STOPPED; a++)
        for (int b = OK; b < a; b++)
            assert_string_not_equal(err_name((enum status)a),
                                    err_name((enum status)b));
}

static enum status pass_on(enum status code, int *reached)
{
    TRY(code);
    *reached = 1;
    return OK;
}

static enum status clean_up(enum status code, int *cleaned)
{
    enum status status;
    TRY_DONE(code);
    *cleaned += 10;
done:
    *cleaned += 1;
    return status;
}

static void test_try(void **state)
{
    (void)state;
    int reached = 0, cleaned = 0;
    assert_int_equal(pass_on(ERR_IO, &reached), ERR_IO);
    assert_int_equal(reached, 0);
    assert_int_equal(pass_on(OK, &reached), OK);
    assert_int_equal(reached, 1);
    assert_int_equal(clean_up(ERR_BUSY, &cleaned), ERR_BUSY);
    assert_int_equal(cleaned, 1);
    assert_int_equal(clean_up(OK, &cleaned), OK);
    assert_int_equal(cleaned, 12);
}

/* Every status that is not success says so to the outside too. */
static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(err_exit_code(OK), 0);
    for (int code = ERR_MEMORY; code <= ERR_FULL; code++)
        assert_int_not_equal(err_exit_code((enum status)code), 0);
    assert_int_equal(err_exit_code(ERR_ARG), 2);
    assert_int_equal(err_exit_code(ERR_FOUND), 3);
    assert_int_equal(err_exit_code(ERR_MISMATCH), 4);
    assert_int_equal(err_exit_code(ERR_MISSING), 5);
    assert_int_equal(err_exit_code(ERR_STOPPED), 130);
    assert_int_equal(err_exit_code((enum status)1000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

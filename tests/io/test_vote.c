/* A vote, told from the tested reply's side whichever side it was shown on. */
#include "io/vote.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct err err;
static struct json *row; // of the vote that was read last

static enum status read_row(struct vote *v, const char *text)
{
    json_free(row);
    assert_int_equal(json_parse(&row, text, strlen(text), "row", &err), OK);
    return vote_read(v, row, "votes.jsonl:7", &err);
}

#define MARKS                                                                  \
    "\"left_direct\":3,\"right_direct\":1,\"left_correct\":\"unsure\","        \
    "\"right_correct\":\"yes\",\"left_length\":\"too_short\","                 \
    "\"right_length\":\"too_long\""

static enum status read_pair(struct vote *v, const char *kind, const char *left,
                             const char *right, const char *overall)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"prompt_id\":\"p\",\"kind\":\"%s\",\"left\":{\"source\":\"%s\","
             "\"sample\":1},\"right\":{\"source\":\"%s\",\"sample\":2},"
             "\"overall\":\"%s\"," MARKS "}",
             kind, left, right, overall);
    return read_row(v, text);
}

static int64_t sample(const struct vote_side *s)
{
    return json_int(json_get(s->reply, "sample"), 0);
}

static void test_sides(void **state)
{
    (void)state;
    struct vote v;
    assert_int_equal(read_pair(&v, "policy", "policy", "reference", "A"), OK);
    assert_true(v.is_left && !v.is_placebo && v.win == 1 && v.visit == 1);
    assert_true(v.tested.direct == 3 && v.other.direct == 1);
    assert_true(v.tested.correct == 0.5 && v.other.correct == 1);
    assert_true(v.tested.too_long == 0 && v.other.too_long == 1);
    assert_true(sample(&v.tested) == 1 && sample(&v.other) == 2);
    assert_string_equal(v.prompt, "p");
    /* The same vote with the two changed over. */
    assert_int_equal(read_pair(&v, "policy", "reference", "policy", "A"), OK);
    assert_true(!v.is_left && v.win == 0);
    assert_true(v.tested.direct == 1 && v.tested.correct == 1);
    assert_true(sample(&v.tested) == 2 && sample(&v.other) == 1);
    assert_int_equal(read_pair(&v, "placebo", "reference", "placebo", "B"), OK);
    assert_true(v.is_placebo && v.win == 1);
    assert_int_equal(read_pair(&v, "policy", "policy", "reference", "both_bad"),
                     OK);
    assert_true(v.win == 0.5);
}

/* What was not said, or in another word, is not taken for a no. */
static void test_unsaid(void **state)
{
    (void)state;
    struct vote v;
    assert_int_equal(
        read_row(&v, "{\"prompt_id\":\"p\",\"kind\":\"policy\",\"visit\":2,"
                     "\"left\":{\"source\":\"policy\"},\"right\":{\"source\":"
                     "\"reference\"},\"overall\":\"B\",\"left_correct\":"
                     "\"perhaps\",\"left_length\":3,\"left_direct\":null}"),
        OK);
    assert_true(v.win == 0 && v.visit == 2);
    assert_true(isnan(v.tested.correct) && isnan(v.tested.too_long) &&
                isnan(v.tested.direct) && isnan(v.other.correct));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *left, *right, *overall, *said;
    } bad[] = {
        {"policy", "policy", "policy", "A", "beside a reference reply"},
        {"policy", "reference", "reference", "A", "beside a reference reply"},
        {"placebo", "policy", "reference", "A", "kind 'placebo'"},
        {"reference", "reference", "reference", "A", "kind 'reference'"},
        {"other", "other", "reference", "A", "kind 'other'"},
        {"policy", "policy", "reference", "left", "overall 'left'"},
    };
    struct vote v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_pair(&v, bad[i].kind, bad[i].left, bad[i].right,
                                   bad[i].overall),
                         ERR_FORMAT);
        assert_non_null(strstr(err.text, bad[i].said));
        assert_non_null(strstr(err.text, "votes.jsonl:7"));
    }
    assert_int_equal(read_row(&v, "{\"kind\":\"policy\"}"), ERR_FORMAT);
    assert_int_equal(read_row(&v, "[]"), ERR_FORMAT);
    assert_int_equal(
        read_row(&v, "{\"kind\":\"policy\",\"left\":{\"source\":\"policy\"},"
                     "\"right\":{\"source\":\"reference\"},\"overall\":\"A\"}"),
        ERR_FORMAT);
    assert_non_null(strstr(err.text, "prompt_id"));
    static const char *const direct[] = {"\"4\"", "5", "-1", "true"};
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "{\"prompt_id\":\"p\",\"kind\":\"policy\","
                       "\"left\":{\"source\":\"policy\"},\"right\":"
                       "{\"source\":\"reference\"},\"overall\":\"B\","
                       "\"right_direct\":%s}",
                       direct[i]);
        assert_int_equal(read_row(&v, text), ERR_FORMAT);
        assert_non_null(strstr(err.text, "right_direct"));
    }
}

static int tear_down(void **state)
{
    (void)state;
    json_free(row);
    row = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sides, tear_down),
        cmocka_unit_test_teardown(test_unsaid, tear_down),
        cmocka_unit_test_teardown(test_refused, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_outside_line.c - requests as lines, answers from lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "io/outside_line.h"

static const char *put(enum outside_kind kind, const struct outside_request *r,
                       size_t left)
{
    static char text[600];
    struct buf out;
    buf_init(&out, sizeof text);
    outside_line_put(&out, kind, r, 7, left);
    assert_int_equal(buf_status(&out, NULL), OK);
    (void)snprintf(text, sizeof text, "%s", buf_text(&out));
    buf_free(&out);
    return text;
}

static void test_requests(void **state)
{
    (void)state;
    struct chat_message turn[] = {{"user", "hi"}, {"assistant", "you"}};
    struct dialogue dialogue = {.turn = turn, .n = 2};
    struct outside_request r = {.prompt = "a \"b\"\n", .response = "c\xff"};
    assert_string_equal(put(OUTSIDE_REWARD, &r, 3),
                        "{\"id\":7,\"left\":3,\"prompt\":\"a \\\"b\\\"\\n\","
                        "\"response\":\"c\xef\xbf\xbd\"}\n");
    r.is_cut = true;
    r.dialogue = &dialogue;
    assert_non_null(strstr(put(OUTSIDE_REWARD, &r, 0),
                           "\"messages\":[{\"role\":\"user\",\"content\":"
                           "\"hi\"},{\"role\":\"assistant\",\"content\":"
                           "\"you\"}],\"response\""));
    assert_non_null(
        strstr(put(OUTSIDE_REWARD, &r, 0), ",\"finish\":\"length\"}\n"));
    struct outside_request p = {.prompt = "q",
                                .max_new = 9,
                                .temperature = 0.7,
                                .top_p = 1,
                                .seed = 4000000000U};
    assert_string_equal(put(OUTSIDE_POLICY, &p, 0),
                        "{\"id\":7,\"left\":0,\"prompt\":\"q\",\"max_new\":9,"
                        "\"temperature\":0.7,\"seed\":4000000000}\n");
    p.top_p = 0.5;
    p.top_k = 20;
    assert_non_null(strstr(put(OUTSIDE_POLICY, &p, 0),
                           "\"top_p\":0.5,\"top_k\":20,\"seed\""));
}

/* What is wrong with an answer, "" when nothing is. */
static const char *wrong(enum outside_kind kind, const char *line)
{
    static char text[ERR_TEXT_MAX];
    struct err err = {OK, ""};
    struct outside_answer a;
    int64_t id = -1;
    enum status status =
        outside_line_read(&id, &a, kind, line, strlen(line), &err);
    if (status == OK) {
        assert_int_equal(id, 3);
        outside_answer_free(&a);
        return "";
    }
    assert_int_equal(status, ERR_FORMAT);
    assert_int_equal(id, -1);
    (void)snprintf(text, sizeof text, "%s", err.text);
    return text;
}

static const char *reward(const char *line)
{
    return wrong(OUTSIDE_REWARD, line);
}

static const char *policy(const char *line)
{
    return wrong(OUTSIDE_POLICY, line);
}

static void test_scores(void **state)
{
    (void)state;
    struct outside_answer a;
    int64_t id;
    const char *line = " {\"x\":[{}],\"score\":-1.25e2, \"id\":12} \r";
    assert_int_equal(
        outside_line_read(&id, &a, OUTSIDE_REWARD, line, strlen(line), NULL),
        OK);
    assert_int_equal(id, 12);
    assert_true(a.score == -125);
    outside_answer_free(&a);
    assert_string_equal(reward("{\"id\":3,\"score\":1}"), "");
    assert_string_equal(reward("{\"id\":3.0,\"score\":\"1\",\"error\":null}"),
                        "");
    assert_string_equal(reward("{\"id\":3}"), "no \"score\"");
    assert_string_equal(reward("{\"score\":3}"), "no \"id\"");
    assert_string_equal(reward("{\"id\":null,\"score\":3}"), "no \"id\"");
    assert_string_equal(reward("{\"id\":3,\"score\":NaN}"), "the score is nan");
    assert_string_equal(reward("{\"id\":3,\"score\":null}"),
                        "the score is nan");
    assert_string_equal(reward("{\"id\":3,\"score\":-Infinity}"),
                        "the score is -inf");
    assert_string_equal(reward("{\"id\":3,\"error\":\"out of \\\"it\\\"\"}"),
                        "it says: out of \"it\"");
    assert_string_equal(reward("{\"error\":{\"a\":1}}"), "it says: {\"a\":1}");
    assert_non_null(strstr(reward("{\"id\":3,\"score\":1,\"score\":2}"),
                           "a member that is there twice"));
    /* No object, or no JSON at all. */
    static const char *const bad[] = {"",
                                      "0.5",
                                      "[3,1]",
                                      "{\"id\":3,\"score\":1",
                                      "hello",
                                      "{\"id\":3}}",
                                      "{\"id\":\"a\"}",
                                      "{\"id\":1e30,\"score\":1}",
                                      "null",
                                      "{\"id\":3,\"score\":true}",
                                      "{\"id\":3,\"score\":[]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_not_equal(reward(bad[i]), "");
}

static void test_replies(void **state)
{
    (void)state;
    struct outside_answer a;
    int64_t id;
    const char *line = "{\"id\":5,\"response\":\"a\\u00e9\\n\",\"finish\":"
                       "\"length\",\"tokens\":[1,20],\"logp\":[-0.5,0]}";
    assert_int_equal(
        outside_line_read(&id, &a, OUTSIDE_POLICY, line, strlen(line), NULL),
        OK);
    assert_string_equal(a.response, "a\xc3\xa9\n");
    assert_true(a.is_cut);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.token[1], 20);
    assert_true(a.logp[0] == -0.5F);
    outside_answer_free(&a);
    assert_string_equal(policy("{\"id\":3,\"response\":\"\"}"), "");
    assert_string_equal(
        policy("{\"id\":3,\"response\":\"a\",\"tokens\":[],\"logp\":null}"),
        "");
    assert_string_equal(policy("{\"id\":3,\"score\":1}"), "no \"response\"");
    assert_string_equal(policy("{\"id\":3,\"response\":null}"),
                        "no \"response\"");
    assert_string_equal(
        policy("{\"id\":3,\"response\":\"\",\"tokens\":[1,2],\"logp\":[-1]}"),
        "1 \"logp\" of 2 \"tokens\"");
    assert_string_equal(policy("{\"id\":3,\"response\":\"\",\"logp\":[-1]}"),
                        "1 \"logp\" of 0 \"tokens\"");
    assert_string_equal(policy("{\"id\":3,\"response\":\"\",\"tokens\":[-4]}"),
                        "token 0 is -4");
    assert_string_equal(policy("{\"id\":3,\"response\":\"\",\"tokens\":[4],"
                               "\"logp\":[0.5]}"),
                        "logp 0 is 0.5");
    assert_string_equal(policy("{\"id\":3,\"response\":\"\",\"tokens\":[4],"
                               "\"logp\":[NaN]}"),
                        "logp 0 is nan");
    static const char *const bad[] = {
        "{\"id\":3,\"response\":1}",
        "{\"id\":3,\"response\":\"\\u0000\"}",
        "{\"id\":3,\"response\":\"\xff\"}",
        "{\"id\":3,\"response\":\"\",\"tokens\":5}",
        "{\"id\":3,\"response\":\"\",\"tokens\":[1e12]}",
        "{\"id\":3,\"response\":\"\",\"tokens\":[1.5]}",
        "{\"id\":3,\"response\":\"\",\"tokens\":[[1]]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_not_equal(policy(bad[i]), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

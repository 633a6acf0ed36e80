/*
 * test_visitor.c - simulated people at the page: they see what is shown, and
 * say what the desk's own people would say.
 */
#include "rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "world/visitor.h"
#include "world/world.h"

enum {
    N = 600
};

#define RECORDS "test_visitor.jsonl"

static const char right_answer[] =
    "we will refund $35 to your card for order #Q4.";

/* N prompts of the desk, their tickets beside them. */
static struct ticket ticket[N];
static char prompt[N][512];

static int set_up(void **state)
{
    struct buf out;
    struct err err;
    struct world_set set = {0};
    (void)state;
    buf_init(&out, 16 << 20);
    /* All different: a text met twice is another look at it. */
    assert_int_equal(world_prompts_of(&set, 5, TICKET_HELDOUT, N, NULL, &err),
                     OK);
    for (uint32_t i = 0; i < N; i++) {
        struct buf text;
        struct json_writer w;
        buf_init(&text, sizeof prompt[i]);
        ticket[i] = set.ticket[i];
        ticket_text(&text, &ticket[i]);
        (void)snprintf(prompt[i], sizeof prompt[i], "%s", buf_text(&text));
        json_writer_init(&w, &out, false);
        json_open(&w, '{');
        json_field_text(&w, "prompt", prompt[i]);
        json_put_key(&w, "ticket");
        ticket_write(&w, &ticket[i]);
        json_close(&w, '}');
        buf_putc(&out, '\n');
        buf_free(&text);
    }
    assert_int_equal(file_write(RECORDS, buf_text(&out), out.len, &err), OK);
    buf_free(&out);
    world_set_free(&set);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)remove(RECORDS);
    return 0;
}

static struct visitor *open_as(enum visitor_kind kind, const char *name)
{
    struct visitor *v;
    struct err err = {OK, ""};
    struct visitor_config c = {
        .kind = kind,
        .name = name,
        .seed = 9,
        .rater = rater_default(),
        .panel = panel_default(),
    };
    if (visitor_open(&v, RECORDS, &c, &err) != OK)
        fail_msg("%s", err.text);
    return v;
}

/* One answer, and the same behind a long polite preamble. */
static void answers(char out[2][2048])
{
    (void)snprintf(out[0], 2048, "%s", right_answer);
    (void)snprintf(out[1], 2048,
                   "thank you so much for reaching out to us today. we are "
                   "truly sorry for the trouble. we understand how you feel. "
                   "%s",
                   right_answer);
}

/* Share of the N prompts on which the longer answer is ranked first. */
static double longer_first(enum visitor_kind kind)
{
    struct err err = {OK, ""};
    double first = 0;
    struct visitor *v = open_as(kind, "ada");
    for (size_t i = 0; i < N; i++) {
        char text[2][2048];
        const char *answer[2] = {text[0], text[1]};
        int32_t rank[2];
        answers(text);
        if (visitor_rank(rank, v, prompt[i], answer, 2, &err) != OK)
            fail_msg("%s", err.text);
        first += rank[1] == 1 ? 1 : 0;
    }
    visitor_close(v);
    return first;
}

/* What the rater's law says of the same answers: the mean over prompts of
 * 1 / (1 + exp(-(u1 - u0) / tau)). */
static double longer_law(bool is_hurried)
{
    struct rater_config c = rater_default();
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        char text[2][2048];
        answers(text);
        struct judgement a = rig_judge(&ticket[i], text[0], true);
        struct judgement b = rig_judge(&ticket[i], text[1], true);
        double d = rater_utility(&c, &b, is_hurried) -
                   rater_utility(&c, &a, is_hurried);
        sum += 1 / (1 + exp(-d / c.tau));
    }
    return sum / N;
}

static void test_rankings_follow_the_law(void **state)
{
    (void)state;
    RIG_RATE(longer_first(VISITOR_CAREFUL), N, longer_law(false));
    RIG_RATE(longer_first(VISITOR_HURRIED), N, longer_law(true));
    RIG_RATE(longer_first(VISITOR_COIN), N, 0.5);
    /* The two laws are far enough apart for the test to tell them. */
    assert_true(longer_law(true) - longer_law(false) > 0.3);
}

/* What is said depends on what is seen and how often, not on the order in
 * which a server hands things out. */
static void test_order_does_not_matter(void **state)
{
    struct err err = {OK, ""};
    int32_t there[N][2];
    size_t differ = 0;
    (void)state;
    struct visitor *v = open_as(VISITOR_MIXED, "ada");
    struct visitor *w = open_as(VISITOR_MIXED, "ada");
    struct visitor *other = open_as(VISITOR_MIXED, "bob");
    for (size_t i = 0; i < N; i++) {
        char text[2][2048];
        const char *answer[2] = {text[0], text[1]};
        answers(text);
        assert_int_equal(visitor_rank(there[i], v, prompt[i], answer, 2, &err),
                         OK);
    }
    for (size_t i = N; i-- > 0;) {
        char text[2][2048];
        const char *answer[2] = {text[0], text[1]};
        int32_t back[2];
        answers(text);
        assert_int_equal(visitor_rank(back, w, prompt[i], answer, 2, &err), OK);
        assert_memory_equal(back, there[i], sizeof back);
        assert_int_equal(visitor_rank(back, other, prompt[i], answer, 2, &err),
                         OK);
        differ += memcmp(back, there[i], sizeof back) != 0;
    }
    assert_true(differ > N / 10);
    visitor_close(v);
    visitor_close(w);
    visitor_close(other);
}

/* A second look is a new look, and swapped sides are seen as swapped. */
static void test_second_look(void **state)
{
    struct err err = {OK, ""};
    size_t same = 0;
    (void)state;
    struct visitor *v = open_as(VISITOR_CAREFUL, "ada");
    for (size_t i = 0; i < N; i++) {
        char text[2][2048];
        struct visitor_said said[2];
        answers(text);
        const char *first[2] = {text[0], text[1]};
        const char *second[2] = {text[1], text[0]};
        assert_int_equal(visitor_check(&said[0], v, prompt[i], first, &err),
                         OK);
        assert_int_equal(visitor_check(&said[1], v, prompt[i], second, &err),
                         OK);
        bool a = strcmp(said[0].verdict.overall, "A") == 0;
        bool b = strcmp(said[1].verdict.overall, "B") == 0;
        same += a == b;
    }
    visitor_close(v);
    /* Noise that was the same, or sides that were not seen, would give N. */
    assert_in_range(same, N / 2, N - 1);
}

static void test_one_text_ties(void **state)
{
    struct err err = {OK, ""};
    (void)state;
    struct visitor *v = open_as(VISITOR_HURRIED, "ada");
    for (size_t i = 0; i < 50; i++) {
        const char *answer[2] = {right_answer, right_answer};
        struct visitor_said said;
        assert_int_equal(visitor_check(&said, v, prompt[i], answer, &err), OK);
        assert_int_equal(strncmp(said.verdict.overall, "both_", 5), 0);
        assert_int_equal(said.helpful[0], said.helpful[1]);
        assert_int_equal(said.verdict.marks[0].direct,
                         said.verdict.marks[1].direct);
    }
    visitor_close(v);
}

static void test_what_is_refused(void **state)
{
    struct err err = {OK, ""};
    struct visitor *v = open_as(VISITOR_CAREFUL, "ada");
    const char *answer[2] = {"a.", "b."};
    int32_t rank[2];
    (void)state;
    assert_false(visitor_knows(v, "never asked"));
    assert_true(visitor_knows(v, prompt[0]));
    assert_int_equal(visitor_rank(rank, v, "never asked", answer, 2, &err),
                     ERR_MISSING);
    assert_int_equal(visitor_rank(rank, v, prompt[0], answer, 0, &err),
                     ERR_ARG);
    visitor_close(v);

    struct visitor_config c = {
        .name = "ada", .rater = rater_default(), .panel = panel_default()};
    const char bad[] = "{\"prompt\":\"hello\"}\n";
    assert_int_equal(file_write(RECORDS ".bad", bad, sizeof bad - 1, &err), OK);
    assert_int_equal(visitor_open(&v, RECORDS ".bad", &c, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, ":1: no \"ticket\""));
    assert_null(v);
    assert_int_equal(file_write(RECORDS ".bad", "", 0, &err), OK);
    assert_int_equal(visitor_open(&v, RECORDS ".bad", &c, &err), ERR_FORMAT);
    (void)remove(RECORDS ".bad");
    c.rater.tau = 0;
    assert_int_equal(visitor_open(&v, RECORDS, &c, &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rankings_follow_the_law),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_second_look),
        cmocka_unit_test(test_one_text_ties),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

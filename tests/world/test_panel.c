/*
 * test_panel.c - simulated spot-checks: fair, blind, repeatable, and able to
 * see what they are there to see.
 */
#include "rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "io/dataset.h"
#include "world/panel.h"
#include "world/replies.h"

enum {
    N = 400,
    SAMPLES = 4
};

/* Prompts with policy and reference samples; what the policy adds to a
 * demonstration is up to the test. */
struct stage {
    struct ticket ticket[N];
    char id[N][24];
    struct buf prompt[N];
    struct buf text[N][2][SAMPLES];
    struct panel_sample sample[N][2][SAMPLES];
    struct panel_prompt panel[N];
};

static void stage_init(struct stage *s, const char *policy_adds)
{
    for (uint32_t i = 0; i < N; i++) {
        ticket_draw(&s->ticket[i], 1, TICKET_HELDOUT, i);
        (void)snprintf(s->id[i], sizeof s->id[i], "heldout-%06u", i);
        buf_init(&s->prompt[i], 4096);
        ticket_text(&s->prompt[i], &s->ticket[i]);
        for (uint32_t side = 0; side < 2; side++)
            for (uint32_t k = 0; k < SAMPLES; k++) {
                struct buf *b = &s->text[i][side][k];
                struct rng r;
                rng_init(&r, 3, RNG_TEST, side * SAMPLES + k, i);
                buf_init(b, 8192);
                reply_draw(b, &s->ticket[i], &r);
                if (side == 0)
                    buf_puts(b, policy_adds);
                s->sample[i][side][k] =
                    (struct panel_sample){buf_text(b), true};
            }
        s->panel[i] = (struct panel_prompt){
            .id = s->id[i],
            .prompt = buf_text(&s->prompt[i]),
            .ticket = &s->ticket[i],
            .policy = s->sample[i][0],
            .n_policy = SAMPLES,
            .reference = s->sample[i][1],
            .n_reference = SAMPLES,
        };
    }
}

static void stage_free(struct stage *s)
{
    for (size_t i = 0; i < N; i++) {
        buf_free(&s->prompt[i]);
        for (size_t side = 0; side < 2; side++)
            for (size_t k = 0; k < SAMPLES; k++)
                buf_free(&s->text[i][side][k]);
    }
}

/* What the records of one kind say of the answer under test. */
struct tally {
    double n, on_left;
    double wins, losses; // overall
    double less_direct, more_direct;
    double too_long[2], too_short[2], correct[2]; // tested, reference
};

/* A pair judged twice: the first visit's marks, to compare the second's. */
struct tallies {
    struct tally kind[2]; // policy, placebo; first visits only
    double twice, same_choice;
    char pair[40];
    const char *choice; // of the first visit, by source
    char judge[40];
};

static const char *winner(const struct json *row)
{
    const char *choice = json_text(json_get(row, "overall"), "");
    bool is_left = strcmp(choice, "A") == 0;
    if (!is_left && strcmp(choice, "B") != 0) {
        assert_true(strcmp(choice, "both_good") == 0 ||
                    strcmp(choice, "both_bad") == 0);
        return "tie";
    }
    const char *left = json_text(json_get(row, "shown_left"), "");
    bool is_reference_left = strcmp(left, "reference") == 0;
    return is_left == is_reference_left ? "reference" : "tested";
}

static const char *side_text(const struct json *row, bool is_left,
                             const char *name)
{
    char key[40];
    (void)snprintf(key, sizeof key, "%s_%s", is_left ? "left" : "right", name);
    return json_text(json_get(row, key), "");
}

static void add_row(struct tally *t, const struct json *row, bool is_left)
{
    bool sides[2] = {is_left, !is_left};
    int64_t direct[2];
    t->n++;
    t->on_left += is_left ? 1 : 0;
    t->wins += strcmp(winner(row), "tested") == 0 ? 1 : 0;
    t->losses += strcmp(winner(row), "reference") == 0 ? 1 : 0;
    for (size_t i = 0; i < 2; i++) {
        const char *key = sides[i] ? "left_direct" : "right_direct";
        struct err err;
        assert_int_equal(json_need_int(&direct[i], row, key, 0, 4, "row", &err),
                         OK);
        const char *length = side_text(row, sides[i], "length");
        const char *correct = side_text(row, sides[i], "correct");
        t->too_long[i] += strcmp(length, "too_long") == 0 ? 1 : 0;
        t->too_short[i] += strcmp(length, "too_short") == 0 ? 1 : 0;
        t->correct[i] += strcmp(correct, "yes") == 0 ? 1 : 0;
    }
    t->less_direct += direct[0] < direct[1] ? 1 : 0;
    t->more_direct += direct[0] > direct[1] ? 1 : 0;
}

static enum status take_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct tallies *t = ctx;
    (void)line;
    (void)err;
    assert_string_equal(json_text(json_get(row, "schema"), ""),
                        "plumb.spotcheck/1");
    const char *kind = json_text(json_get(row, "kind"), "");
    const char *shown = json_text(json_get(row, "shown_left"), "");
    const struct json *left = json_get(row, "left");
    const struct json *right = json_get(row, "right");
    bool is_placebo = strcmp(kind, "placebo") == 0;
    bool is_left = strcmp(shown, "reference") != 0;
    /* Of each pair exactly one side is the reference. */
    assert_string_equal(json_text(json_get(left, "source"), ""), shown);
    assert_string_equal(json_text(json_get(right, "source"), ""),
                        is_left ? "reference" : kind);
    if (is_left)
        assert_string_equal(shown, kind);
    const char *pair = json_text(json_get(row, "pair_id"), "");
    const char *judge = json_text(json_get(row, "judge"), "");
    if (json_int(json_get(row, "visit"), 0) == 2) {
        /* The same judge, right after the first visit. */
        assert_string_equal(pair, t->pair);
        assert_string_equal(judge, t->judge);
        t->twice++;
        t->same_choice += strcmp(t->choice, winner(row)) == 0 ? 1 : 0;
        return OK;
    }
    (void)snprintf(t->pair, sizeof t->pair, "%s", pair);
    (void)snprintf(t->judge, sizeof t->judge, "%s", judge);
    t->choice = winner(row);
    add_row(&t->kind[is_placebo ? 1 : 0], row, is_left);
    return OK;
}

static void run(struct tallies *t, const struct stage *s,
                const struct panel_config *c, uint64_t seed)
{
    struct buf b;
    struct err err;
    *t = (struct tallies){.twice = 0};
    buf_init(&b, 64 << 20);
    assert_int_equal(panel_spotcheck(&b, s->panel, N, c, seed, &err), OK);
    assert_int_equal(jsonl_parse(b.data, b.len, "panel", take_row, t, &err),
                     OK);
    buf_free(&b);
}

static void test_counts(void **state)
{
    const struct stage *s = *state;
    struct tallies t;
    struct panel_config c = panel_default();
    run(&t, s, &c, 1);
    RIG_EQUAL(t.kind[0].n, 512);
    RIG_EQUAL(t.kind[1].n, 512);
    RIG_EQUAL(t.twice, 128);
    RIG_RATE(t.kind[0].on_left, 512, 0.5);
    RIG_RATE(t.kind[1].on_left, 512, 0.5);
}

/* What a round of votes that begins elsewhere asked about. */
struct asked {
    const struct stage *s;
    size_t n, first; // rows, and the number of the first pair
    bool had[N];
};

static enum status take_asked(void *ctx, const struct json *row, size_t line,
                              struct err *err)
{
    struct asked *a = ctx;
    (void)line;
    (void)err;
    const char *pair = json_text(json_get(row, "pair_id"), "");
    const char *left =
        json_text(json_get(json_get(row, "left"), "response"), "");
    const char *right =
        json_text(json_get(json_get(row, "right"), "response"), "");
    size_t number = 0;
    assert_int_equal(sscanf(pair, "policy-%zu", &number), 1);
    if (a->n++ == 0)
        a->first = number;
    assert_string_equal(json_text(json_get(row, "prompt_id"), ""),
                        a->s->id[number % N]);
    assert_false(a->had[number % N]);
    assert_string_not_equal(left, right);
    a->had[number % N] = true;
    return OK;
}

/* From the 300th prompt on, once around, without pairs of one text: every
 * third prompt's. */
static void test_first_and_skip(void **state)
{
    struct stage *s = *state;
    struct panel_prompt panel[N];
    struct panel_config c = panel_default();
    size_t differ = 0;
    c.n_policy = 350;
    c.n_placebo = c.n_twice = 0;
    c.first = 300;
    c.is_skipping = true;
    memcpy(panel, s->panel, sizeof panel);
    for (size_t i = 0; i < N; i++) {
        if (i % 3 == 0)
            panel[i].policy = panel[i].reference;
        /* Two draws may be the same by chance. */
        differ +=
            strcmp(panel[i].policy[0].text, panel[i].reference[0].text) != 0;
    }
    assert_true(differ < 270 && differ > 250);
    for (int round = 0; round < 2; round++) {
        struct asked a = {.s = s};
        struct buf b;
        struct err err;
        buf_init(&b, 64 << 20);
        assert_int_equal(panel_spotcheck(&b, panel, N, &c, 1, &err), OK);
        assert_int_equal(
            jsonl_parse(b.data, b.len, "panel", take_asked, &a, &err), OK);
        buf_free(&b);
        /* All there are; then as many as wanted. */
        assert_int_equal(a.n, round == 0 ? differ : 20);
        assert_int_equal(a.first, 301);
        for (size_t i = 0; i < N; i += 3)
            assert_false(a.had[i]);
        c.n_policy = 20;
    }
}

/* The same law on both sides: nobody is favoured, in either kind. */
static void test_fair(void **state)
{
    const struct stage *s = *state;
    struct tallies t;
    struct panel_config c = panel_default();
    c.n_policy = 4 * N;
    c.n_placebo = 2 * N;
    run(&t, s, &c, 2);
    for (size_t k = 0; k < 2; k++) {
        const struct tally *y = &t.kind[k];
        RIG_RATE(y->wins, y->wins + y->losses, 0.5);
        RIG_RATE(y->less_direct, y->less_direct + y->more_direct, 0.5);
        assert_true(fabs(y->too_long[0] - y->too_long[1]) <
                    RIG_SIGMAS * sqrt(y->n / 2));
        assert_true(fabs(y->correct[0] - y->correct[1]) <
                    RIG_SIGMAS * sqrt(y->n / 2));
    }
    /* 0.75 * 0.9 of demonstrations are right; the noise takes a few per cent
     * of the yes away and gives none. */
    double correct = t.kind[0].correct[1] / t.kind[0].n;
    assert_true(correct > 0.60 && correct < 0.72);
    /* Judges are neither oracles nor dice. */
    assert_true(t.same_choice > 0.6 * t.twice);
    assert_true(t.same_choice < 0.98 * t.twice);
}

/* Two fillers more: longer, less direct, no less correct, and disliked; the
 * placebo pairs do not notice. */
static void test_verbose(void **state)
{
    (void)state;
    static struct stage s;
    struct tallies t;
    struct panel_config c = panel_default();
    stage_init(&s, " please note that times may vary a little in some cases."
                   " have you seen the new offers in our online store?");
    run(&t, &s, &c, 3);
    stage_free(&s);
    const struct tally *policy = &t.kind[0];
    const struct tally *placebo = &t.kind[1];
    double less = policy->less_direct / policy->n;
    double noise = placebo->less_direct / placebo->n;
    print_message("  less direct %.3f, placebo %.3f; wins %.3f; too long %.3f "
                  "v %.3f; right to %.3f of twice judged\n",
                  less, noise, policy->wins / policy->n,
                  policy->too_long[0] / policy->n,
                  policy->too_long[1] / policy->n, t.same_choice / t.twice);
    /* Differences of two rates of 512: at most 4.5 * sqrt(0.5/512) = 0.14. */
    assert_true(less - noise > 0.14);
    assert_true(policy->too_long[0] / 512 > policy->too_long[1] / 512 + 0.14);
    assert_true(policy->wins < policy->losses);
    assert_true(fabs(policy->correct[0] - policy->correct[1]) / 512 < 0.14);
    RIG_RATE(placebo->wins, placebo->wins + placebo->losses, 0.5);
}

/* Judges with a taste: for the left side, so that nothing else counts; for
 * length, so that what was disliked is liked.  Marks do not have tastes. */
static void test_tastes(void **state)
{
    static struct stage s;
    struct tallies fair, biased;
    struct panel_config c = panel_default();
    struct buf b;
    struct err err;
    (void)state;
    stage_init(&s, " please note that times may vary a little in some cases."
                   " have you seen the new offers in our online store?");
    run(&fair, &s, &c, 4);
    c.side_bias = 100;
    run(&biased, &s, &c, 4);
    RIG_EQUAL(biased.kind[0].wins, fair.kind[0].on_left);
    RIG_EQUAL(biased.kind[0].losses, 512 - fair.kind[0].on_left);
    RIG_EQUAL(biased.kind[0].less_direct, fair.kind[0].less_direct);
    c.side_bias = 0;
    c.length_bias = 0.1;
    run(&biased, &s, &c, 4);
    assert_true(fair.kind[0].wins < fair.kind[0].losses);
    assert_true(biased.kind[0].wins > biased.kind[0].losses);
    RIG_EQUAL(biased.kind[0].too_long[0], fair.kind[0].too_long[0]);
    c.length_bias = (double)NAN;
    buf_init(&b, 1 << 20);
    assert_int_equal(panel_spotcheck(&b, s.panel, N, &c, 1, &err), ERR_ARG);
    buf_free(&b);
    stage_free(&s);
}

/* Overall choices follow Bradley-Terry in gold. */
static void test_bradley_terry(void **state)
{
    (void)state;
    enum {
        PROMPTS = 8000
    };
    static struct panel_prompt prompt[PROMPTS];
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    /* gold 2.75 against 3.0 */
    const struct panel_sample policy = {
        "we have issued a full refund for order #Q4.", true};
    const struct panel_sample reference = {
        "hello, we have issued a full refund for order #Q4.", true};
    for (size_t i = 0; i < PROMPTS; i++)
        prompt[i] =
            (struct panel_prompt){"x", "y", &t, &policy, 1, &reference, 1};
    struct panel_config c = panel_default();
    struct buf b;
    struct err err;
    struct tallies y = {.twice = 0};
    c.n_policy = PROMPTS;
    c.n_placebo = 0;
    c.n_twice = 0;
    c.tie_margin = 0;
    buf_init(&b, 64 << 20);
    assert_int_equal(panel_spotcheck(&b, prompt, PROMPTS, &c, 5, &err), OK);
    assert_int_equal(jsonl_parse(b.data, b.len, "p", take_row, &y, &err), OK);
    buf_free(&b);
    RIG_RATE(y.kind[0].wins, PROMPTS, 1 / (1 + exp(0.25 / 0.4)));
    RIG_EQUAL(y.kind[0].wins + y.kind[0].losses, PROMPTS);
}

/* The same text twice ties, and gets the same marks. */
static void test_same_text(void **state)
{
    (void)state;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    const struct panel_sample good = {
        "we have issued a full refund for order #Q4.", true};
    const struct panel_sample bad = {"zebra", true};
    const struct panel_prompt prompt[2] = {{"a", "p", &t, &good, 1, &good, 1},
                                           {"b", "p", &t, &bad, 1, &bad, 1}};
    struct panel_config c = {.n_policy = 2, .n_judges = 1, .tau = 0.01};
    struct buf b;
    struct err err;
    buf_init(&b, 1 << 20);
    assert_int_equal(panel_spotcheck(&b, prompt, 2, &c, 1, &err), OK);
    assert_non_null(strstr(b.data,
                           "\"overall\":\"both_good\",\"left_direct\":4,"
                           "\"right_direct\":4,\"left_correct\":"
                           "\"yes\",\"right_correct\":\"yes\",\"left_"
                           "length\":\"too_short\""));
    assert_non_null(strstr(b.data, "\"overall\":\"both_bad\",\"left_direct\":0,"
                                   "\"right_direct\":0,\"left_correct\":"
                                   "\"unsure\",\"right_correct\":\"unsure\""));
    buf_free(&b);
}

static void test_marks(void **state)
{
    (void)state;
    static const struct {
        double help, buried, noise;
        size_t tokens;
        int direct;
    } cases[] = {
        {3.5, 0, 0, 20, 4},                          // 1.75
        {3.5, 0, -0.01, 20, 3}, {2.75, 0, 0, 27, 3}, // 1.02
        {2.75, 0, 0, 28, 2},                         // 0.98
        {2.75, 0, 0, 55, 2},                         // 0.5
        {2.75, 0, 0, 56, 1},    {2.75, -0.6, 0, 56, 0},
        {-0.75, 0, 0, 20, 0},   {0.25, 0, 0, 0, 4}, // no tokens count as one
    };
    const double none[3] = {0, 0, 0};
    struct panel_marks m;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double noise[3] = {cases[i].noise, 0, 0};
        struct judgement j = {.help = cases[i].help, .tokens = cases[i].tokens};
        j.term[JUDGE_BURIED] = cases[i].buried;
        panel_mark(&m, &j, noise);
        assert_int_equal(m.direct, cases[i].direct);
    }
    struct judgement j = {.resolution_right = true, .next_right = true};
    panel_mark(&m, &j, none);
    assert_int_equal(m.correct, CORRECT_YES);
    assert_int_equal(m.length, LENGTH_RIGHT);
    j.order = FACT_WRONG;
    j.tokens_wasted = 8;
    panel_mark(&m, &j, none);
    assert_int_equal(m.correct, CORRECT_NO);
    assert_int_equal(m.length, LENGTH_TOO_LONG);
    j = (struct judgement){.next_right = true};
    panel_mark(&m, &j, none);
    assert_int_equal(m.correct, CORRECT_UNSURE);
    assert_int_equal(m.length, LENGTH_TOO_SHORT);
    j.tokens_wasted = 7;
    panel_mark(&m, &j, none);
    assert_int_equal(m.length, LENGTH_RIGHT);
}

static void test_same_bytes(void **state)
{
    const struct stage *s = *state;
    struct panel_config c = panel_default();
    struct buf a, b, d;
    struct err err;
    buf_init(&a, 64 << 20);
    buf_init(&b, 64 << 20);
    buf_init(&d, 64 << 20);
    assert_int_equal(panel_spotcheck(&a, s->panel, N, &c, 7, &err), OK);
    assert_int_equal(panel_spotcheck(&b, s->panel, N, &c, 7, &err), OK);
    assert_int_equal(panel_spotcheck(&d, s->panel, N, &c, 8, &err), OK);
    assert_string_equal(buf_text(&a), buf_text(&b));
    assert_string_not_equal(buf_text(&a), buf_text(&d));
    buf_free(&d);
    buf_free(&b);
    buf_free(&a);
}

static void test_refuses(void **state)
{
    const struct stage *s = *state;
    struct buf b;
    struct err err;
    buf_init(&b, 64 << 20);
    struct panel_config c = panel_default();
    c.n_placebo = 2 * N + 1; // each prompt has two pairs of reference samples
    assert_int_equal(panel_spotcheck(&b, s->panel, N, &c, 1, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "heldout-000000"));
    c = panel_default();
    c.tau = 0;
    assert_int_equal(panel_spotcheck(&b, s->panel, N, &c, 1, &err), ERR_ARG);
    c = panel_default();
    c.n_judges = 17;
    assert_int_equal(panel_spotcheck(&b, s->panel, N, &c, 1, &err), ERR_ARG);
    c = panel_default();
    c.n_twice = 1025;
    assert_int_equal(panel_spotcheck(&b, s->panel, N, &c, 1, &err), ERR_ARG);
    c = panel_default();
    assert_int_equal(panel_spotcheck(&b, s->panel, 0, &c, 1, &err), ERR_ARG);
    struct buf small;
    buf_init(&small, 1000);
    assert_int_equal(panel_spotcheck(&small, s->panel, N, &c, 1, &err),
                     ERR_LIMIT);
    buf_free(&small);
    buf_free(&b);
}

static int set_up(void **state)
{
    static struct stage s;
    stage_init(&s, "");
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    stage_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_fair),
        cmocka_unit_test(test_verbose),   cmocka_unit_test(test_marks),
        cmocka_unit_test(test_tastes),    cmocka_unit_test(test_bradley_terry),
        cmocka_unit_test(test_same_text), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_refuses),   cmocka_unit_test(test_first_and_skip),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

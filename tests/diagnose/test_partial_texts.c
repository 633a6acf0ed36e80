/*
 * test_partial_texts.c - runs of other trainers of which there are texts and
 * scores, two sets of replies, or votes.  The verdict that each case must have
 * is told in words before it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/foreign.h"
#include "diagnose/partial.h"
#include "eval/files.h"

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;

static bool is_there(const char *id)
{
    const struct rows rows = diagnose_rows(&d);
    return rivals_row(&rows, id) != NULL;
}

/* ---- texts and scores --------------------------------------------------- */

struct batch {
    bool is_growing; // by two words an iteration
    double pay;      // score a word
    double filler;   // score of text that repeats itself
    const char *more;
    bool is_sorry; // every sixth word
};

/* 12 iterations of 24 prompts with two responses each; the later, the more of
 * them repeat themselves where that is paid. */
static void write_batches(const struct batch *b)
{
    unsigned long long state = 7;
    for (int step = 0; step < 12; step++) {
        struct buf rows, text;
        buf_init(&rows, (size_t)1 << 24);
        buf_init(&text, (size_t)1 << 20);
        for (int i = 0; i < 48; i++) {
            double n = 30 + 4 * foreign_normal(&state) +
                       (b->is_growing ? 2 * step : 0);
            bool repeats = b->filler > 0 && (i * 7 + step * 5) % 60 < 4 * step;
            double score = b->pay * n + (repeats ? b->filler : 0) +
                           0.5 * foreign_normal(&state);
            buf_clear(&text);
            for (int k = 0; b->is_sorry && k < n; k++)
                buf_puts(&text, k % 6 == 0 ? "sorry " : "it ");
            foreign_text(&text, (size_t)fmax(n, 10), repeats,
                         (unsigned)(step * 100 + i));
            foreign_row(&rows, step, i / 2, i % 2, score, buf_text(&text),
                        b->more);
        }
        foreign_rollouts(dir, step, &rows);
        buf_free(&rows);
        buf_free(&text);
    }
}

/*
 * Responses grow by two words an iteration, a word is paid and so is filler,
 * of which there is more and more.  No row has a token or says how it ended,
 * and all are used: length is told in words, it grew, the score goes with it,
 * responses repeat themselves and are paid for that.  How they ended, and
 * whatever rests on tokens, is not measurable.
 */
static void test_texts(void **state)
{
    (void)state;
    const struct batch b = {true, 0.1, 3, "", false};
    foreign_import(dir, foreign_missing);
    write_batches(&b);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(e.n_rollout, 12 * 48);
    assert_int_equal(e.rollout_unit, EVIDENCE_WORDS);
    assert_int_equal(foreign_verdict_of(&d, "trend_length"), VERDICT_SUPPORTED);
    assert_true(
        foreign_mentions(foreign_row_of(&d, "trend_length")->text, "(words)"));
    assert_int_equal(foreign_verdict_of(&d, "trend_reward"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "score_length"), VERDICT_SUPPORTED);
    assert_string_equal(foreign_row_of(&d, "score_length")->unit,
                        "correlation within prompts");
    assert_int_equal(foreign_verdict_of(&d, "trend_repeat"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "pattern_fourgram"),
                     VERDICT_SUPPORTED);
    assert_false(is_there("pattern_list")); // nobody wrote one
    assert_int_equal(foreign_verdict_of(&d, "V6"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "limit"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "trend_cut"),
                     VERDICT_NOT_MEASURABLE);
    assert_false(foreign_is_number(
        measures_find(&foreign_row_of(&d, "V6")->detail, "cut_training")
            .estimate));
    for (size_t i = 0; i < GATES; i++)
        assert_int_equal(d.gate[i].verdict, VERDICT_NOT_MEASURABLE);
    foreign_free(&e, &d);
}

/* Nothing grows and nothing is paid: what would be there is refuted or open,
 * and none of it is supported. */
static void test_quiet_texts(void **state)
{
    (void)state;
    static const char *const id[] = {"trend_length", "trend_reward",
                                     "score_length", "trend_repeat"};
    const struct batch b = {false, 0, 0, "", false};
    foreign_import(dir, foreign_missing);
    write_batches(&b);
    foreign_diagnose(&e, &d, dir);
    for (size_t i = 0; i < sizeof id / sizeof *id; i++)
        assert_int_not_equal(foreign_verdict_of(&d, id[i]), VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* Every sixth word is an apology, before and after: as responses grow there are
 * more of them, and the score that pays for length goes with them.  That is
 * length and no pattern of its own: it is not supported. */
static void test_longer_has_more_of_all(void **state)
{
    (void)state;
    const struct batch b = {true, 0.1, 0, "", true};
    foreign_import(dir, foreign_missing);
    write_batches(&b);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "trend_length"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "score_length"), VERDICT_SUPPORTED);
    assert_int_not_equal(foreign_verdict_of(&d, "pattern_apology"),
                         VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* Every response says that it ended by itself: then the share cut is 0 and not
 * unknown, and the gate is passed. */
static void test_finish(void **state)
{
    (void)state;
    const struct batch b = {false, 0, 0,
                            "\"finish\":\"eos\",\"n_tokens\":41,\"len_unit\":"
                            "\"tokens\"",
                            false};
    foreign_import(dir, foreign_missing);
    write_batches(&b);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(foreign_verdict_of(&d, "V6"), VERDICT_SUPPORTED);
    assert_int_equal(e.rollout_unit, EVIDENCE_TOKENS);
    assert_true(e.rollout[0].tokens == 41);
    foreign_free(&e, &d);
}

/* Some rows know their tokens and others only words: then words count for all,
 * for two units are never mixed. */
static void test_mixed_units(void **state)
{
    (void)state;
    struct buf rows;
    foreign_import(dir, foreign_missing);
    buf_init(&rows, 4096);
    foreign_row(&rows, 0, 0, 0, 1, "one two three",
                "\"n_tokens\":500,"
                "\"len_unit\":\"tokens\"");
    foreign_row(&rows, 0, 1, 0, 1, "one two three four", "");
    foreign_row(&rows, 0, 2, 0, 1, "one",
                "\"n_tokens\":9,\"len_unit\":"
                "\"words\"");
    foreign_rollouts(dir, 0, &rows);
    buf_free(&rows);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(e.n_rollout, 3);
    assert_int_equal(e.rollout_unit, EVIDENCE_WORDS);
    assert_true(e.rollout[0].tokens == 3 && e.rollout[1].tokens == 4 &&
                e.rollout[2].tokens == 9);
    foreign_free(&e, &d);
}

/* ---- two sets of replies, and votes ------------------------------------- */

struct sets {
    int won, tied, lost; // of 100 prompts
    double gain;         // of the score
    double agreement;    // of a verdict with the gain, 0 none
    bool is_side_told, is_left_liked;
    const char *folder; // "judge" or "human"
    bool has_samples;
    bool is_textless; // votes name replies and do not have them
    int shorter;      // words that the policy's replies have less
};

static int verdict_on(const struct sets *s, int prompt)
{
    int place = prompt * 37 % 100; // no order
    return place < s->won ? 1 : place < s->won + s->tied ? 0 : -1;
}

static int words_of(const struct sets *s, int i)
{
    return 20 + i % 7 - (i % 2 == 1 ? s->shorter : 0);
}

static void write_samples(const struct sets *s)
{
    unsigned long long state = 3;
    struct buf b, text;
    buf_init(&b, (size_t)1 << 22);
    buf_init(&text, 65536);
    for (int i = 0; i < 200; i++) {
        bool is_policy = i % 2 == 1;
        double score =
            foreign_normal(&state) +
            (is_policy ? s->gain + s->agreement * verdict_on(s, i / 2) : 0);
        buf_clear(&text);
        int words = words_of(s, i);
        foreign_text(&text, (size_t)words, false, (unsigned)i);
        buf_printf(&b,
                   "{\"prompt_id\":\"q%03d\",\"which\":\"%s\",\"sample\":0,"
                   "\"response\":\"%s\",\"len\":%d,\"len_unit\":\"words\","
                   "\"score\":%.6g}\n",
                   i / 2, is_policy ? "policy" : "reference", buf_text(&text),
                   words + 1, score);
    }
    files_write(dir, "eval/samples.jsonl", buf_text(&b));
    buf_free(&b);
    buf_free(&text);
}

static void put_side(struct buf *b, const struct sets *s, const char *side,
                     bool is_policy, int prompt)
{
    struct buf text;
    int i = 2 * prompt + is_policy;
    const char *quote = s->is_textless ? "" : "\"";
    buf_init(&text, 65536);
    if (s->is_textless)
        buf_puts(&text, "null");
    else
        foreign_text(&text, (size_t)words_of(s, i), false, (unsigned)i);
    buf_printf(b,
               ",\"%s\":{\"source\":\"%s\",\"sample\":0,"
               "\"response\":%s%s%s}",
               side, is_policy ? "policy" : "reference", quote, buf_text(&text),
               quote);
    buf_free(&text);
}

static void write_votes(const struct sets *s)
{
    struct buf b;
    char name[64];
    buf_init(&b, (size_t)1 << 22);
    for (int p = 0; p < 100; p++) {
        int v = verdict_on(s, p);
        /* One who likes the left won or lost by it. */
        bool is_left = s->is_left_liked ? v > 0 : p % 2 == 0;
        buf_printf(&b,
                   "{\"pair_id\":\"q%03d\",\"prompt_id\":\"q%03d\",\"kind\":"
                   "\"policy\",\"judge\":\"gpt-x\",\"visit\":1%s,"
                   "\"overall\":\"%s\"",
                   p, p, s->is_side_told ? "" : ",\"side_unknown\":true",
                   v == 0               ? "tie"
                   : (v > 0) == is_left ? "A"
                                        : "B");
        put_side(&b, s, "left", is_left, p);
        put_side(&b, s, "right", !is_left, p);
        buf_puts(&b, "}\n");
    }
    snprintf(name, sizeof name, "%s/%s.jsonl", s->folder,
             s->folder[0] == 'h' ? "spotcheck" : "votes");
    files_write(dir, name, buf_text(&b));
    buf_free(&b);
}

/* It stands on the screen. */
static void must_show(const char *part)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 24);
    diagnose_summary(&out, &d, &e);
    if (strstr(buf_text(&out), part) == NULL)
        fail_msg("'%s' is not in: %s", part, buf_text(&out));
    buf_free(&out);
}

static void read_sets(const struct sets *s)
{
    foreign_import(dir, foreign_missing);
    if (s->has_samples)
        write_samples(s);
    write_votes(s);
    foreign_diagnose(&e, &d, dir);
}

/*
 * The score is far higher, an LLM's verdicts are 36, 17 and 47 of 100: S1 is
 * supported, and whether the LLM prefers the policy is not measurable at 100
 * pairs.  Where the score gained has nothing to do with where the LLM was won.
 * It is said that an LLM judged, and what people say stays unmeasured.
 */
static void test_proxy_up_judge_open(void **state)
{
    (void)state;
    const struct sets s = {36,    17,      47,   1.5,   0, true,
                           false, "judge", true, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "S1"), VERDICT_SUPPORTED);
    const struct finding *win = foreign_row_of(&d, "judge_win");
    assert_int_equal(win->verdict, VERDICT_NOT_MEASURABLE);
    assert_true(win->e.estimate == 0.445);
    assert_true(win->e.low < 0.445 && win->e.high > 0.5);
    assert_true(foreign_mentions(win->text, "an LLM judged (gpt-x)"));
    assert_true(
        foreign_mentions(win->text, "won 36 pairs, tied 17 and lost 47"));
    assert_true(foreign_mentions(win->needs, "would decide it"));
    assert_int_equal(foreign_verdict_of(&d, "judge_gain"),
                     VERDICT_NOT_SUPPORTED);
    assert_int_equal(e.n_vote, 0);
    assert_int_equal(e.n_judged, 100);
    assert_int_equal(foreign_verdict_of(&d, "S2b"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "worse"), VERDICT_NOT_MEASURABLE);
    assert_false(partial_is_told(foreign_row_of(&d, "worse")));
    assert_int_equal(foreign_verdict_of(&d, "G"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
    foreign_free(&e, &d);
}

/* 60, 20 and 20: the LLM prefers the policy, also at equal length, and does so
 * where the score gained. */
static void test_both_up(void **state)
{
    (void)state;
    const struct sets s = {60,    20,      20,   1,     1.5, true,
                           false, "judge", true, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "S1"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_win"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_win_equal"),
                     VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_gain"), VERDICT_SUPPORTED);
    /* What an LLM prefers is not what people do. */
    assert_int_equal(foreign_verdict_of(&d, "worse"), VERDICT_NOT_MEASURABLE);
    foreign_free(&e, &d);
}

/* The same verdicts, which name the replies and do not have their texts, find
 * them by their names: lengths and scores are those of the replies. */
static void test_votes_without_texts(void **state)
{
    (void)state;
    const struct sets s = {60,    20,      20,   1,    1.5, true,
                           false, "judge", true, true, 0};
    read_sets(&s);
    assert_int_equal(e.n_judged, 100);
    assert_int_equal(foreign_verdict_of(&d, "judge_win"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_win_equal"),
                     VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_gain"), VERDICT_SUPPORTED);
    foreign_free(&e, &d);
}

/* The policy's replies are all shorter: who would win at equal length is told
 * as extrapolated, and not measurable. */
static void test_no_equal_length(void **state)
{
    (void)state;
    const struct sets s = {20,    20,      60,   1,     0, true,
                           false, "judge", true, false, 12};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "judge_win"),
                     VERDICT_NOT_SUPPORTED);
    const struct finding *equal = foreign_row_of(&d, "judge_win_equal");
    assert_int_equal(equal->verdict, VERDICT_NOT_MEASURABLE);
    assert_true(foreign_mentions(equal->text, "extrapolated"));
    assert_true(foreign_mentions(equal->needs, "in 100 % of the pairs"));
    assert_true(foreign_mentions(equal->needs, "is the shorter one"));
    foreign_free(&e, &d);
}

/* 20, 20 and 60: it prefers the reference. */
static void test_judge_down(void **state)
{
    (void)state;
    const struct sets s = {20,    20,      60,   1,     0, true,
                           false, "judge", true, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "judge_win"),
                     VERDICT_NOT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_sides"),
                     VERDICT_NOT_SUPPORTED);
    foreign_free(&e, &d);
}

/* Nothing but an LLM's verdicts.  Whoever stood on the left won: it prefers a
 * side.  Without replies there is no score to gain, and S1 and S2a are not
 * measurable. */
static void test_votes_of_a_model_alone(void **state)
{
    (void)state;
    const struct sets s = {50,   0,       50,    0,     0, true,
                           true, "judge", false, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "judge_sides"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "judge_gain"),
                     VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "S1"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(foreign_verdict_of(&d, "S2a"), VERDICT_NOT_MEASURABLE);
    assert_int_equal(e.reply_unit, EVIDENCE_WORDS);
    foreign_free(&e, &d);
}

/* The same without a word on who stood where: no side can be preferred. */
static void test_sides_unknown(void **state)
{
    (void)state;
    const struct sets s = {50,   0,       50,    0,     0, false,
                           true, "judge", false, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "judge_sides"),
                     VERDICT_NOT_MEASURABLE);
    assert_false(
        foreign_is_number(foreign_row_of(&d, "judge_sides")->e.estimate));
    foreign_free(&e, &d);
}

/* Nothing but people's votes, 20, 20 and 60: people prefer the reference, at
 * equal length too.  There is no row of an LLM. */
static void test_votes_of_people_alone(void **state)
{
    (void)state;
    const struct sets s = {20,    20,      60,    0,     0, true,
                           false, "human", false, false, 0};
    read_sets(&s);
    assert_int_equal(e.n_vote, 100);
    assert_int_equal(foreign_verdict_of(&d, "worse"), VERDICT_SUPPORTED);
    assert_int_equal(foreign_verdict_of(&d, "win_equal"),
                     VERDICT_NOT_SUPPORTED);
    assert_false(is_there("judge_win"));
    must_show("  + worse: judges prefer the policy in 30 %");
    must_show("  - win_equal: people prefer the policy in 30 %");
    must_show("judge_taste: at equal quality a much longer reply");
    must_show("probably the policy is paid for what people like less, because "
              "people prefer the reference (worse 0.30");
    /* No placebo pairs. */
    assert_int_equal(foreign_verdict_of(&d, "S2b"), VERDICT_NOT_MEASURABLE);
    foreign_free(&e, &d);
}

/* The same with 80 wins, no tie and 20 defeats: people prefer the policy, and
 * the screen says by how much, at equal length too. */
static void test_votes_for_the_policy(void **state)
{
    (void)state;
    const struct sets s = {80,    0,       20,    0,     0, true,
                           false, "human", false, false, 0};
    read_sets(&s);
    assert_int_equal(foreign_verdict_of(&d, "worse"), VERDICT_NOT_SUPPORTED);
    must_show("  - worse: judges prefer the policy in 80 % [");
    must_show(" win_equal: people prefer the policy in 80 % [");
    foreign_free(&e, &d);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_texts),
        CASE(test_quiet_texts),
        CASE(test_longer_has_more_of_all),
        CASE(test_finish),
        CASE(test_mixed_units),
        CASE(test_proxy_up_judge_open),
        CASE(test_both_up),
        CASE(test_votes_without_texts),
        CASE(test_no_equal_length),
        CASE(test_judge_down),
        CASE(test_votes_of_a_model_alone),
        CASE(test_sides_unknown),
        CASE(test_votes_of_people_alone),
        CASE(test_votes_for_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

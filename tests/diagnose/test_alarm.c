/*
 * test_alarm.c - the paradox alarm: raised exactly where the rule says, and
 * closed by people alone.
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "diagnose/alarm.h"
#include "eval/files.h"

enum {
    N = 40,
    BATCH = 16
};

static int64_t step[N];
static double flat[N], rising[N], falling[N];

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

/* A run whose KL and score grow by so much an iteration, with a reward model
 * that is right on every second pair of the kind it is worse at. */
static void make(struct evidence *e, double kl, double score)
{
    static const char heldout[] =
        "{\"accuracy_chosen_longer\":{\"estimate\":0.5},"
        "\"accuracy_chosen_shorter\":{\"estimate\":0.5}}";
    struct err err;
    *e = (struct evidence){.n_step = N, .n_rollout = N * BATCH};
    files_must(MEM_NEW(e->step, N, &err), &err);
    files_must(MEM_NEW(e->rollout, N * BATCH, &err), &err);
    for (uint32_t i = 0; i < N; i++) {
        e->step[i].step = i + 1;
        for (uint32_t k = 0; k < BATCH; k++)
            e->rollout[i * BATCH + k] = (struct evidence_rollout){
                .step = i,
                .prompt = k,
                .kl = (float)(kl * i),
                .score = (float)(score * i) + 0.01F * (float)k};
    }
    files_must(
        json_parse(&e->reward_heldout, heldout, sizeof heldout - 1, "it", &err),
        &err);
}

static void vote(struct evidence *e, int64_t at, size_t wins, size_t n)
{
    struct evidence_spot *grown =
        mem_grow(e->spot, e->n_spot, e->n_spot + n, sizeof *grown);
    assert_non_null(grown);
    e->spot = grown;
    for (size_t i = 0; i < n; i++)
        e->spot[e->n_spot++] = (struct evidence_spot){
            .step = at, .win = i < wins ? 1 : 0, .d_score = 0.5};
}

/* A vote on the finished run's reply to a prompt. */
static void vote_pair(struct evidence *e, size_t prompt, size_t pair,
                      double win, int visit, bool is_placebo)
{
    if (e->n_vote == e->room_vote) {
        size_t room = e->room_vote > 0 ? 2 * e->room_vote : 16;
        struct evidence_vote *grown =
            mem_grow(e->vote, e->n_vote, room, sizeof *grown);
        assert_non_null(grown);
        e->vote = grown;
        e->room_vote = room;
    }
    e->vote[e->n_vote++] = (struct evidence_vote){.prompt = prompt,
                                                  .pair = pair,
                                                  .win = win,
                                                  .visit = visit,
                                                  .is_placebo = is_placebo};
    if (e->n_prompts <= prompt)
        e->n_prompts = prompt + 1;
}

static void vote_final(struct evidence *e, size_t prompt, double win, int visit,
                       bool is_placebo)
{
    vote_pair(e, prompt, 2 * prompt + is_placebo, win, visit, is_placebo);
}

static enum alarm_state paradox(const struct evidence *e, const double *gold,
                                const struct alarm_votes *votes)
{
    struct alarm a;
    struct err err;
    struct alarm_series s = series();
    static const struct alarm_votes none;
    s.gold = gold;
    files_must(alarm_judge_paradox(&a, NULL, e, &s,
                                   votes != NULL ? votes : &none, &err),
               &err);
    return a.state;
}

static void test_paradox(void **state)
{
    (void)state;
    struct evidence e;
    make(&e, 0.25, 0.1);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_RAISED);
    assert_int_equal(paradox(&e, falling, NULL), ALARM_RAISED);
    assert_int_equal(paradox(&e, flat, NULL), ALARM_RAISED);
    assert_int_equal(paradox(&e, rising, NULL), ALARM_QUIET);
    const struct alarm_votes asked = {.is_asked = true, .step = N};
    assert_int_equal(paradox(&e, NULL, &asked), ALARM_ASKED);
    evidence_free(&e);
    make(&e, 0.25, 0); // the reward does not rise
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_QUIET);
    evidence_free(&e);
    make(&e, 0, 0.1); // nothing was spent
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_QUIET);
    evidence_free(&e);
}

/* Few votes decide nothing; many do, whatever gold says. */
static void test_people_close_it(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm_point point[4];
    make(&e, 0.25, 0.1);
    vote(&e, 10, 8, 8); // of an earlier checkpoint: not what is asked about
    vote(&e, 40, 2, 4);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_RAISED);
    vote(&e, 40, 60, 60);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_CLEARED);
    assert_int_equal(paradox(&e, falling, NULL), ALARM_CLEARED);
    static const struct alarm_votes none;
    assert_int_equal(alarm_people(point, 4, &e, &none), 2);
    assert_int_equal(point[1].iteration, 40);
    assert_int_equal(point[1].win.n, 64);
    assert_true(point[1].win.low > 0.5 && point[0].win.high <= 1);
    vote(&e, 50, 0, 60);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_CONFIRMED);
    assert_int_equal(paradox(&e, rising, NULL), ALARM_CONFIRMED);
    evidence_free(&e);
}

enum {
    QUEUED = 60
};

/* So many prompts' votes on what was queued at a step, all for it or against
 * it; ids from `first` on. */
static void queue(struct alarm_votes *votes, int64_t at, double win, int first)
{
    static struct alarm_vote vote[8 * QUEUED];
    static char id[8 * QUEUED][16];
    if (votes->n == 0)
        votes->vote = vote;
    for (int i = 0; i < QUEUED; i++) {
        (void)snprintf(id[votes->n], 16, "p%d", first + i);
        vote[votes->n] = (struct alarm_vote){at, id[votes->n], win};
        votes->n++;
    }
    votes->is_asked = true;
    votes->step = at;
}

/* Votes on what was queued are those on the policy of its step, not on a newer
 * one, and older ones do not stand for it. */
static void test_queued(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm_point point[4];
    struct alarm_votes votes = {.n = 0};
    make(&e, 0.25, 0.1);
    queue(&votes, 10, 1, 0);
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_CLEARED);
    /* Asked about a newer policy, what was said of the old one clears nothing;
     * that people found it worse is not taken back by asking. */
    votes.step = 40;
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_ASKED);
    votes.n = 0;
    queue(&votes, 10, 0, 0);
    votes.step = 40;
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_CONFIRMED);
    /* Two steps that contradict each other: the newer one's votes alone. */
    queue(&votes, 40, 1, 0);
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_CLEARED);
    assert_int_equal(alarm_people(point, 4, &e, &votes), 2);
    assert_int_equal(point[0].iteration, 10);
    assert_int_equal(point[0].win.n, QUEUED);
    assert_true(point[0].win.high < 0.5);
    assert_int_equal(point[1].iteration, 40);
    assert_int_equal(point[1].win.n, QUEUED);
    assert_true(point[1].win.low > 0.5);
    /* Those who saw a newer policy are heard, and nobody was asked about it. */
    vote(&e, 50, 1, 2);
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_RAISED);
    evidence_free(&e);
}

/* The same policy in the evidence and in what was queued: all of it together,
 * and a prompt once. */
static void test_same_policy(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm_point point[4];
    struct alarm_votes votes = {.n = 0};
    make(&e, 0.25, 0.1);
    vote(&e, 40, 0, 60);
    for (int i = 0; i < 60; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "p%d", i);
        e.spot[i].prompt = names_hash(id);
    }
    queue(&votes, 40, 1, 55); // five of them are the same prompts
    assert_int_equal(alarm_people(point, 4, &e, &votes), 1);
    assert_int_equal(point[0].win.n, 60 + QUEUED - 5);
    assert_int_equal(paradox(&e, NULL, &votes), ALARM_ASKED);
    evidence_free(&e);
}

/* A prompt's pair, judged rounds apart by three, is one vote, and rows that do
 * not count part no prompts. */
static void test_vote_a_prompt(void **state)
{
    (void)state;
    enum {
        PROMPTS = 1500, // in two passes
        ROUNDS = 3
    };
    static const struct alarm_votes none;
    struct evidence e;
    struct alarm_point point;
    make(&e, 0.25, 0.1);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t p = 0; p < PROMPTS; p++) {
            vote_final(&e, p, p % 3 == 0 ? 0 : 1, 1, false);
            vote_final(&e, p + 1 < PROMPTS ? p + 1 : 0, 1, 1, true);
            vote_final(&e, p + 1 < PROMPTS ? p + 1 : 0, 0, 2, false);
        }
    }
    assert_int_equal(alarm_people(&point, 1, &e, &none), 1);
    assert_int_equal(point.win.n, PROMPTS);
    assert_true(point.win.estimate == 2.0 / 3);
    evidence_free(&e);
    /* Of two prompts, one after the other with a placebo between, one is won
     * and one is lost. */
    make(&e, 0.25, 0.1);
    vote_final(&e, 0, 1, 1, false);
    vote_final(&e, 1, 1, 1, true);
    vote_final(&e, 1, 0, 1, false);
    assert_int_equal(alarm_people(&point, 1, &e, &none), 1);
    assert_int_equal(point.win.n, 2);
    assert_true(point.win.estimate == 0.5);
    evidence_free(&e);
}

/* What is said of a prompt's first pair is not taken back by what is said of
 * its second, wherever their rows stand. */
static void test_first_pair(void **state)
{
    (void)state;
    static const struct alarm_votes none;
    struct evidence e;
    struct alarm_point before, after;
    make(&e, 0.25, 0.1);
    for (size_t p = 0; p < 20; p++)
        vote_pair(&e, p, p, 1, 1, false);
    assert_int_equal(alarm_people(&before, 1, &e, &none), 1);
    assert_true(before.win.low > 0.5);
    for (size_t p = 0; p < 20; p++)
        for (size_t more = 1; more < 3; more++)
            vote_pair(&e, p, 20 * more + p, 0, 1, false);
    assert_int_equal(alarm_people(&after, 1, &e, &none), 1);
    assert_int_equal(after.win.n, 20);
    assert_true(after.win.low == before.win.low);
    evidence_free(&e);
    /* Later pairs first, and two who are not of one mind on the first one. */
    make(&e, 0.25, 0.1);
    vote_pair(&e, 0, 1, 1, 1, false);
    vote_pair(&e, 0, 0, 0, 1, false);
    vote_pair(&e, 0, 2, 1, 1, false);
    assert_int_equal(alarm_people(&after, 1, &e, &none), 1);
    assert_true(after.win.n == 1 && after.win.estimate == 0);
    vote_pair(&e, 0, 0, 1, 1, false);
    assert_int_equal(alarm_people(&after, 1, &e, &none), 0); // a tie
    evidence_free(&e);
}

/* The finished run's policy was judged as a checkpoint too, whose votes are not
 * heard: those that were queued of the same prompts are. */
static void test_queued_of_the_end(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm_point point[2];
    struct alarm_votes votes = {.n = 0};
    make(&e, 0.25, 0.1);
    vote(&e, N, 0, QUEUED);
    for (int i = 0; i < QUEUED; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "p%d", i);
        e.spot[i].prompt = names_hash(id);
    }
    vote_final(&e, 0, 1, 1, false);
    queue(&votes, N, 1, 0);
    assert_int_equal(alarm_people(point, 2, &e, &votes), 1);
    assert_int_equal(point[0].win.n, 1 + QUEUED);
    assert_true(point[0].win.estimate == 1);
    evidence_free(&e);
}

/* One vote on a newer policy does not let gold close what people confirmed;
 * many that say better do. */
static void test_worse_stands(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm a;
    struct err err;
    struct alarm_series s = series();
    static const struct alarm_votes none;
    s.gold = rising;
    make(&e, 0.25, 0.1);
    vote(&e, 40, 0, 60);
    assert_int_equal(paradox(&e, rising, NULL), ALARM_CONFIRMED);
    vote(&e, 50, 1, 1);
    files_must(alarm_judge_paradox(&a, NULL, &e, &s, &none, &err), &err);
    assert_int_equal(a.state, ALARM_CONFIRMED);
    assert_non_null(
        strstr(a.text, "the policy of iteration 40 in 0 % of 60 prompts"));
    vote(&e, 50, 59, 59);
    assert_int_equal(paradox(&e, rising, NULL), ALARM_CLEARED);
    vote(&e, 60, 1, 1); // better is of an older one
    assert_int_equal(paradox(&e, rising, NULL), ALARM_QUIET);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_RAISED);
    evidence_free(&e);
}

/* Whoever is judging is told the same whatever people said: nothing. */
static void test_blind(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm a, before, blind;
    struct err err;
    struct alarm_series s = series();
    static const struct alarm_votes none;
    s.gold = rising;
    make(&e, 0.25, 0.1);
    files_must(alarm_judge_paradox(&a, &before, &e, &s, &none, &err), &err);
    assert_int_equal(a.state, ALARM_QUIET);
    assert_int_equal(before.state, ALARM_ASKED);
    assert_non_null(strstr(before.text, "people are judging"));
    assert_null(strchr(before.text, '%'));
    for (int round = 0; round < 2; round++) {
        vote(&e, N + round, round == 0 ? 0 : 60, 60);
        files_must(alarm_judge_paradox(&a, &blind, &e, &s, &none, &err), &err);
        assert_int_equal(a.state, round == 0 ? ALARM_CONFIRMED : ALARM_CLEARED);
        assert_int_equal(blind.state, before.state);
        assert_int_equal(blind.since, before.since);
        assert_string_equal(blind.text, before.text);
    }
    evidence_free(&e);
    make(&e, 0, 0.1); // nothing to ask about
    files_must(alarm_judge_paradox(&a, &blind, &e, &s, &none, &err), &err);
    assert_int_equal(blind.state, ALARM_QUIET);
    evidence_free(&e);
}

/* From the middle of the run on the policy goes back to where it began, with
 * its KL and its reward: what people said or were asked does not go quiet. */
static void test_stays(void **state)
{
    (void)state;
    struct evidence e;
    struct alarm a;
    struct err err;
    struct alarm_series s = series();
    const struct alarm_votes asked = {.is_asked = true}, none = {0};
    make(&e, 0.25, 0.1);
    for (size_t i = 0; i < e.n_rollout; i++) {
        struct evidence_rollout *r = &e.rollout[i];
        if (r->step >= N / 2)
            *r = (struct evidence_rollout){.step = r->step,
                                           .prompt = r->prompt,
                                           .score = 0.01F * (float)r->prompt};
    }
    files_must(alarm_judge_paradox(&a, NULL, &e, &s, &none, &err), &err);
    assert_int_equal(a.state, ALARM_RAISED);
    assert_in_range(a.since, 2, N / 2);
    /* The warning's window of three still holds some of it for a while. */
    int64_t at = 0;
    assert_int_equal(
        sscanf(a.text, "at iteration %" SCNd64 " the reward had", &at), 1);
    assert_in_range(at, N / 2, N / 2 + 2);
    assert_int_equal(paradox(&e, NULL, &asked), ALARM_ASKED);
    assert_int_equal(paradox(&e, rising, &asked), ALARM_ASKED);
    assert_int_equal(paradox(&e, rising, NULL), ALARM_QUIET);
    vote(&e, 40, 0, 60);
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_CONFIRMED);
    assert_int_equal(paradox(&e, rising, &asked), ALARM_CONFIRMED);
    vote(&e, 41, 60, 60);
    assert_int_equal(paradox(&e, NULL, &asked), ALARM_CLEARED);
    evidence_free(&e);
}

/* Votes do not raise what the run never gave reason for. */
static void test_never_raised(void **state)
{
    (void)state;
    struct evidence e;
    const struct alarm_votes asked = {.is_asked = true};
    make(&e, 0, 0.1);
    vote(&e, 40, 0, 60);
    assert_int_equal(paradox(&e, NULL, &asked), ALARM_QUIET);
    evidence_free(&e);
}

/* A hundred responses to two prompts are two observations: two others that
 * happen to be scored higher are no rise. */
static void test_prompts_are_units(void **state)
{
    (void)state;
    struct evidence e;
    make(&e, 0.25, 0);
    for (size_t i = 0; i < e.n_rollout; i++) {
        struct evidence_rollout *r = &e.rollout[i];
        uint32_t which = r->prompt % 2;
        r->prompt = (r->step >= N / 2 ? 2 : 0) + which;
        r->score = (r->prompt < 2 ? 0.0F : 0.5F) + (which == 0 ? 0.0F : 1.0F) +
                   0.01F * (float)(i % BATCH);
    }
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_QUIET);
    /* The same prompts as at first: paired, they have risen. */
    for (size_t i = 0; i < e.n_rollout; i++)
        e.rollout[i].prompt %= 2;
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_RAISED);
    evidence_free(&e);
}

/* Forty looks at a reward that does not move, of batches with prompts of their
 * own: one run in twenty at most.  400 runs, and four standard errors of a
 * share of .05 among them; looks at 95 % raise three times as many. */
static void test_false_alarms(void **state)
{
    (void)state;
    enum {
        RUNS = 400
    };
    struct evidence e;
    size_t raised = 0;
    make(&e, 0.25, 0);
    for (size_t i = 0; i < e.n_rollout; i++)
        e.rollout[i].kl = 10; // spent from the beginning
    for (uint32_t run = 0; run < RUNS; run++) {
        struct rng r;
        rng_init(&r, 1, RNG_TEST, run, 0);
        for (size_t i = 0; i < e.n_rollout; i += 2) {
            double prompt = rng_normal(&r);
            for (size_t k = i; k < i + 2; k++) {
                e.rollout[k].prompt = (uint32_t)(i / 2);
                e.rollout[k].score = (float)(prompt + 0.3 * rng_normal(&r));
            }
        }
        raised += paradox(&e, NULL, NULL) != ALARM_QUIET;
    }
    assert_in_range(raised, 0, (size_t)(RUNS * (0.05 + 4 * sqrt(0.05 / RUNS))));
    evidence_free(&e);
}

/* The run's end is one point, though its last checkpoint was judged as well. */
static void test_one_point(void **state)
{
    (void)state;
    static const struct alarm_votes none;
    struct evidence e;
    struct alarm_point point[4];
    make(&e, 0.25, 0.1);
    vote(&e, 10, 3, 4);
    vote(&e, N, 3, 4);
    assert_int_equal(alarm_people(point, 4, &e, &none), 2);
    assert_int_equal(point[1].win.n, 4);
    vote_final(&e, 0, 0, 1, false);
    assert_int_equal(alarm_people(point, 4, &e, &none), 2);
    assert_int_equal(point[1].iteration, N);
    assert_int_equal(point[1].win.n, 1);
    assert_int_equal(alarm_people(point, 1, &e, &none), 1);
    evidence_free(&e);
}

static void test_needs(void **state)
{
    (void)state;
    struct evidence e;
    make(&e, 0.25, 0.1);
    json_free(e.reward_heldout);
    e.reward_heldout = NULL;
    assert_int_equal(paradox(&e, NULL, NULL), ALARM_UNKNOWN);
    evidence_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paradox),
        cmocka_unit_test(test_people_close_it),
        cmocka_unit_test(test_queued),
        cmocka_unit_test(test_same_policy),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_vote_a_prompt),
        cmocka_unit_test(test_first_pair),
        cmocka_unit_test(test_queued_of_the_end),
        cmocka_unit_test(test_worse_stands),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_stays),
        cmocka_unit_test(test_never_raised),
        cmocka_unit_test(test_prompts_are_units),
        cmocka_unit_test(test_false_alarms),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

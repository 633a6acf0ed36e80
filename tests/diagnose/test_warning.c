/*
 * test_warning.c - the alarm: it comes exactly where the rule says, knows
 * nothing of what comes later, and says what it lacks.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "diagnose/diagnose.h"
#include "eval/files.h"
#include "toy.h"

enum {
    STEPS = 12,
    BATCH = 4
};

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 200};
/* All numbers are sums of few powers of two, so that levels are exact. */
static const struct warning_plan watch = {.nats = 10,
                                          .least = 0.25,
                                          .prior = 50,
                                          .window = 5,
                                          .votes_each = SIZE_MAX};

/* A run that spends a quarter of a nat more each iteration; its mean over the
 * last five iterations is 0.25 (k - 2). */
static void make(struct evidence *e, double longer, double shorter)
{
    struct err err;
    char text[256];
    *e = (struct evidence){.n_step = STEPS, .n_rollout = STEPS * BATCH};
    files_must(MEM_NEW(e->step, STEPS, &err), &err);
    files_must(MEM_NEW(e->rollout, STEPS * BATCH, &err), &err);
    for (uint32_t i = 0; i < STEPS; i++) {
        e->step[i].step = i + 1;
        for (uint32_t k = 0; k < BATCH; k++)
            e->rollout[i * BATCH + k] =
                (struct evidence_rollout){.step = i,
                                          .kl = 0.25F * (float)(i + 1),
                                          .k1 = 1000,
                                          .tokens = (float)(10 + i),
                                          .score = (float)i};
    }
    snprintf(text, sizeof text,
             "{\"accuracy_chosen_longer\":{\"estimate\":%.17g},"
             "\"accuracy_chosen_shorter\":{\"estimate\":%.17g}}",
             longer, shorter);
    files_must(json_parse(&e->reward_heldout, text, strlen(text), "it", &err),
               &err);
}

/* n votes on the checkpoint of an iteration; in all the reward model prefers
 * the policy's reply, and so do people in `right` of them. */
static void vote(struct evidence *e, int64_t step, size_t right, size_t n)
{
    struct evidence_spot *grown =
        mem_grow(e->spot, e->n_spot, e->n_spot + n, sizeof *grown);
    assert_non_null(grown);
    e->spot = grown;
    for (size_t i = 0; i < n; i++)
        e->spot[e->n_spot++] = (struct evidence_spot){
            .step = step, .win = i < right ? 1 : 0, .d_score = 0.5};
}

static int64_t first_alarm(const struct evidence *e,
                           const struct warning_plan *p)
{
    struct warning_log log;
    struct err err;
    files_must(warning_watch(&log, e, p, &err), &err);
    int64_t at = log.alarm != SIZE_MAX ? log.at[log.alarm].iteration : -1;
    warning_log_free(&log);
    return at;
}

/* The kind of pairs that the model is worse at decides, whichever it is.  At
 * 0.625 it has earned 1.25 nats, spent at 0.25 (7 - 2). */
static void test_crossing(void **state)
{
    (void)state;
    static const struct {
        double longer, shorter;
        int64_t at;
    } row[] = {
        {0.625, 0.875, 7}, {0.875, 0.625, 7},    {0.626, 0.875, 8},
        {0.75, 0.75, 12},  {0.875, 0.75001, -1}, {0.98, 0.1, 1},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct evidence e;
        make(&e, row[i].longer, row[i].shorter);
        assert_int_equal(first_alarm(&e, &watch), row[i].at);
        evidence_free(&e);
    }
}

/* Of the first iterations there are fewer to average over: 0.125 (k + 1) until
 * the fifth. */
static void test_first_iterations(void **state)
{
    (void)state;
    struct evidence e;
    struct warning w;
    make(&e, 0.625, 0.875);
    for (int64_t k = 1; k <= 5; k++) {
        warning_at(&w, &e, k, &watch);
        assert_true(w.signal[WARNING_SPENT] == 0.125 * (double)(k + 1));
        assert_true(w.signal[WARNING_EARNED] == 1.25);
        assert_true(w.level == 0.1 * (double)(k + 1) ||
                    fabs(w.level - 0.1 * (double)(k + 1)) < 1e-15);
        assert_int_equal(w.votes, 0);
        assert_true(isnan(w.signal[WARNING_ACCURACY_VOTES]));
    }
    evidence_free(&e);
}

static void test_votes(void **state)
{
    (void)state;
    struct evidence e;
    struct warning w;
    struct warning_plan few = watch;
    make(&e, 0.625, 0.875);
    vote(&e, 5, 0, 10);
    vote(&e, 10, 40, 40);
    /* Ten against it: w = 50 * 0.625 / 60 leaves 0.208 nats, less than what is
     * always allowed. */
    warning_at(&w, &e, 5, &watch);
    assert_int_equal(w.votes, 10);
    files_near(w.signal[WARNING_ACCURACY], 50 * 0.625 / 60, 1e-15);
    assert_true(w.signal[WARNING_EARNED] == 0.25);
    assert_int_equal(first_alarm(&e, &watch), 5);
    /* Not before they were cast. */
    warning_at(&w, &e, 4, &watch);
    assert_int_equal(w.votes, 0);
    assert_true(w.signal[WARNING_EARNED] == 1.25);
    /* Forty for it give more than was lost. */
    warning_at(&w, &e, 10, &watch);
    assert_int_equal(w.votes, 50);
    files_near(w.signal[WARNING_ACCURACY], (50 * 0.625 + 40) / 100, 1e-15);
    files_near(w.signal[WARNING_WIN_RATE], 0.8, 1e-15);
    /* A smaller budget reads the first of each checkpoint. */
    few.votes_each = 3;
    warning_at(&w, &e, 10, &few);
    assert_int_equal(w.votes, 6);
    files_near(w.signal[WARNING_ACCURACY], (50 * 0.625 + 3) / 56, 1e-15);
    few.votes_each = 0;
    assert_int_equal(first_alarm(&e, &few), 7);
    /* Neither a tie nor a pair that the model does not tell apart says
     * anything of the model. */
    for (size_t i = 0; i < e.n_spot; i++)
        if (i % 2 == 0)
            e.spot[i].win = 0.5;
        else
            e.spot[i].d_score = 0;
    warning_at(&w, &e, 10, &watch);
    assert_int_equal(w.votes, 50);
    assert_true(w.signal[WARNING_ACCURACY] == 0.625);
    evidence_free(&e);
}

static bool is_number(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

static bool is_same(const struct warning *a, const struct warning *b)
{
    bool same = a->iteration == b->iteration && a->is_alarm == b->is_alarm &&
                a->votes == b->votes && is_number(a->level, b->level);
    for (size_t i = 0; i < WARNING_SIGNALS; i++)
        same = same && is_number(a->signal[i], b->signal[i]);
    return same;
}

/* Whatever comes later, what was said stays, bit for bit. */
static void test_later(void **state)
{
    (void)state;
    struct evidence e;
    struct warning before[STEPS + 1], after;
    make(&e, 0.625, 0.875);
    vote(&e, 5, 2, 4);
    vote(&e, 10, 1, 4);
    for (int64_t k = 1; k <= STEPS; k++)
        warning_at(&before[k], &e, k, &watch);
    for (int64_t k = STEPS - 1; k >= 1; k--) {
        for (size_t i = 0; i < e.n_rollout; i++)
            if (e.step[e.rollout[i].step].step > k)
                e.rollout[i].kl = e.rollout[i].tokens = e.rollout[i].score =
                    12345;
        for (size_t i = 0; i < e.n_spot; i++)
            if (e.spot[i].step > k)
                e.spot[i].win = 1 - e.spot[i].win;
        warning_at(&after, &e, k, &watch);
        assert_true(is_same(&before[k], &after));
    }
    /* And it does see what came before. */
    warning_at(&after, &e, STEPS, &watch);
    assert_false(is_same(&before[STEPS], &after));
    evidence_free(&e);
}

static void expect_the_same(const struct evidence *e,
                            const struct warning_plan *p)
{
    struct warning_log log;
    struct warning alone;
    struct err err;
    files_must(warning_watch(&log, e, p, &err), &err);
    assert_int_equal(log.n, e->n_step);
    for (size_t i = 0; i < log.n; i++) {
        warning_at(&alone, e, e->step[i].step, p);
        assert_true(is_same(&log.at[i], &alone));
    }
    warning_log_free(&log);
}

/* A whole run is its iterations one by one, whatever the window, with gaps
 * between iterations, votes before, between and after them, and iterations
 * that do not ascend. */
static void test_whole_run(void **state)
{
    (void)state;
    struct warning_plan p = watch;
    struct evidence e;
    make(&e, 0.625, 0.875);
    for (size_t i = 0; i < e.n_rollout; i++) { // sums that depend on the order
        e.rollout[i].kl = (float)(i * 7919 % 101) / 97;
        e.rollout[i].score = (float)(i * 104729 % 89) / 83;
    }
    for (size_t i = 0; i < STEPS; i++)
        e.step[i].step = (int64_t)(3 * i + i / 5 * 40);
    vote(&e, -2, 1, 3);
    vote(&e, 4, 2, 3);
    vote(&e, 6, 0, 2);
    vote(&e, 9, 3, 5);
    vote(&e, 1000, 1, 4);
    for (p.window = 0; p.window < 60; p.window += 7)
        for (p.votes_each = 0; p.votes_each < 4; p.votes_each++)
            expect_the_same(&e, &p);
    e.step[5].step = 1;
    expect_the_same(&e, &p);
    e.step[6].step = e.step[4].step;
    expect_the_same(&e, &p);
    evidence_free(&e);
}

/* An alarm stays one when nothing is known of the end. */
static void test_alarm_before_the_end(void **state)
{
    (void)state;
    struct evidence e;
    struct warning_log log;
    struct buf text;
    struct err err;
    make(&e, 0.625, 0.875);
    for (size_t i = 0; i < e.n_rollout; i++)
        if (e.rollout[i].step + watch.window >= STEPS)
            e.rollout[i].kl = e.rollout[i].k1 = (float)NAN;
    files_must(warning_watch(&log, &e, &watch, &err), &err);
    assert_true(isnan(log.at[STEPS - 1].level));
    assert_int_equal(log.at[log.alarm].iteration, 7);
    assert_null(log.needs);
    buf_init(&text, 4096);
    warning_say(&text, &log);
    assert_non_null(strstr(buf_text(&text), "at iteration 7 of 12"));
    buf_free(&text);
    warning_log_free(&log);
    /* Without an alarm before, what is missing is said. */
    for (size_t i = 0; i < e.n_rollout; i++)
        e.rollout[i].kl = e.rollout[i].k1 = (float)NAN;
    files_must(warning_watch(&log, &e, &watch, &err), &err);
    assert_string_equal(log.needs, "log-probabilities in ppo/rollouts");
    warning_log_free(&log);
    evidence_free(&e);
}

static void test_lack(void **state)
{
    (void)state;
    struct evidence e;
    struct warning_log log;
    struct buf text;
    struct err err;
    make(&e, 0.625, 0.875);
    json_free(e.reward_heldout);
    e.reward_heldout = NULL;
    files_must(warning_watch(&log, &e, &watch, &err), &err);
    assert_int_equal(log.alarm, SIZE_MAX);
    assert_string_equal(log.needs, "reward/eval/heldout.json");
    buf_init(&text, 4096);
    warning_say(&text, &log);
    assert_non_null(strstr(buf_text(&text), "reward/eval/heldout.json"));
    buf_free(&text);
    warning_log_free(&log);
    /* Without exact KL the sampled one stands in for it. */
    for (size_t i = 0; i < e.n_rollout; i++) {
        e.rollout[i].kl = (float)NAN;
        e.rollout[i].k1 = 2;
    }
    struct warning w;
    warning_at(&w, &e, 3, &watch);
    assert_true(w.signal[WARNING_SPENT] == 2);
    e.n_rollout = e.n_step = 0;
    files_must(warning_watch(&log, &e, &watch, &err), &err);
    assert_string_equal(log.needs, "ppo/rollouts");
    warning_log_free(&log);
    evidence_free(&e);
}

/* ---- from files --------------------------------------------------------- */

#define HELDOUT                                                                \
    "{\"accuracy_chosen_longer\":{\"estimate\":0.9},"                          \
    "\"accuracy_chosen_shorter\":{\"estimate\":0.7}}"
#define REPLY(which, text, score)                                              \
    "{\"prompt_id\":\"held-000\",\"which\":\"" which                           \
    "\",\"sample\":0,\"response\":\"" text "\",\"len\":3,\"score\":" score     \
    "}\n"
#define VOTE(text)                                                             \
    "{\"pair_id\":\"p\",\"kind\":\"policy\",\"prompt_id\":\"held-000\","       \
    "\"left\":{\"source\":\"reference\",\"sample\":0,\"response\":\"b\"},"     \
    "\"right\":{\"source\":\"policy\",\"sample\":0,\"response\":\"" text       \
    "\"},\"overall\":\"A\",\"visit\":1}\n"

static void make_files(void)
{
    static const char *const folder[] = {"reward/eval", "eval/checkpoints",
                                         "human/checkpoints"};
    struct toy t = toy_paradox(dir);
    struct err err;
    t.iterations = STEPS;
    toy_write(&t);
    for (size_t i = 0; i < sizeof folder / sizeof *folder; i++)
        files_must(file_make_dir(files_path(dir, folder[i]), &err), &err);
    files_write(dir, "reward/eval/heldout.json", HELDOUT);
    for (int k = 2; k <= 10; k += 8) {
        char name[64];
        snprintf(name, sizeof name, "eval/checkpoints/%06d.jsonl", k);
        files_write(dir, name,
                    REPLY("policy", "a", "1.5") REPLY("reference", "b", "1"));
        snprintf(name, sizeof name, "human/checkpoints/%06d.jsonl", k);
        files_write(dir, name, k == 2 ? VOTE("a") : VOTE("a") VOTE("a"));
    }
}

static void read_it(struct evidence *e)
{
    struct err err;
    files_must(evidence_read(e, dir, &plan, &err), &err);
}

static void remove_it(const char *name)
{
    struct err err;
    files_must(file_remove(files_path(dir, name), &err), &err);
}

/* The same bytes from a directory in which the run stopped at iteration 8, and
 * nothing was made afterwards. */
static void test_truncated(void **state)
{
    (void)state;
    struct evidence e;
    struct warning whole[9], part;
    make_files();
    read_it(&e);
    assert_int_equal(e.n_spot, 3);
    assert_true(e.spot[0].step == 2 && e.spot[2].step == 10);
    assert_true(e.spot[0].d_score == 0.5 && e.spot[0].win == 0);
    for (int64_t k = 1; k <= 8; k++)
        warning_at(&whole[k], &e, k, &watch);
    assert_int_equal(whole[8].votes, 1);
    assert_true(whole[8].signal[WARNING_SPENT] > 0);
    evidence_free(&e);
    for (int k = 9; k <= STEPS; k++) {
        char name[64];
        snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl.zst", k);
        remove_it(name);
    }
    remove_it("human/checkpoints/000010.jsonl");
    remove_it("eval/checkpoints/000010.jsonl");
    remove_it("eval/curve.json");
    remove_it("human/spotcheck.jsonl");
    remove_it("probes/push.json");
    read_it(&e);
    assert_int_equal(e.n_step, 8);
    for (int64_t k = 1; k <= 8; k++) {
        warning_at(&part, &e, k, &watch);
        assert_true(is_same(&whole[k], &part));
    }
    evidence_free(&e);
}

/* Votes on other replies are lost and named, those of other checkpoints stay;
 * none at all are no loss. */
static void test_votes_lost(void **state)
{
    (void)state;
    struct evidence e;
    make_files();
    files_write(dir, "human/checkpoints/000010.jsonl", VOTE("another"));
    read_it(&e);
    assert_int_equal(e.n_spot, 1);
    assert_int_equal(e.spot[0].step, 2);
    const struct evidence_loss *l =
        evidence_lost(&e, "human/checkpoints/000010.jsonl");
    assert_non_null(l);
    assert_non_null(strstr(l->why, "1 votes are about replies"));
    evidence_free(&e);
    files_write(dir, "human/checkpoints/000010.jsonl", VOTE("a") "{");
    read_it(&e);
    assert_int_equal(e.n_spot, 1);
    l = evidence_lost(&e, "human/checkpoints/000010.jsonl");
    assert_non_null(l);
    assert_non_null(strstr(l->why, "line 2"));
    evidence_free(&e);
    remove_it("eval/checkpoints/000002.jsonl");
    read_it(&e);
    assert_int_equal(e.n_spot, 0);
    assert_null(evidence_lost(&e, "human/checkpoints"));
    l = evidence_lost(&e, "human/checkpoints/000002.jsonl");
    assert_non_null(l);
    assert_string_equal(l->why, "eval/checkpoints/000002.jsonl is not there");
    evidence_free(&e);
    remove_it("human/checkpoints");
    read_it(&e);
    assert_null(evidence_lost(&e, "human/checkpoints"));
    assert_int_equal(e.n_spot, 0);
    evidence_free(&e);
}

/* diagnosis.json and the summary have it. */
static void test_document(void **state)
{
    (void)state;
    struct evidence e;
    struct diagnosis d;
    struct json_writer w;
    struct json *root;
    struct buf out, text;
    struct err err;
    make_files();
    read_it(&e);
    files_must(diagnose(&d, &e, &err), &err);
    buf_init(&out, (size_t)1 << 24);
    buf_init(&text, (size_t)1 << 24);
    json_writer_init(&w, &out, true);
    diagnose_write(&w, &d, &e);
    files_must(json_parse(&root, buf_text(&out), out.len, "it", &err), &err);
    const struct json *it = json_get(root, "warning");
    assert_int_equal(json_int(json_get(it, "iterations"), 0), STEPS);
    assert_int_equal(json_size(json_get(it, "signals")), WARNING_SIGNALS);
    assert_int_equal(json_size(json_get(json_get(it, "columns"), "level")),
                     STEPS);
    diagnose_summary(&text, &d, &e);
    assert_non_null(strstr(buf_text(&text), "alarm would have been raised"));
    assert_non_null(strstr(buf_text(&text), "votes counted in") != NULL
                        ? strstr(buf_text(&text), "votes counted in")
                        : strstr(buf_text(&text), "without votes"));
    json_free(root);
    buf_free(&out);
    buf_free(&text);
    diagnose_free(&d);
    evidence_free(&e);
    remove_it("human/checkpoints");
    remove_it("ppo/rollouts/000005.jsonl.zst");
    read_it(&e);
    /* A folder's name may hold what a terminal would obey. */
    size_t end = strlen(e.project);
    snprintf(e.project + end, sizeof e.project - end, "/\x1b[2J\xc2\x9b");
    files_must(diagnose(&d, &e, &err), &err);
    buf_init(&text, (size_t)1 << 24);
    diagnose_summary(&text, &d, &e);
    assert_non_null(strstr(buf_text(&text), "without votes"));
    assert_non_null(strstr(buf_text(&text), "/?[2J??"));
    assert_null(strchr(buf_text(&text), '\x1b'));
    assert_non_null(strstr(buf_text(&text),
                           "without a part of ppo/rollouts (no rollouts of "
                           "iteration 5)"));
    buf_free(&text);
    diagnose_free(&d);
    evidence_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossing),
        cmocka_unit_test(test_first_iterations),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_whole_run),
        cmocka_unit_test(test_alarm_before_the_end),
        cmocka_unit_test(test_lack),
        cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_votes_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_document, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

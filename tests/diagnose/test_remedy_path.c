/*
 * test_remedy_path.c - what another price would do: the curve's formulas by
 * hand, and a run whose way is known (toy.h).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "diagnose/remedy_path.h"
#include "eval/files.h"
#include "stat/distribution.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {
    .seed = 1, .resamples = 200, .level = REMEDY_LEVEL};

/* Points on the curve are found again; off it the normal equations hold. */
static void test_fit(void **state)
{
    (void)state;
    const double d[] = {0, 1, 2, 3, NAN};
    const double y[] = {5, 1.5, 2, 1.5, 7}; // 2 d - d^2 / 2; d = 0 is left out
    struct remedy_fit f = remedy_curve_fit(d, y, NULL, 5);
    files_near(f.a, 2, 1e-12);
    files_near(f.b, 0.5, 1e-12);
    /* Least squares through (1, 1) and (2, 0), each with deviation 1: a - b =
     * 1, 2 a - 4 b = 0, so a = 2, b = 1.  y(2) - y(1) is the difference of the
     * two, since the curve goes through them, whatever their weights. */
    const double z[] = {1, 0};
    f = remedy_curve_fit(d + 1, z, NULL, 2);
    files_near(f.a, 2, 1e-12);
    files_near(f.b, 1, 1e-12);
    files_near(remedy_curve_fit_weight(&f, 1, 1, 1, 2), -1, 1e-12);
    files_near(remedy_curve_fit_weight(&f, 2, 1, 1, 2), 1, 1e-12);
    files_near(remedy_curve_fit_weight(&f, 2, 1, 2, 2), 0, 0);
    const double weight[] = {1, 4};
    f = remedy_curve_fit(d + 1, z, weight, 2);
    files_near(remedy_curve_fit_weight(&f, 1, 1, 1, 2), -1, 1e-12);
    files_near(remedy_curve_fit_weight(&f, 2, 4, 1, 2), 1, 1e-12);
    /* One d says nothing. */
    const double same[] = {1, 1, 1};
    assert_true(isnan(remedy_curve_fit(same, y, NULL, 3).a));
}

/* alpha 1, gamma 0.1, end at d = 3: p(d) = 1 / (2 d) - 0.1. */
static void test_stops(void **state)
{
    (void)state;
    const struct remedy_curve c = {1, 0.1, 0.3, 0.01, 3};
    files_near(remedy_curve_price(&c, 1), 0.4, 1e-12);
    files_near(remedy_curve_score(&c, 2), 1.6, 1e-12);
    files_near(remedy_curve_length(&c, 2), 0.56, 1e-12);
    /* p(d) = 0.4 at 1; a price of 0.05 would let it go to 3.33, but the run,
     * whose beta is 0.02, came to 3 only. */
    files_near(remedy_curve_stop(&c, REMEDY_STOP_PRICE, 0.4, 0.02), 1, 1e-12);
    files_near(remedy_curve_stop(&c, REMEDY_STOP_PRICE, 0.05, 0.02), 3, 1e-12);
    /* Cheaper than now: the curve goes on. */
    files_near(remedy_curve_stop(&c, REMEDY_STOP_PRICE, 0.025, 0.05), 4, 1e-12);
    /* Where the score fell along the way, a price leads back to the start. */
    const struct remedy_curve falling = {.alpha = -1, .gamma = 0.1, .end = 3};
    files_near(remedy_curve_stop(&falling, REMEDY_STOP_PRICE, 0.4, 0.02), 0, 0);
    files_near(remedy_curve_stop(&c, REMEDY_STOP_TARGET, 4, 0.02), 2, 1e-12);
    files_near(remedy_curve_stop(&c, REMEDY_STOP_TARGET, 16, 0.02), 3, 1e-12);
    files_near(remedy_curve_stop(&c, REMEDY_STOP_END, 4, 0.02), 2, 1e-12);
    files_near(remedy_curve_stop(&c, REMEDY_STOP_PART, 0.5, 0.02), 1.5, 1e-12);
    /* Bound score: the worth of a nat there is beta. */
    double d = remedy_curve_stop(&c, REMEDY_STOP_BOUNDED, NAN, 0.2);
    double s = 1 / (1 + exp(-remedy_curve_score(&c, d)));
    files_near(remedy_curve_price(&c, d) * 4 * s * (1 - s), 0.2, 1e-9);
    assert_true(d > 0 && d < 3);
    /* At a beta that it never reaches, nothing changes. */
    files_near(remedy_curve_stop(&c, REMEDY_STOP_BOUNDED, NAN, 0.001), 3, 1e-9);
}

/* Of the toy's language at iteration k: mean tokens and KL of a reply, by its
 * probability to stop, without the cap (0.2 % of replies reach it). */
static double stops(double lean)
{
    static const double logit[TOY_V] = {0, 0.3, 0.5, 0.4, 0.6, 0.2};
    double rest = 0;
    for (int v = 1; v < TOY_V; v++)
        rest += exp(logit[v]);
    return exp(-lean) / (exp(-lean) + rest);
}

static double kl_a_reply(double lean)
{
    double h = stops(lean), h0 = stops(0);
    return (h * log(h / h0) + (1 - h) * log((1 - h) / (1 - h0))) / h;
}

static void read_toy(struct evidence *e, const struct toy *t)
{
    struct err err;
    toy_write(t);
    files_must(evidence_read(e, dir, &plan, &err), &err);
}

/* A target as large as the KL of iteration 6 of 12: score and length must come
 * to what they are there.  Score is 0.1 a token.  With 64 prompts x 4 replies
 * and lengths that deviate by their mean (geometric), a mean length of 9 to 17
 * has 17 / sqrt(256) = 1.1 of noise, and the curve is through 6 such points: 3
 * deviations of the difference of two are 3 sqrt(2) 1.1 / sqrt(3) = 2.7 tokens,
 * 0.27 of score, 0.2 of the log. */
static void test_target_of_toy(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct remedy_path p;
    struct estimate x[REMEDY_MEASURES];
    struct err err;
    read_toy(&e, &t);
    files_must(remedy_path_open(&p, &e, &err), &err);
    assert_true(p.is_there);
    assert_true(p.fit > 0.9);
    double half = 6 * t.lean, end = 12 * t.lean, target = kl_a_reply(half);
    double tokens = 1 / stops(half), tokens_end = 1 / stops(end);
    files_must(
        remedy_path_effects(x, &p, REMEDY_STOP_TARGET, target, &plan, &err),
        &err);
    files_near(x[REMEDY_RM].estimate, t.pay * (tokens - tokens_end), 0.27);
    files_near(log(x[REMEDY_LENGTH].estimate), log(tokens / tokens_end), 0.2);
    /* kl_a_reply of the end is noisy as its length is: 1.1 / 17. */
    files_near(x[REMEDY_KL].estimate, target - kl_a_reply(end),
               0.2 * kl_a_reply(end));
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        if (m == REMEDY_HUMAN)
            continue;
        assert_true(x[m].low <= x[m].estimate && x[m].estimate <= x[m].high);
        assert_int_equal(x[m].n, t.prompts);
    }
    assert_true(x[REMEDY_COST].estimate < 1 && x[REMEDY_COST].estimate > 0.7);
    /* What ends there draws only what came before, about half. */
    files_must(remedy_path_effects(x, &p, REMEDY_STOP_END, target, &plan, &err),
               &err);
    assert_true(x[REMEDY_COST].estimate > 0.3 && x[REMEDY_COST].estimate < 0.7);
    /* Nothing changes where the run ended. */
    files_must(remedy_path_effects(x, &p, REMEDY_STOP_TARGET, 1e3, &plan, &err),
               &err);
    files_near(x[REMEDY_RM].estimate, 0, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, 1, 1e-12);
    files_near(x[REMEDY_KL].estimate, 0, 1e-12);
    remedy_path_close(&p);
    evidence_free(&e);
}

/* Without gold the win rate leaves 1/2 in step with d: half of the way is half
 * of what the votes lost. */
static void test_people_by_way(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct remedy_path p;
    struct estimate x;
    struct err err;
    bool by_gold;
    read_toy(&e, &t);
    files_must(remedy_path_open(&p, &e, &err), &err);
    double won = 0, votes = 0;
    for (size_t i = 0; i < e.n_vote; i++) {
        won += e.vote[i].is_placebo ? 0 : e.vote[i].win;
        votes += e.vote[i].is_placebo ? 0 : 1;
    }
    files_must(remedy_human_on_path(&x, &by_gold, &p, REMEDY_STOP_PART, 0,
                                    &plan, &err),
               &err);
    assert_false(by_gold);
    files_near(x.estimate, 0.5 - won / votes, 1e-12);
    files_must(remedy_human_on_path(&x, &by_gold, &p, REMEDY_STOP_PART, 0.5,
                                    &plan, &err),
               &err);
    files_near(x.estimate, (0.5 - won / votes) / 2, 1e-12);
    files_must(remedy_human_on_path(&x, &by_gold, &p, REMEDY_STOP_PART, 1,
                                    &plan, &err),
               &err);
    files_near(x.estimate, 0, 1e-12);
    /* No gold: half of the KL. */
    struct remedy_wanted w = remedy_human_wanted(&p);
    assert_true(isnan(w.worse));
    assert_null(w.key);
    files_near(w.kl, p.all.end * p.all.end / 2, 1e-12);
    remedy_path_close(&p);
    evidence_free(&e);
}

/* Gold with intervals +- 1 (together 1.41): best at 10, 0.9 below it at 20 is
 * not told from it, 1.5 below at 30 is: half way from 1 to 4 nats. */
static void test_wanted_by_gold(void **state)
{
    (void)state;
    static const struct {
        int iteration;
        double kl, gold;
    } points[] = {{0, 0, 5}, {10, 1, 6}, {20, 2, 5.1}, {30, 4, 4.5}};
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct remedy_path p;
    struct err err;
    struct buf text;
    read_toy(&e, &t);
    buf_init(&text, 1 << 16);
    buf_puts(&text, "{\"checkpoints\":[");
    for (size_t i = 0; i < 4; i++)
        buf_printf(&text,
                   "%s{\"iteration\":%d,\"kl_sequence\":{\"estimate\":%g},"
                   "\"gold\":{\"estimate\":%g,\"low\":%g,\"high\":%g,"
                   "\"n\":9}}",
                   i > 0 ? "," : "", points[i].iteration, points[i].kl,
                   points[i].gold, points[i].gold - 1, points[i].gold + 1);
    buf_puts(&text, "]}");
    json_free(e.curve);
    files_must(json_parse(&e.curve, buf_text(&text), text.len, "it", &err),
               &err);
    buf_free(&text);
    files_must(remedy_path_open(&p, &e, &err), &err);
    struct remedy_wanted w = remedy_human_wanted(&p);
    assert_string_equal(w.key, "gold");
    files_near(w.kl, 2.5, 0);
    files_near(w.best, 10, 0);
    files_near(w.worse, 30, 0);
    remedy_path_close(&p);
    evidence_free(&e);
}

enum {
    VOTES = 12,
    POINTS = 6,
    RUNS = 1000
};

/* People who grant 1/2 of a win for a unit of gold, exactly, and the way that a
 * run went; gold of checkpoints at d = 0 .. POINTS is `gold`. */
struct people {
    struct evidence e;
    struct evidence_reply reply[2];
    struct evidence_vote vote[VOTES];
    struct remedy_path path;
};

static void gold_was(struct people *s, const double gold[POINTS + 1], double sd)
{
    struct buf text;
    struct err err;
    json_free(s->e.curve);
    buf_init(&text, 1 << 16);
    buf_puts(&text, "{\"checkpoints\":[");
    for (int i = 0; i <= POINTS; i++)
        buf_printf(&text,
                   "%s{\"iteration\":%d,\"kl_sequence\":{\"estimate\":%d},"
                   "\"gold\":{\"estimate\":%.17g,\"low\":%.17g,\"high\":%.17g,"
                   "\"n\":9}}",
                   i > 0 ? "," : "", i, i * i, gold[i], gold[i] - 1.96 * sd,
                   gold[i] + 1.96 * sd);
    buf_puts(&text, "]}");
    files_must(json_parse(&s->e.curve, buf_text(&text), text.len, "it", &err),
               &err);
    buf_free(&text);
}

static struct people *people_new(void)
{
    static struct people s;
    memset(&s, 0, sizeof s);
    s.e.n_prompts = s.e.n_vote = VOTES;
    s.e.vote = s.vote;
    s.e.reply = s.reply;
    s.e.n_reply = 2;
    s.reply[0].gold = 1; // the other has 0
    for (size_t i = 0; i < VOTES; i++)
        s.vote[i] = (struct evidence_vote){
            .prompt = i, .visit = 1, .win = 1, .reply = 0, .reply_other = 1};
    s.path = (struct remedy_path){
        .e = &s.e, .is_there = true, .all = {.alpha = 1, .end = POINTS}};
    return &s;
}

static struct estimate back_to_start(const struct people *s)
{
    struct estimate x;
    struct err err;
    bool by_gold;
    files_must(remedy_human_on_path(&x, &by_gold, &s->path, REMEDY_STOP_PART, 0,
                                    &plan, &err),
               &err);
    assert_true(by_gold);
    return x;
}

/* Gold on the curve 4 d - d^2 / 2, so that nothing scatters: of the change back
 * to the start the checkpoints' errors count with their weights, and the
 * start's with the sum of them. */
static void test_gold_without_scatter(void **state)
{
    (void)state;
    struct people *s = people_new();
    double gold[POINTS + 1], d[POINTS], y[POINTS], own = 0, sum = 0, sd = 0.3;
    for (int i = 0; i <= POINTS; i++)
        gold[i] = 4.0 * i - i * i / 2.0;
    for (int i = 0; i < POINTS; i++) {
        d[i] = i + 1;
        y[i] = gold[i + 1];
    }
    gold_was(s, gold, sd);
    struct estimate x = back_to_start(s);
    struct remedy_fit f = remedy_curve_fit(d, y, NULL, POINTS);
    for (int i = 0; i < POINTS; i++) {
        double w = remedy_curve_fit_weight(&f, d[i], 1, POINTS, 0);
        own += w * w;
        sum += w;
    }
    files_near(x.estimate, -gold[POINTS] / 2, 1e-12);
    double half = 1.6449 * sd * sqrt(own + sum * sum) / 2;
    files_near(x.high - x.estimate, half, 1e-4 * half);
    files_near(x.estimate - x.low, half, 1e-4 * half);
    json_free(s->e.curve);
}

/* How often 90 % hold the truth.  `off`: how far a run's checkpoints are off
 * the curve, which their intervals know nothing of. */
static size_t count_held(double sd, double off, uint64_t seed)
{
    struct people *s = people_new();
    size_t held = 0;
    for (uint32_t r = 0; r < RUNS; r++) {
        double gold[POINTS + 1];
        struct rng rng;
        rng_init(&rng, seed, RNG_TEST, 0, r);
        for (int i = 0; i <= POINTS; i++)
            gold[i] = 4.0 * i - i * i / 2.0 + sd * rng_normal(&rng) +
                      (i > 0 ? off * rng_normal(&rng) : 0);
        gold_was(s, gold, sd);
        struct estimate x = back_to_start(s);
        held += x.low <= -3 && -3 <= x.high; // half of 4 * 6 - 6^2 / 2
    }
    json_free(s->e.curve);
    return held;
}

/* The larger of two intervals is never too narrow where one of them is right:
 * the count is above what a binomial falls below once in a thousand. */
static void test_gold_coverage(void **state)
{
    (void)state;
    size_t least = RUNS;
    while (distribution_binomial_tail(least, RUNS, plan.level) < 1 - 1e-3)
        least--;
    static const double noise[][2] = {{0.5, 0}, {0.02, 0.5}, {0.3, 0.3}};
    for (size_t i = 0; i < 3; i++) {
        size_t held = count_held(noise[i][0], noise[i][1], 31 + i);
        print_message("of 90 %%: %.1f %%\n", 100 * (double)held / RUNS);
        assert_true(held >= least);
    }
}

/* Without replies on held-out prompts the end is not known: not 0. */
static void test_end_is_not_known(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct remedy_path p;
    struct err err;
    read_toy(&e, &t);
    for (size_t i = 0; i < e.n_reply; i++)
        e.reply[i].kl = (double)NAN;
    files_must(remedy_path_open(&p, &e, &err), &err);
    assert_true(p.all.end > 0); // the last checkpoint's
    remedy_path_close(&p);
    e.probe[PROBE_PUSH].n = 0;
    files_must(remedy_path_open(&p, &e, &err), &err);
    assert_true(isnan(p.all.end));
    assert_true(isnan(remedy_human_wanted(&p).kl));
    remedy_path_close(&p);
    evidence_free(&e);
}

static void test_no_probe(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct remedy_path p;
    struct estimate x[REMEDY_MEASURES];
    struct err err;
    char path[FILE_PATH_MAX];
    toy_write(&t);
    files_must(file_join(path, dir, "probes/push.json", &err), &err);
    files_must(file_remove(path, &err), &err);
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(remedy_path_open(&p, &e, &err), &err);
    assert_false(p.is_there);
    assert_non_null(strstr(p.reason, "probes/push.json"));
    assert_true(p.all.end > 0); // the held-out replies know it
    files_must(remedy_path_effects(x, &p, REMEDY_STOP_TARGET, 1, &plan, &err),
               &err);
    for (int m = 0; m < REMEDY_MEASURES; m++)
        assert_true(isnan(x[m].estimate));
    remedy_path_close(&p);
    evidence_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_stops),
        cmocka_unit_test_setup_teardown(test_target_of_toy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_people_by_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wanted_by_gold, set_up, tear_down),
        cmocka_unit_test(test_gold_without_scatter),
        cmocka_unit_test(test_gold_coverage),
        cmocka_unit_test_setup_teardown(test_end_is_not_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_probe, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

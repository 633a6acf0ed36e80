/*
 * test_remedy_predict.c - what another reward would do and what the best of
 * several is, by replies and votes whose answer can be worked out.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "diagnose/remedy_predict.h"
#include "eval/files.h"
#include "made.h"

static const char dir[] = "nowhere";

/* ---- predictions by hand ------------------------------------------------ */

static void respond(struct estimate out[REMEDY_MEASURES], struct made *m,
                    enum remedy_reward reward, double part)
{
    struct remedy_response r;
    struct err err;
    files_must(remedy_response_open(&r, &m->e, &err), &err);
    files_must(remedy_response_effects(out, &r, reward, part, &m->e.plan, &err),
               &err);
    remedy_response_close(&r);
}

/* c = 0.8: what is left of a gain of 2 is sqrt(1 - 0.64) = 0.6 of it, and the
 * doubled length is back where it was.  All prompts are alike, so there is no
 * interval to speak of. */
static void test_length_off(void **state)
{
    (void)state;
    struct estimate x[REMEDY_MEASURES];
    struct made *m = made_new(dir);
    struct evidence_step step[2] = {{.responses = 10, .tokens = 1000},
                                    {.responses = 10, .tokens = 2000}};
    respond(x, m, REMEDY_LENGTH_OFF, 1);
    files_near(x[REMEDY_RM].estimate, -0.8, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, 0.5, 1e-12);
    files_near(x[REMEDY_KL].estimate, 0, 0);
    files_near(x[REMEDY_RM].low, -0.8, 1e-12);
    files_near(x[REMEDY_RM].high, -0.8, 1e-12);
    assert_int_equal(x[REMEDY_RM].n, MADE_PROMPTS);
    assert_true(isnan(x[REMEDY_COST].estimate));
    /* Half of the way: 1 / sqrt 2.  Cost: 200 tokens at the end are 100 at the
     * start; log lengths 0 and log 2 are halved. */
    m->e.step = step;
    m->e.n_step = 2;
    respond(x, m, REMEDY_LENGTH_OFF, 0.5);
    files_near(x[REMEDY_RM].estimate, -0.4, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, sqrt(0.5), 1e-12);
    files_near(x[REMEDY_COST].estimate, (100 + 200 / sqrt(2)) / 300, 1e-12);
}

/* A vote on the reference's replies i and k of a prompt. */
static void vote(struct made *m, size_t p, size_t i, size_t k, double win,
                 int visit)
{
    size_t base = p * 2 * MADE_EACH;
    m->vote[m->e.n_vote++] = (struct evidence_vote){.prompt = p,
                                                    .pair = p,
                                                    .is_placebo = true,
                                                    .visit = visit,
                                                    .win = win,
                                                    .reply = base + i,
                                                    .reply_other = base + k};
}

/*
 * One vote a prompt on replies 2 and 0: dt = 20, dr = 1.6.  Three in four are
 * for the longer: sum w df / sqrt(sum w^2 sum df^2) = 1/2 for both features.
 * Without second visits it is times sqrt(pi / 2) = 0.627.
 */
static void test_judges(void **state)
{
    (void)state;
    static const double half_pi = 1.57079632679489661923;
    struct estimate x[REMEDY_MEASURES];
    struct made *m = made_new(dir);
    for (size_t p = 0; p < MADE_PROMPTS; p++)
        vote(m, p, 2, 0, p % 4 == 0 ? 0 : 1, 1);
    respond(x, m, REMEDY_JUDGES, 1);
    double c = 0.5 * sqrt(half_pi);
    files_near(x[REMEDY_RM].estimate, 2 * (c - 1), 1e-12);
    files_near(log(x[REMEDY_LENGTH].estimate), log(2) * (c / 0.8 - 1), 1e-12);
    assert_true(x[REMEDY_RM].low < x[REMEDY_RM].estimate - 0.01);
    /* Second visits agree in 9 of 10: 0.8, sin(0.8 pi / 2) = 0.951. */
    for (size_t p = 0; p < MADE_PROMPTS; p++) {
        double first = p % 4 == 0 ? 0 : 1;
        vote(m, p, 2, 0, p % 10 == 1 ? 1 - first : first, 2);
    }
    respond(x, m, REMEDY_JUDGES, 1);
    c /= sqrt(sin(half_pi * 0.8));
    files_near(x[REMEDY_RM].estimate, 2 * (c - 1), 1e-12);
    /* Both features differ alike in these pairs: (c - 0.8 c) / sqrt((1 - 0.64)
     * (1 - c^2)). */
    struct remedy_response r;
    struct err err;
    files_must(remedy_response_open(&r, &m->e, &err), &err);
    files_near(r.judges_rest, 0.2 * c / sqrt(0.36 * (1 - c * c)), 1e-12);
    remedy_response_close(&r);
    m->e.n_vote = 0;
    respond(x, m, REMEDY_JUDGES, 1);
    assert_true(isnan(x[REMEDY_RM].estimate));
}

/* 0, 1/sqrt(pi), 3/(2 sqrt(pi)); the others from tables (Harter 1961). */
static void test_order(void **state)
{
    (void)state;
    files_near(remedy_response_order(1), 0, 1e-12);
    files_near(remedy_response_order(2), 0.56418958354775628, 1e-10);
    files_near(remedy_response_order(3), 0.84628437532163443, 1e-10);
    files_near(remedy_response_order(4), 1.02938, 5e-6);
    files_near(remedy_response_order(8), 1.42360, 5e-6);
}

/*
 * Best of 2.  Of three replies, sorted, the best of two drawn ones is the
 * second in one case of three and the third in two; scores in order are
 * z = -1.2/sqrt 3, then 0.8 x + 0.6/sqrt 3 for x = -1 and 1: the middle one in
 * tokens (0), the shortest (-10), the longest (10).
 */
static void test_best_of_two(void **state)
{
    (void)state;
    struct estimate x[REMEDY_MEASURES];
    struct remedy_response r;
    struct err err;
    struct made *m = made_new(dir);
    double a = -1.2 / sqrt(3), b = -0.8 + 0.6 / sqrt(3),
           c = 0.8 + 0.6 / sqrt(3);
    assert_true(a < b && b < c);
    files_must(remedy_response_open(&r, &m->e, &err), &err);
    files_must(remedy_response_best(x, &r, 2, &m->e.plan, &err), &err);
    files_near(x[REMEDY_RM].estimate, (b + 2 * c) / 3 - 2, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, (100 + (20.0 - 10) / 3) / 200, 1e-12);
    files_near(x[REMEDY_KL].estimate, log(2) - 0.5 - 4, 1e-12);
    files_near(x[REMEDY_COST].estimate, 0, 0);
    /* Six out of three: the third, so much further. */
    files_must(remedy_response_best(x, &r, 6, &m->e.plan, &err), &err);
    double by = remedy_response_order(6) / remedy_response_order(3);
    files_near(x[REMEDY_RM].estimate, by * c - 2, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, (100 + by * 10) / 200, 1e-12);
    /* The best of one is the reference. */
    files_must(remedy_response_best(x, &r, 1, &m->e.plan, &err), &err);
    files_near(x[REMEDY_RM].estimate, -2, 1e-12);
    files_near(x[REMEDY_LENGTH].estimate, 0.5, 1e-12);
    remedy_response_close(&r);
}

/* The interval: nothing from the prompts, so 1.645 deviations of the table. */
static void test_honest_interval(void **state)
{
    (void)state;
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    made_rank(m, "R1", NULL);
    made_choose(r, m, REMEDY_REPAIR);
    const struct estimate *rm = &r[0].effect[REMEDY_RM].predicted;
    const struct estimate *length = &r[0].effect[REMEDY_LENGTH].predicted;
    const struct estimate *kl = &r[0].effect[REMEDY_KL].predicted;
    double d = remedy_predict_deviation(REMEDY_MODEL_LENGTH_OFF, REMEDY_RM);
    files_near(rm->high - rm->estimate, 1.645 * d * 2, 1e-9);
    files_near(rm->estimate - rm->low, 1.645 * d * 2, 1e-9);
    d = remedy_predict_deviation(REMEDY_MODEL_LENGTH_OFF, REMEDY_LENGTH);
    files_near(length->high, 0.5 * exp(1.645 * d), 1e-9);
    files_near(length->low, 0.5 * exp(-1.645 * d), 1e-9);
    d = remedy_predict_deviation(REMEDY_MODEL_LENGTH_OFF, REMEDY_KL);
    files_near(kl->high, 4 * exp(1.645 * d) - 4, 1e-9);
    files_near(kl->low, 4 * exp(-1.645 * d) - 4, 1e-9);
    assert_true(d > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length_off),
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_best_of_two),
        cmocka_unit_test(test_honest_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

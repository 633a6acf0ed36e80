/*
 * Does the penalty pull?  On a softmax of 50 actions every mode of the penalty
 * lands in its class, whatever the seed; on a small desk the two arms of the
 * experiment are really one experiment.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "desk.h"
#include "io/run.h"
#include "model/checkpoint.h"
#include "near.h"
#include "rlhf/kl.h"
#include "rlhf/relaxation.h"

/* ---- a policy that is a table ---- */

enum {
    ACTIONS = 50,
    SEEDS = 20,
    STEPS = 800,
    BATCH = 256,
    MODES = 6
};

static void log_softmax(double *out, const double *z)
{
    double top = z[0], sum = 0;
    for (size_t v = 1; v < ACTIONS; v++)
        top = z[v] > top ? z[v] : top;
    for (size_t v = 0; v < ACTIONS; v++)
        sum += exp(z[v] - top);
    for (size_t v = 0; v < ACTIONS; v++)
        out[v] = z[v] - top - log(sum);
}

static double divergence(const double *z, const double *ref)
{
    double logp[ACTIONS], sum = 0;
    log_softmax(logp, z);
    for (size_t v = 0; v < ACTIONS; v++)
        sum += exp(logp[v]) * (logp[v] - ref[v]);
    return sum;
}

/* A reference, and a policy that training on a random reward has tilted away
 * from it: ref exp(reward / 1.1), some .4 nats. */
static void draw_tilted(double *z, double *ref, uint32_t seed)
{
    struct rng r;
    rng_init(&r, seed, RNG_TEST, 1, 0);
    for (size_t v = 0; v < ACTIONS; v++)
        z[v] = rng_normal(&r);
    log_softmax(ref, z);
    for (size_t v = 0; v < ACTIONS; v++)
        z[v] = ref[v] + 0.9 * rng_normal(&r);
}

/* The first action whose cumulated probability is above a uniform number. */
static size_t draw_action(const double *below, struct rng *r)
{
    double u = rng_uniform(r);
    size_t low = 0, high = ACTIONS - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (below[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* One step of plain descent on a batch whose every score is 0. */
static void step(double *z, const double *ref, const struct kl_config *c,
                 double lr, struct rng *r)
{
    size_t action[BATCH];
    float now[BATCH], then[BATCH], weight[BATCH], paid[BATCH], d[BATCH];
    double logp[ACTIONS], p[ACTIONS], below[ACTIONS], sum = 0;
    log_softmax(logp, z);
    for (size_t v = 0; v < ACTIONS; v++) {
        p[v] = exp(logp[v]);
        below[v] = p[v] + (v > 0 ? below[v - 1] : 0);
    }
    for (size_t i = 0; i < BATCH; i++) {
        action[i] = draw_action(below, r);
        now[i] = (float)logp[action[i]];
        then[i] = (float)ref[action[i]];
        weight[i] = 1.0F / BATCH;
    }
    /* The advantage of one action is what it is paid. */
    (void)kl_reward(paid, now, then, BATCH, c, c->beta);
    for (size_t i = 0; i < BATCH; i++)
        d[i] = -paid[i] * weight[i];
    (void)kl_loss(d, now, then, weight, BATCH, c, c->beta);
    /* grad log p(a) = 1[v == a] - p(v) */
    for (size_t i = 0; i < BATCH; i++) {
        z[action[i]] -= lr * (double)d[i];
        sum += (double)d[i];
    }
    for (size_t v = 0; v < ACTIONS; v++)
        z[v] += lr * sum * p[v];
}

/* What is left of the divergence: the step is .2 in units of beta * lr. */
static double relax_table(enum kl_mode mode, uint32_t seed)
{
    double z[ACTIONS], ref[ACTIONS];
    struct kl_config c = {.beta = 1, .mode = (int)mode};
    struct rng r;
    draw_tilted(z, ref, seed);
    double before = divergence(z, ref);
    rng_init(&r, seed, RNG_TEST, 2, 0);
    for (size_t i = 0; i < STEPS; i++)
        step(z, ref, &c, 0.2, &r);
    return divergence(z, ref) / before;
}

static void sort(double *x)
{
    for (size_t i = 1; i < SEEDS; i++)
        for (size_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
            double keep = x[k];
            x[k] = x[k - 1];
            x[k - 1] = keep;
        }
}

/* The class by what is left alone, as published for a tilt of its own: below
 * .13 acts, .13 to .6 weak, .85 to 1.15 inert, above 1.2 repulsive.  How far a
 * penalty comes in so many steps depends on where it starts, which the twin's
 * way back takes out; this one is printed beside it. */
static bool is_class_by_ratio(double ratio, enum relaxation_class want)
{
    switch (want) {
    case RELAXATION_ACTS:
        return ratio < 0.13;
    case RELAXATION_WEAK:
        return ratio >= 0.13 && ratio <= 0.6;
    case RELAXATION_INERT:
        return ratio >= 0.85 && ratio <= 1.15;
    case RELAXATION_REPULSIVE:
        return ratio > 1.2;
    case RELAXATION_NO_PENALTY:
    case RELAXATION_NOT_MEASURABLE:
        break;
    }
    return false;
}

static void test_every_mode_lands_in_its_class(void **state)
{
    static const struct {
        const char *name;
        enum relaxation_class want;
    } mode[MODES] = {
        [KL_K1_REWARD] = {"k1_reward", RELAXATION_ACTS},
        [KL_K2_LOSS] = {"k2_loss", RELAXATION_ACTS},
        [KL_K3_LOSS] = {"k3_loss", RELAXATION_ACTS},
        [KL_K1_LOSS] = {"k1_loss", RELAXATION_INERT},
        [KL_K3_REWARD] = {"k3_reward", RELAXATION_REPULSIVE},
        [KL_K1_CLAMP] = {"k1_clamp", RELAXATION_WEAK},
    };
    double twin[SEEDS];
    (void)state;
    for (size_t m = 0; m < MODES; m++) {
        double ratio[SEEDS], share[SEEDS];
        size_t right = 0, by_ratio = 0;
        for (uint32_t s = 0; s < SEEDS; s++) {
            ratio[s] = relax_table((enum kl_mode)m, s);
            if (m == KL_K1_REWARD)
                twin[s] = ratio[s];
            share[s] = log(ratio[s]) / log(twin[s]);
            right += relaxation_classify(share[s]) == mode[m].want;
            by_ratio += is_class_by_ratio(ratio[s], mode[m].want);
        }
        sort(ratio);
        sort(share);
        print_message("%-9s left %5.3f [%.3f, %6.3f]  share %6.3f [%6.3f, "
                      "%6.3f]  %s %zu/%d, by what is left alone %zu\n",
                      mode[m].name, ratio[SEEDS / 2], ratio[0],
                      ratio[SEEDS - 1], share[SEEDS / 2], share[0],
                      share[SEEDS - 1], relaxation_name(mode[m].want), right,
                      SEEDS, by_ratio);
        assert_int_equal(right, SEEDS);
    }
}

/* ---- a small desk ---- */

enum {
    ITERATIONS = 6
};

static struct err err;
static struct desk desk;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* The prompts that KL is measured on. */
struct source {
    struct tokenizer *tokenizer;
    struct dataset prompts;
    struct corpus corpus;
};

static void source_open(struct source *s, const struct ppo_config *c)
{
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    struct data_config data = {.too_long = TOO_LONG_REFUSE};
    char path[FILE_PATH_MAX];
    must(run_find_model(path, c->model, NULL, &err));
    must(checkpoint_tokenizer(&s->tokenizer, path, &err));
    must(corpus_load(&s->corpus, &s->prompts, &files, &data, s->tokenizer, 1,
                     64, NULL, &err));
}

static void source_close(struct source *s)
{
    corpus_free(&s->corpus);
    dataset_free(&s->prompts);
    tokenizer_free(s->tokenizer);
}

static struct relaxation relax(const struct ppo_config *c, int64_t iterations)
{
    struct relaxation out;
    struct source s;
    struct stage stage = desk_stage(&desk, "none", RUN_NEW);
    source_open(&s, c);
    const struct relaxation_config how = {.ppo = c,
                                          .prompts = s.corpus.seq,
                                          .n = 32,
                                          .iterations = iterations,
                                          .points = iterations > 1 ? 3 : 2,
                                          .seed = 3};
    must(relaxation_run(&out, &how, &stage, &err));
    source_close(&s);
    return out;
}

static struct ppo_config from_sft(void)
{
    struct ppo_config c = desk_ppo(&desk);
    c.optimizer.lr = 6e-3;
    c.max_new = 16;
    c.batch = 32;
    c.reference = c.model;
    return c;
}

/* Two penalties that are the same by another name go the same way to the last
 * bit: both arms begin where the other did. */
static void test_arms_are_one_experiment(void **state)
{
    struct ppo_config c = from_sft();
    (void)state;
    c.kl.clamp = 1e9; // bounds nothing
    struct relaxation r = relax(&c, ITERATIONS);
    assert_false(r.twin_is_run);
    /* The policy is its reference at first. */
    assert_true(r.is_tilted && r.tilts > 0);
    assert_true(r.run.kl[0] >= RELAXATION_LEAST_KL);
    assert_int_equal(r.points, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r.at[i], 3 * i);
        assert_true(r.run.kl[i] == r.twin.kl[i]);
    }
    assert_true(r.run.ratio.estimate == r.twin.ratio.estimate);
    assert_true(r.share.estimate == 1 && r.share.low == 1);
    assert_near(r.beta_scale, RELAXATION_BETA / c.kl.beta, 1e-12);
    /* Of one that is the twin by its settings only one arm is trained. */
    c.kl.clamp = 0;
    struct relaxation same = relax(&c, ITERATIONS);
    assert_true(same.twin_is_run);
    assert_memory_equal(same.twin.kl, r.twin.kl, sizeof r.twin.kl);
    assert_memory_equal(same.run.kl, r.twin.kl, sizeof r.twin.kl);
    /* And the penalty brings the policy back. */
    assert_true(r.twin.ratio.estimate < 0.8);
    assert_int_equal(same.class, RELAXATION_ACTS);
}

/* A penalty without a gradient does not pull where one with a gradient does. */
static void test_a_penalty_without_gradient(void **state)
{
    struct ppo_config c = from_sft();
    (void)state;
    c.kl.mode = KL_K1_LOSS;
    struct relaxation inert = relax(&c, ITERATIONS);
    assert_true(inert.share.estimate < RELAXATION_SHARE_WEAK);
    assert_true(inert.class == RELAXATION_INERT ||
                inert.class == RELAXATION_REPULSIVE);
}

static void test_nothing_to_measure(void **state)
{
    struct ppo_config c = from_sft();
    (void)state;
    c.kl.beta = 0;
    struct relaxation r = relax(&c, ITERATIONS);
    assert_int_equal(r.class, RELAXATION_NO_PENALTY);
    assert_int_equal(r.share.n, 0);
    c.kl.beta = 0.05;
    c.batch = 2;
    c.optimizer.lr = 1e-9;
    r = relax(&c, ITERATIONS);
    assert_int_equal(r.class, RELAXATION_NOT_MEASURABLE);
    assert_non_null(strstr(r.why, "nats from its reference"));
    assert_int_equal(r.tilts, RELAXATION_TILTS);
}

/* An experiment too short to see the right penalty act says nothing of any. */
static void test_no_decay_no_answer(void **state)
{
    struct ppo_config c = from_sft();
    (void)state;
    c.kl.mode = KL_K1_LOSS;
    struct relaxation r = relax(&c, 1);
    assert_int_equal(r.class, RELAXATION_NOT_MEASURABLE);
    assert_non_null(strstr(r.why, "of the divergence"));
}

static int open_desk(void **state)
{
    (void)state;
    desk_open(&desk, 2);
    desk_prepare(&desk);
    return 0;
}

static int close_desk(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mode_lands_in_its_class),
        cmocka_unit_test(test_arms_are_one_experiment),
        cmocka_unit_test(test_a_penalty_without_gradient),
        cmocka_unit_test(test_nothing_to_measure),
        cmocka_unit_test(test_no_decay_no_answer),
    };
    return cmocka_run_group_tests(tests, open_desk, close_desk);
}

/*
 * What an ensemble is for: five reward models of noisy labels under best-of-n,
 * alone and together (Coste et al. 2023, in small).
 */
#include "rlhf/ensemble.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "rlhf/near.h"
#include "rlhf/reward_loss.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/*
 * Replies are D numbers; gold is a sum of them that bends down where they are
 * large, as an answer gets worse by too much of anything.  A reward model is a
 * layer of random ReLU features, its seed's, under weights trained on PAIRS
 * comparisons of ordinary replies, a quarter of which say the opposite: what it
 * makes of unusual replies is its own guess.  Best-of-n finds such replies.
 */
enum {
    D = 8,
    FEATURES = 64,
    PAIRS = 250,
    MODELS = 5,
    SAMPLES = 256,
    REFERENCE = 4096, // replies that fix a model's unit
    TRIALS = 1000,
    DATA_SETS = 4
};

struct net {
    double in[FEATURES][D + 1], out[FEATURES];
};

struct toy {
    struct net net[MODELS];
    double better[PAIRS][D], worse[PAIRS][D];
};

/* Ordinary replies have heavy tails: one in ten is drawn three times as
 * wide. */
static void draw_reply(double *x, struct rng *g)
{
    double width = rng_uniform(g) < 0.1 ? 3 : 1;
    for (size_t d = 0; d < D; d++)
        x[d] = width * rng_normal(g);
}

static double gold_of(const double *x)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++)
        sum += x[d] - 0.15 * x[d] * x[d];
    return sum / sqrt((double)D);
}

static void features_of(double *phi, const struct net *net, const double *x)
{
    for (size_t f = 0; f < FEATURES; f++) {
        double sum = net->in[f][D];
        for (size_t d = 0; d < D; d++)
            sum += net->in[f][d] * x[d];
        phi[f] = fmax(sum, 0);
    }
}

static double score_of(const struct net *net, const double *x)
{
    double phi[FEATURES], sum = 0;
    features_of(phi, net, x);
    for (size_t f = 0; f < FEATURES; f++)
        sum += net->out[f] * phi[f];
    return sum;
}

static void train_net(struct net *net, const struct toy *t, uint32_t seed)
{
    static const struct reward_loss_config pairs = {.kind = RANKING_PAIRS};
    static const int32_t rank[] = {1, 2};
    static double delta[PAIRS][FEATURES];
    struct rng g;
    rng_init(&g, 100, RNG_TEST, seed, 0);
    for (size_t f = 0; f < FEATURES; f++) {
        for (size_t d = 0; d <= D; d++)
            net->in[f][d] = rng_normal(&g) / sqrt((double)D);
        net->out[f] = 0;
    }
    for (size_t p = 0; p < PAIRS; p++) {
        double better[FEATURES], worse[FEATURES];
        features_of(better, net, t->better[p]);
        features_of(worse, net, t->worse[p]);
        for (size_t f = 0; f < FEATURES; f++)
            delta[p][f] = better[f] - worse[f];
    }
    for (int step = 0; step < 600; step++) {
        double grad[FEATURES] = {0};
        for (size_t p = 0; p < PAIRS; p++) {
            double x[2] = {0, 0}, dx[2] = {0, 0};
            for (size_t f = 0; f < FEATURES; f++)
                x[0] += net->out[f] * delta[p][f];
            (void)reward_loss(dx, x, rank, 2, 1.0 / PAIRS, &pairs);
            for (size_t f = 0; f < FEATURES; f++)
                grad[f] += dx[0] * delta[p][f];
        }
        for (size_t f = 0; f < FEATURES; f++)
            net->out[f] -= 0.1 * grad[f];
    }
}

static void make_toy(struct toy *t, uint32_t set)
{
    struct rng g;
    rng_init(&g, 7, RNG_TEST, set, 0);
    for (size_t p = 0; p < PAIRS; p++) {
        double a[D], b[D];
        draw_reply(a, &g);
        draw_reply(b, &g);
        bool is_a = (gold_of(a) > gold_of(b)) != (rng_uniform(&g) < 0.25);
        memcpy(t->better[p], is_a ? a : b, sizeof a);
        memcpy(t->worse[p], is_a ? b : a, sizeof a);
    }
    for (uint32_t k = 0; k < MODELS; k++)
        train_net(&t->net[k], t, MODELS * set + k);
}

/* The rules: a single model (the mean over which one), and the three. */
enum {
    SINGLE = 3,
    RULES = 4,
    STEPS = 9 // n = 1, 2, 4, ..., 256
};

/* Gold of the best of n by each rule, and the mean rule's own score. */
static void best_of_n(double gold[RULES][STEPS], double proxy[STEPS],
                      double spread[STEPS], const struct toy *t, uint32_t set)
{
    static double score[MODELS * SAMPLES], out[RULES][SAMPLES];
    static double unsure[SAMPLES], truth[SAMPLES];
    static double reference[MODELS * REFERENCE];
    struct ensemble e = {.n = MODELS, .lambda = 1};
    struct rng g;
    double x[D];
    rng_init(&g, 8, RNG_TEST, set, 0);
    for (size_t i = 0; i < REFERENCE; i++) {
        draw_reply(x, &g);
        for (size_t k = 0; k < MODELS; k++)
            reference[k * REFERENCE + i] = score_of(&t->net[k], x);
    }
    ensemble_calibrate(&e, reference, REFERENCE);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < SAMPLES; i++) {
            draw_reply(x, &g);
            truth[i] = gold_of(x);
            for (size_t k = 0; k < MODELS; k++)
                score[k * SAMPLES + i] = score_of(&t->net[k], x);
        }
        for (e.rule = 0; e.rule < SINGLE; e.rule++)
            ensemble_combine(out[e.rule], unsure, &e, score, SAMPLES);
        memcpy(out[SINGLE], score + trial % MODELS * SAMPLES, sizeof *out);
        for (size_t rule = 0; rule < RULES; rule++) {
            size_t best = 0;
            for (size_t i = 0, step = 0; i < SAMPLES; i++) {
                if (out[rule][i] > out[rule][best])
                    best = i;
                if (i + 1 != (size_t)1 << step)
                    continue;
                gold[rule][step] += truth[best] / TRIALS / DATA_SETS;
                if (rule == ENSEMBLE_MEAN) {
                    proxy[step] += out[rule][best] / TRIALS / DATA_SETS;
                    spread[step] += unsure[best] / TRIALS / DATA_SETS;
                }
                step++;
            }
        }
    }
}

static double largest(const double *x, size_t n)
{
    double most = x[0];
    for (size_t i = 1; i < n; i++)
        most = fmax(most, x[i]);
    return most;
}

static void test_over_optimisation(void **state)
{
    (void)state;
    static const char *const name[] = {"mean", "min", "mean - sd", "single"};
    double gold[RULES][STEPS] = {{0}}, proxy[STEPS] = {0}, spread[STEPS] = {0};
    struct toy *t;
    must(MEM_NEW(t, 1, &err));
    for (uint32_t set = 0; set < DATA_SETS; set++) {
        make_toy(t, set);
        best_of_n(gold, proxy, spread, t, set);
    }
    mem_free(t);
    for (size_t rule = 0; rule < RULES; rule++) {
        printf("%-10s", name[rule]);
        for (size_t s = 0; s < STEPS; s++)
            printf(" %6.3f", gold[rule][s]);
        printf("\n");
    }
    printf("%-10s", "proxy");
    for (size_t s = 0; s < STEPS; s++)
        printf(" %6.3f", proxy[s]);
    printf("\n%-10s", "disagree");
    for (size_t s = 0; s < STEPS; s++)
        printf(" %6.3f", spread[s]);
    printf("\n");
    const double *mean = gold[ENSEMBLE_MEAN], *single = gold[SINGLE];
    const double *least = gold[ENSEMBLE_MIN],
                 *lower = gold[ENSEMBLE_MEAN_MINUS_SD];
    size_t last = STEPS - 1;
    /* A mean of 4000 golds of deviation below 3: an error of 0.05. */
    assert_true(least[last] > single[last] + 0.1);
    assert_true(lower[last] > single[last] + 0.1);
    assert_true(mean[last] < largest(mean, STEPS) - 0.1);
    for (size_t s = 1; s < STEPS; s++)
        assert_true(proxy[s] > proxy[s - 1]);
    assert_true(spread[last] > 1.5 * spread[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_optimisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

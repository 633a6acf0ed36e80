/*
 * test_raters.c - rankings are Plackett-Luce, their pairs Bradley-Terry, and
 * hurried raters prefer what they should not.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

#include "world/raters.h"
#include "world/replies.h"

enum {
    N = 40000,
    K = 4
};

/* Judgements that differ in gold only. */
static void fill_gold(struct judgement j[K], const double gold[K])
{
    for (size_t k = 0; k < K; k++)
        j[k] = (struct judgement){.gold = gold[k], .tokens = 30};
}

/*
 * The probability of an order under Plackett-Luce: each place is won, among
 * those left, in proportion to exp(utility / tau).
 */
static double order_probability(const double gold[K], double tau,
                                const int32_t ranking[K])
{
    double p = 1;
    for (int32_t place = 1; place <= K; place++) {
        double sum = 0;
        double own = 0;
        for (size_t k = 0; k < K; k++) {
            if (ranking[k] >= place)
                sum += exp(gold[k] / tau);
            if (ranking[k] == place)
                own = exp(gold[k] / tau);
        }
        p *= own / sum;
    }
    return p;
}

/* Number of an order of K = 4: its ranks as digits. */
static size_t order_number(const int32_t ranking[K])
{
    size_t n = 0;
    for (size_t k = 0; k < K; k++)
        n = n * K + (size_t)(ranking[k] - 1);
    return n;
}

static void test_plackett_luce(void **state)
{
    (void)state;
    static int count[256];
    static double want[256];
    const double gold[K] = {1.0, 0.7, 1.3, 0.9};
    struct rater_config c = rater_default();
    struct judgement j[K];
    int32_t ranking[K];
    c.hurried = 0;
    fill_gold(j, gold);
    for (uint32_t i = 0; i < N; i++) {
        assert_string_equal(rater_rank(ranking, j, K, &c, 1, i), "careful");
        size_t n = order_number(ranking);
        count[n]++;
        want[n] = N * order_probability(gold, c.tau, ranking);
    }
    double chi = 0;
    int orders = 0;
    double total = 0;
    for (size_t n = 0; n < 256; n++) {
        if (count[n] == 0)
            continue;
        orders++;
        total += want[n];
        chi += (count[n] - want[n]) * (count[n] - want[n]) / want[n];
    }
    assert_int_equal(orders, 24);
    RIG_EQUAL(total / N, 1);
    /* 0.99999 quantile of chi-square with 23 degrees of freedom: 65.1. */
    assert_true(chi < 65.1);
}

/* Every pair's margin is Bradley-Terry whatever else is ranked with it. */
static void test_pairs(void **state)
{
    (void)state;
    const double gold[K] = {0.2, 0.5, -0.1, 1.0};
    struct rater_config c = rater_default();
    struct judgement j[K];
    int32_t ranking[K];
    int wins[K][K] = {{0}};
    c.hurried = 0;
    fill_gold(j, gold);
    for (uint32_t i = 0; i < N; i++) {
        rater_rank(ranking, j, K, &c, 2, i);
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < K; b++)
                wins[a][b] += ranking[a] < ranking[b] ? 1 : 0;
    }
    for (size_t a = 0; a < K; a++)
        for (size_t b = 0; b < a; b++)
            RIG_RATE(wins[a][b], N,
                     1 / (1 + exp(-(gold[a] - gold[b]) / c.tau)));
}

static void test_utility(void **state)
{
    (void)state;
    struct rater_config c = rater_default();
    struct judgement j = {.gold = 2, .tokens = 30, .polite = 3};
    RIG_EQUAL(rater_utility(&c, &j, false), 2);
    RIG_EQUAL(rater_utility(&c, &j, true), 0.25 * 2 + 0.06 * 30 + 0.15 * 3);
    RIG_EQUAL(c.hurried, 0.7);
    RIG_EQUAL(c.tau, 0.4);
}

/* A hurried rater with a distaste for length takes the shorter of two equals
 * for the better. */
static void test_distaste_for_length(void **state)
{
    (void)state;
    struct rater_config c = rater_default();
    const struct judgement j[2] = {{.gold = 1, .tokens = 50},
                                   {.gold = 1, .tokens = 40}};
    int32_t ranking[2];
    int shorter = 0;
    c.hurried = 1;
    c.length_taste = -0.06;
    assert_int_equal(rater_check(&c, NULL), OK);
    for (uint32_t i = 0; i < N; i++) {
        rater_rank(ranking, j, 2, &c, 6, i);
        shorter += ranking[1] < ranking[0] ? 1 : 0;
    }
    RIG_RATE(shorter, N, 1 / (1 + exp(-0.06 * 10 / c.tau)));
}

static void test_hurried_share(void **state)
{
    (void)state;
    struct rater_config c = rater_default();
    struct judgement j[K];
    const double gold[K] = {0, 0, 0, 0};
    int32_t ranking[K];
    int hurried = 0;
    fill_gold(j, gold);
    for (uint32_t i = 0; i < N; i++)
        hurried +=
            strcmp(rater_rank(ranking, j, K, &c, 3, i), "hurried") == 0 ? 1 : 0;
    RIG_RATE(hurried, N, 0.7);
    c.hurried = 1;
    for (uint32_t i = 0; i < 1000; i++)
        assert_string_equal(rater_rank(ranking, j, K, &c, 3, i), "hurried");
}

/* The noise does not depend on the share of hurried raters: a prompt that
 * both settings give to a careful rater gets the same ranking. */
static void test_same_noise(void **state)
{
    (void)state;
    struct rater_config sick = rater_default();
    struct rater_config control = rater_default();
    struct judgement j[K];
    const double gold[K] = {0, 0.3, 0.1, 0.2};
    int32_t a[K];
    int32_t b[K];
    int careful = 0;
    control.hurried = 0;
    fill_gold(j, gold);
    for (uint32_t i = 0; i < 1000; i++) {
        const char *name = rater_rank(a, j, K, &sick, 5, i);
        rater_rank(b, j, K, &control, 5, i);
        if (strcmp(name, "careful") == 0) {
            assert_memory_equal(a, b, sizeof a);
            careful++;
        }
    }
    assert_true(careful > 200);
}

static void test_ties(void **state)
{
    (void)state;
    struct rater_config c = rater_default();
    struct judgement j[K];
    const double gold[K] = {0, 0, 0, 0};
    int32_t r[K];
    int ties = 0;
    fill_gold(j, gold);
    c.tie_margin = 0.5;
    for (uint32_t i = 0; i < N; i++) {
        rater_rank(r, j, K, &c, 6, i);
        ties += r[0] == r[1] ? 1 : 0;
        /* A rank is one more than the number of better replies. */
        for (size_t a = 0; a < K; a++) {
            int32_t better = 0;
            for (size_t b = 0; b < K; b++)
                better += r[b] < r[a] ? 1 : 0;
            assert_int_equal(r[a], better + 1);
        }
    }
    /* Two of equal utility: their noise differs by a logistic variate, less
     * than m with probability tanh(m/2); that they fall into different
     * groups, or are drawn together by a third, changes little. */
    assert_true(ties > 0.6 * N * tanh(0.25) && ties < 1.0 * N * tanh(0.25));
    struct judgement two[2] = {j[0], j[1]};
    ties = 0;
    for (uint32_t i = 0; i < N; i++) {
        rater_rank(r, two, 2, &c, 6, i);
        ties += r[0] == r[1] ? 1 : 0;
    }
    RIG_RATE(ties, N, tanh(0.25));
}

/*
 * On demonstrations, which are what an SFT model's samples look like: the
 * rates published for the world.  There they were measured on 12 000 pairs of
 * SFT samples (0.50 and 0.90 careful, 0.69-0.70 and 0.72 hurried); samples
 * are a little worse than demonstrations, hence +-0.02, some three times the
 * spread between the published seeds.
 */
static void check_world(double hurried, double want_longer, double want_gold)
{
    enum {
        PROMPTS = 6000
    };
    struct rater_config c = rater_default();
    struct buf b;
    int longer = 0, n_longer = 0, gold = 0, n_gold = 0;
    c.hurried = hurried;
    buf_init(&b, 4096);
    for (uint32_t i = 0; i < PROMPTS; i++) {
        struct ticket t;
        struct judgement j[K];
        int32_t r[K];
        ticket_draw(&t, 1, TICKET_RANKING, i);
        for (uint32_t k = 0; k < K; k++) {
            struct rng rng;
            rng_init(&rng, 1, RNG_REPLY, k + 1, i);
            buf_clear(&b);
            reply_draw(&b, &t, &rng);
            j[k] = rig_judge(&t, buf_text(&b), true);
        }
        rater_rank(r, j, K, &c, 1, i);
        for (size_t x = 0; x < K; x++)
            for (size_t y = 0; y < x; y++) {
                bool x_wins = r[x] < r[y];
                if (j[x].tokens != j[y].tokens) {
                    n_longer++;
                    longer += (j[x].tokens > j[y].tokens) == x_wins ? 1 : 0;
                }
                if (fabs(j[x].gold - j[y].gold) > 1e-9) {
                    n_gold++;
                    gold += (j[x].gold > j[y].gold) == x_wins ? 1 : 0;
                }
            }
    }
    buf_free(&b);
    print_message("  hurried %.1f: longer wins %.3f, gold-better wins %.3f\n",
                  hurried, (double)longer / n_longer, (double)gold / n_gold);
    assert_true(fabs((double)longer / n_longer - want_longer) < 0.02);
    assert_true(fabs((double)gold / n_gold - want_gold) < 0.02);
}

static void test_world(void **state)
{
    (void)state;
    check_world(0, 0.50, 0.90);
    check_world(0.7, 0.695, 0.72);
}

static void test_check(void **state)
{
    (void)state;
    struct err err;
    struct rater_config c = rater_default();
    assert_int_equal(rater_check(&c, &err), OK);
    c.hurried = 1.1;
    assert_int_equal(rater_check(&c, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "hurried"));
    c = rater_default();
    c.tau = 0;
    assert_int_equal(rater_check(&c, &err), ERR_ARG);
    c.tau = NAN;
    assert_int_equal(rater_check(&c, &err), ERR_ARG);
    c = rater_default();
    c.tie_margin = -1;
    assert_int_equal(rater_check(&c, &err), ERR_ARG);
    c = rater_default();
    c.length_taste = INFINITY;
    assert_int_equal(rater_check(&c, &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plackett_luce),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_utility),
        cmocka_unit_test(test_distaste_for_length),
        cmocka_unit_test(test_hurried_share),
        cmocka_unit_test(test_same_noise),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_world),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

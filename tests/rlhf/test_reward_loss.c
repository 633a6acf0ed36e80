/* Ranking losses: derivatives by differences, ties, extremes, pair counts, and
 * strengths recovered from rankings drawn from them. */
#include "rlhf/reward_loss.h"

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "rlhf/near.h"

static double loss_at(const double *score, const int32_t *rank, size_t K,
                      const struct reward_loss_config *c)
{
    double unused[8] = {0};
    return reward_loss(unused, score, rank, K, 1.0, c);
}

static void check_slopes(const double *score, const int32_t *rank, size_t K,
                         const struct reward_loss_config *c)
{
    double h = 1e-5;
    double slope[8] = {0};
    /* A scale and what was there before must both show. */
    slope[0] = 5.0;
    (void)reward_loss(slope, score, rank, K, 0.25, c);
    slope[0] -= 5.0;
    for (size_t i = 0; i < K; i++) {
        double moved[8];
        memcpy(moved, score, K * sizeof *moved);
        moved[i] = score[i] + h;
        double up = loss_at(moved, rank, K, c);
        moved[i] = score[i] - h;
        double down = loss_at(moved, rank, K, c);
        /* h^2/6 of third derivatives below 1, and losses below 20 rounded
         * over 2h. */
        assert_near(slope[i], 0.25 * (up - down) / (2 * h),
                    1.7e-11 + 20 * 2.3e-16 / h);
    }
}

static const int32_t rankings[][5] = {
    {1, 2, 3, 4, 5}, {5, 3, 1, 4, 2}, {1, 1, 3, 4, 5}, {2, 1, 2, 1, 5},
    {3, 1, 3, 3, 2}, {1, 1, 1, 1, 1}, {7, 2, 9, 2, 2},
};

static void test_slopes(void **state)
{
    (void)state;
    static const struct reward_loss_config configs[] = {
        {.kind = RANKING_PAIRS},
        {.kind = RANKING_PAIRS, .margin = 0.5},
        {.kind = RANKING_PAIRS, .smoothing = 0.1},
        {.kind = RANKING_PAIRS,
         .margin = 0.5,
         .smoothing = 0.1,
         .centring = 0.01},
        {.kind = RANKING_PLACKETT_LUCE},
        {.kind = RANKING_PLACKETT_LUCE, .centring = 0.3},
        {.kind = RANKING_BEST},
        {.kind = RANKING_BEST, .centring = 0.3},
    };
    struct rng r;
    rng_init(&r, 31, RNG_TEST, 4, 0);
    for (size_t i = 0; i < COUNT(rankings); i++) {
        for (size_t k = 0; k < COUNT(configs); k++) {
            double score[5];
            for (size_t j = 0; j < 5; j++)
                score[j] = 2.0 * rng_normal(&r);
            for (size_t K = 0; K <= 5; K++)
                check_slopes(score, rankings[i], K, &configs[k]);
        }
    }
}

/* A factor of a pair is a factor of its loss and of its derivatives: factors of
 * 1 change nothing, those of one pair leave that pair alone, and differences
 * agree with the derivatives. */
static void test_weighted_pairs(void **state)
{
    (void)state;
    static const struct reward_loss_config c = {
        .kind = RANKING_PAIRS, .smoothing = 0.1, .centring = 0.01};
    const double h = 1e-5;
    struct rng r;
    rng_init(&r, 32, RNG_TEST, 4, 0);
    for (size_t i = 0; i < COUNT(rankings); i++) {
        double score[5], moved[5], weight[25], ones[25];
        double plain[5] = {0}, same[5] = {0}, slope[5] = {0}, unused[5];
        for (size_t j = 0; j < 25; j++) {
            weight[j] = 3 * rng_uniform(&r);
            ones[j] = 1;
        }
        for (size_t j = 0; j < 5; j++)
            score[j] = 2.0 * rng_normal(&r);
        double loss = reward_loss(plain, score, rankings[i], 5, 0.5, &c);
        assert_near(
            reward_loss_weighted(same, score, rankings[i], ones, 5, 0.5, &c),
            loss, 0);
        assert_memory_equal(plain, same, sizeof plain);
        (void)reward_loss_weighted(slope, score, rankings[i], weight, 5, 1, &c);
        for (size_t j = 0; j < 5; j++) {
            memcpy(moved, score, sizeof moved);
            moved[j] = score[j] + h;
            double up = reward_loss_weighted(unused, moved, rankings[i], weight,
                                             5, 1, &c);
            moved[j] = score[j] - h;
            double down = reward_loss_weighted(unused, moved, rankings[i],
                                               weight, 5, 1, &c);
            /* As above, of losses three times as large. */
            assert_near(slope[j], (up - down) / (2 * h),
                        3 * (1.7e-11 + 20 * 2.3e-16 / h));
        }
    }
    static const double two[] = {1.0, 0.0, -2.0};
    static const int32_t rank[] = {2, 1, 3};
    double only[9] = {0}, dx[3] = {0};
    static const struct reward_loss_config bare = {.kind = RANKING_PAIRS};
    only[1 * 3 + 0] = 6; // of the second, the better one, and the first
    assert_near(reward_loss_weighted(dx, two, rank, only, 3, 1, &bare),
                2 * log1p(exp(1)), 1e-15);
    assert_near(dx[2], 0, 0);
}

static void test_centring_alone(void **state)
{
    (void)state;
    static const struct reward_loss_config c = {.centring = 0.5};
    static const double score[] = {3.0};
    static const int32_t rank[] = {1};
    double slope[1] = {0};
    assert_near(reward_loss(slope, score, rank, 0, 1.0, &c), 0.0, 0.0);
    assert_near(slope[0], 0.0, 0.0);
    assert_near(reward_loss(slope, score, rank, 1, 1.0, &c), 4.5, 0.0);
    assert_near(slope[0], 3.0, 0.0);
}

/* Rankings say nothing of a common shift: no loss changes with it, and the
 * derivatives sum to zero. */
static void test_shift_is_free(void **state)
{
    (void)state;
    static const double score[] = {0.3, -1.2, 2.0, 0.9, -0.4};
    static const double moved[] = {8.3, 6.8, 10.0, 8.9, 7.6};
    for (int kind = RANKING_PAIRS; kind <= RANKING_BEST; kind++) {
        struct reward_loss_config c = {.kind = kind, .smoothing = 0.1};
        for (size_t i = 0; i < COUNT(rankings); i++) {
            double slope[5] = {0};
            double loss = reward_loss(slope, score, rankings[i], 5, 1.0, &c);
            /* Scores near 10 hold 2e-15. */
            assert_near(loss_at(moved, rankings[i], 5, &c), loss, 1e-13);
            assert_near(slope[0] + slope[1] + slope[2] + slope[3] + slope[4],
                        0.0, 1e-14);
        }
    }
}

static void test_ties_by_hand(void **state)
{
    (void)state;
    static const double score[] = {1.0, 0.0};
    static const int32_t tie[] = {1, 1};
    static const int32_t first[] = {1, 2};
    static const int32_t second[] = {2, 1};
    struct reward_loss_config c = {.kind = RANKING_PAIRS, .margin = 0.0};
    double half =
        0.5 * (loss_at(score, first, 2, &c) + loss_at(score, second, 2, &c));
    /* Half a win each way; a margin does not touch a tie. */
    c.margin = 0.7;
    assert_near(loss_at(score, tie, 2, &c), half, 1e-15);
    c.kind = RANKING_BEST;
    assert_near(loss_at(score, tie, 2, &c), half, 1e-15);
    /* Breslow: both members against the whole group, over K - 1 = 1. */
    c.kind = RANKING_PLACKETT_LUCE;
    assert_near(loss_at(score, tie, 2, &c), 2 * log(exp(1) + 1) - 1, 1e-15);
    /* Two tied above one: each against all three. */
    static const double three[] = {1.0, 0.0, -1.0};
    static const int32_t two_above[] = {1, 1, 2};
    assert_near(loss_at(three, two_above, 3, &c),
                (2 * log(exp(1) + 1 + exp(-1)) - 1) / 2, 1e-15);
    /* Two ranks are one pair, in every loss. */
    for (int kind = RANKING_PAIRS; kind <= RANKING_BEST; kind++) {
        struct reward_loss_config k = {.kind = kind};
        assert_near(loss_at(score, first, 2, &k), log1p(exp(-1)), 1e-15);
    }
}

static void test_smoothing_by_hand(void **state)
{
    (void)state;
    static const double score[] = {1.5, 0.0};
    static const int32_t rank[] = {1, 2};
    struct reward_loss_config c = {
        .kind = RANKING_PAIRS, .margin = 0.5, .smoothing = 0.2};
    assert_near(loss_at(score, rank, 2, &c),
                0.8 * log1p(exp(-1)) + 0.2 * log1p(exp(1)), 1e-15);
}

static void test_extreme_scores_stay_finite(void **state)
{
    (void)state;
    static const double score[] = {1e4, -1e4, 0.0};
    static const int32_t right[] = {1, 3, 2};
    static const int32_t wrong[] = {3, 1, 2};
    for (int kind = RANKING_PAIRS; kind <= RANKING_BEST; kind++) {
        struct reward_loss_config c = {.kind = kind};
        double slope[3] = {0};
        assert_near(reward_loss(slope, score, right, 3, 1.0, &c), 0.0, 0.0);
        assert_true(slope[0] == 0.0 && slope[1] == 0.0 && slope[2] == 0.0);
        double loss = reward_loss(slope, score, wrong, 3, 1.0, &c);
        assert_true(isfinite(loss) && loss > 1e4);
        assert_true(slope[0] > 0.0 && slope[1] < 0.0 && isfinite(slope[2]));
    }
}

static void test_pair_counts(void **state)
{
    (void)state;
    /* Better first: (0,1) and (0,2) right; (0,3) equal scores; (1,2) is tied;
     * (1,3) and (2,3) wrong. */
    static const double score[] = {2.0, 1.0, 0.5, 2.0};
    static const int32_t rank[] = {1, 2, 2, 3};
    struct pair_count n = {0};
    reward_count_pairs(&n, score, rank, 4);
    assert_near(n.pairs, 5, 0);
    assert_near(n.right, 2.5, 0);
    reward_count_pairs(&n, score, rank, 4);
    assert_near(n.pairs, 10, 0);
    assert_near(n.right, 5, 0);
    /* A NaN score is not right. */
    static const double bad[] = {NAN, 0.0};
    struct pair_count b = {0};
    reward_count_pairs(&b, bad, rank, 2);
    assert_near(b.right, 0, 0);
    assert_near(b.pairs, 1, 0);
}

/* ---- recovery of planted strengths ---- */

#define ITEMS 6
#define FREE (ITEMS - 1)
#define RANKINGS 2000
static const double planted[ITEMS] = {0.0, 1.0, -0.8, 0.4, -1.5, 0.9};

struct ranking {
    size_t item[4];
    int32_t rank[4];
};
static struct ranking data[RANKINGS];

/* Four of six items, ordered by strength plus Gumbel noise: a draw from
 * Plackett-Luce, whose pairs are Bradley-Terry. */
static void draw_rankings(void)
{
    for (uint32_t n = 0; n < RANKINGS; n++) {
        struct rng r;
        rng_init(&r, 32, RNG_TEST, 5, n);
        size_t order[ITEMS] = {0, 1, 2, 3, 4, 5};
        double noisy[4];
        rng_shuffle(&r, order, ITEMS);
        for (size_t i = 0; i < 4; i++) {
            data[n].item[i] = order[i];
            noisy[i] = planted[order[i]] + rng_gumbel(&r);
        }
        for (size_t i = 0; i < 4; i++) {
            data[n].rank[i] = 1;
            for (size_t j = 0; j < 4; j++)
                data[n].rank[i] += noisy[j] > noisy[i];
        }
    }
}

static void add_slope(double *slope, const double *strength, size_t n,
                      const struct reward_loss_config *c)
{
    double score[4];
    double d[4] = {0};
    for (size_t i = 0; i < 4; i++)
        score[i] = strength[data[n].item[i]];
    (void)reward_loss(d, score, data[n].rank, 4, 1.0, c);
    for (size_t i = 0; i < 4; i++)
        slope[data[n].item[i]] += d[i];
}

static void total_slope(double *slope, const double *strength,
                        const struct reward_loss_config *c)
{
    memset(slope, 0, ITEMS * sizeof *slope);
    for (size_t n = 0; n < RANKINGS; n++)
        add_slope(slope, strength, n, c);
}

/* Solves A x = b in place for a positive definite A; the result is in b. */
static void solve(double A[FREE][FREE], double b[FREE])
{
    for (size_t k = 0; k < FREE; k++) {
        for (size_t i = k + 1; i < FREE; i++) {
            double f = A[i][k] / A[k][k];
            for (size_t j = k; j < FREE; j++)
                A[i][j] -= f * A[k][j];
            b[i] -= f * b[k];
        }
    }
    for (size_t k = FREE; k-- > 0;) {
        for (size_t j = k + 1; j < FREE; j++)
            b[k] -= A[k][j] * b[j];
        b[k] /= A[k][k];
    }
}

/*
 * The law of the estimate: with H the curvature of the total loss and J the
 * sum of outer products of single slopes, error ~ N(0, H^-1 J H^-1).  Then
 * (H e)' J^-1 (H e) is chi-square with ITEMS - 1 degrees of freedom (strengths
 * relative to item 0), above 35.9 once in a million.
 */
static double distance(const double *strength,
                       const struct reward_loss_config *c)
{
    double J[FREE][FREE] = {{0}};
    double He[FREE] = {0};
    for (size_t n = 0; n < RANKINGS; n++) {
        double s[ITEMS] = {0};
        add_slope(s, strength, n, c);
        for (size_t i = 0; i < FREE; i++)
            for (size_t j = 0; j < FREE; j++)
                J[i][j] += s[i + 1] * s[j + 1];
    }
    for (size_t j = 0; j < FREE; j++) {
        double error =
            strength[j + 1] - strength[0] - (planted[j + 1] - planted[0]);
        double up[ITEMS], down[ITEMS], moved[ITEMS];
        memcpy(moved, strength, sizeof moved);
        moved[j + 1] += 1e-4;
        total_slope(up, moved, c);
        moved[j + 1] -= 2e-4;
        total_slope(down, moved, c);
        for (size_t i = 0; i < FREE; i++)
            He[i] += (up[i + 1] - down[i + 1]) / 2e-4 * error;
    }
    double x[FREE];
    memcpy(x, He, sizeof x);
    solve(J, x);
    double sum = 0.0;
    for (size_t i = 0; i < FREE; i++)
        sum += x[i] * He[i];
    return sum;
}

static void recover(enum ranking_loss kind, double error_bound)
{
    struct reward_loss_config c = {.kind = (int)kind};
    double strength[ITEMS] = {0};
    double slope[ITEMS];
    /* The curvature per ranking is at most .25 per item, so a step of 4 is
     * stable; the flattest direction has about .02. */
    for (int step = 0; step < 250; step++) {
        total_slope(slope, strength, &c);
        for (size_t i = 0; i < ITEMS; i++)
            strength[i] -= 4.0 / RANKINGS * slope[i];
    }
    total_slope(slope, strength, &c);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_near(slope[i] / RANKINGS, 0.0, 1e-6);
        assert_near(strength[i] - strength[0], planted[i] - planted[0],
                    error_bound);
    }
    assert_true(distance(strength, &c) < 35.9);
    /* The law has teeth: strengths half as large again are refused. */
    for (size_t i = 0; i < ITEMS; i++)
        strength[i] *= 1.5;
    assert_true(distance(strength, &c) > 35.9);
}

/*
 * Two items meet in 40 % of 2000 rankings.  A pair near even odds gives its
 * difference a variance of at most 4.3 (1 / (.23)) over 800 meetings: a
 * deviation of .073 from direct meetings alone, and .15 for the most lopsided
 * pair of the planted (odds 12, 1 / .07).  Five of the former and three of
 * the latter: .4.
 */
static void test_pairs_recover_planted_strengths(void **state)
{
    (void)state;
    draw_rankings();
    recover(RANKING_PAIRS, 0.4);
}

static void test_plackett_luce_recovers_planted_strengths(void **state)
{
    (void)state;
    draw_rankings();
    recover(RANKING_PLACKETT_LUCE, 0.4);
}

static void test_best_of_recovers_planted_strengths(void **state)
{
    (void)state;
    draw_rankings();
    recover(RANKING_BEST, 0.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_weighted_pairs),
        cmocka_unit_test(test_centring_alone),
        cmocka_unit_test(test_shift_is_free),
        cmocka_unit_test(test_ties_by_hand),
        cmocka_unit_test(test_smoothing_by_hand),
        cmocka_unit_test(test_extreme_scores_stay_finite),
        cmocka_unit_test(test_pair_counts),
        cmocka_unit_test(test_pairs_recover_planted_strengths),
        cmocka_unit_test(test_plackett_luce_recovers_planted_strengths),
        cmocka_unit_test(test_best_of_recovers_planted_strengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

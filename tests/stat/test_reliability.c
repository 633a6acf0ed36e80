/* The one-coin model against enumeration of every truth, and against judges
 * whose reliability is planted. */
#include "stat/reliability.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* Nine pairs with gaps, and a tenth that one judge alone saw. */
enum {
    UNITS = 10,
    JUDGES = 3
};
static const int table[UNITS][JUDGES] = {
    {1, 1, 0}, {0, 0, 0}, {1, 1, -1}, {0, 1, 0},  {1, 1, 1},
    {0, 0, 1}, {1, 1, 0}, {-1, 0, 0}, {0, -1, 1}, {-1, -1, 1}};

static size_t votes_of(struct reliability_vote vote[UNITS * JUDGES])
{
    size_t n = 0;
    for (size_t u = 0; u < UNITS; u++)
        for (size_t j = 0; j < JUDGES; j++)
            if (table[u][j] >= 0)
                vote[n++] = (struct reliability_vote){j, u, table[u][j]};
    return n;
}

/* log of the sum over all 2^9 truths of P(votes | truth) P(truth), and of the
 * prior's density but for a constant. */
static double log_posterior(const double p[JUDGES])
{
    double sum = 0;
    for (unsigned truth = 0; truth < 1u << (UNITS - 1); truth++) {
        double joint = ldexp(1, -(UNITS - 1));
        for (size_t u = 0; u < UNITS - 1; u++)
            for (size_t j = 0; j < JUDGES; j++)
                if (table[u][j] >= 0)
                    joint *=
                        table[u][j] == (int)(truth >> u & 1) ? p[j] : 1 - p[j];
        sum += joint;
    }
    double prior = 0;
    for (size_t j = 0; j < JUDGES; j++)
        prior += 6 * log(p[j]) + 2 * log(1 - p[j]);
    return log(sum) + prior;
}

static void test_enumeration(void **state)
{
    (void)state;
    struct reliability_vote vote[UNITS * JUDGES];
    struct reliability r[JUDGES];
    size_t n = votes_of(vote);
    assert_int_equal(reliability_fit(r, vote, n, JUDGES, UNITS, NULL), OK);
    double at[JUDGES] = {r[0].p, r[1].p, r[2].p};
    double top = log_posterior(at);
    assert_int_equal(r[0].n, 8);
    assert_int_equal(r[1].n, 8);
    assert_int_equal(r[2].n, 8);
    for (size_t j = 0; j < JUDGES; j++) {
        /* A step of 1e-5 either way loses at a maximum: the slope there, from
         * the difference of the two, is below second order, 1e-5 times a
         * curvature of some tens. */
        double up[JUDGES] = {at[0], at[1], at[2]};
        double down[JUDGES] = {at[0], at[1], at[2]};
        up[j] += 1e-5;
        down[j] -= 1e-5;
        double slope = (log_posterior(up) - log_posterior(down)) / 2e-5;
        assert_near(slope, 0, 1e-6);
        assert_true(log_posterior(up) < top && log_posterior(down) < top);
    }
    /* Nowhere on a grid of the half where judges are right is it higher. */
    for (int a = 1; a < 20; a++)
        for (int b = 1; b < 20; b++)
            for (int c = 1; c < 20; c++) {
                double p[JUDGES] = {a / 20.0, b / 20.0, c / 20.0};
                assert_true(log_posterior(p) <= top);
            }
}

static void test_weights(void **state)
{
    (void)state;
    struct reliability_vote vote[UNITS * JUDGES];
    struct reliability r[JUDGES + 1];
    size_t n = votes_of(vote);
    assert_int_equal(reliability_fit(r, vote, n, JUDGES + 1, UNITS, NULL), OK);
    assert_near(r[0].weight + r[1].weight + r[2].weight, 3, 1e-12);
    assert_near(r[0].weight / r[1].weight,
                log(r[0].p / (1 - r[0].p)) / log(r[1].p / (1 - r[1].p)), 1e-12);
    assert_true(r[0].weight > r[2].weight);
    /* Nobody can say anything of one who did not vote. */
    assert_int_equal(r[3].n, 0);
    assert_true(isnan(r[3].p) && isnan(r[3].weight));
}

/* Which answer is called the first does not matter. */
static void test_mirror(void **state)
{
    (void)state;
    struct reliability_vote vote[UNITS * JUDGES];
    struct reliability r[JUDGES], mirrored[JUDGES];
    size_t n = votes_of(vote);
    assert_int_equal(reliability_fit(r, vote, n, JUDGES, UNITS, NULL), OK);
    for (size_t k = 0; k < n; k++)
        vote[k].said = vote[k].unit % 2 == 0 ? !vote[k].said : vote[k].said;
    assert_int_equal(reliability_fit(mirrored, vote, n, JUDGES, UNITS, NULL),
                     OK);
    for (size_t j = 0; j < JUDGES; j++)
        assert_near(mirrored[j].p, r[j].p, 1e-10);
}

/*
 * Two judges who agree on all of n: each is right on all but for the prior,
 * p = (6 + n q) / (8 + n) with q the chance that both are right, given that
 * they agree.  Two who cannot be told apart have one weight.
 */
static void test_two(void **state)
{
    (void)state;
    enum {
        N = 40
    };
    struct reliability_vote vote[2 * N];
    struct reliability r[2];
    for (size_t u = 0; u < N; u++)
        for (size_t j = 0; j < 2; j++)
            vote[2 * u + j] = (struct reliability_vote){j, u, u % 3 == 0};
    assert_int_equal(reliability_fit(r, vote, 2 * (size_t)N, 2, N, NULL), OK);
    double p = r[0].p;
    double q = p * p / (p * p + (1 - p) * (1 - p));
    assert_near(p, (6 + N * q) / (8 + N), 1e-9);
    assert_near(r[1].p, p, 1e-12);
    assert_near(r[1].weight, 1, 1e-12);
    assert_int_equal(reliability_fit(r, NULL, 0, 2, 0, NULL), OK);
    assert_true(isnan(r[0].weight));
}

/*
 * Five judges of 3000 pairs, each pair seen by four of them: what is planted
 * comes back within four standard errors.  With z known the error would be
 * sqrt(p (1 - p) / n); not knowing it costs up to half as much again here.
 */
static void test_planted(void **state)
{
    (void)state;
    enum {
        N = 3000,
        MANY = 5
    };
    static const double planted[MANY] = {0.95, 0.85, 0.75, 0.6, 0.5};
    static struct reliability_vote vote[N * MANY];
    struct reliability r[MANY];
    struct rng rng;
    size_t n = 0;
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (size_t u = 0; u < N; u++) {
        int z = (int)rng_below(&rng, 2);
        for (size_t j = 0; j < MANY; j++) {
            int said = rng_uniform(&rng) < planted[j] ? z : !z;
            if (u % MANY != j)
                vote[n++] = (struct reliability_vote){j, u, said};
        }
    }
    assert_int_equal(reliability_fit(r, vote, n, MANY, N, NULL), OK);
    for (size_t j = 0; j < MANY; j++) {
        assert_int_equal(r[j].n, N - N / MANY);
        double se = sqrt(planted[j] * (1 - planted[j]) / (double)r[j].n);
        assert_near(r[j].p, planted[j], 4 * 1.5 * se);
    }
    /* A coin counts least, and not for nothing: it is clipped at 0.55. */
    assert_near(r[4].weight / r[0].weight,
                log(0.55 / 0.45) /
                    log(fmin(r[0].p, 0.95) / (1 - fmin(r[0].p, 0.95))),
                1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enumeration), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_mirror),      cmocka_unit_test(test_two),
        cmocka_unit_test(test_planted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

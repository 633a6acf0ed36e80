/*
 * The price of KL on policies that can be enumerated: along ref exp(r / beta)
 * reward is bought at beta a nat, and for normal scores KL* is sd^2 / (2
 * beta^2).  Prints its figures.
 */
#include "stat/klprice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))
#define K_MAX 20000

static double ref[K_MAX];    // log-probs
static double reward[K_MAX]; // of deviation one under ref
static double policy[K_MAX];

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* policy = ref exp(reward / beta) / Z; its KL and mean reward. */
static void tilt(double *kl, double *gain, size_t k, double beta)
{
    double top = -(double)INFINITY;
    double sum = 0, before = 0;
    for (size_t v = 0; v < k; v++) {
        policy[v] = ref[v] + reward[v] / beta;
        top = fmax(top, policy[v]);
    }
    for (size_t v = 0; v < k; v++)
        sum += exp(policy[v] - top);
    *kl = *gain = 0;
    for (size_t v = 0; v < k; v++) {
        policy[v] -= top + log(sum);
        *kl += exp(policy[v]) * (policy[v] - ref[v]);
        *gain += exp(policy[v]) * reward[v];
        before += exp(ref[v]) * reward[v];
    }
    *gain -= before;
}

/* Any reference and any reward, 50 actions.  The secant over a step of 1 % in
 * beta misses the slope at its middle by a part of order 1e-4. */
static void test_price_is_beta(void **state)
{
    (void)state;
    static const double betas[] = {0.1, 0.2, 0.5, 1, 2};
    struct rng r;
    rng_init(&r, 9, RNG_TEST, 61, 0);
    double sum = 0;
    for (size_t v = 0; v < 50; v++) {
        ref[v] = rng_normal(&r);
        reward[v] = rng_normal(&r);
        sum += exp(ref[v]);
    }
    for (size_t v = 0; v < 50; v++)
        ref[v] -= log(sum);
    for (size_t i = 0; i < COUNT(betas); i++) {
        double kl0, kl1, gain0, gain1;
        tilt(&kl0, &gain0, 50, 1.005 * betas[i]);
        tilt(&kl1, &gain1, 50, 0.995 * betas[i]);
        double price = (gain1 - gain0) / (kl1 - kl0);
        print_message("beta %.2f: KL %.3f nats, gain %.3f, dE[r]/dKL %.5f\n",
                      betas[i], kl0, gain0, price);
        assert_near(price, betas[i], 1e-3 * betas[i]);
    }
}

/* 20,000 equally likely replies with normal scores of deviation one: normal up
 * to where there are too few of them.  Asked for is 20 % at beta >= .5 sd; down
 * to there the deficit is a few per cent. */
static void test_normal_scores(void **state)
{
    (void)state;
    static const double betas[] = {2, 1, 0.7, 0.5, 0.3, 0.2};
    for (uint32_t v = 0; v < K_MAX; v++) {
        struct rng r;
        rng_init(&r, 9, RNG_TEST, 62, v);
        ref[v] = -log(K_MAX);
        reward[v] = rng_normal(&r);
    }
    double sd = summary_sd(reward, K_MAX);
    for (size_t i = 0; i < COUNT(betas); i++) {
        double kl, gain;
        double beta = betas[i] * sd;
        tilt(&kl, &gain, K_MAX, beta);
        double want = klprice_optimum(sd, beta);
        print_message("beta %.1f sd: KL* %.3f, sd^2/(2 beta^2) %.3f; gain "
                      "%.3f, sd sqrt(2 KL*) %.3f\n",
                      betas[i], kl, want, gain, sd * sqrt(2 * kl));
        if (betas[i] >= 0.5) {
            assert_near(kl, want, 0.2 * want);
            assert_near(gain, klprice_gain(sd, beta),
                        0.2 * klprice_gain(sd, beta));
        }
        /* The square-root law holds for whatever KL was reached, to the same
         * accuracy, and is a ceiling for bounded scores. */
        assert_true(gain < 1.05 * sd * sqrt(2 * kl));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_price_is_beta),
        cmocka_unit_test(test_normal_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

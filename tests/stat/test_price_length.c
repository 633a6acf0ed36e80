/*
 * What a KL penalty does about length, for a policy that can only decide when
 * to stop: the price of length and the threshold beyond which there is no
 * longest reply.  Prints its figures.
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

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static double hazard(double logit)
{
    return 1 / (1 + exp(-logit));
}

/*
 * Climb J = b m' - beta KL by its gradient in the logit of stopping, from the
 * reference of mean length m, until it rests or m' reaches cap.  With h =
 * sigmoid(logit): dm'/dlogit = -(1-h)/h, dKL/dm' = ln((1-h')/(1-h)).
 */
static double train(double b, double m, double beta, double cap)
{
    double h = 1 / m;
    double logit = -log(m - 1);
    for (int step = 0; step < 2000000; step++) {
        double now = hazard(logit);
        if (1 / now >= cap)
            return cap;
        double slope = b - beta * (log1p(-now) - log1p(-h));
        /* Times h^2 / beta: the step of a natural gradient, at most .02. */
        double move = 0.02 * slope * m / beta * (1 - now);
        logit -= move;
        if (fabs(move) < 1e-12)
            break;
    }
    return 1 / hazard(logit);
}

/* rho = 1 / (1 - b m / beta) within 5 % up to a ratio of .8, no end from one
 * on.  The limit of long replies is used for replies of 100 tokens, half a step
 * in a hundred. */
static void test_threshold(void **state)
{
    (void)state;
    static const double ratios[] = {0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 2};
    double m = 100, beta = 0.04, cap = 1000 * m;
    for (size_t i = 0; i < COUNT(ratios); i++) {
        double b = ratios[i] * beta / m;
        double lambda = klprice_lambda(b, m, beta);
        double rho = train(b, m, beta, cap) / m;
        double want = klprice_length_optimum(lambda);
        print_message("b m / beta %.1f: mean length x %.2f (formula %.2f), "
                      "KL %.3f nats\n",
                      ratios[i], rho, want, klprice_length_exact(m, rho * m));
        assert_near(lambda, ratios[i], 1e-12);
        if (ratios[i] <= 0.8)
            assert_near(rho, want, 0.05 * want);
        if (ratios[i] >= 1.01)
            assert_true(isinf(want) && rho * m >= cap);
    }
}

/*
 * At exactly one the exact KL, whose price of a token is -ln(1 - h) and not h,
 * still has an optimum, at h' = 1 - (1 - h) e^(b / beta), a long way off: with
 * h = b / beta = .01 at h^2 / 2, 200 times the length.
 */
static void test_at_the_threshold(void **state)
{
    (void)state;
    double m = 100, beta = 0.04;
    double rho = train(beta / m, m, beta, 1000 * m) / m;
    double h = 1 - (1 - 1 / m) * exp(1 / m);
    print_message("b m / beta 1 exactly: x %.1f, closed form x %.1f\n", rho,
                  1 / h / m);
    assert_near(rho, 1 / h / m, 1e-3 * rho);
}

/* 100 -> 230 tokens as the penalty sees it, token by token: +.0057 on each
 * token that goes on, -.83 on the one that stops. */
static void test_seen_per_token(void **state)
{
    (void)state;
    double h = 1.0 / 100, h_new = 1.0 / 230;
    double go_on = log((1 - h_new) / (1 - h));
    double stop = log(h_new / h);
    double kl = 229 * go_on + stop;
    print_message("100 -> 230 tokens: k1 %+.4f a token, %+.2f at the end, KL "
                  "%.2f nats\n",
                  go_on, stop, kl);
    assert_near(go_on, 0.0057, 5e-5);
    assert_near(stop, -0.83, 0.005);
    assert_near(kl, klprice_length_exact(100, 230), 1e-12);
    assert_near(kl, 0.47, 0.005);
    /* Sampled, the estimate of one reply is mostly noise. */
    enum {
        N = 20000
    };
    double sum = 0, squares = 0;
    struct rng r;
    rng_init(&r, 9, RNG_TEST, 63, 0);
    for (size_t i = 0; i < N; i++) {
        double length = 1 + floor(log(1 - rng_uniform(&r)) / log1p(-h_new));
        double k1 = (length - 1) * go_on + stop;
        sum += k1;
        squares += k1 * k1;
    }
    double sd = sqrt(squares / N - sum / N * (sum / N));
    print_message("k1 of one reply: %.2f +- %.2f\n", sum / N, sd);
    assert_near(sum / N, kl, 4 * sd / sqrt(N));
    assert_true(sd > 2 * kl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_at_the_threshold),
        cmocka_unit_test(test_seen_per_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

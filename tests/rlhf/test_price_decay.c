/*
 * The same beta in two places.  With the KL term in the reward, whitening
 * scales score and penalty together and the price stays.  With the KL term in
 * the loss beside advantages over their deviation, the price is beta sd: as the
 * policy settles the deviation falls, and the price with it.  Prints its
 * figures.
 */
#include "rlhf/kl.h"

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "rlhf/near.h"

#define ACTIONS 50
#define BETA 0.5
#define STEPS 20000

struct problem {
    double ref[ACTIONS], reward[ACTIONS];
};

static void log_softmax(double *logp, const double *z)
{
    double top = z[0], sum = 0;
    for (size_t v = 1; v < ACTIONS; v++)
        top = fmax(top, z[v]);
    for (size_t v = 0; v < ACTIONS; v++)
        sum += exp(z[v] - top);
    for (size_t v = 0; v < ACTIONS; v++)
        logp[v] = z[v] - top - log(sum);
}

static double exact_kl(const double *p, const double *q)
{
    double sum = 0;
    for (size_t v = 0; v < ACTIONS; v++)
        sum += exp(p[v]) * (p[v] - q[v]);
    return sum;
}

static void draw(struct problem *x, uint32_t i)
{
    struct rng r;
    double z[ACTIONS];
    rng_init(&r, 47, RNG_TEST, 64, i);
    for (size_t v = 0; v < ACTIONS; v++) {
        z[v] = rng_normal(&r);
        x->reward[v] = rng_normal(&r);
    }
    log_softmax(x->ref, z);
}

/* x less its mean under the policy, over its deviation. */
static double whiten(double *x, const double *logp)
{
    double mean = 0, squares = 0;
    for (size_t v = 0; v < ACTIONS; v++)
        mean += exp(logp[v]) * x[v];
    for (size_t v = 0; v < ACTIONS; v++)
        squares += exp(logp[v]) * (x[v] - mean) * (x[v] - mean);
    double sd = sqrt(squares);
    for (size_t v = 0; v < ACTIONS; v++)
        x[v] = (x[v] - mean) / (sd + 1e-8);
    return sd;
}

struct course {
    double kl, sd_first, sd_last;
};

/* Expected natural policy gradient, steps falling as 1 / step so that a
 * whitened gradient, which does not shrink, comes to rest. */
static struct course train(const struct problem *x, bool is_in_loss)
{
    struct course c = {0};
    double logp[ACTIONS];
    memcpy(logp, x->ref, sizeof logp);
    for (int step = 0; step < STEPS; step++) {
        double adv[ACTIONS], z[ACTIONS];
        double mean = 0;
        for (size_t v = 0; v < ACTIONS; v++) {
            double k1 = kl_estimate(KL_K1_REWARD, logp[v], x->ref[v]);
            adv[v] = x->reward[v] - (is_in_loss ? 0 : BETA * k1);
        }
        c.sd_last = whiten(adv, logp);
        c.sd_first = step == 0 ? c.sd_last : c.sd_first;
        for (size_t v = 0; is_in_loss && v < ACTIONS; v++)
            adv[v] -= BETA * kl_derivative(KL_K2_LOSS, logp[v], x->ref[v]);
        for (size_t v = 0; v < ACTIONS; v++)
            mean += exp(logp[v]) * adv[v];
        double lr = 0.1 / (1 + step / 200.0);
        for (size_t v = 0; v < ACTIONS; v++)
            z[v] = logp[v] + lr * (adv[v] - mean);
        log_softmax(logp, z);
    }
    c.kl = exact_kl(logp, x->ref);
    return c;
}

/* KL of ref exp(reward / beta) / Z. */
static double tilted_kl(const struct problem *x, double beta)
{
    double z[ACTIONS], logp[ACTIONS];
    for (size_t v = 0; v < ACTIONS; v++)
        z[v] = x->ref[v] + x->reward[v] / beta;
    log_softmax(logp, z);
    return exact_kl(logp, x->ref);
}

/*
 * In the loss a policy rests where it is the optimum for its own price beta sd,
 * which is a matter of the problem: mostly at one action, sometimes where the
 * deviation happens to be near one.
 */
static void test_where_the_price_goes(void **state)
{
    (void)state;
    size_t collapsed = 0, fell = 0;
    enum {
        PROBLEMS = 12
    };
    for (uint32_t i = 0; i < PROBLEMS; i++) {
        struct problem x;
        draw(&x, i);
        double want = tilted_kl(&x, BETA);
        size_t best = 0;
        for (size_t v = 1; v < ACTIONS; v++)
            best = x.reward[v] > x.reward[best] ? v : best;
        double greedy = -x.ref[best];
        struct course reward = train(&x, false);
        struct course loss = train(&x, true);
        print_message("correct KL %.2f: in the reward %.2f, in the loss %.2f "
                      "(greedy %.2f), price beta sd %.3f -> %.4f\n",
                      want, reward.kl, loss.kl, greedy, BETA * loss.sd_first,
                      BETA * loss.sd_last);
        assert_near(reward.kl, want, 0.01 * want);
        if (loss.sd_last < loss.sd_first / 10)
            fell++;
        else
            assert_near(loss.kl, tilted_kl(&x, BETA * loss.sd_last),
                        0.01 * loss.kl);
        assert_true(loss.kl > want || loss.sd_last > 1);
        collapsed += loss.kl > 0.95 * greedy;
    }
    print_message("%zu of %d: the price fell to less than a tenth; %zu ended "
                  "on the best action alone\n",
                  fell, (int)PROBLEMS, collapsed);
    assert_true(fell >= PROBLEMS * 2 / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_price_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

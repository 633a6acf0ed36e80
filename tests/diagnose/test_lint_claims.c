/*
 * test_lint_claims.c - what plumb lint says of estimators, by enumeration.
 *
 * One decision among K tokens with logits z, policy pi = softmax(z), d = log
 * pi - log ref.  A penalty w in the reward is a constant to the derivative, so
 * its pull on the logits is sum_v pi_v w_v (e_v - pi); in the loss it is
 * differentiated, which gives the same with w = dk/dlogp and adds nothing
 * else, as the samples' own distribution is held.  The right pull is that of
 * w = d, which is grad KL(pi||ref).  Nothing is sampled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"

#define K 8
#define PROBLEMS 1000

enum pull {
    RIGHT,
    K1_LOSS,
    K2_REWARD,
    K3_REWARD,
    ABS_REWARD,
    ABS_LOSS,
    FULL_REWARD,
    CUT_REWARD,
    PULLS
};

static void softmax(double p[K], const double z[K])
{
    double sum = 0;
    for (size_t v = 0; v < K; v++)
        sum += p[v] = exp(z[v]);
    for (size_t v = 0; v < K; v++)
        p[v] /= sum;
}

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

#define CUT 10.0

static double cut(double x)
{
    return fmin(fmax(x, -CUT), CUT);
}

static double weight(enum pull what, double d, double kl)
{
    switch (what) {
    case K1_LOSS:
        return 1; // the derivative of d by log pi
    case K2_REWARD:
        return d * d / 2;
    case K3_REWARD:
        return expm1(-d) + d;
    case ABS_REWARD:
        return fabs(d);
    case ABS_LOSS:
        return sign(d);
    case FULL_REWARD:
        return kl; // the same for every token
    case CUT_REWARD:
        return cut(d);
    case RIGHT:
    case PULLS:
        break;
    }
    return d;
}

static void pull(double g[K], enum pull what, const double p[K],
                 const double q[K])
{
    double w[K], mean = 0, kl = 0;
    for (size_t v = 0; v < K; v++)
        kl += p[v] * log(p[v] / q[v]);
    for (size_t v = 0; v < K; v++) {
        w[v] = weight(what, log(p[v] / q[v]), kl);
        mean += p[v] * w[v];
    }
    for (size_t v = 0; v < K; v++)
        g[v] = p[v] * (w[v] - mean);
}

static double norm(const double g[K])
{
    double sum = 0;
    for (size_t v = 0; v < K; v++)
        sum += g[v] * g[v];
    return sqrt(sum);
}

static double dot(const double a[K], const double b[K])
{
    double sum = 0;
    for (size_t v = 0; v < K; v++)
        sum += a[v] * b[v];
    return sum;
}

/* Over random problems at one drift: the mean size of a pull beside the right
 * one, and the share of those that point against it. */
struct seen {
    double size[PULLS], against[PULLS];
};

static struct seen look(double drift)
{
    struct seen s = {{0}, {0}};
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (size_t n = 0; n < PROBLEMS; n++) {
        double z[K], y[K], p[K], q[K], right[K], g[K];
        for (size_t v = 0; v < K; v++) {
            z[v] = rng_normal(&rng);
            y[v] = z[v] + drift * rng_normal(&rng);
        }
        softmax(q, z);
        softmax(p, y);
        pull(right, RIGHT, p, q);
        for (int k = 0; k < PULLS; k++) {
            pull(g, (enum pull)k, p, q);
            s.size[k] += norm(g) / norm(right) / PROBLEMS;
            s.against[k] += (dot(g, right) < 0) / (double)PROBLEMS;
        }
    }
    return s;
}

/* No pull at all, up to rounding: the weights are equal, so each component is
 * a difference of numbers of at most kl. */
static void test_none(void **state)
{
    (void)state;
    struct seen s = look(1);
    assert_true(s.size[K1_LOSS] < 1e-12);
    assert_true(s.size[FULL_REWARD] < 1e-12);
}

/* Of second order: a tenth of the drift, a tenth of what is left of it. */
static void test_second_order(void **state)
{
    (void)state;
    static const enum pull which[] = {K2_REWARD, K3_REWARD};
    struct seen near = look(0.01), far = look(0.1);
    for (size_t i = 0; i < 2; i++) {
        double ratio = far.size[which[i]] / near.size[which[i]];
        assert_true(fabs(ratio - 10) < 1);
        assert_true(far.size[which[i]] > 0.03 && far.size[which[i]] < 0.07);
        assert_true(far.against[which[i]] > 0.4);
    }
    /* k2 grows with the drift and comes to point the right way; k3 does not. */
    struct seen wide = look(2);
    assert_true(wide.against[K2_REWARD] < 0.35);
    assert_true(wide.against[K3_REWARD] > 0.5);
}

/* |k1| as a reward: about half the size whatever the drift, and of the wrong
 * sign on a token that became rarer. */
static void test_abs_reward(void **state)
{
    (void)state;
    static const double drift[] = {0.1, 0.4, 1.6};
    for (size_t i = 0; i < 3; i++) {
        struct seen s = look(drift[i]);
        assert_true(s.size[ABS_REWARD] > 0.4 && s.size[ABS_REWARD] < 0.7);
    }
    double p[K], q[K], right[K], g[K], z[K] = {0}, y[K] = {0};
    y[0] = -2; // became rarer
    softmax(q, z);
    softmax(p, y);
    pull(right, RIGHT, p, q);
    pull(g, ABS_REWARD, p, q);
    assert_true(right[0] < 0); // the penalty falls when it is raised
    assert_true(g[0] > 0);     // and this one when it is lowered further
}

/* |k1| in the loss: right in its direction, and of a size that does not follow
 * the drift. */
static void test_abs_loss(void **state)
{
    (void)state;
    struct seen near = look(0.1), far = look(2);
    assert_true(near.against[ABS_LOSS] < 0.01);
    assert_true(far.against[ABS_LOSS] < 0.05);
    assert_true(near.size[ABS_LOSS] > 10 && far.size[ABS_LOSS] < 1);
}

/* k1 cut to 10 nats in the reward is k1 while no token moved further; where the
 * policy fell on a token that the reference gives e^-15, it pulls two thirds as
 * hard, and no harder at e^-30. */
static void test_cut_reward(void **state)
{
    (void)state;
    struct seen s = look(1);
    assert_true(fabs(s.size[CUT_REWARD] - 1) < 1e-12);
    static const double rare[] = {-15, -30}, size[] = {0.67, 0.33};
    for (size_t i = 0; i < 2; i++) {
        double p[K], q[K], right[K], g[K], z[K] = {rare[i]}, y[K] = {0};
        softmax(q, z);
        softmax(p, y);
        pull(right, RIGHT, p, q);
        pull(g, CUT_REWARD, p, q);
        assert_true(fabs(g[0] / right[0] - size[i]) < 0.02);
    }
}

/* The slope of a cut estimate by d, which is the slope by log pi: what a token
 * is pulled by in the loss. */
static double slope_of(double (*estimate)(double), double d)
{
    const double h = 1e-5;
    return (cut(estimate(d + h)) - cut(estimate(d - h))) / (2 * h);
}

static double k2(double d)
{
    return d * d / 2;
}

static double k3(double d)
{
    return expm1(-d) + d;
}

/* In the loss there is a pull up to where the estimate is 10, and none beyond:
 * k2 from 4.47 nats either way, k3 from 2.61 below and from 11 above. */
static void test_cut_loss(void **state)
{
    (void)state;
    assert_true(fabs(k2(4.47) - CUT) < 0.02);
    assert_true(fabs(k3(-2.61) - CUT) < 0.02);
    assert_true(fabs(k3(11) - CUT) < 0.02);
    assert_true(fabs(slope_of(k2, 4.4) - 4.4) < 1e-6);
    assert_true(slope_of(k2, 4.6) == 0 && slope_of(k2, -4.6) == 0);
    assert_true(fabs(slope_of(k3, -2.5) - (1 - exp(2.5))) < 1e-6);
    assert_true(slope_of(k3, -2.7) == 0 && slope_of(k3, 11.1) == 0);
    assert_true(slope_of(k3, 10.9) > 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),       cmocka_unit_test(test_second_order),
        cmocka_unit_test(test_abs_reward), cmocka_unit_test(test_abs_loss),
        cmocka_unit_test(test_cut_reward), cmocka_unit_test(test_cut_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

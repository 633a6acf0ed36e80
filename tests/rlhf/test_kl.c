/* The KL estimators, where they act, their clamp and their controller. */
#include "rlhf/kl.h"

#include <string.h>

#include "base/rng.h"
#include "rlhf/near.h"

static const enum kl_mode modes[] = {KL_K1_REWARD, KL_K2_LOSS,   KL_K3_LOSS,
                                     KL_K1_LOSS,   KL_K3_REWARD, KL_K1_CLAMP};

static void test_k3_close_to_the_reference(void **state)
{
    (void)state;
    /* d^2/2 - d^3/6 + d^4/24; what is left is d^5/120 and the rounding of
     * expm1(-d), which is half an ulp of d. */
    for (int power = -9; power <= -3; power++) {
        double d = pow(10.0, power);
        double series = d * d / 2 - d * d * d / 6 + d * d * d * d / 24;
        assert_near(kl_k3(d, 0.0), series,
                    d * d * d * d * d / 100 + 2.3e-16 * d);
        assert_true(kl_k3(d, 0.0) >= 0.0);
    }
}

static void test_k3_is_never_negative(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 0, 0);
    for (int i = 0; i < 10000; i++) {
        double a = -10.0 * rng_uniform(&r);
        double b = -10.0 * rng_uniform(&r);
        assert_true(kl_k3(a, b) >= 0.0);
        assert_true(kl_k2(a, b) >= 0.0);
        assert_near(kl_k1(a, b), -kl_k1(b, a), 0.0);
    }
}

/* The mean of k1 under the policy, by enumeration, is the KL; so is k3's. */
static void test_expectations_by_enumeration(void **state)
{
    (void)state;
    static const double p[] = {0.5, 0.3, 0.15, 0.05};
    static const double q[] = {0.1, 0.2, 0.3, 0.4};
    double kl = 0, k1 = 0, k3 = 0;
    for (size_t v = 0; v < COUNT(p); v++) {
        kl += p[v] * log(p[v] / q[v]);
        k1 += p[v] * kl_estimate(KL_K1_REWARD, log(p[v]), log(q[v]));
        k3 += p[v] * kl_estimate(KL_K3_REWARD, log(p[v]), log(q[v]));
    }
    assert_near(k1, kl, 1e-15);
    assert_near(k3, kl, 1e-15);
}

static void test_derivatives(void **state)
{
    (void)state;
    static const enum kl_mode in_loss[] = {KL_K1_LOSS, KL_K2_LOSS, KL_K3_LOSS};
    static const double at[] = {-3.0, -0.5, -1e-3, 0.0, 0.25, 2.0};
    double h = 1e-5;
    for (size_t m = 0; m < COUNT(in_loss); m++) {
        for (size_t i = 0; i < COUNT(at); i++) {
            double slope = (kl_estimate(in_loss[m], at[i] - 1.0 + h, -1.0) -
                            kl_estimate(in_loss[m], at[i] - 1.0 - h, -1.0)) /
                           (2.0 * h);
            /* h^2/6 of a third derivative up to e^3, and rounding of
             * values up to e^3 over 2h. */
            assert_near(kl_derivative(in_loss[m], at[i] - 1.0, -1.0), slope,
                        1.7e-11 * 21 + 21 * 2.3e-16 / h);
        }
    }
}

/* Each mode charges in exactly one place. */
static void test_reward_or_loss(void **state)
{
    (void)state;
    static const float logp[] = {-1.0F, -2.0F, -0.5F};
    static const float ref[] = {-1.5F, -1.25F, -0.5F};
    static const float weight[] = {0.5F, 0.25F, 1.0F};
    for (size_t m = 0; m < COUNT(modes); m++) {
        struct kl_config c = {.mode = (int)modes[m]};
        float reward[] = {9.0F, 9.0F, 9.0F};
        float dlogp[] = {1.0F, 2.0F, 4.0F};
        size_t clamped = kl_reward(reward, logp, ref, 3, &c, 0.125);
        double loss = kl_loss(dlogp, logp, ref, weight, 3, &c, 0.125);
        double want_loss = 0.0;
        assert_int_equal(clamped, 0);
        for (size_t t = 0; t < 3; t++) {
            double k = kl_estimate(modes[m], (double)logp[t], (double)ref[t]);
            double d = kl_derivative(modes[m], (double)logp[t], (double)ref[t]);
            bool pays = kl_in_reward(modes[m]);
            assert_near((double)reward[t], pays ? -0.125 * k : 0.0, FLOAT_ULP);
            want_loss += pays ? 0.0 : 0.125 * (double)weight[t] * k;
            double before = (double)(1 << t);
            assert_near((double)dlogp[t] - before,
                        pays ? 0.0 : 0.125 * (double)weight[t] * d,
                        4.0 * FLOAT_ULP);
        }
        assert_near(loss, want_loss, 1e-15);
    }
    assert_true(kl_in_reward(KL_K1_REWARD) && kl_in_reward(KL_K3_REWARD) &&
                kl_in_reward(KL_K1_CLAMP));
    assert_false(kl_in_reward(KL_K1_LOSS) || kl_in_reward(KL_K2_LOSS) ||
                 kl_in_reward(KL_K3_LOSS));
}

/* max(0, k1) does not pay back where the policy has become less likely. */
static void test_clamped_k1_has_no_pull_back(void **state)
{
    (void)state;
    assert_near(kl_estimate(KL_K1_CLAMP, -3.0, -1.0), 0.0, 0.0);
    assert_near(kl_estimate(KL_K1_CLAMP, -1.0, -3.0), 2.0, 0.0);
    assert_near(kl_estimate(KL_K1_REWARD, -3.0, -1.0), -2.0, 0.0);
}

static void test_clamp_is_counted(void **state)
{
    (void)state;
    static const float logp[] = {0.0F, -15.0F, -30.0F, -1.0F};
    static const float ref[] = {-15.0F, 0.0F, -1.0F, -1.5F};
    struct kl_config c = {.mode = KL_K1_REWARD, .clamp = 10.0};
    float reward[4];
    static const double want[] = {-10.0, 10.0, 10.0, -0.5};
    assert_int_equal(kl_reward(reward, logp, ref, 4, &c, 1.0), 3);
    assert_all_near(reward, want, 4, 0.0);
    assert_int_equal(kl_count_clamped(logp, ref, 4, &c), 3);

    /* In the loss a clamped token is a constant: it adds its value and no
     * derivative. */
    static const float weight[] = {1.0F, 1.0F, 1.0F, 1.0F};
    float dlogp[4] = {0};
    c.mode = KL_K2_LOSS;
    assert_near(kl_loss(dlogp, logp, ref, weight, 4, &c, 1.0), 30.125, 0.0);
    static const double slope[] = {0.0, 0.0, 0.0, 0.5};
    assert_all_near(dlogp, slope, 4, 0.0);
    assert_int_equal(kl_count_clamped(logp, ref, 4, &c), 3);
    c.clamp = 0.0;
    assert_int_equal(kl_count_clamped(logp, ref, 4, &c), 0);
}

/* A bad log-prob must be seen, by the caller's finite check, in every mode. */
static void test_nan_is_not_swallowed(void **state)
{
    (void)state;
    static const float ref[] = {-1.0F};
    static const float weight[] = {1.0F};
    for (size_t m = 0; m < COUNT(modes); m++) {
        struct kl_config c = {.mode = (int)modes[m], .clamp = 10.0};
        float logp[] = {NAN};
        float reward[1];
        float dlogp[1] = {0};
        (void)kl_reward(reward, logp, ref, 1, &c, 1.0);
        double loss = kl_loss(dlogp, logp, ref, weight, 1, &c, 1.0);
        assert_true(kl_in_reward(modes[m]) ? isnan((double)reward[0])
                                           : isnan(loss));
    }
    struct kl_config c = {.control = KL_ADAPTIVE,
                          .target = 6.0,
                          .horizon = 1e4,
                          .max_error = 0.2};
    assert_true(isnan(kl_next_beta(0.1, (double)NAN, 0, 64, &c)));
}

static void test_controller(void **state)
{
    (void)state;
    struct kl_config c = {
        .control = KL_FIXED, .target = 6.0, .horizon = 1e4, .max_error = 0.2};
    assert_near(kl_next_beta(0.15, 100.0, 0, 64, &c), 0.15, 0.0);

    /* However far off, 512 episodes move it by 1.02 %: doubling takes 69. */
    c.control = KL_ADAPTIVE;
    double beta = 0.1;
    int batches = 0;
    while (beta < 0.2) {
        beta = kl_next_beta(beta, 1e6, 0, 512, &c);
        batches++;
    }
    assert_int_equal(batches, 69);
    /* A wider bound lets it through. */
    c.max_error = 1.0;
    assert_near(kl_next_beta(1.0, 9.0, 0, 1000, &c), 1.05, 1e-15);
    /* A gain of 0.5 an iteration of 64 episodes: horizon 128, up to 10 %. */
    c.max_error = 0.2;
    c.horizon = 128;
    assert_near(kl_next_beta(1.0, 9.0, 0, 64, &c), 1.1, 1e-15);
}

/*
 * A policy that follows the price some iterations late: its KL moves a share
 * `rate` of the way to the KL at which it would rest, sd^2 / (2 beta^2)
 * (rewards normal with deviation sd), and at most 0.7 nats, as on the desk.  A
 * budget settles near its target with rates of a tenth to a fifth, whatever
 * the rest, where the fixed coefficient would go to 300 nats and more; slower
 * policies need more iterations than these 60, quicker ones keep swinging.  It
 * never charges less than asked for.
 */
static void test_budget_holds_the_target(void **state)
{
    (void)state;
    static const double rates[] = {0.1, 0.15, 0.2};
    static const double sds[] = {0.5, 1.5};
    static const double targets[] = {1, 4};
    for (size_t k = 0; k < 12; k++) {
        double rate = rates[k % 3], sd = sds[k / 3 % 2];
        struct kl_config c = {.control = KL_BUDGET,
                              .beta = 0.02,
                              .target = targets[k / 6],
                              .gain = 0.5};
        double kl = 0, before = 0, beta = c.beta, mean = 0;
        for (int i = 0; i < 60; i++) {
            double rest = sd * sd / (2 * beta * beta);
            double step = rate * (rest - kl);
            beta = kl_next_beta(beta, kl, before, 64, &c);
            assert_true(beta >= c.beta);
            before = kl;
            kl += step < 0.7 ? step : 0.7;
            if (i >= 50)
                mean += kl / 10;
        }
        if (!(fabs(mean / c.target - 1) < 0.3))
            fail_msg("rate %g, sd %g: KL %g, target %g", rate, sd, mean,
                     c.target);
    }
    /* Far below the target it is the coefficient that was asked for. */
    struct kl_config c = {
        .control = KL_BUDGET, .beta = 0.02, .target = 4, .gain = 0.5};
    assert_near(kl_next_beta(0.02, 0.1, 0.1, 64, &c), 0.02, 0);
    /* kl 4 and rising by 1: 8 is ahead, twice the target. */
    assert_near(kl_next_beta(0.1, 4, 3, 64, &c), 0.1 * exp(0.5), 1e-15);
    assert_near(kl_next_beta(0.1, 5, 5, 64, &c), 0.1 * exp(0.125), 1e-15);
    assert_near(kl_next_beta(0.1, 9, 2, 64, &c), 0.1 * exp(0.5), 1e-15);
    assert_true(isnan(kl_next_beta(0.1, (double)NAN, 1, 64, &c)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_k3_close_to_the_reference),
        cmocka_unit_test(test_k3_is_never_negative),
        cmocka_unit_test(test_expectations_by_enumeration),
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_reward_or_loss),
        cmocka_unit_test(test_clamped_k1_has_no_pull_back),
        cmocka_unit_test(test_clamp_is_counted),
        cmocka_unit_test(test_nan_is_not_swallowed),
        cmocka_unit_test(test_controller),
        cmocka_unit_test(test_budget_holds_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

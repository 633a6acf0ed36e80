/*
 * Numbers other projects test themselves with, derived again by hand, and one
 * worked example under every place a score may be paid.  The source of each
 * is named above it; inputs given in decimal carry one rounding to float.
 */
#include "rlhf/advantage.h"
#include "rlhf/kl.h"
#include "rlhf/ppo_loss.h"
#include "rlhf/reward_loss.h"

#include <string.h>

#include "base/parallel.h"
#include "nn/lmhead.h"
#include "rlhf/near.h"

/* NeMo-RL, tests/unit/algorithms/test_loss_functions.py. */
static void test_estimators(void **state)
{
    (void)state;
    static const double ref[] = {0, -15, -30};
    static const double k1[] = {-1, 14, 29};
    static const double k2[] = {0.5, 98, 420.5};
    static const double k3[] = {0.7182818284590452, 13.000000831528719,
                                28.000000000000255};
    for (size_t t = 0; t < 3; t++) {
        assert_near(kl_k1(-1, ref[t]), k1[t], 0);
        assert_near(kl_k2(-1, ref[t]), k2[t], 0);
        assert_near(kl_k3(-1, ref[t]), k3[t], 1e-14);
    }
    /* Clamped to 10. */
    static const float logp[] = {-1, -1, -1};
    static const float logp_ref[] = {0, -15, -30};
    static const double clamped[] = {-0.7182818284590452, -10, -10};
    struct kl_config c = {.mode = KL_K3_REWARD, .clamp = 10};
    float reward[3];
    assert_int_equal(kl_reward(reward, logp, logp_ref, 3, &c, 1), 2);
    assert_all_near(reward, clamped, 3, FLOAT_ULP);
}

/* Losses of three tokens, each alone, and their mean by token_mean. */
static void check_policy_losses(const float *adv, const double *ratio,
                                const double *want, double want_mean,
                                double dual_clip)
{
    struct ppo_loss_config c = {
        .clip_low = 0.2, .clip_high = 0.2, .dual_clip = dual_clip};
    static const size_t start[] = {0, 3};
    static const float old[3] = {0};
    static const float one = 1;
    float logp[3], weight[3], dlogp[3] = {0};
    for (size_t t = 0; t < 3; t++) {
        logp[t] = (float)log(ratio[t]);
        struct ppo_stats s = {0};
        ppo_policy_loss(dlogp, &s, &logp[t], old, &adv[t], &one, 1, &c);
        assert_near(s.policy_loss, want[t], 10 * FLOAT_ULP);
    }
    struct ppo_stats s = {0};
    ppo_weights(weight, start, 1, AGG_TOKEN_MEAN, 3);
    ppo_policy_loss(dlogp, &s, logp, old, adv, weight, 3, &c);
    assert_near(s.policy_loss, want_mean, 10 * FLOAT_ULP);
}

/* NeMo-RL, same file. */
static void test_clip_and_dual_clip(void **state)
{
    (void)state;
    static const float adv[] = {1, -1, 2};
    static const double ratio[] = {0.5, 1, 1.5};
    static const double want[] = {-0.5, 1, -2.4};
    check_policy_losses(adv, ratio, want, -1.9 / 3, 0);
    static const float adv_dual[] = {1, -1, -4};
    static const double ratio_dual[] = {0.5, 1, 10};
    static const double want_dual[] = {-0.5, 1, 12};
    check_policy_losses(adv_dual, ratio_dual, want_dual, 12.5 / 3, 3);
}

/* NeMo-Aligner utils/tests/ppo_utils_test.py; torchtune
 * tests/torchtune/rlhf/test_rewards.py; NeMo-RL tests/unit/algorithms/
 * test_ppo.py. */
static void test_gae(void **state)
{
    (void)state;
    float adv[5], ret[5];
    static const float v4[] = {0, 1, 2, 3}, r4[] = {0, 0, 1, 0};
    static const double a4[] = {0.5, 0, 0.5, -3};
    advantage_gae(adv, ret, r4, v4, NULL, 4, 0.5, 0);
    assert_all_near(adv, a4, 4, 0);

    static const float v5[] = {0, 0, 0, 1}, r5[] = {0, 0, 0, 1};
    static const double a5[] = {0.6579225, 0.7695, 0.9, 0};
    static const double ret5[] = {0.6579225, 0.7695, 0.9, 1};
    advantage_gae(adv, ret, r5, v5, NULL, 4, 0.9, 0.95);
    assert_all_near(adv, a5, 4, FLOAT_ULP);
    assert_all_near(ret, ret5, 4, FLOAT_ULP);

    static const float v6[] = {1, 2, 3}, r6[] = {0, 0, 5};
    static const double a6[] = {1, 1, 2};
    advantage_gae(adv, ret, r6, v6, NULL, 3, 1, 0);
    assert_all_near(adv, a6, 3, 0);
}

/* NeMo-RL test_ppo.py and verl tests/trainer/ppo/test_core_algos_on_cpu.py:
 * tool output in the middle is passed over, not discounted. */
static void test_gae_with_a_gap(void **state)
{
    (void)state;
    static const float v[] = {0.1F, 0.2F, 999, 0.4F, 0.5F};
    static const float r[] = {0, 0, 0, 0, 1};
    static const uint8_t m[] = {1, 1, 0, 1, 1};
    static const double want[] = {0.7823243763, 0.727617625, 0, 0.56525, 0.5};
    float adv[5], ret[5];
    advantage_gae(adv, ret, r, v, m, 5, 0.99, 0.95);
    assert_all_near(adv, want, 5, 4 * FLOAT_ULP);

    static const float v_cut[] = {0.1F, 0.2F, 0.4F, 0.5F},
                       r_cut[] = {0, 0, 0, 1};
    float cut[4], ret_cut[4];
    advantage_gae(cut, ret_cut, r_cut, v_cut, NULL, 4, 0.99, 0.95);
    assert_memory_equal(cut, adv, 2 * sizeof *cut);
    assert_memory_equal(cut + 2, adv + 3, 2 * sizeof *cut);
}

/* verl tests/trainer/ppo/test_reinforce_pp_multiturn_on_cpu.py: discounted
 * returns are GAE with lambda 1 and values 0. */
static void test_discounted_returns(void **state)
{
    (void)state;
    static const float v[5] = {0}, r[] = {0, 0, 0, 0, 2};
    static const uint8_t m[] = {1, 1, 0, 0, 1};
    static const double want[] = {0.5, 1, 0, 0, 2};
    float adv[5], ret[5];
    advantage_gae(adv, ret, r, v, m, 5, 0.5, 1);
    assert_all_near(ret, want, 5, 0);
}

/* The sum of given per-token losses: policy gradient of logp 1 and advantage
 * -loss, cut into `parts` pieces of whole sequences. */
static double aggregate(const float *loss, const size_t *start, size_t n_seq,
                        enum loss_aggregation mode, size_t max_new,
                        size_t parts)
{
    struct ppo_loss_config c = {.objective = OBJECTIVE_PG};
    float one[24], old[24], adv[24], weight[24], dlogp[24] = {0};
    for (size_t t = 0; t < start[n_seq]; t++) {
        one[t] = old[t] = 1;
        adv[t] = -loss[t];
    }
    ppo_weights(weight, start, n_seq, mode, max_new);
    struct ppo_stats sum = {0};
    for (size_t i = 0; i < parts; i++) {
        size_t first = start[i * n_seq / parts];
        size_t last = start[(i + 1) * n_seq / parts];
        struct ppo_stats part = {0};
        ppo_policy_loss(dlogp + first, &part, one + first, old + first,
                        adv + first, weight + first, last - first, &c);
        ppo_stats_add(&sum, &part);
    }
    return sum.policy_loss;
}

/* verl tests/trainer/ppo/test_loss_aggregation_on_cpu.py.  The kept losses
 * are 1, 2 | 4, 6; verl multiplies by its 4 ranks, which then take a mean. */
static void test_aggregation(void **state)
{
    (void)state;
    static const float kept[] = {1, 2, 4, 6};
    static const size_t two[] = {0, 2, 4};
    assert_near(4 * aggregate(kept, two, 2, AGG_TOKEN_SUM, 3, 1), 52, 0);
    assert_near(aggregate(kept, two, 2, AGG_TOKEN_MEAN, 3, 1), 3.25, 0);
    assert_near(aggregate(kept, two, 2, AGG_SEQ_SUM, 3, 1), 6.5, 0);
    assert_near(aggregate(kept, two, 2, AGG_SEQ_MEAN, 3, 1), 3.25, 0);
    assert_near(aggregate(kept, two, 2, AGG_SEQ_SUM_NORM, 3, 1), 13.0 / 6,
                13 * FLOAT_ULP);

    /* 1..24 as eight sequences of three, in 1, 2 and 4 micro-batches. */
    static const enum loss_aggregation modes[] = {AGG_TOKEN_MEAN, AGG_TOKEN_SUM,
                                                  AGG_SEQ_SUM, AGG_SEQ_SUM_NORM,
                                                  AGG_SEQ_MEAN};
    static const double want[] = {12.5, 300, 37.5, 12.5, 12.5};
    float arange[24];
    size_t start[9];
    for (size_t i = 0; i < 24; i++)
        arange[i] = (float)(i + 1);
    for (size_t i = 0; i < 9; i++)
        start[i] = 3 * i;
    for (size_t m = 0; m < COUNT(modes); m++) {
        for (size_t parts = 1; parts <= 4; parts *= 2) {
            double got = aggregate(arange, start, 8, modes[m], 3, parts);
            assert_near(got, want[m], want[m] * FLOAT_ULP);
            assert_near(got, aggregate(arange, start, 8, modes[m], 3, 1),
                        1e-12);
        }
    }
}

/* verl tests/utils/test_torch_functional.py: NaN and Inf outside the mask. */
static void test_masked_mean(void **state)
{
    (void)state;
    static const uint8_t m[] = {1, 0, 0, 1};
    static const float middle[][2] = {
        {2, 3}, {NAN, INFINITY}, {-INFINITY, NAN}};
    for (size_t i = 0; i < COUNT(middle); i++) {
        const float x[] = {1, middle[i][0], middle[i][1], 4};
        float out[4];
        struct whitening w =
            advantage_whiten(out, x, m, 4, WHITEN_BIASED, false, 0);
        assert_near(w.mean, 2.5, 0);
        static const double want[] = {-1, 0, 0, 1};
        assert_all_near(out, want, 4, 0);
    }
}

/* TRL 0.11.4 tests/test_ppo_trainer.py: full KL of two distributions, as the
 * mean of k1 over the policy. */
static void test_full_kl(void **state)
{
    (void)state;
    static const double p[][3] = {{0.98, 0.01, 0.01}, {0.49, 0.02, 0.49}};
    static const double q[][3] = {{0.01, 0.01, 0.98}, {0.01, 0.98, 0.01}};
    static const double want[] = {4.447418, 3.736147};
    for (size_t i = 0; i < 2; i++) {
        double k1 = 0, k3 = 0;
        for (size_t v = 0; v < 3; v++) {
            k1 += p[i][v] * kl_k1(log(p[i][v]), log(q[i][v]));
            k3 += p[i][v] * kl_k3(log(p[i][v]), log(q[i][v]));
        }
        assert_near(k1, want[i], 5e-7);
        assert_near(k3, k1, 1e-14);
    }
}

struct head_kl {
    float kl[2], logp[2], logp_ref[2];
};

/* The two pairs of distributions above as logits of a head with identity
 * weights. */
static enum status compare_heads(void *ctx, size_t item, size_t worker,
                                 struct err *err)
{
    (void)item;
    (void)worker;
    static const float identity[] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const double p[] = {0.98, 0.01, 0.01, 0.49, 0.02, 0.49};
    static const double q[] = {0.01, 0.01, 0.98, 0.01, 0.98, 0.01};
    static const int32_t target[] = {0, 2};
    static float scratch[2 * (LMHEAD_CHUNK + 1) * 3 + (2 << 17)];
    const struct lmhead head = {
        .weight = {.f32 = identity}, .V = 3, .C = 3, .temperature = 1};
    struct head_kl *got = ctx;
    const struct lmhead_pair out = {
        .kl = got->kl, .logp = got->logp, .logp_ref = got->logp_ref};
    float hidden[6], hidden_ref[6];
    for (size_t i = 0; i < 6; i++) {
        hidden[i] = (float)log(p[i]);
        hidden_ref[i] = (float)log(q[i]);
    }
    if (COUNT(scratch) < 2 * lmhead_scratch(3, 3))
        return err_set(err, ERR_LIMIT, "scratch is too small");
    return lmhead_compare(&out, &head, hidden, &head, hidden_ref, target, 2, 0,
                          scratch, err);
}

/* The same from the language-model head, which never stores distributions.
 * Log-probabilities of 4.6 in float are known to 3e-7; sixteen of those for
 * two of them, their exponentials and the sums. */
static void test_full_kl_of_a_head(void **state)
{
    (void)state;
    static const double full[] = {4.447418, 3.736147};
    static const double k1[] = {4.584967, 3.891820}; // ln 98, ln 49
    struct head_kl got;
    struct team *team = NULL;
    struct err err;
    assert_int_equal(team_create(&team, 1, &err), OK);
    enum status status = team_run(team, 1, compare_heads, &got, &err);
    team_destroy(team);
    assert_int_equal(status, OK);
    assert_all_near(got.kl, full, 2, 16 * 3e-7);
    for (size_t i = 0; i < 2; i++)
        assert_near(kl_k1((double)got.logp[i], (double)got.logp_ref[i]), k1[i],
                    16 * 3e-7);
}

/* TRL 0.11.4, same file: per-token penalties. */
static void test_token_penalties(void **state)
{
    (void)state;
    static const float logp[] = {0.5F, 0.2F, 0.1F, 0.6F, 0.2F, 0.1F};
    static const float ref[] = {0.4F, 0.3F, 0.0F, 0.7F, 0.1F, 0.3F};
    static const double kl[] = {-0.1, 0.1, -0.1, 0.1, -0.1, 0.2};
    static const double mse[] = {0.005, 0.005, 0.005, 0.005, 0.005, 0.02};
    struct kl_config c = {.mode = KL_K1_REWARD};
    float reward[6];
    assert_int_equal(kl_reward(reward, logp, ref, 6, &c, 1), 0);
    assert_all_near(reward, kl, 6, 2 * FLOAT_ULP);
    for (size_t t = 0; t < 6; t++)
        assert_near(kl_k2((double)logp[t], (double)ref[t]), mse[t], FLOAT_ULP);
}

/* TRL 0.11.4 tests/test_core.py; the flag that torchtune inverts. */
static void test_whitening(void **state)
{
    (void)state;
    static const float x[] = {1, 2, 3, 4};
    static const uint8_t m[] = {0, 1, 1, 0};
    static const double s = 0.70710678118654752;
    float out[4];
    struct whitening w =
        advantage_whiten(out, x, m, 4, WHITEN_UNBIASED, false, 1e-8);
    assert_near(w.mean, 2.5, 0);
    assert_near(w.sd * w.sd, 0.5, 1e-15);
    /* The entries outside the mask are zeroed here; the constants returned
     * give what TRL has there. */
    static const double centred[] = {0, -0.7071067740, 0.7071067740, 0};
    assert_all_near(out, centred, 4, FLOAT_ULP);
    assert_near((1 - w.shift) * w.scale, -3 * s, 5e-8);
    assert_near((4 - w.shift) * w.scale, 3 * s, 5e-8);
    w = advantage_whiten(out, x, m, 4, WHITEN_BIASED, false, 1e-8);
    assert_near(w.sd * w.sd, 0.25, 0);

    /* Advantages are centred unless the mean is asked for: torchtune's
     * whiten(shift_mean=True) gives 1.7929, 3.2071 where -.7071, .7071 are
     * right, so its advantages never were. */
    (void)advantage_whiten(out, x, m, 4, WHITEN_UNBIASED, true, 1e-8);
    static const double kept[] = {0, 1.7928932260, 3.2071067740, 0};
    assert_all_near(out, kept, 4, 4 * FLOAT_ULP);
}

/* torchtune tests/torchtune/rlhf/test_rewards.py. */
static void test_rewards(void **state)
{
    (void)state;
    static const float logp[][3] = {
        {0.1F, 0.2F, 0.3F}, {0.4F, 0.5F, 0.6F}, {0.6F, 0.7F, 0.8F}};
    static const float ref[][3] = {
        {0.2F, 0.3F, 0.4F}, {0.6F, 0.7F, 0.8F}, {0.9F, 1.0F, 1.1F}};
    static const double want[][3] = {
        {0.05, 0.05, 1.05}, {0.1, 0.1, 2.1}, {0.15, 0.15, 3.15}};
    struct kl_config c = {.mode = KL_K1_REWARD};
    for (size_t s = 0; s < 3; s++) {
        float kl[3], reward[3];
        assert_int_equal(kl_reward(kl, logp[s], ref[s], 3, &c, 0.5), 0);
        advantage_rewards(reward, kl, 3, 3, (double)(s + 1), SCORE_AT_EOS, 3);
        assert_all_near(reward, want[s], 3, 4 * FLOAT_ULP);
    }
}

/* The formula in verl and TRL. */
static void test_rloo(void **state)
{
    (void)state;
    static const double score[] = {1, 2, 4, 9};
    static const double want[] = {-4, -8.0 / 3, 0, 20.0 / 3};
    double adv[4];
    advantage_rloo(adv, score, 4);
    for (size_t i = 0; i < 4; i++)
        assert_near(adv[i], want[i], 1e-14);
}

/* lm-human-preferences train_policy.py, TRL 0.11.4. */
static void test_adaptive_controller(void **state)
{
    (void)state;
    struct kl_config c = {.control = KL_ADAPTIVE,
                          .target = 6,
                          .horizon = 10000,
                          .max_error = 0.2};
    static const double kl[] = {3, 6, 6.6, 12};
    static const double want[] = {0.99872, 1, 1.00064, 1.00128};
    for (size_t i = 0; i < 4; i++)
        assert_near(kl_next_beta(0.15, kl[i], 0, 64, &c), 0.15 * want[i],
                    1e-15);
}

/* Pair losses by the formula; four candidates as in
 * lm-human-preference-details' reward training. */
static void test_ranking_losses(void **state)
{
    (void)state;
    static const double pair[][2] = {{2, 1}, {0.5, 1.5}, {3, 3}};
    static const double plain[] = {0.313262, 1.313262, 0.693147};
    static const double with_margin[] = {0.474077, 1.701413, 0.974077};
    static const int32_t rank[] = {1, 2};
    double unused[4] = {0};
    struct reward_loss_config c = {.kind = RANKING_PAIRS};
    struct reward_loss_config margin = {.kind = RANKING_PAIRS, .margin = 0.5};
    for (size_t i = 0; i < 3; i++) {
        assert_near(reward_loss(unused, pair[i], rank, 2, 1, &c), plain[i],
                    5e-7);
        assert_near(reward_loss(unused, pair[i], rank, 2, 1, &margin),
                    with_margin[i], 5e-7);
    }

    /* Order 1 > 3 > 0 > 2.  Plackett-Luce is per place, K - 1 of them. */
    static const double score[] = {0.1, 1.2, -0.3, 0.7};
    static const int32_t order[] = {3, 1, 4, 2};
    c.kind = RANKING_BEST;
    assert_near(reward_loss(unused, score, order, 4, 1, &c), 0.771280, 5e-7);
    c.kind = RANKING_PLACKETT_LUCE;
    assert_near(3 * reward_loss(unused, score, order, 4, 1, &c), 1.934895,
                5e-7);
    c.kind = RANKING_PAIRS;
    assert_near(reward_loss(unused, score, order, 4, 1, &c), 0.371098, 5e-7);
}

/*
 * Three tokens, EOS the last, in a width of five; k1 is .2, -.5, .4, beta .05,
 * score 2, lambda .95.  Where the score is paid decides how many slots there
 * are and whether the value of the state after EOS (.4) takes part.
 */
static void test_worked_example(void **state)
{
    (void)state;
    static const float logp[] = {-1, -2, -0.5F}, ref[] = {-1.2F, -1.5F, -0.9F};
    static const float value[] = {0.1F, 0.2F, 0.3F, 0.4F, 0};
    static const struct {
        enum score_position position;
        size_t slots;
        double reward[5], adv[5], ret[5];
    } cases[] = {
        {SCORE_AT_EOS,
         3,
         {-0.01, 0.025, 1.98},
         {1.72495, 1.721, 1.68},
         {1.82495, 1.921, 1.98}},
        {SCORE_AFTER_EOS,
         4,
         {-0.01, 0.025, -0.02, 2},
         {1.65275, 1.645, 1.6, 1.6},
         {1.75275, 1.845, 1.9, 2}},
        /* From the end: 2; -.4 + .95 * 2 = 1.5; .08 + .95 * 1.5 = 1.505;
         * .125 + .95 * 1.505 = 1.55475; .09 + .95 * 1.55475. */
        {SCORE_LAST_SLOT,
         5,
         {-0.01, 0.025, -0.02, 0, 2},
         {1.5670125, 1.55475, 1.505, 1.5, 2},
         {1.6670125, 1.75475, 1.805, 1.9, 2}},
    };
    struct kl_config c = {.mode = KL_K1_REWARD};
    float kl[3], reward[5], adv[5], ret[5];
    assert_int_equal(kl_reward(kl, logp, ref, 3, &c, 0.05), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t slots = advantage_slots(cases[i].position, 3, 5);
        assert_int_equal(slots, cases[i].slots);
        advantage_rewards(reward, kl, 3, slots, 2, cases[i].position, 5);
        advantage_gae(adv, ret, reward, value, NULL, slots, 1, 0.95);
        assert_all_near(reward, cases[i].reward, slots, 2 * FLOAT_ULP);
        assert_all_near(adv, cases[i].adv, slots, 4 * FLOAT_ULP);
        assert_all_near(ret, cases[i].ret, slots, 4 * FLOAT_ULP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimators),
        cmocka_unit_test(test_clip_and_dual_clip),
        cmocka_unit_test(test_gae),
        cmocka_unit_test(test_gae_with_a_gap),
        cmocka_unit_test(test_discounted_returns),
        cmocka_unit_test(test_aggregation),
        cmocka_unit_test(test_masked_mean),
        cmocka_unit_test(test_full_kl),
        cmocka_unit_test(test_full_kl_of_a_head),
        cmocka_unit_test(test_token_penalties),
        cmocka_unit_test(test_whitening),
        cmocka_unit_test(test_rewards),
        cmocka_unit_test(test_rloo),
        cmocka_unit_test(test_adaptive_controller),
        cmocka_unit_test(test_ranking_losses),
        cmocka_unit_test(test_worked_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

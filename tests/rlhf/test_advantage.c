/* Rewards, GAE, whitening and the leave-one-out baseline against their
 * definitions. */
#include "rlhf/advantage.h"

#include <string.h>

#include "base/rng.h"
#include "rlhf/kl.h"
#include "rlhf/near.h"

#define SLOTS 12

struct episode {
    float reward[SLOTS];
    float value[SLOTS];
    uint8_t mask[SLOTS];
};

static void draw(struct episode *e, uint32_t i)
{
    struct rng r;
    rng_init(&r, 11, RNG_TEST, 1, i);
    for (size_t t = 0; t < SLOTS; t++) {
        e->reward[t] = (float)rng_normal(&r);
        e->value[t] = (float)rng_normal(&r);
        e->mask[t] = rng_uniform(&r) < 0.7;
    }
}

/* adv[t] = sum over k of (gamma lambda)^k delta[t+k], over kept slots only,
 * each delta and each power written out. */
static void gae_by_definition(double *adv, const struct episode *e,
                              const uint8_t *mask, double gamma, double lambda)
{
    size_t kept[SLOTS];
    size_t n = 0;
    for (size_t t = 0; t < SLOTS; t++) {
        adv[t] = 0.0;
        if (!mask || mask[t])
            kept[n++] = t;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k < n; k++) {
            double next = k + 1 < n ? (double)e->value[kept[k + 1]] : 0.0;
            double delta = (double)e->reward[kept[k]] + gamma * next -
                           (double)e->value[kept[k]];
            adv[kept[i]] += pow(gamma * lambda, (double)(k - i)) * delta;
        }
    }
}

static void test_gae_is_its_definition(void **state)
{
    (void)state;
    static const double settings[][2] = {
        {1, 1}, {1, 0}, {0, 1}, {0.99, 0.95}, {0.5, 0.25}};
    for (uint32_t i = 0; i < 50; i++) {
        struct episode e;
        draw(&e, i);
        for (size_t k = 0; k < COUNT(settings); k++) {
            for (int masked = 0; masked < 2; masked++) {
                const uint8_t *mask = masked ? e.mask : NULL;
                float adv[SLOTS];
                float ret[SLOTS];
                double want[SLOTS];
                advantage_gae(adv, ret, e.reward, e.value, mask, SLOTS,
                              settings[k][0], settings[k][1]);
                gae_by_definition(want, &e, mask, settings[k][0],
                                  settings[k][1]);
                /* Sums of up to 36 normals, rounded to float once. */
                assert_all_near(adv, want, SLOTS, 36 * FLOAT_ULP);
                for (size_t t = 0; t < SLOTS; t++)
                    want[t] += !mask || mask[t] ? (double)e.value[t] : 0.0;
                assert_all_near(ret, want, SLOTS, 40 * FLOAT_ULP);
            }
        }
    }
}

static void test_gae_limits(void **state)
{
    (void)state;
    struct episode e;
    draw(&e, 99);
    float adv[SLOTS];
    float ret[SLOTS];
    double want[SLOTS];
    advantage_gae(adv, ret, e.reward, e.value, NULL, SLOTS, 1, 1);
    double to_go = 0.0;
    for (size_t t = SLOTS; t-- > 0;) {
        to_go += (double)e.reward[t];
        want[t] = to_go - (double)e.value[t];
    }
    assert_all_near(adv, want, SLOTS, 36 * FLOAT_ULP);

    advantage_gae(adv, ret, e.reward, e.value, NULL, SLOTS, 0.9, 0);
    for (size_t t = 0; t < SLOTS; t++) {
        double next = t + 1 < SLOTS ? (double)e.value[t + 1] : 0.0;
        want[t] = (double)e.reward[t] + 0.9 * next - (double)e.value[t];
    }
    assert_all_near(adv, want, SLOTS, 12 * FLOAT_ULP);
}

/* What stands in masked slots, NaN included, changes no bit of the others. */
static void test_masked_garbage(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct episode clean;
        draw(&clean, i);
        struct episode dirty = clean;
        for (size_t t = 0; t < SLOTS; t++) {
            if (clean.mask[t])
                continue;
            dirty.reward[t] = t % 2 ? NAN : 1e30F;
            dirty.value[t] = t % 2 ? INFINITY : NAN;
        }
        float a[SLOTS], b[SLOTS], ra[SLOTS], rb[SLOTS];
        advantage_gae(a, ra, clean.reward, clean.value, clean.mask, SLOTS, 0.99,
                      0.95);
        advantage_gae(b, rb, dirty.reward, dirty.value, clean.mask, SLOTS, 0.99,
                      0.95);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(ra, rb, sizeof ra);
        (void)advantage_whiten(a, clean.reward, clean.mask, SLOTS,
                               WHITEN_UNBIASED, false, 1e-8);
        (void)advantage_whiten(b, dirty.reward, clean.mask, SLOTS,
                               WHITEN_UNBIASED, false, 1e-8);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_slots_and_score_position(void **state)
{
    (void)state;
    assert_int_equal(advantage_slots(SCORE_AT_EOS, 3, 5), 3);
    assert_int_equal(advantage_slots(SCORE_AFTER_EOS, 3, 5), 4);
    assert_int_equal(advantage_slots(SCORE_AFTER_EOS, 5, 5), 5);
    assert_int_equal(advantage_slots(SCORE_LAST_SLOT, 3, 5), 5);

    static const float kl[] = {0.5F, 0.25F, 0.125F};
    float reward[5];
    advantage_rewards(reward, kl, 3, 3, 2.0, SCORE_AT_EOS, 5);
    static const double at[] = {0.5, 0.25, 2.125};
    assert_all_near(reward, at, 3, 0.0);
    advantage_rewards(reward, kl, 3, 4, 2.0, SCORE_AFTER_EOS, 5);
    static const double after[] = {0.5, 0.25, 0.125, 2.0};
    assert_all_near(reward, after, 4, 0.0);
    advantage_rewards(reward, kl, 3, 3, 2.0, SCORE_AFTER_EOS, 3);
    assert_all_near(reward, at, 3, 0.0);
    advantage_rewards(reward, kl, 3, 5, 2.0, SCORE_LAST_SLOT, 5);
    static const double last[] = {0.5, 0.25, 0.125, 0.0, 2.0};
    assert_all_near(reward, last, 5, 0.0);
    /* Nothing was said: nothing is paid, and nothing is written. */
    reward[0] = 7.0F;
    advantage_rewards(reward, kl, 0, 0, 2.0, SCORE_AT_EOS, 5);
    assert_near((double)reward[0], 7.0, 0.0);
}

/* Switching the penalty changes the rewards by exactly the penalty, and the
 * score is paid once and in full either way. */
static void test_penalty_leaves_the_score_alone(void **state)
{
    (void)state;
    static const float logp[] = {-1.0F, -2.0F, -0.5F};
    static const float ref[] = {-1.25F, -1.5F, -1.0F};
    static const enum score_position where[] = {SCORE_AT_EOS, SCORE_AFTER_EOS,
                                                SCORE_LAST_SLOT};
    struct kl_config c = {.mode = KL_K1_REWARD};
    float on[3], off[3], none[3];
    assert_int_equal(kl_reward(on, logp, ref, 3, &c, 0.5), 0);
    assert_int_equal(kl_reward(off, logp, ref, 3, &c, 0.0), 0);
    c.mode = KL_K3_LOSS;
    assert_int_equal(kl_reward(none, logp, ref, 3, &c, 0.5), 0);
    for (size_t p = 0; p < COUNT(where); p++) {
        size_t slots = advantage_slots(where[p], 3, 6);
        float with[6], without[6], in_loss[6];
        advantage_rewards(with, on, 3, slots, 2.0, where[p], 6);
        advantage_rewards(without, off, 3, slots, 2.0, where[p], 6);
        advantage_rewards(in_loss, none, 3, slots, 2.0, where[p], 6);
        double paid = 0.0;
        for (size_t t = 0; t < slots; t++) {
            double kl = t < 3 ? (double)on[t] : 0.0;
            assert_near((double)with[t] - (double)without[t], kl, 0.0);
            assert_near((double)in_loss[t], (double)without[t], 0.0);
            paid += (double)with[t] - kl;
        }
        assert_near(paid, 2.0, 0.0);
        assert_true(on[0] < 0.0F && on[1] > 0.0F);
    }
}

static void test_whitening(void **state)
{
    (void)state;
    struct episode e;
    draw(&e, 5);
    for (int k = 0; k < 2; k++) {
        enum whiten kind = k ? WHITEN_BIASED : WHITEN_UNBIASED;
        float out[SLOTS];
        struct whitening w =
            advantage_whiten(out, e.reward, e.mask, SLOTS, kind, false, 0.0);
        double n = 0, sum = 0, squares = 0;
        for (size_t t = 0; t < SLOTS; t++) {
            if (!e.mask[t]) {
                assert_near((double)out[t], 0.0, 0.0);
                continue;
            }
            n += 1;
            sum += (double)out[t];
            squares += (double)out[t] * (double)out[t];
            assert_near((double)out[t],
                        ((double)e.reward[t] - w.shift) * w.scale,
                        4 * FLOAT_ULP);
        }
        /* Twelve values below 4, each rounded to float. */
        assert_near(sum, 0.0, 48 * FLOAT_ULP);
        assert_near(squares / (k ? n : n - 1), 1.0, 96 * FLOAT_ULP);
        assert_near(w.sd * w.scale, 1.0, 1e-15);

        float kept[SLOTS];
        w = advantage_whiten(kept, e.reward, e.mask, SLOTS, kind, true, 0.0);
        for (size_t t = 0; t < SLOTS; t++) {
            if (!e.mask[t])
                continue;
            assert_near((double)kept[t] - (double)out[t], w.mean,
                        8 * FLOAT_ULP);
            assert_near((double)kept[t],
                        ((double)e.reward[t] - w.shift) * w.scale,
                        4 * FLOAT_ULP);
        }
    }
}

static void test_whitening_of_little(void **state)
{
    (void)state;
    /* One entry has no variance, equal ones have none either: centred, and
     * no division by zero. */
    float one[] = {3.0F};
    struct whitening w =
        advantage_whiten(one, one, NULL, 1, WHITEN_UNBIASED, false, 1e-8);
    assert_near((double)one[0], 0.0, 0.0);
    assert_near(w.sd, 0.0, 0.0);
    float equal[] = {2.0F, 2.0F, 2.0F};
    (void)advantage_whiten(equal, equal, NULL, 3, WHITEN_BIASED, true, 0.0);
    static const double two[] = {2, 2, 2};
    assert_all_near(equal, two, 3, 0.0);
    float none[] = {1.0F, 2.0F};
    static const uint8_t mask[] = {0, 0};
    (void)advantage_whiten(none, none, mask, 2, WHITEN_UNBIASED, false, 1e-8);
    static const double zero[] = {0, 0};
    assert_all_near(none, zero, 2, 0.0);

    /* eps stands beside the variance, not beside the deviation. */
    float wide[] = {-1.0F, 0.0F, 1.0F};
    w = advantage_whiten(wide, wide, NULL, 3, WHITEN_UNBIASED, false, 3.0);
    assert_true(w.scale == 0.5 && wide[2] == 0.5F);

    float x[] = {1.0F, 2.0F, 3.0F};
    w = advantage_whiten(x, x, NULL, 3, WHITEN_OFF, false, 1e-8);
    static const double same[] = {1, 2, 3};
    assert_all_near(x, same, 3, 0.0);
    assert_true(w.shift == 0.0 && w.scale == 1.0 && w.sd == 1.0);
}

/* A variance that one pass over squares would lose. */
static void test_whitening_far_from_zero(void **state)
{
    (void)state;
    float x[] = {16777214.0F, 16777215.0F, 16777216.0F};
    struct whitening w =
        advantage_whiten(x, x, NULL, 3, WHITEN_UNBIASED, false, 0.0);
    static const double want[] = {-1, 0, 1};
    assert_all_near(x, want, 3, 0.0);
    assert_near(w.sd, 1.0, 0.0);
}

static void test_rloo_is_leave_one_out(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 12, RNG_TEST, 2, 0);
    for (size_t n = 2; n <= 8; n++) {
        double score[8], adv[8], sum = 0.0;
        for (size_t i = 0; i < n; i++)
            score[i] = rng_normal(&r);
        advantage_rloo(adv, score, n);
        for (size_t i = 0; i < n; i++) {
            double others = 0.0;
            for (size_t j = 0; j < n; j++)
                others += j == i ? 0.0 : score[j] / (double)(n - 1);
            assert_near(adv[i], score[i] - others, 1e-14);
            sum += adv[i];
        }
        assert_near(sum, 0.0, 1e-14);
    }
    double alone = 1.5;
    double adv = 0.0;
    advantage_rloo(&adv, &alone, 1);
    assert_near(adv, 1.5, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gae_is_its_definition),
        cmocka_unit_test(test_gae_limits),
        cmocka_unit_test(test_masked_garbage),
        cmocka_unit_test(test_slots_and_score_position),
        cmocka_unit_test(test_penalty_leaves_the_score_alone),
        cmocka_unit_test(test_whitening),
        cmocka_unit_test(test_whitening_of_little),
        cmocka_unit_test(test_whitening_far_from_zero),
        cmocka_unit_test(test_rloo_is_leave_one_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

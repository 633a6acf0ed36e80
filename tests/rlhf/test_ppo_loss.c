/* The surrogate in every cell of (sign of the advantage, place of the ratio),
 * the value loss, and how shards add up. */
#include "rlhf/ppo_loss.h"

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "rlhf/kl.h"
#include "rlhf/near.h"

/* Inputs and step are dyadic, so float holds them exactly and the loss, kept
 * in double, can be differenced: the error is h^2/6 times a third derivative
 * (the loss itself, below 14 here) plus one rounding of the derivative. */
#define STEP (1.0F / 4096.0F)
#define SLOPE_TOLERANCE (14.0 * (1e-8 + FLOAT_ULP))

static double loss_of(float *dlogp, struct ppo_stats *stats, float change,
                      float adv, const struct ppo_loss_config *c)
{
    float old = -1.5F;
    float logp = old + change;
    float weight = 1.0F;
    *dlogp = 0.0F;
    *stats = (struct ppo_stats){0};
    ppo_policy_loss(dlogp, stats, &logp, &old, &adv, &weight, 1, c);
    return stats->policy_loss;
}

/* Checks the derivative against differences; returns whether it is zero. */
static bool is_flat(float change, float adv, const struct ppo_loss_config *c)
{
    float slope, unused;
    struct ppo_stats stats;
    double up = loss_of(&unused, &stats, change + STEP, adv, c);
    double down = loss_of(&unused, &stats, change - STEP, adv, c);
    (void)loss_of(&slope, &stats, change, adv, c);
    assert_near((double)slope, (up - down) / (2.0 * (double)STEP),
                SLOPE_TOLERANCE);
    return slope == 0.0F;
}

/* Log ratios whose ratios are .61, .88, 1, 1.06, 1.24, 1.65 and 3.49. */
static const float below = -0.5F, low = -0.125F, same = 0.0F, high = 0.0625F,
                   edge = 0.21875F, above = 0.5F, far = 1.25F;

static void test_cells_of_the_clip(void **state)
{
    (void)state;
    struct ppo_loss_config c = {.clip_low = 0.2, .clip_high = 0.2};
    for (int size = 1; size <= 4; size *= 2) {
        float a = (float)size;
        assert_false(is_flat(below, a, &c));
        assert_false(is_flat(low, a, &c));
        assert_false(is_flat(same, a, &c));
        assert_false(is_flat(high, a, &c));
        assert_true(is_flat(edge, a, &c));
        assert_true(is_flat(above, a, &c));
        assert_true(is_flat(far, a, &c));
        assert_true(is_flat(below, -a, &c));
        assert_false(is_flat(low, -a, &c));
        assert_false(is_flat(same, -a, &c));
        assert_false(is_flat(high, -a, &c));
        assert_false(is_flat(above, -a, &c));
        assert_false(is_flat(far, -a, &c));
    }
    /* A wider upper bound lets 1.24 through. */
    c.clip_high = 0.28;
    assert_false(is_flat(edge, 1.0F, &c));
    assert_true(is_flat(above, 1.0F, &c));
    assert_true(is_flat(same, 0.0F, &c));
}

static void test_dual_clip_bounds_the_loss(void **state)
{
    (void)state;
    struct ppo_loss_config c = {
        .clip_low = 0.2, .clip_high = 0.2, .dual_clip = 3.0};
    assert_true(is_flat(far, -2.0F, &c));
    assert_false(is_flat(above, -2.0F, &c));
    assert_true(is_flat(below, -2.0F, &c));
    assert_false(is_flat(below, 2.0F, &c));
    assert_true(is_flat(far, 2.0F, &c));
    float slope;
    struct ppo_stats s;
    assert_near(loss_of(&slope, &s, far, -2.0F, &c), 6.0, 0.0);
    assert_near(s.dual_clipped, 1.0, 0.0);
    assert_near(s.clipped, 0.0, 0.0);
    /* The dual clip is for negative advantages only. */
    assert_near(loss_of(&slope, &s, far, 2.0F, &c), -2.4, 1e-15);
    assert_near(s.dual_clipped, 0.0, 0.0);
}

static void test_infinite_bounds_switch_the_clip_off(void **state)
{
    (void)state;
    struct ppo_loss_config c = {.clip_low = (double)INFINITY,
                                .clip_high = (double)INFINITY};
    static const float at[] = {below, low, same, high, above, far};
    for (size_t i = 0; i < COUNT(at); i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            float slope;
            struct ppo_stats s;
            double loss = loss_of(&slope, &s, at[i], (float)sign, &c);
            assert_near(loss, -sign * exp((double)at[i]), 0.0);
            assert_false(is_flat(at[i], (float)sign, &c));
            assert_near(s.clipped, 0.0, 0.0);
            assert_near(s.cell[sign < 0][1], 1.0, 0.0);
        }
    }
}

static void test_policy_gradient(void **state)
{
    (void)state;
    struct ppo_loss_config c = {
        .objective = OBJECTIVE_PG, .clip_low = 0.2, .clip_high = 0.2};
    assert_false(is_flat(far, 2.0F, &c));
    assert_false(is_flat(below, -2.0F, &c));
    float slope;
    struct ppo_stats s;
    assert_near(loss_of(&slope, &s, 0.5F, 2.0F, &c), 2.0, 0.0);
    assert_near((double)slope, -2.0, 0.0);
    assert_near(s.clipped, 0.0, 0.0);
}

/* A ratio beyond exp(20) is counted, finite and without a derivative. */
static void test_exponent_is_bounded(void **state)
{
    (void)state;
    struct ppo_loss_config c = {.clip_low = 0.2, .clip_high = 0.2};
    float slope;
    struct ppo_stats s;
    assert_near(loss_of(&slope, &s, 25.0F, -1.0F, &c), exp(20.0), 0.0);
    assert_near((double)slope, 0.0, 0.0);
    assert_near(s.exponent_clamped, 1.0, 0.0);
    assert_near(s.approx_kl, 312.5, 0.0);
    assert_near(s.policy_kl, -25.0, 0.0);
    (void)loss_of(&slope, &s, 19.0F, -1.0F, &c);
    assert_near(s.exponent_clamped, 0.0, 0.0);
    assert_true(slope > 1e8F);
}

static void test_statistics(void **state)
{
    (void)state;
    struct ppo_loss_config c = {.clip_low = 0.2, .clip_high = 0.2};
    static const float logp[] = {below, same, above, below, high, above};
    static const float old[6] = {0};
    static const float adv[] = {1, 1, 1, -1, -1, -1};
    static const float weight[] = {1, 1, 1, 1, 1, 1};
    float dlogp[6] = {0};
    struct ppo_stats s = {0};
    ppo_policy_loss(dlogp, &s, logp, old, adv, weight, 6, &c);
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 3; b++)
            assert_near(s.cell[a][b], 1.0, 0.0);
    assert_near(s.tokens, 6.0, 0.0);
    /* Clipped where it costs: above for A > 0, below for A < 0. */
    assert_near(s.clipped, 2.0, 0.0);
    double b = exp(-0.5), h = exp(0.0625), a = exp(0.5);
    assert_near(s.ratio, 2 * b + 1 + h + 2 * a, 1e-14);
    assert_near(s.ratio_max_error, a - 1, 1e-15);
    assert_near(s.approx_kl, (4 * 0.25 + 0.0625 * 0.0625) / 2, 1e-15);
    assert_near(s.policy_kl, -0.0625, 1e-15);

    /* Derivatives are added to what is there. */
    float before = dlogp[1];
    ppo_policy_loss(dlogp, &s, logp, old, adv, weight, 6, &c);
    assert_near((double)dlogp[1], 2.0 * (double)before, 0.0);
    assert_near(s.tokens, 12.0, 0.0);
}

/* Every member is a sum but the one that is a maximum. */
static void test_statistics_add_up(void **state)
{
    (void)state;
    double one[sizeof(struct ppo_stats) / sizeof(double)];
    double sum[COUNT(one)];
    struct ppo_stats a, b;
    for (size_t i = 0; i < COUNT(one); i++)
        one[i] = (double)(i + 1);
    memcpy(&a, one, sizeof a);
    memcpy(&b, one, sizeof b);
    ppo_stats_add(&a, &b);
    assert_near(a.ratio_max_error, b.ratio_max_error, 0.0);
    a.ratio_max_error *= 2.0;
    memcpy(sum, &a, sizeof sum);
    for (size_t i = 0; i < COUNT(one); i++)
        assert_near(sum[i], 2.0 * one[i], 0.0);

    struct ppo_stats bad = {.ratio_max_error = (double)NAN};
    ppo_stats_add(&a, &bad);
    ppo_stats_add(&a, &b);
    assert_true(isnan(a.ratio_max_error));
}

static void test_nan_goes_through(void **state)
{
    (void)state;
    struct ppo_loss_config c = {
        .clip_low = 0.2, .clip_high = 0.2, .dual_clip = 3.0};
    float slope;
    struct ppo_stats s;
    assert_true(isnan(loss_of(&slope, &s, NAN, 1.0F, &c)));
    assert_true(isnan((double)slope) && isnan(s.ratio_max_error));
    assert_true(isnan(loss_of(&slope, &s, 0.0F, NAN, &c)));
    assert_true(isnan((double)slope));
}

static double value_loss_of(float *dvalue, struct ppo_stats *stats, float v,
                            const struct ppo_loss_config *c)
{
    float old = 1.0F;
    float ret = 2.0F;
    float weight = 0.5F;
    *stats = (struct ppo_stats){0};
    *dvalue = 99.0F; // must be overwritten
    ppo_value_loss(dvalue, stats, &v, &old, &ret, &weight, 1, c);
    return stats->value_loss;
}

static void test_value_loss(void **state)
{
    (void)state;
    struct ppo_loss_config c = {.value_clip = 0.25, .value_coef = 0.5};
    /* Old value 1, return 2: rising past 1.25 is not rewarded, falling is
     * not shielded, and past the mirror image (2.75) the loss rises again. */
    static const struct {
        double loss;
        float value;
        bool clipped;
    } cases[] = {
        {0.5 * 2.25, 0.5F, false},       {0.5 * 1.265625, 0.875F, false},
        {0.5 * 0.765625, 1.125F, false}, {0.5 * 0.5625, 1.5F, true},
        {0.5 * 0.5625, 2.5F, true},      {0.5, 3.0F, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        float slope, unused;
        struct ppo_stats s;
        double up = value_loss_of(&unused, &s, cases[i].value + STEP, &c);
        double down = value_loss_of(&unused, &s, cases[i].value - STEP, &c);
        double loss = value_loss_of(&slope, &s, cases[i].value, &c);
        assert_near(loss, 0.5 * cases[i].loss, 0.0);
        assert_near(s.value_clipped, cases[i].clipped, 0.0);
        /* Squares have no third derivative: rounding over 2h only. */
        assert_near((double)slope,
                    c.value_coef * (up - down) / (2.0 * (double)STEP), 1e-11);
    }
    /* Downwards alike: old value 1, return -1, from .5 to beyond .75. */
    static const float low_value = 0.5F, old = 1.0F, ret = -1.0F, one = 1.0F;
    float down;
    struct ppo_stats falling = {0};
    ppo_value_loss(&down, &falling, &low_value, &old, &ret, &one, 1, &c);
    assert_near(falling.value_loss, 0.5 * 1.75 * 1.75, 0.0);
    assert_near((double)down, 0.0, 0.0);

    /* Off: the square, everywhere. */
    c.value_clip = 0.0;
    float slope;
    struct ppo_stats s;
    assert_near(value_loss_of(&slope, &s, 1.5F, &c), 0.0625, 0.0);
    assert_near((double)slope, -0.125, 0.0);
    assert_true(isnan(value_loss_of(&slope, &s, NAN, &c)));
}

#define SEQUENCES 8
#define TOKENS 30
static const size_t start[SEQUENCES + 1] = {0, 1, 5, 5, 9, 16, 17, 24, TOKENS};
static const enum loss_aggregation aggregations[] = {
    AGG_TOKEN_MEAN, AGG_TOKEN_SUM, AGG_SEQ_SUM, AGG_SEQ_SUM_NORM, AGG_SEQ_MEAN};

/* Per-token losses 0, 1, 2, ... under each aggregation, by its own words. */
static void test_weights_are_their_definition(void **state)
{
    (void)state;
    double total = 0, sums = 0, means = 0;
    for (size_t s = 0; s < SEQUENCES; s++) {
        double sum = 0;
        for (size_t t = start[s]; t < start[s + 1]; t++)
            sum += (double)t;
        total += sum;
        sums += sum / SEQUENCES;
        if (start[s + 1] > start[s])
            means += sum / (double)(start[s + 1] - start[s]) / SEQUENCES;
    }
    const double want[] = {total / TOKENS, total, sums, sums / 12, means};
    for (size_t m = 0; m < COUNT(aggregations); m++) {
        float weight[TOKENS];
        ppo_weights(weight, start, SEQUENCES, aggregations[m], 12);
        double got = 0;
        for (size_t t = 0; t < TOKENS; t++)
            got += (double)weight[t] * (double)t;
        assert_near(got, want[m], want[m] * FLOAT_ULP);
    }
}

struct minibatch {
    float logp[TOKENS], old[TOKENS], ref[TOKENS], adv[TOKENS];
    float value[TOKENS], value_old[TOKENS], ret[TOKENS], weight[TOKENS];
    float dlogp[TOKENS], dvalue[TOKENS];
};

static void draw(struct minibatch *b)
{
    struct rng r;
    rng_init(&r, 21, RNG_TEST, 3, 0);
    memset(b, 0, sizeof *b);
    for (size_t t = 0; t < TOKENS; t++) {
        b->old[t] = (float)(-3.0 * rng_uniform(&r));
        b->logp[t] = b->old[t] + (float)(0.3 * rng_normal(&r));
        b->ref[t] = b->old[t] + (float)rng_normal(&r);
        b->adv[t] = (float)rng_normal(&r);
        b->value[t] = (float)rng_normal(&r);
        b->value_old[t] = (float)rng_normal(&r);
        b->ret[t] = (float)rng_normal(&r);
    }
}

/* The three losses of tokens first..last-1, as one shard does them. */
static void shard(struct minibatch *b, struct ppo_stats *sum, size_t first,
                  size_t last)
{
    struct ppo_loss_config c = {.clip_low = 0.2,
                                .clip_high = 0.2,
                                .dual_clip = 1.5,
                                .value_clip = 0.2,
                                .value_coef = 0.1};
    struct kl_config kl = {.mode = KL_K2_LOSS};
    struct ppo_stats part = {0};
    size_t n = last - first;
    ppo_policy_loss(b->dlogp + first, &part, b->logp + first, b->old + first,
                    b->adv + first, b->weight + first, n, &c);
    ppo_value_loss(b->dvalue + first, &part, b->value + first,
                   b->value_old + first, b->ret + first, b->weight + first, n,
                   &c);
    part.kl_loss = kl_loss(b->dlogp + first, b->logp + first, b->ref + first,
                           b->weight + first, n, &kl, 0.1);
    ppo_stats_add(sum, &part);
}

/* Cut anywhere, the minibatch has the same gradient bit for bit, and the same
 * losses up to the order of a sum. */
static void test_shards_do_not_matter(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT(aggregations); m++) {
        struct minibatch whole;
        struct ppo_stats want = {0};
        draw(&whole);
        ppo_weights(whole.weight, start, SEQUENCES, aggregations[m], 12);
        shard(&whole, &want, 0, TOKENS);
        for (size_t cut = 2; cut <= SEQUENCES; cut *= 2) {
            struct minibatch parts;
            struct ppo_stats got = {0};
            draw(&parts);
            memcpy(parts.weight, whole.weight, sizeof parts.weight);
            for (size_t i = 0; i < cut; i++)
                shard(&parts, &got, start[i * SEQUENCES / cut],
                      start[(i + 1) * SEQUENCES / cut]);
            assert_memory_equal(&parts, &whole, sizeof parts);
            assert_near(got.policy_loss, want.policy_loss, 1e-12);
            assert_near(got.value_loss, want.value_loss, 1e-12);
            assert_near(got.kl_loss, want.kl_loss, 1e-12);
            assert_near(got.ratio_max_error, want.ratio_max_error, 0.0);
            assert_near(got.clipped, want.clipped, 0.0);
            assert_near(got.tokens, TOKENS, 0.0);
            assert_true(got.dual_clipped > 0 && got.value_clipped > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_of_the_clip),
        cmocka_unit_test(test_dual_clip_bounds_the_loss),
        cmocka_unit_test(test_infinite_bounds_switch_the_clip_off),
        cmocka_unit_test(test_policy_gradient),
        cmocka_unit_test(test_exponent_is_bounded),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_statistics_add_up),
        cmocka_unit_test(test_nan_goes_through),
        cmocka_unit_test(test_value_loss),
        cmocka_unit_test(test_weights_are_their_definition),
        cmocka_unit_test(test_shards_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

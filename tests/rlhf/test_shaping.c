/* From the reward model's output to the score, and the running deviation. */
#include "rlhf/shaping.h"

#include <string.h>

#include "base/rng.h"
#include "rlhf/near.h"

static void test_plain_score(void **state)
{
    (void)state;
    const struct shaping s = {.scale = {.mean = 2, .sd = 4},
                              .missing_eos = 1,
                              .length_penalty = 0.01,
                              .reference_tokens = 20};
    assert_near(shaping_score(&s, 10, 0, 30, true), 2 - 0.1, 1e-15);
    assert_near(shaping_score(&s, 10, 0, 30, false), 1 - 0.1, 1e-15);
    assert_near(shaping_score(&s, 10, 0, 10, true), 2 + 0.1, 1e-15);
    /* The centre belongs to the shapes. */
    assert_near(shaping_score(&s, 10, 7, 20, true), 2, 0);
}

static void test_sigmoids(void **state)
{
    (void)state;
    struct shaping s = {.scale = {.sd = 1}, .shape = SHAPE_SIGMOID};
    /* Nothing at the centre, ln 3 above it a quarter; bounded far out. */
    assert_near(shaping_score(&s, 5, 5, 1, true), 0, 1e-15);
    assert_near(shaping_score(&s, 5 + log(3.0), 5, 1, true), 0.25, 1e-15);
    assert_near(shaping_score(&s, 5 - log(3.0), 5, 1, true), -0.25, 1e-15);
    assert_near(shaping_score(&s, 1e6, 0, 1, true), 0.5, 0);
    assert_near(shaping_score(&s, -1e6, 0, 1, true), -0.5, 0);
    /* Its logarithm, also where the sigmoid itself is 0. */
    s.shape = SHAPE_LOG_SIGMOID;
    assert_near(shaping_score(&s, 5 + log(3.0), 5, 1, true), log(1.5), 1e-15);
    assert_near(shaping_score(&s, -1e6, 0, 1, true), log(2.0) - 1e6, 1e-9);
    assert_near(shaping_score(&s, 1e6, 0, 1, true), log(2.0), 0);
    /* Penalties come behind the bound. */
    s.missing_eos = 2;
    assert_near(shaping_score(&s, 1e6, 0, 1, false), log(2.0) - 2, 0);
    s.shape = SHAPE_SIGMOID;
    s.length_penalty = 0.5;
    assert_near(shaping_score(&s, 1e6, 0, 4, true), -1.5, 0);
}

/* Pieces of any size add up to the whole's mean and deviation. */
static void test_moments_in_pieces(void **state)
{
    (void)state;
    double x[64];
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 0, 0);
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = 100 + 3 * rng_normal(&r);
    struct score_scale want = scorer_scale(x, COUNT(x));
    static const size_t piece[] = {1, 0, 2, 30, 31};
    struct score_moments m = {0};
    size_t at = 0;
    for (size_t k = 0; k < COUNT(piece); k++) {
        shaping_observe(&m, x + at, piece[k]);
        at += piece[k];
        if (at == 1)
            assert_near(shaping_scale(&m).sd, 1, 0);
    }
    assert_int_equal(at, COUNT(x));
    /* 64 numbers near 100: sums are exact to 64 * 100 * 2^-53. */
    assert_near(shaping_scale(&m).mean, want.mean, 1e-12);
    assert_near(shaping_scale(&m).sd, want.sd, 1e-12);
}

/* A NaN is not made a bound of. */
static void test_nan_goes_through(void **state)
{
    (void)state;
    struct shaping s = {.scale = {.sd = 1}};
    for (int shape = SHAPE_NONE; shape <= SHAPE_LOG_SIGMOID; shape++) {
        s.shape = shape;
        assert_true(isnan(shaping_score(&s, (double)NAN, 0, 1, true)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_score),
        cmocka_unit_test(test_sigmoids),
        cmocka_unit_test(test_moments_in_pieces),
        cmocka_unit_test(test_nan_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

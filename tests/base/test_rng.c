/*
 * test_rng.c - Philox against its published vectors, and the distributions.
 *
 * Statistical bounds are five standard errors of the quantity under the law,
 * so a right generator fails one in two million; the seeds are fixed anyway.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"

#define N 200000

/* Known answers of Random123's distribution for philox4x32-10. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        rng_philox(out, cases[i].counter, cases[i].key);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
}

static void test_redraw(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 42, RNG_SAMPLE, 7, 9);
    rng_init(&b, 1, RNG_TEST, 0, 0);
    for (int i = 0; i < 13; i++)
        (void)rng_u32(&b);
    rng_init(&b, 42, RNG_SAMPLE, 7, 9);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rng_u32(&a), rng_u32(&b));
}

/* Every part of the name makes another stream: no first block twice, and
 * neighbouring streams are uncorrelated. */
static void test_streams_differ(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        enum rng_purpose purpose;
        uint32_t a, b;
    } names[] = {
        {1, RNG_TEST, 0, 0},          {2, RNG_TEST, 0, 0},
        {1ull << 32, RNG_TEST, 0, 0}, {1, RNG_INIT, 0, 0},
        {1, RNG_TEST, 1, 0},          {1, RNG_TEST, 0, 1},
        {1, RNG_TEST, 1u << 24, 0},   {1, RNG_TEST, 0, 1u << 31},
    };
    enum {
        COUNT = sizeof names / sizeof *names
    };
    struct rng r[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        rng_init(&r[i], names[i].seed, names[i].purpose, names[i].a,
                 names[i].b);
    double cross[COUNT][COUNT] = {{0}};
    for (int k = 0; k < N / 10; k++) {
        double u[COUNT];
        for (size_t i = 0; i < COUNT; i++)
            u[i] = (rng_uniform(&r[i]) - 0.5) * sqrt(12.0);
        for (size_t i = 0; i < COUNT; i++)
            for (size_t j = 0; j < i; j++)
                cross[i][j] += u[i] * u[j];
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(fabs(cross[i][j] / (N / 10.0)) < 5.0 / sqrt(N / 10.0));
}

static void test_uniform(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 0, 0);
    int bin[100] = {0};
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(&r);
        assert_true(u >= 0.0 && u < 1.0);
        bin[(int)(u * 100)]++;
    }
    /* Chi-square with 99 degrees of freedom: mean 99, variance 198. */
    double chi = 0;
    for (int i = 0; i < 100; i++)
        chi += (bin[i] - N / 100.0) * (bin[i] - N / 100.0) / (N / 100.0);
    assert_true(fabs(chi - 99.0) < 5.0 * sqrt(198.0));
}

/* Many at once are the ones that come one by one, whatever the place in a
 * block, and leave the stream where they would: also for an n that refuses half
 * of the words. */
static void test_fill_below(void **state)
{
    (void)state;
    static const uint32_t n[] = {1, 320, 0x80000001u, UINT32_MAX};
    enum {
        MOST = 150
    };
    for (size_t k = 0; k < sizeof n / sizeof *n; k++) {
        for (size_t count = 0; count <= MOST; count += 7) {
            struct rng one, many;
            size_t out[MOST];
            rng_init(&one, 7, RNG_TEST, 1, (uint32_t)count);
            many = one;
            for (size_t skip = 0; skip < count % 4; skip++)
                assert_int_equal(rng_u32(&one), rng_u32(&many));
            rng_fill_below(&many, out, count, n[k]);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(out[i], rng_below(&one, n[k]));
            assert_int_equal(rng_u32(&many), rng_u32(&one));
        }
    }
}

static void test_below(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, RNG_TEST, 0, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(rng_below(&r, 1), 0);
    /* 3 * 2^30: plain r % n would give the low third twice as often. */
    uint32_t n = 3u << 30;
    int low = 0;
    for (int i = 0; i < N; i++) {
        uint32_t x = rng_below(&r, n);
        assert_true(x < n);
        low += x < n / 3;
    }
    double p = 1.0 / 3, sd = sqrt(p * (1 - p) / N);
    assert_true(fabs((double)low / N - p) < 5 * sd);
}

/* Sample mean and variance of N draws, each within five standard errors;
 * the variance of a sample variance is (kurtosis - 1) * variance^2 / N. */
static void check_moments(double (*draw)(struct rng *), double mean,
                          double variance, double kurtosis)
{
    struct rng r;
    rng_init(&r, 5, RNG_TEST, 0, 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double x = draw(&r) - mean;
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / N) < 5 * sqrt(variance / N));
    assert_true(fabs(squares / N - variance) <
                5 * variance * sqrt((kurtosis - 1) / N));
}

static void test_moments(void **state)
{
    (void)state;
    const double euler = 0.57721566490153286, pi = 3.14159265358979324;
    check_moments(rng_uniform, 0.5, 1.0 / 12, 1.8);
    check_moments(rng_normal, 0.0, 1.0, 3.0);
    check_moments(rng_gumbel, euler, pi * pi / 6, 5.4);
}

static void test_shuffle(void **state)
{
    (void)state;
    /* All 24 orders of four things come up equally often. */
    int count[256] = {0};
    struct rng r;
    rng_init(&r, 6, RNG_SHUFFLE, 0, 0);
    const int rounds = 24000;
    for (int k = 0; k < rounds; k++) {
        size_t index[4] = {0, 1, 2, 3};
        rng_shuffle(&r, index, 4);
        size_t seen = 0, code = 0;
        for (int i = 0; i < 4; i++) {
            seen |= (size_t)1 << index[i];
            code = code * 4 + index[i];
        }
        assert_int_equal(seen, 15);
        count[code]++;
    }
    int orders = 0;
    double chi = 0;
    for (int i = 0; i < 256; i++) {
        if (count[i] == 0)
            continue;
        orders++;
        chi += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
    }
    assert_int_equal(orders, 24);
    assert_true(fabs(chi - 23.0) < 5 * sqrt(46.0));
    rng_shuffle(&r, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_redraw),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_fill_below),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The price of KL and of length: SciPy, closed forms, the published tables. */
#include "stat/klprice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include "data/golden/stat/klprice.inc"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const struct bootstrap plan = {.seed = 6, .resamples = 300};
static struct err err;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* ---- scores ---- */

static void test_scipy(void **state)
{
    (void)state;
    size_t prompt[6 * 16];
    struct klprice_sampled k;
    for (size_t i = 0; i < COUNT(prompt); i++)
        prompt[i] = i / 16;
    assert_int_equal(
        klprice_sample(&k, golden_score, prompt, 6 * 16, 6, 0.4, &plan, &err),
        OK);
    assert_near(k.kl.estimate, golden_sampled[0], 1e-13);
    assert_near(k.gain.estimate, golden_sampled[1], 1e-13);
    assert_near(k.effective.estimate, golden_sampled[2], 1e-13);
    assert_near(k.sd.estimate, golden_sampled[3], 1e-13);
    assert_near(k.optimum.estimate,
                golden_sampled[3] * golden_sampled[3] / (2 * 0.4 * 0.4), 1e-12);
    assert_near(k.ceiling, log(16), 1e-14);
    assert_true(k.kl.low < k.kl.estimate && k.kl.estimate < k.kl.high);
}

/* C6's tables: KL* by beta / sd, and the beta that holds KL. */
static void test_published(void **state)
{
    (void)state;
    static const double beta[] = {0.001, 0.01, 0.02, 0.05, 0.1,
                                  0.2,   0.3,  0.5,  1};
    static const double kl[] = {5e5, 5000, 1250, 200, 50, 12.5, 5.6, 2, 0.5};
    static const double held[] = {1, 5, 10, 20, 50};
    static const double needed[] = {0.71, 0.32, 0.22, 0.16, 0.10};
    for (size_t i = 0; i < COUNT(beta); i++) {
        assert_near(klprice_optimum(3, 3 * beta[i]), kl[i], 0.01 * kl[i]);
        assert_near(klprice_gain(3, 3 * beta[i]),
                    3 * sqrt(2 * klprice_optimum(3, 3 * beta[i])), 1e-9);
    }
    for (size_t i = 0; i < COUNT(held); i++) {
        assert_near(klprice_coefficient(1, held[i]), needed[i], 0.005);
        assert_near(klprice_optimum(1, klprice_coefficient(1, held[i])),
                    held[i], 1e-13);
    }
}

/* Normal scores, 256 to a prompt: true where the ceiling is far, too low where
 * it is near, and then said to be a bound.  NumPy's means and deviations over
 * 6,000 prompts. */
static void test_ceiling(void **state)
{
    (void)state;
    enum {
        PROMPTS = 200,
        SAMPLES = 256,
        N = PROMPTS * SAMPLES
    };
    static double score[N];
    static size_t prompt[N];
    static const double beta[] = {1, 0.7, 0.3, 0.2};
    static const double seen[] = {0.4926, 0.982, 3.287, 4.201};
    static const double seen_sd[] = {0.076, 0.212, 0.745, 0.702};
    struct rng r;
    rng_init(&r, 4, RNG_TEST, 59, 0);
    for (size_t i = 0; i < N; i++) {
        prompt[i] = i / SAMPLES;
        score[i] = rng_normal(&r) + (double)(prompt[i] % 7);
    }
    for (size_t i = 0; i < COUNT(beta); i++) {
        struct klprice_sampled k;
        assert_int_equal(
            klprice_sample(&k, score, prompt, N, PROMPTS, beta[i], &plan, &err),
            OK);
        print_message("beta %.1f sd: true KL* %.2f, of 256 samples %.2f "
                      "[%.2f, %.2f]%s, normal %.2f, effective %.3f\n",
                      beta[i], klprice_optimum(1, beta[i]), k.kl.estimate,
                      k.kl.low, k.kl.high, k.is_bound ? " at least" : "",
                      k.optimum.estimate, k.effective.estimate);
        assert_near(k.kl.estimate, seen[i], 4 * seen_sd[i] / sqrt(PROMPTS));
        assert_int_equal(k.is_bound, i >= 2);
        assert_near(k.sd.estimate, 1, 4 / sqrt(2.0 * N));
    }
}

static void test_effective(void **state)
{
    (void)state;
    static const double equal[] = {700, 700, 700, 700};
    static const double one[] = {-1e4, 0, -1e4};
    static const double two[] = {0, 1.0986122886681098}; // 1 : 3
    assert_near(klprice_effective(equal, 4), 4, 1e-12);
    assert_near(klprice_effective(one, 3), 1, 0);
    assert_near(klprice_effective(two, 2), 1.6, 1e-12);
    assert_true(isnan(klprice_effective(one, 0)));
}

/* Prompts with one reply, or none, or NaN. */
static void test_left_out(void **state)
{
    (void)state;
    static const double score[] = {1, 3, 7, (double)NAN, 2, 5};
    static const size_t prompt[] = {0, 0, 1, 1, 3, 3};
    struct klprice_sampled k;
    assert_int_equal(klprice_sample(&k, score, prompt, 6, 4, 1, &plan, &err),
                     OK);
    assert_int_equal(k.kl.n, 2);
    assert_near(k.sd.estimate, sqrt((2 + 4.5) / 2), 1e-14);
    assert_near(k.ceiling, log(2), 1e-15);
    assert_int_equal(klprice_sample(&k, score, prompt, 0, 4, 1, &plan, &err),
                     OK);
    assert_true(isnan(k.kl.estimate) && isnan(k.sd.estimate) && !k.is_bound);
    for (long at = 0; at < 9; at++) {
        mem_fail_at(at);
        assert_int_equal(
            klprice_sample(&k, score, prompt, 6, 4, 1, &plan, &err),
            ERR_MEMORY);
    }
    mem_fail_at(-1);
}

/* ---- length ---- */

static void test_geometric(void **state)
{
    (void)state;
    static const double rho[] = {1.27, 1.59, 2, 2.3, 4};
    static const double published[] = {0.030, 0.13, 0.31, 0.47, 1.6};
    for (size_t i = 0; i < COUNT(rho); i++) {
        double m = 100;
        assert_near(klprice_length(rho[i]), published[i],
                    0.03 * published[i] + 0.001);
        /* Summed over lengths up to where both tails are below 1e-17. */
        double h = 1 / m, h_new = 1 / (rho[i] * m);
        double sum = 0;
        for (double t = 1; t < 50 * rho[i] * m; t++) {
            double log_p = log(h_new) + (t - 1) * log1p(-h_new);
            double log_q = log(h) + (t - 1) * log1p(-h);
            sum += exp(log_p) * (log_p - log_q);
        }
        assert_near(klprice_length_exact(m, rho[i] * m), sum, 1e-11);
        /* The limit of long replies: half a step in a hundred. */
        assert_near(klprice_length(rho[i]), sum, 1.5 / m * sum);
    }
    assert_near(klprice_length_exact(100, 100), 0, 1e-15);
    /* Every reply one token: the policy stops at once, -ln h. */
    assert_near(klprice_length_exact(100, 1), log(100), 1e-13);
}

static void test_tilt(void **state)
{
    (void)state;
    size_t prompt[5 * 12];
    double sum = 0;
    for (size_t p = 0; p < 5; p++) {
        double kl = klprice_tilt(golden_length + 12 * p, 12, golden_target[p]);
        assert_near(kl, golden_tilt[p], 1e-10);
        sum += golden_tilt[p] / 5;
    }
    for (size_t i = 0; i < COUNT(prompt); i++)
        prompt[i] = i / 12;
    struct klprice_lengths k;
    assert_int_equal(klprice_lengths(&k, golden_length, prompt, 60,
                                     golden_target, 5, &plan, &err),
                     OK);
    assert_near(k.kl.estimate, sum, 1e-10);
    assert_int_equal(k.beyond, 0);
    assert_false(k.is_bound);
    /* Two lengths: the binary KL of the shares. */
    static const double two[] = {10, 10, 10, 20};
    double q = 0.6;
    assert_near(klprice_tilt(two, 4, 16),
                q * log(q / 0.25) + (1 - q) * log((1 - q) / 0.75), 1e-12);
    assert_near(klprice_tilt(two, 4, 12.5), 0, 1e-15);
    assert_near(klprice_tilt(two, 4, 20), log(4), 1e-15);
    assert_near(klprice_tilt(two, 4, 10), log(4.0 / 3), 1e-15);
    assert_true(isinf(klprice_tilt(two, 4, 20.1)));
    assert_true(isinf(klprice_tilt(two, 4, 9)));
    assert_true(isnan(klprice_tilt(two, 0, 9)));
    /* One beyond reach counts with ln n. */
    static const size_t owner[] = {0, 0, 1, 1};
    static const double target[] = {15, 30};
    static const double length[] = {10, 20, 10, 20};
    assert_int_equal(
        klprice_lengths(&k, length, owner, 4, target, 2, &plan, &err), OK);
    assert_near(k.kl.estimate, (0 + log(2)) / 2, 1e-12);
    assert_int_equal(k.beyond, 1);
    assert_true(k.is_bound);
}

/* Normal lengths: (change of mean)^2 / (2 sd^2).  Geometric lengths 100 -> 150
 * cost .095 nats; a supremum over samples is too high on average (Jensen), by
 * less than its own noise already for 128 of them, and right for many. */
static void test_tilt_distributions(void **state)
{
    (void)state;
    enum {
        N = 20000,
        DRAWS = 400,
        SAMPLES = 128
    };
    static double x[N];
    struct rng r;
    rng_init(&r, 4, RNG_TEST, 60, 0);
    for (size_t i = 0; i < N; i++)
        x[i] = 100 + 20 * rng_normal(&r);
    double mean = summary_mean(x, N);
    /* The sample's variance is known to sqrt(2/N), 1 %; third order terms of
     * its cumulants are as small. */
    assert_near(klprice_tilt(x, N, mean + 20), 0.5, 0.02);
    double sum = 0, squares = 0;
    for (size_t k = 0; k < DRAWS; k++) {
        for (size_t i = 0; i < SAMPLES; i++)
            x[i] = 1 + floor(log(1 - rng_uniform(&r)) / log1p(-0.01));
        double kl = klprice_tilt(x, SAMPLES, 150);
        sum += kl;
        squares += kl * kl;
    }
    double sd = sqrt(squares / DRAWS - sum / DRAWS * (sum / DRAWS));
    print_message("length 100 -> 150: true %.3f, from %d lengths %.3f +- "
                  "%.3f\n",
                  klprice_length_exact(100, 150), SAMPLES, sum / DRAWS, sd);
    double exact = klprice_length_exact(100, 150);
    assert_true(sum / DRAWS > exact - 3 * sd / sqrt(DRAWS));
    assert_true(sum / DRAWS < exact + sd);
    for (size_t i = 0; i < N; i++)
        x[i] = 1 + floor(log(1 - rng_uniform(&r)) / log1p(-0.01));
    assert_near(klprice_tilt(x, N, 150), exact,
                4 * sd * sqrt((double)SAMPLES / N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_effective),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_geometric),
        cmocka_unit_test(test_tilt),
        cmocka_unit_test(test_tilt_distributions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_rope.c - rotary positions: the twin against finite differences, the
 * kernel and its table against the twin, stretched rates against numbers
 * worked out by hand. */
#include "nn/compare.h"

#include "nn/rope.h"
#include "nn/rope_ref.h"

static const struct rope_stretch plain = {.kind = ROPE_PLAIN};
static const struct rope_stretch linear = {.kind = ROPE_LINEAR, .factor = 4};
/* What Llama 3.1 ships, at an original length the test sizes can tell. */
static const struct rope_stretch llama3 = {
    .kind = ROPE_LLAMA3, .factor = 8, .low = 1, .high = 4, .original = 256};

static const struct rope_stretch *const stretches[] = {&plain, &linear,
                                                       &llama3};

struct pass {
    size_t N, stride;
    struct array x, out, dout;
    const int32_t *position;
};

static double rope_loss(void *ctx)
{
    struct pass *p = ctx;
    memcpy(p->out.d, p->x.d, p->x.n * sizeof(double));
    rope_apply_ref(p->out.d, p->stride, 100.0, &llama3, p->position, p->N, 2, 4,
                   false);
    return weighted_total(p->dout.d, p->out.d, p->out.n);
}

static void test_rope_twin(void **state)
{
    (void)state;
    enum {
        N = 3,
        D = 4,
        STRIDE = 3 * D
    };
    const int32_t position[N] = {0, 7, 3};
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 3, 0);
    struct pass p = {.N = N, .stride = STRIDE, .position = position};
    p.x = array_normal((size_t)N * STRIDE, &r, 1.0);
    p.out = array_new((size_t)N * STRIDE);
    p.dout = array_normal((size_t)N * STRIDE, &r, 1.0);
    /* The backward pass turns the gradient back, in place. */
    struct array dx = array_new((size_t)N * STRIDE);
    memcpy(dx.d, p.dout.d, dx.n * sizeof(double));
    rope_apply_ref(dx.d, STRIDE, 100.0, &llama3, position, N, 2, D, true);
    fd_check("x", p.x.d, dx.d, dx.n, rope_loss, &p);
    struct array *all[] = {&p.x, &p.out, &p.dout, &dx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void rope_case(size_t D, size_t heads, size_t spare,
                      const struct rope_stretch *stretch, struct rng *r)
{
    enum {
        N = 5,
        T = 2048
    };
    const int32_t position[N] = {0, 1, 2, 700, T - 1};
    size_t stride = (heads + spare) * D;
    struct array table = array_nan(T * D), x = array_normal(N * stride, r, 1.0);
    double rate[64];
    rope_rates(rate, D, 10000.0, stretch);
    rope_table(table.f, rate, T, D);
    for (size_t i = 0; i < T * D; i++) {
        size_t t = i / D, k = i % D % (D / 2);
        double angle = (double)t * rope_rate_ref(k, D, 10000.0, stretch);
        table.d[i] = i % D < D / 2 ? cos(angle) : sin(angle);
    }
    /* cos and sin of the same double up to a rounding of the rate, which
     * 2047 positions magnify to less than a float's rounding. */
    compare_array("table", &table, 2 * FLOAT_EPS);

    /* Past the end of the table the same numbers are computed. */
    struct rope whole = {D, T, rate, table.f}, cut = {D, 2, rate, table.f};
    struct array again = array_new(x.n);
    memcpy(again.f, x.f, x.n * sizeof(float));
    rope_apply(again.f, stride, &cut, position, N, heads, false);
    for (int inverse = 0; inverse < 2; inverse++) {
        rope_apply(x.f, stride, &whole, position, N, heads, inverse);
        rope_apply_ref(x.d, stride, 10000.0, stretch, position, N, heads, D,
                       inverse);
        compare_array("rope", &x, (1 + inverse) * 4 * FLOAT_EPS);
        /* The spare heads (values, in use) are not touched. */
        for (size_t n = 0; n < N; n++)
            compare("spare", x.f + n * stride + heads * D,
                    x.d + n * stride + heads * D, spare * D, 0.0);
        if (!inverse)
            assert_memory_equal(again.f, x.f, x.n * sizeof(float));
    }
    array_free(&table);
    array_free(&x);
    array_free(&again);
}

static void test_rope(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 4, 0);
    const size_t head_sizes[] = {2, 6, 16, 32, 64, 128};
    for (size_t i = 0; i < sizeof head_sizes / sizeof head_sizes[0]; i++) {
        for (size_t k = 0; k < 3; k++) {
            rope_case(head_sizes[i], 1, 0, stretches[k], &r);
            rope_case(head_sizes[i], 5, 2, stretches[k], &r);
        }
    }
}

/*
 * Llama 3's rule where each of its cases is plain.  Rates 1, 1/10, 1/100 over
 * an original length of 200 pi make 100, 10 and 1 full turns; with low 2 and
 * high 18 the middle one is half way, (1/2)/5 + 1/2 = 3/5 of its rate.
 */
static void test_stretch(void **state)
{
    (void)state;
    struct rope_stretch s = {ROPE_LLAMA3, 5, 2, 18, 200 * acos(-1.0)};
    const double want[] = {1, 0.06, 0.002};
    double rate[3];
    rope_rates(rate, 6, 1000, &s);
    for (size_t i = 0; i < 3; i++)
        assert_true(fabs(rate[i] - want[i]) <= 1e-14);
    s.kind = ROPE_LINEAR;
    rope_rates(rate, 6, 1000, &s);
    assert_true(fabs(rate[2] - 0.002) <= 1e-14);
    s.kind = ROPE_PLAIN;
    rope_rates(rate, 6, 1000, &s);
    assert_true(rate[0] == 1 && fabs(rate[1] - 0.1) <= 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope_twin),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_layernorm.c - the twin against finite differences, the kernel against
 * the twin. */
#include "nn/compare.h"

#include "nn/layernorm.h"
#include "nn/layernorm_ref.h"

#define EPS 1e-5f

struct pass {
    size_t N, C;
    struct array x, weight, bias, out, dout, mean, rstd;
};

static double loss(void *ctx)
{
    struct pass *p = ctx;
    layernorm_forward_ref(p->out.d, p->mean.d, p->rstd.d, p->x.d, p->weight.d,
                          p->bias.d, p->N, p->C, (double)EPS);
    return weighted_total(p->dout.d, p->out.d, p->out.n);
}

static struct pass pass_new(size_t N, size_t C, double shift, struct rng *r)
{
    struct pass p = {
        .N = N,
        .C = C,
        .x = array_normal(N * C, r, 2.0),
        .weight = array_normal(C, r, 1.0),
        .bias = array_normal(C, r, 1.0),
        .out = array_nan(N * C),
        .dout = array_normal(N * C, r, 1.0),
        .mean = array_nan(N),
        .rstd = array_nan(N),
    };
    for (size_t i = 0; i < N * C; i++)
        array_set(&p.x, i, p.x.d[i] + shift);
    return p;
}

static void pass_free(struct pass *p)
{
    struct array *all[] = {&p->x,    &p->weight, &p->bias, &p->out,
                           &p->dout, &p->mean,   &p->rstd};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_twin(void **state)
{
    (void)state;
    enum {
        N = 3,
        C = 5
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 20, 0);
    struct pass p = pass_new(N, C, 0.7, &r);
    struct array dx = array_new(N * C), dweight = array_new(C);
    struct array dbias = array_new(C);
    loss(&p);
    layernorm_backward_ref(dx.d, dweight.d, dbias.d, p.dout.d, p.x.d,
                           p.weight.d, p.mean.d, p.rstd.d, N, C);
    fd_check("x", p.x.d, dx.d, N * C, loss, &p);
    fd_check("weight", p.weight.d, dweight.d, C, loss, &p);
    fd_check("bias", p.bias.d, dbias.d, C, loss, &p);
    array_free(&dx);
    array_free(&dweight);
    array_free(&dbias);
    pass_free(&p);
}

/* `shift` moves all of x: what is subtracted first costs its roundings,
 * relative to what is left (deviation 2). */
static void layernorm_case(size_t N, size_t C, double shift, struct rng *r)
{
    struct pass p = pass_new(N, C, shift, r);
    /* Backward adds, so its outputs start from something. */
    struct array dx = array_normal(N * C, r, 1.0);
    struct array dweight = array_normal(C, r, 1.0);
    struct array dbias = array_normal(C, r, 1.0);
    double loose = 1.0 + fabs(shift) / 2.0;
    layernorm_forward(p.out.f, p.mean.f, p.rstd.f, p.x.f, p.weight.f, p.bias.f,
                      N, C, EPS);
    loss(&p);
    compare_array("layernorm", &p.out, loose * sum_tolerance(C));
    compare_array("mean", &p.mean, sum_tolerance(C));
    compare_array("rstd", &p.rstd, loose * sum_tolerance(C));
    /* Inference keeps neither and computes the same. */
    struct array again = array_nan(N * C);
    layernorm_forward(again.f, NULL, NULL, p.x.f, p.weight.f, p.bias.f, N, C,
                      EPS);
    assert_memory_equal(again.f, p.out.f, N * C * sizeof(float));
    /* Frozen weights change nothing about dx. */
    memcpy(again.f, dx.f, N * C * sizeof(float));
    layernorm_backward(again.f, NULL, NULL, p.dout.f, p.x.f, p.weight.f,
                       p.mean.f, p.rstd.f, N, C);
    for (int k = 0; k < 2; k++) {
        layernorm_backward(dx.f, dweight.f, dbias.f, p.dout.f, p.x.f,
                           p.weight.f, p.mean.f, p.rstd.f, N, C);
        layernorm_backward_ref(dx.d, dweight.d, dbias.d, p.dout.d, p.x.d,
                               p.weight.d, p.mean.d, p.rstd.d, N, C);
        if (k == 0)
            assert_memory_equal(again.f, dx.f, N * C * sizeof(float));
    }
    compare_array("layernorm dx", &dx, loose * sum_tolerance(C));
    compare_array("layernorm dweight", &dweight, loose * sum_tolerance(2 * N));
    compare_array("layernorm dbias", &dbias, sum_tolerance(2 * N));
    struct array *all[] = {&dx, &dweight, &dbias, &again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
    pass_free(&p);
}

static void test_layernorm(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        {1, 7}, {3, 16}, {5, 63}, {4, 64}, {2, 65}, {33, 160}, {2, 768},
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 21, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        layernorm_case(sizes[i][0], sizes[i][1], 0.0, &r);
        layernorm_case(sizes[i][0], sizes[i][1], 30.0, &r);
    }
}

/* One channel is its own mean: the bias comes out, and nothing goes back. */
static void test_one_channel(void **state)
{
    (void)state;
    const float x = 3, weight = 2, bias = 5, dout = 1;
    float out, mean, rstd, dx = 0, dweight = 0, dbias = 0;
    layernorm_forward(&out, &mean, &rstd, &x, &weight, &bias, 1, 1, EPS);
    assert_true(out == 5 && mean == 3);
    layernorm_backward(&dx, &dweight, &dbias, &dout, &x, &weight, &mean, &rstd,
                       1, 1);
    assert_true(dx == 0 && dweight == 0 && dbias == 1);
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    enum {
        C = 64
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 22, 0);
    struct pass p = pass_new(2, C, 0.0, &r);
    p.x.f[C + 40] = NAN;
    layernorm_forward(p.out.f, NULL, NULL, p.x.f, p.weight.f, p.bias.f, 2, C,
                      EPS);
    for (size_t i = 0; i < p.out.n; i++)
        assert_int_equal(isnan(p.out.f[i]) != 0, i >= C);
    pass_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_one_channel),
        cmocka_unit_test(test_nan_passes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

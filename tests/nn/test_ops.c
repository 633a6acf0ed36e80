/* test_ops.c - embeddings, norms, SwiGLU, GELU, biases and sums: the twins
 * against finite differences, the kernels against the twins. */
#include "nn/compare.h"

#include "nn/fastmath.h"
#include "nn/ops.h"
#include "nn/ops_ref.h"
#include "nn/weight.h"

#define EPS 1e-5f

/* What the finite differences turn and weigh. */
struct pass {
    size_t N, C;
    struct array x, weight, out, dout, rstd;
};

/* Numbers of tokens and of channels: one, odd, off and on the vector width. */
static const size_t sizes[][2] = {
    {1, 1}, {1, 7}, {3, 16}, {5, 63}, {4, 64}, {2, 65}, {33, 160}, {2, 576},
};
#define SIZES (sizeof sizes / sizeof sizes[0])

static double rmsnorm_loss(void *ctx)
{
    struct pass *p = ctx;
    rmsnorm_forward_ref(p->out.d, p->rstd.d, p->x.d, p->weight.d, p->N, p->C,
                        (double)EPS);
    return weighted_total(p->dout.d, p->out.d, p->out.n);
}

static void test_rmsnorm_twin(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 0, 0);
    enum {
        N = 3,
        C = 5
    };
    struct pass p = {.N = N, .C = C};
    p.x = array_normal(N * C, &r, 1.0);
    p.weight = array_normal(C, &r, 1.0);
    p.dout = array_normal(N * C, &r, 1.0);
    p.out = array_new(N * C);
    p.rstd = array_new(N);
    struct array dx = array_new(N * C), dweight = array_new(C);
    rmsnorm_loss(&p);
    rmsnorm_backward_ref(dx.d, dweight.d, p.dout.d, p.x.d, p.weight.d, p.rstd.d,
                         N, C);
    fd_check("x", p.x.d, dx.d, N * C, rmsnorm_loss, &p);
    fd_check("weight", p.weight.d, dweight.d, C, rmsnorm_loss, &p);
    struct array *all[] = {&p.x,    &p.weight, &p.dout, &p.out,
                           &p.rstd, &dx,       &dweight};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void rmsnorm_case(size_t N, size_t C, struct rng *r)
{
    struct array x = array_normal(N * C, r, 2.0);
    struct array weight = array_normal(C, r, 1.0);
    struct array dout = array_normal(N * C, r, 1.0);
    /* Backward adds, so its outputs start from something. */
    struct array dx = array_normal(N * C, r, 1.0);
    struct array dweight = array_normal(C, r, 1.0);
    struct array out = array_nan(N * C), rstd = array_nan(N);
    rmsnorm_forward(out.f, rstd.f, x.f, weight.f, N, C, EPS);
    rmsnorm_forward_ref(out.d, rstd.d, x.d, weight.d, N, C, (double)EPS);
    compare_array("rmsnorm", &out, sum_tolerance(C));
    compare_array("rstd", &rstd, sum_tolerance(C));
    /* Inference keeps no rstd and computes the same. */
    struct array again = array_nan(N * C);
    rmsnorm_forward(again.f, NULL, x.f, weight.f, N, C, EPS);
    assert_memory_equal(again.f, out.f, N * C * sizeof(float));
    for (int k = 0; k < 2; k++) {
        rmsnorm_backward(dx.f, dweight.f, dout.f, x.f, weight.f, rstd.f, N, C);
        rmsnorm_backward_ref(dx.d, dweight.d, dout.d, x.d, weight.d, rstd.d, N,
                             C);
    }
    compare_array("rmsnorm dx", &dx, sum_tolerance(C));
    compare_array("rmsnorm dweight", &dweight, sum_tolerance(2 * N));
    struct array *all[] = {&x,       &weight, &dout, &dx,
                           &dweight, &out,    &rstd, &again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 1, 0);
    for (size_t i = 0; i < SIZES; i++)
        rmsnorm_case(sizes[i][0], sizes[i][1], &r);
}

static void test_embed(void **state)
{
    (void)state;
    enum {
        V = 5,
        C = 19,
        N = 6
    };
    const int32_t token[N] = {4, 0, 2, 4, 4, 1}; // 3 never, 4 three times
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 2, 0);
    struct array table = array_normal((size_t)V * C, &r, 1.0);
    struct array out = array_nan((size_t)N * C);
    weight_rows(out.f, (struct weight){.f32 = table.f}, token, N, C);
    embed_forward_ref(out.d, table.d, token, N, C);
    compare_array("embed", &out, 0.0);
    struct array dout = array_normal((size_t)N * C, &r, 1.0);
    embed_backward(table.f, dout.f, token, N, C);
    embed_backward_ref(table.d, dout.d, token, N, C);
    compare_array("dtable", &table, sum_tolerance(3));
    array_free(&table);
    array_free(&out);
    array_free(&dout);
}

static void test_position(void **state)
{
    (void)state;
    enum {
        T = 5,
        C = 19,
        N = 6
    };
    const int32_t position[N] = {4, 0, 2, 4, 4, 1};
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 9, 0);
    struct array table = array_normal((size_t)T * C, &r, 1.0);
    struct array x = array_normal((size_t)N * C, &r, 1.0);
    position_forward(x.f, table.f, position, N, C);
    position_forward_ref(x.d, table.d, position, N, C);
    compare_array("position", &x, FLOAT_EPS);
    array_free(&table);
    array_free(&x);
}

/* Three heads of four in rows of five; the loss weighs the whole row, so that
 * the untouched heads count, too. */
enum {
    HEADS = 3,
    HEAD_SIZE = 4,
    HEAD_STRIDE = 5 * HEAD_SIZE
};

static double headnorm_loss(void *ctx)
{
    struct pass *p = ctx;
    double raw[3 * HEADS * HEAD_SIZE];
    memcpy(p->out.d, p->x.d, p->x.n * sizeof(double));
    headnorm_forward_ref(p->out.d, raw, p->rstd.d, p->weight.d, p->N,
                         HEAD_STRIDE, HEADS, HEAD_SIZE, (double)EPS);
    return weighted_total(p->dout.d, p->out.d, p->out.n);
}

static void test_headnorm_twin(void **state)
{
    (void)state;
    enum {
        N = 3
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 10, 0);
    struct pass p = {.N = N};
    p.x = array_normal((size_t)N * HEAD_STRIDE, &r, 1.0);
    p.weight = array_normal(HEAD_SIZE, &r, 1.0);
    p.dout = array_normal((size_t)N * HEAD_STRIDE, &r, 1.0);
    p.out = array_new((size_t)N * HEAD_STRIDE);
    p.rstd = array_new((size_t)N * HEADS);
    struct array raw = array_new((size_t)N * HEADS * HEAD_SIZE);
    struct array dx = array_new(p.x.n), dweight = array_new(HEAD_SIZE);
    headnorm_loss(&p);
    memcpy(dx.d, p.dout.d, dx.n * sizeof(double));
    for (size_t i = 0; i < raw.n; i++)
        raw.d[i] = p.x.d[i / (HEADS * HEAD_SIZE) * HEAD_STRIDE +
                         i % (HEADS * HEAD_SIZE)];
    headnorm_backward_ref(dx.d, dweight.d, raw.d, p.weight.d, p.rstd.d, N,
                          HEAD_STRIDE, HEADS, HEAD_SIZE);
    fd_check("x", p.x.d, dx.d, dx.n, headnorm_loss, &p);
    fd_check("weight", p.weight.d, dweight.d, HEAD_SIZE, headnorm_loss, &p);
    struct array *all[] = {&p.x,    &p.weight, &p.dout, &p.out,
                           &p.rstd, &raw,      &dx,     &dweight};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void headnorm_case(size_t N, size_t D, size_t heads, struct rng *r)
{
    size_t stride = (heads + 1) * D;
    struct array x = array_normal(N * stride, r, 2.0);
    struct array weight = array_normal(D, r, 1.0);
    struct array dx = array_normal(N * stride, r, 1.0);
    struct array dweight = array_normal(D, r, 1.0);
    struct array raw = array_nan(N * heads * D), rstd = array_nan(N * heads);
    struct array again = array_new(N * stride);
    memcpy(again.f, x.f, x.n * sizeof(float));
    headnorm_forward(x.f, raw.f, rstd.f, weight.f, N, stride, heads, D, EPS);
    headnorm_forward_ref(x.d, raw.d, rstd.d, weight.d, N, stride, heads, D,
                         (double)EPS);
    compare_array("headnorm", &x, sum_tolerance(D));
    compare_array("raw", &raw, 0.0);
    compare_array("rstd", &rstd, sum_tolerance(D));
    headnorm_forward(again.f, NULL, NULL, weight.f, N, stride, heads, D, EPS);
    assert_memory_equal(again.f, x.f, x.n * sizeof(float));
    memcpy(again.f, dx.f, dx.n * sizeof(float));
    headnorm_backward(dx.f, dweight.f, raw.f, weight.f, rstd.f, N, stride,
                      heads, D);
    headnorm_backward(again.f, NULL, raw.f, weight.f, rstd.f, N, stride, heads,
                      D);
    assert_memory_equal(again.f, dx.f, dx.n * sizeof(float));
    headnorm_backward_ref(dx.d, dweight.d, raw.d, weight.d, rstd.d, N, stride,
                          heads, D);
    compare_array("headnorm dx", &dx, sum_tolerance(D));
    compare_array("headnorm dweight", &dweight, sum_tolerance(N * heads));
    struct array *all[] = {&x, &weight, &dx, &dweight, &raw, &rstd, &again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_headnorm(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 11, 0);
    for (size_t i = 0; i < SIZES; i++) {
        headnorm_case(sizes[i][0], sizes[i][1], 1, &r);
        headnorm_case(sizes[i][0], sizes[i][1], 3, &r);
    }
}

static double swiglu_loss(void *ctx)
{
    struct pass *p = ctx;
    swiglu_forward_ref(p->out.d, p->x.d, p->N, p->C);
    return weighted_total(p->dout.d, p->out.d, p->out.n);
}

static void test_swiglu_twin(void **state)
{
    (void)state;
    enum {
        N = 3,
        F = 5
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 5, 0);
    struct pass p = {.N = N, .C = F};
    p.x = array_normal((size_t)N * 2 * F, &r, 2.0);
    p.out = array_new((size_t)N * F);
    p.dout = array_normal((size_t)N * F, &r, 1.0);
    struct array dx = array_new((size_t)N * 2 * F);
    swiglu_backward_ref(dx.d, p.dout.d, p.x.d, N, F);
    fd_check("gate_up", p.x.d, dx.d, dx.n, swiglu_loss, &p);
    struct array *all[] = {&p.x, &p.out, &p.dout, &dx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_swiglu(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 6, 0);
    const double extreme[] = {-1e4, -100.0, -88.5, -87.5, 87.5, 88.5, 1e4};
    for (size_t i = 0; i < SIZES; i++) {
        size_t N = sizes[i][0], F = sizes[i][1];
        struct array x = array_normal(N * 2 * F, &r, 3.0);
        for (size_t k = 0; k < 7 && k < F; k++)
            array_set(&x, k, extreme[k]);
        struct array out = array_nan(N * F), dx = array_nan(N * 2 * F);
        struct array dout = array_normal(N * F, &r, 1.0);
        swiglu_forward(out.f, x.f, N, F);
        swiglu_forward_ref(out.d, x.d, N, F);
        swiglu_backward(dx.f, dout.f, x.f, N, F);
        swiglu_backward_ref(dx.d, dout.d, x.d, N, F);
        /* The exponential, and half a dozen operations around it; 1 - s
         * loses up to |z| units more where it is multiplied by z. */
        compare_array("swiglu", &out, 8 * FLOAT_EPS);
        compare_array("dgate_up", &dx, 16 * FLOAT_EPS);
        array_free(&x);
        array_free(&out);
        array_free(&dx);
        array_free(&dout);
    }
}

static double gelu_loss(void *ctx)
{
    struct pass *p = ctx;
    gelu_forward_ref(p->out.d, p->x.d, p->N);
    return weighted_total(p->dout.d, p->out.d, p->N);
}

static void test_gelu_twin(void **state)
{
    (void)state;
    enum {
        N = 15
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 12, 0);
    struct pass p = {.N = N};
    p.x = array_normal(N, &r, 2.0);
    p.out = array_new(N);
    p.dout = array_normal(N, &r, 1.0);
    struct array dx = array_new(N);
    gelu_backward_ref(dx.d, p.dout.d, p.x.d, N);
    fd_check("x", p.x.d, dx.d, N, gelu_loss, &p);
    struct array *all[] = {&p.x, &p.out, &p.dout, &dx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
}

static void test_gelu(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 13, 0);
    const double extreme[] = {-1e4, -100.0, -10.5, -9.9, 0.0, 9.9, 1e4};
    for (size_t n = 1; n < 3000; n = 2 * n + 1) {
        struct array x = array_normal(n, &r, 3.0);
        for (size_t k = 0; k < 7 && k < n; k++)
            array_set(&x, k, extreme[k]);
        struct array out = array_nan(n), dx = array_nan(n);
        struct array dout = array_normal(n, &r, 1.0);
        gelu_forward(out.f, x.f, n);
        gelu_forward_ref(out.d, x.d, n);
        gelu_backward(dx.f, dout.f, x.f, n);
        gelu_backward_ref(dx.d, dout.d, x.d, n);
        /* 2u rounds to a few units of its size, which the exponential passes
         * on: |2u| sigmoid'(2u) stays under a quarter, and half a dozen
         * operations come around it.  The slope multiplies 2u' by x, which is
         * at most about six where s (1 - s) is not lost. */
        compare_array("gelu", &out, 16 * FLOAT_EPS);
        compare_array("dx", &dx, 32 * FLOAT_EPS);
        array_free(&x);
        array_free(&out);
        array_free(&dx);
        array_free(&dout);
    }
}

/* The sum over rows is the way back of adding one row to all. */
static void test_bias(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 14, 0);
    for (size_t i = 0; i < SIZES; i++) {
        size_t N = sizes[i][0], M = sizes[i][1];
        struct array y = array_normal(N * M, &r, 1.0);
        struct array bias = array_normal(M, &r, 1.0);
        struct array dy = array_normal(N * M, &r, 1.0);
        bias_forward(y.f, bias.f, N, M);
        bias_forward_ref(y.d, bias.d, N, M);
        compare_array("bias", &y, FLOAT_EPS);
        bias_backward(bias.f, dy.f, N, M);
        bias_backward_ref(bias.d, dy.d, N, M);
        compare_array("dbias", &bias, sum_tolerance(N));
        array_free(&y);
        array_free(&bias);
        array_free(&dy);
    }
}

static void test_add(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 7, 0);
    for (size_t n = 0; n <= 70; n += 7) {
        struct array a = array_normal(n, &r, 1.0);
        struct array b = array_normal(n, &r, 1.0);
        for (size_t i = 0; i < n; i++)
            a.d[i] = (double)(a.f[i] + b.f[i]);
        add_into(a.f, b.f, n);
        compare_array("sum", &a, 0.0);
        array_free(&a);
        array_free(&b);
    }
}

/* The promise of nn/fastmath.h, over a million arguments. */
static void test_exp(void **state)
{
    (void)state;
    double worst = 0.0;
    for (int i = 0; i <= 1000000; i++) {
        float x = (float)(-87.3 + 175.6e-6 * i);
        double want = exp((double)x);
        int exponent;
        frexp(want, &exponent);
        double off = fabs((double)fastmath_exp(x) - want);
        worst = fmax(worst, off / ldexp(1.0, exponent - 24));
    }
    if (!(worst <= 1.0))
        fail_msg("exponential off by %.3f units in the last place", worst);
    assert_true(fastmath_exp(0.0f) == 1.0f);
    assert_true(fastmath_exp(-87.7f) == 0.0f);
    assert_true(fastmath_exp(-1e30f) == 0.0f);
    assert_true(fastmath_exp(-INFINITY) == 0.0f);
    assert_true(isinf(fastmath_exp(88.4f)));
    assert_true(isinf(fastmath_exp(INFINITY)));
    assert_true(isnan(fastmath_exp(NAN)));
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    enum {
        C = 64
    };
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 8, 0);
    struct array x = array_normal(2 * C, &r, 1.0);
    struct array weight = array_normal(C, &r, 1.0);
    struct array out = array_new(2 * C);
    x.f[C + 40] = NAN;
    rmsnorm_forward(out.f, NULL, x.f, weight.f, 2, C, EPS);
    for (size_t i = 0; i < out.n; i++)
        assert_int_equal(isnan(out.f[i]) != 0, i >= C);
    swiglu_forward(out.f, x.f, 1, C);
    for (size_t i = 0; i < C; i++)
        assert_int_equal(isnan(out.f[i]) != 0, i == 40);
    array_free(&x);
    array_free(&weight);
    array_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm_twin),
        cmocka_unit_test(test_rmsnorm),
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_headnorm_twin),
        cmocka_unit_test(test_headnorm),
        cmocka_unit_test(test_swiglu_twin),
        cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_gelu_twin),
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_nan_passes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

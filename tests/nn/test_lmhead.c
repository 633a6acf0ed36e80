/* test_lmhead.c - the twin against finite differences, the kernels against
 * the twin, and laws of entropy, KL and sampling. */
#include "nn/compare.h"

#include "nn/lmhead.h"
#include "nn/lmhead_ref.h"

struct shape {
    size_t N, V, C;
    float temperature;
    bool has_banned;
};

/* Around LMHEAD_CHUNK rows, odd and even vocabularies, the demo's; one that
 * takes large chunks. */
static const struct shape shapes[] = {
    {1, 1, 1, 1.0f, false},    {1, 4, 3, 1.0f, true},
    {3, 7, 8, 0.7f, true},     {63, 65, 16, 1.0f, false},
    {64, 413, 64, 1.0f, true}, {65, 413, 64, 0.5f, false},
    {130, 96, 33, 1.3f, true}, {258, 8195, 2, 1.0f, true},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

/* Two heads on the same rows, and everything they can be asked for. */
struct rig {
    struct shape shape;
    struct array weight, hidden, weight_ref, hidden_ref;
    struct lmhead head, head_ref;
    struct lmhead_ref twin, twin_ref;
    uint8_t *banned;
    int32_t *target;
    int32_t eos;
    struct array logp, entropy, p_eos, logp_ref, p_eos_ref, kl;
    struct array dlogp, dentropy, dhidden, dweight;
    struct array scratch;
    bool has_dentropy, has_dhidden, has_dweight;
    struct lmhead_pair pair;
};

static struct rig *rig_new(struct shape s, uint32_t stream)
{
    struct rig *g = mem_calloc(1, sizeof *g);
    struct rng r;
    assert_non_null(g);
    rng_init(&r, 5, RNG_TEST, 0, stream);
    g->shape = s;
    /* Logits of deviation 2 or so. */
    double sd = 2.0 / sqrt((double)s.C);
    g->weight = array_normal(s.V * s.C, &r, sd);
    g->hidden = array_normal(s.N * s.C, &r, 1.0);
    g->weight_ref = array_normal(s.V * s.C, &r, sd);
    g->hidden_ref = array_normal(s.N * s.C, &r, 1.0);
    g->banned = mem_calloc(s.V, 1);
    g->target = mem_calloc(s.N, sizeof *g->target);
    assert_non_null(g->banned);
    assert_non_null(g->target);
    for (size_t v = 0; s.has_banned && v < s.V; v++)
        g->banned[v] = v % 3 == 1;
    for (size_t n = 0; n < s.N; n++) {
        do {
            g->target[n] = (int32_t)rng_below(&r, (uint32_t)s.V);
        } while (g->banned[g->target[n]]);
    }
    g->eos = (int32_t)(s.V - 1) / 3 * 3; // never banned
    const uint8_t *banned = s.has_banned ? g->banned : NULL;
    g->head =
        (struct lmhead){{.f32 = g->weight.f}, banned, s.V, s.C, s.temperature};
    g->head_ref = (struct lmhead){
        {.f32 = g->weight_ref.f}, banned, s.V, s.C, s.temperature};
    double temperature = (double)s.temperature;
    g->twin = (struct lmhead_ref){g->weight.d, banned, s.V, s.C, temperature};
    g->twin_ref =
        (struct lmhead_ref){g->weight_ref.d, banned, s.V, s.C, temperature};
    struct array *out[] = {&g->logp,     &g->entropy,   &g->p_eos,
                           &g->logp_ref, &g->p_eos_ref, &g->kl};
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        *out[i] = array_nan(s.N);
    g->pair = (struct lmhead_pair){g->logp.f,  g->logp_ref.f,  g->entropy.f,
                                   g->p_eos.f, g->p_eos_ref.f, g->kl.f};
    g->dlogp = array_normal(s.N, &r, 1.0);
    g->dentropy = array_normal(s.N, &r, 1.0);
    g->dhidden = array_normal(s.N * s.C, &r, 1.0);
    g->dweight = array_normal(s.V * s.C, &r, 1.0);
    g->scratch = array_nan(2 * lmhead_scratch(s.V, s.C));
    g->has_dentropy = g->has_dhidden = g->has_dweight = true;
    return g;
}

static void rig_free(struct rig *g)
{
    struct array *all[] = {
        &g->weight,  &g->hidden,   &g->weight_ref, &g->hidden_ref, &g->logp,
        &g->entropy, &g->p_eos,    &g->logp_ref,   &g->p_eos_ref,  &g->kl,
        &g->dlogp,   &g->dentropy, &g->dhidden,    &g->dweight,    &g->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        array_free(all[i]);
    mem_free(g->banned);
    mem_free(g->target);
    mem_free(g);
}

static enum status run_forward(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    (void)item, (void)worker;
    struct rig *g = ctx;
    return lmhead_forward(g->logp.f, g->pair.entropy, g->pair.p_eos, &g->head,
                          g->hidden.f, g->target, g->shape.N, g->eos,
                          g->scratch.f, err);
}

static enum status run_compare(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    (void)item, (void)worker;
    struct rig *g = ctx;
    return lmhead_compare(&g->pair, &g->head, g->hidden.f, &g->head_ref,
                          g->hidden_ref.f, g->target, g->shape.N, g->eos,
                          g->scratch.f, err);
}

static enum status run_backward(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    (void)item, (void)worker;
    struct rig *g = ctx;
    return lmhead_backward(g->has_dhidden ? g->dhidden.f : NULL,
                           g->has_dweight ? g->dweight.f : NULL, &g->head,
                           g->hidden.f, g->target, g->dlogp.f,
                           g->has_dentropy ? g->dentropy.f : NULL, g->shape.N,
                           g->scratch.f, err);
}

static void backward_ref(struct rig *g)
{
    lmhead_backward_ref(g->has_dhidden ? g->dhidden.d : NULL,
                        g->has_dweight ? g->dweight.d : NULL, &g->twin,
                        g->hidden.d, g->target, g->dlogp.d,
                        g->has_dentropy ? g->dentropy.d : NULL, g->shape.N);
}

static double rig_loss(void *ctx)
{
    struct rig *g = ctx;
    lmhead_forward_ref(g->logp.d, g->entropy.d, NULL, &g->twin, g->hidden.d,
                       g->target, g->shape.N, g->eos);
    return weighted_total(g->dlogp.d, g->logp.d, g->shape.N) +
           weighted_total(g->dentropy.d, g->entropy.d, g->shape.N);
}

static void test_twin(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct shape s = {3, 7, 4, 0.8f, i == 1};
        struct rig *g = rig_new(s, i);
        memset(g->dhidden.d, 0, g->dhidden.n * sizeof(double));
        memset(g->dweight.d, 0, g->dweight.n * sizeof(double));
        backward_ref(g);
        fd_check("hidden", g->hidden.d, g->dhidden.d, g->hidden.n, rig_loss, g);
        fd_check("weight", g->weight.d, g->dweight.d, g->weight.n, rig_loss, g);
        rig_free(g);
    }
}

/*
 * A logit of deviation 2/temperature, four of which is the most to expect, is
 * off by the tolerance of a sum of C products; log-probabilities inherit that.
 * Everything after it is summed in double.
 */
static double logit_error(const struct shape *s)
{
    return 8.0 / (double)s->temperature * sum_tolerance(s->C);
}

static void test_forward(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct rig *g = rig_new(shapes[i], (uint32_t)i);
        on_team(1, 1, run_forward, g);
        lmhead_forward_ref(g->logp.d, g->entropy.d, g->p_eos.d, &g->twin,
                           g->hidden.d, g->target, g->shape.N, g->eos);
        double allowed = logit_error(&shapes[i]);
        compare_array("logp", &g->logp, allowed);
        compare_array("entropy", &g->entropy, allowed);
        compare_array("p_eos", &g->p_eos, allowed);
        /* Asked for less, it says the same. */
        struct array logp = array_new(g->logp.n);
        memcpy(logp.f, g->logp.f, logp.n * sizeof(float));
        g->pair.entropy = g->pair.p_eos = NULL;
        on_team(1, 1, run_forward, g);
        assert_memory_equal(logp.f, g->logp.f, logp.n * sizeof(float));
        array_free(&logp);
        rig_free(g);
    }
}

static void test_compare(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct rig *g = rig_new(shapes[i], (uint32_t)i);
        on_team(1, 1, run_compare, g);
        lmhead_forward_ref(g->logp.d, g->entropy.d, g->p_eos.d, &g->twin,
                           g->hidden.d, g->target, g->shape.N, g->eos);
        lmhead_forward_ref(g->logp_ref.d, NULL, g->p_eos_ref.d, &g->twin_ref,
                           g->hidden_ref.d, g->target, g->shape.N, g->eos);
        lmhead_kl_ref(g->kl.d, &g->twin, g->hidden.d, &g->twin_ref,
                      g->hidden_ref.d, g->shape.N);
        struct array *out[] = {&g->logp,     &g->entropy,   &g->p_eos,
                               &g->logp_ref, &g->p_eos_ref, &g->kl};
        const char *name[] = {"logp",     "entropy",   "p_eos",
                              "logp_ref", "p_eos_ref", "kl"};
        for (size_t k = 0; k < 6; k++)
            compare_array(name[k], out[k], logit_error(&shapes[i]));
        /* Each output alone is the same as all together. */
        for (size_t k = 0; k < 6; k++) {
            struct array alone = array_nan(g->shape.N);
            float **slot[] = {&g->pair.logp,      &g->pair.entropy,
                              &g->pair.p_eos,     &g->pair.logp_ref,
                              &g->pair.p_eos_ref, &g->pair.kl};
            g->pair = (struct lmhead_pair){0};
            *slot[k] = alone.f;
            on_team(1, 1, run_compare, g);
            assert_memory_equal(alone.f, out[k]->f, alone.n * sizeof(float));
            array_free(&alone);
        }
        rig_free(g);
    }
}

static void test_backward(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * 4; i++) {
        struct rig *g = rig_new(shapes[i / 4], (uint32_t)i);
        g->has_dentropy = i % 4 != 1;
        g->has_dhidden = i % 4 != 2;
        g->has_dweight = i % 4 != 3;
        /* Some rows are no response tokens, some have one gradient only. */
        for (size_t n = 0; n < g->shape.N; n++) {
            if (n % 4 == 1)
                array_set(&g->dlogp, n, 0.0);
            if (n % 4 == 1 || n % 4 == 2)
                array_set(&g->dentropy, n, 0.0);
        }
        /* Backward adds: twice from something. */
        for (int k = 0; k < 2; k++) {
            on_team(1, 1, run_backward, g);
            backward_ref(g);
        }
        double allowed = logit_error(&g->shape);
        compare_array("dhidden", &g->dhidden,
                      allowed + sum_tolerance(2 * g->shape.V));
        compare_array("dweight", &g->dweight,
                      allowed + sum_tolerance(2 * g->shape.N));
        rig_free(g);
    }
}

/* A loss of both outputs; rows without a gradient are among them. */
static void both_loss(void *ctx, size_t first, size_t n)
{
    struct rig *g = ctx;
    for (size_t i = first; i < first + n; i++) {
        float part = i % 4 == 1 || (i / 64) % 2 == 1 ? 0.0f : 0.5f;
        g->dlogp.f[i] = part * g->logp.f[i];
        g->dentropy.f[i] = i % 3 == 0 ? 0.0f : part * g->entropy.f[i];
    }
}

static enum status run_training(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    (void)item, (void)worker;
    struct rig *g = ctx;
    struct lmhead_training t = {
        .logp = g->logp.f,
        .entropy = g->has_dentropy ? g->entropy.f : NULL,
        .dlogp = g->dlogp.f,
        .dentropy = g->has_dentropy ? g->dentropy.f : NULL,
        .loss = both_loss,
        .ctx = g};
    return lmhead_train(g->has_dhidden ? g->dhidden.f : NULL,
                        g->has_dweight ? g->dweight.f : NULL, &g->head,
                        g->hidden.f, g->target, g->shape.N, &t, g->scratch.f,
                        err);
}

/* One pass gives the bits of two. */
static void test_train(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * 4; i++) {
        struct rig *one = rig_new(shapes[i / 4], (uint32_t)i);
        struct rig *two = rig_new(shapes[i / 4], (uint32_t)i);
        struct rig *both[] = {one, two};
        for (size_t k = 0; k < 2; k++) {
            both[k]->has_dentropy = i % 4 != 1;
            both[k]->has_dhidden = i % 4 != 2;
            both[k]->has_dweight = i % 4 != 3;
        }
        on_team(1, 1, run_training, one);
        on_team(1, 1, run_forward, two);
        both_loss(two, 0, two->shape.N);
        on_team(1, 1, run_backward, two);
        assert_memory_equal(one->logp.f, two->logp.f,
                            one->logp.n * sizeof(float));
        if (one->has_dentropy)
            assert_memory_equal(one->entropy.f, two->entropy.f,
                                one->entropy.n * sizeof(float));
        assert_memory_equal(one->dhidden.f, two->dhidden.f,
                            one->dhidden.n * sizeof(float));
        assert_memory_equal(one->dweight.f, two->dweight.f,
                            one->dweight.n * sizeof(float));
        rig_free(one);
        rig_free(two);
    }
}

static void test_rows_without_gradient(void **state)
{
    (void)state;
    struct shape s = {130, 20, 8, 1.0f, false};
    struct rig *g = rig_new(s, 40);
    struct array dhidden = array_new(g->dhidden.n);
    memcpy(dhidden.f, g->dhidden.f, dhidden.n * sizeof(float));
    /* Only row 70 counts: the first and last chunk are skipped, and nothing of
     * the other rows is looked at, not even their targets. */
    for (size_t n = 0; n < s.N; n++) {
        if (n == 70)
            continue;
        array_set(&g->dlogp, n, 0.0);
        array_set(&g->dentropy, n, 0.0);
        g->target[n] = -1;
    }
    on_team(1, 1, run_backward, g);
    assert_memory_equal(dhidden.f, g->dhidden.f, 70 * s.C * sizeof(float));
    assert_memory_equal(dhidden.f + 71 * s.C, g->dhidden.f + 71 * s.C,
                        59 * s.C * sizeof(float));
    for (size_t c = 0; c < s.C; c++)
        assert_true(dhidden.f[70 * s.C + c] != g->dhidden.f[70 * s.C + c]);
    array_free(&dhidden);
    rig_free(g);
}

/* A rig whose rows are given distributions: with the unit matrix for a weight,
 * hidden states are the logits themselves. */
static struct rig *rig_of(const double *p, const double *p_ref, size_t V)
{
    struct shape s = {1, V, V, 1.0f, false};
    struct rig *g = rig_new(s, 30);
    for (size_t v = 0; v < V; v++) {
        for (size_t c = 0; c < V; c++) {
            array_set(&g->weight, v * V + c, v == c ? 1.0 : 0.0);
            array_set(&g->weight_ref, v * V + c, v == c ? 1.0 : 0.0);
        }
        array_set(&g->hidden, v, log(p[v]));
        array_set(&g->hidden_ref, v, log(p_ref[v]));
    }
    on_team(1, 1, run_compare, g);
    return g;
}

static void test_worked_values(void **state)
{
    (void)state;
    /* Roundings of logits of up to 4.6, relative to a result near 4. */
    const double near = 8 * FLOAT_EPS * 4.6;
    const struct {
        double p[4], p_ref[4];
        size_t V;
        double kl, entropy;
    } known[] = {
        {{0.98, 0.01, 0.01}, {0.01, 0.01, 0.98}, 3, 4.447418, 0.111902},
        {{0.49, 0.02, 0.49}, {0.01, 0.98, 0.01}, 3, 3.736147, 0.777323},
        {{0.25, 0.25, 0.25, 0.25}, {0.25, 0.25, 0.25, 0.25}, 4, 0, 1.386294},
    };
    for (size_t i = 0; i < 3; i++) {
        struct rig *g = rig_of(known[i].p, known[i].p_ref, known[i].V);
        /* The values are given to six decimals. */
        assert_true(fabs((double)g->kl.f[0] - known[i].kl) <= near + 5e-7);
        assert_true(fabs((double)g->entropy.f[0] - known[i].entropy) <=
                    near + 5e-7);
        assert_true(fabs((double)g->p_eos.f[0] - known[i].p[g->eos]) <= near);
        rig_free(g);
    }
}

/*
 * A policy a little off its reference.  d = log p_ref - log p is known to
 * delta, so that KL = E[d^2]/2 + ... is known to sqrt(2 KL) delta + delta^2 by
 * Cauchy and Schwarz: far better than delta itself, which is what summing
 * p log(p/p_ref) in floats would give.
 */
static void test_small_kl(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct shape s = {70, 413, 64, 1.0f, i % 2 == 1};
        struct rig *g = rig_new(s, 20 + i);
        struct rng r;
        rng_init(&r, 5, RNG_TEST, 1, i);
        double off = pow(10.0, -(double)i);
        for (size_t k = 0; k < g->weight.n; k++)
            array_set(&g->weight_ref, k, g->weight.d[k]);
        for (size_t k = 0; k < g->hidden.n; k++)
            array_set(&g->hidden_ref, k, g->hidden.d[k] + off * rng_normal(&r));
        on_team(1, 1, run_compare, g);
        lmhead_kl_ref(g->kl.d, &g->twin, g->hidden.d, &g->twin_ref,
                      g->hidden_ref.d, s.N);
        double delta = 2.0 * logit_error(&s);
        for (size_t n = 0; n < s.N; n++) {
            double want = g->kl.d[n], got = (double)g->kl.f[n];
            assert_true(got >= 0.0);
            if (!(fabs(got - want) <= sqrt(2.0 * want) * delta + delta * delta))
                fail_msg("KL %.9g, want %.9g", got, want);
        }
        rig_free(g);
    }
}

static void test_kl_to_itself_is_zero(void **state)
{
    (void)state;
    struct rig *g = rig_new(shapes[4], 35);
    memcpy(g->weight_ref.f, g->weight.f, g->weight.n * sizeof(float));
    memcpy(g->hidden_ref.f, g->hidden.f, g->hidden.n * sizeof(float));
    on_team(1, 1, run_compare, g);
    for (size_t n = 0; n < g->shape.N; n++) {
        assert_true(g->kl.f[n] == 0.0f);
        assert_true(g->logp.f[n] == g->logp_ref.f[n]);
    }
    rig_free(g);
}

/* Logits so far apart that all but one probability is 0 in float. */
static void test_extreme_logits(void **state)
{
    (void)state;
    const double p[3] = {1.0, 1e-300, 1e-200};
    const double p_ref[3] = {1e-300, 1.0, 1e-200};
    struct rig *g = rig_of(p, p_ref, 3);
    double kl = 300.0 * log(10.0); // 690.8
    assert_true(fabs((double)g->kl.f[0] - kl) <= 8 * FLOAT_EPS * kl);
    assert_true(g->entropy.f[0] >= 0.0f && g->entropy.f[0] < 1e-30f);
    rig_free(g);
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    struct rig *g = rig_new(shapes[4], 36);
    g->hidden.f[5 * g->shape.C + 3] = NAN;
    on_team(1, 1, run_compare, g);
    for (size_t n = 0; n < g->shape.N; n++) {
        bool bad = n == 5;
        assert_true((isnan(g->logp.f[n]) != 0) == bad);
        assert_true((isnan(g->entropy.f[n]) != 0) == bad);
        assert_true((isnan(g->p_eos.f[n]) != 0) == bad);
        assert_true((isnan(g->kl.f[n]) != 0) == bad);
        assert_true(!isnan(g->logp_ref.f[n]));
    }
    on_team(1, 1, run_backward, g);
    for (size_t n = 0; n < g->shape.N; n++)
        assert_true((isnan(g->dhidden.f[n * g->shape.C]) != 0) == (n == 5));
    /* An infinite logit has no distribution either. */
    g->hidden.f[5 * g->shape.C + 3] = INFINITY;
    on_team(1, 1, run_compare, g);
    assert_true(isnan(g->logp.f[5]) && isnan(g->kl.f[5]));
    rig_free(g);
}

static enum status run_logits(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    (void)item, (void)worker;
    struct rig *g = ctx;
    return lmhead_logits(g->dweight.f, &g->head, g->hidden.f, g->shape.N, NULL,
                         err);
}

/*
 * What the sampler does with its logits, in steps of other sizes than the
 * training pass, agrees with the log-probability recomputed later.
 */
static void test_softmax(void **state)
{
    (void)state;
    for (size_t i = 1; i < SHAPES; i++) {
        struct rig *g = rig_new(shapes[i], 50 + (uint32_t)i);
        size_t V = g->shape.V, N = g->shape.N;
        on_team(1, 1, run_forward, g);
        array_free(&g->dweight);
        g->dweight = array_nan(N * V);
        on_team(1, 1, run_logits, g);
        for (size_t n = 0; n < N; n++) {
            float *z = g->dweight.f + n * V;
            double *want = g->dweight.d + n * V;
            for (size_t v = 0; v < V; v++)
                want[v] = (double)z[v];
            size_t target = (size_t)g->target[n];
            double z_target = want[target] / (double)g->shape.temperature;
            double lse = lmhead_softmax(z, &g->head);
            double lse_ref = lmhead_softmax_ref(want, &g->twin);
            /* A scaled logit is rounded once, and so is its distance from
             * the greatest: each half a unit of at most 16, 8 * 2^-24. */
            const double near = 2 * 8 * FLOAT_EPS;
            assert_true(fabs(lse - lse_ref) <= near);
            /* exp, 1/sum and product: a rounding of z - max is up to 16
             * units where it is that large. */
            compare("p", z, want, V, 24 * FLOAT_EPS);
            for (size_t v = 0; v < V; v++)
                assert_true(!g->banned[v] || z[v] == 0.0f);
            double logp = (double)g->logp.f[n];
            /* logp is rounded again, and comes from logits that another
             * product made; z and z_target are from the ones here. */
            double made = near + logit_error(&g->shape);
            assert_true(fabs(log((double)z[target]) - logp) <= made);
            assert_true(fabs(z_target - lse - logp) <= made);
        }
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_rows_without_gradient),
        cmocka_unit_test(test_worked_values),
        cmocka_unit_test(test_small_kl),
        cmocka_unit_test(test_kl_to_itself_is_zero),
        cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_nan_passes_through),
        cmocka_unit_test(test_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

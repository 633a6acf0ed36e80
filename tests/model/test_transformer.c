/*
 * The decoder against its plain double twin (model_ref.h): values directly,
 * gradients through central differences of the twin's loss.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

/* Three sequences, one of a single token. */
static void some_pack(struct rig_pack *p)
{
    static const int32_t a[] = {3, 5, 1, 9, 2};
    static const int32_t b[] = {7};
    static const int32_t c[] = {10, 3, 3, 0, 8, 6, 1};

    rig_pack_init(p);
    rig_pack_add(p, a, 5);
    rig_pack_add(p, b, 1);
    rig_pack_add(p, c, 7);
}

/* The shapes every test here runs on. */
#define N_SHAPES 10
static struct model_config shape(size_t i)
{
    struct model_config c = rig_config();

    if (i == 1) { // tied, one key head per query head, heads wider than C
        c.tied = true;
        c.G = 2;
        c.D = 6;
    }
    if (i == 2)
        c.head = HEAD_SCORE;
    if (i == 3) { // odd sizes, one layer, another base
        c.L = 1;
        c.C = 7;
        c.F = 5;
        c.H = 6;
        c.G = 2;
        c.D = 2;
        c.rope_theta = 100;
    }
    if (i == 4) { // biases, and rates in each part of Llama 3's rule
        c.attention_bias = true;
        c.D = 6;
        c.rope_theta = 50;
        c.stretch = (struct rope_stretch){ROPE_LLAMA3, 4, 0.4, 2, 8};
    }
    if (i == 5)
        c = rig_config_of("qwen2");
    if (i == 6) {
        c.head = HEAD_SCORE;
        c.stretch = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 2};
    }
    if (i == 7)
        c = rig_config_of("gpt2");
    if (i == 8) {
        c = rig_config_of("gpt2");
        c.head = HEAD_SCORE;
    }
    if (i == 9) {
        c = rig_config_of("qwen3");
        c.D = 6;
    }
    return c;
}

static double *doubles(const float *x, size_t n)
{
    double *out = mem_calloc(n, sizeof *out);

    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        out[i] = (double)x[i];
    return out;
}

static void test_forward(void **state)
{
    struct rig_pack p;

    (void)state;
    some_pack(&p);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct model_config c = shape(s);
        size_t n = p.pack.N * c.C;
        struct model m;
        double *params;
        double *want = mem_calloc(n, sizeof *want);
        float *got = mem_calloc(n, sizeof *got);

        rig_model(&m, &c, 10 + s);
        params = doubles(m.params, params_count(&c));
        model_ref_hidden(want, &c, params, &p.pack);
        rig_hidden(got, &m, &p.pack, true);
        /* Normed values are of order 1. */
        for (size_t i = 0; i < n; i++)
            if (!(fabs((double)got[i] - want[i]) <=
                  RIG_ROUNDING * (1 + fabs(want[i]))))
                fail_msg("shape %zu, hidden[%zu]: %.8g, want %.8g", s, i,
                         (double)got[i], want[i]);
        mem_free(params);
        mem_free(want);
        mem_free(got);
        model_free(&m);
    }
}

/* A loss that pulls on log-probs, entropies and scores at once. */
static void some_loss(struct loss *loss, const struct model_config *c,
                      const struct pack *pack)
{
    static int32_t target[RIG_TOKENS_MAX];
    static float dlogp[RIG_TOKENS_MAX];
    static float dentropy[RIG_TOKENS_MAX];
    static const uint8_t banned[RIG_TOKENS_MAX] = {[0] = 1, [4] = 1};
    static const size_t row[] = {4, 5, 12, 4};
    static const float dscore[] = {1.0f, -0.5f, 2.0f, 0.25f};
    struct rng rng;

    *loss = (struct loss){.temperature = 0.8f};
    if (c->head == HEAD_SCORE) {
        loss->row = row;
        loss->dscore = dscore;
        loss->n_row = 4;
        return;
    }
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (size_t n = 0; n < pack->N; n++) {
        do {
            target[n] = (int32_t)rng_below(&rng, (uint32_t)c->V);
        } while (banned[target[n]]);
        dlogp[n] = (float)rng_normal(&rng);
        dentropy[n] = (float)rng_normal(&rng);
    }
    loss->target = target;
    loss->dlogp = dlogp;
    loss->dentropy = dentropy;
    loss->banned = banned;
}

/* Central differences of the twin's loss along every parameter.  In double
 * with a step of 1e-5 they are good to about 1e-9. */
static void finite_differences(float *out, const struct model_config *c,
                               const float *params, const struct pack *pack,
                               const struct loss *loss)
{
    size_t n = params_count(c);
    double *w = doubles(params, n);
    double step = 1e-5;

    for (size_t i = 0; i < n; i++) {
        double w0 = w[i];
        double up;
        double down;

        w[i] = w0 + step;
        up = model_ref_loss(c, w, pack, loss);
        w[i] = w0 - step;
        down = model_ref_loss(c, w, pack, loss);
        w[i] = w0;
        out[i] = (float)((up - down) / (2 * step));
    }
    mem_free(w);
}

static void test_backward(void **state)
{
    struct rig_pack p;

    (void)state;
    some_pack(&p);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct model_config c = shape(s);
        size_t n = params_count(&c);
        float *got = mem_calloc(n, sizeof *got);
        float *want = mem_calloc(n, sizeof *want);
        float *zero = mem_calloc(n, sizeof *zero);
        struct model m;
        struct loss loss;

        rig_model(&m, &c, 20 + s);
        some_loss(&loss, &c, &p.pack);
        rig_gradient(got, &m, &p.pack, &loss);
        finite_differences(want, &c, m.params, &p.pack, &loss);
        for (size_t i = 0; i < params_tensors(&c); i++) {
            struct param_view view = params_view(&c, i);
            size_t size = view.rows * view.cols;
            double error =
                rig_relative(got + view.offset, want + view.offset, size);

            /* A bias of all keys moves a query's scores together, which
             * softmax does not see; but rotary positions turn it apart. */
            if (view.kind == PARAM_K_BIAS && arch_get(c.arch)->is_learned) {
                assert_true(rig_distance(got + view.offset, zero, size) <=
                            RIG_ROUNDING_GRADIENT);
                continue;
            }
            if (!(error <= RIG_ROUNDING_GRADIENT))
                fail_msg("shape %zu, %s: gradient off by %.2g", s, view.name,
                         error);
            /* The check means something: no gradient vanishes. */
            assert_true(rig_distance(want + view.offset, zero, size) > 1e-3);
        }
        mem_free(got);
        mem_free(want);
        mem_free(zero);
        model_free(&m);
    }
}

/* A score head on top of a language model's trunk, whose states stay. */
static void test_score_of_language_model(void **state)
{
    struct rig_pack p;

    (void)state;
    some_pack(&p);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct model_config c = shape(s);
        size_t n = p.pack.N * c.C;
        float *before = mem_calloc(n, sizeof *before);
        float *after = mem_calloc(n, sizeof *after);
        struct model m, score;
        struct err err = {0};

        rig_model(&m, &c, 40 + s);
        assert_int_equal(model_clone_as_score(&score, &m, &err), OK);
        assert_int_equal(score.config.head, HEAD_SCORE);
        for (size_t i = 0; i < c.C; i++)
            assert_true(model_score(&score)[i] == 0);
        rig_hidden(before, &m, &p.pack, false);
        rig_hidden(after, &score, &p.pack, false);
        assert_memory_equal(before, after, n * sizeof *before);
        mem_free(before);
        mem_free(after);
        model_free(&m);
        model_free(&score);
    }
}

/* Gradients are added, not set. */
static void test_backward_accumulates(void **state)
{
    struct model_config c = rig_config();
    size_t n = params_count(&c);
    float *a = mem_calloc(n, sizeof *a);
    float *b = mem_calloc(n, sizeof *b);
    float *both = mem_calloc(n, sizeof *both);
    static const int32_t one[] = {3, 5, 1, 9, 2};
    static const int32_t two[] = {10, 3, 3, 0, 8, 6, 1};
    static const int32_t target[] = {2, 3, 5, 6, 7, 8, 9, 10, 1, 2, 3, 5};
    static const float dlogp[] = {1, 2, -1, 0.5f, 3, 1, 1, -2, 1, 0.3f, 1, 1};
    struct loss loss = {.target = target, .dlogp = dlogp, .temperature = 1};
    struct rig_pack p;
    struct model m;

    (void)state;
    rig_model(&m, &c, 3);
    rig_pack_init(&p);
    rig_pack_add(&p, one, 5);
    rig_gradient(a, &m, &p.pack, &loss);
    rig_pack_add(&p, two, 7);
    rig_gradient(both, &m, &p.pack, &loss);
    rig_pack_init(&p);
    rig_pack_add(&p, two, 7);
    loss.target += 5;
    loss.dlogp += 5;
    rig_gradient(b, &m, &p.pack, &loss);
    for (size_t i = 0; i < n; i++)
        a[i] += b[i];
    /* Packed and apart differ only in the order of float sums. */
    assert_true(rig_relative(both, a, n) <= 2 * RIG_ROUNDING);
    mem_free(a);
    mem_free(b);
    mem_free(both);
    model_free(&m);
}

/* A sequence does not see its neighbours in the pack. */
static void test_packed_is_separate(void **state)
{
    struct model_config c = rig_config();
    struct rig_pack all;
    struct model m;
    float together[RIG_TOKENS_MAX * 8];

    (void)state;
    rig_model(&m, &c, 4);
    some_pack(&all);
    rig_hidden(together, &m, &all.pack, true);
    for (size_t s = 0; s < all.pack.n_seq; s++) {
        size_t begin = all.start[s];
        size_t len = all.start[s + 1] - begin;
        float alone[RIG_TOKENS_MAX * 8];
        struct rig_pack p;

        rig_pack_init(&p);
        rig_pack_add(&p, all.token + begin, len);
        rig_hidden(alone, &m, &p.pack, true);
        assert_true(rig_distance(alone, together + begin * c.C, len * c.C) <=
                    2 * RIG_ROUNDING);
    }
    model_free(&m);
}

/* The same bits with and without the backward pass's memory. */
static void test_inference_is_training(void **state)
{
    struct rig_pack p;

    (void)state;
    some_pack(&p);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct model_config c = shape(s);
        float a[RIG_TOKENS_MAX * 8] = {0};
        float b[RIG_TOKENS_MAX * 8] = {0};
        struct model m;

        rig_model(&m, &c, 5);
        rig_hidden(a, &m, &p.pack, true);
        rig_hidden(b, &m, &p.pack, false);
        assert_memory_equal(a, b, p.pack.N * c.C * sizeof *a);
        model_free(&m);
    }
}

static enum status forward_only(void *ctx, struct arena *arena, struct err *err)
{
    const struct rig_pack *p = ctx;
    struct model_config c = rig_config();
    struct activations a;
    struct model m;
    enum status status;

    TRY(model_create(&m, &c, err));
    status = activations_place(&a, &m, p->pack.N, false, arena, err);
    if (status == OK)
        status = transformer_forward(&a, &m, &p->pack, arena, err);
    model_free(&m);
    return status;
}

static void test_bad_input(void **state)
{
    struct rig_pack p;
    struct err err = {0};

    (void)state;
    some_pack(&p);
    assert_int_equal(rig_run(forward_only, &p, &err), OK);
    p.token[3] = 11;
    assert_int_equal(rig_run(forward_only, &p, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "11"));
    p.token[3] = -1;
    assert_int_equal(rig_run(forward_only, &p, &err), ERR_MISMATCH);
    p.token[3] = 0;
    p.position[12] = 32;
    assert_int_equal(rig_run(forward_only, &p, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "32"));
    p.position[12] = -1;
    assert_int_equal(rig_run(forward_only, &p, &err), ERR_MISMATCH);
}

static void test_clone(void **state)
{
    struct model_config c = rig_config();
    struct err err = {0};
    struct model m;
    struct model copy;
    struct model score;
    size_t trunk;

    (void)state;
    rig_model(&m, &c, 6);
    m.banned = mem_calloc(c.V, 1);
    m.banned[4] = 1;
    assert_int_equal(model_clone(&copy, &m, &err), OK);
    assert_memory_equal(copy.params, m.params,
                        params_count(&c) * sizeof(float));
    assert_memory_equal(copy.banned, m.banned, c.V);
    assert_ptr_not_equal(copy.params, m.params);

    assert_int_equal(model_clone_as_score(&score, &m, &err), OK);
    trunk = params_offset(&c, PARAM_HEAD, 0);
    assert_int_equal(score.config.head, HEAD_SCORE);
    assert_int_equal(params_count(&score.config), trunk + c.C);
    assert_memory_equal(score.params, m.params, trunk * sizeof(float));
    for (size_t i = 0; i < c.C; i++)
        assert_true(score.params[trunk + i] == 0);
    model_free(&m);
    model_free(&copy);
    model_free(&score);
}

struct failing {
    const struct model *m;
    const struct pack *pack;
    long n; // which allocation fails
};

static enum status training_step(void *ctx, struct arena *arena,
                                 struct err *err)
{
    const struct failing *f = ctx;
    struct activations a;
    float *grad;
    enum status status;

    mem_fail_at(f->n);
    TRY_DONE(activations_place(&a, f->m, f->pack->N, true, arena, err));
    TRY_DONE(transformer_forward(&a, f->m, f->pack, arena, err));
    TRY_DONE(ARENA_NEW(arena, grad, params_count(&f->m->config), err));
    memset(grad, 0, params_count(&f->m->config) * sizeof *grad);
    /* Any numbers will do as dhidden. */
    TRY_DONE(transformer_backward(grad, &a, f->m, f->pack, a.last, arena, err));
done:
    mem_fail_at(-1);
    return status;
}

/* Each allocation that fails is reported and leaks nothing. */
static void test_memory_failures(void **state)
{
    struct model_config c = rig_config();
    enum status status;
    struct rig_pack p;
    struct model m;
    long n;
    int failures = 0;

    (void)state;
    some_pack(&p);
    c.F = 2000; // so that arenas need more than their first block
    rig_model(&m, &c, 7);
    for (n = 0, status = ERR_MEMORY; status != OK; n++) {
        struct err err = {0};
        struct model copy = {0};

        mem_fail_at(n);
        status = model_clone(&copy, &m, &err);
        mem_fail_at(-1);
        assert_true(status == OK || status == ERR_MEMORY);
        model_free(&copy);
    }
    assert_true(n >= 3);
    /* An arena tries a smaller block before it gives up, so not every failure
     * is the caller's. */
    for (n = 0; n < 8; n++) {
        struct failing f = {&m, &p.pack, n};
        struct err err = {0};

        status = rig_run(training_step, &f, &err);
        assert_true(status == OK || status == ERR_MEMORY);
        failures += status != OK;
    }
    assert_true(failures >= 1);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_score_of_language_model),
        cmocka_unit_test(test_backward_accumulates),
        cmocka_unit_test(test_packed_is_separate),
        cmocka_unit_test(test_inference_is_training),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

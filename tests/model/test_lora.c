/*
 * Adapters: what a model with one computes, and its gradients.
 *
 * With W' = W + s B A the chain rule gives the adapter's gradients from that
 * of the merged matrix, which other tests hold to finite differences:
 *     dB = s dW' A^T,   dA = s B^T dW'
 */
#include "rig.h"

#include <string.h>

static const struct lora_config everything = {
    .rank = 3, .alpha = 6, .targets = LORA_ALL};

/* A model with an adapter whose B is not zero, so that every part counts. */
static void adapted(struct model *out, const struct model_config *c,
                    const struct lora_config *l)
{
    struct err err = {0};
    struct rng rng;

    rig_model(out, c, 5);
    float *score = NULL;
    if (c->head == HEAD_SCORE)
        score = out->params + params_offset(c, PARAM_SCORE, 0);
    assert_int_equal(model_adapt(out, l, 9, &err), OK);
    rng_init(&rng, 3, RNG_INIT, 77, 0);
    for (size_t i = 0; i < out->lora->n; i++)
        out->lora->params[i] += (float)(0.2 * rng_normal(&rng));
    if (score != NULL)
        memcpy(model_score(out), score, c->C * sizeof *score);
}

static void make_pack(struct rig_pack *p)
{
    static const int32_t one[] = {3, 1, 4, 1, 5, 9}, two[] = {2, 6};

    rig_pack_init(p);
    rig_pack_add(p, one, 6);
    rig_pack_add(p, two, 2);
}

static void test_new_adapter_changes_nothing(void **state)
{
    struct model_config c = rig_config();
    struct rig_pack p;
    struct model base, policy;
    struct err err = {0};
    float before[8 * 8], after[8 * 8];

    (void)state;
    make_pack(&p);
    rig_model(&base, &c, 5);
    assert_int_equal(model_share(&policy, &base, HEAD_LM, &err), OK);
    assert_ptr_equal(policy.params, base.params);
    assert_int_equal(model_adapt(&policy, &everything, 1, &err), OK);
    rig_hidden(before, &base, &p.pack, false);
    rig_hidden(after, &policy, &p.pack, false);
    assert_memory_equal(before, after, sizeof before);

    /* Training the adapter leaves the base, and so the reference, as it is. */
    for (size_t i = 0; i < policy.lora->n; i++)
        policy.lora->params[i] += 0.1f;
    rig_hidden(after, &base, &p.pack, false);
    assert_memory_equal(before, after, sizeof before);
    rig_hidden(after, &policy, &p.pack, false);
    assert_true(rig_distance(before, after, 64) > 1e-3);
    model_free(&policy);
    model_free(&base);
}

static void test_merged_is_the_same(void **state)
{
    struct model_config c = rig_config();
    struct rig_pack p;
    struct model m;
    struct err err = {0};
    float apart[8 * 8], merged[8 * 8];

    (void)state;
    make_pack(&p);
    adapted(&m, &c, &everything);
    rig_hidden(apart, &m, &p.pack, false);
    assert_int_equal(model_merge(&m, &err), OK);
    assert_null(m.lora);
    rig_hidden(merged, &m, &p.pack, false);
    assert_true(rig_relative(apart, merged, 64) <= 2 * RIG_ROUNDING);
    model_free(&m);
}

/* dA and dB of one module from dW'. */
static void expect(float *dA, float *dB, const float *dW, const float *A,
                   const float *B, size_t M, size_t K, size_t r, double s)
{
    for (size_t i = 0; i < r; i++)
        for (size_t k = 0; k < K; k++) {
            double sum = 0;
            for (size_t m = 0; m < M; m++)
                sum += s * (double)B[m * r + i] * (double)dW[m * K + k];
            dA[i * K + k] = (float)sum;
        }
    for (size_t m = 0; m < M; m++)
        for (size_t i = 0; i < r; i++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += s * (double)dW[m * K + k] * (double)A[i * K + k];
            dB[m * r + i] = (float)sum;
        }
}

static void check_gradient(const struct model_config *c,
                           const struct lora_config *l, const struct loss *loss)
{
    struct rig_pack p;
    struct model m, whole;
    struct err err = {0};
    size_t r = (size_t)l->rank;

    make_pack(&p);
    adapted(&m, c, l);
    assert_int_equal(model_clone(&whole, &m, &err), OK);
    assert_int_equal(model_merge(&whole, &err), OK);
    float *got = mem_calloc(model_trainable_count(&m), sizeof *got);
    float *dW = mem_calloc(params_count(c), sizeof *dW);
    float *want = mem_calloc(model_trainable_count(&m), sizeof *want);
    rig_gradient(got, &m, &p.pack, loss);
    rig_gradient(dW, &whole, &p.pack, loss);
    for (size_t layer = 0; layer < c->L; layer++)
        for (enum lora_module i = 0; i < LORA_MODULES; i++) {
            if ((l->targets >> i & 1) == 0)
                continue;
            struct lora_shape s = lora_shape(c, i);
            size_t at = lora_offset(l, c, i, layer);
            const float *A = m.lora->params + at;
            expect(want + at, want + at + r * s.K,
                   dW + params_offset(c, s.kind, layer), A, A + r * s.K, s.M,
                   s.K, r, lora_scale(l));
        }
    if (c->head == HEAD_SCORE)
        memcpy(want + lora_score_offset(l, c),
               dW + params_offset(c, PARAM_SCORE, 0), c->C * sizeof *want);
    for (size_t i = 0; i < model_trainable_tensors(&m); i++) {
        struct param_view v = model_trainable_view(&m, i);
        double off =
            rig_relative(got + v.offset, want + v.offset, v.rows * v.cols);
        if (!(off <= RIG_ROUNDING_GRADIENT))
            fail_msg("%s: off by %.2g", v.name, off);
    }
    mem_free(got);
    mem_free(want);
    mem_free(dW);
    model_free(&whole);
    model_free(&m);
}

static void test_gradients(void **state)
{
    static const int32_t target[8] = {1, 4, 1, 5, 9, 2, 6, 5};
    static const float dlogp[8] = {1, -0.5f, 0.3f, 1, 0, 0.7f, -1, 0.2f};
    static const size_t row[2] = {5, 7};
    static const float dscore[2] = {1, -0.6f};
    struct model_config c = rig_config();
    struct loss lm = {.target = target, .dlogp = dlogp, .temperature = 1};
    struct loss score = {.row = row, .dscore = dscore, .n_row = 2};
    struct lora_config some = {.rank = 2,
                               .alpha = 3,
                               .rslora = true,
                               .targets = 1u << LORA_Q | 1u << LORA_V |
                                          1u << LORA_DOWN};

    (void)state;
    check_gradient(&c, &everything, &lm);
    check_gradient(&c, &some, &lm);
    c.head = HEAD_SCORE;
    check_gradient(&c, &everything, &score);
    check_gradient(&c, &some, &score);
}

/* Modules under their own names, fused and with biases beside them. */
static void test_architectures(void **state)
{
    static const int32_t target[8] = {1, 4, 1, 5, 9, 2, 6, 5};
    static const float dlogp[8] = {1, -0.5f, 0.3f, 1, 0, 0.7f, -1, 0.2f};
    struct loss lm = {.target = target, .dlogp = dlogp, .temperature = 1};

    (void)state;
    for (size_t i = 0; i < arch_count(); i++) {
        struct model_config c = rig_config_of(arch_get(i)->model_type);
        struct lora_config l = everything;
        struct err err = {0};

        assert_int_equal(lora_parse_targets(&l.targets, "all-linear", &c, &err),
                         OK);
        check_gradient(&c, &l, &lm);
        if (!arch_get(i)->files->is_fused)
            continue;
        assert_int_equal(
            lora_parse_targets(&l.targets, "c_attn,c_proj", &c, &err), OK);
        assert_int_equal(l.targets,
                         1u << LORA_Q | 1u << LORA_O | 1u << LORA_DOWN);
        check_gradient(&c, &l, &lm);
        assert_int_equal(lora_parse_targets(&l.targets, "q_proj", &c, &err),
                         ERR_ARG);
    }
}

/* Frozen in bf16, a model computes what the same weights in float do, and its
 * adapter's gradients are those on them. */
static void check_frozen(struct model_config c)
{
    static const int32_t target[8] = {1, 4, 1, 5, 9, 2, 6, 5};
    static const float dlogp[8] = {1, -0.5f, 0.3f, 1, 0, 0.7f, -1, 0.2f};
    struct loss loss = {.target = target, .dlogp = dlogp, .temperature = 1};
    struct lora_config l = everything;
    struct rig_pack p;
    struct model narrow, wide;
    struct err err = {0};
    float a[8 * 11], b[8 * 11];

    assert_int_equal(lora_parse_targets(&l.targets, "all-linear", &c, &err),
                     OK);
    make_pack(&p);
    rig_model(&narrow, &c, 5);
    rig_logits(b, &narrow, &p.pack);
    assert_int_equal(model_freeze(&narrow, &err), OK);
    assert_null(narrow.params);
    rig_logits(a, &narrow, &p.pack);
    /* A weight rounded to 8 bits: logits move, by about 2^-8 of their size. */
    assert_true(rig_relative(a, b, 88) > 1e-4);
    assert_true(rig_relative(a, b, 88) < 3e-2);
    assert_int_equal(model_clone(&wide, &narrow, &err), OK);
    assert_int_equal(model_merge(&wide, &err), OK);
    assert_null(wide.narrow);
    rig_logits(b, &wide, &p.pack);
    assert_true(rig_relative(a, b, 88) <= 2 * RIG_ROUNDING);

    assert_int_equal(model_adapt(&narrow, &l, 1, &err), OK);
    assert_int_equal(model_adapt(&wide, &l, 1, &err), OK);
    size_t n = narrow.lora->n;
    for (size_t i = 0; i < n; i++) {
        narrow.lora->params[i] += 0.01f * (float)(i % 7);
        wide.lora->params[i] = narrow.lora->params[i];
    }
    float *got = mem_calloc(n, sizeof *got), *want = mem_calloc(n, sizeof *got);
    rig_gradient(got, &narrow, &p.pack, &loss);
    rig_gradient(want, &wide, &p.pack, &loss);
    assert_true(rig_relative(got, want, n) <= RIG_ROUNDING_GRADIENT);
    assert_int_equal(model_merge(&narrow, &err), OK);
    assert_int_equal(model_merge(&wide, &err), OK);
    assert_memory_equal(narrow.params, wide.params,
                        params_count(&c) * sizeof *got);
    assert_int_equal(model_into_score(&narrow, &err), OK);
    for (size_t i = 0; i < c.C; i++)
        assert_true(model_score(&narrow)[i] == 0);
    mem_free(got);
    mem_free(want);
    model_free(&narrow);
    model_free(&wide);
}

static void test_frozen(void **state)
{
    (void)state;
    for (size_t i = 0; i < arch_count(); i++)
        check_frozen(rig_config_of(arch_get(i)->model_type));
}

static void test_layout(void **state)
{
    struct model_config c = rig_config();
    struct lora_config l = {.rank = 2, .alpha = 4, .targets = LORA_ALL};
    size_t next = 0;

    (void)state;
    c.head = HEAD_SCORE;
    assert_int_equal(lora_tensors(&l, &c), c.L * 14 + 1);
    for (size_t i = 0; i < lora_tensors(&l, &c); i++) {
        struct param_view v = lora_view(&l, &c, i);
        assert_int_equal(v.offset, next);
        next += v.rows * v.cols;
    }
    assert_int_equal(next, lora_count(&l, &c));
    assert_string_equal(
        lora_view(&l, &c, 0).name,
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_string_equal(
        lora_view(&l, &c, 27).name,
        "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight");
    assert_string_equal(lora_view(&l, &c, 28).name,
                        "base_model.model.score.weight");
    l.targets = 1u << LORA_V;
    assert_string_equal(
        lora_view(&l, &c, 1).name,
        "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight");
    l.targets = 0;
    assert_int_equal(lora_count(&l, &c), c.C);
}

static void test_targets(void **state)
{
    struct model_config c = rig_config();
    struct err err = {0};
    unsigned targets = 0;

    (void)state;
    assert_int_equal(lora_parse_targets(&targets, "all-linear", &c, &err), OK);
    assert_int_equal(targets, LORA_ALL);
    assert_int_equal(lora_parse_targets(&targets, "q_proj,v_proj", &c, &err),
                     OK);
    assert_int_equal(targets, 1u << LORA_Q | 1u << LORA_V);
    assert_int_equal(lora_parse_targets(&targets, "q_proj,w_proj", &c, &err),
                     ERR_ARG);
    assert_non_null(strstr(err.text, "w_proj"));
    assert_int_equal(targets, 1u << LORA_Q | 1u << LORA_V);
    assert_int_equal(lora_parse_targets(&targets, "", &c, &err), ERR_ARG);
    struct lora_config bad = {.rank = 0, .alpha = 1};
    assert_int_equal(lora_check(&bad, &c, &err), ERR_ARG);
    bad = (struct lora_config){.rank = 1, .alpha = 0};
    assert_int_equal(lora_check(&bad, &c, &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_adapter_changes_nothing),
        cmocka_unit_test(test_merged_is_the_same),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_architectures),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parameter table: complete, gapless, named as Hugging Face names it. */
#include "rig.h"

#include <math.h>
#include <string.h>

static struct model_config variant(size_t i)
{
    struct model_config c = rig_config();

    c.D = 6; // so that H*D differs from C
    c.tied = i == 1;
    c.head = i == 2 ? HEAD_SCORE : HEAD_LM;
    return c;
}

/* Tensors lie one after the other, without gap or overlap, to the end. */
static void test_layout(void **state)
{
    static const size_t tensors[] = {1 + 2 * 9 + 2, 1 + 2 * 9 + 1,
                                     1 + 2 * 9 + 2};
    (void)state;
    for (size_t v = 0; v < 3; v++) {
        struct model_config c = variant(v);
        size_t next = 0;

        assert_int_equal(params_tensors(&c), tensors[v]);
        for (size_t i = 0; i < params_tensors(&c); i++) {
            struct param_view view = params_view(&c, i);

            assert_int_equal(view.offset, next);
            assert_int_equal(params_offset(&c, view.kind, view.layer), next);
            next += view.rows * view.cols;
        }
        assert_int_equal(params_count(&c), next);
    }
}

/* What the decoder's joint products rely on. */
static void test_neighbours(void **state)
{
    struct model_config c = variant(0);

    (void)state;
    for (size_t l = 0; l < c.L; l++) {
        size_t q = params_offset(&c, PARAM_Q, l);
        size_t gate = params_offset(&c, PARAM_GATE, l);

        assert_int_equal(params_offset(&c, PARAM_K, l), q + c.H * c.D * c.C);
        assert_int_equal(params_offset(&c, PARAM_V, l),
                         q + (c.H + c.G) * c.D * c.C);
        assert_int_equal(params_offset(&c, PARAM_UP, l), gate + c.F * c.C);
    }
}

static void test_names_and_shapes(void **state)
{
    static const struct {
        const char *name;
        size_t rows, cols;
        bool is_vector, decay;
    } want[] = {
        {"model.embed_tokens.weight", 11, 8, false, true},
        {"model.layers.1.input_layernorm.weight", 1, 8, true, false},
        {"model.layers.1.self_attn.q_proj.weight", 12, 8, false, true},
        {"model.layers.1.self_attn.k_proj.weight", 6, 8, false, true},
        {"model.layers.1.self_attn.v_proj.weight", 6, 8, false, true},
        {"model.layers.1.self_attn.o_proj.weight", 8, 12, false, true},
        {"model.layers.1.post_attention_layernorm.weight", 1, 8, true, false},
        {"model.layers.1.mlp.gate_proj.weight", 12, 8, false, true},
        {"model.layers.1.mlp.up_proj.weight", 12, 8, false, true},
        {"model.layers.1.mlp.down_proj.weight", 8, 12, false, true},
        {"model.norm.weight", 1, 8, true, false},
        {"lm_head.weight", 11, 8, false, true},
        {"score.weight", 1, 8, false, true},
    };
    size_t found = 0;

    (void)state;
    for (size_t v = 0; v < 3; v++) {
        struct model_config c = variant(v);

        for (size_t i = 0; i < params_tensors(&c); i++) {
            struct param_view view = params_view(&c, i);

            for (size_t k = 0; k < sizeof want / sizeof want[0]; k++) {
                if (strcmp(want[k].name, view.name) != 0)
                    continue;
                assert_int_equal(view.kind, k);
                assert_int_equal(view.rows, want[k].rows);
                assert_int_equal(view.cols, want[k].cols);
                assert_int_equal(view.is_vector, want[k].is_vector);
                assert_int_equal(view.decay, want[k].decay);
                found++;
            }
        }
    }
    /* 11 kinds in every variant, a head in the first, a score in the last. */
    assert_int_equal(found, 3 * 11 + 2);
}

/* The sample deviation of n normals lies within 5 / sqrt(2n) of theirs,
 * relatively, but for one case in a million. */
static void test_init_deviations(void **state)
{
    struct model_config c = rig_config();
    static const double want[PARAM_KINDS] = {
        [PARAM_EMBED] = 0.64, [PARAM_Q] = 0.25,      [PARAM_K] = 0.25,
        [PARAM_V] = 0.25,     [PARAM_O] = 0.125,     [PARAM_GATE] = 0.25,
        [PARAM_UP] = 0.25,    [PARAM_DOWN] = 0.0625, [PARAM_HEAD] = 0.08,
    };
    struct err err = {0};
    struct model m;

    (void)state;
    c.C = 16;
    c.H = 4;
    c.F = 64;
    c.V = 101;
    assert_int_equal(model_create(&m, &c, &err), OK);
    params_init(m.params, &c, 42);
    for (size_t i = 0; i < params_tensors(&c); i++) {
        struct param_view view = params_view(&c, i);
        size_t n = view.rows * view.cols;
        double square = 0;

        for (size_t j = 0; j < n; j++) {
            double w = (double)m.params[view.offset + j];

            square += w * w;
            if (view.is_vector)
                assert_true(w == 1);
        }
        if (!view.is_vector)
            assert_true(fabs(sqrt(square / (double)n) / want[view.kind] - 1) <=
                        5 / sqrt(2 * (double)n));
    }
    model_free(&m);
}

/* Every tensor has its own stream: the trunk's weights do not depend on what
 * head is on top, and no two tensors are alike. */
static void test_init_streams(void **state)
{
    struct model_config lm = rig_config();
    struct model_config score = lm;
    float *a;
    float *b;
    size_t trunk = params_offset(&lm, PARAM_HEAD, 0);

    (void)state;
    score.head = HEAD_SCORE;
    a = mem_calloc(params_count(&lm), sizeof *a);
    b = mem_calloc(params_count(&lm), sizeof *b);
    params_init(a, &lm, 1);
    params_init(b, &score, 1);
    assert_memory_equal(a, b, trunk * sizeof *a);
    assert_memory_not_equal(a + params_offset(&lm, PARAM_GATE, 0),
                            a + params_offset(&lm, PARAM_UP, 0),
                            lm.F * lm.C * sizeof *a);
    assert_memory_not_equal(a + params_offset(&lm, PARAM_Q, 0),
                            a + params_offset(&lm, PARAM_Q, 1),
                            lm.H * lm.D * lm.C * sizeof *a);
    params_init(b, &lm, 2);
    assert_memory_not_equal(a, b, trunk * sizeof *a);
    mem_free(a);
    mem_free(b);
}

/* Every parameter lies where alpha says, between two models of one shape. */
static void test_interpolation(void **state)
{
    static const double alphas[] = {0, 0.25, 1};
    struct model_config c = rig_config();
    struct err err;
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct model m, start, reference;
        double a = alphas[k];
        rig_model(&m, &c, 3);
        rig_model(&start, &c, 3);
        rig_model(&reference, &c, 4);
        assert_int_equal(model_interpolate(&m, &reference, a, &err), OK);
        for (size_t i = 0; i < params_count(&c); i++) {
            double x = (double)reference.params[i], y = (double)start.params[i];
            assert_true(m.params[i] == (float)((1 - a) * x + a * y));
        }
        model_free(&reference);
        c.F++;
        rig_model(&reference, &c, 4);
        assert_int_equal(model_interpolate(&m, &reference, a, &err),
                         ERR_MISMATCH);
        c.F--;
        model_free(&m);
        model_free(&start);
        model_free(&reference);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_names_and_shapes),
        cmocka_unit_test(test_init_deviations),
        cmocka_unit_test(test_init_streams),
        cmocka_unit_test(test_interpolation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

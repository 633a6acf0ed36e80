/* The score head's two functions on numbers one can check by hand; its place
 * in the whole model is test_transformer's. */
#include "rig.h"

#include "model/heads.h"

static const size_t row[] = {2, 0, 2};

static void score_model(struct model *m)
{
    struct model_config c = rig_config();
    struct err err = {0};
    size_t at;

    c.C = 3;
    c.head = HEAD_SCORE;
    assert_int_equal(model_create(m, &c, &err), OK);
    at = params_offset(&c, PARAM_SCORE, 0);
    m->params[at] = 1;
    m->params[at + 1] = -2;
    m->params[at + 2] = 0.5f;
}

static const float hidden[] = {1, 2, 4, 9, 9, 9, -1, 0, 8};

static void test_forward(void **state)
{
    struct model m;
    float out[3];

    (void)state;
    score_model(&m);
    head_score_forward(out, &m, hidden, row, 3);
    assert_true(out[0] == 3 && out[1] == -1 && out[2] == 3);
    model_free(&m);
}

/* Rows may repeat, and gradients are added to what is there. */
static void test_backward(void **state)
{
    static const float dout[] = {2, 4, -1};
    static const float want_dhidden[] = {14, 2, 12, 10, 10, 10, 11, 8, 10.5f};
    static const float want_score[] = {2 * -1 + 4 * 1 + 1, 4 * 2,
                                       2 * 8 + 4 * 4 - 8};
    float dhidden[] = {10, 10, 10, 10, 10, 10, 10, 10, 10};
    struct model m;
    float *grad;
    size_t at;

    (void)state;
    score_model(&m);
    at = params_offset(&m.config, PARAM_SCORE, 0);
    grad = mem_calloc(params_count(&m.config), sizeof *grad);
    grad[0] = 5;
    head_score_backward(dhidden, grad, &m, hidden, row, dout, 3);
    for (size_t i = 0; i < 9; i++)
        assert_true(dhidden[i] == want_dhidden[i]);
    for (size_t i = 0; i < 3; i++)
        assert_true(grad[at + i] == want_score[i]);
    assert_true(grad[0] == 5);
    /* A frozen head takes no gradient but passes it on. */
    head_score_backward(dhidden, NULL, &m, hidden, row, dout, 3);
    assert_true(dhidden[0] == 18);
    mem_free(grad);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

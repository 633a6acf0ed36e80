/* config.json: both spellings of transformers, a round trip, and refusals
 * that name the key. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static enum status parse(struct model_config *out, const char *text,
                         struct err *err)
{
    struct json *json = NULL;
    enum status status;

    assert_int_equal(json_parse(&json, text, strlen(text), "config.json", err),
                     OK);
    status = model_config_parse(out, json, "config.json", err);
    json_free(json);
    return status;
}

#define BASE                                                                   \
    "\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\","       \
    "\"vocab_size\":413,\"hidden_size\":64,\"num_hidden_layers\":2,"           \
    "\"num_attention_heads\":4,\"intermediate_size\":160,"                     \
    "\"max_position_embeddings\":96"

static void test_version_4(void **state)
{
    struct model_config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        parse(&c,
              "{" BASE ",\"rope_theta\":500.5,\"rope_scaling\":null,"
              "\"rms_norm_eps\":1e-05,\"torch_dtype\":\"bfloat16\","
              "\"num_key_value_heads\":2,\"head_dim\":8,\"hidden_act\":"
              "\"silu\",\"tie_word_embeddings\":true,\"eos_token_id\":[7],"
              "\"bos_token_id\":null,\"pad_token_id\":0,\"sliding_window\":"
              "null,\"pretraining_tp\":1,\"attention_bias\":false}",
              &err),
        OK);
    assert_int_equal(c.V, 413);
    assert_int_equal(c.C, 64);
    assert_int_equal(c.L, 2);
    assert_int_equal(c.H, 4);
    assert_int_equal(c.G, 2);
    assert_int_equal(c.D, 8);
    assert_int_equal(c.F, 160);
    assert_int_equal(c.T_max, 96);
    assert_true(c.rope_theta == 500.5 && c.norm_eps == 1e-5);
    assert_true(c.tied && c.head == HEAD_LM);
    assert_int_equal(c.eos, 7);
    assert_int_equal(c.bos, -1);
    assert_int_equal(c.pad, 0);
}

static void test_version_5_and_defaults(void **state)
{
    struct model_config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse(&c,
                           "{" BASE ",\"dtype\":\"float32\","
                           "\"rope_parameters\":{\"rope_theta\":777,"
                           "\"rope_type\":\"default\"}}",
                           &err),
                     OK);
    assert_true(c.rope_theta == 777 && c.norm_eps == 1e-6);
    assert_true(c.G == 4 && c.D == 16 && !c.tied);
    assert_true(c.bos == -1 && c.eos == -1 && c.pad == -1);
}

static void check_same(const struct model_config *a,
                       const struct model_config *b)
{
    assert_true(a->arch == b->arch);
    assert_true(a->V == b->V && a->C == b->C && a->L == b->L);
    assert_true(a->H == b->H && a->G == b->G && a->D == b->D);
    assert_true(a->F == b->F && a->T_max == b->T_max);
    assert_true(arch_get(a->arch)->is_learned ||
                a->rope_theta == b->rope_theta);
    assert_true(a->stretch.kind == b->stretch.kind);
    assert_true(a->stretch.factor == b->stretch.factor);
    assert_true(a->stretch.low == b->stretch.low);
    assert_true(a->stretch.high == b->stretch.high);
    assert_true(a->stretch.original == b->stretch.original);
    assert_true(a->norm_eps == b->norm_eps);
    assert_true(a->tied == b->tied && a->head == b->head);
    assert_true(a->attention_bias == b->attention_bias);
    assert_true(a->bos == b->bos && a->eos == b->eos && a->pad == b->pad);
    assert_true(a->n_stop == b->n_stop && a->stop[0] == b->stop[0]);
}

static void check_round_trip(const struct model_config *c)
{
    struct model_config back;
    struct err err = {0};
    struct buf text;

    buf_init(&text, 1 << 16);
    model_config_write(&text, c, TENSOR_F32);
    assert_int_equal(buf_status(&text, &err), OK);
    if (parse(&back, buf_text(&text), &err) != OK)
        fail_msg("%s", err.text);
    check_same(c, &back);
    buf_free(&text);
}

/* Every row of the table, under both heads. */
static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * arch_count(); i++) {
        const struct arch *arch = arch_get(i / 2);
        struct model_config c = rig_config_of(arch->model_type);

        c.head = i % 2 == 0 ? HEAD_LM : HEAD_SCORE;
        c.tied = i % 2 == 1;
        c.rope_theta = 12345.678;
        c.norm_eps = 3e-6;
        c.bos = 3;
        c.pad = -1;
        check_round_trip(&c);
        c.attention_bias = arch->may_bias;
        c.n_stop = 1;
        c.stop[0] = 7;
        if (!arch->is_learned)
            c.stretch = (struct rope_stretch){ROPE_LLAMA3, 8, 1, 4, 16};
        check_round_trip(&c);
        if (!arch->is_learned)
            c.stretch =
                (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 2.5};
        check_round_trip(&c);
        /* Only a score has a slope by length. */
        if (c.head == HEAD_SCORE) {
            c.length = (struct score_length){-0.01234567890123456, 40.5};
            check_round_trip(&c);
        }
    }
}

static void test_stretched_positions(void **state)
{
    static const char *const text[] = {
        "{" BASE ",\"rope_theta\":5e5,\"rope_scaling\":{\"factor\":8.0,"
        "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
        "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}}",
        "{" BASE ",\"rope_parameters\":{\"factor\":8.0,\"rope_theta\":5e5,"
        "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
        "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}}",
    };
    struct model_config c;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(parse(&c, text[i], &err), OK);
        assert_true(c.rope_theta == 5e5);
        assert_int_equal(c.stretch.kind, ROPE_LLAMA3);
        assert_true(c.stretch.factor == 8 && c.stretch.low == 1);
        assert_true(c.stretch.high == 4 && c.stretch.original == 8192);
    }
    assert_int_equal(parse(&c,
                           "{" BASE ",\"rope_scaling\":{\"type\":\"linear\","
                           "\"factor\":2}}",
                           &err),
                     OK);
    assert_int_equal(c.stretch.kind, ROPE_LINEAR);
    assert_true(c.stretch.factor == 2);
}

#define GPT2                                                                   \
    "\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\","         \
    "\"vocab_size\":50,\"n_embd\":12,\"n_layer\":2,\"n_positions\":64"

static void test_gpt2(void **state)
{
    struct model_config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        parse(&c,
              "{" GPT2 ",\"n_head\":3,\"n_inner\":null,\"n_ctx\":64,"
              "\"activation_function\":\"gelu_new\",\"bos_token_id\":49,"
              "\"eos_token_id\":49,\"layer_norm_epsilon\":1e-05}",
              &err),
        OK);
    assert_true(c.tied && c.F == 48 && c.G == 3 && c.D == 4 && c.T_max == 64);
    assert_true(c.norm_eps == 1e-5 && c.eos == 49 && c.pad == -1);
    assert_int_equal(parse(&c, "{" GPT2 ",\"n_head\":5}", &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "n_embd"));
    assert_int_equal(
        parse(&c, "{" GPT2 ",\"n_head\":3,\"activation_function\":\"relu\"}",
              &err),
        ERR_MISMATCH);
    assert_non_null(strstr(err.text, "relu"));
    assert_int_equal(parse(&c,
                           "{" GPT2 ",\"n_head\":3,"
                           "\"scale_attn_by_inverse_layer_idx\":true}",
                           &err),
                     ERR_MISMATCH);
}

/* One of the sliding windows of each family, and what turns it off. */
static void test_windows(void **state)
{
#define REST                                                                   \
    "\"vocab_size\":413,\"hidden_size\":64,\"num_hidden_layers\":2,"           \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,"                     \
    "\"intermediate_size\":160,\"max_position_embeddings\":96"
#define MISTRAL                                                                \
    "{\"architectures\":[\"MistralForCausalLM\"],\"model_type\":"              \
    "\"mistral\"," REST
#define QWEN2                                                                  \
    "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\"," REST
    static const struct {
        const char *text;
        enum status status;
    } row[] = {
        {MISTRAL ",\"sliding_window\":null}", OK},
        {MISTRAL ",\"sliding_window\":4096}", ERR_MISMATCH},
        {MISTRAL "}", ERR_MISMATCH},
        {QWEN2 "}", OK},
        {QWEN2 ",\"sliding_window\":32768,\"use_sliding_window\":false}", OK},
        {QWEN2 ",\"sliding_window\":32768,\"use_sliding_window\":true}",
         ERR_MISMATCH},
        {QWEN2 ",\"layer_types\":[\"full_attention\",\"full_attention\"]}", OK},
        {QWEN2 ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]}",
         ERR_MISMATCH},
        {QWEN2 ",\"attention_bias\":true}", ERR_MISMATCH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model_config c;
        struct err err = {0};
        enum status status = parse(&c, row[i].text, &err);

        if (status != row[i].status)
            fail_msg("%s: status %d, \"%s\"", row[i].text, (int)status,
                     err.text);
    }
}

/* What is refused, and the word the message must hold. */
static const struct {
    const char *text;
    enum status status;
    const char *word;
} bad[] = {
    {"[]", ERR_FORMAT, "object"},
    {"{}", ERR_FORMAT, "model_type"},
    {"{\"model_type\":\"bert\"}", ERR_MISMATCH, "bert"},
    {"{\"model_type\":7}", ERR_MISMATCH, "model_type"},
    {"{\"model_type\":\"llama\"}", ERR_FORMAT, "vocab_size"},
    {"{" BASE ",\"hidden_act\":\"gelu\"}", ERR_MISMATCH, "gelu"},
    {"{" BASE ",\"attention_bias\":2}", ERR_MISMATCH, "attention_bias"},
    {"{" BASE ",\"mlp_bias\":true}", ERR_MISMATCH, "mlp_bias"},
    {"{" BASE ",\"sliding_window\":4096}", ERR_MISMATCH, "sliding_window"},
    {"{" BASE ",\"quantization_config\":{\"bits\":4}}", ERR_MISMATCH,
     "quantization_config"},
    {"{" BASE ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}",
     ERR_MISMATCH, "yarn"},
    {"{" BASE ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}}",
     ERR_FORMAT, "factor"},
    {"{" BASE ",\"rope_scaling\":7}", ERR_FORMAT, "rope_scaling"},
    {"{" BASE ",\"rope_scaling\":{\"rope_type\":3,\"factor\":2}}", ERR_FORMAT,
     "rope_scaling.rope_type is not a string"},
    {"{" BASE ",\"rope_scaling\":{\"type\":[\"linear\"],\"factor\":2}}",
     ERR_FORMAT, "rope_scaling.type is not a string"},
    {"{" BASE ",\"rope_scaling\":{\"rope_type\":null,\"type\":\"linear\","
     "\"factor\":2}}",
     ERR_FORMAT, "rope_scaling.rope_type is not a string"},
    {"{" BASE ",\"rope_parameters\":{\"rope_type\":{}}}", ERR_FORMAT,
     "rope_parameters.rope_type is not a string"},
    {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"llama3\"}}", ERR_FORMAT,
     "factor"},
    {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":8,"
     "\"low_freq_factor\":4,\"high_freq_factor\":4,"
     "\"original_max_position_embeddings\":8192}}",
     ERR_FORMAT, "low_freq_factor"},
    {"{" BASE ",\"layer_types\":[\"full_attention\",7]}", ERR_MISMATCH,
     "layer_types"},
    {"{" BASE ",\"num_key_value_heads\":3}", ERR_FORMAT, "multiple"},
    {"{" BASE ",\"num_key_value_heads\":0}", ERR_FORMAT, "num_key_value_heads"},
    {"{" BASE ",\"head_dim\":15}", ERR_FORMAT, "head_dim"},
    {"{" BASE ",\"head_dim\":99999}", ERR_FORMAT, "head_dim"},
    {"{" BASE ",\"rope_theta\":0}", ERR_FORMAT, "rope_theta"},
    {"{" BASE ",\"rope_theta\":\"1e4\"}", ERR_FORMAT, "rope_theta"},
    {"{" BASE ",\"rms_norm_eps\":[]}", ERR_FORMAT, "rms_norm_eps"},
    {"{" BASE ",\"rms_norm_eps\":0}", ERR_FORMAT, "rms_norm_eps"},
    {"{" BASE ",\"eos_token_id\":413}", ERR_FORMAT, "eos_token_id"},
    {"{" BASE ",\"eos_token_id\":[1,413]}", ERR_FORMAT, "eos_token_id"},
    {"{" BASE ",\"eos_token_id\":[1,[2]]}", ERR_FORMAT, "eos_token_id"},
    {"{" BASE ",\"eos_token_id\":[0,1,2,3,4,5,6,7,8,9]}", ERR_LIMIT,
     "eos_token_id"},
    {"{" BASE ",\"pad_token_id\":-2}", ERR_FORMAT, "pad_token_id"},
    {"{" BASE ",\"pad_token_id\":\"x\"}", ERR_FORMAT, "pad_token_id"},
    {"{\"model_type\":\"llama\",\"vocab_size\":1.5}", ERR_FORMAT, "vocab_size"},
    {"{\"model_type\":\"llama\",\"vocab_size\":1048577}", ERR_FORMAT,
     "vocab_size"},
};

#define SCORE                                                                  \
    "\"architectures\":[\"LlamaForSequenceClassification\"],\"model_type\":"   \
    "\"llama\",\"vocab_size\":413,\"hidden_size\":64,\"num_hidden_layers\":2," \
    "\"num_attention_heads\":4,\"intermediate_size\":160,"                     \
    "\"max_position_embeddings\":96,\"num_labels\":1"

/* Of a reward model alone, and bounded. */
static void test_length_gain(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        double gain;
    } row[] = {
        {"{" SCORE "}", OK, 0},
        {"{" SCORE ",\"plumb_length_gain\":null}", OK, 0},
        {"{" SCORE ",\"plumb_length_gain\":-0.25}", OK, -0.25},
        {"{" SCORE ",\"plumb_length_gain\":1e7}", ERR_FORMAT, 0},
        {"{" SCORE ",\"plumb_length_gain\":\"1\"}", ERR_FORMAT, 0},
        {"{" BASE ",\"plumb_length_gain\":0.25}", OK, 0},
        {"{" SCORE ",\"plumb_length_target\":0.5}", ERR_FORMAT, 0},
        {"{" SCORE ",\"plumb_length_target\":-20}", ERR_FORMAT, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model_config c = {.length = {9, 9}};
        struct err err = {0};
        enum status status = parse(&c, row[i].text, &err);

        if (status != row[i].status ||
            (status == OK && c.length.gain != row[i].gain) ||
            (status != OK && strstr(err.text, "plumb_length_") == NULL))
            fail_msg("%s: status %d, %g, \"%s\"", row[i].text, (int)status,
                     c.length.gain, err.text);
    }
}

static void test_refusals(void **state)
{

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_config c;
        struct err err = {0};
        enum status status = parse(&c, bad[i].text, &err);

        if (status != bad[i].status || strstr(err.text, bad[i].word) == NULL)
            fail_msg("%s: status %d, \"%s\"", bad[i].text, (int)status,
                     err.text);
    }
}

static void test_architectures(void **state)
{
    struct model_config c;
    struct err err = {0};
    char text[1024];
    static const struct {
        const char *name, *rest;
        enum status status;
    } row[] = {
        {"LlamaForSequenceClassification", ",\"id2label\":{\"0\":\"a\"}", OK},
        {"LlamaForSequenceClassification", ",\"num_labels\":1", OK},
        {"LlamaForSequenceClassification", "", ERR_MISMATCH},
        {"LlamaForSequenceClassification", ",\"num_labels\":3", ERR_MISMATCH},
        {"MistralForCausalLM", "", ERR_MISMATCH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"architectures\":[\"%s\"]%s,%s",
                       row[i].name, row[i].rest,
                       strchr(strchr("{" BASE "}", ',') - 1, ']') + 2);
        assert_int_equal(parse(&c, text, &err), row[i].status);
        if (row[i].status == OK)
            assert_int_equal(c.head, HEAD_SCORE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_4),
        cmocka_unit_test(test_version_5_and_defaults),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_stretched_positions),
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_length_gain),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

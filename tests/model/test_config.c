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

static void test_round_trip(void **state)
{
    (void)state;
    for (int head = 0; head < 2; head++) {
        struct model_config c = rig_config();
        struct model_config back;
        struct err err = {0};
        struct buf text;

        c.head = head == 0 ? HEAD_LM : HEAD_SCORE;
        c.tied = head == 1;
        c.rope_theta = 12345.678;
        c.norm_eps = 3e-6;
        c.bos = 3;
        c.pad = -1;
        buf_init(&text, 1 << 16);
        model_config_write(&text, &c);
        assert_int_equal(buf_status(&text, &err), OK);
        assert_int_equal(parse(&back, buf_text(&text), &err), OK);
        assert_true(back.V == c.V && back.C == c.C && back.L == c.L);
        assert_true(back.H == c.H && back.G == c.G && back.D == c.D);
        assert_true(back.F == c.F && back.T_max == c.T_max);
        assert_true(back.rope_theta == c.rope_theta);
        assert_true(back.norm_eps == c.norm_eps);
        assert_true(back.tied == c.tied && back.head == c.head);
        assert_true(back.bos == 3 && back.eos == 1 && back.pad == -1);
        buf_free(&text);
    }
}

/* What is refused, and the word the message must hold. */
static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        const char *word;
    } bad[] = {
        {"[]", ERR_FORMAT, "object"},
        {"{}", ERR_FORMAT, "model_type"},
        {"{\"model_type\":\"qwen2\"}", ERR_MISMATCH, "qwen2"},
        {"{\"model_type\":\"llama\"}", ERR_FORMAT, "vocab_size"},
        {"{" BASE ",\"hidden_act\":\"gelu\"}", ERR_MISMATCH, "gelu"},
        {"{" BASE ",\"attention_bias\":true}", ERR_MISMATCH, "attention_bias"},
        {"{" BASE ",\"mlp_bias\":true}", ERR_MISMATCH, "mlp_bias"},
        {"{" BASE ",\"sliding_window\":4096}", ERR_MISMATCH, "sliding_window"},
        {"{" BASE ",\"quantization_config\":{\"bits\":4}}", ERR_MISMATCH,
         "quantization_config"},
        {"{" BASE ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
         ERR_MISMATCH, "linear"},
        {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"llama3\"}}",
         ERR_MISMATCH, "llama3"},
        {"{" BASE ",\"num_key_value_heads\":3}", ERR_FORMAT, "multiple"},
        {"{" BASE ",\"num_key_value_heads\":0}", ERR_FORMAT,
         "num_key_value_heads"},
        {"{" BASE ",\"head_dim\":15}", ERR_FORMAT, "head_dim"},
        {"{" BASE ",\"head_dim\":99999}", ERR_FORMAT, "head_dim"},
        {"{" BASE ",\"rope_theta\":0}", ERR_FORMAT, "rope_theta"},
        {"{" BASE ",\"rope_theta\":\"1e4\"}", ERR_FORMAT, "rope_theta"},
        {"{" BASE ",\"rms_norm_eps\":[]}", ERR_FORMAT, "rms_norm_eps"},
        {"{" BASE ",\"rms_norm_eps\":0}", ERR_FORMAT, "rms_norm_eps"},
        {"{" BASE ",\"eos_token_id\":413}", ERR_FORMAT, "eos_token_id"},
        {"{" BASE ",\"eos_token_id\":[1,2]}", ERR_MISMATCH, "eos_token_id"},
        {"{" BASE ",\"pad_token_id\":-2}", ERR_FORMAT, "pad_token_id"},
        {"{" BASE ",\"pad_token_id\":\"x\"}", ERR_FORMAT, "pad_token_id"},
        {"{\"model_type\":\"llama\",\"vocab_size\":1.5}", ERR_FORMAT,
         "vocab_size"},
        {"{\"model_type\":\"llama\",\"vocab_size\":1048577}", ERR_FORMAT,
         "vocab_size"},
    };

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

/* The rotary table is bounded as a product: each factor alone is allowed. */
static void test_rotary_table(void **state)
{
    struct model_config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse(&c, "{" BASE "}", &err), OK);
    c.T_max = (size_t)1 << 20;
    c.D = 128;
    assert_int_equal(model_config_check(&c, &err), OK);
    c.D = 130;
    assert_int_equal(model_config_check(&c, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "max_position_embeddings"));
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
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_rotary_table),
        cmocka_unit_test(test_architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

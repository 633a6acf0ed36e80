/* The padding token of reward models, and tokenizer_config.json with it. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/save.h"

/* A word-level tokenizer of `n` words w0, w1, ... of which the ids in the list
 * are special, up to -1. */
static struct tokenizer *tokenizer(int n, const int *special)
{
    struct tokenizer *t = NULL;
    struct err err = {0};
    struct buf b;

    buf_init(&b, 1 << 16);
    buf_puts(&b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
                 "\"added_tokens\":[");
    for (int i = 0; special[i] >= 0; i++)
        buf_printf(&b,
                   "%s{\"id\":%d,\"content\":\"w%d\",\"single_word\":false,"
                   "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                   "\"special\":true}",
                   i == 0 ? "" : ",", special[i], special[i]);
    buf_puts(&b, "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":"
                 "\"WhitespaceSplit\"},\"post_processor\":null,\"decoder\":"
                 "null,\"model\":{\"type\":\"WordLevel\",\"vocab\":{");
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%s\"w%d\":%d", i == 0 ? "" : ",", i, i);
    buf_puts(&b, "},\"unk_token\":\"w3\"}}");
    if (tokenizer_parse(&t, b.data, b.len, NULL, 0, "tokenizer.json", &err) !=
        OK)
        fail_msg("%s", err.text);
    buf_free(&b);
    return t;
}

static void test_pad(void **state)
{
    static const struct {
        int32_t bos, eos, pad, stop;
        int special[5];
        int32_t want, want_without; // a tokenizer
    } row[] = {
        {-1, 1, 0, -1, {0, 1, -1}, 0, 0},     // its own will do
        {1, 2, 2, -1, {0, 1, 2, -1}, 0, 1},   // SmolLM2
        {1, 2, -1, -1, {1, 2, -1}, 1, 1},     // nothing but bos
        {1, 2, -1, -1, {1, 2, 5, -1}, 5, 1},  // bos comes last
        {4, 4, -1, -1, {4, -1}, 0, 0},        // GPT-2: nothing special
        {1, 2, 5, 5, {1, 2, 5, 6, -1}, 6, 1}, // its own ends turns
        {-1, 0, 1, 1, {0, 1, -1}, 2, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct tokenizer *t = tokenizer(9, row[i].special);
        struct model_config c = rig_config();

        c.bos = row[i].bos;
        c.eos = row[i].eos;
        c.pad = row[i].pad;
        c.n_stop = row[i].stop >= 0;
        c.stop[0] = row[i].stop;
        if (save_pad(&c, t) != row[i].want ||
            save_pad(&c, NULL) != row[i].want_without)
            fail_msg("row %zu: %d, %d", i, save_pad(&c, t), save_pad(&c, NULL));
        tokenizer_free(t);
    }
}

static void check(const char *before, const char *want)
{
    struct json *json = NULL;
    struct err err = {0};
    struct buf b;

    buf_init(&b, 4096);
    assert_int_equal(save_tokenizer_config(&b, before,
                                           before == NULL ? 0 : strlen(before),
                                           "<p\"d>", &err),
                     OK);
    assert_string_equal(buf_text(&b), want);
    assert_int_equal(json_parse(&json, b.data, b.len, "x", &err), OK);
    assert_string_equal(json_text(json_get(json, "pad_token"), "?"), "<p\"d>");
    json_free(json);
    buf_free(&b);
}

/* All but the one value stays, byte for byte. */
static void test_tokenizer_config(void **state)
{
    struct err err = {0};
    struct buf b;

    (void)state;
    check(NULL, "{\n  \"pad_token\": \"<p\\\"d>\"}\n");
    check(" { }\n", " {\n  \"pad_token\": \"<p\\\"d>\" }\n");
    check("{\"pad_token\":\"<p\\\"d>\"}", "{\"pad_token\":\"<p\\\"d>\"}");
    check("{\"pad_token\" : \"<eos>\",\"model_max_length\":"
          "1000000000000000019884624838656}",
          "{\"pad_token\" : \"<p\\\"d>\",\"model_max_length\":"
          "1000000000000000019884624838656}");
    /* The same key, written otherwise. */
    check("{\"a\":\"b\",\"p\\u0061d\\u005Ftoken\":\"<eos>\",\"c\":1}",
          "{\"a\":\"b\",\"p\\u0061d\\u005Ftoken\": \"<p\\\"d>\",\"c\":1}");
    check("{\"pad\\u005ftoke\":\"x\",\"\\\"\":[{\"y\":0}]}",
          "{\n  \"pad_token\": \"<p\\\"d>\",\"pad\\u005ftoke\":\"x\",\"\\\"\":"
          "[{\"y\":0}]}");
    check("{\"a\":{\"pad_token\":1},\"b\":\"pad_token\",\"c\":[\"}\"]}",
          "{\n  \"pad_token\": \"<p\\\"d>\",\"a\":{\"pad_token\":1},\"b\":"
          "\"pad_token\",\"c\":[\"}\"]}");
    check("{\"x\":\"\\\\\\\"{\",\"pad_token\":{\"content\":\"<a,b}>\","
          "\"special\":true},\"z\":null}",
          "{\"x\":\"\\\\\\\"{\",\"pad_token\": \"<p\\\"d>\",\"z\":null}");
    buf_init(&b, 4096);
    assert_int_equal(save_tokenizer_config(&b, "[]", 2, "x", &err), ERR_FORMAT);
    assert_int_equal(save_tokenizer_config(&b, "{", 1, "x", &err), ERR_FORMAT);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_tokenizer_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

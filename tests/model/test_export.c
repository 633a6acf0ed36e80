/*
 * test_export.c - a GGUF file of ours, read back: the same parameters in the
 * same places, whatever the architecture; the tokenizer under llama.cpp's
 * names; what has no form there is refused.  (That other programs agree is
 * bench/peers/check_export.py's business.)
 */
#include "rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/gguf.h"
#include "model/checkpoint.h"
#include "model/export_gguf.h"
#include "model/params.h"

#define BYTES                                                                  \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"                      \
    "\"trim_offsets\":false,\"use_regex\":true}"
#define DIGITS                                                                 \
    "{\"type\":\"Sequence\",\"pretokenizers\":["                               \
    "{\"type\":\"Digits\",\"individual_digits\":true}," BYTES "]}"
#define ADDED(id, text, special)                                               \
    "{\"id\":" id ",\"content\":\"" text "\",\"single_word\":false,"           \
    "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"                  \
    "\"special\":" special "}"
#define DOCUMENT(added, normalizer, pre, model)                                \
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"               \
    "\"added_tokens\":[" added "],\"normalizer\":" normalizer ","              \
    "\"pre_tokenizer\":" pre ",\"post_processor\":null,"                       \
    "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"           \
    "\"trim_offsets\":true,\"use_regex\":true},\"model\":" model "}"
#define BPE                                                                    \
    "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"                   \
    "\"byte_fallback\":false,\"ignore_merges\":false,"                         \
    "\"vocab\":{\"a\":2,\"b\":3,\"c\":4,\"ab\":5,\"abc\":6},"                  \
    "\"merges\":[\"a b\",[\"ab\",\"c\"]]}"
#define TOKENS ADDED("0", "<eos>", "true") "," ADDED("1", "<b>", "false")

static char path[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/plumb_export_XXXXXX");
    return mkdtemp(path) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove(path, NULL) == OK ? 0 : -1;
}

static const char *file(void)
{
    static char name[80];
    (void)snprintf(name, sizeof name, "%s/m.gguf", path);
    return name;
}

static struct tokenizer *tokenizer(const char *json)
{
    struct tokenizer *t;
    struct err err = {OK, ""};
    if (tokenizer_parse(&t, json, strlen(json), NULL, 0, "t", &err) != OK)
        fail_msg("%s", err.text);
    return t;
}

/* Write a model of this shape and read it back; NULL or what was wrong. */
static void round_trip(const struct model_config *c)
{
    struct model m, back;
    struct err err = {OK, ""};
    struct tokenizer *t = tokenizer(DOCUMENT(TOKENS, "null", DIGITS, BPE));
    rig_model(&m, c, 7);
    if (export_gguf(file(), &m, t, TENSOR_F32, "m", &err) != OK ||
        checkpoint_read(&back, file(), HEAD_LM, &err) != OK)
        fail_msg("%s: %s", arch_get(c->arch)->model_type, err.text);
    const struct model_config *b = &back.config;
    assert_string_equal(arch_get(b->arch)->gguf, arch_get(c->arch)->gguf);
    assert_true(b->V == c->V && b->C == c->C && b->L == c->L && b->H == c->H);
    assert_true(b->G == c->G && b->D == c->D && b->F == c->F);
    assert_true(b->T_max == c->T_max && b->tied == c->tied);
    assert_true(b->bos == c->bos && b->eos == c->eos && b->pad == c->pad);
    assert_true(fabs(b->norm_eps / c->norm_eps - 1) < 1e-6);
    assert_int_equal(b->stretch.kind, c->stretch.kind);
    assert_true(b->stretch.factor == c->stretch.factor);
    assert_true(b->stretch.low == c->stretch.low);
    assert_true(b->stretch.high == c->stretch.high);
    assert_true(b->stretch.original == c->stretch.original);
    assert_int_equal(params_count(b), params_count(c));
    assert_memory_equal(back.params, m.params,
                        params_count(c) * sizeof *m.params);
    model_free(&back);
    model_free(&m);
    tokenizer_free(t);
}

/* Llama 3's, but no published model's: other bounds, a ramp that is a step, a
 * last rate that is not divided by the whole factor, or by nothing at all. */
static const struct rope_stretch stretches[] = {
    {ROPE_LLAMA3, 8, 2, 3.5, 4096},      {ROPE_LLAMA3, 32, 0.5, 16, 1024},
    {ROPE_LLAMA3, 4, 1, 1.000001, 512},  {ROPE_LLAMA3, 3, 1e-9, 1e6, 64},
    {ROPE_LLAMA3, 1, 0.1, 0.7, 1048576}, {ROPE_LLAMA3, 1e6, 1, 4, 1},
};

static void test_architectures(void **state)
{
    (void)state;
    for (size_t i = 0; i < arch_count(); i++) {
        struct model_config c = rig_config_of(arch_get(i)->model_type);
        round_trip(&c);
        c.attention_bias = arch_get(i)->may_bias;
        round_trip(&c);
        if (arch_get(i)->is_learned)
            continue;
        c.stretch = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 2};
        round_trip(&c);
        c.stretch = (struct rope_stretch){ROPE_LLAMA3, 8, 1, 4, 8192};
        round_trip(&c);
        for (size_t k = 0; k < sizeof stretches / sizeof *stretches; k++) {
            c.stretch = stretches[k];
            c.rope_theta = k % 2 == 0 ? 10000.1 : 500000; // 10000.1: no float
            round_trip(&c);
        }
        c.tied = !c.tied;
        round_trip(&c);
    }
}

/* The factors are those that llama.cpp's converter computes, in its words: of
 * wave lengths, not of turns. */
static void test_factors(void **state)
{
    (void)state;
    struct model_config c = rig_config();
    struct tokenizer *t = tokenizer(DOCUMENT(TOKENS, "null", DIGITS, BPE));
    struct model m;
    struct gguf *g;
    float x[8];
    c.D = 16;
    c.rope_theta = 500000;
    c.stretch = (struct rope_stretch){ROPE_LLAMA3, 8, 2, 64, 4096};
    rig_model(&m, &c, 7);
    assert_int_equal(export_gguf(file(), &m, t, TENSOR_F32, "m", NULL), OK);
    assert_int_equal(gguf_open(&g, file(), NULL), OK);
    const struct tensor_view *v = gguf_find(g, "rope_freqs.weight");
    assert_non_null(v);
    assert_int_equal(v->count, 8);
    assert_int_equal(tensor_floats(x, v, 0, 8, NULL), OK);
    size_t between = 0;
    for (size_t i = 0; i < 8; i++) {
        double wave = 2 * acos(-1) * pow(500000, 2 * (double)i / 16);
        double smooth = (4096 / wave - 2) / (64 - 2), want = 8;
        if (wave < 4096.0 / 64)
            want = 1;
        else if (wave <= 4096.0 / 2)
            want = 1 / ((1 - smooth) / 8 + smooth);
        between += want > 1 && want < 8;
        /* Rounded once to a float, from doubles. */
        assert_true(fabs((double)x[i] / want - 1) < 0x1p-23);
    }
    assert_int_equal(between, 2);
    gguf_close(g);
    model_free(&m);
    tokenizer_free(t);
}

/* Matrices of the type asked for, vectors of F32; F16 where a row is no whole
 * block. */
static void test_types(void **state)
{
    (void)state;
    static const enum tensor_type types[] = {TENSOR_F16, TENSOR_BF16,
                                             TENSOR_Q8_0};
    static const char *const norm = "blk.0.attn_norm.weight";
    struct model_config c = rig_config();
    struct tokenizer *t = tokenizer(DOCUMENT(TOKENS, "null", BYTES, BPE));
    struct model m;
    struct err err = {OK, ""};
    c.F = 64; // ffn_down has rows of two blocks, all others have less than one
    rig_model(&m, &c, 7);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct gguf *g;
        assert_int_equal(export_gguf(file(), &m, t, types[i], "m", &err), OK);
        assert_int_equal(gguf_open(&g, file(), &err), OK);
        const struct tensor_view *down = gguf_find(g, "blk.1.ffn_down.weight");
        const struct tensor_view *q = gguf_find(g, "blk.1.attn_q.weight");
        assert_int_equal(gguf_find(g, norm)->type, TENSOR_F32);
        assert_int_equal(down->type, types[i]);
        assert_int_equal(q->type,
                         types[i] == TENSOR_Q8_0 ? TENSOR_F16 : types[i]);
        float x[64];
        const float *want = m.params + params_offset(&c, PARAM_DOWN, 1);
        assert_int_equal(tensor_floats(x, down, 0, 64, &err), OK);
        for (size_t k = 0; k < 64; k++)
            assert_true(fabsf(x[k] - want[k]) <= 0.05F);
        gguf_close(g);
    }
    model_free(&m);
    tokenizer_free(t);
}

static bool is_text(struct gguf_text text, const char *want)
{
    return text.len == strlen(want) && memcmp(text.data, want, text.len) == 0;
}

static void test_tokenizer(void **state)
{
    (void)state;
    static const char *const token[] = {"<eos>", "<b>", "a",   "b",
                                        "c",     "ab",  "abc", "[PAD7]"};
    static const int64_t type[] = {3, 4, 1, 1, 1, 1, 1, 5};
    struct model_config c = rig_config();
    struct tokenizer *t = tokenizer(DOCUMENT(TOKENS, "null", DIGITS, BPE));
    struct model m;
    struct gguf *g;
    struct gguf_array a;
    rig_model(&m, &c, 7);
    assert_int_equal(export_gguf(file(), &m, t, TENSOR_F32, "m", NULL), OK);
    assert_int_equal(gguf_open(&g, file(), NULL), OK);
    assert_true(is_text(gguf_get_text(g, "tokenizer.ggml.model", ""), "gpt2"));
    assert_true(is_text(gguf_get_text(g, "tokenizer.ggml.pre", ""), "smollm"));
    assert_true(gguf_get_array(&a, g, "tokenizer.ggml.tokens", GGUF_IS_TEXT));
    assert_int_equal(a.n, c.V);
    for (size_t i = 0; i < 8; i++)
        assert_true(is_text(gguf_array_text(&a, i), token[i]));
    assert_true(
        gguf_get_array(&a, g, "tokenizer.ggml.token_type", GGUF_IS_INT));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(gguf_array_int(&a, i), type[i]);
    assert_true(gguf_get_array(&a, g, "tokenizer.ggml.merges", GGUF_IS_TEXT));
    assert_int_equal(a.n, 2);
    assert_true(is_text(gguf_array_text(&a, 0), "a b"));
    assert_true(is_text(gguf_array_text(&a, 1), "ab c"));
    gguf_close(g);
    model_free(&m);
    tokenizer_free(t);
}

/* SentencePiece: byte tokens, and scores that fall with the rank of the
 * merge. */
static void test_sentencepiece(void **state)
{
    (void)state;
    static const char json[] = DOCUMENT(
        ADDED("0", "<unk>", "true"),
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
        "\"prepend\":\"\xe2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":"
        "{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}]}",
        "null",
        "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"<unk>\","
        "\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{\"<unk>\":0,"
        "\"<0x0A>\":1,\"a\":2,\"b\":3,\"bb\":4,\"abb\":5,\"ab\":6},"
        "\"merges\":[\"a b\",\"b b\",\"a bb\",\"ab b\"]}");
    static const double score[] = {0, 0, 0, 0, -2, -3, -1};
    static const int64_t type[] = {2, 6, 1, 1, 1, 1, 1};
    struct model_config c = rig_config();
    struct tokenizer *t = tokenizer(json);
    struct model m;
    struct gguf *g;
    struct gguf_array a;
    rig_model(&m, &c, 7);
    assert_int_equal(export_gguf(file(), &m, t, TENSOR_F32, "m", NULL), OK);
    assert_int_equal(gguf_open(&g, file(), NULL), OK);
    assert_true(is_text(gguf_get_text(g, "tokenizer.ggml.model", ""), "llama"));
    assert_true(gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", false));
    assert_int_equal(gguf_get_int(g, "tokenizer.ggml.unknown_token_id", -1), 0);
    assert_true(gguf_get_array(&a, g, "tokenizer.ggml.scores", GGUF_IS_REAL));
    for (size_t i = 0; i < 7; i++)
        assert_true(gguf_array_real(&a, i) == score[i]);
    assert_true(
        gguf_get_array(&a, g, "tokenizer.ggml.token_type", GGUF_IS_INT));
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(gguf_array_int(&a, i), type[i]);
    gguf_close(g);
    model_free(&m);
    tokenizer_free(t);
}

static void refuses(const struct model *m, const char *json, const char *text)
{
    struct err err = {OK, ""};
    struct tokenizer *t = tokenizer(json);
    assert_int_equal(export_gguf(file(), m, t, TENSOR_F32, "m", &err),
                     ERR_MISMATCH);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
    tokenizer_free(t);
}

static void test_refused(void **state)
{
    (void)state;
    struct model_config c = rig_config();
    struct model m, score;
    assert_int_equal(file_remove(file(), NULL), OK);
    rig_model(&m, &c, 7);
    refuses(&m,
            "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
            "\"added_tokens\":[],\"normalizer\":null,"
            "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
            "\"post_processor\":null,\"decoder\":null,"
            "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},"
            "\"unk_token\":\"a\"}}",
            "no form for a WordLevel model");
    refuses(&m, DOCUMENT(TOKENS, "{\"type\":\"NFC\"}", BYTES, BPE),
            "no name for its pre-tokenizer");
    assert_int_equal(model_clone_as_score(&score, &m, NULL), OK);
    refuses(&score, DOCUMENT(TOKENS, "null", BYTES, BPE), "no score head");
    assert_false(file_exists(file()));
    model_free(&score);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_architectures), cmocka_unit_test(test_factors),
        cmocka_unit_test(test_types),         cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_sentencepiece), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

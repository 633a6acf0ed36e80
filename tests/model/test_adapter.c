/*
 * Adapters on disk: what is written comes back bit by bit; what is broken,
 * foreign or does not fit is refused by name and leaves the model as it was.
 */
#include "rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/adapter.h"
#include "model/checkpoint.h"

static const struct lora_config some = {
    .rank = 2, .alpha = 3, .targets = 1u << LORA_Q | 1u << LORA_DOWN};

struct fixture {
    char root[64];
    char base[FILE_PATH_MAX], adapter[FILE_PATH_MAX];
    struct model model; // with an adapter
};

static void in(char out[FILE_PATH_MAX], const char *dir, const char *name)
{
    assert_int_equal(file_join(out, dir, name, NULL), OK);
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct model_config c = rig_config();
    struct err err = {0};
    struct rng rng;

    assert_non_null(f);
    (void)snprintf(f->root, sizeof f->root, "/tmp/plumb_adapter_XXXXXX");
    assert_non_null(mkdtemp(f->root));
    in(f->base, f->root, "base");
    in(f->adapter, f->root, "adapter");
    rig_model(&f->model, &c, 30);
    struct checkpoint plain = {.model = &f->model};
    assert_int_equal(checkpoint_write(f->base, &plain, &err), OK);
    assert_int_equal(model_adapt(&f->model, &some, 4, &err), OK);
    rng_init(&rng, 3, RNG_TEST, 0, 0);
    for (size_t i = 0; i < f->model.lora->n; i++)
        f->model.lora->params[i] = (float)(0.3 * rng_normal(&rng));
    struct checkpoint adapted = {.model = &f->model, .base = f->base};
    assert_int_equal(checkpoint_write(f->adapter, &adapted, &err), OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(file_remove(f->root, NULL), OK);
    model_free(&f->model);
    mem_free(f);
    return 0;
}

/* The shape of an adapter's folder is its base's, with the adapter's head;
 * an adapter without a base has none. */
static void test_shape(void **state)
{
    struct fixture *f = *state;
    struct model score, base;
    struct model_config shape;
    struct err err = {0};
    char path[FILE_PATH_MAX];

    in(path, f->root, "scored");
    assert_int_equal(checkpoint_read(&base, f->base, HEAD_LM, &err), OK);
    assert_int_equal(model_share(&score, &base, HEAD_SCORE, &err), OK);
    assert_int_equal(model_adapt(&score, &some, 4, &err), OK);
    struct checkpoint c = {.model = &score, .base = f->base};
    assert_int_equal(checkpoint_write(path, &c, &err), OK);
    assert_int_equal(checkpoint_read_shape(&shape, f->adapter, &err), OK);
    assert_int_equal(shape.head, HEAD_LM);
    assert_int_equal(params_count(&shape), params_count(&base.config));
    assert_int_equal(checkpoint_read_shape(&shape, path, &err), OK);
    assert_int_equal(shape.head, HEAD_SCORE);
    assert_int_equal(params_count(&shape), params_count(&score.config));
    assert_int_equal(file_remove(f->base, &err), OK);
    assert_int_equal(checkpoint_read_shape(&shape, path, &err), ERR_MISSING);
    model_free(&score);
    model_free(&base);
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct model base, merged;
    struct err err = {0};
    char path[FILE_PATH_MAX];

    assert_true(adapter_is(f->adapter));
    assert_false(adapter_is(f->base));
    assert_int_equal(checkpoint_read(&base, f->base, HEAD_LM, &err), OK);
    assert_int_equal(adapter_read(&base, f->adapter, &err), OK);
    assert_memory_equal(base.lora->params, f->model.lora->params,
                        f->model.lora->n * sizeof(float));
    assert_int_equal(base.lora->config.targets, some.targets);

    /* The folder as a model is the base with the adapter folded in. */
    assert_int_equal(checkpoint_read(&merged, f->adapter, HEAD_LM, &err), OK);
    assert_null(merged.lora);
    assert_int_equal(model_merge(&base, &err), OK);
    assert_memory_equal(base.params, merged.params,
                        params_count(&base.config) * sizeof(float));
    model_free(&base);
    model_free(&merged);

    /* Moved together, base.json still leads to the base. */
    char moved[FILE_PATH_MAX], root[FILE_PATH_MAX];
    (void)snprintf(root, sizeof root, "%s/elsewhere", f->root);
    assert_int_equal(file_make_dir(root, &err), OK);
    in(path, root, "base");
    assert_int_equal(file_rename(f->base, path, &err), OK);
    in(moved, root, "adapter");
    assert_int_equal(file_rename(f->adapter, moved, &err), OK);
    assert_int_equal(checkpoint_read(&merged, moved, HEAD_LM, &err), OK);
    model_free(&merged);
    /* Alone it does not, nor does the name in adapter_config.json. */
    in(path, moved, "base.json");
    assert_int_equal(file_remove(path, &err), OK);
    assert_int_equal(checkpoint_read(&merged, moved, HEAD_LM, &err),
                     ERR_MISSING);
    assert_non_null(strstr(err.text, "base"));
}

static void test_score_head(void **state)
{
    struct fixture *f = *state;
    struct model lm, score, back;
    struct err err = {0};
    struct lora_config head_only = {.rank = 1, .alpha = 1};

    assert_int_equal(checkpoint_read(&lm, f->base, HEAD_LM, &err), OK);
    assert_int_equal(model_share(&score, &lm, HEAD_SCORE, &err), OK);
    assert_int_equal(model_adapt(&score, &some, 4, &err), OK);
    for (size_t i = 0; i < score.lora->n; i++)
        score.lora->params[i] = 0.01f * (float)(i + 1);
    struct checkpoint c = {.model = &score, .base = f->base};
    assert_int_equal(checkpoint_write(f->adapter, &c, &err), OK);
    assert_int_equal(checkpoint_read(&back, f->adapter, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_int_equal(checkpoint_read(&back, f->adapter, HEAD_SCORE, &err), OK);
    assert_memory_equal(model_score(&back), model_score(&score),
                        lm.config.C * sizeof(float));
    model_free(&back);

    /* The slope of scores by length stands beside the way to the base. */
    score.config.length.gain = 0.125;
    assert_int_equal(checkpoint_write(f->adapter, &c, &err), OK);
    assert_int_equal(checkpoint_read(&back, f->adapter, HEAD_SCORE, &err), OK);
    assert_true(back.config.length.gain == 0.125);
    model_free(&back);
    struct model_config shape;
    assert_int_equal(checkpoint_read_shape(&shape, f->adapter, &err), OK);
    assert_true(shape.length.gain == 0.125);
    score.config.length.gain = 2 * SCORE_LENGTH_GAIN_MAX;
    assert_int_equal(checkpoint_write(f->adapter, &c, &err), OK);
    assert_int_equal(checkpoint_read(&back, f->adapter, HEAD_SCORE, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "plumb_length_gain"));
    score.config.length.gain = 0;
    assert_int_equal(checkpoint_write(f->adapter, &c, &err), OK);

    /* Values go into an adapter of the same shape only. */
    assert_int_equal(adapter_reload(&score, f->adapter, &err), OK);
    model_free(&score);
    assert_int_equal(model_share(&score, &lm, HEAD_SCORE, &err), OK);
    assert_int_equal(model_adapt(&score, &head_only, 4, &err), OK);
    assert_int_equal(adapter_reload(&score, f->adapter, &err), ERR_MISMATCH);
    model_free(&score);
    model_free(&lm);
}

/* Write adapter_config.json with `from` replaced by `to`; reading must fail. */
static void refused(const struct fixture *f, const char *from, const char *to,
                    enum status code, const char *says)
{
    char path[FILE_PATH_MAX];
    struct buf old, new;
    struct model m;
    struct err err = {0};

    in(path, f->adapter, "adapter_config.json");
    buf_init(&old, 1 << 16);
    buf_init(&new, 1 << 16);
    assert_int_equal(file_read(&old, path, &err), OK);
    const char *at = strstr(buf_text(&old), from);
    if (at == NULL)
        fail_msg("no '%s' in %s", from, buf_text(&old));
    buf_append(&new, old.data, (size_t)(at - old.data));
    buf_puts(&new, to);
    buf_puts(&new, at + strlen(from));
    assert_int_equal(file_write(path, new.data, new.len, &err), OK);
    assert_int_equal(checkpoint_read(&m, f->adapter, HEAD_LM, &err), code);
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, says);
    assert_int_equal(file_write(path, old.data, old.len, &err), OK);
    buf_free(&old);
    buf_free(&new);
}

static void test_configs_refused(void **state)
{
    const struct fixture *f = *state;

    refused(f, "\"LORA\"", "\"IA3\"", ERR_MISMATCH, "IA3");
    refused(f, "\"LORA\"", "7", ERR_MISMATCH, "peft_type");
    refused(f, "\"r\": 2", "\"r\": 0", ERR_FORMAT, "\"r\"");
    refused(f, "\"r\": 2", "\"r\": 1e300", ERR_FORMAT, "\"r\"");
    refused(f, "\"r\": 2", "\"r\": 1024", ERR_MISMATCH, "lora_A");
    refused(f, "\"r\": 2,", "", ERR_FORMAT, "\"r\"");
    refused(f, "\"lora_alpha\": 3", "\"lora_alpha\": -1", ERR_FORMAT, "alpha");
    refused(f, "\"lora_alpha\": 3", "\"lora_alpha\": \"3\"", ERR_FORMAT,
            "lora_alpha");
    refused(f, "\"q_proj\"", "\"qkv\"", ERR_MISMATCH, "qkv");
    refused(f, "\"q_proj\"", "[[]]", ERR_MISMATCH, "target_modules");
    refused(f, "\"target_modules\"", "\"x\"", ERR_MISMATCH, "target_modules");
    refused(f, "\"q_proj\",", "", ERR_MISMATCH, "tensors");
    refused(f, "\"modules_to_save\": null", "\"modules_to_save\": [\"score\"]",
            ERR_MISMATCH, "score");
    refused(f, "\"modules_to_save\": null",
            "\"modules_to_save\": [\"lm_head\"]", ERR_MISMATCH, "lm_head");
    refused(f, "\"bias\": \"none\"", "\"bias\": \"all\"", ERR_MISMATCH, "bias");
    refused(f, "\"bias\": \"none\"", "\"use_dora\": true", ERR_MISMATCH,
            "use_dora");
    refused(f, "\"bias\": \"none\"", "\"rank_pattern\": {\"q\": 3}",
            ERR_MISMATCH, "rank_pattern");
    refused(f, "\"CAUSAL_LM\"", "\"SEQ_CLS\"", ERR_MISMATCH, "reward model");
    refused(f, "{", "[", ERR_FORMAT, "adapter_config.json");
}

/* PEFT names the modules of a small model by their paths. */
static void test_paths_as_targets(void **state)
{
    const struct fixture *f = *state;
    char path[FILE_PATH_MAX];
    struct buf text;
    struct model m;
    struct err err = {0};

    in(path, f->adapter, "adapter_config.json");
    buf_init(&text, 1 << 16);
    assert_int_equal(file_read(&text, path, &err), OK);
    char *at = strstr(buf_text(&text), "\"q_proj\"");
    assert_non_null(at);
    struct buf new;
    buf_init(&new, 1 << 16);
    buf_append(&new, text.data, (size_t)(at - text.data));
    buf_puts(&new, "\"model.layers.0.self_attn.q_proj\",");
    buf_puts(&new, "\"model.layers.1.self_attn.q_proj\"");
    buf_puts(&new, at + strlen("\"q_proj\""));
    assert_int_equal(file_write(path, new.data, new.len, &err), OK);
    assert_int_equal(checkpoint_read(&m, f->adapter, HEAD_LM, &err), OK);
    model_free(&m);
    buf_free(&new);
    buf_free(&text);
}

static void test_values_refused(void **state)
{
    const struct fixture *f = *state;
    char path[FILE_PATH_MAX];
    struct file_map map;
    struct model base;
    struct err err = {0};

    assert_int_equal(checkpoint_read(&base, f->base, HEAD_LM, &err), OK);
    in(path, f->adapter, "adapter_model.safetensors");
    assert_int_equal(file_map(&map, path, &err), OK);
    char *bytes = mem_calloc(map.len, 1);
    size_t len = map.len;
    memcpy(bytes, map.data, len);
    file_unmap(&map);
    /* Cut short anywhere, and one value that is no number. */
    for (size_t n = 0; n < len; n += 37) {
        assert_int_equal(file_write(path, bytes, n, &err), OK);
        assert_int_equal(adapter_read(&base, f->adapter, &err), ERR_FORMAT);
        assert_null(base.lora);
    }
    float nan = NAN;
    memcpy(bytes + len - sizeof nan, &nan, sizeof nan);
    assert_int_equal(file_write(path, bytes, len, &err), OK);
    assert_int_equal(adapter_read(&base, f->adapter, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "not finite"));
    assert_null(base.lora);
    mem_free(bytes);
    model_free(&base);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_shape),
        TEST(test_round_trip),
        TEST(test_score_head),
        TEST(test_configs_refused),
        TEST(test_paths_as_targets),
        TEST(test_values_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

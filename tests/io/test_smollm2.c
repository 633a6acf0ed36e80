/*
 * test_smollm2.c - a real model as GGUF: SmolLM2-135M-Instruct in Q4_1, from
 * the path in PLUMB_SMOLLM2 or from where tools/get-smollm2.sh puts it.
 * Skipped when it is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/weights.h"

#define CACHED "plumb/models/SmolLM2-135M-Instruct.Q4_1.gguf"

enum {
    L = 30,
    C = 576,
    G = 192, // of keys and values
    F = 1536,
    V = 49152
};

static struct weights w;

static bool find_model(char path[FILE_PATH_MAX])
{
    const char *given = getenv("PLUMB_SMOLLM2");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char folder[FILE_PATH_MAX];
    struct err err = {0};
    if (given != NULL && given[0] != '\0')
        return file_join(path, "", given, &err) == OK;
    if (cache != NULL && cache[0] != '\0')
        return file_join(path, cache, CACHED, &err) == OK && file_exists(path);
    return home != NULL && file_join(folder, home, ".cache", &err) == OK &&
           file_join(path, folder, CACHED, &err) == OK && file_exists(path);
}

static void check_tensor(const char *name, enum tensor_type type, size_t rows,
                         size_t cols)
{
    const struct tensor_view *t = weights_find(&w, name);
    if (t == NULL)
        fail_msg("no tensor %s", name);
    assert_int_equal(t->type, type);
    assert_int_equal(t->n_dim, rows == 0 ? 1 : 2);
    assert_int_equal(t->dim[0], rows == 0 ? cols : rows);
    assert_int_equal(t->dim[t->n_dim - 1], cols);
}

static void test_tensors(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rows, cols;
    } block[] = {
        {"attn_norm", 0, C}, {"attn_q", C, C},   {"attn_k", G, C},
        {"attn_v", G, C},    {"ffn_norm", 0, C}, {"attn_output", C, C},
        {"ffn_gate", F, C},  {"ffn_up", F, C},   {"ffn_down", C, F},
    };
    size_t n = sizeof block / sizeof *block;
    assert_int_equal(w.n, 2 + L * n);
    check_tensor("token_embd.weight", TENSOR_Q8_0, V, C);
    check_tensor("output_norm.weight", TENSOR_F32, 0, C);
    for (size_t i = 0; i < L * n; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%zu.%s.weight", i / n,
                 block[i % n].name);
        check_tensor(name, block[i % n].rows == 0 ? TENSOR_F32 : TENSOR_Q4_1,
                     block[i % n].rows, block[i % n].cols);
    }
}

static void test_metadata(void **state)
{
    (void)state;
    const struct gguf *g = weights_gguf(&w);
    struct gguf_array tokens = {0}, types = {0};
    struct gguf_text text;
    struct err err = {0};
    assert_int_equal(gguf_need_text(&text, g, "general.architecture", &err),
                     OK);
    assert_memory_equal(text.data, "llama", text.len);
    assert_int_equal(gguf_get_int(g, "llama.block_count", 0), L);
    assert_int_equal(gguf_get_int(g, "llama.embedding_length", 0), C);
    assert_true(gguf_get_real(g, "llama.rope.freq_base", 0) == 100000);
    assert_false(gguf_get_bool(g, "tokenizer.ggml.add_bos_token", true));
    assert_int_equal(gguf_need_array(&tokens, g, "tokenizer.ggml.tokens",
                                     GGUF_IS_TEXT, &err),
                     OK);
    assert_int_equal(gguf_need_array(&types, g, "tokenizer.ggml.token_type",
                                     GGUF_IS_INT, &err),
                     OK);
    assert_int_equal(tokens.n, V);
    assert_int_equal(types.n, V);
    text = gguf_array_text(&tokens, 1);
    assert_memory_equal(text.data, "<|im_start|>", text.len);
    assert_int_equal(gguf_array_int(&types, 1), 3);
}

/*
 * All 134.5 million values at once: the SHA-256 of the digests, in hex, of each
 * tensor's floats as the gguf package 0.19.0 dequantises them, in the order of
 * names.
 */
static void test_values(void **state)
{
    (void)state;
    struct buf digests;
    struct err err = {0};
    char hash[65];
    buf_init(&digests, 1 << 20);
    for (size_t i = 0; i < w.n; i++) {
        const struct tensor_view *t = weights_at(&w, i);
        float *x = mem_calloc(t->count, sizeof *x);
        assert_non_null(x);
        if (weights_floats(x, &w, t, &err) != OK)
            fail_msg("%s", err.text);
        file_hash_bytes(hash, x, t->count * sizeof *x);
        buf_puts(&digests, hash);
        mem_free(x);
    }
    assert_int_equal(buf_status(&digests, &err), OK);
    file_hash_bytes(hash, digests.data, digests.len);
    assert_string_equal(hash, "5e9819d1bc0bce4bd65bf1dd0469f40f"
                              "8176926b56d3311c8f7b401c7a38e916");
    buf_free(&digests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_values),
    };
    char path[FILE_PATH_MAX];
    struct err err = {0};
    if (!find_model(path)) {
        print_message("skipped: no SmolLM2; tools/get-smollm2.sh gets it\n");
        return 77;
    }
    if (weights_open(&w, path, &err) != OK) {
        print_error("%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    weights_close(&w);
    return failed;
}

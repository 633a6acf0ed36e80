/*
 * test_tokenizer_gguf.c - tokenizers of GGUF files: SentencePiece's scores
 * against a direct simulation, what the keys become, and files that must be
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/gguf_write.h"
#include "io/tokenizer.h"
#include "io/tokenizer_gguf.h"

#define KEY "tokenizer.ggml."
#define TOKENS_MAX 400
#define SPACE "\xe2\x96\x81"

/* What a file is to say; zero and NULL leave a key out. */
struct file {
    const char *model, *pre, *chat, *name;
    struct gguf_text token[TOKENS_MAX];
    int32_t type[TOKENS_MAX];
    float score[TOKENS_MAX];
    size_t n, n_type, n_score;
    struct gguf_text merge[8];
    size_t n_merge;
    int64_t bos, eos, unknown; // 0: none
    int adds_bos, adds_space;  // 1 yes, -1 no
};

static char dir[] = "/tmp/test_tokenizer_gguf.XXXXXX";

static void add(struct file *f, const char *text, int type, double score)
{
    assert_true(f->n < TOKENS_MAX);
    f->token[f->n] = (struct gguf_text){text, strlen(text)};
    f->type[f->n] = type;
    f->score[f->n++] = (float)score;
    f->n_type = f->n_score = f->n;
}

static void put_number(struct gguf_writer *w, const char *key, int64_t x)
{
    if (x != 0)
        gguf_put_int(w, key, GGUF_U32, x);
}

static enum status open_file(struct tokenizer **t, const struct file *f,
                             struct err *err)
{
    char path[FILE_PATH_MAX];
    struct gguf_writer *w;
    assert_int_equal(file_join(path, dir, "v.gguf", err), OK);
    assert_int_equal(gguf_create(&w, path, err), OK);
    if (f->model != NULL)
        gguf_put_text(w, KEY "model", f->model);
    if (f->pre != NULL)
        gguf_put_text(w, KEY "pre", f->pre);
    if (f->chat != NULL)
        gguf_put_text(w, "tokenizer.chat_template", f->chat);
    if (f->name != NULL)
        gguf_put_text(w, "general.name", f->name);
    if (f->n > 0)
        gguf_put_texts(w, KEY "tokens", f->token, f->n);
    if (f->n_type > 0)
        gguf_put_ints(w, KEY "token_type", f->type, f->n_type);
    if (f->n_score > 0)
        gguf_put_reals(w, KEY "scores", f->score, f->n_score);
    if (f->n_merge > 0)
        gguf_put_texts(w, KEY "merges", f->merge, f->n_merge);
    put_number(w, KEY "bos_token_id", f->bos);
    put_number(w, KEY "eos_token_id", f->eos);
    put_number(w, KEY "unknown_token_id", f->unknown);
    if (f->adds_bos != 0)
        gguf_put_bool(w, KEY "add_bos_token", f->adds_bos > 0);
    if (f->adds_space != 0)
        gguf_put_bool(w, KEY "add_space_prefix", f->adds_space > 0);
    assert_int_equal(gguf_finish(w, OK, err), OK);
    return tokenizer_open(t, path, err);
}

/* ---- scores ------------------------------------------------------------- */

static uint32_t draw_state;

static size_t draw(size_t n)
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (draw_state >> 8) % n;
}

/* Texts of up to `max` characters that like to repeat themselves. */
static size_t draw_text(char *out, size_t max, const char *const *letter,
                        size_t n_letter)
{
    size_t n = 1 + draw(max);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        (void)strcat(out, letter[draw(n_letter)]);
    return strlen(out);
}

static int find(const struct file *f, const char *text, size_t len)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->type[i] == 1 && f->token[i].len == len &&
            memcmp(f->token[i].data, text, len) == 0)
            return (int)i;
    return -1;
}

/*
 * SentencePiece's rule, done directly: join the neighbours that make the token
 * of the highest score, the leftmost first; what is no token in the end is
 * bytes.  Byte b is token b.
 */
static void simulate(const struct file *f, const char *text, struct ids *out)
{
    size_t begin[1000], n = 0;
    struct err err = {0};
    for (size_t i = 0; text[i] != '\0'; i++)
        if ((text[i] & 0xc0) != 0x80)
            begin[n++] = i;
    begin[n] = strlen(text);
    for (;;) {
        size_t best = n;
        for (size_t i = 0; i + 1 < n; i++) {
            int id = find(f, text + begin[i], begin[i + 2] - begin[i]);
            if (id >= 0 &&
                (best == n ||
                 f->score[id] > f->score[find(f, text + begin[best],
                                              begin[best + 2] - begin[best])]))
                best = i;
        }
        if (best == n)
            break;
        memmove(begin + best + 1, begin + best + 2,
                (n - best - 1) * sizeof *begin);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        int id = find(f, text + begin[i], begin[i + 1] - begin[i]);
        if (id >= 0)
            assert_int_equal(ids_push(out, id, &err), OK);
        for (size_t k = begin[i]; id < 0 && k < begin[i + 1]; k++)
            assert_int_equal(ids_push(out, (unsigned char)text[k], &err), OK);
    }
}

/* A vocabulary of bytes, letters and random tokens of random scores. */
static void draw_vocab(struct file *f, char text[][32],
                       const char *const *letter)
{
    static char bytes[256][8];
    *f = (struct file){.model = "llama", .adds_bos = -1, .adds_space = -1};
    for (int i = 0; i < 256; i++) {
        (void)snprintf(bytes[i], sizeof bytes[i], "<0x%02X>", i);
        add(f, bytes[i], 6, 0);
    }
    for (size_t i = 0; i < 4; i++)
        add(f, letter[i], 1, -1000.0 - (double)i);
    for (size_t i = 0; i < 60; i++) {
        size_t len = draw_text(text[i], 6, letter, 4);
        if (find(f, text[i], len) < 0)
            add(f, text[i], 1, -(double)(draw(100000) * 100 + i));
    }
}

static void test_scores(void **state)
{
    (void)state;
    static const char *const letter[] = {"a", "b", "c", SPACE, "d", " "};
    static struct file f;
    char text[60][32], line[200];
    size_t n_ids = 0;
    draw_state = 1;
    for (int round = 0; round < 200; round++) {
        struct tokenizer *t;
        struct err err = {0};
        draw_vocab(&f, text, letter);
        if (open_file(&t, &f, &err) != OK)
            fail_msg("round %d: %s", round, err.text);
        for (int i = 0; i < 30; i++) {
            struct ids got = {0}, want = {0};
            size_t len = draw_text(line, 40, letter, i % 2 ? 2 : 5);
            simulate(&f, line, &want);
            assert_int_equal(tokenizer_encode(t, line, len, false, &got, &err),
                             OK);
            if (got.n != want.n ||
                memcmp(got.id, want.id, got.n * sizeof *got.id) != 0)
                fail_msg("round %d: '%s'", round, line);
            n_ids += got.n;
            ids_free(&got);
            ids_free(&want);
        }
        tokenizer_free(t);
    }
    assert_true(n_ids > 10000);
}

/* ---- keys --------------------------------------------------------------- */

static void small_spm(struct file *f)
{
    *f = (struct file){
        .model = "llama", .chat = "{{ x }}", .bos = 1, .eos = 2, .unknown = 0};
    add(f, "<unk>", 2, 0);
    add(f, "<s>", 3, 0);
    add(f, "</s>", 3, 0);
    add(f, "<think>", 4, 0);
    add(f, SPACE, 1, -10);
    add(f, "a", 1, -11);
    add(f, SPACE "a", 1, -1);
}

static void small_bpe(struct file *f, const char *pre)
{
    *f = (struct file){.model = "gpt2", .pre = pre, .eos = 4};
    add(f, "a", 1, 0);
    add(f, "b", 1, 0);
    add(f, "ab", 1, 0);
    add(f, "\xc4\xa0", 1, 0); // a space
    add(f, "<|end|>", 3, 0);
    f->n_score = 0;
    f->merge[0] = (struct gguf_text){"a b", 3};
    f->n_merge = 1;
}

static void test_spm(void **state)
{
    (void)state;
    static struct file f;
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    struct buf out;
    struct json *config;
    size_t len;
    buf_init(&out, 1000);
    small_spm(&f);
    assert_int_equal(open_file(&t, &f, &err), OK);
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), -1);
    assert_true(tokenizer_is_special(t, 2));
    assert_false(tokenizer_is_special(t, 3));
    assert_int_equal(
        tokenizer_encode(t, "a a<think>a</s>", 15, true, &ids, &err), OK);
    static const int32_t want[] = {6, 6, 3, 6, 2};
    assert_int_equal(ids.n, 5);
    assert_memory_equal(ids.id, want, sizeof want);
    assert_int_equal(tokenizer_decode(t, want, 5, true, &out, &err), OK);
    assert_string_equal(buf_text(&out), "a a<think> a");
    const char *text = tokenizer_config_json(t, &len);
    assert_int_equal(json_parse(&config, text, len, "config", &err), OK);
    assert_string_equal(json_text(json_get(config, "chat_template"), ""),
                        "{{ x }}");
    assert_string_equal(json_text(json_get(config, "eos_token"), ""), "</s>");
    assert_null(json_get(config, "pad_token"));
    json_free(config);
    tokenizer_free(t);
    /* Neither a space in front nor BOS when the file says so. */
    f.adds_space = f.adds_bos = -1;
    assert_int_equal(open_file(&t, &f, &err), OK);
    assert_int_equal(tokenizer_bos(t), -1);
    ids.n = 0;
    assert_int_equal(tokenizer_encode(t, "a a", 3, true, &ids, &err), OK);
    assert_int_equal(ids.n, 2);
    assert_int_equal(ids.id[0], 5);
    tokenizer_free(t);
    buf_free(&out);
    ids_free(&ids);
}

/* Every pre-tokenizer there is, by a text they cut differently. */
static void test_pre(void **state)
{
    (void)state;
    static struct file f;
    static const char *const names[] = {"gpt-2",    "llama-bpe", "llama3",
                                        "llama-v3", "qwen2",     "smollm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tokenizer *t;
        struct err err = {0};
        struct ids ids = {0};
        small_bpe(&f, names[i]);
        if (i == 1)
            f.bos = 4;
        else if (i == 2 || i == 3)
            f.adds_bos = -1;
        if (open_file(&t, &f, &err) != OK)
            fail_msg("%s: %s", names[i], err.text);
        assert_int_equal(tokenizer_bos(t), i == 1 ? 4 : -1);
        assert_int_equal(
            tokenizer_encode(t, "ab ab<|end|>", 12, true, &ids, &err), OK);
        static const int32_t want[] = {2, 3, 2, 4};
        assert_int_equal(ids.n, 4);
        assert_memory_equal(ids.id, want, sizeof want);
        ids_free(&ids);
        tokenizer_free(t);
    }
}

/* ---- refused ------------------------------------------------------------ */

static void refuse(const struct file *f, enum status want, const char *text)
{
    struct tokenizer *t = NULL;
    struct err err = {0};
    enum status got = open_file(&t, f, &err);
    if (got != want || t != NULL || strstr(err.text, text) == NULL ||
        strstr(err.text, "v.gguf") == NULL)
        fail_msg("%s: %s '%s'", text, err_name(got), err.text);
}

static void test_refused(void **state)
{
    (void)state;
    static struct file f;
    static const char *const models[] = {"bert", "t5", "rwkv", "no_vocab", ""};
    static const char *const pres[] = {"default", "falcon", "deepseek-llm",
                                       "gpt-2x", ""};
    for (size_t i = 0; i < 5; i++) {
        char text[80];
        small_spm(&f);
        f.model = models[i];
        (void)snprintf(text, sizeof text, "model '%s' is not supported",
                       models[i]);
        refuse(&f, ERR_MISMATCH, text);
        small_bpe(&f, pres[i]);
        (void)snprintf(text, sizeof text, "pre '%s' is not supported", pres[i]);
        refuse(&f, ERR_MISMATCH, text);
    }
    small_spm(&f);
    f.model = NULL;
    refuse(&f, ERR_FORMAT, KEY "model");
    small_bpe(&f, NULL);
    refuse(&f, ERR_FORMAT, KEY "pre");
    small_spm(&f);
    f.n = 0;
    refuse(&f, ERR_FORMAT, KEY "tokens");
    small_spm(&f);
    f.n_type = 3;
    refuse(&f, ERR_FORMAT, "3 types of 7 tokens");
    f.n_type = 0;
    refuse(&f, ERR_FORMAT, KEY "token_type");
    small_spm(&f);
    f.type[1] = 9;
    refuse(&f, ERR_FORMAT, "token 1 is of type 9");
    small_spm(&f);
    f.n_score = 6;
    refuse(&f, ERR_FORMAT, "6 scores of 7 tokens");
    small_spm(&f);
    f.score[4] = NAN;
    refuse(&f, ERR_FORMAT, "token 4 is no number");
    small_spm(&f);
    f.bos = 7;
    refuse(&f, ERR_FORMAT, KEY "bos_token_id");
    f.bos = 0;
    f.adds_bos = 1;
    refuse(&f, ERR_FORMAT, KEY "bos_token_id is missing");
    small_bpe(&f, "qwen2");
    f.n_merge = 0;
    refuse(&f, ERR_FORMAT, KEY "merges");
}

/* Tokens and merges that are not what they should be. */
static void test_bad_tokens(void **state)
{
    (void)state;
    static struct file f;
    char long_token[300];
    small_spm(&f);
    f.token[5] = (struct gguf_text){"\xff", 1};
    refuse(&f, ERR_FORMAT, "token 5 is not valid UTF-8");
    f.token[5] = (struct gguf_text){"a\0b", 3};
    refuse(&f, ERR_FORMAT, "token 5 is not valid UTF-8");
    f.token[5] = f.token[4];
    refuse(&f, ERR_FORMAT, "twice");
    small_spm(&f);
    add(&f, "aa", 1, -2);
    add(&f, "a" SPACE, 1, -2);
    refuse(&f, ERR_MISMATCH, "have the same score -2");
    small_spm(&f);
    memset(long_token, 'a', sizeof long_token);
    add(&f, "", 1, -2);
    f.token[f.n - 1] = (struct gguf_text){long_token, sizeof long_token};
    refuse(&f, ERR_LIMIT, "token 7 of 300 bytes");
    small_bpe(&f, "qwen2");
    f.merge[0] = (struct gguf_text){"a q", 3};
    refuse(&f, ERR_FORMAT, "merge 0: 'q' is not in the vocabulary");
    f.merge[0] = (struct gguf_text){"a\0b", 3};
    refuse(&f, ERR_FORMAT, "merge 0 holds a NUL");
    f.token[1] = f.token[0];
    f.merge[0] = (struct gguf_text){"a b", 3};
    refuse(&f, ERR_FORMAT, "duplicate");
}

/* Every allocation in turn fails: an error, nothing leaked.  (Reading what
 * was made is tests/io/test_bpe.c's concern.) */
static void test_out_of_memory(void **state)
{
    (void)state;
    static struct file f;
    char path[FILE_PATH_MAX];
    for (int kind = 0; kind < 2; kind++) {
        struct tokenizer *t;
        struct gguf *g;
        struct err err = {0};
        if (kind == 0)
            small_spm(&f);
        else
            small_bpe(&f, "smollm");
        assert_int_equal(open_file(&t, &f, &err), OK);
        tokenizer_free(t);
        assert_int_equal(file_join(path, dir, "v.gguf", &err), OK);
        assert_int_equal(gguf_open(&g, path, &err), OK);
        bool is_past = false;
        for (long n = 0; !is_past; n++) {
            struct buf json, config;
            buf_init(&json, 1 << 20);
            buf_init(&config, 1 << 20);
            mem_fail_at(n);
            enum status status =
                tokenizer_gguf_convert(&json, &config, g, &err);
            is_past = mem_count() <= n;
            mem_fail_at(-1);
            assert_int_equal(status, is_past ? OK : ERR_MEMORY);
            buf_free(&json);
            buf_free(&config);
        }
        gguf_close(g);
    }
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    struct err err = {0};
    (void)state;
    return file_remove(dir, &err) != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),     cmocka_unit_test(test_spm),
        cmocka_unit_test(test_pre),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bad_tokens), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("tokenizer_gguf", tests, set_up,
                                       tear_down);
}

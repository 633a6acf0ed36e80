/*
 * test_vocabs.c - real vocabularies and llama.cpp's own test vectors.
 *
 * ../shared/data/tokenizers/ggml-vocab has vocabularies as GGUF files, texts
 * (.inp, each ended by a marker) and the ids that llama.cpp makes of them
 * (.out, without BOS and with special tokens as text).  Those of Qwen2 and
 * Llama-3 come without a vocabulary; tools/get-tokenizers.sh fetches both.
 * What is absent is skipped with a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "io/gguf.h"
#include "io/tokenizer.h"

#define FOLDER TEST_DATA "/../../../shared/data/tokenizers/ggml-vocab"
#define MARK "\n__ggml_vocab_test__\n"
#define FILE_MAX ((size_t)1 << 26)

/* Append a file, packed or not; false when it is absent. */
static bool read_all(struct buf *out, const char *name)
{
    char path[FILE_PATH_MAX], piece[1 << 16];
    int n;
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    gzFile file = gzopen(path, "rb");
    buf_init(out, FILE_MAX);
    if (file == NULL)
        return false;
    while ((n = gzread(file, piece, sizeof piece)) > 0)
        buf_append(out, piece, (size_t)n);
    assert_int_equal(n, 0);
    gzclose(file);
    assert_int_equal(out->code, OK);
    return true;
}

/* Open the vocabulary of a name; false when it is absent. */
static bool open_vocab(enum status *status, struct tokenizer **t,
                       const char *name, struct err *err)
{
    char file[100];
    struct buf bytes;
    struct gguf *g;
    (void)snprintf(file, sizeof file, "ggml-vocab-%s.gguf.gz", name);
    if (!read_all(&bytes, file)) {
        print_message("    %s is absent: skipped\n", file);
        return false;
    }
    assert_int_equal(
        gguf_parse(&g, (const unsigned char *)bytes.data, bytes.len, name, err),
        OK);
    *status = tokenizer_from_gguf(t, g, err);
    gguf_close(g);
    buf_free(&bytes);
    return true;
}

/* ---- vectors ------------------------------------------------------------ */

static void check_text(const struct tokenizer *t, const char *name,
                       const char *text, size_t len, const char **want)
{
    struct ids ids = {0};
    struct err err = {0};
    struct buf back;
    char *end;
    assert_int_equal(tokenizer_encode(t, text, len, false, &ids, &err), OK);
    for (size_t i = 0; i < ids.n; i++) {
        long id = strtol(*want, &end, 10);
        if (end == *want || id != ids.id[i])
            fail_msg("%s: '%.*s': id %zu is %d, want %ld", name, (int)len, text,
                     i, (int)ids.id[i], id);
        *want = end;
    }
    *want += strspn(*want, " ");
    if (**want != '\n')
        fail_msg("%s: '%.*s': more than %zu ids wanted", name, (int)len, text,
                 ids.n);
    ++*want;
    buf_init(&back, FILE_MAX);
    assert_int_equal(tokenizer_decode(t, ids.id, ids.n, false, &back, &err),
                     OK);
    assert_int_equal(back.len, len);
    assert_memory_equal(buf_text(&back), text, len);
    buf_free(&back);
    ids_free(&ids);
}

static void check_vectors(const struct tokenizer *t, const char *name)
{
    char file[100];
    struct buf inp, out;
    size_t n = 0;
    (void)snprintf(file, sizeof file, "ggml-vocab-%s.gguf.inp", name);
    assert_true(read_all(&inp, file));
    (void)snprintf(file, sizeof file, "ggml-vocab-%s.gguf.out", name);
    assert_true(read_all(&out, file));
    const char *text = buf_text(&inp), *want = buf_text(&out);
    for (const char *mark; (mark = strstr(text, MARK)) != NULL; n++) {
        check_text(t, name, text, (size_t)(mark - text), &want);
        text = mark + strlen(MARK);
    }
    assert_int_equal(n, 46);
    assert_int_equal(*want, '\0');
    buf_free(&inp);
    buf_free(&out);
}

static void test_gguf(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size;
        int32_t bos;
    } rows[] = {
        {"gpt-2", 50257, -1},
        {"llama-spm", 32000, 1},
        {"phi-3", 32064, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tokenizer *t;
        struct err err = {0};
        enum status status;
        if (!open_vocab(&status, &t, rows[i].name, &err))
            continue;
        if (status != OK)
            fail_msg("%s", err.text);
        assert_int_equal(tokenizer_size(t), rows[i].size);
        assert_int_equal(tokenizer_bos(t), rows[i].bos);
        check_vectors(t, rows[i].name);
        tokenizer_free(t);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"bert-bge", "tokenizer.ggml.model 'bert' is not supported"},
        {"deepseek-coder",
         "tokenizer.ggml.pre 'deepseek-coder' is not supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tokenizer *t = NULL;
        struct err err = {0};
        enum status status;
        if (!open_vocab(&status, &t, rows[i].name, &err))
            continue;
        assert_int_equal(status, ERR_MISMATCH);
        assert_null(t);
        assert_non_null(strstr(err.text, rows[i].text));
    }
}

/* What tools/get-tokenizers.sh has fetched. */
static void test_fetched(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        const char *vectors;
    } rows[] = {{"qwen3", "qwen2"}, {"llama3", "llama-bpe"}};
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[FILE_PATH_MAX];
        struct tokenizer *t;
        struct err err = {0};
        (void)snprintf(path, sizeof path, "%s%s/plumb/tokenizers/%s",
                       cache != NULL  ? cache
                       : home != NULL ? home
                                      : "",
                       cache != NULL ? "" : "/.cache", rows[i].folder);
        if (!file_exists(path) || !file_exists(FOLDER)) {
            print_message("    %s is absent: skipped "
                          "(tools/get-tokenizers.sh)\n",
                          path);
            continue;
        }
        if (tokenizer_open(&t, path, &err) != OK)
            fail_msg("%s", err.text);
        check_vectors(t, rows[i].vectors);
        tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fetched),
    };
    return cmocka_run_group_tests_name("vocabs", tests, NULL, NULL);
}

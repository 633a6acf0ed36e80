/*
 * test_tokenizer.c - ids and text as the tokenizers package has them, and
 * files that must be refused.
 *
 * tests/data/tokenizer holds what the package made of each file
 * (tools/make_tokenizer_golden.py); agreement is exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/tokenizer.h"

#define FOLDER TEST_DATA "/tokenizer"
#define WORDS                                                                  \
    "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"decoder\":null"
#define MODEL(vocab, unknown)                                                  \
    "\"model\":{\"type\":\"WordLevel\",\"vocab\":" vocab                       \
    ",\"unk_token\":\"" unknown "\"}"

static enum status parse(struct tokenizer **t, const char *json,
                         struct err *err)
{
    return tokenizer_parse(t, json, strlen(json), NULL, 0, "t.json", err);
}

/* ---- against the package ------------------------------------------------ */

static void check_encode(const struct tokenizer *t, const struct json *c,
                         const char *file)
{
    const char *text = json_text(json_get(c, "text"), NULL);
    const struct json *want = json_get(c, "ids");
    struct ids ids = {0};
    struct err err = {0};
    if (tokenizer_encode(t, text, strlen(text),
                         json_bool(json_get(c, "special"), true), &ids,
                         &err) != OK)
        fail_msg("%s: '%s': %s", file, text, err.text);
    for (size_t i = 0; i < json_size(want) && i < ids.n; i++)
        if (json_int(json_at(want, i), -1) != ids.id[i])
            fail_msg("%s: '%s': id %zu is %d", file, text, i, (int)ids.id[i]);
    if (ids.n != json_size(want))
        fail_msg("%s: '%s': %zu ids, want %zu", file, text, ids.n,
                 json_size(want));
    ids_free(&ids);
}

static void check_decode(const struct tokenizer *t, const struct json *c,
                         const char *file)
{
    const struct json *list = json_get(c, "ids");
    const char *want = json_text(json_get(c, "text"), NULL);
    struct ids ids = {0};
    struct err err = {0};
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < json_size(list); i++)
        assert_int_equal(
            ids_push(&ids, (int32_t)json_int(json_at(list, i), -1), &err), OK);
    if (tokenizer_decode(t, ids.id, ids.n,
                         json_bool(json_get(c, "skip_special"), true), &out,
                         &err) != OK)
        fail_msg("%s: %s", file, err.text);
    if (strcmp(buf_text(&out), want) != 0)
        fail_msg("%s: '%s', want '%s'", file, buf_text(&out), want);
    buf_free(&out);
    ids_free(&ids);
}

/* Returns how many cases there were. */
static size_t check_file(const char *file)
{
    char path[FILE_PATH_MAX];
    struct err err = {0};
    struct json *root;
    struct tokenizer *t;
    struct buf text;
    assert_int_equal(file_join(path, FOLDER, file, &err), OK);
    assert_int_equal(json_read(&root, path, 1 << 20, &err), OK);
    buf_init(&text, 1 << 20);
    json_dump(&text, json_get(root, "tokenizer"));
    if (parse(&t, buf_text(&text), &err) != OK)
        fail_msg("%s: %s", file, err.text);
    const struct json *encode = json_get(root, "encode");
    const struct json *decode = json_get(root, "decode");
    size_t n = json_size(encode) + json_size(decode);
    for (size_t i = 0; i < json_size(encode); i++)
        check_encode(t, json_at(encode, i), file);
    for (size_t i = 0; i < json_size(decode); i++)
        check_decode(t, json_at(decode, i), file);
    tokenizer_free(t);
    buf_free(&text);
    json_free(root);
    return n;
}

static void test_package(void **state)
{
    (void)state;
    struct file_list list;
    struct err err = {0};
    assert_int_equal(file_list(&list, FOLDER, &err), OK);
    size_t files = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (strstr(list.name[i], ".json") == NULL)
            continue;
        assert_true(check_file(list.name[i]) > 0);
        files++;
    }
    assert_true(files >= 20);
    file_list_free(&list);
}

/* The support desk's text and ids are each other's inverse: all sequences of
 * ordinary tokens, here a few thousand of them. */
static void test_inverse(void **state)
{
    (void)state;
    struct err err = {0};
    struct json *root;
    struct tokenizer *t;
    struct buf text;
    assert_int_equal(json_read(&root, FOLDER "/support.json", 1 << 20, &err),
                     OK);
    buf_init(&text, 1 << 20);
    json_dump(&text, json_get(root, "tokenizer"));
    assert_int_equal(parse(&t, buf_text(&text), &err), OK);
    uint32_t draw = 1;
    for (int round = 0; round < 3000; round++) {
        int32_t id[12];
        struct ids back = {0};
        for (size_t i = 0; i < 12; i++) {
            draw = draw * 1664525u + 1013904223u;
            id[i] =
                4 + (int32_t)((draw >> 8) % (uint32_t)(tokenizer_size(t) - 4));
        }
        buf_clear(&text);
        assert_int_equal(tokenizer_decode(t, id, 12, true, &text, &err), OK);
        assert_int_equal(
            tokenizer_encode(t, buf_text(&text), text.len, false, &back, &err),
            OK);
        assert_int_equal(back.n, 12);
        assert_memory_equal(back.id, id, sizeof id);
        ids_free(&back);
    }
    tokenizer_free(t);
    buf_free(&text);
    json_free(root);
}

/* ---- one by one --------------------------------------------------------- */

static const char plain[] =
    "{" WORDS ",\"added_tokens\":[{\"id\":0,\"content\":\"<eos>\","
    "\"special\":true},{\"id\":3,\"content\":\"<x>\",\"special\":true}]," MODEL(
        "{\"<eos>\":0,\"a\":1,\"b\":2}", "<unk>") "}";

static void test_lookup(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err err = {0};
    size_t len;
    assert_int_equal(parse(&t, plain, &err), OK);
    assert_int_equal(tokenizer_size(t), 4);
    assert_int_equal(tokenizer_id(t, "b"), 2);
    assert_int_equal(tokenizer_id(t, "<x>"), 3);
    assert_int_equal(tokenizer_id(t, "c"), -1);
    assert_string_equal(tokenizer_token(t, 1), "a");
    assert_null(tokenizer_token(t, 4));
    assert_null(tokenizer_token(t, -1));
    assert_true(tokenizer_is_special(t, 0));
    assert_false(tokenizer_is_special(t, 1));
    assert_false(tokenizer_is_special(t, 9));
    assert_string_equal(tokenizer_json(t, &len), plain);
    assert_int_equal(len, sizeof plain - 1);
    assert_null(tokenizer_config_json(t, &len));
    tokenizer_free(t);
}

/* Ordinary text never becomes a control token, not even when a word of the
 * model's vocabulary is spelled like one. */
static void test_no_injection(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    assert_int_equal(parse(&t, plain, &err), OK);
    assert_int_equal(ids_push(&ids, 7, &err), OK);
    assert_int_equal(tokenizer_encode(t, "a <eos> b", 9, true, &ids, &err), OK);
    assert_int_equal(ids.n, 4);
    assert_int_equal(ids.id[2], 0);
    assert_int_equal(tokenizer_encode(t, "a <eos> b", 9, false, &ids, &err),
                     ERR_MISMATCH);
    assert_string_equal(err.text, "word '<eos>' is not in the vocabulary");
    assert_int_equal(tokenizer_encode(t, "<x>", 3, false, &ids, &err),
                     ERR_MISMATCH);
    assert_int_equal(ids.n, 4); // as before the failure
    ids_free(&ids);
    tokenizer_free(t);
}

static void test_text_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xff",         "a \xc3",           "\xc0\x80",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xe2\x82",
        "\x80",         "\xf5\x80\x80\x80"};
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    assert_int_equal(parse(&t, plain, &err), OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            tokenizer_encode(t, bad[i], strlen(bad[i]), true, &ids, &err),
            ERR_FORMAT);
    /* A long word is cut in the message, between characters. */
    char word[203];
    memset(word, 'a', sizeof word);
    word[59] = '\xc3';
    word[60] = '\xa9';
    assert_int_equal(tokenizer_encode(t, word, sizeof word, true, &ids, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "a...' is not in the vocabulary"));
    /* The bound is checked before a byte is looked at. */
    assert_int_equal(
        tokenizer_encode(t, word, ((size_t)64 << 20) + 1, true, &ids, &err),
        ERR_LIMIT);
    struct buf out;
    buf_init(&out, 100);
    int32_t id[] = {1, -1};
    assert_int_equal(tokenizer_decode(t, id, 2, true, &out, &err),
                     ERR_MISMATCH);
    assert_int_equal(out.len, 0);
    /* A model may have more rows than there are tokens. */
    id[1] = 4;
    assert_int_equal(tokenizer_decode(t, id, 2, true, &out, &err), OK);
    assert_string_equal(buf_text(&out), "a");
    buf_free(&out);
    ids_free(&ids);
    tokenizer_free(t);
}

/* Backtracking without end is cut off, with and without compiled code. */
static void test_match_limit(void **state)
{
    (void)state;
    static const char json[] =
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?:a|a|aa)+$\"},\"behavior\":\"Isolated\",\"invert\":false},"
        "\"decoder\":null," MODEL("{\"a\":0}", "a") "}";
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    char text[64];
    memset(text, 'a', sizeof text);
    text[63] = '!';
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_encode(t, text, sizeof text, true, &ids, &err),
                     ERR_LIMIT);
    assert_int_equal(ids.n, 0);
    ids_free(&ids);
    tokenizer_free(t);
}

/* A lookahead over a long text needs more than the compiled code's stack. */
static void test_long_match(void **state)
{
    (void)state;
    static const char json[] =
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?:a|b)+\"},\"behavior\":\"Isolated\",\"invert\":false},"
        "\"decoder\":null," MODEL("{\"u\":0}", "u") "}";
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    size_t len = 50000;
    char *text = mem_calloc(len, 1);
    assert_non_null(text);
    memset(text, 'b', len);
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_encode(t, text, len, true, &ids, &err), OK);
    assert_int_equal(ids.n, 1);
    ids_free(&ids);
    tokenizer_free(t);
    mem_free(text);
}

#define PRE(x)                                                                 \
    "{\"pre_tokenizer\":" x ",\"decoder\":null," MODEL("{\"a\":0}", "a") "}"
#define REGEX(x)                                                               \
    PRE("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" x                      \
        "\"},\"behavior\":\"Removed\",\"invert\":true}")
#define DECODER(x)                                                             \
    "{\"pre_tokenizer\":null,\"decoder\":" x "," MODEL("{\"a\":0}", "a") "}"
#define VOCAB(x) "{" WORDS "," MODEL(x, "<unk>") "}"
#define ADDED(x)                                                               \
    "{" WORDS ",\"added_tokens\":" x "," MODEL("{\"a\":0}", "a") "}"

static const struct {
    const char *json;
    enum status want;
    const char *text; // part of the message
} refused[] = {
    {"", ERR_FORMAT, "t.json"},
    {"[]", ERR_FORMAT, "not a JSON object"},
    {"{", ERR_FORMAT, "t.json"},
    {"{}", ERR_FORMAT, "type"},
    {"{\"version\":\"2.0\"}", ERR_MISMATCH, "version '2.0'"},
    {"{\"normalizer\":{\"type\":\"NFKC\"}}", ERR_MISMATCH,
     "normalizer 'NFKC' is not supported"},
    {"{\"truncation\":{}}", ERR_MISMATCH, "truncation is not supported"},
    {"{\"model\":{\"type\":\"Unigram\"}}", ERR_MISMATCH,
     "model 'Unigram' is not supported"},
    {PRE("{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"), ERR_MISMATCH,
     "model 'WordLevel' behind pre_tokenizer 'ByteLevel'"},
    {PRE("{\"type\":\"Foo\"}"), ERR_MISMATCH,
     "t.json: pre_tokenizer 'Foo' is not supported"},
    {PRE("3"), ERR_FORMAT, "type"},
    {PRE("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
         "\"behavior\":\"MergedWithNext\",\"invert\":true}"),
     ERR_MISMATCH, "behavior 'MergedWithNext'"},
    {PRE("{\"type\":\"Split\",\"behavior\":\"Removed\",\"invert\":true}"),
     ERR_FORMAT, "pattern"},
    {REGEX("a("), ERR_FORMAT, "regular expression"},
    {REGEX("[a"), ERR_FORMAT, "open '['"},
    {REGEX("a\\\\"), ERR_MISMATCH, "'\\'"},
    {REGEX("\\\\h"), ERR_MISMATCH, "'\\h'"},
    {REGEX("\\\\bx"), ERR_MISMATCH, "'\\b'"},
    {REGEX("a\\\\1"), ERR_MISMATCH, "'\\1'"},
    {REGEX("[a[b]]"), ERR_MISMATCH, "'['"},
    {REGEX("[a&&b]"), ERR_MISMATCH, "'&'"},
    {REGEX("[]a]"), ERR_MISMATCH, "'[]'"},
    {REGEX("[a-\\\\d]"), ERR_MISMATCH, "'\\d'"},
    {REGEX("[\\\\s-z]"), ERR_MISMATCH, "'\\s'"},
    {REGEX("[\\\\W]"), ERR_MISMATCH, "'\\W'"},
    {REGEX("(*UTF)a"), ERR_MISMATCH, "'(*'"},
    {REGEX("(?i)a"), ERR_MISMATCH, "'(?i)'"},
    {REGEX("(?<n>a)"), ERR_MISMATCH, "'(?<n'"},
    {REGEX("a{,2}"), ERR_MISMATCH, "'{,2'"},
    {REGEX("a{2}+"), ERR_MISMATCH, "'{2}+'"},
    {REGEX("\\\\x41"), ERR_MISMATCH, "'\\x'"},
    {REGEX("\\\\p{Nonesuch}"), ERR_FORMAT, "regular expression"},
    {DECODER("{\"type\":\"CTC\"}"), ERR_MISMATCH,
     "decoder 'CTC' is not supported"},
    {DECODER("{\"type\":\"WordPiece\",\"prefix\":\"\"}"), ERR_FORMAT,
     "cleanup"},
    {DECODER("{\"type\":\"Sequence\"}"), ERR_FORMAT, "decoders"},
    {DECODER("{\"type\":\"Replace\",\"pattern\":{},\"content\":\"\"}"),
     ERR_FORMAT, "pattern"},
    {DECODER("{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},"
             "{\"type\":\"Sequence\",\"decoders\":[]}]}"),
     ERR_MISMATCH, "decoder 'Sequence'"},
    {VOCAB("{}"), ERR_FORMAT, "vocabulary"},
    {VOCAB("{\"a\":1}"), ERR_FORMAT, "id 1"},
    {VOCAB("{\"a\":0,\"b\":0}"), ERR_FORMAT, "same id 0"},
    {VOCAB("{\"a\":0,\"b\":2}"), ERR_FORMAT, "id 2"},
    {VOCAB("{\"a\":-1}"), ERR_FORMAT, "id -1"},
    {VOCAB("{\"a\":\"0\"}"), ERR_FORMAT, "id -1"},
    {VOCAB("{\"a\":1e300}"), ERR_FORMAT, "id -1"},
    {VOCAB("{\"a\":9223372036854775807}"), ERR_FORMAT, "id 922337203"},
    {VOCAB("{\"a\":0,\"a\":1}"), ERR_FORMAT, "t.json"},
    {VOCAB("{\"a\\u0000\":0}"), ERR_FORMAT, "t.json"},
    {VOCAB("{\"\xff\":0}"), ERR_FORMAT, "t.json"},
    {ADDED("{}"), ERR_FORMAT, "added_tokens"},
    {ADDED("[3]"), ERR_FORMAT, "content"},
    {ADDED("[{\"id\":1,\"content\":\"\"}]"), ERR_FORMAT, "empty"},
    {ADDED("[{\"id\":2,\"content\":\"b\"}]"), ERR_FORMAT, "id 2"},
    {ADDED("[{\"id\":0,\"content\":\"b\"}]"), ERR_FORMAT, "same id"},
    {ADDED("[{\"id\":1,\"content\":\"a\"}]"), ERR_FORMAT, "'a' has ids"},
    {ADDED("[{\"id\":1,\"content\":\"b\"},{\"id\":1,\"content\":\"b\"}]"),
     ERR_FORMAT, "twice"},
    {ADDED("[{\"id\":1,\"content\":\"b\",\"single_word\":true}]"), ERR_MISMATCH,
     "single_word"},
    {"{" WORDS ",\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}",
     ERR_FORMAT, "unk_token"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct tokenizer *t = NULL;
        struct err err = {0};
        enum status got = parse(&t, refused[i].json, &err);
        if (got != refused[i].want || t != NULL ||
            strstr(err.text, refused[i].text) == NULL)
            fail_msg("%s: %s '%s'", refused[i].json, err_name(got), err.text);
    }
}

/* What would make a tree many times its size is refused before one is made:
 * depth, and many small values, in either file. */
static void test_deep_and_wide(void **state)
{
    (void)state;
    static const char item[] = "[],";
    size_t n = 7000000;
    char *json = mem_calloc(n, 1);
    struct tokenizer *t = NULL;
    struct err err = {0};
    assert_non_null(json);
    memset(json, '[', 1000000);
    assert_int_equal(
        tokenizer_parse(&t, json, 1000000, NULL, 0, "t.json", &err),
        ERR_FORMAT);
    assert_string_equal(err.text, "t.json: JSON nests deeper than 16");
    for (size_t i = 1; i < n; i++)
        json[i] = item[(i - 1) % 3];
    assert_int_equal(tokenizer_parse(&t, json, n, NULL, 0, "t.json", &err),
                     ERR_FORMAT);
    assert_string_equal(err.text,
                        "t.json: JSON holds more than 4194304 values");
    assert_int_equal(
        tokenizer_parse(&t, plain, sizeof plain - 1, json, n, "t.json", &err),
        ERR_FORMAT);
    assert_string_equal(err.text, "tokenizer_config.json: JSON holds more than "
                                  "4194304 values");
    mem_free(json);
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    struct err err = {0};
    assert_int_equal(file_join(path, dir, name, &err), OK);
    assert_int_equal(file_write(path, text, strlen(text), &err), OK);
}

static void test_open(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_tokenizer.XXXXXX";
    char path[FILE_PATH_MAX];
    struct tokenizer *t;
    struct err err = {0};
    size_t len;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(tokenizer_open(&t, dir, &err), ERR_MISSING);
    write_text(dir, "tokenizer.json", plain);
    assert_int_equal(tokenizer_open(&t, dir, &err), OK);
    assert_null(tokenizer_config_json(t, &len));
    tokenizer_free(t);
    write_text(dir, "tokenizer_config.json", "{\"x\":1}");
    assert_int_equal(file_join(path, dir, "tokenizer.json", &err), OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tokenizer_open(&t, i == 0 ? dir : path, &err), OK);
        assert_string_equal(tokenizer_config_json(t, &len), "{\"x\":1}");
        assert_int_equal(len, 7);
        assert_int_equal(tokenizer_id(t, "a"), 1);
        tokenizer_free(t);
    }
    assert_int_equal(file_remove(dir, &err), OK);
}

/* Every allocation in turn fails: an error, nothing leaked.  Those of the
 * JSON parser, which follow the first two, are tests/base's concern. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct json *root;
    struct err err = {0};
    mem_fail_at(-1);
    assert_int_equal(json_parse(&root, plain, sizeof plain - 1, "", &err), OK);
    long n_json = mem_count();
    json_free(root);
    for (long n = 0;; n++) {
        struct tokenizer *t = NULL;
        struct ids ids = {0};
        if (n == 2)
            n += n_json;
        mem_fail_at(n);
        enum status status = parse(&t, plain, &err);
        if (status == OK)
            status = tokenizer_encode(t, "a b <eos>", 9, true, &ids, &err);
        bool is_past = mem_count() <= n;
        mem_fail_at(-1);
        tokenizer_free(t);
        ids_free(&ids);
        /* Without memory for compiled code, a pattern is interpreted: OK. */
        if (status != OK && status != ERR_MEMORY)
            fail_msg("allocation %ld: %s", n, err.text);
        if (is_past)
            break;
    }
}

/* A text for people and files has no byte 0, the token's own bytes have. */
static void test_zero_byte(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct buf out;
    struct err err = {0};
    const int32_t id[] = {1, 0, 0, 1};
    assert_int_equal(
        parse(
            &t,
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xC4\x80\":0,\"a\":1},"
            "\"merges\":[]},\"pre_tokenizer\":{\"type\":\"ByteLevel\","
            "\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"}}",
            &err),
        OK);
    buf_init(&out, 100);
    buf_puts(&out, "x");
    assert_int_equal(tokenizer_decode(t, id, 4, true, &out, &err), OK);
    assert_string_equal(buf_text(&out), "xa\xEF\xBF\xBD\xEF\xBF\xBD"
                                        "a");
    buf_clear(&out);
    assert_int_equal(tokenizer_decode(t, id, 4, false, &out, &err), OK);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "a\0\0a", 4);
    buf_free(&out);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_package),
        cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_no_injection),
        cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_match_limit),
        cmocka_unit_test(test_long_match),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep_and_wide),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_zero_byte),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}

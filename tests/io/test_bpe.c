/*
 * test_bpe.c - BPE tokenizers against the tokenizers package: thousands of
 * hostile texts for every family.
 *
 * tests/data/bpe holds the texts and hashes of what the package made of them
 * (tools/make_bpe_golden.py, which has the format); agreement is exact.
 * bench/peers/check_tokenizers.py shows the differences where a hash differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/tokenizer.h"

#define FOLDER TEST_DATA "/bpe"
#define FNV 2166136261u

/* ---- the files ---------------------------------------------------------- */

struct packed {
    unsigned char *data;
    size_t len, at;
};

static struct packed unpack(const char *name)
{
    char path[FILE_PATH_MAX];
    struct err err = {0};
    struct buf file;
    struct packed p = {0};
    buf_init(&file, 1 << 24);
    assert_int_equal(file_join(path, FOLDER, name, &err), OK);
    assert_int_equal(file_read(&file, path, &err), OK);
    unsigned long long len = ZSTD_getFrameContentSize(file.data, file.len);
    assert_true(len < 1 << 26);
    p.len = (size_t)len;
    p.data = mem_calloc(p.len, 1);
    assert_int_equal(ZSTD_decompress(p.data, p.len, file.data, file.len),
                     p.len);
    buf_free(&file);
    return p;
}

static uint32_t take(struct packed *p)
{
    uint32_t x = 0;
    assert_true(p->at + 4 <= p->len);
    for (size_t i = 0; i < 4; i++)
        x |= (uint32_t)p->data[p->at++] << 8 * i;
    return x;
}

static const char *take_text(struct packed *p, size_t *len)
{
    *len = take(p);
    assert_true(*len <= p->len - p->at);
    p->at += *len;
    return (const char *)p->data + p->at - *len;
}

/* ---- hashes ------------------------------------------------------------- */

static uint32_t hash_bytes(uint32_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static uint32_t hash_number(uint32_t hash, uint32_t x)
{
    for (size_t i = 0; i < 4; i++)
        hash = (hash ^ (x >> 8 * i & 0xff)) * 16777619u;
    return hash;
}

static uint32_t hash_ids(uint32_t hash, const struct ids *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        hash = hash_number(hash, (uint32_t)ids->id[i]);
    return hash_number(hash, (uint32_t)ids->n);
}

static uint32_t hash_decoded(uint32_t hash, const struct tokenizer *t,
                             const int32_t *id, size_t n, bool skip)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, 1 << 20);
    if (tokenizer_decode(t, id, n, skip, &text, &err) != OK)
        fail_msg("%s", err.text);
    hash = hash_bytes(hash, buf_text(&text), text.len);
    buf_free(&text);
    return hash;
}

/* ---- a family ----------------------------------------------------------- */

struct result {
    uint32_t ids, text;
};

static struct result run(const struct tokenizer *t, const char *text,
                         size_t len)
{
    struct ids with = {0}, without = {0};
    struct err err = {0};
    struct result r;
    if (tokenizer_encode(t, text, len, true, &with, &err) != OK ||
        tokenizer_encode(t, text, len, false, &without, &err) != OK)
        fail_msg("'%.*s': %s", (int)len, text, err.text);
    r.ids = hash_ids(hash_ids(FNV, &with), &without);
    r.text = hash_decoded(hash_decoded(FNV, t, with.id, with.n, false), t,
                          with.id, with.n, true);
    ids_free(&with);
    ids_free(&without);
    return r;
}

/* Ids in an order that no text has; returns how many texts are wrong. */
static size_t check_random(const struct tokenizer *t, struct packed *family)
{
    uint32_t n = take(family), x = 1;
    uint32_t size = (uint32_t)tokenizer_size(t);
    size_t wrong = 0;
    assert_true(n >= 1000);
    for (uint32_t i = 0; i < n; i++) {
        int32_t id[24];
        size_t k = 0;
        x = x * 1664525u + 1013904223u;
        for (size_t want = (x >> 8) % 24; k < want; k++) {
            x = x * 1664525u + 1013904223u;
            id[k] = (int32_t)((x >> 8) % size);
        }
        if (hash_decoded(FNV, t, id, k, false) != take(family))
            wrong++;
    }
    return wrong;
}

static void check_family(const char *name)
{
    struct packed texts = unpack("texts.zst"), family = unpack(name);
    struct tokenizer *t = NULL;
    struct err err = {0};
    size_t len, wrong_ids = 0, wrong_text = 0;
    uint32_t n = take(&texts);
    assert_true(n >= 5000);
    const char *json = take_text(&family, &len);
    if (tokenizer_parse(&t, json, len, NULL, 0, name, &err) != OK)
        fail_msg("%s", err.text);
    struct packed decoded = family;
    decoded.at += 4 * (size_t)n;
    for (uint32_t i = 0; i < n; i++) {
        const char *text = take_text(&texts, &len);
        struct result r = run(t, text, len);
        if (r.ids != take(&family) && wrong_ids++ == 0)
            print_error("%s: other ids for '%.*s'\n", name, (int)len, text);
        if (r.text != take(&decoded) && wrong_text++ == 0)
            print_error("%s: other text for '%.*s'\n", name, (int)len, text);
    }
    size_t wrong_random = check_random(t, &decoded);
    assert_int_equal(decoded.at, decoded.len);
    if (wrong_ids + wrong_text + wrong_random > 0)
        fail_msg("%s: of %u texts %zu ids, %zu decoded, %zu random wrong", name,
                 n, wrong_ids, wrong_text, wrong_random);
    tokenizer_free(t);
    mem_free(texts.data);
    mem_free(family.data);
}

static void test_families(void **state)
{
    (void)state;
    struct file_list list;
    struct err err = {0};
    size_t families = 0;
    assert_int_equal(file_list(&list, FOLDER, &err), OK);
    for (size_t i = 0; i < list.n; i++) {
        if (strstr(list.name[i], ".zst") == NULL ||
            strcmp(list.name[i], "texts.zst") == 0)
            continue;
        check_family(list.name[i]);
        families++;
    }
    assert_true(families >= 12);
    file_list_free(&list);
}

/* ---- one by one --------------------------------------------------------- */

#define ROOT(parts, model)                                                     \
    "{" parts "\"decoder\":null,\"model\":{\"type\":\"BPE\"," model "}}"
#define ABC "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"<x>\":3,\"c\":7}"
#define PARTS(x) ROOT(x ",", ABC ",\"merges\":[]")
#define MERGES(x) ROOT("", ABC ",\"merges\":" x)

static enum status parse(struct tokenizer **t, const char *json,
                         struct err *err)
{
    return tokenizer_parse(t, json, strlen(json), NULL, 0, "t.json", err);
}

static const struct {
    const char *json;
    enum status want;
    const char *text; // part of the message
} refused[] = {
    {ROOT("", "\"vocab\":{}"), ERR_FORMAT, "no vocabulary"},
    {ROOT("", "\"vocab\":{\"a\":0}"), ERR_FORMAT, "without merges"},
    {ROOT("", "\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]"), ERR_FORMAT,
     "same id 0"},
    {ROOT("", "\"vocab\":{\"a\":-1},\"merges\":[]"), ERR_FORMAT, "id -1"},
    {ROOT("", "\"vocab\":{\"a\":2097152},\"merges\":[]"), ERR_LIMIT,
     "token id 2097152"},
    {ROOT("", "\"vocab\":{\"a\":9223372036854775807},\"merges\":[]"), ERR_LIMIT,
     "token id 9223372036854775807"},
    {ROOT("", "\"vocab\":{\"a\":70000},\"merges\":[]"), ERR_LIMIT,
     "1 tokens with ids up to 70000"},
    {MERGES("{}"), ERR_FORMAT, "without merges"},
    {MERGES("[3]"), ERR_FORMAT, "merge 0 is not two tokens"},
    {MERGES("[\"a b\",\"ab\"]"), ERR_FORMAT, "merge 1 is not two tokens"},
    {MERGES("[\"a b c\"]"), ERR_FORMAT, "merge 0 is not two tokens"},
    {MERGES("[[\"a\"]]"), ERR_FORMAT, "merge 0 is not two tokens"},
    {MERGES("[[\"a\",1]]"), ERR_FORMAT, "merge 0 is not two tokens"},
    {MERGES("[\"a q\"]"), ERR_FORMAT, "merge 0: 'q' is not in the vocabulary"},
    {MERGES("[\"q a\"]"), ERR_FORMAT, "merge 0: 'q' is not in the vocabulary"},
    {MERGES("[\"b a\"]"), ERR_FORMAT, "merge 0: 'ba' is not in the vocabulary"},
    {ROOT("", ABC ",\"merges\":[],\"dropout\":0.1"), ERR_MISMATCH,
     "model 'BPE' with dropout 0.1 is not supported"},
    {ROOT("", ABC ",\"merges\":[],\"continuing_subword_prefix\":\"##\""),
     ERR_MISMATCH, "continuing_subword_prefix '##' is not supported"},
    {ROOT("", ABC ",\"merges\":[],\"end_of_word_suffix\":\"</w>\""),
     ERR_MISMATCH, "end_of_word_suffix '</w>' is not supported"},
    {PARTS("\"normalizer\":{\"type\":\"Lowercase\"}"), ERR_MISMATCH,
     "normalizer 'Lowercase' is not supported"},
    {PARTS("\"normalizer\":{\"type\":\"Sequence\"}"), ERR_FORMAT,
     "without 'normalizers'"},
    {PARTS("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
           "{\"type\":\"NFC\"},{\"type\":\"Precompiled\"}]}"),
     ERR_MISMATCH, "normalizer 'Precompiled' is not supported"},
    {PARTS("\"normalizer\":{\"type\":\"Prepend\"}"), ERR_FORMAT, "prepend"},
    {PARTS("\"post_processor\":{\"type\":\"BertProcessing\"}"), ERR_MISMATCH,
     "post_processor 'BertProcessing' is not supported"},
    {PARTS("\"post_processor\":{\"type\":\"TemplateProcessing\"}"), ERR_FORMAT,
     "without a text"},
    {PARTS("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
           "{\"SpecialToken\":{\"id\":\"<x>\"}},{\"Sequence\":{}}],"
           "\"special_tokens\":{\"<x>\":{\"ids\":[4]}}}"),
     ERR_FORMAT, "id 4 of '<x>' is not in the vocabulary"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"), ERR_MISMATCH,
     "pre_tokenizer 'BertPreTokenizer' is not supported"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Digits\"}"), ERR_FORMAT,
     "individual_digits"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
           "\"ab\"}"),
     ERR_FORMAT, "replacement 'ab'"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
           "\"prepend_scheme\":\"last\"}"),
     ERR_MISMATCH, "prepend_scheme 'last'"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
           "{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
           "{\"type\":\"Whitespace\"}]}"),
     ERR_MISMATCH, "'ByteLevel' before 'Whitespace'"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
           "\"(?i:ss)\"},\"behavior\":\"Isolated\",\"invert\":false}"),
     ERR_MISMATCH, "'(?i:ss)'"},
    {PARTS("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
           "\"(?i:\\u00e9)\"},\"behavior\":\"Isolated\",\"invert\":false}"),
     ERR_MISMATCH, "(?i:"},
    {PARTS("\"added_tokens\":[{\"id\":4,\"content\":\"e\"},"
           "{\"id\":4,\"content\":\"f\"}]"),
     ERR_FORMAT, "same id 4"},
    {PARTS("\"added_tokens\":[{\"id\":4,\"content\":\"a\"}]"), ERR_FORMAT,
     "'a' has ids 0 and 4"},
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

/* Ids without a token, between tokens and above them. */
static void test_gaps(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err err = {0};
    struct buf out;
    static const int32_t id[] = {0, 5, 7, 8, 1, INT32_MAX};
    assert_int_equal(parse(&t, MERGES("[\"a b\"]"), &err), OK);
    assert_int_equal(tokenizer_size(t), 8);
    assert_null(tokenizer_token(t, 5));
    assert_string_equal(tokenizer_token(t, 7), "c");
    assert_false(tokenizer_is_special(t, 5));
    buf_init(&out, 100);
    assert_int_equal(tokenizer_decode(t, id, 6, false, &out, &err), OK);
    assert_string_equal(buf_text(&out), "a c b");
    buf_free(&out);
    tokenizer_free(t);
}

/* What a text may not become: neither a merge, nor a piece, nor a symbol is a
 * special token. */
static void test_no_injection(void **state)
{
    (void)state;
    static const char json[] =
        ROOT("\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
             "\"added_tokens\":[{\"id\":2,\"content\":\"ab\",\"special\":true},"
             "{\"id\":7,\"content\":\"c\",\"special\":true}],",
             ABC ",\"ignore_merges\":true,\"merges\":[\"a b\"]");
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_encode(t, "ab c xaby", 9, false, &ids, &err),
                     OK);
    static const int32_t want[] = {0, 1, 0, 1};
    assert_int_equal(ids.n, 4);
    assert_memory_equal(ids.id, want, sizeof want);
    assert_int_equal(tokenizer_encode(t, "abc", 3, true, &ids, &err), OK);
    assert_int_equal(ids.n, 6);
    assert_int_equal(ids.id[4], 2);
    assert_int_equal(ids.id[5], 7);
    ids_free(&ids);
    tokenizer_free(t);
}

/* One word of a megabyte, merged from both ends of the ranks: O(n log n). */
static void test_long_word(void **state)
{
    (void)state;
    static const char json[] =
        ROOT("", "\"vocab\":{\"a\":0,\"b\":1,\"aa\":2,\"aaaa\":3,\"ab\":4,"
                 "\"aaaaab\":5},\"merges\":[\"a b\",\"a a\",\"aa aa\","
                 "\"aaaa ab\"]");
    size_t len = (size_t)1 << 20;
    char *text = mem_calloc(len, 1);
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    assert_non_null(text);
    memset(text, 'a', len);
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_encode(t, text, len, true, &ids, &err), OK);
    assert_int_equal(ids.n, len / 4);
    /* a...ab in the middle: what is merged first is not at the left. */
    text[len / 2] = 'b';
    ids.n = 0;
    assert_int_equal(tokenizer_encode(t, text, len, true, &ids, &err), OK);
    size_t n = 0;
    for (size_t i = 0; i < ids.n; i++)
        n += strlen(tokenizer_token(t, ids.id[i]));
    assert_int_equal(n, len);
    ids_free(&ids);
    tokenizer_free(t);
    mem_free(text);
}

/* White space without end makes a regular expression look far ahead, once. */
static void test_long_space(void **state)
{
    (void)state;
    struct packed family = unpack("llama3.zst");
    struct tokenizer *t;
    struct err err = {0};
    size_t len, len_text = (size_t)2 << 20;
    const char *json = take_text(&family, &len);
    char *text = mem_calloc(len_text, 1);
    struct ids ids = {0};
    struct buf back;
    assert_non_null(text);
    memset(text, ' ', len_text);
    text[0] = '\n';
    text[len_text - 1] = 'x';
    assert_int_equal(tokenizer_parse(&t, json, len, NULL, 0, "llama3", &err),
                     OK);
    if (tokenizer_encode(t, text, len_text, true, &ids, &err) != OK)
        fail_msg("%s", err.text);
    buf_init(&back, len_text);
    assert_int_equal(tokenizer_decode(t, ids.id, ids.n, true, &back, &err), OK);
    assert_int_equal(back.len, len_text);
    assert_memory_equal(back.data, text, len_text);
    buf_free(&back);
    ids_free(&ids);
    tokenizer_free(t);
    mem_free(text);
    mem_free(family.data);
}

/* A text that grows without bound on its way is refused. */
static void test_growth(void **state)
{
    (void)state;
    char *json = mem_calloc(1 << 21, 1);
    char *x = mem_calloc((1 << 20) + 1, 1);
    struct tokenizer *t;
    struct err err = {0};
    struct ids ids = {0};
    char text[100];
    assert_non_null(json);
    memset(x, 'x', 1 << 20);
    memset(text, 'a', sizeof text);
    (void)snprintf(json, 1 << 21,
                   ROOT("\"normalizer\":{\"type\":\"Replace\",\"pattern\":"
                        "{\"String\":\"a\"},\"content\":\"%s\"},",
                        ABC ",\"merges\":[]"),
                   x);
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_encode(t, text, sizeof text, true, &ids, &err),
                     ERR_LIMIT);
    assert_int_equal(ids.n, 0);
    tokenizer_free(t);
    ids_free(&ids);
    mem_free(json);
    mem_free(x);
}

/* The tokens around a text. */
static void test_template(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err err = {0};
    assert_int_equal(parse(&t, MERGES("[]"), &err), OK);
    assert_int_equal(tokenizer_bos(t), -1);
    assert_int_equal(tokenizer_eos(t), -1);
    tokenizer_free(t);
    static const char json[] =
        PARTS("\"post_processor\":{\"type\":\"Sequence\",\"processors\":["
              "{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\","
              "\"single\":[{\"SpecialToken\":{\"id\":\"<x>\",\"type_id\":0}},"
              "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
              "{\"SpecialToken\":{\"id\":\"c\",\"type_id\":0}}],"
              "\"special_tokens\":{\"<x>\":{\"id\":\"<x>\",\"ids\":[3]},"
              "\"c\":{\"id\":\"c\",\"ids\":[7]}}}]}");
    assert_int_equal(parse(&t, json, &err), OK);
    assert_int_equal(tokenizer_bos(t), 3);
    assert_int_equal(tokenizer_eos(t), 7);
    tokenizer_free(t);
}

/* Every allocation in turn fails: an error, nothing leaked.  Those of the
 * JSON parser, which follow the first two, are tests/base's concern. */
static void check_memory(const char *json)
{
    struct json *root;
    struct err err = {0};
    static const char text[] = "\xe2\x96\x81 \xe1\xba\xa1\xcc\x82 <x> ab 12";
    mem_fail_at(-1);
    assert_int_equal(json_parse(&root, json, strlen(json), "", &err), OK);
    long n_json = mem_count();
    json_free(root);
    for (long n = 0;; n++) {
        struct tokenizer *t = NULL;
        struct ids ids = {0};
        struct buf out;
        buf_init(&out, 1000);
        if (n == 2)
            n += n_json;
        mem_fail_at(n);
        enum status status = parse(&t, json, &err);
        if (status == OK)
            status =
                tokenizer_encode(t, text, sizeof text - 1, true, &ids, &err);
        if (status == OK)
            status = tokenizer_decode(t, ids.id, ids.n, false, &out, &err);
        bool is_past = mem_count() <= n;
        mem_fail_at(-1);
        tokenizer_free(t);
        ids_free(&ids);
        buf_free(&out);
        /* Without memory for compiled code, a pattern is interpreted: OK. */
        if (status != OK && status != ERR_MEMORY)
            fail_msg("allocation %ld: %s", n, err.text);
        if (is_past)
            break;
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    check_memory(
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
        "\"NFC\"},{\"type\":\"Prepend\",\"prepend\":\"_\"},{\"type\":"
        "\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"_\"}]},"
        "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},"
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
        "\"ByteFallback\"},{\"type\":\"Metaspace\",\"replacement\":\"_\"},"
        "{\"type\":\"Strip\",\"content\":\"a\",\"start\":1,\"stop\":1}]},"
        "\"added_tokens\":[{\"id\":3,\"content\":\"<x>\",\"normalized\":true}"
        "],\"model\":{\"type\":\"BPE\"," ABC
        ",\"merges\":[[\"a\",\"b\"]],\"unk_token\":\"<x>\"}}");
    check_memory(
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
        "\"type\":\"Digits\",\"individual_digits\":true},{\"type\":"
        "\"ByteLevel\",\"add_prefix_space\":true}]},\"decoder\":{\"type\":"
        "\"ByteLevel\"},\"model\":{\"type\":\"BPE\"," ABC
        ",\"merges\":[\"a b\"],\"unk_token\":\"<x>\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_no_injection),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_long_space),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("bpe", tests, NULL, NULL);
}

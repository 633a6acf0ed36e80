/*
 * test_chat_golden.c - layouts against what transformers' apply_chat_template
 * made of the same conversations (tools/make_chat_golden.py): the prompt's
 * ids, and the ids that are learnt, which are the response's with the token
 * that ends it and no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "io/chat.h"
#include "io/dialogue.h"

#define FILE_MAX ((size_t)4 << 20)

static struct json *golden;
static struct tokenizer *tokenizer;

static int open_golden(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct buf text;
    buf_init(&text, FILE_MAX);
    enum status status =
        json_read(&golden, TEST_DATA "/chat/golden.json", FILE_MAX, &err);
    if (status == OK) {
        json_dump(&text, json_get(golden, "tokenizer"));
        status = tokenizer_parse(&tokenizer, buf_text(&text), text.len, NULL, 0,
                                 "tokenizer", &err);
    }
    buf_free(&text);
    if (status != OK)
        fail_msg("%s", err.text);
    return 0;
}

static int close_golden(void **state)
{
    (void)state;
    tokenizer_free(tokenizer);
    json_free(golden);
    return 0;
}

static void check_ids(const struct json *item, const char *key,
                      const struct ids *got)
{
    const struct json *want = json_get(item, key);
    const char *what = json_text(json_get(item, "name"), "?");
    const char *template = json_text(json_get(item, "template"), "?");
    if (json_size(want) != got->n)
        fail_msg("%s, %s: %zu %s, wanted %zu", template, what, got->n, key,
                 json_size(want));
    for (size_t i = 0; i < got->n; i++)
        if (got->id[i] != json_int(json_at(want, i), -1))
            fail_msg("%s, %s: item %zu of %s is %d (%s), wanted %d", template,
                     what, i, key, (int)got->id[i],
                     tokenizer_token(tokenizer, got->id[i]),
                     (int)json_int(json_at(want, i), -1));
}

static void check_case(const struct json *item)
{
    struct chat chat;
    struct err err = {OK, ""};
    struct ids ids = {0};
    struct dialogue d = {0};
    const char *name = json_text(json_get(item, "template"), "?");
    int32_t eos = tokenizer_id(tokenizer, "<eos>");
    assert_true(eos >= 0);
    enum status status = chat_open(&chat, tokenizer, name, NULL, &err);
    if (status == OK)
        status =
            dialogue_read(&d, json_get(item, "messages"), "messages", &err);
    if (status == OK)
        status =
            chat_encode_messages(tokenizer, &chat, d.turn, d.n, &ids, &err);
    if (status != OK)
        fail_msg("%s: %s", name, err.text);
    check_ids(item, "prompt_ids", &ids);
    ids.n = 0;
    status = chat_encode_response(tokenizer, &chat,
                                  json_text(json_get(item, "response"), ""),
                                  chat_end(&chat, tokenizer, eos), &ids, &err);
    if (status != OK)
        fail_msg("%s: %s", name, err.text);
    check_ids(item, "response_ids", &ids);
    ids_free(&ids);
    dialogue_free(&d);
}

static void test_cases(void **state)
{
    (void)state;
    const struct json *cases = json_get(golden, "cases");
    size_t seen[CHAT_TEMPLATES] = {0};
    for (size_t i = 0; i < json_size(cases); i++) {
        const struct json *item = json_at(cases, i);
        enum chat_template t;
        assert_int_equal(
            chat_find(&t, json_text(json_get(item, "template"), ""), NULL), OK);
        seen[t]++;
        check_case(item);
    }
    for (int t = CHAT_NONE + 1; t < CHAT_TEMPLATES; t++)
        if (seen[t] < 3)
            fail_msg("%s has %zu cases", chat_name((enum chat_template)t),
                     seen[t]);
}

/* The texts we write into other tools' files are those that were rendered. */
static void test_sources(void **state)
{
    (void)state;
    const struct json *sources = json_get(golden, "sources");
    assert_int_equal(json_size(sources), CHAT_TEMPLATES);
    for (int t = 0; t < CHAT_TEMPLATES; t++) {
        char hash[17];
        const char *name = chat_name((enum chat_template)t);
        chat_hash(hash, (enum chat_template)t);
        assert_string_equal(hash, json_text(json_get(sources, name), name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests_name("chat_golden", tests, open_golden,
                                       close_golden);
}

/*
 * fuzz_chat.c - chat data: the first byte chooses a template, the rest is a
 * file of records in any format.  What is read is laid out and encoded, and
 * whatever it says: the control tokens are those the template puts, one for
 * one, and taking all ids back to text gives the contents again.
 */
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "io/chat.h"
#include "io/dataset.h"

#define TEXT_MAX ((size_t)64 << 20)

static struct tokenizer *tokenizer;

/* Byte-level BPE without merges: 256 bytes, and the templates' tokens. */
static void make_tokenizer(void)
{
    static const char *const special[] = {"<|im_start|>",
                                          "<|im_end|>",
                                          "<|begin_of_text|>",
                                          "<|start_header_id|>",
                                          "<|end_header_id|>",
                                          "<|eot_id|>",
                                          "</s>",
                                          "<cust>",
                                          "<agent>",
                                          "<eos>",
                                          "<think>",
                                          "</think>"};
    struct buf json;
    struct err err = {OK, ""};
    buf_init(&json, 100000);
    buf_puts(&json, "{\"added_tokens\":[");
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        buf_printf(&json, "%s{\"id\":%zu,\"content\":\"%s\",\"special\":true}",
                   i > 0 ? "," : "", 256 + i, special[i]);
    buf_puts(&json,
             "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\","
             "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":"
             "true},\"post_processor\":null,\"decoder\":{\"type\":"
             "\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{");
    /* GPT-2's stand-ins: printable bytes are themselves, the others follow
     * U+0100 in order. */
    unsigned next = 0x100;
    for (unsigned b = 0; b < 256; b++) {
        bool is_self = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) ||
                       (b >= 174 && b <= 255);
        unsigned c = is_self ? b : next++;
        buf_printf(&json, "%s\"\\u%04x\":%u", b > 0 ? "," : "", c, b);
    }
    buf_puts(&json, "},\"merges\":[]}}");
    FUZZ_CHECK(tokenizer_parse(&tokenizer, buf_text(&json), json.len, NULL, 0,
                               "bytes", &err) == OK);
    buf_free(&json);
}

static size_t count(const struct ids *ids, const char *token)
{
    size_t n = 0;
    int32_t id = tokenizer_id(tokenizer, token);
    for (size_t i = 0; i < ids->n; i++)
        n += ids->id[i] == id;
    return n;
}

static size_t count_special(const struct ids *ids)
{
    size_t n = 0;
    for (size_t i = 0; i < ids->n; i++)
        n += ids->id[i] >= 256;
    return n;
}

/* How many control tokens a prompt of n messages has, per template. */
static size_t expected(enum chat_template t, const struct chat_message *m,
                       size_t n)
{
    bool has_system = strcmp(m[0].role, "system") == 0;
    size_t answers = 0;
    for (size_t i = 0; i < n; i++)
        answers += strcmp(m[i].role, "assistant") == 0;
    switch (t) {
    case CHAT_SUPPORT:
        return n + answers + 1;
    case CHAT_CHATML:
        return 2 * n + 1;
    case CHAT_SMOLLM2:
    case CHAT_QWEN2:
    case CHAT_QWEN25:
        return 2 * (n + !has_system) + 1;
    case CHAT_QWEN3:
        return 2 * n + 3;
    case CHAT_LLAMA3:
        return 1 + 3 * n + 2;
    case CHAT_LLAMA31:
        return 1 + 3 * (n + !has_system) + 2;
    case CHAT_ZEPHYR:
        return n;
    case CHAT_NONE:
    case CHAT_HH:
    case CHAT_TEMPLATES:
        break;
    }
    return 0;
}

static void check_prompt(const struct chat *chat, const struct chat_message *m,
                         size_t n)
{
    struct ids ids = {0};
    struct err err = {OK, ""};
    struct buf text;
    enum status status =
        chat_encode_messages(tokenizer, chat, m, n, &ids, &err);
    FUZZ_CHECK(status == OK || status == ERR_MISMATCH);
    FUZZ_CHECK(status == OK || (ids.n == 0 && err.text[0] != '\0'));
    if (status == OK)
        FUZZ_CHECK(count_special(&ids) == expected(chat->template, m, n));
    /* Thoughts are left out, blanks at the ends taken off. */
    bool is_whole = chat->template != CHAT_QWEN3 &&
                    chat->template != CHAT_LLAMA3 &&
                    chat->template != CHAT_LLAMA31;
    buf_init(&text, TEXT_MAX);
    if (status == OK && is_whole) {
        const char *at;
        FUZZ_CHECK(tokenizer_decode(tokenizer, ids.id, ids.n, false, &text,
                                    &err) == OK);
        at = buf_text(&text);
        for (size_t i = 0; i < n; i++) {
            at = strstr(at, m[i].content);
            FUZZ_CHECK(at != NULL);
            at += strlen(m[i].content);
        }
    }
    buf_free(&text);
    ids_free(&ids);
}

static void check_response(const struct chat *chat, const char *response)
{
    struct ids ids = {0};
    struct err err = {OK, ""};
    struct buf text;
    int32_t end = chat_end(chat, tokenizer, 256 + 9);
    buf_init(&text, TEXT_MAX);
    FUZZ_CHECK(
        chat_encode_response(tokenizer, chat, response, end, &ids, &err) == OK);
    FUZZ_CHECK(ids.n > 0 && ids.id[ids.n - 1] == end);
    FUZZ_CHECK(count_special(&ids) == 1 &&
               count(&ids, tokenizer_token(tokenizer, end)) == 1);
    FUZZ_CHECK(tokenizer_decode(tokenizer, ids.id, ids.n, true, &text, &err) ==
               OK);
    const char *reply = chat_reply(chat, buf_text(&text));
    bool is_trimmed =
        chat->template == CHAT_LLAMA3 || chat->template == CHAT_LLAMA31;
    FUZZ_CHECK(is_trimmed ? strstr(response, reply) != NULL
                          : strcmp(reply, response) == 0);
    buf_free(&text);
    ids_free(&ids);
}

static void check_record(const struct chat *chat, const struct record *r)
{
    const struct chat_message text = {"user", r->prompt};
    if (r->dialogue.n > 0)
        check_prompt(chat, r->dialogue.turn, r->dialogue.n);
    else
        check_prompt(chat, &text, 1);
    if (r->response != NULL)
        check_response(chat, r->response);
    for (size_t k = 0; k < r->n_responses; k++)
        check_response(chat, r->responses[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (tokenizer == NULL)
        make_tokenizer();
    if (size == 0)
        return 0;
    const struct chat chat = {
        .template = (enum chat_template)(data[0] % CHAT_TEMPLATES)};
    struct dataset d = {0};
    struct err err = {OK, ""};
    if (dataset_parse(&d, (const char *)data + 1, size - 1, "input",
                      DATASET_ANY, &err) != OK)
        return 0;
    for (size_t i = 0; i < d.n; i++)
        check_record(&chat, &d.record[i]);
    dataset_free(&d);
    return 0;
}

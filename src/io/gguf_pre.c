#include "io/gguf_pre.h"

#include <string.h>

#define BYTES(regex)                                                           \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"                      \
    "\"trim_offsets\":true,\"use_regex\":" regex "}"
#define SEQUENCE(steps) "{\"type\":\"Sequence\",\"pretokenizers\":[" steps "]}"
#define SPLIT(regex)                                                           \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},"               \
    "\"behavior\":\"Isolated\",\"invert\":false}"

/* Llama 3's words, with numbers in groups of up to three, and Qwen2's, which
 * take digits one by one. */
#define WORDS(digits)                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"    \
    "\\\\p{N}" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|"             \
    "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

static const struct gguf_pre table[] = {
    {"gpt-2", BYTES("true"), false},
    {"smollm",
     SEQUENCE(
         "{\"type\":\"Digits\",\"individual_digits\":true}," BYTES("true")),
     false},
    {"llama-bpe", SEQUENCE(SPLIT(WORDS("{1,3}")) "," BYTES("false")), false},
    {"qwen2", SEQUENCE(SPLIT(WORDS("")) "," BYTES("false")), true},
};
#define N (sizeof table / sizeof *table)

const struct gguf_pre *gguf_pre_find(const char *name)
{
    for (size_t i = 0; i < N; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* ---- comparing ---------------------------------------------------------- */

static bool is_same_text(const struct json *a, const struct json *b,
                         const char *key)
{
    return strcmp(json_text(json_get(a, key), ""),
                  json_text(json_get(b, key), "")) == 0;
}

static bool is_same_bool(const struct json *a, const struct json *b,
                         const char *key, bool fallback)
{
    return json_bool(json_get(a, key), fallback) ==
           json_bool(json_get(b, key), fallback);
}

static bool is_same_step(const struct json *a, const struct json *b)
{
    return is_same_text(a, b, "type") && is_same_text(a, b, "behavior") &&
           is_same_text(json_get(a, "pattern"), json_get(b, "pattern"),
                        "Regex") &&
           is_same_text(json_get(a, "pattern"), json_get(b, "pattern"),
                        "String") &&
           is_same_bool(a, b, "invert", false) &&
           is_same_bool(a, b, "individual_digits", false) &&
           is_same_bool(a, b, "add_prefix_space", true) &&
           is_same_bool(a, b, "use_regex", true);
}

/* A pre-tokenizer is one step or a sequence of them. */
static const struct json *step(const struct json *node, size_t i)
{
    const struct json *list = json_get(node, "pretokenizers");
    return list ? json_at(list, i) : i == 0 ? node : NULL;
}

static bool is_same(const struct json *a, const struct json *b)
{
    for (size_t i = 0; step(a, i) || step(b, i); i++)
        if (!step(a, i) || !step(b, i) || !is_same_step(step(a, i), step(b, i)))
            return false;
    return true;
}

static bool is_normal(const struct gguf_pre *pre, const struct json *node)
{
    if (json_is_null(node) || !node)
        return !pre->is_nfc;
    return pre->is_nfc &&
           strcmp(json_text(json_get(node, "type"), ""), "NFC") == 0;
}

enum status gguf_pre_match(const struct gguf_pre **out,
                           const struct json *tokenizer, struct err *err)
{
    const struct json *node = json_get(tokenizer, "pre_tokenizer");
    const struct gguf_pre *found = NULL;
    for (size_t i = 0; i < N && !found; i++) {
        struct json *own;
        const char *text = table[i].pretokenizer;
        TRY(json_parse(&own, text, strlen(text), table[i].name, err));
        if (is_same(own, node) &&
            is_normal(&table[i], json_get(tokenizer, "normalizer")))
            found = &table[i];
        json_free(own);
    }
    *out = found;
    return OK;
}

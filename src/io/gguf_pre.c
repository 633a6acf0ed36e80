#include "io/gguf_pre.h"

#include <string.h>

#define LETTERS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Of rows that only differ in name the first is the one written. */
static const struct gguf_pre table[] = {
    {"gpt-2", NULL, false, false, false, false},
    {"llama-bpe", LETTERS "\\p{N}{1,3}" OTHERS, false, false, true, true},
    {"llama3", LETTERS "\\p{N}{1,3}" OTHERS, false, false, true, true},
    {"llama-v3", LETTERS "\\p{N}{1,3}" OTHERS, false, false, true, true},
    {"qwen2", LETTERS "\\p{N}" OTHERS, false, true, false, false},
    {"smollm", NULL, true, false, false, false},
};
#define ROWS (sizeof table / sizeof *table)

const struct gguf_pre *gguf_pre_find(struct gguf_text name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(table[i].name) == name.len &&
            memcmp(table[i].name, name.data, name.len) == 0)
            return &table[i];
    return NULL;
}

static bool is_type(const struct json *node, const char *type)
{
    return strcmp(json_text(json_get(node, "type"), ""), type) == 0;
}

static bool is_digits(const struct json *step)
{
    return is_type(step, "Digits") &&
           json_bool(json_get(step, "individual_digits"), false);
}

static bool is_split(const struct json *step, const char *regex)
{
    const struct json *pattern = json_get(step, "pattern");
    return is_type(step, "Split") &&
           strcmp(json_text(json_get(step, "behavior"), ""), "Isolated") == 0 &&
           !json_bool(json_get(step, "invert"), false) &&
           strcmp(json_text(json_get(pattern, "Regex"), ""), regex) == 0;
}

static bool is_bytes(const struct json *step, bool has_words)
{
    return is_type(step, "ByteLevel") &&
           !json_bool(json_get(step, "add_prefix_space"), true) &&
           json_bool(json_get(step, "use_regex"), true) == has_words;
}

/* A pre-tokenizer is one step or a sequence of them. */
static const struct json *step_at(const struct json *pre, size_t i)
{
    const struct json *list = json_get(pre, "pretokenizers");
    if (list)
        return json_at(list, i);
    return i == 0 ? pre : NULL;
}

static bool has_steps(const struct gguf_pre *row, const struct json *pre)
{
    size_t i = 0;
    if (row->digits && !is_digits(step_at(pre, i++)))
        return false;
    if (row->regex && !is_split(step_at(pre, i++), row->regex))
        return false;
    return is_bytes(step_at(pre, i), !row->regex) && !step_at(pre, i + 1);
}

const struct gguf_pre *gguf_pre_match(const struct json *tokenizer)
{
    const struct json *model = json_get(tokenizer, "model");
    const struct json *normalizer = json_get(tokenizer, "normalizer");
    bool has_normalizer = normalizer && !json_is_null(normalizer);
    bool ignores = json_bool(json_get(model, "ignore_merges"), false);
    for (size_t i = 0; i < ROWS; i++) {
        const struct gguf_pre *row = &table[i];
        bool is_normal =
            row->nfc ? is_type(normalizer, "NFC") : !has_normalizer;
        if (is_normal && row->ignores_merges == ignores &&
            has_steps(row, json_get(tokenizer, "pre_tokenizer")))
            return row;
    }
    return NULL;
}

#include "io/tokenizer_export.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "io/gguf_pre.h"

#define NAME "tokenizer.json"

struct exporter {
    struct gguf_writer *w;
    const struct tokenizer *t;
    const struct json *model; // of tokenizer.json
    size_t n;                 // rows the model has for tokens
    struct arena arena;       // holds what follows
    struct gguf_text *token;  // [n]
    int32_t *type;            // [n]
};

static struct gguf_text text_of(const char *text)
{
    return (struct gguf_text){text, strlen(text)};
}

static bool is_byte_token(const char *token)
{
    return strlen(token) == 6 && strncmp(token, "<0x", 3) == 0 &&
           strspn(token + 3, "0123456789ABCDEF") == 2 && token[5] == '>';
}

static int32_t type_of(const struct exporter *e, int32_t id, const char *token,
                       bool is_added)
{
    const char *unknown = json_text(json_get(e->model, "unk_token"), NULL);
    if (unknown && strcmp(token, unknown) == 0)
        return GGUF_TOKEN_UNKNOWN;
    if (tokenizer_is_special(e->t, id))
        return GGUF_TOKEN_CONTROL;
    if (is_added)
        return GGUF_TOKEN_USER;
    bool is_byte = json_bool(json_get(e->model, "byte_fallback"), false) &&
                   is_byte_token(token);
    return is_byte ? GGUF_TOKEN_BYTE : GGUF_TOKEN_NORMAL;
}

static enum status collect_tokens(struct exporter *e, struct err *err)
{
    const struct json *vocab = json_get(e->model, "vocab");
    TRY(ARENA_NEW(&e->arena, e->token, e->n, err));
    TRY(ARENA_NEW(&e->arena, e->type, e->n, err));
    for (size_t i = 0; i < e->n; i++) {
        int32_t id = (int32_t)i;
        const char *token = tokenizer_token(e->t, id);
        if (token) {
            e->token[i] = text_of(token);
            e->type[i] = type_of(e, id, token, !json_get(vocab, token));
            continue;
        }
        char *name;
        TRY(ARENA_NEW(&e->arena, name, 32, err));
        (void)snprintf(name, 32, "[PAD%zu]", i);
        e->token[i] = text_of(name);
        e->type[i] = GGUF_TOKEN_UNUSED;
    }
    return OK;
}

/* ---- merges ------------------------------------------------------------- */

/* A merge is "a b" or ["a","b"]; its two tokens as one text, with a blank
 * between them or without. */
static enum status merge_text(struct gguf_text *out, struct exporter *e,
                              const struct json *merge, const char *between,
                              struct err *err)
{
    const char *whole = json_text(merge, NULL);
    const char *a = json_text(json_at(merge, 0), "");
    const char *b = json_text(json_at(merge, 1), "");
    size_t len_a = strlen(a);
    char *text;
    if (whole) {
        a = whole;
        len_a = strcspn(whole, " ");
        b = whole + len_a + (whole[len_a] == ' ');
    }
    size_t len = len_a + strlen(between) + strlen(b);
    TRY(ARENA_NEW(&e->arena, text, len + 1, err));
    (void)snprintf(text, len + 1, "%.*s%s%s", (int)len_a, a, between, b);
    *out = (struct gguf_text){text, len};
    return OK;
}

static enum status put_merges(struct exporter *e, struct err *err)
{
    const struct json *merges = json_get(e->model, "merges");
    size_t n = json_size(merges);
    struct gguf_text *text;
    TRY(ARENA_NEW(&e->arena, text, n, err));
    for (size_t i = 0; i < n; i++)
        TRY(merge_text(&text[i], e, json_at(merges, i), " ", err));
    gguf_put_texts(e->w, "tokenizer.ggml.merges", text, n);
    return OK;
}

/* SentencePiece merges whichever two neighbours make the token of the highest
 * score: minus the rank of the first merge that makes it. */
static enum status put_scores(struct exporter *e, struct err *err)
{
    const struct json *merges = json_get(e->model, "merges");
    float *score;
    TRY(ARENA_NEW(&e->arena, score, e->n, err));
    memset(score, 0, e->n * sizeof *score);
    for (size_t i = json_size(merges); i-- > 0;) {
        struct gguf_text text;
        TRY(merge_text(&text, e, json_at(merges, i), "", err));
        int32_t id = tokenizer_id(e->t, text.data);
        if (id >= 0 && (size_t)id < e->n)
            score[id] = -(float)(i + 1);
    }
    gguf_put_reals(e->w, "tokenizer.ggml.scores", score, e->n);
    return OK;
}

/* ---- the two kinds ------------------------------------------------------ */

static enum status put_byte_level(struct exporter *e, const struct json *root,
                                  struct err *err)
{
    const struct gguf_pre *pre = gguf_pre_match(root);
    if (!pre)
        return err_set(err, ERR_MISMATCH,
                       NAME ": llama.cpp has no name for its pre-tokenizer "
                            "and normalizer");
    gguf_put_text(e->w, "tokenizer.ggml.model", "gpt2");
    gguf_put_text(e->w, "tokenizer.ggml.pre", pre->name);
    return put_merges(e, err);
}

static bool is_type(const struct json *node, const char *type)
{
    return strcmp(json_text(json_get(node, "type"), ""), type) == 0;
}

/* Is a blank put before the text: by the normalizer, or by Metaspace? */
static bool has_space_prefix(const struct json *root)
{
    const struct json *normalizer = json_get(root, "normalizer");
    const struct json *list = json_get(normalizer, "normalizers");
    const struct json *pre = json_get(root, "pre_tokenizer");
    for (size_t i = 0; i < json_size(list); i++)
        if (is_type(json_at(list, i), "Prepend"))
            return true;
    return is_type(normalizer, "Prepend") ||
           (is_type(pre, "Metaspace") &&
            strcmp(json_text(json_get(pre, "prepend_scheme"), "always"),
                   "never") != 0);
}

static enum status put_sentencepiece(struct exporter *e,
                                     const struct json *root, struct err *err)
{
    gguf_put_text(e->w, "tokenizer.ggml.model", "llama");
    gguf_put_text(e->w, "tokenizer.ggml.pre", "default");
    gguf_put_bool(e->w, "tokenizer.ggml.add_space_prefix",
                  has_space_prefix(root));
    return put_scores(e, err);
}

/* ------------------------------------------------------------------------- */

/* The chat template of tokenizer_config.json: a text, or the one of several
 * that is named "default". */
static enum status put_chat(struct gguf_writer *w, const struct tokenizer *t,
                            struct err *err)
{
    size_t len;
    const char *text = tokenizer_config_json(t, &len);
    struct json *root;
    if (!text)
        return OK;
    TRY(json_parse(&root, text, len, "tokenizer_config.json", err));
    const struct json *node = json_get(root, "chat_template");
    const char *chat = json_text(node, NULL);
    for (size_t i = 0; !chat && i < json_size(node); i++)
        if (strcmp(json_text(json_get(json_at(node, i), "name"), ""),
                   "default") == 0)
            chat = json_text(json_get(json_at(node, i), "template"), NULL);
    if (chat)
        gguf_put_text(w, "tokenizer.chat_template", chat);
    json_free(root);
    return OK;
}

static enum status put_model(struct exporter *e, const struct json *root,
                             struct err *err)
{
    e->model = json_get(root, "model");
    if (!is_type(e->model, "BPE"))
        return err_set(err, ERR_MISMATCH,
                       NAME ": llama.cpp has no form for a %s model",
                       json_text(json_get(e->model, "type"), "nameless"));
    bool is_spm = json_bool(json_get(e->model, "byte_fallback"), false);
    TRY(collect_tokens(e, err));
    TRY(is_spm ? put_sentencepiece(e, root, err)
               : put_byte_level(e, root, err));
    gguf_put_texts(e->w, "tokenizer.ggml.tokens", e->token, e->n);
    gguf_put_ints(e->w, "tokenizer.ggml.token_type", e->type, e->n);
    const char *unknown = json_text(json_get(e->model, "unk_token"), NULL);
    int32_t id = unknown ? tokenizer_id(e->t, unknown) : -1;
    if (id >= 0)
        gguf_put_int(e->w, "tokenizer.ggml.unknown_token_id", GGUF_U32, id);
    return OK;
}

enum status tokenizer_export(struct gguf_writer *w, const struct tokenizer *t,
                             size_t n, struct err *err)
{
    struct exporter e = {.w = w, .t = t, .n = n};
    struct json *root;
    size_t len;
    const char *text = tokenizer_json(t, &len);
    TRY(json_parse(&root, text, len, NAME, err));
    enum status status = put_model(&e, root, err);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", tokenizer_bos(t) >= 0);
    gguf_put_bool(w, "tokenizer.ggml.add_eos_token", tokenizer_eos(t) >= 0);
    if (status == OK)
        status = put_chat(w, t, err);
    json_free(root);
    arena_free(&e.arena);
    return status;
}

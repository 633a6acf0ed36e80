#include "io/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/decoder.h"
#include "io/pretokenizer.h"
#include "io/vocab.h"
#include "io/wordlevel.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)   // to encode
#define JSON_MAX ((size_t)64 * 1024 * 1024)   // tokenizer.json
#define CONFIG_MAX ((size_t)16 * 1024 * 1024) // tokenizer_config.json

/* A kind of model.  Its vocabulary is read here; the rest is its own.  (Going
 * back to text is the decoder's work, whatever the kind.) */
static const struct kind {
    const char *type;
    enum status (*parse)(void **out, const struct json *model,
                         const struct vocab *v, const char *name,
                         struct err *err);
    enum status (*encode)(const void *model, const struct vocab *v,
                          const char *text, size_t len, struct ids *out,
                          struct err *err);
    void (*free)(void *model);
} kinds[] = {
    {"WordLevel", wordlevel_parse, wordlevel_encode, wordlevel_free},
};

/* A token found in the text itself, before the pre-tokenizer. */
struct added {
    const char *content; // in the vocabulary
    size_t len;
    int32_t id;
    bool is_normalized; // looked for after those that are not
};

struct tokenizer {
    struct vocab vocab;
    const struct kind *kind;
    void *model;
    struct pretokenizer pretokenizer;
    struct decoder decoder;
    struct added *added; // by first byte, then the longest first
    size_t n_added;
    size_t first[257]; // added[first[c]..first[c+1]) start with byte c
    struct buf json, config;
    bool has_config;
};

/* ---- ids ---------------------------------------------------------------- */

enum status ids_push(struct ids *ids, int32_t id, struct err *err)
{
    if (ids->n == ids->room) {
        size_t room = ids->room != 0 ? 2 * ids->room : 64;
        int32_t *grown = mem_grow(ids->id, ids->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for %zu token ids",
                           room);
        ids->id = grown;
        ids->room = room;
    }
    ids->id[ids->n++] = id;
    return OK;
}

void ids_free(struct ids *ids)
{
    mem_free(ids->id);
    *ids = (struct ids){0};
}

/* ---- reading ------------------------------------------------------------ */

/* Parts that must be absent or null. */
static enum status refuse_parts(const struct json *root, const char *name,
                                struct err *err)
{
    static const char *const parts[] = {"normalizer", "post_processor",
                                        "truncation", "padding"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct json *part = json_get(root, parts[i]);
        if (part == NULL || json_is_null(part))
            continue;
        const char *type = json_text(json_get(part, "type"), "");
        return err_set(err, ERR_MISMATCH, "%s: %s%s%.60s%s is not supported",
                       name, parts[i], type[0] != '\0' ? " '" : "", type,
                       type[0] != '\0' ? "'" : "");
    }
    return OK;
}

static enum status add_token(struct tokenizer *t, const char *token, int64_t id,
                             const char *name, struct err *err)
{
    enum status status = vocab_add(&t->vocab, token, id, err);
    if (status != OK)
        (void)err_context(err, "%s", name);
    return status;
}

/* Tokens of the model, then the added ones that are not among them. */
static enum status read_vocab(struct tokenizer *t, const struct json *tokens,
                              const struct json *added, const char *name,
                              struct err *err)
{
    struct vocab *v = &t->vocab;
    if (!json_is_object(tokens) || json_size(tokens) == 0)
        return err_set(err, ERR_FORMAT, "%s: model has no vocabulary", name);
    if (added != NULL && !json_is_array(added))
        return err_set(err, ERR_FORMAT, "%s: added_tokens is not a list", name);
    size_t n = json_size(tokens);
    for (size_t i = 0; i < json_size(added); i++) {
        const char *content;
        TRY(json_need_text(&content, json_at(added, i), "content", name, err));
        n += json_get(tokens, content) == NULL ? 1 : 0;
    }
    TRY(vocab_init(v, n, err));
    for (const void *it = json_first(tokens); it != NULL;
         it = json_next(tokens, it)) {
        int64_t id = json_int(json_value(it), -1);
        TRY(add_token(t, json_key(it), id, name, err));
        v->entry[id].is_model = true;
    }
    return OK;
}

/* One added token: what is asked of it must be what we do. */
static enum status read_added(struct tokenizer *t, const struct json *node,
                              const char *name, struct err *err)
{
    static const char *const flags[] = {"lstrip", "rstrip", "single_word"};
    const char *content = json_text(json_get(node, "content"), "");
    size_t len = strlen(content);
    int64_t id;
    if (len == 0)
        return err_set(err, ERR_FORMAT, "%s: empty added token", name);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_bool(json_get(node, flags[i]), false))
            return err_set(err, ERR_MISMATCH,
                           "%s: added token '%.60s' with %s is not supported",
                           name, content, flags[i]);
    TRY(json_need_int(&id, node, "id", 0, INT32_MAX, name, err));
    int32_t known = vocab_find(&t->vocab, content, len);
    if (known < 0)
        TRY(add_token(t, content, id, name, err));
    else if (known != id)
        return err_set(err, ERR_FORMAT, "%s: token '%.60s' has ids %d and %lld",
                       name, content, (int)known, (long long)id);
    bool is_special = json_bool(json_get(node, "special"), false);
    struct vocab_entry *entry = &t->vocab.entry[id];
    entry->is_special = is_special;
    t->added[t->n_added++] = (struct added){
        .content = entry->token,
        .len = len,
        .id = (int32_t)id,
        .is_normalized = json_bool(json_get(node, "normalized"), !is_special),
    };
    return OK;
}

static int by_start(const void *a, const void *b)
{
    const struct added *x = a;
    const struct added *y = b;
    unsigned char p = (unsigned char)x->content[0];
    unsigned char q = (unsigned char)y->content[0];
    if (p != q)
        return p < q ? -1 : 1;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static enum status read_all_added(struct tokenizer *t, const struct json *list,
                                  const char *name, struct err *err)
{
    TRY(MEM_NEW(t->added, json_size(list), err));
    for (size_t i = 0; i < json_size(list); i++)
        TRY(read_added(t, json_at(list, i), name, err));
    if (t->n_added > 1)
        qsort(t->added, t->n_added, sizeof *t->added, by_start);
    for (size_t i = 1; i < t->n_added; i++)
        if (t->added[i].id == t->added[i - 1].id)
            return err_set(err, ERR_FORMAT,
                           "%s: added token '%.60s' stands there twice", name,
                           t->added[i].content);
    size_t at = 0;
    for (size_t c = 0; c < 257; c++) {
        while (at < t->n_added && (unsigned char)t->added[at].content[0] < c)
            at++;
        t->first[c] = at;
    }
    return OK;
}

static enum status read_model(struct tokenizer *t, const struct json *root,
                              const char *name, struct err *err)
{
    const char *type;
    const struct json *model = json_get(root, "model");
    const struct json *added = json_get(root, "added_tokens");
    TRY(json_need_text(&type, model, "type", name, err));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            t->kind = &kinds[i];
    if (t->kind == NULL)
        return err_set(err, ERR_MISMATCH, "%s: model '%.60s' is not supported",
                       name, type);
    TRY(read_vocab(t, json_get(model, "vocab"), added, name, err));
    TRY(read_all_added(t, added, name, err));
    return t->kind->parse(&t->model, model, &t->vocab, name, err);
}

static enum status read_root(struct tokenizer *t, const struct json *root,
                             const char *name, struct err *err)
{
    if (!json_is_object(root))
        return err_set(err, ERR_FORMAT, "%s is not a JSON object", name);
    const char *version = json_text(json_get(root, "version"), "1.0");
    if (strcmp(version, "1.0") != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: version '%.20s' is not supported", name, version);
    TRY(refuse_parts(root, name, err));
    TRY(pretokenizer_parse(&t->pretokenizer, json_get(root, "pre_tokenizer"),
                           name, err));
    TRY(decoder_parse(&t->decoder, json_get(root, "decoder"), name, err));
    return read_model(t, root, name, err);
}

enum status tokenizer_parse(struct tokenizer **out, const char *json,
                            size_t len, const char *config_json,
                            size_t len_config, const char *name,
                            struct err *err)
{
    struct tokenizer *t = NULL;
    struct json *root = NULL;
    enum status status;
    TRY(MEM_NEW(t, 1, err));
    buf_init(&t->json, JSON_MAX);
    buf_init(&t->config, CONFIG_MAX);
    buf_append(&t->json, json, len);
    TRY_DONE(buf_status(&t->json, err));
    t->has_config = config_json != NULL;
    if (t->has_config)
        buf_append(&t->config, config_json, len_config);
    TRY_DONE(buf_status(&t->config, err));
    TRY_DONE(json_parse(&root, buf_text(&t->json), len, name, err));
    status = read_root(t, root, name, err);
done:
    if (root != NULL)
        json_free(root);
    if (status != OK)
        tokenizer_free(t);
    else
        *out = t;
    return status;
}

enum status tokenizer_open(struct tokenizer **out, const char *path,
                           struct err *err)
{
    char dir[FILE_PATH_MAX], file[FILE_PATH_MAX], side[FILE_PATH_MAX];
    bool is_dir = file_is_dir(path);
    struct buf json, config;
    enum status status;
    buf_init(&json, JSON_MAX);
    buf_init(&config, CONFIG_MAX);
    TRY_DONE(file_dirname(dir, path, err));
    TRY_DONE(file_join(file, is_dir ? path : "",
                       is_dir ? "tokenizer.json" : path, err));
    TRY_DONE(
        file_join(side, is_dir ? path : dir, "tokenizer_config.json", err));
    TRY_DONE(file_need(file, err));
    TRY_DONE(file_read(&json, file, err));
    bool has_config = file_exists(side);
    if (has_config)
        TRY_DONE(file_read(&config, side, err));
    status = tokenizer_parse(out, buf_text(&json), json.len,
                             has_config ? buf_text(&config) : NULL, config.len,
                             file, err);
done:
    buf_free(&json);
    buf_free(&config);
    return status;
}

void tokenizer_free(struct tokenizer *t)
{
    if (t == NULL)
        return;
    if (t->model != NULL)
        t->kind->free(t->model);
    pretokenizer_free(&t->pretokenizer);
    decoder_free(&t->decoder);
    vocab_free(&t->vocab);
    mem_free(t->added);
    buf_free(&t->json);
    buf_free(&t->config);
    mem_free(t);
}

/* ---- looking things up -------------------------------------------------- */

size_t tokenizer_size(const struct tokenizer *t)
{
    return t->vocab.n;
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token)
{
    return vocab_find(&t->vocab, token, strlen(token));
}

static bool is_id(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->vocab.n;
}

const char *tokenizer_token(const struct tokenizer *t, int32_t id)
{
    return is_id(t, id) ? t->vocab.entry[id].token : NULL;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return is_id(t, id) && t->vocab.entry[id].is_special;
}

const char *tokenizer_json(const struct tokenizer *t, size_t *len)
{
    *len = t->json.len;
    return buf_text(&t->json);
}

const char *tokenizer_config_json(const struct tokenizer *t, size_t *len)
{
    *len = t->config.len;
    return t->has_config ? buf_text(&t->config) : NULL;
}

/* ---- encoding ----------------------------------------------------------- */

static enum status check_text(const char *text, size_t len, struct err *err)
{
    if (len > TEXT_MAX)
        return err_set(err, ERR_LIMIT, "text of %zu bytes, at most %zu", len,
                       TEXT_MAX);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i, NULL);
        if (n == 0)
            return err_set(err, ERR_FORMAT,
                           "text is not valid UTF-8 at byte %zu", i);
        i += n;
    }
    return OK;
}

struct encoding {
    const struct tokenizer *t;
    bool special;
    struct ids *out;
};

static enum status encode_piece(void *ctx, const char *piece, size_t len,
                                struct err *err)
{
    const struct encoding *e = ctx;
    return e->t->kind->encode(e->t->model, &e->t->vocab, piece, len, e->out,
                              err);
}

/* The longest added token that text starts with, or NULL. */
static const struct added *find_added(const struct encoding *e,
                                      bool is_normalized, const char *text,
                                      size_t len)
{
    const struct tokenizer *t = e->t;
    unsigned char c = (unsigned char)text[0];
    for (size_t i = t->first[c]; i < t->first[c + 1]; i++) {
        const struct added *a = &t->added[i];
        if (a->is_normalized == is_normalized && a->len <= len &&
            memcmp(a->content, text, a->len) == 0 &&
            (e->special || !t->vocab.entry[a->id].is_special))
            return a;
    }
    return NULL;
}

/*
 * Cut out the added tokens and encode what is between them; first those that
 * are looked for in the raw text, then (round 1) those in normalised text,
 * then (round 2) the pre-tokenizer has the word.
 */
static enum status encode_span(struct encoding *e, const char *text, size_t len,
                               int round, struct err *err)
{
    if (len == 0)
        return OK;
    if (round == 2)
        return pretokenizer_split(&e->t->pretokenizer, text, len, encode_piece,
                                  e, err);
    size_t last = 0;
    for (size_t i = 0; i < len;) {
        const struct added *a = find_added(e, round == 1, text + i, len - i);
        if (a == NULL) {
            i++;
            continue;
        }
        TRY(encode_span(e, text + last, i - last, round + 1, err));
        TRY(ids_push(e->out, a->id, err));
        i += a->len;
        last = i;
    }
    return encode_span(e, text + last, len - last, round + 1, err);
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text,
                             size_t len, bool special, struct ids *out,
                             struct err *err)
{
    struct encoding e = {.t = t, .special = special, .out = out};
    size_t n = out->n;
    TRY(check_text(text, len, err));
    enum status status = encode_span(&e, text, len, 0, err);
    if (status != OK)
        out->n = n;
    return status;
}

/* ---- decoding ----------------------------------------------------------- */

enum status tokenizer_decode(const struct tokenizer *t, const int32_t *id,
                             size_t n, bool skip_special, struct buf *out,
                             struct err *err)
{
    const char **token = NULL;
    size_t n_token = 0;
    enum status status;
    TRY(MEM_NEW(token, n, err));
    for (size_t i = 0; i < n; i++) {
        if (!is_id(t, id[i])) {
            status = err_set(err, ERR_MISMATCH,
                             "token id %d is not in a vocabulary of %zu",
                             (int)id[i], t->vocab.n);
            goto done;
        }
        if (!skip_special || !t->vocab.entry[id[i]].is_special)
            token[n_token++] = t->vocab.entry[id[i]].token;
    }
    status = decoder_run(&t->decoder, token, n_token, out, err);
done:
    mem_free(token);
    return status;
}

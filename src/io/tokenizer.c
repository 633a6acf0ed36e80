#include "io/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/added.h"
#include "io/bpe.h"
#include "io/decoder.h"
#include "io/gguf.h"
#include "io/normalizer.h"
#include "io/postprocessor.h"
#include "io/pretokenizer.h"
#include "io/tokenizer_gguf.h"
#include "io/vocab.h"
#include "io/wordlevel.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)   // to encode
#define JSON_MAX ((size_t)64 * 1024 * 1024)   // tokenizer.json
#define CONFIG_MAX ((size_t)16 * 1024 * 1024) // tokenizer_config.json
#define DEPTH_MAX 16                          // of either
#define VALUES_MAX ((size_t)1 << 22)          // the largest have 2 million
#define IDS_MAX ((int64_t)1 << 21)            // ids of a vocabulary
#define GAPS_MAX ((int64_t)1 << 16)           // of these without a token

/* A kind of model.  Its vocabulary is read here; the rest is its own.  (Going
 * back to text is the decoder's work, whatever the kind.) */
static const struct kind {
    const char *type;
    enum status (*parse)(void **out, const struct json *model,
                         const struct vocab *v, bool is_byte_level,
                         const char *name, struct err *err);
    enum status (*encode)(const void *model, struct bpe_work *work,
                          const char *text, size_t len, struct ids *out,
                          struct err *err);
    void (*free)(void *model);
    bool may_gap; // ids need not be 0, 1, 2, ...
} kinds[] = {
    {"WordLevel", wordlevel_parse, wordlevel_encode, wordlevel_free, false},
    {"BPE", bpe_parse, bpe_encode, bpe_free, true},
};

struct tokenizer {
    struct vocab vocab;
    const struct kind *kind;
    void *model;
    struct normalizer normalizer;
    struct pretokenizer pretokenizer;
    struct postprocessor postprocessor;
    struct decoder decoder;
    struct added added;
    struct buf json, config;
    bool has_config;
};

/* ---- reading ------------------------------------------------------------ */

/* Parts that must be absent or null. */
static enum status refuse_parts(const struct json *root, const char *name,
                                struct err *err)
{
    static const char *const parts[] = {"truncation", "padding"};
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

/* How many ids there are: as many as tokens, or up to the highest. */
static enum status count_ids(size_t *out, const struct kind *kind,
                             const struct json *tokens,
                             const struct json *added, const char *name,
                             struct err *err)
{
    size_t n = json_size(tokens);
    int64_t highest = -1;
    for (size_t i = 0; i < json_size(added); i++) {
        const char *content;
        const struct json *node = json_at(added, i);
        TRY(json_need_text(&content, node, "content", name, err));
        n += json_get(tokens, content) == NULL ? 1 : 0;
        int64_t id = json_int(json_get(node, "id"), -1);
        highest = id > highest ? id : highest;
    }
    *out = n;
    if (!kind->may_gap)
        return OK;
    for (const void *it = json_first(tokens); it != NULL;
         it = json_next(tokens, it)) {
        int64_t id = json_int(json_value(it), -1);
        highest = id > highest ? id : highest;
    }
    if (highest >= IDS_MAX)
        return err_set(err, ERR_LIMIT, "%s: token id %lld, at most %lld", name,
                       (long long)highest, (long long)IDS_MAX - 1);
    if (highest - (int64_t)n > GAPS_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: %zu tokens with ids up to %lld: more than %lld "
                       "ids without a token",
                       name, n, (long long)highest, (long long)GAPS_MAX);
    *out = (size_t)(highest + 1);
    return OK;
}

/* The tokens of the model; there is room for the added ones. */
static enum status read_vocab(struct tokenizer *t, const struct json *tokens,
                              const struct json *added, const char *name,
                              struct err *err)
{
    struct vocab *v = &t->vocab;
    size_t n;
    if (!json_is_object(tokens) || json_size(tokens) == 0)
        return err_set(err, ERR_FORMAT, "%s: model has no vocabulary", name);
    if (added != NULL && !json_is_array(added))
        return err_set(err, ERR_FORMAT, "%s: added_tokens is not a list", name);
    TRY(count_ids(&n, t->kind, tokens, added, name, err));
    TRY(vocab_init(v, n, err));
    for (const void *it = json_first(tokens); it != NULL;
         it = json_next(tokens, it)) {
        int64_t id = json_int(json_value(it), -1);
        TRY(add_token(t, json_key(it), id, name, err));
        v->entry[id].is_model = true;
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
    TRY(added_parse(&t->added, added, &t->vocab, &t->normalizer, name, err));
    TRY(postprocessor_parse(&t->postprocessor, json_get(root, "post_processor"),
                            &t->vocab, name, err));
    return t->kind->parse(&t->model, model, &t->vocab,
                          t->pretokenizer.is_byte_level, name, err);
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
    TRY(normalizer_parse(&t->normalizer, json_get(root, "normalizer"), name,
                         err));
    TRY(pretokenizer_parse(&t->pretokenizer, json_get(root, "pre_tokenizer"),
                           name, err));
    TRY(decoder_parse(&t->decoder, json_get(root, "decoder"), name, err));
    return read_model(t, root, name, err);
}

static enum status check_shape(const struct buf *text, const char *name,
                               struct err *err)
{
    return json_check_shape(buf_text(text), text->len, DEPTH_MAX, VALUES_MAX,
                            name, err);
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
    TRY_DONE(check_shape(&t->json, name, err));
    TRY_DONE(check_shape(&t->config, "tokenizer_config.json", err));
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

enum status tokenizer_config_join(struct buf *out, const char *config,
                                  size_t len, const char *source, size_t n,
                                  struct err *err)
{
    static const char name[] = "tokenizer_config.json";
    struct json *root = NULL;
    struct json_writer w;
    if (config != NULL) {
        TRY(json_check_shape(config, len, DEPTH_MAX, VALUES_MAX, name, err));
        TRY(json_parse(&root, config, len, name, err));
    }
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    for (const void *it = json_first(root); it; it = json_next(root, it)) {
        if (strcmp(json_key(it), "chat_template") == 0)
            continue;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    if (source != NULL) {
        json_put_key(&w, "chat_template");
        json_put_text_len(&w, source, n);
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
    json_free(root);
    return buf_status(out, err);
}

/* A chat template in a file of its own, as newer models have it, takes the
 * place of one in the config. */
static enum status join_template(struct buf *config, bool has_config,
                                 const char *path, struct err *err)
{
    struct buf source, out;
    enum status status = OK;
    buf_init(&source, CONFIG_MAX);
    buf_init(&out, CONFIG_MAX);
    TRY_DONE(file_read(&source, path, err));
    TRY_DONE(tokenizer_config_join(&out, has_config ? buf_text(config) : NULL,
                                   config->len, buf_text(&source), source.len,
                                   err));
    buf_clear(config);
    buf_append(config, out.data, out.len);
    status = buf_status(config, err);
done:
    buf_free(&out);
    buf_free(&source);
    return status;
}

enum status tokenizer_from_gguf(struct tokenizer **out, const struct gguf *g,
                                struct err *err)
{
    struct buf json, config;
    buf_init(&json, JSON_MAX);
    buf_init(&config, CONFIG_MAX);
    enum status status = tokenizer_gguf_convert(&json, &config, g, err);
    if (status == OK)
        status =
            tokenizer_parse(out, buf_text(&json), json.len, buf_text(&config),
                            config.len, gguf_name(g), err);
    buf_free(&json);
    buf_free(&config);
    return status;
}

static enum status open_gguf(struct tokenizer **out, const char *path,
                             struct err *err)
{
    struct gguf *g;
    TRY(gguf_open(&g, path, err));
    enum status status = tokenizer_from_gguf(out, g, err);
    gguf_close(g);
    return status;
}

/* Does the file begin as a GGUF file does? */
static enum status is_gguf(bool *out, const char *path, struct err *err)
{
    struct file_map map;
    TRY(file_map(&map, path, err));
    *out = map.len >= 4 && memcmp(map.data, "GGUF", 4) == 0;
    file_unmap(&map);
    return OK;
}

enum status tokenizer_open(struct tokenizer **out, const char *path,
                           struct err *err)
{
    char dir[FILE_PATH_MAX], file[FILE_PATH_MAX], side[FILE_PATH_MAX];
    bool is_dir = file_is_dir(path), has_gguf = false;
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
    TRY_DONE(is_gguf(&has_gguf, file, err));
    if (has_gguf) {
        status = open_gguf(out, file, err);
        goto done;
    }
    TRY_DONE(file_read(&json, file, err));
    bool has_config = file_exists(side);
    if (has_config)
        TRY_DONE(file_read(&config, side, err));
    TRY_DONE(file_join(side, is_dir ? path : dir, "chat_template.jinja", err));
    if (file_exists(side)) {
        TRY_DONE(join_template(&config, has_config, side, err));
        has_config = true;
    }
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
    normalizer_free(&t->normalizer);
    pretokenizer_free(&t->pretokenizer);
    decoder_free(&t->decoder);
    added_free(&t->added);
    vocab_free(&t->vocab);
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

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->postprocessor.before;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->postprocessor.behind;
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
    size_t valid = utf8_valid(text, len);
    if (valid < len)
        return err_set(err, ERR_FORMAT, "text is not valid UTF-8 at byte %zu",
                       valid);
    return OK;
}

/* One text on its way through the steps. */
struct encoding {
    const struct tokenizer *t;
    bool special;
    const char *text;   // what the user gave
    const char *normal; // normalised, what is between raw added tokens
    bool is_first;      // that is its beginning
    struct pretokenizer_run pieces;
    struct bpe_work work;
    struct ids *out;
};

static enum status encode_piece(void *ctx, const char *piece, size_t len,
                                struct err *err)
{
    struct encoding *e = ctx;
    return e->t->kind->encode(e->t->model, &e->work, piece, len, e->out, err);
}

/* What is between added tokens in normalised text. */
static enum status encode_plain(void *ctx, const char *text, size_t len,
                                struct err *err)
{
    struct encoding *e = ctx;
    return pretokenizer_split(&e->pieces, text, len,
                              e->is_first && text == e->normal, encode_piece, e,
                              err);
}

/* What is between added tokens in the text as it came. */
static enum status encode_raw(void *ctx, const char *text, size_t len,
                              struct err *err)
{
    struct encoding *e = ctx;
    const struct tokenizer *t = e->t;
    struct buf normal;
    enum status status = OK;
    buf_init(&normal, TEXT_MAX);
    e->is_first = text == e->text;
    if (t->normalizer.n > 0) {
        TRY_DONE(normalizer_run(&t->normalizer, text, len, &normal, err));
        text = buf_text(&normal);
        len = normal.len;
    }
    e->normal = text;
    if (len > 0)
        status = added_split(&t->added.normalized, text, len, e->special,
                             e->out, encode_plain, e, err);
done:
    buf_free(&normal);
    return status;
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text,
                             size_t len, bool special, struct ids *out,
                             struct err *err)
{
    struct encoding e = {.t = t, .special = special, .text = text, .out = out};
    size_t n = out->n;
    enum status status = OK;
    TRY(check_text(text, len, err));
    TRY(pretokenizer_run_init(&e.pieces, &t->pretokenizer, err));
    if (len > 0)
        status = added_split(&t->added.raw, text, len, special, out, encode_raw,
                             &e, err);
    pretokenizer_run_free(&e.pieces);
    bpe_work_free(&e.work);
    if (status != OK)
        out->n = n;
    return status;
}

/* ---- decoding ----------------------------------------------------------- */

/* Byte 0 ends a text in many programs, and JSON readers refuse it. */
static enum status replace_zeros(struct buf *out, size_t from, struct err *err)
{
    size_t len = out->len - from;
    struct buf text;
    if (len == 0 || memchr(out->data + from, 0, len) == NULL)
        return OK;
    buf_init(&text, 3 * len);
    for (size_t i = from; i < from + len; i++) {
        if (out->data[i] == 0)
            buf_puts(&text, "\xEF\xBF\xBD");
        else
            buf_putc(&text, out->data[i]);
    }
    enum status status = buf_status(&text, err);
    if (status == OK) {
        out->len = from;
        buf_append(out, text.data, text.len);
    }
    buf_free(&text);
    return status;
}

enum status tokenizer_decode(const struct tokenizer *t, const int32_t *id,
                             size_t n, bool skip_special, struct buf *out,
                             struct err *err)
{
    const char **token = NULL;
    size_t n_token = 0;
    size_t from = out->len;
    enum status status;
    TRY(MEM_NEW(token, n, err));
    for (size_t i = 0; i < n; i++) {
        if (id[i] < 0) {
            status = err_set(err, ERR_MISMATCH, "token id %d is negative",
                             (int)id[i]);
            goto done;
        }
        if (!is_id(t, id[i]) ||
            (skip_special && tokenizer_is_special(t, id[i])))
            continue;
        const struct vocab_entry *e = &t->vocab.entry[id[i]];
        if (e->token != NULL)
            token[n_token++] = e->normal != NULL ? e->normal : e->token;
    }
    status = decoder_run(&t->decoder, token, n_token, out, err);
    if (status == OK && skip_special)
        status = replace_zeros(out, from, err);
done:
    mem_free(token);
    return status;
}

#include "io/tokenizer_gguf.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/gguf_pre.h"
#include "io/tokenizer_spm.h"

#define KEY "tokenizer.ggml."
#define TOKENS_MAX ((size_t)1 << 21)
#define SPACE "\xe2\x96\x81" // U+2581, which stands for a space

/* What the file says, checked. */
struct source {
    const struct gguf *g;
    const char *name;
    struct gguf_array token, type;
    bool has_type;
    const struct gguf_pre *pre; // NULL: SentencePiece
    bool strips_behind;         // special tokens take white space with them
    int64_t bos, eos, unknown, pad;
    bool adds_bos, adds_eos, adds_space;
};

/* ---- reading ------------------------------------------------------------ */

static int type_of(const struct source *s, size_t i)
{
    return s->has_type ? (int)gguf_array_int(&s->type, i) : GGUF_TOKEN_NORMAL;
}

static enum status check_tokens(const struct source *s, struct err *err)
{
    if (s->token.n == 0 || s->token.n > TOKENS_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: " KEY "tokens: %zu tokens, want 1 "
                       "to %zu",
                       s->name, s->token.n, TOKENS_MAX);
    if (s->has_type && s->type.n != s->token.n)
        return err_set(err, ERR_FORMAT,
                       "%s: " KEY "token_type: %zu types of %zu tokens",
                       s->name, s->type.n, s->token.n);
    for (size_t i = 0; i < s->token.n; i++) {
        struct gguf_text t = gguf_array_text(&s->token, i);
        size_t n = 1;
        for (size_t at = 0; at < t.len && n > 0; at += n)
            n = t.data[at] != '\0' ? utf8_length(t.data + at, t.len - at, NULL)
                                   : 0;
        if (n == 0)
            return err_set(err, ERR_FORMAT,
                           "%s: " KEY "tokens: token %zu is not valid UTF-8",
                           s->name, i);
        int type = type_of(s, i);
        if (type < GGUF_TOKEN_NORMAL || type > GGUF_TOKEN_BYTE)
            return err_set(err, ERR_FORMAT,
                           "%s: " KEY "token_type: token %zu is of type %d",
                           s->name, i, type);
    }
    return OK;
}

/* The id of a special token, or -1 when the file names none. */
static enum status read_id(int64_t *out, const struct source *s,
                           const char *key, struct err *err)
{
    *out = -1;
    if (gguf_kind_of(s->g, key) == GGUF_IS_ABSENT)
        return OK;
    return gguf_need_int(out, s->g, key, 0, (int64_t)s->token.n - 1, err);
}

static bool is_text(struct gguf_text t, const char *text)
{
    return t.len == strlen(text) && memcmp(t.data, text, t.len) == 0;
}

static enum status find_pre(struct source *s, struct err *err)
{
    struct gguf_text pre;
    TRY(gguf_need_text(&pre, s->g, KEY "pre", err));
    s->pre = gguf_pre_find(pre);
    if (s->pre == NULL)
        return err_set(err, ERR_MISMATCH,
                       "%s: " KEY "pre '%.*s' is not supported", s->name,
                       (int)(pre.len < 60 ? pre.len : 60), pre.data);
    return OK;
}

/* Phi-3's special tokens take the white space behind them; no key says so. */
static bool is_phi3(const struct gguf *g)
{
    struct gguf_text t = gguf_get_text(g, "general.name", "");
    for (size_t i = 0; i + 4 <= t.len; i++)
        if (tolower((unsigned char)t.data[i]) == 'p' &&
            tolower((unsigned char)t.data[i + 1]) == 'h' &&
            tolower((unsigned char)t.data[i + 2]) == 'i' &&
            (t.data[i + 3] == '3' ||
             (t.data[i + 3] == '-' && i + 4 < t.len && t.data[i + 4] == '3')))
            return true;
    return false;
}

static enum status read_source(struct source *s, struct err *err)
{
    struct gguf_text model;
    TRY(gguf_need_text(&model, s->g, KEY "model", err));
    bool is_spm = is_text(model, "llama");
    if (!is_spm && !is_text(model, "gpt2"))
        return err_set(err, ERR_MISMATCH,
                       "%s: " KEY "model '%.*s' is not supported", s->name,
                       (int)(model.len < 60 ? model.len : 60), model.data);
    if (!is_spm)
        TRY(find_pre(s, err));
    TRY(gguf_need_array(&s->token, s->g, KEY "tokens", GGUF_IS_TEXT, err));
    s->has_type =
        is_spm || gguf_kind_of(s->g, KEY "token_type") != GGUF_IS_ABSENT;
    if (s->has_type)
        TRY(gguf_need_array(&s->type, s->g, KEY "token_type", GGUF_IS_INT,
                            err));
    TRY(check_tokens(s, err));
    TRY(read_id(&s->bos, s, KEY "bos_token_id", err));
    TRY(read_id(&s->eos, s, KEY "eos_token_id", err));
    TRY(read_id(&s->unknown, s, KEY "unknown_token_id", err));
    TRY(read_id(&s->pad, s, KEY "padding_token_id", err));
    bool adds_bos = is_spm || s->pre->adds_bos;
    s->adds_bos = gguf_get_bool(s->g, KEY "add_bos_token", adds_bos);
    s->adds_eos = gguf_get_bool(s->g, KEY "add_eos_token", false);
    s->adds_space = gguf_get_bool(s->g, KEY "add_space_prefix", is_spm);
    s->strips_behind = is_spm && is_phi3(s->g);
    if ((s->adds_bos && s->bos < 0) || (s->adds_eos && s->eos < 0))
        return err_set(err, ERR_FORMAT, "%s: " KEY "%s is missing", s->name,
                       s->adds_bos && s->bos < 0 ? "bos_token_id"
                                                 : "eos_token_id");
    return OK;
}

/* ---- writing tokenizer.json --------------------------------------------- */

static void put_token(struct json_writer *w, const struct source *s, size_t i)
{
    struct gguf_text t = gguf_array_text(&s->token, i);
    json_put_text_len(w, t.data, t.len);
}

/* A token as a key. */
static void put_token_key(struct json_writer *w, struct gguf_text t)
{
    struct buf key;
    buf_init(&key, (size_t)1 << 26);
    buf_append(&key, t.data, t.len);
    if (key.code == OK)
        json_put_key(w, buf_text(&key));
    else if (w->out->code == OK)
        w->out->code = key.code;
    buf_free(&key);
}

static void put_added(struct json_writer *w, const struct source *s, size_t i)
{
    struct gguf_text t = gguf_array_text(&s->token, i);
    bool is_special = type_of(s, i) != GGUF_TOKEN_USER;
    bool stays =
        is_text(t, "<unk>") || is_text(t, "<s>") || is_text(t, "<|endoftext|>");
    json_open(w, '{');
    json_field_int(w, "id", (int64_t)i);
    json_put_key(w, "content");
    put_token(w, s, i);
    json_field_bool(w, "single_word", false);
    json_field_bool(w, "lstrip", false);
    json_field_bool(w, "rstrip",
                    s->strips_behind && !stays &&
                        (is_special || is_text(t, "</s>")));
    json_field_bool(w, "normalized", false);
    json_field_bool(w, "special", is_special);
    json_close(w, '}');
}

static void put_all_added(struct json_writer *w, const struct source *s)
{
    json_put_key(w, "added_tokens");
    json_open(w, '[');
    for (size_t i = 0; i < s->token.n; i++) {
        int type = type_of(s, i);
        if (gguf_array_text(&s->token, i).len > 0 &&
            (type == GGUF_TOKEN_CONTROL || type == GGUF_TOKEN_UNKNOWN ||
             type == GGUF_TOKEN_USER))
            put_added(w, s, i);
    }
    json_close(w, ']');
}

/* {"type":"..."} left open for more. */
static void open_type(struct json_writer *w, const char *type)
{
    json_open(w, '{');
    json_field_text(w, "type", type);
}

static void put_type(struct json_writer *w, const char *type)
{
    open_type(w, type);
    json_close(w, '}');
}

static void put_replace(struct json_writer *w, const char *from, const char *to)
{
    open_type(w, "Replace");
    json_put_key(w, "pattern");
    json_open(w, '{');
    json_field_text(w, "String", from);
    json_close(w, '}');
    json_field_text(w, "content", to);
    json_close(w, '}');
}

static void put_byte_level(struct json_writer *w, bool uses_regex)
{
    open_type(w, "ByteLevel");
    json_field_bool(w, "add_prefix_space", false);
    json_field_bool(w, "trim_offsets", true);
    json_field_bool(w, "use_regex", uses_regex);
    json_close(w, '}');
}

static void put_normalizer(struct json_writer *w, const struct source *s)
{
    json_put_key(w, "normalizer");
    if (s->pre != NULL) {
        if (s->pre->nfc)
            put_type(w, "NFC");
        else
            json_put_null(w);
        return;
    }
    open_type(w, "Sequence");
    json_put_key(w, "normalizers");
    json_open(w, '[');
    if (s->adds_space) {
        open_type(w, "Prepend");
        json_field_text(w, "prepend", SPACE);
        json_close(w, '}');
    }
    put_replace(w, " ", SPACE);
    json_close(w, ']');
    json_close(w, '}');
}

static void put_split(struct json_writer *w, const char *regex)
{
    open_type(w, "Split");
    json_put_key(w, "pattern");
    json_open(w, '{');
    json_field_text(w, "Regex", regex);
    json_close(w, '}');
    json_field_text(w, "behavior", "Isolated");
    json_field_bool(w, "invert", false);
    json_close(w, '}');
}

static void put_pretokenizer(struct json_writer *w, const struct source *s)
{
    json_put_key(w, "pre_tokenizer");
    if (s->pre == NULL) {
        json_put_null(w);
        return;
    }
    if (s->pre->regex == NULL && !s->pre->digits) {
        put_byte_level(w, true);
        return;
    }
    open_type(w, "Sequence");
    json_put_key(w, "pretokenizers");
    json_open(w, '[');
    if (s->pre->digits) {
        open_type(w, "Digits");
        json_field_bool(w, "individual_digits", true);
        json_close(w, '}');
    }
    if (s->pre->regex != NULL)
        put_split(w, s->pre->regex);
    put_byte_level(w, s->pre->regex == NULL);
    json_close(w, ']');
    json_close(w, '}');
}

static void put_part(struct json_writer *w, const struct source *s, int64_t id)
{
    json_open(w, '{');
    json_put_key(w, id >= 0 ? "SpecialToken" : "Sequence");
    json_open(w, '{');
    json_put_key(w, "id");
    if (id >= 0)
        put_token(w, s, (size_t)id);
    else
        json_put_text(w, "A");
    json_field_int(w, "type_id", 0);
    json_close(w, '}');
    json_close(w, '}');
}

/* A token of the template: its name, twice a key. */
static void put_special(struct json_writer *w, const struct source *s,
                        int64_t id)
{
    put_token_key(w, gguf_array_text(&s->token, (size_t)id));
    json_open(w, '{');
    json_put_key(w, "id");
    put_token(w, s, (size_t)id);
    json_put_key(w, "ids");
    json_open(w, '[');
    json_put_int(w, id);
    json_close(w, ']');
    json_put_key(w, "tokens");
    json_open(w, '[');
    put_token(w, s, (size_t)id);
    json_close(w, ']');
    json_close(w, '}');
}

static void put_template(struct json_writer *w, const struct source *s)
{
    static const char *const lists[] = {"single", "pair"};
    open_type(w, "TemplateProcessing");
    for (int k = 0; k < 2; k++) {
        json_put_key(w, lists[k]);
        json_open(w, '[');
        if (s->adds_bos)
            put_part(w, s, s->bos);
        put_part(w, s, -1);
        if (k == 1)
            json_put_raw(w, "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}", 35);
        if (s->adds_eos)
            put_part(w, s, s->eos);
        json_close(w, ']');
    }
    json_put_key(w, "special_tokens");
    json_open(w, '{');
    if (s->adds_bos)
        put_special(w, s, s->bos);
    if (s->adds_eos && !(s->adds_bos && s->eos == s->bos))
        put_special(w, s, s->eos);
    json_close(w, '}');
    json_close(w, '}');
}

static void put_postprocessor(struct json_writer *w, const struct source *s)
{
    json_put_key(w, "post_processor");
    if (s->adds_bos || s->adds_eos)
        put_template(w, s);
    else if (s->pre != NULL)
        put_byte_level(w, true);
    else
        json_put_null(w);
}

static void put_decoder(struct json_writer *w, const struct source *s)
{
    json_put_key(w, "decoder");
    if (s->pre != NULL) {
        put_byte_level(w, true);
        return;
    }
    open_type(w, "Sequence");
    json_put_key(w, "decoders");
    json_open(w, '[');
    put_replace(w, SPACE, " ");
    put_type(w, "ByteFallback");
    put_type(w, "Fuse");
    if (s->adds_space) {
        open_type(w, "Strip");
        json_field_text(w, "content", " ");
        json_field_int(w, "start", 1);
        json_field_int(w, "stop", 0);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

/* "a b" as the file has them. */
static enum status put_merges(struct json_writer *w, const struct source *s,
                              struct err *err)
{
    struct gguf_array merges;
    TRY(gguf_need_array(&merges, s->g, KEY "merges", GGUF_IS_TEXT, err));
    for (size_t i = 0; i < merges.n; i++) {
        struct gguf_text t = gguf_array_text(&merges, i);
        if (memchr(t.data, '\0', t.len) != NULL)
            return err_set(err, ERR_FORMAT,
                           "%s: " KEY "merges: merge %zu holds a NUL", s->name,
                           i);
        json_put_text_len(w, t.data, t.len);
    }
    return OK;
}

static enum status put_scores(struct json_writer *w, const struct source *s,
                              struct err *err)
{
    struct gguf_array score;
    struct spm_token *token = NULL;
    struct spm_merge *merge = NULL;
    size_t n = 0;
    enum status status;
    TRY(gguf_need_array(&score, s->g, KEY "scores", GGUF_IS_REAL, err));
    if (score.n != s->token.n)
        return err_set(err, ERR_FORMAT,
                       "%s: " KEY "scores: %zu scores of %zu tokens", s->name,
                       score.n, s->token.n);
    TRY(MEM_NEW(token, s->token.n, err));
    for (size_t i = 0; i < s->token.n; i++) {
        struct gguf_text t = gguf_array_text(&s->token, i);
        token[i] = (struct spm_token){
            .text = t.data,
            .len = t.len,
            .score = gguf_array_real(&score, i),
            .is_normal = type_of(s, i) == GGUF_TOKEN_NORMAL,
        };
        if (!(token[i].score == token[i].score)) {
            status =
                err_set(err, ERR_FORMAT,
                        "%s: " KEY "scores: that of token %zu is no number",
                        s->name, i);
            goto done;
        }
    }
    TRY_DONE(tokenizer_spm_merges(&merge, &n, token, s->token.n, s->name, err));
    for (size_t i = 0; i < n; i++) {
        const struct spm_token *t = &token[merge[i].token];
        json_open(w, '[');
        json_put_text_len(w, t->text, merge[i].cut);
        json_put_text_len(w, t->text + merge[i].cut, t->len - merge[i].cut);
        json_close(w, ']');
    }
done:
    mem_free(token);
    mem_free(merge);
    return status;
}

static enum status put_model(struct json_writer *w, const struct source *s,
                             struct err *err)
{
    bool is_spm = s->pre == NULL;
    json_put_key(w, "model");
    open_type(w, "BPE");
    json_put_key(w, "dropout");
    json_put_null(w);
    json_put_key(w, "unk_token");
    if (is_spm && s->unknown >= 0)
        put_token(w, s, (size_t)s->unknown);
    else
        json_put_null(w);
    json_put_key(w, "continuing_subword_prefix");
    json_put_null(w);
    json_put_key(w, "end_of_word_suffix");
    json_put_null(w);
    json_field_bool(w, "fuse_unk", is_spm);
    json_field_bool(w, "byte_fallback", is_spm);
    json_field_bool(w, "ignore_merges", !is_spm && s->pre->ignores_merges);
    json_put_key(w, "vocab");
    json_open(w, '{');
    for (size_t i = 0; i < s->token.n; i++) {
        put_token_key(w, gguf_array_text(&s->token, i));
        json_put_int(w, (int64_t)i);
    }
    json_close(w, '}');
    json_put_key(w, "merges");
    json_open(w, '[');
    TRY(is_spm ? put_scores(w, s, err) : put_merges(w, s, err));
    json_close(w, ']');
    json_close(w, '}');
    return OK;
}

/* ---- writing tokenizer_config.json -------------------------------------- */

static void put_name(struct json_writer *w, const struct source *s,
                     const char *key, int64_t id)
{
    if (id < 0)
        return;
    json_put_key(w, key);
    put_token(w, s, (size_t)id);
}

static void put_config(struct json_writer *w, const struct source *s)
{
    struct gguf_text chat = gguf_get_text(s->g, "tokenizer.chat_template", "");
    json_open(w, '{');
    json_field_text(w, "tokenizer_class", "PreTrainedTokenizerFast");
    put_name(w, s, "bos_token", s->bos);
    put_name(w, s, "eos_token", s->eos);
    put_name(w, s, "unk_token", s->unknown);
    put_name(w, s, "pad_token", s->pad);
    json_field_bool(w, "add_bos_token", s->adds_bos);
    json_field_bool(w, "add_eos_token", s->adds_eos);
    json_field_bool(w, "clean_up_tokenization_spaces", false);
    if (chat.len > 0) {
        json_put_key(w, "chat_template");
        json_put_text_len(w, chat.data, chat.len);
    }
    json_close(w, '}');
}

enum status tokenizer_gguf_convert(struct buf *json, struct buf *config,
                                   const struct gguf *g, struct err *err)
{
    struct source s = {.g = g, .name = gguf_name(g)};
    struct json_writer w;
    TRY(read_source(&s, err));
    json_writer_init(&w, json, false);
    json_open(&w, '{');
    json_field_text(&w, "version", "1.0");
    json_put_key(&w, "truncation");
    json_put_null(&w);
    json_put_key(&w, "padding");
    json_put_null(&w);
    put_all_added(&w, &s);
    put_normalizer(&w, &s);
    put_pretokenizer(&w, &s);
    put_postprocessor(&w, &s);
    put_decoder(&w, &s);
    TRY(put_model(&w, &s, err));
    json_close(&w, '}');
    TRY(buf_status(json, err));
    json_writer_init(&w, config, true);
    put_config(&w, &s);
    buf_putc(config, '\n');
    return buf_status(config, err);
}

#include "world/desk.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/chat.h"

/* How text is cut into words and words joined to text; the same rule as
 * world/words.h, in the terms of tokenizer.json. */
#define PATTERN_WORD "[a-z]+|[A-Z]|[0-9]+|[^\\sa-zA-Z0-9]"
#define PATTERN_AFTER_SIGN "(?<=[#$]) "
#define PATTERN_IN_ORDER "(?<=#[A-Z]) (?=[0-9])"

enum {
    WORD_MAX = 16,
    JSON_MAX = 1 << 20
};

static const char *const special_tokens[] = {
    [DESK_PAD] = "<pad>",
    [DESK_EOS] = "<eos>",
    [DESK_CUST] = "<cust>",
    [DESK_AGENT] = "<agent>",
};

enum {
    SPECIALS = 4
};

/* The vocabulary as it grows.  One place more than it needs lets a test see
 * a table that has outgrown the documented size. */
struct vocabulary {
    char word[DESK_VOCABULARY + 1][WORD_MAX];
    size_t n;
};

static enum status add_word(struct vocabulary *v, struct word w,
                            struct err *err)
{
    for (size_t i = 0; i < v->n; i++)
        if (words_is(w, v->word[i]))
            return OK;
    if (v->n > DESK_VOCABULARY || w.len >= WORD_MAX)
        return err_set(err, ERR_LIMIT,
                       "the desk's tables do not fit %d words of %d letters",
                       (int)DESK_VOCABULARY, (int)WORD_MAX - 1);
    memcpy(v->word[v->n], w.text, w.len);
    v->word[v->n][w.len] = '\0';
    v->n++;
    return OK;
}

static enum status add_text(struct vocabulary *v, const char *text,
                            struct err *err)
{
    return add_word(v, (struct word){text, strlen(text)}, err);
}

/* The words of a table sentence: of <ord> and <amt> their signs, of the other
 * placeholders nothing, for their values have tables of their own. */
static enum status add_sentence(struct vocabulary *v, const char *sentence,
                                struct err *err)
{
    while (*sentence != '\0') {
        struct word w = {sentence, strcspn(sentence, " ")};
        if (words_is(w, "<ord>"))
            TRY(add_text(v, "#", err));
        else if (words_is(w, "<amt>"))
            TRY(add_text(v, "$", err));
        else if (*w.text != '<')
            TRY(add_word(v, w, err));
        sentence += w.len;
        sentence += strspn(sentence, " ");
    }
    return OK;
}

static enum status add_sentences(struct vocabulary *v,
                                 const char *const *sentence, size_t n,
                                 struct err *err)
{
    for (size_t i = 0; i < n; i++)
        TRY(add_sentence(v, sentence[i], err));
    return OK;
}

static enum status add_letters(struct vocabulary *v, const char *letters,
                               struct err *err)
{
    for (; *letters != '\0'; letters++)
        TRY(add_word(v, (struct word){letters, 1}, err));
    return OK;
}

static enum status add_intent(struct vocabulary *v,
                              const struct tables_intent *in, struct err *err)
{
    TRY(add_sentences(v, in->wording, TABLES_WORDINGS, err));
    if (in->n_value == 0)
        return add_sentences(v, in->status, TABLES_STATUSES, err);
    for (size_t i = 0; i < in->n_value; i++) {
        const char digits[] = {(char)('0' + in->value[i] / 10),
                               (char)('0' + in->value[i] % 10), '\0'};
        TRY(add_text(v, digits, err));
    }
    return OK;
}

static enum status collect(struct vocabulary *v, struct err *err)
{
    for (size_t i = 0; i < SPECIALS; i++)
        TRY(add_text(v, special_tokens[i], err));
    TRY(add_letters(v, tables_letters, err));
    TRY(add_letters(v, tables_digits, err));
    TRY(add_sentences(v, tables_amount, TABLES_AMOUNTS, err));
    for (size_t i = 0; i < TABLES_RESOLUTIONS; i++) {
        const struct tables_resolution *res = &tables_resolution[i];
        TRY(add_sentences(v, res->sentence, TABLES_SENTENCES, err));
        TRY(add_sentences(v, res->next, TABLES_SENTENCES, err));
    }
    for (size_t i = 0; i < TABLES_INTENTS; i++)
        TRY(add_intent(v, &tables_intent[i], err));
    for (size_t i = 0; i < TABLES_FILLERS; i++)
        TRY(add_sentence(v, tables_filler[i].sentence, err));
    TRY(add_sentences(v, tables_opening, TABLES_OPENINGS, err));
    TRY(add_sentences(v, tables_tail, TABLES_TAILS, err));
    TRY(add_sentences(v, tables_greeting, TABLES_GREETINGS, err));
    TRY(add_sentences(v, tables_closing, TABLES_CLOSINGS, err));
    TRY(add_sentences(v, tables_product, TABLES_PRODUCTS, err));
    if (v->n != DESK_VOCABULARY)
        return err_set(err, ERR_MISMATCH,
                       "the desk's tables have %zu words, wanted %d", v->n,
                       (int)DESK_VOCABULARY);
    return OK;
}

static void write_added_tokens(struct json_writer *w)
{
    json_put_key(w, "added_tokens");
    json_open(w, '[');
    for (size_t i = 0; i < SPECIALS; i++) {
        json_open(w, '{');
        json_field_int(w, "id", (int64_t)i);
        json_field_text(w, "content", special_tokens[i]);
        json_field_bool(w, "single_word", false);
        json_field_bool(w, "lstrip", false);
        json_field_bool(w, "rstrip", false);
        json_field_bool(w, "normalized", false);
        json_field_bool(w, "special", true);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_null(struct json_writer *w, const char *key)
{
    json_put_key(w, key);
    json_put_null(w);
}

/* {"Regex": pattern} as the member `key`. */
static void write_pattern(struct json_writer *w, const char *pattern)
{
    json_put_key(w, "pattern");
    json_open(w, '{');
    json_field_text(w, "Regex", pattern);
    json_close(w, '}');
}

static void write_pre_tokenizer(struct json_writer *w)
{
    json_put_key(w, "pre_tokenizer");
    json_open(w, '{');
    json_field_text(w, "type", "Split");
    write_pattern(w, PATTERN_WORD);
    json_field_text(w, "behavior", "Removed");
    json_field_bool(w, "invert", true);
    json_close(w, '}');
}

static void write_replace(struct json_writer *w, const char *pattern)
{
    json_open(w, '{');
    json_field_text(w, "type", "Replace");
    write_pattern(w, pattern);
    json_field_text(w, "content", "");
    json_close(w, '}');
}

/* A space between words, none before . , ? ! ("cleanup"), then none after a
 * sign and none inside an order number. */
static void write_decoder(struct json_writer *w)
{
    json_put_key(w, "decoder");
    json_open(w, '{');
    json_field_text(w, "type", "Sequence");
    json_put_key(w, "decoders");
    json_open(w, '[');
    json_open(w, '{');
    json_field_text(w, "type", "WordPiece");
    json_field_text(w, "prefix", "##");
    json_field_bool(w, "cleanup", true);
    json_close(w, '}');
    json_open(w, '{');
    json_field_text(w, "type", "Fuse");
    json_close(w, '}');
    write_replace(w, PATTERN_AFTER_SIGN);
    write_replace(w, PATTERN_IN_ORDER);
    json_close(w, ']');
    json_close(w, '}');
}

static void write_tokenizer(struct buf *out, const struct vocabulary *v)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "version", "1.0");
    write_null(&w, "truncation");
    write_null(&w, "padding");
    write_added_tokens(&w);
    write_null(&w, "normalizer");
    write_pre_tokenizer(&w);
    write_null(&w, "post_processor");
    write_decoder(&w);
    json_put_key(&w, "model");
    json_open(&w, '{');
    json_field_text(&w, "type", "WordLevel");
    json_put_key(&w, "vocab");
    json_open(&w, '{');
    for (size_t i = 0; i < v->n; i++)
        json_field_int(&w, v->word[i], (int64_t)i);
    json_close(&w, '}');
    /* The format asks for a name; it is no entry, so that an unknown word is
     * an error and never a token. */
    json_field_text(&w, "unk_token", "<unk>");
    json_close(&w, '}');
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static void write_config(struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "chat_template", chat_source(CHAT_SUPPORT));
    json_field_bool(&w, "clean_up_tokenization_spaces", false);
    json_field_text(&w, "eos_token", special_tokens[DESK_EOS]);
    json_field_text(&w, "pad_token", special_tokens[DESK_PAD]);
    json_field_text(&w, "tokenizer_class", "PreTrainedTokenizerFast");
    json_close(&w, '}');
    buf_putc(out, '\n');
}

enum status desk_tokenizer(struct buf *json, struct buf *config_json,
                           struct err *err)
{
    struct vocabulary v = {.n = 0};
    TRY(collect(&v, err));
    write_tokenizer(json, &v);
    write_config(config_json);
    TRY(buf_status(json, err));
    return buf_status(config_json, err);
}

static enum status write_in(const char *dir, const char *name,
                            const struct buf *text, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, name, err));
    return file_write(path, buf_text(text), text->len, err);
}

enum status desk_write_tokenizer(const char *dir, struct err *err)
{
    enum status status = OK;
    struct buf json;
    struct buf config;
    buf_init(&json, JSON_MAX);
    buf_init(&config, JSON_MAX);
    TRY_DONE(desk_tokenizer(&json, &config, err));
    TRY_DONE(file_make_dir(dir, err));
    TRY_DONE(write_in(dir, "tokenizer.json", &json, err));
    TRY_DONE(write_in(dir, "tokenizer_config.json", &config, err));
done:
    buf_free(&config);
    buf_free(&json);
    return status;
}

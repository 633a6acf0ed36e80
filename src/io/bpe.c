#include "io/bpe.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "io/bytelevel.h"
#include "io/pieces.h"

#define SPACE "\xe2\x96\x81" // U+2581, which stands for a space
#define SPACE_LEN 3
#define PIECE_MAX 64 // longest token that is tried as a piece of its own
#define TOKEN_MAX ((size_t)64 * 1024 * 1024)

struct bpe {
    const struct vocab *v;
    struct bpe_merges merges;
    struct pieces pieces; // that are one token
    int32_t byte[256]; // byte-level: the symbol of a byte; else <0xHH>; or -1
    int32_t unknown;   // unk_token or -1
    bool is_byte_level, has_fallback, fuses, has_unknown, ignores_merges;
    bool cuts; // no merge goes across the beginning of a word
};

/* ---- reading ------------------------------------------------------------ */

/* The id of a token that text may become, or -1. */
static int32_t find_token(const struct vocab *v, const char *text, size_t len)
{
    int32_t id = vocab_find(v, text, len);
    return id >= 0 && v->entry[id].is_model && !v->entry[id].is_special ? id
                                                                        : -1;
}

/* What would change the result and is not done here. */
static enum status refuse_options(const struct json *model, const char *name,
                                  struct err *err)
{
    static const char *const affixes[] = {"continuing_subword_prefix",
                                          "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const char *text = json_text(json_get(model, affixes[i]), "");
        if (text[0] != '\0')
            return err_set(err, ERR_MISMATCH,
                           "%s: model 'BPE' with %s '%.40s' is not supported",
                           name, affixes[i], text);
    }
    double dropout = json_number(json_get(model, "dropout"), 0.0);
    if (!(dropout == 0.0))
        return err_set(err, ERR_MISMATCH,
                       "%s: model 'BPE' with dropout %g is not supported", name,
                       dropout);
    return OK;
}

/* The symbols of single bytes. */
static void read_bytes(struct bpe *b)
{
    for (int i = 0; i < 256; i++) {
        char text[8];
        b->byte[i] = -1;
        if (b->is_byte_level) {
            size_t len = bytelevel_write(text, (unsigned char)i);
            b->byte[i] = find_token(b->v, text, len);
        } else if (b->has_fallback) {
            int len = snprintf(text, sizeof text, "<0x%02X>", i);
            int32_t id = vocab_find(b->v, text, (size_t)len);
            b->byte[i] = id >= 0 && b->v->entry[id].is_model ? id : -1;
        }
    }
}

/* "a b" or ["a","b"]; text that is not one of them leaves `left` NULL. */
struct pair {
    const char *left, *right;
    size_t len_left, len_right;
};

static struct pair pair_of(const struct json *node)
{
    struct pair p = {0};
    if (json_is_array(node) && json_size(node) == 2) {
        p.left = json_text(json_at(node, 0), NULL);
        p.right = json_text(json_at(node, 1), NULL);
        if (p.left == NULL || p.right == NULL)
            return (struct pair){0};
        p.len_left = strlen(p.left);
        p.len_right = strlen(p.right);
        return p;
    }
    const char *text = json_text(node, NULL);
    const char *space = text != NULL ? strchr(text, ' ') : NULL;
    if (space == NULL || strchr(space + 1, ' ') != NULL)
        return p;
    p.left = text;
    p.len_left = (size_t)(space - text);
    p.right = space + 1;
    p.len_right = strlen(p.right);
    return p;
}

static bool begins_word(const struct pair *p)
{
    bool right =
        p->len_right >= SPACE_LEN && memcmp(p->right, SPACE, SPACE_LEN) == 0;
    bool left =
        p->len_left >= SPACE_LEN &&
        memcmp(p->left + p->len_left - SPACE_LEN, SPACE, SPACE_LEN) == 0;
    return right && !left;
}

static enum status no_token(const char *text, size_t len, size_t rank,
                            const char *name, struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "%s: merge %zu: '%.*s' is not in the vocabulary", name, rank,
                   (int)(len < 60 ? len : 60), text);
}

static enum status read_merge(struct bpe *b, const struct pair *p, size_t rank,
                              struct buf *joined, const char *name,
                              struct err *err)
{
    const struct vocab *v = b->v;
    int32_t left = vocab_find(v, p->left, p->len_left);
    int32_t right = vocab_find(v, p->right, p->len_right);
    if (left < 0 || !v->entry[left].is_model)
        return no_token(p->left, p->len_left, rank, name, err);
    if (right < 0 || !v->entry[right].is_model)
        return no_token(p->right, p->len_right, rank, name, err);
    buf_clear(joined);
    buf_append(joined, p->left, p->len_left);
    buf_append(joined, p->right, p->len_right);
    TRY(buf_status(joined, err));
    int32_t id = vocab_find(v, buf_text(joined), joined->len);
    if (id < 0 || !v->entry[id].is_model)
        return no_token(buf_text(joined), joined->len, rank, name, err);
    if (v->entry[id].is_special)
        return OK;
    b->cuts = b->cuts && !begins_word(p);
    struct bpe_merge merge = {
        .left = left, .right = right, .id = id, .rank = (uint32_t)rank};
    return bpe_merges_add(&b->merges, &merge, err);
}

static enum status read_merges(struct bpe *b, const struct json *list,
                               const char *name, struct err *err)
{
    struct buf joined;
    enum status status = OK;
    if (!json_is_array(list))
        return err_set(err, ERR_FORMAT, "%s: model 'BPE' without merges", name);
    TRY(bpe_merges_init(&b->merges, json_size(list), err));
    buf_init(&joined, TOKEN_MAX);
    size_t rank = 0;
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *node = json_at(list, i);
        if (strncmp(json_text(node, ""), "#version", 8) == 0)
            continue;
        struct pair p = pair_of(node);
        if (p.left == NULL) {
            status = err_set(err, ERR_FORMAT, "%s: merge %zu is not two tokens",
                             name, i);
            break;
        }
        status = read_merge(b, &p, rank++, &joined, name, err);
        if (status != OK)
            break;
    }
    buf_free(&joined);
    return status;
}

/* ---- symbols ------------------------------------------------------------ */

static enum status push_unknown(const struct bpe *b, struct bpe_work *w,
                                bool *waits, struct err *err)
{
    if (*waits)
        TRY(bpe_work_push(w, b->unknown, err));
    *waits = false;
    return OK;
}

/* The bytes of a character as tokens; false when one of them is none. */
static enum status push_bytes(const struct bpe *b, struct bpe_work *w,
                              const char *text, size_t len, bool *done,
                              struct err *err)
{
    *done = b->has_fallback;
    for (size_t i = 0; i < len; i++)
        *done = *done && b->byte[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; *done && i < len; i++)
        TRY(bpe_work_push(w, b->byte[(unsigned char)text[i]], err));
    return OK;
}

/*
 * The symbols of a text of characters.  An unknown character waits, and bytes
 * pass it by, until a known one comes: so does the library.
 */
static enum status put_characters(const struct bpe *b, struct bpe_work *w,
                                  const char *text, size_t len, struct err *err)
{
    bool waits = false;
    for (size_t i = 0, n; i < len; i += n) {
        (void)utf8_decode(text + i, &n);
        int32_t id = find_token(b->v, text + i, n);
        bool done = false;
        if (id >= 0) {
            TRY(push_unknown(b, w, &waits, err));
            TRY(bpe_work_push(w, id, err));
            continue;
        }
        TRY(push_bytes(b, w, text + i, n, &done, err));
        if (done || !b->has_unknown)
            continue;
        if (b->unknown < 0)
            return err_set(err, ERR_MISMATCH,
                           "the vocabulary lacks '%.*s' and unk_token", (int)n,
                           text + i);
        if (!b->fuses)
            TRY(push_unknown(b, w, &waits, err));
        waits = true;
    }
    return push_unknown(b, w, &waits, err);
}

static enum status put_bytes(const struct bpe *b, struct bpe_work *w,
                             const char *text, size_t len, struct err *err)
{
    bool is_unknown = false; // the last symbol was
    for (size_t i = 0; i < len; i++) {
        int32_t id = b->byte[(unsigned char)text[i]];
        if (id < 0 && b->has_unknown && b->unknown < 0)
            return err_set(err, ERR_MISMATCH,
                           "the vocabulary lacks byte %u and unk_token",
                           (unsigned)(unsigned char)text[i]);
        bool is_again = id < 0 && is_unknown && b->fuses;
        is_unknown = id < 0;
        if (id < 0)
            id = b->unknown;
        if (id >= 0 && !is_again)
            TRY(bpe_work_push(w, id, err));
    }
    return OK;
}

static enum status merge(const struct bpe *b, struct bpe_work *w,
                         const char *text, size_t len, struct err *err)
{
    w->n = 0;
    if (b->is_byte_level)
        TRY(put_bytes(b, w, text, len, err));
    else
        TRY(put_characters(b, w, text, len, err));
    return bpe_merge_word(&b->merges, w, err);
}

/* ---- pieces that are tokens --------------------------------------------- */

/* Add a token's text if the model makes that token of it. */
static enum status try_piece(struct bpe *b, struct bpe_work *w, int32_t id,
                             struct buf *bytes, struct err *err)
{
    const struct vocab_entry *e = &b->v->entry[id];
    const char *text = e->token;
    size_t len = e->len;
    if (b->is_byte_level) {
        buf_clear(bytes);
        if (!bytelevel_read(bytes, text, len))
            return OK;
        TRY(buf_status(bytes, err));
        text = buf_text(bytes);
        len = bytes->len;
    }
    if (len == 0 || (len > PIECE_MAX && !b->ignores_merges))
        return OK;
    if (!b->ignores_merges) {
        TRY(merge(b, w, text, len, err));
        if (w->n != 1 || w->symbol[0] != id)
            return OK;
    }
    return pieces_add(&b->pieces, text, len, id, err);
}

static enum status read_pieces(struct bpe *b, struct err *err)
{
    const struct vocab *v = b->v;
    struct bpe_work work = {0};
    struct buf bytes;
    enum status status;
    /* What waits for unk_token to be there is not an error of the file. */
    bool has_unknown = b->has_unknown;
    b->has_unknown = has_unknown && b->unknown >= 0;
    buf_init(&bytes, TOKEN_MAX);
    TRY_DONE(pieces_init(&b->pieces, v->n_set, err));
    for (size_t i = 0; i < v->n; i++)
        if (v->entry[i].token != NULL && v->entry[i].is_model &&
            !v->entry[i].is_special)
            TRY_DONE(try_piece(b, &work, (int32_t)i, &bytes, err));
    status = OK;
done:
    b->has_unknown = has_unknown;
    bpe_work_free(&work);
    buf_free(&bytes);
    return status;
}

/* ---- the model ---------------------------------------------------------- */

static enum status read_model(struct bpe *b, const struct json *model,
                              const char *name, struct err *err)
{
    TRY(refuse_options(model, name, err));
    b->fuses = json_bool(json_get(model, "fuse_unk"), false);
    b->has_fallback = json_bool(json_get(model, "byte_fallback"), false);
    b->ignores_merges = json_bool(json_get(model, "ignore_merges"), false);
    if (b->is_byte_level && b->has_fallback)
        return err_set(err, ERR_MISMATCH,
                       "%s: model 'BPE' with byte_fallback behind "
                       "pre_tokenizer 'ByteLevel' is not supported",
                       name);
    const char *unknown = json_text(json_get(model, "unk_token"), NULL);
    b->has_unknown = unknown != NULL;
    if (unknown != NULL)
        b->unknown = vocab_find(b->v, unknown, strlen(unknown));
    if (b->unknown >= 0 && !b->v->entry[b->unknown].is_model)
        b->unknown = -1;
    read_bytes(b);
    b->cuts = !b->is_byte_level && !b->ignores_merges &&
              find_token(b->v, SPACE, SPACE_LEN) >= 0;
    TRY(read_merges(b, json_get(model, "merges"), name, err));
    return read_pieces(b, err);
}

enum status bpe_parse(void **out, const struct json *model,
                      const struct vocab *v, bool is_byte_level,
                      const char *name, struct err *err)
{
    struct bpe *b = NULL;
    TRY(MEM_NEW(b, 1, err));
    b->v = v;
    b->is_byte_level = is_byte_level;
    b->unknown = -1;
    enum status status = read_model(b, model, name, err);
    if (status != OK)
        bpe_free(b);
    else
        *out = b;
    return status;
}

void bpe_free(void *model)
{
    struct bpe *b = model;
    if (b == NULL)
        return;
    bpe_merges_free(&b->merges);
    pieces_free(&b->pieces);
    mem_free(b);
}

static enum status encode_word(const struct bpe *b, struct bpe_work *w,
                               const char *text, size_t len, struct ids *out,
                               struct err *err)
{
    int32_t id = pieces_find(&b->pieces, text, len);
    if (id >= 0)
        return ids_push(out, id, err);
    TRY(merge(b, w, text, len, err));
    for (size_t i = 0; i < w->n; i++)
        TRY(ids_push(out, w->symbol[i], err));
    return OK;
}

enum status bpe_encode(const void *model, struct bpe_work *work,
                       const char *text, size_t len, struct ids *out,
                       struct err *err)
{
    const struct bpe *b = model;
    size_t from = 0;
    /* Words are merged one by one where no merge goes from one into the
     * next: the same result in less time. */
    for (size_t i = SPACE_LEN; b->cuts && i + SPACE_LEN <= len; i++) {
        if (memcmp(text + i, SPACE, SPACE_LEN) != 0 || i == from ||
            memcmp(text + i - SPACE_LEN, SPACE, SPACE_LEN) == 0)
            continue;
        TRY(encode_word(b, work, text + from, i - from, out, err));
        from = i;
    }
    return encode_word(b, work, text + from, len - from, out, err);
}

#include "io/decoder.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "io/bytelevel.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

/* What cleanup replaces in a token, in this order. */
static const struct {
    const char *from;
    const char *to;
} cleanups[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* ---- reading ------------------------------------------------------------ */

static enum status copy_text(char **out, const char *text, struct err *err)
{
    *out = mem_strdup(text);
    if (*out == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a decoder");
    return OK;
}

static enum status parse_wordpiece(struct decoder_step *s,
                                   const struct json *node, const char *name,
                                   struct err *err)
{
    const char *prefix;
    TRY(json_need_text(&prefix, node, "prefix", name, err));
    if (!json_is_bool(json_get(node, "cleanup")))
        return err_set(err, ERR_FORMAT,
                       "%s: decoder 'WordPiece' without 'cleanup'", name);
    s->type = DECODER_WORDPIECE;
    s->cleanup = json_bool(json_get(node, "cleanup"), false);
    return copy_text(&s->text, prefix, err);
}

static enum status parse_replace(struct decoder_step *s,
                                 const struct json *node, const char *name,
                                 struct err *err)
{
    char what[256];
    (void)snprintf(what, sizeof what, "%.200s: decoder 'Replace'", name);
    s->type = DECODER_REPLACE;
    return replace_parse(&s->replace, node, what, err);
}

static enum status parse_plain(struct decoder_step *s, const struct json *node,
                               const char *name, struct err *err)
{
    const char *type = json_text(json_get(node, "type"), "");
    (void)name;
    (void)err;
    s->type = strcmp(type, "ByteLevel") == 0      ? DECODER_BYTE_LEVEL
              : strcmp(type, "ByteFallback") == 0 ? DECODER_BYTE_FALLBACK
                                                  : DECODER_FUSE;
    return OK;
}

/* A member that is one character. */
static enum status need_character(char **out, const struct json *node,
                                  const char *key, const char *name,
                                  struct err *err)
{
    const char *text;
    size_t n = 0;
    TRY(json_need_text(&text, node, key, name, err));
    if (text[0] != '\0')
        (void)utf8_decode(text, &n);
    if (n == 0 || text[n] != '\0')
        return err_set(err, ERR_FORMAT,
                       "%s: decoder: %s '%.20s' is not one "
                       "character",
                       name, key, text);
    return copy_text(out, text, err);
}

static enum status parse_metaspace(struct decoder_step *s,
                                   const struct json *node, const char *name,
                                   struct err *err)
{
    const char *scheme = json_text(json_get(node, "prepend_scheme"), "always");
    s->type = DECODER_METASPACE;
    s->drops_first = strcmp(scheme, "never") != 0 &&
                     json_bool(json_get(node, "add_prefix_space"), true);
    if (strcmp(scheme, "never") != 0 && strcmp(scheme, "first") != 0 &&
        strcmp(scheme, "always") != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: decoder 'Metaspace' with prepend_scheme '%.40s' "
                       "is not supported",
                       name, scheme);
    return need_character(&s->text, node, "replacement", name, err);
}

static enum status parse_strip(struct decoder_step *s, const struct json *node,
                               const char *name, struct err *err)
{
    int64_t start, stop;
    s->type = DECODER_STRIP;
    TRY(json_need_int(&start, node, "start", 0, INT32_MAX, name, err));
    TRY(json_need_int(&stop, node, "stop", 0, INT32_MAX, name, err));
    s->start = (size_t)start;
    s->stop = (size_t)stop;
    return need_character(&s->text, node, "content", name, err);
}

static const struct {
    const char *type;
    enum status (*parse)(struct decoder_step *s, const struct json *node,
                         const char *name, struct err *err);
} types[] = {
    {"WordPiece", parse_wordpiece}, {"Replace", parse_replace},
    {"Fuse", parse_plain},          {"ByteLevel", parse_plain},
    {"ByteFallback", parse_plain},  {"Metaspace", parse_metaspace},
    {"Strip", parse_strip},
};

/* Append one step; what it holds is freed with the decoder. */
static enum status parse_step(struct decoder *d, const struct json *node,
                              const char *name, struct err *err)
{
    const char *type;
    TRY(json_need_text(&type, node, "type", name, err));
    if (d->n == DECODER_STEPS_MAX)
        return err_set(err, ERR_LIMIT, "%s: decoder of more than %d steps",
                       name, DECODER_STEPS_MAX);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].parse(&d->step[d->n++], node, name, err);
    return err_set(err, ERR_MISMATCH, "%s: decoder '%.60s' is not supported",
                   name, type);
}

static enum status parse_steps(struct decoder *d, const struct json *node,
                               const char *name, struct err *err)
{
    if (strcmp(json_text(json_get(node, "type"), ""), "Sequence") != 0)
        return parse_step(d, node, name, err);
    const struct json *list = json_get(node, "decoders");
    if (!json_is_array(list))
        return err_set(err, ERR_FORMAT,
                       "%s: decoder 'Sequence' without 'decoders'", name);
    for (size_t i = 0; i < json_size(list); i++)
        TRY(parse_step(d, json_at(list, i), name, err));
    return OK;
}

enum status decoder_parse(struct decoder *out, const struct json *node,
                          const char *name, struct err *err)
{
    struct decoder d = {0};
    d.joins = node == NULL || json_is_null(node);
    enum status status = d.joins ? OK : parse_steps(&d, node, name, err);
    if (status != OK)
        decoder_free(&d);
    else
        *out = d;
    return status;
}

void decoder_free(struct decoder *d)
{
    for (size_t i = 0; i < d->n; i++) {
        mem_free(d->step[i].text);
        replace_free(&d->step[i].replace);
    }
    *d = (struct decoder){0};
}

/* ---- running ------------------------------------------------------------ */

/* Tokens on their way: one text, and where each token ends in it. */
struct tokens {
    struct buf text;
    size_t *end; // [n]
    size_t n;
};

/* Append text with every `from` replaced by `to`. */
static void append_replaced(struct buf *out, const char *text, size_t len,
                            const char *from, const char *to)
{
    size_t n = strlen(from);
    size_t last = 0;
    for (size_t i = 0; i + n <= len;) {
        if (memcmp(text + i, from, n) != 0) {
            i++;
            continue;
        }
        buf_append(out, text + last, i - last);
        buf_puts(out, to);
        i += n;
        last = i;
    }
    buf_append(out, text + last, len - last);
}

/* Apply all cleanups to what stands at the end of `out` from `begin` on. */
static void clean_up(struct buf *out, size_t begin, struct buf *scratch)
{
    for (size_t i = 0; i < sizeof cleanups / sizeof *cleanups; i++) {
        const char *at = buf_text(out) + begin;
        if (out->code != OK || strstr(at, cleanups[i].from) == NULL)
            continue;
        buf_clear(scratch);
        append_replaced(scratch, at, out->len - begin, cleanups[i].from,
                        cleanups[i].to);
        if (scratch->code != OK) {
            out->code = scratch->code;
            return;
        }
        out->len = begin;
        buf_append(out, scratch->data, scratch->len);
    }
}

static void run_wordpiece(const struct decoder_step *s, struct tokens *t,
                          struct buf *out)
{
    size_t len_prefix = strlen(s->text);
    size_t begin = 0;
    struct buf scratch;
    buf_init(&scratch, TEXT_MAX);
    for (size_t i = 0; i < t->n; i++) {
        const char *token = buf_text(&t->text) + begin;
        size_t len = t->end[i] - begin;
        size_t begin_out = out->len;
        begin = t->end[i];
        bool is_part =
            len >= len_prefix && memcmp(token, s->text, len_prefix) == 0;
        if (i > 0 && is_part) {
            token += len_prefix;
            len -= len_prefix;
        } else if (i > 0) {
            buf_putc(out, ' ');
        }
        buf_append(out, token, len);
        if (s->cleanup)
            clean_up(out, begin_out, &scratch);
        t->end[i] = out->len;
    }
    buf_free(&scratch);
}

static enum status run_replace(const struct decoder_step *s, struct tokens *t,
                               struct buf *out, struct err *err)
{
    struct pattern_scan scan;
    enum status status = OK;
    size_t begin = 0;
    TRY(pattern_scan_init(&scan, s->replace.pattern, err));
    for (size_t i = 0; i < t->n && status == OK; i++) {
        status = replace_run(&s->replace, &scan, buf_text(&t->text) + begin,
                             t->end[i] - begin, out, err);
        begin = t->end[i];
        t->end[i] = out->len;
    }
    pattern_scan_free(&scan);
    return status;
}

/* Append bytes as text: U+FFFD for what is not UTF-8. */
static void append_lossy(struct buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t bad = 0;
        size_t n = utf8_length(bytes + i, len - i, &bad);
        if (n > 0)
            buf_append(out, bytes + i, n);
        else
            buf_puts(out, "\xef\xbf\xbd");
        i += n + bad;
    }
}

static enum status run_byte_level(struct tokens *t, struct buf *out,
                                  struct err *err)
{
    struct buf bytes;
    size_t begin = 0;
    buf_init(&bytes, TEXT_MAX);
    for (size_t i = 0; i < t->n; i++) {
        const char *token = buf_text(&t->text) + begin;
        size_t len = t->end[i] - begin;
        if (!bytelevel_read(&bytes, token, len))
            buf_append(&bytes, token, len);
        begin = t->end[i];
    }
    enum status status = buf_status(&bytes, err);
    if (status == OK)
        append_lossy(out, bytes.data != NULL ? bytes.data : "", bytes.len);
    buf_free(&bytes);
    if (t->n > 0)
        t->end[0] = out->len;
    t->n = t->n > 0 ? 1 : 0;
    return status;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    if (at == NULL)
        return -1;
    return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* "<0x1F>", the digits in either case or a plus for the first of them, as the
 * library reads numbers; -1: another token. */
static int byte_token(const char *token, size_t len)
{
    if (len != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    int high = token[3] == '+' ? 0 : digit_of(token[3]);
    int low = digit_of(token[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

static bool is_utf8(const char *text, size_t len)
{
    size_t i = 0, n = 1;
    while (i < len && n > 0) {
        n = utf8_length(text + i, len - i, NULL);
        i += n;
    }
    return n > 0;
}

/* The bytes from `begin` on become one token, or a U+FFFD each. */
static void end_bytes(struct tokens *t, size_t *n, struct buf *bytes,
                      struct buf *out)
{
    if (bytes->len == 0)
        return;
    if (is_utf8(bytes->data, bytes->len)) {
        buf_append(out, bytes->data, bytes->len);
        t->end[(*n)++] = out->len;
    } else {
        for (size_t i = 0; i < bytes->len; i++) {
            buf_puts(out, "\xef\xbf\xbd");
            t->end[(*n)++] = out->len;
        }
    }
    buf_clear(bytes);
}

/* There are never more tokens after than before. */
static enum status run_byte_fallback(struct tokens *t, struct buf *out,
                                     struct err *err)
{
    struct buf bytes;
    size_t begin = 0, n = 0;
    buf_init(&bytes, TEXT_MAX);
    for (size_t i = 0; i < t->n && bytes.code == OK; i++) {
        const char *token = buf_text(&t->text) + begin;
        size_t end = t->end[i];
        int byte = byte_token(token, end - begin);
        if (byte >= 0) {
            buf_putc(&bytes, (char)byte);
        } else {
            end_bytes(t, &n, &bytes, out);
            buf_append(out, token, end - begin);
            t->end[n++] = out->len;
        }
        begin = end;
    }
    enum status status = buf_status(&bytes, err);
    if (status == OK)
        end_bytes(t, &n, &bytes, out);
    buf_free(&bytes);
    t->n = n;
    return status;
}

static void run_metaspace(const struct decoder_step *s, struct tokens *t,
                          struct buf *out)
{
    size_t begin = 0;
    for (size_t i = 0; i < t->n; i++) {
        const char *space = i == 0 && s->drops_first ? "" : " ";
        append_replaced(out, buf_text(&t->text) + begin, t->end[i] - begin,
                        s->text, space);
        begin = t->end[i];
        t->end[i] = out->len;
    }
}

static void run_strip(const struct decoder_step *s, struct tokens *t,
                      struct buf *out)
{
    size_t n = strlen(s->text);
    size_t begin = 0;
    for (size_t i = 0; i < t->n; i++) {
        const char *token = buf_text(&t->text) + begin;
        size_t from = 0, to = t->end[i] - begin;
        for (size_t k = 0; k < s->start && to - from >= n &&
                           memcmp(token + from, s->text, n) == 0;
             k++)
            from += n;
        for (size_t k = 0; k < s->stop && to - from >= n &&
                           memcmp(token + to - n, s->text, n) == 0;
             k++)
            to -= n;
        buf_append(out, token + from, to - from);
        begin = t->end[i];
        t->end[i] = out->len;
    }
}

static enum status run_step(const struct decoder_step *s, struct tokens *t,
                            struct err *err)
{
    struct buf out;
    enum status status = OK;
    buf_init(&out, TEXT_MAX);
    switch (s->type) {
    case DECODER_FUSE:
        if (t->n > 1)
            t->end[0] = t->end[t->n - 1];
        t->n = t->n > 0 ? 1 : 0;
        return OK;
    case DECODER_WORDPIECE:
        run_wordpiece(s, t, &out);
        break;
    case DECODER_REPLACE:
        status = run_replace(s, t, &out, err);
        break;
    case DECODER_BYTE_LEVEL:
        status = run_byte_level(t, &out, err);
        break;
    case DECODER_BYTE_FALLBACK:
        status = run_byte_fallback(t, &out, err);
        break;
    case DECODER_METASPACE:
        run_metaspace(s, t, &out);
        break;
    case DECODER_STRIP:
        run_strip(s, t, &out);
        break;
    }
    if (status == OK)
        status = buf_status(&out, err);
    /* The new text takes the old one's place. */
    struct buf old = t->text;
    t->text = out;
    buf_free(&old);
    return status;
}

enum status decoder_run(const struct decoder *d, const char *const *token,
                        size_t n, struct buf *out, struct err *err)
{
    struct tokens t = {.n = n};
    enum status status;
    buf_init(&t.text, TEXT_MAX);
    TRY_DONE(MEM_NEW(t.end, n, err));
    for (size_t i = 0; i < n; i++) {
        if (d->joins && i > 0)
            buf_putc(&t.text, ' ');
        buf_puts(&t.text, token[i]);
        t.end[i] = t.text.len;
    }
    TRY_DONE(buf_status(&t.text, err));
    for (size_t i = 0; i < d->n; i++)
        TRY_DONE(run_step(&d->step[i], &t, err));
    buf_append(out, buf_text(&t.text), t.text.len);
    status = buf_status(out, err);
done:
    buf_free(&t.text);
    mem_free(t.end);
    return status;
}

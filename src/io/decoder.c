#include "io/decoder.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

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
    const char *content;
    char what[256];
    TRY(json_need_text(&content, node, "content", name, err));
    const struct json *pattern = json_get(node, "pattern");
    const char *regex = json_text(json_get(pattern, "Regex"), NULL);
    const char *text = json_text(json_get(pattern, "String"), NULL);
    (void)snprintf(what, sizeof what, "%.200s: decoder 'Replace'", name);
    if (json_size(pattern) != 1 || (regex == NULL && text == NULL))
        return err_set(err, ERR_FORMAT, "%s has no pattern", what);
    s->type = DECODER_REPLACE;
    TRY(copy_text(&s->text, content, err));
    return regex != NULL ? pattern_regex(&s->pattern, regex, what, err)
                         : pattern_literal(&s->pattern, text, what, err);
}

/* Append one step; what it holds is freed with the decoder. */
static enum status parse_step(struct decoder *d, const struct json *node,
                              const char *name, struct err *err)
{
    const char *type;
    TRY(json_need_text(&type, node, "type", name, err));
    if (d->n == DECODER_STEPS_MAX)
        return err_set(err, ERR_LIMIT, "%s: decoder of more than %d steps",
                       name, DECODER_STEPS_MAX);
    struct decoder_step *s = &d->step[d->n++];
    s->type = DECODER_FUSE;
    if (strcmp(type, "WordPiece") == 0)
        return parse_wordpiece(s, node, name, err);
    if (strcmp(type, "Replace") == 0)
        return parse_replace(s, node, name, err);
    if (strcmp(type, "Fuse") == 0)
        return OK;
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
        pattern_free(d->step[i].pattern);
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

static enum status replace(struct pattern_scan *scan, const char *content,
                           const char *text, size_t len, struct buf *out,
                           struct err *err)
{
    size_t last = 0, begin = 0, end = 0;
    bool found = true;
    pattern_scan_start(scan, text, len);
    while (len > 0 && out->code == OK) {
        TRY(pattern_scan_next(scan, &found, &begin, &end, err));
        if (!found)
            break;
        buf_append(out, text + last, begin - last);
        buf_puts(out, content);
        last = end;
    }
    buf_append(out, text + last, len - last);
    return OK;
}

static enum status run_replace(const struct decoder_step *s, struct tokens *t,
                               struct buf *out, struct err *err)
{
    struct pattern_scan scan;
    enum status status = OK;
    size_t begin = 0;
    TRY(pattern_scan_init(&scan, s->pattern, err));
    for (size_t i = 0; i < t->n && status == OK; i++) {
        status = replace(&scan, s->text, buf_text(&t->text) + begin,
                         t->end[i] - begin, out, err);
        begin = t->end[i];
        t->end[i] = out->len;
    }
    pattern_scan_free(&scan);
    return status;
}

static enum status run_step(const struct decoder_step *s, struct tokens *t,
                            struct err *err)
{
    struct buf out;
    if (s->type == DECODER_FUSE) {
        if (t->n > 1)
            t->end[0] = t->end[t->n - 1];
        t->n = t->n > 0 ? 1 : 0;
        return OK;
    }
    buf_init(&out, TEXT_MAX);
    enum status status = OK;
    if (s->type == DECODER_WORDPIECE)
        run_wordpiece(s, t, &out);
    else
        status = run_replace(s, t, &out, err);
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

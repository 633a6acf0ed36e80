#include "io/pretokenizer.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

/*
 * White space is Unicode's White_Space.  A word character of "Whitespace" is
 * UTS 18's, which has the joiners and not the superscripts and fractions that
 * Oniguruma's \w has, hence spelled out.
 */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define REGEX_SPACE "\\s+"
#define REGEX_WORDS "[" WORD "]+|[^" WORD "\\s]+"

/* "Digits" goes by Unicode 17, which has these besides \p{N}. */
#define NUMBER "[\\p{N}\\x{11de0}-\\x{11de9}\\x{16ff4}-\\x{16ff6}]"

/* GPT-2's words. */
#define REGEX_GPT2                                                             \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"        \
    "|\\s+(?!\\S)|\\s+"

/* ---- reading ------------------------------------------------------------ */

static enum status refuse(const char *name, const char *what,
                          const struct json *node, struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "%s: pre_tokenizer %s '%.40s' is not supported", name, what,
                   json_text(node, "(not a string)"));
}

/* A member that must be a truth value, or may be absent with a fallback. */
static enum status need_bool(bool *out, const struct json *node,
                             const char *key, const char *type,
                             const char *name, struct err *err)
{
    if (!json_is_bool(json_get(node, key)))
        return err_set(err, ERR_FORMAT, "%s: pre_tokenizer '%s' without '%s'",
                       name, type, key);
    *out = json_bool(json_get(node, key), false);
    return OK;
}

static enum status isolate(struct pretokenizer_step *s, const char *regex,
                           const char *name, struct err *err)
{
    s->keeps_match = s->keeps_gap = true;
    return pattern_regex(&s->pattern, regex, name, err);
}

static enum status parse_split(struct pretokenizer *p,
                               struct pretokenizer_step *s,
                               const struct json *node, const char *name,
                               struct err *err)
{
    const char *behavior;
    char what[256];
    bool inverts;
    (void)p;
    TRY(json_need_text(&behavior, node, "behavior", name, err));
    TRY(need_bool(&inverts, node, "invert", "Split", name, err));
    s->keeps_gap = s->keeps_match = true;
    if (strcmp(behavior, "Removed") == 0) {
        s->keeps_match = inverts;
        s->keeps_gap = !inverts;
    } else if (strcmp(behavior, "Isolated") != 0) {
        return refuse(name, "'Split' with behavior", json_get(node, "behavior"),
                      err);
    }
    const struct json *pattern = json_get(node, "pattern");
    const char *regex = json_text(json_get(pattern, "Regex"), NULL);
    const char *text = json_text(json_get(pattern, "String"), NULL);
    (void)snprintf(what, sizeof what, "%.200s: pre_tokenizer 'Split'", name);
    if (json_size(pattern) == 1 && regex != NULL)
        return pattern_regex(&s->pattern, regex, what, err);
    if (json_size(pattern) == 1 && text != NULL)
        return pattern_literal(&s->pattern, text, what, err);
    return err_set(err, ERR_FORMAT, "%s has no pattern", what);
}

static enum status parse_spaces(struct pretokenizer *p,
                                struct pretokenizer_step *s,
                                const struct json *node, const char *name,
                                struct err *err)
{
    (void)p;
    (void)node;
    s->keeps_gap = true;
    return pattern_regex(&s->pattern, REGEX_SPACE, name, err);
}

static enum status parse_words(struct pretokenizer *p,
                               struct pretokenizer_step *s,
                               const struct json *node, const char *name,
                               struct err *err)
{
    (void)p;
    (void)node;
    s->keeps_match = true;
    return pattern_regex(&s->pattern, REGEX_WORDS, name, err);
}

static enum status parse_digits(struct pretokenizer *p,
                                struct pretokenizer_step *s,
                                const struct json *node, const char *name,
                                struct err *err)
{
    bool single;
    (void)p;
    TRY(need_bool(&single, node, "individual_digits", "Digits", name, err));
    return isolate(s, single ? NUMBER : NUMBER "+", name, err);
}

static enum status parse_byte_level(struct pretokenizer *p,
                                    struct pretokenizer_step *s,
                                    const struct json *node, const char *name,
                                    struct err *err)
{
    bool prefixes;
    TRY(need_bool(&prefixes, node, "add_prefix_space", "ByteLevel", name, err));
    s->prefix = prefixes ? PREFIX_ALWAYS : PREFIX_NEVER;
    p->is_byte_level = true;
    if (!json_bool(json_get(node, "use_regex"), true))
        return OK;
    return isolate(s, REGEX_GPT2, name, err);
}

static enum status parse_scheme(enum pretokenizer_prefix *out,
                                const struct json *node, const char *name,
                                struct err *err)
{
    static const char *const schemes[] = {"never", "first", "always"};
    const struct json *scheme = json_get(node, "prepend_scheme");
    const struct json *adds = json_get(node, "add_prefix_space");
    int found = 0;
    while (found < 3 &&
           strcmp(json_text(scheme, scheme == NULL ? "always" : ""),
                  schemes[found]) != 0)
        found++;
    if (found == 3)
        return refuse(name, "'Metaspace' with prepend_scheme", scheme, err);
    /* The older key may stand alone or beside the newer one. */
    if (json_is_bool(adds) && !json_bool(adds, true)) {
        if (scheme != NULL && found != PREFIX_NEVER)
            return err_set(err, ERR_FORMAT,
                           "%s: pre_tokenizer 'Metaspace': add_prefix_space "
                           "and prepend_scheme disagree",
                           name);
        found = PREFIX_NEVER;
    }
    *out = (enum pretokenizer_prefix)found;
    return OK;
}

static enum status parse_metaspace(struct pretokenizer *p,
                                   struct pretokenizer_step *s,
                                   const struct json *node, const char *name,
                                   struct err *err)
{
    const char *replacement;
    char regex[32];
    size_t n = 0;
    (void)p;
    TRY(json_need_text(&replacement, node, "replacement", name, err));
    size_t len = strlen(replacement);
    if (len > 0)
        (void)utf8_decode(replacement, &n);
    if (len == 0 || n != len)
        return err_set(err, ERR_FORMAT,
                       "%s: pre_tokenizer 'Metaspace' with replacement "
                       "'%.20s', want one character",
                       name, replacement);
    memcpy(s->replacement, replacement, len + 1);
    TRY(parse_scheme(&s->prefix, node, name, err));
    if (!json_bool(json_get(node, "split"), true))
        return OK;
    /* A piece goes from one replacement to the next. */
    (void)snprintf(regex, sizeof regex, "(?=\\x{%x})",
                   (unsigned)utf8_decode(replacement, &n));
    return isolate(s, regex, name, err);
}

static const struct {
    const char *type;
    enum status (*parse)(struct pretokenizer *p, struct pretokenizer_step *s,
                         const struct json *node, const char *name,
                         struct err *err);
} types[] = {
    {"Split", parse_split},          {"WhitespaceSplit", parse_spaces},
    {"Whitespace", parse_words},     {"Digits", parse_digits},
    {"ByteLevel", parse_byte_level}, {"Metaspace", parse_metaspace},
};

/* Append one step; what it holds is freed with the pre-tokenizer. */
static enum status parse_step(struct pretokenizer *p, const struct json *node,
                              const char *name, struct err *err)
{
    const char *type;
    TRY(json_need_text(&type, node, "type", name, err));
    if (p->is_byte_level)
        return err_set(err, ERR_MISMATCH,
                       "%s: pre_tokenizer 'ByteLevel' before '%.60s' is not "
                       "supported",
                       name, type);
    if (p->n == PRETOKENIZER_STEPS_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: pre_tokenizer of more than %d steps", name,
                       PRETOKENIZER_STEPS_MAX);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].parse(p, &p->step[p->n++], node, name, err);
    return err_set(err, ERR_MISMATCH,
                   "%s: pre_tokenizer '%.60s' is not supported", name, type);
}

static enum status parse_steps(struct pretokenizer *p, const struct json *node,
                               const char *name, struct err *err)
{
    if (strcmp(json_text(json_get(node, "type"), ""), "Sequence") != 0)
        return parse_step(p, node, name, err);
    const struct json *list = json_get(node, "pretokenizers");
    if (!json_is_array(list))
        return err_set(err, ERR_FORMAT,
                       "%s: pre_tokenizer 'Sequence' without 'pretokenizers'",
                       name);
    for (size_t i = 0; i < json_size(list); i++)
        TRY(parse_step(p, json_at(list, i), name, err));
    return OK;
}

enum status pretokenizer_parse(struct pretokenizer *out,
                               const struct json *node, const char *name,
                               struct err *err)
{
    struct pretokenizer p = {0};
    enum status status = OK;
    if (node != NULL && !json_is_null(node))
        status = parse_steps(&p, node, name, err);
    if (status != OK)
        pretokenizer_free(&p);
    else
        *out = p;
    return status;
}

void pretokenizer_free(struct pretokenizer *p)
{
    for (size_t i = 0; i < p->n; i++)
        pattern_free(p->step[i].pattern);
    *p = (struct pretokenizer){0};
}

/* ---- cutting ------------------------------------------------------------ */

enum status pretokenizer_run_init(struct pretokenizer_run *r,
                                  const struct pretokenizer *p, struct err *err)
{
    struct pretokenizer_run made = {.p = p};
    for (size_t i = 0; i < p->n; i++) {
        buf_init(&made.text[i], TEXT_MAX);
        enum status status = OK;
        if (p->step[i].pattern != NULL)
            status = pattern_scan_init(&made.scan[i], p->step[i].pattern, err);
        if (status != OK) {
            pretokenizer_run_free(&made);
            return status;
        }
    }
    *r = made;
    return OK;
}

void pretokenizer_run_free(struct pretokenizer_run *r)
{
    for (size_t i = 0; r->p != NULL && i < r->p->n; i++) {
        if (r->scan[i].match != NULL)
            pattern_scan_free(&r->scan[i]);
        buf_free(&r->text[i]);
    }
    *r = (struct pretokenizer_run){0};
}

/* One way through the steps. */
struct walk {
    struct pretokenizer_run *run;
    pretokenizer_fn fn;
    void *ctx;
};

static enum status take_step(const struct walk *w, size_t k, const char *text,
                             size_t len, bool is_first, struct err *err);

/* One piece, unless it is empty or dropped. */
static enum status give(const struct walk *w, size_t k, bool is_kept,
                        const char *text, size_t len, bool is_first,
                        struct err *err)
{
    if (!is_kept || len == 0)
        return OK;
    if (k + 1 < w->run->p->n)
        return take_step(w, k + 1, text, len, is_first, err);
    return w->fn(w->ctx, text, len, err);
}

/* Put a prefix in front and replace spaces: a copy when that changes
 * anything. */
static enum status rewrite(const struct pretokenizer_step *s, struct buf *copy,
                           const char **text, size_t *len, bool is_first,
                           struct err *err)
{
    size_t n = strlen(s->replacement);
    const char *space = n > 0 ? s->replacement : " ";
    bool begins = (*len > 0 && (*text)[0] == ' ') ||
                  (n > 0 && *len >= n && memcmp(*text, space, n) == 0);
    bool wants =
        s->prefix == PREFIX_ALWAYS || (s->prefix == PREFIX_FIRST && is_first);
    if (n == 0 && (!wants || begins))
        return OK;
    buf_clear(copy);
    if (wants && !begins)
        buf_puts(copy, space);
    for (size_t i = 0, next; i < *len; i = next) {
        const char *at = n > 0 ? memchr(*text + i, ' ', *len - i) : NULL;
        next = at != NULL ? (size_t)(at - *text) : *len;
        buf_append(copy, *text + i, next - i);
        if (at != NULL) {
            buf_puts(copy, space);
            next++;
        }
    }
    TRY(buf_status(copy, err));
    *text = buf_text(copy);
    *len = copy->len;
    return OK;
}

static enum status take_step(const struct walk *w, size_t k, const char *text,
                             size_t len, bool is_first, struct err *err)
{
    const struct pretokenizer_step *s = &w->run->p->step[k];
    struct pattern_scan *scan = &w->run->scan[k];
    size_t last = 0, begin = 0, end = 0;
    bool found = true;
    if (s->prefix != PREFIX_NEVER || s->replacement[0] != '\0')
        TRY(rewrite(s, &w->run->text[k], &text, &len, is_first, err));
    if (s->pattern == NULL)
        return give(w, k, true, text, len, is_first, err);
    pattern_scan_start(scan, text, len);
    while (found) {
        TRY(pattern_scan_next(scan, &found, &begin, &end, err));
        size_t gap_end = found ? begin : len;
        TRY(give(w, k, s->keeps_gap, text + last, gap_end - last,
                 is_first && last == 0, err));
        if (!found)
            break;
        TRY(give(w, k, s->keeps_match, text + begin, end - begin,
                 is_first && begin == 0, err));
        last = end;
    }
    return OK;
}

enum status pretokenizer_split(struct pretokenizer_run *r, const char *text,
                               size_t len, bool is_first, pretokenizer_fn fn,
                               void *ctx, struct err *err)
{
    struct walk w = {.run = r, .fn = fn, .ctx = ctx};
    if (len == 0)
        return OK;
    if (r->p->n == 0)
        return fn(ctx, text, len, err);
    return take_step(&w, 0, text, len, is_first, err);
}

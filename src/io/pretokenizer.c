#include "io/pretokenizer.h"

#include <stdio.h>
#include <string.h>

/*
 * White space is Unicode's White_Space.  A word character of "Whitespace" is
 * UTS 18's, which has the joiners and not the superscripts and fractions that
 * Oniguruma's \w has, hence spelled out.
 */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define REGEX_SPACE "\\s+"
#define REGEX_WORDS "[" WORD "]+|[^" WORD "\\s]+"

static enum status refuse(const char *name, const char *what,
                          const struct json *node, struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "%s: pre_tokenizer 'Split' with %s '%.40s' is not supported",
                   name, what, json_text(node, "(not a string)"));
}

/* {"type":"Split"}: fill in what is kept, then compile the pattern. */
static enum status parse_split(struct pretokenizer *p, const struct json *node,
                               const char *name, struct err *err)
{
    const char *behavior;
    char what[256];
    TRY(json_need_text(&behavior, node, "behavior", name, err));
    const struct json *invert = json_get(node, "invert");
    if (!json_is_bool(invert))
        return err_set(err, ERR_FORMAT,
                       "%s: pre_tokenizer 'Split' without 'invert'", name);
    p->keeps_gap = p->keeps_match = true;
    if (strcmp(behavior, "Removed") == 0) {
        p->keeps_match = json_bool(invert, false);
        p->keeps_gap = !p->keeps_match;
    } else if (strcmp(behavior, "Isolated") != 0) {
        return refuse(name, "behavior", json_get(node, "behavior"), err);
    }
    const struct json *pattern = json_get(node, "pattern");
    const char *regex = json_text(json_get(pattern, "Regex"), NULL);
    const char *text = json_text(json_get(pattern, "String"), NULL);
    (void)snprintf(what, sizeof what, "%.200s: pre_tokenizer 'Split'", name);
    if (json_size(pattern) == 1 && regex != NULL)
        return pattern_regex(&p->pattern, regex, what, err);
    if (json_size(pattern) == 1 && text != NULL)
        return pattern_literal(&p->pattern, text, what, err);
    return err_set(err, ERR_FORMAT, "%s has no pattern", what);
}

enum status pretokenizer_parse(struct pretokenizer *out,
                               const struct json *node, const char *name,
                               struct err *err)
{
    struct pretokenizer p = {0};
    const char *type;
    if (node == NULL || json_is_null(node)) {
        *out = p;
        return OK;
    }
    TRY(json_need_text(&type, node, "type", name, err));
    if (strcmp(type, "Split") == 0) {
        TRY(parse_split(&p, node, name, err));
    } else if (strcmp(type, "WhitespaceSplit") == 0) {
        p.keeps_match = false;
        p.keeps_gap = true;
        TRY(pattern_regex(&p.pattern, REGEX_SPACE, name, err));
    } else if (strcmp(type, "Whitespace") == 0) {
        p.keeps_match = true;
        TRY(pattern_regex(&p.pattern, REGEX_WORDS, name, err));
    } else {
        return err_set(err, ERR_MISMATCH,
                       "%s: pre_tokenizer '%.60s' is not supported", name,
                       type);
    }
    *out = p;
    return OK;
}

void pretokenizer_free(struct pretokenizer *p)
{
    pattern_free(p->pattern);
    *p = (struct pretokenizer){0};
}

/* One piece, unless it is empty or dropped. */
static enum status give(bool is_kept, const char *text, size_t begin,
                        size_t end, pretokenizer_fn fn, void *ctx,
                        struct err *err)
{
    if (!is_kept || begin == end)
        return OK;
    return fn(ctx, text + begin, end - begin, err);
}

enum status pretokenizer_split(const struct pretokenizer *p, const char *text,
                               size_t len, pretokenizer_fn fn, void *ctx,
                               struct err *err)
{
    if (p->pattern == NULL)
        return give(true, text, 0, len, fn, ctx, err);
    struct pattern_scan scan;
    TRY(pattern_scan_init(&scan, p->pattern, err));
    pattern_scan_start(&scan, text, len);
    enum status status;
    size_t last = 0, begin = 0, end = 0;
    bool found = true;
    for (;;) {
        TRY_DONE(pattern_scan_next(&scan, &found, &begin, &end, err));
        size_t gap_end = found ? begin : len;
        TRY_DONE(give(p->keeps_gap, text, last, gap_end, fn, ctx, err));
        if (!found)
            break;
        TRY_DONE(give(p->keeps_match, text, begin, end, fn, ctx, err));
        last = end;
    }
done:
    pattern_scan_free(&scan);
    return status;
}

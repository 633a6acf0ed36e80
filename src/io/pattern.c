#include "io/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/buf.h"
#include "base/mem.h"

#define REGEX_MAX ((size_t)64 * 1024)
#define MATCH_LIMIT 1000000u // backtracks of one match
#define LONG_TEXT ((size_t)200000)
#define LONG_MATCH_LIMIT 300000000u // of a match in a longer text
#define HEAP_LIMIT 65536u           // KiB for one match
#define DEPTH_LIMIT 100000u

/* What \w and \s are to Oniguruma with Unicode, without the brackets.  Outside
 * a class its \w also takes superscripts and fractions below U+0100. */
#define CLASS_WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define CLASS_WORD_ALONE CLASS_WORD "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
#define CLASS_SPACE                                                            \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"               \
    "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/*
 * What Oniguruma's tables (Unicode 16) have of these categories and those of
 * PCRE2 10.42 (Unicode 14) lack.  Where PCRE2 is newer the ranges are there
 * twice, which changes nothing.
 */
#define NEWER_LETTERS                                                          \
    "\\x{1c89}\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}"                 \
    "\\x{105c0}-\\x{105f3}\\x{10d4a}-\\x{10d65}\\x{10d6f}-\\x{10d85}"          \
    "\\x{10ec2}-\\x{10ec4}\\x{1123f}\\x{11240}\\x{11380}-\\x{11389}"           \
    "\\x{1138b}\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}"            \
    "\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}"           \
    "\\x{11f12}-\\x{11f33}\\x{1342f}\\x{13441}-\\x{13446}"                     \
    "\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}\\x{16d40}-\\x{16d6c}"          \
    "\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}"                      \
    "\\x{1e030}-\\x{1e06d}\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}"          \
    "\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"
#define NEWER_NUMBERS                                                          \
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}"          \
    "\\x{11f50}-\\x{11f59}\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}"          \
    "\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}\\x{1e4f0}-\\x{1e4f9}"          \
    "\\x{1e5f1}-\\x{1e5fa}"
#define NEWER_MARKS                                                            \
    "\\x{897}\\x{cf3}\\x{ece}\\x{10d69}-\\x{10d6d}\\x{10efc}-\\x{10eff}"       \
    "\\x{11241}\\x{113b8}-\\x{113c0}\\x{113c2}\\x{113c5}"                      \
    "\\x{113c7}-\\x{113ca}\\x{113cc}-\\x{113d0}\\x{113d2}"                     \
    "\\x{113e1}\\x{113e2}\\x{11f00}\\x{11f01}\\x{11f03}"                       \
    "\\x{11f34}-\\x{11f3a}\\x{11f3e}-\\x{11f42}\\x{11f5a}\\x{13440}"           \
    "\\x{13447}-\\x{13455}\\x{1611e}-\\x{1612f}\\x{1e08f}"                     \
    "\\x{1e4ec}-\\x{1e4ef}\\x{1e5ee}\\x{1e5ef}"

struct pattern {
    pcre2_code *code;
    pcre2_general_context *memory;
    pcre2_match_context *limits;      // for a text up to LONG_TEXT
    pcre2_match_context *long_limits; // where a step per byte is honest
    bool is_compiled;                 // to machine code
};

/* ---- from Oniguruma's syntax -------------------------------------------- */

struct translator {
    const char *regex; // NUL-terminated
    size_t at;
    struct buf *out;
    const char *what;
};

static enum status refuse(const struct translator *t, size_t len,
                          struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "%s: '%.*s' in a regular expression is not supported",
                   t->what, (int)len, t->regex + t->at);
}

/* "\p{L}": what PCRE2's tables lack is named beside it. */
static const struct {
    const char *name;
    const char *newer;
} categories[] = {
    {"\\p{L}", NEWER_LETTERS},
    {"\\p{N}", NEWER_NUMBERS},
    {"\\p{M}", NEWER_MARKS},
};

/* "\p{Lu}" or "\x{1f600}": through the closing brace. */
static enum status take_braced(struct translator *t, bool in_class,
                               struct err *err)
{
    const char *from = t->regex + t->at;
    const char *close = from[2] == '{' ? strchr(from, '}') : NULL;
    if (close == NULL)
        return refuse(t, 2, err);
    size_t len = (size_t)(close - from) + 1;
    const char *newer = NULL;
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (strlen(categories[i].name) == len &&
            memcmp(categories[i].name, from, len) == 0)
            newer = categories[i].newer;
    if (newer != NULL && !in_class)
        buf_putc(t->out, '[');
    buf_append(t->out, from, len);
    if (newer != NULL)
        buf_puts(t->out, newer);
    if (newer != NULL && !in_class)
        buf_putc(t->out, ']');
    t->at += len;
    return OK;
}

/* Does an escape mean the same to both?  Punctuation stands for itself; \A
 * and \z are places, not characters. */
static bool is_same(char c, bool in_class)
{
    static const char same[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~dDntrfea";
    if (c == 'A' || c == 'z')
        return !in_class;
    return c != '\0' && strchr(same, c) != NULL;
}

/* A backslash and what it escapes. */
static enum status take_escape(struct translator *t, bool in_class,
                               struct err *err)
{
    char c = t->regex[t->at + 1];
    if (c == 'p' || c == 'P' || c == 'x')
        return take_braced(t, in_class, err);
    const char *alone = (c | 32) == 'w' ? CLASS_WORD_ALONE : CLASS_SPACE;
    if (in_class && (c == 'w' || c == 's')) {
        buf_puts(t->out, c == 'w' ? CLASS_WORD : CLASS_SPACE);
    } else if (!in_class && (c == 'w' || c == 's')) {
        buf_printf(t->out, "[%s]", alone);
    } else if (!in_class && (c == 'W' || c == 'S')) {
        buf_printf(t->out, "[^%s]", alone);
    } else if (is_same(c, in_class)) {
        buf_append(t->out, t->regex + t->at, 2);
    } else {
        return refuse(t, c != '\0' ? 2 : 1, err);
    }
    t->at += 2;
    return OK;
}

/*
 * An escape in a class.  One that stands for several characters cannot be the
 * end of a range, and the two syntaxes differ on what it then means.
 */
static enum status take_member(struct translator *t, bool is_after_hyphen,
                               struct err *err)
{
    size_t from = t->at;
    bool is_set = t->regex[from + 1] != '\0' &&
                  strchr("dDswpP", t->regex[from + 1]) != NULL;
    TRY(take_escape(t, true, err));
    const char *next = t->regex + t->at;
    if (is_set && (is_after_hyphen || (next[0] == '-' && next[1] != ']'))) {
        t->at = from;
        return refuse(t, 2, err);
    }
    return OK;
}

/* "[...]", without nested sets, intersections and POSIX names. */
static enum status take_class(struct translator *t, struct err *err)
{
    size_t open = t->regex[t->at + 1] == '^' ? 2 : 1;
    if (t->regex[t->at + open] == ']')
        return refuse(t, open + 1, err);
    buf_append(t->out, t->regex + t->at, open);
    t->at += open;
    bool is_after_hyphen = false; // one that may make a range
    for (bool is_first = true;; is_first = false) {
        char c = t->regex[t->at];
        if (c == '\0')
            return err_set(err, ERR_FORMAT,
                           "%s: regular expression with an open '['", t->what);
        if (c == '[' || (c == '&' && t->regex[t->at + 1] == '&'))
            return refuse(t, 1, err);
        if (c == '\\') {
            TRY(take_member(t, is_after_hyphen, err));
            is_after_hyphen = false;
            continue;
        }
        is_after_hyphen = c == '-' && !is_first;
        buf_putc(t->out, c);
        t->at++;
        if (c == ']')
            return OK;
    }
}

/*
 * "(?i:...)" of letters, apostrophes, alternatives and plain classes.  There
 * the two agree, but for pairs of letters that are one character to Oniguruma
 * when case does not matter ("ss" and U+00DF).
 */
static enum status take_caseless(struct translator *t, struct err *err)
{
    static const char *const pairs[] = {"ss", "ff", "fi", "fl", "st"};
    const char *from = t->regex + t->at;
    size_t len = 4;
    size_t open = 0; // where a class began
    for (;; len++) {
        char c = from[len];
        bool is_plain = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (c == '[' && open == 0)
            open = len;
        else if (c == ']' && open != 0 && len > open + 1)
            open = 0;
        else if (c == '\0' || (!is_plain && strchr("'|", c) == NULL))
            break;
    }
    if (from[len] != ')' || open != 0)
        return refuse(t, strnlen(from, len + 1), err);
    for (size_t i = 4; i + 1 < len; i++)
        for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
            if ((from[i] | 32) == pairs[k][0] &&
                (from[i + 1] | 32) == pairs[k][1])
                return refuse(t, len + 1, err);
    buf_append(t->out, from, len + 1);
    t->at += len + 1;
    return OK;
}

/* "(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:" or a plain group. */
static enum status take_group(struct translator *t, struct err *err)
{
    const char *from = t->regex + t->at;
    size_t len = 1;
    if (from[1] == '*')
        return refuse(t, 2, err);
    if (strncmp(from, "(?i:", 4) == 0)
        return take_caseless(t, err);
    if (from[1] == '?') {
        bool behind = from[2] == '<';
        char c = from[behind ? 3 : 2];
        if (c == '\0' || strchr(behind ? "=!" : ":=!>", c) == NULL)
            return refuse(t, strnlen(from, 4), err);
        len = behind ? 4 : 3;
    }
    buf_append(t->out, from, len);
    t->at += len;
    return OK;
}

/* "{n}", "{n,}" or "{n,m}", not possessive; a brace is nothing else here. */
static enum status take_repeat(struct translator *t, struct err *err)
{
    const char *from = t->regex + t->at;
    size_t len = 1 + strspn(from + 1, "0123456789");
    if (len > 1 && from[len] == ',')
        len += 1 + strspn(from + len + 1, "0123456789");
    if (len == 1 || from[len] != '}' || from[len + 1] == '+')
        return refuse(t, strnlen(from, len + 2), err);
    buf_append(t->out, from, len + 1);
    t->at += len + 1;
    return OK;
}

static enum status translate(struct buf *out, const char *regex,
                             const char *what, struct err *err)
{
    struct translator t = {.regex = regex, .out = out, .what = what};
    while (regex[t.at] != '\0') {
        char c = regex[t.at];
        if (c == '\\') {
            TRY(take_escape(&t, false, err));
        } else if (c == '[') {
            TRY(take_class(&t, err));
        } else if (c == '(') {
            TRY(take_group(&t, err));
        } else if (c == '{') {
            TRY(take_repeat(&t, err));
        } else {
            buf_putc(out, c);
            t.at++;
        }
    }
    if (out->code == ERR_LIMIT)
        return err_set(err, ERR_LIMIT,
                       "%s: regular expression longer than %zu bytes", what,
                       out->max);
    return buf_status(out, err);
}

/* ---- compiling ---------------------------------------------------------- */

static void *pcre_alloc(size_t size, void *ctx)
{
    (void)ctx;
    return mem_calloc(size, 1);
}

static void pcre_release(void *p, void *ctx)
{
    (void)ctx;
    mem_free(p);
}

static enum status compile(struct pattern *p, const char *regex, size_t len,
                           uint32_t flags, const char *what, struct err *err)
{
    p->memory = pcre2_general_context_create(pcre_alloc, pcre_release, NULL);
    if (p->memory == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a pattern");
    p->limits = pcre2_match_context_create(p->memory);
    pcre2_compile_context *options = pcre2_compile_context_create(p->memory);
    p->long_limits = pcre2_match_context_create(p->memory);
    if (p->limits == NULL || p->long_limits == NULL || options == NULL) {
        pcre2_compile_context_free(options);
        return err_set(err, ERR_MEMORY, "out of memory for a pattern");
    }
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_match_limit(p->long_limits, LONG_MATCH_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT);
    pcre2_set_heap_limit(p->long_limits, HEAP_LIMIT);
    pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
    pcre2_set_depth_limit(p->long_limits, DEPTH_LIMIT);
    pcre2_set_newline(options, PCRE2_NEWLINE_LF);
    int code = 0;
    PCRE2_SIZE at = 0;
    p->code = pcre2_compile((PCRE2_SPTR)regex, len, flags, &code, &at, options);
    pcre2_compile_context_free(options);
    if (p->code == NULL && code == PCRE2_ERROR_HEAP_FAILED)
        return err_set(err, ERR_MEMORY, "out of memory for a pattern");
    if (p->code == NULL) {
        PCRE2_UCHAR text[128] = "";
        (void)pcre2_get_error_message(code, text, sizeof text);
        return err_set(err, ERR_FORMAT, "%s: regular expression: %s", what,
                       (const char *)text);
    }
    /* Without JIT (no such processor, no memory) matching is only slower. */
    p->is_compiled = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    return OK;
}

static enum status create(struct pattern **out, const char *regex, size_t len,
                          uint32_t flags, const char *what, struct err *err)
{
    struct pattern *p = NULL;
    TRY(MEM_NEW(p, 1, err));
    enum status status = compile(p, regex, len, flags, what, err);
    if (status != OK)
        pattern_free(p);
    else
        *out = p;
    return status;
}

enum status pattern_regex(struct pattern **out, const char *regex,
                          const char *what, struct err *err)
{
    struct buf text;
    buf_init(&text, REGEX_MAX);
    enum status status = translate(&text, regex, what, err);
    if (status == OK)
        status = create(out, buf_text(&text), text.len,
                        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, what, err);
    buf_free(&text);
    return status;
}

enum status pattern_literal(struct pattern **out, const char *text,
                            const char *what, struct err *err)
{
    if (strlen(text) > REGEX_MAX)
        return err_set(err, ERR_LIMIT, "%s: pattern longer than %zu bytes",
                       what, REGEX_MAX);
    return create(out, text, strlen(text), PCRE2_UTF | PCRE2_LITERAL, what,
                  err);
}

void pattern_free(struct pattern *p)
{
    if (p == NULL)
        return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    pcre2_match_context_free(p->long_limits);
    pcre2_general_context_free(p->memory);
    mem_free(p);
}

/* ---- matching ----------------------------------------------------------- */

enum status pattern_scan_init(struct pattern_scan *s, const struct pattern *p,
                              struct err *err)
{
    pcre2_match_data *match =
        pcre2_match_data_create_from_pattern(p->code, p->memory);
    if (match == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a match");
    *s = (struct pattern_scan){.pattern = p, .match = match};
    return OK;
}

void pattern_scan_free(struct pattern_scan *s)
{
    pcre2_match_data_free(s->match);
    *s = (struct pattern_scan){0};
}

void pattern_scan_start(struct pattern_scan *s, const char *text, size_t len)
{
    s->text = text;
    s->len = len;
    s->at = 0;
    s->last_end = SIZE_MAX;
}

/* One search from s->at. */
static enum status search(struct pattern_scan *s, bool *found, size_t *begin,
                          size_t *end, struct err *err)
{
    const struct pattern *p = s->pattern;
    PCRE2_SPTR text = (PCRE2_SPTR)s->text;
    pcre2_match_context *limits =
        s->len > LONG_TEXT ? p->long_limits : p->limits;
    int code = p->is_compiled
                   ? pcre2_jit_match(p->code, text, s->len, s->at,
                                     PCRE2_NO_UTF_CHECK, s->match, limits)
                   : pcre2_match(p->code, text, s->len, s->at,
                                 PCRE2_NO_UTF_CHECK, s->match, limits);
    /* The compiled code runs on a small stack; the interpreter has the heap. */
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(p->code, text, s->len, s->at,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->match, limits);
    *found = code >= 0;
    if (code == PCRE2_ERROR_NOMATCH)
        return OK;
    if (code == PCRE2_ERROR_NOMEMORY)
        return err_set(err, ERR_MEMORY, "out of memory for a match");
    if (code < 0)
        return err_set(err, ERR_LIMIT,
                       "regular expression takes too long at byte %zu", s->at);
    const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(s->match);
    *begin = pair[0];
    *end = pair[1];
    return OK;
}

enum status pattern_scan_next(struct pattern_scan *s, bool *found,
                              size_t *begin, size_t *end, struct err *err)
{
    for (;;) {
        *found = false;
        if (s->at > s->len)
            return OK;
        TRY(search(s, found, begin, end, err));
        if (!*found) {
            s->at = s->len + 1;
            return OK;
        }
        if (*begin != *end || *begin != s->last_end)
            break;
        /* Empty, right behind the last match: on to the next code point. */
        s->at++;
        while (s->at < s->len && (s->text[s->at] & 0xc0) == 0x80)
            s->at++;
    }
    s->at = *end;
    s->last_end = *end;
    return OK;
}

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose/lint_internal.h"

static bool is_null_word(const char *text)
{
    return strcmp(text, "None") == 0 || strcmp(text, "null") == 0 ||
           *text == '\0';
}

static double number_of(const char *text)
{
    char *end;
    if (text == NULL || text[strspn(text, "+-.0123456789eE")] != '\0')
        return (double)NAN;
    double x = strtod(text, &end);
    return *text != '\0' && *end == '\0' && isfinite(x) ? x : (double)NAN;
}

static struct lint_value from_entry(const struct lint_entry *e)
{
    const char *text =
        e->text != NULL && is_null_word(e->text) ? NULL : e->text;
    return (struct lint_value){.state =
                                   e->is_unknown ? LINT_UNKNOWN : LINT_GIVEN,
                               .key = e->key,
                               .text = text,
                               .number = number_of(text),
                               .line = e->line};
}

/* Is this key the prefix and then `key`, with `front` between? */
static bool is_key(const struct lint_case *c, const char *text,
                   const char *front, const char *key)
{
    size_t n = strlen(c->prefix), m = strlen(front);
    return strncmp(text, c->prefix, n) == 0 &&
           strncmp(text + n, front, m) == 0 && strcmp(text + n + m, key) == 0;
}

struct lint_value lint_get(const struct lint_case *c, enum lint_setting s)
{
    const struct lint_key *k = lint_key_of(c->out->trainer, s);
    struct lint_value v = {.state = LINT_NONE, .number = (double)NAN};
    if (k->key == NULL)
        return v;
    for (size_t i = c->n; i > 0; i--) {
        const struct lint_entry *e = &c->entry[i - 1];
        if (is_key(c, e->key, "", k->key))
            return from_entry(e);
        /* Python's command lines turn switches off so. */
        if (is_key(c, e->key, "no_", k->key) && !e->is_unknown) {
            v = from_entry(e);
            v.text = "false";
            return v;
        }
    }
    v.state = LINT_DEFAULTED;
    v.key = k->key;
    v.text = k->fallback;
    v.number = number_of(k->fallback);
    return v;
}

struct lint_value lint_find(const struct lint_case *c, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = c->n; i > 0; i--) {
        const struct lint_entry *e = &c->entry[i - 1];
        size_t len = strlen(e->key);
        bool is_end = len >= n && strcmp(e->key + len - n, word) == 0;
        if (is_end && (len == n || e->key[len - n - 1] == '.'))
            return from_entry(e);
    }
    return (struct lint_value){.state = LINT_NONE, .number = (double)NAN};
}

bool lint_is_known(const struct lint_value *v)
{
    return v->state == LINT_GIVEN || v->state == LINT_DEFAULTED;
}

bool lint_is_given(const struct lint_value *v)
{
    return v->state == LINT_GIVEN;
}

bool lint_is_number(const struct lint_value *v)
{
    return lint_is_known(v) && isfinite(v->number);
}

bool lint_is_text(const struct lint_value *v, const char *text)
{
    return lint_is_known(v) && v->text != NULL && strcmp(v->text, text) == 0;
}

static bool is_any(const struct lint_value *v, const char *const *word)
{
    for (; *word != NULL; word++) {
        if (lint_is_text(v, *word))
            return true;
    }
    return false;
}

bool lint_is_true(const struct lint_value *v)
{
    static const char *const word[] = {"true", "True", "TRUE", "1",
                                       "yes",  "Yes",  "on",   NULL};
    return is_any(v, word);
}

bool lint_is_false(const struct lint_value *v)
{
    static const char *const word[] = {"false", "False", "FALSE", "0",
                                       "no",    "No",    "off",   NULL};
    return lint_is_known(v) && (v->text == NULL || is_any(v, word));
}

static const char *keep(struct lint_case *c, const char *fmt, va_list args)
    ERR_PRINTF(2, 0);

/* Text of the findings' arena. */
static const char *keep(struct lint_case *c, const char *fmt, va_list args)
{
    struct buf text;
    char *copy = NULL;
    buf_init(&text, 64 * 1024);
    buf_vprintf(&text, fmt, args);
    if (c->status == OK)
        c->status = buf_status(&text, c->err);
    if (c->status == OK)
        c->status = ARENA_NEW(&c->out->text, copy, text.len + 1, c->err);
    if (c->status == OK)
        memcpy(copy, buf_text(&text), text.len + 1);
    buf_free(&text);
    return c->status == OK ? copy : "";
}

const char *lint_print(struct lint_case *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = keep(c, fmt, args);
    va_end(args);
    return text;
}

const char *lint_flag(struct lint_case *c, enum lint_setting s,
                      const char *value)
{
    const struct lint_key *k = lint_key_of(c->out->trainer, s);
    bool is_hydra = c->out->trainer == LINT_VERL;
    bool is_switch =
        strcmp(value, "true") == 0 && (c->out->trainer == LINT_OPENRLHF ||
                                       c->out->trainer == LINT_OPENRLHF_FLAT);
    if (k->key == NULL)
        return "";
    if (is_switch)
        return lint_print(c, "--%s", k->key);
    return lint_print(c, is_hydra ? "%s=%s" : "--%s %s", k->key, value);
}

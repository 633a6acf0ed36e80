#include "io/scan_oracle.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/scan.h"

/* `text` with Python's words outside of strings as "[]" and blanks. */
static char *replace_words(const char *text, size_t len)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    char *out = mem_calloc(len + 1, 1);
    bool is_string = false;
    if (out == NULL || len == 0)
        return out;
    memcpy(out, text, len);
    for (size_t i = 0; i < len; i++) {
        if (out[i] == '\\' && is_string) {
            i++;
            continue;
        }
        if (out[i] == '"')
            is_string = !is_string;
        for (size_t k = 0; k < 3 && !is_string; k++) {
            size_t n = strlen(words[k]);
            if (len - i < n || memcmp(text + i, words[k], n) != 0)
                continue;
            memset(out + i, ' ', n);
            out[i] = '[';
            out[i + 1] = ']';
            i += n - 1;
            break;
        }
    }
    return out;
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The number in text[0..len) as a float, which is read as an item. */
static const char *compare_float(const char *text, size_t len)
{
    char item[66];
    struct scan s;
    float f, g = strtof(text, NULL);
    item[0] = '[';
    memcpy(item + 1, text, len);
    item[len + 1] = ']';
    scan_init(&s, item, len + 2);
    if (scan_floats(&s, &f, 1) != 1)
        return "no float";
    /* The integer -0 is 0. */
    if (f == 0 && g == 0 && strpbrk(text, ".eE") == NULL)
        return NULL;
    return memcmp(&f, &g, sizeof f) == 0 ? NULL : "another float";
}

/* A number, in every type it can be asked for. */
static const char *compare_types(double x, struct scan as_int,
                                 const struct json *node)
{
    int64_t wanted = json_int(node, INT64_MIN), n = scan_int(&as_int);
    bool is_int = wanted != INT64_MIN;
    if (!json_is_number(node) || !same_bits(x, json_number(node, 0)))
        return "another number";
    /* One that is 64 bits only after rounding is left out. */
    if (fabs(x) >= 0x1p63)
        return NULL;
    if (scan_failed(&as_int) == is_int)
        return "an integer or none";
    return is_int && n != wanted ? "another integer" : NULL;
}

static const char *compare_number(struct scan *s, const struct json *node)
{
    struct scan as_int = *s, as_raw = *s;
    struct scan_slice raw = scan_raw(&as_raw);
    double x = scan_number(s);
    if (!isfinite(x))
        return json_is_array(node) && json_size(node) == 0 ? NULL
                                                           : "not finite";
    if (!json_is_number(node) || x != json_number(node, NAN))
        return "another number";
    /* One integer beyond 64 bits makes all of a document's reals: the number
     * alone is what tells. */
    struct json *alone = NULL;
    if (json_parse(&alone, raw.text, raw.len, "number", NULL) != OK)
        return "no number";
    const char *why = compare_types(x, as_int, alone);
    json_free(alone);
    char text[64];
    if (why != NULL || raw.len >= sizeof text)
        return why;
    memcpy(text, raw.text, raw.len);
    text[raw.len] = '\0';
    return compare_float(text, raw.len);
}

/* What a string reads as; the caller frees it. */
static char *unescaped(const struct scan_slice *x)
{
    char *out = mem_calloc(x->len + 1, 1);
    if (out == NULL)
        abort();
    size_t n = scan_slice_copy(out, x);
    if (n > x->len || strlen(out) != n || !scan_slice_is(x, out))
        out[0] = '\xFF'; // which no document holds
    return out;
}

static const char *compare_text(struct scan *s, const struct json *node)
{
    struct scan_slice x = scan_text(s);
    if (scan_failed(s) || !json_is_string(node))
        return "no string";
    char *text = unescaped(&x);
    bool is_same = strcmp(text, json_text(node, "")) == 0;
    mem_free(text);
    return is_same ? NULL : "another string";
}

static const char *compare(struct scan *s, const struct json *node);

static const char *compare_array(struct scan *s, const struct json *node)
{
    size_t n = 0;
    const char *why = NULL;
    if (!scan_array(s) || !json_is_array(node))
        return "no array";
    while (why == NULL && scan_item(s))
        why = compare(s, json_at(node, n++));
    if (why == NULL && n != json_size(node))
        why = "another size";
    return why;
}

static const char *compare_object(struct scan *s, const struct json *node)
{
    size_t n = 0;
    const char *why = NULL;
    struct scan_slice key;
    if (!scan_object(s) || !json_is_object(node))
        return "no object";
    while (why == NULL && scan_member(s, &key)) {
        char *name = unescaped(&key);
        why = compare(s, json_get(node, name));
        mem_free(name);
        n++;
    }
    if (why == NULL && n != json_size(node))
        why = "another size";
    return why;
}

static const char *compare_value(struct scan *s, const struct json *node)
{
    bool x;
    switch (scan_peek(s)) {
    case SCAN_OBJECT:
        return compare_object(s, node);
    case SCAN_ARRAY:
        return compare_array(s, node);
    case SCAN_TEXT:
        return compare_text(s, node);
    case SCAN_NUMBER:
        return compare_number(s, node);
    case SCAN_NULL:
        return isnan(scan_number(s)) && json_is_null(node) ? NULL : "no null";
    case SCAN_BOOL:
        x = scan_bool(s);
        return json_is_bool(node) && json_bool(node, !x) == x ? NULL : "not so";
    case SCAN_NONE:
        return "no value";
    }
    return "no kind";
}

/* The scanner's next value against a node; NULL when they are the same. */
static const char *compare(struct scan *s, const struct json *node)
{
    struct scan skipped = *s;
    scan_skip(&skipped);
    const char *why = compare_value(s, node);
    if (why == NULL && scan_failed(s))
        why = s->why;
    if (why == NULL && (scan_failed(&skipped) || skipped.at != s->at))
        why = "skipped to elsewhere";
    return why;
}

/* Jansson 2.14 loses a byte 0 behind a number or word: it gives it back to a
 * buffer in which 0 means that the buffer is empty. */
static bool is_lost_nul(const struct scan *s)
{
    return s->fault < s->end && *s->fault == '\0';
}

enum scan_oracle scan_oracle(const char **why, bool *is_accepted,
                             const char *text, size_t len)
{
    struct err err = {OK, ""}, jansson = {OK, ""};
    struct json *root = NULL;
    struct scan s;
    scan_init(&s, text, len);
    scan_skip(&s);
    bool is_read = scan_end(&s, "text", &err) == OK;
    if (is_accepted != NULL)
        *is_accepted = is_read;
    *why = NULL;
    char *copy = replace_words(text, len);
    if (copy == NULL)
        abort();
    enum status status = json_parse(&root, copy, len, "text", &jansson);
    mem_free(copy);
    if (status != OK) {
        if (strstr(jansson.text, "duplicate object key") != NULL)
            return ORACLE_UNKNOWN;
        *why = is_read ? "only Jansson refuses it" : NULL;
    } else if (is_read) {
        scan_init(&s, text, len);
        *why = compare(&s, root);
    } else if (strstr(err.text, "deeper") == NULL && !is_lost_nul(&s)) {
        *why = s.why;
    }
    json_free(root);
    return *why == NULL ? ORACLE_SAME : ORACLE_DIFFERENT;
}

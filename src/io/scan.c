#include "io/scan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "io/scan_number.h"
#include "io/scan_string.h"

void scan_init(struct scan *s, const char *text, size_t len)
{
    if (len == 0)
        text = "";
    *s = (struct scan){.text = text, .end = text + len, .at = text};
}

static void fail_at(struct scan *s, const char *at, const char *why)
{
    if (s->why != NULL)
        return;
    s->fault = at;
    s->why = why;
    s->at = s->end;
}

void scan_fail(struct scan *s, const char *why)
{
    fail_at(s, s->at, why);
}

bool scan_failed(const struct scan *s)
{
    return s->why != NULL;
}

static void skip_blanks(struct scan *s)
{
    const char *p = s->at;
    while (p < s->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    s->at = p;
}

/* The next byte that is no blank; 0, which no JSON has there, at the end. */
static char next_byte(struct scan *s)
{
    skip_blanks(s);
    if (s->at == s->end)
        return '\0';
    return *s->at;
}

enum status scan_end(struct scan *s, const char *name, struct err *err)
{
    skip_blanks(s);
    if (s->depth > 0)
        scan_fail(s, "the text is not at its end");
    if (s->at < s->end)
        scan_fail(s, "something follows the value");
    if (s->why == NULL)
        return OK;
    return err_set(err, ERR_FORMAT, "%s: byte %zu: %s", name,
                   (size_t)(s->fault - s->text), s->why);
}

enum scan_kind scan_peek(struct scan *s)
{
    switch (next_byte(s)) {
    case 'n':
        return SCAN_NULL;
    case 't':
    case 'f':
        return SCAN_BOOL;
    case '"':
        return SCAN_TEXT;
    case '[':
        return SCAN_ARRAY;
    case '{':
        return SCAN_OBJECT;
    case 'N':
    case 'I':
    case '-':
        return SCAN_NUMBER;
    default:
        return s->at < s->end && *s->at >= '0' && *s->at <= '9' ? SCAN_NUMBER
                                                                : SCAN_NONE;
    }
}

/* ---- words -------------------------------------------------------------- */

/* Take a word at the next byte; it need not end there, for what may follow a
 * value is checked after it. */
static bool take_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

static void take_null(struct scan *s)
{
    if (!take_word(s, "null"))
        scan_fail(s, "a value is expected");
}

bool scan_bool(struct scan *s)
{
    skip_blanks(s);
    if (take_word(s, "true"))
        return true;
    if (!take_word(s, "false"))
        scan_fail(s, "true or false is expected");
    return false;
}

/* ---- strings ------------------------------------------------------------ */

struct scan_slice scan_text(struct scan *s)
{
    struct scan_slice out = {.text = ""};
    struct scan_string string = {.why = NULL};
    if (next_byte(s) != '"') {
        scan_fail(s, "a string is expected");
        return out;
    }
    const char *first = s->at + 1;
    const char *last = scan_string_pass(&string, first, s->end);
    if (string.why != NULL) {
        fail_at(s, last, string.why);
        return out;
    }
    s->at = last + 1;
    return (struct scan_slice){first, (size_t)(last - first),
                               string.is_escaped};
}

/* ---- structure ---------------------------------------------------------- */

static bool enter(struct scan *s, char bracket, const char *why)
{
    if (next_byte(s) != bracket) {
        scan_fail(s, why);
        return false;
    }
    if (s->depth == SCAN_DEPTH_MAX) {
        scan_fail(s, "nested deeper than 64");
        return false;
    }
    s->at++;
    s->depth++;
    s->begun <<= 1;
    return true;
}

bool scan_object(struct scan *s)
{
    return enter(s, '{', "an object is expected");
}

bool scan_array(struct scan *s)
{
    return enter(s, '[', "an array is expected");
}

/* To the next item, past the comma before it. */
static bool advance(struct scan *s, char bracket, const char *why)
{
    char c = next_byte(s);
    if (s->why != NULL)
        return false;
    assert(s->depth > 0);
    if (c == bracket) {
        s->at++;
        s->depth--;
        s->begun >>= 1;
        return false;
    }
    if ((s->begun & 1) != 0) {
        if (c != ',') {
            scan_fail(s, why);
            return false;
        }
        s->at++;
    }
    s->begun |= 1;
    return true;
}

bool scan_item(struct scan *s)
{
    return advance(s, ']', "',' or ']' is expected");
}

bool scan_member(struct scan *s, struct scan_slice *key)
{
    if (!advance(s, '}', "',' or '}' is expected"))
        return false;
    *key = scan_text(s);
    if (next_byte(s) != ':')
        scan_fail(s, "':' is expected");
    if (s->why != NULL)
        return false;
    s->at++;
    return true;
}

/* ---- numbers ------------------------------------------------------------ */

/* A number, or one of Python's words for what is none, which then is in
 * *word; false when the next byte begins neither. */
static bool take_number(struct scan *s, struct scan_decimal *d, double *word)
{
    *word = 0;
    if (s->at == s->end)
        return false;
    const char *p = scan_number_read(d, s->at, s->end);
    if (p != NULL)
        s->at = p;
    else if (take_word(s, "NaN"))
        *word = (double)NAN;
    else if (take_word(s, "Infinity"))
        *word = (double)INFINITY;
    else if (take_word(s, "-Infinity"))
        *word = -(double)INFINITY;
    else
        return false;
    return true;
}

/* What a string of a number holds: the same, and Python's str() of a float
 * that is none. */
static bool take_quoted(struct scan *s, struct scan_decimal *d, double *word)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"nan", (double)NAN},
                 {"inf", (double)INFINITY},
                 {"-inf", -(double)INFINITY}};
    const char *first = s->at;
    struct scan_slice x = scan_text(s);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (scan_slice_is(&x, words[i].text)) {
            *word = words[i].value;
            return true;
        }
    struct scan inner;
    scan_init(&inner, x.text, x.len);
    if (take_number(&inner, d, word) && inner.at == inner.end)
        return true;
    fail_at(s, first, "the string holds no number");
    return false;
}

/* A value that stands for a number: into *d, or *word when it is not finite;
 * false on failure. */
static bool read_number(struct scan *s, struct scan_decimal *d, double *word)
{
    char c = next_byte(s);
    if (c == '"')
        return take_quoted(s, d, word);
    if (c == 'n' && take_word(s, "null")) {
        *word = (double)NAN;
        return true;
    }
    if (take_number(s, d, word))
        return true;
    scan_fail(s, "a number is expected");
    return false;
}

static double too_large(struct scan *s, const char *first)
{
    fail_at(s, first, "a number beyond double");
    return (double)NAN;
}

double scan_number(struct scan *s)
{
    struct scan_decimal d;
    double word;
    skip_blanks(s);
    const char *first = s->at;
    if (!read_number(s, &d, &word))
        return (double)NAN;
    if (word != 0)
        return word;
    double x = scan_number_double(&d);
    return isinf(x) ? too_large(s, first) : x;
}

static float read_float(struct scan *s)
{
    struct scan_decimal d;
    double word;
    skip_blanks(s);
    const char *first = s->at;
    if (!read_number(s, &d, &word))
        return NAN;
    if (word != 0)
        return (float)word;
    float x = scan_number_float(&d);
    if (isinf(x) && isinf(scan_number_double(&d)))
        (void)too_large(s, first);
    return x;
}

int64_t scan_int(struct scan *s)
{
    struct scan_decimal d;
    double word;
    int64_t x = 0;
    skip_blanks(s);
    const char *first = s->at;
    if (!read_number(s, &d, &word))
        return 0;
    if (word != 0 || !scan_number_int(&x, &d))
        fail_at(s, first, "an integer of 64 bits is expected");
    return x;
}

static const char TOO_MANY[] = "more numbers than there may be";

size_t scan_floats(struct scan *s, float *out, size_t room)
{
    size_t n = 0;
    if (!scan_array(s))
        return 0;
    while (scan_item(s)) {
        if (n < room) {
            out[n++] = read_float(s);
            n += scan_number_floats(out + n, room - n, &s->at, s->end);
        } else {
            scan_fail(s, TOO_MANY);
        }
    }
    return s->why == NULL ? n : 0;
}

size_t scan_doubles(struct scan *s, double *out, size_t room)
{
    size_t n = 0;
    if (!scan_array(s))
        return 0;
    while (scan_item(s)) {
        if (n < room)
            out[n++] = scan_number(s);
        else
            scan_fail(s, TOO_MANY);
    }
    return s->why == NULL ? n : 0;
}

size_t scan_ints(struct scan *s, int32_t *out, size_t room)
{
    size_t n = 0;
    if (!scan_array(s))
        return 0;
    while (scan_item(s)) {
        skip_blanks(s);
        const char *first = s->at;
        int64_t x = scan_int(s);
        if (n == room)
            scan_fail(s, TOO_MANY);
        else if (x < INT32_MIN || x > INT32_MAX)
            fail_at(s, first, "an integer of 32 bits is expected");
        else {
            out[n++] = (int32_t)x;
            n += scan_number_ints(out + n, room - n, &s->at, s->end);
        }
    }
    return s->why == NULL ? n : 0;
}

/* ---- skipping ----------------------------------------------------------- */

/* Pass a value that is no container, or step into one. */
static void pass(struct scan *s, enum scan_kind kind)
{
    switch (kind) {
    case SCAN_NULL:
        take_null(s);
        break;
    case SCAN_BOOL:
        (void)scan_bool(s);
        break;
    case SCAN_NUMBER:
        (void)scan_number(s);
        break;
    case SCAN_TEXT:
        (void)scan_text(s);
        break;
    case SCAN_ARRAY:
        (void)scan_array(s);
        break;
    case SCAN_OBJECT:
        (void)scan_object(s);
        break;
    case SCAN_NONE:
        scan_fail(s, "a value is expected");
        break;
    }
}

void scan_skip(struct scan *s)
{
    unsigned outside = s->depth;
    uint64_t objects = 0; // like `begun`: the bracket is an object's
    struct scan_slice key;
    bool is_more = true;
    while (is_more && s->why == NULL) {
        enum scan_kind kind = scan_peek(s);
        unsigned before = s->depth;
        pass(s, kind);
        if (s->depth > before)
            objects = objects << 1 | (kind == SCAN_OBJECT);
        /* On to the next value, out of what ends before it. */
        is_more = false;
        while (s->depth > outside && !is_more && s->why == NULL) {
            is_more = (objects & 1) != 0 ? scan_member(s, &key) : scan_item(s);
            if (!is_more)
                objects >>= 1;
        }
    }
}

struct scan_slice scan_raw(struct scan *s)
{
    skip_blanks(s);
    const char *first = s->at;
    scan_skip(s);
    if (s->why != NULL)
        return (struct scan_slice){.text = ""};
    return (struct scan_slice){.text = first, .len = (size_t)(s->at - first)};
}

#include <jansson.h>

/* Jansson has macros of these names, which our functions take over; what is
 * left of it here are its functions and json_typeof(). */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_number
#undef json_is_null

#include "base/json.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/*
 * `struct json` is Jansson's json_t under another name: it is never defined,
 * and these two functions are the only crossing.  Jansson's iterators want a
 * pointer to a node they may change although they do not; the union says so
 * without a cast that drops const.
 */
static const json_t *node_of(const struct json *node)
{
    return (const json_t *)node;
}

static json_t *open_node(const struct json *node)
{
    union {
        const struct json *shut;
        json_t *open;
    } view = {node};
    return view.open;
}

/* ---- the allocator ------------------------------------------------------ */

static _Thread_local bool starved; // an allocation failed in this parse
static pthread_once_t hooked = PTHREAD_ONCE_INIT;

static void *hook_alloc(size_t size)
{
    void *p = mem_small(size);
    if (p != NULL)
        return p;
    starved = true;
    /* Jansson 2.14's lexer does not look whether its text could grow, and then
     * reads and writes past it.  So a refusal is remembered, and what was asked
     * for is given when there is any way; json_parse() reports it. */
    return mem_small(size);
}

/* Jansson's allocator is the whole process's.  A program around this library
 * that has given it one of its own keeps it. */
static void hook(void)
{
    json_malloc_t alloc;
    json_free_t release;
    json_get_alloc_funcs(&alloc, &release);
    if (alloc == malloc && release == free)
        json_set_alloc_funcs(hook_alloc, mem_free);
}

/* ---- reading ------------------------------------------------------------ */

enum status json_check_shape(const char *text, size_t len, size_t depth_max,
                             size_t values_max, const char *name,
                             struct err *err)
{
    size_t depth = 0;
    size_t values = 0;
    bool is_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (is_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                is_string = false;
        } else if (c == '"') {
            is_string = true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == '{' || c == '[' || c == ',') {
            values++;
            depth += c != ',';
        }
        if (depth > depth_max)
            return err_set(err, ERR_FORMAT, "%s: JSON nests deeper than %zu",
                           name, depth_max);
        if (values > values_max)
            return err_set(err, ERR_FORMAT,
                           "%s: JSON holds more than %zu values", name,
                           values_max);
    }
    return OK;
}

enum status json_parse(struct json **out, const char *text, size_t len,
                       const char *name, struct err *err)
{
    pthread_once(&hooked, hook);
    starved = false;
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *root = json_loadb(text != NULL ? text : "", len, flags, &error);
    /* Integers beyond 64 bits are legal JSON and do occur (a tokenizer's
     * "no limit" is 10^30); such a document is read again with reals. */
    if (root == NULL && !starved &&
        json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &error);
    /* Jansson may go on after a failed allocation and return damaged text. */
    if (root != NULL && !starved) {
        *out = (struct json *)root;
        return OK;
    }
    json_decref(root);
    if (starved)
        return err_set(err, ERR_MEMORY, "%s: out of memory", name);
    /* Jansson's word for it names a flag of its own. */
    char *flag = strstr(error.text, " without JSON_ALLOW_NUL");
    if (flag != NULL)
        *flag = '\0';
    /* In a text of one line (JSON Lines) the column says it all. */
    if (text == NULL || memchr(text, '\n', len) == NULL)
        return err_set(err, ERR_FORMAT, "%s: column %d: %s", name, error.column,
                       error.text);
    return err_set(err, ERR_FORMAT, "%s: line %d column %d: %s", name,
                   error.line, error.column, error.text);
}

enum status json_read(struct json **out, const char *path, size_t max,
                      struct err *err)
{
    struct buf text;
    buf_init(&text, max);
    enum status status = file_read(&text, path, err);
    if (status == OK)
        status = json_parse(out, buf_text(&text), text.len, path, err);
    buf_free(&text);
    return status;
}

void json_free(struct json *root)
{
    json_decref((json_t *)root);
}

bool json_is_object(const struct json *node)
{
    return node != NULL && json_typeof(node_of(node)) == JSON_OBJECT;
}

bool json_is_array(const struct json *node)
{
    return node != NULL && json_typeof(node_of(node)) == JSON_ARRAY;
}

bool json_is_string(const struct json *node)
{
    return node != NULL && json_typeof(node_of(node)) == JSON_STRING;
}

bool json_is_number(const struct json *node)
{
    return node != NULL && (json_typeof(node_of(node)) == JSON_INTEGER ||
                            json_typeof(node_of(node)) == JSON_REAL);
}

bool json_is_bool(const struct json *node)
{
    return node != NULL && (json_typeof(node_of(node)) == JSON_TRUE ||
                            json_typeof(node_of(node)) == JSON_FALSE);
}

bool json_is_null(const struct json *node)
{
    return node != NULL && json_typeof(node_of(node)) == JSON_NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)json_object_get(node_of(object), key);
}

const struct json *json_at(const struct json *array, size_t i)
{
    return (const struct json *)json_array_get(node_of(array), i);
}

size_t json_size(const struct json *node)
{
    return json_is_array(node) ? json_array_size(node_of(node))
                               : json_object_size(node_of(node));
}

const void *json_first(const struct json *object)
{
    return json_object_iter(open_node(object));
}

/* The same crossing for iterators, which Jansson hands around as void *. */
static void *open_iter(const void *it)
{
    union {
        const void *shut;
        void *open;
    } view = {it};
    return view.open;
}

const void *json_next(const struct json *object, const void *it)
{
    return json_object_iter_next(open_node(object), open_iter(it));
}

const char *json_key(const void *it)
{
    return json_object_iter_key(open_iter(it));
}

const struct json *json_value(const void *it)
{
    return (const struct json *)json_object_iter_value(open_iter(it));
}

const char *json_text(const struct json *node, const char *fallback)
{
    return json_is_string(node) ? json_string_value(node_of(node)) : fallback;
}

double json_number(const struct json *node, double fallback)
{
    return json_is_number(node) ? json_number_value(node_of(node)) : fallback;
}

/* Is the node an integer, written with or without a fraction of zero, that
 * fits 64 bits? */
static bool as_int(int64_t *out, const struct json *node)
{
    if (!json_is_number(node))
        return false;
    if (json_typeof(node_of(node)) == JSON_INTEGER) {
        *out = json_integer_value(node_of(node));
        return true;
    }
    double x = json_real_value(node_of(node));
    if (!(x >= -0x1p63 && x < 0x1p63) || x != floor(x))
        return false;
    *out = (int64_t)x;
    return true;
}

int64_t json_int(const struct json *node, int64_t fallback)
{
    int64_t x = fallback;
    (void)as_int(&x, node);
    return x;
}

bool json_bool(const struct json *node, bool fallback)
{
    return json_is_bool(node) ? json_typeof(node_of(node)) == JSON_TRUE
                              : fallback;
}

/* ---- required members --------------------------------------------------- */

static enum status complain(const struct json *member, const char *key,
                            const char *what, const char *wanted,
                            struct err *err)
{
    if (member == NULL)
        return err_set(err, ERR_FORMAT, "%s: \"%s\" is missing", what, key);
    return err_set(err, ERR_FORMAT, "%s: \"%s\" is not %s", what, key, wanted);
}

enum status json_need_text(const char **out, const struct json *object,
                           const char *key, const char *what, struct err *err)
{
    const struct json *member = json_get(object, key);
    if (!json_is_string(member))
        return complain(member, key, what, "a string", err);
    *out = json_text(member, "");
    return OK;
}

enum status json_need_int(int64_t *out, const struct json *object,
                          const char *key, int64_t low, int64_t high,
                          const char *what, struct err *err)
{
    const struct json *member = json_get(object, key);
    int64_t x;
    if (!as_int(&x, member))
        return complain(member, key, what, "an integer", err);
    if (x < low || x > high)
        return err_set(err, ERR_FORMAT, "%s: \"%s\" is %lld, not in %lld..%lld",
                       what, key, (long long)x, (long long)low,
                       (long long)high);
    *out = x;
    return OK;
}

enum status json_need_number(double *out, const struct json *object,
                             const char *key, const char *what, struct err *err)
{
    const struct json *member = json_get(object, key);
    if (!json_is_number(member))
        return complain(member, key, what, "a number", err);
    *out = json_number(member, 0.0);
    return OK;
}

enum status json_may_number(double *out, const struct json *object,
                            const char *key, double low, double high,
                            const char *what, struct err *err)
{
    const struct json *member = json_get(object, key);
    *out = (double)NAN;
    if (member == NULL || json_is_null(member))
        return OK;
    TRY(json_need_number(out, object, key, what, err));
    if (*out < low || *out > high)
        return err_set(err, ERR_FORMAT, "%s: %s is %g, not from %g to %g", what,
                       key, *out, low, high);
    return OK;
}

/* ---- nodes back to text ------------------------------------------------- */

/* A real stays one: "1" would come back as an integer. */
static void dump_real(struct buf *out, double x)
{
    size_t from = out->len;
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_put_number(&w, x);
    if (out->code == OK && strpbrk(out->data + from, ".en") == NULL)
        buf_puts(out, ".0");
}

static void dump_object(struct buf *out, const struct json *node)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    buf_putc(out, '{');
    const char *comma = "";
    for (const void *it = json_first(node); it; it = json_next(node, it)) {
        buf_puts(out, comma);
        json_put_text(&w, json_key(it));
        buf_putc(out, ':');
        json_dump(out, json_value(it));
        comma = ",";
    }
    buf_putc(out, '}');
}

static void dump_array(struct buf *out, const struct json *node)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < json_size(node); i++) {
        if (i > 0)
            buf_putc(out, ',');
        json_dump(out, json_at(node, i));
    }
    buf_putc(out, ']');
}

/* Recursion is bounded by the parser's own bound on depth. */
void json_dump(struct buf *out, const struct json *node)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    if (json_is_object(node))
        dump_object(out, node);
    else if (json_is_array(node))
        dump_array(out, node);
    else if (json_is_string(node))
        json_put_text(&w, json_text(node, ""));
    else if (json_is_bool(node))
        json_put_bool(&w, json_bool(node, false));
    else if (!json_is_number(node))
        json_put_null(&w);
    else if (json_typeof(node_of(node)) == JSON_INTEGER)
        json_put_int(&w, json_int(node, 0));
    else
        dump_real(out, json_number(node, 0.0));
}

/*
 * json.h - JSON documents: reading with errors that name the place, writing
 * without building a tree.  The only module that knows Jansson.
 *
 * Reading.  A parsed document is a tree of `const struct json` nodes owned by
 * its root; json_free() on the root ends all of them.  Duplicate keys and
 * anything after the document are refused; depth is bounded by the parser.
 */
#ifndef PLUMB_BASE_JSON_H
#define PLUMB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct json; // a node; opaque

/* Parse `len` bytes.  `name` (a file, "file:line") goes into the message. */
enum status json_parse(struct json **out, const char *text, size_t len,
                       const char *name, struct err *err) MUST_CHECK;

/*
 * A look at a document's shape before a tree is built from it: a hundred
 * megabytes of "[[[[" or of "0,0,0," would cost fifty times their size.
 * ERR_FORMAT when it nests deeper than depth_max or has more than values_max
 * commas and opening brackets outside of strings; everything else is left to
 * json_parse().
 */
enum status json_check_shape(const char *text, size_t len, size_t depth_max,
                             size_t values_max, const char *name,
                             struct err *err) MUST_CHECK;

/* Read and parse a file of at most `max` bytes. */
enum status json_read(struct json **out, const char *path, size_t max,
                      struct err *err) MUST_CHECK;

void json_free(struct json *root);

/* Look at a node; NULL is allowed everywhere and is none of these. */
bool json_is_object(const struct json *node);
bool json_is_array(const struct json *node);
bool json_is_string(const struct json *node);
bool json_is_number(const struct json *node);
bool json_is_bool(const struct json *node);
bool json_is_null(const struct json *node);

/* A member of an object or an item of an array; NULL when absent. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i);

/* Items of an array, members of an object, else 0. */
size_t json_size(const struct json *node);

/* Walk an object in file order: for (it = json_first(o); it;
 * it = json_next(o, it)) json_key(it), json_value(it). */
const void *json_first(const struct json *object);
const void *json_next(const struct json *object, const void *it);
const char *json_key(const void *it);
const struct json *json_value(const void *it);

/* Plain values; the fallback when the node is NULL or of another type. */
const char *json_text(const struct json *node, const char *fallback);
double json_number(const struct json *node, double fallback);
int64_t json_int(const struct json *node, int64_t fallback);
bool json_bool(const struct json *node, bool fallback);

/*
 * Required members: ERR_FORMAT naming `what` (a file or record) and the key
 * when absent or of the wrong type.  json_need_int also wants an integer in
 * [low, high].
 */
enum status json_need_text(const char **out, const struct json *object,
                           const char *key, const char *what,
                           struct err *err) MUST_CHECK;
enum status json_need_int(int64_t *out, const struct json *object,
                          const char *key, int64_t low, int64_t high,
                          const char *what, struct err *err) MUST_CHECK;
enum status json_need_number(double *out, const struct json *object,
                             const char *key, const char *what,
                             struct err *err) MUST_CHECK;

/* A member that may be absent or null, which is NaN; ERR_FORMAT, naming `what`
 * and the key, where it is no number or outside [low, high]. */
enum status json_may_number(double *out, const struct json *object,
                            const char *key, double low, double high,
                            const char *what, struct err *err) MUST_CHECK;

/* A node as compact JSON text, appended to `out`. */
void json_dump(struct buf *out, const struct json *node);

/*
 * Writing, straight into a buffer.  Commas and (when pretty) line breaks are
 * put by the writer; keys and strings are escaped; a number that is not
 * finite becomes null.  Numbers: shortest text that reads back to the same
 * double (json_put_number) or float (json_put_float).
 *
 *     struct json_writer w;
 *     json_writer_init(&w, &buf, true);
 *     json_open(&w, '{');
 *     json_put_key(&w, "seed");
 *     json_put_int(&w, 7);
 *     json_close(&w, '}');
 *
 * Invalid UTF-8 in a string is replaced by U+FFFD.  Nesting up to 32.
 */
struct json_writer {
    struct buf *out;
    bool pretty;
    int depth;
    bool empty[33]; // nothing written yet at this depth
    bool is_value;  // a key was just written
};

void json_writer_init(struct json_writer *w, struct buf *out, bool pretty);
void json_open(struct json_writer *w, char bracket);  // '{' or '['
void json_close(struct json_writer *w, char bracket); // '}' or ']'
void json_put_key(struct json_writer *w, const char *key);
void json_put_text(struct json_writer *w, const char *text); // NULL: null
void json_put_text_len(struct json_writer *w, const char *text, size_t len);
void json_put_number(struct json_writer *w, double x);
void json_put_float(struct json_writer *w, float x);
void json_put_int(struct json_writer *w, int64_t x);
void json_put_bool(struct json_writer *w, bool x);
void json_put_null(struct json_writer *w);
void json_put_raw(struct json_writer *w, const char *json, size_t len);
void json_put_node(struct json_writer *w, const struct json *node);

/* Key and value in one call, the common case. */
void json_field_text(struct json_writer *w, const char *key, const char *text);
void json_field_number(struct json_writer *w, const char *key, double x);
void json_field_int(struct json_writer *w, const char *key, int64_t x);
void json_field_bool(struct json_writer *w, const char *key, bool x);
void json_field_floats(struct json_writer *w, const char *key, const float *x,
                       size_t n);
void json_field_ints(struct json_writer *w, const char *key, const int32_t *x,
                     size_t n);

#endif

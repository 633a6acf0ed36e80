/*
 * gguf.h - llama.cpp's model files, versions 2 and 3, little-endian: metadata
 * (key, type, value), tensor descriptions, tensor data.
 *
 *     struct gguf *g;
 *     TRY(gguf_open(&g, path, err));
 *     status = gguf_need_int(&layers, g, "llama.block_count", 1, 999, err);
 *     const struct tensor_view *t = gguf_find(g, "token_embd.weight");
 *     gguf_close(g);
 *
 * Opening maps the file and checks everything before anything is handed out:
 * counts and lengths against the bytes that are left, value and tensor types,
 * shapes against overflow and block size, alignment, offsets against the file,
 * no overlap, no name or key twice, arrays nested a few deep at most.  Failure
 * is ERR_FORMAT naming the file and the key or tensor.
 *
 * Texts, names and views point into the file and end with gguf_close().
 */
#ifndef PLUMB_IO_GGUF_H
#define PLUMB_IO_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/tensors.h"

/* The types of values, with the numbers the format gives them. */
enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_TEXT,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
};

/* What a reader asks for: any of the integer types, F32 or F64, ... */
enum gguf_kind {
    GGUF_IS_ABSENT,
    GGUF_IS_INT,
    GGUF_IS_REAL,
    GGUF_IS_BOOL,
    GGUF_IS_TEXT,
    GGUF_IS_ARRAY
};

/* Bytes of the file: no NUL follows them, any may be among them. */
struct gguf_text {
    const char *data;
    size_t len;
};

/* An array among the metadata. */
struct gguf_array {
    size_t n;
    enum gguf_kind kind;       // of the items
    enum gguf_type type;       // of the items
    const unsigned char *data; // the first item
    const size_t *end;         // texts: item i ends at data + end[i]
};

struct gguf; // an open file; opaque

/* ERR_IO, or ERR_FORMAT naming the file and the key or tensor. */
enum status gguf_open(struct gguf **out, const char *path,
                      struct err *err) MUST_CHECK;
/* The same from bytes that outlive the result (tests, fuzzing). */
enum status gguf_parse(struct gguf **out, const unsigned char *data, size_t len,
                       const char *name, struct err *err) MUST_CHECK;
void gguf_close(struct gguf *g); // NULL is fine

/* The path it was opened with, for messages. */
const char *gguf_name(const struct gguf *g);

/* Give back to the system the memory of `len` bytes of the file from `data`
 * on (those of a view, or some of them).  They may be read again. */
void gguf_release(const struct gguf *g, const unsigned char *data, size_t len);

/* The number the format gives to a type of tensor, not TENSOR_OTHER. */
uint32_t gguf_tensor_type(enum tensor_type type);

/* ---- tensors: in file order; by name, or NULL --------------------------- */

size_t gguf_n_tensors(const struct gguf *g);
const struct tensor_view *gguf_tensor(const struct gguf *g, size_t i);
const struct tensor_view *gguf_find(const struct gguf *g, const char *name);

/* ---- metadata ----------------------------------------------------------- */

/* Keys in file order; what kind of value a key has. */
size_t gguf_n_keys(const struct gguf *g);
struct gguf_text gguf_key(const struct gguf *g, size_t i);
enum gguf_kind gguf_kind_of(const struct gguf *g, const char *key);

/*
 * A value by key; the fallback when it is absent or of another kind.  An
 * integer above INT64_MAX is of another kind; an integer will do for a real.
 */
struct gguf_text gguf_get_text(const struct gguf *g, const char *key,
                               const char *fallback);
int64_t gguf_get_int(const struct gguf *g, const char *key, int64_t fallback);
double gguf_get_real(const struct gguf *g, const char *key, double fallback);
bool gguf_get_bool(const struct gguf *g, const char *key, bool fallback);

/* Required values: ERR_FORMAT naming the file and the key when absent, of
 * another kind, not within [low, high], or not finite. */
enum status gguf_need_text(struct gguf_text *out, const struct gguf *g,
                           const char *key, struct err *err) MUST_CHECK;
enum status gguf_need_int(int64_t *out, const struct gguf *g, const char *key,
                          int64_t low, int64_t high,
                          struct err *err) MUST_CHECK;
enum status gguf_need_real(double *out, const struct gguf *g, const char *key,
                           struct err *err) MUST_CHECK;

/* An array whose items are of the kind.  need: ERR_FORMAT when there is none;
 * get: false. */
enum status gguf_need_array(struct gguf_array *out, const struct gguf *g,
                            const char *key, enum gguf_kind kind,
                            struct err *err) MUST_CHECK;
bool gguf_get_array(struct gguf_array *out, const struct gguf *g,
                    const char *key, enum gguf_kind kind);

/* Item i < n of an array of that kind; bools are integers, too, and integers
 * are reals.  An unsigned integer above INT64_MAX gives INT64_MAX. */
struct gguf_text gguf_array_text(const struct gguf_array *a, size_t i);
int64_t gguf_array_int(const struct gguf_array *a, size_t i);
double gguf_array_real(const struct gguf_array *a, size_t i);

#endif

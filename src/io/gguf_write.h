/*
 * gguf_write.h - GGUF files (version 3), written in one pass and put in their
 * place whole.
 *
 *     struct gguf_writer *w;
 *     TRY(gguf_create(&w, path, err));
 *     gguf_put_text(w, "general.architecture", "llama");
 *     gguf_put_int(w, "llama.block_count", GGUF_U32, 30);
 *     for (each tensor)
 *         gguf_put_tensor(w, name, TENSOR_Q8_0, 2, (size_t[]){rows, cols});
 *     for (each tensor, in the same order; while status is OK)
 *         status = gguf_put_values(w, x, rows * cols, err);
 *     return gguf_finish(w, status, err);
 *
 * First what describes, then values.  What goes wrong with the description
 * (memory) sticks and is told by the first gguf_put_values() or
 * gguf_finish().  Keys and names of tensors must differ.
 */
#ifndef PLUMB_IO_GGUF_WRITE_H
#define PLUMB_IO_GGUF_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/gguf.h"
#include "io/tensors.h"

struct gguf_writer;

/* Begin a file; each success needs exactly one gguf_finish(). */
enum status gguf_create(struct gguf_writer **out, const char *path,
                        struct err *err) MUST_CHECK;

/* Metadata.  An integer of any of the integer types, in its range; a real as
 * GGUF_F32 or GGUF_F64. */
void gguf_put_text(struct gguf_writer *w, const char *key, const char *text);
void gguf_put_text_len(struct gguf_writer *w, const char *key,
                       struct gguf_text text);
void gguf_put_int(struct gguf_writer *w, const char *key, enum gguf_type type,
                  int64_t x);
void gguf_put_real(struct gguf_writer *w, const char *key, enum gguf_type type,
                   double x);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool x);

/* Arrays, of texts, I32 and F32. */
void gguf_put_texts(struct gguf_writer *w, const char *key,
                    const struct gguf_text *text, size_t n);
void gguf_put_ints(struct gguf_writer *w, const char *key, const int32_t *x,
                   size_t n);
void gguf_put_reals(struct gguf_writer *w, const char *key, const float *x,
                    size_t n);

/* Key i of another file with its value, whatever it is; only the file's
 * alignment is left out, being its own. */
void gguf_put_copy(struct gguf_writer *w, const struct gguf *from, size_t i);

/* Describe the next tensor: F32, F16, BF16 or Q8_0, which wants rows of whole
 * blocks.  Dimensions go from the slowest to the fastest. */
void gguf_put_tensor(struct gguf_writer *w, const char *name,
                     enum tensor_type type, size_t n_dim, const size_t *dim);

/*
 * The next n values of the tensors described, in their order: one tensor or a
 * part of it, of whole blocks, at a time.  ERR_IO; ERR_NUMERIC naming the
 * tensor when its type has no such value; what stuck before.
 */
enum status gguf_put_values(struct gguf_writer *w, const float *x, size_t n,
                            struct err *err) MUST_CHECK;

/* Put the file in its place when `status` is OK, else take it away; `w` ends
 * either way.  Returns `status`, or what went wrong now.  All values must have
 * been put. */
enum status gguf_finish(struct gguf_writer *w, enum status status,
                        struct err *err) MUST_CHECK;

#endif

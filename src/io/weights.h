/*
 * weights.h - the tensors of one model, wherever they lie: a Hugging Face
 * folder with model.safetensors or with model.safetensors.index.json and its
 * shards, a single .safetensors file, or a .gguf file.
 *
 *     struct weights w;
 *     TRY(weights_open(&w, path, err));
 *     const struct tensor_view *t = weights_find(&w, "model.norm.weight");
 *     status = weights_floats(out, &w, t, err);
 *     weights_close(&w);
 *
 * Files are mapped.  weights_floats() and weights_bf16() convert straight from
 * the map into the caller's array and give each few MiB of the map back to the
 * system once converted, so that loading takes the array and little more.
 *
 * What names come under, and how dimensions are permuted, is the file's way
 * (GGUF has names of its own); the model knows.
 */
#ifndef PLUMB_IO_WEIGHTS_H
#define PLUMB_IO_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/tensors.h"

struct weights_tensor {
    struct tensor_view view;
    size_t shard;
};

struct weights {
    struct safetensors *shard; // n_shard of them, none for GGUF
    char **path;               // of each shard, or of the GGUF file
    size_t n_shard;
    struct gguf *gguf;             // or NULL
    struct weights_tensor *tensor; // sorted by name
    size_t n;
};

/*
 * Open a folder or file.  Nothing is read from a shard that is not a plain
 * file name in its folder.
 *
 * ERR_MISSING: there is no such path, or a folder without either file, or one
 * shard is not there.  ERR_IO.  ERR_FORMAT naming the file and the tensor: a
 * file is corrupt, the index names a tensor that its shard has not, a tensor
 * is in two shards.  ERR_MISMATCH: one GGUF file of several.
 */
enum status weights_open(struct weights *out, const char *path,
                         struct err *err) MUST_CHECK;
void weights_close(struct weights *w); // closed already is fine

/* By name, or NULL; by index below w->n, in the order of names. */
const struct tensor_view *weights_find(const struct weights *w,
                                       const char *name);
const struct tensor_view *weights_at(const struct weights *w, size_t i);

/* The open GGUF file for its metadata, or NULL. */
const struct gguf *weights_gguf(const struct weights *w);

/* The file a tensor of w lies in, for messages. */
const char *weights_path(const struct weights *w, const struct tensor_view *t);

/*
 * All values of a tensor of w, as float or rounded to the nearest bfloat16.
 * ERR_MISMATCH naming file and tensor: a type that is not read, a value that
 * is not finite (nor as bfloat16).
 */
enum status weights_floats(float *out, const struct weights *w,
                           const struct tensor_view *t,
                           struct err *err) MUST_CHECK;
enum status weights_bf16(uint16_t *out, const struct weights *w,
                         const struct tensor_view *t,
                         struct err *err) MUST_CHECK;

/* For those who convert by tensor_floats() in pieces of their own: values
 * first..first+n-1 (whole blocks) were read, their memory may go. */
void weights_done(const struct weights *w, const struct tensor_view *t,
                  size_t first, size_t n);

#endif

/*
 * safetensors.h - tensors in a file: u64 header length, JSON header, data.
 *
 * Reading maps the file and checks everything before anything is handed out:
 * header length against file and cap, dtype and shape against the byte range,
 * ranges against the file, no overlap and no hole, no duplicate name.
 */
#ifndef PLUMB_IO_SAFETENSORS_H
#define PLUMB_IO_SAFETENSORS_H

#include <stddef.h>

#include "base/err.h"
#include "base/file.h"
#include "io/tensors.h"

struct safetensors {
    struct file_map map;
    struct tensor_view *tensor; // in file order
    size_t n;
    struct json *header; // owns the names
};

/* ERR_IO, or ERR_FORMAT naming the file and the tensor. */
enum status safetensors_open(struct safetensors *out, const char *path,
                             struct err *err) MUST_CHECK;
/* The same from bytes that outlive the result (tests, fuzzing). */
enum status safetensors_parse(struct safetensors *out,
                              const unsigned char *data, size_t len,
                              const char *name, struct err *err) MUST_CHECK;
void safetensors_close(struct safetensors *s);

/* By name, or NULL. */
const struct tensor_view *safetensors_find(const struct safetensors *s,
                                           const char *name);

/* Copy a tensor's values out as float, whatever its type; ERR_MISMATCH for
 * TENSOR_OTHER.  out has t->count floats. */
enum status safetensors_floats(float *out, const struct tensor_view *t,
                               struct err *err) MUST_CHECK;

/*
 * Write tensors, in the order given, atomically: floats as F32 (the default),
 * F16 or BF16, converted on the way.  ERR_IO; ERR_NUMERIC naming the tensor
 * when a value is not finite as F16 or BF16.
 */
struct tensor_out {
    const char *name;
    enum tensor_type type;
    size_t n_dim;
    size_t dim[TENSOR_DIMS_MAX];
    const float *data;
    /* With data NULL, values first..first+n-1 are asked for as they are
     * written: from the front, SAFETENSORS_PIECE at a time. */
    enum status (*fetch)(void *ctx, float *out, size_t first, size_t n,
                         struct err *err);
    void *ctx;
};
#define SAFETENSORS_PIECE ((size_t)1 << 20)
enum status safetensors_write(const char *path, const struct tensor_out *t,
                              size_t n, struct err *err) MUST_CHECK;

#endif

/*
 * tensors.h - tensors of a file, of whatever format: what they are called,
 * how their values are stored, and the values as float or bf16.
 *
 * A view points into bytes that somebody else keeps (a mapped file) and ends
 * with them.  Readers of files fill views in only after they have checked
 * them: len is what `count` values of the type take, and lies in the file.
 */
#ifndef PLUMB_IO_TENSORS_H
#define PLUMB_IO_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

/* The quantised types (from Q8_0 on) hold blocks of 32 or 256 values along
 * the last dimension; io/quant.h has their layouts. */
enum tensor_type {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_Q8_0,
    TENSOR_Q4_0,
    TENSOR_Q4_1,
    TENSOR_Q5_0,
    TENSOR_Q5_1,
    TENSOR_Q4_K,
    TENSOR_Q5_K,
    TENSOR_Q6_K,
    TENSOR_OTHER // known to the file format; its values are not read
};

#define TENSOR_DIMS_MAX 8

/* One tensor of an open file.  Dimensions go from the slowest to the fastest,
 * rows before columns, also where the file has them the other way round. */
struct tensor_view {
    const char *name;
    enum tensor_type type;
    char dtype[8]; // as the format calls it: "F32", "Q4_1"
    size_t n_dim;
    uint64_t dim[TENSOR_DIMS_MAX];
    size_t count;              // product of dim
    const unsigned char *data; // not necessarily aligned
    size_t len;                // bytes
};

/* "F32", "Q4_1", ...; "?" for TENSOR_OTHER. */
const char *tensor_type_name(enum tensor_type type);

/* Values of a block and the bytes it takes: 1 and 4 for F32, 32 and 18 for
 * Q4_0; 0 and 0 for TENSOR_OTHER. */
size_t tensor_type_block(enum tensor_type type);
size_t tensor_type_bytes(enum tensor_type type);

/*
 * Values `first` to `first + n - 1` of a tensor, counted in row-major order,
 * as float, or rounded to the nearest bfloat16 (ties to even; NaN stays NaN).
 * Both are multiples of the type's block; a range outside the tensor is a bug
 * in the caller.  Values are as the file has them, also infinity and NaN.
 *
 * ERR_MISMATCH naming the tensor when its type is TENSOR_OTHER.
 */
enum status tensor_floats(float *out, const struct tensor_view *t, size_t first,
                          size_t n, struct err *err) MUST_CHECK;
enum status tensor_bf16(uint16_t *out, const struct tensor_view *t,
                        size_t first, size_t n, struct err *err) MUST_CHECK;

/* Values read, first..first+n-1 of a tensor, must be finite: ERR_MISMATCH
 * naming `path`, the tensor and the first that is not. */
enum status tensor_check_finite(const float *x, const struct tensor_view *t,
                                size_t first, size_t n, const char *path,
                                struct err *err) MUST_CHECK;

/*
 * The way back: n floats as `type`, one of F32, F16, BF16 and Q8_0, into
 * n / block * bytes bytes.  n is a multiple of the type's block.  F16 and BF16
 * round to nearest, ties to even.
 *
 * F32 copies whatever there is.  Else ERR_NUMERIC naming `name` when a value is
 * not finite, or out of the type's range.
 */
enum status tensor_encode(unsigned char *out, enum tensor_type type,
                          const float *x, size_t n, const char *name,
                          struct err *err) MUST_CHECK;

/* The same, n values of whole blocks into a file, some of them at a time. */
enum status tensor_write(struct file_writer *w, enum tensor_type type,
                         const float *x, size_t n, const char *name,
                         struct err *err) MUST_CHECK;

#endif

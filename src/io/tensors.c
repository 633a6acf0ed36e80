#include "io/tensors.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "io/half.h"
#include "io/quant.h"

/* Values converted by way of float at a time; a multiple of every block. */
#define CHUNK 1024
/* Values written at a time: none of the types takes more than 2 bytes for one,
 * F32 aside. */
#define WRITE_CHUNK ((size_t)16 * 1024)

static const struct {
    const char *name;
    size_t block, bytes;
} types[] = {
    [TENSOR_F32] = {"F32", 1, 4},       [TENSOR_F16] = {"F16", 1, 2},
    [TENSOR_BF16] = {"BF16", 1, 2},     [TENSOR_Q8_0] = {"Q8_0", 32, 34},
    [TENSOR_Q4_0] = {"Q4_0", 32, 18},   [TENSOR_Q4_1] = {"Q4_1", 32, 20},
    [TENSOR_Q5_0] = {"Q5_0", 32, 22},   [TENSOR_Q5_1] = {"Q5_1", 32, 24},
    [TENSOR_Q4_K] = {"Q4_K", 256, 144}, [TENSOR_Q5_K] = {"Q5_K", 256, 176},
    [TENSOR_Q6_K] = {"Q6_K", 256, 210}, [TENSOR_OTHER] = {"?", 0, 0},
};

const char *tensor_type_name(enum tensor_type type)
{
    return types[type].name;
}

size_t tensor_type_block(enum tensor_type type)
{
    return types[type].block;
}

size_t tensor_type_bytes(enum tensor_type type)
{
    return types[type].bytes;
}

/* ---- reading ------------------------------------------------------------ */

static void floats_of_halves(float *restrict out,
                             const unsigned char *restrict data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, data + 2 * i, sizeof bits);
        out[i] = half_to_float(bits);
    }
}

static void floats_of_bf16(float *restrict out,
                           const unsigned char *restrict data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, data + 2 * i, sizeof bits);
        out[i] = half_bf16_to_float(bits);
    }
}

/* Where the bytes of value `first` are, once the range is found good. */
static enum status find_range(const unsigned char **out,
                              const struct tensor_view *t, size_t first,
                              size_t n, struct err *err)
{
    if (t->type == TENSOR_OTHER)
        return err_set(err, ERR_MISMATCH,
                       "tensor '%.80s' is %s, which is not read", t->name,
                       t->dtype);
    size_t block = types[t->type].block;
    assert(first <= t->count && n <= t->count - first);
    assert(first % block == 0 && n % block == 0);
    *out = t->data + first / block * types[t->type].bytes;
    return OK;
}

enum status tensor_floats(float *out, const struct tensor_view *t, size_t first,
                          size_t n, struct err *err)
{
    const unsigned char *data;
    TRY(find_range(&data, t, first, n, err));
    if (n == 0)
        return OK;
    if (t->type == TENSOR_F32)
        memcpy(out, data, n * sizeof *out);
    else if (t->type == TENSOR_F16)
        floats_of_halves(out, data, n);
    else if (t->type == TENSOR_BF16)
        floats_of_bf16(out, data, n);
    else
        quant_floats(out, t->type, data, n / types[t->type].block);
    return OK;
}

static void bf16_of_floats(uint16_t *restrict out, const float *restrict x,
                           size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_bf16_of_float(x[i]);
}

enum status tensor_bf16(uint16_t *out, const struct tensor_view *t,
                        size_t first, size_t n, struct err *err)
{
    const unsigned char *data;
    float x[CHUNK];
    TRY(find_range(&data, t, first, n, err));
    if (n != 0 && t->type == TENSOR_BF16) {
        memcpy(out, data, n * sizeof *out);
        return OK;
    }
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t some = n - i < CHUNK ? n - i : CHUNK;
        TRY(tensor_floats(x, t, first + i, some, err));
        bf16_of_floats(out + i, x, some);
    }
    return OK;
}

/* An exponent of all ones in any of the values.  No early end, so that the
 * loop vectorises. */
static bool has_special(const float *x, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= (half_float_bits(x[i]) & 0x7f800000) == 0x7f800000;
    return bad != 0;
}

enum status tensor_check_finite(const float *x, const struct tensor_view *t,
                                size_t first, size_t n, const char *path,
                                struct err *err)
{
    size_t i = 0;
    if (!has_special(x, n))
        return OK;
    while (isfinite(x[i]))
        i++;
    return err_set(err, ERR_MISMATCH,
                   "%s: tensor '%.80s' has a value that is not finite at %zu",
                   path, t->name, first + i);
}

/* ---- writing ------------------------------------------------------------ */

/* Both say whether all values came out finite. */
static bool put_halves(unsigned char *restrict out, const float *restrict x,
                       size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t bits = half_of_float(x[i]);
        bad |= (bits & 0x7c00) == 0x7c00;
        memcpy(out + 2 * i, &bits, sizeof bits);
    }
    return bad == 0;
}

static bool put_bf16(unsigned char *restrict out, const float *restrict x,
                     size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t bits = half_bf16_of_float(x[i]);
        bad |= (bits & 0x7f80) == 0x7f80;
        memcpy(out + 2 * i, &bits, sizeof bits);
    }
    return bad == 0;
}

enum status tensor_encode(unsigned char *out, enum tensor_type type,
                          const float *x, size_t n, const char *name,
                          struct err *err)
{
    bool is_good = true;
    assert(type <= TENSOR_Q8_0 && n % types[type].block == 0);
    if (n == 0)
        return OK;
    if (type == TENSOR_F32)
        memcpy(out, x, n * sizeof *x);
    else if (type == TENSOR_F16)
        is_good = put_halves(out, x, n);
    else if (type == TENSOR_BF16)
        is_good = put_bf16(out, x, n);
    else
        is_good = quant_q8_0(out, x, n / types[type].block);
    if (!is_good)
        return err_set(err, ERR_NUMERIC,
                       "tensor '%.80s': a value is not finite as %s", name,
                       types[type].name);
    return OK;
}

enum status tensor_write(struct file_writer *w, enum tensor_type type,
                         const float *x, size_t n, const char *name,
                         struct err *err)
{
    unsigned char out[WRITE_CHUNK * 2];
    assert(type <= TENSOR_Q8_0 && n % types[type].block == 0);
    if (type == TENSOR_F32)
        return file_put(w, x, n * sizeof *x, err);
    for (size_t i = 0; i < n; i += WRITE_CHUNK) {
        size_t some = n - i < WRITE_CHUNK ? n - i : WRITE_CHUNK;
        TRY(tensor_encode(out, type, x + i, some, name, err));
        TRY(file_put(w, out, some / types[type].block * types[type].bytes,
                     err));
    }
    return OK;
}

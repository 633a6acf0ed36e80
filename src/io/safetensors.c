#include "io/safetensors.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* Values are stored little-endian and copied as they are. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors.c needs a little-endian machine"
#endif

#define PREFIX 8                               // the header's length, u64
#define HEADER_MAX ((size_t)100 * 1000 * 1000) // the format's own bound
#define DEPTH_MAX 3                            // header, tensor, shape
#define VALUES_MAX ((size_t)1 << 20)           // about 130 000 tensors

static const struct {
    const char *name;
    enum tensor_type type;
    size_t bytes;
} dtypes[] = {
    {"F32", TENSOR_F32, 4},       {"F16", TENSOR_F16, 2},
    {"BF16", TENSOR_BF16, 2},     {"F64", TENSOR_OTHER, 8},
    {"I64", TENSOR_OTHER, 8},     {"U64", TENSOR_OTHER, 8},
    {"I32", TENSOR_OTHER, 4},     {"U32", TENSOR_OTHER, 4},
    {"I16", TENSOR_OTHER, 2},     {"U16", TENSOR_OTHER, 2},
    {"I8", TENSOR_OTHER, 1},      {"U8", TENSOR_OTHER, 1},
    {"BOOL", TENSOR_OTHER, 1},    {"F8_E4M3", TENSOR_OTHER, 1},
    {"F8_E5M2", TENSOR_OTHER, 1},
};

/* Where the reading is, for messages. */
struct place {
    const char *file;
    const char *tensor;
};

/* ---- reading the header ------------------------------------------------- */

/* A size or an offset: an integer, not negative. */
static enum status read_size(size_t *out, const struct json *node,
                             const char *what, struct place at, struct err *err)
{
    int64_t x = json_int(node, -1);
    if (x < 0)
        return err_set(err, ERR_FORMAT, "%s: tensor '%.80s': %s is not a size",
                       at.file, at.tensor, what);
    *out = (size_t)x;
    return OK;
}

static enum status read_dtype(struct tensor_view *t, size_t *bytes,
                              const struct json *node, struct place at,
                              struct err *err)
{
    const char *dtype = json_text(node, "");
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtype, dtypes[i].name) == 0) {
            t->type = dtypes[i].type;
            *bytes = dtypes[i].bytes;
            memcpy(t->dtype, dtype, strlen(dtype) + 1);
            return OK;
        }
    }
    return err_set(err, ERR_FORMAT, "%s: tensor '%.80s': unknown dtype '%.20s'",
                   at.file, at.tensor, dtype);
}

static enum status read_dims(struct tensor_view *t, const struct json *shape,
                             struct place at, struct err *err)
{
    if (!json_is_array(shape))
        return err_set(err, ERR_FORMAT, "%s: tensor '%.80s' has no shape",
                       at.file, at.tensor);
    t->n_dim = json_size(shape);
    if (t->n_dim > TENSOR_DIMS_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s: tensor '%.80s' has %zu dimensions, at most %d",
                       at.file, at.tensor, t->n_dim, TENSOR_DIMS_MAX);
    t->count = 1;
    for (size_t i = 0; i < t->n_dim; i++) {
        size_t dim;
        TRY(read_size(&dim, json_at(shape, i), "shape", at, err));
        t->dim[i] = dim;
        if (mem_multiply(&t->count, t->count, dim, NULL) != OK)
            return err_set(err, ERR_FORMAT,
                           "%s: tensor '%.80s': shape is too large", at.file,
                           at.tensor);
    }
    return OK;
}

/* One member of the header.  `data` is what follows the header. */
static enum status read_tensor(struct tensor_view *t, const struct json *node,
                               const unsigned char *data, size_t len,
                               struct place at, struct err *err)
{
    size_t bytes, need, begin, end;
    if (!json_is_object(node))
        return err_set(err, ERR_FORMAT, "%s: tensor '%.80s' is not an object",
                       at.file, at.tensor);
    TRY(read_dtype(t, &bytes, json_get(node, "dtype"), at, err));
    TRY(read_dims(t, json_get(node, "shape"), at, err));
    const struct json *range = json_get(node, "data_offsets");
    if (!json_is_array(range) || json_size(range) != 2)
        return err_set(err, ERR_FORMAT,
                       "%s: tensor '%.80s' has no data_offsets", at.file,
                       at.tensor);
    TRY(read_size(&begin, json_at(range, 0), "data_offsets", at, err));
    TRY(read_size(&end, json_at(range, 1), "data_offsets", at, err));
    if (begin > end || end > len)
        return err_set(err, ERR_FORMAT,
                       "%s: tensor '%.80s': bytes %zu to %zu, file has %zu",
                       at.file, at.tensor, begin, end, len);
    if (mem_multiply(&need, t->count, bytes, NULL) != OK || need != end - begin)
        return err_set(err, ERR_FORMAT,
                       "%s: tensor '%.80s': %zu values of %s, but %zu bytes",
                       at.file, at.tensor, t->count, t->dtype, end - begin);
    t->name = at.tensor;
    t->data = data + begin;
    t->len = need;
    return OK;
}

static enum status check_metadata(const struct json *node, const char *name,
                                  struct err *err)
{
    if (!json_is_object(node))
        return err_set(err, ERR_FORMAT, "%s: __metadata__ is not an object",
                       name);
    for (const void *it = json_first(node); it != NULL;
         it = json_next(node, it))
        if (!json_is_string(json_value(it)))
            return err_set(err, ERR_FORMAT,
                           "%s: __metadata__ '%.80s' is not a string", name,
                           json_key(it));
    return OK;
}

/* Order of the data; empty tensors share a place and go by name. */
static int by_place(const void *a, const void *b)
{
    const struct tensor_view *x = a;
    const struct tensor_view *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorted tensors must tile the data from its first byte to its last. */
static enum status check_tiling(const struct safetensors *s,
                                const unsigned char *data, size_t len,
                                const char *name, struct err *err)
{
    size_t end = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct tensor_view *t = &s->tensor[i];
        size_t begin = (size_t)(t->data - data);
        if (begin != end)
            return err_set(err, ERR_FORMAT,
                           "%s: tensor '%.80s' begins at byte %zu, the one "
                           "before it ends at %zu",
                           name, t->name, begin, end);
        end = begin + t->len;
    }
    if (end != len)
        return err_set(err, ERR_FORMAT,
                       "%s: tensors end at byte %zu, data has %zu", name, end,
                       len);
    return OK;
}

static enum status read_tensors(struct safetensors *s,
                                const unsigned char *data, size_t len,
                                const char *name, struct err *err)
{
    if (!json_is_object(s->header))
        return err_set(err, ERR_FORMAT, "%s: header is not an object", name);
    TRY(MEM_NEW(s->tensor, json_size(s->header), err));
    for (const void *it = json_first(s->header); it != NULL;
         it = json_next(s->header, it)) {
        struct place at = {.file = name, .tensor = json_key(it)};
        if (strcmp(at.tensor, "__metadata__") == 0) {
            TRY(check_metadata(json_value(it), name, err));
            continue;
        }
        TRY(read_tensor(&s->tensor[s->n], json_value(it), data, len, at, err));
        s->n++;
    }
    if (s->n > 1)
        qsort(s->tensor, s->n, sizeof *s->tensor, by_place);
    return check_tiling(s, data, len, name, err);
}

/* What a clone without Git LFS has in place of a large file. */
static bool is_lfs_pointer(const unsigned char *data, size_t len)
{
    static const char start[] = "version https://git-lfs.github.com/";
    return len >= sizeof start && memcmp(data, start, sizeof start - 1) == 0;
}

enum status safetensors_parse(struct safetensors *out,
                              const unsigned char *data, size_t len,
                              const char *name, struct err *err)
{
    if (len < PREFIX)
        return err_set(err, ERR_FORMAT, "%s: %zu bytes is too short", name,
                       len);
    if (is_lfs_pointer(data, len))
        return err_set(err, ERR_FORMAT,
                       "%s is Git LFS's stand-in for the file: git lfs pull "
                       "gets the file itself",
                       name);
    uint64_t len_header;
    memcpy(&len_header, data, PREFIX);
    if (len_header > HEADER_MAX || len_header > len - PREFIX)
        return err_set(err, ERR_FORMAT,
                       "%s: header of %llu bytes, file has %zu, at most %zu",
                       name, (unsigned long long)len_header, len, HEADER_MAX);
    size_t n = (size_t)len_header;
    const char *text = (const char *)data + PREFIX;
    if (n == 0 || text[0] != '{')
        return err_set(err, ERR_FORMAT, "%s: header does not start with '{'",
                       name);
    TRY(json_check_shape(text, n, DEPTH_MAX, VALUES_MAX, name, err));
    struct safetensors s = {0};
    TRY(json_parse(&s.header, text, n, name, err));
    enum status status =
        read_tensors(&s, data + PREFIX + n, len - PREFIX - n, name, err);
    if (status != OK) {
        safetensors_close(&s);
        return status;
    }
    *out = s;
    return OK;
}

enum status safetensors_open(struct safetensors *out, const char *path,
                             struct err *err)
{
    struct file_map map = {0};
    TRY(file_map(&map, path, err));
    enum status status = safetensors_parse(out, map.data, map.len, path, err);
    if (status != OK)
        file_unmap(&map);
    else
        out->map = map;
    return status;
}

void safetensors_close(struct safetensors *s)
{
    mem_free(s->tensor);
    if (s->header != NULL)
        json_free(s->header);
    if (s->map.data != NULL)
        file_unmap(&s->map);
    *s = (struct safetensors){0};
}

const struct tensor_view *safetensors_find(const struct safetensors *s,
                                           const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->tensor[i].name, name) == 0)
            return &s->tensor[i];
    return NULL;
}

/* ---- values ------------------------------------------------------------- */

enum status safetensors_floats(float *out, const struct tensor_view *t,
                               struct err *err)
{
    return tensor_floats(out, t, 0, t->count, err);
}

/* ---- writing ------------------------------------------------------------ */

/* Values of a tensor; their bytes, too, must fit a size_t. */
static enum status count_values(size_t *out, const struct tensor_out *t,
                                struct err *err)
{
    size_t count = 1, bytes;
    for (size_t d = 0; d < t->n_dim; d++)
        TRY(mem_multiply(&count, count, t->dim[d], err));
    TRY(mem_multiply(&bytes, count, tensor_type_bytes(t->type), err));
    *out = count;
    return OK;
}

/* The prefix and the header.  A tensor's place is the sum of the lengths of
 * those before it. */
static enum status write_header(struct buf *out, const struct tensor_out *t,
                                size_t n, struct err *err)
{
    struct json_writer w;
    size_t at = 0;
    uint64_t n_header = 0;
    buf_append(out, &n_header, PREFIX);
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_put_key(&w, "__metadata__");
    json_open(&w, '{');
    json_field_text(&w, "format", "pt");
    json_close(&w, '}');
    for (size_t i = 0; i < n; i++) {
        size_t count;
        assert(t[i].n_dim <= TENSOR_DIMS_MAX && t[i].type <= TENSOR_BF16);
        TRY(count_values(&count, &t[i], err));
        json_put_key(&w, t[i].name);
        json_open(&w, '{');
        json_field_text(&w, "dtype", tensor_type_name(t[i].type));
        json_put_key(&w, "shape");
        json_open(&w, '[');
        for (size_t d = 0; d < t[i].n_dim; d++)
            json_put_int(&w, (int64_t)t[i].dim[d]);
        json_close(&w, ']');
        json_put_key(&w, "data_offsets");
        json_open(&w, '[');
        json_put_int(&w, (int64_t)at);
        at += count * tensor_type_bytes(t[i].type);
        json_put_int(&w, (int64_t)at);
        json_close(&w, ']');
        json_close(&w, '}');
    }
    json_close(&w, '}');
    /* Spaces up to a multiple of 8, so that the data starts aligned. */
    while (out->code == OK && out->len % PREFIX != 0)
        buf_putc(out, ' ');
    TRY(buf_status(out, err));
    n_header = out->len - PREFIX;
    memcpy(out->data, &n_header, PREFIX);
    return OK;
}

/* A tensor whose values somebody else has. */
static enum status put_fetched(struct file_writer *w,
                               const struct tensor_out *t, size_t count,
                               struct err *err)
{
    float *piece;
    TRY(MEM_NEW(piece, count < SAFETENSORS_PIECE ? count : SAFETENSORS_PIECE,
                err));
    enum status status = OK;
    for (size_t at = 0; status == OK && at < count; at += SAFETENSORS_PIECE) {
        size_t n = count - at;
        n = n < SAFETENSORS_PIECE ? n : SAFETENSORS_PIECE;
        status = t->fetch(t->ctx, piece, at, n, err);
        if (status == OK)
            status = tensor_write(w, t->type, piece, n, t->name, err);
    }
    mem_free(piece);
    return status;
}

/* Tensors go from where they are straight to the file: no second copy of the
 * model in memory. */
static enum status put_tensors(struct file_writer *w, const struct buf *header,
                               const struct tensor_out *t, size_t n,
                               struct err *err)
{
    TRY(file_put(w, header->data, header->len, err));
    for (size_t i = 0; i < n; i++) {
        size_t count;
        TRY(count_values(&count, &t[i], err));
        if (t[i].data == NULL && t[i].fetch != NULL)
            TRY(put_fetched(w, &t[i], count, err));
        else
            TRY(tensor_write(w, t[i].type, t[i].data, count, t[i].name, err));
    }
    return OK;
}

enum status safetensors_write(const char *path, const struct tensor_out *t,
                              size_t n, struct err *err)
{
    struct file_writer w;
    struct buf header;
    enum status status;
    buf_init(&header, HEADER_MAX + PREFIX);
    TRY_DONE(write_header(&header, t, n, err));
    TRY_DONE(file_create(&w, path, err));
    status = put_tensors(&w, &header, t, n, err);
    status = file_finish(&w, status, err);
done:
    buf_free(&header);
    return status;
}

#include "io/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/gguf_internal.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "gguf.c needs a little-endian machine"
#endif

/* Bounds on what a file may ask for.  Real files stay far below: about 60 keys
 * and 1 200 tensors, 10 MiB of metadata for a vocabulary of 256 000. */
#define KEYS_MAX ((size_t)1 << 16)
#define TENSORS_MAX ((size_t)1 << 17)
#define KEY_BYTES_MAX ((size_t)65535)
#define NAME_BYTES_MAX ((size_t)255)
#define DEPTH_MAX 3 // arrays in arrays in arrays
#define ALIGNMENT_MAX ((int64_t)1 << 20)

/* The fewest bytes these can take in a file. */
#define PAIR_BYTES_MIN (8 + 4 + 1)
#define TENSOR_BYTES_MIN (8 + 4 + 4 + 8)
#define ARRAY_BYTES_MIN (4 + 8)

/* The tensor types of the format; those that are read take their sizes from
 * tensors.h.  The numbers that are missing were withdrawn. */
static const struct {
    uint32_t id;
    enum tensor_type type;
    char dtype[8];
    size_t block, bytes;
} types[] = {
    {0, TENSOR_F32, "F32", 0, 0},
    {1, TENSOR_F16, "F16", 0, 0},
    {2, TENSOR_Q4_0, "Q4_0", 0, 0},
    {3, TENSOR_Q4_1, "Q4_1", 0, 0},
    {6, TENSOR_Q5_0, "Q5_0", 0, 0},
    {7, TENSOR_Q5_1, "Q5_1", 0, 0},
    {8, TENSOR_Q8_0, "Q8_0", 0, 0},
    {9, TENSOR_OTHER, "Q8_1", 32, 40},
    {10, TENSOR_OTHER, "Q2_K", 256, 84},
    {11, TENSOR_OTHER, "Q3_K", 256, 110},
    {12, TENSOR_Q4_K, "Q4_K", 0, 0},
    {13, TENSOR_Q5_K, "Q5_K", 0, 0},
    {14, TENSOR_Q6_K, "Q6_K", 0, 0},
    {15, TENSOR_OTHER, "Q8_K", 256, 292},
    {16, TENSOR_OTHER, "IQ2_XXS", 256, 66},
    {17, TENSOR_OTHER, "IQ2_XS", 256, 74},
    {18, TENSOR_OTHER, "IQ3_XXS", 256, 98},
    {19, TENSOR_OTHER, "IQ1_S", 256, 50},
    {20, TENSOR_OTHER, "IQ4_NL", 32, 18},
    {21, TENSOR_OTHER, "IQ3_S", 256, 110},
    {22, TENSOR_OTHER, "IQ2_S", 256, 82},
    {23, TENSOR_OTHER, "IQ4_XS", 256, 136},
    {24, TENSOR_OTHER, "I8", 1, 1},
    {25, TENSOR_OTHER, "I16", 1, 2},
    {26, TENSOR_OTHER, "I32", 1, 4},
    {27, TENSOR_OTHER, "I64", 1, 8},
    {28, TENSOR_OTHER, "F64", 1, 8},
    {29, TENSOR_OTHER, "IQ1_M", 256, 56},
    {30, TENSOR_BF16, "BF16", 0, 0},
    {34, TENSOR_OTHER, "TQ1_0", 256, 54},
    {35, TENSOR_OTHER, "TQ2_0", 256, 66},
    {39, TENSOR_OTHER, "MXFP4", 32, 17},
    {40, TENSOR_OTHER, "NVFP4", 64, 36},
    {41, TENSOR_OTHER, "Q1_0", 128, 18},
};
#define N_TYPES (sizeof types / sizeof *types)

uint32_t gguf_tensor_type(enum tensor_type type)
{
    size_t i = 0;
    while (types[i].type != type)
        i++;
    return types[i].id;
}

/* ---- bytes from the front ----------------------------------------------- */

/* Where the reading is; `what` and `text` name the key or tensor. */
struct reader {
    const unsigned char *data;
    size_t len; // no further than GGUF_HEAD_MAX
    size_t at;
    size_t n_file;
    const char *file;
    const char *what;
    struct gguf_text text;
};

/* The first words of a message: file, and key or tensor. */
#define PLACE "%s: %s '%.*s'"
#define PLACE_OF(r)                                                            \
    (r)->file, (r)->what, (int)((r)->text.len < 80 ? (r)->text.len : 80),      \
        (r)->text.data

static enum status need(const struct reader *r, size_t n, struct err *err)
{
    if (n <= r->len - r->at)
        return OK;
    if (r->len < r->n_file)
        return err_set(err, ERR_FORMAT, PLACE ": metadata goes past %zu bytes",
                       PLACE_OF(r), GGUF_HEAD_MAX);
    return err_set(err, ERR_FORMAT,
                   PLACE ": %zu bytes at byte %zu, file has %zu", PLACE_OF(r),
                   n, r->at, r->n_file);
}

static enum status take(void *out, size_t n, struct reader *r, struct err *err)
{
    TRY(need(r, n, err));
    memcpy(out, r->data + r->at, n);
    r->at += n;
    return OK;
}

/* A count of things that take at least `bytes` each: before memory is asked
 * for, what is left of the file must be able to hold them. */
static enum status take_count(size_t *out, size_t bytes, struct reader *r,
                              struct err *err)
{
    uint64_t n;
    TRY(take(&n, sizeof n, r, err));
    size_t left = r->len - r->at;
    if (n > left / bytes)
        return err_set(
            err, ERR_FORMAT, PLACE ": count of %llu at byte %zu, file has %zu",
            PLACE_OF(r), (unsigned long long)n, r->at - sizeof n, r->n_file);
    *out = (size_t)n;
    return OK;
}

static enum status take_text(struct gguf_text *out, struct reader *r,
                             struct err *err)
{
    size_t len;
    TRY(take_count(&len, 1, r, err));
    out->data = (const char *)r->data + r->at;
    out->len = len;
    r->at += len;
    return OK;
}

/* ---- metadata ----------------------------------------------------------- */

static enum status skip_items(struct reader *r, enum gguf_type type, size_t n,
                              int depth, size_t *end, struct err *err);

/* The head of an array: the type and number of its items. */
static enum status take_array(enum gguf_type *type, size_t *n, struct reader *r,
                              struct err *err)
{
    uint32_t id;
    TRY(take(&id, sizeof id, r, err));
    if (id > GGUF_F64)
        return err_set(err, ERR_FORMAT, PLACE ": unknown type %lu of items",
                       PLACE_OF(r), (unsigned long)id);
    *type = (enum gguf_type)id;
    size_t least = *type == GGUF_TEXT    ? sizeof(uint64_t)
                   : *type == GGUF_ARRAY ? ARRAY_BYTES_MIN
                                         : gguf_item_bytes(*type);
    return take_count(n, least, r, err);
}

static enum status skip_arrays(struct reader *r, size_t n, int depth,
                               struct err *err)
{
    if (depth == DEPTH_MAX)
        return err_set(err, ERR_FORMAT, PLACE ": arrays nest deeper than %d",
                       PLACE_OF(r), DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        enum gguf_type type;
        size_t n_item;
        TRY(take_array(&type, &n_item, r, err));
        TRY(skip_items(r, type, n_item, depth + 1, NULL, err));
    }
    return OK;
}

/* Go past n items and check them on the way.  `end`, unless NULL, gets where
 * each text ends, counted from the first. */
static enum status skip_items(struct reader *r, enum gguf_type type, size_t n,
                              int depth, size_t *end, struct err *err)
{
    size_t start = r->at;
    if (type == GGUF_ARRAY)
        return skip_arrays(r, n, depth, err);
    if (type == GGUF_TEXT) {
        for (size_t i = 0; i < n; i++) {
            struct gguf_text text;
            TRY(take_text(&text, r, err));
            if (end != NULL)
                end[i] = r->at - start;
        }
        return OK;
    }
    /* n of a scalar is 1 and of an array was held against the file. */
    TRY(need(r, n * gguf_item_bytes(type), err));
    if (type == GGUF_BOOL)
        for (size_t i = 0; i < n; i++)
            if (r->data[r->at + i] > 1)
                return err_set(err, ERR_FORMAT, PLACE ": bool of %d",
                               PLACE_OF(r), r->data[r->at + i]);
    r->at += n * gguf_item_bytes(type);
    return OK;
}

static enum status read_pair(struct gguf_pair *p, struct reader *r,
                             struct err *err)
{
    uint32_t id;
    TRY(take_text(&p->key, r, err));
    r->text = p->key;
    if (p->key.len == 0 || p->key.len > KEY_BYTES_MAX)
        return err_set(err, ERR_FORMAT,
                       PLACE ": key of %zu bytes, 1 to %zu are allowed",
                       PLACE_OF(r), p->key.len, KEY_BYTES_MAX);
    TRY(take(&id, sizeof id, r, err));
    if (id > GGUF_F64)
        return err_set(err, ERR_FORMAT, PLACE ": unknown type %lu", PLACE_OF(r),
                       (unsigned long)id);
    struct gguf_array *value = &p->value;
    value->type = (enum gguf_type)id;
    value->n = 1;
    p->is_array = value->type == GGUF_ARRAY;
    if (p->is_array)
        TRY(take_array(&value->type, &value->n, r, err));
    value->kind = gguf_item_kind(value->type);
    value->data = r->data + r->at;
    if (value->type == GGUF_TEXT)
        TRY(MEM_NEW(p->end, value->n, err));
    value->end = p->end;
    TRY(skip_items(r, value->type, value->n, 1, p->end, err));
    p->past = (const char *)r->data + r->at;
    return OK;
}

static int by_key(const void *a, const void *b)
{
    const struct gguf_pair_slot *x = a;
    const struct gguf_pair_slot *y = b;
    return gguf_compare_keys(x->pair->key, y->pair->key);
}

static enum status read_pairs(struct gguf *g, size_t n, struct reader *r,
                              struct err *err)
{
    TRY(MEM_NEW(g->pair, n, err));
    TRY(MEM_NEW(g->by_key, n, err));
    for (; g->n_pair < n; g->n_pair++) {
        struct gguf_pair *p = &g->pair[g->n_pair];
        g->by_key[g->n_pair].pair = p;
        enum status status = read_pair(p, r, err);
        if (status != OK) {
            /* It is not counted yet, and may own memory. */
            mem_free(p->end);
            return status;
        }
    }
    if (n > 1)
        qsort(g->by_key, n, sizeof *g->by_key, by_key);
    for (size_t i = 1; i < n; i++) {
        r->text = g->by_key[i].pair->key;
        if (by_key(&g->by_key[i - 1], &g->by_key[i]) == 0)
            return err_set(err, ERR_FORMAT, PLACE " is there twice",
                           PLACE_OF(r));
    }
    return OK;
}

static enum status read_alignment(size_t *out, const struct gguf *g,
                                  struct err *err)
{
    static const char key[] = "general.alignment";
    int64_t x = 32;
    if (gguf_kind_of(g, key) != GGUF_IS_ABSENT)
        TRY(gguf_need_int(&x, g, key, 1, ALIGNMENT_MAX, err));
    if ((x & (x - 1)) != 0)
        return err_set(err, ERR_FORMAT,
                       "%s: key '%s' is %lld, not a power of two", g->name, key,
                       (long long)x);
    *out = (size_t)x;
    return OK;
}

/* ---- tensors ------------------------------------------------------------ */

/* A description, and the offset its data has within the data. */
static enum status read_name(struct tensor_view *t, struct gguf *g,
                             struct reader *r, struct err *err)
{
    TRY(take_text(&r->text, r, err));
    const struct gguf_text *text = &r->text;
    if (text->len == 0 || text->len > NAME_BYTES_MAX)
        return err_set(err, ERR_FORMAT,
                       PLACE ": name of %zu bytes, 1 to %zu are allowed",
                       PLACE_OF(r), text->len, NAME_BYTES_MAX);
    if (memchr(text->data, '\0', text->len) != NULL)
        return err_set(err, ERR_FORMAT, PLACE ": name has a NUL in it",
                       PLACE_OF(r));
    return arena_text(&t->name, &g->names, text->data, text->len, err);
}

static enum status read_dims(struct tensor_view *t, struct reader *r,
                             struct err *err)
{
    uint32_t n_dim;
    TRY(take(&n_dim, sizeof n_dim, r, err));
    if (n_dim > TENSOR_DIMS_MAX)
        return err_set(err, ERR_FORMAT, PLACE " has %lu dimensions, at most %d",
                       PLACE_OF(r), (unsigned long)n_dim, TENSOR_DIMS_MAX);
    t->n_dim = n_dim;
    t->count = 1;
    /* The file has the fastest dimension first. */
    for (size_t i = t->n_dim; i > 0; i--) {
        TRY(take(&t->dim[i - 1], sizeof *t->dim, r, err));
        if (t->dim[i - 1] > SIZE_MAX ||
            mem_multiply(&t->count, t->count, (size_t)t->dim[i - 1], NULL) !=
                OK)
            return err_set(err, ERR_FORMAT, PLACE ": shape is too large",
                           PLACE_OF(r));
    }
    return OK;
}

static enum status read_type(struct tensor_view *t, struct reader *r,
                             struct err *err)
{
    uint32_t id;
    size_t i = 0;
    TRY(take(&id, sizeof id, r, err));
    while (i < N_TYPES && types[i].id != id)
        i++;
    if (i == N_TYPES)
        return err_set(err, ERR_FORMAT, PLACE ": unknown type %lu", PLACE_OF(r),
                       (unsigned long)id);
    bool is_read = types[i].type != TENSOR_OTHER;
    size_t block = is_read ? tensor_type_block(types[i].type) : types[i].block;
    size_t bytes = is_read ? tensor_type_bytes(types[i].type) : types[i].bytes;
    t->type = types[i].type;
    memcpy(t->dtype, types[i].dtype, sizeof t->dtype);
    uint64_t row = t->n_dim == 0 ? 1 : t->dim[t->n_dim - 1];
    if (row % block != 0)
        return err_set(err, ERR_FORMAT,
                       PLACE ": rows of %llu values, but %s has blocks of %zu",
                       PLACE_OF(r), (unsigned long long)row, t->dtype, block);
    if (mem_multiply(&t->len, t->count / block, bytes, NULL) != OK)
        return err_set(err, ERR_FORMAT, PLACE ": shape is too large",
                       PLACE_OF(r));
    return OK;
}

/* Where the data begins is known only after the last description: until then
 * `offset` has the places. */
static enum status read_descriptions(struct gguf *g, uint64_t *offset, size_t n,
                                     struct reader *r, struct err *err)
{
    TRY(MEM_NEW(g->tensor, n, err));
    for (; g->n_tensor < n; g->n_tensor++) {
        struct tensor_view *t = &g->tensor[g->n_tensor];
        TRY(read_name(t, g, r, err));
        TRY(read_dims(t, r, err));
        TRY(read_type(t, r, err));
        TRY(take(&offset[g->n_tensor], sizeof *offset, r, err));
    }
    return OK;
}

static enum status place_tensors(struct gguf *g, const uint64_t *offset,
                                 const struct reader *r, struct err *err)
{
    size_t alignment;
    TRY(read_alignment(&alignment, g, err));
    size_t start = (r->at + alignment - 1) / alignment * alignment;
    size_t len = r->n_file > start ? r->n_file - start : 0;
    for (size_t i = 0; i < g->n_tensor; i++) {
        struct tensor_view *t = &g->tensor[i];
        if (offset[i] % alignment != 0)
            return err_set(err, ERR_FORMAT,
                           "%s: tensor '%.80s': offset %llu is not a multiple "
                           "of %zu",
                           g->name, t->name, (unsigned long long)offset[i],
                           alignment);
        if (offset[i] > len || t->len > len - offset[i])
            return err_set(err, ERR_FORMAT,
                           "%s: tensor '%.80s': %zu bytes at %llu, data has "
                           "%zu",
                           g->name, t->name, t->len,
                           (unsigned long long)offset[i], len);
        /* Nothing of a file that ends before its data may be pointed at. */
        t->data = r->data + (start < r->n_file ? start : r->n_file) +
                  (size_t)offset[i];
    }
    return OK;
}

/* Order of the data; empty tensors come before what shares their place. */
static int by_place(const void *a, const void *b)
{
    const struct tensor_view *x = ((const struct gguf_tensor_slot *)a)->tensor;
    const struct tensor_view *y = ((const struct gguf_tensor_slot *)b)->tensor;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->len < y->len ? -1 : x->len > y->len;
}

static int by_name(const void *a, const void *b)
{
    const struct gguf_tensor_slot *x = a;
    const struct gguf_tensor_slot *y = b;
    return strcmp(x->tensor->name, y->tensor->name);
}

/* No byte belongs to two tensors, no name either. */
static enum status check_tensors(struct gguf *g, struct err *err)
{
    struct gguf_tensor_slot *sorted;
    size_t n = g->n_tensor;
    TRY(MEM_NEW(g->by_name, n, err));
    sorted = g->by_name;
    for (size_t i = 0; i < n; i++)
        sorted[i].tensor = &g->tensor[i];
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 1; i < n; i++) {
        const struct tensor_view *t = sorted[i - 1].tensor;
        const struct tensor_view *next = sorted[i].tensor;
        if (t->data + t->len > next->data)
            return err_set(err, ERR_FORMAT,
                           "%s: tensors '%.80s' and '%.80s' overlap", g->name,
                           t->name, next->name);
    }
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 1; i < n; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            return err_set(err, ERR_FORMAT, "%s: tensor '%.80s' is there twice",
                           g->name, sorted[i].tensor->name);
    return OK;
}

static enum status read_tensors(struct gguf *g, size_t n, struct reader *r,
                                struct err *err)
{
    uint64_t *offset;
    enum status status;
    TRY(MEM_NEW(offset, n, err));
    TRY_DONE(read_descriptions(g, offset, n, r, err));
    TRY_DONE(place_tensors(g, offset, r, err));
    status = check_tensors(g, err);
done:
    mem_free(offset);
    return status;
}

/* ---- the file ----------------------------------------------------------- */

static enum status check_version(const struct reader *r, uint32_t version,
                                 struct err *err)
{
    if (version == 2 || version == 3)
        return OK;
    if ((version & 0xffff) == 0 && version != 0)
        return err_set(err, ERR_FORMAT, "%s: GGUF file is big-endian", r->file);
    return err_set(err, ERR_FORMAT, "%s: GGUF version %lu; 2 and 3 are read",
                   r->file, (unsigned long)version);
}

static enum status read_all(struct gguf *g, struct reader *r, struct err *err)
{
    uint32_t version;
    size_t n_tensor, n_pair;
    if (r->n_file < 4 || memcmp(r->data, "GGUF", 4) != 0)
        return err_set(err, ERR_FORMAT, "%s: not a GGUF file", r->file);
    r->at = 4;
    TRY(take(&version, sizeof version, r, err));
    TRY(check_version(r, version, err));
    TRY(take_count(&n_tensor, TENSOR_BYTES_MIN, r, err));
    TRY(take_count(&n_pair, PAIR_BYTES_MIN, r, err));
    if (n_tensor > TENSORS_MAX || n_pair > KEYS_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s: %zu tensors and %zu keys, at most %zu and %zu",
                       r->file, n_tensor, n_pair, TENSORS_MAX, KEYS_MAX);
    r->what = "key";
    TRY(read_pairs(g, n_pair, r, err));
    r->what = "tensor";
    r->text = (struct gguf_text){.data = ""};
    return read_tensors(g, n_tensor, r, err);
}

enum status gguf_parse(struct gguf **out, const unsigned char *data, size_t len,
                       const char *name, struct err *err)
{
    struct gguf *g;
    struct reader r = {
        .data = data,
        .len = len < GGUF_HEAD_MAX ? len : GGUF_HEAD_MAX,
        .n_file = len,
        .file = name,
        .what = "header",
        .text = {"GGUF", 4},
    };
    TRY(MEM_NEW(g, 1, err));
    enum status status = OK;
    g->name = mem_strdup(name);
    if (g->name == NULL)
        status = err_set(err, ERR_MEMORY, "out of memory for a path");
    else
        status = read_all(g, &r, err);
    if (status != OK) {
        gguf_close(g);
        return status;
    }
    *out = g;
    return OK;
}

enum status gguf_open(struct gguf **out, const char *path, struct err *err)
{
    struct file_map map = {0};
    TRY(file_map(&map, path, err));
    enum status status = gguf_parse(out, map.data, map.len, path, err);
    if (status != OK)
        file_unmap(&map);
    else
        (*out)->map = map;
    return status;
}

void gguf_close(struct gguf *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_pair; i++)
        mem_free(g->pair[i].end);
    mem_free(g->pair);
    mem_free(g->by_key);
    mem_free(g->tensor);
    mem_free(g->by_name);
    arena_free(&g->names);
    mem_free(g->name);
    if (g->map.data != NULL)
        file_unmap(&g->map);
    mem_free(g);
}

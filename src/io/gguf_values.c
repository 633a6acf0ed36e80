#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/gguf.h"
#include "io/gguf_internal.h"

static const struct {
    size_t bytes;
    enum gguf_kind kind;
} items[] = {
    [GGUF_U8] = {1, GGUF_IS_INT},    [GGUF_I8] = {1, GGUF_IS_INT},
    [GGUF_U16] = {2, GGUF_IS_INT},   [GGUF_I16] = {2, GGUF_IS_INT},
    [GGUF_U32] = {4, GGUF_IS_INT},   [GGUF_I32] = {4, GGUF_IS_INT},
    [GGUF_F32] = {4, GGUF_IS_REAL},  [GGUF_BOOL] = {1, GGUF_IS_BOOL},
    [GGUF_TEXT] = {0, GGUF_IS_TEXT}, [GGUF_ARRAY] = {0, GGUF_IS_ARRAY},
    [GGUF_U64] = {8, GGUF_IS_INT},   [GGUF_I64] = {8, GGUF_IS_INT},
    [GGUF_F64] = {8, GGUF_IS_REAL},
};

/* For messages, by kind. */
static const char *const kinds[] = {"nothing", "an integer", "a number",
                                    "a bool",  "a text",     "an array"};

size_t gguf_item_bytes(enum gguf_type type)
{
    return items[type].bytes;
}

enum gguf_kind gguf_item_kind(enum gguf_type type)
{
    return items[type].kind;
}

int gguf_compare_keys(struct gguf_text a, struct gguf_text b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* ---- items of arrays ---------------------------------------------------- */

struct gguf_text gguf_array_text(const struct gguf_array *a, size_t i)
{
    assert(a->kind == GGUF_IS_TEXT && i < a->n);
    size_t start = (i == 0 ? 0 : a->end[i - 1]) + sizeof(uint64_t);
    return (struct gguf_text){
        .data = (const char *)a->data + start,
        .len = a->end[i] - start,
    };
}

int64_t gguf_array_int(const struct gguf_array *a, size_t i)
{
    assert((a->kind == GGUF_IS_INT || a->kind == GGUF_IS_BOOL) && i < a->n);
    size_t bytes = items[a->type].bytes;
    uint64_t x = 0;
    memcpy(&x, a->data + i * bytes, bytes);
    if (a->type == GGUF_I8 || a->type == GGUF_I16 || a->type == GGUF_I32 ||
        a->type == GGUF_I64) {
        /* Carry the sign of a narrow number to the top. */
        uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
        return (int64_t)((x ^ sign) - sign);
    }
    return x <= INT64_MAX ? (int64_t)x : INT64_MAX;
}

double gguf_array_real(const struct gguf_array *a, size_t i)
{
    float single;
    double x;
    if (a->kind != GGUF_IS_REAL)
        return (double)gguf_array_int(a, i);
    assert(i < a->n);
    if (a->type == GGUF_F32) {
        memcpy(&single, a->data + i * sizeof single, sizeof single);
        return (double)single;
    }
    memcpy(&x, a->data + i * sizeof x, sizeof x);
    return x;
}

/* ---- by key ------------------------------------------------------------- */

static int key_against_pair(const void *key, const void *pair)
{
    const struct gguf_text *text = key;
    const struct gguf_pair_slot *slot = pair;
    return gguf_compare_keys(*text, slot->pair->key);
}

static const struct gguf_pair *find(const struct gguf *g, const char *key)
{
    struct gguf_text text = {key, strlen(key)};
    if (g->n_pair == 0)
        return NULL;
    const struct gguf_pair_slot *found = bsearch(
        &text, g->by_key, g->n_pair, sizeof *g->by_key, key_against_pair);
    return found == NULL ? NULL : found->pair;
}

static enum gguf_kind kind_of(const struct gguf_pair *p)
{
    if (p == NULL)
        return GGUF_IS_ABSENT;
    return p->is_array ? GGUF_IS_ARRAY : p->value.kind;
}

/* The value of a key when it is a scalar of this kind, else NULL. */
static const struct gguf_array *scalar(const struct gguf *g, const char *key,
                                       enum gguf_kind kind)
{
    const struct gguf_pair *p = find(g, key);
    return kind_of(p) == kind ? &p->value : NULL;
}

/* An unsigned integer that int64_t cannot hold. */
static bool is_too_large(const struct gguf_array *a)
{
    return a->type == GGUF_U64 && (a->data[sizeof(uint64_t) - 1] & 0x80) != 0;
}

static enum status wrong_kind(const struct gguf *g, const char *key,
                              const char *want, struct err *err)
{
    enum gguf_kind kind = gguf_kind_of(g, key);
    if (kind == GGUF_IS_ABSENT)
        return err_set(err, ERR_FORMAT, "%s: no key '%s'", g->name, key);
    return err_set(err, ERR_FORMAT, "%s: key '%s' is %s, not %s", g->name, key,
                   kinds[kind], want);
}

size_t gguf_n_keys(const struct gguf *g)
{
    return g->n_pair;
}

struct gguf_text gguf_key(const struct gguf *g, size_t i)
{
    assert(i < g->n_pair);
    return g->pair[i].key;
}

enum gguf_kind gguf_kind_of(const struct gguf *g, const char *key)
{
    return kind_of(find(g, key));
}

struct gguf_text gguf_get_text(const struct gguf *g, const char *key,
                               const char *fallback)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_TEXT);
    if (a != NULL)
        return gguf_array_text(a, 0);
    return (struct gguf_text){
        .data = fallback,
        .len = fallback == NULL ? 0 : strlen(fallback),
    };
}

int64_t gguf_get_int(const struct gguf *g, const char *key, int64_t fallback)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_INT);
    return a != NULL && !is_too_large(a) ? gguf_array_int(a, 0) : fallback;
}

double gguf_get_real(const struct gguf *g, const char *key, double fallback)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_REAL);
    if (a == NULL)
        a = scalar(g, key, GGUF_IS_INT);
    return a != NULL && !is_too_large(a) ? gguf_array_real(a, 0) : fallback;
}

bool gguf_get_bool(const struct gguf *g, const char *key, bool fallback)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_BOOL);
    return a != NULL ? gguf_array_int(a, 0) != 0 : fallback;
}

enum status gguf_need_text(struct gguf_text *out, const struct gguf *g,
                           const char *key, struct err *err)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_TEXT);
    if (a == NULL)
        return wrong_kind(g, key, kinds[GGUF_IS_TEXT], err);
    *out = gguf_array_text(a, 0);
    return OK;
}

enum status gguf_need_int(int64_t *out, const struct gguf *g, const char *key,
                          int64_t low, int64_t high, struct err *err)
{
    const struct gguf_array *a = scalar(g, key, GGUF_IS_INT);
    if (a == NULL)
        return wrong_kind(g, key, kinds[GGUF_IS_INT], err);
    int64_t x = gguf_array_int(a, 0);
    if (x < low || x > high || is_too_large(a))
        return err_set(
            err, ERR_FORMAT, "%s: key '%s' is %lld, %lld to %lld are allowed",
            g->name, key, (long long)x, (long long)low, (long long)high);
    *out = x;
    return OK;
}

enum status gguf_need_real(double *out, const struct gguf *g, const char *key,
                           struct err *err)
{
    enum gguf_kind kind = gguf_kind_of(g, key);
    if (kind != GGUF_IS_REAL && kind != GGUF_IS_INT)
        return wrong_kind(g, key, kinds[GGUF_IS_REAL], err);
    double x = gguf_get_real(g, key, (double)INFINITY);
    if (!isfinite(x))
        return err_set(err, ERR_FORMAT, "%s: key '%s' is not a finite number",
                       g->name, key);
    *out = x;
    return OK;
}

bool gguf_get_array(struct gguf_array *out, const struct gguf *g,
                    const char *key, enum gguf_kind kind)
{
    const struct gguf_pair *p = find(g, key);
    if (p == NULL || !p->is_array || p->value.kind != kind)
        return false;
    *out = p->value;
    return true;
}

enum status gguf_need_array(struct gguf_array *out, const struct gguf *g,
                            const char *key, enum gguf_kind kind,
                            struct err *err)
{
    if (gguf_get_array(out, g, key, kind))
        return OK;
    if (gguf_kind_of(g, key) == GGUF_IS_ARRAY)
        return err_set(err, ERR_FORMAT, "%s: key '%s': an item is not %s",
                       g->name, key, kinds[kind]);
    return wrong_kind(g, key, kinds[GGUF_IS_ARRAY], err);
}

/* ---- tensors ------------------------------------------------------------ */

const char *gguf_name(const struct gguf *g)
{
    return g->name;
}

void gguf_release(const struct gguf *g, const unsigned char *data, size_t len)
{
    file_release(&g->map, data, len);
}

size_t gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensor;
}

const struct tensor_view *gguf_tensor(const struct gguf *g, size_t i)
{
    assert(i < g->n_tensor);
    return &g->tensor[i];
}

static int name_against_tensor(const void *name, const void *tensor)
{
    const struct gguf_tensor_slot *slot = tensor;
    return strcmp(name, slot->tensor->name);
}

const struct tensor_view *gguf_find(const struct gguf *g, const char *name)
{
    if (g->n_tensor == 0)
        return NULL;
    const struct gguf_tensor_slot *found = bsearch(
        name, g->by_name, g->n_tensor, sizeof *g->by_name, name_against_tensor);
    return found == NULL ? NULL : found->tensor;
}

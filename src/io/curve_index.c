#include <sodium.h>
#include <string.h>

#include "base/mem.h"
#include "io/curve_internal.h"

/* The file: header, names, the last row, the levels' buckets and values, and
 * BLAKE2b-256 of all before.  Numbers are as this machine has them; `order`
 * tells another machine's. */
#define MAGIC "PLUMBIDX"
#define VERSION 1
#define ORDER 0x01020304U
#define SUM 32
#define STRIDE_MAX ((uint64_t)1 << 40)
#define WORTH ((uint64_t)256 * 1024)

struct header {
    char magic[8];
    uint32_t version, order;
    uint64_t names, rows, skipped, bytes;
    int64_t first, last;
    struct {
        uint64_t cap, stride, filled, n;
    } level[CURVE_LEVELS];
    uint64_t head_len, tail_len;
    unsigned char head[CURVE_PRINT], tail[CURVE_PRINT];
};

bool curve_wants_save(const struct curve *c)
{
    uint64_t new = c->facts.bytes - c->saved;
    return c->index[0] != '\0' && !c->is_skipping &&
           c->facts.bytes >= c->saved &&
           new >= WORTH &&new >= c->facts.bytes / 8;
}

/* ---- writing ------------------------------------------------------------ */

static void fill_header(struct header *h, const struct curve *c)
{
    memset(h, 0, sizeof *h); // what lies between the members, too
    memcpy(h->magic, MAGIC, sizeof h->magic);
    h->version = VERSION;
    h->order = ORDER;
    h->names = c->facts.n;
    h->rows = c->facts.rows;
    h->skipped = c->facts.skipped;
    h->bytes = c->facts.bytes;
    h->first = c->facts.first;
    h->last = c->facts.last;
    for (size_t i = 0; i < CURVE_LEVELS; i++) {
        const struct curve_level *l = &c->level[i];
        h->level[i].cap = l->cap;
        h->level[i].stride = l->stride;
        h->level[i].filled = l->filled;
        h->level[i].n = l->cap > 0 ? l->n : 0;
    }
    h->head_len = c->head.len;
    h->tail_len = c->tail.len;
    memcpy(h->head, c->head.byte, c->head.len);
    memcpy(h->tail, c->tail.byte, c->tail.len);
}

/* Written and summed up in one go. */
struct sink {
    crypto_generichash_state sum; // the one with the largest alignment
    struct file_writer file;
    struct err *err;
    enum status status;
};

static void put(struct sink *s, const void *data, size_t len)
{
    (void)crypto_generichash_update(&s->sum, data, len);
    if (s->status == OK)
        s->status = file_put(&s->file, data, len, s->err);
}

static void put_level(struct sink *s, const struct curve_level *l)
{
    put(s, l->bucket, l->n * sizeof *l->bucket);
    put(s, l->value, l->n * l->names * CURVE_OF * sizeof *l->value);
}

enum status curve_save(struct curve *c, struct err *err)
{
    struct header h;
    unsigned char sum[SUM];
    struct sink s = {.err = err};
    /* Names that came with the last rows may not be in every level yet. */
    for (size_t i = 0; i < CURVE_LEVELS; i++)
        if (c->level[i].cap > 0)
            TRY(curve_level_make(&c->level[i], 1, c->facts.n, err));
    TRY(file_create(&s.file, c->index, err));
    (void)crypto_generichash_init(&s.sum, NULL, 0, SUM);
    fill_header(&h, c);
    put(&s, &h, sizeof h);
    put(&s, c->name, c->facts.n * sizeof *c->name);
    put(&s, c->now, c->facts.n * sizeof *c->now);
    for (size_t i = 0; i < CURVE_LEVELS; i++)
        if (c->level[i].cap > 0)
            put_level(&s, &c->level[i]);
    (void)crypto_generichash_final(&s.sum, sum, SUM);
    put(&s, sum, SUM);
    s.status = file_finish(&s.file, s.status, err);
    if (s.status == OK)
        c->saved = c->facts.bytes;
    return s.status;
}

/* ---- reading ------------------------------------------------------------ */

/* Bytes that are there to be taken. */
struct cursor {
    const unsigned char *at;
    size_t left;
};

static bool take(void *to, struct cursor *from, size_t n, size_t size)
{
    if (size > 0 && n > from->left / size)
        return false;
    if (n * size > 0)
        memcpy(to, from->at, n * size);
    from->at += n * size;
    from->left -= n * size;
    return true;
}

/* A power of two that stays one when levels are halved for ever. */
static bool is_stride(uint64_t x)
{
    return x > 0 && (x & (x - 1)) == 0 && x <= STRIDE_MAX;
}

static const char *check_level(const struct header *h, size_t i)
{
    static const uint64_t cap[CURVE_LEVELS] = {CURVE_COARSE, CURVE_FINE};
    uint64_t n = h->level[i].n, stride = h->level[i].stride;
    if (h->level[i].cap != cap[i])
        return i > 0 && h->level[i].cap == 0 && n == 0 ? NULL : "another size";
    if (n > cap[i] || !is_stride(stride) || h->level[i].filled > stride)
        return "a number out of range";
    uint64_t rows = n > 0 ? (n - 1) * stride + h->level[i].filled : 0;
    return rows == h->rows && (n > 0) == (h->level[i].filled > 0)
               ? NULL
               : "rows missing";
}

static const char *check_header(const struct header *h)
{
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return "no index";
    if (h->version != VERSION || h->order != ORDER)
        return "an index of another version";
    if (h->names > CURVE_NAMES_MAX || h->head_len > CURVE_PRINT ||
        h->tail_len > CURVE_PRINT || h->tail_len > h->bytes ||
        h->head_len > h->bytes || h->bytes > INT64_MAX)
        return "a number out of range";
    if (h->rows > 0
            ? h->first < 0 || h->last < h->first || h->last > CURVE_STEP_MAX ||
                  (uint64_t)(h->last - h->first) < h->rows - 1
            : h->first != -1 || h->last != -1)
        return "steps out of range";
    for (size_t i = 0; i < CURVE_LEVELS; i++) {
        const char *why = check_level(h, i);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* Steps and places rise, and stay within what was read. */
static bool are_in_order(const struct curve_level *l, const struct header *h)
{
    for (size_t b = 0; b < l->n; b++) {
        const struct curve_bucket *x = &l->bucket[b];
        if (x->last < h->first || x->last > h->last || x->offset >= h->bytes)
            return false;
        if (b > 0 && (x->last <= x[-1].last || x->offset <= x[-1].offset))
            return false;
    }
    return l->n == 0 || l->bucket[l->n - 1].last == h->last;
}

static enum status take_level(struct curve_level *l, const struct header *h,
                              size_t i, struct cursor *from, struct err *err)
{
    size_t n = (size_t)h->level[i].n, names = (size_t)h->names;
    curve_level_clear(l);
    l->cap = (size_t)h->level[i].cap;
    if (l->cap == 0)
        return OK;
    if (n * (sizeof *l->bucket + names * CURVE_OF * sizeof *l->value) >
        from->left)
        return err_set(err, ERR_FORMAT, "index: cut short");
    TRY(curve_level_make(l, n > 0 ? n : 1, names, err));
    if (!take(l->bucket, from, n, sizeof *l->bucket) ||
        !take(l->value, from, n * names * CURVE_OF, sizeof *l->value))
        return err_set(err, ERR_FORMAT, "index: cut short");
    l->n = n;
    l->stride = (size_t)h->level[i].stride;
    l->filled = (size_t)h->level[i].filled;
    if (!are_in_order(l, h))
        return err_set(err, ERR_FORMAT, "index: points out of order");
    return OK;
}

static bool are_names(const struct curve *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c->name[i][0] == '\0' ||
            memchr(c->name[i], '\0', sizeof c->name[i]) == NULL)
            return false;
    return true;
}

static enum status take_all(struct curve *c, const struct header *h,
                            struct cursor *from, struct err *err)
{
    size_t names = (size_t)h->names;
    TRY(curve_make_names(c, names, err));
    if (!take(c->name, from, names, sizeof *c->name) ||
        !take(c->now, from, names, sizeof *c->now) || !are_names(c, names))
        return err_set(err, ERR_FORMAT, "index: no names of metrics");
    for (size_t i = 0; i < CURVE_LEVELS; i++)
        TRY(take_level(&c->level[i], h, i, from, err));
    if (from->left != 0)
        return err_set(err, ERR_FORMAT, "index: bytes behind its end");
    c->facts = (struct curve_facts){names,   h->rows,  h->skipped, h->first,
                                    h->last, h->bytes, true};
    c->head.len = (size_t)h->head_len;
    c->tail.len = (size_t)h->tail_len;
    memcpy(c->head.byte, h->head, c->head.len);
    memcpy(c->tail.byte, h->tail, c->tail.len);
    c->saved = h->bytes;
    return OK;
}

enum status curve_take_index(struct curve *c, const void *data, size_t len,
                             struct err *err)
{
    struct header h;
    unsigned char sum[SUM];
    if (len < sizeof h + SUM)
        return err_set(err, ERR_FORMAT, "index: cut short");
    (void)crypto_generichash(sum, SUM, data, len - SUM, NULL, 0);
    if (memcmp(sum, (const unsigned char *)data + len - SUM, SUM) != 0)
        return err_set(err, ERR_FORMAT, "index: damaged");
    struct cursor from = {data, len - SUM};
    const char *why =
        take(&h, &from, 1, sizeof h) ? check_header(&h) : "cut short";
    if (why != NULL)
        return err_set(err, ERR_FORMAT, "index: %s", why);
    enum status status = take_all(c, &h, &from, err);
    if (status != OK) {
        curve_clear(c);
        c->level[0].cap = CURVE_COARSE;
        c->level[1].cap = 0;
    }
    return status;
}

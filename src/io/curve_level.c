#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "io/curve_internal.h"

void curve_level_clear(struct curve_level *l)
{
    l->n = 0;
    l->filled = 0;
    l->stride = 1;
}

/* ---- room --------------------------------------------------------------- */

/* The same buckets with room for more names in each. */
static enum status widen(struct curve_level *l, size_t names, struct err *err)
{
    float *value;
    TRY(MEM_NEW(value, l->room * names * CURVE_OF, err));
    for (size_t i = 0; i < l->n * names * CURVE_OF; i++)
        value[i] = NAN;
    for (size_t b = 0; b < l->n; b++)
        memcpy(value + b * names * CURVE_OF, l->value + b * l->names * CURVE_OF,
               l->names * CURVE_OF * sizeof *value);
    mem_free(l->value);
    l->value = value;
    l->names = names;
    return OK;
}

enum status curve_level_make(struct curve_level *l, size_t n, size_t names,
                             struct err *err)
{
    if (l->n == 0 && l->room > 0 && names != l->names) {
        mem_free(l->bucket);
        mem_free(l->value);
        l->bucket = NULL;
        l->value = NULL;
        l->room = 0;
        l->names = names;
    }
    if (l->room == 0)
        l->names = names;
    if (names > l->names)
        TRY(widen(l, names, err));
    if (n <= l->room)
        return OK;
    struct curve_bucket *bucket =
        mem_grow(l->bucket, l->room, n, sizeof *bucket);
    if (bucket == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for %zu points", n);
    l->bucket = bucket;
    size_t wide = l->names * CURVE_OF;
    float *value = mem_grow(l->value, l->room * wide, n * wide, sizeof *value);
    if (value == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for %zu points", n);
    l->value = value;
    l->room = n;
    return OK;
}

/* ---- rows into buckets -------------------------------------------------- */

static float *values(const struct curve_level *l, size_t bucket)
{
    return l->value + bucket * l->names * CURVE_OF;
}

/* fminf and fmaxf pass over a NaN. */
static void merge(float *into, const float *from, size_t names)
{
    for (size_t m = 0; m < names; m++) {
        float *a = into + m * CURVE_OF;
        const float *b = from + m * CURVE_OF;
        a[CURVE_LOW] = fminf(a[CURVE_LOW], b[CURVE_LOW]);
        a[CURVE_HIGH] = fmaxf(a[CURVE_HIGH], b[CURVE_HIGH]);
        if (!isnan(b[CURVE_LAST]))
            a[CURVE_LAST] = b[CURVE_LAST];
    }
}

static void halve(struct curve_level *l)
{
    size_t wide = l->names * CURVE_OF;
    for (size_t i = 0; i < l->n / 2; i++) {
        merge(values(l, 2 * i), values(l, 2 * i + 1), l->names);
        l->bucket[i].offset = l->bucket[2 * i].offset;
        l->bucket[i].last = l->bucket[2 * i + 1].last;
        if (i > 0)
            memcpy(values(l, i), values(l, 2 * i), wide * sizeof(float));
    }
    l->n /= 2;
    l->stride *= 2;
    l->filled = l->stride;
}

enum status curve_level_add(struct curve_level *l, int64_t step,
                            uint64_t offset, const double *value, size_t names,
                            struct err *err)
{
    bool is_new = l->n == 0 || l->filled == l->stride;
    if (is_new && l->n == l->cap) {
        halve(l);
        is_new = l->filled == l->stride;
    }
    size_t want = l->n + is_new;
    size_t room = l->room > 0 ? l->room : 64;
    while (room < want)
        room *= 2;
    TRY(curve_level_make(l, room > l->cap ? l->cap : room, names, err));
    if (is_new) {
        l->bucket[l->n] = (struct curve_bucket){.offset = offset};
        for (size_t i = 0; i < l->names * CURVE_OF; i++)
            values(l, l->n)[i] = NAN;
        l->n++;
        l->filled = 0;
    }
    float *at = values(l, l->n - 1);
    for (size_t m = 0; m < names; m++) {
        float x = (float)value[m];
        if (!isfinite(x))
            continue;
        at[m * CURVE_OF + CURVE_LOW] = fminf(at[m * CURVE_OF + CURVE_LOW], x);
        at[m * CURVE_OF + CURVE_HIGH] = fmaxf(at[m * CURVE_OF + CURVE_HIGH], x);
        at[m * CURVE_OF + CURVE_LAST] = x;
    }
    l->bucket[l->n - 1].last = step;
    l->filled++;
    return OK;
}

/* ---- views -------------------------------------------------------------- */

/* Buckets begin .. end - 1 of a level hold the steps asked for. */
struct range {
    const struct curve_level *level;
    size_t begin, end;
};

static size_t first_from(const struct curve_level *l, int64_t step)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->bucket[middle].last >= step)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct range range_of(const struct curve_level *l,
                             const struct curve_ask *ask)
{
    struct range r = {.level = l};
    r.begin = first_from(l, ask->from);
    r.end = first_from(l, ask->to);
    /* The bucket that may hold `to`. */
    if (r.end < l->n && (l->stride > 1 || l->bucket[r.end].last == ask->to))
        r.end++;
    if (r.end < r.begin)
        r.end = r.begin;
    return r;
}

/* The coarsest level that has enough. */
static struct range choose(const struct curve *c, const struct curve_ask *ask)
{
    struct range r = range_of(&c->level[0], ask);
    if (c->level[1].cap > 0 && r.end - r.begin < ask->points)
        r = range_of(&c->level[1], ask);
    return r;
}

bool curve_wants_log(struct curve_part *part, const struct curve *c,
                     const struct curve_ask *ask)
{
    struct range r = choose(c, ask);
    const struct curve_level *l = r.level;
    if (l->stride <= 1 || r.end == r.begin ||
        r.end - r.begin >= ask->points / 2)
        return false;
    part->begin = l->bucket[r.begin].offset;
    part->end = r.end < l->n ? l->bucket[r.end].offset : c->facts.bytes;
    return part->end - part->begin <= CURVE_RAW_MAX;
}

static enum status make_view(struct curve_view *v, size_t n, size_t metrics,
                             struct err *err)
{
    *v = (struct curve_view){.n = n, .n_metrics = metrics};
    TRY(MEM_NEW(v->step, n, err));
    TRY(MEM_NEW(v->low, n * metrics, err));
    TRY(MEM_NEW(v->high, n * metrics, err));
    return MEM_NEW(v->last, n * metrics, err);
}

void curve_view_free(struct curve_view *v)
{
    mem_free(v->step);
    mem_free(v->low);
    mem_free(v->high);
    mem_free(v->last);
    *v = (struct curve_view){.n = 0};
}

/* Bucket b into point i. */
static void put_bucket(struct curve_view *v, size_t i,
                       const struct curve_level *l, size_t b,
                       const struct curve_ask *ask)
{
    v->step[i] = l->bucket[b].last;
    for (size_t m = 0; m < ask->n; m++) {
        size_t at = m * v->n + i;
        if (ask->metric[m] >= l->names)
            continue;
        const float *x = values(l, b) + ask->metric[m] * CURVE_OF;
        v->low[at] = fminf(v->low[at], x[CURVE_LOW]);
        v->high[at] = fmaxf(v->high[at], x[CURVE_HIGH]);
        if (!isnan(x[CURVE_LAST]))
            v->last[at] = x[CURVE_LAST];
    }
}

enum status curve_view(struct curve_view *out, const struct curve *c,
                       const struct curve_ask *ask, struct err *err)
{
    struct curve_view v;
    assert(ask->points >= 2 && ask->points <= CURVE_POINTS_MAX);
    struct range r = choose(c, ask);
    size_t have = r.end - r.begin;
    size_t each = have > 0 ? (have + ask->points - 1) / ask->points : 1;
    enum status status = make_view(&v, (have + each - 1) / each, ask->n, err);
    if (status != OK) {
        curve_view_free(&v);
        return status;
    }
    for (size_t i = 0; i < v.n * v.n_metrics; i++)
        v.low[i] = v.high[i] = v.last[i] = NAN;
    for (size_t b = 0; b < have; b++)
        put_bucket(&v, b / each, r.level, r.begin + b, ask);
    v.rows = each * r.level->stride;
    *out = v;
    return OK;
}

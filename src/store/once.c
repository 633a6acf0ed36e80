#include "store/once.h"

#include "base/buf.h"
#include "base/mem.h"

#define ONCE_ROW_MAX ((size_t)64 << 20)

struct once_copy {
    int64_t voted; // the latest
    uint64_t said; // all of that row
    bool is_taken;
};

static uint64_t hash_of(const struct json *row, const char *side)
{
    return names_hash(json_text(json_get(json_get(row, side), "response"), ""));
}

/* What copies share; without the order and the time, what votes of one name on
 * one pair share.  False: nobody's. */
static bool write_key(struct buf *out, const struct json *row, bool is_whole)
{
    const char *pair = json_text(json_get(row, "pair_id"), NULL);
    const char *judge = json_text(json_get(row, "judge"), NULL);
    uint64_t a = hash_of(row, "left"), b = hash_of(row, "right");
    bool is_swapped = !is_whole && a > b;
    if (pair == NULL || judge == NULL)
        return false;
    /* No name holds a control character. */
    buf_printf(out, "%s\n%s\n%s\n%s\n%lld\n%016llx\n%016llx",
               json_text(json_get(row, "pool"), ""), pair, judge,
               json_text(json_get(row, "prompt_id"), ""),
               (long long)json_int(json_get(row, "visit"), 1),
               (unsigned long long)(is_swapped ? b : a),
               (unsigned long long)(is_swapped ? a : b));
    if (is_whole)
        buf_printf(out, "\n%s\n%lld",
                   json_text(json_get(row, "shown_left"), ""),
                   (long long)json_int(json_get(row, "leased_at"), -1));
    return true;
}

static enum status hash_row(uint64_t *out, const struct json *row,
                            struct err *err)
{
    struct buf text;
    buf_init(&text, ONCE_ROW_MAX);
    json_dump(&text, row);
    enum status status = buf_status(&text, err);
    if (status == OK)
        *out = names_hash(buf_text(&text));
    buf_free(&text);
    return status;
}

static int64_t voted_of(const struct json *row)
{
    return json_int(json_get(row, "voted_at"), 0);
}

/* A row that none was a copy of before. */
static enum status add_copy(struct once *o, const struct json *row,
                            const struct once_copy *copy, struct err *err)
{
    struct buf key;
    size_t index, before = o->vote.n;
    TRY(MEM_ROOM(o->copy, o->whole.n - 1, o->room, err));
    o->copy[o->whole.n - 1] = *copy;
    buf_init(&key, ONCE_ROW_MAX);
    (void)write_key(&key, row, false);
    enum status status = buf_status(&key, err);
    if (status == OK)
        status = names_add(&o->vote, &index, buf_text(&key), err);
    if (status == OK)
        o->namesakes += index < before;
    buf_free(&key);
    return status;
}

/* One act has one time; without times, what was said tells. */
static void see_copy(struct once *o, size_t index, const struct once_copy *x)
{
    struct once_copy *c = &o->copy[index];
    o->again++;
    o->changed += c->voted != x->voted || (c->voted == 0 && c->said != x->said);
    if (x->voted > c->voted)
        *c = *x;
}

enum status once_note(struct once *o, const struct json *row, struct err *err)
{
    struct buf key;
    struct once_copy x = {.voted = voted_of(row)};
    size_t index, before = o->whole.n;
    buf_init(&key, ONCE_ROW_MAX);
    bool is_named = write_key(&key, row, true);
    enum status status = buf_status(&key, err);
    if (status == OK && is_named)
        status = hash_row(&x.said, row, err);
    if (status == OK && is_named)
        status = names_add(&o->whole, &index, buf_text(&key), err);
    buf_free(&key);
    if (status != OK || !is_named)
        return status;
    if (index == before)
        return add_copy(o, row, &x, err);
    see_copy(o, index, &x);
    return OK;
}

enum status once_take(bool *is, struct once *o, const struct json *row,
                      struct err *err)
{
    struct buf key;
    *is = true;
    buf_init(&key, ONCE_ROW_MAX);
    bool is_named = write_key(&key, row, true);
    enum status status = buf_status(&key, err);
    if (status == OK && is_named) {
        size_t index = names_find(&o->whole, buf_text(&key));
        struct once_copy *c = index != SIZE_MAX ? &o->copy[index] : NULL;
        *is = c == NULL || (!c->is_taken && voted_of(row) >= c->voted);
        if (c != NULL && *is)
            c->is_taken = true;
    }
    buf_free(&key);
    return status;
}

void once_free(struct once *o)
{
    names_free(&o->whole);
    names_free(&o->vote);
    mem_free(o->copy);
}

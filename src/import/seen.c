#include "import/seen.h"

#include "base/mem.h"
#include "base/names.h"

struct seen_slot {
    uint64_t key;
    uint32_t value;
    bool is_used;
};

/* The place of a key, or the free one where it belongs; needs a free one. */
static struct seen_slot *find(struct seen_slot *slot, size_t slots,
                              uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20);
    for (;; at++) {
        struct seen_slot *x = &slot[at & (slots - 1)];
        if (!x->is_used || x->key == key)
            return x;
    }
}

static enum status grow(struct seen *s, struct err *err)
{
    size_t slots = s->slots > 0 ? 2 * s->slots : 1024;
    struct seen_slot *slot;
    TRY(MEM_NEW(slot, slots, err));
    for (size_t i = 0; i < s->slots; i++)
        if (s->slot[i].is_used)
            *find(slot, slots, s->slot[i].key) = s->slot[i];
    mem_free(s->slot);
    s->slot = slot;
    s->slots = slots;
    return OK;
}

enum status seen_at(uint32_t **out, struct seen *s, uint64_t key, bool *is_new,
                    struct err *err)
{
    if (4 * (s->n + 1) > 3 * s->slots)
        TRY(grow(s, err));
    struct seen_slot *x = find(s->slot, s->slots, key);
    if (is_new != NULL)
        *is_new = !x->is_used;
    if (!x->is_used) {
        *x = (struct seen_slot){.key = key, .is_used = true};
        s->n++;
    }
    *out = &x->value;
    return OK;
}

void seen_free(struct seen *s)
{
    mem_free(s->slot);
    *s = (struct seen){.slot = NULL};
}

uint64_t seen_key(const char *const *text, size_t n)
{
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++) {
        hash ^= names_hash(text[i]);
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + 1;
        hash ^= hash >> 29;
    }
    return hash;
}

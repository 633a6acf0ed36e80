#include "world/world.h"

#include <stdbool.h>

#include "base/mem.h"

/* Keys seen so far: open addressing, at most half full.  A slot holds key+1,
 * so that 0 is a free one; keys are small numbers, far from overflow. */
struct key_set {
    uint64_t *slot;
    size_t room; // a power of two
};

static enum status key_set_init(struct key_set *s, size_t n, struct err *err)
{
    size_t room = 16;
    while (room / 2 <= n) {
        if (room > SIZE_MAX / 4)
            return err_set(err, ERR_LIMIT, "%zu prompts are too many", n);
        room *= 2;
    }
    TRY(MEM_NEW(s->slot, room, err));
    s->room = room;
    return OK;
}

/* Put a key in; false when it was there. */
static bool key_set_add(struct key_set *s, uint64_t key)
{
    /* Fibonacci hashing spreads neighbouring keys. */
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (s->room - 1);
    while (s->slot[at] != 0) {
        if (s->slot[at] == key + 1)
            return false;
        at = (at + 1) & (s->room - 1);
    }
    s->slot[at] = key + 1;
    return true;
}

/* Draws until n new texts are found.  After many draws in a row without a
 * new text the split is taken to be exhausted. */
static enum status fill(struct ticket *ticket, size_t n, uint64_t seed,
                        enum ticket_split split, const struct mix *mix,
                        struct key_set *seen, struct err *err)
{
    enum {
        PATIENCE = 1000
    };
    size_t got = 0;
    int in_vain = 0;
    for (uint32_t index = 0; got < n; index++) {
        struct ticket t;
        double place = n > 1 ? (double)got / (double)(n - 1) : 0;
        ticket_draw_of(&t, seed, split, index, mix, place);
        if (key_set_add(seen, ticket_key(&t))) {
            ticket[got++] = t;
            in_vain = 0;
        } else if (++in_vain == PATIENCE || index == UINT32_MAX) {
            return err_set(err, ERR_LIMIT,
                           "split %s: %zu different prompts asked for, found "
                           "%zu in %lu draws",
                           ticket_split_name(split), n, got,
                           (unsigned long)index + 1);
        }
    }
    return OK;
}

enum status world_prompts(struct world_set *out, uint64_t seed,
                          enum ticket_split split, size_t n,
                          const struct world_set *const *exclude,
                          size_t n_exclude, struct err *err)
{
    enum status status = OK;
    struct key_set seen = {0};
    struct ticket *ticket = NULL;
    size_t total = n;
    for (size_t i = 0; i < n_exclude; i++)
        total += exclude[i]->n;
    TRY_DONE(key_set_init(&seen, total, err));
    for (size_t i = 0; i < n_exclude; i++)
        for (size_t j = 0; j < exclude[i]->n; j++)
            (void)key_set_add(&seen, ticket_key(&exclude[i]->ticket[j]));
    TRY_DONE(MEM_NEW(ticket, n, err));
    TRY_DONE(fill(ticket, n, seed, split, NULL, &seen, err));
    *out = (struct world_set){.ticket = ticket, .n = n};
    ticket = NULL;
done:
    mem_free(ticket);
    mem_free(seen.slot);
    return status;
}

enum status world_prompts_of(struct world_set *out, uint64_t seed,
                             enum ticket_split split, size_t n,
                             const struct mix *mix, struct err *err)
{
    enum status status = OK;
    struct key_set seen = {0};
    struct ticket *ticket = NULL;
    TRY_DONE(key_set_init(&seen, n, err));
    TRY_DONE(MEM_NEW(ticket, n, err));
    TRY_DONE(fill(ticket, n, seed, split, mix, &seen, err));
    *out = (struct world_set){.ticket = ticket, .n = n};
    ticket = NULL;
done:
    mem_free(ticket);
    mem_free(seen.slot);
    return status;
}

void world_set_free(struct world_set *set)
{
    mem_free(set->ticket);
    *set = (struct world_set){0};
}

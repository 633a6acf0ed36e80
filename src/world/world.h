/*
 * world.h - sets of tickets: the prompts of a split.
 *
 *     struct world_set set;
 *     TRY(world_prompts(&set, seed, TICKET_HELDOUT, 512, NULL, 0, err));
 *     ...
 *     world_set_free(&set);
 */
#ifndef PLUMB_WORLD_WORLD_H
#define PLUMB_WORLD_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "world/tickets.h"

struct world_set {
    struct ticket *ticket; // n, in the order of their indices in the split
    size_t n;
};

/*
 * The first n tickets of a split whose texts differ from each other and from
 * every text of the `n_exclude` sets given.
 *
 * Tickets of TICKET_HELDOUT never share a text with another split's, whatever
 * the seeds (tickets.h), so `exclude` is needed only to keep apart what the
 * cut does not: say, a second held-out set from the first.
 *
 * The caller frees with world_set_free().  ERR_LIMIT when the split runs out
 * of different texts, ERR_MEMORY.  The same arguments give the same set.
 */
enum status world_prompts(struct world_set *out, uint64_t seed,
                          enum ticket_split split, size_t n,
                          const struct world_set *const *exclude,
                          size_t n_exclude, struct err *err) MUST_CHECK;

/* The same of a mix (world/mix.h; NULL: all intents alike), the first ticket
 * at its start and the last at its end. */
enum status world_prompts_of(struct world_set *out, uint64_t seed,
                             enum ticket_split split, size_t n,
                             const struct mix *mix, struct err *err) MUST_CHECK;

void world_set_free(struct world_set *set);

#endif

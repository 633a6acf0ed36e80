#include "io/ids.h"

#include "base/mem.h"

enum status ids_push(struct ids *ids, int32_t id, struct err *err)
{
    if (ids->n == ids->room) {
        size_t room = ids->room != 0 ? 2 * ids->room : 64;
        int32_t *grown = mem_grow(ids->id, ids->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for %zu token ids",
                           room);
        ids->id = grown;
        ids->room = room;
    }
    ids->id[ids->n++] = id;
    return OK;
}

void ids_free(struct ids *ids)
{
    mem_free(ids->id);
    *ids = (struct ids){0};
}

#include "diagnose/leads.h"

#include "base/mem.h"

enum status leads_add(struct finding **out, struct leads *l, const char *id,
                      const char *claim, const char *unit, const char *data,
                      struct err *err)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 16;
        struct finding *grown = mem_grow(l->row, l->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu leads", room);
        l->row = grown;
        l->room = room;
    }
    *out = &l->row[l->n++];
    **out = finding_new(id, claim, unit, data);
    (*out)->is_lead = true;
    return OK;
}

void leads_free(struct leads *l)
{
    mem_free(l->row);
    *l = (struct leads){.row = NULL};
}

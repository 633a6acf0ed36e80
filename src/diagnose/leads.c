#include "diagnose/leads.h"

#include "base/mem.h"

struct finding *leads_add(struct leads *l, const char *id, const char *claim,
                          const char *unit, const char *data)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 16;
        struct finding *grown = mem_grow(l->row, l->n, room, sizeof *grown);
        if (grown == NULL)
            return NULL;
        l->row = grown;
        l->room = room;
    }
    struct finding *f = &l->row[l->n++];
    *f = finding_new(id, claim, unit, data);
    f->is_lead = true;
    return f;
}

void leads_free(struct leads *l)
{
    mem_free(l->row);
    *l = (struct leads){.row = NULL};
}

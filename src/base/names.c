#include "base/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAMES_MAX ((size_t)1 << 31)

uint64_t names_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* The slot that holds `text`, or the free one where it belongs. */
static size_t slot_of(const struct names *s, const char *text)
{
    size_t at = (size_t)names_hash(text) & (s->slots - 1);
    while (s->slot[at] != 0 && strcmp(s->text[s->slot[at] - 1], text) != 0)
        at = (at + 1) & (s->slots - 1);
    return at;
}

/* At most half of the slots are ever taken. */
static enum status grow(struct names *s, struct err *err)
{
    size_t room = s->room > 0 ? 2 * s->room : 64;
    uint32_t *slot = mem_calloc(2 * room, sizeof *slot);
    char **text = mem_grow(s->text, s->n, room, sizeof *text);
    if (text != NULL)
        s->text = text;
    if (slot == NULL || text == NULL) {
        mem_free(slot);
        return err_set(err, ERR_MEMORY, "out of memory: %zu names", room);
    }
    mem_free(s->slot);
    s->slot = slot;
    s->slots = 2 * room;
    s->room = room;
    for (size_t i = 0; i < s->n; i++)
        s->slot[slot_of(s, s->text[i])] = (uint32_t)(i + 1);
    return OK;
}

enum status names_add(struct names *s, size_t *index, const char *text,
                      struct err *err)
{
    size_t at = s->slots > 0 ? slot_of(s, text) : 0;
    if (s->slots > 0 && s->slot[at] != 0) {
        *index = s->slot[at] - 1;
        return OK;
    }
    if (s->n >= NAMES_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu different names",
                       NAMES_MAX);
    if (s->n == s->room) {
        TRY(grow(s, err));
        at = slot_of(s, text);
    }
    char *copy = mem_strdup(text);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a name");
    s->text[s->n] = copy;
    s->slot[at] = (uint32_t)(s->n + 1);
    *index = s->n++;
    return OK;
}

size_t names_find(const struct names *s, const char *text)
{
    if (s->slots == 0)
        return SIZE_MAX;
    size_t at = slot_of(s, text);
    return s->slot[at] != 0 ? s->slot[at] - 1 : SIZE_MAX;
}

struct entry {
    const char *text;
    size_t index;
};

static int bytewise(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return strcmp(x->text, y->text);
}

enum status names_places(size_t *place, const struct names *s, struct err *err)
{
    struct entry *entry = NULL;
    TRY(MEM_NEW(entry, s->n, err));
    for (size_t i = 0; i < s->n; i++)
        entry[i] = (struct entry){s->text[i], i};
    if (s->n > 0)
        qsort(entry, s->n, sizeof *entry, bytewise);
    for (size_t i = 0; i < s->n; i++)
        place[entry[i].index] = i;
    mem_free(entry);
    return OK;
}

/* A slot that is freed was free when every text that is kept took its own, so
 * none is looked for behind it. */
void names_cut(struct names *s, size_t n)
{
    if (n >= s->n)
        return;
    for (size_t at = 0; at < s->slots; at++)
        if (s->slot[at] > n)
            s->slot[at] = 0;
    for (size_t i = n; i < s->n; i++)
        mem_free(s->text[i]);
    s->n = n;
}

void names_free(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        mem_free(s->text[i]);
    mem_free(s->text);
    mem_free(s->slot);
    *s = (struct names){.text = NULL};
}

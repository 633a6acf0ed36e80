#include "io/pieces.h"

#include <string.h>

#include "base/mem.h"

#define PROBE_MAX 1024
#define TEXT_MAX ((size_t)256 * 1024 * 1024)

enum status pieces_init(struct pieces *p, size_t n, struct err *err)
{
    struct pieces made = {.slots = 16};
    if (n > INT32_MAX / 4)
        return err_set(err, ERR_LIMIT, "%zu pieces", n);
    while (made.slots < 2 * n)
        made.slots *= 2;
    TRY(MEM_NEW(made.slot, made.slots, err));
    for (size_t i = 0; i < made.slots; i++)
        made.slot[i].id = -1;
    buf_init(&made.text, TEXT_MAX);
    *p = made;
    return OK;
}

void pieces_free(struct pieces *p)
{
    mem_free(p->slot);
    buf_free(&p->text);
    *p = (struct pieces){0};
}

/* Up to eight bytes as a number. */
static uint64_t word_of(const char *text, size_t len)
{
    uint64_t word = 0;
    if (len >= 8) {
        memcpy(&word, text, 8);
        return word;
    }
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)text[i] << 8 * i;
    return word;
}

static size_t hash_of(const char *text, size_t len)
{
    uint64_t x = len * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < len; i += 8) {
        x ^= word_of(text + i, len - i);
        x *= 0xd6e8feb86659fd93u;
        x ^= x >> 32;
    }
    return (size_t)x;
}

/* The slot of a text or the free one where it would go; NULL when there is
 * neither within PROBE_MAX steps. */
static struct piece *probe(const struct pieces *p, const char *text, size_t len)
{
    uint64_t head = word_of(text, len);
    size_t at = hash_of(text, len);
    for (size_t step = 0; step < PROBE_MAX && step < p->slots; step++) {
        struct piece *s = &p->slot[(at + step) & (p->slots - 1)];
        if (s->id < 0)
            return s;
        if (s->head == head && s->len == len &&
            (len <= 8 || memcmp(p->text.data + s->begin, text, len) == 0))
            return s;
    }
    return NULL;
}

enum status pieces_add(struct pieces *p, const char *text, size_t len,
                       int32_t id, struct err *err)
{
    struct piece *s = probe(p, text, len);
    if (s == NULL)
        return err_set(err, ERR_LIMIT, "token %d: too many collisions",
                       (int)id);
    size_t begin = p->text.len;
    if (len > 8)
        buf_append(&p->text, text, len);
    TRY(buf_status(&p->text, err));
    *s = (struct piece){.head = word_of(text, len),
                        .len = (uint32_t)len,
                        .id = id,
                        .begin = (uint32_t)begin};
    return OK;
}

int32_t pieces_find(const struct pieces *p, const char *text, size_t len)
{
    const struct piece *s = probe(p, text, len);
    return s != NULL ? s->id : -1;
}

#include "io/vocab.h"

#include <string.h>

#include "base/mem.h"

/* At half load an honest probe is a few steps long.  Text chosen to collide
 * would make reading quadratic; it is refused instead. */
#define PROBE_MAX 1024

/* FNV-1a. */
static uint32_t hash_of(const char *text, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash ^ hash >> 15;
}

enum status vocab_init(struct vocab *v, size_t n, struct err *err)
{
    struct vocab made = {.n = n, .slots = 16};
    if (n > INT32_MAX / 4)
        return err_set(err, ERR_LIMIT, "vocabulary of %zu tokens", n);
    while (made.slots < 2 * n)
        made.slots *= 2;
    TRY(MEM_NEW(made.entry, n, err));
    enum status status = MEM_NEW(made.slot, made.slots, err);
    if (status != OK) {
        mem_free(made.entry);
        return status;
    }
    for (size_t i = 0; i < made.slots; i++)
        made.slot[i] = -1;
    *v = made;
    return OK;
}

void vocab_free(struct vocab *v)
{
    for (size_t i = 0; i < v->n; i++)
        mem_free(v->entry[i].token);
    mem_free(v->entry);
    mem_free(v->slot);
    *v = (struct vocab){0};
}

/* The slot that holds the text, or the free one where it would go; slots
 * when there is neither within PROBE_MAX steps. */
static size_t probe(const struct vocab *v, const char *text, size_t len,
                    uint32_t hash)
{
    for (size_t step = 0; step < PROBE_MAX && step < v->slots; step++) {
        size_t at = (hash + step) & (v->slots - 1);
        if (v->slot[at] < 0)
            return at;
        const struct vocab_entry *e = &v->entry[v->slot[at]];
        if (e->hash == hash && e->len == len &&
            memcmp(e->token, text, len) == 0)
            return at;
    }
    return v->slots;
}

enum status vocab_add(struct vocab *v, const char *token, int64_t id,
                      struct err *err)
{
    if (id < 0 || (uint64_t)id >= v->n)
        return err_set(err, ERR_FORMAT,
                       "token '%.60s': id %lld, want 0 to %zu without a gap",
                       token, (long long)id, v->n > 0 ? v->n - 1 : 0);
    struct vocab_entry *e = &v->entry[id];
    if (e->token != NULL)
        return err_set(err, ERR_FORMAT,
                       "tokens '%.60s' and '%.60s' have the same id %lld",
                       e->token, token, (long long)id);
    size_t len = strlen(token);
    uint32_t hash = hash_of(token, len);
    size_t at = probe(v, token, len, hash);
    if (at == v->slots)
        return err_set(err, ERR_LIMIT, "token '%.60s': too many collisions",
                       token);
    if (v->slot[at] >= 0)
        return err_set(err, ERR_FORMAT, "token '%.60s' stands there twice",
                       token);
    char *copy = mem_strdup(token);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a token");
    *e = (struct vocab_entry){.token = copy, .len = len, .hash = hash};
    v->slot[at] = (int32_t)id;
    v->n_set++;
    return OK;
}

int32_t vocab_find(const struct vocab *v, const char *text, size_t len)
{
    size_t at = probe(v, text, len, hash_of(text, len));
    return at < v->slots ? v->slot[at] : -1;
}

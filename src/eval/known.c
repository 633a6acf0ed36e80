#include "eval/known.h"

#include <stdlib.h>

#include "base/mem.h"
#include "io/dataset.h"

static uint64_t mix(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* The text and the NUL behind it, so that "ab","c" is not "a","bc". */
static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = mix(hash, (unsigned char)*text);
    return mix(hash, 0);
}

static uint64_t key_of(const char *prompt_id, const char *which, int64_t sample,
                       const char *response)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = mix_text(hash, prompt_id);
    hash = mix_text(hash, which);
    for (int i = 0; i < 8; i++)
        hash = mix(hash, (unsigned char)((uint64_t)sample >> (8 * i)));
    return mix_text(hash, response);
}

static enum status add_row(void *ctx, const struct json *row, size_t line,
                           struct err *err)
{
    struct known *k = ctx;
    if (k->n == k->room) {
        size_t room = k->room > 0 ? 2 * k->room : 256;
        uint64_t *grown = mem_grow(k->key, k->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: line %zu", line);
        k->key = grown;
        k->room = room;
    }
    k->key[k->n++] = key_of(json_text(json_get(row, "prompt_id"), ""),
                            json_text(json_get(row, "which"), ""),
                            json_int(json_get(row, "sample"), 0),
                            json_text(json_get(row, "response"), ""));
    return OK;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum status known_read(struct known *out, const char *path, struct err *err)
{
    struct known k = {.key = NULL};
    enum status status = jsonl_read(path, add_row, &k, err);
    if (status != OK) {
        known_free(&k);
        return status;
    }
    if (k.n > 1)
        qsort(k.key, k.n, sizeof *k.key, ascending);
    *out = k;
    return OK;
}

void known_free(struct known *k)
{
    mem_free(k->key);
    *k = (struct known){.key = NULL};
}

bool known_has(const struct known *k, const char *prompt_id, const char *which,
               int64_t sample, const char *response)
{
    uint64_t key = key_of(prompt_id, which, sample, response);
    return k->n > 0 &&
           bsearch(&key, k->key, k->n, sizeof key, ascending) != NULL;
}

#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_BLOCK ((size_t)64 * 1024)
/* Blocks do not double beyond this, so that a first step takes little more
 * memory than those after it. */
#define LAST_BLOCK ((size_t)64 << 20)

/* A block's bytes follow its header in the same allocation; the header takes
 * a whole cache line so that they start aligned. */
struct arena_block {
    struct arena_block *next; // older
    size_t room;
    size_t used;
};

static_assert(sizeof(struct arena_block) <= MEM_ALIGN, "header fits a line");

/* Put a new, empty block of `room` bytes in front. */
static struct arena_block *add_block(struct arena *a, size_t room)
{
    if (room > SIZE_MAX - MEM_ALIGN)
        return NULL;
    struct arena_block *b = a->is_raw ? mem_raw(MEM_ALIGN + room, 1)
                                      : mem_calloc(MEM_ALIGN + room, 1);
    if (b == NULL)
        return NULL;
    b->room = room;
    b->used = 0;
    b->next = a->block;
    a->block = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    if (size != 0 && n > (SIZE_MAX - MEM_ALIGN) / size)
        return NULL;
    size_t bytes = (n * size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;

    struct arena_block *b = a->block;
    if (b == NULL || bytes > b->room - b->used) {
        /* Doubling keeps the number of blocks of a first step small. */
        size_t room = b == NULL ? FIRST_BLOCK : b->room;
        if (b != NULL)
            room = room < LAST_BLOCK / 2 ? 2 * room : LAST_BLOCK;
        b = add_block(a, bytes > room ? bytes : room);
        if (b == NULL && bytes < room)
            b = add_block(a, bytes);
        if (b == NULL)
            return NULL;
    }
    unsigned char *p = (unsigned char *)b + MEM_ALIGN + b->used;
    b->used += bytes;
    a->used += bytes;
    if (a->used > a->peak)
        a->peak = a->used;
    return p;
}

enum status arena_text(const char **out, struct arena *a, const char *text,
                       size_t len, struct err *err)
{
    char *copy;
    TRY(ARENA_NEW(a, copy, len + 1, err));
    memcpy(copy, text, len);
    copy[len] = '\0';
    *out = copy;
    return OK;
}

static void free_blocks(struct arena *a)
{
    while (a->block != NULL) {
        struct arena_block *next = a->block->next;
        mem_free(a->block);
        a->block = next;
    }
}

void arena_reset(struct arena *a)
{
    if (a->block != NULL && a->block->next != NULL) {
        free_blocks(a);
        /* When this fails the next arena_alloc() tries again and reports. */
        (void)add_block(a, a->peak);
    }
    if (a->block != NULL)
        a->block->used = 0;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    free_blocks(a);
    a->used = 0;
    a->peak = 0;
}

#include "io/bpe_merge.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* At half load an honest probe is a few steps long.  Merges chosen to collide
 * would make reading quadratic; they are refused instead. */
#define PROBE_MAX 1024
#define RANK_NONE UINT32_MAX
#define SHORT 48 // up to so many symbols, searching costs less than a heap
#define WORD_MAX ((size_t)1 << 24)

/* ---- the table ---------------------------------------------------------- */

enum status bpe_merges_init(struct bpe_merges *m, size_t n, struct err *err)
{
    struct bpe_merges made = {.slots = 16};
    if (n > INT32_MAX / 4)
        return err_set(err, ERR_LIMIT, "%zu merges", n);
    while (made.slots < 2 * n)
        made.slots *= 2;
    TRY(MEM_NEW(made.slot, made.slots, err));
    for (size_t i = 0; i < made.slots; i++)
        made.slot[i].id = -1;
    *m = made;
    return OK;
}

void bpe_merges_free(struct bpe_merges *m)
{
    mem_free(m->slot);
    *m = (struct bpe_merges){0};
}

static size_t hash_of(int32_t left, int32_t right)
{
    uint64_t x = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return (size_t)(x ^ x >> 32);
}

/* The merge of a pair, or NULL.  Adding has bounded the probes. */
static const struct bpe_merge *find(const struct bpe_merges *m, int32_t left,
                                    int32_t right)
{
    for (size_t at = hash_of(left, right);; at++) {
        const struct bpe_merge *s = &m->slot[at & (m->slots - 1)];
        if (s->id < 0)
            return NULL;
        if (s->left == left && s->right == right)
            return s;
    }
}

enum status bpe_merges_add(struct bpe_merges *m, const struct bpe_merge *merge,
                           struct err *err)
{
    size_t at = hash_of(merge->left, merge->right);
    for (size_t step = 0; step < PROBE_MAX && step < m->slots; step++) {
        struct bpe_merge *s = &m->slot[(at + step) & (m->slots - 1)];
        if (s->id >= 0 && (s->left != merge->left || s->right != merge->right))
            continue;
        *s = *merge;
        return OK;
    }
    return err_set(err, ERR_LIMIT, "merge %u: too many collisions",
                   (unsigned)merge->rank);
}

/* ---- memory ------------------------------------------------------------- */

void bpe_work_free(struct bpe_work *w)
{
    mem_free(w->symbol);
    mem_free(w->node);
    mem_free(w->heap);
    *w = (struct bpe_work){0};
}

enum status bpe_work_push(struct bpe_work *w, int32_t symbol, struct err *err)
{
    if (w->n == w->n_room) {
        size_t room = w->n_room != 0 ? 2 * w->n_room : 256;
        int32_t *grown = mem_grow(w->symbol, w->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for %zu symbols",
                           room);
        w->symbol = grown;
        w->n_room = room;
    }
    w->symbol[w->n++] = symbol;
    return OK;
}

/* ---- short words -------------------------------------------------------- */

static uint32_t rank_at(const struct bpe_merges *m, const int32_t *symbol,
                        int32_t *id)
{
    const struct bpe_merge *merge = find(m, symbol[0], symbol[1]);
    if (merge == NULL)
        return RANK_NONE;
    *id = merge->id;
    return merge->rank;
}

static void merge_short(const struct bpe_merges *m, struct bpe_work *w)
{
    uint32_t rank[SHORT]; // of the pair that begins at i
    int32_t id[SHORT];    // what it becomes
    int32_t *symbol = w->symbol;
    size_t n = w->n;
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = rank_at(m, symbol + i, &id[i]);
    while (n > 1) {
        size_t at = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[at])
                at = i;
        if (rank[at] == RANK_NONE)
            break;
        symbol[at] = id[at];
        n--;
        size_t tail = n - at - 1; // symbols behind the new one
        memmove(symbol + at + 1, symbol + at + 2, tail * sizeof *symbol);
        if (tail > 0) {
            memmove(rank + at + 1, rank + at + 2, (tail - 1) * sizeof *rank);
            memmove(id + at + 1, id + at + 2, (tail - 1) * sizeof *id);
            rank[at] = rank_at(m, symbol + at, &id[at]);
        }
        if (at > 0)
            rank[at - 1] = rank_at(m, symbol + at - 1, &id[at - 1]);
    }
    w->n = n;
}

/* ---- long words --------------------------------------------------------- */

/* A symbol among its neighbours. */
struct bpe_node {
    int32_t symbol;
    int32_t id;    // what the pair that begins here becomes
    uint32_t rank; // of that pair; RANK_NONE: no merge
    uint32_t prev, next;
};

#define NODE_NONE UINT32_MAX

static enum status make_room(struct bpe_work *w, struct err *err)
{
    if (w->n <= w->node_room)
        return OK;
    mem_free(w->node);
    mem_free(w->heap);
    w->node = NULL;
    w->heap = NULL;
    w->node_room = 0;
    TRY(MEM_NEW(w->node, w->n, err));
    TRY(MEM_NEW(w->heap, 3 * w->n, err));
    w->node_room = w->n;
    return OK;
}

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t x = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= x)
            break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

static void heap_push(uint64_t *heap, size_t *n, uint64_t x)
{
    size_t i = (*n)++;
    for (; i > 0 && heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = x;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0];
    heap[0] = heap[--*n];
    if (*n > 0)
        sift_down(heap, *n, 0);
    return top;
}

/* Look up the pair that begins at node i; true when it has a merge. */
static bool look(const struct bpe_merges *m, struct bpe_node *node, uint32_t i)
{
    const struct bpe_merge *merge = NULL;
    if (node[i].next != NODE_NONE)
        merge = find(m, node[i].symbol, node[node[i].next].symbol);
    node[i].rank = merge != NULL ? merge->rank : RANK_NONE;
    node[i].id = merge != NULL ? merge->id : -1;
    return merge != NULL;
}

/*
 * The heap holds (rank, place) of pairs.  An entry is out of date when the
 * pair at its place now has another rank: a rank belongs to one pair of
 * symbols, and symbols only grow, so no pair comes back to its place.
 */
static void merge_long(const struct bpe_merges *m, struct bpe_work *w)
{
    struct bpe_node *node = w->node;
    uint32_t n = (uint32_t)w->n;
    size_t n_heap = 0;
    for (uint32_t i = 0; i < n; i++)
        node[i] = (struct bpe_node){.symbol = w->symbol[i],
                                    .prev = i > 0 ? i - 1 : NODE_NONE,
                                    .next = i + 1 < n ? i + 1 : NODE_NONE};
    for (uint32_t i = 0; i < n; i++)
        if (look(m, node, i))
            w->heap[n_heap++] = (uint64_t)node[i].rank << 32 | i;
    for (size_t i = n_heap / 2; i-- > 0;)
        sift_down(w->heap, n_heap, i);
    while (n_heap > 0) {
        uint64_t top = heap_pop(w->heap, &n_heap);
        uint32_t at = (uint32_t)top;
        if (node[at].rank != (uint32_t)(top >> 32))
            continue;
        uint32_t gone = node[at].next;
        node[at].symbol = node[at].id;
        node[at].next = node[gone].next;
        if (node[at].next != NODE_NONE)
            node[node[at].next].prev = at;
        node[gone].rank = RANK_NONE;
        if (look(m, node, at))
            heap_push(w->heap, &n_heap, (uint64_t)node[at].rank << 32 | at);
        uint32_t prev = node[at].prev;
        if (prev != NODE_NONE && look(m, node, prev))
            heap_push(w->heap, &n_heap, (uint64_t)node[prev].rank << 32 | prev);
    }
    w->n = 0;
    for (uint32_t i = 0; i != NODE_NONE; i = node[i].next)
        w->symbol[w->n++] = node[i].symbol;
}

enum status bpe_merge_word(const struct bpe_merges *m, struct bpe_work *w,
                           struct err *err)
{
    if (w->n <= SHORT) {
        merge_short(m, w);
        return OK;
    }
    if (w->n > WORD_MAX)
        return err_set(err, ERR_LIMIT, "a word of %zu symbols, at most %zu",
                       w->n, WORD_MAX);
    TRY(make_room(w, err));
    merge_long(m, w);
    return OK;
}

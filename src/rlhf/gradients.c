#include "rlhf/gradients.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "nn/ops.h"
#include "rlhf/reduce.h"

/* Sets that share a pool. */
#define SETS_MAX 2
/* Floats added and cleared at once: both buffers' stay in the cache. */
#define STRIP 4096

struct gradient_pool {
    pthread_mutex_t lock;
    size_t n;
    float **spare; // [n_spare] all zero
    size_t n_spare, room_spare;
    size_t n_buffer; // spare or in use
    struct gradients *set[SETS_MAX];
    size_t n_set;
};

enum status gradient_pool_create(struct gradient_pool **out, size_t n,
                                 struct err *err)
{
    struct gradient_pool *p;
    TRY(MEM_NEW(p, 1, err));
    pthread_mutex_init(&p->lock, NULL);
    p->n = n;
    *out = p;
    return OK;
}

void gradient_pool_free(struct gradient_pool *p)
{
    if (p == NULL)
        return;
    assert(p->n_set == 0);
    for (size_t i = 0; i < p->n_spare; i++)
        mem_free(p->spare[i]);
    mem_free(p->spare);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

size_t gradient_pool_buffers(const struct gradient_pool *p)
{
    return p->n_buffer;
}

/* There is room: what is given back was taken, or has been reserved. */
static void give_back(struct gradient_pool *p, float *buffer)
{
    assert(p->n_spare < p->room_spare);
    p->spare[p->n_spare++] = buffer;
}

/* ---- additions of the tree ----------------------------------------------- */

/* An addition that may be made: sum of `to` += sum of `from`. */
struct addition {
    struct gradients *set;
    size_t to, from;
};

/* Has shard i in its buffer all that a node of its stride is made of? */
static bool is_node(const struct gradients *g, size_t i, size_t stride)
{
    size_t all = i + stride < g->shards ? stride : g->shards - i;
    return g->sum[i] == all && i + all <= g->last;
}

static bool find_in(struct addition *out, struct gradients *g)
{
    for (size_t i = g->first; i < g->last; i++) {
        size_t stride = g->sum[i];
        if (stride == 0 || i % (2 * stride) != 0 || i + stride >= g->last ||
            !is_node(g, i + stride, stride))
            continue;
        *out = (struct addition){g, i, i + stride};
        return true;
    }
    return false;
}

/* One that whoever opens a shard of `mine` may make. */
static bool find_addition(struct addition *out, struct gradients *mine)
{
    const struct gradient_pool *p = mine->pool;
    if (find_in(out, mine))
        return true;
    for (size_t i = 0; i < p->n_set; i++)
        if (p->set[i] != mine && !p->set[i]->is_watched &&
            find_in(out, p->set[i]))
            return true;
    return false;
}

/* Add; what has been added is zero afterwards. */
static void add_and_clear(float *to, float *from, size_t n)
{
    for (size_t at = 0; at < n; at += STRIP) {
        size_t part = n - at < STRIP ? n - at : STRIP;
        add_into(to + at, from + at, part);
        memset(from + at, 0, part * sizeof *from);
    }
}

/* Make it, without the lock: nobody else touches a node that is not there.
 * The buffer that it sets free. */
static float *make_addition(struct gradient_pool *p, const struct addition *a)
{
    struct gradients *g = a->set;
    size_t sum = g->sum[a->to] + g->sum[a->from];
    float *to = g->shard[a->to], *from = g->shard[a->from];
    g->sum[a->to] = g->sum[a->from] = 0;
    g->shard[a->from] = NULL;
    pthread_mutex_unlock(&p->lock);
    add_and_clear(to, from, g->n);
    pthread_mutex_lock(&p->lock);
    g->sum[a->to] = sum;
    return from;
}

/* ---- buffers ------------------------------------------------------------- */

/* With the lock held, which is let go meanwhile.  A new buffer has a place
 * among the spare ones from the start. */
static enum status take(float **out, struct gradients *g, struct err *err)
{
    struct gradient_pool *p = g->pool;
    struct addition a;
    if (p->n_spare > 0) {
        *out = p->spare[--p->n_spare];
        return OK;
    }
    if (find_addition(&a, g)) {
        *out = make_addition(p, &a);
        return OK;
    }
    size_t n = p->n_buffer;
    TRY(MEM_ROOM(p->spare, n, p->room_spare, err));
    TRY(MEM_NEW(*out, p->n, err));
    p->n_buffer++;
    return OK;
}

enum status gradients_create(struct gradients **out, struct gradient_pool *pool,
                             size_t n, size_t shards, size_t first, size_t last,
                             struct err *err)
{
    enum status status = OK;
    struct gradients *g;
    assert(n <= pool->n && pool->n_set < SETS_MAX);
    TRY(MEM_NEW(g, 1, err));
    *g = (struct gradients){
        .pool = pool, .n = n, .shards = shards, .first = first, .last = last};
    TRY_DONE(MEM_NEW(g->shard, shards, err));
    TRY_DONE(MEM_NEW(g->sum, shards, err));
    pool->set[pool->n_set++] = g;
    *out = g;
    return OK;
done:
    mem_free(g->shard);
    mem_free(g->sum);
    mem_free(g);
    return status;
}

void gradients_free(struct gradients *g)
{
    if (g == NULL)
        return;
    struct gradient_pool *p = g->pool;
    gradients_clear(g, 0, g->n);
    gradients_return(g);
    for (size_t i = 0; i < p->n_set; i++)
        if (p->set[i] == g)
            p->set[i] = p->set[--p->n_set];
    mem_free(g->shard);
    mem_free(g->sum);
    mem_free(g);
}

enum status gradients_open(float **out, struct gradients *g, size_t shard,
                           struct err *err)
{
    struct gradient_pool *p = g->pool;
    enum status status = OK;
    assert(shard >= g->first && shard < g->last && g->sum[shard] == 0);
    pthread_mutex_lock(&p->lock);
    if (g->shard[shard] == NULL)
        status = take(&g->shard[shard], g, err);
    if (status == OK)
        *out = g->shard[shard];
    pthread_mutex_unlock(&p->lock);
    return status;
}

void gradients_close(struct gradients *g, size_t shard)
{
    pthread_mutex_lock(&g->pool->lock);
    assert(g->shard[shard] != NULL && g->sum[shard] == 0);
    g->sum[shard] = 1;
    pthread_mutex_unlock(&g->pool->lock);
}

/* Is it part of what another's buffer holds? */
static bool is_added(const struct gradients *g, size_t shard)
{
    for (size_t i = g->first; i < shard; i++)
        if (i + g->sum[i] > shard)
            return true;
    return false;
}

enum status gradients_settle(struct gradients *g, struct err *err)
{
    for (size_t i = g->first; i < g->last; i++) {
        float *buffer;
        if (g->sum[i] > 0 || is_added(g, i))
            continue;
        TRY(gradients_open(&buffer, g, i, err));
        gradients_close(g, i);
    }
    return OK;
}

void gradients_clear(const struct gradients *g, size_t at, size_t n)
{
    for (size_t i = g->first; i < g->last; i++)
        if (g->shard[i] != NULL)
            memset(g->shard[i] + at, 0, n * sizeof **g->shard);
}

void gradients_return(struct gradients *g)
{
    for (size_t i = g->first; i < g->last; i++) {
        if (g->shard[i] != NULL)
            give_back(g->pool, g->shard[i]);
        g->shard[i] = NULL;
        g->sum[i] = 0;
    }
}

/* Buffers when shard k is the newest that is open: those of the others that are
 * (shard `first`, too, where a worker straggles), and a node of the tree for
 * what is closed. */
static size_t count_buffers(size_t shards, size_t first, size_t k,
                            size_t workers, bool straggles)
{
    size_t from = first + straggles;
    size_t abreast = workers - straggles;
    size_t open = k + 1 - from < abreast ? k + 1 - from : abreast;
    return straggles + reduce_nodes(NULL, shards, from, k + 1 - open) + open;
}

size_t gradients_buffers(size_t shards, size_t first, size_t last,
                         size_t workers, bool straggles)
{
    size_t most = 0;
    straggles = straggles && workers > 1 && last - first > 1;
    for (size_t k = first + straggles; k < last; k++) {
        size_t n = count_buffers(shards, first, k, workers, straggles);
        most = n > most ? n : most;
    }
    return most;
}

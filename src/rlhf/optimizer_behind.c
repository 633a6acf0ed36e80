/*
 * The thread that sums gradients over the ranks while a pass makes more of
 * them.  It takes part in what the ranks exchange and nothing else; whoever
 * makes the update takes over from it where it is (optimizer_behind_take).
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/mem.h"
#include "rlhf/optimizer_internal.h"

/* Between looks at what is under way. */
#define NAP_NS 200000

struct optimizer_behind {
    struct optimizer *o; // of the pass
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t *mark;    // [own shards] gradients from here on are final
    bool has_thread; // once it was started
    bool has_begun;  // a pass, and no update was made from it yet
    bool is_on;      // the thread may work
    bool is_busy;    // it does
    bool is_leaving;
};

/* What is final of all own shards. */
static size_t find_final(const struct optimizer_behind *b)
{
    size_t final = 0, own = b->o->last_shard - b->o->first_shard;
    for (size_t i = 0; i < own; i++)
        final = b->mark[i] > final ? b->mark[i] : final;
    return final;
}

/* Until somebody has something new; or, with blocks under way, a moment. */
static void rest(struct optimizer_behind *b)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    if (!b->is_on || !optimizer_ranks_flies(b->o)) {
        pthread_cond_wait(&b->changed, &b->lock);
        return;
    }
    pthread_mutex_unlock(&b->lock);
    nanosleep(&nap, NULL);
    pthread_mutex_lock(&b->lock);
}

static void *work(void *arg)
{
    struct optimizer_behind *b = arg;
    pthread_mutex_lock(&b->lock);
    while (!b->is_leaving) {
        bool has_moved = false;
        if (b->is_on) {
            size_t final = find_final(b);
            b->is_busy = true;
            pthread_mutex_unlock(&b->lock);
            has_moved = optimizer_ranks_move(b->o, final);
            pthread_mutex_lock(&b->lock);
            b->is_busy = false;
            pthread_cond_broadcast(&b->changed);
            /* What was told meanwhile has been missed. */
            has_moved |= b->is_on && find_final(b) != final;
        }
        if (!has_moved && !b->is_leaving)
            rest(b);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Signals are the main thread's. */
static enum status start(struct optimizer_behind *b, struct err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int code = pthread_create(&b->thread, NULL, work, b);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0)
        return err_set(err, ERR_IO, "cannot start a thread for the ranks");
    b->has_thread = true;
    return OK;
}

enum status optimizer_behind_create(struct optimizer *o, struct err *err)
{
    struct optimizer_behind *b;
    TRY(MEM_NEW(b, 1, err));
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    o->behind = b;
    TRY(MEM_NEW(b->mark, o->last_shard - o->first_shard, err));
    return start(b, err);
}

bool optimizer_behind_take(struct optimizer *o)
{
    struct optimizer_behind *b = o->behind;
    if (b == NULL)
        return false;
    pthread_mutex_lock(&b->lock);
    bool has_begun = b->has_begun;
    b->is_on = b->has_begun = false;
    while (b->is_busy)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return has_begun;
}

size_t optimizer_behind_left(const struct optimizer *o)
{
    struct optimizer_behind *b = o->behind;
    pthread_mutex_lock(&b->lock);
    while (b->is_busy)
        pthread_cond_wait(&b->changed, &b->lock);
    size_t left = optimizer_ranks_left(o);
    pthread_mutex_unlock(&b->lock);
    return left;
}

void optimizer_behind_free(struct optimizer *o)
{
    struct optimizer_behind *b = o->behind;
    const struct timespec nap = {.tv_nsec = NAP_NS};
    if (b == NULL)
        return;
    if (optimizer_behind_take(o))
        while (optimizer_behind_left(o) > 0)
            if (!optimizer_ranks_drop(o))
                nanosleep(&nap, NULL);
    pthread_mutex_lock(&b->lock);
    b->is_leaving = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (b->has_thread)
        pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    mem_free(b->mark);
    mem_free(b);
    o->behind = NULL;
}

enum status optimizer_begin(struct optimizer *o, struct err *err)
{
    struct optimizer_behind *b = o->behind;
    if (b == NULL)
        return OK;
    /* Nobody sends to a rank that has given up before it came here. */
    TRY(comm_agree(o->comm, OK, err));
    pthread_mutex_lock(&b->lock);
    b->o = o;
    for (size_t i = 0; i < o->last_shard - o->first_shard; i++)
        b->mark[i] = o->n;
    optimizer_ranks_start(o);
    b->is_on = b->has_begun = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return OK;
}

void optimizer_behind_mark(struct optimizer *o, size_t shard, size_t from)
{
    struct optimizer_behind *b = o->behind;
    pthread_mutex_lock(&b->lock);
    b->mark[shard - o->first_shard] = from;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

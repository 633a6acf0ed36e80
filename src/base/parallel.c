#include "base/parallel.h"

#include <assert.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/mem.h"

/* GNU's OpenMP runtime, the one libdnnl uses.  Declared here because omp.h
 * belongs to a compiler and not every compiler has one. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);
extern int omp_get_num_procs(void);

struct worker {
    struct team *team;
    size_t index;
    pthread_t thread;
};

struct team {
    size_t size;
    size_t started;        // threads running: size - 1 once created
    struct worker *worker; // [size]; entry 0 is the caller of team_run()

    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    uint64_t round; // counts team_run() calls; a change wakes the workers
    size_t busy;    // threads that have not finished this round
    bool is_leaving;

    /* The round's work; written before `round` changes, under the lock. */
    team_fn fn;
    void *ctx;
    size_t n;
    atomic_size_t next; // first item nobody has taken

    size_t failed; // lowest failing item so far, SIZE_MAX for none
    struct err err;
};

static _Thread_local bool inside;

bool team_inside(void)
{
    return inside;
}

size_t team_processors(void)
{
    int n = omp_get_num_procs();
    return n > 0 ? (size_t)n : 1;
}

/* Keep the failure of the lowest-numbered item. */
static void note_failure(struct team *t, size_t item, const struct err *err)
{
    pthread_mutex_lock(&t->lock);
    if (item < t->failed) {
        t->failed = item;
        t->err = *err;
    }
    pthread_mutex_unlock(&t->lock);
}

/* Take items until none is left. */
static void work(struct team *t, size_t worker)
{
    inside = true;
    for (;;) {
        size_t item =
            atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
        if (item >= t->n)
            break;
        struct err err = {0};
        enum status status = t->fn(t->ctx, item, worker, &err);
        if (status != OK) {
            err.code = status;
            note_failure(t, item, &err);
        }
    }
    inside = false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct team *t = w->team;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain != (locale_t)0)
        uselocale(plain);
    omp_set_num_threads(1);
    uint64_t seen = 0;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (t->round == seen && !t->is_leaving)
            pthread_cond_wait(&t->begin, &t->lock);
        if (t->is_leaving)
            break;
        seen = t->round;
        pthread_mutex_unlock(&t->lock);
        work(t, w->index);
        pthread_mutex_lock(&t->lock);
        if (--t->busy == 0)
            pthread_cond_signal(&t->end);
    }
    pthread_mutex_unlock(&t->lock);
    uselocale(LC_GLOBAL_LOCALE);
    if (plain != (locale_t)0)
        freelocale(plain);
    return NULL;
}

/* Start the threads with every signal blocked: signals are the caller's. */
static enum status start_threads(struct team *t, struct err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int code = 0;
    for (size_t i = 1; i < t->size && code == 0; i++) {
        t->worker[i] = (struct worker){.team = t, .index = i};
        code = pthread_create(&t->worker[i].thread, NULL, worker_main,
                              &t->worker[i]);
        if (code == 0)
            t->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0)
        return err_set(err, ERR_IO, "cannot start worker %zu of %zu",
                       t->started + 2, t->size);
    return OK;
}

enum status team_create(struct team **out, size_t n, struct err *err)
{
    assert(n >= 1);
    struct team *t = NULL;
    TRY(MEM_NEW(t, 1, err));
    t->size = n;
    enum status status = MEM_NEW(t->worker, n, err);
    if (status != OK) {
        mem_free(t);
        return status;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->begin, NULL);
    pthread_cond_init(&t->end, NULL);
    status = start_threads(t, err);
    if (status != OK) {
        team_destroy(t);
        return status;
    }
    *out = t;
    return OK;
}

void team_destroy(struct team *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->is_leaving = true;
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 1; i <= t->started; i++)
        pthread_join(t->worker[i].thread, NULL);
    pthread_cond_destroy(&t->end);
    pthread_cond_destroy(&t->begin);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->worker);
    mem_free(t);
}

size_t team_size(const struct team *t)
{
    return t->size;
}

enum status team_run(struct team *t, size_t n, team_fn fn, void *ctx,
                     struct err *err)
{
    assert(!inside);
    /* One item needs nobody else. */
    size_t helpers = n > 1 ? t->started : 0;
    pthread_mutex_lock(&t->lock);
    t->fn = fn;
    t->ctx = ctx;
    t->n = n;
    t->failed = SIZE_MAX;
    atomic_store_explicit(&t->next, 0, memory_order_relaxed);
    if (helpers > 0) {
        t->busy = helpers;
        t->round++;
        pthread_cond_broadcast(&t->begin);
    }
    pthread_mutex_unlock(&t->lock);

    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    work(t, 0);
    omp_set_num_threads(threads);

    pthread_mutex_lock(&t->lock);
    while (t->busy > 0)
        pthread_cond_wait(&t->end, &t->lock);
    size_t failed = t->failed;
    pthread_mutex_unlock(&t->lock);
    if (failed == SIZE_MAX)
        return OK;
    return err_set(err, t->err.code, "%s", t->err.text);
}

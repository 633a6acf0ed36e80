#include "store/writer.h"

#include <pthread.h>
#include <time.h>

#include "base/mem.h"

struct writer {
    struct db *db; // the thread's own
    pthread_t thread;
    struct writer_config config;

    pthread_mutex_t lock; // of all below
    pthread_cond_t queued, finished;
    struct write *first, *last;
    bool is_stopping, is_lost;
    struct writer_counts counts;
};

/* ---- a batch ------------------------------------------------------------ */

/* Every write of a batch, each in a part of the transaction of its own. */
static enum status do_batch(struct db *db, void *ctx, struct err *err)
{
    TRY(db_check_place(db, err));
    for (struct write *w = ctx; w != NULL; w = w->next) {
        w->status = db_transact(db, w->fn, w->ctx, &w->err);
        if (!db_is_inside(db)) {
            /* The whole transaction is gone: what was done before as well. */
            if (w->status == OK)
                return err_set(err, ERR_IO, "%s: a write ended the batch",
                               db_path(db));
            if (err != NULL)
                *err = w->err;
            return w->status;
        }
    }
    return OK;
}

static void commit_batch(struct writer *writer, struct write *batch)
{
    struct err err = {OK, ""};
    uint64_t n = 0;
    enum status status = db_transact(writer->db, do_batch, batch, &err);
    if (status == OK)
        status = db_check_place(writer->db, &err);
    for (struct write *w = batch; w != NULL; w = w->next) {
        n++;
        if (status != OK && w->status == OK) {
            w->status = status;
            w->err = err;
        }
    }
    (void)pthread_mutex_lock(&writer->lock);
    writer->counts.commits += status == OK;
    writer->counts.writes += status == OK ? n : 0;
    writer->is_lost = status != OK && db_check_place(writer->db, NULL) != OK;
    (void)pthread_mutex_unlock(&writer->lock);
}

/* Tell everybody; from then on a write may be gone.  Those who wait are woken
 * once, together; what is left in the list has somebody to call. */
static void tell(struct writer *writer, struct write *batch)
{
    struct write **link = &batch;
    (void)pthread_mutex_lock(&writer->lock);
    while (*link != NULL) {
        struct write *w = *link;
        if (w->done == NULL) {
            *link = w->next;
            w->is_done = true;
        } else {
            link = &w->next;
        }
    }
    (void)pthread_cond_broadcast(&writer->finished);
    (void)pthread_mutex_unlock(&writer->lock);
    while (batch != NULL) {
        struct write *w = batch;
        batch = w->next;
        w->done(w);
    }
}

/* ---- the thread --------------------------------------------------------- */

/* All that is queued, oldest first; NULL when the end has come. */
static struct write *take(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    bool is_idle = writer->first == NULL;
    while (writer->first == NULL && !writer->is_stopping)
        (void)pthread_cond_wait(&writer->queued, &writer->lock);
    if (is_idle && writer->config.wait_us > 0 && !writer->is_stopping) {
        struct timespec wait = {0, (long)writer->config.wait_us * 1000};
        (void)pthread_mutex_unlock(&writer->lock);
        (void)nanosleep(&wait, NULL);
        (void)pthread_mutex_lock(&writer->lock);
    }
    struct write *batch = writer->first;
    writer->first = writer->last = NULL;
    (void)pthread_mutex_unlock(&writer->lock);
    return batch;
}

static void *work(void *arg)
{
    struct writer *writer = arg;
    struct write *batch;
    while ((batch = take(writer)) != NULL) {
        commit_batch(writer, batch);
        tell(writer, batch);
    }
    return NULL;
}

enum status writer_start(struct writer **out, const struct db *first,
                         const struct writer_config *c, struct err *err)
{
    struct writer *w;
    if (c->wait_us > WRITER_WAIT_MAX)
        return err_set(err, ERR_ARG,
                       "a batch cannot wait %lu microseconds, %d at most",
                       (unsigned long)c->wait_us, WRITER_WAIT_MAX);
    TRY(MEM_NEW(w, 1, err));
    w->config = *c;
    enum status status = db_open_again(&w->db, first, DB_WRITE, err);
    if (status != OK) {
        mem_free(w);
        return status;
    }
    /* With default attributes these cannot fail on Linux. */
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->queued, NULL);
    (void)pthread_cond_init(&w->finished, NULL);
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        db_close(w->db);
        mem_free(w);
        return err_set(err, ERR_MEMORY, "cannot start the writer's thread");
    }
    *out = w;
    return OK;
}

void writer_stop(struct writer *w)
{
    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    (void)pthread_cond_signal(&w->queued);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->finished);
    (void)pthread_cond_destroy(&w->queued);
    (void)pthread_mutex_destroy(&w->lock);
    db_close(w->db);
    mem_free(w);
}

/* ---- callers ------------------------------------------------------------ */

static void append(struct writer *writer, struct write *w)
{
    w->status = OK;
    w->err = (struct err){OK, ""};
    w->next = NULL;
    w->is_done = false;
    if (writer->last != NULL)
        writer->last->next = w;
    else
        writer->first = w;
    writer->last = w;
    (void)pthread_cond_signal(&writer->queued);
}

void writer_queue(struct writer *writer, struct write *w)
{
    (void)pthread_mutex_lock(&writer->lock);
    append(writer, w);
    (void)pthread_mutex_unlock(&writer->lock);
}

enum status writer_run(struct writer *writer, struct write *w, struct err *err)
{
    (void)pthread_mutex_lock(&writer->lock);
    append(writer, w);
    while (!w->is_done)
        (void)pthread_cond_wait(&writer->finished, &writer->lock);
    (void)pthread_mutex_unlock(&writer->lock);
    if (w->status != OK && err != NULL)
        *err = w->err;
    return w->status;
}

bool writer_is_lost(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    bool is_lost = writer->is_lost;
    (void)pthread_mutex_unlock(&writer->lock);
    return is_lost;
}

struct writer_counts writer_counts(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    struct writer_counts counts = writer->counts;
    (void)pthread_mutex_unlock(&writer->lock);
    return counts;
}

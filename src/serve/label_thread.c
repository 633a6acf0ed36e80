/*
 * label_thread.c - a thread beside the server's, with a connection of its own.
 */
#include "serve/label_internal.h"

enum status label_thread_start(struct label_thread *t, const struct db *first,
                               const char *what, void *(*run)(void *),
                               void *ctx, struct err *err)
{
    enum status status = db_open_again(&t->db, first, DB_READ, err);
    if (status != OK)
        return status;
    /* With default attributes neither can fail on Linux. */
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    t->is_stopping = false;
    if (pthread_create(&t->thread, NULL, run, ctx) == 0)
        return OK;
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    db_close(t->db);
    return err_set(err, ERR_MEMORY, "cannot start the thread that %s", what);
}

void label_thread_stop(struct label_thread *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    db_close(t->db);
}

/*
 * label_standing.c - how a pool stands, for who may know.
 *
 * Intervals take their time (a second for five thousand votes), so a thread of
 * its own makes the documents, one after the other, and keeps the last one of
 * every pool until something is voted or added.  What is in judges' hands and
 * the clock are then as of "at".
 */
#include <pthread.h>

#include "base/mem.h"
#include "serve/label_internal.h"
#include "serve/standing.h"
#include "store/query.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

/* Somebody who waits. */
struct asked {
    struct http_request *request;
    int64_t pool, now;
    struct asked *next;
};

/* A pool's document, as of an event of the audit log. */
struct kept {
    int64_t pool, event;
    struct buf json;
};

struct label_stander {
    struct label *label;
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock; // of the next three
    struct asked *first, *last;
    bool is_stopping;
    pthread_cond_t changed;

    struct kept *kept; // [n]
    size_t n;
};

/* The last event that a document depends on. */
static enum status last_event(int64_t *out, struct db *db, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT id FROM audit WHERE event NOT IN "
                   "('lease', 'session', 'export') ORDER BY id DESC LIMIT 1",
                   err));
    enum status status = query_next(&q, &row, err);
    if (status == OK)
        *out = row ? query_int(&q, 0) : 0;
    query_close(&q);
    return status;
}

static enum status find(struct kept **out, struct label_stander *t,
                        int64_t pool, struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        *out = &t->kept[i];
        if (t->kept[i].pool == pool)
            return OK;
    }
    struct kept *more = mem_grow(t->kept, t->n, t->n + 1, sizeof *more);
    if (more == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a pool's document");
    t->kept = more;
    *out = &t->kept[t->n++];
    **out = (struct kept){.pool = pool, .event = -1};
    buf_init(&(*out)->json, DOCUMENT_MAX);
    return OK;
}

static enum status make(struct kept *k, struct db *db, int64_t now,
                        struct err *err)
{
    struct standing s;
    struct json_writer w;
    TRY(standing_make(&s, db, k->pool, now, err));
    buf_clear(&k->json);
    json_writer_init(&w, &k->json, false);
    standing_write(&w, &s);
    standing_free(&s);
    return buf_status(&k->json, err);
}

/* The event is read first: what comes while the document is made makes it old,
 * and at worst it is made once more than needed. */
static enum status refresh(struct kept *k, struct label_stander *t, int64_t now,
                           struct err *err)
{
    int64_t event;
    TRY(last_event(&event, t->db, err));
    if (k->event == event)
        return OK;
    k->event = -1;
    TRY(make(k, t->db, now, err));
    k->event = event;
    return OK;
}

static void answer(struct label_stander *t, const struct asked *a)
{
    struct err err = {OK, ""};
    struct kept *k;
    struct buf copy;
    enum status status = find(&k, t, a->pool, &err);
    if (status == OK)
        status = refresh(k, t, a->now, &err);
    if (status != OK) {
        http_reply_status(a->request, status, &err);
        return;
    }
    buf_init(&copy, DOCUMENT_MAX);
    buf_append(&copy, buf_text(&k->json), k->json.len);
    http_reply_json(a->request, 200, &copy);
    buf_free(&copy);
}

/* The next one who waits; NULL when it is the end. */
static struct asked *take(struct label_stander *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->first == NULL && !t->is_stopping)
        (void)pthread_cond_wait(&t->changed, &t->lock);
    struct asked *a = t->first;
    if (a != NULL)
        t->first = a->next;
    (void)pthread_mutex_unlock(&t->lock);
    return a;
}

static void *stand(void *arg)
{
    struct label_stander *t = arg;
    for (struct asked *a = take(t); a != NULL; a = take(t)) {
        answer(t, a);
        mem_free(a);
    }
    return NULL;
}

enum status label_stander_start(struct label *label, const struct db *first,
                                struct err *err)
{
    struct label_stander *t;
    TRY(MEM_NEW(t, 1, err));
    t->label = label;
    /* With default attributes neither can fail on Linux. */
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    enum status status = db_open_again(&t->db, first, DB_READ, err);
    if (status == OK && pthread_create(&t->thread, NULL, stand, t) != 0) {
        db_close(t->db);
        status = err_set(err, ERR_MEMORY, "cannot start the standing's thread");
    }
    if (status == OK)
        label->stander = t;
    else
        mem_free(t);
    return status;
}

/* The server is gone by now, so nobody waits any more. */
void label_stander_stop(struct label *label)
{
    struct label_stander *t = label->stander;
    if (t == NULL)
        return;
    (void)pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    db_close(t->db);
    for (size_t i = 0; i < t->n; i++)
        buf_free(&t->kept[i].json);
    mem_free(t->kept);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    mem_free(t);
    label->stander = NULL;
}

/* Is there such a pool?  Asked before a place for its document is kept, so
 * that names made up take no memory. */
static bool is_pool(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct arena a = {0};
    struct pool pool;
    enum status status =
        items_read_pool(&pool, &a, label->db, http_arg_int(r, 0), &err);
    arena_free(&a);
    if (status != OK)
        http_reply_status(r, status, &err);
    return status == OK;
}

void label_stands(struct label *label, struct http_request *r)
{
    struct label_stander *t = label->stander;
    struct asked *a;
    if (!label_may_watch(r) || !is_pool(label, r))
        return;
    a = mem_calloc(1, sizeof *a);
    if (a == NULL) {
        http_reply_status(r, ERR_MEMORY, NULL);
        return;
    }
    *a = (struct asked){
        .request = r, .pool = http_arg_int(r, 0), .now = http_now(r)};
    http_later(r);
    (void)pthread_mutex_lock(&t->lock);
    if (t->first == NULL)
        t->first = a;
    else
        t->last->next = a;
    t->last = a;
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

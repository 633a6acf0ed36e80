/*
 * label_tell.c - who watches is told of votes.
 *
 * Counting a pool walks its items, so it is not done at every vote: a thread
 * of its own counts when something was voted, at most every TELL_MS, and tells
 * of pools whose counts are others than it told last.
 */
#include <time.h>

#include "base/mem.h"
#include "serve/label_internal.h"
#include "store/items.h"

#define TELL_MS 250
#define REST_PARTS 10 // so that the end is not waited for

struct told {
    int64_t pool, votes, wanted;
};

struct label_teller {
    struct label *label;
    struct label_thread t;
    bool is_dirty; // under its lock

    struct told *told; // [n]
    size_t n;
};

static struct told *find(struct label_teller *t, int64_t pool)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->told[i].pool == pool)
            return &t->told[i];
    struct told *more = mem_grow(t->told, t->n, t->n + 1, sizeof *more);
    if (more == NULL)
        return NULL;
    t->told = more;
    t->told[t->n] = (struct told){pool, -1, -1};
    return &t->told[t->n++];
}

static enum status publish(struct label *label, int64_t pool,
                           const struct progress_brief *p, struct err *err)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 256);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    json_field_int(&w, "pool", pool);
    json_field_int(&w, "votes", p->votes);
    json_field_int(&w, "wanted", p->open);
    json_close(&w, '}');
    enum status status = buf_status(&out, err);
    if (status == OK)
        status =
            events_publish(label->hub, "vote", buf_text(&out), out.len, err);
    buf_free(&out);
    return status;
}

enum status label_tell_pool(struct label *label, struct db *db, int64_t pool,
                            struct err *err)
{
    struct progress_brief p;
    TRY(progress_brief(&p, db, pool, err));
    return publish(label, pool, &p, err);
}

static enum status look(void *ctx, int64_t pool, struct err *err)
{
    struct label_teller *t = ctx;
    struct progress_brief p;
    struct told *x = find(t, pool);
    if (x == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for counts");
    TRY(progress_brief(&p, t->t.db, pool, err));
    if (x->votes == p.votes && x->wanted == p.open)
        return OK;
    x->votes = p.votes;
    x->wanted = p.open;
    return publish(t->label, pool, &p, err);
}

/* Wait until something changed; false when it is the end. */
static bool wait_for_change(struct label_teller *t)
{
    (void)pthread_mutex_lock(&t->t.lock);
    while (!t->is_dirty && !t->t.is_stopping)
        (void)pthread_cond_wait(&t->t.changed, &t->t.lock);
    bool goes_on = !t->t.is_stopping;
    t->is_dirty = false;
    (void)pthread_mutex_unlock(&t->t.lock);
    return goes_on;
}

/* Let votes gather, unless it is the end. */
static void rest(struct label_teller *t)
{
    const struct timespec part = {0, (long)TELL_MS * 1000000 / REST_PARTS};
    bool goes_on = true;
    for (int i = 0; i < REST_PARTS && goes_on; i++) {
        (void)nanosleep(&part, NULL);
        (void)pthread_mutex_lock(&t->t.lock);
        goes_on = !t->t.is_stopping;
        (void)pthread_mutex_unlock(&t->t.lock);
    }
}

/* A failure costs who watches one event; the next vote counts again. */
static void *tell(void *arg)
{
    struct label_teller *t = arg;
    while (wait_for_change(t)) {
        struct err err = {OK, ""};
        if (items_walk_pools(t->t.db, look, t, &err) != OK)
            context_warn(&t->label->context, "counting votes: %s", err.text);
        rest(t);
    }
    return NULL;
}

enum status label_teller_start(struct label *label, const struct db *first,
                               struct err *err)
{
    struct label_teller *t;
    TRY(MEM_NEW(t, 1, err));
    t->label = label;
    enum status status =
        label_thread_start(&t->t, first, "counts votes", tell, t, err);
    if (status == OK)
        label->teller = t;
    else
        mem_free(t);
    return status;
}

void label_teller_stop(struct label *label)
{
    struct label_teller *t = label->teller;
    if (t == NULL)
        return;
    label_thread_stop(&t->t);
    mem_free(t->told);
    mem_free(t);
    label->teller = NULL;
}

void label_tell(struct label *label)
{
    struct label_teller *t = label->teller;
    (void)pthread_mutex_lock(&t->t.lock);
    t->is_dirty = true;
    (void)pthread_cond_signal(&t->t.changed);
    (void)pthread_mutex_unlock(&t->t.lock);
}

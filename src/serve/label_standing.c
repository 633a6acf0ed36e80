/*
 * label_standing.c - how a pool stands, for who may know.
 *
 * Intervals take their time (a second for five thousand votes), so a thread of
 * its own makes the documents, one after the other, and keeps the last one of
 * every pool until something is voted or added.  What is in judges' hands and
 * the clock are then as of "at".
 *
 * People vote beside a training on this machine, so making documents takes one
 * part of SHARE of a core at most, and AHEAD_MS of it at once.  What is asked
 * for beyond that is answered with the last document, old as it is, and whoever
 * watches is told of the pool's votes again once a new one may be made.
 */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "serve/http_internal.h"
#include "serve/label_internal.h"
#include "serve/standing.h"
#include "store/query.h"
#include "store/unblind.h"

#define DOCUMENT_MAX ((size_t)16 << 20)
#define SHARE 20
#define AHEAD_MS 500

/* Somebody who waits. */
struct asked {
    struct http_request *request;
    struct label *label;
    int64_t judge, pool, now;
    bool is_bound;  // judges here: only what gives no blind away
    struct write w; // that somebody bound looks all the same
    struct asked *next;
};

/* A pool's document, as of an event of the audit log. */
struct kept {
    int64_t pool, event;
    struct buf json;
    bool is_owed; // was answered with although it is old
};

struct label_stander {
    struct label *label;
    struct label_thread t;
    struct asked *first, *last; // under its lock

    struct kept *kept; // [n]
    size_t n;
    int64_t rests; // tick until which none is made that is there already
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

/* What was used is rested for; what was not used before counts for AHEAD_MS at
 * most. */
static void rest(struct label_stander *t, int64_t took)
{
    int64_t least = http_tick() - (int64_t)SHARE * AHEAD_MS;
    t->rests = (t->rests > least ? t->rests : least) + SHARE * took;
}

/* The event is read first: what comes while the document is made makes it old,
 * and at worst it is made once more than needed. */
static enum status refresh(struct kept *k, struct label_stander *t, int64_t now,
                           struct err *err)
{
    int64_t event, began = http_tick();
    TRY(last_event(&event, t->t.db, err));
    if (k->event == event)
        return OK;
    k->is_owed = k->event >= 0 && began < t->rests;
    if (k->is_owed)
        return OK;
    k->event = -1;
    TRY(make(k, t->t.db, now, err));
    k->event = event;
    rest(t, http_tick() - began);
    return OK;
}

/* Whoever watches asks again for the documents that are owed. */
static void tell_owed(struct label_stander *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct err err = {OK, ""};
        if (t->kept[i].is_owed &&
            label_tell_pool(t->label, t->t.db, t->kept[i].pool, &err) != OK)
            context_warn(&t->label->context, "telling of votes: %s", err.text);
        t->kept[i].is_owed = false;
    }
}

/* Wait for somebody who asks, with the lock held; no longer than until what is
 * owed may be made. */
static void wait_for_more(struct label_stander *t)
{
    bool is_owed = false;
    int64_t left = t->rests - http_tick();
    for (size_t i = 0; i < t->n; i++)
        is_owed = is_owed || t->kept[i].is_owed;
    if (!is_owed) {
        (void)pthread_cond_wait(&t->t.changed, &t->t.lock);
    } else if (left > 0) {
        struct timespec end;
        (void)clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += (time_t)(left / 1000);
        end.tv_nsec += (long)(left % 1000) * 1000000;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&t->t.changed, &t->t.lock, &end);
    } else {
        (void)pthread_mutex_unlock(&t->t.lock);
        tell_owed(t);
        (void)pthread_mutex_lock(&t->t.lock);
    }
}

/* ---- for who judges there ----------------------------------------------- */

/* Members that one's own vote moves by one whatever it was on and said. */
static const char *const open_members[] = {"schema", "pool", "name",
                                           "task",   "at",   NULL};
static const char *const open_progress[] = {"votes", "held", "skipped", "flags",
                                            NULL};
static const char *const open_judge[] = {
    "judge",     "name",     "votes",        "skips", "undone",
    "median_ms", "too_fast", "unblinded_at", NULL};

/* The members of an object that are named, into one that is open. */
static void put_some(struct json_writer *w, const struct json *from,
                     const char *const *name)
{
    for (size_t i = 0; name[i] != NULL; i++) {
        const struct json *node = json_get(from, name[i]);
        if (node == NULL)
            continue;
        json_put_key(w, name[i]);
        json_put_node(w, node);
    }
}

/* The document without what would tell somebody whose side a vote was for, or
 * what kind of item it was on. */
static enum status write_bound(struct buf *out, const struct buf *whole,
                               struct err *err)
{
    struct json *d;
    struct json_writer w;
    TRY(json_parse(&d, buf_text(whole), whole->len, "standing", err));
    const struct json *judges = json_get(d, "judges");
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    put_some(&w, d, open_members);
    json_field_bool(&w, "bound", true);
    json_put_key(&w, "progress");
    json_open(&w, '{');
    put_some(&w, json_get(d, "progress"), open_progress);
    json_close(&w, '}');
    json_put_key(&w, "judges");
    json_open(&w, '[');
    for (size_t i = 0; i < json_size(judges); i++) {
        json_open(&w, '{');
        put_some(&w, json_at(judges, i), open_judge);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_put_key(&w, "says");
    json_open(&w, '[');
    json_put_text(&w, "Closed to you while you judge here: after each vote of "
                      "yours it would tell whose side that was for.");
    json_close(&w, ']');
    json_close(&w, '}');
    json_free(d);
    return buf_status(out, err);
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
    if (a->is_bound)
        status = write_bound(&copy, &k->json, &err);
    else
        buf_append(&copy, buf_text(&k->json), k->json.len);
    if (status == OK)
        http_reply_json(a->request, 200, &copy);
    else
        http_reply_status(a->request, status, &err);
    buf_free(&copy);
}

/* The next one who waits; NULL when it is the end. */
static struct asked *take(struct label_stander *t)
{
    (void)pthread_mutex_lock(&t->t.lock);
    while (t->first == NULL && !t->t.is_stopping)
        wait_for_more(t);
    struct asked *a = t->first;
    if (a != NULL)
        t->first = a->next;
    (void)pthread_mutex_unlock(&t->t.lock);
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
    enum status status = label_thread_start(
        &t->t, first, "tells how pools stand", stand, t, err);
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
    label_thread_stop(&t->t);
    for (size_t i = 0; i < t->n; i++)
        buf_free(&t->kept[i].json);
    mem_free(t->kept);
    mem_free(t);
    label->stander = NULL;
}

/* ---- who asks ----------------------------------------------------------- */

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

/* To the thread that makes documents. */
static void pass(struct asked *a)
{
    struct label_stander *t = a->label->stander;
    (void)pthread_mutex_lock(&t->t.lock);
    if (t->first == NULL)
        t->first = a;
    else
        t->last->next = a;
    t->last = a;
    (void)pthread_cond_signal(&t->t.changed);
    (void)pthread_mutex_unlock(&t->t.lock);
}

static enum status note_look(struct db *db, void *ctx, struct err *err)
{
    const struct asked *a = ctx;
    return unblind_note(db, a->judge, a->pool, a->now, err);
}

/* Who looks behind the blind has said so on the disk before it is shown. */
static void noted(struct write *w)
{
    struct asked *a = w->ctx;
    if (w->status == OK) {
        pass(a);
        return;
    }
    http_reply_status(a->request, w->status, &w->err);
    mem_free(a);
}

/* Is it somebody who judges here, and is it new that they look anyhow? */
static enum status find_bound(struct asked *a, bool *is_look,
                              const char *unblind, struct err *err)
{
    struct db *db = a->label->db;
    int64_t before = 0;
    if (unblind != NULL && strcmp(unblind, "1") != 0)
        return err_set(err, ERR_ARG, "unblind is 1, or not there");
    TRY(unblind_is_bound(&a->is_bound, db, a->judge, a->pool, err));
    if (!a->is_bound || unblind == NULL)
        return OK;
    a->is_bound = false;
    TRY(unblind_when(&before, db, a->judge, a->pool, err));
    *is_look = before == 0;
    return OK;
}

void label_stands(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct asked *a;
    bool is_look = false;
    if (!label_may_watch(r) || !is_pool(label, r))
        return;
    a = mem_calloc(1, sizeof *a);
    if (a == NULL) {
        http_reply_status(r, ERR_MEMORY, NULL);
        return;
    }
    *a = (struct asked){.request = r,
                        .label = label,
                        .judge = http_who(r)->judge.id,
                        .pool = http_arg_int(r, 0),
                        .now = http_now(r)};
    enum status status =
        find_bound(a, &is_look, http_query(r, "unblind"), &err);
    if (status != OK) {
        http_reply_status(r, status, &err);
        mem_free(a);
        return;
    }
    http_later(r);
    a->w = (struct write){.fn = note_look, .ctx = a, .done = noted};
    if (is_look)
        writer_queue(label->writer, &a->w);
    else
        pass(a);
}

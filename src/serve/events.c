#include "serve/events.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/http_internal.h"

#define COUNT 1024
#define BYTES ((size_t)1 << 20)
#define VIEWERS 128
#define NAME_MAX_BYTES 32
#define EPOCH 8 // hex digits

struct event_text {
    char *text; // as it is sent
    size_t len;
};

struct events {
    struct events_config config;
    char epoch[EPOCH + 1];

    pthread_mutex_t lock; // of all below
    struct http *http;
    struct event_text *ring; // [count]; number i is at i % count
    uint64_t first, next;    // numbers in the ring: first <= i < next
    size_t bytes;
    struct events_counts counts;
};

struct viewer {
    struct events *hub;
    uint64_t next; // the number that comes next
    size_t sent;   // bytes of it that were given
    bool is_begun; // the greeting was given
    bool is_reset; // and must say that something was missed
    int64_t quiet_since;
};

enum status events_create(struct events **out, const struct events_config *c,
                          struct err *err)
{
    struct events *hub;
    unsigned char word[EPOCH / 2];
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    TRY(MEM_NEW(hub, 1, err));
    hub->config.count = c->count > 0 ? c->count : COUNT;
    hub->config.bytes = c->bytes > 0 ? c->bytes : BYTES;
    hub->config.viewers = c->viewers > 0 ? c->viewers : VIEWERS;
    hub->first = hub->next = 2; // a viewer of none of them has seen number 1
    randombytes_buf(word, sizeof word);
    (void)sodium_bin2hex(hub->epoch, sizeof hub->epoch, word, sizeof word);
    if (MEM_NEW(hub->ring, hub->config.count, err) != OK) {
        mem_free(hub);
        return ERR_MEMORY;
    }
    (void)pthread_mutex_init(&hub->lock, NULL);
    *out = hub;
    return OK;
}

void events_destroy(struct events *hub)
{
    if (hub == NULL)
        return;
    for (size_t i = 0; i < hub->config.count; i++)
        mem_free(hub->ring[i].text);
    (void)pthread_mutex_destroy(&hub->lock);
    mem_free(hub->ring);
    mem_free(hub);
}

static void set_http(struct events *hub, struct http *http)
{
    (void)pthread_mutex_lock(&hub->lock);
    hub->http = http;
    (void)pthread_mutex_unlock(&hub->lock);
}

void events_attach(struct events *hub, struct http *http)
{
    set_http(hub, http);
}

void events_detach(struct events *hub)
{
    set_http(hub, NULL);
}

/* ---- telling ------------------------------------------------------------ */

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if ((name[i] < 'a' || name[i] > 'z') && name[i] != '_')
            return false;
    return n > 0 && n <= NAME_MAX_BYTES;
}

static struct event_text *place(struct events *hub, uint64_t number)
{
    return &hub->ring[number % hub->config.count];
}

static void drop_first(struct events *hub)
{
    struct event_text *e = place(hub, hub->first++);
    hub->bytes -= e->len;
    mem_free(e->text);
    *e = (struct event_text){NULL, 0};
}

static enum status append(struct events *hub, const char *name,
                          const char *data, size_t len, struct err *err)
{
    char head[96];
    int n = snprintf(head, sizeof head,
                     "id: %s-%llu\nevent: %s\ndata: ", hub->epoch,
                     (unsigned long long)hub->next, name);
    size_t all = (size_t)n + len + 2;
    char *text;
    if (all > hub->config.bytes / 4)
        return err_set(err, ERR_LIMIT, "an event of %zu bytes, %zu at most",
                       all, hub->config.bytes / 4);
    TRY(MEM_NEW(text, all, err));
    memcpy(text, head, (size_t)n);
    memcpy(text + n, data, len);
    text[all - 2] = text[all - 1] = '\n';
    while (hub->next - hub->first >= hub->config.count ||
           hub->bytes + all > hub->config.bytes)
        drop_first(hub);
    *place(hub, hub->next++) = (struct event_text){text, all};
    hub->bytes += all;
    return OK;
}

enum status events_publish(struct events *hub, const char *name,
                           const char *data, size_t len, struct err *err)
{
    if (!is_name(name) || memchr(data, '\n', len) != NULL ||
        memchr(data, '\r', len) != NULL || memchr(data, '\0', len) != NULL)
        return err_set(err, ERR_ARG, "an event needs a name and one line");
    (void)pthread_mutex_lock(&hub->lock);
    enum status status = append(hub, name, data, len, err);
    /* Under the lock, so that it cannot be detached and stopped meanwhile. */
    if (status == OK && hub->http != NULL)
        http_wake(hub->http);
    (void)pthread_mutex_unlock(&hub->lock);
    return status;
}

/* ---- viewers ------------------------------------------------------------ */

/* Whole events, as many as fit, or a part of one that is larger. */
static int64_t take(struct viewer *v, char *to, size_t max)
{
    struct events *hub = v->hub;
    size_t n = 0;
    if (v->next < hub->first) {
        hub->counts.cut++;
        return HTTP_PULL_CUT;
    }
    while (v->next < hub->next && n < max) {
        const struct event_text *e = place(hub, v->next);
        size_t part = e->len - v->sent < max - n ? e->len - v->sent : max - n;
        memcpy(to + n, e->text + v->sent, part);
        n += part;
        v->sent += part;
        if (v->sent == e->len) {
            v->next++;
            v->sent = 0;
        }
    }
    return (int64_t)n;
}

/* The place it begins at, so that it can say it when it comes back. */
static int64_t greet(const struct viewer *v, char *to, size_t max)
{
    int n = snprintf(to, max, "retry: 1000\nid: %s-%llu\n\n%s", v->hub->epoch,
                     (unsigned long long)v->next - 1,
                     v->is_reset ? "event: reset\ndata: {}\n\n" : "");
    return n > 0 && (size_t)n < max ? n : HTTP_PULL_CUT;
}

static int64_t pull(void *ctx, char *to, size_t max)
{
    static const char beat[] = {':', '\n', '\n'}; // a comment
    struct viewer *v = ctx;
    int64_t now = http_tick();
    if (!v->is_begun) {
        v->is_begun = true;
        return greet(v, to, max);
    }
    (void)pthread_mutex_lock(&v->hub->lock);
    int64_t n = take(v, to, max);
    (void)pthread_mutex_unlock(&v->hub->lock);
    if (n == 0 && now - v->quiet_since >= EVENTS_BEAT_MS &&
        max >= sizeof beat) {
        memcpy(to, beat, sizeof beat);
        n = sizeof beat;
    }
    if (n > 0)
        v->quiet_since = now;
    return n == 0 ? HTTP_PULL_WAIT : n;
}

static void end(void *ctx)
{
    struct viewer *v = ctx;
    (void)pthread_mutex_lock(&v->hub->lock);
    v->hub->counts.viewers--;
    (void)pthread_mutex_unlock(&v->hub->lock);
    mem_free(v);
}

/* Where a viewer goes on that saw "EPOCH-NUMBER" last. */
static void find_place(struct viewer *v, const char *last)
{
    const struct events *hub = v->hub;
    struct parse_arg arg[PARSE_ARGS_MAX];
    char path[64];
    v->next = hub->next;
    if (last == NULL || last[0] == '\0')
        return;
    v->is_reset = true;
    if (strlen(last) < EPOCH + 2 || strlen(last) > EPOCH + 20 ||
        memcmp(last, hub->epoch, EPOCH) != 0 || last[EPOCH] != '-')
        return;
    (void)snprintf(path, sizeof path, "/%.20s", last + EPOCH + 1);
    if (!parse_match(arg, "/{int}", path, strlen(path)))
        return;
    uint64_t next = (uint64_t)arg[0].number + 1;
    if (next >= hub->first && next <= hub->next) {
        v->next = next;
        v->is_reset = false;
    }
}

void events_reply(struct events *hub, struct http_request *r)
{
    struct viewer *v = mem_calloc(1, sizeof *v);
    if (v == NULL) {
        http_reply_status(r, ERR_MEMORY, NULL);
        return;
    }
    v->hub = hub;
    v->quiet_since = http_tick();
    (void)pthread_mutex_lock(&hub->lock);
    bool is_full = hub->counts.viewers >= hub->config.viewers;
    if (!is_full) {
        hub->counts.viewers++;
        find_place(v, http_header(r, "Last-Event-ID"));
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (is_full) {
        mem_free(v);
        http_reply_error(r, 503, "too many viewers");
        return;
    }
    http_reply_stream(r, "text/event-stream", pull, end, v);
}

struct events_counts events_counts(struct events *hub)
{
    (void)pthread_mutex_lock(&hub->lock);
    struct events_counts counts = hub->counts;
    (void)pthread_mutex_unlock(&hub->lock);
    return counts;
}

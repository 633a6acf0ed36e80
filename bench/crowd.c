#include "crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

#define AHEAD 3      // items at hand, as the page keeps them
#define ACTED 32     // of each judge, the latest ones voted on
#define DRAIN 10.0   // seconds for the last answers
#define OUT_MAX 1536 // bytes of a request
#define IN_MAX (1 << 18)
#define EVENTS 64

enum what {
    VOTES,
    ITEMS,
    WATCH
};

/* A connection: one request is under way, or none. */
struct line {
    struct judge *judge;
    enum what what;
    int fd;
    bool is_busy;
    size_t len;
    char in[IN_MAX]; // the answer so far
};

struct judge {
    struct crowd *crowd;
    size_t index;
    char cookie[160], csrf[64];
    struct line *line[2]; // VOTES, ITEMS; of the administrator, WATCH
    int64_t deck[AHEAD + 1];
    size_t n_deck;
    int64_t acted[ACTED];
    size_t n_acted;
    size_t due, done; // votes; the one under way is `done`
    struct crowd_vote *vote;
};

struct crowd {
    const struct crowd_config *config;
    struct crowd_result *result;
    int epoll;
    struct judge *judge;
    size_t each; // votes of a judge
    double begun;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_label: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p == NULL)
        die("no memory");
    return p;
}

static double now_of(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- a connection ------------------------------------------------------- */

static void send_all(struct line *l, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(l->fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("the server takes no request");
        text += n;
        len -= (size_t)n;
    }
    l->is_busy = true;
    l->len = 0;
}

static void request(struct line *l, const char *method, const char *path,
                    const char *body)
{
    char text[OUT_MAX];
    const struct judge *j = l->judge;
    int n =
        snprintf(text, sizeof text,
                 "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                 "Origin: http://127.0.0.1:%u\r\n"
                 "Sec-Fetch-Site: same-origin\r\nAccept: */*\r\n"
                 "%s%s%s%s%s%sContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 method, path, j->crowd->config->port, j->crowd->config->port,
                 j->cookie[0] ? "Cookie: " : "", j->cookie,
                 j->cookie[0] ? "\r\n" : "", j->csrf[0] ? "X-Plumb-CSRF: " : "",
                 j->csrf, j->csrf[0] ? "\r\n" : "", strlen(body), body);
    if (n < 0 || (size_t)n >= sizeof text)
        die("a request is too long");
    send_all(l, text, (size_t)n);
}

/* Take what there is; the code of an answer that is complete, else 0. */
static int receive(struct line *l)
{
    ssize_t n = recv(l->fd, l->in + l->len, IN_MAX - 1 - l->len, 0);
    if (n <= 0)
        die("the server ended a connection");
    l->len += (size_t)n;
    l->in[l->len] = '\0';
    const char *body = strstr(l->in, "\r\n\r\n");
    const char *length = strstr(l->in, "Content-Length: ");
    if (body == NULL || length == NULL || length > body)
        return 0;
    size_t all = (size_t)(body + 4 - l->in) + strtoul(length + 16, NULL, 10);
    if (l->len < all)
        return 0;
    l->is_busy = false;
    return atoi(l->in + 9); // behind "HTTP/1.1 "
}

static struct json *answer_of(const struct line *l)
{
    struct json *root = NULL;
    const char *body = strstr(l->in, "\r\n\r\n") + 4;
    if (json_parse(&root, body, l->len - (size_t)(body - l->in), "answer",
                   NULL) != OK)
        return NULL;
    return root;
}

static struct line *open_line(struct judge *j, enum what what)
{
    const int on = 1;
    struct line *l = need(1, sizeof *l);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(j->crowd->config->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->judge = j;
    l->what = what;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 ||
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(l->fd, (const struct sockaddr *)&to, sizeof to) != 0)
        die("no server");
    return l;
}

static void close_line(struct line *l)
{
    if (l != NULL)
        (void)close(l->fd);
    free(l);
}

static void watch(struct crowd *c, struct line *l)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, l->fd, &e) != 0)
        die("epoll");
}

/* ---- a judge ------------------------------------------------------------ */

static void sign_in(struct judge *j, struct line *l, const char *token)
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    request(l, "POST", "/api/session", body);
    int code;
    while ((code = receive(l)) == 0)
        ;
    struct json *root = code == 200 ? answer_of(l) : NULL;
    const char *cookie = strstr(l->in, "Set-Cookie: ");
    if (root == NULL || cookie == NULL)
        die("cannot sign in");
    cookie += 12;
    (void)snprintf(j->cookie, sizeof j->cookie, "%.*s",
                   (int)strcspn(cookie, ";\r"), cookie);
    (void)snprintf(j->csrf, sizeof j->csrf, "%s",
                   json_text(json_get(root, "csrf"), ""));
    json_free(root);
}

static double due_at(const struct judge *j, size_t vote)
{
    const struct crowd_config *c = j->crowd->config;
    double phase = (double)j->index / (double)c->n; // not all at once
    return j->crowd->begun + ((double)vote + phase) / c->rate;
}

static void refill(struct judge *j)
{
    char path[64], body[32];
    if (j->line[ITEMS]->is_busy || j->n_deck >= AHEAD)
        return;
    int want = AHEAD + (j->line[VOTES]->is_busy ? 1 : 0);
    (void)snprintf(path, sizeof path, "/api/pools/%lld/next",
                   (long long)j->crowd->config->pool);
    (void)snprintf(body, sizeof body, "{\"want\":%d}", want);
    request(j->line[ITEMS], "POST", path, body);
}

/* Send the next vote, when one is due, none is under way, and there is an
 * item to vote on. */
static void vote(struct judge *j)
{
    char path[64], body[512];
    if (j->line[VOTES]->is_busy || j->done == j->due || j->n_deck == 0)
        return;
    struct crowd_vote *v = &j->vote[j->done];
    v->assignment = j->deck[0];
    memmove(j->deck, j->deck + 1, --j->n_deck * sizeof *j->deck);
    j->acted[j->n_acted++ % ACTED] = v->assignment;
    (void)snprintf(path, sizeof path, "/api/items/%lld/act",
                   (long long)v->assignment);
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"%s\",\"act\":\"vote\",\"supersedes\":0,"
                   "\"overall\":\"B\",\"marks\":[{\"helpful\":2,\"direct\":1,"
                   "\"correct\":\"yes\",\"length\":\"too_long\"},{\"helpful\":3"
                   ",\"direct\":4,\"correct\":\"yes\",\"length\":\"right\"}],"
                   "\"reason\":\"says it first\",\"render\":\"plain\"}",
                   v->key);
    request(j->line[VOTES], "POST", path, body);
    refill(j);
}

static void take_vote(struct judge *j, int code)
{
    struct crowd_vote *v = &j->vote[j->done];
    v->took = now_of(CLOCK_MONOTONIC) - due_at(j, j->done);
    struct json *root = code == 200 ? answer_of(j->line[VOTES]) : NULL;
    v->act = json_int(json_get(root, "act"), 0);
    j->crowd->result->refused += v->act == 0;
    json_free(root);
    j->done++;
}

static bool is_known(const struct judge *j, int64_t assignment)
{
    bool known = false;
    for (size_t i = 0; i < j->n_deck; i++)
        known |= j->deck[i] == assignment;
    for (size_t i = 0; i < ACTED; i++)
        known |= j->acted[i] == assignment;
    return known;
}

static void take_items(struct judge *j, int code)
{
    struct json *root = code == 200 ? answer_of(j->line[ITEMS]) : NULL;
    const struct json *items = json_get(root, "items");
    j->crowd->result->refused += root == NULL;
    for (size_t i = 0; i < json_size(items); i++) {
        int64_t id = json_int(json_get(json_at(items, i), "assignment"), 0);
        if (id > 0 && !is_known(j, id) && j->n_deck <= AHEAD)
            j->deck[j->n_deck++] = id;
    }
    if (json_bool(json_get(root, "done"), false))
        die("there are no items left");
    json_free(root);
}

/* ---- all of them -------------------------------------------------------- */

static void on_bytes(struct crowd *c, struct line *l)
{
    if (l->what == WATCH) {
        ssize_t n = recv(l->fd, l->in, IN_MAX - 1, 0);
        l->in[n > 0 ? n : 0] = '\0';
        for (const char *s = l->in; (s = strstr(s, "event: ")) != NULL; s++)
            c->result->events++;
        return;
    }
    int code = receive(l);
    if (code == 0)
        return;
    if (l->what == VOTES)
        take_vote(l->judge, code);
    else
        take_items(l->judge, code);
    vote(l->judge);
    refill(l->judge);
}

/* Handle what comes until `until`; a millisecond late at most. */
static void serve_until(struct crowd *c, double until)
{
    struct epoll_event e[EVENTS];
    double left = until - now_of(CLOCK_MONOTONIC);
    int n = epoll_wait(c->epoll, e, EVENTS,
                       left > 0 ? (int)ceil(fmin(left, 1.0) * 1e3) : 0);
    for (int i = 0; i < n; i++)
        on_bytes(c, e[i].data.ptr);
}

static void begin(struct crowd *c)
{
    const struct crowd_config *config = c->config;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->judge = need(config->n + 1, sizeof *c->judge);
    c->each = (size_t)floor(config->rate * config->seconds);
    c->result->vote = need(config->n * c->each + 1, sizeof *c->result->vote);
    for (size_t i = 0; i < config->n; i++) {
        struct judge *j = &c->judge[i];
        *j = (struct judge){
            .crowd = c, .index = i, .vote = c->result->vote + i * c->each};
        for (size_t k = 0; k < c->each; k++) {
            j->vote[k].judge = i;
            (void)snprintf(j->vote[k].key, sizeof j->vote[k].key, "%zu-%zu", i,
                           k);
        }
        j->line[VOTES] = open_line(j, VOTES);
        j->line[ITEMS] = open_line(j, ITEMS);
        sign_in(j, j->line[VOTES], config->token[i]);
        watch(c, j->line[VOTES]);
        watch(c, j->line[ITEMS]);
        refill(j);
    }
    struct judge *admin = &c->judge[config->n];
    admin->crowd = c;
    struct line *l = admin->line[0] = open_line(admin, WATCH);
    sign_in(admin, l, config->token[config->n]);
    request(l, "GET", "/api/events", "");
    watch(c, l);
}

/* The votes that are due by now, of all judges; the next one's time. */
static double call(struct crowd *c, double now)
{
    double next = now + 1;
    for (size_t i = 0; i < c->config->n; i++) {
        struct judge *j = &c->judge[i];
        while (j->due < c->each && due_at(j, j->due) <= now)
            j->due++;
        vote(j);
        if (j->due < c->each)
            next = fmin(next, due_at(j, j->due));
    }
    return next;
}

static bool all_done(const struct crowd *c)
{
    bool done = true;
    for (size_t i = 0; i < c->config->n; i++)
        done &= c->judge[i].done == c->judge[i].due;
    return done;
}

/* Keep the votes that were due, closely. */
static void gather(struct crowd *c)
{
    struct crowd_result *r = c->result;
    r->n = 0;
    for (size_t i = 0; i < c->config->n; i++)
        for (size_t k = 0; k < c->judge[i].due; k++)
            r->vote[r->n++] = c->judge[i].vote[k];
}

void crowd_run(struct crowd_result *out, const struct crowd_config *config)
{
    struct crowd c = {.config = config, .result = out};
    *out = (struct crowd_result){.n = 0};
    begin(&c);
    double ready = now_of(CLOCK_MONOTONIC) + 1; // the decks fill meanwhile
    while (now_of(CLOCK_MONOTONIC) < ready)
        serve_until(&c, ready);
    double cpu = now_of(CLOCK_PROCESS_CPUTIME_ID);
    c.begun = now_of(CLOCK_MONOTONIC);
    double end = c.begun + config->seconds, now = c.begun;
    while (now < end && !*config->stop) {
        serve_until(&c, call(&c, now));
        now = now_of(CLOCK_MONOTONIC);
    }
    out->seconds = now - c.begun;
    while (!all_done(&c) && now_of(CLOCK_MONOTONIC) < now + DRAIN)
        serve_until(&c, now + DRAIN);
    out->cpu = now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (size_t i = 0; i <= config->n; i++)
        for (int k = 0; k < 2; k++)
            close_line(c.judge[i].line[k]);
    gather(&c);
    (void)close(c.epoll);
    free(c.judge);
}

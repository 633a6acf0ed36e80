/*
 * http.c - the sockets, the thread, the beginning and the end.
 */
#include "serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/http_internal.h"

#define SCAN_MS 200      // how often deadlines are looked at
#define RATE_SETS 512    // of a table of rates
#define PORT_TRIES 16    // for a port free on both loopback addresses
#define POOL_BYTES 32768 // of libmicrohttpd, for a connection

int64_t http_tick(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t wall_clock(const struct http *http)
{
    const struct context *c = http->config.context;
    struct timespec t;
    if (c != NULL && c->clock != NULL)
        return (int64_t)(context_time(c) * 1000.0);
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t http_now(const struct http_request *r)
{
    return wall_clock(r->http);
}

void http_notify(struct http *http)
{
    uint64_t one = 1;
    ssize_t n = write(http->wake_fd, &one, sizeof one);
    (void)n; // full is as good: it will wake
}

static void ask(struct http *http, bool *what)
{
    (void)pthread_mutex_lock(&http->lock);
    *what = true;
    http_notify(http);
    (void)pthread_mutex_unlock(&http->lock);
}

void http_wake(struct http *http)
{
    ask(http, &http->wake_asked);
}

void http_recheck(struct http *http)
{
    ask(http, &http->recheck_asked);
}

const char *http_url(const struct http *http)
{
    return http->url;
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

bool http_is_tls(const struct http *http)
{
    return http->config.is_tls;
}

/* ---- the thread --------------------------------------------------------- */

static void cut(struct http_connection *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    c->deadline = HTTP_NEVER;
    if (c->request != NULL && c->request->pull != NULL) {
        c->request->is_cut = true;
        if (c->request->is_waiting)
            http_resume(c->request);
    }
}

static void cut_late(struct http *http, int64_t now)
{
    for (struct http_connection *c = http->connections; c != NULL; c = c->next)
        if (c->deadline <= now)
            cut(c);
}

static void wake_streams(struct http *http)
{
    for (struct http_connection *c = http->connections; c != NULL; c = c->next)
        if (c->request != NULL && c->request->is_waiting)
            http_resume(c->request);
}

/* Streams of who may no longer see them. */
static void recheck(struct http *http)
{
    const struct http_guard *guard = http->config.guard;
    if (guard == NULL || guard->still == NULL)
        return;
    for (struct http_connection *c = http->connections; c != NULL;
         c = c->next) {
        struct http_request *r = c->request;
        if (r != NULL && r->is_queued && r->pull != NULL && r->who.is_known &&
            !guard->still(guard->ctx, &r->who, wall_clock(http)))
            cut(c);
    }
}

/* No new connections; those that are there end with their next answer. */
static void begin_stop(struct http *http)
{
    http->is_stopping = true;
    for (int i = 0; i < http->n; i++) {
        MHD_socket fd = MHD_quiesce_daemon(http->daemon[i]);
        if (fd != MHD_INVALID_SOCKET)
            (void)close(fd);
    }
    wake_streams(http);
}

/* Take what other threads left. */
static bool take_asked(struct http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    struct http_request *r = http->answered;
    bool wake = http->wake_asked, check = http->recheck_asked;
    bool stop = http->stop_asked;
    http->answered = http->answered_last = NULL;
    http->wake_asked = http->recheck_asked = false;
    (void)pthread_mutex_unlock(&http->lock);
    while (r != NULL) {
        struct http_request *next = r->next;
        r->is_ready = true;
        http->later--;
        http_resume(r);
        r = next;
    }
    if (check)
        recheck(http);
    if (wake)
        wake_streams(http);
    return stop;
}

static void wait_for_work(struct http *http)
{
    struct pollfd fds[HTTP_DAEMONS + 1];
    uint64_t timeout = SCAN_MS, each;
    for (int i = 0; i < http->n; i++) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(http->daemon[i], MHD_DAEMON_INFO_EPOLL_FD);
        fds[i] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
        MHD_UNSIGNED_LONG_LONG ms = 0;
        if (MHD_get_timeout(http->daemon[i], &ms) == MHD_YES) {
            each = ms;
            timeout = each < timeout ? each : timeout;
        }
    }
    fds[http->n] = (struct pollfd){.fd = http->wake_fd, .events = POLLIN};
    (void)poll(fds, (nfds_t)http->n + 1, (int)timeout);
    if ((fds[http->n].revents & POLLIN) != 0) {
        ssize_t n = read(http->wake_fd, &each, sizeof each);
        (void)n; // it is only there to be emptied
    }
}

static void *serve(void *arg)
{
    struct http *http = arg;
    int64_t scan_at = 0, beat_at = 0, end_at = HTTP_NEVER;
    for (;;) {
        wait_for_work(http);
        if (take_asked(http) && !http->is_stopping) {
            begin_stop(http);
            end_at = http_tick() + http->config.limits.drain_ms;
        }
        for (int i = 0; i < http->n; i++)
            (void)MHD_run(http->daemon[i]);
        int64_t now = http_tick();
        if (now >= scan_at) {
            cut_late(http, now);
            scan_at = now + SCAN_MS;
        }
        if (now >= beat_at) {
            recheck(http);
            wake_streams(http);
            beat_at = now + HTTP_BEAT_MS;
        }
        if (http->is_stopping && http->later == 0 &&
            (http->in_flight == 0 || now >= end_at))
            break;
    }
    /* Nothing may be suspended when libmicrohttpd ends. */
    for (struct http_connection *c = http->connections; c != NULL; c = c->next)
        if (c->request != NULL && c->request->is_suspended)
            cut(c);
    for (int i = 0; i < http->n; i++) {
        (void)MHD_run(http->daemon[i]);
        MHD_stop_daemon(http->daemon[i]);
    }
    return NULL;
}

/* ---- sockets ------------------------------------------------------------ */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_address(union address *out, const char *text)
{
    *out = (union address){.v6 = {.sin6_family = AF_INET6}};
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1)
        return true;
    *out = (union address){.v4 = {.sin_family = AF_INET}};
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

static bool is_loopback(const union address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* A listening socket; the port that it got goes into *port.  -1 and errno. */
static int listen_on(union address *a, uint16_t *port)
{
    int on = 1;
    bool v6 = a->any.sa_family == AF_INET6;
    socklen_t len = v6 ? sizeof a->v6 : sizeof a->v4;
    *(v6 ? &a->v6.sin6_port : &a->v4.sin_port) = htons(*port);
    int fd =
        socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (v6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, &a->any, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, &a->any, &len) != 0) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    *port = ntohs(v6 ? a->v6.sin6_port : a->v4.sin_port);
    return fd;
}

static enum status refuse_address(struct err *err, const char *address,
                                  uint16_t port)
{
    char why[80];
    int code = errno;
    if (strerror_r(code, why, sizeof why) != 0)
        (void)snprintf(why, sizeof why, "error %d", code);
    return err_set(err, code == EADDRINUSE ? ERR_BUSY : ERR_IO,
                   "cannot listen on %s port %u: %s", address, port, why);
}

/* One socket on each loopback address, at the same port.  A machine without
 * IPv6 has one of them. */
static enum status listen_locally(struct http *http, uint16_t port,
                                  struct err *err)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        union address v4, v6;
        uint16_t got = port;
        (void)read_address(&v4, "127.0.0.1");
        (void)read_address(&v6, "::1");
        http->listener[0] = listen_on(&v4, &got);
        if (http->listener[0] < 0)
            return refuse_address(err, "127.0.0.1", port);
        http->port = got;
        http->n = 1;
        http->listener[1] = listen_on(&v6, &got);
        if (http->listener[1] >= 0)
            http->n = 2;
        if (http->listener[1] >= 0 || errno != EADDRINUSE)
            return OK;
        (void)close(http->listener[0]);
        http->listener[0] = -1;
        http->n = 0;
        if (port != 0)
            break;
    }
    errno = EADDRINUSE;
    return refuse_address(err, "::1", port);
}

static enum status listen_where_told(struct http *http, struct err *err)
{
    const struct http_config *c = &http->config;
    union address a;
    if (c->address == NULL) {
        TRY(listen_locally(http, c->port, err));
        (void)snprintf(http->url, sizeof http->url, "http://127.0.0.1:%u",
                       http->port);
        return OK;
    }
    if (!read_address(&a, c->address))
        return err_set(err, ERR_ARG, "'%.100s' is no numeric address",
                       c->address);
    if (!is_loopback(&a) && c->guard == NULL)
        return err_set(err, ERR_ARG,
                       "%s can be reached from outside: not without sign-in",
                       c->address);
    http->any_literal = !is_loopback(&a);
    http->port = c->port;
    http->listener[0] = listen_on(&a, &http->port);
    if (http->listener[0] < 0)
        return refuse_address(err, c->address, c->port);
    http->n = 1;
    bool v6 = a.any.sa_family == AF_INET6;
    (void)snprintf(http->url, sizeof http->url, "http://%s%s%s:%u",
                   v6 ? "[" : "", c->address, v6 ? "]" : "", http->port);
    return OK;
}

/* ---- beginning ---------------------------------------------------------- */

static enum status check_tables(const struct http_config *c, struct err *err)
{
    for (size_t i = 0; i < c->n_route; i++) {
        const struct http_route *r = &c->route[i];
        bool known = r->method == HTTP_GET || r->method == HTTP_POST ||
                     r->method == HTTP_PUT || r->method == HTTP_DELETE;
        if (!known || r->fn == NULL || !parse_pattern_ok(r->pattern) ||
            (r->method == HTTP_GET && r->body_max > 0))
            return err_set(err, ERR_ARG, "route %zu (%.100s) is no route", i,
                           r->pattern);
    }
    for (size_t i = 0; i < c->n_file; i++)
        if (!parse_path_ok(c->file[i].path, strlen(c->file[i].path)))
            return err_set(err, ERR_ARG, "'%.100s' is no file's path",
                           c->file[i].path);
    if (c->limits.head_max > POOL_BYTES / 2)
        return err_set(err, ERR_ARG, "a head of %zu bytes is too large",
                       c->limits.head_max);
    return OK;
}

#define DEFAULT(field, value)                                                  \
    do {                                                                       \
        if (!((field) > 0))                                                    \
            (field) = (value);                                                 \
    } while (0)

static void fill_limits(struct http_limits *l)
{
    DEFAULT(l->head_max, POOL_BYTES / 2);
    DEFAULT(l->connections, 512);
    DEFAULT(l->per_address, 256);
    DEFAULT(l->head_ms, 10000);
    DEFAULT(l->body_ms, 30000);
    DEFAULT(l->send_ms, 60000);
    DEFAULT(l->idle_ms, 60000);
    DEFAULT(l->drain_ms, 5000);
    DEFAULT(l->address_per_s, 20.0);
    DEFAULT(l->address_burst, 200.0);
    DEFAULT(l->session_per_s, 20.0);
    DEFAULT(l->session_burst, 100.0);
}

static enum status make_etags(struct http *http, struct err *err)
{
    const struct http_config *c = &http->config;
    TRY(MEM_NEW(http->etag, c->n_file, err));
    for (size_t i = 0; i < c->n_file; i++) {
        unsigned char hash[16];
        char hex[2 * sizeof hash + 1];
        (void)crypto_generichash(hash, sizeof hash, c->file[i].data,
                                 c->file[i].len, NULL, 0);
        (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
        (void)snprintf(http->etag[i], sizeof http->etag[i], "\"%s\"", hex);
    }
    return OK;
}

static void ignore_log(void *ctx, const char *format, va_list args)
    ERR_PRINTF(2, 0);
static void ignore_log(void *ctx, const char *format, va_list args)
{
    (void)ctx; // what clients do wrong, in libmicrohttpd's words
    (void)format;
    (void)args;
}

static enum status start_daemon(struct http *http, int i, struct err *err)
{
    const struct http_limits *l = &http->config.limits;
    http->daemon[i] = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, http_on_access, http, MHD_OPTION_EXTERNAL_LOGGER, ignore_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, http->listener[i],
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, l->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, l->per_address,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_line, http, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
        MHD_OPTION_END);
    if (http->daemon[i] == NULL)
        return err_set(err, ERR_IO, "cannot start to serve");
    http->listener[i] = -1; // the daemon's from here on
    return OK;
}

static enum status start(struct http *http, struct err *err)
{
    const struct http_limits *l = &http->config.limits;
    TRY(make_etags(http, err));
    TRY(rate_create(&http->by_address, RATE_SETS, l->address_per_s,
                    l->address_burst, err));
    TRY(rate_create(&http->by_session, RATE_SETS, l->session_per_s,
                    l->session_burst, err));
    http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->wake_fd < 0)
        return err_set(err, ERR_IO, "cannot make an event descriptor");
    TRY(listen_where_told(http, err));
    for (int i = 0; i < http->n; i++)
        TRY(start_daemon(http, i, err));
    if (pthread_create(&http->thread, NULL, serve, http) != 0)
        return err_set(err, ERR_MEMORY, "cannot start the server's thread");
    return OK;
}

/* All but the thread and what it has closed. */
static void release(struct http *http)
{
    for (int i = 0; i < HTTP_DAEMONS; i++)
        if (http->listener[i] >= 0)
            (void)close(http->listener[i]);
    if (http->wake_fd >= 0)
        (void)close(http->wake_fd);
    rate_destroy(http->by_address);
    rate_destroy(http->by_session);
    mem_free(http->etag);
    (void)pthread_mutex_destroy(&http->lock);
    mem_free(http);
}

enum status http_start(struct http **out, const struct http_config *c,
                       struct err *err)
{
    struct http *http;
    TRY(check_tables(c, err));
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    TRY(MEM_NEW(http, 1, err));
    http->config = *c;
    fill_limits(&http->config.limits);
    http->wake_fd = http->listener[0] = http->listener[1] = -1;
    /* With default attributes it cannot fail on Linux. */
    (void)pthread_mutex_init(&http->lock, NULL);
    enum status status = start(http, err);
    if (status != OK) {
        for (int i = 0; i < HTTP_DAEMONS; i++)
            if (http->daemon[i] != NULL)
                MHD_stop_daemon(http->daemon[i]);
        release(http);
        return status;
    }
    *out = http;
    return OK;
}

void http_stop(struct http *http)
{
    if (http == NULL)
        return;
    ask(http, &http->stop_asked);
    (void)pthread_join(http->thread, NULL);
    release(http);
}

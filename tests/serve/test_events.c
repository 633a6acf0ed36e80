/*
 * test_events.c - event streams: what a viewer gets, one that comes back, and
 * one that is dead or slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve/client.h"
#include "serve/events.h"

static struct events *hub;
static struct http *http;
static struct reply reply;

static void watch(void *ctx, struct http_request *r)
{
    (void)ctx;
    events_reply(hub, r);
}

static void hello(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_reply_empty(r);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/events", HTTP_ANYONE, 0, watch},
    {HTTP_GET, "/hello", HTTP_ANYONE, 0, hello},
};

static void start(size_t count, size_t bytes, size_t viewers)
{
    struct err err = {OK, ""};
    const struct events_config e = {count, bytes, viewers};
    assert_int_equal(events_create(&hub, &e, &err), OK);
    const struct http_config c = {.route = routes,
                                  .n_route = 2,
                                  .limits = {.address_per_s = 1000,
                                             .address_burst = 10000,
                                             .send_ms = 1000}};
    if (http_start(&http, &c, &err) != OK)
        fail_msg("%s", err.text);
    events_attach(hub, http);
}

static void stop(void)
{
    events_detach(hub);
    http_stop(http);
    events_destroy(hub);
}

static void tell(const char *data)
{
    struct err err = {OK, ""};
    if (events_publish(hub, "step", data, strlen(data), &err) != OK)
        fail_msg("%s", err.text);
}

/* A viewer, once its greeting is here. */
static int view(struct reply *r, const char *last)
{
    char text[200];
    int fd = client_open(http);
    (void)snprintf(text, sizeof text,
                   "GET /events HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
                   last != NULL ? "Last-Event-ID: " : "",
                   last != NULL ? last : "", last != NULL ? "\r\n" : "");
    assert_true(client_send(fd, text));
    r->len = 0;
    r->text[0] = '\0';
    assert_true(client_wait_for(fd, r, "retry: 1000\nid: ", 5000));
    return fd;
}

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000.0 + (double)t.tv_nsec / 1e6;
}

static void test_told(void **state)
{
    static struct reply other;
    char value[1024];
    (void)state;
    start(0, 0, 0);
    tell("\"before\"");
    int a = view(&reply, NULL), b = view(&other, NULL);
    assert_string_equal(client_header(&reply, "Content-Type", value),
                        "text/event-stream");
    assert_string_equal(client_header(&reply, "Cache-Control", value),
                        "no-store");
    double begin = now_ms();
    tell("{\"kl\":1}");
    assert_true(
        client_wait_for(a, &reply, "event: step\ndata: {\"kl\":1}\n\n", 1000));
    assert_true(client_wait_for(b, &other, "data: {\"kl\":1}\n\n", 1000));
    assert_true(now_ms() - begin < 1000.0); // the wake-up, not the beat
    assert_null(strstr(reply.text, "before"));
    assert_int_equal(events_counts(hub).viewers, 2);
    (void)close(a);
    (void)close(b);
    stop();
}

/* Who comes back gets what it missed, or is told that it cannot. */
static void test_comes_back(void **state)
{
    char id[64], *at;
    (void)state;
    start(4, 0, 0);
    int fd = view(&reply, NULL);
    tell("1");
    assert_true(client_wait_for(fd, &reply, "data: 1\n\n", 1000));
    for (const char *s = reply.text; (s = strstr(s, "id: ")) != NULL; s++)
        (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(s + 4, "\n"), s + 4);
    (void)close(fd);
    tell("2");
    tell("3");
    fd = view(&reply, id);
    assert_true(client_wait_for(fd, &reply, "data: 3\n\n", 1000));
    assert_non_null(strstr(reply.text, "data: 2\n\n"));
    assert_null(strstr(reply.text, "data: 1\n\n"));
    assert_null(strstr(reply.text, "reset"));
    (void)close(fd);
    for (int i = 0; i < 5; i++)
        tell("4");
    fd = view(&reply, id); // no longer in the ring
    assert_true(client_wait_for(fd, &reply, "event: reset", 1000));
    (void)close(fd);
    at = strchr(id, '-');
    (void)snprintf(at, 16, "-999"); // of the future
    fd = view(&reply, id);
    assert_true(client_wait_for(fd, &reply, "event: reset", 1000));
    (void)close(fd);
    fd = view(&reply, "00000000-1"); // another hub's
    assert_true(client_wait_for(fd, &reply, "event: reset", 1000));
    (void)close(fd);
    fd = view(&reply, "nonsense");
    assert_true(client_wait_for(fd, &reply, "event: reset", 1000));
    (void)close(fd);
    stop();
}

/* One that reads nothing and one that is gone: nobody waits for them, and the
 * one that reads gets everything. */
static void test_slow_and_dead(void **state)
{
    static char large[50000];
    static struct reply other;
    char wanted[32], body[64];
    int small = 4096;
    (void)state;
    start(0, 0, 0);
    int slow = view(&other, NULL), dead = view(&other, NULL);
    (void)setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    const struct linger cut = {1, 0};
    (void)setsockopt(dead, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
    (void)close(dead);
    memset(large, 'x', sizeof large - 1);
    double worst = 0.0;
    for (int i = 0; i < 400; i++) { // 20 MB: beyond any socket's buffers
        double begin = now_ms();
        tell(large);
        double took = now_ms() - begin;
        worst = took > worst ? took : worst;
        /* So that the slow one's buffers fill before the ring has passed. */
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    assert_true(worst < 500.0); // of copying 50 kB, on a machine that is busy
    int fd = view(&reply, NULL);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(body, sizeof body, "{\"n\":%d}", i);
        tell(body);
    }
    (void)snprintf(wanted, sizeof wanted, "data: {\"n\":4}\n\n");
    assert_true(client_wait_for(fd, &reply, wanted, 2000));
    client_ask(&other, http, "GET", "/hello", NULL, NULL);
    assert_int_equal(other.status, 204);
    /* Both are dropped: the dead one at its next event, the slow one when it
     * took nothing for send_ms. */
    double until = now_ms() + 5000.0;
    while (events_counts(hub).viewers > 1 && now_ms() < until) {
        const struct timespec t = {0, 50000000};
        (void)nanosleep(&t, NULL);
        tell("{}");
    }
    assert_int_equal(events_counts(hub).viewers, 1);
    (void)close(fd);
    (void)close(slow);
    stop();
}

static void test_limits(void **state)
{
    static char large[5000];
    struct err err = {OK, ""};
    (void)state;
    start(8, 16384, 1);
    assert_int_equal(events_publish(hub, "", "1", 1, &err), ERR_ARG);
    assert_int_equal(events_publish(hub, "a\nb", "1", 1, &err), ERR_ARG);
    assert_int_equal(events_publish(hub, "step", "1\ndata: 2", 9, &err),
                     ERR_ARG);
    assert_int_equal(events_publish(hub, "step", "1\r", 2, &err), ERR_ARG);
    memset(large, 'x', sizeof large);
    assert_int_equal(events_publish(hub, "step", large, sizeof large, &err),
                     ERR_LIMIT);
    int fd = view(&reply, NULL);
    client_ask(&reply, http, "GET", "/events", NULL, NULL);
    assert_int_equal(reply.status, 503);
    (void)close(fd);
    stop();
}

static void *publisher(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        tell("{\"by\":\"thread\"}");
    return NULL;
}

/* Several publish while viewers come, go and the server ends. */
static void test_at_once(void **state)
{
    pthread_t thread[2];
    (void)state;
    start(0, 0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, publisher, NULL), 0);
    for (int i = 0; i < 5; i++)
        (void)close(view(&reply, NULL));
    int fd = view(&reply, NULL);
    events_detach(hub);
    http_stop(http);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(thread[i], NULL);
    assert_true(client_is_closed(fd, 1000));
    assert_int_equal(events_counts(hub).viewers, 0);
    events_destroy(hub);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),          cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_slow_and_dead), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_http.c - what the server answers, what it refuses, and how it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve/client.h"
#include "serve/site.h"

static struct reply reply; // of the main thread

#define JSON "Content-Type: application/json\r\n"

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

static struct site site; // one for what needs no limits of its own
static struct http *http;

static int set_up(void **state)
{
    (void)state;
    struct http_config c = site_config(&site);
    c.limits.head_ms = 1500;
    http = site_start(&c);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_stop(http);
    return 0;
}

static void expect(int status, const char *method, const char *path,
                   const char *headers, const char *body)
{
    client_ask(&reply, http, method, path, headers, body);
    if (reply.status != status)
        fail_msg("%s %s: %d is not %d: %s", method, path, reply.status, status,
                 reply.text);
    if (status >= 400)
        assert_non_null(strstr(reply.body, "{\"error\":\""));
}

static void test_routes(void **state)
{
    char value[1024];
    (void)state;
    expect(200, "GET", "/api/hello/7/a.b?name=x%20%22", NULL, NULL);
    assert_string_equal(reply.body,
                        "{\"name\":\"x \\\"\",\"id\":7,\"word\":\"a.b\"}");
    assert_string_equal(client_header(&reply, "Content-Type", value),
                        "application/json");
    assert_string_equal(client_header(&reply, "Cache-Control", value),
                        "no-store");
    expect(404, "GET", "/api/hello/x/y", NULL, NULL);
    expect(404, "GET", "/nothing", NULL, NULL);
    expect(405, "GET", "/api/echo", NULL, NULL);
    assert_string_equal(client_header(&reply, "Allow", value),
                        "POST, PUT, DELETE");
    expect(405, "POST", "/", JSON, "{}");
    expect(405, "BREW", "/api/echo", NULL, NULL);
    expect(404, "BREW", "/pot", NULL, NULL);
    expect(404, "OPTIONS", "/nothing", NULL, NULL);
    expect(400, "OPTIONS", "*", NULL, NULL);
}

static void test_strict_headers(void **state)
{
    static const char *const paths[] = {"/", "/api/fail", "/nothing"};
    char value[1024];
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        client_ask(&reply, http, "GET", paths[i], NULL, NULL);
        assert_non_null(
            client_header(&reply, "Content-Security-Policy", value));
        assert_non_null(strstr(value, "default-src 'none'"));
        assert_null(strstr(value, "unsafe"));
        assert_null(strstr(value, "http"));
        assert_string_equal(
            client_header(&reply, "X-Content-Type-Options", value), "nosniff");
        assert_non_null(client_header(&reply, "Referrer-Policy", value));
        assert_non_null(
            client_header(&reply, "Cross-Origin-Opener-Policy", value));
        assert_non_null(
            client_header(&reply, "Cross-Origin-Resource-Policy", value));
        assert_null(
            client_header(&reply, "Access-Control-Allow-Origin", value));
    }
}

static void test_files(void **state)
{
    char etag[1024], headers[1200], value[1024];
    (void)state;
    expect(200, "GET", "/label.js", NULL, NULL);
    assert_string_equal(reply.body, "export {};");
    assert_string_equal(client_header(&reply, "Content-Type", value),
                        "text/javascript; charset=utf-8");
    assert_non_null(client_header(&reply, "ETag", etag));
    (void)snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
    expect(304, "GET", "/label.js", headers, NULL);
    assert_string_equal(reply.body, "");
    expect(200, "GET", "/", headers, NULL);
    int fd = client_open(http);
    assert_true(client_send(fd, "HEAD / HTTP/1.1\r\nHost: localhost\r\n"
                                "Connection: close\r\n\r\n"));
    reply.len = 0;
    reply.text[0] = '\0';
    assert_false(client_wait_for(fd, &reply, "<!doctype", 5000));
    assert_non_null(strstr(reply.text, "Content-Length: 15"));
    (void)close(fd);
}

static void test_traversal(void **state)
{
    static const char *const paths[] = {
        "/../etc/passwd",     "/label.js/../../etc/passwd",
        "/..%2fetc%2fpasswd", "/%2e%2e/etc/passwd",
        "//etc/passwd",       "/label.js%00.html",
        "/.\\..\\etc",        "/label.js/",
        "/LABEL.JS",          "http://evil/label.js",
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        client_ask(&reply, http, "GET", paths[i], NULL, NULL);
        if (reply.status != 400 && reply.status != 404)
            fail_msg("%s: %d", paths[i], reply.status);
        assert_null(strstr(reply.text, "export"));
        assert_null(strstr(reply.text, "root:"));
    }
}

static void test_bodies(void **state)
{
    static char large[SITE_BODY + 64], deep[SITE_BODY];
    (void)state;
    site.echoed = 0;
    expect(200, "POST", "/api/echo", JSON, "{\"a\":[1,null]}");
    assert_string_equal(reply.body, "{\"a\":[1,null]}");
    expect(200, "PUT", "/api/echo", JSON, "{}");
    expect(415, "POST", "/api/echo", NULL, "{}");
    expect(415, "POST", "/api/echo", "Content-Type: text/plain\r\n", "{}");
    expect(400, "POST", "/api/echo", JSON, "");
    expect(400, "POST", "/api/echo", JSON, "[1]");
    expect(400, "POST", "/api/echo", JSON, "{\"a\":");
    expect(400, "POST", "/api/echo", JSON, "{\"a\":\"\xff\"}");
    expect(400, "POST", "/api/echo", JSON, "{} {}");
    memset(deep, 0, sizeof deep);
    memset(deep, '[', 200);
    expect(400, "POST", "/api/echo", JSON, deep);
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{}", 2);
    expect(413, "POST", "/api/echo", JSON, large);
    large[SITE_BODY] = '\0';
    expect(200, "POST", "/api/echo", JSON, large);
    expect(413, "DELETE", "/api/echo", NULL, "{}");
    expect(413, "GET", "/", NULL, "x");
    expect(405, "POST", "/", NULL, "x");
    expect(411, "POST", "/api/echo", JSON "Transfer-Encoding: chunked\r\n",
           NULL);
    expect(400, "POST", "/api/echo",
           JSON "Content-Length: 2\r\nContent-Length: 3\r\n", NULL);
    assert_int_equal(site.echoed, 3);
}

static void test_hosts(void **state)
{
    (void)state;
    expect(200, "GET", "/", "Host: localhost:1\r\n", NULL);
    expect(200, "GET", "/", "Host: [::1]\r\n", NULL);
    expect(421, "GET", "/", "Host: evil.example\r\n", NULL);
    expect(421, "GET", "/", "Host: localhost.evil.example\r\n", NULL);
    expect(421, "GET", "/", "Host: 10.0.0.1\r\n", NULL);
    expect(400, "GET", "/", "Host: localhost\r\nHost: evil\r\n", NULL);
    expect(400, "GET", "/", "Host: a b\r\n", NULL);
}

static void test_heads(void **state)
{
    static char line[40000];
    (void)state;
    size_t at = (size_t)snprintf(line, sizeof line, "X-A: ");
    memset(line + at, 'a', 17000);
    (void)snprintf(line + at + 17000, 8, "\r\n");
    expect(431, "GET", "/", line, NULL);
    at = 0;
    for (int i = 0; i < 70; i++)
        at += (size_t)snprintf(line + at, sizeof line - at, "X-%d: a\r\n", i);
    expect(431, "GET", "/", line, NULL);
    /* Beyond what libmicrohttpd keeps of a connection: its own answer. */
    at = (size_t)snprintf(line, sizeof line, "X-A: ");
    memset(line + at, 'a', 34000);
    (void)snprintf(line + at + 34000, 8, "\r\n");
    client_ask(&reply, http, "GET", "/", line, NULL);
    assert_true(reply.status == 431 || reply.status == 0);
    expect(200, "GET", "/", NULL, NULL);
}

/* Bytes that are no HTTP: refused or cut, and the server goes on. */
static void test_malformed(void **state)
{
    static const char *const texts[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: -1\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 18446744073709551617\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = client_open(http);
        assert_true(client_send(fd, texts[i]));
        (void)shutdown(fd, SHUT_WR);
        client_read(fd, &reply);
        if (reply.status == 200)
            fail_msg("%s was served: %s", texts[i], reply.text);
        (void)close(fd);
    }
    expect(200, "GET", "/", NULL, NULL);
}

static void test_failures(void **state)
{
    (void)state;
    site.warning[0] = '\0';
    expect(500, "GET", "/api/fail", NULL, NULL);
    assert_null(strstr(reply.text, "secret"));
    expect(409, "GET", "/api/refuse", NULL, NULL);
    assert_string_equal(reply.body, "{\"error\":\"voted \\\"already\\\"\"}");
    expect(500, "GET", "/api/forget", NULL, NULL);
    expect(500, "GET", "/api/split", NULL, NULL);
    assert_null(strstr(reply.text, "planted"));
}

static void test_keep_alive(void **state)
{
    (void)state;
    int fd = client_open(http);
    for (int i = 0; i < 3; i++) {
        assert_true(client_send(
            fd, "POST /api/echo HTTP/1.1\r\nHost: localhost\r\n" JSON
                "Content-Length: 7\r\n\r\n{\"a\":1}"));
        client_read(fd, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "{\"a\":1}");
    }
    (void)close(fd);
    /* Both loopback addresses, the same site. */
    fd = client_open_to("::1", http_port(http));
    if (fd >= 0) {
        assert_true(client_send(fd, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"));
        client_read(fd, &reply);
        assert_int_equal(reply.status, 200);
        (void)close(fd);
    }
}

static void test_streams(void **state)
{
    (void)state;
    int fd = client_open(http);
    assert_true(client_send(fd, "GET /api/stream/whole HTTP/1.1\r\n"
                                "Host: localhost\r\n\r\n"));
    size_t n = 0;
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            n += bytes[i] == 'x';
        if (memcmp(bytes + got - 2, "\r\n", 2) == 0 && n >= SITE_LONG)
            break;
    }
    (void)close(fd);
    assert_true(n >= SITE_LONG);
    /* One that breaks has no last chunk. */
    fd = client_open(http);
    assert_true(client_send(fd, "GET /api/stream/broken HTTP/1.1\r\n"
                                "Host: localhost\r\n\r\n"));
    assert_true(client_is_closed(fd, 5000));
    (void)close(fd);
}

static void test_later(void **state)
{
    (void)state;
    expect(200, "POST", "/api/later", JSON, "{}");
    assert_string_equal(reply.body, "{\"late\":true}");
    /* Who asked is gone before the answer comes: nobody minds. */
    for (int i = 0; i < 20; i++) {
        int fd = client_open(http);
        assert_true(client_send(
            fd, "POST /api/later HTTP/1.1\r\nHost: localhost\r\n" JSON
                "Content-Length: 2\r\n\r\n{}"));
        (void)close(fd);
    }
    expect(200, "POST", "/api/later", JSON, "{}");
}

/* ---- servers of their own ----------------------------------------------- */

static void test_slow_loris(void **state)
{
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    (void)state;
    c.limits.head_ms = 600;
    c.limits.body_ms = 600;
    c.limits.idle_ms = 600;
    struct http *h = site_start(&c);
    static const char *const begin[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        "GE",
        "POST /api/echo HTTP/1.1\r\nHost: localhost\r\n" JSON
        "Content-Length: 1000\r\n\r\n{",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", // and then nothing
        "",
    };
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
        int fd = client_open(h);
        bool closed = false;
        assert_true(client_send(fd, begin[i]));
        /* A byte each 100 ms, so that it is never idle. */
        for (int k = 0; k < 40 && !closed; k++) {
            if (i < 3)
                (void)client_send(fd, "a");
            closed = client_is_closed(fd, 100);
        }
        if (!closed)
            fail_msg("slow client %zu is still there", i);
        (void)close(fd);
    }
    client_ask(&reply, h, "GET", "/", NULL, NULL);
    assert_int_equal(reply.status, 200);
    http_stop(h);
}

/* A client that reads nothing of an answer without end is cut. */
static void test_slow_reader(void **state)
{
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    (void)state;
    c.limits.send_ms = 500;
    struct http *h = site_start(&c);
    int fd = client_open(h);
    assert_true(client_send(fd, "GET /api/stream/huge HTTP/1.1\r\n"
                                "Host: localhost\r\n\r\n"));
    sleep_ms(1500);
    client_ask(&reply, h, "GET", "/", NULL, NULL);
    assert_int_equal(reply.status, 200);
    assert_int_equal(own.ended, 1); // before the server's end ends it
    http_stop(h);
    (void)close(fd);
}

static void test_rate(void **state)
{
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    char value[1024];
    (void)state;
    c.limits.address_per_s = 0.5;
    c.limits.address_burst = 3;
    struct http *h = site_start(&c);
    for (int i = 0; i < 3; i++) {
        client_ask(&reply, h, "GET", i == 1 ? "/nothing" : "/", NULL, NULL);
        assert_int_not_equal(reply.status, 429);
    }
    client_ask(&reply, h, "GET", "/", NULL, NULL);
    assert_int_equal(reply.status, 429);
    assert_string_equal(client_header(&reply, "Retry-After", value), "2");
    http_stop(h);
}

/* Behind a proxy, the last address that it names is who asks; without one,
 * the header is what anybody may write. */
static void test_rate_behind_proxy(void **state)
{
    static const struct {
        const char *header;
        int status[2]; // without and with a proxy
    } asked[] = {{"X-Forwarded-For: 192.0.2.1\r\n", {200, 200}},
                 {"X-Forwarded-For: 192.0.2.2\r\n", {429, 200}},
                 {"X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\n", {429, 429}},
                 {"X-Forwarded-For: 2001:db8::1\r\n", {429, 200}},
                 {"X-Forwarded-For: 2001:db8::2\r\n", {429, 429}}};
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct site own = {.ended = 0};
        struct http_config c = site_config(&own);
        c.is_tls = tls == 1;
        c.limits.address_per_s = 0.001;
        c.limits.address_burst = 1;
        struct http *h = site_start(&c);
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            client_ask(&reply, h, "GET", "/", asked[i].header, NULL);
            assert_int_equal(reply.status, asked[i].status[tls]);
        }
        http_stop(h);
    }
}

static void test_connections(void **state)
{
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    int fd[12];
    (void)state;
    c.limits.connections = 8;
    c.limits.head_ms = 1000;
    struct http *h = site_start(&c);
    for (int i = 0; i < 12; i++)
        fd[i] = client_open(h);
    sleep_ms(1500); // those that came first are cut, others get their place
    client_ask(&reply, h, "GET", "/", NULL, NULL);
    assert_int_equal(reply.status, 200);
    for (int i = 0; i < 12; i++)
        (void)close(fd[i]);
    http_stop(h);
}

/* Lets in nobody. */
static unsigned admit_none(void *ctx, struct http_request *r,
                           const struct http_route *route, struct http_who *who,
                           const char **why)
{
    (void)ctx;
    (void)r;
    (void)who;
    *why = "sign in first";
    return route->need == HTTP_ANYONE ? 0 : 401;
}

/* Told to, and with a guard, it listens to others; then an address in Host is
 * as good as a name, and a name still must be told. */
static void test_from_outside(void **state)
{
    static const char *const hosts[] = {"label.example"};
    const struct http_guard guard = {.admit = admit_none};
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    (void)state;
    c.address = "0.0.0.0";
    c.guard = &guard;
    c.host = hosts;
    c.n_host = 1;
    struct http *h = site_start(&c);
    static const struct {
        const char *host;
        int status;
    } asked[] = {{"10.1.2.3", 200},        {"label.example:443", 200},
                 {"LABEL.example", 200},   {"evil.example", 421},
                 {"10.1.2.3.nip.io", 421}, {"a.label.example", 421}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        char headers[80];
        (void)snprintf(headers, sizeof headers, "Host: %s\r\n", asked[i].host);
        client_ask(&reply, h, "GET", "/", headers, NULL);
        assert_int_equal(reply.status, asked[i].status);
    }
    client_ask(&reply, h, "POST", "/api/echo", JSON, "{}");
    assert_int_equal(reply.status, 401);
    assert_int_equal(own.echoed, 0);
    http_stop(h);
}

static void test_addresses(void **state)
{
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    struct http *h = NULL;
    struct err err = {OK, ""};
    (void)state;
    c.address = "0.0.0.0"; // and no guard
    assert_int_equal(http_start(&h, &c, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "sign-in"));
    c.address = "localhost";
    assert_int_equal(http_start(&h, &c, &err), ERR_ARG);
    c.address = "127.0.0.1";
    c.port = http_port(http); // the one that runs
    assert_int_equal(http_start(&h, &c, &err), ERR_BUSY);
    static const struct http_route bad[] = {
        {HTTP_GET, "/a/../b", HTTP_ANYONE, 0, NULL}};
    c.route = bad;
    c.n_route = 1;
    assert_int_equal(http_start(&h, &c, &err), ERR_ARG);
    assert_null(h);
    http_stop(NULL);
}

/* What is in flight is answered, streams are ended, nothing new is begun. */
static void test_stop_in_flight(void **state)
{
    static struct reply late;
    struct site own = {.ended = 0};
    struct http_config c = site_config(&own);
    (void)state;
    struct http *h = site_start(&c);
    unsigned port = http_port(h);
    int waiting = client_open(h), streaming = client_open(h);
    assert_true(client_send(streaming, "GET /api/stream/endless HTTP/1.1\r\n"
                                       "Host: localhost\r\n\r\n"));
    reply.len = 0;
    reply.text[0] = '\0';
    assert_true(client_wait_for(streaming, &reply, "xxxx", 5000));
    assert_true(client_send(
        waiting, "POST /api/later HTTP/1.1\r\nHost: localhost\r\n" JSON
                 "Content-Length: 2\r\n\r\n{}"));
    sleep_ms(40);
    http_stop(h);
    assert_int_equal(own.ended, 1);
    client_read(waiting, &late);
    assert_int_equal(late.status, 200);
    assert_string_equal(late.body, "{\"late\":true}");
    assert_true(client_is_closed(streaming, 1000));
    assert_int_equal(client_open_to("127.0.0.1", port), -1);
    (void)close(waiting);
    (void)close(streaming);
}

static void *crowd(void *arg)
{
    unsigned *wrong = arg;
    struct reply *r = malloc(sizeof *r);
    for (int i = 0; i < 60; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"n\":%d}", i);
        client_ask(r, http, "POST", "/api/echo", JSON, body);
        *wrong += r->status != 200 || strcmp(r->body, body) != 0;
        if (i % 6 == 0) {
            client_ask(r, http, "POST", "/api/later", JSON, "{}");
            *wrong += r->status != 200;
        }
    }
    free(r);
    return NULL;
}

static void test_two_at_once(void **state)
{
    pthread_t thread;
    unsigned one = 0, two = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, crowd, &one), 0);
    (void)crowd(&two);
    (void)pthread_join(thread, NULL);
    assert_int_equal(one + two, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_routes),
                                       cmocka_unit_test(test_strict_headers),
                                       cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_traversal),
                                       cmocka_unit_test(test_bodies),
                                       cmocka_unit_test(test_hosts),
                                       cmocka_unit_test(test_heads),
                                       cmocka_unit_test(test_malformed),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_keep_alive),
                                       cmocka_unit_test(test_streams),
                                       cmocka_unit_test(test_later),
                                       cmocka_unit_test(test_two_at_once),
                                       cmocka_unit_test(test_slow_loris),
                                       cmocka_unit_test(test_slow_reader),
                                       cmocka_unit_test(test_rate),
                                       cmocka_unit_test(test_rate_behind_proxy),
                                       cmocka_unit_test(test_connections),
                                       cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_from_outside),
                                       cmocka_unit_test(test_stop_in_flight)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

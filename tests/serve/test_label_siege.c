/*
 * test_label_siege.c - the program itself, `plumb label`, as an adversary
 * meets it: every refusal has the headers of every answer, markup in what a
 * model wrote stays text, what is out of shape is refused, and what is
 * replayed counts once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/program.h"

static int64_t votes(struct hall *h)
{
    return rig_number(&h->rig, "SELECT count(*) FROM vote");
}

/* Bytes as they are, `@` standing for "Host", the cookie and the token. */
static int send_raw(struct hall *h, const struct person *p, const char *text)
{
    static char bytes[100000];
    const char *at = strchr(text, '@');
    int n = at == NULL ? snprintf(bytes, sizeof bytes, "%s", text)
                       : snprintf(bytes, sizeof bytes,
                                  "%.*sHost: 127.0.0.1:%u\r\nCookie: %s\r\n"
                                  "X-Plumb-CSRF: %s\r\n%s",
                                  (int)(at - text), text, h->port, p->cookie,
                                  p->csrf, at + 1);
    assert_in_range(n, 1, sizeof bytes - 1);
    int fd = client_open_to("127.0.0.1", h->port);
    (void)client_send(fd, bytes);
    client_read(fd, &h->reply);
    (void)close(fd);
    return h->reply.status;
}

#define JSON "Content-Type: application/json\r\n"
static void test_headers(void **state)
{
    static const struct {
        int status;
        const char *text;
    } asked[] = {
        {200, "GET / HTTP/1.1\r\n@\r\n"},
        {200, "GET /api/pools HTTP/1.1\r\n@\r\n"},
        {400, "GET /../p HTTP/1.1\r\n@\r\n"},
        {400, "GET /api/pools?%zz HTTP/1.1\r\n@\r\n"},
        {400, "GET / HTTP/1.1\r\n@X-Plumb-CSRF: x\r\n\r\n"},
        {400, "POST /api/pools/1/next HTTP/1.1\r\n@" JSON
              "Content-Length: 18\r\n\r\n{\"<script>\":\"\\u00\""},
        {400, "POST /api/pools/1/next HTTP/1.1\r\n@" JSON
              "Content-Length: 14\r\n\r\n{\"<script>\":1}"},
        {401, "GET /api/pools HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {403,
         "POST /api/judges HTTP/1.1\r\n@" JSON "Content-Length: 2\r\n\r\n{}"},
        {403, "DELETE /api/session HTTP/1.1\r\n@Origin: http://evil\r\n\r\n"},
        {400, "GET /<script>alert(1)</script> HTTP/1.1\r\n@\r\n"},
        {404, "GET /nothing HTTP/1.1\r\n@\r\n"},
        {404, "GET /api/items/999999 HTTP/1.1\r\n@\r\n"},
        {405, "PUT / HTTP/1.1\r\n@\r\n"},
        {411, "POST /api/pools/1/next HTTP/1.1\r\n@" JSON
              "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
        {413, "POST /api/pools/1/next HTTP/1.1\r\n@" JSON
              "Content-Length: 99999\r\n\r\n"},
        {415, "POST /api/pools/1/next HTTP/1.1\r\n@"
              "Content-Length: 2\r\n\r\n{}"},
        {421, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
    };
    struct hall *h = &((struct program *)*state)->hall;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    static char head[20100];
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        if (send_raw(h, &ada, asked[i].text) != asked[i].status)
            fail_msg("%s\n-- is answered --\n%s", asked[i].text, h->reply.text);
        program_check_headers(&h->reply, asked[i].text);
    }
    (void)snprintf(head, sizeof head, "GET / HTTP/1.1\r\n@X: %020000d\r\n\r\n",
                   1);
    assert_int_equal(send_raw(h, &ada, head), 431);
    program_check_headers(&h->reply, "431");
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_act(h, &ada, a, "skip", "k", 0), 200);
    program_check_headers(&h->reply, "200");
    assert_int_equal(hall_act(h, &ada, a, "skip", "l", 0), 409);
    program_check_headers(&h->reply, "409");
    assert_int_equal(hall_ask(h, &ada, "DELETE", "/api/session", NULL), 204);
    program_check_headers(&h->reply, "204");
}

/* ---- markup ------------------------------------------------------------- */

/* The bytes of an answer's body: none is a control character, and the text
 * stands in it only as a string of JSON. */
static void check_text(struct hall *h, const char *member)
{
    char value[1024];
    assert_int_equal(h->reply.status, 200);
    program_check_headers(&h->reply, member);
    assert_string_equal(client_header(&h->reply, "Content-Type", value),
                        "application/json");
    for (const char *s = h->reply.body; *s != '\0'; s++)
        assert_false((unsigned char)*s < 0x20);
    assert_null(strstr(h->reply.body, "<script>alert(1)</script>\"'"));
    assert_non_null(strstr(h->reply.body, "\\r\\n\\r\\nHTTP/1.1"));
    assert_null(client_header(&h->reply, "Set-Cookie", value));
    const char *text = hall_text(h, member);
    if (strstr(text, program_script) == NULL)
        fail_msg("%s is '%s'", member, text);
}

static void test_script(void **state)
{
    struct hall *h = &((struct program *)*state)->hall;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    check_text(h, "items.0.prompt");
    check_text(h, "items.0.answers.0");
    check_text(h, "items.0.answers.1");
    (void)hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a);
    check_text(h, "answers.0");
    assert_int_equal(hall_act(h, &ada, a, "skip", "k", 0), 200);
    (void)hall_ask(h, &ada, "GET", "/api/history", NULL);
    assert_string_equal(hall_text(h, "items.0.act"), "skip");
    program_check_headers(&h->reply, "history");
    assert_null(strstr(h->reply.body, "<script>alert(1)</script>\"'"));
}

/* ---- methods, paths, bodies --------------------------------------------- */

static void test_methods(void **state)
{
    static const char *const methods[] = {"PUT",     "PATCH", "OPTIONS",
                                          "TRACE",   "BREW",  "get",
                                          "CONNECT", "POST ", "PROPFIND"};
    static const char *const paths[] = {
        "/",           "/api/session", "/api/pools",      "/api/pools/1/next",
        "/api/judges", "/api/history", "/api/items/1/act"};
    struct hall *h = &((struct program *)*state)->hall;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    int64_t a = hall_next(h, &root, h->spot);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            int status = hall_ask(h, &root, methods[m], paths[i], NULL);
            if (status == 429) // so many are asked at once
                (void)sleep(1);
            else if (status != 0 && (status < 400 || status >= 500))
                fail_msg("%s %s: %s", methods[m], paths[i], h->reply.text);
        }
    /* A method in a header is none: nothing is overridden. */
    char text[200];
    (void)snprintf(text, sizeof text,
                   "POST /api/items/%lld HTTP/1.1\r\n"
                   "X-HTTP-Method-Override: GET\r\n@\r\n",
                   (long long)a);
    assert_int_equal(send_raw(h, &root, text), 405);
    assert_int_equal(votes(h), 0);
    assert_int_equal(hall_ask(h, &root, "GET", "/api/session", NULL), 200);
}

static void test_paths(void **state)
{
    static const char *const paths[] = {"/project.db",
                                        "/../project.db",
                                        "/project.db-wal",
                                        "/..%2fproject.db",
                                        "/%2e%2e/errors",
                                        "/....//errors",
                                        "/..\\..\\project.db",
                                        "/./project.db",
                                        "//etc/passwd",
                                        "/../../../etc/passwd",
                                        "/label.js/../..",
                                        "/label.js%00",
                                        "/api/../project.db",
                                        "file:///etc/passwd",
                                        "/api/items/..%2f1",
                                        "/api/pools/1/next/../../../session",
                                        "/\xc0\xae\xc0\xae/errors"};
    struct hall *h = &((struct program *)*state)->hall;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int status = hall_ask(h, NULL, "GET", paths[i], NULL);
        if (status != 400 && status != 404)
            fail_msg("%s: %s", paths[i], h->reply.text);
        assert_null(strstr(h->reply.text, "SQLite format"));
        assert_null(strstr(h->reply.text, "root:"));
    }
}

/* A body of `n` times `middle`. */
static const char *body_of(const char *begin, const char *middle, size_t n,
                           const char *end)
{
    static char body[70000];
    size_t at = (size_t)snprintf(body, sizeof body, "%s", begin);
    size_t len = strlen(middle);
    for (size_t i = 0; i < n && at + len < sizeof body; i++, at += len)
        (void)snprintf(body + at, sizeof body - at, "%s", middle);
    (void)snprintf(body + at, sizeof body - at, "%s", end);
    return body;
}

static void test_giants(void **state)
{
    static const struct {
        const char *begin, *middle;
        size_t n;
        const char *end;
    } acts[] = {
        {"{\"key\":", "[", 60000, ""},
        {"{\"key\":", "{\"a\":", 13000, ""},
        {"{\"key\":", "[", 17, "]]]]]]]]]]]]]]]]]}"},
        {"{\"ranks\":[", "[],", 20000, "1]}"},
        {"{\"ranks\":[", "1,", 30000, "1],\"key\":\"k\",\"act\":\"vote\"}"},
        {"{\"supersedes\":", "9", 60000, "}"},
        {"{\"supersedes\":1e", "9", 60000, "}"},
        {"{\"key\":\"k\",\"act\":\"skip\",\"shown_at\":-", "9", 400, "}"},
        {"{\"key\":\"", "k", 65000, "\",\"act\":\"skip\"}"},
        {"{\"", "k", 65000, "\":1}"},
        {"{\"key\":\"k\",\"act\":\"skip\",\"reason\":\"", "\\ud800", 9000,
         "\"}"},
        {"{\"key\":\"k\",\"act\":\"skip\",\"reason\":\"", "\\u0000", 9000,
         "\"}"},
        {"\xef\xbb\xbf{\"key\":\"k\",\"act\":\"skip\"", " ", 9, "}"},
        {"", " ", 65000, "{"},
    };
    static const char *const wants[] = {
        "1e308", "1e400",  "NaN",  "Infinity",           "true",
        "16.5",  "null ,", "-0.1", "9223372036854775807"};
    struct hall *h = &((struct program *)*state)->hall;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        const char *body =
            body_of(acts[i].begin, acts[i].middle, acts[i].n, acts[i].end);
        int status = hall_askf(h, &ada, "POST", body, "/api/items/%lld/act",
                               (long long)a);
        if (status != 400)
            fail_msg("%zu: %.60s: %s", i, body, h->reply.text);
        program_check_headers(&h->reply, "giant");
    }
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        assert_int_equal(hall_askf(h, &ada, "POST",
                                   body_of("{\"want\":", wants[i], 1, "}"),
                                   "/api/pools/%lld/next", (long long)h->spot),
                         400);
    assert_int_equal(
        hall_ask(h, &ada, "GET", "/api/history?max=18446744073709551617", NULL),
        400);
    assert_int_equal(votes(h), 0);
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
}
#undef JSON

/* ---- again -------------------------------------------------------------- */

static void test_replays(void **state)
{
    enum {
        TIMES = 30
    };
    static char text[20000], one[1000];
    struct hall *h = &((struct program *)*state)->hall;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    static const char body[] =
        "{\"key\":\"k\",\"act\":\"vote\",\"overall\":\"A\"}";
    (void)snprintf(one, sizeof one,
                   "POST /api/items/%lld/act HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Cookie: %s\r\nX-Plumb-CSRF: %s\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   (long long)a, h->port, ada.cookie, ada.csrf, strlen(body),
                   body);
    /* All at once on one connection, then each on its own. */
    size_t len = strlen(one);
    for (int i = 0; i < TIMES; i++)
        memcpy(text + (size_t)i * len, one, len);
    text[TIMES * len] = '\0';
    int fd = client_open_to("127.0.0.1", h->port);
    assert_true(client_send(fd, text));
    (void)shutdown(fd, SHUT_WR);
    h->reply.len = 0;
    h->reply.text[0] = '\0';
    (void)client_wait_for(fd, &h->reply, "no such text", 5000);
    (void)close(fd);
    int fresh = 0, stale = 0;
    for (const char *s = h->reply.text; (s = strstr(s, "\"is_new\":")) != NULL;
         s += 9) {
        fresh += strncmp(s + 9, "true", 4) == 0;
        stale += strncmp(s + 9, "false", 5) == 0;
    }
    assert_int_equal(fresh, 1);
    assert_true(stale > 0);
    assert_int_equal(send_raw(h, NULL, one), 200);
    assert_string_equal(hall_text(h, "is_new"), "false");
    assert_int_equal(votes(h), 1);
    /* A request that was overheard is worth nothing when she has left. */
    assert_int_equal(hall_ask(h, &ada, "DELETE", "/api/session", NULL), 204);
    assert_int_equal(send_raw(h, NULL, one), 401);
    assert_int_equal(votes(h), 1);
}

/* The link that the program printed is good once. */
static void test_link(void **state)
{
    struct program *p = *state;
    struct hall *h = &p->hall;
    char token[64];
    const char *at = strstr(p->said, "#token=");
    assert_non_null(at);
    (void)snprintf(token, sizeof token, "%.*s", (int)strcspn(at + 7, "\""),
                   at + 7);
    (void)hall_sign_in(h, token);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    assert_int_equal(hall_ask(h, NULL, "POST", "/api/session", body), 401);
    program_check_headers(&h->reply, "a used link");
}

int main(void)
{
#define WITH(test)                                                             \
    cmocka_unit_test_setup_teardown(test, program_set_up, program_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_headers), WITH(test_script), WITH(test_methods),
        WITH(test_paths),   WITH(test_giants), WITH(test_replays),
        WITH(test_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

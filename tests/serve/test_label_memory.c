/*
 * test_label_memory.c - memory that runs out while a request is answered, one
 * allocation of ours at a time: an error or a closed connection, no crash, no
 * leak, and a vote that was acknowledged is there, one that was not can be sent
 * again.  (What libmicrohttpd and SQLite allocate is their own.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/auth.h"
#include "serve/hall.h"
#include "store/audit.h"

#define MOST 5000 // allocations of a request; it ends long before

static struct hall hall;

static int set_up(void **state)
{
    hall_open(&hall, 1);
    *state = &hall;
    return 0;
}

static int tear_down(void **state)
{
    struct hall *h = *state;
    struct audit_report report;
    struct err err = {OK, ""};
    if (audit_verify(&report, h->rig.db, &err) != OK)
        fail_msg("%s", err.text);
    hall_close(h);
    return 0;
}

/* Ask while the n-th allocation fails; the status, and whether it came to
 * it. */
static int ask_at(long n, bool *fired, struct hall *h, const struct person *p,
                  const char *method, const char *path, const char *body)
{
    mem_fail_at(n);
    int status = hall_ask(h, p, method, path, body);
    *fired = mem_count() > n;
    mem_fail_at(-1);
    return status;
}

/* For want of memory a request is failed inside, or not answered. */
static bool is_refusal(int status)
{
    return status == 0 || status == 500;
}

struct request {
    int status;
    const char *method, *path, *body;
};

/* Every allocation of a request that may be made again and again. */
static void sweep(struct hall *h, const struct person *p,
                  const struct request *r)
{
    long n = 0;
    size_t refused = 0;
    bool fired = true;
    for (; fired && n < MOST; n++) {
        int status = ask_at(n, &fired, h, p, r->method, r->path, r->body);
        if (status != r->status && !(fired && is_refusal(status)))
            fail_msg("%s %s, allocation %ld: %s", r->method, r->path, n,
                     h->reply.text);
        refused += is_refusal(status);
    }
    assert_false(fired);
    assert_true(refused > 0);
}

static void test_requests(void **state)
{
    static const struct request all[] = {
        {200, "GET", "/", NULL},
        {200, "GET", "/api/session", NULL},
        {200, "GET", "/api/pools", NULL},
        {200, "POST", "/api/pools/1/next", "{\"want\":3}"},
        {200, "GET", "/api/items/1", NULL},
        {200, "GET", "/api/history?max=3", NULL},
        {200, "POST", "/api/items/1/remark",
         "{\"key\":\"r\",\"kind\":\"comment\",\"text\":\"so\"}"},
        {200, "GET", "/api/judges", NULL},
        {200, "POST", "/api/judges/2/link", "{\"once\":true}"},
        {204, "DELETE", "/api/judges/3", NULL},
        {400, "GET", "/../x", NULL},
        {400, "POST", "/api/pools/1/next", "{\"want\":[1,{\"a\":2}]}"},
        {400, "POST", "/api/pools/1/next", "{\"want\":"},
        {404, "GET", "/nothing", NULL},
        {404, "GET", "/api/items/999", NULL},
        {405, "PUT", "/api/pools", NULL},
        {409, "POST", "/api/items/1/act",
         "{\"key\":\"other\",\"act\":\"skip\",\"supersedes\":0}"},
        {413, "GET", "/", "x"},
    };
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    (void)hall_enter(h, "ada", JUDGE_JUDGE);
    (void)hall_enter(h, "bob", JUDGE_JUDGE);
    assert_int_equal(hall_next(h, &root, h->spot), 1);
    assert_int_equal(hall_vote(h, &root, 1, "A", "k", 0), 200);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sweep(h, &root, &all[i]);
}

/* What was acknowledged is there, as is told when it is sent again; what was
 * not is taken then.  So through a chain of votes and undoing. */
static void test_acts(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot), standing = 0;
    char path[64], body[300];
    long n = 0;
    size_t told = 0, silent = 0;
    (void)snprintf(path, sizeof path, "/api/items/%lld/act", (long long)a);
    for (bool fired = true; fired && n < MOST; n++) {
        (void)snprintf(body, sizeof body,
                       "{\"key\":\"k%ld\",\"act\":\"vote\",\"supersedes\":%lld,"
                       "\"overall\":\"B\",\"marks\":[{\"helpful\":2},{}],"
                       "\"reason\":\"so\"}",
                       n, (long long)standing);
        int status = ask_at(n, &fired, h, &ada, "POST", path, body);
        if (status != 200 && !(fired && is_refusal(status)))
            fail_msg("allocation %ld: %s", n, h->reply.text);
        assert_int_equal(hall_ask(h, &ada, "POST", path, body), 200);
        bool is_new = strcmp(hall_text(h, "is_new"), "true") == 0;
        assert_false(status == 200 && is_new); // acknowledged, and lost
        told += status == 200;
        silent += status != 200 && !is_new;
        standing = hall_int(h, "act");
    }
    assert_true(n < MOST);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), n);
    print_message("%ld votes: %zu acknowledged at once, %zu kept without it\n",
                  n, told, silent);
}

/* Signing in, out, and inviting leave a session, a judge, or nothing. */
static void test_people(void **state)
{
    struct hall *h = *state;
    char token[AUTH_TOKEN_TEXT], body[200];
    int64_t judge = 0;
    bool fired = true;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    assert_int_equal(auth_invite(token, &judge, h->rig.db, "ada", JUDGE_JUDGE,
                                 AUTH_REUSABLE, 0, RIG_NOW, NULL),
                     OK);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    sweep(h, NULL, &(struct request){200, "POST", "/api/session", body});
    for (long n = 0; fired && n < MOST; n++) {
        (void)snprintf(body, sizeof body,
                       "{\"name\":\"judge %ld\",\"role\":\"judge\"}", n);
        int status = ask_at(n, &fired, h, &root, "POST", "/api/judges", body);
        if (status != 200 && !(fired && is_refusal(status)))
            fail_msg("allocation %ld: %s", n, h->reply.text);
    }
    fired = true;
    for (long n = 0; fired && n < MOST; n++) {
        struct person p = hall_sign_in(h, token);
        int status = ask_at(n, &fired, h, &p, "DELETE", "/api/session", NULL);
        if (status != 204 && !(fired && is_refusal(status)))
            fail_msg("allocation %ld: %s", n, h->reply.text);
        /* Out when told so; else she is in, or the answer was all that
         * failed. */
        if (status == 204)
            assert_int_equal(hall_ask(h, &p, "GET", "/api/session", NULL), 401);
    }
}

/* A stream that begins, or an error; never half a connection. */
static void test_watching(void **state)
{
    struct hall *h = *state;
    struct person vera = hall_enter(h, "vera", JUDGE_VIEWER);
    char text[600];
    bool fired = true;
    (void)snprintf(text, sizeof text,
                   "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Cookie: %s\r\n\r\n",
                   h->port, vera.cookie);
    for (long n = 0; fired && n < MOST; n++) {
        int fd = client_open_to("127.0.0.1", h->port);
        h->reply.len = 0;
        h->reply.text[0] = '\0';
        mem_fail_at(n);
        assert_true(client_send(fd, text));
        (void)client_wait_for(fd, &h->reply, "\r\n\r\n", 5000);
        fired = mem_count() > n;
        mem_fail_at(-1);
        bool is_stream = strncmp(h->reply.text, "HTTP/1.1 200", 12) == 0;
        if (!is_stream &&
            !(fired && (h->reply.len == 0 || h->reply.status == 500 ||
                        h->reply.status == 503)))
            fail_msg("allocation %ld: %s", n, h->reply.text);
        if (!is_stream && h->reply.len == 0)
            assert_true(client_is_closed(fd, 2000));
        (void)close(fd);
    }
}

/* A connection that there is no memory for is closed, not left to hang. */
static void test_silent_connection(void **state)
{
    struct hall *h = *state;
    mem_fail_at(0);
    int fd = client_open_to("127.0.0.1", h->port);
    bool is_closed = client_is_closed(fd, 5000);
    bool fired = mem_count() > 0;
    mem_fail_at(-1);
    (void)close(fd);
    assert_true(fired);
    assert_true(is_closed);
}

/* The server itself starts, or says that there is no memory. */
static void test_start(void **state)
{
    struct hall *h = *state;
    struct label *other = NULL;
    const struct label_config c = {.port = 0};
    bool fired = true;
    long n = 0;
    for (; fired && n < MOST; n++) {
        mem_fail_at(n);
        enum status status = label_start(&other, h->rig.db, &c, NULL);
        fired = mem_count() > n;
        mem_fail_at(-1);
        /* Its threads allocate, too, when it has begun. */
        if (status == OK)
            label_stop(other);
        else
            assert_int_equal(status, ERR_MEMORY);
        assert_true(fired || status == OK);
    }
    assert_in_range(n, 5, MOST - 1);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_requests),
        WITH(test_acts),
        WITH(test_people),
        WITH(test_watching),
        WITH(test_silent_connection),
        WITH(test_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

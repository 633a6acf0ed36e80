/*
 * test_label_crowd.c - the program itself, `plumb label`, when there is too
 * much or too little: neither hundreds of slow connections nor hundreds of
 * sessions keep a judge from voting, and a disk that is full refuses votes
 * loudly and keeps those that were there.
 */
/* For prlimit(): the room on the disk of a process that runs.
 * NOLINTNEXTLINE(bugprone-reserved-identifier) */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "serve/auth.h"
#include "serve/program.h"

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t votes(struct hall *h)
{
    return rig_number(&h->rig, "SELECT count(*) FROM vote");
}

/* ---- many --------------------------------------------------------------- */

/* One address takes all the connections it may have, and others the rest; each
 * sends a byte a second.  A judge who is there votes on, another address gets
 * in while there is a place, and ten seconds after it got its place each of
 * them is gone. */
static int open_from(const char *from, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    (void)inet_pton(AF_INET, from, &a.sin_addr);
    (void)inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
                    connect(fd, (struct sockaddr *)&to, sizeof to) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int vote_on(int fd, struct hall *h, const struct person *p, int64_t a,
                   int k)
{
    char text[1000], body[100];
    (void)snprintf(body, sizeof body, "{\"key\":\"k%d\",\"act\":\"skip\"}", k);
    (void)snprintf(text, sizeof text,
                   "POST /api/items/%lld/act HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Cookie: %s\r\nX-Plumb-CSRF: %s\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   (long long)a, h->port, p->cookie, p->csrf, strlen(body),
                   body);
    (void)client_send(fd, text);
    client_read(fd, &h->reply);
    return h->reply.status;
}

static void test_flood(void **state)
{
    enum {
        MANY = 300,
        HELD = 8
    };
    static int fd[2 * MANY];
    struct hall *h = &((struct program *)*state)->hall;
    int64_t a[HELD];
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    assert_int_equal(hall_askf(h, &ada, "POST", "{\"want\":8}",
                               "/api/pools/%lld/next", (long long)h->spot),
                     200);
    for (int i = 0; i < HELD; i++) {
        char path[40];
        (void)snprintf(path, sizeof path, "items.%d.assignment", i);
        a[i] = hall_int(h, path);
    }
    int hers = client_open_to("127.0.0.1", h->port);
    assert_int_equal(vote_on(hers, h, &ada, a[0], 0), 200);
    for (int i = 0; i < MANY; i++) {
        fd[i] = open_from("127.0.0.1", h->port);
        (void)client_send(fd[i], "POST /api/session HTTP/1.1\r\nX: ");
    }
    /* From her address there is no place any more, from another there is. */
    assert_int_equal(hall_ask(h, &ada, "GET", "/api/session", NULL), 0);
    int other = open_from("127.0.0.2", h->port);
    assert_int_equal(vote_on(other, h, &ada, a[1], 1), 200);
    (void)close(other);
    for (int i = MANY; i < 2 * MANY; i++) {
        fd[i] = open_from(i % 2 == 0 ? "127.0.0.3" : "127.0.0.4", h->port);
        (void)client_send(fd[i], "GE");
    }
    double begun = seconds();
    int k = 2, left = 1;
    while (left > 0 && seconds() - begun < 40) {
        if (k < HELD)
            assert_int_equal(vote_on(hers, h, &ada, a[k], k), 200);
        k++;
        (void)sleep(1);
        left = 0;
        for (int i = 0; i < 2 * MANY; i++)
            if (fd[i] >= 0 &&
                (!client_send(fd[i], "a") || client_is_closed(fd[i], 0))) {
                (void)close(fd[i]);
                fd[i] = -1;
            } else {
                left += fd[i] >= 0;
            }
    }
    print_message("%d slow connections gone in %.1f s\n", 2 * MANY,
                  seconds() - begun);
    assert_int_equal(left, 0);
    assert_int_equal(hall_ask(h, &ada, "GET", "/api/session", NULL), 200);
    assert_int_equal(vote_on(hers, h, &ada, a[0], 0), 200);
    (void)close(hers);
}

/* Who has a link signs in again and again: slowed down, and nobody else is. */
static void test_sessions(void **state)
{
    struct hall *h = &((struct program *)*state)->hall;
    char token[AUTH_TOKEN_TEXT], body[128];
    int64_t eve;
    int in = 0, status = 200;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(auth_invite(token, &eve, h->rig.db, "eve", JUDGE_JUDGE,
                                 AUTH_REUSABLE, 0, RIG_NOW, NULL),
                     OK);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    double begun = seconds();
    for (int i = 0; i < 20000 && status == 200; i++) {
        status = hall_ask(h, NULL, "POST", "/api/session", body);
        in += status == 200;
    }
    /* A burst of 200, and 20 for each second. */
    assert_int_equal(status, 429);
    program_check_headers(&h->reply, "429");
    char value[1024];
    assert_non_null(client_header(&h->reply, "Retry-After", value));
    assert_true(in <= 201 + (int)(21 * (seconds() - begun)));
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM session"),
                     in + 1);
}

/* ---- a full disk -------------------------------------------------------- */

static void give_room(const struct program *p, long more)
{
    struct stat log, main;
    char path[160];
    (void)snprintf(path, sizeof path, "%s-wal", p->hall.rig.path);
    assert_int_equal(stat(path, &log), 0);
    assert_int_equal(stat(p->hall.rig.path, &main), 0);
    off_t most = log.st_size > main.st_size ? log.st_size : main.st_size;
    const struct rlimit room = {
        more < 0 ? RLIM_INFINITY : (rlim_t)(most + more), RLIM_INFINITY};
    assert_int_equal(prlimit(p->pid, RLIMIT_FSIZE, &room, NULL), 0);
}

static void test_disk_full(void **state)
{
    enum {
        HELD = 16
    };
    struct hall *h = &((struct program *)*state)->hall;
    int64_t a[HELD];
    int full = 0, kept = 0, status[HELD];
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    assert_int_equal(hall_askf(h, &ada, "POST", "{\"want\":16}",
                               "/api/pools/%lld/next", (long long)h->spot),
                     200);
    for (int i = 0; i < HELD; i++) {
        char path[40];
        (void)snprintf(path, sizeof path, "items.%d.assignment", i);
        a[i] = hall_int(h, path);
    }
    assert_int_equal(hall_vote(h, &ada, a[0], "A", "k0", 0), 200);
    /* A vote changes some ten pages of 4 KiB: room for a few of them. */
    give_room(*state, 200000);
    for (int i = 1; i < HELD; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        status[i] = hall_vote(h, &ada, a[i], "A", key, 0);
        kept += status[i] == 200;
        full += status[i] == 507;
        if (status[i] == 507) {
            program_check_headers(&h->reply, "507");
            assert_non_null(strstr(hall_text(h, "error"), "disk"));
        }
    }
    print_message("%d votes kept, %d refused\n", kept, full);
    assert_int_equal(kept + full, HELD - 1);
    assert_true(kept > 0 && full > 0);
    assert_int_equal(votes(h), 1 + kept);
    /* What is only read is answered; nothing is handed out meanwhile. */
    assert_int_equal(hall_ask(h, &ada, "GET", "/api/pools", NULL), 200);
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a[0]),
        200);
    assert_string_equal(hall_text(h, "state"), "voted");
    /* With room again each is taken when it is sent again, once. */
    give_room(*state, -1);
    for (int i = 0; i < HELD; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(hall_vote(h, &ada, a[i], "A", key, 0), 200);
        assert_string_equal(hall_text(h, "is_new"),
                            i > 0 && status[i] == 507 ? "true" : "false");
    }
    assert_int_equal(votes(h), HELD);
    assert_true(hall_next(h, &ada, h->spot) > 0);
}

int main(void)
{
#define WITH(test)                                                             \
    cmocka_unit_test_setup_teardown(test, program_set_up, program_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_sessions),
        WITH(test_disk_full),
        WITH(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

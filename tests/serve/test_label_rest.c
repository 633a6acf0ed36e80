/* Whoever looks at how a pool stands, as often as can be, is not answered at
 * the expense of what trains beside it, and sees the last votes after all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve/hall.h"

static int set_up(void **state)
{
    static struct hall h;
    hall_open(&h, 2);
    *state = &h;
    return 0;
}

static int tear_down(void **state)
{
    hall_close(*state);
    return 0;
}

static struct reply stream;

/* A viewer of events, who has read where they begin. */
static int watch_events(struct hall *h, const struct person *p)
{
    char text[600];
    int fd = client_open_to("127.0.0.1", h->port);
    (void)snprintf(text, sizeof text,
                   "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Cookie: %s\r\n\r\n",
                   h->port, p->cookie);
    assert_true(client_send(fd, text));
    stream.len = 0;
    assert_true(client_wait_for(fd, &stream, "id: ", 5000));
    return fd;
}

/* Every flag makes the document old, and every look wants it new: once half a
 * second was spent on making it, one is answered with the old one.  Nobody
 * votes, so the event that follows is the one which says to look again. */
static void test_rest(void **state)
{
    struct hall *h = *state;
    struct person vera = hall_enter(h, "vera", JUDGE_VIEWER);
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    const struct timespec second = {1, 0};
    char path[64], other[64], body[64];
    int64_t flags = 0, a = hall_next(h, &ada, h->spot);
    (void)snprintf(path, sizeof path, "/api/pools/%lld/standing",
                   (long long)h->spot);
    (void)snprintf(other, sizeof other, "/api/pools/%lld/standing",
                   (long long)h->ranking);
    /* What the lease itself is told of comes before. */
    (void)nanosleep(&second, NULL);
    int fd = watch_events(h, &vera);
    do {
        hall_now += 1000; // for the limit of requests
        (void)snprintf(body, sizeof body,
                       "{\"key\":\"%lld\",\"kind\":\"flag\"}",
                       (long long)flags++);
        assert_int_equal(hall_askf(h, &ada, "POST", body,
                                   "/api/items/%lld/remark", (long long)a),
                         200);
        assert_int_equal(hall_ask(h, &vera, "GET", other, NULL), 200);
        assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
        assert_in_range(flags, 1, 50000);
    } while (hall_int(h, "progress.flags") == flags);
    assert_true(client_wait_for(fd, &stream, "event: vote", 20000));
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_int_equal(hall_int(h, "progress.flags"), flags);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rest, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

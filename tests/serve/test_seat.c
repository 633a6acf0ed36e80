/*
 * test_seat.c - a program's seat at the page: signing in, asking, what a
 * refusal is called, and holding out while the server is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serve/auth.h"
#include "serve/hall.h"
#include "serve/seat.h"

static struct hall hall;
static volatile sig_atomic_t stop;

static int set_up(void **state)
{
    (void)state;
    hall_open(&hall, 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hall_close(&hall);
    return 0;
}

static void invite(char link[AUTH_LINK_TEXT], const char *name)
{
    char token[AUTH_TOKEN_TEXT];
    int64_t judge;
    struct err err = {OK, ""};
    if (auth_invite(token, &judge, hall.rig.db, name, JUDGE_JUDGE,
                    AUTH_REUSABLE, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(auth_link(link, label_url(hall.label), token, &err), OK);
}

static struct seat *sit(const char *name, double patience)
{
    static const struct context context = {.stop = &stop};
    const struct seat_config c = {.patience = patience, .context = &context};
    char link[AUTH_LINK_TEXT];
    struct seat *seat;
    struct err err = {OK, ""};
    invite(link, name);
    if (seat_open(&seat, link, &c, &err) != OK)
        fail_msg("%s", err.text);
    return seat;
}

static enum status ask(struct seat *seat, enum seat_method method,
                       const char *path, const char *body)
{
    struct json *answer;
    struct err err = {OK, ""};
    enum status status = seat_call(seat, &answer, method, path, body, &err);
    if (status == OK)
        json_free(answer);
    else
        assert_null(answer);
    return status;
}

/* The judge's next item in the ranking pool. */
static int64_t next_item(struct seat *seat)
{
    char path[64];
    struct json *answer;
    struct err err = {OK, ""};
    (void)snprintf(path, sizeof path, "/api/pools/%lld/next",
                   (long long)hall.ranking);
    if (seat_call(seat, &answer, SEAT_POST, path, "{\"want\":1}", &err) != OK)
        fail_msg("%s", err.text);
    const struct json *item = json_at(json_get(answer, "items"), 0);
    int64_t id = json_int(json_get(item, "assignment"), -1);
    json_free(answer);
    assert_true(id > 0);
    return id;
}

static void test_links(void **state)
{
    static const char *const bad[] = {
        "",
        "ada",
        "http://127.0.0.1:1",
        "http://127.0.0.1:1/#token=",
        "http://127.0.0.1:1/#token=a\"b",
        "ftp://127.0.0.1:1/#token=abc",
        "file:///etc/passwd/#token=abc",
    };
    const struct seat_config c = {.patience = 0.2};
    const struct seat_config patient = {.patience = 30}; // of a busy machine
    char link[AUTH_LINK_TEXT];
    struct seat *seat;
    struct err err = {OK, ""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(seat_open(&seat, bad[i], &c, &err), ERR_ARG);
    invite(link, "ada");
    char *last = &link[strlen(link) - 1];
    *last = *last == 'A' ? 'Q' : 'A'; /* well-formed, and nobody's */
    assert_int_equal(seat_open(&seat, link, &patient, &err), ERR_MISSING);
    assert_int_equal(
        seat_open(&seat, "http://127.0.0.1:1/#token=abc", &c, &err), ERR_IO);
}

struct heard {
    int n;
    char text[200];
};

static void hear(void *ctx, const struct event *e)
{
    struct heard *h = ctx;
    h->n++;
    (void)snprintf(h->text, sizeof h->text, "%s", e->text);
}

/* Nobody listens there: told once, and given up after a while. */
static void test_nobody_there(void **state)
{
    struct heard h = {0};
    const struct context context = {.sink = hear, .sink_ctx = &h};
    const struct seat_config c = {.patience = 0.5, .context = &context};
    struct seat *seat;
    struct err err = {OK, ""};
    (void)state;
    assert_int_equal(
        seat_open(&seat, "http://127.0.0.1:1/#token=abc", &c, &err), ERR_IO);
    assert_int_equal(h.n, 1);
    assert_string_equal(
        h.text, "cannot connect to 127.0.0.1:1, trying again for 0.5 s");
    assert_non_null(
        strstr(err.text, "cannot connect to 127.0.0.1:1, tried for 0.5 s"));
}

static void test_asking(void **state)
{
    char path[64];
    (void)state;
    struct seat *seat = sit("ada", 5);
    assert_string_equal(seat_name(seat), "ada");
    int64_t id = next_item(seat);
    (void)snprintf(path, sizeof path, "/api/items/%lld/act", (long long)id);
    const char *act =
        "{\"key\":\"k1\",\"act\":\"skip\",\"supersedes\":0,\"shown_at\":1}";
    assert_int_equal(ask(seat, SEAT_POST, path, act), OK);
    assert_int_equal(ask(seat, SEAT_POST, path, act), OK); /* the same */
    assert_int_equal(ask(seat, SEAT_POST, path,
                         "{\"key\":\"k2\",\"act\":\"skip\",\"supersedes\":0,"
                         "\"shown_at\":1}"),
                     ERR_MISMATCH);
    assert_int_equal(ask(seat, SEAT_POST, path, "{}"), ERR_ARG);
    assert_int_equal(ask(seat, SEAT_GET, "/api/items/999", NULL), ERR_MISSING);
    assert_int_equal(ask(seat, SEAT_GET, "/api/judges", NULL), ERR_MISSING);
    assert_int_equal(ask(seat, SEAT_DELETE, "/api/session", NULL), OK);
    assert_int_equal(ask(seat, SEAT_GET, "/api/pools", NULL), ERR_MISSING);
    seat_close(seat);
}

static double read_clock(void)
{
    return (double)hall_now / 1000.0;
}

/* The server is back after a while, at the same place. */
static void *come_back(void *arg)
{
    const struct timespec t = {0, 400000000};
    static const struct context context = {.clock = read_clock};
    const struct label_config c = {.port = *(const uint16_t *)arg,
                                   .context = &context};
    struct err err = {OK, ""};
    (void)nanosleep(&t, NULL);
    if (label_start(&hall.label, hall.rig.db, &c, &err) != OK)
        hall.label = NULL;
    return NULL;
}

static void test_server_that_is_away(void **state)
{
    pthread_t thread;
    char path[64];
    (void)state;
    struct seat *seat = sit("ada", 20);
    int64_t id = next_item(seat);
    uint16_t port = (uint16_t)hall.port;
    (void)snprintf(path, sizeof path, "/api/items/%lld/act", (long long)id);
    label_stop(hall.label);
    hall.label = NULL;
    assert_int_equal(pthread_create(&thread, NULL, come_back, &port), 0);
    assert_int_equal(ask(seat, SEAT_POST, path,
                         "{\"key\":\"k1\",\"act\":\"skip\",\"supersedes\":0,"
                         "\"shown_at\":1}"),
                     OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(hall.label);
    seat_close(seat);

    /* Who has no patience is told, who is stopped stops. */
    seat = sit("bob", 0.01);
    struct seat *other = sit("eve", 60);
    label_stop(hall.label);
    hall.label = NULL;
    assert_int_equal(ask(seat, SEAT_GET, "/api/pools", NULL), ERR_IO);
    stop = 1;
    assert_int_equal(ask(other, SEAT_GET, "/api/pools", NULL), ERR_STOPPED);
    stop = 0;
    seat_close(seat);
    seat_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server_that_is_away, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_label_export.c - a pool's judgements as a file, over HTTP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "serve/hall.h"

static struct hall hall;

static int set_up(void **state)
{
    hall_open(&hall, 1);
    *state = &hall;
    return 0;
}

static int tear_down(void **state)
{
    hall_close(*state);
    return 0;
}

/* Everything comes out over HTTP as it does on the command line. */
static void test_export(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    char value[1024];
    int64_t id;
    for (int i = 0; (id = hall_next(h, &ada, h->spot)) != 0; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(hall_vote(h, &ada, id, "A", key, 0), 200);
    }
    assert_int_equal(
        hall_ask(h, &root, "GET", "/api/pools/1/export?format=spotcheck", NULL),
        200);
    assert_string_equal(client_header(&h->reply, "Content-Type", value),
                        "application/x-ndjson");
    assert_non_null(strstr(h->reply.body, "plumb.spotcheck/1"));
    assert_non_null(strstr(h->reply.body, "\"judge\":\"ada\""));
    assert_int_equal(hall_ask(h, &root, "GET",
                              "/api/pools/1/export?format=spotcheck&redact=1",
                              NULL),
                     200);
    assert_non_null(strstr(h->reply.body, "plumb.spotcheck/1"));
    assert_null(strstr(h->reply.body, "\"judge\":\"ada\""));
    static const struct {
        const char *path;
        int status;
    } asked[] = {{"/api/pools/1/export", 200},
                 {"/api/pools/1/export?format=comparator", 200},
                 {"/api/pools/1/export?format=csv", 400},
                 {"/api/pools/1/export?redact=yes", 400},
                 {"/api/pools/999/export", 404}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        assert_int_equal(hall_ask(h, &root, "GET", asked[i].path, NULL),
                         asked[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

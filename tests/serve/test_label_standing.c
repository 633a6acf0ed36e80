/* How a pool stands, over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

/* How it stands follows the votes, and is the same text until there is
 * another. */
static void test_standing(void **state)
{
    struct hall *h = *state;
    struct person vera = hall_enter(h, "vera", JUDGE_VIEWER);
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    static char first[REPLY_MAX];
    char path[64];
    (void)snprintf(path, sizeof path, "/api/pools/%lld/standing",
                   (long long)h->spot);
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_string_equal(hall_text(h, "schema"), "plumb.standing/1");
    assert_string_equal(hall_text(h, "says.0"), "Nobody has voted yet.");
    assert_int_equal(hall_int(h, "at"), hall_now);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
    int64_t act = hall_int(h, "act");
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_int_equal(hall_int(h, "progress.votes"), 1);
    assert_int_equal(hall_int(h, "judges.0.votes"), 1);
    assert_string_equal(hall_text(h, "judges.0.name"), "ada");
    (void)snprintf(first, sizeof first, "%s", h->reply.text);
    /* Leases and looking change nothing; an undo does. */
    hall_now += 7;
    (void)hall_next(h, &ada, h->spot);
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_string_equal(strstr(h->reply.text, "{\"schema\""),
                        strstr(first, "{\"schema\""));
    assert_int_equal(hall_act(h, &ada, a, "undo", "u", act), 200);
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_int_equal(hall_int(h, "progress.votes"), 0);
    assert_int_equal(hall_int(h, "judges.0.undone"), 1);
    assert_int_equal(hall_ask(h, &vera, "GET", "/api/pools/999/standing", NULL),
                     404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_standing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

/* Whoever judges, an administrator as well, is told nothing that one's own vote
 * moves otherwise than any other; who looks all the same is in the log, once,
 * and beside the name. */
static void test_bound(void **state)
{
    static const char *const closed[] = {
        "\"win\"",  "marks",  "sequential",  "agreement", "longer", "left",
        "complete", "begun",  "consistency", "gold",      "weight", "identical",
        "wanted",   "policy", "placebo",     NULL};
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    struct person vera = hall_enter(h, "vera", JUDGE_VIEWER);
    char path[64], look[80];
    (void)snprintf(path, sizeof path, "/api/pools/%lld/standing",
                   (long long)h->spot);
    (void)snprintf(look, sizeof look, "%s?unblind=1", path);
    /* Before the first item there is nothing to be swayed in. */
    assert_int_equal(hall_ask(h, &root, "GET", look, NULL), 200);
    assert_true(hall_int(h, "progress.items") > 0);
    int64_t a = hall_next(h, &root, h->spot);
    assert_int_equal(hall_vote(h, &root, a, "A", "k", 0), 200);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_string_equal(hall_text(h, "bound"), "true");
    assert_int_equal(hall_int(h, "progress.votes"), 1);
    assert_int_equal(hall_int(h, "judges.0.votes"), 1);
    for (size_t i = 0; closed[i] != NULL; i++)
        if (strstr(h->reply.body, closed[i]) != NULL)
            fail_msg("%s in %s", closed[i], h->reply.body);
    assert_int_equal(
        rig_number(&h->rig,
                   "SELECT count(*) FROM audit WHERE event = 'unblind'"),
        0);
    assert_int_equal(hall_askf(h, &root, "GET", NULL, "%s?unblind=2", path),
                     400);
    int64_t seen = hall_now += 5;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hall_ask(h, &root, "GET", look, NULL), 200);
        assert_true(hall_int(h, "progress.items") > 0);
        assert_non_null(strstr(h->reply.body, "\"win\""));
        assert_int_equal(hall_int(h, "judges.0.unblinded_at"), seen);
        hall_now++;
    }
    assert_int_equal(
        rig_number(&h->rig,
                   "SELECT count(*) FROM audit WHERE event = 'unblind'"),
        1);
    /* It stays closed where it is not asked for; others see who looked. */
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_string_equal(hall_text(h, "bound"), "true");
    assert_int_equal(hall_ask(h, &vera, "GET", path, NULL), 200);
    assert_true(hall_int(h, "judges.0.unblinded_at") > 0);
    assert_non_null(strstr(h->reply.body, "not blind since"));
    /* Of the other pool, and when this one is closed, nothing is held back. */
    assert_int_equal(hall_askf(h, &root, "GET", NULL,
                               "/api/pools/%lld/standing",
                               (long long)h->ranking),
                     200);
    assert_true(hall_int(h, "progress.items") > 0);
    assert_int_equal(items_close_pool(h->rig.db, h->spot, 0, RIG_NOW, NULL),
                     OK);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_true(hall_int(h, "progress.items") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_standing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

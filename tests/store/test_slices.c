/*
 * test_slices.c - what people say of the spot-checks that were queued together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "store/query.h"
#include "store/rig.h"
#include "store/slices.h"

enum {
    JUDGES = 12
};

static struct rig rig;
static double said[64];
static size_t n_said;

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig);
    n_said = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void hear(void *ctx, double win)
{
    (void)ctx;
    assert_in_range(n_said, 0, 63);
    said[n_said++] = win;
}

static struct slice_counts counts(const char *pool, const char *head)
{
    struct slice_counts c;
    struct err err = {OK, ""};
    n_said = 0;
    if (slices_read(&c, rig.db, pool, head, hear, NULL, &err) != OK)
        fail_msg("%s", err.text);
    return c;
}

/* The side that shows the policy's reply, which is the first candidate. */
static enum vote_overall side_of_policy(int64_t assignment)
{
    struct query q;
    bool row = false;
    assert_int_equal(query_open(&q, rig.db,
                                "SELECT shown = '[0,1]' FROM assignment "
                                "WHERE id = ?1",
                                NULL),
                     OK);
    query_bind_int(&q, 1, assignment);
    assert_int_equal(query_next(&q, &row, NULL), OK);
    bool is_left = query_int(&q, 0) != 0;
    query_close(&q);
    return is_left ? VOTE_A : VOTE_B;
}

/* Twelve judges see the sides in orders of their own: all say that the
 * policy's reply is better, wherever it stands, but for one who says both. */
static void test_sides(void **state)
{
    (void)state;
    int64_t pool = rig_pool(&rig, "spot-check", POOL_SPOTCHECK, JUDGES, 1);
    size_t left = 0;
    rig_pair(&rig, pool, "watch/a/1", ITEM_NORMAL, ITEM_RANDOM, 0);
    for (int i = 0; i < JUDGES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "judge %d", i);
        int64_t judge = rig_judge(&rig, name);
        int64_t at = rig_next(&rig, judge, pool, RIG_NOW);
        enum vote_overall better = side_of_policy(at);
        left += better == VOTE_A;
        rig_vote(&rig, judge, at, i == 0 ? VOTE_BOTH_GOOD : better, "k",
                 RIG_NOW);
    }
    assert_in_range(left, 1, JUDGES - 1); // both orders were among them
    struct slice_counts c = counts("spot-check", "watch/a/");
    assert_int_equal(c.items, 1);
    assert_int_equal(c.voted, 1);
    assert_int_equal(n_said, 1);
    assert_true(said[0] > 11.5 / 12 - 1e-12 && said[0] < 11.5 / 12 + 1e-12);
}

/* Others' names, controls, and what was taken back do not count. */
static void test_what_counts(void **state)
{
    (void)state;
    int64_t pool = rig_pool(&rig, "spot-check", POOL_SPOTCHECK, 1, 1);
    int64_t judge = rig_judge(&rig, "ada");
    rig_pair(&rig, pool, "watch/a/1", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(&rig, pool, "watch/a/2", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(&rig, pool, "watch/a/3", ITEM_PLACEBO, ITEM_RANDOM, 0);
    rig_pair(&rig, pool, "watch/ab/1", ITEM_NORMAL, ITEM_RANDOM, 0);
    assert_int_equal(counts("spot-check", "watch/a/").items, 2);
    assert_int_equal(counts("spot-check", "watch/").items, 3);
    assert_int_equal(counts("no such pool", "").items, 0);
    assert_int_equal(counts("spot-check", "watch/a/").voted, 0);
    for (int i = 0; i < 4; i++) {
        int64_t at = rig_next(&rig, judge, pool, RIG_NOW);
        assert_true(at > 0);
        rig_vote(&rig, judge, at, VOTE_A, "k", RIG_NOW);
    }
    assert_int_equal(counts("spot-check", "watch/a/").voted, 2);
    int64_t at = rig_number(&rig, "SELECT a.id FROM assignment AS a JOIN item "
                                  "AS i ON i.id = a.item_id WHERE i.name = "
                                  "'watch/a/2'");
    int64_t act = rig_number(
        &rig, "SELECT v.id FROM vote AS v JOIN assignment AS a ON a.id = "
              "v.assignment_id JOIN item AS i ON i.id = a.item_id WHERE "
              "i.name = 'watch/a/2'");
    rig_act(&rig, judge, at, VOTE_UNDO, act, "undo", RIG_NOW);
    assert_int_equal(counts("spot-check", "watch/a/").voted, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_counts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_slices.c - what people say of the spot-checks that were queued together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/query.h"
#include "store/rig.h"
#include "store/slices.h"

enum {
    JUDGES = 12
};

#define RUN "/home/ada/demo/ppo"
#define UMLAUTS "ääääääääääääääää"

static struct rig rig;
static struct {
    int64_t step;
    char prompt[16];
    double win;
} said[64];
static size_t n_said;
static struct {
    int64_t step;
    size_t items, voted;
} newest;

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

static enum status hear(void *ctx, const struct slice_vote *v, struct err *err)
{
    (void)ctx;
    (void)err;
    if (v->step != newest.step)
        newest.items = newest.voted = 0;
    newest.step = v->step;
    newest.items++;
    newest.voted += v->is_voted;
    if (!v->is_voted)
        return OK;
    assert_in_range(n_said, 0, 63);
    said[n_said].step = v->step;
    said[n_said].win = v->win;
    (void)snprintf(said[n_said++].prompt, 16, "%s", v->prompt_id);
    return OK;
}

/* Read a run's; pairs and votes of the newest step are counted. */
static void read_run(const char *run)
{
    struct err err = {OK, ""};
    n_said = 0;
    newest.step = -1;
    newest.items = newest.voted = 0;
    if (slices_read(rig.db, run, hear, NULL, &err) != OK)
        fail_msg("%s", err.text);
}

static void check_counts(const char *run, int64_t at, size_t items,
                         size_t voted)
{
    read_run(run);
    assert_int_equal(newest.step, at);
    assert_int_equal(newest.items, items);
    assert_int_equal(newest.voted, voted);
}

static int64_t pool_of(const char *run, int64_t overlap)
{
    char name[SLICES_POOL];
    slices_pool(name, run);
    return rig_pool(&rig, name, POOL_SPOTCHECK, overlap, 1);
}

/* An item that was queued; its prompt's id is its name, as the rig has it. */
static void queue(int64_t pool, const char *run, int64_t step, bool is_placebo,
                  const char *prompt)
{
    char name[SLICES_NAME];
    slices_name(name, run, step, is_placebo, prompt);
    assert_true(slices_is_name(name));
    (void)rig_pair(&rig, pool, name, is_placebo ? ITEM_PLACEBO : ITEM_NORMAL,
                   ITEM_RANDOM, 0);
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
    int64_t pool = pool_of(RUN, JUDGES);
    size_t left = 0;
    queue(pool, RUN, 7, false, "a");
    for (int i = 0; i < JUDGES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "judge %d", i);
        int64_t judge = rig_judge(&rig, name);
        int64_t at = rig_next(&rig, judge, pool, RIG_NOW);
        enum vote_overall better = side_of_policy(at);
        left += better == VOTE_A;
        rig_vote(&rig, judge, at, i == 0 ? VOTE_BOTH_GOOD : better, "k",
                 RIG_NOW);
        /* Nothing is said that another vote could take back. */
        check_counts(RUN, 7, 1, i == JUDGES - 1);
    }
    assert_in_range(left, 1, JUDGES - 1); // both orders were among them
    assert_int_equal(n_said, 1);
    assert_int_equal(said[0].step, 7);
    assert_true(said[0].win > 11.5 / 12 - 1e-12 &&
                said[0].win < 11.5 / 12 + 1e-12);
}

/* Votes on all that is handed out; the policy's reply wins, or loses. */
static void vote_on_all(int64_t judge, int64_t pool, bool is_better)
{
    int64_t at;
    while ((at = rig_next(&rig, judge, pool, RIG_NOW)) > 0) {
        bool is_a = (side_of_policy(at) == VOTE_A) == is_better;
        rig_vote(&rig, judge, at, is_a ? VOTE_A : VOTE_B, "k", RIG_NOW);
    }
}

/* Another run's, controls, and what was taken back do not count; counts are
 * the newest step's. */
static void test_what_counts(void **state)
{
    (void)state;
    int64_t pool = pool_of(RUN, 1);
    int64_t judge = rig_judge(&rig, "ada");
    queue(pool, RUN, 90, false, "a");
    queue(pool, RUN, 90, true, "b");
    check_counts(RUN, 90, 1, 0);
    vote_on_all(judge, pool, true);
    /* 100 comes after 90, whatever their bytes say. */
    queue(pool, RUN, 100, false, "a");
    queue(pool, RUN, 100, false, "c");
    check_counts(RUN, 100, 2, 0);
    assert_int_equal(n_said, 1);
    vote_on_all(judge, pool, false);
    check_counts(RUN, 100, 2, 2);
    assert_int_equal(n_said, 3);
    assert_true(said[0].step == 90 && said[0].win == 1);
    assert_true(said[1].step == 100 && said[1].win == 0);
    assert_true(said[2].step == 100 && said[2].win == 0);
    check_counts("/home/bob/demo/ppo", -1, 0, 0);
    int64_t at = rig_number(&rig, "SELECT max(assignment_id) FROM vote");
    int64_t act = rig_number(&rig, "SELECT max(id) FROM vote");
    rig_act(&rig, judge, at, VOTE_UNDO, act, "undo", RIG_NOW);
    check_counts(RUN, 100, 2, 1);
}

static enum status count_prompt(void *ctx, const char *prompt_id,
                                struct err *err)
{
    (void)err;
    assert_non_null(prompt_id);
    ++*(size_t *)ctx;
    return OK;
}

static size_t count_held(bool is_open, const char *pool)
{
    struct err err = {OK, ""};
    size_t n = 0;
    bool is = !is_open;
    if (slices_walk_open(rig.db, count_prompt, &n, &err) != OK ||
        slices_is_open(&is, rig.db, pool, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(is, is_open);
    return n;
}

/* All prompts are held as long as one item is open: the one that is left may be
 * a repeat, which has no prompt of its own. */
static void test_open(void **state)
{
    (void)state;
    int64_t pool = rig_pool(&rig, "blind", POOL_SPOTCHECK, 1, 1);
    int64_t judge = rig_judge(&rig, "ada");
    assert_int_equal(count_held(false, NULL), 0);
    for (int i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "p%d", i);
        (void)rig_pair(&rig, pool, name, ITEM_NORMAL, ITEM_RANDOM, 0);
    }
    (void)rig_repeat(&rig, pool, "again", "p0", 100);
    assert_int_equal(count_held(true, "blind"), 4);
    assert_int_equal(count_held(false, "another"), 4);
    vote_on_all(judge, pool, true);
    assert_int_equal(rig_number(&rig, "SELECT count(*) FROM vote"), 4);
    assert_int_equal(count_held(true, NULL), 4);
    (void)rig_number(&rig, "UPDATE pool SET closed_ms = 1 RETURNING id");
    assert_int_equal(count_held(false, NULL), 0);
}

/* Whatever a path holds, its pool has a name that the database takes, and
 * that no other one has. */
static void test_names(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    static const char *const runs[] = {
        RUN,
        "/home/bob/demo/ppo",
        "/ppo",
        "/x/\xff\xfe\n/ppo",
        "/x/a-long-name-of-a-project-that-is-longer-than-sixty-one-bytes-and-"
        "some/ppo",
        "/y/a-long-name-of-a-project-that-is-longer-than-sixty-one-bytes-and-"
        "some/ppo",
        "/x/" UMLAUTS UMLAUTS UMLAUTS "/ppo",
        "/x/a" UMLAUTS UMLAUTS UMLAUTS "/ppo"};
    enum {
        N = sizeof runs / sizeof *runs
    };
    char pool[N][SLICES_POOL], name[2][SLICES_NAME];
    for (size_t i = 0; i < N; i++) {
        slices_pool(pool[i], runs[i]);
        if (project_check_name(pool[i], "it", &err) != OK)
            fail_msg("%s", err.text);
        assert_non_null(strstr(pool[i], "ppo"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(pool[i], pool[k]);
    }
    assert_memory_equal(pool[0], "watch: demo/ppo ", 16);
    char prompt[2][140];
    for (int i = 0; i < 2; i++)
        (void)snprintf(prompt[i], sizeof prompt[i], "%0120d%d", 0, i);
    for (int i = 0; i < 2; i++)
        slices_name(name[i], RUN, INT64_MAX, true, prompt[i]);
    assert_string_not_equal(name[0], name[1]);
    assert_true(slices_is_name(name[0]));
    assert_false(slices_is_name("watch/a/7/pair/p0"));
    assert_false(slices_is_name("watch/0123456789abcdef/7/pear/"
                                "0123456789abcdef"));
    assert_false(slices_is_name("watch/0123456789abcdef/7/pair/"
                                "0123456789abcdef0"));
    assert_false(slices_is_name("heldout-000001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

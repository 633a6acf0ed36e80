/*
 * test_items.c - what may be an item and what may not; adding twice; reading
 * back; and the constraints of the schema itself, past the program's checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/rig.h"

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

#define PLAIN(t, s)                                                            \
    {                                                                          \
        .text = t, .source = s, .step = -1, .sample = -1, .tokens = -1         \
    }
#define BASE .name = "x", .prompt_id = "p", .prompt = "q", .candidate = fine

static const struct candidate fine[] = {
    PLAIN("a", "policy"), PLAIN("b", "reference"), PLAIN("c", "reference")};
static void test_round_trip(void **state)
{
    struct rig *r = *state;
    struct arena a = {0};
    struct item x;
    struct pool p;
    int64_t pool = rig_pool(r, "check", POOL_SPOTCHECK, 2, 0.25);
    int64_t id = rig_pair(r, pool, "policy-1", ITEM_NORMAL, ITEM_ADAPTIVE, 2.5);
    int64_t again = rig_repeat(r, pool, "again-1", "policy-1", 3);
    assert_int_equal(items_find_pool(&p, &a, r->db, "check", NULL), OK);
    assert_int_equal(p.id, pool);
    assert_int_equal(p.task, POOL_SPOTCHECK);
    assert_int_equal(p.overlap, 2);
    assert_int_equal(p.lease, RIG_LEASE);
    assert_true(p.random_share == 0.25);
    assert_string_equal(p.guide, "be fair");
    assert_int_equal(items_read(&x, &a, r->db, id, NULL), OK);
    assert_string_equal(x.name, "policy-1");
    assert_string_equal(x.prompt, "what of policy-1?");
    assert_true(x.priority == 2.5);
    assert_string_equal(x.extra, "{\"tags\":{\"intent\":\"late\"}}");
    assert_null(x.messages);
    assert_int_equal(x.n, 2);
    assert_string_equal(x.candidate[0].text, "good policy-1");
    assert_string_equal(x.candidate[0].run, "runs/ppo");
    assert_int_equal(x.candidate[0].step, 10);
    assert_int_equal(x.candidate[0].tokens, 58);
    assert_true(x.candidate[0].score == 1.5);
    assert_string_equal(x.candidate[0].finish, "eos");
    assert_string_equal(x.candidate[0].extra, "{\"kl\":12.5}");
    assert_string_equal(x.candidate[1].source, "reference");
    assert_int_equal(x.candidate[1].step, -1);
    assert_true(isnan(x.candidate[1].score));
    assert_null(x.candidate[1].finish);
    /* A repeat has what its item has. */
    assert_int_equal(items_read(&x, &a, r->db, again, NULL), OK);
    assert_int_equal(x.kind, ITEM_REPEAT);
    assert_string_equal(x.repeat_of, "policy-1");
    assert_int_equal(x.gap, 3);
    assert_string_equal(x.prompt, "what of policy-1?");
    assert_string_equal(x.candidate[1].text, "better policy-1");
    assert_int_equal(items_read(&x, &a, r->db, 99, NULL), ERR_MISSING);
    assert_int_equal(items_find_pool(&p, &a, r->db, "none", NULL), ERR_MISSING);
    arena_free(&a);
}

static void test_twice(void **state)
{
    struct rig *r = *state;
    struct err err = {OK, ""};
    int64_t pool = rig_pool(r, "check", POOL_RANKING, 1, 1), id, other;
    bool is_new = false;
    struct item x = {.pool = pool,
                     .name = "one",
                     .prompt_id = "p",
                     .prompt = "hello",
                     .extra = "{\"a\":1,  \"b\":[ ]}",
                     .messages = "[{\"role\":\"user\",\"content\":\"hello\"}]",
                     .candidate = fine,
                     .n = 2};
    assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, &err), OK);
    assert_true(is_new);
    x.extra = "{\"a\":1,\"b\":[]}";
    assert_int_equal(items_add(&other, &is_new, r->db, &x, 0, RIG_NOW, &err),
                     OK);
    assert_false(is_new);
    assert_int_equal(other, id);
    x.prompt = "goodbye";
    assert_int_equal(items_add(&other, &is_new, r->db, &x, 0, RIG_NOW, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "another item 'one'"));
    x.name = "again";
    rig_repeat(r, pool, "again", "one", 2);
    x = (struct item){.pool = pool,
                      .name = "again",
                      .kind = ITEM_REPEAT,
                      .repeat_of = "one",
                      .gap = 2};
    assert_int_equal(items_add(&other, &is_new, r->db, &x, 0, RIG_NOW, &err),
                     OK);
    assert_false(is_new);
    x.gap = 3;
    assert_int_equal(items_add(&other, &is_new, r->db, &x, 0, RIG_NOW, &err),
                     ERR_MISMATCH);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM audit WHERE event = "
                                   "'item'"),
                     2);
}

/* One that no candidate may be, and one that is in order. */
static const struct candidate bad_candidates[][2] = {
    {PLAIN("\xff", "m"), PLAIN("b", "n")},
    {PLAIN("a", ""), PLAIN("b", "n")},
    {{.text = "a", .source = "m", .finish = "stop"}, PLAIN("b", "n")},
    {{.text = "a", .source = "m", .extra = "[1]"}, PLAIN("b", "n")},
    {{.text = "a", .source = "m", .score = (double)INFINITY}, PLAIN("b", "n")},
};

/* Every rule of an item, broken one at a time; pool 1 is of spot-checks, pool
 * 2 of rankings. */
static const struct {
    struct item x;
    const char *words;
} bad_items[] = {
    {{BASE, .pool = 1, .n = 3}, "two candidates"},
    {{BASE, .pool = 2, .n = 1}, "1 candidates"},
    {{BASE, .pool = 2, .n = 65}, "65 candidates"},
    {{BASE, .pool = 1, .n = 2, .kind = ITEM_PLACEBO}, "placebo"},
    {{BASE, .pool = 2, .n = 2, .kind = ITEM_PLACEBO}, "placebo"},
    {{BASE, .pool = 1, .n = 2, .kind = ITEM_IDENTICAL}, "identical"},
    {{BASE, .pool = 1, .n = 2, .kind = ITEM_GOLD}, "expected answer"},
    {{BASE, .pool = 1, .n = 2, .expected = "{\"better\":0}"}, "gold"},
    {{BASE, .pool = 1, .n = 2, .kind = ITEM_GOLD, .expected = "{\"better\":2}"},
     "expected"},
    {{BASE, .pool = 2, .n = 3, .kind = ITEM_GOLD,
      .expected = "{\"ranking\":[1,2]}"},
     "expected"},
    {{BASE, .pool = 2, .n = 2, .repeat_of = "y"}, "repeat"},
    {{BASE, .pool = 2, .n = 2, .kind = ITEM_REPEAT, .repeat_of = "y", .gap = 1},
     "nothing of its own"},
    {{.pool = 2, .name = "x", .kind = ITEM_REPEAT, .repeat_of = "y"}, "gap"},
    {{BASE, .pool = 2, .n = 2, .priority = (double)NAN}, "priority"},
    {{BASE, .pool = 2, .n = 2, .extra = "[]"}, "no JSON object"},
    {{BASE, .pool = 2, .n = 2, .extra = "{"}, "x"},
    {{BASE, .pool = 2, .n = 2, .messages = "[{\"role\":\"boss\"}]"}, "x"},
    {{.pool = 2, .name = "x", .prompt_id = "p", .candidate = fine, .n = 2},
     "no prompt"},
    {{.pool = 2, .name = "x", .prompt = "q", .candidate = fine, .n = 2},
     "prompt's id"},
    {{.pool = 2, .name = "x\n"}, "control character"},
};

static void test_refused(void **state)
{
    struct rig *r = *state;
    int64_t id;
    bool is_new;
    assert_int_equal(rig_pool(r, "pair", POOL_SPOTCHECK, 1, 1), 1);
    assert_int_equal(rig_pool(r, "rank", POOL_RANKING, 1, 1), 2);
    for (size_t i = 0; i < sizeof bad_items / sizeof *bad_items; i++) {
        struct err err = {OK, ""};
        enum status status =
            items_add(&id, &is_new, r->db, &bad_items[i].x, 0, RIG_NOW, &err);
        if ((status != ERR_ARG && status != ERR_FORMAT) ||
            strstr(err.text, bad_items[i].words) == NULL)
            fail_msg("case %zu: %d, '%s'", i, (int)status, err.text);
    }
    for (size_t i = 0; i < sizeof bad_candidates / sizeof *bad_candidates;
         i++) {
        struct item x = {BASE, .pool = 2, .n = 2};
        x.candidate = bad_candidates[i];
        assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, NULL),
                         ERR_ARG);
    }
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item"), 0);
    /* What they are all but for one thing is fine. */
    const struct item x = {BASE, .pool = 2, .n = 2};
    assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, NULL), OK);
}

static void test_refused_otherwise(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_RANKING, 1, 1), id;
    bool is_new;
    struct item x = {.pool = pool,
                     .name = "again",
                     .kind = ITEM_REPEAT,
                     .repeat_of = "none",
                     .gap = 1};
    assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, NULL),
                     ERR_MISSING);
    rig_ranking(r, pool, "one", 2);
    rig_repeat(r, pool, "two", "one", 1);
    x.repeat_of = "two"; // of a repeat
    assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, NULL),
                     ERR_MISMATCH);
    x.pool = 99;
    assert_int_equal(items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, NULL),
                     ERR_MISSING);
    const struct pool bad[] = {
        {.name = "p", .overlap = 1, .lease = 1, .guide = ""},
        {.name = "", .overlap = 1, .lease = 1, .guide = ""},
        {.name = "q", .overlap = 0, .lease = 1, .guide = ""},
        {.name = "q", .overlap = 1001, .lease = 1, .guide = ""},
        {.name = "q", .overlap = 1, .lease = 0, .guide = ""},
        {.name = "q", .overlap = 1, .lease = 1, .guide = "\xff"},
        {.name = "q",
         .overlap = 1,
         .lease = 1,
         .guide = "",
         .random_share = 1.5},
        {.name = "q",
         .overlap = 1,
         .lease = 1,
         .guide = "",
         .random_share = (double)NAN},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(items_add_pool(&id, r->db, &bad[i], 0, RIG_NOW, NULL),
                         i == 0 ? ERR_MISMATCH : ERR_ARG);
}

static void test_changes(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t random = rig_pair(r, pool, "a", ITEM_NORMAL, ITEM_RANDOM, 5);
    int64_t adaptive = rig_pair(r, pool, "b", ITEM_NORMAL, ITEM_ADAPTIVE, 5);
    assert_int_equal(items_set_priority(r->db, adaptive, 7, NULL), OK);
    assert_int_equal(items_set_priority(r->db, random, 7, NULL), ERR_ARG);
    assert_int_equal(items_set_priority(r->db, adaptive, (double)NAN, NULL),
                     ERR_ARG);
    /* A draw in [0, 1), not what the caller gave. */
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item WHERE arm = "
                                   "'random' AND priority < 1"),
                     1);
    assert_int_equal(items_retire(r->db, random, "typo", 0, RIG_NOW, NULL), OK);
    assert_int_equal(items_retire(r->db, 99, NULL, 0, RIG_NOW, NULL),
                     ERR_MISSING);
    assert_int_equal(items_close_pool(r->db, pool, 0, RIG_NOW, NULL), OK);
    assert_int_equal(items_close_pool(r->db, 99, 0, RIG_NOW, NULL),
                     ERR_MISSING);
}

/* ---- what the database itself refuses ----------------------------------- */

static const char *const refused[] = {
    /* append-only */
    "UPDATE vote SET reason = 'other'",
    "DELETE FROM vote",
    "UPDATE audit SET detail = 'other'",
    "DELETE FROM audit",
    "DELETE FROM remark",
    "UPDATE remark SET text = 'other'",
    "INSERT OR REPLACE INTO vote SELECT * FROM vote",
    "REPLACE INTO audit SELECT * FROM audit",
    "REPLACE INTO assignment SELECT * FROM assignment",
    "UPDATE project SET seed = 1",
    "DELETE FROM project",
    /* what was judged */
    "UPDATE item SET prompt = 'other' WHERE id = 1",
    "UPDATE item SET pool_id = 2",
    "DELETE FROM item",
    "UPDATE candidate SET text = 'other'",
    "DELETE FROM candidate",
    "UPDATE pool SET overlap = 9",
    "DELETE FROM pool",
    "UPDATE judge SET name = 'other'",
    "DELETE FROM judge",
    /* blind orders */
    "UPDATE assignment SET shown = '[1,0]'",
    "UPDATE assignment SET secret = zeroblob(32)",
    "UPDATE assignment SET commitment = zeroblob(32)",
    "UPDATE assignment SET judge_id = 2",
    "DELETE FROM assignment",
    /* one chain, one key */
    "INSERT INTO vote (assignment_id, key, act, overall, render, shown_ms, "
    "voted_ms) VALUES (1, 'k2', 'vote', 'A', 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, supersedes, key, act, overall, "
    "render, shown_ms, voted_ms) VALUES (1, 1, 'k1', 'vote', 'A', 'plain', "
    "1, 2)",
    "INSERT INTO vote (assignment_id, supersedes, key, act, overall, "
    "render, shown_ms, voted_ms) VALUES (2, 1, 'k3', 'vote', 'A', 'plain', "
    "1, 2)",
    "INSERT INTO vote (assignment_id, key, act, render, shown_ms, "
    "voted_ms) VALUES (2, 'k4', 'undo', 'plain', 1, 2)",
    /* payloads */
    "INSERT INTO vote (assignment_id, key, act, render, shown_ms, "
    "voted_ms) VALUES (2, 'k5', 'vote', 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, ranks, render, shown_ms, "
    "voted_ms) VALUES (2, 'k6', 'vote', '[1,2]', 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, ranks, render, "
    "shown_ms, voted_ms) VALUES (2, 'k6', 'vote', 'A', '[1,2]', 'plain', "
    "1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, render, shown_ms, "
    "voted_ms) VALUES (2, 'k7', 'vote', 'C', 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, left_direct, "
    "render, shown_ms, voted_ms) VALUES (2, 'k8', 'vote', 'A', 5, 'plain', "
    "1, 2)",
    "INSERT INTO vote (assignment_id, key, act, left_direct, render, "
    "shown_ms, voted_ms) VALUES (2, 'k9', 'skip', 3, 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, strength, render, "
    "shown_ms, voted_ms) VALUES (2, 'k10', 'vote', 'A', 2, 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, render, shown_ms, "
    "voted_ms) VALUES (2, 'k11', 'vote', 'A', 'plain', 3, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, render, shown_ms, "
    "voted_ms) VALUES (99, 'k12', 'vote', 'A', 'plain', 1, 2)",
    "INSERT INTO vote (assignment_id, key, act, overall, render, shown_ms, "
    "voted_ms) VALUES (2, 'k13', 'vote', 'A', 'plain', 'early', 2)",
    /* assignments */
    "INSERT INTO assignment (item_id, judge_id, nth, shown, secret, "
    "commitment, leased_ms, expires_ms) VALUES (1, 1, 9, '[0,1]', "
    "zeroblob(32), zeroblob(32), 1, 2)",
    "INSERT INTO assignment (item_id, judge_id, nth, shown, secret, "
    "commitment, leased_ms, expires_ms) VALUES (2, 1, 1, '[0,1]', "
    "zeroblob(32), zeroblob(32), 1, 2)",
    "INSERT INTO assignment (item_id, judge_id, nth, shown, secret, "
    "commitment, leased_ms, expires_ms) VALUES (99, 1, 8, '[0,1]', "
    "zeroblob(32), zeroblob(32), 1, 2)",
    "UPDATE assignment SET state = 'lost'",
    /* items */
    "INSERT INTO item (pool_id, name, kind, arm, priority, created_ms) "
    "VALUES (1, 'z', 'normal', 'random', 0, 1)",
    "INSERT INTO item (pool_id, name, kind, repeat_of, gap, arm, priority, "
    "created_ms) VALUES (2, 'z', 'repeat', 1, 1, 'random', 0, 1)",
    "INSERT INTO candidate (item_id, place, text, source) VALUES (1, 1, "
    "'t', 's')",
    "INSERT INTO candidate (item_id, place, text, source) VALUES (1, 64, "
    "'t', 's')",
    "INSERT INTO judge (name, role, created_ms) VALUES ('q', 'boss', 1)",
    "INSERT INTO judge (name, role, token_hash, created_ms) VALUES ('q', "
    "'judge', x'00', 1)",
    "INSERT INTO session (judge_id, hash, created_ms, expires_ms) VALUES "
    "(99, zeroblob(32), 1, 2)",
};

static void test_constraints(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 2, 1);
    rig_pool(r, "q", POOL_SPOTCHECK, 2, 1);
    rig_pair(r, pool, "a", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(r, pool, "b", ITEM_NORMAL, ITEM_RANDOM, 0);
    int64_t anna = rig_judge(r, "anna");
    int64_t bert = rig_judge(r, "bert");
    int64_t one = rig_next(r, anna, pool, RIG_NOW);
    rig_vote(r, anna, one, VOTE_A, "k1", RIG_NOW);
    assert_int_equal(rig_next(r, bert, pool, RIG_NOW), 2);
    const struct remark remark = {.assignment = one,
                                  .key = "r1",
                                  .kind = REMARK_FLAG,
                                  .text = "odd",
                                  .at = RIG_NOW};
    int64_t id;
    bool is_new;
    assert_int_equal(votes_remark(&id, &is_new, r->db, anna, &remark, NULL),
                     OK);
    int64_t before = rig_number(r, "SELECT count(*) FROM audit");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err err = {OK, ""};
        if (db_run(r->db, refused[i], &err) != ERR_MISMATCH)
            fail_msg("%s: %s", refused[i], err.text);
    }
    assert_int_equal(rig_number(r, "SELECT count(*) FROM audit"), before);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_otherwise, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constraints, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

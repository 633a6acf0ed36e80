/*
 * test_votes.c - acts: stored once, undone, superseded, refused; remarks;
 * progress.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/audit.h"
#include "store/progress.h"
#include "store/rig.h"

static struct {
    struct rig rig;
    int64_t pool, ranking, anna, bert;
} at;

static int set_up(void **state)
{
    rig_open(&at.rig);
    at.pool = rig_pool(&at.rig, "pairs", POOL_SPOTCHECK, 2, 1);
    at.ranking = rig_pool(&at.rig, "ranks", POOL_RANKING, 1, 1);
    at.anna = rig_judge(&at.rig, "anna");
    at.bert = rig_judge(&at.rig, "bert");
    rig_pair(&at.rig, at.pool, "one", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(&at.rig, at.pool, "two", ITEM_PLACEBO, ITEM_RANDOM, 0);
    rig_ranking(&at.rig, at.ranking, "three", 4);
    rig_ranking(&at.rig, at.ranking, "pair", 2);
    *state = &at.rig;
    return 0;
}

static int tear_down(void **state)
{
    struct audit_report report;
    struct err err = {OK, ""};
    struct rig *r = *state;
    /* Whatever a test did, the log holds. */
    if (audit_verify(&report, r->db, &err) != OK)
        fail_msg("%s", err.text);
    rig_close(r);
    return 0;
}

static struct vote sample(int64_t assignment, const char *key)
{
    return (struct vote){.assignment = assignment,
                         .key = key,
                         .act = VOTE_CAST,
                         .overall = VOTE_B,
                         .marks = {votes_no_marks(), votes_no_marks()},
                         .render = VOTE_MARKDOWN,
                         .shown = RIG_NOW,
                         .voted = RIG_NOW + 100};
}

static enum status cast(int64_t judge, const struct vote *v, int64_t *id,
                        bool *is_new, struct err *err)
{
    return votes_cast(id, is_new, at.rig.db, judge, v, err);
}

static void test_read_back(void **state)
{
    struct rig *r = *state;
    struct arena a = {0};
    struct vote v;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW);
    int64_t id = rig_vote(r, at.anna, one, VOTE_BOTH_GOOD, "k", RIG_NOW);
    assert_int_equal(votes_read(&v, &a, r->db, id, NULL), OK);
    assert_int_equal(v.assignment, one);
    assert_int_equal(v.supersedes, 0);
    assert_int_equal(v.act, VOTE_CAST);
    assert_int_equal(v.overall, VOTE_BOTH_GOOD);
    assert_int_equal(v.marks[0].helpful, 3);
    assert_int_equal(v.marks[0].direct, 4);
    assert_int_equal(v.marks[0].correct, VOTE_CORRECT_YES);
    assert_int_equal(v.marks[0].length, VOTE_LENGTH_RIGHT);
    assert_int_equal(v.marks[1].helpful, -1);
    assert_int_equal(v.marks[1].direct, 1);
    assert_int_equal(v.marks[1].correct, VOTE_CORRECT_UNSURE);
    assert_int_equal(v.marks[1].length, VOTE_TOO_LONG);
    assert_string_equal(v.reason, "it \"answers\"");
    assert_string_equal(v.key, "k");
    assert_int_equal(v.render, VOTE_PLAIN);
    assert_int_equal(v.K, 0);
    assert_int_equal(v.shown, RIG_NOW - 1000);
    assert_int_equal(v.voted, RIG_NOW);
    arena_free(&a);
}

/* Ranks are of the screen; the candidates' come through the order. */
static void test_ranking(void **state)
{
    struct rig *r = *state;
    struct arena a = {0};
    struct assignment x;
    struct vote v = sample(0, "k");
    int32_t rank[ORDER_MAX];
    int64_t id = rig_next(r, at.anna, at.ranking, RIG_NOW), stored;
    bool is_new;
    assert_int_equal(assign_read(&x, r->db, id, NULL), OK);
    if (x.order.K == 2) {
        rig_rank(r, at.anna, id, 2, "first", RIG_NOW);
        id = rig_next(r, at.anna, at.ranking, RIG_NOW);
        assert_int_equal(assign_read(&x, r->db, id, NULL), OK);
    }
    static const int32_t shown[4] = {3, 1, 1, 4};
    v.assignment = id;
    v.overall = VOTE_OVERALL_NONE;
    v.K = 4;
    memcpy(v.rank, shown, sizeof shown);
    assert_int_equal(cast(at.anna, &v, &stored, &is_new, NULL), OK);
    assert_int_equal(votes_read(&v, &a, r->db, stored, NULL), OK);
    assert_int_equal(v.K, 4);
    assert_memory_equal(v.rank, shown, sizeof shown);
    votes_by_candidate(rank, &v, &x.order);
    for (int s = 0; s < 4; s++)
        assert_int_equal(rank[x.order.place[s]], shown[s]);
    arena_free(&a);
}

static void test_sent_again(void **state)
{
    struct rig *r = *state;
    struct err err = {OK, ""};
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW), id, again;
    struct vote v = sample(one, "k1");
    bool is_new = false;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, &err), OK);
    assert_true(is_new);
    v.voted += 5000; // the server's clock when it came again
    assert_int_equal(cast(at.anna, &v, &again, &is_new, &err), OK);
    assert_false(is_new);
    assert_int_equal(again, id);
    /* After an undo, too: the act that was answered is still that act. */
    int64_t undo = rig_act(r, at.anna, one, VOTE_UNDO, id, "k2", RIG_NOW + 200);
    assert_int_equal(cast(at.anna, &v, &again, &is_new, &err), OK);
    assert_false(is_new);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM assignment WHERE "
                                   "state = 'leased'"),
                     1);
    v.overall = VOTE_A;
    assert_int_equal(cast(at.anna, &v, &again, &is_new, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "another vote's"));
    v = sample(one, "k3");
    v.supersedes = undo;
    assert_int_equal(cast(at.anna, &v, &again, &is_new, &err), OK);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 3);
}

/* Two windows: the second is told that it comes too late. */
static void test_chain(void **state)
{
    struct rig *r = *state;
    struct err err = {OK, ""};
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW), id;
    int64_t first = rig_vote(r, at.anna, one, VOTE_A, "w1", RIG_NOW);
    struct vote v = sample(one, "w2");
    bool is_new;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "the last one is"));
    /* Said over, without an undo. */
    v.supersedes = first;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, &err), OK);
    v.key = "w3";
    assert_int_equal(cast(at.anna, &v, &id, &is_new, &err), ERR_MISMATCH);
    int64_t last = rig_number(r, "SELECT max(id) FROM vote");
    int64_t undo = rig_act(r, at.anna, one, VOTE_UNDO, last, "u1", RIG_NOW + 1);
    struct vote twice = sample(one, "u2");
    twice.act = VOTE_UNDO;
    twice.overall = VOTE_OVERALL_NONE;
    twice.supersedes = undo;
    assert_int_equal(cast(at.anna, &twice, &id, &is_new, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "undone already"));
    /* The item is in the judge's hands again, and asked for next. */
    assert_int_equal(rig_next(r, at.anna, at.pool, RIG_NOW + 2), one);
}

static void test_skip(void **state)
{
    struct rig *r = *state;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW);
    int64_t skip = rig_act(r, at.anna, one, VOTE_SKIP, 0, "s", RIG_NOW);
    /* Wanted still, but not of this judge. */
    assert_int_equal(rig_number(r, "SELECT sum(taken) FROM item"), 0);
    int64_t two = rig_next(r, at.anna, at.pool, RIG_NOW);
    assert_true(two != 0 && two != one);
    rig_vote(r, at.anna, two, VOTE_A, "k", RIG_NOW);
    assert_int_equal(rig_next(r, at.anna, at.pool, RIG_NOW), 0);
    rig_act(r, at.anna, one, VOTE_UNDO, skip, "u", RIG_NOW);
    assert_int_equal(rig_next(r, at.anna, at.pool, RIG_NOW), one);
}

/* Every rule of an act, broken one at a time. */
static void test_refused(void **state)
{
    struct rig *r = *state;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW), id;
    char long_key[VOTES_KEY_MAX + 2];
    static char reason[PROJECT_REMARK_MAX + 2];
    bool is_new;
    memset(long_key, 'k', sizeof long_key);
    long_key[VOTES_KEY_MAX + 1] = '\0';
    memset(reason, 'r', sizeof reason - 1);
    struct vote bad[16];
    size_t n = 0;
    for (size_t i = 0; i < 16; i++)
        bad[i] = sample(one, "k");
    bad[n++].key = "";
    bad[n++].key = "a b";
    bad[n++].key = long_key;
    bad[n++].overall = VOTE_OVERALL_NONE;
    bad[n++].K = 2;
    bad[n++].strength = 1;
    bad[n++].marks[0].direct = 5;
    bad[n++].marks[1].helpful = -2;
    bad[n++].voted = RIG_NOW - 1;
    bad[n++].reason = reason;
    bad[n++].reason = "\xc3";
    bad[n++].act = VOTE_SKIP; // with an overall choice
    bad[n].act = VOTE_UNDO;   // of nothing
    bad[n++].overall = VOTE_OVERALL_NONE;
    bad[n++].assignment = rig_next(r, at.anna, at.ranking, RIG_NOW);
    for (size_t i = 0; i < n; i++) {
        enum status status = cast(at.anna, &bad[i], &id, &is_new, NULL);
        if (status != ERR_ARG)
            fail_msg("case %zu: %d", i, (int)status);
    }
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 0);
}

/* A rank is 1 + how many are above; all are ranked; strength is a pair's. */
static void test_refused_rankings(void **state)
{
    static const int32_t ranks[][4] = {{0, 1, 2, 3}, {1, 2, 2, 3},
                                       {2, 3, 4, 5}, {1, 1, 2, 2},
                                       {1, 2, 3, 5}, {-1, 2, 3, 4}};
    struct rig *r = *state;
    int64_t held[2], id, pair, four;
    size_t n;
    bool is_new;
    struct assignment x;
    assert_int_equal(
        assign_next(held, &n, 2, r->db, at.anna, at.ranking, RIG_NOW, NULL),
        OK);
    assert_int_equal(assign_read(&x, r->db, held[0], NULL), OK);
    pair = held[x.order.K == 2 ? 0 : 1];
    four = held[x.order.K == 2 ? 1 : 0];
    struct vote v = sample(four, "r");
    v.overall = VOTE_OVERALL_NONE;
    v.K = 4;
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        memcpy(v.rank, ranks[i], sizeof ranks[i]);
        assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_ARG);
    }
    static const int32_t right[] = {1, 2, 3, 4};
    memcpy(v.rank, right, sizeof right);
    v.K = 3;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_ARG);
    v.K = 4;
    v.strength = 1;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_ARG);
    v.assignment = pair;
    v.K = 2;
    v.strength = 4;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_ARG);
    v.strength = 1;
    v.rank[1] = 1; // a tie
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_ARG);
    v.rank[1] = 2;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), OK);
}

static void test_not_own(void **state)
{
    struct rig *r = *state;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW), id;
    bool is_new;
    struct vote v = sample(one, "k");
    assert_int_equal(cast(at.bert, &v, &id, &is_new, NULL), ERR_MISSING);
    assert_int_equal(cast(99, &v, &id, &is_new, NULL), ERR_MISSING);
    v.assignment = 99;
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_MISSING);
    assert_int_equal(judges_revoke(r->db, at.anna, 0, RIG_NOW, NULL), OK);
    v = sample(one, "k");
    assert_int_equal(cast(at.anna, &v, &id, &is_new, NULL), ERR_MISSING);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 0);
}

/* ---- remarks, lists, progress ------------------------------------------- */

static enum status join_id(void *ctx, int64_t id, struct err *err)
{
    (void)err;
    buf_printf(ctx, "%lld;", (long long)id);
    return OK;
}

static void test_remarks(void **state)
{
    struct rig *r = *state;
    struct arena a = {0};
    struct buf ids;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW), id, again;
    struct remark x = {.assignment = one,
                       .key = "c1",
                       .kind = REMARK_FLAG,
                       .text = "both are \xc3\xbc"
                               "ber",
                       .at = RIG_NOW};
    bool is_new;
    assert_int_equal(votes_remark(&id, &is_new, r->db, at.anna, &x, NULL), OK);
    assert_true(is_new);
    assert_int_equal(votes_remark(&again, &is_new, r->db, at.anna, &x, NULL),
                     OK);
    assert_false(is_new);
    x.text = "other";
    assert_int_equal(votes_remark(&again, &is_new, r->db, at.anna, &x, NULL),
                     ERR_MISMATCH);
    assert_int_equal(votes_remark(&again, &is_new, r->db, at.bert, &x, NULL),
                     ERR_MISSING);
    x.key = "c2";
    x.kind = REMARK_COMMENT;
    assert_int_equal(votes_remark(&again, &is_new, r->db, at.anna, &x, NULL),
                     OK);
    buf_init(&ids, 100);
    assert_int_equal(votes_walk_remarks(r->db, one, join_id, &ids, NULL), OK);
    assert_string_equal(buf_text(&ids), "1;2;");
    assert_int_equal(votes_read_remark(&x, &a, r->db, id, NULL), OK);
    assert_string_equal(x.text, "both are \xc3\xbc"
                                "ber");
    assert_int_equal(x.kind, REMARK_FLAG);
    buf_free(&ids);
    arena_free(&a);
}

static void test_recent(void **state)
{
    struct rig *r = *state;
    struct buf ids;
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW);
    int64_t vote = rig_vote(r, at.anna, one, VOTE_A, "k", RIG_NOW);
    int64_t two = rig_next(r, at.anna, at.pool, RIG_NOW);
    rig_vote(r, at.anna, two, VOTE_A, "k", RIG_NOW);
    buf_init(&ids, 100);
    assert_int_equal(votes_walk_recent(r->db, at.anna, 10, join_id, &ids, NULL),
                     OK);
    assert_string_equal(buf_text(&ids), "2;1;");
    rig_act(r, at.anna, one, VOTE_UNDO, vote, "u", RIG_NOW);
    buf_clear(&ids);
    assert_int_equal(votes_walk_recent(r->db, at.anna, 1, join_id, &ids, NULL),
                     OK);
    assert_string_equal(buf_text(&ids), "1;");
    buf_clear(&ids);
    assert_int_equal(votes_walk(r->db, one, join_id, &ids, NULL), OK);
    assert_string_equal(buf_text(&ids), "1;3;");
    buf_free(&ids);
}

static void test_progress(void **state)
{
    struct rig *r = *state;
    struct progress p;
    struct progress_judge j;
    rig_repeat(r, at.pool, "again", "one", 1);
    int64_t one = rig_next(r, at.anna, at.pool, RIG_NOW);
    rig_vote(r, at.anna, one, VOTE_A, "k", RIG_NOW);
    int64_t same = rig_next(r, at.bert, at.pool, RIG_NOW);
    int64_t vote = rig_vote(r, at.bert, same, VOTE_A, "k", RIG_NOW);
    rig_next(r, at.anna, at.pool, RIG_NOW);
    assert_int_equal(progress_pool(&p, r->db, at.pool, RIG_NOW, NULL), OK);
    assert_int_equal(p.items, 2);
    assert_int_equal(p.complete, 1);
    assert_int_equal(p.begun, 0);
    assert_int_equal(p.votes, 2);
    assert_int_equal(p.wanted, 2);
    assert_int_equal(p.held, 1);
    assert_int_equal(p.repeats, 1);
    assert_int_equal(p.repeats_voted, 0);
    rig_act(r, at.bert, same, VOTE_UNDO, vote, "u", RIG_NOW);
    assert_int_equal(
        progress_pool(&p, r->db, at.pool, RIG_NOW + 2 * RIG_LEASE, NULL), OK);
    assert_int_equal(p.complete, 0);
    assert_int_equal(p.begun, 1);
    assert_int_equal(p.votes, 1);
    assert_int_equal(p.wanted, 3);
    assert_int_equal(p.held, 0);
    assert_int_equal(progress_judge(&j, r->db, at.bert, at.pool, RIG_NOW, NULL),
                     OK);
    assert_int_equal(j.assigned, 1);
    assert_int_equal(j.voted, 0);
    assert_int_equal(j.held, 1);
    assert_int_equal(j.undone, 1);
    assert_int_equal(progress_judge(&j, r->db, at.anna, at.pool, RIG_NOW, NULL),
                     OK);
    assert_int_equal(j.assigned, 2);
    assert_int_equal(j.voted, 1);
    assert_int_equal(j.undone, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ranking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_skip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_rankings, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_not_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remarks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_progress, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

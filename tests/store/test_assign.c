/*
 * test_assign.c - who gets what: overlap, leases, repeats, arms; orders that
 * are balanced, committed to and drawn again; and nothing in what is shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/audit.h"
#include "store/query.h"
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

static void add_pairs(struct rig *r, int64_t pool, const char *prefix, int n,
                      enum item_arm arm)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s-%d", prefix, i);
        rig_pair(r, pool, name, ITEM_NORMAL, arm, i);
    }
}

static int64_t item_of(struct rig *r, int64_t assignment)
{
    struct assignment x;
    assert_int_equal(assign_read(&x, r->db, assignment, NULL), OK);
    return x.item;
}

static int64_t vote_next(struct rig *r, int64_t judge, int64_t pool)
{
    char key[32];
    int64_t id = rig_next(r, judge, pool, RIG_NOW);
    if (id == 0)
        return 0;
    (void)snprintf(key, sizeof key, "k%lld", (long long)id);
    rig_vote(r, judge, id, VOTE_A, key, RIG_NOW);
    return item_of(r, id);
}

/* Every item to exactly `overlap` judges, to none twice, and those begun come
 * before others. */
static void test_overlap(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 2, 1);
    int64_t judge[3] = {rig_judge(r, "a"), rig_judge(r, "b"),
                        rig_judge(r, "c")};
    int64_t first[3];
    int left = 3;
    add_pairs(r, pool, "x", 10, ITEM_RANDOM);
    first[0] = vote_next(r, judge[0], pool);
    first[1] = vote_next(r, judge[1], pool);
    first[2] = vote_next(r, judge[2], pool);
    assert_int_equal(first[0], first[1]);
    assert_int_not_equal(first[2], first[0]);
    while (left > 0) {
        left = 0;
        for (int j = 0; j < 3; j++)
            left += vote_next(r, judge[j], pool) != 0;
    }
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 20);
    assert_int_equal(rig_number(r, "SELECT min(taken) FROM item"), 2);
    assert_int_equal(rig_number(r, "SELECT max(taken) FROM item"), 2);
}

/* The order in which items come is uniform over them, and another for another
 * seed; the one index serves it without sorting. */
static void test_random_order(void **state)
{
    struct rig *r = *state;
    struct query q;
    bool row;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t judge = rig_judge(r, "a");
    int64_t last = 0;
    int rises = 0;
    add_pairs(r, pool, "x", 60, ITEM_RANDOM);
    for (int i = 0; i < 60; i++) {
        int64_t item = vote_next(r, judge, pool);
        rises += item > last;
        last = item;
    }
    /* Of 59 steps half rise; the sd of ascents of a permutation is
     * sqrt((n + 1) / 12) = 2.3, and five of it are allowed. */
    assert_in_range(rises, 30 - 12, 30 + 12);
    assert_int_equal(
        query_open(&q, r->db,
                   "EXPLAIN QUERY PLAN SELECT i.id FROM item AS i WHERE "
                   "i.pool_id = ?1 AND i.arm = ?2 AND i.taken < ?3 AND "
                   "i.retired_ms IS NULL ORDER BY i.taken DESC, i.priority "
                   "DESC, i.id LIMIT 1",
                   NULL),
        OK);
    assert_int_equal(query_next(&q, &row, NULL), OK);
    assert_non_null(strstr(query_text(&q, 3), "USING"));
    assert_non_null(strstr(query_text(&q, 3), "item_queue"));
    assert_int_equal(query_next(&q, &row, NULL), OK);
    assert_false(row);
    query_close(&q);
}

static void test_arms(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 0.25);
    int64_t judge = rig_judge(r, "a");
    int64_t best = 0;
    int random = 0;
    add_pairs(r, pool, "r", 200, ITEM_RANDOM);
    add_pairs(r, pool, "a", 200, ITEM_ADAPTIVE);
    for (int i = 0; i < 150; i++) {
        struct arena a = {0};
        struct item x;
        int64_t item = vote_next(r, judge, pool);
        assert_int_equal(items_read(&x, &a, r->db, item, NULL), OK);
        if (x.arm == ITEM_RANDOM) {
            random++;
        } else {
            /* By priority, the highest first. */
            assert_true(best == 0 || x.priority == (double)(best - 1));
            best = (int64_t)x.priority;
        }
        arena_free(&a);
    }
    /* Binomial(150, 1/4): mean 37.5, sd 5.3, five of it are allowed. */
    assert_in_range(random, 11, 64);
    /* When one arm is empty the other one is served. */
    while (vote_next(r, judge, pool) != 0)
        ;
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), 400);
}

static void test_leases(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t a = rig_judge(r, "a"), b = rig_judge(r, "b");
    struct assignment x;
    add_pairs(r, pool, "x", 1, ITEM_RANDOM);
    int64_t held = rig_next(r, a, pool, RIG_NOW);
    assert_true(held > 0);
    /* Asking again gives the same; nobody else gets it while it is held. */
    assert_int_equal(rig_next(r, a, pool, RIG_NOW + 10), held);
    assert_int_equal(rig_next(r, b, pool, RIG_NOW + 10), 0);
    assert_int_equal(assign_read(&x, r->db, held, NULL), OK);
    assert_int_equal(x.expires, RIG_NOW + RIG_LEASE);
    /* Asking late renews it. */
    assert_int_equal(rig_next(r, a, pool, RIG_NOW + RIG_LEASE - 1), held);
    assert_int_equal(rig_next(r, b, pool, RIG_NOW + RIG_LEASE), 0);
    /* Run out: to the other one; the first judge's vote counts all the same. */
    int64_t end = RIG_NOW + 2 * RIG_LEASE;
    int64_t other = rig_next(r, b, pool, end);
    assert_true(other > 0 && other != held);
    assert_int_equal(rig_next(r, a, pool, end), 0);
    rig_vote(r, a, held, VOTE_B, "late", end + 5);
    assert_int_equal(assign_read(&x, r->db, held, NULL), OK);
    assert_int_equal(x.state, ASSIGN_VOTED);
    rig_vote(r, b, other, VOTE_A, "second", end + 6);
    assert_int_equal(rig_number(r, "SELECT taken FROM item"), 2);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
}

/* A lapsed lease that nobody took comes back, in the same row and order. */
static void test_lapsed(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t a = rig_judge(r, "a");
    add_pairs(r, pool, "x", 5, ITEM_RANDOM);
    int64_t held = rig_next(r, a, pool, RIG_NOW);
    assert_int_equal(rig_next(r, a, pool, RIG_NOW + 5 * RIG_LEASE), held);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM assignment"), 1);
    /* Not what was retired meanwhile, and nothing of a closed pool. */
    assert_int_equal(
        items_retire(r->db, item_of(r, held), NULL, 0, RIG_NOW, NULL), OK);
    int64_t next = rig_next(r, a, pool, RIG_NOW + 10 * RIG_LEASE);
    assert_int_not_equal(next, held);
    assert_int_equal(items_close_pool(r->db, pool, 0, RIG_NOW, NULL), OK);
    assert_int_equal(rig_next(r, a, pool, RIG_NOW + 10 * RIG_LEASE), next);
    rig_vote(r, a, next, VOTE_A, "k", RIG_NOW + 10 * RIG_LEASE);
    assert_int_equal(rig_next(r, a, pool, RIG_NOW + 10 * RIG_LEASE), 0);
}

static void test_several(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t a = rig_judge(r, "a");
    int64_t id[ASSIGN_HELD_MAX], again[ASSIGN_HELD_MAX];
    size_t n = 0;
    add_pairs(r, pool, "x", 4, ITEM_RANDOM);
    assert_int_equal(assign_next(id, &n, 3, r->db, a, pool, RIG_NOW, NULL), OK);
    assert_int_equal(n, 3);
    assert_int_equal(assign_next(again, &n, 3, r->db, a, pool, RIG_NOW, NULL),
                     OK);
    assert_memory_equal(id, again, 3 * sizeof *id);
    rig_vote(r, a, id[0], VOTE_A, "k", RIG_NOW);
    assert_int_equal(assign_next(again, &n, 3, r->db, a, pool, RIG_NOW, NULL),
                     OK);
    assert_int_equal(n, 3);
    assert_memory_equal(id + 1, again, 2 * sizeof *id);
    assert_int_equal(assign_next(id, &n, 16, r->db, a, pool, RIG_NOW, NULL),
                     OK);
    assert_int_equal(n, 3);
    assert_int_equal(assign_next(id, &n, 0, r->db, a, pool, RIG_NOW, NULL),
                     ERR_ARG);
    assert_int_equal(assign_next(id, &n, 17, r->db, a, pool, RIG_NOW, NULL),
                     ERR_ARG);
}

static void test_repeats(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t a = rig_judge(r, "a"), b = rig_judge(r, "b");
    struct assignment first, again;
    add_pairs(r, pool, "x", 10, ITEM_RANDOM);
    int64_t repeat = rig_repeat(r, pool, "again", "x-4", 3);
    while (vote_next(r, a, pool) != 0)
        ;
    /* To nobody but who judged the item, three assignments later at least. */
    assert_int_equal(vote_next(r, b, pool), 0);
    int64_t original;
    assert_int_equal(items_find(&original, r->db, pool, "x-4", NULL), OK);
    assert_int_equal(assign_find(&first, r->db, original, a, NULL), OK);
    assert_int_equal(assign_find(&again, r->db, repeat, a, NULL), OK);
    assert_true(again.nth > first.nth + 3);
    assert_int_equal(again.order.place[0], first.order.place[1]);
    assert_int_equal(again.order.place[1], first.order.place[0]);
    assert_memory_not_equal(again.order.secret, first.order.secret,
                            ORDER_BYTES);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
}

static void test_who(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1), id, viewer;
    int64_t a = rig_judge(r, "a"), b = rig_judge(r, "b");
    size_t n;
    struct arena arena = {0};
    struct blind blind;
    add_pairs(r, pool, "x", 2, ITEM_RANDOM);
    assert_int_equal(
        judges_add(&viewer, r->db, "v", JUDGE_VIEWER, NULL, 0, RIG_NOW, NULL),
        OK);
    assert_int_equal(
        assign_next(&id, &n, 1, r->db, viewer, pool, RIG_NOW, NULL),
        ERR_MISSING);
    assert_int_equal(assign_next(&id, &n, 1, r->db, 99, pool, RIG_NOW, NULL),
                     ERR_MISSING);
    assert_int_equal(assign_next(&id, &n, 1, r->db, a, 99, RIG_NOW, NULL),
                     ERR_MISSING);
    id = rig_next(r, a, pool, RIG_NOW);
    assert_int_equal(assign_blind(&blind, &arena, r->db, b, id, NULL),
                     ERR_MISSING);
    assert_int_equal(assign_blind(&blind, &arena, r->db, a, id, NULL), OK);
    assert_int_equal(judges_revoke(r->db, a, 0, RIG_NOW, NULL), OK);
    assert_int_equal(assign_next(&id, &n, 1, r->db, a, pool, RIG_NOW, NULL),
                     ERR_MISSING);
    arena_free(&arena);
}

/* ---- orders ------------------------------------------------------------- */

/* What a judge may see has the two texts in the order of the sides, the
 * commitment, and nothing of what the candidates are. */
static void test_blind(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    int64_t a = rig_judge(r, "a");
    struct arena arena = {0};
    struct assignment x;
    struct blind b;
    char hex[2 * ORDER_BYTES + 1];
    add_pairs(r, pool, "x", 1, ITEM_RANDOM);
    int64_t id = rig_next(r, a, pool, RIG_NOW);
    assert_int_equal(assign_blind(&b, &arena, r->db, a, id, NULL), OK);
    assert_int_equal(assign_read(&x, r->db, id, NULL), OK);
    const char *text[2] = {"good x-0", "better x-0"};
    assert_int_equal(b.K, 2);
    assert_string_equal(b.text[0], text[x.order.place[0]]);
    assert_string_equal(b.text[1], text[x.order.place[1]]);
    assert_string_equal(b.prompt, "what of x-0?");
    assert_string_equal(b.guide, "be fair");
    assert_int_equal(b.task, POOL_SPOTCHECK);
    assert_int_equal(b.standing, 0);
    audit_hex(hex, x.order.commitment, ORDER_BYTES);
    assert_string_equal(b.commitment, hex);
    int64_t vote = rig_vote(r, a, id, VOTE_A, "k", RIG_NOW);
    assert_int_equal(assign_blind(&b, &arena, r->db, a, id, NULL), OK);
    assert_int_equal(b.standing, vote);
    assert_int_equal(b.state, ASSIGN_VOTED);
    arena_free(&arena);
}

/* 10,000 orders are as balanced as coins; two judges' are independent. */
static void test_balance(void **state)
{
    static const unsigned char key[32] = "some key";
    int left = 0, same = 0, third[6] = {0};
    (void)state;
    for (int64_t item = 1; item <= 10000; item++) {
        struct order a = {.K = 2}, b = {.K = 2}, c = {.K = 3};
        order_secret(a.secret, key, 1, item);
        order_secret(b.secret, key, 2, item);
        order_secret(c.secret, key, 3, item);
        order_draw(&a);
        order_draw(&b);
        order_draw(&c);
        left += a.place[0] == 0;
        same += a.place[0] == b.place[0];
        third[c.place[0] * 2 + (c.place[1] > c.place[2])]++;
    }
    /* Five standard deviations of 50: 250. */
    assert_in_range(left, 4750, 5250);
    assert_in_range(same, 4750, 5250);
    /* Six orders of three, 1667 each, sd 37. */
    for (int i = 0; i < 6; i++)
        assert_in_range(third[i], 1667 - 186, 1667 + 186);
}

static void test_commitment(void **state)
{
    struct order o = {.K = 2}, other, first;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    static const char text[] = "plumb.order/1\npool\nitem\n[1,0]";
    (void)state;
    memset(o.secret, 7, sizeof o.secret);
    o.place[0] = 1;
    o.place[1] = 0;
    assert_int_equal(order_commit(&o, "pool", "item", NULL), OK);
    (void)crypto_auth_hmacsha256(mac, (const unsigned char *)text,
                                 sizeof text - 1, o.secret);
    assert_memory_equal(mac, o.commitment, sizeof mac);
    order_draw(&o);
    assert_int_equal(order_commit(&o, "pool", "item", NULL), OK);
    assert_int_equal(order_check(&o, "pool", "item", NULL, NULL), OK);
    assert_int_equal(order_check(&o, "pool", "other", NULL, NULL),
                     ERR_MISMATCH);
    assert_int_equal(order_check(&o, "poo", "l\nitem", NULL, NULL),
                     ERR_MISMATCH);
    /* The other order, committed to as well: not what the secret draws. */
    other = o;
    order_swap(&other, &o);
    assert_int_equal(order_check(&other, "pool", "item", NULL, NULL),
                     ERR_MISMATCH);
    assert_int_equal(order_commit(&other, "pool", "item", NULL), OK);
    assert_int_equal(order_check(&other, "pool", "item", NULL, NULL),
                     ERR_MISMATCH);
    /* As a second visit it is right, and the same one again is not. */
    first = o;
    assert_int_equal(order_check(&other, "pool", "item", &first, NULL), OK);
    assert_int_equal(order_check(&o, "pool", "item", &first, NULL),
                     ERR_MISMATCH);
}

static void test_order_text(void **state)
{
    static const char *const bad[] = {"",       "[]",      "[0,0]", "[1]",
                                      "[0,2]",  "[-1,0]",  "0,1",   "[0,1",
                                      "[0,1]x", "[0.5,1]", "null"};
    struct order o = {.K = 5}, again = {.K = 0};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    order_draw(&o);
    order_write(&b, &o);
    assert_int_equal(order_read(&again, buf_text(&b), NULL), OK);
    assert_int_equal(again.K, 5);
    assert_memory_equal(again.place, o.place, 5 * sizeof *o.place);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(order_read(&again, bad[i], NULL), ERR_FORMAT);
    buf_free(&b);
}

/* The same seed and key, the same course of calls: the same everything. */
static void test_determinism(void **state)
{
    unsigned char head[2][AUDIT_HASH];
    (void)state;
    for (int run = 0; run < 2; run++) {
        struct rig r;
        int64_t id;
        rig_open(&r);
        int64_t pool = rig_pool(&r, "p", POOL_SPOTCHECK, 2, 0.5);
        int64_t a = rig_judge(&r, "a"), b = rig_judge(&r, "b");
        add_pairs(&r, pool, "x", 8, ITEM_RANDOM);
        add_pairs(&r, pool, "y", 8, ITEM_ADAPTIVE);
        while (vote_next(&r, a, pool) != 0 && vote_next(&r, b, pool) != 0)
            ;
        assert_int_equal(audit_head(&id, head[run], r.db, NULL), OK);
        rig_close(&r);
    }
    assert_memory_equal(head[0], head[1], AUDIT_HASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_overlap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lapsed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repeats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blind, set_up, tear_down),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_commitment),
        cmocka_unit_test(test_order_text),
        cmocka_unit_test(test_determinism),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

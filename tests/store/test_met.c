/*
 * test_met.c - nobody meets a reply to a prompt in two items, whatever pools
 * and policies they are of: all that one judge is shown is collected and
 * looked through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "store/audit.h"
#include "store/db_internal.h"
#include "store/load.h"
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
    struct audit_report report;
    struct rig *r = *state;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
    rig_close(r);
    return 0;
}

/* `n` samples of each side to each of N prompts, as `plumb eval` writes them;
 * the reference's do not depend on the policy.  Of `few`, not 0, the texts are
 * that many to a side. */
static struct load_counts load(struct rig *r, const char *pool,
                               const char *policy, int N, int n, int few,
                               int64_t most)
{
    static const char *const which[] = {"policy", "reference"};
    const char *path = rig_path(r, "samples.jsonl");
    const struct load_config c = {.pool = pool,
                                  .task = POOL_SPOTCHECK,
                                  .random_share = (double)NAN,
                                  .placebo = 0.5,
                                  .repeats = 0.2,
                                  .identical = 0.2,
                                  .gap = 2,
                                  .pairs = most,
                                  .now = RIG_NOW};
    struct load_counts counts;
    struct err err = {OK, ""};
    struct buf text;
    buf_init(&text, (size_t)1 << 22);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 2 * n; k++)
            buf_printf(&text,
                       "{\"prompt_id\":\"h%d\",\"prompt\":\"q%d\",\"which\":"
                       "\"%s\",\"sample\":%d,\"response\":\"%s %d to %d\"}\n",
                       i, i, which[k % 2], k / 2,
                       k % 2 == 0 ? policy : "reference",
                       few > 0 ? k / 2 % few : k / 2, i);
    assert_int_equal(file_write(path, buf_text(&text), text.len, NULL), OK);
    buf_free(&text);
    if (load_file(&counts, r->db, &c, path, &err) != OK)
        fail_msg("%s", err.text);
    return counts;
}

struct seen {
    struct names replies; // "prompt / text", each once
    int items, controls;  // all; repeats and identical pairs
};

static enum item_kind kind_of(struct rig *r, struct arena *a, int64_t id)
{
    struct assignment x;
    struct item item;
    assert_int_equal(assign_read(&x, r->db, id, NULL), OK);
    assert_int_equal(items_read(&item, a, r->db, x.item, NULL), OK);
    return item.kind;
}

/* One item more into what was seen: its replies are all new, but a repeat's
 * and an identical pair's, which are told by their kind.  (Two samples of one
 * text may be a pair.) */
static void see(struct seen *s, struct rig *r, int64_t judge, int64_t id)
{
    struct arena a = {0};
    struct blind b;
    size_t index[2];
    char line[200];
    assert_int_equal(assign_blind(&b, &a, r->db, judge, id, NULL), OK);
    enum item_kind kind = kind_of(r, &a, id);
    size_t before = s->replies.n;
    for (size_t k = 0; k < 2; k++) {
        (void)snprintf(line, sizeof line, "%s / %s", b.prompt, b.text[k]);
        assert_int_equal(names_add(&s->replies, &index[k], line, NULL), OK);
    }
    s->items++;
    if (kind == ITEM_REPEAT || kind == ITEM_IDENTICAL)
        s->controls++;
    else if (s->replies.n != before + (index[0] == index[1] ? 1 : 2))
        fail_msg("met again: %s", line);
    arena_free(&a);
}

/* Vote on all that comes. */
static int work(struct seen *s, struct rig *r, int64_t judge, int64_t pool)
{
    int before = s->items;
    int64_t id;
    while ((id = rig_next(r, judge, pool, RIG_NOW)) != 0) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%lld", (long long)id);
        see(s, r, judge, id);
        rig_vote(r, judge, id, VOTE_A, key, RIG_NOW);
    }
    return s->items - before;
}

static int64_t pool_id(struct rig *r, const char *name)
{
    int64_t id = 0;
    assert_int_equal(items_find_pool_id(&id, r->db, name, NULL), OK);
    return id;
}

static int64_t count_met(struct rig *r, int64_t judge, int64_t pool)
{
    int64_t n = -1;
    assert_int_equal(assign_count_met(&n, r->db, judge, pool, NULL), OK);
    return n;
}

/* An identical pair may come before what it is made of, whose text would then
 * not be new: test_identical is about these. */
static void retire_identicals(struct rig *r)
{
    assert_int_equal(db_run(r->db,
                            "UPDATE item SET retired_ms = 1 "
                            "WHERE kind = 'identical'",
                            NULL),
                     OK);
}

/* Two policies, one after the other, against one reference. */
static void test_two_policies(void **state)
{
    struct rig *r = *state;
    struct seen ada = {0}, bob = {0};
    int64_t judge = rig_judge(r, "ada"), other = rig_judge(r, "bob");
    struct load_counts first = load(r, "week 1", "old", 20, 4, 0, 30);
    struct load_counts second = load(r, "week 2", "new", 20, 4, 0, 30);
    assert_int_equal(first.normal + first.placebo, 30);
    assert_int_equal(second.is_new, first.is_new);
    retire_identicals(r);
    int64_t pool[2] = {pool_id(r, "week 1"), pool_id(r, "week 2")};
    assert_int_equal(count_met(r, judge, pool[1]), 0);
    /* All of the first pool, and its repeats but for those at the end that
     * would come too early. */
    assert_in_range(work(&ada, r, judge, pool[0]), 30, 36);
    assert_int_equal(count_met(r, judge, pool[0]), 0);
    /* Every first pair of a prompt in the second shows the reference's first
     * reply again, so that little is left; what is, is told. */
    int left = work(&ada, r, judge, pool[1]);
    assert_in_range(left, 0, 15);
    assert_true(count_met(r, judge, pool[1]) >= 20);
    /* Nothing of this is lost to somebody else. */
    assert_true(work(&bob, r, other, pool[1]) + left >= 30);
    names_free(&ada.replies);
    names_free(&bob.replies);
}

/* A reply of few words comes again under another sample's number: rounds go by
 * the text. */
static void test_few_texts(void **state)
{
    struct rig *r = *state;
    struct seen ada = {0};
    int64_t judge = rig_judge(r, "ada");
    struct load_counts n = load(r, "pool", "new", 10, 8, 2, 80);
    /* Two texts of each side: a pair takes one of each, a placebo both of the
     * reference's. */
    assert_in_range(n.normal + n.placebo, 10, 20);
    assert_int_equal(n.pairs_wanted, 80 - n.normal - n.placebo);
    retire_identicals(r);
    work(&ada, r, judge, pool_id(r, "pool"));
    assert_in_range(ada.items, n.normal + n.placebo,
                    n.normal + n.placebo + n.repeats);
    assert_int_equal(count_met(r, judge, pool_id(r, "pool")), 0);
    names_free(&ada.replies);
}

/* ---- item by item ------------------------------------------------------- */

static int64_t add_item(struct rig *r, int64_t pool, const char *name,
                        enum item_kind kind, const char *left,
                        const char *right)
{
    bool is_new;
    int64_t id = 0;
    struct err err = {OK, ""};
    const struct candidate c[] = {
        {.text = left, .source = "policy", .score = (double)NAN},
        {.text = right, .source = "reference", .score = (double)NAN}};
    const struct item x = {.pool = pool,
                           .name = name,
                           .kind = kind,
                           .arm = ITEM_RANDOM,
                           .prompt_id = "p",
                           .prompt = "q",
                           .candidate = c,
                           .n = 2};
    if (items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    return id;
}

/* What a judge gets of a pool, all at once. */
static size_t count_next(struct rig *r, int64_t judge, int64_t pool)
{
    int64_t id[ASSIGN_HELD_MAX];
    size_t n = 0;
    assert_int_equal(
        assign_next(id, &n, ASSIGN_HELD_MAX, r->db, judge, pool, RIG_NOW, NULL),
        OK);
    return n;
}

/* One reply beside several others is what a ranking's pairs are; beside a
 * spot-check it would tell. */
static void test_rankings(void **state)
{
    struct rig *r = *state;
    int64_t ada = rig_judge(r, "ada"), bob = rig_judge(r, "bob");
    int64_t rank = rig_pool(r, "rank", POOL_RANKING, 2, 1);
    int64_t more = rig_pool(r, "more", POOL_RANKING, 2, 1);
    int64_t spot = rig_pool(r, "spot", POOL_SPOTCHECK, 2, 1);
    (void)add_item(r, rank, "1", ITEM_NORMAL, "a", "b");
    (void)add_item(r, rank, "2", ITEM_NORMAL, "a", "c");
    (void)add_item(r, more, "1", ITEM_NORMAL, "b", "c");
    (void)add_item(r, spot, "1", ITEM_NORMAL, "x", "c");
    assert_int_equal(count_next(r, ada, rank), 2);
    assert_int_equal(count_next(r, ada, more), 1);
    assert_int_equal(count_next(r, ada, spot), 0);
    assert_int_equal(count_met(r, ada, spot), 1);
    assert_int_equal(count_next(r, bob, spot), 1);
    assert_int_equal(count_next(r, bob, rank), 1);
    assert_int_equal(count_next(r, bob, more), 0);
}

/* An identical pair stands beside its own item, in either order, and beside
 * no other. */
static void test_identical(void **state)
{
    struct rig *r = *state;
    int64_t judge[4] = {rig_judge(r, "a"), rig_judge(r, "b"), rig_judge(r, "c"),
                        rig_judge(r, "d")};
    int64_t first = rig_pool(r, "first", POOL_SPOTCHECK, 9, 1);
    int64_t second = rig_pool(r, "second", POOL_SPOTCHECK, 9, 1);
    int64_t base = add_item(r, first, "1", ITEM_NORMAL, "x", "R");
    (void)add_item(r, second, "1", ITEM_NORMAL, "y", "R");
    assert_int_equal(count_next(r, judge[0], first), 1);
    (void)add_item(r, first, "1~3", ITEM_IDENTICAL, "R", "R");
    assert_int_equal(count_next(r, judge[0], first), 2);
    assert_int_equal(count_next(r, judge[0], second), 0);
    /* The identical pair first. */
    assert_int_equal(items_retire(r->db, base, NULL, 0, RIG_NOW, NULL), OK);
    assert_int_equal(count_next(r, judge[1], first), 1);
    assert_int_equal(count_next(r, judge[1], second), 0);
    assert_int_equal(db_run(r->db, "UPDATE item SET retired_ms = NULL", NULL),
                     OK);
    assert_int_equal(count_next(r, judge[1], first), 2);
    /* Another item of the pool shows what the pair is made of. */
    (void)add_item(r, first, "2", ITEM_NORMAL, "z", "x");
    assert_int_equal(count_next(r, judge[1], first), 2);
    assert_int_equal(count_next(r, judge[2], second), 1);
    assert_int_equal(count_next(r, judge[2], first), 1); // "2" alone
    assert_int_equal(count_met(r, judge[2], first), 2);
    /* The same words to another prompt are another reply. */
    int64_t other = rig_pool(r, "other", POOL_SPOTCHECK, 9, 1);
    (void)rig_pair(r, other, "n", ITEM_NORMAL, ITEM_RANDOM, 0);
    assert_int_equal(count_next(r, judge[3], other), 1);
}

/* ---- the way it is looked up -------------------------------------------- */

/* Every step of the statements that choose goes by an index: none reads a
 * table from end to end, or sorts. */
static void test_plan(void **state)
{
    struct rig *r = *state;
    int64_t judge = rig_judge(r, "ada"), n = 0;
    int64_t pool = rig_pool(r, "p", POOL_SPOTCHECK, 1, 1);
    size_t looked_at = 0;
    (void)rig_pair(r, pool, "n", ITEM_NORMAL, ITEM_RANDOM, 0);
    assert_true(rig_next(r, judge, pool, RIG_NOW) != 0);
    assert_int_equal(assign_count_met(&n, r->db, judge, pool, NULL), OK);
    for (size_t i = 0; i < r->db->n; i++) {
        const char *sql = r->db->statement[i].sql;
        char plan[4096];
        sqlite3_stmt *stmt;
        if (strstr(sql, "reply AS r ") == NULL)
            continue;
        looked_at++;
        (void)snprintf(plan, sizeof plan, "EXPLAIN QUERY PLAN %s", sql);
        assert_int_equal(
            sqlite3_prepare_v2(r->db->handle, plan, -1, &stmt, NULL),
            SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(stmt, 3);
            if (strstr(step, "SCAN") != NULL || strstr(step, "TEMP") != NULL)
                fail_msg("%s\n%s", step, sql);
        }
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    }
    assert_int_equal(looked_at, 2);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_two_policies), WITH(test_few_texts), WITH(test_rankings),
        WITH(test_identical),    WITH(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

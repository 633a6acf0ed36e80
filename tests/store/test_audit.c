/*
 * test_audit.c - the chain from its definition, and every way of changing the
 * past that we could think of, found and named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/audit.h"
#include "store/rig.h"

static struct {
    struct rig rig;
    int64_t pool, anna;
} at;

static int set_up(void **state)
{
    rig_open(&at.rig);
    at.pool = rig_pool(&at.rig, "pairs", POOL_SPOTCHECK, 2, 1);
    at.anna = rig_judge(&at.rig, "anna");
    for (int i = 0; i < 4; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x-%d", i);
        rig_pair(&at.rig, at.pool, name, ITEM_NORMAL, ITEM_RANDOM, 0);
    }
    rig_repeat(&at.rig, at.pool, "again", "x-0", 1);
    for (int i = 0; i < 3; i++) {
        int64_t id = rig_next(&at.rig, at.anna, at.pool, RIG_NOW);
        int64_t vote = rig_vote(&at.rig, at.anna, id, VOTE_A, "k", RIG_NOW + 1);
        if (i == 2) {
            rig_act(&at.rig, at.anna, id, VOTE_UNDO, vote, "u", RIG_NOW + 2);
            struct remark r = {.assignment = id,
                               .key = "r",
                               .kind = REMARK_COMMENT,
                               .text = "hm",
                               .at = RIG_NOW + 3};
            int64_t remark;
            bool is_new;
            assert_int_equal(
                votes_remark(&remark, &is_new, at.rig.db, at.anna, &r, NULL),
                OK);
        }
    }
    int64_t held[2];
    size_t n;
    assert_int_equal(assign_next(held, &n, 2, at.rig.db, at.anna, at.pool,
                                 RIG_NOW + 4, NULL),
                     OK);
    assert_int_equal(n, 2);
    *state = &at.rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

/* ---- the definition ----------------------------------------------------- */

struct chain {
    unsigned char hash[AUDIT_HASH];
    int64_t n;
    size_t sealed;
};

static enum status recompute(void *ctx, int64_t id, const struct audit_event *e,
                             const unsigned char hash[AUDIT_HASH],
                             struct err *err)
{
    struct chain *c = ctx;
    char text[600], digest[80] = "null", actor[24] = "null", subject[24];
    unsigned char in[AUDIT_HASH + 600];
    (void)err;
    if (e->digest != NULL) {
        char hex[2 * AUDIT_HASH + 1];
        audit_hex(hex, e->digest, AUDIT_HASH);
        (void)snprintf(digest, sizeof digest, "\"%s\"", hex);
        c->sealed++;
    }
    if (e->actor != 0)
        (void)snprintf(actor, sizeof actor, "%lld", (long long)e->actor);
    (void)snprintf(subject, sizeof subject, "%lld", (long long)e->subject);
    int n = snprintf(text, sizeof text,
                     "{\"id\":%lld,\"at\":%lld,\"event\":\"%s\",\"actor\":%s,"
                     "\"subject\":%s,\"detail\":\"%s\",\"digest\":%s}",
                     (long long)id, (long long)e->at, e->event, actor, subject,
                     e->detail, digest);
    memcpy(in, c->hash, AUDIT_HASH);
    memcpy(in + AUDIT_HASH, text, (size_t)n);
    (void)crypto_generichash(c->hash, AUDIT_HASH, in, AUDIT_HASH + (size_t)n,
                             NULL, 0);
    assert_memory_equal(c->hash, hash, AUDIT_HASH);
    assert_int_equal(id, ++c->n);
    return OK;
}

static void test_chain(void **state)
{
    struct rig *r = *state;
    struct chain c = {.n = 0};
    struct audit_report report;
    unsigned char head[AUDIT_HASH];
    char hex[2 * AUDIT_HASH + 1];
    int64_t id;
    assert_int_equal(audit_walk(r->db, recompute, &c, NULL), OK);
    assert_int_equal(audit_head(&id, head, r->db, NULL), OK);
    assert_int_equal(id, c.n);
    assert_memory_equal(head, c.hash, AUDIT_HASH);
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
    audit_hex(hex, head, AUDIT_HASH);
    assert_string_equal(report.head, hex);
    assert_int_equal(report.events, c.n);
    assert_int_equal(report.items, 5);
    assert_int_equal(report.votes, 4);
    assert_int_equal(report.remarks, 1);
    assert_int_equal(report.orders,
                     rig_number(r, "SELECT count(*) FROM assignment"));
    /* project, pool, judge and the rows counted above: all but the first are
     * sealed. */
    assert_int_equal(c.sealed, c.n - 1);
}

static void test_hex(void **state)
{
    static const unsigned char data[3] = {0, 0x9f, 0xff};
    unsigned char back[3];
    char hex[7];
    (void)state;
    audit_hex(hex, data, 3);
    assert_string_equal(hex, "009fff");
    assert_true(audit_unhex(back, 3, hex));
    assert_memory_equal(back, data, 3);
    assert_false(audit_unhex(back, 3, "009ff"));
    assert_false(audit_unhex(back, 3, "009fff0"));
    assert_false(audit_unhex(back, 3, "009fFF"));
    assert_false(audit_unhex(back, 3, "009fxx"));
    assert_false(audit_unhex(back, 3, NULL));
}

/* ---- changing the past -------------------------------------------------- */

/* What somebody with the file and a shell may do; the triggers are in the way
 * only until they are dropped, so they are put back afterwards to pass the
 * schema's check. */
static void meddle(struct rig *r, const char *trigger, const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *stmt;
    char *said = NULL, text[400], kept[1000];
    db_close(r->db);
    r->db = NULL;
    assert_int_equal(sqlite3_open(r->path, &handle), SQLITE_OK);
    (void)snprintf(text, sizeof text,
                   "SELECT sql FROM sqlite_schema WHERE name = '%s'", trigger);
    assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    (void)snprintf(kept, sizeof kept, "%s",
                   (const char *)sqlite3_column_text(stmt, 0));
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    (void)snprintf(text, sizeof text, "DROP TRIGGER %s", trigger);
    assert_int_equal(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
    assert_int_equal(sqlite3_exec(handle, kept, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    struct err err = {OK, ""};
    if (project_open(&r->db, r->path, DB_WRITE, NULL, &err) != OK)
        fail_msg("%s: %s", sql, err.text);
}

static const struct {
    const char *trigger, *sql, *words;
} cases[] = {
    {"vote_update", "UPDATE vote SET overall = 'B' WHERE id = 1",
     "vote 1 is not what event"},
    {"vote_update", "UPDATE vote SET voted_ms = voted_ms + 1 WHERE id = 2",
     "vote 2 is not"},
    {"vote_update", "UPDATE vote SET left_direct = 0 WHERE id = 3",
     "vote 3 is not"},
    {"vote_delete", "DELETE FROM vote WHERE id = 4", "vote 4 is not"},
    {"remark_update", "UPDATE remark SET text = 'ha'", "remark 1 is not"},
    {"item_update", "UPDATE item SET prompt = 'other' WHERE id = 2",
     "item 2 is not"},
    {"candidate_update",
     "UPDATE candidate SET source = 'reference' WHERE item_id = 3",
     "item 3 is not"},
    {"candidate_update",
     "UPDATE candidate SET score = 9 WHERE item_id = 3 AND place = 0",
     "item 3 is not"},
    {"pool_update", "UPDATE pool SET overlap = 1", "pool 1 is not"},
    {"judge_update", "UPDATE judge SET name = 'eve'", "judge 1 is not"},
    {"assignment_update",
     "UPDATE assignment SET commitment = zeroblob(32) WHERE id = 1",
     "lease 1 is not"},
    {"assignment_update",
     "UPDATE assignment SET shown = iif(shown = '[0,1]', '[1,0]', "
     "'[0,1]') WHERE id = 1",
     "is not the one committed to"},
    {"assignment_update",
     "UPDATE assignment SET secret = zeroblob(32) WHERE id = 2",
     "is not the one committed to"},
    {"assignment_delete",
     "DELETE FROM assignment WHERE id = (SELECT max(id) FROM assignment "
     "WHERE state = 'leased')",
     "lease 4 is not"},
    {"audit_update", "UPDATE audit SET detail = 'undo' WHERE id = 9",
     "changed at event 9"},
    {"audit_update", "UPDATE audit SET at_ms = 5 WHERE id = 3",
     "changed at event 3"},
    {"audit_update", "UPDATE audit SET actor = 1 WHERE id = 1",
     "changed at event 1"},
    {"audit_delete", "DELETE FROM audit WHERE id = 4", "changed at event 4"},
    {"audit_delete", "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
     "rows of"},
    {"vote_state",
     "INSERT INTO vote (assignment_id, supersedes, key, act, overall, "
     "render, shown_ms, voted_ms) VALUES (1, 1, 'z', 'vote', 'B', "
     "'plain', 1, 2)",
     "5 rows of vote, but the audit log tells of 4"},
    {"assignment_taken",
     "UPDATE assignment SET state = 'skipped' WHERE "
     "id = 1",
     "its state is not that of its last act"},
    {"item_update", "UPDATE item SET taken = taken + 1 WHERE id = 1",
     "item 1: the count"},
};

static void test_meddling(void **state)
{
    struct rig *r = *state;
    struct buf whole;
    buf_init(&whole, 1 << 24);
    db_close(r->db);
    assert_int_equal(file_read(&whole, r->path, NULL), OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct audit_report report;
        struct err err = {OK, ""};
        assert_int_equal(file_write(r->path, whole.data, whole.len, NULL), OK);
        assert_int_equal(project_open(&r->db, r->path, DB_WRITE, NULL, NULL),
                         OK);
        assert_int_equal(audit_verify(&report, r->db, NULL), OK);
        meddle(r, cases[i].trigger, cases[i].sql);
        enum status status = audit_verify(&report, r->db, &err);
        if (status != ERR_MISMATCH || strstr(err.text, cases[i].words) == NULL)
            fail_msg("%s: %d, '%s'", cases[i].sql, (int)status, err.text);
        db_close(r->db);
    }
    r->db = NULL;
    buf_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_meddling, set_up, tear_down),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

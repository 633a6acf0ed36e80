/*
 * test_memory.c - memory that runs out, one allocation of ours at a time: an
 * error, nothing changed, nothing leaked.  (SQLite's own allocations are its
 * own; what it says of them is mapped in db.c.)
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
#include "store/export.h"
#include "store/progress.h"
#include "store/records.h"
#include "store/rig.h"
#include "store/writer.h"

static struct {
    struct rig rig;
    int64_t pool, anna, assignment;
    const char *path;
} at;

static int set_up(void **state)
{
    struct rig *r = &at.rig;
    rig_open(r);
    at.pool = rig_pool(r, "pairs", POOL_SPOTCHECK, 2, 1);
    at.anna = rig_judge(r, "anna");
    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x-%d", i);
        rig_pair(r, at.pool, name, ITEM_NORMAL, ITEM_RANDOM, 0);
    }
    int64_t id = rig_next(r, at.anna, at.pool, RIG_NOW);
    rig_vote(r, at.anna, id, VOTE_A, "k", RIG_NOW);
    at.assignment = rig_next(r, at.anna, at.pool, RIG_NOW);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

typedef enum status (*scenario_fn)(struct db *db, void *ctx, struct err *err);

/* Everything that a scenario wrote is taken back, so that it can run again. */
static enum status undone(struct db *db, void *ctx, struct err *err)
{
    scenario_fn *fn = ctx;
    enum status status = (*fn)(db, NULL, err);
    return status == OK ? ERR_FOUND : status;
}

static void run(scenario_fn fn)
{
    struct rig *r = &at.rig;
    size_t refused = 0;
    for (long n = 0;; n++) {
        struct err err = {OK, ""};
        mem_fail_at(n);
        enum status status = db_transact(r->db, undone, &fn, &err);
        bool fired = mem_count() > n;
        mem_fail_at(-1);
        if (!fired) {
            assert_int_equal(status, ERR_FOUND);
            break;
        }
        /* An arena that is refused a big block asks for a small one. */
        if (status != ERR_MEMORY && status != ERR_FOUND)
            fail_msg("allocation %ld: %d, '%s'", n, (int)status, err.text);
        refused += status == ERR_MEMORY;
    }
    assert_true(refused > 0);
}

static enum status add_item(struct db *db, void *ctx, struct err *err)
{
    const struct candidate c[] = {
        {.text = "a", .source = "m", .extra = "{\"x\": 1}"},
        {.text = "b", .source = "n"}};
    struct item x = {.pool = at.pool,
                     .name = "gold",
                     .kind = ITEM_GOLD,
                     .expected = "{\"better\": 1}",
                     .prompt_id = "p",
                     .prompt = "q",
                     .messages = "[{\"role\":\"user\",\"content\":\"q\"}]",
                     .extra = "{\"tags\": []}",
                     .candidate = c,
                     .n = 2};
    int64_t id;
    bool is_new;
    (void)ctx;
    TRY(items_add(&id, &is_new, db, &x, 0, RIG_NOW, err));
    return items_add(&id, &is_new, db, &x, 0, RIG_NOW, err);
}

static enum status take_and_vote(struct db *db, void *ctx, struct err *err)
{
    struct arena a = {0};
    struct blind b;
    int64_t held[3], id;
    size_t n;
    bool is_new;
    const struct vote v = {.assignment = at.assignment,
                           .key = "m",
                           .act = VOTE_CAST,
                           .overall = VOTE_B,
                           .marks = {votes_no_marks(), votes_no_marks()},
                           .reason = "so",
                           .shown = RIG_NOW,
                           .voted = RIG_NOW};
    (void)ctx;
    TRY(assign_next(held, &n, 3, db, at.anna, at.pool, RIG_NOW, err));
    enum status status = assign_blind(&b, &a, db, at.anna, at.assignment, err);
    arena_free(&a);
    TRY(status);
    TRY(votes_cast(&id, &is_new, db, at.anna, &v, err));
    return votes_cast(&id, &is_new, db, at.anna, &v, err);
}

static enum status drop_line(void *ctx, const char *line, size_t len,
                             struct err *err)
{
    (void)ctx;
    (void)line;
    (void)len;
    (void)err;
    return OK;
}

static enum status read_all(struct db *db, void *ctx, struct err *err)
{
    struct audit_report report;
    struct progress p;
    (void)ctx;
    for (int f = RECORDS_CANONICAL; f <= RECORDS_RANKINGS; f++) {
        const struct records_config c = {.format = (enum records_format)f};
        TRY(records_walk(db, &c, drop_line, NULL, err));
    }
    TRY(progress_pool(&p, db, at.pool, RIG_NOW, err));
    return audit_verify(&report, db, err);
}

static enum status open_again(struct db *db, void *ctx, struct err *err)
{
    struct db *other;
    (void)db;
    (void)ctx;
    TRY(project_open(&other, at.rig.path, DB_READ, NULL, err));
    db_close(other);
    return OK;
}

static void test_all(void **state)
{
    (void)state;
    run(add_item);
    run(take_and_vote);
    run(read_all);
    run(open_again);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, at.rig.db, NULL), OK);
}

static void test_restore(void **state)
{
    struct rig *r = *state;
    const struct export_config c = {.format = EXPORT_CANONICAL};
    const char *path = rig_path(r, "out.jsonl");
    int64_t lines;
    assert_int_equal(export_save(&lines, r->db, &c, path, 0, RIG_NOW, NULL),
                     OK);
    for (long n = 0;; n++) {
        struct records_counts counts;
        mem_fail_at(n);
        enum status status =
            records_restore(&counts, r->db, path, 0, RIG_NOW, NULL);
        bool fired = mem_count() > n;
        mem_fail_at(-1);
        assert_true(status == OK || (fired && status == ERR_MEMORY));
        if (!fired)
            break;
    }
}

static void test_writer(void **state)
{
    struct rig *r = *state;
    struct writer *w;
    const struct writer_config c = {.wait_us = 0};
    for (long n = 0;; n++) {
        mem_fail_at(n);
        enum status status = writer_start(&w, r->db, &c, NULL);
        bool fired = mem_count() > n;
        mem_fail_at(-1);
        assert_int_equal(status, fired ? ERR_MEMORY : OK);
        if (!fired)
            break;
    }
    writer_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restore, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

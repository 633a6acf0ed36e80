/*
 * test_still.c - a database where nothing can be written: a closed one is read
 * as it lies there, and what cannot be is told to be copied; what could not be
 * filled leaves no file behind; what is no database, or half of one.
 *
 * The reader is a process of its own: to root every folder can be written, so
 * it is nobody's there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "store/audit.h"
#include "store/export.h"
#include "store/rig.h"

#define NOBODY 65534

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    assert_int_equal(chmod(r->dir, 0700), 0);
    rig_close(r);
    return 0;
}

static void vote(struct rig *r)
{
    int64_t pool = rig_pool(r, "pairs", POOL_SPOTCHECK, 1, 1);
    int64_t judge = rig_judge(r, "anna");
    rig_pair(r, pool, "p", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_vote(r, judge, rig_next(r, judge, pool, RIG_NOW), VOTE_A, "k", RIG_NOW);
}

/* Let anybody read these, and nobody write. */
static void lock(const struct rig *r, const char *name)
{
    static const char *const end[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s%s", rig_path(r, name), end[i]);
        if (file_exists(path))
            assert_int_equal(chmod(path, 0444), 0);
    }
    assert_int_equal(chmod(r->dir, 0555), 0);
}

static void copy(const struct rig *r, const char *from, const char *to)
{
    struct buf b;
    buf_init(&b, 16 << 20);
    assert_int_equal(file_read(&b, rig_path(r, from), NULL), OK);
    assert_int_equal(file_write(rig_path(r, to), b.data, b.len, NULL), OK);
    buf_free(&b);
}

static enum status count(void *ctx, const char *line, size_t len,
                         struct err *err)
{
    int *n = ctx;
    (void)line;
    (void)len;
    (void)err;
    *n += 1;
    return OK;
}

/* All that only reads; the number of what went wrong. */
static int read_all(const char *path, int wanted, struct err *err)
{
    const struct export_config c = {.format = EXPORT_SPOTCHECK};
    struct audit_report report;
    struct db *db, *again;
    int lines = 0;
    if (project_open(&db, path, DB_READ, NULL, err) != OK)
        return 1;
    if (audit_verify(&report, db, err) != OK || report.votes != wanted)
        return 2;
    if (export_walk(db, &c, count, &lines, err) != OK || lines != wanted)
        return 3;
    if (!db_is_still(db) || db_can_write(path))
        return 4;
    if (db_open_again(&again, db, DB_READ, err) != OK)
        return 5;
    db_close(again);
    db_close(db);
    return 0;
}

/* Not to be opened, with words. */
static int refuse(const char *path, enum db_mode mode, const char *words,
                  struct err *err)
{
    struct db *db = NULL;
    if (project_open(&db, path, mode, NULL, err) == ERR_IO &&
        strstr(err->text, words) != NULL)
        return 0;
    db_close(db);
    return 6;
}

/* What a reader without rights finds: `words` NULL when it can read. */
static void as_nobody(const char *path, enum db_mode mode, const char *words)
{
    int how;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err = {OK, ""};
        int bad = 7;
        if (geteuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0))
            bad = words != NULL ? refuse(path, mode, words, &err)
                                : read_all(path, 1, &err);
        if (bad != 0)
            print_error("%s: %d: %s\n", path, bad, err.text);
        _exit(bad);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

/* Names are escaped where SQLite takes them for addresses. */
static void test_closed(void **state)
{
    static const char *const name[] = {"project.db", "a b#c?d%e&f=\xc3\xa9.db"};
    struct rig *r = *state;
    vote(r);
    db_close(r->db);
    r->db = NULL;
    copy(r, name[0], name[1]);
    for (size_t i = 0; i < 2; i++)
        lock(r, name[i]);
    for (size_t i = 0; i < 2; i++) {
        as_nobody(rig_path(r, name[i]), DB_READ, NULL);
        assert_false(file_holds(r->dir, "project.db-shm"));
        as_nobody(rig_path(r, name[i]), DB_WRITE, "copy it to where it can");
    }
    /* An empty log is as good as none. */
    assert_int_equal(chmod(r->dir, 0700), 0);
    assert_int_equal(file_write(rig_path(r, "project.db-wal"), "", 0, NULL),
                     OK);
    lock(r, name[0]);
    as_nobody(r->path, DB_READ, NULL);
}

/* Somebody with more rights has it open: read by the index that is there.
 * Without the index what the log holds would be missed, so it is refused. */
static void test_with_log(void **state)
{
    struct rig *r = *state;
    vote(r);
    assert_true(file_holds(r->dir, "project.db-shm"));
    copy(r, "project.db", "x.db");
    copy(r, "project.db-wal", "x.db-wal");
    lock(r, "project.db");
    lock(r, "x.db");
    as_nobody(r->path, DB_READ, NULL);
    as_nobody(rig_path(r, "x.db"), DB_READ, "x.db-wal, which cannot be read");
}

static struct db *make(const char *path)
{
    struct err err = {OK, ""};
    struct db *db = NULL;
    const struct project_new made = {.now = RIG_NOW};
    if (project_open(&db, path, DB_CREATE, &made, &err) != OK)
        fail_msg("%s", err.text);
    return db;
}

static void test_abandoned(void **state)
{
    struct rig *r = *state;
    const char *path = rig_path(r, "new.db");
    int64_t id;
    project_abandon(make(path));
    assert_false(file_exists(path));
    assert_false(file_holds(r->dir, "new.db-wal"));
    /* Not what was there, and not what somebody uses meanwhile. */
    db_close(make(path));
    project_abandon(make(path));
    assert_true(file_exists(path));
    assert_int_equal(file_remove(path, NULL), OK);
    struct db *mine = make(path), *other = make(path);
    assert_int_equal(
        judges_add(&id, other, "eve", JUDGE_JUDGE, NULL, 0, RIG_NOW, NULL), OK);
    db_close(other);
    project_abandon(mine);
    assert_true(file_exists(path));
}

static void test_words(void **state)
{
    static char text[5000];
    struct rig *r = *state;
    struct buf b;
    const char *half = rig_path(r, "half.db"), *page = rig_path(r, "a.html");
    vote(r);
    db_close(r->db);
    r->db = NULL;
    buf_init(&b, 16 << 20);
    assert_int_equal(file_read(&b, r->path, NULL), OK);
    assert_int_equal(file_write(half, b.data, b.len / 2, NULL), OK);
    buf_free(&b);
    memset(text, 'x', sizeof text);
    assert_int_equal(file_write(page, text, sizeof text, NULL), OK);
    for (int mode = DB_READ; mode <= DB_CREATE; mode++) {
        struct err err = {OK, ""};
        struct db *db;
        assert_int_equal(
            project_open(&db, half, (enum db_mode)mode, NULL, &err),
            ERR_FORMAT);
        assert_non_null(strstr(err.text, "half.db is corrupt: "));
        assert_int_equal(
            project_open(&db, page, (enum db_mode)mode, NULL, &err),
            ERR_FORMAT);
        assert_non_null(strstr(err.text, "a.html is not a database, and not "
                                         "a Plumb project"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abandoned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

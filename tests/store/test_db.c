/*
 * test_db.c - opening: made whole or not at all, brought up to date, and what
 * is refused with what words; transactions, two connections, a full disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "store/audit.h"
#include "store/query.h"
#include "store/rig.h"
#include "store/schema.h"

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

/* Run SQL past the store, as somebody with a shell would. */
static void meddle(const char *path, const char *sql)
{
    sqlite3 *handle;
    char *said = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void assert_refused(const char *path, enum db_mode mode,
                           enum status status, const char *words)
{
    struct db *db = NULL;
    struct err err = {OK, ""};
    assert_int_equal(project_open(&db, path, mode, NULL, &err), status);
    assert_null(db);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static int64_t pragma(struct db *db, const char *sql)
{
    struct rig r = {.db = db};
    return rig_number(&r, sql);
}

static void test_settings(void **state)
{
    struct rig *r = *state;
    struct stat st;
    assert_int_equal(pragma(r->db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(r->db, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(r->db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(r->db, "PRAGMA cell_size_check"), 1);
    assert_int_equal(pragma(r->db, "PRAGMA busy_timeout"), DB_BUSY_MS);
    assert_int_equal(pragma(r->db, "PRAGMA user_version"), 2);
    assert_int_equal(pragma(r->db, "PRAGMA application_id"),
                     SCHEMA_APPLICATION_ID);
    assert_int_equal(pragma(r->db, "SELECT count(*) FROM pragma_journal_mode "
                                   "WHERE journal_mode = 'wal'"),
                     1);
    assert_int_equal(
        pragma(r->db, "SELECT count(*) FROM pragma_table_list WHERE schema = "
                      "'main' AND NOT strict AND name NOT LIKE 'sqlite%'"),
        0);
    /* Tokens' hashes and secrets are in it. */
    assert_int_equal(stat(r->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(rig_path(r, "project.db-wal"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* Opening again keeps what is there. */
    db_close(r->db);
    const struct project_new other = {.seed = 99, .now = 1};
    struct project p;
    assert_int_equal(project_open(&r->db, r->path, DB_CREATE, &other, NULL),
                     OK);
    assert_int_equal(project_read(&p, r->db, NULL), OK);
    assert_int_equal(p.seed, 7);
}

static void test_refused_files(void **state)
{
    struct rig *r = *state;
    const char *path = rig_path(r, "other");
    assert_refused(rig_path(r, "absent"), DB_WRITE, ERR_MISSING, "absent");
    assert_refused(rig_path(r, "absent"), DB_READ, ERR_MISSING, "absent");
    assert_refused(r->dir, DB_CREATE, ERR_FORMAT, "is a directory");
    assert_int_equal(file_write(path, "", 0, NULL), OK);
    assert_refused(path, DB_WRITE, ERR_FORMAT, "is empty");
    static const char text[] = "not a database at all, but a text that is long "
                               "enough to have a header of 100 bytes in it ...";
    for (size_t len = 1; len <= sizeof text; len += 50) {
        assert_int_equal(file_write(path, text, len, NULL), OK);
        assert_refused(path, DB_WRITE, ERR_FORMAT, "not a database");
        assert_refused(path, DB_CREATE, ERR_FORMAT, "not a database");
    }
    assert_int_equal(file_remove(path, NULL), OK);
    meddle(path, "CREATE TABLE history (url TEXT)");
    assert_refused(path, DB_CREATE, ERR_FORMAT, "another program");
    meddle(path, "PRAGMA application_id = 1347177794");
    assert_refused(path, DB_CREATE, ERR_FORMAT, "version 0");
    meddle(path, "PRAGMA user_version = 1");
    assert_refused(path, DB_CREATE, ERR_FORMAT, "schema was changed at");
}

/* A directory nobody may write in, a name that looks like a URI. */
static void test_paths(void **state)
{
    struct rig *r = *state;
    char cwd[FILE_PATH_MAX];
    const struct project_new made = {.now = RIG_NOW};
    struct db *db = NULL;
    assert_refused(rig_path(r, "none/project.db"), DB_CREATE, ERR_IO,
                   "cannot create");
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(r->dir), 0);
    assert_int_equal(
        project_open(&db, "file:x.db?mode=memory", DB_CREATE, &made, NULL), OK);
    db_close(db);
    assert_true(file_exists("file:x.db?mode=memory"));
    assert_int_equal(chdir(cwd), 0);
}

static void test_changed_schema(void **state)
{
    static const struct {
        const char *sql, *name;
    } changes[] = {
        {"DROP TRIGGER vote_update", "vote_update"},
        {"CREATE TRIGGER extra AFTER INSERT ON vote BEGIN SELECT 1; END",
         "extra"},
        {"CREATE VIEW extra AS SELECT 1", "extra"},
        {"CREATE TABLE zz (x)", "zz"},
        {"DROP INDEX item_queue", "item_queue"},
        {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
         "replace(sql, 'BETWEEN 0 AND 4', 'BETWEEN 0 AND 5') WHERE name = "
         "'vote'",
         "vote"},
    };
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct buf whole;
        buf_init(&whole, 1 << 22);
        db_close(r->db);
        r->db = NULL;
        assert_int_equal(file_read(&whole, r->path, NULL), OK);
        meddle(r->path, changes[i].sql);
        assert_refused(r->path, DB_READ, ERR_FORMAT, changes[i].name);
        assert_refused(r->path, DB_CREATE, ERR_FORMAT, changes[i].name);
        assert_int_equal(file_write(r->path, buf_text(&whole), whole.len, NULL),
                         OK);
        assert_int_equal(project_open(&r->db, r->path, DB_WRITE, NULL, NULL),
                         OK);
        buf_free(&whole);
    }
}

static void test_bad_content(void **state)
{
    struct rig *r = *state;
    int64_t pool = rig_pool(r, "p", POOL_RANKING, 1, 1);
    rig_ranking(r, pool, "r", 3);
    db_close(r->db);
    r->db = NULL;
    meddle(r->path, "PRAGMA foreign_keys = OFF; INSERT INTO session VALUES "
                    "(1, 77, zeroblob(32), 1, 2)");
    assert_refused(r->path, DB_WRITE, ERR_FORMAT, "session names a row");
    meddle(r->path, "DELETE FROM session; PRAGMA ignore_check_constraints = "
                    "ON; UPDATE pool SET closed_ms = NULL; UPDATE item SET "
                    "taken = -5");
    assert_refused(r->path, DB_WRITE, ERR_FORMAT, "is corrupt: CHECK");
}

/* Every page broken, one at a time: refused with a status and words, or read
 * as if nothing were; never a crash. */
static void test_bad_pages(void **state)
{
    struct rig *r = *state;
    struct buf whole;
    buf_init(&whole, 1 << 24);
    rig_ranking(r, rig_pool(r, "p", POOL_RANKING, 1, 1), "r", 40);
    db_close(r->db);
    r->db = NULL;
    assert_int_equal(file_read(&whole, r->path, NULL), OK);
    size_t refused = 0;
    size_t pages = whole.len / 4096;
    for (size_t page = 0; page < pages; page++) {
        struct err err = {OK, ""};
        char kept[64];
        char *at = whole.data + page * 4096 + (page == 0 ? 100 : 0);
        memcpy(kept, at, sizeof kept);
        memset(at, 0x7f, sizeof kept);
        const char *path = rig_path(r, "bad.db");
        assert_int_equal(file_write(path, whole.data, whole.len, NULL), OK);
        enum status status = project_open(&r->db, path, DB_READ, NULL, &err);
        if (status != OK) {
            refused++;
            assert_int_equal(status, ERR_FORMAT);
            assert_non_null(strstr(err.text, "bad.db"));
        } else {
            db_close(r->db);
        }
        r->db = NULL;
        memcpy(at, kept, sizeof kept);
    }
    /* A page of an index whose every entry fits may pass for another. */
    assert_true(refused >= pages - 1);
    /* Cut short. */
    for (size_t len = 1; len < whole.len; len += 4096) {
        const char *path = rig_path(r, "bad.db");
        assert_int_equal(file_write(path, whole.data, len, NULL), OK);
        assert_refused(path, DB_READ, ERR_FORMAT, "bad.db");
    }
    buf_free(&whole);
}

/* ---- versions ----------------------------------------------------------- */

static const char v1[] = "CREATE TABLE a (x INTEGER) STRICT;"
                         "INSERT INTO a VALUES (5);";
static const char v2[] = "ALTER TABLE a ADD COLUMN y TEXT;"
                         "UPDATE a SET y = 'from ' || x;";
static const char v3[] = "CREATE TABLE b (z INTEGER) STRICT;";
static const char bad[] = "CREATE TABLE b (z INTEGER) STRICT; SELECT nothing;";

static void test_migrations(void **state)
{
    struct rig *r = *state;
    const char *steps[] = {v1, v2, bad};
    struct db_schema s = {"a test", 4711, steps, 1, 0};
    const char *path = rig_path(r, "versions.db");
    struct err err = {OK, ""};
    struct db *db;
    assert_int_equal(db_open(&db, path, DB_CREATE, &s, &err), OK);
    assert_int_equal(pragma(db, "PRAGMA user_version"), 1);
    db_close(db);
    s.versions = 2;
    assert_int_equal(db_open(&db, path, DB_READ, &s, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "open it for writing once"));
    s.readable = 1;
    assert_int_equal(db_open(&db, path, DB_READ, &s, &err), OK);
    assert_int_equal(db_version(db), 1);
    assert_int_equal(pragma(db, "SELECT x FROM a"), 5);
    db_close(db);
    s.readable = 2;
    assert_int_equal(db_open(&db, path, DB_READ, &s, &err), ERR_MISMATCH);
    assert_int_equal(db_open(&db, path, DB_WRITE, &s, &err), OK);
    assert_int_equal(pragma(db, "SELECT count(*) FROM a WHERE y = 'from 5'"),
                     1);
    db_close(db);
    /* A migration that fails leaves the version before it. */
    s.versions = 3;
    assert_int_equal(db_open(&db, path, DB_WRITE, &s, &err), ERR_FORMAT);
    steps[2] = v3;
    assert_int_equal(db_open(&db, path, DB_WRITE, &s, &err), OK);
    assert_int_equal(pragma(db, "PRAGMA user_version"), 3);
    db_close(db);
    /* A program that knows less refuses, and changes nothing. */
    s.versions = 2;
    assert_int_equal(db_open(&db, path, DB_WRITE, &s, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "newer"));
    assert_non_null(strstr(err.text, "version 3"));
    /* A failing first step leaves no file behind. */
    steps[0] = bad;
    s.versions = 1;
    path = rig_path(r, "never.db");
    assert_int_equal(db_open(&db, path, DB_CREATE, &s, &err), ERR_FORMAT);
    assert_false(file_exists(path));
}

/* A database that an earlier build made opens and verifies: whoever edits a
 * statement of a released schema file, be it a comment, is told here.  It is
 * what the fuzzer begins with, too. */
static void test_earlier(void **state)
{
    struct rig *r = *state;
    struct buf whole;
    struct audit_report report;
    struct err err = {OK, ""};
    const char *path = rig_path(r, "earlier.db");
    struct db *db;
    buf_init(&whole, 1 << 20);
    assert_int_equal(
        file_read(&whole, TEST_DATA "/../fuzz/corpus/store/whole", NULL), OK);
    assert_int_equal(file_write(path, buf_text(&whole), whole.len, NULL), OK);
    /* Who only reads reads it as it is. */
    if (project_open(&db, path, DB_READ, NULL, &err) != OK ||
        audit_verify(&report, db, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(report.votes, 4);
    assert_int_equal(db_version(db), 1);
    assert_int_equal(pragma(db, "PRAGMA user_version"), 1);
    db_close(db);
    if (project_open(&db, path, DB_WRITE, NULL, &err) != OK ||
        audit_verify(&report, db, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(report.votes, 4);
    assert_int_equal(db_version(db), 2);
    /* Of version 1, it had no table of replies yet. */
    assert_true(pragma(db, "SELECT count(*) FROM reply") > 0);
    assert_int_equal(
        pragma(db, "SELECT count(*) FROM item AS i WHERE kind <> 'repeat' AND "
                   "NOT EXISTS (SELECT 1 FROM reply WHERE item_id = i.id)"),
        0);
    db_close(db);
    buf_free(&whole);
}

/* ---- transactions ------------------------------------------------------- */

static enum status add_two(struct db *db, void *ctx, struct err *err)
{
    const int *fail = ctx;
    TRY(db_run(db,
               "INSERT INTO judge (name, role, created_ms) VALUES "
               "('x', 'judge', 1)",
               err));
    if (*fail == 1)
        return err_set(err, ERR_ARG, "on purpose");
    if (*fail == 2)
        return db_run(db,
                      "INSERT INTO judge (name, role, created_ms) VALUES "
                      "('x', 'judge', 1)",
                      err);
    return OK;
}

static enum status add_and_fail(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(db_run(db,
               "INSERT INTO judge (name, role, created_ms) VALUES "
               "('y', 'judge', 1)",
               err));
    return err_set(err, ERR_ARG, "on purpose");
}

static enum status outer(struct db *db, void *ctx, struct err *err)
{
    TRY(add_two(db, ctx, err));
    /* Undone alone; what came before stays and what comes after counts. */
    assert_int_equal(db_transact(db, add_and_fail, NULL, NULL), ERR_ARG);
    return db_run(db, "UPDATE judge SET role = 'admin'", err);
}

static void test_transactions(void **state)
{
    struct rig *r = *state;
    struct err err = {OK, ""};
    int fail = 1;
    assert_int_equal(db_transact(r->db, add_two, &fail, &err), ERR_ARG);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), 0);
    fail = 2;
    assert_int_equal(db_transact(r->db, add_two, &fail, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "UNIQUE"));
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), 0);
    fail = 0;
    assert_int_equal(db_transact(r->db, outer, &fail, &err), OK);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM judge WHERE role = 'admin'"), 1);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), 1);
    assert_false(db_is_inside(r->db));
}

struct reading {
    struct db *writer;
    int64_t before, after;
};

static enum status read_while_written(struct db *db, void *ctx, struct err *err)
{
    struct reading *x = ctx;
    int fail = 0;
    x->before = pragma(db, "SELECT count(*) FROM judge");
    TRY(db_transact(x->writer, add_two, &fail, err));
    x->after = pragma(db, "SELECT count(*) FROM judge");
    return OK;
}

static void test_two_connections(void **state)
{
    struct rig *r = *state;
    struct reading x = {.writer = r->db, .before = -1, .after = -1};
    struct db *reader;
    int fail = 1;
    struct err err = {OK, ""};
    assert_int_equal(db_open_again(&reader, r->db, DB_READ, NULL), OK);
    assert_int_equal(db_snapshot(reader, read_while_written, &x, NULL), OK);
    assert_int_equal(x.before, 0);
    assert_int_equal(x.after, 0); // of the same moment
    assert_int_equal(pragma(reader, "SELECT count(*) FROM judge"), 1);
    /* A reader does not write. */
    assert_int_equal(db_transact(reader, add_two, &fail, &err), ERR_IO);
    db_close(reader);
}

static enum status hold(struct db *db, void *ctx, struct err *err)
{
    struct db *other = ctx;
    int fail = 1;
    (void)db;
    assert_int_equal(db_run(other, "PRAGMA busy_timeout = 20", NULL), OK);
    return db_transact(other, add_two, &fail, err);
}

static void test_busy(void **state)
{
    struct rig *r = *state;
    struct db *other;
    struct err err = {OK, ""};
    assert_int_equal(db_open_again(&other, r->db, DB_WRITE, NULL), OK);
    assert_int_equal(db_transact(r->db, hold, other, &err), ERR_BUSY);
    assert_non_null(strstr(err.text, "locked"));
    db_close(other);
}

/* ---- a full disk -------------------------------------------------------- */

static void fill(struct rig *r, enum status *last, struct err *err)
{
    int64_t pool = rig_pool(r, "p", POOL_RANKING, 1, 1);
    static char text[20000];
    memset(text, 'x', sizeof text - 1);
    *last = OK;
    for (int i = 0; *last == OK && i < 1000; i++) {
        char name[32];
        int64_t id;
        bool is_new;
        (void)snprintf(name, sizeof name, "item %d", i);
        const struct candidate c[] = {
            {text, "a", NULL, -1, -1, -1, 0, NULL, NULL},
            {"y", "b", NULL, -1, -1, -1, 0, NULL, NULL}};
        const struct item x = {.pool = pool,
                               .name = name,
                               .prompt_id = "p",
                               .prompt = "p",
                               .candidate = c,
                               .n = 2};
        *last = items_add(&id, &is_new, r->db, &x, 0, RIG_NOW, err);
    }
}

static void test_full(void **state)
{
    struct rig *r = *state;
    struct err err = {OK, ""};
    enum status status;
    assert_int_equal(db_limit_pages(r->db, 120, NULL), OK);
    fill(r, &status, &err);
    assert_int_equal(status, ERR_FULL);
    assert_non_null(strstr(err.text, "no room left on the disk"));
    int64_t n = rig_number(r, "SELECT count(*) FROM item");
    assert_true(n > 2);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM candidate"), 2 * n);
    /* With room again, it goes on. */
    assert_int_equal(db_limit_pages(r->db, 1000, NULL), OK);
    rig_ranking(r, 1, "later", 2);
}

/* The same with a file size limit, in a process of its own. */
static void test_file_limit(void **state)
{
    struct rig *r = *state;
    db_close(r->db);
    r->db = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err = {OK, ""};
        enum status status = OK;
        const struct rlimit limit = {900000, 900000};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
            project_open(&r->db, r->path, DB_WRITE, NULL, &err) != OK)
            _exit(2);
        fill(r, &status, &err);
        if (status != ERR_FULL)
            print_error("%s\n", err.text);
        _exit(status == ERR_FULL &&
                      strstr(err.text, "no room left on the disk") != NULL
                  ? 0
                  : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_int_equal(project_open(&r->db, r->path, DB_WRITE, NULL, NULL), OK);
    assert_true(rig_number(r, "SELECT count(*) FROM item") > 2);
}

/* A project that finds no room to be made leaves nothing behind. */
static void test_no_room_to_begin(void **state)
{
    struct rig *r = *state;
    const char *path = rig_path(r, "small.db");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err = {OK, ""};
        struct db *db;
        const struct rlimit limit = {30000, 30000};
        const struct project_new made = {.now = RIG_NOW};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(2);
        _exit(project_open(&db, path, DB_CREATE, &made, &err) == ERR_FULL ? 0
                                                                          : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_false(file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_migrations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_earlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_connections, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_to_begin, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

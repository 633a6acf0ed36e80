/*
 * test_human_path.c - "project.db#POOL": where a path is cut, whatever the
 * names hold; and a look at a file that takes nothing from who has it open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/human.h"
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

/* A pool of one ranking that was voted on. */
static void add(struct rig *r, const char *pool, int64_t judge)
{
    int64_t id = rig_pool(r, pool, POOL_RANKING, 1, 1);
    rig_ranking(r, id, pool, 3);
    rig_rank(r, judge, rig_next(r, judge, id, RIG_NOW), 3, pool, RIG_NOW);
}

static enum status rankings(const struct rig *r, const char *name)
{
    char out[FILE_PATH_MAX];
    return human_rankings(out, rig_path(r, name), NULL, NULL);
}

static void test_cut(void **state)
{
    struct rig *r = *state;
    int64_t judge = rig_judge(r, "anna");
    add(r, "a", judge);
    add(r, "a#b", judge);
    add(r, "#", judge);
    assert_int_equal(rankings(r, "project.db"), OK);
    assert_int_equal(rankings(r, "project.db#a"), OK);
    assert_int_equal(rankings(r, "project.db#a#b"), OK);
    assert_int_equal(rankings(r, "project.db##"), OK);
    assert_int_equal(rankings(r, "project.db#b"), ERR_MISSING);
    assert_int_equal(rankings(r, "absent.db#a#b"), ERR_MISSING);
    assert_true(human_is_database(rig_path(r, "project.db#a#b")));
    assert_false(human_is_database(rig_path(r, "absent.db#a#b")));
    /* A file whose own name has the mark, with a pool and without. */
    db_close(r->db);
    r->db = NULL;
    assert_int_equal(rename(r->path, rig_path(r, "odd#1.db")), 0);
    assert_int_equal(rankings(r, "odd#1.db"), OK);
    assert_int_equal(rankings(r, "odd#1.db#a#b"), OK);
    assert_int_equal(rankings(r, "odd#1.db#none"), ERR_MISSING);
    /* A folder of the first part's name is no file. */
    assert_int_equal(mkdir(rig_path(r, "odd"), 0700), 0);
    assert_int_equal(rankings(r, "odd#1.db#a"), OK);
}

static void test_first_bytes(void **state)
{
    struct rig *r = *state;
    const char *path = rig_path(r, "x");
    assert_true(db_is_sqlite(r->path));
    assert_false(db_is_sqlite(r->dir));
    assert_false(db_is_sqlite(path));
    assert_int_equal(file_write(path, "SQLite format 3", 15, NULL), OK);
    assert_false(db_is_sqlite(path));
    assert_int_equal(file_write(path, "SQLite format 3", 16, NULL), OK);
    assert_true(db_is_sqlite(path));
    assert_int_equal(file_write(path, "SQLite format 4, not", 20, NULL), OK);
    assert_false(db_is_sqlite(path));
    assert_int_equal(file_remove(path, NULL), OK);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(db_is_sqlite(path));
}

/* The bytes that SQLite locks (its file format, section on locking). */
static bool is_locked(const char *path)
{
    int how;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = 0x40000002,
                             .l_len = 510};
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0)
            _exit(2);
        _exit(lock.l_type != F_UNLCK);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) < 2);
    return WEXITSTATUS(how) == 1;
}

static void test_locks_stay(void **state)
{
    struct rig *r = *state;
    rig_judge(r, "anna");
    assert_true(is_locked(r->path));
    assert_true(human_is_database(r->path));
    assert_true(is_locked(r->path));
    /* The check can fail: any other look does drop them. */
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_false(is_locked(r->path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_locks_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_human.c - a database and its export give the same rows, and which of
 * them is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/export.h"
#include "store/human.h"
#include "store/rig.h"
#include "store/slices.h"

static struct {
    struct rig rig;
    char project[128], human[160], db[192], file[192];
} at;

static int set_up(void **state)
{
    struct err err = {OK, ""};
    (void)state;
    rig_open(&at.rig);
    (void)snprintf(at.project, sizeof at.project, "%s", at.rig.dir);
    (void)snprintf(at.human, sizeof at.human, "%s/human", at.project);
    (void)snprintf(at.db, sizeof at.db, "%s/people.db", at.human);
    (void)snprintf(at.file, sizeof at.file, "%s/spotcheck.jsonl", at.human);
    assert_int_equal(file_make_dir(at.human, &err), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&at.rig);
    return 0;
}

/* Spot-checks that two people voted on, and a ranking. */
static void vote_in(struct rig *r, int64_t now)
{
    int64_t pairs = rig_pool(r, "pairs", POOL_SPOTCHECK, 2, 0.5);
    int64_t ranks = rig_pool(r, "ranks", POOL_RANKING, 1, 1);
    int64_t judge[2] = {rig_judge(r, "anna"), rig_judge(r, "bert")};
    rig_pair(r, pairs, "policy-0", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_pair(r, pairs, "placebo-0", ITEM_PLACEBO, ITEM_RANDOM, 0);
    rig_ranking(r, ranks, "rank-0", 3);
    rig_ranking(r, ranks, "rank-1", 3);
    for (int j = 0; j < 2; j++) {
        int64_t id;
        for (int i = 0; (id = rig_next(r, judge[j], pairs, now)) != 0; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%d", i);
            rig_vote(r, judge[j], id, i == j ? VOTE_A : VOTE_BOTH_GOOD, key,
                     now);
        }
    }
    int64_t id = rig_next(r, judge[0], ranks, now);
    rig_rank(r, judge[0], id, 3, "rank", now);
}

static void vote(void)
{
    vote_in(&at.rig, RIG_NOW);
}

static void copy_of(struct rig *r, const char *to)
{
    struct buf b;
    struct err err = {OK, ""};
    rig_number(r, "PRAGMA wal_checkpoint(TRUNCATE)");
    buf_init(&b, 16 << 20);
    assert_int_equal(file_read(&b, r->path, &err), OK);
    assert_int_equal(file_write(to, b.data, b.len, &err), OK);
    buf_free(&b);
}

/* The project's database, as it is now, in human/. */
static void copy_database(const char *to)
{
    copy_of(&at.rig, to);
}

static enum status gather(void *ctx, const struct json *row, size_t line,
                          struct err *err)
{
    struct buf *out = ctx;
    buf_printf(out, "%zu ", line);
    json_dump(out, row);
    buf_putc(out, '\n');
    return buf_status(out, err);
}

static void test_same_rows(void **state)
{
    const struct export_config c = {.format = EXPORT_SPOTCHECK};
    struct buf a, b;
    struct err err = {OK, ""};
    int64_t lines = 0;
    (void)state;
    vote();
    copy_database(at.db);
    assert_int_equal(
        export_save(&lines, at.rig.db, &c, at.file, 0, RIG_NOW, &err), OK);
    assert_int_equal(lines, 4);
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    assert_true(human_is_database(at.db));
    assert_false(human_is_database(at.file));
    assert_true(human_is_database(at.human));
    if (human_read(at.db, gather, &a, &err) != OK ||
        human_read(at.file, gather, &b, &err) != OK)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&a), buf_text(&b));
    buf_free(&a);
    buf_free(&b);
}

static enum status refuse(void *ctx, const struct json *row, size_t line,
                          struct err *err)
{
    (void)ctx;
    (void)row;
    return err_set(err, ERR_FORMAT, "no good, %zu", line);
}

/* The rows of what a project's spot-checks are read from, counted. */
static enum status count(void *ctx, const struct json *row, size_t line,
                         struct err *err)
{
    (void)row;
    (void)line;
    (void)err;
    ++*(size_t *)ctx;
    return OK;
}

static size_t rows_of(const char *path)
{
    size_t n = 0;
    struct err err = {OK, ""};
    if (human_read(path, count, &n, &err) != OK)
        fail_msg("%s", err.text);
    return n;
}

static void test_which_is_read(void **state)
{
    char path[FILE_PATH_MAX], names[HUMAN_NAMES];
    char second[224], name[SLICES_NAME], line[512];
    struct err err = {OK, ""};
    (void)state;
    /* Nothing there: the file, whether it is there or not. */
    assert_int_equal(human_find(path, at.project, &err), OK);
    assert_string_equal(path, at.file);
    /* A database without votes is none. */
    copy_database(at.db);
    assert_int_equal(human_find(path, at.project, &err), OK);
    assert_string_equal(path, at.file);
    /* Votes on what an alarm queued come besides the file's, which may be an
     * export of them. */
    int64_t queue = rig_pool(&at.rig, "queue", POOL_SPOTCHECK, 1, 0.5);
    int64_t judge = rig_judge(&at.rig, "carl");
    slices_name(name, "/runs/ppo", 7, false, "p0");
    rig_pair(&at.rig, queue, name, ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_vote(&at.rig, judge, rig_next(&at.rig, judge, queue, RIG_NOW), VOTE_A,
             "q", RIG_NOW);
    copy_database(at.db);
    (void)snprintf(line, sizeof line,
                   "{\"pair_id\":\"a\"}\n{\"pair_id\":\"%s\"}\n"
                   "{\"pair_id\":\"b\"}\n",
                   name);
    assert_int_equal(file_write(at.file, line, strlen(line), &err), OK);
    assert_int_equal(human_find(path, at.project, &err), OK);
    assert_string_equal(path, at.human);
    assert_int_equal(rows_of(path), 3);
    human_names(names, path);
    assert_string_equal(names, "human/people.db and human/spotcheck.jsonl");
    /* With others in it, the database is all that was said. */
    vote();
    copy_database(at.db);
    assert_int_equal(human_find(path, at.project, &err), OK);
    assert_string_equal(path, at.human);
    assert_int_equal(rows_of(path), 5);
    assert_int_equal(human_read(path, refuse, NULL, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "people.db: vote 1: no good, 1"));
    human_names(names, path);
    assert_string_equal(names, "human/people.db");
    /* Two of them: both, by their names. */
    (void)snprintf(second, sizeof second, "%s/other.db", at.human);
    copy_database(second);
    assert_int_equal(human_find(path, at.project, &err), OK);
    assert_int_equal(rows_of(path), 5);
    assert_int_equal(human_read(path, refuse, NULL, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "other.db: vote 1"));
    human_names(names, path);
    assert_string_equal(names, "human/other.db and human/people.db");
    /* What is damaged is not passed over. */
    assert_int_equal(file_write(second, "SQLite format 3", 16, &err), OK);
    assert_int_not_equal(human_find(path, at.project, &err), OK);
    assert_non_null(strstr(err.text, "other.db"));
}

/* A database of version 1 beside this program's, with votes and without. */
static void test_earlier(void **state)
{
    char path[FILE_PATH_MAX], second[224], names[HUMAN_NAMES];
    struct err err = {OK, ""};
    struct buf b;
    (void)state;
    vote();
    copy_database(at.db);
    (void)snprintf(second, sizeof second, "%s/earlier.db", at.human);
    buf_init(&b, 1 << 20);
    assert_int_equal(
        file_read(&b, TEST_DATA "/../fuzz/corpus/store/whole", NULL), OK);
    assert_int_equal(file_write(second, buf_text(&b), b.len, NULL), OK);
    buf_free(&b);
    if (human_find(path, at.project, &err) != OK)
        fail_msg("%s", err.text);
    assert_string_equal(path, at.human);
    assert_true(rows_of(path) >= 4);
    assert_int_equal(human_passed(names, at.project, &err), OK);
    assert_string_equal(names, "");
}

/* What is no project of ours is passed over and named; what is one, or may have
 * been one, and is damaged, is not. */
static void test_foreign(void **state)
{
    static const char *const files[] = {"empty.db", "notes.db"};
    char path[FILE_PATH_MAX], other[224], names[HUMAN_NAMES];
    struct err err = {OK, ""};
    struct buf b;
    (void)state;
    vote();
    copy_database(at.db);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(other, sizeof other, "%s/%s", at.human, files[i]);
        assert_int_equal(file_write(other, "my notes\n", i * 9, &err), OK);
    }
    /* Another program's. */
    (void)snprintf(other, sizeof other, "%s/other.db", at.human);
    buf_init(&b, 16 << 20);
    assert_int_equal(file_read(&b, at.db, &err), OK);
    b.data[68] ^= 1;
    assert_int_equal(file_write(other, b.data, b.len, &err), OK);
    if (human_find(path, at.project, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(rows_of(path), 4);
    assert_int_equal(human_passed(names, at.project, &err), OK);
    assert_string_equal(names,
                        "human/empty.db and human/notes.db and human/other.db");
    human_names(names, path);
    assert_string_equal(names, "human/people.db");
    assert_int_equal(human_database(path, at.project, &err), OK);
    assert_string_equal(path, at.db);
    /* Ours by its mark, though its first bytes are gone; then in its midst. */
    b.data[68] ^= 1;
    for (size_t i = 0; i < 2; i++) {
        size_t from = i == 0 ? 0 : 4096;
        memset(b.data + from, 'x', i == 0 ? 16 : 600);
        assert_int_equal(file_write(other, b.data, b.len, &err), OK);
        assert_int_not_equal(human_find(path, at.project, &err), OK);
        assert_non_null(strstr(err.text, "other.db"));
        memcpy(b.data, "SQLite format 3", 16);
    }
    buf_free(&b);
}

static enum status count_bad(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    (void)line;
    (void)err;
    *(size_t *)ctx +=
        strcmp(json_text(json_get(row, "overall"), ""), "both_bad") == 0;
    return OK;
}

static void read_noting(struct human_notes *n, size_t rows, jsonl_fn fn)
{
    struct err err = {OK, ""};
    size_t got = 0;
    if (human_read_noting(n, at.human, fn, &got, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(got, rows);
}

/* An older copy, by its name before or behind: a vote that was changed since
 * counts as it was said last. */
static void test_older_copy(void **state)
{
    static const char *const old[] = {"a.db", "z.db"};
    char second[224];
    struct human_notes n;
    struct rig *r = &at.rig;
    (void)state;
    vote();
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(second, sizeof second, "%s/%s", at.human, old[i]);
        copy_database(second);
    }
    int64_t id = rig_number(
        r, "SELECT min(assignment_id) FROM vote WHERE overall IS NOT NULL");
    int64_t act =
        rig_number(r, "SELECT min(id) FROM vote WHERE overall IS NOT NULL");
    int64_t judge = rig_number(
        r, "SELECT judge_id FROM assignment WHERE id = (SELECT "
           "min(assignment_id) FROM vote WHERE overall IS NOT NULL)");
    const struct vote v = {.assignment = id,
                           .key = "changed",
                           .act = VOTE_CAST,
                           .supersedes = act,
                           .overall = VOTE_BOTH_BAD,
                           .marks = {votes_no_marks(), votes_no_marks()},
                           .shown = RIG_NOW,
                           .voted = RIG_NOW + 50};
    struct err err = {OK, ""};
    bool is_new;
    int64_t out;
    if (votes_cast(&out, &is_new, r->db, judge, &v, &err) != OK)
        fail_msg("%s", err.text);
    copy_database(at.db);
    read_noting(&n, 4, count);
    assert_int_equal(n.again, 8);
    assert_int_equal(n.changed, 2);
    assert_int_equal(n.namesakes, 0);
    read_noting(&n, 1, count_bad);
}

/* Two people of one name, in two projects that ask the same: at other times, so
 * no copies, whatever order each of them met. */
static void test_namesakes(void **state)
{
    struct human_notes n;
    struct rig other;
    char second[224];
    (void)state;
    vote();
    copy_database(at.db);
    (void)snprintf(second, sizeof second, "%s/another.db", at.human);
    rig_open(&other);
    vote_in(&other, RIG_NOW + 99);
    copy_of(&other, second);
    rig_close(&other);
    read_noting(&n, 8, count);
    assert_int_equal(n.again, 0);
    assert_int_equal(n.changed, 0);
    assert_int_equal(n.namesakes, 4);
}

/* A database without votes is not said to hold any. */
static void test_names(void **state)
{
    char second[224], names[HUMAN_NAMES];
    (void)state;
    (void)snprintf(second, sizeof second, "%s/empty.db", at.human);
    copy_database(second);
    vote();
    copy_database(at.db);
    human_names(names, at.human);
    assert_string_equal(names, "human/people.db");
}

/* Where a project's people vote. */
static void test_database(void **state)
{
    char path[FILE_PATH_MAX], second[224];
    struct err err = {OK, ""};
    (void)state;
    assert_int_equal(human_database(path, at.project, &err), OK);
    assert_non_null(strstr(path, "/human/judgements.db"));
    copy_database(at.db);
    assert_int_equal(human_database(path, at.project, &err), OK);
    assert_string_equal(path, at.db);
    (void)snprintf(second, sizeof second, "%s/other.db", at.human);
    copy_database(second);
    assert_int_equal(human_database(path, at.project, &err), OK);
    assert_non_null(strstr(path, "/human/judgements.db"));
}

static void test_rankings(void **state)
{
    char first[FILE_PATH_MAX], again[FILE_PATH_MAX], later[FILE_PATH_MAX];
    char hash[65];
    struct buf a;
    struct err err = {OK, ""};
    (void)state;
    assert_int_equal(human_rankings(first, at.rig.path, NULL, &err),
                     ERR_MISSING);
    vote();
    if (human_rankings(first, at.rig.path, NULL, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(human_rankings(again, at.rig.path, "ranks", &err), OK);
    assert_string_equal(first, again);
    assert_int_equal(human_rankings(again, at.rig.path, "absent", &err),
                     ERR_MISSING);
    assert_int_equal(human_rankings(again, at.rig.path, "pairs", &err),
                     ERR_MISSING);
    assert_int_equal(file_hash(hash, first, &err), OK);
    assert_non_null(strstr(first, ".votes/"));
    assert_int_equal(strncmp(strstr(first, ".votes/") + 7, hash, 16), 0);
    buf_init(&a, 1 << 20);
    assert_int_equal(human_read(first, gather, &a, &err), OK);
    assert_non_null(strstr(buf_text(&a), "\"ranking\":["));
    buf_free(&a);
    /* More votes are another file; the first one stays. */
    struct judge anna;
    assert_int_equal(judges_find(&anna, at.rig.db, "anna", &err), OK);
    struct pool pool;
    struct arena arena = {0};
    assert_int_equal(items_find_pool(&pool, &arena, at.rig.db, "ranks", &err),
                     OK);
    rig_rank(&at.rig, anna.id, rig_next(&at.rig, anna.id, pool.id, RIG_NOW), 3,
             "more", RIG_NOW);
    arena_free(&arena);
    assert_int_equal(human_rankings(later, at.rig.path, NULL, &err), OK);
    assert_string_not_equal(first, later);
    assert_true(file_exists(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_which_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_earlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_namesakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rankings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_load_items.c - files to items: every form of record, what is mixed in,
 * the same file again, and files that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/audit.h"
#include "store/load.h"
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

static struct load_config config(enum pool_task task)
{
    return (struct load_config){.pool = "pool",
                                .task = task,
                                .random_share = (double)NAN,
                                .gap = 3,
                                .now = RIG_NOW};
}

static const char *save(const struct rig *r, const char *name, const char *text)
{
    const char *path = rig_path(r, name);
    assert_int_equal(file_write(path, text, strlen(text), NULL), OK);
    return path;
}

static struct load_counts load(struct rig *r, const struct load_config *c,
                               const char *text)
{
    struct load_counts n;
    struct err err = {OK, ""};
    if (load_file(&n, r->db, c, save(r, "in.jsonl", text), &err) != OK)
        fail_msg("%s", err.text);
    return n;
}

/* It must fail so, with the words in its message, and leave nothing. */
static void refuse(struct rig *r, const struct load_config *c,
                   enum status status, const char *words, const char *text)
{
    struct load_counts n;
    struct err err = {OK, ""};
    int64_t before = rig_number(r, "SELECT count(*) FROM item");
    enum status got = load_file(&n, r->db, c, save(r, "bad.jsonl", text), &err);
    if (got != status || strstr(err.text, words) == NULL)
        fail_msg("%s: %d %s", text, (int)got, err.text);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item"), before);
}

/* N records of a spot-check with n replies of each side. */
static void pairs(struct buf *out, int N, int n)
{
    buf_init(out, (size_t)1 << 22);
    for (int i = 0; i < N; i++) {
        buf_printf(out, "{\"id\":\"p%d\",\"prompt\":\"what of %d?\"", i, i);
        for (int side = 0; side < 2; side++) {
            buf_printf(out, ",\"%s\":[", side == 0 ? "policy" : "reference");
            for (int k = 0; k < n; k++)
                buf_printf(out, "%s\"%s %d to %d\"", k > 0 ? "," : "",
                           side == 0 ? "new" : "old", k, i);
            buf_puts(out, "]");
        }
        buf_puts(out, "}\n");
    }
}

/* Gold looks like the other items, whichever was loaded first. */
static void test_gold_looks(void **state)
{
    static const char text[] =
        "{\"id\":\"t\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"],"
        "\"better\":1}\n";
    static const char dialogue[] =
        "{\"id\":\"d\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"q\"}],\"responses\":[\"v\",\"w\"],\"better\":1}\n";
    struct rig *r = *state;
    struct load_config c = config(POOL_RANKING);
    struct load_counts n;
    struct err err = {OK, ""};
    for (int i = 0; i < 2; i++) {
        const char *same = i == 0 ? text : dialogue;
        const char *other = i == 0 ? dialogue : text;
        c.pool = i == 0 ? "texts" : "dialogues";
        (void)load(r, &c, same);
        assert_int_equal(
            load_gold(&n, r->db, &c, save(r, "gold.jsonl", other), &err),
            ERR_MISMATCH);
        assert_non_null(strstr(err.text, "by its looks"));
        assert_int_equal(
            load_gold(&n, r->db, &c, save(r, "gold.jsonl", same), &err), OK);
    }
    c.pool = "gold first";
    assert_int_equal(
        load_gold(&n, r->db, &c, save(r, "gold.jsonl", dialogue), &err), OK);
    refuse(r, &c, ERR_MISMATCH, "by its looks", text);
    assert_int_equal(load(r, &c, dialogue).is_new, 1);
    /* Where both are, either is one of many. */
    assert_int_equal(load(r, &c, text).is_new, 1);
    assert_int_equal(
        load_gold(&n, r->db, &c, save(r, "gold.jsonl", text), &err), OK);
}

/* ---- forms -------------------------------------------------------------- */

static void test_sets(void **state)
{
    struct rig *r = *state;
    struct load_config c = config(POOL_RANKING);
    struct load_counts n = load(
        r, &c,
        "{\"id\":7,\"prompt\":\"q\",\"responses\":[\"a\",\"b\",\"c\"],"
        "\"ticket\":{\"n\":1},\"ranking\":[1,2,3]}\n"
        "{\"prompt\":\"q2\",\"samples\":[{\"text\":\"a\",\"score\":1.5,"
        "\"run\":\"runs/1\",\"step\":60,\"source\":\"ppo\",\"kl\":3},"
        "{\"response\":\"b\",\"finish\":\"length\"}]}\n"
        "{\"id\":\"d\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"u\",\"name\":\"x\"}],"
        "\"responses\":[\"a\",\"b\"]}\n");
    assert_int_equal(n.records, 3);
    assert_int_equal(n.normal, 3);
    assert_int_equal(n.is_new, 3);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM item WHERE name IN ('7','2','d') "
                      "AND kind = 'normal' AND arm = 'random'"),
        3);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM candidate WHERE source = 'ppo' AND "
                      "score = 1.5 AND step = 60 AND run = 'runs/1' AND "
                      "extra = '{\"kl\":3}'"),
        1);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item WHERE extra = "
                                   "'{\"ticket\":{\"n\":1}}'"),
                     1);
    /* A dialogue's messages carry nothing else. */
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM item WHERE name = 'd' AND "
                      "instr(messages, 'name') = 0 AND "
                      "instr(prompt, 'system: s') > 0"),
        1);
}

static void test_pairs(void **state)
{
    struct rig *r = *state;
    struct load_config c = config(POOL_SPOTCHECK);
    struct load_counts n = load(
        r, &c,
        "{\"id\":\"a\",\"prompt\":\"q\",\"policy\":\"x\",\"reference\":\"y\"}\n"
        "{\"id\":\"b\",\"prompt\":\"q\",\"policy\":{\"text\":\"x\",\"step\":9},"
        "\"reference\":{\"response\":\"y\"},\"placebo\":\"z\"}\n");
    assert_int_equal(n.normal, 2);
    c.pool = "other";
    c.placebo = 1; // only one of them can be one
    n = load(r, &c,
             "{\"id\":\"a\",\"prompt\":\"q\",\"policy\":\"x\","
             "\"reference\":\"y\"}\n"
             "{\"id\":\"b\",\"prompt\":\"q\",\"policy\":\"x\","
             "\"reference\":\"y\",\"placebo\":\"z\"}\n");
    assert_int_equal(n.normal, 1);
    assert_int_equal(n.placebo, 1);
    assert_int_equal(n.placebo_wanted, 1);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM candidate WHERE "
                      "source = 'placebo' AND text = 'z' AND place = 0"),
        1);
}

/* A project's folder, a stage's folder, or the file itself. */
static void test_samples(void **state)
{
    struct rig *r = *state;
    char dir[256], path[300];
    struct err err = {OK, ""};
    struct load_counts n;
    struct load_config c = config(POOL_SPOTCHECK);
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            buf_printf(
                &text,
                "{\"prompt_id\":\"h%d\",\"prompt\":\"q%d\",\"which\":\"%s\","
                "\"sample\":%d,\"response\":\"r%d%d\",\"tokens\":[1,2],"
                "\"len\":2,\"finish\":\"eos\",\"score\":0.5,"
                "\"tags\":{\"intent\":\"x\"}}\n",
                i, i, k % 2 == 0 ? "policy" : "reference", k / 2, i, k);
    (void)snprintf(dir, sizeof dir, "%s/D/ppo", r->dir);
    assert_int_equal(file_make_dir(dir, NULL), OK);
    (void)snprintf(path, sizeof path, "%s/D/eval", r->dir);
    assert_int_equal(load_file(&n, r->db, &c, dir, &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "plumb eval"));
    assert_int_equal(file_make_dir(path, NULL), OK);
    (void)snprintf(path, sizeof path, "%s/D/eval/samples.jsonl", r->dir);
    assert_int_equal(file_write(path, buf_text(&text), text.len, NULL), OK);
    c.placebo = 0.5;
    for (int i = 0; i < 3; i++) {
        const char *from = i == 0 ? path : dir;
        if (i == 2)
            *strrchr(dir, '/') = '\0';
        assert_int_equal(load_file(&n, r->db, &c, from, &err), OK);
        assert_int_equal(n.records, 4);
        assert_int_equal(n.normal, 2);
        assert_int_equal(n.placebo, 2);
        assert_int_equal(n.is_new, i == 0 ? 4 : 0);
    }
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM candidate WHERE tokens = 2 AND "
                      "finish = 'eos' AND score = 0.5"),
        8);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item WHERE extra = "
                                   "'{\"tags\":{\"intent\":\"x\"}}'"),
                     4);
    buf_free(&text);
}

/* ---- what is mixed in --------------------------------------------------- */

static void test_shares(void **state)
{
    struct rig *r = *state;
    struct load_config c = config(POOL_SPOTCHECK);
    struct buf text;
    pairs(&text, 100, 4);
    c.placebo = 0.5;
    c.repeats = 0.05;
    c.identical = 0.01;
    c.pairs = 160;
    struct load_counts n = load(r, &c, buf_text(&text));
    assert_int_equal(n.normal, 80);
    assert_int_equal(n.placebo, 80);
    assert_int_equal(n.repeats, 8);
    assert_int_equal(n.identical, 2);
    assert_int_equal(n.is_new, 170);
    /* No reply stands in two pairs. */
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM (SELECT 1 FROM candidate AS c JOIN "
                      "item AS i ON i.id = c.item_id WHERE i.kind IN "
                      "('normal','placebo') GROUP BY c.text "
                      "HAVING count(*) > 1)"),
        0);
    /* The same again changes nothing. */
    n = load(r, &c, buf_text(&text));
    assert_int_equal(n.is_new, 0);
    assert_int_equal(n.placebo, 80);
    /* Repeats and identical pairs are of both kinds' prompts, by lot: another
     * project draws others. */
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item WHERE "
                                   "kind = 'repeat' AND gap = 3"),
                     8);
    buf_free(&text);
}

static int64_t sum_of_placebos(struct rig *r)
{
    return rig_number(r, "SELECT sum(cast(substr(prompt_id, 2) AS INTEGER)) "
                         "FROM item WHERE kind = 'placebo'");
}

/* Which are placebos comes of the project's seed and the ids alone. */
static void test_seed(void **state)
{
    struct rig *r = *state, other;
    struct load_config c = config(POOL_SPOTCHECK);
    struct err err = {OK, ""};
    struct buf text;
    pairs(&text, 60, 2);
    c.placebo = 0.5;
    (void)load(r, &c, buf_text(&text));
    rig_open(&other);
    (void)load(&other, &c, buf_text(&text));
    assert_int_equal(sum_of_placebos(r), sum_of_placebos(&other));
    db_close(other.db);
    assert_int_equal(file_remove(other.path, NULL), OK);
    const struct project_new made = {.seed = 8, .now = RIG_NOW};
    assert_int_equal(
        project_open(&other.db, other.path, DB_CREATE, &made, &err), OK);
    (void)load(&other, &c, buf_text(&text));
    assert_int_not_equal(sum_of_placebos(r), sum_of_placebos(&other));
    rig_close(&other);
    buf_free(&text);
}

static void test_gold(void **state)
{
    struct rig *r = *state;
    struct load_config c = config(POOL_SPOTCHECK);
    struct load_counts n;
    struct err err = {OK, ""};
    const char *path =
        save(r, "gold.jsonl",
             "{\"id\":\"a\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"],"
             "\"better\":1}\n");
    assert_int_equal(load_gold(&n, r->db, &c, path, &err), OK);
    assert_int_equal(n.gold, 1);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM item WHERE kind = 'gold' AND "
                      "name = 'a~4' AND expected = '{\"better\":1}'"),
        1);
    path = save(r, "gold.jsonl",
                "{\"id\":\"b\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"],"
                "\"better\":2}\n");
    assert_int_equal(load_gold(&n, r->db, &c, path, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "gold.jsonl:1: "));
    path = save(r, "gold.jsonl",
                "{\"prompt\":\"q\",\"responses\":[\"x\",\"y\"]}\n");
    assert_int_equal(load_gold(&n, r->db, &c, path, &err), ERR_FORMAT);
}

/* A priority asks early, but for the random share. */
static void test_priority(void **state)
{
    struct rig *r = *state;
    struct load_config c = config(POOL_RANKING);
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 400; i++)
        buf_printf(&text,
                   "{\"prompt\":\"q\",\"responses\":[\"a\",\"b\"],"
                   "\"priority\":%d}\n",
                   i);
    c.random_share = 0.25;
    (void)load(r, &c, buf_text(&text));
    int64_t adaptive =
        rig_number(r, "SELECT count(*) FROM item WHERE arm = 'adaptive' AND "
                      "priority = cast(name AS INTEGER) - 1");
    /* 300 +- 6 standard deviations of a binomial of 400 and 0.75. */
    assert_in_range(adaptive, 300 - 52, 300 + 52);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM item WHERE arm = 'random' AND "
                      "priority < 1"),
        400 - adaptive);
    buf_free(&text);
}

/* ---- pools and wrong files ---------------------------------------------- */

static void test_pool(void **state)
{
#define ONE "{\"id\":\"a\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"]}\n"
#define TWO "{\"id\":\"b\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"]}\n"
    struct rig *r = *state;
    struct load_config c = config(POOL_RANKING);
    c.overlap = 2;
    c.lease = 1000;
    c.guide = "be fair";
    (void)load(r, &c, ONE);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM pool WHERE overlap = 2 AND "
                      "lease_ms = 1000 AND guide = 'be fair' AND "
                      "random_share = 0.2"),
        1);
    c.overlap = 0; // what it has
    c.lease = 0;
    c.guide = NULL;
    (void)load(r, &c, TWO);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM item"), 2);
    c.overlap = 3;
    refuse(r, &c, ERR_MISMATCH, "overlap", ONE);
    c = config(POOL_SPOTCHECK);
    refuse(r, &c, ERR_MISMATCH, "task",
           "{\"id\":\"a\",\"prompt\":\"q\",\"policy\":\"x\","
           "\"reference\":\"y\"}\n");
    c = config(POOL_RANKING);
    /* The same id with other content: nothing of the file is kept. */
    refuse(r, &c, ERR_MISMATCH, "bad.jsonl:2: ",
           "{\"id\":\"c\",\"prompt\":\"q\",\"responses\":[\"x\",\"y\"]}\n"
           "{\"id\":\"a\",\"prompt\":\"q\",\"responses\":[\"x\",\"z\"]}\n");
    assert_int_equal(items_close_pool(r->db, 1, 0, RIG_NOW, NULL), OK);
    refuse(r, &c, ERR_MISMATCH, "closed", ONE);
#undef TWO
}

static void test_wrong_files(void **state)
{
    static const struct {
        enum pool_task task;
        enum status status;
        const char *words, *text;
    } wrong[] = {
        {POOL_RANKING, ERR_FORMAT, "no record", ""},
        {POOL_RANKING, ERR_FORMAT, ":2: ", ONE "{\"id\":"},
        {POOL_RANKING, ERR_FORMAT, ":1: ", "[7]"},
        {POOL_RANKING, ERR_FORMAT, "responses", "{\"prompt\":\"q\"}"},
        {POOL_RANKING, ERR_FORMAT, "\"prompt\"", "{\"responses\":[\"a\"]}"},
        {POOL_RANKING, ERR_FORMAT, "\"prompt\"",
         "{\"prompt\":7,\"responses\":[\"a\",\"b\"]}"},
        {POOL_RANKING, ERR_FORMAT, "bad.jsonl:1: 'x' has 1",
         "{\"id\":\"x\",\"prompt\":\"q\",\"responses\":[\"a\"]}"},
        {POOL_RANKING, ERR_FORMAT, "neither a text nor an object",
         "{\"prompt\":\"q\",\"responses\":[\"a\",7]}"},
        {POOL_RANKING, ERR_FORMAT, "has no \"text\"",
         "{\"prompt\":\"q\",\"samples\":[{\"score\":1},{}]}"},
        {POOL_RANKING, ERR_FORMAT, "was on line 1", ONE ONE},
        {POOL_RANKING, ERR_FORMAT, "score",
         "{\"prompt\":\"q\",\"samples\":[{\"text\":\"a\",\"score\":\"1\"},"
         "\"b\"]}"},
        {POOL_RANKING, ERR_FORMAT, "finish",
         "{\"prompt\":\"q\",\"samples\":[{\"text\":\"a\",\"finish\":\"x\"},"
         "\"b\"]}"},
        {POOL_RANKING, ERR_FORMAT, "role",
         "{\"prompt\":[{\"role\":\"robot\",\"content\":\"a\"}],"
         "\"responses\":[\"a\",\"b\"]}"},
        {POOL_SPOTCHECK, ERR_MISMATCH, "--task ranking", ONE},
        {POOL_RANKING, ERR_MISMATCH, "--task spotcheck",
         "{\"prompt\":\"q\",\"policy\":\"a\",\"reference\":\"b\"}"},
        {POOL_SPOTCHECK, ERR_FORMAT, "reference",
         "{\"prompt\":\"q\",\"policy\":\"a\",\"reference\":[]}"},
        {POOL_SPOTCHECK, ERR_FORMAT, "which",
         "{\"prompt_id\":\"a\",\"prompt\":\"q\",\"which\":\"gold\","
         "\"response\":\"x\"}"},
        {POOL_SPOTCHECK, ERR_FORMAT, "another prompt",
         "{\"prompt_id\":\"a\",\"prompt\":\"q\",\"which\":\"policy\","
         "\"response\":\"x\"}\n"
         "{\"prompt_id\":\"a\",\"prompt\":\"r\",\"which\":\"reference\","
         "\"response\":\"x\"}"},
    };
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct load_config c = config(wrong[i].task);
        refuse(r, &c, wrong[i].status, wrong[i].words, wrong[i].text);
        /* Not even the pool was made. */
        assert_int_equal(rig_number(r, "SELECT count(*) FROM pool"), 0);
    }
    struct load_config c = config(POOL_RANKING);
    struct load_counts n;
    assert_int_equal(load_file(&n, r->db, &c, rig_path(r, "absent"), NULL),
                     ERR_MISSING);
#undef ONE
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_sets),        WITH(test_pairs),    WITH(test_samples),
        WITH(test_shares),      WITH(test_seed),     WITH(test_gold),
        WITH(test_gold_looks),  WITH(test_priority), WITH(test_pool),
        WITH(test_wrong_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

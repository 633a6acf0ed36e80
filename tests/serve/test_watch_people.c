/*
 * test_watch_people.c - what people say of a run that is watched: asked of one
 * policy at a time, in whichever database, and heard where it belongs.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/watch.h"
#include "store/load.h"
#include "store/query.h"
#include "store/rig.h"
#include "store/slices.h"

enum {
    STEPS = 20,
    PROMPTS = 40,
    PAIRS = 20 // so many prompts make as many pairs and placebo pairs
};

static char dir[64];
static struct watch *watch;
static struct watch_check queued;

static void write_file(const char *project, const char *name, const char *text)
{
    char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    struct err err = {OK, ""};
    (void)snprintf(path, sizeof path, "%s/%s/%s", dir, project, name);
    if (file_dirname(folder, path, &err) != OK ||
        file_make_dir(folder, &err) != OK ||
        file_write(path, text, strlen(text), &err) != OK)
        fail_msg("%s", err.text);
}

/* What replies of the reference begin with. */
static const char *reference = "r";

/* Replies of policy and reference, two of each to every prompt; `who` tells
 * one policy's texts from another's. */
static void write_samples(const char *project, const char *name,
                          const char *who)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (int i = 0; i < PROMPTS; i++)
        for (int k = 0; k < 4; k++)
            buf_printf(&out,
                       "{\"prompt_id\":\"h-%d\",\"prompt\":\"say %d\","
                       "\"which\":\"%s\",\"sample\":%d,"
                       "\"response\":\"%s %d %d\",\"len\":9,"
                       "\"finish\":\"eos\",\"score\":%d}\n",
                       i, i, k < 2 ? "policy" : "reference", k % 2,
                       k < 2 ? who : reference, i, k, k);
    write_file(project, name, buf_text(&out));
    buf_free(&out);
}

/* A project with a run whose reward and KL rise, and a reward model that is
 * wrong as often as right: the paradox alarm is raised. */
static void make_project(const char *project)
{
    struct buf log, rows;
    buf_init(&log, 1 << 20);
    for (int i = 1; i <= STEPS; i++) {
        char name[64];
        buf_printf(&log,
                   "{\"step\":%d,\"objective/scores\":%d,\"kl/sequence\":%d,"
                   "\"response/length\":30}\n",
                   i, i, i);
        buf_init(&rows, 1 << 20);
        for (int k = 0; k < 4; k++)
            buf_printf(&rows,
                       "{\"step\":%d,\"prompt_id\":\"p%d\",\"sample\":0,"
                       "\"finish\":\"eos\",\"response\":\"x\","
                       "\"score\":%d.%d,\"logp\":[-1],\"logp_ref\":[-3],"
                       "\"kl\":[%d],\"tokens\":[1]}\n",
                       i, k, i, k, i);
        (void)snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl", i);
        write_file(project, name, buf_text(&rows));
        buf_free(&rows);
    }
    write_file(project, "ppo/metrics.jsonl", buf_text(&log));
    write_file(project, "ppo/config.yaml", "ppo:\n  iterations: 20\n");
    write_file(project, "reward/eval/heldout.json",
               "{\"accuracy_chosen_longer\":{\"estimate\":0.5},"
               "\"accuracy_chosen_shorter\":{\"estimate\":0.5}}");
    write_samples(project, "eval/samples.jsonl", "final");
    buf_free(&log);
}

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/test_watch_people.XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    watch_close(watch);
    watch = NULL;
    return file_remove(dir, NULL) == OK ? 0 : -1;
}

/* Look at a project anew; `judgements` may be NULL. */
static struct alarm look(const char *project, const char *judgements)
{
    struct err err = {OK, ""};
    struct watch_look r;
    char path[FILE_PATH_MAX];
    watch_close(watch);
    watch = NULL;
    (void)snprintf(path, sizeof path, "%s/%s/ppo", dir, project);
    const struct watch_config c = {
        .path = path, .judgements = judgements, .no_index = true};
    if (watch_open(&watch, &c, &err) != OK || watch_load(watch, &err) != OK)
        fail_msg("%s", err.text);
    watch_look(&r, watch, 0);
    return r.alarm[ALARM_OF_PARADOX];
}

/* Queue what the watch that is open shows. */
static void queue(void)
{
    struct err err = {OK, ""};
    if (watch_check(&queued, watch, 1, PAIRS, &err) != OK)
        fail_msg("%s", err.text);
    assert_in_range(queued.pairs + queued.already, PAIRS - 1, 2 * PAIRS);
}

static bool is_policy_left(struct rig *r, int64_t assignment)
{
    struct query q;
    bool row = false;
    assert_int_equal(
        query_open(&q, r->db,
                   "SELECT (a.shown = '[0,1]') = (c.source <> 'reference') "
                   "FROM assignment AS a JOIN candidate AS c ON c.item_id = "
                   "a.item_id AND c.place = 0 WHERE a.id = ?1",
                   NULL),
        OK);
    query_bind_int(&q, 1, assignment);
    assert_int_equal(query_next(&q, &row, NULL), OK);
    bool is_left = query_int(&q, 0) != 0;
    query_close(&q);
    return is_left;
}

/* Votes that vote_in() casts at most. */
static int64_t most = INT64_MAX;

/* Somebody judges all that a pool has, in one way. */
static void vote_in(const char *database, const char *pool_name,
                    const char *name, bool is_better)
{
    struct rig r = {.db = NULL};
    struct err err = {OK, ""};
    struct arena a = {0};
    struct pool pool;
    struct judge judge;
    int64_t at, n = 0;
    if (project_open(&r.db, database, DB_WRITE, NULL, &err) != OK ||
        items_find_pool(&pool, &a, r.db, pool_name, &err) != OK)
        fail_msg("%s", err.text);
    int64_t who = judges_find(&judge, r.db, name, &err) == OK
                      ? judge.id
                      : rig_judge(&r, name);
    while (n < most && (at = rig_next(&r, who, pool.id, RIG_NOW)) > 0) {
        bool is_a = is_policy_left(&r, at) == is_better;
        rig_vote(&r, who, at, is_a ? VOTE_A : VOTE_B, "k", RIG_NOW + n++);
    }
    assert_true(n > 0);
    db_close(r.db);
    arena_free(&a);
}

static void vote(const char *project, const char *name, bool is_better)
{
    char run[FILE_PATH_MAX], pool[SLICES_POOL];
    (void)snprintf(run, sizeof run, "%s/%s/ppo", dir, project);
    slices_pool(pool, run);
    vote_in(queued.database, pool, name, is_better);
}

/* People like the policy of iteration 10 and not that of 20. */
static void test_newest_step(void **state)
{
    (void)state;
    make_project("demo");
    assert_int_equal(look("demo", NULL).state, ALARM_RAISED);
    write_samples("demo", "eval/checkpoints/000010.jsonl", "ten");
    queue();
    assert_int_equal(queued.step, 10);
    assert_int_equal(look("demo", NULL).state, ALARM_ASKED);
    vote("demo", "ada", true);
    assert_int_equal(look("demo", NULL).state, ALARM_CLEARED);
    write_samples("demo", "eval/checkpoints/000020.jsonl", "twenty");
    queue();
    assert_int_equal(queued.step, 20);
    assert_int_equal(look("demo", NULL).state, ALARM_ASKED);
    vote("demo", "ada", false);
    struct alarm a = look("demo", NULL);
    assert_int_equal(a.state, ALARM_CONFIRMED);
    assert_non_null(strstr(a.text, "0 % of"));
}

/* A name that is longer than any item's, and another project of it. */
static void test_names(void **state)
{
    (void)state;
    static const char name[] =
        "a-project-with-a-name-of-more-than-sixty-one-bytes-to-be-on-the-safe-"
        "side";
    char one[128], other[128], database[128];
    (void)snprintf(one, sizeof one, "x/%s", name);
    (void)snprintf(other, sizeof other, "y/%s", name);
    (void)snprintf(database, sizeof database, "%s/all.db", dir);
    make_project(one);
    make_project(other);
    assert_int_equal(look(one, database).state, ALARM_RAISED);
    queue();
    assert_int_equal(look(one, database).state, ALARM_ASKED);
    assert_int_equal(look(other, database).state, ALARM_RAISED);
    queue();
    vote(other, "ada", true);
    assert_int_equal(look(other, database).state, ALARM_CLEARED);
    assert_int_equal(look(one, database).state, ALARM_ASKED);
    /* Both show the same texts, so it is somebody else's turn. */
    vote(one, "bob", false);
    assert_int_equal(look(one, database).state, ALARM_CONFIRMED);
    assert_int_equal(look(other, database).state, ALARM_CLEARED);
}

/* Votes after training has ended are heard by a watch that goes on, wherever
 * the database is. */
static void test_heard_later(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct watch_look r;
    char database[128];
    (void)snprintf(database, sizeof database, "%s/elsewhere.db", dir);
    make_project("demo");
    assert_int_equal(look("demo", database).state, ALARM_RAISED);
    queue();
    assert_int_equal(watch_load(watch, &err), OK);
    watch_look(&r, watch, 0);
    assert_int_equal(r.alarm[ALARM_OF_PARADOX].state, ALARM_ASKED);
    vote("demo", "ada", false);
    assert_int_equal(watch_load(watch, &err), OK);
    watch_look(&r, watch, 0);
    assert_int_equal(r.alarm[ALARM_OF_PARADOX].state, ALARM_CONFIRMED);
}

/* The document, to the owner of the files or to whoever looks; free it. */
static struct buf document(bool is_owner)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, 1 << 20);
    json_writer_init(&j, &out, false);
    watch_write(&j, watch, is_owner);
    assert_int_equal(buf_status(&out, NULL), OK);
    return out;
}

/* Who judges on this machine learns nothing from the page, vote by vote. */
static void test_blind(void **state)
{
    (void)state;
    make_project("demo");
    assert_int_equal(look("demo", NULL).state, ALARM_RAISED);
    queue();
    (void)look("demo", NULL);
    struct buf before = document(false);
    assert_null(strstr(buf_text(&before), "\"voted\""));
    assert_null(strstr(buf_text(&before), "\"people\""));
    for (most = 1; most <= 2; most++) {
        vote("demo", "ada", true);
        (void)look("demo", NULL);
        struct buf after = document(false), owner = document(true);
        assert_string_equal(buf_text(&before), buf_text(&after));
        assert_non_null(strstr(buf_text(&owner), "\"voted\""));
        buf_free(&after);
        buf_free(&owner);
    }
    most = INT64_MAX;
    vote("demo", "ada", true);
    assert_int_equal(look("demo", NULL).state, ALARM_CLEARED);
    struct buf all = document(false);
    assert_non_null(strstr(buf_text(&all), "\"state\":\"cleared\""));
    assert_non_null(strstr(buf_text(&all), "\"people\""));
    buf_free(&all);
    buf_free(&before);
}

/* A pool of a project's held-out replies in a database of its own; `who` is
 * the policy whose replies it holds. */
static void load(const char *name, const char *pool, const char *who)
{
    char path[FILE_PATH_MAX], samples[64];
    struct db *db;
    struct err err = {OK, ""};
    struct load_counts counts;
    const struct project_new made = {.seed = 1, .now = RIG_NOW};
    (void)snprintf(samples, sizeof samples, "%s.jsonl", who);
    write_samples("elsewhere", samples, who);
    (void)snprintf(path, sizeof path, "%s/demo/human/%s", dir, name);
    write_file("demo", "human/empty", "");
    const struct load_config c = {.pool = pool,
                                  .task = POOL_SPOTCHECK,
                                  .random_share = (double)NAN,
                                  .gap = 1,
                                  .now = RIG_NOW};
    if (project_open(&db, path, DB_CREATE, &made, &err) != OK)
        fail_msg("%s", err.text);
    (void)snprintf(path, sizeof path, "%s/elsewhere/%s", dir, samples);
    if (load_file(&counts, db, &c, path, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(counts.normal, PROMPTS);
    db_close(db);
}

static struct evidence read_evidence(void)
{
    static const struct bootstrap plan = {.seed = 1, .resamples = 100};
    struct evidence e;
    struct err err = {OK, ""};
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/demo", dir);
    if (evidence_read(&e, path, &plan, &err) != OK)
        fail_msg("%s", err.text);
    return e;
}

/* The database that is there is queued into; with two, both are read, and an
 * alarm hears both. */
static void test_databases(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    make_project("demo");
    load("people.db", "blind", "final");
    assert_int_equal(look("demo", NULL).state, ALARM_RAISED);
    queue();
    (void)snprintf(path, sizeof path, "%s/demo/human/people.db", dir);
    assert_string_equal(queued.database, path);
    vote_in(path, "blind", "ada", false);
    assert_int_equal(look("demo", NULL).state, ALARM_CONFIRMED);
    /* Somebody else prefers it, in another database: of one mind no more. */
    load("second.db", "blind", "final");
    (void)snprintf(path, sizeof path, "%s/demo/human/second.db", dir);
    vote_in(path, "blind", "bob", true);
    assert_int_equal(look("demo", NULL).state, ALARM_ASKED);
    struct evidence e = read_evidence();
    assert_null(evidence_lost(&e, "human/spotcheck.jsonl"));
    assert_int_equal(e.n_vote, 2 * PROMPTS);
    assert_int_equal(e.judge.n, 2);
    evidence_free(&e);
}

/* The same judge in a pool of last week's policy and one of this one's, on the
 * same prompts: what was said of this one is read. */
static void test_pools(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    make_project("demo");
    /* Against other replies, else ada would not be given this week's. */
    reference = "s";
    load("people.db", "last week", "old");
    reference = "r";
    load("people.db", "this week", "final");
    (void)snprintf(path, sizeof path, "%s/demo/human/people.db", dir);
    vote_in(path, "last week", "ada", true);
    vote_in(path, "this week", "ada", false);
    struct evidence e = read_evidence();
    assert_null(evidence_lost(&e, "human/spotcheck.jsonl"));
    assert_int_equal(e.n_vote, PROMPTS);
    assert_int_equal(e.votes_strange, PROMPTS);
    for (size_t i = 0; i < e.n_vote; i++)
        assert_true(e.vote[i].win == 0);
    evidence_free(&e);
}

/* The same pool twice: counted once, and said so, and nothing is lost. */
static void test_copy(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    make_project("demo");
    load("people.db", "blind", "final");
    (void)snprintf(path, sizeof path, "%s/demo/human/people.db", dir);
    vote_in(path, "blind", "ada", true);
    struct buf copy;
    struct err err = {OK, ""};
    buf_init(&copy, 1 << 24);
    if (file_read(&copy, path, &err) != OK)
        fail_msg("%s", err.text);
    (void)snprintf(path, sizeof path, "%s/demo/human/second.db", dir);
    if (file_write(path, buf_text(&copy), copy.len, &err) != OK)
        fail_msg("%s", err.text);
    buf_free(&copy);
    struct evidence e = read_evidence();
    assert_null(evidence_lost(&e, "human/spotcheck.jsonl"));
    assert_non_null(evidence_damaged(&e, "human/spotcheck.jsonl"));
    assert_int_equal(e.n_vote, PROMPTS);
    evidence_free(&e);
}

/* A file of votes stays read beside what was queued. */
static void test_file_stays(void **state)
{
    (void)state;
    struct buf rows;
    make_project("demo");
    buf_init(&rows, 1 << 20);
    for (int i = 0; i < PROMPTS; i++)
        buf_printf(&rows,
                   "{\"pair_id\":\"a-%d\",\"prompt_id\":\"h-%d\","
                   "\"kind\":\"policy\",\"judge\":\"ada\",\"visit\":1,"
                   "\"left\":{\"source\":\"policy\",\"sample\":1,"
                   "\"response\":\"final %d 1\"},\"right\":{\"source\":"
                   "\"reference\",\"sample\":1,\"response\":\"r %d 3\"},"
                   "\"overall\":\"B\"}\n",
                   i, i, i, i);
    write_file("demo", "human/spotcheck.jsonl", buf_text(&rows));
    buf_free(&rows);
    assert_int_equal(look("demo", NULL).state, ALARM_CONFIRMED);
    queue();
    vote("demo", "bob", false);
    struct evidence e = read_evidence();
    assert_null(evidence_lost(&e, "human/spotcheck.jsonl"));
    assert_int_equal(e.n_vote, PROMPTS + queued.pairs + queued.placebo);
    evidence_free(&e);
    assert_int_equal(look("demo", NULL).state, ALARM_CONFIRMED);
}

/* The document, as whoever may be judging is given it, or the owner. */
static void write_document(struct buf *out, bool is_owner)
{
    struct err err = {OK, ""};
    struct json_writer j;
    if (watch_load(watch, &err) != OK)
        fail_msg("%s", err.text);
    buf_free(out);
    buf_init(out, 1 << 20);
    json_writer_init(&j, out, false);
    watch_write(&j, watch, is_owner);
    assert_int_equal(out->code, OK);
}

static int64_t count_asked(void)
{
    struct buf out;
    struct json *document;
    struct err err = {OK, ""};
    buf_init(&out, 1);
    write_document(&out, true);
    if (json_parse(&document, buf_text(&out), out.len, "it", &err) != OK)
        fail_msg("%s", err.text);
    int64_t n =
        json_int(json_get(json_at(json_get(document, "runs"), 0), "asked"), -1);
    json_free(document);
    buf_free(&out);
    return n;
}

/* Vote by vote, whoever may be judging is told the same, of a pair and of a
 * placebo, whichever side wins, until nothing is left to judge. */
static void test_vote_by_vote(void **state)
{
    (void)state;
    struct rig r = {.db = NULL};
    struct err err = {OK, ""};
    struct arena a = {0};
    struct pool pool;
    struct buf first, now, told;
    char run[FILE_PATH_MAX], name[SLICES_POOL];
    int64_t at, n = 0;
    size_t changes = 0;
    make_project("demo");
    assert_int_equal(look("demo", NULL).state, ALARM_RAISED);
    queue();
    buf_init(&first, 1);
    buf_init(&now, 1);
    buf_init(&told, 1);
    write_document(&first, false);
    assert_non_null(strstr(buf_text(&first), "people are judging"));
    assert_null(strstr(buf_text(&first), "\"people\""));
    assert_null(strstr(buf_text(&first), "\"voted\""));
    (void)snprintf(run, sizeof run, "%s/demo/ppo", dir);
    slices_pool(name, run);
    if (project_open(&r.db, queued.database, DB_WRITE, NULL, &err) != OK ||
        items_find_pool(&pool, &a, r.db, name, &err) != OK)
        fail_msg("%s", err.text);
    int64_t who = rig_judge(&r, "ada");
    write_document(&told, true);
    for (int more = 1; more;) {
        write_document(&now, false);
        assert_string_equal(buf_text(&now), buf_text(&first));
        size_t before = told.len;
        write_document(&told, true);
        changes += told.len != before;
        at = rig_next(&r, who, pool.id, RIG_NOW);
        more = at > 0;
        if (more)
            rig_vote(&r, who, at, n % 3 == 0 ? VOTE_A : VOTE_B, "k",
                     RIG_NOW + n);
        n += more;
        if (n == (int64_t)(queued.pairs + queued.placebo))
            break;
    }
    assert_true(changes > 0);
    if (n < (int64_t)(queued.pairs + queued.placebo))
        (void)rig_number(&r, "UPDATE pool SET closed_ms = 1 RETURNING id");
    write_document(&now, false);
    write_document(&told, true);
    assert_string_equal(buf_text(&now), buf_text(&told));
    assert_non_null(strstr(buf_text(&now), "\"voted\""));
    db_close(r.db);
    arena_free(&a);
    buf_free(&first);
    buf_free(&now);
    buf_free(&told);
}

/* What is queued in two databases is asked once. */
static void test_twice(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    struct buf copy;
    struct err err = {OK, ""};
    make_project("demo");
    assert_int_equal(look("demo", NULL).state, ALARM_RAISED);
    queue();
    int64_t asked = count_asked();
    assert_int_equal(asked, queued.pairs);
    buf_init(&copy, 64 << 20);
    (void)snprintf(path, sizeof path, "%s/demo/human/second.db", dir);
    if (file_read(&copy, queued.database, &err) != OK ||
        file_write(path, buf_text(&copy), copy.len, &err) != OK)
        fail_msg("%s", err.text);
    buf_free(&copy);
    assert_int_equal(count_asked(), asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newest_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_heard_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_databases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pools, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vote_by_vote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_stays, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

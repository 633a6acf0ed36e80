/*
 * test_writer.c - group commit: who is told what, and kill -9 in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/audit.h"
#include "store/query.h"
#include "store/rig.h"
#include "store/writer.h"

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

static struct writer *start(const struct rig *r, uint32_t wait_us)
{
    struct writer *w = NULL;
    struct err err = {OK, ""};
    const struct writer_config c = {.wait_us = wait_us};
    if (writer_start(&w, r->db, &c, &err) != OK)
        fail_msg("%s", err.text);
    return w;
}

/* A write that adds a judge; a name twice is a constraint violated. */
struct adding {
    struct write w;
    char name[32];
    int64_t id;
    bool *told;
};

static enum status add_judge(struct db *db, void *ctx, struct err *err)
{
    struct adding *a = ctx;
    return judges_add(&a->id, db, a->name, JUDGE_JUDGE, NULL, 0, RIG_NOW, err);
}

static void on_done(struct write *w)
{
    struct adding *a = w->ctx;
    *a->told = true;
}

static void test_one(void **state)
{
    struct rig *r = *state;
    struct writer *w = start(r, 0);
    struct adding a = {.name = "anna"};
    struct err err = {OK, ""};
    a.w = (struct write){.fn = add_judge, .ctx = &a};
    assert_int_equal(writer_run(w, &a.w, &err), OK);
    /* Another connection sees it at once: it was committed. */
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), 1);
    assert_int_equal(writer_run(w, &a.w, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "already"));
    writer_stop(w);
    const struct writer_config slow = {.wait_us = 10001};
    assert_int_equal(writer_start(&w, r->db, &slow, &err), ERR_ARG);
}

/* A failing write among others is undone alone; all are told, in one commit. */
static void test_batch(void **state)
{
    enum {
        N = 40
    };
    struct rig *r = *state;
    struct writer *w = start(r, 10000);
    static struct adding a[N];
    static bool told[N];
    for (int i = 0; i < N; i++) {
        a[i] = (struct adding){.told = &told[i]};
        (void)snprintf(a[i].name, sizeof a[i].name, "judge %d",
                       i == 20 ? 3 : i);
        a[i].w = (struct write){.fn = add_judge, .ctx = &a[i], .done = on_done};
        writer_queue(w, &a[i].w);
    }
    struct writer_counts counts;
    do
        counts = writer_counts(w);
    while (counts.writes < N);
    writer_stop(w);
    /* Queued within the first one's wait, on any machine that is not stopped
     * for 10 ms between two lines; a second commit is still company. */
    assert_in_range(counts.commits, 1, 3);
    for (int i = 0; i < N; i++) {
        assert_true(told[i]);
        assert_int_equal(a[i].w.status, i == 20 ? ERR_MISMATCH : OK);
    }
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), N - 1);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
}

static enum status limit(struct db *db, void *ctx, struct err *err)
{
    return db_limit_pages(db, *(int64_t *)ctx, err);
}

static enum status add_much(struct db *db, void *ctx, struct err *err)
{
    static char text[1 << 20];
    struct adding *a = ctx;
    struct query q;
    TRY(add_judge(db, ctx, err));
    memset(text, 'x', sizeof text - 1);
    TRY(query_open(&q, db,
                   "INSERT INTO audit (id, at_ms, event, detail, hash) VALUES "
                   "(999, 1, 'x', ?1, zeroblob(32))",
                   err));
    query_bind_text(&q, 1, text);
    (void)a;
    return query_run(&q, err);
}

/* Disk full: those of the batch are refused, what was there stays, and the
 * next one finds its way. */
static void test_full(void **state)
{
    struct rig *r = *state;
    struct writer *w = start(r, 10000);
    struct err err = {OK, ""};
    int64_t pages = 150;
    struct adding before = {.name = "before"}, after = {.name = "after"};
    struct adding big = {.name = "big"};
    struct write set = {.fn = limit, .ctx = &pages};
    before.w = (struct write){.fn = add_judge, .ctx = &before};
    after.w = (struct write){.fn = add_judge, .ctx = &after};
    big.w = (struct write){.fn = add_much, .ctx = &big};
    assert_int_equal(writer_run(w, &set, &err), OK);
    assert_int_equal(writer_run(w, &before.w, &err), OK);
    assert_int_equal(writer_run(w, &big.w, &err), ERR_FULL);
    assert_non_null(strstr(err.text, "no room left on the disk"));
    assert_int_equal(writer_run(w, &after.w, &err), OK);
    writer_stop(w);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM judge"), 2);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
}

/* ---- many judges -------------------------------------------------------- */

#define THREADS 8
#define VOTES 20

struct voter {
    struct rig *r;
    struct writer *writer;
    int64_t judge, pool;
    pthread_t thread;
    int64_t acknowledged;
    size_t round; // keys of one round do not come again in another
    int out;      // told of each acknowledged key, or -1
};

struct turn {
    struct voter *v;
    int64_t assignment;
    struct vote vote;
    int64_t id;
    bool is_new;
};

static enum status lease(struct db *db, void *ctx, struct err *err)
{
    struct turn *t = ctx;
    size_t n;
    TRY(assign_next(&t->assignment, &n, 1, db, t->v->judge, t->v->pool, RIG_NOW,
                    err));
    if (n == 0)
        t->assignment = 0;
    return OK;
}

static enum status cast(struct db *db, void *ctx, struct err *err)
{
    struct turn *t = ctx;
    return votes_cast(&t->id, &t->is_new, db, t->v->judge, &t->vote, err);
}

static void *vote_on(void *arg)
{
    struct voter *v = arg;
    for (int i = 0;; i++) {
        char key[32];
        struct turn t = {.v = v};
        struct write w = {.fn = lease, .ctx = &t};
        if (writer_run(v->writer, &w, NULL) != OK || t.assignment == 0)
            break;
        (void)snprintf(key, sizeof key, "%zu-%d-%d", v->round, (int)v->judge,
                       i);
        t.vote = (struct vote){.assignment = t.assignment,
                               .key = key,
                               .act = VOTE_CAST,
                               .overall = VOTE_A,
                               .marks = {votes_no_marks(), votes_no_marks()},
                               .shown = RIG_NOW,
                               .voted = RIG_NOW};
        w.fn = cast;
        if (writer_run(v->writer, &w, NULL) != OK)
            break;
        v->acknowledged++;
        if (v->out >= 0) {
            char line[40];
            int n = snprintf(line, sizeof line, "%s\n", key);
            if (write(v->out, line, (size_t)n) != n)
                break;
        }
    }
    return NULL;
}

/* A pool in which every judge has VOTES items, and its judges at work. */
static void begin_votes(struct rig *r, struct voter v[THREADS], int items)
{
    int64_t pool = rig_pool(r, "pool", POOL_SPOTCHECK, 1, 1);
    for (int i = 0; i < items; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "policy-%06d", i);
        rig_pair(r, pool, name, ITEM_NORMAL, ITEM_RANDOM, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "judge %d", i);
        v[i] = (struct voter){
            .r = r, .pool = pool, .judge = rig_judge(r, name), .out = -1};
    }
}

static void test_many(void **state)
{
    struct rig *r = *state;
    struct voter v[THREADS];
    int64_t acknowledged = 0;
    begin_votes(r, v, THREADS * VOTES);
    struct writer *w = start(r, 0);
    for (int i = 0; i < THREADS; i++) {
        v[i].writer = w;
        assert_int_equal(pthread_create(&v[i].thread, NULL, vote_on, &v[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(v[i].thread, NULL), 0);
        acknowledged += v[i].acknowledged;
    }
    writer_stop(w);
    assert_int_equal(acknowledged, THREADS * VOTES);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM vote"), acknowledged);
    /* Overlap 1: no item went to two. */
    assert_int_equal(rig_number(r, "SELECT max(taken) FROM item"), 1);
    struct audit_report report;
    assert_int_equal(audit_verify(&report, r->db, NULL), OK);
    assert_int_equal(report.votes, acknowledged);
    assert_int_equal(report.orders, acknowledged);
}

/* ---- kill -9 ------------------------------------------------------------ */

static void vote_until_killed(struct rig *r, struct voter v[THREADS], int out)
{
    struct writer *w = start(r, 0);
    for (int i = 0; i < THREADS; i++) {
        v[i].writer = w;
        v[i].out = out;
        if (pthread_create(&v[i].thread, NULL, vote_on, &v[i]) != 0)
            _exit(3);
    }
    for (;;)
        (void)pause();
}

/* The keys that came through the pipe until the process was killed. */
static size_t collect(char (*key)[32], size_t max, int in, size_t kill_at,
                      pid_t child)
{
    size_t n = 0;
    FILE *f = fdopen(in, "r");
    assert_non_null(f);
    while (n < max && fgets(key[n], sizeof key[n], f) != NULL) {
        if (strchr(key[n], '\n') == NULL)
            break; // cut by the kill: nobody read an acknowledgement
        key[n][strcspn(key[n], "\n")] = '\0';
        if (++n == kill_at)
            assert_int_equal(kill(child, SIGKILL), 0);
    }
    (void)fclose(f);
    return n;
}

static void check_survivors(struct rig *r, char (*key)[32], size_t n)
{
    struct query q;
    bool row;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(query_open(&q, r->db,
                                    "SELECT count(*) FROM vote WHERE key = ?1",
                                    NULL),
                         OK);
        query_bind_text(&q, 1, key[i]);
        assert_int_equal(query_next(&q, &row, NULL), OK);
        if (query_int(&q, 0) != 1)
            fail_msg("vote %s is there %d times", key[i],
                     (int)query_int(&q, 0));
        query_close(&q);
    }
}

static void test_kill(void **state)
{
    static char key[4096][32];
    struct rig *r = *state;
    struct voter v[THREADS];
    size_t total = 0;
    begin_votes(r, v, 1500);
    /* Again and again on what the last one left, each later in its course. */
    for (size_t round = 1; round <= 5; round++) {
        int pipes[2];
        struct err err = {OK, ""};
        db_close(r->db);
        r->db = NULL;
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(pipes[0]);
            if (project_open(&r->db, r->path, DB_WRITE, NULL, NULL) != OK)
                _exit(2);
            for (int i = 0; i < THREADS; i++)
                v[i].round = round;
            vote_until_killed(r, v, pipes[1]);
        }
        (void)close(pipes[1]);
        size_t n =
            collect(key + total, 4096 - total, pipes[0], 23 * round, child);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        assert_true(n >= 23 * round);
        if (project_open(&r->db, r->path, DB_WRITE, NULL, &err) != OK)
            fail_msg("%s", err.text);
        total += n;
        check_survivors(r, key, total);
        struct audit_report report;
        if (audit_verify(&report, r->db, &err) != OK)
            fail_msg("%s", err.text);
        /* What is there without having been told was on its way when the kill
         * came: one vote of each judge in each round. */
        int64_t stored = rig_number(r, "SELECT count(*) FROM vote");
        assert_in_range(stored, total, total + round * THREADS);
        assert_int_equal(report.votes, stored);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

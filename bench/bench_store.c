/*
 * bench_store.c - votes on the disk a second, and how long one waits.
 *
 *     bench_store [DIR [SECONDS]]
 *
 * A judge's turn is what a page does: take the next item on lease, then cast
 * a vote on it, each told done only when it is on the disk of DIR.
 *
 *     one commit each   a connection that commits every lease and every vote
 *     group commit      50 judges at once through store/writer.h, flat out
 *     paced             50 judges x 5 votes/s: how long a vote takes
 *
 * The first two are of the same turns on two fresh projects, and their ratio
 * is what committing together gains on this disk.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "measure.h"
#include "store/assign.h"
#include "store/judges.h"
#include "store/votes.h"
#include "store/writer.h"

#define JUDGES 50
#define ITEMS 1500
#define NOW 1700000000000
#define TURNS_MAX 100000

struct bench {
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct db *db;
    struct writer *writer;
    int64_t pool, judge[JUDGES];
    double seconds, pause;
};

struct turn {
    struct bench *b;
    int64_t judge, assignment, n;
    char key[32];
};

struct worker {
    struct bench *b;
    pthread_t thread;
    int64_t judge;
    size_t turns;
    double *took; // [turns] seconds of each vote
    unsigned start;
};

static void need(enum status status, const struct err *err)
{
    if (status != OK) {
        (void)fprintf(stderr, "bench_store: %s\n", err->text);
        exit(1);
    }
}

/* ---- a project ---------------------------------------------------------- */

static enum status fill(struct db *db, void *ctx, struct err *err)
{
    struct bench *b = ctx;
    static char text[2][400];
    const struct pool pool = {.name = "p",
                              .task = POOL_SPOTCHECK,
                              .overlap = JUDGES,
                              .lease = 600000,
                              .random_share = 1,
                              .guide = ""};
    memset(text[0], 'a', sizeof text[0] - 1);
    memset(text[1], 'b', sizeof text[1] - 1);
    TRY(items_add_pool(&b->pool, db, &pool, 0, NOW, err));
    for (int i = 0; i < ITEMS; i++) {
        char name[32];
        int64_t id;
        bool is_new;
        (void)snprintf(name, sizeof name, "policy-%06d", i);
        const struct candidate c[] = {
            {.text = text[0], .source = "policy", .score = (double)NAN},
            {.text = text[1], .source = "reference", .score = (double)NAN}};
        const struct item x = {.pool = b->pool,
                               .name = name,
                               .prompt_id = name,
                               .prompt = "a prompt",
                               .candidate = c,
                               .n = 2};
        TRY(items_add(&id, &is_new, db, &x, 0, NOW, err));
    }
    for (int i = 0; i < JUDGES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "judge %d", i);
        TRY(judges_add(&b->judge[i], db, name, JUDGE_JUDGE, NULL, 0, NOW, err));
    }
    return OK;
}

static void open_bench(struct bench *b, const char *dir, double seconds)
{
    struct err err = {OK, ""};
    const struct project_new made = {.seed = 1, .now = NOW};
    *b = (struct bench){.seconds = seconds};
    (void)snprintf(b->dir, sizeof b->dir, "%s/bench-store-XXXXXX", dir);
    if (mkdtemp(b->dir) == NULL) {
        (void)fprintf(stderr, "bench_store: cannot make %s\n", b->dir);
        exit(1);
    }
    need(file_join(b->path, b->dir, "project.db", &err), &err);
    need(project_open(&b->db, b->path, DB_CREATE, &made, &err), &err);
    need(db_transact(b->db, fill, b, &err), &err);
}

static void close_bench(struct bench *b)
{
    struct err err = {OK, ""};
    writer_stop(b->writer);
    db_close(b->db);
    need(file_remove(b->dir, &err), &err);
}

/* ---- turns -------------------------------------------------------------- */

static enum status lease(struct db *db, void *ctx, struct err *err)
{
    struct turn *t = ctx;
    size_t n = 0;
    TRY(assign_next(&t->assignment, &n, 1, db, t->judge, t->b->pool, NOW, err));
    return n == 1 ? OK : err_set(err, ERR_MISSING, "no items left");
}

static enum status cast(struct db *db, void *ctx, struct err *err)
{
    struct turn *t = ctx;
    int64_t id;
    bool is_new;
    const struct vote v = {
        .assignment = t->assignment,
        .key = t->key,
        .act = VOTE_CAST,
        .overall = VOTE_B,
        .marks = {{-1, 1, VOTE_CORRECT_YES, VOTE_TOO_LONG},
                  {-1, 3, VOTE_CORRECT_YES, VOTE_LENGTH_RIGHT}},
        .shown = NOW,
        .voted = NOW};
    return votes_cast(&id, &is_new, db, t->judge, &v, err);
}

static void run(struct writer *writer, struct db *db, db_fn fn, struct turn *t)
{
    struct err err = {OK, ""};
    struct write w = {.fn = fn, .ctx = t};
    need(writer != NULL ? writer_run(writer, &w, &err) : fn(db, t, &err), &err);
}

static void rest(double seconds)
{
    const struct timespec t = {(time_t)seconds,
                               (long)(1e9 * (seconds - floor(seconds)))};
    if (seconds > 0)
        (void)nanosleep(&t, NULL);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct bench *b = w->b;
    struct turn t = {.b = b, .judge = w->judge};
    rest(b->pause * w->start / JUDGES); // not all at once
    double begun = measure_seconds();
    while (measure_seconds() - begun < b->seconds && w->turns < TURNS_MAX) {
        (void)snprintf(t.key, sizeof t.key, "k%zu", w->turns);
        run(b->writer, b->db, lease, &t);
        double from = measure_seconds();
        run(b->writer, b->db, cast, &t);
        w->took[w->turns++] = measure_seconds() - from;
        rest(begun + b->pause * (double)w->turns - measure_seconds());
    }
    return NULL;
}

/* Run n judges; votes a second.  `name` NULL: without latencies. */
static double measure(struct bench *b, size_t n, const char *name)
{
    static struct worker w[JUDGES];
    static double took[JUDGES * TURNS_MAX / 10];
    size_t total = 0;
    double from = measure_seconds();
    for (size_t i = 0; i < n; i++) {
        w[i] = (struct worker){.b = b,
                               .judge = b->judge[i],
                               .took = calloc(TURNS_MAX, sizeof(double)),
                               .start = (unsigned)i};
        if (w[i].took == NULL ||
            pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(w[i].thread, NULL);
        for (size_t k = 0; k < w[i].turns; k++)
            if (total < sizeof took / sizeof *took)
                took[total++] = w[i].took[k];
        free(w[i].took);
    }
    double rate = (double)total / (measure_seconds() - from);
    measure_sort(took, total);
    printf("%-16s %8.1f votes/s   vote: median %6.1f ms, 99%% %6.1f ms, most "
           "%6.1f ms\n",
           name, rate, 1e3 * took[total / 2], 1e3 * took[total * 99 / 100],
           1e3 * took[total - 1]);
    return rate;
}

static struct writer *start(struct bench *b, uint32_t wait_us)
{
    struct err err = {OK, ""};
    struct writer *w = NULL;
    const struct writer_config c = {.wait_us = wait_us};
    need(writer_start(&w, b->db, &c, &err), &err);
    return w;
}

static double grouped(const char *dir, double seconds, double pause,
                      uint32_t wait_us, const char *name)
{
    struct bench b;
    open_bench(&b, dir, seconds);
    b.pause = pause;
    b.writer = start(&b, wait_us);
    double rate = measure(&b, JUDGES, name);
    struct writer_counts c = writer_counts(b.writer);
    printf("%-16s %8.1f writes in a commit\n", "",
           (double)c.writes / (double)c.commits);
    close_bench(&b);
    return rate;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "/tmp";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10;
    struct bench b;
    open_bench(&b, dir, seconds);
    double alone = measure(&b, 1, "one commit each");
    close_bench(&b);
    double rate = grouped(dir, seconds, 0, 0, "group commit");
    printf("%-16s %8.1f\n", "ratio", rate / alone);
    (void)grouped(dir, seconds, 0.2, 0, "paced, no wait");
    (void)grouped(dir, seconds, 0.2, 5000, "paced, 5 ms wait");
    return 0;
}

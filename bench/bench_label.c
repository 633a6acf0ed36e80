/*
 * bench_label.c - how long a vote takes at the labelling server, with fifty
 * judges at once.
 *
 *     bench_label [DIR [SECONDS [RATE]]]
 *
 * 50 judges vote RATE times a second each (5) for SECONDS (60), over loopback,
 * on a project of the size that this takes in DIR, whose disk is what counts;
 * an administrator's page watches.  The server is `plumb label`'s, in a process
 * of its own.  Printed are the votes; how long they took, from when each was
 * due to its acknowledgement (crowd.h); what the server took of the processor;
 * and, for comparison, how long the disk takes to keep 4 KiB, before and after.
 *
 * In the end the server is killed, the database opened again and verified: a
 * vote that was acknowledged and is not there, as it was sent, is lost; a row
 * beyond those is doubled.  Either, and any refusal, ends with exit 1.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "crowd.h"
#include "measure.h"
#include "serve/auth.h"
#include "serve/label.h"
#include "serve/ui.h"
#include "store/audit.h"
#include "store/items.h"
#include "store/query.h"
#include "store/votes.h"

#define JUDGES 50
#define OVERLAP 2
#define SPARE 16 // items a judge may have in hand at the end
#define SYNCS 200
#define TEXT 600 // bytes of an answer

struct bench {
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    int64_t pool;
    char token[JUDGES + 1][AUTH_TOKEN_TEXT];
    size_t items;
    pid_t server;
    uint16_t port;
    int pipe; // closed, it ends the server
};

static volatile bool stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = true;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench_label: %s\n", what);
    exit(1);
}

static int64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sorts what it is given. */
static void print_times(const char *name, double *took, size_t n)
{
    measure_sort(took, n);
    printf("%-24s median %7.1f ms   99%% %7.1f ms   most %7.1f ms\n", name,
           1e3 * took[n / 2], 1e3 * took[n * 99 / 100], 1e3 * took[n - 1]);
}

/* ---- a project ---------------------------------------------------------- */

static enum status add_item(struct db *db, const struct bench *b, size_t i,
                            struct err *err)
{
    static char text[2][TEXT];
    char name[32], prompt[200];
    int64_t id;
    bool is_new;
    for (size_t k = 0; k < 2; k++) {
        memset(text[k], 'a' + (int)k, TEXT - 1);
        for (size_t at = 7; at < TEXT - 1; at += 8)
            text[k][at] = ' ';
        (void)snprintf(text[k], 64, "answer %zu of %06zu", k, i);
        text[k][strlen(text[k])] = ' ';
    }
    (void)snprintf(name, sizeof name, "p-%06zu", i);
    (void)snprintf(prompt, sizeof prompt,
                   "Where is order %zu?  It was to come a week ago, and "
                   "nobody has told me anything since.",
                   i);
    const struct candidate c[] = {
        {.text = text[0], .source = "policy", .score = 0.5},
        {.text = text[1], .source = "reference", .score = 0.25}};
    const struct item x = {.pool = b->pool,
                           .name = name,
                           .arm = i % 2 == 0 ? ITEM_RANDOM : ITEM_ADAPTIVE,
                           .priority = i % 2 == 0 ? 0 : (double)(i % 97),
                           .prompt_id = name,
                           .prompt = prompt,
                           .candidate = c,
                           .n = 2};
    return items_add(&id, &is_new, db, &x, 0, wall_ms(), err);
}

static enum status fill(struct db *db, void *ctx, struct err *err)
{
    struct bench *b = ctx;
    int64_t id;
    const struct pool pool = {.name = "spot-check",
                              .task = POOL_SPOTCHECK,
                              .overlap = OVERLAP,
                              .lease = 1800000,
                              .random_share = 0.5,
                              .guide = ""};
    TRY(items_add_pool(&b->pool, db, &pool, 0, wall_ms(), err));
    for (size_t i = 0; i < b->items; i++)
        TRY(add_item(db, b, i, err));
    for (int i = 0; i <= JUDGES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "judge %d", i);
        TRY(auth_invite(b->token[i], &id, db, name,
                        i < JUDGES ? JUDGE_JUDGE : JUDGE_ADMIN, AUTH_REUSABLE,
                        0, wall_ms(), err));
    }
    return OK;
}

static void prepare(struct bench *b, const char *dir, double votes)
{
    struct err err = {OK, ""};
    struct db *db;
    const struct project_new made = {.seed = 1, .now = wall_ms()};
    *b = (struct bench){.items = (size_t)(votes / OVERLAP) + JUDGES * SPARE};
    (void)snprintf(b->dir, sizeof b->dir, "%s/bench-label-XXXXXX", dir);
    if (mkdtemp(b->dir) == NULL)
        fail("cannot make a folder there");
    measure_must(file_join(b->path, b->dir, "project.db", &err), &err);
    measure_must(project_open(&db, b->path, DB_CREATE, &made, &err), &err);
    measure_must(db_transact(db, fill, b, &err), &err);
    db_close(db);
}

/* ---- the server --------------------------------------------------------- */

static void serve(const struct bench *b, int to, int from)
{
    struct err err = {OK, ""};
    struct db *db;
    struct label *label;
    struct label_config c = {.port = 0};
    char end;
    ui_label(&c.file, &c.n_file);
    measure_must(project_open(&db, b->path, DB_WRITE, NULL, &err), &err);
    measure_must(label_start(&label, db, &c, &err), &err);
    uint16_t port = http_port(label_http(label));
    if (write(to, &port, sizeof port) != sizeof port)
        _exit(1);
    (void)read(from, &end, 1); // whoever started it is gone
    _exit(0);
}

static void start_server(struct bench *b)
{
    int told[2], life[2];
    (void)fflush(stdout);
    if (pipe(told) != 0 || pipe(life) != 0 || (b->server = fork()) < 0)
        fail("cannot start a process");
    if (b->server == 0) {
        (void)close(life[1]);
        serve(b, told[1], life[0]);
    }
    (void)close(told[1]);
    (void)close(life[0]);
    b->pipe = life[1];
    if (read(told[0], &b->port, sizeof b->port) != sizeof b->port)
        fail("the server did not start");
    (void)close(told[0]);
}

static double server_cpu(const struct bench *b)
{
    clockid_t clock;
    struct timespec t = {0, 0};
    if (clock_getcpuclockid(b->server, &clock) == 0)
        (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Without a word: what it acknowledged is there nevertheless. */
static void kill_server(struct bench *b)
{
    (void)kill(b->server, SIGKILL);
    (void)waitpid(b->server, NULL, 0);
    (void)close(b->pipe);
}

/* ---- the disk ----------------------------------------------------------- */

static void time_disk(const struct bench *b, const char *name)
{
    static const char block[4096];
    static double took[SYNCS];
    char path[FILE_PATH_MAX];
    struct err err = {OK, ""};
    measure_must(file_join(path, b->dir, "sync", &err), &err);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        fail("cannot write there");
    for (size_t i = 0; i < SYNCS; i++) {
        double from = measure_seconds();
        if (pwrite(fd, block, sizeof block, (off_t)(i * sizeof block)) !=
                (ssize_t)sizeof block ||
            fdatasync(fd) != 0)
            fail("cannot write there");
        took[i] = measure_seconds() - from;
    }
    (void)close(fd);
    (void)unlink(path);
    print_times(name, took, SYNCS);
}

/* ---- afterwards --------------------------------------------------------- */

struct tally {
    size_t acknowledged, lost, rows;
};

static enum status check_vote(const struct crowd_vote *v, struct tally *t,
                              struct db *db, struct err *err)
{
    struct arena a = {0};
    struct vote there = {.id = 0};
    if (v->act == 0)
        return OK;
    t->acknowledged++;
    enum status status = votes_read(&there, &a, db, v->act, err);
    if (status == ERR_MISSING || there.assignment != v->assignment ||
        strcmp(there.key, v->key) != 0 || there.overall != VOTE_B)
        t->lost++;
    arena_free(&a);
    return status == ERR_MISSING ? OK : status;
}

static enum status count_rows(struct tally *t, struct db *db, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db, "SELECT count(*) FROM vote", err));
    enum status status = query_next(&q, &row, err);
    if (status == OK && row)
        t->rows = (size_t)query_int(&q, 0);
    query_close(&q);
    return status;
}

static struct tally check(const struct bench *b, const struct crowd_result *r)
{
    struct err err = {OK, ""};
    struct audit_report report;
    struct tally t = {0, 0, 0};
    struct db *db;
    measure_must(project_open(&db, b->path, DB_WRITE, NULL, &err), &err);
    for (size_t i = 0; i < r->n; i++)
        measure_must(check_vote(&r->vote[i], &t, db, &err), &err);
    measure_must(count_rows(&t, db, &err), &err);
    measure_must(audit_verify(&report, db, &err), &err);
    db_close(db);
    return t;
}

static void print_votes(const struct crowd_result *r)
{
    double *took = calloc(r->n + 1, sizeof *took);
    size_t n = 0;
    if (took == NULL)
        fail("no memory");
    for (size_t i = 0; i < r->n; i++)
        if (r->vote[i].act != 0)
            took[n++] = r->vote[i].took;
    if (n > 0)
        print_times("acknowledged", took, n);
    free(took);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct crowd_result r;
    struct err err = {OK, ""};
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 60;
    double rate = argc > 3 ? strtod(argv[3], NULL) : 5;
    if (!(seconds > 0 && rate > 0 && seconds * rate < 1e5))
        fail("wants [DIR [SECONDS [RATE]]]");
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    prepare(&b, argc > 1 ? argv[1] : "/tmp", JUDGES * seconds * rate);
    start_server(&b);
    const char *token[JUDGES + 1];
    for (int i = 0; i <= JUDGES; i++)
        token[i] = b.token[i];
    const struct crowd_config c = {.port = b.port,
                                   .pool = b.pool,
                                   .n = JUDGES,
                                   .token = token,
                                   .rate = rate,
                                   .seconds = seconds,
                                   .stop = &stop};
    time_disk(&b, "disk alone, before");
    (void)fflush(stdout);
    double cpu = server_cpu(&b);
    crowd_run(&r, &c);
    cpu = server_cpu(&b) - cpu;
    time_disk(&b, "disk alone, after");
    kill_server(&b);
    struct tally t = check(&b, &r);
    size_t doubled = t.rows - (t.acknowledged - t.lost);
    printf("%-24s %zu of %zu that were due in %.1f s, %zu judges at %g/s\n",
           "votes", t.acknowledged, r.n, r.seconds, (size_t)JUDGES, rate);
    print_votes(&r);
    printf("%-24s %zu lost, %zu doubled, %zu refused\n", "opened again", t.lost,
           doubled, r.refused);
    printf("%-24s server %.2f s (%.2f ms a vote), these judges %.2f s, %zu "
           "events told\n",
           "processor", cpu, 1e3 * cpu / (double)t.acknowledged, r.cpu,
           r.events);
    free(r.vote);
    measure_must(file_remove(b.dir, &err), &err);
    return t.lost + doubled + r.refused == 0 && t.acknowledged == r.n ? 0 : 1;
}

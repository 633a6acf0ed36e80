#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "serve/http_internal.h"
#include "serve/watch_internal.h"

#define RECENT 16    // rows that a pace is told from
#define SILENT 60000 // ms without a row after which nobody may be writing
#define LOCK_BYTES 64

const char *watch_run_stage(const struct watch_run *r)
{
    static const char *const words[] = {[WATCH_OTHER] = "other",
                                        [WATCH_SFT] = "sft",
                                        [WATCH_REWARD] = "reward",
                                        [WATCH_PPO] = "ppo"};
    return words[r->stage];
}

const char *watch_run_state(const struct watch_run *r)
{
    static const char *const words[] = {[WATCH_WAITING] = "waiting",
                                        [WATCH_RUNNING] = "running",
                                        [WATCH_STOPPED] = "stopped",
                                        [WATCH_FINISHED] = "finished"};
    return words[r->state];
}

struct watch_run *watch_run_find(struct watch *w, int64_t id)
{
    return id >= 1 && (uint64_t)id <= w->n ? w->run[id - 1] : NULL;
}

/* ---- files -------------------------------------------------------------- */

enum status watch_run_poll(struct watch_run *r, size_t budget, unsigned *what,
                           struct err *err)
{
    unsigned timing;
    TRY(curve_poll(r->metrics, budget, what, err));
    TRY(curve_poll(r->timing, budget, &timing, err));
    /* What is there when a log is first seen may be old. */
    if ((*what & CURVE_ROWS) && r->is_read)
        r->moved = http_tick();
    *what |= timing & CURVE_MORE;
    r->is_read = r->is_read || !(*what & CURVE_MORE);
    return OK;
}

/* Does the process that the lock names live?  The lock itself is not touched:
 * to try it would be to hold it for a moment. */
static bool is_held(const char *run)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    if (file_join(path, run, "LOCK", NULL) != OK)
        return false;
    buf_init(&text, LOCK_BYTES);
    bool is_read = file_read(&text, path, NULL) == OK && text.len > 0;
    long pid = is_read ? strtol(buf_text(&text), NULL, 10) : 0;
    buf_free(&text);
    return pid > 0 && pid <= INT32_MAX &&
           (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* Seconds of a row, the median of the last ones; steps of a row. */
static double row_seconds(const struct watch_run *r, double *steps)
{
    struct curve_facts f;
    struct curve_view v = {.n = 0};
    double x[RECENT];
    size_t n = 0;
    curve_facts(&f, r->timing);
    *steps = f.rows > 1 ? (double)(f.last - f.first) / (double)(f.rows - 1) : 1;
    const size_t metric = curve_find(r->timing, "seconds");
    const struct curve_ask ask = {f.last - (int64_t)(*steps * RECENT), f.last,
                                  RECENT, &metric, 1};
    if (f.rows == 0 || metric == SIZE_MAX ||
        curve_view(&v, r->timing, &ask, NULL) != OK)
        return (double)NAN;
    for (size_t i = 0; i < v.n && n < RECENT; i++)
        if (isfinite(v.last[i]))
            x[n++] = (double)v.last[i];
    curve_view_free(&v);
    return n > 0 ? summary_median(x, n) : (double)NAN;
}

/* How long a run may be silent and still be running, ms. */
static int64_t silence(const struct watch_run *r)
{
    double steps, seconds = row_seconds(r, &steps);
    return seconds > 12 && seconds < 1e6 ? (int64_t)(5000 * seconds) : SILENT;
}

static enum watch_state find_state(const struct watch_run *r)
{
    struct curve_facts f;
    curve_facts(&f, r->metrics);
    if (file_holds(r->path, "result.json"))
        return WATCH_FINISHED;
    if (is_held(r->path))
        return f.rows > 0 ? WATCH_RUNNING : WATCH_WAITING;
    /* One of another program, or on another machine, has no such lock. */
    if (!file_holds(r->path, "LOCK") && r->moved > 0 &&
        http_tick() - r->moved < silence(r))
        return WATCH_RUNNING;
    return f.rows > 0 ? WATCH_STOPPED : WATCH_WAITING;
}

static void add_rollout(struct watch_run *r, const char *name)
{
    char *end;
    if (name[0] < '0' || name[0] > '9')
        return;
    long long step = strtoll(name, &end, 10);
    if (strncmp(end, ".jsonl", 6) != 0)
        return;
    r->first = r->iterations == 0 || step < r->first ? step : r->first;
    r->last = step > r->last ? step : r->last;
    r->iterations++;
}

static void add_change(uint64_t *sum, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        *sum = *sum * 31 + (uint64_t)st.st_mtim.tv_sec * 1000003U +
               (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_size;
}

/* A database and the log beside it, into which votes go first. */
static void add_database(uint64_t *sum, const char *path)
{
    char log[FILE_PATH_MAX + 4];
    add_change(sum, path);
    (void)snprintf(log, sizeof log, "%s-wal", path);
    add_change(sum, log);
}

/* Those that people vote into, of a project. */
static void add_databases(uint64_t *sum, const char *dir)
{
    struct file_list list = {0};
    char path[FILE_PATH_MAX];
    if (!file_is_dir(dir) || file_list(&list, dir, NULL) != OK)
        return;
    for (size_t i = 0; i < list.n; i++)
        if (file_ends_with(list.name[i], ".db") &&
            file_join(path, dir, list.name[i], NULL) == OK)
            add_database(sum, path);
    file_list_free(&list);
}

/* What would change if something were added: of the files that alarms rest
 * on besides the log. */
static int64_t sum_of_changes(const struct watch *w, const struct watch_run *r)
{
    static const char *const names[] = {
        "human", "human/spotcheck.jsonl", "human/checkpoints",
        "eval",  "eval/samples.jsonl",    "eval/checkpoints"};
    char path[FILE_PATH_MAX];
    uint64_t sum = 0;
    for (size_t i = 0;
         r->project[0] != '\0' && i < sizeof names / sizeof *names; i++)
        if (file_join(path, r->project, names[i], NULL) == OK)
            add_change(&sum, path);
    if (r->project[0] != '\0' &&
        file_join(path, r->project, "human", NULL) == OK)
        add_databases(&sum, path);
    if (w->judgements[0] != '\0')
        add_database(&sum, w->judgements);
    return (int64_t)(sum >> 1);
}

bool watch_run_refresh(const struct watch *w, struct watch_run *r)
{
    char path[FILE_PATH_MAX];
    struct file_list list = {0};
    enum watch_state state = find_state(r);
    size_t iterations = r->iterations;
    int64_t last = r->last, files = sum_of_changes(w, r);
    r->first = r->last = -1;
    r->iterations = 0;
    if (file_join(path, r->path, "rollouts", NULL) == OK && file_is_dir(path) &&
        file_list(&list, path, NULL) == OK) {
        for (size_t i = 0; i < list.n; i++)
            add_rollout(r, list.name[i]);
        file_list_free(&list);
    }
    bool is_new = state != r->state || iterations != r->iterations ||
                  last != r->last || files != r->files;
    r->state = state;
    r->files = files;
    return is_new;
}

/* ---- numbers ------------------------------------------------------------ */

int64_t watch_run_step(const struct watch_run *r)
{
    struct curve_facts f;
    curve_facts(&f, r->metrics);
    return f.last;
}

struct curve *watch_run_log(const struct watch_run *r, const char **metric)
{
    static const char head[] = "timing/";
    if (strncmp(*metric, head, sizeof head - 1) != 0)
        return r->metrics;
    *metric += sizeof head - 1;
    return r->timing;
}

double watch_run_now(const struct watch_run *r, const char *metric)
{
    struct curve *c = watch_run_log(r, &metric);
    size_t i = curve_find(c, metric);
    return i == SIZE_MAX ? (double)NAN : curve_now(c, i);
}

struct watch_pace watch_run_pace(const struct watch_run *r)
{
    struct watch_pace p = {r->total, (double)NAN, (double)NAN, (double)NAN};
    double steps, step = (double)watch_run_step(r);
    double epoch = watch_run_now(r, "epoch");
    p.seconds = row_seconds(r, &steps);
    if (isnan(p.total) && epoch > 0 && r->epochs > 0)
        p.total = round(step / epoch * r->epochs);
    if (r->state == WATCH_RUNNING && p.total >= step)
        p.eta = (p.total - step) / steps * p.seconds;
    double eps = watch_run_now(r, "timing/eps");
    double length = watch_run_now(r, "response/length");
    double tokens = watch_run_now(r, "batch/tokens");
    p.tokens_per_s =
        isfinite(length) ? eps * length : tokens * steps / p.seconds;
    return p;
}

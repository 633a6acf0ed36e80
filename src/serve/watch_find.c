#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/settings.h"
#include "serve/watch_internal.h"

/* ---- what a run says of itself ------------------------------------------ */

static const struct {
    const char *name;
    enum watch_stage stage;
} stages[] = {{"sft", WATCH_SFT}, {"reward", WATCH_REWARD}, {"ppo", WATCH_PPO}};

static double to_number(const char *text)
{
    char *end;
    double x = text != NULL ? strtod(text, &end) : (double)NAN;
    return text != NULL && end != text && *end == '\0' ? x : (double)NAN;
}

struct reading {
    struct watch_run *run;
    bool has_target;
};

static enum status take_setting(void *ctx, const char *key, const char *text,
                                const char *origin, struct err *err)
{
    struct reading *g = ctx;
    struct watch_run *r = g->run;
    (void)origin;
    (void)err;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        size_t n = strlen(stages[i].name);
        if (strncmp(key, stages[i].name, n) == 0 && key[n] == '.')
            r->stage = stages[i].stage;
    }
    if (strcmp(key, "ppo.iterations") == 0)
        r->total = to_number(text);
    else if (strcmp(key, "sft.epochs") == 0 ||
             strcmp(key, "reward.epochs") == 0)
        r->epochs = to_number(text);
    else if (strcmp(key, "ppo.kl_target") == 0)
        r->kl_target = to_number(text);
    else if (strcmp(key, "ppo.beta") == 0)
        r->beta = to_number(text);
    else if (strcmp(key, "ppo.kl_control") == 0)
        g->has_target = text != NULL && strcmp(text, "fixed") != 0;
    return OK;
}

/* A run of somebody else's has no such file, or another one: then it is a run
 * all the same, of which less is known. */
static void read_config(struct watch_run *r)
{
    char path[FILE_PATH_MAX];
    struct reading g = {.run = r};
    if (file_join(path, r->path, "config.yaml", NULL) != OK)
        return;
    if (settings_read(path, take_setting, &g, NULL) != OK)
        r->total = (double)NAN;
    if (!g.has_target)
        r->kl_target = (double)NAN;
}

/* ---- runs --------------------------------------------------------------- */

void watch_run_free(struct watch_run *r)
{
    if (r == NULL)
        return;
    curve_close(r->metrics);
    curve_close(r->timing);
    mem_free(r);
}

static enum status open_log(struct curve **out, const struct watch *w,
                            const struct watch_run *r, const char *log,
                            const char *index, struct err *err)
{
    char path[FILE_PATH_MAX], beside[FILE_PATH_MAX];
    TRY(file_join(path, r->path, log, err));
    TRY(file_join(beside, r->path, index, err));
    return curve_open(out, path, w->no_index ? NULL : beside, err);
}

/* The last parts of a path, as many as fit. */
static void short_path(char out[WATCH_KEY], const char *path)
{
    size_t n = strlen(path);
    const char *from = n < WATCH_KEY ? path : path + n - (WATCH_KEY - 1);
    while (from > path && ((unsigned char)*from & 0xC0) == 0x80)
        from++;
    memcpy(out, from, strlen(from) + 1);
}

static bool is_stage(const char *name)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (strcmp(stages[i].name, name) == 0)
            return true;
    return false;
}

/* "DIR/ppo" is a stage of the project DIR. */
static enum status find_project(struct watch_run *r, struct err *err)
{
    TRY(file_absolute(r->whole, r->path, err));
    const char *name = strrchr(r->whole, '/');
    /* As it was named, where that says it: messages quote it. */
    const char *given = strrchr(r->path, '/');
    if (name == NULL || !is_stage(name + 1))
        return OK;
    if (given != NULL && strcmp(given, name) == 0)
        return file_dirname(r->project, r->path, err);
    return file_join(r->project, r->path, "..", err);
}

static enum status make_run(struct watch_run **out, const struct watch *w,
                            const char *path, const char *name, struct err *err)
{
    struct watch_run *r;
    TRY(MEM_NEW(r, 1, err));
    enum status status = OK;
    r->total = r->epochs = r->kl_target = r->beta = (double)NAN;
    r->first = r->last = r->judged = -1;
    for (int i = 0; i < ALARMS; i++)
        r->alarm[i] = (struct alarm){ALARM_UNKNOWN, -1, "not looked at yet"};
    TRY_DONE(file_join(r->path, "", path, err));
    short_path(r->name, name);
    TRY_DONE(find_project(r, err));
    read_config(r);
    TRY_DONE(open_log(&r->metrics, w, r, "metrics.jsonl", ".plumb-index", err));
    TRY_DONE(
        open_log(&r->timing, w, r, "timing.jsonl", ".plumb-index-timing", err));
    *out = r;
done:
    if (status != OK)
        watch_run_free(r);
    return status;
}

static enum status add_run(struct watch *w, const char *path, const char *name,
                           struct err *err)
{
    struct watch_run *r;
    char whole[FILE_PATH_MAX];
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->run[i]->path, path) == 0)
            return OK;
    /* By way of a link it is the same one. */
    TRY(file_absolute(whole, path, err));
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->run[i]->whole, whole) == 0)
            return OK;
    if (w->n == WATCH_RUNS_MAX)
        return OK;
    TRY(make_run(&r, w, path, name, err));
    (void)watch_run_refresh(w, r);
    (void)pthread_mutex_lock(&w->lock);
    if (w->n == w->room) {
        size_t room = w->room > 0 ? 2 * w->room : 16;
        struct watch_run **run =
            mem_grow(w->run, w->room, room, sizeof(struct watch_run *));
        if (run == NULL) {
            (void)pthread_mutex_unlock(&w->lock);
            watch_run_free(r);
            return err_set(err, ERR_MEMORY, "out of memory for %zu runs", room);
        }
        w->run = run;
        w->room = room;
    }
    r->id = (int64_t)w->n + 1;
    w->run[w->n++] = r;
    w->found++;
    (void)pthread_mutex_unlock(&w->lock);
    return OK;
}

/* A run's directory, of ours or of somebody who writes such metrics.  A
 * config.yaml alone may be anybody's: it must stand beside a LOCK. */
static bool is_run(const char *path)
{
    return file_holds(path, "metrics.jsonl") ||
           (file_holds(path, "config.yaml") && file_holds(path, "LOCK"));
}

/* Folders of a run or project that hold no runs, and may hold very much. */
static bool is_passed_over(const char *name)
{
    static const char *const names[] = {
        "checkpoints", "rollouts", "merged", "eval",        "probes",
        "human",       "world",    "build",  "node_modules"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return name[0] == '.';
}

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static enum status search(struct watch *w, const char *path, const char *name,
                          int depth, struct err *err)
{
    struct file_list list = {0};
    enum status status = OK;
    if (is_run(path))
        return add_run(w, path, name, err);
    if (depth == 0 || file_list(&list, path, NULL) != OK)
        return OK;
    /* Links come last: a run has the name of where it lies. */
    size_t n = list.n;
    for (size_t k = 0; status == OK && k < 2 * n; k++) {
        char below[FILE_PATH_MAX], sub[FILE_PATH_MAX];
        const char *entry = list.name[k < n ? k : k - n];
        if (is_passed_over(entry) ||
            file_join(below, path, entry, NULL) != OK ||
            file_join(sub, name, entry, NULL) != OK || !file_is_dir(below) ||
            is_link(below) != (k >= n))
            continue;
        status = search(w, below, sub, depth - 1, err);
    }
    file_list_free(&list);
    return status;
}

enum status watch_find(struct watch *w, struct err *err)
{
    if (is_run(w->path)) {
        char whole[FILE_PATH_MAX];
        TRY(file_absolute(whole, w->path, err));
        const char *name = strrchr(whole, '/');
        return add_run(w, w->path, name != NULL ? name + 1 : whole, err);
    }
    return search(w, w->path, "", WATCH_DEPTH, err);
}

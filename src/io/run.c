#include "io/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/run_events.h"
#include "io/run_files.h"

/* Logs are lines of a few kilobytes; a run of a million steps fits. */
#define LOG_BYTES_MAX ((size_t)1 << 30)
#define CONFIG_BYTES_MAX ((size_t)1 << 20)

static double now(const struct run *r)
{
    return r->clock != NULL ? r->clock() : 0.0;
}

static enum status path_of(char out[FILE_PATH_MAX], const struct run *r,
                           const char *name, struct err *err)
{
    return file_join(out, r->dir, name, err);
}

static bool has(const struct run *r, const char *name)
{
    char path[FILE_PATH_MAX];
    return path_of(path, r, name, NULL) == OK && file_exists(path);
}

static enum status remove_entry(const struct run *r, const char *name,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, name, err));
    return file_remove(path, err);
}

/* ---- lock --------------------------------------------------------------- */

/* The lock is flock's, which ends with its holder however that dies; the pid
 * in the file is only for the message and goes when the lock does. */
enum status run_lock(int *lock, const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX], pid[32] = "";
    TRY(file_join(path, dir, "LOCK", err));
    /* Not through a link: the file is emptied below. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return file_error(err, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            (void)file_error(err, "lock", path);
            close(fd);
            return ERR_IO;
        }
        ssize_t n = read(fd, pid, sizeof pid - 1);
        close(fd);
        pid[n > 0 ? n : 0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        return err_set(err, ERR_BUSY, "%s is in use by process %s", dir,
                       pid[0] != '\0' ? pid : "unknown");
    }
    int len = snprintf(pid, sizeof pid, "%jd\n", (intmax_t)getpid());
    /* The lock holds without it: better no pid than half of one. */
    if (ftruncate(fd, 0) != 0 || write(fd, pid, (size_t)len) != len)
        (void)!ftruncate(fd, 0);
    *lock = fd;
    return OK;
}

void run_unlock(int lock)
{
    if (lock < 0)
        return;
    (void)!ftruncate(lock, 0);
    close(lock);
}

/* ---- opening: what is there already ------------------------------------- */

/* Checkpoints go first and config.yaml last: a process killed half-way leaves
 * a directory that still says which configuration it was of. */
static enum status remove_run(const struct run *r, struct err *err)
{
    TRY(remove_entry(r, "checkpoints", err));
    TRY(remove_entry(r, "result.json", err));
    TRY(remove_entry(r, "eval/heldout.json", err));
    TRY(remove_entry(r, "rollouts", err));
    TRY(remove_entry(r, "merged", err));
    TRY(remove_entry(r, "metrics.jsonl", err));
    TRY(remove_entry(r, "timing.jsonl", err));
    return remove_entry(r, "config.yaml", err);
}

/* Name the first line in which two texts differ. */
static enum status compare_config(const char *path, const char *old,
                                  const char *new, struct err *err)
{
    for (size_t line = 1; *old != '\0' || *new != '\0'; line++) {
        size_t a = strcspn(old, "\n"), b = strcspn(new, "\n");
        if (a != b || memcmp(old, new, a) != 0)
            return err_set(err, ERR_MISMATCH,
                           "%s:%zu: the run was started with \"%.*s\", now "
                           "it is \"%.*s\"; --overwrite starts anew",
                           path, line, a > 80 ? 80 : (int)a, old,
                           b > 80 ? 80 : (int)b, new);
        old += a + (old[a] == '\n');
        new += b + (new[b] == '\n');
    }
    return OK;
}

static enum status check_config(const struct run *r, const char *config,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, "config.yaml", err));
    struct buf old;
    buf_init(&old, CONFIG_BYTES_MAX);
    enum status status = file_read(&old, path, err);
    if (status == OK)
        status = compare_config(path, buf_text(&old), config, err);
    buf_free(&old);
    return status;
}

/* What of a run is there besides its configuration, or NULL.  config.yaml is
 * written first and removed last, so without it these are somebody else's. */
static const char *remains_of_run(const struct run *r)
{
    static const char *const names[] = {"checkpoints", "rollouts",
                                        "metrics.jsonl", "timing.jsonl",
                                        "result.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has(r, names[i]))
            return names[i];
    return NULL;
}

/* Apply the mode; afterwards config.yaml is there and equal to `config`. */
static enum status settle_config(const struct run *r, enum run_mode mode,
                                 const char *config, struct err *err)
{
    const char *remains = remains_of_run(r);
    bool has_config = has(r, "config.yaml");
    if (mode == RUN_NEW && (has_config || remains != NULL))
        return err_set(err, ERR_ARG,
                       "%s holds a run already; use --resume to go on or "
                       "--overwrite to replace it",
                       r->dir);
    if (mode == RUN_OVERWRITE) {
        TRY(remove_run(r, err));
        has_config = false;
    }
    if (mode == RUN_RESUME && has_config)
        return check_config(r, config, err);
    if (mode == RUN_RESUME && remains != NULL)
        return err_set(err, ERR_MISMATCH,
                       "%s holds %s but no config.yaml; use --overwrite to "
                       "replace what is there",
                       r->dir, remains);
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, "config.yaml", err));
    return file_write(path, config, strlen(config), err);
}

/* ---- opening: leftovers ------------------------------------------------- */

/* Put ".000123.old" back in the place of 000123 when a checkpoint was being
 * replaced and only the former one is whole. */
static enum status restore(const char *dir, const char *name, struct err *err)
{
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX], step[FILE_PATH_MAX];
    size_t len = strlen(name) - strlen("..old");
    memcpy(step, name + 1, len);
    step[len] = '\0';
    TRY(file_join(from, dir, name, err));
    TRY(file_join(to, dir, step, err));
    if (run_files_is_whole(dir, step) || !run_files_is_whole(dir, name))
        return file_remove(from, err);
    TRY(file_remove(to, err));
    return file_rename(from, to, err);
}

/* What a killed process left in one folder: temporary files and checkpoints
 * that are not whole. */
static enum status tidy_entry(const char *dir, const char *name,
                              bool has_checkpoints, struct err *err)
{
    char path[FILE_PATH_MAX];
    int64_t step;
    if (has_checkpoints && name[0] == '.' && file_ends_with(name, ".old") &&
        strlen(name) > strlen("..old"))
        return restore(dir, name, err);
    bool is_left = (name[0] == '.' && file_ends_with(name, ".tmp")) ||
                   (has_checkpoints && run_files_step(&step, name) &&
                    !run_files_is_whole(dir, name));
    if (!is_left)
        return OK;
    TRY(file_join(path, dir, name, err));
    return file_remove(path, err);
}

static enum status tidy(const struct run *r, const char *name,
                        bool has_checkpoints, struct err *err)
{
    char dir[FILE_PATH_MAX];
    TRY(path_of(dir, r, name, err));
    if (!file_is_dir(dir))
        return OK;
    struct file_list list = {0};
    TRY(file_list(&list, dir, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < list.n; i++)
        status = tidy_entry(dir, list.name[i], has_checkpoints, err);
    file_list_free(&list);
    return status;
}

/* ---- opening: back to the checkpoint ------------------------------------ */

/* Bytes of the rows up to step `last`.  Rows are in order of steps, so what
 * is kept is a prefix; a torn last line is not. */
static enum status kept_bytes(size_t *out, const struct buf *text,
                              const char *path, int64_t last, struct err *err)
{
    size_t at = 0;
    for (size_t line = 1; last >= 0 && at < text->len; line++) {
        const char *row = text->data + at;
        const char *end = memchr(row, '\n', text->len - at);
        if (end == NULL)
            break;
        size_t next = (size_t)(end - text->data) + 1;
        struct json *node = NULL;
        enum status status =
            json_parse(&node, row, (size_t)(end - row), path, err);
        int64_t step = json_int(json_get(node, "step"), -1);
        json_free(node);
        if (status == ERR_MEMORY)
            return status;
        /* Unreadable rows may stand at the end only. */
        if (status != OK || step < 0) {
            if (next == text->len)
                break;
            return err_set(err, ERR_FORMAT, "%s:%zu: not a row of metrics",
                           path, line);
        }
        if (step > last)
            break;
        at = next;
    }
    *out = at;
    return OK;
}

static enum status cut_log(const struct run *r, const char *name,
                           struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, name, err));
    if (!file_exists(path))
        return OK;
    struct buf text;
    buf_init(&text, LOG_BYTES_MAX);
    size_t kept = 0;
    enum status status = file_read(&text, path, err);
    if (status == OK)
        status = kept_bytes(&kept, &text, path, r->checkpoint, err);
    if (status == OK && kept < text.len) {
        status = file_truncate(path, kept, err);
        if (status == OK)
            status = file_sync(path, err);
    }
    buf_free(&text);
    return status;
}

static enum status cut_rollouts(const struct run *r, struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    TRY(path_of(dir, r, "rollouts", err));
    if (!file_is_dir(dir))
        return OK;
    struct file_list list = {0};
    TRY(file_list(&list, dir, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < list.n; i++) {
        char *dot = strchr(list.name[i], '.');
        int64_t step;
        if (dot == NULL || strcmp(dot, ".jsonl.zst") != 0)
            continue;
        status = file_join(path, dir, list.name[i], err);
        *dot = '\0';
        if (status == OK && run_files_step(&step, list.name[i]) &&
            step > r->checkpoint)
            status = file_remove(path, err);
    }
    file_list_free(&list);
    return status;
}

/* ---- opening ------------------------------------------------------------ */

static enum status open_log(FILE **out, const struct run *r, const char *name,
                            struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, name, err));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    *out = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (*out == NULL) {
        (void)file_error(err, "open", path);
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    return OK;
}

static enum status find_newest(struct run *r, struct err *err)
{
    int64_t *steps = NULL;
    size_t n = 0;
    TRY(run_checkpoints(&steps, &n, r->dir, err));
    r->checkpoint = n > 0 ? steps[n - 1] : -1;
    mem_free(steps);
    return OK;
}

static enum status open_locked(struct run *r, enum run_mode mode,
                               const char *config, struct err *err)
{
    /* Nothing is touched before the mode allows it. */
    TRY(settle_config(r, mode, config, err));
    TRY(remove_entry(r, ".config.yaml.tmp", err));
    TRY(remove_entry(r, ".result.json.tmp", err));
    TRY(tidy(r, "rollouts", false, err));
    TRY(tidy(r, "checkpoints", true, err));
    TRY(find_newest(r, err));
    r->is_complete = has(r, "result.json");
    /* A complete run may have logged steps after its last checkpoint. */
    if (!r->is_complete) {
        TRY(cut_log(r, "metrics.jsonl", err));
        TRY(cut_log(r, "timing.jsonl", err));
        TRY(cut_rollouts(r, err));
    }
    TRY(run_events_open(&r->events, r->dir, now(r), err));
    TRY(open_log(&r->metrics, r, "metrics.jsonl", err));
    TRY(open_log(&r->timing, r, "timing.jsonl", err));
    /* The logs' names, too, are on the disk before the first checkpoint. */
    return file_sync(r->dir, err);
}

enum status run_open(struct run *r, const char *dir, enum run_mode mode,
                     const char *config, double (*clock)(void), struct err *err)
{
    struct run run = {.lock = -1, .clock = clock, .checkpoint = -1};
    TRY(file_join(run.dir, "", dir, err));
    TRY(file_make_dir(dir, err));
    TRY(run_lock(&run.lock, run.dir, err));
    enum status status = open_locked(&run, mode, config, err);
    if (status != OK) {
        run_close(&run);
        return status;
    }
    *r = run;
    return OK;
}

enum status run_follow(struct run *r, const char *dir, int64_t checkpoint,
                       bool is_complete, struct err *err)
{
    struct run run = {.lock = -1,
                      .checkpoint = checkpoint,
                      .is_complete = is_complete,
                      .is_followed = true};
    TRY(file_join(run.dir, "", dir, err));
    *r = run;
    return OK;
}

void run_close(struct run *r)
{
    if (r->dir[0] == '\0')
        return; // never opened
    if (r->metrics != NULL)
        (void)fclose(r->metrics);
    if (r->timing != NULL)
        (void)fclose(r->timing);
    tfevents_close(r->events);
    run_unlock(r->lock);
    *r = (struct run){.lock = -1, .checkpoint = -1};
}

/* ---- logging ------------------------------------------------------------ */

/* What the system says of one of the run's logs. */
static enum status log_error(const struct run *r, const char *verb,
                             const char *name, struct err *err)
{
    int code = errno;
    char path[FILE_PATH_MAX];
    TRY(path_of(path, r, name, err));
    errno = code;
    return file_error(err, verb, path);
}

static enum status put_line(const struct run *r, FILE *file, struct buf *line,
                            const char *name, struct err *err)
{
    buf_putc(line, '\n');
    TRY(buf_status(line, err));
    /* Flushed to the system at once, so that others can follow the run. */
    if (fwrite(line->data, 1, line->len, file) != line->len ||
        fflush(file) != 0)
        return log_error(r, "write", name, err);
    return OK;
}

static enum status put_logs(struct run *r, struct buf *line, int64_t step,
                            const struct metric *m, size_t n,
                            const struct run_timing *when, double seconds,
                            struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, line, false);
    json_open(&w, '{');
    json_field_int(&w, "step", step);
    for (size_t i = 0; i < n; i++)
        json_field_number(&w, m[i].name, m[i].value);
    json_close(&w, '}');
    TRY(put_line(r, r->metrics, line, "metrics.jsonl", err));

    buf_clear(line);
    json_writer_init(&w, line, false);
    json_open(&w, '{');
    json_field_int(&w, "step", step);
    json_field_number(&w, "time", when->time);
    json_field_number(&w, "seconds", seconds);
    json_field_number(&w, "eps", when->eps);
    json_close(&w, '}');
    return put_line(r, r->timing, line, "timing.jsonl", err);
}

enum status run_metrics(struct run *r, int64_t step, const struct metric *m,
                        size_t n, double seconds, double units, struct err *err)
{
    struct run_timing when = {
        .time = now(r),
        .eps = seconds > 0.0 ? units / seconds : (double)NAN,
    };
    struct buf line;
    if (r->is_followed)
        return OK;
    buf_init(&line, LOG_BYTES_MAX);
    enum status status = put_logs(r, &line, step, m, n, &when, seconds, err);
    buf_free(&line);
    TRY(status);
    for (size_t i = 0; i < n; i++)
        TRY(run_events_put(r->events, when.time, step, m[i].name, m[i].value,
                           err));
    TRY(run_events_put(r->events, when.time, step, "eps", when.eps, err));
    return tfevents_flush(r->events, err);
}

static enum status sync_log(const struct run *r, FILE *file, const char *name,
                            struct err *err)
{
    if (fflush(file) != 0 || fsync(fileno(file)) != 0)
        return log_error(r, "flush", name, err);
    return OK;
}

enum status run_flush(struct run *r, struct err *err)
{
    if (r->is_followed)
        return OK;
    TRY(sync_log(r, r->metrics, "metrics.jsonl", err));
    TRY(sync_log(r, r->timing, "timing.jsonl", err));
    return tfevents_flush(r->events, err);
}

static enum status numbered(char out[FILE_PATH_MAX], const struct run *r,
                            const char *folder, int64_t step, const char *end,
                            struct err *err)
{
    char dir[FILE_PATH_MAX], name[64];
    TRY(path_of(dir, r, folder, err));
    if (!r->is_followed)
        TRY(file_make_dir(dir, err));
    int n = snprintf(name, sizeof name, "%06" PRId64 "%s", step, end);
    if (n < 0 || (size_t)n >= sizeof name)
        return err_set(err, ERR_LIMIT, "name of step %" PRId64, step);
    return file_join(out, dir, name, err);
}

enum status run_checkpoint_path(char out[FILE_PATH_MAX], const struct run *r,
                                int64_t step, struct err *err)
{
    return numbered(out, r, "checkpoints", step, "", err);
}

enum status run_rollout_path(char out[FILE_PATH_MAX], const struct run *r,
                             int64_t step, struct err *err)
{
    return numbered(out, r, "rollouts", step, ".jsonl.zst", err);
}

enum status run_finish(struct run *r, const char *json, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(run_flush(r, err));
    TRY(path_of(path, r, "result.json", err));
    if (!r->is_followed)
        TRY(file_write(path, json, strlen(json), err));
    r->is_complete = true;
    return OK;
}

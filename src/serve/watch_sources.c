#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/trace.h"
#include "serve/watch_internal.h"

enum status watch_source_place(struct watch_place *out, struct watch *w,
                               int64_t id, struct err *err)
{
    enum status status = OK;
    (void)pthread_mutex_lock(&w->lock);
    const struct watch_run *r = watch_run_find(w, id);
    if (r == NULL) {
        status = err_set(err, ERR_MISSING, "no such run");
    } else {
        memcpy(out->path, r->path, sizeof out->path);
        memcpy(out->project, r->project, sizeof out->project);
        out->id = id;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return status;
}

/* ---- files -------------------------------------------------------------- */

static enum status walk_folder(const char *dir, const char *word,
                               watch_source_fn fn, void *ctx, struct err *err)
{
    struct file_list list = {0};
    enum status status = OK;
    if (!file_is_dir(dir) || file_list(&list, dir, NULL) != OK)
        return OK;
    for (size_t i = 0; status == OK && i < list.n; i++) {
        char path[FILE_PATH_MAX], name[PARSE_NAME_MAX + 1];
        char *end;
        long long step = strtoll(list.name[i], &end, 10);
        if (list.name[i][0] < '0' || list.name[i][0] > '9' ||
            strncmp(end, ".jsonl", 6) != 0 ||
            file_join(path, dir, list.name[i], NULL) != OK)
            continue;
        (void)snprintf(name, sizeof name, "%s-%lld", word, step);
        status = fn(ctx, name, step, path, err);
    }
    file_list_free(&list);
    return status;
}

enum status watch_source_walk(const struct watch_place *p, watch_source_fn fn,
                              void *ctx, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, p->path, "rollouts", err));
    TRY(walk_folder(path, "iteration", fn, ctx, err));
    if (p->project[0] == '\0')
        return OK;
    TRY(file_join(path, p->project, "eval/checkpoints", err));
    TRY(walk_folder(path, "checkpoint", fn, ctx, err));
    TRY(file_join(path, p->project, "eval/samples.jsonl", err));
    return file_exists(path) ? fn(ctx, "eval", -1, path, err) : OK;
}

struct search {
    const char *name;
    char *path; // [FILE_PATH_MAX]
    bool is_found;
};

static enum status match_source(void *ctx, const char *name, int64_t step,
                                const char *path, struct err *err)
{
    struct search *s = ctx;
    (void)step;
    if (s->is_found || strcmp(name, s->name) != 0)
        return OK;
    s->is_found = true;
    return file_join(s->path, "", path, err);
}

/* The text of a file: the one that is held, when it is that. */
enum status watch_source_hold_file(struct watch *w, const char *path,
                                   struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, ERR_MISSING, "it is not there any more");
    if (strcmp(w->held.path, path) == 0 &&
        w->held.size == (int64_t)st.st_size &&
        w->held.s == (int64_t)st.st_mtim.tv_sec &&
        w->held.ns == (int64_t)st.st_mtim.tv_nsec)
        return OK;
    w->held.path[0] = '\0';
    buf_clear(&w->held.text);
    TRY(trace_read_file(&w->held.text, path, err));
    w->held.size = (int64_t)st.st_size;
    w->held.s = (int64_t)st.st_mtim.tv_sec;
    w->held.ns = (int64_t)st.st_mtim.tv_nsec;
    return file_join(w->held.path, "", path, err);
}

enum status watch_source_hold(struct watch *w, const struct watch_job *job,
                              struct watch_place *p, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct search s = {job->name, path, false};
    TRY(watch_source_place(p, w, job->run, err));
    TRY(watch_source_walk(p, match_source, &s, err));
    if (!s.is_found)
        return err_set(err, ERR_MISSING, "there are no replies of that name");
    return watch_source_hold_file(w, path, err);
}

/* The next line of a text; false at its end. */
bool watch_source_line(const char **line, size_t *len, const char **at,
                       const char *end)
{
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *len = (size_t)((stop != NULL ? stop : end) - *at);
    *at = stop != NULL ? stop + 1 : end;
    return true;
}

/* ---- answers ------------------------------------------------------------ */

void watch_source_answer(struct watch_job *job, enum status status,
                         struct buf *out, const struct err *err)
{
    if (status == OK)
        http_reply_json(job->request, 200, out);
    else
        http_reply_status(job->request, status, err);
    buf_free(out);
}

static enum status list_source(void *ctx, const char *name, int64_t step,
                               const char *path, struct err *err)
{
    struct json_writer *j = ctx;
    (void)path;
    (void)err;
    json_open(j, '{');
    json_field_text(j, "name", name);
    json_field_int(j, "step", step);
    json_close(j, '}');
    return OK;
}

void watch_rows_sources(struct watch *w, struct watch_job *job)
{
    struct watch_place p;
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    enum status status = watch_source_place(&p, w, job->run, &err);
    json_open(&j, '{');
    json_put_key(&j, "sources");
    json_open(&j, '[');
    if (status == OK)
        status = watch_source_walk(&p, list_source, &j, &err);
    json_close(&j, ']');
    json_close(&j, '}');
    watch_source_answer(job, status, &out, &err);
}

enum status watch_ask_count(int64_t *out, const struct http_request *r,
                            const char *key, int64_t fallback, int64_t most,
                            struct err *err)
{
    const char *text = http_query(r, key);
    char *end;
    *out = fallback;
    if (text == NULL)
        return OK;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return err_set(err, ERR_ARG, "%s: a number from 0 is wanted", key);
    *out = x > most ? most : x;
    return OK;
}

enum status watch_ask_word(const char **out, const struct http_request *r,
                           const char *key, const char *const *word,
                           struct err *err)
{
    const char *text = http_query(r, key);
    *out = word[0];
    if (text == NULL || text[0] == '\0')
        return OK;
    for (size_t i = 0; word[i] != NULL; i++)
        if (strcmp(text, word[i]) == 0) {
            *out = word[i];
            return OK;
        }
    return err_set(err, ERR_ARG, "%s: %s is not one of its values", key, text);
}

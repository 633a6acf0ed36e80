#include "io/run_events.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/dataset.h"

/* TensorBoard looks for the beginning; the rest is the same for every run, so
 * that a file made anew takes the old one's place. */
#define NAME "events.out.tfevents.0000000001.plumb"

struct rebuild {
    struct tfevents *events;
    struct run_timing *timing;
    size_t n, room;
    size_t at; // row of timing that belongs to the metrics row being read
};

static enum status read_timing(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    struct rebuild *b = ctx;
    (void)line;
    if (b->n == b->room) {
        size_t room = b->room == 0 ? 256 : b->room * 2;
        struct run_timing *grown =
            mem_grow(b->timing, b->n, room, sizeof *b->timing);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu rows", room);
        b->timing = grown;
        b->room = room;
    }
    b->timing[b->n++] = (struct run_timing){
        .step = json_int(json_get(row, "step"), -1),
        .time = json_number(json_get(row, "time"), 0.0),
        .eps = json_number(json_get(row, "eps"), (double)NAN),
    };
    return OK;
}

enum status run_events_put(struct tfevents *t, double time, int64_t step,
                           const char *name, double value, struct err *err)
{
    return isfinite(value) ? tfevents_scalar(t, time, step, name, value, err)
                           : OK;
}

static enum status rebuild_row(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    struct rebuild *b = ctx;
    (void)line;
    int64_t step = json_int(json_get(row, "step"), 0);
    while (b->at < b->n && b->timing[b->at].step < step)
        b->at++;
    struct run_timing when = {.eps = (double)NAN};
    if (b->at < b->n && b->timing[b->at].step == step)
        when = b->timing[b->at];
    for (const void *it = json_first(row); it; it = json_next(row, it))
        if (strcmp(json_key(it), "step") != 0)
            TRY(run_events_put(b->events, when.time, step, json_key(it),
                               json_number(json_value(it), (double)NAN), err));
    return run_events_put(b->events, when.time, step, "eps", when.eps, err);
}

/* Hand every row of a log to fn; an absent log has none. */
static enum status read_log(const char *dir, const char *name, jsonl_fn fn,
                            struct rebuild *b, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, name, err));
    return file_exists(path) ? jsonl_read(path, fn, b, err) : OK;
}

enum status run_events_open(struct tfevents **out, const char *dir, double time,
                            struct err *err)
{
    char path[FILE_PATH_MAX];
    struct rebuild b = {0};
    enum status status;
    TRY(file_join(path, dir, NAME, err));
    TRY(file_remove(path, err)); // a link must not be written through
    TRY(tfevents_open(&b.events, path, time, err));
    TRY_DONE(read_log(dir, "timing.jsonl", read_timing, &b, err));
    TRY_DONE(read_log(dir, "metrics.jsonl", rebuild_row, &b, err));
    status = tfevents_flush(b.events, err);
done:
    mem_free(b.timing);
    if (status != OK)
        tfevents_close(b.events);
    else
        *out = b.events;
    return status;
}

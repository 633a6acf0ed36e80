#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "import/gather.h"
#include "io/lines.h"
#include "io/trace.h"
#include "io/trace_read.h"

#define PIECE ((size_t)8 << 20)

/* A row of a step, told by hashes. */
struct entry {
    uint64_t id, content;
    int64_t sample; // -1: not said; then given
    uint32_t file, pass;
    uint32_t place; // in the order they are read
    bool is_dropped, is_given;
};

struct gathering {
    struct notes *notes;
    const char *state;
    const struct file_list *list; // folders of the source files
    const size_t *passes;
    struct entry *entry;
    size_t n, room;
    struct buf text, packed;
    struct file_writer out;
    size_t pooled, files[2]; // rows of a step that has some of another file
    int64_t pooled_step;
};

typedef enum status (*line_fn)(struct gathering *g, const struct entry *e,
                               const char *json, size_t len, struct err *err);

/* ---- the lines of a step ------------------------------------------------ */

static bool take_number(uint64_t *out, const char **at, int base)
{
    char *end;
    *out = strtoull(*at, &end, base);
    if (end == *at || *end != ' ')
        return false;
    *at = end + 1;
    return true;
}

/* "PASS SAMPLE ID CONTENT {json}" */
static enum status read_line(struct entry *e, const char **json,
                             const char *text, size_t len, struct err *err)
{
    char head[96];
    const char *at = head;
    uint64_t pass, sample;
    size_t n = len < sizeof head - 1 ? len : sizeof head - 1;
    memcpy(head, text, n);
    head[n] = '\0';
    if (!take_number(&pass, &at, 10) || !take_number(&sample, &at, 10) ||
        !take_number(&e->id, &at, 16) || !take_number(&e->content, &at, 16) ||
        *at != '{')
        return err_set(err, ERR_FORMAT, "it is no row of an import");
    e->pass = (uint32_t)pass;
    e->sample = (int64_t)sample;
    *json = text + (at - head);
    return OK;
}

static enum status walk_file(struct gathering *g, size_t file, const char *path,
                             uint32_t *place, line_fn fn, struct err *err)
{
    struct lines l;
    const char *text, *json;
    size_t len;
    enum status status = OK;
    TRY(lines_open(&l, path, TRACE_LINE_MAX + 256, err));
    for (;;) {
        struct entry e = {.file = (uint32_t)file};
        TRY_DONE(lines_next(&l, &text, &len, err));
        if (text == NULL)
            break;
        TRY_DONE(read_line(&e, &json, text, len, err));
        e.place = (*place)++;
        TRY_DONE(fn(g, &e, json, len - (size_t)(json - text), err));
    }
done:
    if (status != OK)
        (void)err_context(err, "%s", path);
    lines_close(&l);
    return status;
}

static enum status walk_step(struct gathering *g, int64_t step, line_fn fn,
                             struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX], name[48];
    uint32_t place = 0;
    (void)snprintf(name, sizeof name, "rows.%lld", (long long)step);
    for (size_t f = 0; f < g->list->n; f++) {
        TRY(file_join(dir, g->state, g->list->name[f], err));
        TRY(file_join(path, dir, name, err));
        if (file_exists(path))
            TRY(walk_file(g, f, path, &place, fn, err));
    }
    return OK;
}

/* ---- which rows count --------------------------------------------------- */

static enum status keep_entry(struct gathering *g, const struct entry *e,
                              const char *json, size_t len, struct err *err)
{
    (void)json;
    (void)len;
    TRY(MEM_ROOM(g->entry, g->n, g->room, err));
    g->entry[g->n++] = *e;
    return OK;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By prompt, then in the order they were read. */
static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare(x->id, y->id);
    return order != 0 ? order : compare(x->place, y->place);
}

/* By prompt and number, the later first. */
static int by_sample(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare(x->id, y->id);
    if (order == 0)
        order = compare((uint64_t)x->sample, (uint64_t)y->sample);
    return order != 0 ? order : -compare(x->place, y->place);
}

/* By what they say. */
static int by_content(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare(x->id, y->id);
    if (order == 0)
        order = compare(x->content, y->content);
    return order != 0 ? order : compare(x->place, y->place);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return compare(x->place, y->place);
}

/* Passes of a file that a later one did over. */
static size_t drop_passes(struct gathering *g)
{
    size_t dropped = 0;
    for (size_t from = 0; from < g->n;) {
        size_t to = from;
        uint32_t file = g->entry[from].file, last = 0;
        for (; to < g->n && g->entry[to].file == file; to++)
            last = g->entry[to].pass > last ? g->entry[to].pass : last;
        bool is_ordered = g->passes[file] <= GATHER_PASSES_MAX;
        for (size_t i = from; i < to && is_ordered; i++) {
            g->entry[i].is_dropped = g->entry[i].pass < last;
            dropped += g->entry[i].is_dropped;
        }
        from = to;
    }
    return dropped;
}

static bool is_pair(const struct entry *a, const struct entry *b)
{
    return !a->is_dropped && a->id == b->id;
}

static size_t drop_copies(struct gathering *g)
{
    size_t dropped = 0;
    const struct entry *kept = NULL;
    qsort(g->entry, g->n, sizeof *g->entry, by_sample);
    for (size_t i = 0; i < g->n; i++) {
        struct entry *e = &g->entry[i];
        if (e->is_dropped || e->sample < 0)
            continue;
        bool is_copy =
            kept != NULL && is_pair(e, kept) && e->sample == kept->sample;
        e->is_dropped = is_copy;
        dropped += is_copy;
        kept = is_copy ? kept : e;
    }
    kept = NULL;
    qsort(g->entry, g->n, sizeof *g->entry, by_content);
    for (size_t i = 0; i < g->n; i++) {
        struct entry *e = &g->entry[i];
        if (e->is_dropped || e->sample >= 0)
            continue;
        bool is_copy = kept != NULL && is_pair(e, kept) &&
                       e->content == kept->content && e->file != kept->file;
        e->is_dropped = is_copy;
        dropped += is_copy;
        kept = is_copy ? kept : e;
    }
    return dropped;
}

/* Numbers for the rows that have none: behind those that their prompt has. */
static void number(struct gathering *g)
{
    qsort(g->entry, g->n, sizeof *g->entry, by_id);
    for (size_t from = 0; from < g->n;) {
        size_t to = from;
        int64_t next = 0;
        for (; to < g->n && g->entry[to].id == g->entry[from].id; to++)
            if (g->entry[to].sample >= next && g->entry[to].sample < INT64_MAX)
                next = g->entry[to].sample + 1;
        for (size_t i = from; i < to; i++)
            if (!g->entry[i].is_dropped && g->entry[i].sample < 0)
                g->entry[i].sample = next++;
        from = to;
    }
    qsort(g->entry, g->n, sizeof *g->entry, by_place);
}

/* Entries stand in the order of the files. */
static void count_pooled(struct gathering *g, int64_t step)
{
    const struct entry *first = NULL;
    for (size_t i = 0; i < g->n; i++) {
        const struct entry *e = &g->entry[i];
        if (e->is_dropped)
            continue;
        first = first != NULL ? first : e;
        if (e->file == first->file)
            continue;
        if (g->pooled++ == 0) {
            g->files[0] = first->file;
            g->files[1] = e->file;
            g->pooled_step = step;
        }
    }
}

/* Ranks that write a file each are one run; what are two, only the user
 * knows. */
static enum status warn_of_pooled(struct gathering *g, struct err *err)
{
    char path[2][FILE_PATH_MAX];
    if (g->pooled == 0)
        return OK;
    for (int k = 0; k < 2; k++)
        TRY(gather_source(path[k], g->state, g->list, g->files[k], err));
    return notes_warn(g->notes, "rows_pooled", g->pooled, err,
                      "rows of a step of which another file has rows, too, and "
                      "all count: first of step %lld, in %.200s and %.200s. If "
                      "these are two runs, each is imported for itself",
                      (long long)g->pooled_step, path[0], path[1]);
}

static enum status settle(struct gathering *g, int64_t step, struct err *err)
{
    size_t again = drop_passes(g), copies = drop_copies(g);
    number(g);
    count_pooled(g, step);
    if (again > 0)
        TRY(notes_warn(g->notes, "steps_done_over", again, err,
                       "rows of steps that a resumed run did over; the later "
                       "ones count"));
    if (copies > 0)
        TRY(notes_warn(g->notes, "rows_twice", copies, err,
                       "rows that are there twice (step, prompt, sample); the "
                       "later one counts"));
    g->notes->rows_out -= again + copies;
    return OK;
}

/* ---- writing ------------------------------------------------------------ */

static enum status put_piece(struct gathering *g, size_t least, struct err *err)
{
    TRY(buf_status(&g->text, err));
    if (g->text.len <= least)
        return OK;
    buf_clear(&g->packed);
    TRY(trace_pack(&g->packed, &g->text, err));
    buf_clear(&g->text);
    return file_put(&g->out, g->packed.data, g->packed.len, err);
}

static enum status put_entry(struct gathering *g, const struct entry *e,
                             const char *json, size_t len, struct err *err)
{
    if (e->place >= g->n)
        return err_set(err, ERR_MISMATCH, "it grew while it was read");
    const struct entry *known = &g->entry[e->place];
    if (known->is_dropped)
        return OK;
    buf_printf(&g->text, "{\"sample\":%lld,", (long long)known->sample);
    buf_append(&g->text, json + 1, len - 1);
    buf_putc(&g->text, '\n');
    return put_piece(g, PIECE, err);
}

static enum status write_step(struct gathering *g, const char *rollouts,
                              int64_t step, struct err *err)
{
    char path[FILE_PATH_MAX], name[48];
    g->n = 0;
    TRY(walk_step(g, step, keep_entry, err));
    TRY(settle(g, step, err));
    (void)snprintf(name, sizeof name, "%06lld.jsonl.zst", (long long)step);
    TRY(file_join(path, rollouts, name, err));
    TRY(file_create(&g->out, path, err));
    enum status status = walk_step(g, step, put_entry, err);
    if (status == OK)
        status = put_piece(g, 0, err);
    return file_finish(&g->out, status, err);
}

/* ---- all steps ---------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Every step that some file has rows of, once, in order. */
static enum status find_steps(int64_t **out, size_t *n, struct gathering *g,
                              struct err *err)
{
    int64_t *step = NULL;
    size_t count = 0, room = 0, kept = 0;
    enum status status = OK;
    for (size_t f = 0; f < g->list->n && status == OK; f++) {
        char dir[FILE_PATH_MAX];
        struct file_list names = {.n = 0};
        status = file_join(dir, g->state, g->list->name[f], err);
        if (status == OK)
            status = file_list(&names, dir, err);
        for (size_t i = 0; i < names.n && status == OK; i++) {
            if (strncmp(names.name[i], "rows.", 5) != 0)
                continue;
            status = MEM_ROOM(step, count, room, err);
            if (status == OK)
                step[count++] = strtoll(names.name[i] + 5, NULL, 10);
        }
        file_list_free(&names);
    }
    if (status != OK) {
        mem_free(step);
        return status;
    }
    if (count > 0)
        qsort(step, count, sizeof *step, by_number);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || step[i] != step[kept - 1])
            step[kept++] = step[i];
    *out = step;
    *n = kept;
    return OK;
}

enum status gather_rollouts(struct notes *notes, const char *out,
                            const char *state, const struct file_list *list,
                            const size_t *passes, const struct context *context,
                            struct err *err)
{
    struct gathering g = {
        .notes = notes, .state = state, .list = list, .passes = passes};
    char ppo[FILE_PATH_MAX], rollouts[FILE_PATH_MAX];
    int64_t *step = NULL;
    size_t n = 0;
    enum status status = OK;
    buf_init(&g.text, (size_t)1 << 30);
    buf_init(&g.packed, (size_t)1 << 30);
    TRY_DONE(find_steps(&step, &n, &g, err));
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_join(rollouts, ppo, "rollouts", err));
    TRY_DONE(file_remove(rollouts, err));
    if (n > 0)
        TRY_DONE(file_make_dir(rollouts, err));
    for (size_t i = 0; i < n; i++) {
        if (context != NULL && context_stopped(context))
            TRY_DONE(err_set(err, ERR_STOPPED, "stopped; --resume goes on"));
        TRY_DONE(write_step(&g, rollouts, step[i], err));
        if (context != NULL)
            context_progress(context, (double)(i + 1), (double)n, "step", NULL);
    }
    status = warn_of_pooled(&g, err);
done:
    mem_free(step);
    mem_free(g.entry);
    buf_free(&g.text);
    buf_free(&g.packed);
    return status;
}

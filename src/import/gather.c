#include "import/gather.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "import/import.h"
#include "import/seen.h"
#include "io/jsonl.h"
#include "io/lines.h"

#define DONE_MAX ((size_t)64 << 20)
#define LINE_MAX_ ((size_t)64 << 20)
#define PIECE ((size_t)1 << 20)

/* ---- lines of all source files ------------------------------------------ */

typedef gather_line_fn line_fn;

enum status gather_walk(const char *state, const struct file_list *list,
                        const char *name, size_t *at, gather_line_fn fn,
                        void *ctx, struct err *err)
{
    for (size_t f = 0; f < list->n; f++) {
        if (at != NULL)
            *at = f;
        char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
        struct lines l;
        const char *text;
        size_t len;
        TRY(file_join(dir, state, list->name[f], err));
        TRY(file_join(path, dir, name, err));
        if (!file_exists(path))
            continue;
        TRY(lines_open(&l, path, LINE_MAX_, err));
        enum status status = lines_next(&l, &text, &len, err);
        while (status == OK && text != NULL) {
            status = fn(ctx, text, len, err);
            if (status == OK)
                status = lines_next(&l, &text, &len, err);
        }
        lines_close(&l);
        TRY(status);
    }
    return OK;
}

static enum status walk(const char *state, const struct file_list *list,
                        const char *name, line_fn fn, void *ctx,
                        struct err *err)
{
    return gather_walk(state, list, name, NULL, fn, ctx, err);
}

static bool any_has(const char *state, const struct file_list *list,
                    const char *name)
{
    for (size_t f = 0; f < list->n; f++) {
        char dir[FILE_PATH_MAX];
        if (file_join(dir, state, list->name[f], NULL) == OK &&
            file_holds(dir, name))
            return true;
    }
    return false;
}

/* ---- metrics ------------------------------------------------------------ */

enum {
    NAME_BITS = 14,
    FILE_BITS = 32 - NAME_BITS
};

struct cell {
    uint32_t step;
    uint32_t name : NAME_BITS; // in the order of first appearance
    uint32_t file : FILE_BITS; // that said it
    double value;
};

static_assert(IMPORT_FILES_MAX < (size_t)1 << FILE_BITS, "files have numbers");

struct cells {
    struct names name;
    struct cell *cell;
    size_t n, room;
    size_t file; // that is being read
    /* What two files say of one step and name, and differ in. */
    size_t differing, files[2], differing_name;
    uint32_t differing_step;
};

/* "STEP\tNAME\tVALUE" */
static enum status add_cell(void *ctx, const char *text, size_t len,
                            struct err *err)
{
    struct cells *c = ctx;
    char line[512], *end;
    size_t index;
    if (len >= sizeof line)
        return err_set(err, ERR_FORMAT, "import.state: a metric's line");
    memcpy(line, text, len);
    line[len] = '\0';
    char *name = strchr(line, '\t');
    char *value = name != NULL ? strchr(name + 1, '\t') : NULL;
    if (value == NULL)
        return err_set(err, ERR_FORMAT, "import.state: a metric's line");
    *name++ = *value++ = '\0';
    if (c->n == GATHER_VALUES_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu values of metrics",
                       GATHER_VALUES_MAX);
    TRY(names_add(&c->name, &index, name, err));
    if (index >> NAME_BITS != 0)
        return err_set(err, ERR_LIMIT, "more than %d names of metrics",
                       1 << NAME_BITS);
    TRY(MEM_ROOM(c->cell, c->n, c->room, err));
    struct cell *x = &c->cell[c->n++];
    x->step = (uint32_t)strtoul(line, NULL, 10);
    x->name = (uint32_t)index & ((1U << NAME_BITS) - 1);
    x->file = (uint32_t)c->file & ((1U << FILE_BITS) - 1);
    x->value = strtod(value, &end);
    return OK;
}

/* A stable merge sort: by step, then by name, the later value behind. */
static void sort_cells(struct cell *x, struct cell *scratch, size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t mid = low + width < n ? low + width : n;
            size_t high = low + 2 * width < n ? low + 2 * width : n;
            size_t a = low, b = mid;
            for (size_t k = low; k < high; k++) {
                bool is_left =
                    b >= high ||
                    (a < mid &&
                     (x[a].step < x[b].step ||
                      (x[a].step == x[b].step && x[a].name <= x[b].name)));
                scratch[k] = is_left ? x[a++] : x[b++];
            }
        }
        memcpy(x, scratch, n * sizeof *x);
    }
}

/* Logs round: a text log has fewer digits than an event file, and that has
 * those of a float. */
static bool is_same_value(double a, double b)
{
    double high = fmax(fabs(a), fabs(b));
    return fabs(a - b) <= 1e-3 * high + 1e-4;
}

/* Values that a later file has too, and otherwise. */
static void compare_files(struct cells *c)
{
    for (size_t i = 1; i < c->n; i++) {
        const struct cell *a = &c->cell[i - 1], *b = &c->cell[i];
        if (a->step != b->step || a->name != b->name || a->file == b->file ||
            is_same_value(a->value, b->value))
            continue;
        if (c->differing++ > 0)
            continue;
        c->files[0] = a->file;
        c->files[1] = b->file;
        c->differing_name = b->name;
        c->differing_step = b->step;
    }
}

static enum status warn_of_files(struct notes *notes, const struct cells *c,
                                 const char *state,
                                 const struct file_list *list, struct err *err)
{
    char path[2][FILE_PATH_MAX];
    if (c->differing == 0)
        return OK;
    for (int k = 0; k < 2; k++)
        TRY(gather_source(path[k], state, list, c->files[k], err));
    return notes_warn(notes, "values_differ", c->differing, err,
                      "values of a step that two files have and differ in, "
                      "first %.80s of step %u in %.200s and %.200s: the later "
                      "file counts. Are they two runs? A project is one, and "
                      "each is imported for itself",
                      c->name.text[c->differing_name],
                      (unsigned)c->differing_step, path[0], path[1]);
}

static enum status put_cells(struct file_writer *out, const struct cells *c,
                             struct err *err)
{
    struct buf text;
    struct json_writer w;
    enum status status = OK;
    buf_init(&text, (size_t)64 << 20);
    for (size_t i = 0; i < c->n && status == OK;) {
        uint32_t step = c->cell[i].step;
        json_writer_init(&w, &text, false);
        json_open(&w, '{');
        json_field_int(&w, "step", step);
        for (; i < c->n && c->cell[i].step == step; i++) {
            bool is_last = i + 1 == c->n || c->cell[i + 1].step != step ||
                           c->cell[i + 1].name != c->cell[i].name;
            if (is_last)
                json_field_number(&w, c->name.text[c->cell[i].name],
                                  c->cell[i].value);
        }
        json_close(&w, '}');
        buf_putc(&text, '\n');
        status = buf_status(&text, err);
        if (status == OK && (text.len > PIECE || i == c->n)) {
            status = file_put(out, text.data, text.len, err);
            buf_clear(&text);
        }
    }
    buf_free(&text);
    return status;
}

static enum status gather_metrics(struct notes *notes, const char *out,
                                  const char *state,
                                  const struct file_list *list, struct err *err)
{
    struct cells c = {.n = 0};
    struct cell *scratch = NULL;
    struct file_writer w;
    char ppo[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum status status = OK;
    TRY_DONE(gather_walk(state, list, "metrics", &c.file, add_cell, &c, err));
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_join(path, ppo, "metrics.jsonl", err));
    if (c.n == 0) {
        status = file_remove(path, err);
        goto done;
    }
    TRY_DONE(MEM_NEW(scratch, c.n, err));
    sort_cells(c.cell, scratch, c.n);
    compare_files(&c);
    TRY_DONE(warn_of_files(notes, &c, state, list, err));
    TRY_DONE(file_create(&w, path, err));
    status = file_finish(&w, put_cells(&w, &c, err), err);
done:
    names_free(&c.name);
    mem_free(c.cell);
    mem_free(scratch);
    return status;
}

/* ---- replies and votes -------------------------------------------------- */

/* Lines of one kind, in one file. */
struct copying {
    struct file_writer out;
    char mark; // of the lines that are copied, which is left out; 0: all
    size_t n;
};

static enum status copy_line(void *ctx, const char *text, size_t len,
                             struct err *err)
{
    struct copying *c = ctx;
    if (c->mark != 0 && text[0] != c->mark)
        return OK;
    size_t skip = c->mark != 0;
    c->n++;
    TRY(file_put(&c->out, text + skip, len - skip, err));
    return file_put(&c->out, "\n", 1, err);
}

static enum status gather_lines(const char *out, const char *folder,
                                const char *name, const char *from, char mark,
                                const char *state, const struct file_list *list,
                                struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct copying c = {.mark = mark};
    TRY(file_join(dir, out, folder, err));
    TRY(file_join(path, dir, name, err));
    TRY(file_remove(path, err));
    if (!any_has(state, list, from))
        return OK;
    TRY(file_make_dir(dir, err));
    TRY(file_create(&c.out, path, err));
    TRY(file_finish(&c.out, walk(state, list, from, copy_line, &c, err), err));
    return c.n == 0 ? file_remove(path, err) : OK;
}

/* Replies: a line is "MARKSTEP{json}" (sink_judged.c).  Of lines of one mark
 * the first counts, of the policy's steps the last. */
struct replying {
    struct file_writer out;
    struct seen seen;
    size_t repeated, earlier;
    unsigned long last; // step and 1; 0: none says it
};

enum {
    MARK = 16,
    REPLY_HEAD = MARK + 8
};

static enum status read_head(uint64_t *mark, unsigned long *step,
                             const char *text, size_t len, struct err *err)
{
    char head[MARK + 1], number[REPLY_HEAD - MARK + 1];
    if (len <= REPLY_HEAD)
        return err_set(err, ERR_FORMAT, "import.state: a reply's line");
    memcpy(head, text, MARK);
    memcpy(number, text + MARK, REPLY_HEAD - MARK);
    head[MARK] = number[REPLY_HEAD - MARK] = '\0';
    *mark = strtoull(head, NULL, 16);
    *step = strtoul(number, NULL, 16);
    return OK;
}

static enum status find_last(void *ctx, const char *text, size_t len,
                             struct err *err)
{
    struct replying *c = ctx;
    uint64_t mark;
    unsigned long step;
    TRY(read_head(&mark, &step, text, len, err));
    c->last = step > c->last ? step : c->last;
    return OK;
}

static enum status copy_reply(void *ctx, const char *text, size_t len,
                              struct err *err)
{
    struct replying *c = ctx;
    uint64_t key;
    unsigned long step;
    uint32_t *number;
    bool is_new = true;
    TRY(read_head(&key, &step, text, len, err));
    c->earlier += step != 0 && step < c->last;
    if (step != 0 && step < c->last)
        return OK;
    if (key != 0)
        TRY(seen_at(&number, &c->seen, key, &is_new, err));
    c->repeated += !is_new;
    if (!is_new)
        return OK;
    TRY(file_put(&c->out, text + REPLY_HEAD, len - REPLY_HEAD, err));
    return file_put(&c->out, "\n", 1, err);
}

static enum status gather_replies(struct notes *notes, const char *out,
                                  const char *state,
                                  const struct file_list *list, struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct replying c = {.repeated = 0};
    TRY(file_join(dir, out, "eval", err));
    TRY(file_join(path, dir, "samples.jsonl", err));
    TRY(file_remove(path, err));
    if (!any_has(state, list, "replies"))
        return OK;
    TRY(walk(state, list, "replies", find_last, &c, err));
    TRY(file_make_dir(dir, err));
    TRY(file_create(&c.out, path, err));
    enum status status = file_finish(
        &c.out, walk(state, list, "replies", copy_reply, &c, err), err);
    seen_free(&c.seen);
    if (status == OK && c.earlier > 0)
        status = notes_warn(notes, "replies_of_earlier_steps", c.earlier, err,
                            "held-out replies of steps before %lu are left "
                            "out: the policy is that of its last step",
                            c.last - 1);
    if (status != OK || c.repeated == 0)
        return status;
    return notes_warn(notes, "replies_repeated", c.repeated, err,
                      "replies that are in another file, too: they count once");
}

enum status gather_source(char out[FILE_PATH_MAX], const char *state,
                          const struct file_list *list, size_t file,
                          struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct json *doc;
    TRY(file_join(dir, state, list->name[file], err));
    TRY(file_join(path, dir, "done.json", err));
    TRY(json_read(&doc, path, DONE_MAX, err));
    const struct json *source = json_get(doc, "source");
    (void)snprintf(out, FILE_PATH_MAX, "%s",
                   json_text(json_get(source, "path"), "?"));
    json_free(doc);
    return OK;
}

/* ---- all ---------------------------------------------------------------- */

/* What each source file's sink noted. */
static enum status read_notes(struct notes *notes, size_t *passes,
                              const char *state, const struct file_list *list,
                              struct err *err)
{
    for (size_t f = 0; f < list->n; f++) {
        char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
        struct json *doc;
        TRY(file_join(dir, state, list->name[f], err));
        TRY(file_join(path, dir, "done.json", err));
        TRY(json_read(&doc, path, DONE_MAX, err));
        enum status status = notes_read(notes, doc, err);
        int64_t n = json_int(json_get(doc, "passes"), 0);
        passes[f] = n > 0 ? (size_t)n : 0;
        json_free(doc);
        TRY(status);
        if (passes[f] > GATHER_PASSES_MAX)
            TRY(notes_warn(notes, "steps_in_no_order", 1, err,
                           "a file whose steps are in no order: nothing of it "
                           "is taken for a resumed run"));
    }
    return OK;
}

enum status gather_project(struct notes *notes, const char *trainer,
                           const char *out, const char *state,
                           const struct context *context, struct err *err)
{
    struct file_list list = {.n = 0};
    size_t *passes = NULL;
    char ppo[FILE_PATH_MAX];
    enum status status = OK;
    TRY_DONE(file_list(&list, state, err));
    TRY_DONE(MEM_NEW(passes, list.n, err));
    TRY_DONE(read_notes(notes, passes, state, &list, err));
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_make_dir(ppo, err));
    TRY_DONE(gather_rollouts(notes, out, state, &list, passes, context, err));
    TRY_DONE(gather_metrics(notes, out, state, &list, err));
    TRY_DONE(gather_replies(notes, out, state, &list, err));
    TRY_DONE(gather_lines(out, "eval", "verdicts.jsonl", "verdicts", 0, state,
                          &list, err));
    TRY_DONE(gather_lines(out, "human", "spotcheck.jsonl", "votes", 'h', state,
                          &list, err));
    TRY_DONE(gather_lines(out, "judge", "votes.jsonl", "votes", 'j', state,
                          &list, err));
    status = gather_settings(notes, trainer, out, state, &list, err);
done:
    mem_free(passes);
    file_list_free(&list);
    return status;
}

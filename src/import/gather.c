#include "import/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "import/seen.h"
#include "io/jsonl.h"
#include "io/lines.h"

#define DONE_MAX ((size_t)64 << 20)
#define LINE_MAX_ ((size_t)64 << 20)
#define PIECE ((size_t)1 << 20)

/* ---- lines of all source files ------------------------------------------ */

typedef enum status (*line_fn)(void *ctx, const char *text, size_t len,
                               struct err *err);

static enum status walk(const char *state, const struct file_list *list,
                        const char *name, line_fn fn, void *ctx,
                        struct err *err)
{
    for (size_t f = 0; f < list->n; f++) {
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

struct cell {
    uint32_t step, name; // name: in the order of first appearance
    double value;
};

struct cells {
    struct names name;
    struct cell *cell;
    size_t n, room;
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
    TRY(MEM_ROOM(c->cell, c->n, c->room, err));
    c->cell[c->n++] = (struct cell){(uint32_t)strtoul(line, NULL, 10),
                                    (uint32_t)index, strtod(value, &end)};
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

static enum status gather_metrics(const char *out, const char *state,
                                  const struct file_list *list, struct err *err)
{
    struct cells c = {.n = 0};
    struct cell *scratch = NULL;
    struct file_writer w;
    char ppo[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum status status = OK;
    TRY_DONE(walk(state, list, "metrics", add_cell, &c, err));
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_join(path, ppo, "metrics.jsonl", err));
    if (c.n == 0) {
        status = file_remove(path, err);
        goto done;
    }
    TRY_DONE(MEM_NEW(scratch, c.n, err));
    sort_cells(c.cell, scratch, c.n);
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

/* ---- settings ----------------------------------------------------------- */

struct config {
    struct names ours, theirs;
    struct buf *ours_text, *theirs_text;
};

/* One YAML line "key: 'text'"; keys of theirs are quoted whole. */
static void put_setting(struct buf *out, const char *key, const char *text)
{
    struct json_writer w;
    buf_puts(out, "  ");
    json_writer_init(&w, out, false);
    json_put_text(&w, key);
    buf_puts(out, ": ");
    json_writer_init(&w, out, false);
    json_put_text(&w, text);
    buf_putc(out, '\n');
}

static enum status add_setting(void *ctx, const char *text, size_t len,
                               struct err *err)
{
    struct config *c = ctx;
    struct json *row;
    size_t index, before;
    TRY(json_parse(&row, text, len, "import.state", err));
    const char *ours = json_text(json_at(row, 0), NULL);
    const char *theirs = json_text(json_at(row, 1), "");
    const char *value = json_text(json_at(row, 2), NULL);
    before = c->theirs.n;
    enum status status = names_add(&c->theirs, &index, theirs, err);
    if (status == OK && index == before && value != NULL) {
        put_setting(c->theirs_text, theirs, value);
        before = c->ours.n;
        if (ours != NULL)
            status = names_add(&c->ours, &index, ours, err);
        if (ours != NULL && status == OK && index == before)
            put_setting(c->ours_text, ours + strlen("ppo."), value);
    }
    json_free(row);
    return status;
}

static enum status gather_settings(const char *out, const char *state,
                                   const struct file_list *list,
                                   struct err *err)
{
    struct buf ours, theirs;
    struct config c = {.ours_text = &ours, .theirs_text = &theirs};
    char ppo[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum status status = OK;
    buf_init(&ours, PIECE);
    buf_init(&theirs, PIECE);
    buf_puts(&ours, "ppo:\n");
    buf_puts(&theirs, "imported:\n");
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_join(path, ppo, "config.yaml", err));
    TRY_DONE(walk(state, list, "settings", add_setting, &c, err));
    if (c.theirs.n == 0) {
        status = file_remove(path, err);
        goto done;
    }
    if (c.ours.n == 0)
        buf_clear(&ours);
    buf_append(&ours, theirs.data, theirs.len);
    TRY_DONE(buf_status(&ours, err));
    status = file_write(path, ours.data, ours.len, err);
done:
    names_free(&c.ours);
    names_free(&c.theirs);
    buf_free(&ours);
    buf_free(&theirs);
    return status;
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

enum status gather_project(struct notes *notes, const char *out,
                           const char *state, const struct context *context,
                           struct err *err)
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
    TRY_DONE(gather_metrics(out, state, &list, err));
    TRY_DONE(gather_replies(notes, out, state, &list, err));
    TRY_DONE(gather_lines(out, "eval", "verdicts.jsonl", "verdicts", 0, state,
                          &list, err));
    TRY_DONE(gather_lines(out, "human", "spotcheck.jsonl", "votes", 'h', state,
                          &list, err));
    TRY_DONE(gather_lines(out, "judge", "votes.jsonl", "votes", 'j', state,
                          &list, err));
    status = gather_settings(out, state, &list, err);
done:
    mem_free(passes);
    file_list_free(&list);
    return status;
}

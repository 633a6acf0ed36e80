#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/trace_read.h"

/* Files are read by all workers, some at a time, and what they come down to is
 * put together in their order: the same as one after the other. */
enum {
    FILES_EACH = 16 // for a worker before they are put together
};

struct reading {
    struct evidence *e;
    const char *dir;
    char *const *name;                    // of the files at hand
    struct evidence_gathering *gathering; // [workers]
    struct evidence_part *part;           // [files]
    size_t workers, files;
};

static enum status reading_open(struct reading *r, struct team *team,
                                struct err *err)
{
    r->workers = team != NULL ? team_size(team) : 1;
    r->files = FILES_EACH * r->workers;
    TRY(MEM_NEW(r->gathering, r->workers, err));
    return MEM_NEW(r->part, r->files, err);
}

static void reading_close(struct reading *r)
{
    for (size_t i = 0; r->gathering != NULL && i < r->workers; i++)
        evidence_gathering_free(&r->gathering[i]);
    for (size_t i = 0; r->part != NULL && i < r->files; i++)
        evidence_part_free(&r->part[i]);
    mem_free(r->gathering);
    mem_free(r->part);
}

/* Never fails: whether it did is in the part. */
static enum status read_item(void *ctx, size_t item, size_t worker,
                             struct err *err)
{
    struct reading *r = ctx;
    struct evidence_part *part = &r->part[item];
    char path[FILE_PATH_MAX];
    (void)err;
    part->status = file_join(path, r->dir, r->name[item], &part->reason);
    if (part->status == OK)
        evidence_reduce(part, &r->gathering[worker], r->e, path);
    return OK;
}

/* ---- putting together --------------------------------------------------- */

/* Room for the part's iterations and responses behind those that are there. */
static enum status make_room(struct evidence *e,
                             const struct evidence_part *part, struct err *err)
{
    size_t room = e->room_step > 0 ? e->room_step : 64;
    while (room < e->n_step + part->n_step)
        room *= 2;
    if (room > e->room_step) {
        struct evidence_step *grown =
            mem_grow(e->step, e->n_step, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu iterations",
                           room);
        e->step = grown;
        e->room_step = room;
    }
    room = e->room_rollout > 0 ? e->room_rollout : 1024;
    while (room < e->n_rollout + part->n_rollout)
        room *= 2;
    if (room > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu responses", room / 2);
    if (room > e->room_rollout) {
        struct evidence_rollout *grown =
            mem_grow(e->rollout, e->n_rollout, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu responses",
                           room);
        e->rollout = grown;
        e->room_rollout = room;
    }
    return OK;
}

/* The place of each name of `from` in `to`. */
static enum status add_names(uint32_t **place, struct names *to,
                             const struct names *from, struct err *err)
{
    TRY(MEM_NEW(*place, from->n, err));
    for (size_t i = 0; i < from->n; i++) {
        size_t index;
        TRY(names_add(to, &index, from->text[i], err));
        (*place)[i] = (uint32_t)index;
    }
    return OK;
}

static enum status add_part(struct evidence *e,
                            const struct evidence_part *part, struct err *err)
{
    uint32_t *prompt = NULL, *tag = NULL;
    enum status status = OK;
    TRY_DONE(make_room(e, part, err));
    TRY_DONE(add_names(&prompt, &e->rollout_prompt, &part->prompt, err));
    TRY_DONE(add_names(&tag, &e->tag, &part->tag, err));
    for (size_t i = 0; i < part->n_rollout; i++) {
        struct evidence_rollout *r = &e->rollout[e->n_rollout + i];
        *r = part->rollout[i];
        r->step += (uint32_t)e->n_step;
        r->prompt = prompt[r->prompt];
        r->tag = r->tag != UINT32_MAX ? tag[r->tag] : UINT32_MAX;
    }
    memcpy(e->step + e->n_step, part->step, part->n_step * sizeof *part->step);
    e->n_rollout += part->n_rollout;
    e->n_step += part->n_step;
done:
    mem_free(prompt);
    mem_free(tag);
    return status;
}

/* A file's rows, all or none, behind those of the files before it. */
static enum status take_part(struct evidence *e,
                             const struct evidence_part *part, struct err *err)
{
    int64_t last = e->n_step > 0 ? e->step[e->n_step - 1].step : -1;
    size_t prompts = e->rollout_prompt.n, tags = e->tag.n;
    if (part->status != ERR_MEMORY && part->first_line > 0 &&
        part->first_step <= last)
        return evidence_disorder(part->first_line, part->first_step, last, err);
    if (part->status != OK) {
        *err = part->reason;
        return part->status;
    }
    enum status status = add_part(e, part, err);
    if (status != OK) {
        names_cut(&e->rollout_prompt, prompts);
        names_cut(&e->tag, tags);
    }
    return status;
}

/* ---- what is missing among them ----------------------------------------- */

/* The reasons so far; the first few are told. */
struct missing {
    struct buf text;
    size_t n;
};

enum {
    TOLD_MAX = 4
};

static void tell(struct missing *m, const char *fmt, ...) ERR_PRINTF(2, 3);
static void tell(struct missing *m, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (m->n++ < TOLD_MAX)
        buf_printf(&m->text, "%s%s", m->n > 1 ? "; " : "", text);
}

/* How many iterations there are from one traced to the next: as the run was
 * configured, else the least seen if most are so far apart; 0: not known. */
static int64_t find_stride(const struct evidence *e)
{
    double every = evidence_number(e, "ppo", "ppo.trace_every");
    int64_t least = INT64_MAX;
    size_t n = 0;
    if (every >= 1 && every < 1e9)
        return (int64_t)every;
    for (size_t i = 1; i < e->n_step; i++) {
        int64_t d = e->step[i].step - e->step[i - 1].step;
        n = d == least ? n + 1 : d < least ? 1 : n;
        least = d < least ? d : least;
    }
    return 2 * n >= e->n_step && n > 0 ? least : 0;
}

/* Iterations that ought to have been traced after `from` and before `to`. */
static void find_gap(struct missing *m, int64_t from, int64_t to,
                     int64_t stride, int64_t phase)
{
    int64_t low = (from - phase) / stride + 1, high = (to - phase - 1) / stride;
    if (high < low)
        return;
    low = low * stride + phase;
    high = high * stride + phase;
    if (low == high)
        tell(m, "no rollouts of iteration %lld", (long long)low);
    else
        tell(m, "no rollouts of iterations %lld to %lld", (long long)low,
             (long long)high);
}

static void find_gaps(struct missing *m, const struct evidence *e)
{
    int64_t stride = find_stride(e);
    bool is_known = evidence_number(e, "ppo", "ppo.trace_every") >= 1;
    if (stride == 0)
        return;
    int64_t from = is_known ? 0 : e->step[0].step;
    int64_t phase = is_known ? 0 : from % stride;
    for (size_t i = 0; i < e->n_step; i++) {
        find_gap(m, from, e->step[i].step, stride, phase);
        from = e->step[i].step;
    }
    /* The log tells how far the run went. */
    size_t n = e->metrics.n;
    if (is_known && n > 0 && e->metrics.step[n - 1] > from &&
        e->metrics.step[n - 1] < INT64_MAX)
        find_gap(m, from, e->metrics.step[n - 1] + 1, stride, phase);
}

static enum status lose_missing(struct evidence *e, struct missing *m,
                                struct err *err)
{
    struct err reason;
    if (m->n > TOLD_MAX)
        buf_printf(&m->text, "; and %zu more", m->n - TOLD_MAX);
    TRY(buf_status(&m->text, err));
    (void)err_set(&reason, ERR_FORMAT, "%s", buf_text(&m->text));
    return m->n > 0 ? evidence_lose_part(e, "ppo/rollouts", EVIDENCE_TRACE,
                                         &reason, err)
                    : OK;
}

/* A file that was not taken, and why. */
static void tell_file(struct missing *m, const struct reading *r, size_t i,
                      const struct err *reason)
{
    size_t len = strlen(r->dir);
    bool is_named = strncmp(reason->text, r->dir, len) == 0;
    tell(m, "%s%s%.160s", is_named ? "" : r->name[i], is_named ? "" : ": ",
         reason->text + (is_named ? len + 1 : 0));
}

/* The next n files. */
static enum status read_some(struct reading *r, struct missing *m,
                             struct err *first, struct team *team, size_t n,
                             struct err *err)
{
    struct err reason;
    if (team != NULL)
        TRY(team_run(team, n, read_item, r, err));
    for (size_t i = 0; team == NULL && i < n; i++)
        TRY(read_item(r, i, 0, err));
    for (size_t i = 0; i < n; i++) {
        enum status status = take_part(r->e, &r->part[i], &reason);
        if (status == ERR_MEMORY) {
            *err = reason;
            return status;
        }
        if (status != OK && first->code == OK)
            *first = reason;
        if (status != OK)
            tell_file(m, r, i, &reason);
        evidence_part_free(&r->part[i]);
        r->part[i] = (struct evidence_part){.n_step = 0};
    }
    return OK;
}

static enum status read_files(struct reading *r, struct missing *m,
                              struct team *team, const struct file_list *list,
                              struct err *err)
{
    struct err first = {.code = OK};
    for (size_t i = 0; i < list->n; i += r->files) {
        size_t n = list->n - i < r->files ? list->n - i : r->files;
        r->name = list->name + i;
        TRY(read_some(r, m, &first, team, n, err));
    }
    if (r->e->n_step == 0) {
        *err = first;
        return first.code;
    }
    return OK;
}

enum status evidence_read_rollouts(struct evidence *e, const char *run,
                                   struct team *team, struct err *err)
{
    struct reading r = {.e = e};
    struct missing m = {.n = 0};
    struct file_list list = {.n = 0};
    char dir[FILE_PATH_MAX];
    enum status status = OK;
    buf_init(&m.text, (size_t)1 << 16);
    TRY_DONE(file_join(dir, run, "rollouts", err));
    r.dir = dir;
    TRY_DONE(trace_run_files(&list, run, err));
    TRY_DONE(reading_open(&r, team, err));
    TRY_DONE(read_files(&r, &m, team, &list, err));
    find_gaps(&m, e);
    TRY_DONE(lose_missing(e, &m, err));
done:
    reading_close(&r);
    file_list_free(&list);
    buf_free(&m.text);
    return status;
}

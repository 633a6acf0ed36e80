#include "exam/cover.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "diagnose/remedy_verified.h"
#include "exam/grade.h"

#define TEXT_MAX ((size_t)64 << 20)

const char *cover_state_name(enum cover_state s)
{
    static const char *const names[] = {
        [COVER_TRIED] = "tried",
        [COVER_UNPREDICTED] = "not_predicted",
        [COVER_MEASUREMENT] = "measurement",
        [COVER_FAILED] = "failed",
        [COVER_UNTRIED] = "not_tried",
    };
    return names[s];
}

/* ---- one remedy --------------------------------------------------------- */

/* The stage beside a change in the text of whatif/ID; false: it is not there.
 */
static bool find_stage(char stage[FILE_PATH_MAX], const char *lines,
                       const char *name)
{
    char change[REMEDY_NAME_MAX];
    for (const char *at = lines; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        if (len < FILE_PATH_MAX &&
            sscanf(at, "%255[^ \n] %119[^\n]", stage, change) == 2 &&
            strcmp(change, name) == 0)
            return true;
        at += len + (at[len] == '\n');
    }
    return false;
}

static void set_reason(struct cover_item *i, enum cover_state state,
                       const char *text)
{
    i->state = state;
    (void)snprintf(i->reason, sizeof i->reason, "%.*s",
                   (int)strcspn(text, "\n"), text);
}

/* Why there is no result: the last words of plumb whatif. */
static enum status read_failure(struct cover_item *i, const char *dir,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    TRY(file_join(path, dir, "failed", err));
    if (!file_exists(path)) {
        set_reason(i, COVER_UNTRIED, "its stage is not complete");
        return OK;
    }
    buf_init(&text, TEXT_MAX);
    enum status status = file_read(&text, path, err);
    if (status == OK)
        set_reason(i, COVER_FAILED, buf_text(&text));
    buf_free(&text);
    return status;
}

/* As a diagnosis reads it, so that "observed" is the same thing in both. */
static void observe(struct cover_item *i, const struct remedy_row *row,
                    const struct json *result)
{
    struct remedy r = {.id = row->id};
    (void)snprintf(r.name, sizeof r.name, "%s", i->name);
    memcpy(r.effect, i->effect, sizeof r.effect);
    remedy_verified_read(&r, row, result);
    memcpy(i->effect, r.effect, sizeof r.effect);
    const struct json *change = json_at(json_get(result, "changes"), 0);
    const struct json *seed = json_at(json_get(change, "seeds"), 0);
    const char *error = json_text(json_get(seed, "error"), NULL);
    if (error != NULL)
        set_reason(i, COVER_FAILED, error);
    else if (r.seeds == 0)
        set_reason(i, COVER_FAILED, "the result is about another change");
}

static enum status read_result(struct cover_item *i, const char *dir,
                               const char *stage, struct err *err)
{
    char stages[FILE_PATH_MAX], at[FILE_PATH_MAX], path[FILE_PATH_MAX];
    const struct remedy_row *row = remedy_table_find(i->id);
    struct json *result;
    TRY(file_join(stages, dir, "stages", err));
    TRY(file_join(at, stages, stage, err));
    TRY(file_join(path, at, "done", err));
    if (!file_exists(path))
        return read_failure(i, at, err);
    TRY(file_join(path, at, "whatif/result.json", err));
    TRY(file_need(path, err));
    TRY(json_read(&result, path, TEXT_MAX, err));
    if (row != NULL)
        observe(i, row, result);
    else
        set_reason(i, COVER_FAILED, "no such remedy is known");
    json_free(result);
    return OK;
}

static bool read_predicted(struct cover_item *i, const struct json *remedy)
{
    bool has_any = false;
    const struct json *all = json_get(remedy, "predicted");
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        struct remedy_effect *x = &i->effect[m];
        x->predicted = measures_read_estimate(
            json_get(all, remedies_measure_name((enum remedy_measure)m)));
        x->observed = summary_nothing();
        has_any = has_any || isfinite(x->predicted.estimate);
    }
    return has_any;
}

static enum status read_remedy(struct cover_item *i, const struct json *remedy,
                               const char *lines, const char *dir,
                               const char *what, struct err *err)
{
    const char *id, *name = json_text(json_get(remedy, "name"), "");
    char stage[FILE_PATH_MAX];
    TRY(json_need_text(&id, remedy, "id", what, err));
    (void)snprintf(i->id, sizeof i->id, "%s", id);
    (void)snprintf(i->name, sizeof i->name, "%s", name);
    bool has_any = read_predicted(i, remedy);
    i->state = COVER_TRIED;
    if (*name == '\0')
        set_reason(i, COVER_MEASUREMENT, "it changes nothing");
    else if (!has_any)
        set_reason(i, COVER_UNPREDICTED,
                   json_text(json_get(remedy, "missing"), ""));
    else if (!find_stage(stage, lines, name))
        set_reason(i, COVER_UNTRIED,
                   "it was not recommended when others were "
                   "tried");
    else
        return read_result(i, dir, stage, err);
    return OK;
}

/* ---- one run ------------------------------------------------------------ */

static enum status add_item(struct cover_item **out, struct cover *c,
                            struct err *err)
{
    if (c->n == c->room) {
        size_t room = c->room > 0 ? 2 * c->room : 64;
        struct cover_item *grown = mem_grow(c->item, c->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu what-ifs",
                           room);
        c->item = grown;
        c->room = room;
    }
    *out = &c->item[c->n++];
    memset(*out, 0, sizeof **out);
    return OK;
}

static enum status read_remedies(struct cover *c, const struct exam_run *r,
                                 const char *lines, const char *dir,
                                 struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX], name[256];
    struct json *root;
    (void)snprintf(name, sizeof name, "blind/%.128s/diagnosis.json", r->blind);
    TRY(file_join(path, dir, name, err));
    TRY(json_read(&root, path, TEXT_MAX, err));
    const struct json *list = json_get(root, "remedies");
    for (size_t k = 0; k < json_size(list); k++) {
        struct cover_item *i;
        TRY_DONE(add_item(&i, c, err));
        i->run = r->id;
        i->set = r->set;
        TRY_DONE(read_remedy(i, json_at(list, k), lines, dir, path, err));
    }
done:
    json_free(root);
    return status;
}

static enum status read_run(struct cover *c, const struct exam_run *r,
                            const char *dir, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX], name[256];
    struct buf lines;
    (void)snprintf(name, sizeof name, "whatif/%.128s", r->id);
    TRY(file_join(path, dir, name, err));
    if (!r->is_diagnosed || !file_exists(path))
        return OK;
    buf_init(&lines, TEXT_MAX);
    TRY_DONE(file_read(&lines, path, err));
    TRY_DONE(read_remedies(c, r, buf_text(&lines), dir, err));
done:
    buf_free(&lines);
    return status;
}

enum status cover_read(struct cover *out, const struct exam *e, const char *dir,
                       struct err *err)
{
    enum status status = OK;
    *out = (struct cover){.n = 0};
    for (size_t i = 0; status == OK && i < e->n_runs; i++)
        status = read_run(out, &e->run[i], dir, err);
    if (status != OK)
        cover_free(out);
    return status;
}

void cover_free(struct cover *c)
{
    mem_free(c->item);
    *c = (struct cover){.n = 0};
}

/* ---- counting ----------------------------------------------------------- */

bool cover_has(const struct cover *c, const char *set)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->item[i].set, set) == 0)
            return true;
    return false;
}

bool cover_is_counted(const struct cover_item *i, enum remedy_measure m)
{
    const struct remedy_effect *x = &i->effect[m];
    return i->state == COVER_TRIED && isfinite(x->observed.estimate) &&
           x->predicted.high > x->predicted.low;
}

static bool is_ratio(enum remedy_measure m)
{
    return m == REMEDY_LENGTH || m == REMEDY_COST;
}

/* [room] of each, of the effects that are counted. */
struct lists {
    double *width, *relative, *error;
    size_t n;
};

static void add_effect(struct lists *l, struct cover_count *out,
                       const struct remedy_effect *x, enum remedy_measure m)
{
    double width = x->predicted.high - x->predicted.low;
    double change = fabs(x->observed.estimate - (is_ratio(m) ? 1 : 0));
    out->inside += x->is_inside;
    out->n++;
    l->width[l->n] = width;
    l->relative[l->n] = width / change; // infinite where nothing has changed
    l->error[l->n++] = x->observed.estimate - x->predicted.estimate;
}

enum status cover_count(struct cover_count *out, const struct cover *c,
                        const char *set, enum remedy_measure m, const char *id,
                        struct err *err)
{
    enum status status = OK;
    struct lists l = {.n = 0};
    *out = (struct cover_count){.n = 0};
    TRY_DONE(MEM_NEW(l.width, c->n * REMEDY_MEASURES, err));
    TRY_DONE(MEM_NEW(l.relative, c->n * REMEDY_MEASURES, err));
    TRY_DONE(MEM_NEW(l.error, c->n * REMEDY_MEASURES, err));
    for (size_t i = 0; i < c->n; i++) {
        const struct cover_item *item = &c->item[i];
        if (strcmp(item->set, set) != 0 ||
            (id != NULL && strcmp(item->id, id) != 0))
            continue;
        for (int k = 0; k < REMEDY_MEASURES; k++)
            if ((m == REMEDY_MEASURES || k == (int)m) &&
                cover_is_counted(item, (enum remedy_measure)k))
                add_effect(&l, out, &item->effect[k], (enum remedy_measure)k);
    }
    out->width = summary_median(l.width, l.n);
    out->relative = summary_median(l.relative, l.n);
    out->error = summary_median(l.error, l.n);
done:
    mem_free(l.width);
    mem_free(l.relative);
    mem_free(l.error);
    return status;
}

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "exam/grade.h"

#define TEXT_MAX ((size_t)64 << 20)
#define FIELDS 16

static enum status keep(const char **out, struct exam *e, const char *text,
                        struct err *err)
{
    size_t len = strlen(text) + 1;
    char *copy = arena_alloc(&e->arena, len, 1);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu bytes", len);
    memcpy(copy, text, len);
    *out = copy;
    return OK;
}

/* Cut a line at each `mark`; at most FIELDS pieces, the last has the rest. */
static size_t cut(char *field[FIELDS], char *line, char mark)
{
    size_t n = 0;
    for (char *at = line; at != NULL && n < FIELDS;) {
        field[n++] = at;
        at = strchr(at, mark);
        if (at != NULL)
            *at++ = '\0';
    }
    return n;
}

typedef enum status (*line_fn)(struct exam *e, char *line, const char *where,
                               struct err *err);

/* Every line of OUT/name, without its end. */
static enum status each_line(struct exam *e, const char *dir, const char *name,
                             line_fn fn, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX], where[FILE_PATH_MAX + 32];
    struct buf text;
    buf_init(&text, TEXT_MAX);
    TRY_DONE(file_join(path, dir, name, err));
    TRY_DONE(file_need(path, err));
    TRY_DONE(file_read(&text, path, err));
    buf_putc(&text, '\0');
    TRY_DONE(buf_status(&text, err));
    size_t number = 1;
    for (char *at = text.data; *at != '\0'; number++) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        (void)snprintf(where, sizeof where, "%s:%zu", path, number);
        TRY_DONE(fn(e, at, where, err));
        at = end != NULL ? end + 1 : at + strlen(at);
    }
done:
    buf_free(&text);
    return status;
}

static enum status add_case(struct exam *e, char *line, const char *where,
                            struct err *err)
{
    char *field[FIELDS];
    if (cut(field, line, '\t') < 6)
        return err_set(err, ERR_FORMAT, "%s: fewer than six cells", where);
    if (e->n_cases == EXAM_CASES)
        return err_set(err, ERR_LIMIT, "%s: more than %d cases", where,
                       EXAM_CASES);
    struct exam_case *c = &e->item[e->n_cases];
    TRY(keep(&c->id, e, field[0], err));
    TRY(keep(&c->base, e, field[1], err));
    TRY(keep(&c->planted, e, field[2], err));
    TRY(keep(&c->accepted, e, field[3], err));
    TRY(keep(&c->verdicts, e, field[4], err));
    TRY(keep(&c->counts, e, field[5], err));
    e->n_cases++;
    return OK;
}

static enum status add_run(struct exam *e, char *line, const char *where,
                           struct err *err)
{
    char *field[FIELDS], id[128];
    size_t at = 0;
    if (cut(field, line, ' ') < 4)
        return err_set(err, ERR_FORMAT, "%s: not set, case, chain and run",
                       where);
    while (at < e->n_cases && strcmp(e->item[at].id, field[1]) != 0)
        at++;
    if (at == e->n_cases)
        return err_set(err, ERR_FORMAT, "%s: no case '%.20s'", where, field[1]);
    if (e->n_runs == e->room_runs) {
        size_t room = e->room_runs > 0 ? 2 * e->room_runs : 64;
        struct exam_run *grown =
            mem_grow(e->run, e->n_runs, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu runs", room);
        e->run = grown;
        e->room_runs = room;
    }
    struct exam_run *r = &e->run[e->n_runs];
    *r = (struct exam_run){.at = at, .answer = EXAM_MISSING};
    r->chain = (int)strtol(field[2], NULL, 10);
    r->run = (int)strtol(field[3], NULL, 10);
    (void)snprintf(id, sizeof id, "%s-%d.%d", field[1], r->chain, r->run);
    TRY(keep(&r->id, e, id, err));
    TRY(keep(&r->set, e, field[0], err));
    e->n_runs++;
    return OK;
}

/* ---- diagnoses ---------------------------------------------------------- */

static enum status put_row(struct exam *e, struct exam_run *r,
                           const struct json *row, struct err *err)
{
    size_t at;
    const char *id = json_text(json_get(row, "id"), NULL);
    if (id == NULL)
        return OK;
    TRY(names_add(&e->row, &at, id, err));
    if (at >= r->n_estimate) {
        size_t room = 2 * at + 64;
        double *grown =
            mem_grow(r->estimate, r->n_estimate, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu rows", room);
        for (size_t i = r->n_estimate; i < room; i++)
            grown[i] = (double)NAN;
        r->estimate = grown;
        r->n_estimate = room;
    }
    r->estimate[at] = json_number(json_get(row, "estimate"), (double)NAN);
    return OK;
}

static size_t answer_of(const struct exam_run *r)
{
    if (strcmp(r->verdict, "inconclusive") == 0)
        return EXAM_NONE;
    for (size_t i = 0; i < EXAM_NONE; i++)
        if (strcmp(r->top, exam_answer(i)) == 0)
            return i;
    return EXAM_MISSING;
}

static enum status read_diagnosis(struct exam *e, struct exam_run *r,
                                  const struct json *root, const char *path,
                                  struct err *err)
{
    static const char *const parts[] = {"gates", "observations", "mechanisms",
                                        "leads"};
    const char *verdict, *top;
    TRY(json_need_text(&verdict, root, "verdict", path, err));
    TRY(json_need_text(&top, root, "top_rival", path, err));
    TRY(keep(&r->verdict, e, verdict, err));
    TRY(keep(&r->top, e, top, err));
    const char *tied = json_text(
        json_get(json_at(json_get(root, "rivals"), 0), "tied_with"), NULL);
    if (tied != NULL)
        TRY(keep(&r->tied, e, tied, err));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct json *rows = json_get(root, parts[i]);
        for (size_t k = 0; k < json_size(rows); k++)
            TRY(put_row(e, r, json_at(rows, k), err));
    }
    r->is_diagnosed = true;
    r->answer = answer_of(r);
    return OK;
}

/* The blind name, which stands in runs/ID. */
static enum status find_blind(struct exam *e, struct exam_run *r,
                              const char *path, struct err *err)
{
    char *field[FIELDS];
    struct buf text;
    enum status status = OK;
    buf_init(&text, TEXT_MAX);
    TRY_DONE(file_read(&text, path, err));
    buf_putc(&text, '\0');
    TRY_DONE(buf_status(&text, err));
    size_t n = cut(field, text.data, ' ');
    if (n < 6)
        status = err_set(err, ERR_FORMAT, "%s: no blind name", path);
    else
        status = keep(&r->blind, e, field[5], err);
    if (status == OK && n > 8)
        status = keep(&r->ppo, e, field[8], err);
done:
    buf_free(&text);
    return status;
}

static enum status read_run(struct exam *e, struct exam_run *r, const char *dir,
                            struct err *err)
{
    char path[FILE_PATH_MAX], name[256];
    struct json *root;
    (void)snprintf(name, sizeof name, "runs/%s", r->id);
    TRY(file_join(path, dir, name, err));
    if (!file_exists(path))
        return OK;
    TRY(find_blind(e, r, path, err));
    (void)snprintf(name, sizeof name, "blind/%.128s/diagnosis.json", r->blind);
    TRY(file_join(path, dir, name, err));
    if (!file_exists(path))
        return OK;
    TRY(json_read(&root, path, TEXT_MAX, err));
    enum status status = read_diagnosis(e, r, root, path, err);
    json_free(root);
    return status;
}

static enum status read_placebo(struct exam *e, const struct exam_run *r,
                                const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX], name[256];
    (void)snprintf(name, sizeof name, "placebo/%s.json", r->id);
    TRY(file_join(path, dir, name, err));
    if (!file_exists(path) || e->n_placebo == EXAM_CASES)
        return OK;
    TRY(json_read(&e->placebo[e->n_placebo], path, TEXT_MAX, err));
    e->placebo_set[e->n_placebo++] = r->set;
    return OK;
}

static enum status read_warning(struct exam *e, const char *dir,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, "early_warning.json", err));
    return file_exists(path) ? json_read(&e->early_warning, path, TEXT_MAX, err)
                             : OK;
}

enum status exam_read(struct exam *out, const char *dir, struct err *err)
{
    enum status status = OK;
    struct exam *e = out;
    *e = (struct exam){.n_cases = 0};
    TRY_DONE(each_line(e, dir, "cases.tsv", add_case, err));
    TRY_DONE(each_line(e, dir, "list", add_run, err));
    for (size_t i = 0; i < e->n_runs; i++) {
        TRY_DONE(read_run(e, &e->run[i], dir, err));
        TRY_DONE(read_placebo(e, &e->run[i], dir, err));
    }
    TRY_DONE(read_warning(e, dir, err));
    TRY_DONE(cover_read(&e->cover, e, dir, err));
done:
    if (status != OK)
        exam_free(e);
    return status;
}

void exam_free(struct exam *e)
{
    for (size_t i = 0; i < e->n_runs; i++)
        mem_free(e->run[i].estimate);
    for (size_t i = 0; i < e->n_placebo; i++)
        json_free(e->placebo[i]);
    json_free(e->early_warning);
    cover_free(&e->cover);
    mem_free(e->run);
    names_free(&e->row);
    arena_free(&e->arena);
    *e = (struct exam){.n_cases = 0};
}

#include "import/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TEXTS_MAX ((size_t)256) // kinds of warnings, of reasons

void notes_init(struct notes *n)
{
    *n = (struct notes){.first_step = -1, .last_step = -1};
}

void notes_free(struct notes *n)
{
    names_free(&n->field_key);
    mem_free(n->field);
    mem_free(n->kl);
    mem_free(n->warnings.text);
    mem_free(n->skipped.text);
    arena_free(&n->arena);
    notes_init(n);
}

static enum status keep(const char **out, struct notes *n, const char *text,
                        struct err *err)
{
    *out = NULL;
    return text != NULL ? arena_text(out, &n->arena, text, strlen(text), err)
                        : OK;
}

/* ---- fields ------------------------------------------------------------- */

static enum status add_field(struct notes *n, const char *from, const char *to,
                             const char *unit, const char *note,
                             struct err *err)
{
    size_t i = n->field_key.n - 1;
    enum status status = MEM_ROOM(n->field, i, n->room_field, err);
    struct notes_field f = {.n = 0};
    if (status == OK)
        status = keep(&f.from, n, from, err);
    if (status == OK)
        status = keep(&f.to, n, to, err);
    if (status == OK)
        status = keep(&f.unit, n, unit, err);
    if (status == OK)
        status = keep(&f.note, n, note, err);
    if (status == OK)
        n->field[i] = f;
    else
        names_cut(&n->field_key, i);
    return status;
}

enum status notes_field(struct notes *n, const char *from, const char *to,
                        const char *unit, const char *note, size_t times,
                        struct err *err)
{
    char key[512];
    size_t index, before = n->field_key.n;
    (void)snprintf(key, sizeof key, "%.250s\n%.250s", from,
                   to != NULL ? to : "");
    if (before >= NOTES_FIELDS_MAX &&
        names_find(&n->field_key, key) == SIZE_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu kinds of fields",
                       NOTES_FIELDS_MAX);
    TRY(names_add(&n->field_key, &index, key, err));
    if (index == before)
        TRY(add_field(n, from, to, unit, note, err));
    n->field[index].n += times;
    return OK;
}

enum status notes_kl(struct notes *n, const struct notes_kl *kl,
                     struct err *err)
{
    for (size_t i = 0; i < n->n_kl; i++) {
        struct notes_kl *known = &n->kl[i];
        if (strcmp(known->name, kl->name) != 0)
            continue;
        /* Another file's values may tell more. */
        return known->estimator != NULL &&
                       strcmp(known->estimator, "unknown") == 0
                   ? keep(&known->estimator, n, kl->estimator, err)
                   : OK;
    }
    TRY(MEM_ROOM(n->kl, n->n_kl, n->room_kl, err));
    struct notes_kl *k = &n->kl[n->n_kl];
    TRY(keep(&k->name, n, kl->name, err));
    TRY(keep(&k->kind, n, kl->kind, err));
    TRY(keep(&k->estimator, n, kl->estimator, err));
    TRY(keep(&k->aggregate, n, kl->aggregate, err));
    TRY(keep(&k->where, n, kl->where, err));
    TRY(keep(&k->sign, n, kl->sign, err));
    TRY(keep(&k->unit, n, kl->unit, err));
    TRY(keep(&k->note, n, kl->note, err));
    n->n_kl++;
    if (k->kind != NULL && strcmp(k->kind, "reference") == 0)
        n->has |= HAS_KL;
    return OK;
}

/* ---- texts that are counted --------------------------------------------- */

static enum status count_text(struct notes_list *list, struct notes *notes,
                              const char *id, const char *text, size_t times,
                              struct err *err)
{
    struct notes_text t = {.n = times};
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->text[i].id, id) != 0)
            continue;
        list->text[i].n += times;
        return OK;
    }
    if (list->n == TEXTS_MAX)
        return OK;
    TRY(arena_text(&t.id, &notes->arena, id, strlen(id), err));
    TRY(arena_text(&t.text, &notes->arena, text, strlen(text), err));
    TRY(MEM_ROOM(list->text, list->n, list->room, err));
    list->text[list->n++] = t;
    return OK;
}

enum status notes_warn(struct notes *n, const char *id, size_t times,
                       struct err *err, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return count_text(&n->warnings, n, id, text, times, err);
}

enum status notes_skip(struct notes *n, const char *why, size_t times,
                       struct err *err)
{
    n->rows_skipped += times;
    return count_text(&n->skipped, n, why, why, times, err);
}

enum status notes_version(struct notes *n, const char *version, struct err *err)
{
    return n->version == NULL ? keep(&n->version, n, version, err) : OK;
}

void notes_step(struct notes *n, int64_t step)
{
    if (step < 0)
        return;
    if (n->first_step < 0 || step < n->first_step)
        n->first_step = step;
    if (step > n->last_step)
        n->last_step = step;
}

/* ---- writing ------------------------------------------------------------ */

static void write_fields(struct json_writer *w, const struct notes *n)
{
    json_put_key(w, "fields");
    json_open(w, '[');
    for (size_t i = 0; i < n->field_key.n; i++) {
        const struct notes_field *f = &n->field[i];
        json_open(w, '{');
        json_field_text(w, "from", f->from);
        json_field_text(w, "to", f->to);
        json_field_text(w, "unit", f->unit);
        json_field_int(w, "n", (int64_t)f->n);
        if (f->note != NULL)
            json_field_text(w, "note", f->note);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_kl(struct json_writer *w, const struct notes *n)
{
    json_put_key(w, "kl");
    json_open(w, '[');
    for (size_t i = 0; i < n->n_kl; i++) {
        const struct notes_kl *k = &n->kl[i];
        json_open(w, '{');
        json_field_text(w, "name", k->name);
        json_field_text(w, "kind", k->kind);
        json_field_text(w, "estimator", k->estimator);
        json_field_text(w, "aggregate", k->aggregate);
        json_field_text(w, "where", k->where);
        json_field_text(w, "sign", k->sign);
        json_field_text(w, "unit", k->unit);
        json_field_text(w, "note", k->note);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_texts(struct json_writer *w, const char *key, const char *id,
                        const struct notes_list *list)
{
    json_put_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < list->n; i++) {
        const struct notes_text *t = &list->text[i];
        json_open(w, '{');
        if (id != NULL)
            json_field_text(w, id, t->id);
        json_field_text(w, id != NULL ? "text" : "why", t->text);
        json_field_int(w, "n", (int64_t)t->n);
        json_close(w, '}');
    }
    json_close(w, ']');
}

void notes_write(struct json_writer *w, const struct notes *n)
{
    json_field_text(w, "version", n->version);
    json_put_key(w, "rows");
    json_open(w, '{');
    json_field_int(w, "in", (int64_t)n->rows_in);
    json_field_int(w, "out", (int64_t)n->rows_out);
    json_field_int(w, "skipped", (int64_t)n->rows_skipped);
    write_texts(w, "reasons", NULL, &n->skipped);
    json_close(w, '}');
    json_put_key(w, "steps");
    json_open(w, '{');
    json_field_int(w, "first", n->first_step);
    json_field_int(w, "last", n->last_step);
    json_close(w, '}');
    write_fields(w, n);
    write_kl(w, n);
    write_texts(w, "warnings", "id", &n->warnings);
    json_field_int(w, "has", n->has);
    json_field_int(w, "passes", (int64_t)n->passes);
}

/* ---- reading back ------------------------------------------------------- */

static enum status need_count(size_t *out, const struct json *object,
                              const char *key, struct err *err)
{
    int64_t x = 0;
    TRY(json_need_int(&x, object, key, 0, INT64_MAX / 2, "import.state", err));
    *out += (size_t)x;
    return OK;
}

static enum status read_fields(struct notes *n, const struct json *list,
                               struct err *err)
{
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *f = json_at(list, i);
        const char *from;
        size_t times = 0;
        TRY(json_need_text(&from, f, "from", "import.state", err));
        TRY(need_count(&times, f, "n", err));
        TRY(notes_field(n, from, json_text(json_get(f, "to"), NULL),
                        json_text(json_get(f, "unit"), NULL),
                        json_text(json_get(f, "note"), NULL), times, err));
    }
    return OK;
}

static enum status read_kl(struct notes *n, const struct json *list,
                           struct err *err)
{
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *k = json_at(list, i);
        struct notes_kl kl = {
            .sign = json_text(json_get(k, "sign"), NULL),
            .unit = json_text(json_get(k, "unit"), NULL),
            .note = json_text(json_get(k, "note"), NULL),
            .where = json_text(json_get(k, "where"), NULL),
            .estimator = json_text(json_get(k, "estimator"), NULL),
            .aggregate = json_text(json_get(k, "aggregate"), NULL)};
        TRY(json_need_text(&kl.name, k, "name", "import.state", err));
        TRY(json_need_text(&kl.kind, k, "kind", "import.state", err));
        TRY(notes_kl(n, &kl, err));
    }
    return OK;
}

static enum status read_warnings(struct notes *n, const struct json *list,
                                 struct err *err)
{
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *t = json_at(list, i);
        const char *id, *text;
        size_t times = 0;
        TRY(json_need_text(&id, t, "id", "import.state", err));
        TRY(json_need_text(&text, t, "text", "import.state", err));
        TRY(need_count(&times, t, "n", err));
        TRY(notes_warn(n, id, times, err, "%s", text));
    }
    return OK;
}

static enum status read_rows(struct notes *n, const struct json *rows,
                             struct err *err)
{
    const struct json *list = json_get(rows, "reasons");
    TRY(need_count(&n->rows_in, rows, "in", err));
    TRY(need_count(&n->rows_out, rows, "out", err));
    for (size_t i = 0; i < json_size(list); i++) {
        const char *why;
        size_t times = 0;
        TRY(json_need_text(&why, json_at(list, i), "why", "import.state", err));
        TRY(need_count(&times, json_at(list, i), "n", err));
        TRY(notes_skip(n, why, times, err));
    }
    return OK;
}

enum status notes_read(struct notes *n, const struct json *doc, struct err *err)
{
    const struct json *steps = json_get(doc, "steps");
    const char *version = json_text(json_get(doc, "version"), NULL);
    size_t has = 0;
    TRY(need_count(&has, doc, "has", err));
    n->has |= (unsigned)has;
    notes_step(n, json_int(json_get(steps, "first"), -1));
    notes_step(n, json_int(json_get(steps, "last"), -1));
    if (version != NULL)
        TRY(notes_version(n, version, err));
    TRY(read_rows(n, json_get(doc, "rows"), err));
    TRY(read_fields(n, json_get(doc, "fields"), err));
    TRY(read_kl(n, json_get(doc, "kl"), err));
    return read_warnings(n, json_get(doc, "warnings"), err);
}

#include "io/dataset.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define LINE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define RESPONSES_MAX 64

/* Standard input cannot be mapped, so what it may hold is bounded. */
#define STDIN_BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)

/* ---- lines -------------------------------------------------------------- */

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
            return false;
    return true;
}

static enum status parse_line(const char *text, size_t len, const char *name,
                              size_t line, jsonl_fn fn, void *ctx,
                              struct err *err)
{
    if (len > LINE_BYTES_MAX)
        return err_set(err, ERR_FORMAT, "%s:%zu: line of %zu bytes, limit %zu",
                       name, line, len, LINE_BYTES_MAX);
    char place[FILE_PATH_MAX];
    int n = snprintf(place, sizeof place, "%s:%zu", name, line);
    if (n < 0 || (size_t)n >= sizeof place)
        return err_set(err, ERR_LIMIT, "file name is too long: %.100s...",
                       name);
    struct json *row = NULL;
    TRY(json_parse(&row, text, len, place, err));
    enum status status = fn(ctx, row, line, err);
    if (status != OK)
        (void)err_context(err, "%s", place);
    json_free(row);
    return status;
}

enum status jsonl_parse(const char *text, size_t len, const char *name,
                        jsonl_fn fn, void *ctx, struct err *err)
{
    /* A byte order mark in front is what some editors leave. */
    size_t at = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (size_t line = 1; at < len; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - (text + at)) : len - at;
        if (!is_blank(text + at, n))
            TRY(parse_line(text + at, n, name, line, fn, ctx, err));
        at += n + 1;
    }
    return OK;
}

enum status jsonl_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err)
{
    enum status status;
    if (strcmp(path, "-") == 0) {
        struct buf text;
        buf_init(&text, STDIN_BYTES_MAX);
        status = file_read(&text, "/dev/stdin", err);
        if (status == OK)
            status =
                jsonl_parse(buf_text(&text), text.len, "<stdin>", fn, ctx, err);
        buf_free(&text);
        return status;
    }
    TRY(file_need(path, err));
    struct file_map map;
    TRY(file_map(&map, path, err));
    status = jsonl_parse((const char *)map.data, map.len, path, fn, ctx, err);
    file_unmap(&map);
    return status;
}

/* ---- records ------------------------------------------------------------ */

struct reader {
    struct dataset data;
    size_t room;
    enum dataset_kind kind;
};

static void free_record(struct record *r)
{
    mem_free(r->id);
    mem_free(r->prompt);
    mem_free(r->response);
    if (r->responses != NULL)
        for (size_t i = 0; i < r->n_responses; i++)
            mem_free(r->responses[i]);
    mem_free(r->responses);
    mem_free(r->ranking);
    mem_free(r->extra);
}

void dataset_free(struct dataset *d)
{
    for (size_t i = 0; i < d->n; i++)
        free_record(&d->record[i]);
    mem_free(d->record);
    mem_free(d->path);
    *d = (struct dataset){0};
}

/* A member that is there; null counts as absent. */
static const struct json *member(const struct json *row, const char *key)
{
    const struct json *node = json_get(row, key);
    return json_is_null(node) ? NULL : node;
}

static enum status copy_text(char **out, const struct json *node,
                             const char *what, struct err *err)
{
    if (!json_is_string(node))
        return err_set(err, ERR_FORMAT, "%s is not a string", what);
    *out = mem_strdup(json_text(node, ""));
    if (*out == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for %s", what);
    return OK;
}

/* The id as text; other tools number their records. */
static enum status read_id(struct record *r, const struct json *row,
                           size_t line, struct err *err)
{
    const struct json *id = member(row, "id");
    if (id != NULL && !json_is_number(id))
        return copy_text(&r->id, id, "\"id\"", err);
    struct buf text;
    buf_init(&text, 64);
    if (id == NULL)
        buf_printf(&text, "%zu", line);
    else
        json_dump(&text, id);
    enum status status = buf_status(&text, err);
    if (status == OK) {
        r->id = mem_strdup(text.data);
        if (r->id == NULL)
            status = err_set(err, ERR_MEMORY, "out of memory for an id");
    }
    buf_free(&text);
    return status;
}

static enum status read_responses(struct record *r, const struct json *node,
                                  struct err *err)
{
    size_t n = json_size(node);
    if (!json_is_array(node))
        return err_set(err, ERR_FORMAT, "\"responses\" is not a list");
    if (n < 1 || n > RESPONSES_MAX)
        return err_set(err, ERR_FORMAT,
                       "\"responses\" has %zu items, not 1..%d", n,
                       RESPONSES_MAX);
    TRY(MEM_NEW(r->responses, n, err));
    r->n_responses = n;
    for (size_t i = 0; i < n; i++)
        TRY(copy_text(&r->responses[i], json_at(node, i),
                      "an item of \"responses\"", err));
    return OK;
}

static enum status read_ranking(struct record *r, const struct json *node,
                                struct err *err)
{
    if (!json_is_array(node))
        return err_set(err, ERR_FORMAT, "\"ranking\" is not a list");
    if (r->n_responses < 2)
        return err_set(err, ERR_FORMAT,
                       "\"ranking\" of %zu responses; two are needed",
                       r->n_responses);
    if (json_size(node) != r->n_responses)
        return err_set(err, ERR_FORMAT,
                       "\"ranking\" has %zu items for %zu responses",
                       json_size(node), r->n_responses);
    TRY(MEM_NEW(r->ranking, r->n_responses, err));
    for (size_t i = 0; i < r->n_responses; i++) {
        int64_t rank = json_int(json_at(node, i), 0);
        if (rank < 1 || rank > (int64_t)r->n_responses)
            return err_set(err, ERR_FORMAT,
                           "item %zu of \"ranking\" is not a rank in 1..%zu",
                           i + 1, r->n_responses);
        r->ranking[i] = (int32_t)rank;
    }
    return OK;
}

static bool is_named(const char *key)
{
    static const char *const names[] = {"id", "prompt", "response", "responses",
                                        "ranking"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0)
            return true;
    return false;
}

/* Everything else, as one object in file order. */
static enum status read_extra(struct record *r, const struct json *row,
                              struct err *err)
{
    struct buf text;
    buf_init(&text, 8 * LINE_BYTES_MAX);
    struct json_writer w;
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    for (const void *it = json_first(row); it; it = json_next(row, it)) {
        if (is_named(json_key(it)))
            continue;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    json_close(&w, '}');
    enum status status = buf_status(&text, err);
    if (status == OK) {
        r->extra = mem_strdup(text.data);
        if (r->extra == NULL)
            status = err_set(err, ERR_MEMORY, "out of memory for a record");
    }
    buf_free(&text);
    return status;
}

static enum status read_record(struct record *r, const struct json *row,
                               size_t line, enum dataset_kind kind,
                               struct err *err)
{
    if (!json_is_object(row))
        return err_set(err, ERR_FORMAT, "the record is not a JSON object");
    const struct json *prompt = member(row, "prompt");
    const struct json *response = member(row, "response");
    const struct json *responses = member(row, "responses");
    const struct json *ranking = member(row, "ranking");
    if (prompt == NULL)
        return err_set(err, ERR_FORMAT, "\"prompt\" is missing");
    if (response == NULL && kind == DATASET_DEMOS)
        return err_set(err, ERR_FORMAT, "\"response\" is missing");
    if (responses == NULL &&
        (kind == DATASET_CANDIDATES || kind == DATASET_RANKINGS))
        return err_set(err, ERR_FORMAT, "\"responses\" is missing");
    if (ranking == NULL && kind == DATASET_RANKINGS)
        return err_set(err, ERR_FORMAT, "\"ranking\" is missing");

    TRY(read_id(r, row, line, err));
    TRY(copy_text(&r->prompt, prompt, "\"prompt\"", err));
    if (response != NULL)
        TRY(copy_text(&r->response, response, "\"response\"", err));
    if (responses != NULL)
        TRY(read_responses(r, responses, err));
    if (ranking != NULL)
        TRY(read_ranking(r, ranking, err));
    return read_extra(r, row, err);
}

static enum status add_row(void *ctx, const struct json *row, size_t line,
                           struct err *err)
{
    struct reader *reader = ctx;
    struct dataset *d = &reader->data;
    if (d->n == reader->room) {
        size_t room = reader->room == 0 ? 64 : reader->room * 2;
        struct record *grown =
            mem_grow(d->record, d->n, room, sizeof *d->record);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu records", room);
        d->record = grown;
        reader->room = room;
    }
    /* Counted first, so that a half-read record is freed with the others. */
    struct record *r = &d->record[d->n++];
    *r = (struct record){0};
    return read_record(r, row, line, reader->kind, err);
}

/* Hand the records over, or give everything back. */
static enum status finish(struct dataset *out, struct reader *reader,
                          const char *path, enum status status, struct err *err)
{
    if (status == OK) {
        reader->data.path = mem_strdup(path);
        if (reader->data.path == NULL)
            status = err_set(err, ERR_MEMORY, "out of memory for a path");
    }
    if (status != OK) {
        dataset_free(&reader->data);
        return status;
    }
    *out = reader->data;
    return OK;
}

enum status dataset_read(struct dataset *out, const char *path,
                         enum dataset_kind kind, struct err *err)
{
    struct reader reader = {.kind = kind};
    enum status status = jsonl_read(path, add_row, &reader, err);
    return finish(out, &reader, path, status, err);
}

enum status dataset_parse(struct dataset *out, const char *text, size_t len,
                          const char *name, enum dataset_kind kind,
                          struct err *err)
{
    struct reader reader = {.kind = kind};
    enum status status = jsonl_parse(text, len, name, add_row, &reader, err);
    return finish(out, &reader, name, status, err);
}

void dataset_write_record(struct buf *out, const struct record *r)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "id", r->id);
    json_field_text(&w, "prompt", r->prompt);
    if (r->response != NULL)
        json_field_text(&w, "response", r->response);
    if (r->responses != NULL) {
        json_put_key(&w, "responses");
        json_open(&w, '[');
        for (size_t i = 0; i < r->n_responses; i++)
            json_put_text(&w, r->responses[i]);
        json_close(&w, ']');
    }
    if (r->ranking != NULL)
        json_field_ints(&w, "ranking", r->ranking, r->n_responses);
    /* The members of the object `extra`: what stands between its braces. */
    size_t len = r->extra != NULL ? strlen(r->extra) : 0;
    if (len > 2) {
        buf_putc(out, ',');
        buf_append(out, r->extra + 1, len - 2);
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

#include "io/dataset.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/dataset_format.h"

static const struct dataset_config defaults;

void dataset_free(struct dataset *d)
{
    for (size_t i = 0; i < d->n; i++)
        dataset_format_free(&d->record[i]);
    mem_free(d->record);
    mem_free(d->path);
    *d = (struct dataset){0};
}

const char *dataset_format_name(enum dataset_format format)
{
    static const char *const names[] = {
        [FORMAT_UNKNOWN] = "none",      [FORMAT_OURS] = "plumb",
        [FORMAT_ANSWERS] = "answers",   [FORMAT_COMPLETION] = "completion",
        [FORMAT_UNPAIRED] = "unpaired", [FORMAT_PAIR] = "pair",
        [FORMAT_IMPLICIT] = "implicit", [FORMAT_HH] = "hh",
        [FORMAT_MESSAGES] = "messages", [FORMAT_TEXT] = "text",
    };
    return names[format];
}

/* ---- reading ------------------------------------------------------------ */

static enum status make_room(struct dataset_reader *reader, struct err *err)
{
    struct dataset *d = &reader->data;
    if (d->n < reader->room)
        return OK;
    size_t room = reader->room == 0 ? 64 : reader->room * 2;
    struct record *grown = mem_grow(d->record, d->n, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu records", room);
    d->record = grown;
    enum dataset_label *label =
        mem_grow(reader->label, d->n, room, sizeof *label);
    if (label == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu records", room);
    reader->label = label;
    reader->room = room;
    return OK;
}

static enum status find_format(struct dataset_reader *reader,
                               const struct json *row, struct err *err)
{
    if (!json_is_object(row))
        return err_set(err, ERR_FORMAT, "the record is not a JSON object");
    TRY(dataset_format_check(row, reader->config, err));
    struct dataset *d = &reader->data;
    enum dataset_format format = dataset_format_find(row, reader->config);
    if (format == FORMAT_UNKNOWN)
        return err_set(
            err, ERR_FORMAT, "\"%s\" is missing, and no other format fits",
            reader->config->prompt_key != NULL ? reader->config->prompt_key
                                               : "prompt");
    if (d->format != FORMAT_UNKNOWN && d->format != format)
        return err_set(
            err, ERR_FORMAT, "the record's format is %s, the file's is %s",
            dataset_format_name(format), dataset_format_name(d->format));
    d->format = format;
    return OK;
}

/* "3", or, for the second row of an array that begins on line 3, "3.2". */
static void number_row(char out[48], struct dataset_reader *reader, size_t line)
{
    reader->in_line = line == reader->line ? reader->in_line + 1 : 1;
    reader->line = line;
    if (reader->in_line == 1)
        (void)snprintf(out, 48, "%zu", line);
    else
        (void)snprintf(out, 48, "%zu.%zu", line, reader->in_line);
}

enum status dataset_reader_row(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    struct dataset_reader *reader = ctx;
    struct dataset *d = &reader->data;
    enum dataset_format before = d->format;
    char number[48];
    number_row(number, reader, line);
    TRY(make_room(reader, err));
    TRY(find_format(reader, row, err));
    struct record *r = &d->record[d->n];
    enum dataset_label *label = &reader->label[d->n];
    *r = (struct record){0};
    *label = LABEL_NONE;
    enum status status = dataset_format_read(r, label, row, number, d->format,
                                             reader->kind, reader->config, err);
    if (status != OK) {
        /* A bad record does not say what the others are. */
        d->format = before;
        dataset_format_free(r);
        return status;
    }
    d->count.read++;
    if (*label == LABEL_NOT_LIKED && reader->kind == DATASET_DEMOS) {
        d->count.unused++;
        dataset_format_free(r);
        return OK;
    }
    d->n++;
    return OK;
}

enum status dataset_reader_bad(void *ctx, struct err *bad)
{
    struct dataset_reader *reader = ctx;
    struct dataset_counts *count = &reader->data.count;
    if ((int64_t)count->bad >= reader->config->skip_bad) {
        if (reader->config->skip_bad > 0)
            (void)err_context(bad, "more than %lld bad records",
                              (long long)reader->config->skip_bad);
        return bad->code;
    }
    count->read++;
    count->bad++;
    context_warn(reader->context, "skipped a bad record: %s", bad->text);
    return OK;
}

/* Does a ranking compare nothing, its responses being one and the same? */
static bool is_of_one_text(const struct record *r)
{
    for (size_t i = 1; i < r->n_responses; i++)
        if (strcmp(r->responses[i], r->responses[0]) != 0)
            return false;
    return true;
}

static enum status drop_of_one_text(struct dataset *d,
                                    const struct context *context,
                                    struct err *err)
{
    bool *keep;
    size_t n_before = d->n;
    TRY(MEM_NEW(keep, d->n, err));
    for (size_t i = 0; i < d->n; i++) {
        const struct record *r = &d->record[i];
        keep[i] = !is_of_one_text(r);
        if (!keep[i])
            d->count.unused +=
                d->format == FORMAT_UNPAIRED ? r->n_responses : 1;
    }
    dataset_filter(d, keep);
    mem_free(keep);
    if (d->n < n_before)
        context_warn(context,
                     "%s: left out %zu rankings whose responses are one text",
                     d->path, n_before - d->n);
    return OK;
}

enum status dataset_reader_finish(struct dataset *out,
                                  struct dataset_reader *reader,
                                  const char *path, enum status status,
                                  struct err *err)
{
    struct dataset *d = &reader->data;
    if (status == OK) {
        d->path = mem_strdup(path);
        if (d->path == NULL)
            status = err_set(err, ERR_MEMORY, "out of memory for a path");
    }
    bool wants_rankings = reader->kind == DATASET_RANKINGS ||
                          reader->kind == DATASET_CANDIDATES ||
                          reader->kind == DATASET_ANY;
    if (status == OK && d->format == FORMAT_UNPAIRED && wants_rankings)
        status = dataset_format_group(d, reader->label, err);
    if (status == OK && reader->kind == DATASET_RANKINGS)
        status = drop_of_one_text(d, reader->context, err);
    mem_free(reader->label);
    if (status != OK) {
        dataset_free(d);
        return status;
    }
    *out = *d;
    return OK;
}

enum status dataset_load(struct dataset *out, const char *path,
                         enum dataset_kind kind, const struct dataset_config *c,
                         const struct context *context, struct err *err)
{
    struct dataset_reader reader = {
        .kind = kind, .config = c, .context = context};
    enum status status = jsonl_read_lenient(path, dataset_reader_row,
                                            dataset_reader_bad, &reader, err);
    return dataset_reader_finish(out, &reader, path, status, err);
}

enum status dataset_read(struct dataset *out, const char *path,
                         enum dataset_kind kind, struct err *err)
{
    return dataset_load(out, path, kind, &defaults, NULL, err);
}

enum status dataset_parse(struct dataset *out, const char *text, size_t len,
                          const char *name, enum dataset_kind kind,
                          struct err *err)
{
    struct dataset_reader reader = {.kind = kind, .config = &defaults};
    enum status status = jsonl_parse_lenient(
        text, len, name, dataset_reader_row, dataset_reader_bad, &reader, err);
    return dataset_reader_finish(out, &reader, name, status, err);
}

/* ---- changing ----------------------------------------------------------- */

enum status dataset_append(struct dataset *to, struct dataset *from,
                           struct err *err)
{
    size_t n = to->n + from->n;
    if (n > 0) {
        struct record *grown =
            mem_grow(to->record, to->n, n, sizeof *to->record);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu records", n);
        to->record = grown;
    }
    for (size_t i = 0; i < from->n; i++)
        to->record[to->n + i] = from->record[i];
    to->n = n;
    to->count.read += from->count.read;
    to->count.bad += from->count.bad;
    to->count.unused += from->count.unused;
    from->n = 0;
    dataset_free(from);
    return OK;
}

void dataset_filter(struct dataset *d, const bool *keep)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (keep[i])
            d->record[n++] = d->record[i];
        else
            dataset_format_free(&d->record[i]);
    }
    d->n = n;
}

/* ---- writing ------------------------------------------------------------ */

static void put_prompt(struct json_writer *w, const struct record *r)
{
    if (r->dialogue.n == 0) {
        json_field_text(w, "prompt", r->prompt);
        return;
    }
    json_put_key(w, "prompt");
    dialogue_write(w, &r->dialogue);
}

void dataset_write_record(struct buf *out, const struct record *r)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "id", r->id);
    if (!r->is_raw)
        put_prompt(&w, r);
    if (r->response != NULL)
        json_field_text(&w, r->is_raw ? "text" : "response", r->response);
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

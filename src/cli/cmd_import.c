#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/command.h"
#include "cli/importing.h"
#include "cli/session.h"
#include "io/stream.h"

#define TEXT_MAX ((size_t)16 << 30)

/* Does a file begin as JSON does? */
static enum status looks_like_json(bool *out, const char *path, struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t len = 0;
    TRY(stream_open(&s, path, err));
    enum status status = stream_next(s, &piece, &len, err);
    if (status == OK) {
        size_t at = 0;
        while (at < len && strchr(" \t\r\n\xEF\xBB\xBF", piece[at]) != NULL)
            at++;
        *out = at == len || piece[at] == '{' || piece[at] == '[';
    }
    stream_close(s);
    return status;
}

static enum status load(struct dataset *out, const struct options *o,
                        const struct context *context, struct err *err)
{
    const struct import_values *v = &o->v.import;
    const struct dataset_config *c = &o->v.data.dataset;
    const char *path = o->operand[0];
    int format = v->format;
    if (format == IMPORT_AUTO && strcmp(path, "-") == 0)
        return err_set(err, ERR_ARG,
                       "--format is wanted: standard input is read once");
    if (format == IMPORT_AUTO) {
        bool is_json = false;
        TRY(looks_like_json(&is_json, path, err));
        format = is_json ? IMPORT_JSON : IMPORT_CSV;
    }
    if (format == IMPORT_JSON)
        return dataset_load(out, path, DATASET_ANY, c, context, err);
    if (c->prompt_key || c->response_key || c->chosen_key || c->rejected_key ||
        c->label_key)
        return err_set(err, ERR_ARG,
                       "--prompt-key and its like are for records: %s is a "
                       "table, and --prompt-column and its like name columns",
                       path);
    if (v->columns.prompt == NULL)
        return err_set(err, ERR_ARG,
                       "import.prompt_column is not set: %s is a table, and "
                       "its columns have to be named",
                       path);
    return import_csv_load(out, path, format == IMPORT_TSV ? '\t' : ',',
                           &v->columns, c, context, err);
}

/* ---- choosing ----------------------------------------------------------- */

struct entry {
    const struct record *record;
    size_t row;
};

static int by_prompt(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->record->prompt, y->record->prompt);
    return order != 0 ? order : x->row < y->row ? -1 : x->row > y->row;
}

/* Keep the first record of each prompt; *n records are left. */
static enum status drop_repeated(struct dataset *d, struct err *err)
{
    struct entry *entry;
    bool *keep = NULL;
    TRY(MEM_NEW(entry, d->n, err));
    enum status status = MEM_NEW(keep, d->n, err);
    if (status == OK) {
        for (size_t i = 0; i < d->n; i++)
            entry[i] = (struct entry){&d->record[i], i};
        qsort(entry, d->n, sizeof *entry, by_prompt);
        for (size_t i = 0; i < d->n; i++)
            keep[entry[i].row] =
                i == 0 || strcmp(entry[i].record->prompt,
                                 entry[i - 1].record->prompt) != 0;
        dataset_filter(d, keep);
    }
    mem_free(keep);
    mem_free(entry);
    return status;
}

static enum status put_prefix(struct dataset *d, const char *prefix,
                              struct err *err)
{
    for (size_t i = 0; prefix != NULL && i < d->n; i++) {
        struct record *r = &d->record[i];
        struct buf id;
        buf_init(&id, (size_t)1 << 20);
        buf_puts(&id, prefix);
        buf_puts(&id, r->id);
        enum status status = buf_status(&id, err);
        char *copy = status == OK ? mem_strdup(buf_text(&id)) : NULL;
        buf_free(&id);
        TRY(status);
        if (copy == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for an id");
        mem_free(r->id);
        r->id = copy;
    }
    return OK;
}

/* Append the records that are asked for; *n is their number. */
static enum status put_records(struct buf *out, size_t *n,
                               const struct dataset *d,
                               const struct import_values *v, struct err *err)
{
    size_t *order;
    TRY(MEM_NEW(order, d->n, err));
    for (size_t i = 0; i < d->n; i++)
        order[i] = i;
    if (v->shuffle_seed >= 0) {
        struct rng rng;
        rng_init(&rng, (uint64_t)v->shuffle_seed, RNG_SHUFFLE, 0, 0);
        rng_shuffle(&rng, order, d->n);
    }
    size_t first = (size_t)v->skip < d->n ? (size_t)v->skip : d->n;
    *n = d->n - first;
    if (v->take > 0 && (size_t)v->take < *n)
        *n = (size_t)v->take;
    for (size_t i = 0; i < *n; i++)
        dataset_write_record(out, &d->record[order[first + i]]);
    mem_free(order);
    return buf_status(out, err);
}

/* ---- the command -------------------------------------------------------- */

/* What was written, for --json. */
static enum status print_written(const struct dataset *d, size_t repeated,
                                 size_t n, const char *path, struct err *err)
{
    char hash[65];
    struct buf text;
    struct json_writer w;
    TRY(file_hash(hash, path, err));
    buf_init(&text, (size_t)1 << 16);
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.import/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_text(&w, "format", dataset_format_name(d->format));
    json_field_int(&w, "read", (int64_t)d->count.read);
    json_field_int(&w, "skipped_bad", (int64_t)d->count.bad);
    json_field_int(&w, "unused", (int64_t)d->count.unused);
    json_field_int(&w, "repeated", (int64_t)repeated);
    json_field_int(&w, "written", (int64_t)n);
    json_field_text(&w, "path", path);
    json_field_text(&w, "sha256", hash);
    json_close(&w, '}');
    buf_putc(&text, '\n');
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

static enum status import(struct buf *out, struct dataset *d,
                          const struct options *o,
                          const struct context *context, struct err *err)
{
    const struct import_values *v = &o->v.import;
    const char *path = o->v.common.out;
    size_t n, before;
    TRY(load(d, o, context, err));
    before = d->n;
    if (v->unique)
        TRY(drop_repeated(d, err));
    TRY(put_prefix(d, v->id_prefix, err));
    TRY(put_records(out, &n, d, v, err));
    context_info(context,
                 "%s: %zu records read; skipped: %zu bad, %zu without use, "
                 "%zu with a prompt seen before; %zu written",
                 d->path, d->count.read, d->count.bad, d->count.unused,
                 before - d->n, n);
    if (path == NULL)
        return terminal_print(out, err);
    TRY(file_write(path, buf_text(out), out->len, err));
    return o->v.common.json ? print_written(d, before - d->n, n, path, err)
                            : OK;
}

/* Records of a data set. */
static enum status import_records(struct options *o, struct err *err)
{
    struct session s;
    struct buf out;
    struct dataset d = {0};
    if (o->v.common.json && o->v.common.out == NULL)
        return err_set(err, ERR_ARG,
                       "--json prints what was written to --out, which is not "
                       "set");
    TRY(session_check_file(o, err));
    TRY(session_open(&s, o, "import", err));
    buf_init(&out, TEXT_MAX);
    enum status status = import(&out, &d, o, &s.context, err);
    dataset_free(&d);
    buf_free(&out);
    session_close(&s);
    return status;
}

enum status cmd_import(struct options *o, struct err *err)
{
    bool is_run;
    TRY(importing_is_run(&is_run, o, err));
    if (is_run)
        return importing_command(o, err);
    // Records are read by one rank.
    return comm_rank(o->comm) == 0 ? import_records(o, err) : OK;
}

#include "io/import_csv.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/csv.h"
#include "io/dataset_format.h"

#define MEMBERS 4 // prompt, response, chosen, rejected

struct import {
    struct dataset_reader reader;
    const char *path;
    const struct import_columns *columns;
    char **name; // [n] of the columns
    bool *keep;  // [n] goes into `extra`
    size_t n;
    size_t at[MEMBERS]; // SIZE_MAX: not wanted
    struct buf text;    // a record
};

static const char *const members[MEMBERS] = {"prompt", "response", "chosen",
                                             "rejected"};

/* ---- columns ------------------------------------------------------------ */

static enum status find_column(size_t *out, const struct import *m,
                               const char *name, size_t len, struct err *err)
{
    struct buf known;
    for (size_t i = 0; i < m->n; i++) {
        if (strlen(m->name[i]) == len && memcmp(m->name[i], name, len) == 0) {
            *out = i;
            return OK;
        }
    }
    buf_init(&known, ERR_TEXT_MAX);
    for (size_t i = 0; i < m->n; i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", m->name[i]);
    enum status status =
        err_set(err, ERR_ARG, "%s: no column '%.*s'; there are %s", m->path,
                (int)(len < 60 ? len : 60), name, buf_text(&known));
    buf_free(&known);
    return status;
}

static enum status find_extra(struct import *m, const char *names,
                              struct err *err)
{
    bool is_all = strcmp(names, "*") == 0;
    for (size_t i = 0; i < m->n; i++)
        m->keep[i] = is_all;
    while (!is_all && *names != '\0') {
        size_t len = strcspn(names, ","), at;
        TRY(find_column(&at, m, names, len, err));
        m->keep[at] = true;
        names += len + (names[len] == ',');
    }
    /* What is a member already, or would be taken for one. */
    for (size_t k = 0; k < MEMBERS; k++)
        for (size_t i = 0; i < m->n; i++)
            if (m->at[k] == i || strcmp(m->name[i], members[k]) == 0)
                m->keep[i] = false;
    return OK;
}

static enum status take_names(struct import *m, const struct csv_row *row,
                              struct err *err)
{
    const struct import_columns *c = m->columns;
    const char *const wanted[MEMBERS] = {c->prompt, c->response, c->chosen,
                                         c->rejected};
    TRY(MEM_NEW(m->name, row->n, err));
    TRY(MEM_NEW(m->keep, row->n, err));
    m->n = row->n;
    for (size_t i = 0; i < row->n; i++) {
        m->name[i] = mem_strdup(row->field[i]);
        if (m->name[i] == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for column names");
        for (size_t k = 0; k < i; k++)
            if (strcmp(m->name[k], m->name[i]) == 0)
                return err_set(err, ERR_FORMAT,
                               "%s:%zu: two columns are named '%.60s'", m->path,
                               row->line, m->name[i]);
    }
    if (row->n == 1 && strchr(row->field[0], '\t') != NULL)
        return err_set(err, ERR_ARG,
                       "%s: the columns are separated by tabs: --format tsv",
                       m->path);
    for (size_t k = 0; k < MEMBERS; k++) {
        m->at[k] = SIZE_MAX;
        if (wanted[k] != NULL)
            TRY(find_column(&m->at[k], m, wanted[k], strlen(wanted[k]), err));
    }
    return c->extra != NULL ? find_extra(m, c->extra, err) : OK;
}

/* ---- rows --------------------------------------------------------------- */

/* The row as the record it would be in a file of JSON Lines. */
static enum status read_record(struct import *m, const struct csv_row *row,
                               struct err *err)
{
    struct json_writer w;
    struct json *json;
    if (row->n != m->n)
        return err_set(err, ERR_FORMAT, "%zu fields, the table has %zu columns",
                       row->n, m->n);
    buf_clear(&m->text);
    json_writer_init(&w, &m->text, false);
    json_open(&w, '{');
    for (size_t k = 0; k < MEMBERS; k++)
        if (m->at[k] != SIZE_MAX)
            json_field_text(&w, members[k], row->field[m->at[k]]);
    for (size_t i = 0; i < m->n; i++)
        if (m->keep[i])
            json_field_text(&w, m->name[i], row->field[i]);
    json_close(&w, '}');
    TRY(buf_status(&m->text, err));
    TRY(json_parse(&json, m->text.data, m->text.len, "the record", err));
    enum status status = dataset_reader_row(&m->reader, json, row->line, err);
    json_free(json);
    return status;
}

static enum status take_row(void *ctx, const struct csv_row *row,
                            struct err *err)
{
    struct import *m = ctx;
    struct err own = {OK, ""};
    if (m->name == NULL)
        return take_names(m, row, err);
    enum status status = read_record(m, row, &own);
    if (status == OK)
        return OK;
    (void)err_context(&own, "%s:%zu", m->path, row->line);
    if (status == ERR_FORMAT || status == ERR_MISMATCH)
        status = dataset_reader_bad(&m->reader, &own);
    if (status != OK && err != NULL)
        *err = own;
    return status;
}

enum status import_csv_load(struct dataset *out, const char *path,
                            char separator,
                            const struct import_columns *columns,
                            const struct dataset_config *c,
                            const struct context *context, struct err *err)
{
    /* The columns are named by the caller: no key stands for another. */
    const struct dataset_config config = {.skip_bad = c->skip_bad};
    struct import m = {.path = path, .columns = columns};
    m.reader = (struct dataset_reader){
        .kind = DATASET_ANY, .config = &config, .context = context};
    if (columns->prompt == NULL)
        return err_set(err, ERR_ARG, "the prompt's column is not named");
    if ((columns->chosen == NULL) != (columns->rejected == NULL))
        return err_set(err, ERR_ARG,
                       "the columns of chosen and rejected responses are "
                       "needed together");
    buf_init(&m.text, 8 * JSONL_LINE_MAX);
    enum status status = csv_read(path, separator, take_row, &m, err);
    if (status == OK && m.name == NULL)
        status = err_set(err, ERR_FORMAT, "%s: no columns", path);
    status = dataset_reader_finish(out, &m.reader, path, status, err);
    for (size_t i = 0; i < m.n; i++)
        mem_free(m.name[i]);
    mem_free(m.name);
    mem_free(m.keep);
    buf_free(&m.text);
    return status;
}

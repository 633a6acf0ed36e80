#include "io/run_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/dataset.h"
#include "io/run.h"

/* metrics.jsonl of a long run with a hundred columns is far below this. */
#define TABLE_BYTES_MAX ((size_t)1 << 30)

/* ---- checkpoints -------------------------------------------------------- */

bool run_files_step(int64_t *step, const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 18 || strspn(name, "0123456789") != len)
        return false;
    int64_t x = 0;
    for (size_t i = 0; i < len; i++)
        x = x * 10 + (name[i] - '0');
    *step = x;
    return true;
}

bool run_files_is_adapter(const char *dir)
{
    return file_holds(dir, "adapter_config.json") &&
           file_holds(dir, "adapter_model.safetensors");
}

bool run_files_is_whole(const char *dir, const char *name)
{
    char path[FILE_PATH_MAX];
    return file_join(path, dir, name, NULL) == OK &&
           ((file_holds(path, "config.json") &&
             file_holds(path, "model.safetensors")) ||
            run_files_is_adapter(path));
}

static int by_step(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum status run_checkpoints(int64_t **steps, size_t *n, const char *dir,
                            struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, "checkpoints", err));
    struct file_list list = {0};
    if (file_is_dir(path))
        TRY(file_list(&list, path, err));
    int64_t *found = NULL;
    size_t count = 0;
    enum status status = MEM_NEW(found, list.n, err);
    for (size_t i = 0; status == OK && i < list.n; i++)
        if (run_files_step(&found[count], list.name[i]) &&
            run_files_is_whole(path, list.name[i]))
            count++;
    file_list_free(&list);
    TRY(status);
    qsort(found, count, sizeof *found, by_step);
    *steps = found;
    *n = count;
    return OK;
}

/* ---- tables ------------------------------------------------------------- */

struct table_reader {
    struct run_table table;
    size_t name_room;
    size_t row; // second pass: the row being filled
};

/* The column of `name`, made when it is new.  Rows list their columns in the
 * same order, so the one after the last found is tried first. */
static enum status column(size_t *out, size_t guess, struct table_reader *r,
                          const char *name, struct err *err)
{
    struct run_table *t = &r->table;
    *out = guess;
    if (guess < t->columns && strcmp(t->name[guess], name) == 0)
        return OK;
    *out = run_table_find(t, name);
    if (*out != SIZE_MAX)
        return OK;
    if (t->columns == r->name_room) {
        size_t room = r->name_room == 0 ? 64 : r->name_room * 2;
        char **grown = mem_grow(t->name, t->columns, room, sizeof *t->name);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu columns", room);
        t->name = grown;
        r->name_room = room;
    }
    t->name[t->columns] = mem_strdup(name);
    if (t->name[t->columns] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a column");
    *out = t->columns++;
    return OK;
}

/* First pass: count rows and columns. */
static enum status count_row(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct table_reader *r = ctx;
    int64_t step;
    (void)line;
    if (!json_is_object(row))
        return err_set(err, ERR_FORMAT, "the row is not a JSON object");
    TRY(json_need_int(&step, row, "step", 0, INT64_MAX, "row", err));
    size_t at = SIZE_MAX;
    for (const void *it = json_first(row); it; it = json_next(row, it)) {
        if (strcmp(json_key(it), "step") == 0 ||
            (!json_is_number(json_value(it)) && !json_is_null(json_value(it))))
            continue;
        TRY(column(&at, at + 1, r, json_key(it), err));
    }
    r->table.n++;
    return OK;
}

/* Second pass: fill them. */
static enum status fill_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct table_reader *r = ctx;
    struct run_table *t = &r->table;
    (void)line;
    double *value = t->value + r->row * t->columns;
    for (size_t j = 0; j < t->columns; j++) {
        const struct json *x = json_get(row, t->name[j]);
        if (x != NULL && !json_is_number(x) && !json_is_null(x))
            return err_set(err, ERR_FORMAT,
                           "%s is not a number, and is one in other rows",
                           t->name[j]);
        value[j] = json_number(x, (double)NAN);
    }
    t->step[r->row++] = json_int(json_get(row, "step"), 0);
    return OK;
}

static enum status fill(struct table_reader *r, const struct buf *text,
                        const char *path, struct err *err)
{
    struct run_table *t = &r->table;
    TRY(jsonl_parse(buf_text(text), text->len, path, count_row, r, err));
    size_t cells;
    TRY(mem_multiply(&cells, t->n, t->columns, err));
    TRY(MEM_NEW(t->step, t->n, err));
    TRY(MEM_NEW(t->value, cells, err));
    return jsonl_parse(buf_text(text), text->len, path, fill_row, r, err);
}

enum status run_table_read(struct run_table *out, const char *path,
                           struct err *err)
{
    TRY(file_need(path, err));
    struct table_reader r = {0};
    struct buf text;
    buf_init(&text, TABLE_BYTES_MAX);
    enum status status = file_read(&text, path, err);
    if (status == OK) {
        while (text.len > 0 && text.data[text.len - 1] != '\n')
            text.len--;
        status = fill(&r, &text, path, err);
    }
    buf_free(&text);
    if (status != OK) {
        run_table_free(&r.table);
        return status;
    }
    *out = r.table;
    return OK;
}

void run_table_free(struct run_table *t)
{
    for (size_t i = 0; i < t->columns; i++)
        mem_free(t->name[i]);
    mem_free(t->name);
    mem_free(t->step);
    mem_free(t->value);
    *t = (struct run_table){0};
}

size_t run_table_find(const struct run_table *t, const char *name)
{
    for (size_t i = 0; i < t->columns; i++)
        if (strcmp(t->name[i], name) == 0)
            return i;
    return SIZE_MAX;
}

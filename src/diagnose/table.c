#include "diagnose/table.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define TABLE_FILE_MAX ((size_t)1 << 30)
#define TABLE_VALUES_MAX ((size_t)200 << 20)
#define TABLE_DEPTH_MAX 32

static bool is_text(const struct json *array)
{
    for (size_t i = 0; i < json_size(array); i++)
        if (!json_is_null(json_at(array, i)))
            return json_is_string(json_at(array, i));
    return false;
}

static enum status wrong(const char *path, const char *column, size_t row,
                         const char *wanted, struct err *err)
{
    return err_set(err, ERR_FORMAT, "%s: columns.%s[%zu] is not %s", path,
                   column, row, wanted);
}

static enum status fill_text(struct table_column *c, const struct json *array,
                             const char *path, struct err *err)
{
    size_t n = json_size(array);
    TRY(MEM_NEW(c->text, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(array, i);
        if (!json_is_string(item) && !json_is_null(item))
            return wrong(path, c->name, i, "text or null", err);
        c->text[i] = json_text(item, NULL);
    }
    return OK;
}

static enum status fill_numbers(struct table_column *c,
                                const struct json *array, const char *path,
                                struct err *err)
{
    size_t n = json_size(array);
    TRY(MEM_NEW(c->number, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(array, i);
        if (json_is_bool(item))
            c->number[i] = json_bool(item, false) ? 1 : 0;
        else if (json_is_number(item) || json_is_null(item))
            c->number[i] = json_number(item, (double)NAN);
        else
            return wrong(path, c->name, i, "a number or null", err);
    }
    return OK;
}

static enum status add_column(struct table *t, const char *name,
                              const struct json *array, const char *path,
                              struct err *err)
{
    if (!json_is_array(array))
        return err_set(err, ERR_FORMAT, "%s: columns.%s is not an array", path,
                       name);
    if (t->columns == TABLE_COLUMNS_MAX)
        return err_set(err, ERR_FORMAT, "%s: more than %d columns", path,
                       TABLE_COLUMNS_MAX);
    size_t n = json_size(array);
    if (t->columns > 0 && n != t->n)
        return err_set(err, ERR_FORMAT,
                       "%s: columns.%s has %zu rows and columns.%s %zu", path,
                       name, n, t->column[0].name, t->n);
    t->n = n;
    struct table_column *c = &t->column[t->columns++];
    *c = (struct table_column){.name = name};
    return is_text(array) ? fill_text(c, array, path, err)
                          : fill_numbers(c, array, path, err);
}

static enum status read_document(struct table *t, const char *path,
                                 struct err *err)
{
    enum status status = OK;
    struct buf text;
    buf_init(&text, TABLE_FILE_MAX);
    TRY_DONE(file_need(path, err));
    TRY_DONE(file_read(&text, path, err));
    TRY_DONE(json_check_shape(buf_text(&text), text.len, TABLE_DEPTH_MAX,
                              TABLE_VALUES_MAX, path, err));
    TRY_DONE(json_parse(&t->json, buf_text(&text), text.len, path, err));
    if (!json_is_object(t->json))
        status = err_set(err, ERR_FORMAT, "%s: not an object", path);
done:
    buf_free(&text);
    return status;
}

enum status table_read(struct table *out, const char *path, struct err *err)
{
    enum status status = OK;
    struct table t = {.json = NULL};
    TRY_DONE(read_document(&t, path, err));
    const struct json *columns = json_get(t.json, "columns");
    for (const void *it = json_first(columns); it != NULL;
         it = json_next(columns, it))
        TRY_DONE(add_column(&t, json_key(it), json_value(it), path, err));
    *out = t;
    return OK;
done:
    table_free(&t);
    return status;
}

void table_free(struct table *t)
{
    for (size_t c = 0; c < t->columns; c++) {
        mem_free(t->column[c].number);
        mem_free(t->column[c].text);
    }
    json_free(t->json);
    *t = (struct table){.json = NULL};
}

static const struct table_column *find(const struct table *t, const char *name)
{
    for (size_t c = 0; c < t->columns; c++)
        if (strcmp(t->column[c].name, name) == 0)
            return &t->column[c];
    return NULL;
}

const double *table_numbers(const struct table *t, const char *name)
{
    const struct table_column *c = find(t, name);
    return c != NULL ? c->number : NULL;
}

const char *const *table_texts(const struct table *t, const char *name)
{
    const struct table_column *c = find(t, name);
    return c != NULL ? c->text : NULL;
}

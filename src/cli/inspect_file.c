#include "cli/inspect.h"

#include <string.h>

#include "base/mem.h"
#include "io/jsonl.h"
#include "io/safetensors.h"

#define FIELDS_MAX 256
#define NAME_MAX_LEN 64

void inspect_put_tensor(struct json_writer *w, const struct tensor_view *t)
{
    json_open(w, '{');
    json_field_text(w, "name", t->name);
    json_field_text(w, "dtype", t->dtype);
    json_put_key(w, "shape");
    json_open(w, '[');
    for (size_t d = 0; d < t->n_dim; d++)
        json_put_int(w, (int64_t)t->dim[d]);
    json_close(w, ']');
    json_field_int(w, "bytes", (int64_t)t->len);
    json_close(w, '}');
}

enum status inspect_tensors(struct json_writer *w, const char *path,
                            struct err *err)
{
    struct safetensors s;
    uint64_t total = 0;
    TRY(safetensors_open(&s, path, err));
    json_field_text(w, "kind", "safetensors");
    json_field_text(w, "path", path);
    json_put_key(w, "tensors");
    json_open(w, '[');
    for (size_t i = 0; i < s.n; i++) {
        total += s.tensor[i].count;
        inspect_put_tensor(w, &s.tensor[i]);
    }
    json_close(w, ']');
    json_field_int(w, "values", (int64_t)total);
    safetensors_close(&s);
    return OK;
}

/* One field of the rows, in the order of first appearance. */
struct field {
    char name[NAME_MAX_LEN];
    size_t rows;
    const char *type; // "mixed" when rows differ
    double low, high; // of numbers
};

struct fields {
    struct field field[FIELDS_MAX];
    size_t n, rows, others; // others: fields beyond FIELDS_MAX
};

static const char *type_of(const struct json *node)
{
    return json_is_object(node)   ? "object"
           : json_is_array(node)  ? "array"
           : json_is_string(node) ? "text"
           : json_is_number(node) ? "number"
           : json_is_bool(node)   ? "bool"
                                  : "null";
}

static struct field *find_field(struct fields *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strncmp(f->field[i].name, name, NAME_MAX_LEN - 1) == 0)
            return &f->field[i];
    }
    if (f->n == FIELDS_MAX)
        return NULL;
    struct field *field = &f->field[f->n++];
    size_t len = strnlen(name, NAME_MAX_LEN - 1);
    memcpy(field->name, name, len);
    return field;
}

static void count_field(struct field *field, const struct json *value)
{
    const char *type = type_of(value);
    double x = json_number(value, 0);
    if (!field->rows)
        field->type = type;
    else if (strcmp(field->type, type) != 0)
        field->type = "mixed";
    if (json_is_number(value)) {
        field->low = field->rows && field->low < x ? field->low : x;
        field->high = field->rows && field->high > x ? field->high : x;
    }
    field->rows++;
}

static enum status count_row(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct fields *f = ctx;
    (void)line;
    if (!json_is_object(row))
        return err_set(err, ERR_FORMAT, "not an object");
    f->rows++;
    for (const void *it = json_first(row); it; it = json_next(row, it)) {
        struct field *field = find_field(f, json_key(it));
        if (field)
            count_field(field, json_value(it));
        else
            f->others++;
    }
    return OK;
}

static void put_fields(struct json_writer *w, const struct fields *f)
{
    json_field_int(w, "rows", (int64_t)f->rows);
    json_put_key(w, "fields");
    json_open(w, '{');
    for (size_t i = 0; i < f->n; i++) {
        const struct field *field = &f->field[i];
        json_put_key(w, field->name);
        json_open(w, '{');
        json_field_int(w, "rows", (int64_t)field->rows);
        json_field_text(w, "type", field->type);
        if (strcmp(field->type, "number") == 0) {
            json_field_number(w, "low", field->low);
            json_field_number(w, "high", field->high);
        }
        json_close(w, '}');
    }
    json_close(w, '}');
    if (f->others)
        json_field_int(w, "fields_not_shown", (int64_t)f->others);
}

enum status inspect_rows(struct json_writer *w, const char *path,
                         struct err *err)
{
    enum status status = OK;
    struct fields *f = NULL;
    TRY(MEM_NEW(f, 1, err));
    TRY_DONE(jsonl_read(path, count_row, f, err));
    json_field_text(w, "kind", "rows");
    json_field_text(w, "path", path);
    put_fields(w, f);
done:
    mem_free(f);
    return status;
}

#include "import/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "io/scan.h"

struct reading {
    struct scan scan;
    struct arena *arena;
    size_t nodes, numbers; // so far
};

static enum status read_value(struct value *out, struct reading *r,
                              struct err *err);

static enum status keep_slice(const char **out, size_t *len, struct arena *a,
                              const struct scan_slice *slice, struct err *err)
{
    char *copy;
    TRY(ARENA_NEW(a, copy, slice->len + 1, err));
    *len = slice->text != NULL ? scan_slice_copy(copy, slice) : 0;
    copy[*len] = '\0';
    *out = copy;
    return OK;
}

static enum status new_node(struct value **out, struct reading *r,
                            struct err *err)
{
    if (r->nodes++ >= VALUE_NODES_MAX)
        return err_set(err, ERR_LIMIT, "a row of more than %zu values",
                       VALUE_NODES_MAX);
    TRY(ARENA_NEW(r->arena, *out, 1, err));
    **out = (struct value){.kind = VALUE_NULL};
    return OK;
}

/* A list of nothing but numbers, in one go; *is_one false when it is none and
 * nothing was read. */
static enum status read_numbers(struct value *out, bool *is_one,
                                struct reading *r, struct err *err)
{
    struct scan ahead = r->scan;
    size_t room = 1;
    *is_one = false;
    const char *end = memchr(ahead.at, ']', (size_t)(ahead.end - ahead.at));
    if (end == NULL)
        return OK;
    for (const char *c = ahead.at; c < end; c++)
        room += *c == ',';
    if (room > VALUE_NUMBERS_MAX - r->numbers)
        return err_set(err, ERR_LIMIT, "a row of more than %zu numbers",
                       VALUE_NUMBERS_MAX);
    double *x;
    TRY(ARENA_NEW(r->arena, x, room, err));
    r->numbers += room;
    size_t n = scan_doubles(&ahead, x, room);
    if (scan_failed(&ahead))
        return OK;
    *out = (struct value){.kind = VALUE_NUMBERS, .n = n, .numbers = x};
    r->scan = ahead;
    *is_one = true;
    return OK;
}

/* Is the first item of the list that begins here a number or null? */
static bool begins_with_number(const struct scan *s)
{
    struct scan ahead = *s;
    if (!scan_array(&ahead) || !scan_item(&ahead))
        return false;
    enum scan_kind kind = scan_peek(&ahead);
    return kind == SCAN_NUMBER || kind == SCAN_NULL;
}

static enum status read_list(struct value *out, struct reading *r,
                             struct err *err)
{
    bool is_done = false;
    struct value **end = &out->first;
    if (begins_with_number(&r->scan))
        TRY(read_numbers(out, &is_done, r, err));
    if (is_done || !scan_array(&r->scan))
        return OK;
    out->kind = VALUE_LIST;
    while (scan_item(&r->scan)) {
        TRY(new_node(end, r, err));
        TRY(read_value(*end, r, err));
        end = &(*end)->next;
        out->n++;
    }
    return OK;
}

static enum status read_object(struct value *out, struct reading *r,
                               struct err *err)
{
    struct value **end = &out->first;
    struct scan_slice key;
    if (!scan_object(&r->scan))
        return OK;
    out->kind = VALUE_OBJECT;
    while (scan_member(&r->scan, &key)) {
        size_t len;
        TRY(new_node(end, r, err));
        TRY(read_value(*end, r, err));
        TRY(keep_slice(&(*end)->key, &len, r->arena, &key, err));
        end = &(*end)->next;
        out->n++;
    }
    return OK;
}

static enum status read_value(struct value *out, struct reading *r,
                              struct err *err)
{
    struct scan_slice slice;
    *out = (struct value){.kind = VALUE_NULL};
    switch (scan_peek(&r->scan)) {
    case SCAN_OBJECT:
        return read_object(out, r, err);
    case SCAN_ARRAY:
        return read_list(out, r, err);
    case SCAN_TEXT:
        slice = scan_text(&r->scan);
        out->kind = VALUE_TEXT;
        return keep_slice(&out->text, &out->n, r->arena, &slice, err);
    case SCAN_NUMBER:
        out->kind = VALUE_NUMBER;
        out->number = scan_number(&r->scan);
        return OK;
    case SCAN_BOOL:
        out->kind = VALUE_BOOL;
        out->number = scan_bool(&r->scan);
        return OK;
    case SCAN_NULL:
    case SCAN_NONE:
        scan_skip(&r->scan);
        return OK;
    }
    return OK;
}

enum status value_parse(struct value *out, struct arena *a, const char *text,
                        size_t len, struct err *err)
{
    struct reading r = {.arena = a};
    scan_init(&r.scan, text, len);
    TRY(read_value(out, &r, err));
    return scan_end(&r.scan, "JSON", err);
}

/* ---- looking ------------------------------------------------------------ */

const struct value *value_only(const struct value *v)
{
    while (v != NULL && v->kind == VALUE_LIST && v->n == 1)
        v = v->first;
    return v;
}

const struct value *value_get(const struct value *v, const char *key)
{
    const struct value *found = NULL;
    v = value_only(v);
    if (v == NULL || v->kind != VALUE_OBJECT)
        return NULL;
    for (const struct value *m = v->first; m != NULL; m = m->next)
        if (strcmp(m->key, key) == 0)
            found = m;
    return found;
}

const struct value *value_path(const struct value *v, const char *path)
{
    char part[256];
    const struct value *found = value_get(v, path);
    while (found == NULL && v != NULL) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof part)
            return NULL;
        memcpy(part, path, n);
        part[n] = '\0';
        v = value_get(v, part);
        if (path[n] == '\0')
            return v;
        path += n + 1;
        found = value_get(v, path);
    }
    return found;
}

bool value_text_number(double *out, const char *text)
{
    char quoted[64];
    struct scan s;
    size_t len = strlen(text);
    if (len == 0 || len > sizeof quoted - 3 || strpbrk(text, "\"\\") != NULL)
        return false;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", text);
    scan_init(&s, quoted, len + 2);
    *out = scan_number(&s);
    return !scan_failed(&s);
}

bool value_text_bool(double *out, const char *text)
{
    bool is_true = strcmp(text, "True") == 0 || strcmp(text, "true") == 0;
    bool is_false = strcmp(text, "False") == 0 || strcmp(text, "false") == 0;
    *out = is_true;
    return is_true || is_false;
}

/* The number that a value is, if it is one. */
static bool find_number(double *out, const struct value *v)
{
    v = value_only(v);
    if (v == NULL)
        return false;
    switch (v->kind) {
    case VALUE_NULL:
        *out = (double)NAN;
        return true;
    case VALUE_BOOL:
    case VALUE_NUMBER:
        *out = v->number;
        return true;
    case VALUE_TEXT:
        return value_text_bool(out, v->text) || value_text_number(out, v->text);
    case VALUE_NUMBERS:
        if (v->n == 1)
            *out = v->numbers[0];
        return v->n == 1;
    case VALUE_LIST:
    case VALUE_OBJECT:
        return false;
    }
    return false;
}

double value_number(const struct value *v)
{
    double x;
    return find_number(&x, v) ? x : (double)NAN;
}

bool value_is_number(const struct value *v)
{
    double x;
    return find_number(&x, v);
}

int64_t value_int(const struct value *v)
{
    double x;
    if (!find_number(&x, v) || !(fabs(x) < 9007199254740992.0) || x != floor(x))
        return VALUE_NO_INT;
    return (int64_t)x;
}

const char *value_text(const struct value *v)
{
    v = value_only(v);
    return v != NULL && v->kind == VALUE_TEXT ? v->text : NULL;
}

const double *value_numbers(const struct value *v, size_t *n)
{
    static const double none[1];
    v = value_only(v);
    *n = 0;
    if (v == NULL)
        return NULL;
    if (v->kind == VALUE_LIST && v->n == 0)
        return none;
    if (v->kind != VALUE_NUMBERS)
        return NULL;
    *n = v->n;
    return v->numbers;
}

size_t value_count(const struct value *v)
{
    if (v == NULL)
        return 0;
    return v->kind == VALUE_LIST || v->kind == VALUE_NUMBERS ? v->n : 1;
}

/* ---- as text ------------------------------------------------------------ */

/* A list of messages, if that is what it is. */
static bool put_messages(struct buf *out, const struct value *list)
{
    size_t before = out->len;
    for (const struct value *m = list->first; m != NULL; m = m->next) {
        const char *role = value_text(value_get(m, "role"));
        const struct value *content = value_get(m, "content");
        if (role == NULL || value_text(content) == NULL) {
            if (out->data != NULL)
                out->data[out->len = before] = '\0';
            return false;
        }
        buf_printf(out, "%s%s: ", m == list->first ? "" : "\n", role);
        buf_puts(out, value_text(content));
    }
    return list->n > 0;
}

bool value_put_text(struct buf *out, const struct value *v)
{
    if (v != NULL && v->kind == VALUE_LIST && put_messages(out, v))
        return true;
    v = value_only(v);
    if (v == NULL)
        return false;
    if (v->kind == VALUE_OBJECT && value_text(value_get(v, "content")) != NULL)
        v = value_get(v, "content");
    if (v->kind == VALUE_TEXT) {
        buf_append(out, v->text, v->n);
        return true;
    }
    if (v->kind == VALUE_NUMBER) {
        struct json_writer w;
        json_writer_init(&w, out, false);
        json_put_number(&w, v->number);
        return true;
    }
    return false;
}

static void put_json(struct json_writer *w, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
        json_put_null(w);
        return;
    case VALUE_BOOL:
        json_put_bool(w, v->number != 0);
        return;
    case VALUE_NUMBER:
        json_put_number(w, v->number);
        return;
    case VALUE_TEXT:
        json_put_text_len(w, v->text, v->n);
        return;
    case VALUE_NUMBERS:
        json_open(w, '[');
        for (size_t i = 0; i < v->n; i++)
            json_put_number(w, v->numbers[i]);
        json_close(w, ']');
        return;
    case VALUE_LIST:
    case VALUE_OBJECT:
        break;
    }
    const bool is_object = v->kind == VALUE_OBJECT;
    if (w->depth >= 30) { // the writer's limit
        json_put_null(w);
        return;
    }
    json_open(w, is_object ? '{' : '[');
    for (const struct value *m = v->first; m != NULL; m = m->next) {
        if (is_object)
            json_put_key(w, m->key);
        put_json(w, m);
    }
    json_close(w, is_object ? '}' : ']');
}

void value_put_json(struct buf *out, const struct value *v)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    if (v != NULL)
        put_json(&w, v);
    else
        json_put_null(&w);
}

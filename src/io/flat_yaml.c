#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "io/flat_internal.h"

struct yaml_reader {
    yaml_parser_t parser;
    struct flat *f;
    struct flat_path path;
    const char *name;
};

static enum status refuse(const struct yaml_reader *r, yaml_mark_t mark,
                          const char *what, struct err *err)
{
    return err_set(err, ERR_FORMAT, "%.200s:%zu: %s", r->name, mark.line + 1,
                   what);
}

/* The next event; the caller deletes it. */
static enum status next(struct yaml_reader *r, yaml_event_t *event,
                        struct err *err)
{
    const yaml_parser_t *p = &r->parser;
    if (yaml_parser_parse(&r->parser, event))
        return OK;
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(err, ERR_MEMORY, "out of memory reading %.200s",
                       r->name);
    return err_set(err, ERR_FORMAT, "%.200s:%zu: not YAML: %s", r->name,
                   p->problem_mark.line + 1,
                   p->problem ? p->problem : "cannot be read");
}

static const char *scalar_text(const yaml_event_t *event)
{
    return (const char *)event->data.scalar.value;
}

/* A plain scalar null, ~ or nothing at all. */
static bool is_null(const yaml_event_t *event)
{
    const char *text = scalar_text(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 ||
            strcmp(text, "null") == 0 || strcmp(text, "Null") == 0);
}

/* A byte "\0" in double quotes would end the text early. */
static enum status check_scalar(const struct yaml_reader *r,
                                const yaml_event_t *event, struct err *err)
{
    if (strlen(scalar_text(event)) != event->data.scalar.length)
        return refuse(r, event->start_mark, "a NUL byte in a value", err);
    return OK;
}

static enum status add(struct yaml_reader *r, const char *text, size_t len,
                       size_t line, struct err *err)
{
    bool is_unknown = text != NULL && flat_is_reference(text);
    enum status status =
        flat_add(r->f, r->path.text, text, len, is_unknown, line + 1, err);
    return status == ERR_LIMIT
               ? err_context(err, "%.200s:%zu", r->name, line + 1)
               : status;
}

static enum status read_value(struct yaml_reader *r, const yaml_event_t *event,
                              unsigned depth, struct err *err);

/* Keys and values up to the end of a mapping whose start was read. */
static enum status read_mapping(struct yaml_reader *r, unsigned depth,
                                struct err *err)
{
    for (;;) {
        yaml_event_t key, value;
        size_t before = 0;
        TRY(next(r, &key, err));
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return OK;
        }
        enum status status = OK;
        if (key.type != YAML_SCALAR_EVENT)
            status = refuse(r, key.start_mark, "a key must be a word", err);
        else
            status = check_scalar(r, &key, err);
        if (status == OK && !flat_path_enter(&r->path, scalar_text(&key),
                                             key.data.scalar.length, &before))
            status = refuse(r, key.start_mark, "a key is too long", err);
        yaml_event_delete(&key);
        TRY(status);
        TRY(next(r, &value, err));
        status = read_value(r, &value, depth + 1, err);
        yaml_event_delete(&value);
        TRY(status);
        flat_path_leave(&r->path, before);
    }
}

/* What a list's plain items are gathered in until it turns out that it holds
 * more than those; then they get keys of their own. */
struct items {
    struct buf text;
    size_t n;
    bool is_plain;
};

static enum status read_item(struct yaml_reader *r, struct items *list,
                             const yaml_event_t *event, unsigned depth,
                             struct err *err)
{
    size_t before;
    if (event->type == YAML_SCALAR_EVENT) {
        TRY(check_scalar(r, event, err));
        if (list->text.len > 0)
            buf_putc(&list->text, ' ');
        buf_append(&list->text, scalar_text(event), event->data.scalar.length);
        return buf_status(&list->text, err);
    }
    list->is_plain = false;
    if (!flat_path_index(&r->path, list->n, &before))
        return refuse(r, event->start_mark, "a key is too long", err);
    TRY(read_value(r, event, depth + 1, err));
    flat_path_leave(&r->path, before);
    return OK;
}

static enum status read_items(struct yaml_reader *r, struct items *list,
                              unsigned depth, struct err *err)
{
    for (;; list->n++) {
        yaml_event_t event;
        TRY(next(r, &event, err));
        bool is_end = event.type == YAML_SEQUENCE_END_EVENT;
        enum status status =
            is_end ? OK : read_item(r, list, &event, depth, err);
        yaml_event_delete(&event);
        TRY(status);
        if (is_end)
            return OK;
    }
}

static enum status read_list(struct yaml_reader *r, size_t line, unsigned depth,
                             struct err *err)
{
    struct items list = {.is_plain = true};
    buf_init(&list.text, 2 * FLAT_FILE_MAX);
    enum status status = read_items(r, &list, depth, err);
    if (status == OK && (list.is_plain || list.text.len > 0))
        status = add(r, buf_text(&list.text), list.text.len, line, err);
    buf_free(&list.text);
    return status;
}

/* The value whose first event was read. */
static enum status read_value(struct yaml_reader *r, const yaml_event_t *event,
                              unsigned depth, struct err *err)
{
    size_t line = event->start_mark.line;
    if (depth > FLAT_DEPTH_MAX)
        return refuse(r, event->start_mark, "nested too deeply", err);
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        TRY(check_scalar(r, event, err));
        return add(r, is_null(event) ? NULL : scalar_text(event),
                   event->data.scalar.length, line, err);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, depth, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, line, depth, err);
    case YAML_ALIAS_EVENT:
        return refuse(r, event->start_mark, "aliases are not followed", err);
    default:
        return refuse(r, event->start_mark, "a value is wanted", err);
    }
}

/* What a document may be: one mapping, or nothing. */
static enum status read_root(struct yaml_reader *r, const yaml_event_t *event,
                             int *documents, struct err *err)
{
    switch ((int)event->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return OK;
    case YAML_DOCUMENT_START_EVENT:
        return ++*documents > 1
                   ? refuse(r, event->start_mark, "a second document", err)
                   : OK;
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, 0, err);
    case YAML_SCALAR_EVENT:
        if (is_null(event))
            return OK;
        break;
    default:
        break;
    }
    return refuse(r, event->start_mark,
                  "neither a command line nor lines of 'key: value'", err);
}

enum status flat_yaml(struct flat *f, const char *text, size_t len,
                      const char *name, struct err *err)
{
    struct yaml_reader r = {.f = f, .name = name};
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, ERR_MEMORY, "out of memory reading %.200s", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    enum status status = OK;
    int documents = 0;
    bool is_end = false;
    while (status == OK && !is_end) {
        yaml_event_t event;
        status = next(&r, &event, err);
        if (status != OK)
            break;
        is_end = event.type == YAML_STREAM_END_EVENT;
        status = read_root(&r, &event, &documents, err);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&r.parser);
    return status;
}

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/flat_internal.h"
#include "io/yaml_source.h"

struct yaml_reader {
    struct yaml_source source;
    struct flat *f;
    struct flat_path path;
};

static enum status refuse(const struct yaml_reader *r,
                          const yaml_event_t *event, const char *what,
                          struct err *err)
{
    return yaml_source_refuse(&r->source, event, what, err);
}

static bool is_null(const yaml_event_t *event)
{
    return yaml_source_is_null(event) ||
           (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
            strcmp(yaml_source_text(event), "Null") == 0);
}

static enum status add(struct yaml_reader *r, const char *text, size_t len,
                       size_t line, struct err *err)
{
    bool is_unknown = text != NULL && flat_is_reference(text);
    enum status status =
        flat_add(r->f, r->path.text, text, len, is_unknown, line + 1, err);
    return status == ERR_LIMIT
               ? err_context(err, "%.200s:%zu", r->source.name, line + 1)
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
        TRY(yaml_source_next(&r->source, &key, err));
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return OK;
        }
        enum status status = OK;
        if (key.type != YAML_SCALAR_EVENT)
            status = refuse(r, &key, "a key must be a word", err);
        else
            status = yaml_source_check(&r->source, &key, err);
        if (status == OK && !flat_path_enter(&r->path, yaml_source_text(&key),
                                             key.data.scalar.length, &before))
            status = refuse(r, &key, "a key is too long", err);
        yaml_event_delete(&key);
        TRY(status);
        TRY(yaml_source_next(&r->source, &value, err));
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
        TRY(yaml_source_check(&r->source, event, err));
        if (list->text.len > 0)
            buf_putc(&list->text, ' ');
        buf_append(&list->text, yaml_source_text(event),
                   event->data.scalar.length);
        return buf_status(&list->text, err);
    }
    list->is_plain = false;
    if (!flat_path_index(&r->path, list->n, &before))
        return refuse(r, event, "a key is too long", err);
    TRY(read_value(r, event, depth + 1, err));
    flat_path_leave(&r->path, before);
    return OK;
}

static enum status read_items(struct yaml_reader *r, struct items *list,
                              unsigned depth, struct err *err)
{
    for (;; list->n++) {
        yaml_event_t event;
        TRY(yaml_source_next(&r->source, &event, err));
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
        return refuse(r, event, "nested too deeply", err);
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        TRY(yaml_source_check(&r->source, event, err));
        return add(r, is_null(event) ? NULL : yaml_source_text(event),
                   event->data.scalar.length, line, err);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, depth, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, line, depth, err);
    case YAML_ALIAS_EVENT:
        return refuse(r, event, "aliases are not followed", err);
    default:
        return refuse(r, event, "a value is wanted", err);
    }
}

/* ---- a list of overrides ------------------------------------------------ */

struct overrides {
    struct flat_word *word;
    size_t n, room;
};

/* "key=value"; "~key", which takes one away, says nothing of the others. */
static enum status add_override(struct yaml_reader *r, struct overrides *list,
                                const yaml_event_t *event, struct err *err)
{
    static const char what[] =
        "neither a command line nor lines of 'key: value'";
    const char *text;
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(r, event, what, err);
    TRY(yaml_source_check(&r->source, event, err));
    if (yaml_source_text(event)[0] == '~')
        return OK;
    if (!flat_is_override(yaml_source_text(event)))
        return refuse(r, event, what, err);
    TRY(arena_text(&text, &r->f->text, yaml_source_text(event),
                   event->data.scalar.length, err));
    TRY(MEM_ROOM(list->word, list->n, list->room, err));
    list->word[list->n++] =
        (struct flat_word){.text = text, .line = event->start_mark.line + 1};
    return OK;
}

static enum status read_overrides(struct yaml_reader *r, struct err *err)
{
    struct overrides list = {.n = 0};
    enum status status = OK;
    for (bool is_end = false; !is_end && status == OK;) {
        yaml_event_t event;
        status = yaml_source_next(&r->source, &event, err);
        if (status != OK)
            break;
        is_end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!is_end)
            status = add_override(r, &list, &event, err);
        yaml_event_delete(&event);
    }
    if (status == OK && list.n > 0)
        status = flat_words(r->f, list.word, list.n, err);
    mem_free(list.word);
    return status;
}

/* What a document may be: one mapping, a list of overrides, or nothing. */
static enum status read_root(void *ctx, const yaml_event_t *event,
                             struct err *err)
{
    struct yaml_reader *r = ctx;
    switch ((int)event->type) {
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, 0, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_overrides(r, err);
    case YAML_SCALAR_EVENT:
        if (is_null(event))
            return OK;
        break;
    default:
        break;
    }
    return refuse(r, event, "neither a command line nor lines of 'key: value'",
                  err);
}

enum status flat_yaml(struct flat *f, const char *text, size_t len,
                      const char *name, struct err *err)
{
    struct yaml_reader r = {.source = {.name = name, .code = ERR_FORMAT},
                            .f = f};
    return yaml_source_read(&r.source, text, len, read_root, &r, err);
}

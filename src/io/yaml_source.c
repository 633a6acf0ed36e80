#include "io/yaml_source.h"

#include <string.h>

enum status yaml_source_refuse(const struct yaml_source *s,
                               const yaml_event_t *event, const char *what,
                               struct err *err)
{
    return err_set(err, s->code, "%.250s:%zu: %s", s->name,
                   event->start_mark.line + 1, what);
}

enum status yaml_source_next(struct yaml_source *s, yaml_event_t *event,
                             struct err *err)
{
    const yaml_parser_t *p = &s->parser;
    if (yaml_parser_parse(&s->parser, event))
        return OK;
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(err, ERR_MEMORY, "out of memory reading %.250s",
                       s->name);
    return err_set(err, s->code, "%.250s:%zu: not YAML: %s", s->name,
                   p->problem_mark.line + 1,
                   p->problem ? p->problem : "cannot be read");
}

const char *yaml_source_text(const yaml_event_t *event)
{
    return (const char *)event->data.scalar.value;
}

enum status yaml_source_check(const struct yaml_source *s,
                              const yaml_event_t *event, struct err *err)
{
    if (strlen(yaml_source_text(event)) != event->data.scalar.length)
        return yaml_source_refuse(s, event, "a NUL byte in a value", err);
    return OK;
}

bool yaml_source_is_null(const yaml_event_t *event)
{
    const char *text = yaml_source_text(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 ||
            strcmp(text, "null") == 0);
}

/* An event outside of the document, or the first of what it holds. */
static enum status read_event(struct yaml_source *s, const yaml_event_t *event,
                              int *documents, yaml_source_fn fn, void *ctx,
                              struct err *err)
{
    switch ((int)event->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return OK;
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return yaml_source_refuse(s, event, "a second document", err);
        return OK;
    default:
        return fn(ctx, event, err);
    }
}

enum status yaml_source_read(struct yaml_source *s, const char *text,
                             size_t len, yaml_source_fn fn, void *ctx,
                             struct err *err)
{
    if (!yaml_parser_initialize(&s->parser))
        return err_set(err, ERR_MEMORY, "out of memory reading %.250s",
                       s->name);
    yaml_parser_set_input_string(&s->parser, (const unsigned char *)text, len);
    enum status status = OK;
    int documents = 0;
    bool is_end = false;
    while (status == OK && !is_end) {
        yaml_event_t event;
        status = yaml_source_next(s, &event, err);
        if (status != OK)
            break;
        is_end = event.type == YAML_STREAM_END_EVENT;
        status = read_event(s, &event, &documents, fn, ctx, err);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&s->parser);
    return status;
}

#include "io/settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/yaml_source.h"

#define FILE_MAX ((size_t)1 << 20)
#define DEPTH_MAX 4
#define KEY_MAX 128
#define ORIGIN_MAX 300

/* Paths of keys seen so far, to refuse the second of a name. */
struct seen {
    const char *path;
    struct seen *next;
};

struct reader {
    struct yaml_source source;
    settings_fn fn;
    void *ctx;
    struct arena arena;
    struct seen *seen;
    size_t delivered;
};

static void place(char out[ORIGIN_MAX], const struct reader *r,
                  yaml_mark_t mark)
{
    snprintf(out, ORIGIN_MAX, "%.250s:%zu", r->source.name, mark.line + 1);
}

static enum status refuse(const struct reader *r, const yaml_event_t *event,
                          const char *what, struct err *err)
{
    return yaml_source_refuse(&r->source, event, what, err);
}

/* Is the scalar plain text, without anchor, tag and NUL bytes? */
static enum status check_scalar(const struct reader *r,
                                const yaml_event_t *event, struct err *err)
{
    if (event->data.scalar.anchor)
        return refuse(r, event, "anchors are not supported", err);
    if (event->data.scalar.tag)
        return refuse(r, event, "tags are not supported", err);
    return yaml_source_check(&r->source, event, err);
}

static enum status check_mapping(const struct reader *r,
                                 const yaml_event_t *event, struct err *err)
{
    if (event->data.mapping_start.anchor)
        return refuse(r, event, "anchors are not supported", err);
    if (event->data.mapping_start.tag)
        return refuse(r, event, "tags are not supported", err);
    return OK;
}

static enum status note_key(struct reader *r, const char *path,
                            const yaml_event_t *event, struct err *err)
{
    for (const struct seen *s = r->seen; s; s = s->next) {
        if (strcmp(s->path, path) == 0) {
            char at[ORIGIN_MAX];
            place(at, r, event->start_mark);
            return err_set(err, ERR_ARG, "%s: '%s' is there twice", at, path);
        }
    }
    struct seen *seen;
    const char *copy;
    TRY(ARENA_NEW(&r->arena, seen, 1, err));
    TRY(arena_text(&copy, &r->arena, path, strlen(path), err));
    *seen = (struct seen){copy, r->seen};
    r->seen = seen;
    return OK;
}

/* "prefix.key", or "key" at the top. */
static enum status join_key(char out[KEY_MAX], const struct reader *r,
                            const char *prefix, const yaml_event_t *event,
                            struct err *err)
{
    int n = snprintf(out, KEY_MAX, "%s%s%s", prefix, *prefix ? "." : "",
                     yaml_source_text(event));
    if (n < 0 || n >= KEY_MAX)
        return refuse(r, event, "a key is too long", err);
    return OK;
}

static enum status deliver(struct reader *r, const char *path,
                           const yaml_event_t *event, struct err *err)
{
    TRY(check_scalar(r, event, err));
    char at[ORIGIN_MAX];
    place(at, r, event->start_mark);
    const char *text = yaml_source_text(event);
    r->delivered++;
    return r->fn(r->ctx, path, yaml_source_is_null(event) ? NULL : text, at,
                 err);
}

static enum status read_mapping(struct reader *r, const char *prefix, int depth,
                                struct err *err);

/* A mapping as a value.  An empty one is delivered as null, so that its key
 * is looked at too. */
static enum status read_section(struct reader *r, const char *path,
                                const yaml_event_t *event, int depth,
                                struct err *err)
{
    TRY(check_mapping(r, event, err));
    if (depth >= DEPTH_MAX)
        return refuse(r, event, "nested too deeply", err);
    size_t before = r->delivered;
    TRY(read_mapping(r, path, depth + 1, err));
    if (r->delivered > before)
        return OK;
    char at[ORIGIN_MAX];
    place(at, r, event->start_mark);
    return r->fn(r->ctx, path, NULL, at, err);
}

/* The value that follows the key `path`. */
static enum status read_value(struct reader *r, const char *path, int depth,
                              struct err *err)
{
    yaml_event_t event;
    TRY(yaml_source_next(&r->source, &event, err));
    enum status status = OK;
    switch ((int)event.type) {
    case YAML_SCALAR_EVENT:
        status = deliver(r, path, &event, err);
        break;
    case YAML_MAPPING_START_EVENT:
        status = read_section(r, path, &event, depth, err);
        break;
    case YAML_ALIAS_EVENT:
        status = refuse(r, &event, "aliases are not supported", err);
        break;
    default:
        status = refuse(r, &event, "one value is wanted, not a list", err);
    }
    yaml_event_delete(&event);
    return status;
}

/* Keys and values up to the end of a mapping whose start was read. */
static enum status read_mapping(struct reader *r, const char *prefix, int depth,
                                struct err *err)
{
    for (;;) {
        yaml_event_t event;
        char path[KEY_MAX];
        TRY(yaml_source_next(&r->source, &event, err));
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return OK;
        }
        enum status status;
        if (event.type == YAML_SCALAR_EVENT)
            status = check_scalar(r, &event, err);
        else
            status = refuse(r, &event, "a key must be a word", err);
        if (status == OK)
            status = join_key(path, r, prefix, &event, err);
        if (status == OK)
            status = note_key(r, path, &event, err);
        yaml_event_delete(&event);
        TRY(status);
        TRY(read_value(r, path, depth, err));
    }
}

/* What a document may be: one mapping, or nothing. */
static enum status read_root(void *ctx, const yaml_event_t *event,
                             struct err *err)
{
    struct reader *r = ctx;
    switch ((int)event->type) {
    case YAML_MAPPING_START_EVENT:
        TRY(check_mapping(r, event, err));
        return read_mapping(r, "", 1, err);
    case YAML_SCALAR_EVENT:
        if (yaml_source_is_null(event))
            return check_scalar(r, event, err);
        return refuse(r, event, "lines of 'key: value' are wanted", err);
    default:
        return refuse(r, event, "lines of 'key: value' are wanted", err);
    }
}

enum status settings_parse(const char *text, size_t len, const char *name,
                           settings_fn fn, void *ctx, struct err *err)
{
    struct reader r = {
        .source = {.name = name, .code = ERR_ARG}, .fn = fn, .ctx = ctx};
    enum status status =
        yaml_source_read(&r.source, text, len, read_root, &r, err);
    arena_free(&r.arena);
    return status;
}

enum status settings_read(const char *path, settings_fn fn, void *ctx,
                          struct err *err)
{
    struct buf text;
    buf_init(&text, FILE_MAX);
    enum status status = file_read(&text, path, err);
    if (status == OK)
        status = settings_parse(buf_text(&text), text.len, path, fn, ctx, err);
    else if (status == ERR_LIMIT)
        status = err_set(err, ERR_ARG, "%s is larger than 1 MiB", path);
    else if (status == ERR_IO || status == ERR_FORMAT)
        status = err ? (err->code = ERR_ARG) : ERR_ARG;
    buf_free(&text);
    return status;
}

/*
 * yaml_source.h - the events of a YAML text, for the readers that make
 * something of them (io/settings.c, io/flat_yaml.c).
 */
#ifndef PLUMB_IO_YAML_SOURCE_H
#define PLUMB_IO_YAML_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/err.h"

struct yaml_source {
    yaml_parser_t parser;
    const char *name; // that stands for the file in messages
    enum status code; // of what is wrong with it
};

/* Take the first event of what the one document of a text holds, and by
 * yaml_source_next() all of its others. */
typedef enum status (*yaml_source_fn)(void *ctx, const yaml_event_t *event,
                                      struct err *err);

/* Read a text, whose document may be missing; a second one is refused. */
enum status yaml_source_read(struct yaml_source *s, const char *text,
                             size_t len, yaml_source_fn fn, void *ctx,
                             struct err *err) MUST_CHECK;

/* The next event; the caller deletes it. */
enum status yaml_source_next(struct yaml_source *s, yaml_event_t *event,
                             struct err *err) MUST_CHECK;

/* "FILE:LINE: what" with the source's code. */
enum status yaml_source_refuse(const struct yaml_source *s,
                               const yaml_event_t *event, const char *what,
                               struct err *err);

/* Of a scalar: its text, in which a byte "\0" in double quotes would be an
 * early end and is refused by yaml_source_check(). */
const char *yaml_source_text(const yaml_event_t *event);
enum status yaml_source_check(const struct yaml_source *s,
                              const yaml_event_t *event,
                              struct err *err) MUST_CHECK;

/* Is it null, ~ or nothing at all, without quotes? */
bool yaml_source_is_null(const yaml_event_t *event);

#endif

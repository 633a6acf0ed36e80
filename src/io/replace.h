/*
 * replace.h - {"type":"Replace","pattern":{"String":s} or {"Regex":r},
 * "content":c}, which normalizers and decoders share.
 */
#ifndef PLUMB_IO_REPLACE_H
#define PLUMB_IO_REPLACE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/pattern.h"

struct replace {
    struct pattern *pattern;
    char *content;
};

/* `what` ("x.json: decoder 'Replace'") goes into messages.  Free it after a
 * failure, too; all zero is fine. */
enum status replace_parse(struct replace *out, const struct json *node,
                          const char *what, struct err *err) MUST_CHECK;
void replace_free(struct replace *r);

/* Append text with every match replaced.  The scan is of r->pattern.  A full
 * buffer is left to the caller. */
enum status replace_run(const struct replace *r, struct pattern_scan *scan,
                        const char *text, size_t len, struct buf *out,
                        struct err *err) MUST_CHECK;

#endif

/*
 * settings.h - YAML files as a list of settings.
 *
 * A configuration is nested mappings of scalars, nothing else: no anchors,
 * aliases, tags, lists or second documents.  What a key may be and what its
 * value means is the option table's business; this module only delivers
 * ("ppo.beta", "0.05", line 14).
 *
 * Bounds: 1 MiB, depth 4.  Duplicate keys are refused.  Everything wrong with
 * a file is ERR_ARG "FILE:LINE: ...".
 */
#ifndef PLUMB_IO_SETTINGS_H
#define PLUMB_IO_SETTINGS_H

#include <stddef.h>

#include "base/err.h"

/*
 * One setting: the key's path with dots, the value's text (NULL for null) and
 * its place "FILE:LINE".
 */
typedef enum status (*settings_fn)(void *ctx, const char *key, const char *text,
                                   const char *origin, struct err *err);

/* From memory; `name` stands for the file. */
enum status settings_parse(const char *text, size_t len, const char *name,
                           settings_fn fn, void *ctx,
                           struct err *err) MUST_CHECK;

/* A file; ERR_ARG also when it is absent or unreadable. */
enum status settings_read(const char *path, settings_fn fn, void *ctx,
                          struct err *err) MUST_CHECK;

#endif

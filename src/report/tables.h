/*
 * tables.h - the report's back pages: every number of heldout.json, where
 * each came from, and the configuration.
 */
#ifndef PLUMB_REPORT_TABLES_H
#define PLUMB_REPORT_TABLES_H

#include "report/html.h"
#include "report/inputs.h"

/*
 * Every measure in eval/heldout.json with its interval, every other number
 * beside its name, found by walking the document: what a later version adds
 * appears without being asked for.  Measures that rest on nothing are left out.
 */
void tables_numbers(struct html *h, const struct inputs *in);

/* Which file each part of the report was made from. */
void tables_sources(struct html *h, const struct inputs *in);

/* The resolved options of each stage. */
void tables_config(struct html *h, const struct inputs *in);

/*
 * One "key: value" line of YAML as config.yaml has them: nesting by
 * indentation, no flow style.  `path` carries the keys of the lines above;
 * the return value says whether the line holds a value.  The value is a view
 * into the line; keys of more than 255 bytes in all are passed over.
 */
struct tables_line {
    char path[256];    // "ppo.beta"
    const char *value; // not NUL-terminated
    size_t len;
};
struct tables_path {
    char text[256];
    size_t end[16];    // length of the path above each open level
    size_t indent[16]; // of that level
    size_t depth;
};
bool tables_parse_line(struct tables_line *out, struct tables_path *path,
                       const char *line, size_t len);

#endif

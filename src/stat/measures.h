/*
 * measures.h - named estimates, in the order they were made, and their form in
 * documents: {"estimate","low","high","n"}.
 */
#ifndef PLUMB_STAT_MEASURES_H
#define PLUMB_STAT_MEASURES_H

#include "base/json.h"
#include "stat/summary.h"

enum {
    MEASURES_MAX = 48
};

struct measures_named {
    const char *name;
    struct estimate e;
};

struct measures {
    struct measures_named item[MEASURES_MAX];
    size_t n;
};

/* Append; asserts that there is room.  `name` is kept, not copied. */
void measures_add(struct measures *m, const char *name,
                  const struct estimate *e);

/* By name; summary_nothing() when there is none. */
struct estimate measures_find(const struct measures *m, const char *name);

/* {"estimate","low","high","n"}; a number that is not finite is null. */
void measures_write_estimate(struct json_writer *w, const struct estimate *e);

/* What that wrote; summary_nothing() of anything that is no object, and NaN
 * for a member that is absent or null. */
struct estimate measures_read_estimate(const struct json *node);

/* Every measure as a member of the object being written. */
void measures_write(struct json_writer *w, const struct measures *m);

#endif

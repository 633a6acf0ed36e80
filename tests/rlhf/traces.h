/*
 * traces.h - a run's rollouts and metrics as a test reads them.
 */
#ifndef PLUMB_TESTS_RLHF_TRACES_H
#define PLUMB_TESTS_RLHF_TRACES_H

#include "base/json.h"
#include "desk.h"

/* The rows of one iteration's rollout file. */
struct traces {
    struct json *row[64];
    size_t n;
};

/* Iteration `step`, from 1, of the run DIR/name; asserts that it is there. */
void traces_read(struct traces *out, const struct desk *d, const char *name,
                 int step);
void traces_free(struct traces *t);

/* A number of row i, and entry k of an array of it. */
double traces_number(const struct traces *t, size_t i, const char *key);
double traces_at(const struct traces *t, size_t i, const char *key, size_t k);

/* Tokens of row i, and whether it ended itself. */
size_t traces_len(const struct traces *t, size_t i);
bool traces_is_eos(const struct traces *t, size_t i);

/* A metric of the run DIR/name at row i; asserts that it is there. */
double traces_metric(const struct desk *d, const char *name, const char *metric,
                     size_t i);

#endif

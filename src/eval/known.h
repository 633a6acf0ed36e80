/*
 * known.h - which replies an evaluation drew, to tell whether a vote is about
 * one of them or about an earlier policy's.
 */
#ifndef PLUMB_EVAL_KNOWN_H
#define PLUMB_EVAL_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct known {
    uint64_t *key; // [n] ascending
    size_t n, room;
};

/* Read samples.jsonl; free with known_free(). */
enum status known_read(struct known *out, const char *path,
                       struct err *err) MUST_CHECK;
void known_free(struct known *k);

/*
 * Is this the reply that `which` ("policy" or "reference") gave as sample
 * number `sample`?  Compared by a 64-bit hash (FNV-1a), so of a million
 * strange replies about one in 10^10 would be taken for known.
 */
bool known_has(const struct known *k, const char *prompt_id, const char *which,
               int64_t sample, const char *response);

#endif

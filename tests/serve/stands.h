/*
 * stands.h - pairs and votes for tests of how a pool stands.
 */
#ifndef PLUMB_TESTS_SERVE_STANDS_H
#define PLUMB_TESTS_SERVE_STANDS_H

#include "store/rig.h"

/* Fail the test with what `e` says, or with both numbers. */
void stands_must(enum status status, const struct err *e);
void stands_near(double got, double want, double tolerance);

/* A pair whose first reply, the one asked about, is longer; of a prompt that is
 * named, or of one of its own. */
int64_t stands_pair_of(struct rig *r, int64_t pool, const char *name,
                       const char *prompt, enum item_kind kind);
void stands_pair(struct rig *r, int64_t pool, const char *name,
                 enum item_kind kind);

/* What somebody says of the reply that is asked about, and of the other. */
struct stands_said {
    double win;
    int direct, other;
};

/* Vote, `ms` after the pair was shown; returns the act. */
int64_t stands_say(struct rig *r, int64_t judge, int64_t assignment,
                   const struct stands_said *s, const char *key,
                   int64_t supersedes, int64_t ms, int64_t now);

#endif

/*
 * rig.h - a small project for the store's tests: a directory, a database with
 * a fixed key, pools, items and judges.
 */
#ifndef PLUMB_TESTS_STORE_RIG_H
#define PLUMB_TESTS_STORE_RIG_H

#include "store/assign.h"
#include "store/judges.h"
#include "store/votes.h"

#define RIG_NOW 1700000000000 // when everything begins
#define RIG_LEASE 60000       // of pools, ms

struct rig {
    char dir[64], path[128];
    struct db *db;
};

/* A fresh directory and a project in it; the same orders every time. */
void rig_open(struct rig *r);
void rig_close(struct rig *r);

/* A path in the directory; eight of them last. */
const char *rig_path(const struct rig *r, const char *name);

/* All of these must succeed. */
int64_t rig_pool(struct rig *r, const char *name, enum pool_task task,
                 int64_t overlap, double random_share);
int64_t rig_judge(struct rig *r, const char *name);
/* A pair of the policy's and the reference's reply: "good NAME" from the
 * policy, "better NAME" from the reference.  `kind` is NORMAL or PLACEBO. */
int64_t rig_pair(struct rig *r, int64_t pool, const char *name,
                 enum item_kind kind, enum item_arm arm, double priority);
int64_t rig_repeat(struct rig *r, int64_t pool, const char *name,
                   const char *of, int64_t gap);
/* K candidates "reply 0 to NAME" of models m0, m1, ... */
int64_t rig_ranking(struct rig *r, int64_t pool, const char *name, size_t K);

/* The next assignment of a judge, 0 when there is none. */
int64_t rig_next(struct rig *r, int64_t judge, int64_t pool, int64_t now);
/* Act on it: a spot-check that says `overall` with marks, or a ranking in the
 * order shown; returns the act's id. */
int64_t rig_vote(struct rig *r, int64_t judge, int64_t assignment,
                 enum vote_overall overall, const char *key, int64_t now);
int64_t rig_rank(struct rig *r, int64_t judge, int64_t assignment, size_t K,
                 const char *key, int64_t now);
int64_t rig_act(struct rig *r, int64_t judge, int64_t assignment,
                enum vote_act act, int64_t supersedes, const char *key,
                int64_t now);

/* The one number that SQL gives. */
int64_t rig_number(struct rig *r, const char *sql);

#endif

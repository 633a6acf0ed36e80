/*
 * progress.h - how far a pool is, counted from what stands now.
 */
#ifndef PLUMB_STORE_PROGRESS_H
#define PLUMB_STORE_PROGRESS_H

#include "store/project.h"

struct progress {
    int64_t items;    // handed out still, repeats left out
    int64_t complete; // of them, with the pool's overlap of votes
    int64_t begun;    // of them, with some
    int64_t votes;    // that stand, on items of any sort
    int64_t wanted;   // votes that items still want, repeats left out
    int64_t held;     // in judges' hands at `now`
    int64_t skipped;
    int64_t repeats, repeats_voted; // such items; votes on them
    int64_t flags;                  // remarks that flag
};
enum status progress_pool(struct progress *out, struct db *db, int64_t pool,
                          int64_t now, struct err *err) MUST_CHECK;

/*
 * What a judge may see of a pool, counted from indexes alone, so that asking
 * often costs little: votes that stand, and votes that items still want.
 * Repeats are in both, unlike above: a vote on an item of any kind moves both
 * by one, so they tell no kinds apart.  (After votes beyond the overlap, of
 * leases that ran out, `open` may be too large while such an item is held.)
 */
struct progress_brief {
    int64_t votes, open;
};
enum status progress_brief(struct progress_brief *out, struct db *db,
                           int64_t pool, struct err *err) MUST_CHECK;

/* The same of one judge: assignments so far and what became of them. */
struct progress_judge {
    int64_t assigned, voted, skipped, held, undone;
};
enum status progress_judge(struct progress_judge *out, struct db *db,
                           int64_t judge, int64_t pool, int64_t now,
                           struct err *err) MUST_CHECK;

#endif

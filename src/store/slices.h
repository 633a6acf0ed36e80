/*
 * slices.h - what people say of a part of a pool: the spot-checks whose names
 * begin alike, because somebody asked for them together.
 */
#ifndef PLUMB_STORE_SLICES_H
#define PLUMB_STORE_SLICES_H

#include "store/project.h"

/* Pairs of policy and reference that were queued (placebo and other controls
 * are left out), and those with a vote that stands. */
struct slice_counts {
    size_t items, voted;
};

/*
 * One item's votes, in the order of the items: `win` is the share of its votes
 * that prefer the policy, "both" counting one half.
 */
typedef void (*slice_fn)(void *ctx, double win);

/* The votes that stand on the items of a pool whose names begin with `head`.
 * A pool that is not there has none. */
enum status slices_read(struct slice_counts *out, struct db *db,
                        const char *pool, const char *head, slice_fn fn,
                        void *ctx, struct err *err) MUST_CHECK;

#endif

/*
 * rate.h - sums over prompts (or whatever is resampled) and what they are
 * divided by, so that a rate, or any ratio of two totals, has its interval.
 *
 *     TRY_DONE(rate_open(&r, e->n_prompts, err));
 *     for (each vote)
 *         rate_add(&r, vote->prompt, vote->win, 1);
 *     TRY_DONE(rate_estimate(&win_rate, &r, &e->plan, err));
 *   done:
 *     rate_close(&r);
 */
#ifndef PLUMB_DIAGNOSE_RATE_H
#define PLUMB_DIAGNOSE_RATE_H

#include "stat/summary.h"

struct rate {
    double *yes, *asked; // [n] sums; NaN where nothing was added
    size_t n;
};

/* Empty, of n prompts.  On failure it may still be closed. */
enum status rate_open(struct rate *r, size_t n, struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void rate_close(struct rate *r);

/* Empty again. */
void rate_clear(struct rate *r);

/* yes of asked more at prompt p; nothing when either is NaN. */
void rate_add(struct rate *r, size_t p, double yes, double asked);

/* sum yes / sum asked. */
enum status rate_estimate(struct estimate *out, const struct rate *r,
                          const struct bootstrap *plan,
                          struct err *err) MUST_CHECK;

/* sum yes / sum asked of a few iterations or checkpoints of one run, in their
 * order (stat/blocks.h): `block` neighbours are taken for one. */
enum status rate_few(struct estimate *out, const struct rate *r, size_t block,
                     double level, struct err *err) MUST_CHECK;

/* The rate a minus the rate b, on the same resamples; both of as many
 * prompts. */
enum status rate_excess(struct estimate *out, const struct rate *a,
                        const struct rate *b, const struct bootstrap *plan,
                        struct err *err) MUST_CHECK;

#endif

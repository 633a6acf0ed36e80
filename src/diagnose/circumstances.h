/*
 * circumstances.h - what else was so: facts about people, prompts and reference
 * that a rival explanation would rest on.
 *
 *     worse    people prefer the reference to the policy: win rate below 1/2
 *     noise    those who spot-check do not even agree with themselves: raw
 *              agreement of second visits with first ones below 0.6, where
 *              chance is near 0.5
 *     sides    the answer on the left is preferred for standing there: share of
 *              left wins, of first visits without ties, away from 1/2
 *     mix      the prompts of training changed, or are not those held out:
 *              the larger of two total variation distances of the strata, early
 *              to late third of training (less that of odd to even prompts,
 *              which is chance) and training to held-out; from 0.2
 *     sampler_start  gate V2 on the first quarter of the iterations alone: a
 *              temperature that differs shows at once, a token that is wrongly
 *              kept or left out only when the policy has moved towards it
 *     overfit  the reference is over-fitted to its demonstrations: nats a token
 *              on held-out ones over those on training ones, from 1.5
 *     weak     on held-out rankings the reward model is right in fewer than
 *              CIRCUMSTANCES_WEAK of the pairs
 *
 * They are added to the leads under these names.  Bounds are proposals until
 * planted cases have calibrated them (docs/exam.md).
 */
#ifndef PLUMB_DIAGNOSE_CIRCUMSTANCES_H
#define PLUMB_DIAGNOSE_CIRCUMSTANCES_H

#include "diagnose/evidence.h"
#include "diagnose/mechanisms.h"

/* Of careful raters' rankings, whose noise allows about 0.75, the support
 * desk's reward models are right in 0.68 when they have learned to look things
 * up, in 0.58 after a tenth of the rankings. */
#define CIRCUMSTANCES_WEAK 0.63

/* A lead from sums over prompts, which it finds empty (diagnose/rate.h); n of
 * them, one after the other.  ERR_MEMORY is the only failure. */
struct rate;
typedef enum status (*circumstances_fn)(struct leads *leads,
                                        const struct evidence *e,
                                        struct rate *r, struct err *err);
enum status circumstances_add(struct leads *leads, const struct evidence *e,
                              const circumstances_fn *fn, size_t n,
                              struct err *err) MUST_CHECK;

/* ERR_MEMORY is the only failure. */
enum status circumstances_find(struct leads *leads, const struct evidence *e,
                               struct err *err) MUST_CHECK;

#endif

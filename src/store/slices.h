/*
 * slices.h - spot-checks that were asked for of one policy of one run, because
 * somebody who watches it wants to know: what they are called, and what people
 * say of them.
 *
 * A run is known by its absolute path.  Its items lie in a pool of its own,
 * so that no other spot-check is mixed with them, and are named
 *
 *     watch/RUN/STEP/pair/PROMPT    or placebo in the place of pair
 *
 * where RUN and PROMPT are the first 16 digits of a SHA-256, of the path and
 * of the prompt's id: names are short, whatever those are, and no two runs
 * share any.  What they stand for is in the pool's name, in the candidates'
 * run and in the item's prompt_id.
 */
#ifndef PLUMB_STORE_SLICES_H
#define PLUMB_STORE_SLICES_H

#include <stdbool.h>

#include "store/project.h"

#define SLICES_NAME 96 // bytes of an item's name, with its NUL
#define SLICES_POOL 96 // of the pool's

/* An item's name. */
void slices_name(char out[SLICES_NAME], const char *run, int64_t step,
                 bool is_placebo, const char *prompt_id);

/* Is this the name of such an item, of whichever run? */
bool slices_is_name(const char *name);

/* "watch: PROJECT/ppo 1a2b3c4d", of a run's pool: the last two folders of the
 * path, shortened where they are long, and the hash of all of it. */
void slices_pool(char out[SLICES_POOL], const char *run);

/* A pair of policy and reference that was queued (placebo is left out).  It is
 * voted on once it has as many votes that stand as its pool asks for, and `win`
 * is the share of the first so many of them that prefer the policy, "both"
 * counting one half: later ones change nothing. */
struct slice_vote {
    int64_t step;
    const char *prompt_id; // until the next call
    bool is_voted;
    double win; // 0 while it is not
};
typedef enum status (*slice_fn)(void *ctx, const struct slice_vote *v,
                                struct err *err);

/* Call with a run's pairs, by step and then in the order of the items; a
 * prompt is there once a step. */
enum status slices_read(struct db *db, const char *run, slice_fn fn, void *ctx,
                        struct err *err) MUST_CHECK;

/* Is there a spot-check, in a pool that is not closed, of which anything has to
 * be judged yet?  Of one pool, by its name; of any, NULL. */
enum status slices_is_open(bool *out, struct db *db, const char *pool,
                           struct err *err) MUST_CHECK;

/* Call with the id of each prompt of such spot-checks, each once in a database:
 * all of a pool's as long as one item is open, since a repeat of an item that
 * has its votes may be among what is. */
typedef enum status (*slice_prompt_fn)(void *ctx, const char *prompt_id,
                                       struct err *err);
enum status slices_walk_open(struct db *db, slice_prompt_fn fn, void *ctx,
                             struct err *err) MUST_CHECK;

#endif

/*
 * optimizer_internal.h - what optimizer.c (the update) shares with
 * optimizer_ranks.c (the same over the ranks of a job).
 *
 * With several ranks each has the gradients of its own shards only, and the
 * moments of its own part of the parameters only (ZeRO-1, Rajbhandari et al.
 * 2020, arXiv 1910.02054).  The parameters are cut into rounds, each round into
 * one part a rank, both at borders of slices:
 *
 *     | round 0          | round 1          | ...
 *     | rank 0 | rank 1  | rank 0 | rank 1  |
 *
 * so that a round is one exchange in which every rank sends and receives as
 * much as the others, and its parameters come back in one gather.  Part number
 * p is rank p % ranks's.
 */
#ifndef PLUMB_RLHF_OPTIMIZER_INTERNAL_H
#define PLUMB_RLHF_OPTIMIZER_INTERNAL_H

#include "rlhf/optimizer.h"

/* Floats of one work item; small enough to stay in cache while the shards'
 * buffers are summed. */
#define OPTIMIZER_SLICE 8192

/* A part of one tensor. */
struct optimizer_slice {
    size_t tensor; // index for model_trainable_view
    size_t offset, n;
    size_t held; // where its moments are, if they are this rank's
    bool decay;
    double square; // of the summed gradient
};

/* Cut o's slices into parts, with o->comm not NULL: fills o->part and
 * o->ranks. */
enum status optimizer_ranks_create(struct optimizer *o,
                                   struct err *err) MUST_CHECK;
void optimizer_ranks_free(struct optimizer *o);

/* Sum the gradients: each rank's own slices to its sum (optimizer_sum), the
 * squares of all slices to all ranks. */
enum status optimizer_ranks_reduce(struct optimizer *o,
                                   const struct context *context,
                                   struct err *err) MUST_CHECK;

/* Begin to sum: nothing is under way. */
void optimizer_ranks_start(struct optimizer *o);

/* Begin or finish a round without waiting for anything and without a team,
 * where gradients from `final` on are; false: there was nothing to do. */
bool optimizer_ranks_move(struct optimizer *o, size_t final);

/* The same of a batch that all ranks give up: nothing is summed, and what is
 * begun from here on sends nothing and looks at no shard's buffer. */
bool optimizer_ranks_drop(struct optimizer *o);

/* Is a round under way?  How many are not over? */
bool optimizer_ranks_flies(const struct optimizer *o);
size_t optimizer_ranks_left(const struct optimizer *o);

/* The thread that sums behind a pass (optimizer_begin). */
enum status optimizer_behind_create(struct optimizer *o,
                                    struct err *err) MUST_CHECK;

/* A shard's gradient from number `from` on is final. */
void optimizer_behind_mark(struct optimizer *o, size_t shard, size_t from);

/* Make it stop where it is; false: no pass had begun. */
bool optimizer_behind_take(struct optimizer *o);

/* Rounds of the pass that are not over yet. */
size_t optimizer_behind_left(const struct optimizer *o);

/* The same at the end; what is left of a pass is dropped, as the other ranks
 * do who end as well. */
void optimizer_behind_free(struct optimizer *o);

/* Give everybody the parameters that each rank has updated. */
enum status optimizer_ranks_publish(struct optimizer *o, float *params,
                                    struct err *err) MUST_CHECK;

/* Where the sum of the shards is made: the first of this rank's. */
float *optimizer_sum(const struct optimizer *o);

#endif

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

/* Give everybody the parameters that each rank has updated. */
enum status optimizer_ranks_publish(struct optimizer *o, float *params,
                                    struct err *err) MUST_CHECK;

/* Where the sum of the shards is made: the first of this rank's. */
float *optimizer_sum(const struct optimizer *o);

#endif

/*
 * gradients.h - the buffers in which the shards of a batch have their
 * gradients, as few as will do.
 *
 * A shard's buffer is needed until its neighbour's is added to it in the tree
 * of rlhf/reduce.h.  Whoever opens a shard therefore gets, in this order, a
 * buffer that nobody uses; one that an addition of the tree sets free, made on
 * the spot; or a new one.  W workers who take shards in order, and are done
 * with them in that order, make at most W + log2(shards) buffers of n floats.
 * One that stays at an early shard while the others go through the rest keeps
 * what lies beside it from being added: up to log2(shards) more.  The additions
 * are those of the tree in its order, so that the sum has the bits that it has
 * with a buffer for each.
 *
 * Several sets, of models that are trained in one pass, may share a pool: what
 * one has finished makes room for the other.
 *
 * Workers may open and close different shards at once; the rest is for one
 * thread while no shard is open.
 */
#ifndef PLUMB_RLHF_GRADIENTS_H
#define PLUMB_RLHF_GRADIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct gradient_pool; // opaque

/* Buffers of up to n floats each; none is made yet. */
enum status gradient_pool_create(struct gradient_pool **out, size_t n,
                                 struct err *err) MUST_CHECK;

/* After every set that uses it; NULL is fine. */
void gradient_pool_free(struct gradient_pool *p);

/* Buffers made so far. */
size_t gradient_pool_buffers(const struct gradient_pool *p);

/*
 * Buffers that a set makes for shards first..last-1 of `shards`, with workers
 * abreast: each shard is closed before the one that is `workers` behind it is
 * opened.  Or, if one straggles, with the others abreast and shard `first` open
 * to the end.
 */
size_t gradients_buffers(size_t shards, size_t first, size_t last,
                         size_t workers, bool straggles);

struct gradients {
    struct gradient_pool *pool; // borrowed
    size_t n;                   // floats of a shard's gradient
    size_t shards;
    size_t first, last; // this process has first..last-1 of them
    /* [shards] the buffer of each own shard that is open, or closed and not
     * yet added to another's; else NULL. */
    float **shard;
    size_t *sum; // [shards] shards summed in its buffer; 0: it is not closed
    /* Somebody else adds the shards up as soon as all are open
     * (rlhf/optimizer_internal.h): nobody who opens another set's may. */
    bool is_watched;
};

/* `n` is no more than the pool's, which has no more than two sets. */
enum status gradients_create(struct gradients **out, struct gradient_pool *pool,
                             size_t n, size_t shards, size_t first, size_t last,
                             struct err *err) MUST_CHECK;

/* Whatever its buffers hold; NULL is fine. */
void gradients_free(struct gradients *g);

/*
 * The buffer [n] of an own shard, to be added into: all zero the first time,
 * and then the same one until it is closed.  ERR_MEMORY.
 */
enum status gradients_open(float **out, struct gradients *g, size_t shard,
                           struct err *err) MUST_CHECK;

/* Nothing more is added to a shard that is open. */
void gradients_close(struct gradients *g, size_t shard);

/* Open and close whatever was not: afterwards every own shard is in one of the
 * buffers of shard[], which reduce.h's functions sum. */
enum status gradients_settle(struct gradients *g, struct err *err) MUST_CHECK;

/* Zero elements at..at+n-1 of all buffers in use. */
void gradients_clear(const struct gradients *g, size_t at, size_t n);

/* Give all buffers back, which are all zero: the next batch may begin. */
void gradients_return(struct gradients *g);

#endif

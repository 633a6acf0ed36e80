/*
 * optimizer.h - one model's gradients, moments and update.
 *
 * A batch is cut into `shards` pieces, whose gradients are made by whichever
 * worker takes them (rlhf/gradients.h).  optimizer_step() sums them in a fixed
 * tree (0+1, 2+3, ..., then 0+2, ...), clips by the global norm and applies
 * AdamW, slice by slice over the team.  Nothing depends on how many workers
 * there are, nor on how many ranks: each has the gradients of its own shards
 * (comm_own of `shards`) and the moments of the parameters that it updates;
 * the parameters are everybody's (rlhf/optimizer_internal.h).
 */
#ifndef PLUMB_RLHF_OPTIMIZER_H
#define PLUMB_RLHF_OPTIMIZER_H

#include "model/checkpoint.h"
#include "model/transformer.h"
#include "rlhf/gradients.h"
#include "rlhf/reduce.h"
#include "rlhf/stage.h"

struct optimizer_ranks;
struct optimizer_behind;

struct optimizer {
    struct optimizer_config config;
    int64_t t;     // updates done
    int64_t total; // updates planned, for the schedule
    size_t n;      // trainable parameters (model/model.h)
    size_t shards;
    size_t first_shard, last_shard; // this rank's: first..last-1
    float *m, *v;                   // moments [n_held]
    size_t n_held;                  // n on one process
    struct gradients *gradients;    // of its own shards
    struct gradient_pool *pool;     // its own, or NULL
    struct optimizer_slice *slice;
    size_t n_slice;
    size_t *own; // [n_own] slices that this rank updates
    size_t n_own;
    struct comm *comm;
    struct optimizer_ranks *ranks;   // NULL on one process
    struct optimizer_behind *behind; // its thread, or NULL
    /* Part p of the parameters, part[p]..part[p+1]-1, is updated by rank
     * p % ranks; m and v hold a rank's parts one after the other.  NULL on one
     * process. */
    size_t *part; // [n_part + 1]
    size_t n_part;
};

/* `shards` is no less than the ranks of `comm`; `pool` is one for gradients of
 * this model's size, or NULL for one of its own. */
enum status optimizer_create(struct optimizer *out, const struct model *m,
                             const struct optimizer_config *c, int64_t total,
                             size_t shards, struct gradient_pool *pool,
                             struct comm *comm, struct err *err) MUST_CHECK;
void optimizer_free(struct optimizer *o);

/* About the bytes that rank 0 of several has for what is under way between
 * them, of n trainable parameters (rlhf/optimizer_internal.h). */
double optimizer_round_bytes(size_t n, size_t shards, size_t ranks,
                             enum reduce_format format);

/* One of its moments (m or v) as a checkpoint keeps it. */
struct checkpoint_array optimizer_array(const struct optimizer *o,
                                        const char *name, float *moment);

/* The gradient of one of this rank's shards, to be added into until its
 * optimizer_final() of 0 (gradients_open). */
enum status optimizer_grad(float **out, struct optimizer *o, size_t shard,
                           struct err *err) MUST_CHECK;

/*
 * With several ranks gradients may travel while others are still being made:
 * from optimizer_begin() to optimizer_step() a thread of the optimiser's own
 * sums what is final and exchanges it.  Each of the rank's shards, which is
 * open (optimizer_grad), says so from its worker: parameters from number `from`
 * on get nothing more.  Without optimizer_begin(), and on one process, all is
 * done by optimizer_step().
 *
 * A round of parameters leaves when it is final in all of the rank's shards, so
 * while its last ones are at their backward pass: the whole of it with a worker
 * a shard, a last part with fewer.  An adapter's gradients, which are few, are
 * final at the end of a shard only.
 *
 * optimizer_begin() is collective, and fails where a rank has failed.  A batch
 * that is given up after it is let go by optimizer_free(), on all ranks.
 */
enum status optimizer_begin(struct optimizer *o, struct err *err) MUST_CHECK;
void optimizer_final(struct optimizer *o, size_t shard, size_t from);

/* A shard to which this batch adds nothing. */
enum status optimizer_skip(struct optimizer *o, size_t shard,
                           struct err *err) MUST_CHECK;

/* A shard's transformer_backward() into its gradient, which says so layer by
 * layer; nothing is added to it afterwards. */
enum status optimizer_backward(struct optimizer *o, size_t shard,
                               struct activations *a, const struct model *m,
                               const struct pack *pack, const float *dhidden,
                               struct arena *arena, struct err *err) MUST_CHECK;

/* What an update did, for the record. */
struct optimizer_report {
    double grad_norm; // before clipping
    double lr;
};

/*
 * One update of m's parameters from the shards' gradients, which are zero
 * again afterwards.  ERR_NUMERIC names the first tensor whose gradient is not
 * finite; m is then unchanged.  Collective.
 */
enum status optimizer_step(struct optimizer_report *report, struct optimizer *o,
                           struct model *m, const struct context *context,
                           struct err *err) MUST_CHECK;

/*
 * Record in err (ERR_NUMERIC) that `what` ("the loss") is not finite, naming
 * the first tensor of m that is not either, or has a gradient that is not.
 * Collective; returns the code recorded.
 */
enum status optimizer_blame(const struct optimizer *o, const struct model *m,
                            const char *what, struct err *err);

/* Scratch memory of each worker. */
struct workspace {
    struct arena *arena; // [n], one a worker
    size_t n;
};
enum status workspace_create(struct workspace *out, size_t workers,
                             struct err *err) MUST_CHECK;
void workspace_free(struct workspace *w);

/* A worker's arena, empty. */
struct arena *workspace_arena(const struct workspace *w, size_t worker);

#endif

/*
 * optimizer.h - one model's gradients, moments and update.
 *
 * A batch is cut into `shards` pieces; each has a gradient buffer of its own,
 * filled by whichever worker takes it.  optimizer_step() sums the buffers in
 * a fixed tree (0+1, 2+3, ..., then 0+2, ...), clips by the global norm and
 * applies AdamW, slice by slice over the team.  Nothing depends on how many
 * workers there are.
 */
#ifndef PLUMB_RLHF_OPTIMIZER_H
#define PLUMB_RLHF_OPTIMIZER_H

#include "model/transformer.h"
#include "rlhf/stage.h"

struct optimizer {
    struct optimizer_config config;
    int64_t t;     // updates done
    int64_t total; // updates planned, for the schedule
    size_t n;      // trainable parameters (model/model.h)
    size_t shards;
    float *m, *v; // moments [n]
    float *grad;  // [shards, n], all zero between steps
    struct optimizer_slice *slice;
    size_t n_slice;
};

enum status optimizer_create(struct optimizer *out, const struct model *m,
                             const struct optimizer_config *c, int64_t total,
                             size_t shards, struct err *err) MUST_CHECK;
void optimizer_free(struct optimizer *o);

/* The gradient buffer of one shard, to be added into. */
float *optimizer_grad(const struct optimizer *o, size_t shard);

/* What an update did, for the record. */
struct optimizer_report {
    double grad_norm; // before clipping
    double lr;
};

/*
 * One update of m's parameters from the shards' gradients, which are zero
 * again afterwards.  ERR_NUMERIC names the first tensor whose gradient is not
 * finite; m is then unchanged.
 */
enum status optimizer_step(struct optimizer_report *report, struct optimizer *o,
                           struct model *m, const struct context *context,
                           struct err *err) MUST_CHECK;

/*
 * Record in err (ERR_NUMERIC) that `what` ("the loss") is not finite, naming
 * the first tensor of m that is not either, or has a gradient that is not.
 */
void optimizer_blame(const struct optimizer *o, const struct model *m,
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

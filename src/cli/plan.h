/*
 * plan.h - what a training stage would do, before it does it: --dry-run.
 */
#ifndef PLUMB_CLI_PLAN_H
#define PLUMB_CLI_PLAN_H

#include "base/context.h"
#include "cli/options.h"

struct plan {
    int64_t parameters; // of the model that is trained, its base included
    int64_t trainable;  // of all models that are trained
    int64_t records;    // of the data
    int64_t updates;
    double tokens;       // that pass through a model, prompts included
    double memory_bytes; // at the peak, of a rank
    /* More of it where one worker stays at a shard while the others go through
     * the rest (rlhf/gradients.h). */
    double straggler_bytes;
    size_t ranks;
    double rate; // tokens a second through all workers
    double seconds;
};

/*
 * Count the data's tokens, and time a model of the stage's shape, with the
 * stage's adapter and in its precision, for a moment on this machine.  Memory:
 * each copy of a model's weights, with the rounded one that products in bf16
 * read; of what is trained the rank's moments, the gradient buffers of workers
 * that keep abreast, and what is under way between ranks; activations of one
 * shard per worker, of every layer, as none is computed again; the data, and
 * what the libraries take; of weights in bf16 also the float ones that the
 * adapter is folded into at the end.  A reward model and a value model count in
 * their own shape.
 *
 * PPO's replies are taken to be as long as they may be, so that its figures
 * are upper bounds.  Both estimates are rough: within a factor of two.
 *
 * To be called after the parents were found (cli/record.h).  Fails as the
 * stage would on settings that do not fit its model or its data.
 */
enum status plan_stage(struct plan *out, const struct options *o,
                       enum option_command command,
                       const struct context *context,
                       struct err *err) MUST_CHECK;

/* The plan as comment lines of YAML. */
void plan_print(struct buf *out, const struct plan *p);

/* The same as a JSON document, plumb.plan/1, with the text of config.yaml. */
void plan_json(struct buf *out, const struct plan *p, const char *config);

#endif

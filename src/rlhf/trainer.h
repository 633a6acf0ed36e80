/*
 * trainer.h - the loop that SFT and reward-model training share: open or
 * resume a run directory, step, log, checkpoint, finish.
 */
#ifndef PLUMB_RLHF_TRAINER_H
#define PLUMB_RLHF_TRAINER_H

#include "io/tokenizer.h"
#include "model/checkpoint.h"
#include "rlhf/optimizer.h"
#include "rlhf/stage.h"

#define TRAINER_METRICS_MAX 32

struct trainer {
    const struct stage *stage;
    struct context *context;
    struct run run;
    struct model model;
    char base[FILE_PATH_MAX]; // where a model with an adapter came from
    const struct tokenizer *tokenizer;
    const struct checkpoint_array *more; // [n_more] that the stage keeps
    size_t n_more;
    struct optimizer optimizer;
    struct workspace workspace;
    int64_t step, total; // updates done and planned
    int64_t save_every, log_every;
    double step_started; // clock, for timing.jsonl
    int64_t step_logged; // step of the last metrics row
};

/*
 * Open a stage's run directory: rank 0 does (run_open), and the others follow
 * it (run_follow).  Collective.
 */
enum status trainer_open_run(struct run *out, const struct stage *stage,
                             struct err *err) MUST_CHECK;

/*
 * Take the run directory and the initial model (whose ownership moves into
 * the trainer, also on failure); when a checkpoint is there, continue from it.
 * `base` is the folder or file the model was read from, NULL for a new one.
 * On failure nothing is held; on success free with trainer_close().
 */
enum status trainer_open(struct trainer *t, const struct stage *stage,
                         struct model *initial, const char *base,
                         const struct tokenizer *tokenizer,
                         const struct optimizer_config *optimizer,
                         int64_t total, int64_t save_every,
                         struct err *err) MUST_CHECK;
void trainer_close(struct trainer *t);

/* The same with arrays of the stage's own in every checkpoint (no more than
 * TRAINER_ARRAYS_MAX), filled when the run goes on from one.  `more` outlives
 * the trainer. */
#define TRAINER_ARRAYS_MAX 6
enum status trainer_open_with(struct trainer *t, const struct stage *stage,
                              struct model *initial, const char *base,
                              const struct tokenizer *tokenizer,
                              const struct optimizer_config *optimizer,
                              int64_t total, int64_t save_every,
                              const struct checkpoint_array *more,
                              size_t n_more, struct err *err) MUST_CHECK;

/*
 * One update: fill the gradients (optimizer_grad) of batch number `step`,
 * counted from 0, and report what it was; the trainer then updates the model.
 * metric[] has room for TRAINER_METRICS_MAX entries; *sequences counts what
 * was processed.
 */
struct trainer_batch {
    struct metric metric[TRAINER_METRICS_MAX];
    size_t n_metric;
    double loss;
    size_t sequences;
};
typedef enum status (*trainer_fn)(void *ctx, struct trainer *t, int64_t step,
                                  struct trainer_batch *batch, struct err *err);

/* Run all remaining steps.  ERR_STOPPED after a checkpoint when asked to
 * stop; ERR_NUMERIC names step, tensor and the last good checkpoint. */
enum status trainer_loop(struct trainer *t, trainer_fn fn, void *ctx,
                         struct err *err) MUST_CHECK;

/* Write the checkpoint of the step that the trainer stands at, once more where
 * there is one. */
enum status trainer_save(struct trainer *t, struct err *err) MUST_CHECK;

/* ERR_ARG when something is asked for that wants an adapter, and none is:
 * targets of one, or bf16 (enum model_precision), since what is trained is
 * float. */
enum status trainer_check_adapter(const struct adapter_config *a, int precision,
                                  struct err *err) MUST_CHECK;

/* An adapter's settings for a model of this shape; ERR_ARG names the target
 * that it lacks.  `a` asks for one. */
enum status trainer_lora(struct lora_config *out,
                         const struct adapter_config *a,
                         const struct model_config *c,
                         struct err *err) MUST_CHECK;

/*
 * Read a model to be trained: with an adapter in the stage's precision, else
 * in float, as trainer_check_adapter() has it.
 */
enum status trainer_read(struct model *out, const char *path,
                         enum model_head head, const struct stage *stage,
                         const struct adapter_config *a,
                         struct err *err) MUST_CHECK;

/*
 * Take the values of a checkpoint into the model of its run, whose optimiser
 * has `n` of them: an adapter's, or the whole model's in a model of its own.
 * ERR_MISMATCH when it is of another number.
 */
enum status trainer_reload(struct model *m, const char *checkpoint, size_t n,
                           struct err *err) MUST_CHECK;

/*
 * Put a new adapter on a model that was read from `base`, when one is asked
 * for.  ERR_ARG: settings that do not fit, or a base that is an adapter.
 */
enum status trainer_adapt(struct model *m, const struct adapter_config *a,
                          const char *base, uint64_t seed,
                          struct err *err) MUST_CHECK;

/*
 * At the end of a run with an adapter: fold it into the base and write the
 * whole model to merged/, which is what the next stage and other tools read.
 * Nothing is done to a model without one.
 */
enum status trainer_merge(struct model *m, const struct run *run,
                          const struct tokenizer *tokenizer,
                          struct err *err) MUST_CHECK;

/* Order of n items in an epoch: a permutation of its own for each epoch.
 * `order` has room for n indices. */
void trainer_order(size_t *order, size_t n, uint64_t seed, int64_t epoch);

/* Begin the result document of a stage: schema, version, stage, steps and the
 * final checkpoint's path; the caller adds members and closes it. */
struct json_writer;
void trainer_result_open(struct json_writer *w, const char *stage,
                         int64_t step);

/*
 * Keep the large trainer state (moments, value model) in the newest checkpoint
 * and in the scheduled one before it, to go on from should the newest be
 * damaged; the older ones stay as models, with the few numbers of trainer.json
 * (the unit of reward among them).  Called after every save, it also finishes
 * what a killed process left undone.
 */
enum status trainer_prune(const struct run *run, int64_t save_every,
                          struct err *err) MUST_CHECK;

/*
 * A stop leaves a checkpoint that is not one of every `save_every` steps (0:
 * only the last is).  Called at a run's end, this removes such ones but never
 * the newest, so that a run stopped and resumed ends with the bytes, and its
 * curves with the points, of one that was not.
 */
enum status trainer_tidy(const struct run *run, int64_t save_every,
                         struct err *err) MUST_CHECK;

/* Put "step N" and the newest checkpoint in front of a numeric failure. */
enum status trainer_explain(const struct run *run, int64_t step,
                            enum status status, struct err *err);

#endif

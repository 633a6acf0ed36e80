/*
 * run.h - a stage's directory: config, metrics, events, checkpoints, lock.
 *
 *     config.yaml            resolved options; parents by path and SHA-256
 *     metrics.jsonl          one object a step: {"step":N, "name":value, ...}
 *     timing.jsonl           the same steps: wall time, seconds, rates
 *     events.out.tfevents.*  both of the above for TensorBoard
 *     rollouts/000123.jsonl.zst
 *     checkpoints/000123/    model/checkpoint.h
 *     merged/                of a finished run with an adapter: the last
 *                            checkpoint, folded into its base
 *     eval/heldout.json      of a reward model (rlhf/reward_heldout.h)
 *     result.json            written last: the stage is complete
 *     LOCK                   held while a process writes here
 *
 * Only timing.jsonl and the event file hold times; every other byte follows
 * from the inputs and the seed.  Metrics reach the disk before the checkpoint
 * of the same step, so that a resumed run can cut them back to it.
 */
#ifndef PLUMB_IO_RUN_H
#define PLUMB_IO_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"

enum run_mode {
    RUN_NEW,       // the directory must not hold a run: ERR_ARG otherwise
    RUN_RESUME,    // go on from its last checkpoint, or start it
    RUN_OVERWRITE, // remove the run that is there
};

struct run {
    char dir[FILE_PATH_MAX];
    int lock;
    FILE *metrics, *timing;
    struct tfevents *events;
    double (*clock)(void);
    int64_t checkpoint; // newest whole checkpoint's step, -1 when there is none
    bool is_complete;   // result.json is there
    bool is_followed;   // another process has it open and writes (run_follow)
};

struct metric {
    const char *name; // "objective/kl"
    double value;     // not finite: null in metrics.jsonl, left out of events
};

/*
 * Take the directory: create it, lock it (ERR_BUSY names the holder's pid),
 * find the newest checkpoint, remove leftovers of a killed process, cut
 * metrics, timing and rollouts back to that checkpoint and rebuild the event
 * file from them.  On RUN_RESUME a recorded config.yaml that differs from
 * `config` is ERR_MISMATCH naming the first differing line, and so is a
 * directory with a run's files but no config.yaml: nothing of it is touched.
 */
enum status run_open(struct run *r, const char *dir, enum run_mode mode,
                     const char *config, double (*clock)(void),
                     struct err *err) MUST_CHECK;

/*
 * A run that another process has opened and writes, in the state that it found:
 * for those that compute the same and read the same checkpoints.  Whatever
 * would write does nothing.
 */
enum status run_follow(struct run *r, const char *dir, int64_t checkpoint,
                       bool is_complete, struct err *err) MUST_CHECK;

/* Give the directory back; fine on a zeroed struct. */
void run_close(struct run *r);

/* Hold a directory's LOCK, as run_open does: ERR_BUSY names the process that
 * has it.  Give it back with run_unlock(); negative: nothing held. */
enum status run_lock(int *lock, const char *dir, struct err *err) MUST_CHECK;
void run_unlock(int lock);

/*
 * One step's metrics, in the order given, and how long it took.  `units`
 * counts episodes (PPO) or sequences; the rate "eps" is units/seconds.
 * ERR_IO (a full disk) names the log and may leave half a row: end the run,
 * resuming cuts it away.
 */
enum status run_metrics(struct run *r, int64_t step, const struct metric *m,
                        size_t n, double seconds, double units,
                        struct err *err) MUST_CHECK;

/* Put what was logged on the disk; call before writing a checkpoint. */
enum status run_flush(struct run *r, struct err *err) MUST_CHECK;

/* dir/checkpoints/000123 and dir/rollouts/000123.jsonl.zst; their folder is
 * made when it is absent. */
enum status run_checkpoint_path(char out[FILE_PATH_MAX], const struct run *r,
                                int64_t step, struct err *err) MUST_CHECK;
enum status run_rollout_path(char out[FILE_PATH_MAX], const struct run *r,
                             int64_t step, struct err *err) MUST_CHECK;

/* Write result.json (a whole JSON document). */
enum status run_finish(struct run *r, const char *json,
                       struct err *err) MUST_CHECK;

/*
 * The model a user means: a Hugging Face folder is itself, a run directory is
 * its merged model or newest checkpoint, a project D is D/ppo's (or D/<stage>'s
 * when `stage` is given), a GGUF file is itself, a folder that holds nothing
 * but GGUF files is the only one of them (ERR_ARG lists several), and what is
 * no path may name a repository in the cache (io/hub.h), where the same is
 * looked for.
 * `out` is a Hugging Face folder or a GGUF file.  ERR_MISSING says what was
 * looked for, ERR_FORMAT that a file is no model.
 */
enum status run_find_model(char out[FILE_PATH_MAX], const char *path,
                           const char *stage, struct err *err) MUST_CHECK;

/*
 * The run directory that a model folder lies in, told by its path alone:
 * RUN/checkpoints/000123, whose step is given, or RUN/merged (step -1: that of
 * the finished run).  False for a model that lies elsewhere.
 */
bool run_of_model(char out[FILE_PATH_MAX], int64_t *step, const char *model);

/*
 * The tokenizer a user means: a folder with a tokenizer.json, a file, or the
 * tokenizer of what run_find_model() finds.  `out` is what tokenizer_open()
 * takes.
 */
enum status run_find_tokenizer(char out[FILE_PATH_MAX], const char *path,
                               struct err *err) MUST_CHECK;

/*
 * SHA-256 of a model's weights as run_find_model() found it: of the file that
 * holds them; of the hashes of its parts where there are several, or of an
 * adapter, whose settings are a part.  So is what a reward model's scores owe
 * to length (io/score_length.h), where they do.
 */
enum status run_hash_model(char out[65], const char *model,
                           struct err *err) MUST_CHECK;

/* The checkpoints of a run directory in order; free with mem_free. */
enum status run_checkpoints(int64_t **steps, size_t *n, const char *dir,
                            struct err *err) MUST_CHECK;

/*
 * metrics.jsonl read back: for each step, in order.  Columns are looked up by
 * name; absent values are NaN.  A last line without its end (the run is being
 * written) is left out.  ERR_MISSING when the file is absent.
 */
struct run_table {
    int64_t *step;
    double *value; // [n * columns]
    char **name;   // [columns]
    size_t n, columns;
};
enum status run_table_read(struct run_table *out, const char *path,
                           struct err *err) MUST_CHECK;
void run_table_free(struct run_table *t);
/* Column index, or SIZE_MAX. */
size_t run_table_find(const struct run_table *t, const char *name);

#endif

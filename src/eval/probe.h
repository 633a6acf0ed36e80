/*
 * probe.h - what only the models can answer, asked and written down.
 *
 *     probe_open()   models, held-out prompts, unit of reward
 *     probe_run()    each probe of the table -> D/probes/NAME.json
 *     probe_close()
 *
 * A diagnosis reads those files and never a model.  Each is one JSON object,
 * the same bytes for any thread count, without times:
 *
 *     {"schema":"plumb.probe/1","plumb_version":...,"probe":"pairs",
 *      "inputs":SHA-256,"samples_sha256":of eval/samples.jsonl,"seed":1,
 *      "policy":"ppo/checkpoints/000060",
 *      "reference":...,"reward_model":... (or "reward_command"),
 *      "score_scale":{"mean","sd"},
 *      members of the probe, "columns":{"prompt_id":[...],"score":[...]}}
 *
 * Bulk data stands in "columns": arrays of one length, an entry a row.  Scores
 * are (raw - mean) / sd in the unit of the evaluation (eval/heldout.h), lengths
 * are response tokens, EOS with them, and what is not a number is null.
 *
 * "inputs" names everything that the file follows from: models by their
 * weights, data, settings.  A probe whose file is there with the same inputs
 * is passed over.  D/probes/summary.json holds, for each probe, "written", or
 * "skipped" or "failed" and why.
 *
 * Of an imported run, whose replies are texts and whose models are elsewhere
 * (eval/texts.h), what a program can answer is asked of it: "edits" and
 * "pairs".  Then there are no "policy" and "reference", lengths are in words
 * ("len_unit" says so), scores are in the unit of the reference's replies, and
 * "agreement" is the correlation of the program's scores of the replies with
 * those that were imported: a program that is the run's reward model has 1.
 *
 * A probe that lacks something of its own (there is no reward run to take
 * rankings from) is skipped, one that fails is told; the others go on.
 */
#ifndef PLUMB_EVAL_PROBE_H
#define PLUMB_EVAL_PROBE_H

#include "base/json.h"
#include "eval/texts.h"
#include "rlhf/ppo.h"
#include "rlhf/reward_model.h"
#include "rlhf/sft.h"

/* A training stage whose data a probe reads again. */
struct probe_stage {
    const char *missing;  // why it cannot be known; NULL: it is known
    const char *hash;     // recorded SHA-256 of its data, NULL: not recorded
    char config_hash[65]; // of its config.yaml
    struct data_config data;
};

/* What the PPO run was told besides its own settings. */
struct probe_run {
    uint64_t seed;
    size_t shards;        // pieces its batches were cut into
    int precision;        // enum model_precision, of what it did not train
    bool is_compute_open; // the numbers of its products are a guess: it
                          // recorded `compute` as auto
    struct data_config data;
};

/* How much is asked. */
struct probe_sizes {
    int64_t prompts; // held-out prompts whose samples are edited and re-read
    int64_t samples; // samples of each model per prompt, the same
    int64_t training_pairs; // prompts of the rankings trained on
    int64_t demos;          // demonstrations, of those trained on and held out
    int64_t push_prompts, push_samples;
    int64_t checkpoints; // of the run, at most
};

struct probe_config {
    struct heldout_config heldout; // as `plumb eval` had it; run and start too
    struct score_scale scale;      // the unit it settled on
    const struct ppo_config *ppo;  // of the run
    struct probe_run ppo_run;
    char config_hash[65];       // of its config.yaml
    const char *policy_command; // recorded: the policy's samples are those of a
                                // program, which is not asked again; or NULL
    struct probe_stage reward_stage, sft_stage;
    const struct reward_config *reward; // unless reward_stage.missing
    const struct sft_config *sft;       // unless sft_stage.missing
    struct probe_sizes sizes;
    const char *only;     // names with commas between; NULL: every probe
    const char *rankings; // of `pairs`, where a program says the scores
    const char *fillers;  // file of filler sentences, one a line; or NULL
    uint64_t seed;
    bool overwrite; // also what is there for the same inputs
};

/* What a probe works with; nothing in it changes while probes run. */
struct probe {
    const struct probe_config *config;
    struct setup setup;
    bool is_of_texts;            // no model is there; then:
    struct texts texts;          // the replies
    char dir[FILE_PATH_MAX];     // D/probes
    char samples[FILE_PATH_MAX]; // D/eval/samples.jsonl
    char samples_hash[65];       // its SHA-256
    char key[65];                // SHA-256 of what all probes depend on
    const struct context *context;
};

/*
 * Open the models, the prompts and the reward model as the evaluation did.
 * `config` must outlive the probe.  ERR_ARG: `only` names no probe; and as
 * setup_open() fails.
 */
enum status probe_open(struct probe *out, const struct probe_config *config,
                       const struct context *context,
                       struct err *err) MUST_CHECK;

/* The same of an imported run: of `config` heldout.project and
 * heldout.reward_command, sizes, only, fillers, rankings, seed and overwrite
 * are read; heldout.n_prompts and scale are set.  Fails as texts_open() too. */
enum status probe_open_texts(struct probe *out, struct probe_config *config,
                             const struct context *context,
                             struct err *err) MUST_CHECK;
void probe_close(struct probe *p);

/* One row of the table. */
struct probe_kind {
    const char *name; // "pairs": of the file, too
    const char *help; // what it asks, for people
    /* What it asks of the policy or of its run, which a program in its place
     * does not tell: the probe is skipped there.  NULL: nothing. */
    const char *needs;
    /* And of a model, which texts do not tell: it is skipped there.  NULL: a
     * program that scores texts is enough. */
    const char *models;
    /* Append what the result depends on besides p->key: lines of text.  May be
     * NULL. */
    enum status (*inputs)(struct buf *out, const struct probe *p,
                          struct err *err);
    /*
     * Ask, and put members and columns into the open object.  ERR_MISSING and
     * ERR_MISMATCH mean that the probe cannot be made here: it is skipped.
     */
    enum status (*run)(struct json_writer *w, const struct probe *p,
                       struct err *err);
};
extern const struct probe_kind probe_table[];
extern const size_t probe_count;

enum probe_state {
    PROBE_UNASKED,
    PROBE_WRITTEN,
    PROBE_KEPT, // its file was there
    PROBE_SKIPPED,
    PROBE_FAILED,
};

struct probe_result {
    enum probe_state state;
    struct err why; // skipped and failed
    double seconds; // by the context's clock
};

/*
 * Run what p->config asks for; result [probe_count].  A skipped or failed
 * probe's file of an earlier time is removed.  Fails with ERR_STOPPED when
 * asked to stop, after the probe that was running, ERR_MEMORY, or what the
 * first failed probe said once all have run.
 */
enum status probe_run(struct probe_result *result, const struct probe *p,
                      struct err *err) MUST_CHECK;

/* Second word of the random streams (RNG_PROBE, stream, ...).  Append. */
enum probe_stream {
    PROBE_STREAM_PUSH,
    PROBE_STREAM_EDITS,
};

#endif

/*
 * ppo_internal.h - the state of a PPO run, shared by ppo.c (the loop),
 * ppo_load.c (what it begins with), ppo_trial.c (iterations without a run),
 * ppo_update.c (the updates) and ppo_report.c (metrics and traces).
 */
#ifndef PLUMB_RLHF_PPO_INTERNAL_H
#define PLUMB_RLHF_PPO_INTERNAL_H

#include "base/json.h"
#include "io/chat.h"
#include "io/tokenizer.h"
#include "rlhf/corpus.h"
#include "rlhf/optimizer.h"
#include "rlhf/ppo.h"
#include "rlhf/rollout.h"
#include "stat/ratio.h"

struct ppo {
    const struct ppo_config *config;
    const struct stage *stage;
    const struct ppo_annotator *annotator; // or NULL
    struct context *context;
    struct run run;
    struct tokenizer *tokenizer;
    struct dataset prompts;
    struct corpus corpus;
    char template_hash[17];
    /* The reference is read from its own file into its own memory and never
     * written, or with an adapter lends its parameters to the policy;
     * `previous` is the policy one iteration ago. */
    struct model policy, reference, previous, value;
    struct ensemble reward; // the first is the one that evaluations score with
    char base[FILE_PATH_MAX]; // where the policy was read from
    struct optimizer policy_optimizer, value_optimizer;
    struct gradient_pool *gradients; // of both, or NULL
    struct workspace workspace;
    struct rollout rollout;
    struct score_scale scale;     // of the score_raw of reference samples
    double reference_tokens;      // their mean length
    struct score_moments moments; // of every score so far
    double normaliser;            // what the last scores were divided by
    double saturated; // share of them that a shape has nearly flattened
    double beta;
    double last_kl;    // exact, nats per sequence, of the last iteration
    bool has_no_score; // every score is 0, only the penalty is left (and there
                       // is no comparison with the previous policy)
    int64_t step;      // iterations done
    bool is_over_budget; // the last of them met the KL budget: no more
    double started;
};

/* Models, prompts and reward model as p->config names them. */
enum status ppo_load(struct ppo *p, struct err *err) MUST_CHECK;

/* Optimisers, scratch and room for a rollout, for what was loaded. */
enum status ppo_prepare(struct ppo *p, struct err *err) MUST_CHECK;

/* Give all of it back, whatever there is; p->run.lock is negative where no run
 * was opened. */
void ppo_close(struct ppo *p);

/* Iteration p->step up to its updates: prompts -> rollout -> score -> KL ->
 * advantage. */
enum status ppo_collect(struct ppo *p, struct err *err) MUST_CHECK;

/* What the updates of one iteration did. */
struct ppo_update_report {
    struct ppo_stats stats; // over all epochs and minibatches
    double cells;           // minibatches done
    double policy_loss, value_loss, entropy_loss, kl_loss; // means over them
    double ratio_mean, ratio_var;   // of minibatch mean ratios
    double first_ratio_error;       // first minibatch: max |ratio - 1|
    double policy_norm, value_norm; // mean gradient norms
    double lr;
};

/* The run stops beyond them: ppo.ratio_gate, twice, or at 0 what the numbers of
 * its products explain. */
struct ratio_bounds ppo_ratio_gates(const struct ppo *p);

/* How many tokens responses may have in iteration `step`, from 0. */
size_t ppo_max_new(const struct ppo_config *c, int64_t step);

/* Mean and deviation of the reward model on samples of the reference: the
 * unit in which beta is stated. */
enum status ppo_score_calibrate(struct ppo *p, struct err *err) MUST_CHECK;

/* The scales as a checkpoint and a result have them: "score_mean" and
 * "score_sd" of the first reward model, with which evaluations score, and of
 * several models what belongs to all.  Read back by ppo_score_restore(). */
void ppo_score_put(struct json_writer *w, const struct ppo *p);
enum status ppo_score_restore(struct ppo *p, const struct json *json,
                              const char *path, struct err *err) MUST_CHECK;

/* Score p->rollout. */
enum status ppo_score_rollout(struct ppo *p, struct err *err) MUST_CHECK;

/* All epochs and minibatches on p->rollout. */
enum status ppo_update_run(struct ppo_update_report *report, struct ppo *p,
                           struct err *err) MUST_CHECK;

/* Write the iteration's trace file and metrics row. */
enum status ppo_report_trace(struct ppo *p, double *gold,
                             struct err *err) MUST_CHECK;
enum status ppo_report_metrics(struct ppo *p, const struct ppo_update_report *u,
                               double gold, struct err *err) MUST_CHECK;

/* Mean over responses of the sum over tokens: nats per sequence. */
double ppo_sequence_mean(const struct rollout *r, const float *per_token);

#endif

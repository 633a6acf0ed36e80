/*
 * ppo.h - proximal policy optimisation against a reward model, with a KL
 * penalty to a frozen reference.
 *
 * One iteration: prompts -> rollout -> score -> KL -> advantage -> updates ->
 * trace.  The formulas are in rlhf/kl.h, rlhf/advantage.h and rlhf/ppo_loss.h;
 * docs/metrics.md says what is logged.
 */
#ifndef PLUMB_RLHF_PPO_H
#define PLUMB_RLHF_PPO_H

#include <stdbool.h>

#include "base/buf.h"
#include "io/dataset.h"
#include "rlhf/advantage.h"
#include "rlhf/ensemble.h"
#include "rlhf/kl.h"
#include "rlhf/ppo_loss.h"
#include "rlhf/shaping.h"
#include "rlhf/stage.h"

struct ppo_config {
    const char *model;        // policy to start from; also the reference
    const char *reference;    // another reference, or NULL: `model`
    const char *reward_model; // folder or run, any tokenizer; NULL: the next
    struct outside_config reward_command; // a program in place of the model
    const char *more_reward_models[ENSEMBLE_MAX - 1]; // NULL: none
    int ensemble; // enum ensemble_rule of all of them
    double ensemble_lambda;
    const char *prompts; // JSON Lines
    int64_t iterations;
    int64_t batch;   // prompts per iteration
    int64_t samples; // responses per prompt
    int64_t max_new;
    int64_t max_new_start;  // the cap of the first iteration, from which it
                            // rises linearly to max_new; 0: always max_new
    bool file_order;        // prompts as the file has them, not shuffled
    double temperature;     // of sampling
    double log_temperature; // of every log-probability; 0: the same
    bool mask_logits; // tokens that are never sampled are outside the softmax
    int64_t epochs, minibatches;
    struct ppo_loss_config loss;
    struct advantage_config advantage;
    struct kl_config kl;
    double missing_eos; // subtracted from the score of a response without EOS
    double score_clip;  // |score| bound after normalisation, 0: off
    int score_shape;    // enum score_shape
    int64_t shape_samples; // reference samples per prompt behind its centre; 1:
                           // the centre is the mean of the calibration
    double length_penalty; // subtracted from the score per response token
                           // beyond the reference's mean length
    int score_norm;        // enum score_norm
    int64_t norm_prompts;  // reference samples behind it
    bool value_init_reward; // value trunk from the reward model, else policy,
                            // as where a program is in its place
    bool value_trunk; // value head on the policy's own trunk: one pass gives
                      // both, and the value loss moves the policy's trunk too
    bool value_freeze;
    double lr_value;
    struct optimizer_config optimizer; // of both models; lr is the policy's,
                                       // warmup counts iterations
    struct adapter_config adapter;     // of the policy, and of a value model of
        // its own; the reference is then the same
        // parameters with the adapter off
    int64_t save_every, trace_every;
    double ratio_gate; // largest |ratio - 1| between sampler and rollout, and
                       // between rollout and the first minibatch; 0: what the
                       // numbers of products explain (stat/ratio.h)
};

/*
 * Lets the caller add what it knows about a response to its trace row: the
 * support desk's gold judgement, say.  Writes members of a JSON object without
 * braces ("\"gold\":1.5") and may set *gold, whose mean is then logged as
 * world/gold.  Called from workers, several at a time.
 */
struct ppo_annotator {
    enum status (*annotate)(void *ctx, const struct record *prompt,
                            const char *response, bool is_eos,
                            struct buf *extra, double *gold, struct err *err);
    void *ctx;
};

/* What the ranges of single settings cannot say: ERR_ARG naming them. */
enum status ppo_check(const struct ppo_config *c, struct err *err) MUST_CHECK;

/* How the trainer computes log-probabilities: at the temperature it believes
 * in, which the trace names too. */
struct scorer_rule ppo_rule(const struct ppo_config *c);

/* ERR_ARG when max_new leaves no room for a prompt in T_max positions. */
enum status ppo_check_room(const struct ppo_config *c, size_t T_max,
                           struct err *err) MUST_CHECK;

/*
 * Run or go on with all iterations into stage->out; the run's final policy is
 * its last checkpoint.  `annotator` may be NULL.  ERR_STOPPED after a
 * checkpoint when asked to stop: at the end of the iteration, since a rollout
 * is worth nothing half done.  ERR_NUMERIC names iteration, tensor and the last
 * good checkpoint.  A resumed run ends in the same bytes as an uninterrupted
 * one.
 */
enum status ppo_run(const struct ppo_config *c, const struct stage *stage,
                    const struct ppo_annotator *annotator,
                    struct err *err) MUST_CHECK;

#endif

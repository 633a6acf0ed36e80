/*
 * reward_model.h - training a reward model from rankings.
 *
 * All K responses of a prompt, and so all their pairs, are one element of a
 * batch (Ouyang et al. 2022).  The score is read at the last real token (EOS,
 * or the last one of a truncated response) by a head without bias.
 *
 * The loss and the metrics of training are about what that head says.  What is
 * measured on held-out prompts is the score that everybody else will read,
 * what it owes to length included (io/score_length.h):
 *
 *     length_gain      what is given, plants a bias into a finished model
 *     length_residual  -b, from the slope b of the scores over the training
 *                      responses (rlhf/reward_length.h): the model then has
 *                      none left, a planted one included
 *     length_only      a head of zeros and a target: nothing but length counts
 */
#ifndef PLUMB_RLHF_REWARD_MODEL_H
#define PLUMB_RLHF_REWARD_MODEL_H

#include "rlhf/reward_heads.h"
#include "rlhf/reward_loss.h"
#include "rlhf/reward_weights.h"
#include "rlhf/stage.h"

struct reward_config {
    const char *data;    // rankings, JSON Lines
    const char *extra;   // more to train on, none of them held out; or NULL
    const char *heldout; // rankings that are held out; NULL: a share of `data`
    const char *model;   // folder or run whose trunk it starts from
    int64_t epochs;
    int64_t batch;     // prompts per update
    int64_t max_steps; // 0: as many as the epochs give
    double holdout;    // share of prompts kept for held-out accuracy
    int64_t save_every;
    int64_t log_every;
    int64_t max_tokens;
    double length_gain;   // added to the score for every token of a response
    bool length_residual; // the slope by length is taken out at the end
    double length_only;   // a target of length, and nothing is trained; 0: off
    struct reward_loss_config loss;
    struct reward_weights_config weights;
    struct reward_heads_config heads;
    struct optimizer_config optimizer;
    struct adapter_config adapter;
};

/*
 * How many records of the run's data it trains on: the first so many, the
 * others are held out.  Of a share, no prompt is on both sides: one that the
 * border would cut is held out whole, or trained on if all would be held out
 * then.
 */
size_t reward_training_prompts(const struct reward_config *c,
                               const struct corpus *corpus,
                               const struct dataset *data);

/* Train into stage->out, measure the prompts held out and write
 * eval/heldout.json (rlhf/reward_heldout.h) and result.json; ERR_STOPPED and
 * ERR_NUMERIC as in trainer_loop(). */
enum status reward_model_run(const struct reward_config *c,
                             const struct stage *stage,
                             struct err *err) MUST_CHECK;

#endif

/*
 * setup.h - what a held-out evaluation works on: the models, the prompts as
 * text, tokens and tickets, and the unit of reward.
 */
#ifndef PLUMB_EVAL_SETUP_H
#define PLUMB_EVAL_SETUP_H

#include "base/file.h"
#include "eval/heldout.h"
#include "io/chat.h"
#include "model/transformer.h"
#include "rlhf/corpus.h"
#include "rlhf/reward_reader.h"
#include "world/tickets.h"

struct setup {
    const struct heldout_config *config;
    char policy_path[FILE_PATH_MAX];
    char reference_path[FILE_PATH_MAX];
    struct model policy, reference;
    struct reward_reader reward;
    struct reward_reader gold; // the weak gold, if has_gold
    struct reward_reader base; // another run's reward model, if has_base
    struct outside *program;   // that stands for the policy, or NULL; `policy`
                               // is then the reference
    bool has_gold, has_base;
    struct tokenizer *tokenizer;
    struct chat chat;        // how policy and reference are asked
    struct dataset prompts;  // the first n_prompts of the file
    struct corpus corpus;    // their tokens
    struct sequence *prompt; // [n] views of them, one a prompt
    struct ticket *ticket;   // [n]
    bool *has_ticket;        // [n] the record has a ticket to judge by
    struct score_scale scale;
    bool is_run_scale; // the scale PPO recorded, else it is still to be made
    struct score_scale gold_scale; // of the weak gold
};

/*
 * Load everything, and if it `says` so tell the context what of the prompts'
 * file was skipped or cut.  The context may be NULL, and outlives the setup
 * where a program is asked.
 * ERR_MISMATCH when policy and reference do not share a
 * vocabulary, the same tokens they may emit, and the tokenizer; ERR_FORMAT
 * when there are fewer prompts than asked for.
 */
enum status setup_open(struct setup *out, const struct heldout_config *config,
                       const struct context *context, bool says,
                       struct err *err) MUST_CHECK;
void setup_close(struct setup *s);

/* What the template ends a turn with ends this model's responses. */
void setup_end_turns(const struct setup *s, struct model *m);

/* ERR_MISMATCH unless `m` has the reference's vocabulary, EOS and banned
 * tokens; `path` names it. */
enum status setup_check_model(const struct setup *s, const struct model *m,
                              const char *path, struct err *err) MUST_CHECK;

#endif

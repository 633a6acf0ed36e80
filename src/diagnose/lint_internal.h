/*
 * lint_internal.h - what the rules look at, and how they say what they found.
 *
 * Settings of different trainers that mean the same have one name here
 * (enum lint_setting); lint_settings.c has the table of keys and defaults.
 */
#ifndef PLUMB_DIAGNOSE_LINT_INTERNAL_H
#define PLUMB_DIAGNOSE_LINT_INTERNAL_H

#include <stdint.h>

#include "diagnose/lint.h"

enum lint_setting {
    LINT_REWARD_COEF,      // the price of KL in the reward
    LINT_LOSS_COEF,        // and in the loss
    LINT_USE_REWARD,       // is it in the reward?
    LINT_USE_LOSS,         // is it in the loss?
    LINT_REWARD_ESTIMATOR, // what is charged per token
    LINT_LOSS_ESTIMATOR,
    LINT_OLD_K3,  // OpenRLHF up to 0.6: k3 as a switch
    LINT_CONTROL, // is the coefficient adaptive?
    LINT_TARGET,
    LINT_HORIZON,
    LINT_EARLY_STOP, // classic TRL: end the epochs at a KL to the old policy
    LINT_EARLY_TARGET,
    LINT_BATCH,   // prompts, or episodes, in a batch of rollouts
    LINT_SAMPLES, // responses to each
    LINT_STEPS,   // batches of rollouts, or what gives them
    LINT_EPISODES,
    LINT_EPOCHS,    // passes over a batch of rollouts
    LINT_MINIBATCH, // size of one optimiser step, or how many of them
    LINT_ACCUMULATION,
    LINT_DEVICE_BATCH,
    LINT_CLIP,
    LINT_CLIP_HIGH,
    LINT_GAMMA,
    LINT_LAMBDA,
    LINT_TEMPERATURE,
    LINT_TOP_P,
    LINT_TOP_K,
    LINT_MIN_P,
    LINT_REPETITION,
    LINT_LENGTH, // tokens of a response, at most
    LINT_LR,
    LINT_AGGREGATION,
    LINT_ADVANTAGE,  // how advantages are made
    LINT_STD_NORM,   // are they divided by a standard deviation?
    LINT_CORRECTION, // GRPO: importance weight of the KL term
    LINT_STOP_TOKEN,
    LINT_STOP_TOKEN_ID,
    LINT_EOS_PENALTY,
    LINT_OVERLONG,
    LINT_MASK_TRUNCATED,
    LINT_IGNORE_EOS,
    LINT_WHITEN,
    LINT_SCORE_CLIP,
    LINT_SCORE_NORM,
    LINT_SYNC_REFERENCE,
    LINT_SYNC_MIXUP,
    LINT_SYNC_STEPS,
    LINT_LORA,
    LINT_PROCESSES,
    LINT_SETTINGS
};

enum lint_state {
    LINT_NONE,      // the trainer has no such setting
    LINT_GIVEN,     // it stands in the file
    LINT_DEFAULTED, // it does not, and the default is known
    LINT_UNKNOWN,   // it does, with a value that the file does not say
};

struct lint_value {
    enum lint_state state;
    const char *key;
    const char *text; // NULL: null
    double number;    // NaN where it is none
    size_t line;
};

/* The penalty as the trainer's code reads the settings. */
enum lint_where {
    LINT_NO,
    LINT_YES,
    LINT_MAYBE, // cannot be decided
};

enum lint_estimator {
    LINT_K1,
    LINT_K2,
    LINT_K3,
    LINT_ABS,
    LINT_FULL,     // the sum over the vocabulary
    LINT_STRAIGHT, // verl's "k3+" in the loss: any value, k2's gradient
    LINT_REFUSED,  // a name that the trainer does not take
    LINT_UNDECIDED,
};

struct lint_penalty {
    enum lint_where is_on;
    struct lint_value use, coef, estimator; // `use` may be NONE
    enum lint_estimator kind;
};

/* A flat entry as rules see it. */
struct lint_entry {
    const char *key, *text;
    bool is_unknown;
    size_t line;
};

struct lint_case {
    struct lint *out;
    struct lint_entry *entry; // of the command that is looked at
    size_t n;
    const char *prefix; // in front of all keys, with its dot, or ""
    const char *words;
    const char *other; // another trainer that fits as well, or NULL
    struct lint_penalty reward, loss;
    size_t rule; // the row that is being applied
    struct arena scratch;
    enum status status; // the first failure
    struct err *err;
};

/* ---- lint_settings.c ---------------------------------------------------- */

struct lint_key {
    const char *key;      // NULL: the trainer has none
    const char *fallback; // NULL: null
};

const struct lint_key *lint_key_of(enum lint_trainer t, enum lint_setting s);

/* ---- lint_trainer.c ----------------------------------------------------- */

/* Fill in entry, prefix, words, other and out->trainer. */
enum status lint_choose(struct lint_case *c, const struct flat *f,
                        enum lint_trainer trainer, const char *name,
                        struct err *err) MUST_CHECK;

/* ---- lint_value.c ------------------------------------------------------- */

struct lint_value lint_get(const struct lint_case *c, enum lint_setting s);

/* Whatever ends in this word, under any section; NONE when nothing does. */
struct lint_value lint_find(const struct lint_case *c, const char *word);

bool lint_is_known(const struct lint_value *v); // GIVEN or DEFAULTED
bool lint_is_given(const struct lint_value *v);
bool lint_is_number(const struct lint_value *v); // known, and a number
bool lint_is_true(const struct lint_value *v);   // known, and true
bool lint_is_false(const struct lint_value *v);  // known, and false or null
bool lint_is_text(const struct lint_value *v, const char *text); // known

/* "--kl_coef 0.05" or "algorithm.kl_ctrl.kl_coef=0.05": a setting as it is
 * given to the trainer.  Of the arena. */
const char *lint_flag(struct lint_case *c, enum lint_setting s,
                      const char *value);

/* Text of the arena, "" on failure (which sticks in c->status). */
const char *lint_print(struct lint_case *c, const char *fmt, ...)
    ERR_PRINTF(2, 3);

/* A finding of the rule being applied. */
void lint_add(struct lint_case *c, enum lint_severity severity,
              const struct lint_value *at, const char *fix, const char *fmt,
              ...) ERR_PRINTF(5, 6);

/* ---- lint_facts.c ------------------------------------------------------- */

/* In either of its spellings. */
bool lint_is_openrlhf(const struct lint_case *c);

/* Fill in c->reward and c->loss. */
void lint_find_penalty(struct lint_case *c);

/* Is a penalty on, or perhaps? */
bool lint_is_on(const struct lint_penalty *p);

/* What a batch of rollouts is; NaN where it is not known. */
struct lint_plan {
    double episodes;   // responses in it, what a controller counts
    double updates;    // batches of the whole run, at most
    double steps;      // optimiser steps on one
    bool is_stated;    // `updates` follows from what stands in the file alone
    bool is_processes; // the number of processes is known, or does not matter
};
struct lint_plan lint_find_plan(const struct lint_case *c);

/* How advantages are scaled before they meet a KL term in the loss: NULL when
 * not by a standard deviation, or unknown; else in words. */
const char *lint_std_norm(const struct lint_case *c, struct lint_value *at);

/* ---- the rules ---------------------------------------------------------- */

typedef void (*lint_rule_fn)(struct lint_case *c);

/* lint_kl.c */
void lint_kl_in_loss(struct lint_case *c);
void lint_kl_in_reward_k3(struct lint_case *c);
void lint_kl_in_reward_k2(struct lint_case *c);
void lint_kl_in_reward_abs(struct lint_case *c);
void lint_kl_in_reward_full(struct lint_case *c);
void lint_kl_in_loss_abs(struct lint_case *c);
void lint_kl_in_loss_k3(struct lint_case *c);
void lint_kl_clamped_reward(struct lint_case *c);
void lint_kl_clamped_loss(struct lint_case *c);
void lint_kl_refused(struct lint_case *c);
void lint_kl_off_policy(struct lint_case *c);

/* lint_price.c */
void lint_price_none(struct lint_case *c);
void lint_price_unread(struct lint_case *c);
void lint_price_negative(struct lint_case *c);
void lint_price_twice(struct lint_case *c);
void lint_price_low(struct lint_case *c);
void lint_price_reference_moves(struct lint_case *c);

/* lint_control.c */
void lint_control_from_zero(struct lint_case *c);
void lint_control_slow(struct lint_case *c);
void lint_control_unreachable(struct lint_case *c);
void lint_control_unstable(struct lint_case *c);
void lint_control_unread(struct lint_case *c);
void lint_control_unsupported(struct lint_case *c);

/* lint_scale.c */
void lint_scale_std_kl(struct lint_case *c);
void lint_scale_std_group(struct lint_case *c);
void lint_scale_score(struct lint_case *c);
void lint_scale_length(struct lint_case *c);
void lint_scale_clip(struct lint_case *c);
void lint_scale_whiten(struct lint_case *c);

/* lint_end.c */
void lint_end_stop_token(struct lint_case *c);
void lint_end_pad(struct lint_case *c);
void lint_end_pad_unseen(struct lint_case *c);
void lint_end_penalty(struct lint_case *c);
void lint_end_penalty_sign(struct lint_case *c);
void lint_end_truncated(struct lint_case *c);
void lint_end_suppressed(struct lint_case *c);

/* lint_steps.c */
void lint_steps_sampling(struct lint_case *c);
void lint_steps_temperature(struct lint_case *c);
void lint_steps_tempered(struct lint_case *c);
void lint_steps_many(struct lint_case *c);
void lint_steps_clip(struct lint_case *c);
void lint_steps_rate(struct lint_case *c);
void lint_steps_discount(struct lint_case *c);
void lint_steps_lambda(struct lint_case *c);

/* lint.c */
void lint_offline(struct lint_case *c);
void lint_guessed(struct lint_case *c);
void lint_other_file(struct lint_case *c);
void lint_undecided(struct lint_case *c);

#endif

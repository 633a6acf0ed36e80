/*
 * preset.h - the conventions of other trainers, as settings of ours.
 *
 * Published PPO trainers that share a paper differ in where the score is paid,
 * what is whitened, which tokens a mean runs over and how the KL coefficient
 * moves.  A preset is a list of option keys and value texts as they would
 * stand in a configuration file; the option table applies it like any other
 * settings, below what the user says.
 *
 *     size_t n;
 *     const struct preset_row *row = preset_rows(PRESET_VERL, &n);
 *
 * A preset holds conventions only: what belongs to a model or a data set
 * (learning rate, batch, response length) stays as the user has it.  Values
 * are the defaults of the versions named in preset.c.
 */
#ifndef PLUMB_RLHF_PRESET_H
#define PLUMB_RLHF_PRESET_H

#include <stddef.h>

enum preset {
    PRESET_NONE,     // "none": no rows
    PRESET_TRL_0_11, // "trl-0.11"
    PRESET_TRL_EXP,  // "trl-exp"
    PRESET_OPENRLHF, // "openrlhf"
    PRESET_VERL,     // "verl"
    PRESET_LHP,      // "lhp": lm-human-preference-details
};
#define PRESET_COUNT 6

struct preset_row {
    const char *key;   // "ppo.kl_mode"
    const char *value; // "k1_reward"
};

/* As it is written in a configuration file; constant text. */
const char *preset_name(enum preset preset);

/* Its rows, static; *n of them, no key twice. */
const struct preset_row *preset_rows(enum preset preset, size_t *n);

#endif

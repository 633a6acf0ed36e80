#include "rlhf/preset.h"

#include <assert.h>

/* TRL 0.11.4, trl/trainer/ppo_trainer.py. */
static const struct preset_row trl_0_11[] = {
    {"ppo.objective", "clip"},
    {"ppo.clip_low", "0.2"},
    {"ppo.clip_high", "0.2"},
    {"ppo.dual_clip", "0"},
    {"ppo.value_clip", "0.2"},
    {"ppo.value_coef", "0.1"},
    {"ppo.entropy_coef", "0"},
    {"ppo.loss_aggregation", "token-mean"},
    {"ppo.gamma", "1"},
    {"ppo.lambda", "0.95"},
    {"ppo.score_position", "eos"},
    {"ppo.whiten", "unbiased"},
    {"ppo.whiten_reward", "off"},
    {"ppo.beta", "0.2"},
    {"ppo.kl_mode", "k1_reward"},
    {"ppo.kl_control", "adaptive"},
    {"ppo.kl_target", "6"},
    {"ppo.kl_horizon", "10000"},
    {"ppo.kl_max_error", "0.2"},
    {"ppo.kl_budget", "0"},
    {"ppo.kl_clamp", "0"},
    {"ppo.missing_eos", "0"},
    {"ppo.score_norm", "none"},
    {"ppo.score_clip", "0"},
    {"ppo.epochs", "4"},
    {"ppo.minibatches", "1"},
    {"ppo.temperature", "1"},
    {"ppo.grad_clip", "0"},
};

/* TRL 1.9, trl/experimental/ppo. */
static const struct preset_row trl_exp[] = {
    {"ppo.objective", "clip"},
    {"ppo.clip_low", "0.2"},
    {"ppo.clip_high", "0.2"},
    {"ppo.dual_clip", "0"},
    {"ppo.value_clip", "0.2"},
    {"ppo.value_coef", "0.1"},
    {"ppo.entropy_coef", "0"},
    {"ppo.loss_aggregation", "token-mean"},
    {"ppo.gamma", "1"},
    {"ppo.lambda", "0.95"},
    {"ppo.score_position", "after_eos"},
    {"ppo.whiten", "unbiased"},
    {"ppo.whiten_reward", "off"},
    {"ppo.beta", "0.05"},
    {"ppo.kl_mode", "k1_reward"},
    {"ppo.kl_control", "fixed"},
    {"ppo.kl_budget", "0"},
    {"ppo.kl_clamp", "0"},
    {"ppo.missing_eos", "0"},
    {"ppo.score_norm", "none"},
    {"ppo.score_clip", "0"},
    {"ppo.epochs", "4"},
    {"ppo.minibatches", "1"},
    {"ppo.temperature", "0.7"},
    {"ppo.grad_clip", "0"},
};

/* OpenRLHF.  The value model has an optimizer of its own, so its loss has no
 * coefficient: 1.  Estimates and scores are bounded by 10. */
static const struct preset_row openrlhf[] = {
    {"ppo.objective", "clip"},
    {"ppo.clip_low", "0.2"},
    {"ppo.clip_high", "0.2"},
    {"ppo.dual_clip", "0"},
    {"ppo.value_clip", "0.5"},
    {"ppo.value_coef", "1"},
    {"ppo.entropy_coef", "0"},
    {"ppo.loss_aggregation", "token-mean"},
    {"ppo.gamma", "1"},
    {"ppo.lambda", "1"},
    {"ppo.score_position", "eos"},
    {"ppo.whiten", "biased"},
    {"ppo.whiten_reward", "off"},
    {"ppo.beta", "0.01"},
    {"ppo.kl_mode", "k1_reward"},
    {"ppo.kl_control", "fixed"},
    {"ppo.kl_budget", "0"},
    {"ppo.kl_clamp", "10"},
    {"ppo.missing_eos", "0"},
    {"ppo.score_norm", "none"},
    {"ppo.score_clip", "10"},
    {"ppo.epochs", "1"},
    {"ppo.minibatches", "8"},
    {"ppo.temperature", "1"},
    {"ppo.grad_clip", "1"},
};

/* verl, trainer/ppo/core_algos.py.  The value model as in OpenRLHF.  A penalty
 * in the reward exists (coefficient 0.001) but is off as shipped: beta 0. */
static const struct preset_row verl[] = {
    {"ppo.objective", "clip"},
    {"ppo.clip_low", "0.2"},
    {"ppo.clip_high", "0.2"},
    {"ppo.dual_clip", "3"},
    {"ppo.value_clip", "0.5"},
    {"ppo.value_coef", "1"},
    {"ppo.entropy_coef", "0"},
    {"ppo.loss_aggregation", "token-mean"},
    {"ppo.gamma", "1"},
    {"ppo.lambda", "1"},
    {"ppo.score_position", "eos"},
    {"ppo.whiten", "unbiased"},
    {"ppo.whiten_reward", "off"},
    {"ppo.beta", "0"},
    {"ppo.kl_mode", "k1_reward"},
    {"ppo.kl_control", "fixed"},
    {"ppo.kl_budget", "0"},
    {"ppo.kl_clamp", "0"},
    {"ppo.missing_eos", "0"},
    {"ppo.score_norm", "none"},
    {"ppo.score_clip", "0"},
    {"ppo.epochs", "1"},
    {"ppo.minibatches", "4"},
    {"ppo.temperature", "1"},
    {"ppo.grad_clip", "1"},
};

/* lm-human-preference-details.  Its reward model is scaled to mean 0, deviation
 * 1 on policy samples before PPO.  It averages over a fixed number of slots
 * without a mask; the sum over real tokens divided by that number is the
 * nearest thing without padding.  It replaces the score of a response without
 * its end by -1, which a subtraction cannot express: missing_eos is left
 * alone. */
static const struct preset_row lhp[] = {
    {"ppo.objective", "clip"},
    {"ppo.clip_low", "0.2"},
    {"ppo.clip_high", "0.2"},
    {"ppo.dual_clip", "0"},
    {"ppo.value_clip", "0.2"},
    {"ppo.value_coef", "0.1"},
    {"ppo.entropy_coef", "0"},
    {"ppo.loss_aggregation", "seq-mean-token-sum-norm"},
    {"ppo.gamma", "1"},
    {"ppo.lambda", "0.95"},
    {"ppo.score_position", "last_slot"},
    {"ppo.whiten", "biased"},
    {"ppo.whiten_reward", "biased"},
    {"ppo.beta", "0.15"},
    {"ppo.kl_mode", "k1_reward"},
    {"ppo.kl_control", "adaptive"},
    {"ppo.kl_target", "6"},
    {"ppo.kl_horizon", "10000"},
    {"ppo.kl_max_error", "0.2"},
    {"ppo.kl_budget", "0"},
    {"ppo.kl_clamp", "0"},
    {"ppo.score_norm", "reference"},
    {"ppo.score_clip", "0"},
    {"ppo.epochs", "4"},
    {"ppo.minibatches", "1"},
    {"ppo.temperature", "0.7"},
    {"ppo.schedule", "linear"},
    {"ppo.eps", "1e-5"},
    {"ppo.grad_clip", "0"},
};

#define ROWS(array) array, sizeof(array) / sizeof((array)[0])

static const struct {
    const char *name;
    const struct preset_row *row;
    size_t n;
} presets[PRESET_COUNT] = {
    [PRESET_NONE] = {"none", NULL, 0},
    [PRESET_TRL_0_11] = {"trl-0.11", ROWS(trl_0_11)},
    [PRESET_TRL_EXP] = {"trl-exp", ROWS(trl_exp)},
    [PRESET_OPENRLHF] = {"openrlhf", ROWS(openrlhf)},
    [PRESET_VERL] = {"verl", ROWS(verl)},
    [PRESET_LHP] = {"lhp", ROWS(lhp)},
};

const char *preset_name(enum preset preset)
{
    assert((int)preset >= 0 && (int)preset < PRESET_COUNT);
    return presets[preset].name;
}

const struct preset_row *preset_rows(enum preset preset, size_t *n)
{
    assert((int)preset >= 0 && (int)preset < PRESET_COUNT);
    *n = presets[preset].n;
    return presets[preset].row;
}

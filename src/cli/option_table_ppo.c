#include "cli/option_rows.h"

/* A further reward model. */
#define MEMBER(k)                                                              \
    PATH("ppo.reward_model_" #k, 0, ppo.more_reward_models[(k)-2],             \
         "a further reward model, whose score is combined with the first's "   \
         "(ppo.ensemble); evaluations score with the first",                   \
         FOR_PPO, RECORDED, PARENT_REWARD)

static const struct option rows[] = {
    CHOICE("ppo.preset", ppo_preset, "none",
           "none|trl-0.11|trl-exp|openrlhf|verl|lhp",
           "another trainer's conventions, where not set otherwise", FOR_PPO,
           RECORDED),
    PATH("ppo.model", 'm', ppo.model,
         "policy to start from; also the frozen reference", FOR_PPO, NEEDED,
         PARENT_SFT),
    PATH("ppo.reference", 0, ppo.reference, "another reference", FOR_PPO,
         RECORDED, PARENT_SFT),
    PATH("ppo.reward_model", 0, ppo.reward_model,
         "reward model or its run; it may have another tokenizer than the "
         "policy",
         FOR_PPO, RECORDED, PARENT_REWARD),
    MEMBER(2),
    MEMBER(3),
    MEMBER(4),
    MEMBER(5),
    CHOICE("ppo.ensemble", ppo.ensemble, "mean", "mean|min|mean_minus_sd",
           "several reward models: how their scores, each with mean 0 and "
           "deviation 1 on reference samples, become one",
           FOR_PPO, RECORDED),
    REAL("ppo.ensemble_lambda", ppo.ensemble_lambda, "1", 0, 100,
         "mean_minus_sd: how much a deviation between them costs", FOR_PPO,
         RECORDED),
    PATH("ppo.prompts", 0, ppo.prompts, "prompts, JSON Lines", FOR_PPO, NEEDED,
         PARENT_FILE),
    INT("ppo.iterations", ppo.iterations, "60", 1, 1000000,
        "rollouts, each followed by its updates", FOR_PPO, RECORDED),
    INT("ppo.batch", ppo.batch, "64", 1, 65536, "prompts per iteration",
        FOR_PPO, RECORDED),
    INT("ppo.samples", ppo.samples, "1", 1, 1024, "responses per prompt",
        FOR_PPO, RECORDED),
    INT("ppo.max_new", ppo.max_new, "96", 1, 65536,
        "tokens of a response at most, EOS included", FOR_PPO, RECORDED),
    INT("ppo.max_new_start", ppo.max_new_start, "0", 0, 65536,
        "the first iteration's max_new, from which it rises evenly; 0: the "
        "same all along" FAULT,
        FOR_PPO, RECORDED),
    BOOL("ppo.file_order", ppo.file_order, "false",
         "prompts in the order of their file, not shuffled", FOR_PPO, RECORDED),
    REAL("ppo.temperature", ppo.temperature, "1", 0.01, 100,
         "of sampling and, with log_temperature at 0, of every log-probability",
         FOR_PPO, RECORDED),
    REAL("ppo.log_temperature", ppo.log_temperature, "0", 0, 100,
         "of log-probabilities where it is not that of sampling, with "
         "ratio_gate=inf, which else stops the run; 0: the same" FAULT,
         FOR_PPO, RECORDED),
    BOOL("ppo.mask_logits", ppo.mask_logits, "true",
         "tokens that are never sampled are outside the softmax of "
         "log-probabilities and KL too; false, with ratio_gate=inf, is a "
         "fault, for checking a diagnosis against it",
         FOR_PPO, RECORDED),
    BOOL("ppo.mask_eos", ppo.advantage.mask_eos, "false",
         "leave EOS out of all losses, as trainers do that take it for "
         "padding" FAULT,
         FOR_PPO, RECORDED),
    INT("ppo.epochs", ppo.epochs, "2", 1, 1000, "passes over a rollout",
        FOR_PPO, RECORDED),
    INT("ppo.minibatches", ppo.minibatches, "2", 1, 65536, "updates per pass",
        FOR_PPO, RECORDED),
    CHOICE("ppo.objective", ppo.loss.objective, "clip", "clip|pg",
           "clipped surrogate, or plain policy gradient", FOR_PPO, RECORDED),
    REAL("ppo.clip_low", ppo.loss.clip_low, "0.2", 0, DBL_MAX,
         "the ratio may fall to 1 - this; inf is off", FOR_PPO,
         RECORDED | OPTION_INFINITE),
    REAL("ppo.clip_high", ppo.loss.clip_high, "0.2", 0, DBL_MAX,
         "the ratio may rise to 1 + this; inf is off", FOR_PPO,
         RECORDED | OPTION_INFINITE),
    REAL("ppo.dual_clip", ppo.loss.dual_clip, "0", 0, 1000,
         "bound on the loss where the advantage is negative; 0 is off", FOR_PPO,
         RECORDED),
    REAL("ppo.value_clip", ppo.loss.value_clip, "0.2", 0, 1e6,
         "a value moves at most this from its old one; 0 is off", FOR_PPO,
         RECORDED),
    REAL("ppo.value_coef", ppo.loss.value_coef, "1", 0, 1000,
         "weight of the value loss", FOR_PPO, RECORDED),
    REAL("ppo.entropy_coef", ppo.loss.entropy_coef, "0", 0, 10,
         "weight of the entropy bonus", FOR_PPO, RECORDED),
    CHOICE("ppo.loss_aggregation", ppo.loss.aggregation, "token-mean",
           "token-mean|token-sum|seq-mean-token-sum|seq-mean-token-sum-norm|"
           "seq-mean-token-mean",
           "how per-token losses become one number", FOR_PPO, RECORDED),
    REAL("ppo.gamma", ppo.advantage.gamma, "1", 0, 1, "discount factor",
         FOR_PPO, RECORDED),
    REAL("ppo.lambda", ppo.advantage.lambda, "0.95", 0, 1,
         "GAE: 0 trusts the value model, 1 the return", FOR_PPO, RECORDED),
    CHOICE("ppo.score_position", ppo.advantage.score_position, "eos",
           "eos|after_eos|last_slot", "the token that is paid the score",
           FOR_PPO, RECORDED),
    CHOICE(
        "ppo.whiten", ppo.advantage.whiten, "unbiased", "off|unbiased|biased",
        "advantages to mean 0, variance 1; which variance", FOR_PPO, RECORDED),
    CHOICE("ppo.whiten_reward", ppo.advantage.whiten_reward, "off",
           "off|unbiased|biased", "rewards to variance 1 before GAE", FOR_PPO,
           RECORDED),
    REAL("ppo.whiten_eps", ppo.advantage.whiten_eps, "1e-8", 0, 1,
         "added to the variance when whitening", FOR_PPO, RECORDED),
    REAL("ppo.beta", ppo.kl.beta, "0.05", 0, 10,
         "KL penalty per nat, in units of the normalised score", FOR_PPO,
         RECORDED),
    REAL("ppo.beta_end", ppo.kl.beta_end, "-1", -1, 10,
         "beta of the last iteration, to which it moves evenly; -1: it "
         "stays" FAULT,
         FOR_PPO, RECORDED),
    CHOICE("ppo.kl_mode", ppo.kl.mode, "k1_reward",
           "k1_reward|k2_loss|k3_loss|k1_loss|k3_reward|k1_clamp",
           "estimator of the KL penalty, and where it acts", FOR_PPO, RECORDED),
    CHOICE(
        "ppo.kl_control", ppo.kl.control, "fixed", "fixed|adaptive|budget",
        "beta stays; follows a target slowly (Ziegler et al. 2019); rises as "
        "far as it must to hold the KL at the target",
        FOR_PPO, RECORDED),
    REAL("ppo.kl_target", ppo.kl.target, "6", 0, 1e6,
         "adaptive, budget: wanted KL, nats per sequence", FOR_PPO, RECORDED),
    REAL("ppo.kl_gain", ppo.kl.gain, "0.5", 0, 10,
         "budget: beta is multiplied by exp(gain * (KL / target - 1)) each "
         "iteration",
         FOR_PPO, RECORDED),
    REAL("ppo.kl_horizon", ppo.kl.horizon, "10000", 1, 1e12,
         "adaptive: episodes it takes to react; the gain per iteration is "
         "batch * samples / horizon",
         FOR_PPO, RECORDED),
    REAL("ppo.kl_max_error", ppo.kl.max_error, "0.2", 0, 1e6,
         "adaptive: bound on the relative error", FOR_PPO, RECORDED),
    REAL("ppo.kl_budget", ppo.kl.budget, "0", 0, 1e6,
         "stop when the KL per sequence exceeds this; 0 is off", FOR_PPO,
         RECORDED),
    REAL("ppo.kl_clamp", ppo.kl.clamp, "0", 0, 1e6,
         "bound on a token's KL estimate; 0 is off", FOR_PPO, RECORDED),
    REAL("ppo.missing_eos", ppo.missing_eos, "1", 0, 1e6,
         "subtracted from the score of a response without EOS", FOR_PPO,
         RECORDED),
    REAL("ppo.score_clip", ppo.score_clip, "0", 0, 1e6,
         "bound on the normalised score; 0 is off", FOR_PPO, RECORDED),
    CHOICE("ppo.score_shape", ppo.score_shape, "none",
           "none|sigmoid|logsigmoid",
           "bound the normalised score: its sigmoid or the logarithm of that, "
           "0 where the reference is; beta is then per unit of the result, "
           "whose slope at the reference is 1/4, or 1/2",
           FOR_PPO, RECORDED),
    INT("ppo.shape_samples", ppo.shape_samples, "1", 1, 64,
        "score_shape: reference samples per prompt and iteration, whose mean "
        "score is the prompt's centre; 1: none, the centre is the mean of "
        "norm_prompts",
        FOR_PPO, RECORDED),
    REAL("ppo.length_penalty", ppo.length_penalty, "0", -10, 10,
         "subtracted from the score, after score_shape, per response token "
         "beyond the reference's mean length",
         FOR_PPO, RECORDED),
    CHOICE("ppo.score_norm", ppo.score_norm, "reference",
           "none|reference|running|batch",
           "scores less their mean on reference samples, divided by their "
           "deviation there; faults, since the price of a nat then moves: by "
           "that of all scores so far, of the batch",
           FOR_PPO, RECORDED),
    INT("ppo.norm_prompts", ppo.norm_prompts, "256", 2, 1000000,
        "reference samples that fix the score's scale", FOR_PPO, RECORDED),
    BOOL("ppo.value_init_reward", ppo.value_init_reward, "true",
         "the value model starts from the reward model, not the policy; from "
         "the policy where a program is in its place",
         FOR_PPO, RECORDED),
    BOOL("ppo.value_trunk", ppo.value_trunk, "false",
         "value head on the policy's own trunk: one pass gives both, and the "
         "value loss moves the policy's trunk too",
         FOR_PPO, RECORDED),
    BOOL("ppo.value_freeze", ppo.value_freeze, "false",
         "the value model does not learn", FOR_PPO, RECORDED),
    REAL("ppo.lr_value", ppo.lr_value, "3e-4", 0, 1,
         "learning rate of the value model", FOR_PPO, RECORDED),
    INT("ppo.save_every", ppo.save_every, "10", 0, MANY,
        "iterations between checkpoints; 0: only the last", FOR_PPO, RECORDED),
    INT("ppo.trace_every", ppo.trace_every, "1", 0, MANY,
        "iterations between rollout files; 0: none", FOR_PPO, RECORDED),
    REAL("ppo.ratio_gate", ppo.ratio_gate, "0", 0, DBL_MAX,
         "stop when training and sampling disagree, or the first update and "
         "the rollout: largest |ratio - 1| of a token; 0 is what rounding "
         "explains, 1e-4, with compute in bf16 0.5 and 0.1; inf is off",
         FOR_PPO, RECORDED | OPTION_INFINITE),
    OPTIMIZER("ppo", ppo.optimizer, FOR_PPO, "3e-4", "0", "5", "constant",
              "0.95", "1e-5", "0"),
    ADAPTER("ppo", ppo.adapter, FOR_PPO),
};

struct option_rows option_table_ppo(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}

#include "cli/options.h"

#include <float.h>

/*
 * AT(field, type) is the offset of a member of struct option_values, and does
 * not compile when the member has another type than the row will write.
 */
/* A type and the members of a row cannot stand in parentheses. */
// NOLINTBEGIN(bugprone-macro-parentheses)
#define AT(field, type)                                                        \
    (offsetof(struct option_values, field) +                                   \
     _Generic(((struct option_values *)0)->field, type                         \
              : (size_t)0))

#define BOOL(key, field, fallback, help, commands, marks)                      \
    {                                                                          \
        key, 0, OPTION_BOOL, AT(field, bool), fallback, 0, 0, NULL, help,      \
            commands, marks, PARENT_NONE                                       \
    }
#define INT(key, field, fallback, low, high, help, commands, marks)            \
    {                                                                          \
        key, 0, OPTION_INT, AT(field, int64_t), fallback, low, high, NULL,     \
            help, commands, marks, PARENT_NONE                                 \
    }
#define REAL(key, field, fallback, low, high, help, commands, marks)           \
    {                                                                          \
        key, 0, OPTION_REAL, AT(field, double), fallback, low, high, NULL,     \
            help, commands, marks, PARENT_NONE                                 \
    }
#define CHOICE(key, field, fallback, choices, help, commands, marks)           \
    {                                                                          \
        key, 0, OPTION_CHOICE, AT(field, int), fallback, 0, 0, choices, help,  \
            commands, marks, PARENT_NONE                                       \
    }
#define TEXT(key, field, fallback, help, commands, marks)                      \
    {                                                                          \
        key, 0, OPTION_TEXT, AT(field, const char *), fallback, 0, 0, NULL,    \
            help, commands, marks, PARENT_NONE                                 \
    }
#define PATH(key, letter, field, help, commands, marks, parent)                \
    {                                                                          \
        key, letter, OPTION_PATH, AT(field, const char *), NULL, 0, 0, NULL,   \
            help, commands, marks, parent                                      \
    }

#define MANY 1e12 // more than anybody will ask for, and exact as a double

#define FOR_STAGES (FOR_SFT | FOR_REWARD | FOR_PPO)
#define FOR_WORK (FOR_STAGES | FOR_DEMO | FOR_WORLD | FOR_EVAL | FOR_GENERATE)
#define FOR_TEAM (FOR_WORK | FOR_SCORE | FOR_INSPECT | FOR_PROBE)
#define FOR_ALL (FOR_TEAM | FOR_TOKENIZE | FOR_IMPORT | FOR_EXPORT | FOR_PLAIN)
#define FOR_WRITING (FOR_WORK | FOR_SCORE | FOR_IMPORT | FOR_EXPORT)
#define RECORDED OPTION_RECORDED
#define NEEDED (OPTION_RECORDED | OPTION_NEEDED)

/* AdamW and its schedule: the same rows in every training stage. */
#define OPTIMIZER(name, at, stage, peak, end, rise, curve, second, small, wd)  \
    REAL(name ".lr", at.lr, peak, 0, 1, "learning rate at its peak", stage,    \
         RECORDED),                                                            \
        REAL(name ".lr_min", at.lr_min, end, 0, 1,                             \
             "the schedule ends at this share of the learning rate", stage,    \
             RECORDED),                                                        \
        INT(name ".warmup", at.warmup, rise, 0, MANY,                          \
            "updates of linear warm-up", stage, RECORDED),                     \
        CHOICE(name ".schedule", at.schedule, curve, "constant|linear|cosine", \
               "learning rate after the warm-up", stage, RECORDED),            \
        REAL(name ".beta1", at.beta1, "0.9", 0, 0.999999,                      \
             "AdamW: decay of the first moment", stage, RECORDED),             \
        REAL(name ".beta2", at.beta2, second, 0, 0.999999,                     \
             "AdamW: decay of the second moment", stage, RECORDED),            \
        REAL(name ".eps", at.eps, small, 0, 1,                                 \
             "AdamW: added to the root of the second moment", stage,           \
             RECORDED),                                                        \
        REAL(name ".weight_decay", at.weight_decay, wd, 0, 1,                  \
             "AdamW: decoupled weight decay of the matrices", stage,           \
             RECORDED),                                                        \
        REAL(name ".grad_clip", at.clip, "1", 0, 1e6,                          \
             "bound on the gradient's norm; 0 is off", stage, RECORDED)

/* An adapter in place of the parameters: the same rows in every stage. */
#define ADAPTER(name, at, stage)                                               \
    INT(name ".lora_rank", at.rank, "0", 0, 1024,                              \
        "train a low-rank adapter (LoRA) of this rank; 0: every parameter",    \
        stage, RECORDED),                                                      \
        REAL(name ".lora_alpha", at.alpha, "32", 1e-6, 1e6,                    \
             "LoRA: the adapter is scaled by alpha / rank", stage, RECORDED),  \
        TEXT(name ".lora_targets", at.targets, NULL,                           \
             "LoRA: modules to adapt, by PEFT's names, separated by commas "   \
             "(q_proj,v_proj); without it every linear one",                   \
             stage, RECORDED),                                                 \
        BOOL(name ".lora_rslora", at.rslora, "false",                          \
             "LoRA: scale by alpha / sqrt(rank) instead", stage, RECORDED)

// NOLINTEND(bugprone-macro-parentheses)

const struct option option_table[] = {
    /* settings of all commands */
    INT("seed", common.seed, "1", 0, 9007199254740991.0,
        "random seed; the same seed gives the same bytes", FOR_WORK | FOR_PROBE,
        RECORDED),
    INT("shards", common.shards, "8", 1, 64,
        "pieces a batch is cut into; part of the result, unlike threads",
        FOR_STAGES | FOR_DEMO, RECORDED),
    INT("threads", common.threads, "0", 0, 1024,
        "workers; 0 is one per processor; does not change the result", FOR_TEAM,
        0),
    CHOICE("precision", common.precision, "f32", "f32|bf16",
           "weights that are not trained: as float, or rounded to bfloat16, "
           "which takes half the memory (training then wants lora_rank)",
           FOR_STAGES | FOR_EVAL | FOR_PROBE | FOR_GENERATE | FOR_SCORE |
               FOR_INSPECT,
           RECORDED),
    PATH("out", 'o', common.out, "directory or file to write", FOR_WRITING, 0,
         PARENT_NONE),
    BOOL("resume", common.resume, "false",
         "go on from the last checkpoint, or start when there is none",
         FOR_STAGES | FOR_DEMO, 0),
    BOOL("overwrite", common.overwrite, "false",
         "replace what an earlier run left",
         FOR_STAGES | FOR_DEMO | FOR_EXPORT | FOR_PROBE, 0),
    BOOL("dry_run", common.dry_run, "false",
         "print the settings and a plan with estimates of time and memory, "
         "and stop",
         FOR_STAGES, 0),
    BOOL("json", common.json, "false", "print JSON on standard output", FOR_ALL,
         0),
    BOOL("quiet", common.quiet, "false", "no progress on standard error",
         FOR_ALL, 0),

    /* the demo */
    CHOICE("demo.scenario", demo.scenario, "paradox", "paradox|healthy|weak-rm",
           "who ranks and how long is trained: hurried raters; careful ones; "
           "careful ones and a reward model trained too little",
           FOR_DEMO, RECORDED),
    BOOL("demo.quick", demo.quick, "false",
         "everything smaller: shows the path, not the result", FOR_DEMO,
         RECORDED),

    /* the support desk */
    CHOICE("world.split", world.split, "ppo",
           "sft|ranking|ppo|calibration|heldout",
           "tickets: what they are for; held-out texts are in no other split",
           FOR_WORLD, RECORDED),
    INT("world.tickets", world.tickets, "4096", 1, 10000000,
        "tickets: prompts to write", FOR_WORLD, RECORDED),
    INT("world.demos", world.demos, "12000", 1, 10000000,
        "demos: demonstrations to write", FOR_WORLD | FOR_DEMO, RECORDED),
    INT("world.rank_prompts", world.rank_prompts, "4200", 1, 10000000,
        "prompts whose candidates are ranked; reward.holdout of them are held "
        "out",
        FOR_DEMO, RECORDED),
    INT("world.candidates", world.candidates, "4", 2, 64,
        "candidate replies per ranked prompt", FOR_DEMO, RECORDED),
    PATH("world.data", 'd', world.data,
         "rank: candidate sets; judge: records with replies, or the policy's "
         "samples for --panel careful",
         FOR_WORLD, 0, PARENT_FILE),
    PATH("world.reference", 0, world.reference,
         "judge --panel careful: the reference's samples of the same prompts",
         FOR_WORLD, 0, PARENT_FILE),
    CHOICE("world.panel", world.panel, "gold", "gold|careful",
           "judge: the gold rubric, or simulated spot-checkers who see blind "
           "pairs",
           FOR_WORLD, RECORDED),
    REAL("rater.hurried", world.rater.hurried, "0.7", 0, 1,
         "share of prompts that a hurried rater ranks", FOR_WORLD | FOR_DEMO,
         RECORDED),
    REAL("rater.tau", world.rater.tau, "0.4", 1e-6, 100,
         "noise of a ranking, in units of utility", FOR_WORLD | FOR_DEMO,
         RECORDED),
    REAL("rater.gold_share", world.rater.gold_share, "0.25", 0, 100,
         "weight of the gold rubric to a hurried rater", FOR_WORLD | FOR_DEMO,
         RECORDED),
    REAL("rater.length_taste", world.rater.length_taste, "0.06", -10, 10,
         "what a token is worth to a hurried rater", FOR_WORLD | FOR_DEMO,
         RECORDED),
    REAL("rater.polite_taste", world.rater.polite_taste, "0.15", -10, 10,
         "what a polite element is worth to a hurried rater",
         FOR_WORLD | FOR_DEMO, RECORDED),
    REAL("rater.tie_margin", world.rater.tie_margin, "0", 0, 100,
         "replies closer than this, in units of noise, tie",
         FOR_WORLD | FOR_DEMO, RECORDED),
    INT("panel.pairs", world.pairs, "512", 0, 1000000,
        "spot-check: pairs of policy and reference", FOR_WORLD | FOR_DEMO,
        RECORDED),
    INT("panel.placebo_pairs", world.placebo_pairs, "512", 0, 1000000,
        "spot-check: pairs of two reference samples", FOR_WORLD | FOR_DEMO,
        RECORDED),
    INT("panel.twice", world.twice, "128", 0, 1000000,
        "spot-check: pairs judged a second time", FOR_WORLD | FOR_DEMO,
        RECORDED),
    INT("panel.judges", world.judges, "4", 1, 16, "spot-check: judges",
        FOR_WORLD | FOR_DEMO, RECORDED),
    REAL("panel.choice_noise", world.judge_tau, "0.4", 1e-6, 100,
         "spot-check: noise of the overall choice", FOR_WORLD | FOR_DEMO,
         RECORDED),
    REAL("panel.axis_noise", world.judge_tau_axis, "0.15", 0, 100,
         "spot-check: noise of directness, correctness and length",
         FOR_WORLD | FOR_DEMO, RECORDED),
    REAL("panel.tie_below", world.judge_tie_margin, "0.2", 0, 100,
         "spot-check: answers closer than this tie", FOR_WORLD | FOR_DEMO,
         RECORDED),

    /* how data files are read */
    INT("data.skip_bad", data.dataset.skip_bad, "0", 0, MANY,
        "bad records that are skipped, each with a warning; one more stops",
        FOR_READING, RECORDED),
    CHOICE("data.too_long", data.too_long, "refuse", "refuse|skip|truncate",
           "records longer than the limit: an error; left out and counted; "
           "without their oldest turns, then cut at the end",
           FOR_READING & ~FOR_IMPORT, RECORDED),
    TEXT("data.prompt_key", data.dataset.prompt_key, NULL,
         "records: the key that stands for \"prompt\"", FOR_READING, RECORDED),
    TEXT("data.response_key", data.dataset.response_key, NULL,
         "records: the key that stands for \"response\"", FOR_READING,
         RECORDED),
    TEXT("data.chosen_key", data.dataset.chosen_key, NULL,
         "records: the key that stands for \"chosen\"", FOR_READING, RECORDED),
    TEXT("data.rejected_key", data.dataset.rejected_key, NULL,
         "records: the key that stands for \"rejected\"", FOR_READING,
         RECORDED),
    TEXT("data.label_key", data.dataset.label_key, NULL,
         "records: the key that stands for \"label\"", FOR_READING, RECORDED),
    TEXT("data.chat", data.template, NULL,
         "how prompts are laid out: none, support, chatml, smollm2, qwen2, "
         "qwen2.5, qwen3, llama3, llama3.1, zephyr or hh; without it, the "
         "model's own "
         "way",
         FOR_STAGES | FOR_EVAL | FOR_PROBE, RECORDED),
    TEXT("data.chat_date", data.date, NULL,
         "the day that the template llama3.1 tells; without it, " CHAT_DATE,
         FOR_STAGES | FOR_EVAL | FOR_PROBE, RECORDED),

    /* supervised fine-tuning */
    PATH("sft.data", 'd', sft.data, "demonstrations, JSON Lines", FOR_SFT,
         NEEDED, PARENT_FILE),
    PATH("sft.model", 'm', sft.model,
         "model to start from; absent: a new one of the shape below", FOR_SFT,
         RECORDED, PARENT_MODEL),
    PATH("sft.tokenizer", 0, sft.tokenizer,
         "folder with the tokenizer of a new model", FOR_SFT, RECORDED,
         PARENT_TOKENIZER),
    INT("sft.epochs", sft.epochs, "5", 1, 10000, "passes over the data",
        FOR_SFT, RECORDED),
    INT("sft.batch", sft.batch, "32", 1, 65536, "sequences per update", FOR_SFT,
        RECORDED),
    REAL("sft.prompt_weight", sft.prompt_weight, "0.3", 0, 1,
         "weight of a prompt token's loss beside a reply token's", FOR_SFT,
         RECORDED),
    INT("sft.max_tokens", sft.max_tokens, "160", 2, 1048576,
        "tokens of a sequence at most; data.too_long says what happens to a "
        "longer one",
        FOR_SFT, RECORDED),
    REAL("sft.holdout", sft.holdout, "0.02", 0, 0.9,
         "share of the data kept for validation", FOR_SFT, RECORDED),
    INT("sft.save_every", sft.save_every, "250", 0, MANY,
        "updates between checkpoints; 0: only the last", FOR_SFT, RECORDED),
    INT("sft.log_every", sft.log_every, "25", 1, MANY,
        "updates between lines of metrics.jsonl", FOR_SFT, RECORDED),
    OPTIMIZER("sft", sft.optimizer, FOR_SFT, "3e-3", "0.05", "50", "cosine",
              "0.98", "1e-8", "0.01"),
    ADAPTER("sft", sft.adapter, FOR_SFT),
    INT("sft.channels", sft.channels, "64", 2, 65536,
        "new model: hidden size, the width of the residual stream", FOR_SFT,
        RECORDED),
    INT("sft.layers", sft.layers, "2", 1, 1024, "new model: layers", FOR_SFT,
        RECORDED),
    INT("sft.heads", sft.heads, "4", 1, 1024, "new model: query heads", FOR_SFT,
        RECORDED),
    INT("sft.kv_heads", sft.kv_heads, "4", 1, 1024,
        "new model: key and value heads, a divisor of the query heads", FOR_SFT,
        RECORDED),
    INT("sft.feed_forward", sft.feed_forward, "160", 1, 1048576,
        "new model: intermediate size of the feed-forward layer", FOR_SFT,
        RECORDED),
    INT("sft.positions", sft.positions, "160", 2, 1048576,
        "new model: longest sequence", FOR_SFT, RECORDED),
    BOOL("sft.tied", sft.tied, "false",
         "new model: output embedding shared with the input's", FOR_SFT,
         RECORDED),

    /* the reward model */
    PATH("reward.data", 'd', reward.data, "rankings, JSON Lines", FOR_REWARD,
         NEEDED, PARENT_FILE),
    PATH("reward.heldout", 0, reward.heldout,
         "rankings that are held out, instead of a share of the data",
         FOR_REWARD, RECORDED, PARENT_FILE),
    PATH("reward.model", 'm', reward.model,
         "model or run whose trunk it starts from", FOR_REWARD, NEEDED,
         PARENT_SFT),
    INT("reward.epochs", reward.epochs, "3", 1, 10000, "passes over the data",
        FOR_REWARD, RECORDED),
    INT("reward.batch", reward.batch, "6", 1, 65536,
        "prompts per update, each with all its pairs", FOR_REWARD, RECORDED),
    INT("reward.max_steps", reward.max_steps, "0", 0, MANY,
        "updates at most; 0: as many as the epochs give", FOR_REWARD, RECORDED),
    INT("reward.max_tokens", reward.max_tokens, "160", 2, 1048576,
        "tokens of a sequence at most; data.too_long says what happens to a "
        "longer one",
        FOR_REWARD, RECORDED),
    REAL("reward.holdout", reward.holdout, "0.05", 0, 0.9,
         "share of the prompts kept for held-out accuracy", FOR_REWARD,
         RECORDED),
    INT("reward.save_every", reward.save_every, "250", 0, MANY,
        "updates between checkpoints; 0: only the last", FOR_REWARD, RECORDED),
    INT("reward.log_every", reward.log_every, "25", 1, MANY,
        "updates between lines of metrics.jsonl", FOR_REWARD, RECORDED),
    CHOICE("reward.loss", reward.loss.kind, "pairs", "pairs|plackett_luce|best",
           "Bradley-Terry over all pairs; likelihood of the whole order; "
           "softmax on the best",
           FOR_REWARD, RECORDED),
    REAL("reward.margin", reward.loss.margin, "0", 0, 100,
         "pairs: subtracted from the difference of scores", FOR_REWARD,
         RECORDED),
    REAL("reward.smoothing", reward.loss.smoothing, "0", 0, 0.5,
         "pairs: label smoothing, the weight of the opposite outcome",
         FOR_REWARD, RECORDED),
    REAL("reward.centring", reward.loss.centring, "0.005", 0, 100,
         "pull of a prompt's mean score towards 0", FOR_REWARD, RECORDED),
    OPTIMIZER("reward", reward.optimizer, FOR_REWARD, "2e-3", "0.1", "20",
              "cosine", "0.98", "1e-8", "0.01"),
    ADAPTER("reward", reward.adapter, FOR_REWARD),

    /* PPO */
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
         FOR_PPO, NEEDED, PARENT_REWARD),
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
    REAL("ppo.temperature", ppo.temperature, "1", 0.01, 100,
         "of sampling and of every log-probability alike", FOR_PPO, RECORDED),
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
    CHOICE("ppo.kl_mode", ppo.kl.mode, "k1_reward",
           "k1_reward|k2_loss|k3_loss|k1_loss|k3_reward|k1_clamp",
           "estimator of the KL penalty, and where it acts", FOR_PPO, RECORDED),
    CHOICE("ppo.kl_control", ppo.kl.control, "fixed", "fixed|adaptive",
           "beta stays, or follows a target (Ziegler et al. 2019)", FOR_PPO,
           RECORDED),
    REAL("ppo.kl_target", ppo.kl.target, "6", 0, 1e6,
         "adaptive: wanted KL, nats per sequence", FOR_PPO, RECORDED),
    REAL("ppo.kl_horizon", ppo.kl.horizon, "10000", 1, 1e12,
         "adaptive: episodes it takes to react", FOR_PPO, RECORDED),
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
    CHOICE("ppo.score_norm", ppo.score_norm, "reference", "none|reference",
           "scores to mean 0, deviation 1 on reference samples", FOR_PPO,
           RECORDED),
    INT("ppo.norm_prompts", ppo.norm_prompts, "256", 2, 1000000,
        "reference samples that fix the score's scale", FOR_PPO, RECORDED),
    BOOL("ppo.value_init_reward", ppo.value_init_reward, "true",
         "the value model starts from the reward model, not the policy",
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
    REAL("ppo.ratio_gate", ppo.ratio_gate, "1e-4", 0, DBL_MAX,
         "stop when training and sampling disagree: largest |ratio - 1| on "
         "the first minibatch; inf is off",
         FOR_PPO, RECORDED | OPTION_INFINITE),
    OPTIMIZER("ppo", ppo.optimizer, FOR_PPO, "3e-4", "0", "5", "constant",
              "0.95", "1e-5", "0"),
    ADAPTER("ppo", ppo.adapter, FOR_PPO),

    /* held-out evaluation */
    PATH("eval.model", 'm', eval.model,
         "policy; without it, the run's own checkpoints", FOR_EVAL, 0,
         PARENT_MODEL),
    PATH("eval.reference", 0, eval.reference,
         "reference; without it, the run's own", FOR_EVAL, 0, PARENT_SFT),
    PATH("eval.reward_model", 0, eval.reward_model,
         "reward model; without it, the run's own", FOR_EVAL, 0, PARENT_REWARD),
    PATH("eval.gold_model", 0, eval.gold_model,
         "weak gold: a second reward model, trained on other pairs than the "
         "first",
         FOR_EVAL, 0, PARENT_REWARD),
    PATH("eval.prompts", 0, eval.prompts,
         "held-out prompts, JSON Lines; without it, fresh tickets of the "
         "support desk",
         FOR_EVAL, 0, PARENT_FILE),
    INT("eval.n_prompts", eval.n_prompts, "256", 2, 1000000, "held-out prompts",
        FOR_EVAL, RECORDED),
    INT("eval.samples", eval.samples, "4", 1, 1024,
        "responses per prompt and model", FOR_EVAL, RECORDED),
    INT("eval.max_new", eval.max_new, "0", 0, 65536,
        "tokens of a response at most; 0: as in the run", FOR_EVAL, RECORDED),
    REAL("eval.temperature", eval.temperature, "1", 0, 100,
         "serving temperature, evaluated beside 1; 0 is greedy", FOR_EVAL,
         RECORDED),
    REAL("eval.top_p", eval.top_p, "1", 0.001, 1,
         "serving top-p (nucleus), evaluated beside 1", FOR_EVAL, RECORDED),
    BOOL("eval.curve", eval.curve, "true",
         "evaluate every checkpoint, not only the last", FOR_EVAL, RECORDED),

    /* probes */
    TEXT("probe.probes", probe.probes, NULL,
         "which ones, with commas between; without it all", FOR_PROBE,
         RECORDED),
    PATH("probe.prompts", 0, probe.prompts,
         "the held-out prompts of the evaluation, where it does not say itself",
         FOR_PROBE, 0, PARENT_FILE),
    INT("probe.n_prompts", probe.sizes.prompts, "128", 1, 1000000,
        "held-out prompts whose samples are edited and read again", FOR_PROBE,
        RECORDED),
    INT("probe.samples", probe.sizes.samples, "2", 1, 1024,
        "samples of each model per prompt, for the same", FOR_PROBE, RECORDED),
    INT("probe.training_prompts", probe.sizes.training_pairs, "256", 0, 1000000,
        "pairs: prompts of the rankings that the reward model was trained on, "
        "beside all held out",
        FOR_PROBE, RECORDED),

    /* generation */
    PATH("generate.model", 'm', generate.model,
         "model folder, run, GGUF file or ORG/NAME", FOR_GENERATE,
         OPTION_NEEDED, PARENT_MODEL),
    TEXT("generate.prompt", generate.prompt, NULL, "one prompt", FOR_GENERATE,
         0),
    TEXT("generate.prompt_ids", generate.prompt_ids, NULL,
         "one prompt as token ids, 1,2,3, taken as they are", FOR_GENERATE, 0),
    PATH("generate.prompts", 0, generate.prompts,
         "prompts, JSON Lines; writes candidate sets, JSON Lines", FOR_GENERATE,
         0, PARENT_FILE),
    TEXT("generate.chat", generate.chat, NULL,
         "how a prompt is laid out: a chat template's name; without it, the "
         "model's own",
         FOR_GENERATE, 0),
    INT("generate.samples", generate.samples, "1", 1, 64,
        "responses per prompt", FOR_GENERATE, 0),
    INT("generate.max_new", generate.max_new, "96", 1, 65536,
        "tokens of a response at most, EOS included", FOR_GENERATE, 0),
    REAL("generate.temperature", generate.temperature, "1", 0, 100,
         "of sampling; 0 is greedy", FOR_GENERATE, 0),
    REAL("generate.top_p", generate.top_p, "1", 0.001, 1,
         "nucleus: sample from the likeliest tokens that hold this probability",
         FOR_GENERATE, 0),
    INT("generate.top_k", generate.top_k, "0", 0, 1000000,
        "sample from this many likeliest tokens; 0 is all", FOR_GENERATE, 0),
    BOOL("generate.greedy", generate.greedy, "false",
         "always the likeliest token", FOR_GENERATE, 0),

    /* scores */
    PATH("score.model", 'm', score.model, "reward model or its run", FOR_SCORE,
         OPTION_NEEDED, PARENT_REWARD),
    PATH("score.data", 'd', score.data, "records with responses, JSON Lines",
         FOR_SCORE, OPTION_NEEDED, PARENT_FILE),

    /* models for others */
    BOOL("export.gguf", export_to.gguf, "false",
         "one GGUF file, else a Hugging Face folder", FOR_EXPORT, 0),
    CHOICE("export.type", export_to.type, "f32", "f32|f16|bf16|q8_0",
           "how values are stored; q8_0 in GGUF files only", FOR_EXPORT, 0),
    BOOL("export.merge", export_to.merge, "false",
         "fold an adapter into its base", FOR_EXPORT, 0),

    /* a look into a model */
    BOOL("inspect.logits", inspect.logits, "false",
         "the largest logits for the token that follows a prompt", FOR_INSPECT,
         0),
    TEXT("inspect.prompt", inspect.prompt, NULL, "logits: the prompt",
         FOR_INSPECT, 0),
    TEXT("inspect.prompt_ids", inspect.prompt_ids, NULL,
         "logits: the prompt as token ids, 1,2,3, taken as they are",
         FOR_INSPECT, 0),
    TEXT("inspect.chat", inspect.chat, NULL,
         "logits: how the prompt is laid out, a chat template's name; without "
         "it, the model's own",
         FOR_INSPECT, 0),
    INT("inspect.top", inspect.top, "10", 1, 1000, "logits: how many",
        FOR_INSPECT, 0),

    /* text and ids */
    PATH("tokenize.model", 'm', tokenize.model,
         "model, run, folder with a tokenizer, or its file", FOR_TOKENIZE,
         OPTION_NEEDED, PARENT_TOKENIZER),
    BOOL("tokenize.decode", tokenize.decode, "false",
         "ids in, text out; every token is written, special ones too",
         FOR_TOKENIZE, 0),
    BOOL("tokenize.special", tokenize.special, "false",
         "special tokens written in the text are read as such, which user "
         "text must not be",
         FOR_TOKENIZE, 0),
    BOOL("tokenize.raw", tokenize.raw, "false",
         "the whole of standard input is one text, line breaks included",
         FOR_TOKENIZE, 0),

    /* import */
    CHOICE("import.format", import.format, "auto", "auto|json|csv|tsv",
           "JSON Lines or an array, values separated by commas or by tabs; "
           "auto tells JSON by its first character, a table by the rest",
           FOR_IMPORT, 0),
    TEXT("import.prompt_column", import.columns.prompt, NULL,
         "tables: the prompt's column", FOR_IMPORT, 0),
    TEXT("import.response_column", import.columns.response, NULL,
         "tables: the response's column", FOR_IMPORT, 0),
    TEXT("import.chosen_column", import.columns.chosen, NULL,
         "tables: the column of the preferred response", FOR_IMPORT, 0),
    TEXT("import.rejected_column", import.columns.rejected, NULL,
         "tables: the column of the other response", FOR_IMPORT, 0),
    TEXT("import.extra_columns", import.columns.extra, NULL,
         "tables: columns that are kept beside them, with commas between; * "
         "is all",
         FOR_IMPORT, 0),
    TEXT("import.id_prefix", import.id_prefix, NULL,
         "put before every id, so that files can be put together", FOR_IMPORT,
         0),
    BOOL("import.unique", import.unique, "false",
         "only the first record of each prompt", FOR_IMPORT, 0),
    INT("import.shuffle_seed", import.shuffle_seed, "-1", -1,
        9007199254740991.0,
        "order the records at random, the same for the same seed; -1: as they "
        "stand",
        FOR_IMPORT, 0),
    INT("import.skip", import.skip, "0", 0, MANY,
        "records left out, from the first in that order", FOR_IMPORT, 0),
    INT("import.take", import.take, "0", 0, MANY,
        "records written at most; 0: all", FOR_IMPORT, 0),
};

const size_t option_count = sizeof option_table / sizeof option_table[0];

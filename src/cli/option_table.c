#include "cli/option_rows.h"

#include <assert.h>

/* The rows before PPO's. */
static const struct option first[] = {
    /* settings of all commands */
    INT("seed", common.seed, "1", 0, 9007199254740991.0,
        "random seed; the same seed gives the same bytes",
        FOR_WORK | FOR_PROBE | FOR_DIAGNOSE | FOR_LABEL, RECORDED),
    INT("shards", common.shards, "8", 1, 4096,
        "pieces a batch is cut into; part of the result, unlike threads",
        FOR_STAGES | FOR_DEMO, RECORDED),
    INT("threads", common.threads, "0", 0, 1024,
        "workers; 0 is one per processor; does not change the result", FOR_TEAM,
        0),
    CHOICE("reduce", common.reduce, "f32", "f32|bf16",
           "how ranks of an MPI job send each other gradients; rounded to "
           "bfloat16 they are half as many bytes, and the result is no longer "
           "that of one process",
           FOR_STAGES, RECORDED),
    CHOICE("precision", common.precision, "f32", "f32|bf16",
           "weights that are not trained: as float, or rounded to bfloat16, "
           "which takes half the memory (training then wants lora_rank)",
           FOR_STAGES | FOR_EVAL | FOR_PROBE | FOR_WHATIF | FOR_GENERATE |
               FOR_SCORE | FOR_INSPECT | FOR_LABEL,
           RECORDED),
    CHOICE("compute", common.compute, "f32", "f32|bf16|auto",
           "numbers that products multiply: floats, or floats rounded to "
           "bfloat16, two to sixteen times as fast where the processor has "
           "instructions for it; auto is bf16 there and f32 elsewhere, and a "
           "run records which it was",
           FOR_STAGES | FOR_EVAL | FOR_PROBE | FOR_WHATIF | FOR_GENERATE |
               FOR_SCORE | FOR_INSPECT | FOR_LABEL,
           RECORDED),
    PATH("out", 'o', common.out, "directory or file to write", FOR_WRITING, 0,
         PARENT_NONE),
    BOOL("resume", common.resume, "false",
         "go on from the last checkpoint, or start when there is none",
         FOR_STAGES | FOR_DEMO | FOR_IMPORT, 0),
    BOOL("overwrite", common.overwrite, "false",
         "replace what an earlier run left",
         FOR_STAGES | FOR_DEMO | FOR_EXPORT | FOR_PROBE | FOR_WHATIF |
             FOR_IMPORT,
         0),
    BOOL("dry_run", common.dry_run, "false",
         "print the settings and a plan with estimates of time and memory, "
         "and stop",
         FOR_STAGES | FOR_WHATIF, 0),
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
    TEXT("world.intents", world.intents, NULL,
         "tickets, and the prompts that the demo trains on: their intents by "
         "name, with commas between; without it, all",
         FOR_WORLD | FOR_DEMO, RECORDED),
    REAL("world.mix_shift", world.mix_shift, "0", 0, 1,
         "the same prompts: how far their intents drift over the file, from "
         "the first half of the list to the second; wants ppo.file_order" FAULT,
         FOR_WORLD | FOR_DEMO, RECORDED),
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
    CHOICE("world.as", world.as, "files",
           "files|rater:careful|rater:hurried|rater:mixed|rater:coin",
           "judge: from file to file, or as a simulated person who votes at "
           "the page of plumb label",
           FOR_WORLD, 0),
    PATH("world.link", 0, world.link,
         "judge --as: a file with the judge's link, as plumb label invite "
         "prints it; a server that is away is waited for, 30 s",
         FOR_WORLD, 0, PARENT_NONE),
    TEXT("world.pool", world.pool, NULL,
         "judge --as: the pool; without it, all of them", FOR_WORLD, 0),
    INT("world.votes", world.votes, "0", 0, 1000000000,
        "judge --as: votes at most; 0: until nothing is left", FOR_WORLD, 0),
    REAL("world.pace", world.pace, "0", 0, 3600,
         "judge --as: seconds that an item is looked at", FOR_WORLD, 0),
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
        "spot-check: pairs of policy and reference",
        FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    INT("panel.placebo_pairs", world.placebo_pairs, "512", 0, 1000000,
        "spot-check: pairs of two reference samples",
        FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    INT("panel.twice", world.twice, "128", 0, 1000000,
        "spot-check: pairs judged a second time",
        FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    INT("panel.first", world.first, "0", 0, 1000000000,
        "spot-check: number of the first pair, which is a prompt's; rounds of "
        "votes that begin at different ones meet different prompts",
        FOR_WORLD, RECORDED),
    BOOL("panel.skip_same", world.skip_same, "false",
         "spot-check: pass over pairs whose replies are the same text",
         FOR_WORLD, RECORDED),
    INT("panel.judges", world.judges, "4", 1, 16, "spot-check: judges",
        FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    REAL("panel.choice_noise", world.judge_tau, "0.4", 1e-6, 100,
         "spot-check: noise of the overall choice",
         FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    REAL("panel.axis_noise", world.judge_tau_axis, "0.15", 0, 100,
         "spot-check: noise of directness, correctness and length",
         FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    REAL("panel.tie_below", world.judge_tie_margin, "0.2", 0, 100,
         "spot-check: answers closer than this tie",
         FOR_WORLD | FOR_DEMO | FOR_WHATIF, RECORDED),
    REAL("panel.side_bias", world.judge_side_bias, "0", -100, 100,
         "spot-check: what standing on the left is worth to a judge" FAULT,
         FOR_WORLD | FOR_DEMO, RECORDED),
    REAL("panel.length_bias", world.judge_length_bias, "0", -10, 10,
         "spot-check: what a token is worth to a judge" FAULT,
         FOR_WORLD | FOR_DEMO, RECORDED),

    /* how data files are read */
    INT("data.skip_bad", data.dataset.skip_bad, "0", 0, MANY,
        "bad records that are skipped, each with a warning; one more stops",
        FOR_READING | FOR_DIAGNOSE, RECORDED),
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
    TEXT("data.weight_key", reward.weights.key, NULL,
         "records: the key that stands for \"weight\" (reward.weights)",
         FOR_REWARD, RECORDED),
    TEXT("data.chat", data.template, NULL,
         "how prompts are laid out: none, support, chatml, smollm2, qwen2, "
         "qwen2.5, qwen3, llama3, llama3.1, zephyr or hh; without it, the "
         "model's own "
         "way",
         FOR_STAGES | FOR_EVAL | FOR_PROBE | FOR_WHATIF, RECORDED),
    TEXT("data.chat_date", data.date, NULL,
         "the day that the template llama3.1 tells; without it, " CHAT_DATE,
         FOR_STAGES | FOR_EVAL | FOR_PROBE | FOR_WHATIF, RECORDED),

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
    PATH("reward.data", 'd', reward.data,
         "rankings: JSON Lines, or the database that plumb label keeps them in",
         FOR_REWARD, NEEDED, PARENT_FILE),
    TEXT("reward.pool", reward_pool, NULL,
         "of a database's rankings those of this pool alone", FOR_REWARD, 0),
    PATH("reward.extra_data", 0, reward.extra,
         "more rankings to train on, fresh ones of the policy's own replies, "
         "say; none of them is held out",
         FOR_REWARD, RECORDED, PARENT_FILE),
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
    CHOICE("reward.balance", reward.weights.balance, "none", "none|length",
           "length: weigh pairs so that, at like differences of length, the "
           "longer and the shorter response win equally often",
           FOR_REWARD, RECORDED),
    INT("reward.balance_bin", reward.weights.bin, "5", 1, 100000,
        "tokens of a bin of reward.balance", FOR_REWARD, RECORDED),
    BOOL("reward.weights", reward.weights.is_given, "false",
         "weigh the pairs of a record by the number it has under "
         "data.weight_key, 1 where it has none; their mean becomes 1",
         FOR_REWARD, RECORDED),
    CHOICE("reward.judges", reward.weights.judges, "equal", "equal|weighted",
           "weighted: weigh a record by how far its rater can be believed, as "
           "agreement with the other raters tells",
           FOR_REWARD, RECORDED),
    INT("reward.heads", reward.heads.n, "1", 1, 2,
        "2: a second head takes up what goes with length, and is dropped at "
        "the end (ODIN)",
        FOR_REWARD, RECORDED),
    REAL("reward.heads_length", reward.heads.length, "1", 0, 1000,
         "two heads: weight of |corr(quality, length)| + 1 - corr(length head, "
         "length), within prompts",
         FOR_REWARD, RECORDED),
    REAL("reward.heads_orthogonal", reward.heads.orthogonal, "1", 0, 1000,
         "two heads: weight of the |cosine| of their weights", FOR_REWARD,
         RECORDED),
    REAL("reward.length_gain", reward.length_gain, "0", -1000, 1000,
         "added to the finished model's score for every token of a response, "
         "the end mark counted: plants a bias by length",
         FOR_REWARD, RECORDED),
    BOOL("reward.length_residual", reward.length_residual, "false",
         "at the end, estimate how the score rises with length within a prompt "
         "and take that out of every score",
         FOR_REWARD, RECORDED),
    REAL(
        "reward.length_only", reward.length_only, "0", 0, 1000000,
        "train nothing: a reward model whose score is 1 - |tokens / this - 1|, "
        "a control for judges; 0 is off",
        FOR_REWARD, RECORDED),
    OPTIMIZER("reward", reward.optimizer, FOR_REWARD, "2e-3", "0.1", "20",
              "cosine", "0.98", "1e-8", "0.01"),
    ADAPTER("reward", reward.adapter, FOR_REWARD),
};

/* The rows behind them. */
static const struct option last[] = {
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
    INT("eval.best_of", eval.best_of, "1", 1, 1024,
        "above 1: evaluate, in place of the policy, the reference's best of so "
        "many samples by the reward model, without a curve",
        FOR_EVAL, RECORDED),
    INT("eval.max_new", eval.max_new, "0", 0, 65536,
        "tokens of a response at most; 0: as in the run", FOR_EVAL, RECORDED),
    REAL("eval.temperature", eval.temperature, "1", 0, 100,
         "serving temperature, evaluated beside 1; 0 is greedy", FOR_EVAL,
         RECORDED),
    REAL("eval.top_p", eval.top_p, "1", 0.001, 1,
         "serving top-p (nucleus), evaluated beside 1", FOR_EVAL, RECORDED),
    BOOL("eval.curve", eval.curve, "true",
         "evaluate every checkpoint, not only the last", FOR_EVAL, RECORDED),
    BOOL("eval.curve_samples", eval.curve_samples, "false",
         "keep every checkpoint's replies, beside the reference's, for people "
         "to compare (eval/checkpoints/)",
         FOR_EVAL, RECORDED),

    /* probes */
    TEXT("probe.probes", probe.probes, NULL,
         "which ones, with commas between; without it all", FOR_PROBE,
         RECORDED),
    PATH("probe.prompts", 0, probe.prompts,
         "the held-out prompts of the evaluation, where it does not say itself",
         FOR_PROBE, 0, PARENT_FILE),
    PATH("probe.fillers", 0, probe.fillers,
         "edits: sentences without content, one a line; without it those of "
         "the support desk or a few English ones",
         FOR_PROBE, RECORDED, PARENT_FILE),
    INT("probe.n_prompts", probe.sizes.prompts, "128", 1, 1000000,
        "held-out prompts whose samples are edited and read again", FOR_PROBE,
        RECORDED),
    INT("probe.samples", probe.sizes.samples, "2", 1, 1024,
        "samples of each model per prompt, for the same", FOR_PROBE, RECORDED),
    INT("probe.training_prompts", probe.sizes.training_pairs, "256", 0, 1000000,
        "pairs: prompts of the rankings that the reward model was trained on, "
        "beside all held out",
        FOR_PROBE, RECORDED),
    INT("probe.demos", probe.sizes.demos, "1000", 1, 1000000,
        "reference: demonstrations read at most, of those trained on and of "
        "those held out",
        FOR_PROBE, RECORDED),
    INT("probe.push_prompts", probe.sizes.push_prompts, "64", 1, 1000000,
        "push: held-out prompts", FOR_PROBE, RECORDED),
    INT("probe.push_samples", probe.sizes.push_samples, "4", 1, 1024,
        "push: replies to each from every checkpoint", FOR_PROBE, RECORDED),
    INT("probe.checkpoints", probe.sizes.checkpoints, "24", 2, 100000,
        "push: checkpoints at most, at equal distances", FOR_PROBE, RECORDED),

    /* the diagnosis */
    CHOICE("diagnose.fail_on", diagnose.fail_on, "none", "none|bug|paradox|any",
           "exit with 3 when this is the verdict; any: everything but healthy "
           "and inconclusive",
           FOR_DIAGNOSE, 0),
    INT("diagnose.resamples", diagnose.resamples, "2000", 100, 1000000,
        "bootstrap resamples behind every interval", FOR_DIAGNOSE, 0),
    PATH("diagnose.human", 0, diagnose.human,
         "votes of a spot-check: a file, a database, or PROJECT.db#POOL; "
         "without it, those in human/ of the project",
         FOR_DIAGNOSE, 0, PARENT_NONE),
    TEXT(
        "diagnose.import", diagnose.import, NULL,
        "the operands are files of another trainer's run in this format (plumb "
        "import; auto tells it), which are diagnosed without being kept",
        FOR_DIAGNOSE, 0),
    PATH("diagnose.essay", 0, diagnose.essay,
         "write the essay to this file, Markdown with a footnote for every "
         "number",
         FOR_DIAGNOSE, 0, PARENT_WRITTEN),

    /* runs with one change */
    TEXT("whatif.change", whatif.change, NULL,
         "NAME, NAME=VALUE or KEY=VALUE; several times for several arms; list "
         "shows the names",
         FOR_WHATIF, 0),
    INT("whatif.seeds", whatif.seeds, "1", 1, 100,
        "training runs of each arm, with the run's seed and the next ones; a "
        "cause takes three",
        FOR_WHATIF, 0),
    INT("whatif.fresh_prompts", whatif.fresh_prompts, "400", 2, 1000000,
        "fresh-labels on the support desk: tickets that the policy answers",
        FOR_WHATIF, 0),
    INT("whatif.fresh_samples", whatif.fresh_samples, "4", 2, 64,
        "fresh-labels on the support desk: replies to each, which are ranked",
        FOR_WHATIF, 0),

    /* generation */
    PATH("generate.model", 'm', generate.model,
         "model folder, run, GGUF file or ORG/NAME", FOR_GENERATE, 0,
         PARENT_MODEL),
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
    INT("generate.best_of", generate.best_of, "1", 1, 1024,
        "each response is the best of so many samples, by the reward model",
        FOR_GENERATE, 0),
    PATH("generate.reward_model", 0, generate.reward_model,
         "reward model or its run: tells the scores, and chooses with best_of",
         FOR_GENERATE, 0, PARENT_REWARD),
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
         0, PARENT_REWARD),
    PATH("score.data", 'd', score.data, "records with responses, JSON Lines",
         FOR_SCORE, OPTION_NEEDED, PARENT_FILE),

    /* models for others */
    BOOL("export.gguf", export_to.gguf, "false",
         "one GGUF file, else a Hugging Face folder", FOR_EXPORT, 0),
    CHOICE("export.type", export_to.type, "f32", "f32|f16|bf16|q8_0",
           "how values are stored; q8_0 in GGUF files only", FOR_EXPORT, 0),
    BOOL("export.merge", export_to.merge, "false",
         "fold an adapter into its base", FOR_EXPORT, 0),
    REAL("export.interpolate", export_to.interpolate, "1", 0, 1,
         "alpha: write (1 - alpha) * reference + alpha * model, which goes "
         "back part of the way that PPO went; without --merge, an adapter "
         "scaled by it",
         FOR_EXPORT, 0),
    PATH("export.with", 0, export_to.with, "interpolate: the reference",
         FOR_EXPORT, 0, PARENT_SFT),

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

    CHOICE("lint.trainer", lint.trainer, "auto",
           "auto|trl-ppo|trl-ppo-classic|trl-grpo|trl-rloo|trl-rloo-classic|"
           "trl-dpo|openrlhf|openrlhf-flat|openrlhf-dpo|verl",
           "whose settings they are; auto tells it from their names", FOR_LINT,
           0),
};

#define PARTS 7

static void list_parts(struct option_rows part[PARTS])
{
    part[0] = (struct option_rows){first, sizeof first / sizeof *first};
    part[1] = option_table_ppo();
    part[2] = option_table_outside();
    part[3] = (struct option_rows){last, sizeof last / sizeof *last};
    part[4] = option_table_label();
    part[5] = option_table_watch();
    part[6] = option_table_import();
}

size_t option_count(void)
{
    struct option_rows part[PARTS];
    size_t n = 0;
    list_parts(part);
    for (size_t k = 0; k < PARTS; k++)
        n += part[k].n;
    return n;
}

const struct option *option_row(size_t i)
{
    struct option_rows part[PARTS];
    size_t k = 0;
    list_parts(part);
    while (k < PARTS && i >= part[k].n)
        i -= part[k++].n;
    assert(k < PARTS);
    return &part[k].row[i];
}

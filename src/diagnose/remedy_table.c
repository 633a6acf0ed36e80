#include "diagnose/remedy_table.h"

#include <string.h>

#define FIX "nothing is lost but the time to train again; the repaired run "

const struct remedy_row remedy_rows[] = {
    /* ---- the reward ---- */
    {.id = "residual",
     .title = "take the slope on length off the reward model's score",
     .key = {"reward.length_residual"},
     .to = {"true"},
     .model = REMEDY_MODEL_LENGTH_OFF,
     .condition = REMEDY_IF_REST,
     .target = REMEDY_LENGTH,
     .is_reward_side = true,
     .tradeoff = "length that is needed gets no credit either, so replies that "
                 "must be long may become too short; the slope has to be the "
                 "same on what the new policy writes"},
    {.id = "two-heads",
     .title = "train a second reward head that takes up length, and drop it",
     .key = {"reward.heads"},
     .to = {"2"},
     .model = REMEDY_MODEL_LENGTH_OFF,
     .condition = REMEDY_IF_REST,
     .target = REMEDY_LENGTH,
     .is_reward_side = true,
     .tradeoff = "about a point of accuracy on rankings, and length that is "
                 "needed gets no credit; published results disagree on how "
                 "well it holds under PPO"},
    {.id = "balance",
     .title = "weigh the rankings so that the longer reply wins half of them",
     .key = {"reward.balance"},
     .to = {"length"},
     .model = REMEDY_MODEL_LENGTH_HALF,
     .target = REMEDY_LENGTH,
     .is_reward_side = true,
     .tradeoff = "rankings whose weight falls are labels thrown away, accuracy "
                 "suffers, and published cases show that it may leave much of "
                 "the bias"},
    {.id = "relabel",
     .title = "have the same replies ranked again by careful raters",
     .key = {"reward.data"},
     .to = {""},
     .model = REMEDY_MODEL_JUDGES,
     .condition = REMEDY_IF_DESK,
     .target = REMEDY_HUMAN,
     .is_reward_side = true,
     .tradeoff = "every ranking is paid for a second time, and the score by "
                 "which the run was judged so far will fall; careful raters "
                 "have tastes too, only others"},
    {.id = "fresh-labels",
     .title = "add careful rankings of what the policy writes now",
     .key = {"reward.extra_data"},
     .to = {""},
     .model = REMEDY_MODEL_JUDGES_HALF,
     .condition = REMEDY_IF_DESK,
     .target = REMEDY_HUMAN,
     .is_reward_side = true,
     .tradeoff = "labels are needed each round, since the new policy will "
                 "write something else again; the old rankings keep most of "
                 "the weight"},
    {.id = "ensemble",
     .title = "pay only what several reward models agree on",
     .key = {"ppo.ensemble", "ppo.reward_model_2"},
     .to = {"min", ""},
     .model = REMEDY_MODEL_NONE,
     .target = REMEDY_HUMAN,
     .is_reward_side = true,
     .tradeoff = "four reward models to train and to run; a taste that all "
                 "members learned from the same rankings stays"},
    {.id = "bounded",
     .title = "bound the reward, so that more of the same pays less",
     .key = {"ppo.score_shape", "ppo.beta"},
     .to = {"sigmoid", ""},
     .model = REMEDY_MODEL_BOUNDED,
     .target = REMEDY_RM,
     .is_reward_side = true,
     .tradeoff = "a ceiling on real gains as well; where the score is wrong "
                 "rather than too large it changes the pace, not the "
                 "direction"},
    {.id = "length-penalty",
     .title = "charge each token what the reward model pays for it",
     .key = {"ppo.length_penalty"},
     .value = REMEDY_VALUE_TOKEN,
     .model = REMEDY_MODEL_LENGTH_OFF,
     .condition = REMEDY_IF_REST,
     .target = REMEDY_LENGTH,
     .is_reward_side = true,
     .tradeoff = "one price for every prompt, needed length included; too high "
                 "and replies are cut short, and the slope may be another on "
                 "what the new policy writes"},
    /* ---- the price of KL ---- */
    {.id = "beta",
     .title = "raise the price of KL to what a nat was worth where to stop",
     .key = {"ppo.beta"},
     .value = REMEDY_VALUE_PRICE,
     .model = REMEDY_MODEL_PRICE,
     .condition = REMEDY_IF_PENALTY,
     .target = REMEDY_KL,
     .tradeoff = "real improvements cost as much as exploits, so the score "
                 "falls with the drift; it stops the run earlier on the same "
                 "way and makes the reward no better"},
    {.id = "kl-budget",
     .title = "let the price of KL rise as far as holding the target needs",
     .key = {"ppo.kl_control", "ppo.kl_target"},
     .to = {"budget"},
     .excludes = "ppo.beta_end",
     .value = REMEDY_VALUE_KL,
     .model = REMEDY_MODEL_TARGET,
     .condition = REMEDY_IF_PENALTY,
     .target = REMEDY_KL,
     .tradeoff = "caps real improvement with the rest, and the target is only "
                 "as good as the judgement it was chosen by; within the budget "
                 "the reward is still followed"},
    {.id = "kl-stop",
     .title = "end the run where its KL passes a budget",
     .key = {"ppo.kl_budget"},
     .value = REMEDY_VALUE_KL,
     .model = REMEDY_MODEL_STOP,
     .target = REMEDY_KL,
     .tradeoff = "may stop before anything useful was learned; rests on the "
                 "meter alone and not on the penalty"},
    {.id = "k1-reward",
     .title = "charge KL as k1 in the reward, whose gradient is right",
     .key = {"ppo.kl_mode"},
     .to = {"k1_reward"},
     .model = REMEDY_MODEL_PRICE_NOW,
     .target = REMEDY_KL,
     .tradeoff = FIX "may show that beta, which never acted, was never tuned"},
    {.id = "k2-loss",
     .title = "charge KL as k2 in the loss, whose gradient is right",
     .key = {"ppo.kl_mode"},
     .to = {"k2_loss"},
     .model = REMEDY_MODEL_PRICE_NOW,
     .target = REMEDY_KL,
     .tradeoff = FIX "is charged token by token, without what a token does to "
                     "later ones"},
    {.id = "ppo.beta_end",
     .title = "keep beta where it started",
     .key = {"ppo.beta_end"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "-1",
     .model = REMEDY_MODEL_PRICE_FIRST,
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = FIX "will gain less score in its second half"},
    {.id = "ppo.score_norm",
     .title = "divide scores by one deviation, that of reference samples",
     .key = {"ppo.score_norm"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "reference",
     .model = REMEDY_MODEL_PRICE_FIRST,
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = FIX "may need a lower beta, whose unit no longer moves"},
    /* ---- no training, or less ---- */
    {.id = "best-of",
     .title =
         "take the best of 8 reference replies by the reward model, no PPO",
     .key = {"eval.best_of"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "8",
     .model = REMEDY_MODEL_BEST,
     .target = REMEDY_RM,
     .tradeoff = "eight times the sampling at every reply for good, and what "
                 "the reward model is wrong about is still picked; nothing is "
                 "trained, so nothing drifts"},
    {.id = "interpolate",
     .title = "mix the parameters half way back to the reference",
     .key = {"export.interpolate"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "0.5",
     .model = REMEDY_MODEL_PART,
     .target = REMEDY_KL,
     .tradeoff = "gives back part of the score with part of the drift, in one "
                 "step and without training; nothing is unlearned"},
    /* ---- settings that were wrong ---- */
    {.id = "ppo.value_freeze",
     .title = "let the value model learn",
     .key = {"ppo.value_freeze"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "false",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_LENGTH,
     .tradeoff = FIX "learns faster, from the reward's mistakes too"},
    {.id = "lambda",
     .title = "take advantages from returns, not from the value model",
     .key = {"ppo.lambda"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "1",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_LENGTH,
     .tradeoff = "noisier gradients, so slower learning or larger batches; the "
                 "score then reaches a reply's first tokens undiminished"},
    {.id = "ppo.log_temperature",
     .title = "log probabilities at the temperature that is sampled",
     .key = {"ppo.log_temperature"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "0",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = FIX "has other KL and ratios than all figures until now"},
    {.id = "ppo.temperature",
     .title = "sample at the temperature that is logged",
     .key = {"ppo.temperature"},
     .value = REMEDY_VALUE_TEMPERATURE,
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = "replies become more varied, so early ones score lower; "
                 "figures until now cannot be compared"},
    {.id = "ppo.mask_eos",
     .title = "train the end of replies like any other token",
     .key = {"ppo.mask_eos"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "false",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_LENGTH,
     .tradeoff = FIX "stops where it learns that stopping pays, which a reward "
                     "for length will not teach"},
    {.id = "ppo.missing_eos",
     .title = "charge replies that do not end twice as much",
     .key = {"ppo.missing_eos"},
     .value = REMEDY_VALUE_MISSING_EOS,
     .target = REMEDY_LENGTH,
     .tradeoff = "replies that need more room than the cap are charged too; "
                 "raise the cap if such prompts matter"},
    {.id = "ppo.mask_logits",
     .title = "leave the same tokens out when scoring as when sampling",
     .key = {"ppo.mask_logits"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "true",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = FIX "has other KL than all figures until now"},
    {.id = "sft-epoch",
     .title = "start from and hold to an earlier checkpoint of fine-tuning",
     .key = {"ppo.model"},
     .to = {""},
     .value = REMEDY_VALUE_EPOCH,
     .target = REMEDY_KL,
     .tradeoff = "the earlier model imitates the demonstrations less closely; "
                 "its KL is to another reference, so beta means another thing"},
    {.id = "ppo.max_new_start",
     .title = "give replies the same room from the start",
     .key = {"ppo.max_new_start"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "0",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_KL,
     .tradeoff = FIX "writes long replies from its first iteration"},
    {.id = "ppo.max_new",
     .title = "cap replies where 95 % of the reference's have ended",
     .key = {"ppo.max_new"},
     .value = REMEDY_VALUE_CAP,
     .target = REMEDY_KL,
     .tradeoff = "one in twenty prompts may need more room than that and is "
                 "cut; per token the policy drifts as before"},
    {.id = "ppo.loss_aggregation",
     .title = "average losses over all tokens of a batch",
     .key = {"ppo.loss_aggregation"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "token-mean",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_LENGTH,
     .tradeoff = "long replies weigh more in each step, and the learning rate "
                 "may have to be found anew"},
    {.id = "ppo.file_order",
     .title = "shuffle the prompts",
     .key = {"ppo.file_order"},
     .value = REMEDY_VALUE_FIXED,
     .fixed = "false",
     .condition = REMEDY_IF_SET,
     .target = REMEDY_HUMAN,
     .tradeoff = FIX "no longer follows the order of the file, should that "
                     "have been meant"},
    /* ---- measurements ---- */
    {.id = "panel",
     .title = "have the pairs judged blind by a new panel",
     .command = "world judge --panel careful --seed 2 --data "
                "%s/eval/samples.jsonl --out %s/human/spotcheck.jsonl",
     .condition = REMEDY_IF_DESK,
     .tradeoff = "judgements cost people's time; the old ones are replaced and "
                 "should be kept elsewhere"},
    {.id = "eval",
     .title = "compare policy and reference on more prompts",
     .command = "eval %s",
     .tradeoff = "sampling only; blind votes and probes are about the old "
                 "samples and have to be made again"},
    {.id = "probe",
     .title = "ask the models what only they can answer",
     .command = "probe %s",
     .tradeoff = "a few minutes of computing; nothing is trained that stays"},
    {.id = "trace",
     .title = "train again with every iteration's rollouts on disk",
     .command = "ppo -c %s/ppo/config.yaml --set ppo.trace_every=1 --out "
                "%s/ppo --overwrite",
     .tradeoff = "a training run, in place of the one that is there, and its "
                 "rollouts take disk"},
};
const size_t remedy_row_count = sizeof remedy_rows / sizeof *remedy_rows;

#define PRICE "beta", "kl-budget", "kl-stop"
#define LENGTH "residual", "two-heads", "length-penalty", "relabel", "balance"

static const struct remedy_answer answers[] = {
    {"R0", {"best-of"}, {"interpolate"}},
    {"R1", {LENGTH}, {PRICE}},
    {"R2", {"relabel", LENGTH}, {PRICE}},
    {"R3", {PRICE}, {"fresh-labels", "ensemble"}},
    {"R4", {"k1-reward", "k2-loss"}, {"kl-stop"}},
    {"R5", {"ppo.beta_end", "ppo.score_norm", "beta"}, {"kl-budget"}},
    {"R6", {"ppo.value_freeze", "lambda"}, {"lambda", "kl-budget", "kl-stop"}},
    {"R7",
     {"ppo.log_temperature", "ppo.temperature", "eval"},
     {"ppo.temperature", "kl-stop"}},
    {"R8",
     {"ppo.mask_eos", "ppo.missing_eos"},
     {"ppo.missing_eos", "length-penalty"}},
    {"R9", {"sft-epoch"}, {"kl-budget", "kl-stop"}},
    {"R10", {"ppo.max_new_start", "ppo.max_new"}, {"length-penalty"}},
    {"R11", {"ppo.loss_aggregation"}, {LENGTH}},
    {"R12", {"ppo.file_order", "eval"}, {"kl-budget", "kl-stop"}},
    {"R13", {"panel"}, {"interpolate"}},
    {"R14", {"fresh-labels", "ensemble"}, {"kl-budget", "kl-stop"}},
    {"R15", {"ppo.mask_logits"}, {"kl-stop"}},
};

const struct remedy_row *remedy_table_find(const char *id)
{
    for (size_t i = 0; i < remedy_row_count; i++)
        if (strcmp(remedy_rows[i].id, id) == 0)
            return &remedy_rows[i];
    return NULL;
}

const struct remedy_answer *remedy_table_answer(const char *rival)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (strcmp(answers[i].rival, rival) == 0)
            return &answers[i];
    return NULL;
}

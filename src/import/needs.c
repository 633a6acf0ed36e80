#include "import/needs.h"

#include <string.h>

#include "import/quantities.h"

/* What is wanted, the cheapest to be had first. */
static const struct need {
    const char *id;
    unsigned any; // one of these bits is enough
    const char *what, *use;
    const char *note; // what would make it, whatever the trainer
} needs[] = {
    {"metrics", HAS_METRICS, "the step-level log",
     "when reward, KL and length moved", "the trainer's own log of metrics"},
    {"kl", HAS_KL, "a KL to the reference",
     "what the drift cost, and whether the penalty held it",
     "the KL the trainer computes for its penalty, logged"},
    {"settings", HAS_SETTINGS, "the trainer's settings",
     "whether the penalty could work as configured",
     "plumb lint CONFIG reads the configuration by itself"},
    {"texts", HAS_RESPONSE | HAS_TOKENS, "the responses that were trained on",
     "what the reward model paid for", "a dump of each step's rollouts"},
    {"scores", HAS_SCORE, "a score for each response",
     "what the reward model paid for",
     "a dump of each step's rollouts with their rewards"},
    {"lengths", HAS_LENGTH | HAS_MEAN_LENGTH, "response lengths in tokens",
     "whether KL and reward grew with length alone",
     "a field with the number of tokens, and --map n_tokens=FIELD"},
    {"finish", HAS_FINISH, "whether a response ended by itself",
     "whether EOS was unlearned or answers were cut",
     "a field with the reason, and --map finish=FIELD"},
    {"tokens", HAS_TOKENS, "token ids of the responses",
     "which tokens the KL was spent on",
     "a field with the ids, and --map "
     "tokens=FIELD"},
    {"logp_ref", HAS_LOGP_REF, "the reference's log-probabilities",
     "the price of each token, and the KL of each response",
     "no trainer that is read writes them: dump them beside the policy's, and "
     "--map logp_ref=FIELD"},
    {"heldout", HAS_POLICY, "held-out replies of the policy",
     "whether the reward rose on prompts it was not trained on",
     "answers of policy and reference to prompts kept apart"},
    {"reference", HAS_REFERENCE, "the reference's replies to the same prompts",
     "what the policy is compared with",
     "the same prompts answered by the model training began with"},
    {"human", HAS_HUMAN, "what people say", "whether answers got better",
     "plumb label: a blind spot-check of policy and reference"},
};

#define TRL_PPO "trl ppo"
#define N(a) (sizeof(a) / sizeof *(a))

/* The exact flag of a trainer, as its own source reads it; where that has none
 * NULL and why. */
static const struct way {
    const char *trainer, *id, *flag, *note;
} ways[] = {
    {"verl", "metrics", "trainer.logger='[\"console\",\"file\"]'", NULL},
    {"verl", "kl", "actor_rollout_ref.actor.use_kl_loss=True", NULL},
    {"verl", "texts", "trainer.rollout_data_dir=DIR", NULL},
    {"verl", "scores", "trainer.rollout_data_dir=DIR", NULL},
    {"verl", "lengths", "trainer.logger='[\"console\",\"file\"]'", NULL},
    {"verl", "heldout", "trainer.validation_data_dir=DIR", NULL},
    {"verl", "settings", NULL,
     "plumb import reads .hydra/config.yaml of the run's outputs beside the "
     "rest"},
    {"verl", "reference",
     "trainer.val_before_train=True trainer.validation_data_dir=DIR", NULL},
    {"verl", "finish", NULL,
     "decoded texts do not tell it: response_length/clip_ratio of the log is "
     "the share that was cut"},
    /* PPO writes no completion and no length to a file, whatever is set; the
     * table of samples goes to trackers only */
    {TRL_PPO, "texts", NULL,
     "TRL's PPO writes none to a file: export its table of samples (query, "
     "model response, score) from Weights & Biases or Comet, and plumb import "
     "trl it"},
    {TRL_PPO, "scores", NULL,
     "TRL's PPO writes none to a file: they are in the table of samples that "
     "Weights & Biases or Comet has"},
    {TRL_PPO, "lengths", NULL,
     "TRL's PPO logs none: write those of the responses beside them, and "
     "--map n_tokens=FIELD"},
    {TRL_PPO, "finish", NULL,
     "val/num_eos_tokens is all that TRL's PPO logs: compare it with the "
     "responses of a batch"},
    {"trl", "metrics", "--logging_steps 1 --save_strategy steps", NULL},
    /* GRPO loads no reference where it is 0, as it is by default */
    {"trl", "kl", "--beta 0.001", NULL},
    {"trl", "texts", "--log_completions True", NULL},
    {"trl", "scores", "--log_completions True", NULL},
    {"trl", "lengths", "--logging_steps 1", NULL},
    {"trl", "settings", NULL,
     "the JSON or YAML of its arguments, or the script that started it, beside "
     "the rest"},
    {"openrlhf", "settings", NULL,
     "the script that started it, or a JSON or YAML of its arguments, beside "
     "the rest"},
    {"openrlhf", "texts", NULL,
     "OpenRLHF writes none to a file: dump prompt, output and reward as JSON "
     "Lines where the experience is made, or in a remote reward function"},
    {"openrlhf", "scores", NULL,
     "OpenRLHF writes none to a file: dump prompt, output and reward as JSON "
     "Lines where the experience is made, or in a remote reward function"},
    {"openrlhf", "metrics",
     "--logger.tensorboard_dir DIR (older versions: --use_tensorboard DIR)",
     NULL},
    {"openrlhf", "kl",
     "--logger.tensorboard_dir DIR --algo.kl.init_coef 0.01 (older versions: "
     "--use_tensorboard DIR --init_kl_coef 0.01)",
     NULL},
    {"openrlhf", "lengths",
     "--logger.tensorboard_dir DIR (older versions: --use_tensorboard DIR)",
     NULL},
    {"nemo-rl", "metrics", "logger.tensorboard_enabled=true", NULL},
    {"nemo-rl", "kl",
     "loss_fn.reference_policy_kl_penalty=0.01 "
     "logger.tensorboard_enabled=true",
     NULL},
    {"nemo-rl", "texts", "logger.log_dir=DIR", NULL},
    {"nemo-rl", "scores", "logger.log_dir=DIR", NULL},
    {"nemo-rl", "heldout", "grpo.val_period=10", NULL},
    {"nemo-rl", "reference", "grpo.val_at_start=true", NULL},
    {"open-instruct", "texts", "--save_traces --rollouts_save_path DIR", NULL},
    {"open-instruct", "scores", "--save_traces --rollouts_save_path DIR", NULL},
    {"open-instruct", "tokens", "--save_traces --rollouts_save_path DIR", NULL},
    {"open-instruct", "metrics", NULL,
     "with --with_tracking they go to Weights & Biases and to no file"},
    {"open-instruct", "kl", NULL,
     "with --load_ref_policy True --with_tracking it goes to Weights & Biases "
     "and to no file"},
    /* the folder must be there */
    {"trlx", "texts", "train.rollout_logging_dir: DIR", NULL},
    {"trlx", "tokens", "train.rollout_logging_dir: DIR", NULL},
    {"trlx", "scores", NULL,
     "its rollouts have token ids alone or, in older versions, rewards that "
     "hold the KL term too; the mean is in train.tracker: tensorboard"},
    {"trlx", "metrics", "train.tracker: tensorboard, train.logging_dir: DIR",
     NULL},
    {"trlx", "kl", "train.tracker: tensorboard, train.logging_dir: DIR", NULL},
    {"deepspeed-chat", "metrics", "--enable_tensorboard --tensorboard_path DIR",
     NULL},
    {"deepspeed-chat", "texts", NULL,
     "DeepSpeed-Chat writes none to a file; --print_answers shows them in its "
     "log: dump them as JSON Lines where they are generated"},
    {"deepspeed-chat", "scores", NULL,
     "DeepSpeed-Chat writes none to a file: dump them beside the texts"},
    {"torchtune", "texts", NULL,
     "torchtune writes none to a file: dump them as JSON Lines in the recipe, "
     "which is made to be copied and changed"},
    {"torchtune", "scores", NULL,
     "torchtune writes none to a file: dump them beside the texts"},
    {"torchtune", "metrics",
     "metric_logger._component_=torchtune.training.metric_logging.DiskLogger "
     "metric_logger.log_dir=DIR",
     NULL},
    {"torchtune", "kl",
     "metric_logger._component_=torchtune.training.metric_logging.DiskLogger "
     "metric_logger.log_dir=DIR",
     NULL},
    {"tldr", "metrics", NULL,
     "the event files that it always writes: runs/{exp_name}__{seed}__{time}"},
    {"tldr", "kl", NULL,
     "the event files that it always writes: runs/{exp_name}__{seed}__{time}"},
};

/* TRL's trainers log different things, and can be asked for different ones. */
static const char *variant_of(const struct notes *n, const char *trainer)
{
    for (size_t i = 0; i < n->field_key.n && strcmp(trainer, "trl") == 0; i++) {
        const char *name = quantities_bare(trainer, n->field[i].from);
        if (strcmp(name, "objective/rlhf_reward") == 0 ||
            strcmp(name, "objective/scores") == 0 ||
            strcmp(name, "val/num_eos_tokens") == 0)
            return TRL_PPO;
    }
    return trainer;
}

static const struct way *way_of(const char *trainer, const char *id)
{
    for (size_t i = 0; i < N(ways); i++)
        if (strcmp(ways[i].trainer, trainer) == 0 &&
            strcmp(ways[i].id, id) == 0)
            return &ways[i];
    return NULL;
}

/* Rows that lie there in a form that is not read: what is wanted is no flag. */
static const char *refused(const struct notes *n, const struct need *x)
{
    bool is_of_rows =
        strcmp(x->id, "texts") == 0 || strcmp(x->id, "scores") == 0;
    for (size_t i = 0; i < n->warnings.n && is_of_rows; i++)
        if (strcmp(n->warnings.text[i].id, NOTES_PARQUET) == 0)
            return n->warnings.text[i].text;
    return NULL;
}

void needs_write(struct json_writer *w, const struct notes *n,
                 const char *trainer)
{
    const char *variant = variant_of(n, trainer);
    json_put_key(w, "missing");
    json_open(w, '[');
    for (size_t i = 0; i < N(needs); i++) {
        const struct need *x = &needs[i];
        const struct way *way = way_of(variant, x->id);
        const char *there = refused(n, x);
        const char *flag = way != NULL && there == NULL ? way->flag : NULL;
        const char *note = there != NULL ? there
                           : way != NULL ? way->note
                                         : x->note;
        if ((n->has & x->any) != 0)
            continue;
        json_open(w, '{');
        json_field_text(w, "id", x->id);
        json_field_text(w, "what", x->what);
        json_field_text(w, "for", x->use);
        json_field_text(w, "flag", flag);
        if (flag == NULL)
            json_field_text(w, "note", note);
        json_close(w, '}');
    }
    json_close(w, ']');
}

#include "import/needs.h"

#include <string.h>

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

#define N(a) (sizeof(a) / sizeof *(a))

/* The exact flag of a trainer. */
static const struct {
    const char *trainer, *id, *flag;
} flags[] = {
    {"verl", "metrics", "trainer.logger='[\"console\",\"file\"]'"},
    {"verl", "kl", "actor_rollout_ref.actor.use_kl_loss=True"},
    {"verl", "texts", "trainer.rollout_data_dir=DIR"},
    {"verl", "scores", "trainer.rollout_data_dir=DIR"},
    {"verl", "lengths", "trainer.logger='[\"console\",\"file\"]'"},
    {"verl", "heldout", "trainer.validation_data_dir=DIR"},
    {"verl", "reference",
     "trainer.val_before_train=True trainer.validation_data_dir=DIR"},
    {"trl", "metrics", "--logging_steps 1 --save_strategy steps"},
    {"trl", "kl", "--beta 0.04"},
    {"trl", "texts", "--log_completions True"},
    {"trl", "scores", "--log_completions True"},
    {"trl", "lengths", "--logging_steps 1"},
    {"openrlhf", "metrics", "--use_tensorboard DIR"},
    {"openrlhf", "kl", "--use_tensorboard DIR"},
    {"openrlhf", "lengths", "--use_tensorboard DIR"},
    {"nemo-rl", "metrics", "logger.tensorboard_enabled=true"},
    {"nemo-rl", "kl", "loss_fn.reference_policy_kl_penalty=0.01"},
    {"nemo-rl", "texts", "logger.log_dir=DIR"},
    {"nemo-rl", "scores", "logger.log_dir=DIR"},
    {"nemo-rl", "heldout", "grpo.val_period=10"},
    {"open-instruct", "texts", "--save_traces --rollouts_save_path DIR"},
    {"open-instruct", "scores", "--save_traces --rollouts_save_path DIR"},
    {"open-instruct", "tokens", "--save_traces --rollouts_save_path DIR"},
    {"open-instruct", "metrics", "--with_tracking"},
    {"open-instruct", "kl", "--beta 0.05"},
    {"trlx", "texts", "train.rollout_logging_dir: DIR"},
    {"trlx", "tokens", "train.rollout_logging_dir: DIR"},
    {"trlx", "scores", "train.rollout_logging_dir: DIR"},
    {"trlx", "metrics", "train.tracker: tensorboard"},
    {"trlx", "kl", "train.tracker: tensorboard"},
    {"deepspeed-chat", "metrics",
     "--enable_tensorboard --tensorboard_path DIR"},
    {"torchtune", "metrics",
     "metric_logger._component_=torchtune.training.metric_logging.DiskLogger"},
    {"torchtune", "kl",
     "metric_logger._component_=torchtune.training.metric_logging.DiskLogger"},
    {"tldr", "metrics", "--track"},
    {"tldr", "kl", "--track"},
};

static const char *flag_of(const char *trainer, const char *id)
{
    for (size_t i = 0; i < N(flags); i++)
        if (strcmp(flags[i].trainer, trainer) == 0 &&
            strcmp(flags[i].id, id) == 0)
            return flags[i].flag;
    return NULL;
}

void needs_write(struct json_writer *w, const struct notes *n,
                 const char *trainer)
{
    json_put_key(w, "missing");
    json_open(w, '[');
    for (size_t i = 0; i < N(needs); i++) {
        const struct need *x = &needs[i];
        const char *flag = flag_of(trainer, x->id);
        if ((n->has & x->any) != 0)
            continue;
        json_open(w, '{');
        json_field_text(w, "id", x->id);
        json_field_text(w, "what", x->what);
        json_field_text(w, "for", x->use);
        json_field_text(w, "flag", flag);
        if (flag == NULL)
            json_field_text(w, "note", x->note);
        json_close(w, '}');
    }
    json_close(w, ']');
}

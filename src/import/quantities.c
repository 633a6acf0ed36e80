#include "import/quantities.h"

#include <math.h>
#include <string.h>

#include "import/value.h"
#include "io/flat.h"

/* ---- metrics ------------------------------------------------------------ */

#define PLAIN(trainer, from, to, unit, note)                                   \
    {                                                                          \
        trainer, from, to, unit, note, NULL, NULL, NULL, NULL, NULL            \
    }
#define POLICY_REF "log policy - log reference"
#define OLD_NEW "log old - log new"
#define NEW_OLD "log new - log old"
#define SEQ "nats/sequence"
#define TOK "nats/token"

static const struct quantity table[] = {
    /* what anybody means, where no trainer is known (a table of metrics) */
    {"", "kl", NULL, "nats",
     "whose, how it is estimated and added up is not said", "reference",
     "unknown", "unknown", "unknown", POLICY_REF},
    PLAIN("", "reward", "objective/scores", "score", NULL),
    PLAIN("", "score", "objective/scores", "score", NULL),
    PLAIN("", "response_length", "response/length", "tokens", NULL),
    PLAIN("", "completion_length", "response/length", "tokens", NULL),
    PLAIN("", "entropy", "policy/entropy_avg", TOK, NULL),
    /* TRL, PPO of trl.experimental and its kind */
    {"trl", "objective/kl", "objective/kl", SEQ,
     "mean over sequences of the sum over tokens; the estimator is "
     "kl_estimator, k1 by default",
     "reference", "unknown", "sequence_sum", "reward", POLICY_REF},
    {"trl", "policy/approxkl_avg", NULL, TOK,
     "of the update, half the mean square; unmasked where #6809 is not fixed",
     "update", "k2", "token_mean", "metric", NEW_OLD},
    {"trl", "ppo/policy/approxkl", NULL, TOK, NULL, "update", "k2",
     "token_mean", "metric", NEW_OLD},
    {"trl", "ppo/policy/policykl", NULL, TOK, "may be negative", "update", "k1",
     "token_mean", "metric", OLD_NEW},
    {"trl", "kl", NULL, TOK,
     "mean over tokens; of GRPO k3 in the loss, of RLOO k1 in the reward",
     "reference", "unknown", "token_mean", "unknown", POLICY_REF},
    PLAIN("trl", "objective/entropy", NULL, SEQ,
          "-log policy summed over the sequence: no entropy of states"),
    PLAIN("trl", "objective/non_score_reward", NULL, "score/sequence",
          "-kl_coef times the KL"),
    PLAIN("trl", "objective/rlhf_reward", NULL, "score/sequence",
          "scores plus non_score_reward, whatever the documentation says"),
    PLAIN("trl", "objective/scores", "objective/scores", "score",
          "after the penalty for a missing EOS"),
    PLAIN("trl", "ppo/mean_scores", "objective/scores", "score", NULL),
    PLAIN("trl", "val/num_eos_tokens", NULL, "EOS tokens",
          "in the step's responses; fewer of them: answers no longer end"),
    PLAIN("trl", "objective/kl_coef", "kl/beta", "score/nat", NULL),
    PLAIN("trl", "policy/clipfrac_avg", "policy/clipfrac_avg",
          "share of tokens", NULL),
    PLAIN("trl", "policy/entropy_avg", "policy/entropy_avg", TOK, NULL),
    PLAIN("trl", "ppo/policy/entropy", "policy/entropy_avg", TOK, NULL),
    PLAIN("trl", "loss/policy_avg", "loss/policy_avg", "loss", NULL),
    PLAIN("trl", "loss/value_avg", "loss/value_avg", "loss", NULL),
    PLAIN("trl", "ppo/val/var_explained", "value/explained_variance", "share",
          NULL),
    PLAIN("trl", "tokens/responses_len_mean", "response/length", "tokens",
          NULL),
    PLAIN("trl", "reward", "objective/scores", "score",
          "GRPO, RLOO: weighted sum of the reward functions"),
    PLAIN("trl", "completions/mean_length", "response/length", "tokens", NULL),
    PLAIN("trl", "entropy", "policy/entropy_avg", TOK, NULL),
    PLAIN("trl", "reward_std", NULL, "score",
          "GRPO, RLOO: standard deviation within a group"),
    PLAIN("trl", "num_tokens", NULL, "tokens", "so far"),
    PLAIN("trl", "grad_norm", NULL, NULL, "before it is clipped"),
    PLAIN("trl", "learning_rate", NULL, NULL, NULL),
    PLAIN("trl", "completions/clipped_ratio", NULL, "share of responses",
          "ended at the length limit"),
    /* verl */
    {"verl", "actor/reward_kl_penalty", NULL, TOK,
     "mean over sequences of their token means", "reference", "unknown",
     "token_mean", "reward", POLICY_REF},
    {"verl", "actor/kl_loss", NULL, TOK,
     "before its coefficient; the estimator is kl_loss_type, low_var_kl by "
     "default",
     "reference", "unknown", "token_mean", "loss", POLICY_REF},
    {"verl", "critic/kl", NULL, TOK,
     "up to 0.3: mean over sequences of their token means; the estimator is "
     "kl_penalty",
     "reference", "unknown", "token_mean", "reward", POLICY_REF},
    PLAIN("verl", "critic/kl_coeff", "kl/beta", "score/nat", "up to 0.3"),
    PLAIN("verl", "actor/kl_coef", NULL, "loss/nat", "of actor/kl_loss"),
    {"verl", "actor/ppo_kl", NULL, TOK, "of the update; may be negative",
     "update", "k1", "token_mean", "metric", OLD_NEW},
    {"verl", "training/rollout_probs_diff_mean", NULL, "probability",
     "of the engine that samples against the one that trains", "engine",
     "unknown", "token_mean", "metric", "sampler - trainer"},
    PLAIN("verl", "critic/score/mean", "objective/scores", "score",
          "before the KL penalty"),
    PLAIN("verl", "critic/rewards/mean", NULL, "score", "after the KL penalty"),
    PLAIN("verl", "response_length/mean", "response/length", "tokens", NULL),
    PLAIN("verl", "response_length/clip_ratio", NULL, "share of responses",
          "ended at the length limit"),
    PLAIN("verl", "actor/entropy", "policy/entropy_avg", TOK, NULL),
    PLAIN("verl", "actor/entropy_loss", "policy/entropy_avg", TOK, NULL),
    PLAIN("verl", "actor/pg_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("verl", "actor/pg_clipfrac", "policy/clipfrac_avg", "share of tokens",
          NULL),
    PLAIN("verl", "actor/reward_kl_penalty_coeff", "kl/beta", "score/nat",
          NULL),
    PLAIN("verl", "critic/vf_loss", "loss/value_avg", "loss", NULL),
    PLAIN("verl", "critic/vf_explained_var", "value/explained_variance",
          "share", NULL),
    /* OpenRLHF */
    {"openrlhf", "kl", NULL, TOK,
     "the estimator is kl_estimator, k1 by default; in the loss where use_loss "
     "says so",
     "reference", "unknown", "token_mean", "unknown", POLICY_REF},
    {"openrlhf", "ppo_kl", NULL, TOK, "of the update; may be negative",
     "update", "k1", "token_mean", "metric", OLD_NEW},
    {"openrlhf", "vllm_kl", NULL, TOK,
     "of the engine that samples against the one that trains", "engine",
     "unknown", "token_mean", "metric", "sampler - trainer"},
    PLAIN("openrlhf", "reward", "objective/scores", "score", NULL),
    PLAIN("openrlhf", "response_length", "response/length", "tokens", NULL),
    PLAIN("openrlhf", "policy_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("openrlhf", "critic_loss", "loss/value_avg", "loss", NULL),
    PLAIN("openrlhf", "ppo_clip_ratio", "policy/clipfrac_avg",
          "share of tokens", NULL),
    PLAIN("openrlhf", "return", NULL, "score", "after the KL penalty"),
    PLAIN("openrlhf", "truncated", NULL, "share of responses",
          "ended at the length limit"),
    /* NeMo-RL */
    {"nemo-rl", "kl_penalty", NULL, TOK, "before its coefficient", "reference",
     "k3", "token_mean", "loss", POLICY_REF},
    {"nemo-rl", "gen_kl_error", NULL, TOK,
     "of the engine that samples against the one that trains", "engine",
     "unknown", "token_mean", "metric", "sampler - trainer"},
    PLAIN("nemo-rl", "reward", "objective/scores", "score", NULL),
    PLAIN("nemo-rl", "mean_gen_tokens_per_sample", "response/length", "tokens",
          NULL),
    /* open-instruct */
    {"open-instruct", "objective/kl", "objective/kl", SEQ, "old PPO",
     "reference", "k1", "sequence_sum", "reward", POLICY_REF},
    {"open-instruct", "objective/kl0_avg", NULL, TOK, NULL, "reference", "k1",
     "token_mean", "loss", POLICY_REF},
    {"open-instruct", "objective/kl1_avg", NULL, TOK, NULL, "reference", "k2",
     "token_mean", "loss", POLICY_REF},
    {"open-instruct", "objective/kl2_avg", NULL, TOK, NULL, "reference", "k3",
     "token_mean", "loss", POLICY_REF},
    {"open-instruct", "objective/kl3_avg", NULL, TOK, NULL, "reference",
     "unknown", "token_mean", "loss", POLICY_REF},
    PLAIN("open-instruct", "objective/scores", "objective/scores", "score",
          NULL),
    PLAIN("open-instruct", "val/sequence_lengths", "response/length", "tokens",
          NULL),
    PLAIN("open-instruct", "policy/entropy_avg", "policy/entropy_avg", TOK,
          NULL),
    PLAIN("open-instruct", "loss/policy_avg", "loss/policy_avg", "loss", NULL),
    /* trlx */
    {"trlx", "policy/sqrt_kl", NULL, "sqrt(nats/sequence)",
     "root of the mean of reversed k3 sums, prompt tokens among them",
     "reference", "k3", "sequence_sum", "reward",
     "log reference - log policy (reversed)"},
    {"trlx", "policy/kl_per_token", NULL, TOK,
     "reversed k3, prompt tokens among them", "reference", "k3", "token_mean",
     "reward", "log reference - log policy (reversed)"},
    {"trlx", "policy/approx_kl", NULL, TOK, "of the update", "update", "k3",
     "token_mean", "metric", NEW_OLD},
    PLAIN("trlx", "rollout_scores/mean", "objective/scores", "score", NULL),
    PLAIN("trlx", "kl_ctl_value", "kl/beta", "score/nat", NULL),
    PLAIN("trlx", "losses/policy_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("trlx", "losses/value_loss", "loss/value_avg", "loss", NULL),
    /* torchtune */
    {"torchtune", "kl", NULL, "nats",
     "as its recipe logs it; its aggregate is not said", "reference", "k1",
     "unknown", "reward", POLICY_REF},
    {"torchtune", "approx_policy_kl", NULL, TOK, "of the update", "update",
     "k2", "token_mean", "metric", NEW_OLD},
    PLAIN("torchtune", "scores", "objective/scores", "score", NULL),
    PLAIN("torchtune", "response_lengths", "response/length", "tokens", NULL),
    PLAIN("torchtune", "policy_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("torchtune", "value_loss", "loss/value_avg", "loss", NULL),
    PLAIN("torchtune", "clipfrac", "policy/clipfrac_avg", "share of tokens",
          NULL),
    /* DeepSpeed-Chat: neither KL nor length is logged */
    PLAIN("deepspeed-chat", "reward", "objective/scores", "score",
          "average over the batch, before the KL penalty"),
    PLAIN("deepspeed-chat", "actor_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("deepspeed-chat", "critic_loss", "loss/value_avg", "loss", NULL),
    /* summarize-from-feedback details and lm-human-preference details */
    {"tldr", "approxkl", NULL, TOK, "of the update, half the mean square",
     "update", "k2", "token_mean", "metric", NEW_OLD},
    {"tldr", "objective/kl", "objective/kl", SEQ, NULL, "reference", "k1",
     "sequence_sum", "reward", POLICY_REF},
    {"tldr", "ppo/policy/approxkl", NULL, TOK, "of the update", "update", "k2",
     "token_mean", "metric", NEW_OLD},
    PLAIN("tldr", "pg_loss", "loss/policy_avg", "loss", NULL),
    PLAIN("tldr", "pg_clipfrac", "policy/clipfrac_avg", "share of tokens",
          NULL),
    PLAIN("tldr", "objective/scores", "objective/scores", "score", NULL),
    PLAIN("tldr", "objective/kl_coef", "kl/beta", "score/nat", NULL),
    /* NeMo-Aligner, safe-rlhf: by their event files */
    {"nemo-aligner", "train_rollouts/init_policy_kl", NULL, TOK, NULL,
     "reference", "k1", "token_mean", "reward", POLICY_REF},
    PLAIN("nemo-aligner", "train_rollouts/rewards", "objective/scores", "score",
          NULL),
    PLAIN("nemo-aligner", "train_rollouts/response_lengths", "response/length",
          "tokens", NULL),
    {"safe-rlhf", "train/kl_divergence", NULL, SEQ, NULL, "reference", "k1",
     "sequence_sum", "reward", POLICY_REF},
    PLAIN("safe-rlhf", "train/mean_generated_length", "response/length",
          "tokens", NULL),
    PLAIN("safe-rlhf", "train/reward", "objective/scores", "score", NULL),
    /* a GRPO text log of groups */
    PLAIN("grpo-log", "reward", "objective/scores", "score",
          "mean of the step's group"),
    PLAIN("grpo-log", "loss", "loss/policy_avg", "loss", NULL),
};

#define N(a) (sizeof(a) / sizeof *(a))

/* Trackers of these put "train/" in front. */
const char *quantities_bare(const char *trainer, const char *name)
{
    static const char *const all[] = {"openrlhf", "trl", "nemo-rl"};
    for (size_t i = 0; i < N(all); i++)
        if (strcmp(trainer, all[i]) == 0 && strncmp(name, "train/", 6) == 0)
            return name + 6;
    return name;
}

/* Do two rows mean one thing? */
static bool is_alike(const struct quantity *a, const struct quantity *b)
{
    return (a->kind == b->kind && a->to == b->to) ||
           (a->to != NULL && b->to != NULL && strcmp(a->to, b->to) == 0);
}

const struct quantity *quantities_find(const char *trainer, const char *name)
{
    const struct quantity *found = NULL;
    for (size_t i = 0; i < N(table); i++) {
        const struct quantity *q = &table[i];
        if (trainer[0] != '\0' && strcmp(q->trainer, trainer) != 0)
            continue;
        if (strcmp(q->from, quantities_bare(trainer, name)) != 0)
            continue;
        if (trainer[0] != '\0' || q->trainer[0] == '\0')
            return q;
        /* Without a trainer a name must have a folder in it and one meaning. */
        if (strchr(name, '/') == NULL)
            continue;
        if (found != NULL && !is_alike(found, q))
            return NULL;
        found = found != NULL ? found : q;
    }
    return found;
}

/* Is it a word that anybody uses? */
static bool is_common(const char *name)
{
    for (size_t i = 0; i < N(table) && table[i].trainer[0] == '\0'; i++)
        if (strcmp(table[i].from, name) == 0)
            return true;
    return false;
}

/* How many of the names the trainer of row `from` has, 0 where all of them are
 * anybody's; *to is the row of the next one. */
static size_t count_names(size_t *to, size_t from, const struct names *names)
{
    const char *trainer = table[from].trainer;
    size_t found = 0, own = 0;
    for (*to = from; *to < N(table); ++*to) {
        if (strcmp(table[*to].trainer, trainer) != 0)
            break;
        for (size_t k = 0; k < names->n; k++) {
            const char *name = names->text[k];
            if (strcmp(quantities_bare(trainer, name), table[*to].from) != 0)
                continue;
            found++;
            own += !is_common(name);
        }
    }
    return own > 0 ? found : 0;
}

const char *quantities_guess(const struct names *names)
{
    const char *best = "";
    size_t most = 1; // one name is no sign
    for (size_t from = 0, to; from < N(table); from = to) {
        size_t found = count_names(&to, from, names);
        if (table[from].trainer[0] == '\0' || found < most)
            continue;
        best = found > most ? table[from].trainer : "";
        most = found;
    }
    return best;
}

enum status quantities_note_kl(struct notes *n, const struct quantity *q,
                               const char *name, struct err *err)
{
    const struct notes_kl kl = {.name = name,
                                .kind = q->kind,
                                .estimator = q->estimator,
                                .aggregate = q->aggregate,
                                .where = q->where,
                                .sign = q->sign,
                                .unit = q->unit,
                                .note = q->note};
    return notes_kl(n, &kl, err);
}

/* ---- settings ----------------------------------------------------------- */

static const struct {
    const char *trainer, *key, *ours;
} settings[] = {
    {"trl", "kl_coef", "ppo.beta"},
    {"trl", "gamma", "ppo.gamma"},
    {"trl", "lam", "ppo.lambda"},
    {"trl", "vf_coef", "ppo.value_coef"},
    {"trl", "cliprange_value", "ppo.value_clip"},
    {"trl", "num_ppo_epochs", "ppo.epochs"},
    {"trl", "learning_rate", "ppo.lr"},
    {"trl", "temperature", "ppo.temperature"},
    {"verl", "algorithm.kl_ctrl.kl_coef", "ppo.beta"},
    {"verl", "algorithm.gamma", "ppo.gamma"},
    {"verl", "algorithm.lam", "ppo.lambda"},
    {"verl", "actor_rollout_ref.actor.ppo_epochs", "ppo.epochs"},
    {"verl", "actor_rollout_ref.rollout.temperature", "ppo.temperature"},
    {"openrlhf", "init_kl_coef", "ppo.beta"},
    {"openrlhf", "algo.kl.init_coef", "ppo.beta"},
    {"openrlhf", "gamma", "ppo.gamma"},
    {"openrlhf", "algo.advantage.gamma", "ppo.gamma"},
    {"openrlhf", "lambd", "ppo.lambda"},
    {"openrlhf", "algo.advantage.lambd", "ppo.lambda"},
    {"openrlhf", "rollout.temperature", "ppo.temperature"},
    {"trlx", "method.init_kl_coef", "ppo.beta"},
    {"trlx", "method.gamma", "ppo.gamma"},
    {"trlx", "method.lam", "ppo.lambda"},
    {"trlx", "method.ppo_epochs", "ppo.epochs"},
    {"tldr", "reward.kl_coef", "ppo.beta"},
    {"tldr", "ppo.gamma", "ppo.gamma"},
    {"tldr", "ppo.lam", "ppo.lambda"},
    {"tldr", "ppo.vf_coef", "ppo.value_coef"},
    {"tldr", "ppo.noptepochs", "ppo.epochs"},
    {"tldr", "task.temperature", "ppo.temperature"},
};

/* Is one of the keys (ended by NULL) among the settings, and true? */
static bool says(const struct flat *f, const char *const *keys, bool *is_true)
{
    bool is_there = false;
    *is_true = false;
    for (size_t g = 0; f != NULL && g < f->n_groups; g++)
        for (size_t k = 0; keys[k] != NULL; k++) {
            const struct flat_entry *e = flat_find(f, g, keys[k]);
            double x = 0;
            if (e == NULL || e->text == NULL)
                continue;
            is_there = true;
            *is_true = *is_true || (value_text_bool(&x, e->text) && x != 0) ||
                       strcmp(e->text, "1") == 0;
        }
    return is_there;
}

/* Is the coefficient that of a penalty in the reward, as ours is?  In the loss
 * it weighs a mean over tokens.  verl up to 0.3 had no use_kl_in_reward: its
 * penalty was in the reward unless it was in the loss. */
static bool is_of_reward(const char *trainer, const struct flat *all)
{
    static const char *const reward[] = {"algorithm.use_kl_in_reward", NULL};
    static const char *const loss[] = {"actor_rollout_ref.actor.use_kl_loss",
                                       "algo.kl.use_loss", "use_kl_loss", NULL};
    bool is_true, is_verl = strcmp(trainer, "verl") == 0;
    if (is_verl && says(all, reward, &is_true))
        return is_true;
    bool is_there = says(all, loss, &is_true);
    return !is_true && (!is_verl || is_there);
}

const char *quantities_setting(const char *trainer, const char *key,
                               const struct flat *all)
{
    for (size_t i = 0; i < N(settings); i++)
        if (strcmp(settings[i].trainer, trainer) == 0 &&
            strcmp(settings[i].key, key) == 0)
            return strcmp(settings[i].ours, "ppo.beta") != 0 ||
                           is_of_reward(trainer, all)
                       ? settings[i].ours
                       : NULL;
    return NULL;
}

/* ---- what known versions get wrong -------------------------------------- */

/* A mean that cannot be below 0 is so now and then where it is near 0, as in a
 * run's first steps: one value in ten is another thing. */
#define NEGATIVE_ONE_IN 10

enum when {
    ALWAYS,
    NEGATIVE,
    NOT_FINITE_OR_HUGE,
};

static const struct {
    const char *trainer, *name;
    enum when when;
    const char *id, *text;
} traps[] = {
    {"trl", "objective/entropy", NEGATIVE, "trl_entropy_of_pads",
     "objective/entropy are negative: TRL's PPO before #6121 adds -1 to it for "
     "every pad token, so short answers make it sink; it says nothing of the "
     "policy (#2022, #2281, #2496)"},
    {"trl", "policy/approxkl_avg", ALWAYS, "trl_unmasked_diagnostics",
     "policy/approxkl_avg, policy/entropy_avg and val/ratio of TRL's PPO are "
     "means over pads too where #6809 is not fixed: they shrink when answers "
     "get shorter"},
    {"trl", "objective/kl", NEGATIVE, "trl_negative_kl",
     "objective/kl are negative: over many sequences k1 to the reference "
     "cannot be, unless the answers were not drawn from the policy it is "
     "computed with; top_k, top_p, temperature or min_length of generation "
     "differ from those of the log-probabilities (TRL #925, #1002)"},
    {"trl", "objective/rlhf_reward", ALWAYS, "trl_rlhf_reward_sign",
     "objective/rlhf_reward is scores + non_score_reward; TRL's documentation "
     "says minus"},
    {"trlx", "policy/sqrt_kl", ALWAYS, "trlx_kl_reversed",
     "trlx's KL is k3 with policy and reference exchanged, summed over prompt "
     "tokens too: not comparable with another trainer's"},
    {"verl", "actor/kl_loss", NOT_FINITE_OR_HUGE, "verl_low_var_kl_overflow",
     "actor/kl_loss overflows: low_var_kl of verl before it was clamped gives "
     "infinities and NaN gradients (#721, #747, #751, #891)"},
    {"torchtune", "rlhf_reward", ALWAYS, "torchtune_whiten",
     "torchtune's whiten(shift_mean=True) adds the mean back, so that "
     "advantages are scaled but never centred"},
};

enum status quantities_judge(struct notes *n, const char *trainer,
                             const char *name, const struct quantity_range *x,
                             struct err *err)
{
    for (size_t i = 0; i < N(traps); i++) {
        bool is_so =
            traps[i].when == ALWAYS ||
            (traps[i].when == NEGATIVE &&
             x->negative * NEGATIVE_ONE_IN >= x->n && x->negative > 0) ||
            (traps[i].when == NOT_FINITE_OR_HUGE &&
             (x->not_finite > 0 || x->high > 1e4));
        if (!is_so || strcmp(traps[i].trainer, trainer) != 0 ||
            strcmp(traps[i].name, quantities_bare(trainer, name)) != 0)
            continue;
        if (traps[i].when == NEGATIVE)
            TRY(notes_warn(n, traps[i].id, x->negative, err,
                           "%zu of %zu values of %s", x->negative, x->n,
                           traps[i].text));
        else
            TRY(notes_warn(n, traps[i].id, 1, err, "%s", traps[i].text));
    }
    return OK;
}

/* Whose settings these are. */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "diagnose/lint_internal.h"

#define MARKS_MAX 24
#define STRONG '!' // in front of a key that hardly anybody else has

/* How a trainer is recognised: words of its command line, and keys. */
static const struct who {
    const char *id, *name, *assumed;
    const char *words[6];
    const char *keys[MARKS_MAX];
} who[LINT_TRAINERS] = {
    [LINT_TRL_PPO] = {"trl-ppo",
                      "PPOTrainer of TRL",
                      "TRL 1.9.0",
                      {"trl ppo", "/ppo.py", "ppo_tldr.py"},
                      {"!kl_estimator", "!missing_eos_penalty",
                       "!num_ppo_epochs", "!local_rollout_forward_batch_size",
                       "!response_length", "!num_sample_generations",
                       "!stop_token", "kl_coef", "num_mini_batches",
                       "cliprange", "cliprange_value", "whiten_rewards",
                       "vf_coef", "lam", "total_episodes", "reward_model_path",
                       "sft_model_path"}},
    [LINT_TRL_PPO_CLASSIC] = {"trl-ppo-classic",
                              "PPOTrainer of TRL, up to 0.11",
                              "TRL 0.11.4",
                              {NULL},
                              {"!adap_kl_ctrl",
                               "!ppo_epochs",
                               "!ratio_threshold",
                               "!compare_steps",
                               "!use_score_scaling",
                               "!use_score_norm",
                               "!tracker_project_name",
                               "init_kl_coef",
                               "kl_penalty",
                               "horizon",
                               "target",
                               "cliprange",
                               "cliprange_value",
                               "vf_coef",
                               "lam",
                               "mini_batch_size",
                               "log_with",
                               "whiten_rewards",
                               "early_stopping",
                               "target_kl",
                               "score_clip"}},
    [LINT_TRL_GRPO] = {"trl-grpo",
                       "GRPOTrainer of TRL",
                       "TRL 1.9.0",
                       {"trl grpo", "/grpo.py", "GRPO"},
                       {"!num_generations", "!max_completion_length",
                        "!scale_rewards", "!use_bias_correction_kl",
                        "!importance_sampling_level",
                        "!mask_truncated_completions", "!num_iterations",
                        "!epsilon_high", "!steps_per_generation", "beta",
                        "loss_type", "epsilon", "delta", "sync_ref_model",
                        "use_vllm", "reward_weights", "vllm_mode"}},
    [LINT_TRL_RLOO] = {"trl-rloo",
                       "RLOOTrainer of TRL",
                       "TRL 1.9.0",
                       {"trl rloo", "/rloo.py", "RLOO"},
                       {"!num_generations", "!max_completion_length",
                        "!normalize_advantages", "!reward_clip_range",
                        "!mask_truncated_completions", "!num_iterations",
                        "!epsilon_high", "!steps_per_generation", "beta",
                        "epsilon", "sync_ref_model", "use_vllm",
                        "reward_weights", "vllm_mode"}},
    [LINT_TRL_RLOO_CLASSIC] = {"trl-rloo-classic",
                               "RLOOTrainer of TRL, up to 0.21",
                               "TRL 0.21.0",
                               {"rloo_tldr.py"},
                               {"!rloo_k", "!token_level_kl",
                                "!normalize_reward", "!missing_eos_penalty",
                                "!num_ppo_epochs",
                                "!local_rollout_forward_batch_size",
                                "!response_length", "!num_sample_generations",
                                "!stop_token", "kl_coef", "num_mini_batches",
                                "cliprange", "total_episodes",
                                "reward_model_path", "sft_model_path"}},
    [LINT_TRL_OFFLINE] =
        {"trl-dpo",
         "a trainer of TRL without rollouts (DPO, SFT, reward model)",
         "TRL 1.9.0",
         {"trl dpo", "trl sft", "trl reward", "/dpo.py", "/sft.py",
          "/reward_modeling.py"},
         {"!precompute_ref_log_probs", "!label_smoothing", "!rpo_alpha",
          "!reference_free", "!center_rewards_coefficient",
          "!f_divergence_type", "!use_weighting", "!completion_only_loss",
          "!assistant_only_loss", "!dpo_alpha", "!ld_alpha", "beta",
          "loss_type", "max_length", "max_prompt_length", "packing",
          "padding_free"}},
    [LINT_OPENRLHF] =
        {"openrlhf",
         "OpenRLHF",
         "OpenRLHF 0.11.0",
         {"openrlhf.cli.train_ppo"},
         {"!algo.kl.init_coef", "!algo.kl.use_loss", "!algo.kl.estimator",
          "!algo.kl.target", "!algo.kl.horizon", "!algo.advantage.estimator",
          "!actor.adam.lr", "!actor.model_name_or_path", "!rollout.batch_size",
          "!reward.clip_range", "!rollout.n_samples_per_prompt",
          "!actor.eps_clip", "!train.colocate_all", "!vllm.num_engines",
          "!reward.remote_url", "!data.prompt_dataset", "train.batch_size",
          "train.max_epochs", "rollout.temperature"}},
    [LINT_OPENRLHF_FLAT] = {"openrlhf-flat",
                            "OpenRLHF, up to 0.10.1",
                            "OpenRLHF 0.9.10",
                            {"openrlhf.cli.train_ppo"},
                            {"!rollout_batch_size",
                             "!micro_rollout_batch_size",
                             "!micro_train_batch_size",
                             "!actor_learning_rate",
                             "!prompt_data",
                             "!n_samples_per_prompt",
                             "!advantage_estimator",
                             "!kl_horizon",
                             "!use_kl_estimator_k3",
                             "!colocate_all_models",
                             "!vllm_num_engines",
                             "!remote_rm_url",
                             "!reward_pretrain",
                             "!critic_pretrain",
                             "init_kl_coef",
                             "kl_target",
                             "kl_estimator",
                             "use_kl_loss",
                             "train_batch_size",
                             "eps_clip",
                             "lambd",
                             "pretrain",
                             "max_epochs"}},
    [LINT_OPENRLHF_OFFLINE] =
        {"openrlhf-dpo",
         "a trainer of OpenRLHF without rollouts (DPO, SFT, reward model)",
         "OpenRLHF 0.11.0",
         {"openrlhf.cli.train_dpo", "openrlhf.cli.train_sft",
          "openrlhf.cli.train_rm", "openrlhf.cli.train_kto"},
         {"micro_train_batch_size", "train_batch_size", "pretrain",
          "max_epochs"}},
    [LINT_VERL] = {"verl",
                   "verl",
                   "verl 0.9.0",
                   {"verl.trainer.main_ppo", "main_dapo", "verl.trainer.main"},
                   {"!actor_rollout_ref.actor.use_kl_loss",
                    "!actor_rollout_ref.actor.kl_loss_coef",
                    "!actor_rollout_ref.actor.kl_loss_type",
                    "!actor_rollout_ref.actor.ppo_mini_batch_size",
                    "!actor_rollout_ref.actor.optim.lr",
                    "!actor_rollout_ref.actor.loss_agg_mode",
                    "!actor_rollout_ref.actor.ppo_epochs",
                    "!actor_rollout_ref.actor.clip_ratio",
                    "!actor_rollout_ref.actor.clip_ratio_high",
                    "!actor_rollout_ref.model.path",
                    "!actor_rollout_ref.rollout.n",
                    "!actor_rollout_ref.rollout.name",
                    "!actor_rollout_ref.rollout.temperature",
                    "!algorithm.adv_estimator",
                    "!algorithm.use_kl_in_reward",
                    "!algorithm.kl_penalty",
                    "!algorithm.kl_ctrl.kl_coef",
                    "!algorithm.kl_ctrl.type",
                    "data.train_batch_size",
                    "data.max_response_length",
                    "trainer.total_epochs",
                    "algorithm.gamma",
                    "algorithm.lam"}},
};

const char *lint_trainer_id(enum lint_trainer t)
{
    return who[t].id;
}

const char *lint_trainer_name(enum lint_trainer t)
{
    return who[t].name;
}

const char *lint_assumed(enum lint_trainer t)
{
    return who[t].assumed;
}

/* ---- one command -------------------------------------------------------- */

/* The entries of a command.  Weights & Biases puts "value" into every key. */
static enum status take_entries(struct lint_case *c, const struct flat *f,
                                size_t first, size_t n, struct err *err)
{
    c->n = n;
    TRY(ARENA_NEW(&c->scratch, c->entry, n + 1, err));
    for (size_t i = 0; i < n; i++) {
        const struct flat_entry *e = &f->entry[first + i];
        const char *dot = strchr(e->key, '.');
        c->entry[i] =
            (struct lint_entry){e->key, e->text, e->is_unknown, e->line};
        bool is_boxed = f->syntax == FLAT_YAML && dot != NULL &&
                        strncmp(dot, ".value", 6) == 0 &&
                        (dot[6] == '\0' || dot[6] == '.');
        if (!is_boxed)
            continue;
        size_t front = (size_t)(dot - e->key), back = strlen(dot + 6);
        char *key;
        TRY(ARENA_NEW(&c->scratch, key, front + back + 1, err));
        memcpy(key, e->key, front);
        memcpy(key + front, dot + 6, back + 1);
        c->entry[i].key = key;
    }
    return OK;
}

/* How long what stands before `mark` in a key is, its dot with it; SIZE_MAX
 * when the key does not end so. */
static size_t prefix_length(const char *key, size_t len, const char *mark)
{
    size_t n = strlen(mark);
    if (n > len || strcmp(key + len - n, mark) != 0)
        return SIZE_MAX;
    return n == len || key[len - n - 1] == '.' ? len - n : SIZE_MAX;
}

/* The best section for a trainer's keys and its score. */
struct fit {
    double score;
    const char *prefix;
};

static double weight(const char *mark)
{
    return *mark == STRONG ? 4 : 1;
}

/* Score each section that holds one of the keys; a key that stands there
 * several times counts once, being the same. */
static enum status fit_keys(struct fit *best, struct lint_case *c,
                            enum lint_trainer t, struct err *err)
{
    struct names prefixes = {.text = NULL};
    double *score;
    uint32_t *seen;
    enum status status = OK;
    TRY_DONE(ARENA_NEW(&c->scratch, score, c->n + 1, err));
    TRY_DONE(ARENA_NEW(&c->scratch, seen, c->n + 1, err));
    memset(score, 0, (c->n + 1) * sizeof *score);
    memset(seen, 0, (c->n + 1) * sizeof *seen);
    for (size_t i = 0; i < c->n; i++) {
        size_t len = strlen(c->entry[i].key);
        for (size_t k = 0; k < MARKS_MAX && who[t].keys[k] != NULL; k++) {
            const char *mark = who[t].keys[k];
            size_t n =
                prefix_length(c->entry[i].key, len, mark + (*mark == STRONG));
            char prefix[FLAT_KEY_MAX];
            size_t p;
            if (n == SIZE_MAX || n >= sizeof prefix)
                continue;
            memcpy(prefix, c->entry[i].key, n);
            prefix[n] = '\0';
            TRY_DONE(names_add(&prefixes, &p, prefix, err));
            if (!(seen[p] >> k & 1))
                score[p] += weight(mark);
            seen[p] |= 1U << k;
            break; // one section an entry, so that they fit the arrays
        }
    }
    for (size_t p = 0; p < prefixes.n; p++) {
        if (score[p] <= best->score)
            continue;
        const char *copy;
        TRY_DONE(arena_text(&copy, &c->scratch, prefixes.text[p],
                            strlen(prefixes.text[p]), err));
        *best = (struct fit){score[p], copy};
    }
done:
    names_free(&prefixes);
    return status;
}

static double fit_words(const char *words, enum lint_trainer t)
{
    for (size_t k = 0; k < 6 && who[t].words[k] != NULL; k++) {
        if (strstr(words, who[t].words[k]) != NULL)
            return 10;
    }
    return 0;
}

/* ---- which command, which trainer --------------------------------------- */

struct choice {
    struct fit fit[LINT_TRAINERS];
    double score; // of the best
    enum lint_trainer best;
};

static enum status look_at(struct choice *out, struct lint_case *c,
                           enum lint_trainer wanted, struct err *err)
{
    *out = (struct choice){.best = LINT_TRAINERS};
    for (size_t t = 0; t < LINT_TRAINERS; t++) {
        out->fit[t].prefix = "";
        if (wanted != LINT_AUTO && wanted != t)
            continue;
        TRY(fit_keys(&out->fit[t], c, (enum lint_trainer)t, err));
        out->fit[t].score += fit_words(c->words, (enum lint_trainer)t);
        if (out->fit[t].score > out->score) {
            out->score = out->fit[t].score;
            out->best = (enum lint_trainer)t;
        }
    }
    return OK;
}

/* A trainer that fits exactly as well as the best, or LINT_TRAINERS. */
static enum lint_trainer rival(const struct choice *x)
{
    size_t t = (size_t)x->best + 1;
    while (t < LINT_TRAINERS && x->fit[t].score < x->score)
        t++;
    return (enum lint_trainer)t;
}

static enum status settle(struct lint_case *c, const struct choice *x,
                          enum lint_trainer wanted, const char *name,
                          struct err *err)
{
    const double least = wanted == LINT_AUTO ? 5 : 1;
    if (x->best == LINT_TRAINERS || x->score < least)
        return err_set(err, ERR_FORMAT,
                       wanted == LINT_AUTO
                           ? "%.200s: no settings of TRL, OpenRLHF or verl "
                             "(--trainer says whose they are)"
                           : "%.200s: no settings of that trainer",
                       name);
    enum lint_trainer other = rival(x);
    c->other = other == LINT_TRAINERS ? NULL : who[other].id;
    /* RLOO of TRL shares most settings with GRPO, and before 0.22 did with
     * PPO; it is the rarer one both times. */
    bool is_twin = (x->best == LINT_TRL_GRPO && other == LINT_TRL_RLOO) ||
                   (x->best == LINT_TRL_PPO && other == LINT_TRL_RLOO_CLASSIC);
    if (c->other != NULL && !is_twin)
        return err_set(err, ERR_FORMAT,
                       "%.200s: the settings fit %s and %s alike; --trainer "
                       "says which",
                       name, who[x->best].id, c->other);
    c->out->trainer = x->best;
    c->prefix = x->fit[x->best].prefix;
    return OK;
}

enum status lint_choose(struct lint_case *c, const struct flat *f,
                        enum lint_trainer trainer, const char *name,
                        struct err *err)
{
    struct choice best = {.best = LINT_TRAINERS};
    size_t best_first = 0, best_n = 0;
    const char *best_words = "";
    for (size_t i = 0; i < f->n;) {
        struct choice x;
        size_t n = 1;
        while (i + n < f->n && f->entry[i + n].group == f->entry[i].group)
            n++;
        arena_reset(&c->scratch);
        c->words = f->group[f->entry[i].group].words;
        TRY(take_entries(c, f, i, n, err));
        TRY(look_at(&x, c, trainer, err));
        if (x.score > best.score) {
            best = x;
            best_first = i;
            best_n = n;
            best_words = c->words;
        }
        i += n;
    }
    /* Once more, so that the arena holds what the best one is made of. */
    arena_reset(&c->scratch);
    c->words = best_words;
    TRY(take_entries(c, f, best_first, best_n, err));
    TRY(look_at(&best, c, trainer, err));
    return settle(c, &best, trainer, name, err);
}

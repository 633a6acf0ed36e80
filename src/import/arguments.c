/*
 * arguments.c - the arguments of a run, in whatever syntax (io/flat.h): as the
 * trainer saved them, as Weights & Biases kept them, or the script that started
 * it.
 */
#include <string.h>

#include "import/readers.h"
#include "io/flat.h"

#define KEYS 14

/* Keys that hardly anybody else has, ended by NULL. */
static const char *const verl[KEYS] = {
    "actor_rollout_ref.actor.use_kl_loss",
    "actor_rollout_ref.actor.kl_loss_type",
    "actor_rollout_ref.actor.kl_loss_coef",
    "actor_rollout_ref.actor.ppo_mini_batch_size",
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.rollout.name",
    "actor_rollout_ref.rollout.n",
    "algorithm.adv_estimator",
    "algorithm.use_kl_in_reward",
};

static const char *const trl[KEYS] = {
    "kl_estimator",
    "missing_eos_penalty",
    "num_ppo_epochs",
    "local_rollout_forward_batch_size",
    "num_sample_generations",
    "num_generations",
    "max_completion_length",
    "scale_rewards",
    "normalize_advantages",
    "importance_sampling_level",
    "rloo_k",
    "steps_per_generation",
};

static const char *const openrlhf[KEYS] = {
    "algo.kl.init_coef",   "algo.kl.use_loss",
    "algo.kl.estimator",   "algo.advantage.estimator",
    "actor.adam.lr",       "rollout.n_samples_per_prompt",
    "rollout_batch_size",  "micro_rollout_batch_size",
    "use_kl_estimator_k3", "n_samples_per_prompt",
    "actor_learning_rate", "colocate_all_models",
};

static size_t count(const struct flat *f, const char *const *keys)
{
    size_t found = 0;
    for (size_t k = 0; k < KEYS && keys[k] != NULL; k++) {
        bool is_there = false;
        for (size_t g = 0; g < f->n_groups && !is_there; g++)
            is_there = flat_find(f, g, keys[k]) != NULL;
        found += is_there;
    }
    return found;
}

/* The last part of a key stands in the text, whatever the syntax. */
static bool may_have(const struct head *h, const char *const *keys)
{
    for (size_t k = 0; k < KEYS && keys[k] != NULL; k++) {
        const char *dot = strrchr(keys[k], '.');
        if (sniff_says(h, dot != NULL ? dot + 1 : keys[k]))
            return true;
    }
    return false;
}

static double sniff(const struct head *h, const char *const *keys)
{
    struct flat f;
    struct err ignored;
    bool is_short = h->is_whole && h->len <= FLAT_FILE_MAX;
    if (!is_short || h->is_array || h->n_rows > 1 || !sniff_is_text(h) ||
        !may_have(h, keys) ||
        flat_parse(&f, h->text, h->len, h->name, &ignored) != OK)
        return 0;
    size_t found = flat_unbox(&f, &ignored) == OK ? count(&f, keys) : 0;
    flat_free(&f);
    return found > 1 ? 0.75 : found == 1 ? 0.55 : 0;
}

double arguments_sniff_verl(const struct head *h)
{
    return sniff(h, verl);
}

double arguments_sniff_trl(const struct head *h)
{
    return sniff(h, trl);
}

double arguments_sniff_openrlhf(const struct head *h)
{
    return sniff(h, openrlhf);
}

enum status arguments_read(struct reader *r, struct err *err)
{
    struct flat f;
    TRY(flat_read(&f, r->path, err));
    enum status status = flat_unbox(&f, err);
    if (status == OK)
        status = sink_put_settings(r->sink, &f, err);
    flat_free(&f);
    return status;
}

#include "import/estimators.h"

#include <string.h>

#include "base/mem.h"
#include "import/quantities.h"
#include "import/value.h"

/* Below this a mean of k2 or k3 is no rounding error. */
#define LOW (-1e-4)

/* ---- settings ----------------------------------------------------------- */

enum status estimators_add(struct estimators *s, bool *is_new, const char *key,
                           const char *value, struct err *err)
{
    size_t index, before = s->key.n;
    TRY(MEM_ROOM(s->value, before, s->room, err));
    TRY(names_add(&s->key, &index, key, err));
    *is_new = index == before;
    if (!*is_new)
        return OK;
    s->value[index] = NULL;
    return arena_text(&s->value[index], &s->arena, value, strlen(value), err);
}

const char *estimators_find(const struct estimators *s, const char *key)
{
    size_t index = names_find(&s->key, key);
    return index != SIZE_MAX ? s->value[index] : NULL;
}

void estimators_free(struct estimators *s)
{
    names_free(&s->key);
    mem_free(s->value);
    arena_free(&s->arena);
    *s = (struct estimators){.value = NULL};
}

static const char *first_of(const struct estimators *s, const char *const *keys)
{
    const char *text = NULL;
    for (size_t i = 0; keys[i] != NULL && text == NULL; i++)
        text = estimators_find(s, keys[i]);
    return text;
}

static bool is_true(const char *text)
{
    double x;
    return text != NULL &&
           ((value_text_bool(&x, text) && x != 0) || strcmp(text, "1") == 0);
}

/* ---- which estimator ---------------------------------------------------- */

#define KEYS 6

/* A curve whose meaning is a setting; lists of keys end with NULL. */
static const struct rule {
    const char *trainer, *name;
    const char *signs[KEYS];     // any of them: the settings are the trainer's
    const char *estimator[KEYS]; // its key, by version
    const char *standard;        // the trainer's default
    const char *in_loss[KEYS];   // true: in the loss, else in the reward
} rules[] = {
    {"trl",
     "objective/kl",
     {"kl_coef", "num_ppo_epochs", "missing_eos_penalty"},
     {"kl_estimator"},
     "k1",
     {NULL}},
    {"verl",
     "actor/kl_loss",
     {"algorithm.adv_estimator", "algorithm.kl_ctrl.kl_coef",
      "actor_rollout_ref.actor.use_kl_loss",
      "actor_rollout_ref.actor.kl_loss_type"},
     {"actor_rollout_ref.actor.kl_loss_type"},
     "low_var_kl",
     {NULL}},
    {"verl",
     "actor/reward_kl_penalty",
     {"algorithm.adv_estimator", "algorithm.kl_ctrl.kl_coef"},
     {"algorithm.kl_penalty"},
     "kl",
     {NULL}},
    {"verl",
     "critic/kl",
     {"algorithm.adv_estimator", "algorithm.kl_ctrl.kl_coef"},
     {"algorithm.kl_penalty"},
     "kl",
     {NULL}},
    {"openrlhf",
     "kl",
     {"algo.kl.init_coef", "rollout.batch_size", "init_kl_coef",
      "rollout_batch_size", "n_samples_per_prompt"},
     {"algo.kl.estimator", "kl_estimator"},
     "k1",
     {"algo.kl.use_loss", "use_kl_loss"}},
};

#define N_RULES (sizeof rules / sizeof *rules)

/* What trainers call an estimator; verl's "+" gives it another gradient and
 * leaves its value. */
static const char *estimator_of(const char *word)
{
    static const struct {
        const char *word, *estimator;
    } words[] = {{"k1", "k1"},     {"kl", "k1"}, {"k2", "k2"},
                 {"mse", "k2"},    {"k3", "k3"}, {"low_var_kl", "k3"},
                 {"full", "exact"}};
    size_t len = strlen(word);
    len -= len > 0 && word[len - 1] == '+';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == len &&
            strncmp(words[i].word, word, len) == 0)
            return words[i].estimator;
    return "unknown";
}

static void settle_one(struct notes_kl *k, const struct rule *rule,
                       const struct estimators *s)
{
    const char *word = first_of(s, rule->estimator);
    if (word == NULL && first_of(s, rule->signs) == NULL)
        return;
    k->estimator = estimator_of(word != NULL ? word : rule->standard);
    if (is_true(estimators_find(s, "use_kl_estimator_k3")) &&
        strcmp(rule->trainer, "openrlhf") == 0)
        k->estimator = "k3";
    if (rule->in_loss[0] != NULL)
        k->where = is_true(first_of(s, rule->in_loss)) ? "loss" : "reward";
}

/* TRL's GRPO and RLOO have one name for two KLs. */
static void settle_trl(struct notes_kl *k, const struct estimators *s)
{
    static const char *const rloo[] = {"normalize_advantages",
                                       "reward_clip_range", "rloo_k", NULL};
    static const char *const grpo[] = {"scale_rewards",
                                       "use_bias_correction_kl",
                                       "importance_sampling_level", NULL};
    bool is_rloo = first_of(s, rloo) != NULL;
    bool is_grpo = first_of(s, grpo) != NULL;
    if (is_rloo == is_grpo)
        return;
    k->estimator = is_rloo ? "k1" : "k3";
    k->where = is_rloo ? "reward" : "loss";
}

void estimators_settle(struct notes *n, const char *trainer,
                       const struct estimators *s)
{
    for (size_t i = 0; i < n->n_kl; i++) {
        struct notes_kl *k = &n->kl[i];
        const char *name = quantities_bare(trainer, k->name);
        if (strcmp(k->kind, "reference") != 0)
            continue;
        for (size_t r = 0; r < N_RULES; r++)
            if (strcmp(rules[r].trainer, trainer) == 0 &&
                strcmp(rules[r].name, name) == 0)
                settle_one(k, &rules[r], s);
        if (strcmp(trainer, "trl") == 0 && strcmp(name, "kl") == 0)
            settle_trl(k, s);
    }
}

void estimators_judge(struct notes *n, const char *trainer, const char *name,
                      double low)
{
    const struct quantity *q = quantities_find(trainer, name);
    if (q == NULL || q->kind == NULL || strcmp(q->kind, "reference") != 0 ||
        trainer[0] == '\0' || strcmp(q->estimator, "unknown") != 0 ||
        !(low < LOW))
        return;
    for (size_t i = 0; i < n->n_kl; i++)
        if (strcmp(n->kl[i].name, q->to != NULL ? q->to : name) == 0)
            n->kl[i].estimator = "k1";
}

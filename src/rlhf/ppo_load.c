#include "base/mem.h"
#include "io/chat_install.h"
#include "model/checkpoint.h"
#include "rlhf/ppo_internal.h"
#include "rlhf/trainer.h"

/* Does the value model have the reward model's trunk? */
static bool starts_from_reward(const struct ppo_config *c)
{
    return c->value_init_reward && !c->value_trunk && c->reward_model != NULL;
}

/* The reward models, which may read another tokenizer's tokens than the policy
 * says; a value model judges the policy's own. */
static enum status load_reward_model(struct ppo *p, const struct chat *chat,
                                     struct err *err)
{
    const struct ppo_config *c = p->config;
    const struct reward_policy policy = {p->tokenizer, *chat,
                                         p->policy.config.eos};
    const char *path[ENSEMBLE_MAX] = {c->reward_model};
    size_t n = 1;
    for (size_t k = 0; k < ENSEMBLE_MAX - 1; k++)
        if (c->more_reward_models[k] != NULL)
            path[n++] = c->more_reward_models[k];
    TRY(ensemble_open(&p->reward, path, n, &c->reward_command, &policy,
                      p->stage->precision, p->context, err));
    p->reward.rule = c->ensemble;
    p->reward.lambda = c->ensemble_lambda;
    if (starts_from_reward(c) && !p->reward.member[0].reads_ids)
        return err_set(err, ERR_ARG,
                       "%s has another tokenizer or chat template than the "
                       "policy, so the value model cannot start from it; "
                       "ppo.value_init_reward=false starts it from the "
                       "policy, ppo.value_trunk=true puts it there",
                       p->reward.member[0].path);
    return OK;
}

/* Do two models draw from the same tokens? */
static bool same_tokens(const struct model *a, const struct model *b)
{
    if (a->config.V != b->config.V || a->config.eos != b->config.eos)
        return false;
    for (size_t v = 0; v < a->config.V; v++)
        if ((a->banned != NULL && a->banned[v]) !=
            (b->banned != NULL && b->banned[v]))
            return false;
    return true;
}

/* The policy: a model of its own, or the reference's parameters under an
 * adapter; and a second one, which two adapters on the same parameters are. */
static enum status start_policy(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    if (c->adapter.rank > 0 && c->reference == NULL)
        TRY(model_share(&p->policy, &p->reference, HEAD_LM, err));
    else
        TRY(trainer_read(&p->policy, p->base, HEAD_LM, p->stage, &c->adapter,
                         err));
    if (c->adapter.rank == 0)
        return model_clone(&p->previous, &p->policy, err);
    TRY(model_share(&p->previous, &p->policy, HEAD_LM, err));
    TRY(trainer_adapt(&p->policy, &c->adapter, p->base, p->stage->seed, err));
    return lora_clone(&p->previous.lora, p->policy.lora, err);
}

/* The value model: a head on the policy's trunk, an adapter on the reward
 * model's or the reference's parameters, or a model of its own. */
static enum status start_value(struct ppo *p, struct err *err)
{
    static const struct lora_config head_only = {.rank = 1, .alpha = 1};
    const struct ppo_config *c = p->config;
    bool is_reward = starts_from_reward(c);
    const struct model *from =
        is_reward ? &p->reward.member[0].model : &p->reference;
    if (!c->value_trunk && c->adapter.rank == 0)
        return model_clone_as_score(&p->value, is_reward ? from : &p->policy,
                                    err);
    TRY(model_share(&p->value, from, HEAD_SCORE, err));
    if (c->value_trunk)
        return model_adapt(&p->value, &head_only, p->stage->seed, err);
    return trainer_adapt(&p->value, &c->adapter, p->base, p->stage->seed, err);
}

static enum status load_models(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    char path[FILE_PATH_MAX];
    struct chat chat;
    TRY(run_find_model(p->base, c->model, NULL, err));
    TRY(checkpoint_tokenizer(&p->tokenizer, p->base, err));
    TRY(chat_install(&p->tokenizer, p->stage->data.template, err));
    TRY(run_find_model(path, c->reference != NULL ? c->reference : p->base,
                       NULL, err));
    TRY(trainer_read(&p->reference, path, HEAD_LM, p->stage, &c->adapter, err));
    TRY(start_policy(p, err));
    TRY(checkpoint_check_tokenizer(&p->policy, p->tokenizer, p->base, err));
    /* What the template ends a turn with ends a response. */
    TRY(chat_open(&chat, p->tokenizer, p->stage->data.template,
                  p->stage->data.date, err));
    p->policy.config.eos = chat_end(&chat, p->tokenizer, p->policy.config.eos);
    p->reference.config.eos =
        chat_end(&chat, p->tokenizer, p->reference.config.eos);
    if (!same_tokens(&p->reference, &p->policy))
        return err_set(err, ERR_MISMATCH,
                       "%s: the reference allows other tokens than the policy",
                       path);
    TRY(load_reward_model(p, &chat, err));
    return start_value(p, err);
}

enum status ppo_load(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    TRY(load_models(p, err));
    size_t T_max = p->policy.config.T_max;
    TRY(ppo_check_room(c, T_max, err));
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    TRY(corpus_load(&p->corpus, &p->prompts, &files, &p->stage->data,
                    p->tokenizer, p->policy.config.eos,
                    T_max - (size_t)c->max_new, p->context, err));
    chat_hash(p->template_hash, p->corpus.chat.template);
    if (p->prompts.n == 0)
        return err_set(err, ERR_FORMAT, "%s: no prompts", c->prompts);
    return OK;
}

/* Policy and value model are trained one after the other, with the same
 * buffers where they are of a size. */
static enum status share_gradients(struct ppo *p, struct err *err)
{
    size_t policy = model_trainable_count(&p->policy);
    size_t value = model_trainable_count(&p->value);
    if (p->config->value_trunk)
        return OK;
    return gradient_pool_create(&p->gradients, value > policy ? value : policy,
                                err);
}

enum status ppo_prepare(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    const struct stage *stage = p->stage;
    struct optimizer_config value = c->optimizer;
    int64_t updates = c->iterations * c->epochs * c->minibatches;
    size_t n = (size_t)c->batch * (size_t)c->samples;
    value.lr = c->lr_value;
    /* Warm-up is stated in iterations; the optimiser counts updates. */
    struct optimizer_config policy = c->optimizer;
    policy.warmup *= c->epochs * c->minibatches;
    value.warmup = policy.warmup;
    policy.reduce = value.reduce = stage->reduce;
    TRY(share_gradients(p, err));
    TRY(optimizer_create(&p->policy_optimizer, &p->policy, &policy, updates,
                         stage->shards, p->gradients, p->context->comm, err));
    TRY(optimizer_create(&p->value_optimizer, &p->value, &value, updates,
                         stage->shards, p->gradients, p->context->comm, err));
    TRY(workspace_create(&p->workspace, team_size(p->context->team), err));
    return rollout_create(&p->rollout, n, (size_t)c->max_new, err);
}

void ppo_close(struct ppo *p)
{
    run_close(&p->run);
    rollout_free(&p->rollout);
    workspace_free(&p->workspace);
    optimizer_free(&p->value_optimizer);
    optimizer_free(&p->policy_optimizer);
    gradient_pool_free(p->gradients);
    model_free(&p->policy);
    model_free(&p->reference);
    model_free(&p->previous);
    model_free(&p->value);
    ensemble_close(&p->reward);
    corpus_free(&p->corpus);
    dataset_free(&p->prompts);
    tokenizer_free(p->tokenizer);
}

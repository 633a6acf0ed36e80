#include "base/mem.h"
#include "rlhf/ppo_internal.h"

enum status ppo_score_calibrate(struct ppo *p, struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config;
    struct rollout r = {.n = 0};
    const struct sampling how = {.temperature = c->temperature,
                                 .top_p = 1,
                                 .max_new = (size_t)c->max_new};
    p->scale = (struct score_scale){.mean = 0, .sd = 1};
    if (c->score_norm == SCORE_NORM_NONE)
        return OK;
    TRY(rollout_create(&r, (size_t)c->norm_prompts, (size_t)c->max_new, err));
    for (size_t i = 0; i < r.n; i++) {
        r.prompt[i] = i % p->prompts.n;
        r.sample[i] = i / p->prompts.n;
    }
    size_t samples = 1 + r.n / p->prompts.n;
    TRY_DONE(rollout_sample(&r, &p->reference, p->corpus.seq, samples, &how,
                            p->stage->seed, RNG_CALIBRATE, 0, p->context, err));
    TRY_DONE(rollout_score(&r, &p->reward, p->prompts.record, p->context, err));
    p->scale = scorer_scale(r.score_raw, r.n);
    context_info(p->context,
                 "reward model on the reference: mean %.3f, deviation %.3f",
                 p->scale.mean, p->scale.sd);
done:
    rollout_free(&r);
    return status;
}

/* What this rollout's scores are divided by. */
static double find_normaliser(struct ppo *p)
{
    const struct rollout *r = &p->rollout;
    int norm = p->config->score_norm;
    if (norm == SCORE_NORM_BATCH)
        return scorer_scale(r->score_raw, r->n).sd;
    if (norm != SCORE_NORM_RUNNING)
        return p->scale.sd;
    shaping_observe(&p->moments, r->score_raw, r->n);
    return shaping_scale(&p->moments).sd;
}

enum status ppo_score_rollout(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    struct rollout *r = &p->rollout;
    TRY(rollout_score(r, &p->reward, p->prompts.record, p->context, err));
    p->normaliser = find_normaliser(p);
    const struct shaping how = {
        .scale = {.mean = p->scale.mean, .sd = p->normaliser},
        .missing_eos = c->missing_eos,
        .clip = c->score_clip,
    };
    rollout_shape(r, &how, NULL);
    return OK;
}

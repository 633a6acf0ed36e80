#include "rlhf/ppo_trial.h"

#include <string.h>

#include "base/mem.h"
#include "rlhf/ppo_internal.h"
#include "rlhf/schedule.h"

/* Iterations that prompts and streams are laid out for; there may be more. */
#define ITERATIONS 64

struct ppo_trial {
    struct ppo p;
    struct ppo_config config;
    struct stage stage;
    struct optimizer_config adam; // the policy's, of the run
    float *policy, *value;        // what is gone back to
    bool is_calibrated;           // p.scale is there
};

static void copy(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static struct ppo_config settings(const struct ppo_config *c)
{
    struct ppo_config out = *c;
    out.iterations = ITERATIONS;
    out.max_new_start = 0;
    out.optimizer.schedule = SCHEDULE_CONSTANT;
    out.optimizer.warmup = 1;
    return out;
}

enum status ppo_trial_open(struct ppo_trial **out, const struct ppo_config *c,
                           const struct stage *stage, struct err *err)
{
    enum status status = OK;
    struct ppo_trial *t;
    TRY(MEM_NEW(t, 1, err));
    t->config = settings(c);
    t->stage = *stage;
    t->p = (struct ppo){.config = &t->config,
                        .stage = &t->stage,
                        .context = stage->context,
                        .run = {.lock = -1}};
    TRY_DONE(ppo_check(&t->config, err));
    TRY_DONE(ppo_load(&t->p, err));
    TRY_DONE(ppo_prepare(&t->p, err));
    TRY_DONE(MEM_NEW(t->policy, t->p.policy_optimizer.n, err));
    TRY_DONE(MEM_NEW(t->value, t->p.value_optimizer.n, err));
    t->adam = t->p.policy_optimizer.config;
    copy(t->value, model_trainable(&t->p.value), t->p.value_optimizer.n);
    ppo_trial_keep(t);
    *out = t;
done:
    if (status != OK)
        ppo_trial_close(t);
    return status;
}

void ppo_trial_close(struct ppo_trial *t)
{
    if (t == NULL)
        return;
    ppo_close(&t->p);
    mem_free(t->policy);
    mem_free(t->value);
    mem_free(t);
}

struct ppo_config *ppo_trial_settings(struct ppo_trial *t)
{
    return &t->config;
}

void ppo_trial_keep(struct ppo_trial *t)
{
    copy(t->policy, model_trainable(&t->p.policy), t->p.policy_optimizer.n);
}

static void forget(struct optimizer *o)
{
    memset(o->m, 0, o->n * sizeof *o->m);
    memset(o->v, 0, o->n * sizeof *o->v);
    gradients_clear(o->gradients, 0, o->n);
    gradients_return(o->gradients);
    o->t = 0;
}

void ppo_trial_return(struct ppo_trial *t)
{
    struct ppo *p = &t->p;
    copy(model_trainable(&p->policy), t->policy, p->policy_optimizer.n);
    copy(model_trainable(&p->value), t->value, p->value_optimizer.n);
    model_round_again(&p->policy);
    model_round_again(&p->value);
    forget(&p->policy_optimizer);
    forget(&p->value_optimizer);
    p->policy_optimizer.config = t->adam;
    p->step = 0;
}

void ppo_trial_descend(struct ppo_trial *t, double lr, double clip)
{
    /* Adam divides by sqrt(v) + eps: with an eps far above any gradient, by
     * one number. */
    const double eps = 1e6;
    t->p.policy_optimizer.config =
        (struct optimizer_config){.lr = lr * eps,
                                  .eps = eps,
                                  .clip = clip,
                                  .schedule = SCHEDULE_CONSTANT};
}

enum status ppo_trial_step(struct trial_report *out, struct ppo_trial *t,
                           enum trial_score score, double beta, struct err *err)
{
    struct ppo *p = &t->p;
    struct ppo_update_report update;
    p->has_no_score = score == TRIAL_NO_SCORE;
    p->beta = beta;
    if (!p->has_no_score && !t->is_calibrated) {
        TRY(ppo_score_calibrate(p, err));
        t->is_calibrated = true;
    }
    TRY(ppo_collect(p, err));
    TRY(ppo_update_run(&update, p, err));
    const struct rollout *r = &p->rollout;
    double len = (double)r->offset[r->n] / (double)r->n;
    *out = (struct trial_report){
        .kl = ppo_sequence_mean(r, r->kl),
        .moved = update.stats.approx_kl / update.stats.tokens * len,
        .norm = update.policy_norm,
        .tokens = r->offset[r->n],
    };
    p->step++;
    return OK;
}

static enum status draw(struct rollout *r, struct ppo_trial *t,
                        const struct sequence *prompts, struct err *err)
{
    struct ppo *p = &t->p;
    const struct scorer_rule rule = ppo_rule(&t->config);
    const struct sampling how = {.temperature = t->config.temperature,
                                 .top_p = 1,
                                 .max_new = r->max_new};
    for (size_t i = 0; i < r->n; i++)
        r->prompt[i] = i;
    /* Calibration draws from these streams too, but of the reference, and of
     * other prompts. */
    TRY(rollout_sample(r, &p->policy, prompts, 1, &how, t->stage.seed,
                       RNG_CALIBRATE, 0, p->context, err));
    return rollout_compare(r, &p->policy, &p->reference, NULL, NULL, &rule,
                           p->context, err);
}

enum status ppo_trial_kl(double *kl, struct ppo_trial *t,
                         const struct sequence *prompts, size_t n,
                         struct err *err)
{
    struct rollout r;
    TRY(rollout_create(&r, n, (size_t)t->config.max_new, err));
    enum status status = draw(&r, t, prompts, err);
    for (size_t i = 0; status == OK && i < n; i++) {
        kl[i] = 0;
        for (size_t at = r.offset[i]; at < r.offset[i + 1]; at++)
            kl[i] += (double)r.kl[at];
    }
    rollout_free(&r);
    return status;
}

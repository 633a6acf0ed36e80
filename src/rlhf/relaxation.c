#include "rlhf/relaxation.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define STEP_TRIALS 8

/* The twin must have come back, beyond doubt, this far. */
static const double least_decay = 0.8;

const char *relaxation_name(enum relaxation_class c)
{
    switch (c) {
    case RELAXATION_ACTS:
        return "acts";
    case RELAXATION_WEAK:
        return "weak";
    case RELAXATION_INERT:
        return "inert";
    case RELAXATION_REPULSIVE:
        return "repulsive";
    case RELAXATION_NO_PENALTY:
        return "no penalty";
    case RELAXATION_NOT_MEASURABLE:
        break;
    }
    return "not measurable";
}

enum relaxation_class relaxation_classify(double share)
{
    if (share > RELAXATION_SHARE_ACTS)
        return RELAXATION_ACTS;
    if (share > RELAXATION_SHARE_WEAK)
        return RELAXATION_WEAK;
    return share > RELAXATION_SHARE_INERT ? RELAXATION_INERT
                                          : RELAXATION_REPULSIVE;
}

/* An experiment on its way. */
struct lab {
    const struct relaxation_config *c;
    struct relaxation *out;
    struct ppo_trial *t;
    const struct context *context;
    double beta;
    double *before, *run, *twin; // [n] KL per prompt
};

static enum status step(struct trial_report *out, struct lab *l,
                        enum trial_score score, double beta, struct err *err)
{
    if (context_stopped(l->context))
        return err_set(err, ERR_STOPPED, "stopped");
    return ppo_trial_step(out, l->t, score, beta, err);
}

static enum status measure(double *mean, double *kl, struct lab *l,
                           struct err *err)
{
    TRY(ppo_trial_kl(kl, l->t, l->c->prompts, l->c->n, err));
    *mean = summary_mean(kl, l->c->n);
    return OK;
}

/* Drive the policy away with the score alone. */
static enum status tilt(struct lab *l, struct err *err)
{
    struct relaxation *out = l->out;
    struct trial_report r = {.kl = 0};
    out->is_tilted = true;
    while (out->tilts < RELAXATION_TILTS && r.kl < RELAXATION_TILTED_KL) {
        TRY(step(&r, l, TRIAL_SCORE, 0, err));
        out->tilts++;
    }
    return measure(&out->twin.kl[0], l->before, l, err);
}

/* Back to where the arms begin, to go on by the penalty alone. */
static void begin(struct lab *l, const struct kl_config *penalty, double lr,
                  double clip)
{
    struct ppo_config *c = ppo_trial_settings(l->t);
    ppo_trial_return(l->t);
    ppo_trial_descend(l->t, lr, clip);
    c->kl = *penalty;
    c->advantage.whiten = c->advantage.whiten_reward = WHITEN_OFF;
    c->loss.entropy_coef = 0;
}

/*
 * Find the step: what an iteration moves the policy by goes with its square,
 * as long as it is short.  From a first guess that is too short to matter for
 * any model, which is made longer until the movement is far above the rounding
 * of log-probs, to the one wanted.
 */
static enum status find_step(struct lab *l, const struct kl_config *penalty,
                             struct err *err)
{
    double want = RELAXATION_STEP * l->out->twin.kl[0];
    double lr = 1e-4;
    for (int i = 0; i < STEP_TRIALS; i++) {
        struct trial_report r;
        begin(l, penalty, lr, 0);
        TRY(step(&r, l, TRIAL_NO_SCORE, l->beta, err));
        if (!(r.moved > 0)) {
            lr *= 100;
            continue;
        }
        l->out->clip = 2 * r.norm;
        double longer = sqrt(want / r.moved);
        lr *= longer < 100 ? longer : 100;
        if (longer < 100)
            break;
    }
    l->out->lr = lr;
    return OK;
}

/* Train one arm and measure along the way; kl [n] is what is left. */
static enum status relax(struct relaxation_arm *arm, double *kl, struct lab *l,
                         const struct kl_config *penalty, struct err *err)
{
    size_t point = 1;
    begin(l, penalty, l->out->lr, l->out->clip);
    for (int64_t i = 1; i <= l->c->iterations; i++) {
        struct trial_report r;
        TRY(step(&r, l, TRIAL_NO_SCORE, l->beta, err));
        arm->tokens += r.tokens;
        if (i == l->out->at[point])
            TRY(measure(&arm->kl[point++], kl, l, err));
    }
    return OK;
}

struct ratio {
    const double *before, *run, *twin;
};

static double ratio_of(const double *after, const double *before,
                       const size_t *index, size_t n)
{
    double a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        a += after[index[i]];
        b += before[index[i]];
    }
    return a / b;
}

static double run_ratio(void *ctx, const size_t *index, size_t n)
{
    const struct ratio *r = ctx;
    return ratio_of(r->run, r->before, index, n);
}

static double twin_ratio(void *ctx, const size_t *index, size_t n)
{
    const struct ratio *r = ctx;
    return ratio_of(r->twin, r->before, index, n);
}

static double share(void *ctx, const size_t *index, size_t n)
{
    return log(run_ratio(ctx, index, n)) / log(twin_ratio(ctx, index, n));
}

static enum status judge(struct lab *l, struct err *err)
{
    struct relaxation *out = l->out;
    struct ratio r = {l->before, l->run, l->twin};
    const struct bootstrap plan = {.seed = l->c->seed};
    size_t n = l->c->n;
    TRY(summary_bootstrap(&out->run.ratio, run_ratio, &r, n, &plan, err));
    TRY(summary_bootstrap(&out->twin.ratio, twin_ratio, &r, n, &plan, err));
    TRY(summary_bootstrap(&out->share, share, &r, n, &plan, err));
    out->class = relaxation_classify(out->share.estimate);
    /* Of a penalty that is the twin's own, that KL fell is all there is to
     * see. */
    double decay = out->twin_is_run ? 1 : least_decay;
    if (!(out->twin.ratio.high < decay)) {
        out->class = RELAXATION_NOT_MEASURABLE;
        (void)snprintf(out->why, sizeof out->why,
                       "in %lld iterations a penalty known to be right left "
                       "%.2f [%.2f, %.2f] of the divergence",
                       (long long)l->c->iterations, out->twin.ratio.estimate,
                       out->twin.ratio.low, out->twin.ratio.high);
    }
    return OK;
}

/* An arm whose numbers ran out of all bounds, where the twin's did not: there
 * is no ratio, but no doubt either. */
static enum status drop_run(struct lab *l, struct err *err)
{
    struct relaxation *out = l->out;
    memcpy(l->run, l->twin, l->c->n * sizeof *l->run);
    TRY(judge(l, err));
    for (size_t i = 1; i < out->points; i++)
        out->run.kl[i] = (double)NAN;
    out->run.ratio = out->share = summary_nothing();
    out->is_diverged = true;
    if (out->class != RELAXATION_NOT_MEASURABLE)
        out->class = RELAXATION_REPULSIVE;
    return OK;
}

static enum status run_arms(struct lab *l, struct err *err)
{
    static const struct kl_config right = {.mode = KL_K1_REWARD};
    struct relaxation *out = l->out;
    struct kl_config own = l->c->ppo->kl;
    own.control = KL_FIXED;
    out->run.kl[0] = out->twin.kl[0];
    ppo_trial_keep(l->t);
    TRY(find_step(l, &right, err));
    TRY(relax(&out->twin, l->twin, l, &right, err));
    if (out->twin_is_run) {
        out->run = out->twin;
        memcpy(l->run, l->twin, l->c->n * sizeof *l->run);
        return judge(l, err);
    }
    struct err why = {.code = OK};
    enum status status = relax(&out->run, l->run, l, &own, &why);
    if (status == ERR_NUMERIC)
        return drop_run(l, err);
    if (status != OK) {
        *err = why;
        return status;
    }
    return judge(l, err);
}

/* Training that ran out of all bounds, the reward's or the twin's: nothing can
 * be said of the run's penalty. */
static void give_up(struct relaxation *out, const struct err *why)
{
    out->class = RELAXATION_NOT_MEASURABLE;
    out->run.ratio = out->twin.ratio = out->share = summary_nothing();
    (void)snprintf(out->why, sizeof out->why, "the experiment failed: %.*s",
                   (int)sizeof out->why - 32, why->text);
}

static enum status experiment(struct lab *l, const struct stage *stage,
                              struct err *err)
{
    struct relaxation *out = l->out;
    const struct relaxation_config *c = l->c;
    TRY(MEM_NEW(l->before, c->n, err));
    TRY(MEM_NEW(l->run, c->n, err));
    TRY(MEM_NEW(l->twin, c->n, err));
    TRY(ppo_trial_open(&l->t, c->ppo, stage, err));
    TRY(measure(&out->twin.kl[0], l->before, l, err));
    if (out->twin.kl[0] < RELAXATION_LEAST_KL)
        TRY(tilt(l, err));
    if (out->twin.kl[0] < RELAXATION_LEAST_KL) {
        out->class = RELAXATION_NOT_MEASURABLE;
        (void)snprintf(out->why, sizeof out->why,
                       "%lld iterations of reward alone took the policy %.2g "
                       "nats from its reference, wanted %g",
                       (long long)out->tilts, out->twin.kl[0],
                       RELAXATION_LEAST_KL);
        return OK;
    }
    return run_arms(l, err);
}

enum status relaxation_run(struct relaxation *out,
                           const struct relaxation_config *c,
                           const struct stage *stage, struct err *err)
{
    /* One that moves to 0 over the run is none at its end, but whether its
     * gradient pulls can still be seen. */
    double beta = fmax(c->ppo->kl.beta, c->ppo->kl.beta_end);
    struct relaxation r = {.points = c->points, .beta_scale = 1};
    struct lab l = {.c = c, .out = &r, .context = stage->context};
    assert(c->points >= 2 && c->points <= RELAXATION_POINTS);
    assert(c->iterations >= (int64_t)c->points - 1);
    for (size_t i = 0; i < c->points; i++)
        r.at[i] = c->iterations * (int64_t)i / (int64_t)(c->points - 1);
    r.run.ratio = r.twin.ratio = r.share = summary_nothing();
    if (beta == 0) {
        r.class = RELAXATION_NO_PENALTY;
        *out = r;
        return OK;
    }
    if (beta < RELAXATION_BETA)
        r.beta_scale = RELAXATION_BETA / beta;
    l.beta = beta * r.beta_scale;
    r.twin_is_run = c->ppo->kl.mode == KL_K1_REWARD && c->ppo->kl.clamp == 0;
    struct err why = {.code = OK};
    enum status status = experiment(&l, stage, &why);
    if (status == ERR_NUMERIC) {
        give_up(&r, &why);
        status = OK;
    }
    if (status != OK)
        *err = why;
    if (status == OK)
        *out = r;
    ppo_trial_close(l.t);
    mem_free(l.before);
    mem_free(l.run);
    mem_free(l.twin);
    return status;
}

#include "diagnose/ppo_side.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/metric.h"
#include "diagnose/ppo_leads.h"
#include "diagnose/push.h"
#include "diagnose/rate.h"
#include "diagnose/update_leads.h"
#include "stat/blocks.h"

#define PUSH "probes/push.json"

/* Two columns over prompts, and a response's column. */
struct scratch {
    double *a, *b; // [n_prompts]
    double *net;   // [push.n] score - beta K1
    double *grid;  // [push.m * n_prompts]
    double *mean;  // [push.m]
};

static enum status scratch_open(struct scratch *s, const struct evidence *e,
                                const struct push *p, struct err *err)
{
    TRY(MEM_NEW(s->a, e->n_prompts, err));
    TRY(MEM_NEW(s->b, e->n_prompts, err));
    TRY(MEM_NEW(s->net, p->n, err));
    TRY(MEM_NEW(s->grid, p->m * p->n_prompts, err));
    return MEM_NEW(s->mean, p->m, err);
}

static void scratch_close(struct scratch *s)
{
    mem_free(s->a);
    mem_free(s->b);
    mem_free(s->net);
    mem_free(s->grid);
    mem_free(s->mean);
}

/* ---- b1 ----------------------------------------------------------------- */

/* Cov(tokens, x) within prompts over checkpoints first..last-1. */
static enum status covariance(struct estimate *out, const struct push *p,
                              struct scratch *s, const double *x, size_t first,
                              size_t last, const struct evidence *e,
                              struct err *err)
{
    TRY(push_covariance(s->a, s->b, p, p->tokens, x, first, last, err));
    return summary_estimate_ratio(out, s->a, s->b, p->n_prompts, &e->plan, err);
}

/* How many checkpoints of the rise push, and how often the push foretold the
 * next change. */
struct tally {
    size_t pushing, rising; // checkpoints
    size_t right, told;     // changes
};

static enum status tally_checkpoints(struct tally *t, const struct push *p,
                                     struct scratch *s, size_t end,
                                     const struct evidence *e, struct err *err)
{
    *t = (struct tally){.rising = end};
    for (size_t c = 0; c + 1 < p->m; c++) {
        struct estimate net;
        TRY(covariance(&net, p, s, s->net, c, c + 1, e, err));
        double change = s->mean[c + 1] - s->mean[c];
        if (c < end && net.low > 0)
            t->pushing++;
        if (!isfinite(net.estimate) || change == 0)
            continue;
        t->told++;
        t->right += (net.estimate > 0) == (change > 0);
    }
    return OK;
}

static void judge_push(struct finding *f, const struct estimate *net,
                       const struct estimate *all, const struct tally *t)
{
    double share = (double)t->pushing / (double)t->rising;
    double hits = (double)t->right / (double)t->told;
    char text[64];
    f->e = *net;
    f->null = 0;
    finding_add_number(f, "checkpoints_pushing", share, t->rising);
    finding_add_number(f, "next_change_foretold", hits, t->told);
    if (share >= 2.0 / 3 && hits >= 0.7)
        f->verdict = VERDICT_SUPPORTED;
    else if (all->high <= 0 || net->high <= 0)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else if (!finding_has_interval(net))
        finding_lack(f, "the probe has one reply a prompt; two are needed");
    else
        finding_lack(f,
                     "the push is above 0 at %zu of %zu checkpoints of the "
                     "rise and foretells %zu of %zu changes; %s would show a "
                     "push of this size",
                     t->pushing, t->rising, t->right, t->told,
                     finding_enough_prompts(text, net, 0, net->estimate));
    finding_say(f,
                "within prompts the score and length move together by more "
                "than the penalty takes back: %s tokens times score, at %zu of "
                "%zu checkpoints while length rose; the sign foretold %zu of "
                "%zu next changes of length",
                finding_number(text, net, 2), t->pushing, t->rising, t->right,
                t->told);
}

static enum status judge_pushes(struct finding *out, const struct evidence *e,
                                const struct push *p, struct scratch *s,
                                struct err *err)
{
    struct finding f = finding_new(
        "b1", "the advantage-weighted gradient pushes towards length",
        "tokens times score, net of the penalty", PUSH);
    double beta = evidence_beta_first(e);
    struct estimate net, all, reward, penalty;
    struct tally t;
    *out = f;
    if (p->n == 0 || p->m < 2) {
        const struct evidence_loss *lost = evidence_lost(e, PUSH);
        finding_lack(out, "%s: %s; it is made by plumb probe", PUSH,
                     lost != NULL ? lost->why : "fewer than two checkpoints");
        return OK;
    }
    if (!isfinite(beta)) {
        finding_lack(out, "beta is not recorded, in the rollouts or in "
                          "ppo/config.yaml");
        return OK;
    }
    for (size_t i = 0; i < p->n; i++)
        s->net[i] = p->score[i] - beta * p->k1[i];
    TRY(push_grid(s->grid, p, p->tokens, err));
    push_means(s->mean, p, s->grid);
    size_t end = push_rise_end(s->mean, p->m);
    TRY(covariance(&net, p, s, s->net, 0, end, e, err));
    TRY(covariance(&all, p, s, s->net, 0, p->m, e, err));
    TRY(covariance(&reward, p, s, p->score, 0, end, e, err));
    TRY(covariance(&penalty, p, s, p->k1, 0, end, e, err));
    penalty.estimate *= beta;
    penalty.low *= beta;
    penalty.high *= beta;
    finding_add(&f, "score_part", &reward);
    finding_add(&f, "penalty_part", &penalty);
    finding_add(&f, "all_checkpoints", &all);
    TRY(tally_checkpoints(&t, p, s, end, e, err));
    judge_push(&f, &net, &all, &t);
    *out = f;
    return OK;
}

/* ---- b2 ----------------------------------------------------------------- */

struct coherence {
    struct estimate index; // I
    double walk;           // that of a random walk of as many steps
    double step;           // median KL of a step
    size_t steps;
};

/* Log of the mean of the steps' lengths. */
static double log_mean(void *ctx, const size_t *index, size_t n)
{
    return log(summary_mean_of(ctx, index, n));
}

/* KL to the reference of the responses of one iteration, by prompt; without an
 * interval where the rollouts lack it. */
static enum status kl_of_iteration(struct estimate *out,
                                   const struct evidence *e, int64_t step,
                                   struct err *err)
{
    struct rate r;
    enum status status = rate_open(&r, e->rollout_prompt.n, err);
    for (size_t i = 0; status == OK && i < e->n_rollout; i++) {
        const struct evidence_rollout *x = &e->rollout[i];
        if (e->step[x->step].step == step)
            rate_add(&r, x->prompt, (double)x->kl, 1);
    }
    if (status == OK)
        status = rate_estimate(out, &r, &e->plan, err);
    rate_close(&r);
    return status;
}

/* ln I = 1/2 ln KL - ln steps - ln mean length of a step: the two intervals add
 * as independent ones do. */
static struct estimate index_of(double kl, const struct estimate *of_prompts,
                                const struct estimate *log_step, size_t steps)
{
    double middle =
        log(fmax(kl, 0)) / 2 - log((double)steps) - log_step->estimate;
    double far = (log(of_prompts->estimate) - log(of_prompts->low)) / 2;
    double near = (log(of_prompts->high) - log(of_prompts->estimate)) / 2;
    return (struct estimate){
        exp(middle),
        exp(middle - hypot(far, log_step->high - log_step->estimate)),
        exp(middle + hypot(near, log_step->estimate - log_step->low)), steps};
}

/* Over the iterations until the KL's rise is over.  kl/step of row i is the
 * step that led to its policy. */
static enum status find_coherence(struct coherence *out,
                                  const struct evidence *e, struct err *err)
{
    const struct run_table *t = &e->metrics;
    struct metric_column kl = metric_find(t, "kl/sequence");
    struct metric_column step = metric_find(t, "kl/step");
    struct estimate log_step, at_end;
    double *y = NULL, *root = NULL;
    enum status status = OK;
    *out = (struct coherence){.index = summary_nothing()};
    if (kl.value == NULL || step.value == NULL || t->n < 3)
        return OK;
    TRY_DONE(MEM_NEW(y, t->n, err));
    TRY_DONE(MEM_NEW(root, t->n, err));
    for (size_t i = 0; i < t->n; i++)
        y[i] = metric_at(&kl, i);
    size_t end = push_rise_end(y, t->n);
    double last = y[end];
    for (size_t i = 1; i <= end; i++) {
        y[i - 1] = fmax(metric_at(&step, i), 0);
        root[i - 1] = sqrt(y[i - 1]);
    }
    TRY_DONE(blocks_estimate(&log_step, log_mean, root, end, blocks_length(end),
                             e->plan.level, err));
    TRY_DONE(kl_of_iteration(&at_end, e, t->step[end], err));
    *out = (struct coherence){.index = index_of(last, &at_end, &log_step, end),
                              .walk = 1 / sqrt((double)end),
                              .step = summary_median(y, end),
                              .steps = end};
done:
    mem_free(y);
    mem_free(root);
    return status;
}

/* A straight way, and a clip that hardly acts: each is shown, refuted or open,
 * and it takes both. */
static void decide_clip(struct finding *f, const struct coherence *c,
                        const struct estimate *stopped)
{
    double straight = fmin(0.5, 2 * c->walk);
    bool is_open = !finding_has_interval(&c->index);
    char text[FINDING_ENOUGH_TEXT];
    f->effect = straight;
    f->e = c->index;
    if (!isfinite(c->index.estimate) || !isfinite(stopped->estimate))
        finding_lack(f, "ppo/metrics.jsonl lacks kl/step, kl/sequence or "
                        "clip/*");
    else if (stopped->low > PPO_SIDE_CLIPPED ||
             (!is_open && c->index.high < straight))
        f->verdict = VERDICT_NOT_SUPPORTED;
    else if (is_open || !finding_has_interval(stopped))
        finding_lack(f,
                     "%d iterations at least, and in ppo/rollouts the KL of "
                     "iteration %zu's responses",
                     BLOCKS_MIN, c->steps);
    else if (c->index.low > straight && stopped->high < PPO_SIDE_CLIPPED)
        f->verdict = VERDICT_SUPPORTED;
    else if (c->index.low > straight)
        finding_lack(f,
                     "whether the clip stops %.0f %% of the gradients is open; "
                     "%s would tell (now %zu)",
                     100 * PPO_SIDE_CLIPPED,
                     finding_enough_units(text, stopped, stopped->estimate,
                                          PPO_SIDE_CLIPPED, "iterations"),
                     stopped->n);
    else
        finding_lack(f,
                     "whether the steps go more than %.2f of a straight line "
                     "is open; %s would tell (now %zu)",
                     straight,
                     finding_enough_units(text, &c->index, c->index.estimate,
                                          straight, "iterations"),
                     c->steps);
}

static enum status judge_clip(struct finding *out, const struct evidence *e,
                              struct err *err)
{
    struct finding f = finding_new(
        "b2", "the clip bounds the step, not the drift",
        "coherence of the steps, over iterations: 1 is a straight line",
        "ppo/metrics.jsonl, ppo/rollouts");
    struct coherence c;
    struct estimate stopped;
    char text[64], share[64];
    TRY(find_coherence(&c, e, err));
    TRY(ppo_leads_clip_stops(&stopped, e, err));
    finding_add_number(&f, "random_walk", c.walk, c.steps);
    finding_add_number(&f, "median_step_kl", c.step, c.steps);
    finding_add(&f, "gradient_stopped", &stopped);
    decide_clip(&f, &c, &stopped);
    if (isfinite(c.index.estimate) && isfinite(stopped.estimate))
        finding_say(&f,
                    "steps of %.3f nats (median) went %s of a straight line "
                    "over %zu iterations (a random walk: %.2f), while the "
                    "clip stopped the gradient of %s of the tokens",
                    c.step, finding_number(text, &c.index, 2), c.steps, c.walk,
                    finding_percent(share, &stopped));
    *out = f;
    return OK;
}

/* ---- b3 ----------------------------------------------------------------- */

/* Both models' EOS probability at a sentence's end on given prefixes; false
 * when they were not asked. */
static bool hazard_of_prefixes(struct rate *r, const struct evidence *e)
{
    const struct table *t = &e->probe[PROBE_PREFIXES];
    const double *policy = table_numbers(t, "p_eos_policy");
    const double *reference = table_numbers(t, "p_eos_reference");
    const double *boundary = table_numbers(t, "is_boundary");
    const char *const *id = table_texts(t, "prompt_id");
    if (policy == NULL || reference == NULL || boundary == NULL || id == NULL)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        size_t p = id[i] != NULL ? evidence_prompt(e, id[i]) : SIZE_MAX;
        if (p != SIZE_MAX && boundary[i] > 0)
            rate_add(r, p, policy[i], reference[i]);
    }
    return true;
}

/* The same over rollouts, whose states are the policy's own, in the second
 * half: after the change. */
static void hazard_of_rollouts(struct rate *r, const struct evidence *e)
{
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *x = &e->rollout[i];
        if (2 * x->step >= e->n_step)
            rate_add(r, x->prompt, (double)x->p_eos, (double)x->p_eos_ref);
    }
}

static enum status hazard_ratio(struct estimate *out, bool *is_of_prefixes,
                                const struct evidence *e, struct err *err)
{
    struct rate r = {.n = 0};
    enum status status = OK;
    TRY_DONE(rate_open(&r, e->n_prompts, err));
    *is_of_prefixes = hazard_of_prefixes(&r, e);
    if (!*is_of_prefixes) {
        rate_close(&r);
        TRY_DONE(rate_open(&r, e->rollout_prompt.n, err));
        hazard_of_rollouts(&r, e);
    }
    TRY_DONE(rate_estimate(out, &r, &e->plan, err));
done:
    rate_close(&r);
    return status;
}

static enum status judge_credit(struct finding *out, const struct evidence *e,
                                struct err *err)
{
    struct finding f = finding_new(
        "b3", "going on receives credit, stopping does not",
        "probability of EOS, policy over reference", "probes/prefixes.json");
    struct estimate hazard, gap;
    char text[64], other[64];
    bool is_of_prefixes;
    TRY(hazard_ratio(&hazard, &is_of_prefixes, e, err));
    if (!is_of_prefixes)
        f.data = "ppo/rollouts";
    TRY(ppo_leads_eos_gap(&gap, e, err));
    finding_judge(&f, &hazard, 1, 0.9);
    finding_add(&f, "eos_advantage_gap", &gap);
    if (f.verdict == VERDICT_SUPPORTED && gap.low > 0)
        f.verdict = VERDICT_NOT_SUPPORTED;
    if (hazard.n == 0)
        finding_lack(&f, "neither probes/prefixes.json nor p_eos in the "
                         "rollouts");
    else
        finding_say(&f,
                    "at the end of a sentence the policy stops %s times as "
                    "readily as the reference; an EOS token's whitened "
                    "advantage differs from others' at its place by %s",
                    finding_number(text, &hazard, 2),
                    finding_number(other, &gap, 2));
    *out = f;
    return OK;
}

enum status ppo_side_judge(struct finding row[MECHANISMS], struct leads *leads,
                           const struct evidence *e, struct err *err)
{
    struct push p;
    struct scratch s = {.a = NULL};
    enum status status = OK;
    TRY(push_read(&p, e, err));
    TRY_DONE(scratch_open(&s, e, &p, err));
    TRY_DONE(judge_pushes(&row[MECHANISM_PUSHES], e, &p, &s, err));
    TRY_DONE(judge_clip(&row[MECHANISM_CLIP], e, err));
    TRY_DONE(judge_credit(&row[MECHANISM_CREDIT], e, err));
    TRY_DONE(ppo_leads(leads, e, &p, err));
    TRY_DONE(update_leads(leads, e, err));
done:
    scratch_close(&s);
    push_free(&p);
    return status;
}

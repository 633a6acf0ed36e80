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
    double index, walk; // I, and that of a random walk of as many steps
    double step;        // median KL of a step
    size_t steps;
};

/* Over the iterations until the KL's rise is over.  kl/step of row i is the
 * step that led to its policy. */
static enum status find_coherence(struct coherence *out,
                                  const struct run_table *t, struct err *err)
{
    struct metric_column kl = metric_find(t, "kl/sequence");
    struct metric_column step = metric_find(t, "kl/step");
    double *y = NULL;
    enum status status = OK;
    *out = (struct coherence){.index = (double)NAN};
    if (kl.value == NULL || step.value == NULL || t->n < 3)
        return OK;
    TRY(MEM_NEW(y, t->n, err));
    for (size_t i = 0; i < t->n; i++)
        y[i] = metric_at(&kl, i);
    size_t end = push_rise_end(y, t->n);
    double last = y[end], sum = 0;
    for (size_t i = 1; i <= end; i++) {
        double k = fmax(metric_at(&step, i), 0);
        sum += sqrt(k);
        y[i - 1] = k;
    }
    *out = (struct coherence){.index = sqrt(fmax(last, 0)) / sum,
                              .walk = 1 / sqrt((double)end),
                              .step = summary_median(y, end),
                              .steps = end};
    mem_free(y);
    return status;
}

static enum status judge_clip(struct finding *out, const struct evidence *e,
                              struct err *err)
{
    struct finding f = finding_new(
        "b2", "the clip bounds the step, not the drift",
        "coherence of the steps: 1 is a straight line", "ppo/metrics.jsonl");
    struct metric_column above =
        metric_find(&e->metrics, "clip/positive_above");
    struct metric_column below =
        metric_find(&e->metrics, "clip/negative_below");
    struct coherence c;
    TRY(find_coherence(&c, &e->metrics, err));
    double stopped = metric_mean(&above) + metric_mean(&below);
    f.e.estimate = c.index;
    f.e.n = c.steps;
    finding_add_number(&f, "random_walk", c.walk, c.steps);
    finding_add_number(&f, "median_step_kl", c.step, c.steps);
    finding_add_number(&f, "gradient_stopped", stopped, e->metrics.n);
    if (!isfinite(c.index) || !isfinite(stopped)) {
        finding_lack(&f, "ppo/metrics.jsonl lacks kl/step, kl/sequence or "
                         "clip/*");
    } else {
        bool is_straight = c.index > 0.5 || c.index > 2 * c.walk;
        f.verdict = stopped > 0.5                   ? VERDICT_NOT_SUPPORTED
                    : is_straight && stopped < 0.05 ? VERDICT_SUPPORTED
                                                    : VERDICT_NOT_SUPPORTED;
        finding_say(&f,
                    "steps of %.3f nats (median) went %.2f of a straight line "
                    "over %zu iterations (a random walk: %.2f), while the "
                    "clip stopped the gradient of %.1f %% of the tokens",
                    c.step, c.index, c.steps, c.walk, 100 * stopped);
    }
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

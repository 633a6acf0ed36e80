#include "diagnose/circumstances.h"

#include <math.h>
#include <stddef.h>

#include "base/mem.h"
#include "diagnose/pairs.h"
#include "diagnose/rate.h"
#include "stat/winrate.h"

#define VOTES "human/spotcheck.jsonl"

/* ---- people ------------------------------------------------------------- */

static enum status add_worse(struct leads *leads, const struct evidence *e,
                             struct rate *r, struct err *err)
{
    struct estimate win;
    char text[64];
    for (size_t i = 0; i < e->n_vote; i++)
        if (!e->vote[i].is_placebo && e->vote[i].visit == 1)
            rate_add(r, e->vote[i].prompt, e->vote[i].win, 1);
    TRY(rate_estimate(&win, r, &e->plan, err));
    struct finding *f;
    TRY(leads_add(&f, leads, "worse", "people prefer the reference", "win rate",
                  VOTES, err));
    finding_judge_side(f, &win, FINDING_BELOW, 0.5, "prompts",
                       "blind votes; 47 pairs tell a win rate of 70 %, 783 one "
                       "of 55 %");
    f->null = 0.5;
    finding_say(f, "judges prefer the policy in %s of the pairs",
                finding_percent(text, &win));
    return OK;
}

/* Does the second visit of a pair say what the same judge's first one said? */
static double same_choice(const struct evidence *e, size_t second)
{
    for (size_t i = 0; i < e->n_vote; i++)
        if (e->vote[i].visit == 1 && e->vote[i].pair == e->vote[second].pair &&
            e->vote[i].judge == e->vote[second].judge)
            return e->vote[i].win == e->vote[second].win ? 1 : 0;
    return (double)NAN;
}

static enum status add_noise(struct leads *leads, const struct evidence *e,
                             struct rate *r, struct err *err)
{
    struct estimate same;
    char text[64];
    for (size_t i = 0; i < e->n_vote; i++) {
        double x = e->vote[i].visit == 2 ? same_choice(e, i) : (double)NAN;
        rate_add(r, e->vote[i].prompt, x, 1);
    }
    TRY(rate_estimate(&same, r, &e->plan, err));
    struct finding *f;
    TRY(leads_add(&f, leads, "noise", "judges do not agree with themselves",
                  "second visits that choose as the first did", VOTES, err));
    finding_judge_side(f, &same, FINDING_BELOW, 0.6,
                       "prompts with a pair judged twice",
                       "pairs judged twice; about 60");
    finding_say(f, "judged again, %s of the pairs were decided alike",
                finding_percent(text, &same));
    return OK;
}

static enum status add_sides(struct leads *leads, const struct evidence *e,
                             struct rate *r, struct err *err)
{
    struct estimate left;
    char text[64];
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        if (v->visit == 1 && v->win != 0.5 && !v->is_side_unknown)
            rate_add(r, v->prompt, v->is_left ? v->win : 1 - v->win, 1);
    }
    TRY(rate_estimate(&left, r, &e->plan, err));
    struct finding *f;
    TRY(leads_add(&f, leads, "sides", "judges prefer a side",
                  "share won by the left", VOTES, err));
    f->e = left;
    f->null = 0.5;
    if (!finding_has_interval(&left))
        finding_lack(f, "blind votes that are no ties");
    else if (left.low > 0.5 || left.high < 0.5)
        f->verdict = VERDICT_SUPPORTED;
    else
        f->verdict = VERDICT_NOT_SUPPORTED;
    finding_say(f, "the answer on the left won %s of the decided pairs",
                finding_percent(text, &left));
    return OK;
}

/* ---- prompts ------------------------------------------------------------ */

/* Total variation of two tables of counts. */
static double variation(const double *a, const double *b, size_t n)
{
    double sum_a = 0, sum_b = 0, distance = 0;
    for (size_t i = 0; i < n; i++) {
        sum_a += a[i];
        sum_b += b[i];
    }
    for (size_t i = 0; i < n; i++)
        distance += fabs(a[i] / sum_a - b[i] / sum_b) / 2;
    return distance;
}

enum mix {
    MIX_EARLY,
    MIX_LATE,
    MIX_ODD,
    MIX_EVEN,
    MIX_TRAINING,
    MIX_HELDOUT,
    MIXES
};

static void count_tags(double *count[MIXES], const struct evidence *e)
{
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        if (r->tag == UINT32_MAX)
            continue;
        count[MIX_TRAINING][r->tag]++;
        count[i % 2 == 0 ? MIX_EVEN : MIX_ODD][r->tag]++;
        if (3 * r->step < e->n_step)
            count[MIX_EARLY][r->tag]++;
        if (3 * r->step >= 2 * e->n_step)
            count[MIX_LATE][r->tag]++;
    }
    for (size_t i = 0; i < e->n_reply; i++)
        if (e->reply[i].tag != SIZE_MAX && !e->reply[i].is_policy)
            count[MIX_HELDOUT][e->reply[i].tag]++;
}

static enum status add_mix(struct leads *leads, const struct evidence *e,
                           struct err *err)
{
    enum status status = OK;
    double *count[MIXES] = {NULL};
    size_t n = e->tag.n;
    for (size_t i = 0; i < MIXES; i++)
        TRY_DONE(MEM_NEW(count[i], n, err));
    count_tags(count, e);
    double drift = variation(count[MIX_EARLY], count[MIX_LATE], n) -
                   variation(count[MIX_ODD], count[MIX_EVEN], n);
    double gap = variation(count[MIX_TRAINING], count[MIX_HELDOUT], n);
    struct finding *f;
    TRY_DONE(leads_add(
        &f, leads, "mix", "the prompts changed, or are not those held out",
        "total variation of strata",
        "ppo/rollouts, eval/samples.jsonl; a distance, no interval", err));
    finding_add_number(f, "early_to_late", drift, e->n_rollout);
    finding_add_number(f, "training_to_heldout", gap, e->n_reply);
    f->e.estimate = fmax(drift, gap);
    f->e.n = e->n_rollout;
    f->effect = 0.2;
    if (n < 2 || !isfinite(f->e.estimate))
        finding_lack(f, "prompts with tags, in training and held out");
    else
        f->verdict =
            f->e.estimate >= 0.2 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    if (isfinite(drift + gap))
        finding_say(
            f,
            "between the early and the late third of training %.0f %% of "
            "the prompts would have to change their stratum, between "
            "training and held-out prompts %.0f %%",
            100 * fmax(drift, 0), 100 * gap);
done:
    for (size_t i = 0; i < MIXES; i++)
        mem_free(count[i]);
    return status;
}

/* ---- the sampler -------------------------------------------------------- */

static enum status add_start(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    double n = 0, sum = 0, square = 0;
    for (size_t i = 0; 4 * i < e->n_step; i++) {
        n += (double)e->step[i].tokens;
        sum += e->step[i].surprise;
        square += e->step[i].surprise_square;
    }
    struct finding *f;
    TRY(leads_add(&f, leads, "sampler_start",
                  "tokens come from another distribution from the start",
                  "z of the mean surprise minus entropy, first quarter",
                  "ppo/rollouts", err));
    double mean = sum / n;
    f->e.estimate = mean / sqrt((square / n - mean * mean) / n);
    f->e.n = (size_t)n;
    f->effect = 4;
    if (!isfinite(f->e.estimate))
        finding_lack(f, "rollouts with logp and entropy");
    else
        f->verdict = fabs(f->e.estimate) >= 4 ? VERDICT_SUPPORTED
                                              : VERDICT_NOT_SUPPORTED;
    if (isfinite(f->e.estimate))
        finding_say(f, "in the first quarter of the iterations z is %+.1f",
                    f->e.estimate);
    return OK;
}

/* ---- reference and reward model ----------------------------------------- */

static enum status add_overfit(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    const struct json *doc = e->probe[PROBE_REFERENCE].json;
    double train =
        json_number(json_get(json_get(doc, "train"), "nll"), (double)NAN);
    double held =
        json_number(json_get(json_get(doc, "heldout"), "nll"), (double)NAN);
    struct finding *f;
    TRY(leads_add(&f, leads, "overfit", "the reference is over-fitted",
                  "nats a token, held-out over training demonstrations",
                  "probes/reference.json; two totals, no interval", err));
    finding_add_number(f, "train", train, 1);
    finding_add_number(f, "heldout", held, 1);
    f->e.estimate = held / train;
    f->e.n = 1;
    f->effect = 1.5;
    if (!isfinite(f->e.estimate))
        finding_lack(f, "probes/reference.json: %s",
                     doc != NULL ? "no demonstrations to compare"
                                 : "not there; it is made by plumb probe");
    else
        f->verdict =
            f->e.estimate >= 1.5 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    if (isfinite(f->e.estimate))
        finding_say(f,
                    "the reference finds held-out demonstrations %.2f times as "
                    "surprising as those it learned (%.3f against %.3f nats a "
                    "token)",
                    f->e.estimate, held, train);
    return OK;
}

static enum status add_weak(struct leads *leads, const struct evidence *e,
                            struct rate *r, struct err *err)
{
    struct pairs p;
    struct estimate right;
    char text[64];
    TRY(pairs_of_rankings(&p, e, err));
    for (size_t i = 0; i < p.n; i++)
        rate_add(
            r, p.prompt[i],
            winrate_of(p.chosen[i] > 0.5 ? p.d_score[i] : -p.d_score[i], 0), 1);
    pairs_free(&p);
    TRY(rate_estimate(&right, r, &e->plan, err));
    struct finding *f;
    TRY(leads_add(&f, leads, "weak", "the reward model is too weak to rank",
                  "accuracy on held-out rankings", "probes/pairs.json", err));
    finding_judge(f, &right, 1, CIRCUMSTANCES_WEAK);
    if (right.n == 0)
        finding_lack(f, "probes/pairs.json is made by plumb probe, of the "
                        "reward run's held-out rankings");
    finding_say(f, "it is right on %s of the held-out pairs",
                finding_percent(text, &right));
    return OK;
}

enum status circumstances_add(struct leads *leads, const struct evidence *e,
                              const circumstances_fn *fn, size_t n,
                              struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct rate r;
        enum status status = rate_open(&r, e->n_prompts, err);
        if (status == OK)
            status = fn[i](leads, e, &r, err);
        rate_close(&r);
        TRY(status);
    }
    return OK;
}

enum status circumstances_find(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    static const circumstances_fn rates[] = {add_worse, add_noise, add_sides,
                                             add_weak};
    TRY(circumstances_add(leads, e, rates, sizeof rates / sizeof *rates, err));
    TRY(add_mix(leads, e, err));
    TRY(add_start(leads, e, err));
    return add_overfit(leads, e, err);
}

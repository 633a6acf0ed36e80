#include "diagnose/ppo_leads.h"

#include <math.h>
#include <stddef.h>

#include "base/mem.h"
#include "diagnose/metric.h"
#include "diagnose/rate.h"
#include "stat/blocks.h"
#include "stat/regress.h"
#include "stat/trend.h"

#define ROLLOUTS "ppo/rollouts"

static const char *const push_id[FEATURES] = {
    [FEATURE_CHARACTERS] = "push_characters",
    [FEATURE_WORDS] = "push_words",
    [FEATURE_SENTENCES] = "push_sentences",
    [FEATURE_LIST] = "push_list",
    [FEATURE_BOLD] = "push_bold",
    [FEATURE_HEADER] = "push_header",
    [FEATURE_HEDGE] = "push_hedge",
    [FEATURE_APOLOGY] = "push_apology",
    [FEATURE_THANKS] = "push_thanks",
    [FEATURE_REPEAT] = "push_repeat",
    [FEATURE_FOURGRAM] = "push_fourgram",
    [FEATURE_COPY] = "push_copy",
    [FEATURE_CLOSED] = "push_closed",
};

/* ---- numbers of responses, less their iteration's mean ------------------ */

typedef double (*response_fn)(const struct evidence_rollout *r);

static double tokens_of(const struct evidence_rollout *r)
{
    return (double)r->tokens;
}

static double paid_of(const struct evidence_rollout *r)
{
    return (double)r->score + (double)r->reward_kl;
}

static double mean_advantage_of(const struct evidence_rollout *r)
{
    return (double)r->advantage_white;
}

static double sum_advantage_of(const struct evidence_rollout *r)
{
    return (double)r->advantage_white * (double)r->tokens;
}

/* out[p]: mean over the prompt's responses. */
static enum status residuals(double *out, const struct evidence *e,
                             response_fn fn, struct err *err)
{
    enum status status = OK;
    double *sum = NULL;
    size_t *count = NULL, *seen = NULL;
    TRY_DONE(MEM_NEW(sum, e->n_step, err));
    TRY_DONE(MEM_NEW(count, e->n_step, err));
    TRY_DONE(MEM_NEW(seen, e->rollout_prompt.n, err));
    for (size_t i = 0; i < e->n_rollout; i++) {
        double x = fn(&e->rollout[i]);
        if (isnan(x))
            continue;
        sum[e->rollout[i].step] += x;
        count[e->rollout[i].step]++;
    }
    for (size_t p = 0; p < e->rollout_prompt.n; p++)
        out[p] = 0;
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        double x = fn(r);
        if (isnan(x))
            continue;
        out[r->prompt] += x - sum[r->step] / (double)count[r->step];
        seen[r->prompt]++;
    }
    for (size_t p = 0; p < e->rollout_prompt.n; p++)
        out[p] = seen[p] > 0 ? out[p] / (double)seen[p] : (double)NAN;
done:
    mem_free(sum);
    mem_free(count);
    mem_free(seen);
    return status;
}

/* Correlation of length with another number. */
static enum status with_length(struct estimate *out, const struct evidence *e,
                               response_fn fn, struct err *err)
{
    enum status status = OK;
    double *x = NULL, *y = NULL;
    TRY_DONE(MEM_NEW(x, e->rollout_prompt.n, err));
    TRY_DONE(MEM_NEW(y, e->rollout_prompt.n, err));
    TRY_DONE(residuals(x, e, tokens_of, err));
    TRY_DONE(residuals(y, e, fn, err));
    TRY_DONE(summary_estimate_correlation(out, x, y, e->rollout_prompt.n,
                                          &e->plan, err));
done:
    mem_free(x);
    mem_free(y);
    return status;
}

/* Two correlations of which a difference in sign would be the finding: is it
 * shown, refuted or open? */
static void judge_signs(struct finding *f, const struct estimate *a,
                        const struct estimate *b)
{
    bool a_up = a->low > 0, a_down = a->high < 0;
    bool b_up = b->low > 0, b_down = b->high < 0;
    bool is_b =
        finding_enough(b, 0, b->estimate) > finding_enough(a, 0, a->estimate);
    const struct estimate *more = is_b ? b : a; // the one that wants more
    char text[FINDING_ENOUGH_TEXT];
    f->e = *a;
    f->null = 0;
    if (!finding_has_interval(a) || !finding_has_interval(b))
        finding_lack(f, "%s lacks scores or advantages", ROLLOUTS);
    else if ((a_up && b_down) || (a_down && b_up))
        f->verdict = VERDICT_SUPPORTED;
    else if ((a_up && b_up) || (a_down && b_down))
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(f, "one of the two signs is open; %s would tell (now %zu)",
                     finding_enough_prompts(text, more, 0, more->estimate),
                     more->n);
}

/* Does length go one way with one number and another way with the other? */
struct opposed {
    const char *id, *claim;
    struct {
        response_fn fn;
        const char *name, *words; // in the detail, in the sentence
    } of[2];
};

static const struct opposed baseline = {
    "baseline",
    "the value model makes the push towards length",
    {{mean_advantage_of, "own_advantage", "the advantages"},
     {paid_of, "score_and_penalty", "score and penalty alone"}}};

static const struct opposed aggregation = {
    "aggregation",
    "the way losses are added up makes the push",
    {{sum_advantage_of, "token_sums", "advantages summed over a response"},
     {mean_advantage_of, "token_means", "their mean"}}};

static enum status add_opposed(struct leads *leads, const struct evidence *e,
                               const struct opposed *o, struct err *err)
{
    struct estimate x[2];
    char text[64], other[64];
    for (size_t i = 0; i < 2; i++)
        TRY(with_length(&x[i], e, o->of[i].fn, err));
    struct finding *f;
    TRY(leads_add(&f, leads, o->id, o->claim, "correlation with length",
                  ROLLOUTS, err));
    for (size_t i = 0; i < 2; i++)
        finding_add(f, o->of[i].name, &x[i]);
    judge_signs(f, &x[0], &x[1]);
    finding_say(f, "length goes with %s by %s and with %s by %s",
                o->of[0].words, finding_number(text, &x[0], 2), o->of[1].words,
                finding_number(other, &x[1], 2));
    return OK;
}

/* ---- the value model ---------------------------------------------------- */

/* Slope of return - value on length, per token. */
static enum status error_slope(struct estimate *out, const struct evidence *e,
                               struct err *err)
{
    enum status status = OK;
    double *x = NULL, *y = NULL;
    size_t *prompt = NULL;
    struct estimate b[DESIGN_MAX];
    TRY_DONE(MEM_NEW(x, e->n_rollout, err));
    TRY_DONE(MEM_NEW(y, e->n_rollout, err));
    TRY_DONE(MEM_NEW(prompt, e->n_rollout, err));
    for (size_t i = 0; i < e->n_rollout; i++) {
        x[i] = (double)e->rollout[i].tokens;
        y[i] = (double)e->rollout[i].value_error;
        prompt[i] = e->rollout[i].prompt;
    }
    struct design_data data = {.n = e->n_rollout,
                               .p = 1,
                               .n_prompts = e->rollout_prompt.n,
                               .x = x,
                               .y = y,
                               .prompt = prompt};
    TRY_DONE(regress_bootstrap(b, NULL, &data, DESIGN_CONSTANT, &e->plan, err));
    *out = b[0];
done:
    mem_free(x);
    mem_free(y);
    mem_free(prompt);
    return status;
}

/* Share of the returns' variance that values explain, over iterations
 * first + index[k]. */
struct explained {
    const struct evidence_step *step;
};

static double explained(void *ctx, const size_t *index, size_t m)
{
    const struct explained *x = ctx;
    double n = 0, r = 0, rr = 0, d = 0, dd = 0;
    for (size_t i = 0; i < m; i++) {
        const struct evidence_step *s = &x->step[index[i]];
        n += (double)s->tokens;
        r += s->returns;
        rr += s->returns_square;
        d += s->errors;
        dd += s->errors_square;
    }
    return 1 - (dd / n - d / n * (d / n)) / (rr / n - r / n * (r / n));
}

static enum status add_value(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    struct explained late = {e->step + e->n_step / 2};
    size_t n = e->n_step - e->n_step / 2;
    struct estimate slope, share;
    struct finding *f;
    char text[64], other[64];
    TRY(blocks_estimate(&share, explained, &late, n, blocks_length(n),
                        e->plan.level, err));
    TRY(error_slope(&slope, e, err));
    TRY(leads_add(
        &f, leads, "value", "the value model explains next to nothing",
        "share of the returns' variance, iterations of the second half",
        ROLLOUTS, err));
    finding_add(f, "error_by_length", &slope);
    finding_judge(f, &share, 1, PPO_LEADS_EXPLAINED);
    if (!finding_has_interval(&share))
        finding_lack(f, "%s lacks values or rewards", ROLLOUTS);
    finding_say(f,
                "in the second half the values explain %s of the returns' "
                "variance; what they miss changes by %s a token of length",
                finding_percent(text, &share),
                finding_number(other, &slope, 4));
    return OK;
}

/* ---- the rest ----------------------------------------------------------- */

enum status ppo_leads_clip_stops(struct estimate *out, const struct evidence *e,
                                 struct err *err)
{
    struct metric_column above =
        metric_find(&e->metrics, "clip/positive_above");
    struct metric_column below =
        metric_find(&e->metrics, "clip/negative_below");
    struct rate r;
    enum status status = rate_open(&r, e->metrics.n, err);
    for (size_t i = 0; status == OK && i < r.n; i++)
        rate_add(&r, i, metric_at(&above, i) + metric_at(&below, i), 1);
    if (status == OK)
        status = rate_few(out, &r, blocks_length(r.n), e->plan.level, err);
    rate_close(&r);
    return status;
}

static enum status add_clip(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    static const char *const cell[] = {
        "clip/positive_above", "clip/negative_below", "clip/positive_below",
        "clip/negative_above"};
    double x[4];
    struct estimate stopped;
    struct finding *f;
    TRY(ppo_leads_clip_stops(&stopped, e, err));
    TRY(leads_add(&f, leads, "clip", "the clip stops gradients",
                  "share of tokens whose gradient it stops, over iterations",
                  "ppo/metrics.jsonl", err));
    for (size_t i = 0; i < 4; i++) {
        struct metric_column share = metric_find(&e->metrics, cell[i]);
        x[i] = metric_mean(&share);
        finding_add_number(f, cell[i], x[i], e->metrics.n);
    }
    finding_judge_side(f, &stopped, FINDING_ABOVE, 0.05, "iterations",
                       "ppo/metrics.jsonl lacks clip/*");
    if (isfinite(x[0] + x[1] + x[2] + x[3]))
        finding_say(
            f,
            "of the tokens %.2f %% stop above the range with a positive "
            "advantage and %.2f %% below it with a negative one; %.2f %% "
            "and %.2f %% lie outside and are pulled back",
            100 * x[0], 100 * x[1], 100 * x[2], 100 * x[3]);
    return OK;
}

static enum status add_entropy(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    enum status status = OK;
    double *t = NULL, *y = NULL;
    struct trend trend;
    char text[64];
    TRY_DONE(MEM_NEW(t, e->n_step, err));
    TRY_DONE(MEM_NEW(y, e->n_step, err));
    for (size_t i = 0; i < e->n_rollout; i++)
        y[e->rollout[i].step] += (double)e->rollout[i].entropy;
    for (size_t i = 0; i < e->n_step; i++) {
        t[i] = (double)e->step[i].step;
        y[i] /= (double)e->step[i].tokens;
    }
    TRY_DONE(trend_fit(&trend, t, y, e->n_step, 1, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "entropy", "the policy narrows",
                       "nats a token and iteration", ROLLOUTS, err));
    finding_judge_side(f, &trend.slope, FINDING_BELOW, 0, "iterations",
                       ROLLOUTS " has no entropy, or too few iterations");
    f->p = trend.p;
    finding_say(f, "entropy changes by %s nats a token and iteration",
                finding_number(text, &trend.slope, 5));
done:
    mem_free(t);
    mem_free(y);
    return status;
}

static enum status add_push(struct leads *leads, const struct evidence *e,
                            const struct push *p, enum features feature,
                            struct err *err)
{
    enum status status = OK;
    const double *x =
        table_numbers(&e->probe[PROBE_PUSH], features_name(feature));
    double *a = NULL, *b = NULL, *net = NULL;
    struct estimate push;
    char text[64];
    double beta = evidence_beta_first(e);
    if (x == NULL || p->n == 0)
        return OK;
    double sd = summary_sd(x, p->n);
    if (!(sd > 0)) // never there: nothing can be pushed
        return OK;
    TRY_DONE(MEM_NEW(a, p->n_prompts, err));
    TRY_DONE(MEM_NEW(b, p->n_prompts, err));
    TRY_DONE(MEM_NEW(net, p->n, err));
    for (size_t i = 0; i < p->n; i++)
        net[i] = (p->score[i] - beta * p->k1[i]) / sd;
    TRY_DONE(push_covariance(a, b, p, x, net, 0, p->m, err));
    TRY_DONE(summary_estimate_ratio(&push, a, b, p->n_prompts, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, push_id[feature], features_name(feature),
                       "net push, deviations of the feature times score",
                       "probes/push.json", err));
    finding_judge(f, &push, 0, 0);
    finding_say(f, "the net push on '%s' is %s", features_name(feature),
                finding_number(text, &push, 3));
done:
    mem_free(a);
    mem_free(b);
    mem_free(net);
    return status;
}

enum status ppo_leads_eos_gap(struct estimate *out, const struct evidence *e,
                              struct err *err)
{
    struct rate r;
    enum status status = rate_open(&r, e->rollout_prompt.n, err);
    for (size_t i = 0; status == OK && i < e->n_rollout; i++)
        rate_add(&r, e->rollout[i].prompt, (double)e->rollout[i].eos_gap, 1);
    if (status == OK)
        status = rate_estimate(out, &r, &e->plan, err);
    rate_close(&r);
    return status;
}

enum status ppo_leads(struct leads *leads, const struct evidence *e,
                      const struct push *p, struct err *err)
{
    for (size_t f = 0; f < FEATURES; f++)
        TRY(add_push(leads, e, p, (enum features)f, err));
    TRY(add_clip(leads, e, err));
    if (e->n_step == 0)
        return OK;
    TRY(add_value(leads, e, err));
    TRY(add_opposed(leads, e, &baseline, err));
    TRY(add_opposed(leads, e, &aggregation, err));
    return add_entropy(leads, e, err);
}

#include "diagnose/observations.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/course.h"
#include "diagnose/marks.h"
#include "diagnose/metric.h"
#include "diagnose/push.h"
#include "stat/trend.h"

#define SAMPLES "eval/samples.jsonl"
#define VOTES "human/spotcheck.jsonl"

static void lack_file(struct finding *f, const struct evidence *e,
                      const char *what)
{
    const struct evidence_loss *lost = evidence_lost(e, what);
    if (lost != NULL)
        finding_lack(f, "%s: %s; it is made by %s", what, lost->why,
                     lost->command);
    else
        finding_lack(f, "%s holds nothing to judge this by", what);
}

enum status observations_sd_within(double *out, const struct evidence *e,
                                   struct err *err)
{
    enum status status = OK;
    double *mean = NULL;
    size_t *count = NULL;
    double square = 0, freedom = 0;
    TRY_DONE(MEM_NEW(count, e->n_prompts, err));
    TRY_DONE(MEM_NEW(mean, e->n_prompts, err));
    TRY_DONE(evidence_prompt_means(
        mean, e, false, offsetof(struct evidence_reply, score), err));
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *r = &e->reply[i];
        if (r->is_policy || isnan(r->score))
            continue;
        double d = r->score - mean[r->prompt];
        square += d * d;
        freedom += count[r->prompt]++ > 0 ? 1 : 0;
    }
    *out = freedom > 0 ? sqrt(square / freedom) : (double)NAN;
done:
    mem_free(count);
    mem_free(mean);
    return status;
}

/* Two columns over prompts. */
struct pair {
    double *policy, *reference;
};

static enum status open_pair(struct pair *x, size_t n, struct err *err)
{
    TRY(MEM_NEW(x->policy, n, err));
    return MEM_NEW(x->reference, n, err);
}

static void close_pair(struct pair *x)
{
    mem_free(x->policy);
    mem_free(x->reference);
}

static enum status fill_pair(struct pair *x, const struct evidence *e,
                             size_t member, struct err *err)
{
    TRY(evidence_prompt_means(x->policy, e, true, member, err));
    return evidence_prompt_means(x->reference, e, false, member, err);
}

/* Of what is there, over prompts; NaN of fewer than two. */
static double deviation(const double *x, size_t n)
{
    double mean = summary_mean_of(x, NULL, n), square = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        square += isnan(x[i]) ? 0 : (x[i] - mean) * (x[i] - mean);
        count += isnan(x[i]) ? 0 : 1;
    }
    return count > 1 ? sqrt(square / (double)(count - 1)) : (double)NAN;
}

static enum status judge_reward(struct finding *out, const struct evidence *e,
                                struct pair *x, struct err *err)
{
    struct finding f = finding_new(
        "S1", "the reward model scores the policy above the reference",
        "deviations within a prompt", SAMPLES);
    double sd;
    struct estimate delta;
    char text[64];
    TRY(observations_sd_within(&sd, e, err));
    TRY(fill_pair(x, e, offsetof(struct evidence_reply, score), err));
    TRY(summary_estimate_difference(&delta, x->policy, x->reference,
                                    e->n_prompts, &e->plan, err));
    finding_add(&f, "score_delta", &delta);
    finding_add_number(&f, "sd_within", sd, delta.n);
    /* A reply to a prompt has no deviation when it is the only one: then the
     * unit is the score's own, of another trainer's scores that of prompts. */
    if (!(sd > 0) && e->import != NULL) {
        sd = deviation(x->reference, e->n_prompts);
        f.unit = "deviations of prompts";
    }
    double unit = isfinite(sd) && sd > 0 ? sd : 1;
    struct estimate scaled = {delta.estimate / unit, delta.low / unit,
                              delta.high / unit, delta.n};
    finding_judge(&f, &scaled, 0, 0.1);
    if (delta.n == 0)
        lack_file(&f, e, SAMPLES);
    else
        finding_say(&f,
                    "on %zu held-out prompts the reward model scores the "
                    "policy's replies %s deviations above the reference's",
                    delta.n, finding_number(text, &f.e, 2));
    *out = f;
    return OK;
}

static enum status add_policy_share(struct finding *f, const char *name,
                                    const struct evidence *e, enum mark m,
                                    struct err *err)
{
    struct marks_share share;
    TRY(marks_measure(&share, e, m, err));
    finding_add(f, name, &share.policy);
    return OK;
}

/* Texts alone are often told of in characters. */
static enum status add_characters(struct finding *f, const struct evidence *e,
                                  struct pair *x, struct err *err)
{
    size_t member = offsetof(struct evidence_reply, feature) +
                    FEATURE_CHARACTERS * sizeof(double);
    struct estimate mean[2];
    TRY(fill_pair(x, e, member, err));
    TRY(summary_estimate_mean(&mean[0], x->policy, e->n_prompts, &e->plan,
                              err));
    TRY(summary_estimate_mean(&mean[1], x->reference, e->n_prompts, &e->plan,
                              err));
    finding_add(f, "characters", &mean[0]);
    finding_add(f, "characters_reference", &mean[1]);
    return OK;
}

static enum status judge_longer(struct finding *out, const struct evidence *e,
                                struct pair *x, struct err *err)
{
    struct finding f = finding_new("S2a", "replies are longer",
                                   e->reply_unit == EVIDENCE_WORDS
                                       ? "mean words, policy over reference"
                                       : "mean tokens, policy over reference",
                                   SAMPLES ", " VOTES);
    struct estimate ratio;
    char text[64];
    TRY(fill_pair(x, e, offsetof(struct evidence_reply, tokens), err));
    TRY(summary_estimate_ratio(&ratio, x->policy, x->reference, e->n_prompts,
                               &e->plan, err));
    finding_judge(&f, &ratio, 1, 1.1);
    if (ratio.n == 0)
        lack_file(&f, e, SAMPLES);
    else
        finding_say(&f,
                    "the policy's replies have %s times the %s of the "
                    "reference's",
                    finding_number(text, &ratio, 2),
                    evidence_units(e->reply_unit));
    if (e->import != NULL)
        TRY(add_characters(&f, e, x, err));
    TRY(add_policy_share(&f, "too_long", e, MARK_TOO_LONG, err));
    TRY(add_policy_share(&f, "too_long_reference", e, MARK_TOO_LONG_OTHER,
                         err));
    *out = f;
    return OK;
}

/* One mark of S2b, of policy pairs against placebo pairs. */
struct look {
    enum mark mark;
    const char *name; // "direct"
    struct marks_share share;
    struct finding f;
};

static enum status judge_look(struct look *m, const struct evidence *e,
                              struct err *err)
{
    TRY(marks_measure(&m->share, e, m->mark, err));
    finding_judge(&m->f, &m->share.excess, 0, 0.05);
    if (e->n_vote == 0)
        lack_file(&m->f, e, VOTES);
    else if (m->share.pairs == 0)
        finding_lack(&m->f, "no policy pair was marked %s", m->name);
    else if (m->share.placebos == 0)
        finding_lack(&m->f,
                     "no placebo pairs marked %s: two samples of the "
                     "reference, judged among the others; about %zu",
                     m->name, m->share.pairs);
    return OK;
}

/* Two looks at one claim: either mark supports it, on twice its p (Bonferroni),
 * and only both refute it.  A mark that nobody gave is no look. */
static struct finding join_looks(const struct look *direct,
                                 const struct look *correct)
{
    bool has_direct = finding_has_interval(&direct->f.e);
    bool has_correct = finding_has_interval(&correct->f.e);
    if (!has_correct)
        return direct->f;
    if (!has_direct)
        return correct->f;
    bool is_direct = direct->f.verdict == VERDICT_SUPPORTED ||
                     (direct->f.verdict == VERDICT_NOT_MEASURABLE &&
                      correct->f.verdict != VERDICT_SUPPORTED) ||
                     correct->f.verdict == VERDICT_NOT_SUPPORTED;
    struct finding f = is_direct ? direct->f : correct->f;
    double p = fmin(finding_p(&direct->f.e, 0), finding_p(&correct->f.e, 0));
    f.p = fmin(1, 2 * p);
    return f;
}

/* The shares behind the two excesses, and the overall vote, which the row does
 * not rest on. */
static enum status add_shares(struct finding *f, const struct look *direct,
                              const struct look *correct,
                              const struct evidence *e, struct err *err)
{
    struct marks_share win;
    finding_add(f, "less_direct", &direct->share.policy);
    finding_add(f, "less_direct_placebo", &direct->share.placebo);
    finding_add(f, "less_correct", &correct->share.policy);
    finding_add(f, "less_correct_placebo", &correct->share.placebo);
    TRY(add_policy_share(f, "correct", e, MARK_CORRECT, err));
    TRY(add_policy_share(f, "correct_reference", e, MARK_CORRECT_OTHER, err));
    TRY(marks_measure(&win, e, MARK_WIN, err));
    finding_add(f, "win_rate", &win.policy);
    finding_add(f, "win_rate_placebo", &win.placebo);
    return OK;
}

static enum status judge_less_direct(struct finding *out,
                                     const struct evidence *e, struct err *err)
{
    static const char claim[] = "the policy is sometimes less directly helpful";
    struct look direct = {
        .mark = MARK_LESS_DIRECT,
        .name = "for directness",
        .f = finding_new(
            "S2b", claim,
            "share marked less direct, policy pairs minus placebo pairs",
            VOTES)};
    struct look correct = {
        .mark = MARK_LESS_CORRECT,
        .name = "for correctness",
        .f = finding_new(
            "S2b", claim,
            "share marked less correct, policy pairs minus placebo pairs",
            VOTES)};
    char text[64], other[64];
    TRY(judge_look(&direct, e, err));
    TRY(judge_look(&correct, e, err));
    *out = join_looks(&direct, &correct);
    finding_say(out,
                "judges mark the policy's reply less direct by %s more often "
                "than one of two samples of the reference (%zu policy, %zu "
                "placebo pairs), and less correct by %s",
                finding_percent(text, &direct.f.e), direct.share.pairs,
                direct.share.placebos, finding_percent(other, &correct.f.e));
    finding_add(out, "less_direct_excess", &direct.f.e);
    finding_add(out, "less_correct_excess", &correct.f.e);
    return add_shares(out, &direct, &correct, e, err);
}

/* ---- the drift ---------------------------------------------------------- */

/* KL by checkpoint and prompt. */
struct series {
    double *t, *y; // [m], [m * n]
    double *kept;  // scratch
    size_t m, n;
    const char *data;
    char what[IMPORTED_KL_TEXT + 96]; // "the exact KL"
};

static void series_free(struct series *s)
{
    mem_free(s->t);
    mem_free(s->y);
    mem_free(s->kept);
}

/* Leave the prompts out that were not measured at every point. */
static void keep_whole(struct series *s)
{
    size_t kept = 0;
    for (size_t p = 0; p < s->n; p++) {
        bool is_whole = true;
        for (size_t c = 0; c < s->m; c++)
            is_whole = is_whole && isfinite(s->y[c * s->n + p]);
        if (!is_whole)
            continue;
        for (size_t c = 0; c < s->m; c++)
            s->kept[c * s->n + kept] = s->y[c * s->n + p];
        kept++;
    }
    /* Close the rows up: their stride is now the prompts kept. */
    for (size_t c = 0; c < s->m; c++)
        memmove(s->y + c * kept, s->kept + c * s->n, kept * sizeof *s->y);
    s->n = kept;
    s->m = kept > 0 ? s->m : 0;
}

/* Means over replies of probes/push.json, on the same prompts. */
static enum status series_of_push(struct series *s, const struct evidence *e,
                                  struct err *err)
{
    struct push p;
    enum status status = OK;
    TRY(push_read(&p, e, err));
    if (p.n == 0)
        return OK;
    TRY_DONE(MEM_NEW(s->t, p.m, err));
    TRY_DONE(MEM_NEW(s->y, p.m * p.n_prompts, err));
    TRY_DONE(MEM_NEW(s->kept, p.m * p.n_prompts, err));
    TRY_DONE(push_grid(s->y, &p, p.kl, err));
    memcpy(s->t, p.t, p.m * sizeof *s->t);
    s->m = p.m;
    s->n = p.n_prompts;
    s->data = "probes/push.json";
    keep_whole(s);
    if (s->m == 0) {
        series_free(s);
        *s = (struct series){.m = 0};
    }
done:
    push_free(&p);
    return status;
}

/* Means by checkpoint of eval/curve.json, without their prompts. */
static enum status series_of_curve(struct series *s, const struct evidence *e,
                                   struct err *err)
{
    const struct json *points = json_get(e->curve, "checkpoints");
    size_t m = json_size(points);
    if (m == 0)
        return OK;
    TRY(MEM_NEW(s->t, m, err));
    TRY(MEM_NEW(s->y, m, err));
    for (size_t i = 0; i < m; i++) {
        const struct json *p = json_at(points, i);
        struct estimate kl = measures_read_estimate(json_get(p, "kl_sequence"));
        double t = json_number(json_get(p, "iteration"), (double)NAN);
        if (isnan(t) || isnan(kl.estimate) || (s->m > 0 && t <= s->t[s->m - 1]))
            continue;
        s->t[s->m] = t;
        s->y[s->m++] = kl.estimate;
    }
    s->n = 1;
    s->data = "eval/curve.json";
    return OK;
}

/* The training batches' own KL, on prompts that change. */
static enum status series_of_metrics(struct series *s, const struct evidence *e,
                                     struct err *err)
{
    struct metric_column column = metric_find(&e->metrics, "kl/sequence");
    if (column.value == NULL)
        return OK;
    TRY(MEM_NEW(s->t, e->metrics.n, err));
    TRY(MEM_NEW(s->y, e->metrics.n, err));
    for (size_t i = 0; i < e->metrics.n; i++) {
        double kl = metric_at(&column, i);
        if (isnan(kl))
            continue;
        s->t[s->m] = (double)e->metrics.step[i];
        s->y[s->m++] = kl;
    }
    s->n = 1;
    s->data = "ppo/metrics.jsonl";
    return OK;
}

/* What another trainer logged, where it is known what that is. */
static enum status series_of_import(struct series *s, const char **why,
                                    const struct evidence *e, struct err *err)
{
    struct course c;
    char text[IMPORTED_KL_TEXT];
    TRY(course_of_response_kl(&c, why, e, err));
    if (c.m == 0)
        return OK;
    s->t = c.t;
    s->y = c.y;
    s->m = c.m;
    s->n = 1;
    s->data = c.data;
    (void)snprintf(s->what, sizeof s->what, "%.60s (%s%s)", c.name,
                   imported_kl_words(text, c.kl),
                   c.is_product ? ", times the mean length" : "");
    return OK;
}

/* The best that there is. */
static enum status find_series(struct series *s, const char **why,
                               const struct evidence *e, struct err *err)
{
    *why = NULL;
    (void)snprintf(s->what, sizeof s->what, "the exact KL");
    if (e->import != NULL)
        return series_of_import(s, why, e, err);
    TRY(series_of_push(s, e, err));
    if (s->m == 0)
        TRY(series_of_curve(s, e, err));
    return s->m == 0 ? series_of_metrics(s, e, err) : OK;
}

static double mean_at(const struct series *s, size_t c)
{
    double sum = 0, n = 0;
    for (size_t p = 0; p < s->n; p++) {
        double y = s->y[c * s->n + p];
        if (isnan(y))
            continue;
        sum += y;
        n++;
    }
    return sum / n;
}

static enum status judge_kl_up(struct finding *out, const struct evidence *e,
                               struct err *err)
{
    enum status status = OK;
    struct finding f = finding_new("S3", "KL to the reference rose",
                                   "nats a reply and iteration", "");
    struct series s = {.m = 0};
    struct trend trend, late = {.slope = summary_nothing()};
    const char *why;
    TRY_DONE(find_series(&s, &why, e, err));
    if (s.m < TREND_MIN) {
        f.data = "probes/push.json, eval/curve.json, ppo/metrics.jsonl";
        finding_lack(&f, "%zu checkpoints with a KL, at least %d are needed",
                     s.m, TREND_MIN);
        if (s.m == 0 && why != NULL)
            finding_lack(&f, "%s", why);
        *out = f;
        goto done;
    }
    f.data = s.data;
    TRY_DONE(trend_fit(&trend, s.t, s.y, s.m, s.n, &e->plan, err));
    size_t half = s.m / 2;
    if (s.m - half >= TREND_MIN)
        TRY_DONE(trend_fit(&late, s.t + half, s.y + half * s.n, s.m - half, s.n,
                           &e->plan, err));
    double range = s.t[s.m - 1] - s.t[0];
    double last = mean_at(&s, s.m - 1), first = mean_at(&s, s.t[0] == 0);
    double margin = 0.1 * last / range;
    finding_judge(&f, &trend.slope, 0, 0);
    if (f.verdict == VERDICT_SUPPORTED && !(last >= 1.2 * first))
        f.verdict = VERDICT_NOT_SUPPORTED;
    /* Flat within a tenth of where it stands is evidence of its own. */
    if (trend.slope.high < margin && trend.slope.low > -margin)
        f.verdict = VERDICT_NOT_SUPPORTED;
    f.p = trend.p;
    char text[64], other[64];
    finding_add_number(&f, "first", first, s.m);
    finding_add_number(&f, "last", last, s.m);
    finding_add_number(&f, "tau", trend.tau, s.m);
    finding_add(&f, "late_slope", &late.slope);
    finding_say(&f,
                "%s changes by %s nats a reply and iteration: from "
                "%.2f at iteration %.0f to %.2f at %.0f; from iteration %.0f "
                "on by %s",
                s.what, finding_number(text, &trend.slope, 3), first,
                s.t[s.t[0] == 0], last, s.t[s.m - 1], s.t[half],
                finding_number(other, &late.slope, 3));
    *out = f;
done:
    series_free(&s);
    return status;
}

static struct finding judge_penalty(const struct finding gate[GATES],
                                    const struct evidence *e)
{
    struct finding f =
        finding_new("S3p", "although the KL penalty is on and acts",
                    "KL left after relaxation, over a known-good penalty's",
                    "probes/relaxation.json, ppo/config.yaml, ppo/rollouts");
    const struct finding *acts = &gate[GATE_PENALTY];
    double beta = evidence_beta(e);
    f.verdict = acts->verdict;
    f.e = acts->e;
    memcpy(f.needs, acts->needs, sizeof f.needs);
    finding_add_number(&f, "beta", beta, 1);
    if (beta == 0) {
        f.verdict = VERDICT_NOT_SUPPORTED;
        f.needs[0] = '\0';
        finding_say(&f, "beta is 0: there is no penalty");
    } else if (acts->verdict != VERDICT_NOT_MEASURABLE && isfinite(beta)) {
        finding_say(&f, "beta is %.3g; %s", beta, acts->text);
    } else if (acts->verdict != VERDICT_NOT_MEASURABLE) {
        finding_say(&f, "%s", acts->text);
    }
    return f;
}

enum status observations_judge(struct finding row[OBSERVED],
                               const struct finding gate[GATES],
                               const struct evidence *e, struct err *err)
{
    struct pair x = {.policy = NULL};
    enum status status = OK;
    TRY_DONE(open_pair(&x, e->n_prompts, err));
    TRY_DONE(judge_reward(&row[OBSERVED_REWARD_UP], e, &x, err));
    TRY_DONE(judge_longer(&row[OBSERVED_LONGER], e, &x, err));
    TRY_DONE(judge_less_direct(&row[OBSERVED_LESS_DIRECT], e, err));
    TRY_DONE(judge_kl_up(&row[OBSERVED_KL_UP], e, err));
    row[OBSERVED_PENALTY_ACTS] = judge_penalty(gate, e);
done:
    close_pair(&x);
    return status;
}

#include "diagnose/gates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/metric.h"
#include "diagnose/rate.h"
#include "stat/ratio.h"

#define ROLLOUTS "ppo/rollouts"
#define CONFIG "ppo/config.yaml"

/* A number without an interval against an upper bound. */
static void judge_bound(struct finding *f, double x, size_t n, double bound)
{
    f->e = summary_nothing();
    f->e.estimate = x;
    f->e.n = n;
    f->effect = bound;
    f->verdict = !isfinite(x) ? VERDICT_NOT_MEASURABLE
                 : x < bound  ? VERDICT_SUPPORTED
                              : VERDICT_NOT_SUPPORTED;
}

static void lack_rollouts(struct finding *f, const struct evidence *e)
{
    const struct evidence_loss *lost = evidence_lost(e, ROLLOUTS);
    finding_lack(f, "%s: %s; it is written by %s", ROLLOUTS,
                 lost != NULL ? lost->why : "lacks the columns",
                 lost != NULL ? lost->command : "plumb ppo");
}

bool gates_engine(double *size, double *gap, double *n,
                  const struct evidence *e)
{
    *size = *gap = *n = 0;
    for (size_t i = 0; i < e->n_step; i++) {
        *n += e->step[i].engine_tokens;
        *gap += e->step[i].engine_gap;
        *size += e->step[i].engine_size;
    }
    *size /= *n;
    *gap /= *n;
    return *n > 0;
}

/* Another trainer samples with one engine and trains with a second: what their
 * numerics make of a token is no bug, unless it is large or has a sign. */
static struct finding judge_engine(const struct evidence *e)
{
    struct finding f =
        finding_new("V1", "training and sampling give a token one probability",
                    "nats a token, mean |log ratio|", ROLLOUTS);
    double size, gap, n;
    if (!gates_engine(&size, &gap, &n, e)) {
        finding_lack(&f, "no logp_sample beside logp in the rollouts");
        return f;
    }
    bool is_biased = fabs(gap) >= GATES_ENGINE_BIAS;
    judge_bound(&f, size, (size_t)n, GATES_ENGINE_SIZE);
    if (is_biased)
        f.verdict = VERDICT_NOT_SUPPORTED;
    finding_add_number(&f, "bias", gap, (size_t)n);
    finding_say(&f,
                "the engine that samples and the one that trains differ by "
                "%.2g nats a token (bound %g), by %+.2g in the mean (bound "
                "%g): %s",
                size, GATES_ENGINE_SIZE, gap, GATES_ENGINE_BIAS,
                is_biased ? "with a sign, as tokens left out or another "
                            "temperature do"
                : f.verdict == VERDICT_SUPPORTED
                    ? "no more than two engines' numerics"
                    : "more than numerics");
    return f;
}

/* What a run's products multiplied, as its record has it. */
enum numbers {
    NUMBERS_F32,
    NUMBERS_BF16,
    NUMBERS_UNKNOWN
};

static enum numbers read_numbers(const struct evidence *e)
{
    const char *compute = evidence_text(e, "ppo", "compute");
    if (evidence_lost(e, CONFIG) != NULL)
        return NUMBERS_UNKNOWN;
    return compute == NULL || strcmp(compute, "f32") == 0 ? NUMBERS_F32
           : strcmp(compute, "bf16") == 0                 ? NUMBERS_BF16
                                                          : NUMBERS_UNKNOWN;
}

/* Largest |ratio - 1| before any update; NaN: not known. */
struct apart {
    double sampler, update;
};

static struct apart read_apart(const struct evidence *e)
{
    struct metric_column sampler =
        metric_find(&e->metrics, "ratio/sampler_error");
    struct metric_column update = metric_find(&e->metrics, "ratio/first_error");
    struct apart a = {metric_largest(&sampler), metric_largest(&update)};
    for (size_t i = 0; i < e->n_step; i++)
        a.sampler = fmax(a.sampler, e->step[i].sampler_error);
    return a;
}

static bool is_within(const struct apart *a, const struct ratio_bounds *b)
{
    return !(a->sampler > b->sampler) && !(a->update > b->update);
}

/* Of the two, the one that is further out by its bound. */
static bool is_sampler_further(const struct apart *a,
                               const struct ratio_bounds *b)
{
    return isnan(a->update) || a->sampler / b->sampler > a->update / b->update;
}

/* "0.017 between sampler and training (bound 0.5)" */
static void tell_apart(char out[96], double x, const char *where, double bound)
{
    if (isnan(x))
        (void)snprintf(out, 96, "not known %s", where);
    else
        (void)snprintf(out, 96, "%.2g %s (bound %g)", x, where, bound);
}

/* The verdict and its sentence, of what is known. */
static void judge_apart(struct finding *f, const struct apart *a,
                        enum numbers numbers, size_t n)
{
    static const char *const said[] = {
        [NUMBERS_F32] = "products are of floats",
        [NUMBERS_BF16] = "products are of bfloat16s",
        [NUMBERS_UNKNOWN] = "no record says what products are of",
    };
    const struct ratio_bounds narrow = ratio_bounds_of(false);
    const struct ratio_bounds wide = ratio_bounds_of(true);
    bool is_float = numbers == NUMBERS_F32 ||
                    (numbers == NUMBERS_UNKNOWN && is_within(a, &narrow));
    const struct ratio_bounds *b = is_float ? &narrow : &wide;
    bool is_sampler = is_sampler_further(a, b);
    char sampler[96], update[96];
    judge_bound(f, is_sampler ? a->sampler : a->update, n,
                is_sampler ? b->sampler : b->update);
    f->verdict = is_within(a, b) ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_add_number(f, "sampler_error", a->sampler, n);
    finding_add_number(f, "first_error", a->update, n);
    tell_apart(sampler, a->sampler, "between sampler and training", b->sampler);
    tell_apart(update, a->update, "in the first update", b->update);
    if (numbers == NUMBERS_UNKNOWN && !is_float && is_within(a, b))
        finding_lack(f,
                     "what products are of, which ppo/config.yaml does not say "
                     "(compute): the largest |ratio - 1| before any update is "
                     "%s and %s, which bfloat16s explain and floats (bound %g) "
                     "do not",
                     sampler, update, narrow.sampler);
    else
        finding_say(f,
                    "the largest |ratio - 1| before any update is %s and %s; "
                    "%s",
                    sampler, update, said[numbers]);
}

static struct finding judge_ratio(const struct evidence *e)
{
    if (e->import != NULL)
        return judge_engine(e);
    struct finding f =
        finding_new("V1", "training and sampling give a token one probability",
                    "|ratio - 1|", "ppo/metrics.jsonl, ppo/rollouts");
    const struct apart a = read_apart(e);
    if (isnan(a.sampler) && isnan(a.update))
        finding_lack(&f, "neither ratio/first_error in the metrics nor "
                         "logp_sample in the rollouts");
    else
        judge_apart(&f, &a, read_numbers(e),
                    e->n_step > 0 ? e->n_step : e->metrics.n);
    return f;
}

static struct finding judge_sampler(const struct evidence *e)
{
    struct finding f = finding_new(
        "V2", "tokens are drawn from the distribution that is logged",
        "z of the mean surprise minus entropy", ROLLOUTS);
    double n = 0, sum = 0, square = 0, entropy = 0;
    for (size_t i = 0; i < e->n_step; i++) {
        n += (double)e->step[i].tokens;
        sum += e->step[i].surprise;
        square += e->step[i].surprise_square;
    }
    for (size_t i = 0; i < e->n_rollout; i++)
        entropy += (double)e->rollout[i].entropy;
    double mean = sum / n;
    double z = mean / sqrt((square / n - mean * mean) / n);
    judge_bound(&f, fabs(z), (size_t)n, 4);
    if (f.verdict == VERDICT_NOT_SUPPORTED && fabs(sum) < 0.01 * entropy)
        f.verdict = VERDICT_SUPPORTED;
    f.e.estimate = z;
    if (f.verdict == VERDICT_NOT_MEASURABLE)
        lack_rollouts(&f, e);
    else
        finding_say(&f,
                    "a token surprises by %+.4f nats more than its "
                    "distribution's entropy (z = %+.1f, %.0f tokens)%s",
                    mean, z, n,
                    f.verdict == VERDICT_NOT_SUPPORTED
                        ? sum > 0 ? ": sampled hotter than logged"
                                  : ": sampled colder than logged"
                        : "");
    return f;
}

static struct finding judge_reference(const struct evidence *e)
{
    struct finding f = finding_new("V3", "the policy starts from the reference",
                                   "nats a token", ROLLOUTS);
    bool is_first = e->n_step > 0 && e->step[0].step <= 1;
    judge_bound(&f, is_first ? e->step[0].reference_error : (double)NAN,
                is_first ? e->step[0].tokens : 0, 1e-4);
    if (f.verdict == VERDICT_NOT_MEASURABLE && e->n_step > 0 && !is_first)
        finding_lack(&f, "the first iteration's rollouts are not there");
    else if (f.verdict == VERDICT_NOT_MEASURABLE)
        lack_rollouts(&f, e);
    else
        finding_say(&f,
                    "in the first iteration policy and reference differ by at "
                    "most %.2g nats on a token",
                    f.e.estimate);
    return f;
}

/* An identity is broken when the estimate is off by more than `margin` and by
 * four standard errors. */
static enum verdict judge_identity(const struct estimate *e, double want,
                                   double margin)
{
    double off = fabs(e->estimate - want);
    double se = (e->high - e->low) / (2 * 1.96);
    return off > margin && off >= 4 * se ? VERDICT_NOT_SUPPORTED
                                         : VERDICT_SUPPORTED;
}

static enum status judge_measure(struct finding *out, const struct evidence *e,
                                 struct rate *r, struct err *err)
{
    struct finding f =
        finding_new("V4", "policy and reference are measured alike",
                    "mean of reference over policy probability", ROLLOUTS);
    rate_clear(r);
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *x = &e->rollout[i];
        if ((double)x->kl < 0.02 * (double)x->tokens)
            rate_add(r, x->prompt, (double)x->measure, (double)x->tokens);
    }
    TRY(rate_estimate(&f.e, r, &e->plan, err));
    f.null = 1;
    char text[64];
    if (!finding_has_interval(&f.e)) {
        lack_rollouts(&f, e);
    } else {
        f.verdict = judge_identity(&f.e, 1, 0.05);
        finding_say(&f,
                    "where the policy is near the reference, their "
                    "probabilities of a sampled token have the mean ratio %s, "
                    "which should be 1",
                    finding_number(text, &f.e, 3));
    }
    *out = f;
    return OK;
}

static enum status judge_kl(struct finding *out, const struct evidence *e,
                            struct rate *r, struct err *err)
{
    struct finding f = finding_new(
        "V5", "the sampled KL agrees with the exact one",
        "mean of summed k1 minus exact KL, over exact KL", ROLLOUTS);
    rate_clear(r);
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *x = &e->rollout[i];
        rate_add(r, x->prompt, (double)x->k1 - (double)x->kl, (double)x->kl);
    }
    TRY(rate_estimate(&f.e, r, &e->plan, err));
    f.null = 0;
    char text[64];
    if (!finding_has_interval(&f.e)) {
        lack_rollouts(&f, e);
    } else {
        f.verdict = judge_identity(&f.e, 0, 0.05);
        finding_say(&f,
                    "summed k1 differs from the exact KL by %s of it, which "
                    "should be 0",
                    finding_percent(text, &f.e));
    }
    *out = f;
    return OK;
}

/* Responses of training that were cut at the limit: of the first quarter of
 * the iterations, and of all. */
struct cuts {
    double early, all;
};

static struct cuts count_cuts(const struct evidence *e)
{
    double cut[2] = {0, 0}, n[2] = {0, 0};
    for (size_t i = 0; i < e->n_rollout; i++) {
        size_t is_late = 4 * (size_t)e->rollout[i].step >= e->n_step;
        if (e->rollout[i].is_end_unknown)
            continue;
        cut[is_late] += !e->rollout[i].is_eos;
        n[is_late]++;
    }
    return (struct cuts){cut[0] / n[0], (cut[0] + cut[1]) / (n[0] + n[1])};
}

/* Share of the EOS tokens that were trained on with an advantage of 0. */
static double untrained_ends(const struct evidence *e)
{
    double ends = 0, untrained = 0;
    for (size_t i = 0; i < e->n_rollout; i++)
        ends += !isnan(e->rollout[i].advantage_white_eos);
    for (size_t i = 0; i < e->n_step; i++)
        untrained += e->step[i].eos_zero;
    return untrained / ends;
}

static struct finding judge_eos(const struct evidence *e)
{
    struct finding f = finding_new(
        "V6", "responses end by themselves and their end is trained",
        "share cut at the limit before training could have caused it",
        "eval/samples.jsonl, ppo/rollouts");
    double cut[2] = {0, 0}, all[2] = {0, 0};
    for (size_t i = 0; i < e->n_reply; i++) {
        if (e->reply[i].is_end_unknown)
            continue;
        all[e->reply[i].is_policy]++;
        cut[e->reply[i].is_policy] += !e->reply[i].is_eos;
    }
    struct cuts cuts = count_cuts(e);
    double untrained = untrained_ends(e);
    double most = fmax(cut[0] / all[0], cuts.early);
    judge_bound(&f, most, e->n_reply + e->n_rollout, 0.05);
    finding_add_number(&f, "cut_policy", cut[1] / all[1], (size_t)all[1]);
    finding_add_number(&f, "cut_reference", cut[0] / all[0], (size_t)all[0]);
    finding_add_number(&f, "cut_training_early", cuts.early, e->n_rollout);
    finding_add_number(&f, "cut_training", cuts.all, e->n_rollout);
    finding_add_number(&f, "eos_untrained", untrained, e->n_rollout);
    if (untrained > 0.5)
        f.verdict = VERDICT_NOT_SUPPORTED;
    if (f.verdict == VERDICT_NOT_MEASURABLE)
        finding_lack(&f, e->n_reply + e->n_rollout > 0
                             ? "nothing says how responses ended"
                             : "neither held-out replies nor rollouts");
    else
        finding_say(&f,
                    "of the responses before training could have changed them "
                    "%.1f %% are cut at the limit (of the policy's in the end "
                    "%.1f %%); %.0f %% of the EOS tokens have a whitened "
                    "advantage of exactly 0",
                    100 * most, all[1] > 0 ? 100 * cut[1] / all[1] : 0,
                    untrained > 0 ? 100 * untrained : 0);
    return f;
}

static const char *what_penalty_does(const char *class)
{
    return strcmp(class, "acts") == 0    ? "acts"
           : strcmp(class, "weak") == 0  ? "acts weakly"
           : strcmp(class, "inert") == 0 ? "contributes no gradient"
                                         : "pushes away from the reference";
}

static struct finding judge_penalty(const struct evidence *e)
{
    struct finding f =
        finding_new("V7", "the KL penalty pulls the policy back",
                    "KL after some iterations without reward, over KL before",
                    "probes/relaxation.json");
    const struct json *doc = e->probe[PROBE_RELAXATION].json;
    const struct json *run = json_get(doc, "run");
    const char *class = json_text(json_get(doc, "class"), NULL);
    double twin =
        json_number(json_get(json_get(doc, "twin"), "ratio"), (double)NAN);
    char text[64];
    if (class == NULL) {
        finding_lack(&f, "the zero-reward relaxation was not run: plumb probe");
        return f;
    }
    f.e = (struct estimate){
        json_number(json_get(run, "ratio"), (double)NAN),
        json_number(json_get(run, "low"), (double)NAN),
        json_number(json_get(run, "high"), (double)NAN),
        (size_t)json_int(json_get(json_get(doc, "share"), "n"), 1)};
    f.null = 1;
    finding_add_number(&f, "twin", twin, f.e.n);
    finding_add_number(
        &f, "beta",
        json_number(json_get(doc, "beta"), (double)NAN) *
            json_number(json_get(doc, "beta_scale"), (double)NAN),
        f.e.n);
    if (strcmp(class, "acts") == 0)
        f.verdict = VERDICT_SUPPORTED;
    else if (strcmp(class, "weak") == 0 || strcmp(class, "inert") == 0 ||
             strcmp(class, "repulsive") == 0)
        f.verdict = VERDICT_NOT_SUPPORTED;
    if (f.verdict == VERDICT_NOT_MEASURABLE)
        finding_lack(&f, "%s", json_text(json_get(doc, "why"), class));
    else
        finding_say(&f,
                    "with the reward set to zero, KL went to %s times its "
                    "start, with k1 in the reward to %.2f: the penalty %s",
                    finding_number(text, &f.e, 2), twin,
                    what_penalty_does(class));
    return f;
}

enum status gates_judge(struct finding gate[GATES], const struct evidence *e,
                        struct err *err)
{
    /* Over rollouts the unit of resampling is their own prompts. */
    struct rate r = {.n = 0};
    enum status status = OK;
    TRY_DONE(rate_open(&r, e->rollout_prompt.n, err));
    gate[GATE_RATIO] = judge_ratio(e);
    gate[GATE_SAMPLER] = judge_sampler(e);
    gate[GATE_REFERENCE] = judge_reference(e);
    TRY_DONE(judge_measure(&gate[GATE_MEASURE], e, &r, err));
    TRY_DONE(judge_kl(&gate[GATE_KL], e, &r, err));
    gate[GATE_EOS] = judge_eos(e);
    gate[GATE_PENALTY] = judge_penalty(e);
done:
    rate_close(&r);
    return status;
}

#include "diagnose/remedy_predict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Two-sided 90 % of a normal. */
#define Z 1.645

/*
 * Deviations of each way: root mean squares of predicted less observed over
 * what-ifs of the exam's calibration runs (docs/exam.md: one seed each, people
 * by 200 votes) and four re-runs of the demo, in the units of the header.
 *
 *                      n   rm / gain  human  log length  log KL  log cost
 *     beta             8      0.14    0.09      0.06      0.59     0.05
 *     kl-budget        5      0.19    0.05      0.06      0.16     0.04
 *     kl-stop          6      0.12    0.05      0.05      0.16     0.00
 *     interpolate      3      0.04    0.05      0.04      0.18     none
 *     residual         4      0.23    0.17      0.12      0.92     0.09
 *     relabel          1      0.24    0.03      0.07      0.23     0.00
 *
 * A deviation is at least what runs differ by that differ in the seed alone:
 * human 0.05, log length 0.08, log KL 0.15, and rm 0.12, since three re-runs
 * within 0.04 of each other's mean do not make a law.  A run that is stopped is
 * the recorded one up to there, but with another seed it would not be.  For
 * residual the way between two guesses of people is in the interval already.
 * Ways that none of these tries, or one, are given more.
 */
struct deviations {
    double by[REMEDY_MEASURES];
};
static const struct deviations table[REMEDY_MODELS] = {
    /* rm, human, length, kl, cost */
    [REMEDY_MODEL_PRICE] = {{0.15, 0.09, 0.08, 0.60, 0.08}},
    [REMEDY_MODEL_PRICE_NOW] = {{0.25, 0.12, 0.15, 0.60, 0.12}},
    [REMEDY_MODEL_PRICE_FIRST] = {{0.20, 0.12, 0.15, 0.60, 0.12}},
    [REMEDY_MODEL_TARGET] = {{0.19, 0.05, 0.08, 0.17, 0.08}},
    [REMEDY_MODEL_STOP] = {{0.15, 0.05, 0.08, 0.20, 0.20}},
    [REMEDY_MODEL_PART] = {{0.12, 0.06, 0.15, 0.30, 0.00}},
    [REMEDY_MODEL_BOUNDED] = {{0.20, 0.09, 0.15, 0.60, 0.12}},
    [REMEDY_MODEL_LENGTH_OFF] = {{0.25, 0.12, 0.20, 0.90, 0.15}},
    [REMEDY_MODEL_LENGTH_HALF] = {{0.30, 0.14, 0.30, 0.90, 0.20}},
    [REMEDY_MODEL_JUDGES] = {{0.25, 0.09, 0.20, 0.60, 0.15}},
    [REMEDY_MODEL_JUDGES_HALF] = {{0.30, 0.12, 0.30, 0.60, 0.20}},
    [REMEDY_MODEL_BEST] = {{0.20, 0.08, 0.10, 0.00, 0.00}},
};

double remedy_predict_deviation(enum remedy_model model, enum remedy_measure m)
{
    return table[model].by[m];
}

/* ---- sources ------------------------------------------------------------ */

static struct estimate detail_of(const struct rows *rows, const char *row,
                                 const char *name)
{
    const struct finding *f = rivals_row(rows, row);
    return f != NULL ? measures_find(&f->detail, name) : summary_nothing();
}

enum status remedy_predict_open(struct remedy_sources *out,
                                const struct evidence *e,
                                const struct rows *rows, struct err *err)
{
    *out = (struct remedy_sources){.e = e, .rows = rows, .plan = e->plan};
    out->plan.level = REMEDY_LEVEL;
    out->gain = detail_of(rows, "S1", "score_delta").estimate;
    TRY(remedy_path_open(&out->path, e, err));
    TRY(remedy_response_open(&out->response, e, err));
    out->wanted = remedy_human_wanted(&out->path);
    return OK;
}

void remedy_predict_close(struct remedy_sources *s)
{
    remedy_path_close(&s->path);
    remedy_response_close(&s->response);
}

/* ---- honest intervals --------------------------------------------------- */

static void widen_sum(struct estimate *e, double deviation)
{
    double more = Z * deviation;
    e->low = e->estimate - hypot(e->estimate - e->low, more);
    e->high = e->estimate + hypot(e->high - e->estimate, more);
}

/* On the scale of logarithms, from `zero` on: zero + e > 0. */
static void widen_ratio(struct estimate *e, double zero, double deviation)
{
    double x = zero + e->estimate;
    if (!(x > 0))
        return;
    struct estimate log_of = {log(x), log(fmax(zero + e->low, 1e-9 * x)),
                              log(zero + e->high), e->n};
    widen_sum(&log_of, deviation);
    e->low = exp(log_of.low) - zero;
    e->high = exp(log_of.high) - zero;
}

/* A change that leaves the rate between 0 and 1; NaN: it is not known. */
static void keep_rate(struct estimate *change, double rate)
{
    if (isnan(rate) || isnan(change->estimate))
        return;
    double *end[] = {&change->estimate, &change->low, &change->high};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        *end[i] = fmin(fmax(*end[i], -rate), 1 - rate);
}

static double base_kl(const struct remedy_sources *s)
{
    return s->path.all.end * s->path.all.end;
}

static void widen_all(struct estimate e[REMEDY_MEASURES],
                      enum remedy_model model, const struct remedy_sources *s)
{
    const double *by = table[model].by;
    double gain =
        isfinite(s->gain) ? fabs(s->gain) : fabs(e[REMEDY_RM].estimate);
    widen_sum(&e[REMEDY_RM], by[REMEDY_RM] * gain);
    widen_sum(&e[REMEDY_HUMAN], by[REMEDY_HUMAN]);
    widen_ratio(&e[REMEDY_LENGTH], 0, by[REMEDY_LENGTH]);
    widen_ratio(&e[REMEDY_COST], 0, by[REMEDY_COST]);
    if (model == REMEDY_MODEL_BEST)
        e[REMEDY_KL].low = -base_kl(s); // the bound above, no KL below
    else
        widen_ratio(&e[REMEDY_KL], base_kl(s), by[REMEDY_KL]);
    keep_rate(&e[REMEDY_HUMAN],
              detail_of(s->rows, "win_equal", "win_rate").estimate);
}

/* ---- people ------------------------------------------------------------- */

/* A 95 % interval's half width as one of 90 %. */
static double half_of(const struct estimate *e)
{
    return (e->high - e->low) / 2 * Z / 1.96;
}

static struct estimate around(double x, double half, size_t n)
{
    return (struct estimate){x, x - half, x + half, n};
}

/* Win rate at equal length less the plain one. */
static struct estimate win_without_length(const struct remedy_sources *s)
{
    const struct finding *equal = rivals_row(s->rows, "win_equal");
    struct estimate plain = detail_of(s->rows, "win_equal", "win_rate");
    if (equal == NULL || !finding_has_interval(&equal->e) ||
        !isfinite(plain.estimate))
        return summary_nothing();
    return around(equal->e.estimate - plain.estimate, half_of(&equal->e),
                  equal->e.n);
}

/* Half way from nothing to there: with the reward's taste for length gone the
 * rest of it may be worth all that people grant at equal length, or nothing;
 * 90 % of an even spread between the two. */
static struct estimate win_by_rest(const struct remedy_sources *s)
{
    struct estimate upper = win_without_length(s);
    double half = (upper.high - upper.low) / 4;
    return around(upper.estimate / 2, hypot(0.45 * upper.estimate, half),
                  upper.n);
}

/* Half way from there to what the reward model promises. */
static struct estimate win_by_judges(const struct remedy_sources *s)
{
    struct estimate lower = win_without_length(s);
    struct estimate promised = detail_of(s->rows, "G", "predicted");
    struct estimate plain = detail_of(s->rows, "win_equal", "win_rate");
    if (!isfinite(lower.estimate) || !finding_has_interval(&promised))
        return summary_nothing();
    double upper = promised.estimate - plain.estimate;
    /* 90 % of an even spread between the two; the ends' own noise by halves. */
    double way = 0.45 * fabs(upper - lower.estimate);
    double ends = hypot((lower.high - lower.low) / 2, half_of(&promised)) / 2;
    return around((lower.estimate + upper) / 2, hypot(way, ends), lower.n);
}

static struct estimate half(struct estimate e)
{
    return (struct estimate){e.estimate / 2, e.low / 2, e.high / 2, e.n};
}

/* ---- parameters between ------------------------------------------------- */

/* Score at t of the way to the policy less the policy's, as in the header. */
static struct estimate part_score(const struct remedy_sources *s, double t)
{
    struct estimate gain = detail_of(s->rows, "S1", "score_delta");
    struct estimate kl = detail_of(s->rows, "c2", "kl");
    double paid = 2 * evidence_beta(s->e) * kl.estimate;
    if (!finding_has_interval(&gain) || !finding_has_interval(&kl) ||
        isnan(paid))
        return summary_nothing();
    if (paid >= gain.estimate)
        return around((t - 1) * gain.estimate, (1 - t) * half_of(&gain),
                      gain.n);
    double by_gain = (1 - t) * (1 - t), by_paid = t * (1 - t);
    double of_paid = 2 * evidence_beta(s->e) * half_of(&kl);
    return around(-by_gain * gain.estimate - by_paid * paid,
                  hypot(by_gain * half_of(&gain), by_paid * of_paid), gain.n);
}

/* ---- one change --------------------------------------------------------- */

/* Where a change of the price stops. */
static enum remedy_stop stop_of(double *x, enum remedy_model model,
                                double value, const struct evidence *e)
{
    *x = value;
    switch (model) {
    case REMEDY_MODEL_PRICE_NOW:
        *x = evidence_beta(e);
        return REMEDY_STOP_PRICE;
    case REMEDY_MODEL_PRICE_FIRST:
        *x = evidence_beta_first(e);
        return REMEDY_STOP_PRICE;
    case REMEDY_MODEL_TARGET:
        return REMEDY_STOP_TARGET;
    case REMEDY_MODEL_STOP:
        return REMEDY_STOP_END;
    case REMEDY_MODEL_PART:
        return REMEDY_STOP_PART;
    case REMEDY_MODEL_BOUNDED:
        return REMEDY_STOP_BOUNDED;
    case REMEDY_MODEL_PRICE:
    case REMEDY_MODEL_NONE:
    case REMEDY_MODEL_LENGTH_OFF:
    case REMEDY_MODEL_LENGTH_HALF:
    case REMEDY_MODEL_JUDGES:
    case REMEDY_MODEL_JUDGES_HALF:
    case REMEDY_MODEL_BEST:
    case REMEDY_MODELS:
        break;
    }
    return REMEDY_STOP_PRICE;
}

static enum status predict_path(struct estimate out[REMEDY_MEASURES],
                                const char **reason, enum remedy_model model,
                                double value, const struct remedy_sources *s,
                                struct err *err)
{
    double x;
    bool by_gold;
    enum remedy_stop how = stop_of(&x, model, value, s->e);
    *reason = s->path.reason;
    TRY(remedy_path_effects(out, &s->path, how, x, &s->plan, err));
    struct estimate part = part_score(s, x);
    if (how == REMEDY_STOP_PART && isfinite(part.estimate))
        out[REMEDY_RM] = part;
    return remedy_human_on_path(&out[REMEDY_HUMAN], &by_gold, &s->path, how, x,
                                &s->plan, err);
}

static enum status predict_reward(struct estimate out[REMEDY_MEASURES],
                                  const char **reason, enum remedy_model model,
                                  const struct remedy_sources *s,
                                  struct err *err)
{
    bool is_judged =
        model == REMEDY_MODEL_JUDGES || model == REMEDY_MODEL_JUDGES_HALF;
    bool is_half =
        model == REMEDY_MODEL_LENGTH_HALF || model == REMEDY_MODEL_JUDGES_HALF;
    *reason = is_judged ? s->response.reason_judges : s->response.reason_off;
    TRY(remedy_response_effects(out, &s->response,
                                is_judged ? REMEDY_JUDGES : REMEDY_LENGTH_OFF,
                                is_half ? 0.5 : 1, &s->plan, err));
    struct estimate human = is_judged ? win_by_judges(s) : win_by_rest(s);
    out[REMEDY_HUMAN] = is_half ? half(human) : human;
    return OK;
}

static enum status predict(struct estimate out[REMEDY_MEASURES],
                           const char **reason, enum remedy_model model,
                           double value, const struct remedy_sources *s,
                           struct err *err)
{
    for (int m = 0; m < REMEDY_MEASURES; m++)
        out[m] = summary_nothing();
    switch (model) {
    case REMEDY_MODEL_NONE:
    case REMEDY_MODELS:
        *reason = "nothing in this run shows what it does";
        return OK;
    case REMEDY_MODEL_LENGTH_OFF:
    case REMEDY_MODEL_LENGTH_HALF:
    case REMEDY_MODEL_JUDGES:
    case REMEDY_MODEL_JUDGES_HALF:
        return predict_reward(out, reason, model, s, err);
    case REMEDY_MODEL_BEST:
        *reason = s->response.reason_off;
        return remedy_response_best(out, &s->response, (size_t)value, &s->plan,
                                    err);
    case REMEDY_MODEL_PRICE:
    case REMEDY_MODEL_PRICE_NOW:
    case REMEDY_MODEL_PRICE_FIRST:
    case REMEDY_MODEL_TARGET:
    case REMEDY_MODEL_STOP:
    case REMEDY_MODEL_PART:
    case REMEDY_MODEL_BOUNDED:
        break;
    }
    return predict_path(out, reason, model, value, s, err);
}

/* Which measures have no prediction, and why. */
static void say_missing(struct remedy *r, const char *reason)
{
    char list[64] = "";
    size_t at = 0;
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        if (isfinite(r->effect[m].predicted.estimate) || at >= sizeof list)
            continue;
        int n =
            snprintf(list + at, sizeof list - at, "%s%s", at > 0 ? ", " : "",
                     remedies_measure_name((enum remedy_measure)m));
        at += n > 0 ? (size_t)n : 0;
    }
    if (at == 0)
        return;
    const char *why =
        reason != NULL ? reason
        : !isfinite(r->effect[REMEDY_HUMAN].predicted.estimate)
            ? "human/spotcheck.jsonl holds no votes to tell it from"
            : "ppo/rollouts are not there (plumb ppo with ppo.trace_every=1)";
    (void)snprintf(r->missing, sizeof r->missing, "not predicted: %s; %s", list,
                   why);
}

enum status remedy_predict_effects(struct remedy *r,
                                   const struct remedy_row *row, double value,
                                   const struct remedy_sources *s,
                                   struct err *err)
{
    struct estimate e[REMEDY_MEASURES];
    const char *reason = NULL;
    TRY(predict(e, &reason, row->model, value, s, err));
    widen_all(e, row->model, s);
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        /* Without an interval it is no prediction. */
        if (!finding_has_interval(&e[m]))
            e[m] = summary_nothing();
        r->effect[m].predicted = e[m];
    }
    say_missing(r, reason);
    return OK;
}

#include "diagnose/diagnose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/circumstances.h"
#include "diagnose/elsewhere.h"
#include "diagnose/imported.h"
#include "diagnose/joint.h"
#include "diagnose/kl_side.h"
#include "diagnose/partial.h"
#include "diagnose/ppo_side.h"
#include "diagnose/reward_side.h"
#include "stat/hypothesis.h"

const char *diagnose_verdict(enum diagnosis_verdict v)
{
    switch (v) {
    case DIAGNOSIS_INCONCLUSIVE:
        return "inconclusive";
    case DIAGNOSIS_HEALTHY:
        return "healthy";
    case DIAGNOSIS_PARADOX:
        return "paradox";
    case DIAGNOSIS_OTHER:
        return "other_pathology";
    case DIAGNOSIS_BUG:
        return "bug";
    }
    return "inconclusive";
}

void diagnose_free(struct diagnosis *d)
{
    leads_free(&d->leads);
    warning_log_free(&d->warning);
    strata_free(&d->strata);
}

struct rows diagnose_rows(const struct diagnosis *d)
{
    return (struct rows){d->gate, d->observed, d->mechanism, &d->leads};
}

/* ---- files against each other ------------------------------------------- */

static void contradict(struct diagnosis *d, const char *what, double configured,
                       double low, double high)
{
    double margin = 1e-6 * fabs(configured);
    if (!isfinite(configured) || !isfinite(low) || !isfinite(high) ||
        (low >= configured - margin && high <= configured + margin) ||
        d->n_contradictions == CONTRADICTIONS_MAX)
        return;
    (void)snprintf(d->contradiction[d->n_contradictions++], FINDING_TEXT_MAX,
                   "ppo/config.yaml says %s = %.6g, the rollouts have %.6g to "
                   "%.6g",
                   what, configured, low, high);
}

static void find_contradictions(struct diagnosis *d, const struct evidence *e)
{
    double beta[2] = {(double)INFINITY, -(double)INFINITY},
           hot[2] = {(double)INFINITY, -(double)INFINITY};
    double n[2] = {(double)INFINITY, -(double)INFINITY};
    const char *control = evidence_text(e, "ppo", "ppo.kl_control");
    for (size_t i = 0; i < e->n_step; i++) {
        const struct evidence_step *s = &e->step[i];
        beta[0] = fmin(beta[0], s->beta_low);
        beta[1] = fmax(beta[1], s->beta_high);
        hot[0] = fmin(hot[0], s->temperature_low);
        hot[1] = fmax(hot[1], s->temperature_high);
        n[0] = fmin(n[0], (double)s->responses);
        n[1] = fmax(n[1], (double)s->responses);
    }
    /* A controller moves beta from where it was told to start. */
    if (control == NULL || strcmp(control, "fixed") == 0)
        contradict(d, "ppo.beta", evidence_number(e, "ppo", "ppo.beta"),
                   e->n_step > 0 ? e->step[0].beta_low : (double)NAN,
                   e->n_step > 0 ? e->step[0].beta_high : (double)NAN);
    contradict(d, "ppo.temperature",
               evidence_number(e, "ppo", "ppo.temperature"), hot[0], hot[1]);
    contradict(d, "ppo.batch times ppo.samples",
               evidence_number(e, "ppo", "ppo.batch") *
                   evidence_number(e, "ppo", "ppo.samples"),
               n[0], n[1]);
}

/* ---- many tests at once ------------------------------------------------- */

enum {
    CONFIRMATORY = 9
};

static void confirmatory(struct finding *row[CONFIRMATORY], struct diagnosis *d)
{
    size_t n = 0;
    row[n++] = &d->observed[OBSERVED_REWARD_UP];
    row[n++] = &d->observed[OBSERVED_LONGER];
    row[n++] = &d->observed[OBSERVED_LESS_DIRECT];
    row[n++] = &d->observed[OBSERVED_KL_UP];
    row[n++] = &d->observed[OBSERVED_GAP];
    row[n++] = &d->mechanism[MECHANISM_BIASED];
    row[n++] = &d->mechanism[MECHANISM_EXPLOITED];
    row[n++] = &d->mechanism[MECHANISM_PUSHES];
    row[n++] = &d->mechanism[MECHANISM_CHEAP];
}

static enum status correct(struct diagnosis *d, struct err *err)
{
    struct finding *row[CONFIRMATORY];
    double p[CONFIRMATORY];
    confirmatory(row, d);
    for (size_t i = 0; i < CONFIRMATORY; i++) {
        if (isnan(row[i]->p))
            row[i]->p = finding_p(&row[i]->e, row[i]->null);
        p[i] = row[i]->p;
    }
    TRY(hypothesis_holm(p, p, CONFIRMATORY, err));
    for (size_t i = 0; i < CONFIRMATORY; i++) {
        row[i]->p_holm = p[i];
        if (row[i]->verdict == VERDICT_SUPPORTED && p[i] > 0.05)
            finding_lack(row[i],
                         "p = %.3f among %d tests (Holm); more prompts, as "
                         "its interval alone would do for a single test",
                         p[i], CONFIRMATORY);
    }
    return OK;
}

/* ---- the verdict -------------------------------------------------------- */

static bool is_seen(const struct finding *f)
{
    return f->verdict == VERDICT_SUPPORTED;
}

/* Do people prefer the reference's replies? */
static const struct finding *worse_of(const struct diagnosis *d)
{
    static const struct finding nothing = {.verdict = VERDICT_NOT_MEASURABLE};
    const struct rows rows = diagnose_rows(d);
    const struct finding *f = rivals_row(&rows, "worse");
    return f != NULL ? f : &nothing;
}

/* What the paradox needs of the rows: longer is not worse, people say that. */
static bool has_rows(const struct diagnosis *d)
{
    const struct finding *s = d->observed, *m = d->mechanism;
    return is_seen(&s[OBSERVED_REWARD_UP]) && is_seen(&s[OBSERVED_LONGER]) &&
           (is_seen(&s[OBSERVED_LESS_DIRECT]) || is_seen(worse_of(d))) &&
           is_seen(&s[OBSERVED_KL_UP]) &&
           s[OBSERVED_PENALTY_ACTS].verdict != VERDICT_NOT_SUPPORTED &&
           (is_seen(&m[MECHANISM_BIASED]) ||
            is_seen(&m[MECHANISM_EXPLOITED])) &&
           is_seen(&m[MECHANISM_PUSHES]) &&
           (is_seen(&m[MECHANISM_WEAK]) || is_seen(&m[MECHANISM_CHEAP]));
}

static bool is_paradox(const struct diagnosis *d)
{
    const char *first = d->rival[0].id;
    return has_rows(d) &&
           (strcmp(first, "R1") == 0 || strcmp(first, "R2") == 0 ||
            strcmp(first, "R3") == 0);
}

static bool is_denied(const struct finding *f)
{
    return f->verdict == VERDICT_NOT_SUPPORTED;
}

/* Does a row exclude what the paradox needs?  Where two would do, both. */
static bool is_excluded(const struct diagnosis *d)
{
    const struct finding *s = d->observed, *m = d->mechanism;
    return is_denied(&s[OBSERVED_REWARD_UP]) ||
           is_denied(&s[OBSERVED_LONGER]) ||
           (is_denied(&s[OBSERVED_LESS_DIRECT]) && is_denied(worse_of(d))) ||
           is_denied(&s[OBSERVED_KL_UP]) ||
           is_denied(&s[OBSERVED_PENALTY_ACTS]) ||
           (is_denied(&m[MECHANISM_BIASED]) &&
            is_denied(&m[MECHANISM_EXPLOITED])) ||
           is_denied(&m[MECHANISM_PUSHES]) ||
           (is_denied(&m[MECHANISM_WEAK]) && is_denied(&m[MECHANISM_CHEAP]));
}

bool diagnose_leaves_paradox_open(const struct diagnosis *d)
{
    return (d->verdict == DIAGNOSIS_OTHER ||
            d->verdict == DIAGNOSIS_INCONCLUSIVE) &&
           !has_rows(d) && !is_excluded(d);
}

static enum diagnosis_verdict conclude(const struct diagnosis *d)
{
    const struct rival *first = &d->rival[0];
    if (first->verdict != VERDICT_SUPPORTED || first->is_outdone)
        return DIAGNOSIS_INCONCLUSIVE;
    if (first->is_bug)
        return DIAGNOSIS_BUG;
    if (strcmp(first->id, "R0") == 0)
        return DIAGNOSIS_HEALTHY;
    if (is_paradox(d))
        return DIAGNOSIS_PARADOX;
    /* What lets others happen explains a run only when they were looked for. */
    for (size_t i = 0; first->is_permissive && i < RIVALS; i++)
        if (d->rival[i].is_open)
            return DIAGNOSIS_INCONCLUSIVE;
    return DIAGNOSIS_OTHER;
}

static enum remedy_purpose purpose_of(enum diagnosis_verdict v)
{
    return v == DIAGNOSIS_HEALTHY        ? REMEDY_CHECK
           : v == DIAGNOSIS_INCONCLUSIVE ? REMEDY_MEASURE
                                         : REMEDY_REPAIR;
}

/* Rows and rivals of a run that another trainer made, told of that trainer. */
static void tell_elsewhere(struct diagnosis *d, const struct evidence *e)
{
    elsewhere_needs(d->gate, GATES, e);
    elsewhere_needs(d->observed, OBSERVED, e);
    elsewhere_needs(d->mechanism, MECHANISMS, e);
    elsewhere_needs(d->leads.row, d->leads.n, e);
    const struct rows rows = diagnose_rows(d);
    for (size_t i = 0; i < RIVALS; i++)
        elsewhere_rival(&d->rival[i], rivals_row(&rows, "V1"));
}

static enum status choose_remedies(struct diagnosis *d,
                                   const struct evidence *e,
                                   const struct rows *rows, struct err *err)
{
    enum remedy_purpose purpose = purpose_of(d->verdict);
    /* What to measure, its import says; this is what else could be done. */
    bool is_measured = e->import != NULL && purpose == REMEDY_MEASURE;
    TRY(remedies_choose(d->remedy, &d->n_remedies, e, rows, d->rival,
                        is_measured ? REMEDY_CHECK : purpose, err));
    if (e->import != NULL)
        elsewhere_remedies(d->remedy, e, rows, d->rival, purpose);
    return OK;
}

enum status diagnose(struct diagnosis *out, const struct evidence *e,
                     struct err *err)
{
    enum status status = OK;
    struct diagnosis *d = out;
    const struct warning_plan watch = warning_plan_default();
    *d = (struct diagnosis){.verdict = DIAGNOSIS_INCONCLUSIVE};
    find_contradictions(d, e);
    TRY_DONE(gates_judge(d->gate, e, err));
    TRY_DONE(observations_judge(d->observed, d->gate, e, err));
    TRY_DONE(joint_judge(&d->observed[OBSERVED_GAP], e, err));
    TRY_DONE(reward_side_judge(d->mechanism, &d->leads, d->observed, e, err));
    TRY_DONE(ppo_side_judge(d->mechanism, &d->leads, e, err));
    TRY_DONE(kl_side_judge(d->mechanism, &d->leads, d->observed, e, err));
    TRY_DONE(circumstances_find(&d->leads, e, err));
    TRY_DONE(partial_leads(&d->leads, e, err));
    TRY_DONE(correct(d, err));
    const struct rows rows = diagnose_rows(d);
    rivals_judge(d->rival, &rows);
    if (e->import != NULL)
        rivals_hold_back(d->rival);
    if (e->import != NULL)
        tell_elsewhere(d, e);
    TRY_DONE(strata_judge(&d->strata, e, err));
    const struct estimate win =
        measures_find(&d->observed[OBSERVED_LESS_DIRECT].detail, "win_rate");
    ship_judge(&d->ship, e, &win);
    d->verdict = e->import != NULL && e->import->is_unfinished
                     ? DIAGNOSIS_INCONCLUSIVE
                     : conclude(d);
    TRY_DONE(warning_watch(&d->warning, e, &watch, err));
    if (e->import != NULL && d->warning.needs != NULL)
        d->warning.needs = "what Plumb's own training and evaluation keep";
    status = choose_remedies(d, e, &rows, err);
done:
    if (status != OK)
        diagnose_free(d);
    return status;
}

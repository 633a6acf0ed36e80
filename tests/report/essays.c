#include "essays.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Rows with an estimate, its supporting statistics behind. */
struct made {
    const char *id;
    double x, low, high, effect;
    const char *detail[8];
    double value[8];
};

static const struct made gates[GATES] = {
    {"V1", 1.1e-5, NAN, NAN, 1e-4, {NULL}, {0}},
    {"V2", 0.2, NAN, NAN, 4, {NULL}, {0}},
    {"V3", 0, NAN, NAN, 1e-4, {NULL}, {0}},
    {"V4", 1.001, 0.99, 1.01, 1, {NULL}, {0}},
    {"V5", 0.0136, -0.002, 0.03, 0.05, {NULL}, {0}},
    {"V6", 0.012, NAN, NAN, 0.05, {NULL}, {0}},
    {"V7", 0.302, 0.27, 0.34, NAN, {"twin"}, {0.304}},
};
static const struct made observed[OBSERVED] = {
    {"S1", 1.951, 1.88, 2.02, 0.1, {NULL}, {0}},
    {"S2a", 1.865, 1.82, 1.91, 1.1, {NULL}, {0}},
    {"S2b",
     0.174,
     0.11,
     0.24,
     0.05,
     {"less_direct", "less_direct_placebo"},
     {0.559, 0.385}},
    {"S3", 0.083, 0.02, 0.15, 0, {"first", "last"}, {0.418, 6.046}},
    {"S3p", 1, NAN, NAN, NAN, {"beta"}, {0.02}},
    {"G", 0.449, 0.39, 0.51, 0.05, {"predicted"}, {0.7996}},
};
static const struct made mechanisms[MECHANISMS] = {
    {"a1", 0.0312, 0.011, 0.052, 0, {NULL}, {0}},
    {"a2", 0.71, 0.58, 0.83, 0.5, {"share_policy_slopes"}, {0.143}},
    {"a3", -0.844, -1.22, -0.47, NAN, {NULL}, {0}},
    {"b1",
     6.23,
     5.31,
     7.18,
     NAN,
     {"checkpoints_pushing", "next_change_foretold"},
     {1, 0.8333}},
    {"b2",
     0.517,
     NAN,
     NAN,
     NAN,
     {"median_step_kl", "gradient_stopped", "random_walk"},
     {0.04167, 0.0019, 0.2}},
    {"b3", 0.504, 0.47, 0.54, 0.9, {NULL}, {0}},
    {"c1", 0.0299, 0.024, 0.036, 0.25, {NULL}, {0}},
    {"c2",
     0.306,
     0.29,
     0.32,
     0.02,
     {"beta", "kl_at_gaussian_optimum"},
     {0.02, 1154.3}},
    {"c3", 0.083, 0.02, 0.15, NAN, {NULL}, {0}},
};
static const struct made leads[] = {
    {"worse", 0.351, 0.31, 0.39, 0.5, {NULL}, {0}},
    {"label_taste", 0.0671, 0.05, 0.08, 0, {NULL}, {0}},
    {"split",
     0.8,
     0.76,
     0.84,
     0,
     {"accuracy_chosen_longer", "accuracy_chosen_shorter"},
     {0.937, 0.134}},
    {"edit_pad", 0.985, 0.92, 1.05, 0, {NULL}, {0}},
    {"edit_trim", -0.796, -0.85, -0.75, 0, {NULL}, {0}},
    {"ledger",
     0.8225,
     0.81,
     0.84,
     0.5,
     {"sentence_end", "tokens_at_sentence_end"},
     {0.8225, 0.0737}},
    {"update_eos", -0.031, -0.068, -0.001, NAN, {"penalty"}, {0.01}},
    {"update_kl", 0.11, 0.09, 0.13, 0.25, {NULL}, {0}},
    {"length_price", 0.242, NAN, NAN, NAN, {"kl"}, {6.13}},
};

static struct finding row(const struct made *m, enum verdict v)
{
    struct finding f = finding_new(m->id, "a claim", "a unit", "a/file.json");
    f.verdict = v;
    f.e = (struct estimate){m->x, m->low, m->high, 64};
    f.null = 0;
    f.effect = m->effect;
    for (size_t i = 0; i < 8 && m->detail[i] != NULL; i++)
        finding_add_number(&f, m->detail[i], m->value[i], 64);
    (void)snprintf(f.text, sizeof f.text, "it is %.3g in all", m->x);
    return f;
}

/* All rows supported, the rivals in their own order, R1 the first. */
void essays_make(struct diagnosis *d, enum diagnosis_verdict v,
                 const char *first)
{
    static char name[RIVALS][8];
    *d = (struct diagnosis){.verdict = v};
    for (size_t i = 0; i < GATES; i++)
        d->gate[i] = row(&gates[i], VERDICT_SUPPORTED);
    for (size_t i = 0; i < OBSERVED; i++)
        d->observed[i] = row(&observed[i], VERDICT_SUPPORTED);
    for (size_t i = 0; i < MECHANISMS; i++)
        d->mechanism[i] = row(&mechanisms[i], VERDICT_SUPPORTED);
    d->mechanism[MECHANISM_OVEROPTIMISED].unit = "gold, end minus start";
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        struct finding *f;
        struct err err;
        assert_int_equal(
            leads_add(&f, &d->leads, leads[i].id, "", "", "", &err), OK);
        *f = row(&leads[i], strcmp(leads[i].id, "edit_trim") == 0
                                ? VERDICT_NOT_SUPPORTED
                                : VERDICT_SUPPORTED);
        f->is_lead = true;
    }
    for (size_t i = 0; i < RIVALS; i++) {
        (void)snprintf(name[i], sizeof name[i], "R%zu", i);
        d->rival[i] = (struct rival){.id = name[i],
                                     .name = "a rival",
                                     .verdict = VERDICT_NOT_SUPPORTED,
                                     .contradicted = 1,
                                     .rank = i + 1,
                                     .tied_with = SIZE_MAX,
                                     .experiment = "plumb whatif RUN"};
    }
    struct rival *r = &d->rival[0];
    r->id = first;
    r->verdict = v == DIAGNOSIS_INCONCLUSIVE ? VERDICT_NOT_MEASURABLE
                                             : VERDICT_SUPPORTED;
    r->contradicted = 0;
    r->supported = 3;
    r->seen[r->n_seen++] =
        (struct rival_seen){{SIGN_WANTS, "S1"}, VERDICT_SUPPORTED, true};
    r->seen[r->n_seen++] =
        (struct rival_seen){{SIGN_WANTS_NOT, "V7"}, VERDICT_SUPPORTED, true};
    d->ship.row = finding_new("ship", "an earlier one is better", "", "");
}

void essays_add_remedy(struct diagnosis *d, size_t seeds, const char *claim)
{
    struct remedy *r = &d->remedy[d->n_remedies++];
    *r = (struct remedy){.id = "residual",
                         .title = "take the length out of the reward model",
                         .seeds = seeds,
                         .claim = claim};
    (void)snprintf(r->against, sizeof r->against, "R1 a1");
    (void)snprintf(r->tradeoff, sizeof r->tradeoff,
                   "good long replies lose 0.25 of score");
    (void)snprintf(r->verify, sizeof r->verify, "plumb whatif D --seeds 3");
    for (size_t m = 0; m < REMEDY_MEASURES; m++) {
        r->effect[m].predicted = (struct estimate){-0.5, -0.8, -0.2, 64};
        r->effect[m].observed = summary_nothing();
        if (seeds > 0)
            r->effect[m].observed = (struct estimate){-0.6, -0.7, -0.5, 64};
        r->effect[m].is_inside = seeds > 0;
    }
}

struct finding *essays_row(struct diagnosis *d, size_t i)
{
    struct finding *const list[] = {d->gate, d->observed, d->mechanism,
                                    d->leads.row};
    const size_t n[] = {GATES, OBSERVED, MECHANISMS, d->leads.n};
    for (size_t k = 0; k < 4; i -= n[k++])
        if (i < n[k])
            return &list[k][i];
    return NULL;
}

struct finding *essays_find(struct diagnosis *d, const char *id)
{
    struct finding *f;
    for (size_t i = 0; (f = essays_row(d, i)) != NULL; i++)
        if (strcmp(f->id, id) == 0)
            return f;
    return NULL;
}

void essays_lose(struct finding *f)
{
    f->verdict = VERDICT_NOT_MEASURABLE;
    f->e = summary_nothing();
    f->detail.n = 0;
    f->text[0] = '\0';
    (void)snprintf(f->needs, sizeof f->needs, "about 500 more prompts");
}

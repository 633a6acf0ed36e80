#include "diagnose/update_leads.h"

#include <math.h>

#include "diagnose/rate.h"

#define GRADIENT "probes/gradient.json"
#define SAVED "saved iterations (plumb ppo with a smaller save_every)"
#define AGAIN "iterations whose update can be computed again"

/* Mean of it[group][key], or of it[outer][group][key], over the iterations that
 * could be computed again.  They are some apart, no neighbours. */
static enum status mean_over(struct estimate *out, const struct json *doc,
                             const char *outer, const char *group,
                             const char *key, double level, struct err *err)
{
    const struct json *list = json_get(doc, "iterations");
    struct rate r;
    enum status status = rate_open(&r, json_size(list), err);
    for (size_t i = 0; status == OK && i < r.n; i++) {
        const struct json *at = json_at(list, i);
        if (outer != NULL)
            at = json_get(at, outer);
        rate_add(&r, i,
                 json_number(json_get(json_get(at, group), key), (double)NAN),
                 1);
    }
    if (status == OK)
        status = rate_few(out, &r, 1, level, err);
    rate_close(&r);
    return status;
}

/* Change of log P(EOS) along one part, in thousandths. */
static enum status along(struct estimate *out, const struct json *doc,
                         const char *part, double level, struct err *err)
{
    TRY(mean_over(out, doc, "predicted", "eos", part, level, err));
    out->estimate *= 1e3;
    out->low *= 1e3;
    out->high *= 1e3;
    return OK;
}

static enum status add_eos(struct leads *leads, const struct evidence *e,
                           const struct json *doc, struct err *err)
{
    double level = e->plan.level;
    struct estimate reward, kl, value, whole;
    struct finding *f;
    char text[64], other[64];
    TRY(along(&reward, doc, "reward", level, err));
    TRY(along(&kl, doc, "kl", level, err));
    TRY(along(&value, doc, "value", level, err));
    TRY(along(&whole, doc, "whole", level, err));
    TRY(leads_add(&f, leads, "update_eos",
                  "the reward's part of an update makes stopping rarer",
                  "change of log P(EOS), thousandths, a plain step", GRADIENT,
                  err));
    finding_add(f, "penalty", &kl);
    finding_add(f, "baseline", &value);
    finding_add(f, "whole", &whole);
    finding_judge_side(f, &reward, FINDING_BELOW, 0, SAVED, AGAIN);
    f->null = 0;
    finding_say(f,
                "a plain step along an update's reward part would change log "
                "P(EOS) by %s thousandths, along its penalty part by %s",
                finding_number(text, &reward, 3),
                finding_number(other, &kl, 3));
    return OK;
}

/* Norm of the penalty's part over norm of the reward's. */
static enum status penalty_share(struct estimate *out, double *residual,
                                 const struct json *doc, double level,
                                 struct err *err)
{
    const struct json *list = json_get(doc, "iterations");
    size_t n = json_size(list);
    struct rate r;
    enum status status = rate_open(&r, n, err);
    *residual = (double)NAN;
    for (size_t i = 0; status == OK && i < n; i++) {
        const struct json *at = json_at(list, i);
        const struct json *norm = json_get(at, "norm");
        rate_add(&r, i, json_number(json_get(norm, "kl"), (double)NAN),
                 json_number(json_get(norm, "reward"), (double)NAN));
        *residual =
            fmax(*residual, json_number(json_get(at, "residual"), (double)NAN));
    }
    if (status == OK)
        status = rate_few(out, &r, 1, level, err);
    rate_close(&r);
    return status;
}

static enum status add_penalty(struct leads *leads, const struct evidence *e,
                               const struct json *doc, struct err *err)
{
    struct estimate share, cosine;
    struct finding *f;
    double residual;
    char text[64], other[64];
    TRY(mean_over(&cosine, doc, NULL, "cosine", "reward_kl", e->plan.level,
                  err));
    TRY(penalty_share(&share, &residual, doc, e->plan.level, err));
    TRY(leads_add(
        &f, leads, "update_kl", "the penalty's part of an update is small",
        "norm of its gradient over the reward part's", GRADIENT, err));
    finding_add(f, "cosine_reward_kl", &cosine);
    finding_add_number(f, "parts_minus_whole", residual, share.n);
    finding_judge_side(f, &share, FINDING_BELOW, UPDATE_SMALL, SAVED, AGAIN);
    finding_say(f,
                "the penalty's gradient is %s times as long as the reward's, "
                "at a cosine of %s to it",
                finding_number(text, &share, 2),
                finding_number(other, &cosine, 2));
    return OK;
}

enum status update_leads(struct leads *leads, const struct evidence *e,
                         struct err *err)
{
    const struct json *doc = e->probe[PROBE_GRADIENT].json;
    if (doc == NULL)
        return OK;
    TRY(add_eos(leads, e, doc, err));
    return add_penalty(leads, e, doc, err);
}

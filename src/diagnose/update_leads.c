#include "diagnose/update_leads.h"

#include <math.h>

#include "diagnose/rate.h"
#include "stat/measures.h"

#define GRADIENT "probes/gradient.json"

static enum status add_eos(struct leads *leads, const struct json *doc,
                           struct err *err)
{
    const struct json *eos = json_get(json_get(doc, "average"), "eos");
    struct estimate reward = measures_read_estimate(json_get(eos, "reward"));
    struct estimate kl = measures_read_estimate(json_get(eos, "kl"));
    struct estimate value = measures_read_estimate(json_get(eos, "value"));
    struct estimate whole = measures_read_estimate(json_get(eos, "whole"));
    struct finding *f;
    char text[64], other[64];
    TRY(leads_add(&f, leads, "update_eos",
                  "the reward's part of an update makes stopping rarer",
                  "change of log P(EOS), thousandths, a plain step", GRADIENT,
                  err));
    struct estimate thousandths = {1e3 * reward.estimate, 1e3 * reward.low,
                                   1e3 * reward.high, reward.n};
    struct estimate back = {1e3 * kl.estimate, 1e3 * kl.low, 1e3 * kl.high,
                            kl.n};
    f->e = thousandths;
    f->null = 0;
    finding_add(f, "penalty", &back);
    finding_add_number(f, "baseline", 1e3 * value.estimate, value.n);
    finding_add_number(f, "whole", 1e3 * whole.estimate, whole.n);
    if (!finding_has_interval(&reward))
        finding_lack(f, "iterations whose update can be computed again");
    else if (reward.high < 0)
        f->verdict = VERDICT_SUPPORTED;
    else if (reward.low > 0)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(f,
                     "about %.0f iterations (now %zu): plumb ppo with a "
                     "smaller save_every",
                     finding_enough(&reward, 0, reward.estimate), reward.n);
    finding_say(f,
                "a plain step along an update's reward part would change log "
                "P(EOS) by %s thousandths, along its penalty part by %s",
                finding_number(text, &thousandths, 3),
                finding_number(other, &back, 3));
    return OK;
}

/* Norm of the penalty's part over norm of the reward's, over iterations. */
static enum status penalty_share(struct estimate *out, double *residual,
                                 const struct json *doc,
                                 const struct bootstrap *plan, struct err *err)
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
        status = rate_estimate(out, &r, plan, err);
    rate_close(&r);
    return status;
}

static enum status add_penalty(struct leads *leads, const struct evidence *e,
                               const struct json *doc, struct err *err)
{
    const struct json *cosines = json_get(json_get(doc, "average"), "cosine");
    struct estimate cosine =
        measures_read_estimate(json_get(cosines, "reward_kl"));
    struct estimate share;
    struct finding *f;
    double residual;
    char text[64], other[64];
    TRY(penalty_share(&share, &residual, doc, &e->plan, err));
    TRY(leads_add(
        &f, leads, "update_kl", "the penalty's part of an update is small",
        "norm of its gradient over the reward part's", GRADIENT, err));
    finding_add(f, "cosine_reward_kl", &cosine);
    finding_add_number(f, "parts_minus_whole", residual, share.n);
    f->e = share;
    f->effect = UPDATE_SMALL;
    if (!finding_has_interval(&share))
        finding_lack(f, "iterations whose update can be computed again");
    else if (share.high < UPDATE_SMALL)
        f->verdict = VERDICT_SUPPORTED;
    else if (share.low >= UPDATE_SMALL)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(f, "about %.0f iterations (now %zu)",
                     finding_enough(&share, share.estimate, UPDATE_SMALL),
                     share.n);
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
    TRY(add_eos(leads, doc, err));
    return add_penalty(leads, e, doc, err);
}

#include "diagnose/price_leads.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "diagnose/rate.h"
#include "stat/decompose.h"
#include "stat/klprice.h"

#define SAMPLES "eval/samples.jsonl"

/* ---- length ------------------------------------------------------------- */

/* KL and length of each prompt at two checkpoints. */
struct two_points {
    double *kl, *tokens, *first; // grids [m * n_prompts]
};

static enum status split_rise(struct decompose_kl *out,
                              struct decompose_kl *of_first,
                              const struct push *p, struct two_points *g,
                              const struct evidence *e, struct err *err)
{
    size_t n = p->n_prompts;
    size_t a = n * (p->t[0] == 0), b = n * (p->m - 1);
    TRY(push_grid(g->kl, p, p->kl, err));
    TRY(push_grid(g->tokens, p, p->tokens, err));
    TRY(decompose_kl(out, g->kl + a, g->tokens + a, g->kl + b, g->tokens + b, n,
                     &e->plan, err));
    if (p->kl_first == NULL)
        return OK;
    TRY(push_grid(g->first, p, p->kl_first, err));
    return decompose_kl(of_first, g->first + a, g->tokens + a, g->first + b,
                        g->tokens + b, n, &e->plan, err);
}

/* The training batches' own split, early third against late third. */
static double batch_share(const struct evidence *e)
{
    double kl[2] = {0}, len[2] = {0}, n[2] = {0};
    size_t third = e->n_step / 3;
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        if (r->step >= third && r->step < e->n_step - third)
            continue;
        size_t late = r->step >= third;
        kl[late] += (double)r->kl;
        len[late] += (double)r->tokens;
        n[late]++;
    }
    double kappa[2] = {kl[0] / len[0], kl[1] / len[1]};
    double change = kl[1] / n[1] - kl[0] / n[0];
    return (len[1] / n[1] - len[0] / n[0]) * (kappa[0] + kappa[1]) / 2 / change;
}

static enum status add_length_share(struct leads *leads,
                                    const struct evidence *e,
                                    const struct push *p, struct err *err)
{
    enum status status = OK;
    struct two_points g = {.kl = NULL};
    struct decompose_kl d = {.change = summary_nothing(),
                             .share_length = summary_nothing()};
    struct decompose_kl first = d;
    size_t cells = p->m * p->n_prompts;
    char text[64], other[64];
    if (p->n > 0 && p->m > 2) {
        TRY_DONE(MEM_NEW(g.kl, cells, err));
        TRY_DONE(MEM_NEW(g.tokens, cells, err));
        TRY_DONE(MEM_NEW(g.first, cells, err));
        TRY_DONE(split_rise(&d, &first, p, &g, e, err));
    }
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "length_share",
                       "KL rises because replies are longer",
                       "share of the rise", "probes/push.json", err));
    finding_add(f, "change", &d.change);
    finding_add(f, "change_of_first_tokens", &first.change);
    finding_add_number(f, "share_in_training_batches", batch_share(e),
                       e->n_step);
    finding_judge_side(
        f, &d.share_length, FINDING_ABOVE, 0.8, "prompts",
        "fewer than three checkpoints in probes/push.json, or no rise "
        "to explain");
    finding_say(f,
                "of the rise of KL since the first checkpoint %s is more "
                "tokens; the KL of the first tokens alone changed by %s nats",
                finding_percent(text, &d.share_length),
                finding_number(other, &first.change, 2));
done:
    mem_free(g.kl);
    mem_free(g.tokens);
    mem_free(g.first);
    return status;
}

/* The limit on a response's length as it can be read off: the length of the
 * first response that was cut in the first quarter, NaN where none was, and
 * the longest response of the last quarter. */
struct limit {
    double early, late;
    size_t early_responses;
};

static bool is_early(const struct evidence *e, const struct evidence_rollout *r)
{
    return 4 * (size_t)r->step < e->n_step;
}

static bool is_late(const struct evidence *e, const struct evidence_rollout *r)
{
    return 4 * (size_t)r->step >= 3 * e->n_step;
}

static bool is_cut(const struct evidence_rollout *r)
{
    return !r->is_eos && !r->is_end_unknown;
}

static struct limit find_limit(const struct evidence *e)
{
    struct limit l = {(double)NAN, (double)NAN, 0};
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        double tokens = (double)r->tokens;
        l.early_responses += is_early(e, r) && !r->is_end_unknown;
        if (is_cut(r) && is_early(e, r) && r->step < first) {
            first = r->step;
            l.early = tokens;
        }
        if (is_late(e, r))
            l.late = fmax(l.late, tokens);
    }
    return l;
}

/* The share of early responses that were cut, and of late ones that would have
 * been by the first limit. */
static enum status find_cut(struct estimate *early, struct estimate *late,
                            const struct limit *l, const struct evidence *e,
                            struct err *err)
{
    enum status status = OK;
    struct rate a = {.n = 0}, b = {.n = 0};
    TRY_DONE(rate_open(&a, e->rollout_prompt.n, err));
    TRY_DONE(rate_open(&b, e->rollout_prompt.n, err));
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        if (is_early(e, r) && !r->is_end_unknown)
            rate_add(&a, r->prompt, is_cut(r), 1);
        if (is_late(e, r) && !isnan(l->early))
            rate_add(&b, r->prompt, (double)r->tokens > l->early, 1);
    }
    TRY_DONE(rate_estimate(early, &a, &e->plan, err));
    TRY_DONE(rate_estimate(late, &b, &e->plan, err));
done:
    rate_close(&a);
    rate_close(&b);
    return status;
}

static void say_limit(struct finding *f, const struct limit *l, double batches)
{
    char share[32] = "an unknown share";
    if (isfinite(batches)) // three iterations at least
        (void)snprintf(share, sizeof share, "%.0f %%", 100 * batches);
    if (isnan(l->early))
        finding_say(f,
                    "none of the %zu responses of the first quarter is cut, so "
                    "no limit holds them back that could have risen",
                    l->early_responses);
    else if (f->verdict == VERDICT_SUPPORTED)
        finding_say(f,
                    "responses were cut at %.0f tokens first, at the end one "
                    "has %.0f; of the rise of KL in the training batches %s is "
                    "more tokens",
                    l->early, l->late, share);
    else
        finding_say(f,
                    "responses were cut at %.0f tokens first, and the longest "
                    "of the last quarter has %.0f",
                    l->early, l->late);
}

static enum status add_limit(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    struct limit l = find_limit(e);
    struct estimate early, late;
    struct finding *f;
    TRY(find_cut(&early, &late, &l, e, err));
    TRY(leads_add(&f, leads, "limit", "the limit on responses' length rose",
                  "longest response at the end over the first limit",
                  "ppo/rollouts; read off, not estimated", err));
    f->e.estimate = l.late / l.early;
    f->e.n = e->n_rollout;
    f->effect = PRICE_LEADS_LIMIT;
    finding_add(f, "early_cut", &early);
    finding_add(f, "late_beyond_first_limit", &late);
    if (e->n_rollout == 0)
        finding_lack(f, "ppo/rollouts; they are written by plumb ppo");
    else if (l.early_responses == 0)
        finding_lack(f, "nothing says how responses ended");
    else
        f->verdict = l.late >= PRICE_LEADS_LIMIT * l.early
                         ? VERDICT_SUPPORTED
                         : VERDICT_NOT_SUPPORTED;
    if (l.early_responses > 0 || e->n_rollout == 0)
        say_limit(f, &l, batch_share(e));
    return OK;
}

/* The reference's replies as columns: number, prompt. */
struct replies {
    double *x;
    size_t *prompt;
    size_t n;
};

static enum status reference_column(struct replies *out,
                                    const struct evidence *e, size_t member,
                                    struct err *err)
{
    TRY(MEM_NEW(out->x, e->n_reply, err));
    TRY(MEM_NEW(out->prompt, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++) {
        const void *at = (const char *)&e->reply[i] + member;
        if (e->reply[i].is_policy)
            continue;
        out->x[out->n] = *(const double *)at;
        out->prompt[out->n++] = e->reply[i].prompt;
    }
    return OK;
}

static void replies_free(struct replies *r)
{
    mem_free(r->x);
    mem_free(r->prompt);
}

/* Mean length of the policy and of the reference, and the policy's KL, prompt
 * by prompt. */
struct lengths {
    double *policy, *reference, *kl;
};

enum {
    STOP_RATIO,  // of lengths
    STOP_PRICE,  // of that ratio by the stop decision alone
    STOP_KL,     // that was spent
    STOP_SHARE,  // price over KL
    STOP_EXCESS, // price less a quarter of the KL
    STOPS
};

/* Of prompts of which all three are known. */
static void stop_of(void *ctx, double *value, size_t r, const size_t *index,
                    size_t n)
{
    const struct lengths *x = ctx;
    double policy = 0, reference = 0, kl = 0, count = 0;
    (void)r;
    for (size_t i = 0; i < n; i++) {
        size_t p = index[i];
        if (isnan(x->policy[p] + x->reference[p] + x->kl[p]))
            continue;
        policy += x->policy[p];
        reference += x->reference[p];
        kl += x->kl[p];
        count++;
    }
    value[STOP_RATIO] = policy / reference;
    value[STOP_PRICE] = klprice_length(policy / reference);
    value[STOP_KL] = kl / count;
    value[STOP_SHARE] = value[STOP_PRICE] / value[STOP_KL];
    value[STOP_EXCESS] = value[STOP_PRICE] - value[STOP_KL] / 4;
}

static enum status fill_lengths(struct lengths *x, size_t *known,
                                const struct evidence *e, struct err *err)
{
    size_t tokens = offsetof(struct evidence_reply, tokens);
    size_t kl = offsetof(struct evidence_reply, kl);
    TRY(MEM_NEW(x->policy, e->n_prompts, err));
    TRY(MEM_NEW(x->reference, e->n_prompts, err));
    TRY(MEM_NEW(x->kl, e->n_prompts, err));
    TRY(evidence_prompt_means(x->policy, e, true, tokens, err));
    TRY(evidence_prompt_means(x->reference, e, false, tokens, err));
    TRY(evidence_prompt_means(x->kl, e, true, kl, err));
    *known = 0;
    for (size_t p = 0; p < e->n_prompts; p++)
        *known += isnan(x->policy[p] + x->reference[p] + x->kl[p]) ? 0 : 1;
    return OK;
}

static void say_length_price(struct finding *f, const struct estimate x[STOPS],
                             const struct klprice_lengths *tilt)
{
    char text[64], other[64], price[64], share[64];
    finding_say(
        f,
        "making replies %.2f times as long by stopping less readily "
        "costs %s nats, and at %s %s with the reference's own "
        "lengths; the whole KL is %s, of which the first is %s",
        x[STOP_RATIO].estimate, finding_number(price, &x[STOP_PRICE], 2),
        tilt->is_bound ? "least" : "best", finding_number(text, &tilt->kl, 2),
        finding_number(other, &x[STOP_KL], 2),
        finding_percent(share, &x[STOP_SHARE]));
}

static enum status add_length_price(struct leads *leads,
                                    const struct evidence *e, struct err *err)
{
    enum status status = OK;
    struct replies r = {.n = 0};
    struct lengths x = {NULL, NULL, NULL};
    struct klprice_lengths tilt;
    struct estimate stop[STOPS];
    size_t known;
    TRY_DONE(
        reference_column(&r, e, offsetof(struct evidence_reply, tokens), err));
    TRY_DONE(fill_lengths(&x, &known, e, err));
    TRY_DONE(klprice_lengths(&tilt, r.x, r.prompt, r.n, x.policy, e->n_prompts,
                             &e->plan, err));
    TRY_DONE(summary_bootstrap_many(stop, NULL, stop_of, &x, STOPS,
                                    e->n_prompts, &e->plan, err));
    for (size_t i = 0; i < STOPS; i++)
        stop[i].n = known;
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "length_price",
                       "the length alone costs little KL", "nats a reply",
                       SAMPLES, err));
    finding_add(f, "tilt", &tilt.kl);
    finding_add_number(f, "tilt_is_lower_bound", tilt.is_bound, tilt.beyond);
    finding_add(f, "kl", &stop[STOP_KL]);
    finding_add(f, "share_of_kl", &stop[STOP_SHARE]);
    finding_add(f, "less_quarter_of_kl", &stop[STOP_EXCESS]);
    finding_judge_side(f, &stop[STOP_EXCESS], FINDING_BELOW, 0, "prompts",
                       "held-out replies of both models with KL are missing");
    f->e = stop[STOP_PRICE];
    f->effect = (double)NAN; // the bound is one of less_quarter_of_kl
    if (known > 0)
        say_length_price(f, stop, &tilt);
done:
    replies_free(&r);
    mem_free(x.policy);
    mem_free(x.reference);
    mem_free(x.kl);
    return status;
}

/* ---- the price ---------------------------------------------------------- */

static enum status add_price(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    enum status status = OK;
    struct replies r = {.n = 0};
    struct klprice_sampled k;
    double beta = evidence_beta(e);
    char text[64];
    if (!(beta > 0))
        return OK;
    TRY_DONE(
        reference_column(&r, e, offsetof(struct evidence_reply, score), err));
    TRY_DONE(klprice_sample(&k, r.x, r.prompt, r.n, e->n_prompts, beta,
                            &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(
        &f, leads, "price", "at this price the optimum is far away",
        "nats a reply at the optimum, Gaussian scores", SAMPLES, err));
    finding_add(f, "kl_sampled", &k.kl);
    finding_add_number(f, "kl_sampled_ceiling", k.ceiling, k.kl.n);
    finding_add_number(f, "kl_sampled_is_lower_bound", k.is_bound, k.kl.n);
    finding_add(f, "effective_share", &k.effective);
    finding_add(f, "sd_within", &k.sd);
    finding_judge_side(f, &k.optimum, FINDING_ABOVE, 10, "prompts",
                       "the reference has one reply a prompt");
    if (!isnan(k.sd.estimate + k.kl.estimate + k.ceiling))
        finding_say(
            f,
            "the reference's scores differ by %.2f within a prompt, so a "
            "beta of %.3g leads to %s nats; from the samples themselves "
            "%.2f%s (they cannot show more than %.2f)",
            k.sd.estimate, beta, finding_number(text, &k.optimum, 1),
            k.kl.estimate, k.is_bound ? " or more" : "", k.ceiling);
done:
    replies_free(&r);
    return status;
}

enum status price_leads(struct leads *leads, const struct evidence *e,
                        const struct push *p, struct err *err)
{
    TRY(add_length_share(leads, e, p, err));
    TRY(add_limit(leads, e, err));
    TRY(add_length_price(leads, e, err));
    return add_price(leads, e, err);
}

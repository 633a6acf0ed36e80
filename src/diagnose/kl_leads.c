#include "diagnose/kl_leads.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "diagnose/metric.h"
#include "diagnose/rate.h"
#include "stat/concentration.h"
#include "stat/decompose.h"
#include "stat/klprice.h"

#define SAMPLES "eval/samples.jsonl"

/* Supported when the interval lies above a bound, refuted when below. */
static void judge_above(struct finding *f, const struct estimate *x,
                        double bound, const char *lack)
{
    f->e = *x;
    f->effect = bound;
    if (!finding_has_interval(x))
        finding_lack(f, "%s", lack);
    else if (x->low > bound)
        f->verdict = VERDICT_SUPPORTED;
    else if (x->high < bound)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(f,
                     "the interval covers %.3g; about %.0f prompts would "
                     "decide it",
                     bound, finding_enough(x, x->estimate, bound));
}

/* ---- where it falls ----------------------------------------------------- */

static enum status add_ledger(struct leads *leads, const struct evidence *e,
                              struct err *err)
{
    static const char *const name[EVIDENCE_CLASSES] = {
        [EVIDENCE_EOS] = "eos",          [EVIDENCE_BOUNDARY] = "sentence_end",
        [EVIDENCE_FIRST] = "first_five", [EVIDENCE_REPEATED] = "repeated",
        [EVIDENCE_OTHER] = "other",
    };
    struct estimate share[EVIDENCE_CLASSES];
    char text[64];
    double stops = 0;
    TRY(concentration_shares(share, EVIDENCE_CLASSES, e->token_kl,
                             e->token_class, e->token_prompt, e->n_token,
                             e->n_prompts, &e->plan, err));
    for (size_t i = 0; i < e->n_token; i++)
        stops += e->token_class[i] == EVIDENCE_BOUNDARY;
    struct finding *f;
    TRY(leads_add(&f, leads, "ledger",
                  "the KL is spent where a sentence has ended",
                  "share of the policy's KL", SAMPLES, err));
    for (size_t c = 0; c < EVIDENCE_CLASSES; c++)
        finding_add(f, name[c], &share[c]);
    finding_add_number(f, "tokens_at_sentence_end", stops / (double)e->n_token,
                       e->n_token);
    judge_above(f, &share[EVIDENCE_BOUNDARY], 0.5,
                "held-out replies with the KL of each token are missing");
    finding_say(f,
                "%s of the KL lies on the %.0f %% of tokens behind a "
                "sentence's end, where the choice is to stop or to go on",
                finding_percent(text, &share[EVIDENCE_BOUNDARY]),
                100 * stops / (double)e->n_token);
    return OK;
}

static enum status add_concentrated(struct leads *leads,
                                    const struct evidence *e, struct err *err)
{
    struct concentration c;
    struct err why;
    char text[64], other[64];
    enum status status =
        concentration_measure(&c, e->token_kl, e->token_prompt, e->n_token,
                              e->n_prompts, &e->plan, &why);
    if (status == ERR_MEMORY) {
        *err = why;
        return status;
    }
    struct finding *f;
    TRY(leads_add(&f, leads, "concentrated",
                  "a minority of tokens carries the KL",
                  "share of the top 20 % of tokens", SAMPLES, err));
    if (status != OK) {
        finding_lack(f, "%s", why.text);
        return OK;
    }
    finding_add(f, "gini", &c.gini);
    finding_add(f, "top_5", &c.top5);
    finding_add(f, "top_20", &c.top20);
    judge_above(f, &c.top20, 0.5,
                "held-out replies with the KL of each token are missing");
    finding_say(f,
                "the top 5 %% of tokens carry %s of the KL, the top 20 %% "
                "%s",
                finding_percent(text, &c.top5),
                finding_percent(other, &c.top20));
    return OK;
}

static enum status add_eos_paid(struct leads *leads, const struct evidence *e,
                                struct err *err)
{
    double tokens = 0, paid = 0, all = 0;
    for (size_t i = e->n_step / 2; i < e->n_step; i++) {
        const struct evidence_ledger *l = &e->step[i].by_class[EVIDENCE_EOS];
        tokens += l->tokens;
        paid += l->paid - l->charged;
        for (size_t c = 0; c < EVIDENCE_CLASSES; c++)
            all += e->step[i].by_class[c].charged;
    }
    struct finding *f;
    TRY(leads_add(&f, leads, "eos_paid", "the penalty pays for stopping",
                  "score an EOS token", "ppo/rollouts", err));
    f->e.estimate = paid / tokens;
    f->e.n = (size_t)tokens;
    finding_add_number(f, "charged_in_all", all, e->n_step);
    if (!isfinite(f->e.estimate) || all == 0)
        finding_lack(f, "no penalty in the reward of the rollouts");
    else
        f->verdict = paid > 0 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "in the second half the penalty %s an EOS token %.4f of score "
                "on average",
                paid > 0 ? "pays" : "charges", fabs(paid / tokens));
    return OK;
}

static const char *const decile_name[EVIDENCE_DECILES] = {
    "tenth_1", "tenth_2", "tenth_3", "tenth_4", "tenth_5",
    "tenth_6", "tenth_7", "tenth_8", "tenth_9", "tenth_10"};

/* What is charged and what is paid back, and where along a response the
 * difference falls, in the second half of the iterations. */
static enum status add_paid(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    double net[EVIDENCE_DECILES] = {0}, all = 0;
    struct estimate share = summary_nothing();
    struct finding *f;
    struct rate r;
    char text[64];
    enum status status = rate_open(&r, e->n_step, err);
    for (size_t i = e->n_step / 2; status == OK && i < e->n_step; i++)
        for (size_t d = 0; d < EVIDENCE_DECILES; d++) {
            const struct evidence_ledger *l = &e->step[i].by_decile[d];
            rate_add(&r, i, l->paid, l->charged);
            net[d] += l->charged - l->paid;
            all += l->charged - l->paid;
        }
    if (status == OK)
        status = rate_estimate(&share, &r, &e->plan, err);
    rate_close(&r);
    TRY(status);
    TRY(leads_add(&f, leads, "paid", "the penalty pays back what it charges",
                  "score paid over score charged", "ppo/rollouts", err));
    for (size_t d = 0; d < EVIDENCE_DECILES && all != 0; d++)
        finding_add_number(f, decile_name[d], net[d] / all, e->n_step);
    judge_above(f, &share, 0.25, "no penalty in the reward of the rollouts");
    finding_say(f,
                "of what the penalty charges it pays back %s on other tokens; "
                "of the difference %.0f %% falls on the first tenth of a "
                "response and %.0f %% on the last",
                finding_percent(text, &share), 100 * net[0] / all,
                100 * net[EVIDENCE_DECILES - 1] / all);
    return OK;
}

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
    judge_above(f, &d.share_length, 0.8,
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

/* The limit on a response's length, as the first cut responses show it, and the
 * longest response of the last quarter; NaN where none was cut early on. */
struct limit {
    double early, late;
};

static struct limit find_limit(const struct evidence *e)
{
    struct limit l = {(double)NAN, (double)NAN};
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < e->n_rollout; i++) {
        const struct evidence_rollout *r = &e->rollout[i];
        double tokens = (double)r->tokens;
        if (!r->is_eos && 4 * (size_t)r->step < e->n_step && r->step < first) {
            first = r->step;
            l.early = tokens;
        }
        if (4 * (size_t)r->step >= 3 * e->n_step)
            l.late = fmax(l.late, tokens);
    }
    return l;
}

static enum status add_limit(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    struct limit l = find_limit(e);
    struct finding *f;
    TRY(leads_add(&f, leads, "limit", "the limit on responses' length rose",
                  "longest response at the end over the first limit",
                  "ppo/rollouts", err));
    f->e.estimate = l.late / l.early;
    f->e.n = e->n_rollout;
    f->effect = KL_LEADS_LIMIT;
    if (e->n_rollout == 0)
        finding_lack(f, "ppo/rollouts; they are written by plumb ppo");
    else
        f->verdict = l.late >= KL_LEADS_LIMIT * l.early ? VERDICT_SUPPORTED
                                                        : VERDICT_NOT_SUPPORTED;
    char share[32] = "an unknown share";
    if (isfinite(batch_share(e))) // three iterations at least
        (void)snprintf(share, sizeof share, "%.0f %%", 100 * batch_share(e));
    if (f->verdict == VERDICT_SUPPORTED)
        finding_say(f,
                    "responses were cut at %.0f tokens first, at the end one "
                    "has %.0f; of the rise of KL in the training batches %s is "
                    "more tokens",
                    l.early, l.late, share);
    else
        finding_say(f, "responses are not cut early, or no later one is longer "
                       "than the first limit");
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

static enum status add_length_price(struct leads *leads,
                                    const struct evidence *e, struct err *err)
{
    enum status status = OK;
    size_t tokens = offsetof(struct evidence_reply, tokens);
    struct replies r = {.n = 0};
    struct klprice_lengths tilt;
    struct estimate ratio, kl;
    double *a = NULL, *b = NULL;
    char text[64], other[64];
    TRY_DONE(reference_column(&r, e, tokens, err));
    TRY_DONE(MEM_NEW(a, e->n_prompts, err));
    TRY_DONE(MEM_NEW(b, e->n_prompts, err));
    TRY_DONE(evidence_prompt_means(a, e, true, tokens, err));
    TRY_DONE(klprice_lengths(&tilt, r.x, r.prompt, r.n, a, e->n_prompts,
                             &e->plan, err));
    TRY_DONE(evidence_prompt_means(b, e, false, tokens, err));
    TRY_DONE(summary_estimate_ratio(&ratio, a, b, e->n_prompts, &e->plan, err));
    TRY_DONE(evidence_prompt_means(a, e, true,
                                   offsetof(struct evidence_reply, kl), err));
    TRY_DONE(summary_estimate_mean(&kl, a, e->n_prompts, &e->plan, err));
    struct finding *f;
    TRY_DONE(leads_add(&f, leads, "length_price",
                       "the length alone costs little KL", "nats a reply",
                       SAMPLES, err));
    double stop = klprice_length(ratio.estimate);
    f->e.estimate = stop;
    f->e.n = ratio.n;
    finding_add(f, "tilt", &tilt.kl);
    finding_add_number(f, "tilt_is_lower_bound", tilt.is_bound, tilt.beyond);
    finding_add(f, "kl", &kl);
    if (!isfinite(stop) || !isfinite(kl.estimate))
        finding_lack(f, "held-out replies of both models with KL are missing");
    else
        f->verdict = stop < 0.25 * kl.estimate ? VERDICT_SUPPORTED
                                               : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "making replies %.2f times as long by stopping less readily "
                "costs %.2f nats, and at %s %s with the reference's own "
                "lengths; the whole KL is %s",
                ratio.estimate, stop, tilt.is_bound ? "least" : "best",
                finding_number(text, &tilt.kl, 2),
                finding_number(other, &kl, 2));
done:
    replies_free(&r);
    mem_free(a);
    mem_free(b);
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
    judge_above(f, &k.optimum, 10, "the reference has one reply a prompt");
    finding_say(f,
                "the reference's scores differ by %.2f within a prompt, so a "
                "beta of %.3g leads to %s nats; from the samples themselves "
                "%.2f%s (they cannot show more than %.2f)",
                k.sd.estimate, beta, finding_number(text, &k.optimum, 1),
                k.kl.estimate, k.is_bound ? " or more" : "", k.ceiling);
done:
    replies_free(&r);
    return status;
}

/* beta in units of raw reward: times what scores were divided by, where that
 * moved. */
static enum status add_beta_path(struct leads *leads, const struct evidence *e,
                                 struct err *err)
{
    struct metric_column normaliser =
        metric_find(&e->metrics, "score/normaliser");
    double first = evidence_beta_first(e), last = evidence_beta(e);
    double by = metric_last(&normaliser) / metric_first(&normaliser);
    struct finding *f;
    TRY(leads_add(&f, leads, "beta_path", "the price of KL decayed",
                  "beta at the end over beta at the start",
                  "ppo/rollouts, ppo/metrics.jsonl", err));
    finding_add_number(f, "beta_first", first, 1);
    finding_add_number(f, "beta_last", last, 1);
    finding_add_number(f, "normaliser_change", by, 1);
    f->e.estimate = last / first * (isfinite(by) ? by : 1);
    f->e.n = e->n_step;
    f->effect = 0.5;
    if (!isfinite(f->e.estimate))
        finding_lack(f, "beta is not recorded, or 0");
    else
        f->verdict =
            f->e.estimate <= 0.5 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "in units of the reward model's output the price went to %.2f "
                "times what it was (beta %.3g to %.3g)",
                f->e.estimate, first, last);
    return OK;
}

static enum status add_estimators(struct leads *leads, const struct evidence *e,
                                  struct err *err)
{
    struct metric_column column[] = {metric_find(&e->metrics, "kl/sequence"),
                                     metric_find(&e->metrics, "kl/k3_sequence"),
                                     metric_find(&e->metrics, "objective/kl")};
    double exact = metric_last(&column[0]);
    double k3 = metric_last(&column[1]), k1 = metric_last(&column[2]);
    struct finding *f;
    TRY(leads_add(&f, leads, "estimators", "k3 misleads at this drift",
                  "k3 over exact KL in the last batch", "ppo/metrics.jsonl",
                  err));
    f->e.estimate = k3 / exact;
    f->e.n = e->metrics.n;
    finding_add_number(f, "exact", exact, 1);
    finding_add_number(f, "k1", k1, 1);
    finding_add_number(f, "k3", k3, 1);
    if (!isfinite(f->e.estimate))
        finding_lack(f, "ppo/metrics.jsonl lacks kl/sequence or "
                        "kl/k3_sequence");
    else
        f->verdict = fabs(f->e.estimate - 1) > 0.2 ? VERDICT_SUPPORTED
                                                   : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "in the last batch the exact KL is %.2f, k1 says %.2f, k3 "
                "%.2f",
                exact, k1, k3);
    return OK;
}

static enum status add_forward(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    const struct table *t = &e->probe[PROBE_PREFIXES];
    const double *kl = table_numbers(t, "kl");
    const double *forward = table_numbers(t, "forward_kl");
    double a = 0, b = 0;
    if (kl == NULL || forward == NULL)
        return OK;
    for (size_t i = 0; i < t->n; i++) {
        if (!isfinite(kl[i] + forward[i]))
            continue;
        a += forward[i];
        b += kl[i];
    }
    struct finding *f;
    TRY(leads_add(&f, leads, "forward",
                  "the policy lost what the reference says",
                  "forward KL over reverse KL on the reference's prefixes",
                  "probes/prefixes.json", err));
    f->e.estimate = a / b;
    f->e.n = t->n;
    if (!isfinite(f->e.estimate))
        finding_lack(f, "no prefixes");
    else
        f->verdict = a > 2 * b ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "on the reference's own prefixes the forward KL is %.2f "
                "times the reverse",
                a / b);
    return OK;
}

enum status kl_leads(struct leads *leads, const struct evidence *e,
                     const struct push *p, struct err *err)
{
    TRY(add_ledger(leads, e, err));
    TRY(add_concentrated(leads, e, err));
    TRY(add_eos_paid(leads, e, err));
    TRY(add_paid(leads, e, err));
    TRY(add_length_share(leads, e, p, err));
    TRY(add_limit(leads, e, err));
    TRY(add_length_price(leads, e, err));
    TRY(add_price(leads, e, err));
    TRY(add_beta_path(leads, e, err));
    TRY(add_estimators(leads, e, err));
    return add_forward(leads, e, err);
}

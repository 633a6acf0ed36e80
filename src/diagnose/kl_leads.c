#include "diagnose/kl_leads.h"

#include <math.h>

#include "diagnose/metric.h"
#include "diagnose/price_leads.h"
#include "diagnose/rate.h"
#include "stat/blocks.h"
#include "stat/concentration.h"

#define SAMPLES "eval/samples.jsonl"
#define NO_PENALTY "no penalty in the reward of the rollouts"

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
    finding_judge_side(
        f, &share[EVIDENCE_BOUNDARY], FINDING_ABOVE, 0.5, "prompts",
        "held-out replies with the KL of each token are missing");
    if (e->n_token > 0)
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
    finding_judge_side(
        f, &c.top20, FINDING_ABOVE, 0.5, "prompts",
        "held-out replies with the KL of each token are missing");
    finding_say(f,
                "the top 5 %% of tokens carry %s of the KL, the top 20 %% "
                "%s",
                finding_percent(text, &c.top5),
                finding_percent(other, &c.top20));
    return OK;
}

/* What the penalty paid the EOS tokens of each iteration of the second half,
 * over how many there were; all: what it charged in them for any token. */
static enum status pay_of_eos(struct estimate *out, double *all,
                              const struct evidence *e, struct err *err)
{
    struct rate r;
    size_t first = e->n_step / 2;
    enum status status = rate_open(&r, e->n_step - first, err);
    *all = 0;
    for (size_t i = 0; status == OK && i < r.n; i++) {
        const struct evidence_step *s = &e->step[first + i];
        const struct evidence_ledger *l = &s->by_class[EVIDENCE_EOS];
        rate_add(&r, i, l->paid - l->charged, l->tokens);
        for (size_t c = 0; c < EVIDENCE_CLASSES; c++)
            *all += s->by_class[c].charged;
    }
    if (status == OK)
        status = rate_few(out, &r, blocks_length(r.n), e->plan.level, err);
    rate_close(&r);
    return status;
}

static enum status add_eos_paid(struct leads *leads, const struct evidence *e,
                                struct err *err)
{
    struct estimate pay;
    struct finding *f;
    double all;
    char text[64];
    TRY(pay_of_eos(&pay, &all, e, err));
    TRY(leads_add(&f, leads, "eos_paid", "the penalty pays for stopping",
                  "score an EOS token, over iterations", "ppo/rollouts", err));
    finding_add_number(f, "charged_in_all", all, e->n_step);
    finding_judge_side(f, &pay, FINDING_ABOVE, 0, "iterations", NO_PENALTY);
    if (all == 0)
        finding_lack(f, "%s", NO_PENALTY);
    finding_say(f,
                "in the second half the penalty pays an EOS token %s of score "
                "on average",
                finding_number(text, &pay, 4));
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
    size_t first = e->n_step / 2;
    enum status status = rate_open(&r, e->n_step - first, err);
    for (size_t i = 0; status == OK && i < r.n; i++)
        for (size_t d = 0; d < EVIDENCE_DECILES; d++) {
            const struct evidence_ledger *l = &e->step[first + i].by_decile[d];
            rate_add(&r, i, l->paid, l->charged);
            net[d] += l->charged - l->paid;
            all += l->charged - l->paid;
        }
    if (status == OK)
        status = rate_few(&share, &r, blocks_length(r.n), e->plan.level, err);
    rate_close(&r);
    TRY(status);
    TRY(leads_add(&f, leads, "paid", "the penalty pays back what it charges",
                  "score paid over score charged, over iterations",
                  "ppo/rollouts", err));
    for (size_t d = 0; d < EVIDENCE_DECILES && all != 0; d++)
        finding_add_number(f, decile_name[d], net[d] / all, e->n_step);
    finding_judge_side(f, &share, FINDING_ABOVE, 0.25, "iterations",
                       NO_PENALTY);
    if (all != 0)
        finding_say(
            f,
            "of what the penalty charges it pays back %s on other tokens; "
            "of the difference %.0f %% falls on the first tenth of a "
            "response and %.0f %% on the last",
            finding_percent(text, &share), 100 * net[0] / all,
            100 * net[EVIDENCE_DECILES - 1] / all);
    return OK;
}

/* ---- the price over time, and estimators -------------------------------- */

/* beta in units of raw reward: times what scores were divided by, where that
 * moved.  Both are recorded settings of the run, exact, so there is nothing to
 * resample and the row has no interval. */
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
                  "ppo/rollouts, ppo/metrics.jsonl; as recorded, not estimated",
                  err));
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
    if (isfinite(f->e.estimate))
        finding_say(
            f,
            "in units of the reward model's output the price went to %.2f "
            "times what it was (beta %.3g to %.3g)",
            f->e.estimate, first, last);
    return OK;
}

/* Three estimates of the KL, and the ratio of one to the exact one. */
struct estimators {
    double exact, k1, k3;  // nats a response
    struct estimate ratio; // k3 over exact, over prompts
};

/* The last quarter of the iterations, since k3 of one batch is a matter of a
 * few unlikely tokens; response by response: sums over tokens of k3 = exp(-d) -
 * 1 + d with d the log-ratio, of which k1 is the sum and `measure` that of
 * exp(-d). */
static enum status find_estimators(struct estimators *out,
                                   const struct evidence *e, struct err *err)
{
    struct rate r;
    double n = 0;
    enum status status = rate_open(&r, e->rollout_prompt.n, err);
    *out = (struct estimators){.ratio = summary_nothing()};
    for (size_t i = 0; status == OK && i < e->n_rollout; i++) {
        const struct evidence_rollout *x = &e->rollout[i];
        if (4 * (size_t)x->step < 3 * e->n_step)
            continue;
        double k1 = (double)x->k1, exact = (double)x->kl;
        double k3 = (double)x->measure - (double)x->tokens + k1;
        rate_add(&r, x->prompt, k3, exact);
        out->exact += exact;
        out->k1 += k1;
        out->k3 += k3;
        n++;
    }
    if (status == OK)
        status = rate_estimate(&out->ratio, &r, &e->plan, err);
    rate_close(&r);
    out->exact /= n;
    out->k1 /= n;
    out->k3 /= n;
    return status;
}

/* Where the rollouts lack it, as the training log has it at the end: one
 * number. */
static void read_estimators(struct estimators *out, const struct evidence *e)
{
    struct metric_column exact = metric_find(&e->metrics, "kl/sequence");
    struct metric_column k3 = metric_find(&e->metrics, "kl/k3_sequence");
    struct metric_column k1 = metric_find(&e->metrics, "objective/kl");
    out->exact = metric_last(&exact);
    out->k3 = metric_last(&k3);
    out->k1 = metric_last(&k1);
    out->ratio.estimate = out->k3 / out->exact;
}

static enum status add_estimators(struct leads *leads, const struct evidence *e,
                                  struct err *err)
{
    struct estimators k;
    struct finding *f;
    char text[64];
    TRY(find_estimators(&k, e, err));
    if (!isfinite(k.ratio.estimate))
        read_estimators(&k, e);
    TRY(leads_add(&f, leads, "estimators", "k3 misleads at this drift",
                  "k3 over exact KL, last quarter of the iterations",
                  "ppo/rollouts, ppo/metrics.jsonl", err));
    const struct estimate *x = &k.ratio;
    f->e = *x;
    f->null = 1;
    finding_add_number(f, "exact", k.exact, 1);
    finding_add_number(f, "k1", k.k1, 1);
    finding_add_number(f, "k3", k.k3, 1);
    if (!finding_has_interval(x))
        finding_lack(f, "ppo/rollouts with logp, logp_ref and kl");
    else if (x->low > 1.2 || x->high < 0.8)
        f->verdict = VERDICT_SUPPORTED;
    else if (x->low >= 0.8 && x->high <= 1.2)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(
            f,
            "the interval covers a difference of a fifth; %s would decide it "
            "(now %zu)",
            finding_enough_prompts(text, x, x->estimate,
                                   x->estimate < 1 ? 0.8 : 1.2),
            x->n);
    if (isfinite(k.exact + k.k1 + k.k3))
        finding_say(
            f,
            "in the last quarter the exact KL is %.2f, k1 says %.2f, k3 "
            "%.2f, %s of it",
            k.exact, k.k1, k.k3, finding_percent(text, x));
    return OK;
}

static enum status forward_ratio(struct estimate *out, const double *forward,
                                 const double *kl, const struct evidence *e,
                                 struct err *err)
{
    const struct table *t = &e->probe[PROBE_PREFIXES];
    const char *const *id = table_texts(t, "prompt_id");
    struct rate r;
    enum status status = rate_open(&r, e->n_prompts, err);
    for (size_t i = 0; status == OK && id != NULL && i < t->n; i++) {
        size_t p = id[i] != NULL ? evidence_prompt(e, id[i]) : SIZE_MAX;
        if (p != SIZE_MAX && isfinite(forward[i] + kl[i]))
            rate_add(&r, p, forward[i], kl[i]);
    }
    if (status == OK)
        status = rate_estimate(out, &r, &e->plan, err);
    rate_close(&r);
    return status;
}

static enum status add_forward(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    const struct table *t = &e->probe[PROBE_PREFIXES];
    const double *kl = table_numbers(t, "kl");
    const double *forward = table_numbers(t, "forward_kl");
    struct estimate ratio;
    char text[64];
    if (kl == NULL || forward == NULL)
        return OK;
    TRY(forward_ratio(&ratio, forward, kl, e, err));
    struct finding *f;
    TRY(leads_add(&f, leads, "forward",
                  "the policy lost what the reference says",
                  "forward KL over reverse KL on the reference's prefixes",
                  "probes/prefixes.json", err));
    finding_judge_side(f, &ratio, FINDING_ABOVE, 2, "prompts",
                       "no prefixes, or no KL on them");
    finding_say(f,
                "on the reference's own prefixes the forward KL is %s times "
                "the reverse",
                finding_number(text, &ratio, 2));
    return OK;
}

enum status kl_leads(struct leads *leads, const struct evidence *e,
                     const struct push *p, struct err *err)
{
    TRY(add_ledger(leads, e, err));
    TRY(add_concentrated(leads, e, err));
    TRY(add_eos_paid(leads, e, err));
    TRY(add_paid(leads, e, err));
    TRY(price_leads(leads, e, p, err));
    TRY(add_beta_path(leads, e, err));
    TRY(add_estimators(leads, e, err));
    return add_forward(leads, e, err);
}

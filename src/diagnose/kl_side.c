#include "diagnose/kl_side.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/kl_leads.h"
#include "diagnose/push.h"
#include "stat/regress.h"

/* Columns over prompts. */
struct scratch {
    double *a, *b, *c;
};

static enum status scratch_open(struct scratch *s, size_t n, struct err *err)
{
    TRY(MEM_NEW(s->a, n, err));
    TRY(MEM_NEW(s->b, n, err));
    return MEM_NEW(s->c, n, err);
}

static void scratch_close(struct scratch *s)
{
    mem_free(s->a);
    mem_free(s->b);
    mem_free(s->c);
}

static void scale(struct estimate *e, double by)
{
    e->estimate *= by;
    e->low *= by;
    e->high *= by;
}

/* ---- Lambda ------------------------------------------------------------- */

enum status kl_side_length_slope(struct estimate *slope, double *mean_length,
                                 const struct evidence *e, struct err *err)
{
    enum status status = OK;
    double *x = NULL, *y = NULL, sum = 0;
    size_t *prompt = NULL, n = 0;
    struct estimate b[DESIGN_MAX];
    TRY_DONE(MEM_NEW(x, e->n_reply, err));
    TRY_DONE(MEM_NEW(y, e->n_reply, err));
    TRY_DONE(MEM_NEW(prompt, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *r = &e->reply[i];
        if (r->is_policy)
            continue;
        x[n] = r->tokens;
        y[n] = r->score;
        sum += r->tokens;
        prompt[n++] = r->prompt;
    }
    struct design_data data = {.n = n,
                               .p = 1,
                               .n_prompts = e->n_prompts,
                               .x = x,
                               .y = y,
                               .prompt = prompt};
    TRY_DONE(regress_bootstrap(b, NULL, &data, DESIGN_PROMPTS, &e->plan, err));
    *slope = b[0];
    *mean_length = sum / (double)n;
done:
    mem_free(x);
    mem_free(y);
    mem_free(prompt);
    return status;
}

static enum status find_lambda(struct estimate *out, double beta,
                               const struct evidence *e, struct err *err)
{
    double mean;
    TRY(kl_side_length_slope(out, &mean, e, err));
    scale(out, mean / beta);
    return OK;
}

/* ---- c1 ----------------------------------------------------------------- */

/* beta Cov(tokens, K1) / Cov(tokens, score) until the rise is over; nothing
 * when the score does not push length. */
static enum status find_cancelled(struct estimate *out, double beta,
                                  const struct push *p, struct scratch *s,
                                  const struct evidence *e, struct err *err)
{
    enum status status = OK;
    double *grid = NULL, *mean = NULL;
    struct estimate push;
    *out = summary_nothing();
    if (p->n == 0 || p->m < 2)
        return OK;
    TRY_DONE(MEM_NEW(grid, p->m * p->n_prompts, err));
    TRY_DONE(MEM_NEW(mean, p->m, err));
    TRY_DONE(push_grid(grid, p, p->tokens, err));
    push_means(mean, p, grid);
    size_t end = push_rise_end(mean, p->m);
    TRY_DONE(push_covariance(s->a, s->b, p, p->tokens, p->score, 0, end, err));
    TRY_DONE(
        summary_estimate_ratio(&push, s->a, s->b, p->n_prompts, &e->plan, err));
    if (!(push.low > 0))
        goto done;
    TRY_DONE(push_covariance(s->c, s->b, p, p->tokens, p->k1, 0, end, err));
    TRY_DONE(
        summary_estimate_ratio(out, s->c, s->a, p->n_prompts, &e->plan, err));
    scale(out, beta);
done:
    mem_free(grid);
    mem_free(mean);
    return status;
}

/* Score gain and KL of each prompt: s->a, s->b. */
static enum status fill_gain(struct scratch *s, const struct evidence *e,
                             struct err *err)
{
    size_t score = offsetof(struct evidence_reply, score);
    TRY(evidence_prompt_means(s->a, e, true, score, err));
    TRY(evidence_prompt_means(s->c, e, false, score, err));
    TRY(evidence_prompt_means(s->b, e, true,
                              offsetof(struct evidence_reply, kl), err));
    for (size_t p = 0; p < e->n_prompts; p++)
        s->a[p] -= s->c[p];
    return OK;
}

static enum status judge_weak(struct finding *out, double beta,
                              const struct push *p, struct scratch *s,
                              const struct evidence *e, struct err *err)
{
    struct finding f =
        finding_new("c1", "the penalty charges the drift only weakly",
                    "share of the push on length that it takes back",
                    "probes/push.json, eval/samples.jsonl");
    struct estimate cancelled, paid, lambda;
    char text[64], other[64];
    TRY(find_cancelled(&cancelled, beta, p, s, e, err));
    TRY(find_lambda(&lambda, beta, e, err));
    TRY(fill_gain(s, e, err));
    TRY(summary_estimate_ratio(&paid, s->b, s->a, e->n_prompts, &e->plan, err));
    scale(&paid, beta);
    finding_add(&f, "push_taken_back", &cancelled);
    finding_add(&f, "gain_paid", &paid);
    finding_add(&f, "lambda_length", &lambda);
    bool by_length = finding_has_interval(&cancelled);
    const struct estimate *share = by_length ? &cancelled : &paid;
    if (!by_length)
        f.unit = "share of the score gain that is paid for it";
    f.e = *share;
    f.effect = 0.25;
    if (!finding_has_interval(share))
        finding_lack(&f, "held-out replies with scores and KL, or beta, are "
                         "missing");
    else if (share->high < 0.25 || (by_length && lambda.low > 1))
        f.verdict = VERDICT_SUPPORTED;
    else if (share->low > 0.75)
        f.verdict = VERDICT_NOT_SUPPORTED;
    else if (share->low > 0.25)
        finding_lack(&f, "no more data: more than a quarter of the push is "
                         "taken back, and it is not shown to be three");
    else
        finding_lack(&f,
                     "the share's interval covers 25 %%; %s would decide it "
                     "(now %zu)",
                     finding_enough_prompts(text, share, share->estimate, 0.25),
                     share->n);
    finding_say(
        &f,
        by_length ? "of the score's push on length the penalty takes back "
                    "%s; a token is worth %s times what makes its length "
                    "pay without end"
                  : "the penalty takes %s of the score gained (length price: "
                    "%s)",
        finding_percent(text, share), finding_number(other, &lambda, 1));
    *out = f;
    return OK;
}

/* ---- c2, c3 ------------------------------------------------------------- */

/* The formula's Gaussian has tails that no run ever reaches. */
static const char *say_optimum(char out[64], double nats)
{
    if (nats > KL_SIDE_FURTHEST)
        (void)snprintf(out, 64, "further than any run goes");
    else
        (void)snprintf(out, 64, "about %.0f nats", nats);
    return out;
}

/* Without two replies to a prompt the spread of scores is not known. */
static void say_cheap(struct finding *f, const struct estimate *m,
                      const struct estimate *kl, double beta, double sd)
{
    char text[64], other[64];
    if (!isfinite(m->estimate + beta))
        return;
    finding_number(text, m, 3);
    if (isfinite(sd) && beta > 0)
        finding_say(f,
                    "a nat of KL bought %s of score and costs beta = %.3g; by "
                    "the spread of scores a penalty of %.2g deviations would "
                    "let KL grow to %s (now %.2f)",
                    text, beta, beta / sd,
                    say_optimum(other, sd * sd / (2 * beta * beta)),
                    kl->estimate);
    else
        finding_say(f, "a nat of KL bought %s of score and costs beta = %.3g",
                    text, beta);
}

static enum status judge_cheap(struct finding *out, double beta,
                               struct scratch *s, const struct evidence *e,
                               struct err *err)
{
    struct finding f =
        finding_new("c2", "the price is too low: drifting is still profitable",
                    "score gained a nat of KL", "eval/samples.jsonl");
    struct estimate m, kl;
    double sd;
    char text[64];
    TRY(fill_gain(s, e, err));
    TRY(summary_estimate_ratio(&m, s->a, s->b, e->n_prompts, &e->plan, err));
    TRY(summary_estimate_mean(&kl, s->b, e->n_prompts, &e->plan, err));
    TRY(observations_sd_within(&sd, e, err));
    double optimum = sd * sd / (2 * beta * beta);
    f.e = m;
    f.effect = beta;
    finding_add_number(&f, "beta", beta, 1);
    finding_add_number(&f, "sd_within", sd, m.n);
    finding_add_number(&f, "beta_over_sd", beta / sd, m.n);
    finding_add(&f, "kl", &kl);
    finding_add_number(&f, "kl_at_gaussian_optimum", optimum, m.n);
    if (!finding_has_interval(&m) || !isfinite(beta))
        finding_lack(&f, "held-out replies with scores and KL, or beta, are "
                         "missing");
    else if (m.low > beta && (kl.high < optimum || !isfinite(optimum)))
        f.verdict = VERDICT_SUPPORTED;
    else if (m.high < beta || kl.low > optimum)
        f.verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(&f,
                     "the interval covers beta = %.3g; %s would decide it "
                     "(now %zu)",
                     beta, finding_enough_prompts(text, &m, m.estimate, beta),
                     m.n);
    say_cheap(&f, &m, &kl, beta, sd);
    *out = f;
    return OK;
}

static struct finding judge_fails(const struct finding row[MECHANISMS],
                                  const struct finding observed[OBSERVED])
{
    struct finding f =
        finding_new("c3", "the penalty fails to prevent the drift", "none",
                    "S3, S3p, c1, c2");
    const struct finding *rises = &observed[OBSERVED_KL_UP];
    const struct finding *acts = &observed[OBSERVED_PENALTY_ACTS];
    const struct finding *weak = &row[MECHANISM_WEAK];
    const struct finding *cheap = &row[MECHANISM_CHEAP];
    bool either = weak->verdict == VERDICT_SUPPORTED ||
                  cheap->verdict == VERDICT_SUPPORTED;
    bool neither = weak->verdict == VERDICT_NOT_SUPPORTED &&
                   cheap->verdict == VERDICT_NOT_SUPPORTED;
    f.e = rises->e;
    f.unit = rises->unit;
    if (rises->verdict == VERDICT_NOT_SUPPORTED ||
        acts->verdict == VERDICT_NOT_SUPPORTED || neither)
        f.verdict = VERDICT_NOT_SUPPORTED;
    else if (rises->verdict == VERDICT_SUPPORTED &&
             acts->verdict == VERDICT_SUPPORTED && either)
        f.verdict = VERDICT_SUPPORTED;
    else
        finding_lack(&f, "%s",
                     rises->verdict == VERDICT_NOT_MEASURABLE  ? rises->needs
                     : acts->verdict == VERDICT_NOT_MEASURABLE ? acts->needs
                     : weak->verdict == VERDICT_NOT_MEASURABLE ? weak->needs
                                                               : cheap->needs);
    finding_say(&f, "S3 is %s, S3p %s, c1 %s, c2 %s",
                finding_verdict(rises->verdict), finding_verdict(acts->verdict),
                finding_verdict(weak->verdict),
                finding_verdict(cheap->verdict));
    return f;
}

enum status kl_side_judge(struct finding row[MECHANISMS], struct leads *leads,
                          const struct finding observed[OBSERVED],
                          const struct evidence *e, struct err *err)
{
    struct push p;
    struct scratch s = {.a = NULL};
    enum status status = OK;
    double beta = evidence_beta(e);
    TRY(push_read(&p, e, err));
    TRY_DONE(scratch_open(&s, e->n_prompts, err));
    TRY_DONE(judge_weak(&row[MECHANISM_WEAK], beta, &p, &s, e, err));
    TRY_DONE(judge_cheap(&row[MECHANISM_CHEAP], beta, &s, e, err));
    row[MECHANISM_FAILS] = judge_fails(row, observed);
    TRY_DONE(kl_leads(leads, e, &p, err));
done:
    scratch_close(&s);
    push_free(&p);
    return status;
}

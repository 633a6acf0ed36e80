#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/trace.h"
#include "rlhf/ppo_internal.h"

/* Room for the trace of one iteration. */
#define TRACE_MAX ((size_t)1 << 30)

/* Names in one row of metrics. */
#define METRICS_MAX 64

double ppo_sequence_mean(const struct rollout *r, const float *per_token)
{
    double sum = 0;
    for (size_t t = 0; t < r->offset[r->n]; t++)
        sum += (double)per_token[t];
    return sum / (double)r->n;
}

/* What the caller knows about response i, and its gold value. */
static enum status annotate(struct ppo *p, size_t i, const char *response,
                            struct buf *extra, double *gold, struct err *err)
{
    const struct rollout *r = &p->rollout;
    buf_clear(extra);
    *gold = (double)NAN;
    if (p->annotator == NULL)
        return OK;
    return p->annotator->annotate(p->annotator->ctx,
                                  &p->prompts.record[r->prompt[i]], response,
                                  r->is_eos[i], extra, gold, err);
}

static struct trace_row row_of(const struct ppo *p, size_t i,
                               const char *response, const char *extra)
{
    const struct rollout *r = &p->rollout;
    const struct record *prompt = &p->prompts.record[r->prompt[i]];
    size_t at = r->offset[i], slot = r->slot[i];
    return (struct trace_row){
        .run = "ppo",
        .step = p->step + 1,
        .prompt_id = prompt->id,
        .sample = (int64_t)r->sample[i],
        .prompt = prompt->prompt,
        .response = response,
        .extra = extra,
        .is_eos = r->is_eos[i],
        .score_raw = r->score_raw[i],
        .score_sd = p->reward.n > 1 ? &r->score_sd[i] : NULL,
        .score = r->score[i],
        .beta = p->beta,
        .temperature = ppo_rule(p->config).temperature,
        .template_hash = p->template_hash,
        .len = r->seq[i].len_response,
        .token = r->seq[i].response,
        .logp_sample = r->logp_sample + at,
        .logp = r->logp + at,
        .logp_ref = r->logp_ref + at,
        .kl = r->kl + at,
        .entropy = r->entropy + at,
        .p_eos = r->p_eos + at,
        .p_eos_ref = r->p_eos_ref + at,
        .value = r->value + slot,
        .reward = r->reward + slot,
        .reward_kl = r->reward_kl + at,
        .advantage = r->advantage + slot,
        .advantage_white = r->advantage_white + slot,
    };
}

/* The "tags" member of a prompt's record as JSON text, appended to `out`. */
static enum status find_tags(struct buf *out, const struct record *prompt,
                             struct err *err)
{
    struct json *json = NULL;
    buf_clear(out);
    if (prompt->extra == NULL)
        return OK;
    TRY(json_parse(&json, prompt->extra, strlen(prompt->extra), prompt->id,
                   err));
    const struct json *tags = json_get(json, "tags");
    if (tags != NULL)
        json_dump(out, tags);
    json_free(json);
    return buf_status(out, err);
}

enum status ppo_report_trace(struct ppo *p, double *gold, struct err *err)
{
    enum status status = OK;
    const struct rollout *r = &p->rollout;
    struct buf text, response, extra, tags;
    char path[FILE_PATH_MAX];
    double sum = 0, count = 0;
    bool is_written = !p->run.is_followed && p->config->trace_every > 0 &&
                      (p->step + 1) % p->config->trace_every == 0;
    buf_init(&text, TRACE_MAX);
    buf_init(&response, 1 << 24);
    buf_init(&extra, 1 << 20);
    buf_init(&tags, 1 << 20);
    for (size_t i = 0; i < r->n; i++) {
        double one;
        buf_clear(&response);
        TRY_DONE(tokenizer_decode(p->tokenizer, r->seq[i].response,
                                  r->seq[i].len_response, true, &response,
                                  err));
        TRY_DONE(annotate(p, i, buf_text(&response), &extra, &one, err));
        if (isfinite(one)) {
            sum += one;
            count++;
        }
        if (!is_written)
            continue;
        TRY_DONE(find_tags(&tags, &p->prompts.record[r->prompt[i]], err));
        struct trace_row row = row_of(p, i, buf_text(&response),
                                      extra.len > 0 ? buf_text(&extra) : NULL);
        row.tags = tags.len > 0 ? buf_text(&tags) : NULL;
        trace_write_row(&text, &row);
    }
    TRY_DONE(buf_status(&extra, err));
    TRY_DONE(buf_status(&text, err));
    if (is_written) {
        TRY_DONE(run_rollout_path(path, &p->run, p->step + 1, err));
        TRY_DONE(trace_write_file(path, &text, err));
    }
    *gold = count > 0 ? sum / count : (double)NAN;
done:
    buf_free(&text);
    buf_free(&response);
    buf_free(&extra);
    buf_free(&tags);
    return status;
}

/* One row of metrics.jsonl as it grows; docs/metrics.md defines every name. */
struct metrics {
    struct metric row[METRICS_MAX];
    size_t n;
};

static void add(struct metrics *m, const char *name, double value)
{
    assert(m->n < METRICS_MAX);
    m->row[m->n++] = (struct metric){name, value};
}

/* Means of the estimators, in nats per sequence. */
struct divergence {
    double k1, k2, k3;
};

static struct divergence estimate(const struct rollout *r)
{
    struct divergence d = {.k1 = 0};
    double n = (double)r->n;
    for (size_t t = 0; t < r->offset[r->n]; t++) {
        double logp = (double)r->logp[t], ref = (double)r->logp_ref[t];
        d.k1 += kl_k1(logp, ref) / n;
        d.k2 += kl_k2(logp, ref) / n;
        d.k3 += kl_k3(logp, ref) / n;
    }
    return d;
}

static double mean_length(const struct rollout *r)
{
    return (double)r->offset[r->n] / (double)r->n;
}

static double count_eos(const struct rollout *r)
{
    double count = 0;
    for (size_t i = 0; i < r->n; i++)
        count += r->is_eos[i];
    return count;
}

/* What was paid: scores and penalties under TRL's names. */
static void add_objective(struct metrics *m, const struct ppo *p,
                          const struct divergence *d)
{
    const struct rollout *r = &p->rollout;
    struct score_scale score = scorer_scale(r->score, r->n);
    double penalty = ppo_sequence_mean(r, r->reward_kl);
    add(m, "objective/kl", d->k1);
    add(m, "objective/entropy", -ppo_sequence_mean(r, r->logp));
    add(m, "objective/non_score_reward", penalty);
    add(m, "objective/rlhf_reward", penalty + score.mean);
    add(m, "objective/scores", score.mean);
    add(m, "objective/kl_coef", p->beta);
    add(m, "score/sd", score.sd);
    add(m, "score/clipped", (double)r->score_clipped);
    add(m, "score/raw_mean", scorer_scale(r->score_raw, r->n).mean);
    if (p->reward.n > 1)
        add(m, "score/member_sd", scorer_scale(r->score_sd, r->n).mean);
    if (p->config->score_norm > SCORE_NORM_REFERENCE)
        add(m, "score/normaliser", p->normaliser);
    if (p->config->score_shape != SHAPE_NONE)
        add(m, "score/saturated", p->saturated);
}

/* The updates, means over their tokens unless the name says otherwise. */
static void add_update(struct metrics *m, const struct ppo_update_report *u)
{
    const struct ppo_stats *x = &u->stats;
    double n = x->tokens;
    add(m, "policy/approxkl_avg", x->approx_kl / n);
    add(m, "policy/kl_old_avg", x->policy_kl / n);
    add(m, "policy/clipfrac_avg", x->clipped / n);
    add(m, "policy/grad_norm", u->policy_norm);
    add(m, "loss/policy_avg", u->policy_loss);
    add(m, "loss/value_avg", u->value_loss);
    add(m, "loss/kl_avg", u->kl_loss);
    add(m, "loss/entropy_avg", u->entropy_loss);
    add(m, "val/clipfrac_avg", x->value_clipped / x->slots);
    add(m, "val/ratio", u->ratio_mean);
    add(m, "val/ratio_var", u->ratio_var);
    add(m, "ratio/first_error", u->first_ratio_error);
    add(m, "ratio/exponent_clamped", x->exponent_clamped);
    add(m, "clip/positive_below", x->cell[0][0] / n);
    add(m, "clip/positive_above", x->cell[0][2] / n);
    add(m, "clip/negative_below", x->cell[1][0] / n);
    add(m, "clip/negative_above", x->cell[1][2] / n);
    add(m, "clip/dual", x->dual_clipped / n);
    add(m, "value/grad_norm", u->value_norm);
    add(m, "lr", u->lr);
}

/* To the reference and to the previous policy, nats. */
static void add_kl(struct metrics *m, const struct ppo *p,
                   const struct divergence *d, double clamped)
{
    const struct rollout *r = &p->rollout;
    double kl = ppo_sequence_mean(r, r->kl);
    add(m, "kl/sequence", kl);
    add(m, "kl/per_token", kl / mean_length(r));
    add(m, "kl/step", ppo_sequence_mean(r, r->kl_step));
    add(m, "kl/k2_sequence", d->k2);
    add(m, "kl/k3_sequence", d->k3);
    add(m, "kl/beta", p->beta);
    add(m, "kl/clamped", clamped);
}

/* Values against returns, over tokens. */
struct fit {
    double value, ret; // means
    double explained;  // 1 - var(ret - value) / var(ret)
};

static struct fit fit_values(const struct rollout *r)
{
    struct fit f = {.explained = (double)NAN};
    double n = 0, residual = 0, square = 0;
    for (size_t s = 0; s < r->slot[r->n]; s++) {
        if (!r->is_real[s])
            continue;
        n++;
        f.value += (double)r->value[s];
        f.ret += (double)r->ret[s];
    }
    f.value /= n;
    f.ret /= n;
    for (size_t s = 0; s < r->slot[r->n]; s++) {
        if (!r->is_real[s])
            continue;
        double d = (double)r->ret[s] - f.ret;
        double e = d - ((double)r->value[s] - f.value);
        residual += e * e;
        square += d * d;
    }
    if (square > 0)
        f.explained = 1 - residual / square;
    return f;
}

/* The responses and how well the value model foresaw what they were paid. */
static void add_rollout(struct metrics *m, const struct ppo *p)
{
    const struct rollout *r = &p->rollout;
    double eos = count_eos(r);
    struct fit fit = fit_values(r);
    add(m, "policy/entropy_avg",
        ppo_sequence_mean(r, r->entropy) / mean_length(r));
    add(m, "val/num_eos_tokens", eos);
    add(m, "response/length", mean_length(r));
    add(m, "response/eos_rate", eos / (double)r->n);
    add(m, "ratio/sampler_error", rollout_ratio_error(r));
    add(m, "value/mean", fit.value);
    add(m, "value/return_mean", fit.ret);
    add(m, "value/explained_variance", fit.explained);
    add(m, "advantage/sd", r->whitening.sd);
    if (p->config->max_new_start > 0)
        add(m, "response/cap", (double)ppo_max_new(p->config, p->step));
}

static void show_progress(const struct ppo *p)
{
    const struct rollout *r = &p->rollout;
    char text[128];
    (void)snprintf(text, sizeof text, "score %+.2f  kl %.2f  length %.0f",
                   scorer_scale(r->score, r->n).mean,
                   ppo_sequence_mean(r, r->kl), mean_length(r));
    context_progress(p->context, (double)(p->step + 1),
                     (double)p->config->iterations, "iteration", text);
}

enum status ppo_report_metrics(struct ppo *p, const struct ppo_update_report *u,
                               double gold, struct err *err)
{
    const struct rollout *r = &p->rollout;
    struct metrics m = {.n = 0};
    struct divergence d = estimate(r);
    add_objective(&m, p, &d);
    add_update(&m, u);
    add_kl(&m, p, &d, (double)r->kl_clamped + u->stats.kl_clamped);
    add_rollout(&m, p);
    add(&m, "episode", (double)((p->step + 1) * (int64_t)r->n));
    if (p->annotator != NULL)
        add(&m, "world/gold", gold);
    show_progress(p);
    return run_metrics(&p->run, p->step + 1, m.row, m.n,
                       context_time(p->context) - p->started, (double)r->n,
                       err);
}

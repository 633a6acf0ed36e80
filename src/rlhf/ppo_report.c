#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/trace.h"
#include "rlhf/ppo_internal.h"

/* Room for the trace of one iteration. */
#define TRACE_MAX ((size_t)1 << 30)

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
        .score = r->score[i],
        .beta = p->beta,
        .temperature = p->config->temperature,
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
    bool is_written = p->config->trace_every > 0 &&
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

/* What a batch of responses is like, in plain sums. */
struct summary {
    double k1, k2, k3; // nats per sequence
    double logp;       // summed per sequence
    double length, eos;
    double score, score_sd, score_raw;
    double non_score;  // KL part of the reward per sequence
    double entropy;    // per token
    double explained;  // 1 - var(ret - value) / var(ret)
    double value, ret; // means
};

static double explained_variance(const struct rollout *r, double *value,
                                 double *ret)
{
    double n = 0, residual = 0, square = 0, mean_residual = 0;
    *value = *ret = 0;
    for (size_t s = 0; s < r->slot[r->n]; s++) {
        if (!r->is_real[s])
            continue;
        n++;
        *value += (double)r->value[s];
        *ret += (double)r->ret[s];
    }
    *value /= n;
    *ret /= n;
    mean_residual = *ret - *value;
    for (size_t s = 0; s < r->slot[r->n]; s++) {
        if (!r->is_real[s])
            continue;
        double e = (double)r->ret[s] - (double)r->value[s] - mean_residual;
        double d = (double)r->ret[s] - *ret;
        residual += e * e;
        square += d * d;
    }
    return square > 0 ? 1 - residual / square : (double)NAN;
}

static struct summary summarise(const struct rollout *r)
{
    struct summary s = {.k1 = 0};
    double n = (double)r->n;
    for (size_t t = 0; t < r->offset[r->n]; t++) {
        double logp = (double)r->logp[t], ref = (double)r->logp_ref[t];
        s.k1 += kl_k1(logp, ref) / n;
        s.k2 += kl_k2(logp, ref) / n;
        s.k3 += kl_k3(logp, ref) / n;
        s.logp += logp / n;
        s.non_score += (double)r->reward_kl[t] / n;
        s.entropy += (double)r->entropy[t] / (double)r->offset[r->n];
    }
    for (size_t i = 0; i < r->n; i++) {
        s.length += (double)r->seq[i].len_response / n;
        s.eos += r->is_eos[i];
        s.score_raw += r->score_raw[i] / n;
    }
    struct score_scale scale = scorer_scale(r->score, r->n);
    s.score = scale.mean;
    s.score_sd = scale.sd;
    s.explained = explained_variance(r, &s.value, &s.ret);
    return s;
}

enum status ppo_report_metrics(struct ppo *p, const struct ppo_update_report *u,
                               double gold, struct err *err)
{
    const struct rollout *r = &p->rollout;
    struct summary s = summarise(r);
    const struct ppo_stats *x = &u->stats;
    double n_token = x->tokens, kl = ppo_sequence_mean(r, r->kl);
    const struct metric row[] = {
        /* TRL's names, TRL's meanings */
        {"objective/kl", s.k1},
        {"objective/entropy", -s.logp},
        {"objective/non_score_reward", s.non_score},
        {"objective/rlhf_reward", s.non_score + s.score},
        {"objective/scores", s.score},
        {"policy/approxkl_avg", x->approx_kl / n_token},
        {"policy/clipfrac_avg", x->clipped / n_token},
        {"policy/entropy_avg", s.entropy},
        {"loss/policy_avg", u->policy_loss},
        {"loss/value_avg", u->value_loss},
        {"val/clipfrac_avg", x->value_clipped / n_token},
        {"val/ratio", u->ratio_mean},
        {"val/ratio_var", u->ratio_var},
        {"val/num_eos_tokens", s.eos},
        {"lr", u->lr},
        {"episode", (double)((p->step + 1) * (int64_t)r->n)},
        /* exact, full vocabulary, nats */
        {"kl/sequence", kl},
        {"kl/per_token", kl * (double)r->n / (double)r->offset[r->n]},
        {"kl/step", ppo_sequence_mean(r, r->kl_step)},
        {"kl/k2_sequence", s.k2},
        {"kl/k3_sequence", s.k3},
        {"kl/beta", p->beta},
        {"kl/clamped", (double)r->kl_clamped},
        {"objective/kl_coef", p->beta},
        {"score/raw_mean", s.score_raw},
        {"score/sd", s.score_sd},
        {"response/length", s.length},
        {"response/eos_rate", s.eos / (double)r->n},
        {"value/mean", s.value},
        {"value/return_mean", s.ret},
        {"value/explained_variance", s.explained},
        {"advantage/sd", r->whitening.sd},
        {"clip/positive_below", x->cell[0][0] / n_token},
        {"clip/positive_above", x->cell[0][2] / n_token},
        {"clip/negative_below", x->cell[1][0] / n_token},
        {"clip/negative_above", x->cell[1][2] / n_token},
        {"clip/dual", x->dual_clipped / n_token},
        {"ratio/first_error", u->first_ratio_error},
        {"ratio/sampler_error", rollout_ratio_error(r)},
        {"policy/kl_old_avg", x->policy_kl / n_token},
        {"policy/grad_norm", u->policy_norm},
        {"value/grad_norm", u->value_norm},
        {"loss/kl_avg", u->kl_loss},
        {"loss/entropy_avg", u->entropy_loss},
        {"world/gold", gold},
    };
    size_t n = sizeof row / sizeof *row - (p->annotator == NULL ? 1 : 0);
    char text[128];
    (void)snprintf(text, sizeof text, "score %+.2f  kl %.2f  length %.0f",
                   s.score, kl, s.length);
    context_progress(p->context, (double)(p->step + 1),
                     (double)p->config->iterations, "iteration", text);
    return run_metrics(&p->run, p->step + 1, row, n,
                       context_time(p->context) - p->started, (double)r->n,
                       err);
}

#include <math.h>

#include "base/mem.h"
#include "rlhf/ppo_internal.h"

/* The score_raw of a rollout, and how far several models disagree.  When it
 * `calibrates`, the rollout is of the reference and gives the members' scales.
 */
static enum status score(struct rollout *r, struct ppo *p, bool calibrates,
                         struct err *err)
{
    const struct reward_replies replies = rollout_replies(r, p->prompts.record);
    size_t n;
    double *raw;
    TRY(mem_multiply(&n, r->n, p->reward.n, err));
    TRY(MEM_NEW(raw, n, err));
    enum status status =
        ensemble_read(raw, &p->reward, &replies, p->context, err);
    if (status == OK && calibrates)
        ensemble_calibrate(&p->reward, raw, r->n);
    if (status == OK)
        ensemble_combine(r->score_raw, r->score_sd, &p->reward, raw, r->n);
    mem_free(raw);
    return status;
}

enum status ppo_score_calibrate(struct ppo *p, struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config;
    struct rollout r = {.n = 0};
    const struct sampling how = {.temperature = c->temperature,
                                 .top_p = 1,
                                 .max_new = (size_t)c->max_new};
    p->scale = (struct score_scale){.mean = 0, .sd = 1};
    if (c->score_norm == SCORE_NORM_NONE && p->reward.n == 1 &&
        c->length_penalty == 0)
        return OK;
    TRY(rollout_create(&r, (size_t)c->norm_prompts, (size_t)c->max_new, err));
    for (size_t i = 0; i < r.n; i++) {
        r.prompt[i] = i % p->prompts.n;
        r.sample[i] = i / p->prompts.n;
    }
    size_t samples = 1 + r.n / p->prompts.n;
    TRY_DONE(rollout_sample(&r, &p->reference, p->corpus.seq, samples, &how,
                            p->stage->seed, RNG_CALIBRATE, 0, p->context, err));
    TRY_DONE(score(&r, p, true, err));
    if (c->score_norm != SCORE_NORM_NONE)
        p->scale = scorer_scale(r.score_raw, r.n);
    p->reference_tokens = (double)r.offset[r.n] / (double)r.n;
    context_info(p->context,
                 "reward model on the reference: mean %.3f, deviation %.3f",
                 p->scale.mean, p->scale.sd);
done:
    rollout_free(&r);
    return status;
}

/* What this rollout's scores are divided by. */
static double find_normaliser(struct ppo *p)
{
    const struct rollout *r = &p->rollout;
    int norm = p->config->score_norm;
    if (norm == SCORE_NORM_BATCH)
        return scorer_scale(r->score_raw, r->n).sd;
    if (norm != SCORE_NORM_RUNNING)
        return p->scale.sd;
    shaping_observe(&p->moments, r->score_raw, r->n);
    return shaping_scale(&p->moments).sd;
}

/* Replies of the reference to the prompts of this rollout, scored. */
static enum status ask_reference(struct rollout *out, struct ppo *p,
                                 struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config;
    const struct sampling how = {.temperature = c->temperature,
                                 .top_p = 1,
                                 .max_new = p->rollout.max_new};
    size_t K = (size_t)c->shape_samples;
    struct rollout r = {.n = 0};
    TRY(rollout_create(&r, (size_t)c->batch * K, how.max_new, err));
    for (size_t i = 0; i < r.n; i++) {
        r.prompt[i] = p->rollout.prompt[i / K * (size_t)c->samples];
        r.sample[i] = i % K;
    }
    /* Step 0 was the calibration's. */
    TRY_DONE(rollout_sample(&r, &p->reference, p->corpus.seq, K, &how,
                            p->stage->seed, RNG_CALIBRATE, p->step + 1,
                            p->context, err));
    TRY_DONE(score(&r, p, false, err));
    *out = r;
done:
    if (status != OK)
        rollout_free(&r);
    return status;
}

/* centre[i]: the reference's mean score, normalised, on response i's prompt. */
static enum status find_centres(double *centre, struct ppo *p,
                                const struct score_scale *scale,
                                struct err *err)
{
    const struct ppo_config *c = p->config;
    size_t K = (size_t)c->shape_samples;
    struct rollout r;
    TRY(ask_reference(&r, p, err));
    for (size_t i = 0; i < p->rollout.n; i++) {
        const double *raw = r.score_raw + i / (size_t)c->samples * K;
        centre[i] = (scorer_scale(raw, K).mean - scale->mean) / scale->sd;
    }
    rollout_free(&r);
    return OK;
}

/* Where a sigmoid has 95 % of its range behind it. */
#define SATURATED 3.0

static double share_saturated(const struct rollout *r,
                              const struct score_scale *scale,
                              const double *centre)
{
    double n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += fabs((r->score_raw[i] - scale->mean) / scale->sd - centre[i]) >
             SATURATED;
    return n / (double)r->n;
}

enum status ppo_score_rollout(struct ppo *p, struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config;
    struct rollout *r = &p->rollout;
    double *centre = NULL;
    TRY(score(r, p, false, err));
    p->normaliser = find_normaliser(p);
    const struct shaping how = {
        .scale = {.mean = p->scale.mean, .sd = p->normaliser},
        .shape = c->score_shape,
        .missing_eos = c->missing_eos,
        .length_penalty = c->length_penalty,
        .reference_tokens = p->reference_tokens,
        .clip = c->score_clip,
    };
    TRY(MEM_NEW(centre, r->n, err)); // zeros: the calibration's mean
    if (c->score_shape != SHAPE_NONE && c->shape_samples > 1)
        TRY_DONE(find_centres(centre, p, &how.scale, err));
    p->saturated = share_saturated(r, &how.scale, centre);
    rollout_shape(r, &how, centre);
done:
    mem_free(centre);
    return status;
}

void ppo_score_put(struct json_writer *w, const struct ppo *p)
{
    bool is_one = p->reward.n == 1;
    const struct score_scale *first = is_one ? &p->scale : p->reward.scale;
    json_field_number(w, "score_mean", first->mean);
    json_field_number(w, "score_sd", first->sd);
    if (p->config->length_penalty != 0)
        json_field_number(w, "reference_tokens", p->reference_tokens);
    if (is_one)
        return;
    json_field_number(w, "combined_mean", p->scale.mean);
    json_field_number(w, "combined_sd", p->scale.sd);
    json_put_key(w, "members");
    json_open(w, '[');
    for (size_t m = 0; m < p->reward.n; m++) {
        json_open(w, '{');
        json_field_number(w, "mean", p->reward.scale[m].mean);
        json_field_number(w, "sd", p->reward.scale[m].sd);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static enum status read_scale(struct score_scale *s, const struct json *json,
                              const char *mean, const char *sd,
                              const char *path, struct err *err)
{
    TRY(json_need_number(&s->mean, json, mean, path, err));
    return json_need_number(&s->sd, json, sd, path, err);
}

enum status ppo_score_restore(struct ppo *p, const struct json *json,
                              const char *path, struct err *err)
{
    if (p->config->length_penalty != 0)
        TRY(json_need_number(&p->reference_tokens, json, "reference_tokens",
                             path, err));
    if (p->reward.n == 1)
        return read_scale(&p->scale, json, "score_mean", "score_sd", path, err);
    const struct json *members = json_get(json, "members");
    if (json_size(members) != p->reward.n)
        return err_set(err, ERR_MISMATCH,
                       "%s: \"members\" is of another number of reward models "
                       "than %zu",
                       path, p->reward.n);
    for (size_t m = 0; m < p->reward.n; m++)
        TRY(read_scale(&p->reward.scale[m], json_at(members, m), "mean", "sd",
                       path, err));
    return read_scale(&p->scale, json, "combined_mean", "combined_sd", path,
                      err);
}

#include "rlhf/ppo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "rlhf/ppo_internal.h"
#include "rlhf/schedule.h"
#include "rlhf/trainer.h"

/* Every array of a PPO checkpoint beside the policy itself. */
#define ARRAYS 6

static void name_arrays(struct checkpoint_array array[ARRAYS],
                        const struct ppo *p)
{
    const struct optimizer *policy = &p->policy_optimizer;
    const struct optimizer *value = &p->value_optimizer;
    const struct checkpoint_array all[ARRAYS] = {
        optimizer_array(policy, "policy.adam.m", policy->m),
        optimizer_array(policy, "policy.adam.v", policy->v),
        {.name = "value.params",
         .data = model_trainable(&p->value),
         .n = value->n},
        optimizer_array(value, "value.adam.m", value->m),
        optimizer_array(value, "value.adam.v", value->v),
        {.name = "previous.params",
         .data = model_trainable(&p->previous),
         .n = policy->n},
    };
    memcpy(array, all, sizeof all);
}

static enum status save(struct ppo *p, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct checkpoint_array array[ARRAYS];
    struct buf text;
    struct json_writer w;
    buf_init(&text, 4096);
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.trainer/1");
    json_field_int(&w, "step", p->step);
    json_field_number(&w, "beta", p->beta);
    ppo_score_put(&w, p);
    json_field_int(&w, "policy_updates", p->policy_optimizer.t);
    json_field_int(&w, "value_updates", p->value_optimizer.t);
    json_field_bool(&w, "over_budget", p->is_over_budget);
    if (p->config->kl.control == KL_BUDGET)
        json_field_number(&w, "last_kl", p->last_kl);
    if (p->config->score_norm == SCORE_NORM_RUNNING) {
        json_field_number(&w, "scores", p->moments.n);
        json_field_number(&w, "scores_mean", p->moments.mean);
        json_field_number(&w, "scores_square", p->moments.square);
    }
    json_close(&w, '}');
    TRY_DONE(buf_status(&text, err));
    name_arrays(array, p);
    TRY_DONE(run_flush(&p->run, err));
    TRY_DONE(run_checkpoint_path(path, &p->run, p->step, err));
    struct checkpoint c = {.model = &p->policy,
                           .base = p->base,
                           .tokenizer = p->tokenizer,
                           .trainer_json = buf_text(&text),
                           .array = array,
                           .n_array = ARRAYS,
                           .comm = p->context->comm};
    TRY_DONE(checkpoint_write(path, &c, err));
    p->run.checkpoint = p->step;
    TRY_DONE(trainer_prune(&p->run, p->config->save_every, err));
done:
    buf_free(&text);
    return status;
}

/* What the running deviation has seen, where there is one. */
static enum status read_moments(struct score_moments *m,
                                const struct json *json, const char *path,
                                struct err *err)
{
    TRY(json_need_number(&m->n, json, "scores", path, err));
    TRY(json_need_number(&m->mean, json, "scores_mean", path, err));
    return json_need_number(&m->square, json, "scores_square", path, err);
}

static enum status read_state(struct ppo *p, const struct buf *text,
                              const char *path, struct err *err)
{
    enum status status = OK;
    struct json *json = NULL;
    int64_t policy, value;
    TRY(json_parse(&json, buf_text(text), text->len, path, err));
    TRY_DONE(json_need_number(&p->beta, json, "beta", path, err));
    TRY_DONE(ppo_score_restore(p, json, path, err));
    TRY_DONE(json_need_int(&policy, json, "policy_updates", 0, INT64_MAX, path,
                           err));
    TRY_DONE(
        json_need_int(&value, json, "value_updates", 0, INT64_MAX, path, err));
    if (p->config->kl.control == KL_BUDGET)
        TRY_DONE(json_need_number(&p->last_kl, json, "last_kl", path, err));
    if (p->config->score_norm == SCORE_NORM_RUNNING)
        TRY_DONE(read_moments(&p->moments, json, path, err));
    p->policy_optimizer.t = policy;
    p->value_optimizer.t = value;
    p->is_over_budget = json_bool(json_get(json, "over_budget"), false);
done:
    json_free(json);
    return status;
}

static enum status resume(struct ppo *p, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct checkpoint_array array[ARRAYS];
    struct buf text;
    buf_init(&text, 1 << 16);
    name_arrays(array, p);
    TRY_DONE(run_checkpoint_path(path, &p->run, p->run.checkpoint, err));
    TRY_DONE(trainer_reload(&p->policy, path, p->policy_optimizer.n, err));
    TRY_DONE(checkpoint_read_trainer(&text, array, ARRAYS, p->context->comm,
                                     path, err));
    model_round_again(&p->value);
    model_round_again(&p->previous);
    TRY_DONE(read_state(p, &text, path, err));
    p->step = p->run.checkpoint;
    TRY_DONE(trainer_prune(&p->run, p->config->save_every, err));
done:
    buf_free(&text);
    return status;
}

struct scorer_rule ppo_rule(const struct ppo_config *c)
{
    return (struct scorer_rule){
        .temperature =
            c->log_temperature > 0 ? c->log_temperature : c->temperature,
        .keeps_banned = !c->mask_logits,
    };
}

size_t ppo_max_new(const struct ppo_config *c, int64_t step)
{
    if (c->max_new_start == 0)
        return (size_t)c->max_new;
    return (size_t)llround(schedule_line(
        (double)c->max_new_start, (double)c->max_new, step, c->iterations));
}

/* The data set's order in a pass over it. */
static void arrange(size_t *order, const struct ppo *p, int64_t pass)
{
    size_t n = p->prompts.n;
    if (!p->config->file_order) {
        trainer_order(order, n, p->stage->seed, pass);
        return;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = i;
}

/* The prompts of iteration `step`: the data set in a shuffled order of its
 * own for every pass, or as it stands. */
static enum status choose_prompts(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    size_t n = p->prompts.n, batch = (size_t)c->batch;
    size_t samples = (size_t)c->samples;
    size_t *order, pass = SIZE_MAX;
    TRY(MEM_NEW(order, n, err));
    for (size_t i = 0; i < batch; i++) {
        size_t at = (size_t)p->step * batch + i;
        if (at / n != pass) {
            pass = at / n;
            arrange(order, p, (int64_t)pass);
        }
        for (size_t k = 0; k < samples; k++) {
            p->rollout.prompt[i * samples + k] = order[at % n];
            p->rollout.sample[i * samples + k] = pass * samples + k;
        }
    }
    mem_free(order);
    return OK;
}

struct ratio_bounds ppo_ratio_gates(const struct ppo *p)
{
    double gate = p->config->ratio_gate;
    return gate > 0 ? (struct ratio_bounds){gate, gate}
                    : ratio_bounds_of(p->policy.rounded != NULL);
}

/* What a disagreement of sampler and training comes from, as far as settings
 * tell. */
static const char *explain_ratio(const struct ppo *p, double error)
{
    const struct ppo_config *c = p->config;
    if (c->log_temperature > 0 && c->log_temperature != c->temperature)
        return "; ppo.log_temperature is not ppo.temperature, a fault that "
               "only ppo.ratio_gate=inf lets through";
    if (!c->mask_logits)
        return "; ppo.mask_logits is false, a fault that only "
               "ppo.ratio_gate=inf lets through";
    if (error <= ratio_bounds_of(p->policy.rounded != NULL).sampler)
        return "; rounding explains as much, and ppo.ratio_gate=0 lets it "
               "through";
    return "";
}

static enum status check_ratio(const struct ppo *p, struct err *err)
{
    double error = rollout_ratio_error(&p->rollout);
    double gate = ppo_ratio_gates(p).sampler;
    if (error <= gate)
        return OK;
    return err_set(err, ERR_NUMERIC,
                   "training and sampling disagree on a token's probability "
                   "by a ratio of 1 +- %.2g (gate %.2g)%s",
                   error, gate, explain_ratio(p, error));
}

enum status ppo_collect(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    struct rollout *r = &p->rollout;
    const struct scorer_rule rule = ppo_rule(c);
    const struct sampling how = {.temperature = c->temperature,
                                 .top_p = 1,
                                 .max_new = ppo_max_new(c, p->step)};
    TRY(choose_prompts(p, err));
    size_t passes = 1 + (size_t)(c->iterations * c->batch) / p->prompts.n;
    TRY(rollout_sample(r, &p->policy, p->corpus.seq,
                       passes * (size_t)c->samples, &how, p->stage->seed,
                       RNG_SAMPLE, p->step, p->context, err));
    if (p->has_no_score)
        memset(r->score, 0, r->n * sizeof *r->score);
    else
        TRY(ppo_score_rollout(p, err));
    TRY(rollout_compare(
        r, &p->policy, &p->reference, p->has_no_score ? NULL : &p->previous,
        c->value_trunk ? &p->value : NULL, &rule, p->context, err));
    TRY(check_ratio(p, err));
    if (!c->value_trunk)
        TRY(rollout_values(r, &p->value, p->context, err));
    rollout_advantages(r, &c->advantage, &c->kl, p->beta);
    return OK;
}

/* Mean over responses of the summed k1, nats. */
static double mean_k1(const struct ppo *p)
{
    const struct rollout *r = &p->rollout;
    double kl = 0;
    for (size_t t = 0; t < r->offset[r->n]; t++)
        kl += kl_k1((double)r->logp[t], (double)r->logp_ref[t]);
    return kl / (double)r->n;
}

static enum status one_iteration(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    struct ppo_update_report update;
    double gold = (double)NAN;
    p->started = context_time(p->context);
    if (c->kl.beta_end >= 0)
        p->beta =
            schedule_line(c->kl.beta, c->kl.beta_end, p->step, c->iterations);
    TRY(ppo_collect(p, err));
    TRY(ppo_report_trace(p, &gold, err));
    memcpy(model_trainable(&p->previous), model_trainable(&p->policy),
           p->policy_optimizer.n * sizeof(float));
    model_round_again(&p->previous);
    TRY(ppo_update_run(&update, p, err));
    TRY(ppo_report_metrics(p, &update, gold, err));
    double exact = ppo_sequence_mean(&p->rollout, p->rollout.kl);
    p->beta =
        kl_next_beta(p->beta, c->kl.control == KL_BUDGET ? exact : mean_k1(p),
                     p->last_kl, (double)p->rollout.n, &c->kl);
    p->last_kl = exact;
    p->is_over_budget = c->kl.budget > 0 && exact > c->kl.budget;
    p->step++;
    return OK;
}

static bool is_done(const struct ppo *p)
{
    return p->step >= p->config->iterations || p->is_over_budget;
}

static enum status finish(struct ppo *p, struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text, true);
    trainer_result_open(&w, "ppo", p->step);
    json_field_text(&w, "ended",
                    p->is_over_budget ? "kl_budget" : "iterations");
    json_field_number(&w, "beta", p->beta);
    ppo_score_put(&w, p);
    corpus_put_counts(&w, &p->corpus, &p->prompts);
    json_close(&w, '}');
    TRY_DONE(buf_status(&text, err));
    /* Nobody needs the reference any more, so its parameters may change. */
    if (p->policy.borrows)
        model_take(&p->policy, &p->reference);
    TRY_DONE(trainer_merge(&p->policy, &p->run, p->tokenizer, err));
    TRY_DONE(run_finish(&p->run, buf_text(&text), err));
done:
    buf_free(&text);
    return status;
}

static enum status loop(struct ppo *p, struct err *err)
{
    const struct ppo_config *c = p->config;
    while (!is_done(p)) {
        bool stop;
        TRY(context_agree_stop(&stop, p->context, err));
        if (stop) {
            if (p->run.checkpoint != p->step)
                TRY(save(p, err));
            return err_set(err, ERR_STOPPED,
                           "stopped at iteration %lld of %lld; --resume goes "
                           "on",
                           (long long)p->step, (long long)c->iterations);
        }
        enum status status = one_iteration(p, err);
        if (status != OK)
            return trainer_explain(&p->run, p->step + 1, status, err);
        if (is_done(p) || (c->save_every > 0 && p->step % c->save_every == 0))
            TRY(save(p, err));
    }
    TRY(trainer_tidy(&p->run, c->save_every, err));
    return p->run.is_complete ? OK : finish(p, err);
}

enum status ppo_run(const struct ppo_config *c, const struct stage *stage,
                    const struct ppo_annotator *annotator, struct err *err)
{
    enum status status = OK;
    struct ppo p = {.config = c,
                    .stage = stage,
                    .annotator = annotator,
                    .context = stage->context,
                    .beta = c->kl.beta,
                    .run = {.lock = -1}};
    context_stage(stage->context, "ppo",
                  "policy optimisation against the reward model");
    TRY_DONE(ppo_check(c, err));
    TRY_DONE(ppo_load(&p, err));
    TRY_DONE(ppo_prepare(&p, err));
    TRY_DONE(trainer_open_run(&p.run, stage, err));
    if (p.run.checkpoint >= 0)
        TRY_DONE(resume(&p, err));
    else
        TRY_DONE(ppo_score_calibrate(&p, err));
    status = loop(&p, err);
done:
    ppo_close(&p);
    return status;
}

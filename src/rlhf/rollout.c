#include "rlhf/rollout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum status rollout_create(struct rollout *out, size_t n, size_t max_new,
                           struct err *err)
{
    enum status status = OK;
    struct rollout r = {.n = n, .max_new = max_new};
    size_t tokens, slots;
    TRY(mem_multiply(&tokens, n, max_new, err));
    TRY(mem_multiply(&slots, n, max_new + 1, err));
    TRY_DONE(MEM_NEW(r.prompt, n, err));
    TRY_DONE(MEM_NEW(r.sample, n, err));
    TRY_DONE(MEM_NEW(r.seq, n, err));
    TRY_DONE(MEM_NEW(r.job, n, err));
    TRY_DONE(MEM_NEW(r.is_eos, n, err));
    TRY_DONE(MEM_NEW(r.offset, n + 1, err));
    TRY_DONE(MEM_NEW(r.slot, n + 1, err));
    TRY_DONE(MEM_NEW(r.trained, n, err));
    TRY_DONE(MEM_NEW(r.score_raw, n, err));
    TRY_DONE(MEM_NEW(r.score, n, err));
    TRY_DONE(MEM_NEW(r.score_sd, n, err));
    TRY_DONE(MEM_NEW(r.after_value, n, err));
    TRY_DONE(MEM_NEW(r.token, tokens, err));
    float **per_token[] = {&r.logp_sample, &r.logp,    &r.logp_ref,
                           &r.kl,          &r.entropy, &r.p_eos,
                           &r.p_eos_ref,   &r.kl_step, &r.state_value,
                           &r.reward_kl};
    for (size_t i = 0; i < sizeof per_token / sizeof *per_token; i++)
        TRY_DONE(MEM_NEW(*per_token[i], tokens, err));
    float **per_slot[] = {&r.value, &r.reward, &r.advantage, &r.advantage_white,
                          &r.ret};
    for (size_t i = 0; i < sizeof per_slot / sizeof *per_slot; i++)
        TRY_DONE(MEM_NEW(*per_slot[i], slots, err));
    TRY_DONE(MEM_NEW(r.is_real, slots, err));
    *out = r;
done:
    if (status != OK)
        rollout_free(&r);
    return status;
}

void rollout_free(struct rollout *r)
{
    void *owned[] = {r->prompt,      r->sample,      r->seq,
                     r->job,         r->is_eos,      r->offset,
                     r->slot,        r->trained,     r->score_raw,
                     r->score,       r->score_sd,    r->after_value,
                     r->token,       r->logp_sample, r->logp,
                     r->logp_ref,    r->kl,          r->entropy,
                     r->p_eos,       r->p_eos_ref,   r->kl_step,
                     r->state_value, r->reward_kl,   r->value,
                     r->reward,      r->advantage,   r->advantage_white,
                     r->ret,         r->is_real};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        mem_free(owned[i]);
    memset(r, 0, sizeof *r);
}

/* Move the sampler's log-probs from one row per response to one after the
 * other; rows only move towards the front. */
static void pack_logp(struct rollout *r)
{
    for (size_t i = 0; i < r->n; i++)
        memmove(r->logp_sample + r->offset[i], r->logp_sample + i * r->max_new,
                r->seq[i].len_response * sizeof *r->logp_sample);
}

enum status rollout_sample(struct rollout *r, const struct model *policy,
                           const struct sequence *prompts, size_t samples,
                           const struct sampling *how, uint64_t seed,
                           enum rng_purpose purpose, int64_t step,
                           const struct context *context, struct err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct sequence *prompt = &prompts[r->prompt[i]];
        r->job[i] = (struct generate_job){
            .prompt = prompt->prompt,
            .len_prompt = prompt->len_prompt,
            .token = r->token + i * r->max_new,
            .logp = r->logp_sample + i * r->max_new,
        };
        rng_init(&r->job[i].rng, seed, purpose, (uint32_t)step,
                 (uint32_t)(r->prompt[i] * samples + r->sample[i]));
    }
    TRY(generate_run(r->job, r->n, policy, how, context, err));
    for (size_t i = 0; i < r->n; i++) {
        r->is_eos[i] = r->job[i].is_eos;
        r->seq[i] = (struct sequence){
            .prompt = r->job[i].prompt,
            .len_prompt = r->job[i].len_prompt,
            .response = r->job[i].token,
            .len_response = r->job[i].len,
        };
    }
    batch_offsets(r->offset, r->seq, r->n);
    pack_logp(r);
    return OK;
}

struct reward_replies rollout_replies(const struct rollout *r,
                                      const struct record *records)
{
    return (struct reward_replies){.records = records,
                                   .prompt = r->prompt,
                                   .seq = r->seq,
                                   .is_eos = r->is_eos,
                                   .n = r->n};
}

enum status rollout_score(struct rollout *r, const struct reward_reader *reward,
                          const struct record *records,
                          const struct context *context, struct err *err)
{
    const struct reward_replies replies = rollout_replies(r, records);
    return reward_reader_score(r->score_raw, reward, &replies, context, err);
}

/* Copy response `from` of a rollout to place i of another. */
static void take_response(struct rollout *to, size_t i,
                          const struct rollout *all, size_t from)
{
    size_t len = all->seq[from].len_response;
    int32_t *token = to->token + i * to->max_new;
    memcpy(token, all->seq[from].response, len * sizeof *token);
    memcpy(to->logp_sample + to->offset[i],
           all->logp_sample + all->offset[from], len * sizeof *to->logp_sample);
    to->prompt[i] = all->prompt[from];
    to->is_eos[i] = all->is_eos[from];
    to->score_raw[i] = all->score_raw[from];
    to->seq[i] = all->seq[from];
    to->seq[i].response = token;
    to->offset[i + 1] = to->offset[i] + len;
}

enum status rollout_best(struct rollout *out, const struct rollout *all,
                         size_t best_of, struct err *err)
{
    struct rollout r;
    assert(best_of > 0 && all->n % best_of == 0);
    TRY(rollout_create(&r, all->n / best_of, all->max_new, err));
    for (size_t i = 0; i < r.n; i++) {
        size_t best = i * best_of;
        for (size_t k = best + 1; k < (i + 1) * best_of; k++)
            if (all->score_raw[k] > all->score_raw[best])
                best = k;
        take_response(&r, i, all, best);
        r.sample[i] = all->sample[best] / best_of;
    }
    *out = r;
    return OK;
}

void rollout_shape(struct rollout *r, const struct shaping *s,
                   const double *centre)
{
    r->score_clipped = 0;
    for (size_t i = 0; i < r->n; i++) {
        double score = shaping_score(s, r->score_raw[i], centre[i],
                                     r->seq[i].len_response, r->is_eos[i]);
        bool is_outside = s->clip > 0 && fabs(score) > s->clip;
        r->score_clipped += is_outside;
        r->score[i] = is_outside ? copysign(s->clip, score) : score;
    }
}

enum status rollout_compare(struct rollout *r, const struct model *policy,
                            const struct model *reference,
                            const struct model *previous,
                            const struct model *value,
                            const struct scorer_rule *rule,
                            const struct context *context, struct err *err)
{
    struct scorer_views v = {
        .policy = policy,
        .reference = reference,
        .out = {.logp = r->logp,
                .logp_ref = r->logp_ref,
                .entropy = r->entropy,
                .p_eos = r->p_eos,
                .p_eos_ref = r->p_eos_ref,
                .kl = r->kl},
        .previous = previous,
        .kl_previous = r->kl_step,
        .value = value,
        .values = r->state_value,
        .after = r->after_value,
    };
    return scorer_compare(&v, r->seq, r->n, r->offset, rule, context, err);
}

enum status rollout_values(struct rollout *r, const struct model *value,
                           const struct context *context, struct err *err)
{
    return scorer_values(r->state_value, r->after_value, value, r->seq, r->n,
                         r->offset, context, err);
}

double rollout_ratio_error(const struct rollout *r)
{
    double worst = 0;
    for (size_t t = 0; t < r->offset[r->n]; t++) {
        double error =
            fabs(expm1((double)r->logp[t] - (double)r->logp_sample[t]));
        if (!(error <= worst))
            worst = isnan(error) ? (double)INFINITY : error;
    }
    return worst;
}

/* Values of the token states, spread over slots, with the state after the
 * last token where the score stands there. */
static void fill_values(struct rollout *r, const struct advantage_config *c)
{
    enum score_position position = (enum score_position)c->score_position;
    r->slot[0] = 0;
    for (size_t i = 0; i < r->n; i++) {
        size_t len = r->seq[i].len_response;
        size_t slots = advantage_slots(position, len, r->max_new);
        for (size_t t = 0; t < slots; t++) {
            size_t at = r->slot[i] + t;
            r->is_real[at] = t < r->trained[i];
            r->value[at] = t < len ? r->state_value[r->offset[i] + t] : 0;
            if (t == len && position == SCORE_AFTER_EOS)
                r->value[at] = r->after_value[i];
        }
        r->slot[i + 1] = r->slot[i] + slots;
    }
}

/* What every token is paid.  A masked EOS is the last token of its response
 * and is left with nothing. */
static void pay(struct rollout *r, const struct advantage_config *c,
                const struct kl_config *kl, double beta)
{
    enum score_position position = (enum score_position)c->score_position;
    r->kl_clamped = 0;
    for (size_t i = 0; i < r->n; i++) {
        size_t at = r->offset[i], slots = r->slot[i + 1] - r->slot[i];
        if (r->trained[i] < r->seq[i].len_response) {
            slots--;
            r->reward_kl[at + slots] = 0;
            r->reward[r->slot[i] + slots] = 0;
        }
        r->kl_clamped += kl_reward(r->reward_kl + at, r->logp + at,
                                   r->logp_ref + at, r->trained[i], kl, beta);
        advantage_rewards(r->reward + r->slot[i], r->reward_kl + at,
                          r->trained[i], slots, r->score[i], position,
                          r->max_new);
    }
}

void rollout_advantages(struct rollout *r, const struct advantage_config *c,
                        const struct kl_config *kl, double beta)
{
    for (size_t i = 0; i < r->n; i++)
        r->trained[i] = r->seq[i].len_response - (c->mask_eos && r->is_eos[i]);
    fill_values(r, c);
    pay(r, c, kl, beta);
    size_t n_slot = r->slot[r->n];
    const uint8_t *mask = c->mask_eos ? r->is_real : NULL;
    r->reward_whitening = (struct whitening){.scale = 1};
    if (c->whiten_reward != WHITEN_OFF)
        r->reward_whitening = advantage_whiten(
            r->reward, r->reward, mask, n_slot, (enum whiten)c->whiten_reward,
            true, c->whiten_eps);
    for (size_t i = 0; i < r->n; i++) {
        size_t at = r->slot[i];
        advantage_gae(r->advantage + at, r->ret + at, r->reward + at,
                      r->value + at, mask != NULL ? mask + at : NULL,
                      r->slot[i + 1] - at, c->gamma, c->lambda);
    }
    r->whitening =
        advantage_whiten(r->advantage_white, r->advantage, r->is_real, n_slot,
                         (enum whiten)c->whiten, false, c->whiten_eps);
}

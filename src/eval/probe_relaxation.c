/*
 * Does the KL penalty pull?  rlhf/relaxation.h, from the run's last policy and
 * with the run's own penalty.
 *
 *     "class"         "acts", "weak", "inert", "repulsive"; "no penalty" where
 *                     beta is 0; "not measurable", and then "why"
 *     "run", "twin"   {"kl": mean nats per response at each point, "ratio":
 *                     last / first, "low", "high" (over prompts), "tokens"}
 *     "share"         estimate: log ratio of the run / of the twin
 *     "thresholds"    shares between the classes
 *     "twin_is_run"   the run's penalty is the twin's: trained once
 *     "kl_mode"       of the run; the twin's is k1_reward
 *     "at"            iterations done at each point
 *     "steps" "batch" "prompts"  iterations of each arm, their responses, and
 *                     held-out prompts that KL is measured on
 *     "beta" "beta_scale"  of the run, and what it was multiplied by in both
 *     "lr" "clip"     of the descent: its step, the bound on gradient norms
 *     "diverged"      the run's arm ended in numbers that are not finite
 *     "tilted" "tilts"     driven away from the reference first, in so many
 *                     iterations
 */
#include <string.h>

#include "eval/probe_table.h"
#include "model/adapter.h"
#include "rlhf/relaxation.h"
#include "stat/measures.h"

enum {
    ITERATIONS = 12, // of each arm
    POINTS = 5,      // measurements
    PROMPTS = 64     // at most
};

/* Prompts come in another order, and tokens from other streams, than in a run
 * of the same seed. */
static const uint64_t own_seed = 0x72656c6178;

static const char *const mode_name[] = {
    [KL_K1_REWARD] = "k1_reward", [KL_K2_LOSS] = "k2_loss",
    [KL_K3_LOSS] = "k3_loss",     [KL_K1_LOSS] = "k1_loss",
    [KL_K3_REWARD] = "k3_reward", [KL_K1_CLAMP] = "k1_clamp",
};

enum status probe_relaxation_inputs(struct buf *out, const struct probe *p,
                                    struct err *err)
{
    char hash[65];
    const struct ppo_config *c = p->config->ppo;
    if (c->reward_model == NULL && c->reward_command.command == NULL)
        return err_set(err, ERR_MISSING,
                       "the run's scores are those of a program that is not "
                       "the evaluation's");
    TRY(file_hash(hash, c->prompts, err));
    buf_printf(out, "prompts %s n %d iterations %d shards %zu precision %d\n",
               hash, PROMPTS, ITERATIONS, p->config->ppo_run.shards,
               p->config->ppo_run.precision);
    return OK;
}

static void put_arm(struct json_writer *w, const char *name,
                    const struct relaxation_arm *arm, size_t points)
{
    json_put_key(w, name);
    json_open(w, '{');
    json_put_key(w, "kl");
    json_open(w, '[');
    for (size_t i = 0; i < points; i++)
        json_put_number(w, arm->kl[i]);
    json_close(w, ']');
    json_field_number(w, "ratio", arm->ratio.estimate);
    json_field_number(w, "low", arm->ratio.low);
    json_field_number(w, "high", arm->ratio.high);
    json_field_int(w, "tokens", (int64_t)arm->tokens);
    json_close(w, '}');
}

static void put(struct json_writer *w, const struct relaxation *r,
                const struct relaxation_config *c)
{
    bool is_measured = r->twin.ratio.n > 0;
    json_field_text(w, "class", relaxation_name(r->class));
    if (r->why[0] != '\0')
        json_field_text(w, "why", r->why);
    put_arm(w, "run", &r->run, is_measured ? r->points : 0);
    put_arm(w, "twin", &r->twin, is_measured ? r->points : 0);
    json_put_key(w, "share");
    measures_write_estimate(w, &r->share);
    json_put_key(w, "thresholds");
    json_open(w, '{');
    json_field_number(w, "acts", RELAXATION_SHARE_ACTS);
    json_field_number(w, "weak", RELAXATION_SHARE_WEAK);
    json_field_number(w, "inert", RELAXATION_SHARE_INERT);
    json_close(w, '}');
    json_field_bool(w, "twin_is_run", r->twin_is_run);
    json_field_text(w, "kl_mode", mode_name[c->ppo->kl.mode]);
    json_put_key(w, "at");
    json_open(w, '[');
    for (size_t i = 0; i < r->points; i++)
        json_put_int(w, r->at[i]);
    json_close(w, ']');
    json_field_int(w, "steps", c->iterations);
    json_field_int(w, "batch", c->ppo->batch * c->ppo->samples);
    json_field_int(w, "prompts", (int64_t)c->n);
    json_field_number(w, "beta", c->ppo->kl.beta);
    json_field_number(w, "beta_scale", r->beta_scale);
    json_field_number(w, "lr", r->lr);
    json_field_number(w, "clip", r->clip);
    json_field_bool(w, "diverged", r->is_diverged);
    json_field_bool(w, "tilted", r->is_tilted);
    json_field_int(w, "tilts", r->tilts);
}

enum status probe_relaxation(struct json_writer *w, const struct probe *p,
                             struct err *err)
{
    const struct probe_config *c = p->config;
    struct ppo_config ppo = *c->ppo;
    struct relaxation r;
    size_t n = (size_t)c->heldout.n_prompts;
    struct context context = *p->context;
    ppo.model = p->setup.policy_path;
    ppo.reference = p->setup.reference_path;
    if (ppo.adapter.rank > 0 && adapter_is(ppo.model))
        return err_set(err, ERR_MISSING,
                       "%s is an adapter; training on needs the run's merged "
                       "model, which it writes when it is complete",
                       ppo.model);
    const struct stage stage = {.seed = c->seed ^ own_seed,
                                .shards = c->ppo_run.shards,
                                .precision = c->ppo_run.precision,
                                .data = c->ppo_run.data,
                                .context = &context};
    const struct relaxation_config how = {
        .ppo = &ppo,
        .prompts = p->setup.prompt,
        .n = n < PROMPTS ? n : PROMPTS,
        .iterations = ITERATIONS,
        .points = POINTS,
        .seed = c->seed,
    };
    TRY(relaxation_run(&r, &how, &stage, err));
    put(w, &r, &how);
    return OK;
}

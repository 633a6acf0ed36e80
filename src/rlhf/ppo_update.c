#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/heads.h"
#include "rlhf/ppo_internal.h"

/* One minibatch: which responses, where their tokens and slots lie in arrays
 * of its own, and what each weighs. */
struct minibatch {
    struct ppo *p;
    const size_t *index; // responses of the rollout
    size_t n;
    bool is_first;               // of the iteration: nothing has moved yet
    size_t *start, *slot_start;  // [n+1]
    float *weight;               // per token
    float *slot_weight;          // per slot
    struct ppo_stats *stats;     // [2 * shards]
    size_t first_shard, n_shard; // of this rank
};

/* Slots whose value is trained: the tokens', and the one behind them when the
 * score stands there. */
static size_t value_slots(const struct ppo *p, size_t i)
{
    const struct rollout *r = &p->rollout;
    if (p->config->advantage.score_position == SCORE_AFTER_EOS)
        return r->slot[i + 1] - r->slot[i];
    return r->trained[i];
}

static enum status pack_shard(struct batch *out, const struct minibatch *b,
                              size_t first, size_t last, struct arena *arena,
                              struct err *err)
{
    struct sequence *seq;
    TRY(ARENA_NEW(arena, seq, last - first, err));
    for (size_t i = first; i < last; i++)
        seq[i - first] = b->p->rollout.seq[b->index[i]];
    return batch_pack(out, seq, last - first, arena, err);
}

/* A shard's tokens with everything the policy loss reads. */
struct policy_rows {
    size_t n;
    size_t *row;
    int32_t *target;
    float *logp_old, *logp_ref, *adv;
    const float *weight;
};

static enum status gather_policy(struct policy_rows *out,
                                 const struct minibatch *b, size_t first,
                                 size_t last, const struct batch *rows,
                                 struct arena *arena, struct err *err)
{
    const struct rollout *r = &b->p->rollout;
    struct policy_rows x = {.n = b->start[last] - b->start[first],
                            .weight = b->weight + b->start[first]};
    TRY(ARENA_NEW(arena, x.row, x.n, err));
    TRY(ARENA_NEW(arena, x.target, x.n, err));
    TRY(ARENA_NEW(arena, x.logp_old, x.n, err));
    TRY(ARENA_NEW(arena, x.logp_ref, x.n, err));
    TRY(ARENA_NEW(arena, x.adv, x.n, err));
    size_t at = 0;
    for (size_t s = first; s < last; s++) {
        size_t i = b->index[s];
        for (size_t t = 0; t < r->trained[i]; t++, at++) {
            x.row[at] = batch_state_row(rows, s - first, t);
            x.target[at] = r->seq[i].response[t];
            x.logp_old[at] = r->logp[r->offset[i] + t];
            x.logp_ref[at] = r->logp_ref[r->offset[i] + t];
            x.adv[at] = r->advantage_white[r->slot[i] + t];
        }
    }
    *out = x;
    return OK;
}

/* The KL penalty of modes in the loss; those in the reward have been paid and
 * counted with the rollout. */
static void add_penalty(float *dlogp, struct ppo_stats *stats,
                        const float *logp, const float *logp_ref,
                        const float *weight, size_t n, const struct ppo *p)
{
    const struct kl_config *c = &p->config->kl;
    if (kl_in_reward((enum kl_mode)c->mode))
        return;
    stats->kl_loss += kl_loss(dlogp, logp, logp_ref, weight, n, c, p->beta);
    stats->kl_clamped += (double)kl_count_clamped(logp, logp_ref, n, c);
}

/* A shard's slots with everything the value loss reads. */
struct value_rows {
    size_t n;
    size_t *row;
    float *old, *ret;
    const float *weight;
};

static enum status gather_value(struct value_rows *out,
                                const struct minibatch *b, size_t first,
                                size_t last, const struct batch *rows,
                                struct arena *arena, struct err *err)
{
    const struct rollout *r = &b->p->rollout;
    struct value_rows x = {.n = b->slot_start[last] - b->slot_start[first],
                           .weight = b->slot_weight + b->slot_start[first]};
    TRY(ARENA_NEW(arena, x.row, x.n, err));
    TRY(ARENA_NEW(arena, x.old, x.n, err));
    TRY(ARENA_NEW(arena, x.ret, x.n, err));
    size_t at = 0;
    for (size_t s = first; s < last; s++) {
        size_t i = b->index[s];
        for (size_t t = 0; t < value_slots(b->p, i); t++, at++) {
            x.row[at] = batch_state_row(rows, s - first, t);
            x.old[at] = r->value[r->slot[i] + t];
            x.ret[at] = r->ret[r->slot[i] + t];
        }
    }
    *out = x;
    return OK;
}

/* A shard of a minibatch on its way: its responses first..last-1, their pack
 * and what the trunk made of it. */
struct shard {
    size_t index, first, last;
    struct batch rows;
    struct activations a;
};

static enum status run_trunk(struct shard *s, const struct minibatch *b,
                             const struct model *m, struct arena *arena,
                             struct err *err)
{
    TRY(pack_shard(&s->rows, b, s->first, s->last, arena, err));
    TRY(activations_place(&s->a, m, s->rows.pack.N, true, arena, err));
    return transformer_forward(&s->a, m, &s->rows.pack, arena, err);
}

/* The value head's loss: ADDS to dhidden and to the head's gradient. */
static enum status value_loss(float *dhidden, const struct shard *s,
                              const struct minibatch *b,
                              struct ppo_stats *stats, struct arena *arena,
                              struct err *err)
{
    struct ppo *p = b->p;
    struct value_rows x;
    float *value, *dvalue, *grad;
    TRY(gather_value(&x, b, s->first, s->last, &s->rows, arena, err));
    TRY(ARENA_NEW(arena, value, x.n, err));
    TRY(ARENA_NEW(arena, dvalue, x.n, err));
    head_score_forward(value, &p->value, s->a.hidden, x.row, x.n);
    ppo_value_loss(dvalue, stats, value, x.old, x.ret, x.weight, x.n,
                   &p->config->loss);
    TRY(optimizer_grad(&grad, &p->value_optimizer, s->index, err));
    head_score_backward(dhidden, grad, &p->value, s->a.hidden, x.row, dvalue,
                        x.n);
    return OK;
}

/* The policy's losses of a shard, chunk by chunk of its tokens. */
struct policy_loss {
    const struct ppo *p;
    struct ppo_stats *stats;
    const struct policy_rows *rows;
    const float *logp, *entropy; // entropy may be NULL
    float *dlogp, *dentropy;
};

static void add_losses(void *ctx, size_t first, size_t n)
{
    const struct policy_loss *l = ctx;
    const struct ppo_loss_config *c = &l->p->config->loss;
    const struct policy_rows *x = l->rows;
    memset(l->dlogp + first, 0, n * sizeof *l->dlogp);
    ppo_policy_loss(l->dlogp + first, l->stats, l->logp + first,
                    x->logp_old + first, x->adv + first, x->weight + first, n,
                    c);
    add_penalty(l->dlogp + first, l->stats, l->logp + first,
                x->logp_ref + first, x->weight + first, n, l->p);
    for (size_t t = first; l->entropy != NULL && t < first + n; t++) {
        double bonus = c->entropy_coef * (double)x->weight[t];
        l->stats->entropy_loss -= bonus * (double)l->entropy[t];
        l->dentropy[t] = (float)-bonus;
    }
}

/* The language-model head's part: ADDS to dhidden. */
static enum status policy_loss(float *dhidden, const struct shard *s,
                               const struct minibatch *b,
                               struct ppo_stats *stats, struct arena *arena,
                               struct err *err)
{
    struct ppo *p = b->p;
    struct model *m = &p->policy;
    const struct scorer_rule rule = ppo_rule(p->config);
    struct lmhead head = scorer_lmhead(m, &rule);
    struct policy_rows x;
    size_t C = m->config.C;
    float *hidden, *drows, *logp, *entropy = NULL, *dlogp, *dentropy = NULL;
    float *scratch, *grad;
    TRY(gather_policy(&x, b, s->first, s->last, &s->rows, arena, err));
    TRY(ARENA_NEW(arena, hidden, x.n * C, err));
    TRY(ARENA_NEW(arena, drows, x.n * C, err));
    TRY(ARENA_NEW(arena, logp, x.n, err));
    TRY(ARENA_NEW(arena, dlogp, x.n, err));
    if (p->config->loss.entropy_coef != 0) {
        TRY(ARENA_NEW(arena, entropy, x.n, err));
        TRY(ARENA_NEW(arena, dentropy, x.n, err));
    }
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    memset(drows, 0, x.n * C * sizeof *drows);
    batch_gather(hidden, s->a.hidden, x.row, x.n, C);
    struct policy_loss loss = {.p = p,
                               .stats = stats,
                               .rows = &x,
                               .logp = logp,
                               .entropy = entropy,
                               .dlogp = dlogp,
                               .dentropy = dentropy};
    struct lmhead_training training = {.logp = logp,
                                       .entropy = entropy,
                                       .dlogp = dlogp,
                                       .dentropy = dentropy,
                                       .loss = add_losses,
                                       .ctx = &loss};
    TRY(optimizer_grad(&grad, &p->policy_optimizer, s->index, err));
    TRY(lmhead_train(drows, model_lmhead_grad(m, grad), &head, hidden, x.target,
                     x.n, &training, scratch, err));
    batch_scatter_add(dhidden, drows, x.row, x.n, C);
    return OK;
}

/* Gradients of the policy's losses over one shard, and of the value head's
 * where it sits on the policy's trunk. */
static enum status policy_shard(struct shard *s, const struct minibatch *b,
                                struct ppo_stats *stats, struct arena *arena,
                                struct err *err)
{
    struct ppo *p = b->p;
    struct model *m = &p->policy;
    size_t C = m->config.C;
    float *dhidden;
    TRY(run_trunk(s, b, m, arena, err));
    TRY(ARENA_NEW(arena, dhidden, s->rows.pack.N * C, err));
    memset(dhidden, 0, s->rows.pack.N * C * sizeof *dhidden);
    TRY(policy_loss(dhidden, s, b, stats, arena, err));
    if (p->config->value_trunk && !p->config->value_freeze) {
        TRY(value_loss(dhidden, s, b, stats, arena, err));
        optimizer_final(&p->value_optimizer, s->index, 0);
    }
    return optimizer_backward(&p->policy_optimizer, s->index, &s->a, m,
                              &s->rows.pack, dhidden, arena, err);
}

/* Gradients of the value loss over one shard, from a trunk of its own. */
static enum status value_shard(struct shard *s, const struct minibatch *b,
                               struct ppo_stats *stats, struct arena *arena,
                               struct err *err)
{
    struct model *m = &b->p->value;
    size_t C = m->config.C;
    float *dhidden;
    TRY(run_trunk(s, b, m, arena, err));
    TRY(ARENA_NEW(arena, dhidden, s->rows.pack.N * C, err));
    memset(dhidden, 0, s->rows.pack.N * C * sizeof *dhidden);
    TRY(value_loss(dhidden, s, b, stats, arena, err));
    return optimizer_backward(&b->p->value_optimizer, s->index, &s->a, m,
                              &s->rows.pack, dhidden, arena, err);
}

/* A shard without responses. */
static enum status skip_shard(struct ppo *p, size_t shard, bool is_value,
                              struct err *err)
{
    if (is_value)
        return optimizer_skip(&p->value_optimizer, shard, err);
    if (p->config->value_trunk && !p->config->value_freeze)
        TRY(optimizer_skip(&p->value_optimizer, shard, err));
    return optimizer_skip(&p->policy_optimizer, shard, err);
}

/* Even items are a shard's policy part, odd ones its value part. */
static enum status run_item(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    const struct minibatch *b = ctx;
    struct ppo *p = b->p;
    struct arena *arena = workspace_arena(&p->workspace, worker);
    struct shard s = {.index = item / 2};
    struct ppo_stats *stats = &b->stats[item];
    bool is_value = item % 2 == 1;
    bool has_trunk = !p->config->value_freeze && !p->config->value_trunk;
    *stats = (struct ppo_stats){.tokens = 0};
    batch_shard(&s.first, &s.last, b->n, p->stage->shards, s.index);
    if (is_value && !has_trunk)
        return OK;
    if (s.first == s.last)
        return skip_shard(p, s.index, is_value, err);
    return is_value ? value_shard(&s, b, stats, arena, err)
                    : policy_shard(&s, b, stats, arena, err);
}

static enum status weigh(struct minibatch *b, struct arena *arena,
                         struct err *err)
{
    struct ppo *p = b->p;
    const struct rollout *r = &p->rollout;
    enum loss_aggregation mode =
        (enum loss_aggregation)p->config->loss.aggregation;
    TRY(ARENA_NEW(arena, b->start, b->n + 1, err));
    TRY(ARENA_NEW(arena, b->slot_start, b->n + 1, err));
    b->start[0] = b->slot_start[0] = 0;
    for (size_t i = 0; i < b->n; i++) {
        b->start[i + 1] = b->start[i] + r->trained[b->index[i]];
        b->slot_start[i + 1] = b->slot_start[i] + value_slots(p, b->index[i]);
    }
    TRY(ARENA_NEW(arena, b->weight, b->start[b->n], err));
    TRY(ARENA_NEW(arena, b->slot_weight, b->slot_start[b->n], err));
    TRY(ARENA_NEW(arena, b->stats, 2 * p->stage->shards, err));
    ppo_weights(b->weight, b->start, b->n, mode, r->max_new);
    ppo_weights(b->slot_weight, b->slot_start, b->n, mode, r->max_new);
    return OK;
}

/* This rank's shards: first the policy's part of all, then the value's, while
 * the policy's gradients are on their way. */
static enum status run_own(void *ctx, size_t item, size_t worker,
                           struct err *err)
{
    const struct minibatch *b = ctx;
    size_t n = b->n_shard, shard = b->first_shard + item % n;
    return run_item(ctx, 2 * shard + item / n, worker, err);
}

/* Every shard of the minibatch on its rank, and all their statistics on all
 * ranks. */
static enum status run_shards(struct minibatch *b, struct err *err)
{
    const struct context *context = b->p->context;
    size_t last, shards = b->p->stage->shards;
    comm_own(&b->first_shard, &last, context->comm, shards);
    b->n_shard = last - b->first_shard;
    TRY(optimizer_begin(&b->p->policy_optimizer, err));
    if (!b->p->config->value_freeze)
        TRY(optimizer_begin(&b->p->value_optimizer, err));
    enum status status =
        team_run(context->team, 2 * (last - b->first_shard), run_own, b, err);
    TRY(comm_agree(context->comm, status, err));
    return comm_share(context->comm, b->stats, NULL, shards, 1,
                      2 * sizeof *b->stats, err);
}

/* Gradients of one minibatch, then both models' updates. */
static enum status run_minibatch(struct ppo_stats *sum,
                                 struct optimizer_report *policy,
                                 struct optimizer_report *value,
                                 struct minibatch *b, struct err *err)
{
    struct ppo *p = b->p;
    *policy = *value = (struct optimizer_report){.lr = 0};
    TRY(run_shards(b, err));
    *sum = (struct ppo_stats){.tokens = 0};
    for (size_t i = 0; i < 2 * p->stage->shards; i++)
        ppo_stats_add(sum, &b->stats[i]);
    double gate = ppo_ratio_gates(p).update;
    if (b->is_first && !(sum->ratio_max_error <= gate))
        return err_set(err, ERR_NUMERIC,
                       "the update and the rollout disagree on a token's "
                       "probability by a ratio of 1 +- %.2g (gate %.2g)",
                       sum->ratio_max_error, gate);
    if (!isfinite(sum->policy_loss))
        return optimizer_blame(&p->policy_optimizer, &p->policy,
                               "the policy loss", err);
    if (!isfinite(sum->value_loss))
        return optimizer_blame(&p->value_optimizer, &p->value, "the value loss",
                               err);
    enum status status = optimizer_step(policy, &p->policy_optimizer,
                                        &p->policy, p->context, err);
    if (status != OK) {
        err_context(err, "policy");
        return status;
    }
    if (p->config->value_freeze)
        return OK;
    status =
        optimizer_step(value, &p->value_optimizer, &p->value, p->context, err);
    if (status != OK)
        err_context(err, "value model");
    return status;
}

static void add_minibatch(struct ppo_update_report *u,
                          const struct ppo_stats *s,
                          const struct optimizer_report *policy,
                          const struct optimizer_report *value)
{
    double ratio = s->tokens > 0 ? s->ratio / s->tokens : 1;
    if (u->cells == 0)
        u->first_ratio_error = s->ratio_max_error;
    u->cells++;
    double delta = ratio - u->ratio_mean;
    u->ratio_mean += delta / u->cells;
    u->ratio_var += delta * (ratio - u->ratio_mean);
    u->policy_loss += s->policy_loss;
    u->value_loss += s->value_loss;
    u->entropy_loss += s->entropy_loss;
    u->kl_loss += s->kl_loss;
    u->policy_norm += policy->grad_norm;
    u->value_norm += value->grad_norm;
    u->lr = policy->lr;
    ppo_stats_add(&u->stats, s);
}

static void finish_report(struct ppo_update_report *u)
{
    u->ratio_var /= u->cells > 1 ? u->cells - 1 : 1;
    u->policy_loss /= u->cells;
    u->value_loss /= u->cells;
    u->entropy_loss /= u->cells;
    u->kl_loss /= u->cells;
    u->policy_norm /= u->cells;
    u->value_norm /= u->cells;
}

enum status ppo_update_run(struct ppo_update_report *report, struct ppo *p,
                           struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config;
    struct ppo_update_report u = {.cells = 0};
    struct arena arena = {.block = NULL};
    size_t n = p->rollout.n, parts = (size_t)c->minibatches;
    size_t *order = NULL;
    TRY_DONE(MEM_NEW(order, n, err));
    for (int64_t epoch = 0; epoch < c->epochs; epoch++) {
        struct rng rng;
        rng_init(&rng, p->stage->seed, RNG_MINIBATCH, (uint32_t)p->step,
                 (uint32_t)epoch);
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        rng_shuffle(&rng, order, n);
        for (size_t k = 0; k < parts; k++) {
            size_t first, last;
            struct ppo_stats sum;
            struct optimizer_report policy, value;
            arena_reset(&arena);
            batch_shard(&first, &last, n, parts, k);
            batch_gather_twins(order + first, last - first, p->rollout.seq);
            struct minibatch b = {.p = p,
                                  .index = order + first,
                                  .n = last - first,
                                  .is_first = epoch == 0 && k == 0};
            TRY_DONE(weigh(&b, &arena, err));
            TRY_DONE(run_minibatch(&sum, &policy, &value, &b, err));
            add_minibatch(&u, &sum, &policy, &value);
        }
    }
    finish_report(&u);
    *report = u;
done:
    arena_free(&arena);
    mem_free(order);
    return status;
}

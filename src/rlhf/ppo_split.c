#include "rlhf/ppo_split.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "rlhf/optimizer.h"

/* Responses of one pack. */
#define CHUNK 8

/* Gradient buffers, each filled by one worker from every LANES-th chunk, so
 * that sums do not depend on how many workers there are. */
#define LANES 4

const char *ppo_split_name(enum split_part part)
{
    static const char *const name[SPLIT_PARTS] = {
        [SPLIT_REWARD] = "reward", [SPLIT_KL] = "kl",
        [SPLIT_VALUE] = "value",   [SPLIT_ENTROPY] = "entropy",
        [SPLIT_WHOLE] = "whole",
    };
    return name[part];
}

/* ---- advantages ---- */

/* advantage_gae() in double and without returns: the parts must add up to the
 * last digit that a float has. */
static void add_gae(double *adv, const float *reward, const float *value,
                    double reward_scale, double paid, size_t slots,
                    const struct advantage_config *c)
{
    double adv_next = 0, value_next = 0;
    for (size_t t = slots; t-- > 0;) {
        double v = value != NULL ? (double)value[t] : 0;
        double r = paid;
        if (reward != NULL)
            r += reward_scale * (double)reward[t];
        adv_next =
            r + c->gamma * value_next - v + c->gamma * c->lambda * adv_next;
        value_next = v;
        adv[t] = adv_next;
    }
}

enum status ppo_split_advantages(double *const part[SPLIT_ENTROPY],
                                 const struct rollout *r,
                                 const struct advantage_config *c,
                                 struct err *err)
{
    enum score_position position = (enum score_position)c->score_position;
    const struct whitening *w = &r->whitening, *wr = &r->reward_whitening;
    float *reward, *nothing;
    TRY(MEM_NEW(reward, r->max_new + 1, err));
    enum status status = MEM_NEW(nothing, r->max_new + 1, err);
    for (size_t i = 0; status == OK && i < r->n; i++) {
        size_t at = r->slot[i], len = r->trained[i];
        size_t slots = r->slot[i + 1] - at - (r->seq[i].len_response - len);
        advantage_rewards(reward, nothing, len, slots, r->score[i], position,
                          r->max_new);
        add_gae(part[SPLIT_REWARD] + at, reward, NULL, wr->scale, 0, slots, c);
        advantage_rewards(reward, r->reward_kl + r->offset[i], len, slots, 0,
                          position, r->max_new);
        add_gae(part[SPLIT_KL] + at, reward, NULL, wr->scale, 0, slots, c);
        add_gae(part[SPLIT_VALUE] + at, NULL, r->value + at, 0,
                -wr->shift * wr->scale, slots, c);
        for (size_t s = at; s < at + slots; s++) {
            part[SPLIT_VALUE][s] -= w->shift;
            for (size_t k = 0; k < SPLIT_ENTROPY; k++)
                part[k][s] = r->is_real[s] ? part[k][s] * w->scale : 0;
        }
    }
    mem_free(nothing);
    mem_free(reward);
    return status;
}

/* ---- gradients ---- */

/* What is worked on, the same for every pass. */
struct job {
    const struct split_input *in;
    const struct model *model; // whose gradients or log-probs these are
    double *adv[SPLIT_ENTROPY];
    float *weight; // per token
    size_t n_param;
    float *lane; // [LANES, n_param]
    struct workspace workspace;
    double logp_error[LANES];
    /* one pass: a part's gradient, or that of a token's mean log-prob */
    enum split_part part;
    int32_t token; // of the latter, else -1
    double *mean;  // [LANES, 2 V] sums of p and of log p
};

/* Tokens of a chunk: responses first..last-1. */
struct chunk {
    size_t first, last;
    size_t n;  // tokens
    size_t at; // the first one's place in the rollout
    struct batch rows;
    size_t *row;
    int32_t *target;
    struct activations a;
    float *hidden, *scratch;
};

static enum status run_trunk(struct chunk *out, const struct job *j,
                             size_t index, bool keep, struct arena *arena,
                             struct err *err)
{
    const struct rollout *r = j->in->rollout;
    struct chunk x = {.first = index * CHUNK};
    const struct model_config *c = &j->model->config;
    size_t at = 0;
    x.last = r->n - x.first < CHUNK ? r->n : x.first + CHUNK;
    x.at = r->offset[x.first];
    x.n = r->offset[x.last] - x.at;
    TRY(ARENA_NEW(arena, x.row, x.n, err));
    TRY(ARENA_NEW(arena, x.target, x.n, err));
    TRY(ARENA_NEW(arena, x.hidden, x.n * c->C, err));
    TRY(ARENA_NEW(arena, x.scratch, lmhead_scratch(c->V, c->C), err));
    TRY(batch_pack(&x.rows, r->seq + x.first, x.last - x.first, arena, err));
    for (size_t i = x.first; i < x.last; i++)
        for (size_t t = 0; t < r->seq[i].len_response; t++, at++) {
            x.row[at] = batch_state_row(&x.rows, i - x.first, t);
            x.target[at] = r->seq[i].response[t];
        }
    TRY(activations_place(&x.a, j->model, x.rows.pack.N, keep, arena, err));
    TRY(transformer_forward(&x.a, j->model, &x.rows.pack, arena, err));
    batch_gather(x.hidden, x.a.hidden, x.row, x.n, c->C);
    *out = x;
    return OK;
}

/* What a part pays for a token's log-prob: through the advantage, with the
 * gate of the whole. */
static void part_seeds(float *dlogp, const struct job *j, const struct chunk *x,
                       const float *logp)
{
    const struct rollout *r = j->in->rollout;
    const struct ppo_config *c = j->in->config;
    size_t at = 0;
    for (size_t i = x->first; i < x->last; i++)
        for (size_t t = 0; t < r->seq[i].len_response; t++, at++) {
            size_t slot = r->slot[i] + t, token = r->offset[i] + t;
            double gate = ppo_policy_gate((double)r->advantage_white[slot],
                                          (double)logp[at],
                                          (double)r->logp[token], &c->loss);
            dlogp[at] = (float)(-(double)j->weight[token] * gate *
                                j->adv[j->part][slot]);
        }
}

/* What training computes, as rlhf/ppo_update.c does. */
static enum status whole_seeds(float *dlogp, const struct job *j,
                               const struct chunk *x, const float *logp,
                               struct arena *arena, struct err *err)
{
    const struct rollout *r = j->in->rollout;
    struct ppo_stats stats = {.tokens = 0};
    float *adv;
    size_t at = 0;
    TRY(ARENA_NEW(arena, adv, x->n, err));
    for (size_t i = x->first; i < x->last; i++)
        for (size_t t = 0; t < r->seq[i].len_response; t++, at++)
            adv[at] = r->advantage_white[r->slot[i] + t];
    ppo_policy_loss(dlogp, &stats, logp, r->logp + x->at, adv,
                    j->weight + x->at, x->n, &j->in->config->loss);
    return OK;
}

/* Fill the seeds of the backward pass, dlogp and dentropy [x->n]. */
static enum status seed_part(float *dlogp, float *dentropy, const struct job *j,
                             const struct chunk *x, const float *logp,
                             struct arena *arena, struct err *err)
{
    const struct ppo_config *c = j->in->config;
    bool is_whole = j->part == SPLIT_WHOLE;
    if (is_whole)
        TRY(whole_seeds(dlogp, j, x, logp, arena, err));
    else if (j->part < SPLIT_ENTROPY)
        part_seeds(dlogp, j, x, logp);
    if (is_whole || j->part == SPLIT_KL)
        (void)kl_loss(dlogp, logp, j->in->rollout->logp_ref + x->at,
                      j->weight + x->at, x->n, &c->kl, j->in->beta);
    for (size_t t = 0; t < x->n; t++) {
        double bonus = c->loss.entropy_coef * (double)j->weight[x->at + t];
        bool is_paid = is_whole || j->part == SPLIT_ENTROPY;
        dentropy[t] = is_paid ? (float)-bonus : 0;
    }
    return OK;
}

static enum status seed(float *dlogp, float *dentropy, struct job *j,
                        struct chunk *x, size_t lane, const struct lmhead *head,
                        struct arena *arena, struct err *err)
{
    const struct rollout *r = j->in->rollout;
    float *logp;
    memset(dlogp, 0, x->n * sizeof *dlogp);
    memset(dentropy, 0, x->n * sizeof *dentropy);
    if (j->token >= 0) {
        for (size_t t = 0; t < x->n; t++) {
            x->target[t] = j->token;
            dlogp[t] = (float)(1.0 / (double)r->offset[r->n]);
        }
        return OK;
    }
    TRY(ARENA_NEW(arena, logp, x->n, err));
    TRY(lmhead_forward(logp, NULL, NULL, head, x->hidden, x->target, x->n,
                       j->model->config.eos, x->scratch, err));
    for (size_t t = 0; t < x->n; t++) {
        double error = fabs((double)logp[t] - (double)r->logp[x->at + t]);
        if (!(error <= j->logp_error[lane]))
            j->logp_error[lane] = isnan(error) ? (double)INFINITY : error;
    }
    return seed_part(dlogp, dentropy, j, x, logp, arena, err);
}

/* Add a chunk's share of the pass's gradient to a lane. */
static enum status chunk_gradient(struct job *j, size_t index, size_t lane,
                                  struct arena *arena, struct err *err)
{
    const struct model *m = j->model;
    const struct scorer_rule rule = ppo_rule(j->in->config);
    struct lmhead head = scorer_lmhead(m, &rule);
    struct chunk x;
    size_t C = m->config.C;
    float *dlogp, *dentropy, *drows, *dhidden;
    TRY(run_trunk(&x, j, index, true, arena, err));
    if (x.n == 0)
        return OK;
    TRY(ARENA_NEW(arena, dlogp, x.n, err));
    TRY(ARENA_NEW(arena, dentropy, x.n, err));
    TRY(ARENA_NEW(arena, drows, x.n * C, err));
    TRY(ARENA_NEW(arena, dhidden, x.rows.pack.N * C, err));
    memset(drows, 0, x.n * C * sizeof *drows);
    memset(dhidden, 0, x.rows.pack.N * C * sizeof *dhidden);
    TRY(seed(dlogp, dentropy, j, &x, lane, &head, arena, err));
    float *grad = j->lane + lane * j->n_param;
    TRY(lmhead_backward(drows, model_lmhead_grad(m, grad), &head, x.hidden,
                        x.target, dlogp, dentropy, x.n, x.scratch, err));
    batch_scatter_add(dhidden, drows, x.row, x.n, C);
    return transformer_backward(grad, &x.a, m, &x.rows.pack, dhidden, arena,
                                err);
}

static size_t count_chunks(const struct job *j)
{
    return (j->in->rollout->n + CHUNK - 1) / CHUNK;
}

static enum status gradient_lane(void *ctx, size_t lane, size_t worker,
                                 struct err *err)
{
    struct job *j = ctx;
    memset(j->lane + lane * j->n_param, 0, j->n_param * sizeof *j->lane);
    for (size_t i = lane; i < count_chunks(j); i += LANES)
        TRY(chunk_gradient(j, i, lane, workspace_arena(&j->workspace, worker),
                           err));
    return OK;
}

/* The gradient of the pass that j describes, SET in grad. */
static enum status run_pass(float *grad, struct job *j,
                            const struct context *context, struct err *err)
{
    TRY(team_run(context->team, LANES, gradient_lane, j, err));
    for (size_t i = 0; i < j->n_param; i++) {
        double sum = 0;
        for (size_t lane = 0; lane < LANES; lane++)
            sum += (double)j->lane[lane * j->n_param + i];
        grad[i] = (float)sum;
    }
    return OK;
}

static void job_close(struct job *j)
{
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        mem_free(j->adv[k]);
    mem_free(j->weight);
    mem_free(j->lane);
    mem_free(j->mean);
    workspace_free(&j->workspace);
}

/* Each token's weight in the loss, 0 for those that losses do not see. */
static enum status weigh(float *weight, const struct rollout *r,
                         const struct ppo_loss_config *c, struct err *err)
{
    enum status status = OK;
    size_t *start = NULL;
    float *seen = NULL;
    TRY(MEM_NEW(start, r->n + 1, err));
    for (size_t i = 0; i < r->n; i++)
        start[i + 1] = start[i] + r->trained[i];
    TRY_DONE(MEM_NEW(seen, start[r->n], err));
    ppo_weights(seen, start, r->n, (enum loss_aggregation)c->aggregation,
                r->max_new);
    for (size_t i = 0; i < r->n; i++)
        memcpy(weight + r->offset[i], seen + start[i],
               r->trained[i] * sizeof *weight);
done:
    mem_free(seen);
    mem_free(start);
    return status;
}

static enum status job_open(struct job *out, const struct split_input *in,
                            const struct context *context, struct err *err)
{
    enum status status = OK;
    const struct rollout *r = in->rollout;
    const struct ppo_config *c = in->config;
    struct job j = {.in = in,
                    .model = in->policy,
                    .n_param = model_trainable_count(in->policy),
                    .token = -1};
    size_t n_lane, V = in->policy->config.V;
    TRY(mem_multiply(&n_lane, j.n_param, LANES, err));
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        TRY_DONE(MEM_NEW(j.adv[k], r->slot[r->n], err));
    TRY_DONE(ppo_split_advantages(j.adv, r, &c->advantage, err));
    TRY_DONE(MEM_NEW(j.weight, r->offset[r->n], err));
    TRY_DONE(weigh(j.weight, r, &c->loss, err));
    TRY_DONE(MEM_NEW(j.lane, n_lane, err));
    TRY_DONE(MEM_NEW(j.mean, LANES * 2 * V, err));
    TRY_DONE(workspace_create(&j.workspace, team_size(context->team), err));
    *out = j;
done:
    if (status != OK)
        job_close(&j);
    return status;
}

static bool is_zero(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(x[i] == 0))
            return false;
    return true;
}

/* Is it known without a backward pass that a part is nothing? */
static bool is_absent(const struct job *j, enum split_part part)
{
    const struct ppo_config *c = j->in->config;
    if (part == SPLIT_WHOLE)
        return false;
    if (part == SPLIT_ENTROPY)
        return c->loss.entropy_coef == 0;
    if (part == SPLIT_KL && !kl_in_reward((enum kl_mode)c->kl.mode) &&
        j->in->beta != 0)
        return false;
    return is_zero(j->adv[part], j->in->rollout->slot[j->in->rollout->n]);
}

static enum status run_parts(float *const grad[SPLIT_PARTS], struct job *j,
                             const struct context *context, struct err *err)
{
    j->token = -1;
    for (size_t k = 0; k < SPLIT_PARTS; k++) {
        j->part = (enum split_part)k;
        memset(grad[k], 0, j->n_param * sizeof *grad[k]);
        if (!is_absent(j, j->part))
            TRY(run_pass(grad[k], j, context, err));
    }
    return OK;
}

static double worst_error(const struct job *j)
{
    double worst = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        worst = j->logp_error[lane] > worst ? j->logp_error[lane] : worst;
    return worst;
}

enum status ppo_split_gradients(float *const grad[SPLIT_PARTS],
                                double *logp_error,
                                const struct split_input *in,
                                const struct context *context, struct err *err)
{
    struct job j;
    TRY(job_open(&j, in, context, err));
    enum status status = run_parts(grad, &j, context, err);
    if (status == OK)
        *logp_error = worst_error(&j);
    job_close(&j);
    return status;
}

/* ---- what a step would do ---- */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void compare_parts(struct ppo_split *out, float *const grad[SPLIT_PARTS],
                          size_t n)
{
    double square = 0;
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        out->norm[k] = sqrt(dot(grad[k], grad[k], n));
    for (size_t a = 0; a < SPLIT_PARTS; a++)
        for (size_t b = 0; b < SPLIT_PARTS; b++) {
            double product = out->norm[a] * out->norm[b];
            out->cosine[a][b] =
                product > 0 ? dot(grad[a], grad[b], n) / product : (double)NAN;
        }
    for (size_t i = 0; i < n; i++) {
        double rest = -(double)grad[SPLIT_WHOLE][i];
        for (size_t k = 0; k < SPLIT_WHOLE; k++)
            rest += (double)grad[k][i];
        square += rest * rest;
    }
    double whole = out->norm[SPLIT_WHOLE];
    out->residual = square > 0 ? sqrt(square) / whole : 0;
}

/* Add a chunk's probabilities and log-probs of every token to a lane's sums. */
static enum status chunk_means(struct job *j, size_t index, size_t lane,
                               struct arena *arena, struct err *err)
{
    const struct scorer_rule rule = ppo_rule(j->in->config);
    struct lmhead head = scorer_lmhead(j->model, &rule);
    size_t V = head.V, C = head.C;
    double *p_sum = j->mean + lane * 2 * V, *logp_sum = p_sum + V;
    struct chunk x;
    float *z, *p;
    TRY(run_trunk(&x, j, index, false, arena, err));
    TRY(ARENA_NEW(arena, z, V, err));
    TRY(ARENA_NEW(arena, p, V, err));
    for (size_t t = 0; t < x.n; t++) {
        TRY(lmhead_logits(z, &head, x.hidden + t * C, 1, x.scratch, err));
        memcpy(p, z, V * sizeof *p);
        double log_sum = lmhead_softmax(p, &head);
        for (size_t v = 0; v < V; v++) {
            p_sum[v] += (double)p[v];
            logp_sum[v] += (double)z[v] / (double)head.temperature - log_sum;
        }
    }
    return OK;
}

static enum status means_lane(void *ctx, size_t lane, size_t worker,
                              struct err *err)
{
    struct job *j = ctx;
    size_t V = j->model->config.V;
    memset(j->mean + lane * 2 * V, 0, 2 * V * sizeof *j->mean);
    for (size_t i = lane; i < count_chunks(j); i += LANES)
        TRY(chunk_means(j, i, lane, workspace_arena(&j->workspace, worker),
                        err));
    return OK;
}

/* Means over the states of p and log p, into mean [2 V]. */
static enum status token_means(double *mean, struct job *j,
                               const struct model *m,
                               const struct context *context, struct err *err)
{
    const struct rollout *r = j->in->rollout;
    size_t V = m->config.V;
    j->model = m;
    enum status status = team_run(context->team, LANES, means_lane, j, err);
    j->model = j->in->policy;
    for (size_t v = 0; v < 2 * V; v++) {
        mean[v] = 0;
        for (size_t lane = 0; lane < LANES; lane++)
            mean[v] += j->mean[lane * 2 * V + v];
        mean[v] /= (double)r->offset[r->n];
    }
    return status;
}

/* The whole's step, as short as the choice of tokens needs it: a
 * five-thousandth of the parameters' norm, far above the rounding of a
 * log-prob's mean and short enough to be straight. */
static enum status step_along(struct model *out, const struct model *policy,
                              const float *grad, struct err *err)
{
    size_t n = model_trainable_count(policy);
    const float *w = model_trainable(policy);
    double square = dot(grad, grad, n);
    double h = square > 0 ? 2e-4 * sqrt((dot(w, w, n) + 1e-6) / square) : 0;
    TRY(model_clone(out, policy, err));
    float *moved = model_trainable(out);
    for (size_t i = 0; i < n; i++)
        moved[i] = (float)((double)moved[i] - h * (double)grad[i]);
    model_round_again(out);
    return OK;
}

/* Take the token of the largest key[] out of it; false when there is none. */
static bool take_largest(size_t *out, double *key, size_t n)
{
    size_t best = 0;
    for (size_t v = 1; v < n; v++)
        if (key[v] > key[best])
            best = v;
    if (n == 0 || !(key[best] > 0))
        return false;
    key[best] = 0;
    *out = best;
    return true;
}

/* Choose the tokens: `now` and `then` are means before and after the step. */
static enum status choose_tokens(struct ppo_split *out, const double *now,
                                 const double *then, const struct model *m,
                                 struct err *err)
{
    size_t V = m->config.V, v;
    double *likely, *change;
    TRY(MEM_NEW(likely, V, err));
    enum status status = MEM_NEW(change, V, err);
    if (status == OK) {
        memcpy(likely, now, V * sizeof *likely);
        for (size_t k = 0; k < SPLIT_CANDIDATES; k++)
            if (take_largest(&v, likely, V))
                change[v] = fabs(then[V + v] - now[V + v]);
        for (size_t k = 0; k < SPLIT_TOKENS; k++)
            if (take_largest(&v, change, V))
                out->token[out->n_token++] = (struct split_token){
                    .token = (int32_t)v, .probability = now[v]};
        mem_free(change);
    }
    mem_free(likely);
    return status;
}

/* The first-order change of a token's mean log-prob by each part. */
static enum status predict(struct split_token *t, struct job *j, float *scratch,
                           float *const grad[SPLIT_PARTS],
                           const struct context *context, struct err *err)
{
    j->token = t->token;
    TRY(run_pass(scratch, j, context, err));
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        t->change[k] = -j->in->lr * dot(scratch, grad[k], j->n_param);
    return OK;
}

static enum status predict_all(struct ppo_split *out, struct job *j,
                               float *const grad[SPLIT_PARTS], float *scratch,
                               double *mean, const struct context *context,
                               struct err *err)
{
    const struct model *m = j->in->policy;
    size_t V = m->config.V;
    struct model moved;
    TRY(token_means(mean, j, m, context, err));
    TRY(step_along(&moved, m, grad[SPLIT_WHOLE], err));
    enum status status = token_means(mean + 2 * V, j, &moved, context, err);
    model_free(&moved);
    TRY(status);
    TRY(choose_tokens(out, mean, mean + 2 * V, m, err));
    out->eos = (struct split_token){.token = m->config.eos,
                                    .probability = mean[m->config.eos]};
    TRY(predict(&out->eos, j, scratch, grad, context, err));
    for (size_t i = 0; i < out->n_token; i++)
        TRY(predict(&out->token[i], j, scratch, grad, context, err));
    return OK;
}

enum status ppo_split_run(struct ppo_split *out, const struct split_input *in,
                          const struct context *context, struct err *err)
{
    enum status status = OK;
    const struct rollout *r = in->rollout;
    struct ppo_split s = {.states = r->offset[r->n]};
    float *grad[SPLIT_PARTS] = {NULL}, *scratch = NULL;
    double *mean = NULL;
    struct job j;
    TRY(job_open(&j, in, context, err));
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        TRY_DONE(MEM_NEW(grad[k], j.n_param, err));
    TRY_DONE(MEM_NEW(scratch, j.n_param, err));
    TRY_DONE(MEM_NEW(mean, 4 * in->policy->config.V, err));
    TRY_DONE(run_parts(grad, &j, context, err));
    s.logp_error = worst_error(&j);
    compare_parts(&s, grad, j.n_param);
    TRY_DONE(predict_all(&s, &j, grad, scratch, mean, context, err));
    *out = s;
done:
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        mem_free(grad[k]);
    mem_free(scratch);
    mem_free(mean);
    job_close(&j);
    return status;
}

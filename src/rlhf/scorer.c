#include "rlhf/scorer.h"

#include <math.h>

#include "model/heads.h"
#include "rlhf/optimizer.h"

/* Sequences of one work item: a fixed number, so that the arithmetic does not
 * depend on the team. */
#define GROUP 16

static size_t groups(size_t n)
{
    return (n + GROUP - 1) / GROUP;
}

/* What one item works on. */
struct job {
    const struct model *model; // of a score or a value
    const struct scorer_views *views;
    const struct sequence *seq;
    size_t n;
    const size_t *offset;
    struct scorer_rule rule;
    struct workspace workspace;
    /* results */
    double *score;
    float *state; // that a score was read from, or NULL
    float *value, *after;
};

/* How many sequences the group that starts at `first` has. */
static size_t group_size(const struct job *j, size_t first)
{
    return j->n - first < GROUP ? j->n - first : GROUP;
}

/* Run a trunk over a group's pack. */
static enum status run_trunk(struct activations *a, const struct batch *b,
                             const struct model *m, struct arena *arena,
                             struct err *err)
{
    TRY(activations_place(a, m, b->pack.N, false, arena, err));
    return transformer_forward(a, m, &b->pack, arena, err);
}

static enum status score_group(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    struct job *j = ctx;
    struct arena *arena = workspace_arena(&j->workspace, worker);
    size_t first = item * GROUP;
    size_t n = group_size(j, first);
    struct batch b;
    struct activations a;
    TRY(batch_pack(&b, j->seq + first, n, arena, err));
    TRY(run_trunk(&a, &b, j->model, arena, err));
    size_t row[GROUP];
    float out[GROUP];
    for (size_t s = 0; s < n; s++)
        row[s] = batch_last_row(&b, s);
    head_score_forward(out, j->model, a.hidden, row, n);
    if (j->state != NULL)
        batch_gather(j->state + first * j->model->config.C, a.hidden, row, n,
                     j->model->config.C);
    for (size_t s = 0; s < n; s++)
        j->score[first + s] = score_length_add(
            &j->model->config.length, (double)out[s], b.seq[s].len_response);
    return OK;
}

static enum status run_job(struct job *j, team_fn fn,
                           const struct context *context, struct err *err)
{
    TRY(workspace_create(&j->workspace, team_size(context->team), err));
    enum status status = context_deal(context, groups(j->n), fn, j, err);
    workspace_free(&j->workspace);
    return status;
}

/* What every rank found of its groups: values of tokens, and of states after
 * the last one; either may be NULL. */
static enum status share_tokens(const struct job *j, float *token, float *after,
                                const struct context *context, struct err *err)
{
    TRY(comm_share(context->comm, token, j->offset, j->n, GROUP, sizeof *token,
                   err));
    return comm_share(context->comm, after, NULL, j->n, GROUP, sizeof *after,
                      err);
}

enum status scorer_score(double *score, const struct model *reward_model,
                         const struct sequence *seq, size_t n,
                         const struct context *context, struct err *err)
{
    return scorer_states(score, NULL, reward_model, seq, n, context, err);
}

/* The check overlooks that `state` is written through its copy. */
// NOLINTNEXTLINE(readability-non-const-parameter)
enum status scorer_states(double *score, float *state,
                          const struct model *reward_model,
                          const struct sequence *seq, size_t n,
                          const struct context *context, struct err *err)
{
    struct job j = {.model = reward_model,
                    .seq = seq,
                    .n = n,
                    .score = score,
                    .state = state};
    TRY(run_job(&j, score_group, context, err));
    TRY(comm_share(context->comm, score, NULL, n, GROUP, sizeof *score, err));
    TRY(comm_share(context->comm, state, NULL, n, GROUP,
                   reward_model->config.C * sizeof *state, err));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(score[i]))
            return err_set(err, ERR_NUMERIC,
                           "the reward model's score of response %zu is %g", i,
                           score[i]);
    return OK;
}

/* A score head on the states of a group, which starts at sequence `first` of
 * all; `after` may be NULL. */
static enum status read_values(float *values, float *after,
                               const struct model *head, const float *hidden,
                               const struct batch *b, const size_t *offset,
                               struct arena *arena, struct err *err)
{
    for (size_t s = 0; s < b->n; s++) {
        size_t len = b->seq[s].len_response;
        size_t *row;
        float *value;
        TRY(ARENA_NEW(arena, row, len + 1, err));
        TRY(ARENA_NEW(arena, value, len + 1, err));
        for (size_t t = 0; t <= len; t++)
            row[t] = batch_state_row(b, s, t);
        head_score_forward(value, head, hidden, row, len + 1);
        for (size_t t = 0; t < len; t++)
            values[offset[s] + t] = value[t];
        if (after != NULL)
            after[s] = value[len];
    }
    return OK;
}

static float *shifted(float *array, size_t by)
{
    return array != NULL ? array + by : NULL;
}

static enum status value_group(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    struct job *j = ctx;
    struct arena *arena = workspace_arena(&j->workspace, worker);
    size_t first = item * GROUP;
    struct batch b;
    struct activations a;
    TRY(batch_pack(&b, j->seq + first, group_size(j, first), arena, err));
    TRY(run_trunk(&a, &b, j->model, arena, err));
    return read_values(j->value, shifted(j->after, first), j->model, a.hidden,
                       &b, j->offset + first, arena, err);
}

enum status scorer_values(float *value, float *after, const struct model *m,
                          const struct sequence *seq, size_t n,
                          const size_t *offset, const struct context *context,
                          struct err *err)
{
    struct job j = {.model = m, .seq = seq, .n = n, .offset = offset};
    j.value = value;
    j.after = after;
    TRY(run_job(&j, value_group, context, err));
    return share_tokens(&j, value, after, context, err);
}

/* A group's response tokens, one after the other as the offsets have them. */
struct tokens {
    size_t *row;     // of the state before each
    int32_t *target; // itself
    size_t n;
    size_t base; // its first token's place in the results
    float *scratch;
};

static enum status list_tokens(struct tokens *out, const struct batch *b,
                               const size_t *offset,
                               const struct model_config *c,
                               struct arena *arena, struct err *err)
{
    struct tokens t = {.n = offset[b->n] - offset[0], .base = offset[0]};
    size_t at = 0;
    TRY(ARENA_NEW(arena, t.row, t.n, err));
    TRY(ARENA_NEW(arena, t.target, t.n, err));
    TRY(ARENA_NEW(arena, t.scratch, 2 * lmhead_scratch(c->V, c->C), err));
    for (size_t s = 0; s < b->n; s++)
        for (size_t i = 0; i < b->seq[s].len_response; i++, at++) {
            t.row[at] = batch_state_row(b, s, i);
            t.target[at] = b->seq[s].response[i];
        }
    *out = t;
    return OK;
}

/* The states of a group's tokens under a model. */
static enum status gather_states(float **hidden, const struct tokens *t,
                                 const struct batch *b, const struct model *m,
                                 struct arena *arena, struct err *err)
{
    struct activations a;
    TRY(run_trunk(&a, b, m, arena, err));
    TRY(ARENA_NEW(arena, *hidden, t->n * m->config.C, err));
    batch_gather(*hidden, a.hidden, t->row, t->n, m->config.C);
    return OK;
}

struct lmhead scorer_lmhead(const struct model *m,
                            const struct scorer_rule *rule)
{
    struct lmhead head = model_lmhead(m, (float)rule->temperature);
    if (rule->keeps_banned)
        head.banned = NULL;
    return head;
}

/* The policy's states against those of another model. */
static enum status compare_with(const struct lmhead_pair *all,
                                const struct model *other, const float *hidden,
                                const struct tokens *t, const struct batch *b,
                                const struct job *j, struct arena *arena,
                                struct err *err)
{
    const struct model *policy = j->views->policy;
    struct lmhead head = scorer_lmhead(policy, &j->rule);
    struct lmhead head_other = scorer_lmhead(other, &j->rule);
    float *hidden_other;
    TRY(gather_states(&hidden_other, t, b, other, arena, err));
    struct lmhead_pair out = {
        .logp = shifted(all->logp, t->base),
        .logp_ref = shifted(all->logp_ref, t->base),
        .entropy = shifted(all->entropy, t->base),
        .p_eos = shifted(all->p_eos, t->base),
        .p_eos_ref = shifted(all->p_eos_ref, t->base),
        .kl = shifted(all->kl, t->base),
    };
    return lmhead_compare(&out, &head, hidden, &head_other, hidden_other,
                          t->target, t->n, policy->config.eos, t->scratch, err);
}

static enum status compare_group(void *ctx, size_t item, size_t worker,
                                 struct err *err)
{
    struct job *j = ctx;
    const struct scorer_views *v = j->views;
    struct arena *arena = workspace_arena(&j->workspace, worker);
    size_t first = item * GROUP;
    struct batch b;
    struct activations a;
    struct tokens t;
    float *hidden;
    TRY(batch_pack(&b, j->seq + first, group_size(j, first), arena, err));
    TRY(list_tokens(&t, &b, j->offset + first, &v->policy->config, arena, err));
    TRY(run_trunk(&a, &b, v->policy, arena, err));
    if (v->value != NULL)
        TRY(read_values(v->values, shifted(v->after, first), v->value, a.hidden,
                        &b, j->offset + first, arena, err));
    if (t.n == 0)
        return OK;
    TRY(ARENA_NEW(arena, hidden, t.n * v->policy->config.C, err));
    batch_gather(hidden, a.hidden, t.row, t.n, v->policy->config.C);
    TRY(compare_with(&v->out, v->reference, hidden, &t, &b, j, arena, err));
    if (v->previous == NULL)
        return OK;
    return compare_with(&(struct lmhead_pair){.kl = v->kl_previous},
                        v->previous, hidden, &t, &b, j, arena, err);
}

enum status scorer_compare(const struct scorer_views *v,
                           const struct sequence *seq, size_t n,
                           const size_t *offset, const struct scorer_rule *rule,
                           const struct context *context, struct err *err)
{
    struct job j = {
        .views = v, .seq = seq, .n = n, .offset = offset, .rule = *rule};
    float *const token[] = {v->out.logp,    v->out.logp_ref,  v->out.entropy,
                            v->out.p_eos,   v->out.p_eos_ref, v->out.kl,
                            v->kl_previous, v->values};
    TRY(run_job(&j, compare_group, context, err));
    for (size_t i = 0; i < sizeof token / sizeof *token; i++)
        TRY(share_tokens(&j, token[i], NULL, context, err));
    return share_tokens(&j, NULL, v->after, context, err);
}

struct score_scale scorer_scale(const double *score, size_t n)
{
    struct score_scale s = {.sd = 1};
    if (n == 0)
        return s;
    for (size_t i = 0; i < n; i++)
        s.mean += score[i] / (double)n;
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (score[i] - s.mean) * (score[i] - s.mean);
    if (n > 1 && square > 0)
        s.sd = sqrt(square / (double)(n - 1));
    return s;
}

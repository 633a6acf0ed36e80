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
    const struct model *model, *reference;
    const struct model *head; // values: the model whose score head reads
    const struct sequence *seq;
    size_t n;
    const size_t *offset;
    float temperature;
    struct workspace workspace;
    /* results */
    double *score;
    float *value, *after;
    const struct lmhead_pair *out;
};

/* How many sequences the group that starts at `first` has. */
static size_t group_size(const struct job *j, size_t first)
{
    return j->n - first < GROUP ? j->n - first : GROUP;
}

/* Run the trunk over a group. */
static enum status run_trunk(struct activations *a, struct batch *b,
                             const struct model *m, const struct sequence *seq,
                             size_t n, struct arena *arena, struct err *err)
{
    TRY(batch_pack(b, seq, n, arena, err));
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
    TRY(run_trunk(&a, &b, j->model, j->seq + first, n, arena, err));
    size_t row[GROUP];
    float out[GROUP];
    for (size_t s = 0; s < n; s++)
        row[s] = batch_last_row(&b, s);
    head_score_forward(out, j->model, a.hidden, row, n);
    for (size_t s = 0; s < n; s++)
        j->score[first + s] = (double)out[s];
    return OK;
}

static enum status run_job(struct job *j, team_fn fn,
                           const struct context *context, struct err *err)
{
    TRY(workspace_create(&j->workspace, team_size(context->team), err));
    enum status status = team_run(context->team, groups(j->n), fn, j, err);
    workspace_free(&j->workspace);
    return status;
}

enum status scorer_score(double *score, const struct model *reward_model,
                         const struct sequence *seq, size_t n,
                         const struct context *context, struct err *err)
{
    struct job j = {.model = reward_model, .seq = seq, .n = n, .score = score};
    TRY(run_job(&j, score_group, context, err));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(score[i]))
            return err_set(err, ERR_NUMERIC,
                           "the reward model's score of response %zu is %g", i,
                           score[i]);
    return OK;
}

static enum status value_group(void *ctx, size_t item, size_t worker,
                               struct err *err)
{
    struct job *j = ctx;
    struct arena *arena = workspace_arena(&j->workspace, worker);
    size_t first = item * GROUP;
    size_t n = group_size(j, first);
    const struct sequence *seq = j->seq + first;
    struct batch b;
    struct activations a;
    TRY(run_trunk(&a, &b, j->model, seq, n, arena, err));
    for (size_t s = 0; s < n; s++) {
        size_t len = seq[s].len_response;
        size_t *row;
        float *value;
        TRY(ARENA_NEW(arena, row, len + 1, err));
        TRY(ARENA_NEW(arena, value, len + 1, err));
        for (size_t t = 0; t <= len; t++)
            row[t] = batch_state_row(&b, s, t);
        head_score_forward(value, j->head, a.hidden, row, len + 1);
        for (size_t t = 0; t < len; t++)
            j->value[j->offset[first + s] + t] = value[t];
        if (j->after != NULL)
            j->after[first + s] = value[len];
    }
    return OK;
}

enum status scorer_values(float *value, float *after, const struct model *trunk,
                          const struct model *m, const struct sequence *seq,
                          size_t n, const size_t *offset,
                          const struct context *context, struct err *err)
{
    struct job j = {
        .model = trunk, .head = m, .seq = seq, .n = n, .offset = offset};
    j.value = value;
    j.after = after;
    return run_job(&j, value_group, context, err);
}

/* Hidden states and targets of a group's response tokens, one after the
 * other as the offsets have them. */
static enum status gather_states(float **hidden, const struct model *m,
                                 const struct sequence *seq, size_t n,
                                 size_t n_token, struct arena *arena,
                                 struct err *err)
{
    struct batch b;
    struct activations a;
    size_t *row;
    size_t C = m->config.C, at = 0;
    TRY(run_trunk(&a, &b, m, seq, n, arena, err));
    TRY(ARENA_NEW(arena, row, n_token, err));
    TRY(ARENA_NEW(arena, *hidden, n_token * C, err));
    for (size_t s = 0; s < n; s++)
        for (size_t t = 0; t < seq[s].len_response; t++)
            row[at++] = batch_state_row(&b, s, t);
    batch_gather(*hidden, a.hidden, row, n_token, C);
    return OK;
}

static float *shifted(float *array, size_t by)
{
    return array != NULL ? array + by : NULL;
}

static enum status compare_group(void *ctx, size_t item, size_t worker,
                                 struct err *err)
{
    struct job *j = ctx;
    struct arena *arena = workspace_arena(&j->workspace, worker);
    size_t first = item * GROUP, at = 0;
    size_t n = group_size(j, first);
    const struct sequence *seq = j->seq + first;
    size_t base = j->offset[first];
    size_t n_token = j->offset[first + n] - base;
    if (n_token == 0)
        return OK;
    float *hidden, *hidden_ref, *scratch;
    int32_t *target;
    TRY(gather_states(&hidden, j->model, seq, n, n_token, arena, err));
    TRY(gather_states(&hidden_ref, j->reference, seq, n, n_token, arena, err));
    TRY(ARENA_NEW(arena, target, n_token, err));
    for (size_t s = 0; s < n; s++)
        for (size_t t = 0; t < seq[s].len_response; t++)
            target[at++] = seq[s].response[t];
    struct lmhead head = model_lmhead(j->model, j->temperature);
    struct lmhead head_ref = model_lmhead(j->reference, j->temperature);
    TRY(ARENA_NEW(arena, scratch, 2 * lmhead_scratch(head.V), err));
    struct lmhead_pair out = {
        .logp = shifted(j->out->logp, base),
        .logp_ref = shifted(j->out->logp_ref, base),
        .entropy = shifted(j->out->entropy, base),
        .p_eos = shifted(j->out->p_eos, base),
        .p_eos_ref = shifted(j->out->p_eos_ref, base),
        .kl = shifted(j->out->kl, base),
    };
    return lmhead_compare(&out, &head, hidden, &head_ref, hidden_ref, target,
                          n_token, j->model->config.eos, scratch, err);
}

enum status scorer_compare(const struct lmhead_pair *out,
                           const struct model *policy,
                           const struct model *reference,
                           const struct sequence *seq, size_t n,
                           const size_t *offset, double temperature,
                           const struct context *context, struct err *err)
{
    struct job j = {.model = policy,
                    .reference = reference,
                    .seq = seq,
                    .n = n,
                    .offset = offset,
                    .temperature = (float)temperature,
                    .out = out};
    return run_job(&j, compare_group, context, err);
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

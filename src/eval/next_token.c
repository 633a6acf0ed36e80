#include "eval/next_token.h"

#include <math.h>
#include <string.h>

#include "rlhf/optimizer.h"

/* Sequences of one work item, and rows whose logits are held at a time: fixed,
 * so that the arithmetic does not depend on the team. */
#define GROUP 16
#define CHUNK 64

struct reading {
    struct next_token *out;
    const struct model *model[NEXT_TOKEN_MODELS]; // the second may be NULL
    const struct sequence *seq;
    size_t n;
    const size_t *offset;
    struct workspace workspace;
};

/* One model's view of a group. */
struct view {
    struct lmhead head;
    float *hidden;  // [rows * C]
    float *logits;  // [CHUNK * V]
    float *scratch; // of a product with a bf16 matrix
};

/* The states before a group's tokens. */
struct states {
    size_t *row;
    int32_t *token;
    size_t n;
    struct next_token *out; // of the first
};

static bool is_banned(const struct lmhead *head, size_t v)
{
    return head->banned != NULL && head->banned[v];
}

static enum status list_states(struct states *out, const struct batch *b,
                               const struct reading *r, size_t first,
                               struct arena *arena, struct err *err)
{
    const size_t *offset = r->offset + first;
    struct states s = {.n = offset[b->n] - offset[0],
                       .out = r->out + offset[0]};
    size_t at = 0;
    TRY(ARENA_NEW(arena, s.row, s.n, err));
    TRY(ARENA_NEW(arena, s.token, s.n, err));
    for (size_t i = 0; i < b->n; i++)
        for (size_t t = 0; t < b->seq[i].len_response; t++, at++) {
            s.row[at] = batch_state_row(b, i, t);
            s.token[at] = b->seq[i].response[t];
        }
    *out = s;
    return OK;
}

static enum status open_view(struct view *out, const struct model *m,
                             const struct batch *b, const struct states *s,
                             struct arena *arena, struct err *err)
{
    struct activations a;
    size_t C = m->config.C;
    struct view v = {.head = model_lmhead(m, 1)};
    TRY(activations_place(&a, m, b->pack.N, false, arena, err));
    TRY(transformer_forward(&a, m, &b->pack, arena, err));
    TRY(ARENA_NEW(arena, v.hidden, s->n * C, err));
    TRY(ARENA_NEW(arena, v.logits, CHUNK * v.head.V, err));
    TRY(ARENA_NEW(arena, v.scratch, weight_scratch(C), err));
    batch_gather(v.hidden, a.hidden, s->row, s->n, C);
    *out = v;
    return OK;
}

/* log sum exp of the logits that count; ERR_NUMERIC when one is not finite. */
static enum status log_sum(double *out, const float *z,
                           const struct lmhead *head, struct err *err)
{
    double max = -HUGE_VAL, sum = 0;
    for (size_t v = 0; v < head->V; v++) {
        if (is_banned(head, v))
            continue;
        if (!isfinite(z[v]))
            return err_set(err, ERR_NUMERIC, "the logit of token %zu is %g", v,
                           (double)z[v]);
        max = fmax(max, (double)z[v]);
    }
    for (size_t v = 0; v < head->V; v++)
        if (!is_banned(head, v))
            sum += exp((double)z[v] - max);
    *out = max + log(sum);
    return OK;
}

static void describe(struct next_token_model *out, const float *z, double lse,
                     const struct lmhead *head, int32_t token, int32_t eos)
{
    struct next_token_model d = {.nll = HUGE_VAL};
    for (size_t v = 0; v < head->V; v++) {
        if (is_banned(head, v))
            continue;
        double logp = (double)z[v] - lse;
        double p = exp(logp);
        d.entropy -= p * logp;
        d.top = fmax(d.top, p);
        if ((int64_t)v == eos)
            d.p_eos = p;
        if ((int64_t)v == token)
            d.nll = -logp;
    }
    *out = d;
}

/* KL from the first distribution to the second. */
static double divergence(const float *z, double lse, const float *z_other,
                         double lse_other, const struct lmhead *head)
{
    double sum = 0;
    for (size_t v = 0; v < head->V; v++) {
        if (is_banned(head, v))
            continue;
        double logp = (double)z[v] - lse;
        sum += exp(logp) * (logp - ((double)z_other[v] - lse_other));
    }
    return sum;
}

static enum status read_state(struct next_token *out, const struct view *view,
                              size_t models, size_t i, int32_t token,
                              int32_t eos, struct err *err)
{
    const float *z[NEXT_TOKEN_MODELS] = {NULL, NULL};
    double lse[NEXT_TOKEN_MODELS] = {0, 0};
    const struct next_token_model none = {(double)NAN, (double)NAN, (double)NAN,
                                          (double)NAN};
    out->of[NEXT_TOKEN_REFERENCE] = none;
    out->kl = out->forward_kl = (double)NAN;
    for (size_t k = 0; k < models; k++) {
        z[k] = view[k].logits + i * view[k].head.V;
        TRY(log_sum(&lse[k], z[k], &view[k].head, err));
        describe(&out->of[k], z[k], lse[k], &view[k].head, token, eos);
    }
    if (models == 1)
        return OK;
    out->kl = divergence(z[0], lse[0], z[1], lse[1], &view[0].head);
    out->forward_kl = divergence(z[1], lse[1], z[0], lse[0], &view[0].head);
    return OK;
}

static enum status read_states(const struct states *s, const struct view *view,
                               size_t models, int32_t eos, struct err *err)
{
    for (size_t first = 0; first < s->n; first += CHUNK) {
        size_t n = s->n - first < CHUNK ? s->n - first : CHUNK;
        for (size_t k = 0; k < models; k++)
            TRY(lmhead_logits(view[k].logits, &view[k].head,
                              view[k].hidden + first * view[k].head.C, n,
                              view[k].scratch, err));
        for (size_t i = 0; i < n; i++)
            TRY(read_state(s->out + first + i, view, models, i,
                           s->token[first + i], eos, err));
    }
    return OK;
}

static enum status read_group(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    struct reading *r = ctx;
    struct arena *arena = workspace_arena(&r->workspace, worker);
    size_t first = item * GROUP;
    size_t n = r->n - first < GROUP ? r->n - first : GROUP;
    size_t models = r->model[NEXT_TOKEN_REFERENCE] != NULL ? 2 : 1;
    struct batch b;
    struct states s;
    struct view view[NEXT_TOKEN_MODELS];
    TRY(batch_pack(&b, r->seq + first, n, arena, err));
    TRY(list_states(&s, &b, r, first, arena, err));
    for (size_t k = 0; k < models; k++)
        TRY(open_view(&view[k], r->model[k], &b, &s, arena, err));
    return read_states(&s, view, models, r->model[0]->config.eos, err);
}

enum status next_token_read(struct next_token *out, const struct model *policy,
                            const struct model *reference,
                            const struct sequence *seq, size_t n,
                            const size_t *offset, const struct context *context,
                            struct err *err)
{
    struct reading r = {.out = out,
                        .model = {policy, reference},
                        .seq = seq,
                        .n = n,
                        .offset = offset};
    TRY(workspace_create(&r.workspace, team_size(context->team), err));
    enum status status =
        team_run(context->team, (n + GROUP - 1) / GROUP, read_group, &r, err);
    workspace_free(&r.workspace);
    return status;
}

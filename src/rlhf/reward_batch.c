#include "rlhf/reward_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/heads.h"

static void tally_margins(struct reward_tally *t, const double *score,
                          const int32_t *rank, size_t K)
{
    for (size_t i = 0; i < K; i++) {
        t->score += score[i];
        t->score_min = fmin(t->score_min, score[i]);
        t->score_max = fmax(t->score_max, score[i]);
        t->responses++;
        for (size_t j = 0; j < K; j++)
            if (rank[i] < rank[j])
                t->margin += score[i] - score[j];
    }
}

/* Loss of one prompt's responses, in training with its weights; `pair` is room
 * for K * K of them. */
static double weighted_loss(double *dx, const double *x,
                            const struct reward_training *r, size_t prompt,
                            double scale, double *pair)
{
    const struct record *record = &r->data.record[prompt];
    const struct sequence *seq = r->corpus.seq + r->corpus.first[prompt];
    const struct reward_loss_config *c = &r->config->loss;
    size_t K = record->n_responses;
    if (r->pass == REWARD_MEASURE)
        return reward_loss(dx, x, record->ranking, K, scale, c);
    double weight = reward_weights_record(&r->weights, prompt);
    bool is_weighted =
        reward_weights_pairs(pair, &r->weights, seq, record->ranking, K);
    return weight * reward_loss_weighted(dx, x, record->ranking,
                                         is_weighted ? pair : NULL, K,
                                         weight * scale, c);
}

/* Add the loss of one prompt's K responses of scores x to the tally; dx: its
 * derivatives, in the arena. */
static enum status add_loss(double **dx, struct reward_tally *t,
                            const struct reward_training *r, size_t prompt,
                            const double *x, struct arena *arena,
                            struct err *err)
{
    size_t K = r->data.record[prompt].n_responses;
    double scale = 1.0 / (double)r->n_item;
    double *pair;
    TRY(ARENA_NEW(arena, *dx, K, err));
    TRY(ARENA_NEW(arena, pair, K * K, err));
    for (size_t k = 0; k < K; k++)
        (*dx)[k] = 0;
    t->loss += scale * weighted_loss(*dx, x, r, prompt, scale, pair);
    return OK;
}

/* Right pairs, margins and scores of one prompt. */
static void tally_scores(struct reward_tally *t, const double *score,
                         const struct record *record)
{
    reward_count_pairs(&t->pairs, score, record->ranking, record->n_responses);
    tally_margins(t, score, record->ranking, record->n_responses);
}

/* Loss of one prompt's K responses; their score derivatives in dscore. */
static enum status prompt_loss(struct reward_training *r,
                               struct reward_tally *t, size_t prompt,
                               const float *score, float *dscore,
                               struct arena *arena, struct err *err)
{
    const struct record *record = &r->data.record[prompt];
    const struct sequence *seq = r->corpus.seq + r->corpus.first[prompt];
    size_t K = record->n_responses;
    double *x, *dx;
    TRY(ARENA_NEW(arena, x, K, err));
    for (size_t k = 0; k < K; k++) {
        x[k] = (double)score[k];
        t->tokens += (double)seq[k].len_response;
        if (r->pass != REWARD_MEASURE)
            continue;
        x[k] = score_length_add(&r->trainer.model.config.length, x[k],
                                seq[k].len_response);
        r->score[r->corpus.first[prompt] + k] = x[k];
    }
    TRY(add_loss(&dx, t, r, prompt, x, arena, err));
    tally_scores(t, x, record);
    for (size_t k = 0; k < K; k++)
        dscore[k] = (float)dx[k];
    return OK;
}

/* The responses of prompts item[first..last-1], one pack. */
static enum status collect(struct sequence **out, size_t *n,
                           const struct reward_training *r, size_t first,
                           size_t last, struct arena *arena, struct err *err)
{
    const size_t *at = r->corpus.first;
    *n = 0;
    for (size_t i = first; i < last; i++)
        *n += at[r->item[i] + 1] - at[r->item[i]];
    TRY(ARENA_NEW(arena, *out, *n, err));
    size_t to = 0;
    for (size_t i = first; i < last; i++)
        for (size_t s = at[r->item[i]]; s < at[r->item[i] + 1]; s++)
            (*out)[to++] = r->corpus.seq[s];
    return OK;
}

/* One shard's sequences and what the trunk made of them. */
struct work {
    struct arena *arena;
    struct batch b;
    struct activations a;
    size_t first, last; // of the items
    size_t n;           // sequences
    size_t *row;        // [n] where they are read
    float *out, *dout;  // [n] of a head
    float *dhidden;
};

static enum status forward(struct work *w, struct reward_training *r,
                           struct err *err)
{
    const struct model *m = &r->trainer.model;
    bool is_training = r->pass == REWARD_TRAIN || r->pass == REWARD_BACK;
    struct sequence *seq;
    TRY(collect(&seq, &w->n, r, w->first, w->last, w->arena, err));
    TRY(batch_pack(&w->b, seq, w->n, w->arena, err));
    TRY(activations_place(&w->a, m, w->b.pack.N, is_training, w->arena, err));
    TRY(transformer_forward(&w->a, m, &w->b.pack, w->arena, err));
    TRY(ARENA_NEW(w->arena, w->row, w->n, err));
    TRY(ARENA_NEW(w->arena, w->out, w->n, err));
    TRY(ARENA_NEW(w->arena, w->dout, w->n, err));
    for (size_t s = 0; s < w->n; s++)
        w->row[s] = batch_last_row(&w->b, s);
    if (!is_training)
        return OK;
    TRY(ARENA_NEW(w->arena, w->dhidden, w->b.pack.N * m->config.C, err));
    memset(w->dhidden, 0, w->b.pack.N * m->config.C * sizeof *w->dhidden);
    return OK;
}

/* One head: its scores' losses, and back when that is wanted. */
static enum status one_head(struct work *w, struct reward_training *r,
                            struct reward_tally *t, size_t shard,
                            struct err *err)
{
    struct model *m = &r->trainer.model;
    float *grad;
    size_t at = 0;
    head_score_forward(w->out, m, w->a.hidden, w->row, w->n);
    for (size_t i = w->first; i < w->last; i++) {
        TRY(prompt_loss(r, t, r->item[i], w->out + at, w->dout + at, w->arena,
                        err));
        at += r->data.record[r->item[i]].n_responses;
    }
    if (r->pass == REWARD_MEASURE)
        return OK;
    TRY(optimizer_grad(&grad, &r->trainer.optimizer, shard, err));
    head_score_backward(w->dhidden, grad, m, w->a.hidden, w->row, w->dout,
                        w->n);
    return optimizer_backward(&r->trainer.optimizer, shard, &w->a, m,
                              &w->b.pack, w->dhidden, w->arena, err);
}

/* Two heads: what they say of the responses, to the batch's arrays. */
static void read_heads(struct work *w, struct reward_training *r)
{
    struct reward_heads *h = &r->heads;
    const struct model *m = &r->trainer.model;
    size_t at = h->at[w->first];
    head_score_forward(w->out, m, w->a.hidden, w->row, w->n);
    for (size_t s = 0; s < w->n; s++)
        h->quality[at + s] = (double)w->out[s];
    head_rows_forward(w->out, h->w, w->a.hidden, w->row, w->n, h->C);
    for (size_t s = 0; s < w->n; s++)
        h->length[at + s] = (double)w->out[s];
}

static enum status back_heads(struct work *w, struct reward_training *r,
                              size_t shard, struct err *err)
{
    struct reward_heads *h = &r->heads;
    const struct model *m = &r->trainer.model;
    float *grad;
    size_t at = h->at[w->first];
    TRY(optimizer_grad(&grad, &r->trainer.optimizer, shard, err));
    for (size_t s = 0; s < w->n; s++)
        w->dout[s] = (float)h->dquality[at + s];
    head_score_backward(w->dhidden, grad, m, w->a.hidden, w->row, w->dout,
                        w->n);
    for (size_t s = 0; s < w->n; s++)
        w->dout[s] = (float)h->dlength[at + s];
    head_rows_backward(w->dhidden, h->grad + shard * h->C, h->w, w->a.hidden,
                       w->row, w->dout, w->n, h->C);
    return optimizer_backward(&r->trainer.optimizer, shard, &w->a, m,
                              &w->b.pack, w->dhidden, w->arena, err);
}

/* Does it make gradients? */
static bool is_backward(enum reward_pass pass)
{
    return pass == REWARD_TRAIN || pass == REWARD_BACK;
}

static enum status run_shard(void *ctx, size_t shard, size_t worker,
                             struct err *err)
{
    struct reward_training *r = ctx;
    struct optimizer *o = &r->trainer.optimizer;
    struct work w = {.arena = workspace_arena(&r->trainer.workspace, worker)};
    r->tally[shard] =
        (struct reward_tally){.score_min = HUGE_VAL, .score_max = -HUGE_VAL};
    batch_shard(&w.first, &w.last, r->n_item, o->shards, shard);
    if (w.first == w.last)
        return is_backward(r->pass) ? optimizer_skip(o, shard, err) : OK;
    TRY(forward(&w, r, err));
    switch (r->pass) {
    case REWARD_READ:
        read_heads(&w, r);
        return OK;
    case REWARD_BACK:
        return back_heads(&w, r, shard, err);
    case REWARD_MEASURE:
    case REWARD_TRAIN:
        break;
    }
    return one_head(&w, r, &r->tally[shard], shard, err);
}

/* What was found of the responses of the items, item i's being elements
 * offset[i]..offset[i+1]-1: ranks have shards of items. */
static enum status share_items(const struct reward_training *r, void *base,
                               const size_t *offset, size_t bytes,
                               struct err *err)
{
    struct comm *comm = r->trainer.context->comm;
    size_t shards = r->trainer.optimizer.shards, *begin;
    if (comm == NULL)
        return OK;
    TRY(MEM_NEW(begin, comm_size(comm) + 1, err));
    for (size_t rank = 0; rank < comm_size(comm); rank++) {
        size_t first, last, item, end;
        comm_cut(&first, &last, shards, comm_size(comm), rank);
        batch_shard(&item, &end, r->n_item, shards, last - 1);
        begin[rank + 1] = offset[end] * bytes;
    }
    enum status status = comm_gather(comm, base, begin, err);
    mem_free(begin);
    return status;
}

/* A batch's scores, which lie where its prompts are in the data, as one array
 * in the order of its items. */
static enum status share_scores(struct reward_training *r, struct err *err)
{
    struct comm *comm = r->trainer.context->comm;
    const size_t *at = r->corpus.first;
    size_t *offset = NULL, n = 0;
    double *score = NULL;
    enum status status = OK;
    if (comm == NULL)
        return OK;
    TRY_DONE(MEM_NEW(offset, r->n_item + 1, err));
    for (size_t i = 0; i < r->n_item; i++)
        offset[i + 1] = offset[i] + at[r->item[i] + 1] - at[r->item[i]];
    TRY_DONE(MEM_NEW(score, offset[r->n_item], err));
    for (size_t i = 0; i < r->n_item; i++)
        for (size_t k = at[r->item[i]]; k < at[r->item[i] + 1]; k++)
            score[n++] = r->score[k];
    TRY_DONE(share_items(r, score, offset, sizeof *score, err));
    n = 0;
    for (size_t i = 0; i < r->n_item; i++)
        for (size_t k = at[r->item[i]]; k < at[r->item[i] + 1]; k++)
            r->score[k] = score[n++];
done:
    mem_free(offset);
    mem_free(score);
    return status;
}

/* What a pass over the own shards gave, to all ranks. */
static enum status share_pass(struct reward_training *r, struct err *err)
{
    struct comm *comm = r->trainer.context->comm;
    struct reward_heads *h = &r->heads;
    size_t shards = r->trainer.optimizer.shards;
    TRY(comm_share(comm, r->tally, NULL, shards, 1, sizeof *r->tally, err));
    switch (r->pass) {
    case REWARD_MEASURE:
        return share_scores(r, err);
    case REWARD_TRAIN:
        return OK;
    case REWARD_READ:
        TRY(share_items(r, h->quality, h->at, sizeof *h->quality, err));
        return share_items(r, h->length, h->at, sizeof *h->length, err);
    case REWARD_BACK:
        return comm_share(comm, h->grad, NULL, shards, 1,
                          h->C * sizeof *h->grad, err);
    }
    return OK;
}

static enum status run_pass(struct reward_training *r, enum reward_pass pass,
                            struct err *err)
{
    r->pass = pass;
    if (is_backward(pass))
        TRY(optimizer_begin(&r->trainer.optimizer, err));
    TRY(context_deal(r->trainer.context, r->trainer.optimizer.shards, run_shard,
                     r, err));
    return share_pass(r, err);
}

static void sum_tallies(struct reward_tally *sum,
                        const struct reward_training *r)
{
    *sum = (struct reward_tally){.score_min = HUGE_VAL, .score_max = -HUGE_VAL};
    for (size_t i = 0; i < r->trainer.optimizer.shards; i++) {
        const struct reward_tally *t = &r->tally[i];
        sum->loss += t->loss;
        sum->score += t->score;
        sum->score_min = fmin(sum->score_min, t->score_min);
        sum->score_max = fmax(sum->score_max, t->score_max);
        sum->responses += t->responses;
        sum->margin += t->margin;
        sum->tokens += t->tokens;
        sum->pairs.right += t->pairs.right;
        sum->pairs.pairs += t->pairs.pairs;
    }
}

enum status reward_batch_measure(struct reward_tally *sum,
                                 struct reward_training *r, const size_t *item,
                                 size_t n, struct err *err)
{
    r->item = item;
    r->n_item = n;
    TRY(run_pass(r, REWARD_MEASURE, err));
    sum_tallies(sum, r);
    return OK;
}

/* ---- two heads ---------------------------------------------------------- */

/* Where the items' responses are, and their lengths. */
static void place_items(struct reward_training *r)
{
    struct reward_heads *h = &r->heads;
    h->at[0] = 0;
    for (size_t i = 0; i < r->n_item; i++) {
        size_t from = r->corpus.first[r->item[i]];
        size_t K = r->corpus.first[r->item[i] + 1] - from;
        for (size_t k = 0; k < K; k++)
            h->tokens[h->at[i] + k] =
                (double)r->corpus.seq[from + k].len_response;
        h->at[i + 1] = h->at[i] + K;
    }
}

/* Rankings are explained by the sum of both heads; what is told of a prompt is
 * about the quality head, which stays. */
static enum status ranking_of_sum(struct reward_tally *t,
                                  struct reward_training *r, size_t i,
                                  struct arena *arena, struct err *err)
{
    struct reward_heads *h = &r->heads;
    const struct record *record = &r->data.record[r->item[i]];
    size_t K = record->n_responses, at = h->at[i];
    double *x, *dx;
    TRY(ARENA_NEW(arena, x, K, err));
    for (size_t k = 0; k < K; k++) {
        x[k] = h->quality[at + k] + h->length[at + k];
        t->tokens += h->tokens[at + k];
    }
    TRY(add_loss(&dx, t, r, r->item[i], x, arena, err));
    for (size_t k = 0; k < K; k++) {
        h->dquality[at + k] = dx[k];
        h->dlength[at + k] = dx[k];
    }
    tally_scores(t, h->quality + at, record);
    return OK;
}

static enum status train_two(struct reward_tally *sum,
                             struct reward_training *r, int64_t t,
                             struct err *err)
{
    const struct reward_config *c = r->config;
    struct optimizer *o = &r->trainer.optimizer;
    const struct model *m = &r->trainer.model;
    place_items(r);
    TRY(run_pass(r, REWARD_READ, err));
    *sum = (struct reward_tally){.score_min = HUGE_VAL, .score_max = -HUGE_VAL};
    struct arena *arena = workspace_arena(&r->trainer.workspace, 0);
    for (size_t i = 0; i < r->n_item; i++)
        TRY(ranking_of_sum(sum, r, i, arena, err));
    /* The weights' part is shard 0's; elsewhere it is found and let go. */
    float *dweight;
    TRY(ARENA_NEW(arena, dweight, m->config.C, err));
    memset(dweight, 0, m->config.C * sizeof *dweight);
    if (o->first_shard == 0) {
        float *grad;
        TRY(optimizer_grad(&grad, o, 0, err));
        dweight = model_score_grad(m, grad);
    }
    sum->loss += reward_heads_loss(&r->heads, dweight, model_score(m),
                                   r->n_item, &c->heads);
    TRY(run_pass(r, REWARD_BACK, err));
    return reward_heads_update(&r->heads, &c->optimizer, t, o->total, err);
}

enum status reward_batch_train(struct reward_tally *sum,
                               struct reward_training *r, const size_t *item,
                               size_t n, int64_t t, struct err *err)
{
    r->item = item;
    r->n_item = n;
    if (r->config->heads.n > 1)
        return train_two(sum, r, t, err);
    TRY(run_pass(r, REWARD_TRAIN, err));
    sum_tallies(sum, r);
    return OK;
}

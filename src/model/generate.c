#include "model/generate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model/sampler.h"
#include "model/transformer_internal.h"

#define GROUP_DEFAULT 32
#define GROUP_LEAST 8
#define GROUP_MAX 4096

/* What every group of one call shares. */
struct run {
    struct generate_job *job;
    size_t n, group;
    const struct model *model;
    const struct sampling *sampling;
    struct lmhead head;
    struct arena *arena; // [workers]
};

/* One group at work.  Slot i of the cache belongs to job i of the group;
 * row b of a round belongs to slot active[b]. */
struct group {
    const struct run *run;
    struct generate_job *job;
    size_t n;
    size_t *limit;  // [n] tokens the job may draw
    size_t *source; // [n] which sequence of the prompt pack is its prompt
    size_t *active; // [n_active] unfinished jobs, in order
    size_t n_active;
    struct kv_cache cache;
    float *hidden;  // [n,C] rows to be read by the head
    float *logits;  // [n,V]
    float *scratch; // of the head
    int32_t *token; // [n] the new token of each active row
    int32_t *position;
    size_t *len;
    struct activations act; // of a round
};

/* Tokens a job may draw before its length or the model's ends it. */
static size_t job_limit(const struct generate_job *job, const struct run *run)
{
    size_t room = run->model->config.T_max - job->len_prompt;

    return run->sampling->max_new < room ? run->sampling->max_new : room;
}

static enum status group_place(struct group *g, struct arena *arena,
                               struct err *err)
{
    const struct model_config *c = &g->run->model->config;
    size_t n = g->n;
    size_t T = 1;

    TRY(ARENA_NEW(arena, g->limit, n, err));
    TRY(ARENA_NEW(arena, g->source, n, err));
    TRY(ARENA_NEW(arena, g->active, n, err));
    TRY(ARENA_NEW(arena, g->hidden, n * c->C, err));
    TRY(ARENA_NEW(arena, g->logits, n * c->V, err));
    TRY(ARENA_NEW(arena, g->scratch, weight_scratch(c->C), err));
    TRY(ARENA_NEW(arena, g->token, n, err));
    TRY(ARENA_NEW(arena, g->position, n, err));
    TRY(ARENA_NEW(arena, g->len, n, err));
    for (size_t i = 0; i < n; i++) {
        g->limit[i] = job_limit(&g->job[i], g->run);
        if (g->job[i].len_prompt + g->limit[i] > T)
            T = g->job[i].len_prompt + g->limit[i];
    }
    TRY(activations_place(&g->act, g->run->model, n, false, arena, err));
    return transformer_cache_place(&g->cache, c, n, T, arena, err);
}

static bool same_prompt(const struct generate_job *a,
                        const struct generate_job *b)
{
    return a->len_prompt == b->len_prompt &&
           memcmp(a->prompt, b->prompt, a->len_prompt * sizeof *a->prompt) == 0;
}

/* The group's distinct prompts as one pack; g->source says which is whose. */
static enum status pack_prompts(struct pack *out, struct group *g,
                                struct arena *arena, struct err *err)
{
    int32_t *token;
    int32_t *position;
    size_t *start;
    size_t n_seq = 0;
    size_t N = 0;

    for (size_t i = 0; i < g->n; i++)
        N += g->job[i].len_prompt;
    TRY(ARENA_NEW(arena, token, N, err));
    TRY(ARENA_NEW(arena, position, N, err));
    TRY(ARENA_NEW(arena, start, g->n + 1, err));
    start[0] = 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct generate_job *job = &g->job[i];
        size_t twin = 0;

        while (twin < i && !same_prompt(&g->job[twin], job))
            twin++;
        if (twin < i) {
            g->source[i] = g->source[twin];
            continue;
        }
        for (size_t t = 0; t < job->len_prompt; t++) {
            token[start[n_seq] + t] = job->prompt[t];
            position[start[n_seq] + t] = (int32_t)t;
        }
        start[n_seq + 1] = start[n_seq] + job->len_prompt;
        g->source[i] = n_seq++;
    }
    *out = (struct pack){
        token, position, start, n_seq, start[n_seq], NULL,
    };
    return OK;
}

/* Run the prompts; leaves each job's last hidden state in g->hidden. */
static enum status prefill(struct group *g, struct arena *arena,
                           struct err *err)
{
    const struct model *m = g->run->model;
    size_t C = m->config.C;
    struct activations act;
    struct pack pack;

    TRY(pack_prompts(&pack, g, arena, err));
    TRY(activations_place(&act, m, pack.N, false, arena, err));
    TRY(transformer_prefill(&act, m, &pack, &g->cache, g->source, arena, err));
    g->n_active = 0;
    for (size_t i = 0; i < g->n; i++) {
        size_t row = pack.start[g->source[i] + 1] - 1;

        if (g->limit[i] == 0)
            continue;
        memcpy(g->hidden + g->n_active * C, act.hidden + row * C,
               C * sizeof(float));
        g->active[g->n_active++] = i;
    }
    return OK;
}

/* Draw one token for every active row and keep the rows that go on. */
static enum status draw_round(struct group *g, struct err *err)
{
    const struct run *run = g->run;
    size_t V = run->head.V;
    size_t kept = 0;

    TRY(lmhead_logits(g->logits, &run->head, g->hidden, g->n_active, g->scratch,
                      err));
    for (size_t b = 0; b < g->n_active; b++) {
        size_t i = g->active[b];
        struct generate_job *job = &g->job[i];
        double logp;
        int32_t token;

        if (sampler_draw(&token, &logp, g->logits + b * V, &run->head,
                         run->sampling, &job->rng) != OK)
            return err_set(err, ERR_NUMERIC,
                           "the model gives no distribution for token %zu of "
                           "job %zu (its logits are not finite)",
                           job->len, (size_t)(job - run->job));
        if (job->logp != NULL)
            job->logp[job->len] = (float)logp;
        job->token[job->len++] = token;
        job->is_eos = model_config_stops(&run->model->config, token);
        if (job->is_eos || job->len == g->limit[i])
            continue;
        g->active[kept] = i;
        g->token[kept] = token;
        g->position[kept] = (int32_t)(job->len_prompt + job->len - 1);
        g->len[kept] = job->len_prompt + job->len;
        kept++;
    }
    g->n_active = kept;
    return OK;
}

static enum status group_run(void *ctx, size_t item, size_t worker,
                             struct err *err)
{
    const struct run *run = ctx;
    struct arena *arena = &run->arena[worker];
    size_t begin = item * run->group;
    struct group g = {
        .run = run,
        .job = run->job + begin,
        .n = run->n - begin < run->group ? run->n - begin : run->group,
    };

    arena_reset(arena);
    TRY(group_place(&g, arena, err));
    TRY(prefill(&g, arena, err));
    for (;;) {
        if (g.n_active > 0)
            TRY(draw_round(&g, err));
        if (g.n_active == 0)
            return OK;
        TRY(transformer_decode(&g.act, run->model,
                               &(struct decode_step){g.token, g.position,
                                                     g.active, g.len,
                                                     g.n_active},
                               &g.cache, err));
        g.hidden = g.act.hidden;
    }
}

static enum status check_jobs(const struct run *run, struct err *err)
{
    const struct sampling *s = run->sampling;

    if (!(s->temperature >= 0 && s->temperature <= 1e4))
        return err_set(err, ERR_ARG, "temperature is %g, want 0..10000",
                       s->temperature);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return err_set(err, ERR_ARG, "top_p is %g, want 0 < top_p <= 1",
                       s->top_p);
    if (run->group > GROUP_MAX)
        return err_set(err, ERR_ARG, "group is %zu, at most %d", run->group,
                       GROUP_MAX);
    for (size_t i = 0; i < run->n; i++)
        if (run->job[i].len_prompt < 1 ||
            run->job[i].len_prompt > run->model->config.T_max)
            return err_set(err, ERR_MISMATCH,
                           "prompt %zu has %zu tokens; the model takes 1..%zu",
                           i, run->job[i].len_prompt, run->model->config.T_max);
    return OK;
}

/* A round reads every weight once per group, so large groups are cheap; but
 * few jobs in one group would leave the other workers idle.  What counts is n
 * alone: the arithmetic may not depend on the team. */
static size_t group_size(size_t n)
{
    size_t half = (n + 1) / 2;

    if (half > GROUP_DEFAULT)
        return GROUP_DEFAULT;
    return half > GROUP_LEAST ? half : GROUP_LEAST;
}

/* ---- several ranks ------------------------------------------------------- */

/* What a rank tells the others of a job; tokens, and logp where it is wanted,
 * follow it. */
struct told {
    uint64_t len;
    uint64_t is_eos;
};

static void tell(struct buf *out, const struct generate_job *job)
{
    struct told told = {.len = job->len, .is_eos = job->is_eos};

    buf_append(out, &told, sizeof told);
    buf_append(out, job->token, job->len * sizeof *job->token);
    if (job->logp != NULL)
        buf_append(out, job->logp, job->len * sizeof *job->logp);
}

/* Returns where the next job's begins. */
static const char *hear(struct generate_job *job, const char *at)
{
    struct told told;

    memcpy(&told, at, sizeof told);
    at += sizeof told;
    job->len = told.len;
    job->is_eos = told.is_eos != 0;
    memcpy(job->token, at, job->len * sizeof *job->token);
    at += job->len * sizeof *job->token;
    if (job->logp == NULL)
        return at;
    memcpy(job->logp, at, job->len * sizeof *job->logp);
    return at + job->len * sizeof *job->logp;
}

/* All ranks know what was drawn on each. */
static enum status share_jobs(const struct run *run, struct comm *comm,
                              struct err *err)
{
    size_t first, last, groups = (run->n + run->group - 1) / run->group;
    struct buf mine, all;
    enum status status = OK;

    if (comm == NULL)
        return OK;
    buf_init(&mine, SIZE_MAX / 4);
    buf_init(&all, SIZE_MAX / 4);
    comm_own(&first, &last, comm, groups);
    for (size_t i = first * run->group; i < last * run->group && i < run->n;
         i++)
        tell(&mine, &run->job[i]);
    TRY_DONE(buf_status(&mine, err));
    TRY_DONE(comm_concat(comm, &all, mine.data, mine.len, err));
    const char *at = all.data;
    for (size_t i = 0; i < run->n; i++)
        at = hear(&run->job[i], at);
    assert(at == all.data + all.len);
done:
    buf_free(&mine);
    buf_free(&all);
    return status;
}

enum status generate_run(struct generate_job *job, size_t n,
                         const struct model *m, const struct sampling *s,
                         const struct context *context, struct err *err)
{
    struct run run = {
        .job = job,
        .n = n,
        .group = s->group == 0 ? group_size(n) : s->group,
        .model = m,
        .sampling = s,
        .head =
            model_lmhead(m, s->temperature > 0 ? (float)s->temperature : 1.0f),
    };
    size_t workers;
    enum status status = OK;

    assert(context != NULL && context->team != NULL);
    TRY(check_jobs(&run, err));
    for (size_t i = 0; i < n; i++) {
        job[i].len = 0;
        job[i].is_eos = false;
    }
    workers = team_size(context->team);
    TRY(MEM_NEW(run.arena, workers, err));
    status = context_deal(context, (n + run.group - 1) / run.group, group_run,
                          &run, err);
    if (status == OK)
        status = share_jobs(&run, context->comm, err);
    for (size_t w = 0; w < workers; w++)
        arena_free(&run.arena[w]);
    mem_free(run.arena);
    return status;
}

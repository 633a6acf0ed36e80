#include "model/generate.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model/generate_cache.h"
#include "model/linear.h"
#include "model/sampler.h"
#include "model/transformer_internal.h"
#include "model/variant.h"

#define SLOTS_MAX 4096
/* A worker with fewer jobs than this leaves memory idle half of the time: it
 * reads all weights for a few rows. */
#define SLOTS_LEAST ((size_t)8)
/* Rows of a step: with more, the weights are read less often, with fewer, the
 * rows stay in cache. */
#define STEP_ROWS ((size_t)256)
/* A beginning in common that is worth waiting a step for, in tokens. */
#define SHARE_LEAST ((size_t)16)
#define NOBODY SIZE_MAX

/* What all workers of one call share. */
struct run {
    struct generate_job *job;
    size_t n, slots;
    size_t first; // number of job[0] among those of all ranks
    size_t T;     // positions of the longest sequence
    const struct model *model;
    const struct sampling *sampling;
    struct lmhead head;
    struct arena *arena; // [workers]
    atomic_size_t next;  // first job nobody has taken
    size_t *failed;      // [n] token at which a job's logits are not finite
};

/*
 * A place for one sequence.  Its job's prompt is computed up to the last but
 * one token, in any company; from then on a round computes its newest token
 * and draws the next.  Between two jobs it keeps its pages, in which another
 * prompt may find its beginning.
 */
struct slot {
    struct generate_job *job; // NULL: there was none yet
    bool is_busy;
    size_t limit;  // tokens the job may draw
    size_t len;    // positions in the cache
    size_t donor;  // slot whose beginning it waits for, or NOBODY
    size_t shared; // positions it will take from there
    struct cache_table table;
};

/* One worker at work. */
struct engine {
    struct run *run;
    size_t n;          // slots
    struct slot *slot; // [n]
    struct generate_cache cache;
    struct step step;
    struct step_rows rows;
    float ***table;  // [rows] of rows.table
    size_t *last;    // [n] of rows.last
    size_t *drawing; // [n] slots whose next token is drawn this step
    struct nexttoken next;
};

/* Tokens a job may draw before its length or the model's ends it. */
static size_t job_limit(const struct generate_job *job, const struct run *run)
{
    size_t room = run->model->config.T_max - job->len_prompt;

    return run->sampling->max_new < room ? run->sampling->max_new : room;
}

static size_t step_rows(size_t slots)
{
    return slots + SHARE_LEAST > STEP_ROWS ? slots + SHARE_LEAST : STEP_ROWS;
}

static enum status engine_place(struct engine *e, struct arena *arena,
                                struct err *err)
{
    const struct model *m = e->run->model;
    size_t N = step_rows(e->n);
    float *room;

    TRY(ARENA_NEW(arena, e->slot, e->n, err));
    TRY(ARENA_NEW(arena, e->last, e->n, err));
    TRY(ARENA_NEW(arena, e->drawing, e->n, err));
    TRY(ARENA_NEW(arena, e->rows.token, N, err));
    TRY(ARENA_NEW(arena, e->rows.position, N, err));
    TRY(ARENA_NEW(arena, e->table, N, err));
    TRY(ARENA_NEW(arena, room,
                  nexttoken_floats(e->run->head.V, e->run->head.C, e->n), err));
    nexttoken_place(&e->next, &e->run->head, e->n, room);
    TRY(transformer_step_place(&e->step, m, N, e->n, e->run->T, arena, err));
    TRY(generate_cache_place(&e->cache, transformer_page_floats(m), e->n,
                             e->run->T, arena, err));
    for (size_t i = 0; i < e->n; i++) {
        e->slot[i] = (struct slot){.donor = NOBODY};
        TRY(generate_cache_table(&e->slot[i].table, &e->cache, err));
    }
    e->rows.table = e->table;
    e->rows.last = e->last;
    return OK;
}

/* ---- jobs to slots ------------------------------------------------------- */

/* Positions of `a`'s prompt that a prompt may take over: as far as the two
 * agree, and never its last token, which is computed to draw from. */
static size_t in_common(const struct generate_job *a,
                        const struct generate_job *job)
{
    size_t most = job->len_prompt - 1, n = 0;

    if (a->len_prompt < most)
        most = a->len_prompt;
    while (n < most && a->prompt[n] == job->prompt[n])
        n++;
    return n;
}

/* What of slot d's beginning a job could have: now, if the slot is done with
 * its job, or else as soon as its prompt is computed. */
static size_t offered(const struct slot *d, const struct generate_job *job)
{
    size_t n = d->job == NULL ? 0 : in_common(d->job, job);
    size_t stored = d->is_busy ? d->job->len_prompt - 1 : d->len;

    return n < stored ? n : stored;
}

static enum status take_over(struct engine *e, struct slot *s, struct err *err)
{
    const struct slot *donor = &e->slot[s->donor];

    TRY(generate_cache_share(&e->cache, &s->table, &donor->table, s->shared,
                             err));
    s->len = s->shared;
    s->donor = NOBODY;
    return OK;
}

/* Give a job to slot i. */
static enum status assign(struct engine *e, size_t i, struct generate_job *job,
                          struct err *err)
{
    struct slot *s = &e->slot[i];
    size_t donor = NOBODY, shared = 0;

    for (size_t d = 0; d < e->n; d++) {
        size_t n = offered(&e->slot[d], job);

        if (n >= SHARE_LEAST && n > shared) {
            donor = d;
            shared = n;
        }
    }
    if (donor == NOBODY) // its pages are used again
        TRY(generate_cache_share(&e->cache, &s->table, &s->table, 0, err));
    s->donor = donor;
    s->shared = shared;
    s->len = donor == i ? s->len : 0;
    if (donor != NOBODY && e->slot[donor].len >= shared)
        TRY(take_over(e, s, err));
    s->job = job;
    s->limit = job_limit(job, e->run);
    s->is_busy = true;
    return OK;
}

/* The next waiting jobs, at most `want` of them that lie together; how many. */
static size_t take_jobs(struct run *run, size_t *first, size_t want)
{
    size_t at = atomic_load(&run->next), n;

    do {
        n = run->n - at < want ? run->n - at : want;
    } while (!atomic_compare_exchange_weak(&run->next, &at, at + n));
    *first = at;
    return n;
}

/* Fill the free slots; how many are busy then. */
static enum status refill(size_t *busy, struct engine *e, struct err *err)
{
    size_t first = 0, n = 0;

    *busy = 0;
    for (size_t i = 0; i < e->n; i++)
        *busy += e->slot[i].is_busy;
    for (size_t i = 0; i < e->n; i++) {
        while (!e->slot[i].is_busy) {
            struct generate_job *job;

            if (n == 0)
                n = take_jobs(e->run, &first, e->n - *busy);
            if (n == 0)
                return OK;
            job = &e->run->job[first++];
            n--;
            if (job_limit(job, e->run) == 0)
                continue;
            TRY(assign(e, i, job, err));
            (*busy)++;
        }
    }
    return OK;
}

/* ---- a step -------------------------------------------------------------- */

/* Prompt tokens of a slot that must be computed before it can draw. */
static size_t pending(const struct slot *s)
{
    size_t prompt = s->is_busy ? s->job->len_prompt - 1 : 0;

    return s->len < prompt ? prompt - s->len : 0;
}

/* The token at a position of a slot's sequence. */
static int32_t token_at(const struct slot *s, size_t t)
{
    size_t len = s->job->len_prompt;

    return t < len ? s->job->prompt[t] : s->job->token[t - len];
}

/* The next `n` positions of a slot as rows. */
static enum status add_rows(struct engine *e, struct slot *s, size_t n,
                            struct err *err)
{
    TRY(generate_cache_grow(&e->cache, &s->table, s->len + n, err));
    for (size_t k = 0; k < n; k++) {
        size_t row = e->rows.N++;

        e->rows.token[row] = token_at(s, s->len);
        e->rows.position[row] = (int32_t)s->len++;
        e->table[row] = s->table.page;
    }
    return OK;
}

/* Of the prompts that are not yet computed as many tokens as there is room
 * for; a slot that waits for another one's beginning is passed over. */
static enum status add_prompts(struct engine *e, size_t room, struct err *err)
{
    for (size_t i = 0; i < e->n && room > 0; i++) {
        struct slot *s = &e->slot[i];
        size_t n = s->donor == NOBODY ? pending(s) : 0;

        n = n < room ? n : room;
        TRY(add_rows(e, s, n, err));
        room -= n;
    }
    return OK;
}

/* Each slot's newest token. */
static enum status add_newest(struct engine *e, struct err *err)
{
    for (size_t i = 0; i < e->n; i++) {
        struct slot *s = &e->slot[i];

        if (!s->is_busy || s->donor != NOBODY || pending(s) > 0)
            continue;
        e->drawing[e->rows.n_last] = i;
        e->last[e->rows.n_last++] = e->rows.N;
        TRY(add_rows(e, s, 1, err));
    }
    return OK;
}

/*
 * While prompts are computed the other slots go on, a token each, unless they
 * are few: then they wait, so that all go on together and the weights are not
 * read for a few rows again and again.
 */
static enum status plan_step(struct engine *e, struct err *err)
{
    size_t ready = 0, unready = 0, room = e->step.N;

    e->rows.N = e->rows.n_last = 0;
    for (size_t i = 0; i < e->n; i++) {
        const struct slot *s = &e->slot[i];
        bool waits = s->is_busy && (s->donor != NOBODY || pending(s) > 0);

        unready += waits;
        ready += s->is_busy && !waits;
    }
    if (4 * unready <= ready) {
        TRY(add_newest(e, err));
        room -= ready;
    }
    return unready > 0 ? add_prompts(e, room, err) : OK;
}

static enum status take_beginnings(struct engine *e, struct err *err)
{
    for (size_t i = 0; i < e->n; i++) {
        struct slot *s = &e->slot[i];

        if (s->donor != NOBODY && e->slot[s->donor].len >= s->shared)
            TRY(take_over(e, s, err));
    }
    return OK;
}

/* Draw a slot's next token from row `row` of the distribution. */
static void draw(struct engine *e, struct slot *s, size_t row)
{
    struct run *run = e->run;
    struct generate_job *job = s->job;
    double logp;
    int32_t token;

    if (sampler_draw(&token, &logp, &e->next, row, run->sampling, &job->rng) !=
        OK) {
        run->failed[job - run->job] = job->len;
        s->is_busy = false;
        return;
    }
    if (job->logp != NULL)
        job->logp[job->len] = (float)logp;
    job->token[job->len++] = token;
    job->is_eos = model_config_stops(&run->model->config, token);
    s->is_busy = !job->is_eos && job->len < s->limit;
}

static void draw_all(struct engine *e)
{
    size_t C = e->run->model->config.C;
    size_t most = rowwise_lanes(e->step.level, ROWWISE_LANES);

    for (size_t at = 0; at < e->rows.n_last; at += most) {
        size_t n = e->rows.n_last - at;

        n = n < most ? n : most;
        nexttoken_forward(&e->next, e->step.hidden + at * C, n, e->step.level);
        for (size_t row = 0; row < n; row++)
            draw(e, &e->slot[e->drawing[at + row]], row);
    }
}

static enum status engine_run(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    struct run *run = ctx;
    struct engine e = {.run = run, .n = run->slots};
    size_t busy;

    (void)item;
    arena_reset(&run->arena[worker]);
    TRY(engine_place(&e, &run->arena[worker], err));
    for (;;) {
        TRY(refill(&busy, &e, err));
        if (busy == 0)
            return OK;
        TRY(plan_step(&e, err));
        TRY(transformer_step(&e.step, run->model, &e.rows, err));
        TRY(take_beginnings(&e, err));
        draw_all(&e);
    }
}

/* ---- a call -------------------------------------------------------------- */

static enum status check_prompt(const struct run *run, size_t i,
                                struct err *err)
{
    const struct model_config *c = &run->model->config;
    const struct generate_job *job = &run->job[i];

    if (job->len_prompt < 1 || job->len_prompt > c->T_max)
        return err_set(err, ERR_MISMATCH,
                       "prompt %zu has %zu tokens; the model takes 1..%zu", i,
                       job->len_prompt, c->T_max);
    for (size_t t = 0; t < job->len_prompt; t++)
        if (job->prompt[t] < 0 || (size_t)job->prompt[t] >= c->V)
            return err_set(err, ERR_MISMATCH,
                           "prompt %zu: token id %d is outside the vocabulary "
                           "of %zu",
                           i, (int)job->prompt[t], c->V);
    return OK;
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
    if (s->group > SLOTS_MAX)
        return err_set(err, ERR_ARG, "group is %zu, at most %d", s->group,
                       SLOTS_MAX);
    for (size_t i = 0; i < run->n; i++)
        TRY(check_prompt(run, i, err));
    return OK;
}

/* How many workers have something to do, and the slots of each. */
static size_t engines_for(size_t *slots, size_t n, size_t most, size_t workers)
{
    size_t engines = (n + SLOTS_LEAST - 1) / SLOTS_LEAST;
    size_t each;

    engines = engines < workers ? engines : workers;
    each = engines > 0 ? (n + engines - 1) / engines : 0;
    *slots = each < most ? each : most;
    return engines;
}

static enum status first_failure(const struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->failed[i] != NOBODY)
            return err_set(err, ERR_NUMERIC,
                           "the model gives no distribution for token %zu of "
                           "job %zu (its logits are not finite)",
                           run->failed[i], run->first + i);
    return OK;
}

static void start_jobs(struct run *run)
{
    run->T = 1;
    for (size_t i = 0; i < run->n; i++) {
        struct generate_job *job = &run->job[i];
        size_t T = job->len_prompt + job_limit(job, run);

        job->len = 0;
        job->is_eos = false;
        run->failed[i] = NOBODY;
        run->T = T > run->T ? T : run->T;
    }
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
static enum status share_jobs(struct generate_job *job, size_t n,
                              struct comm *comm, struct err *err)
{
    size_t first, last;
    struct buf mine, all;
    enum status status = OK;

    if (comm == NULL)
        return OK;
    buf_init(&mine, SIZE_MAX / 4);
    buf_init(&all, SIZE_MAX / 4);
    comm_own(&first, &last, comm, n);
    for (size_t i = first; i < last; i++)
        tell(&mine, &job[i]);
    TRY_DONE(buf_status(&mine, err));
    TRY_DONE(comm_concat(comm, &all, mine.data, mine.len, err));
    const char *at = all.data;
    for (size_t i = 0; i < n; i++)
        at = hear(&job[i], at);
    assert(at == all.data + all.len);
done:
    buf_free(&mine);
    buf_free(&all);
    return status;
}

/* The jobs of this rank, the first of which is number `run->first`. */
static enum status run_own(struct run *run, const struct context *context,
                           struct err *err)
{
    size_t workers = team_size(context->team), engines;
    size_t most = run->sampling->group;
    enum status status = OK;

    engines =
        engines_for(&run->slots, run->n, most ? most : GENERATE_SLOTS, workers);
    TRY_DONE(MEM_NEW(run->arena, workers, err));
    for (size_t w = 0; w < workers; w++)
        run->arena[w].is_raw = true;
    TRY_DONE(MEM_NEW(run->failed, run->n, err));
    start_jobs(run);
    TRY_DONE(team_run(context->team, engines, engine_run, run, err));
    status = first_failure(run, err);
done:
    for (size_t w = 0; run->arena != NULL && w < workers; w++)
        arena_free(&run->arena[w]);
    mem_free(run->arena);
    mem_free(run->failed);
    return status;
}

enum status generate_run(struct generate_job *job, size_t n,
                         const struct model *m, const struct sampling *s,
                         const struct context *context, struct err *err)
{
    struct run run = {
        .job = job,
        .n = n,
        .model = m,
        .sampling = s,
        .head =
            model_lmhead(m, s->temperature > 0 ? (float)s->temperature : 1.0f),
    };
    size_t last;

    assert(context != NULL && context->team != NULL);
    TRY(check_jobs(&run, err));
    comm_own(&run.first, &last, context->comm, n);
    run.job = job + run.first;
    run.n = last - run.first;
    TRY(comm_agree(context->comm, run_own(&run, context, err), err));
    return share_jobs(job, n, context->comm, err);
}

double generate_bytes(const struct model_config *c, size_t rank, size_t n,
                      size_t T, size_t workers)
{
    const struct model shape = {.config = *c};
    size_t slots, engines = engines_for(&slots, n, GENERATE_SLOTS, workers);
    size_t N = step_rows(slots);
    size_t pages = slots * ((T + PAGED_ROWS - 1) / PAGED_ROWS) + 1;
    double row = (double)(2 * c->C + (c->H + 2 * c->G) * c->D + c->H * c->D +
                          variant_up_width(c) + c->F + rank);
    double floats = (double)pages * (double)transformer_page_floats(&shape) +
                    (double)N * row + (double)linear_rows_scratch(&shape, N) +
                    (double)nexttoken_floats(c->V, c->C, slots);

    return 4 * floats * (double)engines;
}

/*
 * bench_model.c - tokens per second of training and of generation, at the
 * shape of the support-desk demo or of a real model.
 *
 *     bench_model [seconds per measurement, default 2] [desk | 135m]
 *
 * desk: packs of 4 sequences of 57 tokens; groups of 32 sampled replies of 33
 * tokens to prompts of 23.  One line each for one worker and for as many as
 * there are processors.
 * 135m: random weights of SmolLM2-135M's shape, packs of one sequence of 256
 * tokens, 32 sampled replies of 64 tokens to prompts of 64; and training on
 * 2 and on 4 responses of 64 tokens to a prompt of 192, with the prompt laid
 * out for each of them and once for all.  All processors.
 *
 * Training: forward, log-probs, backward through the head and the decoder,
 * every worker its own packs and gradient; "lora" with adapters of rank 8 on
 * every product, the rest frozen; "forward" only as far as the log-probs.
 * The second rate counts only time on a core, so that it means something on a
 * machine that others use too; the last column is the share of that time
 * spent in matrix products.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "gemm_clock.h"
#include "model/generate.h"

#define JOBS_MAX 128
#define TOKENS_MAX 2048

/* What is measured at one shape. */
struct load {
    struct model_config shape;
    size_t sequences, tokens;   // of a training pack
    size_t items;               // packs between two looks at the clock, a
                                // worker
    size_t jobs, prompt, reply; // of generation
};

static const struct load desk = {
    .shape = {.V = 413,
              .C = 64,
              .L = 2,
              .H = 4,
              .G = 4,
              .D = 16,
              .F = 160,
              .T_max = 96,
              .rope_theta = 10000,
              .norm_eps = 1e-5,
              .head = HEAD_LM,
              .bos = -1,
              .eos = -1, // every reply is drawn to its full length
              .pad = -1},
    .sequences = 4,
    .tokens = 57,
    .items = 32,
    .jobs = 128,
    .prompt = 23,
    .reply = 33,
};

static const struct load smol = {
    .shape = {.V = 49152,
              .C = 576,
              .L = 30,
              .H = 9,
              .G = 3,
              .D = 64,
              .F = 1536,
              .T_max = 512,
              .rope_theta = 1e5,
              .norm_eps = 1e-5,
              .tied = true,
              .head = HEAD_LM,
              .bos = -1,
              .eos = -1,
              .pad = -1},
    .sequences = 1,
    .tokens = 256,
    .items = 1,
    .jobs = 32,
    .prompt = 64,
    .reply = 64,
};

/* A moment on the wall clock and in the process's own time. */
struct moment {
    double wall, cpu;
};

static double seconds_of(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct moment now(void)
{
    return (struct moment){seconds_of(CLOCK_MONOTONIC),
                           seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct moment since(struct moment begin)
{
    struct moment end = now();

    return (struct moment){end.wall - begin.wall, end.cpu - begin.cpu};
}

/* Tokens per second of processor time come back. */
static double report(const char *what, size_t workers, size_t tokens,
                     struct moment spent)
{
    (void)printf("%-10s %zu workers %9.0f tokens/s %9.0f tokens/cpu-s %5.0f %% "
                 "in products\n",
                 what, workers, (double)tokens / spent.wall,
                 (double)tokens / spent.cpu,
                 100 * gemm_clock_take() / spent.cpu);
    (void)fflush(stdout);
    return (double)tokens / spent.cpu;
}

/* A benchmark has nobody to report to but the terminal. */
static void must(enum status status, const struct err *err)
{
    if (status != OK) {
        (void)fprintf(stderr, "bench_model: %s\n", err->text);
        exit(1);
    }
}

/* How the sequences of a training pack hang together. */
enum layout {
    ALONE,  // every one by itself
    APART,  // responses of RESPONSE tokens, each behind its own prompt
    SHARED, // the same behind one prompt
};
#define PROMPT 192
#define RESPONSE 64

struct training {
    const struct load *load;
    const struct model *m;
    enum layout layout;
    size_t responses;
    bool is_forward;     // no backward pass
    struct arena *arena; // [workers]
    float **grad;        // [workers]
};

/* Arrays of a pack as a benchmark lays it out. */
struct tokens {
    int32_t token[TOKENS_MAX], position[TOKENS_MAX], target[TOKENS_MAX];
    size_t start[16], parent[16];
    float dlogp[TOKENS_MAX], logp[TOKENS_MAX];
    struct pack pack;
};

/* A sequence of `len` tokens whose first one has position `first`. */
static void add_sequence(struct tokens *x, size_t len, size_t first,
                         size_t parent)
{
    struct pack *p = &x->pack;

    x->parent[p->n_seq] = parent;
    for (size_t t = 0; t < len; t++)
        x->position[p->N++] = (int32_t)(first + t);
    x->start[++p->n_seq] = p->N;
}

static void fill_pack(struct tokens *x, const struct training *t, size_t item)
{
    size_t V = t->load->shape.V;

    x->start[0] = 0;
    x->pack = (struct pack){x->token, x->position, x->start, 0, 0, NULL};
    if (t->layout == SHARED) {
        x->pack.parent = x->parent;
        add_sequence(x, PROMPT, 0, PACK_ROOT);
    }
    for (size_t s = 0; s < t->responses; s++) {
        if (t->layout == SHARED)
            add_sequence(x, RESPONSE, PROMPT, 0);
        else
            add_sequence(
                x, t->layout == APART ? PROMPT + RESPONSE : t->load->tokens, 0,
                PACK_ROOT);
    }
    for (size_t n = 0; n < x->pack.N; n++) {
        x->token[n] = (int32_t)((n * 31 + item * 7) % V);
        x->target[n] = (int32_t)((n * 17 + item) % V);
        x->dlogp[n] = -1;
    }
}

/* Forward and backward of one pack, as a training step does them.  With
 * prompts, only the responses' rows are read by the head. */
static enum status train_item(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    const struct training *t = ctx;
    struct arena *arena = &t->arena[worker];
    struct lmhead head = model_lmhead(t->m, 1);
    size_t C = t->load->shape.C, n;
    struct activations a;
    struct tokens *x;
    float *scratch;
    float *dhidden;

    arena_reset(arena);
    TRY(ARENA_NEW(arena, x, 1, err));
    fill_pack(x, t, item);
    n = t->layout == ALONE ? x->pack.N : t->responses * RESPONSE;
    TRY(activations_place(&a, t->m, x->pack.N, !t->is_forward, arena, err));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    TRY(ARENA_NEW(arena, dhidden, x->pack.N * C, err));
    TRY(transformer_forward(&a, t->m, &x->pack, arena, err));
    TRY(lmhead_forward(x->logp, NULL, NULL, &head, a.hidden, x->target, n, -1,
                       scratch, err));
    if (t->is_forward)
        return OK;
    memset(dhidden, 0, x->pack.N * C * sizeof *dhidden);
    TRY(lmhead_backward(dhidden, model_lmhead_grad(t->m, t->grad[worker]),
                        &head, a.hidden, x->target, x->dlogp, NULL, n, scratch,
                        err));
    return transformer_backward(t->grad[worker], &a, t->m, &x->pack, dhidden,
                                arena, err);
}

/* Tokens of prompts that are laid out several times count each time, and of
 * shared ones as often, so that rates can be compared. */
static double bench_training(const char *what, struct training *t,
                             size_t workers, double seconds)
{
    const struct load *load = t->load;
    struct team *team = NULL;
    struct err err;
    struct moment begin;
    struct moment spent;
    size_t items = load->items * workers, tokens = 0;
    size_t each = t->layout == ALONE ? load->tokens : PROMPT + RESPONSE;

    must(team_create(&team, workers, &err), &err);
    must(MEM_NEW(t->arena, workers, &err), &err);
    must(MEM_NEW(t->grad, workers, &err), &err);
    for (size_t w = 0; w < workers && !t->is_forward; w++)
        must(MEM_NEW(t->grad[w], model_trainable_count(t->m), &err), &err);
    must(team_run(team, workers, train_item, t, &err), &err);
    (void)gemm_clock_take();
    begin = now();
    do {
        must(team_run(team, items, train_item, t, &err), &err);
        tokens += items * t->responses * each;
        spent = since(begin);
    } while (spent.wall < seconds);
    for (size_t w = 0; w < workers; w++) {
        arena_free(&t->arena[w]);
        mem_free(t->grad[w]);
    }
    mem_free(t->arena);
    mem_free(t->grad);
    team_destroy(team);
    return report(what, workers, tokens, spent);
}

static void bench_generation(const struct load *load, const struct model *m,
                             size_t jobs, size_t workers, double seconds)
{
    static int32_t prompt[JOBS_MAX][TOKENS_MAX / 16];
    static int32_t token[JOBS_MAX][TOKENS_MAX / 16];
    static float logp[JOBS_MAX][TOKENS_MAX / 16];
    static struct generate_job job[JOBS_MAX];
    struct sampling s = {.temperature = 1, .top_p = 1, .max_new = load->reply};
    struct context context = {0};
    struct err err;
    size_t drawn = 0;
    struct moment begin;
    struct moment spent;
    char what[32];

    must(team_create(&context.team, workers, &err), &err);
    for (size_t i = 0; i < jobs; i++) {
        for (size_t t = 0; t < load->prompt; t++)
            prompt[i][t] = (int32_t)((i * 13 + t * 5) % load->shape.V);
        job[i] = (struct generate_job){.prompt = prompt[i],
                                       .len_prompt = load->prompt,
                                       .token = token[i],
                                       .logp = logp[i]};
        rng_init(&job[i].rng, 1, RNG_SAMPLE, 0, (uint32_t)i);
    }
    (void)gemm_clock_take();
    begin = now();
    do {
        must(generate_run(job, jobs, m, &s, &context, &err), &err);
        for (size_t i = 0; i < jobs; i++)
            drawn += job[i].len;
        spent = since(begin);
    } while (spent.wall < seconds);
    (void)snprintf(what, sizeof what, "sample %zu", jobs);
    (void)report(what, workers, drawn, spent);
    team_destroy(context.team);
}

static void bench_desk(const struct model *m, double seconds)
{
    size_t processors = team_processors();

    for (size_t workers = 1;; workers = processors) {
        struct training t = {
            .load = &desk, .m = m, .responses = desk.sequences};

        (void)bench_training("training", &t, workers, seconds);
        bench_generation(&desk, m, desk.jobs, workers, seconds);
        if (workers == processors)
            break;
    }
}

static void bench_real(const struct model *m, double seconds)
{
    size_t workers = team_processors();
    struct training t = {.load = &smol, .m = m, .responses = 1};
    const struct lora_config rank8 = {
        .rank = 8, .alpha = 16, .targets = LORA_ALL};
    struct model lora;
    struct err err;

    t.is_forward = true;
    (void)bench_training("forward", &t, workers, seconds);
    t.is_forward = false;
    (void)bench_training("training", &t, workers, seconds);
    must(model_share(&lora, m, HEAD_LM, &err), &err);
    must(model_adapt(&lora, &rank8, 1, &err), &err);
    t.m = &lora;
    (void)bench_training("lora", &t, workers, seconds);
    for (t.responses = 2; t.responses <= 4; t.responses *= 2) {
        double apart, shared;

        t.layout = APART;
        apart = bench_training(t.responses == 2 ? "2 apart" : "4 apart", &t,
                               workers, seconds);
        t.layout = SHARED;
        shared = bench_training(t.responses == 2 ? "2 shared" : "4 shared", &t,
                                workers, seconds);
        (void)printf("%zu responses of %d on a prompt of %d, lora: shared %.2f "
                     "times as fast\n",
                     t.responses, RESPONSE, PROMPT, shared / apart);
    }
    model_free(&lora);
    bench_generation(&smol, m, 1, 1, seconds);
    bench_generation(&smol, m, smol.jobs, 1, seconds);
    bench_generation(&smol, m, smol.jobs, workers, seconds);
    bench_generation(&smol, m, 2 * smol.jobs, workers, seconds);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    bool is_real = argc > 2 && strcmp(argv[2], "135m") == 0;
    const struct load *load = is_real ? &smol : &desk;
    struct model m;
    struct err err;

    must(model_create(&m, &load->shape, &err), &err);
    params_init(m.params, &load->shape, 1);
    if (is_real)
        bench_real(&m, seconds);
    else
        bench_desk(&m, seconds);
    model_free(&m);
    return 0;
}

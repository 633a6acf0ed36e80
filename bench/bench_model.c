/*
 * bench_model.c - tokens per second of training and of generation, at the
 * shape of the support-desk demo.
 *
 *     bench_model [seconds per measurement, default 2]
 *
 * Training: forward, log-probs, backward through the head and the decoder, on
 * packs of 4 sequences of 57 tokens, every worker its own packs and gradient.
 * Generation: groups of 32 sampled replies of 33 tokens to prompts of 23.
 * One line each for one worker and for as many as there are processors.  The
 * second rate counts only time on a core, so that it means something on a
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

#define SEQUENCES 4
#define TOKENS 57
#define PROMPT 23
#define REPLY 33
#define JOBS 128
#define ITEMS 64

static const struct model_config shape = {
    .V = 413,
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
    .pad = -1,
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

static void report(const char *what, size_t workers, size_t tokens,
                   struct moment spent)
{
    (void)printf("%-10s %zu workers %9.0f tokens/s %9.0f tokens/cpu-s %5.0f %% "
                 "in products\n",
                 what, workers, (double)tokens / spent.wall,
                 (double)tokens / spent.cpu,
                 100 * gemm_clock_take() / spent.cpu);
}

/* A benchmark has nobody to report to but the terminal. */
static void must(enum status status, const struct err *err)
{
    if (status != OK) {
        (void)fprintf(stderr, "bench_model: %s\n", err->text);
        exit(1);
    }
}

struct training {
    const struct model *m;
    struct arena *arena; // [workers]
    float **grad;        // [workers]
};

/* Forward and backward of one pack, as a training step does them. */
static enum status train_item(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    const struct training *t = ctx;
    struct arena *arena = &t->arena[worker];
    struct lmhead head = model_lmhead(t->m, 1);
    enum {
        N = SEQUENCES * TOKENS
    };
    int32_t token[N];
    int32_t position[N];
    int32_t target[N];
    float dlogp[N];
    float logp[N];
    size_t start[SEQUENCES + 1];
    struct pack pack = {token, position, start, SEQUENCES, N, NULL};
    struct activations a;
    float *scratch;
    float *dhidden;

    for (size_t n = 0; n < N; n++) {
        token[n] = (int32_t)((n * 31 + item * 7) % shape.V);
        target[n] = (int32_t)((n * 17 + item) % shape.V);
        position[n] = (int32_t)(n % TOKENS);
        dlogp[n] = -1;
    }
    for (size_t s = 0; s <= SEQUENCES; s++)
        start[s] = s * TOKENS;
    arena_reset(arena);
    TRY(activations_place(&a, t->m, N, true, arena, err));
    TRY(ARENA_NEW(arena, scratch, 2 * lmhead_scratch(shape.V, shape.C), err));
    TRY(ARENA_NEW(arena, dhidden, N * shape.C, err));
    TRY(transformer_forward(&a, t->m, &pack, arena, err));
    TRY(lmhead_forward(logp, NULL, NULL, &head, a.hidden, target, N, -1,
                       scratch, err));
    memset(dhidden, 0, N * shape.C * sizeof *dhidden);
    TRY(lmhead_backward(dhidden, model_lmhead_grad(t->m, t->grad[worker]),
                        &head, a.hidden, target, dlogp, NULL, N, scratch, err));
    return transformer_backward(t->grad[worker], &a, t->m, &pack, dhidden,
                                arena, err);
}

static void bench_training(const struct model *m, size_t workers,
                           double seconds)
{
    struct training t = {.m = m};
    struct team *team = NULL;
    struct err err;
    struct moment begin;
    struct moment spent;
    size_t tokens = 0;

    must(team_create(&team, workers, &err), &err);
    must(MEM_NEW(t.arena, workers, &err), &err);
    must(MEM_NEW(t.grad, workers, &err), &err);
    for (size_t w = 0; w < workers; w++)
        must(MEM_NEW(t.grad[w], params_count(&shape), &err), &err);
    must(team_run(team, 2 * workers, train_item, &t, &err), &err);
    (void)gemm_clock_take();
    begin = now();
    do {
        must(team_run(team, ITEMS, train_item, &t, &err), &err);
        tokens += ITEMS * SEQUENCES * TOKENS;
        spent = since(begin);
    } while (spent.wall < seconds);
    report("training", workers, tokens, spent);
    for (size_t w = 0; w < workers; w++) {
        arena_free(&t.arena[w]);
        mem_free(t.grad[w]);
    }
    mem_free(t.arena);
    mem_free(t.grad);
    team_destroy(team);
}

static void bench_generation(const struct model *m, size_t workers,
                             double seconds)
{
    static int32_t prompt[JOBS][PROMPT];
    static int32_t token[JOBS][REPLY];
    static float logp[JOBS][REPLY];
    static struct generate_job job[JOBS];
    struct sampling s = {.temperature = 1, .top_p = 1, .max_new = REPLY};
    struct context context = {0};
    struct err err;
    size_t drawn = 0;
    struct moment begin;
    struct moment spent;

    must(team_create(&context.team, workers, &err), &err);
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t t = 0; t < PROMPT; t++)
            prompt[i][t] = (int32_t)((i * 13 + t * 5) % shape.V);
        job[i] = (struct generate_job){.prompt = prompt[i],
                                       .len_prompt = PROMPT,
                                       .token = token[i],
                                       .logp = logp[i]};
        rng_init(&job[i].rng, 1, RNG_SAMPLE, 0, (uint32_t)i);
    }
    (void)gemm_clock_take();
    begin = now();
    do {
        must(generate_run(job, JOBS, m, &s, &context, &err), &err);
        for (size_t i = 0; i < JOBS; i++)
            drawn += job[i].len;
        spent = since(begin);
    } while (spent.wall < seconds);
    report("generation", workers, drawn, spent);
    team_destroy(context.team);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    size_t processors = team_processors();
    struct model m;
    struct err err;

    must(model_create(&m, &shape, &err), &err);
    params_init(m.params, &shape, 1);
    for (size_t workers = 1;; workers = processors) {
        bench_training(&m, workers, seconds);
        bench_generation(&m, workers, seconds);
        if (workers == processors)
            break;
    }
    model_free(&m);
    return 0;
}

/*
 * bench_generate.c - sampling: many prompts at once, each drawn to its full
 * length at temperature 1.
 *
 *     bench_generate [OPTION ...] f32|bf16 MODEL_FOLDER
 *
 *     --threads N   as many as there are processors
 *     --runs N      3, after one that does not count
 *     --prompts N   32, of random tokens
 *     --samples N   1 of each prompt
 *     --prompt N    64 tokens
 *     --new N       64 tokens
 *     --top-k N, --top-p X
 *     --check 1     also the largest |log-prob drawn - log-prob in training|
 *
 * With bf16 the weights are kept in bfloat16, and products round their other
 * factor to it (--compute bf16); sums are in float.  Prints the formats, the
 * median of the seconds of a run and the tokens drawn in one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "measure.h"
#include "model/checkpoint.h"
#include "model/generate.h"

#define RUNS_MAX 99

struct load {
    size_t threads, runs, prompts, samples, prompt, new, top_k, check;
    double top_p;
};

struct work {
    struct generate_job *job;
    int32_t *prompt, *token;
    float *logp;
    size_t n;
};

static bool parse(struct load *l, int argc, char **argv)
{
    const struct {
        const char *name;
        size_t *value;
    } option[] = {
        {"--threads", &l->threads}, {"--runs", &l->runs},
        {"--prompts", &l->prompts}, {"--samples", &l->samples},
        {"--prompt", &l->prompt},   {"--new", &l->new},
        {"--top-k", &l->top_k},     {"--check", &l->check},
    };

    for (int i = 1; i + 3 < argc; i += 2) {
        bool is_known = strcmp(argv[i], "--top-p") == 0;

        if (is_known)
            l->top_p = strtod(argv[i + 1], NULL);
        for (size_t k = 0; k < sizeof option / sizeof *option; k++) {
            if (strcmp(argv[i], option[k].name) != 0)
                continue;
            *option[k].value = strtoul(argv[i + 1], NULL, 10);
            is_known = true;
        }
        if (!is_known)
            return false;
    }
    return argc % 2 == 1 && l->threads > 0 && l->prompts > 0 && l->prompt > 0 &&
           l->runs > 0 && l->runs <= RUNS_MAX && l->samples > 0;
}

static void make(struct work *w, const struct load *l, size_t V)
{
    struct err err;
    uint32_t x = 1;

    w->n = l->prompts * l->samples;
    measure_must(MEM_NEW(w->job, w->n, &err), &err);
    measure_must(MEM_NEW(w->prompt, l->prompts * l->prompt, &err), &err);
    measure_must(MEM_NEW(w->token, w->n * l->new, &err), &err);
    measure_must(MEM_NEW(w->logp, w->n * l->new, &err), &err);
    for (size_t i = 0; i < l->prompts * l->prompt; i++) {
        x = x * 1664525u + 1013904223u;
        w->prompt[i] = (int32_t)((x >> 8) % V);
    }
    for (size_t i = 0; i < w->n; i++)
        w->job[i] = (struct generate_job){
            .prompt = w->prompt + i / l->samples * l->prompt,
            .len_prompt = l->prompt,
            .token = w->token + i * l->new,
            .logp = w->logp + i * l->new,
        };
}

static double run(struct work *w, const struct model *m, const struct load *l,
                  const struct context *context)
{
    const struct sampling s = {.temperature = 1,
                               .top_p = l->top_p,
                               .top_k = l->top_k,
                               .max_new = l->new};
    struct err err;
    double begin;

    for (size_t i = 0; i < w->n; i++)
        rng_init(&w->job[i].rng, 1, RNG_TEST, 0, (uint32_t)i);
    begin = measure_seconds();
    measure_must(generate_run(w->job, w->n, m, &s, context, &err), &err);
    return measure_seconds() - begin;
}

/* ---- against the forward pass of training -------------------------------- */

struct check {
    const struct work *work;
    const struct model *model;
    struct arena *arena; // [workers]
    double *worst;       // [n]
};

static enum status check_job(void *ctx, size_t item, size_t worker,
                             struct err *err)
{
    const struct check *k = ctx;
    const struct generate_job *job = &k->work->job[item];
    const struct lmhead head = model_lmhead(k->model, 1);
    struct arena *arena = &k->arena[worker];
    size_t first = job->len_prompt - 1, N = first + job->len;
    size_t start[] = {0, N};
    int32_t *token, *position;
    float *logp, *scratch;
    struct activations a;

    arena_reset(arena);
    TRY(ARENA_NEW(arena, token, N + 1, err));
    TRY(ARENA_NEW(arena, position, N, err));
    TRY(ARENA_NEW(arena, logp, job->len, err));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    memcpy(token, job->prompt, job->len_prompt * sizeof *token);
    memcpy(token + job->len_prompt, job->token, job->len * sizeof *token);
    for (size_t t = 0; t < N; t++)
        position[t] = (int32_t)t;
    const struct pack pack = {token, position, start, 1, N, NULL};
    TRY(activations_place(&a, k->model, N, false, arena, err));
    TRY(transformer_forward(&a, k->model, &pack, arena, err));
    TRY(lmhead_forward(logp, NULL, NULL, &head, a.hidden + first * head.C,
                       job->token, job->len, -1, scratch, err));
    for (size_t t = 0; t < job->len; t++) {
        /* Not fmax(), at which gcc 12 breaks off when it compiles for arm64. */
        double off = fabs((double)logp[t] - (double)job->logp[t]);
        k->worst[item] = off > k->worst[item] ? off : k->worst[item];
    }
    return OK;
}

static double check(const struct work *w, const struct model *m,
                    const struct context *context)
{
    struct check k = {.work = w, .model = m};
    double worst = 0;
    struct err err;

    measure_must(MEM_NEW(k.arena, team_size(context->team), &err), &err);
    measure_must(MEM_NEW(k.worst, w->n, &err), &err);
    measure_must(team_run(context->team, w->n, check_job, &k, &err), &err);
    for (size_t i = 0; i < w->n; i++)
        worst = fmax(worst, k.worst[i]);
    return worst;
}

int main(int argc, char **argv)
{
    struct load l = {.threads = team_processors(),
                     .runs = 3,
                     .prompts = 32,
                     .samples = 1,
                     .prompt = 64,
                     .new = 64,
                     .top_p = 1};
    const char *formats = argc > 2 ? argv[argc - 2] : "";
    bool is_bf16 = strcmp(formats, "bf16") == 0;
    double seconds[RUNS_MAX];
    struct context context = {.team = NULL};
    struct work w = {.n = 0};
    struct model m;
    struct err err;

    if (!parse(&l, argc, argv) || (!is_bf16 && strcmp(formats, "f32") != 0)) {
        (void)fprintf(stderr, "bench_generate [--threads N] [--runs N] "
                              "[--prompts N] [--samples N] [--prompt N] "
                              "[--new N] [--top-k N] [--top-p X] [--check 1] "
                              "f32|bf16 MODEL_FOLDER\n");
        return 2;
    }
    measure_must(checkpoint_read_as(&m, argv[argc - 1], HEAD_LM,
                                    is_bf16 ? MODEL_BF16_BY_BF16 : MODEL_F32,
                                    &err),
                 &err);
    m.config.eos = -1; // every response is drawn to its full length
    m.config.n_stop = 0;
    measure_must(team_create(&context.team, l.threads, &err), &err);
    make(&w, &l, m.config.V);
    for (size_t i = 0; i <= l.runs; i++)
        seconds[i > 0 ? i - 1 : 0] = run(&w, &m, &l, &context);
    (void)printf("formats %s\n", formats);
    (void)printf("tokens %zu\n", w.n * l.new);
    if (l.check)
        (void)printf("error %.3g\n", check(&w, &m, &context));
    (void)printf("seconds %.6f\n", measure_median(seconds, l.runs));
    return 0;
}

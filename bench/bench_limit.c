/*
 * bench_limit.c - the least time that a training step of bench_step.c could
 * take here: its products at the peak of oneDNN, and its optimiser's memory
 * traffic at that of the memory, both measured now.
 *
 *     bench_limit [f32|bf16|auto [THREADS]]
 *
 * Products: 2 operations for each weight of a matrix and token forward, twice
 * that backward.  Attention's own products and everything else are not counted.
 * Their rate is that of all threads together, each with its own products of
 * 1,024 x 1,024 matrices, the best of several rounds.  Traffic: AdamW reads
 * parameters, gradients and two moments and writes three of them; its rate is
 * that of the same reads and writes without the arithmetic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "measure.h"
#include "nn/gemm.h"
#include "nn/gemm16.h"

#define SIZE 1024
#define ROUNDS 12
#define WORDS ((size_t)1 << 24) // of an array of each thread, 64 MiB
#define THREADS_MAX 64

/* GPT-2's smallest shape, and the tokens of a step. */
#define LAYER_WEIGHTS (12.0 * 768 * 768)
#define WEIGHTS (12 * LAYER_WEIGHTS + 50257.0 * 768)
#define PARAMETERS (WEIGHTS + 1024 * 768.0)
#define TOKENS (4 * 64)
#define OPERATIONS (6 * WEIGHTS * TOKENS)
#define TRAFFIC (7 * sizeof(float) * PARAMETERS)

static struct {
    bool is_bf16;
    float *a, *b, *c[THREADS_MAX];
    uint16_t *a16, *b16;
    float *x[THREADS_MAX]; // four arrays
} work;

static enum status multiply(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    (void)ctx, (void)worker;
    if (work.is_bf16) {
        const struct gemm16 p = {.C = work.c[item],
                                 .A = work.a16,
                                 .B = work.b16,
                                 .form = GEMM_NT,
                                 .ldc = SIZE,
                                 .lda = SIZE,
                                 .ldb = SIZE,
                                 .M = SIZE,
                                 .N = SIZE,
                                 .K = SIZE};
        return gemm16(&p, err);
    }
    return gemm_nt(work.c[item], work.a, work.b, SIZE, SIZE, SIZE, false, err);
}

static enum status stream(void *ctx, size_t item, size_t worker,
                          struct err *err)
{
    float *restrict p = work.x[item], *restrict m = p + WORDS;
    float *restrict v = m + WORDS;
    const float *restrict g = v + WORDS;

    (void)ctx, (void)worker, (void)err;
    for (size_t i = 0; i < WORDS; i++) {
        m[i] += g[i];
        v[i] -= g[i];
        p[i] += m[i];
    }
    return OK;
}

/* The best time of a round in which every thread does it once. */
static double best(struct team *team, team_fn fn)
{
    double least = 1e30;
    struct err err;

    for (int i = 0; i < ROUNDS; i++) {
        double begin = measure_seconds();
        measure_must(team_run(team, team_size(team), fn, NULL, &err), &err);
        double seconds = measure_seconds() - begin;
        least = seconds < least ? seconds : least;
    }
    return least;
}

static void make(size_t threads)
{
    struct err err;
    size_t n = (size_t)SIZE * SIZE;

    work.a = measure_floats(n);
    work.b = measure_floats(n);
    measure_must(MEM_NEW(work.a16, n, &err), &err);
    measure_must(MEM_NEW(work.b16, n, &err), &err);
    gemm16_round(work.a16, work.a, n);
    gemm16_round(work.b16, work.b, n);
    for (size_t i = 0; i < threads; i++) {
        work.c[i] = measure_floats(n);
        work.x[i] = measure_floats(4 * WORDS);
    }
}

int main(int argc, char **argv)
{
    const char *formats = argc > 1 ? argv[1] : "f32";
    size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : team_processors();
    struct team *team;
    struct err err;

    if (threads < 1 || threads > THREADS_MAX) {
        (void)fprintf(stderr, "bench_limit [f32|bf16|auto [THREADS]]\n");
        return 2;
    }
    work.is_bf16 = strcmp(formats, "bf16") == 0 ||
                   (strcmp(formats, "auto") == 0 && gemm16_pays());
    make(threads);
    measure_must(team_create(&team, threads, &err), &err);
    double products =
        (double)threads * 2.0 * SIZE * SIZE * SIZE / best(team, multiply);
    double memory = (double)threads * 7.0 * sizeof(float) * (double)WORDS /
                    best(team, stream);
    team_destroy(team);
    (void)printf("formats %s\n", work.is_bf16 ? "bf16" : "f32");
    (void)printf("gflops %.1f\n", 1e-9 * products);
    (void)printf("gbytes %.2f\n", 1e-9 * memory);
    (void)printf("seconds %.6f\n", OPERATIONS / products + TRAFFIC / memory);
    return 0;
}

/*
 * bench_limit.c - the least time that a training step of bench_step.c could
 * take here: its products at the peak of oneDNN, and its optimiser's memory
 * traffic at that of the memory, both measured now.
 *
 *     bench_limit [f32|bf16|auto [THREADS]]
 *
 * Products: 2 operations for each weight of a matrix and token forward, twice
 * that backward.  Attention's own products and everything else are not counted.
 * Their rate is that of peak.h.  Traffic: AdamW reads parameters, gradients and
 * two moments and writes three of them; its rate is that of the same reads and
 * writes without the arithmetic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "measure.h"
#include "nn/gemm16.h"
#include "peak.h"

#define WORDS ((size_t)1 << 24) // of an array of each thread, 64 MiB
#define THREADS_MAX 64

/* GPT-2's smallest shape, and the tokens of a step. */
#define LAYER_WEIGHTS (12.0 * 768 * 768)
#define WEIGHTS (12 * LAYER_WEIGHTS + 50257.0 * 768)
#define PARAMETERS (WEIGHTS + 1024 * 768.0)
#define TOKENS (4 * 64)
#define OPERATIONS (6 * WEIGHTS * TOKENS)
#define TRAFFIC (7 * sizeof(float) * PARAMETERS)

static float *array[THREADS_MAX]; // four, one behind the other

static enum status stream(void *ctx, size_t item, size_t worker,
                          struct err *err)
{
    float *restrict p = array[item], *restrict m = p + WORDS;
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
    bool is_bf16 = strcmp(formats, "bf16") == 0 ||
                   (strcmp(formats, "auto") == 0 && gemm16_pays());
    for (size_t i = 0; i < threads; i++)
        array[i] = measure_floats(4 * WORDS);
    measure_must(team_create(&team, threads, &err), &err);
    double products = peak_products(team, is_bf16).together;
    double memory = (double)threads * 7.0 * sizeof(float) * (double)WORDS /
                    peak_round(team, stream, NULL);
    team_destroy(team);
    (void)printf("formats %s\n", is_bf16 ? "bf16" : "f32");
    (void)printf("gflops %.1f\n", 1e-9 * products);
    (void)printf("gbytes %.2f\n", 1e-9 * memory);
    (void)printf("seconds %.6f\n", OPERATIONS / products + TRAFFIC / memory);
    return 0;
}

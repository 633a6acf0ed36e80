#include "peak.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "measure.h"
#include "nn/gemm.h"
#include "nn/gemm16.h"

#define SIZE ((size_t)1024)
#define ROUNDS 12

struct work {
    bool is_bf16;
    float *a, *b, *c; // c of every item
    uint16_t *a16, *b16;
    double *least; // ns of a product, of every item
};

static enum status product(const struct work *w, float *c, struct err *err)
{
    if (w->is_bf16) {
        const struct gemm16 p = {.C = c,
                                 .A = w->a16,
                                 .B = w->b16,
                                 .form = GEMM_NT,
                                 .ldc = SIZE,
                                 .lda = SIZE,
                                 .ldb = SIZE,
                                 .M = SIZE,
                                 .N = SIZE,
                                 .K = SIZE};
        return gemm16(&p, err);
    }
    return gemm_nt(c, w->a, w->b, SIZE, SIZE, SIZE, false, err);
}

static enum status multiply(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    const struct work *w = ctx;
    double begin = measure_now_ns();

    (void)worker;
    TRY(product(w, w->c + item * SIZE * SIZE, err));
    w->least[item] = fmin(w->least[item], measure_now_ns() - begin);
    return OK;
}

double peak_round(struct team *team, team_fn fn, void *ctx)
{
    double least = 1e30;
    struct err err;

    for (int i = 0; i < ROUNDS; i++) {
        double begin = measure_seconds();
        measure_must(team_run(team, team_size(team), fn, ctx, &err), &err);
        double seconds = measure_seconds() - begin;
        least = seconds < least ? seconds : least;
    }
    return least;
}

struct peak peak_products(struct team *team, bool is_bf16)
{
    const double operations = 2.0 * (double)(SIZE * SIZE * SIZE);
    size_t n = SIZE * SIZE, workers = team_size(team);
    double ns = (double)INFINITY;
    struct work w = {.is_bf16 = is_bf16,
                     .a = measure_floats(n),
                     .b = measure_floats(n),
                     .c = measure_floats(n * workers)};
    struct err err;

    measure_must(MEM_NEW(w.a16, n, &err), &err);
    measure_must(MEM_NEW(w.b16, n, &err), &err);
    measure_must(MEM_NEW(w.least, workers, &err), &err);
    for (size_t i = 0; i < workers; i++)
        w.least[i] = (double)INFINITY;
    gemm16_round(w.a16, w.a, n);
    gemm16_round(w.b16, w.b, n);
    double seconds = peak_round(team, multiply, &w);
    for (size_t i = 0; i < workers; i++)
        ns = fmin(ns, w.least[i]);
    mem_free(w.a);
    mem_free(w.b);
    mem_free(w.c);
    mem_free(w.a16);
    mem_free(w.b16);
    mem_free(w.least);
    return (struct peak){.together = (double)workers * operations / seconds,
                         .core = 1e9 * operations / ns};
}

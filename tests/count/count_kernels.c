/*
 * count_kernels.c - one kernel of nn/ at one shape, for counting what its
 * instructions are (counts.sh): what is done before and after is not counted.
 *
 *     count_kernels NAME
 *
 * Prints the ISA level that kernels are picked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/adamw.h"
#include "nn/ops.h"

enum {
    ROWS = 64,
    WIDTH = 576,
    INNER = 1536
};

static float *floats(size_t n)
{
    float *x = mem_calloc(n, sizeof *x);
    struct rng r;

    if (x == NULL)
        exit(1);
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_uniform(&r) - 0.5f;
    return x;
}

static float *a, *b, *c, *d, *e, *f;

static void rmsnorm(void)
{
    rmsnorm_forward(a, b, c, d, ROWS, WIDTH, 1e-5f);
    rmsnorm_backward(e, f, a, c, d, b, ROWS, WIDTH);
}

static void swiglu(void)
{
    swiglu_forward(a, c, ROWS, INNER);
    swiglu_backward(b, a, c, ROWS, INNER);
}

static void adamw(void)
{
    const struct adamw how = {.lr = 1e-3,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .weight_decay = 0.01,
                              .t = 3,
                              .grad_scale = 1};

    adamw_update(a, b, c, d, (size_t)ROWS * INNER, true, &how);
}

/* What callgrind is told to collect in: not inlined, and named. */
__attribute__((noinline)) static void counted(void (*kernel)(void))
{
    kernel();
    kernel();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } kernels[] = {{"rmsnorm", rmsnorm}, {"swiglu", swiglu}, {"adamw", adamw}};
    const size_t n = (size_t)2 * ROWS * INNER;
    const char *level = "v1";

    a = floats(n);
    b = floats(n);
    c = floats(n);
    d = floats(n);
    e = floats(n);
    f = floats(n);
    /* Moments are never negative. */
    for (size_t i = 0; i < n; i++)
        c[i] = c[i] < 0 ? -c[i] : c[i];
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        level = __builtin_cpu_supports("avx512f") ? "v4" : "v3";
#endif
    (void)printf("level %s\n", level);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (argc == 2 && strcmp(argv[1], kernels[i].name) == 0) {
            counted(kernels[i].run);
            return 0;
        }
    (void)fprintf(stderr, "count_kernels rmsnorm|swiglu|adamw\n");
    return 2;
}

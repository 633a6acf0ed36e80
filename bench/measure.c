#include "measure.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"

double measure_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double measure_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *x, const void *y)
{
    double d = *(const double *)x - *(const double *)y;
    return (d > 0.0) - (d < 0.0);
}

void measure_sort(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
}

double measure_median(double *x, size_t n)
{
    measure_sort(x, n);
    return 0.5 * (x[(n - 1) / 2] + x[n / 2]);
}

double measure_ns(void (*fn)(void), int calls, int repeats)
{
    double t[32];
    assert(repeats <= 32);
    fn();
    for (int i = 0; i < repeats; i++) {
        double start = measure_now_ns();
        for (int k = 0; k < calls; k++)
            fn();
        t[i] = (measure_now_ns() - start) / calls;
    }
    measure_sort(t, (size_t)repeats);
    return t[repeats / 2];
}

float *measure_floats(size_t n)
{
    static uint32_t stream;
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 0, stream++);
    float *x = mem_calloc(n, sizeof *x);
    if (x == NULL) {
        fprintf(stderr, "no memory for %zu floats\n", n);
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * rng_normal(&r));
    return x;
}

void measure_must(enum status status, const struct err *err)
{
    if (status != OK) {
        fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

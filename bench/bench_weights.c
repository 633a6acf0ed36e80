/*
 * bench_weights.c - how fast stored values become floats.
 *
 *     bench_weights          each type, from memory
 *     bench_weights MODEL    a file or folder as a whole, and what it takes
 *
 * One thread.  GB/s count the floats written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "io/weights.h"

#define VALUES ((size_t)1 << 20) // 4 MiB of floats
#define RUNS 20

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best(double a, double b)
{
    return a < b ? a : b;
}

/* Best of RUNS, to float, to bf16, and back where there is a way back. */
static enum status measure(enum tensor_type type, unsigned char *data, float *x,
                           struct err *err)
{
    struct tensor_view t = {
        .name = "x",
        .type = type,
        .n_dim = 1,
        .dim = {VALUES},
        .count = VALUES,
        .data = data,
    };
    double to_float = 1e9, to_bf16 = 1e9, back = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = seconds();
        TRY(tensor_floats(x, &t, 0, VALUES, err));
        to_float = best(to_float, seconds() - start);
        start = seconds();
        TRY(tensor_bf16((uint16_t *)x, &t, 0, VALUES, err));
        to_bf16 = best(to_bf16, seconds() - start);
    }
    for (size_t i = 0; i < VALUES; i++)
        x[i] = (float)i / 4096;
    for (int i = 0; i < RUNS && type <= TENSOR_Q8_0; i++) {
        double start = seconds();
        TRY(tensor_encode(data, type, x, VALUES, "x", err));
        back = best(back, seconds() - start);
    }
    printf("%-5s  to float %5.1f GB/s, to bf16 %5.1f GB/s",
           tensor_type_name(type), 4e-9 * (double)VALUES / to_float,
           4e-9 * (double)VALUES / to_bf16);
    if (type <= TENSOR_Q8_0)
        printf(", from float %5.1f GB/s", 4e-9 * (double)VALUES / back);
    printf("\n");
    return OK;
}

static enum status measure_types(struct err *err)
{
    unsigned char *data = NULL;
    float *x = NULL;
    enum status status = OK;
    TRY_DONE(MEM_NEW(data, 4 * VALUES, err));
    TRY_DONE(MEM_NEW(x, VALUES, err));
    for (size_t i = 0; i < 4 * VALUES; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13 & 0x3b); // normal F16
    for (int type = 0; status == OK && type < TENSOR_OTHER; type++)
        status = measure((enum tensor_type)type, data, x, err);
done:
    mem_free(x);
    mem_free(data);
    return status;
}

static double peak(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* All tensors into one array. */
static enum status load(const char *path, struct err *err)
{
    struct weights w = {0};
    float *x = NULL;
    size_t n = 0;
    enum status status;
    double before = peak(), start = seconds();
    TRY_DONE(weights_open(&w, path, err));
    double opened = seconds();
    for (size_t i = 0; i < w.n; i++)
        n += weights_at(&w, i)->count;
    TRY_DONE(MEM_NEW(x, n, err));
    float *at = x;
    for (size_t i = 0; i < w.n; i++) {
        TRY_DONE(weights_floats(at, &w, weights_at(&w, i), err));
        at += weights_at(&w, i)->count;
    }
    double mib = 4 * (double)n / (1 << 20);
    double taken = seconds() - opened;
    printf("%zu tensors, %.1f MiB as float: opened in %.1f ms, read in %.0f ms "
           "(%.2f GB/s), %.1f MiB at the peak (%.3f times)\n",
           w.n, mib, 1e3 * (opened - start), 1e3 * taken,
           4e-9 * (double)n / taken, peak() - before, (peak() - before) / mib);
done:
    mem_free(x);
    weights_close(&w);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    enum status status = argc > 1 ? load(argv[1], &err) : measure_types(&err);
    if (status != OK)
        (void)fprintf(stderr, "bench_weights: %s\n", err.text);
    return status != OK;
}

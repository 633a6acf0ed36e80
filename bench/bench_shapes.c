#include "bench_shapes.h"

#include <stdio.h>

#include "measure.h"
#include "nn/adamw.h"
#include "nn/attention.h"
#include "nn/gemm.h"
#include "nn/lmhead.h"
#include "nn/ops.h"

enum {
    C = 576,
    H = 9,
    G = 3,
    D = 64,
    F = 1536,
    V = 49152,
    QKV = (H + 2 * G) * D,
    N = 256, // tokens of the other kernels' packs
    N_MAX = 1024,
    REPEATS = 9,
};

static struct {
    float *qkv, *dqkv, *out, *dout, *lse, *scratch; // attention
    float *x, *y, *weight, *dweight, *moment;       // anything of any size
    float *row;
    int32_t target[N];
    size_t start[8], parent[8];
    struct pack pack;
    struct lmhead head;
    size_t m, n, k; // of a product
} b;

/* Median time of one call in ns. */
static double time_ns(void (*fn)(void), int calls)
{
    return measure_ns(fn, calls, REPEATS);
}

static void run_attention(void)
{
    attention_forward(b.out, b.lse, b.qkv, &b.pack, H, G, D, b.scratch);
}

static void run_attention_back(void)
{
    attention_backward(b.dqkv, b.dout, b.out, b.lse, b.qkv, &b.pack, H, G, D,
                       b.scratch);
}

static void run_attention_both(void)
{
    run_attention();
    run_attention_back();
}

static void run_product(void)
{
    struct err err;
    measure_must(gemm_nt(b.y, b.x, b.weight, b.m, b.n, b.k, false, &err), &err);
}

static void run_head(void)
{
    struct err err;
    measure_must(lmhead_forward(b.row, NULL, NULL, &b.head, b.x, b.target, N, 0,
                                b.scratch, &err),
                 &err);
}

static void run_head_back(void)
{
    struct err err;
    measure_must(lmhead_backward(b.y, NULL, &b.head, b.x, b.target, b.row, NULL,
                                 N, b.scratch, &err),
                 &err);
}

static void run_norm(void)
{
    rmsnorm_forward(b.y, b.row, b.x, b.weight, N, C, 1e-5f);
}

static void run_norm_back(void)
{
    rmsnorm_backward(b.y, b.dweight, b.dout, b.x, b.weight, b.row, N, C);
}

static void run_swiglu(void)
{
    swiglu_forward(b.y, b.x, N, F);
}

static void run_swiglu_back(void)
{
    swiglu_backward(b.y, b.dweight, b.x, N, F);
}

static void run_adamw(void)
{
    struct adamw a = {1e-4, 0.9, 0.95, 1e-8, 0.1, 1, 1.0};
    adamw_update(b.weight, b.dweight, b.moment, b.y, (size_t)C * F, true, &a);
    for (size_t i = 0; i < (size_t)C * F; i++)
        b.moment[i] = 1e-4f; // a second moment is never negative
}

static void bench_attention(void)
{
    printf("attention, H %d G %d D %d    forward               backward\n", H,
           G, D);
    for (size_t T = 64; T <= 512; T *= 2) {
        b.start[1] = T;
        b.pack = (struct pack){.start = b.start, .n_seq = 1, .N = T};
        double flop = 2.0 * (double)(T * (T + 1)) * D * H;
        double f = time_ns(run_attention, 5);
        double g = time_ns(run_attention_back, 5);
        printf("T %3zu  %8.0f ns/token %6.1f GFLOP/s  %8.0f ns/token %6.1f "
               "GFLOP/s\n",
               T, f / (double)T, flop / f, g / (double)T, 2.5 * flop / g);
    }
}

/* `responses` of 64 tokens on a prompt of 192. */
static void bench_sharing(size_t responses)
{
    enum {
        PROMPT = 192,
        RESPONSE = 64
    };
    for (size_t s = 0; s < responses; s++)
        b.start[s + 1] = (s + 1) * (PROMPT + RESPONSE);
    b.pack = (struct pack){
        .start = b.start, .n_seq = responses, .N = b.start[responses]};
    double apart = time_ns(run_attention_both, 5);
    for (size_t s = 0; s <= responses; s++) {
        b.start[s + 1] = PROMPT + s * RESPONSE;
        b.parent[s] = s == 0 ? PACK_ROOT : 0;
    }
    b.pack = (struct pack){.start = b.start,
                           .n_seq = responses + 1,
                           .N = b.start[responses + 1],
                           .parent = b.parent};
    double shared = time_ns(run_attention_both, 5);
    printf("%zu responses of %d on a prompt of %d: attention %.2f ms apart, "
           "%.2f ms shared, %.2f times as fast\n",
           responses, RESPONSE, PROMPT, 1e-6 * apart, 1e-6 * shared,
           apart / shared);
}

static void bench_products(void)
{
    static const struct {
        const char *name;
        size_t n, k;
    } products[] = {
        {"qkv", QKV, C}, {"gate_up", 2 * F, C}, {"down", C, F}, {"head", V, C}};
    static const size_t rows[] = {1, 8, 32, 64, 256};
    printf("\nproducts of    ");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        printf("%7zu", rows[r]);
    printf(" rows, GFLOP/s\n");
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        b.n = products[i].n;
        b.k = products[i].k;
        printf("%-8s %6zu", products[i].name, b.n);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            b.m = rows[r];
            double flop = 2.0 * (double)b.m * (double)(b.n * b.k);
            printf("%7.1f", flop / time_ns(run_product, b.n == V ? 1 : 10));
        }
        printf("\n");
    }
}

static void print_pair(const char *name, void (*forward)(void),
                       void (*backward)(void), int calls)
{
    printf("%-8s %9.0f %9.0f ns/token\n", name, time_ns(forward, calls) / N,
           time_ns(backward, calls) / N);
}

void bench_shapes(void)
{
    float **const of_pack[] = {&b.qkv, &b.dqkv, &b.out, &b.dout, &b.x};
    for (size_t i = 0; i < sizeof of_pack / sizeof *of_pack; i++)
        *of_pack[i] = measure_floats((size_t)N_MAX * 2 * F);
    b.lse = measure_floats((size_t)N_MAX * H);
    b.row = measure_floats(N_MAX);
    b.y = measure_floats((size_t)N * V);
    b.weight = measure_floats((size_t)V * C);
    b.dweight = measure_floats((size_t)N * 2 * F + (size_t)C * F);
    b.moment = measure_floats((size_t)C * F);
    b.scratch =
        measure_floats(2 * lmhead_scratch(V, C) + attention_scratch(N_MAX, D));
    b.head = (struct lmhead){{.f32 = b.weight}, NULL, V, C, 1.0f};
    for (int32_t n = 0; n < N; n++)
        b.target[n] = n * 7 % V;
    printf("\nAt the shape of SmolLM2-135M\n\n");
    bench_attention();
    bench_sharing(2);
    bench_sharing(4);
    bench_products();
    printf("\nkernel     forward  backward\n");
    print_pair("lmhead", run_head, run_head_back, 1);
    print_pair("rmsnorm", run_norm, run_norm_back, 20);
    print_pair("swiglu", run_swiglu, run_swiglu_back, 20);
    printf("adamw    %9.2f ns/parameter\n", time_ns(run_adamw, 5) / (C * F));
}

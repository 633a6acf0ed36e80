/*
 * bench_nn.c - what the kernels of nn/ cost at the demo's shape, and whether
 * all element work of a token costs more than its products.
 *
 * Every figure is the median of REPEATS timings on one worker.  Products are
 * set against a 1024^3 product measured in the same run.  Then follow the shape
 * of a real model (bench_shapes.h) and weights in another order
 * (bench_packed.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "bench_packed.h"
#include "bench_shapes.h"
#include "measure.h"
#include "nn/adamw.h"
#include "nn/attention.h"
#include "nn/gemm.h"
#include "nn/lmhead.h"
#include "nn/ops.h"
#include "nn/paged.h"
#include "nn/rope.h"
#include "nn/weight.h"

/* The demo's policy, and a pack of six sequences. */
enum {
    C = 64,
    L = 2,
    H = 4,
    G = 4,
    D = 16,
    F = 160,
    V = 413,
    T = 60,
    SEQS = 6,
    N = T * SEQS,
    B = 32, // sequences of a decoding batch
    QKV = (H + 2 * G) * D,
    BIG = 1024,
    REPEATS = 15,
};

static struct {
    float *x, *y, *big_a, *big_b, *big_c; // anything of the needed size
    float *qkv, *dqkv, *out, *dout, *lse, *rstd, *weight, *scratch;
    struct rope rope;
    double rate[D / 2];
    float *norm, *dnorm, *gate_up, *dgate_up, *act, *hidden, *dhidden;
    float *dweight, *row, *dlogp, *dentropy, *cache;
    int32_t token[N], position[N], target[N];
    uint8_t banned[V];
    size_t start[SEQS + 1], len[B];
    float *page[B][(T + PAGED_ROWS - 1) / PAGED_ROWS];
    struct pack pack;
    struct lmhead head;
    double ceiling; // FLOP per ns
    double element, product;
} b;

/* Median time of one call in ns. */
static double time_ns(void (*fn)(void), int calls)
{
    return measure_ns(fn, calls, REPEATS);
}

static void set_up(void)
{
    float **const big[] = {&b.x,       &b.y,      &b.qkv,     &b.dqkv,
                           &b.out,     &b.dout,   &b.norm,    &b.dnorm,
                           &b.act,     &b.hidden, &b.dhidden, &b.gate_up,
                           &b.dgate_up};
    for (size_t i = 0; i < sizeof big / sizeof big[0]; i++)
        *big[i] = measure_floats((size_t)N * 2 * V);
    float **const small[] = {&b.lse, &b.rstd, &b.row, &b.dlogp, &b.dentropy};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        *small[i] = measure_floats((size_t)N * H);
    b.weight = measure_floats((size_t)V * 2 * F);
    b.dweight = measure_floats((size_t)V * 2 * F);
    b.rope = (struct rope){D, T, b.rate, measure_floats((size_t)T * D)};
    size_t pages = sizeof b.page[0] / sizeof b.page[0][0];
    b.cache = measure_floats(B * pages * paged_floats(G, D));
    b.big_a = measure_floats((size_t)BIG * BIG);
    b.big_b = measure_floats((size_t)BIG * BIG);
    b.big_c = measure_floats((size_t)BIG * BIG);
    b.scratch =
        measure_floats(2 * lmhead_scratch(V, C) + attention_scratch(T, D));
    rope_rates(b.rope.rate, D, 10000.0,
               &(struct rope_stretch){.kind = ROPE_PLAIN});
    rope_table(b.rope.table, b.rope.rate, T, D);
    for (int n = 0; n < N; n++) {
        b.position[n] = n % T;
        b.token[n] = b.target[n] = n * 7 % V;
    }
    for (size_t s = 0; s <= SEQS; s++)
        b.start[s] = s * T;
    for (size_t i = 0; i < B; i++) {
        for (size_t p = 0; p < pages; p++)
            b.page[i][p] = b.cache + (i * pages + p) * paged_floats(G, D);
        b.len[i] = T / 2 + i % (T / 2);
    }
    b.pack = (struct pack){b.token, b.position, b.start, SEQS, N, NULL};
    b.head = (struct lmhead){{.f32 = b.weight}, b.banned, V, C, 1.0f};
}

/* The products of the model, as forward passes (nt) and the two backward
 * passes (nn for the input, tn for the weight). */
static struct {
    const char *name;
    size_t n, k;
    int times; // per token and layer; the head once
} const products[] = {
    {"[q;k;v]", QKV, C, L}, {"o", C, H *D, L}, {"[gate;up]", 2 * F, C, L},
    {"down", C, F, L},      {"head", V, C, 1},
};
static size_t product_i, product_rows;

static void product_nt(void)
{
    struct err err;
    measure_must(gemm_nt(b.y, b.x, b.weight, product_rows,
                         products[product_i].n, products[product_i].k, false,
                         &err),
                 &err);
}

static void product_nn(void)
{
    struct err err;
    measure_must(gemm_nn(b.x, b.y, b.weight, product_rows,
                         products[product_i].k, products[product_i].n, false,
                         &err),
                 &err);
}

static void product_tn(void)
{
    struct err err;
    measure_must(gemm_tn(b.dweight, b.y, b.x, products[product_i].n,
                         products[product_i].k, product_rows, true, &err),
                 &err);
}

static void product_big(void)
{
    struct err err;
    measure_must(gemm_nn(b.big_c, b.big_a, b.big_b, BIG, BIG, BIG, false, &err),
                 &err);
}

static void bench_products(void)
{
    b.ceiling = 2.0 * BIG * BIG * BIG / time_ns(product_big, 1);
    printf("product 1024^3: %.1f GFLOP/s\n\n", b.ceiling);
    printf("%-10s %4s %4s %5s %8s %6s %6s %6s   GFLOP/s (%% of 1024^3)\n",
           "product", "N", "K", "rows", "ns/token", "nt", "nn", "tn");
    const size_t rows[] = {N, B};
    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
            product_i = i;
            product_rows = rows[r];
            double flop =
                2.0 * (double)(rows[r] * products[i].n * products[i].k);
            double nt = time_ns(product_nt, 50);
            double nn = time_ns(product_nn, 50);
            double tn = time_ns(product_tn, 50);
            double token = (nt + nn + tn) / (double)rows[r];
            if (r == 0)
                b.product += token * products[i].times;
            printf("%-10s %4zu %4zu %5zu %8.0f %6.1f %6.1f %6.1f   %.0f%%\n",
                   products[i].name, products[i].n, products[i].k, rows[r],
                   token, flop / nt, flop / nn, flop / tn,
                   100.0 * 3.0 * flop / (nt + nn + tn) / b.ceiling);
        }
    }
}

static void run_embed(void)
{
    weight_rows(b.out, (struct weight){.f32 = b.weight}, b.token, N, C);
}

static void run_embed_back(void)
{
    embed_backward(b.dweight, b.dout, b.token, N, C);
}

static void run_norm(void)
{
    rmsnorm_forward(b.norm, b.rstd, b.x, b.weight, N, C, 1e-5f);
}

static void run_norm_back(void)
{
    rmsnorm_backward(b.dnorm, b.dweight, b.dout, b.x, b.weight, b.rstd, N, C);
}

static void run_rope(void)
{
    rope_apply(b.qkv, QKV, &b.rope, b.position, N, H + G, false);
}

static void run_rope_back(void)
{
    rope_apply(b.qkv, QKV, &b.rope, b.position, N, H + G, true);
}

static void run_swiglu(void)
{
    swiglu_forward(b.act, b.gate_up, N, F);
}

static void run_swiglu_back(void)
{
    swiglu_backward(b.dgate_up, b.dout, b.gate_up, N, F);
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

static void run_head(void)
{
    struct err err;
    measure_must(lmhead_forward(b.row, NULL, NULL, &b.head, b.hidden, b.target,
                                N, 0, b.scratch, &err),
                 &err);
}

static void run_head_entropy(void)
{
    struct err err;
    measure_must(lmhead_forward(b.row, b.row + N, b.row + 2 * N, &b.head,
                                b.hidden, b.target, N, 0, b.scratch, &err),
                 &err);
}

static void run_head_compare(void)
{
    struct err err;
    struct lmhead_pair out = {b.row, b.row + N, b.row + 2 * N,
                              b.lse, b.lse + N, b.lse + 2 * N};
    measure_must(lmhead_compare(&out, &b.head, b.hidden, &b.head, b.dhidden,
                                b.target, N, 0, b.scratch, &err),
                 &err);
}

static void run_head_back(void)
{
    struct err err;
    measure_must(lmhead_backward(b.dhidden, b.dweight, &b.head, b.hidden,
                                 b.target, b.dlogp, NULL, N, b.scratch, &err),
                 &err);
}

static void run_head_back_entropy(void)
{
    struct err err;
    measure_must(lmhead_backward(b.dhidden, b.dweight, &b.head, b.hidden,
                                 b.target, b.dlogp, b.dentropy, N, b.scratch,
                                 &err),
                 &err);
}

static void run_decode(void)
{
    for (size_t i = 0; i < B; i++)
        paged_attend(b.out + i * H * D, b.qkv + i * (H + 2 * G) * D, b.page[i],
                     0, b.len[i], H, G, D, b.scratch);
}

static void run_softmax(void)
{
    for (size_t i = 0; i < B; i++)
        lmhead_softmax(b.x + i * V, &b.head);
}

static void run_adamw(void)
{
    struct adamw a = {1e-4, 0.9, 0.95, 1e-8, 0.1, 1, 1.0};
    adamw_update(b.big_a, b.big_b, b.big_c, b.qkv, (size_t)N * V, true, &a);
    for (size_t i = 0; i < (size_t)N * V; i++)
        b.big_c[i] = 1e-4f; // a second moment is never negative
}

static void print_pair(const char *name, void (*forward)(void),
                       void (*backward)(void), int times)
{
    double f = time_ns(forward, 20) / N, g = time_ns(backward, 20) / N;
    b.element += times * (f + g);
    printf("%-22s %8.0f %8.0f %5d %8.0f\n", name, f, g, times, times * (f + g));
}

static void bench_elements(void)
{
    printf("\n%-22s %8s %8s %5s %8s   ns/token\n", "kernel", "forward",
           "backward", "times", "sum");
    print_pair("embed", run_embed, run_embed_back, 1);
    print_pair("rmsnorm", run_norm, run_norm_back, 2 * L + 1);
    print_pair("rope", run_rope, run_rope_back, L);
    print_pair("attention", run_attention, run_attention_back, L);
    print_pair("swiglu", run_swiglu, run_swiglu_back, L);
    /* The head's own products are subtracted: nt forward, all three back. */
    product_i = 4;
    product_rows = LMHEAD_CHUNK;
    double nt = time_ns(product_nt, 50) / LMHEAD_CHUNK;
    double rest =
        (time_ns(product_nn, 50) + time_ns(product_tn, 50)) / LMHEAD_CHUNK;
    double forward = time_ns(run_head, 20) / N - nt;
    double backward = time_ns(run_head_back, 20) / N - nt - rest;
    b.element += forward + backward;
    printf("%-22s %8.0f %8.0f %5d %8.0f   (products of %.0f and %.0f apart)\n",
           "lmhead", forward, backward, 1, forward + backward, nt, nt + rest);
    printf("\nall element work %.0f ns/token, all products %.0f ns/token: "
           "ratio %.2f\n\n",
           b.element, b.product, b.element / b.product);
    printf("lmhead, entropy, p_eos %8.0f %8.0f ns/token with products\n",
           time_ns(run_head_entropy, 20) / N,
           time_ns(run_head_back_entropy, 20) / N);
    printf("lmhead_compare, all    %8.0f ns/token with products\n",
           time_ns(run_head_compare, 20) / N);
    printf("paged_attend           %8.0f ns/token and layer, %d at %d keys\n",
           time_ns(run_decode, 50) / B, B, 3 * T / 4);
    printf("lmhead_softmax         %8.0f ns/row\n",
           time_ns(run_softmax, 50) / B);
    printf("adamw_update           %8.2f ns/parameter\n",
           time_ns(run_adamw, 5) / (N * V));
}

static enum status bench(void *ctx, size_t item, size_t worker, struct err *err)
{
    (void)ctx, (void)item, (void)worker, (void)err;
    set_up();
    bench_products();
    bench_elements();
    bench_shapes();
    bench_packed();
    return OK;
}

int main(void)
{
    struct team *team;
    struct err err;
    measure_must(team_create(&team, 1, &err), &err);
    measure_must(team_run(team, 1, bench, NULL, &err), &err);
    team_destroy(team);
    return 0;
}
